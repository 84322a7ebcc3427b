"""A cancel that waits in a session (Coinbase: until the order's id is known) leaves later with its own approval."""

from __future__ import annotations

import pytest

from tests.support.trading_world import TradingWorld


@pytest.mark.parametrize("venue", ["coinbase"])
def test_a_cancel_that_waited_for_the_orders_id_leaves_with_its_approval(venue: str) -> None:
    world = TradingWorld("ack_late=2500,on=new", "executions_late=2500", name=venue)
    name = world.bid()
    world.run(0.5)
    world.cancel(name)
    world.run(1)
    world.becomes(name, "CANCELED", 20)
    assert not world.said("point of exit")
    world.calm()
