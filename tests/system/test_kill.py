"""The kill switch against a venue that is no paper: late, out of order, refusing, trading what was cancelled.

10,000 races: with VENUEGATE_RACES=10000; CI runs fewer. A race: algos submit, amend and cancel, orders trade, somebody
pulls the switch at some moment, also in the middle of a turn. An escape is a new order or amend of the scope that
leaves in a later turn than the one in which it was pulled, or a proof while the venue has something open.
"""

import itertools
import os
from contextlib import suppress
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType, RejectCode
from risk.limits import Scope, tree_of
from risk.states import ALL, TradingState
from runtime.inputs import Command, Input, Timer
from runtime.killswitch import REPEAT_FIRST_S
from runtime.spec import AlgoSpec
from tests.support.kill_race import SCOPES, SYMBOLS, VENUES, Race, racing, relent, resting
from tests.support.kill_world import LIMITS, MS, SECOND, P, Q, World
from tests.support.puppet import Puppet, at, order

RACES = int(os.environ.get("VENUEGATE_RACES", "1500"))
A_WORLD = 50  # races that one session lives through
HALTED, REDUCING, ACTIVE = TradingState.HALTED, TradingState.REDUCING, TradingState.ACTIVE


def test_no_race_of_kill_submit_fill_and_cancel_lets_anything_escape() -> None:
    """Every scope, refusing venues among them: nothing new leaves, and flat is said when it is true."""
    done = flat = 0
    for seed in range(-(-RACES // A_WORLD)):
        world, guests = racing(seed)
        for number in range(min(A_WORLD, RACES - done)):
            world.order_delay, world.answer_delay = world.dice.choice(((0, 0), (5, 40), (30, 5)))
            for exchange in world.exchanges.values():
                exchange.refuses = world.dice.random() < 0.1
            if any(exchange.refuses for exchange in world.exchanges.values()):
                world.later(world.dice.randint(1, 3000) * MS, partial(relent, world))
            race = Race(world, guests, world.dice.choice(SCOPES))
            race.run()
            assert race.escapes == [], f"VENUEGATE_RACES: seed {seed}, race {number}: {race.scope}"
            assert race.pull is not None
            assert race.pull.problem == ""
            flat += race.pull.flat_ns >= 0
            assert world.engine.gate.states.get(race.scope) is HALTED
            relent(world)
            world.switch.arm(ALL, "ana")
            done += 1
            for guest in guests:
                guest.heard.clear()
            world.sent.clear()
            world.inputs.clear()
        assert not world.engine.algos[0].is_faulty
        assert world.counts["new"] > 50
    assert flat == done == RACES


# --- one at a time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scope", "messages", "left"),
    [
        (ALL, {("sim", "cancel_all"): 1, ("two", "cancel_all"): 1}, 0),
        ("venue:two", {("two", "cancel_all"): 1}, 8),
        ("instrument:ETH/USD", {("sim", "cancel"): 4, ("two", "cancel"): 4}, 8),
        ("instrument:two:ETH/USD", {("two", "cancel"): 4}, 12),
        ("algo:b", {("sim", "cancel"): 4, ("two", "cancel"): 4}, 8),
    ],
)
def test_a_scope_is_cancelled_as_its_venue_takes_it_and_nothing_beside_it(
    scope: str, messages: dict[tuple[str, str], int], left: int
) -> None:
    """Venue and all: one account-wide message a venue. Instrument and algo: their own orders, one by one."""
    world, _ = resting()
    world.sent.clear()
    pull = world.switch.pull(scope, who="ana")
    world.run(pull.done.done)
    seen: dict[tuple[str, str], int] = {}
    for _, venue, what, _ in world.sent:
        seen[venue, what] = seen.get((venue, what), 0) + 1
    assert seen == messages
    assert (len(world.alive(scope)), len(world.alive(ALL))) == (0, left)
    assert (pull.cancelled, pull.open, pull.problem) == (16 - left, 0, "")
    assert 0 <= pull.denied_ns <= pull.cancel_ns <= pull.flat_ns


def test_an_all_of_the_account_is_stopped_by_reduce_only_where_it_would_grow() -> None:
    world, _ = resting()
    pull = world.switch.pull("algo:a", who="ana", state=REDUCING)
    world.run(pull.done.done)
    assert (pull.problem, world.engine.gate.states.get("algo:a")) == ("", REDUCING)
    stop = world.switch.pull("algo:a", who="ana")
    world.run(stop.done.done)
    assert world.engine.gate.states.get("algo:a") is HALTED


def test_a_venue_that_refuses_cancels_is_asked_again_and_flat_is_never_said() -> None:
    """429 for a minute: repeated with back-off, no proof; then it takes one, and only then it is proved."""
    world, _ = resting()
    world.exchanges["sim"].refuses = True
    world.sent.clear()
    begin = world.now_ns
    pull = world.switch.pull("venue:sim", who="ana")
    world.run(pull.done.done, ms=60_000)
    assert not pull.done.done()
    assert (pull.flat_ns, pull.open) == (-1, 8)
    times = [(at_ns - begin) // MS for at_ns, _, what, _ in world.sent if what == "cancel_all"]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[0] == int(REPEAT_FIRST_S * 1000)
    assert all(later == 2 * earlier for earlier, later in itertools.pairwise(gaps) if later < 30_000)
    assert len(times) >= 6
    world.exchanges["sim"].refuses = False
    world.run(pull.done.done, ms=60_000)
    assert (pull.problem, pull.open, world.alive("venue:sim")) == ("", 0, [])
    after = len(world.sent)
    world.run(ms=120_000)
    assert len(world.sent) == after  # nothing is left to ask for


def test_a_persons_arm_ends_the_repeats() -> None:
    world, _ = resting()
    world.exchanges["sim"].refuses = True
    pull = world.switch.pull("venue:sim", who="ana")
    world.run(ms=1_000)
    world.switch.arm("venue:sim", "ana")
    world.run(ms=60_000)
    assert pull.problem == "armed before nothing was open"
    assert world.engine.gate.states.get("venue:sim") is ACTIVE
    assert pull.flat_ns == -1


def test_a_fill_that_comes_after_the_cancels_answer_is_no_reason_to_doubt_the_proof() -> None:
    world, _ = resting(1)
    name = world.alive("algo:a")[0]
    pull = world.switch.pull("algo:a", who="ana")
    world.run(pull.done.done)
    before = world.engine.gate.account.exposures[0].position_1e8
    market = world.engine.gate.account.finished[name].instrument
    world.report("sim", ExecReport(client_order_id=name, exec_type=ExecType.TRADE, instrument=market, exec_id="late",
                                   last_qty_1e8=Q, last_px_1e9=99 * P, cum_qty_1e8=Q))  # fmt: skip
    assert world.engine.gate.account.exposures[market].position_1e8 == Q + (before if market == 0 else 0)
    assert world.engine.gate.states.get("algo:a") is HALTED


@pytest.mark.parametrize("told", ["fill, then the amend's answer", "the amend's answer, then its fills backwards"])
def test_an_order_whose_end_is_told_out_of_order_does_not_stay_open_for_ever(told: str) -> None:
    """One order of 1.0 is amended to 0.6 and filled; else a kill of its scope could never be proved."""
    world, guests = resting(1)
    name = world.alive("algo:a")[0]
    live = world.engine.gate.account.live[name]
    guests[0].on("on_book", at(1, order(live.order_id, 1, 6 * Q // 10, 99 * P, kind=2, order_type=0)))
    world.book(0)

    def fill(number: int, tenths: int, cum: int, leaves: int) -> ExecReport:
        return ExecReport(
            client_order_id=name, exec_type=ExecType.TRADE, instrument=live.instrument, exec_id=f"x{number}",
            last_qty_1e8=tenths * Q // 10, last_px_1e9=99 * P, cum_qty_1e8=cum * Q // 10,
            leaves_qty_1e8=leaves * Q // 10,
        )  # fmt: skip

    replaced = ExecReport(client_order_id=name, exec_type=ExecType.REPLACED, instrument=live.instrument,
                          px_1e9=99 * P, qty_1e8=6 * Q // 10)  # fmt: skip
    first = told.startswith("fill")
    for report in [fill(1, 6, 6, 0), replaced] if first else [replaced, fill(2, 4, 6, 0), fill(1, 2, 2, 8)]:
        world.report("sim", report)
    assert name not in world.engine.gate.account.live
    assert name not in world.engine.oms.orders


# --- restarts, and who may arm ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
def test_a_halt_survives_a_restart_and_what_was_open_still_counts(scope: str) -> None:
    """Also one whose cancels were never answered: the next session cancels again, and proves it."""
    world, _ = resting()
    for exchange in world.exchanges.values():
        exchange.refuses = True
    world.switch.pull(scope, who="ana")
    world.run(ms=50)
    memory = world.engine.remember()
    after, guests = (
        World(
            [AlgoSpec(name, Puppet("on_book"), SYMBOLS) for name in "ab"], venues=VENUES, symbols=SYMBOLS, memory=memory
        ),
        2,
    )
    del guests
    cause = after.engine.gate.states.cause(scope)
    assert cause is not None
    assert (cause.state, cause.who) == (HALTED, "ana")
    for name, exchange in world.exchanges.items():
        exchange.refuses = False
        after.exchanges[name] = exchange
    assert after.alive(scope)
    after.feed(Timer())
    after.run(ms=5_000)
    assert after.alive(scope) == []
    assert not after.engine.gate.account.live or scope != ALL


def _commands() -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.sampled_from(["kill", "reduce", "book", "timer", "report", "gateway kill"]),
                     st.sampled_from(SCOPES))  # fmt: skip


_RANK = {ACTIVE: 0, REDUCING: 1, HALTED: 2}


@given(st.lists(_commands(), max_size=25), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_no_input_but_arm_makes_any_scope_more_permissive(steps: list[tuple[str, str]], seed: int) -> None:
    world, guests = racing(seed)
    seen = dict.fromkeys(SCOPES, ACTIVE)
    for what, scope in steps:
        if what in ("kill", "reduce"):
            world.switch.pull(scope, who="ana", state=HALTED if what == "kill" else REDUCING)
        elif what == "gateway kill":
            world.feed(Command("kill", "", scope))
        elif what == "book":
            world.book(guests[0].dice.randint(0, 3))
        elif what == "report":
            report = ExecReport(client_order_id="none", exec_type=ExecType.REJECTED, instrument=0,
                                reject_code=RejectCode.UNKNOWN)  # fmt: skip
            world.report("sim", report)
        else:
            world.feed(Timer())
        world.run(ms=20)
        for one in SCOPES:
            state = world.engine.gate.states.get(one)
            assert _RANK[state] >= _RANK[seen[one]], f"{one}: {seen[one]} → {state} by {what} {scope}"
            seen[one] = state


def test_a_tape_of_a_kill_replays_to_the_same_hash() -> None:
    """Pulls and repeats are inputs as any other."""
    world, _ = racing(7)
    world.exchanges["sim"].refuses = True
    for _ in range(5):
        world.book(world.dice.randint(0, 3))
        world.run(ms=10)
    world.switch.pull(ALL, who="ana")
    world.run(ms=3_000)
    again, _ = racing(7)
    fed: list[tuple[Input, int]] = list(world.inputs)
    assert sum(isinstance(one, Command) for one, _ in fed) > 2
    for given_, now_ns in fed[len(VENUES) :]:
        again.session.step(given_, now_ns, lambda _: None)
    assert again.session.digest.hexdigest() == world.session.digest.hexdigest()


# --- what else may be broken ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["marks", "sums"])
def test_broken_money_does_not_hold_up_the_switch(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks that are no numbers, sums that raise: nothing new leaves, and everything is cancelled at the venue.

    Where the sums raise, so does the turn that folds the venue's answers: that session ends halted and proves nothing.
    """
    world, _ = resting()
    gate = world.engine.gate
    for exposure in gate.account.exposures:
        exposure.mark.mid_sum_1e9 = float("nan")  # type: ignore[assignment]
    monkeypatch.setattr(type(gate), "mark", lambda *_: 1 // 0)
    monkeypatch.setattr(type(gate), "standing", lambda *_: 1 // 0)
    if broken == "sums":
        monkeypatch.setattr(type(gate.account.exposures[0]), "pnl_1e17", lambda *_: 1 // 0)
    pull = world.switch.pull(who="ana")
    while not pull.done.done() and world.alive(ALL):
        with suppress(ZeroDivisionError):
            world.run(pull.done.done)
    assert (pull.cancelled, world.alive(ALL)) == (16, [])
    assert gate.states.get(ALL) is HALTED
    assert pull.done.done() or broken == "sums"


def test_a_loss_limit_of_one_algo_stops_that_algo_and_a_kill_of_all_stops_the_rest() -> None:
    tree = tree_of(LIMITS)
    scoped = type(tree)(account=LIMITS, scopes=(Scope("algo", "a", {"max_daily_loss_1e9": P}),))
    world, _ = resting(limits=scoped)
    name = world.alive("algo:a")[0]
    live = world.engine.gate.account.live[name]
    world.report("sim", ExecReport(client_order_id=name, exec_type=ExecType.TRADE, instrument=live.instrument,
                                   exec_id="x", last_qty_1e8=Q, last_px_1e9=500 * P, cum_qty_1e8=Q))  # fmt: skip
    world.book(live.instrument)
    world.run(ms=1000)
    assert any(one.latched for one in world.engine.gate.standing() if one.scope == "algo:a")
    assert world.alive("algo:b")
    pull = world.switch.pull(who="ana")
    world.run(pull.done.done)
    assert world.alive(ALL) == []
    world.switch.arm("algo:b", "ana")
    assert world.engine.gate.states.get(ALL) is HALTED
    assert world.now_ns > SECOND
