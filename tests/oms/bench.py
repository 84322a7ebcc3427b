"""An OMS, the gate's account, a reconciler and a venue's truth on one table, with a line that loses what it is told to.

Time is ours alone; a request lands within DEADLINE of its approval or never, and lists lag by at most `lag`.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from connectors.events import ExecReport, ExecType, Picture
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from oms.manager import Oms, Order
from oms.reconcile import Comparison, Reconciler
from oms.state import TERMINAL, OrderState
from risk.exposure import Account
from tests.oms.model import OURS, Fact, S, Truth

DEADLINE, VISIBLE = 5 * S, 60 * S
BUY, SELL = 1, -1


def knob(name: str, default: int) -> int:
    """VENUEGATE_<name>: bigger runs."""
    return int(os.environ.get(f"VENUEGATE_{name}", str(default)))


class Bench:
    """`flying`: requests that have not landed, with the last moment they may. `wire`: reports not delivered yet."""

    def __init__(self, visible: int = VISIBLE) -> None:
        self.now = 1_000 * S
        self.truth, self.oms, self.account = Truth(), Oms(), Account(1)
        self.visible = visible
        self.reconciler = Reconciler(DEADLINE, visible, OURS, {0})
        self.flying: list[tuple[int, str, str, int, int]] = []  # until, what, name, px, qty
        self.wire: list[ExecReport] = []
        self.count = 0

    # --- we ask ----------------------------------------------------------------------------------------------------

    def submit(self, side: int, px: int, qty: int) -> str:
        self.count += 1
        name = f"{OURS}-{self.count}"
        new = NewOrder(name, 0, 0, self.count, side, px, qty, 0)
        self.oms.submit(Approved(new, self.count, self.now, 1))
        self.account.approved_new(new)
        self.truth.asked[name] = (side, 0, f"O{self.count}")
        self.flying.append((self.now + DEADLINE, "landed", name, px, qty))
        return name

    def cancel(self, name: str) -> None:
        order = self.oms.orders[name]
        self.oms.cancel(Approved(CancelOrder(name, 0, 0, order.order_id, "a"), 1, self.now, 1))
        self.flying.append((self.now + DEADLINE, "canceled", name, 0, 0))

    def amend(self, name: str, px: int, qty: int) -> None:
        order = self.oms.orders[name]
        amend = AmendOrder(name, 0, 0, order.order_id, order.side, px, qty, "a")
        self.oms.amend(Approved(amend, 1, self.now, 1))
        self.account.approved_amend(amend)
        self.flying.append((self.now + DEADLINE, "amended", name, px, qty))

    # --- the venue acts --------------------------------------------------------------------------------------------

    def land(self, at: int) -> None:
        """A request gets there, in whatever order; too late, and the venue does nothing."""
        until, what, name, px, qty = self.flying.pop(at)
        if self.now > until:
            return
        refused = ExecType.CANCEL_REJECTED if what == "canceled" else ExecType.REPLACE_REJECTED
        seen = self.truth.seen(name, self.now)
        if what != "landed" and (
            not self.truth.is_open(name, self.now) or (seen and what == "amended" and qty <= seen.filled)
        ):
            self.wire.append(ExecReport(client_order_id=name, exec_type=refused, instrument=0))
            return
        self.wire += self.truth.happen(Fact(self.now, name, what, px, qty))

    def fill(self, name: str, qty: int) -> None:
        seen = self.truth.seen(name, self.now)
        assert seen is not None
        qty = min(qty, seen.total - seen.filled)
        exec_id = f"e{len(self.truth.facts)}"
        self.wire += self.truth.happen(Fact(self.now, name, "fill", seen.px, qty, exec_id))

    def expire(self, name: str) -> None:
        self.wire += self.truth.happen(Fact(self.now, name, "expired"))

    # --- we hear ---------------------------------------------------------------------------------------------------

    def hear(self, report: ExecReport) -> None:
        self.account.fold(report)
        self.oms.apply(report, self.now)

    def doubt(self, name: str) -> None:
        """The link was lost, or an answer did not come."""
        self.hear(ExecReport(client_order_id=name, exec_type=ExecType.UNKNOWN, instrument=0))

    def read(self, picture: Picture) -> Comparison:
        comparison = self.reconciler.compare(picture, self.oms, self.now)
        for report in comparison.reports:
            self.hear(report)
        for record in comparison.adopt:
            raise AssertionError(f"adopted {record}")
        return comparison

    def look(self, moment: Callable[[str, str], int] | None = None, since: int = 0) -> Comparison:
        """A picture asked for and read at once; without `moment`, of now."""
        return self.read(self.truth.picture(since, self.now, moment or (lambda _list, _name: self.now)))

    # --- what must hold --------------------------------------------------------------------------------------------

    def order(self, name: str) -> Order:
        found = self.oms.find(name)
        assert found is not None
        return found

    def holds(self) -> None:
        """At every moment: no end without the truth's, nothing counted that was not, nothing twice."""
        orders = {name: self.order(name) for name in self.truth.asked}
        for name, order in orders.items():
            seen = self.truth.seen(name, self.now)
            if order.state in TERMINAL:
                assert not self.truth.is_open(name, self.now), f"{name} is {order.state}, and open"
                assert seen or not self.may_land(name), f"{name} is {order.state}, and may still land"
                assert (order.state is OrderState.REJECTED) == (seen is None)
            assert order.filled_1e8 <= (seen.filled if seen else 0)
            live = self.account.live.get(name)
            if self.truth.is_open(name, self.now):
                assert live is not None and not live.is_over, f"the gate forgot {name}"
        position = self.oms.position(0, 0).qty_1e8
        assert position == sum(order.side * order.filled_1e8 for order in orders.values())
        assert position == self.account.exposures[0].position_1e8

    def may_land(self, name: str) -> bool:
        return any(one[2] == name and one[1] == "landed" and self.now <= one[0] for one in self.flying)

    def settle(self) -> None:
        """The faults stop and what still flew is gone: three pictures, far enough apart, and all is definite."""
        self.flying.clear()
        self.wire.clear()
        for _ in range(3):
            self.now += DEADLINE + VISIBLE + S
            self.look()
            self.holds()
        self.now += S
        last = self.look()
        assert last.is_equal, (last.reports, last.in_doubt, last.lagging)
        for name in self.truth.asked:
            self.is_as_it_is(name)
        assert self.oms.position(0, 0).qty_1e8 == self.truth.position()

    def is_as_it_is(self, name: str) -> None:
        order, seen = self.order(name), self.truth.seen(name, self.now)
        if seen is None:
            assert order.state is OrderState.REJECTED
            return
        assert order.filled_1e8 == seen.filled
        live = self.account.live.get(name)
        if not self.truth.is_open(name, self.now):
            assert order.state is OrderState(seen.status.name)
            assert live is None
            return
        assert order.state is (OrderState.PARTIALLY_FILLED if seen.filled else OrderState.NEW)
        assert (order.px_1e9, order.qty_1e8, order.asked) == (seen.px, seen.total, ())
        assert live is not None and live.leaves_1e8 == seen.total - seen.filled
