"""The simulated Kraken: one account, one market, any number of sockets, REST. Sans I/O; time comes in with every call.

Pure and deterministic: the seed and the sequence of calls decide every byte. A caller carries the frames and looks at
its own clock (`server.py`), or moves time as it likes (tests). From venues.md, section 7, alone; shares no code with
the connector, so one misreading cannot sit on both sides.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from typing import ClassVar, Final

import msgspec

from runtime.sim.exchange.answer import JSON, Answer
from runtime.sim.exchange.history import History
from runtime.sim.kraken.access import TRADING_PERMISSIONS, Access
from runtime.sim.kraken.account import UNIT
from runtime.sim.kraken.connection import Connection
from runtime.sim.kraken.desk import Desk
from runtime.sim.kraken.engine import Engine
from runtime.sim.kraken.faults import Faults, check_system
from runtime.sim.kraken.public import instrument_frame, status_frame
from runtime.sim.kraken.rates import TIERS
from runtime.sim.kraken.rest import Rest
from runtime.sim.kraken.trading import Trading
from runtime.sim.kraken.wire import scaled
from runtime.sim.market import NS, Market, MarketEvent, SimPair

WARM_UP_STEPS: Final = 200
MAX_CATCH_UP_S: Final = 2
DEFAULT_RATE_HZ: Final = 140
DEFAULT_BALANCES: Final = {"USD": "1000000", "BTC": "10", "ETH": "200", "SOL": "5000", "DOGE": "5000000"}
PUBLIC_PATH: Final = "/v2"
PRIVATE_PATH: Final = "/auth/v2"
CONNECTS: Final = 150
CONNECTS_NS: Final = 600 * NS


class KrakenVenue:
    """The whole venue.

    `balances` are texts by asset. `rate_hz`: market steps a second over all symbols, 0 for a market that stands still.
    `tier`: starter, intermediate, pro. `maker_ppm`, `taker_ppm`: fees in millionths. `idle_close_s`: silence of a
    client after which its socket is closed, 0 never. `limits_connects`: 150 connections in ten minutes, then none for
    ten. `now_ns` starts it at once, else the first call does. Raises ValueError for what makes no sense.
    """

    NAME: ClassVar[str] = "kraken"
    LINKS: ClassVar[Mapping[str, str]] = {
        "public": PUBLIC_PATH, "audit": PUBLIC_PATH, "private": PRIVATE_PATH, "rest": "",
    }  # fmt: skip

    def __init__(
        self, *, seed: int = 0, now_ns: int | None = None, market: Market | None = None, faults: Faults | None = None,
        key: str = "", secret: str = "", balances: Mapping[str, str] | None = None, tier: str = "pro",
        permissions: tuple[str, ...] = TRADING_PERMISSIONS, nonce_window: int = 0, maker_ppm: int = 2_500,
        taker_ppm: int = 4_000, rate_hz: int = DEFAULT_RATE_HZ, idle_close_s: int = 60, limits_connects: bool = False,
    ) -> None:  # fmt: skip
        if not 0 <= rate_hz <= 1_000_000:
            raise ValueError("rate_hz must lie in 1 … 1,000,000 steps a second, or be 0: a market that stands still")
        if tier not in TIERS:
            raise ValueError(f"no tier {tier!r}; there are {', '.join(TIERS)}")
        self.market = market if market is not None else Market(seed=seed)
        self.faults = faults if faults is not None else Faults()
        self.pairs: dict[str, SimPair] = {pair.symbol: pair for pair in self.market.pairs}
        self.book_pairs = dict(self.pairs)
        self.price_scale = 1
        amounts = {asset: _amount(asset, text) for asset, text in (balances or DEFAULT_BALANCES).items()}
        self.engine = Engine(
            self.market, amounts, tier=tier, maker_ppm=maker_ppm, taker_ppm=taker_ppm, seed=self.market.seed
        )
        self.history = {pair.symbol: History(pair) for pair in self.market.pairs}
        self.access = Access(key, secret, seed=self.market.seed, permissions=permissions, nonce_window=nonce_window)
        self.key_name = "simulated"
        self.desk = Desk(self)
        self.trading = Trading(self, self.desk)
        self.rest_side = Rest(self)
        self.idle_close_s = idle_close_s
        self.now_ns = self.started_ns = 0
        self._interval_ns = NS // rate_hz if rate_hz else 0
        self._step_ns = 0
        self._is_started = False
        self._limits_connects = limits_connects
        self._connects: list[int] = []
        self._banned_ns = 0
        self._opened = 0
        self._connections: list[Connection] = []
        self._later: list[tuple[int, int, Callable[[int], None]]] = []
        self._later_count = 0
        if now_ns is not None:
            self._start(now_ns)

    def _start(self, now_ns: int) -> None:
        if self._is_started:
            return
        self._is_started = True
        self.now_ns = self.started_ns = now_ns
        self._step_ns = now_ns + self._interval_ns
        for left in range(WARM_UP_STEPS, 0, -1):  # some trades to put into the first snapshots
            self._note(self.market.step(now_ns - left * (self._interval_ns or NS // DEFAULT_RATE_HZ)))

    # --- as every simulated exchange has it -------------------------------------------------------------------------

    @classmethod
    def faults_of(cls, *texts: str) -> Faults:
        """Faults in this venue's words. Raises ValueError."""
        return Faults(*texts)

    @property
    def links(self) -> Mapping[str, str]:
        return self.LINKS

    @property
    def credentials(self) -> dict[str, str]:
        return {"key": self.access.key, "secret": self.access.secret}

    # --- doors ------------------------------------------------------------------------------------------------------

    def refusal(self, now_ns: int, path: str = "") -> Answer | None:
        """What a new WebSocket connection is answered instead of being accepted; each question is an attempt."""
        self._start(now_ns)
        if path and not path.partition("?")[0].rstrip("/").endswith(PUBLIC_PATH):
            return Answer(404, JSON, b"this venue speaks at /v2\n")
        age_ns = now_ns - self.started_ns
        if any(self.faults.fires(name, age_ns) for name in ("connect_refused", "ban")):
            return Answer(429, JSON, b"")
        if not self._limits_connects:
            return None
        self._connects = [at_ns for at_ns in self._connects if at_ns > now_ns - CONNECTS_NS] + [now_ns]
        if len(self._connects) > CONNECTS:
            self._connects, self._banned_ns = [], now_ns + CONNECTS_NS
        return Answer(429, JSON, b"") if now_ns < self._banned_ns else None

    def connect(self, now_ns: int, path: str = "", *, is_private: bool = False) -> Connection:
        """Accepts a client, by its path or as it is said; the status frame waits in its `take`."""
        self._start(now_ns)
        self.advance(now_ns)
        is_private = is_private or "/auth" in path.partition("?")[0]
        connection = Connection(self, self._opened, now_ns, is_private=is_private)
        self._opened += 1
        self._connections.append(connection)
        return connection

    def disconnect(self, connection: Connection) -> None:
        """Forgets a client with all its subscriptions; twice is once. Its orders stay, and the dead man's switch."""
        if connection in self._connections:
            self._connections.remove(connection)

    def rest(self, method: str, target: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        """Answers one HTTP request; `headers` by lower-case name."""
        self._start(now_ns)
        self.advance(now_ns)
        return self.rest_side.handle(method, target, headers, body, now_ns)

    # --- time -------------------------------------------------------------------------------------------------------

    def later(self, at_ns: int, act: Callable[[int], None]) -> None:
        """Does something at a time."""
        self._later_count += 1
        heapq.heappush(self._later, (at_ns, self._later_count, act))

    @property
    def next_ns(self) -> int | None:
        """When `advance` is wanted next; None while nothing has been asked yet."""
        dues = [connection.next_ns for connection in self._connections] + [self.engine.next_ns]
        dues += [self._later[0][0]] if self._later else []
        dues += [self._step_ns] if self._is_started and self._interval_ns else []
        return min((due for due in dues if due is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Brings the world to `now_ns`: the market moves, timers fire, late things come, hearts beat.

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
                self.publish(self.market.step(self._step_ns), now_ns)
                self._step_ns += self._interval_ns
                self.flush(now_ns)
        self.now_ns = now_ns
        self._system(now_ns)
        for connection in list(self._connections):
            connection.on_time(now_ns)

    def _due(self) -> int | None:
        dues = [self._step_ns] if self._interval_ns else []
        dues += [self._later[0][0]] if self._later else []
        timer_ns = self.engine.next_ns
        return min(dues if timer_ns is None else [*dues, timer_ns], default=None)

    def clock(self, now_ns: int) -> int:
        """The time that the venue prints, which a fault may have moved."""
        skew = self.faults.active("clock_skew", now_ns - self.started_ns)
        return now_ns + (skew.number * 1_000_000 if skew is not None else 0)

    # --- what everybody hears ---------------------------------------------------------------------------------------

    def _note(self, event: MarketEvent) -> None:
        for trade in event.trades:
            self.history[event.symbol].add(trade)

    def publish(self, event: MarketEvent, now_ns: int) -> None:
        self._note(event)
        for connection in list(self._connections):
            connection.on_event(event, now_ns)

    def flush(self, now_ns: int) -> None:
        """Tells what the engine has done since: executions, balances, then the public's books and trades."""
        engine = self.engine
        told, engine.told = engine.told, []
        entries, engine.ledger = engine.ledger, []
        touched, engine.matcher.touched = engine.matcher.touched, {}
        for connection in list(self._connections):
            if connection.executions is not None:
                for item in told:
                    connection.executions.tell(item, now_ns)
            if connection.balances is not None and entries:
                connection.balances.tell(entries, now_ns)
        for symbol, trades in touched.items():
            self.publish(MarketEvent(symbol, now_ns, (), tuple(trades)), now_ns)

    def set_status(self, system: str, now_ns: int) -> None:
        """The system's state: online, maintenance, cancel_only, post_only, limit_only. Raises ValueError."""
        check_system(system)
        if system != self.engine.system:
            self.engine.system = system
            for connection in self._connections:
                connection.send(status_frame(system, connection.connection_id), now_ns)

    def set_pair_status(self, symbol: str, status: str, now_ns: int) -> None:
        """One pair's state, told by the instrument channel. Raises KeyError for an unknown pair."""
        _ = self.pairs[symbol]
        self.engine.pair_status[symbol] = status
        self._tell_instrument(now_ns)

    def _tell_instrument(self, now_ns: int) -> None:
        frame = instrument_frame("update", self.pairs.values(), self.engine.pair_status)
        for connection in self._connections:
            if ("instrument", "", 0) in connection.channels:
                connection.send(frame, now_ns)

    def _system(self, now_ns: int) -> None:
        """Faults of the whole venue that are due."""
        age_ns = now_ns - self.started_ns
        status = self.faults.active("status", age_ns)
        if status is not None:
            self.set_status(str(status.value), now_ns)
        if self.price_scale == 1 and self._opened and self.faults.fires("precision_change", age_ns):
            self.price_scale = 10
            for symbol, pair in self.pairs.items():
                finer = {"price_precision": pair.price_precision + 1, "start_price": pair.start_price * 10}
                self.pairs[symbol] = msgspec.structs.replace(pair, tick=pair.tick, **finer)
            self._tell_instrument(now_ns)

    # --- who may ----------------------------------------------------------------------------------------------------

    def token_error(self, connection: Connection, token: object, method: str, now_ns: int) -> str:
        """The venue's word for a token it does not take: a subscription keeps its own alive for its connection."""
        bad = connection.fires("token_expired", now_ns, method) is not None
        held = isinstance(token, str) and (token in connection.tokens or self.access.holds(token, now_ns))
        return "ESession:Invalid session" if bad or not held else ""

    def permission_error(self, method: str) -> str:
        """The venue's word when the key may not do that."""
        return self.access.permission_error(method)


def _amount(asset: str, text: str) -> int:
    found = scaled(text, UNIT)
    if found is None or found < 0:
        raise ValueError(f"balance {asset}={text}: not an amount with up to {UNIT} decimals")
    return found
