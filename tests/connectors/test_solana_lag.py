"""How far the chain's clock is behind ours: what is usual for an endpoint, and what tells that it fell behind."""

from hypothesis import given
from hypothesis import strategies as st

from connectors.venues.solana.lag import CREEP, Lag
from tests.support.virtual import SECOND


def fed(*lags: float) -> int:
    """By how much the last one grew, with two seconds between reads."""
    lag, grown = Lag(), 0
    for number, one in enumerate(lags):
        grown = lag.grown(int(one * SECOND), number * 2 * SECOND)
    return grown


def test_what_it_grew_by_is_more_than_the_best_that_two_reads_had() -> None:
    assert fed(3) == 0, "one read is no measure"
    assert fed(3, 4) == 0
    assert 7 * SECOND < fed(1, 2, 10) <= 8 * SECOND
    assert 9 * SECOND < fed(30, 29, 0, 1, 10.5, 10.5) <= 10 * SECOND
    assert fed(30, 31, 29, 30) < 2 * SECOND, "a clock that is always off is nothing new"


def test_one_odd_clock_is_no_measure() -> None:
    assert fed(5, 5, -300, 5, 5) == 0
    assert fed(-300, 5, 5) < SECOND
    assert fed(5, 400, 5) == 0
    assert fed(5, 5, 400) > 390 * SECOND, "but it counts for itself"


def test_a_clock_that_drifts_for_days_is_not_a_fault_for_ever() -> None:
    lag = Lag()
    lag.grown(0, 0)
    assert lag.grown(0, SECOND) == 0
    later_ns = SECOND + 20 * CREEP * SECOND
    assert lag.grown(20 * SECOND, later_ns) == 0
    assert lag.grown(25 * SECOND, later_ns) == 5 * SECOND


@given(st.lists(st.tuples(st.integers(0, 10 * SECOND), st.integers(-(2**62), 2**62)), max_size=30))
def test_it_is_never_negative_and_a_lag_that_stays_is_not_growth(steps: list[tuple[int, int]]) -> None:
    lag, now_ns = Lag(), 0
    for after_ns, one in steps:
        now_ns += after_ns
        assert lag.grown(one, now_ns) >= 0
    steady = Lag()
    assert all(steady.grown(7 * SECOND, number) == 0 for number in range(20))
