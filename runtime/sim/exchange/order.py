"""An order as a simulated exchange keeps it, what a client asks for, a fill, and what is told of them. Pure.

Prices count 10^-price_precision of the pair, quantities lots (10^-qty_precision), amounts of money 10^-10.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import msgspec

from runtime.sim.exchange.numbers import UNIT
from runtime.sim.ladder import OrdType, TakerSide
from runtime.sim.market import SimPair


class NewSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a client asks for, checked for form alone; 0 or "" where it did not say.

    `cash`: how much of the quote, instead of `qty`. `tif`: gtc, ioc, fok, gtd. `stp`: none, cancel_newest,
    cancel_oldest, cancel_both; "" for the venue's own. `extra`: the venue's own fields, kept for its messages.
    """

    symbol: str
    side: TakerSide
    order_type: OrdType
    qty: int = 0
    cash: int = 0
    price: int = 0
    tif: str = "gtc"
    expire_ns: int = 0
    post_only: bool = False
    cl_ord_id: str = ""
    stp: str = ""
    extra: Mapping[str, Any] = {}


class Fill(msgspec.Struct, frozen=True, kw_only=True):
    """One execution. `number` counts the account's fills from 1; `cost` in the quote, `fee` in `fee_asset`."""

    exec_id: str
    number: int
    trade_id: int
    order_id: str
    symbol: str
    side: TakerSide
    order_type: OrdType
    price: int
    qty: int
    cost: int
    fee: int
    fee_asset: str
    maker: bool
    ts_ns: int
    pair: SimPair

    @property
    def qty_1e8(self) -> int:
        return self.qty * int(10 ** (8 - self.pair.qty_precision))

    @property
    def px_1e9(self) -> int:
        return self.price * int(10 ** (9 - self.pair.price_precision))


class Booked(msgspec.Struct, kw_only=True):
    """What every simulated venue keeps of an order. `reason` of one that ended: why."""

    order_id: str
    pair: SimPair
    qty: int
    price: int
    opened_ns: int
    touched_ns: int
    status: str = "new"
    cum_qty: int = 0
    cum_cost: int = 0
    reason: str = ""
    closed_ns: int = 0
    amended: bool = False
    resting: bool = False
    fills: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        return max(0, self.qty - self.cum_qty)

    @property
    def is_open(self) -> bool:
        return self.status in {"pending_new", "new", "partially_filled"}

    @property
    def qty_1e8(self) -> int:
        return self.qty * int(10 ** (8 - self.pair.qty_precision))

    @property
    def cum_qty_1e8(self) -> int:
        return self.cum_qty * int(10 ** (8 - self.pair.qty_precision))

    @property
    def left_1e8(self) -> int:
        return self.left * int(10 ** (8 - self.pair.qty_precision))

    @property
    def px_1e9(self) -> int:
        return self.price * int(10 ** (9 - self.pair.price_precision))

    def average(self, places: int) -> int:
        """Mean price of what was filled in units of 10^-places, rounded down; 0 before the first fill."""
        if not self.cum_qty:
            return 0
        return self.cum_cost * int(10 ** (places + self.pair.qty_precision)) // (self.cum_qty * 10**UNIT)


class Order(Booked, kw_only=True):
    """`status`: new, partially_filled, filled, canceled, expired. `number` counts the venue's orders from 1.

    `reason` of one that ended: user, post_only, ioc, fok, no_liquidity, self_trade, timer, amend or the venue's.
    """

    number: int
    spec: NewSpec
    fees: dict[str, int] = {}

    def copy(self) -> Order:
        """As it is now, for a later look back."""
        kept = copy.copy(self)
        kept.fees = dict(self.fees)
        return kept


class Told(msgspec.Struct, frozen=True):
    """One thing that happened to an order. `kind`: new, trade, amended, canceled, expired.

    `order` as it stood just then: a trade that fills it says so by its status, and nothing follows. `reason`: as the
    order's, of one that was canceled.
    """

    kind: str
    order: Order
    fill: Fill | None
    at_ns: int
    reason: str = ""
