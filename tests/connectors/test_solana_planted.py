"""Each planted mistake of Solana's session is caught by the test that is there for it."""

from typing import Any

import pytest

from tests.connectors import (
    test_solana_failures,
    test_solana_session,
    test_solana_session_endpoints,
    test_solana_session_news,
)
from tests.support.solana_planted import MUTANTS, Mutant, plant


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_mistake_is_caught(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    suites = test_solana_failures, test_solana_session, test_solana_session_endpoints, test_solana_session_news
    tests = {name: value for suite in suites for name, value in vars(suite).items()}
    test: Any = tests[mutant.caught_by]
    plant(mutant, monkeypatch)
    with pytest.raises((AssertionError, LookupError)):
        test(*mutant.arguments)
