"""What the gate tells besides yes and no: happenings once and in order, standings, what latches, halts and is armed."""

from __future__ import annotations

import msgspec
import pytest

from connectors.events import ExecType, PositionReport
from connectors.orders import Approved
from risk.denial import Denied, DenyReason
from risk.happenings import DayRolled, Latched, LimitChanged, OverrideUsed, Promoted, Switched
from risk.limits import UNSET, Scope
from risk.override import Grant
from risk.standing import Standing
from risk.states import Cause, States, TradingState
from tests.risk.world import DAY, FINE, SECOND, World, limits, px, qty, tree, usd

ACTIVE, REDUCING, HALTED = TradingState
ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")


# --- states --------------------------------------------------------------------------------------------------------


def test_a_scope_only_gets_stricter_until_a_person_arms_it() -> None:
    world = World()
    gate = world.gate
    version = gate.version
    assert gate.tighten("algo:a0", REDUCING, "loss", "gateway", 5)
    assert gate.version == version + 1
    assert not gate.tighten("algo:a0", REDUCING, "again", "ana", 6)
    assert not gate.tighten("algo:a0", ACTIVE, "again", "ana", 6)
    assert gate.tighten("algo:a0", HALTED, "kill", "ana", 7)
    assert gate.version == version + 2
    assert gate.states.causes == {"algo:a0": Cause(HALTED, "kill", "ana", 7)}
    assert gate.states.cause("algo:a0") == Cause(HALTED, "kill", "ana", 7)
    assert gate.states.cause("algo:a1") is None
    gate.arm("algo:a0", "bob", 8)
    assert gate.states.is_quiet
    assert gate.take() == [
        Switched("algo:a0", ACTIVE, REDUCING, "loss", "gateway"), Switched("algo:a0", REDUCING, HALTED, "kill", "ana"),
        Switched("algo:a0", HALTED, ACTIVE, "armed", "bob"),
    ]  # fmt: skip
    assert gate.take() == [], "told once"
    assert gate.version > version + 2


def _quiet(states: States) -> bool:
    return states.is_quiet


def test_arming_one_scope_leaves_the_others() -> None:
    states = States()
    assert _quiet(states)
    for scope in ("all", "venue:kraken", "algo:a0"):
        assert states.tighten(scope, HALTED, "kill", "ana", 1)
    assert not _quiet(states)
    assert states.arm("venue:kraken") == ["venue:kraken"]
    assert states.arm("venue:kraken") == []
    assert not _quiet(states)
    assert (states.get("all"), states.get("venue:kraken")) == (HALTED, ACTIVE)
    assert states.arm("all") == ["all", "algo:a0"]
    assert _quiet(states)


def test_the_strictest_of_several_scopes_holds_and_the_first_that_has_it_is_named() -> None:
    states = States()
    states.tighten("b", REDUCING, "", "", 1)
    assert states.strictest(("a", "b", "c")) == (REDUCING, "b")
    states.tighten("c", HALTED, "", "", 1)
    states.tighten("d", HALTED, "", "", 1)
    assert states.strictest(("a", "b", "c", "d")) == (HALTED, "c")
    assert states.strictest(("a",)) == (ACTIVE, "")
    again = States()
    again.restore(states.causes)
    assert again.causes == states.causes
    assert not again.is_quiet
    again.restore({})
    assert again.is_quiet


# --- latches -------------------------------------------------------------------------------------------------------


def test_a_latch_is_told_once_with_what_was_observed() -> None:
    world = World(limits(max_daily_loss_1e9=usd(10), max_drawdown_1e9=usd(12)))
    world.hold(1, qty(1))
    world.gate.take()
    assert world.show("103.9", "104.1") is False
    version = world.gate.version
    assert world.show("90.9", "91.1")
    assert world.gate.version > version
    assert world.gate.take() == [Latched("account", "USD", DenyReason.DRAWDOWN, usd(12), usd(13))]
    assert world.show("88.9", "89.1")
    assert world.gate.take() == [Latched("account", "USD", DenyReason.DAILY_LOSS, usd(10), usd(11))]
    assert world.show("79.9", "80.1") is False
    assert world.gate.take() == []
    assert world.gate.latched == {"USD"}
    assert world.gate.is_reducing(0, 0)
    world.arm("account")
    assert world.gate.latched == set()
    assert not world.gate.is_reducing(0, 0)
    assert world.show("70.9", "71.1") is False, "the day began anew, 9 ago"
    assert world.show("69.8", "70.0"), "and 10.1 are beyond it"


def test_an_amount_is_rounded_up_so_that_it_is_beyond_its_limit() -> None:
    world = World(limits(max_daily_loss_1e9=usd(10)))
    world.hold(1, qty("0.3"))
    world.gate.take()
    world.gate.mark(0, 2 * px("66.666666666"), world.now)
    (latched,) = world.gate.take()
    assert latched == Latched("account", "USD", DenyReason.DAILY_LOSS, usd(10), usd(10) + 1)


def test_the_peak_is_memory_and_moves_with_gains_alone() -> None:
    world = World(limits(max_drawdown_1e9=usd(50)))
    world.hold(1, qty(1))
    version = world.gate.version
    world.show("109.9", "110.1")
    assert world.gate.version > version
    version = world.gate.version
    world.show("104.9", "105.1")
    assert world.gate.version == version
    (drawdown,) = [one for one in world.gate.standing() if one.key == "max_drawdown_1e9"]
    assert (drawdown.observed, drawdown.headroom) == (usd(5), usd(45))


@pytest.mark.parametrize("kind", [ExecType.REJECTED, ExecType.REPLACE_REJECTED])
def test_refusals_of_ours_and_of_the_venue_make_a_storm(kind: ExecType) -> None:
    world = World(limits(max_refusals=2), algos=2)
    order = world.new()
    assert isinstance(world.ask(side=0), Denied)
    world.gate.take()
    world.report(order, ExecType.CANCEL_REJECTED)  # crossed a fill: nobody's mistake
    assert not world.report(order, kind)
    assert isinstance(world.ask(algo=1, side=0), Denied), "of each algo by itself"
    assert world.gate.take() == []
    version = world.gate.version
    assert isinstance(world.ask(side=0), Denied)
    assert world.gate.version > version
    assert world.gate.take() == [Switched("algo:a0", ACTIVE, HALTED, "refusal storm: 3 in the window", "gateway")]
    assert isinstance(world.ask(algo=1), Approved)


@pytest.mark.parametrize(("later", "is_halted"), [(10 * SECOND - 1, True), (10 * SECOND, False)])
def test_a_refusal_as_old_as_its_window_counts_no_more(later: int, *, is_halted: bool) -> None:
    world = World(limits(max_refusals=1))
    world.ask(side=0)
    world.later(later)
    world.ask(side=0)
    assert (world.gate.states.get("algo:a0") is HALTED) is is_halted


@pytest.mark.parametrize(("later", "is_latched"), [(60 * SECOND - 1, True), (60 * SECOND, False)])
def test_executions_repeat_within_their_window_of_one_algo_market_and_side(later: int, *, is_latched: bool) -> None:
    world = World(limits(max_repeats=1), (FINE, ETHER), algos=2)
    world.hold(1, qty(1))
    world.hold(-1, qty(1))
    world.hold(1, qty(1), symbol_idx=1)
    world.fill(world.new(algo=1))
    order = world.new(qty_1e8=qty(2))
    world.later(later)
    world.gate.take()
    assert world.fill(order, qty(1), leaves=qty(1)) is is_latched
    assert not world.fill(order, qty(1)), "an order counts once"
    told = [Latched("algo:a0", "", DenyReason.REPEAT_EXECUTION, 1, 2)] if is_latched else []
    assert world.gate.take() == told
    assert world.gate.is_reducing(0, 0) is is_latched
    assert not world.gate.is_reducing(1, 0)


# --- the venue's word ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("told", "drifts"), [(-4, True), (-3, False), (2, False), (6, False), (7, True)])
def test_a_position_that_open_orders_explain_is_no_drift(told: int, *, drifts: bool) -> None:
    """2 held, 4 open to buy, 5 to sell: the venue may know of any part of them."""
    world = World()
    world.hold(1, qty(2))
    world.new(qty_1e8=qty(4), px_1e9=px(99))
    world.new(side=-1, qty_1e8=qty(5), px_1e9=px(101))
    world.gate.take()
    version = world.gate.version
    assert world.gate.position(PositionReport(0, qty(told)), world.now) is drifts
    assert (world.gate.version > version) is drifts
    want = [Latched("instrument:kraken:BTC/USD", "", DenyReason.POSITION_DRIFT, qty(2), qty(told))] if drifts else []
    assert world.gate.take() == want
    assert isinstance(world.ask(px_1e9=px(99)), Denied if drifts else Approved)


@pytest.mark.parametrize("scope", ["all", "venue:kraken", "instrument:BTC/USD", "instrument:kraken:BTC/USD"])
def test_a_drift_is_armed_by_the_scopes_that_its_market_lies_in(scope: str) -> None:
    world = World(algos=2)
    world.gate.position(PositionReport(0, qty(9)), world.now)
    for other in ("algo:a0", "venue:other", "instrument:ETH/USD", "account"):
        world.arm(other)
        assert world.refused() is DenyReason.POSITION_DRIFT
    world.arm(scope)
    assert isinstance(world.ask(), Approved)


@pytest.mark.parametrize(("silence", "halts"), [(3 * SECOND, False), (3 * SECOND + 1, True)])
@pytest.mark.parametrize("is_down", [True, False])
def test_a_venue_with_open_orders_that_is_silent_for_too_long_halts(silence: int, is_down: bool, halts: bool) -> None:
    world = World(
        tree(Scope("venue", "kraken", {"max_feed_loss_ns": 3 * SECOND}), max_feed_loss_ns=9 * SECOND), away=True
    )
    world.new()
    world.new(venue_id=2)
    if is_down:
        world.link.last_ns, world.link.down_ns = -1, world.now
    world.now += silence
    world.gate.take()
    assert world.gate.silent(world.now) == (["kraken"] if halts else [])
    want = [Switched("venue:kraken", ACTIVE, HALTED, "feed loss", "gateway")] if halts else []
    assert world.gate.take() == want
    cause = world.gate.states.cause("venue:kraken")
    assert cause == (Cause(HALTED, "feed loss", "gateway", world.now) if halts else None)
    assert world.gate.silent(world.now) == [], "once"
    world.now += 9 * SECOND
    assert "other" in world.gate.silent(world.now)


def test_a_silent_venue_without_open_orders_does_not_halt() -> None:
    world = World(limits(max_feed_loss_ns=1))
    world.now += 99 * SECOND
    assert world.gate.silent(world.now) == []


# --- people --------------------------------------------------------------------------------------------------------


def test_every_changed_limit_is_told_with_who_before_and_after() -> None:
    world = World(tree(Scope("algo", "a0", {"max_position_1e8": 5}), max_order_rate=9))
    version = world.gate.version
    world.gate.apply(tree(Scope("algo", "a0", {"max_position_1e8": 4}), max_order_rate=9, max_capital_1e9=7), "ana")
    assert world.gate.version > version
    assert world.gate.take() == [
        LimitChanged("account", "max_capital_1e9", UNSET, 7, "ana"),
        LimitChanged("algo:a0", "max_position_1e8", 5, 4, "ana"),
    ]  # fmt: skip


def test_a_limit_tightened_below_the_loss_latches_at_once() -> None:
    world = World()
    world.hold(1, qty(1))
    world.show("94.9", "95.1")
    assert not world.gate.apply(tree(max_daily_loss_1e9=usd(5)), "ana")
    world.gate.take()
    assert world.gate.apply(tree(max_daily_loss_1e9=usd(5) - 1), "ana")
    assert Latched("account", "USD", DenyReason.DAILY_LOSS, usd(5) - 1, usd(5)) in world.gate.take()


def test_other_limits_keep_what_was_counted() -> None:
    """Windows, open orders, sums and the day's start: a reload is no amnesty."""
    world = World(tree(Scope("algo", "a0", {"max_order_rate": 2}), max_order_rate=3, max_position_1e8=qty(4)))
    world.new(qty_1e8=qty(2))
    world.new(qty_1e8=qty(1))
    world.restrict(max_order_rate=4)
    assert world.refused() is DenyReason.RATE_LIMIT
    world.later()
    assert world.refused(qty_1e8=qty(1) + 1) is DenyReason.MAX_POSITION
    world.new(qty_1e8=qty(1))
    world.restrict(max_order_rate=1)
    world.gate.apply(tree(max_order_rate=1, max_position_1e8=qty(9)), "ana")
    assert world.refused() is DenyReason.RATE_LIMIT


def test_other_limits_keep_the_day_its_best_and_its_latches() -> None:
    """5 lost yesterday, 6 above today's start at best, 4 now: a reload changes none of these figures."""
    held = {"max_daily_loss_1e9": usd(10), "max_drawdown_1e9": usd(9)}
    world = World(tree(Scope("algo", "a0", dict(held)), **held))
    world.hold(1, qty(1))
    world.show("94.9", "95.1")
    world.gate.roll(world.gate.day_end_ns)
    world.show("100.9", "101.1")
    world.show("98.9", "99.1")
    for rate in (7, 8):
        figures = {(one.scope, one.key): one.observed for one in world.gate.standing() if one.currency == "USD"}
        for scope in ("account", "algo:a0"):
            assert (figures[scope, "max_daily_loss_1e9"], figures[scope, "max_drawdown_1e9"]) == (-usd(4), usd(2))
        world.restrict(max_order_rate=rate)
    world.show("84.8", "85.0")
    assert world.refused(px_1e9=px(85)) is DenyReason.DAILY_LOSS
    world.gate.apply(tree(max_order_rate=9), "ana")
    assert world.denied(DenyReason.DAILY_LOSS, px_1e9=px(85)).scope == "account"
    world.arm("account")
    assert world.denied(DenyReason.DAILY_LOSS, px_1e9=px(85)).scope == "algo:a0", "its limit is gone, its latch is not"


def test_an_override_names_the_order_to_the_last_unit_and_is_used_once() -> None:
    world = World(limits(max_order_qty_1e8=1, max_order_notional_1e9=1), algos=2)
    grant = Grant("g1", "a0", "kraken:BTC/USD", 1, qty(2), px(100), world.now + 5, "ana")
    assert world.gate.grant(grant)
    assert not world.gate.grant(grant)
    for other in ({"algo": 1}, {"side": -1}, {"qty_1e8": qty(2) + 1}, {"px_1e9": px(100) + 1}, {"order_type": 1},
                  {"now_ns": world.now + 5}):  # fmt: skip
        assert world.refused(**{"qty_1e8": qty(2), **other}) is DenyReason.MAX_ORDER_QTY, other
    world.gate.take()
    order = world.new(qty_1e8=qty(2), now_ns=world.now + 4)
    assert world.gate.take() == [
        OverrideUsed("g1", order.client_order_id, (DenyReason.MAX_ORDER_QTY, DenyReason.MAX_ORDER_NOTIONAL), "ana")
    ]
    assert world.refused(qty_1e8=qty(2)) is DenyReason.MAX_ORDER_QTY
    assert not world.gate.grant(grant), "not even when it is given again"


def test_an_override_of_a_market_order_says_no_price() -> None:
    world = World(limits(max_order_qty_1e8=1))
    world.gate.grant(Grant("g1", "a0", "kraken:BTC/USD", 1, qty(2), 0, world.now + 5, "ana"))
    assert world.new(qty_1e8=qty(2), order_type=1, px_1e9=7).px_1e9 == 0


@pytest.mark.parametrize("change", [{"max_order_rate": 0}, {"max_open_orders": 0}, {"order_types": 0}])
def test_an_override_skips_only_what_may_be_skipped_and_is_not_used_up_by_a_refusal(change: dict[str, int]) -> None:
    world = World(limits(max_order_qty_1e8=1))
    world.gate.grant(Grant("g1", "a0", "kraken:BTC/USD", 1, qty(2), px(100), world.now + 5, "ana"))
    world.restrict(**change)
    assert isinstance(world.ask(qty_1e8=qty(2)), Denied)
    world.restrict(max_order_rate=9, max_open_orders=9, order_types=31)
    assert isinstance(world.ask(qty_1e8=qty(2)), Approved)


def test_a_promoted_module_is_no_canary_whatever_its_instance_is_called() -> None:
    world = World(tree(Scope("canary", "", {"max_orders": 1})), algos=3, hashes=("ab", "ab", "cd"))
    world.new(algo=0)
    assert world.refused(algo=1) is DenyReason.CANARY_LIMIT, "the same module's"
    world.gate.take()
    version = world.gate.version
    world.gate.promote("ab", "ana")
    world.gate.promote("ab", "ana")
    assert world.gate.version == version + 2
    assert world.gate.tree.promoted == ("ab",)
    assert world.gate.take() == [Promoted("ab", "ana")] * 2
    world.new(algo=1)
    world.new(algo=2)
    assert world.refused(algo=2) is DenyReason.CANARY_LIMIT


# --- days and standings --------------------------------------------------------------------------------------------


def test_a_day_rolls_at_the_first_input_after_midnight() -> None:
    world = World()
    midnight = (world.now // DAY + 1) * DAY
    assert world.gate.day_end_ns == midnight
    assert not world.gate.roll(midnight - 1)
    version = world.gate.version
    assert world.gate.roll(midnight + 2 * DAY + 5)
    assert world.gate.version > version
    assert world.gate.take() == [DayRolled(midnight + 3 * DAY)]
    assert not world.gate.roll(midnight + 3 * DAY - 1)


def test_where_an_account_stands() -> None:
    """Every limit of a sum that somebody said, with what counts against it."""
    held = tree(
        Scope("algo", "a0", {"max_position_1e8": qty(5), "max_order_rate": 4}), max_capital_1e9=usd(1_000),
        max_drawdown_1e9=usd(70), max_refusals=8, max_repeats=9, max_cancel_rate=7, max_position_1e8=qty(20),
    )  # fmt: skip
    world = World(held)
    world.hold(1, qty(2))
    order = world.new(qty_1e8=qty(1), px_1e9=px(99))
    world.cancel(order)
    world.ask(side=0)
    world.show("89.9", "90.1")
    million = usd(1_000_000)
    assert world.gate.standing() == [
        Standing("account", "max_position_1e8", "BTC", qty(20), qty(3)),
        Standing("algo:a0", "max_position_1e8", "BTC", qty(5), qty(3)),
        Standing("account", "max_capital_1e9", "USD", usd(1_000), usd(270)),
        Standing("account", "max_daily_loss_1e9", "USD", million, usd(20)),
        Standing("account", "max_drawdown_1e9", "USD", usd(70), usd(20)),
        Standing("account", "max_order_rate", "", 1_000, 2),
        Standing("algo:a0", "max_order_rate", "", 4, 2),
        Standing("account", "max_cancel_rate", "", 7, 1),
        Standing("algo:a0", "max_cancel_rate", "", 4, 1),
        Standing("algo:a0", "max_open_orders", "", 32, 1),
        Standing("algo:a0", "max_refusals", "", 8, 1),
        Standing("algo:a0", "max_repeats", "", 9, 1),
    ]
    world.gate.now_ns += SECOND
    later = {(one.scope, one.key): one.observed for one in world.gate.standing()}
    assert (later["account", "max_order_rate"], later["account", "max_cancel_rate"]) == (0, 0)
    assert world.gate.standing()[0].headroom == qty(17)
    world.restrict(max_position_1e8=qty(1))
    assert world.gate.standing()[0].headroom == 0
