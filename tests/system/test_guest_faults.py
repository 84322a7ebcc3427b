"""A guest that breaks its contract is out, its orders go, and nobody else notices."""

import pytest

from connectors.orders import OrderType
from oms.state import OrderState
from risk.denial import DenyReason
from risk.limits import Limits
from risk.states import TradingState
from runtime.host import AlgoHost
from runtime.spec import AlgoSpec
from tests.support.guests import every, guest
from tests.support.puppet import Puppet
from tests.support.virtual import World

# rests an order far below on the 3rd book, breaks on the 50th
RESTS_THEN = """
    (i32.store (i32.const 1024) (i32.const 0))
    (if (i32.eq (global.get $calls) (i32.const 3)) (then
      (i64.store (i32.const 1032) (i64.const 7))
      (i64.store (i32.const 1040) (i64.sub (i64.load (local.get $book)) (i64.const 100000000000)))
      (i64.store (i32.const 1048) (i64.const 100000))
      (i64.store (i32.const 1056) (i64.const 1))
      (i32.store (i32.const 1024) (i32.const 1))))
    (if (i32.eq (global.get $calls) (i32.const 50)) (then %s))"""

FAULTS = {
    "trap": "(unreachable)",
    "endless loop": "(loop $again (br $again))",
    "recursion": "(drop (call $on_book (local.get $book) (local.get $state))) (global.set $calls (i32.const 49)) "
    "(drop (call $on_book (local.get $book) (local.get $state)))",
    "unaligned pointer": "(return (i32.const 1025))",
    "null pointer": "(return (i32.const 0))",
    "pointer beyond memory": "(return (i32.const -8))",
    "too many actions": "(i32.store (i32.const 1024) (i32.const 17))",
    "out of bounds store": "(i32.store (i32.const -4) (i32.const 1))",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_it_is_disabled_its_orders_are_cancelled_and_the_others_go_on(fault: str) -> None:
    bad = AlgoHost(guest(RESTS_THEN % FAULTS[fault]), name="bad")
    good = AlgoHost(every(20, order_type=OrderType.IOC), name="good")
    world = World(algos=[AlgoSpec("bad", bad, ("BTC/USD",)), AlgoSpec("good", good, ("BTC/USD",))])
    world.run(30, until=lambda: world.engine.algos[0].is_faulty)
    assert world.engine.algos[0].callbacks["on_book"] == 50
    (notice,) = world.said("algo bad disabled")
    assert notice.startswith("algo bad disabled in on_book, call 50, its orders are being cancelled")
    finished = [order for order in world.engine.oms.finished.values() if order.order_id == 7]
    assert [order.state for order in finished] == [OrderState.CANCELED]
    assert [record.by for record in world.actions if record.algo == 0] == ["algo", "gateway"]
    causes = world.engine.gate.states.causes
    assert {scope: (cause.state, cause.what) for scope, cause in causes.items()} == {
        "algo:bad": (TradingState.HALTED, "guest fault")
    }

    before = world.engine.algos[1].callbacks["on_book"]
    world.run(5)
    assert world.engine.algos[1].callbacks["on_book"] > before + 50
    assert world.engine.algos[0].callbacks["on_book"] == 50
    world.command("stop")
    assert world.engine.algos[0].callbacks.get("on_shutdown", 0) == 0
    assert world.engine.algos[1].callbacks["on_shutdown"] == 1


@pytest.mark.parametrize("callback", ["on_fill", "on_reject", "on_shutdown"])
def test_a_fault_in_any_callback_counts(callback: str) -> None:
    """A market order at once (fill) or one of no quantity (reject), and the guest traps on hearing of it."""
    qty = 0 if callback == "on_reject" else 100_000
    body = RESTS_THEN.replace("(i64.const 100000)", f"(i64.const {qty})").replace(
        "(i64.const 1))", "(i64.const 65537))", 1
    )
    trap = {callback: "(unreachable)"}
    world = World(algos=[AlgoSpec("bad", AlgoHost(guest(body % "", **trap), name="bad"), ("BTC/USD",))])
    world.run(10)
    world.command("stop")
    assert world.engine.algos[0].is_faulty
    assert world.said("algo bad disabled")
    assert world.engine.oms.orders == {}


def test_a_guest_that_is_restarted_halts_nothing_until_it_is_not() -> None:
    """Its first fault is mended by a restart; with the second its algo is halted, until a person arms it."""
    guest_, other = Puppet("on_book", name="bad"), Puppet("on_book", name="good")
    guest_.on("on_book", lambda puppet: puppet.trap())
    specs = [AlgoSpec("bad", guest_, ("BTC/USD",), restarts=1), AlgoSpec("good", other, ("BTC/USD",))]
    world = World(algos=specs)
    states = world.engine.gate.states
    world.run(10, until=lambda: bool(world.said("algo bad disabled")))
    world.run(0.5)
    assert states.causes == {}
    world.run(10, until=lambda: not states.is_quiet)
    (cause,) = states.causes.values()
    assert (states.get("algo:bad"), cause.what, cause.who) == (TradingState.HALTED, "guest fault", "gateway")
    assert guest_.lives == 2
    assert world.said("algo:bad HALTED by gateway (guest fault)")
    assert world.engine.state is TradingState.ACTIVE
    before = other.count("on_book")
    world.run(1)
    assert other.count("on_book") > before
    world.command("arm", "algo:bad")
    assert states.is_quiet


def test_kill_cancels_denies_and_only_a_person_re_arms() -> None:
    world = World(algos=[AlgoSpec("mm", AlgoHost(guest(RESTS_THEN % ""), name="mm"), ("BTC/USD",)),
                         AlgoSpec("asks", AlgoHost(every(10), name="asks"), ("BTC/USD",))])  # fmt: skip
    world.run(5)
    assert world.engine.oms.orders
    world.command("kill")
    assert world.engine.oms.orders == {}
    assert world.engine.state is TradingState.HALTED
    asked = len(world.actions)
    world.run(5)
    later = world.actions[asked:]
    assert later
    assert {record.denied.reason for record in later if record.denied} == {DenyReason.KILL_SWITCH}
    assert all(record.denied for record in later)
    world.command("arm")
    asked = len(world.actions)
    world.run(5)
    assert any(record.approval for record in world.actions[asked:])


def test_a_passed_daily_loss_cancels_and_lets_only_reducing_orders_by() -> None:
    """One dollar of loss: the first fee passes it. What rests is cancelled; new risk is refused until re-armed."""
    limits = Limits(
        max_position_1e8=10**9, max_order_notional_1e9=10**15, max_order_rate=1000, price_collar_bps=500,
        max_daily_loss_1e9=10**9,
    )  # fmt: skip
    resting = AlgoHost(guest(RESTS_THEN % ""), name="rests")
    buys = AlgoHost(every(40, qty_1e8=10_000_000, below_1e9=-(10**12), order_type=OrderType.IOC), name="buys")
    world = World(
        limits=limits, algos=[AlgoSpec("rests", resting, ("BTC/USD",)), AlgoSpec("buys", buys, ("BTC/USD",))]
    )  # fmt: skip
    world.run(30)
    assert world.said("daily loss limit passed in USD")
    assert {record.denied.reason for record in world.actions if record.denied} == {DenyReason.DAILY_LOSS}
    assert world.engine.oms.orders == {}
    assert world.engine.algos[0].views[0].state.buffer[1376 + 28] == 1, "RiskSnapshot.reduce_only"
    assert world.engine.gate.latched == {"USD"}
