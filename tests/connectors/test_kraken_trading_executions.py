"""Executions and balances of the private link as reports, movements and balances: exact, once, ours and others'."""

from __future__ import annotations

import pytest

from connectors.events import Balance, ExecType, Movement, RejectCode
from connectors.session import PRIVATE
from tests.support.kraken_account import (
    QTY,
    Desk,
    answer,
    asked,
    execution,
    kinds,
    movements,
    n,
    notices,
    pending,
    reports,
    said,
    traded,
)
from tests.support.kraken_frames import of

T1 = [
    ("T1", "BTC", "base", 500_000),
    ("T1", "USD", "quote", -31_400_250_000),
    ("T1", "USD", "fee", -78_501_000),
]


def ready() -> Desk:
    desk = Desk().ready()
    desk.wait(60)
    return desk


def looks(outputs: object) -> bool:
    return any(method == "OpenOrders" for _, method, _ in asked(outputs))  # type: ignore[arg-type]


# --- trades ----------------------------------------------------------------------------------------------------------


def test_a_trade_is_reported_exactly() -> None:
    desk = ready().live()
    out = desk.executions(traded("0.00500000", "0.00500000"))
    (trade,) = reports(out)
    assert (trade.exec_type, trade.exec_id, trade.venue_order_id) == (ExecType.TRADE, "T1", "O1")
    assert (trade.last_qty_1e8, trade.last_px_1e9, trade.fee_1e9) == (500_000, 62_800_500_000_000, 785_010_000)
    assert (trade.cum_qty_1e8, trade.leaves_qty_1e8, trade.ts_venue_ns) == (500_000, 750_000, 1_786_874_645_311_874_000)
    assert movements(out) == T1
    assert {one.client_order_id for one in of(Movement, out)} == {"vg-1"}


def test_the_last_trade_leaves_nothing_though_kraken_calls_it_partial() -> None:
    desk = ready().live()
    desk.executions(traded("0.005", "0.005"))
    (last,) = reports(desk.executions(traded("0.0075", "0.0125", exec_id="T2")))
    assert (last.cum_qty_1e8, last.leaves_qty_1e8) == (QTY, 0)
    assert desk.executions(execution("filled", order_status="filled", cum_qty=n("0.0125"))) == []


def test_filled_with_a_trade_that_was_never_told_is_looked_up() -> None:
    desk = ready().live()
    desk.executions(traded("0.005", "0.005"))
    out = desk.executions(execution("filled", order_status="filled", cum_qty=n("0.0125")))
    assert reports(out) == []
    assert looks(out)
    assert notices(out, "warning")


def test_a_trade_that_was_jumped_over_is_looked_up() -> None:
    desk = ready().live()
    out = desk.executions(traded("0.002", "0.009", exec_id="T2"))
    assert [(one.last_qty_1e8, one.cum_qty_1e8, one.leaves_qty_1e8) for one in reports(out)] == [
        (200_000, 900_000, 350_000)
    ]
    assert looks(out)


def test_the_same_trade_twice_is_one() -> None:
    desk = ready().live()
    desk.executions(traded("0.005", "0.005"))
    out = desk.executions(traded("0.005", "0.005"))
    assert (reports(out), movements(out)) == ([], [])


def test_a_trade_without_cum_qty_is_counted_here() -> None:
    desk = ready().live()
    item = traded("0.005", "0.005")
    del item["cum_qty"]
    (trade,) = reports(desk.executions(item))
    assert (trade.cum_qty_1e8, trade.leaves_qty_1e8) == (500_000, 750_000)


@pytest.mark.parametrize(
    ("fees", "fee_1e9", "legs", "warned"),
    [
        ([], 0, [], False),
        ([{"asset": "USD", "qty": n("0.1")}, {"asset": "USD", "qty": n("0.2")}], 300_000_000,
         [("USD", -30_000_000)], False),
        ([{"asset": "BTC", "qty": n("0.00001")}], 628_005_000, [("BTC", -1000)], False),
        ([{"asset": "BTC", "qty": n("0.0000000001")}], 6281, [("BTC", -1)], False),
        ([{"asset": "USD", "qty": n("0.0000000001")}], 1, [("USD", -1)], False),
        ([{"asset": "KFEE", "qty": n("7")}], 0, [("KFEE", -700_000_000)], True),
    ],
)  # fmt: skip
def test_fees_in_any_currency(fees: object, fee_1e9: int, legs: object, warned: bool) -> None:
    """In quote as it is, in base at the trade's price, rounded up; another one is no cost of the order but money."""
    desk = ready().live()
    out = desk.executions(traded("0.005", "0.005", fees=fees))
    assert [one.fee_1e9 for one in reports(out)] == [fee_1e9]
    assert [(currency, amount) for _, currency, kind, amount in movements(out) if kind == "fee"] == legs
    assert bool(notices(out, "warning")) == warned


def test_a_sale_brings_money() -> None:
    desk = ready()
    desk.new(side=-1)
    desk.executions({**pending("vg-1"), "side": "sell"})
    assert movements(desk.executions(traded("0.005", "0.005", side="sell"))) == [
        ("T1", "BTC", "base", -500_000), ("T1", "USD", "quote", 31_400_250_000), ("T1", "USD", "fee", -78_501_000),
    ]  # fmt: skip


def test_without_a_cost_it_is_price_times_quantity() -> None:
    desk = ready().live()
    item = traded("0.00000001", "0.00000001", fees=[])
    del item["cost"]
    assert movements(desk.executions(item))[1] == ("T1", "USD", "quote", -62_801), "rounded against ourselves"


# --- ends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "expected"), [("canceled", ExecType.CANCELED), ("expired", ExecType.EXPIRED)])
def test_an_end_says_what_was_filled(kind: str, expected: ExecType) -> None:
    desk = ready().live()
    desk.executions(traded("0.005", "0.005"))
    (over,) = reports(desk.executions(execution(kind, cum_qty=n("0.005"), reason="User requested")))
    assert (over.exec_type, over.cum_qty_1e8, over.leaves_qty_1e8, over.text) == (
        expected,
        500_000,
        0,
        "User requested",
    )
    assert over.reject_code is RejectCode.UNKNOWN
    assert desk.executions(execution(kind, cum_qty=n("0.005"))) == [], "once"


@pytest.mark.parametrize("field", ["reason", "cancel_reason"])
def test_post_only_that_would_have_crossed(field: str) -> None:
    desk = ready()
    desk.new()
    out = desk.executions(pending("vg-1"), execution("canceled", cum_qty=n("0"), **{field: "Post only order"}))
    new, over = reports(out)
    assert (new.exec_type, over.exec_type) == (ExecType.NEW, ExecType.CANCELED)
    assert (over.reject_code, over.text) == (RejectCode.INVALID_PARAMS, "Post only order")


def test_an_end_with_trades_that_were_never_told_is_looked_up() -> None:
    desk = ready().live()
    out = desk.executions(execution("canceled", cum_qty=n("0.005")))
    assert [one.cum_qty_1e8 for one in reports(out)] == [500_000]
    assert looks(out)


def test_a_fill_after_the_cancels_ack_is_a_fill() -> None:
    desk = ready().live()
    desk.cancel()
    desk.hear(answer("cancel_order", desk.approvals, {"order_id": "O1"}))
    assert kinds(desk.executions(traded("0.0125", "0.0125"))) == [("vg-1", "trade")]
    assert kinds(desk.wait(10)) == []


@pytest.mark.parametrize("kind", ["status", "iceberg_refill"])
def test_what_changes_nothing_says_nothing(kind: str) -> None:
    desk = ready().live()
    assert desk.executions(execution(kind)) == []


def test_a_kind_that_nobody_knows_is_told_and_looked_up() -> None:
    desk = ready().live()
    out = desk.executions(execution("splintered"))
    assert notices(out, "warning")
    assert looks(out)


# --- others ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "0835958d-c526-4ad8-aea8-af54836de47e", "vh-1"])
def test_an_order_that_is_not_ours_is_money_only(name: str) -> None:
    desk = ready()
    out = desk.executions(
        {key: value for key, value in pending(name, "X1").items() if value != ""},
        execution("new", "X1"),
        traded("0.005", "0.005", "X1"),
        execution("amended", "X1", order_qty=n("1")),
        execution("canceled", "X1", cum_qty=n("0.005")),
    )
    assert reports(out) == []
    assert movements(out) == T1
    assert {one.client_order_id for one in of(Movement, out)} == {""}
    assert not looks(desk.wait(10))


def test_at_a_market_that_is_not_followed_money_moves_too() -> None:
    desk = ready()
    out = desk.executions(
        traded("25.00000000", "25", "X9", symbol="FET/USD", last_price=n("0.6017000001"), cost=n("15.0425"))
    )
    assert movements(desk.wait(3)) == [
        ("T1", "FET", "base", 2_500_000_000), ("T1", "USD", "quote", -1_504_250_000), ("T1", "USD", "fee", -78_501_000),
    ]  # fmt: skip
    assert reports(out) == []


def test_an_id_that_nobody_knows_is_looked_up_once() -> None:
    """By then the account's record names it; the order's own messages are reports from there on."""
    desk = ready()
    desk.executions(execution("new", "O7"))
    desk.book["OpenOrders"] = {"open": {"O7": {
        "cl_ord_id": "vg-7", "status": "open", "opentm": n("1786874645.1"), "vol": "0.0125", "vol_exec": "0.0",
        "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "62807.0"}}}}  # fmt: skip
    out = desk.wait(3)
    assert looks(out)
    assert any("O7" in text for text in notices(out, "warning"))
    assert kinds(desk.executions(traded("0.005", "0.005", "O7"))) == [("vg-7", "new"), ("vg-7", "trade")]
    desk.executions(execution("new", "O8"))
    desk.wait(3)
    desk.executions(execution("status", "O8"))
    assert not looks(desk.wait(10))


# --- snapshots -------------------------------------------------------------------------------------------------------


def test_a_snapshot_teaches_names_and_money_and_tells_nothing_of_orders() -> None:
    desk = Desk()
    desk.serve(desk.start())
    requests = said(desk.opened())
    desk.hear(*(desk.yes(request) for request in requests))
    orders = {**pending("vg-5", "O5"), "exec_type": "new", "order_status": "new", "cum_qty": n("0.002")}
    out = desk.executions(orders, traded("0.005", "0.005", "O4", "T4"), kind="snapshot")
    assert reports(out) == []
    assert [ref for ref, *_ in movements(out)] == ["T4"] * 3
    assert kinds(desk.executions(traded("0.001", "0.003", "O5", "T5"))) == [("vg-5", "new"), ("vg-5", "trade")]


def test_snapshots_on_and_on_move_no_money_twice() -> None:
    desk = ready().live()
    desk.executions(traded("0.005", "0.005"))
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    desk.subscribe(desk.opened())
    assert movements(desk.executions(traded("0.005", "0.005"), kind="snapshot")) == []


# --- balances --------------------------------------------------------------------------------------------------------


def entry(**fields: object) -> dict[str, object]:
    return {"ledger_id": "L1", "ref_id": "R1", "type": "deposit", "asset": "USD", "category": "deposit",
            "wallet_type": "spot", "wallet_id": "main", "amount": n("100.5"), "fee": n("0.0000"),
            "balance": n("260.7405"), **fields}  # fmt: skip


def test_totals_are_rounded_down_and_of_the_wallet_that_trades() -> None:
    """A snapshot's own number is that of all wallets; what lies in another one buys nothing here."""
    desk = ready()
    earn = {"type": "earn", "id": "flex", "balance": n("100")}
    out = desk.balances(
        {"asset": "KAR", "asset_class": "currency", "balance": n("774.6366982699"), "wallets": []},
        {
            "asset": "USD",
            "balance": n("101.34"),
            "wallets": [{"type": "spot", "id": "main", "balance": n("1.340000009")}, earn],
        },
        {"asset": "EUR", "balance": n("100"), "wallets": [earn]},
        kind="snapshot",
    )
    assert of(Balance, out) == [
        Balance("kraken", "KAR", 77_463_669_826), Balance("kraken", "USD", 134_000_000), Balance("kraken", "EUR", 0),
    ]  # fmt: skip
    assert movements(out) == []


def test_a_deposit_is_a_movement() -> None:
    out = ready().balances(entry())
    assert of(Balance, out) == [Balance("kraken", "USD", 26_074_050_000)]
    assert movements(out) == [("L1", "USD", "deposit", 10_050_000_000)]


def test_a_withdrawal_and_its_fee() -> None:
    out = ready().balances(entry(type="withdrawal", amount=n("-10.00000000001"), fee=n("0.5")))
    assert movements(out) == [("L1", "USD", "withdrawal", -1_000_000_001), ("L1", "USD", "fee", -50_000_000)]


def test_a_trade_in_the_ledger_is_told_by_its_execution() -> None:
    assert movements(ready().balances(entry(type="trade", category="trade"))) == []


def test_other_wallets_are_not_to_trade_with() -> None:
    out = ready().balances(entry(wallet_type="earn", wallet_id="flexible"))
    assert (of(Balance, out), movements(out)) == ([], [])
