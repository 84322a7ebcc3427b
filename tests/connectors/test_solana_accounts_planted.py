"""Accounts that must be refused, each with its reason; and planted mistakes in their readers, which these must see."""

import pytest

from tests.support.solana_accounts_cases import Case, case_list, refused, wrong
from tests.support.solana_accounts_mutants import FILES, MUTANTS, Mutant, load


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return case_list()


def test_every_case_is_refused_with_its_reason(cases: list[Case]) -> None:
    """By the readers themselves, and by a copy loaded as mutants are."""
    assert len({case.name for case in cases}) == len(cases) >= 150
    assert list(wrong(cases)) == []
    assert [*wrong(cases, load(None)), *refused(load(None))] == []


def test_the_list_covers_every_file() -> None:
    assert {mutant.file for mutant in MUTANTS} == set(FILES)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 100


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_seen(mutant: Mutant, cases: list[Case]) -> None:
    door = load(mutant)
    assert next(wrong(cases, door), None) or next(refused(door), None)
