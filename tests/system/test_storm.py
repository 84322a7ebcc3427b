"""Storms against the whole engine: random guests and inputs, and after every turn what must hold does.

`VENUEGATE_STORM=1000` runs that many seeds instead of 25, half of them torn; `VENUEGATE_SEED` is the first.
The promises are listed in tests/support/invariants.py, what may happen in tests/support/storm.py. Bugs are planted, to
show that each would be noticed. What storms found stands at the end, as small as it gets.
"""

import os
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import risk.exposure
import risk.gate
from connectors.book import L2Book
from connectors.events import ExecReport, ExecType, RejectCode
from connectors.orders import Action, Approved, NewOrder
from oms.manager import Order
from risk.checks import CHECKS, Check
from risk.checks_limits import check_position, check_self_trade
from risk.denial import DenyReason
from risk.exposure import Account, Exposure, LiveOrder
from risk.gate import Gate
from risk.happenings import Latched
from runtime import abi
from runtime.algostate import AlgoState
from runtime.config import paper_limits
from runtime.intents import Intent, Intents, Policy
from runtime.rounds import Rounds
from runtime.sim.paper import PaperOutput, PaperVenue
from runtime.spec import AlgoSpec
from runtime.sweep import Sweeper
from runtime.tap import Tap
from tests.support.chain_venue import chain, frame
from tests.support.invariants import ViolationError
from tests.support.puppet import Puppet, at, intent, market, order
from tests.support.storm import Mode, Storm
from tests.support.virtual import World

SEEDS = int(os.environ.get("VENUEGATE_STORM", "25"))
FIRST = int(os.environ.get("VENUEGATE_SEED", "0"))
STEPS = 250
USD = 10**9

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 5 * SEEDS)]


# --- storms ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [*Mode])
def test_what_must_hold_holds_after_every_turn(mode: Mode) -> None:
    """All seeds run, so that one failure does not hide another; a storm that does nothing shows nothing."""
    found, approved, fills, chased = [], 0, 0, 0
    for seed in range(FIRST, FIRST + (SEEDS if mode is not Mode.TORN else max(SEEDS // 2, 1))):
        storm = Storm(seed, mode)
        try:
            storm.run(STEPS)
        except ViolationError as violation:
            found.append(str(violation))
        engine = storm.world.engine
        approved, fills = approved + engine.desk.approved, fills + engine.oms.fills
        chased += sum(record.by == "intent" for record in storm.world.actions)
    assert found == []
    if SEEDS >= 25:
        assert min(approved // 200, fills // 100, chased) > 0, (approved, fills, chased)


@pytest.mark.parametrize("mode", [*Mode])
def test_the_same_storm_twice_gives_the_same_hash(mode: Mode) -> None:
    """And another seed another one: the hash is of what happened."""
    first, again, other = (Storm(seed, mode).run(100).digest for seed in (3, 3, 4))
    assert first == again != other


# --- planted bugs ----------------------------------------------------------------------------------------------------

Plant = Callable[[pytest.MonkeyPatch], None]


def ignored(owner: type, name: str, every: int) -> Plant:
    """Of a method's calls each `every`-th does nothing."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        real, calls = getattr(owner, name), [0]

        def sometimes(*given: Any, **named: Any) -> Any:
            calls[0] += 1
            return None if calls[0] % every == 0 else real(*given, **named)

        patch.setattr(owner, name, sometimes)

    return plant


def replaced(owner: Any, name: str, value: Any) -> Plant:
    return lambda patch: patch.setattr(owner, name, value)


def without(skipped: Check) -> Plant:
    """The gate runs all checks but one, and counts it as if it had."""
    numbered = tuple((number, check) for number, check in enumerate(CHECKS, 1) if check is not skipped)
    return replaced(risk.gate, "_NUMBERED", numbered)


def both(*plants: Plant) -> Plant:
    def plant(patch: pytest.MonkeyPatch) -> None:
        for one in plants:
            one(patch)

    return plant


def forget(intents: Intents, algo: int, order_id: int) -> None:
    intents.open.pop((algo, order_id), None)


def update(real: Callable[[AlgoState, Order], bool]) -> Callable[[AlgoState, Order], bool]:
    def uncounted(state: AlgoState, order: Order) -> bool:
        dead = state.dead
        is_new = real(state, order)
        state.dead = dead
        return is_new

    return uncounted


def deliver(real: Callable[[Rounds, int], None]) -> Callable[[Rounds, int], None]:
    def lossy(rounds: Rounds, now_ns: int) -> None:
        if len(rounds._mail) > 2:
            sender, _, _ = rounds._mail.pop()
            sender.mail_waiting -= 1
        real(rounds, now_ns)

    return lossy


def approved_new(real: Callable[[Account, NewOrder], LiveOrder]) -> Callable[[Account, NewOrder], LiveOrder]:
    def uncounted(account: Account, order: NewOrder) -> LiveOrder:
        live = real(account, order)
        account.exposures[order.instrument].reserve(order.side, -order.qty_1e8)
        return live

    return uncounted


def submit(real: Callable[..., list[PaperOutput]]) -> Callable[..., list[PaperOutput]]:
    def twice(paper: PaperVenue, approved: Approved[NewOrder], now_ns: int) -> list[PaperOutput]:
        out = real(paper, approved, now_ns)
        return [out[0], *out] if not isinstance(out[0], ExecReport) else out

    return twice


def check_new(real: Callable[..., Any]) -> Callable[..., Any]:
    def again(gate: Gate, *given: Any) -> Any:
        verdict = real(gate, *given)
        gate.approvals -= isinstance(verdict, Approved) and verdict.approval % 5 == 0
        return verdict

    return again


def latched(sweeper: Sweeper, _: Latched, now_ns: int) -> None:
    sweeper.halted("all", now_ns, "a latch")


def lies_in(sweeper: Sweeper, algo: int, market: int, scope: str) -> bool:
    """Only the scope `all` is known."""
    del sweeper, algo, market
    return scope == "all"


def nothing(*_: Any) -> None:
    return None


PLANTED: dict[str, tuple[str, Mode, Plant]] = {
    "the gate ignores a fill": ("gate holds", Mode.CALM, ignored(Exposure, "trade", 7)),
    "the OMS counts an execution twice": ("gate holds", Mode.TORN, replaced(Order, "is_repeat", lambda *_: False)),
    "the gate does not count what is open": (
        "sums of what is open", Mode.CALM, replaced(Account, "approved_new", approved_new(Account.approved_new)),
    ),
    "the gate takes an ack for an end": (
        "open for one alone", Mode.CALM, replaced(risk.exposure, "TERMINAL", risk.exposure.TERMINAL | {ExecType.NEW}),
    ),
    "no limit of the position": (
        "worst case", Mode.CALM,
        without(check_position),
    ),
    "an intent's id stays reserved": ("ids reserved", Mode.CALM, replaced(Intents, "forget", forget)),
    "an intent forgets its fills": ("an intent of", Mode.CALM, replaced(Intent, "count", nothing)),
    "finished orders are not counted": (
        "rows are DEAD", Mode.CALM, replaced(AlgoState, "update", update(AlgoState.update)),
    ),
    "a position is not shown": ("shown", Mode.CALM, ignored(AlgoState, "position", 3)),
    "a message is lost and not counted": (
        "messages sent", Mode.CALM, replaced(Rounds, "_deliver", deliver(Rounds._deliver)),
    ),
    "no look at our own orders": ("own orders cross", Mode.LATE, without(check_self_trade)),
    "the kill switch does not halt": ("approved though killed", Mode.CALM, replaced(Gate, "tighten", nothing)),
    "the kill switch leaves intents": ("killed, and open", Mode.CALM, replaced(Intents, "drop", lambda *_: 0)),
    "the kill switch leaves orders": (
        "killed, and not cancelled", Mode.LATE, replaced(Sweeper, "cancel_all", lambda *_: 0),
    ),
    "the kill switch sends no cancel-all": ("cancel-alls", Mode.CALM, replaced(Sweeper, "_cancel_venue", lambda *_: 0)),
    "a latch sends a cancel-all": ("cancel-alls", Mode.CALM, replaced(Sweeper, "_latched", latched)),
    "a scope's halt is all's": ("killed, and open", Mode.CALM, replaced(Sweeper, "_lies_in", lies_in)),
    "an order is sent twice": (
        "was sent twice", Mode.CALM, both(
            replaced(PaperVenue, "submit", submit(PaperVenue.submit)), replaced(Tap, "leaving", lambda *_: ""),
        ),
    ),
    "an order leaves twice": ("point of exit", Mode.CALM, replaced(PaperVenue, "submit", submit(PaperVenue.submit))),
    "an approval's number is used again": (
        "approval", Mode.CALM, replaced(Gate, "check_new", check_new(Gate.check_new)),
    ),
    "something raises": ("left the turn", Mode.CALM, replaced(L2Book, "touch", lambda book: (book.bids[0][0],) * 2)),
}  # fmt: skip


@pytest.mark.parametrize("bug", PLANTED)
def test_a_planted_bug_is_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By one of the seeds that are run above, and for what it is."""
    text, mode, plant = PLANTED[bug]
    plant(monkeypatch)
    found = []
    for seed in range(25):
        try:
            Storm(seed, mode).run(STEPS)
        except ViolationError as violation:
            found.append(str(violation))
            if text in found[-1]:
                return
    pytest.fail(f"not noticed as {text!r}: {found}")


# --- what storms found -----------------------------------------------------------------------------------------------


def quiet_world(*actions: Action, max_loss_1e9: int = 10_000 * USD) -> tuple[World, Puppet]:
    """A chain alone, 990 to 1000; its second book makes the guest act."""
    guest = Puppet("on_book").on("on_book", at(2, *actions))
    paper = paper_limits()
    limits = msgspec.structs.replace(
        paper, account=msgspec.structs.replace(paper.account, max_daily_loss_1e9=max_loss_1e9)
    )
    world = World(algos=[AlgoSpec("a", guest, ("BTC/USD",))], venues=(), chains=[chain(pools=0)], limits=limits)
    book(world)
    return world, guest


def book(world: World, ask_1e8: int = 10**6, bid: int = 990) -> None:
    asks = [[1000 * USD, ask_1e8], [2000 * USD, 10**8]]
    world.feed(frame(book=0, bids=[[bid * USD, 10**8]], asks=asks))


def chase(order_id: int, qty_1e8: int) -> Action:
    return intent(order_id, 1, qty_1e8, 1008 * USD, Policy.AGGRESSIVE_CHASE)


def hold(world: World) -> list[str]:
    """The venue takes orders and answers nothing; returns the client order ids it was given."""
    taken: list[str] = []

    def submit(approved: Approved[NewOrder], _: int) -> list[PaperOutput]:
        taken.append(approved.order.client_order_id)
        return []

    world.engine.desk.papers[0].submit = submit  # type: ignore[method-assign, assignment]
    return taken


def told(world: World, name: str, kind: ExecType, *, cum: int, qty: int = 0) -> None:
    report = ExecReport(
        client_order_id=name, exec_type=kind, instrument=0, last_qty_1e8=qty, last_px_1e9=1000 * USD if qty else 0,
        cum_qty_1e8=cum, exec_id=f"{name} {cum}" if qty else "",
    )  # fmt: skip
    world.engine.desk.reports([report], world.now_ns)


def test_executions_of_a_later_order_are_not_taken_for_those_still_awaited() -> None:
    """An intent gets less than it wanted rather than more (runtime/intents.py).

    Of 10, the first order is over with 5 filled by its venue's count, executions not here yet. The second, for 5, fills
    3. Left to ask for are 2.
    """
    world, _ = quiet_world(chase(7, 10 * 10**6))
    taken = hold(world)
    book(world)
    told(world, taken[0], ExecType.CANCELED, cum=5 * 10**6)
    book(world)
    told(world, taken[1], ExecType.TRADE, qty=3 * 10**6, cum=3 * 10**6)
    told(world, taken[1], ExecType.CANCELED, cum=3 * 10**6)
    book(world)
    oms = world.engine.oms
    asked = [(oms.orders.get(name) or oms.finished[name]).new.qty_1e8 for name in taken]
    assert asked == [10 * 10**6, 5 * 10**6, 2 * 10**6]


def test_an_intent_that_the_loss_limit_ended_is_not_asked_again_by_the_same_book() -> None:
    """Two chases wait for one book. The first's fill passes the daily loss, which ends both: guests hear 104 once."""
    world, guest = quiet_world(chase(7, 10**8), chase(8, 10**8), max_loss_1e9=USD // 2)
    book(world)
    assert len(world.engine.gate.reserved) == 2
    book(world, ask_1e8=10**7)
    assert world.engine.gate.latched == {"USD"}
    assert [record.action[0] for record in world.actions if record.by == "intent"] == [7]
    assert heard(guest) == [(7, RejectCode.DAILY_LOSS_LIMIT), (8, RejectCode.DAILY_LOSS_LIMIT)]


def heard(guest: Puppet) -> list[tuple[int, int]]:
    return [abi.REJECT.unpack(records[0])[:2] for name, records in guest.heard if name == "on_reject"]


def test_reduce_does_not_lift_the_kill_switch() -> None:
    """HALTED until a person re-arms (Gate.halt, docs/gate.md): `reduce` is no `arm`."""
    world, guest = quiet_world(market(1, 1, 10**6))
    book(world)
    assert world.engine.oms.fills == 1
    world.command("kill")
    world.command("reduce")
    guest.on("on_book", at(1, order(2, -1, 10**6, 990 * USD)))
    book(world)
    denied = world.actions[-1].denied
    assert denied is not None
    assert denied.reason is DenyReason.KILL_SWITCH
