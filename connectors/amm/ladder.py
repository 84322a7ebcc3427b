"""From a pool to an L2Book: the depth ladder, in the guest's scales (price ×1e9 quote per base, size ×1e8 base).

A pool has no orders. What it has is an exact answer to "what does this much cost?", so it is asked at a grid of rising
sizes S_1 < S_2 < …, and each level of the book is what lies between two of them: size S_k − S_{k−1}, and the price of
just that slice. Nothing is averaged over what came before it.

The promise: at every cumulative size of a published side, Σ size × price is never better for the taker than the pool's
own quote (an ask costs at least it, a bid pays at most it), and worse by no more than one unit of the price scale a
level, times that level's size. It holds because a slice's money is the difference of two exact quotes, and the only
rounding is its price's: asks up, bids down.

Slices are in the pool's smallest units, so of small ones the rounding shows: ten dollars in a token of 6 decimals are
known to 1e-7, and a later slice may come out better than the one before it. A book's levels must get worse, so such
neighbours (and equals) become one level: sizes added, money added, the price made anew. The promise stays, at the
cumulative sizes that are left; where a pool gets cheaper with size (NG's fee towards the peg) a part of such a level
would cost more than the book says.

What cannot be shown raises `Unpublishable` with the reason; a pool that has nothing on one side gives an empty side.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.amm.curve import Beyond, Curve, QuoteError
from connectors.book import Level
from connectors.errors import Unpublishable
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS

_VALUE_DECIMALS: Final = PRICE_DECIMALS + SIZE_DECIMALS  # of price × size
_BPS: Final = 10_000
NO_PRICE: Final = "no price"
_DEPTH_STEPS: Final = 22
_LEAST_END: Final = 1 << 64  # no pool takes less than this for too little
EMPTY: Final = "no liquidity"
TOO_SMALL: Final = "price below 1e-9"
TOO_LARGE: Final = "price beyond 63 bits at 1e-9"
NO_SIZES: Final = "no size fits the guest's scale"
CROSSED: Final = "crossed"
UNCUT: Final = "a size is no whole number of the base token's smallest units"
INEXACT: Final = "a size is no whole number of 1e-8"


class Pair(msgspec.Struct, frozen=True):
    """Which token of the pool is the base and which the quote (places in the contract), with their decimals."""

    base: int
    quote: int
    base_decimals: int
    quote_decimals: int


class Depth(msgspec.Struct, frozen=True):
    """What a pool asks and pays at the sizes of a grid, all cumulative.

    `sizes`: ×1e8 base. `costs` of buying and `proceeds` of selling that much: smallest units of the quote token;
    shorter than `sizes` where the pool ends.
    """

    sizes: tuple[int, ...]
    costs: tuple[int, ...]
    proceeds: tuple[int, ...]


def mid_1e9(curve: Curve, pair: Pair) -> int:
    """The marginal price without fee, rounded down. Raises Unpublishable: no price (an empty pool), below 1e-9,
    beyond 63 bits; Beyond."""
    try:
        numerator, denominator = curve.price(pair.base, pair.quote)
    except Beyond:
        raise
    except QuoteError as error:
        raise Unpublishable(NO_PRICE, str(error)) from error
    shift = PRICE_DECIMALS + pair.base_decimals - pair.quote_decimals
    price: int = numerator * 10**shift // denominator if shift >= 0 else numerator // (denominator * 10**-shift)
    if price == 0:
        raise Unpublishable(TOO_SMALL)
    if price > I64_MAX:
        raise Unpublishable(TOO_LARGE)
    return price


def grid(money_1e9: Sequence[int], mid_1e9: int, base_decimals: int) -> tuple[int, ...]:
    """Cumulative sizes ×1e8 worth these rising amounts of money at the mid, rounded down to what the token can hold.

    A size that is 0, repeats the one before or exceeds 63 bits is left out. Raises Unpublishable when none is left.
    """
    step = 10 ** max(SIZE_DECIMALS - base_decimals, 0)
    sizes: list[int] = []
    last = 0
    for money in money_1e9:
        size = money * 10**SIZE_DECIMALS // mid_1e9 // step * step
        if last < size <= I64_MAX:
            sizes.append(size)
            last = size
    if not sizes:
        raise Unpublishable(NO_SIZES)
    return tuple(sizes)


def measure(curve: Curve, pair: Pair, sizes: Sequence[int]) -> Depth:
    """Asks the pool at each size. Raises Unpublishable where its base token cannot be cut into one of them."""
    shift = pair.base_decimals - SIZE_DECIMALS
    factor = 10 ** abs(shift)
    if shift < 0 and any(size % factor for size in sizes):
        raise Unpublishable(UNCUT)
    amounts = [size * factor for size in sizes] if shift >= 0 else [size // factor for size in sizes]
    costs = curve.costs(pair.quote, pair.base, amounts)
    return Depth(tuple(sizes), tuple(costs), tuple(curve.proceeds(pair.base, pair.quote, amounts)))


def levels(depth: Depth, pair: Pair) -> tuple[list[Level], list[Level]]:
    """(bids, asks), best first. Raises Unpublishable: no liquidity, a best price outside the scale, crossed."""
    bids = slices(depth.sizes, depth.proceeds, pair.quote_decimals, 1)
    asks = slices(depth.sizes, depth.costs, pair.quote_decimals, -1)
    return _checked(bids, asks, has_bids=bool(depth.proceeds), has_asks=bool(depth.costs))


def from_quotes(
    asks: Sequence[tuple[int, int]], bids: Sequence[tuple[int, int]], pair: Pair
) -> tuple[list[Level], list[Level]]:
    """(bids, asks) of a pool that was asked by its own view: cumulative quotes in smallest units, exact-in both ways.

    `asks`: (quote paid, base received); what was received is rounded down to 1e-8. `bids`: (base paid, quote received);
    what was paid must be whole at 1e-8. A point that is no larger than the one before it is left out. Raises
    Unpublishable as `levels` does.
    """
    shift = pair.base_decimals - SIZE_DECIMALS
    factor = 10 ** abs(shift)
    if shift > 0 and any(base % factor for base, _ in bids):
        raise Unpublishable(INEXACT)
    points: list[tuple[list[int], list[int]]] = []
    for side in (bids, [(base, quote) for quote, base in asks]):
        sizes: list[int] = []
        money: list[int] = []
        last = 0
        for base, quote in side:
            size = base // factor if shift >= 0 else base * factor
            if last < size <= I64_MAX:
                sizes.append(size)
                money.append(quote)
                last = size
        points.append((sizes, money))
    bid_side = slices(*points[0], pair.quote_decimals, 1)
    ask_side = slices(*points[1], pair.quote_decimals, -1)
    return _checked(bid_side, ask_side, has_bids=bool(points[0][0]), has_asks=bool(points[1][0]))


def slices(sizes: Sequence[int], money: Sequence[int], decimals: int, sign: int) -> list[Level]:
    """One side's levels, best first, from cumulative sizes and the cumulative money (×10^decimals) of each.

    `sign`: 1 for bids, −1 for asks. What a taker gains a unit of base (a buyer's gain is negative) is rounded down and
    gets strictly less from level to level. The last levels are left out where their price is no longer within the
    scale. Raises Unpublishable when the best one is too good for it.
    """
    scale = sign * 10 ** max(_VALUE_DECIMALS - decimals, 0)
    unit = 10 ** max(decimals - _VALUE_DECIMALS, 0)
    done: list[tuple[int, int, int]] = []  # gain, size, money
    size_before = money_before = 0
    for size_at, money_at in zip(sizes, money, strict=False):  # the pool may end before the grid
        size, paid = size_at - size_before, money_at - money_before
        size_before, money_before = size_at, money_at
        gain = paid * scale // (size * unit)
        while done and gain >= done[-1][0]:
            _, more_size, more_paid = done.pop()
            size += more_size
            paid += more_paid
            gain = paid * scale // (size * unit)
        done.append((gain, size, paid))
    if sign > 0:
        if done and done[0][0] > I64_MAX:
            raise Unpublishable(TOO_LARGE)
        return [(gain, size) for gain, size, _ in done if gain > 0]
    if done and done[0][0] >= 0:
        raise Unpublishable(TOO_SMALL)
    return [(-gain, size) for gain, size, _ in done if gain >= -I64_MAX]


def depth_within(side: Sequence[Level], mid_1e9: int, bps: int) -> int:
    """How much (×1e8 base) of one side, best first, is priced no further than so many hundredths of a percent away."""
    total = 0
    for price, size in side:
        if abs(price - mid_1e9) * _BPS > mid_1e9 * bps:
            break
        total += size
    return total


def depth_to(curve: Curve, pair: Pair, bps: int, *, is_ask: bool) -> int:
    """How much base (×1e8) can be bought, or sold, before the marginal price has moved by so much; to 1 in 2^20."""
    numerator, denominator = curve.price(pair.base, pair.quote)
    end = _BPS + bps if is_ask else _BPS - bps
    i, j = (pair.quote, pair.base) if is_ask else (pair.base, pair.quote)

    def base_of(amount: int) -> int | None:
        """The base that this much buys, or is; None: the price is beyond the end then."""
        try:
            quote = curve.exact_in(i, j, amount)
            after, unit = quote.after.price(pair.base, pair.quote)
        except QuoteError:
            return None
        moved, limit = after * denominator * _BPS, numerator * unit * end
        if quote.amount_in < amount or (moved > limit if is_ask else moved < limit):
            return None
        return quote.amount_out if is_ask else quote.amount_in

    low, found = 0, 0
    step = 1
    while step < _LEAST_END and base_of(step) is None:  # so little that some pools refuse it, for it would buy nothing
        step <<= 1
    while step < 1 << 200 and base_of(step) is not None:
        step <<= 1
    for _ in range(_DEPTH_STEPS):
        step >>= 1
        if step and (base := base_of(low + step)) is not None:
            low, found = low + step, base
    shift = pair.base_decimals - SIZE_DECIMALS
    return int(found // 10**shift if shift >= 0 else found * 10**-shift)


def _checked(
    bids: list[Level], asks: list[Level], *, has_bids: bool, has_asks: bool
) -> tuple[list[Level], list[Level]]:
    """A side that was quoted and of which nothing fits is refused, not shown as empty."""
    if not has_bids and not has_asks:
        raise Unpublishable(EMPTY)
    if has_bids and not bids:
        raise Unpublishable(TOO_SMALL)
    if has_asks and not asks:
        raise Unpublishable(TOO_LARGE)
    if bids and asks and bids[0][0] >= asks[0][0]:
        raise Unpublishable(CROSSED, f"bid {bids[0][0]} against ask {asks[0][0]} (1e-9)")
    return bids, asks
