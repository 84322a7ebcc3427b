"""Planted mistakes in the pool maths: the suites beside must see every one of them."""

import pytest

from tests.support.amm_checks import (
    Check,
    concentrated_checks,
    constant_product_checks,
    curvesim_checks,
    ng_order,
    table_checks,
    wrong,
)
from tests.support.amm_mutants import FILES, MUTANTS, Mutant, load
from tests.support.amm_oracles import curvesim_pool
from tests.support.amm_pools import OURS

STABLE = [mutant for mutant in MUTANTS if mutant.file == "stableswap.py"]
OTHERS = [mutant for mutant in MUTANTS if mutant.file != "stableswap.py"]
# what only the contract's own view shows: the recorded answers see it, and test_amm_stableswap.py
VIEW_ONLY = {"view takes the fee as exchange does"}


@pytest.fixture(scope="module")
def suite() -> list[Check]:
    """Everything that needs neither recordings nor curvesim."""
    return [
        *table_checks([*range(-887272, 887273, 4999), 887272]),
        *constant_product_checks(range(60)),
        *concentrated_checks(range(16)),
    ]


@pytest.fixture(scope="module")
def stable_suite() -> list[Check]:
    pool = curvesim_pool()
    return [*curvesim_checks(pool, range(400), is_ng=False), *curvesim_checks(ng_order(pool), range(400), is_ng=True)]


def name_of(mutant: Mutant) -> str:
    return mutant.name


def test_the_list_covers_every_file() -> None:
    assert {mutant.file for mutant in MUTANTS} == set(FILES)
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 60


def test_the_original_answers_as_the_references_do(suite: list[Check]) -> None:
    """Thousands of questions: pools from seeds, the table, pairs; also from a copy loaded as mutants are."""
    assert list(wrong(suite, OURS)) == []
    assert list(wrong(suite, load(None))) == []


@pytest.mark.parametrize("mutant", OTHERS, ids=name_of)
def test_a_planted_mistake_is_seen(mutant: Mutant, suite: list[Check]) -> None:
    assert next(wrong(suite, load(mutant)), None) is not None


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [mutant for mutant in STABLE if mutant.name not in VIEW_ONLY], ids=name_of)
def test_a_planted_mistake_in_stableswap_is_seen(mutant: Mutant, stable_suite: list[Check]) -> None:
    assert next(wrong(stable_suite, load(mutant)), None) is not None
