"""What a healthy day on Bybit's public socket looks like: metadata, subscriptions, books, trades, tickers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, Ticker, Trade
from connectors.instrument import Instrument
from connectors.session import CALLS, PUBLIC, Reconnect, Send, WakeAt
from connectors.venues.bybit import VENUE
from tests.support.bybit_frames import (
    CTS,
    MS,
    PONG,
    SECOND,
    T0,
    Line,
    asked,
    book,
    delta,
    listing,
    of,
    pair,
    sent,
    snapshot,
    topics,
    trade,
    trades,
    yes,
)

TWO = ("BTC/USDT", "ETH/USDT")
BIDS_SCALED = [(62_806_900_000_000, 50_930_100), (62_806_500_000_000, 159_200)]
ASKS_SCALED = [(62_807_000_000_000, 120_000_000), (62_807_100_000_000, 7_500_000)]
DEFINED = Instrument(
    venue="bybit", symbol="BTC/USDT", price_precision=1, size_precision=6, tick_size_1e9=10**8, lot_size_1e8=100,
    min_notional_1e9=5 * 10**9, venue_symbol="BTCUSDT",
)  # fmt: skip


def test_metadata_comes_first_and_over_http() -> None:
    """Opening asks for the list of markets and subscribes nothing: without decimals no book can be read."""
    outputs = Line(*TWO).open()
    assert asked(outputs) == [b"1 GET /v5/market/instruments-info\ncategory=spot"]
    assert sent(outputs) == []
    assert of(WakeAt, outputs) == [WakeAt(T0 + SECOND // 2)]
    assert Line().session.open(T0, CALLS) == []


def test_one_request_per_symbol_and_topic() -> None:
    """Each request has one topic and its own id, so that a refusal takes nobody along."""
    line = Line(*TWO, ticks=True)
    requests = line.subscribing()
    assert [(request["op"], request["args"]) for request in requests] == [
        ("subscribe", ["orderbook.50.BTCUSDT"]), ("subscribe", ["publicTrade.BTCUSDT"]),
        ("subscribe", ["tickers.BTCUSDT"]), ("subscribe", ["orderbook.50.ETHUSDT"]),
        ("subscribe", ["publicTrade.ETHUSDT"]), ("subscribe", ["tickers.ETHUSDT"]),
    ]  # fmt: skip
    assert len({request["req_id"] for request in requests}) == 6
    assert "tickers.BTCUSDT" not in [topic for _, topic in topics(Line().listed())]


@pytest.mark.parametrize(
    ("depth", "topic"), [(1, 1), (10, 50), (25, 50), (50, 50), (100, 200), (200, 200), (500, 1000), (1000, 1000)]
)
def test_a_depth_between_topics_is_the_next_larger_one_whole(depth: int, topic: int) -> None:
    """A book cut below its topic would lack a level that Bybit has and will not send again."""
    assert depth in VENUE.capabilities.depths
    line = Line(depth=depth)
    line.open()
    assert topics(line.listed())[0] == ("subscribe", f"orderbook.{topic}.BTCUSDT")
    (found,) = of(BookSnapshot, line.hear(snapshot(depth=topic)))
    assert found.depth == topic


def test_metadata_is_exact() -> None:
    """basePrecision is the lot, minOrderAmt the least money, minOrderQty says nothing any more."""
    line = Line()
    line.open()
    assert of(InstrumentUpdate, line.listed()) == [InstrumentUpdate(0, DEFINED)]
    small = Line("PEPE/USDT")
    small.open()
    record = pair("PEPE", tick="0.000000005", lot="100", status="PreLaunch")
    record["lotSizeFilter"]["minOrderAmt"] = ""
    (update,) = of(InstrumentUpdate, small.listed(record))
    found = update.definition
    assert (found.price_precision, found.tick_size_1e9, found.size_precision, found.lot_size_1e8) == (9, 5, 0, 10**10)
    assert (found.min_notional_1e9, found.status) == (0, "PreLaunch")


@pytest.mark.parametrize("changes", [{"tick": "0.0000000001"}, {"lot": "1e-9"}, {"tick": "0"}, {"lot": "x"}])
def test_what_does_not_fit_is_refused_alone(changes: dict[str, str]) -> None:
    line = Line(*TWO)
    line.open()
    outputs = line.listed(pair(**changes), pair("ETH", tick="0.01"))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    assert of(BookLost, outputs)[0].reason.startswith("refused: ")
    assert [topic for _, topic in topics(outputs)] == ["orderbook.50.ETHUSDT", "publicTrade.ETHUSDT"]


def test_a_market_that_is_not_listed_is_refused_alone_and_comes_when_it_is() -> None:
    """Found by its coins: `FOO/USDT` is not whatever happens to be called FOOUSDT."""
    line = Line("FOO/USDT", "BTC/USDT")
    line.open()
    strange = pair("FO", "OUSDT")
    outputs = line.listed(strange, pair())
    assert of(BookLost, outputs) == [BookLost(0, "refused: bybit does not list FOO/USDT")]
    assert len(of(Notice, outputs)) == 1
    assert [topic for _, topic in topics(outputs)] == ["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"]
    again = line.wait_heard(900)
    assert asked(again) == [b"2 GET /v5/market/instruments-info\ncategory=spot"]
    outputs = line.listed(pair("FOO"), pair(), number=2)
    assert [topic for _, topic in topics(outputs)] == ["orderbook.50.FOOUSDT", "publicTrade.FOOUSDT"]


def test_a_snapshot_before_the_ack_counts() -> None:
    """JKorf/Bybit.Net #200: it was dropped there."""
    line = Line()
    (subscribe, _) = line.subscribing()
    assert of(BookSnapshot, line.hear(snapshot())) == [BookSnapshot(0, BIDS_SCALED, ASKS_SCALED, None, 50, CTS)]
    assert line.hear(yes(subscribe)) == []
    assert of(BookDelta, line.hear(delta())) == [BookDelta(0, [(62_806_900_000_000, 0)], [], None, CTS)]
    assert line.books[0].bids == BIDS_SCALED[1:]


def test_a_snapshot_after_the_ack_is_waited_for() -> None:
    line = Line()
    for request in line.subscribing():
        assert line.hear(yes(request)) == []
    line.wait(4.5)
    assert line.hear(snapshot()) != []
    assert of(Notice, line.wait(4)) == []


def test_any_snapshot_replaces_the_book_at_any_time() -> None:
    line = Line().live()
    line.hear(delta())
    outputs = line.hear(snapshot(7000, bids=[("62000.00", "1")]))
    assert of(BookLost, outputs) == []
    assert line.books[0].bids == [(62_000_000_000_000, 10**8)]
    assert of(BookDelta, line.hear(delta(7001))) != []


@pytest.mark.parametrize("kind", ["snapshot", "delta"])
def test_u_1_is_a_whole_book_whatever_it_is_called(kind: str) -> None:
    """And a reason to look at the metadata: so Bybit says that ticks or lots changed."""
    line = Line().live()
    line.wait_heard(15)
    outputs = line.hear(book(kind, 1, bids=[("62000.00", "1"), ("61000.00", "0")]))
    assert of(BookSnapshot, outputs)[0].bids == [(62_000_000_000_000, 10**8)]
    assert asked(line.wait(0.5)) == [b"2 GET /v5/market/instruments-info\ncategory=spot"]
    assert of(BookDelta, line.hear(delta(2))) != []
    line.hear(snapshot(0))
    assert of(BookSnapshot, line.hear(book(kind, 1))) != []


def test_depth_1_is_snapshots_that_repeat_themselves() -> None:
    line = Line(depth=1)
    line.open()
    line.listed()
    for u in (5, 5, 9, 9):
        (found,) = of(BookSnapshot, line.hear(snapshot(u, depth=1, bids=[("62806.90", "1")], asks=[("62807.00", "2")])))
        assert (found.depth, len(found.bids)) == (1, 1)
    assert line.valid() == [True]


def test_the_order_of_members_is_nobodys_promise() -> None:
    """Spot writes ts before type; another order, or spaces, is the same message."""
    line = Line().live()
    frame: dict[str, Any] = json.loads(delta())
    shuffled = json.dumps({key: frame[key] for key in ("type", "data", "cts", "topic", "ts")}).encode()
    assert of(BookDelta, line.hear(shuffled)) == [BookDelta(0, [(62_806_900_000_000, 0)], [], None, CTS)]
    without = {key: frame[key] for key in ("topic", "type", "ts")}
    without["data"] = {"u": 102, "s": "BTCUSDT", "a": [], "b": []}
    (found,) = of(BookDelta, line.hear(json.dumps(without).encode()))
    assert found.ts_venue == "2025-08-16T10:04:05.123Z"


def test_levels_finer_than_tick_and_lot_are_read_as_they_are() -> None:
    """An order placed before they became coarser is still there; only the guest's own scale is a limit."""
    line = Line().live()
    outputs = line.hear(delta(bids=[("62806.123456789", "0.00000001")]))
    assert of(BookDelta, outputs)[0].bids == [(62_806_123_456_789, 1)]
    outputs = line.hear(delta(102, bids=[("62806.1234567891", "1")]))
    assert of(BookLost, outputs) == [BookLost(0, "unexplained frame")]


def test_levels_beyond_the_topic_are_let_go() -> None:
    """Whether Bybit removes what leaves its window is not certain: the book keeps the window either way."""
    bids = [(f"{62000 - k}.00", "1") for k in range(50)]
    line = Line().live()
    line.hear(snapshot(200, bids=bids), delta(201, bids=[("62000.50", "1"), ("99.00", "0")]))
    assert len(line.books[0].bids) == 50
    assert line.books[0].bids[-1] == (61_952_000_000_000, 10**8)


def test_trades_have_the_takers_side_and_their_time() -> None:
    line = Line(*TWO).live()
    outputs = line.hear(trades(trade(), trade("62806.9", "2", "Sell", i="20f43950-d8dd-5b31-9112-a178eb6023af")))
    assert outputs == [
        Trade(0, 62_807_000_000_000, 100_000, 1, 2_290_000_000_061_666_327, (MS + 120) * 10**6),
        Trade(0, 62_806_900_000_000, 2 * 10**8, -1, 0, (MS + 120) * 10**6),
    ]
    assert line.hear(trades(trade(s="XRPUSDT"), name="XRPUSDT")) == []


def test_tickers_where_they_are_wanted() -> None:
    data = {"symbol": "BTCUSDT", "lastPrice": "16363.78", "highPrice24h": "16566.64", "lowPrice24h": "16009.19",
            "prevPrice24h": "16443.66", "volume24h": "5865.470182", "price24hPcnt": "-0.0049"}  # fmt: skip
    frame = {"topic": "tickers.BTCUSDT", "ts": MS, "type": "snapshot", "cs": 496622841, "data": data}
    line = Line(ticks=True).live()
    assert line.hear(json.dumps(frame).encode()) == [
        Ticker(0, 16_363_780_000_000, 586_547_018_200, 16_566_640_000_000, 16_009_190_000_000,
               "2025-08-16T10:04:05.000Z")
    ]  # fmt: skip
    broken = json.dumps(frame | {"data": data | {"lastPrice": "?"}}).encode()
    assert [notice.level for notice in of(Notice, line.hear(broken, broken))] == ["error"]
    assert line.valid() == [True]


def test_metadata_that_changes_while_a_book_lives() -> None:
    """A finer tick: the book of the old one is gone, and is asked for anew."""
    line = Line(*TWO).live()
    line.wait_heard(900)
    assert line.listed(number=2) == []
    line.wait_heard(900)
    closed = pair("ETH", tick="0.01", lot="0.00001", status="Closed")
    outputs = line.listed(pair(tick="0.01"), closed, number=3)
    found = [(one.instrument, one.definition.price_precision) for one in of(InstrumentUpdate, outputs)]
    assert found == [(0, 2), (1, 2)]
    assert of(BookLost, outputs) == [BookLost(0, "metadata changed")]
    assert topics(outputs) == [("unsubscribe", "orderbook.50.BTCUSDT")]
    assert line.valid() == [False, True]


def test_our_name_is_the_users_own_where_he_wrote_bybits() -> None:
    line = Line("BTCUSDT")
    line.open()
    (update,) = of(InstrumentUpdate, line.listed())
    assert (update.definition.symbol, update.definition.venue_symbol) == ("BTCUSDT", "BTCUSDT")
    line.hear(snapshot())
    assert line.valid() == [True]


def test_a_recording_made_by_others() -> None:
    """No acks, no metadata but what was said beforehand, and a depth of its own; nothing is silent while it plays."""
    known = Instrument("bybit", "BTC/USDT", 1, 6, 10**8, 100)
    line = Line("BTC/USDT", known={0: known})
    line.open()
    line.hear(snapshot(50, depth=200), delta(51, depth=200))
    assert line.books[0].depth == 200
    assert line.books[0].bids == BIDS_SCALED[1:]
    assert len(of(Notice, line.hear(snapshot(9, depth=1)))) == 1  # two topics of one market: the first is the book
    assert line.books[0].depth == 200
    head = b"GET /v5/market/instruments-info?category=spot 200"
    found = line.hear(head + listing(1).partition(b"200")[2], link=CALLS)
    assert of(InstrumentUpdate, found)[0].definition.venue_symbol == "BTCUSDT"
    one = Line(*TWO)
    one.open()
    head = b"GET /v5/market/instruments-info?category=spot&symbol=BTCUSDT 200"
    assert of(BookLost, one.hear(head + listing(1, pair()).partition(b"200")[2], link=CALLS)) == []


def test_pings_leave_and_every_shape_of_pong_is_life() -> None:
    shapes = [
        PONG,
        b'{"req_id":"test","op":"pong","args":["1675418560633"],"conn_id":"cfcb4ocsvfriu23r3er0-1b"}',
        b'{"retCode":0,"retMsg":"OK","op":"pong","data":["1711002002529"],"connId":"cnt5leec0hvan15eukcg-2v"}',
    ]
    line = Line().live()
    for pong in shapes:
        outputs = line.wait(5)
        assert [request["op"] for request in sent(outputs)] == ["ping"]
        assert line.hear(pong) == []
    assert line.valid() == [True]


def test_a_busy_link_is_pinged_every_twenty_seconds() -> None:
    line = Line().live()
    pings = []
    for second in range(60):
        line.hear(trades(trade()))
        pings += [second for request in sent(line.wait(1)) if request["op"] == "ping"]
    assert pings == [19, 39, 59]


def test_silence_after_a_ping_is_a_dead_link() -> None:
    line = Line(*TWO).live()
    outputs = line.wait(12)
    assert of(Reconnect, outputs) == [Reconnect(PUBLIC, "no answer to a ping in 5 s")]
    assert of(BookLost, outputs) == [BookLost(0, "link silent"), BookLost(1, "link silent")]
    assert line.wait(30) == []
    assert line.close() == []
    assert {topic for _, topic in topics(line.open())} == {
        "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT", "orderbook.50.ETHUSDT", "publicTrade.ETHUSDT",
    }  # fmt: skip


def test_a_link_that_goes_takes_every_book() -> None:
    line = Line(*TWO).live()
    assert line.close() == [BookLost(0, "link down"), BookLost(1, "link down")]
    assert line.hear(delta()) == []
    assert of(Send, line.wait(10)) == []
