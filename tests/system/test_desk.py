"""What a guest's actions lead to, where several things happen in one turn."""

from connectors.events import ExecType
from connectors.orders import OrderType
from oms.state import OrderState
from risk.denial import DenyReason
from risk.limits import Limits
from runtime.host import AlgoHost
from runtime.spec import AlgoSpec
from tests.support.guests import every, guest
from tests.support.virtual import World

WIDE = Limits(
    max_position_1e8=10**10, max_order_notional_1e9=10**16, max_order_rate=1000, price_collar_bps=5000,
    max_daily_loss_1e9=10**16,
)  # fmt: skip
STORE = "(i64.store (i32.const {at}) {value})"


def action(slot: int, order_id: int, *, px: str = "(i64.const 0)", qty: int = 0, tail: int = 0) -> str:
    """One action; `tail` holds side, kind and order type in its three low bytes."""
    at = 1032 + 32 * slot
    values = (f"(i64.const {order_id})", px, f"(i64.const {qty})", f"(i64.const {tail})")
    return "".join(STORE.format(at=at + 8 * k, value=value) for k, value in enumerate(values))


def at_call(number: int, count: int, body: str) -> str:
    stored = f"{body} (i32.store (i32.const 1024) (i32.const {count}))"
    return f"(if (i32.eq (global.get $calls) (i32.const {number})) (then {stored}))"


def algo(*steps: str, on_shutdown: str = "") -> AlgoSpec:
    body = "(i32.store (i32.const 1024) (i32.const 0))" + "".join(steps)
    return AlgoSpec("algo", AlgoHost(guest(body, on_shutdown=on_shutdown), name="algo"), ("BTC/USD",))


LOW = "(i64.sub (i64.load (local.get $book)) (i64.const 1000000000000))"
BUY, SELL_MARKET, BUY_MARKET, CANCEL, AMEND = 1, 0x1_00FF, 0x1_0001, 1 << 8, 2 << 8


def test_a_loss_latched_by_the_first_of_two_fills_lets_the_second_be_told_first() -> None:
    """Cancels wait until the order's own reports are folded: no anomaly, no cancel reject that nobody asked for."""
    limits = Limits(
        max_position_1e8=10**10, max_order_notional_1e9=10**16, max_order_rate=1000, price_collar_bps=500,
        max_daily_loss_1e9=1,
    )  # fmt: skip
    for order_type in (OrderType.IOC, OrderType.LIMIT, OrderType.MARKET):
        host = AlgoHost(every(20, qty_1e8=10**8, below_1e9=-(10**12), order_type=order_type), name="buys")
        world = World(limits=limits, algos=[AlgoSpec("buys", host, ("BTC/USD",))])
        world.run(10, until=lambda world=world: bool(world.engine.gate.latched))  # type: ignore[misc]
        assert world.engine.gate.latched
        assert world.engine.oms.fills > 1, "the order must walk several levels for this to be about anything"
        assert world.engine.oms.anomalies == 0
        assert world.engine.algos[0].callbacks.get("on_reject", 0) == 0
        assert world.engine.oms.orders == {}


def test_a_cancelled_order_is_shown_dead_even_when_the_table_is_full() -> None:
    """32 places: the one that a cancel frees is taken again only after the guest was shown DEAD in it."""
    first = "".join(action(k, 100 + k, px=LOW, qty=10_000, tail=BUY) for k in range(16))
    second = "".join(action(k, 200 + k, px=LOW, qty=10_000, tail=BUY) for k in range(16))
    swap = action(0, 100, tail=CANCEL) + action(1, 300, px=LOW, qty=10_000, tail=BUY)
    again = action(0, 301, px=LOW, qty=10_000, tail=BUY)
    world = World(
        limits=WIDE,
        algos=[algo(at_call(2, 16, first), at_call(3, 16, second), at_call(4, 2, swap), at_call(6, 1, again))],
    )
    world.run(10, until=lambda: len(world.actions) >= 34)
    denied = [(record.action[0], record.denied.reason) for record in world.actions if record.denied]
    assert denied == [(300, DenyReason.OPEN_ORDERS)]
    table = world.engine.algos[0].views[0].state.buffer
    assert (table[32 + 33], table[1312]) == (3, 32), "DEAD in its place, and all 32 still shown"
    world.run(10, until=lambda: len(world.actions) >= 35)
    assert world.actions[-1].approval, "once it was shown, the place is free"


def test_at_the_end_only_reducing_orders_pass() -> None:
    """Whatever is bought in on_shutdown nobody would look after; what closes a position may."""
    last = action(0, 900, qty=10_000, tail=BUY_MARKET) + action(1, 901, qty=10_000, tail=SELL_MARKET)
    opening = at_call(5, 1, action(0, 1, qty=10_000, tail=BUY_MARKET))
    for steps, want in (((), [900, 901]), ((opening,), [900])):
        spec = algo(*steps, on_shutdown=last + "(i32.store (i32.const 1024) (i32.const 2))")
        world = World(limits=WIDE, algos=[spec])
        world.run(5)
        asked = len(world.actions)
        world.command("stop")
        denied = [(record.action[0], record.denied.reason) for record in world.actions[asked:] if record.denied]
        assert denied == [(order_id, DenyReason.REDUCE_ONLY) for order_id in want]
        assert world.engine.oms.position(0, 0).qty_1e8 == 0


def test_an_amend_that_only_shrinks_an_order_passes_while_only_reducing_ones_do() -> None:
    """Same price, smaller total: less risk than before, whatever the position is."""
    rest = at_call(5, 1, action(0, 1, px="(i64.const 60000000000000)", qty=20_000, tail=BUY))
    amends = (
        action(0, 1, px="(i64.const 60000000000000)", qty=10_000, tail=AMEND)
        + action(1, 1, px="(i64.const 60001000000000)", qty=9_000, tail=AMEND)
        + action(2, 1, px="(i64.const 60000000000000)", qty=30_000, tail=AMEND)
    )
    world = World(limits=WIDE, algos=[algo(rest, at_call(100, 3, amends))])
    world.run(2)
    assert [order.state for order in world.engine.oms.orders.values()] == [OrderState.NEW]
    world.command("reduce")
    world.run(10, until=lambda: len(world.actions) >= 4)
    assert [bool(record.approval) for record in world.actions] == [True, True, False, False]
    (order,) = world.engine.oms.orders.values()
    assert (order.qty_1e8, order.px_1e9) == (10_000, 60_000 * 10**9)


def test_every_report_of_a_turn_reaches_the_trace() -> None:
    """What the hash is taken over holds each report, in order, behind the bytes that caused it."""
    host = AlgoHost(every(5, qty_1e8=10_000, below_1e9=-(10**12), order_type=OrderType.IOC), name="buys")
    world = World(limits=WIDE, algos=[AlgoSpec("buys", host, ("BTC/USD",))])
    world.run(5, until=lambda: bool(world.actions))
    kinds = [getattr(record, "exec_type", type(record).__name__) for record in world.engine.trace]
    assert kinds == ["ActionRecord", "bytes", ExecType.NEW, ExecType.TRADE]
