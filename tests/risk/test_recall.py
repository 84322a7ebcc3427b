"""What the gate remembers: every field of Memory through JSON into a fresh gate, which then is and does the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.events import Balance, ExecType, PositionReport
from connectors.orders import Approved, NewOrder, OrderType
from risk.denial import Denied, DenyReason
from risk.limits import LimitTree, Scope
from risk.memory import Day, Held, Memory
from risk.override import Grant
from risk.recall import missing
from risk.states import TradingState
from tests.risk.world import ASKS, BIDS, DAY, FINE, SECOND, World, limits, px, qty, tree, usd

ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")
SCOPES = (
    Scope("venue", "kraken", {"max_position_1e8": qty(40), "max_order_rate": 30}),
    Scope(
        "algo",
        "a0",
        {"max_daily_loss_1e9": usd(40), "max_order_rate": 9, "max_cancel_rate": 5, "max_drawdown_1e9": usd(60)},
    ),
    Scope("canary", "", {"max_orders": 25}),
)
HELD = tree(
    *SCOPES, max_position_1e8=qty(60), max_daily_loss_1e9=usd(80), max_drawdown_1e9=usd(90), max_order_rate=12,
    max_duplicates=3, max_repeats=6, max_refusals=15, max_capital_1e9=usd(9_000),
)  # fmt: skip
MONEY = {"kraken": {"USD": qty(20_000), "BTC": qty(50), "ETH": qty(50)}}


def world(held: LimitTree = HELD, **given: Any) -> World:
    return World(held, (FINE, ETHER), algos=2, away=True, hashes=("ab", "cd"), balances=MONEY, taker_ppm=4_000, **given)


def through_json(memory: Memory) -> Memory:
    """As the journal keeps it."""
    return msgspec.json.decode(msgspec.json.encode(memory), type=Memory)


def restarted(before: World, held: LimitTree | None = None, **given: Any) -> World:
    """A fresh world that is given the memory of the one before; books and marks are learnt anew."""
    after = world(held or before.gate.tree, **given)
    after.now, after.sent, after.executions = before.now, before.sent, before.executions
    for mark in after.gate.account.marks:
        mark.mid_sum_1e9, mark.ns = 0, -1
    after.gate.restore(through_json(before.gate.memory()))
    for index, book in enumerate(before.books):
        after.books[index].load(book.bids, book.asks, after.now)
        for each in (before, after):  # both have heard of every market at the same moment
            each.gate.mark(index, before.gate.account.marks[index].mid_sum_1e9, after.now)
    for link in after.links:
        link.last_ns = after.now
    return after


class Walk:
    """Random things, done to as many worlds as are given, whose answers must be the same."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.orders: list[NewOrder] = []

    def step(self, *worlds: World) -> None:
        name = self.rng.choice(["ask"] * 6 + ["fill"] * 4 + ["amend", "answer", "cancel", "end", "show", "show", "time",
                                "time", "refuse", "grant", "switch", "drift", "arm"])  # fmt: skip
        answers = getattr(self, name)()
        told = [answers(each) for each in worlds]
        assert all(one == told[0] for one in told), f"{name}: {told}"
        happened = [each.gate.take() for each in worlds]
        assert all(one == happened[0] for one in happened), name

    def ask(self) -> Callable[[World], object]:
        side, where = self.rng.choice([1, -1]), self.rng.choice([{}, {}, {"symbol_idx": 1}, {"venue_id": 2}])
        kind = self.rng.choice([0, 0, 0, 1, 2])
        order = {
            "algo": self.rng.randrange(2), "side": side, "px_1e9": px(100 - side * self.rng.choice([0, 1, 2])),
            "qty_1e8": qty(self.rng.choice([1, 1, 3, 9])), "order_type": kind, **where,
        }  # fmt: skip
        first: list[bool] = []

        def play(each: World) -> object:
            verdict = each.ask(**order)
            if isinstance(verdict, Approved) and not first:
                first.append(True)
                self.orders.append(verdict.order)
            return verdict

        return play

    def fill(self) -> Callable[[World], object]:
        order, price = self._any(), px(self.rng.randint(90, 110))
        part, fee = self.rng.choice([1, 1, 2]), usd(self.rng.choice([0, 1]))
        if order is None:
            return lambda _: None
        return lambda each: each.fill(
            order, order.qty_1e8 // part, price, leaves=order.qty_1e8 - order.qty_1e8 // part, fee=fee
        )

    def amend(self) -> Callable[[World], object]:
        order, size = self._any(), qty(self.rng.choice([1, 2, 6]))
        return lambda each: order and each.amend(order, size)

    def answer(self) -> Callable[[World], object]:
        order, kind = self._any(), self.rng.choice([ExecType.REPLACED, ExecType.REPLACE_REJECTED])
        size = qty(self.rng.choice([1, 2, 6]))
        return lambda each: order and each.report(order, kind, px_1e9=px(99), qty_1e8=size)

    def cancel(self) -> Callable[[World], object]:
        order = self._any()
        return lambda each: order and each.cancel(order)

    def end(self) -> Callable[[World], object]:
        order, kind = self._any(), self.rng.choice([ExecType.CANCELED, ExecType.REJECTED, ExecType.UNKNOWN])
        return lambda each: order and each.report(order, kind)

    def show(self) -> Callable[[World], object]:
        index, mid = self.rng.randrange(3), self.rng.randint(97, 103)
        return lambda each: each.show(f"{mid - 1}.9", f"{mid}.1", index)

    def time(self) -> Callable[[World], object]:
        step = self.rng.choice([1, SECOND // 3, SECOND - 1, SECOND, 2 * SECOND, 7 * SECOND, DAY // 2])

        def play(each: World) -> object:
            each.later(step)
            return each.gate.roll(each.now)

        return play

    def refuse(self) -> Callable[[World], object]:
        return lambda each: each.ask(side=0)

    def grant(self) -> Callable[[World], object]:
        name, size = f"g{self.rng.randrange(5)}", qty(self.rng.choice([1, 9]))

        def play(each: World) -> object:
            each.gate.grants.clear()  # those not used yet are not remembered: whoever signed gives them again
            return each.gate.grant(Grant(name, "a0", "kraken:BTC/USD", 1, size, px(99), each.now + SECOND, "ana"))

        return play

    def switch(self) -> Callable[[World], object]:
        if self.rng.random() < 0.7:
            return lambda _: None
        scope = self.rng.choice(["algo:a0", "venue:other", "instrument:ETH/USD"])
        state = self.rng.choice([TradingState.REDUCING, TradingState.HALTED])
        return lambda each: each.gate.tighten(scope, state, "kill", "ana", each.now)

    def drift(self) -> Callable[[World], object]:
        position = qty(self.rng.choice([0, 0, 1, 90]))
        return lambda each: each.gate.position(PositionReport(1, position), each.now)

    def arm(self) -> Callable[[World], object]:
        scope = self.rng.choice(["all", "account", "algo:a0", "algo:a1", "instrument:kraken:ETH/USD"])
        return lambda each: each.arm(scope)

    def _any(self) -> NewOrder | None:
        return self.rng.choice(self.orders[-8:]) if self.orders else None


@pytest.mark.parametrize("seed", range(60))
def test_a_fresh_gate_with_the_memory_is_and_does_the_same(seed: int) -> None:
    """Random sequences with a restart after the first half: the same memory at once, and then the same answers."""
    walk, first = Walk(seed), world()
    for _ in range(60):
        walk.step(first)
    second = restarted(first)
    first.gate.grants.clear()
    assert second.gate.memory() == first.gate.memory()
    assert second.gate.standing() == first.gate.standing()
    first.gate.account.finished.clear()  # a fill after an ack that came before the restart is the session's to settle
    for _ in range(60):
        walk.step(first, second)
        assert second.gate.memory() == first.gate.memory()


def everything() -> World:
    """A world of whose memory every field says something."""
    full = world()
    full.hold(-1, qty(1), px(99), symbol_idx=1)
    doubt = full.new(qty_1e8=qty(3), px_1e9=px(99), venue_id=2)
    full.amend(doubt, qty(4))
    full.fill(doubt, qty(1), px(99), leaves=qty(2))
    full.cancel(full.new(algo=1, px_1e9=px(98), venue_id=2))
    both = [full.new(qty_1e8=qty(1)), full.new(qty_1e8=qty(1))]
    full.restrict(max_repeats=1)
    for order in both:
        full.fill(order)
    full.ask(side=0)
    full.show("75.9", "76.1")
    full.gate.balance(Balance("kraken", "USD", qty(10_000)))
    full.halt("venue:other")
    full.gate.position(PositionReport(1, qty(9)), full.now)
    full.restrict(max_order_notional_1e9=usd(200))
    full.gate.grant(Grant("g1", "a1", "kraken:BTC/USD", -1, qty(3), px(77), full.now + SECOND, "ana"))
    full.new(algo=1, side=-1, qty_1e8=qty(3), px_1e9=px(77))
    return full


def test_no_field_of_the_memory_is_left_empty_above_and_all_come_back() -> None:
    full = everything()
    memory = full.gate.memory()
    empty = {name: getattr(memory, name) for name in Memory.__struct_fields__ if not getattr(memory, name)}
    assert empty == {}
    (day,) = [days["USD"] for scope, days in memory.days.items() if scope == "algo:a0"]
    assert DenyReason.DAILY_LOSS in day.latches
    assert restarted(full).gate.memory() == memory


@pytest.mark.parametrize("field", [name for name in Memory.__struct_fields__ if name not in ("version", "limits")])
def test_each_field_by_itself_is_restored(field: str) -> None:
    """Of a memory that says nothing else, so nothing else can have brought it back."""
    full = everything()
    memory = full.gate.memory()
    alone = msgspec.structs.replace(Memory(), **{field: getattr(memory, field)})
    fresh = world()
    nothing = fresh.gate.memory()
    fresh.gate.restore(through_json(alone))
    got = fresh.gate.memory()
    if field in ("open_orders", "balances"):  # what open orders hold is worked out from both
        assert getattr(got, field)
    assert getattr(got, field) == getattr(memory, field)
    rest = {"version", "limits", "balances", "day_end_ns", "approvals", field}
    for name in set(Memory.__struct_fields__) - rest - ({"days"} if field in ("markets", "algos") else set()):
        assert getattr(got, name) == getattr(nothing, name), name


def test_what_open_orders_hold_is_not_free_after_a_restart() -> None:
    full = world()
    full.new(qty_1e8=qty(30), px_1e9=px(99))
    held = full.gate.purses["kraken"].held["USD"]
    assert held == qty(30) * px(99) * 1_004_000 // 1_000_000
    again = restarted(full)
    assert again.gate.purses["kraken"].held["USD"] == held
    assert again.gate.purses["kraken"].holds == full.gate.purses["kraken"].holds


# --- a session that differs ----------------------------------------------------------------------------------------


def test_what_it_does_not_follow_any_more_is_refused_where_it_matters() -> None:
    full = world()
    full.hold(1, qty(1), symbol_idx=1)
    full.new(algo=1, px_1e9=px(99))
    fewer = World(HELD, (FINE,), algos=1, names=("a0",), away=True)
    memory = through_json(full.gate.memory())
    assert missing(fewer.gate, memory) == ["a position at kraken:ETH/USD", "the open order c2 of a1 at kraken:BTC/USD"]
    with pytest.raises(
        ValueError, match="a position at kraken:ETH/USD, the open order c2 of a1 at kraken:BTC/USD, which this"
    ):
        fewer.gate.restore(memory)
    assert missing(full.gate, memory) == []


def test_of_the_unknown_counters_are_left_out_and_latches_and_positions_carried() -> None:
    """An algo or a market that is gone may come back: its latch, position and drift wait for it meanwhile."""
    full = everything()
    for live in list(full.gate.account.live.values()):
        full.report(live.new, ExecType.CANCELED)
    closed = full.gate.memory()
    closed = msgspec.structs.replace(
        closed, markets={"kraken:BTC/USD": closed.markets["kraken:BTC/USD"], "gone:X/Y": Held(0, 0, 5)}
    )
    fewer = World(HELD, (FINE,), algos=1, names=("other",))
    fewer.gate.restore(through_json(closed))
    got = fewer.gate.memory()
    assert got.markets == {"kraken:BTC/USD": closed.markets["kraken:BTC/USD"]}
    assert (got.equals, got.repeats, got.refusals) == ((), (), ())
    assert (got.algos, got.repeat_latched, got.drifts) == (closed.algos, closed.repeat_latched, closed.drifts)
    assert got.algos and got.repeat_latched and got.drifts
    back = world()
    back.gate.restore(through_json(got))
    again = back.gate.memory()
    assert (again.algos, again.repeat_latched, again.drifts) == (got.algos, got.repeat_latched, got.drifts)
    assert back.refused(algo=0) in (DenyReason.KILL_SWITCH, DenyReason.POSITION_DRIFT, DenyReason.REPEAT_EXECUTION)
    assert back.markets[1].drifted
    assert (got.approvals, got.causes, got.grants, got.orders_of) == (
        closed.approvals, closed.causes, closed.grants, closed.orders_of,
    )  # fmt: skip


def test_a_latch_stays_though_its_limit_is_gone() -> None:
    """Who takes a limit away does not thereby take its latch off; a person's arm does."""
    days = {"venue:kraken": {"USD": Day(0, 0, {"DAILY_LOSS": usd(7)})}, "algo:a0": {"USD": Day(5, 9)}}
    memory = Memory(day_end_ns=World().gate.day_end_ns, days=days)
    bare = World(limits())
    bare.gate.restore(through_json(memory))
    assert bare.gate.memory().days["venue:kraken"] == {"USD": Day(0, 0, {"DAILY_LOSS": usd(7)})}
    denied = bare.denied(DenyReason.DAILY_LOSS)
    assert denied.scope == "venue:kraken"
    bare.arm("venue:kraken")
    assert isinstance(bare.ask(), Approved)


def test_the_limits_in_force_are_the_new_sessions_own() -> None:
    full = world()
    again = restarted(full, tree(max_position_1e8=qty(1)))
    assert again.gate.limits.max_position_1e8 == qty(1)
    assert full.gate.memory().limits == HELD
    verdict = again.ask(qty_1e8=qty(2))
    assert isinstance(verdict, Denied)
    assert verdict.reason is DenyReason.MAX_POSITION


def test_before_a_mark_is_known_again_nothing_is_added() -> None:
    """A position whose market has shown no book since the restart: what it is worth is not known."""
    full = world()
    full.hold(1, qty(1), symbol_idx=1)
    again = world()
    again.gate.account.marks[1].mid_sum_1e9 = 0
    again.gate.account.marks[1].ns = -1
    again.books[1].invalidate("no snapshot yet")
    again.gate.restore(through_json(full.gate.memory()))
    assert again.refused() is DenyReason.STALE_MARK
    again.show(ASKS[0][0] // 10**9 - 1, BIDS[0][0] // 10**9 + 2, 1)
    assert isinstance(again.ask(order_type=int(OrderType.LIMIT)), Approved)
