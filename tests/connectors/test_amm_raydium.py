"""Raydium's pools: what must hold of any of them, and the cases that no oracle answers."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.raydium import FEE_ON_INPUT, FEE_ON_TOKEN0, FEE_ON_TOKEN1, Raydium
from connectors.amm.raydium_fee import MAX_FEE_PPM, Volatility
from connectors.amm.raydium_legs import HIGHEST, LOWEST, Match
from connectors.amm.raydium_orders import left
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, RAYDIUM
from connectors.amm.ticks64 import Tick, Ticks
from tests.support.clmm_raydium import REFUSED, U64, Pool, Swap, pool, swap, swapped

SEEDS = st.integers(10**6, 10**7)
PRICE = RAYDIUM.sqrt_at(0)
LIQUIDITY = 10**12
POOL = {-100: Tick(LIQUIDITY, LIQUIDITY), 100: Tick(-LIQUIDITY, LIQUIDITY)}


def made(fee_ppm: int = 0, **other: Any) -> Any:
    """Liquidity of 10^12 from tick −100 to 100, the price in the middle; `ticks` are put among these."""
    ticks = {**POOL, **other.pop("ticks", {})}
    liquidity = sum(tick.net for at, tick in ticks.items() if at <= 0)
    return Raydium(PRICE, 0, liquidity, fee_ppm, Ticks(10, ticks), **other)


def asked(seed: int, *, modern: bool = True) -> tuple[Pool, Swap, Raydium]:
    at = pool(seed, modern=modern)
    one = swap(seed, at)
    curve: Raydium = at.curve(one.now_s)
    return at, one, curve


def way(one: Swap) -> tuple[int, int]:
    return (0, 1) if one.down else (1, 0)


def resting(curve: Raydium) -> dict[int, int]:
    found = {at: tick.orders + tick.part_filled for at, tick in curve.ticks.entries().items()}
    return {at: amount for at, amount in found.items() if amount}


@given(SEEDS, st.lists(st.integers(1, 10**12), min_size=1, max_size=6))
def test_more_in_is_never_less_out_and_more_out_never_less_in(seed: int, steps: list[int]) -> None:
    """And a ladder is its single quotes."""
    _, one, curve = asked(seed)
    amounts = [one.amount + sum(steps[:k]) for k in range(len(steps) + 1)]
    for exact_out in (False, True):
        ladder = (curve.costs if exact_out else curve.proceeds)(*way(one), amounts)
        assert ladder == sorted(ladder)
        for amount, other in zip(amounts, ladder, strict=False):
            quote = swapped(curve, Swap(amount, exact_out, one.down))
            if quote == REFUSED:
                assert other == 0 and not exact_out
            else:
                assert other == (quote.amount_in if exact_out else quote.amount_out)
        for amount in amounts[len(ladder) :]:
            assert swapped(curve, Swap(amount, exact_out, one.down)) == REFUSED


@given(SEEDS)
def test_what_an_exact_out_swap_costs_buys_it(seed: int) -> None:
    """Where no orders rest: an exact input may be used up by the last order of a tick."""
    at = pool(seed, modern=True)
    curve = at.curve()
    if resting(curve):
        at = pool(seed, modern=False)._replace(fee_on=at.fee_on, volatility=at.volatility)
    one = swap(seed, at)
    quote = swapped(at.curve(one.now_s), one._replace(exact_out=True))
    assume(quote != REFUSED and max(quote.amount_in, quote.amount_out) < U64)  # one unit more would be refused
    back = swapped(at.curve(one.now_s), Swap(quote.amount_in, False, one.down))
    assert back.amount_out >= quote.amount_out


@given(st.integers(1, 4 * 10**9), st.integers(0, 100_000), st.sampled_from((0, 1, 2)), st.booleans())
def test_less_than_an_exact_out_swap_costs_does_not_buy_it(amount: int, fee_ppm: int, fee_on: int, down: bool) -> None:
    """Where the price has places enough, as in pools that there are: what it costs is the least."""
    curve = made(fee_ppm, fee_on=fee_on, ticks={-50: Tick(10**11, 10**11), 50: Tick(-(10**11), 10**11)})
    quote = swapped(curve, Swap(amount, True, down))
    assert quote != REFUSED
    assert swapped(curve, Swap(quote.amount_in, False, down)).amount_out >= amount
    less = swapped(curve, Swap(quote.amount_in - 1, False, down))
    assert less == REFUSED or less.amount_out < amount


@given(SEEDS, st.integers(0, 10**6), st.booleans())
def test_a_swap_goes_on_where_another_ended(seed: int, place: int, down: bool) -> None:
    """Two swaps, the first to the end of a leg, take and pay what one swap of both does.

    Not so with orders: what is left of an amount in may be used up by the last of them, and where the fee is volatile a
    new swap looks anew from which group on it is at its most.
    """
    at = pool(seed, modern=True)
    plain = tuple(entry._replace(orders=0, part=0) for entry in at.entries if entry.gross)
    at = at._replace(entries=plain, volatility=(9, 9, 0, 100, 10**6, at.tick // at.spacing, 0, 0, 0))
    curve, exact_out = at.curve(), bool(seed % 2)
    assume(LOWEST < curve.sqrt_price_x64 < HIGHEST)
    walk = curve._walk(*way(Swap(1, False, down)), exact_out=exact_out)
    with contextlib.suppress(QuoteError):
        for _ in range(40):
            walk._grow()
    ends = [end for end, leg in zip(walk._given[1:], walk._legs, strict=True) if end and _exact(leg)]
    assume(len(ends) > 1)
    end, last = ends[place % (len(ends) - 1)], ends[-1]
    first, whole = swapped(curve, Swap(end, exact_out, down)), swapped(curve, Swap(last, exact_out, down))
    assume(REFUSED not in (first, whole) and end < last)
    second = swapped(first.after, Swap(last - end, exact_out, down))
    assume(second != REFUSED)
    assert first.amount_in + second.amount_in == whole.amount_in
    assert first.amount_out + second.amount_out == whole.amount_out
    assert second.after == whole.after


def _exact(leg: Any) -> bool:
    return bool(leg.needs_in == leg.taken and leg.needs_out == leg.paid)


@given(SEEDS)
def test_orders_only_go_to_those_who_pay_for_them(seed: int) -> None:
    """What a swap passed is sold out, what it did not reach is as before, and no more is gone than came out."""
    _, one, curve = asked(seed)
    assume(resting(curve))
    quote = swapped(curve, one)
    assume(quote != REFUSED)
    before, after = resting(curve), resting(quote.after)
    start, end = curve.sqrt_price_x64, quote.after.sqrt_price_x64
    gone = 0
    for tick, amount in before.items():
        price, now = RAYDIUM.sqrt_at(tick), after.get(tick, 0)
        assert now <= amount
        gone += amount - now
        is_passed = end < price < start if one.down else start < price < end
        is_beyond = price < end if one.down else price > end
        if is_passed:
            assert not now
        elif is_beyond or not min(start, end) <= price <= max(start, end):
            assert now == amount
    assert after.keys() <= before.keys()
    most = curve.without_fee()
    paid = gone if curve.fee_on != FEE_ON_INPUT else quote.amount_out
    assert gone <= paid or gone <= swapped(most, one).amount_out
    liquid = {at: (tick.net, tick.gross) for at, tick in quote.after.ticks.entries().items() if tick.gross}
    assert liquid == {at: (tick.net, tick.gross) for at, tick in curve.ticks.entries().items() if tick.gross}


@given(st.integers(1, 10**15), st.integers(1, 10**15), st.integers(1, 10**15), st.booleans(), st.integers(-2000, 2000))
def test_orders_alone_pay_out_what_is_gone_from_them(a: int, b: int, size: int, down: bool, tick: int) -> None:
    """A pool of nothing but orders, without a fee: amounts add up, and nobody pays better than the ticks' prices."""
    near, far = (tick, tick - 10) if down else (tick + 10, tick + 20)
    near, far = near // 10 * 10, far // 10 * 10
    ticks = Ticks(10, {near: Tick(0, 0, a, b), far: Tick(0, 0, b, a)})
    curve = Raydium(RAYDIUM.sqrt_at(tick), tick, 0, 0, ticks)
    quote = swapped(curve, Swap(size, True, down))
    if size > 2 * (a + b):
        assert quote == REFUSED
        return
    left_over = resting(quote.after)
    assert sum(resting(curve).values()) - sum(left_over.values()) == size == quote.amount_out
    price = RAYDIUM.sqrt_at(near) ** 2
    fair = -(-(size << 128) // price) if down else -(-size * price >> 128)
    assert quote.amount_in >= fair


def test_a_rest_that_is_all_fee_is_taken_at_orders() -> None:
    """As the program does; Raydium's SDK goes round for ever."""
    curve = made(2500, ticks={-10: Tick(0, 0, 10**9)})
    whole = curve._walk(0, 1, exact_out=False)
    whole.stop(8 * 10**8)
    to_orders = whole._given[1]
    assert isinstance(whole._legs[1], Match)
    exact, more = curve.exact_in(0, 1, to_orders), curve.exact_in(0, 1, to_orders + 1)
    assert (more.amount_in, more.amount_out) == (to_orders + 1, exact.amount_out)
    assert more.after == exact.after
    assert (more.after.tick, more.after.liquidity, resting(more.after)) == (-10, LIQUIDITY, {-10: 10**9})


def test_an_order_is_bought_before_the_tick_is_passed() -> None:
    """At price 1.0001^-10 and no other; then what rests is nothing, and the tick is no more."""
    curve = made(ticks={-10: Tick(0, 0, 10**9, 5)})
    to_tick = curve._walk(0, 1, exact_out=True)
    to_tick.stop(10**9)
    paid = to_tick._given[1]
    some = curve.exact_out(0, 1, paid + 5 + 10**8)
    assert some.after.ticks.get(-10) == Tick(0, 0, 0, 9 * 10**8)
    assert (some.after.tick, some.ticks_crossed) == (-10, 0)
    bought = some.amount_in - curve.exact_out(0, 1, paid).amount_in
    assert bought == -(-((10**8 + 5) << 64) // (RAYDIUM.sqrt_at(-10) ** 2 >> 64))
    rest = some.after.exact_out(0, 1, 9 * 10**8)
    assert rest.after.ticks.get(-10) is None
    assert (rest.after.tick, rest.after.liquidity) == (-11, LIQUIDITY)
    again = rest.after.exact_in(1, 0, 10**6)  # from below there is nothing on that tick now
    assert again.after.ticks == rest.after.ticks


@pytest.mark.parametrize(("fee_on", "down", "on_input"), [
    (FEE_ON_INPUT, True, True), (FEE_ON_INPUT, False, True), (FEE_ON_TOKEN0, True, True),
    (FEE_ON_TOKEN0, False, False), (FEE_ON_TOKEN1, True, False), (FEE_ON_TOKEN1, False, True),
])  # fmt: skip
def test_which_side_pays_the_fee(fee_on: int, down: bool, on_input: bool) -> None:
    """On the output the price goes as far as without a fee; on the input less far."""
    curve, one = made(10_000, fee_on=fee_on), Swap(10**8, False, down)
    charged, free = swapped(curve, one), swapped(curve.without_fee(), one)
    assert charged.amount_out < free.amount_out
    assert (charged.after.sqrt_price_x64 == free.after.sqrt_price_x64) is not on_input
    if not on_input:
        assert charged.amount_out == free.amount_out - -(-free.amount_out // 100)


def test_a_volatile_fee_grows_with_the_way_and_forgets_in_time() -> None:
    quiet = Volatility(30, 600, 5000, 20_000, 100_000, updated_s=1000)
    curve = made(100, volatility=quiet, now_s=5000)
    near, far = curve.exact_in(1, 0, 10**6), curve.exact_in(1, 0, 3 * 10**9)
    assert (near.after.volatility.accumulator, near.after.volatility.updated_s) == (0, 5000)
    assert (far.after.tick, far.after.volatility.accumulator) == (59, 50_000)
    for later, kept in ((29, 50_000), (30, 25_000), (599, 25_000), (600, 0)):
        again = msgspec.structs.replace(far.after, now_s=5000 + later)
        assert again.exact_in(1, 0, 10**3).after.volatility.accumulator == kept
    assert quiet.begun(7, 999) == quiet  # a clock that is behind counts as no time
    assert Volatility(0, 600, 5000, 1, 1, updated_s=1000).begun(7, 999).index == 7


def test_a_volatile_fee_has_an_end() -> None:
    wild = Volatility(30, 600, 5000, 100_000, 10**6, accumulator=10**6)
    assert wild.fee_ppm(2500, 60) == MAX_FEE_PPM
    assert wild.fee_ppm(MAX_FEE_PPM + 1, 0) == MAX_FEE_PPM
    with pytest.raises(QuoteError, match="beyond what the program computes"):
        msgspec.structs.replace(wild, accumulator=1 << 31).fee_ppm(0, 2)


@pytest.mark.parametrize("now_s", [1000, 1005, 1031, 5000])
@pytest.mark.parametrize("index", [-4, 0, 3])
def test_what_is_charged_now_is_the_fee_of_the_smallest_swap(index: int, now_s: int) -> None:
    """What guests are told of a pool's fee is the whole of it, volatility in it."""
    volatility = Volatility(10, 60, 5000, 20_000, 300_000, index, 40_000, 50_000, 1000)
    curve = made(500, volatility=volatility, now_s=now_s)
    plain = made(curve.charged_ppm)
    assert curve.charged_ppm >= 500
    for amount in (1, 10, 997, 10**6):
        assert curve.proceeds(1, 0, [amount]) == plain.proceeds(1, 0, [amount])
    assert made(500).charged_ppm == 500


def test_part_filled_orders_come_first() -> None:
    assert left(100, 30, 10) == (100, 20)
    assert left(100, 30, 30) == (100, 0)
    assert left(100, 30, 31) == (0, 99)
    assert left(100, 30, 130) == (0, 0)
    with pytest.raises(QuoteError, match="cannot be bought"):
        left(100, 30, 131)


@pytest.mark.parametrize(("changes", "swap_", "why"), [
    ({}, Swap(10**12, False, True), "no liquidity is left"),
    ({}, Swap(10**12, True, True), "no liquidity is left"),
    ({}, Swap(0, False, True), "cannot be swapped"),
    ({}, Swap(U64 + 1, True, True), "more than a token account holds"),
    ({"fee_ppm": 2500, "fee_on": 2}, Swap(U64 * 9976 // 10_000, True, True), "more than a token account holds"),
    ({}, Swap(U64 + 1, False, True), "cannot be swapped"),
    ({"fee_ppm": 2500}, Swap(1, False, True), "too small a swap"),
    ({"fee_ppm": 10**6}, Swap(10**6, False, True), "cannot be charged"),
    ({"fee_on": 3}, Swap(10**6, False, True), "nothing is known of a fee"),
    ({"liquidity": -1}, Swap(10**6, False, True), "128-bit"),
    ({"tick": 1}, Swap(10**6, False, True), "does not belong"),
    ({"sqrt_price_x64": 0}, Swap(10**6, False, True), "does not belong"),
    ({"liquidity": 1}, Swap(10**10, False, True), "would leave a liquidity"),
    ({"sqrt_price_x64": LOWEST, "tick": MIN_TICK}, Swap(10**6, False, True), "at its end"),
    ({"sqrt_price_x64": HIGHEST, "tick": MAX_TICK - 1}, Swap(10**6, False, False), "at its end"),
])  # fmt: skip
def test_what_the_program_refuses_is_refused(changes: dict[str, Any], swap_: Swap, why: str) -> None:
    """With its reason; a ladder of it is empty, or, of a swap too small, nothing."""
    curve = msgspec.structs.replace(made(), **changes)
    i, j = way(swap_)
    with pytest.raises(QuoteError, match=why):
        (curve.exact_out if swap_.exact_out else curve.exact_in)(i, j, swap_.amount)
    ladder = (curve.costs if swap_.exact_out else curve.proceeds)(i, j, [swap_.amount])
    assert ladder == ([0] if "too small" in why else [])


def test_a_full_range_pool_is_swapped_to_its_end_and_not_in_part() -> None:
    ticks = Ticks(1, {MIN_TICK: Tick(10**6, 10**6), MAX_TICK: Tick(-(10**6), 10**6)})
    curve = Raydium(PRICE, 0, 10**6, 0, ticks)
    walk = curve._walk(0, 1, exact_out=False)
    walk.stop(U64)
    (all_of_it,) = walk._given[1:]
    quote: Any = curve.exact_in(0, 1, all_of_it)
    assert (quote.after.sqrt_price_x64, quote.after.tick, quote.after.liquidity) == (LOWEST, MIN_TICK, 10**6)
    with pytest.raises(QuoteError, match="at most"):
        curve.exact_in(0, 1, all_of_it + 1)
    assert curve.proceeds(0, 1, [all_of_it, all_of_it + 1]) == [quote.amount_out]


def test_beyond_the_known_ticks_is_beyond() -> None:
    """And within them nothing of what lies beyond matters."""
    whole = made(100, ticks={-300: Tick(LIQUIDITY, LIQUIDITY), 300: Tick(-LIQUIDITY, LIQUIDITY)})
    assert whole.liquidity == 2 * LIQUIDITY
    curve = msgspec.structs.replace(whole, ticks=Ticks(10, whole.ticks.entries(), -200, 200))
    for i, j in ((0, 1), (1, 0)):
        assert curve.exact_in(i, j, 10**9).amount_out == whole.exact_in(i, j, 10**9).amount_out
        with pytest.raises(Beyond):
            curve.exact_in(i, j, 10**11)
        assert len(curve.proceeds(i, j, [10**9, 10**11])) == 1
    with pytest.raises(QuoteError):
        curve.exact_in(0, 0, 1)


def test_prices_are_the_square() -> None:
    curve = made()
    assert curve.price(0, 1) == (PRICE**2, 1 << 128) == curve.price(1, 0)
    with pytest.raises(QuoteError, match="empty"):
        Raydium(PRICE, 0, 0, 0, Ticks(10, {})).price(0, 1)
