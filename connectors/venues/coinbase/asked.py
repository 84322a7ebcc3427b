"""What bytes on their way to Coinbase ask it for, read from Coinbase's documentation and from nothing of ours.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order and the pages beside it. The
tap compares this with what the gate approved, so whatever these lines do not understand in full comes out as something
that nobody approves. Two kinds of bytes leave: requests of REST, `<id> <method> <path>` over a body of JSON, and
messages for sockets, which can only subscribe.

Cancels and edits name orders by Coinbase's own ids. Those are UUIDs; an id of our own form in that place, as the paper
venue has it, is read as ours.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import Number, strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled

_HEAD: Final = re.compile(
    rb"[1-9][0-9]{0,17}(?: (GET|POST|DELETE))? (/api/v3/brokerage(/[a-z_]+(?:/[A-Za-z0-9_.-]+)*))(?: [+-][0-9]{1,9})?"
)
# questions: whatever they say, no order moves
_QUESTIONS: Final = re.compile(
    r"/(?:time|key_permissions|accounts|products|market/products|best_bid_ask|transaction_summary"
    r"|orders/historical/(?:batch|fills|[0-9A-Za-z-]+)|(?:market/)?products/[A-Z0-9-]+|accounts/[0-9A-Za-z-]+)"
)
_NUMBER: Final = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_OURS: Final = re.compile(r"vg[0-9a-z]{6}-[0-9]+")
_SIDES: Final = {"BUY": 1, "SELL": -1}
_ORDER: Final = frozenset({"client_order_id", "product_id", "side", "order_configuration"})
# each configuration as one of the types that a guest knows; limit_limit_gtc has two
_FORMS: Final = {
    "market_market_ioc": OrderType.MARKET,
    "limit_limit_gtc": OrderType.LIMIT,
    "sor_limit_ioc": OrderType.IOC,
    "limit_limit_fok": OrderType.FOK,
}
_SOCKET: Final = frozenset({"type", "channel", "product_ids", "jwt"})

Fields = Mapping[str, Any]


def asked(data: bytes) -> list[Asked]:
    """Every order, edit or cancel in these bytes; nothing for those that ask for none. Raises ValueError."""
    if data.lstrip()[:1] == b"{":
        return _message(strict_object(data))
    head, newline, body = data.partition(b"\n")
    match = _HEAD.fullmatch(head)
    if match is None or not newline:
        raise unread("no REST request: <id> <method> /api/v3/brokerage/<name>, a newline, the body")
    method, path = (match[1] or b"POST").decode(), match[3].decode()
    if method == "GET":
        return [] if _QUESTIONS.fullmatch(path) is not None else [Asked(f"GET {path}")]
    if method != "POST" or path not in ("/orders", "/orders/edit", "/orders/batch_cancel"):
        return [Asked(f"{method} {path}")]
    fields = strict_object(body)
    if path == "/orders":
        return [_new(fields)]
    return [_edit(fields)] if path == "/orders/edit" else _cancels(fields)


def _message(message: Fields) -> list[Asked]:
    kind = _text(message, "type")
    if kind not in ("subscribe", "unsubscribe"):
        return [Asked(kind)]
    if not message.keys() <= _SOCKET:
        return [_with(kind, message.keys() - _SOCKET)]
    _text(message, "channel")
    return []


def _new(order: Fields) -> Asked:
    if not order.keys() <= _ORDER:
        return _with("order", order.keys() - _ORDER)
    name, product, side = _text(order, "client_order_id"), _text(order, "product_id"), _text(order, "side")
    if side not in _SIDES:
        raise unread(f"side {side:.40} is neither BUY nor SELL")
    configuration = order.get("order_configuration")
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise unread("order_configuration is not one object of one form")
    ((form, terms),) = configuration.items()
    if form not in _FORMS:
        return Asked(f"order {form}")
    if not isinstance(terms, dict):
        raise unread(f"{form} is no object")
    order_type = _FORMS[form]
    known = {"base_size"} if order_type is OrderType.MARKET else {"base_size", "limit_price"}
    if order_type is OrderType.LIMIT:
        known.add("post_only")
        post_only = terms.get("post_only", False)
        if not isinstance(post_only, bool):
            raise unread("post_only is neither true nor false")
        order_type = OrderType.POST_ONLY if post_only else order_type
    if not terms.keys() <= known:
        return _with(f"order {form}", terms.keys() - known)
    price = 0 if order_type is OrderType.MARKET else _number(terms, "limit_price", PRICE_DECIMALS)
    size = _number(terms, "base_size", SIZE_DECIMALS)
    return Asked("new", name, product, _SIDES[side], price, size, int(order_type))


def _edit(edit: Fields) -> Asked:
    strange = edit.keys() - {"order_id", "price", "size"}
    if strange:
        return _with("edit", strange)
    price, size = _number(edit, "price", PRICE_DECIMALS), _number(edit, "size", SIZE_DECIMALS)
    ours, theirs = _whose(_text(edit, "order_id"))
    return Asked("amend", ours, px_1e9=price, qty_1e8=size, venue_order_id=theirs)


def _cancels(fields: Fields) -> list[Asked]:
    strange = fields.keys() - {"order_ids"}
    if strange:
        return [_with("batch_cancel", strange)]
    names = fields.get("order_ids")
    if not isinstance(names, list) or not names:
        raise unread("order_ids is no list of at least one")
    if not all(isinstance(name, str) and not isinstance(name, Number) and name for name in names):
        raise unread("order_ids holds what is no text")
    return [Asked("cancel", ours, venue_order_id=theirs) for ours, theirs in map(_whose, names)]


def _whose(name: str) -> tuple[str, str]:
    """(ours, the venue's): one of them."""
    return (name, "") if _OURS.fullmatch(name) is not None else ("", name)


def _with(what: str, fields: Iterable[str]) -> Asked:
    """What this does is changed by fields that an approval says nothing about."""
    return Asked(f"{what} with {', '.join(sorted(fields))}")


def _text(fields: Fields, name: str) -> str:
    found = fields.get(name)
    if not isinstance(found, str) or isinstance(found, Number) or not found:
        raise unread(f"{name} is no text")
    return found


def _number(fields: Fields, name: str, decimals: int) -> int:
    text = _text(fields, name)
    if _NUMBER.fullmatch(text) is None:
        raise unread(f"{name} is no plain number: {text!r:.40}")
    try:
        return scaled(text, decimals)
    except NumberError as error:
        raise unread(f"{name}: {error}") from error
