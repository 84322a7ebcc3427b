"""REST's private answers: tokens, keys, balances, orders, trades (venues.md 1.8, 1.9, 7.2). Values are texts. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from runtime.sim.kraken import forms
from runtime.sim.kraken.access import TOKEN_S
from runtime.sim.kraken.account import UNIT
from runtime.sim.kraken.checks import check_deadline
from runtime.sim.kraken.forms import ARGUMENTS
from runtime.sim.kraken.names import asset_key, pair_altname
from runtime.sim.kraken.order import NewSpec, Order
from runtime.sim.kraken.rates import ONE
from runtime.sim.kraken.restdata import Query
from runtime.sim.kraken.restorders import closed, open_orders, order_amends, query_orders, query_trades, trades
from runtime.sim.kraken.trading import MAX_TIMEOUT_S, after_result
from runtime.sim.kraken.wire import Refuse, plain, scaled, seconds
from runtime.sim.market import SimPair

TRADING: Final = {
    "AddOrder": "add_order", "AmendOrder": "amend_order", "EditOrder": "edit_order", "CancelOrder": "cancel_order",
    "CancelAll": "cancel_all", "AddOrderBatch": "batch_add", "CancelOrderBatch": "batch_cancel",
    "CancelAllOrdersAfter": "cancel_all_orders_after",
}  # fmt: skip
"""REST's names and the sockets'; none of these counts on the REST counter."""


def _token(query: Query) -> Any:
    return {"token": query.venue.access.token(query.now_ns), "expires": TOKEN_S}


def _key_info(query: Query) -> Any:
    access = query.venue.access
    return {
        "name": query.venue.key_name, "apiKey": access.key, "nonce": str(access.last_nonce),
        "nonceWindow": str(access.nonce_window), "permissions": list(access.permissions), "validUntil": "0",
        "queryFrom": "0", "queryTo": "0", "ipAllowlist": [],
        "createdTime": seconds(query.venue.started_ns), "modifiedTime": seconds(query.venue.started_ns),
        "lastUsed": seconds(query.now_ns),
    }  # fmt: skip


def _balance(query: Query) -> Any:
    return {
        asset_key(asset): plain(value, UNIT) for asset, value in sorted(query.venue.engine.account.balances.items())
    }


def _balance_ex(query: Query) -> Any:
    account = query.venue.engine.account
    return {
        asset_key(asset): {"balance": plain(value, UNIT), "hold_trade": plain(account.held.get(asset, 0), UNIT)}
        for asset, value in sorted(account.balances.items())
    }


def _trade_balance(query: Query) -> Any:
    """Everything in dollars at the last price; no margin, so equity is what there is."""
    venue, total = query.venue, query.venue.engine.account.balances.get("USD", 0)
    for pair in venue.market.pairs:
        if pair.quote == "USD":
            lots = venue.engine.account.balances.get(pair.base, 0)
            total += lots * venue.history[pair.symbol].day.close // 10**pair.price_precision
    text, none = plain(total, UNIT), plain(0, 0)
    return {"eb": text, "tb": text, "m": none, "n": none, "c": none, "v": none, "e": text, "mf": text}


# --- trading --------------------------------------------------------------------------------------------------------


def described(pair: SimPair, spec: NewSpec) -> str:
    """`buy 1.25000000 XBTUSD @ limit 37500.0`."""
    amount = pair.qty_text(spec.qty) if spec.qty else plain(spec.cash, UNIT)
    at = f"limit {pair.price_text(spec.price)}" if spec.order_type == "limit" else "market"
    return f"{spec.side} {amount} {pair_altname(pair)} @ {at}"


def _spec(query: Query) -> tuple[SimPair, NewSpec]:
    pair = query.venue.book_pairs[query.pair().symbol]
    for name in ("price2", "trigger", "displayvol", "close[ordertype]", "close"):
        if query.text(name):
            raise Refuse(f"{ARGUMENTS}:{name} is not simulated")
    return pair, forms.rest_spec(query.form, pair, query.now_ns)


def _add(query: Query) -> Any:
    pair, spec = _spec(query)
    order = query.venue.desk.add(spec, query.asked)
    told: dict[str, Any] = {"descr": {"order": described(pair, spec)}}
    return told if order is None else told | {"txid": [order.order_id]}


def _find(query: Query) -> Order:
    txid, cl_ord_id = query.text("txid"), query.text("cl_ord_id")
    if bool(txid) == bool(cl_ord_id):
        raise Refuse(f"{ARGUMENTS}:one of txid and cl_ord_id")
    return query.venue.engine.find(order_id=txid, cl_ord_id=cl_ord_id)


def _amend(query: Query) -> Any:
    order = _find(query)
    qty, price = query.text("order_qty"), query.text("limit_price")
    if not qty and not price:
        raise Refuse(f"{ARGUMENTS}:no fields to amend")
    check_deadline(forms.deadline(query.form), query.now_ns, shortest_ns=query.asked.shortest_ns)
    amend_id = query.venue.engine.amend(
        order, query.now_ns, post_only=forms.truth(query.form.get("post_only")),
        qty=forms.quantity(order.pair, qty, "order_qty") if qty else 0,
        price=forms.price(order.pair, price) if price else 0,
    )  # fmt: skip
    return {"amend_id": amend_id}


def _edit(query: Query) -> Any:
    old = query.venue.engine.find(order_id=query.text("txid"))
    pair, qty, price = old.pair, query.text("volume"), query.text("price")
    if query.pair().symbol != pair.symbol:
        raise Refuse(f"{ARGUMENTS}:pair")
    spec = msgspec.structs.replace(
        old.spec, cl_ord_id="", validate=forms.truth(query.form.get("validate")), effective_ns=0,
        qty=forms.quantity(pair, qty) if qty else old.qty, price=forms.price(pair, price) if price else old.price,
        deadline_ns=forms.deadline(query.form), post_only="post" in query.text("oflags").split(","),
    )  # fmt: skip
    order = query.venue.engine.edit(old, spec, query.now_ns)
    told: dict[str, Any] = {"status": "ok", "descr": {"order": described(pair, spec)}, "originaltxid": old.order_id}
    told |= {"volume": pair.qty_text(spec.qty), "price": pair.price_text(spec.price), "orders_cancelled": 1}
    return told if order is None else told | {"txid": order.order_id}


def _each(query: Query, orders: list[Order]) -> int:
    count, refusal = 0, None
    for order in orders:
        try:
            query.venue.desk.cancel(order, query.asked)
            count += 1
        except Refuse as refused:
            refusal = refused
    if refusal is not None and not count:
        raise refusal
    return count


def _cancel(query: Query) -> Any:
    """By txid (or, as txid too, a userref) or cl_ord_id."""
    ref = query.form.get("userref") or query.form.get("txid")
    number = scaled(ref, 0) if ref is not None else None
    if number is not None:
        orders = [order for order in query.venue.engine.open.values() if order.spec.userref == number]
        if not orders:
            raise Refuse("EOrder:Unknown order")
        return {"count": _each(query, orders)}
    return {"count": _each(query, [_find(query)])}


def _cancel_all(query: Query) -> Any:
    return {"count": _each(query, list(query.venue.engine.open.values()))}


def _cancel_batch(query: Query) -> Any:
    ids, clients = query.form.get("orders", []), query.form.get("cl_ord_ids", [])
    if not isinstance(ids, list) or not isinstance(clients, list) or not 1 <= len(ids) + len(clients) <= 50:
        raise Refuse(f"{ARGUMENTS}:orders")
    found: dict[str, Order] = {}
    for item in [*ids, *({"cl_ord_id": name} for name in clients)]:
        given = item if isinstance(item, dict) else {"txid": item}
        for order in query.venue.engine.open.values():
            name = given.get("txid", given.get("cl_ord_id", given.get("userref")))
            if name is not None and name in (order.order_id, order.spec.cl_ord_id or None, order.spec.userref):
                found[order.order_id] = order
    return {"count": _each(query, list(found.values()))}


def _add_batch(query: Query) -> Any:
    orders = query.form.get("orders")
    if not isinstance(orders, list) or not 2 <= len(orders) <= 15 or not all(isinstance(item, dict) for item in orders):
        raise Refuse(f"{ARGUMENTS}:orders has 2 to 15 items")
    common = {name: query.form[name] for name in ("pair", "deadline", "validate") if name in query.form}
    ready = [_spec(Query(query.venue, {**item, **common}, query.asked)) for item in orders]
    query.venue.engine.charge(ready[0][0].symbol, len(ready) * ONE // 2, query.now_ns)
    told = []
    for pair, spec in ready:
        try:
            order = query.venue.desk.add(spec, query.asked, cost=0)
            result: dict[str, Any] = {"descr": {"order": described(pair, spec)}}
            told.append(result if order is None else result | {"txid": order.order_id})
        except Refuse as refused:
            told.append({"error": refused.text})
    return {"orders": told}


def _after(query: Query) -> Any:
    timeout = scaled(query.form.get("timeout"), 0)
    if timeout is None or not 0 <= timeout <= MAX_TIMEOUT_S:
        raise Refuse(f"{ARGUMENTS}:timeout")
    return after_result(query.venue, timeout, query.now_ns)


METHODS: Final[dict[str, Callable[[Query], Any]]] = {
    "GetWebSocketsToken": _token, "GetApiKeyInfo": _key_info, "Balance": _balance, "BalanceEx": _balance_ex,
    "TradeBalance": _trade_balance, "AddOrder": _add, "AmendOrder": _amend, "EditOrder": _edit,
    "CancelOrder": _cancel, "CancelAll": _cancel_all, "AddOrderBatch": _add_batch, "CancelOrderBatch": _cancel_batch,
    "CancelAllOrdersAfter": _after, "OpenOrders": open_orders, "ClosedOrders": closed, "QueryOrders": query_orders,
    "TradesHistory": trades, "QueryTrades": query_trades, "OrderAmends": order_amends,
}  # fmt: skip
"""Private methods by name."""
