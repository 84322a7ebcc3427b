"""The ticker channel: exact where it is planned, not asked for where it is not, and never a book's trouble."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.events import BookDelta, BookLost, Notice, Ticker
from connectors.session import SessionPlan
from connectors.venues.kraken import VENUE
from tests.support.kraken_frames import STAMP, Line, ack, no, of, snapshot, update

TWO = ("BTC/USD", "ETH/USD")


class Ticking(Line):
    """A session that was planned with tickers."""

    def __init__(self, *symbols: str) -> None:
        super().__init__(*symbols)
        self.session = VENUE.market(SessionPlan(tuple(enumerate(self.symbols)), 10, is_ticking=True))


def item(symbol: str = "BTC/USD", **changes: str) -> str:
    members = {
        "symbol": f'"{symbol}"', "bid": "62806.9", "bid_qty": "0.50930100", "ask": "62807.0", "ask_qty": "1.2",
        "last": "62806.9", "volume": "2812.40127733", "vwap": "62511.4", "low": "61802.1", "high": "63120.0",
        "change": "512.3", "change_pct": "0.82", "timestamp": f'"{STAMP}"', **changes,
    }  # fmt: skip
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items() if text) + "}"


def ticker(*items: str, kind: str = "update") -> bytes:
    return f'{{"channel":"ticker","type":"{kind}","data":[{",".join(items)}]}}'.encode()


def test_it_is_asked_for_of_every_planned_symbol() -> None:
    asked = [request["params"] for request in Ticking(*TWO).subscribing()]
    assert [params for params in asked if params["channel"] == "ticker"] == [
        {"channel": "ticker", "symbol": [symbol], "event_trigger": "trades", "snapshot": True} for symbol in TWO
    ]
    assert not [request for request in Line(*TWO).subscribing() if request["params"]["channel"] == "ticker"]


@pytest.mark.parametrize("kind", ["snapshot", "update"])
def test_its_numbers_are_exact(kind: str) -> None:
    line = Ticking(*TWO).live()
    assert line.hear(ticker(item(), item("ETH/USD", last="1877.29"), kind=kind)) == [
        Ticker(0, 62_806_900_000_000, 281_240_127_733, 63_120_000_000_000, 61_802_100_000_000, STAMP),
        Ticker(1, 1_877_290_000_000, 281_240_127_733, 63_120_000_000_000, 61_802_100_000_000, STAMP),
    ]


def test_a_days_volume_of_a_small_coin_is_beyond_63_bits_and_is_kept() -> None:
    (told,) = Ticking().live().hear(ticker(item(last="0.00000123", volume="123456789012345.12345678")))
    assert isinstance(told, Ticker)
    assert (told.last_1e9, told.volume_1e8) == (1230, 12_345_678_901_234_512_345_678)


def test_a_market_without_a_trade_and_a_ticker_of_before_2026() -> None:
    (told,) = Ticking().live().hear(ticker(item(last="0", volume="0", low="0.0", high="0", timestamp="")))
    assert told == Ticker(0, 0, 0, 0, 0, "")


def test_a_symbol_that_is_not_ours_is_nobodys() -> None:
    assert Ticking().live().hear(ticker(item("XRP/USD"))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"last": "-1"}, {"last": "1e40"}, {"last": "0.1234567891"}, {"last": "null"}, {"last": ""}, {"volume": "-5"},
        {"volume": "0.123456789"}, {"volume": '"x"'}, {"high": "1e400"}, {"low": "true"},
    ],
    ids=str,
)  # fmt: skip
def test_one_that_cannot_be_read_is_told_and_costs_no_book(changes: dict[str, str]) -> None:
    line = Ticking(*TWO).live()
    (notice,) = line.hear(ticker(item(**changes)))
    assert isinstance(notice, Notice)
    assert notice.level == "error"
    assert "ticker that cannot be read" in notice.text
    for symbol in TWO:
        assert of(BookDelta, line.hear(update(symbol)))


def test_a_refusal_is_told_and_costs_no_book() -> None:
    line = Ticking()
    book, _, request = line.subscribing()
    (notice,) = line.hear(no(request, "EService:Busy"))
    assert isinstance(notice, Notice)
    assert notice.text == "kraken refused subscribe ticker BTC/USD: EService:Busy"
    line.hear(ack(book), snapshot())
    assert of(BookDelta, line.hear(update()))


def test_where_it_is_not_planned_it_is_a_warning_once() -> None:
    line = Line().live()
    outputs = line.hear(ticker(item()), ticker(item()))
    assert [(type(output), output.level) for output in of(Notice, outputs)] == [(Notice, "warning")]
    assert not of(BookLost, outputs)


def test_a_new_connection_asks_again() -> None:
    line = Ticking().live()
    line.session.close(line.now_ns)
    assert [request["params"]["channel"] for request in line.subscribing()] == ["book", "trade", "ticker"]


@pytest.mark.real_data
def test_a_recorded_one(real_data: Path) -> None:
    """Live frames of 2024, read by another parser's exact numbers."""
    rows = map(json.loads, (real_data / "kraken_v2_async_rs/frames.jsonl").read_text().splitlines())
    seen = 0
    for raw in (row["raw"] for row in rows if '"channel":"ticker"' in row["raw"] and '"data"' in row["raw"]):
        message = json.loads(raw, parse_float=Decimal)
        line = Ticking(message["data"][0]["symbol"]).live()
        (told,) = line.hear(raw.encode())
        assert isinstance(told, Ticker)
        (data,) = message["data"]
        assert (Decimal(told.last_1e9) / 10**9, Decimal(told.volume_1e8) / 10**8) == (data["last"], data["volume"])
        seen += 1
    assert seen
