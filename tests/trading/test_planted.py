"""Each guard of trading for real is taken out once: its scenario must see that (`tests/support/planted_trading.py`)."""

import pytest

from tests.mutants import run
from tests.support.planted_trading import KNOBS, MUTANTS


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_guard_that_is_taken_out_is_missed() -> None:
    """`uv run python -m tests.mutants NAME …` runs some of them."""
    survived = {outcome.name: outcome.said for outcome in run(MUTANTS, knobs=KNOBS) if not outcome.is_caught}
    assert not survived


def test_each_mutant_has_one_test_of_its_own() -> None:
    assert all(len(mutant.tests) == 1 and mutant.why for mutant in MUTANTS)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 40
