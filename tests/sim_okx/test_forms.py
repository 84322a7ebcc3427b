"""What the simulated OKX says has the form of the sheet's examples (venues.md 4.1 to 4.3), field by field."""

from __future__ import annotations

import json
from typing import Any

from tests.sim_okx.client import Trader

BOOK = '{"asks":[["62807","1.2","0","4"]],"bids":[["62806.9","0.5","0","2"]],"ts":"1755338645123","checksum":0,'
EXAMPLES = {
    "subscribe": '{"id":"1512","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}',
    "error": '{"id":"1512","event":"error","code":"60018","msg":"Wrong URL or channel:bookz","connId":"a4d3ae55"}',
    "login": '{"event":"login","code":"0","msg":"","connId":"a4d3ae55"}',
    "snapshot": '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":['
    + BOOK + '"prevSeqId":-1,"seqId":10}]}',
    "update": '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":['
    + BOOK + '"prevSeqId":10,"seqId":15}]}',
    "taken": '{"id":"1512","op":"order","code":"0","msg":"","data":[{"clOrdId":"a1","ordId":"12345689","tag":"","ts":'
    '"1755338645421","sCode":"0","sMsg":""}],"inTime":"1755338645421000","outTime":"1755338645421900"}',
    "refused": '{"id":"1513","op":"order","code":"1","msg":"","data":[{"clOrdId":"a2","ordId":"","tag":"","ts":'
    '"1755338646000","sCode":"51008","sMsg":"Order failed. Insufficient balance"}],"inTime":"1","outTime":"2"}',
    "orders": '{"arg":{"channel":"orders","instType":"SPOT","uid":"614488474791936"},"data":[{"instId":"BTC-USDT",'
    '"ordId":"12345689","clOrdId":"a1","state":"partially_filled","side":"buy","ordType":"post_only","px":"62000",'
    '"sz":"0.01","accFillSz":"0.004","avgPx":"62000","fillPx":"62000","fillSz":"0.004","tradeId":"9001","execType":'
    '"M","fillFee":"-0.000004","fillFeeCcy":"BTC","fee":"-0.000004","feeCcy":"BTC","cTime":"…","uTime":"…","reqId":"",'
    '"amendResult":"","code":"0","msg":"","cancelSource":""}]}',
}  # fmt: skip


def has_form(told: Any, example: Any) -> bool:
    """Every field of the example, each of the same kind; of lists the first item is looked at, if there is one."""
    if isinstance(example, dict):
        return isinstance(told, dict) and all(name in told and has_form(told[name], example[name]) for name in example)
    if isinstance(example, list):
        return isinstance(told, list) and (not told or has_form(told[0], example[0]))
    return type(told) is type(example)


def test_every_message_has_the_form_of_the_sheets() -> None:
    t = Trader(public=True, rate_hz=200)
    told = {"error": t.say("subscribe", {"channel": "bookz"}, id="1512")[0]}
    told["subscribe"], told["snapshot"] = t.say("subscribe", {"channel": "books", "instId": "BTC-USDT"}, id="1512")
    told["update"] = t.wait(0.3)[-1]
    t.dial("/ws/v5/private")
    [told["login"]] = t.login()
    t.follow()
    told["taken"], told["refused"] = t.op("order", t.item(clOrdId="a1")), t.op("order", t.item(sz="1000"))
    t.fill("a1", "0.004")
    told["orders"] = t.of("orders")[-1]
    for name, text in EXAMPLES.items():
        assert has_form(told[name], json.loads(text)), (name, told[name])


def test_connections_are_limited() -> None:
    """Three new ones a second where that is wanted, thirty that follow one channel of the account."""
    t = Trader(limits_connects=True, login=False)
    t.now_ns += 10**9 - t.now_ns % 10**9
    answers = [t.venue.refusal(t.now_ns, "/ws/v5/public") for _ in range(4)]
    assert [answer.status if answer else 101 for answer in answers] == [101] * 3 + [429]
    for number in range(31):
        t.dial("/ws/v5/private")
        t.login()
        told = t.subscribe("orders", instType="SPOT")
        if number < 30:
            assert told[-1]["connCount"] == str(number + 1)
    assert [(m["event"], m["connCount"]) for m in told] == [("channel-conn-count-error", "30")]
    assert not t.socket.channels
