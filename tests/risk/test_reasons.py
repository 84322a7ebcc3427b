"""Every DenyReason has its meaning, its code, and an action that is refused for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.events import RejectCode
from connectors.orders import Approved
from risk.denial import OBSERVED_MAX, REASONS, Category, Denied, DenyReason, Meaning, bounded
from risk.limits import Scope
from tests.risk.world import FINE, SECOND, World, limits, px, qty, tree, usd

CODES = dict.fromkeys(DenyReason, 100) | {
    DenyReason.KILL_SWITCH: 102,
    DenyReason.BAD_VENUE: 105,
    DenyReason.STALE_VENUE: 106,
    DenyReason.PRICE_COLLAR: 103,
    DenyReason.PRICE_COLLAR_WINDOW: 103,
    DenyReason.MAX_POSITION: 101,
    DenyReason.DAILY_LOSS: 104,
    DenyReason.DRAWDOWN: 104,
}
MONEY = {"kraken": {"USD": qty(1_000), "BTC": qty(1)}}


def _after(do: Callable[[World], object], world: Callable[[], World] = World, **order: Any) -> Callable[[], object]:
    """An order after something happened."""

    def ask() -> object:
        where = world()
        do(where)
        return where.ask(**order)

    return ask


def _latched(world: World) -> None:
    world.hold(1, qty(1))
    world.gate.mark(0, px(199), world.now)


def _unmarked(world: World) -> None:
    world.hold(1, qty(1), symbol_idx=1)
    world.books[1].invalidate("checksum")
    world.later(61 * SECOND)


def _other_down(world: World) -> None:
    world.links[1].last_ns = -1


def _crossed(world: World) -> None:
    memoryview(world.books[0].buffer).cast("Q")[0] = px("100.1")


ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")
CANARY = tree(Scope("canary", "", {"max_orders": 0}))
ACTIONS: dict[DenyReason, Callable[[], object]] = {
    DenyReason.RISK_STATE_UNKNOWN: lambda: World(instruments=(None,)).ask(),
    DenyReason.KILL_SWITCH: _after(World.halt),
    DenyReason.NOT_RECONCILED: _after(lambda world: setattr(world.link, "is_reconciled", False)),
    DenyReason.POSITION_DRIFT: _after(lambda world: setattr(world.markets[0], "drifted", True)),
    DenyReason.REDUCE_ONLY: _after(World.reduce),
    DenyReason.INVALID_ORDER: lambda: World().ask(side=0),
    DenyReason.OFF_GRID: lambda: World(instruments=(msgspec.structs.replace(FINE, lot_size_1e8=7),)).ask(qty_1e8=8),
    DenyReason.BELOW_MINIMUM: lambda: World(instruments=(msgspec.structs.replace(FINE, min_qty_1e8=7),)).ask(qty_1e8=6),
    DenyReason.DUPLICATE_ORDER_ID: _after(World.new, order_id=1),
    DenyReason.UNKNOWN_ORDER: lambda: World().gate.check_cancel(0, "a", 5, 0),
    DenyReason.OPEN_ORDERS: lambda: World(limits(max_open_orders=0)).ask(),
    DenyReason.BAD_VENUE: lambda: World().ask(venue_id=2),
    DenyReason.INSTRUMENT_NOT_ALLOWED: lambda: World().ask(symbol_idx=1),
    DenyReason.ORDER_TYPE_NOT_ALLOWED: lambda: World(limits(order_types=0b11110)).ask(),
    DenyReason.UNKNOWN_POOL: lambda: World().ask(pool_idx=1),
    DenyReason.NOT_SUPPORTED: lambda: World().gate.check_kind(0, 4, 0),
    DenyReason.VENUE_NOT_READY: _after(lambda world: setattr(world.link, "system", "maintenance")),
    DenyReason.STALE_MARKET_DATA: _after(lambda world: setattr(world.link, "last_ns", -1)),
    DenyReason.BOOK_DESYNC: _after(lambda world: world.books[0].invalidate("checksum")),
    DenyReason.CROSSED_BOOK: _after(_crossed),
    DenyReason.STALE_VENUE: _after(
        lambda world: setattr(world.links[1], "last_ns", -1), lambda: World(away=True), venue_id=2
    ),
    DenyReason.STALE_MARK: _after(_unmarked, lambda: World(instruments=(FINE, ETHER))),
    DenyReason.RATE_LIMIT: lambda: World(limits(max_order_rate=0)).ask(),
    DenyReason.DUPLICATE_ORDER: lambda: World(limits(max_duplicates=0)).ask(),
    DenyReason.REPEAT_EXECUTION: _after(_latched, lambda: World(limits(max_repeats=0))),
    DenyReason.PRICE_COLLAR: lambda: World(limits(price_collar_bps=0)).ask(px_1e9=px(101)),
    DenyReason.PRICE_COLLAR_WINDOW: lambda: World(limits(collar_window_bps=0)).ask(px_1e9=px(101)),
    DenyReason.MAX_ORDER_QTY: lambda: World(limits(max_order_qty_1e8=1)).ask(),
    DenyReason.MAX_ORDER_NOTIONAL: lambda: World(limits(max_order_notional_1e9=usd(1))).ask(),
    DenyReason.CAPITAL_LIMIT: lambda: World(limits(max_capital_1e9=usd(1))).ask(),
    DenyReason.MAX_POSITION: lambda: World(limits(max_position_1e8=0)).ask(),
    DenyReason.CANARY_LIMIT: lambda: World(CANARY).ask(),
    DenyReason.DAILY_LOSS: _after(_latched, lambda: World(limits(max_daily_loss_1e9=0))),
    DenyReason.DRAWDOWN: _after(_latched, lambda: World(limits(max_drawdown_1e9=0))),
    DenyReason.SELF_TRADE: _after(World.new, side=-1),
    DenyReason.INSUFFICIENT_BALANCE: lambda: World(balances=MONEY).ask(qty_1e8=qty(10) + 1),
}


@pytest.mark.parametrize("reason", DenyReason)
def test_every_reason_is_reached_and_carries_its_code(reason: DenyReason) -> None:
    denied = ACTIONS[reason]()
    assert isinstance(denied, Denied)
    assert denied.reason is reason
    assert denied.code == CODES[reason]
    assert denied.rule


def test_every_reason_has_one_meaning_of_its_own_and_a_code_of_ours() -> None:
    assert set(REASONS) == set(DenyReason) == set(CODES)
    assert len({meaning.text for meaning in REASONS.values()}) == len(REASONS)
    assert {meaning.code for meaning in REASONS.values()} <= {code for code in RejectCode if code >= RejectCode.RISK}


@pytest.mark.parametrize("reason", DenyReason)
def test_every_meaning_is_whole(reason: DenyReason) -> None:
    """A code, a category, texts, settings: each of its own type (a record does not look at what it is made of)."""
    meaning = REASONS[reason]
    assert msgspec.json.decode(msgspec.json.encode(meaning), type=Meaning) == meaning
    assert isinstance(meaning.category, Category)
    assert meaning.text[0].islower() and meaning.control
    assert all(key and key == key.lower() for key in meaning.config_keys)


RULES = {
    DenyReason.RISK_STATE_UNKNOWN: "inputs raised LookupError: instrument metadata is missing",
    DenyReason.KILL_SWITCH: "all is HALTED",
    DenyReason.NOT_RECONCILED: "kraken is not reconciled yet",
    DenyReason.POSITION_DRIFT: "position: ours, the venue's (1e-8)",
    DenyReason.REDUCE_ONLY: "all is REDUCING (1e-8)",
    DenyReason.INVALID_ORDER: "side is +1 or -1",
    DenyReason.OFF_GRID: "quantity is a multiple of the lot (1e-8)",
    DenyReason.BELOW_MINIMUM: "venue's least quantity (1e-8)",
    DenyReason.DUPLICATE_ORDER_ID: "order id is still open",
    DenyReason.UNKNOWN_ORDER: "no open order with this id",
    DenyReason.OPEN_ORDERS: "open orders of one algo",
    DenyReason.BAD_VENUE: "venue ids of this instance",
    DenyReason.INSTRUMENT_NOT_ALLOWED: "symbol index",
    DenyReason.ORDER_TYPE_NOT_ALLOWED: "order types, a bit each",
    DenyReason.UNKNOWN_POOL: "pool_idx is a slot of PoolBooks, plus one",
    DenyReason.NOT_SUPPORTED: "action kind: 0 new, 1 cancel, 2 amend, 3 intent",
    DenyReason.VENUE_NOT_READY: "venue or instrument is maintenance",
    DenyReason.STALE_MARKET_DATA: "link is down (ns)",
    DenyReason.BOOK_DESYNC: "book is invalid: checksum",
    DenyReason.CROSSED_BOOK: "book is crossed (1e-9)",
    DenyReason.STALE_VENUE: "link is down (ns)",
    DenyReason.STALE_MARK: "age of the last mark of kraken:ETH/USD (ns)",
    DenyReason.RATE_LIMIT: "messages in a rolling second",
    DenyReason.DUPLICATE_ORDER: "equal orders in the window",
    DenyReason.REPEAT_EXECUTION: "orders that traded in one direction, latched",
    DenyReason.PRICE_COLLAR: "distance from the mid (bps)",
    DenyReason.PRICE_COLLAR_WINDOW: "distance from a mid of the window (bps)",
    DenyReason.MAX_ORDER_QTY: "order quantity (1e-8)",
    DenyReason.MAX_ORDER_NOTIONAL: "order notional (1e-9)",
    DenyReason.CAPITAL_LIMIT: "capital in USD (1e-9)",
    DenyReason.MAX_POSITION: "position with open orders filled (1e-8)",
    DenyReason.CANARY_LIMIT: "orders of a canary",
    DenyReason.DAILY_LOSS: "loss in USD since 00:00 UTC, latched (1e-9)",
    DenyReason.DRAWDOWN: "below the day's best in USD, latched (1e-9)",
    DenyReason.SELF_TRADE: "price of an own order on the other side (1e-9)",
    DenyReason.INSUFFICIENT_BALANCE: "USD that is missing (1e-8)",
}


@pytest.mark.parametrize("reason", DenyReason)
def test_what_a_person_reads_says_what_was_compared_at_which_scale(reason: DenyReason) -> None:
    denied = ACTIONS[reason]()
    assert isinstance(denied, Denied)
    assert denied.rule == RULES[reason]


@pytest.mark.parametrize(
    ("order", "rule"),
    [
        ({"side": 2}, "side is +1 or -1"),
        ({"order_type": 5}, "order_type is 0 … 4"),
        ({"qty_1e8": 0}, "quantity is positive (1e-8)"),
        ({"qty_1e8": 2**62 + 1}, "quantity is positive (1e-8)"),
        ({"px_1e9": 0}, "a price is positive (1e-9)"),
    ],
)
def test_what_is_no_order_says_why(order: dict[str, int], rule: str) -> None:
    denied = World().denied(DenyReason.INVALID_ORDER, **order)
    (given,) = order.values()
    assert (denied.rule, denied.observed) == (rule, given)
    assert denied.limit == {2: 1, 5: 4, 0: 2**62 if "qty_1e8" in order else 1}.get(given, 2**62)


def test_capital_of_what_has_no_mark_is_beyond_every_limit() -> None:
    world = World(limits(max_capital_1e9=usd(10**6)), (FINE, ETHER))
    world.gate.account.marks[1].mid_sum_1e9 = 0
    world.new(symbol_idx=1, px_1e9=px(100))
    denied = world.denied(DenyReason.CAPITAL_LIMIT)
    assert (denied.limit, denied.observed, denied.headroom) == (usd(10**6), OBSERVED_MAX, 0)


def test_nothing_is_refused_where_nothing_is_wrong() -> None:
    """The denials above are theirs, not this world's."""
    assert isinstance(World().ask(), Approved)


@pytest.mark.parametrize("amount", [2**63, 2**200, -(2**63), -(2**200), OBSERVED_MAX, -OBSERVED_MAX, 0, 5])
def test_a_record_of_any_amount_can_be_encoded(amount: int) -> None:
    denied = Denied(DenyReason.MAX_POSITION, bounded(amount), bounded(amount), "rule")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(denied), type=Denied) == denied
    assert bounded(amount) == amount or abs(bounded(amount)) == OBSERVED_MAX < abs(amount)
