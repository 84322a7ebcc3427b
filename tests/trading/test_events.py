"""Executions that come early, late, twice, in another order or not at all (RELIABILITY (b) 15-18, 20-25, 30)."""

from connectors.events import ExecType
from tests.support.trading_world import SECOND, TradingWorld


def test_hummingbot_905_filled_before_the_answer_and_the_event_lost() -> None:
    """The fill is not told; `filled` says more than we know, and a look finds it: the order is not stuck."""
    world = TradingWorld("fill_before_ack", "dropped_fill")
    name = world.bid()
    world.becomes(name, "FILLED", 15)
    assert world.position() == 10**6
    world.calm()


def test_hummingbot_6672_filled_at_once_is_told_with_its_size() -> None:
    """The guest hears one fill, after the order is known, and its position is what traded."""
    world = TradingWorld("executions_first")
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 2)
    assert world.guest.count("on_fill") == len(world.told(name, ExecType.TRADE)) == 1
    assert world.guest.count("on_reject") == 0
    assert world.position() == 10**6
    world.calm()


def test_hummingbot_4738_a_refused_cancel_ends_no_tracking() -> None:
    """The venue refuses the cancel; the order lives here as it does there, and its fill counts."""
    world = TradingWorld("refuse=EOrder:Unknown order,on=cancel_order")
    name = world.bid()
    world.run(0.5)
    world.cancel(name)
    world.run(1)
    assert world.state(name) == "NEW"
    world.fill(name)
    world.becomes(name, "FILLED", 1)
    assert world.position() == 10**6
    world.calm()


def test_passivbot_514_the_cancel_failed_because_it_was_filled() -> None:
    """And nobody told of the fill: the refusal alone starts a look, within seconds."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("cancel_reject_after_fill")
    world.faults.switch("executions_off")
    world.cancel(name)
    world.becomes(name, "FILLED", 15)
    assert world.position() == 10**6
    world.calm()


def test_nautilus_4288_a_look_that_lags_undoes_no_amend() -> None:
    """The lists still show the old terms when the amend was acknowledged: they are not believed, and nothing ends."""
    world = TradingWorld("delayed_visibility=30")
    name = world.bid()
    world.run(40)
    world.amend(name, qty_1e8=5 * 10**6)
    world.run(3)
    world.cut()
    world.run(25)
    assert world.ours(name).qty_1e8 == 5 * 10**6
    assert len(world.told(name, ExecType.REPLACED)) == 1
    world.calm()


def test_freqtrade_1858_filled_after_the_cancel_was_taken() -> None:
    """The answer to a cancel is no end: 40 % trade after it, and count."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("fill_after_cancel_ack=40")
    world.cancel(name)
    world.becomes(name, "CANCELED", 2)
    assert world.position() == world.ours(name).filled_1e8 == 400_000
    world.calm()


def test_freqtrade_8374_parts_add_up() -> None:
    """Three partial fills and a cancel with a fourth: the sum is the position."""
    world = TradingWorld()
    name = world.bid(qty_1e8=10**7)
    world.run(1)
    for percent in (10, 33, 50):
        world.fill(name, percent)
        world.run(0.5)
    world.faults.switch("partial_then_cancel=50")
    world.cancel(name)
    world.becomes(name, "CANCELED", 2)
    fills = world.truth().fills[name]
    assert len(fills) == 4
    assert world.position() == sum(fill.qty for fill in fills)
    world.calm()


def test_freqtrade_3802_a_partly_filled_sell_is_cancelled() -> None:
    """First the cancel is refused, then the venue ends it by itself, then another one goes its way."""
    world = TradingWorld("refuse=EOrder:Unknown order,on=cancel_order")
    early = world.offer(far=60)
    world.run(1)
    world.fill(early, 30)
    world.run(1)
    world.cancel(early)
    world.becomes(early, "PARTIALLY_FILLED", 1)
    world.end(early)
    world.becomes(early, "CANCELED", 1)
    name = world.offer()
    world.run(1)
    world.fill(name, 30)
    world.becomes(name, "PARTIALLY_FILLED", 1)
    world.cancel(name)
    world.becomes(name, "CANCELED", 2)
    assert world.position() == -600_000
    world.calm()


def test_hummingbot_1142_told_twice_counts_once() -> None:
    world = TradingWorld("duplicate_fill,times=0")
    name = world.bid()
    world.run(1)
    world.fill(name, 60)
    world.run(1)
    world.fill(name)
    world.becomes(name, "FILLED", 2)
    assert world.position() == 10**6
    assert [one.last_qty_1e8 for one in world.told(name, ExecType.TRADE)] == [600_000, 400_000]
    world.calm()


def test_nautilus_3471_an_amend_forgets_no_fill() -> None:
    """Partly filled stays partly filled, and filled never falls."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.fill(name, 30)
    world.run(1)
    world.amend(name, qty_1e8=2 * 10**6)
    world.run(1)
    assert world.state(name) == "PARTIALLY_FILLED"
    assert (world.ours(name).filled_1e8, world.ours(name).qty_1e8) == (300_000, 2 * 10**6)
    world.calm()


def test_tradestation_101_one_fill_dropped_from_a_sound_stream() -> None:
    """Part of it, and the sequence has no hole: the comparison of each minute finds it."""
    world = TradingWorld("dropped_fill")
    name = world.bid()
    world.run(1)
    world.fill(name, 40)
    world.run(5)
    assert world.position() == 0
    world.becomes(name, "PARTIALLY_FILLED", 65)
    assert world.position() == 400_000
    world.calm()


def test_a_fill_that_is_overtaken_by_the_next_news() -> None:
    """`filled` comes before the trade that filled it (reordered_fill)."""
    world = TradingWorld("reordered_fill")
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 20)
    assert world.position() == 10**6
    assert len(world.told(name, ExecType.TRADE)) == 1
    world.calm()


def test_a_hole_in_the_sequence_is_subscribed_over() -> None:
    """An execution is lost on the way: the snapshots are asked for again, and the account is looked at."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("sequence_gap")
    start_ns = world.now_ns
    world.fill(name, 50)
    world.run(1)
    world.fill(name, 50)
    world.run(10)
    assert "unsubscribe" in world.methods(start_ns)
    assert world.position() == world.there(name).cum_qty
    world.calm()


def test_exponents_are_numbers() -> None:
    """`1e-08` on the wire is exact."""
    world = TradingWorld("exponents")
    name = world.bid()
    world.run(1)
    world.fill(name, 1)
    world.run(1)
    assert world.position() == world.there(name).cum_qty == 10_000
    world.calm()


def test_the_venue_cancels_by_itself() -> None:
    """Nobody here asked for it: it is over here as it is there, and the guest's slot is free."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.end(name)
    world.becomes(name, "CANCELED", 1)
    assert world.engine.gate.account.exposures[0].open_buy_1e8 == 0
    world.calm()


def test_jkorf_115_executions_silent_for_a_minute() -> None:
    """Heartbeats go on, no execution is told: within a minute and a bit the record shows the fill."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.faults.switch("executions_off")
    start_ns = world.now_ns
    world.fill(name)
    world.becomes(name, "FILLED", 66)
    assert world.now_ns - start_ns > SECOND
    world.calm()


def test_a_change_of_the_venues_own_is_not_undone_by_a_list_that_lags() -> None:
    """The venue shrinks an order and the stream says so; the lists still show what was: that is not believed."""
    world = TradingWorld("delayed_visibility=30")
    name = world.bid(qty_1e8=5 * 10**6)
    world.run(130)
    world.venue.engine.amend(world.there(name), world.now_ns, qty=2 * 10**6)
    world.venue.flush(world.now_ns)
    world.run(1)
    world.cut()
    world.run(25)
    assert world.ours(name).qty_1e8 == 2 * 10**6
    assert len(world.told(name, ExecType.REPLACED)) == 1
    world.calm()


def test_a_look_gives_up_no_cancel_that_is_on_its_way() -> None:
    """The engine takes it four seconds late; meanwhile the record shows the order open: that refuses nothing."""
    world = TradingWorld()
    name = world.bid()
    world.run(130)
    world.faults.switch("engine_late=4000,on=cancel_order")
    world.faults.switch("busy_live,on=add_order")
    world.cancel(name)
    asked = len(world.rest.requests)
    world.bid(symbol=1)  # in doubt: what starts a look
    world.run(3)
    assert len(world.rest.requests) == asked + 4
    assert world.state(name) == "PENDING_CANCEL"
    world.becomes(name, "CANCELED", 3)
    assert not world.told(name, ExecType.CANCEL_REJECTED)
    world.calm()
