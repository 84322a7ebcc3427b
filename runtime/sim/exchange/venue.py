"""A simulated exchange: one account, one market, any number of sockets, REST. Sans I/O; time comes in with every call.

Pure and deterministic: the seed and the sequence of calls decide every byte. A caller carries the frames and looks at
its own clock (`runtime/sim/server.py`), or moves time as it likes (tests). A venue subclasses it, from the venue's own
documentation alone; it shares no code with the connector, so that one misreading cannot sit on both sides.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Final

import msgspec

from runtime.sim.exchange.answer import Answer, gateway_page
from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.desk import Asked, Desk
from runtime.sim.exchange.engine import Engine
from runtime.sim.exchange.faults import COMMON, Faults, Kind, check_system
from runtime.sim.exchange.history import History
from runtime.sim.exchange.numbers import MS, UNIT, scaled
from runtime.sim.exchange.refusal import Refused
from runtime.sim.exchange.rules import Ids, Numbers, Rules
from runtime.sim.market import NS, Leader, Market, MarketEvent, SimPair

WARM_UP_STEPS: Final = 200
MAX_CATCH_UP_S: Final = 2
DEFAULT_RATE_HZ: Final = 140


class ExchangeVenue:
    """The whole venue. Class attributes are what a venue is; see the module of one.

    `market`, or `pairs` to make one of, which follows `leader` where there is one. `balances`: texts by asset.
    `rate_hz`: market steps a second over all symbols, 0 for a market that stands still. `maker_ppm`, `taker_ppm`: fees
    in millionths. `faults`: texts, or those made by `faults_of`. `now_ns` starts it at once, else the first call does.
    Raises ValueError for what makes no sense.
    """

    NAME: ClassVar[str]
    PAIRS: ClassVar[tuple[SimPair, ...]]
    RULES: ClassVar[Rules]
    BALANCES: ClassVar[Mapping[str, str]]
    METHODS: ClassVar[Mapping[str, str]]
    """The venue's own words for requests, as faults name them → what each is at every venue (`faults.NEUTRAL`)."""
    LINKS: ClassVar[Mapping[str, str]]
    """Link of a session → path here; "" for HTTP."""
    EXTRA_FAULTS: ClassVar[Mapping[str, Kind]] = {}

    def __init__(
        self, *, seed: int = 0, now_ns: int | None = None, market: Market | None = None, leader: Leader | None = None,
        pairs: Sequence[SimPair] = (), faults: Faults | Sequence[str] = (), balances: Mapping[str, str] | None = None,
        rate_hz: int = DEFAULT_RATE_HZ, maker_ppm: int | None = None, taker_ppm: int | None = None,
    ) -> None:  # fmt: skip
        if not 0 <= rate_hz <= 1_000_000:
            raise ValueError("rate_hz must lie in 1 … 1,000,000 steps a second, or be 0: a market that stands still")
        self.market = market if market is not None else Market(pairs or self.PAIRS, seed, leader=leader)
        self.seed = self.market.seed
        self.faults = faults if isinstance(faults, Faults) else self.faults_of(*faults)
        self.pairs: dict[str, SimPair] = {pair.symbol: pair for pair in self.market.pairs}
        amounts = {asset: _amount(asset, text) for asset, text in (balances or self.BALANCES).items()}
        fees = {"maker_ppm": maker_ppm, "taker_ppm": taker_ppm}
        rules = msgspec.structs.replace(self.RULES, **{name: fee for name, fee in fees.items() if fee is not None})
        self.engine = Engine(self.market, amounts, rules, self.ids())
        self.desk = Desk(self.engine, self.faults, lambda method: self.METHODS.get(method, method))
        self.history = {pair.symbol: History(pair) for pair in self.market.pairs}
        self.connections: list[ExchangeConnection] = []
        self.now_ns = self.started_ns = 0
        self._interval_ns = NS // rate_hz if rate_hz else 0
        self._step_ns = 0
        self._is_started = False
        self._opened = 0
        self._later: list[tuple[int, int, Callable[[int], None]]] = []
        self._later_count = 0
        if now_ns is not None:
            self._start(now_ns)

    @classmethod
    def faults_of(cls, *texts: str) -> Faults:
        """Faults in this venue's words. Raises ValueError."""
        return Faults(*texts, table={**COMMON, **cls.EXTRA_FAULTS}, words=cls.METHODS)

    # --- what a venue says -------------------------------------------------------------------------------------------

    def ids(self) -> Ids:
        """How it numbers orders and fills."""
        return Numbers(self.seed)

    def socket(self, path: str) -> type[ExchangeConnection] | None:
        """What speaks at a path (with its query); None where nothing does."""
        raise NotImplementedError

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        """One HTTP request; `headers` by lower-case name. Raises for nothing a client may send."""
        raise NotImplementedError

    def rest_method(self, method: str, path: str) -> str:
        """What faults call a request: one of METHODS, or the path."""
        return f"{method} {path}"

    def limited(self, now_ns: int) -> Answer:
        """The venue's own word for too many requests."""
        del now_ns
        return Answer(429, "text/plain", b"too many requests\n")

    @property
    def credentials(self) -> dict[str, str]:
        """key, secret and what else its account is opened with, by name."""
        raise NotImplementedError

    @property
    def links(self) -> Mapping[str, str]:
        return self.LINKS

    # --- doors -------------------------------------------------------------------------------------------------------

    def _start(self, now_ns: int) -> None:
        if self._is_started:
            return
        self._is_started = True
        self.now_ns = self.started_ns = now_ns
        self._step_ns = now_ns + self._interval_ns
        for left in range(WARM_UP_STEPS, 0, -1):  # some trades to look back on
            self._note(self.market.step(now_ns - left * (self._interval_ns or NS // DEFAULT_RATE_HZ)))

    def refusal(self, now_ns: int, path: str = "") -> Answer | None:
        """What a new socket is answered instead of being accepted; each question is an attempt."""
        self._start(now_ns)
        if path and self.socket(path) is None:
            return Answer(404, "text/plain", b"nothing speaks here\n")
        age_ns = now_ns - self.started_ns
        if any(self.faults.fires(name, age_ns) for name in ("connect_refused", "ban")):
            return Answer(429, "text/plain", b"too many connections\n")
        return None

    def connect(self, now_ns: int, path: str = "") -> ExchangeConnection:
        """Accepts a client at a path, the public one where none is named. Raises ValueError where nothing speaks."""
        self._start(now_ns)
        self.advance(now_ns)
        path = path or self.LINKS["public"]
        kind = self.socket(path)
        if kind is None:
            raise ValueError(f"{self.NAME} does not speak at {path}")
        connection = kind(self, self._opened, now_ns, path)
        self._opened += 1
        self.connections.append(connection)
        return connection

    def disconnect(self, connection: ExchangeConnection) -> None:
        """Forgets a client with all its subscriptions; twice is once. Its orders stay."""
        if connection in self.connections:
            self.connections.remove(connection)

    def rest(self, method: str, target: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        """Answers one HTTP request, as the gateway before the venue lets it; `headers` by lower-case name."""
        self._start(now_ns)
        self.advance(now_ns)
        path, _, query = target.partition("?")
        what, age_ns = self.rest_method(method, path), now_ns - self.started_ns
        answer = self._gateway(what, age_ns, now_ns)
        if answer is None:
            answer = self.answer(method, path, query, headers, body, now_ns)
            self.flush(now_ns)
            live = self.faults.fires("gateway_error_live", age_ns, 0, what)
            answer = gateway_page(live.number) if live is not None else answer
        late = self.faults.fires("rest_late", age_ns, 0, what)
        if self.faults.fires("rest_lost", age_ns, 0, what) is not None:
            answer = msgspec.structs.replace(answer, is_lost=True)
        delay_ns = answer.delay_ns + (late.number * MS if late is not None else 0)
        return msgspec.structs.replace(answer, delay_ns=delay_ns)

    def _gateway(self, what: str, age_ns: int, now_ns: int) -> Answer | None:
        fault = self.faults.fires("gateway_error", age_ns, 0, what)
        if fault is not None:
            return gateway_page(fault.number)
        if self.faults.fires("http_429", age_ns, 0, what) is not None:
            return gateway_page(429)
        if self.faults.fires("rest_rate_limit", age_ns, 0, what) is not None or self.faults.active("ban", age_ns):
            return self.limited(now_ns)
        return None

    def trade_rest(
        self, method: str, act: Callable[[Asked], Answer], refuse: Callable[[Refused], Answer], now_ns: int
    ) -> Answer:
        """A request that touches orders, over HTTP: its answer, or what faults make of it."""
        asked, faults = self.asked(method, now_ns), self.faults
        answer = self.desk.run(act, refuse, asked)
        late = faults.fires("ack_late", asked.age_ns, 0, method)
        lost = [faults.fires(name, asked.age_ns, 0, method) for name in ("ack_lost", "response_lost")]
        if any(fault is not None for fault in lost):
            answer = msgspec.structs.replace(answer, is_lost=True)
        if self.desk.executions_first or faults.active("executions_first", asked.age_ns, 0, method):
            answer = msgspec.structs.replace(answer, delay_ns=100 * MS)
        self.desk.finish(now_ns)
        self.flush(now_ns)
        return msgspec.structs.replace(answer, delay_ns=late.number * MS) if late is not None else answer

    def asked(self, method: str, now_ns: int) -> Asked:
        """A request that belongs to no connection."""
        return Asked(method, now_ns, now_ns - self.started_ns)

    def seen_ns(self, now_ns: int, method: str = "") -> int:
        """How far lists see: up to now, or up to where the fault lets them."""
        lag = self.faults.active("delayed_visibility", now_ns - self.started_ns, 0, method)
        return now_ns - (lag.number * NS if lag is not None else 0)

    # --- time --------------------------------------------------------------------------------------------------------

    def later(self, at_ns: int, act: Callable[[int], None]) -> None:
        """Does something at a time."""
        self._later_count += 1
        heapq.heappush(self._later, (at_ns, self._later_count, act))

    @property
    def next_ns(self) -> int | None:
        """When `advance` is wanted next; None while nothing has been asked yet."""
        due = self._due() if self._is_started else None
        dues = [connection.next_ns for connection in self.connections] + [due]
        return min((at_ns for at_ns in dues if at_ns is not None), default=None)

    def _due(self) -> int | None:
        dues = [self._step_ns] if self._interval_ns else []
        dues += [self._later[0][0]] if self._later else []
        timer_ns = self.engine.next_ns
        return min(dues if timer_ns is None else [*dues, timer_ns], default=None)

    def advance(self, now_ns: int) -> None:
        """Brings the world to `now_ns`: the market moves, timers fire, late things come.

        After a gap of more than two seconds the rest of the market's gap is skipped rather than replayed in one burst.
        """
        if not self._is_started or now_ns < self.now_ns:
            return
        self._step_ns = max(self._step_ns, now_ns - MAX_CATCH_UP_S * NS)
        while (due := self._due()) is not None and due <= now_ns:
            self.now_ns = max(self.now_ns, due)
            self.engine.advance(due)
            while self._later and self._later[0][0] <= due:
                heapq.heappop(self._later)[2](due)
            self.flush(now_ns)
            if self._interval_ns and self._step_ns <= due:
                event = self.market.step(self._step_ns)
                self._step_ns += self._interval_ns
                self.publish(event, now_ns)
                self.flush(now_ns)
        self.now_ns = now_ns
        status = self.faults.active("status", now_ns - self.started_ns)
        if status is not None:
            self.set_status(str(status.value), now_ns)
        for connection in list(self.connections):
            connection.on_time(now_ns)

    def clock(self, now_ns: int) -> int:
        """The time that the venue prints, which a fault may have moved."""
        skew = self.faults.active("clock_skew", now_ns - self.started_ns)
        return now_ns + (skew.number * MS if skew is not None else 0)

    # --- what everybody hears ----------------------------------------------------------------------------------------

    def _note(self, event: MarketEvent) -> None:
        for trade in event.trades:
            self.history[event.symbol].add(trade)

    def publish(self, event: MarketEvent, now_ns: int) -> None:
        """A book moved: everybody is told."""
        self._note(event)
        for connection in list(self.connections):
            connection.on_market(event, now_ns)

    def flush(self, now_ns: int) -> None:
        """Tells what the engine has done since: orders, balances, then the public's books and trades."""
        engine = self.engine
        told, engine.told = engine.told, []
        assets, engine.account.touched = frozenset(engine.account.touched), set()
        touched, engine.matcher.touched = engine.matcher.touched, {}
        for connection in list(self.connections):
            for item in told:
                connection.on_told(item, now_ns)
            if assets:
                connection.on_balances(assets, now_ns)
        for symbol, trades in touched.items():
            self.publish(MarketEvent(symbol, now_ns, (), tuple(trades)), now_ns)

    def set_status(self, system: str, now_ns: int) -> None:
        """The system's state: online, maintenance, cancel_only, post_only, limit_only. Raises ValueError."""
        check_system(system)
        if system != self.engine.system:
            self.engine.system = system
            for connection in list(self.connections):
                for frame in connection.status_frames(system, now_ns):
                    connection.send(frame, now_ns)


def _amount(asset: str, text: str) -> int:
    found = scaled(text, UNIT)
    if found is None or found < 0:
        raise ValueError(f"balance {asset}={text}: not an amount with up to {UNIT} decimals")
    return found
