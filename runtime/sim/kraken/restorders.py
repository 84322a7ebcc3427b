"""REST's looks at orders and trades; they may lag behind the engine (fault `delayed_visibility`). Pure."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from runtime.sim.kraken.account import UNIT
from runtime.sim.kraken.forms import ARGUMENTS, rest_time, truth
from runtime.sim.kraken.names import pair_altname, pair_key
from runtime.sim.kraken.order import Fill, Order
from runtime.sim.kraken.restdata import Query
from runtime.sim.kraken.wire import Refuse, fixed, plain, scaled, seconds
from runtime.sim.market import NS

T = TypeVar("T")
PAGE: Final = 50
INVALID: Final = "EOrder:Invalid order"
STATUSES: Final = {"pending_new": "pending", "new": "open", "partially_filled": "open", "filled": "closed"}


def seen_ns(query: Query) -> int:
    """How far REST sees: up to now, or up to where the fault lets it."""
    lag = query.venue.faults.active("delayed_visibility", query.asked.age_ns, 0, query.asked.method)
    return query.now_ns - (lag.number * NS if lag is not None else 0)


def orders_seen(query: Query) -> list[Order]:
    """All orders as REST sees them, the youngest first, narrowed by userref and cl_ord_id."""
    ref, name = query.form.get("userref"), query.text("cl_ord_id")
    number = scaled(ref, 0) if ref not in (None, "") else None
    found = [
        order for order in query.venue.engine.as_of(seen_ns(query))
        if (number is None or order.spec.userref == number) and (not name or order.spec.cl_ord_id == name)
    ]  # fmt: skip
    return found[::-1]


def order_row(order: Order, *, with_trades: bool) -> dict[str, Any]:
    """One order as OpenOrders, ClosedOrders and QueryOrders show it."""
    pair, spec = order.pair, order.spec
    amount = pair.qty_text(order.qty) if not spec.cash else plain(spec.cash, UNIT)
    at = f"limit {pair.price_text(order.price)}" if order.price else "market"
    flags = [spec.fee_pref, *(["post"] if spec.post_only else []), *(["viqc"] if spec.cash else [])]
    told: dict[str, Any] = {
        "refid": None, "userref": spec.userref, "status": STATUSES.get(order.status, order.status),
        "opentm": seconds(order.opened_ns), "starttm": seconds(spec.effective_ns), "expiretm": seconds(spec.expire_ns),
        "descr": {
            "pair": pair_altname(pair), "type": spec.side, "ordertype": spec.order_type,
            "price": pair.price_text(order.price) if order.price else "0", "price2": "0", "leverage": "none",
            "order": f"{spec.side} {amount} {pair_altname(pair)} @ {at}", "close": "",
        },
        "vol": pair.qty_text(order.qty), "vol_exec": pair.qty_text(order.cum_qty), "cost": fixed_money(order.cum_cost),
        "fee": fixed_money(order.fees), "price": fixed(order.average(pair.price_precision), pair.price_precision),
        "stopprice": "0.00000", "limitprice": "0.00000", "misc": "amended" if order.amended else "",
        "oflags": ",".join(flags),
    }  # fmt: skip
    if spec.cl_ord_id:
        told["cl_ord_id"] = spec.cl_ord_id
    if spec.tif != "gtc":
        told["timeinforce"] = spec.tif.upper()
    if not order.is_open:
        told |= {"closetm": seconds(order.closed_ns), "reason": order.reason or None}
    if with_trades and order.fills:
        told["trades"] = list(order.fills)
    return told


def fixed_money(value: int) -> str:
    """An amount with five decimals, as REST prints costs and fees."""
    return fixed(value // 10 ** (UNIT - 5), 5)


def trade_row(fill: Fill, order: Order) -> dict[str, Any]:
    """One fill as TradesHistory and QueryTrades show it."""
    pair = order.pair
    told: dict[str, Any] = {
        "ordertxid": fill.order_id, "postxid": "", "pair": pair_key(pair),
        "time": seconds(fill.ts_ns), "type": fill.side, "ordertype": fill.order_type,
        "price": pair.price_text(fill.price), "cost": fixed_money(fill.cost), "fee": fixed_money(fill.fee),
        "vol": pair.qty_text(fill.qty), "margin": "0.00000", "leverage": "0", "misc": "",
        "trade_id": fill.trade_id, "maker": fill.maker,
    }  # fmt: skip
    return told | ({"cl_ord_id": order.spec.cl_ord_id} if order.spec.cl_ord_id else {})


def open_orders(query: Query) -> Any:
    """Those that are open, the youngest first."""
    with_trades = truth(query.form.get("trades"))
    found = [order for order in orders_seen(query) if order.is_open]
    return {"open": {order.order_id: order_row(order, with_trades=with_trades) for order in found}}


def closed(query: Query) -> Any:
    """Those that ended between start and end, the latest first, fifty a page from `ofs` on."""
    with_trades, by_open = truth(query.form.get("trades")), query.text("closetime") == "open"
    start, end = _bounds(query)
    found = [order for order in orders_seen(query) if not order.is_open]
    found.sort(key=lambda order: order.closed_ns, reverse=True)
    kept = [order for order in found if start < (order.opened_ns if by_open else order.closed_ns) <= end]
    told: dict[str, Any] = {"closed": {o.order_id: order_row(o, with_trades=with_trades) for o in _page(query, kept)}}
    return told if truth(query.form.get("without_count")) else told | {"count": len(kept)}


def _page(query: Query, rows: list[T]) -> list[T]:
    offset = scaled(query.text("ofs") or "0", 0)
    if offset is None or offset < 0:
        raise Refuse(f"{ARGUMENTS}:ofs")
    return rows[offset : offset + PAGE]


def _bounds(query: Query) -> tuple[int, int]:
    """start (exclusive) and end (inclusive): Unix seconds, or the id of an order or a trade for its time."""
    bounds = []
    for name, default in (("start", -1), ("end", query.now_ns)):
        text, engine = query.text(name), query.venue.engine
        if text in engine.fills:
            bounds.append(engine.fills[text].ts_ns)
        elif text in engine.orders:
            bounds.append(engine.orders[text].opened_ns)
        else:
            bounds.append(rest_time(text, query.now_ns, name) if text else default)
    return bounds[0], bounds[1]


def query_orders(query: Query) -> Any:
    """Up to fifty by their ids, open or not. Raises Refuse for one that REST does not see."""
    seen = {order.order_id: order for order in query.venue.engine.as_of(seen_ns(query))}
    rows, with_trades = {}, truth(query.form.get("trades"))
    for txid in _ids(query):
        if txid not in seen:
            raise Refuse(INVALID)
        rows[txid] = order_row(seen[txid], with_trades=with_trades)
    return rows


def _ids(query: Query) -> list[str]:
    given = query.form.get("txid", "")
    ids = [str(txid) for txid in given] if isinstance(given, list) else [txid for txid in str(given).split(",") if txid]
    if not 1 <= len(ids) <= PAGE:
        raise Refuse(f"{ARGUMENTS}:txid")
    return ids


def _fills_seen(query: Query) -> list[Fill]:
    until = seen_ns(query)
    return [fill for fill in query.venue.engine.fills.values() if fill.ts_ns <= until]


def trades(query: Query) -> Any:
    """Fills between start and end, the latest first, fifty a page from `ofs` on."""
    start, end = _bounds(query)
    kept = [fill for fill in reversed(_fills_seen(query)) if start < fill.ts_ns <= end]
    orders = query.venue.engine.orders
    rows = {fill.exec_id: trade_row(fill, orders[fill.order_id]) for fill in _page(query, kept)}
    told: dict[str, Any] = {"trades": rows}
    return told if truth(query.form.get("without_count")) else told | {"count": len(kept)}


def query_trades(query: Query) -> Any:
    """Up to fifty by their ids. Raises Refuse for one that REST does not see."""
    seen = {fill.exec_id: fill for fill in _fills_seen(query)}
    rows = {}
    for txid in _ids(query):
        if txid not in seen:
            raise Refuse(INVALID)
        rows[txid] = trade_row(seen[txid], query.venue.engine.orders[seen[txid].order_id])
    return rows


def order_amends(query: Query) -> Any:
    """The terms an order has had, the first of them as it was placed."""
    order = next((o for o in orders_seen(query) if o.order_id == query.text("order_id")), None)
    if order is None:
        raise Refuse("EOrder:Unknown order")
    rows = [
        {
            "amend_id": amendment.amend_id, "amend_type": amendment.kind,
            "order_qty": order.pair.qty_text(amendment.qty),
            "limit_price": order.pair.price_text(amendment.price), "timestamp": amendment.ts_ns // 1_000_000,
        }
        for amendment in order.amendments
    ]  # fmt: skip
    return {"count": len(rows), "amends": rows}
