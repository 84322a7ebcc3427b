"""Methods that look at or touch the account: the same over WebSocket and REST (venues.md 3.2). Pure.

Each takes a `Call` and returns the result; it raises Refused or Oops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.binance import forms, names, rows
from runtime.sim.binance.access import ALPHABET
from runtime.sim.binance.words import Oops, missing, oops
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.order import Order
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import SimPair, seeded

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

NO_ORDER: Final = Oops(400, -2013, "Order does not exist.")
LISTS: Final = 1000


class Call(msgspec.Struct, frozen=True):
    """One request: its parameters, and where it comes from."""

    params: Mapping[str, Any]
    asked: Asked

    @property
    def now_ns(self) -> int:
        return self.asked.now_ns


class Orders:
    """The methods of the account. `trading` are those that may change an order."""

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue, self._engine, self._desk = venue, venue.engine, venue.desk
        self._rng = seeded(f"{venue.seed}/binance/ids")
        self.trading: dict[str, Callable[[Call], Any]] = {
            "order.place": self.place, "order.test": self.test, "order.cancel": self.cancel,
            "order.cancelReplace": self.replace, "order.amend.keepPriority": self.amend,
            "openOrders.cancelAll": self.cancel_all,
        }  # fmt: skip
        self.reading: dict[str, Callable[[Call], Any]] = {
            "order.status": self.status, "openOrders.status": self.open_orders, "allOrders": self.all_orders,
            "myTrades": self.my_trades, "account.status": self.account,
            "account.rateLimits.orders": self.order_limits, "account.commission": self.commission,
        }  # fmt: skip

    def own_id(self) -> str:
        """An id for a client that gave none."""
        return "".join(self._rng.choices(ALPHABET, k=22))

    def _pair(self, call: Call) -> SimPair:
        return forms.pair_of(self._venue.symbols, call.params)

    # --- new orders --------------------------------------------------------------------------------------------------

    def place(self, call: Call) -> dict[str, Any]:
        """order.place."""
        pair, params, engine = self._pair(call), call.params, self._engine
        answer = forms.word(params, "newOrderRespType", forms.ANSWERS) or "FULL"
        spec = forms.spec(pair, params, self.own_id())
        self._venue.limits.order(call.now_ns)
        order = self._desk.place(spec, call.asked)
        fills = [engine.fills[exec_id] for exec_id in order.fills]
        return rows.placed(order, fills, answer, self._venue.clock(call.now_ns))

    def test(self, call: Call) -> dict[str, Any]:
        """order.test: every check, and no order."""
        self._engine.check(forms.spec(self._pair(call), call.params, self.own_id()), call.now_ns)
        return {}

    # --- changes -----------------------------------------------------------------------------------------------------

    def _one(self, call: Call, order_id: str = "orderId", client: str = "origClientOrderId") -> Order:
        """The open order that is meant. Raises Refused, Oops."""
        pair, wanted = self._pair(call), forms.whole(call.params, order_id)
        name = str(call.params.get(client) or "")
        if wanted is None and not name:
            raise missing(client)
        found = self._engine.find(
            order_id="" if wanted is None else str(wanted), cl_ord_id=name, symbol=pair.symbol
        )  # fmt: skip
        if wanted is not None and name and found.spec.cl_ord_id != name:
            raise Refused(Refusal.UNKNOWN)
        return found

    def cancel(self, call: Call) -> dict[str, Any]:
        """order.cancel."""
        order = self._one(call)
        only = str(call.params.get("cancelRestrictions") or "")
        wants = {"ONLY_NEW": "new", "ONLY_PARTIALLY_FILLED": "partially_filled"}.get(only, order.status)
        if order.status != wants:
            raise Oops(400, -2011, "Order was not canceled due to cancel restrictions.")
        own = forms.client_id(call.params, "newClientOrderId") or self.own_id()
        self._venue.cancel_ids[order.order_id] = own
        self._desk.cancel(order, call.asked)
        return rows.canceled(order, own, self._venue.clock(call.now_ns))

    def cancel_all(self, call: Call) -> list[dict[str, Any]]:
        """openOrders.cancelAll: of one symbol. Raises Refused where nothing is open."""
        orders = self._desk.cancel_all(call.asked, self._pair(call).symbol)
        if not orders:
            raise Refused(Refusal.UNKNOWN)
        return [rows.canceled(order, self.own_id(), self._venue.clock(call.now_ns)) for order in orders]

    def amend(self, call: Call) -> dict[str, Any]:
        """order.amend.keepPriority: less of it, in its place; without newClientOrderId it gets a name of chance."""
        order = self._one(call)
        if "newQty" not in call.params:
            raise missing("newQty")
        qty = names.read_qty(order.pair, call.params["newQty"], "newQty")
        if not order.cum_qty < qty < order.qty:
            text = "The requested action would change no state; rejecting."
            raise Oops(
                400, -2038, text if qty == order.qty else "Quantity must be less than the order's and not filled."
            )
        new_id = forms.client_id(call.params, "newClientOrderId") or self.own_id()
        old_id = order.spec.cl_ord_id
        if new_id != old_id:
            self._engine.rename(order, new_id)
        try:
            self._desk.amend(order, call.asked, qty=qty)
        except Refused:
            order.spec = msgspec.structs.replace(order.spec, cl_ord_id=old_id)
            raise
        now_ns = self._venue.clock(call.now_ns)
        amended = rows.ids(order) | {"origClientOrderId": old_id, "clientOrderId": new_id} | rows.terms(order)
        amended |= {
            "qty": amended.pop("origQty"), "quoteOrderQty": amended.pop("origQuoteOrderQty"),
            "cumulativeQuoteQty": amended.pop("cummulativeQuoteQty"), "preventedQty": rows.ZERO,
            "workingTime": order.opened_ns // MS, "selfTradePreventionMode": rows.STP[order.spec.stp],
        }  # fmt: skip
        return {"transactTime": now_ns // MS, "executionId": self._venue.execution_id(), "amendedOrder": amended}

    def replace(self, call: Call) -> dict[str, Any]:
        """order.cancelReplace: a cancel, then a new order; half of it may succeed (status 409)."""
        mode = forms.word(call.params, "cancelReplaceMode", frozenset({"STOP_ON_FAILURE", "ALLOW_FAILURE"}))
        if not mode:
            raise missing("cancelReplaceMode")
        cancel_params = {
            "symbol": call.params.get("symbol"), "orderId": call.params.get("cancelOrderId"),
            "origClientOrderId": call.params.get("cancelOrigClientOrderId"),
            "newClientOrderId": call.params.get("cancelNewClientOrderId"),
            "cancelRestrictions": call.params.get("cancelRestrictions"),
        }  # fmt: skip
        canceled = self._try(self.cancel, Call(cancel_params, call.asked), "order.cancel")
        placed: dict[str, Any] | Oops | None = None
        if not isinstance(canceled, Oops) or mode == "ALLOW_FAILURE":
            placed = self._try(self.place, call, "order.place")
        told = {
            "cancelResult": "FAILURE" if isinstance(canceled, Oops) else "SUCCESS",
            "newOrderResult": "NOT_ATTEMPTED" if placed is None else "FAILURE" if isinstance(placed, Oops)
            else "SUCCESS",
            "cancelResponse": canceled.body if isinstance(canceled, Oops) else canceled,
            "newOrderResponse": placed.body if isinstance(placed, Oops) else placed,
        }  # fmt: skip
        if told["cancelResult"] == told["newOrderResult"] == "SUCCESS":
            return told
        if "SUCCESS" in (told["cancelResult"], told["newOrderResult"]):
            raise Oops(409, -2021, "Order cancel-replace partially failed.", told)
        raise Oops(400, -2022, "Order cancel-replace failed.", told)

    def _try(self, act: Callable[[Call], dict[str, Any]], call: Call, method: str) -> dict[str, Any] | Oops:
        try:
            return act(call)
        except Refused as refused:
            return oops(refused, method)
        except Oops as problem:
            return problem

    # --- lists -------------------------------------------------------------------------------------------------------

    def _seen(self, call: Call) -> list[Order]:
        return self._engine.as_of(self._venue.seen_ns(call.now_ns, call.asked.method))

    def status(self, call: Call) -> dict[str, Any]:
        """order.status: open or not."""
        pair, wanted = self._pair(call), forms.whole(call.params, "orderId")
        name = str(call.params.get("origClientOrderId") or "")
        if wanted is None and not name:
            raise missing("origClientOrderId")
        for order in reversed(self._seen(call)):
            by_id = wanted is None or order.order_id == str(wanted)
            if order.spec.symbol == pair.symbol and by_id and (not name or order.spec.cl_ord_id == name):
                return rows.order_row(order)
        raise NO_ORDER

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """openOrders.status: of one symbol or all."""
        symbol = self._pair(call).symbol if call.params.get("symbol") else ""
        return [
            rows.order_row(order) for order in self._seen(call) if order.is_open and symbol in ("", order.spec.symbol)
        ]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """allOrders: from orderId on, or of a time, oldest first; without either the latest."""
        pair, params = self._pair(call), call.params
        first, limit = forms.whole(params, "orderId"), self._limit(call)
        start, end = self._span(call)
        found = [
            order for order in self._seen(call)
            if order.spec.symbol == pair.symbol and start <= order.opened_ns // MS <= end
            and (first is None or int(order.order_id) >= first)
        ]  # fmt: skip
        found = found[:limit] if first is not None or "startTime" in params else found[-limit:]
        return [rows.order_row(order) for order in found]

    def my_trades(self, call: Call) -> list[dict[str, Any]]:
        """myTrades of a symbol: from fromId on, of an order, or of a time, oldest first."""
        pair, params = self._pair(call), call.params
        order_id, first, limit = forms.whole(params, "orderId"), forms.whole(params, "fromId"), self._limit(call)
        start, end = self._span(call)
        until_ns = self._venue.seen_ns(call.now_ns, call.asked.method)
        found = [
            fill for fill in self._engine.fills_as_of(until_ns)
            if fill.symbol == pair.symbol and start <= fill.ts_ns // MS <= end
            and (order_id is None or fill.order_id == str(order_id)) and (first is None or fill.trade_id >= first)
        ]  # fmt: skip
        found = found[:limit] if first is not None or "startTime" in params else found[-limit:]
        return [rows.fill_row(fill) for fill in found]

    def _limit(self, call: Call) -> int:
        found = forms.whole(call.params, "limit", 500)
        if found is None or found < 1:
            raise missing("limit")
        return min(found, LISTS)

    def _span(self, call: Call) -> tuple[int, int]:
        start, end = forms.whole(call.params, "startTime", 0), forms.whole(call.params, "endTime", 2**62)
        if start is None or end is None or start > end:
            raise missing("startTime")
        return start, end

    def account(self, call: Call) -> dict[str, Any]:
        """account.status."""
        omits = str(call.params.get("omitZeroBalances", "")).lower() == "true"
        return rows.account(self._venue, self._venue.clock(call.now_ns), omits_zero=omits)

    def order_limits(self, call: Call) -> list[dict[str, Any]]:
        """account.rateLimits.orders."""
        return self._venue.limits.counts(call.now_ns, orders=True)[:2]

    def commission(self, call: Call) -> dict[str, Any]:
        """account.commission of a symbol."""
        pair = self._pair(call)
        rates = rows.account(self._venue, call.now_ns, omits_zero=True)["commissionRates"]
        return {"symbol": names.symbol_of(pair), "standardCommission": rates}
