"""The day's loss against a reference over random days: it trips on the first event past the limit, and never before.

Fills, fees, marks, four instruments, two quote currencies, four scopes with limits of their own; midnight to the
nanosecond; the nights in which clocks elsewhere change; restarts from memory in the middle and across midnight.
VENUEGATE_DAYS runs as many days as you like.
"""

from __future__ import annotations

import os
from collections import Counter
from fractions import Fraction

import pytest

from connectors.orders import Approved
from risk.denial import Denied, DenyReason
from tests.reference.days import DAY, Days, at

DAYS = int(os.environ.get("VENUEGATE_DAYS", "1000"))
CHAIN = 40  # days one account lives


def one_day(days: Days) -> None:
    """Some hours of trading, each event compared; then the last nanosecond of the day and the first of the next."""
    rng = days.rng
    midnight = (days.now // DAY + 1) * DAY
    for _ in range(rng.randint(4, 16)):
        days.until(min(days.now + rng.randint(0, DAY // 8), midnight - 1))
        days.refresh(days.now) if rng.random() < 0.05 else None
        event = rng.random()
        if event < 0.5:
            market = rng.randrange(4)
            days.mark(market, days.mids[market] + Fraction(rng.randint(-40, 40), 10))
        elif event < 0.94:
            days.trade(rng.randrange(2), rng.randrange(4), rng.choice((1, -1)), rng.randint(1, 3))
        elif event < 0.97:
            days.restart()
            days.refresh(days.now)
        else:
            days.arm()
    days.until(midnight - 1)
    days.mark(0, days.mids[0] + Fraction(rng.randint(-20, 20), 10))
    if rng.random() < 0.1:
        days.restart()
        days.refresh(days.now)
    days.until(midnight if rng.random() < 0.7 else midnight + rng.randint(1, 3 * DAY))
    days.compare()


def run(seed: int, count: int, start: int) -> Days:
    days = Days(seed, start)
    for _ in range(count):
        one_day(days)
    return days


@pytest.mark.slow
@pytest.mark.timeout(0)
def test_the_loss_of_many_days() -> None:
    """Every event of every day; and the days were of a kind to say something."""
    counted: Counter[str] = Counter()
    for seed in range(-(-DAYS // CHAIN)):
        days = run(seed, min(CHAIN, DAYS - seed * CHAIN), at(f"2026-0{1 + seed % 9}-01"))
        for name in ("events", "trips", "restarts", "rolls"):
            counted[name] += getattr(days, name)
    assert counted["rolls"] >= DAYS
    assert counted["events"] > 5 * DAYS
    assert counted["trips"] * 10 > DAYS
    assert counted["restarts"] * 10 > DAYS


# --- midnight, to the nanosecond --------------------------------------------------------------------------------------

CLOCK_CHANGES = {
    "2026-03-08": "America, forward", "2026-03-29": "Europe, forward", "2026-10-25": "Europe, back",
    "2026-11-01": "America, back",
}  # fmt: skip
NIGHTS = ("2026-03-28", "2026-10-24", "2026-12-31", "2028-02-28", "2028-02-29", *CLOCK_CHANGES)


@pytest.mark.parametrize("date", NIGHTS)
def test_the_last_nanosecond_is_of_the_old_day_and_the_next_of_the_new(date: str) -> None:
    """20 lost at noon and 20 at midnight, of a limit of 25: a nanosecond before midnight it trips, at midnight not."""
    midnight = at(date) + DAY
    for is_late in (False, True):
        days = Days(1, at(date) + DAY // 2)
        days.trade(0, 1, 1, 1)
        days.mark(1, days.mids[1] - 20)
        days.until(midnight - 1)
        assert days.rolls == 0
        if is_late:
            days.until(midnight)
            assert days.rolls == 1
        days.mark(1, days.mids[1] - 20)
        assert (days.trips == 0) is is_late
        days.compare()


@pytest.mark.parametrize("date", CLOCK_CHANGES)
@pytest.mark.parametrize("is_back", [False, True])
def test_a_day_has_24_hours_whatever_clocks_elsewhere_do(date: str, *, is_back: bool) -> None:
    """Every half hour from the midnight before to the midnight after: one day begins, at 00:00 UTC, and no other."""
    days = Days(2, at(date) - DAY // 4)
    began: list[int] = []
    for half_hour in range(1, 48 + 12 + 1):
        now = at(date) - DAY // 4 + half_hour * DAY // 48
        for moment in (now - 1, now):
            before = days.rolls
            days.until(moment)
            days.trade(0, half_hour % 4, 1 if is_back else -1, 1)
            began += [moment] * (days.rolls - before)
    assert began == [at(date), at(date) + DAY]


def test_a_loss_in_two_days_is_no_loss_of_one() -> None:
    """20 before midnight and 20 after, of a limit of 25; and the same 40 in one day."""
    for is_split in (True, False):
        days = Days(3, at("2026-03-28") + DAY // 2)
        days.trade(1, 1, 1, 1)
        days.mark(1, days.mids[1] - 20)
        days.until(at("2026-03-29") if is_split else days.now + 1)
        days.mark(1, days.mids[1] - 20)
        assert (days.trips == 0) is is_split


@pytest.mark.parametrize("shift", [-1, 0, 1])
def test_it_trips_one_unit_beyond_and_not_at_the_limit(shift: int) -> None:
    days = Days(4, at("2026-10-25"))
    days.trade(0, 3, -1, 2)
    book = days.scopes["algo:one", "EUR"]
    room = 25 - (book.start - book.worth(days.mids))
    days.mark(3, days.mids[3] + (room + Fraction(shift, 500)) / 2)
    assert (days.trips == 1) is (shift == 1)


@pytest.mark.parametrize("is_next_day", [False, True])
def test_a_restart_neither_trips_nor_forgives(*, is_next_day: bool) -> None:
    """Positions that gained, a restart in the middle or over midnight, and markets that are marked one by one."""
    for seed in range(20):
        days = Days(seed, at("2026-10-24") + DAY // 2)
        for market in range(4):
            days.trade(market % 2, market, 1, 2)
        for market in range(4):
            days.mark(market, days.mids[market] + 30)
        days.restart()
        if is_next_day:
            days.until(at("2026-10-25"))
        days.refresh(days.now)
        days.compare()
        assert days.trips == 0
        days.mark(0, days.mids[0] - Fraction(41, 2))
        assert days.trips == is_next_day, "60 were won yesterday"


def test_a_latch_lasts_over_midnight_and_restart_until_a_person_arms() -> None:
    days = Days(5, at("2026-03-28") + DAY // 2)
    days.trade(0, 0, 1, 1)
    days.mark(0, days.mids[0] - 26)
    for step in ("midnight", "restart", "midnight"):
        if step == "midnight":
            days.until((days.now // DAY + 1) * DAY)
        else:
            days.restart()
            days.refresh(days.now)
        verdict = days.order(0, 0, 1, 1)
        assert isinstance(verdict, Denied) and verdict.reason is DenyReason.DAILY_LOSS
        assert isinstance(days.order(1, 1, 1, 1), Approved), "another algo at another market goes on"
    days.arm()
    assert isinstance(days.order(0, 0, 1, 1), Approved)
