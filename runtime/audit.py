"""A second look at books: a fresh snapshot, asked for beside the feed, against the states that our book went through.

A checksum of the best ten levels cannot see below them, so a lost update there stays until it surfaces. A snapshot of
the whole depth shows it, if it is held against the right moment: it comes over another connection, and may be older or
newer than what we have when it arrives. So our states are kept from `BEFORE_NS` before it comes until `GRACE_NS` after,
and the snapshot must be one of them:

    AuditDue        snapshot asked for   it comes                      verdict
       ├── states kept ────────┴────────────┤── each new one compared ───┤
       └───────────── at least BEFORE_NS ───┘         GRACE_NS

* It equals one of them to its full depth: audited, at once. The same state may occur twice; then our book was the
  venue's at one of the two moments, and a later look finds what was lost after it.
* Its best ten levels are those of some state, and below them every such state differs: mismatch, and only when the
  time is over. Had nothing been lost, the snapshot would be among the states: they are all there, without a hole, from
  before it was made until our feed had passed it.
* Anything else says nothing: inconclusive. So does every doubt about the states: one not kept for want of room, a
  window that began too late, a venue's time that lies outside ours. A race is never taken for a loss.

A book that is lost or loaded anew is forgotten: a look at the old one means nothing for the new.
"""

from array import array
from collections.abc import Sequence
from enum import StrEnum
from itertools import chain
from typing import Final

import msgspec

from connectors.book import L2Book, Level
from connectors.errors import NumberError
from connectors.events import BookSnapshot
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, rfc3339_ns, trimmed_text

TOP: Final = 10  # levels a side that checksums cover
BEFORE_NS: Final = 2 * 10**9  # our states reach at least so far back when a snapshot comes
GRACE_NS: Final = 3 * 10**9  # how long our feed may take to reach it
UNANSWERED_NS: Final = 30 * 10**9  # a look that nobody ends ends by itself
KEPT_MAX: Final = 1 << 23  # bytes of states kept of one book
_LEVEL: Final = 16  # bytes of a level: price, size

State = tuple[bytes, bytes]  # bids, asks; best first, each level its price ×1e9 and size ×1e8


class Outcome(StrEnum):
    """What one look came to, where somebody must act on it."""

    MISMATCH = "mismatch"  # the book holds wrong levels: it must go
    INCONCLUSIVE = "inconclusive"  # look again, sooner


class Record(msgspec.Struct):
    """What the looks at one book came to. `last_ns` and `levels`: the last that it passed since it was loaded, how far
    down; 0: none. `found`: the last wrong level, `why`: why the last inconclusive one was, in words.
    """

    passed: int = 0
    mismatches: int = 0
    inconclusive: int = 0
    last_ns: int = 0
    levels: int = 0
    found: str = ""
    why: str = ""


class _Window:
    """One look: our states until the snapshot is there, then the snapshot that later ones are held against."""

    __slots__ = (
        "after",
        "began_ns",
        "came_ns",
        "depth",
        "first_time",
        "kept",
        "last_time",
        "nearest",
        "size",
        "their_time",
        "theirs",
        "touch",
        "why",
    )  # fmt: skip

    def __init__(self, first: State, first_time: str, now_ns: int) -> None:
        self.began_ns = now_ns
        self.kept: list[State] = [first]
        self.size = len(first[0]) + len(first[1])
        self.first_time = self.last_time = first_time
        self.after = 0  # states since the snapshot came
        self.came_ns: int | None = None
        self.theirs: State | None = None
        self.touch = 0, 0
        self.their_time = ""
        self.depth = 0
        self.nearest: State | None = None  # the last of ours with the snapshot's top
        self.why = ""  # why no mismatch can be concluded

    def keep(self, state: State) -> None:
        self.size += len(state[0]) + len(state[1])
        if self.size > KEPT_MAX:
            self.kept.clear()
            self.why = "more states than there is room for"
        if not self.why:
            self.kept.append(state)

    def is_equal(self, state: State) -> bool:
        """Whether this one of our states is the snapshot."""
        if self.theirs is None:
            return False
        end, top = self.depth * _LEVEL, min(self.depth, TOP) * _LEVEL
        (bids, asks), (their_bids, their_asks) = state, self.theirs
        if bids[:top] != their_bids[:top] or asks[:top] != their_asks[:top]:
            return False
        self.nearest = bids[:end], asks[:end]
        return self.nearest == self.theirs


class Auditor:
    """Tells whether books are the venue's to their full depth. `times`: the venue's own time of each book, as text.

    `pending`: the books of which states are wanted; `records`: what came of it, of each book ever looked at.
    """

    def __init__(self, times: Sequence[str]) -> None:
        self._times = times
        self.pending: dict[int, _Window] = {}
        self.records: dict[int, Record] = {}

    def begin(self, index: int, book: L2Book, now_ns: int) -> None:
        """A snapshot of this book will be asked for. Of an unusable book nothing can be said."""
        if book.valid and index not in self.pending:
            self.records.setdefault(index, Record())
            self.pending[index] = _Window(_state(book), self._times[index], now_ns)

    def saw(self, index: int, book: L2Book, now_ns: int) -> None:
        """The book changed, and its checksum is right."""
        window = self.pending.get(index)
        if window is None:
            return
        window.last_time = self._times[index]
        if window.came_ns is None:
            window.keep(_state(book))
            return
        window.after += 1
        if book.touch() == window.touch and window.is_equal(_state(book)):
            self._pass(index, window, now_ns)

    def compare(self, index: int, snapshot: BookSnapshot | None, book: L2Book, now_ns: int) -> None:
        """The snapshot that was announced; None: there is none. What it comes to, `tick` tells."""
        window = self.pending.get(index)
        if window is None or window.came_ns is not None:
            return
        window.came_ns = now_ns
        if snapshot is None:
            window.why = "no snapshot"
            return
        window.depth = min(snapshot.depth, book.depth)
        bids = sorted(filter(_is_there, snapshot.bids), reverse=True)[: window.depth]
        asks = sorted(filter(_is_there, snapshot.asks))[: window.depth]
        window.theirs = _flat(bids), _flat(asks)
        window.touch = bids[0][0] if bids else 0, asks[0][0] if asks else 0
        window.their_time = snapshot.ts_venue
        if now_ns - window.began_ns < BEFORE_NS:
            window.why = window.why or "it came before enough states were kept"
        if any(map(window.is_equal, window.kept)):
            self._pass(index, window, now_ns)
        window.kept.clear()

    def tick(self, now_ns: int) -> list[tuple[int, Outcome]]:
        """Verdicts that time alone brings, with the book's index; those that a book passed need nobody."""
        out = []
        for index, window in list(self.pending.items()):
            if window.came_ns is None:
                if now_ns - window.began_ns < UNANSWERED_NS:
                    continue
                window.why = "no snapshot"
            elif window.theirs is not None and now_ns - window.came_ns < GRACE_NS:
                continue
            del self.pending[index]
            out.append((index, self._conclude(self.records[index], window)))
        return out

    def forget(self, index: int) -> None:
        """This book is lost, or was loaded anew: nobody has looked at the one that stands there now."""
        self.pending.pop(index, None)
        record = self.records.get(index)
        if record is not None:
            record.last_ns = record.levels = 0

    def _pass(self, index: int, window: _Window, now_ns: int) -> None:
        record = self.records[index]
        record.passed += 1
        record.last_ns, record.levels = now_ns, window.depth
        del self.pending[index]

    @staticmethod
    def _conclude(record: Record, window: _Window) -> Outcome:
        if window.nearest is None and not window.why:
            window.why = "none of our states has its best levels"
        why = window.why or _out_of_time(window)
        if why or window.nearest is None or window.theirs is None:
            record.inconclusive += 1
            record.why = why
            return Outcome.INCONCLUSIVE
        record.mismatches += 1
        record.found = _difference(window.nearest, window.theirs)
        return Outcome.MISMATCH


def _out_of_time(window: _Window) -> str:
    """By the venue's own times: why the snapshot may lie outside what we saw; "" where they tell nothing."""
    try:
        theirs, first, last = map(rfc3339_ns, (window.their_time, window.first_time, window.last_time))
    except NumberError:  # snapshots of some years have no time: then only receipt times are left
        return ""
    if theirs < first:
        return "it is older than the states that were kept"
    if window.after and last < theirs:  # without an update since, a quiet book is all that it can be
        return "our feed has not reached it yet"
    return ""


def _state(book: L2Book) -> State:
    return _flat(book.bids), _flat(book.asks)


def _flat(levels: list[Level]) -> bytes:
    return array("Q", chain.from_iterable(levels)).tobytes()


def _is_there(level: Level) -> bool:
    return level[1] > 0


def _difference(ours: State, theirs: State) -> str:
    """The best price at which they differ: `ask 1878.19: ours 0.4113, the venue's 0`."""
    for side, (mine, other) in zip(("bid", "ask"), zip(ours, theirs, strict=True), strict=True):
        sizes, their_sizes = dict(_levels(mine)), dict(_levels(other))
        for px in sorted(sizes.keys() | their_sizes.keys(), reverse=side == "bid"):
            size, their_size = sizes.get(px, 0), their_sizes.get(px, 0)
            if size != their_size:
                shown = (trimmed_text(size, SIZE_DECIMALS), trimmed_text(their_size, SIZE_DECIMALS))
                return f"{side} {trimmed_text(px, PRICE_DECIMALS)}: ours {shown[0]}, the venue's {shown[1]}"
    return ""


def _levels(side: bytes) -> list[Level]:
    words = memoryview(side).cast("Q").tolist()
    return list(zip(words[::2], words[1::2], strict=True))
