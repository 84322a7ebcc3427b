"""The book as a subscriber sees it: a window, what changed in it, its checksum. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from typing import Final
from zlib import crc32

from runtime.sim.ladder import Level
from runtime.sim.market import SimBook, SimPair, rfc3339

DEPTHS: Final = (10, 25, 100, 500, 1000)
CHECKSUM_LEVELS: Final = 10


def book_checksum(asks: Iterable[Level], bids: Iterable[Level], price_scale: int = 1) -> int:
    """Unsigned CRC-32 of a book: (price, quantity) integers, best first, of which ten a side count; 0 when empty.

    The rule (Kraken docs, guides/spot-ws-book-v2) prints each number with its pair's decimals, removes the dot and
    strips leading zeros. That text is the integer itself, so no decimal is printed here.
    """
    best = chain(islice(asks, CHECKSUM_LEVELS), islice(bids, CHECKSUM_LEVELS))
    return crc32("".join(f"{price * price_scale}{qty}" for price, qty in best).encode())


class BookView:
    """What one subscriber holds: the best ``depth`` levels a side as of the last message."""

    def __init__(self, book: SimBook, depth: int) -> None:
        self.book, self.depth = book, depth
        self.phantom: Level | None = None
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}
        self.is_fresh = True

    def advance(self) -> tuple[list[Level], list[Level]]:
        """Move to the market's present and return the changed (bids, asks); quantity 0 removes.

        Only the window counts: a level that moves in is sent whole, one pushed out by a better one is not mentioned,
        because the client truncates (Kraken docs, guides/spot-ws-book-v2).
        """
        bids, asks = dict(self.book.bids.top(self.depth)), dict(self.book.asks.top(self.depth))
        if self.phantom is not None and self.phantom[0] not in self.book.bids:
            bids = dict(sorted([*bids.items(), self.phantom], reverse=True)[: self.depth])
        changed = []
        for held, now, ladder in ((self.bids, bids, self.book.bids), (self.asks, asks, self.book.asks)):
            gone = [(price, 0) for price in held if price not in now and price not in ladder]
            changed.append(gone + [(price, qty) for price, qty in now.items() if held.get(price) != qty])
        self.bids, self.asks = bids, asks
        return changed[0], changed[1]

    def is_deep(self, bids: list[Level], asks: list[Level]) -> bool:
        """Whether a change touches nothing of the top ten, so that no checksum shows it."""
        tops = ((bids, self.bids, False), (asks, self.asks, True))
        for changed, held, up in tops:
            edge = list(held)[CHECKSUM_LEVELS - 1 : CHECKSUM_LEVELS]
            if any(not edge or (price <= edge[0] if up else price >= edge[0]) for price, _ in changed):
                return False
        return True


Sides = tuple[list[Level], list[Level]]
"""(bids, asks)."""


def book_frame(pair: SimPair, scale: int, kind: str, sides: Sides, crc: int, ts_ns: int) -> str:
    """A book message of (bids, asks), numbers with the pair's decimals (Kraken docs, websocket-v2/book)."""
    bids, asks = (
        ",".join(f'{{"price":{pair.price_text(p * scale)},"qty":{pair.qty_text(q)}}}' for p, q in side)
        for side in sides
    )
    data = f'"symbol":"{pair.symbol}","bids":[{bids}],"asks":[{asks}],"checksum":{crc},"timestamp":"{rfc3339(ts_ns)}"'
    return f'{{"channel":"book","type":"{kind}","data":[{{{data}}}]}}'
