"""Show 5: a Rust guest sees Raydium and Orca in PoolBooks beside EVM pools, as the simulated chains hold them.

A session of Kraken, Arbitrum and Solana in virtual time; the guest, built with the real crate, logs every record it is
handed. EVM pools are compared with plain calls of the simulated node, Solana's with the ledger's own state at the slot
that the record names: our readers and sessions are not asked.
"""

import json
from collections import Counter
from fractions import Fraction
from typing import Any, Final

import pytest

from connectors.amm.raydium import Raydium
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import ChainPlan, PoolKind, PoolPlan, calls_of
from connectors.instrument import Instrument
from connectors.pool import PoolId, Protocol
from connectors.session import Reconnect, Send
from connectors.venues.evm import ARBITRUM
from connectors.venues.evm.session import ChainSession
from connectors.venues.solana import SOLANA, keys
from runtime import inputs
from runtime.port import VenueSpec
from runtime.sim.evm.world import market_mid
from runtime.spec import AlgoSpec
from tests.evm.abi import Method
from tests.support import solana_world
from tests.support.chain_watch import Watch
from tests.support.ladders import MONEY
from tests.support.referee import Fields, calls
from tests.support.solana_world import SHIPPED, Link, Price, VirtualSolana, solana_plan
from tests.support.virtual import SECOND, STEP_NS, World
from tests.support.virtual_chain import EXACT, ChainWorld, VirtualChain, chain_plan, venue_spec
from tests.system.test_chain_guest import ETH, check_ladder, check_state, referee, side, up

SYMBOLS: Final = ("ETH/USD", "SOL/USD")  # the second for what a lamport is worth
NAME: Final = SOLANA.name
ORCA: Final = next(pool for pool in SHIPPED.pools if pool.symbol == "ETH/USD" and pool.kind == "orca_whirlpool")
# no Raydium pool of it is shipped: at the address that the program would give one of its config 4
RAYDIUM: Final = PoolPlan(
    address=keys.raydium_pool(keys.raydium_config(4), ORCA.tokens[0].address, ORCA.tokens[1].address),
    kind=PoolKind.RAYDIUM_CLMM, protocol=Protocol.RAYDIUM_CLMM, tokens=ORCA.tokens, base=ORCA.base, quote=ORCA.quote,
    symbol=ORCA.symbol, gas_units=120_000,
)  # fmt: skip
POOLS: Final = (ORCA, RAYDIUM)
PROTOCOLS: Final = {PoolKind.RAYDIUM_CLMM: 8, PoolKind.ORCA_WHIRLPOOL: 9}
DEX_SOL: Final = 16
SOLANA_CHAIN: Final = 5  # of ChainFeeTable
SIGNATURE: Final = 5_000
LATE_SLOTS: Final = 8  # confirmed two slots later, told, read
WIDE: Final = ("sqrt_price_x64", "liquidity", "tick", "tick_spacing", "fee_ppm", "pool_type", "reserve0_lo",
               "reserve0_hi", "reserve1_lo", "reserve1_hi")  # fmt: skip


def solana_spec(plan: ChainPlan) -> VenueSpec:
    """Solana as the engine is given it."""
    instruments = {
        symbol: Instrument(venue=NAME, symbol=symbol, price_precision=9, size_precision=8, tick_size_1e9=1,
                           lot_size_1e8=1)
        for symbol in SYMBOLS
    }  # fmt: skip
    ids = tuple(
        PoolId(pool.address_bytes, pool.symbol, 0, DEX_SOL, int(pool.protocol), -(-pool.fee_ppm // 100))
        for pool in plan.pools
    )
    return VenueSpec(venue=SOLANA, depth=20, instruments=instruments, pools=ids, chain=plan)


class Lively(Price):
    """ETH goes as SOL does."""

    def __call__(self, symbol: str) -> Fraction | None:
        sol = super().__call__("SOL/USD")
        return sol * 12 if sol is not None and symbol == "ETH/USD" else super().__call__(symbol)


class Chains(ChainWorld):
    """Kraken, Arbitrum and Solana in one Engine; the traders on Arbitrum follow Kraken's market."""

    def __init__(self) -> None:
        arb, sol = chain_plan(EXACT), solana_plan(POOLS, sizes_1e9={"": MONEY})
        algo = AlgoSpec("a", referee(), ETH, ("kraken", ARBITRUM.name, NAME))
        World.__init__(self, symbols=SYMBOLS, chains=[venue_spec(arb, SYMBOLS), solana_spec(sol)], algos=[algo])
        self.chain = VirtualChain(arb, self.now_ns, mid=market_mid(self._wires["kraken"].sim.market))
        self.solana = VirtualSolana(sol, self.now_ns)
        session = self.engine.ports[ARBITRUM.name].session
        assert isinstance(session, ChainSession)
        self.session = session
        self.watch = Watch(session, self.chain)
        self.fees: list[int] = []  # of the slots that Solana's node told last

    def run(self, seconds: float, until: Any = lambda: False) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns and not until():
            ChainWorld.run(self, STEP_NS / SECOND)
            for link in self.solana.links.values():
                self._solana(link)

    def _solana(self, link: Link) -> None:
        if link.dial_ns is not None and self.now_ns >= link.dial_ns:
            link.dial_ns, link.connection = None, link.node.connect()
            self.feed(inputs.LinkUp(NAME, link.name))
        for connection, frames in link.node.tick(self.now_ns):
            if connection is link.connection:
                for frame in frames:
                    assert isinstance(frame, str)
                    link.socket.take(frame.encode(), self.now_ns)
        self.solana.keep(self.now_ns)
        for answer in link.calls.due(self.now_ns):
            self._overhear(answer)
            self.feed(inputs.Frame(NAME, calls_of(link.name), answer))
        for told in link.socket.due(self.now_ns):
            self.feed(inputs.Frame(NAME, link.name, told))

    def _carry(self, output: inputs.Output) -> None:
        match output:
            case inputs.VenueOutput(venue, Send(name, data)) if venue == NAME:
                self.solana.links[name.removesuffix(".http")].send(name, data, self.now_ns)
            case inputs.VenueOutput(venue, Reconnect(_, reason)) if venue == NAME:
                raise AssertionError(reason)
            case _:
                ChainWorld._carry(self, output)

    def cut(self, seconds: float) -> None:
        """Solana's socket is gone; it is dialled again after so many seconds."""
        for link in self.solana.links.values():
            link.cut()
            link.dial_ns = self.now_ns + int(seconds * SECOND)
            self.feed(inputs.LinkDown(NAME, link.name, "closed"))

    def _overhear(self, frame: bytes) -> None:
        result = json.loads(frame.partition(b"\n")[2]).get("result")
        if isinstance(result, list) and result and "prioritizationFee" in result[0]:
            self.fees = [slot["prioritizationFee"] for slot in result]


class Bench:
    """What the guest is shown is compared at each of its callbacks that shows pools."""

    def __init__(self) -> None:
        self.world = Chains()
        self.world.watchers.append(self)
        self.done: Counter[str] = Counter()
        self.shown: list[bool] = []  # of each slot, to the guest's last callback
        self._lines = 0
        self._seen: dict[int, tuple[int, int]] = {}

    def __call__(self, _given: inputs.Input) -> None:
        world = self.world
        lines, self._lines = world.lines[self._lines :], len(world.lines)
        for call in calls(line.text for line in lines):
            if "PoolBooks" in call.records:
                self._compare(call.records)

    def _compare(self, records: dict[str, Fields]) -> None:
        books, states, fees = (records[name] for name in ("PoolBooks", "PoolStateTable", "ChainFeeTable"))
        assert (books["pool_ct"], states["count"]) == (len(EXACT) + len(POOLS), len(EXACT) + len(POOLS))
        self.done["calls"] += 1
        self.shown = [bool(books[f"books.{slot}.bid_ct"]) for slot in range(len(EXACT) + len(POOLS))]
        self._fee(fees)
        shown = 0
        for place, pool in enumerate(POOLS):
            slot = len(EXACT) + place
            shown += self._pool(place, slot, pool, books, states, fees)
        has_evm = all(self.shown[: len(EXACT)])
        self.done["beside each other"] += shown == len(POOLS) and has_evm
        if self.done["calls"] % 10 == 0 and has_evm:
            self._evm(books, states)

    def _pool(self, place: int, slot: int, pool: PoolPlan, books: Fields, states: Fields, fees: Fields) -> bool:
        curve_slot = states[f"states.{slot}.last_block"]
        sides = {name: side(books, slot, name) for name in ("bid", "ask")}
        if not any(sides.values()):
            self.done["empty"] += 1
            return False
        assert isinstance(curve_slot, int)
        curve = self.world.solana.truths[curve_slot][place]
        assert isinstance(curve, Raydium | Whirlpool)
        later = self.world.solana.truths.get(self.world.solana.head - LATE_SLOTS)
        if later is not None and curve_slot < self.world.solana.head - LATE_SLOTS:  # it has not changed since
            assert (later[place].sqrt_price_x64, later[place].ticks) == (curve.sqrt_price_x64, curve.ticks)
        self._meta(slot, pool, curve, books, fees)
        said = {name: states[f"states.{slot}.{name}"] for name in WIDE}
        assert said == dict.fromkeys(WIDE, 0) | {
            "sqrt_price_x64": curve.sqrt_price_x64, "liquidity": curve.liquidity, "tick": curve.tick,
            "tick_spacing": curve.ticks.spacing, "fee_ppm": curve.charged_ppm, "pool_type": 1,
        }  # fmt: skip
        now = (curve_slot, curve.sqrt_price_x64)
        if now == self._seen.get(place):
            return True
        self.done["slots"] += 1
        self.done["changes"] += now[1] != self._seen.get(place, (0, 0))[1]
        self._seen[place] = now
        for name, levels in sides.items():
            assert levels
            self.done[f"levels {pool.kind}"] += self._ladder(pool, curve, levels, is_ask=name == "ask")
        return True

    def _ladder(
        self, pool: PoolPlan, curve: Raydium | Whirlpool, levels: list[tuple[int, int]], *, is_ask: bool
    ) -> int:
        """At every cumulative size: never better than the ledger's pool, and at most one unit a level worse."""
        base, quote = pool.tokens[pool.base], pool.tokens[pool.quote]
        total, worth = 0, Fraction(0)
        prices = [price for price, _ in levels]
        assert prices == sorted(set(prices), reverse=not is_ask)
        for price, size in levels:
            total += size
            worth += Fraction(price * size, 10**17)
            amount = Fraction(total * 10**base.decimals, 10**8)
            assert amount.denominator == 1
            if is_ask:
                said = curve.exact_out(pool.quote, pool.base, int(amount)).amount_in
            else:
                said = curve.exact_in(pool.base, pool.quote, int(amount)).amount_out
            loss = worth - Fraction(said, 10**quote.decimals)
            assert 0 <= (loss if is_ask else -loss) <= Fraction(total, 10**17)
        return len(levels)

    def _meta(self, slot: int, pool: PoolPlan, curve: Raydium | Whirlpool, books: Fields, fees: Fields) -> None:
        said = {name: books[f"metas.{slot}.{name}"] for name in (
            "address", "pair_index", "fee_bps", "venue_id", "protocol_id", "gas_units_1k", "gas_price_gwei",
            "gas_cost_1e5", "native_price_deci_usd")}  # fmt: skip
        fixed = {"address": pool.address_bytes, "pair_index": 0, "fee_bps": -(-curve.charged_ppm // 100),
                 "venue_id": DEX_SOL, "protocol_id": PROTOCOLS[pool.kind]}  # fmt: skip
        priced = dict.fromkeys(("gas_units_1k", "gas_price_gwei", "gas_cost_1e5", "native_price_deci_usd"), 0)
        if said["gas_cost_1e5"]:
            native_1e9 = self._of_chain(fees, "native_price_1e9")
            lamports = SIGNATURE + up(Fraction(pool.gas_units * self._ninth(), 10**6))
            cost_1e9 = up(Fraction(lamports * native_1e9, 10**9))
            priced = {"gas_units_1k": up(Fraction(pool.gas_units, 1000)),
                      "gas_price_gwei": up(Fraction(lamports, pool.gas_units)),
                      "gas_cost_1e5": up(Fraction(cost_1e9, 10**4)),
                      "native_price_deci_usd": up(Fraction(native_1e9, 10**8))}  # fmt: skip
            self.done["priced"] += 1
        assert said == fixed | priced

    def _fee(self, fees: Fields) -> None:
        chains = fees["chains.chain_id"]
        assert isinstance(chains, list)
        if SOLANA_CHAIN not in chains:
            assert not self.done["fees"]
            return
        told = [
            self._of_chain(fees, name) for name in ("base_fee_native", "priority_fee_native", "estimated_gas_units")
        ]
        assert told == [SIGNATURE, self._ninth(), max(pool.gas_units for pool in POOLS)]
        assert 140 * SECOND < self._of_chain(fees, "native_price_1e9") < 160 * SECOND
        self.done["fees"] += 1

    def _of_chain(self, fees: Fields, name: str) -> int:
        chains, values = fees["chains.chain_id"], fees[f"chains.{name}"]
        assert isinstance(chains, list)
        assert isinstance(values, list)
        value = values[chains.index(SOLANA_CHAIN)]  # type: ignore[arg-type]
        assert isinstance(value, int)
        return value

    def _ninth(self) -> int:
        """What nine of ten slots asked for at most."""
        fees = sorted(self.world.fees)
        return fees[-(-len(fees) * 9 // 10) - 1]

    def _evm(self, books: Fields, states: Fields) -> None:
        """The EVM pools of the same record, by plain calls at the block that is shown."""
        world = self.world
        if len(world.watch.shown) < len(EXACT):
            return

        def ask(to: str, method: Method, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            asked = {"to": to, "data": "0x" + bytes(method.encode(*arguments)).hex()}
            params = [asked, {"blockHash": world.watch.head}]
            answer = world.chain.node().handle({"id": 1, "method": "eth_call", "params": params})
            assert answer is not None
            return tuple(method.decode(bytes.fromhex(answer["result"][2:])))

        for slot, pool in enumerate(EXACT):
            check_state(pool, slot, states, ask)
            for name in ("bid", "ask"):
                levels = side(books, slot, name)
                self.done["levels evm"] += check_ladder(pool, pool.fee_ppm, levels, ask, is_ask=name == "ask")


def test_a_guest_sees_both_protocols_beside_evm_pools(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(solana_world, "Price", Lively)
    bench = Bench()
    bench.world.run(15)
    guest, done = bench.world.engine.algos[0], bench.done
    assert not guest.is_faulty
    assert (guest.guest.logs_dropped, guest.guest.logs_cut) == (0, 0)
    assert done["beside each other"] >= 40
    assert done["slots"] >= 40
    assert done["changes"] >= 30
    assert min(done[f"levels {pool.kind}"] for pool in POOLS) >= 600
    assert done["levels evm"] >= 200
    assert done["priced"]
    assert done["fees"]
    with capsys.disabled():
        print(f"\n    the guest's records are the chains': {dict(done)}", end="")


def test_a_cut_link_leaves_the_guest_nothing_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Solana's ladders are empty until they are read again; the EVM pools beside them stay."""
    monkeypatch.setattr(solana_world, "Price", Lively)
    bench = Bench()
    bench.world.run(3)
    assert bench.shown == [True] * len(EXACT) + [True] * len(POOLS)
    bench.world.cut(1)
    bench.world.run(0.5)
    assert bench.shown == [True] * len(EXACT) + [False] * len(POOLS)
    bench.world.run(3)
    assert bench.shown == [True] * len(EXACT) + [True] * len(POOLS)
