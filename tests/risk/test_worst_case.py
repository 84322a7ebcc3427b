"""Worst-case exposure is never above a limit, but by a limit tightened below it, an override, or the venue's making.

The driver of `tests/reference` checks after every approval that no worst case went above its limit. Here the venue is
honest (it fills, answers and ends, in any order), nobody changes limits or overrides: then no event at all
brings a worst case, or a position, above any limit.
"""

from __future__ import annotations

import msgspec
import pytest

from connectors.events import ExecReport, ExecType
from risk.denial import DenyReason
from risk.limits import LimitTree
from tests.reference.driver import Run
from tests.reference.worlds import random_tree

HONEST = ("new", "amend", "cancel", "fill", "end", "answer", "book", "time", "restart", "switch", "arm")
SEEDS, STEPS = 150, 60


class Honest(Run):
    """A venue that keeps to what it was asked, and people who stay away."""

    names = HONEST
    weights = (40, 10, 3, 20, 5, 8, 6, 4, 2, 1, 4)

    def grant_for(self, *_: object) -> None:
        return

    def answer(self) -> None:
        """An amend is answered with something that was asked for, or refused."""
        waiting = [order for order in self.pair.live() if order.waiting]
        if not waiting:
            return
        order = self.rng.choice(waiting)
        asked = [(px, total) for px, total in order.waiting if total > order.filled]
        if not asked or self.rng.random() < 0.3:
            kind, px, total = ExecType.REPLACE_REJECTED, 0, 0
        else:
            kind, (px, total) = ExecType.REPLACED, self.rng.choice(asked)
        self.tell(
            ExecReport(client_order_id=order.name, exec_type=kind, instrument=order.market, px_1e9=px, qty_1e8=total)
        )

    def exposed(self) -> dict[tuple[str, str], tuple[int, int]]:
        """Scope and currency → limit, worst case; by the gate's own account."""
        return {
            (one.scope, one.currency): (one.limit, one.observed)
            for one in self.pair.gate.standing() if one.key == "max_position_1e8"
        }  # fmt: skip

    def step(self, name: str) -> None:
        self.trail.append(name)
        self.pair.begin()
        getattr(self, name)()
        self.pair.compare()

    def begin(self) -> None:
        for place in self.pair.places:
            self.show(place)


def honest(seed: int) -> Honest:
    run = Honest(seed, 0)
    run.begin()
    return run


@pytest.mark.parametrize("seed", range(0, SEEDS, 10))
def test_no_event_of_an_honest_venue_brings_a_scope_above_its_limit(seed: int) -> None:
    for each in range(seed, seed + 10):
        run = honest(each)
        for _ in range(STEPS):
            run.step(run.rng.choices(run.names, run.weights)[0])
            for (scope, currency), (limit, observed) in run.exposed().items():
                assert observed <= limit, f"seed {each}: {currency} of {scope}: {observed} above {limit}"
            for place, held in zip(run.pair.places, run.pair.reference.held, strict=True):
                assert abs(held.qty) <= min(
                    limit for (scope, currency), (limit, _) in run.exposed().items()
                    if currency == place.base and scope in place.labels
                )  # fmt: skip


@pytest.mark.parametrize("seed", range(0, SEEDS, 30))
def test_a_limit_tightened_below_the_worst_case_lets_it_only_fall(seed: int) -> None:
    """Whatever is asked afterwards: in a scope above its limit the sum never rises."""
    above = 0
    for each in range(seed, seed + 30):
        run = honest(each)
        for _ in range(STEPS // 2):
            run.step(run.rng.choices(run.names, run.weights)[0])
        tree = run.pair.tree
        tight = msgspec.structs.replace(tree.account, max_position_1e8=10**8)
        run.pair.apply(LimitTree(tight, tree.scopes, tree.instruments))
        before = run.exposed()
        for _ in range(STEPS // 2):
            run.step(run.rng.choices(run.names, run.weights)[0])
            after = run.exposed()
            for key, (limit, observed) in after.items():
                assert observed <= max(limit, before[key][1]), (
                    f"seed {each}: {key} rose from {before[key]} to {observed}"
                )
                above += observed > limit
            before = after
    assert above > 100, "the runs were above a limit, or this says nothing"


def test_the_honest_runs_are_refused_for_their_positions() -> None:
    met = 0
    for seed in range(40):
        run = honest(seed)
        for _ in range(STEPS):
            run.step(run.rng.choices(run.names, run.weights)[0])
        met += run.met[DenyReason.MAX_POSITION]
    assert met > 20


@pytest.mark.parametrize("seed", range(5))
def test_random_trees_limit_positions_often_enough(seed: int) -> None:
    """Else nothing above would be met."""
    run = Run(seed, 0)
    trees = [random_tree(run.rng, "ETH/USD", 4) for _ in range(100)]
    small = [
        tree for tree in trees
        if tree.account.max_position_1e8 < 10**9 or any("max_position_1e8" in scope.values for scope in tree.scopes)
    ]  # fmt: skip
    assert len(small) > 10
