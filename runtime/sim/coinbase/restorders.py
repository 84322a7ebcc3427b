"""Orders over Coinbase's REST: new, cancelled, edited, previewed, looked at one by one (venues.md 2.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.coinbase import forms
from runtime.sim.coinbase.forms import Bad
from runtime.sim.coinbase.lists import rest_order
from runtime.sim.coinbase.names import kind_of, product_id
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import load
from runtime.sim.exchange.refusal import Refusal, Refused

if TYPE_CHECKING:
    from runtime.sim.coinbase.venue import CoinbaseVenue

Body = Mapping[str, Any]
MOST_CANCELS: Final = 100
"""Not documented; what clients send at once (venues.md 2.4)."""
UNKNOWN: Final = "UNKNOWN_CANCEL_ORDER"


def _whole_request(refused: Refused) -> Answer | None:
    """Refusals of the request itself, whatever it asks for."""
    if refused.refusal is Refusal.RATE:
        return json_answer({"errors": [{"id": "rate_limit_exceeded", "message": "Rate limit exceeded"}]}, 429)
    if refused.refusal in {Refusal.BUSY, Refusal.SERVER}:
        text = "the service is unavailable"
        return json_answer({"error": "UNAVAILABLE", "error_details": text, "message": text}, 503)
    return None


class Orders:
    """Behind POST, and a look at one order."""

    def __init__(self, venue: CoinbaseVenue) -> None:
        self._venue = venue
        self._methods: dict[str, Callable[[Body, int], Answer]] = {
            "orders": self._new, "orders/batch_cancel": self._cancel, "orders/edit": self._edit,
            "orders/preview": self._preview,
        }  # fmt: skip

    def handle(self, name: str, body: bytes, now_ns: int) -> Answer:
        """One POST. Raises Bad."""
        if name not in self._methods:
            return json_answer({"error": "NOT_FOUND", "error_details": "", "message": "no such path"}, 404)
        try:
            asked = load(body)
        except ValueError:
            raise Bad("the body is no JSON") from None
        if not isinstance(asked, dict):
            raise Bad("the body is no JSON object")
        return self._methods[name](asked, now_ns)

    def one(self, order_id: str, now_ns: int) -> Answer:
        """GET /orders/historical/{id}: as far as lists see."""
        seen = self._venue.engine.as_of(self._venue.seen_ns(now_ns, "orders/historical"))
        for order in seen:
            if order.order_id == order_id:
                return json_answer({"order": rest_order(order)})
        text = "order with this orderID was not found"
        return json_answer({"error": "NOT_FOUND", "error_details": text, "message": text}, 404)

    def _new(self, body: Body, now_ns: int) -> Answer:
        venue, configuration = self._venue, body.get("order_configuration")

        def act(asked: Asked) -> Answer:
            order = venue.desk.place(forms.new_spec(body, venue.names, venue.pairs), asked)
            spec = order.spec
            told = {"order_id": order.order_id, "product_id": product_id(order), "side": spec.side.upper()}
            told["client_order_id"] = spec.cl_ord_id
            return json_answer({
                "success": True, "failure_reason": "UNKNOWN_FAILURE_REASON", "order_id": order.order_id,
                "success_response": told, "order_configuration": configuration,
            })  # fmt: skip

        def refuse(refused: Refused) -> Answer:
            return _whole_request(refused) or json_answer(forms.refused_order(refused, configuration))

        return venue.trade_rest("orders", act, refuse, now_ns)

    def _preview(self, body: Body, now_ns: int) -> Answer:
        """Every check of a new order; nothing is placed."""
        venue, errs = self._venue, []
        try:
            venue.engine.check(forms.new_spec({"client_order_id": "-"} | dict(body), venue.names, venue.pairs), now_ns)
        except Refused as refused:
            told = forms.refused_order(refused, {})["error_response"]
            errs = [told["preview_failure_reason"] or told["error"]]
        return json_answer({"order_total": "", "commission_total": "", "errs": errs, "warning": []})

    def _cancel(self, body: Body, now_ns: int) -> Answer:
        ids = body.get("order_ids")
        if not isinstance(ids, list) or not ids or not all(isinstance(name, str) for name in ids):
            raise Bad("order_ids is a list of order ids")
        if len(ids) > MOST_CANCELS:
            raise Bad(f"at most {MOST_CANCELS} order_ids")
        venue = self._venue

        def act(asked: Asked) -> Answer:
            results = []
            for order_id in ids:
                try:
                    venue.desk.cancel(venue.engine.find(order_id=order_id), asked)
                    told = (True, "UNKNOWN_CANCEL_FAILURE_REASON")
                except Refused as refused:
                    told = (False, refused.detail if refused.refusal is Refusal.FAULT else UNKNOWN)
                results.append({"success": told[0], "failure_reason": told[1], "order_id": order_id})
            return json_answer({"results": results})

        def refuse(refused: Refused) -> Answer:
            why = refused.detail or "COMMANDER_REJECTED_CANCEL_ORDER"
            rows = [{"success": False, "failure_reason": why, "order_id": order_id} for order_id in ids]
            return _whole_request(refused) or json_answer({"results": rows})

        return venue.trade_rest("orders/batch_cancel", act, refuse, now_ns)

    def _edit(self, body: Body, now_ns: int) -> Answer:
        """Price and size together, of a limit order that is good till cancelled."""
        for name in ("order_id", "price", "size"):
            if not isinstance(body.get(name), str) or not body[name]:
                raise Bad(f"{name} is required")
        venue = self._venue

        def act(asked: Asked) -> Answer:
            order = venue.engine.find(order_id=body["order_id"])
            if kind_of(order) != "limit_limit_gtc":
                raise Refused(Refusal.ARGUMENT)
            size = forms.amount(body["size"], order.pair.qty_precision, Refusal.SIZE_GRID)
            venue.desk.amend(order, asked, qty=size, price=forms.price_of(body["price"], order.pair))
            return json_answer({"success": True, "success_response": {"order_id": order.order_id}, "errors": []})

        def refuse(refused: Refused) -> Answer:
            preview = forms.NEW_WORDS.get(refused.refusal, ("", "", ""))[1]
            why = forms.EDIT_WORDS.get(refused.refusal, "COMMANDER_REJECTED_EDIT_ORDER")
            if refused.refusal is Refusal.FAULT:
                why, preview = refused.detail, ""
            told = {"edit_failure_reason": why, "preview_failure_reason": preview}
            return _whole_request(refused) or json_answer({"success": False, "errors": [told]})

        return venue.trade_rest("orders/edit", act, refuse, now_ns)
