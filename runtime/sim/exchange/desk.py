"""Placing, changing and cancelling as sockets and REST both do it, with the faults that strike orders. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from runtime.sim.exchange.order import NewSpec, Order
from runtime.sim.exchange.refusal import Refusal, Refused

if TYPE_CHECKING:
    from runtime.sim.exchange.engine import Engine
    from runtime.sim.exchange.faults import Faults

T = TypeVar("T")
Later = Callable[[int], None]
"""What is still to be done when the answer is out, at that time."""


class Asked(msgspec.Struct, frozen=True):
    """Where a request comes from: the venue's word for its method, its connection's age and number (or the venue's)."""

    method: str
    now_ns: int
    age_ns: int
    index: int = 0


class Desk:
    """The engine behind all roads. `later` collects what follows the answer. `what`: a method at every venue."""

    def __init__(self, engine: Engine, faults: Faults, what: Callable[[str], str]) -> None:
        self._engine, self._faults, self._what = engine, faults, what
        self.later: list[Later] = []
        self.executions_first = False

    def run(self, act: Callable[[Asked], T], refuse: Callable[[Refused], T], asked: Asked) -> T:
        """One request: what it does, or what is answered when it is refused, or when nobody is to know."""
        self.later, self.executions_first = [], False
        try:
            self._check(asked)
            answer = act(asked)
        except Refused as refused:
            answer = refuse(refused)
        if self._faults.fires("busy_live", asked.age_ns, asked.index, asked.method) is not None:
            answer = refuse(Refused(Refusal.BUSY))
        return answer

    def finish(self, now_ns: int) -> None:
        """The answer is out: what was to follow it."""
        later, self.later = self.later, []
        for act in later:
            act(now_ns)

    def _fires(self, name: str, asked: Asked) -> int | None:
        fault = self._faults.fires(name, asked.age_ns, asked.index, asked.method)
        return None if fault is None else fault.number

    def _check(self, asked: Asked) -> None:
        """Refusals that have no reason. Raises Refused."""
        refused = self._faults.fires("refuse", asked.age_ns, asked.index, asked.method)
        if refused is not None:
            raise Refused(Refusal.FAULT, str(refused.value))
        if self._what(asked.method) in {"new", "amend"} and self._fires("rate_limit", asked) is not None:
            raise Refused(Refusal.RATE)

    def place(self, spec: NewSpec, asked: Asked) -> Order:
        """A new order. Raises Refused."""
        known = len(self._engine.orders)
        order = self._engine.place(spec, asked.now_ns)
        if order.resting and len(self._engine.orders) > known:
            percent = self._fires("fill_before_ack", asked)
            if percent is not None:
                self.executions_first = True
                self._fill(order, percent, asked.now_ns)
        return order

    def amend(self, order: Order, asked: Asked, *, qty: int = 0, price: int = 0) -> None:
        """Changes an open order. Raises Refused."""
        self._engine.amend(order, asked.now_ns, qty=qty, price=price)

    def cancel(self, order: Order, asked: Asked) -> None:
        """Ends an order, or what a fault makes of that. Raises Refused."""
        if not order.resting:
            self._engine.cancel(order, asked.now_ns)
        elif self._fires("cancel_reject_after_fill", asked) is not None:
            self._fill(order, 100, asked.now_ns)
            raise Refused(Refusal.FILLED, order=order)
        elif (percent := self._fires("fill_after_cancel_ack", asked)) is not None:
            self.later.append(partial(self._fill_and_end, order, percent))
        elif (percent := self._fires("partial_then_cancel", asked)) is not None:
            self._fill_and_end(order, percent, asked.now_ns)
        else:
            self._engine.cancel(order, asked.now_ns)

    def cancel_all(self, asked: Asked, symbol: str = "") -> list[Order]:
        """Every open order, of one pair where it is named; those that were canceled."""
        found = []
        for order in [one for one in self._engine.open.values() if symbol in ("", one.spec.symbol)]:
            try:
                self.cancel(order, asked)
            except Refused:
                continue  # a fault: it was filled as its cancel arrived
            found.append(order)
        return found

    def _fill(self, order: Order, percent: int, now_ns: int) -> None:
        qty = max(1, order.left * min(percent, 100) // 100)
        self._engine.matcher.force(order, qty, now_ns)

    def _fill_and_end(self, order: Order, percent: int, now_ns: int) -> None:
        if order.is_open:
            self._fill(order, percent, now_ns)
        if order.is_open:
            self._engine.cancel(order, now_ns)
