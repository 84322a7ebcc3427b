"""Raydium's classic rules against crate solana-clmm-raydium 0.2.0, which `.ci/install` builds."""

import os

import pytest

from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, RAYDIUM
from tests.support.clmm_raydium import OURS, REFUSED
from tests.support.clmm_raydium_checks import SWAPS_EACH, crate_checks, wrong
from tests.support.clmm_raydium_oracles import crate_says

SEEDS = int(os.environ.get("VENUEGATE_RAYDIUM_SEEDS", "1500"))


def test_random_swaps_are_those_of_the_crate() -> None:
    """Amounts, price, tick and liquidity after, or both refuse; each also as a ladder of one."""
    checks = crate_checks(range(SEEDS))
    assert len(checks) == SWAPS_EACH * SEEDS
    done = [check for check in checks if check.answer != REFUSED]
    assert len(done) > len(checks) // 3
    assert list(wrong(checks, OURS)) == []


@pytest.mark.parametrize("spacing", [1, 997])
def test_the_table_is_the_crates(spacing: int) -> None:
    """Prices of ticks, and ticks of prices on, one below and between ticks."""
    ticks = [*range(-500, 500)] if spacing == 1 else [*range(MIN_TICK, MAX_TICK + 1, spacing), MAX_TICK]
    said = crate_says(f"sqrt {tick}" for tick in ticks)
    assert [int(words[1]) for words in said] == [RAYDIUM.sqrt_at(tick) for tick in ticks]
    prices = []
    for low in ticks:
        price, above = RAYDIUM.sqrt_at(low), RAYDIUM.sqrt_at(min(low + 1, MAX_TICK))
        prices += [at for at in (price - 1, price, (price + above) // 2) if RAYDIUM.min_sqrt <= at < RAYDIUM.max_sqrt]
    said = crate_says(f"tick {price}" for price in prices)
    assert [int(words[1]) for words in said] == [RAYDIUM.tick_at(price) for price in prices]
