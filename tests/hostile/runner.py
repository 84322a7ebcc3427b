"""Gives modules to child processes in batches and reads what became of each."""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.hostile.batch import packed

ROOT = Path(__file__).resolve().parents[2]
BATCH = 500
BATCH_SECONDS = 240  # for a hang: an ordinary batch takes a second or two


class BatchDiedError(AssertionError):
    """A child ended before it had answered for every module: a crash or hang of the real host."""


def outcomes(modules: Sequence[bytes]) -> list[str]:
    """One line a module. Raises BatchDiedError, naming the module, when the child does not answer for all."""
    with tempfile.TemporaryFile() as stream:
        stream.write(packed(list(modules)))
        stream.seek(0)
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.batch"],
            stdin=stream, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
        )  # fmt: skip
    try:
        said, complaint = child.communicate(timeout=BATCH_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        said, complaint = child.communicate()
    lines = said.decode(errors="replace").removesuffix("\n").split("\n") if said else []
    answers = [line.partition(" ")[2] for line in lines]
    if child.returncode or len(answers) != len(modules) or not all(answers):
        last = min(max(len(lines) - 1, 0), len(modules) - 1)
        kept = f"{len(modules[last])} bytes: {modules[last][:2000].hex()}"
        raise BatchDiedError(f"status {child.returncode} at module {last}, {kept}; {complaint.decode()[-500:]}")
    return answers


def batched(count: int, make: Callable[[int, int], list[bytes]]) -> list[str]:
    """`make(first, number)` builds modules; two batches run at a time."""
    starts = range(0, count, BATCH)
    with ThreadPoolExecutor(2) as pool:
        answers = pool.map(lambda first: outcomes(make(first, min(BATCH, count - first))), starts)
        return [line for batch in answers for line in batch]
