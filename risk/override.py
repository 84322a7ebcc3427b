"""Overrides: one order above a limit, authorised singly and for a while (RTS 7 art. 20(2)(d)).

A grant names the order to the last unit. Its signature is checked at the door (`runtime/overrides.py`), before the
grant becomes a command; here it is matched, used once, and remembered as used.
"""

import msgspec

from risk.denial import DenyReason

OVERRIDABLE = frozenset(
    {DenyReason.DUPLICATE_ORDER, DenyReason.PRICE_COLLAR, DenyReason.PRICE_COLLAR_WINDOW, DenyReason.MAX_ORDER_QTY,
     DenyReason.MAX_ORDER_NOTIONAL, DenyReason.CAPITAL_LIMIT, DenyReason.MAX_POSITION, DenyReason.CANARY_LIMIT}
)  # fmt: skip


class Grant(msgspec.Struct, frozen=True):
    """One order that may pass OVERRIDABLE controls. `id` is unique for ever; `px_1e9` is 0 for a market order.

    `market`: the market's name (`kraken:BTC/USD`). `expires_ns`: not used at or after it. `who` signed it.
    """

    id: str
    algo: str
    market: str
    side: int
    qty_1e8: int
    px_1e9: int
    expires_ns: int
    who: str
