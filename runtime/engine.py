"""One turn. `Engine.step(input, now_ns)` is everything that venuegate does; the rest of `runtime` only feeds it.

    frame, timer, command ─► session → events → book → AlgoState → guest → actions → gate → OMS → venue ─► outputs

Pure: no clock, no randomness, no socket, no file, no await. The same inputs give the same outputs, whoever feeds
them: live, paper, replay, backtest, simulation, tests.

Within a turn a guest's callbacks come in this order: on_fill / on_reject, then on_book.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from connectors.book import L2Book
from connectors.errors import BookGap, GuestFault
from connectors.events import (
    BookDelta,
    BookLost,
    BookSnapshot,
    ExecReport,
    InstrumentUpdate,
    Notice,
    Trade,
    VenueStatus,
)
from connectors.instrument import Instrument
from connectors.session import MarketSession, OrderEncoder, Reconnect, Send, SessionPlan, Venue, WakeAt
from connectors.session import Output as SessionOutput
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from oms.manager import Oms
from risk.checks import Link, Market, TradingState
from risk.gate import Deployment, Gate
from risk.limits import Limits
from runtime.algostate import AlgoState
from runtime.desk import Desk
from runtime.host import AlgoHost
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Output, Timer, Trace, VenueOutput
from runtime.instance import AlgoInstance
from runtime.sim.paper import Fees, PaperVenue


class AlgoSpec(msgspec.Struct, frozen=True):
    """One deployment: a loaded guest and the symbols it is given, the first being its primary."""

    name: str
    host: AlgoHost
    symbols: tuple[str, ...]


class EngineSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that decides an engine's outputs besides its inputs. A tape's header holds the same.

    `symbols` are of the one venue; their order gives the instruments' indices. `instruments`: metadata known before
    the venue tells. `tag` begins every client order id of the session.
    """

    venue: Venue
    symbols: tuple[str, ...]
    depth: int
    limits: Limits
    algos: tuple[AlgoSpec, ...]
    instruments: Mapping[str, Instrument] = {}
    fees: Fees = Fees()
    tag: str = "vg"


class Stats:
    """What happened so far, for people and for `replay --json`."""

    __slots__ = ("book_frames", "checksums_failed", "checksums_ok", "dropped", "frames", "resyncs", "trades")

    def __init__(self) -> None:
        self.frames = self.book_frames = self.checksums_ok = self.checksums_failed = 0
        self.resyncs = self.trades = self.dropped = 0


class Engine:
    """The whole gateway of one venue as a function of its inputs.

    After each `step`: `trace` holds the turn's outputs that count for the hash, `touched` the instruments whose books
    were applied and are valid. Both are emptied at the next step.
    """

    def __init__(self, spec: EngineSpec) -> None:
        self.spec = spec
        self.stats = Stats()
        self.trace: Trace = []
        self.touched: list[int] = []
        self._out: list[Output] = []
        self._checksum = spec.venue.checksum
        self.link = Link()
        self.instruments: list[Instrument | None] = [spec.instruments.get(symbol) for symbol in spec.symbols]
        self.books = [self._new_book(instrument) for instrument in self.instruments]
        self.lost: Counter[str] = Counter()
        known = {index: instrument for index, instrument in enumerate(self.instruments) if instrument is not None}
        self.session: MarketSession = spec.venue.market(
            SessionPlan(symbols=tuple(enumerate(spec.symbols)), depth=spec.depth, instruments=known)
        )
        markets = [Market(i, book, self.link) for i, book in zip(self.instruments, self.books, strict=True)]
        deployments = [
            Deployment(spec.venue.venue_id, tuple(spec.symbols.index(symbol) for symbol in algo.symbols))
            for algo in spec.algos
        ]
        self.gate = Gate(spec.limits, markets, deployments)
        self.oms = Oms()
        self.algos = [
            AlgoInstance(index, algo.name, algo.host, deployment, spec.limits, self.trace)
            for index, (algo, deployment) in enumerate(zip(spec.algos, deployments, strict=True))
        ]
        self._followers: list[list[tuple[AlgoInstance, AlgoState]]] = [
            [(algo, algo.state_of(index)) for algo in self.algos if index in algo.deployment.instruments]
            for index in range(len(spec.symbols))
        ]
        self.book_times = [""] * len(self.books)  # the venue's own time of each book
        paper = PaperVenue(self._encoder(), self.books, self.book_times, spec.fees, spec.venue.refusals)
        self.desk = Desk(self.gate, self.oms, paper, self.algos, spec.tag, self._out, self.trace)
        self.desk.marks = [0] * len(self.books)
        for index in known:
            self._tell_metadata(index)

    def _encoder(self) -> OrderEncoder:
        if self.spec.venue.orders is None:
            msg = f"venue {self.spec.venue.name} has no order encoder"
            raise ValueError(msg)
        return self.spec.venue.orders(self.instruments)

    def _new_book(self, instrument: Instrument | None) -> L2Book:
        if instrument is None:
            return L2Book(depth=self.spec.depth)
        return L2Book(
            depth=self.spec.depth,
            price_digit_1e9=10 ** (PRICE_DECIMALS - instrument.price_precision),
            size_digit_1e8=10 ** (SIZE_DECIMALS - instrument.size_precision),
        )

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
            self.stats.frames += 1
            self.link.last_ns = now_ns
            self._session(self.session.receive(given.raw, now_ns), now_ns)
        elif type(given) is Timer:
            self._session(self.session.tick(now_ns), now_ns)
        elif type(given) is LinkUp:
            self.link.last_ns = now_ns
            self._session(self.session.open(now_ns), now_ns)
        elif type(given) is LinkDown:
            self.link.last_ns = -1
            self._session(self.session.close(now_ns), now_ns)
        elif type(given) is Command:
            self._command(given, now_ns)
        return out

    def _session(self, outputs: Sequence[SessionOutput], now_ns: int) -> None:
        for output in outputs:
            kind = type(output)
            if kind is BookDelta:
                self._delta(output, now_ns)  # type: ignore[arg-type]
            elif kind is Send:
                self.trace.append(output.data)  # type: ignore[union-attr]
                self._out.append(VenueOutput(self.spec.venue.name, output))  # type: ignore[arg-type]
            else:
                self._event(output, now_ns)

    def _event(self, output: SessionOutput, now_ns: int) -> None:
        match output:
            case BookSnapshot():
                self._snapshot(output, now_ns)
            case BookLost(instrument, reason):
                self._lose(instrument, reason)
            case Trade():
                self.stats.trades += 1
                self.desk.on_trade(output, now_ns)
            case WakeAt() | Notice():
                self._out.append(output)
            case Reconnect():
                self.link.last_ns = -1
                self._out.append(VenueOutput(self.spec.venue.name, output))
            case InstrumentUpdate(index, definition):
                self._define(index, definition)
            case VenueStatus(venue, system):
                if system != self.link.system:
                    self._out.append(Notice("warning", f"{venue} is {system}"))
                self.link.system = system
            case ExecReport():
                self.desk.reports([output], now_ns)

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
        if expected is not None and self._checksum is not None:
            if self._checksum(book) != expected:
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
        if self.desk.paper.is_busy:
            self.desk.on_book(index, now_ns)
        for algo, state in self._followers[index]:
            if not algo.is_alive:
                continue
            try:
                actions = algo.on_book(book.buffer, state)
            except GuestFault as fault:
                self.desk.fault(algo, fault, now_ns)
            else:
                if actions:
                    self.desk.act(algo, actions, now_ns)

    def _mark_positions(self, index: int, mid_sum_1e9: int) -> None:
        for algo, state in self._followers[index]:
            position = self.oms.positions.get((algo.index, index))
            if position is not None:
                position.mid_sum_1e9 = mid_sum_1e9
                state.mark(position)

    def _gap(self, index: int, reason: str, now_ns: int) -> None:
        """This book is not the venue's: drop it now, ask for a new one, leave the others alone."""
        self._lose(index, reason)
        self.stats.resyncs += 1
        self._session(self.session.resync(index, reason, now_ns), now_ns)

    def _lose(self, index: int, reason: str) -> None:
        self.lost[reason] += 1
        self.books[index].invalidate(reason)

    # --- metadata, days, people ------------------------------------------------------------------------------------

    def _define(self, index: int, definition: Instrument) -> None:
        before = self.instruments[index]
        if definition == before:
            return
        self.instruments[index] = self.gate.markets[index].instrument = definition
        self.books[index].set_digits(
            10 ** (PRICE_DECIMALS - definition.price_precision), 10 ** (SIZE_DECIMALS - definition.size_precision)
        )
        self._tell_metadata(index)

    def _tell_metadata(self, index: int) -> None:
        instrument = self.instruments[index]
        if instrument is not None:
            for _, state in self._followers[index]:
                state.instrument(instrument)

    def _new_day(self) -> None:
        self.oms.new_session()
        for (algo, instrument), position in self.oms.positions.items():
            self.algos[algo].state_of(instrument).position(position)

    def _command(self, command: Command, now_ns: int) -> None:
        if command.name == "kill":
            self.gate.halt()
            count = self.desk.cancel_all(lambda _: True, now_ns)
            self._out.append(Notice("error", f"HALTED by {command.who or 'command'}: {count} open orders cancelled"))
        elif command.name == "reduce":
            self.gate.reduce()
        elif command.name == "arm":
            self.gate.arm()
        elif command.name == "stop":
            self._stop(now_ns)
        else:
            self._out.append(Notice("error", f"unknown command {command.name!r}"))
        self.desk.show_limits()

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
                self.desk.fault(algo, fault, now_ns)
                continue
            self.desk.act(algo, actions, now_ns)
            algo.is_alive = False
        self.desk.cancel_all(lambda _: True, now_ns)
        self.gate.state = state

    @property
    def state(self) -> TradingState:
        return self.gate.state
