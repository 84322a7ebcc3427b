"""Planted mistakes in Raydium's maths: the crate's answers and the SDK's kept ones must see every one of them."""

import pytest

from tests.support.amm_mutants import Mutant
from tests.support.clmm_raydium import OURS
from tests.support.clmm_raydium_checks import Check, crate_checks, golden_checks, wrong
from tests.support.clmm_raydium_mutants import FILES, MUTANTS, load


@pytest.fixture(scope="module")
def suite() -> list[Check]:
    """Both rules."""
    return [*golden_checks(), *crate_checks(range(400))]


def name_of(mutant: Mutant) -> str:
    return mutant.name


def test_the_list_covers_every_file() -> None:
    assert {mutant.file for mutant in MUTANTS} == set(FILES)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 75


def test_the_original_answers_as_the_oracles_do(suite: list[Check]) -> None:
    """Also from a copy loaded as mutants are."""
    assert list(wrong(suite, OURS)) == []
    assert list(wrong(suite, load(None))) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=name_of)
def test_a_planted_mistake_is_seen(mutant: Mutant, suite: list[Check]) -> None:
    assert next(wrong(suite, load(mutant)), None) is not None
