"""The commonest messages to OKX, read by their form alone: one new order, one cancel.

Only what matches in full, byte for byte, with each field once and in its place: there is nothing in it that two readers
could understand differently. Everything else is for the strict reader (asked.py), which this one agrees with
(tests/connectors/test_okx_orders.py). It takes a small part of its time, on every order's way.
"""

import re
from typing import Final

from connectors.orders import Asked, OrderType
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

_WHOLE: Final = rb"0|[1-9][0-9]{0,9}"
_HEAD: Final = (
    rb'\{"id":"[1-9][0-9]{0,14}","op":"%s","args":\[\{'
    rb'(?:"instIdCode":([1-9][0-9]{0,17})|"instId":"([A-Z0-9]{1,12}-[A-Z0-9]{1,12})")'
)
_NAME: Final = rb',"clOrdId":"(vg[0-9a-z]{6})([0-9]{1,10})"'
_NEW: Final = re.compile(
    _HEAD % b"order" + rb',"tdMode":"cash","side":"(?:(buy)|sell)","ordType":"(limit|ioc|fok|post_only|market)"'
    rb'(?:,"px":"(' + _WHOLE + rb')(?:\.([0-9]{1,9}))?"|(,"tgtCcy":"base_ccy","banAmend":true))'
    rb',"sz":"(' + _WHOLE + rb')(?:\.([0-9]{1,8}))?"' + _NAME + rb',"stpMode":"cancel_(?:taker|maker|both)"\}\],'
    rb'"expTime":"[0-9]{13}"\}'
)
_CANCEL: Final = re.compile(_HEAD % b"cancel-order" + _NAME + rb"\}\]\}")
_TYPES: Final = {
    b"limit": int(OrderType.LIMIT),
    b"ioc": int(OrderType.IOC),
    b"fok": int(OrderType.FOK),
    b"post_only": int(OrderType.POST_ONLY),
}
_MARKET: Final = int(OrderType.MARKET)
_PRICE_ONE: Final = 10**PRICE_DECIMALS
_SIZE_ONE: Final = 10**SIZE_DECIMALS


def plain(data: bytes) -> Asked | None:
    """What it asks for; None for whatever has another form."""
    found = _NEW.fullmatch(data)
    if found is None:
        cancel = _CANCEL.fullmatch(data)
        if cancel is None:
            return None
        code, name, tag, number = cancel.groups()
        return Asked("cancel", f"{tag.decode()}-{number.decode()}", (code or name).decode())
    code, name, buy, kind, px, px_part, in_base, qty, qty_part, tag, number = found.groups()
    order_type = _TYPES.get(kind)
    if (order_type is None) is not (in_base is not None):
        return None
    px_1e9 = 0
    if order_type is None:
        order_type = _MARKET
    else:
        px_1e9 = int(px) * _PRICE_ONE + (int(px_part.ljust(PRICE_DECIMALS, b"0")) if px_part else 0)
    qty_1e8 = int(qty) * _SIZE_ONE + (int(qty_part.ljust(SIZE_DECIMALS, b"0")) if qty_part else 0)
    ours = f"{tag.decode()}-{number.decode()}"
    return Asked("new", ours, (code or name).decode(), 1 if buy else -1, px_1e9, qty_1e8, order_type)
