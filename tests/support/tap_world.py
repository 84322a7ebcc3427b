"""A point of exit by hand: a tap, and who approves, writes and sends around it."""

from typing import Any

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import Send
from connectors.venues.evm.asked import asked as evm_asked
from connectors.venues.kraken.asked import asked as kraken_asked
from connectors.venues.kraken.orders import KrakenOrders
from runtime.tap import CHECKS_OF_AN_ORDER, Tap

NAMES = ("kraken:BTC/USD", "kraken:ETH/USD", "other:BTC/USD", "dex_arb:BTC/USD", "dex_arb:pool/1")
READERS = {"kraken": kraken_asked, "other": kraken_asked, "dex_arb": evm_asked}
ENCODER = KrakenOrders([Instrument.parse("kraken", text) for text in ("BTC/USD:1:8", "ETH/USD:2:8", "BTC/USD:1:8")])
PING = b'{"method":"ping","req_id":7}'
Asking = NewOrder | AmendOrder | CancelOrder | CancelAll


def new(name: str = "vg-1", instrument: int = 0, **changes: Any) -> NewOrder:
    fields = {"order_id": 5, "side": 1, "px_1e9": 62_807 * 10**9, "qty_1e8": 1_250_000, "order_type": 0, **changes}
    return NewOrder(name, 0, instrument, **fields)


def amend(name: str = "vg-1", px: int = 62_808 * 10**9, qty: int = 10**6) -> AmendOrder:
    return AmendOrder(name, 0, 0, 5, 1, px, qty, "vg-2")


def cancel(name: str = "vg-1") -> CancelOrder:
    return CancelOrder(name, 0, 0, 5, "vg-3")


class Exit:
    """A tap, and the hands around it: `approve` is the gate's, `write` the encoder's, `leave` the socket's."""

    def __init__(self, silent: tuple[str, ...] = ("dex_arb",)) -> None:
        self.tap = Tap(READERS, NAMES, silent)
        self.number = 0

    def approve(self, order: Asking, checks: int | None = None) -> Approved[Any]:
        self.number += 1
        usual = 1 if isinstance(order, CancelOrder | CancelAll) else CHECKS_OF_AN_ORDER
        approved: Approved[Any] = Approved(order, self.number, 9, usual if checks is None else checks)
        self.tap.approved(approved)
        return approved

    @staticmethod
    def write(approved: Approved[Any]) -> Send:
        order = approved.order
        if isinstance(order, NewOrder):
            return ENCODER.submit(approved, 9)
        if isinstance(order, AmendOrder):
            return ENCODER.amend(approved, 9)
        return ENCODER.cancel(approved, 9) if isinstance(order, CancelOrder) else ENCODER.cancel_all(approved, 9)

    def leave(self, send: Send, venue: str = "kraken") -> str:
        return self.tap.leaving(venue, send.data, send.approval)

    def send(self, order: Asking, venue: str = "kraken") -> str:
        return self.leave(self.write(self.approve(order)), venue)
