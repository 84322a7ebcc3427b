"""What `.ci/install` brought from npm, one folder outside the repository for each state of a lock."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest


def modules(tools: Path, name: str) -> Path:
    """The node_modules of the lock in `tools`, installed under `name`. Skips where it, or node, is absent; fails there
    in CI."""
    lock = hashlib.sha256((tools / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = os.environ.get("VENUEGATE_TOOLS") or Path.home() / ".cache" / "venuegate" / name
    folder = Path(home) / lock / "node_modules"
    if folder.is_dir() and shutil.which("node"):
        return folder
    reason = f"no node, or no {folder}: run .ci/install"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
