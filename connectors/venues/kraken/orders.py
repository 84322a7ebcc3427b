"""Kraken's trading requests, from approved orders to bytes. https://docs.kraken.com/api/docs/websocket-v2/add_order

Numbers are JSON numbers written as plain digits with the pair's own decimals: a string is refused by Kraken, an
exponent is not documented. The token is a placeholder; `runtime/net.py` puts the secret in. Whatever makes or changes
an order carries a deadline: after it the engine will not act on the request any more, so that what was not answered by
then can be looked for once and for all.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.exchange.templates import PRICE_ONE, SIZE_ONE, Template, Templates, digits
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.venues.kraken.stamp import Stamp

LINK = "private"
DEADLINE_NS: Final = 5 * 10**9  # after the approval; Kraken takes 0.5 … 60 s
STP_TYPES: Final = ("cancel_newest", "cancel_oldest", "cancel_both")
_TOKEN = b'"token":"{secret:ws_token}"}'
_DEADLINE = b',"deadline":"%s.%03dZ"'

_MARKET = int(OrderType.MARKET)
# order_type, time_in_force and post_only of each of the guest's types
_TERMS = {
    OrderType.LIMIT: (b"limit", b',"time_in_force":"gtc"'),
    OrderType.MARKET: (b"market", b""),
    OrderType.IOC: (b"limit", b',"time_in_force":"ioc"'),
    OrderType.FOK: (b"limit", b',"time_in_force":"fok"'),
    OrderType.POST_ONLY: (b"limit", b',"time_in_force":"gtc","post_only":true'),
}


class _Template(Template):
    """What is the same in every order of one instrument, as formats: one operation prints an order."""

    __slots__ = ("amend", "batch", "leg", "submit")

    def __init__(self, instrument: Instrument, stp_type: bytes, validate: bytes) -> None:
        super().__init__(instrument)
        symbol = msgspec.json.encode(instrument.symbol).replace(b"%", b"%%")
        price, size = digits(instrument.price_precision), digits(instrument.size_precision)
        parts = {
            (int(order_type), side): (
                b'"order_type":"%s","side":"%s"' % (kind, b"buy" if side > 0 else b"sell"),
                b'%s,"stp_type":"%s"' % (terms, stp_type),
                b"" if order_type is OrderType.MARKET else b',"limit_price":' + price,
            )
            for order_type, (kind, terms) in _TERMS.items()
            for side in (1, -1)
        }
        self.submit = {
            key: b"".join(
                (b'{"method":"add_order","params":{', head, b',"symbol":', symbol, terms, limit, b',"order_qty":', size,
                 b',"cl_ord_id":"%s"', _DEADLINE, validate, b",", _TOKEN, b',"req_id":%d}')
            )
            for key, (head, terms, limit) in parts.items()
        }  # fmt: skip
        self.leg = {
            key: b"".join((b"{", head, terms, limit, b',"order_qty":', size, b',"cl_ord_id":"%s"}'))
            for key, (head, terms, limit) in parts.items()
        }
        self.batch = b"".join(
            (b'{"method":"batch_add","params":{"symbol":', symbol, b',"orders":[%s]', _DEADLINE, validate, b",", _TOKEN,
             b',"req_id":%d}')
        )  # fmt: skip
        self.amend = b"".join(
            (b'{"method":"amend_order","params":{"cl_ord_id":"%s","limit_price":', price, b',"order_qty":', size,
             _DEADLINE, b",", _TOKEN, b',"req_id":%d}')
        )  # fmt: skip


class KrakenOrders:
    """`OrderEncoder` for Kraken; an order's `instrument` indexes `instruments`, whose metadata may change.

    `options`: `stp_type` (which of two orders of the account that would trade with each other is cancelled;
    cancel_newest) and `validate` ("true": Kraken checks new orders and places none). Raises ConfigError for others.
    """

    def __init__(self, instruments: Sequence[Instrument | None], options: Mapping[str, str] = {}) -> None:
        stp_type, validate = options.get("stp_type", STP_TYPES[0]), options.get("validate", "false")
        if stp_type not in STP_TYPES:
            mend = f"choose one of {', '.join(STP_TYPES)}"
            raise ConfigError(f"no stp_type {stp_type!r}", place="kraken option stp_type", mend=mend)
        if validate not in ("true", "false"):
            raise ConfigError(f"validate is {validate!r}", place="kraken option validate", mend="write true or false")
        self.is_validating = validate == "true"
        self._stp_type = stp_type.encode()
        self._validate = b',"validate":true' if self.is_validating else b""
        self._template = Templates(instruments, lambda one: _Template(one, self._stp_type, self._validate)).of
        self._stamp = Stamp().parts

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`add_order`; `req_id` is the approval's number."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        form = template.submit[order.order_type, order.side]
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        rest //= template.size_digit
        name, number = order.client_order_id.encode(), approved.approval
        second, ms = self._stamp(approved.now_ns + DEADLINE_NS)
        if order.order_type == _MARKET:
            return Send(LINK, form % (lots, rest, name, second, ms, number), number)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        return Send(LINK, form % (whole, part // template.price_digit, lots, rest, name, second, ms, number), number)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> Send:
        """`batch_add` of 2 to 15 orders at one market, with the first deadline of any of them."""
        del now_ns
        template = self._template(approved[0].order.instrument)
        legs = b",".join(self._leg(template, one.order) for one in approved)
        second, ms = self._stamp(min(one.now_ns for one in approved) + DEADLINE_NS)
        number, *more = [one.approval for one in approved]
        return Send(LINK, template.batch % (legs, second, ms, number), number, tuple(more))

    @staticmethod
    def _leg(template: _Template, order: NewOrder) -> bytes:
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        tail = (lots, rest // template.size_digit, order.client_order_id.encode())
        form = template.leg[order.order_type, order.side]
        if order.order_type == _MARKET:
            return form % tail
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        return form % (whole, part // template.price_digit, *tail)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`amend_order` by cl_ord_id; `order_qty` is the total, what is filled included."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        numbers = (whole, part // template.price_digit, lots, rest // template.size_digit)
        stamp = self._stamp(approved.now_ns + DEADLINE_NS)
        data = template.amend % (order.client_order_id.encode(), *numbers, *stamp, approved.approval)
        return Send(LINK, data, approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`cancel_order` by cl_ord_id."""
        del now_ns
        name, number = approved.order.client_order_id.encode(), approved.approval
        form = b'{"method":"cancel_order","params":{"cl_ord_id":["%s"],%s,"req_id":%d}'
        return Send(LINK, form % (name, _TOKEN, number), number)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """`cancel_all`: every open order of the account, on all pairs, ours or not."""
        del now_ns
        number = approved.approval
        return Send(LINK, b'{"method":"cancel_all","params":{%s,"req_id":%d}' % (_TOKEN, number), number)
