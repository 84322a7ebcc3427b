"""OKX's public socket: metadata over HTTP, subscriptions, trades, tickers, liveness, maintenance."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, Ticker, Trade, VenueStatus
from connectors.instrument import Instrument
from connectors.session import Reconnect, Send
from tests.support.okx_frames import (
    SECOND,
    STAMP,
    Line,
    ack,
    dump,
    markets,
    no,
    notice,
    of,
    pair,
    push,
    sent,
    snapshot,
    ticker,
    trade,
    update,
    work,
)

TWO = ("BTC/USDT", "ETH/USDT")
BIDS_SCALED = [(62_806_900_000_000, 50_000_000), (62_806_500_000_000, 159_223)]
ASKS_SCALED = [(62_807_000_000_000, 120_000_000), (62_807_100_000_000, 7_500_000)]


def test_metadata_come_first_over_http() -> None:
    """Opening asks for the list of markets and for its changes; without precisions no book is asked for."""
    line = Line(*TWO)
    outputs = line.open()
    calls = [send.data for send in of(Send, outputs) if send.link == "calls"]
    assert calls == [b"1 GET /api/v5/public/instruments\ninstType=SPOT"]
    (request,) = sent(outputs)
    assert [arg["channel"] for arg in request["args"]] == ["instruments", "status"]
    asked = sent(line.called(markets(pair(), pair("ETH-USDT"), pair("DOGE-USDT"))))
    assert [[arg["channel"] for arg in one["args"]] for one in asked] == [["books"], ["trades"]] * 2
    assert [one["args"][0]["instId"] for one in asked] == ["BTC-USDT", "BTC-USDT", "ETH-USDT", "ETH-USDT"]
    assert len({one["id"] for one in asked}) == 4


def test_metadata_are_exact() -> None:
    line = Line()
    line.open()
    outputs = line.called(markets(pair(tick="0.05", lot="0.0001", minSz="0.002", instIdCode=2021032601102994)))
    assert of(InstrumentUpdate, outputs) == [
        InstrumentUpdate(
            0,
            Instrument(
                venue="okx", symbol="BTC/USDT", price_precision=2, size_precision=4, tick_size_1e9=50_000_000,
                lot_size_1e8=10_000, min_qty_1e8=200_000, venue_symbol="BTC-USDT", venue_code="2021032601102994",
            ),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "ours"), [(None, ""), (7, "7")])
def test_a_market_may_have_no_code_yet(code: int | None, ours: str) -> None:
    line = Line()
    line.open()
    (told,) = of(InstrumentUpdate, line.called(markets(pair(instIdCode=code, state="suspend"))))
    assert (told.definition.venue_code, told.definition.status) == (ours, "suspend")


def test_a_market_is_found_by_its_currencies_and_followed_under_its_own_name() -> None:
    line = Line()
    line.open()
    outputs = line.called(markets(pair("BTC-USDT-X", baseCcy="BTC", quoteCcy="USDT")))
    assert [one["args"][0]["instId"] for one in sent(outputs)] == ["BTC-USDT-X", "BTC-USDT-X"]
    assert of(BookSnapshot, line.hear(snapshot("BTC-USDT-X")))
    assert not of(BookSnapshot, line.hear(snapshot("BTC-USDT")))


def test_the_venues_own_name_works_as_symbol() -> None:
    line = Line("BTC-USDT")
    line.open()
    (told,) = of(InstrumentUpdate, line.called(markets(pair())))
    assert told.definition.symbol == "BTC-USDT"
    assert of(BookSnapshot, line.hear(snapshot()))


def test_what_okx_does_not_list_is_refused_alone() -> None:
    line = Line("BTC/USDT", "BTC/XYZ")
    line.open()
    outputs = line.called(markets(pair()))
    assert of(BookLost, outputs) == [BookLost(1, "refused: okx does not list BTC/XYZ")]
    assert [one.level for one in of(Notice, outputs)] == ["error"]
    assert {one["args"][0]["instId"] for one in sent(outputs)} == {"BTC-USDT"}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"tick": "0.00000000001"}, "more than 9 decimals"),
        ({"lot": "0.000000001"}, "more than 8 decimals"),
        ({"tick": ""}, "not a number"),
        ({"tick": "0"}, "tick and lot must be positive"),
        ({"minSz": None}, "minSz"),
    ],
)
def test_a_market_beyond_the_scale_is_refused_alone(changes: dict[str, Any], problem: str) -> None:
    line = Line(*TWO)
    line.open()
    outputs = line.called(markets(pair(**changes), pair("ETH-USDT")))
    (lost,) = of(BookLost, outputs)
    assert lost.instrument == 0
    assert problem in lost.reason
    assert {one["args"][0]["instId"] for one in sent(outputs)} == {"ETH-USDT"}


@pytest.mark.parametrize(
    "answer",
    [
        b"1 0\nno answer: the socket was cut",
        b"1 503\n<html>busy</html>",
        markets(code="50011"),
        markets(),
        b"1 200\n[1]",
        b"1 200\n{",
        b"",
        b"\xff\xfe 200\n",
        markets(pair(), status=429),
    ],
)
def test_metadata_that_do_not_come_are_asked_for_again(answer: bytes) -> None:
    """After 1, 2, 4 … 60 s; the first good answer begins the day."""
    line = Line()
    line.open()
    for pause in (1, 2, 4):
        assert [one.level for one in of(Notice, line.called(answer))] == ["warning"]
        asked = [send for send in of(Send, line.wait(pause - 0.5)) if send.link == "calls"]
        assert not asked
        assert [send.link for send in of(Send, line.wait(0.5)) if send.link == "calls"] == ["calls"]
    assert sent(line.called(markets(pair())), "books")
    assert not [send for send in of(Send, line.wait(80)) if send.link == "calls"]


def test_no_answer_at_all_is_asked_again_too() -> None:
    line = Line()
    line.open()
    assert [send.data for send in of(Send, line.wait(15)) if send.link == "calls"] == [
        b"2 GET /api/v5/public/instruments\ninstType=SPOT"
    ]


def test_an_answer_of_a_recording_counts() -> None:
    line = Line()
    line.open()
    body = dump({"code": "0", "msg": "", "data": [pair()]})
    assert not line.called(b"GET /api/v5/public/time 200\n{}")
    assert of(InstrumentUpdate, line.called(b"GET /api/v5/public/instruments?instType=SPOT 200\n" + body))


def test_books_trades_and_tickers_are_read() -> None:
    line = Line(is_ticking=True)
    for request in line.subscribing():
        line.hear(ack(request))
    (loaded,) = line.hear(snapshot())
    assert loaded == BookSnapshot(0, BIDS_SCALED, ASKS_SCALED, None, 400, STAMP)
    (delta,) = line.hear(update())
    assert delta == BookDelta(0, [(62_806_500_000_000, 0)], [], None, STAMP)
    (bought, sold) = line.hear(push("trades", trade(), trade(side="sell", tradeId="130639475"), instId="BTC-USDT"))
    ts = 1_630_048_897_897_000_000
    assert bought == Trade(0, 42_219_900_000_000, 12_060_306, 1, 130639474, ts)
    assert sold == Trade(0, 42_219_900_000_000, 12_060_306, -1, 130639475, ts)
    (told,) = line.hear(push("tickers", ticker(), instId="BTC-USDT"))
    day = (30_236_000_000_000, 1_760_213_085_371, 31_073_000_000_000, 28_020_300_000_000)
    assert told == Ticker(0, *day, "2022-05-13T16:27:04.956Z")


def test_tickers_are_subscribed_where_they_are_planned() -> None:
    line = Line(is_ticking=True)
    line.open()
    beside = sent(line.called(markets(pair())), "tickers")
    assert [[arg["channel"] for arg in one["args"]] for one in beside] == [["trades", "tickers"]]


def test_a_recordings_acks_without_ids_and_frames_with_spaces_are_read() -> None:
    line = Line(known={0: Instrument.parse("okx", "BTC/USDT:1:8")})
    assert not line.hear(dump({"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}}))
    assert of(BookSnapshot, line.hear(snapshot().replace(b":", b": ").replace(b'-USDT"}', b'-USDT" }')))


def test_a_change_of_precision_costs_that_book_alone() -> None:
    line = Line(*TWO).live()
    outputs = line.hear(push("instruments", pair(tick="0.01"), instType="SPOT"))
    assert of(BookLost, outputs) == [BookLost(0, "precision changed")]
    assert [one["op"] for one in sent(outputs, "books")] == ["unsubscribe"]
    assert of(BookDelta, line.hear(update("ETH-USDT")))


def test_a_change_of_state_costs_no_book() -> None:
    line = Line().live()
    outputs = line.hear(push("instruments", pair(state="suspend"), pair("XYZ-USDT"), instType="SPOT"))
    assert [told.definition.status for told in of(InstrumentUpdate, outputs)] == ["suspend"]
    assert not of(BookLost, outputs)


# --- liveness --------------------------------------------------------------------------------------------------------


def test_a_quiet_link_is_pinged_and_lives_by_its_pongs() -> None:
    line = Line()
    line.open()
    line.called(markets(pair()))
    quiet = line.wait(60)
    assert len([send for send in of(Send, quiet) if send.data == b"ping"]) == 12
    assert not of(Reconnect, quiet)


def test_a_dead_link_is_dialled_again() -> None:
    line = Line(*TWO).live()
    early = line.wait(10, is_alive=False)
    assert [send.data for send in of(Send, early)] == [b"ping", b"ping"]
    assert not of(Reconnect, early)
    late = line.wait(0.5, is_alive=False)
    assert [lost.reason for lost in of(BookLost, late)] == ["link silent", "link silent"]
    assert len(of(Reconnect, late)) == 1
    assert not line.hear(update()), "it comes too late"


def test_a_book_that_owes_its_minute_is_asked_for_anew() -> None:
    """On a link that lives: OKX says after about a minute that nothing changed."""
    line = Line(*TWO).live()
    line.wait(60)
    line.hear(update("ETH-USDT", chain=(10, 10), bids=[]))
    outputs = line.wait(31)
    assert of(BookLost, outputs) == [BookLost(0, "no book message in 90 s")]


def test_a_notice_of_closing_is_followed_at_once_and_not_in_a_loop() -> None:
    """The next connection may have one as well: it is left half a minute later, in good time all the same."""
    line = Line(*TWO).live()
    outputs = line.hear(notice())
    assert len(of(Reconnect, outputs)) == 1
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0, 1]
    line.session.close(line.now_ns)
    line.open()
    assert not of(Reconnect, [*line.hear(notice()), *line.hear(notice()), *line.wait(29)])
    assert len(of(Reconnect, line.wait(1.5))) == 1


@pytest.mark.parametrize("frame", [notice("64000"), dump({"event": "notice"}), dump({"event": "channel-conn-count"})])
def test_other_notices_are_told_and_change_nothing(frame: bytes) -> None:
    line = Line().live()
    outputs = line.hear(frame)
    assert [type(one) for one in outputs] == [Notice]
    assert of(BookDelta, line.hear(update()))


def test_after_a_reconnect_everything_is_subscribed_anew_with_what_is_known() -> None:
    line = Line(*TWO).live()
    assert len(of(BookLost, line.session.close(line.now_ns))) == 2
    outputs = line.open()
    assert len(sent(outputs, "books")) == 2
    assert [send.link for send in of(Send, outputs)].count("calls") == 1
    assert not line.hear(update()), "no snapshot yet"
    assert of(BookSnapshot, line.hear(snapshot()))


# --- refusals --------------------------------------------------------------------------------------------------------


def test_a_channel_that_does_not_exist_is_not_asked_for_again() -> None:
    line = Line(*TWO)
    first, second = line.subscribing()
    outputs = line.hear(no(first, "60018", "Wrong URL or channel:books,instId:BTC-USDT doesn't exist."))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    line.hear(ack(second), snapshot("ETH-USDT"))
    assert not sent(line.wait(70), "books")


def test_another_refusal_is_tried_again_with_back_off() -> None:
    line = Line()
    (request,) = line.subscribing()
    (request,) = sent(line.hear(no(request, "60014", "Requests too frequent")), "books")
    for pause in (1, 2, 4):
        assert not sent(line.hear(no(request, "60014", "Requests too frequent")), "books")
        assert not sent(line.wait(pause - 0.5), "books")
        (request,) = sent(line.wait(0.5), "books")
    line.hear(ack(request))
    assert of(BookSnapshot, line.hear(snapshot()))


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    line = Line()
    line.subscribing()
    assert [one["op"] for one in sent(line.wait(5), "books")] == ["subscribe"]


# --- maintenance ------------------------------------------------------------------------------------------------------


def test_maintenance_is_told_and_its_end_too() -> None:
    line = Line().live()
    assert not of(VenueStatus, line.hear(push("status", work("scheduled"))))
    assert of(VenueStatus, line.hear(push("status", work("ongoing")))) == [VenueStatus("okx", "maintenance")]
    assert of(VenueStatus, line.hear(push("status", work("pre_open")))) == [VenueStatus("okx", "post_only")]
    assert of(VenueStatus, line.hear(push("status", work("completed")))) == [VenueStatus("okx", "online")]
    assert not line.hear(push("status", work("completed", "another one")))


def test_two_works_are_over_when_both_are() -> None:
    line = Line().live()
    line.hear(push("status", work("ongoing"), work("ongoing", "another")))
    assert not of(VenueStatus, line.hear(push("status", work("canceled"))))
    assert of(VenueStatus, line.hear(push("status", work("completed", "another")))) == [VenueStatus("okx", "online")]


@pytest.mark.parametrize("changes", [{"serviceType": "7"}, {"serviceType": "99"}, {"env": "2"}])
def test_works_on_something_else_are_none_of_ours(changes: dict[str, str]) -> None:
    line = Line().live()
    assert not of(VenueStatus, line.hear(push("status", work("ongoing", **changes))))


def test_an_end_that_was_missed_is_not_waited_for_beyond_its_time() -> None:
    """The word came while the link was down: at the next connection what should be over is over."""
    line = Line().live()
    line.hear(push("status", work("ongoing", end=str((line.now_ns + 60 * SECOND) // 10**6))))
    line.session.close(line.now_ns)
    assert not of(VenueStatus, line.open()), "not over yet"
    line.session.close(line.now_ns)
    line.now_ns += 61 * SECOND
    assert of(VenueStatus, line.open()) == [VenueStatus("okx", "online")]


@pytest.mark.parametrize(
    "frame",
    [
        push("status", work("exploded")),
        push("status", {"state": 7}),
        push("instruments", {"instId": 7}),
        push("tickers", ticker(last="x"), instId="BTC-USDT"),
        push("candle1m", {"o": "1"}, instId="BTC-USDT"),
        push("trades", trade(px="x"), instId="BTC-USDT"),
        push("trades", trade(tradeId="9" * 40), instId="BTC-USDT"),
        push("trades", trade(ts=""), instId="BTC-USDT"),
        push("books", {}, instId="XYZ-USDT"),
    ],
)
def test_what_makes_no_book_costs_none(frame: bytes) -> None:
    """It is told once, loudly or as a warning, and the book goes on."""
    line = Line(is_ticking=True).live()
    outputs = [*line.hear(frame), *line.hear(frame)]
    assert of(Notice, outputs)
    assert len(outputs) == 1
    assert of(BookDelta, line.hear(update()))
