"""Fills of an order that a lost life left half filled: those after it was adopted count, each once. Not every venue
says in a fill what was filled by then."""

from __future__ import annotations

import pytest

from tests.support.trading_venues import VENUES
from tests.support.trading_world import QTY, TradingWorld


@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("venue", VENUES)
def test_a_small_fill_after_a_large_one_of_a_life_before(venue: str, forgets: bool) -> None:
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=10 * QTY)
    world.fill(name, 60)
    world.becomes(name, "PARTIALLY_FILLED", 5)
    world.run(1)
    world.oracle.is_amnesic = forgets
    world.restart(forgets=forgets)
    world.until(lambda: world.is_ready and world.engine.oms.find(name) is not None, 400, "not adopted")
    before = world.position()
    world.fill(name, 50)
    world.run(5)
    assert world.position() - before == 2 * QTY
    assert world.ours(name).leaves_1e8 == 2 * QTY
    world.fill(name)
    world.becomes(name, "FILLED", 120)
    assert world.position() - before == 4 * QTY
    if not forgets:
        world.calm()
