"""OKX's book messages: the chain of their numbers, the old checksum, and what damage does.

The rules are the sheet's (facts/venues.md §4.2 and §8), from https://www.okx.com/docs-v5/en/ (Order book channel).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from zlib import crc32

import pytest

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.instrument import Instrument
from connectors.session import Output
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, scaled
from connectors.venues.okx.checksum import checksum, signed
from tests.support.okx_frames import Line, TextLevel, ack, of, sent, snapshot, update

SEQ_OK = [(-1, 10), (10, 15), (15, 15), (15, 3), (3, 5)]
SEQ_GAP = [(-1, 10), (10, 15), (16, 20)]
LEGACY_CRC = [
    ("3366.1:7:3366.8:9:3366:6:3368:8", -1881014294),
    ("3366.1:7:3366.8:9:3368:8:3372:8", 831078360),
]
TWO = ("BTC/USDT", "ETH/USDT")
KNOWN = {0: Instrument.parse("okx", "BTC/USDT:1:8")}


def follow(line: Line, chain: list[tuple[int, int]]) -> list[Output]:
    out: list[Output] = []
    for previous, number in chain:
        if previous == -1:
            out += line.hear(snapshot(chain=(previous, number)))
        else:
            levels: list[TextLevel] = [] if previous == number else [("62806.4", "1")]
            out += line.hear(update(bids=levels, chain=(previous, number)))
    return out


# --- the chain -------------------------------------------------------------------------------------------------------


def test_the_sheets_chain_has_no_gap() -> None:
    """A keepalive and a reset for maintenance among its messages."""
    outputs = follow(Line().live(), SEQ_OK)
    assert [type(one) for one in outputs] == [BookSnapshot, *[BookDelta] * 4]


def test_the_sheets_gap_is_one() -> None:
    line = Line(*TWO).live()
    outputs = follow(line, SEQ_GAP)
    assert of(BookLost, outputs) == [BookLost(0, "seqId gap: 16 → 20 after 15", is_gap=True)]
    assert [one["op"] for one in sent(outputs)] == ["unsubscribe"]
    assert of(BookDelta, line.hear(update("ETH-USDT"))), "the other symbol goes on"


@pytest.mark.parametrize(
    ("chain", "is_gap"),
    [
        ((15, 20), True),  # ahead: one was lost
        ((9, 10), True),  # behind: an old one came late
        ((-1, 15), True),  # as in a snapshot
        ((10, -1), True),
        ((0, 15), True),  # a missing number is not 0, nor is 0 a missing number
        ((10, 10), False),  # as a keepalive, and it changes something
    ],
)
def test_what_does_not_follow_loses_the_book(chain: tuple[int, int], is_gap: bool) -> None:
    line = Line().live()
    outputs = line.hear(update(chain=chain))
    assert [lost.is_gap for lost in of(BookLost, outputs)] == [is_gap]
    assert not of(BookDelta, outputs)


def test_the_smallest_number_is_0() -> None:
    outputs = follow(Line().live(), [(-1, 0), (0, 1), (1, 0), (0, 0)])
    assert not of(BookLost, outputs)


def test_a_number_that_is_missing_is_not_zero() -> None:
    """After a numbered message one without is a gap, be its checksum what it may."""
    for checksum_said in (0, 7):
        line = Line().live()
        (lost,) = of(BookLost, line.hear(update(chain=None, checksum=checksum_said)))
        assert lost.is_gap


def test_unnumbered_messages_count_while_a_checksum_vouches_for_them() -> None:
    line = Line().live()
    first = line.hear(snapshot(chain=None, checksum=-5))
    assert of(BookSnapshot, first)[0].checksum == -5
    assert of(BookDelta, line.hear(update(chain=None, checksum=6)))[0].checksum == 6
    (lost,) = of(BookLost, line.hear(update(chain=None, checksum=0)))
    assert not lost.is_gap
    assert "without a checksum" in lost.reason


def test_a_snapshot_without_a_number_does_not_begin_a_chain_of_numbers() -> None:
    line = Line().live()
    line.hear(snapshot(chain=None, checksum=None))
    assert of(BookLost, line.hear(update(chain=(10, 15))))[0].is_gap


@pytest.mark.parametrize("chain", [(10, 15), (0, 10), (-1, -1)])
def test_an_update_that_calls_itself_a_snapshot_is_none(chain: tuple[int, int]) -> None:
    """OKX numbers snapshots from −1; a damaged word must not make three levels the whole book."""
    line = Line().live()
    outputs = line.hear(snapshot(chain=chain))
    assert of(BookLost, outputs)
    assert not of(BookSnapshot, outputs)


def test_a_checksum_of_0_is_none() -> None:
    line = Line().live()
    assert of(BookDelta, line.hear(update(checksum=0)))[0].checksum is None
    assert of(BookDelta, line.hear(update(chain=(15, 16), checksum=None)))[0].checksum is None


# --- after a gap -----------------------------------------------------------------------------------------------------


def test_after_a_gap_updates_are_ignored_until_the_new_snapshot_and_nobody_storms() -> None:
    """A busy book sends ten updates a second meanwhile: one request to leave, one to come back."""
    line = Line().live()
    requests = sent(line.hear(update(chain=(16, 20))))
    for number in range(20, 60):
        assert not line.hear(update(chain=(number, number + 1)))
    (request,) = requests
    assert request["op"] == "unsubscribe"
    (again,) = sent(line.hear(ack(request)))
    assert again["op"] == "subscribe"
    assert not line.hear(ack(again), update(chain=(60, 61)))
    assert of(BookSnapshot, line.hear(snapshot(chain=(-1, 70))))
    assert of(BookDelta, line.hear(update(chain=(70, 71))))


def test_gaps_that_go_on_are_answered_slower_and_slower() -> None:
    line = Line().live()
    pauses = []
    for _ in range(9):
        out = line.hear(update(chain=(98, 99)))
        waited = 0.0
        while not sent(out):
            out = line.wait(0.5)
            waited += 0.5
        pauses.append(waited)
        (again,) = sent(line.hear(ack(sent(out)[0])))
        line.hear(ack(again), snapshot())
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_book_that_lived_for_a_minute_is_asked_for_at_once_again() -> None:
    line = Line().live()
    for _ in range(2):
        out = line.hear(update(chain=(98, 99)))
        assert [one["op"] for one in sent(out)] == ["unsubscribe"]
        (again,) = sent(line.hear(ack(sent(out)[0])))
        line.hear(ack(again), snapshot())
        line.wait(61)


def test_the_engines_own_findings_are_resynced_the_same_way() -> None:
    line = Line(*TWO).live()
    outputs = line.resync(1, "crossed")
    assert [one["args"][0]["instId"] for one in sent(outputs)] == ["ETH-USDT"]
    assert not line.resync(1, "crossed"), "it is under way"


def test_no_answer_to_the_unsubscribe_is_not_waited_for_for_ever() -> None:
    line = Line().live()
    line.hear(update(chain=(16, 20)))
    assert [one["op"] for one in sent(line.wait(5))] == ["subscribe"]


# --- the old checksum ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), LEGACY_CRC)
def test_the_sheets_checksums(text: str, expected: int) -> None:
    assert signed(text) == expected


@pytest.mark.parametrize(
    ("bids", "asks", "expected"),
    [
        ([("3366.1", "7"), ("3366", "6")], [("3366.8", "9"), ("3368", "8")], LEGACY_CRC[0][1]),
        ([("3366.1", "7")], [("3366.8", "9"), ("3368", "8"), ("3372", "8")], LEGACY_CRC[1][1]),
        ([], [], 0),
    ],
)
def test_the_checksum_of_a_book(bids: list[TextLevel], asks: list[TextLevel], expected: int) -> None:
    held = L2Book(depth=400)
    held.load(units(bids), units(asks), 0)
    assert checksum(held) == expected


def units(levels: list[TextLevel]) -> list[tuple[int, int]]:
    return [(scaled(px, PRICE_DECIMALS), scaled(sz, SIZE_DECIMALS)) for px, sz in levels]


def test_the_checksum_ends_at_level_25() -> None:
    held = L2Book(depth=400)
    bids = [(f"{100 - i}", "1.50") for i in range(40)]
    asks = [(f"{101 + i}", "0.25") for i in range(40)]
    held.load(units(bids), units(asks), 0)
    text = ":".join(f"{100 - i}:1.5:{101 + i}:0.25" for i in range(25))
    assert checksum(held) == signed(text)
    assert signed(text) & 0xFFFFFFFF == crc32(text.encode())


# --- the recording of 2022 -------------------------------------------------------------------------------------------


def frames_of(folder: Path) -> list[bytes]:
    lines = (folder / "okx_books_cryptofeed" / "okx_btc-usdt.jsonl").read_text().splitlines()
    raws = [json.loads(line)["raw"].encode() for line in lines]
    return [raw for raw in raws if b'"books"' in raw and b'"data"' in raw]


class Keeper:
    """A book kept as the engine keeps it, and what was found out."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.book = L2Book(depth=400)
        self.ok = self.failed = 0
        self.lost = False

    def hear(self, frame: bytes) -> None:
        for output in self.line.hear(frame):
            try:
                match output:
                    case BookSnapshot():
                        self.book.load(output.bids, output.asks, 0)
                    case BookDelta() if self.book.valid:
                        self.book.apply(output.bids, output.asks, 0)
                    case BookLost():
                        self.lost = True
            except BookGap:
                self.lost = True
            if isinstance(output, BookSnapshot | BookDelta) and self.book.valid and output.checksum is not None:
                if checksum(self.book) == output.checksum:
                    self.ok += 1
                else:
                    self.failed += 1
                    self.book.invalidate("checksum")


@pytest.mark.real_data
def test_every_checksum_of_the_recording_holds(real_data: Path) -> None:
    keeper = Keeper(Line(known=KNOWN))
    for frame in frames_of(real_data):
        keeper.hear(frame)
    assert (keeper.ok, keeper.failed, keeper.lost) == (98, 0, False)


@pytest.mark.real_data
@pytest.mark.parametrize("damage", ["drop", "duplicate", "reorder", "cut", "corrupt"])
def test_damage_of_the_recording_is_noticed_or_harmless(real_data: Path, damage: str) -> None:
    """Unnumbered frames: the checksum has to find it. What it lets pass left the top 25 levels right."""
    frames = frames_of(real_data)
    for at in range(1, 97, 8):
        broken = list(frames)
        if damage == "drop":
            del broken[at]
        elif damage == "duplicate":
            broken.insert(at, broken[at])
        elif damage == "reorder":
            broken[at], broken[at + 1] = broken[at + 1], broken[at]
        elif damage == "cut":
            broken[at] = broken[at][: len(broken[at]) // 2]
        else:  # the first changed level has another size
            broken[at] = re.sub(rb'(\[\["[0-9.]+",")', rb"\g<1>9", broken[at], count=1)
        keeper = Keeper(Line(known=KNOWN))
        for frame in broken:
            keeper.hear(frame)
            if keeper.lost or keeper.failed:
                break
        if damage == "duplicate":  # the same sizes once more
            assert (keeper.ok, keeper.failed, keeper.lost) == (99, 0, False)
        elif damage == "cut":
            assert keeper.lost
        else:
            assert keeper.failed or keeper.lost or keeper.ok == len(broken)
