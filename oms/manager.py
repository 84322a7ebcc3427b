"""The OMS: every order from its approval to its end, and the positions that follow from their executions.

Keyed by client order id; a venue id is learnt from reports. Executions are deduplicated by `exec_id`. Nothing here
sends: it is told what was sent and what came back, and answers with what that means. docs/orders.md says it in prose.

An order is filled when what was executed reaches its total by the venue's word: what a fill that left nothing said
(`end_1e8`), else the larger of the total that it has and the one that its furthest execution told, and not while an
amend is unanswered that none of that speaks of. Where reports were reordered so that this may be too much, the order
stays open: a picture of the account settles it (`reconcile.py`), and counting an order too long is safe.

An end that says more was executed than we were told ends the order (`orders` has it no more), and its rest stays
owed: `owed` keeps it, and `finished` does not forget it, until those executions came. Nothing else settles it: an
execution that happened is a fact.
"""

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final

import msgspec

from connectors.events import ExecReport, ExecType, VenueOrder
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OfOrder
from oms.position import Position
from oms.state import TERMINAL, TRANSITIONS, Anomaly, OrderState, Restored, Target

ENDS: Final = frozenset({ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED})
# what only a venue that has the order says of it; it may refuse a cancel or an amend because it never saw the order
HEARD: Final = frozenset(ExecType) - {ExecType.UNKNOWN, ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED}
FINISHED_KEPT: Final = 1024  # finished orders kept for reports that come late
_TRADE, _REPLACED, _REPLACE_REJECTED = ExecType.TRADE, ExecType.REPLACED, ExecType.REPLACE_REJECTED


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
    end_1e8: int = 0  # all that it will ever have filled, by the venue's own word; 0: not told
    asked: tuple[tuple[int, int], ...] = ()  # unanswered amends: price and total
    refused: int = 0  # of them, though nobody knows which
    exec_ids: set[str] | None = None  # made with the first execution
    slot: int = -1
    sent_ns: int = 0  # when it was approved; of an order of a session before: when this one began
    asked_ns: int = 0  # when its last amend or cancel was approved, or may have been at the latest
    born_ns: int = 0  # it was approved no earlier; 0: nobody knows
    doubt_ns: int = 0  # when it was last in doubt
    ended_ns: int = 0  # when its end was told
    told_1e8: int = 0  # its total when its furthest execution happened
    furthest_1e8: int = 0  # which that is: the highest cumulated quantity that an execution told
    base_1e8: int = 0  # filled before it was adopted: not in any position
    is_heard: bool = False  # the venue spoke of it as of an order that it has

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

    @property
    def owed_1e8(self) -> int:
        """Executed by the venue's own word when it ended, and not told to us yet."""
        return max(self.end_1e8 - self.filled_1e8, 0) if self.state in TERMINAL else 0

    def most_1e8(self) -> int:
        """The largest total that anything we know of may have given it."""
        return max(self.qty_1e8, self.told_1e8, *(total for _, total in self.asked))

    def tell(self, report: ExecReport) -> None:
        """What an execution says of the whole order."""
        cum_1e8, leaves_1e8 = report.cum_qty_1e8, report.leaves_qty_1e8
        if cum_1e8 >= self.furthest_1e8:
            self.furthest_1e8, self.told_1e8 = cum_1e8, cum_1e8 + leaves_1e8
        if cum_1e8 and not leaves_1e8:
            self.end_1e8 = cum_1e8

    def answer(self, report: ExecReport) -> None:
        """An amend took effect, or one was refused, of which nobody says which.

        What none of ours asked for (told twice, or the venue's own making) answers none of them. Without a total it
        says nothing.
        """
        if report.exec_type is _REPLACE_REJECTED:
            self.refused += 1
        elif report.qty_1e8 > 0:
            px_1e9, qty_1e8 = report.px_1e9, report.qty_1e8
            self.px_1e9, self.qty_1e8 = px_1e9 or self.px_1e9, qty_1e8
            for at, (asked_px, asked_qty) in enumerate(self.asked):
                if asked_qty == qty_1e8 and px_1e9 in (0, asked_px):
                    self.asked = self.asked[:at] + self.asked[at + 1 :]
                    break
        if self.refused >= len(self.asked):
            self.asked, self.refused, self.told_1e8 = (), 0, 0  # its total is what the answers say

    def is_full(self, report: ExecReport) -> bool:
        """Whether nothing is left of it, as this execution or answer to an amend shows."""
        if self.end_1e8:
            return self.filled_1e8 >= self.end_1e8
        if self.asked and (report.exec_type is not _TRADE or not report.cum_qty_1e8 + report.leaves_qty_1e8):
            return False
        return self.filled_1e8 >= max(self.qty_1e8, self.told_1e8)


class Applied(msgspec.Struct, frozen=True):
    """What a report did. `fill`: it was a new execution. `anomaly`: why it should not have come, else empty."""

    order: Order
    fill: bool
    anomaly: str


class Oms:
    """All orders and positions. `positions[algo, instrument]` exists once something was filled or asked for.

    `orders`: those that live, in doubt or not. `finished`: those that ended lately; `owed`: those of them of which
    executions are still to come.
    """

    __slots__ = ("anomalies", "fills", "finished", "orders", "owed", "positions")

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.finished: OrderedDict[str, Order] = OrderedDict()
        self.owed: dict[str, Order] = {}
        self.positions: dict[tuple[int, int], Position] = {}
        self.fills = 0
        self.anomalies = 0

    def position(self, algo: int, instrument: int) -> Position:
        found = self.positions.get((algo, instrument))
        if found is None:
            found = self.positions[algo, instrument] = Position()
        return found

    def find(self, client_order_id: str) -> Order | None:
        """The order of this id, living or ended lately."""
        return self.orders.get(client_order_id) or self.finished.get(client_order_id)

    # --- what was asked for ----------------------------------------------------------------------------------------

    def submit(self, approved: Approved[NewOrder]) -> Order:
        """Takes an approved order on: PENDING_NEW until the venue speaks."""
        new, now_ns = approved.order, approved.now_ns
        order = self.orders[new.client_order_id] = Order(new, new.px_1e9, new.qty_1e8, sent_ns=now_ns, born_ns=now_ns)
        return order

    def cancel(self, approved: Approved[CancelOrder]) -> Order | None:
        """A cancel is on its way."""
        return self.cancelling(approved.order.client_order_id, approved.now_ns)

    def cancelling(self, client_order_id: str, now_ns: int) -> Order | None:
        """A cancel that reaches this order is on its way, its own or a cancel-all."""
        order = self.orders.get(client_order_id)
        if order is not None:
            order.asked_ns = now_ns
            if order.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED):
                order.state = OrderState.PENDING_CANCEL
        return order

    def amend(self, approved: Approved[AmendOrder]) -> Order | None:
        """An amend is on its way: nothing changes until the venue says so."""
        amend = approved.order
        order = self.orders.get(amend.client_order_id)
        if order is not None:
            order.asked_ns = approved.now_ns
            order.asked = (*order.asked, (amend.px_1e9, amend.qty_1e8))
        return order

    # --- what a session before this one left -----------------------------------------------------------------------

    def recall(self, order: Order, now_ns: int, born_ns: int = 0) -> Order:
        """Takes an order of a session before: in doubt, whatever it was, and so is all that was asked about it.

        `now_ns`: when this session began; until then anything may have left. `born_ns`: the order is no older; only a
        picture that reaches back to there can prove that the venue never had it. 0: only one that reaches back to 0.
        One that had ended and is still owed executions (`end_1e8` above what is filled, a terminal state) stays ended.
        """
        order.sent_ns = order.asked_ns = order.doubt_ns = now_ns
        order.born_ns = born_ns
        order.is_heard = order.is_heard or bool(order.venue_order_id or order.filled_1e8)
        if order.owed_1e8:
            self.owed[order.client_order_id] = self.finished[order.client_order_id] = order
        else:
            order.state = OrderState.UNKNOWN
            self.orders[order.client_order_id] = order
        return order

    def adopt(self, order: VenueOrder, algo: int, order_id: int, now_ns: int, exec_ids: Iterable[str] = ()) -> Order:
        """Takes on an order of ours that is open at the venue and was not known: NEW or PARTIALLY_FILLED.

        What it filled before counts as filled and is booked into no position: whether an earlier session booked it,
        nobody here knows; `drift.py` sees the money, a person decides. `exec_ids`: of those executions, as far as the
        venue listed them; told again, they are repeats, as is every one whose `cum_qty` is not beyond them.
        """
        name, px_1e9, qty_1e8 = order.client_order_id, order.px_1e9, order.qty_1e8
        new = NewOrder(name, algo, order.instrument, order_id, order.side, px_1e9, qty_1e8, order.order_type)
        state = OrderState.PARTIALLY_FILLED if order.cum_qty_1e8 else OrderState.NEW
        known = self.finished.pop(name, None)  # it was thought to be over: what it told is not told twice
        self.owed.pop(name, None)
        exec_ids = {*exec_ids, *(known.exec_ids or () if known is not None else ())}
        taken = self.orders[name] = Order(
            new, px_1e9, qty_1e8, order.cum_qty_1e8, state, order.venue_order_id, exec_ids=exec_ids or None,
            sent_ns=now_ns, asked_ns=now_ns, born_ns=order.opened_ns, base_1e8=order.cum_qty_1e8, is_heard=True,
        )  # fmt: skip
        return taken

    # --- what came back --------------------------------------------------------------------------------------------

    def apply(self, report: ExecReport, now_ns: int = 0) -> Applied | None:
        """Folds one report; None when it is about an order we never sent.

        `now_ns`: since when it is in doubt, if that is what the report says.
        """
        order = self.orders.get(report.client_order_id) or self.finished.get(report.client_order_id)
        if order is None:
            self.anomalies += 1
            return None
        if report.venue_order_id:
            order.venue_order_id = report.venue_order_id
        kind = report.exec_type
        if kind in HEARD:
            order.is_heard = True
        elif kind is ExecType.UNKNOWN:
            order.doubt_ns = max(order.doubt_ns, now_ns)
        is_fill = False
        if kind is _TRADE and report.last_qty_1e8 > 0:  # else it only says that nothing is left
            if order.is_repeat(report.exec_id) or 0 < report.cum_qty_1e8 <= order.base_1e8:
                return Applied(order, fill=False, anomaly="")
            is_fill = True
            self.fills += 1
            order.filled_1e8 += report.last_qty_1e8
            self.position(order.algo, order.instrument).fill(
                order.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9
            )
        target = TRANSITIONS[order.state, kind]
        if order.state in TERMINAL:
            anomaly = self._after_its_end(order, report, target, is_fill=is_fill)
        else:
            anomaly = self._move(order, report, target, is_fill=is_fill)
            order.ended_ns = now_ns if order.state in TERMINAL else 0
        self.anomalies += anomaly != ""
        return Applied(order, is_fill, anomaly)

    def _move(self, order: Order, report: ExecReport, target: Target, *, is_fill: bool) -> str:
        """A living order goes where the table says; returns the anomaly, or an empty string."""
        kind, anomaly = report.exec_type, ""
        most_asked_1e8 = max(total for _, total in order.asked) if order.asked else 0
        if kind is _TRADE:
            order.tell(report)
        elif kind in (_REPLACED, _REPLACE_REJECTED):
            order.answer(report)
        if isinstance(target, Restored):
            target = OrderState.PARTIALLY_FILLED if order.filled_1e8 else OrderState.NEW
        if kind in ENDS:
            if 0 < report.cum_qty_1e8 < order.filled_1e8:
                anomaly = f"ended with {report.cum_qty_1e8} filled, {order.filled_1e8} were told (1e-8)"
            order.end_1e8 = max(report.cum_qty_1e8, order.end_1e8)
        elif kind in (_TRADE, _REPLACED, _REPLACE_REJECTED) and order.is_full(report):
            target = OrderState.FILLED
        if is_fill and order.filled_1e8 > max(order.qty_1e8, most_asked_1e8):
            anomaly = f"filled {order.filled_1e8} of {order.qty_1e8} (1e-8)"
        if isinstance(target, OrderState):  # a living order's is always
            order.state = target
        if target in TERMINAL:
            self._end(order)
        return anomaly

    def _end(self, order: Order) -> None:
        name = order.client_order_id
        self.finished[name] = self.orders.pop(name)
        if order.owed_1e8:
            self.owed[name] = order
        while len(self.finished) > FINISHED_KEPT + len(self.owed):
            name, order = self.finished.popitem(last=False)
            if name in self.owed:
                self.finished[name] = order

    def _after_its_end(self, order: Order, report: ExecReport, target: Target, *, is_fill: bool) -> str:
        """The state stays; executions that come late, or are only now told of, do not get lost."""
        kind, name = report.exec_type, order.client_order_id
        is_odd = isinstance(target, Anomaly)
        if kind in ENDS:
            order.end_1e8 = max(report.cum_qty_1e8, order.end_1e8)
        elif kind is _TRADE:
            is_odd = is_fill and (is_odd or 0 < order.end_1e8 < order.filled_1e8)
        elif kind is _REPLACED and order.state is OrderState.FILLED:
            is_odd = report.qty_1e8 > order.filled_1e8  # more is left of it than we thought
        if order.owed_1e8:
            self.owed[name] = order
        else:
            self.owed.pop(name, None)
        return f"{kind} in state {order.state}: {target}" if is_odd else ""

    def new_session(self) -> None:
        """00:00 UTC: every session PnL restarts."""
        for position in self.positions.values():
            position.new_session()
