"""A venue's capabilities as a table in Markdown: made from the code, kept in its documentation, compared by M30.

The members of a family (`connectors.registry`) have one table together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, metadata, packages_distributions
from pathlib import Path
from typing import Any, Final

from connectors import registry
from connectors.orders import OrderType
from connectors.session import Capabilities, Venue
from runtime.conformance.sources import package_of

_MEANING: Final = {
    "depths": "book depths", "checksum": "checksum of books", "sequence": "numbered book messages",
    "trades": "public trades", "ticker": "ticker", "audit": "books compared with fresh ones",
    "order_types": "order types", "amend": "amend in place",
    "amend_down_only": "an amend only lowers the quantity", "cancel_all": "cancel-all in one message",
    "dead_man": "dead-man's switch", "batch_max": "new orders in one message", "onchain": "markets are pools",
    "is_float": "numbers went through floats", "absent": "absent",
}  # fmt: skip


def rows_of(capabilities: Capabilities) -> dict[str, str]:
    """Capability → what of it there is, in the order of the table."""
    values = {name: getattr(capabilities, name) for name in capabilities.__struct_fields__}
    ordered = [name for name in _MEANING if name in values] + [name for name in values if name not in _MEANING]
    return {name: _text(name, values[name]) for name in ordered}


def _text(name: str, value: object) -> str:
    if name == "order_types" and isinstance(value, tuple):
        return ", ".join(OrderType(one).name.lower() for one in value) or "none: market data alone"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, Mapping):
        return "; ".join(f"{what}: {why}" for what, why in sorted(value.items())) or "nothing"
    return str(value) if value else "no"


def block_of(venue: Venue) -> str:
    """The whole block, with the marks between which it stands."""
    lines = [_begin(venue.name), "| capability | meaning | here |", "|---|---|---|"]
    lines += [
        f"| `{name}` | {_MEANING.get(name, name)} | {_cell(text)} |"
        for name, text in rows_of(venue.capabilities).items()
    ]
    trades = "real" if venue.trading is not None else "on paper only"
    return "\n".join([*lines, f"| `trading` | orders | {trades} |", _end(venue.name)])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _title(name: str) -> str:
    """A family's members are made alike, by one function, and share one table: `ccxt_okx` has that of `ccxt_NAME`."""
    family, _, member = name.partition("_")
    return f"{family}_NAME" if member and f"{family}:NAME" in registry.names() else name


def _begin(name: str) -> str:
    title = _title(name)
    return f"<!-- capabilities of {title}: written by `gateway venue certify {title} --accept` -->"


def _end(name: str) -> str:
    return f"<!-- end of the capabilities of {_title(name)} -->"


def block_in(text: str, name: str) -> str | None:
    """The block as a document has it; None: it has none."""
    found = re.search(re.escape(_begin(name)) + ".*?" + re.escape(_end(name)), text, re.DOTALL)
    return found[0] if found is not None else None


def documents(venue: Venue, near: Path) -> dict[str, str]:
    """Name → text: README.md and docs/*.md of the project that holds `near`, else what the installed wheel says."""
    for folder in (near, *near.parents):
        if (folder / "pyproject.toml").is_file():
            files = [folder / "README.md", *sorted((folder / "docs").glob("*.md"))]
            return {str(path): path.read_text(encoding="utf-8") for path in files if path.is_file()}
    owners = packages_distributions().get(package_of(venue).partition(".")[0], [])
    try:
        return {f"the description of {owner}": _description(owner) for owner in owners}
    except PackageNotFoundError:
        return {}


def _description(owner: str) -> str:
    found: Any = metadata(owner)  # an email.message.Message, though typed as less
    return found.get("Description") or str(found.get_payload() or "")
