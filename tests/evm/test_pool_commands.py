"""`gateway quote` and `pools discover` against a node: what QuoterV2, Router02 and the factories say themselves."""

import random

import pytest

from connectors.amm.concentrated import Concentrated
from connectors.errors import ConfigError
from connectors.venues.evm.detect import detect
from connectors.venues.evm.reading import read
from runtime.discovery import discover
from runtime.quoting import asked, quote
from runtime.rpc import Rpc
from tests.evm.cases import Case, v2_cases, v3_cases
from tests.evm.chains import Chain
from tests.evm.scenes import Scene, read_v3

pytestmark = pytest.mark.slow

A_POOL = 6  # quotes of each, of which each reads the pool anew


def some(cases: list[Case], rng: random.Random) -> list[Case]:
    return rng.sample(cases, A_POOL)


def answer(url: str, case: Case) -> dict[str, object] | None:
    """What the command prints; None: it refuses."""
    sold = case.pool.tokens(zero_for_one=case.down)[0]
    try:
        return quote(url, asked(case.pool.address, sold.address, str(case.amount), exact_out=case.is_out))
    except ConfigError:
        return None


def test_a_v3_quote_is_the_quoters(chain: Chain, v3_pools: list[Scene]) -> None:
    rng, answered = random.Random(3), 0
    for place, scene in enumerate(v3_pools):
        for case in some(v3_cases(chain.driver, scene, rng), rng):
            found = answer(chain.ws if place % 2 else chain.http, case)
            if found is None:
                assert case.said is None, case
                continue
            amount = found["amount_in" if case.is_out else "amount_out"]
            assert (amount, found["sqrt_price_x96_after"], found["ticks_crossed"]) == case.said, case
            assert found["protocol"] == "uniswap_v3"
            answered += 1
    assert answered > 2 * len(v3_pools)
    print(f"\n{answered} quotes of {len(v3_pools)} pools on {chain.name}: 0 differences")


def test_a_v2_quote_is_the_routers(chain: Chain, v2_pools: list[Scene]) -> None:
    rng, answered = random.Random(4), 0
    for scene in v2_pools:
        for case in some(v2_cases(chain.driver, scene, rng), rng):
            found = answer(chain.http, case)
            if found is None:
                assert case.said is None, case
                continue
            assert (found["amount_in" if case.is_out else "amount_out"],) == case.said, case
            assert (found["protocol"], found["sqrt_price_x96_after"]) == ("uniswap_v2", None)
            answered += 1
    assert answered > len(v2_pools)
    print(f"\n{answered} quotes of {len(v2_pools)} pairs on {chain.name}: 0 differences")


def test_what_was_made_is_discovered_and_read_whole(chain: Chain) -> None:
    """Every pool of a new pair, by the factories of this node; each then read as its own views say."""
    driver = chain.driver
    usdc, weth = chain.pair(("USDC", 6), ("WETH", 18))
    made = {fee: driver.create_v3_pool(usdc, weth, fee, 2**96 * 17) for fee in (100, 500, 3000, 10000)}
    for fee, spacing in ((100, 1), (500, 10), (3000, 60)):
        driver.mint(made[fee], 50_000 // spacing * spacing, 60_000 // spacing * spacing, 10**12)
    pair = driver.create_v2_pair(usdc, weth)
    driver.add_liquidity(pair, 10**9, 10**18)
    factories = [f"uniswap_v3={driver.at.v3_factory}", f"uniswap_v2={driver.at.v2_factory}"]
    found = discover(chain.http, "arbitrum", f"{weth.address}/{usdc.address}", factories)
    pools = {pool["address"]: pool for pool in found["pools"]}
    assert set(pools) == {pair.address, *(pool.address for pool in made.values())}
    assert {fee: pools[pool.address]["fee_ppm"] for fee, pool in made.items()} == {fee: fee for fee in made}
    assert [at for at, pool in pools.items() if pool["problem"]] == [made[10000].address]
    assert found["toml"].count("[[venues.dex_arb.pools]]") == 4
    for fee in (100, 500, 3000):
        state = read_v3(driver, made[fee])
        with Rpc(chain.ws) as rpc:
            block = rpc.newest()
            curve = rpc.drive(read(rpc.drive(detect(made[fee].address), block).pool), block)
        assert isinstance(curve, Concentrated)
        assert (curve.sqrt_price_x96, curve.liquidity) == (state.sqrt_price_x96, state.liquidity)
        assert curve.ticks.entries() == state.ticks
