"""Drop, duplicate, reorder, cut, corrupt: noticed by `u`, that symbol resynced, the other untouched.

The streams are made here from the published rules: a book that changes at random, its window of fifty levels, numbers
that rise by one. After every frame a book that stands must be one that the venue had.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest

from connectors.events import BookLost
from connectors.session import Output
from tests.support.bybit_frames import Line, Stream, of, pair, sent, yes

RUNS = int(os.environ.get("VENUEGATE_BYBIT_DAMAGE", "4"))
LENGTH = 120
TWO = ("BTC/USDT", "ETH/USDT")
SAME = (pair(), pair("ETH"))

Frames = list[bytes]


Damage = Callable[[bytes, random.Random], tuple[Frames, Frames]]


def drop(frame: bytes, _: random.Random) -> tuple[Frames, Frames]:
    """What comes in its place, and what comes some messages later."""
    del frame
    return [], []


def repeat(frame: bytes, _: random.Random) -> tuple[Frames, Frames]:
    return [frame, frame], []


def late(frame: bytes, _: random.Random) -> tuple[Frames, Frames]:
    return [], [frame]


def cut(frame: bytes, dice: random.Random) -> tuple[Frames, Frames]:
    return [frame[: dice.randrange(1, len(frame))]], []


def corrupt(frame: bytes, dice: random.Random) -> tuple[Frames, Frames]:
    """A byte that makes it no JSON any more."""
    at = dice.randrange(len(frame))
    return [frame[:at] + b"\xff" + frame[at + 1 :]], []


DAMAGES: list[Damage] = [drop, repeat, late, cut, corrupt]


class Two:
    """Two streams into one session, which is answered as Bybit would; what each book may be is kept."""

    def __init__(self, seed: int) -> None:
        self.line = Line(*TWO)
        self.streams = [Stream(seed, "BTCUSDT"), Stream(seed, "ETHUSDT")]
        self.states: list[dict[int, object]] = [{}, {}]
        self.gaps = [0, 0]
        self.losses = [0, 0]
        for request in self.line.subscribing(*SAME):
            self.line.hear(yes(request))
        for index in (0, 1):
            self.hear(index, self.streams[index].snapshot())
            self.keep(index)

    def keep(self, index: int) -> None:
        self.states[index][self.streams[index].u] = self.streams[index].truth()

    def hear(self, index: int, frame: bytes) -> None:
        """Whatever it is: a book that stands afterwards is one that Bybit had."""
        outputs = self.line.hear(frame)
        for lost in of(BookLost, outputs):
            self.gaps[lost.instrument] += lost.is_gap
            self.losses[lost.instrument] += 1
        self.answer(outputs)
        book = self.line.books[index]
        if book.valid and self.states[index]:
            assert (book.bids, book.asks) in self.states[index].values()

    def answer(self, outputs: list[Output]) -> None:
        """Yes, and after a subscribe the snapshot as the book is at this moment."""
        for request in sent(outputs):
            if "args" not in request:
                continue
            more = self.line.hear(yes(request))
            name = request["args"][0].rpartition(".")[2]
            if request["op"] == "subscribe" and request["args"][0].startswith("orderbook"):
                more += self.line.hear(self.streams[name == "ETHUSDT"].snapshot())
            self.answer(more)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("seed", range(RUNS))
def test_damage_is_noticed_and_mended(damage: Damage, seed: int) -> None:
    two = Two(seed)
    dice = random.Random(f"{seed} {damage.__name__}")
    where = dice.randrange(5, LENGTH - 20)
    waiting: Frames = []
    for place in range(LENGTH):
        frame = two.streams[0].step()
        two.keep(0)
        frames = [frame]
        if place == where:
            frames, waiting = damage(frame, dice)
        elif place == where + 3:
            frames = [frame, *waiting]
        for one in frames:
            two.hear(0, one)
        other = two.streams[1].step()
        two.keep(1)
        two.hear(1, other)
    line = two.line
    if damage is repeat:
        assert two.losses == [0, 0]
    elif damage in (drop, late):
        assert two.gaps[0] == two.losses[0] >= 1
        assert two.losses[1] == 0
    else:  # the other book too, where the frame does not say whose it is
        assert two.losses[0] >= 1
        assert two.losses[1] <= 1
    two.answer(line.wait_heard(5))
    assert line.valid() == [True, True]
    frame = two.streams[0].step()
    two.keep(0)
    two.hear(0, frame)
    assert (line.books[0].bids, line.books[0].asks) == two.streams[0].truth()
    assert (line.books[1].bids, line.books[1].asks) == two.streams[1].truth()


def test_the_stream_alone_needs_no_resync() -> None:
    """The generator against the connector, for as long as it takes: every state the venue's own."""
    two = Two(99)
    for _ in range(5 * LENGTH):
        frame = two.streams[0].step()
        two.states[0] = {0: two.streams[0].truth()}
        two.hear(0, frame)
    assert two.losses == [0, 0]
