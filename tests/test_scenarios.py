"""Every scenario of fixtures/scenarios comes out as it says; every reason has one; what cannot be read is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from risk.denial import DenyReason
from tests.support.scenario import Scenario, ScenarioError, scenarios


@pytest.mark.parametrize("path", scenarios(), ids=lambda path: path.stem)
def test_a_scenario_comes_out_as_it_says(path: Path) -> None:
    scenario = Scenario(path)
    scenario.run()
    assert scenario.reason in scenario.met
    assert scenario.about.endswith(".")


def test_every_reason_has_its_scenario() -> None:
    """One that is named after it, in which it is said with its limit and what was observed."""
    for reason in DenyReason:
        (path,) = [path for path in scenarios() if path.stem == reason.lower()]
        assert Scenario(path).reason is reason
        assert f"→ denied {reason}: limit " in path.read_text()


def broken(folder: Path, text: str) -> Scenario:
    path = folder / "broken.toml"
    path.write_text(text)
    return Scenario(path)


HEAD = 'about = "A."\nreason = "KILL_SWITCH"\n'


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ("10:00:00 mm bys 1 at 100.0 → approved", "broken.toml:4: 'mm bys 1 at 100.0' is not known"),
        ("10:00:00 zoe buys 1 at 100.0 → approved", "is not known"),
        ("mm buys 1 at 100.0 → approved", "begins with its time"),
        ("10:00:00 mm buys 1 at 100.0", "says nothing\n  got  approved"),
        ("10:00:00 mm buys 1 at 100.0 → denied MAX_POSITION", "got  approved"),
        ("10:00:00 mm buys 0 at 100.0 → denied MAX_POSITION", "got  denied INVALID_ORDER"),
        ("10:00:00 mm buys 0 at 100.0 → denied INVALID_ORDER: limit 5, observed 0", "got  denied INVALID_ORDER"),
        ("00:00:00 nothing happens", "time steps back"),
        ("10:00:00 nothing happens → HALTED algo:mm", "got  nothing"),
    ],
)
def test_a_step_that_is_wrong_or_unknown_is_refused_by_its_line(tmp_path: Path, step: str, complaint: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        broken(tmp_path, f'{HEAD}steps = """\n{step}\n"""\n').run()
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD + 'steps = ""\nlimit = 5\n', "limit is not known here"),
        (HEAD + 'steps = ""\n[limits]\nmax_positions = 5\n', "max_positions is no limit"),
        (HEAD + 'steps = ""\n[limits."market:x"]\nmax_position = 5\n', "market:x is no scope"),
        (HEAD + 'steps = ""\n[limits."algo:mm"]\nmax_duplicates = 5\n', "max_duplicates is no limit"),
    ],
)
def test_a_setting_that_is_unknown_is_refused(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ScenarioError, match=complaint):
        broken(tmp_path, text)
