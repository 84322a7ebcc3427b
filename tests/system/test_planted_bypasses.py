"""Ways past the gate, planted one at a time in a copy of the project: a test sees every one of them."""

from pathlib import Path

import pytest

from tests.mutants import FOLDERS, ROOT, Mutant, copy_of_project, run
from tests.support.planted_exit import KNOBS, MUTANTS

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def test_every_planted_bypass_is_caught() -> None:
    """Their tests pass without them; with each of them one fails."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12
    missed = [outcome for outcome in run(MUTANTS, knobs=KNOBS) if not outcome.is_caught]
    assert missed == []


# --- what plants them -------------------------------------------------------------------------------------------------

SUM = "def add(a, b):\n    return a + b\n"
TEST = "import risk.sums\n\ndef test_sum():\n    assert risk.sums.add(2, 3) == 5\n"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of two files."""
    root = tmp_path_factory.mktemp("small")
    for name in FOLDERS:
        (root / name).mkdir()
    (root / "risk/__init__.py").touch()  # without it the installed package of that name would come first
    (root / "pyproject.toml").write_text('[tool.pytest.ini_options]\nasyncio_default_fixture_loop_scope = "function"\n')
    (root / "risk/sums.py").write_text(SUM)
    (root / "tests/test_sums.py").write_text(TEST)
    return root


def mutant(name: str, old: str, new: str, *tests: str) -> Mutant:
    return Mutant(name, "risk/sums.py", old, new, tests or ("tests/test_sums.py",), "a test of the tests")


def test_only_a_test_that_fails_has_caught_anything(small: Path) -> None:
    """A mutant that cannot be planted, or whose tests cannot run, is not taken for caught."""
    planted = [
        mutant("caught", "a + b", "a - b"),
        mutant("survives", "a + b", "b + a"),
        mutant("is not there", "a * b", "0"),
        mutant("stands there often", "a", "b"),
        mutant("does not compile", "return a", "retrun a"),
    ]
    outcomes = {outcome.name: outcome for outcome in run(planted, root=small)}
    assert [name for name, outcome in outcomes.items() if outcome.is_caught] == ["caught"]
    said = [outcome.said for outcome in outcomes.values()]
    assert said[:2] == ["tests/test_sums.py::test_sum", "survived: all its tests passed"]
    assert "'a * b' stands 0 times" in said[2]
    assert "'a' stands 3 times" in said[3]
    assert "its tests cannot run" in said[4]
    assert (small / "risk/sums.py").read_text() == SUM, "nothing is changed in place"


def test_tests_that_fail_anyway_are_told(small: Path) -> None:
    (small / "tests/test_broken.py").write_text("def test_broken():\n    assert False\n")
    with pytest.raises(AssertionError, match="test_broken"):
        run([mutant("any", "a + b", "a - b", "tests/test_broken.py")], root=small)


def test_the_copy_is_this_project_and_no_writing_reaches_the_original(tmp_path: Path) -> None:
    before = (ROOT / "risk/gate.py").read_bytes()
    planted = Mutant("one", "risk/gate.py", "class Gate(", "class Gate2(", (), "")
    copied = copy_of_project(tmp_path, planted)
    assert "class Gate2(" in (copied / "risk/gate.py").read_text()
    assert (copied / "runtime/tap.py").read_bytes() == (ROOT / "runtime/tap.py").read_bytes()
    assert (ROOT / "risk/gate.py").read_bytes() == before
