"""StableSwap: curvesim's answers, laws that hold for every pool, and what is refused."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.stableswap import StableSwap
from tests.support.amm_checks import curvesim_checks, ng_order, wrong
from tests.support.amm_oracles import curvesim_pool
from tests.support.amm_pools import OURS

SEEDS = st.integers(0, 10**9)


def pool_of(seed: int, *, dynamic: bool | None = None) -> tuple[StableSwap, int, int]:
    """A pool and two of its coins."""
    rng = Random(seed)
    n = rng.choice((2, 3, 4))
    decimals = [rng.choice((6, 8, 18)) for _ in range(n)]
    worth = 10 ** rng.uniform(2, 10)
    balances = tuple(int(worth * rng.uniform(0.05, 3) * 10**places) + 1 for places in decimals)
    if dynamic is None:
        dynamic = rng.random() < 0.5
    i, j = rng.sample(range(n), 2)
    pool = StableSwap(
        balances, tuple(10 ** (36 - places) for places in decimals), rng.choice((200, 1000, 20_000, 400_000)),
        rng.choice((0, 100_000, 4_000_000, 30_000_000)), rng.choice((2, 20)) * 10**10 if dynamic else 0, dynamic,
        rng.choice((0, 5 * 10**9, 10**10)),
    )  # fmt: skip
    return pool, i, j


def sizes_of(pool: StableSwap, i: int, seed: int) -> list[int]:
    """Rising, from a ten-thousandth of the balance to four times it."""
    rng = Random(seed)
    return sorted(int(pool.balances[i] * 10 ** rng.uniform(-4, 0.6)) + 1 for _ in range(6))


def after_of(quote: Quote) -> StableSwap:
    assert isinstance(quote.after, StableSwap)
    return quote.after


@pytest.mark.slow
def test_curvesim_pays_the_same() -> None:
    """600 exchanges of 2–4 coins, half with a dynamic fee: what is paid, and every balance after."""
    checks = curvesim_checks(curvesim_pool(), range(600), is_ng=False)
    assert len(checks) == 600
    assert list(wrong(checks, OURS)) == []


@pytest.mark.slow
def test_curvesim_pays_the_same_with_d_divided_as_in_ng() -> None:
    """curvesim knows one order of division; NG's contract has another, which shows in one exchange in 300."""
    checks = curvesim_checks(ng_order(curvesim_pool()), range(600), is_ng=True)
    assert list(wrong(checks, OURS)) == []
    stock = list(wrong(curvesim_checks(curvesim_pool(), range(600), is_ng=True), OURS))
    assert len(stock) < 12


@given(SEEDS)
def test_a_ladder_is_its_single_quotes(seed: int) -> None:
    pool, i, j = pool_of(seed)
    sizes = sizes_of(pool, i, seed)
    assert pool.proceeds(i, j, sizes) == [pool.exact_in(i, j, size).amount_out for size in sizes]
    wanted = sizes_of(pool, j, seed)
    costs = pool.costs(i, j, wanted)
    assert costs == [pool.exact_out(i, j, size).amount_in for size in wanted[: len(costs)]]
    if len(costs) < len(wanted):
        with pytest.raises(QuoteError):
            pool.exact_out(i, j, wanted[len(costs)])


@example(9298)  # its last size empties the pool: net of the fee it pays less than the one before
@given(SEEDS)
def test_more_in_never_gives_less_out(seed: int) -> None:
    """Sizes apart; and, with a fee that does not depend on the size, unit by unit.

    NG's fee grows as the pool leaves its peg, in a drained pool by more than what is still paid: it is left out here.
    """
    pool, i, j = pool_of(seed)
    paid = (pool.without_fee() if pool.offpeg_fee_multiplier else pool).proceeds(i, j, sizes_of(pool, i, seed))
    assert all(less <= more for less, more in pairwise(paid))
    pool, i, j = pool_of(seed, dynamic=False)
    start = sizes_of(pool, i, seed)[0]
    paid = pool.proceeds(i, j, range(start, start + 50))
    assert all(less <= more for less, more in pairwise(paid))


@given(SEEDS)
def test_what_an_amount_out_costs_buys_it_and_one_unit_less_does_not(seed: int) -> None:
    pool, i, j = pool_of(seed)
    wanted = sizes_of(pool, j, seed)
    for size, cost in zip(wanted, pool.costs(i, j, wanted), strict=False):
        quote = pool.exact_out(i, j, size)
        assert quote == pool.exact_in(i, j, cost)
        assert quote.amount_out >= size
        if cost > 1:
            try:
                less = pool.exact_in(i, j, cost - 1).amount_out
            except QuoteError:
                continue  # too small to be exchanged at all
            assert less < size


@pytest.mark.parametrize("seed", range(40))
def test_an_amount_out_costs_the_least_there_is(seed: int) -> None:
    """Every amount in tried, in pools of a few hundred units with a fixed fee."""
    rng = Random(seed)
    n = rng.choice((2, 3, 4))
    rates = tuple(rng.choice((10**18, 11 * 10**17, 2 * 10**18, 10**20)) for _ in range(n))
    balances = tuple(rng.randrange(50, 600) for _ in range(n))
    pool = StableSwap(balances, rates, rng.choice((100, 1000, 20_000)), rng.choice((0, 4_000_000, 10**8)))
    i, j = rng.sample(range(n), 2)
    pays: dict[int, int] = {}
    for size in range(1, 700):
        try:
            pays[size] = pool.exact_in(i, j, size).amount_out
        except QuoteError:
            pays[size] = -1
    for wanted in range(1, max(pays.values()) + 1):
        least = min(size for size, paid in pays.items() if paid >= wanted)
        assert pool.exact_out(i, j, wanted).amount_in == least


@given(SEEDS)
def test_a_round_trip_never_profits(seed: int) -> None:
    pool, i, j = pool_of(seed)
    for size in sizes_of(pool, i, seed):
        there = pool.exact_in(i, j, size)
        if there.amount_out:
            assert sum(there.after.proceeds(j, i, [there.amount_out])) <= size


@given(SEEDS)
def test_the_invariant_never_falls(seed: int) -> None:
    """While the fees stay in the pool. D is within one unit of its root, so it may seem to fall by as much."""
    pool, i, j = pool_of(seed)
    pool = StableSwap(
        pool.balances, pool.rates, pool.amp, pool.fee, pool.offpeg_fee_multiplier, pool.is_ng, admin_fee=0
    )  # fmt: skip
    for size in sizes_of(pool, i, seed):
        assert after_of(pool.exact_in(i, j, size)).invariant() >= pool.invariant() - 2


@given(SEEDS)
def test_the_balances_after(seed: int) -> None:
    """Coin i has all that came in, coin j what is left of it without the admin's part of the fee; the rest is still."""
    pool, i, j = pool_of(seed)
    size = sizes_of(pool, i, seed)[2]
    quote = pool.exact_in(i, j, size)
    balances = after_of(quote).balances
    gone = pool.balances[j] - balances[j] - quote.amount_out
    assert balances[i] == pool.balances[i] + size
    assert gone >= 0
    assert gone == 0 or pool.admin_fee
    assert gone <= quote.amount_out
    assert all(balances[k] == pool.balances[k] for k in range(len(balances)) if k not in (i, j))


@given(SEEDS)
def test_the_marginal_price_lies_between_a_small_swap_and_its_inverse(seed: int) -> None:
    """What a millionth of the pool pays without fee, both ways, brackets it."""
    pool, i, j = pool_of(seed)
    pool = pool.without_fee()
    numerator, denominator = pool.price(i, j)
    there, back = pool.balances[i] // 10**6, pool.balances[j] // 10**6
    if min(there, back) > 10**3:
        assert pool.exact_in(i, j, there).amount_out * denominator <= there * numerator
        assert pool.exact_in(j, i, back).amount_out * numerator <= back * denominator
        assert (
            pool.exact_in(i, j, there).amount_out * denominator * 1001
            >= (there * numerator) * 1000 - denominator * 2000
        )


@given(SEEDS)
def test_the_views_answer_is_a_unit_away_at_most(seed: int) -> None:
    """Old pools turn the amount into the coin's unit before they take the fee. NG's view does as its exchange does."""
    for dynamic in (False, True):
        pool, i, j = pool_of(seed, dynamic=dynamic)
        for size in sizes_of(pool, i, seed):
            difference = pool.view(i, j, size) - pool.exact_in(i, j, size).amount_out
            assert difference in ((0,) if dynamic else (0, 1))


def test_old_pools_views_do_differ() -> None:
    """A quarter or so, as on chain: a view that were `exact_in` would be wrong."""
    pools = [pool_of(seed, dynamic=False) for seed in range(400)]
    differing = sum(
        pool.view(i, j, size) != pool.exact_in(i, j, size).amount_out
        for pool, i, j in pools for size in [pool.balances[i] // 7]
    )  # fmt: skip
    assert 40 < differing < 200


def test_ngs_view_cuts_a_ramping_a() -> None:
    pool = StableSwap((10**24, 3 * 10**24), (10**18, 10**18), 20_099, 4_000_000, 2 * 10**10, is_ng=True)
    whole = StableSwap((10**24, 3 * 10**24), (10**18, 10**18), 20_000, 4_000_000, 2 * 10**10, is_ng=True)
    assert pool.view(0, 1, 10**23) == whole.exact_in(0, 1, 10**23).amount_out != pool.exact_in(0, 1, 10**23).amount_out


@pytest.mark.parametrize(
    ("pool", "way", "amount", "words"),
    [
        (StableSwap((0, 10**18), (10**18, 10**18), 20_000, 0), (0, 1), 1, "empty"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 0), (1, 1), 1, "no 1 for 1"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 0), (0, 2), 1, "no 0 for 2"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 0), (0, 1), 0, "amount of 0"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 0), (0, 1), 2**250, "cannot be exchanged"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 0, 0), (0, 1), 5, "A of 0"),
        (StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 10**10), (0, 1), 5, "fee of 10000000000"),
        (StableSwap((10**18, 10**24), (10**18, 10**12), 20_000, 0), (1, 0), 1, "too small"),
    ],
)
def test_what_is_refused(pool: StableSwap, way: tuple[int, int], amount: int, words: str) -> None:
    with pytest.raises(QuoteError, match=words):
        pool.exact_in(*way, amount)


def test_an_amount_out_that_cannot_be_paid_is_refused() -> None:
    pool = StableSwap((10**18, 10**18), (10**18, 10**18), 20_000, 4_000_000)
    for amount in (0, -1, 10**18, 10**30):
        with pytest.raises(QuoteError, match="cannot pay"):
            pool.exact_out(0, 1, amount)
    assert pool.costs(0, 1, [10**17, 10**18]) == [pool.exact_out(0, 1, 10**17).amount_in]


@pytest.mark.parametrize("factor", [10**20 // 4_000_000, 10**20 // 4_000_000 + 1, 2**255])
def test_a_fee_that_leaves_nothing_is_no_quote(factor: int) -> None:
    """The contracts do not accept such a multiplier; who holds one all the same gets an error of the pool's."""
    pool = StableSwap((10**27, 10**18), (10**18, 10**18), 20_000, 4_000_000, factor, is_ng=True)
    with pytest.raises(QuoteError, match="leaves nothing"):
        pool.exact_out(0, 1, 10**17)
    with pytest.raises(QuoteError, match="leaves nothing"):
        pool.exact_in(0, 1, 10**34)
    assert pool.proceeds(0, 1, [10**34]) == [] == pool.costs(0, 1, [10**17])
