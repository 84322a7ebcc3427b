"""What a guest must have been shown, computed from actions, fills and books alone: an independent AlgoState.

Nothing of venuegate is imported. Layouts come from the published table of the crate's offsets (facts/abi.json); money
is Fractions; the order table follows the ABI's words: PENDING, ACKED, PARTIAL, and DEAD for exactly one more callback
that is handed the state.
"""

import struct
from fractions import Fraction
from math import floor
from typing import Any

ONE_1E8 = 10**8
CODES = {"u8": "B", "i8": "b", "u16": "H", "u32": "I", "i32": "i", "u64": "Q", "i64": "q"}
PENDING, ACKED, PARTIAL, DEAD = range(4)


class Layout:
    """Decodes one record by the offsets of the table."""

    def __init__(self, structs: dict[str, Any]) -> None:
        self._structs = structs

    def decode(self, name: str, raw: bytes) -> dict[str, Any]:
        return {field: self._value(spec, raw) for field, spec in self._structs[name]["fields"].items()}

    def _value(self, spec: dict[str, Any], raw: bytes) -> Any:
        kind, at = spec["type"], spec["offset"]
        if kind.startswith("["):
            item, count = kind[1:-1].split("; ")
            size = self._structs[item]["size"] if item in self._structs else struct.calcsize("<" + CODES[item])
            return [self._value({"type": item, "offset": at + k * size}, raw) for k in range(int(count))]
        if kind in self._structs:
            return self.decode(kind, raw[at : at + self._structs[kind]["size"]])
        return struct.unpack_from("<" + CODES[kind], raw, at)[0]


class Entry:
    def __init__(self, action: dict[str, Any]) -> None:
        self.order_id = action["order_id"]
        self.side = action["side"]
        self.px = 0 if action["order_type"] == "market" else action["px_1e9"]
        self.qty = action["qty_1e8"]
        self.filled = 0
        self.status = PENDING

    def row(self) -> tuple[int, ...]:
        return self.order_id, self.px, self.side * self.qty, self.filled, self.side, self.status


class Shown:
    """The state as it must look; `callback` says that a callback has been handed it."""

    def __init__(self, fixed: dict[str, Any]) -> None:
        self.fixed = fixed
        self.is_latched = False
        self.table: list[Entry] = []
        self.position = 0
        self.cost = Fraction(0)
        self.realized = Fraction(0)
        self.fills = 0
        self.mid: Fraction | None = None

    def entry(self, order_id: int) -> Entry:
        return next(entry for entry in self.table if entry.order_id == order_id and entry.status != DEAD)

    def fill(self, fill: dict[str, Any]) -> None:
        qty, px, side = fill["qty_1e8"], fill["px_1e9"], fill["side"]
        entry = self.entry(fill["order_id"])
        entry.filled += qty
        entry.status = DEAD if entry.filled == entry.qty else PARTIAL
        self.fills += 1
        self.realized -= fill["fee_1e9"] * ONE_1E8
        if self.position * side >= 0:
            self.cost += qty * px
        else:
            held = abs(self.position)
            closing = min(held, qty)
            out = Fraction(
                floor(self.cost * closing / held)
            )  # the documented rounding: what it leaves stays in the cost
            self.realized += (closing * px - out) * (1 if self.position > 0 else -1)
            self.cost = self.cost - out if closing == qty else Fraction((qty - closing) * px)
        self.position += side * qty

    def unrealized(self) -> Fraction:
        if not self.position or self.mid is None:
            return Fraction(0)
        value = abs(self.position) * self.mid
        return value - self.cost if self.position > 0 else self.cost - value

    def expected(self) -> dict[str, Any]:
        unrealized = floor(self.unrealized())  # whole units of 1e-17
        risk = self.fixed["risk"]
        self.is_latched = self.is_latched or -(self.realized + unrealized) > risk["max_daily_loss_1e9"] * ONE_1E8
        return self.fixed | {
            "risk": risk | {"reduce_only": int(self.is_latched)},
            "position_1e8": self.position,
            "avg_entry_1e9": floor(self.cost / abs(self.position)) if self.position else 0,
            "realized_pnl_1e9": floor(self.realized / ONE_1E8),
            "unrealized_pnl_1e9": floor(Fraction(unrealized, ONE_1E8)),
            "session_pnl_1e9": floor((self.realized + unrealized) / ONE_1E8),
            "total_fill_count": self.fills,
            "order_ct": len(self.table),
            "orders": [entry.row() for entry in self.table],
        }

    def callback(self) -> None:
        self.table = [entry for entry in self.table if entry.status != DEAD]


def seen(state: dict[str, Any]) -> dict[str, Any]:
    """A decoded state with its order table as rows, and proof that nothing stands behind the last one."""
    rows = [
        (o["order_id"], o["px_1e9"], o["qty_1e8"], o["filled_1e8"], o["side"], o["status"]) for o in state["orders"]
    ]
    assert all(row == (0, 0, 0, 0, 0, 0) for row in rows[state["order_ct"] :])
    return state | {"orders": rows[: state["order_ct"]]}
