"""Windows in which a venue counts. Pure."""

from __future__ import annotations


class Window:
    """So much in each window of time; windows begin at whole multiples of their length."""

    def __init__(self, limit: int, window_ns: int) -> None:
        self.limit, self.window_ns = limit, window_ns
        self._used = 0
        self._begin_ns = 0

    def used(self, now_ns: int) -> int:
        """How much of the running window is used."""
        begin_ns = now_ns // self.window_ns * self.window_ns
        if begin_ns != self._begin_ns:
            self._begin_ns, self._used = begin_ns, 0
        return self._used

    def take(self, cost: int, now_ns: int) -> bool:
        """Counts so much, whether it fits or not; whether it did."""
        self._used = self.used(now_ns) + cost
        return self._used <= self.limit

    def give_back(self, cost: int, now_ns: int) -> None:
        """So much less is used."""
        self._used = max(0, self.used(now_ns) - cost)

    def left(self, now_ns: int) -> int:
        """What still fits."""
        return max(0, self.limit - self.used(now_ns))

    def reset_ns(self, now_ns: int) -> int:
        """When the next window begins."""
        return (now_ns // self.window_ns + 1) * self.window_ns
