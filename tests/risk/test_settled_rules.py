"""Rules that a review made sharper: ends before executions, own positions, refusals, seconds and days over restarts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from connectors.events import ExecType
from connectors.orders import Approved
from risk.denial import Denied, DenyReason
from risk.gate import Gate
from risk.limits import LimitTree, Scope
from risk.memory import Memory
from tests.risk.world import DAY, FINE, SECOND, World, limits, px, qty, tree, usd

ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")
ENDS = [ExecType.CANCELED, ExecType.EXPIRED, ExecType.REJECTED]


def again(before: World, held: LimitTree | None = None, *, is_marked: bool = True, **given: Any) -> World:
    """A session after that one, from its memory as text."""
    after = World(held or before.gate.tree, **given)
    if not is_marked:
        after.gate = Gate(after.gate.tree, after.markets, after.deployments)
    after.gate.restore(msgspec.json.decode(msgspec.json.encode(before.gate.memory()), type=Memory))
    after.now, after.sent, after.executions = before.now, before.sent, before.executions
    for link in after.links:
        link.last_ns = after.now
    return after


def worst(world: World) -> int:
    return world.gate.account.exposures[0].worst_1e8


# --- amends --------------------------------------------------------------------------------------------------------


def test_a_replaced_told_twice_answers_one_amend() -> None:
    world = World(limits(max_position_1e8=qty(10)))
    order = world.new()
    assert isinstance(world.amend(order, qty(2)), Approved)
    assert isinstance(world.amend(order, qty(10)), Approved)
    for _ in range(2):
        world.report(order, ExecType.REPLACED, px_1e9=px(100), qty_1e8=qty(2))
    assert worst(world) == qty(10)
    assert world.refused(qty_1e8=1) is DenyReason.MAX_POSITION
    world.report(order, ExecType.REPLACED, px_1e9=px(100), qty_1e8=qty(10))
    assert worst(world) == qty(10)


def test_a_buy_holds_the_dearest_price_that_it_may_have() -> None:
    world = World(balances={"kraken": {"USD": qty(204)}})
    order = world.new()
    assert isinstance(world.amend(order, qty(1), px(104)), Approved)
    assert isinstance(world.amend(order, qty(1), px(100)), Approved)
    purse = world.gate.purses["kraken"]
    assert purse.held["USD"] == qty(1) * px(104)
    assert world.refused(px_1e9=px(101)) is DenyReason.INSUFFICIENT_BALANCE
    world.report(order, ExecType.REPLACED, px_1e9=px(104), qty_1e8=qty(1))
    assert purse.held["USD"] == qty(1) * px(104)
    world.report(order, ExecType.REPLACED, px_1e9=px(100), qty_1e8=qty(1))
    assert purse.held["USD"] == qty(1) * px(100)


# --- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ENDS)
def test_what_was_filled_before_the_end_counts_until_it_is_told(kind: ExecType) -> None:
    world = World(limits(max_position_1e8=qty(10), max_open_orders=1))
    order = world.new(qty_1e8=qty(10))
    world.fill(order, qty(3), leaves=qty(7))
    world.report(order, kind, cum_qty_1e8=qty(7))
    assert worst(world) == qty(7)
    for late in (*ENDS, ExecType.REPLACE_REJECTED):
        world.report(order, late)
        assert worst(world) == qty(7)
    assert world.gate.find(0, order.order_id) is None
    assert world.refused(qty_1e8=qty(3) + 1, order_id=order.order_id) is DenyReason.MAX_POSITION
    world.report(world.new(side=-1, order_id=order.order_id), ExecType.CANCELED)  # nothing meets it, its id is free
    after = again(world, names=("a0",))
    assert worst(after) == qty(7)
    for each in (world, after):
        each.executions += 1
        each.fill(order, qty(4), cum=qty(7))
        assert each.gate.account.exposures[0].position_1e8 == worst(each) == qty(7)
        assert order.client_order_id not in each.gate.account.live


def test_a_fill_that_left_nothing_fixes_the_end() -> None:
    """The last of three comes first, the middle one last; what those say of the rest is old."""
    world = World()
    order = world.new(qty_1e8=qty(4))
    assert isinstance(world.amend(order, qty(6)), Approved)
    world.fill(order, qty(1), cum=qty(6))
    world.fill(order, qty(3), cum=qty(3), leaves=qty(1))
    assert order.client_order_id in world.gate.account.live
    assert worst(world) == qty(6)
    world.fill(order, qty(2), cum=qty(5), leaves=qty(1))
    assert order.client_order_id not in world.gate.account.live
    assert worst(world) == qty(6)


# --- whose position ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["max_capital_1e9", "max_daily_loss_1e9", "max_drawdown_1e9"])
def test_an_algos_own_limits_look_at_its_own_position(key: str) -> None:
    """What reduces the account's position may open one of the algo's own; and the other way round."""
    value = usd(500) if key == "max_capital_1e9" else usd(10)
    world = World(tree(Scope("algo", "a0", {key: value})), algos=2)
    world.hold(1, qty(1))
    world.fill(world.new(algo=1, side=1, qty_1e8=qty(50)))
    world.show("79.9", "80.1")
    world.new(side=-1, px_1e9=px(80))
    denied = world.denied(DenyReason[key.removeprefix("max_").removesuffix("_1e9").upper() if value == usd(10)
                                     else "CAPITAL_LIMIT"], side=-1, px_1e9=px(80), qty_1e8=qty(40))  # fmt: skip
    assert denied.scope == "algo:a0"


def test_a_limit_of_the_account_looks_at_the_accounts_position() -> None:
    """Closing its own short would lengthen what the account holds."""
    world = World(limits(max_daily_loss_1e9=usd(100)), algos=2)
    world.fill(world.new(algo=1, qty_1e8=qty(50)))
    world.hold(-1, qty(1))
    world.show("79.9", "80.1")
    assert world.denied(DenyReason.DAILY_LOSS, px_1e9=px(80)).scope == "account"


# --- refusals and repeats ------------------------------------------------------------------------------------------


def _refusals(world: World) -> int:
    return len(world.gate.memory().refusals)


def test_what_is_no_refusal_of_an_algo() -> None:
    world = World(limits(max_refusals=1))
    gone, order = world.new(), world.new()
    world.report(gone, ExecType.CANCELED)
    for _ in range(3):
        assert isinstance(world.cancel(gone), Denied)
        assert isinstance(world.amend(gone, qty(2)), Denied)
        world.report(order, ExecType.CANCEL_REJECTED)
        world.report(gone, ExecType.REJECTED)
    assert _refusals(world) == 0
    for _ in range(3):
        world.report(order, ExecType.REJECTED, cum_qty_1e8=qty(1))
    assert _refusals(world) == 1
    for _ in range(3):
        world.ask(side=0)
    assert "algo:a0" in world.gate.states.causes
    assert _refusals(world) == 2, "once halted there is nothing more to be found out"


def test_an_execution_of_nothing_is_no_repeat() -> None:
    world = World(limits(max_repeats=1))
    order = world.new(qty_1e8=qty(5))
    for _ in range(3):
        world.fill(order, 0, leaves=qty(5))
    assert world.gate.memory().repeats == ()
    world.fill(order, qty(1), leaves=qty(4))
    world.fill(order, qty(1), leaves=qty(3))
    assert len(world.gate.memory().repeats) == 1


# --- seconds -------------------------------------------------------------------------------------------------------


def test_no_change_of_limits_and_no_restart_forgets_the_second() -> None:
    world = World(limits(max_order_rate=5))
    for _ in range(4):
        world.new()
    world.restrict(max_order_rate=1)
    assert world.refused() is DenyReason.RATE_LIMIT
    after = again(world)
    for each in (world, after):
        each.restrict(max_order_rate=5)
        each.new()
        assert each.refused() is DenyReason.RATE_LIMIT
        each.later(SECOND)
        each.new()


def test_who_looks_changes_nothing() -> None:
    world = World(limits(max_refusals=5, max_repeats=5, refusal_window_ns=SECOND, repeat_window_ns=SECOND))
    world.ask(side=0)
    world.hold(1, qty(1))
    world.later(5 * SECOND)
    before, version = world.gate.memory(), world.gate.version
    assert before.refusals and before.repeats
    assert world.gate.standing()
    assert (world.gate.memory(), world.gate.version) == (before, version)


# --- days ----------------------------------------------------------------------------------------------------------


def test_a_limit_first_said_at_a_restart_counts_the_day_alone() -> None:
    world = World()
    world.hold(1, qty(10))
    world.fill(world.new(side=-1, qty_1e8=qty(10)), px_1e9=px(200))
    world.gate.roll(world.gate.day_end_ns)
    after = again(world, tree(Scope("instrument", "BTC/USD", {"max_daily_loss_1e9": usd(50)})))
    ledger = after.gate.book.ledgers["instrument:BTC/USD", "USD"]
    assert ledger.start_1e17 == ledger.total_1e17 == ledger.peak_1e17 == 1_000 * 10**17


def test_the_memory_names_every_ledger() -> None:
    world = World(tree(Scope("venue", "kraken", {"max_drawdown_1e9": usd(5)})))
    assert {(scope, quote) for scope, quotes in world.gate.memory().days.items() for quote in quotes} == set(
        world.gate.book.ledgers
    )


def test_what_was_lost_today_at_a_market_that_is_gone_stays_lost() -> None:
    world = World(limits(max_daily_loss_1e9=usd(1_000)), (FINE, ETHER))
    world.hold(1, qty(1), px(100), 1)
    world.fill(world.new(side=-1, px_1e9=px(98), symbol_idx=1), px_1e9=px(10))
    assert world.gate.book.ledgers["account", "USD"].loss_1e9 == usd(90)
    after = again(world, instruments=(FINE,)).gate.book.ledgers["account", "USD"]
    assert (after.loss_1e9, after.drawdown_1e9, after.total_1e17) == (usd(90), usd(90), 0)


def test_the_start_of_a_day_that_became_known_is_to_be_remembered() -> None:
    world = World(limits(max_daily_loss_1e9=usd(1_000)))
    world.hold(1, qty(10))
    after = again(world, is_marked=False)
    at = after.gate.day_end_ns
    after.gate.roll(at)
    version = after.gate.version
    after.gate.mark(0, px(200), at + 1)
    assert after.gate.version > version
    third = again(after, is_marked=False)
    third.gate.mark(0, px(20), at + DAY // 2)
    assert third.gate.book.ledgers["account", "USD"].loss_1e9 == usd(900)


# --- marks ---------------------------------------------------------------------------------------------------------


def test_another_market_is_as_old_as_its_own_scopes_let_it_be() -> None:
    slow = Scope("instrument", "ETH/USD", {"max_book_age_ns": SECOND})
    for held, refuses in ((tree(slow, max_mark_age_ns=0), True), (tree(max_mark_age_ns=0), False)):
        world = World(held, (FINE, ETHER))
        world.hold(1, qty(1), symbol_idx=1)
        world.now += 2 * SECOND
        verdict = world.ask()
        assert isinstance(verdict, Denied) is refuses, verdict
        if isinstance(verdict, Denied):
            assert verdict.reason is DenyReason.STALE_MARK
