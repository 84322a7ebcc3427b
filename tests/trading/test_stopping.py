"""A person stops everything, whatever is broken; refusals do not become a flood (RELIABILITY (b) 47-49)."""

import msgspec
import pytest

from connectors.orders import Action
from runtime.inputs import Command
from tests.support.puppet import Puppet
from tests.support.trading_machine import LIMITS
from tests.support.trading_world import SECOND, TradingWorld


def test_hummingbot_2534_the_kill_switch_works_when_nothing_else_does() -> None:
    """Private link down and refused, REST broken: nothing new leaves; as soon as anything goes, the cancels do."""
    world = TradingWorld()
    names = [world.bid(), world.offer()]
    world.run(1)
    world.faults.switch("connect_refused")
    world.cut()
    world.rest.is_broken = True
    world.kill()
    world.want(world.order(1, far=50))
    world.run(20)
    assert all(world.there(name).is_open for name in names)
    world.rest.is_broken = False
    world.run(35)
    assert not any(world.there(name).is_open for name in names)
    world.arm()
    world.calm()


def test_hummingbot_1508_no_order_after_stop() -> None:
    """A guest that goes on asking while the session drains."""
    world = TradingWorld()
    world.bid()
    world.run(1)
    start_ns = world.now_ns
    world.feed(Command("drain", "shutdown"))
    for _ in range(5):
        world.want(world.order(1, far=50))
        world.run(0.2)
    world.stop()
    assert "add_order" not in world.methods(start_ns)


def test_hummingbot_462_refusals_are_no_flood() -> None:
    """A guest that answers each refusal with another order: its own limit ends that."""
    world = TradingWorld(limits=msgspec.structs.replace(LIMITS, max_refusals=20))
    world.faults.switch("refuse=EOrder:Insufficient funds,times=0")

    def again(_guest: Puppet) -> list[Action]:
        world.later(SECOND // 20, lambda: world.want(world.order(1, far=50)))
        return []

    world.guest.on("on_reject", again)
    world.want(world.order(1, far=50))
    world.run(5)
    assert world.methods().count("add_order") <= 25
    world.guest.answers.pop("on_reject")
    world.run(20)
    world.calm()


def test_hummingbot_1664_cancels_are_verified() -> None:
    """The venue answers the cancel-all with an internal error, three times: asked again until nothing is open."""
    world = TradingWorld()
    names = [world.bid(), world.offer(), world.bid(symbol=1)]
    world.run(1)
    world.faults.switch("refuse=EGeneral:Internal error,on=cancel_all,times=3")
    world.kill()
    world.run(10)
    assert not any(world.there(name).is_open for name in names)
    world.run(130)
    assert [world.state(name) for name in names] == ["CANCELED"] * 3
    world.arm()
    world.calm()


@pytest.mark.parametrize("scope", ["instrument:BTC/USD", "instrument:kraken:BTC/USD"])
def test_only_the_halted_symbol_is_stopped(scope: str) -> None:
    world = TradingWorld()
    mine, other = world.bid(), world.bid(symbol=1)
    world.run(1)
    world.kill(scope)
    world.run(2)
    assert (world.state(mine), world.state(other)) == ("CANCELED", "NEW")
    assert world.ask(world.order(1, far=50))[0].denied is not None
    world.bid(symbol=1)
    world.arm()
    world.bid()
    world.calm()


def test_a_kill_overtakes_what_waits_for_the_disk() -> None:
    """Approved, and not recorded yet: it is taken back, and never leaves."""
    world = TradingWorld(disk=(400, 400))
    name = world.bid()
    world.kill()
    world.run(5)
    assert not world.is_there(name)
    assert world.state(name) == "CANCELED"
    world.arm()
    world.calm()


def test_a_halt_outlives_the_process() -> None:
    """Killed by a person, then by the kernel: still halted, until a person arms."""
    world = TradingWorld()
    world.bid()
    world.run(1)
    world.kill()
    world.run(1)
    world.restart()
    world.until(lambda: world.is_ready, 290)
    assert world.ask(world.order(1, far=50))[0].denied is not None
    world.arm()
    world.bid()
    world.calm()


def test_a_cancel_goes_before_what_waits() -> None:
    """REST is in the middle of a look, and slow: the kill's cancel is the next request that leaves."""
    world = TradingWorld(latency=(200, 200))
    name = world.bid()
    world.run(1)
    world.faults.switch("connect_refused")
    world.cut()
    world.until(lambda: world.rest.requests[-1][1].endswith("OpenOrders"), 130)
    asked = len(world.rest.requests)
    world.kill()
    world.run(3)
    assert world.rest.requests[asked][1].endswith("CancelAll")
    assert not world.there(name).is_open
    world.arm()
    world.calm()


def test_orders_of_a_guest_that_broke_are_cancelled_until_they_are_gone() -> None:
    """The venue refuses the first three cancels: the gateway asks again by itself."""
    world = TradingWorld()
    names = [world.bid(), world.offer(symbol=1)]
    world.run(1)
    world.faults.switch("refuse=EOrder:Rate limit exceeded,on=cancel_order,times=3")
    world.guest.on("on_book", lambda guest: guest.trap())
    world.want()
    world.run(20)
    assert not any(world.there(name).is_open for name in names)
    assert [world.state(name) for name in names] == ["CANCELED"] * 2
