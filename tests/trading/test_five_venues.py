"""What must hold at every exchange, whoever answers first, late, twice or not at all (RELIABILITY (b), venues.md 0.3).

Each scenario is one test, played at each of the five: a venue's connector against a simulator that shares no code with
it. Every one ends in calm: all is definite, and equal to what the venue has.
"""

from __future__ import annotations

import pytest

from connectors.events import ExecType
from tests.support.trading_venues import VENUES, place
from tests.support.trading_world import QTY, TradingWorld

pytestmark = pytest.mark.parametrize("venue", VENUES)
DOUBT_S = 300  # two looks, the second when no list can be older than the doubt


# --- answers ----------------------------------------------------------------------------------------------------------


def test_an_order_lives_and_ends(venue: str) -> None:
    """Nothing goes wrong: the order is told as new, then traded in two parts, another one cancelled."""
    world = TradingWorld(name=venue)
    name, other = world.alive(), world.alive(far=60)
    world.fill(name, 40)
    world.becomes(name, "PARTIALLY_FILLED", 5)
    world.fill(name)
    world.becomes(name, "FILLED", 5)
    world.cancel(other)
    world.becomes(other, "CANCELED", 5)
    assert world.trades(name) == [QTY * 40 // 100, QTY * 60 // 100]
    assert world.guest.count("on_fill") == 2
    assert not world.said(level="error")
    world.calm()


def test_a_response_that_is_lost(venue: str) -> None:
    """Only our own id is known then: in doubt, found by it, never sent again."""
    world = TradingWorld("response_lost,on=new", "executions_off", name=venue)
    name = world.bid()
    world.becomes(name, "UNKNOWN", 10)
    world.becomes(name, "NEW", DOUBT_S)
    assert world.ours(name).venue_order_id == world.there(name).order_id
    assert world.sent("new") == 1
    world.calm()


def test_a_timeout_and_an_instant_fill(venue: str) -> None:
    """Never open: it is found among what ended."""
    world = TradingWorld("response_lost,on=new", "executions_off", name=venue)
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", DOUBT_S)
    assert world.position() == QTY
    world.calm()


def test_silence_refuses_nothing(venue: str) -> None:
    """No answer, no news: in doubt, it counts, and no second one leaves."""
    world = TradingWorld("ack_lost,on=new", "executions_off", name=venue)
    world.rest.is_broken = venue != "coinbase"  # whose orders go there
    name = world.bid()
    world.run(20)
    assert world.state(name) in ("UNKNOWN", "NEW")
    assert world.engine.gate.account.exposures[0].open_buy_1e8 == QTY
    world.fill(name)
    world.rest.is_broken = False
    world.becomes(name, "FILLED", DOUBT_S)
    assert world.sent("new") == 1
    world.calm()


def test_a_fill_before_the_answer(venue: str) -> None:
    world = TradingWorld("fill_before_ack", name=venue)
    name = world.bid()
    world.becomes(name, "FILLED", 10)
    assert sum(world.trades(name)) == world.position() == QTY
    assert world.guest.count("on_reject") == 0
    world.calm()


def test_news_before_the_answer(venue: str) -> None:
    """The whole life of it is told before its request is answered."""
    world = TradingWorld("executions_first", name=venue)
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 10)
    assert world.guest.count("on_fill") == len(world.trades(name)) >= 1
    assert world.position() == QTY
    world.calm()


@pytest.mark.parametrize("what", ["new", "amend", "cancel"])
def test_an_answer_that_nobody_knows_is_no_refusal(venue: str, what: str) -> None:
    """Busy, a timeout inside the venue: it was carried out all the same."""
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=2 * QTY) if what != "new" else ""
    world.faults.switch(f"busy_live,on={what}")
    if what == "new":
        name = world.bid()
    elif what == "cancel":
        world.cancel(name)
    else:
        world.amend(name, qty_1e8=QTY)
    world.run(1)
    refusals = (ExecType.REJECTED, ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED)
    assert not [one for kind in refusals for one in world.told(name, kind)]
    world.calm()
    assert world.there(name).is_open is (what != "cancel")
    assert world.there(name).qty_1e8 == world.ours(name).qty_1e8 == QTY if what == "amend" else True


def test_an_answer_that_comes_late(venue: str) -> None:
    """After the doubt was told: proof is proof."""
    late_ms = place(venue).trading.deadline_ns // 10**6 + 4000
    world = TradingWorld(f"ack_late={late_ms},on=new", "executions_off", name=venue)
    name = world.bid()
    world.becomes(name, "UNKNOWN", late_ms / 1000)
    world.becomes(name, "NEW", DOUBT_S)
    assert world.sent("new") == 1
    world.calm()


def test_a_cancel_that_overtakes_its_order(venue: str) -> None:
    """Unknown there is no end: the order was on its way."""
    world = TradingWorld("engine_late=3000,on=new,times=1", name=venue)
    name = world.bid()
    world.run(0.5)
    world.cancel(name)
    world.run(1)
    assert world.is_there(name) or world.state(name) not in ("CANCELED", "REJECTED")
    world.until(lambda: world.is_there(name), 10)
    world.calm()


# --- ends -------------------------------------------------------------------------------------------------------------


def test_a_fill_after_the_cancel_was_taken(venue: str) -> None:
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("fill_after_cancel_ack=40")
    world.cancel(name)
    world.becomes(name, "CANCELED", 10)
    assert world.position() == world.ours(name).filled_1e8 == QTY * 40 // 100
    world.calm()


@pytest.mark.parametrize("is_told", [True, False])
def test_a_cancel_refused_for_it_was_filled(venue: str, is_told: bool) -> None:
    """And where nobody tells of the fill, the refusal alone starts a look."""
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("cancel_reject_after_fill")
    if not is_told:
        world.faults.switch("executions_off")
    world.cancel(name)
    world.becomes(name, "FILLED", 20)
    assert world.position() == QTY
    assert not world.told(name, ExecType.CANCELED)
    world.calm()


def test_parts_and_a_cancel(venue: str) -> None:
    """Three fills, and a fourth as the cancel comes: the sum is the position."""
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=10 * QTY)
    for percent in (10, 33, 50):
        world.fill(name, percent)
        world.run(0.5)
    world.faults.switch("partial_then_cancel=50")
    world.cancel(name)
    world.becomes(name, "CANCELED", 10)
    assert len(world.truth().fills[name]) == 4
    assert world.position() == world.there(name).cum_qty_1e8 == sum(world.trades(name))
    world.calm()


@pytest.mark.parametrize("fault", ["duplicate_fill,times=0", "reordered_fill,times=0", "dropped_fill,times=2"])
def test_fills_told_twice_in_another_order_or_not_at_all(venue: str, fault: str) -> None:
    world = TradingWorld(fault, name=venue)
    name = world.alive()
    for percent in (20, 50):
        world.fill(name, percent)
    world.run(2)
    world.fill(name)
    world.becomes(name, "FILLED", 120)
    assert world.position() == QTY
    assert sum(world.trades(name)) == QTY
    assert world.guest.count("on_fill") == len(world.trades(name))
    world.calm()


def test_an_end_that_nobody_told(venue: str) -> None:
    """Cancelled by the venue, in silence: it is found among what ended."""
    world = TradingWorld(name=venue)
    name = world.alive()
    world.faults.switch("executions_off")
    world.end(name)
    world.until(lambda: world.state(name) in ("CANCELED", "EXPIRED"), 90)
    world.calm()


def test_news_that_come_late(venue: str) -> None:
    world = TradingWorld("executions_late=1500", name=venue)
    name = world.bid()
    world.run(3)
    assert world.state(name) == "NEW"
    world.fill(name, 50)
    world.cancel(name)
    world.becomes(name, "CANCELED", 30)
    assert world.position() == QTY // 2
    world.calm()


# --- amends -----------------------------------------------------------------------------------------------------------


def test_an_amend_forgets_no_fill(venue: str) -> None:
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=4 * QTY)
    world.fill(name, 25)
    world.becomes(name, "PARTIALLY_FILLED", 5)
    record = world.amend(name, qty_1e8=2 * QTY)
    assert bool(record.approval) is place(venue).venue.capabilities.amend
    world.run(3)
    assert (world.state(name), world.ours(name).filled_1e8) == ("PARTIALLY_FILLED", QTY)
    if record.approval:
        assert world.ours(name).qty_1e8 == world.there(name).qty_1e8 == 2 * QTY
        assert len(world.told(name, ExecType.REPLACED)) == 1
    world.calm()


@pytest.mark.parametrize("fault", ["response_lost,on=amend", "ack_lost,on=amend", "fill_before_ack=50,on=amend"])
def test_an_amend_whose_answer_is_lost_or_late(venue: str, fault: str) -> None:
    """Lost with its news, or overtaken by a fill: the terms are the venue's in the end."""
    world = TradingWorld(name=venue)
    name = world.alive(qty_1e8=4 * QTY)
    world.faults.switch(fault)
    if "lost" in fault:
        world.faults.switch("executions_off")
    world.amend(name, qty_1e8=3 * QTY)
    world.run(10)
    world.calm()
    assert world.there(name).is_open
    assert world.ours(name).qty_1e8 == world.there(name).qty_1e8


def test_an_amend_and_a_fill_that_cross(venue: str) -> None:
    """Filled while the amend is on its way: whatever the venue says to it, the fill stands."""
    world = TradingWorld(name=venue, latency=(40, 40))
    name = world.alive(qty_1e8=2 * QTY)
    world.amend(name, qty_1e8=QTY)
    world.fill(name)
    world.becomes(name, "FILLED", DOUBT_S)
    assert world.position() == 2 * QTY
    world.calm()
