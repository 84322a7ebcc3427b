"""Where recordings made by others lie: never in this repository."""

import json
import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def data_folder() -> Path | None:
    """`VENUEGATE_DATA`, else `../shared/data` beside the checkout; None where neither is there."""
    named = os.environ.get("VENUEGATE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None


def abi_table() -> dict[str, Any]:
    """The published offsets of the crate's records; lies beside the recordings, so ask for `real_data` first."""
    folder = data_folder()
    assert folder is not None
    table: dict[str, Any] = json.loads((folder.parent / "facts" / "abi.json").read_text())
    return table
