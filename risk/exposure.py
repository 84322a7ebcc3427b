"""What the gate believes is at risk, folded from its own approvals and the execution reports alone.

The OMS keeps its own account of the same orders; neither asks the other, so a mistake in one cannot blind the other.
An approved order counts in full from the moment of approval until a terminal report; an amend counts the larger of
old and new until it is answered, several in flight the largest of them all until the last is.

Money is exact: cost and realised PnL are integers of 1e-17 (price 1e-9 × size 1e-8). A partial close takes
floor(cost·closed/position) out of the cost; what the floor leaves stays in the cost, so nothing is lost.
"""

from collections import OrderedDict

from connectors.events import ExecReport, ExecType
from connectors.orders import AmendOrder, NewOrder, OfOrder, OrderType
from connectors.units import SIZE_ONE
from risk.ledger import Ledger, Stock

FINISHED_KEPT = 1024
ANSWERS = frozenset({ExecType.REPLACED, ExecType.REPLACE_REJECTED})
TERMINAL = frozenset({ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED})
ANY_PRICE = 2**63  # what a market order may trade at, at worst
_MARKET = int(OrderType.MARKET)


class LiveOrder(OfOrder, gc=False, eq=False):
    """One approved order that is not known to be finished. `leaves_1e8` is what it may still trade, worst case.

    `qty_1e8` is the total the venue last confirmed, `most_1e8` the largest that unanswered amends may make it: `asked`
    are those (price, total), of which `refused` were refused, though nobody knows which.
    `far_px_1e9`: the price furthest towards the other side that it may have, by the same rule.
    """

    px_1e9: int
    qty_1e8: int
    most_1e8: int
    leaves_1e8: int
    far_px_1e9: int
    filled_1e8: int = 0
    asked: tuple[tuple[int, int], ...] = ()
    refused: int = 0
    is_over: bool = False  # it has ended; counted alone for executions that are still to be told
    end_1e8: int = 0  # its last total by the venue's own word: a fill that left nothing; 0: not told
    exec_ids: set[str] | None = None  # made with the first execution
    told_1e8: int = 0  # its total when its furthest execution happened
    furthest_1e8: int = 0  # which that is: the highest cumulated quantity that an execution told

    def is_shrunk_by(self, px_1e9: int, qty_1e8: int) -> bool:
        """Whether an amend to this price and total can only make the order smaller."""
        return px_1e9 == self.px_1e9 and qty_1e8 < self.qty_1e8 and not self.asked

    def is_repeat(self, exec_id: str) -> bool:
        """Whether this execution was folded already; remembers it if not."""
        if self.exec_ids is None:
            self.exec_ids = {exec_id}
            return False
        if exec_id in self.exec_ids:
            return True
        self.exec_ids.add(exec_id)
        return False


class Mark:
    """One market's last valid book: bid + ask, 0 before the first, and when it was."""

    __slots__ = ("mid_sum_1e9", "ns")

    def __init__(self) -> None:
        self.mid_sum_1e9 = 0
        self.ns = -1


class Exposure:
    """One market, of the account or of one algo: position, worst case of open orders, cost, PnL.

    `stocks` and `ledgers` are the sums it is part of; `settle` tells them of every change, of the market's `mark` too.
    `worst_1e8`: the longer side of the two, with everything open there filled.
    """

    __slots__ = (
        "cost_1e17", "day_1e17", "is_day_open", "is_unmarked", "is_unvalued", "ledgers", "mark", "open_buy_1e8",
        "open_sell_1e8", "position_1e8", "realized_1e17", "stocks", "total_1e17", "value_2e17", "worst_1e8",
    )  # fmt: skip

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.position_1e8 = 0
        self.open_buy_1e8 = 0
        self.open_sell_1e8 = 0
        self.cost_1e17 = 0  # ≥ 0, of the open position
        self.realized_1e17 = 0  # net of fees
        self.worst_1e8 = 0
        self.value_2e17 = 0  # worst × mid, as the ledgers have it
        self.total_1e17 = 0  # PnL, as the ledgers have it
        self.day_1e17 = 0  # what it was at 00:00 UTC
        self.is_day_open = False  # 00:00 UTC passed while it was not known: the first mark says
        self.is_unmarked = False  # a position without a mark: its PnL is not known
        self.is_unvalued = False  # a position or an open order without one: its worth is not known
        self.stocks: tuple[Stock, ...] = ()
        self.ledgers: tuple[Ledger, ...] = ()

    def trade(self, side: int, qty_1e8: int, px_1e9: int, fee_1e9: int) -> None:
        """Folds one execution; `settle` must follow."""
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

    def pnl_1e17(self) -> int:
        """Realised and unrealised PnL, marked at the mid of the last valid book; realised alone before the first."""
        position, mid_sum = self.position_1e8, self.mark.mid_sum_1e9
        if not position or not mid_sum:
            return self.realized_1e17
        if position > 0:
            return self.realized_1e17 + (position * mid_sum - 2 * self.cost_1e17) // 2
        return self.realized_1e17 + (position * mid_sum + 2 * self.cost_1e17) // 2

    def reserve(self, side: int, qty_1e8: int) -> None:
        """Counts (or, negative, releases) open quantity; `settle` must follow."""
        if side > 0:
            self.open_buy_1e8 += qty_1e8
        else:
            self.open_sell_1e8 += qty_1e8

    def settle(self) -> None:
        """Tells the sums what changed."""
        position, mid_sum = self.position_1e8, self.mark.mid_sum_1e9
        long, short = position + self.open_buy_1e8, self.open_sell_1e8 - position
        worst = max(long, short, 0)
        if worst != self.worst_1e8:
            for stock in self.stocks:
                stock.total_1e8 += worst - self.worst_1e8
            self.worst_1e8 = worst
        value, total = worst * mid_sum, self.pnl_1e17()
        is_unmarked, is_unvalued = position != 0 and not mid_sum, worst != 0 and not mid_sum
        for ledger in self.ledgers:
            ledger.capital_2e17 += value - self.value_2e17
            ledger.total_1e17 += total - self.total_1e17
            ledger.unmarked += is_unmarked - self.is_unmarked
            ledger.unvalued += is_unvalued - self.is_unvalued
        self.value_2e17, self.total_1e17 = value, total
        self.is_unmarked, self.is_unvalued = is_unmarked, is_unvalued
        if self.is_day_open and not is_unmarked:
            self.day_1e17, self.is_day_open = total, False

    def new_day(self) -> None:
        """00:00 UTC."""
        self.day_1e17, self.is_day_open = self.total_1e17, self.is_unmarked

    def side_worst_1e8(self, side: int, more_1e8: int) -> int:
        """The largest position on `side` if everything open there, and `more_1e8`, were filled; ≥ 0 means that side."""
        if side > 0:
            return self.position_1e8 + self.open_buy_1e8 + more_1e8
        return -self.position_1e8 + self.open_sell_1e8 + more_1e8


class Account:
    """All exposures and live orders of one account.

    `exposures[market]` is the account's, `owns[algo][market]` an algo's. `sides[side][market]`: far prices of what is
    open there, by client order id, for side 1 (buys) and -1 (sells). `held`: markets with a position.
    """

    __slots__ = ("exposures", "finished", "held", "live", "marks", "open_counts", "open_ids",
                 "owns", "sides")  # fmt: skip

    def __init__(self, markets: int, algos: int = 1) -> None:
        self.marks = [Mark() for _ in range(markets)]
        self.exposures = [Exposure(mark) for mark in self.marks]
        self.owns = [[Exposure(mark) for mark in self.marks] for _ in range(algos)]
        self.live: dict[str, LiveOrder] = {}
        self.finished: OrderedDict[str, LiveOrder] = OrderedDict()  # a fill may still come after a cancel's ack
        self.open_ids: dict[tuple[int, int], str] = {}  # (algo, order_id) → client_order_id
        self.open_counts: dict[int, int] = {}
        self.sides: dict[int, list[dict[str, int]]] = {side: [{} for _ in range(markets)] for side in (1, -1)}
        self.held: dict[int, Exposure] = {}

    def approved_new(self, order: NewOrder) -> LiveOrder:
        qty_1e8, side = order.qty_1e8, order.side
        far_px_1e9 = order.px_1e9
        if order.order_type == _MARKET:
            far_px_1e9 = ANY_PRICE if side > 0 else 0
        live = LiveOrder(order, order.px_1e9, qty_1e8, qty_1e8, qty_1e8, far_px_1e9)
        self.add(live)
        return live

    def add(self, live: LiveOrder) -> None:
        """An order that is open from now on."""
        algo, name, market = live.algo, live.client_order_id, live.instrument
        self.live[name] = live
        if not live.is_over:
            self.open_ids[algo, live.order_id] = name
            self.open_counts[algo] = self.open_counts.get(algo, 0) + 1
            self.sides[live.side][market][name] = live.far_px_1e9
        self._reserve(live, live.leaves_1e8)

    def approved_amend(self, order: AmendOrder) -> LiveOrder:
        live = self.live[order.client_order_id]
        live.asked = (*live.asked, (order.px_1e9, order.qty_1e8))
        live.most_1e8 = max(live.most_1e8, order.qty_1e8)
        further = max if live.side > 0 else min
        self._reach(live, further(live.far_px_1e9, order.px_1e9))
        self._count(live, max(live.most_1e8 - live.filled_1e8, 0))
        return live

    def _reach(self, live: LiveOrder, far_px_1e9: int) -> None:
        """Which prices it may trade at from now on; a market order's are all, whatever it is amended to."""
        if live.order_type != _MARKET and not live.is_over:
            live.far_px_1e9 = far_px_1e9
            self.sides[live.side][live.instrument][live.client_order_id] = far_px_1e9

    def fold(self, report: ExecReport) -> tuple[LiveOrder | None, bool]:
        """Applies a report: the order it was about (None: not one of ours), and whether it was a new execution."""
        live = self.live.get(report.client_order_id)
        kind = report.exec_type
        if live is None:
            live = self.finished.get(report.client_order_id)
            if live is None:
                return None, False
            if kind in TERMINAL and report.cum_qty_1e8 > max(live.filled_1e8, live.end_1e8):
                self._reopen(live, report.cum_qty_1e8)
            if kind is not ExecType.TRADE or live.is_repeat(report.exec_id):
                return live, False
            self._trade(live, report)
            return live, True
        if kind is ExecType.TRADE:
            if live.is_repeat(report.exec_id):
                return live, False
            self._trade(live, report)
            self._count(live, max(live.most_1e8 - live.filled_1e8, 0))
            # ended by what we saw filled: the last fill may overtake another, an amend upwards its own answer
            if report.cum_qty_1e8 and not report.leaves_qty_1e8:
                live.end_1e8 = report.cum_qty_1e8
            if report.cum_qty_1e8 >= live.furthest_1e8:  # an earlier one's total may be that of before an amend
                live.furthest_1e8 = report.cum_qty_1e8
                live.told_1e8 = report.cum_qty_1e8 + report.leaves_qty_1e8
            is_told = live.end_1e8 or not live.asked or report.cum_qty_1e8 + report.leaves_qty_1e8
            if is_told and live.filled_1e8 >= (live.end_1e8 or max(live.qty_1e8, live.told_1e8)):
                self._finish(report.client_order_id, live)
            return live, True
        is_more = kind in TERMINAL and report.cum_qty_1e8 > max(live.filled_1e8, live.end_1e8 if live.is_over else 0)
        if live.is_over and not is_more:
            return live, False  # what it still counts for, only executions take away
        if kind is ExecType.REPLACED:
            if report.qty_1e8 > 0:  # without a total nothing is released
                live.px_1e9, live.qty_1e8 = report.px_1e9 or live.px_1e9, report.qty_1e8
                self._answered(live, (report.px_1e9, report.qty_1e8))
        elif kind is ExecType.REPLACE_REJECTED:
            self._answered(live, None)
        elif is_more:
            # it is over, and more was filled than we were told: that much stays counted until its executions come
            live.asked, live.refused = (), 0
            live.end_1e8 = live.most_1e8 = report.cum_qty_1e8
            self._count(live, live.end_1e8 - live.filled_1e8)
            self._over(live)
            return live, False
        # a smaller total may be told after the fills that reached it
        is_full = live.filled_1e8 >= max(live.qty_1e8, live.told_1e8)
        if kind in TERMINAL or (kind in ANSWERS and not live.asked and is_full):
            self._finish(report.client_order_id, live)
        return live, False

    def _reopen(self, live: LiveOrder, end_1e8: int) -> None:
        """It had ended, and more was filled than was said then: that much counts until its executions come."""
        del self.finished[live.client_order_id]
        live.end_1e8 = live.most_1e8 = end_1e8
        live.leaves_1e8, live.is_over = end_1e8 - live.filled_1e8, True
        self.add(live)

    def _trade(self, live: LiveOrder, report: ExecReport) -> None:
        live.filled_1e8 += report.last_qty_1e8
        market = live.instrument
        for exposure in (self.exposures[market], self.owns[live.algo][market]):
            exposure.trade(live.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9)
            exposure.settle()
        self.note_held(market)

    def note_held(self, market: int) -> None:
        """Its position changed: is there one?"""
        if self.exposures[market].position_1e8:
            self.held[market] = self.exposures[market]
        else:
            self.held.pop(market, None)

    def _answered(self, live: LiveOrder, replaced: tuple[int, int] | None) -> None:
        """An amend took effect, or one was refused, of which nobody says which: the largest counts until all are.

        What none of ours asked for (told twice, or the venue's own making) answers none of them.
        """
        if replaced is None:
            live.refused += 1
        else:
            px_1e9, qty_1e8 = replaced
            at = next((n for n, one in enumerate(live.asked) if one[1] == qty_1e8 and px_1e9 in (0, one[0])), None)
            if at is not None:
                live.asked = live.asked[:at] + live.asked[at + 1 :]
        if live.refused >= len(live.asked):
            live.asked, live.refused, live.told_1e8 = (), 0, 0  # its total is what the answers say
        further = max if live.side > 0 else min
        live.most_1e8 = max(live.most_1e8, live.qty_1e8) if live.asked else live.qty_1e8
        self._reach(live, further(live.far_px_1e9, live.px_1e9) if live.asked else live.px_1e9)
        self._count(live, max(live.most_1e8 - live.filled_1e8, 0))

    def _count(self, live: LiveOrder, leaves_1e8: int) -> None:
        self._reserve(live, leaves_1e8 - live.leaves_1e8)
        live.leaves_1e8 = leaves_1e8

    def _reserve(self, live: LiveOrder, qty_1e8: int) -> None:
        if qty_1e8:
            market = live.instrument
            for exposure in (self.exposures[market], self.owns[live.algo][market]):
                exposure.reserve(live.side, qty_1e8)
                exposure.settle()

    def _over(self, live: LiveOrder) -> None:
        """Nothing more trades of it: its id is free, and nothing meets it. What it counts for is another matter."""
        if not live.is_over:
            live.is_over = True
            del self.sides[live.side][live.instrument][live.client_order_id]
            del self.open_ids[live.algo, live.order_id]
            self.open_counts[live.algo] -= 1

    def _finish(self, client_order_id: str, live: LiveOrder) -> None:
        self._count(live, 0)
        self._over(live)
        self.finished[client_order_id] = self.live.pop(client_order_id)
        if len(self.finished) > FINISHED_KEPT:
            self.finished.popitem(last=False)
