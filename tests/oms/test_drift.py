"""Drift: exact sums, each movement once, races that are none, and what is not explained is found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.events import Movement, Picture
from oms.drift import Drift, Drifted
from tests.oms.model import VENUE, S

UNIT = {"USD": 10_000}


class Account:
    """What the venue has, and the pictures of it."""

    def __init__(self, drift: Drift, **balances: int) -> None:
        self.drift, self.balances, self.now, self.moves = drift, balances, S, 0

    def move(self, currency: str, amount: int, *, told: bool = True, ref: str = "") -> Movement:
        self.moves += 1
        self.balances[currency] = self.balances.get(currency, 0) + amount
        movement = Movement(VENUE, ref or f"r{self.moves}", currency, "base", amount)
        if told:
            assert self.drift.moved(movement)
        return movement

    def look(self, **other: int) -> list[Drifted]:
        self.now += 10 * S
        balances = tuple({**self.balances, **other}.items())
        return self.drift.looked(
            Picture(venue=VENUE, asked_ns=self.now, since_ns=0, open=(), closed=(), trades=(), balances=balances)
        )


def _anchored(**balances: int) -> Account:
    account = Account(Drift(VENUE, UNIT), **balances)
    assert account.look() == account.look() == []
    return account


def test_what_nobody_told_of_is_drift_in_two_pictures_in_a_row() -> None:
    account = _anchored(BTC=100, USD=7)
    account.move("BTC", -40, told=False)
    assert account.look() == []
    assert account.look() == [Drifted("BTC", 100, 60)]
    assert account.look() == [Drifted("BTC", 100, 60)]
    account.move("BTC", 40, told=False)
    assert account.look() == []


def test_a_movement_on_its_way_is_none_and_differences_that_change_are_after_five() -> None:
    account = _anchored(BTC=100)
    late = account.move("BTC", 50, told=False)
    assert account.look() == []
    assert account.drift.moved(late)
    assert account.look() == account.look() == []
    for by in (10, 20, 30, 40):
        assert account.look(BTC=150 + by) == []
    assert account.look(BTC=200) == [Drifted("BTC", 150, 200)]


def test_a_movement_told_twice_counts_once_whatever_comes_between() -> None:
    account = _anchored(BTC=100)
    first = account.move("BTC", 5)
    for _ in range(50):
        account.move("ETH", 1)
        assert not account.drift.moved(first)
    other_leg = Movement(VENUE, first.ref, "BTC", "fee", 0)
    assert account.drift.moved(other_leg)
    assert account.look() == account.look() == []


def test_a_movement_is_forgotten_only_after_as_many_others_as_are_kept() -> None:
    drift = Drift(VENUE, {}, kept=3)
    one, *others = (Movement(VENUE, f"r{n}", "BTC", "base", 1) for n in range(5))
    for n in range(3):
        assert drift.moved(one) is (n == 0)
        assert drift.moved(others[n])  # told again in between: kept
    assert not drift.moved(one)
    for other in (others[1], others[2], others[3]):
        drift.moved(other)
    assert drift.moved(one)


def test_the_anchor_stands_when_a_second_picture_confirms_it() -> None:
    """The first held an execution whose movement came after it."""
    account = Account(Drift(VENUE, {}), BTC=100)
    late = account.move("BTC", 50, told=False)
    assert account.look() == []
    account.drift.moved(late)  # 150 + 50 expected, 150 there: the anchor is taken anew
    assert account.look() == account.look() == account.look() == []
    account.move("BTC", 1, told=True)
    assert account.look() == account.look() == []


def test_a_currency_that_is_missing_is_nothing_and_one_that_is_new_is_a_difference() -> None:
    account = _anchored(BTC=100)
    del account.balances["BTC"]
    account.balances["DOGE"] = 9
    account.look()
    assert account.look() == [Drifted("BTC", 100, 0), Drifted("DOGE", 0, 9)]


def test_rounding_is_no_drift_and_one_more_than_rounding_is() -> None:
    account = _anchored(USD=10**12)
    for _ in range(3):
        account.move("USD", -5 * 10**8)
    most = 3 * 10_001 + 1
    for by, found in ((most, 0), (-most, 0), (most + 1, 1), (-most - 1, 1)):
        account.balances["USD"] += by
        account.look()
        assert len(account.look()) == found
        account.balances["USD"] -= by
        account.look()


def test_a_person_who_arms_begins_anew() -> None:
    account = _anchored(BTC=100)
    account.move("BTC", 40, told=False)
    account.look()
    assert account.look()
    account.drift.anchor()
    assert account.look() == account.look() == account.look() == []
    account.move("BTC", 1000, told=False)
    account.look()
    assert account.look() == [Drifted("BTC", 140, 1140)]


def test_the_same_picture_twice_or_one_too_soon_or_older_is_one() -> None:
    account = Account(Drift(VENUE, {}, apart_ns=15 * S), BTC=100)
    for _ in range(4):
        account.look()
    account.move("BTC", 5000, told=False)
    told = [account.look() for _ in range(6)]
    assert [len(found) for found in told].index(1) >= 2
    now = account.now
    account.now = 0
    assert account.look(BTC=1) == told[-1]
    account.now = now - 10 * S
    assert account.look(BTC=1) == told[-1]


def test_a_session_later_what_is_expected_and_what_was_told_is_known() -> None:
    account = _anchored(BTC=100)
    first = account.move("BTC", 7)
    account.drift = Drift(VENUE, UNIT, account.drift.memory())
    assert not account.drift.moved(first)
    account.move("BTC", -50, told=False)  # while nobody looked
    assert account.look() == []
    assert account.look() == [Drifted("BTC", 107, 57)]
    fresh = Drift(VENUE, UNIT)
    assert Drift(VENUE, UNIT, fresh.memory()).memory() == fresh.memory()


@given(st.lists(st.tuples(st.sampled_from(["BTC", "USD"]), st.integers(-(10**9), 10**9), st.booleans()), max_size=40))
def test_expected_is_the_anchor_and_every_distinct_movement(moves: list[tuple[str, int, bool]]) -> None:
    account = _anchored(BTC=5, USD=6)
    for currency, amount, again in moves:
        movement = account.move(currency, amount)
        if again:
            assert not account.drift.moved(movement)
    memory = account.drift.memory()
    assert memory.expected == {"BTC": 5, "USD": 6} | account.balances
    assert account.look() == account.look() == []
