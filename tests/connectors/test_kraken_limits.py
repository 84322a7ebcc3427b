"""Kraken's rate counters: the published table row by row, the two published sums, and the part kept for cancels."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.venues.kraken.limits import (
    ONE,
    TIERS,
    Counter,
    EngineLimits,
    RestLimits,
    add_cost,
    amend_cost,
    cancel_cost,
    tier,
)

SECOND = 10**9
AGES = (0, 5, 10, 15, 45, 90, 300)  # seconds at which another column of the table begins
ROWS = {
    amend_cost: (1 + 3, 1 + 2, 1 + 1, 1, 1, 1, 1),
    cancel_cost: (8, 6, 5, 4, 2, 1, 0),
}


@pytest.mark.parametrize("cost", list(ROWS), ids=lambda one: one.__name__)
def test_every_row_and_column(cost: object) -> None:
    """At the first nanosecond of each age and at the last of the one before."""
    costs = ROWS[cost]  # type: ignore[index]
    for k, age in enumerate(AGES):
        assert cost(age * SECOND) == costs[k] * ONE  # type: ignore[operator]
        if age:
            assert cost(age * SECOND - 1) == costs[k - 1] * ONE  # type: ignore[operator]


def test_an_add_and_a_batch() -> None:
    assert [add_cost(n) for n in (1, 2, 3, 15)] == [ONE, ONE, 3 * ONE // 2, 15 * ONE // 2]


def test_the_published_sum_of_one_orders_life() -> None:
    """Add at 0 s, amend at 7 s, cancel 36 s later: 1 + 1 + 2 + 4, without decay."""
    counter = Counter(0)
    counter.add(add_cost(), 0)
    counter.add(amend_cost(7 * SECOND), 7 * SECOND)
    counter.add(cancel_cost(36 * SECOND), 43 * SECOND)
    assert counter.now(43 * SECOND) == 8 * ONE


def test_the_published_sum_of_fifty_orders() -> None:
    """Intermediate: 50 adds, ten seconds later 50 − 23.4 = 26.6."""
    counter = Counter(tier("intermediate").decay)
    for _ in range(50):
        counter.add(add_cost(), 0)
    assert Fraction(counter.now(10 * SECOND), ONE) == Fraction("26.6")


@pytest.mark.parametrize(
    ("name", "decay", "threshold", "orders", "rest", "rest_decay"),
    [
        ("starter", "1", 60, 60, 15, "0.33"),
        ("intermediate", "2.34", 125, 80, 20, "0.5"),
        ("pro", "3.75", 180, 225, 20, "1"),
    ],
)
def test_tiers(name: str, decay: str, threshold: int, orders: int, rest: int, rest_decay: str) -> None:
    found = tier(name)
    assert (found.threshold, found.open_orders, found.rest_max) == (threshold, orders, rest)
    assert Fraction(found.decay * SECOND, ONE) == Fraction(decay)
    assert Fraction(found.rest_decay * SECOND, ONE) == Fraction(rest_decay)


def test_another_tier_is_refused_with_the_choice() -> None:
    with pytest.raises(ConfigError, match="starter, intermediate, pro"):
        tier("vip")


@pytest.mark.parametrize("name", list(TIERS))
def test_a_third_is_kept_for_cancels(name: str) -> None:
    """Adds stop at two thirds, with the numbers in words; cancels go on, and what they cost is counted."""
    limits = EngineLimits(tier(name))
    most = limits.threshold - limits.threshold // 3
    assert all(limits.spend(0, ONE, 0) == "" for _ in range(most))
    why = limits.spend(0, ONE, 0)
    assert f"{most}.00" in why
    assert str(limits.threshold) in why
    assert limits.spend(1, ONE, 0) == "", "another pair has a counter of its own"
    before = limits.counter(0).now(0)
    for _ in range(10):
        limits.cancelled(0, 0, 0)
    assert limits.counter(0).now(0) == before + 80 * ONE
    assert limits.spend(0, ONE, 0) != ""
    assert limits.counter(0).now(0) == before + 80 * ONE, "a refusal costs nothing"


def test_the_venues_word_fills_the_counter() -> None:
    limits = EngineLimits(tier("starter"))
    limits.overrun(0, 0)
    assert limits.spend(0, ONE, 19 * SECOND) != ""
    assert limits.spend(0, ONE, 21 * SECOND) == ""


times = st.lists(st.tuples(st.integers(0, 20 * SECOND), st.integers(1, 9)), max_size=60)


@given(times, st.sampled_from(sorted(TIERS)))
def test_the_counter_is_the_published_formula(steps: list[tuple[int, int]], name: str) -> None:
    """Against the same in fractions, for any spending over any time."""
    of, counter = tier(name), Counter(tier(name).decay)
    now, value = 0, Fraction(0)
    for gap, cost in steps:
        now += gap
        value = max(value - Fraction(of.decay * gap, ONE), Fraction(0)) + cost
        counter.add(cost * ONE, now)
        assert Fraction(counter.now(now), ONE) == value


@given(
    st.lists(st.tuples(st.integers(0, 30 * SECOND), st.sampled_from((1, 4))), max_size=60),
    st.sampled_from(sorted(TIERS)),
)
def test_rest_calls_that_wait_never_overrun(steps: list[tuple[int, int]], name: str) -> None:
    """Whoever waits as long as it is told stays below the maximum; waiting one nanosecond less would not be allowed."""
    of, limits = tier(name), RestLimits(tier(name))
    now, value = 0, Fraction(0)
    for gap, cost in steps:
        wait = limits.wait_ns(cost, now + gap)
        if wait:
            assert limits.wait_ns(cost, now + gap + wait - 1) > 0
        now += gap + wait
        value = max(value - Fraction(of.rest_decay * (gap + wait), ONE), Fraction(0)) + cost
        assert limits.wait_ns(cost, now) == 0
        limits.spend(cost, now)
        assert value <= of.rest_max


def test_time_that_runs_backwards_forgives_nothing() -> None:
    counter = Counter(tier("pro").decay)
    counter.add(50 * ONE, 100 * SECOND)
    assert counter.now(0) == 50 * ONE
    assert counter.now(100 * SECOND) == 50 * ONE
