"""The corpus in a real gateway: what breaks is out with a word to the operator, and its neighbour trades on."""

import pytest

from connectors.orders import OrderType
from connectors.venues.kraken import VENUE
from runtime.host import AlgoHost
from runtime.spec import AlgoSpec
from tests.hostile.build import module
from tests.hostile.corpus import CASES, Case
from tests.support.guests import every
from tests.support.virtual import OTHER, World

pytestmark = pytest.mark.slow

# what a market alone brings about: orders and mesh messages need a guest that asks for them
BY_ITSELF = {"on_book", "on_nbbo", "on_heartbeat", "on_shutdown"}
REACHED = [case for case in CASES if case.expected.partition(":")[0] in BY_ITSELF]
HARMLESS = [case for case in CASES if case.expected == "runs"]


def world_with(case: Case) -> World:
    """The case and an ordinary neighbour, on two venues so that on_nbbo is due."""
    bad = AlgoSpec("bad", AlgoHost(case.wasm, name="bad"), ("BTC/USD",))
    good = AlgoSpec("good", AlgoHost(every(5, order_type=OrderType.IOC), name="good"), ("BTC/USD",))
    return World(algos=[bad, good], venues=(VENUE, OTHER))


@pytest.mark.parametrize("case", REACHED, ids=lambda case: case.name)
def test_it_is_disabled_where_it_breaks_and_its_neighbour_goes_on(case: Case) -> None:
    callback, _, fault = case.expected.partition(": ")
    world = world_with(case)
    bad, good = world.engine.algos
    world.run(4, until=lambda: bad.is_faulty)
    assert bad.is_faulty is (callback != "on_shutdown")
    heard = dict(bad.callbacks)
    before = good.callbacks["on_book"]
    world.run(1)
    assert good.callbacks["on_book"] > before
    assert callback == "on_shutdown" or dict(bad.callbacks) == heard
    world.command("stop")
    assert bad.is_faulty
    assert not good.is_faulty
    assert good.callbacks["on_shutdown"] == 1
    (notice,) = world.said("algo bad disabled")
    assert fault.partition(":")[0] in notice
    assert world.engine.oms.orders == {}


@pytest.mark.parametrize("case", HARMLESS, ids=lambda case: case.name)
def test_what_may_be_odd_is_left_alone(case: Case) -> None:
    """No fault, no order that was not denied or meant, and the end comes as for anybody."""
    world = world_with(case)
    world.run(1.5)
    world.command("stop")
    assert not world.said("algo bad disabled")
    assert world.engine.algos[0].callbacks["on_shutdown"] == 1
    assert world.engine.oms.orders == {}


def test_sixteen_actions_of_noise_are_denied_one_by_one() -> None:
    """Every byte 0xff: no such side, type, venue or symbol. All denied, none reaches a venue, the guest stays."""
    (case,) = (case for case in CASES if case.name == "16 actions of noise")
    world = world_with(case)
    world.run(1)
    asked = [record for record in world.actions if record.algo == 0]
    assert asked
    assert len(asked) % 16 == 0
    assert all(record.denied for record in asked)


def test_a_guest_that_faults_as_soon_as_it_may_is_heard_of_once() -> None:
    """Not once for every book that follows."""
    world = World(algos=[AlgoSpec("bad", AlgoHost(module(book="unreachable"), name="bad"), ("BTC/USD",))])
    world.run(5)
    assert len(world.said("algo bad disabled")) == 1
    assert world.engine.algos[0].callbacks["on_book"] == 1
