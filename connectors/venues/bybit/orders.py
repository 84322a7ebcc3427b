"""Bybit's trading requests, from approved orders to bytes. https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline

Numbers are texts of plain digits with the pair's own decimals. A market order's size would be money without
`marketUnit`. Each request says when it was made and how long it is good: the time of its approval, not that at which
it leaves, so that Bybit itself refuses what comes later than its deadline, wherever it was held up.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.exchange.templates import PRICE_ONE, SIZE_ONE, Template, Templates, digits
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import REST, TRADE, Send

DEADLINE_NS: Final = 5 * 10**9  # after the approval; what X-BAPI-RECV-WINDOW says
BATCH_MAX: Final = 10  # of spot
SMP_TYPES: Final = ("default", "CancelMaker", "CancelTaker", "CancelBoth")
CANCEL_ALL: Final = "/v5/order/cancel-all"
CANCEL: Final = "/v5/order/cancel"
_MS: Final = 10**6
_MARKET: Final = int(OrderType.MARKET)
_HEAD: Final = b'{"reqId":"%%d","header":{"X-BAPI-TIMESTAMP":"%%d","X-BAPI-RECV-WINDOW":"%d"},"op":"order.' % (
    DEADLINE_NS // _MS
)
# orderType and timeInForce of each of the guest's types; a market order's size is in the base currency
_TERMS: Final = {
    OrderType.LIMIT: (b"Limit", b',"timeInForce":"GTC"'),
    OrderType.MARKET: (b"Market", b',"marketUnit":"baseCoin"'),
    OrderType.IOC: (b"Limit", b',"timeInForce":"IOC"'),
    OrderType.FOK: (b"Limit", b',"timeInForce":"FOK"'),
    OrderType.POST_ONLY: (b"Limit", b',"timeInForce":"PostOnly"'),
}


class _Template(Template):
    """What is the same in every order of one instrument, as formats: one operation prints an order."""

    __slots__ = ("amend", "cancel", "leg", "name", "submit")

    def __init__(self, instrument: Instrument, smp: bytes) -> None:
        super().__init__(instrument)
        self.name = instrument.venue_symbol or instrument.symbol.replace("/", "")
        name = msgspec.json.encode(self.name).replace(b"%", b"%%")
        price, size = digits(instrument.price_precision), digits(instrument.size_precision)
        self.leg = {
            (int(order_type), side): b"".join(
                (b'"symbol":', name, b',"side":"%s","orderType":"' % (b"Buy" if side > 0 else b"Sell"), kind,
                 b'","qty":"', size, b'"', b"" if order_type is OrderType.MARKET else b',"price":"' + price + b'"',
                 terms, smp, b',"orderLinkId":"%s"')
            )
            for order_type, (kind, terms) in _TERMS.items()
            for side in (1, -1)
        }  # fmt: skip
        spot = b'","args":[{"category":"spot",'
        self.submit = {key: b"".join((_HEAD, b"create", spot, leg, b"}]}")) for key, leg in self.leg.items()}
        whose = b'"symbol":' + name + b',"orderLinkId":"%s"'
        self.amend = b"".join((_HEAD, b"amend", spot, whose, b',"qty":"', size, b'","price":"', price, b'"}]}'))
        self.cancel = b"".join((_HEAD, b"cancel", spot, whose, b"}]}"))


class BybitOrders:
    """`OrderEncoder` for Bybit; an order's `instrument` indexes `instruments`, whose metadata may change.

    `options`: `smp_type`, which of two orders of the account that would trade with each other is cancelled (default: as
    the account is set). Raises ConfigError for others. `skew_ms`: how far Bybit's clock is ahead of ours.
    """

    def __init__(self, instruments: Sequence[Instrument | None], options: Mapping[str, str] = {}) -> None:
        smp = options.get("smp_type", SMP_TYPES[0])
        if smp not in SMP_TYPES:
            mend = f"choose one of {', '.join(SMP_TYPES)}"
            raise ConfigError(f"no smp_type {smp!r}", place="bybit option smp_type", mend=mend)
        self.skew_ms = 0
        self._smp = b"" if smp == SMP_TYPES[0] else b',"smpType":"%s"' % smp.encode()
        self._template = Templates(instruments, lambda one: _Template(one, self._smp)).of

    def _made_ms(self, approved_ns: int) -> int:
        return approved_ns // _MS + self.skew_ms

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`order.create`; `reqId` is the approval's number, as everywhere."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        form = template.submit[order.order_type, order.side]
        tail = _numbers(template, order)
        return Send(TRADE, form % (approved.approval, self._made_ms(approved.now_ns), *tail), approved.approval)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> Send:
        """`order.create-batch` of 2 to 10 orders, good for as long as the oldest approval of them."""
        del now_ns
        legs = b",".join(self._leg(one.order) for one in approved)
        number, *more = [one.approval for one in approved]
        head = _HEAD % (number, self._made_ms(min(one.now_ns for one in approved)))
        data = head + b'create-batch","args":[{"category":"spot","request":[' + legs + b"]}]}"
        return Send(TRADE, data, number, tuple(more))

    def _leg(self, order: NewOrder) -> bytes:
        template = self._template(order.instrument)
        return b"{" + template.leg[order.order_type, order.side] % _numbers(template, order) + b"}"

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`order.amend` by orderLinkId; `qty` is the total, what is filled included."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        numbers = (lots, rest // template.size_digit, whole, part // template.price_digit)
        head = (approved.approval, self._made_ms(approved.now_ns), order.client_order_id.encode())
        return Send(TRADE, template.amend % (*head, *numbers), approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`order.cancel` by orderLinkId."""
        del now_ns
        order = approved.order
        form = self._template(order.instrument).cancel
        head = (approved.approval, self._made_ms(approved.now_ns), order.client_order_id.encode())
        return Send(TRADE, form % head, approved.approval)

    def cancel_body(self, order: CancelOrder) -> bytes:
        """What /v5/order/cancel of REST takes, for when the trade socket is down."""
        name = msgspec.json.encode(self._template(order.instrument).name)
        whose = order.client_order_id.encode()
        return b'{"category":"spot","symbol":%s,"orderLinkId":"%s"}' % (name, whose)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """/v5/order/cancel-all of REST: every normal spot order of the account, ours or not. No socket takes it."""
        del now_ns
        data = b'%d POST %s\n{"category":"spot"}' % (approved.approval, CANCEL_ALL.encode())
        return Send(REST, data, approved.approval)


def _numbers(template: _Template, order: NewOrder) -> tuple[object, ...]:
    lots, rest = divmod(order.qty_1e8, SIZE_ONE)
    name = order.client_order_id.encode()
    if order.order_type == _MARKET:
        return lots, rest // template.size_digit, name
    whole, part = divmod(order.px_1e9, PRICE_ONE)
    return lots, rest // template.size_digit, whole, part // template.price_digit, name
