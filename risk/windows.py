"""What is counted over time: messages in a strict rolling second, things in a window, the range of the mid.

Half-open throughout: what is exactly as old as its window counts no more. Time never steps back (the engine sees to
it).
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable
from typing import Generic, TypeVar

SECOND_NS = 10**9

K = TypeVar("K", bound=Hashable)


class Window:
    """Messages of one scope in a strict rolling second: the n-th before last must be at least a second old.

    `earlier`: of the same scope under another limit; as many are kept as either needs, so that no change of limits, and
    no restart, forgets what was sent within the second.
    """

    __slots__ = ("key", "limit", "scope", "times")

    def __init__(self, limit: int, scope: str = "", key: str = "", earlier: "Window | None" = None) -> None:
        self.limit = limit
        self.scope = scope
        self.key = key  # of Limits, that says so
        self.times: deque[int] = deque(maxlen=max(limit, 1))
        if earlier is not None:
            self.keep(earlier.times, earlier.times.maxlen or 0)

    def keep(self, times: Iterable[int], most: int = 0) -> None:
        """Begins with these."""
        kept = tuple(times)
        self.times = deque(kept, maxlen=max(self.limit, most, len(kept), 1))

    def note(self, now_ns: int) -> None:
        """One of the gateway's own, which no limit stops: nothing of the second before is forgotten for it."""
        times = self.times
        if len(times) == times.maxlen and now_ns - times[0] < SECOND_NS:
            self.keep(times, 2 * len(times))
        self.times.append(now_ns)

    def is_full(self, now_ns: int) -> bool:
        """Whether one more would be too many."""
        times, limit = self.times, self.limit
        return len(times) >= limit and (limit <= 0 or now_ns - times[-limit] < SECOND_NS)

    def count(self, now_ns: int) -> int:
        """How many were in the second before."""
        return sum(now_ns - at < SECOND_NS for at in self.times)


class Recent(Generic[K]):
    """How often each key came up within the last `window_ns`."""

    __slots__ = ("counts", "entries", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self.entries: deque[tuple[int, K]] = deque()
        self.counts: Counter[K] = Counter()

    def add(self, key: K, now_ns: int) -> int:
        """Counts one; how many there are now."""
        self.entries.append((now_ns, key))
        self.counts[key] += 1
        return self.count(key, now_ns)

    def drop(self, is_meant: Callable[[K], bool]) -> None:
        """Forgets some keys: a person vouches for them."""
        self.entries = deque(entry for entry in self.entries if not is_meant(entry[1]))
        self.counts = Counter(key for _, key in self.entries)

    def peek(self, key: K, now_ns: int) -> int:
        """`count` for who only looks: nothing changes."""
        return sum(now_ns - at < self.window_ns for at, one in self.entries if one == key)

    def count(self, key: K, now_ns: int) -> int:
        """How many there are; what is too old is forgotten."""
        entries, counts = self.entries, self.counts
        while entries and now_ns - entries[0][0] >= self.window_ns:
            _, gone = entries.popleft()
            if counts[gone] > 1:
                counts[gone] -= 1
            else:
                del counts[gone]
        return counts[key]


class MidRange:
    """Lowest and highest bid + ask among the marks of the last `window_ns`."""

    __slots__ = ("_high", "_low", "window_ns")

    def __init__(self, window_ns: int) -> None:
        self.window_ns = window_ns
        self._low: deque[tuple[int, int]] = deque()  # rising from left to right
        self._high: deque[tuple[int, int]] = deque()  # falling

    def add(self, mid_sum_1e9: int, now_ns: int) -> None:
        low, high = self._low, self._high
        while low and low[-1][1] >= mid_sum_1e9:
            low.pop()
        while high and high[-1][1] <= mid_sum_1e9:
            high.pop()
        low.append((now_ns, mid_sum_1e9))
        high.append((now_ns, mid_sum_1e9))
        self._forget(now_ns)

    def span(self, mid_sum_1e9: int, now_ns: int) -> tuple[int, int]:
        """(lowest, highest), the mid of this moment among them."""
        self._forget(now_ns)
        low, high = self._low, self._high
        lowest = min(low[0][1], mid_sum_1e9) if low else mid_sum_1e9
        return lowest, max(high[0][1], mid_sum_1e9) if high else mid_sum_1e9

    def _forget(self, now_ns: int) -> None:
        for marks in (self._low, self._high):
            while marks and now_ns - marks[0][0] >= self.window_ns:
                marks.popleft()
