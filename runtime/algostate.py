"""The guest's `AlgoState`: 1,576 bytes kept current by the changes alone, one record per algo and instrument.

Written before the callback that tells of a change. The order table is dense: `order_ct` entries from the front. A
finished order stands there as DEAD for exactly one callback that is handed this record, then its place is free.
"""

from typing import Final

from connectors.instrument import Instrument
from oms.manager import Order
from oms.position import Position
from oms.state import TERMINAL, OrderState
from risk.limits import Limits
from runtime import abi
from runtime.abi import GuestStatus

_pack_order = abi.OPEN_ORDER.pack_into
_ORDERS_AT: Final = abi.ORDERS_AT
_ORDER_BYTES: Final = abi.ORDER_BYTES
_COUNT_AT: Final = abi.ORDER_CT_AT
_I64_MAX: Final = 2**63 - 1
_UNREALIZED: Final = abi.UNREALIZED_AT // 8
_SESSION: Final = abi.SESSION_AT // 8


def guest_status(order: Order) -> GuestStatus:
    """What a guest sees of our state: an order in doubt is PENDING, one being cancelled is still what it was."""
    if order.state in TERMINAL:
        return GuestStatus.DEAD
    if order.state in (OrderState.PENDING_NEW, OrderState.UNKNOWN):
        return GuestStatus.PENDING
    return GuestStatus.PARTIAL if order.filled_1e8 else GuestStatus.ACKED


class AlgoState:
    """`buffer` is handed to the guest as it stands."""

    __slots__ = ("_marked", "_table", "_words", "buffer", "dead", "symbol_id")

    def __init__(self, symbol_id: int, limits: Limits) -> None:
        self.buffer = bytearray(abi.STATE_BYTES)
        self.symbol_id = symbol_id
        self._words = memoryview(self.buffer).cast("q")
        self._table: list[Order] = []
        self.dead = 0
        self._marked = False
        self.buffer[abi.SYMBOL_ID_AT : abi.SYMBOL_ID_AT + 2] = symbol_id.to_bytes(2, "little")
        self.limits(limits, reduce_only=False)

    def limits(self, limits: Limits, *, reduce_only: bool) -> None:
        """RiskSnapshot: what the gate will hold this algo to."""
        abi.RISK.pack_into(
            self.buffer, abi.RISK_AT,
            limits.max_position_1e8, limits.max_daily_loss_1e9, limits.max_order_notional_1e9, limits.max_order_rate,
            int(reduce_only),
        )  # fmt: skip

    def instrument(self, instrument: Instrument) -> None:
        """SymbolMeta and the symbol's name."""
        abi.SYMBOL_META.pack_into(
            self.buffer, abi.SYMBOL_AT,
            instrument.tick_size_1e9, instrument.lot_size_1e8, instrument.min_qty_1e8, instrument.min_notional_1e9,
            instrument.price_precision, instrument.size_precision,
        )  # fmt: skip
        name = instrument.guest_name.encode()[: abi.SYMBOL_NAME_BYTES].ljust(abi.SYMBOL_NAME_BYTES, b"\0")
        self.buffer[abi.SYMBOL_NAME_AT : abi.SYMBOL_NAME_AT + abi.SYMBOL_NAME_BYTES] = name

    # --- money -----------------------------------------------------------------------------------------------------

    def position(self, position: Position) -> None:
        """After a fill or at the turn of the day: everything that follows from executions."""
        abi.POSITION.pack_into(
            self.buffer, 0,
            _fit(position.qty_1e8), position.avg_entry_1e9, _fit(position.realized_1e9), _fit(position.unrealized_1e9),
        )  # fmt: skip
        self._words[_SESSION] = _fit(position.session_1e9)
        self._words[_SESSION + 1] = position.fill_count
        self._marked = position.qty_1e8 != 0

    def mark(self, position: Position) -> None:
        """After the mid moved: unrealised and session PnL."""
        if position.qty_1e8 or self._marked:
            self._words[_UNREALIZED] = _fit(position.unrealized_1e9)
            self._words[_SESSION] = _fit(position.session_1e9)

    # --- orders ----------------------------------------------------------------------------------------------------

    def add(self, order: Order, status: GuestStatus = GuestStatus.PENDING) -> None:
        """A new entry at the end, by default of an order that was just sent.

        The gate keeps open and not yet shown finished orders at 32 together. Should 32 stand there all the same, the
        order is not shown: behind the table lies other money.
        """
        if len(self._table) >= abi.ORDERS_MAX:
            return
        slot = order.slot = len(self._table)
        self._table.append(order)
        self.buffer[_COUNT_AT] = slot + 1
        new = order.new
        side = new.side
        _pack_order(
            self.buffer, _ORDERS_AT + slot * _ORDER_BYTES,
            new.order_id, order.px_1e9, side * order.qty_1e8, order.filled_1e8, side, status,
        )  # fmt: skip

    def update(self, order: Order) -> bool:
        """Rewrites the order's entry, if it has one; True when it now stands there DEAD and did not before."""
        slot = order.slot
        if slot < 0:
            return False
        status = guest_status(order)
        at = abi.ORDERS_AT + slot * abi.ORDER_BYTES
        is_new = status is GuestStatus.DEAD and self.buffer[at + 33] != GuestStatus.DEAD
        self.dead += is_new
        abi.OPEN_ORDER.pack_into(
            self.buffer,
            at,
            order.order_id,
            order.px_1e9,
            order.side * order.qty_1e8,
            order.filled_1e8,
            order.side,
            status,
        )
        return is_new

    def sweep(self) -> int:
        """After a callback: entries that were shown DEAD make room; returns how many."""
        swept = self.dead
        kept = [order for order in self._table if not order.is_finished]
        for order in self._table:
            order.slot = -1
        self._table = []
        self.dead = 0
        self.buffer[abi.ORDERS_AT : abi.ORDER_CT_AT] = bytes(abi.ORDER_CT_AT - abi.ORDERS_AT)
        self.buffer[abi.ORDER_CT_AT] = 0
        for order in kept:
            self.add(order, guest_status(order))
        return swept


def _fit(amount: int) -> int:
    """A record's i64 cannot hold more; a position that large was refused long before."""
    return max(-_I64_MAX, min(amount, _I64_MAX))
