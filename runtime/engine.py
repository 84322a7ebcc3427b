"""One turn. `Engine.step(input, now_ns)` is everything that venuegate does; the rest of `runtime` only feeds it.

    frame, timer, command ─► session → events → book → AlgoState → guest → actions → gate → OMS → venue ─► outputs

Pure: no clock, no randomness, no socket, no file, no await. The same inputs give the same outputs, whoever feeds
them: live, paper, replay, backtest, simulation, tests.

Within a turn a guest's callbacks come in this order: on_fill / on_reject, on_book, then what `rounds.py` holds:
on_nbbo, on_message, on_heartbeat.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from connectors.book import L2Book
from connectors.errors import BookGap, ConfigError, GuestFault
from connectors.events import (
    Balance,
    BookDelta,
    BookLost,
    BookSnapshot,
    ExecReport,
    InstrumentUpdate,
    Notice,
    PositionReport,
    Reconciled,
    Trade,
    VenueStatus,
)
from connectors.instrument import Instrument
from connectors.pool import ChainFee, PoolUpdate
from connectors.session import Output as SessionOutput
from connectors.session import Reconnect, Send, WakeAt
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from oms.manager import Oms
from risk.gate import Gate
from risk.states import TradingState
from risk.windows import SECOND_NS
from runtime.assembly import Assembly
from runtime.desk import Desk
from runtime.features import Features
from runtime.hand import Hand
from runtime.inputs import Aside, Command, Frame, Input, LinkDown, LinkUp, Output, Timer, Trace, VenueOutput
from runtime.memory import SessionMemory
from runtime.models import Models
from runtime.port import Port
from runtime.recall import recall, remembered
from runtime.rounds import Rounds
from runtime.spec import EngineSpec
from runtime.stats import Stats
from runtime.tap import Tap


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
        readers = {port.name: port.spec.venue.asked for port in made.ports.values()}
        silent = [port.name for port in made.ports.values() if spec.is_paper and port.spec.venue.orders is None]
        self.tap = Tap(readers, made.names, silent)
        self.gate = gate(
            spec.limits, made.markets, [algo.deployment for algo in self.algos], is_paper=spec.is_paper,
            taker_ppm=spec.fees.taker_ppm, balances=spec.balances, on_approved=self.tap.approved,
        )  # fmt: skip
        self.oms = Oms()
        self.desk = Desk(
            self.gate, self.oms, list(made.ports.values()), self.algos, spec.tag, self._out, self.trace, self.asides,
            self.tap, is_paper=spec.is_paper,
        )  # fmt: skip
        self._hand = Hand(self.gate, self.desk, self.algos, self._out)
        self._feeds_ns = 0  # when venues with open orders are to be looked at again
        self._said = recall(self, spec.memory) if spec.memory is not None else []
        self.gate.take()
        self.desk.sweep.show_limits()
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
        elif isinstance(given, LinkUp | LinkDown):
            if given.venue in self.ports:
                self._link(self.ports[given.venue], given.link, is_up=isinstance(given, LinkUp), now_ns=now_ns)
        elif isinstance(given, Command):
            self._hand.carry_out(given, now_ns)

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
            case ExecReport():
                self.desk.reports([output], now_ns)
            case VenueStatus() | Balance() | PositionReport() | Reconciled():
                self._venue_says(port, output, now_ns)
            case PoolUpdate():
                for algo, pools, slot in self._poolers[output.instrument]:
                    pools.update(slot, output)
                    algo.changed()
            case ChainFee():
                self._fee(output)

    def _venue_says(self, port: Port, said: VenueStatus | Balance | PositionReport | Reconciled, now_ns: int) -> None:
        """On itself, or on the account there."""
        match said:
            case VenueStatus(venue, system):
                if system != port.link.system:
                    self._out.append(Notice("warning", f"{venue} is {system}"))
                port.link.system = system
            case Balance():
                self.gate.balance(said)
            case PositionReport():
                self.gate.position(said, now_ns)
            case Reconciled():
                port.link.is_reconciled = True

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
            if self.gate.mark(index, bid_1e9 + ask_1e9, now_ns):
                self.desk.sweep.heed(now_ns)
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

    @property
    def state(self) -> TradingState:
        """Of all; narrower scopes may be stricter."""
        return self.gate.state

    def remember(self) -> SessionMemory:
        """What must survive a restart."""
        return remembered(self)
