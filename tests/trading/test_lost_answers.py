"""Silence is no answer: what became of an order is found out, it is never sent again (RELIABILITY (b) 1-8, 26, 27)."""

import pytest

from connectors.events import ExecType
from connectors.orders import Action
from tests.support.puppet import Puppet
from tests.support.trading_world import SECOND, TradingWorld


def test_ccxt_2599_response_lost() -> None:
    """The venue took it, the socket died with the answer: in doubt at once, and found again by its client id."""
    world = TradingWorld("response_lost,on=add_order")
    name = world.bid()
    world.becomes(name, "UNKNOWN", 0.2)
    world.becomes(name, "NEW", 130)  # when no list can be older than the doubt any more
    assert world.ours(name).venue_order_id == world.there(name).order_id
    world.calm()


def test_catalyst_317_a_timeout_is_no_reason_to_order_again() -> None:
    """A guest that orders again when it is refused: silence refuses nothing, so there is one order."""
    world = TradingWorld("ack_lost,on=add_order", "executions_off")

    def again(_guest: Puppet) -> list[Action]:
        world.later(SECOND // 20, lambda: world.want(world.order(1, far=50)))
        return []

    world.guest.on("on_reject", again)
    name = world.bid()
    world.run(120)
    assert list(world.truth().orders) == [name]
    assert world.methods().count("add_order") == 1
    world.calm()


@pytest.mark.parametrize("method", ["add_order", "amend_order", "cancel_order"])
def test_hummingbot_6033_busy_is_no_failure(method: str) -> None:
    """`EService:Busy`, and it was carried out all the same: doubt, then the truth."""
    world = TradingWorld()
    name = world.bid() if method != "add_order" else ""
    world.run(1)
    world.faults.switch(f"busy_live,on={method}")
    if method == "amend_order":
        world.amend(name, qty_1e8=3 * 10**6)
    elif method == "cancel_order":
        world.cancel(name)
    else:
        name = world.bid()
    world.run(0.3)
    assert not world.told(name, ExecType.REJECTED)
    assert world.state(name) in ("UNKNOWN", "NEW", "CANCELED"), "known by its executions, or in doubt"
    world.calm()
    assert world.there(name).qty == world.ours(name).qty_1e8


def test_hummingbot_493_an_order_that_timed_out_is_still_ours() -> None:
    """No answer and no execution at all: it is looked for, and what traded of it is ours."""
    world = TradingWorld("ack_lost,on=add_order", "executions_off")
    name = world.bid()
    world.run(1)
    world.fill(name, 40)
    world.becomes(name, "PARTIALLY_FILLED", 40)
    assert world.position() == world.there(name).cum_qty == 400_000
    world.calm()


def test_ccxt_2698_timeout_and_instant_fill() -> None:
    """Filled at once and never open: the look finds it among what closed."""
    world = TradingWorld("response_lost,on=add_order", "executions_off")
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 20)
    assert world.position() == 10**6
    world.calm()


def test_nautilus_3870_filled_before_the_first_look() -> None:
    """The lists lag by half a minute: not listed is not refused."""
    world = TradingWorld("response_lost,on=add_order", "executions_off", "delayed_visibility=30")
    name = world.place(1, far=-10)
    world.run(25)
    assert world.state(name) == "UNKNOWN"
    world.becomes(name, "FILLED", 60)
    world.calm()


def test_nautilus_4958_only_the_client_id_is_known() -> None:
    """The venue's id was in the answer that was lost; ours finds it."""
    world = TradingWorld("response_lost,on=add_order")
    world.faults.switch("executions_off")
    name = world.bid()
    world.run(0.5)
    assert not world.ours(name).venue_order_id
    world.becomes(name, "NEW", 130)
    assert world.ours(name).venue_order_id == world.there(name).order_id


def test_ccxt_1786_unknown_order_may_be_on_its_way() -> None:
    """It reaches the engine three seconds late; a cancel that overtakes it is refused, and closes nothing."""
    world = TradingWorld("engine_late=3000,on=add_order,times=1")
    name = world.bid()
    world.run(0.5)
    world.cancel(name)
    world.run(1)
    assert world.told(name, ExecType.CANCEL_REJECTED)
    world.until(lambda: world.is_there(name), 5)
    world.becomes(name, "NEW", 5)
    world.calm()


def test_hummingbot_8457_no_network_is_no_dead_order() -> None:
    """Nothing can be asked for two minutes: the order stays in doubt, and counts."""
    world = TradingWorld("ack_lost,on=add_order", "executions_off")
    world.rest.is_broken = True
    name = world.bid()
    world.run(120)
    assert world.state(name) == "UNKNOWN"
    assert world.engine.gate.account.exposures[0].open_buy_1e8 == 10**6
    world.calm()


def test_hummingbot_3374_an_order_taken_for_dead_fills_later() -> None:
    """It trades while it is in doubt: the gate counted it all the time, and the position is the venue's."""
    world = TradingWorld("ack_lost,on=add_order", "executions_off")
    world.rest.is_broken = True
    name = world.bid()
    world.run(90)
    world.fill(name)
    world.rest.is_broken = False
    world.becomes(name, "FILLED", 130)
    assert world.position() == 10**6
    world.calm()


def test_an_order_that_never_got_there_is_proved_so() -> None:
    """Cut before it arrived: two looks, one after the lists cannot lag any more; then, and only then, it is over."""
    world = TradingWorld(latency=(20, 20))
    name = world.bid()
    world.cut(lands=False)
    assert world.state(name) == "UNKNOWN"
    world.run(150)
    assert world.state(name) == "UNKNOWN", "once is not enough"
    world.becomes(name, "REJECTED", 140)
    assert not world.is_there(name)
    world.calm()


def test_a_late_answer_still_counts() -> None:
    """It comes nine seconds late, after the doubt: proof is proof."""
    world = TradingWorld("ack_late=9000,on=add_order", "executions_off")
    world.rest.is_broken = True
    name = world.bid()
    world.becomes(name, "UNKNOWN", 8)
    world.becomes(name, "NEW", 3)
    world.calm()


def test_an_end_that_nobody_told() -> None:
    """Cancelled by the venue, in silence: it is found among what closed."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("executions_off")
    world.end(name)
    world.becomes(name, "CANCELED", 66)
    world.calm()
