"""Rate budgets and clocks of exchanges: never more than the venue takes, never a place for cancels taken away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import Notice
from connectors.exchange.budget import Budget, Rule
from connectors.exchange.skew import EVERY_NS, Skew, fill_times
from connectors.session import PRIVATE, REST, Send

SECOND, MS = 10**9, 10**6


def budget(most: int = 6, span_s: int = 2, **rules: Rule) -> Budget:
    return Budget("okx", {"orders": Rule(most, span_s * SECOND), **rules})


@given(st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 4), st.booleans()), max_size=60))
def test_no_window_ever_holds_more_than_is_taken(steps: list[tuple[int, int, bool]]) -> None:
    """Whatever is asked and when: in any two seconds at most four of six without cancels, and none is refused which
    would have fitted by the end of its wait."""
    spending, now_ns, spent = budget(), 0, []
    for gap_ns, amount, waits in steps:
        now_ns += gap_ns
        if waits:
            now_ns += spending.wait_ns([("orders", amount)], now_ns)
        why = spending.pay([("orders", amount)], now_ns)
        assert not (waits and why)
        if not why:
            spent.append((now_ns, amount))
    for first, (end_ns, _) in enumerate(spent):
        assert sum(amount for at_ns, amount in spent[: first + 1] if at_ns > end_ns - 2 * SECOND) <= 4


def test_cancels_are_counted_and_always_leave() -> None:
    spending = budget()
    assert spending.pay([("orders", 4)], 0) == ""
    assert "takes 6 of orders in 2 s" in spending.pay([("orders", 1)], 0)
    spending.force([("orders", 4)], 0)
    assert spending.pay([("orders", 1)], 2 * SECOND) != "", "counted, and longer than its own window"
    assert spending.pay([("orders", 1)], 3 * SECOND) == ""


def test_what_is_spent_late_in_a_slice_counts_its_whole_time() -> None:
    """A slice is a fiftieth of the window, 40 ms here."""
    spending = budget()
    assert spending.pay([("orders", 4)], 39 * MS) == ""
    assert spending.pay([("orders", 1)], 2 * SECOND + 38 * MS) != ""
    assert spending.pay([("orders", 1)], 2 * SECOND + 40 * MS) == ""


def test_what_is_too_much_of_one_is_counted_of_none() -> None:
    spending = budget(weight=Rule(100, 60 * SECOND, reserved=0))
    assert spending.pay([("weight", 90), ("orders", 5)], 0) != ""
    assert spending.pay([("weight", 100)], 0) == ""


def test_each_market_has_a_counter_of_its_own() -> None:
    spending = budget()
    assert spending.pay([("orders", 4, "BTC-USDT")], 0) == ""
    assert spending.pay([("orders", 1, "BTC-USDT")], 0) != ""
    assert spending.pay([("orders", 4, "ETH-USDT")], 0) == ""


def test_the_venues_own_count_and_its_word_count_for_more() -> None:
    spending = budget()
    spending.used("orders", 4, 0)
    spending.used("orders", 2, 0)
    assert spending.pay([("orders", 1)], 0) != ""
    other = budget()
    other.overrun("orders", 0, until_ns=7 * SECOND)
    assert other.wait_ns([("orders", 1)], SECOND) == 6 * SECOND
    assert other.pay([("orders", 1)], 7 * SECOND) == ""


def test_metadata_changes_a_rule_and_forgets_nothing() -> None:
    spending = budget()
    assert spending.pay([("orders", 4)], 0) == ""
    spending.set("orders", 12, 2 * SECOND)
    assert spending.pay([("orders", 4)], 0) == ""
    assert spending.pay([("orders", 1)], 0) != ""
    spending.set("orders", 0, 0)
    assert spending.pay([("orders", 1)], 0) != "", "a rule of nothing is none"


def test_a_rule_that_changes_keeps_its_part_for_cancels() -> None:
    spending = Budget("bybit", {"new": Rule(20, SECOND, 2), "all": Rule(20, SECOND, 0), "usual": Rule(30, SECOND)})
    for name in ("new", "all", "usual"):
        spending.set(name, 60, SECOND)
    for name, most in (("new", 54), ("all", 60), ("usual", 40)):
        assert spending.pay([(name, most + 1)], 0) != ""
        assert spending.pay([(name, most)], 0) == ""


# --- clocks -----------------------------------------------------------------------------------------------------------


@given(
    ahead_ms=st.integers(-100_000, 100_000),
    trips=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 3000)), min_size=1, max_size=20),
)
def test_the_clock_is_as_wrong_as_it_says_at_most(ahead_ms: int, trips: list[tuple[int, int]]) -> None:
    """However long a question and its answer took."""
    skew, now_ns = Skew("okx"), 10**18
    for there_ms, back_ms in trips:
        sent_ns, now_ns = now_ns, now_ns + (there_ms + back_ms) * MS
        skew.told(sent_ns, now_ns, sent_ns + (there_ms + ahead_ms) * MS)
    assert abs(skew.ns - ahead_ms * MS) <= skew.sure_ns <= 3000 * MS


def test_the_last_answer_is_not_the_best_one() -> None:
    """A quick one counts for more than the slow ones after it."""
    skew = Skew("okx")
    skew.told(0, 10 * MS, 255 * MS)
    skew.told(SECOND, 5 * SECOND, 2 * SECOND)
    assert (skew.ms, skew.sure_ns) == (250, 5 * MS)


def test_a_person_is_told_once_and_a_broken_clock_is_not_followed() -> None:
    skew = Skew("okx")
    (said,) = skew.told(0, 0, 5 * SECOND)
    assert isinstance(said, Notice)
    assert "5000 ms behind" in said.text
    assert skew.told(0, 0, 5 * SECOND) == []
    other = Skew("okx")
    (said,) = other.told(0, 0, 7200 * SECOND)
    assert isinstance(said, Notice)
    assert said.level == "error"
    assert other.ns == 0


def test_an_answer_that_took_for_ever_or_came_before_it_was_asked_says_nothing() -> None:
    skew = Skew("okx")
    assert skew.told(0, 11 * SECOND, 5 * SECOND) == skew.told(SECOND, 0, 5 * SECOND) == []
    assert skew.sure_ns == -1


def test_it_is_measured_again_every_five_minutes_and_when_the_venue_complains() -> None:
    skew = Skew("okx")
    assert skew.is_due(0)
    skew.asked(0)
    assert not skew.is_due(EVERY_NS - 1)
    assert skew.is_due(EVERY_NS)
    skew.asked(EVERY_NS)
    skew.again()
    assert skew.is_due(EVERY_NS)


@pytest.mark.parametrize(
    ("server_ns", "link", "data", "expected"),
    [
        (250 * MS, REST, b"17 GET /api/v5/x\na=1", b"17 GET /api/v5/x +250\na=1"),
        (-3000 * MS, REST, b"17 /api/v5/x\n", b"17 /api/v5/x -3000\n"),
        (999_999, REST, b"17 /api/v5/x\n", b"17 /api/v5/x\n"),
        (250 * MS, PRIVATE, b'{"t":"{time_ms}","s":"{time_s}"}', b'{"t":"{time_ms:+250}","s":"{time_s:+0}"}'),
        (-2500 * MS, PRIVATE, b'{"e":{expires_ms:5000}}', b'{"e":{expires_ms:+2500}}'),
    ],
)
def test_requests_carry_the_venues_time(server_ns: int, link: str, data: bytes, expected: bytes) -> None:
    skew = Skew("okx")
    skew.told(0, 0, server_ns)
    assert skew.into(Send(link, data, 7, (8,))) == Send(link, expected, 7, (8,))


def test_the_door_puts_its_time_in() -> None:
    frame = b'{"a":"{time_ms:+250}","b":{time_s:-1},"c":{expires_ms:5000},"d":{time_ms},"e":"{jwt}"}'
    assert fill_times(frame, 10 * SECOND) == b'{"a":"10250","b":9,"c":15000,"d":10000,"e":"{jwt}"}'
