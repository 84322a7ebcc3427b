"""What a picture says of each order of ours, put side by side, and where it contradicts itself or us.

The venue's lists are asked for one after another and may each lag, so an order may stand in the open list and in the
closed one, or a trade of it in none of their sums: that is a race, and the next picture ends it. What cannot be at
any moment is a contradiction: nothing is concluded about that order.
"""

from collections.abc import Iterable, Mapping

import msgspec

from connectors.events import ExecReport, ExecType, OrderStatus, Picture, VenueOrder, VenueTrade
from oms.manager import Order


class Evidence(msgspec.Struct):
    """One order in one picture. `trades` oldest first, each once. `problem`: why nothing follows from it, in words.

    `is_race`: the problem is none but of the moment.
    """

    open: VenueOrder | None = None
    closed: VenueOrder | None = None
    trades: list[VenueTrade] = []
    problem: str = ""
    is_race: bool = False

    @property
    def record(self) -> VenueOrder | None:
        return self.closed or self.open


def read(picture: Picture, ids: Mapping[str, str]) -> dict[str, Evidence]:
    """By client order id; `ids` knows it by the venue's, for what the venue lists without ours.

    Under "" stands nothing: what has no id of ours is nobody's here.
    """
    found: dict[str, Evidence] = {}
    names = {**ids, **{one.venue_order_id: one.client_order_id for one in (*picture.open, *picture.closed)
                       if one.client_order_id and one.venue_order_id}}  # fmt: skip
    for one in picture.open:
        if name := one.client_order_id or names.get(one.venue_order_id, ""):
            _note(found.setdefault(name, Evidence()), one)
    for one in picture.closed:
        if name := one.client_order_id or names.get(one.venue_order_id, ""):
            _note(found.setdefault(name, Evidence()), one)
    _trades(found, picture.trades, names)
    for evidence in found.values():
        if evidence.open is not None and evidence.closed is not None and not evidence.problem:
            if evidence.open.venue_order_id == evidence.closed.venue_order_id:
                evidence.problem, evidence.is_race = "is listed as open and as closed", True
            else:
                evidence.problem = "its id belongs to two orders"
    return found


def _note(evidence: Evidence, one: VenueOrder) -> None:
    """A record joins the evidence."""
    is_open = one.status is OrderStatus.OPEN
    there = evidence.open if is_open else evidence.closed
    if there is not None and there != one:
        evidence.problem = "is listed twice, differently"
    if is_open:
        evidence.open = one
    else:
        evidence.closed = one
    if one.qty_1e8 < 0 or one.px_1e9 < 0 or not 0 <= one.cum_qty_1e8 <= max(one.qty_1e8, 0):
        evidence.problem = f"filled {one.cum_qty_1e8} of {one.qty_1e8} (1e-8) at {one.px_1e9} (1e-9)"
    elif one.status is OrderStatus.FILLED and not one.cum_qty_1e8:
        evidence.problem = "is filled, of nothing"


def _trades(found: dict[str, Evidence], trades: Iterable[VenueTrade], names: Mapping[str, str]) -> None:
    by_id: dict[str, VenueTrade] = {}
    for one in trades:
        name = one.client_order_id or names.get(one.venue_order_id, "")
        if not name:
            continue
        evidence = found.setdefault(name, Evidence())
        before = by_id.get(one.exec_id)
        if before is not None:
            if before != one:
                other = before.client_order_id or names.get(before.venue_order_id, "")
                evidence.problem = found[other].problem = f"execution {one.exec_id} is told in two ways"
            continue
        by_id[one.exec_id] = one
        if one.qty_1e8 <= 0 or one.px_1e9 < 0 or not one.exec_id:
            evidence.problem = f"execution {one.exec_id!r} of {one.qty_1e8} (1e-8) at {one.px_1e9} (1e-9)"
        evidence.trades = [*evidence.trades, one]
    for evidence in found.values():
        evidence.trades.sort(key=lambda one: (one.ts_venue_ns, one.exec_id))


def against(order: Order, evidence: Evidence) -> str:
    """Where evidence and what we know of the order cannot both be; or nothing."""
    records = (record for record in (evidence.open, evidence.closed) if record is not None)
    every: tuple[VenueOrder | VenueTrade, ...] = (*records, *evidence.trades)
    for one in every:
        if (one.instrument, one.side) != (order.instrument, order.side):
            return "is of another market or side than ours"
        if order.venue_order_id and one.venue_order_id and one.venue_order_id != order.venue_order_id:
            return f"is {one.venue_order_id} there, and {order.venue_order_id} here"
    return ""


def unknown(order: Order, evidence: Evidence) -> list[VenueTrade]:
    """Its executions that we were not told of, oldest first."""
    return [one for one in evidence.trades if one.exec_id not in (order.exec_ids or ())]


def executions(order: Order, trades: Iterable[VenueTrade], total_1e8: int) -> list[ExecReport]:
    """Reports that tell of them, after all we know; `total_1e8` is the order's, so that the last may leave nothing."""
    cum_1e8, reports = order.filled_1e8, list[ExecReport]()
    for one in trades:
        cum_1e8 += one.qty_1e8
        report = ExecReport(
            client_order_id=order.client_order_id,
            exec_type=ExecType.TRADE,
            instrument=order.instrument,
            venue_order_id=one.venue_order_id or order.venue_order_id,
            exec_id=one.exec_id,
            last_qty_1e8=one.qty_1e8,
            last_px_1e9=one.px_1e9,
            cum_qty_1e8=cum_1e8,
            leaves_qty_1e8=max(total_1e8 - cum_1e8, 0),
            fee_1e9=one.fee_1e9,
            text="from the venue's record",
            ts_venue_ns=one.ts_venue_ns,
        )
        reports.append(report)
    return reports
