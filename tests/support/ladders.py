"""What a depth ladder promises, checked in fractions, and a pool from the textbook to check it on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.ladder import Depth, Pair
from connectors.book import L2Book, Level

DOLLARS = (10, 17, 30, 50, 90, 160, 280, 500, 880, 1_500, 2_700, 4_800, 8_400, 15_000, 26_000, 46_000, 80_000, 140_000,
           250_000, 500_000)  # fmt: skip
MONEY = tuple(usd * 10**9 for usd in DOLLARS)
HIGHEST = 2**63 - 1
UNIT = Fraction(1, 10**9)  # of the price scale


class Product(msgspec.Struct, frozen=True):
    """x·y = k with a fee on what goes in: the textbook's formula in fractions, rounded against the taker."""

    reserves: tuple[int, int]
    fee_ppm: int = 0

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        raise NotImplementedError

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        raise NotImplementedError

    def without_fee(self) -> Self:
        return msgspec.structs.replace(self, fee_ppm=0)

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        x, y = self.reserves[i], self.reserves[j]
        net = [Fraction(amount * (10**6 - self.fee_ppm), 10**6) for amount in amounts] if x and y else []
        return [int(y * one / (x + one)) for one in net]

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        x, y = self.reserves[i], self.reserves[j]
        left = Fraction(10**6 - self.fee_ppm, 10**6)
        return [-int(-x * amount // ((y - amount) * left)) for amount in amounts if x and amount < y]

    def price(self, i: int, j: int) -> tuple[int, int]:
        if not self.reserves[i] or not self.reserves[j]:
            raise QuoteError("an empty pool")
        return self.reserves[j], self.reserves[i]


def whole(size_1e8: int, decimals: int) -> int:
    """A size in a token's smallest units, which it must be whole in."""
    units = Fraction(size_1e8, 10**8) * 10**decimals
    assert units.denominator == 1
    return int(units)


def exact(units: int, decimals: int) -> Fraction:
    return Fraction(units, 10**decimals)


def paid(side: Sequence[Level]) -> Iterator[tuple[int, Fraction, Fraction]]:
    """(cumulative size, money of walking there, money that one unit of price is worth there) of each level."""
    for k in range(len(side)):
        size = sum(size for _, size in side[: k + 1])
        yield size, sum((Fraction(px * sz, 10**17) for px, sz in side[: k + 1]), Fraction(0)), Fraction(size, 10**17)


def promise(side: Sequence[Level], sizes: Sequence[int], money: Sequence[Fraction], sign: int) -> None:
    """One side (1 bids, −1 asks) against the pool's own cumulative quotes: the three things a ladder promises."""
    quoted = dict(zip(sizes, money, strict=False))
    for size, walked, unit in paid(side):
        assert size in quoted, "a level ends between the sizes of the grid"
        worse = (quoted[size] - walked) * sign
        assert 0 <= worse <= unit, f"at {size}: {worse / unit} units of price worse than the pool"
    for (better, _), (next_one, _) in pairwise(side):
        assert (better - next_one) * sign > 0, "levels do not get worse"
    assert all(0 < px <= HIGHEST and 0 < sz <= HIGHEST for px, sz in side)


def thrifty(side: Sequence[Level], sizes: Sequence[int], money: Sequence[Fraction], sign: int) -> None:
    """Slices were joined only where a later one was no worse than what lay before it, up to the price's rounding."""
    quoted = dict(zip(sizes, money, strict=False))
    ends = [0, *accumulate(size for _, size in side)]
    for begin, end in pairwise(ends):
        start, whole_money = quoted.get(begin, Fraction(0)), quoted[end]
        for size in (size for size in quoted if begin < size < end):
            before = (quoted[size] - start) / Fraction(size - begin, 10**8)
            after = (whole_money - quoted[size]) / Fraction(end - size, 10**8)
            assert (before - after) * sign <= Fraction(2, 10**9), "needlessly joined"


def check_levels(of: Any, depth: Depth, pair: Pair) -> str:
    """Levels that keep the promise and hide nothing, or a reason that is true. Says which."""
    gained = [exact(one, pair.quote_decimals) for one in depth.proceeds]
    spent = [exact(one, pair.quote_decimals) for one in depth.costs]
    try:
        bids, asks = of.levels(depth, pair)
    except of.Unpublishable as error:
        refused = error
    else:
        for side, money, sign in ((bids, gained, 1), (asks, spent, -1)):
            assert bool(side) == bool(money)
            promise(side, depth.sizes, money, sign)
            thrifty(side, depth.sizes, money, sign)
            left_out(side, depth.sizes, money, sign)
        L2Book().load(bids, asks, 1)
        return "published"
    bid = max((m / Fraction(s, 10**8) for m, s in zip(gained, depth.sizes, strict=False)), default=None)
    ask = min((m / Fraction(s, 10**8) for m, s in zip(spent, depth.sizes, strict=False)), default=None)
    assert {
        "no liquidity": bid is None and ask is None,
        "price below 1e-9": (bid is not None and bid < UNIT) or ask == 0,
        "price beyond 63 bits at 1e-9": max(bid or 0, ask or 0) > HIGHEST * UNIT,
        "crossed": bid is not None and ask is not None and bid + 2 * UNIT > ask,
    }[refused.reason]
    return str(refused.reason)


def left_out(side: Sequence[Level], sizes: Sequence[int], money: Sequence[Fraction], sign: int) -> None:
    """A side that ends before the pool does ends where the rest's price is outside the scale."""
    shown = sum(size for _, size in side)
    if money and shown != (end := sizes[len(money) - 1]):
        rest = (money[-1] - money[sizes.index(shown)]) / Fraction(end - shown, 10**8)
        assert rest < UNIT if sign > 0 else rest > HIGHEST * UNIT


def check_pool(of: Any, pool: Product, pair: Pair, money: Sequence[int] = MONEY) -> str:
    """From the pool to its levels, with the pool asked anew in whole units. Says what came of it."""
    step = 10 ** max(8 - pair.base_decimals, 0)
    base, quote = (
        exact(pool.reserves[pair.base], pair.base_decimals),
        exact(pool.reserves[pair.quote], pair.quote_decimals),
    )
    try:
        mid = of.mid_1e9(pool, pair)
        sizes = of.grid(money, mid, pair.base_decimals)
    except of.Unpublishable as error:
        refused = error
    else:
        assert mid == int(quote / base / UNIT)
        for size in sizes:
            assert any(0 <= Fraction(m * 10**8, mid) - size < step for m in money)
        assert all(a < b for a, b in pairwise((0, *sizes))) and sizes[-1] <= HIGHEST
        depth = of.measure(pool, pair, sizes)
        units = [whole(size, pair.base_decimals) for size in sizes]
        assert depth.sizes == sizes
        assert list(depth.proceeds) == pool.proceeds(pair.base, pair.quote, units)
        assert list(depth.costs) == pool.costs(pair.quote, pair.base, units)
        return check_levels(of, depth, pair)
    price = quote / base if base else Fraction(0)
    assert {
        "no price": not base or not quote,
        "price below 1e-9": price < UNIT,
        "price beyond 63 bits at 1e-9": price > HIGHEST * UNIT,
        "no size fits the guest's scale": all(
            not step <= m * 10**8 // max(int(price / UNIT), 1) <= HIGHEST for m in money
        ),
    }[refused.reason]
    return str(refused.reason)


def planted(module: ModuleType, right: str, wrong: str) -> ModuleType:
    """The module with one piece of its source replaced."""
    assert module.__file__
    source = Path(module.__file__).read_text()
    assert right in source
    broken = ModuleType(f"{module.__name__}_planted")
    exec(compile(source.replace(right, wrong), module.__file__, "exec"), broken.__dict__)  # noqa: S102 - our own source
    return broken
