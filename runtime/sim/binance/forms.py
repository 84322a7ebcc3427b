"""What a client asks for, read from parameters into an order: texts or plain numbers alike (venues.md 3.2). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from runtime.sim.binance import names
from runtime.sim.binance.rows import STP
from runtime.sim.binance.words import Oops, illegal, missing
from runtime.sim.exchange.numbers import scaled
from runtime.sim.exchange.order import NewSpec
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.ladder import OrdType, TakerSide
from runtime.sim.market import SimPair

Params = Mapping[str, Any]
CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9\-_.:/]{1,36}")
KNOWN_TYPES: Final = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"})
STPS: Final = {word: mode for mode, word in STP.items()}
ANSWERS: Final = frozenset({"ACK", "RESULT", "FULL"})


def pair_of(pairs: Mapping[str, SimPair], params: Params) -> SimPair:
    """The pair that is named. Raises Oops, Refused: SYMBOL."""
    if not params.get("symbol"):
        raise missing("symbol")
    pair = pairs.get(str(params["symbol"]))
    if pair is None:
        raise Refused(Refusal.SYMBOL)
    return pair


def whole(params: Params, name: str, default: int | None = None) -> int | None:
    """An integer parameter. Raises Oops."""
    if params.get(name) in (None, ""):
        return default
    found = scaled(params[name], 0)
    if found is None:
        raise missing(name)
    return found


def client_id(params: Params, name: str) -> str:
    """An id of the client's own, "" where there is none. Raises Oops."""
    found = params.get(name)
    if found in (None, ""):
        return ""
    if not isinstance(found, str) or not CLIENT_ID.fullmatch(found):
        raise Oops(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is "
                               "'^[a-zA-Z0-9-_.:/]{1,36}$'.")  # fmt: skip
    return found


def word(params: Params, name: str, words: Mapping[str, str] | frozenset[str]) -> str:
    """A parameter that is one of some words, "" where it is not there. Raises Oops."""
    found = str(params.get(name) or "")
    if found and found not in words:
        raise missing(name)
    return found


def spec(pair: SimPair, params: Params, own_id: str) -> NewSpec:
    """A new order; `own_id` is used where the client has none. Raises Oops."""
    side = word(params, "side", frozenset({"BUY", "SELL"}))
    kind = str(params.get("type") or "")
    if not side:
        raise missing("side")
    if kind in KNOWN_TYPES:
        raise Oops(400, -1116, f"Invalid orderType: {kind} is not offered for this symbol.")
    if kind not in {"LIMIT", "LIMIT_MAKER", "MARKET"}:
        raise Oops(400, -1116, "Invalid orderType.")
    for name in ("stopPrice", "trailingDelta", "icebergQty"):
        if name in params:
            raise illegal(name)
    tif = word(params, "timeInForce", frozenset({"GTC", "IOC", "FOK"}))
    is_market, qty, cash, price = kind == "MARKET", 0, 0, 0
    if kind == "LIMIT" and not tif:
        raise missing("timeInForce")
    if kind != "LIMIT" and tif:
        raise illegal("timeInForce")
    if is_market and "price" in params:
        raise illegal("price")
    if not is_market:
        if "quoteOrderQty" in params:
            raise illegal("quoteOrderQty")
        if "price" not in params:
            raise missing("price")
        price = names.read_price(pair, params["price"])
    if is_market and ("quantity" in params) == ("quoteOrderQty" in params):
        raise missing("quantity")
    if "quoteOrderQty" in params:
        cash = names.read_money(params["quoteOrderQty"], "quoteOrderQty")
    elif "quantity" in params:
        qty = names.read_qty(pair, params["quantity"])
    else:
        raise missing("quantity")
    sides: dict[str, TakerSide] = {"BUY": "buy", "SELL": "sell"}
    order_type: OrdType = "market" if is_market else "limit"
    stp = word(params, "selfTradePreventionMode", frozenset(STPS))
    return NewSpec(
        symbol=pair.symbol, side=sides[side], order_type=order_type, qty=qty, cash=cash, price=price,
        tif=(tif or "GTC").lower(), post_only=kind == "LIMIT_MAKER", stp=STPS[stp] if stp else "",
        cl_ord_id=client_id(params, "newClientOrderId") or own_id,
    )  # fmt: skip
