"""The initialised ticks of a concentrated pool on Solana, as far as its tick arrays are read.

Unlike Uniswap's bitmap words, arrays that lie on the way do not stop a swap: it goes from one initialised tick to the
next. Where a way has to end (Orca's third array) its protocol says.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Final

import msgspec

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK

LIQUIDITY_END: Final = 1 << 128


class Tick(msgspec.Struct, frozen=True):
    """One initialised tick. `net`: what crossing it upwards adds to the liquidity; `gross`: all that ends here.

    Raydium's orders that rest here, in the token they sell: `orders` whole ones, `part_filled` what is left of those
    that were matched in part.
    """

    net: int
    gross: int
    orders: int = 0
    part_filled: int = 0


class Ticks:
    """A pool's initialised ticks from `low` to `high`, both included; outside nothing is known. Never changes.

    Ticks given outside the range are left out. A range that holds every multiple of the spacing is complete.
    """

    __slots__ = ("_sorted", "_ticks", "high", "low", "spacing")

    def __init__(self, spacing: int, ticks: Mapping[int, Tick], low: int = MIN_TICK, high: int = MAX_TICK) -> None:
        if spacing <= 0:
            raise QuoteError(f"tick spacing {spacing} is not positive")
        self.spacing = spacing
        last = MAX_TICK // spacing * spacing
        self.low = MIN_TICK if low <= -last else low
        self.high = MAX_TICK if high >= last else high
        self._sorted = sorted(tick for tick in ticks if self.low <= tick <= self.high)
        self._ticks = {tick: ticks[tick] for tick in self._sorted}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ticks):
            return NotImplemented
        mine, its = (self.spacing, self.low, self.high), (other.spacing, other.low, other.high)
        return mine == its and self._ticks == other._ticks

    def __hash__(self) -> int:
        return hash((self.spacing, self.low, self.high, len(self._ticks)))

    def __len__(self) -> int:
        return len(self._ticks)

    def __repr__(self) -> str:
        return f"Ticks({self.spacing}, {self._ticks}, {self.low}, {self.high})"

    @property
    def complete(self) -> bool:
        """Every tick that the pool can have is known."""
        return self.low == MIN_TICK and self.high == MAX_TICK

    def entries(self) -> dict[int, Tick]:
        """A copy, ascending."""
        return self._ticks.copy()

    def get(self, tick: int) -> Tick | None:
        """The tick, if it is known to be initialised."""
        return self._ticks.get(tick)

    def next(self, tick: int, down: bool, end: int) -> tuple[int, Tick | None]:
        """The initialised tick where a swap next stops: at or below `tick` going down, above it going up.

        (`end`, its tick if it has one) where there is none before `end`. Raises Beyond where that is not known.
        """
        index = bisect_right(self._sorted, tick)
        if down:
            stop = max(end, self._sorted[index - 1]) if index else end
            known = self.low <= stop and tick <= self.high
        else:
            stop = min(end, self._sorted[index]) if index < len(self._sorted) else end
            known = self.low <= tick + 1 and stop <= self.high
        if not known:
            raise Beyond(f"ticks are known from {self.low} to {self.high}, the swap goes on from {tick} to {stop}")
        return stop, self._ticks.get(stop)

    def crossed(self, before: int, after: int) -> int:
        """How many initialised ticks lie between a pool's tick before and after a swap: those it crossed."""
        return abs(bisect_right(self._sorted, after) - bisect_right(self._sorted, before))

    def replaced(self, changes: Mapping[int, Tick | None]) -> "Ticks":
        """These ticks with some changed, added or (None) gone."""
        ticks = self._ticks.copy()
        for tick, entry in changes.items():
            if entry is None:
                ticks.pop(tick, None)
            else:
                ticks[tick] = entry
        return Ticks(self.spacing, ticks, self.low, self.high)

    def problem(self, tick: int, liquidity: int) -> str:
        """What in these ticks cannot be, beside a pool at `tick` with `liquidity`; empty when all agrees."""
        for at, entry in self._ticks.items():
            if at % self.spacing:
                return f"tick {at} is not a multiple of the spacing {self.spacing}"
            if entry.gross < 0 or abs(entry.net) > entry.gross or not entry.gross + entry.orders + entry.part_filled:
                return f"tick {at} has a gross of {entry.gross} and a net of {entry.net}"
        if not 0 <= liquidity < LIQUIDITY_END:
            return f"liquidity {liquidity} is not a 128-bit number"
        if not self.complete:
            return ""
        total = sum(entry.net for entry in self._ticks.values())
        if total:
            return f"the ticks' nets add up to {total}, not to 0"
        below = sum(self._ticks[at].net for at in self._sorted[: bisect_left(self._sorted, tick + 1)])
        return "" if below == liquidity else f"the ticks make a liquidity of {below}, the pool says {liquidity}"
