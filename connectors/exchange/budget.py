"""Rate limits of the form "so many in so long", kept as the venue counts them, so that it never has to say no.

A window is cut into slices; what was spent counts until its whole slice is older than the window, so that the count is
right or a little high for sliding and for fixed windows alike. A part of each window is for cancels alone: they are
counted, and never refused.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

SLICES: Final = 50
RESERVED_PART: Final = 3  # one of so many is for cancels
_SECOND: Final = 10**9
Cost = tuple[str, int] | tuple[str, int, str]  # (rule, amount) or (rule, amount, of what: one counter each)


class Rule(NamedTuple):
    """`most` in any `span_ns`; of them `reserved` for cancels alone, a third where it is not said."""

    most: int
    span_ns: int
    reserved: int = -1

    @property
    def open(self) -> int:
        """What others than cancels may use."""
        return self.most - (self.most // RESERVED_PART if self.reserved < 0 else self.reserved)


class _Window:
    """What was spent under one rule."""

    __slots__ = ("barred_until_ns", "slice_ns", "span_ns", "spent", "total")

    def __init__(self, span_ns: int) -> None:
        self.span_ns = span_ns
        self.slice_ns = max(span_ns // SLICES, 1)
        self.spent: deque[list[int]] = deque()  # [slice, amount], oldest first
        self.total = 0
        self.barred_until_ns = 0

    def now(self, now_ns: int) -> int:
        """The count at this time; time that runs backwards forgets nothing."""
        while self.spent and (self.spent[0][0] + 1) * self.slice_ns + self.span_ns <= now_ns:
            self.total -= self.spent.popleft()[1]
        return self.total

    def add(self, amount: int, now_ns: int) -> None:
        self.now(now_ns)
        at = now_ns // self.slice_ns
        if self.spent and self.spent[-1][0] >= at:
            self.spent[-1][1] += amount
        else:
            self.spent.append([at, amount])
        self.total += amount

    def wait_ns(self, amount: int, most: int, now_ns: int) -> int:
        """How long until this much fits below `most`; more than the whole waits until nothing else is there."""
        over = self.now(now_ns) + amount - most
        until_ns = self.barred_until_ns
        for at, spent in self.spent:
            if over <= 0:
                break
            over -= spent
            until_ns = max(until_ns, (at + 1) * self.slice_ns + self.span_ns)
        return max(until_ns - now_ns, 0)


class Budget:
    """A venue's rules by name."""

    def __init__(self, venue: str, rules: Mapping[str, Rule]) -> None:
        self._venue = venue
        self._rules = dict(rules)
        self._windows: dict[tuple[str, str], _Window] = {}

    def set(self, name: str, most: int, span_ns: int) -> None:
        """The venue's own metadata says so; what was spent stays spent."""
        if most > 0 and span_ns > 0 and self._rules.get(name, Rule(0, 0))[:2] != (most, span_ns):
            old = self._rules.get(name, Rule(0, 0))
            reserved = old.reserved * most // old.most if old.reserved > 0 else old.reserved
            self._rules[name] = Rule(most, span_ns, reserved)
            for key, window in self._windows.items():
                if key[0] == name:
                    window.span_ns = span_ns

    def _window(self, cost: Cost) -> _Window:
        key = (cost[0], cost[2] if len(cost) == 3 else "")
        found = self._windows.get(key)
        if found is None:
            found = self._windows[key] = _Window(self._rules[cost[0]].span_ns)
        return found

    def pay(self, costs: Sequence[Cost], now_ns: int) -> str:
        """Counted and "", or why not; then nothing is counted."""
        for cost in costs:
            rule = self._rules[cost[0]]
            wait_ns = self._window(cost).wait_ns(cost[1], rule.open, now_ns)
            if wait_ns or cost[1] > rule.open:
                return (
                    f"{self._venue} takes {rule.most} of {cost[0]} in {rule.span_ns // _SECOND} s, a part of them for "
                    f"cancels: wait {wait_ns // 10**6} ms"
                )
        self.force(costs, now_ns)
        return ""

    def force(self, costs: Sequence[Cost], now_ns: int) -> None:
        """Counted, whatever it comes to: a cancel."""
        for cost in costs:
            self._window(cost).add(cost[1], now_ns)

    def wait_ns(self, costs: Sequence[Cost], now_ns: int) -> int:
        """How long until all of it can be paid; 0: now."""
        return max(
            (self._window(cost).wait_ns(cost[1], self._rules[cost[0]].open, now_ns) for cost in costs), default=0
        )

    def used(self, name: str, count: int, now_ns: int, of: str = "") -> None:
        """The venue's own count: where it is higher than ours, it knows better."""
        if name in self._rules:
            window = self._window((name, 0, of))
            window.add(max(count - window.now(now_ns), 0), now_ns)

    def overrun(self, name: str, now_ns: int, until_ns: int = 0, of: str = "") -> None:
        """The venue says that it is full: nothing but cancels until then, or for a whole window."""
        window = self._window((name, 0, of))
        window.barred_until_ns = max(window.barred_until_ns, until_ns or now_ns + window.span_ns)
