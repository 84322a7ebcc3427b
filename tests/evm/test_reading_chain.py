"""What our readers find in real pools is what plain calls of the same contracts say."""

import pytest

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Beyond
from connectors.errors import PoolRefused
from connectors.venues.evm.reading import differs, extended, read, scalars
from tests.evm import deploy
from tests.evm.abi import Erc20
from tests.evm.cases import curve_of
from tests.evm.chains import Chain
from tests.evm.reader import answers_of, drive, plan, plan_of
from tests.evm.scenes import Scene, read_v2, read_v3

pytestmark = pytest.mark.slow


def test_every_v3_pool_is_read_as_it_is(chain: Chain, v3_pools: list[Scene]) -> None:
    """Price, tick, liquidity, fee, and every tick within what it says it knows; and the quick comparison agrees."""
    driver = chain.driver
    head = driver.w3.eth.get_block("latest")["hash"].to_0x_hex()
    complete = 0
    for scene in v3_pools:
        pool, state, how = scene.pool, read_v3(driver, scene.pool), plan_of(driver, scene.pool)
        curve = drive(driver, read(how))
        assert isinstance(curve, Concentrated)
        assert (curve.sqrt_price_x96, curve.tick, curve.liquidity, curve.fee_ppm, curve.ticks.spacing) == (
            state.sqrt_price_x96, state.tick, state.liquidity, pool.fee_ppm, pool.spacing,
        ), scene.label  # fmt: skip
        low, high = curve.ticks.low, curve.ticks.high
        assert curve.ticks.entries() == {tick: held for tick, held in state.ticks.items() if low <= tick <= high}
        assert differs(how, curve, answers_of(driver, scalars(how), head)) == ""
        complete += curve.ticks.complete
    assert 0 < complete < len(v3_pools), "coarse pools are read whole, fine ones in a window"


def test_a_fine_pool_is_read_on_until_a_quote_is_known(chain: Chain, v3_pools: list[Scene]) -> None:
    """Liquidity over the whole range, an amount that goes far: Beyond, then more ticks, then the chain's own answer."""
    driver = chain.driver
    (pool,) = (scene.pool for scene in v3_pools if scene.label == "whole range")
    how = plan_of(driver, pool)
    curve = drive(driver, read(how))
    assert isinstance(curve, Concentrated)
    amount, rounds = 10**24, 0
    while True:
        try:
            quote = curve.exact_in(0, 1, amount)
            break
        except Beyond:
            curve = drive(driver, extended(how, curve))
            assert isinstance(curve, Concentrated)
            rounds += 1
    (said,) = driver.call_many([driver.quote_v3(pool, amount, zero_for_one=True)])
    assert said is not None
    assert rounds > 0
    assert (quote.amount_out, quote.ticks_crossed) == (said[0], said[2])


def test_every_v2_pair_is_read_as_it_is(chain: Chain, v2_pools: list[Scene]) -> None:
    for scene in v2_pools:
        found = drive(chain.driver, read(plan_of(chain.driver, scene.pool)))
        assert found == curve_of(scene.pool, read_v2(chain.driver, scene.pool)), scene.label


def test_an_old_token_is_a_token(chain: Chain) -> None:
    """Symbol as bytes32, transfers that return nothing: a V3 pool of it is made, traded in and read."""
    driver = chain.driver
    old = chain.create("MKR", 18, old=True)
    pool = driver.create_v3_pool(old, chain.create("USDC", 6), 3000, 2**96)
    driver.mint(pool, -600, 600, 10**18)
    driver.swap_exact_in(pool, 10**12, zero_for_one=True)
    assert drive(driver, read(plan_of(driver, pool))) == curve_of(pool, read_v3(driver, pool))


def test_a_token_that_keeps_a_part_makes_every_quote_untrue(chain: Chain) -> None:
    """Why such pools are refused: pair and router agree with our maths, and the taker gets less."""
    driver = chain.driver
    taxed, usdc = chain.create("TAX", 18, fee_ppm=20_000), chain.create("USDC", 6)
    pair = driver.create_v2_pair(taxed, usdc)
    driver.add_liquidity(pair, 10**12, 10**12)
    curve, amount = drive(driver, read(plan_of(driver, pair))), 10**9
    down = pair.token0 == usdc  # buying the token
    (said,) = driver.call_many([driver.quote_v2(pair, amount, zero_for_one=down)])
    i, j = (0, 1) if down else (1, 0)
    assert said is not None and curve is not None
    assert curve.exact_in(i, j, amount).amount_out == said[0][1]
    before = driver.call(taxed.address, Erc20.balance_of, driver.account)[0]
    driver.swap(pair, amount, zero_for_one=down)
    arrived = driver.call(taxed.address, Erc20.balance_of, driver.account)[0] - before
    assert 0 < arrived < said[0][1] * 99 // 100


@pytest.mark.parametrize(("said", "reason"), [("decimals", "decimals"), ("order", "tokens"), ("fee", "fee")])
def test_a_plan_that_is_wrong_about_a_real_pool_is_refused(
    chain: Chain, v3_pools: list[Scene], said: str, reason: str
) -> None:
    pool = v3_pools[0].pool
    first, second = pool.token0, pool.token1
    if said == "decimals":
        first = deploy.Token(first.address, first.symbol, first.decimals + 1)
    tokens = (second, first) if said == "order" else (first, second)
    kind = plan_of(chain.driver, pool).kind
    wrong = plan(kind, pool.address, tokens, fee_ppm=3000 if said == "fee" else pool.fee_ppm)
    with pytest.raises(PoolRefused, match=reason):
        drive(chain.driver, read(wrong))
