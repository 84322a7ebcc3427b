"""The venue's clock is behind ours, and nothing but a look tells of a fill: it is found all the same."""

from __future__ import annotations

import pytest

from tests.support.trading_world import QTY, TradingWorld

DOUBT_S = 300


@pytest.mark.parametrize("venue", ["binance", "okx", "bybit", "coinbase"])
def test_a_fill_that_the_venue_dates_before_its_order_was_made(venue: str) -> None:
    world = TradingWorld("clock_skew=-20000", "response_lost,on=new", "executions_off", name=venue)
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", DOUBT_S)
    assert world.position() == QTY
    world.calm()
