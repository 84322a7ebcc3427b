"""One turn. `Engine.step(input, now_ns)` is everything that venuegate does; the rest of `runtime` only feeds it.

    frame, timer, command ─► session → events → book → AlgoState → guest → actions → gate → OMS → venue ─► outputs

Pure: no clock, no randomness, no socket, no file, no await. The same inputs give the same outputs, whoever feeds
them: live, paper, replay, backtest, simulation, tests.

Within a turn a guest's callbacks come in this order: on_fill / on_reject, on_book, then what `rounds.py` holds:
on_nbbo, on_message, on_heartbeat.
"""

from collections import Counter
from collections.abc import Sequence

from connectors.book import L2Book
from connectors.errors import BookGap, ConfigError, GuestFault
from connectors.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    ExecReport,
    InstrumentUpdate,
    Notice,
    RejectCode,
    Trade,
    VenueStatus,
)
from connectors.instrument import Instrument
from connectors.pool import ChainFee, PoolUpdate
from connectors.session import Output as SessionOutput
from connectors.session import Reconnect, Send, WakeAt
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from oms.manager import Oms
from risk.checks import TradingState
from risk.gate import Gate
from runtime.assembly import Assembly
from runtime.desk import Desk
from runtime.features import Features
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Output, Timer, Trace, VenueOutput
from runtime.models import Models
from runtime.port import Port
from runtime.rounds import Rounds
from runtime.spec import EngineSpec
from runtime.stats import Stats


class Engine:
    """The whole gateway as a function of its inputs.

    A market is one symbol at one venue, or one pool; `names[i]` is the i-th one's name, `books[i]` its book. After each
    `step`: `trace` holds the turn's outputs that count for the hash, `touched` the markets whose books were applied and
    are valid. Both are emptied at the next step.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.stats = Stats()
        self.trace: Trace = []
        self.touched: list[int] = []
        self.lost: Counter[str] = Counter()
        self._out: list[Output] = []
        made = Assembly(spec, self.trace)
        self.ports = made.ports
        self.names = made.names
        self.algos = made.algos
        self.books: list[L2Book] = made.books
        self.instruments: list[Instrument | None] = made.instruments
        self.book_times = made.book_times  # the venue's own time of each book
        self.features = made.features
        self._fees = made.fees
        self._followers, self._holders = made.followers, made.holders
        self._watchers, self._poolers = made.watchers, made.poolers
        self._port_of = [port for port in made.ports.values() for _ in port.indices]
        self._checksums = [port.checksum for port in self._port_of]
        self._models = Models(spec.predictors, made.names)
        self.gate = Gate(spec.limits, made.markets, [algo.deployment for algo in self.algos], is_paper=spec.is_paper)
        self.oms = Oms()
        papers = [port.paper for port in self._port_of]
        self.desk = Desk(self.gate, self.oms, papers, self.algos, spec.tag, self._out, self.trace)
        self.rounds = Rounds(self.desk, self.algos, [algo.restarts for algo in spec.algos], made.mail, self._out)
        for index, instrument in enumerate(self.instruments):
            if instrument is not None:
                self._tell_metadata(index)

    # --- the turn --------------------------------------------------------------------------------------------------

    def step(self, given: Input, now_ns: int) -> list[Output]:
        """Takes one input; returns what is to be done about it, in order. Never raises on any input.

        The list is the engine's own and is emptied at the next step.
        """
        out = self._out
        if out:
            out.clear()
        if self.trace:
            self.trace.clear()
        if self.touched:
            self.touched.clear()
        if now_ns >= self.gate.day_end_ns and self.gate.roll(now_ns):
            self._new_day()
        if type(given) is Frame:
            port = self.ports.get(given.venue)
            if port is not None:
                self.stats.frames += 1
                port.link.last_ns = now_ns
                self._session(port, port.session.receive(given.raw, now_ns, given.link), now_ns)
        else:
            self._rare(given, now_ns)
        if self.rounds.is_due(now_ns):
            self.rounds.run(now_ns)
        elif type(given) is Timer:
            self.rounds.wake()
        return out

    def _rare(self, given: Input, now_ns: int) -> None:
        """Everything but frames."""
        if isinstance(given, Timer):
            for port in self.ports.values():
                self._session(port, port.session.tick(now_ns), now_ns)
        elif isinstance(given, LinkUp | LinkDown):
            if given.venue in self.ports:
                self._link(self.ports[given.venue], given.link, is_up=isinstance(given, LinkUp), now_ns=now_ns)
        elif isinstance(given, Command):
            self._command(given, now_ns)

    def _link(self, port: Port, link: str, *, is_up: bool, now_ns: int) -> None:
        port.turned(link, is_up=is_up, now_ns=now_ns)
        turned = port.session.open if is_up else port.session.close
        self._session(port, turned(now_ns, link), now_ns)

    def _session(self, port: Port, outputs: Sequence[SessionOutput], now_ns: int) -> None:
        for output in outputs:
            kind = type(output)
            if kind is BookDelta:
                self._delta(output, now_ns)  # type: ignore[arg-type]
            elif kind is Send:
                self.trace.append(output.data)  # type: ignore[union-attr]
                self._out.append(VenueOutput(port.name, output))  # type: ignore[arg-type]
            else:
                self._event(port, output, now_ns)

    def _event(self, port: Port, output: SessionOutput, now_ns: int) -> None:
        match output:
            case BookSnapshot():
                self._snapshot(output, now_ns)
            case BookLost(instrument, reason):
                self._lose(instrument, reason)
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
                self._define(index, definition)
            case VenueStatus(venue, system):
                if system != port.link.system:
                    self._out.append(Notice("warning", f"{venue} is {system}"))
                port.link.system = system
            case ExecReport():
                self.desk.reports([output], now_ns)
            case PoolUpdate():
                for algo, pools, slot in self._poolers[output.instrument]:
                    pools.update(slot, output)
                    algo.changed()
            case ChainFee():
                self._fee(output)

    def _fee(self, fee: ChainFee) -> None:
        try:
            self._fees.set(fee)
        except ConfigError as error:
            self._out.append(Notice("error", str(error)))
            return
        for algo in self.algos:
            algo.changed()

    # --- books -----------------------------------------------------------------------------------------------------

    def _delta(self, delta: BookDelta, now_ns: int) -> None:
        self.stats.book_frames += 1
        index = delta.instrument
        book = self.books[index]
        if not book.valid:
            self.stats.dropped += 1
            return
        try:
            book.apply(delta.bids, delta.asks, now_ns)
        except BookGap as gap:
            self._gap(index, gap.reason, now_ns)
            return
        self.book_times[index] = delta.ts_venue
        self._verify(index, book, delta.checksum, now_ns)

    def _snapshot(self, snapshot: BookSnapshot, now_ns: int) -> None:
        self.stats.book_frames += 1
        book = self.books[snapshot.instrument]
        book.depth = snapshot.depth
        try:
            book.load(snapshot.bids, snapshot.asks, now_ns)
        except BookGap as gap:
            self._gap(snapshot.instrument, gap.reason, now_ns)
            return
        self.book_times[snapshot.instrument] = snapshot.ts_venue
        self._verify(snapshot.instrument, book, snapshot.checksum, now_ns)

    def _verify(self, index: int, book: L2Book, expected: int | None, now_ns: int) -> None:
        """Nothing is served, marked or traded on before the venue's own checksum agrees.

        The mid may have moved: gate and positions are marked anew before anybody acts on it.
        """
        stats = self.stats
        checksum = self._checksums[index]
        if expected is not None and checksum is not None:
            if checksum(book) != expected:
                stats.checksums_failed += 1
                self._gap(index, "checksum" if book.is_deep else "checksum of a thin book", now_ns)
                return
            stats.checksums_ok += 1
        self.touched.append(index)
        bid_1e9, ask_1e9 = book.touch()
        if bid_1e9 and ask_1e9:
            self.desk.marks[index] = bid_1e9 + ask_1e9
            if self.oms.positions:
                self._mark_positions(index, bid_1e9 + ask_1e9)
            if self.gate.mark(index, bid_1e9 + ask_1e9):
                self.desk.loss_latched(now_ns)
        features = self.features[index]
        if features is not None:
            self._update_features(index, features, book, now_ns)
        if self._poolers[index]:
            self._refresh_pools(index)
        if self._port_of[index].paper.is_busy:
            self.desk.on_book(index, now_ns)
        if self.desk.intents.open:
            self.desk.intents.chase(index, now_ns)
        for algo, view in self._followers[index]:
            if not algo.is_alive:
                continue
            try:
                actions = algo.on_book(book.buffer, view)
            except GuestFault as fault:
                self.desk.fault(algo, fault, "on_book", now_ns)
            else:
                if actions:
                    self.desk.act(algo, actions, now_ns)
        if self._watchers[index]:
            self._tell_watchers(index)

    def _update_features(self, index: int, features: Features, book: L2Book, now_ns: int) -> None:
        features.on_book(book, now_ns)
        if not self._models.is_empty:
            notice = self._models.ask(index, features, book, now_ns)
            if notice is not None:
                self._out.append(notice)

    def _refresh_pools(self, index: int) -> None:
        """This ladder, valid or lost, is in some guests' PoolBooks: they are shown it before they hear of anything."""
        for algo, pools, slot in self._poolers[index]:
            pools.refresh(slot)
            algo.changed()

    def _tell_watchers(self, index: int) -> None:
        """This book, valid or lost, is one of several that some guests look at: on_nbbo may be due."""
        for algo, view in self._watchers[index]:
            self.rounds.book_changed(algo, view, is_pool=index in view.slots)

    def _mark_positions(self, index: int, mid_sum_1e9: int) -> None:
        for algo, view in self._holders[index]:
            position = self.oms.positions.get((algo.index, index))
            if position is not None:
                position.mid_sum_1e9 = mid_sum_1e9
            if view.position is not None:
                if index != view.own:
                    continue
                position = view.position
                position.mid_sum_1e9 = mid_sum_1e9
            if position is not None:
                view.state.mark(position)

    def _gap(self, index: int, reason: str, now_ns: int) -> None:
        """This book is not the venue's: drop it now, ask for a new one, leave the others alone."""
        self._lose(index, reason)
        self.stats.resyncs += 1
        port = self._port_of[index]
        self._session(port, port.session.resync(index, reason, now_ns), now_ns)

    def _lose(self, index: int, reason: str) -> None:
        self.lost[reason] += 1
        self.books[index].invalidate(reason)
        self._lost_book(index)

    def _lost_book(self, index: int) -> None:
        features = self.features[index]
        if features is not None:
            features.on_lost()
        self._refresh_pools(index)
        self._tell_watchers(index)

    # --- metadata, days, people ------------------------------------------------------------------------------------

    def _define(self, index: int, definition: Instrument) -> None:
        before = self.instruments[index]
        if definition == before:
            return
        self.instruments[index] = self.gate.markets[index].instrument = definition
        book = self.books[index]
        was_valid = book.valid
        book.set_digits(
            10 ** (PRICE_DECIMALS - definition.price_precision), 10 ** (SIZE_DECIMALS - definition.size_precision)
        )
        if was_valid and not book.valid:
            self._lost_book(index)
        self._tell_metadata(index)

    def _tell_metadata(self, index: int) -> None:
        instrument = self.instruments[index]
        if instrument is not None:
            for _, view in self._holders[index]:
                if view.own == index:
                    view.state.instrument(instrument)

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

    def _command(self, command: Command, now_ns: int) -> None:
        if command.name == "kill":
            self.gate.halt()
            count = self.desk.cancel_everything(RejectCode.KILL_SWITCH, now_ns)
            self._out.append(Notice("error", f"HALTED by {command.who or 'command'}: {count} open orders cancelled"))
        elif command.name == "reduce":
            self.gate.reduce()
        elif command.name == "arm":
            self.gate.arm()
        elif command.name == "stop":
            self._stop(now_ns)
        elif command.name == "set":
            self._set(command, now_ns)
        else:
            self._out.append(Notice("error", f"unknown command {command.name!r}"))
        self.desk.show_limits()

    def _set(self, command: Command, now_ns: int) -> None:
        """New values for a guest's parameters: all of them, or none and the reason."""
        algo = next((algo for algo in self.algos if algo.name == command.target), None)
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
        """Each guest's last word, then the OMS sweeps what its cancel_all could not reach.

        Only what reduces passes now: nobody would be there to look after anything else.
        """
        state = self.gate.state
        if state is TradingState.ACTIVE:
            self.gate.reduce()
            self.desk.show_limits()
        for algo in self.algos:
            if not algo.is_alive:
                continue
            try:
                actions = algo.on_shutdown()
            except GuestFault as fault:
                self.desk.fault(algo, fault, "on_shutdown", now_ns)
                continue
            self.desk.act(algo, actions, now_ns)
            algo.is_alive = False
        self.desk.cancel_everything(None, now_ns)
        self.gate.state = state

    @property
    def state(self) -> TradingState:
        return self.gate.state
