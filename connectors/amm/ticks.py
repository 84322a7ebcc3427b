"""A concentrated pool's ticks, and the way along them: where a swap stops, and what it has taken and paid by then.

A pool looks for the next tick within one word of its bitmap, 256 ticks of its spacing, and stops at the word's border
when there is none: each stop rounds, so the borders belong to the result ("Uniswap v3 Core", §6.2.3; `TickList` and
`Pool.swap` of @uniswap/v3-sdk, MIT). Between two stops the amounts depend on nothing but the stops, the liquidity and
the fee. So a `Path` keeps their running sums, as far as anybody has asked; it is found again as long as its first stop
and the liquidity are the same, that is while the price moves within one stretch.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Final

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.swapstep import X96
from connectors.amm.tickmath import MAX_SQRT, MAX_TICK, MIN_SQRT, MIN_TICK, sqrt_at

LIQUIDITY_END: Final = 1 << 128
_WORD_TICKS: Final = 256
_PATHS_KEPT: Final = 32
_STEPS_KEPT: Final = 1 << 14

Amounts = dict[tuple[int, int, int, int], tuple[int, int]]


class Path:
    """The stops ahead of a price, one direction, first stop first; all lists are parallel and only ever grow.

    `prices`: the stop's square root price; `liquidity`, `ticks`: the pool's after the stop; `taken`, `paid`: from the
    first stop to this one. `ended`: the last stop is the end of all prices. Sums start at the first stop.
    """

    __slots__ = ("_down", "_fee_ppm", "_map", "_stop", "ended", "liquidity", "paid", "prices", "taken", "ticks")

    def __init__(self, ticks: "TickMap", tick: int, liquidity: int, fee_ppm: int, down: bool) -> None:
        self._map, self._fee_ppm, self._down = ticks, fee_ppm, down
        self.ended = False
        self.taken, self.paid = [0], [0]
        self.prices: list[int] = []
        self.liquidity: list[int] = []
        self.ticks: list[int] = []
        self._stop = tick
        self._arrive(ticks.stop(tick, down), liquidity)

    def _arrive(self, stop: int, liquidity: int) -> None:
        """The pool's state once the price is at `stop`, come with `liquidity`."""
        if stop in (MIN_TICK, MAX_TICK):  # a swap without a limit stops one short of the end, and crosses nothing there
            self.ended = True
            price, tick = (MIN_SQRT + 1, MIN_TICK) if self._down else (MAX_SQRT - 1, MAX_TICK - 1)
        else:
            price, tick = sqrt_at(stop), stop - 1 if self._down else stop
            net = self._map.net(stop)
            liquidity += -net if self._down else net
            if not 0 <= liquidity < LIQUIDITY_END:
                raise QuoteError(f"crossing tick {stop} would leave a liquidity of {liquidity}")
        self._stop = stop
        self.prices.append(price)
        self.liquidity.append(liquidity)
        self.ticks.append(tick)

    def _grow(self) -> None:
        origin, start, liquidity = self._stop, self.prices[-1], self.liquidity[-1]
        self._arrive(self._map.stop(self.ticks[-1], self._down), liquidity)
        key = origin, self._stop, liquidity, self._fee_ppm
        step = self._map.steps.get(key)
        if step is None:
            step = self._map.steps[key] = X96.whole(start, self.prices[-1], liquidity, self._fee_ppm, self._down)
        self.taken.append(self.taken[-1] + step[0])
        self.paid.append(self.paid[-1] + step[1])

    def reach(self, sums: list[int], amount: int) -> int:
        """The first stop at which `sums` (`taken` or `paid`) is `amount` or more; the number of stops when none is.

        Raises Beyond where the known ticks end before that is certain.
        """
        while sums[-1] < amount:
            if self.ended:
                return len(sums)
            self._grow()
        return bisect_left(sums, amount)


class TickMap:
    """A pool's initialised ticks from `low` to `high`: tick → (gross, net). Never changes.

    Outside `low`..`high` nothing is known. A range should hold whole bitmap words, as they are read: a swap that
    needs to know whether there is a tick beyond raises Beyond. Ticks given outside the range are left out.
    """

    __slots__ = ("_paths", "_sorted", "_ticks", "high", "low", "spacing", "steps")

    def __init__(
        self, spacing: int, ticks: Mapping[int, tuple[int, int]], low: int = MIN_TICK, high: int = MAX_TICK
    ) -> None:
        if spacing <= 0:
            raise QuoteError(f"tick spacing {spacing} is not positive")
        self.spacing = spacing
        # no tick can be initialised between the outermost multiple of the spacing and the end
        self.low = MIN_TICK if low <= -(MAX_TICK // spacing * spacing) else low
        self.high = MAX_TICK if high >= MAX_TICK // spacing * spacing else high
        self._ticks = dict(ticks)
        if not self.complete:
            self._ticks = {tick: entry for tick, entry in ticks.items() if self.low <= tick <= self.high}
        self._sorted = sorted(self._ticks)
        self._paths: dict[tuple[int, int, int, bool], Path] = {}
        self.steps: Amounts = {}  # a step's amounts follow from its key alone: every map made from this one shares them

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TickMap):
            return NotImplemented
        mine, its = (self.spacing, self.low, self.high), (other.spacing, other.low, other.high)
        return mine == its and self._ticks == other._ticks

    def __hash__(self) -> int:
        return hash((self.spacing, self.low, self.high, len(self._ticks)))

    def __len__(self) -> int:
        return len(self._ticks)

    @property
    def complete(self) -> bool:
        """Every tick that the pool can have is known."""
        return self.low == MIN_TICK and self.high == MAX_TICK

    def entries(self) -> dict[int, tuple[int, int]]:
        """A copy of tick → (gross, net), ascending."""
        return {tick: self._ticks[tick] for tick in self._sorted}

    def net(self, tick: int) -> int:
        """What crossing `tick` upwards adds to the liquidity."""
        entry = self._ticks.get(tick)
        return entry[1] if entry else 0

    def stop(self, tick: int, down: bool) -> int:
        """Where a swap next looks up from `tick`: an initialised tick, a word's border, or the end. Raises Beyond."""
        place = tick // self.spacing
        if down:
            border = place // _WORD_TICKS * _WORD_TICKS * self.spacing
            index = bisect_right(self._sorted, tick) - 1
            stop = max(border, self._sorted[index], MIN_TICK) if index >= 0 else max(border, MIN_TICK)
            known = self.low <= stop
        else:
            border = ((place + 1) // _WORD_TICKS * _WORD_TICKS + _WORD_TICKS - 1) * self.spacing
            index = bisect_right(self._sorted, tick)
            stop = min(border, self._sorted[index], MAX_TICK) if index < len(self._sorted) else min(border, MAX_TICK)
            known = stop <= self.high
        if not known or not self.low <= tick <= self.high:
            raise Beyond(f"ticks are known from {self.low} to {self.high}, the swap goes on from {tick} to {stop}")
        return stop

    def path(self, tick: int, liquidity: int, fee_ppm: int, down: bool) -> Path:
        """The way from a pool's `tick` and `liquidity`. Raises Beyond."""
        key = self.stop(tick, down), liquidity, fee_ppm, down
        path = self._paths.get(key)
        if path is None:
            if len(self._paths) >= _PATHS_KEPT:
                self._paths.clear()
            path = self._paths[key] = Path(self, tick, liquidity, fee_ppm, down)
        return path

    def between(self, before: int, after: int) -> int:
        """How many initialised ticks a swap crossed, as QuoterV2 counts them from the pool's tick before and after.

        It counts initialised ticks from before / spacing to after / spacing, both cut towards zero and both included,
        and takes off the one a swap stands on without having crossed it: its start going up, its end going down. So a
        swap that crosses nothing counts 1 when the multiple of the spacing its tick is cut to is initialised.
        """
        spacing, ticks = self.spacing, self._sorted
        places = [abs(tick) // spacing * spacing * (1 if tick > 0 else -1) for tick in (before, after)]
        count = bisect_right(ticks, max(places)) - bisect_left(ticks, min(places))
        stood_on = before if before < after else after if after < before else None
        return count - (stood_on in self._ticks)

    def with_position(self, lower: int, upper: int, delta: int) -> "TickMap":
        """The map after `delta` liquidity came to (or, negative, left) the position between two ticks.

        Raises QuoteError where more leaves than a tick holds: the state is then not the chain's.
        """
        if not delta:
            return self
        ticks = self._ticks.copy()
        for tick, change in ((lower, delta), (upper, -delta)):
            if not self.low <= tick <= self.high:
                continue
            gross, net = ticks.get(tick, (0, 0))
            if gross + delta < 0:
                raise QuoteError(f"tick {tick} holds {gross}, {-delta} cannot leave it")
            if gross + delta:
                ticks[tick] = gross + delta, net + change
            else:
                del ticks[tick]
        changed = TickMap(self.spacing, ticks, self.low, self.high)
        if len(self.steps) > _STEPS_KEPT:
            self.steps.clear()
        changed.steps = self.steps
        return changed

    def problem(self, tick: int, liquidity: int) -> str:
        """What in these ticks cannot be, beside a pool at `tick` with `liquidity`; empty when all agrees."""
        for at, (gross, net) in self._ticks.items():
            if at % self.spacing:
                return f"tick {at} is not a multiple of the spacing {self.spacing}"
            if gross <= 0 or abs(net) > gross:
                return f"tick {at} has a gross of {gross} and a net of {net}"
        if not 0 <= liquidity < LIQUIDITY_END:
            return f"liquidity {liquidity} is not a 128-bit number"
        if not self.complete:
            return ""
        total = sum(net for _, net in self._ticks.values())
        if total:
            return f"the ticks' nets add up to {total}, not to 0"
        below = sum(net for at, (_, net) in self._ticks.items() if at <= tick)
        return "" if below == liquidity else f"the ticks make a liquidity of {below}, the pool says {liquidity}"
