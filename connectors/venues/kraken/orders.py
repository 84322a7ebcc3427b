"""Kraken's trading requests, from approved orders to bytes. https://docs.kraken.com/api/docs/websocket-v2/add_order

Numbers are JSON numbers written as plain digits with the pair's own decimals: a string is refused by Kraken, an
exponent is not documented. The token is a placeholder; `runtime/net.py` puts the secret in.
"""

from collections.abc import Sequence

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import Send
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, decimal_text

LINK = "private"
_TOKEN = b'"token":"{secret:ws_token}"}'

# order_type, time_in_force and post_only of each of the guest's types
_TERMS = {
    OrderType.LIMIT: (b"limit", b',"time_in_force":"gtc"'),
    OrderType.MARKET: (b"market", b""),
    OrderType.IOC: (b"limit", b',"time_in_force":"ioc"'),
    OrderType.FOK: (b"limit", b',"time_in_force":"fok"'),
    OrderType.POST_ONLY: (b"limit", b',"time_in_force":"gtc","post_only":true'),
}


class _Template:
    """What is the same in every order of one instrument: filled in with three values instead of built from ten."""

    __slots__ = ("heads", "instrument", "price_decimals", "price_digit", "size_decimals", "size_digit")

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self.price_decimals = instrument.price_precision
        self.size_decimals = instrument.size_precision
        self.price_digit = 10 ** (PRICE_DECIMALS - instrument.price_precision)
        self.size_digit = 10 ** (SIZE_DECIMALS - instrument.size_precision)
        symbol = instrument.symbol.encode()
        self.heads = {
            (int(order_type), side): b'{"method":"add_order","params":{"order_type":"%s","side":"%s","symbol":"%s"%s'
            % (kind, b"buy" if side > 0 else b"sell", symbol, terms)
            for order_type, (kind, terms) in _TERMS.items()
            for side in (1, -1)
        }

    def price(self, px_1e9: int) -> str:
        return decimal_text(px_1e9 // self.price_digit, self.price_decimals)

    def size(self, qty_1e8: int) -> str:
        return decimal_text(qty_1e8 // self.size_digit, self.size_decimals)


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
        price = "" if order.order_type == OrderType.MARKET else f',"limit_price":{template.price(order.px_1e9)}'
        tail = f'{price},"order_qty":{template.size(order.qty_1e8)},"cl_ord_id":"{order.client_order_id}",'
        head = template.heads[order.order_type, order.side]
        return Send(LINK, b'%s%s%s,"req_id":%d}' % (head, tail.encode(), _TOKEN, approved.approval))

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`amend_order` by cl_ord_id; `order_qty` is the total, what is filled included."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        price, qty = template.price(order.px_1e9), template.size(order.qty_1e8)
        text = f'"cl_ord_id":"{order.client_order_id}","limit_price":{price},"order_qty":{qty},'
        return Send(
            LINK, b'{"method":"amend_order","params":{%s%s,"req_id":%d}' % (text.encode(), _TOKEN, approved.approval)
        )

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`cancel_order` by cl_ord_id."""
        del now_ns
        name = approved.order.client_order_id.encode()
        return Send(
            LINK,
            b'{"method":"cancel_order","params":{"cl_ord_id":["%s"],%s,"req_id":%d}'
            % (name, _TOKEN, approved.approval),
        )
