"""What a look reads of an account before it is a Picture: the venue's record, in no venue's words."""

from decimal import Decimal
from typing import Final

import msgspec

from connectors.events import OrderStatus, VenueOrder, VenueTrade
from connectors.exchange.known import Known
from connectors.exchange.told import Told, price_of, said, size_of

OTHER_TYPE: Final = -1  # an order of a type that no guest knows


class RecordOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One order of the venue's record. `symbol`: BASE/QUOTE, or the venue's own where nobody here can tell.
    `order_type`: the guest's, or OTHER_TYPE. `px` 0: it has no limit. `status` FILLED counts as CANCELED where `cum` is
    less than `qty`."""

    venue_id: str
    name: str
    symbol: str
    side: int
    order_type: int
    qty: Decimal
    cum: Decimal
    status: OrderStatus
    px: Decimal = Decimal(0)
    reason: str = ""
    opened_ns: int = 0


class Pages:
    """What one look has read so far: by the venue's id, by `exec_id`, by currency.

    `since_ns`: from when on, by the venue's clock. `cursor`, `offset`, `page`, `promised`: the place in the list that
    is being read; every list begins with none.
    """

    def __init__(self, since_ns: int) -> None:
        self.since_ns = since_ns
        self.asked_ns = -1
        self.stage = 0
        self.turned = 0
        self.open: dict[str, RecordOrder] = {}
        self.closed: dict[str, RecordOrder] = {}
        self.trades: dict[str, Told] = {}
        self.totals: dict[str, int] = {}  # ×1e8, what open orders hold included
        self.begin()

    def begin(self) -> None:
        """Another list, from its beginning."""
        self.cursor = ""
        self.offset = self.page = 0
        self.promised = 0  # how many entries the list had when its first page was read

    def counted(self, here: int, read: int, count: int) -> bool:
        """Of a list that says how many entries it has, the newest first: whether it is read to its end, with everything
        that was in it when its first page was.

        New entries come in at its front and push the others to later pages, where they are read twice. Where some are
        missing at its end, it is read from the beginning once more.
        """
        if self.offset == 0:
            self.promised = count
        self.offset += here
        if here and self.offset < count:
            return False
        self.offset = 0
        return read >= self.promised


def order_of(index: int, order: RecordOrder) -> VenueOrder:
    """Raises NumberError for what cannot be held."""
    qty, cum = size_of(index, order.qty), size_of(index, order.cum)
    status = order.status
    if status is OrderStatus.FILLED and cum < qty:
        status = OrderStatus.CANCELED  # what is left of it will not trade
    return VenueOrder(
        client_order_id=order.name, venue_order_id=order.venue_id, instrument=index, symbol=order.symbol,
        side=order.side, order_type=order.order_type, px_1e9=price_of(index, order.px), qty_1e8=qty, cum_qty_1e8=cum,
        status=status, reason=order.reason, opened_ns=order.opened_ns,
    )  # fmt: skip


def trade_of(told: Told, known: Known, fee_1e9: int) -> VenueTrade:
    """One trade of an order of ours. Raises WireError."""
    index = known.instrument
    return VenueTrade(
        exec_id=told.exec_id, venue_order_id=told.venue_id or known.venue_id, client_order_id=known.name,
        instrument=index, side=told.side or known.side, qty_1e8=size_of(index, said(told.last_qty)),
        px_1e9=price_of(index, said(told.last_px)), fee_1e9=fee_1e9, ts_venue_ns=told.ts_ns,
    )  # fmt: skip
