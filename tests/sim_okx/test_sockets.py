"""The simulated OKX's public socket does what venues.md 4.1 and 4.2 say."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any
from zlib import crc32

import pytest

from runtime.sim.okx import legacy_checksum
from tests.sim_okx.client import Trader

Sides = dict[str, dict[str, str]]


class Book:
    """A book by the rules of the sheet: what is told, and whether the chain holds."""

    def __init__(self) -> None:
        self.sides: Sides = {"bids": {}, "asks": {}}
        self.seq = -1
        self.gaps = 0

    def take(self, message: Any) -> None:
        [data] = message["data"]
        if message["action"] == "snapshot":
            assert data["prevSeqId"] == -1
            self.sides = {"bids": {}, "asks": {}}
        elif data["prevSeqId"] != self.seq:
            self.gaps += 1
        self.seq = data["seqId"]
        for name, side in self.sides.items():
            for price, size, dead, count in data[name]:
                assert dead == "0"
                assert (count == "0") == (size == "0")
                side.pop(price, None)
                if size != "0":
                    side[price] = size

    def ordered(self) -> dict[str, list[tuple[str, str]]]:
        ways = (("bids", True), ("asks", False))
        return {name: sorted(self.sides[name].items(), key=lambda p: Decimal(p[0]), reverse=up) for name, up in ways}


def listen(t: Trader, channel: str = "books", inst_id: str = "BTC-USDT") -> Book:
    """The book after all that was heard."""
    book = Book()
    for message in t.of(channel):
        if message["arg"]["instId"] == inst_id:
            book.take(message)
    return book


def rest(t: Trader, inst_id: str = "BTC-USDT") -> dict[str, list[tuple[str, str]]]:
    [row] = t.public("market/books", instId=inst_id, sz="400")["data"]
    return {name: [(level[0], level[1]) for level in row[name]] for name in ("bids", "asks")}


def test_a_book_is_a_snapshot_and_a_chain() -> None:
    t = Trader(public=True, rate_hz=200)
    ack, first = t.say("subscribe", {"channel": "books", "instId": "BTC-USDT"}, id="1512")
    assert ack == {"id": "1512", "event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"},
                   "connId": t.socket.conn_id}  # fmt: skip
    assert (first["action"], set(first["data"][0])) == (
        "snapshot", {"asks", "bids", "ts", "checksum", "prevSeqId", "seqId"},
    )  # fmt: skip
    t.wait(5.05)
    assert listen(t).gaps == 0
    assert {message["data"][0]["checksum"] for message in t.of("books")} == {0}
    at = [int(message["data"][0]["ts"]) for message in t.of("books")[1:]]
    assert all(late - early >= 90 for early, late in pairwise(at)), "each 100 ms"


def test_all_subscribers_stand_on_one_chain_and_see_what_rest_shows() -> None:
    t = Trader(public=True, rate_hz=200)
    t.subscribe("books", "BTC-USDT")
    t.wait(2)
    first, early = t.socket, t.heard
    t.dial()
    t.heard = []
    t.subscribe("books", "BTC-USDT")  # whoever is there already is told the latest
    now = rest(t)
    late = listen(t)
    t.socket, t.heard = first, early
    t.collect()
    book = listen(t)
    assert (book.gaps, book.seq) == (0, late.seq)
    assert book.ordered() == late.ordered() == now


def test_a_second_subscription_has_no_snapshot() -> None:
    t = Trader(public=True)
    t.subscribe("books", "BTC-USDT")
    assert [message.get("event") for message in t.subscribe("books", "BTC-USDT")] == ["subscribe"]
    t.say("unsubscribe", {"channel": "books", "instId": "BTC-USDT"})
    assert [message.get("action") for message in t.subscribe("books", "BTC-USDT")] == [None, "snapshot"]


def test_a_quiet_book_says_so_each_minute() -> None:
    """venues.md 4.2: an empty update whose seqId is its prevSeqId."""
    t = Trader(public=True)
    t.subscribe("books", "BTC-USDT")
    [first] = t.of("books")
    t.wait(59)
    assert len(t.of("books")) == 1
    t.wait(63)
    seq = first["data"][0]["seqId"]
    for message in t.of("books")[1:]:
        data = message["data"][0]
        assert (data["asks"], data["bids"], data["prevSeqId"], data["seqId"]) == ([], [], seq, seq)
    assert len(t.of("books")) == 3


def test_maintenance_renumbers_and_the_chain_holds() -> None:
    t = Trader("sequence_reset@1", public=True, rate_hz=200)
    t.subscribe("books", "BTC-USDT")
    t.wait(3)
    numbers = [(m["data"][0]["prevSeqId"], m["data"][0]["seqId"]) for m in t.of("books")[1:]]
    assert sum(seq < before for before, seq in numbers) == 1
    assert listen(t).gaps == 0


@pytest.mark.parametrize("fault", ["drop_update=5", "reorder_update=5", "duplicate_update=5", "snapshot_gap"])
def test_what_is_lost_late_or_told_twice_breaks_the_chain(fault: str) -> None:
    t = Trader(fault, public=True, rate_hz=200)
    t.subscribe("books", "BTC-USDT")
    t.wait(3)
    assert listen(t).gaps


def test_the_checksum_of_older_days() -> None:
    """Known answers of venues.md 8; then every message's own, recomputed."""
    assert legacy_checksum([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")]) == -1881014294
    assert legacy_checksum([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")]) == 831078360
    t = Trader(public=True, rate_hz=200, checksum="legacy")
    t.subscribe("books", "BTC-USDT")
    t.wait(2)
    book = Book()
    for message in t.of("books"):
        book.take(message)
        best = book.ordered()
        both = zip(best["bids"][:25], best["asks"][:25], strict=True)
        text = ":".join(":".join((*bid, *ask)) for bid, ask in both)
        unsigned = crc32(text.encode())
        assert message["data"][0]["checksum"] == unsigned - (2**32 if unsigned >= 2**31 else 0)


def test_trades_tickers_and_tops() -> None:
    t = Trader(public=True, rate_hz=300)
    for channel in ("trades", "tickers", "books5", "bbo-tbt"):
        t.subscribe(channel, "BTC-USDT")
    t.wait(4)
    rows = [row for message in t.of("trades") for row in message["data"]]
    assert {row["side"] for row in rows} == {"buy", "sell"}
    assert all(isinstance(row["seqId"], int) and row["instId"] == "BTC-USDT" for row in rows)
    ids = [int(row["tradeId"]) for row in rows]
    assert ids == sorted(set(ids))
    assert ids[-1] - ids[0] + int(rows[0]["count"]) == sum(int(row["count"]) for row in rows)
    assert {len(message["data"][0]["bids"]) for message in t.of("books5")} == {5}
    assert {len(message["data"][0]["bids"]) for message in t.of("bbo-tbt")} == {1}
    assert not any("action" in message for message in t.of("books5"))
    tops = [(m["data"][0]["bids"][0][:2], m["data"][0]["asks"][0][:2]) for m in t.of("bbo-tbt")]
    assert all(early != late for early, late in pairwise(tops)), "told when it moved"
    last = t.of("tickers")[-1]["data"][0]
    assert Decimal(last["bidPx"]) < Decimal(last["askPx"])


def test_a_wrong_channel_is_60018_and_the_others_live() -> None:
    t = Trader(public=True)
    told = t.say(
        "subscribe", {"channel": "bookz", "instId": "BTC-USDT"}, {"channel": "books", "instId": "XYZ-USDT"},
        {"channel": "trades", "instId": "BTC-USDT"}, {"channel": "books50-l2-tbt", "instId": "BTC-USDT"},
        {"channel": "orders", "instType": "SPOT"}, id="7",
    )  # fmt: skip
    assert [message.get("code", message["event"]) for message in told] == [
        "60018", "60018", "subscribe", "64003", "60018",
    ]  # fmt: skip
    assert told[0]["msg"].startswith("Wrong URL or channel:bookz,instId:BTC-USDT doesn't exist.")
    assert {message["id"] for message in told} == {"7"}
    [illegal] = t.send('{"op":"dance","args":[]}')
    assert (illegal["event"], illegal["code"]) == ("error", "60012")
    assert illegal["msg"].startswith("Illegal request: {")
    assert t.send("no json")[0]["code"] == "60012"


def test_a_ping_is_a_text_and_silence_is_4004() -> None:
    t = Trader(public=True, idle_close_s=30)
    t.send("ping")
    assert t.raw == ["pong"]
    for _ in range(4):
        t.wait(20)
        t.send("ping")
    assert not t.closes
    t.wait(31)
    assert [close.code for close in t.closes] == [4004]
    t = Trader(public=True, idle_close_s=30, rate_hz=20)
    t.subscribe("tickers", "BTC-USDT")
    t.wait(70)
    assert not t.closes, "data keep it open, too"


def test_an_upgrade_is_announced() -> None:
    t = Trader("notice=60@2", public=True)
    t.wait(4)
    [notice] = [message for message in t.heard if message.get("event") == "notice"]
    assert notice["code"] == "64008"
    t.wait(57)
    assert not t.closes
    t.wait(4)
    assert len(t.closes) == 1


def test_too_many_subscriptions_are_60014() -> None:
    t = Trader(public=True)
    told = [t.subscribe("status")[0] for _ in range(481)]
    assert [message.get("code") for message in told[:480]] == [None] * 480
    assert told[480]["code"] == "60014"


def test_instruments_and_status_tell_of_a_maintenance() -> None:
    t = Trader(public=True)
    t.subscribe("instruments", instType="SPOT")
    t.subscribe("status")
    assert not t.of("instruments")
    t.venue.set_status("maintenance", t.now_ns)
    t.collect()
    assert {row["state"] for row in t.of("instruments")[-1]["data"]} == {"suspend"}
    assert t.of("status")[-1]["data"][0]["state"] == "ongoing"
    t.venue.set_status("online", t.now_ns)
    t.collect()
    assert {row["state"] for row in t.of("instruments")[-1]["data"]} == {"live"}
    assert t.of("status")[-1]["data"][0]["state"] == "completed"
    assert t.public("public/instruments", instType="SPOT")["data"] == t.of("instruments")[-1]["data"]
