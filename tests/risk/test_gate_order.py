"""Which check speaks first, what a reducing order is spared, and how amends count until they are answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.events import Balance, ExecType
from connectors.orders import Approved, NewOrder, OrderType
from risk.checks import CHECKS, REASON_OF
from risk.denial import Denied, DenyReason
from risk.limits import ALL_TYPES, Scope
from tests.risk.world import ASKS, BIDS, FINE, SECOND, World, limits, px, qty, tree, usd

PRE_CHECKS = (DenyReason.UNKNOWN_POOL, DenyReason.BAD_VENUE, DenyReason.DUPLICATE_ORDER_ID)

Mend = Callable[[World, dict[str, Any]], object]
LARGE = msgspec.structs.replace(
    FINE, min_qty_1e8=qty(500), tick_size_1e9=px("0.1"), lot_size_1e8=qty("0.1"), status="maintenance"
)
ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")


def _instrument(world: World, **changes: Any) -> None:
    instrument = world.markets[0].instrument
    assert instrument is not None
    world.markets[0].instrument = msgspec.structs.replace(instrument, **changes)


def _permit_all(world: World) -> None:
    world.gate.apply(msgspec.structs.replace(world.gate.tree, instruments=None), "ana")


def _own_book(world: World) -> None:
    """Its levels stand there again, but the buffer says that the bid has met the ask."""
    world.books[0].load(list(BIDS), list(ASKS), world.now)
    memoryview(world.books[0].buffer).cast("Q")[0] = px("100.1")


def _reducing(world: World) -> None:
    world.gate.states.arm("all")
    world.reduce()


# what is wrong, in the order of docs/gate.md (what has no market first), and how it is put right
LADDER: list[tuple[DenyReason, Mend]] = [
    (DenyReason.KILL_SWITCH, lambda world, _: _reducing(world)),
    (DenyReason.INVALID_ORDER, lambda _, order: order.update(side=1)),
    (DenyReason.INSTRUMENT_NOT_ALLOWED, lambda _, order: order.update(symbol_idx=0)),
    (DenyReason.UNKNOWN_POOL, lambda _, order: order.update(pool_idx=0)),
    (DenyReason.BAD_VENUE, lambda _, order: order.update(venue_id=1)),
    (DenyReason.DUPLICATE_ORDER_ID, lambda _, order: order.update(order_id=77)),
    (DenyReason.NOT_RECONCILED, lambda world, _: setattr(world.link, "is_reconciled", True)),
    (DenyReason.POSITION_DRIFT, lambda world, _: setattr(world.markets[0], "drifted", False)),
    (DenyReason.REDUCE_ONLY, lambda world, _: world.gate.states.arm("all")),
    (DenyReason.INSTRUMENT_NOT_ALLOWED, lambda world, _: _permit_all(world)),
    (DenyReason.ORDER_TYPE_NOT_ALLOWED, lambda world, _: world.restrict(order_types=ALL_TYPES)),
    (DenyReason.OFF_GRID, lambda _, order: order.update(px_1e9=px(110))),
    (DenyReason.OPEN_ORDERS, lambda world, _: world.restrict(max_open_orders=9)),
    (DenyReason.NOT_SUPPORTED, lambda world, _: setattr(world.markets[0], "is_onchain", False)),
    (DenyReason.VENUE_NOT_READY, lambda world, _: _instrument(world, status="online")),
    (DenyReason.STALE_MARKET_DATA, lambda world, _: setattr(world.link, "last_ns", world.now)),
    (DenyReason.BOOK_DESYNC, lambda world, _: _own_book(world)),
    (DenyReason.CROSSED_BOOK, lambda world, _: world.books[0].load(list(BIDS), list(ASKS), world.now)),
    (DenyReason.STALE_MARK, lambda world, _: world.books[1].load(list(BIDS), list(ASKS), world.now)),
    (DenyReason.BELOW_MINIMUM, lambda world, _: _instrument(world, min_qty_1e8=0)),
    (DenyReason.RATE_LIMIT, lambda world, _: world.restrict(max_order_rate=9)),
    (DenyReason.DUPLICATE_ORDER, lambda world, _: world.restrict(max_duplicates=1)),
    (DenyReason.REPEAT_EXECUTION, lambda world, _: world.gate.repeat_latched.clear()),
    (DenyReason.PRICE_COLLAR, lambda _, order: order.update(px_1e9=px(101))),
    (DenyReason.PRICE_COLLAR_WINDOW, lambda world, _: world.restrict(collar_window_bps=20_000)),
    (DenyReason.MAX_ORDER_QTY, lambda world, _: world.restrict(max_order_qty_1e8=qty(400))),
    (DenyReason.MAX_ORDER_NOTIONAL, lambda world, _: world.restrict(max_order_notional_1e9=usd(10**6))),
    (DenyReason.CAPITAL_LIMIT, lambda world, _: world.restrict(max_capital_1e9=usd(10**6))),
    (DenyReason.MAX_POSITION, lambda world, _: world.restrict(max_position_1e8=qty(1_000))),
    (DenyReason.CANARY_LIMIT, lambda world, _: world.gate.promote("ab", "ana")),
    (DenyReason.DAILY_LOSS, lambda world, _: world.arm("account")),
    (DenyReason.DRAWDOWN, lambda world, _: world.arm("algo:a0")),
    (DenyReason.SELF_TRADE, lambda _, order: order.update(px_1e9=px("100.5"))),
    (DenyReason.INSUFFICIENT_BALANCE, lambda world, _: world.gate.balance(Balance("kraken", "USD", qty(10**6)))),
]


def _all_wrong() -> tuple[World, dict[str, Any]]:
    """A world and an order in it that every check but STALE_VENUE objects to."""
    wrong = tree(
        Scope("algo", "a0", {"max_drawdown_1e9": usd(1)}), Scope("canary", "", {"max_orders": 4}), max_order_rate=4,
        max_daily_loss_1e9=usd(1), max_position_1e8=qty(12), max_repeats=1,
    )  # fmt: skip
    money = {"USD": qty(10_000), "BTC": qty(10), "ETH": qty(10)}
    world = World(wrong, (FINE, ETHER), algos=2, hashes=("ab", "cd"), balances={"kraken": money})
    world.hold(1, qty("0.1"))
    world.hold(1, qty(1), symbol_idx=1)
    world.later()
    world.new(algo=1, side=-1, qty_1e8=qty(1), px_1e9=px(101))
    standing = world.new(qty_1e8=qty(1))
    world.hold(1, qty("0.1"))
    assert 0 in world.gate.repeat_latched, "it traded twice in one direction"
    assert world.gate.mark(0, px(100), world.now), "half the worth of 0.2 is gone"
    world.restrict(
        max_duplicates=0, max_open_orders=1, max_order_rate=1, collar_window_bps=0, max_order_qty_1e8=qty(1),
        max_order_notional_1e9=usd(1_000), max_capital_1e9=usd(1_000), max_mark_age_ns=SECOND // 2, order_types=0,
    )  # fmt: skip
    world.gate.apply(msgspec.structs.replace(world.gate.tree, instruments=()), "ana")
    world.gate.balance(Balance("kraken", "USD", 0))
    world.now += SECOND // 2 + 1
    world.gate.mark(0, px(100), world.now)
    world.books[0].invalidate("checksum")
    world.books[1].invalidate("checksum")
    world.markets[0].instrument = LARGE
    world.markets[0].drifted = world.markets[0].is_onchain = True
    world.gate.is_paper = False
    world.link.last_ns, world.link.is_reconciled = -1, False
    world.halt()
    return world, {
        "order_id": standing.order_id, "side": 0, "px_1e9": px(110) + 1, "qty_1e8": qty(400), "venue_id": 9,
        "pool_idx": 1, "symbol_idx": 9, "now_ns": world.now,
    }  # fmt: skip


def test_the_first_thing_wrong_is_the_one_told() -> None:
    """One order with everything wrong; put right one thing at a time, it is refused for the next until it passes."""
    world, order = _all_wrong()
    for reason, mend in LADDER:
        world.denied(reason, **order)
        mend(world, order)
    assert world.ask(**order).checks == len(CHECKS)  # type: ignore[union-attr]


def test_the_ladder_has_every_check_in_the_order_of_the_table() -> None:
    told = [reason for reason, _ in LADDER if reason not in PRE_CHECKS or reason in REASON_OF.values()]
    told.remove(DenyReason.INSTRUMENT_NOT_ALLOWED)  # the deployment's word comes before the checks
    told.remove(DenyReason.INVALID_ORDER)  # said first, because nothing can be known of what is no order
    table = [
        reason for reason in REASON_OF.values() if reason not in (DenyReason.STALE_VENUE, DenyReason.INVALID_ORDER)
    ]
    assert told == table


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
            world.report(world.new(side=side, order_type=order_type), ExecType.CANCELED)
        else:
            assert world.refused(side=side, order_type=order_type) is DenyReason.VENUE_NOT_READY, name


# --- reducing orders ---------------------------------------------------------------------------------------------


def _full(side: int, reason: DenyReason) -> World:
    """A position of 10 on `side` in a world where `reason` refuses everything but what reduces."""
    world = World(limits(max_daily_loss_1e9=usd(100)))
    world.hold(side, qty(10))
    if reason is DenyReason.BELOW_MINIMUM:
        _instrument(world, min_qty_1e8=qty(1_000), min_notional_1e9=usd(10**6))
    elif reason is DenyReason.MAX_ORDER_NOTIONAL:
        world.restrict(max_order_notional_1e9=0)
    elif reason is DenyReason.MAX_POSITION:
        world.restrict(max_position_1e8=0)
    else:
        assert world.gate.mark(0, px(200) - side * px(40), world.now)
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
    assert world.gate.account.exposures[0].side_worst_1e8(1, 0) == qty(4)
    world.fill(order, qty(3), cum=qty(3), leaves=qty(1))
    assert world.gate.account.exposures[0].side_worst_1e8(1, 0) == qty(4)
    assert world.gate.find(0, order.order_id) is None


@pytest.mark.parametrize("answer", [{"kind": ExecType.REPLACE_REJECTED}])
def test_an_order_filled_while_its_amend_was_on_the_way_ends_with_the_answer(answer: dict[str, Any]) -> None:
    """4 filled of 4, 9 asked for: it may still grow until the venue says that it did not; of two amends, both times."""
    for amends in (1, 2):
        world, order = _standing()
        for _ in range(amends):
            _amended(world, order, 9)
        world.fill(order, qty(4), leaves=qty(5))
        for _ in range(amends):
            assert world.gate.find(0, order.order_id) is not None
            world.report(order, **answer)
        assert world.gate.find(0, order.order_id) is None
        assert _room(world) == 16
    world, order = _standing()
    _amended(world, order, 9)
    world.fill(order, qty(3), leaves=qty(1))
    world.report(order, **answer)
    assert world.gate.find(0, order.order_id) is not None, "1 is left"
    world.report(order, ExecType.NEW)
    assert world.gate.find(0, order.order_id) is not None


def test_a_total_that_nobody_asked_for_answers_no_amend() -> None:
    """4 filled of 4, 9 asked for, REPLACED to 4: the 9 may still come, until the venue says that it does not."""
    for px_1e9 in (px(100), 0):
        world, order = _standing()
        _amended(world, order, 9)
        world.fill(order, qty(4), leaves=qty(5))
        world.report(order, ExecType.REPLACED, px_1e9=px_1e9, qty_1e8=qty(4))
        assert world.gate.account.exposures[0].side_worst_1e8(1, 0) == qty(9)
        world.report(order, ExecType.REPLACE_REJECTED)
        assert world.gate.find(0, order.order_id) is None
        assert _room(world) == 16


@pytest.mark.parametrize("px_1e9", [px(100), 0])
def test_a_smaller_total_told_after_the_fills_that_reached_it_ends_the_order(px_1e9: int) -> None:
    world, order = _standing(6)
    _amended(world, order, 4)
    world.fill(order, qty(4), leaves=qty(2))
    assert world.gate.find(0, order.order_id) is not None
    world.report(order, ExecType.REPLACED, px_1e9=px_1e9, qty_1e8=qty(4))
    assert world.gate.find(0, order.order_id) is None
    assert _room(world) == 16


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
    world.reduce()
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
