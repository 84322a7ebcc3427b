"""The table of ticks: known values, the reference's decimals, and back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.curve import QuoteError
from connectors.amm.tickmath import MAX_SQRT, MAX_TICK, MIN_SQRT, MIN_TICK, sqrt_at, tick_at
from tests.support import amm_reference

TICKS = st.integers(MIN_TICK, MAX_TICK)


def test_known_values() -> None:
    """The ends as every V3 pool has them, the middle, and Q96 · √1.0001 from decimals."""
    assert sqrt_at(MIN_TICK) == MIN_SQRT == 4295128739
    assert sqrt_at(MAX_TICK) == MAX_SQRT == 1461446703485210103287273052203988822378723970342
    assert sqrt_at(0) == 2**96
    assert sqrt_at(1) == 79232123823359799118286999568
    assert sqrt_at(-1) == 79224201403219477170569942574


def test_the_table_is_the_references() -> None:
    ticks = [*range(MIN_TICK, MAX_TICK, 1777), *range(-300, 300), MAX_TICK]
    assert [sqrt_at(tick) for tick in ticks] == [amm_reference.sqrt_at(tick) for tick in ticks]


def test_there_and_back_and_never_falling() -> None:
    """Over all ticks in steps, and every one near the ends and the middle: exact on a tick, one less just below it."""
    ticks = [*range(MIN_TICK, MIN_TICK + 500), *range(-400_000, 400_001, 997), *range(-500, 500),
             *range(MAX_TICK - 500, MAX_TICK)]  # fmt: skip
    for tick in ticks:
        assert tick_at(sqrt_at(tick)) == tick
        assert tick == MIN_TICK or tick_at(sqrt_at(tick) - 1) == tick - 1
    prices = [sqrt_at(tick) for tick in sorted(ticks)]
    assert all(low <= high for low, high in pairwise(prices))
    assert tick_at(MAX_SQRT - 1) == MAX_TICK - 1


@given(st.integers(MIN_SQRT, MAX_SQRT - 1), st.integers(0, 160))
def test_a_price_lies_between_its_tick_and_the_next(price: int, shift: int) -> None:
    price = max(MIN_SQRT, price >> shift)
    tick = tick_at(price)
    assert sqrt_at(tick) <= price < sqrt_at(tick + 1)
    assert tick == amm_reference.tick_at(price)


@given(TICKS, TICKS)
def test_a_higher_tick_has_a_higher_price(one: int, other: int) -> None:
    assert (one < other) == (sqrt_at(one) < sqrt_at(other))


@pytest.mark.parametrize("tick", [MIN_TICK - 1, MAX_TICK + 1, 10**9])
def test_no_tick_beyond_the_ends(tick: int) -> None:
    with pytest.raises(QuoteError, match=str(tick)):
        sqrt_at(tick)


@pytest.mark.parametrize("price", [0, MIN_SQRT - 1, MAX_SQRT, 2**160])
def test_no_price_beyond_the_ends(price: int) -> None:
    with pytest.raises(QuoteError, match=str(price)):
        tick_at(price)
