"""All reasons why the gate says no, as `gateway reasons` prints them; docs/reasons.md is the same table, written out.

One source: the meanings in `risk/denial.py`, the order of the checks in `risk/checks.py`.
"""

from typing import Any

from risk.checks import REASON_OF
from risk.denial import REASONS, DenyReason, Meaning

_EVERY = DenyReason.RISK_STATE_UNKNOWN  # what any check says whose input is missing
_HEAD = """\
# Reasons

Why the gate says no: every reason, the code that the guest is told, and what decides it. This page is printed by
`gateway reasons --markdown`; `gateway reasons --json` gives the same to programs. What exactly each check compares
stands in [gate.md](gate.md), how to see it for one order in [explain.md](explain.md), how to set it in
[configuration.md](configuration.md).
"""


def rows() -> list[dict[str, Any]]:
    """`{"reason", "code", "category", "meaning", "control", "config_keys"}`, one per reason."""
    return [_row(reason, meaning) for reason, meaning in REASONS.items()]


def _row(reason: DenyReason, meaning: Meaning) -> dict[str, Any]:
    return {
        "reason": str(reason), "code": int(meaning.code), "category": str(meaning.category), "meaning": meaning.text,
        "control": meaning.control, "config_keys": list(meaning.config_keys),
    }  # fmt: skip


def places() -> dict[DenyReason, int]:
    """The place of each reason's check in the order of checks, from 1; a reason that none of them makes has none."""
    return {reason: place for place, reason in enumerate(REASON_OF.values(), 1)}


def place_text(reason: DenyReason | str) -> str:
    """`12 of 31`; `before the checks`; `in any check`."""
    if reason == _EVERY:
        return "in any check"
    place = places().get(DenyReason(reason))
    return "before the checks" if place is None else f"{place} of {len(REASON_OF)}"


def table() -> list[str]:
    """For a terminal: reason, code, category, meaning, settings."""
    found = rows()
    wide = max(len(row["reason"]) for row in found)
    kinds = max(len(row["category"]) for row in found)
    lines = [f"{'reason':<{wide}}  code  {'category':<{kinds}}  meaning"]
    for row in found:
        keys = f" [{', '.join(row['config_keys'])}]" if row["config_keys"] else ""
        lines.append(f"{row['reason']:<{wide}}  {row['code']:<4}  {row['category']:<{kinds}}  {row['meaning']}{keys}")
    return lines


def markdown() -> str:
    """docs/reasons.md."""
    parts = [_HEAD]
    parts.append("| reason | code | category | check | settings |\n|---|---|---|---|---|")
    for row in rows():
        name = row["reason"]
        keys = ", ".join(f"`{key}`" for key in row["config_keys"])
        line = f"| [`{name}`](#{name.lower()}) | {row['code']} | {row['category']} | {place_text(name)} | {keys} |"
        parts.append(line.replace("|  |", "| |"))
    text = "\n".join(parts)
    return text + "\n" + "".join(_section(row) for row in rows())


def _section(row: dict[str, Any]) -> str:
    name = row["reason"]
    keys = ", ".join(f"`{key}`" for key in row["config_keys"]) or "none"
    return (
        f"\n## {name}\n\n{row['meaning'][0].upper()}{row['meaning'][1:]}.\n\n"
        f"* code {row['code']}, category {row['category']}\n"
        f"* control: {row['control']}\n"
        f"* settings: {keys}\n"
        f"* place: {place_text(name)}\n"
    )
