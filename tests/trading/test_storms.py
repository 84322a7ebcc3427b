"""Storms (`tests/support/trading_storm.py`): VENUEGATE_STORMS seeds, a sixth of them at each other venue.

VENUEGATE_STORM_SEED replays one, at VENUEGATE_STORM_VENUE.
"""

import os
from collections import Counter

import pytest

from tests.oms.bench import knob
from tests.support.trading_oracle import OracleError
from tests.support.trading_storm import Storm
from tests.support.trading_venues import VENUES

SEEDS, FIRST, ONE = knob("STORMS", 36), knob("STORMS_FROM", 0), knob("STORM_SEED", -1)
DEEDS = ("LIMIT", "MARKET", "IOC", "FOK", "POST_ONLY", "cancel", "amend", "traded", "kill", "arm", "crash", "stop",
         "freeze", "cut private", "cut both")  # fmt: skip


@pytest.mark.slow
def test_storms_end_definite_and_equal() -> None:
    """Whatever blows: within five calm minutes orders, positions and balances are the venue's."""
    done: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + SEEDS):
        storm = Storm(seed)
        storm.run()
        done += storm.counts
    if SEEDS >= 36:
        for deed in (*DEEDS, "ack_lost", "dropped_fill", "response_lost"):
            assert done[deed] > 2, f"{deed} was hardly done: {done}"


@pytest.mark.slow
@pytest.mark.parametrize("venue", [name for name in VENUES if name != "kraken"])
def test_storms_at_other_venues(venue: str) -> None:
    for seed in range(FIRST, FIRST + max(SEEDS // 6, 1)):
        Storm(seed, venue).run()


@pytest.mark.skipif("VENUEGATE_STORM_SEED" not in os.environ, reason="replays the storm of VENUEGATE_STORM_SEED")
def test_one_seed() -> None:
    Storm(ONE, os.environ.get("VENUEGATE_STORM_VENUE", "kraken")).run()


def test_one_seed_is_one_course_of_events() -> None:
    """Byte for byte, whoever runs it; another seed is another one."""

    def digest(seed: int) -> str:
        storm = Storm(seed)
        storm.run()
        return storm.world.digest

    assert digest(3) == digest(3) != digest(4)


def test_a_storm_that_fails_says_how_to_see_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    storm = Storm(7)
    monkeypatch.setattr(storm.world.oracle, "look", lambda _engine: storm.world.oracle.fail("as planned"))
    with pytest.raises(OracleError, match="VENUEGATE_STORM_SEED=7 uv run pytest"):
        storm.run()
