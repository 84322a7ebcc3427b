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
from runtime.sim.paper import PaperOutput, PaperVenue

_REFUSED: Final = frozenset({ExecType.REJECTED, ExecType.REPLACE_REJECTED, ExecType.CANCEL_REJECTED})
_NOTHING: Final = (0,) * 10
_NEW: Final = int(ActionKind.NEW)
_CANCEL: Final = int(ActionKind.CANCEL)
_AMEND: Final = int(ActionKind.AMEND)
_OURS: Final = (0, 0, 0, 0, int(ActionKind.CANCEL), 0, 0, 0, 0, 0)


class Desk:
    """Orders of one account. `out` and `trace` belong to the turn (engine.py)."""

    def __init__(
        self,
        gate: Gate,
        oms: Oms,
        paper: PaperVenue,
        algos: list[AlgoInstance],
        tag: str,
        out: list[Output],
        trace: Trace,
    ) -> None:
        self.gate = gate
        self.oms = oms
        self.paper = paper
        self.algos = algos
        self.actions = 0
        self.approved = 0
        self.denied: Counter[str] = Counter()
        self.marks: list[int] = []  # bid + ask of each instrument's last valid book; 0 before the first
        self._tag = tag
        self._is_latching = False
        self._our_cancels: set[str] = set()  # client order ids that we, not the guest, are cancelling
        self._out = out
        self._trace = trace

    # --- actions ---------------------------------------------------------------------------------------------------

    def act(self, algo: AlgoInstance, actions: list[Action], now_ns: int) -> None:
        """Carries out one callback's actions in order; an all-zero action is a no-op (ABI)."""
        for action in actions:
            if action != _NOTHING and algo.is_alive:
                self._act(algo, action, now_ns)

    def _act(self, algo: AlgoInstance, action: Action, now_ns: int) -> None:
        self.actions = n = self.actions + 1
        kind = action[4]
        name = f"{self._tag}-{n}"
        if kind == _NEW:
            new = self.gate.check_new(algo.index, name, action, now_ns)
            if type(new) is Approved:
                self.approved += 1
                self._trace.append(ActionRecord(n, algo.index, "algo", action, new.approval, name, None))
                algo.state_of(new.order.instrument).add(self.oms.submit(new))
                self._sent(self.paper.submit(new, now_ns), now_ns)
            else:
                self._record(algo, action, new, now_ns)
        elif kind == _CANCEL:
            cancel = self.gate.check_cancel(algo.index, name, action[0], now_ns)
            self._record(algo, action, cancel, now_ns)
            if isinstance(cancel, Approved):
                self._cancel(cancel, now_ns)
        elif kind == _AMEND:
            amend = self.gate.check_amend(algo.index, name, action[0], action[1], action[2], now_ns)
            self._record(algo, action, amend, now_ns)
            if isinstance(amend, Approved):
                self.oms.amend(amend)
                self._sent(self.paper.amend(amend, now_ns), now_ns)
        else:
            self._record(algo, action, self.gate.check_kind(kind), now_ns)

    def _record(self, algo: AlgoInstance, action: Action, verdict: Verdict, now_ns: int, by: str = "algo") -> None:
        """Every action and its verdict becomes an output of the turn; a denial reaches the guest at once."""
        if isinstance(verdict, Denied):
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, 0, "", verdict))
            self.denied[verdict.reason] += 1
            symbol_idx = action[8] if action[8] < len(algo.states) else 0
            self._rejected(algo, action[0], verdict.code, symbol_idx, now_ns)
        else:
            name = verdict.order.client_order_id
            self._trace.append(ActionRecord(self.actions, algo.index, by, action, verdict.approval, name, None))
            self.approved += 1

    def _cancel(self, approved: Approved[CancelOrder], now_ns: int) -> None:
        order = self.oms.cancel(approved)
        if order is not None:
            self.algos[order.algo].state_of(order.instrument).update(order)
        self._sent(self.paper.cancel(approved, now_ns), now_ns)

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

    def fault(self, algo: AlgoInstance, fault: GuestFault, now_ns: int) -> None:
        """A guest broke its contract: it is out, its orders go, nothing else notices."""
        self._out.append(Notice("error", algo.disable(fault)))
        self.cancel_all(lambda live: live.algo == algo.index, now_ns)

    # --- reports ---------------------------------------------------------------------------------------------------

    def on_trade(self, trade: Trade, now_ns: int) -> None:
        self.reports(self.paper.on_trade(trade, now_ns), now_ns)

    def on_book(self, instrument: int, now_ns: int) -> None:
        """The paper venue looks at a valid book; resting orders may fill."""
        self.reports(self.paper.on_book(instrument, now_ns), now_ns)

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
            self._out.append(Notice("error", f"report about an order that is not ours: {report.client_order_id}"))
            return
        order = applied.order
        if applied.anomaly:
            self._out.append(Notice("error", f"order {order.client_order_id}: {applied.anomaly}"))
        algo = self.algos[order.algo]
        state = algo.state_of(order.instrument)
        if state.update(order):
            algo.deployment.unseen += 1
        if applied.fill:
            position = self.oms.position(order.algo, order.instrument)
            position.mid_sum_1e9 = self.marks[order.instrument]
            state.position(position)
            self._filled(algo, order, report, now_ns)
        elif report.exec_type is ExecType.CANCEL_REJECTED and report.client_order_id in self._our_cancels:
            self._our_cancels.discard(report.client_order_id)  # the guest did not ask for it
        elif report.exec_type in _REFUSED:
            self._rejected(algo, order.order_id, report.reject_code, state.symbol_id, now_ns)
        if order.is_finished:
            self._our_cancels.discard(report.client_order_id)

    def _filled(self, algo: AlgoInstance, order: Order, report: ExecReport, now_ns: int) -> None:
        if not algo.is_alive:
            return
        state = algo.state_of(order.instrument)
        fill = abi.FILL.pack(
            order.order_id, report.last_px_1e9, report.last_qty_1e8, now_ns, order.side, state.symbol_id
        )
        try:
            algo.on_fill(fill, state)
        except GuestFault as fault:
            self.fault(algo, fault, now_ns)

    def _rejected(self, algo: AlgoInstance, order_id: int, code: RejectCode, symbol_id: int, now_ns: int) -> None:
        if not algo.is_alive:
            return
        try:
            algo.on_reject(abi.REJECT.pack(order_id, code, symbol_id))
        except GuestFault as fault:
            self.fault(algo, fault, now_ns)

    def loss_latched(self, now_ns: int) -> None:
        """The daily loss was passed: open orders of that quote currency go, reducing ones may come."""
        quotes = ", ".join(sorted(self.gate.latched))
        self._out.append(Notice("error", f"daily loss limit passed in {quotes}: only reducing orders until re-armed"))
        self.show_limits()
        self.cancel_all(self._is_latched, now_ns)

    def show_limits(self) -> None:
        """RiskSnapshot.reduce_only follows the gate: not ACTIVE, or the loss of that instrument's currency latched."""
        gate = self.gate
        for algo in self.algos:
            for state, index in zip(algo.states, algo.deployment.instruments, strict=True):
                instrument = gate.markets[index].instrument
                is_latched = instrument is not None and instrument.quote in gate.latched
                state.limits(gate.limits, reduce_only=gate.state is not TradingState.ACTIVE or is_latched)

    def _is_latched(self, live: LiveOrder) -> bool:
        instrument = self.gate.markets[live.instrument].instrument
        return instrument is not None and instrument.quote in self.gate.latched
