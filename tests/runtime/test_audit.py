"""A fresh snapshot against the states of our book: every loss is found, and no race is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.events import BookSnapshot
from runtime import audit
from runtime.audit import Outcome, Record
from tests.support.audit_world import SECOND, T0, Change, Sides, View, Watched, sent, stamp, states

MS = 10**6
DEPTH = 12  # two levels below the top ten: the same states come again and again
START: Sides = ({100 - k: 1 for k in range(14)}, {101 + k: 1 for k in range(14)})

# gap to the one before in ms, change, what the update takes to reach us in ms
Step = tuple[int, Change, int]
deep_px = st.integers(86, 91) | st.integers(110, 115)
any_px = st.integers(86, 115)
lags = st.integers(0, 2000)
changes = st.tuples(deep_px | any_px, st.integers(0, 2)).map(lambda x: (int(x[0] > 100), x[0], x[1]))
steps = st.lists(st.tuples(st.integers(0, 700), changes, lags), min_size=1, max_size=50)


class Run:
    """One audit over a stream: the venue's states and times, and when each update reaches us, in order."""

    def __init__(self, stream: list[Step]) -> None:
        self.changes = [change for _, change, _ in stream]
        self.states = states(START, self.changes, DEPTH)
        self.at: list[int] = []
        self.arrive: list[int] = []
        at = T0
        for gap, _, lag in stream:
            at += gap * MS
            self.at.append(at)
            self.arrive.append(max(at + lag * MS, self.arrive[-1] if self.arrive else 0))

    def state_at(self, at_ns: int) -> tuple[View, str]:
        """The venue's book at that time, and when it last changed."""
        count = sum(at <= at_ns for at in self.at)
        return self.states[count], stamp(self.at[count - 1] if count else T0)

    def audit(
        self, due_ns: int, taken_ns: int, came_ns: int, *, drop: int = -1, has_times: bool
    ) -> tuple[Watched, list[tuple[View, View]]]:
        """Everything in the order of its arrival; also (ours, the venue's) after each update since the audit began."""
        ours = Watched(DEPTH)
        ours.load(self.states[0], T0, stamp(T0) if has_times else "")
        events = [(at, 0, k) for k, at in enumerate(self.arrive)]
        events += [(due_ns, 1, 0), (came_ns, 2, 0)]
        end_ns = max(came_ns, self.arrive[-1]) + 4 * SECOND
        events += [(at, 3, 0) for at in range(T0, end_ns, SECOND // 2)]
        pairs: list[tuple[View, View]] = []
        truth = self.states[0]
        for now_ns, what, k in sorted(events):
            if what == 0:
                truth = self.states[k + 1]
                if k != drop:
                    told = sent(self.states[k], truth, self.changes[k])
                    ours.apply(*told, now_ns, stamp(self.at[k]) if has_times else "")
                    if ours.book.valid and [side[:10] for side in ours.now] != [side[:10] for side in truth]:
                        ours.lose()  # the checksum fails
                    if ours.book.valid:
                        ours.verified(now_ns)
            elif what == 1:
                ours.begin(now_ns)
                pairs.clear()
            elif what == 2:
                state, time = self.state_at(taken_ns)
                ours.snapshot(state, now_ns, time if has_times else "")
            else:
                ours.tick(now_ns)
            pairs.append((ours.now, truth))
        return ours, pairs


@settings(max_examples=300, deadline=None, database=None)
@given(steps, st.integers(0, 12_000), st.integers(3000, 6000), lags, st.booleans())
@example([(0, (1, 112, 2), 2000), (100, (1, 112, 1), 0)], 0, 3000, 0, True)
def test_no_race_is_a_mismatch(stream: list[Step], due: int, lead: int, lag: int, has_times: bool) -> None:
    """Both links up to two seconds late, by any amount for each message: the snapshot is always one of our states."""
    run = Run(stream)
    due_ns = T0 + due * MS
    taken_ns = due_ns + lead * MS
    ours, _ = run.audit(due_ns, taken_ns, taken_ns + lag * MS, has_times=has_times)
    assert ours.book.valid
    assert (ours.outcomes, ours.passed) == ([], 1)


def is_wrong_throughout(pairs: list[tuple[View, View]]) -> bool:
    """Some level of which the venue's word, and ours, another one, stood all the time."""
    for side in (0, 1):
        for px in {px for pair in pairs for one in pair for px, _ in one[side]}:
            ours = {dict(mine[side]).get(px, 0) for mine, _ in pairs}
            theirs = {dict(truth[side]).get(px, 0) for _, truth in pairs}
            if len(ours) == len(theirs) == 1 and ours != theirs:
                return True
    return False


@settings(max_examples=300, deadline=None, database=None)
@given(steps, st.integers(0, 49), st.integers(0, 12_000), lags, st.booleans())
@example([(0, (1, 112, 2), 0)], 0, 500, 0, True)
def test_every_loss_that_lasts_is_found(stream: list[Step], drop: int, due: int, lag: int, has_times: bool) -> None:
    """One update lost: its levels stay wrong until they are sent again, the checksum fails, or the audit finds them."""
    run = Run(stream)
    due_ns = T0 + due * MS
    ours, pairs = run.audit(
        due_ns, due_ns + 3 * SECOND, due_ns + 3 * SECOND + lag * MS, drop=drop % len(stream), has_times=has_times
    )
    tops = [[[side[:10] for side in one] for one in pair] for pair in pairs]
    if not ours.book.valid or any(mine != truth for mine, truth in tops):
        return  # it surfaced, or the next update will show it: the checksum's business
    if is_wrong_throughout(pairs):
        assert ours.outcomes == [Outcome.MISMATCH]
        assert ours.passed == 0
        assert ours.auditor.records[0].found
    if all(mine == truth for mine, truth in pairs):
        assert (ours.outcomes, ours.passed) == ([], 1)


@settings(max_examples=300, deadline=None, database=None)
@given(steps, st.integers(0, 12_000), st.integers(0, 40_000), st.integers(-40_000, 40_000))
def test_a_feed_that_is_far_behind_is_not_wrong(stream: list[Step], due: int, late: int, age: int) -> None:
    """Beyond the two seconds, the venue's own times tell: while our feed moves, and of a snapshot older than it."""
    run = Run([(gap, change, lag + late) for gap, change, lag in stream])
    run.states = states(START, run.changes, DEPTH)
    taken_ns = T0 + due * MS + 3 * SECOND + age * MS
    ours = Watched(DEPTH)
    ours.load(run.states[0], T0, stamp(T0))
    due_ns = T0 + due * MS
    came_ns = due_ns + 3 * SECOND
    for k, at in enumerate(run.arrive):
        if at <= due_ns:
            ours.apply(*sent(run.states[k], run.states[k + 1], run.changes[k]), at, stamp(run.at[k]))
    ours.begin(due_ns)
    state, time = run.state_at(taken_ns)
    moves = [k for k, at in enumerate(run.arrive) if due_ns < at <= came_ns + 3 * SECOND]
    for k in moves:
        if run.arrive[k] > came_ns:
            ours.snapshot(state, came_ns, time)
        ours.apply(*sent(run.states[k], run.states[k + 1], run.changes[k]), run.arrive[k], stamp(run.at[k]))
        ours.verified(run.arrive[k])
    ours.snapshot(state, came_ns, time)
    ours.tick(came_ns + 3 * SECOND)
    if [k for k in moves if run.arrive[k] > came_ns] or taken_ns < T0:
        assert Outcome.MISMATCH not in ours.outcomes


# --- one guard, one test -------------------------------------------------------------------------------------------

CLEAN = states(START, [], DEPTH)[0]
OTHER = states(START, [(1, 112, 5)], DEPTH)[1]  # the same top ten, another level below
ELSEWHERE = states(START, [(1, 101, 5)], DEPTH)[1]


def begun(lead_s: int = 3) -> tuple[Watched, int]:
    ours = Watched(DEPTH)
    ours.load(CLEAN, T0)
    ours.begin(T0)
    return ours, T0 + lead_s * SECOND


def record(ours: Watched) -> Record:
    return ours.auditor.records[0]


def test_a_book_that_is_the_snapshot_is_audited_at_once_and_to_its_depth() -> None:
    ours, now_ns = begun()
    ours.snapshot(CLEAN, now_ns)
    assert not ours.auditor.pending
    assert (record(ours).passed, record(ours).levels, record(ours).last_ns) == (1, DEPTH, now_ns)


def test_wrong_levels_are_a_mismatch_when_the_time_is_over_and_not_before() -> None:
    ours, now_ns = begun()
    ours.snapshot(OTHER, now_ns)
    ours.tick(now_ns + 3 * SECOND - 1)
    assert ours.outcomes == []
    ours.tick(now_ns + 3 * SECOND)
    assert ours.outcomes == [Outcome.MISMATCH]
    assert record(ours).found == "ask 0.000000112: ours 0.00000001, the venue's 0.00000005"
    assert not ours.auditor.pending


def test_our_feed_may_reach_the_snapshot_later() -> None:
    """The update is under way: it comes, and the book was right."""
    ours, now_ns = begun()
    ours.snapshot(OTHER, now_ns)
    ours.apply([], [(112, 5)], now_ns + 2 * SECOND)
    ours.verified(now_ns + 2 * SECOND)
    ours.tick(now_ns + 9 * SECOND)
    assert (ours.outcomes, record(ours).passed) == ([], 1)


def test_our_feed_may_have_left_the_snapshot_behind() -> None:
    ours, now_ns = begun()
    ours.apply([], [(112, 5)], now_ns - SECOND)
    ours.verified(now_ns - SECOND)
    ours.snapshot(CLEAN, now_ns)
    assert record(ours).passed == 1


def test_a_top_that_was_never_ours_says_nothing() -> None:
    ours, now_ns = begun()
    ours.snapshot(ELSEWHERE, now_ns)
    ours.tick(now_ns + 3 * SECOND)
    assert (ours.outcomes, record(ours).inconclusive) == ([Outcome.INCONCLUSIVE], 1)
    assert record(ours).why == "none of our states has its best levels"


def test_a_window_that_began_too_late_proves_nothing() -> None:
    """An older state than the first one kept may have had these levels."""
    ours, now_ns = begun(1)
    ours.snapshot(OTHER, now_ns)
    ours.tick(now_ns + 3 * SECOND)
    assert ours.outcomes == [Outcome.INCONCLUSIVE]


def test_states_that_found_no_room_are_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "KEPT_MAX", 3 * 2 * DEPTH * 16)
    ours, now_ns = begun()
    for k in range(6):
        ours.apply([], [(112, 1 + k)], T0 + k)
        ours.verified(T0 + k)
    ours.snapshot(OTHER, now_ns)
    ours.tick(now_ns + 3 * SECOND)
    assert ours.outcomes == [Outcome.INCONCLUSIVE]
    assert record(ours).why == "more states than there is room for"


@pytest.mark.parametrize("comes", ["before", "after"])
def test_a_book_that_is_lost_or_loaded_anew_meanwhile_is_not_judged(comes: str) -> None:
    """What happened between its loss and its new snapshot nobody saw: the states have a hole."""
    ours, now_ns = begun()
    if comes == "after":
        ours.snapshot(OTHER, now_ns)
    ours.lose()
    ours.load(CLEAN, now_ns)
    if comes == "before":
        ours.snapshot(OTHER, now_ns)
    ours.tick(now_ns + 60 * SECOND)
    assert (ours.outcomes, record(ours)) == ([], Record())


def test_what_was_audited_before_a_loss_is_not_audited_after_it() -> None:
    ours, now_ns = begun()
    ours.snapshot(CLEAN, now_ns)
    ours.lose()
    assert (record(ours).passed, record(ours).levels, record(ours).last_ns) == (1, 0, 0)


def test_no_snapshot_says_nothing_and_is_over_at_once() -> None:
    ours, now_ns = begun()
    ours.auditor.compare(0, None, ours.book, now_ns)
    ours.tick(now_ns)
    assert (ours.outcomes, record(ours).why) == ([Outcome.INCONCLUSIVE], "no snapshot")


def test_a_look_that_nobody_ends_ends_by_itself() -> None:
    ours, _ = begun()
    ours.tick(T0 + 30 * SECOND)
    assert ours.outcomes == [Outcome.INCONCLUSIVE]
    assert not ours.auditor.pending


def test_of_a_book_that_is_not_valid_nothing_is_kept() -> None:
    ours = Watched(DEPTH)
    ours.begin(T0)
    ours.snapshot(CLEAN, T0)
    ours.tick(T0 + 60 * SECOND)
    assert not ours.auditor.pending
    assert (ours.outcomes, ours.auditor.records) == ([], {})


def test_only_levels_that_both_hold_are_compared_and_called_audited() -> None:
    """A snapshot of ten levels proves ten."""
    ours, now_ns = begun()
    bids, asks = OTHER
    found = BookSnapshot(0, list(bids[:10]), list(asks[:10]), None, 10, "")
    ours.auditor.compare(0, found, ours.book, now_ns)
    assert (record(ours).passed, record(ours).levels) == (1, 10)


@pytest.mark.parametrize(("theirs", "outcome"), [(-1, Outcome.INCONCLUSIVE), (0, Outcome.MISMATCH)])
def test_by_the_venues_time_a_snapshot_older_than_what_was_kept_proves_nothing(theirs: int, outcome: Outcome) -> None:
    ours = Watched(DEPTH)
    ours.load(CLEAN, T0, stamp(T0 + SECOND))
    ours.begin(T0 + SECOND)
    ours.snapshot(OTHER, T0 + 4 * SECOND, stamp(T0 + SECOND + theirs))
    ours.tick(T0 + 7 * SECOND)
    assert ours.outcomes == [outcome]


@pytest.mark.parametrize(("ours_s", "outcome"), [(4, Outcome.INCONCLUSIVE), (5, Outcome.MISMATCH)])
def test_by_the_venues_time_a_feed_that_moves_and_has_not_reached_it_proves_nothing(
    ours_s: int, outcome: Outcome
) -> None:
    ours = Watched(DEPTH)
    ours.load(CLEAN, T0, stamp(T0))
    ours.begin(T0)
    ours.snapshot(OTHER, T0 + 5 * SECOND, stamp(T0 + 5 * SECOND))
    ours.apply([(88, 7)], [], T0 + 6 * SECOND, stamp(T0 + ours_s * SECOND))
    ours.verified(T0 + 6 * SECOND)
    ours.tick(T0 + 8 * SECOND)
    assert ours.outcomes == [outcome]
