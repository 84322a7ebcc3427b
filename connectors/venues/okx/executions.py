"""What OKX's orders channel and lists say of orders and trades, in no venue's words.

https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-order-channel: a message is an order as it is now, and what
happened to it last. With a `tradeId` it tells one fill, which may be repeated and counts once; with an `amendResult`
the outcome of an amend, which may be repeated for its `reqId`; of a living order its state, whatever else it tells. A
trade is known by market and `tradeId`, here and in the lists.
"""

from decimal import Decimal
from typing import Final

from connectors.errors import WireError
from connectors.events import OrderStatus, RejectCode
from connectors.exchange.amounts import ms_ns
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.orders import OrderType
from connectors.venues.okx.markets import Markets
from connectors.venues.okx.names import our_id
from connectors.venues.okx.private import Fill, Order, amount, number

AMENDS_KEPT: Final = 1024
_SIDES: Final = {"buy": 1, "sell": -1}
_TYPES: Final = {
    "limit": OrderType.LIMIT, "market": OrderType.MARKET, "ioc": OrderType.IOC, "fok": OrderType.FOK,
    "post_only": OrderType.POST_ONLY,
}  # fmt: skip
_OPEN: Final = frozenset({"live", "partially_filled"})
_CANCELED: Final = frozenset({"canceled", "mmp_canceled"})
# why OKX cancels an order by itself; what a person did has no entry
_SOURCES: Final = {
    "0": "canceled by the system", "13": "fill or kill: it could not be filled", "14": "immediate or cancel",
    "15": "its price is beyond the limit", "20": "cancel all after: the dead-man's switch went off",
    "27": "price limit", "31": "post only: it would have taken liquidity", "32": "self-trade prevention",
    "33": "more matches than one order may make",
}  # fmt: skip
_POST_ONLY: Final = "31"


class Translator:
    """One session's."""

    def __init__(self, markets: Markets) -> None:
        self._markets = markets
        self._amends: dict[tuple[str, str], None] = {}  # (order, request): amends whose refusal was told

    # --- the channel -----------------------------------------------------------------------------------------------

    def told(self, order: Order) -> list[Told]:
        """Everything that one message says. Raises WireError."""
        if order.state not in _OPEN and order.state not in _CANCELED and order.state != "filled":
            return [self._of(order, order.state, ts=order.u_time)]
        said: list[Told] = []
        if order.amend_result == "-1" and self._is_new_refusal(order):
            said.append(self._of(order, Kind.AMEND_REJECTED, reason=_words(order), code=RejectCode.INVALID_PARAMS))
        if order.state in _OPEN:  # before its fill: one message may tell of an amend and of what it traded at once
            said.append(self._of(order, Kind.STATE, ts=order.u_time, px=number(order.px)))
        if order.trade_id:
            said.append(self._trade(order))
        if order.state in _CANCELED:
            said.append(self._canceled(order))
        elif order.state == "filled":
            said += [] if order.trade_id else [self._of(order, Kind.FILLED, ts=order.u_time)]
        return said

    def _is_new_refusal(self, order: Order) -> bool:
        key = (order.ord_id, order.req_id)
        if key in self._amends:
            return False
        if len(self._amends) >= AMENDS_KEPT:
            del self._amends[next(iter(self._amends))]
        self._amends[key] = None
        return True

    def _of(
        self, order: Order, kind: Kind | str, *, reason: str = "", code: RejectCode = RejectCode.UNKNOWN,
        ts: str = "", px: Decimal | None = None,
    ) -> Told:  # fmt: skip
        return Told(
            kind=kind, venue_id=order.ord_id, name=our_id(order.cl_ord_id), symbol=self._markets.symbol(order.inst_id),
            side=_side(order.side), qty=_quantity(order), px=px, cum=number(order.acc_fill_sz), reason=reason,
            code=code, ts_ns=ms_ns(ts) if ts else 0,
        )  # fmt: skip

    def _trade(self, order: Order) -> Told:
        fee = number(order.fill_fee)
        return Told(
            kind=Kind.TRADE, venue_id=order.ord_id, name=our_id(order.cl_ord_id),
            symbol=self._markets.symbol(order.inst_id), side=_side(order.side), qty=_quantity(order),
            cum=number(order.acc_fill_sz), exec_id=f"{order.inst_id}-{order.trade_id}",
            last_qty=amount(order.fill_sz), last_px=amount(order.fill_px),
            fees=((order.fill_fee_ccy, fee.copy_negate()),) if fee is not None else (),
            ts_ns=ms_ns(order.fill_time or order.u_time),
        )  # fmt: skip

    def _canceled(self, order: Order) -> Told:
        reason = order.cancel_source_reason or _SOURCES.get(order.cancel_source, "")
        if order.cancel_source and reason:
            reason = f"cancelSource {order.cancel_source}: {reason}"
        code = RejectCode.INVALID_PARAMS if order.cancel_source == _POST_ONLY else RejectCode.UNKNOWN
        return self._of(order, Kind.CANCELED, reason=reason or _words(order), code=code, ts=order.u_time)

    # --- the lists -------------------------------------------------------------------------------------------------

    def record(self, order: Order) -> RecordOrder:
        """Raises WireError."""
        cum = number(order.acc_fill_sz) or Decimal(0)
        if order.state in _OPEN:
            status = OrderStatus.OPEN
        elif order.state == "filled":
            status = OrderStatus.FILLED
        elif order.state in _CANCELED:
            status = OrderStatus.CANCELED
        else:
            raise WireError(f"order {order.ord_id:.40} has state {order.state!r:.40}")
        qty = _quantity(order)
        return RecordOrder(
            venue_id=order.ord_id, name=our_id(order.cl_ord_id), symbol=self._markets.symbol(order.inst_id),
            side=_side(order.side), order_type=_TYPES.get(order.ord_type, OTHER_TYPE), qty=cum if qty is None else qty,
            cum=cum, status=status, px=number(order.px) or Decimal(0), reason=_SOURCES.get(order.cancel_source, ""),
            opened_ns=ms_ns(order.c_time) if order.c_time else 0,
        )  # fmt: skip

    def fill(self, fill: Fill) -> Told:
        """Raises WireError."""
        fee = number(fill.fee)
        return Told(
            kind=Kind.TRADE, venue_id=fill.ord_id, name=our_id(fill.cl_ord_id),
            symbol=self._markets.symbol(fill.inst_id), side=_side(fill.side),
            exec_id=f"{fill.inst_id}-{fill.trade_id}", last_qty=amount(fill.fill_sz), last_px=amount(fill.fill_px),
            fees=((fill.fee_ccy, fee.copy_negate()),) if fee is not None else (),
            ts_ns=ms_ns(fill.fill_time or fill.ts),
        )  # fmt: skip


def _side(text: str) -> int:
    found = _SIDES.get(text)
    if found is None:
        raise WireError(f"side {text!r:.40}")
    return found


def _quantity(order: Order) -> Decimal | None:
    """None: a market order that buys for so much of the quote, which no order of ours does."""
    is_of_quote = order.tgt_ccy == "quote_ccy" or (
        not order.tgt_ccy and order.ord_type == "market" and order.side == "buy" and not order.cl_ord_id
    )
    return None if is_of_quote else amount(order.sz)


def _words(order: Order) -> str:
    return f"{order.code} {order.msg}".strip() if order.code not in ("", "0") else ""
