"""Coinbase's trading requests, from approved orders to bytes. They go over REST: there is no other way.

https://docs.cdp.coinbase.com/api-reference/advanced-trade-api/rest-api/orders/create-order and the pages beside it.
Numbers are texts of plain digits with the product's own decimals. A request carries no time by which it must be acted
on; what protects an order from being placed twice is `client_order_id`: of one that was used before Coinbase returns
the existing order and places none.

Cancels and edits name an order by Coinbase's own id, which an approval does not know: `names` tells it. The paper venue
has no such ids. There our own id stands in its place: Coinbase's are UUIDs, ours are not, so that nobody can take one
for the other, and the venue itself would know no such order.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from connectors.exchange.templates import PRICE_ONE, SIZE_ONE, Template, Templates, digits
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import REST, Send

ORDERS: Final = "/api/v3/brokerage/orders"
_MARKET: Final = int(OrderType.MARKET)
# `order_configuration` of each of the guest's types, and what stands in it besides size and price
_FORMS: Final = {
    OrderType.LIMIT: (b"limit_limit_gtc", b',"post_only":false'),
    OrderType.POST_ONLY: (b"limit_limit_gtc", b',"post_only":true'),
    OrderType.IOC: (b"sor_limit_ioc", b""),
    OrderType.FOK: (b"limit_limit_fok", b""),
    OrderType.MARKET: (b"market_market_ioc", b""),
}


class _Template(Template):
    """What is the same in every order of one instrument, as formats."""

    __slots__ = ("edit", "submit")

    def __init__(self, instrument: Instrument) -> None:
        super().__init__(instrument)
        name = instrument.venue_symbol or instrument.symbol.replace("/", "-")
        product = msgspec.json.encode(name).replace(b"%", b"%%")
        price, size = digits(instrument.price_precision), digits(instrument.size_precision)
        head = b"%d POST " + ORDERS.encode() + b'\n{"client_order_id":"%s","product_id":' + product
        self.submit = {
            (int(order_type), side): b"".join(
                (head, b',"side":"%s","order_configuration":{"%s":{"base_size":"' % (word, form), size, b'"',
                 b"" if order_type is OrderType.MARKET else b',"limit_price":"' + price + b'"', terms, b"}}}")
            )
            for order_type, (form, terms) in _FORMS.items()
            for side, word in ((1, b"BUY"), (-1, b"SELL"))
        }  # fmt: skip
        self.edit = b"".join(
            (b"%d POST ", ORDERS.encode(), b'/edit\n{"order_id":%s,"price":"', price, b'","size":"', size, b'"}')
        )


class CoinbaseOrders:
    """`OrderEncoder` for Coinbase; an order's `instrument` indexes `instruments`, whose metadata may change.

    `names(client_order_id)`: what Coinbase calls that order.
    """

    def __init__(
        self, instruments: Sequence[Instrument | None], names: Callable[[str], str] = lambda name: name
    ) -> None:
        self.names = names
        self._template = Templates(instruments, _Template).of

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`POST /orders`; the request's number is the approval's."""
        del now_ns
        order, number = approved.order, approved.approval
        template = self._template(order.instrument)
        form = template.submit[order.order_type, order.side]
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        head = (number, order.client_order_id.encode(), lots, rest // template.size_digit)
        if order.order_type == _MARKET:
            return Send(REST, form % head, number)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        return Send(REST, form % (*head, whole, part // template.price_digit), number)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`POST /orders/edit`: price and total size."""
        del now_ns
        order, number = approved.order, approved.approval
        template = self._template(order.instrument)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        name = msgspec.json.encode(self.names(order.client_order_id))
        numbers = (whole, part // template.price_digit, lots, rest // template.size_digit)
        return Send(REST, template.edit % (number, name, *numbers), number)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`POST /orders/batch_cancel` of one."""
        del now_ns
        number = approved.approval
        names = msgspec.json.encode([self.names(approved.order.client_order_id)])
        return Send(REST, b'%d POST %s/batch_cancel\n{"order_ids":%s}' % (number, ORDERS.encode(), names), number)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """Raises ValueError: nothing at Coinbase cancels everything."""
        del approved, now_ns
        raise ValueError("coinbase has no message that cancels every order: each is cancelled by itself")
