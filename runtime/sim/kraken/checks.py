"""What the engine asks of an order before it takes it, and the venue's words for it (venues.md 1.9, 1.10). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from runtime.sim.exchange.numbers import UNIT, cost_of
from runtime.sim.kraken.order import NewSpec, Order
from runtime.sim.kraken.wire import Refuse
from runtime.sim.market import NS, SimPair

MONTH_NS: Final = 31 * 86_400 * NS
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}")
_SHORT: Final = re.compile(r"[!-~](?:[ -~]{0,16}[!-~])?")
MODES: Final = {
    "maintenance": "EService:Unavailable",
    "cancel_only": "EService:Market in cancel_only mode",
    "post_only": "EService:Market in post_only mode",
    "limit_only": "EService:Market in limit_only mode",
}
REDUCE_ONLY: Final = "EOrder:Reduce only:No position exists"


def check_mode(system: str, spec: NewSpec) -> None:
    """The system's or the pair's state. Raises Refuse."""
    if system in {"maintenance", "cancel_only"}:
        raise Refuse(MODES[system])
    if (system == "post_only" and not spec.post_only) or (system == "limit_only" and spec.order_type != "limit"):
        raise Refuse(MODES[system])


def check_id(cl_ord_id: str, userref: int | None, open_orders: Iterable[Order]) -> None:
    """cl_ord_id: a UUID with or without dashes, or up to 18 of ASCII; unique among open orders only. Raises Refuse."""
    if cl_ord_id and userref is not None:
        raise Refuse("EGeneral:Invalid arguments:cl_ord_id and userref are mutually exclusive")
    if userref is not None and not -(2**31) <= userref < 2**31:
        raise Refuse("EGeneral:Invalid arguments:userref")
    if cl_ord_id and not (_UUID.fullmatch(cl_ord_id) or _SHORT.fullmatch(cl_ord_id)):
        raise Refuse("EGeneral:Invalid arguments:cl_ord_id")
    if cl_ord_id and any(order.spec.cl_ord_id == cl_ord_id for order in open_orders):
        raise Refuse("EGeneral:Invalid arguments:cl_ord_id is already in use")


def check_price(pair: SimPair, price: int) -> None:
    """Above zero and on the grid. Raises Refuse."""
    if price <= 0:
        raise Refuse("EOrder:Invalid price")
    if price % pair.tick:
        raise Refuse("EOrder:Tick size check failed")


def check_size(pair: SimPair, price: int, qty: int) -> None:
    """Minimums of quantity and cost. Raises Refuse."""
    if qty < pair.qty_min:
        raise Refuse("EOrder:Order minimum not met")
    if cost_of(pair, price, qty) < pair.cost_min * 10 ** (UNIT - pair.cost_precision):
        raise Refuse("EOrder:Cost minimum not met")


def check_deadline(deadline_ns: int, now_ns: int, *, shortest_ns: int) -> None:
    """`shortest_ns` … 60 s ahead (500 ms on a socket, 2 s over REST). Raises Refuse."""
    if not deadline_ns:
        return
    if deadline_ns <= now_ns:
        raise Refuse("EService:Deadline elapsed")
    if not shortest_ns <= deadline_ns - now_ns <= 60 * NS:
        raise Refuse("EGeneral:Invalid arguments:deadline")


def check_times(spec: NewSpec, now_ns: int) -> None:
    """gtd needs an expiry within a month, others none; a start lies ahead of it. Raises Refuse."""
    if (spec.tif == "gtd") != bool(spec.expire_ns):
        raise Refuse("EGeneral:Invalid arguments:expire_time")
    if spec.expire_ns and not now_ns < spec.expire_ns <= now_ns + MONTH_NS:
        raise Refuse("EGeneral:Invalid arguments:expire_time")
    if spec.effective_ns and (spec.effective_ns <= now_ns or 0 < spec.expire_ns <= spec.effective_ns):
        raise Refuse("EGeneral:Invalid arguments:effective_time")


def check_terms(spec: NewSpec) -> None:
    """Which words may stand beside which. Raises Refuse."""
    if spec.reduce_only:
        raise Refuse(REDUCE_ONLY)  # spot alone is simulated: there is no position that an order could reduce
    if spec.margin:
        raise Refuse("EOrder:Margin allowance exceeded")
    market = spec.order_type == "market"
    if market and (spec.post_only or spec.tif == "fok" or spec.price):
        raise Refuse("EGeneral:Invalid arguments:post_only, fok and limit_price are for limit orders")
    if spec.post_only and spec.tif in {"ioc", "fok"}:
        raise Refuse("EGeneral:Invalid arguments:post_only with an immediate time in force")
    if spec.cash and (not market or spec.side == "sell" or spec.qty):
        raise Refuse("EGeneral:Invalid arguments:cash_order_qty is for market buys")
