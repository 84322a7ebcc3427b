"""Market streams: names and shapes, the chain of update ids, what a local book becomes of them, how a socket lives."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from tests.sim_binance.client import SECOND, Client, Message, Socket


class LocalBook:
    """The published rule of keeping a book, in its seven steps."""

    def __init__(self, first: list[Message], snapshot: Message) -> None:
        self.id = snapshot["lastUpdateId"]
        self.sides = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
        assert self.id >= first[0]["U"] - 1, "fetch again"
        kept = [event for event in first if event["u"] > self.id]
        assert not kept or kept[0]["U"] <= self.id + 1 <= kept[0]["u"]
        self.gaps = 0
        for event in kept:
            self.apply(event)

    def apply(self, event: Message) -> None:
        if event["u"] < self.id:
            return
        self.gaps += event["U"] > self.id + 1
        for name, side in self.sides.items():
            for price, qty in event[name]:
                side[price] = qty
                if not Decimal(qty):
                    del side[price]
        self.id = event["u"]

    def top(self, name: str) -> list[tuple[str, str]]:
        rows = sorted(self.sides[name].items(), key=lambda row: Decimal(row[0]), reverse=name == "b")
        return rows[:20]


def depths(messages: list[Message]) -> list[Message]:
    events = [message.get("data", message) for message in messages]
    return [event for event in events if event.get("e") == "depthUpdate"]


def follow(client: Client, *streams: str, path: str = "/stream") -> Socket:
    socket = client.dial(path)
    assert socket.answer("SUBSCRIBE", list(streams)) == {"result": None, "id": 1}
    return socket


def test_a_book_kept_by_the_rule_is_the_venues() -> None:
    client = Client(rate_hz=140)
    follow(client, "btcusdt@depth@100ms")
    first = depths(client.wait(1))
    assert first and all(event["s"] == "BTCUSDT" for event in first)
    book = LocalBook(first, client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000))
    for _ in range(8):
        for event in depths(client.wait(0.5)):
            book.apply(event)
    assert book.gaps == 0
    client.venue._interval_ns = 0  # the market stands still: the last event brings the book to it
    for event in depths(client.wait(0.3)):
        book.apply(event)
    market = client.get("/api/v3/depth", symbol="BTCUSDT", limit=20)
    assert book.id == market["lastUpdateId"]
    assert [list(row) for row in book.top("b")] == market["bids"]
    assert [list(row) for row in book.top("a")] == market["asks"]


def test_update_ids_chain_without_holes_and_snapshots_fall_into_them() -> None:
    client = Client(rate_hz=140)
    follow(client, "btcusdt@depth@100ms")
    events = depths(client.wait(5))
    assert len(events) > 20
    for one, two in pairwise(events):
        assert two["U"] == one["u"] + 1 and two["u"] >= two["U"]
        assert two["E"] - one["E"] >= 100


def test_raw_and_combined_by_path_and_by_message() -> None:
    client = Client(rate_hz=140)
    raw, combined = client.dial("/ws/btcusdt@trade"), client.dial("/stream?streams=btcusdt@trade/ethusdt@trade")
    asked = follow(client, "btcusdt@trade", path="/ws")
    heard = client.wait(3, combined)
    assert {message["stream"] for message in heard} == {"btcusdt@trade", "ethusdt@trade"}
    for socket in (raw, asked):
        assert {message["e"] for message in client.news(socket)} == {"trade"}
    trade = heard[0]["data"]
    assert set(trade) == {"e", "E", "s", "t", "p", "q", "T", "m", "M"}
    assert trade["p"].split(".")[1].isdigit() and len(trade["p"].split(".")[1]) == 8


def test_tickers_and_windows() -> None:
    client = Client(rate_hz=140)
    follow(
        client, "btcusdt@bookTicker", "btcusdt@depth5@100ms", "btcusdt@miniTicker", "btcusdt@ticker", "btcusdt@aggTrade"
    )
    heard = client.wait(3)
    by_stream: dict[str, list[Any]] = {}
    for message in heard:
        by_stream.setdefault(message["stream"], []).append(message["data"])
    ticker = by_stream["btcusdt@bookTicker"][-1]
    assert set(ticker) == {"u", "s", "b", "B", "a", "A"} and Decimal(ticker["b"]) < Decimal(ticker["a"])
    window = by_stream["btcusdt@depth5@100ms"][-1]
    assert set(window) == {"lastUpdateId", "bids", "asks"} and len(window["bids"]) == len(window["asks"]) == 5
    assert len(by_stream["btcusdt@ticker"]) == len(by_stream["btcusdt@miniTicker"]) == 3
    assert by_stream["btcusdt@aggTrade"][0]["e"] == "aggTrade"


def test_what_does_not_exist_is_acknowledged_and_silent() -> None:
    client = Client(rate_hz=140)
    socket = follow(client, "foobar@trade", "BTCUSDT@trade", "btcusdt@nothing")
    assert client.wait(3) == []
    refused = Client("refuse_symbols=BTC/USDT", rate_hz=140)
    follow(refused, "btcusdt@trade", "ethusdt@trade")
    assert {message["data"]["s"] for message in refused.wait(3)} == {"ETHUSDT"}
    assert sorted(socket.answer("LIST_SUBSCRIPTIONS")["result"]) == ["btcusdt@nothing"]


def test_requests_and_their_errors() -> None:
    client = Client(rate_hz=140)
    socket = follow(client, "btcusdt@trade")
    wrong = socket.answer("SUBSCRIBEX", [])
    assert wrong["error"]["code"] == 2 and "`SUBSCRIBEX`" in wrong["error"]["msg"] and wrong["id"] == 2
    assert socket.answer("SUBSCRIBE", "btcusdt@trade")["error"]["code"] == 2
    client.wait(1.1)
    assert socket.answer("UNSUBSCRIBE", ["btcusdt@trade"])["result"] is None
    assert client.wait(2) == []
    assert "error" in socket.text("no json")[0]


def test_five_messages_a_second_and_no_more() -> None:
    client = Client()
    socket = client.dial()
    for _ in range(5):
        socket.say("LIST_SUBSCRIPTIONS")
    assert not socket.closes
    socket.say("LIST_SUBSCRIPTIONS")
    assert [close.code for close in socket.closes] == [1008]


def test_pings_want_pongs_and_a_day_is_a_life() -> None:
    client = Client()
    good, bad = client.dial(), client.dial()
    bad.pongs = False
    client.wait(101)
    assert len(good.pings) == 5 and not good.closes
    assert [close.code for close in bad.closes] == [1008]
    client.now_ns += 86_400 * SECOND - 120 * SECOND
    told = client.wait(40, good)
    assert [message["e"] for message in told] == ["serverShutdown"]
    assert [close.code for close in good.closes] == [1001]


@pytest.mark.parametrize("fault", ["drop_update=5", "snapshot_gap"])
def test_a_lost_update_leaves_a_hole(fault: str) -> None:
    client = Client(fault, rate_hz=140)
    follow(client, "btcusdt@depth@100ms")
    before = client.venue.update_ids["BTC/USDT"]
    events = depths(client.wait(3))
    chain = [(before, before), *((event["U"], event["u"]) for event in events)]
    holes = [two[0] - one[1] for one, two in pairwise(chain) if two[0] != one[1] + 1]
    assert holes and all(hole > 1 for hole in holes)


def test_duplicates_and_silence() -> None:
    twice = Client("duplicate_update=2", rate_hz=140)
    socket = follow(twice, "btcusdt@depth@100ms")
    twice.wait(2)
    assert len(set(socket.raw)) < len(socket.raw)
    for fault in ("book_off", "ack_then_silence"):
        quiet = Client(fault, rate_hz=140)
        follow(quiet, "btcusdt@depth@100ms", "btcusdt@trade")
        assert {message["stream"] for message in quiet.wait(3)} == {"btcusdt@trade"}
    mute = Client("mute@2", rate_hz=140)
    follow(mute, "btcusdt@trade")
    assert mute.wait(2.0) and not mute.wait(5)
    none = Client("no_ack")
    assert none.dial().say("SUBSCRIBE", ["btcusdt@trade"]) == []


def test_a_stale_snapshot_is_older_than_the_stream() -> None:
    client = Client("stale_depth=800", rate_hz=140)
    client.wait(3)
    follow(client, "btcusdt@depth@100ms")
    first = depths(client.wait(0.3))[0]
    assert client.get("/api/v3/depth", symbol="BTCUSDT")["lastUpdateId"] < first["U"] - 1
    client.wait(3)
    assert client.get("/api/v3/depth", symbol="BTCUSDT")["lastUpdateId"] >= first["U"] - 1


def test_how_a_socket_breaks() -> None:
    for fault, code in (("close@1", 1001), ("reset@1", 1006), ("half_frame@1", 1006)):
        client = Client(fault)
        socket = client.dial()
        client.wait(1.1)
        assert [close.code for close in socket.closes] == [code]
        assert bool(socket.halves) == (fault == "half_frame@1")
    client = Client("shutdown=3@1", rate_hz=140)
    socket = follow(client, "btcusdt@trade")
    events = [message for message in client.wait(5) if message.get("e") == "serverShutdown"]
    assert len(events) == 1 and [close.code for close in socket.closes] == [1001]
    client = Client("garbage_frame@1")
    socket = client.dial()
    client.wait(2)
    assert [frame for frame in socket.raw if not frame.startswith("{")]
    assert Client("connect_refused").venue.refusal(client.now_ns, "/stream") is not None
    assert client.venue.refusal(client.now_ns, "/nowhere") is not None


def test_crossed_books_heal_by_subscribing_afresh() -> None:
    client = Client("crossed_book@1", rate_hz=140)
    socket = follow(client, "btcusdt@depth@100ms")
    book = LocalBook([{"U": 0, "u": 0}], client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000))
    crossed = False
    for event in depths(client.wait(1.5)):
        book.apply(event)
        crossed |= Decimal(book.top("b")[0][0]) > Decimal(book.top("a")[0][0])
    assert crossed
    client.wait(1)
    socket.say("UNSUBSCRIBE", ["btcusdt@depth@100ms"])
    socket.say("SUBSCRIBE", ["btcusdt@depth@100ms"])
    fresh = LocalBook([{"U": 0, "u": 0}], client.get("/api/v3/depth", symbol="BTCUSDT", limit=5000))
    for event in depths(client.wait(1)):
        fresh.apply(event)
        assert Decimal(fresh.top("b")[0][0]) < Decimal(fresh.top("a")[0][0])
