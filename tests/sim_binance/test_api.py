"""The WebSocket API: signatures, orders and their events, what is refused and how, limits (venues.md 3.2 to 3.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sim_binance.client import MS, Client, Message, Socket, signature

KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"  # noqa: S105 - the documentation's own


def ok(answer: Message) -> Any:
    assert answer.get("status") == 200, answer
    return answer["result"]


def error(answer: Message) -> tuple[int, int, str]:
    assert "result" not in answer, answer
    return answer["status"], answer["error"]["code"], answer["error"]["msg"]


def place(client: Client, socket: Socket, side: str = "BUY", **terms: Any) -> tuple[Any, list[Message]]:
    """(the answer, what was told of it)."""
    heard = socket.say("order.place", client.order(side, **terms))
    answer = next(message for message in heard if message.get("id") == socket.number)
    return ok(answer), heard


def test_published_signatures_are_taken() -> None:
    client = Client()
    client.venue.access.key, client.venue.access.secret = KEY, SECRET
    params = {"apiKey": KEY, "price": "52000.00", "quantity": "0.01000000", "recvWindow": 100, "side": "SELL",
              "symbol": "BTCUSDT", "timeInForce": "GTC", "timestamp": 1645423376532, "type": "LIMIT",
              "signature": "aa1b5712c094bc4e57c05a1a5c1fd8d88dcd628338ea863fec7b88e59fe2db24"}  # fmt: skip
    socket = client.api(follows=False)
    assert error(socket.answer("order.place", params))[1] == -1021, "the signature is right, the time long over"
    assert error(socket.answer("order.place", params | {"price": "52000.0"}))[1] == -1022
    assert signature(SECRET, f"apiKey={KEY}&timestamp=1747385641636").startswith("681110a6057ad586")


def test_an_order_lives_and_its_events_say_so() -> None:
    client = Client()
    socket = client.api()
    made, heard = place(client, socket, newClientOrderId="vg000001-1")
    assert (made["status"], made["clientOrderId"], made["fills"], made["orderListId"]) == ("NEW", "vg000001-1", [], -1)
    [new] = client.events(heard)
    assert (new["x"], new["X"], new["c"], new["C"], new["i"]) == ("NEW", "NEW", "vg000001-1", "", made["orderId"])
    assert (new["r"], new["t"], new["w"], new["n"], new["N"], new["m"]) == ("NONE", -1, True, "0", None, False)
    [position] = client.events(heard, "outboundAccountPosition")
    [usdt] = position["B"]
    assert usdt["a"] == "USDT" and Decimal(usdt["l"]) == Decimal(made["price"]) * Decimal("0.01")

    order = client.venue.engine.open[str(made["orderId"])]
    client.venue.engine.matcher.force(order, 400, client.now_ns)
    client.venue.flush(client.now_ns)
    heard = socket.collect()
    [trade] = client.events(heard)
    assert (trade["x"], trade["X"], trade["l"], trade["z"], trade["m"]) == (
        "TRADE", "PARTIALLY_FILLED", "0.00400000", "0.00400000", True,
    )  # fmt: skip
    assert (trade["n"], trade["N"], trade["L"]) == ("0.00000400", "BTC", made["price"])
    assert {row["a"] for row in client.events(heard, "outboundAccountPosition")[0]["B"]} == {"BTC", "USDT"}

    heard = socket.say("order.cancel", client.signed(symbol="BTCUSDT", origClientOrderId="vg000001-1"))
    told = ok(next(message for message in heard if message.get("id") == socket.number))
    assert (told["status"], told["origClientOrderId"], told["executedQty"]) == ("CANCELED", "vg000001-1", "0.00400000")
    [gone] = client.events(heard)
    assert (gone["x"], gone["X"], gone["C"], gone["c"]) == ("CANCELED", "CANCELED", "vg000001-1", told["clientOrderId"])
    assert gone["I"] > trade["I"] > new["I"]
    now = ok(socket.answer("order.status", client.signed(symbol="BTCUSDT", origClientOrderId="vg000001-1")))
    assert (now["status"], now["clientOrderId"]) == ("CANCELED", "vg000001-1")


def test_market_orders_by_quantity_and_by_amount() -> None:
    client = Client()
    socket = client.api()
    made, heard = place(client, socket, type="MARKET", quantity="0.5")
    assert made["status"] == "FILLED" and sum(Decimal(fill["qty"]) for fill in made["fills"]) == Decimal("0.5")
    told = client.events(heard)
    assert [event["X"] for event in told][-1] == "FILLED" and told[0]["x"] == "NEW" and not told[0]["w"]
    assert [event["t"] for event in told[1:]] == [fill["tradeId"] for fill in made["fills"]]
    made, _ = place(client, socket, type="MARKET", quoteOrderQty="1000", newOrderRespType="RESULT")
    assert made["status"] == "FILLED" and "fills" not in made
    assert Decimal(999) < Decimal(made["cummulativeQuoteQty"]) <= 1000
    assert made["origQuoteOrderQty"] == "1000.00000000"
    made, _ = place(client, socket, "SELL", type="MARKET", quantity="0.1", newOrderRespType="ACK")
    assert set(made) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}


@pytest.mark.parametrize(
    ("terms", "status", "why"),
    [({"timeInForce": "IOC"}, "EXPIRED", "UNFILLED_IOC_QUANTITY_EXPIRED"),
     ({"timeInForce": "FOK"}, "EXPIRED", "UNFILLED_FOK_ORDER_EXPIRED")],
)  # fmt: skip
def test_what_finds_nobody_expires(terms: Message, status: str, why: str) -> None:
    client = Client()
    made, heard = place(client, client.api(), **terms)
    assert made["status"] == status
    assert (client.events(heard)[-1]["x"], client.events(heard)[-1]["eR"]) == ("EXPIRED", why)


REFUSALS: list[tuple[Message, int, str]] = [
    ({"type": "LIMIT_MAKER", "away": -100}, -2010, "Order would immediately match and take."),
    ({"quantity": "100"}, -2010, "Account has insufficient balance for requested action."),
    ({"quantity": "0.00001", "away": 60_000}, -1013, "Filter failure: NOTIONAL"),
    ({"quantity": "0.000001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0"}, -1013, "Invalid quantity."),
    ({"quantity": "0.0000000001"}, -1111, "Parameter 'quantity' has too much precision."),
    ({"price": "60000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"symbol": "FOOBAR"}, -1121, "Invalid symbol."),
    ({"side": "HOLD"}, -1102, "'side'"),
    ({"type": "OCO"}, -1116, "Invalid orderType."),
    ({"newClientOrderId": "ä"}, -1100, "Illegal characters"),
    ({"newClientOrderId": "a" * 37}, -1100, "Illegal characters"),
    ({"timeInForce": "GTX"}, -1102, "'timeInForce'"),
    ({"recvWindow": 60_001}, -1102, "'recvWindow'"),
]  # fmt: skip


@pytest.mark.parametrize(("terms", "code", "words"), REFUSALS, ids=lambda value: str(value)[:40])
def test_what_is_refused_leaves_no_order(terms: Message, code: int, words: str) -> None:
    client = Client()
    socket = client.api()
    status, found, text = error(socket.answer("order.place", client.order(**terms)))
    assert (status, found) == (400, code) and words in text
    assert not client.venue.engine.orders and not any(client.venue.engine.account.held.values())


def test_ids_of_clients_are_unique_among_what_is_open() -> None:
    client = Client()
    socket = client.api()
    place(client, socket, newClientOrderId="a")
    assert error(socket.answer("order.place", client.order(newClientOrderId="a"))) == (
        400,
        -2010,
        "Duplicate order sent.",
    )
    ok(socket.answer("order.cancel", client.signed(symbol="BTCUSDT", origClientOrderId="a")))
    assert error(socket.answer("order.cancel", client.signed(symbol="BTCUSDT", origClientOrderId="a"))) == (
        400, -2011, "Unknown order sent.",
    )  # fmt: skip
    assert place(client, socket, newClientOrderId="a")[0]["status"] == "NEW"
    assert error(socket.answer("order.status", client.signed(symbol="BTCUSDT", orderId=1)))[1:] == (
        -2013, "Order does not exist.",
    )  # fmt: skip


def test_an_amend_makes_it_less_and_may_rename_it() -> None:
    client = Client()
    socket = client.api()
    made, _ = place(client, socket, newClientOrderId="a")
    ahead = client.venue.engine.matcher.resting("BTC/USDT").ahead(str(made["orderId"]))
    ask = {"symbol": "BTCUSDT", "origClientOrderId": "a", "newClientOrderId": "a"}
    heard = socket.say("order.amend.keepPriority", client.signed(**ask, newQty="0.004"))
    told = ok(next(message for message in heard if message.get("id") == socket.number))
    assert (told["amendedOrder"]["qty"], told["amendedOrder"]["clientOrderId"]) == ("0.00400000", "a")
    [event] = client.events(heard)
    assert (event["x"], event["X"], event["q"]) == ("REPLACED", "NEW", "0.00400000")
    assert client.venue.engine.matcher.resting("BTC/USDT").ahead(str(made["orderId"])) == ahead
    for qty in ("0.004", "0.005"):
        assert error(socket.answer("order.amend.keepPriority", client.signed(**ask, newQty=qty)))[1] == -2038
    told = ok(socket.answer("order.amend.keepPriority", client.signed(
        symbol="BTCUSDT", orderId=made["orderId"], newQty="0.003")))  # fmt: skip
    assert told["amendedOrder"]["origClientOrderId"] == "a" and told["amendedOrder"]["clientOrderId"] != "a"


def test_cancel_and_replace_may_half_succeed() -> None:
    client = Client()
    socket = client.api()
    made, _ = place(client, socket, newClientOrderId="a")
    terms = {"cancelReplaceMode": "STOP_ON_FAILURE", "cancelOrderId": made["orderId"], "newClientOrderId": "b"}
    told = ok(socket.answer("order.cancelReplace", client.order(**terms)))
    assert (told["cancelResult"], told["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    answer = socket.answer("order.cancelReplace", client.order(**terms))
    assert error(answer)[:2] == (400, -2022) and answer["error"]["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    terms = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrigClientOrderId": "nobody", "newClientOrderId": "c"}
    answer = socket.answer("order.cancelReplace", client.order(**terms))
    assert error(answer)[:2] == (409, -2021) and answer["error"]["data"]["newOrderResult"] == "SUCCESS"


def test_all_of_a_symbol_and_of_no_other() -> None:
    client = Client()
    socket = client.api()
    for name in ("a", "b"):
        place(client, socket, newClientOrderId=name)
    eth = {"symbol": "ETHUSDT", "price": "1500.00", "quantity": "0.1"}
    place(client, socket, **eth, newClientOrderId="c")
    heard = socket.say("openOrders.cancelAll", client.signed(symbol="BTCUSDT"))
    assert len(ok(next(message for message in heard if message.get("id") == socket.number))) == 2
    assert {event["C"] for event in client.events(heard)} == {"a", "b"}
    assert error(socket.answer("openOrders.cancelAll", client.signed(symbol="BTCUSDT")))[1] == -2011
    [left] = ok(socket.answer("openOrders.status", client.signed()))
    assert left["clientOrderId"] == "c"


def test_time_is_looked_at() -> None:
    client = Client()
    socket = client.api()
    stamp = client.now_ns // MS
    for off, code in ((-5_001, -1021), (1_000, -1021), (999, None), (-5_000, None)):
        answer = socket.answer("account.status", client.signed(timestamp=stamp + off))
        assert answer.get("error", {}).get("code") == code
    skewed = Client("clock_skew=8000")
    assert error(skewed.dial("/ws-api/v3").answer("account.status", skewed.signed()))[1] == -1021
    late = Client("engine_late=6000")
    slow = late.api()
    assert slow.say("order.place", late.order()) == []
    answers = late.wait(7, slow)
    assert [error(one)[1] for one in answers if "id" in one] == [-1021] and not late.venue.engine.orders
    assert "error" not in socket.answer("time")


def test_who_may() -> None:
    client = Client(permissions=("reading",))
    socket = client.api()
    assert error(socket.answer("order.place", client.order()))[:2] == (401, -2015)
    assert ok(socket.answer("account.status", client.signed()))["canTrade"] is False
    params = client.signed()
    assert error(socket.answer("account.status", params | {"signature": params["signature"][::-1]}))[1] == -1022
    assert error(socket.answer("account.status", client.signed(apiKey="x" * 64)))[1] == -2015
    assert error(socket.answer("account.status", {"timestamp": params["timestamp"]}))[1] == -1102
    assert error(socket.answer("session.logon", client.signed()))[1] == -4056, "Ed25519 alone may log on"
    assert error(socket.answer("userDataStream.start", {"apiKey": client.key}))[1] == -1000
    assert error(socket.answer("nonsense"))[1] == -1000
    refused = Client("login_refused")
    assert error(refused.api(follows=False).answer("userDataStream.subscribe.signature", refused.signed()))[1] == -1022


def test_a_logon_saves_signatures() -> None:
    client = Client(key_type="ed25519")
    socket = client.api(follows=False)
    assert error(socket.answer("userDataStream.subscribe"))[1] == -2015
    assert ok(socket.answer("session.logon", client.signed()))["apiKey"] == client.key
    assert ok(socket.answer("userDataStream.subscribe")) == {"subscriptionId": 0}
    bare = {name: value for name, value in client.order().items() if name not in ("apiKey", "signature")}
    heard = socket.say("order.place", bare)
    assert len(client.events(heard)) == 1
    assert error(socket.answer("order.place", {name: bare[name] for name in bare if name != "timestamp"}))[1] == -1102


def test_weights_and_orders_are_counted() -> None:
    client = Client(weight_limit=100, order_limit=3)
    socket = client.api()
    answer = socket.answer("account.status", client.signed())
    [weight] = answer["rateLimits"]
    assert (weight["rateLimitType"], weight["limit"], weight["count"]) == ("REQUEST_WEIGHT", 100, 2 + 2 + 20)
    for _ in range(3):
        place(client, socket)
    answer = socket.answer("order.place", client.order())
    assert error(answer)[:2] == (429, -1015)
    assert [row["count"] for row in answer["rateLimits"]][:1] == [3]
    while (answer := socket.answer("account.status", client.signed()))["status"] == 200:
        pass
    assert error(answer)[:2] == (429, -1003) and answer["error"]["data"]["retryAfter"] > client.now_ns // MS
    rest = client.rest("GET", "/api/v3/time")
    assert rest.status == 429 and int(dict(rest.headers)["Retry-After"]) >= 1
    for _ in range(101):
        answer = socket.answer("ping")
    assert answer["status"] == 418
    filled = Client(order_limit=3)
    other = filled.api()
    for _ in range(6):
        place(filled, other, type="MARKET", quantity="0.001")
    assert len(filled.venue.engine.orders) == 6, "what is filled does not count"
