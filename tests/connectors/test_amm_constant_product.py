"""Constant product: the formula in fractions, the pair's own law, and what is refused."""

from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.amm.constant_product import RESERVE_MAX, ConstantProduct
from connectors.amm.curve import Quote, QuoteError
from tests.support.amm_checks import constant_product_checks, wrong
from tests.support.amm_pools import OURS

RESERVES = st.tuples(st.integers(2, 10**30), st.integers(2, 10**30))
FEES = st.sampled_from([0, 500, 2500, 3000, 10_000])
WAYS = st.sampled_from([(0, 1), (1, 0)])
AMOUNTS = st.integers(1, 10**31)


def after_of(quote: Quote) -> ConstantProduct:
    assert isinstance(quote.after, ConstantProduct)
    return quote.after


def test_as_the_formula_in_fractions() -> None:
    assert list(wrong(constant_product_checks(range(1000)), OURS)) == []


def test_an_example_by_hand() -> None:
    """10 · 997 · 100 // (100 · 1000 + 10 · 997) = 9; and back: 100 · 9 · 1000 // (91 · 997) + 1 = 10."""
    pool = ConstantProduct((100, 100), 3000)
    assert pool.exact_in(0, 1, 10) == Quote(10, 9, ConstantProduct((110, 91), 3000))
    assert pool.exact_out(1, 0, 9) == Quote(10, 9, ConstantProduct((91, 110), 3000))
    assert pool.price(0, 1) == (100, 100)
    assert pool.without_fee().exact_in(0, 1, 25).amount_out == 20


@given(RESERVES, FEES, WAYS, AMOUNTS)
def test_the_pairs_law_holds_and_the_product_never_falls(
    reserves: tuple[int, int], fee: int, way: tuple[int, int], amount: int
) -> None:
    """(balances less the fee on what came in) multiply to no less than before: the check in the pair's `swap`."""
    pool = ConstantProduct(reserves, fee)
    i, j = way
    quotes = [pool.exact_in(*way, amount)]
    if amount < reserves[j]:
        quotes.append(pool.exact_out(*way, amount))
    for quote in quotes:
        x, y = after_of(quote).reserves[i], after_of(quote).reserves[j]
        assert (x * 10**6 - quote.amount_in * fee) * y >= reserves[0] * reserves[1] * 10**6
        assert quote.amount_in == x - reserves[i]
        assert quote.amount_out == reserves[j] - y


@given(RESERVES, FEES, WAYS, AMOUNTS)
def test_what_an_amount_out_costs_buys_it(
    reserves: tuple[int, int], fee: int, way: tuple[int, int], amount: int
) -> None:
    pool = ConstantProduct(reserves, fee)
    amount = 1 + amount % (reserves[way[1]] - 1)
    try:
        cost = pool.exact_out(*way, amount).amount_in
    except QuoteError:
        assume(False)
    assert pool.exact_in(*way, cost).amount_out >= amount
    if cost > 2:  # the router adds one to the quotient, also when it leaves no remainder
        assert pool.exact_in(*way, cost - 2).amount_out < amount


@given(RESERVES, FEES, WAYS, AMOUNTS)
def test_a_round_trip_never_profits(reserves: tuple[int, int], fee: int, way: tuple[int, int], amount: int) -> None:
    there = ConstantProduct(reserves, fee).exact_in(*way, amount)
    assume(there.amount_out > 0)
    assert there.after.exact_in(way[1], way[0], there.amount_out).amount_out <= amount


@given(RESERVES, FEES, WAYS, st.lists(st.integers(1, 2**113), min_size=1, max_size=8))
def test_a_ladder_is_its_single_quotes(
    reserves: tuple[int, int], fee: int, way: tuple[int, int], amounts: list[int]
) -> None:
    pool, sizes = ConstantProduct(reserves, fee), sorted(amounts)

    def paid(size: int) -> int:
        return pool.exact_in(*way, size).amount_out

    def taken(size: int) -> int:
        return pool.exact_out(*way, size).amount_in

    for ladder, single in ((pool.proceeds(*way, sizes), paid), (pool.costs(*way, sizes), taken)):
        assert ladder == [single(size) for size in sizes[: len(ladder)]]
        assert all(less <= more for less, more in pairwise(ladder))
        if len(ladder) < len(sizes):
            with pytest.raises(QuoteError):
                single(sizes[len(ladder)])


@pytest.mark.parametrize(
    ("pool", "way", "amount", "words"),
    [
        (ConstantProduct((0, 5), 3000), (0, 1), 1, "empty"),
        (ConstantProduct((5, 5), 10**6), (0, 1), 1, "fee of 1000000"),
        (ConstantProduct((5, 5), 3000), (0, 0), 1, "no 0 for 0"),
        (ConstantProduct((5, 5), 3000), (0, 1), 0, "cannot take 0"),
        (ConstantProduct((5, 5), 3000), (0, 1), RESERVE_MAX - 4, "cannot take"),
    ],
)
def test_what_is_refused(pool: ConstantProduct, way: tuple[int, int], amount: int, words: str) -> None:
    with pytest.raises(QuoteError, match=words):
        pool.exact_in(*way, amount)


def test_an_amount_out_that_cannot_be_paid_is_refused() -> None:
    pool = ConstantProduct((100, 100), 3000)
    for amount in (0, -1, 100, 101):
        with pytest.raises(QuoteError, match="cannot pay"):
            pool.exact_out(0, 1, amount)
    with pytest.raises(QuoteError, match="cannot take"):
        ConstantProduct((RESERVE_MAX - 5, 100), 3000).exact_out(0, 1, 99)
