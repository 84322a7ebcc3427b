"""A second way to the same pools: concentrated liquidity in exact fractions, one tick at a time, the pool's own order.

Written from "Uniswap v3 Core", §6, without the sums and shortcuts of `connectors/amm`: each step asks what the pool
asks, each rounding is one `floor` or `ceil` of a fraction, the table's factors come out of decimal square roots.
"""

import math
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from fractions import Fraction
from functools import cache
from typing import NamedTuple

Q96 = 2**96
LIMITS = {True: 4295128740, False: 1461446703485210103287273052203988822378723970341}


@cache
def factors() -> list[int]:
    """2^128 / √1.0001^(2^b), to the nearest whole number."""
    with localcontext(Context(prec=120)):
        root = Decimal("1.0001").sqrt()
        return [int((2**128 / root ** (2**bit)).to_integral_value(ROUND_HALF_UP)) for bit in range(20)]


@cache
def sqrt_at(tick: int) -> int:
    ratio = 2**128
    for bit, factor in enumerate(factors()):
        if abs(tick) & 2**bit:
            ratio = math.floor(Fraction(ratio * factor, 2**128))
    if tick > 0:
        ratio = math.floor(Fraction(2**256 - 1, ratio))
    return math.ceil(Fraction(ratio, 2**32))


def tick_at(price: int) -> int:
    """By halving the whole range."""
    low, high = -887272, 887272
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if sqrt_at(middle) <= price else (low, middle)
    return low


class Swapped(NamedTuple):
    """What a swap took, paid and left."""

    taken: int
    paid: int
    price: int
    liquidity: int
    tick: int


class SlowPool(NamedTuple):
    """A V3 pool: its slot0, its liquidity, and tick → net."""

    price: int
    tick: int
    liquidity: int
    fee_ppm: int
    spacing: int
    nets: dict[int, int]

    def swap(self, down: bool, amount: int, exact_out: bool) -> Swapped:
        price, tick, liquidity = self.price, self.tick, self.liquidity
        remaining, taken, paid = amount, 0, 0
        while remaining and price != LIMITS[down]:
            stop = self.next_stop(tick, down)
            target = max(sqrt_at(stop), LIMITS[True]) if down else min(sqrt_at(stop), LIMITS[False])
            start = price
            price, net, out, fee = self.step(start, target, liquidity, remaining, down, exact_out)
            taken, paid = taken + net + fee, paid + out
            remaining -= out if exact_out else net + fee
            if price == sqrt_at(stop):
                liquidity += self.nets.get(stop, 0) * (-1 if down else 1)
                tick = stop - 1 if down else stop
            elif price != start:
                tick = tick_at(price)
        return Swapped(taken, paid, price, liquidity, tick)

    def next_stop(self, tick: int, down: bool) -> int:
        place = tick // self.spacing + (0 if down else 1)
        word = place // 256
        border = word * 256 if down else word * 256 + 255
        found = [tick // self.spacing for tick in self.nets if tick // self.spacing // 256 == word]
        if down:
            border = max([border, *(other for other in found if other <= place)])
        else:
            border = min([border, *(other for other in found if other >= place)])
        return max(-887272, min(887272, border * self.spacing))

    def step(
        self, price: int, target: int, liquidity: int, remaining: int, down: bool, exact_out: bool
    ) -> tuple[int, int, int, int]:
        if not liquidity:  # nothing but the price moves
            return target, 0, 0, 0
        fee_rate = Fraction(self.fee_ppm, 10**6)
        usable = remaining if exact_out else math.floor(remaining * (1 - fee_rate))
        whole = amounts(price, target, liquidity, down)
        if usable >= whole[1 if exact_out else 0]:
            after = target
        elif exact_out:
            after = after_out(price, liquidity, usable, down)
        else:
            after = after_in(price, liquidity, usable, down)
        net, out = amounts(price, after, liquidity, down)
        if exact_out:
            out = min(out, remaining)
        if after != target and not exact_out:
            return after, net, out, remaining - net
        return after, net, out, math.ceil(net * fee_rate / (1 - fee_rate))

    def quoter_count(self, after: int) -> int:
        """QuoterV2's count: places between two ticks cut towards zero, less the end that was only stood on."""
        ends = sorted(math.trunc(Fraction(tick, self.spacing)) for tick in (self.tick, after))
        count = sum(place * self.spacing in self.nets for place in range(ends[0], ends[1] + 1))
        if self.tick < after and self.tick in self.nets:
            count -= 1
        if self.tick > after and after in self.nets:
            count -= 1
        return count


def amounts(price: int, after: int, liquidity: int, down: bool) -> tuple[int, int]:
    """(in, rounded up; out, rounded down) between two prices."""
    low, high = min(price, after), max(price, after)
    zero = Fraction(liquidity * Q96 * (high - low), high * low)
    one = Fraction(liquidity * (high - low), Q96)
    return (math.ceil(zero), math.floor(one)) if down else (math.ceil(one), math.floor(zero))


def after_in(price: int, liquidity: int, amount: int, down: bool) -> int:
    if not down:
        return price + math.floor(Fraction(amount * Q96, liquidity))
    if amount * price + liquidity * Q96 < 2**256:
        return math.ceil(1 / (Fraction(1, price) + Fraction(amount, liquidity * Q96)))
    return math.ceil(Fraction(liquidity * Q96, liquidity * Q96 // price + amount))


def after_out(price: int, liquidity: int, amount: int, down: bool) -> int:
    if down:
        return price - math.ceil(Fraction(amount * Q96, liquidity))
    return math.ceil(1 / (Fraction(1, price) - Fraction(amount, liquidity * Q96)))
