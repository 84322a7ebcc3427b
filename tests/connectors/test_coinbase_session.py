"""What a healthy day on Coinbase's public socket looks like: subscriptions, metadata, books, trades, tickers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.book import L2Book
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, Ticker, Trade
from connectors.instrument import Instrument
from connectors.session import CALLS, Send, WakeAt
from connectors.units import rfc3339_ns
from connectors.venues.coinbase import VENUE
from tests.support.coinbase_frames import (
    PRODUCTS,
    SECOND,
    STAMP,
    T0,
    Line,
    answer,
    called,
    frame,
    heartbeat,
    listed,
    of,
    product,
    sent,
    snapshot,
    trade,
    update,
)

TWO = ("BTC/USD", "ETH/USD")
BIDS_SCALED = [(68_900_000_000_000, 200_000_000), (68_899_500_000_000, 50_000_000)]
ASKS_SCALED = [(68_901_000_000_000, 125_000_000), (68_902_130_000_000, 300_000_000)]
HEARTBEATS = {"type": "subscribe", "channel": "heartbeats"}


def asks(channel: str, *names: str, kind: str = "subscribe") -> dict[str, Any]:
    return {"type": kind, "product_ids": list(names), "channel": channel}


def test_a_connection_asks_for_something_at_once() -> None:
    """Coinbase closes what has subscribed to nothing after five seconds; metadata may take longer."""
    outputs = Line(*TWO).open()
    assert sent(outputs) == [HEARTBEATS]
    assert [(path, names) for _, path, names in called(outputs)] == [(PRODUCTS, ["BTC-USD", "ETH-USD"])]
    assert of(WakeAt, outputs) == [WakeAt(T0 + SECOND // 2)]


def test_one_channel_a_message_and_all_products_in_it() -> None:
    assert sent(Line(*TWO).defined()) == [
        asks("level2", *("BTC-USD", "ETH-USD")),
        asks("market_trades", "BTC-USD", "ETH-USD"),
    ]
    assert sent(Line(is_ticking=True).defined())[-1] == asks("ticker", "BTC-USD")


def test_metadata_is_exact() -> None:
    """The tick is `price_increment`, the least worth `quote_min_size`."""
    outputs = Line("SHIB/USD").defined(
        product("SHIB-USD", price_increment="0.00000001", quote_increment="0.00000001", base_increment="1",
                base_min_size="100", quote_min_size="1.5")
    )  # fmt: skip
    assert of(InstrumentUpdate, outputs) == [
        InstrumentUpdate(
            0,
            Instrument(
                venue="coinbase", symbol="SHIB/USD", price_precision=8, size_precision=0, tick_size_1e9=10,
                lot_size_1e8=10**8, min_qty_1e8=100 * 10**8, min_notional_1e9=1_500_000_000, venue_symbol="SHIB-USD",
            ),
        )
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "online"),
        ({"is_disabled": True, "cancel_only": True}, "disabled"),
        ({"trading_disabled": True}, "trading_disabled"),
        ({"cancel_only": True, "post_only": True}, "cancel_only"),
        ({"post_only": True}, "post_only"),
        ({"limit_only": True}, "limit_only"),
        ({"auction_mode": True}, "auction_mode"),
        ({"view_only": True}, "view_only"),
        ({"status": "delisted"}, "delisted"),
    ],
)
def test_flags_are_the_market_s_state(flags: dict[str, Any], status: str) -> None:
    (made,) = of(InstrumentUpdate, Line().defined(product(**flags)))
    assert made.definition.status == status


def test_metadata_that_changes_is_told_and_that_which_does_not_is_not() -> None:
    line = Line()
    line.live()
    for status, told in ((False, 0), (True, 1), (True, 0)):
        ((number, _, _),) = called(line_minute(line))
        outputs = line.hear(answer(number, product(post_only=status)), CALLS)
        assert len(of(InstrumentUpdate, outputs)) == told
        assert not of(BookLost, outputs)
        assert not of(Send, outputs)


def line_minute(line: Line) -> list[Any]:
    out: list[Any] = []
    for _ in range(60):
        out += line.wait(1)
        line.hear(heartbeat(line.next()))
    return out


def test_a_tick_that_becomes_finer_costs_the_book_and_a_coarser_one_does_not_hide_old_orders() -> None:
    line = Line()
    line.live()
    ((number, _, _),) = called(line_minute(line))
    outputs = line.hear(answer(number, product(price_increment="0.001", quote_increment="0.001")), CALLS)
    assert [lost.reason for lost in of(BookLost, outputs)] == ["precision changed"]
    assert sent(outputs) == [asks("level2", "BTC-USD", kind="unsubscribe")]

    line = Line()
    line.live(product(price_increment="0.1", quote_increment="0.01"))
    assert of(BookDelta, line.hear(update(line.next(), bids=[("68900.01", "1")]))), "an order from before"


def test_books_are_whole_and_exact() -> None:
    line = Line()
    assert of(BookSnapshot, line.live()) == [BookSnapshot(0, BIDS_SCALED, ASKS_SCALED, None, 10**9, STAMP)]
    outputs = line.hear(
        update(line.next(), bids=[("68900.00", "1")], asks=[("68901.00", "0.00000000"), ("68901.5", "0")])
    )
    assert of(BookDelta, outputs) == [
        BookDelta(0, [(68_900_000_000_000, 10**8)], [(68_901_000_000_000, 0), (68_901_500_000_000, 0)], None, STAMP)
    ]
    assert line.books[0].asks == ASKS_SCALED[1:]


def test_a_book_of_many_thousand_levels_is_kept_to_the_last() -> None:
    """What the venue told once it never tells again: level 5,000 may be the best one some day."""
    line = Line()
    line.defined()
    line.hear(listed(line.next(), "BTC-USD"))
    bids = [(f"{price}.25", "1") for price in range(15_000, 10_000, -1)]
    line.hear(snapshot(line.next(), bids, []))
    line.hear(update(line.next(), [(price, "0") for price, _ in bids[:-1]]))
    assert line.books[0].bids == [(10_001_250_000_000, 10**8)]
    assert isinstance(line.books[0], L2Book)


def test_a_later_snapshot_replaces_the_book() -> None:
    line = Line()
    line.live()
    line.hear(snapshot(line.next(), [("1.00", "1")], [("2.00", "1")]))
    assert (line.books[0].bids, line.books[0].asks) == ([(10**9, 10**8)], [(2 * 10**9, 10**8)])


def test_updates_before_the_snapshot_are_nobody_s() -> None:
    line = Line()
    line.defined()
    assert not of(BookDelta, line.hear(update(line.next())))
    assert of(BookSnapshot, line.hear(snapshot(line.next()))), "also without an acknowledgement"


@pytest.mark.parametrize(("maker", "taker"), [("BUY", -1), ("SELL", 1)])
def test_a_trade_s_side_is_the_taker_s(maker: str, taker: int) -> None:
    line = Line()
    line.live()
    time_ns = rfc3339_ns("2026-04-07T14:30:02.789012Z")
    assert of(Trade, line.hear(trade(line.next(), maker))) == [
        Trade(0, 68_900_500_000_000, 150_000, taker, 995_098_700, time_ns, snapshot=False)
    ]
    (told,) = of(Trade, line.hear(trade(line.next(), maker, kind="snapshot")))
    assert told.snapshot


def test_a_trade_that_cannot_be_read_costs_no_book() -> None:
    line = Line()
    line.live()
    outputs = line.hear(trade(line.next(), price="1e-12"))
    assert [one.level for one in of(Notice, outputs)] == ["error"]
    assert not of(BookLost, outputs)
    assert line.books[0].valid


def test_tickers_where_they_are_planned() -> None:
    item = {"type": "ticker", "product_id": "BTC-USD", "price": "21932.98", "volume_24_h": "16038.28770938",
            "low_24_h": "21835.29", "high_24_h": "23011.18", "low_52_w": "15460", "high_52_w": "48240",
            "price_percent_chg_24_h": "-4.15775596190603", "best_bid": "21931.98", "best_bid_quantity": "8000.21",
            "best_ask": "21933.98", "best_ask_quantity": "8038.07770938"}  # fmt: skip
    for is_ticking in (True, False):
        line = Line(is_ticking=is_ticking)
        line.live()
        outputs = line.hear(frame("ticker", line.next(), {"type": "snapshot", "tickers": [item]}))
        told = Ticker(0, 21_932_980_000_000, 1_603_828_770_938, 23_011_180_000_000, 21_835_290_000_000, STAMP)
        assert of(Ticker, outputs) == [told] * is_ticking
        assert len(of(Notice, outputs)) == (not is_ticking)


# --- USD and USDC ----------------------------------------------------------------------------------------------------


def test_a_market_in_usdc_has_the_book_of_the_one_in_usd() -> None:
    """Its subscription would be answered in the other's name; both markets follow one book."""
    line = Line("BTC/USDC", "BTC/USD")
    outputs = line.defined(product("BTC-USDC", alias="BTC-USD"), product("BTC-USD", alias_to=["BTC-USDC"]))
    assert sent(outputs) == [asks("level2", "BTC-USD"), asks("market_trades", "BTC-USD")]
    assert {one.definition.symbol: one.definition.venue_symbol for one in of(InstrumentUpdate, outputs)} == {
        "BTC/USDC": "BTC-USDC", "BTC/USD": "BTC-USD",
    }  # fmt: skip
    line.hear(listed(line.next(), "BTC-USD"))
    assert sorted(one.instrument for one in of(BookSnapshot, line.hear(snapshot(line.next())))) == [0, 1]
    assert sorted(one.instrument for one in of(BookDelta, line.hear(update(line.next())))) == [0, 1]
    assert sorted(one.instrument for one in of(Trade, line.hear(trade(line.next())))) == [0, 1]
    assert sorted(one.instrument for one in of(BookLost, line.hear(update(line.next() + 1)))) == [0, 1]


def test_usdc_alone_and_quotes_that_are_not_merged() -> None:
    line = Line("BTC/USDC", "USDT/USDC")
    outputs = line.defined(product("BTC-USDC", alias="BTC-USD"), product("USDT-USDC"))
    assert sent(outputs)[0] == asks("level2", "BTC-USD", "USDT-USDC")
    line.hear(listed(line.next(), "BTC-USDC", "USDT-USDC"))
    assert [one.instrument for one in of(BookSnapshot, line.hear(snapshot(line.next())))] == [0]
    assert [one.instrument for one in of(BookSnapshot, line.hear(snapshot(line.next(), name="USDT-USDC")))] == [1]


def test_an_alias_that_is_the_product_itself_means_nothing() -> None:
    """The documentation's own example has `"alias":"BTC-USD"` of BTC-USD."""
    assert sent(Line().defined(product(alias="BTC-USD")))[0] == asks("level2", "BTC-USD")


def test_the_other_market_of_a_book_can_be_refused_alone() -> None:
    line = Line("BTC/USD", "BTC/USDC")
    line.live(product(), product("BTC-USDC", alias="BTC-USD"))
    ((number, _, _),) = called(line_minute(line))
    outputs = line.hear(answer(number, product()), CALLS)
    assert [(one.instrument, one.reason) for one in of(BookLost, outputs)] == [
        (1, "refused: coinbase does not list BTC-USDC")
    ]
    assert [one.instrument for one in of(BookDelta, line.hear(update(line.next())))] == [0]


# --- symbols ---------------------------------------------------------------------------------------------------------


def test_a_symbol_that_is_not_listed_fails_alone() -> None:
    line = Line("BTC/USD", "NO/SUCH")
    outputs = line.defined(product())
    assert [(one.instrument, one.reason) for one in of(BookLost, outputs)] == [
        (1, "refused: coinbase does not list NO-SUCH")
    ]
    assert [one.level for one in of(Notice, outputs)] == ["error"]
    assert sent(outputs)[0] == asks("level2", "BTC-USD")


def test_the_venue_s_own_name_is_a_symbol_too() -> None:
    line = Line("BTC-USDT", instruments={0: Instrument.parse("coinbase", "BTC-USDT:2:8")})
    line.open()
    assert of(BookSnapshot, line.hear(snapshot(7, name="BTC-USDT")))


def test_a_product_that_does_not_fit_is_refused_by_name() -> None:
    outputs = Line().defined(product(price_increment="0.0000000001"))
    (lost,) = of(BookLost, outputs)
    assert lost.reason.startswith("refused: ")
    assert not sent(outputs)


def test_a_product_of_other_currencies_is_refused() -> None:
    outputs = Line().defined(product(base_currency_id="WBTC"))
    assert [one.reason for one in of(BookLost, outputs)] == ["refused: BTC-USD trades WBTC for USD"]


def test_a_recording_of_others_needs_no_metadata() -> None:
    """Its frames come as they lie there: no acknowledgement, any first number, and no answer to what we ask."""
    line = Line(instruments={0: Instrument.parse("coinbase", "BTC/USD:2:8")})
    line.open()
    assert of(BookSnapshot, line.hear(snapshot(4711)))
    assert of(BookDelta, line.hear(update(4712)))


def test_a_recorded_answer_of_the_products_call_is_taken() -> None:
    line = Line()
    line.open()
    body = json.dumps(product()).encode()
    outputs = line.hear(b"GET " + PRODUCTS.encode() + b"/BTC-USD 200\n" + body, CALLS)
    assert [one.definition.symbol for one in of(InstrumentUpdate, outputs)] == ["BTC/USD"]
    assert not line.hear(b"GET /api/v3/brokerage/time 200\n{}", CALLS)


def test_what_is_known_is_used_at_once_after_a_reconnect() -> None:
    line = Line()
    line.live()
    assert [one.reason for one in of(BookLost, line.session.close(line.now_ns))] == ["link down"]
    line.number = 0
    assert sent(line.open()) == [HEARTBEATS, asks("level2", "BTC-USD"), asks("market_trades", "BTC-USD")]
    assert of(BookSnapshot, line.hear(snapshot(0)))


def test_what_was_refused_is_asked_for_again_when_it_is_listed() -> None:
    line = Line(*TWO)
    line.live()
    ((number, _, _),) = called(line_minute(line))
    assert [one.instrument for one in of(BookLost, line.hear(answer(number, product()), CALLS))] == [1]
    assert not of(BookSnapshot, line.hear(snapshot(line.next(), name="ETH-USD"))), "of what is traded there no more"
    line.session.close(line.now_ns)
    outputs = line.open()
    assert asks("level2", "BTC-USD") in sent(outputs)
    ((number, _, _),) = called(outputs)
    outputs = line.hear(answer(number, product(), product("ETH-USD")), CALLS)
    assert sent(outputs)[0] == asks("level2", "ETH-USD")


def test_what_is_declared() -> None:
    assert (VENUE.venue_id, VENUE.capabilities.sequence, VENUE.capabilities.checksum) == (2, True, False)
    assert VENUE.checksum is None
    assert not VENUE.capabilities.cancel_all
    assert all(VENUE.capabilities.absent.values())
