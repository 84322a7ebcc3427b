"""One turn. `Engine.step(input, now_ns)` is everything that venuegate does; the rest of `runtime` only feeds it.

    frame, timer, command ─► session → events → book → AlgoState → guest → actions → gate → OMS → venue ─► outputs

Pure: no clock, no randomness, no socket, no file, no await. The same inputs give the same outputs, whoever feeds
them: live, paper, replay, backtest, simulation, tests.

Within a turn a guest's callbacks come in this order: on_fill / on_reject, on_book, then what `rounds.py` holds:
on_nbbo, on_message, on_heartbeat.
"""

from collections.abc import Callable, Sequence

from connectors.errors import ConfigError
from connectors.events import (
    AuditDue,
    Balance,
    BookAudit,
    BookDelta,
    BookLost,
    BookSnapshot,
    Doubt,
    ExecReport,
    InstrumentUpdate,
    Movement,
    Notice,
    Picture,
    PositionReport,
    Ready,
    Reconciled,
    Ticker,
    Trade,
    VenueStatus,
)
from connectors.pool import ChainFee, PoolUpdate
from connectors.session import (
    ASIDE,
    AUDIT,
    CALLS,
    ORDERS_DIGITS,
    MarketSession,
    OrderSession,
    Reconnect,
    Send,
    Stop,
    WakeAt,
)
from connectors.session import Output as SessionOutput
from oms.manager import Oms
from risk.gate import Gate
from risk.states import TradingState
from risk.windows import SECOND_NS
from runtime.assembly import Assembly
from runtime.desk import Desk
from runtime.hand import Hand
from runtime.inputs import Aside, Command, Frame, Input, LinkDown, LinkUp, Output, Timer, Trace, VenueOutput
from runtime.market_data import MarketData
from runtime.memory import SessionMemory
from runtime.models import Models
from runtime.port import Port
from runtime.recall import recall, remembered
from runtime.rounds import Rounds
from runtime.spec import EngineSpec
from runtime.stats import Stats
from runtime.tap import Tap
from runtime.venue_account import VenueAccount


class Engine:
    """The whole gateway as a function of its inputs.

    A market is one symbol at one venue, or one pool; `names[i]` is the i-th one's name, `books[i]` its book. After each
    `step`: `trace` holds the turn's outputs that count for the hash, `asides` what else happened, `touched` the markets
    whose books were applied and are valid. All are emptied at the next step. `gate` makes the gate.
    """

    def __init__(self, spec: EngineSpec, gate: Callable[..., Gate] = Gate) -> None:
        self.spec = spec
        self.stats = Stats()
        self.trace: Trace = []
        self.asides: list[Aside] = []
        self._out: list[Output] = []
        made = Assembly(spec, self.trace)
        self.ports = made.ports
        self.names = made.names
        self.algos = made.algos
        self._fees, self._poolers = made.fees, made.poolers
        readers = {port.name: port.spec.venue.asked for port in made.ports.values()}
        silent = [port.name for port in made.ports.values() if port.is_paper and port.spec.venue.orders is None]
        lowering = [port.name for port in made.ports.values() if port.spec.venue.capabilities.amend_down_only]
        self.tap = Tap(
            readers, made.names, silent, instruments=made.instruments, venue_ids=self._venue_id, lowering=lowering
        )
        self.gate = gate(
            spec.limits, made.markets, [algo.deployment for algo in self.algos], is_paper=spec.is_paper,
            taker_ppm=spec.fees.taker_ppm, balances=spec.balances, on_approved=self.tap.approved,
        )  # fmt: skip
        self.oms = Oms()
        self.desk = Desk(
            self.gate, self.oms, list(made.ports.values()), self.algos, spec.tag, self._out, self.trace, self.asides,
            self.tap, self._carry_out,
        )  # fmt: skip
        self._hand = Hand(self.gate, self.desk, self.algos, self._out)
        models = Models(spec.predictors, made.names)
        self.market_data = data = MarketData(made, self.desk, models, self.stats, self._out, self._carry_out)
        self.books, self.instruments, self.book_times = data.books, data.instruments, data.book_times
        self.features, self.touched, self.lost = data.features, data.touched, data.lost
        self.auditor, self.tickers = data.auditor, data.tickers
        self.accounts = {
            port.name: VenueAccount(port, self.desk, self._carry_out)
            for port in made.ports.values() if port.orders is not None
        }  # fmt: skip
        self._unstarted = list(self.accounts.values())
        self.stopped = ""  # why a venue says that nothing may ever be traded there
        self._feeds_ns = 0  # when venues with open orders are to be looked at again
        self._said = recall(self, spec.memory) if spec.memory is not None else []
        self.gate.take()
        self.desk.sweep.show_limits()
        self.rounds = Rounds(self.desk, self.algos, [algo.restarts for algo in spec.algos], made.mail, self._out)
        data.rounds = self.rounds
        for index, instrument in enumerate(self.instruments):
            if instrument is not None:
                self.market_data.tell_metadata(index)

    def _venue_id(self, client_order_id: str) -> str:
        """The venue's id of an order, as bytes may name it; on paper they call it by ours, for no venue named it."""
        order = self.oms.find(client_order_id)
        if order is None:
            return ""
        is_paper = self.gate.markets[order.instrument].venue not in self.desk.wired
        return client_order_id if is_paper else order.venue_order_id

    # --- the turn --------------------------------------------------------------------------------------------------

    def step(self, given: Input, now_ns: int) -> list[Output]:
        """Takes one input; returns what is to be done about it, in order. Never raises on any input.

        The list is the engine's own and is emptied at the next step.
        """
        out = self._out
        if out:
            out.clear()
        if self._said:
            out += self._said
            self._said.clear()
        if self.trace:
            self.trace.clear()
        if self.touched:
            self.touched.clear()
        if self.asides:
            self.asides.clear()
        if now_ns >= self.gate.day_end_ns and self.gate.roll(now_ns):
            self._new_day()
        while self._unstarted:
            self._unstarted.pop().start(now_ns)
        if type(given) is Frame:
            port = self.ports.get(given.venue)
            if port is not None:
                self.stats.frames += 1
                if given.link in ASIDE:
                    self._beside(port, given, now_ns)
                else:
                    port.link.last_ns = now_ns
                    self._session(port, port.session.receive(given.raw, now_ns, given.link), now_ns)
        else:
            self._rare(given, now_ns)
        if self.rounds.is_due(now_ns):
            self.rounds.run(now_ns)
        elif type(given) is Timer:
            self.rounds.wake()
        if self.gate.has_feed_limits and self.gate.account.live and now_ns >= self._feeds_ns:
            self._watch_feeds(now_ns)
        if self.gate.happened:
            self.desk.sweep.heed(now_ns)
            self.asides += self.gate.take()
            self.desk.sweep.forget()
        return out

    def _watch_feeds(self, now_ns: int) -> None:
        """Time alone makes a venue silent: look once a second while an order is open."""
        for port in self.ports.values():  # what was before this session is no silence of it
            port.link.down_ns = port.link.down_ns or now_ns
        self.gate.silent(now_ns)
        self._feeds_ns = now_ns + SECOND_NS
        self._out.append(WakeAt(self._feeds_ns))

    def _rare(self, given: Input, now_ns: int) -> None:
        """Everything but frames."""
        if isinstance(given, Timer):
            for port in self.ports.values():
                self._session(port, port.session.tick(now_ns), now_ns)
                if port.name in self.accounts:
                    self.accounts[port.name].tick(now_ns)
            if self.auditor.pending:
                self.market_data.tick(now_ns)
        elif isinstance(given, LinkUp | LinkDown):
            if given.venue in self.ports:
                self._link(self.ports[given.venue], given.link, is_up=isinstance(given, LinkUp), now_ns=now_ns)
        elif isinstance(given, Command):
            self._hand.carry_out(given, now_ns)
            for account in self.accounts.values():
                account.commanded(given, now_ns)

    def _link(self, port: Port, link: str, *, is_up: bool, now_ns: int) -> None:
        port.turned(link, is_up=is_up, now_ns=now_ns)
        side = port.session if link not in ASIDE or link == AUDIT else port.orders
        if side is not None:
            self._session(port, side.open(now_ns, link) if is_up else side.close(now_ns, link), now_ns)

    def _beside(self, port: Port, frame: Frame, now_ns: int) -> None:
        """A frame of a link that says nothing about whether market data live."""
        side: MarketSession | OrderSession | None = port.session if frame.link == AUDIT else port.orders
        if frame.link == CALLS and len(frame.raw.partition(b" ")[0]) < ORDERS_DIGITS:
            side = port.session
        if side is not None:
            self._session(port, side.receive(frame.raw, now_ns, frame.link), now_ns)

    def _carry_out(self, venue: str, outputs: Sequence[SessionOutput], now_ns: int) -> None:
        """What a venue's private side answers to a request of ours."""
        self._session(self.ports[venue], outputs, now_ns)

    def _session(self, port: Port, outputs: Sequence[SessionOutput], now_ns: int) -> None:
        for output in outputs:
            kind = type(output)
            if kind is BookDelta:
                self.market_data.delta(output, now_ns)  # type: ignore[arg-type]
            elif kind is Send:
                self.trace.append(output.data)  # type: ignore[union-attr]
                self._out.append(VenueOutput(port.name, output))  # type: ignore[arg-type]
            else:
                self._event(port, output, now_ns)

    def _event(self, port: Port, output: SessionOutput, now_ns: int) -> None:
        match output:
            case BookSnapshot():
                self.market_data.snapshot(output, now_ns)
            case BookLost(instrument, reason, is_gap):
                self.stats.gaps += is_gap
                self.market_data.lose(instrument, reason)
            case Trade():
                self.stats.trades += 1
                features = self.features[output.instrument]
                if features is not None:
                    features.on_trade(output, now_ns)
                self.desk.on_trade(output, now_ns)
            case WakeAt() | Notice():
                self._out.append(output)
            case Reconnect(link, _):
                port.turned(link, is_up=False, now_ns=now_ns)
                self._out.append(VenueOutput(port.name, output))
            case InstrumentUpdate(index, definition):
                self.market_data.define(index, definition)
            case ExecReport():
                self.desk.reports([output], now_ns)
                if port.name in self.accounts:
                    self.accounts[port.name].reported(output, now_ns)
            case VenueStatus() | Balance() | PositionReport() | Reconciled():
                self._venue_says(port, output, now_ns)
            case Ready() | Movement() | Picture() | Doubt() | Stop():
                self._account_says(port, output, now_ns)
            case AuditDue() | BookAudit() | Ticker():
                self.market_data.beside(output, now_ns)
            case PoolUpdate():
                for algo, pools, slot in self._poolers[output.instrument]:
                    pools.update(slot, output)
                    algo.changed()
            case ChainFee():
                self._fee(output)

    def _account_says(self, port: Port, said: Ready | Movement | Picture | Doubt | Stop, now_ns: int) -> None:
        """What a venue's private side says of the account."""
        if isinstance(said, Stop):
            self.stopped = self.stopped or said.reason
            self._out.append(Notice("error", f"{port.name}: {said.reason}"))
        elif port.name in self.accounts:
            self.accounts[port.name].take(said, now_ns)

    def _venue_says(self, port: Port, said: VenueStatus | Balance | PositionReport | Reconciled, now_ns: int) -> None:
        """On itself, or on the account there."""
        match said:
            case VenueStatus(venue, system):
                if system != port.link.system:
                    self._out.append(Notice("warning", f"{venue} is {system}"))
                port.link.system = system
                if port.orders is not None:
                    self._session(port, port.orders.says(system, now_ns), now_ns)
            case Balance():
                self.gate.balance(said)
            case PositionReport():
                self.gate.position(said, now_ns)
            case Reconciled():
                port.link.is_reconciled, port.link.why = True, ""

    def _fee(self, fee: ChainFee) -> None:
        try:
            self._fees.set(fee)
        except ConfigError as error:
            self._out.append(Notice("error", str(error)))
            return
        for algo in self.algos:
            algo.changed()

    # --- days, people ----------------------------------------------------------------------------------------------

    def _new_day(self) -> None:
        self.oms.new_session()
        for (algo, market), position in self.oms.positions.items():
            view = self.algos[algo].view_of(market)
            if view.position is None:
                view.state.position(position)
        for instance in self.algos:
            for view in instance.views:
                if view.position is not None:
                    view.position.new_session()
                    view.state.position(view.position)

    @property
    def state(self) -> TradingState:
        """Of all; narrower scopes may be stricter."""
        return self.gate.state

    def remember(self) -> SessionMemory:
        """What must survive a restart."""
        return remembered(self)
