"""The session that is killed, and what it is fed: algos that trade a lot, tight limits, venues, a person's words.

On paper the frames come from simulated Krakens; live, from two venues that answer late and fill in parts.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.events import ExecReport, ExecType, InstrumentUpdate, Reconciled
from connectors.orders import Action, Approved, Asked, NewOrder, OrderType
from connectors.session import Output, Send, Venue
from connectors.venues.kraken import VENUE
from risk.limits import SECOND_NS, Limits, LimitTree, Scope
from risk.memory import Memory
from risk.override import Grant
from risk.states import ALL
from runtime.abi import ActionKind
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from runtime.journal.schema import Durability
from runtime.memory import SessionMemory
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.sim.frames import Close
from runtime.sim.kraken import KrakenConnection, KrakenSim
from runtime.sim.market import Market as SimMarket
from runtime.spec import AlgoSpec, EngineSpec
from tests.support import kill_world
from tests.support.kill_world import Exchange, P, Q
from tests.support.puppet import Puppet, cancel, market, order

MS: Final = 10**6
USD: Final = 10**9
DAY_NS: Final = 86_400 * SECOND_NS
BEGIN_NS: Final = 20_660 * DAY_NS - 40 * SECOND_NS  # forty seconds before midnight
SYMBOLS: Final = ("BTC/USD", "ETH/USD")
ALGOS: Final = ("a", "b", "c")
BALANCES: Final = {"kraken": {"USD": 40_000 * Q, "BTC": Q, "ETH": 10 * Q}}
SCOPES: Final = (ALL, *(f"algo:{name}" for name in ALGOS), "instrument:BTC/USD", "venue:other")


@dataclass(frozen=True)
class Plan:
    """One life of a session. `tag` is its own; `spoil`: write the memory only every so many turns, which is wrong."""

    journal: Path
    inputs: Path
    seed: int
    tag: str
    begin_ns: int
    is_paper: bool
    durability: Durability = "process"
    spoil: int = 0

    @property
    def unit_1e8(self) -> int:
        """A size worth about 60 USD."""
        return Q // 1000 if self.is_paper else Q * 6 // 10


# --- what is traded, by whom, under which limits ----------------------------------------------------------------------


def limits(unit: int, dice: random.Random | None = None) -> LimitTree:
    """Tight enough that every one of them is met within seconds; with dice, what a person might change them to."""

    def about(value: int) -> int:
        return value if dice is None else value * dice.choice((2, 3, 4, 4, 4, 6)) // 4

    account = Limits(
        max_position_1e8=about(16 * unit), max_order_notional_1e9=900 * USD, max_order_rate=about(9),
        price_collar_bps=2_000, max_daily_loss_1e9=about(6 * USD), max_drawdown_1e9=about(5 * USD), max_open_orders=12,
        max_cancel_rate=about(6), max_duplicates=3, duplicate_window_ns=2 * SECOND_NS, max_repeats=9,
        repeat_window_ns=20 * SECOND_NS, max_refusals=60, refusal_window_ns=5 * SECOND_NS,
    )  # fmt: skip
    scopes = [
        Scope("venue", "other", {"max_order_rate": about(6), "max_position_1e8": about(12 * unit)}),
        Scope("instrument", "BTC/USD", {"max_position_1e8": about(10 * unit)}),
        Scope("algo", "a", {"max_order_rate": about(4), "max_daily_loss_1e9": about(3 * USD)}),
        Scope("algo", "b", {"max_position_1e8": about(7 * unit), "max_drawdown_1e9": about(2 * USD)}),
        Scope("canary", "", {"max_orders": 150}),
    ]
    kept = [scope for scope in scopes if dice is None or dice.random() < 0.85]
    return LimitTree(account, tuple(kept))


class Trader(Puppet):
    """Asks for something at most books: sizes and prices from a short list, so that orders are equal now and then."""

    def __init__(self, name: str, seed: int, unit_1e8: int) -> None:
        super().__init__("on_book", name=name)
        self.sha256 = name.encode().hex().rjust(64, "0")
        self.dice = random.Random(f"{name} {seed}")
        self.unit_1e8 = unit_1e8
        self.placed = 0
        self.mids: Callable[[int], int] = lambda _: 0
        self.on("on_book", lambda _: self.one())

    def one(self) -> list[Action]:
        self.heard.clear()
        dice, chance = self.dice, self.dice.random()
        if chance < 0.6:
            return []
        lately = max(self.placed - dice.randint(0, 5), 1)
        if chance < 0.66:
            return [cancel(lately)]
        symbol, qty = dice.randint(0, 1), dice.randint(1, 3) * self.unit_1e8
        mid = self.mids(symbol)
        px = mid * dice.choice((98, 99, 100, 101, 102)) // 100 // (10**7) * 10**7
        if self.unit_1e8 % 10**6:
            px = px // P * P  # Kraken's grid is coarser
        side = dice.choice((1, -1))
        if chance < 0.71:
            return [order(lately, side, qty, px, kind=ActionKind.AMEND, order_type=OrderType.LIMIT)]
        self.placed += 1
        kind = dice.choice((OrderType.LIMIT, OrderType.LIMIT, OrderType.LIMIT, OrderType.IOC, OrderType.MARKET))
        aim = {"symbol_idx": symbol, "venue_id": dice.choice((0, 0, 2))}
        if chance > 0.95:  # what overrides are given for
            return [market(self.placed, side, 2 * self.unit_1e8, venue_id=2)]
        return [order(self.placed, side, qty, 0 if kind is OrderType.MARKET else px, order_type=kind, **aim)]


class Quoted(kill_world.Market):
    """The venues that are no paper: begin without a book, and also say that their record and ours agree."""

    def open(self, now_ns: int, link: str = kill_world.LINK, /) -> list[Output]:
        return [one for one in super().open(now_ns, link) if isinstance(one, InstrumentUpdate)]

    def receive(self, frame: bytes, now_ns: int, link: str = kill_world.LINK, /) -> list[Output]:
        kind, *rest = msgspec.json.decode(frame)
        return [Reconciled(rest[0])] if kind == "reconciled" else super().receive(frame, now_ns, link)


class Encoder(kill_world.Encoder):
    """Its new orders say their type, too."""

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        *body, _ = msgspec.json.decode(super().submit(approved, now_ns).data)
        data = msgspec.json.encode([*body, int(approved.order.order_type)])
        return Send(kill_world.LINK, data, approved.approval)


def asked(data: bytes) -> list[Asked]:
    """What such bytes ask for, in full: the exit compares it."""
    what, name, *rest = msgspec.json.decode(data)
    match what:
        case "new":
            index, side, px, qty, kind = rest
            return [Asked(what, name, SYMBOLS[index % 2], side, px, qty, kind)]
        case "amend":
            return [Asked(what, name, px_1e9=rest[2], qty_1e8=rest[3])]
    return [Asked(what, name if what == "cancel" else "")]


def quoted(name: str, number: int) -> Venue:
    """One of the two that are no paper."""
    venue = kill_world.venue(name, number)
    return msgspec.structs.replace(venue, market=Quoted, orders=lambda _: Encoder(name), asked=asked)


def spec_of(plan: Plan, memory: SessionMemory | None = None) -> EngineSpec:
    """The session that a person would start with this configuration."""
    if plan.is_paper:
        venues = VENUE, msgspec.structs.replace(VENUE, name="other", venue_id=2)
    else:
        venues = quoted("sim", 1), quoted("other", 2)
    algos = tuple(AlgoSpec(name, Trader(name, plan.seed, plan.unit_1e8), SYMBOLS) for name in ALGOS)
    return EngineSpec(
        venues=tuple(VenueSpec(venue=venue, depth=10) for venue in venues), symbols=SYMBOLS,
        limits=limits(plan.unit_1e8), algos=algos, tag=plan.tag, is_paper=plan.is_paper,
        balances=BALANCES if plan.is_paper else {}, memory=memory,
    )  # fmt: skip


def session_of(spec: EngineSpec) -> Session:
    """Its guests see the last good price of their own venue."""
    session = Session(spec)
    for algo in spec.algos:
        assert isinstance(algo.guest, Trader)
        algo.guest.mids = lambda symbol: session.engine.desk.marks[symbol] // 2
    return session


# --- what it is fed ---------------------------------------------------------------------------------------------------


class Krakens:
    """Two simulated Krakens, and the connections to them."""

    def __init__(self, seed: int) -> None:
        self._sims = {name: KrakenSim(SimMarket(seed=seed + n)) for n, name in enumerate(("kraken", "other"))}
        self._connections: dict[str, KrakenConnection] = {}

    def begin(self, now_ns: int) -> list[Input]:
        return [given for name in self._sims for given in self.dial(name, now_ns)]

    def dial(self, name: str, now_ns: int) -> list[Input]:
        self._connections[name], frames = self._sims[name].connect(now_ns)
        return [LinkUp(name, "public"), *self._heard(name, frames, now_ns)]

    def hang_up(self, name: str, reason: str, now_ns: int) -> list[Input]:
        self._sims[name].disconnect(self._connections.pop(name))
        return [LinkDown(name, "public", reason), *self.dial(name, now_ns)]

    def step(self, now_ns: int) -> list[Input]:
        found: list[Input] = [Timer()]
        for name, sim in self._sims.items():
            for connection, frames in sim.tick(now_ns):
                if connection is self._connections.get(name):
                    found += self._heard(name, frames, now_ns)
        return found

    def take(self, name: str, data: bytes, now_ns: int) -> list[Input]:
        return self._heard(name, self._connections[name].receive(data, now_ns), now_ns)

    def _heard(self, name: str, frames: Any, now_ns: int) -> list[Input]:
        found: list[Input] = []
        for frame in frames:
            if isinstance(frame, Close):
                return [*found, *self.hang_up(name, frame.reason, now_ns)]
            found.append(Frame(name, "public", frame.encode() if isinstance(frame, str) else frame))
        return found


class Venues:
    """Two venues that are no paper: books that wander and jump, answers that come late."""

    def __init__(self, plan: Plan, left: Memory | None) -> None:
        self.dice = random.Random(f"venues {plan.seed}")
        self._exchanges = {name: Exchange(f"{name}{plan.tag}", self.dice) for name in ("sim", "other")}
        self._mids = [100 * P] * 4
        self._due: list[tuple[int, str, ExecReport]] = []
        self._market_of: dict[str, int] = {}
        self._left = left.open_orders if left is not None else ()

    def begin(self, now_ns: int) -> list[Input]:
        """Every order that was in doubt is settled, or is still there; only then records agree."""
        for one in self._left:
            venue, market = one.market.split(":")[0], self._market(one.market)
            exchange, name = self._exchanges[venue], one.new.client_order_id
            self._market_of[name] = market
            at_ns = now_ns + self.dice.randint(1, 1500) * MS
            most = max(one.qty_1e8, one.filled_1e8 + 1)
            exchange.open[name] = [market, one.new.side, one.px_1e9 or 100 * P, most, one.filled_1e8, 0]
            told = exchange.fill(name, 0.4)
            if one.asked or self.dice.random() < 0.6:
                exchange.open.pop(name, None)
                told.append(ExecReport(client_order_id=name, exec_type=ExecType.CANCELED, instrument=market))
            self._due += [(at_ns, venue, report) for report in told]
        return [LinkUp("sim", kill_world.LINK), LinkUp("other", kill_world.LINK)]

    def agreed(self) -> list[Input]:
        return [Frame(name, kill_world.LINK, msgspec.json.encode(["reconciled", name])) for name in self._exchanges]

    def hang_up(self, name: str, reason: str, now_ns: int) -> list[Input]:
        raise AssertionError((name, reason, now_ns))

    def step(self, now_ns: int) -> list[Input]:
        due = [one for one in self._due if one[0] <= now_ns]
        if due:
            at_ns, venue, report = one = due[0]
            del at_ns
            self._due.remove(one)
            return [Frame(venue, kill_world.LINK, msgspec.json.encode(["report", report]))]
        index = self.dice.randrange(4)
        far = 200 if self.dice.random() < 0.05 else 20
        self._mids[index] = mid = max(self._mids[index] * (10_000 + self.dice.randint(-far, far)) // 10_000, 50 * P)
        bid = mid // 10**7 * 10**7
        body = ["book", index, bid, bid + P // 50]
        return [Frame(("sim", "other")[index // 2], kill_world.LINK, msgspec.json.encode(body))]

    def take(self, name: str, data: bytes, now_ns: int) -> list[Input]:
        what, *rest = msgspec.json.decode(data)
        if what == "new" and not rest[3]:
            rest[3] = self._mids[rest[1]]  # a market order trades at what there is
        if what == "new":
            self._market_of[rest[0]] = rest[1]
        for report in self._exchanges[name].take(msgspec.json.encode([what, *rest])):
            index = self._market_of.get(report.client_order_id, report.instrument)  # of what is gone it says none
            told = msgspec.structs.replace(report, instrument=index)
            self._due.append((now_ns + self.dice.randint(1, 120) * MS, name, told))
        return []

    def _market(self, name: str) -> int:
        venue, _, symbol = name.partition(":")
        return ("sim", "other").index(venue) * 2 + SYMBOLS.index(symbol)


def word(dice: random.Random, unit_1e8: int, now_ns: int) -> Command:
    """What a person says: mostly arms, for without it everything would soon be halted."""
    chance = dice.random()
    if chance < 0.6:
        return Command("arm", "ana", dice.choice((ALL, ALL, ALL, ALL, ALL, *SCOPES)))
    if chance < 0.72:
        return Command(dice.choice(("kill", "reduce")), "ana", dice.choice(SCOPES))
    if chance < 0.9:
        return Command("limits", "ana", limits=limits(unit_1e8, dice if dice.random() < 0.6 else None))
    if chance < 0.92:
        return Command("promote", "ana", dice.choice("ab").encode().hex().rjust(64, "0"))
    grant = Grant(
        f"{now_ns}", dice.choice("ab"), "other:BTC/USD", dice.choice((1, -1)), 2 * unit_1e8, 0, now_ns + 60 * SECOND_NS,
        "ben",
    )  # fmt: skip
    return Command("override", "ben", grant=grant)
