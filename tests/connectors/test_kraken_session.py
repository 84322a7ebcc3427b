"""What a healthy day on Kraken's public socket looks like: subscriptions, metadata, trades, status."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, Trade, VenueStatus
from connectors.instrument import Instrument
from connectors.session import Reconnect, Send, SessionPlan, WakeAt
from connectors.units import rfc3339_ns
from connectors.venues.kraken import VENUE
from tests.support.kraken_frames import (
    ASKS,
    BIDS,
    HEARTBEAT,
    SECOND,
    STAMP,
    T0,
    Line,
    ack,
    book,
    instruments,
    no,
    of,
    pair,
    sent,
    snapshot,
    status,
    trade,
    trades,
    update,
)

TWO = ("BTC/USD", "ETH/USD")
BIDS_SCALED = [(62_806_900_000_000, 50_930_100), (62_806_500_000_000, 159_223)]
ASKS_SCALED = [(62_807_000_000_000, 120_000_000), (62_807_100_000_000, 7_500_000)]


def subscribe(channel: str, symbol: str, req_id: int, **params: Any) -> dict[str, Any]:
    return {"method": "subscribe", "params": {"channel": channel, "symbol": [symbol], **params}, "req_id": req_id}


def test_metadata_comes_first() -> None:
    """Opening asks for the instrument channel and nothing else: without precisions no book can be read."""
    line = Line(*TWO)
    outputs = line.open()
    assert sent(outputs) == [
        {"method": "subscribe", "params": {"channel": "instrument", "snapshot": True}, "req_id": 1}
    ]
    assert [send.link for send in of(Send, outputs)] == ["public"]
    assert of(WakeAt, outputs) == [WakeAt(T0 + SECOND // 2)]


def test_one_request_per_symbol_and_channel() -> None:
    """Each request has one symbol and its own id, so that an answer without a name is still somebody's."""
    line = Line(*TWO, depth=25)
    assert line.subscribing() == [
        subscribe("book", "BTC/USD", 2, depth=25, snapshot=True),
        subscribe("trade", "BTC/USD", 3, snapshot=False),
        subscribe("book", "ETH/USD", 4, depth=25, snapshot=True),
        subscribe("trade", "ETH/USD", 5, snapshot=False),
    ]


def test_metadata_is_exact() -> None:
    """`1e-08`, `5e-05` and 20-digit integers beside them: the exact definition, unknown members ignored."""
    line = Line()
    line.open()
    outputs = line.hear(
        instruments(
            pair("XXX/USD", position_limit_long="15113583034416118705"),
            pair("BTC/USD", 1, 8, qty_increment="1e-08", qty_min="5e-05", position_limit_long="15113583034416118705"),
        )
    )
    assert of(InstrumentUpdate, outputs) == [
        InstrumentUpdate(
            0,
            Instrument(
                venue="kraken",
                symbol="BTC/USD",
                price_precision=1,
                size_precision=8,
                tick_size_1e9=100_000_000,
                lot_size_1e8=1,
                min_qty_1e8=5_000,
                min_notional_1e9=500_000_000,
                status="online",
            ),
        )
    ]


def test_a_later_update_of_metadata_is_told() -> None:
    """The pair's own status changes while its book goes on."""
    line = Line().live()
    outputs = line.hear(instruments(pair(status='"cancel_only"'), kind="update"))
    assert [told.definition.status for told in of(InstrumentUpdate, outputs)] == ["cancel_only"]
    assert not of(BookLost, outputs)
    assert of(BookDelta, line.hear(update()))


def test_a_pair_that_kraken_does_not_list_is_refused_and_the_others_live() -> None:
    """A typing error in one symbol is told by name and costs only that symbol."""
    line = Line("BTC/USD", "XBT/USD")
    line.open()
    outputs = line.hear(instruments(pair("BTC/USD"), pair("ETH/USD")))
    assert {request["params"]["symbol"][0] for request in sent(outputs)} == {"BTC/USD"}
    assert [(lost.instrument, lost.reason) for lost in of(BookLost, outputs)] == [
        (1, "refused: Kraken does not list XBT/USD")
    ]
    assert [notice.level for notice in of(Notice, outputs) if "XBT/USD" in notice.text] == ["error"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"price_precision": 10, "price_increment": "0.1"}, "price has 10 decimals"),
        ({"qty_precision": 9, "qty_increment": "1e-08"}, "size has 9 decimals"),
        ({"price_increment": "1e-10"}, "more than 9 decimals"),
        ({"qty_increment": "1e-09"}, "more than 8 decimals"),
        ({"price_increment": "0"}, "tick and lot must be positive"),
        ({"qty_min": "-1"}, "minimums must not be negative"),
    ],
)
def test_a_pair_beyond_the_scale_is_refused_by_name(changes: dict[str, Any], problem: str) -> None:
    """It cannot be represented exactly, so it is not subscribed at all; the others are."""
    line = Line(*TWO)
    line.open()
    outputs = line.hear(instruments(pair("BTC/USD", **changes), pair("ETH/USD")))
    assert {request["params"]["symbol"][0] for request in sent(outputs)} == {"ETH/USD"}
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    (notice,) = of(Notice, outputs)
    assert notice.level == "error"
    assert "BTC/USD" in notice.text
    assert problem in notice.text
    again = [request for request in sent(line.wait(20)) if request["params"]["symbol"] == ["BTC/USD"]]
    assert not again, "what can never fit is not tried again"


def test_a_link_without_metadata_is_dialled_again() -> None:
    """Asked twice on one connection, Kraken only says "Already subscribed": a new one is the way to a snapshot."""
    line = Line()
    line.open()
    assert not of(Reconnect, line.wait(4.5))
    assert [output.reason for output in of(Reconnect, line.wait(0.5))] == ["no instrument snapshot"]
    line.open()
    line.hear(instruments(pair()))
    assert not of(Reconnect, line.wait(4.5))


def test_a_pair_that_cannot_be_read_takes_no_other_along() -> None:
    """Kraken lists a thousand pairs; one of a new shape is nobody's business but its own."""
    line = Line(*TWO)
    line.open()
    broken = '{"symbol":"NEW/USD","price_precision":"many"}'
    outputs = line.hear(instruments(broken, pair("BTC/USD", qty_min="true"), pair("ETH/USD")))
    assert {request["params"]["symbol"][0] for request in sent(outputs)} == {"ETH/USD"}
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    outputs = line.hear(instruments(pair("BTC/USD"), kind="update"))
    assert {request["params"]["symbol"][0] for request in sent(outputs)} == {"BTC/USD"}, "what now fits is read"


# --- books ---------------------------------------------------------------------------------------------------------


def test_snapshot_and_updates_are_read_exactly() -> None:
    """Levels in the venue's order and at the guest's scales, with the checksum and the time as printed."""
    line = Line()
    for request in line.subscribing():
        assert line.hear(ack(request)) == []
    assert line.hear(snapshot(checksum=3_114_907_822)) == [
        BookSnapshot(0, BIDS_SCALED, ASKS_SCALED, 3_114_907_822, 10, STAMP)
    ]
    frame = update(bids=[("62806.5", "0.00000000"), ("62806.4", "1e-08")], asks=[("62807.0", "7")], checksum=1)
    assert line.hear(frame) == [
        BookDelta(
            0,
            [(62_806_500_000_000, 0), (62_806_400_000_000, 1)],
            [(62_807_000_000_000, 700_000_000)],
            1,
            STAMP,
        )
    ]


def test_a_snapshot_without_a_timestamp_is_a_snapshot() -> None:
    """As Kraken sent them in 2024 and 2025."""
    (event,) = Line().live().hear(snapshot(stamp=None))
    assert event == BookSnapshot(0, BIDS_SCALED, ASKS_SCALED, 0, 10, "")


def test_a_size_that_no_double_holds_is_read_from_its_text() -> None:
    """17 digits: the fast way cannot prove them, the text can."""
    (event,) = Line().live().hear(update(bids=[("62806.5", "123456789.12345678")]))
    assert isinstance(event, BookDelta)
    assert event.bids == [(62_806_500_000_000, 12_345_678_912_345_678)]


@pytest.mark.parametrize("kind", ["snapshot", "update"])
def test_a_frame_with_spaces_or_another_order_of_keys_is_the_same_frame(kind: str) -> None:
    """JSON promises neither order nor spacing, and a recorder may have printed the frame anew."""
    line = Line().live()
    frame = book(kind)
    spaced = frame.replace(b'{"channel":', b'{ "channel" : ')
    turned = b'{"data":' + frame.split(b'"data":')[1][:-1] + b',"type":"%s","channel":"book"}' % kind.encode()
    plain = line.hear(frame)
    assert [type(event) for event in plain] == [BookSnapshot if kind == "snapshot" else BookDelta]
    assert line.hear(spaced) == line.hear(turned) == plain


def test_updates_before_the_snapshot_are_dropped() -> None:
    """Between ack and snapshot an update belongs to nobody's book."""
    line = Line()
    for request in line.subscribing():
        line.hear(ack(request))
    assert line.hear(update()) == []
    line.hear(snapshot())
    assert of(BookDelta, line.hear(update()))


def test_an_ack_with_another_depth_sets_the_depth() -> None:
    """The book is cut where the venue cuts it."""
    line = Line(depth=10)
    request = line.subscribing()[0]
    line.hear(ack(request | {"params": request["params"] | {"depth": 25}}))
    (event,) = line.hear(snapshot())
    assert isinstance(event, BookSnapshot)
    assert event.depth == 25


@pytest.mark.parametrize(("levels", "depth"), [(2, 10), (10, 10), (11, 25), (25, 25), (26, 100), (1001, 1001)])
def test_a_recording_without_acks_tells_its_depth_by_its_snapshot(levels: int, depth: int) -> None:
    """A snapshot never holds more levels than were asked for."""
    known = {0: Instrument.parse("kraken", "BTC/USD:1:8")}
    session = VENUE.market(SessionPlan(((0, "BTC/USD"),), 10, known))
    (event,) = session.receive(book("snapshot", [(f"{70_000 - i}.0", "1") for i in range(levels)], []), T0)
    assert isinstance(event, BookSnapshot)
    assert (event.depth, len(event.bids)) == (depth, levels)


def test_a_book_nobody_planned_is_mentioned_once() -> None:
    """Another symbol's frames on our link: a warning, no event, no storm of warnings."""
    line = Line().live()
    (notice,) = line.hear(snapshot("DOGE/USD"))
    assert isinstance(notice, Notice)
    assert "DOGE/USD" in notice.text
    assert line.hear(snapshot("DOGE/USD"), update("DOGE/USD")) == []


def test_each_symbol_has_its_own_index() -> None:
    """Events carry the engine's index of the symbol named in the frame."""
    line = Line(*TWO).live()
    (event,) = line.hear(update("ETH/USD"))
    assert isinstance(event, BookDelta)
    assert event.instrument == 1


# --- the rest ------------------------------------------------------------------------------------------------------


def test_trades_are_exact() -> None:
    """Several in one message, the taker's side, exponents, ids beyond 2^63, and whether it is history."""
    line = Line().live()
    frame = trades(
        trade("62806.9", "0.01250000", "sell"),
        trade("62807.0", "1e-08", "buy", trade_id="15113583034416118705", timestamp='"2024-02-29T23:59:59.000001Z"'),
        trade(symbol='"DOGE/USD"'),
    )
    assert line.hear(frame) == [
        Trade(0, 62_806_900_000_000, 1_250_000, -1, 77_120_455, rfc3339_ns(STAMP), False),
        Trade(0, 62_807_000_000_000, 1, 1, 15_113_583_034_416_118_705, 1_709_251_199_000_001_000, False),
    ]
    (event,) = line.hear(trades(trade(), kind="snapshot"))
    assert isinstance(event, Trade)
    assert event.snapshot is True


@pytest.mark.parametrize("system", ["online", "maintenance", "cancel_only", "post_only", "something_new"])
def test_status_is_passed_on_in_the_venues_word(system: str) -> None:
    """With a connection id that no double holds beside it, or one of 40 digits."""
    line = Line().live()
    assert line.hear(status(system)) == [VenueStatus("kraken", system)]
    assert line.hear(status(system, "9" * 40)) == [VenueStatus("kraken", system)]


def test_heartbeats_say_nothing() -> None:
    """In Kraken's spelling and in any other."""
    assert Line().live().hear(HEARTBEAT, b'{ "channel": "heartbeat" }') == []


@pytest.mark.parametrize("channel", ["ticker", "ohlc", "level3", "executions", "balances"])
def test_channels_we_do_not_read_do_no_harm(channel: str) -> None:
    """A recording may hold them: one remark, and every book stays."""
    line = Line().live()
    frame = f'{{"channel":"{channel}","type":"update","data":[{{"symbol":"BTC/USD","bid":1.5}}]}}'.encode()
    outputs = line.hear(frame, frame)
    assert [type(output) for output in outputs] == [Notice]
    assert of(BookDelta, line.hear(update()))


@pytest.mark.parametrize("error", ["Currency pair not supported ETH/USD", "Subscription depth not supported"])
@pytest.mark.parametrize("echo_symbol", [False, True])
def test_a_refused_symbol_is_told_and_the_others_live(error: str, echo_symbol: bool) -> None:
    """For good: what Kraken will never accept is not asked for again, and heartbeats do not hide it."""
    line = Line(*TWO)
    requests = line.subscribing()
    outputs = []
    for request in requests:
        refused = request["params"]["symbol"] == ["ETH/USD"]
        outputs += line.hear(no(request, error, echo_symbol=echo_symbol) if refused else ack(request))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [1]
    told = [notice for notice in of(Notice, outputs) if "ETH/USD" in notice.text]
    assert all(notice.level == "error" for notice in told)
    assert any(error in notice.text for notice in told)
    line.hear(snapshot())
    assert not sent(line.wait(120))
    assert of(BookDelta, line.hear(update()))


def test_a_refused_trade_channel_is_told_and_costs_no_book() -> None:
    """The book's subscription is another one."""
    line = Line()
    book_request, trade_request = line.subscribing()
    line.hear(ack(book_request), snapshot())
    (notice,) = line.hear(no(trade_request, "Already subscribed"))
    assert isinstance(notice, Notice)
    assert "refused subscribe trade" in notice.text
    assert of(BookDelta, line.hear(update()))


def test_the_books_named_in_the_plan_are_the_whole_market() -> None:
    """The levels of the support module are what the expectations above say."""
    assert [int(float(price) * 10) * 10**8 for price, _ in BIDS + ASKS] == [px for px, _ in BIDS_SCALED + ASKS_SCALED]
