"""Binance's trading requests, from approved orders to bytes. WebSocket API, web-socket-api/trading-requests

Prices and quantities are texts of plain digits with the market's own decimals. What signs a request is put in as it
leaves: key, time and signature stand as places. `recvWindow` is the deadline: beyond it Binance refuses the request, so
that what was not answered by then can be looked for once and for all. The id of a request is the approval's number.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.errors import ConfigError
from connectors.exchange.outbound import UnsendableError
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, Send
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

WINDOW_MS: Final = 5000
DEADLINE_NS: Final = (WINDOW_MS + 1000) * 10**6  # the window begins when a request is signed: as it leaves
STP_MODES: Final = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH", "NONE")
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "stp": STP_MODES, "response": ("ACK", "RESULT"), "validate": ("true", "false")
}  # fmt: skip
_SIGNED: Final = b'"recvWindow":%d,"apiKey":"{secret:key}","timestamp":"{time_ms}","signature":"{sign}"}}' % WINDOW_MS
_PRICE_ONE = 10**PRICE_DECIMALS
_SIZE_ONE = 10**SIZE_DECIMALS
_MARKET = int(OrderType.MARKET)
# `type` and `timeInForce` of each of the guest's types
_TERMS = {
    OrderType.LIMIT: b'"type":"LIMIT","timeInForce":"GTC"',
    OrderType.MARKET: b'"type":"MARKET"',
    OrderType.IOC: b'"type":"LIMIT","timeInForce":"IOC"',
    OrderType.FOK: b'"type":"LIMIT","timeInForce":"FOK"',
    OrderType.POST_ONLY: b'"type":"LIMIT_MAKER"',
}


def _number(decimals: int) -> bytes:
    """A format for (whole part, decimals); without decimals the second is taken and not printed."""
    return b"%%d.%%0%dd" % decimals if decimals else b"%d%.0a"


class _Template:
    """What is the same in every order of one instrument, as formats: one operation prints an order."""

    __slots__ = ("amend", "cancel", "instrument", "price_digit", "size_digit", "submit")

    def __init__(self, instrument: Instrument, stp: bytes, response: bytes, method: bytes) -> None:
        self.instrument = instrument
        self.price_digit = 10 ** (PRICE_DECIMALS - instrument.price_precision)
        self.size_digit = 10 ** (SIZE_DECIMALS - instrument.size_precision)
        name = instrument.venue_symbol or instrument.symbol.replace("/", "")
        symbol = msgspec.json.encode(name).replace(b"%", b"%%")
        price, size = _number(instrument.price_precision), _number(instrument.size_precision)
        self.submit = {
            (int(order_type), side): b"".join(
                (b'{"id":%d,"method":"', method, b'","params":{"symbol":', symbol,
                 b',"side":"%s",' % (b"BUY" if side > 0 else b"SELL"), terms,
                 b"" if order_type is OrderType.MARKET else b',"price":"' + price + b'"',
                 b',"quantity":"', size, b'","newClientOrderId":"%s","newOrderRespType":"', response,
                 b'","selfTradePreventionMode":"', stp, b'",', _SIGNED)
            )
            for order_type, terms in _TERMS.items()
            for side in (1, -1)
        }  # fmt: skip
        head = b'","params":{"symbol":' + symbol + b',"origClientOrderId":"%s",'
        self.cancel = b'{"id":%d,"method":"order.cancel' + head + _SIGNED
        self.amend = (
            b'{"id":%d,"method":"order.amend.keepPriority' + head + b'"newClientOrderId":"%s","newQty":"' + size + b'",'
            + _SIGNED
        )  # fmt: skip


class BinanceOrders:
    """`OrderEncoder` for Binance; an order's `instrument` indexes `instruments`, whose metadata may change.

    `options`: `stp` (selfTradePreventionMode: which of two orders of the account that would trade with each other goes;
    EXPIRE_TAKER), `response` (newOrderRespType; ACK), `validate` ("true": order.test, which places none). Raises
    ConfigError for others.
    """

    def __init__(self, instruments: Sequence[Instrument | None], options: Mapping[str, str] = {}) -> None:
        for name, value in options.items():
            allowed = OPTIONS.get(name, ())
            if value not in allowed:
                mend = f"choose one of {', '.join(allowed)}" if allowed else f"there are {', '.join(OPTIONS)}"
                raise ConfigError(f"no {name} {value!r}", place=f"binance option {name}", mend=mend)
        self.is_validating = options.get("validate") == "true"
        self._stp = options.get("stp", STP_MODES[0]).encode()
        self._response = options.get("response", "ACK").encode()
        self._method = b"order.test" if self.is_validating else b"order.place"
        self._instruments = instruments
        self._templates: dict[int, _Template] = {}

    def _template(self, index: int) -> _Template:
        instrument = self._instruments[index]
        template = self._templates.get(index)
        if template is None or template.instrument is not instrument:
            if instrument is None:
                raise UnsendableError(f"instrument {index} has no metadata: its orders cannot be written")
            template = self._templates[index] = _Template(instrument, self._stp, self._response, self._method)
        return template

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`order.place`."""
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        form = template.submit[order.order_type, order.side]
        lots, rest = divmod(order.qty_1e8, _SIZE_ONE)
        rest //= template.size_digit
        name, number = order.client_order_id.encode(), approved.approval
        if order.order_type == _MARKET:
            return Send(PRIVATE, form % (number, lots, rest, name), number)
        whole, part = divmod(order.px_1e9, _PRICE_ONE)
        return Send(PRIVATE, form % (number, whole, part // template.price_digit, lots, rest, name), number)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`order.amend.keepPriority`: `newQty` is the total, what is filled included; the price stays as it is.

        The order keeps its id by being given it anew.
        """
        del now_ns
        order = approved.order
        template = self._template(order.instrument)
        lots, rest = divmod(order.qty_1e8, _SIZE_ONE)
        name = order.client_order_id.encode()
        data = template.amend % (approved.approval, name, name, lots, rest // template.size_digit)
        return Send(PRIVATE, data, approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`order.cancel` by the order's own client id."""
        del now_ns
        order = approved.order
        name = order.client_order_id.encode()
        data = self._template(order.instrument).cancel % (approved.approval, name)
        return Send(PRIVATE, data, approved.approval)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """Raises ValueError: there is no such request."""
        del approved, now_ns
        msg = "Binance has no request that cancels an account's orders on all markets: each is cancelled by itself"
        raise ValueError(msg)
