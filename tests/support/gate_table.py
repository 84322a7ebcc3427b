"""The table of docs/gate.md, read: number, reason, code, and whether an order that only reduces skips the check."""

from __future__ import annotations

import re
from typing import NamedTuple

from risk.denial import DenyReason
from tests.support.data import ROOT


class Row(NamedTuple):
    """`reducing`: "" (it does not skip), "skips", "skips (its own position)", "see below"."""

    number: int
    reason: DenyReason
    code: int
    reducing: str


def table() -> list[Row]:
    """Every row, in order."""
    text = (ROOT / "docs/gate.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\d+) \| .* \| ?([^|]*?) ?\|$", text, re.MULTILINE)
    return [Row(int(number), DenyReason(reason), int(code), reducing) for number, reason, code, reducing in rows]
