"""Tulip, the venue of docs/add-a-venue.md, made from the page's own blocks; and a tape of it without sockets."""

from __future__ import annotations

import importlib
import json
import re
import sys
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from connectors.session import PUBLIC, Venue
from runtime.config import paper_limits
from runtime.conformance.tapes import ENDING
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Frame, LinkUp, Timer
from runtime.session import header_of
from runtime.sim.paper import Fees
from runtime.tape import TapeWriter
from tests.support.data import ROOT
from tests.support.tulip_server import MARKETS, Market

GUIDE = ROOT / "docs/add-a-venue.md"
T0 = 1_786_874_645_000_000_000
STEP_NS = 20_000_000
_BLOCK = re.compile(r"<!-- (run|file: (?P<path>\S+)) -->\n```(?:sh|python)\n(?P<text>.*?)```\n", re.DOTALL)
_NUMBERS = count()


class Block(NamedTuple):
    """`path`: of the file that it is, or "" for commands."""

    path: str
    text: str


def blocks() -> list[Block]:
    """What the page wants done, in order."""
    return [Block(found["path"] or "", found["text"]) for found in _BLOCK.finditer(GUIDE.read_text())]


def planted(folder: Path, *changes: tuple[str, str, str]) -> Venue:
    """Tulip with mistakes: (file, what stands there, what shall stand there), in a package of its own."""
    name = f"tulip_planted_{next(_NUMBERS)}"
    package = folder / name
    package.mkdir()
    files = {Path(block.path).name: block.text for block in blocks() if block.path}
    for file, old, new in changes:
        assert files[file].count(old) == 1, f"{file} holds {files[file].count(old)} times: {old}"
        files[file] = files[file].replace(old, new)
    for file, text in files.items():
        (package / file).write_text(text.replace("tulip_venue", name))
    sys.path.insert(0, str(folder))
    try:
        importlib.invalidate_caches()
        venue: Venue = importlib.import_module(name).VENUE
    finally:
        sys.path.remove(str(folder))
    return venue


def tape(folder: Path, venue: Venue, *, steps: int = 60, fork: int = 0) -> Path:
    """Two markets, so many changes of each; the link comes up, and answers what the page's session asks.

    `fork`: at this step a change is missing, and the whole book follows: what was, is taken back.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spec = spec_of(
        [venue_spec(venue, depth=10, depth_from="test")], ["BTC/USD", "ETH/USD"], Guests(), paper_limits(), fees=Fees(),
        tag="vg",
    )  # fmt: skip
    writer = TapeWriter(folder / f"books{ENDING}", header_of(spec, {}))
    markets = [Market(name, 3) for name in MARKETS]
    now_ns = T0

    def say(message: dict[str, Any]) -> None:
        writer.append(Frame("tulip", PUBLIC, json.dumps(message).encode()), now_ns)

    writer.append(LinkUp("tulip", PUBLIC), now_ns)
    for market in markets:
        tick, lot, _ = MARKETS[market.name]
        say({"kind": "market", "market": market.name, "tick": tick, "lot": lot, "least": str(market.lot * 2)})
        say(market.whole())
    for step in range(steps):
        now_ns += STEP_NS
        if step % 25 == 24:
            writer.append(Timer(), now_ns)
            say({"kind": "beat"})
        for market in markets:
            told = market.change()
            if fork and step == fork:  # lost: the next one shows the hole, and the session asks anew
                continue
            if fork and step == fork + 2:
                say(market.whole())
                continue
            say({"kind": "change", "market": market.name, "n": market.n, **told, "at": market.stamp()})
        if step % 10 == 9:
            price, size = markets[0].level(min(markets[0].sides["asks"]), 20)
            say({"kind": "trade", "market": "BTC-USD", "id": step, "side": "buy", "price": price, "size": size,
                 "at": markets[0].stamp()})  # fmt: skip
    writer.close("")
    return folder
