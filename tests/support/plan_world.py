"""Recorded sessions for what reads them: simulated inputs, and a guest that asks for all sorts of things on them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import Any

from connectors.events import ExecReport
from connectors.orders import Action, OrderType
from connectors.venues.kraken import VENUE
from risk.gate import Gate
from risk.limits import Limits, LimitTree
from runtime import abi
from runtime.deploy import guests_for
from runtime.inputs import ActionRecord, Command, Input
from runtime.port import VenueSpec
from runtime.session import Session, header_of
from runtime.sinks import action_row
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import TapeWriter
from tests.support.puppet import Puppet, cancel, order
from tests.support.virtual import World

Fed = list[tuple[int, Input]]
LOT = 10_000


def recorded(seconds: float = 6) -> Fed:
    """What came in, with its time."""
    world, fed = World(), []
    world.watchers.append(lambda given: fed.append((world.now_ns, given)))
    world.run(seconds)
    return fed


def _nowhere(outputs: object) -> None:
    """Nobody carries what leaves, or looks."""


class Trader(Puppet):
    """On each book, by the dice: an order of any type near the touch, an amend, a cancel, or nothing."""

    def __init__(self, seed: int, sides: tuple[int, ...] = (1, 1, -1), *, amends: bool = True) -> None:
        super().__init__("on_book")
        self._dice, self._sides, self._amends = Random(seed), sides, amends
        self._ids: list[int] = []
        self.on("on_book", lambda _: self.act())

    def act(self) -> list[Action]:
        book = memoryview(self.heard.pop()[1][0]).cast("Q")
        bid, ask = book[0], book[40]
        dice = self._dice
        if not bid or not ask or dice.random() < 0.3:
            return []
        return [self._one(bid, ask) for _ in range(dice.randint(1, 3))]

    def _one(self, bid: int, ask: int) -> Action:
        dice = self._dice
        if self._ids and dice.random() < 0.4:
            chosen = dice.choice(self._ids[-8:])
            if dice.random() < 0.6 or not self._amends:
                return cancel(chosen)
            size, price = dice.randint(1, 80) * LOT, (bid if dice.random() < 0.5 else ask)
            return order(chosen, 0, size, price, kind=abi.ActionKind.AMEND, order_type=0)
        self._ids.append(len(self._ids) + 1)
        side = dice.choice(self._sides)
        kind = dice.choice((OrderType.LIMIT, OrderType.IOC, OrderType.IOC, OrderType.MARKET, OrderType.POST_ONLY))
        through = dice.choice((0, 0, 5, 400, 40_000)) * 10**8
        price = ask + through if side > 0 else max(bid - through, 10**8)
        if kind is OrderType.POST_ONLY:
            price = bid if side > 0 else ask
        return order(self._ids[-1], side, dice.randint(1, 80) * LOT, price, order_type=kind)


WIDE = Limits(
    max_position_1e8=10**12, max_order_notional_1e9=10**18, max_order_rate=10_000, price_collar_bps=10_000,
    max_daily_loss_1e9=10**18, max_open_orders=1_000,
)  # fmt: skip


def limits(**said: int) -> Limits:
    """Wide, but for what is said."""
    return Limits(**{**{name: getattr(WIDE, name) for name in Limits.__struct_fields__}, **said})


class Played:
    """A session played over inputs: every action's row, every happening with its time."""

    def __init__(
        self, fed: Iterable[tuple[int, Input]], tree: Limits | LimitTree, *, seed: int = 1, sides: Any = (1, 1, -1),
        amends: bool = True,
        gate: Callable[..., Gate] = Gate, watch: Callable[[Session], Any] = _nowhere,
    ) -> None:  # fmt: skip
        algo = AlgoSpec("trader", Trader(seed, sides, amends=amends), ("BTC/USD",))
        spec = EngineSpec(
            venues=(VenueSpec(venue=VENUE, depth=10),), symbols=("BTC/USD",), limits=tree, algos=(algo,)
        )  # fmt: skip
        self.session = Session(spec, gate=gate)
        self.watcher = watch(self.session)
        self.rows: list[dict[str, Any]] = []
        self.events: list[dict[str, Any] | ExecReport] = []  # rows and reports in their order
        self.happened: list[tuple[int, Any]] = []
        self.session.watchers.append(self._keep)
        now_ns = 0
        for now_ns, given in fed:
            self.session.step(given, now_ns, _nowhere)
        self.session.step(Command("stop", "test"), now_ns, _nowhere)

    def _keep(self, session: Session, given: Input, now_ns: int) -> None:
        del given
        self.happened += [(now_ns, aside) for aside in session.engine.asides]
        for one in session.engine.trace:
            if isinstance(one, ActionRecord):
                self.rows.append(action_row(session, one, now_ns))
                self.events.append(self.rows[-1])
            elif isinstance(one, ExecReport):
                self.events.append(one)


def with_command(fed: Fed, at: int, *commands: Command) -> Fed:
    """The same, with a person's words before the input at this place."""
    now_ns = fed[at][0]
    return [*fed[:at], *((now_ns, command) for command in commands), *fed[at:]]


def tape(path: Path, fed: Fed, tree: Limits | LimitTree) -> Path:
    """A tape of ours of the shipped demo guest under these limits, as `serve --record` writes it."""
    guests = guests_for(["BTC/USD"], None)
    spec = EngineSpec(
        venues=(VenueSpec(venue=VENUE, depth=10),), symbols=("BTC/USD",), limits=tree, algos=tuple(guests.specs)
    )  # fmt: skip
    session, writer = Session(spec), TapeWriter(path, header_of(spec, guests.paths))
    now_ns = 0
    for now_ns, given in fed:
        writer.append(given, now_ns)
        session.step(given, now_ns, _nowhere)
    writer.append(Command("stop", "test"), now_ns)
    session.step(Command("stop", "test"), now_ns, _nowhere)
    writer.close(session.digest.hexdigest())
    return path
