"""F cards about damage: hypothesis drops, repeats, swaps, delays, cuts and invents frames of the tape."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis
from hypothesis import strategies as st

from connectors.session import PUBLIC, Venue
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold, skip, steady
from runtime.conformance.feed import Feed
from runtime.conformance.tapes import Step, Tape
from runtime.conformance.truth import Truth, check, is_loud
from runtime.inputs import Frame

FAR = 8  # frames by which one may be late
NOISE = (
    b"", b" ", b"\x00", b"\xff\xfe\xfd", b"{", b"[]", b"null", b"0", b'""', b"\n\n", b'{"a":', b"1 200\n", b"1 0\n",
    b"x" * 5_000, b"[" * 20_000, b'{"a":' * 20_000, b'{"a":1e999999999}', b'{"data":[{"symbol":"\xed\xa0\x80"}]}',
    b"9" * 5_000,
)  # fmt: skip


def _numbered(venue: Venue) -> bool:
    return venue.capabilities.sequence or venue.capabilities.checksum


class HarmCards(Kit):
    """What is promised when frames are lost, doubled, late, cut or invented."""

    @card("F50", "session.py", 3)
    def test_f50_lost_delta(self, venue: Venue) -> None:
        """Whichever delta is lost, no book is shown that the venue never had, none that stands still while the venue
        goes on, and what was lost is asked for anew."""
        if not _numbered(venue):
            skip("capabilities sequence and checksum: the venue has neither, so nobody can know of a loss")
        for tape in self.tapes_of(venue):
            truth = self.truth(venue, tape)
            hold(truth.deltas, f"{tape.name}: no frame of it changes a book: record a longer one")
            noticed = gaps = 0

            @steady
            @hypothesis.given(st.sampled_from(truth.deltas))
            def lose(place: int) -> None:
                nonlocal gaps, noticed
                steps = tape.steps[:place] + tape.steps[place + 1 :]  # noqa: B023 - called within its turn of the loop
                feed = truth.judge(steps, place)  # noqa: B023
                noticed += feed.losses != truth.feed.losses  # noqa: B023
                gaps += feed.gaps
                truth.mends(feed, steps)  # noqa: B023

            lose()
            hold(noticed, f"{tape.name}: deltas were lost, and no book was ever given up")
            told = "the venue numbers its messages, and no loss is told as a gap: BookLost(…, is_gap=True)"
            hold(gaps or not venue.capabilities.sequence, told)

    @card("F60", "session.py", 3)
    def test_f60_doubled_and_late(self, venue: Venue) -> None:
        """A frame that comes twice, before its turn or late changes nothing but whether a book is shown: what is shown,
        the venue had."""
        if not _numbered(venue):
            skip("capabilities sequence and checksum: the venue has neither, so nobody can know what is old")
        for tape in self.tapes_of(venue):
            truth = self.truth(venue, tape)

            @steady
            @hypothesis.given(st.sampled_from(truth.frames), st.integers(0, FAR), st.booleans())
            def move(place: int, by: int, is_copy: bool) -> None:
                steps, to = _moved(tape.steps, place, by, is_copy=is_copy)  # noqa: B023
                truth.judge(steps, to)  # noqa: B023

            move()

    @card("F80", "wire.py", 2)
    def test_f80_any_bytes(self, venue: Venue) -> None:
        """No bytes raise: a cut frame is noticed, an invented one shows no book that the venue never had, and both are
        told; the next whole frame is read as ever."""
        for tape in self.tapes_of(venue):
            truth = self.truth(venue, tape)
            _told(truth)

            @steady
            @hypothesis.given(st.sampled_from(truth.frames), st.integers(0, 10**6))
            def cut(place: int, at: int) -> None:
                number, now_ns, frame = tape.steps[place]  # noqa: B023
                assert isinstance(frame, Frame)  # noqa: S101 - `frames` are
                raw = frame.raw[: at % max(len(frame.raw), 1)]
                wound = number, now_ns, Frame(frame.venue, frame.link, raw)
                truth.judge([*tape.steps[:place], wound, *tape.steps[place + 1 :]], place)  # noqa: B023

            @steady
            @hypothesis.given(
                st.sampled_from(truth.frames), st.binary(max_size=200) | st.sampled_from(NOISE), st.booleans()
            )
            def invent(place: int, noise: bytes, is_whole: bool) -> None:
                number, now_ns, frame = tape.steps[place]  # noqa: B023
                assert isinstance(frame, Frame)  # noqa: S101
                raw = noise if is_whole else frame.raw[: len(noise)] + noise
                extra = number, now_ns, Frame(frame.venue, frame.link, raw)
                truth.judge([*tape.steps[:place], extra, *tape.steps[place:]], place)  # noqa: B023

            cut()
            invent()
            _flipped(venue, tape, truth)


def _moved(steps: list[Step], place: int, by: int, *, is_copy: bool) -> tuple[list[Step], int]:
    """A frame, or a copy of it, `by` inputs later (a copy: that many after itself); and where the harm ends."""
    to = min(place + by, len(steps) - 1)
    number, _, given = steps[place]
    late = number, steps[to][1], given
    if is_copy:
        return [*steps[: to + 1], late, *steps[to + 1 :]], to
    return [*steps[:place], *steps[place + 1 : to + 1], late, *steps[to + 1 :]], to


def _told(truth: Truth) -> None:
    """Bytes that nobody can explain, while every book lives: told, at once."""
    tape = truth.tape
    feed = Feed(truth.venue, tape)
    now_ns = 0
    for _, now_ns, given in tape.steps[: truth.live]:
        feed.step(given, now_ns)
    said = tape.steps[(truth.deltas or truth.frames)[0]][2]
    link = said.link if isinstance(said, Frame) else PUBLIC
    told = feed.step(Frame(truth.venue.name, link, b'\xff{"nobody":"knows'), now_ns)
    hold(is_loud(told), f"{tape.name}: bytes that nobody can explain are passed over in silence")


def _flipped(venue: Venue, tape: Tape, truth: Truth) -> None:
    """One byte changed: never an exception; with a checksum never a wrong book either."""

    def run(steps: list[Step]) -> None:
        feed = Feed(venue, tape)
        for _, now_ns, given in steps:
            check(feed.step(given, now_ns))

    judge: Callable[[list[Step], int], object] = (
        truth.judge if venue.capabilities.checksum else lambda steps, _until: run(steps)
    )

    @steady
    @hypothesis.given(st.sampled_from(truth.deltas or truth.frames), st.integers(0, 10**6), st.integers(1, 255))
    def flip(place: int, at: int, mask: int) -> None:
        number, now_ns, frame = tape.steps[place]
        assert isinstance(frame, Frame)  # noqa: S101
        raw = bytearray(frame.raw)
        raw[at % len(raw)] ^= mask
        wound = number, now_ns, Frame(frame.venue, frame.link, bytes(raw))
        judge([*tape.steps[:place], wound, *tape.steps[place + 1 :]], len(tape.steps) if not raw else place)

    flip()
