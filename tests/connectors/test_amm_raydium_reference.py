"""Raydium's fast maths against a slow one of fractions; and that one against the SDK's kept answers."""

import os

from tests.support.clmm_raydium import REFUSED, is_fee_alone, pool, said_of, swap, swapped
from tests.support.clmm_raydium_checks import golden_swaps
from tests.support.clmm_raydium_reference import slow

SEEDS = int(os.environ.get("VENUEGATE_RAYDIUM_SEEDS", "2000"))


def test_the_slow_maths_says_what_the_sdk_said() -> None:
    swaps = list(golden_swaps())
    assert len(swaps) > 440
    assert [one for at, one, answer in swaps if slow(at, one) != answer] == []


def test_random_swaps_are_those_of_the_slow_maths() -> None:
    """Classic pools and those of 2026, also where the SDK is no oracle: a rest that is all fee at orders."""
    done = alone = 0
    for seed in range(SEEDS):
        at = pool(seed, modern=seed % 4 > 0)
        for turn in range(2):
            one = swap(2 * seed + turn, at)
            quote, answer = swapped(at.curve(one.now_s), one), slow(at, one)
            assert (quote if quote == REFUSED else said_of(quote)) == answer, (at, one)
            done += answer != REFUSED
            alone += answer != REFUSED and is_fee_alone(at, one)
    assert done > SEEDS and (alone or SEEDS < 2000)
