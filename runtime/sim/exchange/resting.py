"""Where the account's orders stand in a simulated book: price-time priority among everybody at a level. Pure.

The market keeps a level as one quantity; each of our orders knows how much of others' quantity is ahead of it. What
others add joins the queue behind; what they take away goes from the back, so a queue never shrinks in our favour by
anything but trades. (The real venue does not tell; this is the careful reading.)
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from runtime.sim.ladder import BookSide, Ladder, SimTrade
from runtime.sim.market import SimBook

OnFill = Callable[[str, int, SimTrade], None]
"""(order id, quantity, the trade it was part of)."""


class Entry(msgspec.Struct):
    """An order in a level's queue; `ahead` is others' quantity before it, orders of the account not counted."""

    order_id: str
    left: int
    ahead: int


class Resting:
    """The account's orders in one book: the book's `guests`."""

    def __init__(self, book: SimBook, on_fill: OnFill) -> None:
        self.book = book
        self._on_fill = on_fill
        self._levels: dict[tuple[BookSide, int], list[Entry]] = {}
        self._where: dict[str, tuple[BookSide, int]] = {}
        book.guests = self

    # --- what the market asks ----------------------------------------------------------------------------------------

    def held(self, side: BookSide, price: int) -> int:
        return sum(entry.left for entry in self._levels.get((side, price), ()))

    def alone(self, side: BookSide) -> int:
        ladder = self.ladder(side)
        return sum(ladder.qty(price) == self.held(at, price) for at, price in self._levels if at == side)

    def settled(self, side: BookSide, price: int, others: int) -> None:
        for entry in self._levels.get((side, price), ()):
            entry.ahead = min(entry.ahead, others)

    def take(self, side: BookSide, price: int, qty: int, trade: Callable[[int], SimTrade]) -> None:
        queue, taken = list(self._levels.get((side, price), ())), 0
        fills: list[tuple[Entry, int]] = []
        for entry in queue:
            others = min(qty, max(0, entry.ahead - taken))
            if others:
                trade(others)
                taken, qty = taken + others, qty - others
            if not qty:
                break
            part = min(qty, entry.left)
            qty -= part
            entry.left -= part
            if not entry.left:
                self._drop(entry.order_id)
            fills.append((entry, part))
            self._on_fill(entry.order_id, part, trade(part))
        if qty:
            trade(qty)
            taken += qty
        for entry in queue:
            entry.ahead = max(0, entry.ahead - taken)

    # --- what the engine does ----------------------------------------------------------------------------------------

    def ladder(self, side: BookSide) -> Ladder:
        """The side of the book."""
        return self.book.bids if side == "bid" else self.book.asks

    def place(self, order_id: str, side: BookSide, price: int, qty: int) -> None:
        """At the back of the level's queue."""
        ladder = self.ladder(side)
        ahead = ladder.qty(price) - self.held(side, price)
        self._levels.setdefault((side, price), []).append(Entry(order_id, qty, ahead))
        self._where[order_id] = (side, price)
        ladder.set(price, ladder.qty(price) + qty)

    def remove(self, order_id: str) -> None:
        """Out of the book; nothing where it does not rest."""
        if order_id in self._where:
            self.shrink(order_id, 0)

    def shrink(self, order_id: str, left: int) -> None:
        """Less of it, in its place of the queue; 0 takes it out."""
        side, price = self._where[order_id]
        entry = next(entry for entry in self._levels[side, price] if entry.order_id == order_id)
        ladder = self.ladder(side)
        ladder.set(price, ladder.qty(price) - entry.left + left)
        entry.left = left
        if not left:
            self._drop(order_id)

    def first(self, side: BookSide, price: int) -> Entry | None:
        """The account's first order at a level."""
        return next(iter(self._levels.get((side, price), ())), None)

    def queue(self, side: BookSide, price: int) -> list[Entry]:
        """The account's orders at a level, first come first."""
        return list(self._levels.get((side, price), ()))

    def ahead(self, order_id: str) -> int | None:
        """Others' quantity before it, None where it does not rest."""
        if order_id not in self._where:
            return None
        return next(entry.ahead for entry in self._levels[self._where[order_id]] if entry.order_id == order_id)

    def eat(self, side: BookSide, price: int, qty: int) -> None:
        """Somebody outside has taken `qty` of others' quantity at the front of a level."""
        ladder = self.ladder(side)
        for entry in self._levels.get((side, price), ()):
            entry.ahead = max(0, entry.ahead - qty)
        ladder.set(price, ladder.qty(price) - qty)

    def _drop(self, order_id: str) -> None:
        where = self._where.pop(order_id)
        self._levels[where] = [entry for entry in self._levels[where] if entry.order_id != order_id]
        if not self._levels[where]:
            del self._levels[where]
