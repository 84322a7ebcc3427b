"""Runs the command as its user does."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def gateway(*words: str, environment: dict[str, str] | None = None) -> dict[str, Any]:
    """`gateway … --json`; its one JSON object."""
    done = subprocess.run(
        [sys.executable, "-m", "runtime", *words, "--json"],
        capture_output=True, text=True, check=False, env=os.environ | (environment or {}),
    )  # fmt: skip
    assert done.returncode in (0, 6), done.stderr  # 6: it ended HALTED
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
