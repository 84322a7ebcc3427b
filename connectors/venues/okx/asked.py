"""What bytes on their way to OKX ask it for, read from OKX's documentation and from nothing of ours.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-place-order and the pages beside it. The tap compares this
with what the gate approved, so whatever these lines do not understand in full comes out as something that nobody
approves. What an approval says nothing about, and what can only keep an order from being placed, is read and let be:
`expTime`, `stpMode`, `banAmend`. Requests of HTTP are read in asked_rest.py.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import Number, strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled
from connectors.venues.okx.asked_plain import plain
from connectors.venues.okx.asked_rest import asked_rest

Params = Mapping[str, Any]

_TYPES: Final = {
    "limit": OrderType.LIMIT,
    "market": OrderType.MARKET,
    "ioc": OrderType.IOC,
    "fok": OrderType.FOK,
    "post_only": OrderType.POST_ONLY,
}
_SIDES: Final = {"buy": 1, "sell": -1}
_STP_MODES: Final = frozenset({"cancel_maker", "cancel_taker", "cancel_both"})
_ENVELOPE: Final = frozenset({"id", "op", "args"})
_MARKET: Final = frozenset({"instIdCode", "instId"})
_NEW: Final = _MARKET | {"tdMode", "side", "ordType", "px", "sz", "clOrdId", "tgtCcy", "stpMode", "banAmend"}
_AMEND: Final = _MARKET | {"clOrdId", "newPx", "newSz", "reqId"}
_CANCEL: Final = _MARKET | {"clOrdId"}
_LOGIN: Final = frozenset({"apiKey", "passphrase", "timestamp", "sign"})
# what subscriptions of any channel may say; none of it can move an order
_CHANNEL: Final = frozenset({"channel", "instId", "instType", "instFamily", "ccy", "extraParams"})
# a tag of eight characters, or in replays of others' recordings of two, and a number
_OURS: Final = re.compile(r"(vg(?:[0-9a-z]{6})(?=[0-9])|vg(?=[0-9]{1,6}\Z))([0-9]+)")
_BATCH_MAX: Final = 20

_exact = lru_cache(1024)(scaled)  # the same sizes and prices come again and again


def asked(data: bytes) -> list[Asked]:
    """Every order, amend or cancel in one message; nothing for one that asks for none. Raises ValueError."""
    found = plain(data)
    return [found] if found is not None else strictly(data)


def strictly(data: bytes) -> list[Asked]:
    """The same, of whatever form."""
    if data == b"ping":
        return []
    if data[:1] != b"{":  # no JSON: of HTTP, which says path and body
        return asked_rest(data, body_of)
    message = strict_object(data)
    op = _text(message, "op")
    read = _OPS.get(op)
    if read is None:
        return [Asked(op)]
    kind, known, most, reader = read
    envelope = _ENVELOPE | {"expTime"} if kind else _ENVELOPE
    if not message.keys() <= envelope:
        return [_with(op, message.keys() - envelope)]
    if "expTime" in message:
        _time(message, "expTime")
    args = message.get("args")
    if not isinstance(args, list) or not 1 <= len(args) <= most or not all(isinstance(one, dict) for one in args):
        raise unread(f"args of {op} is no list of up to {most} objects")
    for one in args:
        if not one.keys() <= known:
            return [_with(op, one.keys() - known)]
    return [reader(op, one) for one in args] if reader else []


def body_of(op: str, body: bytes) -> list[Asked]:
    """The same of an order's request over HTTP, whose body is what the socket has in `args`."""
    kind, known, _, reader = _OPS[op]
    one = strict_object(body)
    if not kind or reader is None or not one.keys() <= known:
        return [_with(op, one.keys() - known)]
    return [reader(op, one)]


# --- one op each ------------------------------------------------------------------------------------------------------


def _new(op: str, order: Params) -> Asked:
    """An order of a type that a guest knows, in cash, of so much of the base currency."""
    order_type = _TYPES.get(_text(order, "ordType"))
    if order_type is None or order.get("tdMode") != "cash":
        return Asked(f"{op} with {order['ordType']!s:.40} {order.get('tdMode')!s:.40}")
    side = _SIDES.get(_text(order, "side"))
    if side is None:
        raise unread(f"side {order['side']!r:.40} is neither buy nor sell")
    is_market = order_type is OrderType.MARKET
    if is_market and "px" in order:
        return _with(op, {"px"})
    # a market order's size is of the quote where it buys and nothing is said; of other orders always of the base
    unit = order.get("tgtCcy", "quote_ccy" if is_market and side > 0 else "base_ccy")
    if unit != "base_ccy" or ("tgtCcy" in order and not is_market):
        return Asked(f"{op} with a size of {unit!s:.40}")
    if order.get("stpMode", "cancel_maker") not in _STP_MODES:
        raise unread(f"stpMode {order['stpMode']!r:.40} is not one of OKX's")
    if order.get("banAmend", True) is not True:
        raise unread("banAmend is not true")
    price = 0 if is_market else _number(order, "px", PRICE_DECIMALS)
    size = _number(order, "sz", SIZE_DECIMALS)
    return Asked("new", _name(order), _market(order), side, price, size, int(order_type))


def _amend(op: str, order: Params) -> Asked:
    del op
    if "reqId" in order:
        _text(order, "reqId")
    price, size = _number(order, "newPx", PRICE_DECIMALS), _number(order, "newSz", SIZE_DECIMALS)
    return Asked("amend", _name(order), _market(order), px_1e9=price, qty_1e8=size)


def _cancel(op: str, order: Params) -> Asked:
    del op
    return Asked("cancel", _name(order), _market(order))


# op → whether it may carry expTime, what one of its args may say, how many there may be, who reads one
_OPS: Final[Mapping[str, tuple[bool, frozenset[str], int, Callable[[str, Params], Asked] | None]]] = {
    "subscribe": (False, _CHANNEL, 1000, None),
    "unsubscribe": (False, _CHANNEL, 1000, None),
    "login": (False, _LOGIN, 1, None),
    "order": (True, _NEW, 1, _new),
    "batch-orders": (True, _NEW, _BATCH_MAX, _new),
    "amend-order": (True, _AMEND, 1, _amend),
    "batch-amend-orders": (True, _AMEND, _BATCH_MAX, _amend),
    "cancel-order": (True, _CANCEL, 1, _cancel),
    "batch-cancel-orders": (True, _CANCEL, _BATCH_MAX, _cancel),
}


# --- parts ------------------------------------------------------------------------------------------------------------


def _with(op: str, fields: Iterable[str]) -> Asked:
    """What this does is changed by fields that an approval says nothing about."""
    return Asked(f"{op} with {', '.join(sorted(fields))}")


def _name(order: Params) -> str:
    """Our id, with the hyphen that OKX does not take."""
    found = _text(order, "clOrdId") if "clOrdId" in order else ""
    ours = _OURS.fullmatch(found)
    return f"{ours[1]}-{ours[2]}" if ours is not None else found


def _market(order: Params) -> str:
    """The code, an integer, or the name; one of them."""
    if "instIdCode" not in order:
        return _text(order, "instId")
    code = order["instIdCode"]
    if "instId" in order or not isinstance(code, Number) or not code.isdigit():
        raise unread("instIdCode is no whole number, or stands beside an instId")
    return str(code)


def _text(params: Params, name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or isinstance(found, Number):
        raise unread(f"{name} is no text")
    return found


def _number(params: Params, name: str, decimals: int) -> int:
    found = _text(params, name)
    try:
        return _exact(found, decimals)
    except NumberError as error:
        raise unread(f"{name}: {error}") from error


def _time(params: Params, name: str) -> None:
    """Well-formed, or nobody knows until when OKX may act."""
    found = _text(params, name)
    if not found.isascii() or not found.isdigit() or len(found) != 13:
        raise unread(f"{name} is no time in milliseconds")
