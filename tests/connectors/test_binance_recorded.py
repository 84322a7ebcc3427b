"""Binance's own frames, recorded by others: never crossed, no gap, equal to the published steps after every event."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from connectors.book import L2Book, Level
from connectors.events import BookDelta, BookLost, BookSnapshot, Notice, Trade
from connectors.instrument import Instrument
from connectors.session import Output, SessionPlan
from connectors.venues.binance import VENUE
from runtime.inputs import Frame
from runtime.tape import TapeReader
from tests.support.binance_reference import References, Side

ETH = "binance_spot_hftbacktest/spot_ethusdt_20240808.gz"
FOUR = "binance_spot_cryptofeed"


class Followed:
    """A session and the books that an engine would make of what it says."""

    def __init__(self, *texts: str, depth: int = 10) -> None:
        self.instruments = [Instrument.parse("binance", text) for text in texts]
        symbols = tuple((n, one.symbol) for n, one in enumerate(self.instruments))
        self.session = VENUE.market(SessionPlan(symbols, depth, dict(enumerate(self.instruments))))
        self.books = [L2Book() for _ in texts]
        self.trades = 0
        self.lost: list[BookLost] = []
        self.notices: list[str] = []
        self.snapshots = self.deltas = 0

    def hear(self, frame: Frame, now_ns: int) -> None:
        for output in self.session.receive(frame.raw, now_ns, frame.link):
            self._take(output, now_ns)

    def _take(self, output: Output, now_ns: int) -> None:
        match output:
            case BookSnapshot():
                self.snapshots += 1
                self.books[output.instrument].depth = output.depth
                self.books[output.instrument].load(output.bids, output.asks, now_ns)
            case BookDelta():
                self.deltas += 1
                self.books[output.instrument].apply(output.bids, output.asks, now_ns)
            case BookLost():
                self.lost.append(output)
                self.books[output.instrument].invalidate(output.reason)
            case Trade():
                self.trades += 1
            case Notice():
                self.notices.append(output.text)
            case _:
                pytest.fail(f"a recording is not asked anything: {output}")


def assert_same(levels: list[Level], side: Side, best: int) -> None:
    """Every level, and the best ones first."""
    assert dict(levels) == side
    prices = [best * px for px, _ in levels[:100]]
    assert prices == sorted(prices)


def play(path: Path, followed: Followed) -> dict[str, int]:
    """How many events each market's book was compared after."""
    names = [one.symbol.replace("/", "") for one in followed.instruments]
    references = References(*names)
    compared = dict.fromkeys(names, 0)
    for _, recv_ns, given in TapeReader(path, venue="binance"):
        assert isinstance(given, Frame)
        followed.hear(given, recv_ns)  # a crossed book raises
        name = references.hear(given.raw)
        if not name:
            continue
        reference, book = references.of[name], followed.books[names.index(name)]
        assert book.valid == (reference.bids is not None)
        if reference.bids is not None and reference.asks is not None:
            assert_same(book.bids, reference.bids, -1)
            assert_same(book.asks, reference.asks, 1)
            compared[name] += 1
    assert not followed.lost
    assert all(reference.gaps == 0 for reference in references.of.values())
    return compared


@pytest.mark.real_data
def test_six_minutes_of_one_market(real_data: Path) -> None:
    """hftbacktest's lines: one naked snapshot among 3434 diffs and 6106 trades; some sizes are finer than the lot."""
    followed = Followed("ETH/USDT:2:4")
    assert play(real_data / ETH, followed) == {"ETHUSDT": 3433}
    assert (followed.snapshots, followed.trades) == (1, 6106)
    assert followed.books[0].touch() == (2_682_500_000_000, 2_682_510_000_000)
    assert followed.notices == ["binance: data of stream bookTicker, which is not read here"]


@pytest.mark.real_data
def test_the_venues_own_name_is_as_good(real_data: Path) -> None:
    ours, theirs = Followed("ETH/USDT:2:4"), Followed("ETHUSDT:2:4")
    for _, recv_ns, given in islice(TapeReader(real_data / ETH, venue="binance"), 3000):
        assert isinstance(given, Frame)
        heard = ours.session.receive(given.raw, recv_ns, given.link)
        assert heard == theirs.session.receive(given.raw, recv_ns, given.link)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["", "BINANCE.ws.1.0"])
def test_four_thin_markets(real_data: Path, name: str) -> None:
    """cryptofeed's files, by their folder or the socket's: snapshots in another file, answers to HTTP."""
    followed = Followed("NKN/USDT:4:0", "BLZ/ETH:8:0", "LRC/BTC:8:0", "RUNE/EUR:3:1")
    compared = play(real_data / FOUR / name, followed)
    assert compared == {"NKNUSDT": 150, "BLZETH": 10, "LRCBTC": 15, "RUNEEUR": 2}
    assert followed.snapshots == 4
    assert all("not read here" in text for text in followed.notices)
