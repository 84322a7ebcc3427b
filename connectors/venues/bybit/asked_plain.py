"""The commonest messages to Bybit, read by their form alone: one new limit or market order, one cancel.

Only what matches in full, byte for byte, with each field once and in its place: there is nothing in it that two readers
could understand differently. Everything else is for the strict reader (asked.py), which this one agrees with
(tests/connectors/test_bybit_asked.py). It takes a small part of its time, on every order's way.
"""

import re
from typing import Final

from connectors.orders import Asked, OrderType
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

_WHOLE: Final = rb"0|[1-9][0-9]{0,9}"
_NAME: Final = rb'"([A-Za-z0-9_-]{1,36})"'
_SYMBOL: Final = rb'"symbol":"([A-Z0-9]{4,24})"'
_HEAD: Final = (
    rb'\{"reqId":"[1-9][0-9]{0,14}","header":\{"X-BAPI-TIMESTAMP":"[0-9]{13}","X-BAPI-RECV-WINDOW":"[1-9][0-9]{0,4}"\},'
    rb'"op":"order\.%s","args":\[\{"category":"spot",' + _SYMBOL
)
_NEW: Final = re.compile(
    _HEAD % b"create" + rb',"side":"(?:(Buy)|Sell)","orderType":"(?:(Limit)|Market)",'
    rb'"qty":"(' + _WHOLE + rb')(?:\.([0-9]{1,8}))?"(?:,"price":"(' + _WHOLE + rb')(?:\.([0-9]{1,9}))?")?'
    rb'(?:,"timeInForce":"(GTC|IOC|FOK|PostOnly)"|(,"marketUnit":"baseCoin"))'
    rb'(?:,"smpType":"Cancel(?:Maker|Taker|Both)")?,"orderLinkId":' + _NAME + rb"\}\]\}"
)
_CANCEL: Final = re.compile(_HEAD % b"cancel" + rb',"orderLinkId":' + _NAME + rb"\}\]\}")
_TYPES: Final = {
    b"GTC": int(OrderType.LIMIT),
    b"PostOnly": int(OrderType.POST_ONLY),
    b"IOC": int(OrderType.IOC),
    b"FOK": int(OrderType.FOK),
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
    symbol, buy, limit, qty, qty_part, px, px_part, terms, in_base, name = found.groups()
    if limit is None:
        if px is not None or in_base is None:
            return None
        order_type, px_1e9 = _MARKET, 0
    else:
        if px is None or terms is None:
            return None
        order_type = _TYPES[terms]
        px_1e9 = int(px) * _PRICE_ONE + (int(px_part.ljust(PRICE_DECIMALS, b"0")) if px_part else 0)
    qty_1e8 = int(qty) * _SIZE_ONE + (int(qty_part.ljust(SIZE_DECIMALS, b"0")) if qty_part else 0)
    return Asked("new", name.decode(), symbol.decode(), 1 if buy else -1, px_1e9, qty_1e8, order_type)
