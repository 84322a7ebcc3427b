"""F cards: what a market session promises on a tape as it was recorded. harm.py has those about damage."""

from __future__ import annotations

from connectors.book import L2Book
from connectors.events import BookDelta, BookSnapshot, Trade
from connectors.session import Venue
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold, skip
from runtime.conformance.feed import Feed, PlainBook
from runtime.conformance.tapes import Tape, line_of
from runtime.conformance.truth import check
from runtime.inputs import Frame, LinkDown, LinkUp, Timer

_NO_TRADE = "no trade was told, and capability trades is declared: record longer, or declare trades=False"
SILENCE_NS = 180 * 10**9


class MarketCards(Kit):
    """What is promised of a tape without damage."""

    @card("F10", "session.py", 3)
    def test_f10_instruments(self, venue: Venue) -> None:
        """Every symbol of the tape is learnt with a tick, a lot and decimals that hold both, under the name it was
        asked for; prices and sizes of its book and trades lie on that grid; trades are told where they are declared."""
        for tape in self.tapes_of(venue):
            truth = self.truth(venue, tape)
            known = truth.feed.instruments
            for index, symbol in enumerate(tape.symbols):
                hold(
                    index in known,
                    f"{tape.name}: no metadata of {symbol}: an InstrumentUpdate has to come before its book",
                )
                one = known[index]
                hold(one.symbol == symbol, f"{symbol} was asked for, and {one.symbol} learnt")
                hold(one.venue == venue.name, f"{symbol}: its venue is called {one.venue!r}, not {venue.name!r}")
                digit, size_digit = (
                    10 ** (PRICE_DECIMALS - one.price_precision),
                    10 ** (SIZE_DECIMALS - one.size_precision),
                )
                hold(one.tick_size_1e9 % digit == 0, f"{symbol}: {one.price_precision} decimals do not hold its tick")
                hold(one.lot_size_1e8 % size_digit == 0, f"{symbol}: {one.size_precision} decimals do not hold its lot")
            has_trade = any(isinstance(one, Trade) for answers in truth.answers for one in answers)
            hold(has_trade or not venue.capabilities.trades or venue.capabilities.onchain, f"{tape.name}: {_NO_TRADE}")
            for output in (output for answers in truth.answers for output in answers):
                match output:
                    case BookSnapshot(index, bids, asks) | BookDelta(index, bids, asks):
                        levels = [*bids, *asks]
                    case Trade(index, px, size):
                        levels = [(px, size)]
                    case _:
                        continue
                if index in known and index < len(tape.symbols):
                    _on_grid(
                        venue, known[index].symbol, known[index].tick_size_1e9, known[index].size_precision, levels
                    )

    @card("F20", "session.py", 3)
    def test_f20_silent_before_open(self, venue: Venue) -> None:
        """Nothing is sent before the link is open or after it went down, whatever is heard and however much time
        passes; no book outlives its link."""
        for tape in self.tapes_of(venue):
            feed, now_ns = Feed(venue, tape), tape.steps[0][1]
            said = [given for _, _, given in tape.steps if isinstance(given, Frame)][:200]
            for moment in ("before its link is open", "after its link went down"):
                for given in said:
                    check(feed.step(given, now_ns))
                    now_ns += 10**9
                    check(feed.step(Timer(), now_ns))
                sent = [one for one in feed.sent if one.link not in self.aside]
                hold(not sent, f"{tape.name}: {moment} the session sends {sent[:1]}")
                for link in {given.link for _, _, given in tape.steps if isinstance(given, LinkUp)}:
                    feed.step(LinkUp(venue.name, link), now_ns)
                    feed.step(LinkDown(venue.name, link), now_ns)
                feed.sent.clear()
            _cut(venue, tape, self.truth(venue, tape).live)

    @card("F30", "session.py", 3)
    def test_f30_golden(self, venue: Venue) -> None:
        """The tape replays to its golden outputs, byte for byte, twice."""
        for tape in self.tapes_of(venue):
            shown = _played(venue, tape)
            again = _played(venue, tape)
            hold(
                shown == again,
                f"{tape.name}: two replays differ: the session reads a clock, a random number, or a set's order",
            )
            hold(
                tape.golden.is_file(),
                f"{tape.golden} is missing: `gateway venue certify {venue.name} --accept`, and read it",
            )
            golden = tape.golden.read_bytes().splitlines()
            for line, wanted in zip(shown, golden, strict=False):
                hold(line == wanted, f"{tape.name}: other outputs than golden:\n  {line[:400]!r}\n  {wanted[:400]!r}")
            hold(
                len(shown) == len(golden),
                f"{tape.name}: {len(shown)} inputs were answered, by the golden {len(golden)}",
            )
            truth = self.truth(venue, tape)
            books = [tape.names[index] for index in tape.names if index not in truth.last]
            hold(not books, f"{tape.name}: no book of {', '.join(books)} was ever shown")

    @card("F40", "session.py", 3)
    def test_f40_books_are_sound(self, venue: Venue) -> None:
        """After every single event each book is sorted, uncrossed, without an empty level, and what the levels told add
        up to; the venue's own time never runs back between two changes of it."""
        for tape in self.tapes_of(venue):
            names, plain = tape.names, {index: PlainBook() for index in tape.names}
            times = dict.fromkeys(tape.names, "")

            def seen(index: int, book: L2Book, event: BookSnapshot | BookDelta) -> None:
                plain[index].take(event, book.depth)  # noqa: B023 - used within its turn of the loop
                plain[index].judge(names[index], book)  # noqa: B023
                if isinstance(event, BookDelta):
                    hold(event.ts_venue >= times[index], f"{names[index]}: {event.ts_venue} came after {times[index]}")  # noqa: B023
                times[index] = event.ts_venue if isinstance(event, BookDelta) else ""  # noqa: B023

            feed = Feed(venue, tape, seen)
            for _, now_ns, given in tape.steps:
                check(feed.step(given, now_ns))
            gaps = [reason for _, reason in feed.losses if reason == "crossed"]
            hold(not gaps, f"{tape.name}: a book of an undamaged tape was crossed")

    @card("F70", "__init__.py", 4)
    def test_f70_checksum(self, venue: Venue) -> None:
        """Where the venue prints a checksum every book message is held against it, all of the tape agree, and one level
        that differs is noticed."""
        if not venue.capabilities.checksum:
            skip("capability checksum: the venue prints none")
        hold(venue.checksum is not None, "capability checksum is declared, and Venue.checksum is None")
        for tape in self.tapes_of(venue):
            feed = self.truth(venue, tape).feed
            hold(feed.failed == 0, f"{tape.name}: {feed.failed} checksums failed, {feed.ok} agreed")
            hold(feed.ok > 0, f"{tape.name}: no book event carries the checksum that is declared")
        self._is_seeing(venue)

    def _is_seeing(self, venue: Venue) -> None:
        """A checksum that is always the same would agree with itself."""
        check_of = venue.checksum
        assert check_of is not None  # noqa: S101 - held above
        book = L2Book(depth=10)
        bids, asks = (
            [(10**9 * (100 - k), 10**8) for k in range(1, 11)],
            [(10**9 * (100 + k), 10**8) for k in range(1, 11)],
        )
        book.load(bids, asks, 0)
        before = check_of(book)
        book.apply([(bids[0][0], 2 * 10**8)], [], 0)
        hold(check_of(book) != before, "the checksum is the same for another size of the best bid")

    @card("F90", "session.py", 3)
    def test_f90_silence(self, venue: Venue) -> None:
        """Silence is noticed by ticks alone, which the session asks for itself: within three minutes no book is shown
        any more and the link is given up."""
        for tape in self.tapes_of(venue):
            truth = self.truth(venue, tape)
            feed = Feed(venue, tape)
            now_ns = 0
            for _, now_ns, given in tape.steps[: truth.live]:
                feed.step(given, now_ns)
            hold(any(book.valid for book in feed.books.values()), f"{tape.name}: no book lives when all have come")
            end_ns = now_ns + SILENCE_NS
            feed.reconnects.clear()
            while not feed.reconnects:
                hold(feed.wake_ns is not None, "nobody would ever tick again: the session asks for no WakeAt")
                now_ns = max(feed.wake_ns or 0, now_ns + 1)
                hold(now_ns <= end_ns, f"{tape.name}: after three minutes of silence the link is not given up")
                check(feed.step(Timer(), now_ns))
            lives = [tape.names[index] for index, book in feed.books.items() if book.valid]
            hold(not lives, f"{tape.name}: the link is given up, and {', '.join(lives)} is still shown")


def _cut(venue: Venue, tape: Tape, live: int) -> None:
    feed, now_ns = Feed(venue, tape), 0
    for _, now_ns, given in tape.steps[:live]:
        feed.step(given, now_ns)
    for link in {given.link for _, _, given in tape.steps[:live] if isinstance(given, LinkUp)}:
        feed.step(LinkDown(venue.name, link), now_ns)
    lives = [tape.names[index] for index, book in feed.books.items() if book.valid]
    hold(not lives, f"{tape.name}: {', '.join(lives)} is shown though its link is down")


def _on_grid(venue: Venue, symbol: str, tick: int, decimals: int, levels: list[tuple[int, int]]) -> None:
    digit = 10 ** (SIZE_DECIMALS - decimals)
    for px, size in levels:
        hold(px > 0 and px % tick == 0, f"{venue.name} {symbol}: price {px} (1e-9) is off its tick {tick}")
        hold(
            size >= 0 and size % digit == 0,
            f"{venue.name} {symbol}: size {size} (1e-8) has more than {decimals} decimals",
        )


def _played(venue: Venue, tape: Tape) -> list[bytes]:
    feed = Feed(venue, tape)
    lines = ((number, feed.step(given, now_ns)) for number, now_ns, given in tape.steps)
    return [line_of(number, outputs) for number, outputs in lines if outputs]


def golden_of(venue: Venue, tape: Tape) -> bytes:
    """What `--accept` writes."""
    return b"".join(line + b"\n" for line in _played(venue, tape))
