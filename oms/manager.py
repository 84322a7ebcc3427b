"""The OMS: every order from its approval to its end, and the positions that follow from their executions.

Keyed by client order id; a venue id is learnt from reports. Executions are deduplicated by `exec_id`. Nothing here
sends: it is told what was sent and what came back, and answers with what that means.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from connectors.events import ExecReport, ExecType
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OfOrder
from oms.position import Position
from oms.state import RESTORED, TERMINAL, TRANSITIONS, OrderState

ANSWERS = frozenset({ExecType.REPLACED, ExecType.REPLACE_REJECTED})
FINISHED_KEPT: Final = 1024  # finished orders kept for reports that come late


class Order(OfOrder, gc=False, eq=False):
    """One order's facts. Quantities ×1e8 ≥ 0; `qty_1e8` is the total, what is filled included.

    `new` is the order as approved. `slot` is its place in the guest's table; kept by runtime. A Struct, because one is
    made for every order and C makes it three times faster than `__init__`.
    """

    px_1e9: int
    qty_1e8: int
    filled_1e8: int = 0
    state: OrderState = OrderState.PENDING_NEW
    venue_order_id: str = ""
    end_1e8: int = 0  # its last total by the venue's own word: a fill that left nothing; 0: not told
    amends: int = 0  # unanswered
    exec_ids: set[str] | None = None  # made with the first execution
    slot: int = -1
    sent_ns: int = 0  # when it was approved; 0: in a session before this one
    asked_ns: int = 0  # when its last amend or cancel was approved

    def is_repeat(self, exec_id: str) -> bool:
        """Whether this execution was folded already; remembers it if not."""
        if self.exec_ids is None:
            self.exec_ids = {exec_id}
            return False
        if exec_id in self.exec_ids:
            return True
        self.exec_ids.add(exec_id)
        return False

    @property
    def leaves_1e8(self) -> int:
        return 0 if self.state in TERMINAL else max(self.qty_1e8 - self.filled_1e8, 0)

    @property
    def is_finished(self) -> bool:
        return self.state in TERMINAL


class Applied(msgspec.Struct, frozen=True):
    """What a report did. `fill`: it was a new execution. `anomaly`: why it fits no transition, else empty."""

    order: Order
    fill: bool
    anomaly: str


class Oms:
    """All orders and positions. `positions[algo, instrument]` exists once an order was sent."""

    __slots__ = ("anomalies", "fills", "finished", "orders", "positions")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.finished: OrderedDict[str, Order] = OrderedDict()
        self.positions: dict[tuple[int, int], Position] = {}
        self.fills = 0
        self.anomalies = 0

    def position(self, algo: int, instrument: int) -> Position:
        found = self.positions.get((algo, instrument))
        if found is None:
            found = self.positions[algo, instrument] = Position()
        return found

    def submit(self, approved: Approved[NewOrder]) -> Order:
        """Takes an approved order on: PENDING_NEW until the venue speaks."""
        new = approved.order
        order = self.orders[new.client_order_id] = Order(
            new, new.px_1e9, new.qty_1e8, sent_ns=approved.now_ns
        )
        return order

    def cancel(self, approved: Approved[CancelOrder]) -> Order | None:
        """A cancel is on its way."""
        order = self.orders.get(approved.order.client_order_id)
        if order is not None and order.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED):
            order.state = OrderState.PENDING_CANCEL
        return order

    def cancelling(self, client_order_id: str) -> Order | None:
        """A cancel-all that reaches this order is on its way."""
        order = self.orders.get(client_order_id)
        if order is not None and order.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED):
            order.state = OrderState.PENDING_CANCEL
        return order

    def amend(self, approved: Approved[AmendOrder]) -> Order | None:
        """An amend is on its way: nothing changes until the venue says so."""
        order = self.orders.get(approved.order.client_order_id)
        if order is not None:
            order.amends += 1
        return order

    def apply(self, report: ExecReport) -> Applied | None:
        """Folds one report; None when it is about an order we never sent."""
        order = self.orders.get(report.client_order_id) or self.finished.get(report.client_order_id)
        if order is None:
            self.anomalies += 1
            return None
        if report.venue_order_id:
            order.venue_order_id = report.venue_order_id
        is_fill = False
        if report.exec_type is ExecType.TRADE:
            if order.is_repeat(report.exec_id):
                return Applied(order, fill=False, anomaly="")
            is_fill = True
            self.fills += 1
            order.filled_1e8 += report.last_qty_1e8
            self.position(order.algo, order.instrument).fill(
                order.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9
            )
        return Applied(order, is_fill, self._move(order, report, is_fill=is_fill))

    def _move(self, order: Order, report: ExecReport, *, is_fill: bool) -> str:
        """Looks the report up in the table; returns the anomaly, or an empty string."""
        state = order.state
        if state in TERMINAL or (state, report.exec_type) not in TRANSITIONS:
            self.anomalies += 1
            return f"{report.exec_type} in state {state}"
        anomaly = ""
        target = TRANSITIONS[state, report.exec_type]
        if target is RESTORED:
            target = OrderState.PARTIALLY_FILLED if order.filled_1e8 else OrderState.NEW
        if report.exec_type is ExecType.REPLACED and report.qty_1e8 > 0:
            order.px_1e9, order.qty_1e8 = report.px_1e9, report.qty_1e8
        is_answer = report.exec_type in ANSWERS
        order.amends = max(order.amends - is_answer, 0)
        if is_fill and report.cum_qty_1e8 and not report.leaves_qty_1e8:
            order.end_1e8 = report.cum_qty_1e8
        told_1e8 = report.cum_qty_1e8 + report.leaves_qty_1e8  # more than the total: amended upwards, not yet told
        may_end = is_fill or (is_answer and not order.amends)
        if may_end and order.filled_1e8 >= (order.end_1e8 or max(order.qty_1e8, told_1e8)):
            target = OrderState.FILLED
        if is_fill and order.filled_1e8 > order.qty_1e8:
            self.anomalies += 1
            anomaly = f"filled {order.filled_1e8} of {order.qty_1e8} (1e-8)"
        order.state = target
        if target in TERMINAL:
            self.finished[order.client_order_id] = self.orders.pop(order.client_order_id)
            if len(self.finished) > FINISHED_KEPT:
                self.finished.popitem(last=False)
        return anomaly

    def new_session(self) -> None:
        """00:00 UTC: every session PnL restarts."""
        for position in self.positions.values():
            position.new_session()
