"""What bytes on their way to Bybit ask it for, read from Bybit's documentation and from nothing of ours.

https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline and …/v5/order/create-order. The tap compares this
with what the gate approved, so whatever these lines do not understand in full comes out as something that nobody
approves. What an approval says nothing about, and what can only keep an order from being placed, is read and let be:
the request's time and how long it is good, `smpType`. Requests of REST are read in asked_rest.py.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import Number, strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled
from connectors.venues.bybit.asked_plain import plain
from connectors.venues.bybit.asked_rest import asked_rest

# `orderType` and `timeInForce` (GTC where it is not said), as one of the types that a guest knows
_TYPES: Final = {
    ("Limit", "GTC"): OrderType.LIMIT,
    ("Limit", "PostOnly"): OrderType.POST_ONLY,
    ("Limit", "IOC"): OrderType.IOC,
    ("Limit", "FOK"): OrderType.FOK,
    ("Market", "GTC"): OrderType.MARKET,  # "Market order will always use IOC"
    ("Market", "IOC"): OrderType.MARKET,
}
_SIDES: Final = {"Buy": 1, "Sell": -1}
_SMP_TYPES: Final = frozenset({"None", "CancelMaker", "CancelTaker", "CancelBoth"})
_SOCKET: Final = frozenset({"subscribe", "unsubscribe", "ping"})  # none of it can move an order
_SOCKET_FIELDS: Final = frozenset({"req_id", "op", "args"})
_ENVELOPE: Final = frozenset({"reqId", "header", "op", "args"})
_HEADERS: Final = frozenset({"X-BAPI-TIMESTAMP", "X-BAPI-RECV-WINDOW"})
_ORDER: Final = frozenset(
    {"symbol", "side", "orderType", "qty", "price", "timeInForce", "marketUnit", "orderLinkId", "smpType"}
)
_AMEND: Final = frozenset({"category", "symbol", "orderLinkId", "qty", "price"})
_CANCEL: Final = frozenset({"category", "symbol", "orderLinkId"})
# a login is no JSON before its number is put in
_LOGIN: Final = re.compile(
    rb'\{(?:"req_id":"[0-9A-Za-z_-]{1,36}",|"reqId":"[0-9A-Za-z_-]{1,36}",)?"op":"auth",'
    rb'"args":\["\{secret:key\}",\{expires_ms(?::[+-]?[0-9]{1,12})?\},"\{sign\}"\]\}'
)
_MS: Final = re.compile(r"[0-9]{13}|\{time_ms(?::[+-]?[0-9]{1,12})?\}")
_WINDOW: Final = re.compile(r"[1-9][0-9]{0,4}")

Params = Mapping[str, Any]

_exact = lru_cache(1024)(scaled)  # the same sizes and prices come again and again


def asked(data: bytes) -> list[Asked]:
    """Every order, amend or cancel in one message; nothing for one that asks for none. Raises ValueError."""
    found = plain(data)
    return [found] if found is not None else strictly(data)


def strictly(data: bytes) -> list[Asked]:
    """The same, of whatever form."""
    if data.lstrip()[:1] not in b"{[":  # no JSON: of REST, which says path and form
        return asked_rest(data)
    if _LOGIN.fullmatch(data) is not None:
        return []
    message = strict_object(data)
    op = _text(message, "op")
    if op in _SOCKET:
        strange = message.keys() - _SOCKET_FIELDS
        return [_with(op, strange)] if strange else []
    read = _OPS.get(op)
    if read is None:
        return [Asked(op)]
    if not message.keys() <= _ENVELOPE:
        return [_with(op, message.keys() - _ENVELOPE)]
    headers = _read_header(message)
    if headers:
        return [_with(op, headers)]
    args = message.get("args")
    if not isinstance(args, list) or len(args) != 1 or not isinstance(args[0], dict):
        raise unread("args is no list of one object")
    if args[0].get("category") != "spot":
        return [Asked(f"{op} of category {args[0].get('category')!r:.20}")]
    return read(op, args[0])


def _read_header(message: Params) -> frozenset[str]:
    """When it was made and how long it is good, well-formed, or nobody knows until when Bybit may act."""
    header = message.get("header")
    if not isinstance(header, dict):
        raise unread("header is no object")
    if _MS.fullmatch(_text(header, "X-BAPI-TIMESTAMP")) is None:
        raise unread("X-BAPI-TIMESTAMP is no time in ms")
    if "X-BAPI-RECV-WINDOW" in header and _WINDOW.fullmatch(_text(header, "X-BAPI-RECV-WINDOW")) is None:
        raise unread("X-BAPI-RECV-WINDOW is no number of ms")
    return frozenset(header.keys() - _HEADERS)


# --- one operation each -----------------------------------------------------------------------------------------------


def _create(op: str, args: Params) -> list[Asked]:
    return [_new(op, args, _ORDER | {"category"})]


def _create_batch(op: str, args: Params) -> list[Asked]:
    strange = args.keys() - {"category", "request"}
    if strange:
        return [_with(op, strange)]
    orders = args.get("request")
    if not isinstance(orders, list) or not orders or not all(isinstance(one, dict) for one in orders):
        raise unread("request is no list of orders")
    return [_new(op, order, _ORDER) for order in orders]


def _amend(op: str, args: Params) -> list[Asked]:
    strange = args.keys() - _AMEND
    if strange:
        return [_with(op, strange)]
    name, symbol = _text(args, "orderLinkId"), _text(args, "symbol")
    return [Asked("amend", name, symbol, px_1e9=_price(args), qty_1e8=_size(args))]


def _cancel(op: str, args: Params) -> list[Asked]:
    strange = args.keys() - _CANCEL
    return [_with(op, strange)] if strange else [Asked("cancel", _text(args, "orderLinkId"), _text(args, "symbol"))]


_OPS: Final[Mapping[str, Callable[[str, Params], list[Asked]]]] = {
    "order.create": _create,
    "order.create-batch": _create_batch,
    "order.amend": _amend,
    "order.cancel": _cancel,
}


# --- parts ------------------------------------------------------------------------------------------------------------


def _new(op: str, order: Params, known: frozenset[str]) -> Asked:
    """An order of a type that a guest knows, with no field but those that are compared."""
    if not order.keys() <= known:
        return _with(op, order.keys() - known)
    kind, terms = _text(order, "orderType"), order.get("timeInForce", "GTC")
    order_type = _TYPES.get((kind, terms)) if isinstance(terms, str) else None
    if order_type is None:
        return Asked(f"{op} with {kind} {terms}")
    is_market = order_type is OrderType.MARKET
    if is_market and "price" in order:
        return _with(op, {"price"})
    if is_market and order.get("marketUnit") != "baseCoin":  # a size in money
        return Asked(f"{op} with marketUnit {order.get('marketUnit')!r:.20}")
    if not is_market and "marketUnit" in order:
        return _with(op, {"marketUnit"})
    if "smpType" in order and _text(order, "smpType") not in _SMP_TYPES:
        raise unread(f"smpType {order['smpType']!r:.40} is not one of Bybit's")
    side = _SIDES.get(_text(order, "side"))
    if side is None:
        raise unread(f"side {order['side']!r:.40} is neither Buy nor Sell")
    name = _text(order, "orderLinkId") if "orderLinkId" in order else ""
    price = 0 if is_market else _price(order)
    return Asked("new", name, _text(order, "symbol"), side, price, _size(order), int(order_type))


def _with(op: str, fields: Iterable[str]) -> Asked:
    """What this operation does is changed by fields that an approval says nothing about."""
    return Asked(f"{op} with {', '.join(sorted(fields))}")


def _text(params: Params, name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or isinstance(found, Number):
        raise unread(f"{name} is no text")
    return found


def _price(params: Params) -> int:
    return _number(params, "price", PRICE_DECIMALS)


def _size(params: Params) -> int:
    return _number(params, "qty", SIZE_DECIMALS)


def _number(params: Params, name: str, decimals: int) -> int:
    """Numbers are texts here."""
    try:
        return _exact(_text(params, name), decimals)
    except NumberError as error:
        raise unread(f"{name}: {error}") from error
