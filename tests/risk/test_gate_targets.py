"""Where an action is aimed: own venue, another one, a chain, a pool; and what is judged there."""

import pytest

from connectors.orders import Approved, OrderType
from risk.denial import Denied, DenyReason
from risk.states import TradingState
from tests.risk.world import AWAY_ID, CHAIN_ID, FINE, VENUE_ID, World, limits, px, qty

OWN, AWAY, CHAIN, POOL_1, POOL_2 = range(5)  # the markets of a world with `away`


@pytest.mark.parametrize(
    ("venue_id", "pool_idx", "market"),
    [(0, 0, OWN), (VENUE_ID, 0, OWN), (AWAY_ID, 0, AWAY), (CHAIN_ID, 0, CHAIN), (0, 1, POOL_1), (CHAIN_ID, 2, POOL_2)],
)
def test_an_order_goes_where_it_is_aimed_and_counts_there(venue_id: int, pool_idx: int, market: int) -> None:
    world = World(away=True)
    order = world.new(venue_id=venue_id, pool_idx=pool_idx, qty_1e8=qty(2))
    assert order.instrument == market
    open_buys = [exposure.open_buy_1e8 for exposure in world.gate.account.exposures]
    assert open_buys == [qty(2) if index == market else 0 for index in range(5)]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"venue_id": 3}, DenyReason.BAD_VENUE),
        ({"venue_id": 255}, DenyReason.BAD_VENUE),
        ({"pool_idx": 3}, DenyReason.UNKNOWN_POOL),
        ({"pool_idx": 255}, DenyReason.UNKNOWN_POOL),
        ({"pool_idx": 1, "venue_id": VENUE_ID}, DenyReason.BAD_VENUE),
        ({"pool_idx": 1, "symbol_idx": 1}, DenyReason.UNKNOWN_POOL),
        ({"venue_id": AWAY_ID, "symbol_idx": 1}, DenyReason.BAD_VENUE),
        ({"venue_id": AWAY_ID, "symbol_idx": 2}, DenyReason.INSTRUMENT_NOT_ALLOWED),
        ({"pool_idx": 1, "order_type": OrderType.POST_ONLY}, DenyReason.NOT_SUPPORTED),
        ({"venue_id": CHAIN_ID, "order_type": OrderType.POST_ONLY}, DenyReason.NOT_SUPPORTED),
    ],
)
def test_a_target_that_is_not_there_is_refused(given: dict[str, int], reason: DenyReason) -> None:
    assert World(instruments=(FINE, FINE), away=True).refused(**given) is reason


@pytest.mark.parametrize("given", [{"pool_idx": 1}, {"venue_id": CHAIN_ID}])
def test_on_chain_orders_are_refused_live(given: dict[str, int]) -> None:
    """Until on-chain execution exists (ABI); on paper they pass."""
    assert World(away=True, is_paper=False).refused(**given) is DenyReason.NOT_SUPPORTED
    assert isinstance(World(away=True, is_paper=True).ask(**given), Approved)
    assert isinstance(World(away=True, is_paper=False).ask(venue_id=AWAY_ID), Approved)


@pytest.mark.parametrize("kind", list(OrderType))
def test_a_type_that_the_venue_does_not_have_is_refused_before_it_could_be_written(kind: OrderType) -> None:
    world = World()
    world.markets[0].types = 1 << OrderType.LIMIT
    if kind is OrderType.LIMIT:
        assert isinstance(world.ask(order_type=kind), Approved)
    else:
        assert world.refused(order_type=kind) is DenyReason.NOT_SUPPORTED


def test_an_order_is_not_amended_where_the_venue_cannot() -> None:
    world = World()
    order = world.new(qty_1e8=qty(2))
    assert isinstance(world.amend(order, qty(1)), Approved)
    world.markets[0].amends = False
    denied = world.amend(order, qty(1))
    assert isinstance(denied, Denied) and denied.reason is DenyReason.NOT_SUPPORTED


@pytest.mark.parametrize("harm", ["down", "silent", "invalid"])
def test_another_venue_is_judged_by_its_own_data(harm: str) -> None:
    """Stale there: 106, and nothing else is held up. Stale here: 100, and there it passes."""
    for market, other, code in ((AWAY, OWN, 106), (OWN, AWAY, 100)):
        world = World(away=True)
        aims = {OWN: 0, AWAY: AWAY_ID}
        spoiled = world.markets[market]
        if harm == "invalid":
            spoiled.book.invalidate("test")
        else:
            spoiled.link.last_ns = -1 if harm == "down" else world.now - world.gate.limits.max_book_age_ns - 1
        denied = world.ask(venue_id=aims[market])
        assert isinstance(denied, Denied)
        assert denied.code == code
        assert isinstance(world.ask(venue_id=aims[other]), Approved)


def test_an_amend_of_an_order_elsewhere_is_judged_there() -> None:
    world = World(away=True)
    order = world.new(venue_id=AWAY_ID, qty_1e8=qty(1), px_1e9=px(99))
    world.markets[AWAY].link.last_ns = -1
    denied = world.amend(order, qty(2))
    assert isinstance(denied, Denied)
    assert denied.reason is DenyReason.STALE_VENUE


def test_an_intents_id_is_taken_between_its_orders() -> None:
    world = World()
    world.gate.reserved.add((0, 5))
    assert world.refused(order_id=5) is DenyReason.DUPLICATE_ORDER_ID
    world.gate.reserved.discard((0, 5))
    assert isinstance(world.ask(order_id=5), Approved)


def _intent(world: World, **fields: int) -> int | Denied:
    given = {"order_id": 5, "policy": 0, "venue_id": 0, "pool_idx": 0, "symbol_idx": 0, "algo": 0, "known": 1, **fields}
    action = (given["order_id"], px(100), qty(1), 1, 3, given["policy"], given["venue_id"], given["pool_idx"],
              given["symbol_idx"], 0)  # fmt: skip
    return world.gate.check_intent(given["algo"], action, world.now, is_known=bool(given["known"]))


@pytest.mark.parametrize(
    ("given", "market"),
    [({}, 0), ({"venue_id": VENUE_ID}, 0), ({"venue_id": AWAY_ID}, 2), ({"pool_idx": 2}, 5), ({"symbol_idx": 1}, 1)],
)
def test_an_intent_goes_where_it_is_aimed(given: dict[str, int], market: int) -> None:
    assert _intent(World(instruments=(FINE, FINE), away=True), **given) == market


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"venue_id": 3}, DenyReason.BAD_VENUE),
        ({"pool_idx": 9}, DenyReason.UNKNOWN_POOL),
        ({"symbol_idx": 9}, DenyReason.INSTRUMENT_NOT_ALLOWED),
        ({"order_id": 7}, DenyReason.DUPLICATE_ORDER_ID),
        ({"order_id": 8}, DenyReason.DUPLICATE_ORDER_ID),
    ],
)
def test_an_intent_that_cannot_be_begun_is_refused_and_counted(given: dict[str, int], reason: DenyReason) -> None:
    world = World(limits(max_refusals=1), instruments=(FINE, FINE), away=True, algos=2)
    world.new(order_id=7)
    world.gate.reserved.add((0, 8))
    denied = _intent(world, **given)
    assert isinstance(denied, Denied)
    assert denied.reason is reason
    assert denied.observed == next(iter(given.values()))
    assert isinstance(_intent(world, algo=1, order_id=7), int), "another algo's ids are its own"
    assert isinstance(_intent(world, **given), Denied)
    assert world.gate.states.get("algo:a0") is TradingState.HALTED
    told = _intent(world, **given)
    assert isinstance(told, Denied)
    assert told.reason is DenyReason.KILL_SWITCH, "said first"


def test_an_intent_of_an_unknown_policy_is_not_supported() -> None:
    denied = _intent(World(), known=0, policy=9)
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.observed) == (DenyReason.NOT_SUPPORTED, 9)
    assert denied.rule == "intent policy: 0 IOC sweep, 1 aggressive chase"
