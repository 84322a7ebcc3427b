"""Whether a book that is valid may be what it is, of a market whose messages were all seen before they were harmed."""

from __future__ import annotations

from typing import Any

from tests.support.venue_truth import Message, Sides


class WrongBookError(AssertionError):
    """A valid book that is not the venue's."""


class Judge:
    """What one market's book may be. Keys rise with the venue's messages.

    `reached`: the last one that came through whole. A venue with a checksum promises the book of the message that came
    last; one with numbers that of the highest. `is_chained`: a market's messages are numbered, or summed, for
    themselves; Coinbase's numbers are the connection's.
    """

    def __init__(self, *, is_summed: bool, is_chained: bool, top: int) -> None:
        self.states: dict[int, Sides] = {}
        self.reached = -1
        self.is_tainted = False
        self.tainted = 0
        self._maybe: set[int] = set()
        self._is_summed, self._is_chained, self._top = is_summed, is_chained, top

    def held(self, book: Any) -> Sides:
        sides = tuple(tuple(side[: self._top or len(side)]) for side in (book.bids, book.asks))
        return sides[0], sides[1]

    def lost(self) -> None:
        """Its book is gone: what comes next is told anew."""
        self.is_tainted = False

    def intact(self, key: int, book: Any, *, is_whole: bool) -> None:
        """A message came through whole. Raises WrongBookError.

        A whole book is believed when it comes, also once more and late, until the next number shows it to be old.
        """
        is_believed = self._is_summed or (is_whole and self._is_chained)
        self.reached = key if is_believed else max(self.reached, key)
        self._maybe = {one for one in self._maybe if one > self.reached}
        if not book.valid:
            return
        found = self.held(book)
        if found in [self.states[one] for one in (self.reached, *self._maybe)]:
            self.is_tainted &= bool(self._top)
        elif not self.is_tainted or is_whole:
            raise WrongBookError(f"after message {key}: {_differing(self.states[self.reached], found)}")

    def answered(self, number: int, book: Any) -> None:
        """An answer that was asked for came: the book as of that number, or it says nothing. Raises WrongBookError."""
        if not book.valid or self.is_tainted:
            return
        allowed = [one for one in (self.reached, *self._maybe, max(self.reached, number)) if one in self.states]
        found = self.held(book)
        if found not in [self.states[one] for one in allowed]:
            raise WrongBookError(f"after snapshot {number}: {_differing(self.states[max(allowed)], found)}")

    def damaged(self, key: int, book: Any) -> None:
        """It was changed on the way, and shows. Raises WrongBookError."""
        self._maybe.add(key)
        if book.valid and self.held(book) not in self.states.values() and not self.is_tainted:
            raise WrongBookError(f"after the damaged message {key}: a book that the venue never had")

    def is_beyond(self, sent: Message, came: Message | None) -> bool:
        """Whether no rule of this venue's shows what was changed; `came` is what the message says now.

        Other levels under the same name and numbers are what a venue without a checksum cannot show; another name, or
        another channel's (None), what one cannot that does not number each market.
        """
        if self._is_summed:
            return False
        if came is None or came.name != sent.name:
            return not self._is_chained
        return came.is_whole == sent.is_whole and (came.bids, came.asks) != (sent.bids, sent.asks)

    def unseen(self, book: Any) -> None:
        """Such a message came: until the market, or those levels, are told again, nothing is held against its book."""
        is_taken = book.valid or self._top > 0  # Binance's are kept for the snapshot
        self.is_tainted |= is_taken
        self.tainted += is_taken


def _differing(wanted: Sides, found: Sides) -> str:
    for side, ours, theirs in zip(("bids", "asks"), found, wanted, strict=True):
        if ours != theirs:
            at = next((n for n, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1]), None)
            if at is None:
                return f"{len(ours)} {side} where the venue has {len(theirs)}"
            return f"{side}[{at}] is {ours[at]}, the venue's is {theirs[at]}"
    return "nothing differs"
