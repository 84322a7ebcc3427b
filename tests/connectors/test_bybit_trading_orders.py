"""Orders at Bybit: an answer is not an outcome, the order topic decides, and whatever stays silent is UNKNOWN."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.events import Doubt, ExecReport, Movement, Notice, RejectCode
from connectors.orders import OrderType
from connectors.session import REST, TRADE, Send
from connectors.venues.bybit.asked import asked
from tests.support.bybit_account import MS, Desk, execution, of, ops, order, reports

A, B, C = "vg1a2b3c-1", "vg1a2b3c-2", "vg1a2b3c-3"


def told(outputs: list[Any]) -> list[tuple[str, int, int, int]]:
    """(kind, last, cum, leaves) of every report."""
    found = of(ExecReport, outputs)
    return [(str(one.exec_type), one.last_qty_1e8, one.cum_qty_1e8, one.leaves_qty_1e8) for one in found]


def test_taken_is_not_live() -> None:
    """retCode 0 is no news; the order topic's New is."""
    desk = Desk().up()
    (send,) = of(Send, desk.submit())
    assert (send.link, send.approval, ops([send])) == (TRADE, 1, ["order.create"])
    assert reports(desk.taken(1, orderId="id-1", orderLinkId=A)) == []
    (report,) = of(ExecReport, desk.topic("order", order(orderId="id-1")))
    assert (report.exec_type, report.venue_order_id, report.ts_venue_ns) == ("new", "id-1", (MS + 1) * 10**6)
    assert desk.topic("order", order(orderId="id-1")) == []


def test_the_stream_may_be_first() -> None:
    desk = Desk().up()
    desk.submit()
    assert reports(desk.topic("order", order())) == [("new", A)]
    assert reports(desk.taken(1, orderId=f"id-{A}", orderLinkId=A)) == []
    assert of(Doubt, desk.wait(30)) == []


def test_taken_and_nothing_comes_of_it() -> None:
    """Two seconds, then it is doubt; what comes late still counts."""
    desk = Desk().up()
    desk.submit()
    desk.taken(1, orderId="id-1", orderLinkId=A)
    assert reports(desk.wait(1.5)) == []
    out = desk.wait(1)
    assert reports(out) == [("unknown", A)]
    assert len(of(Doubt, out)) == 1
    assert reports(desk.topic("order", order(orderId="id-1"))) == [("new", A)]


def test_silence_is_unknown_after_the_deadline_and_nothing_is_sent_again() -> None:
    desk = Desk().up()
    desk.submit()
    left = len([send for send in desk.left if send.link == TRADE and b"order." in send.data])
    assert reports(desk.wait(6.5)) == []
    out = desk.wait(1)
    assert reports(out) == [("unknown", A)]
    assert len([send for send in desk.left if send.link == TRADE and b"order." in send.data]) == left


@pytest.mark.parametrize(
    ("code", "expected", "guest"),
    [
        (170131, "rejected", RejectCode.INSUFFICIENT_BALANCE), (170140, "rejected", RejectCode.INVALID_PARAMS),
        (170141, "unknown", RejectCode.UNKNOWN), (170218, "rejected", RejectCode.INVALID_PARAMS),
        (170810, "rejected", RejectCode.RATE_LIMIT), (170007, "unknown", RejectCode.UNKNOWN),
        (170146, "unknown", RejectCode.UNKNOWN), (10016, "unknown", RejectCode.UNKNOWN),
        (987654, "unknown", RejectCode.UNKNOWN),
    ],
)  # fmt: skip
def test_what_a_refusal_means(code: int, expected: str, guest: RejectCode) -> None:
    desk = Desk().up()
    desk.submit()
    out = desk.taken(1, code, "words")
    (report,) = of(ExecReport, out)
    assert (report.exec_type, report.reject_code, report.text) == (expected, guest, f"{code}: words")
    assert bool(of(Doubt, out)) is (expected == "unknown")
    assert bool(of(Notice, out)) is (code == 987654)


def test_slower_is_slower() -> None:
    """10006 says until when: no order leaves before, cancels do."""
    desk = Desk().up().live()
    desk.submit(B)
    header = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(MS + 900)}
    no = {"reqId": "2", "retCode": 10006, "retMsg": "Too many visits!", "op": "order.create", "data": {}}
    (report,) = of(ExecReport, desk.hear({**no, "header": header}, TRADE))
    assert (report.exec_type, report.reject_code) == ("rejected", RejectCode.RATE_LIMIT)
    (refused,) = of(ExecReport, desk.submit(C))
    assert refused.text.startswith("never sent: ")
    assert ops(desk.cancel()) == ["order.cancel"]
    desk.wait(6)
    assert ops(desk.submit("vg1a2b3c-4")) == ["order.create"]


def test_the_end_of_everything() -> None:
    """A key that lost its permission: told once, nothing more is sent but cancels."""
    desk = Desk().up().live()
    desk.submit(B)
    out = desk.taken(2, 10005, "Permission denied")
    assert reports(out) == [("rejected", B)]
    assert [notice.level for notice in of(Notice, out)] == ["error"]
    assert desk.ready[-1] == "10005: Permission denied"
    assert ops(desk.submit(C)) == []
    assert ops(desk.cancel()) == ["order.cancel"]


def test_a_fill_in_parts_and_the_end_on_another_topic() -> None:
    """Trades come on `execution`, ends on `order`, in whichever order; each counts once."""
    desk = Desk().up().live()
    first = desk.topic("execution", execution("e-1", "0.004"))
    assert told(first) == [("trade", 400_000, 400_000, 600_000)]
    assert told(desk.topic("order", order("PartiallyFilled", cumExecQty="0.004", updatedTime=str(MS + 3)))) == []
    assert told(desk.topic("order", order("Filled", cumExecQty="0.010", updatedTime=str(MS + 4)))) == []
    last = desk.topic("execution", execution("e-2", "0.006"), execution("e-1", "0.004"))
    assert told(last) == [("trade", 600_000, 1_000_000, 0)]
    assert desk.topic("execution", execution("e-2", "0.006")) == []
    assert of(Doubt, desk.wait(10)) == []


def test_an_end_whose_trades_do_not_come_is_looked_for() -> None:
    desk = Desk().up().live()
    desk.topic("order", order("Filled", cumExecQty="0.010"))
    out = desk.wait(4)
    assert of(Doubt, out)[0].why == f"{A} is filled, and not all of its trades were told"


def test_money_moves_with_each_trade_once() -> None:
    """The buyer pays the fee in base, the seller in quote."""
    desk = Desk().up().live()
    moved = of(Movement, desk.topic("execution", execution()))
    assert [(one.currency, one.kind, one.amount_1e8) for one in moved] == [
        ("BTC", "base", 1_000_000), ("USDT", "quote", -62_000_000_000), ("BTC", "fee", -1_000),
    ]  # fmt: skip
    assert {one.ref for one in moved} == {"e-1"}
    assert of(Movement, desk.topic("execution", execution())) == []


@pytest.mark.parametrize(
    ("side", "fee", "maker", "currency"),
    [("Buy", "0.1", False, "BTC"), ("Sell", "0.1", False, "USDT"), ("Buy", "-0.1", True, "USDT"),
     ("Sell", "-0.1", True, "BTC"), ("Buy", "0.1", True, "BTC")],
)  # fmt: skip
def test_where_the_fees_currency_is_not_said(side: str, fee: str, maker: bool, currency: str) -> None:
    """A maker's rebate is the other one."""
    desk = Desk().up().live(side=1 if side == "Buy" else -1)
    changes: dict[str, Any] = {"side": side, "execFee": fee, "isMaker": maker, "feeCurrency": ""}
    moved = of(Movement, desk.topic("execution", execution(**changes)))
    (paid,) = [one for one in moved if one.kind == "fee"]
    assert (paid.currency, paid.amount_1e8) == (currency, -int(float(fee) * 10**8))


def test_post_only_that_would_trade_is_taken_and_then_cancelled() -> None:
    desk = Desk().up()
    desk.submit(order_type=OrderType.POST_ONLY)
    desk.taken(1, orderId=f"id-{A}", orderLinkId=A)
    (report,) = of(
        ExecReport, desk.topic("order", order("Cancelled", rejectReason="EC_PostOnlyWillTakeLiquidity", leavesQty="0"))
    )
    assert (report.exec_type, report.text, report.reject_code) == (
        "canceled", "EC_PostOnlyWillTakeLiquidity", RejectCode.INVALID_PARAMS,
    )  # fmt: skip
    assert of(Doubt, desk.wait(10)) == []


def test_what_is_left_of_an_order_that_takes_what_is_there() -> None:
    """PartiallyFilledCanceled, of spot alone: the trades may follow it."""
    desk = Desk().up()
    desk.submit(order_type=OrderType.IOC)
    ended = order("PartiallyFilledCanceled", cumExecQty="0.004", rejectReason="EC_NoImmediateQtyToFill")
    assert told(desk.topic("order", ended)) == []
    out = desk.topic("execution", execution("e-1", "0.004"))
    assert told(out) == [("new", 0, 0, 1_000_000), ("trade", 400_000, 400_000, 600_000), ("canceled", 0, 400_000, 0)]
    assert of(Doubt, desk.wait(10)) == []


def test_two_filled_messages_when_a_cancel_raced_the_fill() -> None:
    desk = Desk().up().live()
    desk.cancel()
    desk.taken(desk.approvals, orderId=f"id-{A}", orderLinkId=A)
    assert told(desk.topic("execution", execution())) == [("trade", 1_000_000, 1_000_000, 0)]
    filled = order("Filled", cumExecQty="0.010")
    again = {**filled, "cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
    assert reports(desk.topic("order", filled) + desk.topic("order", again)) == []
    assert of(Doubt, desk.wait(10)) == []


def test_a_cancel() -> None:
    desk = Desk().up().live()
    (send,) = of(Send, desk.cancel())
    assert asked(send.data)[0].client_order_id == A
    assert reports(desk.taken(desk.approvals, orderId=f"id-{A}", orderLinkId=A)) == []
    (report,) = of(ExecReport, desk.topic("order", order("Cancelled", cancelType="CancelByUser")))
    assert (report.exec_type, report.text, report.leaves_qty_1e8) == ("canceled", "CancelByUser", 0)


@pytest.mark.parametrize("code", [170139, 170142, 170143, 170190, 170213])
def test_a_cancel_that_came_too_late_is_looked_at(code: int) -> None:
    """A race with a fill more often than a missing order (passivbot #514): nothing is concluded from it."""
    desk = Desk().up().live()
    desk.cancel()
    out = desk.taken(desk.approvals, code, "too late")
    assert reports(out) == [("cancel_rejected", A)]
    assert of(Doubt, out)[0].why == f"{A}: {code}: too late"
    desk.amend()
    out = desk.taken(desk.approvals, code, "too late")
    assert reports(out) == [("replace_rejected", A)]
    assert len(of(Doubt, out)) == 1


def test_a_cancel_while_one_is_under_way() -> None:
    """170212: the one before it is still at work; the order topic decides both."""
    desk = Desk().up().live()
    desk.cancel()
    desk.cancel()
    assert reports(desk.taken(desk.approvals, 170212, "Cancel order request processing")) == []
    assert reports(desk.topic("order", order("Cancelled"))) == [("canceled", A)]
    assert of(Doubt, desk.wait(10)) == []


def test_an_amend_is_what_the_stream_says() -> None:
    desk = Desk().up().live()
    (send,) = of(Send, desk.amend())
    assert json.loads(send.data)["op"] == "order.amend"
    assert reports(desk.taken(desk.approvals, orderId=f"id-{A}", orderLinkId=A)) == []
    changed = order(price="61999.0", qty="0.020000", updatedTime=str(MS + 5))
    (report,) = of(ExecReport, desk.topic("order", changed))
    assert (report.exec_type, report.px_1e9, report.qty_1e8) == ("replaced", 61_999 * 10**9, 2_000_000)
    assert desk.topic("order", order(updatedTime=str(MS + 2))) == []  # older than that
    desk.amend(px=61_000 * 10**9)
    desk.taken(desk.approvals, orderId=f"id-{A}", orderLinkId=A)
    assert reports(desk.wait(3)) == [("unknown", A)]


def test_a_market_order_has_the_size_that_was_asked_for() -> None:
    """Whatever price and size Bybit writes into it meanwhile: that is no amend."""
    desk = Desk().up()
    desk.submit(order_type=OrderType.MARKET, px_1e9=0)
    shown = order("New", orderType="Market", price="65100.0", qty="650.00", timeInForce="IOC")
    assert told(desk.topic("order", shown)) == [("new", 0, 0, 1_000_000)]
    assert told(desk.topic("execution", execution())) == [("trade", 1_000_000, 1_000_000, 0)]


def test_cancel_all_is_one_request_over_rest() -> None:
    desk = Desk().up().live().live(B)
    (send,) = of(Send, desk.cancel_all())
    assert (send.link, asked(send.data)[0].what) == (REST, "cancel_all")
    assert reports(desk.answered("/v5/order/cancel-all", {"success": "1"})) == []
    assert reports(desk.topic("order", order("Cancelled"), order("Cancelled", B))) == [("canceled", A), ("canceled", B)]
    assert of(Doubt, desk.wait(10)) == []
    desk.live(C)
    desk.cancel_all()
    assert reports(desk.answered("/v5/order/cancel-all", {"success": "0"})) == [("unknown", C)]
    desk.live("vg1a2b3c-4")
    desk.cancel_all()
    assert ("unknown", "vg1a2b3c-4") in reports(desk.silent("/v5/order/cancel-all"))


def batch(desk: Desk, *outcomes: tuple[int, str], made: list[dict[str, str]] | None = None) -> list[Any]:
    """The answer to a batch of which the first order has the approval 1."""
    names = [{"category": "spot", "orderId": f"id-{n}", "orderLinkId": n, "createAt": str(MS)} for n in (A, B, C)]
    answer = {"reqId": "1", "retCode": 0, "retMsg": "OK", "op": "order.create-batch", "data": {"list": made or names},
              "retExtInfo": {"list": [{"code": code, "msg": words} for code, words in outcomes]}}  # fmt: skip
    return desk.hear(answer, TRADE)


def test_a_batch_is_answered_order_by_order() -> None:
    desk = Desk().up()
    (send,) = of(Send, desk.submit_many(A, B, C))
    assert (ops([send]), send.approval, send.more) == (["order.create-batch"], 1, (2, 3))
    made = [{"orderId": f"id-{A}", "orderLinkId": A}, {"orderId": "", "orderLinkId": ""}, {"orderId": f"id-{C}"}]
    out = batch(desk, (0, "OK"), (170131, "Balance insufficient"), (170146, "timeout"), made=made)
    assert reports(out) == [("rejected", B), ("unknown", C)]
    assert reports(desk.topic("order", order())) == [("new", A)]


def test_a_batch_whose_answer_says_too_little_is_doubt() -> None:
    desk = Desk().up()
    desk.submit_many(A, B, C)
    out = batch(desk, (0, "OK"))
    assert sorted(reports(out)) == [("unknown", A), ("unknown", B), ("unknown", C)]
    desk = Desk().up()
    desk.submit_many(A, B, C)
    out = desk.hear({"reqId": "1", "retCode": 170007, "op": "order.create-batch", "retMsg": "Timeout"}, TRADE)
    assert sorted(reports(out)) == [("unknown", A), ("unknown", B), ("unknown", C)]


def test_limits_are_met_before_bybit_has_to_say_so() -> None:
    """20 a second, of which a part stays unused; cancels are never refused; what Bybit says of the account counts."""
    desk = Desk().up()
    left = [ops(desk.submit(f"vg1a2b3c-{number}")) for number in range(1, 30)]
    assert left.count(["order.create"]) == 18
    for number in range(1, 30):
        assert ops(desk.cancel(f"vg1a2b3c-{number}")) == ["order.cancel"]
    other = Desk().up()
    other.submit()
    header = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "1"}
    other.hear({"reqId": "1", "retCode": 0, "op": "order.create", "data": {}, "header": header}, TRADE)
    assert ops(other.submit(B)) == []  # somebody else used the rest
    other.wait(1.5)
    assert ops(other.submit(C)) == ["order.create"]


def test_others_orders_are_money_alone_and_other_products_are_nothing() -> None:
    desk = Desk().up()
    assert desk.topic("order", order(name="web-1"), order(category="linear")) == []
    out = desk.topic("execution", execution(name="web-1"), execution("e-9", category="linear"))
    assert {type(one) for one in out} == {Movement}
    assert {one.ref for one in of(Movement, out)} == {"e-1"}


@pytest.mark.parametrize(
    "item",
    [order("Odd"), execution("e-1", "x"), execution(execType="Funding"), execution(side="?"), {"category": "spot"},
     execution(execFee="a"), execution(execTime="now"), order(qty="-1")],
)  # fmt: skip
def test_what_nobody_knows_is_loud_and_looked_at(item: dict[str, Any]) -> None:
    """The items beside it count all the same."""
    desk = Desk().up().live().live(B)
    topic = "execution" if "execId" in item else "order"
    beside = execution("e-2", name=B) if topic == "execution" else order("Cancelled", B)
    out = desk.topic(topic, item, beside)
    assert reports(out)[-1][1] == B
    assert of(Notice, out)
    assert len(of(Doubt, out)) == 1


def test_an_answer_about_another_order_is_no_answer() -> None:
    desk = Desk().up()
    desk.submit()
    out = desk.taken(1, orderId="id-9", orderLinkId="vg1a2b3c-9")
    assert reports(out) == []
    assert of(Notice, out)[0].level == "error"
    assert reports(desk.wait(8)) == [("unknown", A)]
