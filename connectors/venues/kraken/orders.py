"""Kraken's trading requests, from approved orders to bytes. https://docs.kraken.com/api/docs/websocket-v2/add_order

Numbers are JSON numbers written as plain digits with the pair's own decimals: a string is refused by Kraken, an
exponent is not documented. The token is a placeholder; `runtime/net.py` puts the secret in.
"""

from collections.abc import Sequence

import msgspec

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

LINK = "private"
_TOKEN = b'"token":"{secret:ws_token}"}'

_MARKET = int(OrderType.MARKET)
_PRICE_ONE = 10**PRICE_DECIMALS
_SIZE_ONE = 10**SIZE_DECIMALS
# order_type, time_in_force and post_only of each of the guest's types
_TERMS = {
    OrderType.LIMIT: (b"limit", b',"time_in_force":"gtc"'),
    OrderType.MARKET: (b"market", b""),
    OrderType.IOC: (b"limit", b',"time_in_force":"ioc"'),
    OrderType.FOK: (b"limit", b',"time_in_force":"fok"'),
    OrderType.POST_ONLY: (b"limit", b',"time_in_force":"gtc","post_only":true'),
}


def _number(decimals: int) -> bytes:
    """A format for (whole part, decimals); without decimals the second is taken and not printed."""
    return b"%%d.%%0%dd" % decimals if decimals else b"%d%.0a"


class _Template:
    """What is the same in every order of one instrument, as formats: one operation prints an order."""

    __slots__ = ("amend", "instrument", "price_digit", "size_digit", "submit")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.price_digit = 10 ** (PRICE_DECIMALS - instrument.price_precision)
        self.size_digit = 10 ** (SIZE_DECIMALS - instrument.size_precision)
        symbol = msgspec.json.encode(instrument.symbol).replace(b"%", b"%%")
        price, size = _number(instrument.price_precision), _number(instrument.size_precision)
        self.submit = {
            (int(order_type), side): b"".join(
                (
                    b'{"method":"add_order","params":{"order_type":"%s","side":"%s","symbol":%s%s'
                    % (kind, b"buy" if side > 0 else b"sell", symbol, terms),
                    b"" if order_type is OrderType.MARKET else b',"limit_price":' + price,
                    b',"order_qty":' + size,
                    b',"cl_ord_id":"%s",' + _TOKEN + b',"req_id":%d}',
                )
            )
            for order_type, (kind, terms) in _TERMS.items()
            for side in (1, -1)
        }
        self.amend = b"".join(
            (
                b'{"method":"amend_order","params":{"cl_ord_id":"%s","limit_price":' + price,
                b',"order_qty":' + size,
                b"," + _TOKEN + b',"req_id":%d}',
            )
        )


class KrakenOrders:
    """`OrderEncoder` for Kraken; an order's `instrument` indexes `instruments`, whose metadata may change."""

    def __init__(self, instruments: Sequence[Instrument | None]) -> None:
        self._instruments = instruments
        self._templates: dict[int, _Template] = {}

    def _template(self, index: int) -> _Template:
        instrument = self._instruments[index]
        template = self._templates.get(index)
        if template is None or template.instrument is not instrument:
            if instrument is None:
                msg = f"instrument {index} has no metadata: its orders cannot be written"
                raise ValueError(msg)
            template = self._templates[index] = _Template(instrument)
        return template

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`add_order`; `req_id` is the approval's number."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        form = template.submit[order.order_type, order.side]
        lots, rest = divmod(order.qty_1e8, _SIZE_ONE)
        rest //= template.size_digit
        name, number = order.client_order_id.encode(), approved.approval
        if order.order_type == _MARKET:
            return Send(LINK, form % (lots, rest, name, number), number)
        whole, part = divmod(order.px_1e9, _PRICE_ONE)
        return Send(LINK, form % (whole, part // template.price_digit, lots, rest, name, number), number)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`amend_order` by cl_ord_id; `order_qty` is the total, what is filled included."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        whole, part = divmod(order.px_1e9, _PRICE_ONE)
        lots, rest = divmod(order.qty_1e8, _SIZE_ONE)
        numbers = (whole, part // template.price_digit, lots, rest // template.size_digit)
        data = template.amend % (order.client_order_id.encode(), *numbers, approved.approval)
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
