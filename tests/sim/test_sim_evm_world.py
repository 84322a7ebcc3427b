"""The world of `--sim`: shipped pools at their addresses, prices that follow the market, the same for the same seed."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Curve
from connectors.amm.stableswap import StableSwap
from connectors.chain import PROBED, PoolKind
from connectors.pool import DexVenue
from connectors.venues.evm.reading import read
from runtime.chains import NAMES, Chain, shipped
from runtime.sim.evm.machine import Run
from runtime.sim.evm.node import EvmSim
from runtime.sim.evm.pools import Pool
from runtime.sim.evm.shipped import default_world, facts
from runtime.sim.evm.world import market_mid
from runtime.sim.market import Market
from tests.evm.abi import Erc20, Method, Multicall, Quoter, V2Pair, V3Pool
from tests.sim.sim_evm_node import Node

START_NS = 1_700_000_000 * 10**9
EVM = [name for venue, name in NAMES.items() if venue is not DexVenue.DEX_SOL]


def lived(sim: EvmSim, blocks: int) -> EvmSim:
    """Some blocks, as its timer would bring them."""
    for block in range(blocks):
        sim.tick(START_NS + block * sim.interval_ns)
    assert sim.chain.head.number == blocks
    return sim


def price(sim: EvmSim, address: str, i: int, j: int) -> Fraction:
    run = Run(sim.chain.state, 0, 0)
    pool = run.contract(address.lower())
    assert isinstance(pool, Pool)
    return Fraction(*pool.curve(run).price(i, j))


def fee_ppm(sim: EvmSim, address: str) -> int:
    run = Run(sim.chain.state, 0, 0)
    pool = run.contract(address.lower())
    assert isinstance(pool, Pool)
    curve: Any = pool.curve(run)
    return curve.fee // 10_000 if isinstance(curve, StableSwap) else int(curve.fee_ppm)


@pytest.mark.parametrize("name", EVM)
def test_every_shipped_pool_is_there_and_reads_as_its_plan_says(name: str) -> None:
    chain = shipped(name)
    node = Node(default_world(3, chain))
    assert node.ask("eth_chainId") == hex(chain.chain_id)
    assert node.ask("eth_getCode", chain.multicall, "latest") != "0x"
    for plan in chain.pools:
        assert node.ask("eth_getCode", plan.address, "latest") != "0x"
        for token in plan.tokens:
            assert node.call(token.address, Erc20.decimals) == token.decimals
            assert node.call(token.address, Erc20.symbol) == token.symbol
        if plan.kind in (PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3):
            tokens = node.call(plan.address, V3Pool.token0), node.call(plan.address, V3Pool.token1)
            assert tokens == tuple(token.address.lower() for token in plan.tokens)
    factories = {factory.quoter: factory for factory in chain.factories}
    for plan in chain.pools:
        if plan.kind is PoolKind.UNISWAP_V3 and factories[plan.quoter].init_code_hash:
            fee = node.call(plan.address, V3Pool.fee)
            derived = factories[plan.quoter].pool_address(plan.tokens[0], plan.tokens[1], fee)
            assert derived == plan.address, "its fee is its address's"
            asked = (plan.tokens[0].address, plan.tokens[1].address, 10 ** plan.tokens[0].decimals, fee, 0)
            assert node.call(plan.quoter, Quoter.quote_in, asked)[0] > 0
            get_pool = Method("getPool(address,address,uint24)", "address")
            found = node.call(factories[plan.quoter].address, get_pool, asked[0], asked[1], fee)
            assert found == plan.address.lower()
        if plan.kind is PoolKind.UNISWAP_V2:
            assert min(node.call(plan.address, V2Pair.reserves)[:2]) > 0
    said = facts(node.sim, chain)
    assert [pool["address"] for pool in said["pools"]] == [plan.address for plan in chain.pools]


@pytest.mark.parametrize("name", EVM)
def test_pools_follow_the_market_within_their_fees(name: str) -> None:
    """The market runs away by 3 %; every pool of a moving token is there soon, and no transaction fails."""
    chain = shipped(name)
    now = {"BTC/USD": Fraction(60_000), "ETH/USD": Fraction(1800)}
    sim = lived(default_world(3, chain, mid=now.get), 40)
    now |= {"BTC/USD": Fraction(61_800), "ETH/USD": Fraction(1746)}
    for block in range(40, 60):
        sim.tick(START_NS + block * sim.interval_ns)
    assert all(receipt.is_ok for block in sim.chain.blocks for receipt in block.receipts)
    assert sum(len(block.receipts) for block in sim.chain.blocks) > 30
    usd = {"BTC": now["BTC/USD"], "ETH": now["ETH/USD"], "USD": Fraction(1)}
    checked = 0
    for plan in chain.pools:
        base, quote = plan.tokens[plan.base], plan.tokens[plan.quote]
        sides = [usd.get(chain.counts_as.get(token.symbol, token.symbol)) for token in (base, quote)]
        if None in sides or sides[0] == sides[1]:
            continue
        assert sides[0] is not None and sides[1] is not None
        target = Fraction(sides[0], sides[1]) * Fraction(10**quote.decimals, 10**base.decimals)
        off = price(sim, plan.address, plan.base, plan.quote) * Fraction(1, target) - 1
        slack = Fraction(fee_ppm(sim, plan.address) + 400 + 1000, 10**6)  # the fee, a wandering peg, a noise swap
        assert abs(off) <= slack, f"{plan.symbol} {plan.address} {float(off):.5f}"
        checked += 1
    assert checked >= 8


@pytest.mark.parametrize("name", EVM)
def test_our_own_reader_takes_every_shipped_pool_and_holds_what_the_chain_holds(name: str) -> None:
    """The reader of `connectors.venues.evm` checks identity, decimals, ticks and get_dy; probed kinds are quoted."""
    chain = shipped(name)
    node = Node(lived(default_world(3, chain), 20))
    run = Run(node.sim.chain.state, 0, 0)
    for plan in chain.pools:
        reading = read(plan)
        try:
            calls = next(reading)
            while True:
                asked = [(call.to, True, call.data) for call in calls]
                found = node.call(chain.multicall, Multicall.aggregate3, asked)
                calls = reading.send([data if done and data else None for done, data in found])
        except StopIteration as done:
            held = done.value
        contract = run.contract(plan.address.lower())
        assert isinstance(contract, Pool)
        curve: Curve = contract.curve(run)
        if isinstance(held, Concentrated):  # it has read a window of the ticks
            assert isinstance(curve, Concentrated)
            low, high = held.ticks.low, held.ticks.high
            window = {tick: entry for tick, entry in curve.ticks.entries().items() if low <= tick <= high}
            assert held.ticks.entries() == window
            curve = Concentrated(curve.sqrt_price_x96, curve.tick, curve.liquidity, curve.fee_ppm, held.ticks)
        assert held == (None if plan.kind in PROBED else curve)


def worlds(seed: int) -> Callable[[], tuple[str, ...]]:
    def hashes() -> tuple[str, ...]:
        sim = lived(default_world(seed, shipped("arbitrum")), 120)
        return tuple(block.hash.hex() for block in sim.chain.blocks)

    return hashes


def test_the_same_seed_lives_the_same_life() -> None:
    assert worlds(7)() == worlds(7)()
    assert worlds(7)()[-1] != worlds(8)()[-1]


def test_it_does_all_that_a_follower_must_see() -> None:
    """Swaps, mints and burns of both Uniswaps' kinds, and Curve's exchanges, within some hundred blocks."""
    from runtime.sim.evm import curve, univ2, univ3

    chain = shipped("ethereum")
    sim = lived(default_world(2, chain), 800)
    assert all(receipt.is_ok for block in sim.chain.blocks for receipt in block.receipts)
    topics = {log.topics[0] for block in sim.chain.blocks for receipt in block.receipts for log in receipt.logs}
    events = (univ3.SWAP, univ3.MINT, univ3.BURN, univ2.SWAP, univ2.SYNC, univ2.MINT, univ2.BURN, curve.TOKEN_EXCHANGE)
    assert {event.topic for event in events} <= topics
    assert len(sim.chain.state) < 1000, "what it keeps does not grow with time"


def test_a_reorg_in_a_running_world_goes_on_from_the_old_state() -> None:
    node = Node(lived(default_world(4, shipped("arbitrum")), 50))
    before = node.ask("eth_getBlockByNumber", "0x2d", False)
    node.ask("anvil_reorg", 5, [])
    assert node.ask("eth_getBlockByNumber", "0x2d", False) == before
    head = node.ask("eth_getBlockByNumber", "latest", True)
    assert (head["number"], head["transactions"]) == ("0x32", [])
    for block in range(51, 60):
        node.sim.tick(START_NS + block * node.sim.interval_ns)
    assert int(node.ask("eth_blockNumber"), 16) == 59
    assert all(receipt.is_ok for block in node.sim.chain.blocks for receipt in block.receipts)


def test_the_middle_of_a_market_is_its_books_middle() -> None:
    market = Market(seed=1)
    mid = market_mid(market)
    book = market.book("BTC/USD")
    assert mid("BTC/USD") == Fraction(book.bids.price(0) + book.asks.price(0), 20)
    assert mid("XRP/USD") is None


def test_gas_is_told_as_each_chain_tells_it() -> None:
    def gas(chain: Chain) -> Node:
        return Node(default_world(1, chain))

    arbitrum = gas(shipped("arbitrum"))
    words = Method("getPricesInWei()", "uint256,uint256,uint256,uint256,uint256,uint256")
    prices = arbitrum.call("0x000000000000000000000000000000000000006C", words)
    assert prices[5] == int(arbitrum.ask("eth_gasPrice"), 16) > 0 < prices[1]
    assert arbitrum.ask("eth_maxPriorityFeePerGas") == "0x0"
    height = Method("arbBlockNumber()", "uint256")
    assert arbitrum.call("0x0000000000000000000000000000000000000064", height) == int(
        arbitrum.ask("eth_blockNumber"), 16
    )
    inside = arbitrum.call(shipped("arbitrum").multicall, Multicall.block_number)
    assert inside != int(arbitrum.ask("eth_blockNumber"), 16), "contracts on Arbitrum see Ethereum's number"
    base = gas(shipped("base"))
    bound = Method("getL1FeeUpperBound(uint256)", "uint256")
    assert base.call("0x420000000000000000000000000000000000000F", bound, 300) > 0
    history = gas(shipped("ethereum")).ask("eth_feeHistory", "0x1", "latest", [50])
    assert int(history["baseFeePerGas"][0], 16) > int(history["reward"][0][0], 16) > 0
