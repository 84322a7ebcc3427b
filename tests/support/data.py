"""Where recordings made by others lie: never in this repository."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def data_folder() -> Path | None:
    """`VENUEGATE_DATA`, else `../shared/data` beside the checkout; None where neither is there."""
    named = os.environ.get("VENUEGATE_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    return folder if folder.is_dir() else None
