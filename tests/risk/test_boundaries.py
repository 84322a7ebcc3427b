"""Every control one unit below its limit, at it, one beyond: per scope, on both sides, at each kind of market.

The situation stays, the limit moves: what is observed is `controls.py`'s; a limit of one unit less refuses it, the same
and one unit more do not. Then what only reduces, which skips what docs/gate.md's table says it skips and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from connectors.events import Balance, ExecType
from connectors.orders import Approved, OrderType
from risk.denial import Denied, DenyReason
from risk.limits import ACCOUNT, KEYS, Scope
from tests.risk.controls import BEYOND, CONTROLS, Control, Where
from tests.risk.world import FINE, SECOND, World, limits, px, qty, tree, usd
from tests.support.gate_table import table

PLACES: dict[str, tuple[Where, str, str]] = {
    "own": ({}, "kraken", "kraken:BTC/USD"),
    "other venue": ({"venue_id": 2}, "other", "other:BTC/USD"),
    "chain": ({"venue_id": 12}, "dex", "dex:BTC/USD"),
    "pool": ({"pool_idx": 2}, "dex", "dex:BTC/USD@0x1"),
}
ETHER = msgspec.structs.replace(FINE, symbol="ETH/USD")


def _scopes(control: Control, place: str) -> list[str]:
    """Every scope that may say this limit and that an order of a0 there lies in."""
    _, venue, market = PLACES[place]
    if control.scopes == "canary":
        return ["canary"]
    if control.scopes == "account":
        return [ACCOUNT]
    if control.scopes == "algos":
        return [ACCOUNT, "algo:a0"]
    return [ACCOUNT, f"venue:{venue}", "instrument:BTC/USD", f"instrument:{market}", "algo:a0"]


def world_of(scope: str, key: str, limit: int, **others: int) -> World:
    """Wide but for one limit of one scope. Every module but canaries is promoted."""
    kind, _, name = scope.partition(":")
    own = {key: limit}
    held = tree(**{**others, **own}) if scope == ACCOUNT else tree(Scope(kind, name, own), **others)
    return World(held, (FINE, ETHER), algos=2, away=True, hashes=("ab", "ab"))


def _each() -> Iterator[Any]:
    for number, control in enumerate(CONTROLS):
        for place in PLACES:
            for scope in _scopes(control, place):
                yield pytest.param(number, place, scope, id=f"{control.key}-{control.reason}-{place}-{scope}")


BEFORE: dict[str, Callable[[int], int]] = {
    "max_position_1e8": lambda _: qty(7),
    "max_capital_1e9": lambda _: usd(700),
    **dict.fromkeys(
        ("max_order_rate", "max_cancel_rate", "max_open_orders", "max_duplicates", "max_orders"), lambda _: 2
    ),
    **dict.fromkeys(("max_daily_loss_1e9", "max_drawdown_1e9", "max_repeats"), lambda observed: observed),
}
"""What would be observed without the order; nothing of a limit of one order."""


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("number", "place", "scope"), list(_each()))
def test_one_unit_below_at_and_beyond_the_limit(number: int, place: str, scope: str, side: int) -> None:
    control, where = CONTROLS[number], PLACES[place][0]
    observed = control.observed(side)
    denied = control.act(world_of(scope, control.key, observed - 1), side, where)
    assert isinstance(denied, Denied), "one unit beyond"
    away = control.reason is DenyReason.STALE_MARKET_DATA and place != "own"
    assert denied.reason is (DenyReason.STALE_VENUE if away else control.reason)
    if control.reason is DenyReason.KILL_SWITCH:  # halted by a storm, of the algo whoever said the limit
        assert denied.scope == "algo:a0"
    else:
        assert (denied.limit, denied.observed) == (observed - 1, observed)
        assert (denied.scope, denied.key) == (scope, control.key)
        before = BEFORE.get(control.key)
        assert denied.before == (before(observed) if before is not None else 0)
        assert denied.headroom == max(observed - 1 - denied.before, 0)
    for limit in (observed, observed + 1):
        assert isinstance(control.act(world_of(scope, control.key, limit), side, where), Approved)


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("control", [one for one in CONTROLS if one.scopes in ("each", "algos")], ids=lambda c: c.key)
@pytest.mark.parametrize(
    "scope", ["venue:other", "instrument:ETH/USD", "instrument:other:BTC/USD", "instrument:dex:BTC/USD@0x1", "algo:a1"]
)
def test_a_scope_that_an_order_does_not_lie_in_says_nothing_about_it(control: Control, scope: str, side: int) -> None:
    if control.key in KEYS[scope.partition(":")[0]]:
        assert isinstance(control.act(world_of(scope, control.key, 0), side, {}), Approved)


@pytest.mark.parametrize("scope", [ACCOUNT, "instrument:BTC/USD", "algo:a0"])
@pytest.mark.parametrize("side", [1, -1])
def test_a_position_is_summed_over_venues_pools_and_algos(scope: str, side: int) -> None:
    """1 here held, 2 at another venue open, 3 at the chain, 4 in a pool, and 5 of the other algo, which a0's is not."""
    observed = qty(11 if scope.startswith("algo") else 16)
    for limit, passes in ((observed - 1, False), (observed, True), (observed + 1, True)):
        world = world_of(scope, "max_position_1e8", limit)
        world.fill(world.new(side=side, qty_1e8=qty(1)))
        for size, where in ((2, {"venue_id": 2}), (3, {"venue_id": 12}), (4, {"pool_idx": 1})):
            world.new(side=side, qty_1e8=qty(size), **where)
        world.new(algo=1, side=side, qty_1e8=qty(5))
        world.new(side=side, qty_1e8=qty(10), symbol_idx=1)  # of another base currency
        assert isinstance(world.ask(side=side, qty_1e8=qty(1)), Approved) is passes


@pytest.mark.parametrize(("mid", "observed"), [(50, "300.1"), (100, "400.1")])
def test_capital_is_summed_over_base_currencies_and_follows_the_mids(mid: int, observed: str) -> None:
    """1 BTC at a mid of 100; 2 ETH bought at 50, at the mid given; the order's own at 100.1, the ask."""
    for unit, passes in ((-1, False), (0, True), (1, True)):
        world = World(limits(max_capital_1e9=usd(observed) + unit), (FINE, ETHER))
        world.new()
        world.show("49.9", "50.1", 1)
        world.fill(world.new(symbol_idx=1, qty_1e8=qty(2), px_1e9=px(50)))
        world.show(f"{mid - 1}.9", f"{mid}.1", 1)
        assert isinstance(world.ask(px_1e9=px("99.9")), Approved) is passes
        assert isinstance(world.ask(side=-1, px_1e9=px("100.2"), qty_1e8=qty(1)), Approved), "raises nothing"


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize(("inside", "passes"), [(1, True), (0, False), (-1, False)])
def test_an_own_order_is_met_at_its_price_and_not_one_unit_before(side: int, inside: int, *, passes: bool) -> None:
    """By new orders, amends and market orders; an unanswered amend counts at the further of its two prices."""
    price = px(100) + side * px(1)
    mine = {"side": side, "px_1e9": price - side * inside}
    world = World(algos=2)
    theirs = world.new(algo=1, side=-side, px_1e9=price)
    assert isinstance(world.ask(**mine), Approved) is passes
    assert world.ask(side=side, order_type=int(OrderType.MARKET)).reason is DenyReason.SELF_TRADE  # type: ignore[union-attr]
    world.report(theirs, ExecType.CANCELED)
    standing = world.new(side=side, px_1e9=px(100))
    further = world.new(algo=1, side=-side, px_1e9=px(102) if side > 0 else px(98))
    assert isinstance(world.amend(further, qty(1), price), Approved)
    assert isinstance(world.amend(standing, qty(1), price - side * inside), Approved) is passes


@pytest.mark.parametrize(("age", "passes"), [(-1, True), (0, True), (1, False)])
def test_a_position_without_a_book_is_known_for_so_long_and_no_longer(age: int, *, passes: bool) -> None:
    world = World(limits(max_mark_age_ns=7 * SECOND), (FINE, ETHER))
    world.hold(1, qty(1), symbol_idx=1)
    world.books[1].invalidate("checksum")
    world.later(7 * SECOND + age)
    verdict = world.ask()
    assert isinstance(verdict, Approved) is passes
    if isinstance(verdict, Denied):
        assert (verdict.reason, verdict.limit, verdict.observed) == (DenyReason.STALE_MARK, 7 * SECOND, 7 * SECOND + 1)
    world.books[1].load([(px(99), 1)], [(px(101), 1)], world.now)
    assert isinstance(world.ask(), Approved), "a reliable book, marked or not yet"


@pytest.mark.parametrize(("later", "passes"), [(SECOND - 1, False), (SECOND, True), (SECOND + 1, True)])
def test_an_equal_order_as_old_as_the_window_counts_no_more(later: int, *, passes: bool) -> None:
    world = World(limits(max_duplicates=1))
    world.new()
    world.later(later)
    assert isinstance(world.ask(), Approved) is passes
    for other in ({"qty_1e8": qty(2)}, {"px_1e9": px(99)}, {"order_type": 2}):
        assert isinstance(world.ask(**other), Approved), "not equal"


@pytest.mark.parametrize(("later", "passes"), [(60 * SECOND - 1, False), (60 * SECOND, True)])
@pytest.mark.parametrize("side", [1, -1])
def test_a_mid_as_old_as_the_window_counts_no_more(later: int, side: int, *, passes: bool) -> None:
    world = World(limits(collar_window_bps=100))
    world.later(later)
    world.show("101.9" if side > 0 else "97.9", "102.1" if side > 0 else "98.1")
    assert isinstance(world.ask(side=side, px_1e9=px(100) + side * px(2)), Approved) is passes


AMENDS = {
    "max_order_qty_1e8": DenyReason.MAX_ORDER_QTY, "max_order_notional_1e9": DenyReason.MAX_ORDER_NOTIONAL,
    "price_collar_bps": DenyReason.PRICE_COLLAR, "max_position_1e8": DenyReason.MAX_POSITION,
    "max_order_rate": DenyReason.RATE_LIMIT,
}  # fmt: skip
AMENDED = {"max_order_qty_1e8": qty(3), "price_collar_bps": 100, "max_position_1e8": qty(3), "max_order_rate": 2}


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("key", AMENDS)
@pytest.mark.parametrize(
    "scope", [ACCOUNT, "venue:kraken", "instrument:BTC/USD", "instrument:kraken:BTC/USD", "algo:a0"]
)
def test_an_amend_meets_its_limits_to_the_unit(key: str, scope: str, side: int) -> None:
    """1 at 100 becomes 3, one percent further away."""
    observed = AMENDED.get(key, 3 * (px(101) if side > 0 else px("99.9")))
    for limit, passes in ((observed - 1, False), (observed, True), (observed + 1, True)):
        world = world_of(scope, key, limit)
        verdict = world.amend(world.new(side=side), qty(3), BEYOND[side])
        assert isinstance(verdict, Approved) is passes
        if isinstance(verdict, Denied):
            assert (verdict.reason, verdict.scope, verdict.observed) == (AMENDS[key], scope, observed)


# --- what only reduces ---------------------------------------------------------------------------------------------


def _onchain(world: World) -> None:
    world.markets[0].is_onchain = True
    world.gate.is_paper = False


def _unmarked(world: World) -> None:
    world.books[1].invalidate("checksum")
    world.later(61 * SECOND)


# what refuses an order of the other side, and stands in the way of one that only reduces or does not
REFUSERS: dict[DenyReason, Any] = {
    DenyReason.KILL_SWITCH: World.halt,
    DenyReason.NOT_RECONCILED: lambda world: setattr(world.link, "is_reconciled", False),
    DenyReason.POSITION_DRIFT: lambda world: setattr(world.markets[0], "drifted", True),
    DenyReason.INSTRUMENT_NOT_ALLOWED: lambda world: world.gate.apply(
        msgspec.structs.replace(world.gate.tree, instruments=()), "ana"
    ),
    DenyReason.ORDER_TYPE_NOT_ALLOWED: lambda world: world.restrict(order_types=0b11110),
    DenyReason.OFF_GRID: lambda world: _instrument(world, lot_size_1e8=qty(7)),
    DenyReason.OPEN_ORDERS: lambda world: world.restrict(max_open_orders=0),
    DenyReason.NOT_SUPPORTED: _onchain,
    DenyReason.STALE_MARKET_DATA: lambda world: setattr(world.link, "last_ns", -1),
    DenyReason.BOOK_DESYNC: lambda world: world.books[0].invalidate("checksum"),
    DenyReason.STALE_MARK: _unmarked,
    DenyReason.BELOW_MINIMUM: lambda world: _instrument(world, min_qty_1e8=qty(500), min_notional_1e9=usd(10**6)),
    DenyReason.RATE_LIMIT: lambda world: world.restrict(max_order_rate=0),
    DenyReason.DUPLICATE_ORDER: lambda world: world.restrict(max_duplicates=0),
    DenyReason.REPEAT_EXECUTION: lambda world: world.gate.repeat_latched.update({0: (1, 2, "account")}),
    DenyReason.PRICE_COLLAR: lambda world: world.restrict(price_collar_bps=0),
    DenyReason.PRICE_COLLAR_WINDOW: lambda world: world.restrict(collar_window_bps=0),
    DenyReason.MAX_ORDER_QTY: lambda world: world.restrict(max_order_qty_1e8=0),
    DenyReason.MAX_ORDER_NOTIONAL: lambda world: world.restrict(max_order_notional_1e9=0),
    DenyReason.CAPITAL_LIMIT: lambda world: world.restrict(max_capital_1e9=0),
    DenyReason.MAX_POSITION: lambda world: world.restrict(max_position_1e8=0),
    DenyReason.CANARY_LIMIT: lambda world: world.gate.apply(tree(Scope("canary", "", {"max_orders": 0})), "ana"),
    DenyReason.DAILY_LOSS: lambda world: world.restrict(max_daily_loss_1e9=usd(1)),
    DenyReason.DRAWDOWN: lambda world: world.restrict(max_drawdown_1e9=usd(1)),
    DenyReason.INSUFFICIENT_BALANCE: lambda world: [
        world.gate.balance(Balance("kraken", currency, 0)) for currency in ("USD", "BTC")
    ],
}
SKIPPED = {row.reason for row in table() if row.reducing.startswith("skips")}
HELD_2 = {1: px(101), -1: px(99)}  # bought or sold at a loss of 1 each


def _instrument(world: World, **changes: int) -> None:
    world.markets[0].instrument = msgspec.structs.replace(FINE, **changes)


def _holding(side: int, reason: DenyReason) -> World:
    """2 held of this market and 1 of another by a0, with a loss of 2; then what refuses."""
    world = World(instruments=(FINE, ETHER), balances={"kraken": dict.fromkeys(("USD", "BTC", "ETH"), qty(1_000))})
    world.hold(1, qty(1), symbol_idx=1)
    world.hold(side, qty(2), HELD_2[side])
    REFUSERS[reason](world)
    return world


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("reason", REFUSERS)
def test_what_only_reduces_skips_what_the_table_says_and_nothing_else(reason: DenyReason, side: int) -> None:
    price = BEYOND[-side]
    assert _holding(side, reason).ask(side=side, px_1e9=price).reason is reason, "refuses what does not reduce"  # type: ignore[union-attr]
    for size in (1, qty(2) - 1, qty(2)):
        verdict = _holding(side, reason).ask(side=-side, qty_1e8=size, px_1e9=price)
        if reason in SKIPPED:
            assert isinstance(verdict, Approved), size
        else:
            assert isinstance(verdict, Denied)
            assert verdict.reason is reason
    beyond = _holding(side, reason).ask(side=-side, qty_1e8=qty(4) + 1, px_1e9=price)
    assert isinstance(beyond, Denied), "passes through zero, further than it was"
    assert beyond.reason is reason


def test_every_skip_of_the_table_is_tried() -> None:
    assert set(REFUSERS) >= SKIPPED
    rest = {row.reason for row in table()} - set(REFUSERS)
    assert rest == {
        DenyReason.INVALID_ORDER, DenyReason.REDUCE_ONLY, DenyReason.VENUE_NOT_READY, DenyReason.CROSSED_BOOK,
        DenyReason.STALE_VENUE, DenyReason.SELF_TRADE,
    }, "shown in test_gate_order, test_gate_fail_closed, test_gate_targets"  # fmt: skip


@pytest.mark.parametrize("side", [1, -1])
@pytest.mark.parametrize("reason", [DenyReason.REPEAT_EXECUTION, DenyReason.CANARY_LIMIT, DenyReason.REDUCE_ONLY])
def test_where_the_algos_own_position_counts_the_accounts_does_not_help(reason: DenyReason, side: int) -> None:
    """The account holds 5 by a1, a0 itself holds 2 of the other side: its opposite reduces a0's, not the account's."""
    for own, passes in ((2, True), (0, False)):
        world = World(tree(order_types=31), (FINE,), algos=2)
        world.fill(world.new(algo=1, side=side, qty_1e8=qty(5)))
        if own:
            world.fill(world.new(algo=0, side=-side, qty_1e8=qty(own)))
        if reason is DenyReason.REDUCE_ONLY:
            world.reduce("algo:a0")
        else:
            REFUSERS[reason](world)
        verdict = world.ask(algo=0, side=side, qty_1e8=qty(2))
        assert isinstance(verdict, Approved) is passes
        if isinstance(verdict, Denied):
            assert verdict.reason is reason
        reducing = world.ask(algo=0, side=-side, qty_1e8=qty(1), px_1e9=px(100) - side * px(1))
        assert isinstance(reducing, Denied), "reduces the account's, not its own"
