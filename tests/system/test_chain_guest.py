"""Show 5: a guest built with the real crate logs what it is shown of a chain's pools; the chain itself is asked whether
it is so.

Reserves, √price, liquidity, ticks, fees and gas by plain eth_calls at the block's hash, decoded by web3's codec; each
ladder at every cumulative size by the pool's own QuoterV2 or router. Our readers and our maths are not asked. Once over
Kraken and a simulated Arbitrum in virtual time, once over a real node with Uniswap's published bytecode.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any, Final

import pytest
from eth_abi.abi import decode

from connectors.chain import PoolKind, PoolPlan
from connectors.session import Output
from connectors.venues.evm import ARBITRUM
from risk.limits import Limits
from runtime import inputs
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.host import AlgoHost
from runtime.spec import AlgoSpec, EngineSpec
from tests.evm import hand as hands
from tests.evm.abi import Method, Quoter, V2Pair, V2Router, V3Pool
from tests.evm.chains import Chain, anvil_chain
from tests.evm.following import Bazaar, bazaar
from tests.support.referee import Call, Fields, calls, module
from tests.support.virtual_chain import EXACT, V2, V3, ChainWorld, chain_plan, venue_spec

ETH: Final = ("ETH/USD",)
GWEI: Final = 10**9
PRICES_IN_WEI: Final = bytes.fromhex("41b247a8")  # getPricesInWei() of ArbGasInfo
ARB_GAS_INFO: Final = "0x000000000000000000000000000000000000006C"
SWAP_BYTES: Final = 300  # docs/dex.md: what of a swap goes to the chain below
Ask = Callable[[str, Method, tuple[Any, ...]], tuple[Any, ...]]


def up(amount: Fraction) -> int:
    return -(-amount.numerator // amount.denominator)


def referee() -> AlgoHost:
    return AlgoHost(module("referee04"), name="referee04")


def side(books: Fields, slot: int, name: str) -> list[tuple[int, int]]:
    """One side of one ladder as the guest has it."""
    prices, sizes, count = (
        books[f"books.{slot}.{name}"] for name in (f"{name}s.px_1e9", f"{name}s.sz_1e8", f"{name}_ct")
    )
    assert isinstance(prices, list)
    assert isinstance(sizes, list)
    assert isinstance(count, int)
    assert not any(prices[count:]), "behind the levels there is nothing"
    return list(zip(prices[:count], sizes[:count], strict=True))  # type: ignore[arg-type]


def check_ladder(pool: PoolPlan, fee_ppm: int, levels: Sequence[tuple[int, int]], ask: Ask, *, is_ask: bool) -> int:
    """At every cumulative size: never better than what the pool itself says, and at most one unit a level worse."""
    base, quote = pool.tokens[pool.base], pool.tokens[pool.quote]
    total = 0
    worth = Fraction(0)
    prices = [price for price, _ in levels]
    assert prices == sorted(set(prices), reverse=not is_ask), "worse from level to level"
    for price, size in levels:
        total += size
        worth += Fraction(price * size, 10**17)
        amount = Fraction(total * 10**base.decimals, 10**8)
        assert amount.denominator == 1
        sold, bought = (quote, base) if is_ask else (base, quote)
        if pool.kind is PoolKind.UNISWAP_V3:
            method = Quoter.quote_out if is_ask else Quoter.quote_in
            said = ask(pool.quoter, method, ((sold.address, bought.address, int(amount), fee_ppm, 0),))[0]
        else:
            method = V2Router.amounts_in if is_ask else V2Router.amounts_out
            said = ask(pool.quoter, method, (int(amount), [sold.address, bought.address]))[0][0 if is_ask else 1]
        loss = worth - Fraction(said, 10**quote.decimals)
        assert 0 <= (loss if is_ask else -loss) <= Fraction(total, 10**17), f"{pool.address} at {total}"
    return len(levels)


def check_state(pool: PoolPlan, slot: int, states: Fields, ask: Ask) -> None:
    """PoolStateTable against the contract's views."""
    said = {name: states[f"states.{slot}.{name}"] for name in (
        "reserve0_lo", "reserve0_hi", "reserve1_lo", "reserve1_hi", "sqrt_price_x64", "liquidity", "tick",
        "tick_spacing", "fee_ppm", "pool_type")}  # fmt: skip
    if pool.kind is PoolKind.UNISWAP_V3:
        sqrt_price, tick, *_ = ask(pool.address, V3Pool.slot0, ())
        (liquidity,), (spacing,), (fee,) = (
            ask(pool.address, view, ()) for view in (V3Pool.liquidity, V3Pool.spacing, V3Pool.fee)
        )
        assert said == dict.fromkeys(said, 0) | {
            "sqrt_price_x64": sqrt_price >> 32, "liquidity": liquidity, "tick": tick, "tick_spacing": spacing,
            "fee_ppm": fee, "pool_type": 1,
        }  # fmt: skip
        return
    first, second, _ = ask(pool.address, V2Pair.reserves, ())
    words = (first & 2**64 - 1, first >> 64, second & 2**64 - 1, second >> 64)
    assert tuple(said.values())[:4] == words
    assert (said["pool_type"], said["fee_ppm"], said["sqrt_price_x64"]) == (0, 3000, 0)


# --- Kraken and a simulated chain ------------------------------------------------------------------------------------


class Bench:
    """A world with a referee in it; each block that is shown is compared at the guest's next callback."""

    def __init__(self, **plan: Any) -> None:
        self.world = ChainWorld(chain_plan(EXACT, **plan), algos=[AlgoSpec("a", referee(), ETH, ("kraken", "dex_arb"))])
        self.world.watchers.append(self)
        self.done: Counter[str] = Counter()
        self.last: dict[str, Fields] = {}
        self._lines = 0
        self._blocks = 0
        self._block = ""
        self._native_1e9 = 0
        self._seen: list[tuple[int, ...]] = [()] * len(EXACT)

    def __call__(self, _given: inputs.Input) -> None:
        world = self.world
        if len(world.watch.blocks) > self._blocks:
            self._blocks, self._block = len(world.watch.blocks), world.watch.head
            self._native_1e9 = sum(world.engine.books[0].touch()) // 2
        lines, self._lines = world.lines[self._lines :], len(world.lines)
        heard = [call for call in calls(line.text for line in lines) if "PoolBooks" in call.records]
        for call in heard:
            if call.callback == "on_nbbo":
                self._nbbo(call)
        self.last = heard[-1].records if heard else self.last
        if heard and self._block and self.done["blocks"] < 400:
            self._compare(heard[-1].records)
            self._block = ""

    def ask(self, to: str, method: Method, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """A plain eth_call at the block that is shown."""
        return tuple(method.decode(self._raw(to, bytes(method.encode(*arguments)))))

    def _raw(self, to: str, data: bytes) -> bytes:
        asked = {"to": to, "data": "0x" + data.hex()}
        said = self._request("eth_call", asked, {"blockHash": self._block})
        return bytes.fromhex(said[2:])

    def _request(self, method: str, *params: Any) -> Any:
        answer = self.world.chain.node().handle({"id": 1, "method": method, "params": list(params)})
        assert answer is not None
        return answer["result"]

    def _compare(self, records: dict[str, Fields]) -> None:
        books, states, fees = (records[name] for name in ("PoolBooks", "PoolStateTable", "ChainFeeTable"))
        block = self._request("eth_getBlockByHash", self._block, False)
        assert (books["pool_ct"], states["count"]) == (len(EXACT), len(EXACT))
        for slot, pool in enumerate(EXACT):
            self._meta(slot, pool, books, int(block["baseFeePerGas"], 16))
            if slot not in self.world.watch.shown:
                assert (books[f"books.{slot}.bid_ct"], books[f"books.{slot}.ask_ct"]) == (0, 0)
                self.done["empty"] += 1
                continue
            check_state(pool, slot, states, self.ask)
            last = states[f"states.{slot}.last_block"]
            assert isinstance(last, int)
            assert 0 < last <= int(block["number"], 16)
            for name in ("bid", "ask"):
                levels = side(books, slot, name)
                assert levels
                self.done["levels"] += check_ladder(pool, pool.fee_ppm, levels, self.ask, is_ask=name == "ask")
            state = tuple(value for name, value in states.items() if name.startswith(f"states.{slot}.reserve")
                          or name in (f"states.{slot}.sqrt_price_x64", f"states.{slot}.liquidity"))  # fmt: skip
            self.done["changes"] += state != self._seen[slot]
            self._seen[slot] = state  # type: ignore[assignment]
        self._fee(fees, int(block["baseFeePerGas"], 16))
        self.done["blocks"] += 1

    def _meta(self, slot: int, pool: PoolPlan, books: Fields, base_fee: int) -> None:
        said = {name: books[f"metas.{slot}.{name}"] for name in (
            "address", "pair_index", "fee_bps", "venue_id", "protocol_id", "gas_cost_1e5", "gas_units_1k",
            "gas_price_gwei", "native_price_deci_usd")}  # fmt: skip
        per_byte = decode(["uint256"] * 6, self._raw(ARB_GAS_INFO, PRICES_IN_WEI))[1]
        wei = pool.gas_units * base_fee + per_byte * SWAP_BYTES
        cost_1e9 = up(Fraction(wei * self._native_1e9, 10**18))
        fixed = {"address": bytes.fromhex(pool.address[2:]).ljust(32, b"\0"), "pair_index": 0,
                 "fee_bps": pool.fee_ppm // 100, "venue_id": 12, "protocol_id": 1 if pool is V2 else 2}  # fmt: skip
        priced = {"gas_cost_1e5": up(Fraction(cost_1e9, 10**4)), "gas_units_1k": up(Fraction(pool.gas_units, 1000)),
                  "gas_price_gwei": up(Fraction(base_fee, GWEI)),
                  "native_price_deci_usd": up(Fraction(self._native_1e9, 10**8))}  # fmt: skip
        if not said["gas_cost_1e5"]:  # before the chain has said what gas costs
            assert self.done["priced"] == 0
            priced = dict.fromkeys(priced, 0)
        assert said == fixed | priced
        self.done["priced"] += bool(said["gas_cost_1e5"])

    def _fee(self, fees: Fields, base_fee: int) -> None:
        def first(name: str) -> int:
            values = fees[f"chains.{name}"]
            assert isinstance(values, list)
            assert isinstance(values[0], int)
            return values[0]

        assert fees["chain_ct"] == 1
        assert (first("chain_id"), first("base_fee_native"), first("priority_fee_native")) == (
            1,
            up(Fraction(base_fee, GWEI)),
            0,
        )
        assert (first("estimated_gas_units"), first("native_price_1e9")) == (150_000, self._native_1e9)
        assert 0 < first("last_update_ns") <= self.world.now_ns

    def _nbbo(self, call: Call) -> None:
        """The best of Kraken's book and the chain's own, as the engine holds them."""
        snapshot, venues = call.records["NbboSnapshot"], call.records["VenueBooks"]
        slots = [(side(venues, slot, "bid"), side(venues, slot, "ask")) for slot in (0, 1)]
        for market, (bids, asks) in enumerate(slots):
            book = self.world.engine.books[market]
            if bids or asks:
                assert (bids, asks) == ([*book.bids[:20]], [*book.asks[:20]])
        bid = max((bids[0][0], -slot, bids[0][1]) for slot, (bids, _) in enumerate(slots) if bids)
        ask = min((asks[0][0], slot, asks[0][1]) for slot, (_, asks) in enumerate(slots) if asks)
        told = tuple(snapshot[f"nbbo_{name}"] for name in ("bid_px_1e9", "bid_sz_1e8", "bid_venue"))
        assert told == (bid[0], bid[2], -bid[1])
        told = tuple(snapshot[f"nbbo_{name}"] for name in ("ask_px_1e9", "ask_sz_1e8", "ask_venue"))
        assert told == (ask[0], ask[2], ask[1])
        self.done["nbbo"] += 1
        self.done["of both"] += all(bids and asks for bids, asks in slots)


def stirred(bench: Bench, seconds: int) -> Counter[str]:
    """The chain's traders, and beside them what they do rarely: positions that come and go at and beside the price."""
    world, done = bench.world, Counter[str]()
    chain = world.chain
    for second in range(seconds):
        tick = chain.curve(V3).tick // 10 * 10
        held = chain.positions(V3)
        if second % 3 == 0:
            low = tick + (second * 7 % 11 - 5) * 10
            chain.act("provide(address,int24,int24,uint128)", V3.address, low, low + 10 + second % 4 * 20, 10**18)
            done["mint"] += 1
        elif second % 3 == 1 and held:
            chain.act("withdraw(address,int24,int24,uint128)", V3.address, *held[second % len(held)])
            done["burn"] += 1
        chain.trade(EXACT[second % 3], 500 + 4_000 * (second % 9), is_buy=second % 2 == 0)
        done["swap"] += 1
        if second % 5 == 4:
            chain.act("leave(address,uint256)", V2.address, 10**12 * (second + 1))
            done["leave"] += 1
        world.run(1)
    return done


def test_what_the_guest_is_shown_is_the_chain(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.world.run(2)
    deeds = stirred(bench, 30)
    found = bench.done
    guest = bench.world.engine.algos[0]
    assert not guest.is_faulty
    assert (guest.guest.logs_dropped, guest.guest.logs_cut) == (0, 0)
    assert found["blocks"] >= 100
    assert found["levels"] >= 8_000
    assert found["changes"] >= 80
    assert found["nbbo"] >= 300
    assert found["of both"] >= 30
    with capsys.disabled():
        print(f"\n    the guest's records are the chain's: {dict(found)} after {dict(deeds)}", end="")


def test_a_reorg_and_a_cut_link_leave_the_guest_nothing_old(capsys: pytest.CaptureFixture[str]) -> None:
    """Ladders are empty until they are of the chain again."""
    bench = Bench()
    bench.world.run(3)
    emptied = 0
    for depth in (1, 3, 6):
        stirred(bench, 3)
        bench.world.chain.reorg(depth)
        bench.world.run(1)
        bench.world.hang_up("rpc1")
        bench.world.run(0.4)
        assert not bench.world.watch.shown
        books = bench.last["PoolBooks"]
        emptied += all(books[f"books.{slot}.bid_ct"] == 0 for slot in range(len(EXACT)))
        bench.world.run(2)
        assert len(bench.world.watch.shown) == len(EXACT)
    assert emptied == 3
    with capsys.disabled():
        print(f"\n    through reorgs and cut links: {dict(bench.done)}", end="")


# --- a real node -----------------------------------------------------------------------------------------------------


class Through:
    """A chain's session inside an Engine, with the face that `tests.evm.hand` drives."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.lines: list[bytes] = []
        self._inner = engine.ports[ARBITRUM.name].session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def open(self, now_ns: int, link: str) -> list[Output]:
        return self._step(inputs.LinkUp(ARBITRUM.name, link), now_ns)

    def close(self, now_ns: int, link: str) -> list[Output]:
        return self._step(inputs.LinkDown(ARBITRUM.name, link, ""), now_ns)

    def receive(self, frame: bytes, now_ns: int, link: str) -> list[Output]:
        return self._step(inputs.Frame(ARBITRUM.name, link, frame), now_ns)

    def tick(self, now_ns: int) -> list[Output]:
        return self._step(inputs.Timer(), now_ns)

    def _step(self, given: inputs.Input, now_ns: int) -> list[Output]:
        outputs = list(self.engine.step(given, now_ns))
        self.lines += [record.text for record in self.engine.trace if isinstance(record, inputs.GuestLine)]
        return [output.output if isinstance(output, inputs.VenueOutput) else output for output in outputs]


@pytest.fixture
def market() -> Iterator[Bazaar]:
    for chain in anvil_chain():
        yield bazaar(chain)


def followed(market: Bazaar, monkeypatch: pytest.MonkeyPatch, limits: Limits) -> tuple[hands.Hand, Through]:
    plan = market.plan()
    spec = EngineSpec(
        venues=(venue_spec(plan, ("ETH/USD", "BTC/ETH")),), symbols=("ETH/USD", "BTC/ETH"), limits=limits,
        algos=(AlgoSpec("a", referee(), ETH, ("dex_arb",)),),
    )  # fmt: skip
    through = Through(Engine(spec))
    monkeypatch.setattr(hands, "ChainSession", lambda _plan: through)
    return market.follow(), through


@pytest.mark.slow
def test_over_a_real_node_likewise(
    market: Bazaar, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """anvil, Uniswap's published bytecode, its own QuoterV2 and Router02."""
    chain: Chain = market.chain
    hand, through = followed(market, monkeypatch, paper_limits().account)
    pools = [pool for pool in market.plans() if pool.symbol == "ETH/USD"]
    done: Counter[str] = Counter()

    def ask(to: str, method: Method, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        return chain.driver.call(to, method, *arguments)

    for _ in range(25):
        done[market.act()] += 1
        latest = chain.w3.eth.get_block("latest")
        hand.until(lambda found=latest: hand.at_block(found["number"], found["hash"].to_0x_hex()))  # type: ignore[misc]
        through.lines.clear()
        hand.until(lambda: any(line.startswith(b"on_heartbeat PoolStateTable") for line in through.lines))
        records = calls(through.lines)[-1].records
        for slot, pool in enumerate(pools):
            check_state(pool, slot, records["PoolStateTable"], ask)
            last = records["PoolStateTable"][f"states.{slot}.last_block"]
            assert isinstance(last, int)
            assert 0 < last <= latest["number"]
            for name in ("bid", "ask"):
                levels = side(records["PoolBooks"], slot, name)
                done["levels"] += check_ladder(pool, pool.fee_ppm, levels, ask, is_ask=name == "ask")
    assert done["levels"] > 25 * len(pools) * 20
    hand.close()
    with capsys.disabled():
        print(f"\n    over anvil: {dict(done)}", end="")
