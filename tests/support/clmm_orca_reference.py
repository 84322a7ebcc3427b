"""A Whirlpool swap the slow way: fractions, one loop in the program's own order, nothing kept between swaps.

Written from `quote/swap.rs` of crate orca_whirlpools_core 1.0.3 (Apache-2.0) and facts/DEX.md §4. Beside the tick table
(checked by itself) it shares nothing with connectors/amm.
"""

import math
from bisect import bisect_right
from fractions import Fraction
from typing import Final, NamedTuple

from connectors.amm.tickmath64 import ORCA

MIN_TICK: Final = -443636
MAX_TICK: Final = 443636
U64: Final = 2**64
ARRAY: Final = 88


class Refused(Exception):  # noqa: N818 - an answer, not a failure
    """The program refuses. `moved`: what had gone in, or come out, by then."""

    def __init__(self, moved: int = 0) -> None:
        self.moved = moved


class Swapped(NamedTuple):
    """`given` is the amount of the side that was asked for, `reached` it after each step, the last included."""

    amount_in: int
    amount_out: int
    price: int
    tick: int
    liquidity: int
    crossed: int
    reached: tuple[int, ...]


class SlowWhirlpool(NamedTuple):
    price: int
    tick: int
    liquidity: int
    fee_ppm: int
    spacing: int
    nets: dict[int, int]

    def swap(self, down: bool, amount: int, exact_out: bool) -> Swapped:
        """Raises Refused."""
        if not 0 < amount < U64:
            raise Refused
        starts = arrays(self.tick, self.spacing, down)
        left, other, crossed = amount, 0, 0
        price, tick, liquidity = self.price, self.tick, self.liquidity
        reached: list[int] = []
        limit = ORCA.sqrt_at(MIN_TICK if down else MAX_TICK)
        while left > 0 and price != limit:
            stop = self._next(starts, tick, down)
            if stop is None:
                raise Refused(amount - left)
            target = ORCA.sqrt_at(stop)
            after, went_in, came_out = _step(price, target, liquidity, self.fee_ppm, left, down, exact_out)
            left -= came_out if exact_out else went_in
            other += went_in if exact_out else came_out
            if left < 0 or other >= U64:
                raise Refused(amount)
            if after == target:
                net = self.nets.get(stop, 0)
                liquidity += -net if down else net
                crossed += stop in self.nets
                tick = stop - 1 if down else stop
            elif after != price:
                tick = slow_tick_at(after)
            price = after
            reached.append(amount - left)
        if exact_out:
            return Swapped(other, amount - left, price, tick, liquidity, crossed, tuple(reached))
        return Swapped(amount - left, other, price, tick, liquidity, crossed, tuple(reached))

    def _next(self, starts: list[int], tick: int, down: bool) -> int | None:
        """Looks through the arrays from `tick` on; None: beyond the last of them."""
        first, end = max(min(starts), MIN_TICK), min(max(starts) + ARRAY * self.spacing - 1, MAX_TICK)
        if down:
            if tick < first:
                return None
            return max((at for at in self.nets if first <= at <= tick), default=first)
        if tick >= end:
            return None
        return min((at for at in self.nets if tick < at <= end), default=end)


def arrays(tick: int, spacing: int, down: bool) -> list[int]:
    """The starts of the arrays that a swap passes to the program, nearest first."""
    size = ARRAY * spacing
    base = tick // size * size
    if down:
        starts = [base, base - size, base - 2 * size]
    else:
        shift = size if tick + spacing >= base + size else 0
        starts = [base + shift, base + shift + size, base + shift + 2 * size]
    return [start for start in starts if MIN_TICK - size < start <= MAX_TICK]


def slow_tick_at(price: int) -> int:
    return MIN_TICK - 1 + bisect_right(range(MIN_TICK, MAX_TICK + 1), price, key=ORCA.sqrt_at)


def _step(
    price: int, target: int, liquidity: int, fee_ppm: int, left: int, down: bool, exact_out: bool
) -> tuple[int, int, int]:
    """(price then, in with fee, out)."""
    fee = Fraction(fee_ppm, 10**6)
    usable = left if exact_out else math.floor(left * (1 - fee))

    def delta(of_a: bool, to: int, up: bool) -> int:
        low, high = sorted((price, to))
        exact = Fraction(liquidity, 2**64) * (high - low) if not of_a else liquidity * 2**64 * _inverse(low, high)
        return math.ceil(exact) if up else math.floor(exact)

    fixed_is_a = down != exact_out
    fixed = delta(fixed_is_a, target, up=not exact_out)
    if fixed < U64 and fixed <= usable:
        after = target
    else:
        after = _price_after(price, liquidity, usable, fixed_is_a, -1 if exact_out else 1)
    went_in, came_out = delta(down, after, up=True), delta(not down, after, up=False)
    if max(went_in, came_out) >= U64:
        raise Refused
    if exact_out:
        return after, math.ceil(went_in / (1 - fee)), min(came_out, left)
    return after, left if after != target else math.ceil(went_in / (1 - fee)), came_out


def _inverse(low: int, high: int) -> Fraction:
    return Fraction(1, low) - Fraction(1, high)


def _price_after(price: int, liquidity: int, amount: int, of_a: bool, sign: int) -> int:
    """A's price rounds up; B's down for an amount in, and its fall up for an amount out: down as well."""
    if of_a:
        return math.ceil(1 / (Fraction(1, price) + Fraction(sign * amount, liquidity * 2**64)))
    return math.floor(price + Fraction(sign * amount * 2**64, liquidity))
