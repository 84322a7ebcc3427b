"""Kraken's counters: of trading per pair (with the ages of orders), of REST, and how many orders may be open.

Exact integers: a count is in units of 10^-11, so that a decay of 2.34 a second is 234 units a nanosecond.
Kraken docs, guides/spot-ratelimits and guides/spot-rest-ratelimits (venues.md 1.12).
"""

from __future__ import annotations

from typing import Final

import msgspec

from runtime.sim.kraken.wire import fixed
from runtime.sim.market import NS

ONE: Final = 10**11
CANCEL: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))
AMEND: Final = ((5, 3), (10, 2), (15, 1))
EDIT: Final = ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))
"""(younger than so many seconds, what it costs)."""


class Tier(msgspec.Struct, frozen=True):
    """A level of verification; `*_decay` in units of 10^-11 a nanosecond."""

    name: str
    decay: int
    threshold: int
    open_orders: int
    rest_max: int
    rest_decay: int


TIERS: Final = {
    tier.name: tier
    for tier in (
        Tier("starter", 100, 60, 60, 15, 33),
        Tier("intermediate", 234, 125, 80, 20, 50),
        Tier("pro", 375, 180, 225, 20, 100),
    )
}


def penalty(table: tuple[tuple[int, int], ...], age_ns: int) -> int:
    """What touching an order of this age costs, age since it was made or last amended."""
    return next((cost * ONE for below_s, cost in table if age_ns < below_s * NS), 0)


class Counter:
    """A count that runs down by `decay` units a nanosecond; `gross` is what was ever added."""

    def __init__(self, decay: int) -> None:
        self._decay = decay
        self._units = 0
        self._at_ns = 0
        self.gross = 0

    def value(self, now_ns: int) -> int:
        """The count at a time, in units."""
        self._units = max(0, self._units - self._decay * max(0, now_ns - self._at_ns))
        self._at_ns = max(self._at_ns, now_ns)
        return self._units

    def add(self, units: int, now_ns: int) -> None:
        """Counts, whatever the limit says."""
        self._units = self.value(now_ns) + units
        self.gross += units

    def fits(self, units: int, limit: int, now_ns: int) -> bool:
        """Whether so much more stays within `limit` (whole counts)."""
        return self.value(now_ns) + units <= limit * ONE

    def text(self, now_ns: int) -> str:
        """The count as a number: 26.6 after 50 adds and 10 s of 2.34."""
        return fixed(self.value(now_ns), 11).rstrip("0").rstrip(".")
