"""What touches or shows the account: the same over the trade socket and REST (venues.md 5.4). Pure.

Success means accepted: what became of an order is told by the private socket's topics.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from runtime.sim.bybit import forms, rows
from runtime.sim.bybit.words import Oops, bad, oops
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import MS, millis, scaled, short
from runtime.sim.exchange.order import Order
from runtime.sim.exchange.refusal import Refused

if TYPE_CHECKING:
    from runtime.sim.bybit.venue import BybitVenue

T = TypeVar("T")
BATCH: Final = 10
CLOSED: Final = 500
SINGLE: Final = {"order.create-batch": "order.create", "order.amend-batch": "order.amend",
                 "order.cancel-batch": "order.cancel"}  # fmt: skip


class Call(msgspec.Struct, frozen=True):
    """One request: its parameters, and where it comes from."""

    params: Mapping[str, Any]
    asked: Asked

    @property
    def now_ns(self) -> int:
        return self.asked.now_ns


class Done(msgspec.Struct, frozen=True):
    """`result`, and what stands beside it."""

    result: Any
    extra: dict[str, Any] = {}


class Orders:
    """`trading`: methods that may touch an order; `reading`: those that look. They raise Refused, Oops."""

    def __init__(self, venue: BybitVenue) -> None:
        self._venue, self._engine, self._desk = venue, venue.engine, venue.desk
        self._single: dict[str, Callable[[Mapping[str, Any], Asked], dict[str, Any]]] = {
            "order.create": self.create, "order.amend": self.amend, "order.cancel": self.cancel,
        }  # fmt: skip
        self.trading = frozenset({*self._single, *SINGLE, "order.cancel-all"})
        self.reading: dict[str, Callable[[Call], Done]] = {
            "order.realtime": self.realtime, "order.history": self.history, "execution.list": self.executions,
            "account.wallet-balance": self.wallet, "account.info": self.info, "account.fee-rate": self.fee_rate,
        }  # fmt: skip

    # --- changes -----------------------------------------------------------------------------------------------------

    def run(self, method: str, call: Call) -> Done:
        """One that touches orders."""
        forms.check_category(call.params)
        self._venue.access.check_trade()
        if method in SINGLE:
            return self._batch(method, call)
        self._venue.limits.take(method, 1, call.now_ns)
        if method == "order.cancel-all":
            return self._cancel_all(call)
        return Done(self._single[method](call.params, call.asked))

    def _batch(self, method: str, call: Call) -> Done:
        """Each by itself; the two lists have one order."""
        wanted = call.params.get("request")
        if not isinstance(wanted, list) or not 1 <= len(wanted) <= BATCH:
            raise bad("request")
        self._venue.limits.take(method, len(wanted), call.now_ns)
        act, found, codes = self._single[SINGLE[method]], [], []
        for one in wanted:
            try:
                if not isinstance(one, dict):
                    raise bad("request")
                found.append(act(one, call.asked))
                codes.append({"code": 0, "msg": "OK"})
            except (Refused, Oops) as error:
                what = self._venue.METHODS[SINGLE[method]]
                problem = oops(error, what) if isinstance(error, Refused) else error
                link = one.get("orderLinkId", "") if isinstance(one, dict) else ""
                found.append({"category": "spot", "symbol": "", "orderId": "", "orderLinkId": link, "createAt": ""})
                codes.append({"code": problem.code, "msg": problem.message})
        return Done({"list": found}, {"list": codes})

    def create(self, params: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        """order.create."""
        pair = forms.pair_of(self._venue.symbols, params)
        order = self._desk.place(forms.spec(pair, params), asked)
        return self._ids(order) | {"createAt": millis(self._venue.clock(order.opened_ns))}

    def _ids(self, order: Order) -> dict[str, Any]:
        return {
            "category": "spot", "symbol": rows.symbol_of(order.pair), "orderId": order.order_id,
            "orderLinkId": order.spec.cl_ord_id,
        }  # fmt: skip

    def _one(self, params: Mapping[str, Any]) -> Order:
        """The open order that is meant; the venue's id wins. Raises Refused, Oops."""
        pair = forms.pair_of(self._venue.symbols, params)
        order_id, link = str(params.get("orderId") or ""), str(params.get("orderLinkId") or "")
        if not order_id and not link:
            raise bad("orderId or orderLinkId")
        return self._engine.find(order_id=order_id, cl_ord_id=link, symbol=pair.symbol)

    def amend(self, params: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        """order.amend: price, quantity (with what is filled), or both."""
        order = self._one(params)
        if not params.get("qty") and not params.get("price"):
            raise bad("qty or price")
        self._desk.amend(
            order, asked, qty=forms.read_qty(order.pair, params["qty"]) if params.get("qty") else 0,
            price=forms.read_price(order.pair, params["price"]) if params.get("price") else 0,
        )  # fmt: skip
        return self._ids(order)

    def cancel(self, params: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
        """order.cancel."""
        order = self._one(params)
        self._desk.cancel(order, asked)
        return self._ids(order)

    def _cancel_all(self, call: Call) -> Done:
        """Every open order, of one symbol where it is named."""
        symbol = forms.pair_of(self._venue.symbols, call.params).symbol if call.params.get("symbol") else ""
        orders = self._desk.cancel_all(call.asked, symbol)
        ids = [{"orderId": order.order_id, "orderLinkId": order.spec.cl_ord_id} for order in orders]
        return Done({"list": ids, "success": "1"})

    # --- lists -------------------------------------------------------------------------------------------------------

    def _seen(self, call: Call) -> list[Order]:
        """All orders as lists see them, the youngest first."""
        return self._engine.as_of(self._venue.seen_ns(call.now_ns, call.asked.method))[::-1]

    def _named(self, call: Call, orders: list[Order]) -> list[Order] | None:
        """By orderId or orderLinkId, the first before the second; None where neither is given."""
        order_id, link = str(call.params.get("orderId") or ""), str(call.params.get("orderLinkId") or "")
        if order_id:
            return [order for order in orders if order.order_id == order_id]
        return [order for order in orders if order.spec.cl_ord_id == link] if link else None

    def _of_symbol(self, call: Call, orders: list[Order]) -> list[Order]:
        if not call.params.get("symbol"):
            return orders
        symbol = forms.pair_of(self._venue.symbols, call.params).symbol
        return [order for order in orders if order.spec.symbol == symbol]

    def realtime(self, call: Call) -> Done:
        """Open orders; openOnly=1 the last that are closed; one by its id, open or not."""
        forms.check_category(call.params)
        orders = self._seen(call)
        found = self._named(call, orders)
        if found is None:
            wants_open = str(call.params.get("openOnly") or "0") == "0"
            found = [order for order in self._of_symbol(call, orders) if order.is_open is wants_open]
        return self._page(call, [rows.order_row(order) for order in found[:CLOSED]], 50)

    def history(self, call: Call) -> Done:
        """Orders that are over."""
        forms.check_category(call.params)
        orders = self._seen(call)
        found = self._named(call, orders)
        if found is None:
            found = [order for order in self._of_symbol(call, orders) if not order.is_open]
        start, end = self._span(call)
        found = [order for order in found if start <= order.opened_ns // MS <= end]
        return self._page(call, [rows.order_row(order) for order in found], 50)

    def executions(self, call: Call) -> Done:
        """Executions, the youngest first."""
        forms.check_category(call.params)
        engine, rules, params = self._engine, self._engine.rules, call.params
        order_id, link = str(params.get("orderId") or ""), str(params.get("orderLinkId") or "")
        symbol = forms.pair_of(self._venue.symbols, params).symbol if params.get("symbol") else ""
        start, end = self._span(call)
        found = []
        for fill in reversed(engine.fills_as_of(self._venue.seen_ns(call.now_ns, call.asked.method))):
            order = engine.orders[fill.order_id]
            is_meant = fill.order_id == order_id if order_id else not link or order.spec.cl_ord_id == link
            if is_meant and symbol in ("", fill.symbol) and start <= fill.ts_ns // MS <= end:
                rate = rules.maker_ppm if fill.maker else rules.taker_ppm
                found.append(rows.execution_row(fill, order, rate))
        return self._page(call, found, 100)

    def _span(self, call: Call) -> tuple[int, int]:
        bounds = []
        for name, default in (("startTime", 0), ("endTime", 2**62)):
            given = call.params.get(name)
            found = scaled(given, 0) if given not in (None, "") else default
            if found is None:
                raise bad(name)
            bounds.append(found)
        return bounds[0], bounds[1]

    def _page(self, call: Call, found: Sequence[T], longest: int) -> Done:
        """`limit` rows from `cursor` on; an empty cursor says that there are no more."""
        limit, first = scaled(call.params.get("limit") or 20, 0), scaled(call.params.get("cursor") or 0, 0)
        if limit is None or not 1 <= limit <= longest or first is None or first < 0:
            raise bad("limit or cursor")
        more = first + limit < len(found)
        cursor = str(first + limit) if more else ""
        return Done({"list": list(found[first : first + limit]), "nextPageCursor": cursor, "category": "spot"})

    def wallet(self, call: Call) -> Done:
        """The unified account."""
        if call.params.get("accountType") != "UNIFIED":
            raise bad("accountType")
        named = [coin for coin in str(call.params.get("coin") or "").split(",") if coin]
        assets = named or [asset for asset, amount in self._engine.account.balances.items() if amount]
        return Done({"list": [rows.wallet(self._venue, assets)]})

    def info(self, call: Call) -> Done:
        """What kind of account it is."""
        return Done({
            "unifiedMarginStatus": 5, "marginMode": "REGULAR_MARGIN", "isMasterTrader": False,
            "spotHedgingStatus": "OFF", "updatedTime": millis(call.now_ns), "dcpStatus": "OFF", "timeWindow": 0,
            "smpGroup": 0,
        })  # fmt: skip

    def fee_rate(self, call: Call) -> Done:
        """Fees of each symbol."""
        rules = self._engine.rules
        rates = {"takerFeeRate": short(rules.taker_ppm, 6), "makerFeeRate": short(rules.maker_ppm, 6)}
        wanted = call.params.get("symbol")
        names = [rows.symbol_of(pair) for pair in self._venue.pairs.values()]
        return Done({"list": [{"symbol": name} | rates for name in names if wanted in (None, "", name)]})
