"""One side of a simulated book, a trade, and who else may rest in a book. Pure; units as in `market.py`."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

BookSide = Literal["bid", "ask"]
TakerSide = Literal["buy", "sell"]
OrdType = Literal["limit", "market"]
Level = tuple[int, int]
"""(price, quantity), both integers in the units of the pair."""


class LevelChange(msgspec.Struct, frozen=True):
    """A level's new total quantity; 0 removes it. Later changes of one event win over earlier ones."""

    side: BookSide
    price: int
    qty: int


class SimTrade(msgspec.Struct, frozen=True):
    """One fill against the book; ``side`` is the taker's, ``trade_id`` rises by one within a symbol."""

    symbol: str
    side: TakerSide
    price: int
    qty: int
    ord_type: OrdType
    trade_id: int
    ts_ns: int


class Guests(Protocol):
    """Orders in a book that are not the market's. Quantities are lots; a ladder's level counts theirs too."""

    def held(self, side: BookSide, price: int) -> int:
        """How much of a level is theirs."""

    def alone(self, side: BookSide) -> int:
        """How many levels are theirs alone."""

    def settled(self, side: BookSide, price: int, others: int) -> None:
        """The market's own part of a level is now ``others``; what went away went from the back of the queue."""

    def take(self, side: BookSide, price: int, qty: int, trade: Callable[[int], SimTrade]) -> None:
        """A taker takes ``qty`` of a level, first come first served; ``trade(part)`` makes one trade of each match."""


class Ladder:
    """One side of a book. Keys rise away from the touch (a bid's is its negated price): both sides share one code.

    `version` rises with every change.
    """

    def __init__(self, side: BookSide) -> None:
        self.side: BookSide = side
        self._sign = 1 if side == "ask" else -1
        self._keys: list[int] = []
        self._qty: dict[int, int] = {}
        self.version = 0

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, price: object) -> bool:
        return isinstance(price, int) and price * self._sign in self._qty

    def price(self, index: int) -> int:
        """The price ``index`` levels from the touch; -1 is the deepest. Raises IndexError outside the book."""
        return self._keys[index] * self._sign

    def qty(self, price: int) -> int:
        """Quantity at a price, 0 where there is no level."""
        return self._qty.get(price * self._sign, 0)

    def top(self, depth: int) -> list[Level]:
        """The best ``depth`` levels, best first, fewer when the book is thinner."""
        return [(key * self._sign, self._qty[key]) for key in self._keys[:depth]]

    def further(self, price: int, distance: int) -> int:
        """A price ``distance`` further from the touch than ``price`` (negative: nearer)."""
        return price + distance * self._sign

    def set(self, price: int, qty: int) -> None:
        """Give a level its new total; 0 removes it, and removing what is not there changes nothing."""
        key = price * self._sign
        self.version += 1
        if qty:
            if key not in self._qty:
                insort(self._keys, key)
            self._qty[key] = qty
        elif self._qty.pop(key, None) is not None:
            del self._keys[bisect_left(self._keys, key)]
