"""What the gate believes is at risk, folded from its own approvals and the execution reports alone.

The OMS keeps its own account of the same orders; neither asks the other, so a mistake in one cannot blind the other.
An approved order counts in full from the moment of approval until a terminal report; an amend counts the larger of
old and new until it is answered, several in flight the largest of them all until the last is.

Money is exact: cost and realised PnL are integers of 1e-17 (price 1e-9 × size 1e-8). A partial close takes
floor(cost·closed/position) out of the cost; what the floor leaves stays in the cost, so nothing is lost.
"""

from collections import OrderedDict

from connectors.events import ExecReport, ExecType
from connectors.orders import AmendOrder, NewOrder, OfOrder
from connectors.units import SIZE_ONE

FINISHED_KEPT = 1024
TERMINAL = frozenset({ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED})


class LiveOrder(OfOrder, gc=False, eq=False):
    """One approved order that is not known to be finished. `leaves_1e8` is what it may still trade, worst case.

    `qty_1e8` is the total the venue last confirmed, `most_1e8` the largest that `amends` unanswered ones may make it.
    """

    px_1e9: int
    qty_1e8: int
    most_1e8: int
    leaves_1e8: int
    filled_1e8: int = 0
    amends: int = 0
    exec_ids: set[str] | None = None  # made with the first execution

    def is_shrunk_by(self, px_1e9: int, qty_1e8: int) -> bool:
        """Whether an amend to this price and total can only make the order smaller."""
        return px_1e9 == self.px_1e9 and qty_1e8 < self.qty_1e8 and not self.amends

    def is_repeat(self, exec_id: str) -> bool:
        """Whether this execution was folded already; remembers it if not."""
        if self.exec_ids is None:
            self.exec_ids = {exec_id}
            return False
        if exec_id in self.exec_ids:
            return True
        self.exec_ids.add(exec_id)
        return False


class Exposure:
    """One instrument: position, worst case of open orders, cost, PnL."""

    __slots__ = ("cost_1e17", "day", "day_start_1e17", "mid_sum_1e9", "open_buy_1e8", "open_sell_1e8", "position_1e8",
                 "realized_1e17")  # fmt: skip

    def __init__(self) -> None:
        self.position_1e8 = 0
        self.open_buy_1e8 = 0
        self.open_sell_1e8 = 0
        self.cost_1e17 = 0  # ≥ 0, of the open position
        self.realized_1e17 = 0  # net of fees
        self.mid_sum_1e9 = 0  # bid + ask of the last valid book; 0 before the first
        self.day_start_1e17 = 0

    def trade(self, side: int, qty_1e8: int, px_1e9: int, fee_1e9: int) -> None:
        """Folds one execution."""
        position = self.position_1e8
        self.realized_1e17 -= fee_1e9 * SIZE_ONE
        if position * side >= 0:
            self.cost_1e17 += qty_1e8 * px_1e9
        else:
            closed = min(qty_1e8, abs(position))
            out = self.cost_1e17 * closed // abs(position)
            self.realized_1e17 += (closed * px_1e9 - out) * -side
            self.cost_1e17 -= out
            if qty_1e8 > closed:
                self.cost_1e17 = (qty_1e8 - closed) * px_1e9
        self.position_1e8 = position + side * qty_1e8

    def total_1e17(self) -> int:
        """Realised and unrealised PnL, marked at the mid of the last valid book; unmarked before the first."""
        position = self.position_1e8
        if not position or not self.mid_sum_1e9:
            return self.realized_1e17
        if position > 0:
            return self.realized_1e17 + (position * self.mid_sum_1e9 - 2 * self.cost_1e17) // 2
        return self.realized_1e17 + (position * self.mid_sum_1e9 + 2 * self.cost_1e17) // 2

    def session_1e17(self) -> int:
        """PnL since 00:00 UTC."""
        return self.total_1e17() - self.day_start_1e17

    def reserve(self, side: int, qty_1e8: int) -> None:
        """Counts (or, negative, releases) open quantity."""
        if side > 0:
            self.open_buy_1e8 += qty_1e8
        else:
            self.open_sell_1e8 += qty_1e8

    def worst_1e8(self, side: int, more_1e8: int) -> int:
        """The largest position on `side` if everything open there, and `more_1e8`, were filled; ≥ 0 means that side."""
        if side > 0:
            return self.position_1e8 + self.open_buy_1e8 + more_1e8
        return -self.position_1e8 + self.open_sell_1e8 + more_1e8

    def only_reduces(self, side: int, qty_1e8: int) -> bool:
        """True when an order of this size, on top of all open ones on its side, cannot pass through zero."""
        if side > 0:
            return self.position_1e8 < 0 and self.open_buy_1e8 + qty_1e8 <= -self.position_1e8
        return self.position_1e8 > 0 and self.open_sell_1e8 + qty_1e8 <= self.position_1e8


class Account:
    """All exposures and live orders of one account."""

    __slots__ = ("exposures", "finished", "live", "open_counts", "open_ids")

    def __init__(self, instruments: int) -> None:
        self.exposures = [Exposure() for _ in range(instruments)]
        self.live: dict[str, LiveOrder] = {}
        self.finished: OrderedDict[str, LiveOrder] = OrderedDict()  # a fill may still come after a cancel's ack
        self.open_ids: dict[tuple[int, int], str] = {}  # (algo, order_id) → client_order_id
        self.open_counts: dict[int, int] = {}

    def approved_new(self, order: NewOrder) -> None:
        algo, name = order.algo, order.client_order_id
        qty_1e8 = order.qty_1e8
        self.live[name] = LiveOrder(order, order.px_1e9, qty_1e8, qty_1e8, qty_1e8)
        self.open_ids[algo, order.order_id] = name
        self.open_counts[algo] = self.open_counts.get(algo, 0) + 1
        exposure = self.exposures[order.instrument]
        if order.side > 0:
            exposure.open_buy_1e8 += qty_1e8
        else:
            exposure.open_sell_1e8 += qty_1e8

    def approved_amend(self, order: AmendOrder) -> None:
        live = self.live[order.client_order_id]
        live.amends += 1
        live.most_1e8 = max(live.most_1e8, order.qty_1e8)
        self._count(live, max(live.most_1e8 - live.filled_1e8, 0))

    def fold(self, report: ExecReport) -> LiveOrder | None:
        """Applies a report; returns the order it was about, None when it is not one of ours."""
        live = self.live.get(report.client_order_id)
        kind = report.exec_type
        if live is None:
            live = self.finished.get(report.client_order_id)
            if live is None or kind is not ExecType.TRADE or live.is_repeat(report.exec_id):
                return live
            self.exposures[live.instrument].trade(live.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9)
            return live
        if kind is ExecType.TRADE:
            if live.is_repeat(report.exec_id):
                return live
            live.filled_1e8 += report.last_qty_1e8
            self.exposures[live.instrument].trade(live.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9)
            self._count(live, max(live.most_1e8 - live.filled_1e8, 0))
            # ended by what we saw filled: the last fill may overtake another, an amend upwards its own answer
            if live.filled_1e8 >= max(live.qty_1e8, report.cum_qty_1e8 + report.leaves_qty_1e8):
                self._finish(report.client_order_id, live)
        elif kind is ExecType.REPLACED:
            if report.qty_1e8 > 0:  # without a total nothing is released
                live.px_1e9, live.qty_1e8 = report.px_1e9 or live.px_1e9, report.qty_1e8
                self._answered(live)
        elif kind is ExecType.REPLACE_REJECTED:
            self._answered(live)
        elif kind in TERMINAL:
            self._finish(report.client_order_id, live)
        return live

    def _answered(self, live: LiveOrder) -> None:
        """One amend was answered; reports do not say which, so the largest counts until all are."""
        live.amends = max(live.amends - 1, 0)
        live.most_1e8 = max(live.most_1e8, live.qty_1e8) if live.amends else live.qty_1e8
        self._count(live, max(live.most_1e8 - live.filled_1e8, 0))

    def _count(self, live: LiveOrder, leaves_1e8: int) -> None:
        self.exposures[live.instrument].reserve(live.side, leaves_1e8 - live.leaves_1e8)
        live.leaves_1e8 = leaves_1e8

    def _finish(self, client_order_id: str, live: LiveOrder) -> None:
        self._count(live, 0)
        self.finished[client_order_id] = self.live.pop(client_order_id)
        if len(self.finished) > FINISHED_KEPT:
            self.finished.popitem(last=False)
        del self.open_ids[live.algo, live.order_id]
        self.open_counts[live.algo] -= 1
