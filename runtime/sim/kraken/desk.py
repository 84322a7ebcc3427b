"""Placing and cancelling as both roads to the engine do it, with the faults that strike orders. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from runtime.sim.kraken.engine import RATE, UNKNOWN, WS_DEADLINE_NS
from runtime.sim.kraken.order import NewSpec, Order
from runtime.sim.kraken.rates import ONE
from runtime.sim.kraken.wire import Refuse

if TYPE_CHECKING:
    from runtime.sim.kraken.venue import KrakenVenue

Later = Callable[[int], None]
"""What is still to be done when the answer is out, at that time."""


class Asked(msgspec.Struct, frozen=True):
    """Where a request comes from: its method as a socket calls it, its connection's age and number (or the venue's)."""

    method: str
    now_ns: int
    age_ns: int
    index: int = 0
    shortest_ns: int = WS_DEADLINE_NS


class Desk:
    """The engine behind both roads. `later` collects what follows the answer."""

    def __init__(self, venue: KrakenVenue) -> None:
        self._venue, self._engine = venue, venue.engine
        self.later: list[Later] = []
        self.executions_first = False

    def begin(self) -> None:
        """A new request."""
        self.later, self.executions_first = [], False

    def _fires(self, name: str, asked: Asked) -> int | None:
        fault = self._venue.faults.fires(name, asked.age_ns, asked.index, asked.method)
        return None if fault is None else fault.number

    def check(self, asked: Asked) -> None:
        """Refusals that have no reason. Raises Refuse."""
        refused = self._venue.faults.fires("refuse", asked.age_ns, asked.index, asked.method)
        if refused is not None:
            raise Refuse(str(refused.value))
        changes = asked.method in {"add_order", "amend_order", "edit_order", "batch_add"}
        if changes and self._fires("rate_limit", asked) is not None:
            raise Refuse(RATE)

    def add(self, spec: NewSpec, asked: Asked, cost: int = ONE) -> Order | None:
        """An order, None when it was only checked. Raises Refuse."""
        order = self._engine.add(spec, asked.now_ns, shortest_ns=asked.shortest_ns, cost=cost)
        if order is not None and order.resting:
            percent = self._fires("fill_before_ack", asked)
            if percent is not None:
                self.executions_first = True
                self._fill(order, percent, asked.now_ns)
        return order

    def cancel(self, order: Order, asked: Asked) -> None:
        """Ends an order, or what a fault makes of that. Raises Refuse."""
        if not order.resting:
            self._engine.cancel(order, asked.now_ns)
        elif self._fires("cancel_reject_after_fill", asked) is not None:
            self._fill(order, 100, asked.now_ns)
            raise Refuse(UNKNOWN)
        elif (percent := self._fires("fill_after_cancel_ack", asked)) is not None:
            self.later.append(partial(self._fill_and_end, order, percent))
        elif (percent := self._fires("partial_then_cancel", asked)) is not None:
            self._fill_and_end(order, percent, asked.now_ns)
        else:
            self._engine.cancel(order, asked.now_ns)

    def _fill(self, order: Order, percent: int, now_ns: int) -> None:
        qty = max(1, order.left * min(percent, 100) // 100)
        self._engine.matcher.force(order, qty, now_ns)

    def _fill_and_end(self, order: Order, percent: int, now_ns: int) -> None:
        if order.is_open:
            self._fill(order, percent, now_ns)
        if order.is_open:
            self._engine.cancel(order, now_ns)

    def finish(self, now_ns: int) -> None:
        """The answer is out: what was to follow it."""
        later, self.later = self.later, []
        for act in later:
            act(now_ns)
