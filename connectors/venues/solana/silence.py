"""Whether an endpoint tells what it should: an account that a read finds changed must have been told of, soon."""

from collections import deque
from typing import Final

import msgspec

from connectors.onchain.asker import SECOND
from connectors.venues.solana.account import Account
from connectors.venues.solana.words import At, existing

AWAITED_NS: Final = 3 * SECOND  # a notification may be later than a read by so much
BROKEN_NS: Final = 60 * SECOND
BROKEN_MISSED: Final = 5  # in that time: a stream that loses so many is not to be mended by subscribing anew


class _Awaited(msgspec.Struct, frozen=True):
    at: At
    since_ns: int


class Silence:
    """Of accounts that are subscribed to; `missed` counts.

    What was told counts by its data, too: surfpool 1.6.1 names the slot of the subscription with every change.
    """

    def __init__(self) -> None:
        self._known: dict[str, At] = {}
        self._said: dict[str, Account | None] = {}
        self._awaited: dict[str, _Awaited] = {}
        self._late_ns: deque[int] = deque(maxlen=BROKEN_MISSED)
        self.missed = 0

    def clear(self) -> None:
        self._known.clear()
        self._said.clear()
        self._awaited.clear()
        self._late_ns.clear()
        self.missed = 0

    def forget(self, key: str) -> None:
        """It is not subscribed to any more, or anew: what is known of it is no measure."""
        self._known.pop(key, None)
        self._said.pop(key, None)
        self._awaited.pop(key, None)

    def heard(self, key: str, said: At) -> None:
        """A notification."""
        awaited = self._awaited.get(key)
        if awaited is not None and (said.slot >= awaited.at.slot or said.says(awaited.at.account)):
            del self._awaited[key]
        self._said[key] = existing(said.account)
        if key not in self._known or said.slot >= self._known[key].slot:
            self._known[key] = said

    def read(self, key: str, at: At, now_ns: int) -> None:
        """A read of a subscribed account."""
        known = self._known.get(key)
        is_changed = known is not None and known.slot < at.slot and not known.says(at.account)
        if is_changed and (key not in self._said or self._said[key] != existing(at.account)):
            self._awaited.setdefault(key, _Awaited(at, now_ns))
        if known is None or known.slot <= at.slot:
            self._known[key] = at

    def overdue(self, now_ns: int) -> list[str]:
        """Accounts that changed and were not told of; each once."""
        late = [key for key, awaited in self._awaited.items() if now_ns - awaited.since_ns > AWAITED_NS]
        for key in late:
            self.forget(key)
        self._late_ns.extend([now_ns] * len(late))
        self.missed += len(late)
        return late

    def is_broken(self, now_ns: int) -> bool:
        """Whether so much was missed lately that the connection is to be made anew."""
        return len(self._late_ns) == BROKEN_MISSED and now_ns - self._late_ns[0] <= BROKEN_NS
