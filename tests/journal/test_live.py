"""A whole gateway whose journal is locked under its feet: HALTED, everything cancelled, and the next start knows."""

import json
import re
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runtime.journal import reader
from tests.support.data import ROOT

LONGEST_S = 60
SERVE = (sys.executable, "-m", "runtime", "serve", "--sim", "--json", "--journal")


def served(path: Path, *, until: str, is_locked: bool) -> tuple[int, dict[str, Any], str]:
    """One session, ended when it says something with `until` in it; locked, from the moment on when it has orders."""
    command = [*SERVE, str(path), "--duration", str(LONGEST_S)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = []
        hostile = None
        is_ending = False
        for line in process.stderr:
            said.append(line)
            if is_locked and hostile is None and " approved" in line and " 0 approved" not in line:
                hostile = sqlite3.connect(path, isolation_level=None)
                hostile.execute("BEGIN IMMEDIATE")
            if not is_ending and re.search(until, line):
                is_ending = True
                process.terminate()
        assert process.stdout is not None
        result = json.loads(process.stdout.read())
    if hostile is not None:
        hostile.close()
    return process.returncode, result, "".join(said)


@pytest.mark.slow
def test_a_locked_journal_halts_and_cancels_and_the_next_session_is_halted(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    status, result, said = served(path, until=r"HALTED .* 0 open", is_locked=True)
    assert (status, result["state"], result["open_orders"]) == (6, "HALTED", 0)
    assert result["approved"] > 0
    assert "database is locked" in result["outcome"]
    assert "journal failure" in said
    assert reader.verify(path)["verdict"] == "same"
    before = reader.verify(path)["rows"]
    status, result, said = served(path, until=r"HALTED · [1-9]\d* books", is_locked=False)
    assert (status, result["state"], result["approved"]) == (6, "HALTED", 0)
    assert "HALTED until a person arms" in said
    rows = reader.show(path, kinds=["action"], order="", since_ns=0, limit=0)
    verdicts = {row["body"]["verdict"] for row in rows if row["seq"] > before and row["body"]["kind"] == "new"}
    assert verdicts <= {"denied"}, "whether the guest asks at all while it is told that it may not is the guest's"
