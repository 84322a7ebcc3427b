"""What bytes on their way to Kraken ask it for, read from Kraken's documentation and from nothing of ours.

https://docs.kraken.com/api/docs/websocket-v2/add_order and the pages beside it. The tap compares this with what the
gate approved, so whatever these lines do not understand in full comes out as something that nobody approves. What an
approval says nothing about, and what can only keep an order from being placed, is read and let be: `deadline`,
`stp_type`, `validate`. Requests of REST are read in asked_rest.py.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from connectors.errors import NumberError
from connectors.orders import Asked, OrderType
from connectors.strictjson import Number, strict_object, unread
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, rfc3339_ns, scaled
from connectors.venues.kraken.asked_plain import plain
from connectors.venues.kraken.asked_rest import asked_rest

# `order_type`, `time_in_force` (gtc where it is not said) and `post_only`, as one of the types that a guest knows
_TYPES: Final = {
    ("limit", "gtc", False): OrderType.LIMIT,
    ("limit", "gtc", True): OrderType.POST_ONLY,
    ("limit", "ioc", False): OrderType.IOC,
    ("limit", "fok", False): OrderType.FOK,
    ("market", "gtc", False): OrderType.MARKET,
}
_SIDES: Final = {"buy": 1, "sell": -1}
_ENVELOPE: Final = frozenset({"method", "params", "req_id"})
_ORDER: Final = frozenset({"order_type", "side", "order_qty", "limit_price", "time_in_force", "post_only", "cl_ord_id"})
_ORDER_HERE: Final = _ORDER | {"stp_type"}  # of one of a batch
_NEW: Final = _ORDER_HERE | {"symbol", "token", "deadline", "validate"}
_BATCH: Final = frozenset({"symbol", "orders", "token", "deadline", "validate"})
_AMEND: Final = frozenset({"cl_ord_id", "order_qty", "limit_price", "token", "deadline"})
_STP_TYPES: Final = frozenset({"cancel_newest", "cancel_oldest", "cancel_both"})
_TIMER_MAX: Final = 86_400  # seconds
# What subscriptions of any channel may say; none of it can move an order.
_CHANNEL: Final = frozenset(
    {"channel", "symbol", "depth", "snapshot", "event_trigger", "interval", "include_tokenized_assets",
     "execution_venue", "snap_orders", "snap_trades", "order_status", "ratecounter", "token"}
)  # fmt: skip
_NOTHING: Final[Mapping[str, Any]] = {}

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
    message = strict_object(data)
    method = _text(message, "method")
    params = message.get("params", _NOTHING)
    if not isinstance(params, dict):
        raise unread("params is no object")
    read = _METHODS.get(method)
    if read is None:
        return [Asked(method)]
    if not message.keys() <= _ENVELOPE:
        return [_with(method, message.keys() - _ENVELOPE)]
    return read(method, params)


# --- one method each --------------------------------------------------------------------------------------------------


def _ping(method: str, params: Params) -> list[Asked]:
    return [_with(method, params.keys())] if params else []


def _channel(method: str, params: Params) -> list[Asked]:
    strange = params.keys() - _CHANNEL
    return [_with(method, strange)] if strange else []


def _add_order(method: str, params: Params) -> list[Asked]:
    return [_new(method, params, _NEW, _text(params, "symbol"))]


def _batch_add(method: str, params: Params) -> list[Asked]:
    strange = params.keys() - _BATCH
    if strange:
        return [_with(method, strange)]
    _read_deadline(params)
    _read_validate(params)
    symbol = _text(params, "symbol")
    orders = _list(params, "orders", dict, least=2)
    return [_new(method, order, _ORDER_HERE, symbol) for order in orders]


def _amend_order(method: str, params: Params) -> list[Asked]:
    strange = params.keys() - _AMEND
    if strange:
        return [_with(method, strange)]
    _read_deadline(params)
    name = _text(params, "cl_ord_id")
    return [Asked("amend", name, px_1e9=_price(params, "limit_price"), qty_1e8=_size(params, "order_qty"))]


def _other(method: str, params: Params) -> list[Asked]:
    """Something that the gate approves in no form: edit_order takes a new id."""
    return [Asked(method, _text(params, "symbol") if "symbol" in params else "")]


def _cancel_order(method: str, params: Params) -> list[Asked]:
    strange = params.keys() - {"cl_ord_id", "token"}
    return [_with(method, strange)] if strange else _cancels(params, "cl_ord_id")


def _batch_cancel(method: str, params: Params) -> list[Asked]:
    """`orders` holds Kraken's own ids, which no approval names."""
    strange = params.keys() - {"orders", "cl_ord_id", "token"}
    if strange or params.get("orders"):
        return [_with(method, strange or {"orders"})]
    return _cancels(params, "cl_ord_id", least=2)


def _cancel_all(method: str, params: Params) -> list[Asked]:
    strange = params.keys() - {"token"}
    return [_with(method, strange) if strange else Asked("cancel_all")]


def _cancel_all_after(method: str, params: Params) -> list[Asked]:
    """The dead-man's switch: it can only cancel, and what it does if nothing more is said no approval can say."""
    strange = params.keys() - {"timeout", "token"}
    if strange:
        return [_with(method, strange)]
    seconds = params.get("timeout")
    if not isinstance(seconds, Number) or not seconds.isdigit() or len(seconds) > 5 or int(seconds) > _TIMER_MAX:
        raise unread(f"timeout is no whole number of seconds up to {_TIMER_MAX}")
    return []


_METHODS: Final[Mapping[str, Callable[[str, Params], list[Asked]]]] = {
    "ping": _ping,
    "subscribe": _channel,
    "unsubscribe": _channel,
    "add_order": _add_order,
    "batch_add": _batch_add,
    "amend_order": _amend_order,
    "edit_order": _other,
    "cancel_order": _cancel_order,
    "batch_cancel": _batch_cancel,
    "cancel_all": _cancel_all,
    "cancel_all_orders_after": _cancel_all_after,
}


# --- parts ------------------------------------------------------------------------------------------------------------


def _new(method: str, order: Params, known: frozenset[str], symbol: str) -> Asked:
    """An order of a type that a guest knows, with no field but those that are compared."""
    if not order.keys() <= known:
        return _with(method, order.keys() - known)
    kind, terms = _text(order, "order_type"), order.get("time_in_force", "gtc")
    post_only = order.get("post_only", False)
    order_type = (
        _TYPES.get((kind, terms, post_only)) if isinstance(terms, str) and isinstance(post_only, bool) else None
    )
    if order_type is None:
        return Asked(f"{method} with {kind} {terms}{' post_only' if post_only else ''}")
    is_market = order_type is OrderType.MARKET
    if is_market and "limit_price" in order:
        return _with(method, {"limit_price"})
    _read_deadline(order)
    _read_validate(order)
    if "stp_type" in order and _text(order, "stp_type") not in _STP_TYPES:
        raise unread(f"stp_type {order['stp_type']!r:.40} is not one of Kraken's")
    side = _SIDES.get(_text(order, "side"))
    if side is None:
        raise unread(f"side {order['side']!r:.40} is neither buy nor sell")
    price = 0 if is_market else _price(order, "limit_price")
    name = _text(order, "cl_ord_id") if "cl_ord_id" in order else ""
    return Asked("new", name, symbol, side, price, _size(order, "order_qty"), int(order_type))


def _read_deadline(params: Params) -> None:
    """Well-formed, or nobody knows until when Kraken may act."""
    if "deadline" in params:
        try:
            rfc3339_ns(_text(params, "deadline"))
        except NumberError as error:
            raise unread(f"deadline: {error}") from error


def _read_validate(params: Params) -> None:
    if params.get("validate", True) is not True:
        raise unread("validate is not true")


def _cancels(params: Params, name: str, least: int = 1) -> list[Asked]:
    return [Asked("cancel", client_order_id) for client_order_id in _list(params, name, str, least)]


def _with(method: str, fields: Iterable[str]) -> Asked:
    """What this method does is changed by fields that an approval says nothing about."""
    return Asked(f"{method} with {', '.join(sorted(fields))}")


def _text(params: Params, name: str) -> str:
    found = params.get(name)
    if not isinstance(found, str) or isinstance(found, Number):
        raise unread(f"{name} is no text")
    return found


def _price(params: Params, name: str) -> int:
    return _number(params, name, PRICE_DECIMALS)


def _size(params: Params, name: str) -> int:
    return _number(params, name, SIZE_DECIMALS)


def _number(params: Params, name: str, decimals: int) -> int:
    found = params.get(name)
    if not isinstance(found, Number):
        raise unread(f"{name} is no number")
    try:
        return _exact(str(found), decimals)
    except NumberError as error:
        raise unread(f"{name}: {error}") from error


def _list(params: Params, name: str, kind: type, least: int = 1) -> list[Any]:
    found = params.get(name)
    if not isinstance(found, list) or len(found) < least:
        raise unread(f"{name} is no list of at least {least}")
    if not all(isinstance(one, kind) and not isinstance(one, Number) for one in found):
        raise unread(f"{name} holds what is no {kind.__name__}")
    return found
