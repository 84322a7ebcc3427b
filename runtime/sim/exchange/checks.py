"""What every exchange asks of an order before it takes it. Pure. Each raises Refused."""

from __future__ import annotations

from runtime.sim.exchange.numbers import UNIT, cost_of
from runtime.sim.exchange.order import NewSpec
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import SimPair


def check_mode(system: str, spec: NewSpec) -> None:
    """The system's or the pair's state; what is no state of the four forbids everything, unless it is online."""
    if system == "online":
        return
    if system == "post_only" and spec.post_only:
        return
    if system == "limit_only" and spec.order_type == "limit":
        return
    raise Refused(Refusal.MODE, system)


def check_price(pair: SimPair, price: int) -> None:
    """Above zero and on the grid."""
    if price <= 0:
        raise Refused(Refusal.PRICE)
    if price % pair.tick:
        raise Refused(Refusal.PRICE_GRID)


def check_size(pair: SimPair, price: int, qty: int) -> None:
    """Minimums of quantity and cost."""
    if qty <= 0:
        raise Refused(Refusal.SIZE)
    if qty < pair.qty_min:
        raise Refused(Refusal.SIZE_MIN)
    check_cost(pair, cost_of(pair, price, qty))


def check_cost(pair: SimPair, cost: int) -> None:
    """The minimum of cost."""
    if cost < pair.cost_min * 10 ** (UNIT - pair.cost_precision):
        raise Refused(Refusal.COST_MIN)
