"""What cannot be judged is denied: missing inputs, broken inputs, a guest's worst numbers. Never an exception."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import risk.gate
from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.orders import Approved, OrderType
from risk.checks import CHECKS
from risk.denial import Denied, DenyReason
from runtime.tap import CHECKS_OF_AN_ORDER
from tests.risk.world import ASKS, BIDS, FINE, SECOND, World, limits, px, qty, usd

COARSE = msgspec.structs.replace(
    FINE, tick_size_1e9=px("0.1"), lot_size_1e8=qty("0.01"), min_qty_1e8=qty("0.1"), min_notional_1e9=usd(20)
)
U64, I64 = 2**64 - 1, 2**63 - 1


class Broken:
    """Raises for whatever is asked of it."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


@pytest.mark.parametrize("order_type", OrderType)
@pytest.mark.parametrize("part", ["instrument", "book", "link", "exposure", "bounds"])
@pytest.mark.parametrize("value", [None, Broken()], ids=["missing", "raises"])
def test_an_input_that_is_missing_or_raises_denies(part: str, value: object, order_type: OrderType) -> None:
    world = World()
    world.hold(1, qty(2))
    order = world.new()
    if part == "exposure":
        world.gate.account.exposures[0] = value  # type: ignore[call-overload]
    elif part == "bounds":
        world.gate.book.bounds = lambda *_: value  # type: ignore[assignment, method-assign]
    else:
        setattr(world.markets[0], part, value)
    verdicts = [world.ask(order_type=int(order_type), side=side) for side in (1, -1)]
    verdicts.append(world.amend(order, qty(2)))  # type: ignore[arg-type]
    for verdict in verdicts:
        assert isinstance(verdict, Denied)
        assert verdict.reason is DenyReason.RISK_STATE_UNKNOWN
    if part != "bounds":
        assert isinstance(world.cancel(order), Approved), "a cancel needs none of these"


@pytest.mark.parametrize("order_type", OrderType)
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("no snapshot", DenyReason.BOOK_DESYNC),
        ("invalid", DenyReason.BOOK_DESYNC),
        ("distrusted", DenyReason.BOOK_DESYNC),
        ("no bids", DenyReason.BOOK_DESYNC),
        ("no asks", DenyReason.BOOK_DESYNC),
        ("empty", DenyReason.BOOK_DESYNC),
        ("gap", DenyReason.BOOK_DESYNC),
        ("locked", DenyReason.CROSSED_BOOK),
        ("crossed", DenyReason.CROSSED_BOOK),
    ],
)
def test_a_book_that_is_none_denies(bad: str, reason: DenyReason, order_type: OrderType) -> None:
    world = World()
    world.hold(1, qty(2))
    book = world.books[0]
    if bad == "no snapshot":
        world.markets[0].book = L2Book()
    elif bad == "invalid":
        book.invalidate("checksum")
    elif bad == "distrusted":
        book.valid = False  # its levels still stand there
    elif bad in ("locked", "crossed"):
        memoryview(book.buffer).cast("Q")[0] = px("100.1") + (bad == "crossed")  # it says that it is valid
    elif bad == "gap":
        with pytest.raises(BookGap):
            book.apply([(px(101), 1)], [], world.now)
    else:
        book.load([] if bad in ("no bids", "empty") else list(BIDS), list(ASKS) if bad == "no bids" else [], world.now)
    for side in (1, -1):
        assert world.refused(side=side, order_type=int(order_type)) is reason


@pytest.mark.parametrize(("age", "is_fresh"), [(0, True), (5 * SECOND, True), (5 * SECOND + 1, False)])
def test_the_link_must_have_spoken_lately(age: int, *, is_fresh: bool) -> None:
    world = World()
    world.now += age
    verdict = world.ask()
    assert isinstance(verdict, Approved) is is_fresh
    if isinstance(verdict, Denied):
        assert (verdict.reason, verdict.limit, verdict.observed) == (DenyReason.STALE_MARKET_DATA, 5 * SECOND, age)


def test_a_link_that_is_down_denies_however_lately_it_spoke() -> None:
    world = World()
    world.link.last_ns = -1
    assert world.refused() is DenyReason.STALE_MARKET_DATA


def test_an_approval_says_how_many_checks_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, and the number is counted, not said: with one check less it is less, which the tap stops."""
    verdict = World().ask()
    assert isinstance(verdict, Approved)
    assert verdict.checks == len(CHECKS) == 31
    order = World().new()
    assert order.qty_1e8 == qty(1)
    for gone in range(len(CHECKS)):
        left = [check for number, check in enumerate(CHECKS) if number != gone]
        monkeypatch.setattr(risk.gate, "_NUMBERED", tuple(enumerate(left, 1)))
        world = World()
        for passed in (world.ask(), world.amend(world.new(), qty(2))):
            assert isinstance(passed, Approved)
            assert passed.checks == len(CHECKS) - 1 != CHECKS_OF_AN_ORDER  # what the tap wants


# --- a guest's numbers -------------------------------------------------------------------------------------------

U64S = st.sampled_from([0, 1, px("99.9"), px(100), px("100.05"), px(101), 2**63 - 1, 2**63, U64]) | st.integers(0, U64)
I64S = st.sampled_from(
    [0, 1, -1, qty("0.1"), qty("0.105"), qty(1), qty(50), 2**62, 2**62 + 1, I64, -I64, -I64 - 1]
) | st.integers(-I64 - 1, I64)
I8S = st.sampled_from([1, -1, 0, 127, -128]) | st.integers(-128, 127)
U8S = st.sampled_from([0, 0, 0, 1, 2, 3, 4, 5, 255]) | st.integers(0, 255)


@given(
    order_id=U64S,
    side=I8S,
    price=U64S,
    size=I64S,
    order_type=U8S,
    venue=U8S,
    pool=U8S,
    symbol=U8S,
    held=st.sampled_from([0, 1, 20, 50]),
)
@settings(max_examples=600, deadline=None)
def test_a_new_order_of_any_numbers_is_denied_or_is_an_order(
    order_id: int, side: int, price: int, size: int, order_type: int, venue: int, pool: int, symbol: int, held: int
) -> None:
    bound = limits(max_position_1e8=qty(60), max_order_notional_1e9=usd(5_500), price_collar_bps=200)
    world = World(bound, (COARSE,))
    if held:
        world.hold(1, qty(held))
    before = world.counted()
    verdict = world.ask(
        order_id=order_id, side=side, px_1e9=price, qty_1e8=size, order_type=order_type, venue_id=venue, pool_idx=pool,
        symbol_idx=symbol,
    )  # fmt: skip
    msgspec.msgpack.encode(verdict)  # it enters the hash
    if isinstance(verdict, Denied):
        assert world.counted() == before
        return
    order = verdict.order
    assert (order.order_id, order.side, order.qty_1e8, order.order_type) == (order_id, side, size, order_type)
    assert side in (1, -1)
    assert 0 <= order_type <= OrderType.POST_ONLY
    assert size > 0
    assert size % COARSE.lot_size_1e8 == 0
    assert (venue in (0, 1), pool, symbol) == (True, 0, 0)
    if order_type != OrderType.MARKET:
        assert px(98) <= order.px_1e9 == price <= px(102)
        assert price % COARSE.tick_size_1e9 == 0
    exposure = world.gate.account.exposures[0]
    assert exposure.side_worst_1e8(side, 0) <= qty(60)
    if not (side < 0 and size <= exposure.position_1e8):
        assert size >= qty("0.1")
        assert size * 100 <= 5_600 * 10**8


@given(order_id=st.sampled_from([1, 1, 1, 0, U64]), price=U64S, size=I64S)
@settings(max_examples=300, deadline=None)
def test_an_amend_of_any_numbers_is_denied_or_is_an_amend(order_id: int, price: int, size: int) -> None:
    world = World(limits(max_position_1e8=qty(60), price_collar_bps=200), (COARSE,))
    order = world.new(qty_1e8=qty(1))
    verdict = world.gate.check_amend(0, "a", order_id, price, size, world.now)
    msgspec.msgpack.encode(verdict)
    exposure = world.gate.account.exposures[0]
    if isinstance(verdict, Denied):
        assert exposure.open_buy_1e8 == qty(1)
        return
    assert order_id == order.order_id
    assert size > 0
    assert (size % COARSE.lot_size_1e8, price % COARSE.tick_size_1e9) == (0, 0)
    assert px(98) <= price <= px(102)
    assert qty(1) <= exposure.open_buy_1e8 == max(size, qty(1)) <= qty(60)


@given(order_id=U64S, kind=U8S)
def test_a_cancel_of_any_id_and_an_action_of_any_kind_get_an_answer(order_id: int, kind: int) -> None:
    world = World()
    order = world.new(order_id=7)
    verdict = world.gate.check_cancel(0, "a", order_id, world.now)
    if order_id == 7:
        assert isinstance(verdict, Approved)
        assert verdict.order.client_order_id == order.client_order_id
    else:
        assert isinstance(verdict, Denied)
        assert verdict.reason is DenyReason.UNKNOWN_ORDER
    assert world.gate.check_kind(0, kind, world.now).reason is DenyReason.NOT_SUPPORTED
    msgspec.msgpack.encode([verdict, world.gate.check_kind(0, kind, world.now)])
