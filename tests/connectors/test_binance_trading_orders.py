"""Orders at Binance and what becomes of them, on its own messages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.events import (
    Balance,
    Doubt,
    ExecReport,
    ExecType,
    Movement,
    Notice,
    RejectCode,
)
from tests.support.binance_account import (
    MS,
    NAME,
    PX,
    QTY,
    Desk,
    execution,
    row,
    trade,
    wrapped,
)
from tests.support.binance_frames import of

NEW, TRADE, CANCELED, UNKNOWN = ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.UNKNOWN


# --- orders -----------------------------------------------------------------------------------------------------------


def test_an_order_is_acknowledged_once() -> None:
    """By its answer or by its stream, whichever comes first."""
    for is_answer_first in (True, False):
        desk = Desk()
        desk.ready()
        desk.new()
        if is_answer_first:
            desk.reply({"symbol": "BTCUSDT", "orderId": 4293153, "clientOrderId": NAME}, number=1)
        desk.hear(wrapped(execution("NEW")))
        if not is_answer_first:
            desk.reply({"symbol": "BTCUSDT", "orderId": 4293153, "clientOrderId": NAME}, number=1)
        (told,) = of(ExecReport, desk.all)
        assert (told.exec_type, told.client_order_id) == (NEW, NAME)


@pytest.mark.parametrize(
    ("code", "words", "status", "expected", "reject"),
    [
        (-2010, "Account has insufficient balance for requested action.", 400, ExecType.REJECTED,
         RejectCode.INSUFFICIENT_BALANCE),
        (-2010, "Order would immediately match and take.", 400, ExecType.REJECTED, RejectCode.INVALID_PARAMS),
        (-2010, "Market is closed.", 400, ExecType.REJECTED, RejectCode.EXCHANGE_BUSY),
        (-1013, "Filter failure: LOT_SIZE", 400, ExecType.REJECTED, RejectCode.INVALID_PARAMS),
        (-1015, "Too many new orders; current limit is 50 orders per 10 SECOND.", 429, ExecType.REJECTED,
         RejectCode.RATE_LIMIT),
        (-1021, "Timestamp for this request is outside of the recvWindow.", 400, ExecType.REJECTED, RejectCode.AUTH),
        (-1007, "Timeout waiting for response from backend server.", 503, UNKNOWN, RejectCode.UNKNOWN),
        (-1001, "Internal error; unable to process your request.", 503, UNKNOWN, RejectCode.UNKNOWN),
        (-1000, "An unknown error occurred.", 400, UNKNOWN, RejectCode.UNKNOWN),
        (-2010, "Duplicate order sent.", 400, UNKNOWN, RejectCode.UNKNOWN),
        (-9999, "Something new.", 400, UNKNOWN, RejectCode.UNKNOWN),
        (-2010, "Market is closed.", 502, UNKNOWN, RejectCode.UNKNOWN),
    ],
)  # fmt: skip
def test_a_refusal_is_certain_or_it_is_doubt(
    code: int, words: str, status: int, expected: ExecType, reject: RejectCode
) -> None:
    desk = Desk()
    desk.ready()
    desk.new()
    outputs = desk.refuse(code, words, status=status)
    (told,) = of(ExecReport, outputs)
    assert (told.exec_type, told.reject_code) == (expected, reject)
    assert bool(of(Doubt, outputs)) == (expected is UNKNOWN)
    desk.wait(20)
    assert len([one for one in desk.sent if one["method"] == "order.place"]) == 1, "never sent again"


def test_silence_is_unknown() -> None:
    desk = Desk()
    desk.ready()
    desk.new()
    for _ in range(3):
        desk.wait(2)
        assert desk.told() == []
        desk.reply({}, number=next((one["id"] for one in desk.sent if one["method"] == "ping"), 2_000_000_009))
    desk.wait(3)
    assert desk.told() == [UNKNOWN]
    assert of(Doubt, desk.all)


def test_an_answer_to_nobody_and_a_frame_that_cannot_be_read() -> None:
    desk = Desk()
    desk.ready()
    assert not of(ExecReport, desk.reply({"orderId": 3}, number=77))
    for frame in (
        b"{",
        b"{}",
        b'{"id":1}',
        wrapped({"e": "somethingNew"}),
        b'{"id":null,"status":400,"error":{"code":-1135}}',
    ):
        outputs = desk.hear(frame)
        assert of(Doubt, outputs)
        assert of(Notice, outputs)[0].level == "error"


def test_validating_places_nothing() -> None:
    desk = Desk(validate="true")
    desk.ready()
    desk.new()
    assert desk.sent[-1]["method"] == "order.test"
    desk.reply({})
    assert desk.told() == [CANCELED]


def test_options() -> None:
    with pytest.raises(ConfigError, match="no option"):
        Desk(colour="red")
    with pytest.raises(ConfigError, match="stp"):
        Desk(stp="sometimes")


def test_a_limit_that_binance_told() -> None:
    """`rateLimits` of an answer: what is used up is not ours to use."""
    desk = Desk()
    desk.ready()
    limits = [{"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50, "count": 50}]
    desk.new()
    desk.reply({"orderId": 1}, rateLimits=limits)
    (told,) = of(ExecReport, desk.new("vg1a2b3c-2"))
    assert (told.exec_type, told.reject_code) == (ExecType.REJECTED, RejectCode.RATE_LIMIT)
    assert "never sent" in told.text
    assert desk.cancel()
    assert desk.sent[-1]["method"] == "order.cancel"


def test_no_more_than_fifty_orders_in_ten_seconds() -> None:
    desk = Desk()
    desk.ready()
    for k in range(60):
        desk.new(f"vg1a2b3c-{k}")
    assert len([one for one in desk.sent if one["method"] == "order.place"]) == 50


# --- executions -------------------------------------------------------------------------------------------------------


def test_a_trade_and_its_money() -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    outputs = desk.hear(wrapped(trade()))
    (told,) = of(ExecReport, outputs)
    assert told == ExecReport(
        client_order_id=NAME, exec_type=TRADE, instrument=0, venue_order_id="4293153", exec_id="BTCUSDT-77",
        last_qty_1e8=400_000, last_px_1e9=PX, cum_qty_1e8=400_000, leaves_qty_1e8=600_000,
        fee_1e9=int(Decimal("0.00000400") * 62_000 * 10**9), ts_venue_ns=MS * 10**6,
    )  # fmt: skip
    assert [(one.currency, one.kind, one.amount_1e8) for one in of(Movement, outputs)] == [
        ("BTC", "base", 400_000), ("USDT", "quote", -24_800_000_000), ("BTC", "fee", -400)
    ]  # fmt: skip
    assert not desk.hear(wrapped(trade())), "told twice, it is the same trade"
    desk.hear(wrapped(trade(78, "0.00600", "0.01000")))
    assert desk.told() == [NEW, TRADE, TRADE]
    assert of(ExecReport, desk.all)[-1].leaves_qty_1e8 == 0


def test_a_fee_in_a_third_currency() -> None:
    """BNB: money that moved, in no order's costs, and a person is told."""
    desk = Desk()
    desk.ready()
    desk.live()
    outputs = desk.hear(wrapped(trade(n="0.00011000", N="BNB")))
    assert of(ExecReport, outputs)[0].fee_1e9 == 0
    assert of(Movement, outputs)[-1].currency == "BNB"
    assert "BNB" in of(Notice, outputs)[0].text


def test_a_cancel_is_told_with_the_cancels_own_name() -> None:
    """`c` is the cancel's, `C` the order's; the answer says only that it was taken."""
    desk = Desk()
    desk.ready()
    desk.live()
    desk.cancel()
    desk.reply(row("cancels-own", status="CANCELED", origClientOrderId=NAME))
    assert desk.told() == [NEW]
    desk.hear(wrapped(execution("CANCELED", c="cancels-own", C=NAME)))
    assert desk.told() == [NEW, CANCELED]


def test_a_cancel_before_the_answer_that_names_the_order() -> None:
    """Nothing but `C` says then whose it is."""
    desk = Desk()
    desk.ready()
    desk.new()
    desk.hear(wrapped(execution("CANCELED", c="cancels-own", C=NAME)))
    assert desk.told()[-1] is CANCELED


def test_a_cancel_that_comes_too_late() -> None:
    """−2011 is more often a fill that is on its way than an order that is missing."""
    desk = Desk()
    desk.ready()
    desk.live()
    desk.cancel()
    outputs = desk.refuse(-2011, "Unknown order sent.")
    assert of(ExecReport, outputs)[0].exec_type is ExecType.CANCEL_REJECTED
    assert of(Doubt, outputs)
    desk.hear(wrapped(trade(77, "0.01000", "0.01000")))
    assert desk.told()[-1] is TRADE


@pytest.mark.parametrize(
    ("event", "expected", "text"),
    [
        (execution("EXPIRED", eR="UNFILLED_IOC_QUANTITY_EXPIRED"), ExecType.EXPIRED, "UNFILLED_IOC_QUANTITY_EXPIRED"),
        (execution("TRADE_PREVENTION", X="EXPIRED_IN_MATCH"), CANCELED, "self-trade prevention"),
        (execution("REJECTED", r="INSUFFICIENT_BALANCES"), CANCELED, "INSUFFICIENT_BALANCES"),
        (execution("CANCELED", c="somebody", C=NAME), CANCELED, ""),
    ],
)
def test_ends_that_nobody_asked_for(event: dict[str, Any], expected: ExecType, text: str) -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    (told,) = of(ExecReport, desk.hear(wrapped(event)))
    assert (told.exec_type, told.text) == (expected, text)


def test_self_trade_prevention_that_takes_a_part() -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    outputs = desk.hear(wrapped(execution("TRADE_PREVENTION", X="PARTIALLY_FILLED")))
    assert of(Doubt, outputs)
    assert not of(ExecReport, outputs)


def test_an_amend_keeps_its_name_and_lowers() -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    desk.amend()
    params = desk.sent[-1]["params"]
    assert (params["newClientOrderId"], params["newQty"]) == (NAME, "0.00500")
    desk.reply({"transactTime": MS, "executionId": 60, "amendedOrder": row(origQty="0.00500")})
    desk.hear(wrapped(execution("REPLACED", X="NEW", C=NAME, q="0.00500")))
    (told,) = [one for one in of(ExecReport, desk.all) if one.exec_type is ExecType.REPLACED]
    assert (told.px_1e9, told.qty_1e8) == (PX, QTY // 2)


@pytest.mark.parametrize(("qty", "px"), [(QTY * 2, PX), (QTY // 2, PX + 10**7)])
def test_an_amend_that_binance_does_not_have_never_leaves(qty: int, px: int) -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    before = len(desk.sent)
    (told,) = of(ExecReport, desk.amend(qty, px))
    assert told.exec_type is ExecType.REPLACE_REJECTED
    assert len(desk.sent) == before


def test_an_amend_that_is_refused() -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    desk.amend()
    outputs = desk.refuse(-2038, "Unknown order sent.")
    assert of(ExecReport, outputs)[0].exec_type is ExecType.REPLACE_REJECTED
    assert of(Doubt, outputs)


def test_orders_of_others_are_money_alone() -> None:
    desk = Desk()
    desk.ready()
    for kind in ("NEW", "CANCELED"):
        assert not of(ExecReport, desk.hear(wrapped(execution(kind, c="web_1", i=9))))
    outputs = desk.hear(wrapped(trade(5, c="web_2", i=10)))
    assert not of(ExecReport, outputs)
    assert len(of(Movement, outputs)) == 3
    strange = desk.hear(wrapped(trade(6, c="web_3", i=11, s="FOOBAR")))
    assert not of(ExecReport, strange) and not of(Movement, strange)


def test_balances_and_deposits() -> None:
    desk = Desk()
    desk.ready()
    held = {"e": "outboundAccountPosition", "E": MS, "u": MS, "B": [{"a": "BTC", "f": "1.25", "l": "0.75"}]}
    assert desk.hear(wrapped(held)) == [Balance("binance", "BTC", 2 * 10**8)]
    moved = {"e": "balanceUpdate", "E": MS + 1, "a": "USDT", "d": "-12.5", "T": MS}
    (movement,) = of(Movement, desk.hear(wrapped(moved)))
    assert (movement.currency, movement.amount_1e8, movement.kind) == ("USDT", -1_250_000_000, "balanceUpdate")
    for quiet in ({"e": "listStatus", "E": MS}, {"e": "externalLockUpdate", "E": MS, "a": "NEO", "d": "1"}):
        assert desk.hear(wrapped(quiet)) == []
