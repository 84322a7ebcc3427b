"""What must hold at every exchange where links break, requests are refused, processes end and people interfere.

As `test_five_venues.py`: each scenario at each of the five, ending in calm.
"""

from __future__ import annotations

import pytest

from connectors.events import ExecReport, ExecType, RejectCode
from connectors.orders import OrderType
from connectors.session import REST
from tests.support.trading_venues import VENUES, place
from tests.support.trading_world import QTY, TradingWorld

pytestmark = pytest.mark.parametrize("venue", VENUES)
DOUBT_S = 300  # two looks, the second when no list can be older than the doubt


# --- links ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lands", [True, False])
def test_a_cut_with_an_order_in_flight(venue: str, lands: bool) -> None:
    """What was on a socket that is gone is in doubt; it is over when two looks have not found it."""
    world = TradingWorld(name=venue, latency=(20, 20))
    name = world.bid()
    world.cut(lands=lands)
    if world.wire[-1][1] != REST:
        assert world.state(name) == "UNKNOWN"
    world.until(lambda: world.state(name) in ("NEW", "REJECTED"), 2 * DOUBT_S)
    assert (world.state(name) == "NEW") is world.is_there(name)
    assert world.sent("new") == 1
    world.calm()


def test_more_fills_during_an_outage_than_one_page_holds(venue: str) -> None:
    """Whatever pages there are, all of them are turned."""
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=200 * QTY)
    world.rest.is_broken = True
    world.cut()
    for _ in range(130):
        world.fill(name, 1)
    world.rest.is_broken = False
    world.until(lambda: len(world.trades(name)) == 130, 120)
    assert world.ours(name).filled_1e8 == world.there(name).cum_qty_1e8 == world.position()
    world.calm()


def test_a_mute_link_is_given_up(venue: str) -> None:
    """Its socket lives and says nothing: no order leaves after a while, and it is dialled again."""
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("mute")
    dials = len(world.private.dials)
    world.run(75)
    assert not world.engine.ports[venue].link.is_reconciled
    assert len(world.private.dials) > dials
    world.calm()
    assert world.there(name).is_open is not place(venue).venue.capabilities.dead_man


def test_cancels_leave_while_the_sockets_are_down(venue: str) -> None:
    """Refused dials, and an order that must go: HTTP carries the cancel, and its end is found."""
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("connect_refused")
    world.cut()
    world.cancel(name)
    world.run(5)
    assert not world.there(name).is_open
    world.becomes(name, "CANCELED", 30)
    world.calm()


@pytest.mark.parametrize("fault", ["close", "reset", "half_frame", "garbage_frame"])
def test_links_break_in_many_ways(venue: str, fault: str) -> None:
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch(fault)
    world.run(3)
    world.faults.clear()
    world.fill(name, 50)
    world.becomes(name, "PARTIALLY_FILLED", DOUBT_S)
    assert world.position() == QTY // 2
    world.calm()


@pytest.mark.parametrize("ahead_ms", [2500, -2500])
def test_a_clock_that_is_not_ours(venue: str, ahead_ms: int) -> None:
    """The venue's clock and this machine's differ: what is signed carries the venue's time."""
    world = TradingWorld(f"clock_skew={ahead_ms}", name=venue)
    name = world.alive()
    world.cancel(name)
    world.becomes(name, "CANCELED", 10)
    world.calm()


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_post_only_order_that_would_cross(venue: str) -> None:
    """Refused at once or cancelled a little later: either way nothing traded, and the guest is told why."""
    world = TradingWorld(name=venue)
    name = world.place(1, far=-10, kind=OrderType.POST_ONLY)
    world.until(lambda: world.state(name) in ("REJECTED", "CANCELED"), 10)
    (said,) = world.told(name, ExecType.REJECTED) + world.told(name, ExecType.CANCELED)
    assert said.reject_code == RejectCode.INVALID_PARAMS, said
    assert world.position() == 0
    world.calm()


def test_refused_for_funds(venue: str) -> None:
    """Somebody's order by hand has taken the money between two looks."""
    world = TradingWorld(name=venue)
    world.run(1)
    by_hand = world.foreign(1, 0)
    name = world.bid(qty_1e8=100 * QTY)
    world.until(lambda: world.state(name) == "REJECTED", 10)
    assert world.told(name, ExecType.REJECTED)[0].reject_code == RejectCode.INSUFFICIENT_BALANCE
    assert by_hand.is_open
    world.calm()


def test_who_asks_too_much_slows_down_and_cancels_go(venue: str) -> None:
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("rate_limit,on=new")
    refused = world.place(1, far=60)
    world.becomes(refused, "REJECTED", 5)
    assert world.told(refused, ExecType.REJECTED)[0].reject_code == RejectCode.RATE_LIMIT
    before = world.sent("new")
    late = world.place(1, far=70)
    world.run(0.5)
    assert world.state(late) == "REJECTED"
    assert world.sent("new") == before, "it was not even sent"
    world.cancel(name)
    world.becomes(name, "CANCELED", 5)
    world.calm()


def test_questions_that_are_refused_for_their_rate_become_few(venue: str) -> None:
    """429 to everything over HTTP for two minutes: a dozen questions, not hundreds."""
    world = TradingWorld(name=venue)
    world.faults.switch("http_429,times=0")
    before = len(world.rest.requests)
    world.run(120)
    assert len(world.rest.requests) - before < 30
    world.calm()


def test_a_refused_cancel_ends_nothing(venue: str) -> None:
    """The venue's word for an order that it does not know, of one that lives: its fill counts."""
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("gateway_error,times=0")
    world.faults.switch(f"refuse={REFUSALS[venue]},on=cancel")
    world.cancel(name)
    world.run(1)
    assert world.state(name) in ("NEW", "PENDING_CANCEL", "UNKNOWN")
    world.faults.clear()
    world.fill(name)
    world.becomes(name, "FILLED", 30)
    world.calm()


REFUSALS = {
    "kraken": "EOrder:Unknown order",
    "coinbase": "UNKNOWN_CANCEL_ORDER",
    "binance": "-2011",
    "okx": "51400",
    "bybit": "170213",
}


# --- restarts, a person, others ---------------------------------------------------------------------------------------


def test_a_restart_with_orders_in_doubt(venue: str) -> None:
    """One whose answer was lost, one half filled, one filled while nobody was there: once each."""
    world = TradingWorld("ack_lost,on=new,nth=3", name=venue)
    half, gone = world.alive(qty_1e8=10 * QTY), world.alive(far=60)
    world.fill(half, 50)
    world.becomes(half, "PARTIALLY_FILLED", 5)
    lost = world.place(-1, far=-10)
    world.run(0.1)
    world.crash()
    world.fill(gone)
    for _ in range(2):
        world.restart()
        world.run(3)
    world.until(lambda: world.is_ready, DOUBT_S)
    known = [(world.state(name), world.ours(name).filled_1e8) for name in (half, lost, gone)]
    assert known == [("PARTIALLY_FILLED", 5 * QTY), ("FILLED", QTY), ("FILLED", QTY)]
    assert world.position() == 5 * QTY
    world.calm()


def test_nothing_leaves_before_the_records_were_compared(venue: str) -> None:
    world = TradingWorld(name=venue)
    world.crash()
    world.run(1)
    start_ns = world.now_ns
    world.start()
    world.rest.is_broken = True
    world.run(60)
    assert not world.asked("new", start_ns)
    assert not world.is_ready
    world.calm()


def test_the_kill_switch_proves_that_nothing_is_open(venue: str) -> None:
    """By one message or by many; the first cancels are answered that nobody knows."""
    world = TradingWorld(name=venue)
    names = [world.alive(), world.alive(far=60), world.alive(symbol=1)]
    what = "cancel_all" if place(venue).venue.capabilities.cancel_all else "cancel"
    world.faults.switch(f"ack_lost,on={what},times=2")
    before = world.sent("new")
    world.kill()
    world.want(world.order(1, far=50))
    world.run(30)
    assert not any(world.there(name).is_open for name in names)
    assert world.sent("new") == before
    world.until(lambda: all(world.state(name) == "CANCELED" for name in names), DOUBT_S)
    world.arm()
    world.calm()


def test_the_kill_switch_while_no_socket_is_there(venue: str) -> None:
    """And no network either, for a while: as soon as anything goes, the cancels do."""
    world = TradingWorld(name=venue)
    names = [world.alive(), world.alive(symbol=1)]
    world.faults.switch("connect_refused")
    world.cut()
    world.rest.is_broken = True
    world.kill()
    world.run(20)
    world.rest.is_broken = False
    world.run(60)
    assert not any(world.there(name).is_open for name in names)
    world.arm()
    world.calm()


def test_orders_of_others_are_left_alone(venue: str) -> None:
    """They move money, and nothing else here; nobody cancels them."""
    world = TradingWorld(name=venue)
    by_hand = world.foreign(1, 2 * QTY, far=70)
    name = world.alive()
    world.venue.engine.matcher.force(by_hand, by_hand.left // 2, world.now_ns)
    world.venue.flush(world.now_ns)
    world.run(5)
    world.cancel(name)
    world.becomes(name, "CANCELED", 10)
    world.cut()
    world.run(120)
    assert by_hand.is_open
    assert world.position() == 0
    told = {one.client_order_id for one in world.reports if isinstance(one, ExecReport)}
    assert told == {name}
    world.calm()


def test_a_stop_leaves_nothing_open(venue: str) -> None:
    world = TradingWorld(name=venue)
    names = [world.alive(), world.offer()]
    world.run(2)
    world.stop()
    assert not any(world.there(name).is_open for name in names)
    world.restart()
    world.until(lambda: world.is_ready, DOUBT_S)
    world.calm()
