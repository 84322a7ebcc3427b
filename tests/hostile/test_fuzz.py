"""Thousands of modules that nobody wrote: none kills the process, hangs it or ends in anything but a typed outcome.

`VENUEGATE_FUZZ=100000` runs that many instead of 1,200 of each kind, with `VENUEGATE_SEED` for another series.
"""

import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from connectors.errors import ModuleError
from tests.hostile.batch import packed, unpacked
from tests.hostile.build import template, with_alloc
from tests.hostile.mutate import mutant
from tests.hostile.refused import REAL
from tests.hostile.runner import ROOT, BatchDiedError, batched, outcomes

COUNT = int(os.environ.get("VENUEGATE_FUZZ", "2400")) // 2
SEED = int(os.environ.get("VENUEGATE_SEED", "7"))
SMITH = ROOT / "tests/tools/smith"
CALLBACKS = ("on_book", "on_nbbo", "on_message", "on_heartbeat", "on_fill", "on_reject", "on_shutdown")
FAULTS = {"trap", "fuel", "pointer", "count", "alignment", "message", "memory"}

pytestmark = pytest.mark.timeout(300 + COUNT // 20)


def kinds(answers: list[str]) -> Counter[str]:
    """What became of how many; fails on anything that is not typed."""
    found: Counter[str] = Counter()
    for number, answer in enumerate(answers):
        head, _, rest = answer.partition(": ")
        kind = rest.partition(":")[0]
        is_typed = answer == "runs" or head == "refused" or (head in CALLBACKS and kind in FAULTS)
        assert is_typed, f"module {number}: {answer}"
        found[head if head in {"runs", "refused"} else kind] += 1
    return found


def test_mutants_of_real_guests() -> None:
    """The three guests of the real crate with one to eight changes: refused, disabled or as good as before."""
    found = kinds(batched(COUNT, lambda first, count: [mutant(REAL, SEED, first + at) for at in range(count)]))
    assert sum(found.values()) == COUNT
    # the property would be empty if every mutant were refused, or if none were
    assert found["refused"] > COUNT // 5
    assert found["runs"] > COUNT // 50
    assert found["trap"] > 0


@pytest.fixture(scope="session")
def smith() -> Path:
    """The generator, built once into the user's cache. Skips without cargo, fails without it in CI."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "venuegate" / "smith"
    problem = "no cargo"
    cargo = shutil.which("cargo")
    if cargo:
        done = subprocess.run(
            [cargo, "build", "--release", "--locked", "--quiet"], cwd=SMITH, check=False, timeout=280,
            env=os.environ | {"CARGO_TARGET_DIR": str(cache)}, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode == 0:
            return cache / "release" / "smith"
        problem = done.stderr[-400:]
    reason = f"tests/tools/smith cannot be built: {problem}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.mark.slow
def test_random_modules(smith: Path, tmp_path: Path) -> None:
    """wasm-smith's: a quarter anything at all, the rest with a guest's exports; half of all get a sane algo_alloc."""
    templates = []
    for is_0_4 in (False, True):
        templates.append(tmp_path / f"{is_0_4}.wasm")
        templates[-1].write_bytes(template(is_0_4=is_0_4))

    def make(first: int, count: int) -> list[bytes]:
        words: list[str | Path] = [smith, str(SEED), str(first), str(count), *templates]
        stream = subprocess.run(words, capture_output=True, check=True, timeout=200).stdout
        return [sane(wasm) if at % 2 else wasm for at, wasm in enumerate(unpacked(stream))]

    found = kinds(batched(COUNT, make))
    assert sum(found.values()) == COUNT
    assert found["refused"] > COUNT // 5
    assert found["trap"] + found["fuel"] > COUNT // 20
    assert found["pointer"] + found["alignment"] + found["count"] > 0


def sane(wasm: bytes) -> bytes:
    try:
        return with_alloc(wasm)
    except ModuleError:
        return wasm


@pytest.mark.parametrize("given", [0, 1, 2])
def test_a_child_that_answers_for_fewer_is_no_pass(monkeypatch: pytest.MonkeyPatch, given: int) -> None:
    """The net itself: of three modules the child hears of fewer, and the one it stopped at is named."""
    monkeypatch.setattr("tests.hostile.runner.packed", lambda modules: packed(modules[:given]))
    with pytest.raises(BatchDiedError, match=f"at module {max(given - 1, 0)}, {len(REAL[1])} bytes: 0061736d"):
        outcomes([REAL[1]] * 3)


def test_a_child_that_hangs_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.hostile.runner.BATCH_SECONDS", 0)
    with pytest.raises(BatchDiedError, match="status -9 at module"):
        outcomes([REAL[0]])


@pytest.mark.parametrize("answer", ["UNTYPED on_book: KeyError: 5", "on_book: surprise: x", "", "load: trap: x"])
def test_an_untyped_end_is_no_pass(answer: str) -> None:
    with pytest.raises(AssertionError, match="module 1"):
        kinds(["runs", answer])
