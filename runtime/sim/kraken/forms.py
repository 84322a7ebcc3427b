"""What a client asks for, read from a socket's parameters or a REST form into one shape. Pure.

A socket takes JSON numbers for numbers and nothing else, and no field it does not know; REST takes texts
(venues.md 1.9, 7.3.14). What this venue does not play (triggers, icebergs, margin, conditional closes) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runtime.sim.kraken.account import UNIT
from runtime.sim.kraken.order import NewSpec
from runtime.sim.kraken.wire import Num, Refuse, parse_time, scaled
from runtime.sim.market import NS, SimPair

ARGUMENTS: Final = "EGeneral:Invalid arguments"
NUMBERS: Final = ("order_qty", "cash_order_qty", "limit_price", "display_qty")
BOOLEANS: Final = ("post_only", "reduce_only", "margin", "validate", "no_mpp")
ORDER_FIELDS: Final = frozenset({
    *NUMBERS, *BOOLEANS, "order_type", "side", "symbol", "limit_price_type", "triggers", "trigger", "time_in_force",
    "expire_time", "effective_time", "deadline", "cl_ord_id", "order_userref", "stp_type", "fee_preference",
    "conditional", "sender_sub_id", "token",
})  # fmt: skip
FIELDS: Final = {
    "add_order": ORDER_FIELDS,
    "amend_order": frozenset({"order_id", "cl_ord_id", "order_qty", "limit_price", "limit_price_type", "display_qty",
                              "trigger_price", "trigger_price_type", "post_only", "deadline", "symbol", "token"}),
    "edit_order": frozenset({"order_id", "symbol", "order_qty", "limit_price", "display_qty", "post_only",
                             "reduce_only", "order_userref", "deadline", "validate", "triggers", "fee_preference",
                             "no_mpp", "token"}),
    "cancel_order": frozenset({"order_id", "cl_ord_id", "order_userref", "token"}),
    "cancel_all": frozenset({"token"}),
    "cancel_all_orders_after": frozenset({"timeout", "token"}),
    "batch_add": frozenset({"symbol", "orders", "deadline", "validate", "token"}),
    "batch_cancel": frozenset({"orders", "cl_ord_id", "token"}),
}  # fmt: skip
TIFS: Final = {"gtc", "gtd", "ioc", "fok"}
STPS: Final = {"cancel_newest", "cancel_oldest", "cancel_both"}


def check_fields(method: str, params: Mapping[str, Any], allowed: frozenset[str] | None = None) -> None:
    """Raises Refuse for a field the method does not know and for a number that is none."""
    for name in params:
        if name not in (FIELDS[method] if allowed is None else allowed):
            raise Refuse(f"Unsupported field: '{name}' for the given msg type: {method.replace('_', ' ')}")
    for name in NUMBERS:
        if name in params and not _is_number(params[name]):
            raise Refuse(f"{name.capitalize()} field must be a number_float")
    for name in BOOLEANS:
        if not isinstance(params.get(name, False), bool):
            raise Refuse(f"{name.capitalize()} field must be a boolean")
    for name in ("symbol", "side", "order_type", "time_in_force", "stp_type", "cl_ord_id", "deadline"):
        if method not in {"cancel_order", "batch_cancel"} and not isinstance(params.get(name, ""), str):
            raise Refuse(f"{name.capitalize()} field must be a string")


def _is_number(value: object) -> bool:
    return isinstance(value, Num) or (isinstance(value, int) and not isinstance(value, bool))


def pair_of(pairs: Mapping[str, SimPair], symbol: object) -> SimPair:
    """Raises Refuse for a symbol that is not traded here."""
    pair = pairs.get(symbol) if isinstance(symbol, str) else None
    if pair is None:
        raise Refuse(f"Currency pair not supported {symbol}" if symbol else f"{ARGUMENTS}:symbol")
    return pair


def ws_spec(params: Mapping[str, Any], pairs: Mapping[str, SimPair]) -> NewSpec:
    """`add_order` and an item of `batch_add`. Raises Refuse."""
    pair = pair_of(pairs, params.get("symbol"))
    for name in ("triggers", "trigger", "conditional", "display_qty"):
        if name in params:
            raise Refuse(f"{ARGUMENTS}:{name} is not simulated")
    kind, side = params.get("order_type"), params.get("side")
    if params.get("no_mpp") and kind != "market":
        raise Refuse(f"{ARGUMENTS}:no_mpp order option is only available when ordertype = market")
    if kind not in {"limit", "market"}:
        raise Refuse(f"{ARGUMENTS}:order_type")
    if side not in {"buy", "sell"}:
        raise Refuse(f"{ARGUMENTS}:side")
    if params.get("limit_price_type", "static") != "static":
        raise Refuse(f"{ARGUMENTS}:limit_price_type is not simulated")
    if kind == "limit" and "limit_price" not in params:
        raise Refuse(f"{ARGUMENTS}:limit_price")
    if "order_qty" not in params and "cash_order_qty" not in params:
        raise Refuse(f"{ARGUMENTS}:order_qty")
    return NewSpec(
        symbol=pair.symbol, side=side, order_type=kind,
        qty=quantity(pair, params["order_qty"], "order_qty") if "order_qty" in params else 0,
        cash=money(params["cash_order_qty"]) if "cash_order_qty" in params else 0,
        price=price(pair, params["limit_price"]) if "limit_price" in params else 0,
        tif=_word(params.get("time_in_force", "gtc"), TIFS, "time_in_force"),
        expire_ns=_time(params, "expire_time"), effective_ns=_time(params, "effective_time"),
        deadline_ns=_time(params, "deadline"), post_only=params.get("post_only", False),
        reduce_only=params.get("reduce_only", False), margin=params.get("margin", False),
        cl_ord_id=params.get("cl_ord_id", ""), userref=userref(params),
        stp=_word(params.get("stp_type", "cancel_newest"), STPS, "stp_type"),  # type: ignore[arg-type]
        fee_pref="fcib" if params.get("fee_preference") == "base" else "fciq",
        validate=params.get("validate", False),
    )  # fmt: skip


def userref(params: Mapping[str, Any]) -> int | None:
    """A signed 32-bit integer, None where there is none. Raises Refuse."""
    value = params.get("order_userref")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise Refuse("Order_userref field must be an integer")
    return value


def price(pair: SimPair, value: object) -> int:
    """A price in the pair's units. Raises Refuse."""
    found = scaled(value, pair.price_precision)
    if found is None:
        if scaled(value, 60) is None:
            raise Refuse(f"{ARGUMENTS}:price")
        decimals = pair.price_precision
        raise Refuse(f"EOrder:Invalid price:{pair.symbol} price can only be specified up to {decimals} decimals.")
    return found


def quantity(pair: SimPair, value: object, name: str = "volume") -> int:
    """A quantity in lots. Raises Refuse."""
    found = scaled(value, pair.qty_precision)
    if found is None or found <= 0:
        raise Refuse(f"{ARGUMENTS}:{name}")
    return found


def money(value: object) -> int:
    """An amount of the quote asset. Raises Refuse."""
    found = scaled(value, UNIT)
    if found is None or found <= 0:
        raise Refuse(f"{ARGUMENTS}:cash_order_qty")
    return found


def deadline(params: Mapping[str, Any]) -> int:
    """A deadline in ns, 0 for none. Raises Refuse."""
    return _time(params, "deadline")


def _time(params: Mapping[str, Any], name: str) -> int:
    value = params.get(name)
    if value is None or value == "":
        return 0
    found = parse_time(value)
    if found is None:
        raise Refuse(f"{ARGUMENTS}:{name}")
    return found


def _word(value: object, words: set[str], name: str) -> str:
    if not isinstance(value, str) or value not in words:
        raise Refuse(f"{ARGUMENTS}:{name}")
    return value


def rest_spec(form: Mapping[str, Any], pair: SimPair, now_ns: int) -> NewSpec:
    """A REST AddOrder, its values texts (numbers and booleans where the body is JSON). Raises Refuse."""
    flags = {flag for flag in str(form.get("oflags", "")).split(",") if flag}
    kind, side, tif = str(form.get("ordertype", "")), str(form.get("type", "")), str(form.get("timeinforce") or "GTC")
    if kind not in {"limit", "market"}:
        raise Refuse(f"{ARGUMENTS}:ordertype")
    if side not in {"buy", "sell"}:
        raise Refuse(f"{ARGUMENTS}:type")
    if unknown := flags - {"post", "fcib", "fciq", "nompp", "viqc"}:
        raise Refuse(f"{ARGUMENTS}:oflags {min(unknown)}")
    if "nompp" in flags and kind != "market":
        raise Refuse(f"{ARGUMENTS}:no_mpp order option is only available when ordertype = market")
    if kind == "limit" and not form.get("price"):
        raise Refuse(f"{ARGUMENTS}:price")
    if tif != tif.upper():
        raise Refuse(f"{ARGUMENTS}:timeinforce")
    cash = "viqc" in flags
    stp = str(form.get("stptype") or "cancel-newest").replace("-", "_")
    ref = form.get("userref")
    if ref not in (None, "") and scaled(ref, 0) is None:
        raise Refuse(f"{ARGUMENTS}:userref")
    return NewSpec(
        symbol=pair.symbol, side=side, order_type=kind,  # type: ignore[arg-type]
        qty=0 if cash else quantity(pair, form.get("volume")), cash=money(form.get("volume")) if cash else 0,
        price=price(pair, form["price"]) if kind == "limit" else 0,
        tif=_word(tif.lower(), TIFS, "timeinforce"), expire_ns=rest_time(form.get("expiretm"), now_ns, "expiretm"),
        effective_ns=rest_time(form.get("starttm"), now_ns, "starttm"), deadline_ns=_time(form, "deadline"),
        post_only="post" in flags, reduce_only=truth(form.get("reduce_only")),
        margin=str(form.get("leverage") or "none") != "none", cl_ord_id=str(form.get("cl_ord_id") or ""),
        userref=None if ref in (None, "") else scaled(ref, 0), stp=_word(stp, STPS, "stptype"),  # type: ignore[arg-type]
        fee_pref="fcib" if "fcib" in flags else "fciq", validate=truth(form.get("validate")),
    )  # fmt: skip


def rest_time(value: object, now_ns: int, name: str) -> int:
    """`0`, `+60` (seconds from now), Unix seconds or RFC3339 → ns; 0 for none. Raises Refuse."""
    text = str(value or "0")
    if text.startswith("+") and text[1:].isdigit():
        return now_ns + int(text[1:]) * NS
    found = scaled(text, 9)
    found = parse_time(text) if found is None else found
    if found is None:
        raise Refuse(f"{ARGUMENTS}:{name}")
    return found


def truth(value: object) -> bool:
    """REST's booleans: true, "true", "1"."""
    return value is True or str(value).lower() in {"true", "1"}
