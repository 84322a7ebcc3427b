"""Every JSON example of the sheet (facts/venues.md §5) is read as what it is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, ExecReport, Notice, Ready, RejectCode, Trade
from connectors.orders import OrderType
from connectors.session import PRIVATE, TRADE
from connectors.venues.bybit.asked import asked
from tests.support.bybit_account import Desk, of
from tests.support.bybit_frames import Line, pair

SUBSCRIBE = b'{"req_id":"10001","op":"subscribe","args":["orderbook.50.BTCUSDT","publicTrade.BTCUSDT"]}'
ACK = (
    b'{"success":true,"ret_msg":"subscribe","conn_id":"2324d924-aa4d-45b0-a858-7b8be29ab52b","req_id":"10001",'
    b'"op":"subscribe"}'
)
REFUSED = (
    b'{"success":false,"ret_msg":"Invalid symbol :[orderbook.50.FOOUSDT]","conn_id":"\xe2\x80\xa6","req_id":"10002",'
    b'"op":"subscribe"}'
)
PONGS = [
    b'{"success":true,"ret_msg":"pong","conn_id":"0970e817-\xe2\x80\xa6","op":"ping"}',
    b'{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}',
    b'{"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"cnt5leec0hvan15eukcg-2v"}',
]
SNAPSHOT = (
    b'{"topic":"orderbook.50.BTCUSDT","ts":1755338645123,"type":"snapshot","data":{"s":"BTCUSDT",'
    b'"b":[["62806.90","0.509301"]],"a":[["62807.00","1.2"]],"u":18521288,"seq":7961638724},"cts":1755338645120}'
)
DELTA = (
    b'{"topic":"orderbook.50.BTCUSDT","ts":1755338645143,"type":"delta","data":{"s":"BTCUSDT","b":[["62806.90","0"]],'
    b'"a":[],"u":18521289,"seq":7961638730},"cts":1755338645141}'
)
TRADE_FRAME = (
    b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1755338645124,"data":[{"T":1755338645120,"s":"BTCUSDT",'
    b'"S":"Buy","v":"0.001","p":"62807.00","i":"2290000000061666327","BT":false,"RPI":false,"seq":7961638724}]}'
)
CREATE = (
    b'{"reqId":"t-005","header":{"X-BAPI-TIMESTAMP":"1755338645207","X-BAPI-RECV-WINDOW":"8000"},"op":"order.create",'
    b'"args":[{"category":"spot","symbol":"BTCUSDT","side":"Buy","orderType":"Limit","qty":"0.01","price":"62000",'
    b'"timeInForce":"PostOnly","orderLinkId":"a-1"}]}'
)
TAKEN: dict[str, Any] = {
    "reqId": "t-005", "retCode": 0, "retMsg": "OK", "op": "order.create",
    "data": {"orderId": "a4c1718e-…", "orderLinkId": "a-1"}, "retExtInfo": {},
    "header": {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "19", "X-Bapi-Limit-Reset-Timestamp": "1755338645208",
               "Traceid": "…", "Timenow": "1755338645209"},
    "connId": "…",
}  # fmt: skip
NO_FUNDS: dict[str, Any] = {
    "reqId": "t-006", "retCode": 170131, "retMsg": "Balance insufficient", "op": "order.create", "data": {},
    "retExtInfo": {}, "header": {"…": "…"}, "connId": "…",
}  # fmt: skip
CANCELLED: dict[str, Any] = {
    "id": "5923240c…", "topic": "order", "creationTime": 1755338645474,
    "data": [{
        "category": "spot", "symbol": "BTCUSDT", "orderId": "a4c1718e-…", "orderLinkId": "a-1", "side": "Buy",
        "orderType": "Limit", "price": "62000", "qty": "0.01", "orderStatus": "Cancelled", "cancelType": "UNKNOWN",
        "rejectReason": "EC_PostOnlyWillTakeLiquidity", "timeInForce": "PostOnly", "leavesQty": "0.000",
        "cumExecQty": "0.000", "cumExecValue": "0.0", "avgPrice": "", "cumFeeDetail": {},
        "createdTime": "1755338645442", "updatedTime": "1755338645457",
    }],
}  # fmt: skip


def test_the_public_examples() -> None:
    line = Line("BTC/USDT", "FOO/USDT")
    line.subscribing(pair(), pair("FOO"))
    assert [type(out) for out in line.hear(SNAPSHOT, DELTA, TRADE_FRAME)] == [BookSnapshot, BookDelta, Trade]
    assert line.hear(ACK) == []
    assert line.valid() == [True, False]
    lost, notice = line.hear(REFUSED)
    assert isinstance(notice, Notice)
    assert lost == BookLost(1, "refused: Invalid symbol :[orderbook.50.FOOUSDT]")
    for pong in PONGS:
        assert line.hear(pong) == []
    assert asked(SUBSCRIBE) == []


@pytest.mark.parametrize("pong", PONGS)
def test_the_pongs_on_the_sockets_of_a_key(pong: bytes) -> None:
    desk = Desk().up()
    assert desk.hear(pong, PRIVATE if b"retCode" not in pong else TRADE) == []


def test_the_examples_of_an_order() -> None:
    """The order of the sheet, as ours: taken, then cancelled for it would have traded."""
    desk = Desk().up()
    (found,) = asked(CREATE)
    assert (found.client_order_id, found.order_type) == ("a-1", OrderType.POST_ONLY)
    name = "vg1a2b3c-5"
    desk.approvals = 4
    desk.submit(name, order_type=OrderType.POST_ONLY)
    desk.submit("vg1a2b3c-6")
    taken = {**TAKEN, "reqId": "5", "data": {"orderId": "a4c1718e-…", "orderLinkId": name}}
    assert desk.hear(taken, TRADE) == []
    (refused,) = of(ExecReport, desk.hear({**NO_FUNDS, "reqId": "6"}, TRADE))
    assert (refused.exec_type, refused.reject_code) == ("rejected", RejectCode.INSUFFICIENT_BALANCE)
    ours = json.loads(json.dumps(CANCELLED).replace('"a-1"', f'"{name}"'))
    (report,) = of(ExecReport, desk.hear(ours))
    assert (report.exec_type, report.text, report.reject_code) == (
        "canceled", "EC_PostOnlyWillTakeLiquidity", RejectCode.INVALID_PARAMS,
    )  # fmt: skip
    assert of(ExecReport, desk.hear(CANCELLED)) == []  # of somebody else
    assert of(Ready, desk.hear({"success": True, "op": "auth", "ret_msg": "", "conn_id": "x"})) == []
    assert of(BookLost, desk.hear({"retCode": 0, "op": "auth"}, TRADE)) == []
