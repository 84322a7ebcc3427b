"""Money and orders as a guest must be shown them: Fractions, and a table in the ABI's words."""

from collections.abc import Mapping
from fractions import Fraction
from math import floor

from runtime.inputs import ActionRecord
from tests.support.algo_reference import ONE_1E8
from tests.support.session_records import Nested

PENDING, ACKED, PARTIAL, DEAD = range(4)


class Ledger:
    """Executions of one symbol, wherever they happened: money in whole units of 1e-17 (price 1e-9 × size 1e-8)."""

    def __init__(self) -> None:
        self.position = 0
        self.cost = Fraction(0)
        self.realized = Fraction(0)
        self.fills = 0
        self.start = Fraction(0)

    def fill(self, side: int, qty: int, px: int, fee_1e9: int) -> None:
        self.fills += 1
        self.realized -= fee_1e9 * ONE_1E8
        if self.position * side >= 0:
            self.cost += qty * px
        else:
            held = abs(self.position)
            closing = min(held, qty)
            out = Fraction(floor(self.cost * closing / held))  # the documented rounding: the rest stays in the cost
            self.realized += (closing * px - out) * (1 if self.position > 0 else -1)
            self.cost = self.cost - out if closing == qty else Fraction((qty - closing) * px)
        self.position += side * qty

    def unrealized(self, mid_sum: int) -> int:
        """At the mid, rounded down to a whole unit; 0 while there is no mid."""
        if not self.position or not mid_sum:
            return 0
        value = abs(self.position) * Fraction(mid_sum, 2)
        return floor(value - self.cost if self.position > 0 else self.cost - value)

    def session(self, mid_sum: int) -> Fraction:
        return self.realized + self.unrealized(mid_sum) - self.start

    def restart(self, mid_sum: int) -> None:
        self.start = self.realized + self.unrealized(mid_sum)

    def nested(self, mid_sum: int) -> Nested:
        """AlgoState's part of it, at its scales, rounded down."""
        return {
            "position_1e8": self.position,
            "avg_entry_1e9": floor(self.cost / abs(self.position)) if self.position else 0,
            "realized_pnl_1e9": floor(self.realized / ONE_1E8),
            "unrealized_pnl_1e9": floor(Fraction(self.unrealized(mid_sum), ONE_1E8)),
            "session_pnl_1e9": floor(self.session(mid_sum) / ONE_1E8),
            "total_fill_count": self.fills,
        }


class Entry:
    """One order in the table: PENDING until the venue took it, DEAD when it is over."""

    def __init__(self, order_id: int, side: int, qty: int, px: int) -> None:
        self.order_id, self.side, self.qty, self.px = order_id, side, qty, px
        self.filled = 0
        self.status = PENDING

    def nested(self) -> Nested:
        return {
            "order_id": self.order_id, "px_1e9": self.px, "qty_1e8": self.side * self.qty, "filled_1e8": self.filled,
            "side": self.side, "status": self.status,
        }  # fmt: skip


class Chase:
    """An aggressive chase (`runtime/intents.py`): first at the touch, then an eighth of the way further each time."""

    def __init__(self, side: int, limit: int, qty: int, touch: int, tick: int, symbol_idx: int) -> None:
        self.side, self.limit, self.left, self.symbol_idx = side, limit, qty, symbol_idx
        reach = max((limit - touch) * side, 0)
        self.step = max(-(-reach // (8 * tick)) * tick, tick)
        self.px = touch if reach else limit

    @property
    def is_over(self) -> bool:
        """Filled, or the limit price itself was asked."""
        return self.left <= 0 or self.px == self.limit

    def again(self, touch: int) -> None:
        """One step dearer, or where the market is if it ran away, but never beyond the limit."""
        nearest = max if self.side > 0 else min
        farthest = min if self.side > 0 else max
        self.px = farthest(nearest(self.px + self.side * self.step, touch), self.limit)


def next_order(
    chases: dict[tuple[int, int], Chase], record: ActionRecord, touch: tuple[int, ...], meta: Mapping[str, int] | None
) -> tuple[int, int]:
    """Price and quantity of a chase's next order, its first where the guest itself asked."""
    order_id, limit, qty, side = record.action[:4]
    bid, _, ask, _ = touch
    assert meta is not None
    key, near = (record.algo, order_id), ask if side > 0 else bid
    if record.by == "algo":
        chases[key] = Chase(side, limit, qty, near, meta["tick_size_1e9"], record.action[8])
    else:
        chases[key].again(near)
    return chases[key].px, chases[key].left
