"""What Binance says of orders, in no venue's words. https://developers.binance.com/docs/binance-spot-api-docs/user-data-stream

`c` is the order's name, but of an order that was cancelled or amended the name of whoever did that, and `C` then the
order's. A trade's number is unique at its market alone.
"""

from typing import Final

from connectors.errors import WireError
from connectors.events import Balance, Movement, OrderStatus, RejectCode
from connectors.exchange.amounts import amount_1e8, ms_ns
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.orders import OrderType
from connectors.session import Output
from connectors.venues.binance import private
from connectors.venues.binance.names import Names

VENUE: Final = "binance"
PREVENTED: Final = "self-trade prevention"
_SIDES: Final = {"BUY": 1, "SELL": -1}
_KINDS: Final = {
    "NEW": Kind.NEW, "TRADE": Kind.TRADE, "CANCELED": Kind.CANCELED, "EXPIRED": Kind.EXPIRED,
    "REJECTED": Kind.REJECTED, "REPLACED": Kind.AMENDED,
}  # fmt: skip
_RENAMED: Final = frozenset({"CANCELED", "REPLACED"})
_ENDED: Final = frozenset({"EXPIRED_IN_MATCH", "EXPIRED", "CANCELED"})
_CODES: Final = {
    "INSUFFICIENT_BALANCES": RejectCode.INSUFFICIENT_BALANCE,
    "WOULD_MATCH_IMMEDIATELY": RejectCode.INVALID_PARAMS,
    "STOP_PRICE_WOULD_TRIGGER_IMMEDIATELY": RejectCode.INVALID_PARAMS,
}
_TYPES: Final = {
    ("LIMIT", "GTC"): OrderType.LIMIT, ("LIMIT", "IOC"): OrderType.IOC, ("LIMIT", "FOK"): OrderType.FOK,
    ("LIMIT_MAKER", "GTC"): OrderType.POST_ONLY, ("MARKET", "GTC"): OrderType.MARKET,
}  # fmt: skip
_STATUSES: Final = {
    "NEW": OrderStatus.OPEN, "PENDING_NEW": OrderStatus.OPEN, "PARTIALLY_FILLED": OrderStatus.OPEN,
    "PENDING_CANCEL": OrderStatus.OPEN, "FILLED": OrderStatus.FILLED, "CANCELED": OrderStatus.CANCELED,
    "REJECTED": OrderStatus.CANCELED, "EXPIRED": OrderStatus.EXPIRED, "EXPIRED_IN_MATCH": OrderStatus.CANCELED,
}  # fmt: skip


def exec_id(symbol: str, trade_id: int) -> str:
    """The same in the stream and in the record."""
    return f"{symbol}-{trade_id}"


class Translator:
    """Binance's words to ours. Every method raises WireError for a word that matters and that nobody knows."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def told(self, event: private.Execution) -> Told:
        """One executionReport."""
        is_renamed = event.kind in _RENAMED and bool(event.original)
        return Told(
            kind=self._kind(event),
            venue_id=str(event.order_id),
            name=event.original if is_renamed else event.name,
            symbol=self._names.ours(event.symbol),
            side=_side(event.side),
            qty=event.qty,
            px=event.px or None,
            cum=event.cum,
            exec_id=exec_id(event.symbol, event.trade_id) if event.trade_id >= 0 else "",
            last_qty=event.last_qty,
            last_px=event.last_px,
            cost=event.cost or None,
            fees=((event.fee_in, event.fee),) if event.fee_in and event.fee else (),
            reason=self._reason(event),
            code=_CODES.get(event.reason, RejectCode.UNKNOWN),
            ts_ns=ms_ns(event.ms),
        )

    @staticmethod
    def _kind(event: private.Execution) -> Kind | str:
        """Self-trade prevention ends an order, or only takes some of it: that has no kind here, and makes a look."""
        if event.kind == "TRADE_PREVENTION" and event.status in _ENDED:
            return Kind.CANCELED
        return _KINDS.get(event.kind, event.kind)

    @staticmethod
    def _reason(event: private.Execution) -> str:
        if event.kind == "TRADE_PREVENTION":
            return PREVENTED
        reason = event.reason if event.reason != "NONE" else ""
        return reason or event.expiry

    def record(self, order: private.Order) -> RecordOrder:
        """One entry of a list of orders."""
        status = _STATUSES.get(order.status)
        if status is None:
            raise WireError(f"order {order.order_id} is {order.status!r:.40}")
        return RecordOrder(
            venue_id=str(order.order_id),
            name=order.name,
            symbol=self._names.ours(order.symbol),
            side=_side(order.side),
            order_type=_TYPES.get((order.kind, order.force), OTHER_TYPE),
            px=order.px,
            qty=order.qty,
            cum=order.cum,
            status=status,
            reason="" if order.status in ("NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED") else order.status,
            opened_ns=ms_ns(order.opened_ms),
        )

    def trade(self, trade: private.Trade) -> Told:
        """One entry of a list of trades, which knows its order by Binance's number alone."""
        return Told(
            kind=Kind.TRADE,
            venue_id=str(trade.order_id),
            is_named=False,
            symbol=self._names.ours(trade.symbol),
            side=1 if trade.is_buyer else -1,
            exec_id=exec_id(trade.symbol, trade.trade_id),
            last_qty=trade.qty,
            last_px=trade.px,
            cost=trade.cost,
            fees=((trade.fee_in, trade.fee),) if trade.fee else (),
            ts_ns=ms_ns(trade.ms),
        )


def _side(word: str) -> int:
    found = _SIDES.get(word)
    if found is None:
        raise WireError(f"side {word!r:.20}")
    return found


def balances(position: private.Position) -> list[Output]:
    """What is there of each currency that changed, what open orders hold included."""
    return [Balance(VENUE, one.asset, amount_1e8(one.free + one.locked)) for one in position.held]


def movement(moved: private.Moved) -> list[Output]:
    """Money that came or went without a trade."""
    ref = f"balanceUpdate-{moved.asset}-{moved.ms}-{moved.told_ms}"
    return [Movement(VENUE, ref, moved.asset, "balanceUpdate", amount_1e8(moved.amount), ts_venue_ns=ms_ns(moved.ms))]
