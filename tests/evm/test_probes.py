"""Pools whose maths stays with their contract: what a probe is told is what a swap then pays.

Balancer V2 and Algebra Integral from their published bytecode, so on anvil alone.
"""

import pytest

from connectors.amm import ladder
from connectors.chain import PoolKind, PoolPlan
from connectors.errors import PoolRefused
from connectors.venues.evm.probe import Points, exact_out_calls, exact_out_quoted, probe_calls, probe_results
from connectors.venues.evm.reading import read
from tests.evm.abi import Erc20
from tests.evm.chains import Chain
from tests.evm.deploy import Token
from tests.evm.driver import Driver
from tests.evm.others import Integral, Weighted, integral_pool, weighted_pool
from tests.evm.reader import answers_of, drive, plan

DOLLARS = tuple(10 * 2**step for step in range(12))  # of each size
PRICES = {"USDC": 1, "WETH": 2500, "WBTC": 62_500}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def balancer(anvil_only: Chain) -> Weighted:
    """50 % WETH, 30 % USDC, 20 % WBTC."""
    tokens = anvil_only.create("WETH", 18), anvil_only.create("USDC", 6), anvil_only.create("WBTC", 8)
    amounts = 1000 * 10**18, 1_500_000 * 10**6, 16 * 10**8
    return weighted_pool(anvil_only.driver, tokens, (50, 30, 20), amounts)


@pytest.fixture(scope="module")
def algebra(anvil_only: Chain) -> Integral:
    lower, higher = anvil_only.pair(("USDC", 6), ("WETH", 18))
    return integral_pool(anvil_only.driver, lower, higher, 2**96 * 20_000, 10**21)  # 2500 USDC a WETH


def balancer_plan(pool: Weighted, base: str, quote: str) -> PoolPlan:
    names = [token.symbol for token in pool.tokens]
    return plan(PoolKind.BALANCER_V2, pool.address, pool.tokens, quoter=pool.vault, pool_id=f"0x{pool.pool_id.hex()}",
                base=names.index(base), quote=names.index(quote))  # fmt: skip


def algebra_plan(pool: Integral) -> PoolPlan:
    return plan(PoolKind.ALGEBRA, pool.address, (pool.token0, pool.token1), quoter=pool.quoter, base=1, quote=0)


def head(driver: Driver) -> str:
    return driver.w3.eth.get_block("latest")["hash"].to_0x_hex()


def amounts_of(token: Token) -> list[int]:
    return [dollars * 10**token.decimals // PRICES[token.symbol] for dollars in DOLLARS]


def executed(driver: Driver, pool: Weighted | Integral, sold: Token, bought: Token, amount: int) -> int:
    """What a swap really pays, which is then taken back."""
    before = driver.call(bought.address, Erc20.balance_of, driver.account)[0]
    snapshot = driver.snapshot()
    pool.swap(driver, sold, bought, amount)
    paid = int(driver.call(bought.address, Erc20.balance_of, driver.account)[0] - before)
    driver.revert(snapshot)
    return paid


def compare(
    driver: Driver, pool: Weighted | Integral, how: PoolPlan, tokens: tuple[Token, ...]
) -> tuple[Points, Points]:
    """Both sides by probes, each point against an executed swap."""
    base, quote = tokens[how.base], tokens[how.quote]
    asks, bids = amounts_of(quote), amounts_of(base)
    said = probe_results(how, asks, bids, answers_of(driver, probe_calls(how, asks, bids), head(driver)))
    assert ([paid for paid, _ in said[0]], [paid for paid, _ in said[1]]) == (asks, bids)
    for sold, bought, points in ((quote, base, said[0]), (base, quote, said[1])):
        driver.approve(sold, getattr(pool, "vault", "") or getattr(pool, "router", ""))
        for amount, out in points:
            assert executed(driver, pool, sold, bought, amount) == out, f"{amount} {sold.symbol}"
    return said


def check_book(points: tuple[Points, Points], how: PoolPlan) -> None:
    """A book of probed points: uncrossed, and near the price that everything here was made with."""
    base, quote = how.tokens[how.base], how.tokens[how.quote]
    asks, bids = points
    pair = ladder.Pair(how.base, how.quote, base.decimals, quote.decimals)
    bid_side, ask_side = ladder.from_quotes(asks, bids, pair)
    price = 10**9 * PRICES[base.symbol] // PRICES[quote.symbol]
    assert price * 99 // 100 < bid_side[0][0] < price < ask_side[0][0] < price * 101 // 100


@pytest.mark.parametrize(("base", "quote"), [("WETH", "USDC"), ("WBTC", "USDC"), ("WBTC", "WETH")])
def test_what_balancers_vault_is_asked_is_what_it_pays(
    anvil_only: Chain, balancer: Weighted, base: str, quote: str
) -> None:
    """queryBatchSwap through Multicall3 against batchSwap, each pair of a pool of three."""
    how = balancer_plan(balancer, base, quote)
    drive(anvil_only.driver, read(how))  # refuses a pool that is not the plan's
    check_book(compare(anvil_only.driver, balancer, how, balancer.tokens), how)


def test_what_algebras_quoter_says_is_what_its_router_pays(anvil_only: Chain, algebra: Integral) -> None:
    how = algebra_plan(algebra)
    drive(anvil_only.driver, read(how))
    check_book(compare(anvil_only.driver, algebra, how, (algebra.token0, algebra.token1)), how)


def test_an_exact_out_probe_buys_just_that(anvil_only: Chain, balancer: Weighted, algebra: Integral) -> None:
    """What it says it costs buys that much; in a pool that rounds against its taker one unit less does not."""
    driver = anvil_only.driver
    for pool, how, tokens in (
        (balancer, balancer_plan(balancer, "WETH", "USDC"), balancer.tokens),
        (algebra, algebra_plan(algebra), (algebra.token0, algebra.token1)),
    ):
        sold, bought = tokens[how.quote], tokens[how.base]
        wanted = 10**18 + 12_345
        calls = exact_out_calls(how, how.quote, how.base, wanted)
        cost = exact_out_quoted(how, answers_of(driver, calls, head(driver)))
        assert executed(driver, pool, sold, bought, cost + 1) >= wanted
        assert executed(driver, pool, sold, bought, cost - 2) < wanted


def test_a_plan_with_another_pools_id_is_refused(anvil_only: Chain, balancer: Weighted) -> None:
    how = balancer_plan(balancer, "WETH", "USDC")
    wrong = plan(PoolKind.BALANCER_V2, how.address, balancer.tokens, quoter=how.quoter, pool_id=how.pool_id[:-1] + "1")
    with pytest.raises(PoolRefused, match="pool id"):
        drive(anvil_only.driver, read(wrong))
