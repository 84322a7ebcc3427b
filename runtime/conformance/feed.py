"""A market session fed by hand, with books as the engine keeps them and one more, of the kit's own, to compare.

What the engine does with a session's events, and nothing else: apply, check the venue's checksum, drop a book that is
crossed or differs, ask for it anew. After each single event `on_book` is shown the book, where it is valid.
"""

from collections.abc import Callable
from itertools import pairwise

from connectors.book import L2Book, Level
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate
from connectors.instrument import Instrument
from connectors.session import Output, Reconnect, Send, Venue, WakeAt
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from runtime.conformance.cards import hold
from runtime.conformance.tapes import Tape
from runtime.inputs import Frame, Input, LinkDown, LinkUp

State = tuple[tuple[Level, ...], tuple[Level, ...]]  # bids high to low, asks low to high
OnBook = Callable[[int, L2Book, BookSnapshot | BookDelta], None]


class Feed:
    """`books` by market index. `losses`: (index, reason) of each book that was given up, by whoever noticed.

    `sent`: bytes that left. `wake_ns`: when the session wants its next tick; None: it asked for none. `ok` and
    `failed`: checksums. `gaps`: losses that the venue's own numbering showed.
    """

    def __init__(self, venue: Venue, tape: Tape, on_book: OnBook | None = None) -> None:
        self.venue = venue
        self.session = venue.market(plan := tape.plan())
        self.instruments: dict[int, Instrument] = dict(plan.instruments)
        self.books = {index: L2Book(depth=plan.depth) for index in tape.names}
        for index, known in self.instruments.items():
            self._digits(index, known)
        self.losses: list[tuple[int, str]] = []
        self.sent: list[Send] = []
        self.reconnects: list[Reconnect] = []
        self.wake_ns: int | None = None
        self.ok = self.failed = self.gaps = 0
        self._on_book = on_book

    def _digits(self, index: int, known: Instrument) -> None:
        book = self.books[index]
        book.set_digits(10 ** (PRICE_DECIMALS - known.price_precision), 10 ** (SIZE_DECIMALS - known.size_precision))

    def step(self, given: Input, now_ns: int) -> list[Output]:
        """One input; everything that the session answered, also where it was asked for a book anew."""
        session = self.session
        match given:
            case Frame(_, link, raw):
                outputs = session.receive(raw, now_ns, link)
            case LinkUp(_, link):
                outputs = session.open(now_ns, link)
            case LinkDown(_, link):
                outputs = session.close(now_ns, link)
            case _:
                if self.wake_ns is not None and now_ns >= self.wake_ns:
                    self.wake_ns = None
                outputs = session.tick(now_ns)
        done: list[Output] = []
        self._take(outputs, now_ns, done)
        return done

    def _take(self, outputs: list[Output], now_ns: int, done: list[Output]) -> None:
        for output in outputs:
            done.append(output)
            match output:
                case BookDelta(index) | BookSnapshot(index):
                    problem = self._book(output, now_ns)
                    if problem:
                        self.books[index].invalidate(problem)
                        self.losses.append((index, problem))
                        self._take(self.session.resync(index, problem, now_ns), now_ns, done)
                case BookLost(index, reason, is_gap):
                    self.gaps += is_gap
                    self.books[index].invalidate(reason)
                    self.losses.append((index, reason))
                case InstrumentUpdate(index, definition):
                    self.instruments[index] = definition
                    self._digits(index, definition)
                case WakeAt(at_ns):
                    self.wake_ns = at_ns if self.wake_ns is None else min(self.wake_ns, at_ns)
                case Send():
                    self.sent.append(output)
                case Reconnect():
                    self.reconnects.append(output)

    def _book(self, event: BookSnapshot | BookDelta, now_ns: int) -> str:
        """Applies it; why this book is no good, or ""."""
        book = self.books[event.instrument]
        if isinstance(event, BookDelta) and not book.valid:
            return ""
        try:
            if isinstance(event, BookSnapshot):
                book.depth = event.depth
                book.load(event.bids, event.asks, now_ns)
            else:
                book.apply(event.bids, event.asks, now_ns)
        except BookGap as gap:
            return gap.reason
        if event.checksum is not None and self.venue.checksum is not None:
            if self.venue.checksum(book) != event.checksum:
                self.failed += 1
                return "checksum"
            self.ok += 1
        if self._on_book is not None:
            self._on_book(event.instrument, book, event)
        return ""


def state_of(book: L2Book) -> State:
    return tuple(book.bids), tuple(book.asks)


class PlainBook:
    """The slow way to keep a book: two dictionaries. Shares no line with `L2Book`."""

    def __init__(self) -> None:
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def take(self, event: BookSnapshot | BookDelta, depth: int) -> None:
        if isinstance(event, BookSnapshot):
            self.bids, self.asks = {}, {}
        for side, levels in ((self.bids, event.bids), (self.asks, event.asks)):
            for px, size in levels:
                if size:
                    side[px] = size
                else:
                    side.pop(px, None)
        self.bids = {px: self.bids[px] for px in sorted(self.bids, reverse=True)[:depth]}
        self.asks = {px: self.asks[px] for px in sorted(self.asks)[:depth]}

    def judge(self, name: str, book: L2Book) -> None:
        """Raises AssertionError: the book is crossed, out of order, holds an empty level, or is another than ours."""
        bids, asks = state_of(book)
        hold(all(px > 0 and size > 0 for px, size in (*bids, *asks)), f"{name}: an empty level in {bids} | {asks}")
        hold(all(left > right for (left, _), (right, _) in pairwise(bids)), f"{name}: bids out of order: {bids}")
        hold(all(left < right for (left, _), (right, _) in pairwise(asks)), f"{name}: asks out of order: {asks}")
        hold(not bids or not asks or bids[0][0] < asks[0][0], f"{name}: crossed: {bids[:1]} against {asks[:1]}")
        ours = tuple(self.bids.items()), tuple(self.asks.items())
        hold((bids, asks) == ours, f"{name}: the levels told add up to {ours}, the book holds {(bids, asks)}")
