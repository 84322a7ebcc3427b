"""Which levels of a book are known without a hole: those inside the snapshot that it was made from.

A snapshot ends at its limit. What lies beyond is unknown until it changes (the seventh published step), so that a book
whose price ran past that end would show levels with holes between them, and call the first of them the best. So the
ends are kept, and with them which levels are inside: when few are left, a fresh snapshot is due; when none is, there is
no book. A side that came with fewer levels than were asked for is known to its last one, and has no end.
"""

from collections.abc import Sequence
from typing import Final

from connectors.book import Level

ENDLESS: Final = 1 << 62


class Reach:
    """`bid_end_1e9`, `ask_end_1e9`: the last prices that are known about, 0 and ENDLESS for sides without an end."""

    __slots__ = ("_asks", "_bids", "ask_end_1e9", "bid_end_1e9")

    def __init__(self) -> None:
        self._bids: set[int] = set()
        self._asks: set[int] = set()
        self.bid_end_1e9, self.ask_end_1e9 = 0, ENDLESS

    def begin(self, bids: Sequence[Level], asks: Sequence[Level], limit: int) -> None:
        """A snapshot of `limit` levels a side at most; 0: nobody knows how many were asked for."""
        full = limit or max(len(bids), len(asks))
        self._bids = {px for px, sz in bids if sz}
        self._asks = {px for px, sz in asks if sz}
        self.bid_end_1e9 = min(self._bids) if self._bids and len(bids) >= full else 0
        self.ask_end_1e9 = max(self._asks) if self._asks and len(asks) >= full else ENDLESS
        if not self.bid_end_1e9:
            self._bids.clear()
        if self.ask_end_1e9 == ENDLESS:
            self._asks.clear()

    def follow(self, bids: Sequence[Level], asks: Sequence[Level]) -> None:
        """Changed levels."""
        if end := self.bid_end_1e9:
            inside = self._bids
            for px, sz in bids:
                if px >= end:
                    if sz:
                        inside.add(px)
                    else:
                        inside.discard(px)
        if (end := self.ask_end_1e9) != ENDLESS:
            inside = self._asks
            for px, sz in asks:
                if px <= end:
                    if sz:
                        inside.add(px)
                    else:
                        inside.discard(px)

    @property
    def left(self) -> int:
        """How many levels are known on the shorter side; ENDLESS where neither has an end."""
        bids = len(self._bids) if self.bid_end_1e9 else ENDLESS
        asks = len(self._asks) if self.ask_end_1e9 != ENDLESS else ENDLESS
        return bids if bids < asks else asks
