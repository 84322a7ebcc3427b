"""Concentrated liquidity: laws that hold for every pool, the logs, and what is refused."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Beyond, Quote, QuoteError
from connectors.amm.tickmath import MAX_SQRT, MAX_TICK, MIN_SQRT, MIN_TICK, sqrt_at
from connectors.amm.ticks import TickMap
from tests.support.amm_pools import amounts, case
from tests.support.amm_reference import Swapped

SEEDS = st.integers(0, 10**9)
WAYS = st.sampled_from([(0, 1), (1, 0)])
Q96 = 2**96


def pool_of(seed: int) -> Concentrated:
    pool = case(seed).fast()
    assume(MIN_SQRT + 1 < pool.sqrt_price_x96 < MAX_SQRT - 1)
    return pool


def sizes_of(pool: Concentrated, i: int, seed: int, *, exact_out: bool) -> list[int]:
    return amounts(pool, i == 0, exact_out, Random(seed))


def after_of(quote: Quote) -> Concentrated:
    assert isinstance(quote.after, Concentrated)
    return quote.after


@given(SEEDS, WAYS)
def test_a_ladder_is_its_single_quotes(seed: int, way: tuple[int, int]) -> None:
    """Both ladders, from cold and from warm sums, end before the first amount the pool cannot do in full."""
    pool = pool_of(seed)
    for exact_out in (False, True):
        singles = []
        sizes = sizes_of(pool, way[0], seed, exact_out=exact_out)
        for size in sizes:
            quote = case(seed).fast().swap(way[0] == 0, size, exact_out=exact_out)
            if (quote.amount_out if exact_out else quote.amount_in) != size:
                break
            singles.append(quote.amount_in if exact_out else quote.amount_out)
        for _ in range(2):
            assert (pool.costs if exact_out else pool.proceeds)(*way, sizes) == singles


@given(SEEDS, WAYS)
def test_more_in_never_gives_less_out(seed: int, way: tuple[int, int]) -> None:
    pool = pool_of(seed)
    paid = pool.proceeds(*way, sizes_of(pool, way[0], seed, exact_out=False))
    taken = pool.costs(*way, sizes_of(pool, way[0], seed, exact_out=True))
    assert all(less <= more for less, more in pairwise(paid))
    assert all(less <= more for less, more in pairwise(taken))


@given(SEEDS, WAYS)
def test_a_round_trip_never_profits(seed: int, way: tuple[int, int]) -> None:
    pool = pool_of(seed)
    for size in sizes_of(pool, way[0], seed, exact_out=False)[::3]:
        there = pool.swap(way[0] == 0, size, exact_out=False)
        back = after_of(there)
        if there.amount_out:
            assert back.swap(way[0] == 1, there.amount_out, exact_out=False).amount_out <= there.amount_in


@given(SEEDS, WAYS)
def test_what_an_amount_out_costs_buys_it(seed: int, way: tuple[int, int]) -> None:
    """And one unit less never buys more than was asked for."""
    pool = pool_of(seed)
    sizes = sizes_of(pool, way[0], seed, exact_out=True)
    for size, cost in zip(sizes, pool.costs(*way, sizes), strict=False):
        assert pool.exact_in(*way, cost).amount_out >= size
        if cost > 1:
            assert pool.swap(way[0] == 0, cost - 1, exact_out=False).amount_out <= size


@given(SEEDS, WAYS)
def test_two_swaps_never_give_more_than_one(seed: int, way: tuple[int, int]) -> None:
    """The pool rounds to its own side at every stop, so a swap cut in two pays the same or less; no fee is saved."""
    pool = pool_of(seed).without_fee()
    size = max(2, sizes_of(pool, way[0], seed, exact_out=False)[-3])
    one = pool.swap(way[0] == 0, size, exact_out=False)
    first = pool.swap(way[0] == 0, size // 2, exact_out=False)
    second = after_of(first)
    assume(MIN_SQRT + 1 < second.sqrt_price_x96 < MAX_SQRT - 1)
    assert first.amount_out + second.swap(way[0] == 0, size - size // 2, exact_out=False).amount_out <= one.amount_out


def worth(positions: list[tuple[int, int, int]], price: int) -> tuple[int, int]:
    """Amounts that all positions hold at a price, X96, cut down: what the pool must be able to pay out."""
    zero = one = 0
    for lower, upper, liquidity in positions:
        low, high = sqrt_at(lower), sqrt_at(upper)
        at = min(max(price, low), high)
        zero += liquidity * Q96 * (high - at) // (high * at)
        one += liquidity * (at - low) // Q96
    return zero, one


@given(SEEDS, WAYS)
def test_the_pool_can_always_pay_its_positions(seed: int, way: tuple[int, int]) -> None:
    """The invariant: what the positions hold moves by no more than what came in, and falls by no less than went out."""
    start, pool = case(seed), pool_of(seed)
    before = worth(start.positions, pool.sqrt_price_x96)
    for size in sizes_of(pool, way[0], seed, exact_out=False)[::2]:
        quote = pool.swap(way[0] == 0, size, exact_out=False)
        after = worth(start.positions, after_of(quote).sqrt_price_x96)
        slack = len(start.positions)  # each position's amounts are cut on their own
        i, j = way
        assert after[i] - before[i] <= quote.amount_in + slack
        assert before[j] - after[j] >= quote.amount_out - slack


@given(SEEDS)
def test_the_state_a_swap_leaves_agrees_with_its_ticks(seed: int) -> None:
    pool = pool_of(seed)
    assert pool.ticks.problem(pool.tick, pool.liquidity) == ""
    for i in (0, 1):
        for size in sizes_of(pool, i, seed, exact_out=False):
            after = after_of(pool.swap(i == 0, size, exact_out=False))
            assert after.ticks.problem(after.tick, after.liquidity) == ""
            assert sqrt_at(after.tick) <= after.sqrt_price_x96 <= sqrt_at(after.tick + 1)


@given(SEEDS, st.integers(1, 2**100))
def test_mint_then_burn_is_nothing(seed: int, amount: int) -> None:
    start, pool = case(seed), pool_of(seed)
    lower, upper, _ = start.positions[0]
    inner = (upper - start.spacing, upper) if upper - lower > start.spacing else (lower - start.spacing, lower)
    assume(inner[0] >= MIN_TICK)
    for low, high in ((lower, upper), inner):
        minted = pool.minted(low, high, amount)
        assert minted.burned(low, high, amount) == pool
        assert minted.ticks.problem(minted.tick, minted.liquidity) == ""
        assert minted != pool
    assert pool.burned(lower, upper, 0) == pool.minted(7, 9, 0) == pool


@given(SEEDS, WAYS)
def test_logs_lead_where_a_fresh_read_does(seed: int, way: tuple[int, int]) -> None:
    """Mints one by one, a swap, burns: quotes from sums that were warm before each log equal a cold pool's."""
    start = case(seed)
    kept, size = pool_of(seed), 10**12
    for position in start.positions:
        kept.proceeds(*way, [size])
        kept = kept.minted(*position)
    doubled = start._replace(positions=start.positions * 2)
    assert kept == doubled.fast()
    assert kept.proceeds(*way, [size, 10**20]) == doubled.fast().proceeds(*way, [size, 10**20])
    swap = kept.swap(way[0] == 0, size, exact_out=False)
    after = after_of(swap)
    kept = kept.swapped(after.sqrt_price_x96, after.liquidity, after.tick)
    for position in start.positions:
        kept = kept.burned(*position)
    fresh = start._replace(price=after.sqrt_price_x96, tick=after.tick).fast()
    assert kept == fresh
    if MIN_SQRT + 1 < after.sqrt_price_x96 < MAX_SQRT - 1:
        assert kept.costs(*way, [1, size]) == fresh.costs(*way, [1, size])


@given(SEEDS, WAYS)
@example(12, (0, 1))
def test_as_the_slow_reference(seed: int, way: tuple[int, int]) -> None:
    pool, slow = pool_of(seed), case(seed).slow()
    assume(pool.ticks.spacing > 1)  # thousands of words to the end, in fractions
    for exact_out in (False, True):
        for size in sizes_of(pool, way[0], seed, exact_out=exact_out)[::4]:
            quote = pool.swap(way[0] == 0, size, exact_out=exact_out)
            after = after_of(quote)
            got = Swapped(quote.amount_in, quote.amount_out, after.sqrt_price_x96, after.liquidity, after.tick)
            assert got == slow.swap(way[0] == 0, size, exact_out)
            assert quote.ticks_crossed == slow.quoter_count(after.tick)


@given(SEEDS, WAYS)
def test_a_pool_known_in_part_answers_the_same_or_not_at_all(seed: int, way: tuple[int, int]) -> None:
    whole = pool_of(seed)
    word = whole.tick // whole.ticks.spacing // 256
    low, high = (word - 1) * 256 * whole.ticks.spacing, ((word + 1) * 256 + 255) * whole.ticks.spacing
    part = Concentrated(
        whole.sqrt_price_x96, whole.tick, whole.liquidity, whole.fee_ppm,
        TickMap(whole.ticks.spacing, whole.ticks.entries(), low, high),
    )  # fmt: skip
    sizes = sizes_of(whole, way[0], seed, exact_out=False)
    known, answers = part.proceeds(*way, sizes), whole.proceeds(*way, sizes)
    assert known == answers[: len(known)]
    for size in sizes:
        try:
            quote = part.swap(way[0] == 0, size, exact_out=False)
        except Beyond:
            continue
        other = whole.swap(way[0] == 0, size, exact_out=False)
        assert (quote.amount_in, quote.amount_out) == (other.amount_in, other.amount_out)
        assert after_of(quote).sqrt_price_x96 == after_of(other).sqrt_price_x96


FULL = (-887220, 887220, 10**18)


def plain(tick: int = 0, liquidity: int = 10**18, fee_ppm: int = 3000) -> Concentrated:
    ticks = {FULL[0]: (FULL[2], FULL[2]), FULL[1]: (FULL[2], -FULL[2])}
    return Concentrated(sqrt_at(tick), tick, liquidity, fee_ppm, TickMap(60, ticks))


def test_prices_are_squares_and_their_inverse() -> None:
    assert plain().price(0, 1) == (2**192, 2**192)
    numerator, denominator = plain(60).price(0, 1)
    assert plain(60).price(1, 0) == (denominator, numerator)
    assert numerator == sqrt_at(60) ** 2


@pytest.mark.parametrize(
    ("pool", "way", "amount", "words"),
    [
        (plain(), (0, 0), 1, "no 0 for 0"),
        (plain(), (0, 2), 1, "no 0 for 2"),
        (plain(), (0, 1), 0, "amount of 0"),
        (plain(), (0, 1), -5, "amount of -5"),
        (plain(), (0, 1), 2**255, "amount of"),
        (plain(fee_ppm=10**6), (0, 1), 1, "fee of 1000000"),
        (Concentrated(0, 0, 0, 3000, TickMap(60, {})), (0, 1), 1, "no price yet"),
        (Concentrated(2**96, 0, 0, 3000, TickMap(60, {})), (0, 1), 10**18, "no liquidity"),
        (Concentrated(MIN_SQRT + 1, MIN_TICK, 0, 3000, TickMap(60, {})), (0, 1), 1, "at its end"),
        (Concentrated(MAX_SQRT - 1, MAX_TICK - 1, 0, 3000, TickMap(60, {})), (1, 0), 1, "at its end"),
    ],
)
def test_what_is_refused(pool: Concentrated, way: tuple[int, int], amount: int, words: str) -> None:
    with pytest.raises(QuoteError, match=words):
        pool.exact_in(*way, amount)


def test_an_amount_that_is_not_there_is_refused_and_an_offer_too_big_is_taken_in_part() -> None:
    pool = plain()
    most = pool.swap(True, 2**255 - 1, exact_out=True).amount_out
    assert 0 < most < 2**255 - 1
    with pytest.raises(QuoteError, match=f"{most} at most"):
        pool.exact_out(0, 1, most + 1)
    quote = pool.exact_in(0, 1, 2**255 - 1)
    assert quote.amount_in < 2**255 - 1
    assert after_of(quote).sqrt_price_x96 == MIN_SQRT + 1
    assert pool.proceeds(0, 1, [10, 2**255 - 1, 2**255]) == [pool.exact_in(0, 1, 10).amount_out]
    assert pool.costs(0, 1, [10, most, most + 1])[2:] == []


@pytest.mark.parametrize(
    ("ticks", "tick", "liquidity", "words"),
    [
        ({-60: (5, 5), 60: (5, -5)}, 0, 5, ""),
        ({-60: (5, 5), 60: (5, -5)}, 60, 0, ""),
        ({-60: (5, 5), 60: (5, -5)}, 0, 4, "liquidity of 5, the pool says 4"),
        ({-60: (5, 5)}, 0, 5, "add up to 5"),
        ({-50: (5, 5), 60: (5, -5)}, 0, 5, "multiple of the spacing"),
        ({-60: (0, 0)}, 0, 0, "gross of 0"),
        ({-60: (4, 5), 60: (5, -5)}, 0, 5, "gross of 4"),
        ({}, 0, -1, "128-bit"),
    ],
)
def test_ticks_that_cannot_be(ticks: dict[int, tuple[int, int]], tick: int, liquidity: int, words: str) -> None:
    problem = TickMap(60, ticks).problem(tick, liquidity)
    assert words in problem
    assert bool(words) == bool(problem)
    part = TickMap(60, ticks, -600, 600).problem(tick, liquidity)  # sums say nothing about a part
    assert bool(part) == (words in {"multiple of the spacing", "gross of 0", "gross of 4", "128-bit"})


def test_more_cannot_leave_than_there_is() -> None:
    with pytest.raises(QuoteError, match="cannot leave"):
        plain().burned(-887220, 0, 10**18)
    with pytest.raises(QuoteError, match="cannot change"):
        plain().burned(FULL[0], FULL[1], 10**18 + 1)
    with pytest.raises(QuoteError, match="would leave a liquidity"):
        Concentrated(2**96, 0, 5, 3000, TickMap(60, {60: (9, -9)})).exact_in(1, 0, 10**18)
    with pytest.raises(QuoteError, match="spacing 0"):
        TickMap(0, {})


def test_ticks_outside_the_known_range_are_left_out() -> None:
    known = TickMap(60, {-6000: (5, 5), 60: (5, -5)}, -600, 600)
    assert known.entries() == {60: (5, -5)}
    assert known.with_position(-6000, 0, 3).entries() == {0: (3, -3), 60: (5, -5)}
    assert not known.complete
    assert TickMap(60, {}, -887220, 887220).complete
