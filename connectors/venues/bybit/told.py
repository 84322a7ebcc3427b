"""Bybit's orders and executions in nobody's words. https://bybit-exchange.github.io/docs/v5/websocket/private/order

The order topic says what an order is now; what it traded, the execution topic says, before or after it. A cancel that
raced a fill brings `Filled` twice. A post-only order that would have traded is accepted, and then cancelled.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus, RejectCode
from connectors.exchange.amounts import ms_ns
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.instrument import Instrument
from connectors.orders import OrderType
from connectors.session import TradingPlan
from connectors.venues.bybit import private
from connectors.venues.bybit.private import number, signed

_SIDES: Final = {"Buy": 1, "Sell": -1}
_TYPES: Final = {
    "GTC": OrderType.LIMIT, "IOC": OrderType.IOC, "FOK": OrderType.FOK, "PostOnly": OrderType.POST_ONLY,
}  # fmt: skip
_KINDS: Final = {
    "New": Kind.STATE,
    "PartiallyFilled": Kind.STATE,
    "Untriggered": Kind.STATUS,
    "Triggered": Kind.STATUS,
    "Rejected": Kind.REJECTED,
    "Filled": Kind.FILLED,
    "Cancelled": Kind.CANCELED,
    "PartiallyFilledCanceled": Kind.CANCELED,
    "Deactivated": Kind.CANCELED,
}
_STATUS: Final = {
    Kind.STATE: OrderStatus.OPEN,
    Kind.STATUS: OrderStatus.OPEN,
    Kind.FILLED: OrderStatus.FILLED,
    Kind.CANCELED: OrderStatus.CANCELED,
    Kind.REJECTED: OrderStatus.CANCELED,
}
_NO_REASON: Final = frozenset({"", "EC_NoError", "UNKNOWN"})
# of a cancellation, or rejection, that is a refusal
_CODES: Final = {
    "EC_PostOnlyWillTakeLiquidity": RejectCode.INVALID_PARAMS,
    "EC_LimitOrderInvalidPrice": RejectCode.INVALID_PARAMS,
    "EC_InvalidPriceScale": RejectCode.INVALID_PARAMS,
    "EC_QtyCannotBeZero": RejectCode.INVALID_PARAMS,
    "EC_DuplicatedClOrdID": RejectCode.INVALID_PARAMS,
    "EC_InvalidSymbolStatus": RejectCode.EXCHANGE_BUSY,
    "EC_InCallAuctionStatus": RejectCode.EXCHANGE_BUSY,
    "EC_SecurityStatusFail": RejectCode.EXCHANGE_BUSY,
    "EC_ReachMaxTradeNum": RejectCode.EXCHANGE_BUSY,
    "EC_ReachRiskPriceLimit": RejectCode.INVALID_PARAMS,
    "EC_ReachMarketPriceLimit": RejectCode.INVALID_PARAMS,
}


class Translator:
    """Knows the followed markets by Bybit's names; `instruments` may learn them while the session runs."""

    def __init__(self, plan: TradingPlan) -> None:
        self._symbols = plan.symbols
        self._instruments: Sequence[Instrument | None] = plan.instruments

    def symbol(self, name: str) -> str:
        """Ours of Bybit's; Bybit's own where it is not followed."""
        for index, symbol in self._symbols:
            instrument = self._instruments[index] if index < len(self._instruments) else None
            if name == ((instrument.venue_symbol if instrument else "") or symbol.replace("/", "")):
                return symbol
        return name

    # --- the streams -------------------------------------------------------------------------------------------------

    def told_order(self, item: msgspec.Raw) -> Told:
        """One item of the order topic. Raises WireError."""
        try:
            return self.order(private.decode_order(item))
        except msgspec.MsgspecError as error:
            raise WireError(str(error)) from error

    def told_execution(self, item: msgspec.Raw) -> Told:
        """One item of the execution topic. Raises WireError."""
        try:
            return self.execution(private.decode_execution(item))
        except msgspec.MsgspecError as error:
            raise WireError(str(error)) from error

    def order(self, order: private.Order) -> Told:
        """Raises WireError."""
        kind: Kind | str = _KINDS.get(order.order_status, f"orderStatus {order.order_status}")
        is_market = order.order_type == "Market"
        cum = number(order.cum_exec_qty) if order.cum_exec_qty else None
        return Told(
            kind=kind, venue_id=order.order_id, name=order.order_link_id, symbol=self.symbol(order.symbol),
            side=_side(order.side), qty=None if is_market else number(order.qty),
            px=None if is_market else number(order.price), cum=cum,
            reason=_reason(order), code=_CODES.get(order.reject_reason, RejectCode.UNKNOWN),
            ts_ns=ms_ns(order.updated_time) if order.updated_time else 0,
        )  # fmt: skip

    def execution(self, item: private.Execution) -> Told:
        """Raises WireError."""
        kind: Kind | str = Kind.TRADE if item.exec_type == "Trade" else f"execType {item.exec_type}"
        symbol, side = self.symbol(item.symbol), _side(item.side)
        fee = signed(item.exec_fee)
        currency = item.fee_currency or _fee_currency(symbol, side, is_inverted=item.is_maker and fee < 0)
        return Told(
            kind=kind, venue_id=item.order_id, name=item.order_link_id, symbol=symbol, side=side, exec_id=item.exec_id,
            qty=number(item.order_qty) if item.order_qty and item.order_type != "Market" else None,
            last_qty=number(item.exec_qty), last_px=number(item.exec_price),
            cost=number(item.exec_value) if item.exec_value else None,
            fees=((currency, fee),) if fee and currency else (), ts_ns=ms_ns(item.exec_time),
        )  # fmt: skip

    # --- the record --------------------------------------------------------------------------------------------------

    def record(self, order: private.Order) -> RecordOrder:
        """Raises WireError for a status that Bybit does not document."""
        kind = _KINDS.get(order.order_status)
        if kind is None:
            raise WireError(f"order {order.order_id} has status {order.order_status!r:.40}")
        return RecordOrder(
            venue_id=order.order_id, name=order.order_link_id, symbol=self.symbol(order.symbol),
            side=_side(order.side), order_type=_order_type(order), qty=number(order.qty),
            cum=number(order.cum_exec_qty), status=_STATUS[kind],
            px=number(order.price) if order.order_type == "Limit" else number(""), reason=_reason(order),
            opened_ns=ms_ns(order.created_time) if order.created_time else 0,
        )  # fmt: skip


def _side(text: str) -> int:
    found = _SIDES.get(text)
    if found is None:
        raise WireError(f"side {text!r:.20} is neither Buy nor Sell")
    return found


def _reason(order: private.Order) -> str:
    return next((text for text in (order.reject_reason, order.cancel_type) if text not in _NO_REASON), "")


def _fee_currency(symbol: str, side: int, *, is_inverted: bool) -> str:
    """Where Bybit does not say it: the buyer pays in base, the seller in quote; a maker's rebate is the other one.

    https://bybit-exchange.github.io/docs/v5/enum#spot-fee-currency-instruction; "": the currencies are not known.
    """
    base, slash, quote = symbol.partition("/")
    if not slash:
        return ""
    return base if (side > 0) is not is_inverted else quote


def _order_type(order: private.Order) -> int:
    if order.stop_order_type not in ("", "UNKNOWN"):
        return OTHER_TYPE
    if order.order_type == "Market":
        return OrderType.MARKET
    return _TYPES.get(order.time_in_force, OTHER_TYPE) if order.order_type == "Limit" else OTHER_TYPE
