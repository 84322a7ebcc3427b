"""Orders at the simulated OKX: an answer says that they were taken, the channel what became of them (venues.md 4.3)."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.sim_okx.client import Trader, sign

PHRASE = "p"
SAMPLE = "22582BD0CFF14C41EDBF1AB98506286D"


def test_known_signatures() -> None:
    """venues.md 4.3."""
    assert sign(SAMPLE, "1704876947GET/users/self/verify") == "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="
    t = Trader(key="k", secret=SAMPLE, passphrase=PHRASE, login=False)
    t.now_ns = 1_704_876_950 * 10**9
    t.venue.access.check_login(
        [{"apiKey": "k", "passphrase": PHRASE, "timestamp": "1704876947",
          "sign": "5/36BgGV6m/6pmdc20zdqk0mzF5ZalmzzPD2fo3wavU="}], t.now_ns,
    )  # fmt: skip
    headers = {"ok-access-key": "k", "ok-access-passphrase": PHRASE, "ok-access-timestamp": "2020-12-08T09:08:57.715Z"}
    at_ns = 1_607_418_537_715_000_000
    target = "/api/v5/account/balance?ccy=BTC"
    good = {"ok-access-sign": "HiZhvSfMtWJA3uUIVXV3a/bSXNPCWvYFXoGCVS8V4zY="}
    t.venue.access.check(headers | good, "GET", target, b"", at_ns)
    body = b'{"instId":"BTC-USDT","tdMode":"cash","clOrdId":"b15","side":"buy","ordType":"limit","px":"2.15","sz":"2"}'
    good = {"ok-access-sign": "dI6rrL9rXW/HdaPKJ/6LC1OgvH4/PYju6R3CqixMTNQ="}
    t.venue.access.check(headers | good, "POST", "/api/v5/trade/order", body, at_ns)


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [({"apiKey": "x"}, "60005"), ({"sign": "x"}, "60007"), ({"passphrase": "x"}, "60024"),
     ({"timestamp": "x"}, "60004"), ({"timestamp": "1786874600"}, "60006")],
)  # fmt: skip
def test_a_login_that_fails_closes_with_4001(spoilt: dict[str, str], code: str) -> None:
    t = Trader(login=False)
    [told] = t.login(**spoilt)
    assert (told["event"], told["code"]) == ("error", code)
    assert [close.code for close in t.closes] == [4001]


def test_nothing_private_without_a_login() -> None:
    t = Trader(login=False)
    assert t.subscribe("orders", instType="SPOT")[0]["code"] == "60011"
    assert t.say("order", t.item(), id="1")[0]["code"] == "60011"
    assert t.login()[0]["event"] == "login"
    assert t.login()[0]["code"] == "60031"
    ack, count = t.subscribe("orders", instType="SPOT")
    assert (ack["event"], count["event"], count["connCount"]) == ("subscribe", "channel-conn-count", "1")


def test_an_order_lives_and_each_fill_is_an_event() -> None:
    t = Trader()
    t.place(clOrdId="before")
    t.follow()
    assert t.orders() == [], "no snapshot"
    name = t.place(px="60000", sz="0.01", tag="mine")
    ack = next(m for m in t.heard if m.get("op") == "order" and m["data"][0]["clOrdId"] == name)
    news = t.of("orders")[0]
    assert t.heard.index(ack) < t.heard.index(news)
    assert news["arg"] == {"channel": "orders", "instType": "SPOT", "uid": t.venue.access.uid}
    t.fill(name, "0.004")
    t.fill(name, "0.006")
    assert t.states(name) == [("live", "0"), ("partially_filled", "0.004"), ("filled", "0.01")]
    last = t.orders(name)[-1]
    wanted = {
        "instId": "BTC-USDT", "px": "60000", "sz": "0.01", "avgPx": "60000", "fillPx": "60000", "fillSz": "0.006",
        "execType": "M", "fillFee": "-0.0000048", "fillFeeCcy": "BTC", "fee": "-0.000008", "feeCcy": "BTC",
        "code": "0", "msg": "", "tag": "mine", "side": "buy", "ordType": "limit", "reqId": "", "amendResult": "",
        "cancelSource": "",
    }  # fmt: skip
    assert {name: last[name] for name in wanted} == wanted
    ids = [row["tradeId"] for row in t.orders(name)]
    assert ids[0] == ""
    assert len(set(ids)) == 3


def test_a_post_only_order_that_would_take_is_taken_and_canceled() -> None:
    t = Trader()
    t.follow()
    name = t.place(ordType="post_only", px="70000")
    [row] = t.orders(name)
    assert (row["state"], row["cancelSource"], row["accFillSz"]) == ("canceled", "31", "0")


def test_an_instrument_is_named_by_code_or_id() -> None:
    t = Trader()
    by_id = t.place(instId="BTC-USDT")
    [row] = t.public("public/instruments", instType="SPOT", instId="ETH-USDT")["data"]
    by_code = t.place(instIdCode=row["instIdCode"], px="1500", sz="0.1")
    engine = t.venue.engine
    symbols = [engine.lookup(cl_ord_id=name).spec.symbol for name in (by_id, by_code)]  # type: ignore[union-attr]
    assert symbols == ["BTC/USDT", "ETH/USDT"]
    assert t.refused("order", instIdCode=1) == "51001"
    assert t.refused("order", instId="ETH-USDT", instIdCode=t.code()) == "51001"
    assert t.refused("order", instIdCode=str(t.code())) == "51001", "a whole number"


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"sz": "100"}, "51008"), ({"clOrdId": "taken"}, "51016"), ({"sz": "0.000001"}, "51020"),
        ({"sz": "0.000000001"}, "51121"), ({"px": "60000.01"}, "51000"), ({"px": ""}, "51000"), ({"sz": 1}, "51000"),
        ({"clOrdId": "vg1a2b3c-1"}, "51000"), ({"clOrdId": "x" * 33}, "51000"), ({"tdMode": "cross"}, "51000"),
        ({"side": "BUY"}, "51000"), ({"ordType": "stop"}, "51000"), ({"tdMode": None}, "51000"),
    ],
)  # fmt: skip
def test_each_item_has_its_own_code(terms: dict[str, object], code: str) -> None:
    t = Trader()
    t.place(clOrdId="taken")
    t.follow()
    assert t.refused("order", **terms) == code
    told = t.op("batch-orders", t.item(), t.item(**terms))
    assert (told["code"], [row["sCode"] for row in told["data"]]) == ("2", ["0", code])
    assert len(t.orders()) == 1


def test_a_finished_order_is_not_cancelled_nor_amended() -> None:
    t = Trader()
    name = t.place()
    t.fill(name, "0.01")
    for what in (name, "nobody"):
        assert t.refused("cancel-order", instIdCode=t.code(), clOrdId=what) == "51400"
        assert t.refused("amend-order", instIdCode=t.code(), clOrdId=what, newSz="1") == "51503"
    status, told = t.ask("GET", "trade/order", query="instId=BTC-USDT&clOrdId=nobody")
    assert (status, told["code"]) == (200, "51603")


def test_an_amendment_is_told_with_its_request_id() -> None:
    t = Trader()
    t.follow()
    name = t.place()
    mine = {"instIdCode": t.code(), "clOrdId": name}
    told = t.op("amend-order", mine | {"newSz": "0.02", "newPx": "59000", "reqId": "q1"})
    assert (told["code"], told["data"][0]["reqId"]) == ("0", "q1")
    row = t.orders(name)[-1]
    assert (row["px"], row["sz"], row["reqId"], row["amendResult"]) == ("59000", "0.02", "q1", "0")
    t.fill(name, "0.01")
    assert t.orders(name)[-1]["reqId"] == ""
    assert t.refused("amend-order", **mine, newSz="0.005") == "51000", "below what is filled"
    assert t.refused("amend-order", **mine, newSz="99", cxlOnFail=True) == "51008"
    assert t.states(name)[-1] == ("canceled", "0.01")
    t = Trader("amend_fails")
    t.follow()
    name = t.place()
    told = t.op("amend-order", {"instIdCode": t.code(), "clOrdId": name, "newSz": "0.02", "reqId": "q2"})
    assert told["code"] == "0"
    row = t.orders(name)[-1]
    assert (row["sz"], row["reqId"], row["amendResult"], row["code"]) == ("0.01", "q2", "-1", "51503")


def test_batches_have_at_most_twenty() -> None:
    t = Trader()
    items = [t.item(px=str(60000 - number)) for number in range(20)]
    told = t.op("batch-orders", *items)
    assert (told["code"], len(told["data"])) == ("0", 20)
    cancels = [{"instIdCode": t.code(), "clOrdId": item["clOrdId"]} for item in items]
    assert t.op("batch-cancel-orders", *cancels, cancels[0])["code"] == "60013"
    assert t.op("batch-cancel-orders", *cancels)["code"] == "0"
    assert t.op("order", *items[:2])["code"] == "60013"
    assert not t.venue.engine.open


def test_a_market_buy_counts_in_the_quote_unless_told() -> None:
    t = Trader()
    t.follow()
    in_quote = t.place(ordType="market", px=None, sz="1000")
    assert [row["state"] for row in t.orders(in_quote)][-1] == "filled"
    spent = sum(Decimal(row["fillSz"]) * Decimal(row["fillPx"]) for row in t.orders(in_quote) if row["tradeId"])
    assert Decimal(999) < spent <= 1000
    in_base = t.place(ordType="market", px=None, sz="0.5", tgtCcy="base_ccy")
    assert t.states(in_base)[-1] == ("filled", "0.5")
    sold = t.place(ordType="market", px=None, sz="0.5", side="sell")
    assert t.states(sold)[-1] == ("filled", "0.5")
    assert t.orders(sold)[-1]["fillFeeCcy"] == "USDT", "of what is received"


def test_fok_and_ioc() -> None:
    t = Trader()
    t.follow()
    _, ask = t.touch()
    for kind, source in (("fok", "13"), ("ioc", "14")):
        low, high = t.place(ordType=kind, px=str(ask - 5000)), t.place(ordType=kind, px=str(ask + 5000), sz="0.1")
        assert (t.states(low)[-1], t.orders(low)[-1]["cancelSource"]) == (("canceled", "0"), source)
        assert t.states(high)[-1] == ("filled", "0.1")


def test_a_request_whose_time_is_over_is_not_carried_out() -> None:
    t = Trader()
    now_ms = t.now_ns // 10**6
    assert t.op("order", t.item(), expTime=str(now_ms - 1))["data"][0]["sCode"] == "51149"
    assert t.op("order", t.item(), expTime=str(now_ms + 1000))["code"] == "0"
    late = t.ask("POST", "trade/order", t.item(), exptime=str(now_ms - 1))[1]
    assert late["data"][0]["sCode"] == "51149"
    assert t.op("order", t.item(), expTime="soon")["code"] == "51000"
    assert len(t.venue.engine.open) == 1


def test_orders_are_limited_by_instrument_and_account() -> None:
    t = Trader()
    t.now_ns += 2 * 10**9 - t.now_ns % (2 * 10**9)  # a window begins
    terms = {"px": "6000", "sz": "0.00001"}
    codes = [t.op("order", t.item(**terms))["code"] for _ in range(61)]
    assert codes == ["0"] * 60 + ["50011"]
    status, told = t.ask("POST", "trade/order", t.item(**terms))
    assert (status, told["code"]) == (429, "50011"), "REST and sockets share it"
    cancel = {"instIdCode": t.code(), "clOrdId": "vg1a2b3c1"}
    assert t.op("cancel-order", cancel)["code"] == "0", "cancels have a window of their own"
    assert t.op("order", t.item(instIdCode=t.code("ETH/USDT"), px="1500", sz="0.1"))["code"] == "0"
    t.wait(2)
    assert t.op("order", t.item(**terms))["code"] == "0"
    t.venue.rates._account.limit = 3
    t.wait(2)
    assert [t.op("order", t.item(**terms))["code"] for _ in range(4)] == ["0", "0", "0", "50061"]


def test_balances_are_a_snapshot_and_what_changes() -> None:
    t = Trader()
    t.subscribe("account")
    [first] = t.of("account")
    assert (first["eventType"], first["curPage"], first["lastPage"]) == ("snapshot", 1, True)
    assert {row["ccy"]: row["cashBal"] for row in first["data"][0]["details"]} == {
        "BTC": "10", "ETH": "200", "USDT": "1000000",
    }  # fmt: skip
    t.subscribe("balance_and_position")
    name = t.place(px="60000", sz="0.01")
    [usdt] = t.of("account")[-1]["data"][0]["details"]
    assert (usdt["ccy"], usdt["cashBal"], usdt["availBal"], usdt["frozenBal"]) == ("USDT", "1000000", "999400", "600")
    assert len(t.of("balance_and_position")) == 1, "no cash has moved"
    t.fill(name, "0.01")
    data = t.of("balance_and_position")[-1]["data"][0]
    assert {row["ccy"]: row["cashBal"] for row in data["balData"]} == {"USDT": "999400", "BTC": "10.009992"}
    rows = {row["ccy"]: row for row in t.get("account/balance")[0]["details"]}
    assert (rows["USDT"]["availBal"], rows["BTC"]["cashBal"]) == ("999400", "10.009992")
