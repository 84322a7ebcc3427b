"""A venue's book as plain dictionaries, the updates it sends of it, and one of our books that is audited."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.book import L2Book, Level
from connectors.errors import BookGap
from connectors.events import BookSnapshot
from runtime.audit import Auditor, Outcome

SECOND = 10**9
T0 = 1_786_874_640 * SECOND  # 2026-08-16T10:04:00Z
Sides = tuple[dict[int, int], dict[int, int]]  # bids, asks: price → size
View = tuple[tuple[Level, ...], tuple[Level, ...]]  # the best levels of both sides
Change = tuple[int, int, int]  # side 0 or 1, price, size; 0 removes


def stamp(now_ns: int) -> str:
    """RFC 3339, for the minutes after `T0` that tests take."""
    minute, ns = divmod(now_ns - T0, 60 * SECOND)
    return f"2026-08-16T10:{4 + minute:02d}:{ns // SECOND:02d}.{ns % SECOND:09d}Z"


def view(sides: Sides, depth: int) -> View:
    bids = tuple(sorted(sides[0].items(), reverse=True)[:depth])
    return bids, tuple(sorted(sides[1].items())[:depth])


def states(start: Sides, changes: list[Change], depth: int) -> list[View]:
    """The venue's book, cut to the depth, before the first change and after each."""
    sides = dict(start[0]), dict(start[1])
    out = [view(sides, depth)]
    for side, px, size in changes:
        if size:
            sides[side][px] = size
        else:
            sides[side].pop(px, None)
        out.append(view(sides, depth))
    return out


def sent(before: View, after: View, change: Change) -> tuple[list[Level], list[Level]]:
    """What Kraken says of one change: changed levels and such as came into scope, but not those that left it."""
    out: tuple[list[Level], list[Level]] = ([], [])
    for side in (0, 1):
        was = dict(before[side])
        if side == change[0] and not change[2] and change[1] in was:
            out[side].append((change[1], 0))
        out[side].extend((px, size) for px, size in after[side] if was.get(px) != size)
    return out


class Watched:
    """One book of ours with its auditor; `checks(book)` is what stands in for the venue's checksum."""

    def __init__(self, depth: int) -> None:
        self.times = [""]
        self.book = L2Book(depth=depth)
        self.auditor = Auditor(self.times)
        self.outcomes: list[Outcome] = []

    def load(self, state: View, now_ns: int, time: str = "") -> None:
        self.auditor.forget(0)
        self.book.load(list(state[0]), list(state[1]), now_ns)
        self.times[0] = time

    def lose(self) -> None:
        self.book.invalidate("test")
        self.auditor.forget(0)

    def apply(self, bids: list[Level], asks: list[Level], now_ns: int, time: str = "") -> None:
        if not self.book.valid:
            return
        try:
            self.book.apply(bids, asks, now_ns)
        except BookGap:
            self.lose()
            return
        self.times[0] = time

    def verified(self, now_ns: int) -> None:
        self.auditor.saw(0, self.book, now_ns)

    def begin(self, now_ns: int) -> None:
        self.auditor.begin(0, self.book, now_ns)

    def snapshot(self, state: View, now_ns: int, time: str = "") -> None:
        found = BookSnapshot(0, list(state[0]), list(state[1]), None, self.book.depth, time)
        self.auditor.compare(0, found, self.book, now_ns)

    def tick(self, now_ns: int) -> None:
        self.outcomes += [outcome for _, outcome in self.auditor.tick(now_ns)]

    @property
    def passed(self) -> int:
        return self.auditor.records[0].passed if 0 in self.auditor.records else 0

    @property
    def now(self) -> View:
        return tuple(self.book.bids), tuple(self.book.asks)


def ticks(begin_ns: int, end_ns: int) -> Iterator[int]:
    """Half-second timers, as the runtime gives them."""
    yield from range(begin_ns, end_ns, SECOND // 2)
