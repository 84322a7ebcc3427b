"""Orca's Whirlpools: against the slow reference, at their arrays' ends, and what holds of any pool.

tests/solana/test_orca_npm.py asks Orca's own maths the same questions.
"""

from fractions import Fraction
from itertools import accumulate, pairwise
from random import Random

import msgspec
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connectors.amm import ladder
from connectors.amm.curve import Beyond, Quote, QuoteError
from connectors.amm.ladder import Pair
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, ORCA
from connectors.amm.ticks64 import Tick, Ticks
from connectors.amm.whirlpool import Whirlpool, edge
from connectors.errors import Unpublishable
from tests.support import clmm_walks
from tests.support.amm_mutants import Mutant
from tests.support.clmm_orca import (
    EDGES,
    ORCA_DIGEST,
    OURS,
    RAYDIUM_DIGEST,
    SPACINGS,
    Case,
    Check,
    Swap,
    answer_of,
    case,
    checks,
    expected,
    table_checks,
    wrong,
)
from tests.support.clmm_orca_mutants import FILES, MUTANTS, load
from tests.support.clmm_orca_reference import U64, arrays
from tests.support.ladders import MONEY, exact, promise, whole

CASES = st.integers(0, 2**40).map(case)
BOTH = pytest.mark.parametrize("down", [True, False])


# --- against the reference, and mutants of it ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def suite() -> list[Check]:
    return [*clmm_walks.checks(range(60)), *checks([*EDGES, *map(case, range(42))], 16)]


@pytest.fixture(scope="module")
def tables() -> list[Check]:
    orca = table_checks(lambda maths: maths.orca, ORCA_DIGEST, "orca")
    return [*orca, *table_checks(lambda maths: maths.raydium, RAYDIUM_DIGEST, "raydium")]


def test_swaps_as_the_slow_reference_does_them(suite: list[Check], tables: list[Check]) -> None:
    """Amounts, price, tick, liquidity, ticks crossed, refusals, ladders; also from a copy loaded as mutants are."""
    assert {case(seed).spacing for seed in range(42)} == set(SPACINGS)
    assert list(wrong([*tables, *suite], OURS)) == []
    assert list(wrong([*tables, *suite], load(None))) == []


def test_the_mutants_cover_every_file() -> None:
    assert {mutant.file for mutant in MUTANTS} == set(FILES)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_seen(mutant: Mutant, suite: list[Check], tables: list[Check]) -> None:
    asked = tables + suite if mutant.file == "tickmath64.py" else suite
    assert next(wrong(asked, load(mutant)), None) is not None


@given(CASES, st.booleans(), st.booleans(), st.integers(1, U64 - 1), st.integers(0, 60))
def test_any_swap_as_the_slow_reference_does_it(of: Case, down: bool, exact_out: bool, amount: int, shift: int) -> None:
    swap = Swap(down, max(1, amount >> shift), exact_out)
    known = expected(of.slow(), swap)
    event("refused" if known is None else "swapped")
    assert answer_of(of.fast(), swap) == ("refused" if known is None else tuple(known)[:6])


# --- what holds of any pool -------------------------------------------------------------------------------------------


@given(CASES, st.booleans(), st.lists(st.integers(1, U64 - 1), min_size=2, max_size=8), st.integers(0, 60))
def test_more_in_never_gives_less_out(of: Case, down: bool, amounts: list[int], shift: int) -> None:
    i, j = (0, 1) if down else (1, 0)
    rising = sorted({max(1, amount >> shift) for amount in amounts})
    for ladder_of in (of.fast().proceeds, of.fast().costs):
        results = ladder_of(i, j, rising)
        assert all(low <= high for low, high in pairwise(results))


@given(CASES, st.booleans(), st.integers(1, U64 - 1), st.integers(0, 60))
def test_an_exact_out_swap_takes_the_least_that_gives_as_much(of: Case, down: bool, amount: int, shift: int) -> None:
    """But where it ends on a tick: the program goes all the way there, though the last unit of price pays nothing."""
    pool, (i, j) = of.fast(), (0, 1) if down else (1, 0)
    try:
        quote = pool.exact_out(i, j, max(1, amount >> shift))
    except QuoteError:
        event("refused")
        return
    assert quote.amount_out == max(1, amount >> shift)
    again = _or_none(pool, i, j, quote.amount_in)
    if again is None:
        return  # a unit of price pays more than was asked, here beyond 64 bits
    assert again.amount_out >= quote.amount_out
    price = quote.after.sqrt_price_x64  # type: ignore[attr-defined]
    if quote.amount_in > 1 and ORCA.sqrt_at(ORCA.tick_at(price)) != price:
        assert pool.proceeds(i, j, [quote.amount_in - 1])[0] < quote.amount_out


@given(CASES, st.booleans(), st.integers(1, U64 - 1), st.integers(0, 60))
def test_the_pool_after_a_swap_goes_on_as_a_pool(of: Case, down: bool, amount: int, shift: int) -> None:
    """There and back again never gains, and what the swap left agrees with the ticks."""
    pool, (i, j) = of.fast(), (0, 1) if down else (1, 0)
    try:
        quote = pool.exact_in(i, j, max(1, amount >> shift))
        back = quote.after.exact_in(j, i, quote.amount_out)
    except QuoteError:
        event("refused")
        return
    after = quote.after
    assert isinstance(after, Whirlpool)
    assert back.amount_out <= quote.amount_in
    assert after.ticks.problem(after.tick, after.liquidity) == ""
    assert ORCA.tick_at(after.sqrt_price_x64) - after.tick in (0, 1)


@given(CASES)
def test_without_fee_is_the_same_pool(of: Case) -> None:
    pool = of.fast()
    assert pool.without_fee() == msgspec.structs.replace(pool, fee_ppm=0)
    numerator, denominator = pool.price(0, 1)
    assert Fraction(numerator, denominator) == Fraction(of.price, 2**64) ** 2
    assert pool.price(1, 0) == (denominator, numerator)


@settings(max_examples=60)
@given(CASES, st.integers(0, 1), st.integers(0, 12), st.integers(0, 12))
def test_every_level_keeps_the_ladders_promise(of: Case, base: int, base_decimals: int, quote_decimals: int) -> None:
    pool, pair = of.fast(), Pair(base, 1 - base, base_decimals, quote_decimals)
    try:
        sizes = ladder.grid(MONEY, ladder.mid_1e9(pool, pair), base_decimals)
        bids, asks = ladder.levels(ladder.measure(pool, pair, sizes), pair)
    except Unpublishable as refused:
        event(refused.reason)
        return
    event("published")
    slow = of.slow()
    for side, sign in ((bids, 1), (asks, -1)):
        ends = list(accumulate(size for _, size in side))
        swaps = [Swap((base == 0) == (sign > 0), whole(end, base_decimals), sign < 0) for end in ends]
        quotes = [slow.swap(*swap) for swap in swaps]
        money = [quote.amount_out if sign > 0 else quote.amount_in for quote in quotes]
        promise(side, ends, [exact(one, quote_decimals) for one in money], sign)


# --- arrays -----------------------------------------------------------------------------------------------------------


def test_a_swap_reaches_three_arrays() -> None:
    """The program's own way of finding them, facts/DEX.md §4.3; some of it spelt out."""
    assert (edge(0, 1, True), edge(0, 1, False)) == (-176, 263)
    assert (edge(87, 1, True), edge(87, 1, False)) == (-176, 351)  # the next tick up is in the next array
    assert (edge(-1, 64, True), edge(-1, 64, False)) == (-3 * 88 * 64, 3 * 88 * 64 - 1)
    assert (edge(-65, 64, True), edge(-65, 64, False)) == (-3 * 88 * 64, 2 * 88 * 64 - 1)
    assert (edge(5, 32896, True), edge(5, 32896, False)) == (MIN_TICK, MAX_TICK)
    rng = Random(1)
    for _ in range(2000):
        spacing, tick = rng.choice(SPACINGS), rng.randrange(MIN_TICK, MAX_TICK)
        starts = {down: arrays(tick, spacing, down) for down in (True, False)}
        assert edge(tick, spacing, True) == max(min(starts[True]), MIN_TICK)
        assert edge(tick, spacing, False) == min(max(starts[False]) + 88 * spacing - 1, MAX_TICK)


@BOTH
def test_beyond_three_arrays_a_swap_is_refused(down: bool) -> None:
    """All that they hold is taken, and one unit more is not."""
    of = Case(ORCA.sqrt_at(44) + 5, 44, 3000, 1, ((-MAX_TICK, MAX_TICK, 10**12),))
    pool, (i, j) = of.fast(), (0, 1) if down else (1, 0)
    most = _most(pool, i, j)
    quote = pool.exact_in(i, j, most)
    after = quote.after
    assert isinstance(after, Whirlpool)
    assert after.tick == (-177 if down else 263)
    assert after.sqrt_price_x64 == ORCA.sqrt_at(-176 if down else 263)
    with pytest.raises(QuoteError, match=f"3 tick arrays at most: they end at tick {-176 if down else 263}"):
        pool.exact_in(i, j, most + 1)
    with pytest.raises(QuoteError, match="3 tick arrays at most"):
        pool.exact_out(i, j, quote.amount_out + 1)
    assert pool.proceeds(i, j, [most - 1, most, most + 1])[-1] == quote.amount_out
    assert after.exact_in(i, j, 10**6).amount_in == 10**6  # the next swap has arrays of its own


@BOTH
def test_ticks_that_were_not_read_are_beyond(down: bool) -> None:
    """Never a quote over a hole: an array on the way that is not known ends the ladder, and says so to a quote."""
    entries = {-MAX_TICK: Tick(10**12, 10**12), MAX_TICK: Tick(-(10**12), 10**12)}
    pool = Whirlpool(ORCA.sqrt_at(44), 44, 10**12, 3000, Ticks(1, entries, -88, 175))
    i, j = (0, 1) if down else (1, 0)
    assert len(pool.proceeds(i, j, [10**6, U64 - 1])) == 0
    with pytest.raises(Beyond, match="known from -88 to 175"):
        pool.exact_in(i, j, 10**6)
    known = msgspec.structs.replace(pool, ticks=Ticks(1, {}, -176, 263))
    assert known.exact_in(i, j, 10**6).amount_in == 10**6


@BOTH
def test_a_pool_of_the_whole_range_ends_with_the_prices(down: bool) -> None:
    """An exact-in swap then takes less than was offered, as the program does; no ladder goes there."""
    ticks = Ticks(32896, {-427648: Tick(10**6, 10**6), 427648: Tick(-(10**6), 10**6)})
    pool = Whirlpool(1 << 64, 0, 10**6, 10_000, ticks)
    i, j = (0, 1) if down else (1, 0)
    quote = pool.exact_in(i, j, U64 - 1)
    after = quote.after
    assert isinstance(after, Whirlpool)
    assert quote.amount_in < U64 - 1
    assert (after.liquidity, quote.ticks_crossed) == (0, 1)
    assert after.sqrt_price_x64 == (ORCA.min_sqrt if down else ORCA.max_sqrt)
    assert pool.proceeds(i, j, [10, U64 - 1]) == [pool.exact_in(i, j, 10).amount_out]
    with pytest.raises(QuoteError, match=f"pays {quote.amount_out} at most"):
        pool.exact_out(i, j, quote.amount_out + 1)
    with pytest.raises(QuoteError, match="nothing can be swapped"):
        after.exact_in(i, j, 10)
    assert after.exact_in(j, i, 10**6).amount_in == 10**6


# --- what cannot be ---------------------------------------------------------------------------------------------------

GOOD = case(3).fast()


@pytest.mark.parametrize(
    ("wrong_state", "said"),
    [
        ({"sqrt_price_x64": 0}, "does not belong"),
        ({"sqrt_price_x64": ORCA.max_sqrt + 1}, "does not belong"),
        ({"tick": GOOD.tick + 2}, "does not belong"),
        ({"tick": GOOD.tick - 2}, "does not belong"),
        ({"tick": MAX_TICK + 1}, "does not belong"),
        ({"fee_ppm": 1_000_000}, "a fee of 1000000 ppm"),
        ({"fee_ppm": -1}, "a fee of -1 ppm"),
        ({"liquidity": -1}, "not a 128-bit number"),
        ({"liquidity": 1 << 128}, "not a 128-bit number"),
        ({"liquidity": (1 << 128) - 1, "sqrt_price_x64": ORCA.sqrt_at(1000), "tick": 1000}, "can reckon with"),
    ],
)
def test_a_state_that_cannot_be_is_never_quoted(wrong_state: dict[str, int], said: str) -> None:
    pool = msgspec.structs.replace(GOOD, **wrong_state)
    for i, j in ((0, 1), (1, 0)):
        for quote in (pool.exact_in, pool.exact_out):
            with pytest.raises(QuoteError, match=said):
                quote(i, j, 1000)
        assert pool.proceeds(i, j, [1000]) == pool.costs(i, j, [1000]) == []


@BOTH
def test_ticks_that_take_more_than_there_is_are_never_crossed(down: bool) -> None:
    ticks = Ticks(4, {-40: Tick(10**9, 10**9), 40: Tick(-(10**9), 10**9)})
    pool = Whirlpool(1 << 64, 0, 10**8, 3000, ticks)
    i, j = (0, 1) if down else (1, 0)
    with pytest.raises(QuoteError, match=f"crossing tick {-40 if down else 40} would leave a liquidity of -900000000"):
        pool.exact_in(i, j, 10**9)


def test_a_pool_of_nothing_has_no_price() -> None:
    empty = Whirlpool(1 << 64, 0, 0, 3000, Ticks(4, {}))
    for pool in (empty, msgspec.structs.replace(GOOD, sqrt_price_x64=0)):
        with pytest.raises(QuoteError, match="empty"):
            pool.price(0, 1)
    with pytest.raises(QuoteError, match="3 tick arrays at most"):
        empty.exact_in(0, 1, 10)
    for i, j in ((0, 0), (1, 1), (0, 2)):
        with pytest.raises(QuoteError, match=f"no {i} for {j}"):
            GOOD.exact_in(i, j, 10)


def _or_none(pool: Whirlpool, i: int, j: int, amount: int) -> Quote | None:
    try:
        return pool.exact_in(i, j, amount)
    except QuoteError:
        return None


def _most(pool: Whirlpool, i: int, j: int) -> int:
    """The greatest amount that is taken."""
    low, high = 1, U64 - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if pool.proceeds(i, j, [middle]) else (low, middle - 1)
    return low
