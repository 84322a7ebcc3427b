"""What OKX calls our markets and our orders, and back.

A market is found in the venue's own list by base and quote, never by cutting a name up (`BTC-USDT` → `BTC/USDT`).
Before that list is there, a name is the symbol with a hyphen, which is how OKX writes every spot pair. A client order
id is letters and digits alone at OKX (order-book-trading-trade-ws-place-order, `clOrdId`), at most 32; ours have a
hyphen after the eighth character (`vg1a2b3c-17`), which is left out on the wire and put back on everything that is
read.
"""

import re
from collections.abc import Iterable
from typing import Final

# `vg` and six of [0-9a-z], then the hyphen; where a recording of others is replayed, `vg` alone
_OURS: Final = re.compile(r"(vg[0-9a-z]{6}|vg(?=[0-9]{1,6}$))([0-9]+)")


def wire_id(client_order_id: str) -> str:
    """`vg1a2b3c-17` → `vg1a2b3c17`; another id without its hyphens."""
    return client_order_id.replace("-", "")


def our_id(cl_ord_id: str) -> str:
    """`vg1a2b3c17` → `vg1a2b3c-17`; an id that cannot be one of ours stays as it is."""
    ours = _OURS.fullmatch(cl_ord_id)
    return cl_ord_id if ours is None else f"{ours[1]}-{ours[2]}"


def plain_name(symbol: str) -> str:
    """OKX's name of a market before its list was read; a user may have written that name in the first place."""
    return symbol.replace("/", "-")


class Names:
    """Followed symbols, to be found in the venue's own list."""

    def __init__(self, symbols: Iterable[tuple[int, str]]) -> None:
        self._wanted = {symbol: index for index, symbol in symbols}

    def wanted(self, inst_id: str, base: str, quote: str) -> int:
        """The engine's index of a market in that list; −1: not followed. A user may have written its name there."""
        index = self._wanted.get(f"{base}/{quote}", -1)
        return index if index >= 0 else self._wanted.get(inst_id, -1)
