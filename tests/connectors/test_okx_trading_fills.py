"""What OKX tells of fills and balances, looks at its lists, and what nobody can read."""

from __future__ import annotations

import pytest

from connectors.events import Balance, ExecType, Notice, OrderStatus, Picture
from connectors.orders import OrderType
from tests.support.okx_account import (
    PX,
    QTY,
    TAG,
    Desk,
    answer,
    asked,
    fill,
    filled,
    kinds,
    movements,
    notices,
    orders,
    reports,
    said,
    state,
)
from tests.support.okx_frames import SECOND, T0, dump, of

ONE = f"{TAG}-1"
TWO = f"{TAG}-2"


# --- fills -----------------------------------------------------------------------------------------------------------


def test_fills_are_told_once_with_what_they_moved() -> None:
    desk = Desk().ready()
    desk.resting()
    first = filled(ONE, "0.004", "0.004", "T1", fillFee="-0.000004")
    out = desk.hear(orders(first), orders(first))
    (report,) = reports(out)
    assert (report.exec_type, report.exec_id) == (ExecType.TRADE, "BTC-USDT-T1")
    assert (report.last_qty_1e8, report.last_px_1e9) == (400_000, 62_800_500_000_000)
    assert (report.cum_qty_1e8, report.leaves_qty_1e8) == (400_000, 850_000)
    assert report.fee_1e9 == 251_202_000  # 0.000004 BTC at 62800.5
    assert movements(out) == [
        ("BTC-USDT-T1", "BTC", "base", 400_000),
        ("BTC-USDT-T1", "USDT", "quote", -25_120_200_000),
        ("BTC-USDT-T1", "BTC", "fee", -400),
    ]
    (last,) = reports(desk.hear(orders(filled(ONE, "0.0085", "0.0125", "T2"))))
    assert (last.cum_qty_1e8, last.leaves_qty_1e8) == (QTY, 0)
    assert not reports(desk.wait(5))


def test_fees_may_be_of_the_quote_and_rebates_are_paid_to_us() -> None:
    desk = Desk().ready()
    desk.resting()
    out = desk.hear(orders(filled(ONE, "0.0125", "0.0125", fillFee="0.5", fillFeeCcy="USDT")))
    (report,) = reports(out)
    assert report.fee_1e9 == -500_000_000
    assert ("BTC-USDT-T1", "USDT", "fee", 50_000_000) in movements(out)


def test_a_fill_before_the_answer_counts() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    assert kinds(desk.hear(orders(filled(ONE, "0.0125", "0.0125")))) == [(ONE, "new"), (ONE, "trade")]
    assert not reports(desk.hear(answer(request, (ONE, "O1", "0"))))


def test_a_fill_that_was_not_told_makes_a_look() -> None:
    desk = Desk().ready()
    desk.resting()
    assert kinds(desk.hear(orders(filled(ONE, "0.002", "0.006", "T2")))) == [(ONE, "trade")]
    assert desk.doubts


def test_filled_without_a_trade_says_nothing_that_the_trades_did_not() -> None:
    desk = Desk().ready()
    desk.resting()
    desk.hear(orders(filled(ONE, "0.0125", "0.0125")))
    assert not reports(desk.hear(orders(state(ONE, "filled", accFillSz="0.0125"))))
    assert not desk.doubts


def test_filled_without_its_trades_makes_a_look() -> None:
    desk = Desk().ready()
    desk.resting()
    assert not reports(desk.hear(orders(state(ONE, "filled", accFillSz="0.0125"))))
    assert desk.doubts


def test_others_orders_are_money_only() -> None:
    """At followed markets and at others, by the venue's own list of currencies."""
    desk = Desk().ready()
    out = desk.hear(
        orders(filled("abc", "0.01", "0.01", "T8", ordId="F1", sz="0.01")),
        orders(filled("", "2", "2", "T9", instId="ETH-BTC", ordId="F2", sz="2", fillPx="0.05", fillFeeCcy="ETH")),
    )
    assert not reports(out)
    assert [(ref, currency, kind) for ref, currency, kind, _ in movements(out)] == [
        ("BTC-USDT-T8", "BTC", "base"), ("BTC-USDT-T8", "USDT", "quote"), ("BTC-USDT-T8", "BTC", "fee"),
        ("ETH-BTC-T9", "ETH", "base"), ("ETH-BTC-T9", "BTC", "quote"), ("ETH-BTC-T9", "ETH", "fee"),
    ]  # fmt: skip


def test_a_market_buy_of_somebody_else_for_so_much_money() -> None:
    desk = Desk().ready()
    item = filled("", "0.001", "0.001", ordType="market", px="", sz="100", tgtCcy="quote_ccy", ordId="F3")
    assert movements(desk.hear(orders(item)))[0] == ("BTC-USDT-T1", "BTC", "base", 100_000)


def test_balances_are_told() -> None:
    desk = Desk().ready()
    details = [{"ccy": "USDT", "cashBal": "4750.426970691436"}, {"ccy": "BTC", "cashBal": "0.5"}]
    frame = {"arg": {"channel": "account", "uid": "4"}, "eventType": "snapshot", "data": [{"details": details}]}
    assert of(Balance, desk.hear(dump(frame))) == [
        Balance("okx", "USDT", 475_042_697_069), Balance("okx", "BTC", 50_000_000),
    ]  # fmt: skip


# --- the look --------------------------------------------------------------------------------------------------------


def test_a_look_is_a_picture_of_everything() -> None:
    desk = Desk().ready()
    desk.resting()
    out = desk.look(
        live=[state(ONE)],
        over=[state(TWO, "filled", ordId="O2", accFillSz="0.0125", ordType="ioc", cTime="1755338640000")],
        fills=[fill(TWO, "0.0125", "T7", ordId="O2")],
        held={"USDT": "100.5", "BTC": "1.25000000019"},
    )
    (picture,) = of(Picture, out)
    assert [one.client_order_id for one in picture.open] == [ONE]
    (closed,) = picture.closed
    assert (closed.client_order_id, closed.status, closed.order_type) == (TWO, OrderStatus.FILLED, OrderType.IOC)
    assert (closed.px_1e9, closed.qty_1e8, closed.cum_qty_1e8) == (PX, QTY, QTY)
    assert closed.opened_ns == 1_755_338_640_000_000_000
    (trade,) = picture.trades
    assert (trade.exec_id, trade.client_order_id, trade.qty_1e8) == ("BTC-USDT-T7", TWO, QTY)
    assert picture.balances == (("BTC", 125_000_000), ("USDT", 10_050_000_000))
    assert ("BTC-USDT-T7", "BTC", "base", QTY) in movements(out)


def test_a_trade_of_the_stream_and_of_the_list_is_one() -> None:
    desk = Desk().ready()
    desk.resting()
    assert movements(desk.hear(orders(filled(ONE, "0.0125", "0.0125"))))
    out = desk.look(over=[state(ONE, "filled", accFillSz="0.0125")], fills=[fill(ONE, "0.0125")])
    assert not movements(out)
    assert not reports(out)


def test_the_first_look_reads_all_of_seven_days_and_later_ones_what_was_made_since() -> None:
    desk = Desk().ready()
    since = T0 - 3600 * SECOND
    first = desk.look(since_ns=since)
    assert [body for _, _, body in asked(first, "orders-history")] == ["instType=SPOT&limit=100"]
    begin = (since - 2 * SECOND) // 10**6
    assert [body for _, _, body in asked(first, "fills")] == [f"instType=SPOT&begin={begin}&limit=100"]
    second = desk.look(since_ns=since)
    assert [body for _, _, body in asked(second, "orders-history")] == [f"instType=SPOT&begin={begin}&limit=100"]


def test_what_is_older_than_three_days_is_asked_of_the_long_list() -> None:
    desk = Desk().ready()
    out = desk.session.look(T0 - 4 * 86_400 * SECOND, desk.now_ns)
    for _ in range(2):
        (request,) = asked(out)
        out = desk.reply(request)
    assert asked(out)[0][1] == "/api/v5/trade/fills-history"


def test_an_order_in_neither_list_is_asked_for_by_our_id() -> None:
    """An order made before the list begins may have ended since: the lists are filtered by when it was made."""
    desk = Desk().ready()
    desk.resting()
    desk.resting(2)
    out = desk.look(singles={"vg1a2b3c1": state(ONE, "canceled", cancelSource="20")})
    assert [body for _, _, body in asked(out, "trade/order")] == [
        "instId=BTC-USDT&clOrdId=vg1a2b3c2", "instId=BTC-USDT&clOrdId=vg1a2b3c1",
    ]  # fmt: skip
    (picture,) = of(Picture, out)
    (closed,) = picture.closed
    assert (closed.client_order_id, closed.status) == (ONE, OrderStatus.CANCELED)
    assert "dead-man" in closed.reason
    assert not picture.open


def test_lists_are_read_page_by_page() -> None:
    desk = Desk().ready()
    (request,) = asked(desk.session.look(T0, desk.now_ns))
    many = [state(f"{TAG}-{number}", ordId=f"O{number}") for number in range(130, 0, -1)]
    (request,) = asked(desk.reply(request, *many[:100]))
    assert request[1:] == ("/api/v5/trade/orders-pending", "instType=SPOT&limit=100&after=O31")
    (request,) = asked(desk.reply(request, *many[100:]))
    (request,) = asked(desk.reply(request))
    many_fills = [fill(f"{TAG}-{number}", "0.001", f"T{number}", ordId=f"O{number}") for number in range(100)]
    (request,) = asked(desk.reply(request, *many_fills))
    assert request[2].endswith("&after=BT99")
    (request,) = asked(desk.reply(request))
    (picture,) = of(Picture, desk.reply(request, {"details": []}))
    assert (len(picture.open), len(picture.trades)) == (130, 100)


@pytest.mark.parametrize("body", [b"{", b'{"code":"50011","msg":"x","data":[]}', b'{"code":"0","data":[{"x":1}]}'])
def test_a_look_that_fails_says_so_and_begins_again_by_itself(body: bytes) -> None:
    desk = Desk().ready()
    (request,) = asked(desk.session.look(T0, desk.now_ns))
    assert any("failed" in text for text in notices(desk.rest(request, b"200", body), "warning"))
    assert not asked(desk.wait(4), "orders-pending")
    assert asked(desk.wait(4), "orders-pending")


# --- the unexplained -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frame",
    [
        b"garbage",
        b"{}",
        b'{"arg":{"channel":"orders"},"data":[{"ordId":7}]}',
        orders({"instId": "BTC-USDT"}),
        orders(state(ONE, side="sideways")),
        orders(state(ONE, sz="much")),
        orders(filled(ONE, "", "0.0125")),
        orders(filled(ONE, "0.0125", "0.0125", fillPx="NaN")),
        orders(state(ONE, uTime="yesterday")),
        dump({"arg": {"channel": "account"}, "data": [{"details": [{"ccy": "BTC", "cashBal": ""}]}]}),
    ],
)
def test_what_cannot_be_read_is_loud_and_makes_a_look(frame: bytes) -> None:
    desk = Desk().ready()
    desk.resting()
    assert notices(desk.hear(frame), "error")
    assert desk.doubts


def test_one_unreadable_order_costs_none_of_the_others() -> None:
    desk = Desk().ready()
    desk.resting()
    out = desk.hear(orders(state(TWO, sz="much"), filled(ONE, "0.0125", "0.0125")))
    assert kinds(out) == [(ONE, "trade")]
    assert desk.doubts


def test_a_state_that_nobody_knows_makes_a_look() -> None:
    desk = Desk().ready()
    desk.resting()
    assert not reports(desk.hear(orders(state(ONE, "frozen"))))
    assert desk.doubts


def test_events_and_channels_of_no_concern() -> None:
    desk = Desk().ready()
    for frame in (
        dump({"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "abcd1234"}),
        dump({"arg": {"channel": "positions"}, "data": []}),
        b"pong",
    ):
        assert not [one for one in desk.hear(frame) if not isinstance(one, Notice)]
    assert desk.why == ""
