"""The user channel: an order's cumulative state, every number and every yes or no a text (venues.md 2.4). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime.sim.coinbase.names import product_id
from runtime.sim.exchange.numbers import UNIT, short
from runtime.sim.market import rfc3339

if TYPE_CHECKING:
    from runtime.sim.exchange.order import Order, Told

TIFS: Final = {
    "gtc": "GOOD_UNTIL_CANCELLED", "gtd": "GOOD_UNTIL_DATE_TIME", "ioc": "IMMEDIATE_OR_CANCEL", "fok": "FILL_OR_KILL",
}  # fmt: skip
STATUSES: Final = {
    "new": "OPEN", "partially_filled": "OPEN", "filled": "FILLED", "canceled": "CANCELLED", "expired": "EXPIRED",
    "rejected": "FAILED",
}  # fmt: skip
REASONS: Final = {
    "user": "User requested cancel", "ioc": "Unfilled part of an immediate order", "fok": "Fill or kill not filled",
    "no_liquidity": "No liquidity", "self_trade": "Self trade prevention", "expired": "Expired",
}  # fmt: skip


def fee_of(order: Order) -> int:
    """All fees of an order: they are paid in the quote."""
    return sum(order.fees.values())


def average_text(order: Order) -> str:
    """The mean price of what was filled, "0" before the first fill."""
    places = order.pair.price_precision + 4
    return short(order.average(places), places)


def order_row(order: Order, status: str = "") -> dict[str, Any]:
    """One order as the user channel has it; `status` where it is not the one it has."""
    pair, spec = order.pair, order.spec
    size = order.qty or order.cum_qty
    done = 100 * order.cum_qty // size if size else 0
    status = status or STATUSES[order.status]
    left = order.left if order.is_open or status == "CANCEL_QUEUED" else 0
    return {
        "order_id": order.order_id, "client_order_id": spec.cl_ord_id, "product_id": product_id(order),
        "status": status, "cumulative_quantity": short(order.cum_qty, pair.qty_precision),
        "leaves_quantity": short(left, pair.qty_precision),
        "avg_price": average_text(order), "total_fees": short(fee_of(order), UNIT),
        "filled_value": short(order.cum_cost, UNIT), "number_of_fills": str(len(order.fills)),
        "completion_percentage": str(done), "order_side": spec.side.upper(),
        "order_type": spec.order_type.capitalize(), "stop_price": "",
        "limit_price": short(order.price, pair.price_precision) if order.price else "",
        "post_only": "true" if spec.post_only else "false", "time_in_force": TIFS[spec.tif],
        "cancel_reason": REASONS.get(order.reason, order.reason) if status in {"CANCELLED", "EXPIRED"} else "",
        "reject_reason": "", "creation_time": rfc3339(order.opened_ns),
        "end_time": rfc3339(spec.expire_ns) if spec.expire_ns else "0001-01-01T00:00:00Z", "product_type": "SPOT",
    }  # fmt: skip


def updates_of(told: Told) -> list[dict[str, Any]]:
    """What is told of one event: a new order is pending first, one that its owner cancels is queued for it first."""
    if told.kind == "new":
        return [order_row(told.order, "PENDING"), order_row(told.order, "OPEN")]
    if told.kind == "canceled" and told.reason == "user":
        return [order_row(told.order, "CANCEL_QUEUED"), order_row(told.order)]
    return [order_row(told.order)]
