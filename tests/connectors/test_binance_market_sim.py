"""The market session against the simulated Binance, written by somebody else from the same documentation.

In virtual time, frames carried by hand; whatever is damaged on the way, a book that stands is the venue's, and in the
end both stand.
"""

from __future__ import annotations

from typing import Any

import pytest

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Trade
from connectors.instrument import Instrument
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan
from connectors.venues.binance import VENUE
from runtime.sim.binance import BinanceVenue
from runtime.sim.frames import Close
from tests.support.binance_frames import SECOND, T0, of

MS = 10**6
SYMBOLS = ("BTC/USDT", "ETH/USDT")


class World:
    """One session and one venue; `books` as an engine would keep them."""

    def __init__(self, *faults: str, symbols: tuple[str, ...] = SYMBOLS, depth: int = 10, **options: Any) -> None:
        self.venue = BinanceVenue(now_ns=T0, seed=3, faults=list(faults), rate_hz=12, **options)
        self.symbols = symbols
        self.session = VENUE.market(SessionPlan(tuple(enumerate(symbols)), depth))
        self.books = [L2Book() for _ in symbols]
        self.metadata: dict[int, Instrument] = {}
        self.now_ns = T0
        self.socket: Any = None
        self.redial_ns: int | None = T0
        self.answers: list[bytes] = []
        self.all: list[Output] = []

    def dial(self) -> None:
        self.redial_ns = None
        if self.venue.refusal(self.now_ns, self.venue.LINKS[PUBLIC]) is not None:
            self.redial_ns = self.now_ns + SECOND
            return
        self.socket = self.venue.connect(self.now_ns, self.venue.LINKS[PUBLIC])
        self.take(self.session.open(self.now_ns))

    def cut(self) -> None:
        if self.socket is not None:
            self.venue.disconnect(self.socket)
            self.socket, self.redial_ns = None, self.now_ns + SECOND
            self.take(self.session.close(self.now_ns))

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            if not isinstance(output, BookDelta | Trade):
                self.all.append(output)
            match output:
                case BookSnapshot(index):
                    self.books[index].depth = output.depth
                    self.books[index].load(output.bids, output.asks, 1)
                case BookDelta(index) if self.books[index].valid:
                    try:
                        self.books[index].apply(output.bids, output.asks, 1)
                    except BookGap as gap:
                        self.take(self.session.resync(index, gap.reason, self.now_ns))
                case BookLost(index, reason):
                    self.books[index].invalidate(reason)
                case InstrumentUpdate(index, definition):
                    self.metadata[index] = definition
                case Reconnect():
                    self.cut()
                case Send(link, data):
                    self.send(link, data)

    def send(self, link: str, data: bytes) -> None:
        if link == PUBLIC:
            if self.socket is not None:
                self.socket.receive(data.decode(), self.now_ns)
            return
        head, _, query = data.decode().partition("\n")
        number, method, path = head.split()
        answer = self.venue.rest(method, f"{path}?{query}", {}, b"", self.now_ns)
        frame = f"{number} 0\nthe connection was cut".encode()
        if not answer.is_lost:
            frame = f"{number} {answer.status}\n".encode() + answer.body
        self.venue.later(self.now_ns + 150 * MS + answer.delay_ns, lambda _: self.answers.append(frame))

    def wait(self, seconds: float, *, is_checked: bool = True) -> None:
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns += 100 * MS
            self.venue.advance(self.now_ns)
            answers, self.answers = self.answers, []
            for frame in answers:
                self.take(self.session.receive(frame, self.now_ns, CALLS))
            while self.socket is not None and (frames := self.socket.take()):
                for frame in frames:
                    self.hear(frame)
            if self.redial_ns is not None and self.now_ns >= self.redial_ns:
                self.dial()
            self.take(self.session.tick(self.now_ns))
        if is_checked:
            self.check()

    def hear(self, frame: Any) -> None:
        if self.socket is None:
            return
        if isinstance(frame, Close):
            self.cut()
        elif isinstance(frame, str | bytes):
            data = frame.encode() if isinstance(frame, str) else frame
            self.take(self.session.receive(data, self.now_ns))
        else:
            self.socket.pong(frame.payload, self.now_ns)

    def check(self) -> None:
        """The best ten of each book that stands, where all that the venue did was told."""
        self.venue.advance(self.now_ns)
        for index, symbol in enumerate(self.symbols):
            book, pair = self.books[index], self.venue.pairs[symbol]
            if not book.valid:
                continue
            truth = self.venue.market.book(symbol)
            px, sz = 10 ** (9 - pair.price_precision), 10 ** (8 - pair.qty_precision)
            assert book.bids[:10] == [(price * px, qty * sz) for price, qty in truth.bids.top(10)]
            assert book.asks[:10] == [(price * px, qty * sz) for price, qty in truth.asks.top(10)]

    def settle(self, seconds: float) -> None:
        """No fault any more; within so many seconds every book stands, and where the market rests it is the venue's."""
        self.venue.faults.clear()
        for _ in range(int(seconds)):
            self.wait(1, is_checked=False)
            if all(book.valid for book in self.books):
                break
        self.wait(3, is_checked=False)
        self.rest()
        assert all(book.valid for book in self.books)

    def rest(self) -> None:
        """The market stands still for half a second."""
        self.venue._interval_ns = 0
        self.wait(0.5)


FAULTS = [
    "drop_update=7@3", "duplicate_update=3", "garbage_frame@3", "half_frame@3", "close@3", "reset@3", "mute@3",
    "book_off@3", "crossed_book@3", "stale_depth", "gateway_error,times=2", "rest_lost,times=2", "rest_late=3000",
    "http_429,times=1", "connect_refused,times=2", "no_ack", "shutdown@3", "ack_then_silence",
]  # fmt: skip


@pytest.mark.parametrize("fault", ["", *FAULTS])
def test_in_the_end_every_book_is_the_venues(fault: str) -> None:
    world = World(*([fault] if fault else []))
    world.wait(20, is_checked=False)
    world.settle(75)


def test_metadata_and_depth() -> None:
    """A deep book asks for a deep snapshot; what is listed fits the venue's own table."""
    world = World(depth=1000)
    world.wait(3, is_checked=False)
    world.settle(1)
    assert {one.venue_symbol: one.price_precision for one in world.metadata.values()} == {"BTCUSDT": 2, "ETHUSDT": 2}
    (first, _) = of(BookSnapshot, world.all)[:2]
    assert first.depth == 5000


def test_a_symbol_that_is_not_listed() -> None:
    world = World(symbols=("BTC/USDT", "NO/SUCH"))
    world.wait(5, is_checked=False)
    assert [(lost.instrument, lost.reason) for lost in of(BookLost, world.all)] == [
        (1, "refused: binance does not list NO/SUCH")
    ]
    assert world.books[0].valid


def test_a_symbol_whose_streams_are_silent_ones() -> None:
    """Acknowledged, and nothing comes: its book falls again and again, the other one stands."""
    world = World("refuse_symbols=ETH/USDT,times=0")
    world.wait(70, is_checked=False)
    assert {lost.instrument for lost in of(BookLost, world.all)} <= {1}
    assert world.books[0].valid
    assert [lost for lost in of(BookLost, world.all) if "silent" in lost.reason and lost.is_gap]
