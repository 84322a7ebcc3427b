"""ccxt's dictionaries as what the sessions read (`connectors/venues/ccxt/`): every number as a text, nothing left out
that money depends on. https://docs.ccxt.com/#/README?id=order-structure
"""

import re
from collections.abc import Callable
from typing import Any, Final

from runtime.hosted.exchange import text

WORDS_MAX: Final = 300
_NAME: Final = re.compile(r"(vg[0-9a-z]{6})([0-9]{1,10})")


def said(error: BaseException) -> str:
    """What an exception of the library's says, in one line."""
    return " ".join(str(error).split())[:WORDS_MAX]


def words(error: BaseException) -> str:
    """The same with its class."""
    return f"{type(error).__name__}: {said(error)}".removesuffix(": ")


def plain(name: str) -> str:
    """A client order id as every exchange takes it: letters and digits alone, as OKX demands
    (https://www.okx.com/docs-v5/en/#order-book-trading-trade-post-place-order, `clOrdId`)."""
    return name.replace("-", "")


def own(name: str) -> str:
    """An exchange's client order id as ours, with its hyphen; what was never ours is left as it is."""
    match = _NAME.fullmatch(name)
    return f"{match[1]}-{match[2]}" if match is not None else name


def order(found: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(found.get("id") or ""), "name": own(str(found.get("clientOrderId") or "")),
        "symbol": found.get("symbol") or "", "side": found.get("side") or "", "type": found.get("type") or "",
        "tif": found.get("timeInForce") or "", "status": found.get("status") or "",
        "price": text(found.get("price")) or None, "amount": text(found.get("amount")) or None,
        "filled": text(found.get("filled")) or None, "is_post_only": bool(found.get("postOnly")),
        "ms": int(found.get("timestamp") or 0),
    }  # fmt: skip


def fill(found: dict[str, Any]) -> dict[str, Any]:
    fees = [one for one in (*(found.get("fees") or ()), found.get("fee") or {}) if one.get("cost") is not None]
    told = {str(one.get("currency") or ""): text(one["cost"]) for one in fees}  # ccxt repeats the one in both places
    return {
        "id": str(found.get("id") or ""), "order": str(found.get("order") or ""), "symbol": found.get("symbol") or "",
        "side": found.get("side") or "", "price": text(found.get("price")) or None,
        "amount": text(found.get("amount")) or None, "cost": text(found.get("cost")) or None,
        "fees": [{"currency": currency, "cost": cost} for currency, cost in told.items()],
        "ms": int(found.get("timestamp") or 0),
    }  # fmt: skip


def totals(found: dict[str, Any]) -> dict[str, str]:
    said = {currency: text(total) for currency, total in (found.get("total") or {}).items()}
    return {currency: total for currency, total in said.items() if total}


def _public_trade(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": str(one.get("id") or ""), "price": text(one.get("price")), "qty": text(one.get("amount")),
        "side": one.get("side") or "", "ms": int(one.get("timestamp") or 0),
    }  # fmt: skip


Form = Callable[[Any], dict[str, Any]]
# channel → ccxt's method, its name in `has`, and what of its answer is told
STREAMS: Final[dict[str, tuple[str, str, Form]]] = {
    "trades": ("watch_trades", "watchTrades", lambda found: {"trades": [_public_trade(one) for one in found]}),
    "orders": ("watch_orders", "watchOrders", lambda found: {"orders": [order(one) for one in found]}),
    "fills": ("watch_my_trades", "watchMyTrades", lambda found: {"fills": [fill(one) for one in found]}),
    "balance": ("watch_balance", "watchBalance", lambda found: {"total": totals(found)}),
}
