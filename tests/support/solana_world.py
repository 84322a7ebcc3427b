"""A simulated Solana in virtual time: no socket, no clock, no waiting. Behind each endpoint stands a node of its own.

All nodes show one ledger; each may lie, be late or mute, and its two ways, WebSocket and HTTP, may be bad for
themselves (`Way`). `Bare` drives a `SolanaSession` alone. `Watch` judges what is shown by the states that the honest
ledger had (tests/support/solana_watch.py).
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any, Final

import msgspec

from connectors.chain import ChainPlan, GasModel, PoolKind, PoolPlan, calls_of
from connectors.events import BookLost, Notice
from connectors.pool import ChainFee, DexVenue, PoolId, PoolUpdate
from connectors.session import Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.solana.session import SolanaSession
from runtime.chains import chain_named
from runtime.sim.evm.liquidity import Prices
from runtime.sim.frames import Close
from runtime.sim.solana.ledger import FINAL_LAG, FIRST_SLOT, Bank, Changes, Ledger
from runtime.sim.solana.node import SLOT_NS, SolanaSim
from runtime.sim.solana.pubsub import Connection
from runtime.sim.solana.shipped import MEANS
from runtime.sim.solana.world import World
from tests.support.solana_watch import Watch
from tests.support.virtual import SECOND, START_NS, STEP_NS

SHIPPED: Final = chain_named("dex_sol")
MONEY: Final = tuple(usd * SECOND for usd in (10, 100, 1_000, 10_000, 50_000, 250_000))
FIRST_POOL: Final = 10  # engine's index of the plan's first pool; the chain's own books are below
ORCA, ORCA_FINE = [pool for pool in SHIPPED.pools if pool.kind is PoolKind.ORCA_WHIRLPOOL][:2]
RAYDIUM, RAYDIUM_OTHER = [pool for pool in SHIPPED.pools if pool.kind is PoolKind.RAYDIUM_CLMM][:2]
POOLS: Final = (ORCA, RAYDIUM)
HTTP_NS: Final = SECOND // 50
Filter = Callable[[bytes], bytes | Iterable[bytes] | None]


def solana_plan(pools: Sequence[PoolPlan] = POOLS, links: tuple[str, ...] = ("rpc1",), **more: Any) -> ChainPlan:
    """Solana as it is shipped, with these pools."""
    fields: dict[str, Any] = {
        "chain_id": SHIPPED.chain_id, "genesis": SHIPPED.genesis, "links": links, "pools": tuple(pools),
        "multicall": "", "block_time_ns": SLOT_NS, "stale_after_ns": 5 * SECOND, "native": "SOL/USD",
        "gas": GasModel.SOLANA, "calls_per_s": 100, "sizes_1e9": {"": MONEY}, "par": ("USDC", "USDT"),
    }  # fmt: skip
    return ChainPlan(**(fields | more))


def session_plan(plan: ChainPlan, native_1e9: int = 0) -> SessionPlan:
    """As the engine would make it: one market for each symbol, then one for each pool."""
    symbols = dict.fromkeys(pool.symbol for pool in plan.pools if pool.symbol)
    pools = tuple(
        (FIRST_POOL + place, PoolId(pool.address_bytes, pool.symbol, pool.pair_index, int(DexVenue.DEX_SOL),
                                    int(pool.protocol), 30))
        for place, pool in enumerate(plan.pools) if pool.symbol
    )  # fmt: skip
    return SessionPlan(
        symbols=tuple(enumerate(symbols)), depth=20, pools=pools, chain=plan,
        price_1e9=lambda symbol: native_1e9 if symbol == plan.native else 0,
    )  # fmt: skip


class Price:
    """The market: every slot's price of SOL by its number alone, a drift and a wave with dice on it, in ppm a slot."""

    def __init__(self, seed: int, noise_ppm: int, drift_ppm: int) -> None:
        self._seed, self._noise_ppm, self._drift_ppm = seed, noise_ppm, drift_ppm
        self.slot = FIRST_SLOT

    def __call__(self, symbol: str) -> Fraction | None:
        since = self.slot - FIRST_SLOT
        dice = Random(f"{self._seed} {self.slot}").randrange(-self._noise_ppm, self._noise_ppm + 1)
        return Fraction(150 * (10**6 + dice + self._drift_ppm * since), 10**6) if symbol == "SOL/USD" else None


class Priced:
    """A ledger's driver, at that slot's price. `is_still`: nobody does anything."""

    def __init__(self, driver: World, price: Price) -> None:
        self._driver, self._price = driver, price
        self.is_still = False
        self.begin, self.lied, self.pass_time = driver.begin, driver.lied, driver.pass_time

    def step(self, state: Any, slot: int, unix_s: int) -> tuple[Any, Changes]:
        self._price.slot = slot
        return (state, {}) if self.is_still else self._driver.step(state, slot, unix_s)


class Way:
    """One way of an endpoint's. `filter` sees every frame of the node's, `asked` every one of ours; None drops it."""

    def __init__(self, delay_ns: int = 0) -> None:
        self.delay_ns = delay_ns
        self.is_mute = False
        self.filter: Filter | None = None
        self.asked: Filter | None = None
        self.requests: list[bytes] = []
        self._waiting: deque[tuple[int, bytes]] = deque()

    def take(self, frame: bytes, now_ns: int) -> None:
        for kept in _filtered(self.filter, frame):
            self._waiting.append((now_ns + self.delay_ns, kept))

    def due(self, now_ns: int) -> Iterable[bytes]:
        while self._waiting and self._waiting[0][0] <= now_ns:
            frame = self._waiting.popleft()[1]
            if not self.is_mute:
                yield frame

    def clear(self) -> None:
        self._waiting.clear()


class Link:
    """An endpoint: a node, its WebSocket `socket`, its HTTP calls `calls`. `status`: HTTP's of every answer."""

    def __init__(self, name: str, node: SolanaSim, now_ns: int) -> None:
        self.name, self.node = name, node
        self.connection: Connection | None = None
        self.dial_ns: int | None = now_ns
        self.is_refused = False
        self.clock_ns = 0  # how far the node's clock is ahead
        self.dials = 0
        self.status: Callable[[str], int] = lambda _method: 200
        self.socket, self.calls = Way(), Way(HTTP_NS)
        self.methods: dict[int, str] = {}  # by request id, over either way

    def send(self, name: str, data: bytes, now_ns: int) -> None:
        """One request of the session's."""
        is_call = name == calls_of(self.name)
        way = self.calls if is_call else self.socket
        way.requests.append(data)
        number, body = data.split(b" /\n", 1) if is_call else (b"", data)
        method = msgspec.json.decode(body)["method"]
        self.methods[msgspec.json.decode(body)["id"]] = method
        for frame in _filtered(way.asked, body):
            if not is_call:
                if self.connection is not None:
                    self.node.receive(self.connection, frame, now_ns + self.clock_ns)
                continue
            status = self.status(method)
            text = "no"
            if status == 200:
                said = self.node.post(frame, now_ns + self.clock_ns)
                status, text = said.status, said.body
            way.take(b"%s %d\n%s" % (number, status, text.encode()), now_ns)

    def cut(self) -> None:
        if self.connection is not None:
            self.node.disconnect(self.connection)
        self.connection = None
        self.socket.clear()


def _filtered(with_filter: Filter | None, frame: bytes) -> Iterable[bytes]:
    kept = frame if with_filter is None else with_filter(frame)
    return () if kept is None else (kept,) if isinstance(kept, bytes) else kept


class VirtualSolana:
    """One ledger and its nodes. `truths`: every pool's curve at every slot there was, branches included; `is_honest`:
    the slots that are on the chain itself."""

    def __init__(
        self, plan: ChainPlan, now_ns: int, *, seed: int = 3, noise_ppm: int = 1_000, drift_ppm: int = 0,
        is_still: bool = False,
    ) -> None:  # fmt: skip
        price = Price(seed, noise_ppm, drift_ppm)
        self.driver = Priced(World(plan.pools, Prices(price, MEANS), seed), price)
        self.driver.is_still = is_still
        first = SolanaSim(Ledger(self.driver, seed=seed, genesis=plan.genesis))
        self.plan, self.ledger = plan, first.ledger
        self.truths: dict[int, dict[int, Any]] = {}
        self.made_ns: dict[int, int] = {}
        self.chain: set[int] = set()
        nodes = [first, *(SolanaSim(first.ledger, is_leading=False) for _ in plan.links[1:])]
        self.links = {name: Link(name, node, now_ns) for name, node in zip(plan.links, nodes, strict=True)}

    @property
    def head(self) -> int:
        return self.ledger.head.slot

    def slots_of(self, link: str) -> set[int]:
        return {bank.slot for bank in self.links[link].node.banks}

    def node(self, link: str = "rpc1") -> SolanaSim:
        return self.links[link].node

    def keep(self, now_ns: int) -> None:
        """What has become of the ledger, and of a branch that a node is on."""
        for banks in (self.ledger.banks, *(link.node.banks for link in self.links.values())):
            for bank in reversed(banks):
                if bank.slot in self.truths:
                    break
                self._keep(bank, now_ns)
        self.chain = {bank.slot for bank in self.ledger.banks}

    def _keep(self, bank: Bank, now_ns: int) -> None:
        state: Mapping[str, Any] = bank.state
        self.truths[bank.slot] = {place: state[pool.address].curve for place, pool in enumerate(self.plan.pools)}
        self.made_ns[bank.slot] = now_ns


class Bare:
    """A session alone. `notices`, `lost`, `reconnects`, `fees`, `updates` collect what it says."""

    def __init__(
        self, plan: ChainPlan | None = None, *, native_1e9: int = 150 * SECOND, planned: ChainPlan | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        plan = plan or solana_plan()
        self.now_ns = START_NS
        self.chain = VirtualSolana(plan, self.now_ns, **more)
        self.plan = session_plan(planned or plan, native_1e9)
        self.session = SolanaSession(self.plan)
        self.notices: list[str] = []
        self.lost: list[tuple[int, str]] = []
        self.reconnects: list[tuple[str, str]] = []
        self.fees: list[ChainFee] = []
        self.updates: dict[int, PoolUpdate] = {}
        self.outputs: list[Output] = []
        self.watch = Watch(self.session, self.chain)
        self._wake_ns = self.now_ns

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> "Bare":
        """Lets time pass in steps of 10 ms, for at most `seconds` or until the condition holds."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns and not until():
            self.now_ns += STEP_NS
            for link in self.chain.links.values():
                self._link(link)
            if self.now_ns >= self._wake_ns:
                self._wake_ns = self.now_ns + SECOND
                self.carry(self.session.tick(self.now_ns))
            self.watch.at(self.now_ns)
        return self

    def _link(self, link: Link) -> None:
        if link.dial_ns is not None and self.now_ns >= link.dial_ns and not link.is_refused:
            link.dial_ns, link.connection = None, link.node.connect()
            link.dials += 1
            self.carry(self.session.open(self.now_ns, link.name))
        for connection, frames in link.node.tick(self.now_ns + link.clock_ns):
            if connection is link.connection:
                for frame in frames:
                    if isinstance(frame, str):
                        link.socket.take(frame.encode(), self.now_ns)
                if any(isinstance(frame, Close) for frame in frames):
                    self.hang_up(link.name)
        self.chain.keep(self.now_ns)
        for answer in link.calls.due(self.now_ns):
            self.carry(self.session.receive(answer, self.now_ns, calls_of(link.name)))
        for told in link.socket.due(self.now_ns):
            if link.connection is not None:
                self.watch.told(link.name, told, self.now_ns)
                self.carry(self.session.receive(told, self.now_ns, link.name))

    def hang_up(self, name: str, seconds: float = 0.5) -> None:
        """The socket is gone; it is dialled again after so many seconds."""
        link = self.chain.links[name]
        if link.connection is not None:
            link.cut()
            link.dial_ns = self.now_ns + int(seconds * SECOND)
            self.carry(self.session.close(self.now_ns, name))

    def carry(self, outputs: Sequence[Output]) -> None:
        self.watch.hear(outputs)
        self.outputs += outputs
        for output in outputs:
            match output:
                case Send(name, data):
                    self.chain.links[name.removesuffix(".http")].send(name, data, self.now_ns)
                case Reconnect(name, reason):
                    self.reconnects.append((name, reason))
                    self.hang_up(name)
                case BookLost(index, reason):
                    self.lost.append((index, reason))
                case Notice(_, text):
                    self.notices.append(text)
                case WakeAt(at_ns):
                    self._wake_ns = min(self._wake_ns, at_ns)
                case ChainFee():
                    self.fees.append(output)
                case PoolUpdate(index):
                    self.updates[index] = output

    def is_well(self) -> bool:
        """Every pool is shown, as it was two seconds ago or later."""
        at, made_ns = self.session.display.at.slots, self.chain.made_ns
        final_ns = FINAL_LAG * SLOT_NS if self.session.plan.commitment == "finalized" else 0
        return len(self.watch.shown) == len(self.plan.pools) and all(
            self.now_ns - made_ns.get(at.get(place, 0), 0) < 3 * SECOND + final_ns for place in self.watch.shown
        )

    def said(self, part: str) -> list[str]:
        return [text for text in [*self.notices, *(reason for _, reason in self.lost)] if part in text]


def calls(bare: Bare, method: str, link: str = "rpc1") -> list[dict[str, Any]]:
    """Requests of a method, as they were made."""
    ways = bare.chain.links[link].calls, bare.chain.links[link].socket
    said = [msgspec.json.decode(data.partition(b" /\n")[2] or data) for way in ways for data in way.requests]
    return [one for one in said if one["method"] == method]
