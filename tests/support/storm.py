"""Storms: random guests, actions and inputs from one seed, against the engine in virtual time. No wall clock.

    storm = Storm(seed, Mode.LATE)
    storm.run(250)          # raises ViolationError, with the seed and the step, when something does not hold
    storm.digest            # the session's hash: the same for the same seed and mode

What is held after every turn stands in `invariants.py`. The venues are two simulated Krakens and a chain with two
pools; their paper venues answer through a `Post`, which decides when their reports arrive.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from random import Random
from typing import Any

import msgspec

from connectors.events import ExecReport, ExecType, PositionReport
from connectors.orders import Action, OrderType
from connectors.session import PUBLIC, Output, Send, SessionPlan
from connectors.venues.kraken import VENUE
from risk.limits import UNSET, Limits, LimitTree, Scope
from risk.states import TradingState
from runtime import abi
from runtime.abi import ActionKind
from runtime.digest import Digest
from runtime.inputs import Command, Frame, Input, LinkDown, LinkUp, Timer
from runtime.port import VenueSpec
from runtime.regions import Param, ParamKind, mesh_id
from runtime.sim.paper import PaperOutput
from runtime.spec import AlgoSpec
from tests.support.chain_venue import NAME, ChainSession, chain, frame
from tests.support.invariants import Invariants, StormGuest, ViolationError
from tests.support.virtual import OTHER, SECOND, World

U64, I64 = 2**64 - 1, 2**63 - 1
USD = 10**9
LABELS = ("a", "b", "c")
IDS = (0, 1, 2, 3, 4, 5, 6, 7, U64, 12345)
REPORTS = b'{"reports":1}'
CALLBACKS = ("on_book", "on_nbbo", "on_message", "on_heartbeat", "on_fill", "on_reject", "on_shutdown")
KINDS = (ActionKind.NEW, ActionKind.CANCEL, ActionKind.AMEND, ActionKind.INTENT)
SCOPES = (
    ("venue", "kraken"), ("venue", NAME), ("instrument", "BTC/USD"), ("instrument", "kraken:BTC/USD"), ("algo", "g0"),
    ("algo", "g1"),
)  # fmt: skip
TARGETS = (*[""] * 8, "all", *(f"{kind}:{name}" for kind, name in SCOPES), "venue:other", "algo:g2")
BROKEN = (b"", b"{", b"\xff", b"[]", b'{"channel":"book"}',
          b'{"channel":"book","type":"update","data":[{"symbol":"BTC/USD"}]}')  # fmt: skip
AMM = [1, 5, 6, 3000, U64, 2**128 - 1, 2**128 - 1, 0, -(2**31), 2**31 - 1]


class Mode(StrEnum):
    """How reports come.

    CALM: at once. LATE: when they please, those of one order in their order, each once. TORN: in any order, some twice.
    LATE and TORN: some orders are in doubt (UNKNOWN), and some reports are about orders that nobody sent.
    """

    CALM = "calm"
    LATE = "late"
    TORN = "torn"


class Post:
    """Reports on their way from the paper venues to the engine."""

    def __init__(self, rng: Random, mode: Mode) -> None:
        self._rng = rng
        self._mode = mode
        self._waiting: list[ExecReport] = []

    def carry(self, outputs: Sequence[PaperOutput]) -> list[PaperOutput]:
        """What arrives at once; the rest waits."""
        if self._mode is Mode.CALM:
            return list(outputs)
        here: list[PaperOutput] = [output for output in outputs if isinstance(output, Send)]
        reports = [output for output in outputs if isinstance(output, ExecReport)]
        if reports and self._rng.random() < 0.1:
            here.append(
                ExecReport(
                    client_order_id=reports[0].client_order_id,
                    exec_type=ExecType.UNKNOWN,
                    instrument=reports[0].instrument,
                )
            )
        is_slow = self._rng.random() < 0.6
        for report in reports:
            is_behind = self._mode is Mode.LATE and any(
                other.client_order_id == report.client_order_id for other in self._waiting
            )
            if is_behind or (is_slow and self._rng.random() < 0.6):
                self._waiting.append(report)
            else:
                here.append(report)
            if self._mode is Mode.TORN and self._rng.random() < 0.2:
                self._waiting.append(report)
        return here

    def take(self) -> list[Output]:
        """Some of what waits arrives; now and then a venue's own word on a position, right or wrong."""
        rng = self._rng
        if rng.random() < 0.01:
            return [PositionReport(rng.randrange(4), rng.choice([0, 0, 10**6, -(10**8)]))]
        if rng.random() < 0.05:
            kind = rng.choice(list(ExecType))
            return [ExecReport(client_order_id="nobody's", exec_type=kind, instrument=0, exec_id="x", last_qty_1e8=1)]
        waiting, is_torn = self._waiting, self._mode is Mode.TORN
        count = min(len(waiting), rng.randint(1, 6))
        return [waiting.pop(rng.randrange(len(waiting)) if is_torn else 0) for _ in range(count)]

    def wrap(self, answer: Callable[..., list[PaperOutput]]) -> Callable[..., list[PaperOutput]]:
        return lambda *asked: self.carry(answer(*asked))


class LateChain(ChainSession):
    """The chain, whose link brings all venues' late reports, too."""

    def __init__(self, plan: SessionPlan, post: Post) -> None:
        super().__init__(plan)
        self._post = post

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        return self._post.take() if frame == REPORTS else super().receive(frame, now_ns, link)


def random_limits(rng: Random) -> LimitTree:
    """The account's, and of some narrower scopes; the newer controls are there or not."""
    account = Limits(
        max_position_1e8=rng.choice([10**6, 10**8, 10**10]),
        max_order_notional_1e9=rng.choice([1_000, 100_000, 10**7]) * USD,
        max_order_rate=rng.choice([5, 100, 1_000]),
        price_collar_bps=rng.choice([100, 500, 3_000]),
        max_daily_loss_1e9=rng.choice([1, 50, 10_000]) * USD,
        max_open_orders=rng.choice([4, 32, 32]),
        max_order_qty_1e8=rng.choice([UNSET, 10**7]),
        max_capital_1e9=rng.choice([UNSET, 10_000 * USD]),
        max_drawdown_1e9=rng.choice([UNSET, UNSET, 20 * USD]),
        max_cancel_rate=rng.choice([UNSET, 5]),
        collar_window_bps=rng.choice([UNSET, 200]),
        max_duplicates=rng.choice([UNSET, 2]),
        max_repeats=rng.choice([UNSET, UNSET, 3]),
        max_refusals=rng.choice([UNSET, UNSET, UNSET, 60]),
        max_feed_loss_ns=rng.choice([UNSET, 4 * SECOND]),
    )
    scopes = [scope for scope in SCOPES if rng.random() < 0.12]
    return LimitTree(account, tuple(Scope(*scope, _few(rng)) for scope in scopes))


def _few(rng: Random) -> dict[str, int]:
    """What a narrower scope says: some of this."""
    said = {
        "max_position_1e8": rng.choice([10**5, 10**7]), "max_daily_loss_1e9": rng.choice([1, 20]) * USD,
        "max_order_rate": rng.choice([3, 50]), "max_capital_1e9": rng.choice([1_000, 50_000]) * USD,
    }  # fmt: skip
    return {key: value for key, value in said.items() if rng.random() < 0.5}


def random_price(rng: Random, bid: int, ask: int) -> int:
    """At the touch, near it, far from it, off the grid, or no price at all."""
    near = [bid, ask] * 4 + [ask * 1001 // 1000, bid * 999 // 1000, ask * 1002 // 1000, bid * 1001 // 1000]
    far = [bid * 101 // 100, ask * 101 // 100, ask * 99 // 100, ask * 104 // 100, 0, 1, U64, rng.randint(0, U64)]
    price = rng.choice(near if rng.random() < 0.8 else far)
    if rng.random() < 0.9:
        price -= price % 10**8
    return max(0, min(price, U64))


def random_action(rng: Random, bid: int, ask: int) -> Action:
    """Mostly one that may pass; any of its fields may be nonsense."""
    if rng.random() < 0.02:
        return (0,) * 10
    kind = int(rng.choices(KINDS, (6, 2, 1, 4))[0]) if rng.random() < 0.97 else rng.randint(0, 255)
    qty = rng.choice([10**4, 10**5, 10**6, 5 * 10**6, 10**7, 10**8])
    if rng.random() < 0.05:
        qty = rng.choice([1, 0, -1, I64, -I64 - 1, 2**62, 2**62 + 1, rng.randint(-(10**9), 10**9)])
    side = rng.choice([1, -1]) if rng.random() < 0.97 else rng.choice([0, 2, -128, 127])
    order_type = rng.choice([0, 0, 0, 0, *OrderType]) if kind != ActionKind.INTENT else rng.choice([0, 1, 1, 1, 1])
    if rng.random() < 0.02:
        order_type = 255
    venue, pool = rng.choice([0, 0, 0, 0, 1, 2, 12]), rng.choice([0] * 12 + [1, 2, 3])
    symbol, ttl = rng.choice([0] * 6 + [1]), rng.choice([0, 0, 1, 50, 300, 65535])
    if rng.random() < 0.01:
        venue = pool = symbol = 255
    price = random_price(rng, bid, ask)
    if kind == ActionKind.INTENT and rng.random() < 0.6:  # one that has to wait for books: a little beyond the touch
        price = min((ask * 1002 if side > 0 else bid * 998) // 1000 // 10**8 * 10**8, U64)
        venue = rng.choice([0, 12, 12])
    return (rng.choice(IDS), price, qty, side, kind, int(order_type), venue, pool, symbol, ttl)


class Storm:
    """One storm. `step` does one random thing to the world."""

    def __init__(self, seed: int, mode: Mode) -> None:
        self.name = f"seed {seed}, {mode}"
        self.mode = mode
        self.rng = rng = Random(f"{mode} {seed}")
        post = Post(rng, mode)
        base = chain(pools=2)
        late: VenueSpec = msgspec.structs.replace(
            base, venue=msgspec.structs.replace(base.venue, market=lambda plan: LateChain(plan, post))
        )
        self.guests = [StormGuest(index, *CALLBACKS, answers=self._answer) for index in range(rng.randint(1, 3))]
        self.world = World(
            symbols=("BTC/USD", "ETH/USD"), algos=[self._spec(guest) for guest in self.guests],
            limits=random_limits(rng), venues=(VENUE, OTHER), chains=[late],
        )  # fmt: skip
        for port in self.world.engine.ports.values():
            for asked in ("submit", "cancel", "cancel_all", "amend", "on_book", "on_trade"):
                setattr(port.paper, asked, post.wrap(getattr(port.paper, asked)))
        self.invariants = Invariants(
            self.world.engine, self.guests, is_prompt=mode is Mode.CALM, is_ordered=mode is not Mode.TORN
        )
        self._digest = Digest()
        self.world.watchers.append(self._watch)
        self._moves = (
            (50, self._time), (20, self._ladder), (3, self._pool), (2, self._fee), (1, self._lost), (5, self._command),
            (2, self._link), (1, self._hang_up), (1, self._broken), (2, self._timer), (1, self._jump),
            (20, self._reports),
        )  # fmt: skip

    def _spec(self, guest: StormGuest) -> AlgoSpec:
        rng = self.rng
        symbols = rng.choice([("BTC/USD", "ETH/USD"), ("BTC/USD",)])
        venues = rng.choice([(), ("kraken",), ("other", NAME), (NAME, "kraken", "other"), ("kraken", "other")])
        label = LABELS[guest.index] if rng.random() < 0.8 else ""
        return AlgoSpec(guest.name, guest, symbols, venues, (), label, rng.choice([0, 2, 5, 50]))

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def run(self, steps: int) -> "Storm":
        """Raises ViolationError for what does not hold, and for any exception that leaves the engine."""
        for step in range(steps):
            try:
                self.step()
            except Exception as error:
                what = error if isinstance(error, ViolationError) else f"{type(error).__name__} left the turn: {error}"
                raise ViolationError(f"{self.name}, step {step}: {what}") from error
        return self

    def step(self) -> None:
        weights, moves = zip(*self._moves, strict=True)
        self.rng.choices(moves, weights)[0]()

    def _watch(self, given: Input) -> None:
        self._digest.update(self.world.engine.trace)
        self.invariants.check(given)

    # --- guests ----------------------------------------------------------------------------------------------------

    def _answer(self, guest: StormGuest, callback: str, records: tuple[Any, ...]) -> list[Action]:
        """What a guest does in a callback: nothing, messages, actions, a trap, in any mixture."""
        rng = self.rng
        if callback == "on_reject":
            order_id, code, _ = abi.REJECT.unpack(records[0])
            self.invariants.rejected(guest.index, order_id, code)
        if rng.random() < (0.3 if callback == "on_message" else 0.05):
            count = 1 if callback == "on_message" else rng.choice([1, 2, 3, 3, 3, 70])
            for _ in range(count):
                guest.send(rng.choice([*map(mesh_id, LABELS), 5]), bytes(rng.choice([0, 1, 256])))
        if rng.random() < 0.003:
            guest.trap()
        if callback in ("on_fill", "on_reject") or rng.random() > 0.25:
            return []
        books = self.world.engine.books
        touches = [(books[0] if rng.random() < 0.8 else rng.choice(books)).touch() for _ in range(rng.randint(1, 6))]
        return [random_action(rng, *touch) for touch in touches]

    # --- inputs ----------------------------------------------------------------------------------------------------

    def _time(self) -> None:
        self.world.run(self.rng.choice([0.01, 0.02, 0.05]))

    def _ladder(self) -> None:
        """A ladder of the chain's or a pool's, near the first market's, sometimes crossed, thin or absurd."""
        rng, book = self.rng, self.world.engine.books[0]
        bid, ask = (touch or 62_000 * USD for touch in book.touch())
        sizes = [1, 10**5, 10**6, 10**8, U64]
        bids = [[bid - rng.randint(0, 30) * USD, rng.choice(sizes)] for _ in range(rng.randint(0, 5))]
        asks = [[ask + rng.randint(-2, 80) * USD, rng.choice(sizes)] for _ in range(rng.randint(0, 25))]
        if rng.random() < 0.03:
            asks = [[U64, U64]]
        if rng.random() < 0.03:
            bids = [[1, 1]]
        self.world.feed(frame(book=rng.choice([0, 0, 2, 3]), bids=bids, asks=asks))

    def _pool(self) -> None:
        rng = self.rng
        gas = [rng.randint(0, U64) for _ in range(4)]
        self.world.feed(frame(pool=rng.choice([2, 3]), gas=gas, amm=rng.choice([None, AMM])))

    def _fee(self) -> None:
        self.world.feed(frame(fee=[self.rng.randint(0, 20), U64, 1, 2, 3, 4]))

    def _lost(self) -> None:
        self.world.feed(frame(lost=self.rng.choice([0, 1, 2, 3])))

    def _command(self) -> None:
        """Of any scope, and of names that are none; often all is armed again: what is halted shows little."""
        rng = self.rng
        name = rng.choice(["arm"] * 6 + ["kill", "kill", "reduce", "set", "set", "bogus", ""])
        target = rng.choice(TARGETS) if name in ("kill", "reduce", "arm") else rng.choice(["g0", "g1", "zz", ""])
        if self.world.engine.state is TradingState.HALTED and rng.random() < 0.7:
            name = "arm"
        if name == "arm" and rng.random() < 0.8:
            target = ""
        if rng.random() < 0.003:
            name = "stop"
        params = tuple(
            Param(rng.choice([-1, 0, 31, 32, 255]), rng.choice(list(ParamKind)), rng.choice([0, 1, -1, I64, -I64 - 1]))
            for _ in range(rng.randint(0, 3))
        )
        self.world.feed(Command(name, "x", target, params))

    def _link(self) -> None:
        kind = self.rng.choice([LinkDown, LinkUp])
        self.world.feed(kind(self.rng.choice(["nobody", NAME, ""]), self.rng.choice(["public", "zz"])))

    def _hang_up(self) -> None:
        self.world.hang_up(self.rng.choice(["kraken", "other"]), "the storm", self.rng.choice([0.1, 2]))

    def _broken(self) -> None:
        self.world.feed(Frame(self.rng.choice(["kraken", "nobody", "other"]), "public", self.rng.choice(BROKEN)))

    def _timer(self) -> None:
        self.world.feed(Timer())

    def _jump(self) -> None:
        self.world.now_ns += self.rng.choice([2, 70, 86_400]) * SECOND

    def _reports(self) -> None:
        if self.mode is not Mode.CALM:
            self.world.feed(Frame(NAME, "public", REPORTS))
