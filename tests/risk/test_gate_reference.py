"""The gate against a second implementation written from docs/gate.md: random action sequences, compared step by step.

`VENUEGATE_GATE_SEQUENCES` runs as many as you like here, `VENUEGATE_GATE_SEED` others; `python -m tests.reference
--sequences 1000000` uses all cores. A difference names its seed: `Run(seed, length_of(seed)).play()` plays it again.
"""

from __future__ import annotations

import pytest

from risk.denial import DenyReason
from tests.reference.bugs import CHECK_BUGS, GATE_BUGS, planted
from tests.reference.checks import CHECKS
from tests.reference.driver import Run
from tests.reference.runner import length_of, play, wanted

SEQUENCES, SEED = wanted(5_000)
FLOOR = 20
"""Each reason at least so often in 10,000 sequences."""
SEARCHED = 6_000


def test_the_reference_has_every_row_of_the_table() -> None:
    """12 to 15 are one walk over the market's data."""
    assert [number for number, _ in CHECKS] == [*range(1, 13), *range(16, 32)]


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_gate_and_reference_agree_on_random_sequences_and_meet_every_reason() -> None:
    tally = play(SEED, 0, SEQUENCES)
    assert tally.differences == []
    assert tally.sequences == SEQUENCES
    floor = FLOOR * SEQUENCES // 10_000
    assert {str(reason): tally.met[reason] for reason in DenyReason if tally.met[reason] < floor} == {}


@pytest.mark.parametrize("first", range(0, 300, 100))
def test_gate_and_reference_agree_on_a_few(first: int) -> None:
    assert play(SEED + 1, first, 100).differences == []


def search(bug: str, most: int) -> str | None:
    """The first difference that a planted bug makes, by seed after seed."""
    with planted(bug) as pair:
        for seed in range(most):
            try:
                Run(seed, length_of(seed), pair).play()
            except AssertionError as difference:
                return f"{seed}: {difference}"
    return None


@pytest.mark.slow
@pytest.mark.parametrize("bug", [*CHECK_BUGS, *GATE_BUGS])
def test_a_planted_bug_is_found(bug: str) -> None:
    """Within little more than CI runs."""
    assert search(bug, SEARCHED) is not None


def test_a_difference_names_its_seed_its_step_and_what_was_done() -> None:
    found = search("notional divided instead of multiplied", SEARCHED)
    assert found is not None
    seed, _, text = found.partition(": ")
    assert text.startswith(f"seed {seed}, step ")
    assert "MAX_ORDER_NOTIONAL" in text
    assert "\nnew " in text
