"""What an explanation says would have passed does pass that check, and one step more does not.

`EXPLAIN_EXAMPLES` sets how many random denials are tried.
"""

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.orders import Action, Approved
from risk.checks import REASON_OF
from risk.denial import DenyReason
from risk.gate import Gate
from risk.limits import LimitTree
from runtime.passing import Passes, at_gate, of_row
from tests.support.explain_world import (
    LOT,
    MARKET,
    T0,
    TICK,
    World,
    limits,
    lots,
    new,
    prices,
    sides,
    worlds,
)

CHECK_OF = {reason: check for check, reason in REASON_OF.items()}
# worth of a capital and a fee are told in whole units: a row alone may be a lot too careful there
ROUNDED = {DenyReason.CAPITAL_LIMIT, DenyReason.INSUFFICIENT_BALANCE}
_EXAMPLES = int(os.environ.get("EXPLAIN_EXAMPLES", "60"))
_PROPERTY = settings(
    max_examples=int(os.environ.get("EXPLAIN_EXAMPLES", "120")), deadline=None, suppress_health_check=list(HealthCheck)
)


def objects(gate: Gate, reason: DenyReason, algo: int, action: Action, *, px: int = 0, qty: int = 0) -> bool:
    """Whether that one check objects to this order with another price or quantity, whatever the others say."""
    gate.judge(algo, (action[0], px or action[1], qty or action[2], *action[3:]), T0)
    return CHECK_OF[reason](gate._case) is not None


def check(gate: Gate, algo: int, action: Action, reason: DenyReason, passes: Passes) -> None:
    """The bounds are inside, one step beyond them is outside."""
    low, high = passes.px_min_1e9, passes.px_max_1e9
    if low is not None and high is not None and low > high:
        assert reason is DenyReason.OFF_GRID or not any(
            objects(gate, reason, algo, action, px=px) is False for px in range(high, low + TICK, TICK) if px
        )
        return
    for key, bound, step in (("qty", passes.qty_max_1e8, LOT), ("qty", passes.qty_min_1e8, -LOT),
                             ("px", low, -TICK), ("px", high, TICK)):  # fmt: skip
        if bound:
            assert not objects(gate, reason, algo, action, **{key: bound})
        if bound is not None and bound + step > 0:
            changed = {key: bound + step}
            is_small = not bound and objects(gate, DenyReason.BELOW_MINIMUM, algo, action, **changed)
            assert is_small or objects(gate, reason, algo, action, **changed)


@_PROPERTY
@given(worlds(), st.integers(0, 1), sides, lots, prices, st.sampled_from([0, 0, MARKET]), st.integers(0, 2))
def test_what_would_have_passed_passes_and_one_step_more_does_not(
    world: World, algo: int, side: int, qty_1e8: int, px_1e9: int, kind: int, venue: int
) -> None:
    action = new(999, side, qty_1e8, px_1e9, kind=kind, venue=venue)
    denied = world.gate.judge(algo, action, T0)
    if denied is None:
        return
    passes = at_gate(world.gate, algo, action, T0, denied)
    if passes is not None:
        assert passes.is_exact
        check(world.gate, algo, action, denied.reason, passes)


@_PROPERTY
@given(worlds(), st.integers(1, 6), lots)
def test_a_rate_says_from_when_on(world: World, rate: int, qty_1e8: int) -> None:
    gate = world.gate
    gate.apply(LimitTree(account=limits(max_order_rate=rate)), "test")
    action = new(999, 1, qty_1e8, 90 * 10**9)
    for later in range(rate + 1):
        denied = gate.judge(0, action, T0 + later)
        if denied is not None and denied.reason is DenyReason.RATE_LIMIT:
            passes = at_gate(gate, 0, action, T0 + later, denied)
            assert passes is not None
            assert passes.from_ns is not None
            after, before = gate.judge(0, action, passes.from_ns), gate.judge(0, action, passes.from_ns - 1)
            assert after is None or after.reason is not DenyReason.RATE_LIMIT
            assert before is not None
            assert before.reason is DenyReason.RATE_LIMIT
            return
        gate.check_new(0, f"r{later}", new(1_000 + later, 1, qty_1e8, 90 * 10**9), T0 + later)


@_PROPERTY
@given(worlds(are_scoped=False), sides, lots, prices, st.sampled_from([0, 0, MARKET]), st.integers(0, 2))
def test_a_row_alone_says_the_same_where_one_scope_decides(
    world: World, side: int, qty_1e8: int, px_1e9: int, kind: int, venue: int
) -> None:
    """What the journal keeps is enough, or it says nothing: never anything else."""
    action = new(999, side, qty_1e8, px_1e9, kind=kind, venue=venue)
    denied = world.gate.judge(0, action, T0)
    if denied is None or denied.reason in ROUNDED:
        return
    passes = of_row(world.row(0, action, denied))
    if passes is not None:
        assert not passes.is_exact
        check(world.gate, 0, action, denied.reason, passes)


@_PROPERTY
@given(worlds(), sides, lots, prices, lots, prices)
def test_an_amend_is_explained_by_the_same_rule(
    world: World, side: int, first_1e8: int, first_px: int, qty_1e8: int, px_1e9: int
) -> None:
    gate = world.gate
    tree = gate.tree
    gate.apply(LimitTree(account=limits()), "test")
    if not isinstance(world.ask(0, new(999, side, first_1e8, first_px)), Approved):
        return
    gate.apply(tree, "test")
    action = (999, px_1e9, qty_1e8, 0, 2, 0, 0, 0, 0, 0)
    denied = gate.judge_amend(0, 999, px_1e9, qty_1e8, T0)
    passes = at_gate(gate, 0, action, T0, denied) if denied is not None else None
    if denied is None or passes is None or passes.qty_max_1e8 is None:
        return
    most = passes.qty_max_1e8
    assert not most or _amend_objects(gate, denied.reason, px_1e9, most) is False
    assert _amend_objects(gate, denied.reason, px_1e9, most + LOT) or not most


def _amend_objects(gate: Gate, reason: DenyReason, px_1e9: int, qty_1e8: int) -> bool:
    gate.judge_amend(0, 999, px_1e9, qty_1e8, T0)
    return CHECK_OF[reason](gate._case) is not None
