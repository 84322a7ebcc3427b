"""Every control that has a limit, as a situation in which exactly so much is observed.

`Control.observed(side)` is what the gate sees of the last action of `act`: with a limit of one unit less it refuses
(or latches, or halts), with the limit itself and one unit more it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from connectors.orders import Approved
from risk.denial import Denied, DenyReason
from tests.risk.world import SECOND, World, px, qty, usd

Where = dict[str, int]
BEYOND = {1: px(101), -1: px(99)}  # 100 bps from the mid, on the side's far side of the touch
DEARER = {1: px(101), -1: px("99.9")}  # the dearer of that and the touch
MOVE = {1: ("101.9", "102.1"), -1: ("97.9", "98.1")}  # a book 200 bps away


class Control(NamedTuple):
    """`observed`: at the limit's own unit. `act`: what is asked of a world for that side, and where."""

    key: str
    reason: DenyReason
    observed: Callable[[int], int]
    act: Callable[[World, int, Where], object]
    scopes: str = "each"  # each: every kind of scope; algos; account; canary


def _ask(world: World, side: int, where: Where, **order: Any) -> object:
    return world.ask(**{"side": side, "qty_1e8": qty(2), "px_1e9": BEYOND[side], **where, **order})


def _one(world: World, side: int, where: Where) -> object:
    return _ask(world, side, where)


def _stacked(world: World, side: int, where: Where) -> object:
    """3 held, 4 open, 2 asked for."""
    world.fill(world.new(side=side, qty_1e8=qty(3), px_1e9=px(100), **where))
    world.new(side=side, qty_1e8=qty(4), px_1e9=px(100), **where)
    return _ask(world, side, where)


def _moved(world: World, side: int, where: Where) -> object:
    """The mid was 100 at first and is 102 now (98 for a sell), where the order is."""
    world.later()
    index = market_of(world, where)
    world.show(*MOVE[side], index)
    return _ask(world, side, where, px_1e9=px(100 + 2 * side))


def _silent(world: World, side: int, where: Where) -> object:
    world.now += 3 * SECOND
    return _ask(world, side, where)


def _third(world: World, side: int, where: Where) -> object:
    """Of three messages within a second."""
    for _ in range(2):
        assert isinstance(world.ask(side=side, px_1e9=px(100) - side * px(1), **where), Approved)
        world.later(SECOND // 3)
    return _ask(world, side, where)


def _third_equal(world: World, side: int, where: Where) -> object:
    for _ in range(2):
        assert isinstance(_ask(world, side, where), Approved)
    world.later(SECOND - 1)
    return _ask(world, side, where)


def _third_cancel(world: World, side: int, where: Where) -> object:
    orders = [world.new(side=side, **where) for _ in range(3)]
    for order in orders[:2]:
        assert isinstance(world.cancel(order), Approved)
    world.later(SECOND - 1)
    return world.cancel(orders[2])


def _lost_10(world: World, side: int, where: Where) -> object:
    """10 dollars on 1, by the mark."""
    world.fill(world.new(side=side, px_1e9=px(100), **where))
    world.gate.mark(market_of(world, where), px(200) - side * px(20), world.now)
    return _ask(world, side, where)


def _third_traded(world: World, side: int, where: Where) -> object:
    for _ in range(3):
        world.fill(world.new(side=side, px_1e9=px(100), **where))
    return _ask(world, side, where)


def _third_refusal(world: World, side: int, where: Where) -> object:
    for _ in range(3):
        assert isinstance(world.ask(side=0, **where), Denied)
    return _ask(world, side, where)


def market_of(world: World, where: Where) -> int:
    """The market an order with these fields goes to."""
    found = world.gate.target(0, where.get("venue_id", 0), where.get("pool_idx", 0), where.get("symbol_idx", 0))
    assert isinstance(found, int)
    return found


CONTROLS = [
    Control("max_order_qty_1e8", DenyReason.MAX_ORDER_QTY, lambda _: qty(2), _one),
    Control("max_order_notional_1e9", DenyReason.MAX_ORDER_NOTIONAL, lambda side: 2 * DEARER[side], _one),
    Control("price_collar_bps", DenyReason.PRICE_COLLAR, lambda _: 100, _one),
    Control("collar_window_bps", DenyReason.PRICE_COLLAR_WINDOW, lambda _: 200, _moved),
    Control("max_book_age_ns", DenyReason.STALE_MARKET_DATA, lambda _: 3 * SECOND, _silent),
    Control("max_position_1e8", DenyReason.MAX_POSITION, lambda _: qty(9), _stacked),
    Control("max_capital_1e9", DenyReason.CAPITAL_LIMIT, lambda side: usd(902 if side > 0 else 900), _stacked),
    Control("max_order_rate", DenyReason.RATE_LIMIT, lambda _: 3, _third),
    Control("max_cancel_rate", DenyReason.RATE_LIMIT, lambda _: 3, _third_cancel),
    Control("max_daily_loss_1e9", DenyReason.DAILY_LOSS, lambda _: usd(10), _lost_10),
    Control("max_drawdown_1e9", DenyReason.DRAWDOWN, lambda _: usd(10), _lost_10),
    Control("max_open_orders", DenyReason.OPEN_ORDERS, lambda _: 3, _third, "algos"),
    Control("max_repeats", DenyReason.REPEAT_EXECUTION, lambda _: 3, _third_traded, "algos"),
    Control("max_refusals", DenyReason.KILL_SWITCH, lambda _: 3, _third_refusal, "algos"),
    Control("max_duplicates", DenyReason.DUPLICATE_ORDER, lambda _: 3, _third_equal, "account"),
    Control("max_order_notional_1e9", DenyReason.CANARY_LIMIT, lambda side: 2 * DEARER[side], _one, "canary"),
    Control("max_position_1e8", DenyReason.CANARY_LIMIT, lambda _: qty(9), _stacked, "canary"),
    Control("max_orders", DenyReason.CANARY_LIMIT, lambda _: 3, _third, "canary"),
]
