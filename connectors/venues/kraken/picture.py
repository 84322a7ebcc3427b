"""What a look asks Kraken for. https://docs.kraken.com/api/docs/rest-api/get-open-orders

Open orders, closed orders and trades since a time (pages of 50, the newest first, each with their count), balances.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus
from connectors.exchange.amounts import amount_1e8, seconds_ns
from connectors.exchange.look import Part
from connectors.exchange.record import OTHER_TYPE, Pages, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.orders import OrderType
from connectors.venues.kraken import private
from connectors.venues.kraken.names import Names, asset

SECOND: Final = 10**9
_SIDES: Final = {"buy": 1, "sell": -1}
_STATUS: Final = {"open": OrderStatus.OPEN, "pending": OrderStatus.OPEN, "closed": OrderStatus.FILLED,
                  "canceled": OrderStatus.CANCELED, "expired": OrderStatus.EXPIRED}  # fmt: skip
_IN_FORCE: Final = {"IOC": OrderType.IOC, "FOK": OrderType.FOK}


class Lists:
    """The four lists of the account."""

    def __init__(self, names: Names) -> None:
        self._names = names
        self._parts = (
            Part("OpenOrders", lambda _: (_path("OpenOrders"), ""), self._open),
            Part("ClosedOrders", _closed_since, self._closed),
            Part("TradesHistory", _traded_since, self._trades),
            Part("BalanceEx", lambda _: (_path("BalanceEx"), ""), self._held),
        )

    def parts(self) -> Sequence[Part]:
        return self._parts

    def _open(self, pages: Pages, result: msgspec.Raw) -> bool:
        found = private.decode_open(result).open  # this list has no pages
        pages.open = {venue_id: self._order(venue_id, order) for venue_id, order in found.items()}
        return True

    def _closed(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_closed(result)
        pages.closed.update((venue_id, self._order(venue_id, order)) for venue_id, order in page.closed.items())
        return pages.counted(len(page.closed), len(pages.closed), page.count)

    def _trades(self, pages: Pages, result: msgspec.Raw) -> bool:
        page = private.decode_trades(result)
        pages.trades.update((exec_id, self._trade(exec_id, trade)) for exec_id, trade in page.trades.items())
        return pages.counted(len(page.trades), len(pages.trades), page.count)

    @staticmethod
    def _held(pages: Pages, result: msgspec.Raw) -> bool:
        for code, held in private.decode_held(result).items():
            pages.totals[asset(code)] = pages.totals.get(asset(code), 0) + amount_1e8(held.balance)
        return True

    def _order(self, venue_id: str, order: private.RestOrder) -> RecordOrder:
        """Raises WireError for a status that Kraken does not document."""
        status = _STATUS.get(order.status)
        if status is None:
            raise WireError(f"order {venue_id} has status {order.status!r:.40}")
        return RecordOrder(
            venue_id=venue_id, name=order.cl_ord_id or "",
            symbol=self._names.symbol(order.descr.pair) or order.descr.pair, side=_SIDES[order.descr.type],
            order_type=_order_type(order), qty=order.vol, cum=order.vol_exec, status=status, px=order.descr.price,
            reason=order.reason or "", opened_ns=seconds_ns(order.opentm),
        )  # fmt: skip

    def _trade(self, exec_id: str, trade: private.RestTrade) -> Told:
        """At a market that is not followed the currencies have no certain name here: the socket tells those."""
        symbol = self._names.symbol(trade.pair)
        return Told(
            kind=Kind.TRADE, venue_id=trade.ordertxid, symbol=symbol, side=_SIDES[trade.type], exec_id=exec_id,
            last_qty=trade.vol, last_px=trade.price, cost=trade.cost, fees=((symbol.partition("/")[2], trade.fee),),
            ts_ns=seconds_ns(trade.time),
        )  # fmt: skip


def _path(method: str) -> str:
    return f"/0/private/{method}"


def _start(pages: Pages) -> int:
    return max(pages.since_ns // SECOND - 1, 0)  # exclusive, and whole seconds


def _closed_since(pages: Pages) -> tuple[str, str]:
    return _path("ClosedOrders"), f"start={_start(pages)}&closetime=close&ofs={pages.offset}"


def _traded_since(pages: Pages) -> tuple[str, str]:
    return _path("TradesHistory"), f"start={_start(pages)}&consolidate_taker=false&ofs={pages.offset}"


def _order_type(order: private.RestOrder) -> int:
    kind = order.descr.ordertype
    if kind == "market":
        return OrderType.MARKET
    if kind != "limit":
        return OTHER_TYPE
    if "post" in order.oflags.split(","):
        return OrderType.POST_ONLY
    return _IN_FORCE.get(order.timeinforce.upper(), OrderType.LIMIT)
