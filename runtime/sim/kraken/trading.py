"""Trading over a socket: the eight methods, their answers, and what may go wrong with those (venues.md 1.9). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.kraken import forms
from runtime.sim.kraken.checks import check_deadline
from runtime.sim.kraken.connection import CUT
from runtime.sim.kraken.desk import Asked, Desk
from runtime.sim.kraken.forms import ARGUMENTS
from runtime.sim.kraken.order import Order
from runtime.sim.kraken.rates import ONE
from runtime.sim.kraken.subscriptions import ELSEWHERE
from runtime.sim.kraken.wire import Refuse
from runtime.sim.market import NS, rfc3339

if TYPE_CHECKING:
    from runtime.sim.kraken.connection import Connection, Request
    from runtime.sim.kraken.venue import KrakenVenue

Params = Mapping[str, Any]
Answers = list[dict[str, Any]]
MS: Final = 1_000_000
MAX_TIMEOUT_S: Final = 86_400


class Trading:
    """Carries out what sockets ask for."""

    def __init__(self, venue: KrakenVenue, desk: Desk) -> None:
        self._venue, self._engine, self._desk = venue, venue.engine, desk
        self._methods: dict[str, Callable[[Params, Asked], Answers]] = {
            "add_order": self._add, "amend_order": self._amend, "edit_order": self._edit,
            "cancel_order": self._cancel, "cancel_all": self._cancel_all, "batch_add": self._batch_add,
            "batch_cancel": self._batch_cancel, "cancel_all_orders_after": self._after,
        }  # fmt: skip

    def handle(self, connection: Connection, request: Request, now_ns: int) -> None:
        """Answers a trading request, now or when it reaches the engine."""
        late = connection.fires("engine_late", now_ns, request.method)
        if late is None:
            self._run(connection, request, now_ns)
        else:
            self._venue.later(now_ns + late.number * MS, lambda at_ns: self._run(connection, request, at_ns))

    def _run(self, connection: Connection, request: Request, now_ns: int) -> None:
        asked = Asked(request.method, now_ns, now_ns - connection.opened_ns, connection.index)
        self._desk.begin()
        try:
            answers = self._answers(connection, request, asked)
        except Refuse as refused:
            answers = [{"error": refused.text, "success": False}]
        self._answer(connection, request, answers, now_ns)

    def _answers(self, connection: Connection, request: Request, asked: Asked) -> Answers:
        params = request.params if request.params is not None else {}
        if not connection.is_private:
            raise Refuse(ELSEWHERE)
        forms.check_fields(request.method, params)
        error = self._venue.token_error(connection, params.get("token"), request.method, asked.now_ns)
        error = error or self._venue.permission_error(request.method)
        if error:
            raise Refuse(error)
        self._desk.check(asked)
        return self._methods[request.method](params, asked)

    def _answer(self, connection: Connection, request: Request, answers: Answers, now_ns: int) -> None:
        """Answers, then executions; the other way round where a fault says so."""
        method, venue = request.method, self._venue
        if connection.fires("response_lost", now_ns, method):
            connection.end(CUT)
        if connection.fires("busy_live", now_ns, method):
            answers = [{"error": "EService:Busy", "success": False}]
        if connection.fires("ack_lost", now_ns, method):
            answers = []
        late = connection.fires("ack_late", now_ns, method)
        if self._desk.executions_first or connection.active("executions_first", now_ns, method):
            venue.flush(now_ns)
        for fields in answers:
            connection.send(request.reply(venue.clock(now_ns), **fields), now_ns, late.number * MS if late else 0)
        self._desk.finish(now_ns)
        venue.flush(now_ns)

    # --- the methods ------------------------------------------------------------------------------------------------

    def _told(self, order: Order | None, spec_ids: Mapping[str, Any]) -> dict[str, Any]:
        ids = {name: spec_ids[name] for name in ("cl_ord_id", "order_userref") if name in spec_ids}
        return ({} if order is None else {"order_id": order.order_id}) | ids

    def _add(self, params: Params, asked: Asked) -> Answers:
        order = self._desk.add(forms.ws_spec(params, self._venue.book_pairs), asked)
        return [_ok(self._told(order, params))]

    def _amend(self, params: Params, asked: Asked) -> Answers:
        order = self._one(params)
        pair = order.pair
        for name in ("display_qty", "trigger_price", "trigger_price_type", "limit_price_type"):
            if name in params:
                raise Refuse(f"{ARGUMENTS}:{name} is not simulated")
        if "order_qty" not in params and "limit_price" not in params:
            raise Refuse(f"{ARGUMENTS}:no fields to amend")
        check_deadline(forms.deadline(params), asked.now_ns, shortest_ns=asked.shortest_ns)
        amend_id = self._engine.amend(
            order, asked.now_ns, post_only=params.get("post_only", False),
            qty=forms.quantity(pair, params["order_qty"], "order_qty") if "order_qty" in params else 0,
            price=forms.price(pair, params["limit_price"]) if "limit_price" in params else 0,
        )  # fmt: skip
        ids = {name: params[name] for name in ("order_id", "cl_ord_id") if name in params}
        return [_ok({"amend_id": amend_id} | ids)]

    def _one(self, params: Params) -> Order:
        order_id, cl_ord_id = params.get("order_id", ""), params.get("cl_ord_id", "")
        if not isinstance(order_id, str) or bool(order_id) == bool(cl_ord_id):
            raise Refuse(f"{ARGUMENTS}:one of order_id and cl_ord_id")
        return self._engine.find(order_id=order_id, cl_ord_id=cl_ord_id)

    def _edit(self, params: Params, asked: Asked) -> Answers:
        if not isinstance(params.get("order_id"), str):
            raise Refuse(f"{ARGUMENTS}:order_id")
        old = self._engine.find(order_id=params["order_id"])
        pair = forms.pair_of(self._venue.book_pairs, params.get("symbol"))
        if pair.symbol != old.spec.symbol or "triggers" in params or "display_qty" in params:
            raise Refuse(f"{ARGUMENTS}:symbol, triggers and display_qty stay as they were")
        spec = msgspec.structs.replace(
            old.spec, cl_ord_id="", validate=params.get("validate", False), deadline_ns=forms.deadline(params),
            qty=forms.quantity(pair, params["order_qty"], "order_qty") if "order_qty" in params else old.qty,
            price=forms.price(pair, params["limit_price"]) if "limit_price" in params else old.price,
            post_only=params.get("post_only", old.spec.post_only), effective_ns=0,
            userref=forms.userref(params) if "order_userref" in params else old.spec.userref,
        )  # fmt: skip
        order = self._engine.edit(old, spec, asked.now_ns)
        new = {} if order is None else {"order_id": order.order_id}
        return [_ok(new | {"original_order_id": old.order_id})]

    def _cancel(self, params: Params, asked: Asked) -> Answers:
        """One answer for each, in the order of the request."""
        wanted: list[tuple[str, Any]] = []
        for name in ("order_id", "cl_ord_id", "order_userref"):
            given = params.get(name, [])
            if not isinstance(given, list):
                raise Refuse(f"{name.capitalize()} field must be an array")
            wanted += [(name, value) for value in given]
        if not wanted:
            raise Refuse(f"{ARGUMENTS}:order_id, cl_ord_id or order_userref")
        answers: Answers = []
        for name, value in wanted:
            try:
                for order in self._meant(name, value):
                    self._desk.cancel(order, asked)
                    told = {"cl_ord_id": value} if name == "cl_ord_id" else {"order_id": order.order_id}
                    answers.append(_ok(told))
            except Refuse as refused:
                answers.append({"error": refused.text, "success": False})
        return answers

    def _meant(self, name: str, value: Any) -> list[Order]:
        """The open orders that one id means. Raises Refuse."""
        if name == "order_userref":
            found = [order for order in self._engine.open.values() if order.spec.userref == value]
            if found:
                return found
            raise Refuse("EOrder:Unknown order")
        if not isinstance(value, str):
            raise Refuse(f"{ARGUMENTS}:{name}")
        return [self._engine.find(**{name: value})]

    def _cancel_all(self, params: Params, asked: Asked) -> Answers:
        del params
        orders = list(self._engine.open.values())
        return [_ok({"count": self._each(orders, asked)})]

    def _each(self, orders: list[Order], asked: Asked) -> int:
        count = 0
        for order in orders:
            try:
                self._desk.cancel(order, asked)
                count += 1
            except Refuse:
                continue  # a fault: it was filled as its cancel arrived
        return count

    def _batch_cancel(self, params: Params, asked: Asked) -> Answers:
        ids, clients = params.get("orders", []), params.get("cl_ord_id", [])
        if not isinstance(ids, list) or not isinstance(clients, list) or not 2 <= len(ids) + len(clients) <= 50:
            raise Refuse(f"{ARGUMENTS}:orders has 2 to 50 items")
        found: dict[str, Order] = {}
        for name, value in [*(("orders", value) for value in ids), *(("cl_ord_id", value) for value in clients)]:
            by = "order_userref" if isinstance(value, int) else "order_id" if name == "orders" else name
            try:
                found |= {order.order_id: order for order in self._meant(by, value)}
            except Refuse:
                continue  # one that is not open does not count
        return [_ok({"count": self._each(list(found.values()), asked)})]

    def _batch_add(self, params: Params, asked: Asked) -> Answers:
        """The form of each is checked before any is placed; what the engine says stands at its order."""
        orders = params.get("orders")
        if not isinstance(orders, list) or not 2 <= len(orders) <= 15:
            raise Refuse(f"{ARGUMENTS}:orders has 2 to 15 items")
        common = {name: params[name] for name in ("symbol", "deadline", "validate") if name in params}
        specs = []
        for item in orders:
            if not isinstance(item, dict):
                raise Refuse(f"{ARGUMENTS}:orders")
            forms.check_fields("batch_add", item, forms.ORDER_FIELDS - {"token", "symbol", "deadline", "validate"})
            specs.append(forms.ws_spec({**item, **common}, self._venue.book_pairs))
        self._engine.charge(specs[0].symbol, len(specs) * ONE // 2, asked.now_ns)
        results: list[dict[str, Any]] = []
        for item, spec in zip(orders, specs, strict=True):
            try:
                results.append(self._told(self._desk.add(spec, asked, cost=0), item))
            except Refuse as refused:
                results.append(self._told(None, item) | {"error": refused.text})
        return [_ok(results)]

    def _after(self, params: Params, asked: Asked) -> Answers:
        timeout = params.get("timeout")
        if type(timeout) is not int or not 0 <= timeout <= MAX_TIMEOUT_S:
            raise Refuse(f"{ARGUMENTS}:timeout")
        return [_ok(after_result(self._venue, timeout, asked.now_ns))]


def _ok(result: object) -> dict[str, Any]:
    return {"result": result, "success": True}


def after_result(venue: KrakenVenue, timeout_s: int, now_ns: int) -> dict[str, str]:
    """Arms or disarms the switch; what both roads answer."""
    trigger_ns = venue.engine.arm(timeout_s, now_ns)
    current = _whole_seconds(venue.clock(now_ns))
    return {"currentTime": current, "triggerTime": _whole_seconds(venue.clock(trigger_ns)) if trigger_ns else "0"}


def _whole_seconds(ts_ns: int) -> str:
    return rfc3339(ts_ns // NS * NS)[:19] + "Z"
