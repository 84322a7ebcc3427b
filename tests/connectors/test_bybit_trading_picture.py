"""A look at the account: five lists, their pages and stretches, one picture."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from connectors.events import Movement, Notice, OrderStatus, Picture
from connectors.orders import OrderType
from connectors.session import Output
from connectors.venues.bybit.asked import asked
from tests.support.bybit_account import MS, SECOND, T0, Desk, execution, of, order, page

A, B, C = "vg1a2b3c-1", "vg1a2b3c-2", "vg1a2b3c-3"
COINS = [{"coin": "BTC", "walletBalance": "0.5"}, {"coin": "USDT", "walletBalance": "100.123456789"}]
WALLET = {"list": [{"accountType": "UNIFIED", "coin": COINS}]}
DAY = 86_400 * SECOND
REALTIME, HISTORY, TRADES, BALANCE = (
    "/v5/order/realtime", "/v5/order/history", "/v5/execution/list", "/v5/account/wallet-balance",
)  # fmt: skip


def query(desk: Desk, path: str) -> dict[str, str]:
    """Of the question of this path that is open."""
    (body,) = [body for asked_for, body in desk.rest.values() if asked_for == f"GET {path}"]
    return dict(part.split("=", 1) for part in body.split("&"))


def look(desk: Desk, since_ns: int = T0 - 3600 * SECOND) -> list[Output]:
    return desk.keep(desk.session.look(since_ns, desk.now_ns))


def rest_of_it(desk: Desk, trades: Any = None) -> list[Output]:
    """Nothing closed; these trades; the wallet."""
    desk.answered(REALTIME, page())
    desk.answered(HISTORY, page())
    desk.answered(TRADES, trades or page())
    return desk.answered(BALANCE, WALLET)


def test_the_picture() -> None:
    desk = Desk().up()
    look(desk)
    assert query(desk, REALTIME) == {"category": "spot", "openOnly": "0", "limit": "50"}
    desk.answered(REALTIME, page(order(name=A), order("PartiallyFilled", "web-1", cumExecQty="0.001"), order(name=C)))
    assert query(desk, REALTIME) == {"category": "spot", "openOnly": "1", "limit": "50"}
    old = order("Cancelled", "vg1a2b3c-9", updatedTime=str(MS - 7_200_000))
    desk.answered(REALTIME, page(order("Filled", C, cumExecQty="0.010"), old))
    found = query(desk, HISTORY)
    assert (found["startTime"], found["limit"]) == (str(MS - 3_601_000), "50")
    assert int(found["endTime"]) - int(found["startTime"]) < 7 * 86_400_000
    ended = order("PartiallyFilledCanceled", B, cumExecQty="0.004", rejectReason="EC_NoImmediateQtyToFill",
                  timeInForce="IOC")  # fmt: skip
    desk.answered(HISTORY, page(ended, order("Rejected", "web-2", rejectReason="EC_Others")))
    assert query(desk, TRADES)["limit"] == "100"
    desk.answered(TRADES, page(execution("e-1", "0.004", B), execution("e-2", name=C), execution("e-3", name="web-1")))
    assert query(desk, BALANCE) == {"accountType": "UNIFIED"}
    out = desk.answered(BALANCE, WALLET)
    (picture,) = of(Picture, out)
    assert (picture.asked_ns, picture.since_ns) == (T0, T0 - 3600 * SECOND)
    assert [(one.client_order_id, one.instrument, one.px_1e9, one.qty_1e8) for one in picture.open] == [
        (A, 0, 62_000 * 10**9, 1_000_000), ("web-1", 0, 62_000 * 10**9, 1_000_000),
    ]  # fmt: skip
    closed = {one.client_order_id: one for one in picture.closed}
    assert set(closed) == {C, B, "web-2"}
    assert (closed[C].status, closed[B].status) == (OrderStatus.FILLED, OrderStatus.CANCELED)
    assert (closed[B].order_type, closed[B].cum_qty_1e8, closed[B].reason) == (
        OrderType.IOC, 400_000, "EC_NoImmediateQtyToFill",
    )  # fmt: skip
    assert [(one.exec_id, one.client_order_id, one.fee_1e9) for one in picture.trades] == [
        ("e-1", B, 620_000_000), ("e-2", C, 620_000_000),
    ]  # fmt: skip
    assert picture.balances == (("BTC", 50_000_000), ("USDT", 10_012_345_678))
    assert {one.ref for one in of(Movement, out)} == {"e-1", "e-2", "e-3"}
    sends = [send for send in desk.left if b"/v5/" in send.data]
    assert [asked(send.data) for send in sends] == [[]] * len(sends)


def test_a_history_that_is_late_opens_nothing() -> None:
    """It shows as open what has ended meanwhile: open is what the list of open orders says."""
    desk = Desk().up()
    look(desk)
    desk.answered(REALTIME, page(order(name=A)))
    desk.answered(REALTIME, page(order("Cancelled", B)))
    desk.answered(HISTORY, page(order("New", B), order("New", C)))
    desk.answered(TRADES, page())
    (picture,) = of(Picture, desk.answered(BALANCE, WALLET))
    assert [one.client_order_id for one in picture.open] == [A]
    assert [one.client_order_id for one in picture.closed] == [B]


def test_pages_are_turned_by_the_cursor_as_it_is() -> None:
    """It comes escaped already; what a query cannot hold is escaped here."""
    desk = Desk().up()
    look(desk)
    cursor = "page_args%3Dfd4300ae%26symbol%3D6%26"
    desk.answered(REALTIME, page(order(name=A), cursor=cursor))
    assert query(desk, REALTIME)["cursor"] == cursor
    desk.answered(REALTIME, page(order(name=B), cursor="x=1&y/2"))
    assert query(desk, REALTIME)["cursor"] == "x%3D1%26y%2F2"
    desk.answered(REALTIME, page(order(name=C)))
    (picture,) = of(Picture, rest_of_it(desk))
    assert [one.client_order_id for one in picture.open] == [A, B, C]


def test_a_cursor_that_repeats_itself_ends() -> None:
    desk = Desk().up()
    look(desk)
    for _ in range(2):
        desk.answered(REALTIME, page(order(name=A), cursor="same"))
    assert query(desk, REALTIME)["openOnly"] == "1"


def test_long_times_are_asked_in_stretches_of_seven_days() -> None:
    """Bybit's lists take no more: each stretch begins where the one before ended."""
    desk = Desk().up()
    look(desk, T0 - 16 * DAY)
    desk.answered(REALTIME, page())
    desk.answered(REALTIME, page())
    seen = []
    for path in (HISTORY, TRADES):
        for name in (A, B, C):
            found = query(desk, path)
            seen.append((int(found["startTime"]), int(found["endTime"])))
            if name == A:
                desk.answered(path, page(order("Filled", "web-1", cumExecQty="0.01") if path == HISTORY else
                                         execution("e-0", name="web-1"), cursor="next"))  # fmt: skip
                assert query(desk, path)["cursor"] == "next"
            item = order("Filled", name, cumExecQty="0.010") if path == HISTORY else execution(f"e-{name}", name=name)
            desk.answered(path, page(item))
    assert seen[:3] == seen[3:]
    assert seen[0][0] == MS - 16 * 86_400_000 - 1000
    assert [after[0] - before[1] for before, after in pairwise(seen[:3])] == [1, 1]
    assert seen[2][1] >= MS
    (picture,) = of(Picture, desk.answered(BALANCE, WALLET))
    assert {one.client_order_id for one in picture.closed} == {A, B, C, "web-1"}
    assert {one.exec_id for one in picture.trades} == {f"e-{name}" for name in (A, B, C)}


@pytest.mark.parametrize("how", ["silent", "refused", "odd", "status", "shut out"])
def test_a_look_that_fails_begins_again(how: str) -> None:
    desk = Desk().up()
    look(desk)
    if how == "silent":
        out = desk.silent(REALTIME)
    elif how == "odd":
        out = desk.answered(REALTIME, page(order("Odd")))
    elif how == "refused":
        out = desk.answered(REALTIME, {}, 10006, "Too many visits!")
    else:
        out = desk.answered(REALTIME, {}, 10016, "busy", 502 if how == "status" else 200)
    (notice,) = of(Notice, out)
    assert notice.text.startswith("bybit: a look at the account failed, open orders: ")
    desk.wait(5)
    desk.answered(REALTIME, page())
    assert len(of(Picture, rest_of_it(desk))) == 1


def test_an_address_that_is_shut_out_asks_nothing_for_ten_minutes() -> None:
    desk = Desk().up()
    look(desk)
    number = next(number for number, (path, _) in desk.rest.items() if path.endswith(REALTIME))
    del desk.rest[number]
    desk.hear(b"%d 403\n<html>access too frequent</html>" % number, "rest")
    desk.wait(590)
    assert desk.rest == {}
    desk.wait(15)
    assert f"GET {REALTIME}" in [path for path, _ in desk.rest.values()]


def test_what_a_look_shows_settles_what_was_doubt() -> None:
    """An order that silence made UNKNOWN: the record has it, and the stream goes on from there."""
    desk = Desk().up()
    desk.submit(A)
    desk.wait(8)
    look(desk)
    desk.answered(REALTIME, page(order(name=A)))
    out = rest_of_it(desk)
    assert of(Picture, out)[0].open[0].client_order_id == A
    assert desk.topic("order", order("Cancelled", A)) != []
