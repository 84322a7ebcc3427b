"""Pools to try things on: concentrated ones from a seed, in both forms, and amounts that reach their awkward places."""

from random import Random
from typing import Any, NamedTuple

from connectors.amm import concentrated, constant_product, stableswap, tickmath, ticks
from tests.support.amm_reference import SlowPool, sqrt_at

FEES = {1: 100, 10: 500, 60: 3000, 200: 10000}


class Maths(NamedTuple):
    """The classes under test: the project's own, or a mutant's."""

    concentrated: Any
    tick_map: Any
    constant_product: Any
    stable_swap: Any
    sqrt_at: Any
    tick_at: Any


OURS = Maths(
    concentrated.Concentrated,
    ticks.TickMap,
    constant_product.ConstantProduct,
    stableswap.StableSwap,
    tickmath.sqrt_at,
    tickmath.tick_at,
)
Position = tuple[int, int, int]  # lower, upper, liquidity


class Case(NamedTuple):
    """One concentrated pool."""

    price: int
    tick: int
    fee_ppm: int
    spacing: int
    positions: list[Position]

    def entries(self) -> dict[int, tuple[int, int]]:
        entries: dict[int, tuple[int, int]] = {}
        for lower, upper, amount in self.positions:
            for tick, change in ((lower, amount), (upper, -amount)):
                gross, net = entries.get(tick, (0, 0))
                entries[tick] = gross + amount, net + change
        return entries

    @property
    def liquidity(self) -> int:
        return sum(amount for lower, upper, amount in self.positions if lower <= self.tick < upper)

    def slow(self) -> SlowPool:
        nets = {tick: net for tick, (_, net) in self.entries().items()}
        return SlowPool(self.price, self.tick, self.liquidity, self.fee_ppm, self.spacing, nets)

    def fast(self, maths: Maths = OURS) -> concentrated.Concentrated:
        pool: concentrated.Concentrated = maths.concentrated(
            self.price, self.tick, self.liquidity, self.fee_ppm, maths.tick_map(self.spacing, self.entries())
        )
        return pool


def case(seed: int) -> Case:
    """Positions around a price: dense or with holes, some far away, sometimes the whole range, sometimes enormous."""
    rng = Random(seed)
    spacing = rng.choice((1, 10, 10, 60, 60, 60, 200, 200, 200, 200))
    reach = rng.choice((5, 40, 700)) * spacing
    centre = rng.choice(
        (0, rng.randrange(-3000, 3000), rng.randrange(-500_000, 500_000), rng.choice((-860_000, 860_000)))
    )
    size = rng.choice((10**3, 10**9, 10**18, 10**18, 10**24, 2**110))
    end = 887272 // spacing * spacing
    positions = []
    for _ in range(rng.randrange(1, 12)):
        lower = max(-end, min(end - spacing, (centre + rng.randrange(-reach, reach)) // spacing * spacing))
        upper = min(end, lower + rng.randrange(1, 2 + reach // spacing) * spacing)
        positions.append((lower, upper, rng.randrange(1, size) + 1))
    if rng.random() < 0.3:
        positions.append((-end, end, rng.randrange(1, size) + 1))
    tick = centre + rng.randrange(-reach // 2, reach // 2)
    if rng.random() < 0.4:  # on an initialised tick, or just left of one whose price the swap stopped at
        tick = rng.choice(positions)[rng.randrange(2)]
    tick = max(-887270, min(887270, tick))
    price = rng.randrange(sqrt_at(tick), sqrt_at(tick + 1))
    if rng.random() < 0.4:
        price, tick = sqrt_at(tick), tick - rng.randrange(2)
    return Case(price, tick, FEES[spacing], spacing, positions)


def amounts(pool: concentrated.Concentrated, down: bool, exact_out: bool, rng: Random) -> list[int]:
    """Rising: all sizes, and those that end a swap exactly at a stop, one unit before it and one after."""
    whole = pool.swap(down, 2**255 - 1, exact_out=exact_out)
    limit = whole.amount_out if exact_out else whole.amount_in
    found = {1, 2, 3, limit, limit + 1, *(rng.randrange(1, limit + 2) for _ in range(3))}
    found |= {min(limit, int(10 ** rng.uniform(0, 30))) for _ in range(5)}
    path = pool.ticks.path(pool.tick, pool.liquidity, pool.fee_ppm, down)
    sums = path.paid if exact_out else path.taken  # grown to the end by the swap above
    start = limit - sums[-1]
    for index in rng.sample(range(len(sums)), min(4, len(sums))):
        found |= {start + sums[index] + change for change in (-1, 0, 1)}
    return sorted(amount for amount in found if 0 < amount < 2**255)
