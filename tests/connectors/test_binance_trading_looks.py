"""What goes over HTTP: cancels without a socket, looks at the account; and what errors mean."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import (
    Doubt,
    ExecReport,
    ExecType,
    Movement,
    Notice,
    OrderStatus,
    Picture,
)
from connectors.exchange.verdict import Next
from connectors.orders import OrderType
from connectors.session import PRIVATE, REST, Send
from connectors.venues.binance.errors import classify
from tests.support.binance_account import (
    ACCOUNT,
    MS,
    NAME,
    QTY,
    Desk,
    row,
    trade,
    trade_row,
    wrapped,
)
from tests.support.binance_frames import SECOND, of

NEW, TRADE, CANCELED, UNKNOWN = ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.UNKNOWN


# --- cancels over HTTP ------------------------------------------------------------------------------------------------


def test_without_a_socket_a_cancel_goes_over_http() -> None:
    """Once, until that is answered; a look tells what became of it."""
    desk = Desk()
    desk.ready()
    desk.live()
    desk.take(desk.session.close(desk.now_ns, PRIVATE))
    desk.all.clear()
    desk.cancel()
    desk.cancel()
    (send,) = of(Send, desk.all)
    assert (send.link, send.approval) == (REST, 2)
    assert send.data == b"2 DELETE /api/v3/order\nsymbol=BTCUSDT&origClientOrderId=vg1a2b3c-1&recvWindow=5000"
    assert of(Doubt, desk.answer(row(status="CANCELED")))


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [(0, b"no answer", UNKNOWN), (502, b"<html>", UNKNOWN),
        (503, b'{"code":-2011,"msg":"Unknown order sent."}', UNKNOWN),
     (400, b'{"code":-2011,"msg":"Unknown order sent."}', ExecType.CANCEL_REJECTED)],
)  # fmt: skip
def test_a_cancel_over_http_that_fails(status: int, body: bytes, expected: ExecType) -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    desk.take(desk.session.close(desk.now_ns, PRIVATE))
    desk.all.clear()
    desk.cancel()
    outputs = desk.answer(body, status)
    assert [one.exec_type for one in of(ExecReport, outputs)] == [expected]
    assert of(Doubt, outputs)


def test_there_is_no_cancel_all() -> None:
    from connectors.orders import Approved, CancelAll

    desk = Desk()
    desk.ready()
    with pytest.raises(ValueError, match="each is cancelled by itself"):
        desk.session.cancel_all(Approved(CancelAll("binance", "k"), 9, desk.now_ns, 1), desk.now_ns)


# --- looks ------------------------------------------------------------------------------------------------------------


def look(desk: Desk, since_ns: int = 0, **bodies: Any) -> Picture:
    """Answers a look's questions; `bodies` by the end of a path, the first market's."""
    desk.take(desk.session.look(since_ns or desk.now_ns - 60 * SECOND, desk.now_ns))
    for _ in range(100):
        if not desk.asked:
            break
        path, query = desk.asked[0][2].rpartition("/")[2], desk.asked[0][3]
        body = bodies.get(path, ACCOUNT if path == "account" else [])
        found = [] if "symbol=ETHUSDT" in query else body(query) if callable(body) else body
        desk.answer(found, 400 if isinstance(found, dict) and "code" in found else 200)
        desk.wait(0.5)
    return of(Picture, desk.all)[-1]


def test_a_look_is_all_lists_of_all_followed_markets() -> None:
    desk = Desk()
    desk.ready()
    picture = look(
        desk,
        openOrders=[row(), row("web_7", 9, symbol="FOOBAR")],
        allOrders=[row("vg1a2b3c-0", 5, "FILLED", executedQty="0.01000"), row(), row("vg1a2b3c-x", 4, "EXPIRED")],
        myTrades=[trade_row(70, 5, qty="0.01000", quoteQty="620.00")],
    )
    assert [(one.client_order_id, one.instrument, one.symbol) for one in picture.open] == [
        (NAME, 0, "BTC/USDT"), ("web_7", -1, "FOOBAR")
    ]  # fmt: skip
    assert {one.client_order_id: one.status for one in picture.closed} == {
        "vg1a2b3c-0": OrderStatus.FILLED, "vg1a2b3c-x": OrderStatus.EXPIRED
    }  # fmt: skip
    assert [(one.exec_id, one.client_order_id, one.qty_1e8) for one in picture.trades] == [
        ("BTCUSDT-70", "vg1a2b3c-0", QTY)
    ]
    assert picture.balances == (("BTC", 150_000_000), ("USDT", 100_000_000_000))


def test_a_trade_that_a_look_found_is_told_once() -> None:
    """The same number in the record and in the stream: money once, and a report still."""
    desk = Desk()
    desk.ready()
    desk.live()
    look(desk, openOrders=[row(executedQty="0.00400")], myTrades=[trade_row(77)])
    assert len(of(Movement, desk.all)) == 3
    outputs = desk.hear(wrapped(trade()))
    assert not of(Movement, outputs)
    assert [one.exec_type for one in of(ExecReport, outputs)] == [TRADE]


def test_an_old_order_that_ended_is_asked_for_by_itself() -> None:
    """It was made before the lists reach back: neither open nor in them."""
    desk = Desk()
    desk.ready()
    desk.live()
    desk.live("vg1a2b3c-2", 8)
    old = row(status="CANCELED", time=MS - 10**9)
    answers = {"symbol=BTCUSDT&origClientOrderId=vg1a2b3c-1": old}
    picture = look(desk, order=lambda query: answers.get(query, {"code": -2013, "msg": "Order does not exist."}))
    assert [one.client_order_id for one in picture.closed] == [NAME]


def test_a_list_of_more_than_a_page() -> None:
    """The latest thousand do not reach back far enough: the rest in stretches of a day, oldest first."""
    start = MS - 3 * 86_400_000
    times = [start + n * 86_400 for n in range(3000)]
    rows = [row(f"web_{n}", n + 1, "CANCELED", time=ms, updateTime=ms) for n, ms in enumerate(times)]
    asked = []

    def all_orders(query: str) -> list[dict[str, Any]]:
        fields = dict(part.split("=") for part in query.split("&"))
        asked.append(fields)
        if "startTime" not in fields:
            return rows[-1000:]
        span = (int(fields["startTime"]), int(fields["endTime"]))
        assert span[1] - span[0] < 86_400_000
        return [one for one in rows if span[0] <= one["time"] <= span[1]][:1000]

    desk = Desk()
    desk.ready()
    picture = look(desk, since_ns=(start + 500) * 10**6, allOrders=all_orders)
    assert len(picture.closed) == 3000
    assert len(asked) <= 6


def test_a_look_that_fails_is_tried_again() -> None:
    desk = Desk()
    desk.ready()
    desk.take(desk.session.look(0, desk.now_ns))
    outputs = desk.answer(b"<html>", 502)
    assert "again in 5 s" in of(Notice, outputs)[0].text
    desk.wait(5.5)
    assert desk.asked[-1][2] == "/api/v3/openOrders"
    desk.answer({"code": -1003, "msg": "Too much request weight used."}, 429)
    desk.wait(30)
    assert not desk.asked, "the address has nothing left for a minute"
    desk.wait(40)
    assert desk.asked


def test_what_is_not_listed_yet_is_no_failure() -> None:
    """−2013 right after an order was placed: a list that lags."""
    desk = Desk()
    desk.ready()
    desk.live()
    picture = look(desk, order={"code": -2013, "msg": "Order does not exist."})
    assert picture.open == picture.closed == ()


# --- the table of errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-1007 Timeout waiting for response from backend server.", Next.UNKNOWN),
        ("-1121 Invalid symbol.", Next.DEFINITE),
        ("-2015 Invalid API-key, IP, or permissions for action.", Next.HALT),
        ("-2010 This account may not place or cancel orders.", Next.HALT),
        ("-1003 Too much request weight used", Next.BACK_OFF),
        ("status 403: <html>", Next.BACK_OFF),
        ("status 404: <html>", Next.UNKNOWN),
        ("-77777 new", Next.UNKNOWN),
        ("words alone", Next.UNKNOWN),
    ],
)
def test_what_errors_mean(text: str, expected: Next) -> None:
    assert classify(text).next is expected


def test_a_ban_says_its_end() -> None:
    verdict = classify("-1003 Way too much request weight used; IP banned until 1786874945000. Please use")
    assert verdict.until_ns == 1_786_874_945_000 * 10**6


def test_the_end() -> None:
    desk = Desk()
    desk.ready()
    outputs = desk.take(desk.session.stop(desk.now_ns, is_flat=False))
    assert "nothing there cancels them" in of(Notice, outputs)[0].text
    assert desk.new(order_type=OrderType.MARKET)
    assert not desk.wait(5)
