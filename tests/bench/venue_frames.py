"""Frames of the native venues for `venues.py`: of each simulator, by seed, and recordings where they are there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import msgspec

from connectors.instrument import Instrument
from connectors.session import PUBLIC, Venue
from connectors.venues.binance import wire as binance_wire
from connectors.venues.bybit import wire as bybit_wire
from connectors.venues.coinbase import wire as coinbase_wire
from connectors.venues.kraken import wire as kraken_wire
from connectors.venues.okx import wire as okx_wire
from runtime.inputs import Frame
from runtime.tape import TapeReader
from tests.support.data import data_folder
from tests.support.trading_venues import VENUES, place
from tests.support.venue_line import VenueLine

DEPTH: Final = 25
RATE_HZ: Final = 60
Frames = list[tuple[int, str, bytes]]  # when, link, frame

_OKX_FILE: Final = "okx_books_cryptofeed/okx_btc-usdt.jsonl"
_BINANCE_FILE: Final = "binance_spot_hftbacktest/spot_ethusdt_20240808.gz"
_BINANCE_FRAMES: Final = 4000


def _binance(raw: bytes) -> object:
    wrapped = raw.startswith(b'{"stream":')
    return binance_wire.decode_depth_frame(raw) if wrapped else binance_wire.decode_depth(raw)


# into the session's own types, as it does it first
DECODERS: Final[dict[str, Callable[[bytes], object]]] = {
    "kraken": kraken_wire.decode_book, "coinbase": coinbase_wire.decode_book, "binance": _binance,
    "okx": okx_wire.decode_book, "bybit": bybit_wire.decode_book,
}  # fmt: skip
_PUSHED: Final = ("binance", "okx")  # ten times a second at most
_BOOKS: Final = {
    "kraken": b'{"channel":"book"', "coinbase": b'{"channel":"l2_data"', "binance": b'"e":"depthUpdate"',
    "okx": b'{"arg":{"channel":"books"', "bybit": b'{"topic":"orderbook.',
}  # fmt: skip


class Feed(msgspec.Struct, frozen=True):
    """What one venue said of one market. `source`: whose frames they are."""

    venue: Venue
    source: str
    symbol: str
    instrument: Instrument
    frames: Frames

    @property
    def name(self) -> str:
        return self.venue.name

    def is_book(self, link: str, raw: bytes) -> bool:
        """Whether it is a message of the book, a whole one or a change."""
        if self.name == "binance":  # with its stream's name around it, or naked
            return link == PUBLIC and _BOOKS[self.name] in raw[:100]
        return link == PUBLIC and raw.startswith(_BOOKS[self.name]) and b'"event":' not in raw[:20]

    def books(self) -> list[bytes]:
        return [raw for _, link, raw in self.frames if self.is_book(link, raw)]


def simulated(name: str, seconds: float = 0) -> Feed:
    """One market of the simulated venue, in virtual time, so long that there are some hundred book messages."""
    seconds = seconds or (20 if name in _PUSHED else 6)
    line = VenueLine(name, 7, rate_hz=RATE_HZ, depth=DEPTH, markets=1)
    line.run(seconds)
    instrument = line.engine.instruments[0]
    if instrument is None or line.lost:
        raise ValueError(f"{name}: the simulator's books did not stand: {line.lost}")
    return Feed(place(name).venue, "simulated", line.symbols[0], instrument, line.frames)


def recorded() -> list[Feed]:
    """OKX and Binance, by others; [] where ../shared/data is not."""
    folder = data_folder()
    if folder is None:
        return []
    rows: Iterable[dict[str, object]] = map(json.loads, (folder / _OKX_FILE).read_text().splitlines())
    okx: Frames = [(int(str(row["recv_ns"])), PUBLIC, str(row["raw"]).encode()) for row in rows]
    reader = TapeReader(folder / _BINANCE_FILE, venue="binance")
    binance: Frames = [
        (recv_ns, given.link, given.raw)
        for _, recv_ns, given in islice(reader, _BINANCE_FRAMES)
        if isinstance(given, Frame)
    ]
    made = [("okx", "BTC/USDT:1:8", okx), ("binance", "ETH/USDT:2:4", binance)]
    return [
        Feed(place(name).venue, "recorded", text.partition(":")[0], Instrument.parse(name, text), frames)
        for name, text, frames in made
    ]


def feeds() -> list[Feed]:
    return [*(simulated(name) for name in VENUES), *recorded()]
