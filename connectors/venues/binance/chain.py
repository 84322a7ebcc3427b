"""The published seven steps that make a book of diffs and one snapshot, by numbers alone.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly

Each diff sums up the changes numbered `first` to `last`; a snapshot has the number of the last change in it. Diffs are
kept while a snapshot is on its way; of those, what the snapshot already holds is left out, and the first one that goes
beyond it must begin at its next number at the latest. Afterwards a diff that begins later than that is proof that one
was lost; one that ends no later says nothing new. Numbers that contradict themselves (a diff that lies partly inside
the last one's numbers) are no duplicate but damage, and count as a loss: otherwise one wrong `last` would make the book
stand still for as long as the true numbers take to reach it.
"""

from collections import deque
from enum import Enum, auto
from typing import Final

import msgspec

from connectors.book import Level

KEPT_MAX: Final = 1200  # two minutes of diffs every 100 ms: no snapshot takes as long
BEHIND_MAX: Final = 100  # diffs older than the snapshot in a row: ten seconds; a stream is never that late


class Diff(msgspec.Struct, gc=False):
    """Changed levels, and the numbers of the changes that they sum up."""

    first: int
    last: int
    bids: list[Level]
    asks: list[Level]
    ts_venue: str


class Fit(Enum):
    """What a diff is to the book that stands."""

    NEXT = auto()
    OLD = auto()
    GAP = auto()


class Chain:
    """`last`: of the book that stands. `is_keeping`: diffs are kept for a snapshot that was asked for."""

    __slots__ = ("_behind", "_first", "_kept", "is_keeping", "last")

    def __init__(self) -> None:
        self.last = 0
        self.is_keeping = True
        self._first = -1  # of the diff applied last; −1: none since the snapshot
        self._behind = 0
        self._kept: deque[Diff] = deque(maxlen=KEPT_MAX)

    def restart(self) -> None:
        """No book stands: keep what comes from now on."""
        self._kept.clear()
        self.is_keeping = True

    # --- while a book stands -----------------------------------------------------------------------------------------

    def fit(self, first: int, last: int) -> Fit:
        """Judges the next diff, and takes note of it where it is NEXT."""
        if last > self.last:
            if first > self.last + 1:
                return Fit.GAP
            self.last, self._first, self._behind = last, first, 0
            return Fit.NEXT
        if self._first < 0:  # the snapshot was ahead of the stream
            self._behind += 1
            return Fit.OLD if self._behind <= BEHIND_MAX else Fit.GAP
        is_older = last < self._first
        is_same = first == self._first and last == self.last
        return Fit.OLD if is_older or is_same else Fit.GAP

    # --- while one is waited for -------------------------------------------------------------------------------------

    def keep(self, diff: Diff) -> bool:
        """For a snapshot to come. False: one before it was lost, and what was kept until then is of no use."""
        kept = self._kept
        if kept and diff.last <= kept[-1].last:
            return True
        is_next = not kept or diff.first <= kept[-1].last + 1
        if not is_next:
            kept.clear()
        kept.append(diff)
        return is_next

    @property
    def is_kept(self) -> bool:
        """Whether any diff is."""
        return bool(self._kept)

    def bracket(self, last: int, *, is_standing: bool) -> list[Diff] | None:
        """A snapshot with this number came: the diffs to apply to it, and from here on it is the book. None: it is too
        old for the diffs that were kept, or, where a book stands, older than that; another must be asked for.
        """
        if self._kept:
            if last + 1 < self._kept[0].first:
                return None
        elif is_standing and last < self.last:
            return None
        beyond = [diff for diff in self._kept if diff.last > last]
        self.last, self._first, self._behind = last, -1, 0
        for diff in beyond:  # the first of them begins in time, and each was chained to the one before
            self.last, self._first = diff.last, diff.first
        self._kept.clear()
        self.is_keeping = False
        return beyond
