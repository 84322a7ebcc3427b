"""A venue's truth, written from docs/orders.md: a list of facts with times, and every view of it derived by looking.

Nothing here keeps a state: what an order is at a moment follows from the facts up to then. What is told of them
(reports) and listed of them (pictures) may be late, repeated, or lost; the facts are not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from connectors.events import ExecReport, ExecType, OrderStatus, Picture, VenueOrder, VenueTrade

S = 10**9
VENUE, OURS = "v", "vg"
KIND = {"canceled": ExecType.CANCELED, "expired": ExecType.EXPIRED}


class Fact(NamedTuple):
    """What happened at the venue: landed, amended, fill, filled, canceled, expired."""

    at: int
    name: str
    what: str
    px: int = 0
    qty: int = 0
    exec_id: str = ""


class Seen(NamedTuple):
    """An order at a moment."""

    status: OrderStatus
    px: int
    total: int
    filled: int
    landed: int
    ended: int


class Truth:
    """`facts` in the order of time. `asked`: name → (side, market, id at the venue)."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self.asked: dict[str, tuple[int, int, str]] = {}

    # --- what happens ----------------------------------------------------------------------------------------------

    def happen(self, fact: Fact) -> list[ExecReport]:
        """One more fact; what the venue's stream says of it."""
        self.facts.append(fact)
        seen = self.seen(fact.name, fact.at)
        assert seen is not None
        if fact.what == "fill" and seen.filled == seen.total:
            self.facts.append(Fact(fact.at, fact.name, "filled"))
        return [self._told(fact, seen)]

    def _told(self, fact: Fact, seen: Seen) -> ExecReport:
        _, market, venue_id = self.asked[fact.name]
        base = {"client_order_id": fact.name, "instrument": market, "venue_order_id": venue_id}
        cum, leaves = seen.filled, seen.total - seen.filled
        if fact.what == "landed":
            return ExecReport(exec_type=ExecType.NEW, **base)  # type: ignore[arg-type]
        if fact.what == "amended":
            return ExecReport(exec_type=ExecType.REPLACED, px_1e9=fact.px, qty_1e8=fact.qty, **base)  # type: ignore[arg-type]
        if fact.what == "fill":
            return ExecReport(
                exec_type=ExecType.TRADE, exec_id=fact.exec_id, last_qty_1e8=fact.qty, last_px_1e9=fact.px,
                cum_qty_1e8=cum, leaves_qty_1e8=leaves, **base,  # type: ignore[arg-type]
            )  # fmt: skip
        return ExecReport(exec_type=KIND[fact.what], cum_qty_1e8=cum, **base)  # type: ignore[arg-type]

    # --- what can be seen ------------------------------------------------------------------------------------------

    def seen(self, name: str, at: int) -> Seen | None:
        """The order at that moment; None before it landed, or if it never did."""
        mine = [fact for fact in self.facts if fact.name == name and fact.at <= at]
        if not mine:
            return None
        terms = [fact for fact in mine if fact.what in ("landed", "amended")][-1]
        ends = [fact for fact in mine if fact.what in ("filled", "canceled", "expired")]
        status = OrderStatus(ends[0].what) if ends else OrderStatus.OPEN
        filled = sum(fact.qty for fact in mine if fact.what == "fill")
        return Seen(status, terms.px, terms.qty, filled, mine[0].at, ends[0].at if ends else 0)

    def is_open(self, name: str, at: int) -> bool:
        seen = self.seen(name, at)
        return seen is not None and seen.status is OrderStatus.OPEN

    def picture(self, since: int, asked: int, moment: Callable[[str, str], int]) -> Picture:
        """`moment(list, name)`: as of when this list shows this order."""
        opened, closed, trades = list[VenueOrder](), list[VenueOrder](), list[VenueTrade]()
        for name in self.asked:
            one = self._record(name, moment("open", name))
            if one is not None and one.status is OrderStatus.OPEN:
                opened.append(one)
            at = moment("closed", name)
            seen, one = self.seen(name, at), self._record(name, at)
            if one is not None and seen is not None and one.status is not OrderStatus.OPEN and seen.ended >= since:
                closed.append(one)
            trades += self._trades(name, since, moment("trades", name))
        return Picture(
            venue=VENUE, asked_ns=asked, since_ns=since, open=tuple(opened), closed=tuple(closed), trades=tuple(trades),
            balances=(),
        )  # fmt: skip

    def _record(self, name: str, at: int) -> VenueOrder | None:
        seen, (side, market, venue_id) = self.seen(name, at), self.asked[name]
        if seen is None:
            return None
        return VenueOrder(
            client_order_id=name, venue_order_id=venue_id, instrument=market, symbol="A/B", side=side, order_type=0,
            px_1e9=seen.px, qty_1e8=seen.total, cum_qty_1e8=seen.filled, status=seen.status, opened_ns=seen.landed,
        )  # fmt: skip

    def _trades(self, name: str, since: int, at: int) -> list[VenueTrade]:
        side, market, venue_id = self.asked[name]
        return [
            VenueTrade(
                exec_id=fact.exec_id, venue_order_id=venue_id, client_order_id=name, instrument=market, side=side,
                qty_1e8=fact.qty, px_1e9=fact.px, ts_venue_ns=fact.at,
            )
            for fact in self.facts
            if fact.name == name and fact.what == "fill" and since <= fact.at <= at
        ]  # fmt: skip

    def position(self) -> int:
        return sum(self.asked[fact.name][0] * fact.qty for fact in self.facts if fact.what == "fill")
