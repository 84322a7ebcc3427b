"""Orders as Coinbase's REST takes them, and its words for what it refuses (venues.md 2.4). Pure.

The words are of the API's own lists (NewOrderFailureReason, CancelFailureReason, EditFailureReason, the previews'). An
order that is refused is HTTP 200 with `success: false`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.coinbase.names import kind_of
from runtime.sim.exchange.numbers import UNIT, parse_time, scaled, short
from runtime.sim.exchange.order import NewSpec
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import SimPair, rfc3339

if TYPE_CHECKING:
    from runtime.sim.coinbase.names import Names
    from runtime.sim.exchange.order import Order

SIZE: Final = frozenset({"base_size"})
LIMIT: Final = SIZE | {"limit_price"}
KINDS: Final[Mapping[str, tuple[str, frozenset[str], frozenset[str]]]] = {
    "market_market_ioc": ("ioc", frozenset(), frozenset({"base_size", "quote_size"})),
    "limit_limit_gtc": ("gtc", LIMIT, frozenset({"post_only"})),
    "limit_limit_gtd": ("gtd", LIMIT | {"end_time"}, frozenset({"post_only"})),
    "limit_limit_fok": ("fok", LIMIT, frozenset()),
    "sor_limit_ioc": ("ioc", LIMIT, frozenset()),
}
"""Configuration → (time in force, fields it needs, fields it may have)."""
UNSUPPORTED: Final = "UNSUPPORTED_ORDER_CONFIGURATION"

NEW_WORDS: Final[Mapping[Refusal, tuple[str, str, str]]] = {
    Refusal.NO_FUNDS: ("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND", "Insufficient balance in source account"),
    Refusal.POST_ONLY: (
        "INVALID_LIMIT_PRICE_POST_ONLY", "PREVIEW_INVALID_LIMIT_PRICE_POSTONLY", "Post only limit price would cross",
    ),
    Refusal.PRICE: ("INVALID_LIMIT_PRICE", "PREVIEW_INVALID_LIMIT_PRICE", "Invalid limit price"),
    Refusal.PRICE_GRID: ("INVALID_PRICE_PRECISION", "PREVIEW_INVALID_PRICE_PRECISION", "Too many decimals in price"),
    Refusal.SIZE: ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL", "Invalid size"),
    Refusal.SIZE_GRID: ("INVALID_SIZE_PRECISION", "PREVIEW_INVALID_SIZE_PRECISION", "Too many decimals in size"),
    Refusal.SIZE_MIN: ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_BASE_SIZE_TOO_SMALL", "Order size is too small"),
    Refusal.COST_MIN: ("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_QUOTE_SIZE_TOO_SMALL", "Order value is too small"),
    Refusal.SYMBOL: ("INVALID_PRODUCT_ID", "PREVIEW_INVALID_PRODUCT_ID", "Invalid product_id"),
    Refusal.MODE: ("ORDER_ENTRY_DISABLED", "PREVIEW_ORDER_ENTRY_DISABLED", "Orders are not taken now"),
    Refusal.TOO_MANY: ("COMMANDER_REJECTED_NEW_ORDER", "PREVIEW_OPEN_ORDERS_LIMIT_EXCEEDED", "Too many open orders"),
    Refusal.NO_LIQUIDITY: ("INVALID_NO_LIQUIDITY", "PREVIEW_INVALID_NO_LIQUIDITY", "No liquidity"),
}  # fmt: skip
"""Why → (error, preview_failure_reason, message)."""
EDIT_WORDS: Final[Mapping[Refusal, str]] = {
    Refusal.UNKNOWN: "ORDER_NOT_FOUND", Refusal.FILLED: "ORDER_NOT_FOUND", Refusal.CANCELED: "ORDER_NOT_FOUND",
    Refusal.AMEND: "CANNOT_EDIT_TO_BELOW_FILLED_SIZE", Refusal.PRICE: "INVALID_EDITED_PRICE",
    Refusal.PRICE_GRID: "INVALID_EDITED_PRICE", Refusal.SIZE: "INVALID_EDITED_SIZE",
    Refusal.SIZE_GRID: "INVALID_EDITED_SIZE", Refusal.SIZE_MIN: "INVALID_EDITED_SIZE",
    Refusal.COST_MIN: "INVALID_EDITED_SIZE", Refusal.ARGUMENT: "ONLY_LIMIT_ORDER_EDITS_SUPPORTED",
}  # fmt: skip


class Bad(Exception):  # noqa: N818 - not an error of ours: what the venue answers with HTTP 400
    """A request that is no request of this API."""


def new_spec(body: Mapping[str, Any], names: Names, pairs: Mapping[str, SimPair]) -> NewSpec:
    """The order that a body asks for. Raises Bad for a body that is none, Refused for an order that cannot be."""
    for name in ("client_order_id", "product_id", "side"):
        if not isinstance(body.get(name), str) or not body[name]:
            raise Bad(f"{name} is required")
    if body["side"] not in {"BUY", "SELL"}:
        raise Bad("side is BUY or SELL")
    symbol = names.symbol(body["product_id"])
    if not symbol:
        raise Refused(Refusal.SYMBOL)
    configuration = body.get("order_configuration")
    if not isinstance(configuration, dict) or len(configuration) != 1:
        raise Bad("order_configuration has exactly one of its kinds")
    [(kind, terms)] = configuration.items()
    if kind not in KINDS or not isinstance(terms, dict):
        raise Refused(Refusal.FAULT, UNSUPPORTED)
    tif, needed, allowed = KINDS[kind]
    if not needed <= terms.keys() or terms.keys() - needed - allowed:
        raise Bad(f"{kind} has {', '.join(sorted(needed | allowed))}")
    post_only = terms.get("post_only", False)
    if not isinstance(post_only, bool):
        raise Bad("post_only is true or false")
    side = "buy" if body["side"] == "BUY" else "sell"
    extra = {"product_id": body["product_id"], "configuration": kind, "end_time": terms.get("end_time", "")}
    if kind == "market_market_ioc":
        return _market(terms, symbol, side, body["client_order_id"], pairs[symbol], extra)
    expire_ns = parse_time(terms["end_time"]) if "end_time" in terms else 0
    if expire_ns is None:
        raise Bad("end_time is no RFC 3339 time")
    return NewSpec(
        symbol=symbol, side="buy" if side == "buy" else "sell", order_type="limit", tif=tif, expire_ns=expire_ns,
        qty=amount(terms["base_size"], pairs[symbol].qty_precision, Refusal.SIZE_GRID),
        price=price_of(terms["limit_price"], pairs[symbol]), post_only=post_only,
        cl_ord_id=body["client_order_id"], extra=extra,
    )  # fmt: skip


def _market(
    terms: Mapping[str, Any], symbol: str, side: str, client_id: str, pair: SimPair, extra: dict[str, Any]
) -> NewSpec:
    if ("base_size" in terms) == ("quote_size" in terms):
        raise Bad("market_market_ioc has one of base_size and quote_size")
    qty = amount(terms["base_size"], pair.qty_precision, Refusal.SIZE_GRID) if "base_size" in terms else 0
    cash = 0
    if "quote_size" in terms:
        if side == "sell":
            raise Refused(Refusal.FAULT, UNSUPPORTED)
        steps = amount(terms["quote_size"], pair.price_precision, Refusal.SIZE_GRID)
        cash = steps * int(10 ** (UNIT - pair.price_precision))
    return NewSpec(
        symbol=symbol, side="buy" if side == "buy" else "sell", order_type="market", tif="ioc", qty=qty, cash=cash,
        cl_ord_id=client_id, extra=extra,
    )  # fmt: skip


def amount(text: object, decimals: int, finer: Refusal) -> int:
    """A text in units of 10^-decimals, above zero. Raises Bad for no number, Refused(`finer`) for too many decimals."""
    if not isinstance(text, str) or scaled(text, 40) is None:
        raise Bad(f"{text!r} is no number in a text")
    found = scaled(text, decimals)
    if found is None:
        raise Refused(finer)
    if found <= 0:
        raise Refused(Refusal.SIZE if finer is Refusal.SIZE_GRID else Refusal.PRICE)
    return found


def price_of(text: object, pair: SimPair) -> int:
    """A price on the grid. Raises Bad, Refused."""
    price = amount(text, pair.price_precision, Refusal.PRICE_GRID)
    if price % pair.tick:
        raise Refused(Refusal.PRICE_GRID)
    return price


def configuration_of(order: Order) -> dict[str, Any]:
    """What an order was asked for as, with what it has become by edits."""
    spec, pair = order.spec, order.pair
    kind = kind_of(order)
    size = short(order.qty, pair.qty_precision)
    if kind == "market_market_ioc":
        return {kind: {"quote_size": short(spec.cash, UNIT)} if spec.cash else {"base_size": size}}
    terms: dict[str, Any] = {"base_size": size, "limit_price": short(order.price, pair.price_precision)}
    if kind == "limit_limit_gtd":
        terms["end_time"] = spec.extra.get("end_time") or rfc3339(spec.expire_ns)
    if kind in {"limit_limit_gtc", "limit_limit_gtd"}:
        terms["post_only"] = spec.post_only
    return {kind: terms}


def refused_order(refused: Refused, configuration: object) -> dict[str, Any]:
    """The answer to a new order that is not taken."""
    if refused.refusal is Refusal.FAULT:
        words = (refused.detail, "", refused.detail)
    else:
        words = NEW_WORDS.get(refused.refusal, ("UNKNOWN_FAILURE_REASON", "", str(refused.refusal)))
    error, preview, text = words
    told = {"error": error, "message": text, "error_details": "", "preview_failure_reason": preview}
    return {
        "success": False, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": "",
        "error_response": told, "order_configuration": configuration if isinstance(configuration, dict) else {},
    }  # fmt: skip
