"""What the hosted account says: orders, fills and balances of ccxt's unified form, every number as a text.

Streams come on the private link, answers on REST, both from `runtime/hosted/`.
"""

from decimal import Decimal

import msgspec

from connectors.errors import WireError
from connectors.events import OrderStatus
from connectors.exchange.record import OTHER_TYPE, RecordOrder
from connectors.exchange.told import Kind, Told
from connectors.orders import OrderType

_STATUS = {
    "open": OrderStatus.OPEN, "closed": OrderStatus.FILLED, "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.OPEN, "expired": OrderStatus.EXPIRED, "rejected": OrderStatus.CANCELED,
}  # fmt: skip
_ENDS = {OrderStatus.CANCELED: Kind.CANCELED, OrderStatus.EXPIRED: Kind.EXPIRED, OrderStatus.FILLED: Kind.FILLED}
_SIDES = {"buy": 1, "sell": -1}
_IN_FORCE = {"IOC": OrderType.IOC, "FOK": OrderType.FOK, "PO": OrderType.POST_ONLY}

# {"id":"8231","name":"vg1a2b3c-1","symbol":"BTC/USDT","side":"buy","type":"limit","tif":"GTC","status":"open",
#  "price":"62000.0","amount":"0.01","filled":"0.0","ms":1755338645123}


class Order(msgspec.Struct, frozen=True):
    """One order as ccxt tells it; texts are "" where it does not know."""

    id: str
    name: str = ""
    symbol: str = ""
    side: str = ""
    type: str = ""
    tif: str = ""
    status: str = ""
    price: Decimal | None = None
    amount: Decimal | None = None
    filled: Decimal | None = None
    is_post_only: bool = False
    ms: int = 0


class Fee(msgspec.Struct, frozen=True):
    """What one fill cost, in whichever currency."""

    currency: str
    cost: Decimal


# {"id":"77","order":"8231","symbol":"BTC/USDT","side":"buy","price":"62000.0","amount":"0.004","cost":"248.0",
#  "fees":[{"currency":"USDT","cost":"0.248"}],"ms":1755338658657}


class Fill(msgspec.Struct, frozen=True):
    """One execution."""

    id: str
    order: str = ""
    symbol: str = ""
    side: str = ""
    price: Decimal | None = None
    amount: Decimal | None = None
    cost: Decimal | None = None
    fees: list[Fee] = []
    ms: int = 0


class Orders(msgspec.Struct, tag_field="op", tag="orders"):
    """{"op":"orders","orders":[…]}: orders that changed."""

    orders: list[Order]


class Fills(msgspec.Struct, tag_field="op", tag="fills"):
    """{"op":"fills","fills":[…]}: executions, of which some may have been told before."""

    fills: list[Fill]


class Balance(msgspec.Struct, tag_field="op", tag="balance"):
    """{"op":"balance","total":{"USDT":"1000.0"}}: what the account has, what open orders hold included."""

    total: dict[str, Decimal]


class Failed(msgspec.Struct, tag_field="op", tag="failed"):
    """A stream that ended, or never began. `error`: the class of ccxt's exception."""

    channel: str
    symbol: str = ""
    error: str = ""
    text: str = ""


class Alive(msgspec.Struct, tag_field="op", tag="alive"):
    """Once a second, while every socket that ccxt has opened is open."""


class Refused(msgspec.Struct, frozen=True):
    """The body of an answer with another status than 200."""

    error: str
    text: str = ""


decode = msgspec.json.Decoder(Orders | Fills | Balance | Failed | Alive).decode
decode_refused = msgspec.json.Decoder(Refused).decode
decode_order = msgspec.json.Decoder(Order).decode
decode_orders = msgspec.json.Decoder(list[Order]).decode
decode_fills = msgspec.json.Decoder(list[Fill]).decode
decode_totals = msgspec.json.Decoder(dict[str, Decimal]).decode


def told_of(order: Order) -> Told:
    """What an order's message tells: that it is there, or has ended; its fills are told by themselves."""
    status = _STATUS.get(order.status)
    kind = Kind.NEW if status is None or status is OrderStatus.OPEN else _ENDS[status]
    if order.status == "rejected":
        kind = Kind.REJECTED
    return Told(
        kind=kind, venue_id=order.id, name=order.name, is_named=False, symbol=order.symbol,
        side=_SIDES.get(order.side, 0), qty=order.amount, px=order.price, cum=order.filled,
        reason=order.status, ts_ns=order.ms * 10**6,
    )  # fmt: skip


def trade_of(fill: Fill) -> Told:
    """Raises WireError for a fill without what every fill has."""
    if not fill.id or not fill.symbol:
        raise WireError(f"a fill of order {fill.order} without id or symbol")
    return Told(
        kind=Kind.TRADE, venue_id=fill.order, is_named=False, symbol=fill.symbol, side=_SIDES.get(fill.side, 0),
        exec_id=f"{fill.symbol}-{fill.id}", last_qty=fill.amount, last_px=fill.price,
        cost=fill.cost, fees=tuple((fee.currency, fee.cost) for fee in fill.fees if fee.currency),
        ts_ns=fill.ms * 10**6,
    )  # fmt: skip


def record_of(order: Order) -> RecordOrder:
    """Raises WireError for an order without what every order has."""
    status, side = _STATUS.get(order.status), _SIDES.get(order.side)
    qty = order.amount if order.amount is not None else order.filled  # placed by its cost: somebody else's
    if status is None or qty is None or side is None or not order.symbol:
        raise WireError(
            f"order {order.id} without symbol, side, amount or a status that is known: {order.status!r:.40}"
        )
    kind = OrderType.MARKET if order.type == "market" else OTHER_TYPE
    if order.type == "limit":
        kind = OrderType.POST_ONLY if order.is_post_only else _IN_FORCE.get(order.tif, OrderType.LIMIT)
    return RecordOrder(
        venue_id=order.id, name=order.name, symbol=order.symbol, side=side, order_type=int(kind), qty=qty,
        cum=order.filled or Decimal(0), status=status, px=order.price or Decimal(0),
        reason="" if order.status == "open" else order.status, opened_ns=order.ms * 10**6,
    )  # fmt: skip
