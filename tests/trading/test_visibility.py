"""Orders whose answers are lost, at a venue whose REST lags by up to a minute, through the whole stack.

They leave the open list before the first look, or never get there: none is closed without proof (RELIABILITY (c) 5).
VENUEGATE_VISIBILITY: how many orders (10,000 take about ten minutes), VENUEGATE_VISIBILITY_FROM: other ones.
"""

from random import Random

import pytest

from oms.reconcile import Reconciler
from tests.oms.bench import knob
from tests.support.trading_oracle import OracleError
from tests.support.trading_world import SECOND, TradingWorld

ORDERS, FIRST = knob("VISIBILITY", 240), knob("VISIBILITY_FROM", 0)
EACH = 6  # orders of one world


def _place(world: TradingWorld, dice: Random) -> str:
    """One that fills at once, or rests."""
    symbol = dice.randrange(2)
    return world.place((1, -1)[symbol], far=dice.choice([-10, 30]), symbol=symbol)


def schedule(seed: int) -> None:
    """Six orders, each lost in its own way. Raises OracleError when one is closed wrongly, or never definite."""
    dice = Random(f"{seed}/visibility")
    lag = dice.choice([0, dice.randint(1, 60), dice.randint(30, 60)])
    world = TradingWorld(f"delayed_visibility={lag}", "executions_off", seed=seed)
    world.faults.switch(dice.choice(["ack_lost", "ack_lost", "ack_late=20000"]) + ",on=add_order,times=0")
    lives = [(dice.choice([0.0, dice.random(), dice.random() * 90]), _place(world, dice)) for _ in range(EACH)]
    if dice.random() < 0.5:
        world.run(dice.choice([0, 0, 0.01, 1]))
        world.cut(lands=dice.random() < 0.5)
    start_ns = world.now_ns
    for at_s, name in sorted(lives):
        world.run(max(0.0, at_s - (world.now_ns - start_ns) / SECOND))
        what = dice.choice(["fill", "part", "end", "rest"])
        if what != "rest" and world.is_there(name) and world.there(name).resting:
            world.end(name) if what == "end" else world.fill(name, 100 if what == "fill" else 30)
    for _ in range(400):
        world.run(1)
        if not world.unsettled():
            return
    raise OracleError(f"seed {seed}: {world.unsettled()}")


@pytest.mark.slow
def test_no_order_is_closed_without_proof_however_late_rest_is() -> None:
    for seed in range(FIRST, FIRST + ORDERS // EACH):
        try:
            schedule(seed)
        except OracleError as error:
            again = f"VENUEGATE_VISIBILITY={EACH} VENUEGATE_VISIBILITY_FROM={seed} uv run pytest {__file__}"
            raise OracleError(f"{error}\nto see it again: {again}") from error


def test_who_believes_one_not_found_closes_some_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: a reconciler for which one look is proof, at once."""
    monkeypatch.setattr(Reconciler, "lasted", lambda *_: True)
    monkeypatch.setattr(Reconciler, "is_settled", lambda *_: True)
    wrong = 0
    for seed in range(8):
        try:
            schedule(seed)
        except OracleError as error:
            wrong += "the venue had it" in str(error) or "open there" in str(error) or "reached the venue" in str(error)
    assert wrong >= 3, wrong
