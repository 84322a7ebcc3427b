"""A bad day on Kraken's public socket: what is lost is told at once, what can come back does, nobody is stormed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, Trade
from connectors.session import Output, WakeAt
from tests.support.kraken_frames import (
    SECOND,
    Line,
    ack,
    book,
    instruments,
    no,
    of,
    pair,
    sent,
    snapshot,
    trade,
    trades,
    update,
)

TWO = ("BTC/USD", "ETH/USD")
Answer = Callable[[dict[str, Any]], bytes | None]


def nothing(request: dict[str, Any]) -> None:
    del request


def timeline(line: Line, seconds: float, answer: Answer = nothing) -> list[tuple[float, str]]:
    """Requests with the seconds after which they were sent, each answered by `answer`; heartbeats go on."""
    begin, out = line.now_ns, []
    for _ in range(round(seconds)):
        pending = sent(line.wait(1))
        while pending:
            request = pending.pop(0)
            out.append(((line.now_ns - begin) / SECOND, request["method"]))
            frame = answer(request)
            pending += sent(line.hear(frame)) if frame else []
    return out


def lost(outputs: list[Output]) -> list[int]:
    return [output.instrument for output in of(BookLost, outputs)]


# --- acks and snapshots that do not come ---------------------------------------------------------------------------


def test_no_ack_is_retried_with_back_off() -> None:
    """5 s without an answer, then at once, then after 1, 2, 4 … 60 s, for ever, however well heartbeats go."""
    line = Line()
    line.subscribing()
    times = [seconds for seconds, method in timeline(line, 300) if method == "subscribe"]
    assert times == [5, 11, 18, 27, 40, 61, 98, 163, 228, 293]


def test_a_silent_refusal_of_one_symbol_leaves_the_other_alone() -> None:
    """No ack for ETH: BTC's updates go on, only ETH is asked for again."""
    line = Line(*TWO)
    btc = line.subscribing()[0]
    line.hear(ack(btc), snapshot())
    again = sent(line.wait(5))
    assert [request["params"]["symbol"] for request in again] == [["ETH/USD"]]
    assert of(BookDelta, line.hear(update()))


def test_an_ack_without_a_snapshot_is_subscribed_anew() -> None:
    """The venue thinks that we follow the book: unsubscribe first, then subscribe."""
    line = Line()
    line.hear(ack(line.subscribing()[0]))
    assert timeline(line, 5, ack) == [(5, "unsubscribe"), (5, "subscribe")]
    assert of(BookSnapshot, line.hear(snapshot()))


def test_an_unanswered_unsubscribe_does_not_hang() -> None:
    """After 5 s a subscribe decides; "Already subscribed" then means that the unsubscribe has to be said again."""
    line = Line().live()
    (first,) = sent(line.resync())
    assert first["method"] == "unsubscribe"
    (second,) = sent(line.wait(5))
    assert second["method"] == "subscribe"
    line.hear(no(second, "Already subscribed"))
    assert timeline(line, 1, ack) == [(1, "unsubscribe"), (1, "subscribe")]
    assert of(BookSnapshot, line.hear(snapshot()))
    assert of(BookDelta, line.hear(update()))


@pytest.mark.parametrize("late", [False, True])
def test_the_answer_to_the_second_of_two_requests_costs_nothing(late: bool) -> None:
    """A stray frame before the ack makes us ask twice; the refusal of the second must not stop a living book."""
    line = Line()
    first = line.subscribing()[0]
    (second,) = sent(line.hear(b"not JSON"))
    refusal = no(second, "Already subscribed")
    outputs = line.hear(ack(first), *([snapshot(), refusal] if late else [refusal]))
    outputs += line.wait(4)
    outputs += [] if late else line.hear(snapshot())
    assert lost(outputs) == []
    assert sent(outputs) == []
    assert of(BookDelta, line.hear(update()))


def test_any_other_refusal_of_a_living_book_says_that_it_is_lost() -> None:
    """Updates are no longer read: whoever serves the book must know before the next one does not come."""
    line = Line()
    request = line.subscribing()[0]
    assert of(BookSnapshot, line.hear(snapshot()))
    outputs = line.hear(no(request, "EService:Busy"))
    assert lost(outputs) == [0]
    assert line.hear(update()) == []
    assert [request["method"] for request in sent(outputs)] == ["subscribe"]


def test_a_refusal_that_belongs_to_no_request_costs_nothing() -> None:
    """Its request was answered already, or never was ours: a person is told."""
    line = Line()
    request = line.subscribing()[0]
    line.hear(ack(request), snapshot())
    outputs = line.hear(no(request, "EService:Busy"), no({**request, "req_id": 999}, "EService:Busy"))
    assert [type(output) for output in outputs] == [Notice, Notice]
    assert of(BookDelta, line.hear(update()))


# --- checksum ------------------------------------------------------------------------------------------------------


def test_checksum_failures_back_off_and_come_back() -> None:
    """Unsubscribe, ack, subscribe, ack, snapshot; the first at once, the next ones after 1, 2, 4 … 60 s."""
    line = Line().live()
    for delay in (0, 1, 2, 4, 8, 16, 32, 60, 60, 60):
        outputs = line.resync(reason="checksum")
        (notice,) = of(Notice, outputs)
        assert "BTC/USD: checksum" in notice.text
        assert line.hear(update()) == [], "the old book's updates are nobody's"
        if delay:
            assert sent(outputs) == []
            assert of(WakeAt, outputs) == [WakeAt(line.now_ns + delay * SECOND)]
            assert sent(line.wait(delay - 0.5)) == []
            outputs = line.wait(0.5)
        (unsubscribe,) = sent(outputs)
        assert unsubscribe["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}
        assert unsubscribe["method"] == "unsubscribe"
        (subscribe,) = sent(line.hear(ack(unsubscribe)))
        assert subscribe["method"] == "subscribe"
        assert line.hear(update(), ack(subscribe), update()) == []
        assert of(BookSnapshot, line.hear(snapshot()))
        assert of(BookDelta, line.hear(update()))


@pytest.mark.parametrize(("healthy_s", "delay_s"), [(59.5, 4), (60, 0)])
def test_a_minute_of_health_forgives(healthy_s: float, delay_s: float) -> None:
    """Back-off starts from nothing only after the book lived for 60 s."""
    line = Line().live()
    for _ in range(3):
        pending = sent(line.resync()) or sent(line.wait(4))
        (subscribe,) = sent(line.hear(ack(pending[0])))
        line.hear(ack(subscribe), snapshot())
    line.wait(healthy_s)
    outputs = line.resync()
    assert bool(sent(outputs)) is (delay_s == 0)
    assert of(WakeAt, outputs) == ([WakeAt(line.now_ns + round(delay_s * SECOND))] if delay_s else [])


def test_one_failure_asks_once() -> None:
    """Several bad frames in a row are one failure: nothing more is sent until the first round is over."""
    line = Line().live()
    assert len(sent(line.resync())) == 1
    assert line.resync() == line.resync(reason="crossed") == []


def test_resync_touches_one_symbol() -> None:
    """The other book goes on without a gap."""
    line = Line(*TWO).live()
    assert [request["params"]["symbol"] for request in sent(line.resync(1))] == [["ETH/USD"]]
    assert of(BookDelta, line.hear(update("BTC/USD")))
    assert line.hear(update("ETH/USD")) == []


def test_an_unsubscribe_that_overtakes_the_snapshot_is_mended() -> None:
    """Kraken answers concurrently: an old unsubscribe may end the new book. It is told and asked for again."""
    line = Line().live()
    (unsubscribe,) = sent(line.resync())
    (subscribe,) = sent(line.wait(5))
    line.hear(ack(subscribe), snapshot())
    outputs = line.hear(ack(unsubscribe))
    assert lost(outputs) == [0]
    assert line.hear(update()) == []
    requests = timeline(line, 5, ack)
    assert [method for _, method in requests if method == "subscribe"] == ["subscribe"]
    line.hear(snapshot())
    assert of(BookDelta, line.hear(update()))


# --- frames that cannot be read ------------------------------------------------------------------------------------

NOT_FRAMES = {
    "proxy": b"CloudFlare WebSocket proxy restarting",
    "empty": b"",
    "half": update()[: len(update()) // 2],
    "not_utf8": b'{"channel":"\xff"}',
    "number": b"7",
    "list": b"[]",
    "nameless": b'{"channel":"book","type":"update","data":[{"bids":[],"asks":[],"checksum":1}]}',
    "two_books": b'{"channel":"book","type":"update","data":[]}',
    "unknown_channel": b'{"channel":"weather","type":"update","data":{"rain":true}}',
    "nested": b'{"x":' + b"[" * 100_000,
    "nested_book": b'{"channel":"book","x":' + b"[" * 100_000,
    "nested_trade": b'{"channel":"trade","x":' + b'{"a":' * 100_000,
    "nested_answer": b'{"method":"subscribe","result":' + b"[" * 100_000,
}
BAD_LEVELS = {
    "price_too_large": ("9223372036854775808", "1"),
    "size_too_large": ("62807.0", "92233720369"),
    "beyond_a_double": ("1e400", "1"),
    "negative_price": ("-62807.0", "1"),
    "zero_price": ("0.0", "1"),
    "negative_size": ("62807.0", "-1.00000000"),
    "large_negative_size": ("62807.0", "-45035996.27370498"),
    "off_the_grid": ("62807.05", "1"),
    "no_number": ("null", "1"),
}
NAMED = {
    **{name: update(asks=[level]) for name, level in BAD_LEVELS.items()},
    "snapshot": snapshot(bids=[("1e30", "1")]),
    "no_checksum": update().replace(b'"checksum"', b'"chksum"'),
    "wrong_type": update().replace(b'"update"', b'"replace"'),
    "trade_off_the_scale": trades(trade(qty="0.000000001")),
    "trade_price_zero": trades(trade(price="0")),
    "trade_beyond_the_range": trades(trade(price="1e40")),
    "trade_without_a_time": trades(trade(timestamp='"yesterday"')),
    "unknown_channel": b'{"channel":"book2","type":"update","data":[{"symbol":"BTC/USD"}]}',
}


def assert_back(line: Line, symbol: str, pending: list[dict[str, Any]]) -> None:
    """The book comes back by unsubscribing and subscribing it."""
    (unsubscribe,) = [request for request in pending if request["params"]["symbol"] == [symbol]]
    (subscribe,) = sent(line.hear(ack(unsubscribe)))
    line.hear(ack(subscribe), snapshot(symbol))
    assert of(BookDelta, line.hear(update(symbol)))


@pytest.mark.parametrize("name", NOT_FRAMES)
def test_a_frame_nobody_can_explain_loses_every_book_on_the_link(name: str) -> None:
    """It may have been anybody's update. All are told, all are asked for again, a person can read why."""
    line = Line(*TWO).live()
    outputs = line.hear(NOT_FRAMES[name])
    assert lost(outputs) == [0, 1]
    assert next(notice.level for notice in of(Notice, outputs) if "unexplained frame" in notice.text) == "error"
    assert all(len(notice.text) < 1000 for notice in of(Notice, outputs)), "a megabyte of frame is not a message"
    for symbol in TWO:
        assert_back(line, symbol, sent(outputs))


@pytest.mark.parametrize("name", NAMED)
def test_an_unreadable_frame_that_names_a_symbol_loses_only_that_book(name: str) -> None:
    """A level or trade that fits no guest, a member missing: that symbol's book is lost, and nothing crashes."""
    line = Line(*TWO).live()
    outputs = line.hear(NAMED[name])
    assert lost(outputs) == [0]
    assert not [*of(BookDelta, outputs), *of(BookSnapshot, outputs), *of(Trade, outputs)]
    assert of(BookDelta, line.hear(update("ETH/USD")))
    assert line.hear(update("BTC/USD")) == []
    assert_back(line, "BTC/USD", sent(outputs))


@pytest.mark.parametrize("frame", [b'{"Error":"Exceeded msg rate"}', b'{"error":"Exceeded msg rate"}'])
def test_a_complaint_is_told_and_costs_no_book(frame: bytes) -> None:
    """It has no method and no id: for a person, not for the books."""
    line = Line(*TWO).live()
    (notice,) = line.hear(frame)
    assert isinstance(notice, Notice)
    assert (notice.level, "Exceeded msg rate" in notice.text) == ("error", True)
    assert of(BookDelta, line.hear(update()))


# --- precision -----------------------------------------------------------------------------------------------------


def test_a_change_of_precision_loses_the_book_and_reads_the_new_digits() -> None:
    """First the metadata, then the loss: the book's texts were of other digits. Other symbols do not notice."""
    line = Line(*TWO).live()
    outputs = line.hear(instruments(pair("BTC/USD", 2), pair("ETH/USD"), kind="update"))
    kinds = [type(output) for output in outputs]
    assert kinds.index(InstrumentUpdate) < kinds.index(BookLost)
    assert lost(outputs) == [0]
    assert of(BookDelta, line.hear(update("ETH/USD")))
    (unsubscribe,) = sent(outputs)
    (subscribe,) = sent(line.hear(ack(unsubscribe)))
    (event,) = line.hear(ack(subscribe), book("snapshot", [("62806.95", "1")], []))
    assert isinstance(event, BookSnapshot)
    assert event.bids == [(62_806_950_000_000, 100_000_000)]


def test_a_change_beyond_the_scale_ends_that_symbol() -> None:
    """Nothing is read at a scale that cannot hold it."""
    line = Line(*TWO).live()
    outputs = line.hear(instruments(pair("BTC/USD", 10), kind="update"))
    assert lost(outputs) == [0]
    assert line.hear(update("BTC/USD")) == []
    assert of(BookDelta, line.hear(update("ETH/USD")))
