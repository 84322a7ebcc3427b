"""Positions at average cost, in exact numbers: integers where they divide, fractions where they do not.

Twice the money at 1e-17, so that half a mid is an integer, too.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

Number = int | Fraction


def shared(amount: Number, part: int, whole: int) -> Number:
    """amount × part / whole, exactly."""
    if isinstance(amount, int) and amount * part % whole == 0:
        return amount * part // whole
    return Fraction(amount) * part / whole


@dataclass(slots=True)
class Held:
    """One market's position. `cost2` has its sign; `roughs` counts the closings that no integer could share exactly.

    `cash2` is all that was ever paid and received: with the position's worth it is the PnL, however cost is shared.
    """

    qty: int = 0
    cash2: int = 0
    cost2: Number = 0
    realized2: Number = 0
    roughs: int = 0

    def trade(self, side: int, size: int, px: int, fee: int) -> None:
        """One execution: sizes ×1e8, prices and fees ×1e9."""
        self.realized2 -= 2 * fee * 10**8
        signed = side * size
        self.cash2 -= 2 * (signed * px + fee * 10**8)
        if self.qty * signed >= 0:
            self.qty += signed
            self.cost2 += 2 * signed * px
            return
        closed = min(abs(self.qty), size)
        freed = shared(self.cost2, closed, abs(self.qty))
        self.roughs += not isinstance(freed, int)
        self.realized2 += 2 * -side * closed * px - freed
        self.cost2 -= freed
        self.qty += side * closed
        if size > closed:
            self.qty = side * (size - closed)
            self.cost2 = 2 * self.qty * px

    def total2(self, mid2: int | None) -> int | None:
        """Realised and unrealised; None while a position has no mark."""
        if self.qty == 0:
            return self.cash2
        return None if mid2 is None else self.cash2 + self.qty * mid2


@dataclass(slots=True)
class Ledger:
    """The day of one scope in one quote currency; its start is None until every price of it is known.

    `latches`: reason → loss or fall it latched with (twice 1e-17).
    """

    start2: int | None = None
    peak2: int = 0
    latches: dict[str, int] = field(default_factory=dict)
