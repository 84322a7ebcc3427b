"""The chain's own book of a symbol: all its pools as one, gas included.

At each size of the pools' common grid stands what that whole order costs (or brings) by the best way there is:

* below the split size, in the one pool that is cheapest with its gas;
* from there on, spread over pools: beginning with the cheapest one, another pool joins only when it saves more than its
  gas. Among those in use the order takes the cheapest slice next, each pool's slices in their own order. Of a slice
  taken in part that part pays the slice's price, rounded to the pool's smallest unit against the taker; the pool itself
  is not dearer, since its price within a slice gets worse towards the end (but for its own rounding by a unit of either
  token, and for fees that fall with the swap, as StableSwap NG's do towards the peg: the requote is for those).

Levels are the differences of those totals, so they are made as a pool's are (`ladder.slices`). Gas is paid once an
order, which makes small orders dear and the first slices worse than the later ones: those become one level, whose price
is the average. So at each cumulative size of the book the price is what that whole order really costs, gas included;
**a part of the first level would cost more than the book says**, since its gas is no smaller.

Pools that disagree by more than fees and gas leave a bid above an ask. A book cannot hold that, and a guest that was
shown one cut to fit would be shown prices nobody offers: nothing is published (`Unpublishable`, "crossed") until the
arbitrage is gone. The pools' own books, and the NBBO over them, stay and show it.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.amm.ladder import CROSSED, EMPTY, Depth, slices
from connectors.book import Level
from connectors.errors import Unpublishable
from connectors.units import MONEY_DECIMALS

_EXACT_BITS: Final = 128  # two different prices with sizes below 2^63 differ by more than 2^-126
_BPS: Final = 10_000
UNEQUAL: Final = "the pools' grids differ"


class Source(msgspec.Struct, frozen=True):
    """One pool: its depth on the common grid, the decimals of its quote token, the gas of one swap in money ×1e9."""

    depth: Depth
    quote_decimals: int
    gas_1e9: int


class Route(msgspec.Struct, frozen=True):
    """How one order is spread. `parts`: (place of the pool among the sources, size ×1e8), only pools that are used.

    `total`: what the order costs, or brings, gas included, ×10^`decimals` of the quote currency; of a small sale it may
    be negative.
    """

    size: int
    parts: tuple[tuple[int, int], ...]
    total: int
    decimals: int


_Slice = tuple[int, int, int, int]  # price << 128, pool, size, money in the pool's smallest units; a seller's negative


class _Side:
    """One side of all pools. Everything is a cost to be made small: what a seller gets is a negative one."""

    def __init__(self, sources: Sequence[Source], sizes: Sequence[int], sign: int) -> None:
        self.sign = sign
        self.sizes = sizes
        self.decimals = max([MONEY_DECIMALS, *(source.quote_decimals for source in sources)])
        self.factors = [10 ** (self.decimals - source.quote_decimals) for source in sources]
        self.gas = [source.gas_1e9 * 10 ** (self.decimals - MONEY_DECIMALS) for source in sources]
        self.quotes = [
            [-sign * money for money in (source.depth.proceeds if sign > 0 else source.depth.costs)]
            for source in sources
        ]
        self.reach = [sizes[len(quotes) - 1] if quotes else 0 for quotes in self.quotes]
        self._walked: dict[tuple[int, ...], list[int]] = {}
        self._slices: list[_Slice] = []

    def single(self, k: int) -> Route | None:
        """The cheapest pool for the whole of size k; the first of equals."""
        best: tuple[int, int] | None = None
        for pool, quotes in enumerate(self.quotes):
            if k < len(quotes):
                cost = quotes[k] * self.factors[pool] + self.gas[pool]
                if best is None or cost < best[0]:
                    best = cost, pool
        if best is None:
            return None
        return Route(self.sizes[k], ((best[1], self.sizes[k]),), -self.sign * best[0], self.decimals)

    def split(self, k: int) -> Route | None:
        """Spread over the pools that are worth their gas. None when all together cannot fill it."""
        size = self.sizes[k]
        used: tuple[int, ...] = ()
        short, least = size, 0  # what is lacking, and the cost once nothing is
        while True:
            best: tuple[int, int, tuple[int, ...]] | None = None
            for pool, reach in enumerate(self.reach):
                if pool in used or not reach:
                    continue
                pools = tuple(sorted((*used, pool)))
                lacking = max(size - sum(self.reach[one] for one in pools), 0)
                offer = lacking, 0 if lacking else self.costs(pools)[k], pools
                if best is None or offer[:2] < best[:2]:
                    best = offer
            if best is None or best[:2] >= (short, least):
                break
            short, least, used = best
        return None if short else Route(size, self.parts(used, size), -self.sign * least, self.decimals)

    def costs(self, pools: tuple[int, ...]) -> list[int]:
        """What each size of the grid costs that these pools reach together: one pass over their slices."""
        costs = self._walked.get(pools)
        if costs is not None:
            return costs
        costs = self._walked[pools] = []
        unused = set(pools)
        total = filled = at = 0
        sizes, factors = self.sizes, self.factors
        target, last = sizes[0], len(sizes) - 1
        for _, pool, size, money in self.slices():
            if pool not in pools:
                continue
            if pool in unused:
                unused.remove(pool)
                total += self.gas[pool]
            while target <= filled + size:
                part = target - filled
                costs.append(total - (-money * part // size) * factors[pool])
                if at == last:
                    return costs
                at += 1
                target = sizes[at]
            filled += size
            total += money * factors[pool]
        return costs

    def parts(self, pools: tuple[int, ...], size: int) -> tuple[tuple[int, int], ...]:
        """How much of an order goes to each pool: the same pass, for one size."""
        taken = dict.fromkeys(pools, 0)
        for _, pool, slice_size, _ in self.slices():
            if pool in taken:
                part = min(slice_size, size)
                taken[pool] += part
                size -= part
                if not size:
                    break
        return tuple(item for item in taken.items() if item[1])

    def slices(self) -> list[_Slice]:
        """The slices of all pools, cheapest first, but none before an earlier one of its own pool."""
        if not self._slices:
            for pool, (quotes, factor) in enumerate(zip(self.quotes, self.factors, strict=True)):
                size_before = money_before = 0
                worst: int | None = None
                for size_at, money_at in zip(self.sizes, quotes, strict=False):
                    size, money = size_at - size_before, money_at - money_before
                    size_before, money_before = size_at, money_at
                    price = (money * factor << _EXACT_BITS) // size
                    worst = price if worst is None else max(worst, price)
                    self._slices.append((worst, pool, size, money))
            self._slices.sort(key=lambda one: one[:2])
        return self._slices


def routes(sources: Sequence[Source], sizes: Sequence[int], split_from: int, sign: int) -> list[Route]:
    """The best way for each size that can be filled at all. `sign`: 1 to sell (bids), −1 to buy (asks).

    `split_from`: place in the grid from which an order may be split. Raises Unpublishable when a grid is another one.
    """
    if any(source.depth.sizes != tuple(sizes) for source in sources):
        raise Unpublishable(UNEQUAL)
    side = _Side(sources, sizes, sign)
    found = (side.split(k) if k >= split_from else side.single(k) for k in range(len(sizes)))
    return [route for route in found if route is not None]


def chain_book(sources: Sequence[Source], sizes: Sequence[int], split_from: int) -> tuple[list[Level], list[Level]]:
    """(bids, asks) over all pools. Raises Unpublishable: no liquidity, out of scale, crossed, grids that differ."""
    sides: list[list[Level]] = []
    for sign in (1, -1):
        found = routes(sources, sizes, split_from, sign)
        decimals = found[0].decimals if found else 0
        sides.append(slices([route.size for route in found], [route.total for route in found], decimals, sign))
    bids, asks = sides
    if not bids and not asks:
        raise Unpublishable(EMPTY)
    if bids and asks and bids[0][0] >= asks[0][0]:
        apart = (bids[0][0] - asks[0][0]) * _BPS // asks[0][0]
        by = f"{apart} bps" if apart else "less than 1 bp"
        raise Unpublishable(CROSSED, f"pools disagree by {by} more than fees and gas")
    return bids, asks
