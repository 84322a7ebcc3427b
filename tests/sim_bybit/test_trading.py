"""Orders: accepted on one socket, decided on another; lists, refusals, limits, faults (venues.md 5.3, 5.4)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.sim_bybit.client import MS, PRIVATE, TRADE, Client, Message, Socket, of, parse, sign


def test_published_signatures_are_taken() -> None:
    key, secret = "XXXXXXXXXX", "BYBITSECRETEXAMPLE0000000000000000"
    assert sign(secret, "GET/realtime1662350400000").startswith("df2490bf5359ab63")
    assert sign(secret, f"1658384314791{key}5000category=spot&symbol=BTCUSDT").startswith("b55d8d4279dafd9d")
    assert sign(secret, f'1658385579423{key}5000{{"category":"spot"}}').startswith("709e99677249188a")
    client = Client()
    client.venue.access.key, client.venue.access.secret = key, secret
    headers = {"x-bapi-api-key": key, "x-bapi-timestamp": "1658384314791", "x-bapi-recv-window": "5000",
               "x-bapi-sign": "b55d8d4279dafd9de33ba514d0196b77208c87e3784ed1e15a198e6f1ba82f1e"}  # fmt: skip
    target = "/v5/order/realtime?category=spot&symbol=BTCUSDT"
    assert parse(client.venue.rest("GET", target, headers, b"", client.now_ns).body)["retCode"] == 10002
    headers["x-bapi-sign"] = headers["x-bapi-sign"][::-1]
    assert parse(client.venue.rest("GET", target, headers, b"", client.now_ns).body)["retCode"] == 10004
    assert client.dial(PRIVATE).auth()[0]["success"] is True


def create(client: Client, trade: Socket, side: str = "Buy", **terms: Any) -> Message:
    [answer] = trade.order("order.create", client.terms(side, **terms))
    return answer


def test_an_order_lives_and_two_sockets_say_so() -> None:
    client = Client()
    private, trade = client.private(), client.trader()
    answer = create(client, trade, orderLinkId="vg000001-1")
    assert (answer["retCode"], answer["retMsg"], answer["op"], answer["reqId"]) == (0, "OK", "order.create", "t-1")
    assert answer["data"]["orderLinkId"] == "vg000001-1" and answer["header"]["X-Bapi-Limit-Status"] == "19"
    heard = private.news()
    [new] = of(heard, "order")
    assert (new["orderStatus"], new["orderLinkId"], new["leavesQty"], new["cumExecQty"]) == (
        "New",
        "vg000001-1",
        "0.01",
        "0",
    )
    [wallet] = of(heard, "wallet")
    [usdt] = wallet["coin"]
    assert Decimal(usdt["locked"]) == Decimal(new["price"]) * Decimal("0.01") and usdt["walletBalance"] == "1000000"

    [answer] = trade.order("order.amend", {"symbol": "BTCUSDT", "orderLinkId": "vg000001-1", "qty": "0.02"})
    assert answer["retCode"] == 0 and of(private.news(), "order")[0]["qty"] == "0.02"
    order = client.venue.engine.lookup(cl_ord_id="vg000001-1")
    assert order is not None
    client.venue.engine.matcher.force(order, 5_000, client.now_ns)
    client.venue.flush(client.now_ns)
    heard = private.news()
    [fill], [part] = of(heard, "execution"), of(heard, "order")
    assert (fill["execQty"], fill["execFee"], fill["feeCurrency"], fill["isMaker"]) == (
        "0.005",
        "0.000005",
        "BTC",
        True,
    )
    assert (fill["leavesQty"], part["orderStatus"], part["cumFeeDetail"]) == (
        "0.015",
        "PartiallyFilled",
        {"BTC": "0.000005"},
    )

    [answer] = trade.order("order.cancel", {"symbol": "BTCUSDT", "orderLinkId": "vg000001-1"})
    assert answer["data"] == {"orderId": new["orderId"], "orderLinkId": "vg000001-1"}
    [gone] = of(private.news(), "order")
    assert (gone["orderStatus"], gone["cancelType"], gone["leavesQty"]) == (
        "PartiallyFilledCanceled",
        "CancelByUser",
        "0",
    )
    [answer] = trade.order("order.cancel", {"symbol": "BTCUSDT", "orderLinkId": "vg000001-1"})
    assert answer["retCode"] == 170142
    [answer] = trade.order("order.cancel", {"symbol": "BTCUSDT", "orderLinkId": "nobody"})
    assert answer["retCode"] == 170213


def test_accepted_is_not_live() -> None:
    """A post-only order that would trade is accepted, and canceled with that reason on the other socket."""
    client = Client()
    private, trade = client.private("order.spot"), client.trader()
    for terms, reason in (
        ({"timeInForce": "PostOnly", "away": -100}, "EC_PostOnlyWillTakeLiquidity"),
        ({"timeInForce": "IOC"}, "EC_NoImmediateQtyToFill"), ({"timeInForce": "FOK"}, "EC_NoImmediateQtyToFill"),
    ):  # fmt: skip
        assert create(client, trade, **terms)["retCode"] == 0
        last = of(private.news(), "order.spot")[-1]
        assert (last["orderStatus"], last["rejectReason"], last["cumExecQty"]) == ("Cancelled", reason, "0")


def test_a_market_buy_is_an_amount_unless_it_says_otherwise() -> None:
    client = Client()
    private, trade = client.private(), client.trader()
    create(client, trade, orderType="Market", qty="1000")
    last = of(private.news(), "order")[-1]
    assert last["orderStatus"] == "Filled" and Decimal(999) < Decimal(last["cumExecValue"]) <= 1000
    create(client, trade, orderType="Market", qty="0.01", marketUnit="baseCoin")
    assert of(private.news(), "order")[-1]["cumExecQty"] == "0.01"
    create(client, trade, "Sell", orderType="Market", qty="0.01")
    heard = private.news()
    assert of(heard, "order")[-1]["cumExecQty"] == "0.01"
    assert {row["feeCurrency"] for row in of(heard, "execution")} == {"USDT"}


@pytest.mark.parametrize(
    ("terms", "code"),
    [({"qty": "100"}, 170131), ({"qty": "0.0000001"}, 170137), ({"qty": "0.00001", "away": 60_000}, 170140),
     ({"price": "60000.001"}, 170134), ({"symbol": "FOOUSDT"}, 170121), ({"side": "Hold"}, 10001),
     ({"qty": "0"}, 170136), ({"qty": 0.01}, 170136), ({"orderLinkId": "a" * 37}, 10001),
     ({"timeInForce": "GTX"}, 10001), ({"price": "0"}, 170133)],
    ids=str,
)  # fmt: skip
def test_what_is_refused_leaves_no_order(terms: Message, code: int) -> None:
    client = Client()
    assert create(client, client.trader(), **terms)["retCode"] == code
    assert not client.venue.engine.orders and not any(client.venue.engine.account.held.values())


def test_requests_of_the_trade_socket() -> None:
    client = Client()
    stranger, trade = client.dial(TRADE), client.trader()
    assert create(client, stranger)["retCode"] == 10005
    assert trade.order("order.create", client.terms(), number="a")[0]["retCode"] == 0
    assert trade.order("order.create", client.terms(), number="a")[0]["retCode"] == 20006
    assert trade.order("order.create", client.terms(), number="b" * 37)[0]["retCode"] == 10001
    assert trade.order("order.create", client.terms(), stamp=client.now_ns // MS - 5_001)[0]["retCode"] == 10002
    assert trade.order("order.create", client.terms(), stamp=client.now_ns // MS + 1_000)[0]["retCode"] == 10002
    assert trade.order("order.create", {**client.terms(), "category": "linear"})[0]["retCode"] == 10404
    assert trade.say("order.everything")[0]["retCode"] == 10404
    assert create(client, trade, orderLinkId="x")["retCode"] == 0
    trade.order("order.cancel", {"symbol": "BTCUSDT", "orderLinkId": "x"})
    assert create(client, trade, orderLinkId="x")["retCode"] == 170141, "unique for ever"
    reader = Client(read_only=True)
    assert create(reader, reader.trader())["retCode"] == 10005


def test_batches_have_one_order_in_two_lists() -> None:
    client = Client()
    trade = client.trader()
    items = [client.terms(orderLinkId="a"), client.terms(qty="100"), client.terms(orderLinkId="b")]
    [answer] = trade.order("order.create-batch", {"request": items})
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 170131, 0]
    assert [row["orderLinkId"] for row in answer["data"]["list"]] == ["a", "", "b"]
    [answer] = trade.order("order.cancel-batch", {"request": [
        {"symbol": "BTCUSDT", "orderLinkId": name} for name in ("b", "c", "a")]})  # fmt: skip
    assert [row["code"] for row in answer["retExtInfo"]["list"]] == [0, 170213, 0] and not client.venue.engine.open
    assert trade.order("order.create-batch", {"request": [client.terms()] * 11})[0]["retCode"] == 10001


def test_lists_and_pages_over_rest() -> None:
    client = Client(limits={"order.create": 100})
    ids = []
    for number in range(25):
        made = client.ask("POST", "/v5/order/create", category="spot", **client.terms(orderLinkId=f"n-{number}"))
        assert made["retCode"] == 0
        ids.append(made["result"]["orderId"])
    page = client.get("/v5/order/realtime", category="spot")
    assert [row["orderId"] for row in page["list"]] == ids[:4:-1] and page["nextPageCursor"]
    rest = client.get("/v5/order/realtime", category="spot", cursor=page["nextPageCursor"])
    assert [row["orderId"] for row in rest["list"]] == ids[4::-1] and rest["nextPageCursor"] == ""
    gone = client.ask("POST", "/v5/order/cancel-all", category="spot")
    assert len(gone["result"]["list"]) == 25 and gone["result"]["success"] == "1"
    assert client.get("/v5/order/realtime", category="spot")["list"] == []
    assert len(client.get("/v5/order/realtime", category="spot", openOnly=1, limit=50)["list"]) == 25
    assert client.get("/v5/order/realtime", category="spot", orderLinkId="n-3")["list"][0]["orderStatus"] == "Cancelled"
    assert len(client.get("/v5/order/history", category="spot", limit=50)["list"]) == 25
    client.ask("POST", "/v5/order/create", category="spot", **client.terms(orderType="Market", qty="500"))
    fills = client.get("/v5/execution/list", category="spot", symbol="BTCUSDT")["list"]
    assert fills and sum(Decimal(row["execValue"]) for row in fills) <= 500
    wallet = client.get("/v5/account/wallet-balance", accountType="UNIFIED", coin="BTC,USDT")["list"][0]["coin"]
    assert [row["coin"] for row in wallet] == ["BTC", "USDT"]
    assert client.ask("GET", "/v5/account/wallet-balance", accountType="SPOT")["retCode"] == 10001


def test_metadata_keys_and_clocks() -> None:
    client = Client()
    rows = client.get("/v5/market/instruments-info", category="spot", signs=False)["list"]
    assert [row["symbol"] for row in rows] == ["BTCUSDT", "ETHUSDT", "SOLUSDT", "DOGEUSDT"]
    assert rows[0]["lotSizeFilter"]["basePrecision"] == "0.000001" and rows[0]["priceFilter"]["tickSize"] == "0.01"
    assert (rows[0]["status"], rows[0]["lotSizeFilter"]["minOrderAmt"]) == ("Trading", "5")
    assert client.get("/v5/market/time", signs=False)["timeNano"] == str(client.now_ns)
    info = Client(permissions=("SpotTrade", "Withdraw")).get("/v5/user/query-api")
    assert (info["permissions"]["Spot"], info["permissions"]["Wallet"], info["readOnly"]) == (
        ["SpotTrade"],
        ["Withdraw"],
        0,
    )
    assert client.ask("GET", "/v5/user/query-api", stamp=client.now_ns // MS - 5_001)["retCode"] == 10002
    assert Client("clock_skew=-2000").ask("GET", "/v5/user/query-api")["retCode"] == 10002
    assert client.venue.rest("GET", "/v5/market/time", {}, b"{}", client.now_ns).status == 403
    assert client.rest("GET", "/v5/nothing").status == 404
    with pytest.raises(ValueError, match="no permission"):
        Client(permissions=("Everything",))
    with pytest.raises(ValueError, match="no limit"):
        Client(limits={"order.everything": 1})


def test_calls_are_counted_in_a_second_and_addresses_in_five() -> None:
    client = Client(limits={"order.create": 2}, ip_limit=5)
    trade = client.trader()
    assert [create(client, trade)["retCode"] for _ in range(3)] == [0, 0, 10006]
    client.wait(1)
    assert create(client, trade)["retCode"] == 0
    answer = client.rest("GET", "/v5/user/query-api")
    assert dict(answer.headers)["X-Bapi-Limit-Status"] == "9"
    assert [client.rest("GET", "/v5/market/time").status for _ in range(5)] == [200, 200, 200, 200, 403]
    client.wait(10)
    assert client.rest("GET", "/v5/market/time").status == 403, "for ten minutes"


def test_who_logs_in_and_what_may_be_followed() -> None:
    client = Client()
    private = client.dial(PRIVATE)
    assert private.say("subscribe", "order")[0]["success"] is False
    assert private.auth(expires=client.now_ns // MS - 1)[0]["success"] is False
    assert private.auth(signature="0" * 64)[0]["success"] is False
    assert private.auth(key="x")[0]["success"] is False
    assert private.auth()[0]["success"] is True
    assert private.say("subscribe", "order", "execution.spot")[0]["success"] is False, "no mixing"
    assert private.say("subscribe", "nothing")[0]["success"] is False
    assert private.say("subscribe", "order.spot", "execution.fast.spot")[0]["success"] is True
    assert Client("login_refused").dial(TRADE).auth()[0]["retCode"] == 10004


# --- faults ----------------------------------------------------------------------------------------------------------


def traded(
    *faults: str, seconds: float = 0, cancels: bool = False, **terms: Any
) -> tuple[Client, list[Message], list[Message]]:
    """(client, answers of the trade socket, what the private one told) of one order."""
    client = Client(*faults)
    private, trade = client.private(), client.trader()
    answers = trade.order("order.create", client.terms(orderLinkId="a", **terms))
    if cancels:
        private.news()
        answers = trade.order("order.cancel", {"symbol": "BTCUSDT", "orderLinkId": "a"})
    if seconds:
        client.wait(seconds)
    return client, answers + trade.news(), private.news()


def test_answers_that_are_lost_late_or_lie() -> None:
    client, answers, told = traded("ack_lost,on=new")
    assert (answers, [row["orderStatus"] for row in of(told, "order")]) == ([], ["New"])
    assert traded("ack_late=300")[1] == [] and len(traded("ack_late=300", seconds=0.4)[1]) == 1
    client, answers, told = traded("busy_live,on=order.create")
    assert answers[0]["retCode"] == 170146 and client.venue.engine.open
    assert traded("busy_live,on=cancel", cancels=True)[1][0]["retCode"] == 170147
    client, answers, told = traded("response_lost")
    assert answers == [] and client.venue.engine.open
    client, answers, told = traded("refuse=170217 Only LIMIT-MAKER,on=new")
    assert (answers[0]["retCode"], answers[0]["retMsg"], told) == (170217, "Only LIMIT-MAKER", [])
    assert traded("rate_limit")[1][0]["retCode"] == 10006
    client, answers, told = traded("engine_late=800")
    assert answers == [] and told == []
    assert traded("engine_late=800", seconds=1)[1][0]["retCode"] == 0
    assert traded("engine_late=6000", seconds=7)[1][0]["retCode"] == 10002, "too old where the engine takes it"


def test_fills_around_cancels() -> None:
    for fault, code, states in (
        ("cancel_reject_after_fill", 170139, ["Filled"]), ("fill_after_cancel_ack", 0, ["Filled"]),
        ("partial_then_cancel=50", 0, ["PartiallyFilled", "PartiallyFilledCanceled"]),
    ):  # fmt: skip
        _, answers, told = traded(fault, cancels=True)
        assert (answers[0]["retCode"], [row["orderStatus"] for row in of(told, "order")]) == (code, states)


def test_news_that_are_doubled_dropped_late_or_in_disorder() -> None:
    market: Message = {"orderType": "Market", "qty": "100"}
    usual = len(of(traded(**market)[2], "execution"))
    assert len(of(traded("duplicate_fill", **market)[2], "execution")) == usual + 1
    assert len(of(traded("dropped_fill", **market)[2], "execution")) == usual - 1
    assert traded("executions_off", **market)[2] == []
    assert traded("executions_late=300", **market)[2] == []
    assert len(of(traded("executions_late=300", seconds=0.5, **market)[2], "execution")) == usual
    twice = [row for row in of(traded("double_filled", **market)[2], "order") if row["orderStatus"] == "Filled"]
    assert [row["rejectReason"] for row in twice] == ["EC_NoError", "EC_OrigClOrdIDDoesNotExist"]


def test_lists_that_lag_and_gateways() -> None:
    client = Client("delayed_visibility=5", "gateway_error=502,on=cancel_all", "ack_lost,on=cancel")
    client.ask("POST", "/v5/order/create", category="spot", **client.terms(orderLinkId="a"))
    assert client.get("/v5/order/realtime", category="spot", orderLinkId="a")["list"] == []
    client.wait(5.1)
    assert len(client.get("/v5/order/realtime", category="spot", orderLinkId="a")["list"]) == 1
    assert client.rest("POST", "/v5/order/cancel-all", category="spot").status == 502 and client.venue.engine.open
    lost = client.rest("POST", "/v5/order/cancel", category="spot", symbol="BTCUSDT", orderLinkId="a")
    assert lost.is_lost and not client.venue.engine.open
