"""The book that OKX publishes every 100 ms, its chain of seqIds, and the checksum of older days (venues.md 4.2). Pure.

All subscribers of an instrument are told the same messages: who subscribes gets the book as last published, and every
update afterwards names the seqId that went before it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.numbers import short
from runtime.sim.ladder import Level
from runtime.sim.market import NS, SimBook, SimPair, seeded

if TYPE_CHECKING:
    from runtime.sim.exchange.faults import Fault

DEPTH: Final = 400
EVERY_NS: Final = NS // 10
QUIET_NS: Final = 60 * NS
CHECKED: Final = 25


def level_texts(pair: SimPair, level: Level) -> tuple[str, str, str, str]:
    """Price, quantity, "0", how many orders: some number that is none for a level that goes."""
    price, qty = level
    count = (price + qty) % 9 + 1 if qty else 0
    return short(price, pair.price_precision), short(qty, pair.qty_precision), "0", str(count)


def side_text(pair: SimPair, levels: Iterable[Level]) -> str:
    """A side of a message."""
    return ",".join(
        f'["{price}","{qty}","{dead}","{count}"]'
        for price, qty, dead, count in (level_texts(pair, level) for level in levels)
    )


def legacy_checksum(bids: Iterable[tuple[str, str]], asks: Iterable[tuple[str, str]]) -> int:
    """Signed CRC-32 of the best 25 a side, interleaved `bid:ask`, a missing side left out (venues.md 4.2)."""
    parts: list[str] = []
    for bid, ask in zip_longest(list(bids)[:CHECKED], list(asks)[:CHECKED]):
        for level in (bid, ask):
            parts += level[:2] if level is not None else ()
    unsigned = crc32(":".join(parts).encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


class Update(msgspec.Struct, frozen=True):
    """One publication: changed (bids, asks), the seqId before it and its own."""

    bids: list[Level]
    asks: list[Level]
    before: int
    seq: int


class Feed:
    """What is published of one instrument. `has_moved`: its book may have changed since; else nobody looks at it."""

    def __init__(self, book: SimBook, seed: int, now_ns: int) -> None:
        self.book, self.pair = book, book.pair
        self._rng = seeded(f"{seed}/okx-feed/{book.pair.symbol}")
        self._view = BookView(book, DEPTH)
        self._view.advance()
        self.seq = self._rng.randrange(10**9, 10**10)
        self._told_ns = now_ns
        self.has_moved = False

    def publish(self, now_ns: int, reset: Fault | None = None) -> Update | None:
        """What changed since the last time; after a minute without change an empty update; else nothing.

        `reset`: the venue has renumbered, the new seqId is smaller than the one before it.
        """
        bids, asks = self._view.advance() if self.has_moved else ([], [])
        self.has_moved = False
        before = self.seq
        if reset is not None:
            self.seq = min(self.seq - 1, self._rng.randrange(1, 1000))
        elif bids or asks:
            self.seq += self._rng.randint(1, 12)
        elif now_ns - self._told_ns < QUIET_NS:
            return None
        self._told_ns = now_ns
        return Update(bids, asks, before, self.seq)

    def levels(self) -> tuple[list[Level], list[Level]]:
        """(bids, asks) as last published, best first."""
        return list(self._view.bids.items()), list(self._view.asks.items())

    def checksum(self) -> int:
        """Of the book as last published, by the rule of older days."""
        bids, asks = ([level_texts(self.pair, level)[:2] for level in side] for side in self.levels())
        return legacy_checksum(bids, asks)
