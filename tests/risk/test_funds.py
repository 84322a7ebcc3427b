"""Balances: what an order needs, what open orders hold, what executions and the venue's word make of it."""

from __future__ import annotations

import pytest

from connectors.events import Balance, ExecType
from connectors.orders import Approved, OrderType
from risk.denial import Denied, DenyReason
from tests.risk.world import World, px, qty

FEE_PPM = 4_000  # 0.4 %


def world(usd: str = "1004", btc: str = "10", *, fee: int = FEE_PPM) -> World:
    return World(balances={"kraken": {"USD": qty(usd), "BTC": qty(btc)}}, taker_ppm=fee)


@pytest.mark.parametrize(("size", "short"), [(qty(10) - 1, 0), (qty(10), 0), (qty(10) + 1, 101)])
def test_a_buy_needs_its_value_at_its_price_and_the_fee(size: int, short: int) -> None:
    """1,004 is there: 10 at 100 and 0.4 % of it, to the unit."""
    verdict = world().ask(qty_1e8=size)
    assert isinstance(verdict, Denied if short else Approved)
    if isinstance(verdict, Denied):
        assert (verdict.reason, verdict.limit, verdict.observed) == (DenyReason.INSUFFICIENT_BALANCE, 0, short)
        assert verdict.rule == "USD that is missing (1e-8)"


@pytest.mark.parametrize(("size", "passes"), [(qty(10) - 1, True), (qty(10), True), (qty(10) + 1, False)])
def test_a_sell_needs_its_quantity_and_no_fee(size: int, *, passes: bool) -> None:
    verdict = world().ask(side=-1, qty_1e8=size)
    assert isinstance(verdict, Approved) is passes
    if isinstance(verdict, Denied):
        assert (verdict.observed, verdict.rule) == (1, "BTC that is missing (1e-8)")


def test_a_market_order_needs_what_its_last_level_costs() -> None:
    """5 at 100.1 and 10 more at 101: 6 are reckoned at 101, with the fee 608.424."""
    for usd, passes in (("608.424", True), ("608.42399999", False)):
        verdict = world(usd).ask(order_type=int(OrderType.MARKET), px_1e9=0, qty_1e8=qty(6))
        assert isinstance(verdict, Approved) is passes


@pytest.mark.parametrize("end", [ExecType.CANCELED, ExecType.REJECTED, ExecType.EXPIRED])
def test_what_open_orders_hold_is_not_free_until_they_end(end: ExecType) -> None:
    where = world()
    order = where.new(qty_1e8=qty(6))
    where.denied(DenyReason.INSUFFICIENT_BALANCE, qty_1e8=qty(4) + 1)
    assert isinstance(where.ask(qty_1e8=qty(4)), Approved)
    where.report(order, ExecType.UNKNOWN)
    where.denied(DenyReason.INSUFFICIENT_BALANCE, qty_1e8=1)
    where.report(order, end)
    assert isinstance(where.ask(qty_1e8=qty(6)), Approved)
    assert where.gate.purses["kraken"].held["USD"] == qty(10) * px(100) * 1_004_000 // 1_000_000


def test_executions_move_balances_at_once() -> None:
    """6 of 10 bought at 99 with a fee of 2: 408 left of 1,004 (4 more are held at 100), and 16 coins."""
    where = world()
    order = where.new(qty_1e8=qty(10))
    where.fill(order, qty(6), px(99), leaves=qty(4), fee=px(2))
    purse = where.gate.purses["kraken"]
    assert purse.totals == {"USD": qty(408) * 10**9, "BTC": qty(16) * 10**9}
    assert purse.held["USD"] == qty(4) * px(100) * 1_004_000 // 1_000_000
    where.report(order, ExecType.CANCELED)
    assert purse.held["USD"] == 0
    selling = where.new(side=-1, qty_1e8=qty(16), px_1e9=px(101))
    assert purse.held["BTC"] == qty(16) * 10**9
    where.fill(selling, px_1e9=px(101), fee=px(1))
    assert purse.totals == {"USD": qty(408 + 16 * 101 - 1) * 10**9, "BTC": 0}


def test_the_venues_own_word_replaces_ours_and_opens_a_purse() -> None:
    where = world()
    where.gate.balance(Balance("kraken", "USD", qty(100)))
    where.denied(DenyReason.INSUFFICIENT_BALANCE)
    where.gate.balance(Balance("kraken", "USD", qty(101)))
    assert isinstance(where.ask(), Approved)
    free = World(taker_ppm=FEE_PPM)
    before = free.new()  # where nobody keeps balances nobody asks for them
    free.gate.balance(Balance("kraken", "EUR", qty(1)))
    assert free.refused() is DenyReason.INSUFFICIENT_BALANCE, "a currency that is not listed has none"
    version = free.gate.version
    free.gate.balance(Balance("kraken", "USD", qty("100.4")))
    assert free.gate.version > version
    assert free.refused() is DenyReason.INSUFFICIENT_BALANCE, "the one before holds it, and its fee"
    free.report(before, ExecType.CANCELED)
    assert isinstance(free.ask(), Approved)


@pytest.mark.parametrize(
    ("total", "price", "passes"),
    [(10, "100", True), (11, "100", False), (10, "101", False), (9, "101", True), (5, "100", True)],
)
def test_an_amend_needs_what_it_adds_to_its_own_hold(total: int, price: str, *, passes: bool) -> None:
    where = world()
    order = where.new(qty_1e8=qty(8))
    verdict = where.amend(order, qty(total), px(price))
    assert isinstance(verdict, Approved) is passes
    if isinstance(verdict, Denied):
        assert verdict.reason is DenyReason.INSUFFICIENT_BALANCE


def test_an_amend_holds_the_larger_at_the_dearer_until_it_is_answered() -> None:
    where = world("2000", fee=0)
    order = where.new(qty_1e8=qty(8))
    purse = where.gate.purses["kraken"]
    assert isinstance(where.amend(order, qty(4), px(102)), Approved)
    assert purse.held["USD"] == qty(8) * px(102)
    where.fill(order, qty(1), px(100), leaves=qty(7))
    assert purse.held["USD"] == qty(7) * px(102)
    where.report(order, ExecType.REPLACED, px_1e9=px(102), qty_1e8=qty(4))
    assert purse.held["USD"] == qty(3) * px(102)
    assert isinstance(where.amend(order, qty(6), px(100)), Approved)
    where.report(order, ExecType.REPLACE_REJECTED)
    assert purse.held["USD"] == qty(3) * px(102)


def test_the_fee_is_rounded_up() -> None:
    where = World(balances={"kraken": {"USD": 0}}, taker_ppm=1)
    assert where.gate.purses["kraken"].need(where.markets[0], 1, 1, 1) == ("USD", 2)
    assert where.gate.purses["kraken"].need(where.markets[0], 1, 10**6, 1) == ("USD", 10**6 + 1)
    assert where.gate.purses["kraken"].need(where.markets[0], 1, 10**6 + 1, 1) == ("USD", 10**6 + 3)
    assert where.gate.purses["kraken"].need(where.markets[0], -1, 7, 5) == ("BTC", 7 * 10**9)
