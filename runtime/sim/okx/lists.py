"""What OKX's REST shows of orders and fills (venues.md 4.3). Pure.

Lists are the youngest first, a hundred rows at most; `after` goes on behind an id, `before` ends before one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from runtime.sim.exchange.numbers import UNIT, millis, short
from runtime.sim.market import NS
from runtime.sim.okx.access import Denied
from runtime.sim.okx.private import STATES, last_fill, order_row, type_of
from runtime.sim.okx.words import NO_INSTRUMENT, NO_ORDER

if TYPE_CHECKING:
    from runtime.sim.exchange.order import Fill, Order
    from runtime.sim.okx.venue import OkxVenue

T = TypeVar("T")
Query = Mapping[str, str]
FORGOTTEN_NS: Final = 2 * 3600 * NS


def bad(name: str) -> Denied:
    """A parameter that is none."""
    return Denied("51000", f"Parameter {name} error")


def symbol_of(venue: OkxVenue, query: Query, *, is_needed: bool = False) -> str:
    """Our symbol of the query's instId, "" where it names none. Raises Denied."""
    symbol = venue.names.symbol(query.get("instId", ""))
    if not symbol and (is_needed or query.get("instId")):
        raise Denied(*NO_INSTRUMENT)
    return symbol


def _whole(query: Query, name: str, default: int) -> int:
    text = query.get(name, "")
    if text and (not text.isdigit() or len(text) > 20):
        raise bad(name)
    return int(text) if text else default


def page(rows: Sequence[T], query: Query, key: Callable[[T], str]) -> list[T]:
    """The rows that are wanted, by ids that rise. Raises Denied."""
    after, before = _whole(query, "after", 10**30), _whole(query, "before", -1)
    kept = [row for row in rows if before < int(key(row)) < after]
    return kept[: min(100, _whole(query, "limit", 100) or 100)]


def _check_type(query: Query, *, is_needed: bool) -> None:
    if query.get("instType", "" if is_needed else "SPOT") not in {"SPOT", "ANY"}:
        raise bad("instType")


def _is_kept(order: Order, now_ns: int) -> bool:
    """Canceled orders that never traded are forgotten after two hours (OKX docs, order history of 7 days)."""
    return order.is_open or order.cum_qty > 0 or now_ns - order.closed_ns < FORGOTTEN_NS


def _orders(venue: OkxVenue, query: Query, now_ns: int, method: str) -> list[Order]:
    symbol = symbol_of(venue, query)
    begin, end = _whole(query, "begin", 0), _whole(query, "end", 10**15)
    return [
        order for order in reversed(venue.engine.as_of(venue.seen_ns(now_ns, method)))
        if _is_kept(order, now_ns) and symbol in {"", order.spec.symbol}
        and query.get("state", "") in {"", STATES[order.status]} and query.get("ordType", "") in {"", type_of(order)}
        and begin <= order.opened_ns // 10**6 <= end
    ]  # fmt: skip


def pending(venue: OkxVenue, query: Query, now_ns: int) -> list[dict[str, Any]]:
    """Open orders. Raises Denied."""
    _check_type(query, is_needed=False)
    rows = [order for order in _orders(venue, query, now_ns, "trade/orders-pending") if order.is_open]
    return [order_row(venue, order, last_fill(venue, order)) for order in page(rows, query, lambda o: o.order_id)]


def history(venue: OkxVenue, query: Query, now_ns: int) -> list[dict[str, Any]]:
    """Orders that ended. Raises Denied."""
    _check_type(query, is_needed=True)
    rows = [order for order in _orders(venue, query, now_ns, "trade/orders-history") if not order.is_open]
    return [order_row(venue, order, last_fill(venue, order)) for order in page(rows, query, lambda o: o.order_id)]


def order(venue: OkxVenue, query: Query, now_ns: int) -> list[dict[str, Any]]:
    """One order, by the venue's id or by the client's; of a client id's orders the youngest. Raises Denied."""
    symbol = symbol_of(venue, query, is_needed=True)
    order_id, client_id = query.get("ordId", ""), query.get("clOrdId", "")
    if not order_id and not client_id:
        raise bad("ordId")
    for found in reversed(venue.engine.as_of(venue.seen_ns(now_ns, "trade/order"))):
        is_it = found.order_id == order_id if order_id else found.spec.cl_ord_id == client_id
        if is_it and found.spec.symbol == symbol and _is_kept(found, now_ns):
            return [order_row(venue, found, last_fill(venue, found))]
    raise Denied(*NO_ORDER)


def fill_row(venue: OkxVenue, fill: Fill) -> dict[str, Any]:
    """One fill; its fee is negative."""
    pair, order = fill.pair, venue.engine.orders[fill.order_id]
    at = millis(fill.ts_ns)
    return {
        "instType": "SPOT", "instId": venue.names.ids[fill.symbol], "tradeId": fill.exec_id, "ordId": fill.order_id,
        "clOrdId": order.spec.cl_ord_id, "billId": fill.exec_id, "subType": "1" if fill.side == "buy" else "2",
        "tag": order.spec.extra.get("tag", ""), "fillPx": short(fill.price, pair.price_precision),
        "fillSz": short(fill.qty, pair.qty_precision), "fillIdxPx": "", "fillPnl": "0", "fillPxVol": "",
        "fillPxUsd": "", "fillMarkVol": "", "fillFwdPx": "", "fillMarkPx": "", "side": fill.side, "posSide": "net",
        "execType": "M" if fill.maker else "T", "feeCcy": fill.fee_asset, "fee": short(-fill.fee, UNIT),
        "feeRate": "", "ts": at, "fillTime": at, "tradeQuoteCcy": pair.quote,
    }  # fmt: skip


def fills(venue: OkxVenue, query: Query, now_ns: int) -> list[dict[str, Any]]:
    """Fills of three days, or of three months under fills-history. Raises Denied."""
    _check_type(query, is_needed=False)
    symbol, order_id = symbol_of(venue, query), query.get("ordId", "")
    begin, end = _whole(query, "begin", 0), _whole(query, "end", 10**15)
    rows = [
        fill for fill in reversed(venue.engine.fills_as_of(venue.seen_ns(now_ns, "trade/fills")))
        if symbol in {"", fill.symbol} and order_id in {"", fill.order_id} and begin <= fill.ts_ns // 10**6 <= end
    ]  # fmt: skip
    return [fill_row(venue, fill) for fill in page(rows, query, lambda row: row.exec_id)]
