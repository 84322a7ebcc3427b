"""A venue that is no paper: it answers late, out of order, fills after a cancel, refuses. And a session wired to it.

Time is virtual: `World.run` carries bytes both ways after drawn delays, rings timers, and lets the switch's own loop
ring. What the venue has open is the truth that the gateway's proof is held against.
"""

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import msgspec

from connectors.events import BookSnapshot, ExecReport, ExecType, InstrumentUpdate, RejectCode
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, Asked, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Capabilities, Output, Send, SessionPlan, Venue, WakeAt
from risk.limits import Limits, LimitTree
from runtime.inputs import Frame, Input, LinkUp, Timer, VenueOutput
from runtime.inputs import Output as EngineOutput
from runtime.killswitch import KillSwitch
from runtime.memory import SessionMemory
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec

P, Q, MS, SECOND = 10**9, 10**8, 10**6, 10**9
START_NS = 1_785_000_000 * SECOND
LINK = "public"
LIMITS = Limits(
    max_position_1e8=10**15, max_order_notional_1e9=10**17, max_order_rate=100_000, price_collar_bps=9_000,
    max_daily_loss_1e9=10**17, max_book_age_ns=10**15,
)  # fmt: skip
_encode, _decode = msgspec.json.Encoder().encode, msgspec.json.Decoder().decode


class Encoder:
    """Orders as JSON lists: what, order id, then what it asks for."""

    def __init__(self, venue: str) -> None:
        self._venue = venue

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        del now_ns
        new = approved.order
        body = ["new", new.client_order_id, new.instrument, new.side, new.px_1e9, new.qty_1e8, new.algo]
        return Send(LINK, _encode(body), approved.approval)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        del now_ns
        amend = approved.order
        body = ["amend", amend.client_order_id, amend.instrument, amend.side, amend.px_1e9, amend.qty_1e8]
        return Send(LINK, _encode(body), approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        del now_ns
        return Send(LINK, _encode(["cancel", approved.order.client_order_id]), approved.approval)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        del now_ns
        return Send(LINK, _encode(["cancel_all", approved.order.venue]), approved.approval)


def asked(data: bytes) -> list[Asked]:
    """What such bytes ask for."""
    what, *rest = _decode(data)
    return [Asked(what, rest[0] if what != "cancel_all" else "")]


class Market:
    """The venue's public side and its answers: a frame is a list of events."""

    def __init__(self, plan: SessionPlan) -> None:
        self._plan = plan

    def open(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        del now_ns, link
        made: list[Output] = []
        for index, symbol in self._plan.symbols:
            made.append(InstrumentUpdate(index, instrument(symbol)))
            made.append(BookSnapshot(index, [(100 * P, 1000 * Q)], [(101 * P, 1000 * Q)], None, 10, ""))
        return made

    def close(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        del now_ns, link
        return []

    def receive(self, frame: bytes, now_ns: int, link: str = LINK, /) -> list[Output]:
        del now_ns, link
        kind, *rest = _decode(frame)
        if kind == "book":
            index, bid, ask = rest
            return [BookSnapshot(index, [(bid, 1000 * Q)], [(ask, 1000 * Q)], None, 10, "")]
        return [msgspec.convert(rest[0], ExecReport)]

    def tick(self, now_ns: int) -> list[Output]:
        del now_ns
        return []

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        del instrument, reason, now_ns
        return []


def instrument(symbol: str, venue: str = "sim") -> Instrument:
    return Instrument(
        venue=venue, symbol=symbol, price_precision=2, size_precision=8, tick_size_1e9=P // 100, lot_size_1e8=1
    )


def venue(name: str, number: int) -> Venue:
    return Venue(
        name=name, venue_id=number, public_url="ws://none", market=Market, orders=lambda _: Encoder(name), asked=asked,
        capabilities=Capabilities(
            depths=(10,), checksum=False, order_types=tuple(OrderType), amend=True, cancel_all=True
        ),
    )  # fmt: skip


class Exchange:
    """What the venue really has. `refuses`: answers every cancel with 429. `trades`: orders there may trade."""

    def __init__(self, name: str, dice: random.Random) -> None:
        self.name = name
        self.dice = dice
        self.open: dict[str, list[int]] = {}  # order → market, side, price, total, filled, algo
        self.refuses = False
        self.trades = True
        self.executions = 0

    def take(self, data: bytes) -> list[ExecReport]:
        """The answers to one message, in the venue's own order."""
        what, *rest = _decode(data)
        if what == "new":
            name, market, side, px, qty, algo = rest
            self.open[name] = [market, side, px, qty, 0, algo]
            return [self._report(name, market, ExecType.NEW), *self.fill(name, self.dice.random() * 0.7)]
        if what == "amend":
            name, market, _, px, qty = rest
            if name not in self.open or qty <= self.open[name][4]:
                return [self._report(name, market, ExecType.REPLACE_REJECTED)]
            self.open[name][2:4] = [px, qty]
            return [self._report(name, market, ExecType.REPLACED, px_1e9=px, qty_1e8=qty)]
        names = [rest[0]] if what == "cancel" else list(self.open)
        return [report for name in names for report in self._cancel(name)]

    def _cancel(self, name: str) -> list[ExecReport]:
        if self.refuses:
            market = self.open[name][0] if name in self.open else 0
            return [self._report(name, market, ExecType.CANCEL_REJECTED, reject_code=RejectCode.RATE_LIMIT)]
        late = self.fill(name, 0.3) if self.dice.random() < 0.3 else []  # traded before the cancel got there
        if name not in self.open:
            return [*late, self._report(name, 0, ExecType.CANCEL_REJECTED)]
        market = self.open.pop(name)[0]
        return [*late, self._report(name, market, ExecType.CANCELED)]

    def fill(self, name: str, chance: float) -> list[ExecReport]:
        """A part of it, or all of it, trades."""
        if not self.trades or name not in self.open or self.dice.random() >= chance:
            return []
        market, _, px, total, filled, _ = self.open[name]
        left = total - filled
        qty = left if self.dice.random() < 0.5 else self.dice.randint(1, left)
        self.open[name][4] += qty
        self.executions += 1
        if qty == left:
            del self.open[name]
        return [
            self._report(
                name, market, ExecType.TRADE, exec_id=f"{self.name}{self.executions}", last_qty_1e8=qty,
                last_px_1e9=px, cum_qty_1e8=filled + qty, leaves_qty_1e8=left - qty,
            )
        ]  # fmt: skip

    def _report(self, name: str, market: int, kind: ExecType, **fields: Any) -> ExecReport:
        return ExecReport(client_order_id=name, exec_type=kind, instrument=market, **fields)


class Bell:
    """A timer that can be taken back."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class World:
    """A live session in virtual time. `order_delay`, `answer_delay`: at most so many ms; `shuffle`: answers overtake.

    It is the switch's loop, too. `sent` holds everything that left: time, venue, what it asks for.
    """

    def __init__(
        self, algos: Sequence[AlgoSpec], *, seed: int = 0, venues: Sequence[str] = ("sim",),
        symbols: Sequence[str] = ("BTC/USD",), limits: Limits | LimitTree = LIMITS, memory: SessionMemory | None = None,
        is_paper: bool = False,
    ) -> None:  # fmt: skip
        self.dice = random.Random(seed)
        self.now_ns = START_NS
        self.exchanges = {name: Exchange(name, self.dice) for name in venues}
        made = tuple(VenueSpec(venue=venue(name, k + 1), depth=10) for k, name in enumerate(venues))
        self.session = Session(
            EngineSpec(venues=made, symbols=tuple(symbols), limits=limits, algos=tuple(algos), is_paper=is_paper,
                       memory=memory)
        )  # fmt: skip
        self.engine = self.session.engine
        self.switch = KillSwitch(self.session, self.feed, self._tell, clock=lambda: self.now_ns)
        self.switch.attach(self)
        self.sent: list[tuple[int, str, str, str]] = []
        self.told: list[str] = []
        self.counts: Counter[str] = Counter()
        self.inputs: list[tuple[Input, int]] = []
        self.order_delay = self.answer_delay = 20
        self.shuffle = True
        self.carried: Callable[[str, list[Any]], None] = lambda _venue, _body: None
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._last: Counter[str] = Counter()
        self._flying: dict[str, tuple[int, int]] = {}  # new orders on their way: market, algo
        for name in venues:
            self.feed(LinkUp(name, LINK))

    # --- the switch's loop -----------------------------------------------------------------------------------------

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> object:
        self.later(0, callback)
        return None

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Bell:
        bell = Bell(callback)
        self.later(int(delay * SECOND), lambda: bell.callback() if bell.callback is not None else None)
        return bell

    def later(self, delay_ns: int, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (self.now_ns + delay_ns, self._number, what))

    def run(self, until: Callable[[], bool] = lambda: False, *, ms: int = 10_000) -> None:
        """Whatever is due, in its order, until nothing is, the condition holds, or so much time has passed."""
        end_ns = self.now_ns + ms * MS
        while self._queue and self._queue[0][0] <= end_ns and not until():
            at_ns, _, what = heapq.heappop(self._queue)
            self.now_ns = max(self.now_ns, at_ns)
            what()
        if not until():
            self.now_ns = end_ns

    # --- the session -----------------------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        """As live.py does it."""
        if self.switch.waiting:
            self.switch.take()
        if not self.session.is_stopped:
            self.inputs.append((given, self.now_ns))
            self.session.step(given, self.now_ns, self._carry)

    def book(self, market: int = 0, bid: int = 100 * P, ask: int = 101 * P) -> None:
        """A book of this market: its guests are called."""
        name = self.engine.names[market].partition(":")[0]
        self.feed(Frame(name, LINK, _encode(["book", market, bid, ask])))

    def report(self, venue_name: str, report: ExecReport) -> None:
        self.feed(Frame(venue_name, LINK, _encode(["report", report])))

    def _carry(self, outputs: list[EngineOutput]) -> None:
        for output in outputs:
            match output:
                case VenueOutput(name, Send(_, data)):
                    what, *rest = body = _decode(data)
                    self.sent.append((self.now_ns, name, what, str(rest[0])))
                    self.counts[what] += 1
                    self.carried(name, body)
                    if what == "new":
                        self._flying[rest[0]] = rest[1], rest[5]
                    at_ns = self.now_ns + self.dice.randint(0, self.order_delay) * MS
                    at_ns = self._last[name] = max(at_ns, self._last[name])  # one link keeps its order
                    self.later(at_ns - self.now_ns, partial(self._arrived, name, data))
                case WakeAt(at_ns):
                    self.later(max(at_ns - self.now_ns, 0), lambda: self.feed(Timer()))

    def _arrived(self, name: str, data: bytes) -> None:
        self._flying.pop(_decode(data)[1], None)
        self.answer(name, self.exchanges[name].take(data))

    def answer(self, name: str, reports: Sequence[ExecReport]) -> None:
        """Each after a delay of its own: they overtake each other unless `shuffle` is off."""
        delay = self.dice.randint(0, self.answer_delay)
        for report in reports:
            if self.shuffle:
                delay = self.dice.randint(0, self.answer_delay)
            self.later(delay * MS, partial(self.report, name, report))

    def _tell(self, text: str, _level: str) -> None:
        self.told.append(text)

    # --- the truth -------------------------------------------------------------------------------------------------

    def alive(self, scope: str) -> list[str]:
        """Orders of a scope that some venue has open, or that are on their way to it."""
        found = [name for name, (market, algo) in self._flying.items() if self.in_scope(scope, market, algo)]
        for exchange in self.exchanges.values():
            found += [name for name, order in exchange.open.items() if self.in_scope(scope, order[0], order[5])]
        return found

    def in_scope(self, scope: str, market: int, number: int) -> bool:
        """Whether an order of an algo at a market lies in a scope: written from the words, not from the code."""
        algo = self.engine.algos[number].name
        kind, _, name = scope.partition(":")
        full = self.engine.names[market]
        venue_name, _, symbol = full.partition(":")
        return kind == "all" or name in {"venue": (venue_name,), "instrument": (full, symbol), "algo": (algo,)}[kind]
