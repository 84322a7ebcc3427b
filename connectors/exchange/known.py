"""The orders a session has heard of: by our name, and by the venue's id, which is all that some messages say.

Kraken names an order by both once (`pending_new`, a snapshot, the answer to a request) and by its own id afterwards;
others mostly say both.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

import msgspec

from connectors.orders import NewOrder

FINISHED_KEPT: Final = 4096  # for messages that come late
FOREIGN_MAX: Final = 20_000


class Known(msgspec.Struct, eq=False):
    """One order. Sizes ×1e8, price ×1e9; 0: not told. `cum_1e8`: what we have seen traded, or were told of.

    `since_ns`: when it was made or last amended, as a rate counter takes it. `traded_1e8`: the trades that this session
    told. `is_sent`: it sent the order, too. `told_ns`: the venue's time of the newest state that was read. `told_id`:
    the venue's id as the engine was told it. `is_acked`, `is_done`: told to the engine. `instrument` −1: a market that
    is not followed.
    """

    name: str
    is_ours: bool
    instrument: int
    symbol: str
    side: int = 0
    px_1e9: int = 0
    qty_1e8: int = 0
    cum_1e8: int = 0
    venue_id: str = ""
    since_ns: int = 0
    traded_1e8: int = 0
    told_ns: int = 0
    told_id: str = ""
    is_sent: bool = False
    is_acked: bool = False
    is_done: bool = False

    def counts(self, qty_1e8: int) -> bool:
        """Whether the trades that this session told, with this one, are all that were, as far as is known.

        Of an order of an earlier session they are not, once the record has told of more: what the venue does not say in
        a trade, nobody here can say then.
        """
        told_1e8 = self.traded_1e8 + (qty_1e8 if self.is_sent else 0)
        return self.cum_1e8 <= told_1e8


def ordered(order: NewOrder, symbol: str, now_ns: int) -> Known:
    """An order of this session, as it is asked for."""
    return Known(
        order.client_order_id,
        True,
        order.instrument,
        symbol,
        order.side,
        order.px_1e9,
        order.qty_1e8,
        since_ns=now_ns,
        is_sent=True,
    )


class KnownOrders:
    """Every order of ours that lives, the last ones that ended, and what was heard of others."""

    def __init__(self, ours: str) -> None:
        self._ours = ours
        self._by_name: dict[str, Known] = {}
        self._by_id: dict[str, Known] = {}
        self._finished: deque[Known] = deque()
        self._foreign: deque[str] = deque()

    def sent(self, known: Known) -> None:
        """An order of this session is on its way."""
        self._by_name[known.name] = known

    def heard(self, venue_id: str, name: str, instrument: int, symbol: str) -> Known:
        """The venue named an order; what we had of it, or a new entry."""
        known = self.find(venue_id, name)
        if known is not None and name and not known.name:
            known = self._named_late(known, name)
        if known is None:
            is_ours = bool(name) and name.startswith(self._ours)
            known = Known(name, is_ours, instrument, symbol)
            if is_ours:
                self._by_name[name] = known
            else:
                self._foreign.append(venue_id)
                if len(self._foreign) > FOREIGN_MAX:
                    self._forget(self._foreign.popleft())
        self.bind(known, venue_id)
        return known

    def _named_late(self, nameless: Known, name: str) -> Known:
        """A message without names taught this id first; now the venue says whose it is."""
        waiting = self._by_name.get(name)
        if waiting is not None and not waiting.venue_id:
            waiting.cum_1e8 = max(waiting.cum_1e8, nameless.cum_1e8)
            del self._by_id[nameless.venue_id]
            self.bind(waiting, nameless.venue_id)
            return waiting
        nameless.name, nameless.is_ours = name, name.startswith(self._ours)
        if nameless.is_ours:
            self._by_name.setdefault(name, nameless)
        return nameless

    def _forget(self, venue_id: str) -> None:
        """One of the many that are not ours; an id that turned out to be ours stays."""
        known = self._by_id.get(venue_id)
        if known is not None and not known.is_ours:
            del self._by_id[venue_id]

    def bind(self, known: Known, venue_id: str) -> None:
        if venue_id and not known.venue_id:
            known.venue_id = venue_id
            self._by_id[venue_id] = known

    def find(self, venue_id: str, name: str = "") -> Known | None:
        """By the venue's id, or by our name. A name used again after its order ended is another order's."""
        found = self._by_id.get(venue_id)
        if found is None and name:
            found = self._by_name.get(name)
            if found is not None and found.venue_id and venue_id:
                return None
        return found

    def named(self, name: str) -> Known | None:
        return self._by_name.get(name)

    def end(self, known: Known) -> None:
        """Told to the engine as over; kept for a while."""
        if known.is_done:
            return
        known.is_done = True
        self._finished.append(known)
        if len(self._finished) > FINISHED_KEPT:
            old = self._finished.popleft()
            self._by_id.pop(old.venue_id, None)
            if self._by_name.get(old.name) is old:
                del self._by_name[old.name]

    def live(self) -> Iterator[Known]:
        """Ours that have not ended, as far as we were told."""
        return (known for known in self._by_name.values() if not known.is_done)
