"""What came of certifying a venue: a table, JSON, a page; and what all venues declare to have."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from connectors import registry
from connectors.errors import ConfigError, PluginError
from connectors.session import Venue
from runtime.certify import FAILED, PASSED, SKIPPED, Outcome


def lines_of(venue: Venue, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """The card table, for a terminal."""
    for one in outcomes:
        yield f"{one.card:<4} {one.outcome:<8} {one.promise}"
        if one.reason:
            yield f"{'':<13} {one.reason[:1000]}"
        if one.next:
            yield f"{'':<13} next: {one.next}"
    yield ""
    yield f"{venue.name}: {counted(outcomes)}"


def as_json(venue: Venue, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """The same for programs."""
    return {"venue": venue.name, "kept": is_kept(outcomes), "cards": [msgspec.to_builtins(one) for one in outcomes]}


def counted(outcomes: Sequence[Outcome]) -> str:
    """`18 passed, 2 skipped`."""
    counts = Counter(one.outcome for one in outcomes)
    return ", ".join(f"{counts[what]} {what}" for what in (PASSED, FAILED, SKIPPED) if counts[what])


def is_kept(outcomes: Sequence[Outcome]) -> bool:
    return all(one.outcome != FAILED for one in outcomes)


_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.4rem .6rem;"
    "border-bottom:1px solid #ddd}.passed{color:#1a7f37}.failed{color:#b3261e;font-weight:600}.skipped{color:#6b6b6b}"
    "small{color:#555;display:block}code{font-family:ui-monospace,monospace}"
)


def page(venue: Venue, outcomes: Sequence[Outcome]) -> str:
    """A page of its own: no script, nothing from elsewhere; what a venue or its author wrote is text."""
    from runtime import __version__

    rows = "".join(_row(one) for one in outcomes)
    title = f"{html.escape(venue.name)}: {html.escape(counted(outcomes))}"
    capabilities = "".join(
        f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(text)}</td></tr>"
        for name, text in _capabilities(venue).items()
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>venuegate {html.escape(__version__)}, conformance cards</p>"
        f"<table><tr><th>card</th><th>promise</th><th>outcome</th></tr>{rows}</table>"
        f"<h2>Capabilities</h2><table>{capabilities}</table></body></html>\n"
    )


def _row(one: Outcome) -> str:
    said = "".join(
        f"<small>{html.escape(text)}</small>" for text in (one.reason, one.next and f"next: {one.next}") if text
    )
    return (
        f"<tr><td>{html.escape(one.card)}</td><td>{html.escape(one.promise)}</td>"
        f'<td class="{one.outcome}">{html.escape(one.outcome)}{said}</td></tr>'
    )


def _capabilities(venue: Venue) -> dict[str, str]:
    from runtime.conformance.table import rows_of

    return rows_of(venue.capabilities)


def write_page(path: Path, text: str) -> None:
    """Raises ConfigError."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot be written: {error.strerror}", place=str(path), mend="name a writable path"
        ) from None


def listing() -> dict[str, dict[str, str]]:
    """Every installed venue with its capabilities; of one that cannot be used, why."""
    found: dict[str, dict[str, str]] = {}
    for name in registry.names():
        if ":" in name:
            found[name] = {"problem": "a family: any of its venues in the place of NAME"}
            continue
        try:
            venue = registry.load(name)
        except PluginError as error:
            found[name] = {"problem": error.problem}
            continue
        rows = _capabilities(venue)
        found[name] = {
            "id": str(venue.venue_id),
            **rows,
            "trading": "real" if venue.trading is not None else "on paper",
        }
    return found


COLUMNS: Final = ("trading", "checksum", "sequence", "trades", "ticker", "amend", "cancel_all", "dead_man", "batch_max")


def listed(found: dict[str, dict[str, str]]) -> list[str]:
    """The same for people: a line a venue. What it is that a venue has not, and why, `--markdown` says."""
    rows = [["venue", "id", *COLUMNS]]
    for name, told in found.items():
        cells = [told["problem"]] if "problem" in told else [told["id"], *(told[column] for column in COLUMNS)]
        rows.append([name, *("–" if cell == "no" else cell for cell in cells)])
    widths = [max(len(row[at]) for row in rows if len(row) > 2) for at in range(len(rows[0]))]
    widths[0] = max(len(row[0]) for row in rows)
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows]


def blocks() -> list[str]:
    """The tables of capabilities of every installed venue that can be used, as documentation holds them."""
    from runtime.conformance.table import block_of

    found = []
    for name in registry.names():
        with suppress(PluginError):
            found.append(block_of(registry.load(name)))
    return found
