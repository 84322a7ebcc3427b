"""One order under judgement, with what the table's words mean for it."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.orders import OrderType
from risk.denial import DenyReason
from tests.reference.markets import Place, Trader
from tests.reference.orders import Order

Seen = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """No. `seen`: scope → (limit, observed) of each that objects at once; None where the table leaves them open,
    as an empty `key` does.

    `instead`: what may be said as well, where an input is missing.
    """

    reason: DenyReason
    key: str = ""
    seen: Seen | None = None
    instead: tuple[DenyReason, ...] = ()


@dataclass(slots=True)
class Case:
    """`amended` is the order that an amend is about. `open_by`: (algo or None, market, side) → open quantity."""

    trader: Trader
    place: Place
    side: int
    px: int
    qty: int
    kind: int
    now: int
    amended: Order | None = None
    open_by: dict[tuple[int | None, int, int], int] = field(default_factory=dict)
    account_qty: int = 0
    own_qty: int = 0
    labels: tuple[str, ...] = ()

    @property
    def more(self) -> int:
        """How much more than before would be open."""
        amended = self.amended
        return self.qty if amended is None else max(self.qty - amended.filled - amended.leaves, 0)

    @property
    def is_shrinking(self) -> bool:
        """An amend to the same price and a smaller total, of an order whose price and total are certain."""
        order = self.amended
        return order is not None and not order.waiting and order.px == self.px and self.qty < order.total

    def _only_reduces(self, algo: int | None, held: int) -> bool:
        waiting = self.open_by.get((algo, self.place.index, self.side), 0)
        return self.side * held < 0 and self.side * held + waiting + self.more <= 0

    @property
    def reduces(self) -> bool:
        return self.is_shrinking or self._only_reduces(None, self.account_qty)

    @property
    def reduces_own(self) -> bool:
        return self.is_shrinking or self._only_reduces(self.trader.index, self.own_qty)

    @property
    def reach(self) -> int:
        """The worst price it may trade at: of a market order the last level that it needs, or the last there is."""
        if self.kind != OrderType.MARKET:
            return self.px
        left, last = self.qty, 0
        for px, size in self.place.shown(self.side):
            left, last = left - size, px
            if left <= 0:
                break
        return last

    @property
    def value_px(self) -> int:
        """The dearer of reach and touch."""
        bid, ask = self.place.touch()
        return max(self.reach, ask if self.side > 0 else bid)
