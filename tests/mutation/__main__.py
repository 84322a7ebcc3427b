"""Changes one thing of risk/ at a time, in a copy, and asks whether a test notices: `python -m tests.mutation`.

    uv run --with mutmut==3.8.1 python -m tests.mutation [--sample N] [--seed S] [--only FILE …] [--jobs N]

The mutants are mutmut's (its operators, applied to every function that it mutates); the loop is ours: mutmut's own
writes all mutants of all files and runs the selection twice before the first of them, which no change can wait for.
Here a process that has pytest loaded forks for each mutant, and the tests nearest to the file run first. A mutant that
fails a test, or hangs, is killed. Exit code 0 at or above the floor.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("connectors", "risk", "oms", "runtime", "tests", "docs", "fixtures/scenarios")
TIMEOUT_S = 120
FIRST = {
    "recall": ["test_recall"], "memory": ["test_recall"], "standing": ["test_happenings"], "watch": ["test_happenings"],
    "limit_changes": ["test_limit_changes"], "limit_terms": ["test_limit_changes"], "limits": ["test_limits"],
    "bounds": ["test_boundaries"], "ledger": ["test_boundaries"], "funds": ["test_funds"], "sound": ["test_inputs"],
    "windows": ["test_gate_controls"], "exposure": ["test_gate_order", "test_gate_controls"],
    "states": ["test_happenings"], "switchboard": ["test_happenings"], "market": ["test_gate_fail_closed"],
}  # fmt: skip
NEAREST = ["test_reasons", "test_gate_order"]
"""Of a file in risk/: where its mutants mostly die. The rest of the selection follows."""
SELECTION = (
    "tests/risk/test_reasons.py", "tests/runtime/test_reasons.py", "tests/test_scenarios.py",
    "tests/risk/test_happenings.py",
    "tests/risk/test_gate_order.py", "tests/risk/test_gate_targets.py", "tests/risk/test_funds.py",
    "tests/risk/test_recall.py", "tests/risk/test_gate_controls.py", "tests/risk/test_limits.py",
    "tests/risk/test_boundaries.py", "tests/risk/test_inputs.py", "tests/risk/test_gate_fail_closed.py",
    "tests/risk/test_exposure_model.py", "tests/risk/test_gate_reference.py",
)  # fmt: skip


class Mutant(NamedTuple):
    """One change that mutmut would make: the `number`-th of a file, of whose `module` one node becomes another."""

    file: str
    number: int
    module: Any
    one: Any

    @property
    def source(self) -> str:
        """The whole file with this one thing changed."""
        text: str = self.module.deep_replace(self.one.original_node, self.one.mutated_node).code
        return text

    @property
    def change(self) -> str:
        lines = difflib.unified_diff(self.module.code.splitlines(), self.source.splitlines(), n=0, lineterm="")
        return "\n".join(line for line in lines if not line.startswith(("---", "+++")))


def some_files(given: Any) -> list[Path]:
    """Those asked for; of a small sample a few, large ones sooner, for reading all takes longer than running it."""
    there = sorted((ROOT / "risk").glob("*.py"))
    if given.only:
        return [path for path in there if path.stem in given.only]
    if not 0 < given.sample < 50:
        return there
    weights = [path.stat().st_size for path in there]
    return sorted(set(random.Random(given.seed).choices(there, weights, k=4)))


def all_mutants(files: list[Path], scratch: Path) -> list[Mutant]:
    create_mutations = importlib.import_module("mutmut.mutation.file_mutation").create_mutations

    (scratch / "setup.cfg").write_text("[mutmut]\nsource_paths=risk\n")  # mutmut wants to be told, where it stands
    os.chdir(scratch)
    found = []
    for path in files:
        module, mutations, *_ = create_mutations(str(path), path.read_text())
        found += [Mutant(f"risk/{path.name}", number, module, one) for number, one in enumerate(mutations)]
    return found


def copied(folder: Path) -> Path:
    """The project, to be changed as one likes."""
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "target", ".*"))
    shutil.copy2(ROOT / "pyproject.toml", folder)
    return folder


def run_all(project: Path, file: str) -> bool:
    """Whether all tests pass: the nearest ones first, for collecting all of them costs more than most mutants live."""
    first = [f"tests/risk/{name}.py" for name in FIRST.get(Path(file).stem, NEAREST)]
    rest = [test for test in SELECTION if test not in first]
    return all(run_tests(project, tests) == 0 for tests in (first, rest[:3], rest[3:7], rest[7:]))


def run_tests(project: Path, tests: list[str]) -> int:
    """The exit code of pytest, in a fork of this process; −1 for one that did not end, which is told."""
    child = os.fork()
    if child == 0:
        _be_pytest(project, tests)
    ends = time.monotonic() + TIMEOUT_S
    while time.monotonic() < ends:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    print(f"no end within {TIMEOUT_S} s: counted as killed", flush=True)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -1


def _be_pytest(project: Path, tests: list[str]) -> None:
    """Never returns."""
    code = 70
    try:
        for name in list(sys.modules):
            if name.partition(".")[0] in ("tests", "risk", "connectors", "oms", "runtime"):
                del sys.modules[name]
        os.chdir(project)
        sys.path.insert(0, str(project))
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        import pytest

        code = pytest.main(["-x", "-q", "--tb=no", "-m", "not slow", "-p", "no:cacheprovider", "--timeout=0",
                            "-W", "ignore:Module already imported", *tests])  # fmt: skip
    except BaseException as error:  # noqa: BLE001 - nothing of a fork may go on as if it were us
        os.write(2, repr(error).encode())
    finally:
        os._exit(int(code))


class Worker:
    """One process with a copy of the project of its own, and no threads: a fork of it stands on clean ground."""

    project: Path
    mutants: list[Mutant]

    @classmethod
    def begin(cls, folder: Path) -> None:
        cls.project = copied(folder / str(os.getpid()))

    @classmethod
    def judge(cls, number: int) -> tuple[int, bool]:
        """Whether a test noticed the mutant of this number."""
        mutant = cls.mutants[number]
        path = cls.project / mutant.file
        before = path.read_text()
        try:
            path.write_text(mutant.source)
            _forget(path)
            return number, not run_all(cls.project, mutant.file)
        finally:
            path.write_text(before)
            _forget(path)


def _forget(path: Path) -> None:
    """What was compiled may be of the same second and size."""
    for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        compiled.unlink()


def _preload() -> None:
    """What every fork would import, but nothing of ours."""
    import _pytest.assertion.rewrite
    import hypothesis
    import hypothesis.internal.conjecture.engine
    import msgspec

    del _pytest, hypothesis, msgspec


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sample", type=int, default=0, help="only so many of them (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="files of risk/ by name: gate watch …")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time")
    parser.add_argument("--floor", type=int, default=90, help="percent that must be killed")
    parser.add_argument("--seconds", type=int, default=0, help="begin no more mutants after so long (default: never)")
    given: Any = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutation") as scratch:
        try:
            return score(given, Path(scratch))
        except ModuleNotFoundError:
            print("mutmut is not installed: uv run --with mutmut==3.8.1 python -m tests.mutation", file=sys.stderr)
            return 2
        finally:
            os.chdir(ROOT)


def score(given: Any, scratch: Path) -> int:
    """Runs them and prints what came of it."""
    began = time.monotonic()
    mutants = all_mutants(some_files(given), scratch)
    there = len(mutants)
    random.Random(given.seed).shuffle(mutants)
    mutants = mutants[: given.sample or there]
    _preload()
    if not run_all(copied(scratch / "unchanged"), ""):
        print("the selection fails without any mutant", file=sys.stderr)
        return 2
    print(
        f"{len(mutants)} of {there} mutants, {given.jobs} at a time, after {time.monotonic() - began:.0f} s", flush=True
    )
    Worker.mutants, killed = mutants, list[bool]()
    with multiprocessing.get_context("fork").Pool(given.jobs, Worker.begin, (scratch,)) as pool:
        for number, is_killed in pool.imap_unordered(Worker.judge, range(len(mutants))):
            killed.append(is_killed)
            if not is_killed:
                print(
                    f"SURVIVED {mutants[number].file} #{mutants[number].number}\n{mutants[number].change}", flush=True
                )
            if len(killed) % 25 == 0:
                print(f"… {sum(killed)} of {len(killed)} killed, {time.monotonic() - began:.0f} s", flush=True)
            if given.seconds and time.monotonic() - began > given.seconds:
                break
    percent = 100 * sum(killed) // max(len(killed), 1)
    print(f"{sum(killed)} of {len(killed)} killed: {percent} % (floor {given.floor} %), seed {given.seed}")
    return 0 if percent >= given.floor else 1


if __name__ == "__main__":
    sys.exit(main())
