"""Solana's session while its nodes fail in every way that the simulated node knows, several at a time.

What is shown is judged at every moment (tests/support/solana_watch.py); what is lost has its reason; after a quiet
stretch everything is shown again. `lie_price` is not among them: a node that lies consistently is believed.
"""

import os
import random
from typing import Any, Final

import pytest

from runtime.sim.solana.faults import SolanaFaults
from tests.support.solana_world import Bare, solana_plan

ROUNDS: Final = int(os.environ.get("VENUEGATE_SOLANA_FAULTS", "25"))
FAULTS: Final[dict[str, tuple[Any, ...]]] = {
    "drop_notifications": (1, 20, 10**6), "late_notifications": (300, 900, 3_000), "duplicate": (True,),
    "stale": (1, 3, 20), "rollback": (1, 3, 6), "truncate_data": (1, 500, 10**6), "foreign_owner": (True,),
    "close": (True,), "mute": (True,), "delay_ms": (200, 1_500, 8_000), "error_answers": (1, 5, 50),
    "behind": (1, 3, 30), "stall_slots": (True,), "genesis": (True,), "frozen_context": (True,),
    "context_lag": (1, 4, 9),
}  # fmt: skip


def test_every_fault_of_the_node_is_tried_but_the_lie() -> None:
    assert set(FAULTS) == set(SolanaFaults.__struct_fields__) - {"lie_price"}


@pytest.mark.slow
@pytest.mark.parametrize("commitment", ["processed", "confirmed"])
def test_no_fault_shows_a_wrong_book_or_stays(commitment: str) -> None:
    rng = random.Random(f"faults {commitment}")
    bare = Bare(solana_plan(links=("rpc1", "rpc2"), commitment=commitment, calls_per_s=50), drift_ppm=200)
    bare.run(5, bare.is_well)
    for _ in range(ROUNDS):
        name = rng.choice(("rpc1", "rpc2"))
        chosen = rng.sample(sorted(FAULTS), rng.randrange(1, 4))
        for fault in chosen:
            _switch(bare, name, fault, rng.choice(FAULTS[fault]))
            bare.run(rng.choice((0.1, 1, 4)))
        bare.run(rng.choice((1, 3, 8)))
        for link in bare.chain.links.values():
            link.node.faults = SolanaFaults(rollback=link.node.faults.rollback)
        if "genesis" in chosen:  # who was of another chain is asked again when it connects anew
            bare.hang_up(name, 0.1)
        if rng.randrange(2):
            bare.run(70, bare.is_well)
            words = f"{name} {chosen}: {bare.session.lost!r} {bare.watch.lost_for} {bare.notices[-4:]}"
            assert bare.is_well(), words
    assert bare.watch.compared > 5 * ROUNDS
    assert len(bare.lost) > ROUNDS


def _switch(bare: Bare, name: str, fault: str, value: Any) -> None:
    chain = bare.chain
    is_forking = any(link.node._branch or link.node.faults.rollback for link in chain.links.values())
    if fault == "rollback" and (is_forking or chain.head + 2 <= max(chain.truths)):
        return  # two branches would take the same slots
    chain.node(name).faults.switch(fault, value)
