"""What a client asks for, read into an order: every number is a text (venues.md 5.4). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from runtime.sim.bybit.rows import STP
from runtime.sim.bybit.words import bad
from runtime.sim.exchange.numbers import UNIT, scaled
from runtime.sim.exchange.order import NewSpec
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.ladder import OrdType, TakerSide
from runtime.sim.market import SimPair

Params = Mapping[str, Any]
LINK_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,36}")
TIFS: Final = {"GTC": "gtc", "IOC": "ioc", "FOK": "fok", "PostOnly": "gtc"}
SIDES: Final[dict[str, TakerSide]] = {"Buy": "buy", "Sell": "sell"}
STPS: Final = {word: mode for mode, word in STP.items()}


def check_category(params: Params) -> None:
    """Spot alone. Raises Oops."""
    if params.get("category") != "spot":
        raise bad("category")


def pair_of(pairs: Mapping[str, SimPair], params: Params) -> SimPair:
    """Raises Refused: SYMBOL."""
    pair = pairs.get(str(params.get("symbol") or ""))
    if pair is None:
        raise Refused(Refusal.SYMBOL)
    return pair


def read_price(pair: SimPair, value: object) -> int:
    """A price in the pair's units. Raises Refused: PRICE, PRICE_GRID."""
    found = scaled(value, pair.price_precision) if type(value) is str else None
    if found is None:
        known = type(value) is str and scaled(value, 40) is not None
        raise Refused(Refusal.PRICE_GRID if known else Refusal.PRICE)
    return found


def read_qty(pair: SimPair, value: object) -> int:
    """A quantity in lots. Raises Refused: SIZE, SIZE_GRID."""
    found = scaled(value, pair.qty_precision) if type(value) is str else None
    if found is None:
        known = type(value) is str and scaled(value, 40) is not None
        raise Refused(Refusal.SIZE_GRID if known else Refusal.SIZE)
    return found


def link_id(params: Params) -> str:
    """orderLinkId, "" where there is none. Raises Oops."""
    found = params.get("orderLinkId")
    if found in (None, ""):
        return ""
    if not isinstance(found, str) or not LINK_ID.fullmatch(found):
        raise bad("orderLinkId")
    return found


def spec(pair: SimPair, params: Params) -> NewSpec:
    """A new order. A market buy's qty is an amount of the quote unless it says otherwise. Raises Refused, Oops."""
    side, kind = SIDES.get(str(params.get("side"))), str(params.get("orderType"))
    if side is None:
        raise bad("side")
    if kind not in {"Limit", "Market"}:
        raise Refused(Refusal.ARGUMENT, "orderType")
    if "triggerPrice" in params or str(params.get("orderFilter") or "Order") != "Order":
        raise bad("orderFilter")
    is_market = kind == "Market"
    tif = str(params.get("timeInForce") or "GTC")
    if tif not in TIFS:
        raise bad("timeInForce")
    unit = str(params.get("marketUnit") or ("quoteCoin" if side == "buy" else "baseCoin"))
    if unit not in {"quoteCoin", "baseCoin"}:
        raise bad("marketUnit")
    cash, qty = 0, 0
    if is_market and unit == "quoteCoin":
        found = scaled(params.get("qty"), 8)
        if found is None or found <= 0:
            raise Refused(Refusal.SIZE_GRID if scaled(params.get("qty"), 40) else Refusal.SIZE)
        cash = found * int(10 ** (UNIT - 8))
    else:
        qty = read_qty(pair, params.get("qty"))
    order_type: OrdType = "market" if is_market else "limit"
    smp = str(params.get("smpType") or "None")
    if smp not in STPS:
        raise bad("smpType")
    return NewSpec(
        symbol=pair.symbol, side=side, order_type=order_type, qty=qty, cash=cash,
        price=0 if is_market else read_price(pair, params.get("price")), tif="gtc" if is_market else TIFS[tif],
        post_only=tif == "PostOnly" and not is_market, stp=STPS[smp], cl_ord_id=link_id(params),
    )  # fmt: skip
