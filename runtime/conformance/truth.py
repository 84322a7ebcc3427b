"""What a venue's books really were, from the undamaged tape; and a damaged one judged by it.

After damage nobody can demand that nothing was lost; what is demanded is that nothing is shown that the venue never
had, and that a book which stands still while the venue speaks of it is not shown as if it lived.
"""

from functools import cached_property

from connectors.book import L2Book
from connectors.events import BookDelta, BookSnapshot
from connectors.session import CALLS, Output, Send, Venue, WakeAt
from runtime.conformance.cards import hold
from runtime.conformance.feed import Feed, State, state_of
from runtime.conformance.tapes import Step, Tape
from runtime.inputs import Frame, Input, Timer

SECOND = 10**9
HEALING_NS = 65 * SECOND  # the longest back-off is a minute
BEAT_NS = SECOND // 2


class Truth:
    """`had[index]`: every state that this book ever had. `deltas`: places on the tape of frames that change a book.

    `last[index]`: the place of the last input that changed it, `final[index]` its last state, where it was valid.
    `live`: after how many inputs every book had been shown.
    """

    def __init__(self, venue: Venue, tape: Tape) -> None:
        self.venue, self.tape = venue, tape
        self.had: dict[int, set[State]] = {index: set() for index in tape.names}
        self.last: dict[int, int] = {}
        self.deltas: list[int] = []
        self.answers: list[list[Output]] = []
        self.live = 0
        place = 0

        def seen(index: int, book: L2Book, event: BookSnapshot | BookDelta) -> None:
            self.had[index].add(state_of(book))
            self.last[index] = place
            if isinstance(event, BookDelta) and isinstance(tape.steps[place][2], Frame):
                self.deltas.append(place)

        self.feed = Feed(venue, tape, seen)
        for place, (_, now_ns, given) in enumerate(tape.steps):
            self.answers.append(self.feed.step(given, now_ns))
            if not self.live and len(self.last) == len(tape.names):
                self.live = place + 1
        self.deltas = sorted(set(self.deltas))
        self.final = {index: state_of(book) for index, book in self.feed.books.items() if book.valid}

    @property
    def frames(self) -> list[int]:
        """Places of frames."""
        return [place for place, (_, _, given) in enumerate(self.tape.steps) if isinstance(given, Frame)]

    def judge(self, steps: list[Step], until: int) -> Feed:
        """Runs a damaged tape. `until`: the last place of the undamaged one that the damage may have hit.

        Raises AssertionError for a book that the venue never had, or an old one that is shown as if it lived.
        """
        names = self.tape.names

        def seen(index: int, book: L2Book, event: BookSnapshot | BookDelta) -> None:
            del event
            hold(state_of(book) in self.had[index], f"{names[index]}: shown is a book that the venue never had")

        feed = Feed(self.venue, self.tape, seen)
        for _, now_ns, given in steps:
            if self.is_said(given, feed):
                check(feed.step(given, now_ns))
        for index, book in feed.books.items():
            if book.valid and self.last.get(index, -1) > until and index in self.final:
                told = f"{names[index]}: the venue spoke of it after the damage, and the book is not what it said"
                hold(state_of(book) == self.final[index], told)
        return feed

    def is_said(self, given: Input, feed: Feed) -> bool:
        """Whether the venue would say that now: an answer over HTTP answers the question asked under its number.

        After damage a session asks other questions than on the tape; nobody answers those.
        """
        if not isinstance(given, Frame) or given.link != CALLS:
            return True
        number = given.raw.partition(b" ")[0]
        return _question(self.feed, number) == _question(feed, number)

    def mends(self, feed: Feed, steps: list[Step]) -> None:
        """Every book that is lost is asked for, at once or after a back-off, while the link lives. AssertionError.

        After `steps` the venue goes on saying what it said last: silence would be mended by dialling anew.
        """
        lost = [index for index, book in feed.books.items() if not book.valid and index in self.final]
        if not lost or _asked(feed) > self._calm[0]:
            return
        number, now_ns, last = next(
            step for step in reversed(steps) if isinstance(step[2], Frame) and step[2].link != CALLS
        )
        del number
        for calm in self._calm[1:]:
            now_ns += BEAT_NS
            for given in (last, Timer()):
                check(feed.step(given, now_ns))
            if _asked(feed) > calm:
                return
        names = ", ".join(self.tape.names[index] for index in lost)
        hold(False, f"{names}: lost, and nothing was asked for in a minute")

    @cached_property
    def _calm(self) -> list[int]:
        """How much an undamaged session has sent at the end of the tape, and at each of the beats that follow."""
        feed = Feed(self.venue, self.tape)
        for _, now_ns, given in self.tape.steps:
            feed.step(given, now_ns)
        last = next(
            given for _, _, given in reversed(self.tape.steps) if isinstance(given, Frame) and given.link != CALLS
        )
        counts = [_asked(feed)]
        for _ in range(HEALING_NS // BEAT_NS):
            now_ns += BEAT_NS
            for said in (last, Timer()):
                feed.step(said, now_ns)
            counts.append(_asked(feed))
        return counts


def _asked(feed: Feed) -> int:
    return len(feed.sent) + len(feed.reconnects)


def _question(feed: Feed, number: bytes) -> bytes:
    """What was asked under this number; b"": nothing."""
    return next((one.data for one in feed.sent if one.link == CALLS and one.data.partition(b" ")[0] == number), b"")


KINDS = tuple(Output.__args__)


def check(outputs: list[Output]) -> None:
    """A session answers with what its contract lists. Raises AssertionError."""
    for output in outputs:
        hold(isinstance(output, KINDS), f"a session answered with {type(output).__name__}")


def is_loud(outputs: list[Output]) -> bool:
    """Whether a person, or the engine, was told of anything."""
    return any(not isinstance(output, Send | WakeAt) for output in outputs)
