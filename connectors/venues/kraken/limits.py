"""Kraken's rate counters, kept as Kraken keeps them, so that its limits are met before it has to say so.

https://docs.kraken.com/api/docs/guides/spot-ratelimits (engine: per pair, shared by all interfaces) and
…/spot-rest-ratelimits (REST: per key). Integers only: a count is kept ×1e11, so that every published decay is a whole
number a nanosecond. A third of an engine counter is kept for cancels: adds and amends may not touch it, and cancels are
never refused, whatever they cost.
"""

from typing import Final

import msgspec

from connectors.errors import ConfigError

ONE: Final = 10**11
_SECOND: Final = 10**9
RESERVED_PART: Final = 3  # one of so many is for cancels
_HEADROOM: Final = 3 * ONE  # of the REST counter, for the token and the key: they do not wait

_REST_COSTS: Final = {"TradesHistory": 4, "CancelOrder": 0, "CancelAll": 0}  # every other call: 1

# age in seconds → what it costs more; older than the last costs nothing more
_AMEND: Final = ((5, 3), (10, 2), (15, 1))
_CANCEL: Final = ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))


class Tier(msgspec.Struct, frozen=True):
    """What an account's level allows. Decays are per nanosecond, ×1e11 as counts are."""

    name: str
    threshold: int
    decay: int
    open_orders: int
    rest_max: int
    rest_decay: int


TIERS: Final = {
    tier.name: tier
    for tier in (
        Tier("starter", 60, 100, 60, 15, 33),
        Tier("intermediate", 125, 234, 80, 20, 50),
        Tier("pro", 180, 375, 225, 20, 100),
    )
}


def tier(name: str) -> Tier:
    """Raises ConfigError naming the choice."""
    found = TIERS.get(name)
    if found is None:
        raise ConfigError(f"no tier {name!r}", place="kraken option tier", mend=f"choose one of {', '.join(TIERS)}")
    return found


def _of_age(table: tuple[tuple[int, int], ...], age_ns: int) -> int:
    return next((cost * ONE for seconds, cost in table if age_ns < seconds * _SECOND), 0)


def add_cost(orders: int = 1) -> int:
    """Of one order, or of so many in one batch."""
    return ONE if orders == 1 else orders * ONE // 2


def amend_cost(age_ns: int) -> int:
    """`age_ns`: since the order was made or last amended."""
    return ONE + _of_age(_AMEND, age_ns)


def cancel_cost(age_ns: int) -> int:
    return _of_age(_CANCEL, age_ns)


class Counter:
    """One decaying counter. `value` is of `at_ns`."""

    __slots__ = ("at_ns", "decay", "value")

    def __init__(self, decay: int) -> None:
        self.decay = decay
        self.value = 0
        self.at_ns = 0

    def now(self, now_ns: int) -> int:
        """The count ×1e11 at this time; time that runs backwards decays nothing."""
        if now_ns > self.at_ns:
            self.value = max(self.value - (now_ns - self.at_ns) * self.decay, 0)
            self.at_ns = now_ns
        return self.value

    def add(self, cost: int, now_ns: int) -> None:
        self.value = self.now(now_ns) + cost


class EngineLimits:
    """The matching engine's counters, one a pair. `threshold` becomes what the account's own acknowledgement says."""

    def __init__(self, of: Tier) -> None:
        self.threshold = of.threshold
        self._decay = of.decay
        self._pairs: dict[int, Counter] = {}

    def counter(self, pair: int) -> Counter:
        found = self._pairs.get(pair)
        if found is None:
            found = self._pairs[pair] = Counter(self._decay)
        return found

    def spend(self, pair: int, cost: int, now_ns: int) -> str:
        """Of an add or amend: counted and "", or why not; then nothing is counted."""
        counter = self.counter(pair)
        value = counter.now(now_ns)
        most = self.threshold - self.threshold // RESERVED_PART
        if value + cost > most * ONE:
            return (
                f"rate counter {value / ONE:.2f} + {cost / ONE:g} is beyond {most} of {self.threshold}: "
                "the rest is for cancels"
            )
        counter.value = value + cost
        return ""

    def cancelled(self, pair: int, age_ns: int, now_ns: int) -> None:
        """A cancel is counted and never refused."""
        self.counter(pair).add(cancel_cost(age_ns), now_ns)

    def overrun(self, pair: int, now_ns: int) -> None:
        """Kraken says that the threshold is passed: it knows better."""
        counter = self.counter(pair)
        counter.value = max(counter.now(now_ns), self.threshold * ONE)


class RestLimits:
    """The counter of REST calls, one a key."""

    def __init__(self, of: Tier) -> None:
        self._most = of.rest_max * ONE
        self._counter = Counter(of.rest_decay)

    def wait_ns(self, cost: int, now_ns: int) -> int:
        """How long until a call of this cost can be paid; 0: now. `cost`: in whole counts."""
        over = self._counter.now(now_ns) + cost * ONE - (self._most - _HEADROOM)
        return -(-over // self._counter.decay) if over > 0 else 0

    def spend(self, cost: int, now_ns: int) -> None:
        self._counter.add(cost * ONE, now_ns)

    def overrun(self, now_ns: int) -> None:
        """Kraken says that it is full."""
        self._counter.value = max(self._counter.now(now_ns), self._most)


class RestPurse:
    """`Purse` of REST calls by their methods."""

    def __init__(self, of: Tier) -> None:
        self._limits = RestLimits(of)

    def wait_ns(self, name: str, now_ns: int) -> int:
        return self._limits.wait_ns(_REST_COSTS.get(name, 1), now_ns)

    def spend(self, name: str, now_ns: int) -> None:
        self._limits.spend(_REST_COSTS.get(name, 1), now_ns)

    def overrun(self, now_ns: int) -> None:
        self._limits.overrun(now_ns)
