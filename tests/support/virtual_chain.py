"""A simulated chain in virtual time: no socket, no clock, no waiting. Behind each link stands a node of its own.

All nodes show one chain; each may lie, be mute, or stand behind a bad network for itself (`Link`). `Bare` drives a
`ChainSession` alone, `ChainWorld` an Engine with simulated Krakens beside the chain. `Watch` judges what is shown
by the states that the honest chain had (tests/support/chain_watch.py).
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, Final

from connectors.chain import ChainPlan, GasModel, PoolPlan
from connectors.events import BookLost, Notice
from connectors.instrument import Instrument
from connectors.pool import ChainFee, PoolId, PoolUpdate
from connectors.session import Output, Reconnect, Send
from connectors.venues.evm import ARBITRUM
from connectors.venues.evm.session import ChainSession
from runtime import inputs
from runtime.chains import chain_named
from runtime.port import VenueSpec
from runtime.sim.evm.abi import data_hex, encode, keccak
from runtime.sim.evm.chain import Block
from runtime.sim.evm.machine import Run
from runtime.sim.evm.node import Driver, EvmConnection, EvmSim
from runtime.sim.evm.trader import SimTrader
from runtime.sim.evm.world import make_world, market_mid
from runtime.sim.frames import Close
from tests.evm.following import MONEY
from tests.evm.hand import session_plan
from tests.support.chain_watch import Watch
from tests.support.virtual import SECOND, START_NS, STEP_NS, World

SHIPPED: Final = chain_named("dex_arb")
BLOCK_NS: Final = SECOND // 4
V3, V3_DEARER = (pool for pool in SHIPPED.pools[:2])
V2: Final = next(pool for pool in SHIPPED.pools if pool.kind == "uniswap_v2")
CRYPTO, BALANCER, ALGEBRA, SOLIDLY = (
    next(pool for pool in SHIPPED.pools if pool.kind == kind and pool.symbol == "ETH/USD")
    for kind in ("curve_crypto", "balancer_v2", "algebra", "solidly")
)
PROBED: Final = (CRYPTO, BALANCER, ALGEBRA, SOLIDLY)
EXACT: Final = (V3, V3_DEARER, V2)
Filter = Callable[[bytes], bytes | Iterable[bytes] | None]


def chain_plan(pools: Sequence[PoolPlan] = EXACT, links: tuple[str, ...] = ("rpc1",), **more: Any) -> ChainPlan:
    """Arbitrum as it is shipped, with these pools."""
    fields: dict[str, Any] = {
        "chain_id": SHIPPED.chain_id, "links": links, "pools": tuple(pools), "multicall": SHIPPED.multicall,
        "block_time_ns": BLOCK_NS, "stale_after_ns": 5 * SECOND, "native": "ETH/USD", "gas": GasModel.ARBITRUM,
        "calls_per_s": 100, "sizes_1e9": {"": MONEY}, "reconcile_blocks": 20,
    }  # fmt: skip
    return ChainPlan(**(fields | more))


class Link:
    """The way to one node. `filter` sees every frame of the node's, `asked` every one of ours; None drops it."""

    def __init__(self, name: str, node: EvmSim, now_ns: int) -> None:
        self.name, self.node = name, node
        self.connection: EvmConnection | None = None
        self.dial_ns: int | None = now_ns
        self.delay_ns = 0
        self.is_mute = False  # no frame arrives any more; the socket stays open
        self.is_refused = False  # nobody answers the phone
        self.filter: Filter | None = None
        self.asked: Filter | None = None
        self.sent_ns: list[int] = []
        self.requests: list[bytes] = []
        self.dials = 0
        self._waiting: deque[tuple[int, bytes]] = deque()

    def send(self, data: bytes, now_ns: int) -> None:
        """One request of the session's."""
        self.sent_ns.append(now_ns)
        self.requests.append(data)
        for frame in _filtered(self.asked, data):
            if self.connection is not None:
                self.node.receive(self.connection, frame, now_ns)

    def take(self, frames: Iterable[str], now_ns: int) -> None:
        """What the node has sent."""
        for frame in frames:
            for kept in _filtered(self.filter, frame.encode()):
                self._waiting.append((now_ns + self.delay_ns, kept))

    def due(self, now_ns: int) -> Iterable[bytes]:
        """What arrives by now, in order."""
        while self._waiting and self._waiting[0][0] <= now_ns and self.connection is not None:
            frame = self._waiting.popleft()[1]
            if not self.is_mute:
                yield frame

    def cut(self) -> None:
        if self.connection is not None:
            self.node.disconnect(self.connection)
        self.connection = None
        self._waiting.clear()


def _filtered(with_filter: Filter | None, frame: bytes) -> Iterable[bytes]:
    kept = frame if with_filter is None else with_filter(frame)
    return () if kept is None else (kept,) if isinstance(kept, bytes) else kept


class VirtualChain:
    """One chain, its nodes, and its blocks as time passes; `truths` keeps every pool's curve at every block there was.

    `is_alive`: the world's own traders act before each block. `pause`: no block comes by itself.
    """

    def __init__(self, plan: ChainPlan, now_ns: int, *, seed: int = 3, is_alive: bool = True,
                 mid: Callable[[str], Fraction | None] | None = None, block_ns: int = BLOCK_NS) -> None:  # fmt: skip
        made = make_world(
            plan.pools, mid or (lambda _symbol: None), chain_id=SHIPPED.chain_id, seed=seed, gas=plan.gas,
            sites=[(factory.kind, factory.address, factory.quoter) for factory in SHIPPED.factories],
            means=SHIPPED.counts_as, multicall=plan.multicall, block_time_ns=block_ns,
        )  # fmt: skip
        self.plan, self.chain, self.contracts = plan, made.chain, made.contracts
        self.driver: Driver | None = made.driver if is_alive else None
        self.block_ns = block_ns
        self.is_paused = False
        self.clock_ns = 0  # how far the chain's clock is ahead
        self.now_ns = now_ns
        self.truths: dict[str, dict[int, Any]] = {}
        self.made_ns: dict[str, int] = {}
        self.links = {name: Link(name, EvmSim(self.chain), now_ns) for name in plan.links}
        self._next_ns = now_ns
        self._keep(self.chain.mine(now_ns // SECOND))

    @property
    def head(self) -> str:
        return data_hex(self.chain.head.hash)

    def node(self, link: str = "rpc1") -> EvmSim:
        return self.links[link].node

    def step(self, now_ns: int) -> None:
        """The block that is due."""
        self.now_ns = now_ns
        if now_ns >= self._next_ns and not self.is_paused:
            self._next_ns = now_ns + self.block_ns
            if self.driver is not None:
                self.driver.step(self.chain)
            self.mine()

    def mine(self, blocks: int = 1) -> Block:
        """Blocks of what waits."""
        for _ in range(blocks):
            block = self.chain.mine((self.now_ns + self.clock_ns) // SECOND)
            self._keep(block)
            self._announce([], [block])
        return block

    def reorg(self, depth: int, *, tell: bool = True) -> list[Block]:
        """The last blocks anew and empty; returns those that are gone."""
        dropped = self.chain.drop(depth)
        self.chain.pending = []
        made = []
        for old in dropped:
            made.append(self.chain.mine(old.timestamp))
            self._keep(made[-1])
        if tell:
            self._announce(dropped, made)
        return dropped

    def act(self, call: str, *arguments: Any) -> None:
        """One of the trader's deeds, into the next block: `trade(address,uint256,uint256,uint256)` …"""
        types = tuple(call[call.index("(") + 1 : -1].split(","))
        data = keccak(call.encode())[:4] + encode(types, arguments)
        self.chain.submit(self.chain.accounts[-1], self.contracts["trader"], data)

    def trade(self, pool: PoolPlan, usd: int, *, is_buy: bool) -> None:
        """Somebody buys or sells the base token for so many dollars, at $1,800 a coin."""
        i, j = (pool.quote, pool.base) if is_buy else (pool.base, pool.quote)
        amount = usd * 10 ** pool.tokens[i].decimals // (1 if is_buy else 1800)
        self.act("trade(address,uint256,uint256,uint256)", pool.address, i, j, max(amount, 1))

    def curve(self, pool: PoolPlan) -> Any:
        """The pool's state now."""
        return self.truths[self.head][self.plan.pools.index(pool)]

    def positions(self, pool: PoolPlan) -> tuple[tuple[int, int, int], ...]:
        """What the trader holds of a V3 pool beside its first liquidity."""
        run = Run(self.chain.state, 0, 0)
        trader = run.contract(self.contracts["trader"])
        assert isinstance(trader, SimTrader)
        return trader.positions(run, run.contract(pool.address.lower()))  # type: ignore[arg-type]

    def _keep(self, block: Block) -> None:
        run = Run(self.chain.state, block.number, block.timestamp)
        block_hash = data_hex(block.hash)
        self.made_ns[block_hash] = self.now_ns
        self.truths[block_hash] = {
            key: run.contract(pool.address.lower()).curve(run)  # type: ignore[attr-defined]
            for key, pool in enumerate(self.plan.pools)
            if (pool.address.lower(), "curve") in run.state or pool.kind == "uniswap_v2"
        }

    def _announce(self, dropped: Sequence[Block], made: Sequence[Block]) -> None:
        for link in self.links.values():
            link.node.now_ns = self.now_ns
            link.node.announce(dropped, made)


class _Carrier:
    """Carries frames between a chain and a session, and dials."""

    chain: VirtualChain

    def carry_links(self, now_ns: int) -> None:
        """One step of time for every link."""
        self.chain.step(now_ns)
        for link in self.chain.links.values():
            if link.dial_ns is not None and now_ns >= link.dial_ns and not link.is_refused:
                link.dial_ns, link.connection = None, link.node.connect()
                link.dials += 1
                self.link_up(link.name)
            for connection, frames in link.node.tick(now_ns):
                if connection is link.connection:
                    link.take((frame for frame in frames if isinstance(frame, str)), now_ns)
                    if any(isinstance(frame, Close) for frame in frames):
                        self.hang_up(link.name)
            for frame in link.due(now_ns):
                self.link_said(link.name, frame)

    def hang_up(self, name: str, seconds: float = 0.5) -> None:
        """The socket is gone; it is dialled again after so many seconds."""
        link = self.chain.links[name]
        if link.connection is not None:
            link.cut()
            link.dial_ns = self.chain.now_ns + int(seconds * SECOND)
            self.link_down(name)

    def link_up(self, name: str) -> None:
        raise NotImplementedError

    def link_down(self, name: str) -> None:
        raise NotImplementedError

    def link_said(self, name: str, frame: bytes) -> None:
        raise NotImplementedError


class Bare(_Carrier):
    """A session alone. `notices`, `lost`, `reconnects`, `fees`, `updates` collect what it says.

    `planned`: what the session is told, where that is not what the chain was made of.
    """

    def __init__(
        self, plan: ChainPlan | None = None, *, native_1e9: int = 1_797 * SECOND, planned: ChainPlan | None = None,
        **more: Any,
    ) -> None:  # fmt: skip
        plan = plan or chain_plan()
        self.now_ns = START_NS
        self.chain = VirtualChain(plan, self.now_ns, **more)
        self.plan = session_plan(planned or plan, native_1e9=native_1e9)
        self.session = ChainSession(self.plan)
        self.notices: list[str] = []
        self.lost: list[tuple[int, str]] = []
        self.reconnects: list[tuple[str, str]] = []
        self.fees: list[ChainFee] = []
        self.updates: dict[int, PoolUpdate] = {}
        self.watch = Watch(self.session, self.chain)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> "Bare":
        """Lets time pass in steps of 10 ms, for at most `seconds` or until the condition holds."""
        end_ns = self.now_ns + int(seconds * SECOND)
        wake_ns = self.now_ns
        while self.now_ns < end_ns and not until():
            self.now_ns += STEP_NS
            self.carry_links(self.now_ns)
            if self.now_ns >= wake_ns:
                wake_ns = self.now_ns + SECOND // 4
                self.carry(self.session.tick(self.now_ns))
            self.watch.at(self.now_ns)
        return self

    def carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(name, data):
                    self.chain.links[name].send(data, self.now_ns)
                case Reconnect(name, reason):
                    self.reconnects.append((name, reason))
                    self.hang_up(name)
                case BookLost(index, reason):
                    self.lost.append((index, reason))
                case Notice(_, text):
                    self.notices.append(text)
                case ChainFee():
                    self.fees.append(output)
                case PoolUpdate(index):
                    self.updates[index] = output

    def link_up(self, name: str) -> None:
        self.carry(self.session.open(self.now_ns, name))

    def link_down(self, name: str) -> None:
        self.carry(self.session.close(self.now_ns, name))

    def link_said(self, name: str, frame: bytes) -> None:
        self.carry(self.session.receive(frame, self.now_ns, name))

    def is_current(self) -> bool:
        """Whether everything shown is of the chain's newest block."""
        return not self.session.lost and self.watch.head == self.chain.head and bool(self.watch.shown)

    def said(self, part: str) -> list[str]:
        return [text for text in [*self.notices, *(reason for _, reason in self.lost)] if part in text]


def venue_spec(plan: ChainPlan, symbols: Sequence[str]) -> VenueSpec:
    """The chain as the engine is given it."""
    instruments = {
        symbol: Instrument(venue=ARBITRUM.name, symbol=symbol, price_precision=9, size_precision=8, tick_size_1e9=1,
                           lot_size_1e8=1)
        for symbol in symbols
    }  # fmt: skip
    ids = tuple(
        PoolId(bytes.fromhex(pool.address[2:]).ljust(32, b"\0"), pool.symbol, pool.pair_index, ARBITRUM.venue_id,
               int(pool.protocol), -(-pool.fee_ppm // 100))
        for pool in plan.pools if pool.symbol
    )  # fmt: skip
    return VenueSpec(venue=ARBITRUM, depth=20, instruments=instruments, pools=ids, chain=plan)


class ChainWorld(_Carrier, World):
    """Kraken and a chain in one Engine; the chain's traders follow Kraken's market."""

    def __init__(self, plan: ChainPlan | None = None, *, symbols: Sequence[str] = ("ETH/USD",), **more: Any) -> None:
        plan = plan or chain_plan()
        World.__init__(self, symbols=symbols, chains=[venue_spec(plan, symbols)], **more)
        mid = market_mid(self._wires["kraken"].sim.market)
        self.chain = VirtualChain(plan, self.now_ns, mid=mid)
        session = self.engine.ports[ARBITRUM.name].session
        assert isinstance(session, ChainSession)
        self.session = session
        self.watch = Watch(session, self.chain)

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns and not until():
            World.run(self, STEP_NS / SECOND)
            self.carry_links(self.now_ns)
            self.watch.at(self.now_ns)

    def _carry(self, output: inputs.Output) -> None:
        match output:
            case inputs.VenueOutput(ARBITRUM.name, Send(name, data)):
                self.sent.append((self.now_ns, data))
                self.chain.links[name].send(data, self.now_ns)
            case inputs.VenueOutput(ARBITRUM.name, Reconnect(name, reason)):
                self.reconnects.append((self.now_ns, reason))
                _Carrier.hang_up(self, name)
            case _:
                World._carry(self, output)

    def hang_up(self, name: str, reason: str = "closed", seconds: float = 0.5) -> None:  # type: ignore[override]
        if name in self.chain.links:
            _Carrier.hang_up(self, name, seconds)
        else:
            World.hang_up(self, name, reason, seconds)

    def link_up(self, name: str) -> None:
        self.feed(inputs.LinkUp(ARBITRUM.name, name))

    def link_down(self, name: str) -> None:
        self.feed(inputs.LinkDown(ARBITRUM.name, name, "closed"))

    def link_said(self, name: str, frame: bytes) -> None:
        self.feed(inputs.Frame(ARBITRUM.name, name, frame))
