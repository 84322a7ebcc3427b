"""The commonest messages to Binance, read by their form alone: one new limit or market order, one cancel.

Only what matches in full, byte for byte, with each field once and in its place: there is nothing in it that two readers
could understand differently. Everything else is for the strict reader (asked.py), which this one agrees with
(tests/connectors/test_binance_orders.py). It takes a tenth of its time, on every order's way.
"""

import re
from typing import Final

from connectors.orders import Asked, OrderType
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

_WHOLE: Final = rb"0|[1-9][0-9]{0,9}"
_SIGNED: Final = (
    rb'"recvWindow":[1-9][0-9]{0,3},"apiKey":"\{secret:key\}","timestamp":"\{time_ms(?::[+-][0-9]{1,9})?\}",'
    rb'"signature":"\{sign\}"\}\}'
)
_NEW: Final = re.compile(
    rb'\{"id":[1-9][0-9]{0,14},"method":"order\.place","params":\{"symbol":"([A-Z0-9]{4,24})","side":"(?:(BUY)|SELL)",'
    rb'"type":"(LIMIT|MARKET|LIMIT_MAKER)"(?:,"timeInForce":"(GTC|IOC|FOK)")?'
    rb'(?:,"price":"(' + _WHOLE + rb')(?:\.([0-9]{1,9}))?")?,"quantity":"(' + _WHOLE + rb')(?:\.([0-9]{1,8}))?",'
    rb'"newClientOrderId":"([A-Za-z0-9-]{1,18})","newOrderRespType":"(?:ACK|RESULT)",'
    rb'"selfTradePreventionMode":"(?:NONE|EXPIRE_TAKER|EXPIRE_MAKER|EXPIRE_BOTH)",' + _SIGNED
)
_CANCEL: Final = re.compile(
    rb'\{"id":[1-9][0-9]{0,14},"method":"order\.cancel","params":\{"symbol":"([A-Z0-9]{4,24})",'
    rb'"origClientOrderId":"([A-Za-z0-9-]{1,18})",' + _SIGNED
)
_TYPES: Final = {
    (b"LIMIT", b"GTC"): int(OrderType.LIMIT),
    (b"LIMIT", b"IOC"): int(OrderType.IOC),
    (b"LIMIT", b"FOK"): int(OrderType.FOK),
    (b"LIMIT_MAKER", None): int(OrderType.POST_ONLY),
    (b"MARKET", None): int(OrderType.MARKET),
}
_MARKET: Final = int(OrderType.MARKET)
_PRICE_ONE: Final = 10**PRICE_DECIMALS
_SIZE_ONE: Final = 10**SIZE_DECIMALS


def plain(data: bytes) -> Asked | None:
    """What it asks for; None for whatever has another form."""
    found = _NEW.fullmatch(data)
    if found is None:
        cancel = _CANCEL.fullmatch(data)
        return Asked("cancel", cancel[2].decode(), cancel[1].decode()) if cancel is not None else None
    symbol, buy, kind, force, px, px_part, qty, qty_part, name = found.groups()
    order_type = _TYPES.get((kind, force))
    if order_type is None or (px is None) != (order_type == _MARKET):
        return None
    px_1e9 = 0
    if px is not None:
        px_1e9 = int(px) * _PRICE_ONE + (int(px_part.ljust(PRICE_DECIMALS, b"0")) if px_part else 0)
    qty_1e8 = int(qty) * _SIZE_ONE + (int(qty_part.ljust(SIZE_DECIMALS, b"0")) if qty_part else 0)
    return Asked("new", name.decode(), symbol.decode(), 1 if buy else -1, px_1e9, qty_1e8, order_type)
