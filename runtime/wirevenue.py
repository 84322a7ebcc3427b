"""The real venue, seen from the desk: the bytes of an approved order, and what its session says besides.

In the paper venue's place (`sim/paper.py`). What the venue answers comes from its session, later and as reports.
"""

from collections.abc import Sequence

from connectors.events import ExecReport, Trade
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import OrderEncoder, OrderSession, Output


class SessionVenue:
    """A venue with a private side: its session encodes, and follows what becomes of it."""

    is_busy = False  # no book fills an order here

    def __init__(self, orders: OrderSession) -> None:
        self._orders = orders

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Sequence[Output]:
        return self._orders.submit(approved, now_ns)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> Sequence[Output]:
        return self._orders.submit_many(approved, now_ns)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Sequence[Output]:
        return self._orders.amend(approved, now_ns)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Sequence[Output]:
        return self._orders.cancel(approved, now_ns)

    def over(self, client_order_id: str) -> None:
        self._orders.over(client_order_id)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Sequence[Output]:
        return self._orders.cancel_all(approved, now_ns)

    def on_book(self, instrument: int, now_ns: int) -> list[ExecReport]:
        del instrument, now_ns
        return []

    def on_trade(self, trade: Trade, now_ns: int) -> list[ExecReport]:
        del trade, now_ns
        return []


class WireVenue:
    """Encodes what was approved, for a venue without a private side of ours.

    Without an encoder no order can be written: whoever asks for one gets an error.
    """

    is_busy = False  # no book fills an order here

    def __init__(self, encoder: OrderEncoder | None, name: str) -> None:
        self._encoder = encoder
        self._name = name

    @property
    def _writer(self) -> OrderEncoder:
        if self._encoder is None:
            msg = f"{self._name} has no encoder: an order there was approved that cannot be written"
            raise ValueError(msg)
        return self._encoder

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Sequence[Output]:
        return [self._writer.submit(approved, now_ns)]

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Sequence[Output]:
        return [self._writer.amend(approved, now_ns)]

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Sequence[Output]:
        return [self._writer.cancel(approved, now_ns)]

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Sequence[Output]:
        return [self._writer.cancel_all(approved, now_ns)]

    def on_book(self, instrument: int, now_ns: int) -> list[ExecReport]:
        del instrument, now_ns
        return []

    def on_trade(self, trade: Trade, now_ns: int) -> list[ExecReport]:
        del trade, now_ns
        return []
