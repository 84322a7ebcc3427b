"""From a guest's action to a venue's order, and from a venue's report back to the guest.

Action → gate → OMS → venue; report → gate and OMS (each folds it for itself) → AlgoState → on_fill / on_reject. The
desk holds no market data and decides nothing: the gate decides, the OMS remembers.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from connectors.errors import GuestFault
from connectors.events import ExecReport, ExecType, Notice, RejectCode, Trade
from connectors.orders import Action, Approved, CancelOrder
from connectors.session import Send
from oms.manager import Oms, Order
from risk.checks import TradingState
from risk.denial import Denied
from risk.exposure import LiveOrder
from risk.gate import Gate
from runtime import abi
from runtime.abi import ActionKind
from runtime.inputs import ActionRecord, Output, Trace, Verdict
from runtime.instance import AlgoInstance
from runtime.intents import Intents
from runtime.sim.paper import PaperOutput, PaperVenue

_REFUSED: Final = frozenset({ExecType.REJECTED, ExecType.REPLACE_REJECTED, ExecType.CANCEL_REJECTED})
_NOTHING: Final = (0,) * 10
_NEW: Final = int(ActionKind.NEW)
_CANCEL: Final = int(ActionKind.CANCEL)
_AMEND: Final = int(ActionKind.AMEND)
_INTENT: Final = int(ActionKind.INTENT)
_OURS: Final = (0, 0, 0, 0, int(ActionKind.CANCEL), 0, 0, 0, 0, 0)


class Desk:
    """Orders of one account. `papers[market]` takes that market's orders; `out` and `trace` belong to the turn."""

    def __init__(
        self, gate: Gate, oms: Oms, papers: list[PaperVenue], algos: list[AlgoInstance], tag: str,
        out: list[Output], trace: Trace,
    ) -> None:  # fmt: skip
        self.gate = gate
        self.oms = oms
        self.papers = papers
        self.algos = algos
        self.actions = 0
        self.approved = 0
        self.denied: Counter[str] = Counter()
        self.marks = [0] * len(papers)  # bid + ask of each market's last valid book; 0 before the first
        self.intents = Intents(self)
        self.faulted: list[AlgoInstance] = []  # since the engine last looked, for their restart
        self._tag = tag
        self._is_latching = False
        self._our_cancels: set[str] = set()  # client order ids that we, not the guest, are cancelling
        self.out = out
        self._trace = trace

    # --- actions ---------------------------------------------------------------------------------------------------

    def act(self, algo: AlgoInstance, actions: list[Action], now_ns: int) -> None:
        """Carries out one callback's actions in order; an all-zero action is a no-op (ABI)."""
        for action in actions:
            if action != _NOTHING and algo.is_alive:
                self._act(algo, action, now_ns)

    def _act(self, algo: AlgoInstance, action: Action, now_ns: int) -> None:
        kind = action[4]
        if kind == _NEW:
            self.new(algo, action, action, "algo", now_ns)
            return
        if kind == _INTENT:
            self.intents.start(algo, action, now_ns)
            return
        self.actions = n = self.actions + 1
        name = f"{self._tag}-{n}"
        if kind == _CANCEL:
            if self.intents.open and self.intents.end_waiting(algo.index, action[0]):
                self._trace.append(ActionRecord(n, algo.index, "algo", action, 0, "", None))
                return
            cancel = self.gate.check_cancel(algo.index, name, action[0], now_ns)
            self._record(algo, action, cancel, now_ns)
            if isinstance(cancel, Approved):
                self.intents.forget(algo.index, action[0])
                self._cancel(cancel, now_ns)
        elif kind == _AMEND:
            amend = self.gate.check_amend(algo.index, name, action[0], action[1], action[2], now_ns)
            self._record(algo, action, amend, now_ns)
            if isinstance(amend, Approved):
                self.oms.amend(amend)
                self._sent(self.papers[amend.order.instrument].amend(amend, now_ns), now_ns)
        else:
            self._record(algo, action, self.gate.check_kind(kind), now_ns)

    def new(self, algo: AlgoInstance, order: Action, asked: Action, by: str, now_ns: int) -> bool:
        """Asks the gate for `order` and sends it; `asked` is what the guest wrote. False when it was denied."""
        self.actions = n = self.actions + 1
        name = f"{self._tag}-{n}"
        new = self.gate.check_new(algo.index, name, order, now_ns)
        if type(new) is not Approved:
            self._record(algo, asked, new, now_ns, by)
            return False
        self.approved += 1
        self._trace.append(ActionRecord(n, algo.index, by, asked, new.approval, name, None))
        market = new.order.instrument
        algo.views[algo.symbol_of[market]].state.add(self.oms.submit(new))
        self._sent(self.papers[market].submit(new, now_ns), now_ns)
        return True

    def next_name(self) -> str:
        """The client order id of the next action."""
        return f"{self._tag}-{self.actions + 1}"

    def refuse(self, algo: AlgoInstance, action: Action, denied: Denied, now_ns: int) -> None:
        self.actions += 1
        self._record(algo, action, denied, now_ns)

    def _record(self, algo: AlgoInstance, action: Action, verdict: Verdict, now_ns: int, by: str = "algo") -> None:
        """Every action and its verdict becomes an output of the turn; a denial reaches the guest at once."""
        if isinstance(verdict, Denied):
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, 0, "", verdict))
            self.denied[verdict.reason] += 1
            symbol_idx = action[8] if action[8] < len(algo.views) else 0
            self.rejected(algo, action[0], verdict.code, symbol_idx, now_ns)
        else:
            name = verdict.order.client_order_id
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, verdict.approval, name, None))
            self.approved += 1

    def _cancel(self, approved: Approved[CancelOrder], now_ns: int) -> None:
        order = self.oms.cancel(approved)
        if order is not None:
            self.algos[order.algo].view_of(order.instrument).state.update(order)
        self._sent(self.papers[approved.order.instrument].cancel(approved, now_ns), now_ns)

    # --- cancels of ours -------------------------------------------------------------------------------------------

    def cancel_all(self, wanted: Callable[[LiveOrder], bool], now_ns: int) -> int:
        """Cancels every live order that is wanted gone, whatever its rate; returns how many."""
        found = [live for live in self.gate.account.live.values() if wanted(live)]
        for live in found:
            self.actions += 1
            approved = self.gate.must_cancel(live, f"{self._tag}-{self.actions}", now_ns)
            self._record(self.algos[live.algo], (live.order_id, *_OURS[1:]), approved, now_ns, by="gateway")
            self._our_cancels.add(live.client_order_id)
            self._cancel(approved, now_ns)
        return len(found)

    def cancel_everything(self, code: RejectCode | None, now_ns: int) -> int:
        """Nothing stays open or waits to be asked again; returns how many orders were cancelled."""
        self.intents.drop(lambda _: True, code, now_ns)
        return self.cancel_all(lambda _: True, now_ns)

    def fault(self, algo: AlgoInstance, fault: GuestFault, callback: str, now_ns: int) -> None:
        """A guest broke its contract: it is out, its orders go, nothing else notices."""
        self.out.append(Notice("error", algo.disable(fault, callback)))
        self.faulted.append(algo)
        self.intents.drop(lambda intent: intent.algo == algo.index, None, now_ns)
        self.cancel_all(lambda live: live.algo == algo.index, now_ns)

    # --- reports ---------------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade, now_ns: int) -> None:
        self.reports(self.papers[trade.instrument].on_trade(trade, now_ns), now_ns)

    def on_book(self, instrument: int, now_ns: int) -> None:
        """The paper venue looks at a valid book; resting orders may fill."""
        self.reports(self.papers[instrument].on_book(instrument, now_ns), now_ns)

    def _sent(self, outputs: list[PaperOutput], now_ns: int) -> None:
        for output in outputs:
            if type(output) is Send:  # the bytes that the venue gets; the paper venue answers them itself
                self._trace.append(output.data)
            elif isinstance(output, ExecReport):
                self._report(output, now_ns)
        if self._is_latching:
            self._settle(now_ns)

    def reports(self, reports: list[ExecReport], now_ns: int) -> None:
        """Folds a venue's reports in order; only then does a passed loss limit cancel what is still open."""
        for report in reports:
            self._report(report, now_ns)
        if self._is_latching:
            self._settle(now_ns)

    def _settle(self, now_ns: int) -> None:
        self._is_latching = False
        self.loss_latched(now_ns)

    def _report(self, report: ExecReport, now_ns: int) -> None:
        """Folds one report everywhere, then tells the guest."""
        self._trace.append(report)
        if self.gate.fold(report):
            self._is_latching = True
            self.show_limits()  # before the guest hears of the fill that did it
        applied = self.oms.apply(report)
        if applied is None:
            self.out.append(Notice("error", f"report about an order that is not ours: {report.client_order_id}"))
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
        elif report.exec_type is ExecType.CANCEL_REJECTED and report.client_order_id in self._our_cancels:
            self._our_cancels.discard(report.client_order_id)  # the guest did not ask for it
        elif report.exec_type in _REFUSED:
            self.rejected(algo, order.order_id, report.reject_code, view.symbol_id, now_ns)
        if order.is_finished:
            self._our_cancels.discard(report.client_order_id)
        if self.intents.open:
            self.intents.follow(order, report)

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

    def loss_latched(self, now_ns: int) -> None:
        """The daily loss was passed: open orders of that quote currency go, reducing ones may come."""
        quotes = ", ".join(sorted(self.gate.latched))
        self.out.append(Notice("error", f"daily loss limit passed in {quotes}: only reducing orders until re-armed"))
        self.show_limits()
        code = RejectCode.DAILY_LOSS_LIMIT
        self.intents.drop(lambda intent: self._is_quote_latched(intent.market), code, now_ns)
        self.cancel_all(lambda live: self._is_quote_latched(live.instrument), now_ns)

    def show_limits(self) -> None:
        """RiskSnapshot.reduce_only follows the gate: not ACTIVE, or the loss of that instrument's currency latched."""
        gate = self.gate
        for algo in self.algos:
            for view in algo.views:
                instrument = gate.markets[view.own].instrument
                is_latched = instrument is not None and instrument.quote in gate.latched
                view.state.limits(gate.limits, reduce_only=gate.state is not TradingState.ACTIVE or is_latched)

    def _is_quote_latched(self, market: int) -> bool:
        instrument = self.gate.markets[market].instrument
        return instrument is not None and instrument.quote in self.gate.latched
