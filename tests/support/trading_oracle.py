"""What must hold at any moment between the gateway and the venue, whoever breaks: looked at after every turn.

Written from RELIABILITY (c) and the venue's own books; shares no code with gate, OMS or encoder. `OracleError` names
the rule.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from connectors.events import ExecReport
from oms.manager import Order
from oms.state import TERMINAL
from runtime.engine import Engine
from runtime.inputs import ActionRecord
from tests.support.trading_venues import Place

OURS: Final = "vg"
NEW, CANCEL, AMEND, INTENT = range(4)
SIZE, PRICE = 10**8, 10**9


class OracleError(AssertionError):
    """A rule was broken."""


class Oracle:
    """`by_name`: every order of ours that the venue ever had, by its client order id. `halted`: scopes a person
    halted: "" for all, or symbols. `is_amnesic`: the gateway lost its memory on purpose; what it cannot know of then
    is not asked of it.
    """

    def __init__(self, venue: Any, place: Place) -> None:
        self.venue = venue
        self.place = place
        self.symbols = place.symbols
        self.by_name: dict[str, Any] = {}
        self.approved: dict[str, tuple[Any, ...]] = {}  # new orders: the guest's action
        self.amends: Counter[tuple[str, int, int]] = Counter()
        self.cancels: Counter[str] = Counter()
        self.heard = 0  # turns whose approvals were heard
        self.left: Counter[str] = Counter()  # client order ids of new orders that left, each once
        self.halted: set[str] = set()
        self.is_amnesic = False
        self._orders_seen = self._fills_seen = 0
        self.position = Counter[str]()  # symbol → lots, of orders of ours
        self._buried: dict[str, str] = {}  # names that ended here, of which the venue never had an order
        self._filled: dict[str, int] = {}

    def fail(self, text: str) -> None:
        raise OracleError(text)

    # --- a turn of the gateway ---------------------------------------------------------------------------------------

    def born(self) -> None:
        """Another session: what it knows begins with what it remembers."""
        self._filled.clear()

    def asked(self, engine: Engine) -> None:
        """What the gate approved in this turn: before any of it leaves."""
        self.heard += 1
        for one in engine.trace:
            if isinstance(one, ActionRecord):
                self._asked(one, engine)

    def turn(self, engine: Engine) -> None:
        """The turn is over."""
        for one in engine.trace:
            if isinstance(one, ExecReport):
                order = engine.oms.find(one.client_order_id)
                if order is not None:
                    self._order(order)
        self.look(engine)

    def _asked(self, record: ActionRecord, engine: Engine) -> None:
        if not record.approval:
            return
        name, action = record.client_order_id, record.action
        if record.by == "gateway" or action[4] == CANCEL:
            self.cancels[name] += 1
        elif action[4] == AMEND:
            self.amends[name, action[1], action[2]] += 1
        else:
            order = engine.oms.find(name)
            if order is None:
                self.fail(f"{name} was approved, and the OMS does not know it")
            if name in self.approved:
                self.fail(f"{name} was approved twice")
            self.approved[name] = action

    def _order(self, order: Order) -> None:
        """One order of which something was just told."""
        name, there = order.client_order_id, self.by_name.get(order.client_order_id)
        before = self._filled.get(name, 0)
        if order.filled_1e8 < before:
            self.fail(f"{name}: filled went from {before} to {order.filled_1e8}")
        self._filled[name] = order.filled_1e8
        is_over = order.state in TERMINAL
        if there is None:
            if order.filled_1e8:
                self.fail(f"{name}: {order.filled_1e8} filled here, and the venue never had it")
            if is_over:
                self._buried[name] = str(order.state)
            return
        if order.filled_1e8 > there.cum_qty_1e8:
            self.fail(f"{name}: {order.filled_1e8} filled here, {there.cum_qty_1e8} there")
        if order.state == "REJECTED" or (order.state == "CANCELED" and there.status == "filled"):
            self.fail(f"{name} is {order.state} here, and the venue had it: {there.status}, {there.cum_qty_1e8} traded")
        if is_over and there.is_open:
            self.fail(
                f"{name} is {order.state} here, and open there: {there.status}, {there.cum_qty_1e8} of {there.qty_1e8}"
            )

    # --- the venue ---------------------------------------------------------------------------------------------------

    def look(self, engine: Engine | None) -> None:
        """What happened at the venue since; and whether the gate counts at least that much."""
        self._fresh_orders(engine)
        fills = self.venue.engine.fills
        if len(fills) > self._fills_seen:
            for fill in islice(fills.values(), self._fills_seen, None):
                order = self.venue.engine.orders[fill.order_id]
                if order.spec.cl_ord_id.startswith(OURS):
                    qty = fill.qty * int(10 ** (8 - self.venue.pairs[fill.symbol].qty_precision))
                    self.position[fill.symbol] += qty if fill.side == "buy" else -qty
                if order.cum_qty > order.qty:
                    self.fail(f"the venue filled {order.cum_qty} of {order.qty}: the simulator is wrong")
            self._fills_seen = len(fills)
        if engine is not None and not self.is_amnesic:
            self._exposure(engine)

    def _fresh_orders(self, engine: Engine | None) -> None:
        orders = self.venue.engine.orders
        if len(orders) == self._orders_seen:
            return
        for order in islice(orders.values(), self._orders_seen, None):
            name = self.place.name_of(order.spec.cl_ord_id)
            if not name.startswith(OURS):
                continue
            if name in self.by_name:
                self.fail(f"two orders of the venue are called {name}")
            if name in self._buried:
                self.fail(f"{name} was {self._buried[name]} here, and reached the venue afterwards")
            self.by_name[name] = order
            if engine is not None and engine.oms.find(name) is None and not self.is_amnesic:
                self.fail(f"{name} reached the venue, and the OMS does not know it")
        self._orders_seen = len(orders)

    def _exposure(self, engine: Engine) -> None:
        leaves: Counter[tuple[str, str]] = Counter()
        for order in self.venue.engine.open.values():
            if order.spec.cl_ord_id.startswith(OURS):
                leaves[order.spec.symbol, order.spec.side] += order.left_1e8
        for index, symbol in enumerate(self.symbols):
            counted = engine.gate.account.exposures[index]
            there = self.position[symbol]
            long, short = counted.position_1e8 + counted.open_buy_1e8, counted.open_sell_1e8 - counted.position_1e8
            if long < there + leaves[symbol, "buy"] or short < leaves[symbol, "sell"] - there:
                text = f"{symbol}: the gate counts {counted.position_1e8} +{counted.open_buy_1e8}"
                told = f"-{counted.open_sell_1e8}, the venue has {there} +{leaves[symbol, 'buy']}"
                self.fail(f"{text} {told} -{leaves[symbol, 'sell']}")

    # --- the wire ----------------------------------------------------------------------------------------------------

    def wire(self, link: str, data: bytes) -> None:
        """Bytes that leave: each asks for what was approved, once, and nothing new after a halt."""
        if self.place.venue.name == "kraken":
            self._kraken(link, data)
            return
        assert self.place.venue.asked is not None
        for one in self.place.venue.asked(data):
            name = one.client_order_id or self._named(one.venue_order_id)
            match one.what:
                case "new":
                    self._leaves(name, self._symbol_of(name), one.side, one.qty_1e8, one.px_1e9)
                case "amend":
                    px = one.px_1e9 or next(
                        (px for who, px, qty in self.amends if (who, qty) == (name, one.qty_1e8)), 0
                    )
                    self._amends(name, px, one.qty_1e8)
                case "cancel":
                    self._cancels(name)
                case "cancel_all":
                    pass
                case other:
                    self.fail(f"{other} is not ours")

    def _named(self, venue_id: str) -> str:
        return next((name for name, order in self.by_name.items() if order.order_id == venue_id), "")

    def _kraken(self, link: str, data: bytes) -> None:
        """Read here once more, by nobody's code but this."""
        if link == "rest":
            path = data.partition(b"\n")[0].decode()
            if any(word in path for word in ("AddOrder", "AmendOrder", "EditOrder", "Withdraw")):
                self.fail(f"{path} over REST")
            return
        said = json.loads(data, parse_float=Decimal)
        params = said.get("params") or {}
        match said["method"]:
            case "add_order":
                self._new(params, params["symbol"])
            case "batch_add":
                for one in params["orders"]:
                    self._new(one, params["symbol"])
            case "amend_order":
                self._amends(params["cl_ord_id"], _int(params["limit_price"], PRICE), _int(params["order_qty"], SIZE))
            case "cancel_order":
                for name in params["cl_ord_id"]:
                    self._cancels(name)
            case "edit_order" | "batch_cancel":
                self.fail(f"{said['method']} is not ours")

    def _amends(self, *terms: Any) -> None:
        if self.amends[terms] <= 0:
            self.fail(f"an amend left that nobody approved: {terms}")
        self.amends[terms] -= 1
        self._not_halted(terms[0], self._symbol_of(terms[0]))

    def _cancels(self, name: str) -> None:
        if self.cancels[name] <= 0:
            self.fail(f"a cancel left that nobody approved: {name}")
        self.cancels[name] -= 1

    def _symbol_of(self, name: str) -> str:
        order = self.by_name.get(name)
        return order.spec.symbol if order is not None else ""

    def _new(self, one: dict[str, Any], symbol: str) -> None:
        px = _int(one["limit_price"], PRICE) if "limit_price" in one else 0
        side, qty = (1 if one["side"] == "buy" else -1), _int(one.get("order_qty", 0), SIZE)
        self._leaves(one["cl_ord_id"], symbol, side, qty, px)

    def _leaves(self, name: str, symbol: str, side: int, qty_1e8: int, px_1e9: int) -> None:
        """A new order; price 0: it says none."""
        action = self.approved.get(name)
        if action is None:
            self.fail(f"{name} left, and was never approved")
            return
        self.left[name] += 1
        if self.left[name] > 1:
            self.fail(f"{name} left twice")
        if action[4] == NEW and (action[3], action[2]) != (side, qty_1e8):
            self.fail(f"{name} left as {side} {qty_1e8}, approved was {action[3]} {action[2]}")
        if action[4] == NEW and px_1e9 and px_1e9 != action[1]:
            self.fail(f"{name} left at {px_1e9}, approved was {action[1]} (1e-9)")
        self._not_halted(name, symbol)

    def _not_halted(self, name: str, symbol: str) -> None:
        if "" in self.halted or symbol in self.halted:
            self.fail(f"{name} at {symbol} left after the halt of {sorted(self.halted)}")

    # --- when all is quiet -------------------------------------------------------------------------------------------

    def differences(self, engine: Engine) -> list[str]:
        """Where what we know and what the venue has are not equal; [] when they are."""
        found = []
        for name, there in self.by_name.items():
            order = engine.oms.find(name)
            if order is None:
                if there.is_open:
                    found.append(f"{name} is open there, and not known here")
                continue
            is_over = order.state in TERMINAL
            if is_over is there.is_open or order.state in ("UNKNOWN", "PENDING_NEW", "PENDING_CANCEL"):
                found.append(f"{name} is {order.state} here, {there.status} there")
            elif order.filled_1e8 != there.cum_qty_1e8:
                found.append(f"{name}: {order.filled_1e8} filled here, {there.cum_qty_1e8} there")
            elif not is_over and (order.qty_1e8, order.px_1e9) != (there.qty_1e8, there.px_1e9):
                found.append(f"{name}: {order.qty_1e8} at {order.px_1e9} here, {there.qty_1e8} at {there.px_1e9} there")
        for name, order in engine.oms.orders.items():
            if name not in self.by_name:
                found.append(f"{name} is {order.state} here, and the venue never had it")
        return found + self._money(engine)

    def _money(self, engine: Engine) -> list[str]:
        found = []
        for index, symbol in enumerate(self.symbols):
            ours = sum(one.qty_1e8 for (_, at), one in engine.oms.positions.items() if at == index)
            counted = engine.gate.account.exposures[index]
            if not ours == counted.position_1e8 == self.position[symbol]:
                found.append(
                    f"{symbol}: {ours} here, {counted.position_1e8} at the gate, {self.position[symbol]} there"
                )
        purse = engine.gate.purses.get(self.place.venue.name)
        for asset, amount in self.venue.engine.account.balances.items():
            here = purse.totals.get(asset, 0) if purse is not None else 0
            if abs(here - amount * 10**7) > 10**9:  # the venue's 1e-10, ours 1e-17: told rounded down to 1e-8
                found.append(f"balance of {asset}: {here} (1e-17) here, {amount} (1e-10) there")
        return found


def _int(number: Any, scale: int) -> int:
    found = Decimal(number) * scale
    if found != int(found):
        raise OracleError(f"{number} is finer than 1/{scale}")
    return int(found)
