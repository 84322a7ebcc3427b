"""Fills at Coinbase: the user channel says how much, the list of fills says which."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import Doubt, ExecReport, ExecType, Movement, Notice
from tests.support.coinbase_account import PX, THEIRS, Desk, fill, of, told

OTHER = "22222222-0000-0000-0000-000000000000"


def reports(outputs: Any, kind: ExecType | None = None) -> list[ExecReport]:
    return [one for one in of(ExecReport, outputs) if kind is None or one.exec_type is kind]


def refused(error: str, preview: str = "", message: str = "", **more: str) -> dict[str, Any]:
    response = {"error": error, "message": message, "error_details": "", "preview_failure_reason": preview, **more}
    return {"success": False, "error_response": response, "order_configuration": {}}


# --- fills -----------------------------------------------------------------------------------------------------------


def test_fills_come_from_the_list_alone() -> None:
    """The channel's state says that more is filled; which fills those were, and for what, the list says."""
    desk = Desk().ready().placed()
    assert not reports(desk.user(told(cum="0.0004", left="0.0006")))
    assert desk.find("orders/historical/fills").query["order_ids"] == [THEIRS]
    outputs = desk.fills(fill(1, "0.0004"))
    (report,) = reports(outputs)
    assert (report.exec_type, report.exec_id, report.last_qty_1e8, report.last_px_1e9) == (
        "trade",
        "entry-1",
        40_000,
        PX,
    )
    assert (report.cum_qty_1e8, report.leaves_qty_1e8, report.fee_1e9) == (40_000, 60_000, 150_000_000)
    assert {(one.currency, one.kind, one.amount_1e8) for one in of(Movement, outputs)} == {
        ("BTC", "base", 40_000), ("USD", "quote", -24 * 10**8), ("USD", "fee", -15_000_000),
    }  # fmt: skip


def test_one_state_may_put_several_fills_together() -> None:
    desk = Desk().ready().placed()
    desk.user(told("FILLED", cum="0.001", left="0"))
    outputs = desk.fills(fill(3, "0.0005"), fill(2, "0.0002"), fill(1, "0.0003"))
    assert [(one.last_qty_1e8, one.cum_qty_1e8, one.leaves_qty_1e8) for one in reports(outputs)] == [
        (30_000, 30_000, 70_000), (20_000, 50_000, 50_000), (50_000, 100_000, 0),
    ]  # fmt: skip


def test_fills_of_one_moment_are_told_in_their_order() -> None:
    """The list begins with the newest."""
    desk = Desk().ready().placed()
    desk.user(told(cum="0.0005", left="0.0005"))
    when = "2026-04-07T14:30:01Z"
    outputs = desk.fills(fill(2, "0.0002", trade_time=when), fill(1, "0.0003", trade_time=when))
    assert [(one.exec_id, one.cum_qty_1e8) for one in reports(outputs)] == [("entry-1", 30_000), ("entry-2", 50_000)]


def test_a_fill_is_told_once_however_often_it_is_listed() -> None:
    desk = Desk().ready().placed()
    for number in (1, 2):
        desk.user(told(cum=f"0.000{number}", left=f"0.000{10 - number}"))
        desk.fills(*(fill(one, "0.0001") for one in range(number, 0, -1)))
    assert [one.exec_id for one in desk.reports if one.exec_type is ExecType.TRADE] == ["entry-1", "entry-2"]
    assert desk.user(told(cum="0.0002", left="0.0008")) == []


def test_long_lists_are_turned_to_their_end() -> None:
    desk = Desk().ready().placed()
    desk.user(told(cum="0.0002", left="0.0008"))
    desk.fills(fill(2, "0.0001"), cursor="more")
    assert desk.find("orders/historical/fills").query["cursor"] == ["more"]
    assert len(reports(desk.fills(fill(1, "0.0001")))) == 2


def test_a_list_that_lags_is_asked_again_and_an_end_waits_for_it() -> None:
    desk = Desk().ready().placed()
    desk.user(told("CANCELLED", cum="0.0004", left="0", cancel_reason="User requested cancel"))
    assert desk.types() == ["new"]
    desk.fills()
    desk.wait(0.5)
    desk.fills(fill(1, "0.0003"))
    desk.wait(1)
    desk.fills(fill(2, "0.0001"), fill(1, "0.0003"))
    assert desk.types() == ["new", "trade", "trade", "canceled"]
    assert desk.reports[-1].cum_qty_1e8 == 40_000


def test_fills_that_never_come_are_looked_for() -> None:
    desk = Desk().ready().placed()
    desk.user(told("CANCELLED", cum="0.0004", left="0"))
    out: list[Any] = []
    for _ in range(40):
        if any(one.name == "orders/historical/fills" for one in desk.asked):
            out += desk.fills()
        out += desk.wait(0.5)
    assert of(Doubt, out)
    assert desk.types()[-1] == "canceled"


@pytest.mark.parametrize("status", [0, 429, 500])
def test_a_question_that_fails_is_asked_again(status: int) -> None:
    desk = Desk().ready().placed()
    desk.user(told(cum="0.0004", left="0.0006"))
    desk.answer("orders/historical/fills", b"no answer: nothing came", status)
    desk.wait(7)
    assert len(reports(desk.fills(fill(1, "0.0004")))) == 1


def test_an_instant_fill_before_its_answer() -> None:
    desk = Desk().ready()
    desk.new()
    desk.user(told("FILLED", cum="0.001", left="0"))
    desk.fills(fill(1, "0.001"))
    desk.created()
    assert desk.types() == ["new", "trade"]


def test_what_was_filled_before_this_session_is_a_look_s_to_tell() -> None:
    desk = Desk()
    desk.start()
    desk.opened()
    desk.subscribed()
    desk.user(told(cum="0.0004", left="0.0006"), kind="snapshot")
    assert not [one for one in desk.asked if one.name == "orders/historical/fills"]
    desk.user(told(cum="0.0005", left="0.0005"))
    outputs = desk.fills(fill(2, "0.0001"), fill(1, "0.0004"))
    assert [(one.exec_id, one.cum_qty_1e8) for one in reports(outputs, ExecType.TRADE)] == [("entry-2", 50_000)]


def test_others_orders_are_money_alone() -> None:
    desk = Desk().ready()
    desk.user(told("FILLED", cum="2", left="0", order_id=OTHER, client_order_id="by-hand", product_id="SOL-EUR"))
    sol = fill(1, "2", order_id=OTHER, product_id="SOL-EUR", side="SELL", price="100.5", commission="1.005")
    outputs = desk.fills(sol)
    assert not reports(outputs)
    assert {(one.currency, one.kind, one.amount_1e8) for one in of(Movement, outputs)} == {
        ("SOL", "base", -2 * 10**8), ("EUR", "quote", 201 * 10**8), ("EUR", "fee", -100_500_000),
    }  # fmt: skip


def test_a_fill_of_an_amount_of_money() -> None:
    """Somebody's market order in quote: its size is money."""
    desk = Desk().ready()
    desk.user(told("FILLED", cum="0.0016", left="0", order_id=OTHER, client_order_id="app", order_type="Market"))
    outputs = desk.fills(fill(1, "100", order_id=OTHER, price="62500.00", size_in_quote=True, commission=""))
    assert {(one.currency, one.amount_1e8) for one in of(Movement, outputs)} == {
        ("BTC", 160_000),
        ("USD", -100 * 10**8),
    }


def test_a_fill_that_was_taken_back_is_loud() -> None:
    desk = Desk().ready().placed()
    desk.user(told(cum="0.0004", left="0.0006"))
    out: list[Any] = []
    for _ in range(40):
        if any(one.name == "orders/historical/fills" for one in desk.asked):
            out += desk.fills(fill(1, "0.0004", trade_type="REVERSAL"))
        out += desk.wait(0.5)
    assert any("REVERSAL" in one.text for one in of(Notice, out))
    assert of(Doubt, out)
