"""Whatever is lost, repeated, reordered or late: no end without proof, nothing counted twice, and doubt ends.

VENUEGATE_OMS_EXAMPLES and VENUEGATE_OMS_STEPS run as many and as long as you like.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connectors.events import Picture
from tests.oms.bench import BUY, SELL, VISIBLE, Bench, knob
from tests.oms.model import S

ORDERS = 3  # few, so that much happens to each
PX, QTY = st.integers(1, 3), st.integers(1, 9)


class Machine(RuleBasedStateMachine):
    """`pictures`: asked for and put together, not read yet; one at a time, as an order session does it."""

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench()
        self.picture: Picture | None = None

    def _pick(self, data: st.DataObject, names: list[str]) -> str:
        return data.draw(st.sampled_from(names))

    @precondition(lambda self: len(self.bench.truth.asked) < ORDERS)
    @rule(side=st.sampled_from([BUY, SELL]), px=PX, qty=QTY)
    def submit(self, side: int, px: int, qty: int) -> None:
        self.bench.submit(side, px, qty)

    @precondition(lambda self: self.bench.oms.orders)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self.bench.cancel(self._pick(data, list(self.bench.oms.orders)))

    @precondition(lambda self: self.bench.account.open_ids)
    @rule(data=st.data(), px=PX, qty=QTY)
    def amend(self, data: st.DataObject, px: int, qty: int) -> None:
        names = [name for name in self.bench.oms.orders if name in self.bench.account.live]
        if names:
            self.bench.amend(self._pick(data, names), px, qty)

    @precondition(lambda self: self.bench.flying)
    @rule(data=st.data())
    def land(self, data: st.DataObject) -> None:
        self.bench.land(data.draw(st.integers(0, len(self.bench.flying) - 1)))

    @precondition(lambda self: self.bench.flying)
    @rule(data=st.data())
    def lose_request(self, data: st.DataObject) -> None:
        self.bench.flying.pop(data.draw(st.integers(0, len(self.bench.flying) - 1)))

    def _open(self) -> list[str]:
        return [name for name in self.bench.truth.asked if self.bench.truth.is_open(name, self.bench.now)]

    @precondition(lambda self: self._open())
    @rule(data=st.data(), qty=QTY)
    def fill(self, data: st.DataObject, qty: int) -> None:
        self.bench.fill(self._pick(data, self._open()), qty)

    @precondition(lambda self: self._open())
    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        self.bench.expire(self._pick(data, self._open()))

    @precondition(lambda self: self.bench.wire)
    @rule(data=st.data(), keep=st.sampled_from([False, False, True]))
    def deliver(self, data: st.DataObject, keep: bool) -> None:
        """In any order; kept, it comes again."""
        wire = self.bench.wire
        at = data.draw(st.integers(0, len(wire) - 1))
        self.bench.hear(wire[at] if keep else wire.pop(at))

    @precondition(lambda self: self.bench.wire)
    @rule(data=st.data())
    def lose_report(self, data: st.DataObject) -> None:
        self.bench.wire.pop(data.draw(st.integers(0, len(self.bench.wire) - 1)))

    @precondition(lambda self: self.bench.oms.orders)
    @rule(data=st.data())
    def doubt(self, data: st.DataObject) -> None:
        self.bench.doubt(self._pick(data, list(self.bench.oms.orders)))

    @rule(seconds=st.sampled_from([0, 1, 2, 4, 6, 20, 59, 61, 66, 130]))
    def wait(self, seconds: int) -> None:
        self.bench.now += seconds * S

    @precondition(lambda self: self.picture is None)
    @rule(data=st.data(), takes=st.integers(0, 3))
    def ask(self, data: st.DataObject, takes: int) -> None:
        """Each list shows each order as it was at some moment of the last VISIBLE; the answers come over `takes`."""
        bench, asked = self.bench, self.bench.now
        bench.now += takes * S
        lag = st.integers(0, VISIBLE // S).map(lambda seconds: seconds * S)
        when = {
            (kind, name): asked + data.draw(st.integers(0, takes)) * S - data.draw(lag)
            for kind in ("open", "closed", "trades")
            for name in bench.truth.asked
        }
        since = bench.reconciler.reach_ns(bench.oms, asked)
        self.picture = bench.truth.picture(since, asked, lambda kind, name: when[kind, name])

    @precondition(lambda self: self.picture is not None)
    @rule(again=st.booleans())
    def read(self, again: bool) -> None:
        assert self.picture is not None
        self.bench.read(self.picture)
        if again:
            second = self.bench.read(self.picture)
            assert not second.reports
        self.picture = None

    @invariant()
    def holds(self) -> None:
        self.bench.holds()

    def teardown(self) -> None:
        if self.picture is not None:
            self.bench.read(self.picture)
        self.bench.settle()


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=knob("OMS_EXAMPLES", 60), stateful_step_count=knob("OMS_STEPS", 40), deadline=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
