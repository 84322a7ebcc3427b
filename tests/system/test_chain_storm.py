"""Faults of many kinds, one upon another, at one to three providers; every book is judged, and all is well after.

Which, when and how long is rolled from the seed. `Watch` judges as in test_chain_faults.py.
"""

import os
import random
from collections.abc import Callable
from typing import Any, Final

import pytest

from runtime.sim.evm.faults import EvmFaults
from tests.support.virtual import SECOND
from tests.support.virtual_chain import EXACT, PROBED, Bare, Link, chain_plan

pytestmark = pytest.mark.slow

SEEDS: Final = int(os.environ.get("VENUEGATE_CHAIN_STORM", "16"))
TROUBLES: Final = 25
LINKS: Final = ("rpc1", "rpc2", "rpc3")

Trouble = Callable[[Bare, Link, random.Random], object]


def muted(bare: Bare, link: Link, rng: random.Random) -> None:
    link.is_mute = True
    bare.run(rng.random() * 8)
    link.is_mute = False


def late(_bare: Bare, link: Link, rng: random.Random) -> None:
    link.delay_ns = rng.choice([0, 0, SECOND // 10, SECOND // 3])


def paused(bare: Bare, _link: Link, _rng: random.Random) -> None:
    bare.chain.is_paused = not bare.chain.is_paused


def at_the_node(name: str, *values: Any) -> Trouble:
    """One of the simulated node's faults."""

    def trouble(_bare: Bare, link: Link, rng: random.Random) -> None:
        setattr(link.node.faults, name, rng.choice(values))

    return trouble


EVERY: Final[tuple[Trouble, ...]] = (
    muted, late, paused, at_the_node("skip_heads", 1, 5, 30), at_the_node("drop_logs", 30),
    at_the_node("stall_heads", True, False), at_the_node("close", True), at_the_node("delay_ms", 0, 50, 300, 900),
    at_the_node("error_answers", 1, 9), at_the_node("refuse_block_hash", True, False),
    lambda bare, link, rng: bare.hang_up(link.name, rng.random() * 2),
    lambda bare, _link, rng: bare.chain.reorg(rng.randrange(1, 12)),
    lambda bare, _link, rng: bare.chain.reorg(rng.randrange(1, 5), tell=False),
)  # fmt: skip


def ended(bare: Bare) -> None:
    """Nothing is wrong any more."""
    whole = EvmFaults()
    for link in bare.chain.links.values():
        link.delay_ns = 0
        for name in EvmFaults.__struct_fields__:
            setattr(link.node.faults, name, getattr(whole, name))
    bare.chain.is_paused = False


def storm(seed: int) -> Bare:
    rng = random.Random(seed)
    links = LINKS[: rng.choice([1, 2, 3])]
    bare = Bare(
        chain_plan(
            EXACT + PROBED[: rng.randrange(5)], links, quorum=rng.choice([1, min(2, len(links))]),
            check_every=rng.choice([1, 5]), reconcile_blocks=rng.choice([3, 20]), calls_per_s=rng.choice([15, 200]),
        )
    )  # fmt: skip
    bare.run(3)
    for _ in range(TROUBLES):
        rng.choice(EVERY)(bare, bare.chain.links[rng.choice(links)], rng)
        bare.run(rng.random() * 3)
    ended(bare)
    return bare.run(60, bare.is_current)


@pytest.mark.parametrize(
    "seed",
    range(SEEDS),
)
def test_after_the_storm_all_is_as_the_chain_has_it(seed: int) -> None:
    bare = storm(seed)
    assert bare.is_current(), f"{bare.session.lost!r}, {bare.notices[-2:]}"
    assert bare.watch.compared
