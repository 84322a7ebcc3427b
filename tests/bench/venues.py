"""From a frame to the book, at each native venue: beside the mere decoding of the frame, and beside ccxt.pro's handler.

    uv run python -m tests.bench.venues [--rounds N]

Ours: the market session's `receive` from the bytes on, `L2Book.load` or `apply`, and the checksum where the venue has
one, as the engine does it with every book message; `cold`: by a session that has not met these prices and sizes before,
as nobody's is for long. Not in it: what the engine does with a book afterwards (marks,
features, guests: `chain`, `peers`), socket, tape. Floor: msgspec's decode of the same frame into the session's own
types; and into Python's (`untyped`).

Frames: a market of each simulator in virtual time, by seed; and where ../shared/data is, OKX's and Binance's own. The
book's messages are timed, whole books among them; all that comes between them (trades, answers, Binance's snapshot) is
fed outside the timed part. ccxt.pro is fed the book's messages alone: `venue_ccxt.py`.

Before anything is timed, and after each round, all hold the same best 20 levels a side, frame by frame, or the bench
ends with exit code 1; slowness does not. Times are the thread's own, so that a busy machine costs little; each
figure is the median of so many rounds, each ratio the median of the rounds' own: within a round all take turns.
"""

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Final, Protocol

import msgspec

from connectors.book import L2Book
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.session import MarketSession, SessionPlan
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from tests.bench.peer_clients import CCXT, Sides, WrongBookError, installed
from tests.bench.venue_ccxt import CcxtVenue
from tests.bench.venue_frames import DECODERS, DEPTH, Feed, feeds

TOP: Final = 20
OURS: Final = "venuegate"
COLD: Final = "venuegate, cold"
TYPED: Final = "decode"
UNTYPED: Final = "untyped"


class Runner(Protocol):
    """What takes its turn in a round."""

    @property
    def name(self) -> str: ...

    def restart(self) -> None:
        """As before the first frame."""

    def span(self, first: int, last: int) -> None:
        """These frames of the feed, in order."""


class Holder(Runner, Protocol):
    """What keeps a book."""

    def book(self) -> Sides:
        """The best levels."""

    def close(self) -> None: ...


class Floor:
    """Decodes the messages of the book, and drops what it gets."""

    def __init__(self, name: str, feed: Feed, decode: Callable[[bytes], object]) -> None:
        self.name = name
        self._decode = decode
        self._raws = [raw if feed.is_book(link, raw) else None for _, link, raw in feed.frames]

    def restart(self) -> None:
        pass

    def span(self, first: int, last: int) -> None:
        decode = self._decode
        for raw in self._raws[first:last]:
            if raw is not None:
                decode(raw)


class Ours:
    """A market session and its book. A pass is a later minute of its life, after its link was cut; `is_cold`: each one
    is a new session's first, which has seen no price and no size before.
    """

    session: MarketSession

    def __init__(self, feed: Feed, *, is_cold: bool = False) -> None:
        self.name = COLD if is_cold else OURS
        self._feed, self._is_cold = feed, is_cold
        self._checksum = feed.venue.checksum
        self._begin()

    def _begin(self) -> None:
        feed, known = self._feed, self._feed.instrument
        self.session = feed.venue.market(SessionPlan(((0, feed.symbol),), DEPTH, {0: known}))
        self._book = L2Book(
            price_digit_1e9=10 ** (PRICE_DECIMALS - known.price_precision),
            size_digit_1e8=10 ** (SIZE_DECIMALS - known.size_precision),
        )

    def restart(self) -> None:
        if self._is_cold:
            self._begin()
            return
        at_ns = self._feed.frames[0][0]
        self.session.close(at_ns)
        self.session.open(at_ns)
        self._book.invalidate("a new pass")

    def span(self, first: int, last: int) -> None:
        receive, book, checksum = self.session.receive, self._book, self._checksum
        for now_ns, link, raw in self._feed.frames[first:last]:
            for output in receive(raw, now_ns, link):
                kind = type(output)
                if kind is BookDelta:
                    if not book.valid:
                        continue
                    book.apply(output.bids, output.asks, now_ns)  # type: ignore[union-attr]
                elif kind is BookSnapshot:
                    book.depth = output.depth  # type: ignore[union-attr]
                    book.load(output.bids, output.asks, now_ns)  # type: ignore[union-attr]
                elif kind is BookLost:
                    raise WrongBookError(f"{self._feed.name}: the book was lost: {output}")
                else:
                    continue
                expected = output.checksum  # type: ignore[union-attr]
                if expected is not None and checksum is not None and checksum(book) != expected:
                    raise WrongBookError(f"{self._feed.name}: a checksum differs")

    def book(self) -> Sides:
        if not self._book.valid:
            return [], []
        return list(self._book.bids[:TOP]), list(self._book.asks[:TOP])

    def close(self) -> None:
        pass


# --- one venue -------------------------------------------------------------------------------------------------------


def same(ours: Holder, theirs: Holder, where: str) -> None:
    """Raises WrongBookError."""
    for side, mine, other in zip(("bids", "asks"), ours.book(), theirs.book(), strict=True):
        if mine != other:
            at = next((n for n, (a, b) in enumerate(zip(mine, other, strict=False)) if a != b), None)
            what = f"{len(mine)} and {len(other)} levels" if at is None else f"{mine[at]} and {other[at]}"
            raise WrongBookError(f"{where}: {side} of {ours.name} and {theirs.name} differ: {what}")


def walk(feed: Feed, ours: Holder, peers: Sequence[Holder]) -> int:
    """One pass, untimed: the books after each message of the book compared. How many were. Raises WrongBookError."""
    compared = 0
    for holder in (ours, *peers):
        holder.restart()
    for n, (_, link, raw) in enumerate(feed.frames):
        for holder in (ours, *peers):
            holder.span(n, n + 1)
        if not feed.is_book(link, raw) or not ours.book()[0]:
            continue
        compared += 1
        for peer in peers:
            same(ours, peer, f"{feed.name}, {feed.source}, after frame {n}")
    if not compared:
        raise WrongBookError(f"{feed.name}, {feed.source}: no book ever stood")
    return compared


def stretches(feed: Feed) -> list[tuple[int, int, bool]]:
    """The feed in pieces of messages of the book and of others, by turns: (first, behind the last, whether books)."""
    found: list[tuple[int, int, bool]] = []
    for n, (_, link, raw) in enumerate(feed.frames):
        is_book = feed.is_book(link, raw)
        if found and found[-1][2] == is_book:
            found[-1] = (found[-1][0], n + 1, is_book)
        else:
            found.append((n, n + 1, is_book))
    return found


def timed(runner: Runner, pieces: Sequence[tuple[int, int, bool]], count: int) -> float:
    """Seconds a message of the book, over one pass."""
    clock, spent, span = time.thread_time, 0.0, runner.span
    runner.restart()
    for first, last, is_book in pieces:
        if is_book:
            begin = clock()
            span(first, last)
            spent += clock() - begin
        else:
            span(first, last)
    return spent / count


def measure(feed: Feed, runners: Sequence[Runner], rounds: int) -> dict[str, list[float]]:
    """Seconds a message of each, round by round."""
    pieces = stretches(feed)
    count = sum(last - first for first, last, is_book in pieces if is_book)
    spent: dict[str, list[float]] = {runner.name: [] for runner in runners}
    is_on = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            gc.collect()
            for runner in runners:
                spent[runner.name].append(timed(runner, pieces, count))
    finally:
        if is_on:
            gc.enable()
    return spent


class Line(msgspec.Struct, frozen=True):
    """What one feed came to: medians in µs, and of the rounds' ratios."""

    feed: str
    messages: int
    decode: float
    ours: float
    cold: float
    by_typed: float
    by_untyped: float
    ccxt: float
    peer: float  # ccxt.pro ÷ ours

    def shown(self) -> str:
        figures = "".join(f"{figure:>9.2f}" for figure in (self.decode, self.ours, self.cold))
        peer = f"{self.ccxt:>9.2f}{self.peer:>8.1f} ×" if self.ccxt else f"{'–':>9}{'–':>10}"
        return f"  {self.feed:<20}{self.messages:>5}{figures}{self.by_typed:>8.1f} ×{self.by_untyped:>9.1f} ×{peer}"


HEAD: Final = "  " + " " * 20 + " msgs   decode     ours     cold  ÷ decode  ÷ untyped     ccxt ccxt ÷ it"


def one(feed: Feed, rounds: int, *, is_beside: bool) -> tuple[Line, int]:
    """Measures one feed; its line and how often the books were compared. Raises WrongBookError."""
    ours = Ours(feed)
    peers = [CcxtVenue(feed, DEPTH, TOP)] if is_beside else []
    floors = [Floor(TYPED, feed, DECODERS[feed.name]), Floor(UNTYPED, feed, msgspec.json.decode)]
    runners: list[Runner] = [*floors, ours, Ours(feed, is_cold=True), *peers]
    try:
        compared = walk(feed, ours, peers)
        spent = measure(feed, runners, rounds)
        for peer in peers:
            same(ours, peer, f"{feed.name}, {feed.source}, at the end")
    finally:
        for peer in peers:
            peer.close()
    own = spent[OURS]

    def ratio(over: list[float], under: list[float]) -> float:
        return median(a / b for a, b in zip(over, under, strict=True))

    theirs = spent.get(CcxtVenue.name)
    line = Line(
        feed=f"{feed.name}, {feed.source}",
        messages=len(feed.books()),
        decode=median(spent[TYPED]) * 1e6,
        ours=median(own) * 1e6,
        cold=median(spent[COLD]) * 1e6,
        by_typed=ratio(own, spent[TYPED]),
        by_untyped=ratio(own, spent[UNTYPED]),
        ccxt=median(theirs) * 1e6 if theirs else 0.0,
        peer=ratio(theirs, own) if theirs else 0.0,
    )
    return line, compared


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=20)
    rounds = max(parser.parse_args().rounds, 1)
    found = installed("ccxt")
    lines: list[Line] = []
    compared = 0
    try:
        for feed in feeds():
            line, count = one(feed, rounds, is_beside=bool(found))
            lines.append(line)
            compared += count
    except WrongBookError as error:
        print(f"wrong: {error}", file=sys.stderr)
        return 1
    print(f"frame → event → book, µs a message, median of {rounds}; equal books after each of {compared} messages")
    print("\n".join([HEAD, *(line.shown() for line in lines)]))
    if not found:
        print("ccxt is not installed, and not measured: uv sync --extra ccxt")
    elif found != CCXT:
        print(f"docs/benchmarks.md tells of ccxt {CCXT}, this is {found}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
