"""REST as published: signatures, nonces, keys of the answers, paging, the same engine as the socket's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from runtime.sim.kraken import Faults, KrakenVenue
from runtime.sim.kraken.access import sign
from tests.sim_kraken.trader import SECOND, T0, Trader, api_sign, parse

D = Decimal

SECRET = "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg=="  # noqa: S105 - Kraken's published example
NONCE = "1616492376594"
TERMS = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000", "volume": "0.01"}


@pytest.mark.parametrize(
    ("path", "body", "signature"),
    [
        ("/0/private/AddOrder", "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25",
         "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="),
        ("/0/private/GetWebSocketsToken", "nonce=1616492376594",
         "+mRDmY9Ks0Moc1zjv/BjfvYa98buO0x1yHChZR5onlfAzAUbfIYlLggUZzdQ0RsmXm4Sh+Q8iAIZdo2wSeHeiA=="),
        ("/0/private/CancelAllOrdersAfter", '{"nonce":"1616492376594","timeout":60}',
         "qlFH3khhXmJkSaDEEpBhO6FSQRhNDoNixgdYM+HQ8njs6AtB4zJkpLTwrdc8l+NAU7gxoBeeFAMiOPwtl7XyIA=="),
    ],
)  # fmt: skip
def test_known_signatures(path: str, body: str, signature: str) -> None:
    assert (
        sign(SECRET, path, "1616492376594", body.encode()) == signature == api_sign(SECRET, path, "1616492376594", body)
    )


def test_the_published_example_is_accepted_by_a_venue_with_that_secret() -> None:
    venue = KrakenVenue(now_ns=T0, secret=SECRET, key="k", rate_hz=0)
    body = "nonce=1616492376594"
    headers = {"api-key": "k", "api-sign": api_sign(SECRET, "/0/private/GetWebSocketsToken", "1616492376594", body)}
    told = parse(venue.rest("POST", "/0/private/GetWebSocketsToken", headers, body.encode(), T0).body)
    assert told["error"] == [] and told["result"]["expires"] == 900 and len(told["result"]["token"]) > 20


def test_who_may_not_ask() -> None:
    t = Trader(subscribed=False)
    assert t.rest_error("Balance", key="other") == "EAPI:Invalid key"
    assert t.rest_error("Balance", secret=SECRET) == "EAPI:Invalid signature"
    t.rest("Balance")
    t.nonce -= 1
    assert t.rest_error("Balance") == "EAPI:Invalid nonce"
    for nonce in ("", "abc", "-1", str(2**64)):
        assert t.rest_error("Balance", nonce=nonce) == "EAPI:Invalid nonce"
    assert t.rest_error("Nothing") == "EGeneral:Unknown method"
    assert parse(t.venue.rest("GET", "/0/private/Balance", {}, b"", t.now_ns).body)["error"] == [
        "EGeneral:Unknown method"
    ]
    assert parse(t.venue.rest("GET", "/1/x", {}, b"", t.now_ns).body)["error"] == ["EGeneral:Unknown method"]


def test_a_nonce_window_forgives_a_little() -> None:
    t = Trader(subscribed=False, nonce_window=10)
    t.rest("Balance")
    t.nonce -= 5
    t.rest("Balance")
    t.nonce -= 20
    assert t.rest_error("Balance") == "EAPI:Invalid nonce"
    assert t.rest("GetApiKeyInfo", nonce=str(T0 * 2))["nonceWindow"] == "10"


def test_ten_bad_calls_lock_the_key_out_for_a_while() -> None:
    t = Trader(subscribed=False)
    for _ in range(10):
        t.rest_error("Balance", secret=SECRET)
    assert t.rest_error("Balance") == "EGeneral:Temporary lockout"
    t.now_ns += 61 * SECOND
    t.rest("Balance")


def test_the_keys_own_facts() -> None:
    t = Trader(subscribed=False, permissions=("query-funds", "withdraw-funds"))
    info = t.rest("GetApiKeyInfo")
    assert info["permissions"] == ["query-funds", "withdraw-funds"] and info["ipAllowlist"] == []
    assert info["validUntil"] == "0" and info["nonceWindow"] == "0" and info["name"]
    with pytest.raises(ValueError, match="no permission"):
        KrakenVenue(permissions=("everything",))


def test_the_counter_of_private_calls_and_what_does_not_count() -> None:
    t = Trader(subscribed=False, tier="starter")
    for _ in range(3):
        t.rest("TradesHistory")  # 4 each
    for _ in range(3):
        t.rest("Balance")
    assert t.rest_error("Balance") == "EAPI:Rate limit exceeded"
    t.rest("AddOrder", **TERMS)
    t.rest("CancelAll")
    t.now_ns += 4 * SECOND
    t.rest("Balance")


@pytest.mark.parametrize("as_json", [False, True])
def test_an_order_over_rest_with_a_form_and_with_json(as_json: bool) -> None:
    t = Trader()
    added = t.rest("AddOrder", as_json=as_json, **TERMS, cl_ord_id="r", oflags="post", timeinforce="GTC")
    (txid,) = added["txid"]
    assert added["descr"] == {"order": "buy 0.01000000 XBTUSD @ limit 60000.0"}
    t.collect()
    assert t.kinds(txid) == ["pending_new", "new"], "the socket hears of it"
    row = t.rest("OpenOrders", as_json=as_json, trades=True)["open"][txid]
    assert (row["status"], row["vol"], row["vol_exec"], row["cl_ord_id"]) == ("open", "0.01000000", "0.00000000", "r")
    assert row["descr"]["pair"] == "XBTUSD" and row["descr"]["price"] == "60000.0" and row["oflags"] == "fciq,post"
    assert row["opentm"] == D("1786874645.123456")
    assert t.rest("BalanceEx")["ZUSD"] == {"balance": "1000000.0", "hold_trade": "602.4"}, "with the taker's fee"
    amended = t.rest("AmendOrder", as_json=as_json, txid=txid, order_qty="0.02")
    assert amended["amend_id"].startswith("T")
    edited = t.rest("EditOrder", as_json=as_json, txid=txid, pair="XBTUSD", price="59000", volume="0.01")
    assert edited["originaltxid"] == txid and edited["txid"] != txid
    assert t.rest("CancelOrder", as_json=as_json, txid=edited["txid"]) == {"count": 1}
    amends = t.rest("OrderAmends", as_json=as_json, order_id=txid)
    assert amends["count"] == 2 and [a["amend_type"] for a in amends["amends"]] == ["original", "user"]


def test_batches_need_json() -> None:
    t = Trader()
    items = [{k: v for k, v in TERMS.items() if k != "pair"} | {"cl_ord_id": name} for name in ("a", "a")]
    placed = t.rest("AddOrderBatch", as_json=True, pair="XBTUSD", orders=items)["orders"]
    assert placed[0]["txid"].startswith("O") and placed[1]["error"].startswith("EGeneral:Invalid arguments:cl_ord_id")
    assert t.rest("CancelOrderBatch", as_json=True, orders=[placed[0]["txid"], "O"]) == {"count": 1}
    t.rest("AddOrderBatch", as_json=True, pair="XBTUSD", orders=[items[0], items[1] | {"cl_ord_id": "b"}])
    assert t.rest("CancelOrderBatch", as_json=True, orders=[{"txid": "O"}], cl_ord_ids=["a", "b"]) == {"count": 2}


@pytest.mark.parametrize(
    ("terms", "error"),
    [
        ({"pair": "NOPE"}, "EQuery:Unknown asset pair"),
        ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
        ({"ordertype": "stop-loss"}, "EGeneral:Invalid arguments:ordertype"),
        ({"price": ""}, "EGeneral:Invalid arguments:price"),
        ({"price": "x"}, "EGeneral:Invalid arguments:price"),
        ({"volume": "0"}, "EGeneral:Invalid arguments:volume"),
        ({"volume": "0.00001"}, "EOrder:Order minimum not met"),
        ({"timeinforce": "gtc"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"timeinforce": "DAY"}, "EGeneral:Invalid arguments:timeinforce"),
        ({"oflags": "fast"}, "EGeneral:Invalid arguments:oflags fast"),
        ({"oflags": "nompp"},
         "EGeneral:Invalid arguments:no_mpp order option is only available when ordertype = market"),
        ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({"cl_ord_id": "a", "userref": 1}, "EGeneral:Invalid arguments:cl_ord_id and userref are mutually exclusive"),
        ({"userref": "x"}, "EGeneral:Invalid arguments:userref"),
        ({"reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
        ({"leverage": "2"}, "EOrder:Margin allowance exceeded"),
        ({"deadline": "2026-08-16T10:04:06Z"}, "EGeneral:Invalid arguments:deadline"),
        ({"stptype": "cancel-most"}, "EGeneral:Invalid arguments:stptype"),
        ({"close[ordertype]": "limit"}, "EGeneral:Invalid arguments:close[ordertype] is not simulated"),
        ({"starttm": "x"}, "EGeneral:Invalid arguments:starttm"),
    ],
)  # fmt: skip
def test_refusals_over_rest(terms: dict[str, Any], error: str) -> None:
    t = Trader()
    assert t.rest_error("AddOrder", **(TERMS | terms)) == error
    assert t.rest("OpenOrders")["open"] == {}


def test_an_expiry_and_a_start_relative_to_now() -> None:
    t = Trader()
    (txid,) = t.rest("AddOrder", **TERMS, timeinforce="GTD", expiretm="+5", starttm="+2")["txid"]
    t.wait(1)
    assert t.rest("OpenOrders")["open"][txid]["status"] == "pending"
    t.wait(2)
    assert t.rest("OpenOrders")["open"][txid]["status"] == "open"
    t.wait(3)
    assert t.rest("ClosedOrders")["closed"][txid]["status"] == "expired"
    assert t.rest("AddOrder", **TERMS, validate="true") == {"descr": {"order": "buy 0.01000000 XBTUSD @ limit 60000.0"}}


def test_the_switch_over_rest_is_the_same_switch() -> None:
    t = Trader()
    t.place()
    assert t.rest("CancelAllOrdersAfter", timeout=3)["triggerTime"] == "2026-08-16T10:04:08Z"
    t.wait(3.1)
    assert t.kinds()[-1] == "canceled"
    assert t.rest("CancelAllOrdersAfter", timeout=0)["triggerTime"] == "0"
    assert t.rest_error("CancelAllOrdersAfter", timeout=90_000) == "EGeneral:Invalid arguments:timeout"


def many(count: int) -> Trader:
    """So many fills, a second apart."""
    t = Trader(subscribed=False)
    for index in range(count):
        t.place(limit_price=t.touch()[1], order_qty=D("0.0002"), cl_ord_id=f"n{index}")
        t.now_ns += SECOND
    t.now_ns += 60 * SECOND
    return t


def test_trades_come_fifty_a_page_latest_first_within_start_and_end() -> None:
    t = many(120)
    pages = [t.rest("TradesHistory", ofs=offset) for offset in (0, 50, 100, 150)]
    assert [(page["count"], len(page["trades"])) for page in pages] == [(120, 50), (120, 50), (120, 20), (120, 0)]
    rows = [row for page in pages for row in page["trades"].values()]
    assert [row["time"] for row in rows] == sorted((row["time"] for row in rows), reverse=True)
    assert len({row["trade_id"] for row in rows}) == 120 and {row["pair"] for row in rows} == {"XXBTZUSD"}
    t.now_ns += 60 * SECOND
    start = rows[100]["time"]
    assert t.rest("TradesHistory", start=str(start + D("0.1")))["count"] == 100
    assert t.rest("TradesHistory", end=str(start + D("0.1")))["count"] == 20
    first = next(iter(pages[0]["trades"]))
    assert t.rest("QueryTrades", txid=first)[first] == rows[0]
    t.now_ns += 60 * SECOND
    assert t.rest_error("QueryTrades", txid="T") == "EOrder:Invalid order"
    assert t.rest_error("TradesHistory", ofs="x") == "EGeneral:Invalid arguments:ofs"


def test_closed_orders_come_in_pages_and_by_client_id() -> None:
    t = many(60)
    first, second = t.rest("ClosedOrders"), t.rest("ClosedOrders", ofs=50)
    assert (first["count"], len(first["closed"]), len(second["closed"])) == (60, 50, 10)
    (found,) = t.rest("ClosedOrders", cl_ord_id="n7")["closed"].values()
    assert found["status"] == "closed" and found["vol"] == found["vol_exec"] and found["reason"] is None
    times = [row["closetm"] for row in first["closed"].values()]
    assert times == sorted(times, reverse=True)
    assert "count" not in t.rest("ClosedOrders", without_count="true")
    assert t.rest("ClosedOrders", start=str(times[9] - D("0.1")))["count"] == 10
    txid = next(iter(first["closed"]))
    assert t.rest("QueryOrders", txid=f"{txid},{next(iter(second['closed']))}").keys() > {txid}
    t.now_ns += 60 * SECOND
    assert t.rest_error("QueryOrders", txid="OABCDE-AAAAA-AAAAAA") == "EOrder:Invalid order"
    assert t.rest_error("QueryOrders") == "EGeneral:Invalid arguments:txid"
    by_open = t.rest("ClosedOrders", start=txid, closetime="open")
    assert by_open["count"] == 0


def test_public_reference_data_in_both_keyings() -> None:
    t = Trader()
    pairs = t.public("AssetPairs")
    assert set(pairs) == {"XXBTZUSD", "XETHZUSD", "SOLUSD", "XDGUSD"}
    btc = pairs["XXBTZUSD"]
    assert (btc["altname"], btc["wsname"], btc["base"], btc["quote"]) == ("XBTUSD", "XBT/USD", "XXBT", "ZUSD")
    assert (btc["pair_decimals"], btc["lot_decimals"], btc["tick_size"], btc["ordermin"]) == (1, 8, "0.1", "0.00005")
    assert btc["fees"] == [[0, D("0.4")]] and btc["fees_maker"] == [[0, D("0.25")]] and btc["costmin"] == "0.5"
    for spelling in ("BTC/USD", "XBTUSD", "XXBTZUSD", "XBT/USD"):
        assert t.public("AssetPairs", pair=spelling) == {spelling: btc}
    assert set(t.public("AssetPairs", pair="BTC/USD,XETHZUSD")) == {"BTC/USD", "XETHZUSD"}
    unknown = t.venue.rest("GET", "/0/public/AssetPairs?pair=XBTEUR", {}, b"", t.now_ns)
    assert parse(unknown.body) == {"error": ["EQuery:Unknown asset pair"]}
    assets = t.public("Assets")
    assert assets["XXBT"]["altname"] == "XBT" and assets["ZUSD"]["decimals"] == 4 and set(assets) > {"XXDG", "SOL"}
    assert set(t.public("Assets", asset="XBT,USD")) == {"XXBT", "ZUSD"}


def test_public_market_data_is_the_sockets() -> None:
    t = Trader(rate_hz=140)
    t.wait(30)
    bid, ask = t.touch()
    depth = t.public("Depth", pair="XBTUSD", count=3)["XXBTZUSD"]
    assert D(depth["bids"][0][0]) == bid and D(depth["asks"][0][0]) == ask and len(depth["asks"]) == 3
    ticker = t.public("Ticker", pair="XBTUSD")["XXBTZUSD"]
    assert D(ticker["a"][0]) == ask and D(ticker["b"][0]) == bid and len(ticker["c"]) == 2
    assert set(t.public("Ticker")) == {"XXBTZUSD", "XETHZUSD", "SOLUSD", "XDGUSD"}
    trades = t.public("Trades", pair="XBTUSD")
    rows = trades["XXBTZUSD"]
    assert len(rows) > 50 and rows[-1][0] == ticker["c"][0] and len(rows[0]) == 7
    assert trades["last"] == str(t.venue.history["BTC/USD"].trades[-1].ts_ns)
    assert t.public("Trades", pair="XBTUSD", since=trades["last"])["XXBTZUSD"] == []
    candles = t.public("OHLC", pair="XBTUSD", interval=1)
    assert len(candles["XXBTZUSD"]) >= 1 and len(candles["XXBTZUSD"][0]) == 8
    at = t.public("Time")
    assert at["unixtime"] == t.now_ns // SECOND and at["rfc1123"].startswith("Sun, 16 Aug 26 10:04:3")
    assert t.public("SystemStatus") == {"status": "online", "timestamp": "2026-08-16T10:04:35Z"}
    balance = t.rest("TradeBalance")
    assert D(balance["e"]) > 1_000_000 and t.rest("Balance")["XXBT"] == "10.0"


def test_options_that_make_no_sense() -> None:
    for options in (
        {"tier": "x"},
        {"rate_hz": -1},
        {"secret": "!"},
        {"balances": {"USD": "-1"}},
        {"balances": {"U": "x"}},
    ):
        with pytest.raises(ValueError, match=r"tier|rate_hz|base64|amount"):
            KrakenVenue(**options)
    for fault in ("x", "close=1", "ack_late=x", "ack_late,foo=1", "close@x", "status=odd"):
        with pytest.raises(ValueError, match=r"fault|integer|option|state"):
            Faults(fault)
