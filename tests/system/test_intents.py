"""Intents: a sweep is one IOC at the limit, a chase asks again and dearer, and both end when they must."""

import pytest

from connectors.events import ExecType
from connectors.orders import OrderType
from connectors.venues.kraken import VENUE
from risk.denial import DenyReason
from runtime.intents import Intent, Policy
from runtime.spec import AlgoSpec
from tests.support.chain_venue import chain, frame
from tests.support.puppet import Puppet, at, cancel, intent, market, order
from tests.support.virtual import OTHER, World

BTC = ("BTC/USD",)
BIG = 10**8  # 1 BTC: far more than a level holds
USD = 10**9


def asked(world: World) -> list[tuple[int, int]]:
    """(price, quantity) of every order that was approved."""
    orders = [*world.engine.oms.orders.values(), *world.engine.oms.finished.values()]
    return [(o.new.px_1e9, o.new.qty_1e8) for o in sorted(orders, key=lambda o: int(o.client_order_id[3:]))]


def ladder(world: World, *asks: tuple[int, int]) -> None:
    """The chain's own book, market 1, has exactly these asks, in whole dollars and 1e-8."""
    world.feed(frame(book=0, bids=[[990 * USD, 10**6]], asks=[[px * USD, sz] for px, sz in asks]))


def chain_world(guest: Puppet) -> World:
    """A chain alone, whose book changes when the test says so."""
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(), chains=[chain(pools=0)])
    world.feed(frame(book=0, bids=[[990 * USD, 10**6]], asks=[[1000 * USD, 10**6]]))
    return world


def test_a_sweep_is_one_ioc_at_the_limit_at_its_venue() -> None:
    guest = Puppet("on_book").on("on_book", at(5, intent(7, 1, BIG, 63_500 * USD, Policy.IOC_SWEEP, venue_id=2)))
    world = World(algos=[AlgoSpec("a", guest, BTC)], venues=(VENUE, OTHER))
    world.run(10)
    (record,) = world.actions
    assert record.approval
    (sent,) = world.engine.oms.finished.values()
    assert (sent.instrument, sent.order_type, sent.order_id, sent.new.px_1e9) == (1, OrderType.IOC, 7, 63_500 * USD)
    assert 0 < sent.filled_1e8 <= BIG
    assert world.engine.desk.intents == {}


def test_a_chase_starts_at_the_touch_and_escalates_on_each_book_to_its_limit() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    for _ in range(12):
        ladder(world, (1000, 10**6), (2000, 10**8))
    prices = [px // USD for px, _ in asked(world)]
    assert prices == [1000, *range(1001, 1009)], "an eighth of 8 dollars each time, and the limit last"
    sizes = [sz for _, sz in asked(world)]
    assert sizes[0] == 10**7
    assert sizes == sorted(sizes, reverse=True)
    assert world.engine.desk.intents == {}
    assert world.engine.gate.reserved == set()


def test_a_chase_never_gets_more_than_it_wanted_and_stops_when_it_has_it() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, 25 * 10**5, 1008 * USD, Policy.AGGRESSIVE_CHASE)))
    world = chain_world(guest)
    for step in range(10):  # what was taken comes back only where a level was gone for a while
        ladder(world, (1000 + step % 2, 10**6), (2000, 10**8))
    assert sum(report.last_qty_1e8 for report in world.reports) == 25 * 10**5
    assert world.engine.desk.intents == {}
    assert len(asked(world)) == 3
    ids = {records[0][:8] for name, records in guest.heard if name == "on_fill"}
    assert ids == {(7).to_bytes(8, "little")}


def test_a_market_that_runs_away_is_followed_but_not_beyond_the_limit() -> None:
    chase = Intent(0, 0, intent(7, 1, 100, 1080 * USD, Policy.AGGRESSIVE_CHASE), 0)
    prices = []
    for touch in (1000, 1000, 1050, 1050, 1200, 1000):
        prices.append(chase.price_1e9(touch * USD, USD) // USD)
        chase.asked_1e9 = prices[-1] * USD
    assert prices == [1000, 1010, 1050, 1060, 1080, 1080]
    sell = Intent(0, 0, intent(7, -1, 100, 920 * USD, Policy.AGGRESSIVE_CHASE), 0)
    prices = []
    for touch in (1000, 1000, 950, 900):
        prices.append(sell.price_1e9(touch * USD, USD) // USD)
        sell.asked_1e9 = prices[-1] * USD
    assert prices == [1000, 990, 950, 940 - 20]
    above = Intent(0, 0, intent(7, 1, 100, 990 * USD, Policy.AGGRESSIVE_CHASE), 0)
    assert above.price_1e9(1000 * USD, USD) == 990 * USD, "the limit is the worst price, also when nothing is there"


def test_time_over_ends_a_chase_and_asks_for_the_turn_that_ends_it() -> None:
    guest = Puppet("on_book").on("on_book", at(2, intent(7, 1, BIG, 1008 * USD, Policy.AGGRESSIVE_CHASE, ttl_ms=250)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6))
    assert len(world.engine.desk.intents) == 1
    world.run(0.2)
    assert len(world.engine.desk.intents) == 1
    world.run(0.1)
    assert world.engine.desk.intents == {}, "by a timer: no book came"
    ladder(world, (1000, 10**6))
    assert len(asked(world)) == 1


@pytest.mark.parametrize("end", ["cancel", "kill", "refusal", "fault"])
def test_what_else_ends_a_chase(end: str) -> None:
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)
    guest = Puppet("on_book").on("on_book", at(2, chase))
    world = chain_world(guest)
    ladder(world, (1000, 10**6), (2000, 10**8))
    before = len(asked(world))
    if end == "cancel":
        guest.on("on_book", at(1, cancel(7)))
    elif end == "kill":
        world.command("kill")
    elif end == "refusal":
        world.engine.ports["dex_arb"].link.system = "maintenance"
    else:
        guest.on("on_book", lambda puppet: puppet.trap())
    for _ in range(5):
        ladder(world, (1000, 10**6), (2000, 10**8))
    assert len(asked(world)) <= before + (end in ("cancel", "fault")), "one may be asked before the guest is called"
    assert world.engine.desk.intents == {}
    assert world.engine.gate.reserved == set()
    assert guest.count("on_reject") == (end != "fault")


def test_an_id_is_taken_while_its_intent_lives() -> None:
    chase = intent(7, 1, 10**7, 1008 * USD, Policy.AGGRESSIVE_CHASE)
    guest = Puppet("on_book").on("on_book", at(2, chase, chase, market(7, 1, 1), order(8, 1, 10**6, 1000 * USD)))
    world = chain_world(guest)
    ladder(world, (1000, 10**6), (2000, 10**8))
    verdicts = [record.denied.reason if record.denied else "" for record in world.actions]
    assert verdicts[1:3] == [DenyReason.DUPLICATE_ORDER_ID] * 2
    assert verdicts[0] == verdicts[3] == ""


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (intent(7, 1, 10**6, 1000 * USD, 2), DenyReason.NOT_SUPPORTED),
        (intent(7, 1, 10**6, 0, 0), DenyReason.INVALID_ORDER),
        (intent(7, 0, 10**6, 1000 * USD, 1), DenyReason.INVALID_ORDER),
        (intent(7, 1, 0, 1000 * USD, 0), DenyReason.INVALID_ORDER),
        (intent(7, 1, 10**6, 1000 * USD, 0, venue_id=3), DenyReason.BAD_VENUE),
        (intent(7, 1, 10**6, 1000 * USD, 1, pool_idx=1), DenyReason.UNKNOWN_POOL),
        (intent(7, 1, 10**6, 1000 * USD, 1, symbol_idx=1), DenyReason.INSTRUMENT_NOT_ALLOWED),
        (intent(7, 1, 10**15, 1000 * USD, 1), DenyReason.MAX_ORDER_NOTIONAL),
    ],
)  # fmt: skip
def test_an_intent_passes_the_gate_like_any_order(wrong: tuple[int, ...], reason: DenyReason) -> None:
    guest = Puppet("on_book").on("on_book", at(2, wrong))  # type: ignore[arg-type]
    world = chain_world(guest)
    ladder(world, (1000, 10**6))
    (record,) = world.actions
    assert record.denied is not None
    assert record.denied.reason is reason
    assert guest.count("on_reject") == 1
    assert world.engine.desk.intents == {}


def test_a_chase_of_a_venue_that_answers_late_asks_once() -> None:
    """No answer, no second order: the order in doubt counts until the venue has spoken."""
    guest = Puppet("on_book").on("on_book", at(5, intent(7, 1, BIG, 63_500 * USD, Policy.AGGRESSIVE_CHASE)))
    world = World(algos=[AlgoSpec("a", guest, BTC)])
    desk = world.engine.desk
    paper = desk.papers[0]
    paper.submit = lambda *_: []  # type: ignore[method-assign]
    world.run(5)
    assert len(world.engine.oms.orders) == 1
    assert [record.denied for record in world.actions] == [None]
    assert ExecType.NEW not in {report.exec_type for report in world.reports}
