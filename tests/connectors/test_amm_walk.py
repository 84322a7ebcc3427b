"""The way through a concentrated pool on Solana: whatever its legs are; and the ticks they are made from."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK
from connectors.amm.ticks64 import Tick, Ticks
from connectors.amm.walk import Walk
from tests.support.clmm_orca import OURS, wrong
from tests.support.clmm_walks import Made, checks, way

TICK = Tick(5, 5)
PLACES = st.integers(-60, 60)


def test_made_up_legs_as_when_walked_one_by_one() -> None:
    """Legs that need more than they take, pass nothing, pay without taking, are enormous; ends and errors behind."""
    assert list(wrong(checks(range(300)), OURS)) == []


@given(st.integers(300, 2**40))
def test_any_made_up_legs(seed: int) -> None:
    assert list(wrong(checks(range(seed, seed + 1)), OURS)) == []


def test_no_leg_is_made_before_it_is_needed() -> None:
    made: list[int] = []

    def legs() -> Iterator[Made]:
        for place in range(5):
            made.append(place)
            yield Made(place, 10, 10, 10, 10)

    walk = Walk(legs(), exact_out=False)
    assert made == []
    assert walk.stop(9).leg.place == 0
    assert walk.stop(10).leg.place == 0
    assert made == [0]
    assert walk.stop(11).leg.place == 1
    assert walk.others([1, 2, 20]) == [0, 1, 20]
    assert made == [0, 1]


@pytest.mark.parametrize("error", [QuoteError("the arrays end"), Beyond("not read")])
def test_an_error_on_the_way_stays_one(error: QuoteError) -> None:
    """A generator that raised has ended for Python; it must not look like the end of all prices."""

    def legs() -> Iterator[Made]:
        yield Made(0, 10, 10, 10, 10)
        raise error

    walk = Walk(legs(), exact_out=False)
    for _ in range(3):
        with pytest.raises(type(error), match=str(error)):
            walk.stop(11)
        assert walk.others([5, 10, 11]) == [2, 10]
        assert walk.stop(10).paid == 10


def test_seeds_hold_what_they_promise() -> None:
    ways = [way(seed) for seed in range(300)]
    assert any(not of.legs for of in ways)
    assert any(leg.needs_in > leg.taken for of in ways for leg in of.legs)
    assert any(leg.taken == 0 < leg.paid for of in ways for leg in of.legs)
    assert {type(of.end) for of in ways} == {type(None), QuoteError, Beyond}


# --- ticks ---------------------------------------------------------------------------------------------------------


@given(
    st.sets(st.integers(-60, 60), max_size=12),
    st.integers(-60, 60),
    st.booleans(),
    st.integers(0, 60),
    st.integers(1, 9),
)
def test_the_next_tick_is_found(places: set[int], tick: int, down: bool, far: int, spacing: int) -> None:
    ticks = Ticks(spacing, {place * spacing: TICK for place in places})
    end = tick - far if down else tick + 1 + far
    between = sorted(
        at for at in (place * spacing for place in places) if (end <= at <= tick if down else tick < at <= end)
    )
    stop, entry = ticks.next(tick, down, end)
    assert stop == ((between[-1] if down else between[0]) if between else end)
    assert entry == (TICK if between else None)
    assert ticks.crossed(tick, end - 1 if down else end) == len(between)


def test_what_was_not_read_is_beyond() -> None:
    ticks = Ticks(4, {-80: TICK, 0: TICK, 80: TICK, 400: TICK}, -100, 100)
    assert list(ticks.entries()) == [-80, 0, 80]
    assert not ticks.complete
    assert ticks.next(-81, True, -100) == (-100, None)
    assert ticks.next(80, False, 100) == (100, None)
    assert ticks.next(-101, False, 100) == (-80, TICK)  # all above is known
    for tick, down, end in ((-81, True, -101), (80, False, 101), (101, True, -100), (-102, False, 100)):
        with pytest.raises(Beyond, match="known from -100 to 100"):
            ticks.next(tick, down, end)


def test_a_range_up_to_the_outermost_multiples_is_whole() -> None:
    last = MAX_TICK // 60 * 60
    ticks = Ticks(60, {-last: TICK, last: Tick(-5, 5)}, -last, last)
    assert ticks.complete
    assert ticks.next(last, False, MAX_TICK) == (MAX_TICK, None)
    assert ticks.next(-last - 1, True, MIN_TICK) == (MIN_TICK, None)


def test_ticks_are_values() -> None:
    ticks = Ticks(4, {0: TICK, 8: Tick(-5, 5)})
    same = Ticks(4, {8: Tick(-5, 5), 0: TICK})
    assert ticks == same
    assert hash(ticks) == hash(same)
    assert ticks != Ticks(8, {0: TICK, 8: Tick(-5, 5)})
    assert ticks != Ticks(4, {0: TICK, 8: Tick(-5, 5)}, -400)
    assert ticks != {0: TICK}
    changed = ticks.replaced({0: None, 4: TICK, 12: None})
    assert changed.entries() == {4: TICK, 8: Tick(-5, 5)}
    assert len(ticks) == 2
    assert ticks.get(4) is None
    assert changed.get(4) == TICK
    with pytest.raises(QuoteError, match="spacing 0"):
        Ticks(0, {})


@pytest.mark.parametrize(
    ("ticks", "tick", "liquidity", "said"),
    [
        ({0: TICK, 8: Tick(-5, 5)}, 3, 5, ""),
        ({0: TICK, 8: Tick(-5, 5)}, 8, 0, ""),
        ({0: TICK, 8: Tick(-5, 5)}, -1, 0, ""),
        ({0: TICK, 8: Tick(-5, 5)}, 3, 4, "the ticks make a liquidity of 5, the pool says 4"),
        ({0: TICK, 8: Tick(-4, 5)}, 3, 5, "add up to 1"),
        ({0: TICK, 6: Tick(-5, 5)}, 3, 5, "tick 6 is not a multiple"),
        ({0: Tick(6, 5), 8: Tick(-6, 6)}, 3, 6, "tick 0 has a gross of 5 and a net of 6"),
        ({0: Tick(0, 0)}, 3, 0, "tick 0 has a gross of 0"),
        ({0: Tick(0, 0, orders=7)}, 3, 0, ""),
        ({}, 3, 1 << 128, "not a 128-bit number"),
    ],
)
def test_ticks_that_cannot_be_are_told(ticks: dict[int, Tick], tick: int, liquidity: int, said: str) -> None:
    found = Ticks(4, ticks).problem(tick, liquidity)
    assert said in found
    assert bool(said) == bool(found)


def test_of_a_part_only_what_it_shows_can_be_told() -> None:
    assert Ticks(4, {0: TICK}, -400, 400).problem(3, 17) == ""
    assert "multiple" in Ticks(4, {2: TICK}, -400, 400).problem(3, 17)
