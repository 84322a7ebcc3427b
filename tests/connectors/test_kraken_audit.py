"""The second connection: fresh snapshots of living books, one at a time; whatever happens there, no book notices."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import AuditDue, BookAudit, BookDelta, BookLost, BookSnapshot, Notice
from connectors.session import AUDIT, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.kraken import VENUE
from tests.connectors.test_kraken_fuzz import FRAMES, NUMBERS
from tests.support.kraken_frames import (
    ASKS,
    BIDS,
    HEARTBEAT,
    SECOND,
    Line,
    ack,
    crc,
    no,
    of,
    pong,
    sent,
    snapshot,
    update,
)
from tests.support.wounds import mutated

TWO = ("BTC/USD", "ETH/USD")
PERIOD_S = 60
GOOD = crc(ASKS, BIDS, 1, 8)


class Second(Line):
    """The same session with both its links; `hear` and `wait` are the public one's, which always lives."""

    def __init__(self, *symbols: str, depth: int = 10, period_s: int = PERIOD_S) -> None:
        super().__init__(*symbols, depth=depth)
        self.session = VENUE.market(SessionPlan(tuple(enumerate(self.symbols)), depth, audit_ns=period_s * SECOND))

    def up(self) -> Second:
        self.live()
        self.session.open(self.now_ns, AUDIT)
        return self

    def down(self) -> list[Output]:
        return self.session.close(self.now_ns, AUDIT)

    def told(self, *frames: bytes) -> list[Output]:
        return [output for frame in frames for output in self.session.receive(frame, self.now_ns, AUDIT)]

    def go(self, seconds: float, *, pongs: bool = True) -> list[Output]:
        """Time goes by; pings on the AUDIT link are answered."""
        out: list[Output] = []
        for _ in range(round(seconds * 2)):
            outputs = self.wait(0.5)
            self.hear(HEARTBEAT)
            for ping in requests(outputs, "ping") if pongs else []:
                out += self.told(pong(ping))
            out += outputs
        return out

    def asked(self) -> tuple[list[Output], dict[str, Any]]:
        """As far as the next subscribe."""
        out: list[Output] = []
        for _ in range(PERIOD_S * 4):
            out += self.go(0.5)
            found = requests(out, "subscribe")
            if found:
                return out, found[0]
        raise AssertionError


def requests(outputs: list[Output], method: str) -> list[dict[str, Any]]:
    """What was sent on the AUDIT link."""
    on_link = [output for output in of(Send, outputs) if output.link == AUDIT]
    return [request for request in sent(on_link) if request["method"] == method]


def results(outputs: list[Output]) -> list[tuple[int, bool]]:
    return [(audit.instrument, audit.snapshot is not None) for audit in of(BookAudit, outputs)]


def test_without_a_period_the_link_is_nobodys() -> None:
    """Sessions and tapes from before are what they were."""
    line = Line().live()
    assert line.session.open(line.now_ns, AUDIT) == []
    assert line.session.receive(snapshot(), line.now_ns, AUDIT) == []
    assert {type(output) for output in line.wait(120)} == {WakeAt}
    assert line.session.close(line.now_ns, AUDIT) == []


def test_one_look_from_its_announcement_to_its_end() -> None:
    """AuditDue, three seconds later the question at the public depth; snapshot, unsubscribe, and a minute of peace."""
    line = Second(depth=25).up()
    out = line.go(PERIOD_S - 0.5)
    assert not of(AuditDue, out)
    out = line.go(0.5)
    assert of(AuditDue, out) == [AuditDue(0)]
    assert not requests(line.go(2.5), "subscribe")
    (subscribe,) = requests(line.go(0.5), "subscribe")
    assert subscribe["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": 25, "snapshot": True}
    out = line.told(ack(subscribe), snapshot(checksum=GOOD))
    (found,) = of(BookAudit, out)
    assert found.instrument == 0
    assert found.snapshot == BookSnapshot(
        0, [(62_806_900_000_000, 50_930_100), (62_806_500_000_000, 159_223)],
        [(62_807_000_000_000, 120_000_000), (62_807_100_000_000, 7_500_000)], GOOD, 25, "2026-08-16T10:04:05.311874Z",
    )  # fmt: skip
    (unsubscribe,) = requests(out, "unsubscribe")
    assert unsubscribe["params"] == {"channel": "book", "symbol": ["BTC/USD"], "depth": 25}
    assert line.told(update(), ack(unsubscribe), update()) == []
    out = line.go(PERIOD_S - 4)
    assert not of(AuditDue, out)
    assert of(AuditDue, line.go(1)) == [AuditDue(0)]


def test_symbols_take_turns_evenly_and_one_is_asked_for_at_a_time() -> None:
    line = Second(*TWO).up()
    begin, dues, open_questions = line.now_ns, [], 0
    for _ in range(4 * PERIOD_S):
        outputs = line.go(0.5)
        dues += [((line.now_ns - begin) / SECOND, due.instrument) for due in of(AuditDue, outputs)]
        pending = requests(outputs, "subscribe")
        while pending:
            request = pending.pop()
            open_questions += 1
            assert open_questions == 1
            (symbol,) = request["params"]["symbol"]
            (leave,) = requests(line.told(ack(request), snapshot(symbol, checksum=GOOD)), "unsubscribe")
            outputs = line.told(ack(leave))
            open_questions -= 1
            pending += requests(outputs, "subscribe")
    assert dues == [(30, 0), (60, 1), (90, 0), (120, 1)]


def test_many_symbols_are_asked_for_one_after_the_other_without_a_pause() -> None:
    """Ten a second due, leads side by side: each next question follows the answer to the one before."""
    names = tuple(f"AA{k}/USD" for k in range(6))
    line = Second(*names, period_s=60)
    line.up()
    done: list[int] = []
    for _ in range(2 * PERIOD_S + 10):
        pending = requests(line.go(0.5), "subscribe")
        while pending:
            (symbol,) = pending[0]["params"]["symbol"]
            outputs = line.told(ack(pending[0]), snapshot(symbol, checksum=GOOD))
            done += [found.instrument for found in of(BookAudit, outputs)]
            pending = requests(line.told(ack(requests(outputs, "unsubscribe")[0])), "subscribe")
    assert done == list(range(6))


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (snapshot(checksum=GOOD + 1), "it says"),
        (snapshot(checksum=GOOD, bids=[("62806.95", "1")]), "more decimals"),
        (snapshot(checksum=0, bids=[("62807.1", "1.00000000")]), "crossed"),
        (snapshot(checksum=0, bids=[(f"{60000 - k}.0", "1.00000000") for k in range(11)]), "more than 10"),
        (b"CloudFlare WebSocket proxy restarting", "unexplained"),
        (b'{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD"}]}', "unexplained"),
        (b'{"Error":"Exceeded msg rate"}', "Exceeded msg rate"),
    ],
    ids=["checksum", "grid", "crossed", "deep", "bytes", "members", "rate"],
)
def test_a_snapshot_that_proves_nothing_is_none_and_is_told(frame: bytes, why: str) -> None:
    line = Second().up()
    _, subscribe = line.asked()
    out = line.told(ack(subscribe), frame)
    assert results(out) == [(0, False)]
    (notice,) = of(Notice, out)
    assert why in notice.text
    assert not of(BookLost, out)
    assert requests(out, "unsubscribe")
    assert of(BookDelta, line.hear(update())), "the book itself did not notice"


@pytest.mark.parametrize("acked", [False, True])
def test_no_snapshot_in_time_is_none_and_the_next_turn_tries_again(acked: bool) -> None:
    line = Second().up()
    _, subscribe = line.asked()
    if acked:
        line.told(ack(subscribe))
    assert results(line.go(4.5)) == []
    out = line.go(0.5)
    assert results(out) == [(0, False)]
    (leave,) = requests(out, "unsubscribe")
    assert line.told(ack(leave)) == []
    assert of(AuditDue, line.go(PERIOD_S)) == [AuditDue(0)]


def test_a_snapshot_after_its_time_is_nobodys() -> None:
    line = Second().up()
    line.asked()
    line.go(5)
    assert line.told(snapshot(checksum=GOOD)) == []


def test_questions_that_nobody_answers_end_the_link_whatever_its_pongs_say() -> None:
    line = Second().up()
    out = line.go(4 * PERIOD_S)
    assert [dead.link for dead in of(Reconnect, out)] == [AUDIT]
    assert not of(BookLost, out)
    assert len(of(AuditDue, out)) == len(of(BookAudit, out))
    assert line.go(PERIOD_S) and not requests(line.go(PERIOD_S), "subscribe"), "given up until it is open again"


def test_already_subscribed_is_unsubscribed_and_asked_for_again_in_its_turn() -> None:
    line = Second().up()
    _, subscribe = line.asked()
    out = line.told(no(subscribe, "Already subscribed"))
    assert results(out) == [(0, False)]
    (leave,) = requests(out, "unsubscribe")
    line.told(ack(leave))
    _, again = line.asked()
    assert results(line.told(ack(again), snapshot(checksum=GOOD))) == [(0, True)]


def test_an_unsubscribe_that_is_refused_or_not_answered_hangs_nothing() -> None:
    line = Second().up()
    for answered in (True, False):
        _, subscribe = line.asked()
        (leave,) = requests(line.told(ack(subscribe), snapshot(checksum=GOOD)), "unsubscribe")
        if answered:
            line.told(no(leave, "Subscription Not Found"))
    _, subscribe = line.asked()
    assert results(line.told(ack(subscribe), snapshot(checksum=GOOD))) == [(0, True)]


def test_a_symbol_that_is_refused_for_good_is_not_asked_for_again_on_this_link() -> None:
    line = Second(*TWO).up()
    _, subscribe = line.asked()
    out = line.told(no(subscribe, "Currency pair not supported BTC/USD"))
    assert results(out) == [(0, False)]
    assert "Currency pair not supported" in of(Notice, out)[0].text
    assert {due.instrument for due in of(AuditDue, line.go(2 * PERIOD_S))} == {1}
    line.down()
    line.session.open(line.now_ns, AUDIT)
    assert {due.instrument for due in of(AuditDue, line.go(PERIOD_S))} == {0, 1}


def test_only_living_books_are_audited() -> None:
    """The book is lost on the public side: before its turn, in the lead, and while the snapshot is under way."""
    line = Second().up()
    line.resync()
    assert not of(AuditDue, line.go(PERIOD_S))

    line = Second().up()
    assert of(AuditDue, line.go(PERIOD_S))
    line.resync()
    out = line.go(3)
    assert results(out) == [(0, False)]
    assert not requests(out, "subscribe")

    line = Second().up()
    _, subscribe = line.asked()
    line.resync()
    out = line.told(ack(subscribe), snapshot(checksum=GOOD))
    assert results(out) == [(0, False)]
    assert requests(out, "unsubscribe")


@pytest.mark.parametrize("when", ["lead", "ask"])
def test_a_link_that_goes_down_ends_what_was_announced(when: str) -> None:
    line = Second().up()
    if when == "lead":
        line.go(PERIOD_S)
    else:
        line.asked()
    assert results(line.down()) == [(0, False)]
    assert {type(output) for output in line.go(PERIOD_S)} == {WakeAt}
    assert of(BookDelta, line.hear(update()))
    line.session.open(line.now_ns, AUDIT)
    _, subscribe = line.asked()
    assert results(line.told(ack(subscribe), snapshot(checksum=GOOD))) == [(0, True)]


def test_a_silent_link_is_dialled_again_and_costs_no_book() -> None:
    """No pong either: 3.5 s. The public link had heartbeats all the time."""
    line = Second().up()
    out = line.go(5, pongs=False)
    assert [dead.link for dead in of(Reconnect, out)] == [AUDIT]
    assert not of(BookLost, out)
    assert of(BookDelta, line.hear(update()))


def test_silence_on_the_public_link_is_not_hidden_by_the_other() -> None:
    line = Second().up()
    out: list[Output] = []
    for _ in range(10):
        out += line.wait(0.5, heartbeats=False)
        line.told(HEARTBEAT)
    assert [dead.link for dead in of(Reconnect, out)] == ["public"]
    assert of(BookLost, out)


def test_a_look_that_said_nothing_is_taken_again_sooner() -> None:
    line = Second().up()
    _, subscribe = line.asked()
    (leave,) = requests(line.told(ack(subscribe), snapshot(checksum=GOOD)), "unsubscribe")
    line.told(ack(leave))
    assert line.session.audit_again(0, line.now_ns) == []  # type: ignore[attr-defined]
    assert not of(AuditDue, line.go(14.5))
    assert of(AuditDue, line.go(0.5)) == [AuditDue(0)]


def test_nothing_is_asked_for_twice_while_it_is_under_way() -> None:
    line = Second().up()
    line.go(PERIOD_S)
    line.session.audit_again(0, line.now_ns - PERIOD_S * SECOND)  # type: ignore[attr-defined]
    assert not of(AuditDue, line.go(3))


def test_no_second_question_before_the_first_one_is_over() -> None:
    """Leads run side by side; three are over, and the venue takes its time."""
    line = Second("AA1/USD", "AA2/USD", "AA3/USD", period_s=3).up()
    out = line.go(7.5)
    assert len(of(AuditDue, out)) == 3
    (subscribe,) = requests(out, "subscribe")
    assert subscribe["params"]["symbol"] == ["AA1/USD"]


def test_an_answer_to_what_was_given_up_decides_nothing() -> None:
    """The first question is refused when the second has long been asked."""
    line = Second(*TWO).up()
    _, first = line.asked()
    line.go(10)
    _, second = line.asked()
    assert line.told(no(first, "EService:Busy"), no(first, "Already subscribed")) == []
    assert results(line.told(ack(second), snapshot("ETH/USD", checksum=GOOD))) == [(1, True)]


def test_an_update_is_no_snapshot() -> None:
    """Of an earlier subscription of this link, still under way."""
    line = Second().up()
    _, subscribe = line.asked()
    assert line.told(update(), ack(subscribe), update()) == []
    assert results(line.told(snapshot(checksum=GOOD))) == [(0, True)]


def test_the_link_is_watched_while_the_public_one_is_down() -> None:
    line = Second().up()
    line.session.close(line.now_ns)
    out = line.go(5, pongs=False)
    assert [dead.link for dead in of(Reconnect, out)] == [AUDIT]


frames = st.lists(st.sampled_from(FRAMES) | st.binary(max_size=60) | mutated(FRAMES, NUMBERS), min_size=1, max_size=8)


@settings(max_examples=300)
@given(frames, st.sampled_from(["open", "lead", "ask", "leave"]))
def test_no_bytes_on_this_link_touch_a_book(heard: list[bytes], where: str) -> None:
    """Noise, wounded frames, whole ones of any kind: nothing but audits, notices and sends on this link comes of it."""
    line = Second(*TWO).up()
    if where == "lead":
        line.go(PERIOD_S / 2)
    elif where != "open":
        _, subscribe = line.asked()
        if where == "leave":
            line.told(ack(subscribe), snapshot(checksum=GOOD))
    for frame in heard:
        for output in line.told(frame):
            assert isinstance(output, BookAudit | Notice | Send)
            assert not isinstance(output, Send) or output.link == AUDIT
    for symbol in TWO:
        assert of(BookDelta, line.hear(update(symbol)))
    assert not of(BookLost, line.go(2))
