"""What bytes on their way to Binance ask it for, read from Binance's documentation and from nothing of ours.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-api/trading-requests. The tap compares this with
what the gate approved, so whatever these lines do not understand in full comes out as something that nobody approves.
What an approval says nothing about, and what can only keep an order from being placed, is read and let be: recvWindow,
newOrderRespType, selfTradePreventionMode, and what signs. Requests of HTTP are read in asked_rest.py.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import Number, strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled
from connectors.venues.binance.asked_plain import plain
from connectors.venues.binance.asked_rest import asked_rest

# `type` and `timeInForce` as one of the types that a guest knows
_TYPES: Final = {
    ("LIMIT", "GTC"): OrderType.LIMIT,
    ("LIMIT", "IOC"): OrderType.IOC,
    ("LIMIT", "FOK"): OrderType.FOK,
    ("LIMIT_MAKER", ""): OrderType.POST_ONLY,
    ("MARKET", ""): OrderType.MARKET,
}
_SIDES: Final = {"BUY": 1, "SELL": -1}
_SIGNED: Final = frozenset({"apiKey", "timestamp", "signature", "recvWindow"})
_NEW: Final = _SIGNED | {
    "symbol", "side", "type", "timeInForce", "price", "quantity", "newClientOrderId", "newOrderRespType",
    "selfTradePreventionMode",
}  # fmt: skip
_CANCEL: Final = _SIGNED | {"symbol", "origClientOrderId"}
_AMEND: Final = _CANCEL | {"newClientOrderId", "newQty"}
_RESPONSES: Final = frozenset({"ACK", "RESULT", "FULL"})
_STP_MODES: Final = frozenset({"NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"})
_WINDOW_MAX: Final = 60_000
# questions and subscriptions: whatever they say, no order moves
_QUIET: Final = frozenset(
    {"SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "ping", "time", "exchangeInfo", "session.status",
     "account.status", "account.rateLimits.orders", "openOrders.status", "order.status", "allOrders", "myTrades",
     "order.amendments", "userDataStream.subscribe.signature", "userDataStream.unsubscribe",
     "session.subscriptions"}
)  # fmt: skip
_ENVELOPE: Final = frozenset({"id", "method", "params"})

Params = Mapping[str, Any]

_exact = lru_cache(1024)(scaled)  # the same sizes and prices come again and again


def asked(data: bytes) -> list[Asked]:
    """Every order, amend or cancel in one message; nothing for one that asks for none. Raises ValueError."""
    found = plain(data)
    return [found] if found is not None else strictly(data)


def strictly(data: bytes) -> list[Asked]:
    """The same, of whatever form."""
    if data.lstrip()[:1] not in b"{[":  # no JSON: of HTTP, which says its path
        return asked_rest(data)
    message = strict_object(data)
    method = _text(message, "method")
    if method in _QUIET:
        return []
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise unread("params is no object")
    if not message.keys() <= _ENVELOPE:
        return [_with(method, message.keys() - _ENVELOPE)]
    if method in ("order.place", "order.test"):
        return [_new(method, params)]
    if method == "order.cancel":
        return [_cancel(method, params)]
    if method == "order.amend.keepPriority":
        return [_amend(method, params)]
    return [Asked(method, symbol=_text(params, "symbol") if "symbol" in params else "")]


def _new(method: str, params: Params) -> Asked:
    if not params.keys() <= _NEW:
        return _with(method, params.keys() - _NEW)
    kind = _text(params, "type")
    force = _text(params, "timeInForce") if "timeInForce" in params else ""
    order_type = _TYPES.get((kind, force))
    if order_type is None:
        return Asked(f"{method} with {kind} {force}".rstrip())
    is_market = order_type is OrderType.MARKET
    if is_market and "price" in params:
        return _with(method, {"price"})
    _read_window(params)
    if "newOrderRespType" in params and _text(params, "newOrderRespType") not in _RESPONSES:
        raise unread(f"newOrderRespType {params['newOrderRespType']!r:.40} is not one of Binance's")
    if "selfTradePreventionMode" in params and _text(params, "selfTradePreventionMode") not in _STP_MODES:
        raise unread(f"selfTradePreventionMode {params['selfTradePreventionMode']!r:.40} is not one of Binance's")
    side = _SIDES.get(_text(params, "side"))
    if side is None:
        raise unread(f"side {params['side']!r:.40} is neither BUY nor SELL")
    price = 0 if is_market else _number(params, "price", PRICE_DECIMALS)
    name = _text(params, "newClientOrderId") if "newClientOrderId" in params else ""
    size = _number(params, "quantity", SIZE_DECIMALS)
    return Asked("new", name, _text(params, "symbol"), side, price, size, int(order_type))


def _cancel(method: str, params: Params) -> Asked:
    if not params.keys() <= _CANCEL:
        return _with(method, params.keys() - _CANCEL)
    _read_window(params)
    return Asked("cancel", _text(params, "origClientOrderId"), _text(params, "symbol"))


def _amend(method: str, params: Params) -> Asked:
    """An amended order gets another client id unless it is given its own again."""
    if not params.keys() <= _AMEND:
        return _with(method, params.keys() - _AMEND)
    _read_window(params)
    name = _text(params, "origClientOrderId")
    if params.get("newClientOrderId") != name:
        return _with(method, {"another newClientOrderId"})
    return Asked("amend", name, _text(params, "symbol"), qty_1e8=_number(params, "newQty", SIZE_DECIMALS))


def _read_window(params: Params) -> None:
    """Well-formed, or nobody knows until when Binance may act."""
    if "recvWindow" in params:
        found = params["recvWindow"]
        if not (isinstance(found, str) and found.isascii() and found.isdigit() and int(found[:9]) <= _WINDOW_MAX):
            raise unread("recvWindow is no number of ms up to 60000")


def _with(method: str, fields: Iterable[str]) -> Asked:
    """What this method does is changed by fields that an approval says nothing about."""
    return Asked(f"{method} with {', '.join(sorted(fields))}")


def _text(params: Params, name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or isinstance(found, Number):
        raise unread(f"{name} is no text")
    return found


def _number(params: Params, name: str, decimals: int) -> int:
    """Of a text or a number: Binance reads both alike."""
    found = params.get(name)
    if not isinstance(found, str):
        raise unread(f"{name} is no number")
    try:
        return _exact(str(found), decimals)
    except NumberError as error:
        raise unread(f"{name}: {error}") from error
