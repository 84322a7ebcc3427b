"""Each frame of two real recordings, one at a time, is dropped, doubled, swapped, cut short or has a digit flipped.

A book whose top ten disagrees with its checksum, or that is crossed, is never served; no exception but those of the
tree leaves the engine; the other symbol on the link keeps its book. Kraken's checksum sees ten levels a side: at depth
25 damage below that is served until it surfaces. It is counted here, and shown to end with the next snapshot.
"""

import os
from collections import Counter
from pathlib import Path

import pytest

from connectors.book import L2Book
from connectors.instrument import Instrument
from connectors.venues.kraken import VENUE
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.inputs import Frame
from runtime.port import VenueSpec
from runtime.spec import EngineSpec
from tests.support.kraken_venue import snapshot_frame
from tests.support.reference import DictBook, books, recording

pytestmark = [pytest.mark.real_data, pytest.mark.slow]

OTHER = "XBT/TEST"  # a second symbol on the same link, whose book must outlive the first one's troubles
DAMAGES = ("drop", "duplicate", "swap", "cut", "flip")
EVERY = int(os.environ.get("VENUEGATE_EVERY", "1"))
"""Which frames are harmed: each, or one of so many."""
Frames = list[tuple[int, int, bytes]]  # place in the recording, recv_ns, frame


class Case:
    """One recording: its frames, and the clean book after each book frame, as the guest's bytes and whole."""

    def __init__(self, path: Path, symbol: str, depth: int, digits: int) -> None:
        self.symbol, self.depth, self.digits = symbol, depth, digits
        raw = recording(path)
        self.frames: Frames = [(index, recv_ns, text.encode()) for index, (recv_ns, text) in enumerate(raw)]
        self.clean: dict[int, dict[str, list[list[int]]]] = {}
        for index, _, book, _ in books(raw, depth, digits, 8):
            self.clean[index] = book.top(depth)
        self.last = book
        other = DictBook(10, 1, 8)
        other.snapshot({
            "bids": [{"price": f"{100 - k}.0", "qty": "1.00000000"} for k in range(1, 12)],
            "asks": [{"price": f"{100 + k}.0", "qty": "1.00000000"} for k in range(1, 12)],
        })  # fmt: skip
        self.other = snapshot_frame(OTHER, other)

    def engine(self) -> Engine:
        known = [
            Instrument.parse("kraken", f"{self.symbol}:{self.digits}:8"), Instrument.parse("kraken", f"{OTHER}:1:8"),
        ]  # fmt: skip
        engine = Engine(
            EngineSpec(
                venues=(VenueSpec(venue=VENUE, depth=10, instruments={one.symbol: one for one in known}),),
                symbols=(self.symbol, OTHER), limits=paper_limits(), algos=(),
            )
        )  # fmt: skip
        engine.step(Frame("kraken", "public", self.other), self.frames[0][1])
        assert engine.books[1].valid
        return engine

    def agrees(self, book: L2Book, raw: bytes) -> bool:
        """Whether the top ten served have the checksum that came with them, by the reference's own arithmetic."""
        judge = DictBook(self.depth, self.digits, 8)
        for name, levels in (("bids", book.bids), ("asks", book.asks)):
            judge.sides[name] = {px: (text(px, 9, self.digits), text(sz, 8, 8)) for px, sz in levels}
        return judge.checksum() == int(raw.split(b'"checksum":')[1].split(b",")[0].split(b"}")[0])


def text(units: int, scale: int, decimals: int) -> str:
    whole, part = divmod(units, 10**scale)
    return f"{whole}.{part:0{scale}d}"[: len(str(whole)) + 1 + decimals]


def damaged(frames: Frames, at: int, damage: str) -> Frames | None:
    """The recording with one frame harmed; None where that harm does not exist."""
    index, recv_ns, raw = frames[at]
    match damage:
        case "drop":
            return frames[:at] + frames[at + 1 :]
        case "duplicate":
            return [*frames[: at + 1], (index, recv_ns, raw), *frames[at + 1 :]]
        case "swap":
            return None if at + 1 == len(frames) else [*frames[:at], frames[at + 1], frames[at], *frames[at + 2 :]]
        case "cut":
            return [*frames[:at], (index, recv_ns, raw[: 1 + (at * 7919) % (len(raw) - 1)]), *frames[at + 1 :]]
    digits = [position for position, byte in enumerate(raw) if 48 <= byte <= 57]
    if not digits:
        return None  # a heartbeat
    position = digits[(at * 7919) % len(digits)]
    flipped = raw[:position] + bytes([48 + (raw[position] - 48 + 1 + at % 9) % 10]) + raw[position + 1 :]
    return [*frames[:at], (index, recv_ns, flipped), *frames[at + 1 :]]


def checked(case: Case, frames: Frames, at: int, seen: Counter[str], damage: str) -> None:
    """Runs one damaged recording; judges every book served from the damage on by an independent checksum."""
    engine = case.engine()
    was_hidden = False
    for place, (index, recv_ns, raw) in enumerate(frames):
        engine.step(Frame("kraken", "public", raw), recv_ns)
        if place < at or 0 not in engine.touched:
            continue
        book = engine.books[0]
        bids, asks = [list(level) for level in book.bids], [list(level) for level in book.asks]
        assert not bids or not asks or bids[0][0] < asks[0][0], "a crossed book was served"
        clean = case.clean.get(index)
        if clean == {"bids": bids, "asks": asks} and place > at + 1:
            break  # every level is again the venue's: from here on it is the undamaged recording
        if clean is None or bids[:20] != clean["bids"][:20] or asks[:20] != clean["asks"][:20]:
            assert case.agrees(book, raw), "a book that disagrees with its checksum was served"
            was_hidden = True
    seen["below the checksum's reach"] += was_hidden
    seen["noticed"] += engine.stats.resyncs > 0 or engine.lost["unexplained frame"] > 0
    seen["harmed"] += 1
    # a frame that cannot be decoded may have been about anything on the link; any other harm is this symbol's alone
    assert engine.books[1].valid or damage in ("cut", "flip")

    engine.step(Frame("kraken", "public", snapshot_frame(case.symbol, case.last)), frames[-1][1] + 1)
    assert engine.touched == [0]
    healed = {"bids": [list(x) for x in engine.books[0].bids], "asks": [list(x) for x in engine.books[0].asks]}
    assert healed == case.last.top(case.depth), "the next snapshot did not heal the book"


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("name", "symbol", "depth", "digits"),
    [("kraken_btcusd_l2", "BTC/USD", 10, 1), ("kraken_ethusd_sample", "ETH/USD", 25, 2)],
    ids=["btc", "eth"],
)
def test_no_damage_is_served(
    name: str,
    symbol: str,
    depth: int,
    digits: int,
    damage: str,
    kraken_captures: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = Case(kraken_captures / f"{name}.jsonl", symbol, depth, digits)
    seen: Counter[str] = Counter()
    places = range(DAMAGES.index(damage) % EVERY, len(case.frames), EVERY)
    for at in places:
        frames = damaged(case.frames, at, damage)
        if frames is not None:
            checked(case, frames, at, seen, damage)
    with capsys.disabled():
        figures = ", ".join(f"{what} {count}" for what, count in seen.items())
        print(f"\n  {symbol} depth {depth}, {damage}: {figures}", end=" ")
    has_digits = sum(any(48 <= byte <= 57 for byte in case.frames[at][2]) for at in places)
    has_next = sum(at + 1 < len(case.frames) for at in places)
    assert seen["harmed"] == {"flip": has_digits, "swap": has_next}.get(damage, len(places))
    assert seen["noticed"] > 0 or damage in ("duplicate", "swap")
    if depth == 10:
        assert seen["below the checksum's reach"] == 0
