"""docs/conformance.md: its tables are what the code and a run of the cards say."""

import pytest

from tests.conformance import page


def test_the_cards_are_those_of_the_kit() -> None:
    assert page.part("cards") == page.cards(), "uv run python -m tests.conformance.page"


def test_the_table_of_our_venues_is_what_a_run_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """No card fails, and each that is skipped says which capability is meant."""
    monkeypatch.setenv("VENUEGATE_CARDS", "1")
    told = page.venues()
    assert "failed" not in told
    assert page.part("venues") == told, "uv run python -m tests.conformance.page"
