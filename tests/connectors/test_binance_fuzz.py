"""Any bytes, any damage: the session never raises, and a book that stands is the venue's."""

from __future__ import annotations

import json
import os
from typing import Any, get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.session import CALLS, Output
from tests.support.binance_frames import ASKS, BIDS, Line, TextLevel, depth, diff, dumps, info, market, trade
from tests.support.binance_reference import Reference, level

EXAMPLES = int(os.environ.get("VENUEGATE_BINANCE_FUZZ", "120"))
KINDS = get_args(Output)
FRAMES = [
    diff(161, 163, BIDS, ASKS), diff(164, 165), diff(150, 158), diff(161, 161, name="ETHUSDT"), diff(166, 166, pu=165),
    trade(), depth(165), dumps({"result": None, "id": 1}), dumps({"result": [], "id": 2}),
    dumps({"error": {"code": 2, "msg": "no"}, "id": 1}), dumps({"e": "serverShutdown", "E": 1}),
]  # fmt: skip
ANSWERS = [
    b"%d 200\n" + depth(165), b"%d 200\n" + info(market(), market("ETH/USDT")), b"%d 400\n{\"code\":-1121}",
    b"%d 429\n{}", b"%d 418\nbanned until 1786874700000", b"%d 0\nno answer", b"%d 502\n<html>",
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    frame = draw(st.sampled_from(FRAMES))
    how = draw(st.sampled_from(("whole", "cut", "byte", "number")))
    at = draw(st.integers(0, len(frame) - 1))
    if how == "cut":
        return frame[:at]
    if how == "byte":
        return frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    if how == "number":
        number = draw(st.sampled_from((b"-1", b"0", b"1e999", b"9223372036854775808", b"NaN", b"9" * 5000, b"null")))
        return frame.replace(b"161", number)
    return frame


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(st.one_of(damaged(), st.binary(max_size=60), st.sampled_from(ANSWERS)), max_size=12), st.booleans())
def test_nothing_makes_it_raise(frames: list[bytes], is_known: bool) -> None:
    line = Line("BTC/USDT", "ETH/USDT", known=is_known)
    line.open()
    if not is_known:
        line.answer(info(market(), market("ETH/USDT")))
    for frame in frames:
        if frame in ANSWERS:
            number = int(line.asked.pop(0).number) if line.asked else 1
            outputs = line.session.receive(frame.replace(b"%d", b"%d" % number), line.now_ns, CALLS)
        else:
            outputs = line.hear(frame)
        assert all(isinstance(one, KINDS) for one in outputs)
        line.wait(0.3)
    line.close()


class Venue:
    """A book that changes, and the diffs that say so; what it says is damaged on its way."""

    def __init__(self) -> None:
        self.truth = Reference()
        self.truth.snapshot(json.loads(depth(1000)))
        self.last = 1000

    def step(self, changes: list[tuple[int, int, bool]]) -> dict[str, Any]:
        sides: dict[str, list[TextLevel]] = {"b": [], "a": []}
        for offset, size, is_bid in changes:
            cents = 6_280_690 - offset if is_bid else 6_280_700 + offset
            sides["b" if is_bid else "a"].append((f"{cents // 100}.{cents % 100:02d}", f"{size}.00000"))
        event = {"U": self.last + 1, "u": self.last + len(changes), **sides}
        self.last += len(changes)
        self.truth.event(event)
        return event

    def snapshot(self) -> bytes:
        def texts(side: dict[int, int]) -> list[TextLevel]:
            return [(f"{px // 10**9}.{px % 10**9:09d}", f"{sz // 10**8}.{sz % 10**8:08d}") for px, sz in side.items()]

        assert self.truth.bids is not None
        assert self.truth.asks is not None
        return depth(self.last, texts(self.truth.bids), texts(self.truth.asks))


class World:
    """That venue, a session, and the book of the first of two markets as an engine would keep it."""

    def __init__(self) -> None:
        self.venue = Venue()
        self.line = Line("BTC/USDT", "ETH/USDT")
        self.line.live(last=1000)
        self.book = L2Book(depth=5000)
        self.book.load([level(*one) for one in BIDS], [level(*one) for one in ASKS], 1)
        self.is_other_lost = False

    def take(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case BookSnapshot(0):
                    self.book.load(output.bids, output.asks, 1)
                case BookDelta(0) if self.book.valid:
                    try:
                        self.book.apply(output.bids, output.asks, 1)
                    except BookGap:
                        self.take(self.line.resync(0, "crossed"))
                case BookLost(0, reason):
                    self.book.invalidate(reason)
                case BookLost():
                    self.is_other_lost = True

    def pass_time(self) -> None:
        """A fifth of a second, in which questions are answered."""
        self.take(self.line.wait(0.2, alive=True))
        while self.line.asked:
            is_first = self.line.asked[0].fields.get("symbol") == "BTCUSDT"
            self.take(self.line.answer(self.venue.snapshot() if is_first else depth(1000)))


STEP = st.tuples(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3), st.booleans()), min_size=1, max_size=4),
    st.sampled_from(("whole", "whole", "whole", "drop", "twice", "later", "cut", "corrupt")),
    st.integers(0, 10_000),
)


def broken(frame: bytes, how: str, where: int) -> bytes:
    """Half of it; or a byte that makes it no JSON."""
    if how == "cut":
        return frame[: 1 + where % (len(frame) - 1)]
    at = frame.index(b'"U"') + where % 4
    return frame[:at] + b"#" + frame[at + 1 :]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=40))
def test_a_book_that_stands_is_the_venues(steps: list[tuple[list[tuple[int, int, bool]], str, int]]) -> None:
    """Dropped, doubled, late, cut, spoilt: afterwards the book is right, and the other market was left alone."""
    world, held = World(), b""
    for changes, how, where in [*steps, ([(31, 1, True)], "whole", 0)]:
        event = world.venue.step(changes)
        frame = diff(event["U"], event["u"], event["b"], event["a"])
        sent = {"drop": [], "later": [], "twice": [frame, frame]}.get(how, [frame])
        if how in ("cut", "corrupt"):
            sent = [broken(frame, how, where)]
        if how == "later":
            held = held or frame
        elif held and how == "whole":
            sent, held = [frame, held], b""
        for one in sent:
            world.take(world.line.hear(one))
        assert how == "cut" or not world.is_other_lost
        world.is_other_lost = False
        world.pass_time()
    for _ in range(400):
        if world.book.valid:
            break
        world.pass_time()
    assert world.book.valid
    truth = world.venue.truth
    assert (dict(world.book.bids), dict(world.book.asks)) == (truth.bids, truth.asks)
