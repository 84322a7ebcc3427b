"""Each control at its limit less one unit, at its limit, one unit beyond; its reason, and the code its guest sees."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import ExecType, RejectCode
from connectors.instrument import Instrument
from connectors.orders import Approved, OrderType
from risk.checks_limits import check_rate
from risk.denial import Denied, DenyReason
from risk.states import TradingState
from risk.windows import Window
from tests.risk.world import DAY, FINE, SECOND, World, limits, px, qty, usd

COARSE = msgspec.structs.replace(FINE, tick_size_1e9=px("0.1"), lot_size_1e8=qty("0.001"))
EURO = msgspec.structs.replace(FINE, symbol="BTC/EUR")
ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")


def _denied(verdict: object, reason: DenyReason, code: RejectCode) -> Denied:
    assert isinstance(verdict, Denied), verdict
    assert (verdict.reason, verdict.code) == (reason, code)
    assert verdict.rule
    return verdict


# --- position -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("held", "open_qty"), [(0, 0), (4, 0), (0, 4), (3, 4)])
def test_position_is_judged_with_everything_open_filled(side: int, held: int, open_qty: int) -> None:
    world = World(limits(max_position_1e8=qty(10)))
    if held:
        world.hold(side, qty(held))
    if open_qty:
        world.new(side=side, qty_1e8=qty(open_qty))
    room = qty(10 - held - open_qty)
    denied = _denied(world.ask(side=side, qty_1e8=room + 1), DenyReason.MAX_POSITION, RejectCode.POSITION_LIMIT)
    assert (denied.limit, denied.observed) == (qty(10), qty(10) + 1)
    assert isinstance(world.ask(side=side, qty_1e8=room - 1), Approved)
    assert isinstance(world.ask(side=side, qty_1e8=1), Approved)
    _denied(world.ask(side=side, qty_1e8=1), DenyReason.MAX_POSITION, RejectCode.POSITION_LIMIT)


def test_orders_of_the_other_side_do_not_make_room() -> None:
    world = World(limits(max_position_1e8=qty(10)))
    world.new(side=-1, qty_1e8=qty(10), px_1e9=px(101))
    assert world.refused(side=1, qty_1e8=qty(10) + 1) is DenyReason.MAX_POSITION
    world.new(side=1, qty_1e8=qty(10))


def test_a_short_position_makes_room_to_buy() -> None:
    world = World(limits(max_position_1e8=qty(10)))
    world.hold(-1, qty(10))
    assert world.refused(side=1, qty_1e8=qty(20) + 1) is DenyReason.MAX_POSITION
    world.new(side=1, qty_1e8=qty(20))


def test_position_is_of_the_account_and_of_one_instrument() -> None:
    world = World(limits(max_position_1e8=qty(10)), (FINE, ETHER), algos=2)
    world.new(algo=0, qty_1e8=qty(10))
    assert world.refused(algo=1, qty_1e8=1) is DenyReason.MAX_POSITION
    world.new(algo=1, symbol_idx=1, qty_1e8=qty(10))


@pytest.mark.parametrize("kind", [ExecType.UNKNOWN, ExecType.NEW, ExecType.CANCEL_REJECTED])
def test_an_order_in_doubt_counts_as_live(kind: ExecType) -> None:
    world = World(limits(max_position_1e8=qty(10)))
    order = world.new(qty_1e8=qty(10))
    world.report(order, kind)
    assert world.refused(qty_1e8=1) is DenyReason.MAX_POSITION


@pytest.mark.parametrize("kind", [ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED])
def test_a_finished_order_makes_room_again(kind: ExecType) -> None:
    world = World(limits(max_position_1e8=qty(10)))
    order = world.new(qty_1e8=qty(10))
    world.report(order, kind)
    world.new(qty_1e8=qty(10))


# --- notional -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "price"),
    [(1, "100.1"), (1, "101"), (-1, "99.9"), (-1, "101")],
)
def test_order_notional(side: int, price: str) -> None:
    """2 at the price given: of a buy above the ask and a sell above the bid its own price is the dearer."""
    world = World(limits(max_order_notional_1e9=2 * px(price)))
    denied = _denied(
        world.ask(side=side, px_1e9=px(price), qty_1e8=qty(2) + 1), DenyReason.MAX_ORDER_NOTIONAL, RejectCode.RISK
    )
    one_more = -(-px(price) // 10**8)  # rounded up
    assert (denied.limit, denied.observed) == (2 * px(price), 2 * px(price) + one_more)
    world.new(side=side, px_1e9=px(price), qty_1e8=qty(2))
    world.new(side=side, px_1e9=px(price), qty_1e8=qty(2) - 1)


@pytest.mark.parametrize(("side", "price", "touch"), [(1, "96", "100.1"), (-1, "96", "99.9")])
def test_a_limit_is_not_valued_below_the_touch(side: int, price: str, touch: str) -> None:
    world = World(limits(max_order_notional_1e9=2 * px(touch)))
    world.new(side=side, px_1e9=px(price), qty_1e8=qty(2))
    assert world.refused(side=side, px_1e9=px(price), qty_1e8=qty(2) + 1) is DenyReason.MAX_ORDER_NOTIONAL


# --- rate -----------------------------------------------------------------------------------------------------------


def test_order_rate_in_a_rolling_second() -> None:
    world = World(limits(max_order_rate=3))
    start = world.now
    world.new(now_ns=start)
    world.new(now_ns=start + SECOND // 2)
    world.new(now_ns=start + SECOND - 1)
    denied = _denied(world.ask(now_ns=start + SECOND - 1), DenyReason.RATE_LIMIT, RejectCode.RISK)
    assert (denied.limit, denied.observed) == (3, 4)
    world.new(now_ns=start + SECOND)
    assert world.refused(now_ns=start + SECOND) is DenyReason.RATE_LIMIT
    assert world.refused(now_ns=start + SECOND + SECOND // 2 - 1) is DenyReason.RATE_LIMIT
    world.new(now_ns=start + SECOND + SECOND // 2)


@given(
    limit=st.integers(0, 4),
    gaps=st.lists(st.sampled_from([0, 1, SECOND // 3, SECOND // 2, SECOND - 1, SECOND, SECOND + 1]), max_size=40),
)
def test_no_second_ever_holds_more_than_the_limit_and_no_message_is_refused_in_vain(
    limit: int, gaps: list[int]
) -> None:
    window, passed, now = Window(limit), list[int](), 0
    for gap in gaps:
        now += gap
        recent = sum(1 for at in passed if now - at < SECOND)
        assert (check_rate((window,), now) is not None) == (recent >= limit)
        if recent < limit:
            window.times.append(now)
            passed.append(now)


def test_a_clock_that_steps_back_does_not_open_the_window() -> None:
    world = World(limits(max_order_rate=1))
    world.new()
    assert world.refused(now_ns=world.now - 10 * SECOND) is DenyReason.RATE_LIMIT


def test_denied_orders_are_not_messages_and_amends_are() -> None:
    world = World(limits(max_order_rate=2))
    for _ in range(5):
        assert world.refused(side=0) is DenyReason.INVALID_ORDER
    order = world.new()
    assert isinstance(world.amend(order, qty(2)), Approved)
    assert world.refused() is DenyReason.RATE_LIMIT
    _denied(world.amend(order, qty(1)), DenyReason.RATE_LIMIT, RejectCode.RISK)


def test_cancels_have_a_budget_of_their_own() -> None:
    world = World(limits(max_order_rate=2))
    first, second = world.new(), world.new()
    assert world.refused() is DenyReason.RATE_LIMIT
    assert isinstance(world.cancel(first), Approved)
    assert isinstance(world.cancel(second), Approved)
    denied = _denied(world.cancel(first), DenyReason.RATE_LIMIT, RejectCode.RISK)
    assert (denied.limit, denied.observed) == (2, 3)
    world.later(SECOND - 1)
    _denied(world.cancel(first), DenyReason.RATE_LIMIT, RejectCode.RISK)
    world.later(1)
    assert isinstance(world.cancel(first), Approved)
    world.new()  # and cancels take nothing from orders


def test_our_own_cancels_are_never_refused_but_count() -> None:
    world = World(limits(max_order_rate=2))
    orders = [world.new(), world.new()]
    live = world.gate.find(0, orders[0].order_id)
    assert live is not None
    for n in range(5):
        assert world.gate.must_cancel(live, f"kill-{n}", world.now).order.client_order_id == orders[0].client_order_id
    _denied(world.cancel(orders[1]), DenyReason.RATE_LIMIT, RejectCode.RISK)


# --- price ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("order_type", [OrderType.LIMIT, OrderType.IOC, OrderType.FOK, OrderType.POST_ONLY])
def test_price_deviation_from_the_mid(side: int, order_type: OrderType) -> None:
    """Mid 100, collar 2 %: 98 … 102, both included."""
    world = World(limits(price_collar_bps=200))
    for price in (px(98), px(98) + 1, px(102) - 1, px(102)):
        world.new(side=side, px_1e9=price, order_type=int(order_type))
    for price in (px(98) - 1, px(102) + 1):
        verdict = world.ask(side=side, px_1e9=price, order_type=int(order_type))
        denied = _denied(verdict, DenyReason.PRICE_COLLAR, RejectCode.PRICE_DEVIATION)
        assert (denied.limit, denied.observed) == (200, 201)


def test_the_collar_is_exact_where_the_mid_is_not_an_integer() -> None:
    world = World(limits(price_collar_bps=100))
    world.books[0].load([(999, qty(1))], [(1000, qty(1))], world.now)  # mid 999.5: 989.505 … 1009.495
    assert world.refused(px_1e9=989) is DenyReason.PRICE_COLLAR
    world.new(px_1e9=990)
    world.new(px_1e9=1009)
    assert world.refused(px_1e9=1010) is DenyReason.PRICE_COLLAR


@pytest.mark.parametrize(("side", "reach"), [(1, "101"), (-1, "99")])
def test_a_market_order_is_valued_and_collared_by_the_depth_it_needs(side: int, reach: str) -> None:
    """5 lie at the touch (0.1 % off the mid), 10 more at 1 %, 100 more at 2 %."""
    market = int(OrderType.MARKET)
    narrow = World(limits(price_collar_bps=10))
    narrow.new(side=side, order_type=market, qty_1e8=qty(5))
    _denied(
        narrow.ask(side=side, order_type=market, qty_1e8=qty(5) + 1),
        DenyReason.PRICE_COLLAR,
        RejectCode.PRICE_DEVIATION,
    )
    wider = World(limits(price_collar_bps=100))
    wider.new(side=side, order_type=market, qty_1e8=qty(15))
    assert wider.refused(side=side, order_type=market, qty_1e8=qty(15) + 1) is DenyReason.PRICE_COLLAR
    dearest = px(reach) if side > 0 else px("99.9")
    poor = World(limits(max_order_notional_1e9=dearest * 10))
    poor.new(side=side, order_type=market, qty_1e8=qty(10))
    assert poor.refused(side=side, order_type=market, qty_1e8=qty(10) + 1) is DenyReason.MAX_ORDER_NOTIONAL


@pytest.mark.parametrize("side", [1, -1])
def test_a_market_order_beyond_what_the_book_shows_has_no_price_to_judge(side: int) -> None:
    world = World()
    world.new(side=side, order_type=int(OrderType.MARKET), qty_1e8=qty(115))
    verdict = world.ask(side=side, order_type=int(OrderType.MARKET), qty_1e8=qty(115) + 1)
    denied = _denied(verdict, DenyReason.PRICE_COLLAR, RejectCode.PRICE_DEVIATION)
    assert (denied.limit, denied.observed) == (qty(115), qty(115) + 1)


@pytest.mark.parametrize("price", [0, 1, 7, 2**64 - 1])
def test_a_market_order_carries_no_price(price: int) -> None:
    world = World(limits(price_collar_bps=100), (COARSE,))
    assert world.new(order_type=int(OrderType.MARKET), px_1e9=price).px_1e9 == 0


# --- daily loss -----------------------------------------------------------------------------------------------------


def test_an_unrealised_loss_latches_one_unit_beyond_the_limit() -> None:
    world = World(limits(max_daily_loss_1e9=usd(10)))
    world.hold(1, qty(1))
    assert not world.gate.mark(0, px(180) + 1, world.now)
    assert not world.gate.mark(0, px(180), world.now)  # mid 90: the loss is the limit
    world.new()
    assert world.gate.mark(0, px(180) - 1, world.now)
    denied = _denied(world.ask(), DenyReason.DAILY_LOSS, RejectCode.DAILY_LOSS_LIMIT)
    assert denied.limit == usd(10)
    assert not world.gate.mark(0, px(200), world.now), "latched once is enough"
    assert world.refused() is DenyReason.DAILY_LOSS, "a recovery does not re-arm"
    world.new(side=-1, px_1e9=px(101))


@pytest.mark.parametrize(("side", "worse"), [(1, -1), (-1, 1)])
def test_a_realised_loss_with_its_fees_latches(side: int, worse: int) -> None:
    world = World(limits(max_daily_loss_1e9=usd(10)))
    world.hold(side, qty(1))
    closing = world.new(side=-side, qty_1e8=qty(1))
    loss = worse * usd("9.5")
    assert not world.fill(closing, qty("0.5"), px(100) + loss, leaves=qty("0.5"), fee=usd("0.5"))
    assert world.fill(closing, qty("0.5"), px(100) + loss, fee=usd("0.5") + 1), "10.000000001 lost"
    assert world.refused(side=side) is DenyReason.DAILY_LOSS


def test_losses_add_up_over_the_instruments_of_one_quote_currency() -> None:
    world = World(limits(max_daily_loss_1e9=usd(10)), (FINE, ETHER, EURO))
    for symbol_idx in range(3):
        world.hold(1, qty(1), symbol_idx=symbol_idx)
    assert not world.gate.mark(2, px(180), world.now)
    assert not world.gate.mark(0, px(188), world.now)
    assert world.gate.mark(1, px(192) - 1, world.now)
    assert world.refused(symbol_idx=0) is DenyReason.DAILY_LOSS
    assert world.refused(symbol_idx=1) is DenyReason.DAILY_LOSS
    world.new(symbol_idx=2)
    assert world.gate.mark(2, px(180) - 1, world.now), "the other currency has its own limit"


def test_a_new_day_starts_from_its_first_mark_and_leaves_the_latch() -> None:
    world = World(limits(max_daily_loss_1e9=usd(10)))
    world.hold(1, qty(1))
    world.gate.mark(0, px(184), world.now)
    midnight = (world.now // DAY + 1) * DAY
    assert not world.gate.roll(midnight - 1)
    assert world.gate.roll(midnight)
    assert not world.gate.roll(midnight)
    assert not world.gate.mark(0, px(164), world.now), "8 lost yesterday, 10 today"
    assert world.gate.mark(0, px(164) - 1, world.now)
    assert world.gate.roll(midnight + 3 * DAY)
    world.later(midnight + 3 * DAY - world.now)
    assert world.refused() is DenyReason.DAILY_LOSS
    world.arm()
    world.new()
    assert not world.gate.mark(0, px(144) - 1, world.now), "armed: counted anew from the mark of that moment"
    assert world.gate.mark(0, px(144) - 2, world.now)


# --- kill switch ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
def test_halted_lets_nothing_but_cancels_pass(side: int) -> None:
    world = World()
    world.hold(1, qty(2))
    order = world.new()
    world.halt()
    _denied(world.ask(side=side), DenyReason.KILL_SWITCH, RejectCode.KILL_SWITCH)
    _denied(world.amend(order, qty(2)), DenyReason.KILL_SWITCH, RejectCode.KILL_SWITCH)
    _denied(world.gate.check_kind(0, 3, world.now), DenyReason.KILL_SWITCH, RejectCode.KILL_SWITCH)
    assert isinstance(world.cancel(order), Approved)
    world.gate.roll(world.now + DAY)
    world.later(DAY)
    assert world.refused(side=side) is DenyReason.KILL_SWITCH, "a day later still"
    world.arm()
    world.new(side=side, px_1e9=px(100) if side > 0 else px(101))


@pytest.mark.parametrize("breakage", ["metadata", "link", "book", "symbol", "order", "amend"])
def test_halted_says_halted_whatever_else_is_broken(breakage: str) -> None:
    world = World()
    world.halt()
    if breakage == "metadata":
        world.markets[0].instrument = None
    elif breakage == "link":
        world.link.last_ns = -1
    elif breakage == "book":
        world.markets[0].book = None  # type: ignore[assignment]
    if breakage == "amend":
        verdict: object = world.gate.check_amend(0, "a", 999, px(100), qty(1), world.now)
    elif breakage == "order":
        verdict = world.ask(side=7, qty_1e8=-(2**63), order_type=255)
    else:
        verdict = world.ask(symbol_idx=200 if breakage == "symbol" else 0, order_type=int(OrderType.MARKET))
    _denied(verdict, DenyReason.KILL_SWITCH, RejectCode.KILL_SWITCH)


def test_reducing_lets_only_what_reduces_pass() -> None:
    world = World()
    world.hold(1, qty(2))
    world.reduce()
    assert world.gate.state is TradingState.REDUCING
    _denied(world.ask(side=1, qty_1e8=1), DenyReason.REDUCE_ONLY, RejectCode.RISK)
    _denied(world.ask(side=-1, qty_1e8=qty(2) + 1), DenyReason.REDUCE_ONLY, RejectCode.RISK)
    world.new(side=-1, qty_1e8=qty(2))
    assert world.refused(side=-1, qty_1e8=1) is DenyReason.REDUCE_ONLY, "the open one already takes it all"


# --- the form of an order -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instrument", "smallest"),
    [
        (msgspec.structs.replace(FINE, min_qty_1e8=qty(2)), qty(2)),
        (msgspec.structs.replace(FINE, min_notional_1e9=usd(200)), qty(2)),
    ],
)
def test_minimums(instrument: Instrument, smallest: int) -> None:
    world = World(instruments=(instrument,))
    _denied(world.ask(qty_1e8=smallest - 1), DenyReason.BELOW_MINIMUM, RejectCode.RISK)
    world.new(qty_1e8=smallest)
    world.new(qty_1e8=smallest + 1)


@pytest.mark.parametrize("off", [-1, 1])
def test_the_grid(off: int) -> None:
    world = World(instruments=(COARSE,))
    world.new(qty_1e8=qty("0.001"), px_1e9=px("99.9"))
    _denied(world.ask(qty_1e8=qty("0.001") + off), DenyReason.OFF_GRID, RejectCode.RISK)
    _denied(world.ask(px_1e9=px("99.9") + off), DenyReason.OFF_GRID, RejectCode.RISK)


def test_open_orders_of_one_algo() -> None:
    world = World(limits(max_open_orders=2), algos=2)
    order = world.new()
    world.new()
    denied = _denied(world.ask(), DenyReason.OPEN_ORDERS, RejectCode.RISK)
    assert (denied.limit, denied.observed, denied.before) == (2, 3, 2)
    assert isinstance(world.amend(order, qty(2)), Approved), "an amend opens none"
    world.new(algo=1)
    world.fill(order)
    world.new()
