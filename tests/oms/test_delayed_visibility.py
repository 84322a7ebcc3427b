"""10,000 orders whose answer was lost, at a venue whose lists lag by up to 60 s: none is closed without proof.

They rest for a while or fill at once, leave the open list before the first look or in the moment of one, or never get
there. The same schedules against a reconciler that believes the lists at once must close some wrongly: else this page
proves nothing. VENUEGATE_SCHEDULES runs as many as you like, VENUEGATE_SCHEDULES_SEED others.
"""

from __future__ import annotations

from random import Random

import pytest

from oms.pacer import Pacer
from oms.reconcile import Reconciler
from oms.state import TERMINAL, OrderState
from tests.oms.bench import BUY, DEADLINE, VISIBLE, Bench, knob
from tests.oms.model import S

COUNT, SEED = knob("SCHEDULES", 10_000), knob("SCHEDULES_SEED", 0)
ENDS = ("fill", "fill", "part", "expire", "rest")


def _schedule(random: Random, visible: int) -> tuple[bool, bool, bool]:
    """One order's life. Whether it was closed wrongly, whether it got there, and whether all was definite at last."""
    bench = Bench(visible)
    name = bench.submit(BUY, 2, 4)
    start = bench.now
    lands = start + random.choice([0, S, random.randint(0, DEADLINE)])
    ends = lands + random.choice([0, random.randint(0, S), random.randint(0, 200 * S), random.randint(0, 200 * S)])
    end = random.choice(ENDS)
    if random.random() < 0.2:
        bench.flying.clear()
    events = [(lands, "land"), (ends, end)]
    bench.doubt(name)
    pacer = Pacer(start + random.randint(0, 3 * S))
    while bench.now < start + 400 * S and bench.order(name).state not in TERMINAL:
        while events and events[0][0] <= pacer.next_ns:
            bench.now, what = events.pop(0)
            _happen(bench, name, what)
        bench.now = pacer.next_ns
        when = {kind: bench.now - random.choice([0, VISIBLE, random.randint(0, VISIBLE)])
                for kind in ("open", "closed", "trades")}  # fmt: skip
        asked, since = bench.now, bench.reconciler.reach_ns(bench.oms, bench.now)
        picture = bench.truth.picture(since, asked, lambda kind, _name: when[kind])  # noqa: B023
        bench.now += random.randint(0, S)
        while events and events[0][0] <= bench.now:
            _happen(bench, name, events.pop(0)[1])
        pacer.looked(bench.read(picture), bench.now)
    landed = name in {fact.name for fact in bench.truth.facts}
    order, seen = bench.order(name), bench.truth.seen(name, bench.now)
    open_or_lost = bench.truth.is_open(name, bench.now) or (order.state is OrderState.REJECTED) is landed
    is_wrong = order.state in TERMINAL and (open_or_lost or order.filled_1e8 != (seen.filled if seen else 0))
    is_definite = order.state in TERMINAL or order.state in (OrderState.NEW, OrderState.PARTIALLY_FILLED)
    return is_wrong, landed, is_definite


def _happen(bench: Bench, name: str, what: str) -> None:
    if what == "land":
        if bench.flying:
            bench.land(0)
    elif bench.truth.is_open(name, bench.now) and what != "rest":
        if what == "expire":
            bench.expire(name)
        else:
            bench.fill(name, 4 if what == "fill" else 1)
    bench.wire.clear()  # nothing is ever told


def test_no_order_is_closed_without_proof_however_late_the_lists_are() -> None:
    random = Random(SEED)
    told = [_schedule(random, VISIBLE) for _ in range(COUNT)]
    assert sum(is_wrong for is_wrong, _, _ in told) == 0
    assert all(is_definite for _, _, is_definite in told)
    assert {landed for _, landed, _ in told} == {True, False}


def test_who_believes_the_lists_at_once_closes_some_wrongly() -> None:
    """The negative control: the same schedules, visible_ns 0."""
    random = Random(SEED)
    wrong = sum(_schedule(random, 0)[0] for _ in range(COUNT // 10))
    assert wrong > COUNT // 500, wrong


def test_who_believes_one_picture_however_late_closes_some_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for after the deadline and all lag, once: an order that closed just now is in no list yet."""
    monkeypatch.setattr(Reconciler, "lasted", lambda *_: True)
    random = Random(SEED)
    assert any(_schedule(random, VISIBLE)[0] for _ in range(COUNT))
