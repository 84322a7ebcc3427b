"""Coinbase's words of orders and fills as what a trading session folds, and as what a look reads.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels#user-channel says what an
order is, cumulatively, and never one fill;
https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/list-fills has the fills. So fills are
told from that list alone, and the channel says when to ask for it (fills.py): a fill that was made up from two
cumulative states could not be known again in the list, and would count twice. `entry_id` names a fill; `trade_id` is
that of the trade, which may have two fills of one account.
"""

from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, Final

from connectors.errors import NumberError, WireError
from connectors.events import OrderStatus, RejectCode
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.orders import OrderType
from connectors.units import rfc3339_ns
from connectors.venues.coinbase.errors import classify
from connectors.venues.coinbase.names import Names
from connectors.venues.coinbase.private import Fill, ListedOrder, UserOrder, number

VENUE: Final = "coinbase"
_KINDS: Final[dict[str, Kind]] = {
    "PENDING": Kind.STATUS,  # not on the book yet
    "QUEUED": Kind.STATUS,
    "OPEN": Kind.STATE,
    "CANCEL_QUEUED": Kind.NEW,
    "EDIT_QUEUED": Kind.NEW,
    "FILLED": Kind.FILLED,
    "CANCELLED": Kind.CANCELED,
    "EXPIRED": Kind.EXPIRED,
    "FAILED": Kind.REJECTED,
}
_ENDED: Final = {
    "FILLED": OrderStatus.FILLED,
    "CANCELLED": OrderStatus.CANCELED,
    "EXPIRED": OrderStatus.EXPIRED,
    "FAILED": OrderStatus.CANCELED,
}
_TYPES: Final = {
    "market_market_ioc": OrderType.MARKET,
    "limit_limit_gtc": OrderType.LIMIT,
    "sor_limit_ioc": OrderType.IOC,
    "limit_limit_fok": OrderType.FOK,
}
_SIDES: Final = {"BUY": 1, "SELL": -1}
_ZERO: Final = Decimal(0)
_SIZES: Final = Decimal("1e-16")
_EXACT: Final = Context(prec=64, rounding=ROUND_DOWN)


def told_of(order: UserOrder, names: Names, ts_ns: int) -> Told:
    """What the channel says of one order. Raises WireError."""
    kind = _KINDS.get(order.status, order.status)
    cum, left, px = number(order.cumulative_quantity), number(order.leaves_quantity), number(order.limit_price)
    is_limit = order.order_type.lower() == "limit" and px is not None and px > 0
    # what is left is told of a living order, and of one that was sent in quote it is not in base
    total = _EXACT.add(cum, left) if kind is Kind.STATE and is_limit and cum is not None and left is not None else None
    is_refused = kind is Kind.REJECTED
    reason = order.reject_reason if is_refused and order.reject_reason else order.cancel_reason
    return Told(
        kind=kind, venue_id=order.order_id, name=order.client_order_id, symbol=names.symbol(order.product_id),
        side=_side(order.order_side), qty=total, px=px if is_limit else None, cum=cum, reason=reason,
        code=classify(reason).code if is_refused else RejectCode.UNKNOWN, ts_ns=ts_ns,
    )  # fmt: skip


def told_of_fill(fill: Fill, names: Names) -> Told:
    """One fill of the list; it does not say which of our ids the order has. Raises WireError."""
    if fill.trade_type != "FILL":
        raise WireError(f"fill {fill.entry_id or fill.trade_id} is a {fill.trade_type:.40}: a person should look")
    symbol = names.symbol(fill.product_id)
    size, px = _said(fill.size, "size"), _said(fill.price, "price")
    cost = None
    if fill.size_in_quote:
        if px <= 0:
            raise WireError(f"fill {fill.entry_id} of an amount of money without a price")
        cost, size = size, _EXACT.divide(size, px).quantize(_SIZES, context=_EXACT)
    commission, quote = number(fill.commission), symbol.partition("/")[2]
    return Told(
        kind=Kind.TRADE, venue_id=fill.order_id, is_named=False, symbol=symbol, side=_side(fill.side),
        exec_id=fill.entry_id or fill.trade_id, last_qty=size, last_px=px, cost=cost,
        fees=((quote, commission),) if quote and commission else (), ts_ns=rfc3339_ns(fill.trade_time),
    )  # fmt: skip


def record_of(order: ListedOrder, names: Names) -> RecordOrder:
    """One order of the list. What is neither ended nor known to live counts as living. Raises WireError."""
    form, terms = next(iter((order.order_configuration or {}).items()), ("", {}))
    order_type = int(_TYPES.get(form, OTHER_TYPE))
    if order_type == OrderType.LIMIT and terms.get("post_only") in (True, "true"):
        order_type = int(OrderType.POST_ONLY)
    cum = number(order.filled_size) or _ZERO
    qty, px = _term(terms, "base_size"), _term(terms, "limit_price")
    if order.edit_history:
        last = order.edit_history[-1]
        qty, px = number(last.size) or qty, number(last.price) or px
    reason = order.cancel_message or order.reject_message or ""
    return RecordOrder(
        venue_id=order.order_id, name=order.client_order_id or "", symbol=names.symbol(order.product_id),
        side=_side(order.side), order_type=order_type, qty=qty if qty is not None else cum, cum=cum,
        status=_ENDED.get(order.status, OrderStatus.OPEN), px=px or _ZERO, reason=reason,
        opened_ns=time_ns(order.created_time),
    )  # fmt: skip


def time_ns(text: str | None) -> int:
    """0: it is not said. Raises NumberError."""
    return rfc3339_ns(text) if text and not text.startswith("0001-") else 0


def _side(text: str) -> int:
    return _SIDES.get(text, 0)


def _said(text: str, what: str) -> Decimal:
    found = number(text)
    if found is None:
        raise NumberError(f"a fill without {what}")
    return found


def _term(terms: dict[str, Any], name: str) -> Decimal | None:
    """Some examples of the documentation have numbers there, where the schema says texts."""
    found = terms.get(name)
    return number(str(found)) if found is not None else None
