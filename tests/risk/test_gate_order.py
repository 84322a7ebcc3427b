"""Which check speaks first, what a reducing order is spared, and how amends count until they are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.events import ExecType
from connectors.orders import Approved, NewOrder, OrderType
from risk.checks import TradingState
from risk.denial import Denied, DenyReason
from tests.risk.world import FINE, SECOND, World, limits, px, qty, usd

Mend = Callable[[World, dict[str, Any]], object]
LARGE = msgspec.structs.replace(
    FINE, min_qty_1e8=qty(500), tick_size_1e9=px("0.1"), lot_size_1e8=qty("0.1"), status="maintenance"
)


def _instrument(world: World, **changes: Any) -> None:
    instrument = world.markets[0].instrument
    assert instrument is not None
    world.markets[0].instrument = msgspec.structs.replace(instrument, **changes)


# what is wrong, in the order in which it is told, and how it is put right
LADDER: list[tuple[DenyReason, Mend]] = [
    (DenyReason.KILL_SWITCH, lambda world, _: setattr(world.gate, "state", TradingState.REDUCING)),
    (DenyReason.INVALID_ORDER, lambda _, order: order.update(side=1)),
    (DenyReason.INSTRUMENT_NOT_ALLOWED, lambda _, order: order.update(symbol_idx=0)),
    (DenyReason.UNKNOWN_POOL, lambda _, order: order.update(pool_idx=0)),
    (DenyReason.BAD_VENUE, lambda _, order: order.update(venue_id=1)),
    (DenyReason.DUPLICATE_ORDER_ID, lambda _, order: order.update(order_id=77)),
    (DenyReason.REDUCE_ONLY, lambda world, _: setattr(world.gate, "state", "ACTIVE")),
    (DenyReason.OFF_GRID, lambda _, order: order.update(px_1e9=px(110))),
    (DenyReason.OPEN_ORDERS, lambda world, _: world.gate.account.open_counts.clear()),
    (DenyReason.VENUE_NOT_READY, lambda world, _: _instrument(world, status="online")),
    (DenyReason.STALE_MARKET_DATA, lambda world, _: setattr(world.link, "last_ns", world.now)),
    (DenyReason.BELOW_MINIMUM, lambda world, _: _instrument(world, min_qty_1e8=0)),
    (DenyReason.RATE_LIMIT, lambda _, order: order.update(now_ns=order["now_ns"] + SECOND)),
    (DenyReason.PRICE_COLLAR, lambda _, order: order.update(px_1e9=px(100))),
    (DenyReason.MAX_ORDER_NOTIONAL, lambda _, order: order.update(qty_1e8=qty("9.9"))),
    (DenyReason.MAX_POSITION, lambda _, order: order.update(qty_1e8=qty("8.9"))),
    (DenyReason.DAILY_LOSS, lambda world, _: world.gate.arm()),
]


def test_the_first_thing_wrong_is_the_one_told() -> None:
    """One order with everything wrong; put right one thing at a time, it is refused for the next until it passes."""
    world = World(
        limits(
            max_open_orders=1, max_order_rate=1, max_order_notional_1e9=usd(1_000), max_position_1e8=qty(10),
            max_daily_loss_1e9=usd(1),
        )
    )  # fmt: skip
    world.hold(1, qty("0.1"))
    world.later()
    standing = world.new(qty_1e8=qty(1))
    assert world.gate.mark(0, px(100)), "half the worth of 0.1 is gone"
    world.markets[0].instrument = LARGE
    world.link.last_ns = -1
    world.gate.halt()
    order: dict[str, Any] = {
        "order_id": standing.order_id, "side": 0, "px_1e9": px(110) + 1, "qty_1e8": qty(400), "venue_id": 9,
        "pool_idx": 1, "symbol_idx": 9, "now_ns": world.now,
    }  # fmt: skip
    for reason, mend in LADDER:
        assert world.refused(**order) is reason
        mend(world, order)
    world.new(**order)


# --- venue's word ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_instrument", [True, False])
@pytest.mark.parametrize(
    ("word", "let_through"),
    [
        ("online", {"limit", "market", "ioc", "fok", "post", "reducing"}),
        ("post_only", {"post"}),
        ("limit_only", {"limit", "ioc", "fok", "post", "reducing"}),
        ("reduce_only", {"reducing"}),
        ("cancel_only", set()),
        ("maintenance", set()),
        ("a word from the future", set()),
    ],
)
def test_what_the_venue_takes_now(word: str, let_through: set[str], *, of_instrument: bool) -> None:
    world = World()
    world.hold(1, qty(5))
    if of_instrument:
        _instrument(world, status=word)
    else:
        world.link.system = word
    kinds = {"limit": (1, 0), "market": (1, 1), "ioc": (1, 2), "fok": (1, 3), "post": (1, 4), "reducing": (-1, 0)}
    for name, (side, order_type) in kinds.items():
        if name in let_through:
            world.new(side=side, order_type=order_type)
        else:
            assert world.refused(side=side, order_type=order_type) is DenyReason.VENUE_NOT_READY, name


# --- reducing orders ---------------------------------------------------------------------------------------------


def _full(side: int, reason: DenyReason) -> World:
    """A position of 10 on `side` in a world where `reason` refuses everything but what reduces."""
    held = limits(max_daily_loss_1e9=usd(100))
    world = World(held)
    world.hold(side, qty(10))
    if reason is DenyReason.BELOW_MINIMUM:
        _instrument(world, min_qty_1e8=qty(1_000), min_notional_1e9=usd(10**6))
    elif reason is DenyReason.MAX_ORDER_NOTIONAL:
        world.gate._case.limits = msgspec.structs.replace(held, max_order_notional_1e9=0)
    elif reason is DenyReason.MAX_POSITION:
        world.gate._case.limits = msgspec.structs.replace(held, max_position_1e8=0)
    else:
        assert world.gate.mark(0, px(200) - side * px(40))
    return world


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(
    "reason",
    [DenyReason.BELOW_MINIMUM, DenyReason.MAX_ORDER_NOTIONAL, DenyReason.MAX_POSITION, DenyReason.DAILY_LOSS],
)
def test_what_can_only_reduce_is_spared_four_checks(side: int, reason: DenyReason) -> None:
    for size in (1, qty(10) - 1, qty(10)):
        _full(side, reason).new(side=-side, qty_1e8=size)
    assert _full(side, reason).refused(side=-side, qty_1e8=qty(10) + 1) is reason
    assert _full(side, reason).refused(side=side, qty_1e8=1) is reason


@pytest.mark.parametrize("side", [1, -1])
def test_reducing_orders_add_up(side: int) -> None:
    world = _full(side, DenyReason.DAILY_LOSS)
    first = world.new(side=-side, qty_1e8=qty(6))
    assert world.refused(side=-side, qty_1e8=qty(4) + 1) is DenyReason.DAILY_LOSS
    world.new(side=-side, qty_1e8=qty(4))
    assert world.refused(side=-side, qty_1e8=1) is DenyReason.DAILY_LOSS
    world.report(first, ExecType.CANCELED)
    world.new(side=-side, qty_1e8=qty(6))


def test_a_reducing_order_is_not_spared_its_price_rate_form_nor_fresh_data() -> None:
    world = World(limits(max_order_rate=2))
    world.hold(1, qty(10))
    assert world.refused(side=-1, px_1e9=px(50)) is DenyReason.PRICE_COLLAR
    assert world.refused(side=-1, qty_1e8=0) is DenyReason.INVALID_ORDER
    world.new(side=-1)
    assert world.refused(side=-1) is DenyReason.RATE_LIMIT
    world.now += 6 * SECOND
    assert world.refused(side=-1) is DenyReason.STALE_MARKET_DATA


# --- amends ------------------------------------------------------------------------------------------------------


def _room(world: World) -> int:
    """How much may still be bought, by asking."""
    found, step = 0, qty(1)
    while isinstance(world.ask(qty_1e8=step), Approved):
        found += 1
    return found


def _standing(size: int = 4) -> tuple[World, NewOrder]:
    world = World(limits(max_position_1e8=qty(20)))
    return world, world.new(qty_1e8=qty(size))


def _amended(world: World, order: NewOrder, total: int) -> None:
    verdict = world.amend(order, qty(total))
    assert isinstance(verdict, Approved), verdict
    assert (verdict.order.client_order_id, verdict.order.qty_1e8) == (order.client_order_id, qty(total))


@pytest.mark.parametrize(
    ("totals", "answers", "room"),
    [
        ([9], [], 11),
        ([2], [], 16),
        ([9], ["rejected"], 16),
        ([9], [9], 11),
        ([2], [2], 18),
        ([9, 2], [], 11),  # the second may be refused, the first not yet answered
        ([9, 2], [9], 11),
        ([9, 2], [9, 2], 18),
        ([9, 2], [9, "rejected"], 11),
        ([9, 2], ["rejected"], 11),  # which one was refused is not said
        ([9, 2], ["rejected", 2], 18),
        ([2, 9], [2], 11),
        ([2, 9], [2, "rejected"], 18),
        ([9], [0], 11),  # an answer without a total releases nothing
    ],
)
def test_an_amend_counts_the_larger_of_old_and_new_until_answered(
    totals: list[int], answers: list[int | str], room: int
) -> None:
    world, order = _standing()
    for total in totals:
        _amended(world, order, total)
    for answer in answers:
        if isinstance(answer, str):
            world.report(order, ExecType.REPLACE_REJECTED)
        else:
            world.report(order, ExecType.REPLACED, px_1e9=px(100), qty_1e8=qty(answer), leaves_qty_1e8=qty(answer))
    assert _room(world) == room


def test_what_is_filled_while_an_amend_is_on_its_way_is_not_counted_twice() -> None:
    world, order = _standing()
    _amended(world, order, 9)
    world.fill(order, qty(3), leaves=qty(1))
    assert _room(world) == 11, "3 held and 6 that may come"


def test_a_fill_of_the_old_total_does_not_end_an_order_that_grew() -> None:
    """The venue took the amend first: its fill says that 5 are left."""
    world, order = _standing()
    _amended(world, order, 9)
    world.fill(order, qty(4), leaves=qty(5))
    assert world.gate.find(0, order.order_id) is not None
    assert _room(world) == 11


def test_a_last_fill_that_overtook_another_leaves_that_one_counted() -> None:
    """Of 4, the report of the last 1 (nothing left) comes before that of the first 3."""
    world, order = _standing()
    world.fill(order, qty(1), cum=qty(4), leaves=0)
    assert world.gate.find(0, order.order_id) is not None
    assert world.gate.account.exposures[0].worst_1e8(1, 0) == qty(4)
    world.fill(order, qty(3), cum=qty(3), leaves=qty(1))
    assert world.gate.account.exposures[0].worst_1e8(1, 0) == qty(4)
    assert world.gate.find(0, order.order_id) is None


def test_an_amend_meets_the_same_limits_as_an_order() -> None:
    world = World(limits(max_position_1e8=qty(10), max_order_notional_1e9=usd(900), price_collar_bps=100))
    order = world.new(qty_1e8=qty(2))
    world.new(qty_1e8=qty(6))
    cases = [
        (qty(4) + 1, px(99), DenyReason.MAX_POSITION),
        (qty(9), px(99), DenyReason.MAX_ORDER_NOTIONAL),
        (qty(2), px(102), DenyReason.PRICE_COLLAR),
        (0, px(100), DenyReason.INVALID_ORDER),
        (qty(2), 0, DenyReason.INVALID_ORDER),
    ]
    for total, price, reason in cases:
        verdict = world.amend(order, total, price)
        assert isinstance(verdict, Denied)
        assert verdict.reason is reason
    assert isinstance(world.amend(order, qty(4)), Approved)


def test_an_order_that_reduces_may_be_amended_while_it_still_does() -> None:
    world = World()
    world.hold(1, qty(10))
    order = world.new(side=-1, qty_1e8=qty(4))
    world.gate.reduce()
    verdict = world.amend(order, qty(10) + 1)
    assert isinstance(verdict, Denied)
    assert verdict.reason is DenyReason.REDUCE_ONLY
    assert isinstance(world.amend(order, qty(10)), Approved)


@pytest.mark.parametrize("kind", [OrderType.LIMIT, OrderType.POST_ONLY])
def test_one_algo_neither_amends_nor_cancels_what_another_opened(kind: OrderType) -> None:
    world = World(algos=2)
    order = world.new(algo=0, order_type=int(kind))
    theirs = msgspec.structs.replace(order, algo=1)
    for verdict in (world.amend(theirs, qty(2)), world.cancel(theirs)):
        assert isinstance(verdict, Denied)
        assert verdict.reason is DenyReason.UNKNOWN_ORDER
    world.new(algo=1, order_id=order.order_id)
    assert isinstance(world.cancel(theirs), Approved)
    assert world.gate.find(0, order.order_id) is not None
