"""Raw recordings of each venue: replayed with a guest that orders and cancels, and never read as another venue's."""

import json
from functools import cache
from pathlib import Path
from random import Random

import pytest

from connectors.session import CALLS, PUBLIC
from tests.runtime.world import gateway
from tests.support.venue_harm import Harm
from tests.support.venue_line import VenueLine

VENUES = ("kraken", "coinbase", "binance", "okx", "bybit")
SECONDS = 12


@cache
def recorded(venue: str) -> tuple[str, bytes]:
    """An `--instrument`, and the lines of some seconds of its simulator's public frames."""
    line = VenueLine(venue, 7, rate_hz=20, depth=10, markets=1)
    line.run(SECONDS)
    known = line.engine.instruments[0]
    assert known is not None and not line.lost
    told = [(ns, raw) for ns, link, raw in line.frames if link == PUBLIC]
    answers = [(ns, raw.partition(b"\n")[2]) for ns, link, raw in line.frames if link == CALLS and venue == "binance"]
    told += [(ns, body) for ns, body in answers if body.startswith(b'{"lastUpdateId"')]
    rows = [{"recv_ns": ns, "raw": raw.decode()} for ns, raw in sorted(told, key=lambda one: one[0])]
    text = f"{line.symbols[0]}:{known.price_precision}:{known.size_precision}"
    return text, "".join(json.dumps(row) + "\n" for row in rows).encode()


@pytest.mark.parametrize("venue", VENUES)
def test_a_guests_orders_and_cancels_are_what_was_approved(venue: str, tmp_path: Path) -> None:
    instrument, lines = recorded(venue)
    file = tmp_path / "day.jsonl"
    file.write_bytes(lines)
    actions = tmp_path / "actions"
    ended = gateway("replay", file, "--venue", venue, "--instrument", instrument, "--actions", actions, "--json")
    found = json.loads(ended.stdout)
    assert (ended.exit_code, found["state"]) == (0, "ACTIVE"), ended.stderr
    assert found["book_frames"] and found["approved"], ended.stderr
    kinds = {json.loads(row)["kind"] for row in actions.read_text().splitlines()}
    assert {"new", "cancel"} <= kinds


@pytest.mark.parametrize("venue", VENUES)
def test_as_another_venues_it_is_one_error_that_names_the_right_one(venue: str, tmp_path: Path) -> None:
    instrument, lines = recorded(venue)
    file = tmp_path / "day.jsonl"
    file.write_bytes(lines)
    other = VENUES[VENUES.index(venue) - 1]
    ended = gateway("replay", file, "--venue", other, "--instrument", instrument)
    assert ended.exit_code == 4
    assert f"is {other}'s\n" in ended.stderr or f"frames is {other}'s" in ended.stderr
    assert ended.stderr.count("error: ") == 1
    assert f"mend: say whose it is: --venue {venue}\n" in ended.stderr


@pytest.mark.parametrize("venue", ["coinbase", "binance", "okx", "bybit"])
def test_gaps_are_counted_as_one_reason_whatever_their_numbers(venue: str) -> None:
    line = VenueLine(venue, 7, rate_hz=20, depth=10, markets=1)
    line.run(3)
    for _ in range(2):
        line.harm = Harm(venue, {3: "drop"}, Random(7), market=line.symbols[0])
        line.run(4)
    assert line.engine.stats.gaps >= 2
    assert len(line.engine.lost) == 1, line.engine.lost
