"""The market side against the simulated Coinbase, which shares no code with it: whatever goes wrong, what is served is
what the venue has, and in the end everything is served again.

Virtual time; both sides are pure.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan
from connectors.venues.coinbase.session import CoinbaseMarket
from runtime.sim.coinbase import CoinbaseVenue
from runtime.sim.frames import Close

MS, SECOND = 10**6, 10**9
T0 = 1_785_000_000 * SECOND
SYMBOLS = ("BTC/USD", "ETH/USD", "BTC/USDC")
SECONDS = 12


class World:
    """A session and the venue, a socket and HTTP between them; a second passes before it is dialled again."""

    def __init__(self, *faults: str, symbols: tuple[str, ...] = SYMBOLS) -> None:
        self.now_ns = T0
        self.venue = CoinbaseVenue(seed=7, rate_hz=20, faults=list(faults), now_ns=T0)
        self.symbols = symbols
        self.books = [L2Book() for _ in symbols]
        self.session = CoinbaseMarket(SessionPlan(tuple(enumerate(symbols)), 10))
        self.connection: Any = None
        self.dial_ns = T0
        self.outputs: list[Output] = []
        self.compared = 0

    def run(self, seconds: int) -> None:
        end_ns = self.now_ns + seconds * SECOND
        while self.now_ns < end_ns:
            self.now_ns += 50 * MS
            if self.connection is None and self.now_ns >= self.dial_ns:
                self.connection = self.venue.connect(self.now_ns, "/market")
                self.took(self.session.open(self.now_ns))
            self.venue.advance(self.now_ns)
            if self.listen():
                self.compare()
            if not self.now_ns % (500 * MS):
                self.took(self.session.tick(self.now_ns))

    def served(self, seconds: int) -> bool:
        """Whether every book is there within so many seconds."""
        for _ in range(seconds):
            if all(book.valid for book in self.books):
                return True
            self.run(1)
        return False

    def listen(self) -> bool:
        """Whether the last message that the venue has sent was heard now."""
        last = -1
        for frame in self.connection.take() if self.connection is not None else ():
            if isinstance(frame, Close) or self.connection is None:
                self.cut()
                return False
            data = frame.encode() if isinstance(frame, str) else frame
            number = re.search(rb'"sequence_num":([0-9]+)', data)
            last = int(number[1]) if number is not None else last
            self.took(self.session.receive(data, self.now_ns))
        return self.connection is not None and last == self.connection.sequence - 1

    def cut(self) -> None:
        if self.connection is not None:
            self.connection.close(self.now_ns)
            self.connection, self.dial_ns = None, self.now_ns + SECOND
            self.took(self.session.close(self.now_ns))

    def took(self, outputs: list[Output]) -> None:
        self.outputs += outputs
        for one in outputs:
            if isinstance(one, BookSnapshot | BookDelta | BookLost):
                self.keep(one)
            elif isinstance(one, Reconnect):
                self.cut()
            elif isinstance(one, Send) and one.link == CALLS:
                self.call(one.data)
            elif isinstance(one, Send) and self.connection is not None:
                assert one.link == PUBLIC
                self.connection.receive(one.data.decode(), self.now_ns)

    def keep(self, one: BookSnapshot | BookDelta | BookLost) -> None:
        book = self.books[one.instrument]
        try:
            if isinstance(one, BookSnapshot):
                book.depth = one.depth
                book.load(one.bids, one.asks, self.now_ns)
            elif isinstance(one, BookLost):
                book.invalidate(one.reason)
            elif book.valid:
                book.apply(one.bids, one.asks, self.now_ns)
        except BookGap as gap:
            self.took(self.session.resync(one.instrument, gap.reason, self.now_ns))

    def call(self, data: bytes) -> None:
        head, _, query = data.decode().partition("\n")
        number, method, path = head.split(" ")
        answer = self.venue.rest(method, f"{path}?{query}", {"host": "api.coinbase.com"}, b"", self.now_ns)
        frame = f"{number} {answer.status}\n".encode() + answer.body
        self.took(self.session.receive(frame, self.now_ns, CALLS))

    def truth(self, symbol: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        there = symbol.replace("USDC", "USD")
        book, pair = self.venue.market.book(there), self.venue.pairs[there]
        price, size = 10 ** (9 - pair.price_precision), 10 ** (8 - pair.qty_precision)
        bids, asks = ([(one * price, lots * size) for one, lots in side.top(10**6)] for side in (book.bids, book.asks))
        return bids, asks

    def compare(self) -> None:
        """What is served is the venue's, to the last level."""
        for book, symbol in zip(self.books, self.symbols, strict=True):
            if book.valid:
                assert (book.bids, book.asks) == self.truth(symbol), symbol
                self.compared += 1

    def lost(self, *, is_gap: bool) -> int:
        return sum(isinstance(one, BookLost) and one.is_gap is is_gap for one in self.outputs)


def test_a_quiet_day() -> None:
    world = World()
    world.run(SECONDS)
    assert all(book.valid for book in world.books)
    assert world.compared > SECONDS
    assert not world.lost(is_gap=True)
    assert not world.lost(is_gap=False)


@pytest.mark.parametrize("fault", ["drop_update=40", "reorder_update=15", "snapshot_gap"])
def test_lost_and_late_messages_are_gaps(fault: str) -> None:
    world = World(fault)
    world.run(SECONDS)
    assert world.lost(is_gap=True)
    assert world.compared


@pytest.mark.parametrize(
    "fault",
    ["drop_update=40,times=3", "duplicate_update=7", "reorder_update=15,times=2", "crossed_book@4", "garbage_frame@4",
     "half_frame@4", "reset@4", "close@4", "no_ack,connections=1", "ack_then_silence,connections=1",
     "snapshot_before_ack", "counter_text", "gateway_error,on=market,times=2", "connect_refused@999"],
)  # fmt: skip
def test_everything_is_served_again(fault: str) -> None:
    world = World(fault)
    world.run(SECONDS)
    assert world.served(60), [book.reason for book in world.books]
    assert world.compared


@pytest.mark.parametrize("fault", ["mute@4", "half_open@4", "heartbeat_off@4"])
def test_a_dead_link_is_dialled_again_and_serves_nothing_meanwhile(fault: str) -> None:
    world = World(fault)
    world.run(SECONDS)
    assert any(isinstance(one, Reconnect) for one in world.outputs) is (fault != "heartbeat_off@4")


@pytest.mark.parametrize("faults", [("refuse_symbols=ETH/USD",), ("refuse_whole", "refuse_symbols=ETH/USD")])
def test_a_refused_product_fails_alone(faults: tuple[str, ...]) -> None:
    world = World(*faults)
    world.run(SECONDS)
    assert [book.valid for book in world.books] == [True, False, True]
    assert world.books[1].reason.startswith("refused: ")
