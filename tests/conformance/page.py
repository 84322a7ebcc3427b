"""The generated parts of docs/conformance.md: `python -m tests.conformance.page` runs the cards and writes them.

Outcomes do not depend on how many examples hypothesis is given, as long as nothing fails; the tests of each venue run
with all of them.
"""

from __future__ import annotations

import os
import re

from connectors import registry
from runtime import certify
from runtime.certify import FAILED, PASSED
from runtime.conformance.cards import cards_of
from runtime.conformance.kit import VenueConformance
from runtime.conformance.table import block_of
from tests.support.data import ROOT

PAGE = ROOT / "docs/conformance.md"
NATIVE = ("kraken", "coinbase", "binance", "okx", "bybit", "dex_arb")
# tables of capabilities alone: the page says why
ASIDE = ("dex_eth", "dex_base", "dex_op", "dex_poly", "dex_sol", "ccxt_okx")
_MARKS = {
    "cards": "<!-- cards: written by `uv run python -m tests.conformance.page` -->\n",
    "venues": "<!-- venues: written by `uv run python -m tests.conformance.page` -->\n",
}


def cards() -> str:
    """Every card with its promise."""
    rows = [f"| {card.id} | {card.promise} |" for card in cards_of(VenueConformance)]
    return "\n".join(["| card | promise |", "|---|---|", *rows]) + "\n"


def venues() -> str:
    """Which venue keeps which card, why one is skipped, and what each venue declares."""
    outcomes = {name: {one.card: one for one in certify.certify(registry.load(name))} for name in NATIVE}
    shown = {PASSED: "kept", FAILED: "**failed**"}
    lines = [f"| card | {' | '.join(NATIVE)} |", f"|---{'|---' * len(NATIVE)}|"]
    for card in next(iter(outcomes.values())):
        cells = [shown.get(outcomes[name][card].outcome, "–") for name in NATIVE]
        lines.append(f"| {card} | {' | '.join(cells)} |")
    lines += ["", "– is skipped:", ""]
    reasons: dict[str, list[str]] = {}
    for name, found in outcomes.items():
        for one in found.values():
            if one.outcome not in shown:
                reasons.setdefault(f"{one.card}: {one.reason}", []).append(name)
    lines += [f"- {reason} ({', '.join(names)})" for reason, names in sorted(reasons.items(), key=_by_card)]
    for name in (*NATIVE, *ASIDE):
        lines += ["", f"### {name if name != 'ccxt_okx' else 'ccxt'}", "", block_of(registry.load(name))]
    return "\n".join(lines) + "\n"


def _by_card(reason: tuple[str, list[str]]) -> tuple[int, str]:
    return "MFPT".index(reason[0][0]), reason[0]


def part(name: str) -> str:
    """What the page holds now."""
    found = re.search(re.escape(_MARKS[name]) + f"(.*?)<!-- end of the {name} -->", PAGE.read_text(), re.DOTALL)
    assert found, f"{PAGE} has lost its marks of {name}"
    return found[1]


def write(name: str, text: str) -> None:
    whole = PAGE.read_text()
    PAGE.write_text(whole.replace(f"{_MARKS[name]}{part(name)}", f"{_MARKS[name]}{text}"))


if __name__ == "__main__":
    os.environ.setdefault("VENUEGATE_CARDS", "1")
    write("cards", cards())
    for _ in range(2):  # the second time M30 finds the tables that the first one wrote
        write("venues", venues())
