"""What a restart knows, finds and never does (RELIABILITY (b) 11-14, 28)."""

import pytest

from oms.state import OrderState
from tests.support.trading_world import TradingWorld


def ready(world: TradingWorld, seconds: float = 290) -> None:
    world.until(lambda: world.is_ready, seconds, "not ready")


def test_nautilus_3046_a_restart_replays_no_fill() -> None:
    """The trades of before are told again, by the socket and by the record: they count once."""
    world = TradingWorld()
    name = world.bid(qty_1e8=10**7)
    world.run(1)
    world.fill(name, 30)
    world.run(1)
    world.cancel(name)  # so that the journal has the fill
    world.run(1)
    for _ in range(2):
        world.restart()
        ready(world)
        assert world.position() == 3 * 10**6
    world.calm()


@pytest.mark.parametrize("times", [1, 2, 3])
def test_nautilus_3878_restarting_often_is_restarting_once(times: int) -> None:
    """An order in doubt and one half filled: whatever the number of restarts, the same state."""
    world = TradingWorld("ack_lost,on=add_order,nth=2")
    half = world.bid(qty_1e8=10**7)
    world.run(1)
    world.fill(half, 50)
    world.run(1)
    lost = world.place(-1, far=-10)
    world.run(0.1)
    for _ in range(times):
        world.restart()
        world.run(3)
    ready(world)
    known = [(name, world.state(name), world.ours(name).filled_1e8) for name in (half, lost)]
    assert known == [(half, "PARTIALLY_FILLED", 5 * 10**6), (lost, "FILLED", 10**6)]
    assert world.position() == 4 * 10**6
    world.calm()


def test_nautilus_4736_a_warm_restart_is_not_flat() -> None:
    """The position of before is the position after."""
    world = TradingWorld()
    name = world.place(1, far=-10)
    world.becomes(name, "FILLED", 2)
    world.bid()
    world.run(1)
    world.stop()
    world.restart()
    ready(world)
    assert world.position() == 10**6
    world.calm()


def test_nautilus_3104_what_cannot_be_explained_halts_that_market() -> None:
    """Coins are gone, and nobody told: nothing passes at their market until a person has looked; the other goes on."""
    world = TradingWorld()
    world.run(130)
    world.venue.engine.account.change("BTC", -5 * 10**9)
    world.run(400)
    assert world.said("BTC: by our record", level="error")
    denied = world.ask(world.order(1, far=50))[0].denied
    assert denied is not None
    assert str(denied.reason) == "POSITION_DRIFT"
    world.bid(symbol=1)
    world.arm()
    world.run(130)
    world.bid()
    world.calm()


def test_hummingbot_366_open_orders_are_not_forgotten() -> None:
    """Killed with two resting orders: after the start both are known, count, and can be cancelled."""
    world = TradingWorld()
    names = [world.bid(), world.offer(symbol=1)]
    world.run(1)
    world.restart()
    assert world.engine.gate.account.exposures[0].open_buy_1e8 == 10**6
    ready(world)
    assert [world.state(name) for name in names] == ["NEW", "NEW"]
    assert not world.said("not in our journal")
    for name in names:
        world.cancel(name)
        world.becomes(name, "CANCELED", 2)
    world.calm()


def test_an_order_that_no_journal_knows_is_adopted() -> None:
    """The journal is lost, the order is open under our name: loud, counted, and it can be cancelled."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.oracle.is_amnesic = True
    world.restart(forgets=True)
    ready(world)
    assert world.said(name, "not in our journal", level="error")
    assert world.engine.gate.account.exposures[0].open_buy_1e8 == 10**6
    world.cancel(name)
    world.becomes(name, "CANCELED", 2)


def test_nothing_passes_before_the_records_were_compared() -> None:
    """REST is not there at the start: no order leaves, however good the books are."""
    world = TradingWorld()
    world.restart()
    world.rest.is_broken = True
    world.run(60)
    assert "add_order" not in world.methods(world.now_ns - 60 * 10**9)
    assert not world.is_ready
    world.calm()


def test_an_order_in_flight_at_the_crash_is_found() -> None:
    """It left, the process died, it arrived: the next session looks, and knows it."""
    world = TradingWorld(latency=(100, 100))
    name = world.bid()
    world.run(0.05)
    world.restart()
    world.run(1)
    assert world.state(name) == OrderState.UNKNOWN
    ready(world)
    assert world.state(name) == "NEW"
    world.calm()


def test_an_order_whose_record_was_not_durable_never_left() -> None:
    """Killed while the disk was slow: nobody sent it, and nobody waits for it for ever."""
    world = TradingWorld(disk=(500, 500))
    name = world.bid()
    world.restart()
    world.run(1)
    assert not world.is_there(name)
    ready(world)
    assert world.state(name) == "REJECTED"
    world.calm()


def test_rtsix_14_a_stop_leaves_nothing_open() -> None:
    """The end of a session: everything is cancelled, the switch disarmed; the next one starts clean."""
    world = TradingWorld()
    names = [world.bid(), world.offer()]
    world.run(1)
    world.stop()
    assert not any(world.there(name).is_open for name in names)
    world.restart()
    ready(world, 20)
    world.calm()


def test_filled_while_the_gateway_was_dead() -> None:
    """Both sides of it: the position and the money are the venue's."""
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    world.crash()
    world.run(5)
    world.fill(name)
    world.restart()
    ready(world)
    assert world.state(name) == "FILLED"
    assert world.position() == 10**6
    world.calm()


def test_nautilus_4051_a_name_that_comes_after_the_id() -> None:
    """The socket's last trades name an order by the venue's id alone; that it is ours, the record says later."""
    world = TradingWorld("ack_lost,on=add_order", "executions_off")
    name = world.place(1, far=-10)
    world.run(0.3)
    world.restart()
    world.becomes(name, "FILLED", 250)
    assert world.position() == 10**6
    world.calm()
