"""Events of the account as the WebSocket API tells them (venues.md 3.2). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance import names, rows
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.order import Order, Told

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

KINDS: Final = {"new": "NEW", "trade": "TRADE", "amended": "REPLACED", "expired": "EXPIRED"}


def kind_of(told: Told) -> str:
    """`x`: what happened."""
    if told.kind != "canceled":
        return KINDS[told.kind]
    status = rows.status(told.order)
    return {"CANCELED": "CANCELED", "EXPIRED_IN_MATCH": "TRADE_PREVENTION"}.get(status, "EXPIRED")


def execution_report(venue: BinanceVenue, told: Told, now_ns: int) -> dict[str, Any]:
    """One executionReport."""
    order, fill, pair = told.order, told.fill, told.order.pair
    spec, at = order.spec, venue.clock(told.at_ns) // MS
    kind = kind_of(told)
    name, old_name = spec.cl_ord_id, ""
    if kind == "CANCELED":  # `c` is the cancel's own id, `C` the order's
        name, old_name = venue.cancel_ids.get(order.order_id, "") or venue.orders.own_id(), spec.cl_ord_id
    elif kind == "REPLACED":
        old_name = spec.cl_ord_id
    row = rows.terms(order)
    event = {
        "e": "executionReport", "E": venue.clock(now_ns) // MS, "s": names.symbol_of(pair), "c": name,
        "S": row["side"], "o": row["type"], "f": row["timeInForce"], "q": row["origQty"], "p": row["price"],
        "P": rows.ZERO, "F": rows.ZERO, "g": -1, "C": old_name, "x": kind, "X": row["status"],
        "r": "NONE", "i": int(order.order_id), "l": names.qty(pair, fill.qty) if fill else rows.ZERO,
        "z": row["executedQty"], "L": names.price(pair, fill.price) if fill else rows.ZERO,
        "n": names.money(fill.fee) if fill else "0", "N": fill.fee_asset if fill else None, "T": at,
        "t": fill.trade_id if fill else -1, "I": venue.execution_id(), "w": _is_on_book(order, kind),
        "m": fill.maker if fill else False, "M": fill is not None, "O": order.opened_ns // MS,
        "Z": row["cummulativeQuoteQty"], "Y": names.money(fill.cost) if fill else rows.ZERO,
        "Q": row["origQuoteOrderQty"], "V": rows.STP[spec.stp],
    }  # fmt: skip
    if event["w"] or fill is not None:
        event["W"] = order.opened_ns // MS
    if kind == "EXPIRED":
        event["eR"] = rows.EXPIRED.get(told.reason, "EXCHANGE_CANCELED")
    return event


def _is_on_book(order: Order, kind: str) -> bool:
    return order.is_open and kind in {"NEW", "TRADE", "REPLACED"} and order.spec.order_type == "limit"


def position(venue: BinanceVenue, assets: Iterable[str], now_ns: int) -> dict[str, Any]:
    """outboundAccountPosition: every asset that may have changed."""
    at = venue.clock(now_ns) // MS
    balances = [
        {"a": asset, "f": free, "l": locked} for asset, free, locked in rows.balances(venue.engine.account, assets)
    ]
    return {"e": "outboundAccountPosition", "E": at, "u": at, "B": balances}
