"""A person's hand on the engine: what each `Command` does. The same for a door that speaks for nobody (a full disk)."""

from connectors.errors import ConfigError, GuestFault
from connectors.events import ExecReport, ExecType, Notice
from risk.gate import Gate
from risk.states import ALL, TradingState
from runtime.desk import Desk
from runtime.inputs import Command, Output
from runtime.instance import AlgoInstance

_OF_SCOPES = frozenset({"kill", "reduce", "arm"})


class Hand:
    """Of one engine. What may be asked for is in `inputs.Command`; what makes no sense is told and changes nothing."""

    def __init__(self, gate: Gate, desk: Desk, algos: list[AlgoInstance], out: list[Output]) -> None:
        self._gate = gate
        self._desk = desk
        self._algos = algos
        self._out = out

    def carry_out(self, command: Command, now_ns: int) -> None:
        scope, who, gate = command.target or ALL, command.who or "command", self._gate
        if command.name in _OF_SCOPES and not gate.knows(scope):
            self._out.append(Notice("error", f"{command.name}: there is no scope {scope!r:.80}"))
            return
        match command.name:
            case "kill":
                if not gate.tighten(scope, TradingState.HALTED, "kill", who, now_ns):
                    self._desk.sweep.halted(scope, now_ns, who)
            case "reduce":
                gate.tighten(scope, TradingState.REDUCING, "reduce", who, now_ns)
            case "arm":
                gate.arm(scope, who, now_ns)
                if scope == ALL:
                    self._desk.tap.difference = ""  # bytes may leave again; the next difference halts again
            case "limits" if command.limits is not None:
                gate.apply(command.limits, who)
            case "override" if command.grant is not None:
                gate.grant(command.grant)
            case "promote":
                gate.promote(command.target, who)
            case "unsent":
                self._unsent(command.target, who, now_ns)
            case "breach":
                self._desk.breach(command.target, now_ns)
            case "drain":
                self._drain(now_ns)
            case "stop":
                self._stop(now_ns)
            case "set":
                self._set(command, now_ns)
            case _:
                self._out.append(Notice("error", f"unknown command {command.name!r}"))
        self._desk.sweep.heed(now_ns)
        self._desk.sweep.show_limits()

    def _unsent(self, target: str, who: str, now_ns: int) -> None:
        """Bytes were stopped; of a new order that was taken back, that is the end that its cancel asked for."""
        kind, _, name = target.partition(":")
        order = self._desk.oms.orders.get(name)
        if kind != "withdrawn":
            self._desk.unsent(kind, name, f"stopped by the {who}", now_ns)
        elif order is not None:
            text = "never sent: taken back before its record was durable"
            report = ExecReport(
                client_order_id=name, exec_type=ExecType.CANCELED, instrument=order.instrument, text=text,
                ts_venue_ns=now_ns,
            )  # fmt: skip
            self._desk.reports([report], now_ns)

    def _set(self, command: Command, now_ns: int) -> None:
        """New values for a guest's parameters: all of them, or none and the reason."""
        algo = next((algo for algo in self._algos if algo.name == command.target), None)
        if algo is None:
            self._out.append(Notice("error", f"no algo is called {command.target!r}"))
            return
        try:
            algo.config.set(command.params, now_ns)
        except ConfigError as error:
            self._out.append(Notice("error", str(error)))
            return
        algo.changed()

    def _stop(self, now_ns: int) -> None:
        """Each guest's last word, then the OMS sweeps what its cancel_all could not reach; the end."""
        self._drain(now_ns)
        self._gate.is_stopping = False

    def _drain(self, now_ns: int) -> None:
        """The same, but answers are still waited for.

        Only what reduces passes now: nobody would be there to look after anything else. What is being cancelled since
        a drain before is not cancelled twice.
        """
        asked = set(self._desk.sweep.ours) if self._gate.is_stopping else set()
        self._gate.is_stopping = True
        self._desk.sweep.show_limits()
        for algo in self._algos:
            if not algo.is_alive:
                continue
            try:
                actions = algo.on_shutdown()
            except GuestFault as fault:
                self._desk.fault(algo, fault, "on_shutdown", now_ns)
                continue
            self._desk.act(algo, actions, now_ns)
            algo.is_alive = False
        self._desk.sweep.everything(now_ns, besides=asked)
