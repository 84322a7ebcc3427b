"""The depth of a probed pool at sizes it was not asked for: between two of its answers, the worse of what it may be.

A pool's price gets worse with size. So between two answers the straight line is never better than the pool: what a
buyer pays lies below it, what a seller gets above.
"""

from collections.abc import Sequence

from connectors.amm.ladder import Depth, Pair
from connectors.onchain.states import Probed
from connectors.units import SIZE_DECIMALS


def depth_of(state: Probed, pair: Pair, sizes: Sequence[int]) -> Depth:
    """`sizes` ×1e8 base, rising; ends where the answers end."""
    asks = [(base, quote) for quote, base in state.asks]
    amounts = [_native(size, pair.base_decimals) for size in sizes]
    return Depth(
        tuple(sizes), tuple(_along(asks, amounts, is_up=True)), tuple(_along(state.bids, amounts, is_up=False))
    )


def _native(size_1e8: int, decimals: int) -> int:
    shift = decimals - SIZE_DECIMALS
    factor: int = 10 ** abs(shift)
    return size_1e8 * factor if shift >= 0 else size_1e8 // factor


def _along(points: Sequence[tuple[int, int]], amounts: Sequence[int], *, is_up: bool) -> list[int]:
    """The value on the line through (0, 0) and the points, at each amount, rounded up or down."""
    found: list[int] = []
    at, low = 0, (0, 0)
    for amount in amounts:
        while at < len(points) and points[at][0] < amount:
            low = points[at]
            at += 1
        if at == len(points):
            break
        width, rise = points[at][0] - low[0], points[at][1] - low[1]
        part = (amount - low[0]) * rise
        found.append(low[1] + (-(-part // width) if is_up else part // width))
    return found
