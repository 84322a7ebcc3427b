"""What features know by whole seconds of engine time: sliding totals, OFI's EWMA, spread statistics, volatility.

A bar is one second of engine time (`now_ns // 10**9`). Bars make windows cheap on the hot path: an event only adds to
a running total, and once a second a total is noted; a window is the total's rise since the note before it. They make
windows easy to recompute from a tape, too: group by second. Formulas: docs/features.md.
"""

from collections import deque
from math import isqrt
from typing import Final, Generic, TypeVar

SECOND_NS: Final = 10**9
FLOW_S: Final = 10
CANCEL_S: Final = 60
SPREAD_S: Final = 300
SPREAD_MIN: Final = 30  # samples, before which a spread has no z-score and no regime
VOLATILITY_S: Final = (60, 300, 3600)

RETURN_SCALE: Final = 10**12  # returns are cut to 1e-12
_BPS: Final = 10**8  # of a return of that scale
_EWMA_FRACTION: Final = 2**16  # parts of 1e-8 in which the EWMA is kept: cutting it every second must not add up
_EWMA_1E6: Final = 100 * _EWMA_FRACTION
_FORGET_S: Final = 1024  # (15/16)^1024 of anything is nothing

Z_MAX: Final = 32_767
TIGHT, NORMAL, WIDE, CRISIS = range(4)


def toward_zero(numerator: int, denominator: int) -> int:
    """The quotient without its fraction; a mirrored market gives the mirrored number. `denominator` > 0."""
    return numerator // denominator if numerator >= 0 else -(-numerator // denominator)


Triple = tuple[int, int, int]
Total = TypeVar("Total", int, Triple)


class Sliding(Generic[Total]):
    """A running total (or three) as it stood before a window of `seconds` bars.

    The window's own sum is the total minus `base`.
    """

    __slots__ = ("_last", "_notes", "_seconds", "base")

    def __init__(self, seconds: int, zero: Total) -> None:
        self._seconds = seconds
        self._notes: deque[tuple[int, Total]] = deque()  # (bar, total at its end), only where it changed
        self._last: Total = zero
        self.base: Total = zero

    def close(self, bar: int, total: Total, newest: int) -> None:
        """Bar `bar` ended with this total; the window now ends with, and includes, bar `newest`."""
        notes = self._notes
        if total != self._last:
            self._last = total
            notes.append((bar, total))
        oldest = newest - self._seconds
        while notes and notes[0][0] <= oldest:
            self.base = notes.popleft()[1]


class FlowBars:
    """OFI at three depths over the last 10 bars, its EWMA, and the size taken off the book over the last 60.

    Each window is the rise of a total since its base: `one`, `five`, `ten`, `taken` are these bases.
    """

    __slots__ = ("_ewma", "_flow", "_one_closed", "_taken", "five", "one", "taken", "ten")

    def __init__(self) -> None:
        self._flow = Sliding[Triple](FLOW_S, (0, 0, 0))
        self._taken = Sliding(CANCEL_S, 0)
        self.one = self.five = self.ten = self.taken = 0
        self._ewma = 0
        self._one_closed = 0

    def close(self, bar: int, newest: int, flow: Triple, taken: int) -> None:
        """Bar `bar` ended with these totals, an event in bar `newest` came; the bars between them had no book."""
        self._flow.close(bar, flow, newest)
        self._taken.close(bar, taken, newest)
        self.one, self.five, self.ten = self._flow.base
        self.taken = self._taken.base
        change, self._one_closed = flow[0] - self._one_closed, flow[0]
        ewma = toward_zero(15 * self._ewma + change * _EWMA_FRACTION, 16)
        empty = newest - bar - 1
        if empty >= _FORGET_S:
            ewma = 0
        elif empty:
            ewma = toward_zero(ewma * 15**empty, 16**empty)
        self._ewma = ewma

    @property
    def ewma_1e6(self) -> int:
        """Base units a second, as of the last closed bar."""
        return toward_zero(self._ewma, _EWMA_1E6)


class SpreadBars:
    """Mean and variance of the spread: one sample a closed bar, over the last 300 bars."""

    __slots__ = ("_count", "_square", "_sum", "_window", "count", "sum", "variance")

    def __init__(self) -> None:
        self._count = self._sum = self._square = 0
        self._window = Sliding[Triple](SPREAD_S, (0, 0, 0))
        self.count = self.sum = self.variance = 0

    def close(self, bar: int, newest: int, spread_1e9: int) -> None:
        """Takes the spread at the end of `bar` (0: that book had none), then lets the window end before `newest`."""
        if spread_1e9:
            self._count += 1
            self._sum += spread_1e9
            self._square += spread_1e9 * spread_1e9
        self._window.close(bar, (self._count, self._sum, self._square), newest - 1)
        count, total, square = self._window.base
        self.count, self.sum = self._count - count, self._sum - total
        # count² times the population variance
        self.variance = self.count * (self._square - square) - self.sum * self.sum

    def judge(self, spread_1e9: int) -> tuple[int, int]:
        """(regime, z-score ×1000) of a spread against the window. 0 is no spread at all: a side is empty."""
        if not spread_1e9:
            return CRISIS, Z_MAX
        count, total = self.count, self.sum
        if count < SPREAD_MIN:
            return NORMAL, 0
        scaled = count * spread_1e9
        if scaled > 3 * total:
            regime = CRISIS
        elif 2 * scaled > 3 * total:
            regime = WIDE
        elif 4 * scaled < 3 * total:
            regime = TIGHT
        else:
            regime = NORMAL
        distance = scaled - total
        if not distance:
            return regime, 0
        # floor of a square root is the root of the floor: exact, whatever the size
        size = min(isqrt(10**6 * distance * distance // self.variance), Z_MAX) if self.variance else Z_MAX
        return regime, size if distance > 0 else -size


class VolatilityBars:
    """Realised volatility of the mid, sampled at the end of every bar that had a book with both sides."""

    __slots__ = ("_mid", "_square", "_windows")

    def __init__(self) -> None:
        self._mid = 0
        self._square = 0
        self._windows = tuple(Sliding(seconds, 0) for seconds in VOLATILITY_S)

    def close(self, bar: int, newest: int, mid_2e9: int) -> None:
        """Takes the sum of bid and ask at the end of `bar` (0: that book had none); windows end before `newest`."""
        if mid_2e9:
            if self._mid:
                change = toward_zero((mid_2e9 - self._mid) * RETURN_SCALE, self._mid)
                self._square += change * change
            self._mid = mid_2e9
        for window in self._windows:
            window.close(bar, self._square, newest - 1)

    def cut(self) -> None:
        """The book was lost: no return is taken from the sample before to the one after."""
        self._mid = 0

    def bps(self) -> tuple[int, ...]:
        """Square root of the sum of squared returns, over each window, rounded half up."""
        return tuple((isqrt(self._square - window.base) + _BPS // 2) // _BPS for window in self._windows)
