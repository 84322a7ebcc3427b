"""REST: signatures, lists, headers, permissions, and what a gateway in between makes of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sim_binance.client import MS, Client, Message, Socket, parse, signature


def problem(client: Client, verb: str, path: str, *, signs: bool = True, **params: Any) -> tuple[int, int]:
    answer = client.rest(verb, path, signs=signs, **params)
    return answer.status, parse(answer.body)["code"]


def placed(client: Client, **terms: Any) -> Message:
    params = {key: value for key, value in client.order(**terms).items() if key not in ("apiKey", "signature")}
    answer = client.rest("POST", "/api/v3/order", signs=True, **params)
    assert answer.status == 200, answer.body
    found: Message = parse(answer.body)
    return found


def test_the_published_signature_is_taken() -> None:
    client = Client()
    client.venue.access.key = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
    client.venue.access.secret = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105
    query = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
    )
    good = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    headers = {"x-mbx-apikey": client.key}
    for text, code in ((f"{query}&signature={good}", -1021), (f"{query}&signature={good[::-1]}", -1022)):
        for target, body in ((f"/api/v3/order?{text}", b""), ("/api/v3/order", text.encode())):
            assert parse(client.venue.rest("POST", target, headers, body, client.now_ns).body)["code"] == code
    assert problem(client, "GET", "/api/v3/account", signs=False)[1] == -2014


def test_metadata_says_what_orders_are_measured_by() -> None:
    client = Client()
    info = client.get("/api/v3/exchangeInfo")
    assert [row["symbol"] for row in info["symbols"]] == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"]
    assert {row["rateLimitType"] for row in info["rateLimits"]} == {"REQUEST_WEIGHT", "ORDERS", "CONNECTIONS"}
    btc = info["symbols"][0]
    filters = {row["filterType"]: row for row in btc["filters"]}
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == ("0.01000000", "0.00001000")
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000" and btc["status"] == "TRADING"
    client.venue.set_status("cancel_only", client.now_ns)
    assert client.get("/api/v3/exchangeInfo", symbol="ETHUSDT")["symbols"][0]["status"] == "CANCEL_ONLY"
    client.venue.set_status("maintenance", client.now_ns)
    assert client.get("/api/v3/exchangeInfo", symbols='["ETHUSDT"]')["symbols"][0]["status"] == "HALT"
    assert problem(client, "GET", "/api/v3/exchangeInfo", signs=False, symbol="FOO") == (400, -1121)


def test_books_trades_and_tickers() -> None:
    client = Client(rate_hz=140)
    client.wait(2)
    depth = client.get("/api/v3/depth", symbol="BTCUSDT", limit=7)
    assert len(depth["bids"]) == len(depth["asks"]) == 7 and depth["lastUpdateId"] > 10**9
    assert Decimal(depth["bids"][0][0]) < Decimal(depth["asks"][0][0])
    trades = client.get("/api/v3/trades", symbol="BTCUSDT", limit=5)
    assert [row["id"] for row in trades] == sorted(row["id"] for row in trades)
    assert client.get("/api/v3/ticker/bookTicker", symbol="BTCUSDT")["bidPrice"] == depth["bids"][0][0]
    assert len(client.get("/api/v3/ticker/24hr")) == 4
    assert client.get("/api/v3/klines", symbol="BTCUSDT", interval="1m")
    assert client.get("/api/v3/avgPrice", symbol="BTCUSDT")["mins"] == 5
    assert client.get("/api/v3/time") == {"serverTime": client.now_ns // MS}
    assert problem(client, "GET", "/api/v3/depth", signs=False, symbol="BTCUSDT", limit=0)[1] == -1102
    assert client.rest("GET", "/api/v3/nothing").status == 404


def test_an_order_over_rest_is_the_same_order() -> None:
    client = Client()
    socket = client.api()
    made = placed(client, newClientOrderId="a")
    assert client.events(client.news(socket))[0]["c"] == "a"
    [row] = client.get("/api/v3/openOrders", signs=True, symbol="BTCUSDT")
    assert (row["orderId"], row["origQty"], row["isWorking"]) == (made["orderId"], "0.01000000", True)
    terms = {"symbol": "BTCUSDT", "orderId": made["orderId"], "newQty": "0.005", "newClientOrderId": "a"}
    assert parse(client.rest("PUT", "/api/v3/order/amend/keepPriority", signs=True, **terms).body)["executionId"]
    gone = client.rest("DELETE", "/api/v3/order", signs=True, symbol="BTCUSDT", orderId=made["orderId"])
    assert parse(gone.body)["status"] == "CANCELED"
    bought = placed(client, type="MARKET", quantity="0.02")
    trades = client.get("/api/v3/myTrades", signs=True, symbol="BTCUSDT")
    assert [row["id"] for row in trades] == [fill["tradeId"] for fill in bought["fills"]]
    assert {row["orderId"] for row in trades} == {bought["orderId"]}
    assert client.get("/api/v3/myTrades", signs=True, symbol="BTCUSDT", fromId=trades[-1]["id"] + 1) == []
    rows = client.get("/api/v3/allOrders", signs=True, symbol="BTCUSDT")
    assert [row["status"] for row in rows] == ["CANCELED", "FILLED"]
    assert len(client.get("/api/v3/allOrders", signs=True, symbol="BTCUSDT", limit=1)) == 1
    balances = {row["asset"]: Decimal(row["free"]) for row in client.get("/api/v3/account", signs=True)["balances"]}
    assert balances["BTC"] == Decimal("10.02") - sum(Decimal(fill["commission"]) for fill in bought["fills"])
    assert client.rest("POST", "/api/v3/order/test", signs=True, symbol="BTCUSDT", side="BUY", type="MARKET",
                       quantity="0.1").body == b"{}"  # fmt: skip
    assert len(client.venue.engine.orders) == 2


def test_used_weight_is_told_in_headers() -> None:
    client = Client()
    first = dict(client.rest("GET", "/api/v3/depth", symbol="BTCUSDT", limit=5000).headers)
    assert first["X-MBX-USED-WEIGHT-1M"] == "250"
    second = dict(client.rest("GET", "/api/v3/time").headers)
    assert second["X-MBX-USED-WEIGHT-1M"] == "251"


def test_what_a_key_may_is_told() -> None:
    told = Client(permissions=("reading", "spot", "withdrawals")).get("/sapi/v1/account/apiRestrictions", signs=True)
    assert (told["enableReading"], told["enableSpotAndMarginTrading"], told["enableWithdrawals"]) == (True,) * 3
    assert Client().get("/sapi/v1/account/apiRestrictions", signs=True)["enableWithdrawals"] is False
    with pytest.raises(ValueError, match="no permission"):
        Client(permissions=("everything",))
    assert Client().rest("POST", "/api/v3/userDataStream").status == 410


def test_gateways_and_losses() -> None:
    client = Client("gateway_error=502,on=new", "gateway_error_live=504,on=cancel")
    params = {key: value for key, value in client.order(newClientOrderId="a").items() if key != "apiKey"}
    del params["signature"]
    assert client.rest("POST", "/api/v3/order", signs=True, **params).status == 502 and not client.venue.engine.orders
    placed(client, newClientOrderId="a")
    gone = client.rest("DELETE", "/api/v3/order", signs=True, symbol="BTCUSDT", origClientOrderId="a")
    assert gone.status == 504 and b"<html>" in gone.body and not client.venue.engine.open
    lost = Client("rest_lost,on=new", "rest_late=700,on=order.status", "ack_late=300,on=cancel")
    params["timestamp"] = lost.now_ns // MS
    assert lost.rest("POST", "/api/v3/order", signs=True, **params).is_lost and lost.venue.engine.open
    assert lost.rest("GET", "/api/v3/order", signs=True, symbol="BTCUSDT", origClientOrderId="a").delay_ns == 700 * MS
    late = lost.rest("DELETE", "/api/v3/order", signs=True, symbol="BTCUSDT", origClientOrderId="a")
    assert late.delay_ns == 300 * MS
    assert Client("http_429").rest("GET", "/api/v3/time").status == 429
    assert problem(Client("rest_rate_limit"), "GET", "/api/v3/time", signs=False) == (429, -1003)
    seen = Client("delayed_visibility=5")
    placed(seen, newClientOrderId="a")
    assert seen.get("/api/v3/openOrders", signs=True) == []
    assert problem(seen, "GET", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="a") == (400, -2013)
    seen.wait(5.1)
    assert len(seen.get("/api/v3/openOrders", signs=True)) == 1


# --- faults of orders, over either road -------------------------------------------------------------------------------


def asked(client: Client, socket: Socket, **terms: Any) -> list[Message]:
    return socket.say("order.place", client.order(newClientOrderId="a", **terms))


def answers(messages: list[Message]) -> list[Message]:
    return [message for message in messages if "id" in message]


def test_answers_that_are_lost_late_or_lie() -> None:
    client = Client("ack_lost,on=new")
    socket = client.api()
    heard = asked(client, socket)
    assert not answers(heard) and client.events(heard)[0]["x"] == "NEW"
    client = Client("ack_late=400,on=order.place")
    socket = client.api()
    heard = asked(client, socket)
    assert not answers(heard) and client.events(heard)
    assert answers(client.wait(0.5))[0]["status"] == 200
    client = Client("busy_live,on=new")
    socket = client.api()
    [answer] = answers(asked(client, socket))
    assert answer["error"]["code"] == -1007 and client.venue.engine.open
    client = Client("response_lost,on=new")
    socket = client.api()
    assert not answers(asked(client, socket)) and socket.closes and client.venue.engine.open
    client = Client("refuse=-2010 Market is closed.,on=new")
    [answer] = answers(asked(client, client.api()))
    assert answer["error"] == {"code": -2010, "msg": "Market is closed."} and not client.venue.engine.open
    client = Client("rate_limit")
    assert answers(asked(client, client.api()))[0]["error"]["code"] == -1015
    client = Client("executions_first")
    assert "event" in asked(client, client.api())[0]


def test_fills_around_answers() -> None:
    client = Client("fill_before_ack=40")
    heard = asked(client, client.api())
    assert [event["X"] for event in client.events(heard)] == ["NEW", "PARTIALLY_FILLED"] and "id" not in heard[0]
    for fault, states in (
        ("cancel_reject_after_fill", ["FILLED"]), ("partial_then_cancel=50", ["PARTIALLY_FILLED", "CANCELED"]),
        ("fill_after_cancel_ack", ["FILLED"]),
    ):  # fmt: skip
        client = Client(fault)
        socket = client.api()
        asked(client, socket)
        heard = socket.say("order.cancel", client.signed(symbol="BTCUSDT", origClientOrderId="a"))
        assert [event["X"] for event in client.events(heard)] == states
        assert ("error" in answers(heard)[0]) == (fault == "cancel_reject_after_fill")


def test_news_that_are_doubled_dropped_late_or_in_disorder() -> None:
    def told(fault: str, *, seconds: float = 0) -> list[str]:
        client = Client(fault)
        socket = client.api()
        heard = asked(client, socket, type="MARKET", quantity="0.01")
        heard += client.wait(seconds) if seconds else []
        return [event["x"] for event in client.events(heard)]

    usual = told("no_pong")
    assert usual[0] == "NEW" and set(usual[1:]) == {"TRADE"}
    assert len(told("duplicate_fill")) == len(usual) + 1
    assert len(told("dropped_fill")) == len(usual) - 1
    assert told("executions_off") == [] and told("executions_late=300") == []
    assert told("executions_late=300", seconds=0.5) == usual
    assert sorted(told("reordered_fill", seconds=1.5)) == sorted(usual)


def test_a_signature_of_the_other_kind_works_over_rest() -> None:
    client = Client(key_type="ed25519")
    assert client.get("/api/v3/account", signs=True)["accountType"] == "SPOT"
    assert len(signature(client.secret, "x")) == 88
