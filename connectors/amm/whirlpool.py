"""Orca's Whirlpools with a static fee, exact to the last unit.

Source: `quote/swap.rs`, `math/token.rs` and `math/tick_array.rs` of crate orca_whirlpools_core 1.0.3 (Apache-2.0), for
the order of a swap's steps and where each rounds; facts/DEX.md §4 for the three arrays. A swap goes from one
initialised tick to the next. It may touch three tick arrays of 88 ticks: the one of the pool's tick and two below, or,
upwards, the one of its tick plus one spacing and two above. At the last one's edge it stops as at a tick; what is left
then is refused. Only at the end of all prices does an exact-in swap take less than was offered.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.swapstep import MILLION, X64
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, ORCA
from connectors.amm.ticks64 import LIQUIDITY_END, Ticks
from connectors.amm.walk import U64_MAX, Part, Walk

ARRAY_TICKS: Final = 88
_ARRAYS: Final = 3
_Q128: Final = 1 << 128
_PRODUCT_END: Final = 1 << 192  # liquidity × price; the program shifts it by 64 more bits within 256, or fails


class Stretch:
    """A leg: the same liquidity from `price` to `target`, the price of a tick or of the last array's edge.

    `tick`: the pool's on the way; `next_tick`, `next_liquidity`: the pool's once the price is at `target`.
    """

    __slots__ = (
        "down",
        "fee_ppm",
        "liquidity",
        "next_liquidity",
        "next_tick",
        "paid",
        "price",
        "taken",
        "target",
        "tick",
    )

    def __init__(self, price: int, target: int, tick: int, liquidity: int, fee_ppm: int, down: bool) -> None:
        self.price, self.target, self.tick, self.liquidity = price, target, tick, liquidity
        self.fee_ppm, self.down = fee_ppm, down
        self.next_tick, self.next_liquidity = tick, liquidity
        self.taken, self.paid = X64.whole(price, target, liquidity, fee_ppm, down)

    @property
    def needs_in(self) -> int:
        return self.taken

    @property
    def needs_out(self) -> int:
        return self.paid

    def part(self, rest: int, exact_out: bool) -> Part:
        """As `Leg.part`."""
        step = X64.taken_for if exact_out else X64.paid_for
        price, other = step(self.price, self.liquidity, rest, self.fee_ppm, self.down)
        if exact_out and self.paid > U64_MAX and self._pays(price) > U64_MAX:
            # a price is whole, so it may pay more than was asked: the program reckons that in 64 bits, then caps it
            raise QuoteError(f"at liquidity {self.liquidity}, {rest} cannot be paid within 64 bits")
        return Part(other, price, reached=price == self.target)

    def _pays(self, price: int) -> int:
        low, high = (price, self.price) if self.down else (self.price, price)
        return (X64.amount1 if self.down else X64.amount0)(low, high, self.liquidity)


class Whirlpool(msgspec.Struct, frozen=True):
    """One pool's price, its liquidity in range and its ticks. Token 0 is A, token 1 is B."""

    sqrt_price_x64: int
    tick: int
    liquidity: int
    fee_ppm: int
    ticks: Ticks

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_in`. Raises QuoteError: the three arrays end before the amount does; Beyond."""
        return self._swap(i, j, amount, exact_out=False)

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_out`. Raises QuoteError: more than the three arrays pay; Beyond."""
        return self._swap(i, j, amount, exact_out=True)

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.proceeds`."""
        return Walk(self._legs(_downwards(i, j)), exact_out=False).others(amounts)

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.costs`."""
        return Walk(self._legs(_downwards(i, j)), exact_out=True).others(amounts)

    def price(self, i: int, j: int) -> tuple[int, int]:
        """The square root price, squared."""
        down = _downwards(i, j)
        if not self.sqrt_price_x64 or not (self.liquidity or len(self.ticks)):
            raise QuoteError("the pool is empty")
        square = self.sqrt_price_x64**2
        return (square, _Q128) if down else (_Q128, square)

    @property
    def charged_ppm(self) -> int:
        """The fee of a swap: a static one."""
        return self.fee_ppm

    def without_fee(self) -> Self:
        """The same ticks with a fee of 0."""
        return msgspec.structs.replace(self, fee_ppm=0)

    def _swap(self, i: int, j: int, amount: int, *, exact_out: bool) -> Quote:
        stop = Walk(self._legs(_downwards(i, j)), exact_out=exact_out).stop(amount)
        leg, part = stop.leg, stop.part
        if part is None or part.reached:
            price, tick, liquidity = leg.target, leg.next_tick, leg.next_liquidity
        else:
            price, liquidity = part.price, leg.liquidity
            tick = leg.tick if price == leg.price else ORCA.tick_at(price)
        after = type(self)(price, tick, liquidity, self.fee_ppm, self.ticks)
        return Quote(stop.taken, stop.paid, after, self.ticks.crossed(self.tick, tick))

    def _legs(self, down: bool) -> Iterator[Stretch]:
        """The way as far as three arrays reach. Raises QuoteError and Beyond where a swap would have to go on."""
        price, tick, liquidity = self.sqrt_price_x64, self.tick, self.liquidity
        self._check()
        limit = ORCA.min_sqrt if down else ORCA.max_sqrt
        last = edge(tick, self.ticks.spacing, down)
        while price != limit:
            if tick == (last - 1 if down else last):
                raise QuoteError(f"a swap touches {_ARRAYS} tick arrays at most: they end at tick {last}")
            stop, entry = self.ticks.next(tick, down, last)
            target = ORCA.sqrt_at(stop)
            if liquidity * max(price, target) >= _PRODUCT_END:
                raise QuoteError(f"liquidity {liquidity} is more than the program can reckon with at this price")
            leg = Stretch(price, target, tick, liquidity, self.fee_ppm, down)
            if entry:
                liquidity += -entry.net if down else entry.net
                if not 0 <= liquidity < LIQUIDITY_END:
                    raise QuoteError(f"crossing tick {stop} would leave a liquidity of {liquidity}")
            price, tick = target, stop - 1 if down else stop
            leg.next_tick, leg.next_liquidity = tick, liquidity
            yield leg

    def _check(self) -> None:
        if not 0 <= self.fee_ppm < MILLION:
            raise QuoteError(f"a fee of {self.fee_ppm} ppm cannot be charged")
        if not 0 <= self.liquidity < LIQUIDITY_END:
            raise QuoteError(f"liquidity {self.liquidity} is not a 128-bit number")
        if not _belongs(self.sqrt_price_x64, self.tick):
            raise QuoteError(f"tick {self.tick} does not belong to the square root price {self.sqrt_price_x64}")


def edge(tick: int, spacing: int, down: bool) -> int:
    """The last tick of the three arrays that a swap from a pool's `tick` may touch, as far as ticks go."""
    size = ARRAY_TICKS * spacing
    if down:
        return max((tick // size - _ARRAYS + 1) * size, MIN_TICK)
    return min(((tick + spacing) // size + _ARRAYS) * size - 1, MAX_TICK)


def _belongs(price: int, tick: int) -> bool:
    """A tick that was crossed downwards leaves the pool one tick lower, with its price still on it."""
    if not ORCA.min_sqrt <= price <= ORCA.max_sqrt or not MIN_TICK - 1 <= tick <= MAX_TICK:
        return False
    return (tick < MIN_TICK or ORCA.sqrt_at(tick) <= price) and (tick == MAX_TICK or price <= ORCA.sqrt_at(tick + 1))


def _downwards(i: int, j: int) -> bool:
    if (i, j) not in ((0, 1), (1, 0)):
        raise QuoteError(f"a pool of tokens 0 and 1 has no {i} for {j}")
    return i == 0
