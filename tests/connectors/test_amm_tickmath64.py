"""Raydium's and Orca's tick tables: the programs' own prices, there and back."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm import tickmath
from connectors.amm.curve import QuoteError
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, ORCA, RAYDIUM, TickTable
from tests.support.clmm_orca import ORCA_DIGEST, OURS, RAYDIUM_DIGEST, table_checks, wrong

TABLES = pytest.mark.parametrize("table", [RAYDIUM, ORCA], ids=["raydium", "orca"])
TICKS = st.integers(MIN_TICK, MAX_TICK)


def test_the_tables_are_the_programs_own() -> None:
    """28,621 prices of each by their digest, as the published packages gave them, and the way back."""
    assert list(wrong(table_checks(lambda maths: maths.orca, ORCA_DIGEST, "orca"), OURS)) == []
    assert list(wrong(table_checks(lambda maths: maths.raydium, RAYDIUM_DIGEST, "raydium"), OURS)) == []


def test_the_ends_are_the_programs_own() -> None:
    assert (MIN_TICK, MAX_TICK) == (-443636, 443636)
    assert (RAYDIUM.min_sqrt, RAYDIUM.max_sqrt) == (4295048016, 79226673521066979257578248091)
    assert (ORCA.min_sqrt, ORCA.max_sqrt) == (4295048016, 79226673515401279992447579055)


def test_the_three_tables_differ() -> None:
    """As facts/DEX.md §4.3 found: taking one protocol's for another's is a wrong quote."""
    ticks = range(MIN_TICK, MAX_TICK, 97)
    uniswap = [tickmath.sqrt_at(tick) >> 32 for tick in ticks]
    raydium, orca = ([table.sqrt_at(tick) for tick in ticks] for table in (RAYDIUM, ORCA))
    for one, other in ((raydium, orca), (raydium, uniswap), (orca, uniswap)):
        assert sum(a != b for a, b in zip(one, other, strict=True)) > 1000


@TABLES
@given(tick=TICKS)
def test_a_ticks_price_leads_back_to_it(table: TickTable, tick: int) -> None:
    price = table.sqrt_at(tick)
    assert table.tick_at(price) == tick
    if tick > MIN_TICK:
        assert table.tick_at(price - 1) == tick - 1


@TABLES
@given(price=st.integers(ORCA.min_sqrt, ORCA.max_sqrt - 1) | st.integers(ORCA.min_sqrt, 1 << 66))
def test_a_price_lies_between_its_tick_and_the_next(table: TickTable, price: int) -> None:
    tick = table.tick_at(price)
    assert table.sqrt_at(tick) <= price < table.sqrt_at(tick + 1)


@TABLES
def test_prices_rise_with_the_tick(table: TickTable) -> None:
    ends = range(MIN_TICK, MIN_TICK + 300), range(-300, 300), range(MAX_TICK - 300, MAX_TICK + 1)
    for ticks in (*ends, range(MIN_TICK, MAX_TICK, 1009)):
        assert all(low < high for low, high in pairwise(map(table.sqrt_at, ticks)))


@TABLES
def test_beyond_the_ends_there_is_nothing(table: TickTable) -> None:
    for tick in (MIN_TICK - 1, MAX_TICK + 1):
        with pytest.raises(QuoteError, match=f"tick {tick} is outside"):
            table.sqrt_at(tick)
    for price in (0, table.min_sqrt - 1, table.max_sqrt + 1):
        with pytest.raises(QuoteError, match=f"price {price} is outside"):
            table.tick_at(price)
