"""What goes wrong on Bybit's public socket, and what is done about it: gaps, refusals, answers that do not come."""

from __future__ import annotations

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, Notice
from connectors.session import CALLS, Output
from connectors.venues.bybit import followed
from tests.support.bybit_frames import (
    SECOND,
    Line,
    asked,
    delta,
    listing,
    no,
    of,
    sent,
    snapshot,
    topics,
    trades,
    yes,
)

TWO = ("BTC/USDT", "ETH/USDT")


def answer(line: Line, outputs: list[Output]) -> list[Output]:
    """Yes to all requests among `outputs`."""
    return [out for request in sent(outputs) if "args" in request for out in line.hear(yes(request))]


@pytest.mark.parametrize("u", [102, 99, 2, 10**15])
def test_a_jump_of_the_number_is_a_lost_message(u: int) -> None:
    """Forwards and backwards: the book is gone at once, asked for anew, and no other is touched."""
    line = Line(*TWO).live()
    outputs = line.hear(delta(u))
    assert of(BookLost, outputs) == [BookLost(0, f"gap: message {u} came after 100", is_gap=True)]
    assert topics(outputs) == [("unsubscribe", "orderbook.50.BTCUSDT")]
    assert line.valid() == [False, True]
    assert of(BookDelta, line.hear(delta(u + 1))) == []
    again = answer(line, outputs)
    assert topics(again) == [("subscribe", "orderbook.50.BTCUSDT")]
    answer(line, again)
    line.hear(snapshot(500))
    assert line.valid() == [True, True]
    assert of(BookDelta, line.hear(delta(501), delta(101, name="ETHUSDT"))) != []


def test_a_message_that_comes_twice_changes_nothing() -> None:
    line = Line().live()
    once = line.hear(delta())
    before = line.books[0].bids
    outputs = line.hear(delta(), delta())
    assert of(BookDelta, once) != []
    assert of(BookLost, outputs) == []
    assert of(BookDelta, outputs) == []
    assert len(of(Notice, outputs)) == 1
    assert line.books[0].bids == before
    assert of(BookDelta, line.hear(delta(102))) != []


def test_where_numbers_need_not_be_continuous(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should Bybit skip some at a depth: a jump is no loss any more, a number that falls still is."""
    monkeypatch.setattr(followed, "CONTINUOUS", False)
    line = Line().live()
    assert of(BookDelta, line.hear(delta(150))) != []
    assert of(BookLost, line.hear(delta(140)))[0].is_gap


def test_back_off_doubles_and_health_ends_it() -> None:
    """At once the first time, then after 1, 2, 4 … 60 s; a minute of health, and it begins again."""
    line = Line().live()
    delays = []
    for turn in range(9):
        began_ns = line.now_ns
        outputs = line.resync()
        while not topics(outputs):
            line.hear(trades())
            outputs = line.wait(0.5)
        delays.append((line.now_ns - began_ns) // SECOND)
        answer(line, answer(line, outputs))
        line.hear(snapshot(1000 + turn))
    assert delays == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    line.wait_heard(61)
    assert topics(line.resync()) != []


def test_an_answer_that_does_not_come() -> None:
    """No ack, no snapshot, no word to an unsubscribe: each ends after five seconds, and the next thing is tried."""
    line = Line()
    line.subscribing()
    outputs = line.wait_heard(6)
    assert "bybit BTC/USDT: no ack in 5 s; resubscribing in 0 s" in [notice.text for notice in of(Notice, outputs)]
    assert topics(outputs)[0] == ("subscribe", "orderbook.50.BTCUSDT")
    answer(line, outputs)
    outputs = line.wait_heard(6)
    assert "bybit BTC/USDT: no snapshot in 5 s; resubscribing in 1 s" in [notice.text for notice in of(Notice, outputs)]
    assert topics(outputs) == [("unsubscribe", "orderbook.50.BTCUSDT")]
    outputs = line.wait_heard(6)
    assert topics(outputs) == [("subscribe", "orderbook.50.BTCUSDT")]


@pytest.mark.parametrize(
    "words", ["Invalid symbol :[orderbook.50.BTCUSDT]", "error:handler not found,topic:orderbook.50.BTCUSDT"]
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_refused_symbol_fails_alone(words: str, is_named: bool) -> None:
    """Whether its number comes back or only the topic in the words."""
    line = Line(*TWO)
    (request, *others) = line.subscribing()
    outputs = line.hear(no(request if is_named else {**request, "req_id": ""}, words))
    assert of(BookLost, outputs) == [BookLost(0, f"refused: {words}")]
    for other in others:
        line.hear(yes(other))
    line.hear(snapshot(name="ETHUSDT", bids=[("2000", "1")], asks=[("2001", "1")]))
    assert line.valid() == [False, True]
    assert topics(line.wait_heard(60)) == []


def test_a_refusal_of_another_kind_is_tried_again() -> None:
    line = Line()
    (request, trade_request) = line.subscribing()
    outputs = line.hear(no(request, "system busy"))
    assert [notice.level for notice in of(Notice, outputs)] == ["error", "warning"]
    assert topics(outputs) == [("subscribe", "orderbook.50.BTCUSDT")]
    (notice,) = of(Notice, line.hear(no(trade_request, "system busy")))
    assert notice.text == "bybit refused subscribe publicTrade.BTCUSDT: system busy"


def test_already_subscribed_is_a_subscription() -> None:
    """The second of two requests: the first one works, and an unsubscribe is needed to have a snapshot again."""
    words = "error:already subscribed,topic:orderbook.50.BTCUSDT"
    line = Line()
    (request, _) = line.subscribing()
    line.hear(snapshot())
    assert of(BookLost, line.hear(no(request, words))) == []
    assert line.valid() == [True]
    other = Line()
    (request, _) = other.subscribing()
    outputs = other.hear(no(request, words))
    assert topics(outputs) == [("unsubscribe", "orderbook.50.BTCUSDT")]
    (unsubscribe,) = sent(outputs)
    assert topics(other.hear(no(unsubscribe, "not subscribed"))) == [("subscribe", "orderbook.50.BTCUSDT")]


def test_an_unsubscription_nobody_asked_for() -> None:
    """Its answer overtook a snapshot: nobody else will ask for this book again."""
    line = Line().live()
    (unsubscribe,) = sent(line.resync())
    line.hear(snapshot(300))
    outputs = line.hear(yes(unsubscribe))
    assert of(BookLost, outputs) == [BookLost(0, "unsubscribed")]
    assert topics(outputs + line.wait(1.5)) == [("subscribe", "orderbook.50.BTCUSDT")]


def test_a_list_of_markets_that_does_not_come_is_asked_for_again() -> None:
    """Silence, an error, another answer: nothing is subscribed, and the next question has its own number."""
    line = Line()
    line.open()
    stray = line.hear(listing(5), b"x", b"\xff", link=CALLS)
    assert stray == []
    bad = [
        b"%d 0\nno answer: refused", b"%d 403\n<html>", b'%d 200\n{"retCode":10006,"retMsg":"slow down"}',
        b'%d 200\n{"retCode":0,"result":{"list":[]}}', b"%d 200\n" + b"[" * 5000,
    ]  # fmt: skip
    for place, body in enumerate(bad):
        (notice,) = of(Notice, line.hear(body % (1 + place), link=CALLS))
        assert notice.text.startswith("bybit: no list of markets (")
        assert asked(line.wait_heard(1 << place))[0].startswith(b"%d GET " % (place + 2))
    (notice,) = of(Notice, line.wait_heard(20))
    assert notice.text == "bybit: no list of markets (no answer); again in 32 s"
    assert len(asked(line.wait_heard(32))) == 1
    assert topics(line.listed(number=7))[0] == ("subscribe", "orderbook.50.BTCUSDT")


def test_what_nobody_explained_costs_what_it_may_concern() -> None:
    """A frame that names a market costs that one; one that names nothing costs every book on the link."""
    line = Line(*TWO).live()
    line.hear(snapshot(name="ETHUSDT", bids=[("2000", "1")], asks=[("2001", "1")]))
    outputs = line.hear(snapshot(bids=[("x", "1")]))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    line = Line(*TWO).live()
    assert [lost.instrument for lost in of(BookLost, line.hear(b'{"topic":"orderb'))] == [0, 1]
    for level in (["62806.90"], [], ["62806.90", "-1"], ["0", "1"], ["62806.90", "1e-9"], [1, 2]):
        line = Line().live()
        frame = delta().replace(b'["62806.90","0"]', str(level).replace("'", '"').encode())
        assert of(BookLost, line.hear(frame)) == [BookLost(0, "unexplained frame")]
    line = Line().live()
    assert of(BookLost, line.hear(delta().replace(b'"s":"BTCUSDT"', b'"s":"ETHUSDT"'))) != []
    assert of(BookSnapshot, line.hear(snapshot(name="FOOUSDT"))) == []
    outputs = line.hear(b'{"topic":"kline.1.BTCUSDT","data":[]}', b'{"success":false,"ret_msg":"too fast","op":"x"}')
    assert of(BookLost, outputs) == []
    assert len(of(Notice, outputs)) == 2
