"""What a call of the hosted exchange asks for, read from the bytes alone and from nothing of the encoder.

The calls are our own (`runtime/hosted/calls.py` carries them out), named as ccxt names its unified methods. Every other
byte that leaves here asks for no order.
"""

import re
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled

_HEAD: Final = re.compile(rb"[0-9]+ (?:POST |GET )?/([a-z_]+)")
_QUESTIONS: Final = frozenset(
    {"fetch_balance", "fetch_open_orders", "fetch_closed_orders", "fetch_orders", "fetch_my_trades", "fetch_order"}
)
_SIDES: Final = {"buy": 1, "sell": -1}
_LIMITS: Final = {
    ("GTC", False): OrderType.LIMIT, ("IOC", False): OrderType.IOC, ("FOK", False): OrderType.FOK,
    ("", True): OrderType.POST_ONLY,
}  # fmt: skip


def asked(data: bytes) -> list[Asked]:
    """One order, amend or cancel; nothing for a question or a subscription. Raises ValueError."""
    head, newline, body = data.partition(b"\n")
    if not newline:
        return _watched(strict_object(data))
    match = _HEAD.fullmatch(head)
    if match is None:
        raise unread("no call: <id> POST /<method>, a newline, the arguments")
    method = match[1].decode()
    if method in _QUESTIONS:
        return []
    call = strict_object(body)
    if method == "create_order":
        return [_new(call)]
    if method == "cancel_order":
        _only(call, {"id", "symbol"})
        return [Asked("cancel", symbol=_text(call, "symbol"), venue_order_id=_text(call, "id"))]
    if method == "edit_order":
        _only(call, {"id", "symbol", "type", "side", "amount", "price"})
        px, qty = _amount(call, "price", PRICE_DECIMALS), _amount(call, "amount", SIZE_DECIMALS)
        symbol = _text(call, "symbol")
        return [Asked("amend", symbol=symbol, px_1e9=px, qty_1e8=qty, venue_order_id=_text(call, "id"))]
    return [Asked(method)]


def _watched(message: dict[str, Any]) -> list[Asked]:
    if message.get("op") not in ("markets", "watch"):
        raise unread("neither a call nor a subscription")
    return []


def _new(call: dict[str, Any]) -> Asked:
    _only(call, {"symbol", "type", "side", "amount", "price", "params"})
    params = call.get("params")
    if not isinstance(params, dict):
        raise unread("an order without params")
    name = _text(params, "clientOrderId")
    terms = str(params.get("timeInForce", "")), params.get("postOnly", False)
    side = _SIDES.get(_text(call, "side"))
    if side is None or len(params) > 2:
        raise unread("another side, or other params, than an order has")
    px, kind = 0, OrderType.MARKET
    if _text(call, "type") == "limit":
        found = _LIMITS.get(terms) if terms[1] in (True, False) else None
        if found is None:
            raise unread("terms that no order of ours has")
        px, kind = _amount(call, "price", PRICE_DECIMALS), found
    elif call["type"] != "market" or "price" in call or len(params) > 1:
        raise unread("neither a limit nor a market order")
    qty = _amount(call, "amount", SIZE_DECIMALS)
    return Asked("new", name, _text(call, "symbol"), side, px, qty, int(kind))


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if type(value) is not str or not value:  # the strict reader's numbers are texts, too
        raise unread(f"{name} is no text")
    return value


def _amount(found: dict[str, Any], name: str, decimals: int) -> int:
    try:
        return scaled(_text(found, name), decimals)
    except NumberError as error:
        raise unread(str(error)) from None


def _only(call: dict[str, Any], names: set[str]) -> None:
    if more := call.keys() - names:
        raise unread(f"{', '.join(sorted(more))} is not asked for by anybody here")
