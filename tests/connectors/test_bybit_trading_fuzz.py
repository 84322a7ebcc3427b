"""Any bytes on any link, in any state: outputs of the contract, no exception, nothing sent that nobody approved."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport
from connectors.session import PRIVATE, REST, TRADE, Output, Send
from connectors.venues.bybit.asked import asked
from tests.support.bybit_account import KEY, MS, Desk, execution, of, order, page, reply

KINDS = get_args(Output)
A = "vg1a2b3c-1"


def frame(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def topic(name: str, *items: object) -> bytes:
    return frame({"id": "1", "topic": name, "creationTime": MS, "data": items})


FRAMES: list[tuple[str, bytes]] = [
    (PRIVATE, topic("order", order())),
    (PRIVATE, topic("order", order("Filled", cumExecQty="0.01"), order("Cancelled", "vg1a2b3c-2"))),
    (PRIVATE, topic("order", order("Rejected", rejectReason="EC_Others"))),
    (PRIVATE, topic("execution", execution(), execution("e-2", "0.005"))),
    (PRIVATE, topic("wallet", {"accountType": "UNIFIED", "coin": [{"coin": "BTC", "walletBalance": "1"}]})),
    (PRIVATE, frame({"success": True, "op": "auth", "ret_msg": "", "conn_id": "c"})),
    (PRIVATE, frame({"success": False, "op": "subscribe", "ret_msg": "no", "req_id": "2000000002"})),
    (TRADE, frame({"reqId": "1", "retCode": 0, "op": "order.create", "data": {"orderId": "id-1", "orderLinkId": A}})),
    (TRADE, frame({"reqId": "1", "retCode": 170131, "retMsg": "no", "op": "order.create", "data": {}})),
    (TRADE, frame({"reqId": "2", "retCode": 10006, "retMsg": "slow", "op": "order.create", "header": {
        "X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(MS)}})),
    (TRADE, frame({"reqId": "2", "retCode": 0, "op": "order.create-batch", "data": {"list": [{}, {}]},
                   "retExtInfo": {"list": [{"code": 0, "msg": "OK"}, {"code": 170131, "msg": "no"}]}})),
    (TRADE, frame({"retCode": 10019, "retMsg": "restarting", "op": "order.cancel", "reqId": "4"})),
    (TRADE, frame({"retCode": 0, "retMsg": "OK", "op": "auth", "connId": "c"})),
    (REST, b"1000000001 200\n" + reply({"timeSecond": "1755338645", "timeNano": "1755338645000000000"})),
    (REST, b"1000000002 200\n" + reply(KEY)),
    (REST, b"1000000003 200\n" + reply(page(order(), cursor="x"))),
    (REST, b"1000000004 200\n" + reply(page(execution()))),
    (REST, b"4 200\n" + reply({"success": "1"})),
    (REST, b"4 0\nno answer"),
    (REST, b"4 403\n<html>"),
]  # fmt: skip
NUMBERS = [b"-1", b"0", b"1e400", b"9223372036854775808", b"9" * 3000, b"null", b'"7"', b"true", b"[]", b'""', b'"x"']


def fresh() -> Desk:
    desk = Desk()
    desk.keep(desk.session.start(desk.now_ns))
    return desk


def opening() -> Desk:
    desk = fresh()
    desk.open(PRIVATE)
    desk.open(TRADE)
    return desk


def busy() -> Desk:
    """One order taken, a batch in flight, a look under way."""
    desk = Desk().up()
    desk.submit(A)
    desk.submit_many("vg1a2b3c-2", "vg1a2b3c-3")
    desk.cancel_all()
    desk.keep(desk.session.look(0, desk.now_ns))
    return desk


def cut_off() -> Desk:
    desk = busy()
    desk.close(TRADE)
    desk.cancel(A)
    return desk


STATES: list[Callable[[], Desk]] = [fresh, opening, busy, cut_off]


@st.composite
def wounded(draw: st.DrawFn) -> tuple[str, bytes]:
    """A valid frame with up to four wounds, sometimes on another link than its own."""
    link, whole = draw(st.sampled_from(FRAMES))
    data = bytearray(whole)
    for wound in draw(st.lists(st.sampled_from(["cut", "flip", "insert", "drop", "number"]), max_size=4)):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        if wound == "cut":
            del data[at:]
        elif wound == "flip" and data:
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif wound == "insert":
            data[at:at] = draw(st.binary(max_size=8))
        elif wound == "drop":
            del data[at : at + draw(st.integers(1, 40))]
        else:
            spots = list(re.finditer(rb'-?[0-9][0-9.]*|"[0-9.]+"', data))
            if spots:
                spot = draw(st.sampled_from(spots))
                data[spot.start() : spot.end()] = draw(st.sampled_from(NUMBERS))
    return draw(st.sampled_from([link, link, link, PRIVATE, TRADE, REST])), bytes(data)


@settings(max_examples=400)
@given(st.sampled_from(STATES), st.lists(wounded() | st.tuples(st.just(REST), st.binary(max_size=40)), max_size=8))
@example(busy, [(PRIVATE, b'{"topic":"order","data":' + b"[" * 10_000)])
@example(busy, [(TRADE, b"[" * 10_000)])
@example(busy, [(REST, b"1000000003 200\n" + b"[" * 10_000)])
def test_no_bytes_raise_and_nothing_leaves_unasked(state: Callable[[], Desk], frames: list[tuple[str, bytes]]) -> None:
    """Whatever arrives, only questions, logins and pings leave because of it."""
    desk = state()
    for link, data in frames:
        out = desk.hear(data, link) + desk.wait(0.5)
        for one in out:
            assert isinstance(one, KINDS)
            if isinstance(one, ExecReport):
                assert one.cum_qty_1e8 >= 0
                assert one.leaves_qty_1e8 >= 0
        assert [asked(send.data) for send in of(Send, out)] == [[]] * len(of(Send, out))
