"""Every DenyReason has its meaning, its code, and an action that is refused for it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from connectors.events import RejectCode
from connectors.orders import Approved
from risk.denial import OBSERVED_MAX, REASONS, Denied, DenyReason, bounded
from tests.risk.world import FINE, World, limits, px, qty, usd

CODES = {
    DenyReason.RISK_STATE_UNKNOWN: 100,
    DenyReason.KILL_SWITCH: 102,
    DenyReason.REDUCE_ONLY: 100,
    DenyReason.INVALID_ORDER: 100,
    DenyReason.OFF_GRID: 100,
    DenyReason.BELOW_MINIMUM: 100,
    DenyReason.DUPLICATE_ORDER_ID: 100,
    DenyReason.UNKNOWN_ORDER: 100,
    DenyReason.OPEN_ORDERS: 100,
    DenyReason.BAD_VENUE: 105,
    DenyReason.INSTRUMENT_NOT_ALLOWED: 100,
    DenyReason.UNKNOWN_POOL: 100,
    DenyReason.NOT_SUPPORTED: 100,
    DenyReason.VENUE_NOT_READY: 100,
    DenyReason.STALE_MARKET_DATA: 100,
    DenyReason.STALE_VENUE: 106,
    DenyReason.RATE_LIMIT: 100,
    DenyReason.PRICE_COLLAR: 103,
    DenyReason.MAX_ORDER_NOTIONAL: 100,
    DenyReason.MAX_POSITION: 101,
    DenyReason.DAILY_LOSS: 104,
}


def _unknown_state() -> object:
    world = World(instruments=(None,))
    return world.ask()


def _kill_switch() -> object:
    world = World()
    world.gate.halt()
    return world.ask()


def _reduce_only() -> object:
    world = World()
    world.gate.reduce()
    return world.ask()


def _duplicate() -> object:
    world = World()
    return world.ask(order_id=world.new().order_id)


def _not_ready() -> object:
    world = World()
    world.link.system = "maintenance"
    return world.ask()


def _stale() -> object:
    world = World()
    world.link.last_ns = -1
    return world.ask()


def _stale_venue() -> object:
    world = World(away=True)
    world.markets[1].link.last_ns = -1
    return world.ask(venue_id=2)


def _daily_loss() -> object:
    world = World(limits(max_daily_loss_1e9=0))
    world.hold(1, qty(1))
    world.gate.mark(0, px(199))
    return world.ask()


ACTIONS: dict[DenyReason, Callable[[], object]] = {
    DenyReason.RISK_STATE_UNKNOWN: _unknown_state,
    DenyReason.KILL_SWITCH: _kill_switch,
    DenyReason.REDUCE_ONLY: _reduce_only,
    DenyReason.INVALID_ORDER: lambda: World().ask(side=0),
    DenyReason.OFF_GRID: lambda: World(instruments=(msgspec.structs.replace(FINE, lot_size_1e8=7),)).ask(qty_1e8=8),
    DenyReason.BELOW_MINIMUM: lambda: World(instruments=(msgspec.structs.replace(FINE, min_qty_1e8=7),)).ask(qty_1e8=6),
    DenyReason.DUPLICATE_ORDER_ID: _duplicate,
    DenyReason.UNKNOWN_ORDER: lambda: World().gate.check_cancel(0, "a", 5, 0),
    DenyReason.OPEN_ORDERS: lambda: World(limits(max_open_orders=0)).ask(),
    DenyReason.BAD_VENUE: lambda: World().ask(venue_id=2),
    DenyReason.INSTRUMENT_NOT_ALLOWED: lambda: World().ask(symbol_idx=1),
    DenyReason.UNKNOWN_POOL: lambda: World().ask(pool_idx=1),
    DenyReason.NOT_SUPPORTED: lambda: World().gate.check_kind(4),
    DenyReason.VENUE_NOT_READY: _not_ready,
    DenyReason.STALE_MARKET_DATA: _stale,
    DenyReason.STALE_VENUE: _stale_venue,
    DenyReason.RATE_LIMIT: lambda: World(limits(max_order_rate=0)).ask(),
    DenyReason.PRICE_COLLAR: lambda: World(limits(price_collar_bps=0)).ask(px_1e9=px(101)),
    DenyReason.MAX_ORDER_NOTIONAL: lambda: World(limits(max_order_notional_1e9=usd(1))).ask(),
    DenyReason.MAX_POSITION: lambda: World(limits(max_position_1e8=0)).ask(),
    DenyReason.DAILY_LOSS: _daily_loss,
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


def test_nothing_is_refused_where_nothing_is_wrong() -> None:
    """The denials above are theirs, not this world's."""
    assert isinstance(World().ask(), Approved)


@pytest.mark.parametrize("amount", [2**63, 2**200, -(2**63), -(2**200), OBSERVED_MAX, -OBSERVED_MAX, 0, 5])
def test_a_record_of_any_amount_can_be_encoded(amount: int) -> None:
    denied = Denied(DenyReason.MAX_POSITION, bounded(amount), bounded(amount), "rule")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(denied), type=Denied) == denied
    assert bounded(amount) == amount or abs(bounded(amount)) == OBSERVED_MAX < abs(amount)
