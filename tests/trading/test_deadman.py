"""The dead-man's switch: armed for sixty seconds, each fifteen; who freezes loses all orders, and finds out."""

import pytest

from tests.support.trading_venues import VENUES, place
from tests.support.trading_world import SECOND, TradingWorld

METHOD = "cancel_all_orders_after"
THERE = pytest.mark.parametrize("venue", [name for name in VENUES if place(name).venue.capabilities.dead_man])


def test_a_frozen_gateway_has_nothing_open_after_a_minute() -> None:
    """No turn for seventy seconds: the venue cancelled everything, and the gateway learns it when it wakes."""
    world = TradingWorld()
    names = [world.bid(), world.offer(symbol=1)]
    world.run(1)
    world.freeze()
    world.run(59)
    world.run(11)
    assert not any(world.there(name).is_open for name in names)
    world.thaw()
    for name in names:
        world.becomes(name, "CANCELED", 100)
    world.calm()
    world.bid()


def test_it_is_refreshed_in_time_for_an_hour() -> None:
    """Each fifteen seconds; never does the venue come within thirty of firing."""
    world = TradingWorld()
    name = world.bid()
    for _ in range(3600 // 5):
        world.run(5)
        assert world.venue.engine.trigger_ns - world.now_ns > 30 * SECOND
    assert world.there(name).is_open
    assert 230 <= world.methods().count(METHOD) <= 250
    world.calm()


def test_it_is_disarmed_before_maintenance() -> None:
    """Ten minutes in which Kraken cannot hear us: the order is still there afterwards, and the switch armed again."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.venue.set_status("maintenance", world.now_ns)
    world.run(1)
    assert world.venue.engine.trigger_ns == 0
    world.run(600)
    assert world.there(name).is_open
    world.venue.set_status("online", world.now_ns)
    world.run(5)
    assert world.venue.engine.trigger_ns > world.now_ns
    world.calm()


@THERE
def test_it_is_disarmed_at_the_end_when_nothing_is_open(venue: str) -> None:
    world = TradingWorld(name=venue)
    world.bid()
    world.run(1)
    world.stop()
    assert world.venue.engine.trigger_ns == 0


@THERE
def test_it_stays_armed_at_the_end_when_something_may_be_open(venue: str) -> None:
    """The cancels of the end are refused: the venue does it for us, within a minute."""
    world = TradingWorld(name=venue)
    name = world.bid()
    world.run(1)
    world.faults.switch("refuse,on=cancel,times=0")
    world.faults.switch("refuse,on=cancel_all,times=0")
    world.stop()
    assert world.there(name).is_open
    world.run(61)
    assert not world.there(name).is_open


def test_no_ack_no_orders_and_a_person_hears_of_it() -> None:
    """The venue does not answer the refresh: an alarm within five seconds of it, and no order leaves."""
    world = TradingWorld()
    world.faults.switch(f"ack_lost,on={METHOD},times=0")
    world.run(16)
    start_ns = world.now_ns
    world.until(lambda: bool(world.said("dead-man", "no answer", level="error")), 6)
    asked = world.ask(world.order(1, far=50))[0]
    world.run(1)
    assert asked.denied is not None or world.state(asked.client_order_id) == "REJECTED"
    assert "add_order" not in world.methods(start_ns)
    world.calm()


@THERE
def test_a_crash_leaves_it_armed(venue: str) -> None:
    """kill -9: within a minute nothing of ours is open there, and the next session knows that they ended."""
    world = TradingWorld(name=venue)
    name = world.bid()
    world.run(1)
    world.crash()
    world.run(61)
    assert not world.there(name).is_open
    world.restart()
    world.becomes(name, "CANCELED", 290)
    world.calm()
