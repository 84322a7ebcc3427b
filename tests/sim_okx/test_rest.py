"""The simulated OKX's REST: signatures, lists, the dead man's switch (venues.md 4.3)."""

from __future__ import annotations

import pytest

from tests.sim_okx.client import Trader, iso


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [({"key": ""}, "50103"), ({"passphrase": ""}, "50104"), ({"sign": ""}, "50106"), ({"timestamp": ""}, "50107"),
     ({"timestamp": "1786874645"}, "50112"), ({"key": "x"}, "50111"), ({"passphrase": "x"}, "50105"),
     ({"sign": "x"}, "50113")],
)  # fmt: skip
def test_a_signature_is_looked_at(spoilt: dict[str, str], code: str) -> None:
    t = Trader()
    status, told = t.ask("GET", "account/balance", **spoilt)
    assert (status, told["code"], told["data"]) == (401, code, [])
    assert t.get("account/balance", ccy="BTC")[0]["details"][0]["ccy"] == "BTC", "the query is signed with the path"


def test_a_clock_may_be_thirty_seconds_off() -> None:
    t = Trader()
    for seconds, code in ((29, "0"), (-29, "0"), (31, "50102"), (-31, "50102")):
        stamp = iso(t.now_ns + seconds * 10**9)
        assert t.ask("GET", "account/config", timestamp=stamp)[1]["code"] == code
    t = Trader("clock_skew=60000", login=False)
    assert t.ask("GET", "account/config")[1]["code"] == "50102"
    assert t.public("public/time")["data"] == [{"ts": str(t.now_ns // 10**6 + 60_000)}]


def test_instruments_say_their_steps() -> None:
    t = Trader()
    rows = {row["instId"]: row for row in t.public("public/instruments", instType="SPOT")["data"]}
    wanted = {"tickSz": "0.1", "lotSz": "0.00000001", "minSz": "0.00001", "state": "live", "baseCcy": "BTC",
              "quoteCcy": "USDT", "tradeQuoteCcyList": ["USDT"]}  # fmt: skip
    assert {name: rows["BTC-USDT"][name] for name in wanted} == wanted
    assert isinstance(rows["BTC-USDT"]["instIdCode"], int)
    assert len({row["instIdCode"] for row in rows.values()}) == len(rows) == 2
    assert t.public("public/instruments", instType="SWAP")["data"] == []
    assert t.public("public/instruments")["code"] == "51000"
    assert t.public("public/instruments", instType="SPOT", instId="X-Y")["code"] == "51001"
    assert t.public("market/books", instId="BTC-USDT", sz="401")["code"] == "51000"


def test_orders_over_rest_are_the_sockets_orders() -> None:
    t = Trader()
    t.follow()
    item = t.item(instIdCode=None, instId="BTC-USDT")
    status, told = t.ask("POST", "trade/order", item)
    assert (status, told["code"], told["data"][0]["sCode"]) == (200, "0", "0")
    name = item["clOrdId"]
    assert t.states(name) == [("live", "0")]
    amended = t.ask("POST", "trade/amend-order", {"instId": "BTC-USDT", "clOrdId": name, "newSz": "0.02"})[1]
    assert (amended["code"], t.get("trade/order", instId="BTC-USDT", clOrdId=name)[0]["sz"]) == ("0", "0.02")
    assert t.ask("POST", "trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": name})[1]["code"] == "0"
    again = t.ask("POST", "trade/cancel-order", {"instId": "BTC-USDT", "clOrdId": name})[1]
    assert (again["code"], again["data"][0]["sCode"]) == ("1", "51400")
    items = [t.item(), t.item(sz="1000")]
    told = t.ask("POST", "trade/batch-orders", items)[1]
    assert (told["code"], [row["sCode"] for row in told["data"]]) == ("2", ["0", "51008"])
    assert t.ask("POST", "trade/batch-orders", items[0])[1]["code"] == "50002"
    told = t.ask("POST", "trade/cancel-batch-orders", [{"instId": "BTC-USDT", "clOrdId": items[0]["clOrdId"]}])[1]
    assert told["code"] == "0"


def test_lists_are_paged_by_ids() -> None:
    t = Trader(limits=False)
    names = [t.place(px=str(60000 - number), sz="0.0001") for number in range(130)]
    first = t.get("trade/orders-pending", instType="SPOT")
    assert [row["clOrdId"] for row in first] == names[:29:-1]
    rest = t.get("trade/orders-pending", instType="SPOT", after=first[-1]["ordId"])
    assert [row["clOrdId"] for row in rest] == names[29::-1]
    assert t.get("trade/orders-pending", after=first[-1]["ordId"], limit="5")[0]["clOrdId"] == names[29]
    for name in names[:3]:
        t.fill(name, "0.0001")
    t.op("cancel-order", {"instIdCode": t.code(), "clOrdId": names[3]})
    history = t.get("trade/orders-history", instType="SPOT")
    assert [(row["clOrdId"], row["state"]) for row in history] == [
        (names[3], "canceled"), (names[2], "filled"), (names[1], "filled"), (names[0], "filled"),
    ]  # fmt: skip
    assert [row["clOrdId"] for row in t.get("trade/orders-history", instType="SPOT", state="canceled")] == [names[3]]
    fills = t.get("trade/fills", instType="SPOT")
    assert [row["clOrdId"] for row in fills] == names[2::-1]
    older = t.get("trade/fills-history", instType="SPOT", after=fills[0]["billId"])
    assert [row["clOrdId"] for row in older] == names[1::-1]
    assert (fills[0]["fee"], fills[0]["feeCcy"], fills[0]["execType"]) == ("-0.00000008", "BTC", "M")
    assert t.get("trade/fills", ordId=fills[1]["ordId"]) == [fills[1]]


def test_a_canceled_order_without_a_fill_is_forgotten_after_two_hours() -> None:
    t = Trader()
    empty, part = t.place(), t.place(px="59999")
    t.fill(part, "0.001")
    for name in (empty, part):
        t.op("cancel-order", {"instIdCode": t.code(), "clOrdId": name})
    for seconds, left in ((7_100, [part, empty]), (200, [part])):
        t.now_ns += seconds * 10**9
        assert [row["clOrdId"] for row in t.get("trade/orders-history", instType="SPOT")] == left
    assert t.ask("GET", "trade/order", query=f"instId=BTC-USDT&clOrdId={empty}")[1]["code"] == "51603"


def test_of_a_client_ids_orders_the_youngest_is_shown() -> None:
    t = Trader()
    t.place(clOrdId="same", px="59000")
    t.op("cancel-order", {"instIdCode": t.code(), "clOrdId": "same"})
    t.place(clOrdId="same", px="58000")
    assert [row["px"] for row in t.get("trade/order", instId="BTC-USDT", clOrdId="same")] == ["58000"]


def test_the_switch_is_ten_to_a_hundred_and_twenty_seconds() -> None:
    t = Trader()
    t.follow()
    for text in ("9", "121", "-1", "x", ""):
        assert t.ask("POST", "trade/cancel-all-after", {"timeOut": text})[1]["code"] == "51000"
    name = t.place()
    told = t.ask("POST", "trade/cancel-all-after", {"timeOut": "10"})[1]
    assert told["data"][0]["triggerTime"] == str(t.now_ns // 10**6 + 10_000)
    assert t.ask("POST", "trade/cancel-all-after", {"timeOut": "60"})[0] == 429, "once a second"
    t.wait(9)
    told = t.ask("POST", "trade/cancel-all-after", {"timeOut": "10"})[1]
    t.wait(9.9)
    assert t.states(name)[-1][0] == "live"
    t.wait(0.2)
    assert t.orders(name)[-1]["state"] == "canceled"
    assert t.orders(name)[-1]["cancelSource"] == "20"
    name = t.place()
    t.ask("POST", "trade/cancel-all-after", {"timeOut": "10"})
    t.wait(2)
    assert t.ask("POST", "trade/cancel-all-after", {"timeOut": "0"})[1]["data"][0]["triggerTime"] == "0"
    t.wait(15)
    assert t.states(name)[-1][0] == "live"


def test_a_switch_of_a_tag_ends_that_tags_orders() -> None:
    t = Trader()
    t.follow()
    mine, other = t.place(tag="mine"), t.place(tag="other")
    t.ask("POST", "trade/cancel-all-after", {"timeOut": "10", "tag": "mine"})
    t.wait(10.1)
    assert (t.states(mine)[-1][0], t.states(other)[-1][0]) == ("canceled", "live")


def test_what_a_key_may_not_do() -> None:
    t = Trader(permissions=("read_only",))
    assert t.get("account/config")[0]["perm"] == "read_only"
    assert t.ask("POST", "trade/order", t.item())[1]["code"] == "50120"
    assert t.op("order", t.item())["code"] == "50120"
    assert Trader().get("account/config")[0]["perm"] == "read_only,trade"


def test_what_is_not_there() -> None:
    t = Trader()
    assert t.public("public/nothing")["code"] == "404"
    assert t.ask("GET", "trade/cancel-order")[0] == 405
    assert t.ask("POST", "account/balance", {})[0] == 405
