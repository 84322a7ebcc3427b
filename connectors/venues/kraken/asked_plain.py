"""The commonest messages to Kraken, read by their form alone: one new limit or market order, one cancel.

Only what matches in full, byte for byte, with each field once and in its place: there is nothing in it that two readers
could understand differently. Everything else is for the strict reader (asked.py), which this one agrees with
(tests/connectors/test_kraken_asked_plain.py). It takes a tenth of its time, on every order's way.
"""

import re
from typing import Final

from connectors.orders import Asked, OrderType
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

_WHOLE: Final = rb"0|[1-9][0-9]{0,9}"
_DAY: Final = rb"20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"  # later ones: the strict reader has a calendar
_TIME: Final = _DAY + rb"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_TOKEN: Final = rb'"token":"\{secret:ws_token\}"\},"req_id":[1-9][0-9]{0,14}\}'
_NEW: Final = re.compile(
    rb'\{"method":"add_order","params":\{"order_type":"(?:(limit)|market)","side":"(?:(buy)|sell)",'
    rb'"symbol":"([A-Z0-9]{2,12}/[A-Z0-9]{2,12})"(?:,"time_in_force":"(gtc|ioc|fok)")?(,"post_only":true)?,'
    rb'"stp_type":"cancel_(?:newest|oldest|both)"(?:,"limit_price":(' + _WHOLE + rb")(?:\.([0-9]{1,9}))?)?,"
    rb'"order_qty":(' + _WHOLE + rb')(?:\.([0-9]{1,8}))?,"cl_ord_id":"([A-Za-z0-9-]{1,18})",'
    rb'"deadline":"' + _TIME + rb'",' + _TOKEN
)
_CANCEL: Final = re.compile(rb'\{"method":"cancel_order","params":\{"cl_ord_id":\["([A-Za-z0-9-]{1,18})"\],' + _TOKEN)
_TYPES: Final = {
    (b"gtc", None): int(OrderType.LIMIT),
    (b"gtc", b',"post_only":true'): int(OrderType.POST_ONLY),
    (b"ioc", None): int(OrderType.IOC),
    (b"fok", None): int(OrderType.FOK),
}
_MARKET: Final = int(OrderType.MARKET)
_PRICE_ONE: Final = 10**PRICE_DECIMALS
_SIZE_ONE: Final = 10**SIZE_DECIMALS


def plain(data: bytes) -> Asked | None:
    """What it asks for; None for whatever has another form."""
    found = _NEW.fullmatch(data)
    if found is None:
        cancel = _CANCEL.fullmatch(data)
        return Asked("cancel", cancel[1].decode()) if cancel is not None else None
    limit, buy, symbol, terms, post_only, px, px_part, qty, qty_part, name = found.groups()
    if limit is None:
        if terms or post_only or px:
            return None
        order_type, px_1e9 = _MARKET, 0
    else:
        kind = _TYPES.get((terms, post_only))
        if kind is None or px is None:
            return None
        order_type, px_1e9 = kind, int(px) * _PRICE_ONE + (int(px_part.ljust(PRICE_DECIMALS, b"0")) if px_part else 0)
    qty_1e8 = int(qty) * _SIZE_ONE + (int(qty_part.ljust(SIZE_DECIMALS, b"0")) if qty_part else 0)
    return Asked("new", name.decode(), symbol.decode(), 1 if buy else -1, px_1e9, qty_1e8, order_type)
