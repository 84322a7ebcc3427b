"""OKX's trading requests, from approved orders to bytes.
https://www.okx.com/docs-v5/en/#order-book-trading-trade-ws-place-order

Orders, amends and cancels go over the private socket. The market is named by `instIdCode`, which took the place of
`instId` in 2026; where the metadata have no such code (recordings, regions), by `instId`. Numbers are texts with the
market's own decimals. Whatever makes or changes an order carries `expTime`, the last moment at which OKX may act on it:
an absolute time, five seconds after the approval by our clock plus what the venue's clock is ahead of ours. A request
that waited in some queue of ours gets no later deadline by that, and what was not answered by then can be looked for
once and for all. Cancels have none at OKX: late ones do no harm.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.exchange.templates import PRICE_ONE, SIZE_ONE, Template, Templates, digits
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, Send
from connectors.venues.okx.names import plain_name, wire_id

DEADLINE_NS: Final = 5 * 10**9  # after the approval
BATCH_MAX: Final = 20
STP_MODES: Final = ("cancel_taker", "cancel_maker", "cancel_both")

_MARKET = int(OrderType.MARKET)
_FOK = int(OrderType.FOK)
_MS = 1_000_000
_TYPES = {
    OrderType.LIMIT: b"limit",
    OrderType.MARKET: b"market",
    OrderType.IOC: b"ioc",
    OrderType.FOK: b"fok",
    OrderType.POST_ONLY: b"post_only",
}


def place(instrument: Instrument) -> bytes:
    """How a request names the market."""
    if instrument.venue_code:
        return b'"instIdCode":%s' % instrument.venue_code.encode()
    return b'"instId":%s' % msgspec.json.encode(instrument.venue_symbol or plain_name(instrument.symbol))


class _Template(Template):
    """What is the same in every order of one instrument, as formats: one operation prints an order."""

    __slots__ = ("amend", "cancel", "leg")

    def __init__(self, instrument: Instrument, stp_mode: str) -> None:
        super().__init__(instrument)
        market = place(instrument).replace(b"%", b"%%")
        price, size = (b'"%s"' % digits(one) for one in (instrument.price_precision, instrument.size_precision))
        self.leg = {
            (int(order_type), side): b"".join(
                (b"{", market, b',"tdMode":"cash","side":"', b"buy" if side > 0 else b"sell", b'","ordType":"', word,
                 # sizes of market buys are of the quote where nothing is said; a size is never changed behind our back
                 b'","tgtCcy":"base_ccy","banAmend":true' if order_type is OrderType.MARKET else b'","px":' + price,
                 b',"sz":', size, b',"clOrdId":"%s","stpMode":"', _stp(stp_mode, int(order_type)), b'"}')
            )
            for order_type, word in _TYPES.items()
            for side in (1, -1)
        }  # fmt: skip
        self.amend = b"".join(
            (b'{"id":"%d","op":"amend-order","args":[{', market, b',"clOrdId":"%s","newPx":', price, b',"newSz":', size,
             b',"reqId":"%d"}],"expTime":"%d"}')
        )  # fmt: skip
        self.cancel = b'{"id":"%d","op":"cancel-order","args":[{' + market + b',"clOrdId":"%s"}]}'


def _stp(stp_mode: str, order_type: int) -> bytes:
    """OKX takes no cancel_both of a fill-or-kill order."""
    return STP_MODES[0].encode() if (stp_mode, order_type) == ("cancel_both", _FOK) else stp_mode.encode()


class OkxOrders:
    """`OrderEncoder` for OKX; an order's `instrument` indexes `instruments`, whose metadata may change.

    `skew_ns`: how far the venue's clock is ahead of ours, set by whoever knows. `options`: `stp_mode`: which of two
    orders of the account that would trade with each other is cancelled (cancel_taker). Raises ConfigError for others.
    """

    def __init__(self, instruments: Sequence[Instrument | None], options: Mapping[str, str] = {}) -> None:
        stp_mode = options.get("stp_mode", STP_MODES[0])
        if stp_mode not in STP_MODES:
            mend = f"choose one of {', '.join(STP_MODES)}"
            raise ConfigError(f"no stp_mode {stp_mode!r}", place="okx option stp_mode", mend=mend)
        self.skew_ns = 0
        self._stp_mode = stp_mode
        self._template = Templates(instruments, lambda one: _Template(one, self._stp_mode)).of

    def _deadline_ms(self, now_ns: int) -> int:
        """Finer than a millisecond is cut: a deadline never gets later."""
        return (now_ns + self.skew_ns + DEADLINE_NS) // _MS

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`order`; `id` is the approval's number."""
        del now_ns
        number = approved.approval
        leg = self._leg(approved.order)
        form = b'{"id":"%d","op":"order","args":[%s],"expTime":"%d"}'
        return Send(PRIVATE, form % (number, leg, self._deadline_ms(approved.now_ns)), number)

    def submit_many(self, approved: Sequence[Approved[NewOrder]], now_ns: int) -> Send:
        """`batch-orders` of 2 to 20 orders, with the first deadline of any of them."""
        del now_ns
        number, *more = [one.approval for one in approved]
        legs = b",".join(self._leg(one.order) for one in approved)
        deadline_ms = self._deadline_ms(min(one.now_ns for one in approved))
        form = b'{"id":"%d","op":"batch-orders","args":[%s],"expTime":"%d"}'
        return Send(PRIVATE, form % (number, legs, deadline_ms), number, tuple(more))

    def _leg(self, order: NewOrder) -> bytes:
        template = self._template(order.instrument)
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        tail = (lots, rest // template.size_digit, wire_id(order.client_order_id).encode())
        form = template.leg[order.order_type, order.side]
        if order.order_type == _MARKET:
            return form % tail
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        return form % (whole, part // template.price_digit, *tail)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`amend-order` by clOrdId; `newSz` is the total, what is filled included; `reqId` is the approval's number."""
        del now_ns
        order, number = approved.order, approved.approval
        template = self._template(order.instrument)
        whole, part = divmod(order.px_1e9, PRICE_ONE)
        lots, rest = divmod(order.qty_1e8, SIZE_ONE)
        numbers = (whole, part // template.price_digit, lots, rest // template.size_digit)
        name = wire_id(order.client_order_id).encode()
        data = template.amend % (number, name, *numbers, number, self._deadline_ms(approved.now_ns))
        return Send(PRIVATE, data, number)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`cancel-order` by clOrdId."""
        del now_ns
        order, number = approved.order, approved.approval
        form = self._template(order.instrument).cancel
        return Send(PRIVATE, form % (number, wire_id(order.client_order_id).encode()), number)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """Raises ValueError: OKX has no such request for spot."""
        del approved, now_ns
        msg = "OKX has no request that cancels every spot order: each is cancelled by itself"
        raise ValueError(msg)
