"""Whirlpools against Orca's own maths from npm: random pools, both ways, both kinds, over several arrays."""

import os
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest

from connectors.amm.tickmath64 import MAX_TICK, ORCA
from tests.solana.orca_node import OrcaNode, orca_node
from tests.support.clmm_orca import REFUSED, SPACINGS, answer_of, case, questions
from tests.support.clmm_orca_reference import U64, Refused, arrays

SWAPS = int(os.environ.get("VENUEGATE_ORCA_SWAPS", "1000"))
POOLS = max(20, SWAPS // 25)


@pytest.fixture(scope="module")
def node() -> Iterator[OrcaNode]:
    with orca_node() as process:
        yield process


def test_random_swaps_are_the_packages_own(node: OrcaNode) -> None:
    """Amounts in and out of every swap that fits its arrays: the package never ends on one that does not (the program
    refuses it), which is asked of the slow reference alone."""
    equal, seen = 0, Counter[object]()
    for seed in range(POOLS):
        of = case(seed)
        pool, slow = of.fast(), of.slow()
        fits = []
        for swap in questions(of, seed, 24):
            try:
                slow.swap(*swap)
            except Refused as refused:
                if refused.moved < swap.amount:  # beyond the arrays
                    assert answer_of(pool, swap) == REFUSED
                    continue
            fits.append(swap)
        for swap, theirs in zip(fits, node.swaps(of, fits), strict=True):
            given, moved = swap.amount, theirs.amount_out if swap.exact_out else theirs.amount_in
            if theirs.error or not theirs.amount_in or (swap.exact_out and moved < given):
                assert answer_of(pool, swap) == REFUSED, (seed, swap, theirs)
                seen["refused"] += 1
                continue
            ours = answer_of(pool, swap)
            assert isinstance(ours, tuple), (seed, swap, theirs)
            assert ours[:2] == theirs[:2], (seed, swap)
            equal += 1
            i, size = of.tick, 88 * of.spacing
            seen |= Counter({("spacing", of.spacing): 1, ("down", swap.down, swap.exact_out): 1, ("pool", seed): 1})
            seen["several arrays"] += ours[3] // size not in (i // size, arrays(i, of.spacing, swap.down)[0] // size)
            seen["several ticks"] += ours[5] > 2
            seen["taken in part"] += moved < given
            seen["fee above 1 %"] += of.fee_ppm > 10_000
    assert equal >= SWAPS * 4 // 5
    assert sum(isinstance(key, tuple) and key[0] == "pool" for key in seen) >= POOLS * 9 // 10
    assert {key[1] for key in seen if isinstance(key, tuple) and key[0] == "spacing"} == set(SPACINGS)
    assert sum(isinstance(key, tuple) and key[0] == "down" for key in seen) == 4
    for word in ("refused", "several arrays", "several ticks", "taken in part", "fee above 1 %"):
        assert seen[word] >= 5, (word, seen[word])


def test_the_table_and_back_are_the_packages_own(node: OrcaNode) -> None:
    rng = Random(8)
    ticks = [-MAX_TICK, MAX_TICK, 0, *(sign << bit for bit in range(19) for sign in (1, -1))]
    ticks += [rng.randrange(-MAX_TICK, MAX_TICK) for _ in range(4000)]
    assert node.sqrt_at(ticks) == [ORCA.sqrt_at(tick) for tick in ticks]
    prices = [ORCA.sqrt_at(tick) + change for tick in ticks[2:2000] for change in (-1, 0, 1)]
    prices += [rng.randrange(ORCA.min_sqrt, U64) for _ in range(1000)]
    prices += [rng.randrange(ORCA.min_sqrt, ORCA.max_sqrt) for _ in range(1000)]
    prices += [ORCA.min_sqrt, ORCA.max_sqrt]
    assert node.tick_at(prices) == [ORCA.tick_at(price) for price in prices]
