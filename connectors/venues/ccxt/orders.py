"""Orders for the hosted exchange: calls of ccxt's unified methods. https://docs.ccxt.com/#/README?id=placing-orders

A call is written like a request over HTTP: `<approval> POST /create_order`, a newline, the arguments as JSON, numbers
as texts with the market's own decimals. Who carries it out refuses whatever ccxt would round.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import REST, Send
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, decimal_text

_TERMS: Final[dict[int, dict[str, Any]]] = {
    OrderType.LIMIT: {"timeInForce": "GTC"},
    OrderType.MARKET: {},
    OrderType.IOC: {"timeInForce": "IOC"},
    OrderType.FOK: {"timeInForce": "FOK"},
    OrderType.POST_ONLY: {"postOnly": True},
}


class CcxtOrders:
    """`OrderEncoder` for any exchange of ccxt's; an order's `instrument` indexes `instruments`.

    `venue_id(client_order_id)`: the exchange's id of an order, by which alone ccxt cancels everywhere. The paper venue
    knows none: there the client's id stands in its place.
    """

    def __init__(
        self, instruments: Sequence[Instrument | None], options: Mapping[str, str] = {},
        venue_id: Callable[[str], str] = lambda name: name,
    ) -> None:  # fmt: skip
        del options
        self._instruments = instruments
        self.venue_id = venue_id

    def _instrument(self, index: int) -> Instrument:
        found = self._instruments[index]
        if found is None:
            raise ValueError(f"instrument {index} has no metadata: its orders cannot be written")
        return found

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        """`create_order`."""
        del now_ns
        order = approved.order
        instrument = self._instrument(order.instrument)
        is_market = order.order_type == OrderType.MARKET
        call = {
            "symbol": instrument.symbol, "type": "market" if is_market else "limit",
            "side": "buy" if order.side > 0 else "sell", "amount": _qty(order.qty_1e8, instrument),
            **({} if is_market else {"price": _px(order.px_1e9, instrument)}),
            "params": {"clientOrderId": order.client_order_id, **_TERMS[order.order_type]},
        }  # fmt: skip
        return _call("create_order", call, approved.approval)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        """`edit_order`, by the exchange's id; `amount` is the total, what is filled included."""
        del now_ns
        order = approved.order
        instrument = self._instrument(order.instrument)
        call = {
            "id": self.venue_id(order.client_order_id), "symbol": instrument.symbol, "type": "limit",
            "side": "buy" if order.side > 0 else "sell", "amount": _qty(order.qty_1e8, instrument),
            "price": _px(order.px_1e9, instrument),
        }  # fmt: skip
        return _call("edit_order", call, approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        """`cancel_order`, by the exchange's id."""
        del now_ns
        order = approved.order
        symbol = self._instrument(order.instrument).symbol
        call = {"id": self.venue_id(order.client_order_id), "symbol": symbol}
        return _call("cancel_order", call, approved.approval)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        """ccxt has no such call that means the whole account everywhere. Raises ValueError."""
        del approved, now_ns
        raise ValueError("ccxt has no cancel-all of a whole account: cancel order by order")


def _call(method: str, call: dict[str, Any], approval: int) -> Send:
    return Send(REST, b"%d POST /%s\n%s" % (approval, method.encode(), msgspec.json.encode(call)), approval)


def _qty(qty_1e8: int, instrument: Instrument) -> str:
    digits = instrument.size_precision
    return decimal_text(qty_1e8 // 10 ** (SIZE_DECIMALS - digits), digits)


def _px(px_1e9: int, instrument: Instrument) -> str:
    digits = instrument.price_precision
    return decimal_text(px_1e9 // 10 ** (PRICE_DECIMALS - digits), digits)
