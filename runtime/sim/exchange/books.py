"""A book as one subscriber has it: a window, and what changed in it. Pure."""

from __future__ import annotations

from runtime.sim.ladder import Ladder, Level
from runtime.sim.market import SimBook


class BookView:
    """The best `depth` levels a side as of the last message; 0: the whole book.

    `phantom`: a bid that is shown and is not there, for a fault. While the market stands still, nothing is looked at.
    """

    def __init__(self, book: SimBook, depth: int) -> None:
        self.book, self.depth = book, depth
        self.phantom: Level | None = None
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.is_fresh = True
        self._seen: tuple[int, int, Level | None] | None = None

    def _top(self, ladder: Ladder) -> dict[int, int]:
        return dict(ladder.top(self.depth or len(ladder)))

    def advance(self) -> tuple[list[Level], list[Level]]:
        """Moves to the market's present: the changed (bids, asks), best first; quantity 0 removes.

        What leaves the window is told as removed, pushed out by a better level or not.
        """
        seen = (self.book.bids.version, self.book.asks.version, self.phantom)
        if seen == self._seen:
            return [], []
        self._seen = seen
        bids, asks = self._top(self.book.bids), self._top(self.book.asks)
        if self.phantom is not None and self.phantom[0] not in bids:
            bids = dict(sorted([*bids.items(), self.phantom], reverse=True))
        changed = []
        for held, now in ((self.bids, bids), (self.asks, asks)):
            gone = [(price, 0) for price in held if price not in now]
            changed.append(gone + [(price, qty) for price, qty in now.items() if held.get(price) != qty])
        self.bids, self.asks = bids, asks
        return sorted(changed[0], reverse=True), sorted(changed[1])
