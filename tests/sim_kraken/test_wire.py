"""Bytes: the published transcript and checksums, channels of the public side, numbers, equal seeds."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.sim.kraken import book_checksum
from runtime.sim.kraken.wire import fixed, parse_form, parse_time, plain, scaled
from tests.sim_kraken.trader import MS, SECOND, Trader

D = Decimal

ROOT = Path(__file__).parents[2]
TIMES = ("time_in", "time_out")

# Kraken's published and recorded books (facts/venues.md 1.5), as (asks, bids): price quantity, best first.
K1 = (
    (
        "45285.2 0.00100000 45286.4 1.54571953 45286.6 1.54571109 45289.6 1.54560911 45290.2 0.15890660 "
        "45291.8 1.54553491 45294.7 0.04454749 45296.1 0.35380000 45297.5 0.09945542 45299.5 0.18772827"
    ),
    (
        "45283.5 0.10000000 45283.4 1.54582015 45282.1 0.10000000 45281.0 0.10000000 45280.3 1.54592586 "
        "45279.0 0.07990000 45277.6 0.03310103 45277.5 0.30000000 45277.3 1.54602737 45276.6 0.15445238"
    ),
)
K2 = (
    (
        "0.5668 4410.79769741 0.5669 4655.40412487 0.567 49844.89424998 0.5671 24306.41678 0.5672 "
        "29783.25223475 0.5673 57234.71239278 0.5674 45065.04744 0.5675 5912.76380354 0.5676 42514.92434778 "
        "0.5677 36304.0847022"
    ),
    (
        "0.5666 4831.75496356 0.5665 6658.22734739 0.5664 18724.91513344 0.5663 11563.92544914 0.5662 "
        "14006.65365711 0.5661 17454.85679807 0.566 18097.1547 0.5659 33644.89175666 0.5658 148.3464 0.5657 "
        "606.70854372"
    ),
)
K3 = (
    (
        "1797.25 1.40355852 1797.28 10.82400000 1797.29 139.09899871 1797.30 139.09783403 1797.37 "
        "139.09216827 1797.41 5.24638952 1797.42 0.01780330 1797.46 33.05700000 1797.48 3.11556555 1797.49 "
        "139.49306646"
    ),
    (
        "1797.24 0.43393711 1797.18 139.10616255 1797.13 139.10995927 1797.12 0.80386470 1797.07 139.11517673 "
        "1796.98 5.22282896 1796.97 12.17138476 1796.95 139.69390939 1796.88 4.21870000 1796.85 1.22932317"
    ),
)
K4 = (
    (
        "93888.1 0.06918769 93888.2 0.0066583 93889.9 0.01161697 93890.2 0.84329594 93891.1 0.053 93892.7 "
        "0.01017287 93896.4 0.03184175 93898.0 5.325e-05 93901.8 0.135 93903.4 0.0339"
    ),
    (
        "93888.0 7.04391006 93887.5 3.08880155 93886.7 2.66278352 93886.5 5.072e-05 93886.2 1.63973 93886.1 "
        "2.76930693 93885.7 0.00803005 93885.0 0.10585564 93884.2 0.10650715 93882.6 5.3257969"
    ),
)


def side(text: str, places: int) -> dict[int, int]:
    words = text.split()
    return {scaled(p, places) or 0: scaled(q, 8) or 0 for p, q in zip(words[::2], words[1::2], strict=True)}


@pytest.mark.parametrize(
    ("book", "places", "crc"), [(K1, 1, 3310070434), (K2, 4, 2439117997), (K3, 2, 2606672715), (K4, 1, 2610022218)]
)
def test_published_checksums(book: tuple[str, str], places: int, crc: int) -> None:
    asks, bids = (side(text, places) for text in book)
    assert book_checksum(asks.items(), bids.items()) == crc


def test_published_checksums_after_their_updates() -> None:
    asks, bids = (side(text, 4) for text in K2)
    assert book_checksum(asks.items(), {**bids, 5657: 109839475580}.items()) == 2114181697
    asks, bids = (side(text, 2) for text in K3)
    asks = {price: qty for price, qty in asks.items() if price != 179729} | {179752: 156601318}
    assert book_checksum(asks.items(), bids.items()) == 3329440863


def test_the_minimal_transcript_frame_by_frame() -> None:
    """facts/venues.md 7.5, a session that satisfied ccxt.pro and python-kraken-sdk, spoken to this venue."""
    t = Trader(subscribed=False)
    (status,) = t.heard
    (data,) = status["data"]
    assert data.pop("connection_id") > 2**53
    assert status == {"channel": "status", "type": "update",
                      "data": [{"version": "2.0.10", "system": "online", "api_version": "v2"}]}  # fmt: skip
    t.socket.receive(
        '{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}', t.now_ns
    )
    ack, snapshot = t.collect()
    assert {k: v for k, v in ack.items() if k not in TIMES} == {
        "method": "subscribe", "success": True, "req_id": 1,
        "result": {"channel": "book", "snapshot": True, "symbol": "BTC/USD", "depth": 10},
    }  # fmt: skip
    assert set(snapshot["data"][0]) == {"symbol", "bids", "asks", "checksum", "timestamp"}
    assert t.wait(1.01) == [{"channel": "heartbeat"}]
    t.socket.receive('{"method":"ping"}', t.now_ns)
    (pong,) = t.collect()
    assert set(pong) == {"method", "time_in", "time_out"} and pong["method"] == "pong"
    token = t.rest("GetWebSocketsToken")["token"]
    t.socket.receive(
        json.dumps({"method": "subscribe", "params": {"channel": "executions", "token": token, "snap_orders": True},
                    "req_id": 7}), t.now_ns)  # fmt: skip
    ack, snapshot = t.collect()
    assert ack["result"] == {
        "channel": "executions", "maxratecount": 180, "snap_orders": True, "snap_trades": False,
        "warnings": ack["result"]["warnings"],
    }  # fmt: skip
    assert snapshot == {"channel": "executions", "type": "snapshot", "data": [], "sequence": 1}
    order = '{"method":"add_order","params":{"order_type":"limit","side":"buy","order_qty":0.001,"symbol":"BTC/USD",'
    order += f'"token":"{token}","limit_price":45000,"post_only":true,"cl_ord_id":"abc-1"}},"req_id":8}}'
    t.socket.receive(order, t.now_ns)
    answer, pending, new, *book = [*t.collect(), *t.wait(0.01)]
    assert answer["req_id"] == 8 and set(answer["result"]) == {"order_id", "cl_ord_id"}
    assert (pending["sequence"], new["sequence"]) == (2, 3)
    assert set(new["data"][0]) == {"order_id", "exec_type", "order_status", "order_userref", "timestamp"}
    assert book == [], "far below the window of ten"


def test_what_an_ack_says_may_be_said_back() -> None:
    """python-kraken-sdk builds its next subscriptions from the results of acks (facts/venues.md 7.1)."""
    t = Trader(subscribed=False)
    wanted: list[dict[str, Any]] = [
        {"channel": "book", "symbol": ["BTC/USD"]}, {"channel": "trade", "symbol": ["BTC/USD"]},
        {"channel": "ticker", "symbol": ["BTC/USD"]}, {"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 5},
        {"channel": "instrument"}, {"channel": "executions"}, {"channel": "balances"},
    ]  # fmt: skip
    results = [t.say("subscribe", **params)[0]["result"] for params in wanted]
    assert results[2]["event_trigger"] == "trades" and results[3]["interval"] == 5 and results[3]["warnings"]
    t.dial()
    for result in results:
        again = {name: value for name, value in result.items() if name not in {"maxratecount", "warnings"}}
        again |= {"symbol": [again["symbol"]]} if "symbol" in again else {}
        ack = t.say("subscribe", **again)[0]
        assert ack["success"] is True and ack["result"] == result
        assert t.refused("subscribe", **again) == "Already subscribed"
    for result in results:
        names = {"symbol": [result["symbol"]]} if "symbol" in result else {}
        more = {name: result[name] for name in ("depth", "interval") if name in result}
        assert t.ok("unsubscribe", channel=result["channel"], **names, **more)["channel"] == result["channel"]
    assert t.wait(3) == []


def test_ticker_follows_trades_or_the_touch_and_candles_follow_trades() -> None:
    t = Trader(subscribed=False)
    t.subscribe("ticker", symbol=["BTC/USD"])
    t.subscribe("ticker", symbol=["ETH/USD"], event_trigger="bbo")
    t.subscribe("ohlc", symbol=["BTC/USD"], interval=1)
    bid, _ = t.touch()
    quiet = t.say("add_order", **t.order(limit_price=bid))
    assert [m for m in quiet if m.get("channel") == "ticker"] == []
    eth_bid, _ = t.touch("ETH/USD")
    loud = t.say("add_order", **t.order(symbol="ETH/USD", limit_price=eth_bid + D("0.01"), order_qty=D(1)))
    assert [m["data"][0]["symbol"] for m in loud if m.get("channel") == "ticker"] == ["ETH/USD"]
    traded = t.say("add_order", **t.order(limit_price=t.touch()[1], order_qty=D("0.001")))
    (ticker,) = [m for m in traded if m.get("channel") == "ticker"]
    assert set(ticker["data"][0]) == {
        "symbol", "bid", "bid_qty", "ask", "ask_qty", "last", "volume", "vwap", "low", "high", "change", "change_pct",
        "timestamp",
    }  # fmt: skip
    (candle,) = [m for m in traded if m.get("channel") == "ohlc"]
    assert candle["timestamp"] and candle["data"][0]["interval_begin"] == "2026-08-16T10:04:00.000000000Z"
    for params, error in (
        ({"channel": "ohlc", "symbol": ["BTC/USD"], "interval": 2}, "Subscription ohlc interval not supported"),
        ({"channel": "ticker", "symbol": ["BTC/USD"], "event_trigger": "x"}, "Event trigger not supported"),
    ):
        assert t.refused("subscribe", **params) == error


def test_trades_of_a_snapshot_are_the_last_fifty_and_never_beside_orders() -> None:
    t = Trader(subscribed=False)
    for _ in range(53):
        t.place(limit_price=t.touch()[1], order_qty=D("0.0002"))
        t.now_ns += SECOND
    t.place()
    t.dial()
    t.token = ""
    _, orders, trades = t.subscribe("executions", snap_orders=True, snap_trades=True)
    assert (orders["sequence"], trades["sequence"]) == (1, 2)
    assert {m["type"] for m in (orders, trades)} == {"snapshot"}
    assert {item["exec_type"] for item in orders["data"]} == {"new"} and len(orders["data"]) == 1
    assert {item["exec_type"] for item in trades["data"]} == {"trade"} and len(trades["data"]) == 50
    t.dial()
    messages = t.subscribe("executions", snap_orders=False, order_status=False, ratecounter=True)
    assert len(messages) == 1
    told = t.say("add_order", **t.order(limit_price=t.touch()[1], order_qty=D("0.0002")))
    assert [m["data"][0]["exec_type"] for m in told if "data" in m] == ["trade"]


def test_balances_start_whole_and_go_on_as_a_ledger() -> None:
    t = Trader(subscribed=False)
    _, snapshot = t.subscribe("balances")
    assert {row["asset"]: row["balance"] for row in snapshot["data"]}["USD"] == D(1_000_000)
    *_, update = t.say("add_order", **t.order(limit_price=t.touch()[1], order_qty=D("0.001")))
    assert (snapshot["sequence"], update["sequence"]) == (1, 2)
    base, quote = update["data"]
    assert base["asset"] == "BTC" and base["amount"] == D("0.001") and base["balance"] == D("10.001")
    assert quote["balance"] == D(1_000_000) + quote["amount"] - quote["fee"] and base["ref_id"] == quote["ref_id"]
    assert t.rest("BalanceEx")["ZUSD"]["balance"] == str(quote["balance"])


def test_requests_that_are_none() -> None:
    t = Trader(subscribed=False)
    for text in ("", "[]", '{"method":1}', '{"method":"ping","req_id":"1"}', '{"method":"add_order","params":[]}',
                 "[" * 100_000, '{"method":"ping","req_id":NaN}', b"\xff"):  # fmt: skip
        t.socket.receive(text, t.now_ns)
        (answer,) = t.collect()
        assert answer["success"] is False
    t.socket.receive('{"method":"add_order"}', t.now_ns)
    assert t.collect()[0]["error"] == "ESession:Invalid session"
    t.socket.receive('{"method":"addOrder","params":{},"req_id":3}', t.now_ns)
    assert t.collect()[0]["error"] == "Unsupported event"


def test_no_number_leaves_as_a_double_would_print_it() -> None:
    t = Trader()
    t.place(order_qty=D("0.00005"), limit_price=D(60000))
    t.place(limit_price=t.touch()[1], order_qty=D("0.00012345"))
    assert not any(re.search(r":-?[\d.]+[eE]", text) for text in t.raw)
    t.subscribe("instrument")
    assert '"qty_increment":1e-08' in t.raw[-1] and '"qty_min":5e-05' in t.raw[-1]


@given(st.integers(-(10**20), 10**20), st.integers(0, 12))
def test_numbers_go_there_and_back(value: int, decimals: int) -> None:
    for text in (plain(value, decimals), fixed(value, decimals)):
        assert scaled(text, decimals) == value and D(text) == D(value).scaleb(-decimals)
    assert "." in plain(value, decimals)


@given(st.datetimes(min_value=datetime.fromisoformat("1970-01-01")))
def test_times_are_read_by_the_calendar(moment: datetime) -> None:
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    wanted = (since.days * 86_400 + since.seconds) * SECOND + since.microseconds * 1_000
    assert parse_time(f"{moment.isoformat(timespec='microseconds')}Z") == wanted
    assert parse_time(f"{moment.isoformat(timespec='microseconds')}+02:30") == wanted - 9_000 * SECOND


def test_forms() -> None:
    assert parse_form("a=1&b=x%20y+z&c=%C3%A4&d&a=2&e=%zz") == {"a": "2", "b": "x y z", "c": "ä", "d": "", "e": "%zz"}
    assert (
        scaled("1e-08", 8) == 1 and scaled("1e-09", 8) is None and scaled(True, 0) is None and scaled("0x1", 0) is None
    )


def test_equal_seeds_give_equal_bytes_in_every_process() -> None:
    def run(seed: int, hashseed: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tests.sim_kraken.script", str(seed)], cwd=ROOT, check=True, capture_output=True,
            text=True, env={**os.environ, "PYTHONHASHSEED": hashseed},
        )  # fmt: skip
        return done.stdout

    assert run(3, "1") == run(3, "77")
    assert run(3, "1") != run(4, "1")


def test_next_ns_says_when_something_is_due() -> None:
    t = Trader(rate_hz=0)
    t.ok("cancel_all_orders_after", timeout=3)
    t.wait(0.01)  # hearts beat from the first look on
    assert t.venue.next_ns is not None and t.venue.next_ns <= t.now_ns + SECOND
    busy = Trader(rate_hz=100)
    assert busy.venue.next_ns is not None and busy.venue.next_ns - busy.now_ns <= 10 * MS
