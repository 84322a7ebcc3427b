"""An order as the venue keeps it, what a client asks for, and a fill. Pure.

Prices count 10^-price_precision of the pair, quantities lots, amounts of money 10^-10 (`account.UNIT`).
"""

from __future__ import annotations

import copy
from typing import Any, Literal

import msgspec

from runtime.sim.exchange.order import Booked
from runtime.sim.kraken.account import UNIT
from runtime.sim.kraken.wire import number
from runtime.sim.ladder import OrdType, TakerSide
from runtime.sim.market import rfc3339

Stp = Literal["cancel_newest", "cancel_oldest", "cancel_both"]


class NewSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for, checked for form alone; 0 or "" where it did not say."""

    symbol: str
    side: TakerSide
    order_type: OrdType
    qty: int = 0
    cash: int = 0
    price: int = 0
    tif: str = "gtc"
    expire_ns: int = 0
    effective_ns: int = 0
    deadline_ns: int = 0
    post_only: bool = False
    reduce_only: bool = False
    margin: bool = False
    cl_ord_id: str = ""
    userref: int | None = None
    stp: Stp = "cancel_newest"
    fee_pref: str = "fciq"
    validate: bool = False


class Amendment(msgspec.Struct, frozen=True):
    """One state of an order's terms, for OrderAmends."""

    amend_id: str
    kind: str
    ts_ns: int
    qty: int
    price: int


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution; `cost` and `fee` in the quote asset."""

    exec_id: str
    trade_id: int
    order_id: str
    symbol: str
    side: TakerSide
    order_type: OrdType
    price: int
    qty: int
    cost: int
    fee: int
    maker: bool
    ts_ns: int


class Order(Booked, kw_only=True):
    """`status`: pending_new, new, partially_filled, filled, canceled, expired."""

    spec: NewSpec
    status: str = "pending_new"
    fees: int = 0
    amendments: tuple[Amendment, ...] = ()

    def copy(self) -> Order:
        """As it is now, for a later look back."""
        return copy.copy(self)

    # --- numbers ---------------------------------------------------------------------------------------------------

    def qty_number(self, qty: int) -> msgspec.Raw:
        return number(qty, self.pair.qty_precision)

    def price_number(self, price: int) -> msgspec.Raw:
        return number(price, self.pair.price_precision)

    def fee_number(self) -> msgspec.Raw:
        return number(self.fees, UNIT)

    # --- what the executions channel says of it (venues.md 1.11) ------------------------------------------------------

    def ids(self) -> dict[str, Any]:
        """The two fields that every execution has."""
        return {"order_id": self.order_id, "order_userref": self.spec.userref or 0}

    def sums(self) -> dict[str, Any]:
        """What is filled so far."""
        places = self.pair.price_precision + 4
        average = number(self.average(places), places)
        return {"cum_qty": self.qty_number(self.cum_qty), "cum_cost": number(self.cum_cost, UNIT), "avg_price": average}

    def full(self, exec_type: str, ts_ns: int) -> dict[str, Any]:
        """All its terms: pending_new, and each order of a snapshot."""
        spec = self.spec
        told = self.ids() | ({"cl_ord_id": spec.cl_ord_id} if spec.cl_ord_id else {})
        told |= {"symbol": spec.symbol, "order_qty": self.qty_number(self.qty)}
        if spec.cash:
            told["cash_order_qty"] = number(spec.cash, UNIT)
        told |= {"cum_cost": number(self.cum_cost, UNIT), "time_in_force": spec.tif.upper(), "exec_type": exec_type}
        told |= {"side": spec.side, "order_type": spec.order_type}
        if spec.order_type == "limit":
            told |= {"limit_price_type": "static", "limit_price": self.price_number(self.price)}
        if spec.post_only:
            told["post_only"] = True
        told |= {"stop_price": number(0, 0), "order_status": self.status, "fee_usd_equiv": number(self.fees, UNIT)}
        told |= {"fee_ccy_pref": spec.fee_pref}
        for name, at_ns in (("expire_time", spec.expire_ns), ("effective_time", spec.effective_ns)):
            told |= {name: rfc3339(at_ns)} if at_ns else {}
        return told | {"timestamp": rfc3339(ts_ns)}

    def delta(self, exec_type: str, ts_ns: int, **more: Any) -> dict[str, Any]:
        """What changed and no more: neither symbol nor cl_ord_id."""
        told = {"timestamp": rfc3339(ts_ns), "order_status": self.status, "exec_type": exec_type}
        return told | more | self.ids()

    def trade(self, fill: Fill) -> dict[str, Any]:
        """An execution; its status is `partially_filled` even when nothing is left, `filled` is told after it."""
        told = self.ids() | {"exec_id": fill.exec_id, "exec_type": "trade", "trade_id": fill.trade_id}
        told |= {"symbol": fill.symbol, "side": fill.side, "last_qty": self.qty_number(fill.qty)}
        told |= {"last_price": self.price_number(fill.price), "liquidity_ind": "m" if fill.maker else "t"}
        told |= {"cost": number(fill.cost, UNIT), "order_type": fill.order_type} | self.sums()
        told |= {"fees": [{"asset": self.pair.quote, "qty": number(fill.fee, UNIT)}]}
        told |= {"fee_usd_equiv": number(fill.fee, UNIT), "timestamp": rfc3339(fill.ts_ns)}
        return told | {"order_status": "partially_filled"}
