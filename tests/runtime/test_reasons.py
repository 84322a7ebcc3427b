"""The page of reasons is what the code says, and the command prints the same."""

import json
from pathlib import Path

import pytest

from risk.checks import CHECKS, REASON_OF
from risk.denial import REASONS, DenyReason
from runtime.config_limit_sections import LimitsSection
from runtime.reasons import markdown, place_text, places, rows
from tests.runtime.world import gateway

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_the_one_printed_from_the_code() -> None:
    """To write it anew: `uv run gateway reasons --markdown > docs/reasons.md`."""
    assert (ROOT / "docs/reasons.md").read_text(encoding="utf-8") == markdown()
    assert gateway("reasons", "--markdown").stdout == markdown()


def test_the_json_has_every_reason_with_exactly_these_fields() -> None:
    found = json.loads(gateway("reasons", "--json").stdout)
    assert found == rows()
    assert [one["reason"] for one in found] == [str(reason) for reason in DenyReason] == [str(one) for one in REASONS]
    for one in found:
        assert list(one) == ["reason", "code", "category", "meaning", "control", "config_keys"]
        meaning = REASONS[DenyReason(one["reason"])]
        assert one["code"] == int(meaning.code) >= 100
        assert isinstance(one["config_keys"], list)
        assert one["meaning"]
        assert one["control"]


def test_the_table_has_a_line_a_reason() -> None:
    lines = gateway("reasons").stdout.splitlines()
    assert lines[0].split() == ["reason", "code", "category", "meaning"]
    assert [line.split()[0] for line in lines[1:]] == [str(reason) for reason in DenyReason]
    assert "[max_order_notional]" in "".join(lines)


def test_a_place_is_that_of_its_check() -> None:
    for place, check in enumerate(CHECKS, 1):
        assert places()[REASON_OF[check]] == place
    assert place_text(DenyReason.KILL_SWITCH) == f"1 of {len(CHECKS)}"
    assert place_text("BAD_VENUE") == "before the checks"
    assert place_text("RISK_STATE_UNKNOWN") == "in any check"


@pytest.mark.parametrize("reason", list(DenyReason), ids=str)
def test_every_setting_named_is_one_of_the_files(reason: DenyReason) -> None:
    """What is said to decide a reason can be written down."""
    known = set(LimitsSection.model_fields) | {"balances"}
    assert set(REASONS[reason].config_keys) <= known
