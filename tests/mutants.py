"""Bugs planted in a copy of the project, one at a time: a test that misses one would miss the same mistake of ours.

    uv run python -m tests.mutants [--list] [--jobs N] [NAME …]

Nothing is changed in place: each mutant gets a folder of hard links to one copy of the project (a few milliseconds), in
which the one file is written anew, and its tests run there. Exit code 0 when every mutant was caught. The same tests
must pass without any: a test that fails anyway catches nothing.

The tables are in `tests/support/planted_*.py`: a `Mutant` says what stands where and what is put in its place, which
tests must fail, and why anybody would make that mistake. Reuse: write a table, run it with `run`.
"""

import argparse
import importlib
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("connectors", "risk", "oms", "runtime", "tests", "docs", "fixtures")
_LEFT_OUT = shutil.ignore_patterns(".*", "node_modules", "target")
TIMEOUT_S = 240
TIMED_OUT = 99
_OPTIONS = ("-x", "-q", "--no-header", "--tb=line", "-p", "no:cacheprovider",
            "-W", "ignore::pytest.PytestAssertRewriteWarning")  # fmt: skip
_CAUGHT = 1  # pytest's exit code when tests ran and some failed


class Mutant(NamedTuple):
    """`old` stands exactly once in `file`; with `new` in its place one of `tests` (pytest's arguments) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    why: str


class Outcome(NamedTuple):
    """`is_caught` says that a test saw it; `said` is that test's name, or what went wrong with the run."""

    name: str
    is_caught: bool
    said: str


def copy_of_project(folder: Path, mutant: Mutant | None, root: Path = ROOT) -> Path:
    """The project as hard links, the mutant's file written anew. Raises ValueError where `old` is not there once."""

    def link(source: str, target: str) -> None:
        try:
            os.link(source, target)
        except OSError:  # another file system
            shutil.copy2(source, target)

    copied = folder / "project"
    for name in FOLDERS:
        shutil.copytree(root / name, copied / name, copy_function=link, ignore=_LEFT_OUT)
    shutil.copy2(root / "pyproject.toml", copied)
    if mutant is not None:
        source = (root / mutant.file).read_text()
        if (count := source.count(mutant.old)) != 1:
            msg = f"{mutant.name}: {mutant.old!r} stands {count} times in {mutant.file}"
            raise ValueError(msg)
        path = copied / mutant.file
        path.unlink()  # the link alone: writing through it would change the original
        path.write_text(source.replace(mutant.old, mutant.new))
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
            compiled.unlink()  # of the original, and perhaps of the same size and second
    return copied


def run_tests(project: Path, tests: Sequence[str], knobs: dict[str, str]) -> tuple[int, str]:
    """pytest in the copy, whose modules come before the installed ones; stops at the first failure. Code and output.

    In a child made by fork: the libraries that every run needs are imported once, here (`_warm`).
    """
    _warm()
    said = project.parent / "output"
    child = os.fork()
    if child == 0:
        _in_child(project, said, tests, knobs)
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), said.read_text()
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return TIMED_OUT, f"did not end within {TIMEOUT_S} s"
        time.sleep(0.01)


def _warm() -> None:
    """What the copies' tests import besides the project itself."""
    for name in (
        "hypothesis",
        "msgspec",
        "pydantic",
        "pytest",
        "pytest_asyncio",
        "wasmtime",
        "websockets",
        "zstandard",
    ):
        importlib.import_module(name)


def _in_child(project: Path, said: Path, tests: Sequence[str], knobs: dict[str, str]) -> NoReturn:
    """As if started in the copy: nothing of the original stays imported or is found."""
    code = TIMED_OUT
    try:
        output = os.open(said, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w")
        os.chdir(project)
        os.environ.update(knobs, PYTHONPATH=str(project), PYTHONDONTWRITEBYTECODE="1")
        for name in [name for name in sys.modules if name.partition(".")[0] in FOLDERS]:
            del sys.modules[name]
        sys.path[:] = [str(project)] + [path for path in sys.path if Path(path or ".").resolve() != ROOT]
        sys.path_importer_cache.clear()
        sys.dont_write_bytecode = True
        import pytest

        code = int(pytest.main([*_OPTIONS, "--rootdir", str(project), *tests]))
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def judge(mutant: Mutant, knobs: dict[str, str] | None = None, root: Path = ROOT) -> Outcome:
    """Plants one, runs its tests."""
    with tempfile.TemporaryDirectory(prefix="mutant") as scratch:
        try:
            project = copy_of_project(Path(scratch), mutant, root)
        except ValueError as error:
            return Outcome(mutant.name, False, f"cannot be planted: {error}")
        code, said = run_tests(project, mutant.tests, knobs or {})
    if code == 0:
        return Outcome(mutant.name, False, "survived: all its tests passed")
    failed = re.findall(r"^FAILED ([^ \n]*)", said, re.MULTILINE)
    if code != _CAUGHT or not failed:
        return Outcome(mutant.name, False, f"its tests cannot run: {said[-900:]}")
    return Outcome(mutant.name, True, failed[0])


def unplanted(mutants: Iterable[Mutant], knobs: dict[str, str] | None = None, root: Path = ROOT) -> str:
    """Runs the tests of all of them in a copy without a mutant; "" when they pass."""
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    with tempfile.TemporaryDirectory(prefix="mutant") as scratch:
        code, said = run_tests(copy_of_project(Path(scratch), None, root), tests, knobs or {})
    return "" if code == 0 else said[-4000:]


def run(
    mutants: Sequence[Mutant], *, jobs: int = 2, knobs: dict[str, str] | None = None, root: Path = ROOT
) -> list[Outcome]:
    """All of them, so many at a time; in their order. Raises AssertionError when the tests fail without a mutant."""
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="mutants") as scratch, ProcessPoolExecutor(jobs, spawn) as pool:
        one_state = Path(scratch)  # somebody may go on editing meanwhile
        for name in FOLDERS:
            shutil.copytree(root / name, one_state / name, ignore=_LEFT_OUT)
        shutil.copy2(root / "pyproject.toml", one_state)
        before = pool.submit(unplanted, mutants, knobs, one_state)
        waiting = [pool.submit(judge, mutant, knobs, one_state) for mutant in mutants]
        outcomes = [one.result() for one in waiting]
    if broken := before.result():
        msg = f"the tests fail without any mutant, so they show nothing:\n{broken}"
        raise AssertionError(msg)
    return outcomes


def main() -> int:
    from tests.support import planted_exit, planted_trading

    every, knobs = [*planted_exit.MUTANTS, *planted_trading.MUTANTS], {**planted_exit.KNOBS, **planted_trading.KNOBS}
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only mutants whose name contains one of these")
    parser.add_argument("--list", action="store_true", help="print them and their reasons, run nothing")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (default 2)")
    given = parser.parse_args()
    wanted = [mutant for mutant in every if not given.names or any(name in mutant.name for name in given.names)]
    if not wanted:
        parser.error(f"no mutant is called {' or '.join(given.names)}: see --list")
    if given.list:
        for mutant in wanted:
            print(f"{mutant.name}\n    {mutant.file}: {mutant.why}")
        return 0
    outcomes = run(wanted, jobs=given.jobs, knobs=knobs)
    for outcome in outcomes:
        print(f"{'caught  ' if outcome.is_caught else 'SURVIVED'}  {outcome.name:<52} {outcome.said}")
    caught = sum(outcome.is_caught for outcome in outcomes)
    print(f"{caught} of {len(outcomes)} caught")
    return 0 if caught == len(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
