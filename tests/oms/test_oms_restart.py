"""A restart finds what a session that went on would have: warm, cold and twice give the same orders and positions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecType
from oms.manager import Oms, Order
from oms.reconcile import Reconciler
from oms.state import OrderState
from tests.oms.bench import BUY, DEADLINE, SELL, VISIBLE, Bench
from tests.oms.model import OURS, S

LATE = DEADLINE + VISIBLE + S


def _restart(bench: Bench) -> None:
    """The process dies; what it knew of open orders and positions comes back, in doubt (runtime/recall.py)."""
    old, bench.oms = bench.oms, Oms()
    bench.reconciler = Reconciler(DEADLINE, VISIBLE, OURS, {0})
    bench.oms.positions = old.positions
    bench.now += S
    for order in (*old.orders.values(), *old.owed.values()):
        state = order.state if order.owed_1e8 else OrderState.UNKNOWN
        again = Order(order.new, order.px_1e9, order.qty_1e8, order.filled_1e8, state, end_1e8=order.end_1e8)
        again.asked, again.refused = order.asked, order.refused
        again.exec_ids = set(order.exec_ids or ()) or None
        bench.oms.recall(again, bench.now, order.born_ns)
    bench.oms.finished.update({name: one for name, one in old.finished.items() if name not in bench.oms.owed})


def _live(bench: Bench, story: list[tuple[str, bool]]) -> None:
    """Things happen; each is told or not."""
    names = [bench.submit(side, 5, 10) for side in (BUY, SELL)]
    bench.land(0)
    bench.land(0)
    for what, is_told in story:
        bench.now += S
        name = names[len(bench.truth.facts) % 2]
        if bench.truth.is_open(name, bench.now):
            if what == "expire":
                bench.expire(name)
            else:
                bench.fill(name, 3)
        if is_told:
            for report in bench.wire:
                bench.hear(report)
            bench.wire.clear()


def _settled(bench: Bench) -> tuple[dict[str, tuple[OrderState, int, int]], int]:
    bench.settle()
    orders = {name: bench.order(name) for name in bench.truth.asked}
    told = {name: (order.state, order.filled_1e8, order.qty_1e8) for name, order in orders.items()}
    return told, bench.oms.position(0, 0).qty_1e8


STORY = st.lists(st.tuples(st.sampled_from(["fill", "fill", "expire"]), st.booleans()), max_size=9)


@given(STORY, st.integers(0, 9))
@settings(deadline=None)
def test_warm_cold_and_twice_are_one(story: list[tuple[str, bool]], at: int) -> None:
    benches = []
    for restarts in (0, 1, 2):
        bench = Bench()
        _live(bench, story[:at])
        for _ in range(restarts):
            _restart(bench)
        benches.append(bench)
    warm, cold, twice = (_settled(bench) for bench in benches)
    assert warm == cold == twice


@given(STORY)
@settings(deadline=None)
def test_a_restart_amid_the_settling_changes_nothing(story: list[tuple[str, bool]]) -> None:
    bench = Bench()
    _live(bench, story)
    bench.now += LATE
    bench.look()
    before = bench.oms.position(0, 0).qty_1e8
    _restart(bench)
    assert {order.state for order in bench.oms.orders.values()} <= {OrderState.UNKNOWN}
    bench.look()
    assert bench.oms.position(0, 0).qty_1e8 == before == bench.truth.position()
    _settled(bench)


def test_what_may_have_left_just_before_the_end_is_judged_from_the_new_beginning() -> None:
    """Approved, never sent or sent: the old session does not know when; the new one waits its deadline out."""
    bench = Bench()
    name = bench.submit(BUY, 5, 10)
    bench.now += 1000 * S
    _restart(bench)
    bench.flying = [(bench.now + DEADLINE, "landed", name, 5, 10)]  # still in the pipe
    bench.now += DEADLINE + VISIBLE - S
    bench.look()
    bench.look()
    assert bench.order(name).state is OrderState.UNKNOWN
    bench.settle()
    assert bench.order(name).state is OrderState.REJECTED


@pytest.mark.parametrize("born_ns", [0, 1])
def test_an_order_that_closed_while_nobody_looked_is_not_never_reached(born_ns: int) -> None:
    """Its answer was lost, it filled, and the next session began an hour later: only a list that reaches back knows."""
    bench = Bench()
    name = bench.submit(BUY, 5, 10)
    bench.land(0)
    bench.fill(name, 10)
    bench.now += 3600 * S
    begun = bench.now
    _restart(bench)
    bench.order(name).born_ns *= born_ns
    for _ in range(3):
        bench.now += LATE
        said = bench.look(since=begun)
        assert name in said.in_doubt
    assert bench.order(name).state is OrderState.UNKNOWN
    assert ExecType.TRADE in [
        one.exec_type for one in bench.look(since=bench.reconciler.reach_ns(bench.oms, 0)).reports
    ]
    bench.is_as_it_is(name)
