"""A real recording of depth 25 with one update lost: what stays wrong under valid checksums, and what audits find.

The audits run as they do against Kraken: states kept from three seconds before the snapshot is asked for, the verdict
three seconds after it came, everything at the recording's own pace.
"""

from collections import Counter
from pathlib import Path
from zlib import crc32

import msgspec
import pytest

from connectors.book import L2Book, Level
from connectors.events import BookDelta, BookSnapshot
from connectors.instrument import Instrument
from connectors.session import SessionPlan
from connectors.venues.kraken import VENUE
from runtime.audit import Outcome
from tests.support.audit_world import SECOND, View, Watched
from tests.support.reference import DictBook, books, recording

DEPTH, DIGITS = 25, 2
LEAD_NS = 3 * SECOND
EVERY = 240  # messages between two audits: about eight seconds here, and never less than one audit takes
TAKES_NS = 7 * SECOND  # an audit, with what passes between two messages
EACH = 3  # every third update is dropped in turn


class Message(msgspec.Struct):
    """One book message: when it came, what it changes, and the venue's book after it."""

    at_ns: int
    bids: list[Level]
    asks: list[Level]
    checksum: int
    time: str
    after: View


def view(book: DictBook) -> View:
    top = book.top(DEPTH)
    return tuple((px, size) for px, size in top["bids"]), tuple((px, size) for px, size in top["asks"])


@pytest.fixture(scope="module")
def stream(kraken_captures: Path) -> list[Message]:
    """The levels as our session reads them, the venue's book by the reference's own arithmetic."""
    raw = recording(kraken_captures / "kraken_ethusd_sample.jsonl")
    known = Instrument.parse("kraken", f"ETH/USD:{DIGITS}:8")
    session = VENUE.market(SessionPlan(((0, "ETH/USD"),), DEPTH, {0: known}))
    clean = {index: view(book) for index, _, book, _ in books(raw, DEPTH, DIGITS, 8)}
    return [
        Message(recv_ns, event.bids, event.asks, event.checksum or 0, event.ts_venue, clean[index])
        for index, (recv_ns, text) in enumerate(raw)
        for event in session.receive(text.encode(), recv_ns)
        if isinstance(event, BookSnapshot | BookDelta)
    ]


def checksum(book: L2Book) -> int:
    return crc32(book.texts(10).encode())


class Ours(Watched):
    """Our book, with Kraken's own checksum; a lost one is loaded from the venue's at once."""

    def __init__(self) -> None:
        super().__init__(DEPTH)
        self.book.set_digits(10 ** (9 - DIGITS), 1)
        self.failed = 0
        self.looks: list[tuple[int, int]] = []  # messages at which an audit began and was passed

    def hear(self, message: Message) -> None:
        self.apply(message.bids, message.asks, message.at_ns, message.time)
        if not self.book.valid or checksum(self.book) != message.checksum:
            self.failed += 1
            self.load(message.after, message.at_ns, message.time)
        self.verified(message.at_ns)


def run(stream: list[Message], drop: int | None, every: int | None) -> tuple[Ours, list[bool]]:
    """Also, after each message, whether a level of ours was wrong. Snapshots are the venue's book as it is then."""
    ours, wrong = Ours(), []
    ours.load(stream[0].after, stream[0].at_ns, stream[0].time)
    due_ns = begun = 0  # of the snapshot; the message at which its audit began
    for k, message in enumerate(stream[1:], 1):
        passed = ours.passed
        if k != drop:
            ours.hear(message)
        if every and k % every == 1:
            ours.begin(message.at_ns)
            due_ns, begun = message.at_ns + LEAD_NS, k
        if due_ns and message.at_ns >= due_ns:
            ours.snapshot(message.after, message.at_ns, message.time)
            due_ns = 0
        found = ours.auditor.records[0].mismatches if ours.auditor.records else 0
        ours.tick(message.at_ns)
        if ours.auditor.records and ours.auditor.records[0].mismatches > found:
            ours.load(message.after, message.at_ns, message.time)
        wrong.append(ours.now != message.after)
        if ours.passed > passed:
            ours.looks.append((begun - 1, k))
    return ours, wrong


@pytest.mark.real_data
def test_without_a_loss_there_is_no_false_alarm(stream: list[Message], capsys: pytest.CaptureFixture[str]) -> None:
    """Audits as often as they can follow each other, from every message of the first hundred on."""
    passed = 0
    for every in (230, *range(240, 640, 8)):
        ours, wrong = run(stream, None, every)
        assert not any(wrong)
        assert ours.failed == 0
        assert ours.outcomes == []
        passed += ours.passed
    with capsys.disabled():
        print(f"\n  no update lost: {passed} audits passed, 0 alarms", end=" ")
    assert passed > 100


def longest(wrong: list[bool]) -> int:
    best = count = 0
    for is_wrong in wrong:
        count = count + 1 if is_wrong else 0
        best = max(best, count)
    return best


def most(stream: list[Message], span_ns: int) -> int:
    """Messages in the busiest such span."""
    return max(sum(at <= one.at_ns <= at + span_ns for one in stream) for at in (one.at_ns for one in stream))


@pytest.mark.real_data
@pytest.mark.slow
def test_every_wrong_book_is_found_and_healed(stream: list[Message], capsys: pytest.CaptureFixture[str]) -> None:
    """One update lost, in turn. Without audits its levels stay wrong; with them no book is wrong after the next one."""
    count: Counter[str] = Counter()
    worst = {None: 0, EVERY: 0}
    for drop in range(1, len(stream), EACH):
        count["lost"] += 1
        plain, hidden = run(stream, drop, None)
        if not any(hidden[drop:]):
            continue
        count["wrong"] += 1
        count["wrong at the end"] += hidden[-1]
        worst[None] = max(worst[None], longest(hidden[drop:]))
        assert plain.outcomes == []
        ours, wrong = run(stream, drop, EVERY)
        worst[EVERY] = max(worst[EVERY], longest(wrong[drop:]))
        assert set(ours.outcomes) <= {Outcome.MISMATCH}, "nothing here is inconclusive"
        assert len(ours.outcomes) <= 1
        assert not any(all(wrong[begin:end]) for begin, end in ours.looks), "a wrong book was called audited"
        count["found"] += len(ours.outcomes)
        count["healed or surfaced before the audit"] += not ours.outcomes and not wrong[-1]
        if wrong[-1]:  # lost after the last audit's snapshot: the recording ends before the next one
            count["too late in the recording"] += 1
            assert drop > len(stream) - 2 * EVERY
    with capsys.disabled():
        print("\n  " + ", ".join(f"{what} {number}" for what, number in count.items()))
        print(f"  messages with a wrong level: up to {worst[None]} without audits, {worst[EVERY]} with", end=" ")
    assert count["wrong"] > 50
    assert count["found"] > 0
    assert worst[EVERY] <= EVERY + most(stream, TAKES_NS), "lost as one began, found by the next"
    assert worst[EVERY] < worst[None]
