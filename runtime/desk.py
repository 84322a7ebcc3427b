"""From a guest's action to a venue's order, and from a venue's report back to the guest.

Action → gate → OMS → venue; report → gate and OMS (each folds it for itself) → AlgoState → on_fill / on_reject. The
desk holds no market data and decides nothing: the gate decides, the OMS remembers. What the gate latches or halts is
carried out by `Sweeper` (`sweep.py`): cancels, and telling whose intents end.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from connectors.errors import GuestFault
from connectors.events import ExecReport, ExecType, Notice, RejectCode, Trade
from connectors.orders import Action, Approved, CancelOrder, NewOrder
from connectors.session import Output as SessionOutput
from connectors.session import Send
from connectors.units import I64_MAX
from oms.manager import Oms, Order
from risk.checks_order import QTY_MAX_1E8
from risk.denial import Denied
from risk.gate import Gate
from risk.states import ALL, TradingState
from risk.switchboard import GATEWAY
from runtime import abi
from runtime.abi import ActionKind
from runtime.inputs import ActionRecord, Aside, BookSeen, Output, Trace, Verdict
from runtime.instance import AlgoInstance
from runtime.intents import Intents
from runtime.port import OURS, Port
from runtime.sim.paper import PaperVenue
from runtime.sweep import Sweeper
from runtime.tap import Tap
from runtime.wirevenue import SessionVenue, WireVenue

_REFUSED: Final = frozenset({ExecType.REJECTED, ExecType.REPLACE_REJECTED, ExecType.CANCEL_REJECTED})
_NOTHING: Final = (0,) * 10
_NEW: Final = int(ActionKind.NEW)
_CANCEL: Final = int(ActionKind.CANCEL)
_AMEND: Final = int(ActionKind.AMEND)
_INTENT: Final = int(ActionKind.INTENT)
BOOK_SEEN: Final = 5  # levels a side that a denial keeps
Venue = PaperVenue | WireVenue | SessionVenue
Carry = Callable[[str, Sequence[SessionOutput], int], None]


def _batch_max(port: Port) -> int:
    """How many new orders go in one message; 0: each in its own. A batch is one message that is late, lost or refused
    as a whole: only where somebody asked for it."""
    is_wanted = port.orders is not None and port.spec.options.get("batch") == "true"
    return port.spec.venue.capabilities.batch_max if is_wanted else 0


class Desk:
    """Orders of one account. `papers[market]` takes that market's orders: the paper venue, or the real one's session,
    whose outputs `carry` carries out as it does all of that venue's. `out`, `trace` and `asides` belong to the turn.
    `tap` compares paper bytes with approvals, as the door does with those that leave.
    """

    def __init__(
        self, gate: Gate, oms: Oms, ports: Sequence[Port], algos: list[AlgoInstance], tag: str, out: list[Output],
        trace: Trace, asides: list[Aside], tap: Tap, carry: Carry,
    ) -> None:  # fmt: skip
        self.gate = gate
        self.oms = oms
        self.papers: list[Venue] = [port.paper for port in ports for _ in port.indices]
        self.venue_of: dict[str, Venue] = {port.name: port.paper for port in ports}
        self.sweeping = [port.name for port in ports if port.spec.venue.capabilities.cancel_all]
        self._batch: list[Approved[NewOrder]] = []  # approved, and not written yet
        self._batch_max = [_batch_max(port) for port in ports for _ in port.indices]
        self.wired = {port.name for port in ports if not port.is_paper}
        self._carry = carry
        self.tap = tap
        self.algos = algos
        self.actions = 0
        self.approved = 0
        self.denied: Counter[str] = Counter()
        self.marks = [0] * len(self.papers)  # bid + ask of each market's last valid book; 0 before the first
        self.intents = Intents(self)
        self.faulted: list[AlgoInstance] = []  # since the engine last looked, for their restart
        self._tag = tag
        self.out = out
        self._trace = trace
        self._asides = asides
        self.sweep = Sweeper(self)

    # --- actions ---------------------------------------------------------------------------------------------------

    def act(self, algo: AlgoInstance, actions: list[Action], now_ns: int) -> None:
        """Carries out one callback's actions in order; an all-zero action is a no-op (ABI)."""
        for action in actions:
            if action != _NOTHING and algo.is_alive:
                self._act(algo, action, now_ns)
        self.post(now_ns)
        if self.gate.happened:
            self.sweep.heed(now_ns)

    def post(self, now_ns: int) -> None:
        """New orders of one callback that wait for each other, each market's in one message; before any cancel."""
        if not self._batch:
            return
        batch, self._batch = self._batch, []
        while batch:
            market = batch[0].order.instrument
            most = self._batch_max[market]
            together = [one for one in batch if one.order.instrument == market][:most]
            batch = [one for one in batch if one not in together]
            venue = self.papers[market]
            if len(together) > 1 and isinstance(venue, SessionVenue):
                outputs = venue.submit_many(together, now_ns)
            else:
                outputs = venue.submit(together[0], now_ns)
            where, approvals = self.gate.markets[market].venue, [one.approval for one in together]
            self.leave(where, outputs, now_ns, ("new", together[0].order.client_order_id), approvals)

    def _act(self, algo: AlgoInstance, action: Action, now_ns: int) -> None:
        kind = action[4]
        if kind == _NEW:
            self.new(algo, action, action, "algo", now_ns)
            return
        if kind == _INTENT:
            self.intents.start(algo, action, now_ns)
            return
        self.actions = n = self.actions + 1
        name = self.name(n)
        if kind == _CANCEL:
            if self.intents.open and self.intents.end_waiting(algo.index, action[0]):
                self._trace.append(ActionRecord(n, algo.index, "algo", action, 0, "", None))
                return
            cancel = self.gate.check_cancel(algo.index, name, action[0], now_ns)
            self.record(algo, action, cancel, now_ns)
            if isinstance(cancel, Approved):
                self.intents.forget(algo.index, action[0])
                self.cancel(cancel, now_ns)
        elif kind == _AMEND:
            amend = self.gate.check_amend(algo.index, name, action[0], action[1], action[2], now_ns)
            self.record(algo, action, amend, now_ns)
            if isinstance(amend, Approved):
                self.post(now_ns)
                self.oms.amend(amend)
                market = amend.order.instrument
                outputs, order = self.papers[market].amend(amend, now_ns), amend.order.client_order_id
                self.leave(self.gate.markets[market].venue, outputs, now_ns, ("amend", order), [amend.approval])
        else:
            self.record(algo, action, self.gate.check_kind(algo.index, kind, now_ns), now_ns)

    def new(self, algo: AlgoInstance, order: Action, asked: Action, by: str, now_ns: int) -> bool:
        """Asks the gate for `order` and sends it; `asked` is what the guest wrote. False when it was denied."""
        self.actions = n = self.actions + 1
        name = self.name(n)
        new = self.gate.check_new(algo.index, name, order, now_ns)
        if type(new) is not Approved:
            self.record(algo, asked, new, now_ns, by)
            return False
        self.approved += 1
        self._trace.append(ActionRecord(n, algo.index, by, asked, new.approval, name, None))
        market = new.order.instrument
        algo.views[algo.symbol_of[market]].state.add(self.oms.submit(new))
        if self._batch_max[market]:
            self._batch.append(new)
            if by != "algo":
                self.post(now_ns)
            return True
        outputs = self.papers[market].submit(new, now_ns)
        self.leave(self.gate.markets[market].venue, outputs, now_ns, ("new", name), [new.approval])
        return True

    def name(self, number: int) -> str:
        """The client order id of an action."""
        return f"{self._tag}-{number}"

    def next_name(self) -> str:
        """The client order id of the next action."""
        return self.name(self.actions + 1)

    def refuse(self, algo: AlgoInstance, action: Action, denied: Denied, now_ns: int) -> None:
        self.actions += 1
        self.record(algo, action, denied, now_ns)

    def record(self, algo: AlgoInstance, action: Action, verdict: Verdict, now_ns: int, by: str = "algo") -> None:
        """Every action and its verdict becomes an output of the turn; a denial reaches the guest at once."""
        if isinstance(verdict, Denied):
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, 0, "", verdict))
            self.denied[verdict.reason] += 1
            if self.gate.judged >= 0:
                self._asides.append(self._seen(algo.index, action))
            symbol_idx = action[8] if action[8] < len(algo.views) else 0
            self.rejected(algo, action[0], verdict.code, symbol_idx, now_ns)
        else:
            name = verdict.order.client_order_id
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, verdict.approval, name, None))
            self.approved += 1

    def _seen(self, algo: int, action: Action) -> BookSeen:
        """The book by which the gate has just refused this, as it is now."""
        market = self.gate.judged
        book, exposure = self.gate.markets[market].book, self.gate.account.exposures[market]
        live = self.gate.find(algo, action[0]) if action[4] == _AMEND else None
        side = action[3] if live is None else live.side
        least = max(-exposure.side_worst_1e8(side, 0), 0) if side in (1, -1) else 0
        counted = 0 if live is None else live.filled_1e8 + live.leaves_1e8
        bids, asks = tuple(book.bids[:BOOK_SEEN]), tuple(book.asks[:BOOK_SEEN])
        return BookSeen(self.actions, market, bids, asks, book.valid, least + counted if least else 0)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> None:
        """Sends an approved cancel."""
        self.post(now_ns)
        order = self.oms.cancel(approved)
        if order is not None:
            self.algos[order.algo].view_of(order.instrument).state.update(order)
        market = approved.order.instrument
        outputs = self.papers[market].cancel(approved, now_ns)
        self.leave(self.gate.markets[market].venue, outputs, now_ns, approvals=[approved.approval])

    def cancelling(self, client_order_id: str, now_ns: int) -> None:
        """A cancel-all is on its way to this order's venue."""
        order = self.oms.cancelling(client_order_id, now_ns)
        if order is not None:
            self.algos[order.algo].view_of(order.instrument).state.update(order)

    def fault(self, algo: AlgoInstance, fault: GuestFault, callback: str, now_ns: int) -> None:
        """A guest broke its contract: it is out, its orders go, nothing else notices."""
        self.out.append(Notice("error", algo.disable(fault, callback)))
        self.faulted.append(algo)
        self.sweep.algo(algo, now_ns)

    # --- what leaves -----------------------------------------------------------------------------------------------

    def leave(
        self, venue: str, outputs: Sequence[SessionOutput], now_ns: int, asked: tuple[str, str] = ("", ""),
        approvals: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """The bytes of an approved order, and on paper what the venue answers to them. `asked`: new or amend, of which;
        `approvals`: those whose bytes must be among them, or will never be.

        On paper this is the point of exit: bytes that are not what was approved reach nobody, and everything halts.
        """
        if venue in self.wired:
            self._carry(venue, outputs, now_ns)
            written = {number for one in outputs if type(one) is Send for number in (one.approval, *one.more)}
            for number in approvals:
                if number not in written:
                    self.tap.dropped(number)
            outputs = ()
        for output in outputs:
            if type(output) is Send:
                if problem := self.tap.leaving(venue, output.data, output.approval):
                    self.breach(problem, now_ns)
                    self.unsent(*asked, "its bytes were not what was approved", now_ns)
                    return
                self._trace.append(output.data)
            elif isinstance(output, ExecReport):
                self._report(output, now_ns)
        if self.gate.happened:
            self.sweep.heed(now_ns)

    def breach(self, problem: str, now_ns: int) -> None:
        """What was about to leave is not what was approved: nothing more is trusted."""
        self.out.append(Notice("error", f"point of exit: {problem}"))
        self.gate.tighten(ALL, TradingState.HALTED, "point of exit", GATEWAY, now_ns)
        self.sweep.heed(now_ns)

    def unsent(self, what: str, client_order_id: str, why: str, now_ns: int) -> None:
        """A new order's or an amend's bytes never left: that is over, and certain."""
        order = self.oms.orders.get(client_order_id)
        if order is not None:
            kind = ExecType.REJECTED if what == "new" else ExecType.REPLACE_REJECTED
            text = f"never sent: {why}"
            self._report(
                ExecReport(
                    client_order_id=client_order_id,
                    exec_type=kind,
                    instrument=order.instrument,
                    reject_code=RejectCode.RISK,
                    text=text,
                    ts_venue_ns=now_ns,
                ),
                now_ns,
            )

    # --- reports ---------------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade, now_ns: int) -> None:
        self.reports(self.papers[trade.instrument].on_trade(trade, now_ns), now_ns)

    def on_book(self, instrument: int, now_ns: int) -> None:
        """The paper venue looks at a valid book; resting orders may fill."""
        self.reports(self.papers[instrument].on_book(instrument, now_ns), now_ns)

    def reports(self, reports: list[ExecReport], now_ns: int) -> None:
        """Folds a venue's reports in order; only then does a passed limit cancel what is still open."""
        for report in reports:
            self._report(report, now_ns)
        if self.gate.happened:
            self.sweep.heed(now_ns)

    def _report(self, report: ExecReport, now_ns: int) -> None:
        """Folds one report everywhere, then tells the guest. One that cannot be is folded nowhere, and its market
        latched.

        What happened there is not known then: nothing passes until a person has looked.
        """
        if problem := self._unsound(report):
            self.out.append(Notice("error", f"report on {report.client_order_id!r:.40} is not believed: {problem}"))
            self.gate.distrust(report.instrument)
            return
        self._trace.append(report)
        if self.gate.fold(report, now_ns):
            self.sweep.show_limits()  # before the guest hears of the fill that did it
        applied = self.oms.apply(report, now_ns)
        if applied is None:
            self.out.append(Notice("error", f"report about an order that is not known: {report.client_order_id}"))
            if report.client_order_id.startswith(OURS) and report.exec_type is ExecType.TRADE:
                self.gate.distrust(report.instrument)  # ours, of a session before: our position is not the venue's
            return
        order = applied.order
        if applied.anomaly:
            self.out.append(Notice("error", f"order {order.client_order_id}: {applied.anomaly}"))
        algo = self.algos[order.algo]
        view = algo.view_of(order.instrument)
        if view.state.update(order):
            algo.deployment.unseen += 1
        if applied.fill:
            self._filled(algo, order, report, now_ns)
        elif report.exec_type is ExecType.CANCEL_REJECTED and report.client_order_id in self.sweep.ours:
            if self.gate.markets[order.instrument].venue not in self.wired:
                self.sweep.ours.discard(report.client_order_id)  # the guest did not ask for it
        elif report.exec_type in _REFUSED:
            self.rejected(algo, order.order_id, report.reject_code, view.symbol_id, now_ns)
        if order.is_finished:
            self.sweep.over(report.client_order_id)
            venue = self.papers[order.instrument]
            if isinstance(venue, SessionVenue):
                venue.over(report.client_order_id)
        if self.intents.open:
            self.intents.follow(order, report)

    def _unsound(self, report: ExecReport) -> str:
        """Why this cannot have happened; or nothing."""
        sizes = report.last_qty_1e8, report.cum_qty_1e8, report.leaves_qty_1e8, report.qty_1e8
        if not all(0 <= size <= QTY_MAX_1E8 for size in sizes):
            return "a quantity is negative or beyond all bounds"
        if not all(0 <= px <= I64_MAX for px in (report.last_px_1e9, report.px_1e9)) or abs(report.fee_1e9) > I64_MAX:
            return "a price or fee is negative or beyond all bounds"
        live = self.gate.account.live.get(report.client_order_id)
        is_execution = report.exec_type is ExecType.TRADE
        if is_execution and live is not None and live.instrument != report.instrument:
            return f"it is of another market than {self.gate.markets[live.instrument].name}"
        if is_execution and report.last_qty_1e8 and not report.exec_id:
            return "an execution without an id"
        return ""

    def _filled(self, algo: AlgoInstance, order: Order, report: ExecReport, now_ns: int) -> None:
        view = algo.view_of(order.instrument)
        position = self.oms.position(order.algo, order.instrument)
        position.mid_sum_1e9 = self.marks[order.instrument]
        if view.position is not None:
            position = view.position
            position.mid_sum_1e9 = self.marks[view.own]
            position.fill(order.side, report.last_qty_1e8, report.last_px_1e9, report.fee_1e9)
        view.state.position(position)
        if not algo.is_alive:
            return
        fill = abi.FILL.pack(
            order.order_id, report.last_px_1e9, report.last_qty_1e8, now_ns, order.side, view.symbol_id
        )
        try:
            algo.on_fill(fill, view)
        except GuestFault as fault:
            self.fault(algo, fault, "on_fill", now_ns)

    def rejected(self, algo: AlgoInstance, order_id: int, code: RejectCode, symbol_id: int, now_ns: int) -> None:
        if not algo.is_alive:
            return
        try:
            algo.on_reject(abi.REJECT.pack(order_id, code, symbol_id))
        except GuestFault as fault:
            self.fault(algo, fault, "on_reject", now_ns)
