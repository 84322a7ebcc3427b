"""A day on Binance's public side: metadata, subscriptions, questions, liveness."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from connectors.events import BookLost, BookSnapshot, InstrumentUpdate, Notice, Trade
from connectors.instrument import Instrument
from connectors.session import CALLS, Reconnect, Send, WakeAt
from tests.support.binance_frames import MS, SECOND, T0, Line, depth, diff, dumps, info, market, of, trade

TWO = ("BTC/USDT", "ETH/USDT")
NO_SYMBOL = dumps({"code": -1121, "msg": "Invalid symbol."})


def test_metadata_come_first_and_in_one_question() -> None:
    line = Line(*TWO)
    outputs = line.open()
    (question,) = line.asked
    assert question.path == "/api/v3/exchangeInfo"
    assert json.loads(question.fields["symbols"]) == ["BTCUSDT", "ETHUSDT"]
    assert not line.sent
    assert of(WakeAt, outputs)


def test_one_message_subscribes_all_markets() -> None:
    line = Line(*TWO)
    line.open()
    outputs = line.answer(info(market(), market("ETH/USDT", tick="0.10000000", step="1.00000000", status="HALT")))
    assert of(InstrumentUpdate, outputs) == [
        InstrumentUpdate(
            0,
            Instrument("binance", "BTC/USDT", 2, 5, 10_000_000, 1_000, 1_000, 5 * 10**9, venue_symbol="BTCUSDT"),
        ),
        InstrumentUpdate(
            1,
            Instrument("binance", "ETH/USDT", 1, 0, 100_000_000, 10**8, 1_000, 5 * 10**9, "HALT", "ETHUSDT"),
        ),
    ]
    assert line.sent == [
        {"method": "SUBSCRIBE", "id": 1,
         "params": ["btcusdt@depth@100ms", "btcusdt@trade", "ethusdt@depth@100ms", "ethusdt@trade"]}
    ]  # fmt: skip


def test_filters_of_nothing_are_switched_off() -> None:
    """0 is no tick: the currencies' own decimals are the grid. MIN_NOTIONAL is what NOTIONAL was called before."""
    line = Line()
    line.open()
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.00000000", "maxPrice": "0.00000000", "tickSize": "0.00000000"},
        {"filterType": "LOT_SIZE", "minQty": "0.00000000", "maxQty": "9.00000000", "stepSize": "0.00000000"},
        {"filterType": "MIN_NOTIONAL", "minNotional": "10.00000000"},
        {"filterType": "SOMETHING_NEW", "limit": 5},
    ]
    (update,) = of(InstrumentUpdate, line.answer(info(market(filters=filters))))
    assert update.definition == Instrument("binance", "BTC/USDT", 8, 8, 10, 1, 0, 10 * 10**9, venue_symbol="BTCUSDT")


def test_a_symbol_that_is_not_listed_fails_alone() -> None:
    """A list with one wrong name is refused as a whole; each is then asked for by itself."""
    line = Line("BTC/USDT", "NO/SUCH", "ETH/USDT")
    line.open()
    line.answer(NO_SYMBOL, 400)
    line.wait(0.5)
    assert [one.fields["symbol"] for one in line.asked] == ["BTCUSDT", "NOSUCH", "ETHUSDT"]
    line.answer(info(market()))
    outputs = line.answer(NO_SYMBOL, 400)
    assert of(BookLost, outputs) == [BookLost(1, "refused: binance does not list NO/SUCH")]
    assert "the other symbols go on" in of(Notice, outputs)[0].text
    line.answer(info(market("ETH/USDT")))
    line.wait(1)
    assert [one["params"][0] for one in line.sent] == ["btcusdt@depth@100ms", "ethusdt@depth@100ms"]


def test_a_listed_name_of_other_currencies_is_not_ours() -> None:
    """`AB/C` and `A/BC` have one name at Binance; its own metadata say which it is."""
    line = Line("A/BC")
    line.open()
    outputs = line.answer(info(market("AB/C")))
    assert of(BookLost, outputs) == [BookLost(0, "refused: binance does not list A/BC")]


def test_the_venues_own_name_works() -> None:
    line = Line("BTCUSDT")
    line.open()
    (update,) = of(InstrumentUpdate, line.answer(info(market())))
    assert (update.definition.symbol, update.definition.venue_symbol) == ("BTCUSDT", "BTCUSDT")


def test_a_market_that_does_not_fit_is_refused() -> None:
    line = Line(*TWO)
    line.open()
    outputs = line.answer(info(market(tick="0.00000000001"), market("ETH/USDT")))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    assert line.sent[0]["params"] == ["ethusdt@depth@100ms", "ethusdt@trade"]


def test_metadata_are_asked_for_again() -> None:
    """Sooner where it failed, every five minutes where not; the book stands, unless its digits changed."""
    line = Line()
    line.open()
    line.answer(b"<html>502</html>", 502)
    line.wait(0.9)
    assert not line.asked
    line.wait(0.3)
    line.answer(b"connection refused", 0)
    line.wait(2.2)
    line.answer(info(market()))
    line.wait(0.3)
    line.ack()
    line.hear(diff(150, 160))
    line.wait(0.2)
    line.answer(depth(160))
    line.all.clear()
    number = 160
    while not [one for one in line.asked if one.path.endswith("Info")]:
        line.wait(1)
        number += 1
        line.hear(diff(number, number))
    assert 290 <= (line.now_ns - T0) / SECOND <= 310
    assert not of(BookLost, line.all)
    outputs = line.answer(info(market(status="BREAK")))
    assert not of(BookLost, outputs)
    assert of(InstrumentUpdate, outputs)[0].definition.status == "BREAK"
    for _ in range(301):
        line.wait(1)
        number += 1
        line.hear(diff(number, number))
    outputs = line.answer(info(market(tick="0.10000000")))
    assert of(BookLost, outputs) == [BookLost(0, "precision changed")]


def test_a_market_that_is_listed_later_comes_back() -> None:
    line = Line(*TWO)
    line.open()
    line.answer(info(market()))
    line.wait(0.3)
    line.ack()
    for n in range(300):
        line.wait(1, alive=True)
        line.hear(diff(100 + n, 100 + n))
        while line.asked and line.asked[0].path.endswith("depth"):
            line.answer(depth(100 + n))
    line.wait(2, alive=True)
    assert [one.fields for one in line.asked if one.path.endswith("Info")] == [
        {"symbol": "BTCUSDT"},
        {"symbol": "ETHUSDT"},
    ]
    line.answer(info(market("ETH/USDT")), asked=line.asked[-1])
    line.wait(0.3)
    assert line.sent[-1]["params"] == ["ethusdt@depth@100ms", "ethusdt@trade"]


def test_trades_have_the_takers_side() -> None:
    line = Line()
    line.live()
    assert line.hear(trade()) == [Trade(0, 62_806_900_000_000, 1_250_000, -1, 12345, (MS - 1) * 10**6)]
    assert of(Trade, line.hear(trade(m=False)))[0].side == 1
    assert of(Notice, line.hear(trade(p="many")))[0].level == "error"
    assert not of(BookLost, line.all)


# --- the socket -------------------------------------------------------------------------------------------------------


def test_two_messages_never_leave_closer_than_a_quarter_second() -> None:
    """Binance closes a socket that sends more than five a second."""
    symbols = [f"A{n}/USDT" for n in range(170)]
    line = Line(*symbols)
    line.open()
    for _ in range(60):
        while line.asked:
            names = json.loads(line.asked[0].fields["symbols"])
            line.answer(info(*(market(one.replace("USDT", "/USDT")) for one in names)))
        line.wait(0.05)
    assert sum(len(one["params"]) for one in line.sent) == 340
    assert all(len(one["params"]) <= 100 for one in line.sent)
    assert all(b - a >= SECOND // 4 for a, b in pairwise(line.sent_ns))


def test_one_market_under_two_names() -> None:
    """The first of them is followed; the other one says why not."""
    line = Line("BTC/USDT", "BTCUSDT")
    outputs = line.open()
    assert [(lost.instrument, lost.reason.partition(":")[0]) for lost in of(BookLost, outputs)] == [(1, "refused")]
    line.answer(info(market()))
    line.wait(0.3)
    line.ack()
    line.hear(diff(150, 160))
    line.wait(0.2)
    assert [one.instrument for one in of(BookSnapshot, line.answer(depth(160)))] == [0]


def test_a_refused_subscription_is_tried_one_market_at_a_time() -> None:
    line = Line(*TWO)
    line.open()
    line.answer(info(market(), market("ETH/USDT")))
    line.hear(dumps({"error": {"code": 2, "msg": "Invalid request: odd"}, "id": line.sent.pop()["id"]}))
    line.wait(0.6)
    first, second = line.sent
    assert [len(one["params"]) for one in (first, second)] == [2, 2]
    outputs = line.hear(dumps({"error": {"code": 2, "msg": "Invalid request: odd"}, "id": first["id"]}))
    assert of(BookLost, outputs) == [BookLost(0, "refused: 2 Invalid request: odd")]
    line.hear(dumps({"result": None, "id": second["id"]}))
    line.wait(1.2)
    assert of(BookSnapshot, line.answer(depth(5)))


def test_no_ack() -> None:
    """Subscribed anew, with back-off; a diff is as good as an ack."""
    line = Line()
    line.open()
    line.answer(info(market()))
    line.sent.clear()
    line.wait(5.3, alive=True)
    assert [one["method"] for one in line.sent] == ["SUBSCRIBE"]
    line.sent.clear()
    line.hear(diff(150, 160))
    line.wait(0.2)
    assert of(BookSnapshot, line.answer(depth(160)))
    line.wait(8, alive=True)
    assert not line.sent


def test_a_silent_link_is_asked_and_then_dialled_anew() -> None:
    """By `tick` alone: ten seconds, a question, ten more, the end."""
    line = Line(*TWO)
    line.live()
    line.wait(9)
    assert not line.sent
    line.wait(1.2)
    assert [one["method"] for one in line.sent] == ["LIST_SUBSCRIPTIONS"]
    outputs = line.wait(10)
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0, 1]
    assert of(Reconnect, outputs)[0].link == "public"
    assert not line.wait(100)


def test_what_is_not_subscribed_any_more_is_subscribed_anew() -> None:
    line = Line(*TWO)
    line.live()
    line.wait(10.2)
    streams = ["btcusdt@depth@100ms", "btcusdt@trade", "ethusdt@trade"]
    outputs = line.hear(dumps({"result": streams, "id": line.sent.pop()["id"]}))
    assert of(BookLost, outputs) == [BookLost(1, "unsubscribed")]
    line.wait(0.6)
    assert [(one["method"], one["params"][0]) for one in line.sent][-1] == ("SUBSCRIBE", "ethusdt@depth@100ms")


@pytest.mark.parametrize(
    "frame", [{"e": "serverShutdown", "E": MS}, {"stream": "!events", "data": {"e": "serverShutdown", "E": MS}}]
)
def test_a_shutdown_that_is_announced(frame: object) -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(dumps(frame))
    assert len(of(BookLost, outputs)) == 2
    assert len(of(Reconnect, outputs)) == 1


def test_after_a_reconnect_everything_is_made_anew() -> None:
    """With the metadata that are there; the books wait for new snapshots."""
    line = Line(*TWO)
    line.live()
    assert [lost.reason for lost in of(BookLost, line.close())] == ["link down"] * 2
    line.open()
    assert [one["method"] for one in line.sent] == ["SUBSCRIBE"]
    line.ack()
    assert not of(BookSnapshot, line.hear(diff(900, 901)))
    line.wait(0.2)
    assert of(BookSnapshot, line.answer(depth(901), asked=line.asked[-1]))


# --- questions --------------------------------------------------------------------------------------------------------


def test_no_storm_of_snapshots_overdraws_the_weight() -> None:
    """Half of what an address has a minute; those that were due first are first."""
    symbols = [f"A{n}/USDT" for n in range(30)]
    line = Line(*symbols, depth=1000)
    line.open()
    line.answer(info(*(market(symbol) for symbol in symbols)))
    line.wait(0.3)
    line.ack()
    weights = {"5000": 250, "5": 5}
    asked: list[tuple[int, str, int]] = []
    for _ in range(1500):
        line.wait(0.1, alive=True)
        while line.asked:
            question = line.asked[0]
            if question.path.endswith("depth"):
                asked.append((line.now_ns, question.fields["symbol"], weights[question.fields["limit"]]))
                line.answer(depth(7))
            else:
                line.answer(info(*(market(symbol) for symbol in symbols)))
    assert len({name for _, name, weight in asked if weight == 250}) == 30
    for now_ns, _, _ in asked:
        assert sum(weight for when, _, weight in asked if now_ns - 60 * SECOND < when <= now_ns) <= 3000


@pytest.mark.parametrize(
    ("status", "body", "seconds"),
    [
        (429, dumps({"code": -1003, "msg": "Too much request weight used"}), 60),
        (418, dumps({"code": -1003, "msg": f"Way too many requests; IP banned until {T0 // 10**6 + 300_000}."}), 300),
    ],
)
def test_an_address_that_asked_too_much_is_quiet(status: int, body: bytes, seconds: int) -> None:
    line = Line()
    line.subscribed()
    line.hear(diff(150, 160))
    outputs = line.answer(body, status)
    assert f"HTTP {status}" in of(Notice, outputs)[0].text
    for _ in range(seconds - 2):
        line.wait(1, alive=True)
    assert not line.asked
    line.wait(65, alive=True)
    assert line.asked


def test_a_question_that_the_door_never_answers() -> None:
    line = Line()
    line.subscribed()
    line.hear(diff(150, 160))
    line.asked.clear()
    line.wait(30.5, alive=True)
    assert [one.path for one in line.asked] == ["/api/v3/depth"]


@pytest.mark.parametrize(
    ("status", "body"), [(200, b"{"), (200, b'{"lastUpdateId":"1","bids":[],"asks":[]}'), (500, b""), (0, b"no answer")]
)
def test_a_snapshot_that_did_not_come_is_asked_for_again(status: int, body: bytes) -> None:
    line = Line()
    line.subscribed()
    line.hear(diff(150, 160))
    outputs = line.answer(body, status)
    assert "no snapshot" in of(Notice, outputs)[0].text
    line.wait(0.3)
    assert of(BookSnapshot, line.answer(depth(160)))


def test_nothing_is_asked_before_the_link_is_up() -> None:
    line = Line(*TWO)
    line.wait(20)
    line.session.receive(b"7 200\n{}", line.now_ns, CALLS)
    assert not of(Send, line.all)


def test_other_streams_are_named_once() -> None:
    line = Line()
    line.live()
    ticker = dumps({"stream": "btcusdt@bookTicker", "data": {"u": 4, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2"}})
    assert [one.text for one in of(Notice, line.hear(ticker))] == [
        "binance: data of stream bookTicker, which is not read here"
    ]
    assert not line.hear(ticker)
    assert not line.hear(ticker.replace(b"btcusdt", b"ethusdt"))


@pytest.mark.parametrize("frame", [b"", b"[]", b"{}", b'"x"', b'{"stream":1}', b"\xff\xfe", b"[" * 3000])
def test_a_frame_that_says_nothing_concerns_everybody(frame: bytes) -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(frame)
    assert [lost.reason for lost in of(BookLost, outputs)] == ["unexplained frame"] * 2
    assert of(Notice, outputs)[0].level == "error"
