"""The order of the checks (docs/gate.md): one function, one reason. A check that raises is a denial (`gate.py`)."""

from collections.abc import Callable

from risk.case import Case
from risk.checks_limits import (
    check_balance,
    check_canary,
    check_capital,
    check_collar,
    check_collar_window,
    check_daily_loss,
    check_drawdown,
    check_duplicate,
    check_notional,
    check_order_rate,
    check_position,
    check_quantity,
    check_repeats,
    check_self_trade,
)
from risk.checks_order import (
    check_book,
    check_crossed,
    check_drift,
    check_grid,
    check_instrument,
    check_link,
    check_marks,
    check_minimum,
    check_open_orders,
    check_order_type,
    check_reconciled,
    check_reduce_only,
    check_state,
    check_supported,
    check_venue_data,
    check_venue_ready,
    check_well_formed,
)
from risk.denial import Denied, DenyReason
from risk.market import Link, Market
from risk.windows import Window

__all__ = ["CHECKS", "REASON_OF", "Case", "Check", "Link", "Market", "Window"]

Check = Callable[[Case], Denied | None]

REASON_OF: dict[Check, DenyReason] = {
    check_state: DenyReason.KILL_SWITCH,
    check_reconciled: DenyReason.NOT_RECONCILED,
    check_drift: DenyReason.POSITION_DRIFT,
    check_well_formed: DenyReason.INVALID_ORDER,
    check_reduce_only: DenyReason.REDUCE_ONLY,
    check_instrument: DenyReason.INSTRUMENT_NOT_ALLOWED,
    check_order_type: DenyReason.ORDER_TYPE_NOT_ALLOWED,
    check_grid: DenyReason.OFF_GRID,
    check_open_orders: DenyReason.OPEN_ORDERS,
    check_supported: DenyReason.NOT_SUPPORTED,
    check_venue_ready: DenyReason.VENUE_NOT_READY,
    check_link: DenyReason.STALE_MARKET_DATA,
    check_book: DenyReason.BOOK_DESYNC,
    check_crossed: DenyReason.CROSSED_BOOK,
    check_venue_data: DenyReason.STALE_VENUE,
    check_marks: DenyReason.STALE_MARK,
    check_minimum: DenyReason.BELOW_MINIMUM,
    check_order_rate: DenyReason.RATE_LIMIT,
    check_duplicate: DenyReason.DUPLICATE_ORDER,
    check_repeats: DenyReason.REPEAT_EXECUTION,
    check_collar: DenyReason.PRICE_COLLAR,
    check_collar_window: DenyReason.PRICE_COLLAR_WINDOW,
    check_quantity: DenyReason.MAX_ORDER_QTY,
    check_notional: DenyReason.MAX_ORDER_NOTIONAL,
    check_capital: DenyReason.CAPITAL_LIMIT,
    check_position: DenyReason.MAX_POSITION,
    check_canary: DenyReason.CANARY_LIMIT,
    check_daily_loss: DenyReason.DAILY_LOSS,
    check_drawdown: DenyReason.DRAWDOWN,
    check_self_trade: DenyReason.SELF_TRADE,
    check_balance: DenyReason.INSUFFICIENT_BALANCE,
}
"""What each denies with, in the order in which they run."""

CHECKS: tuple[Check, ...] = tuple(REASON_OF)
