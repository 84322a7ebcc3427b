"""One market, many names: WebSocket v2 says BTC/USD, REST says XXBTZUSD, XBTUSD or XBT/USD for the same.

Never derived by cutting a name up (XXRPXXBT has no unique cut): every name that a followed market can have is made from
its own symbol and the table of Kraken's old asset codes, and looked up whole.
https://support.kraken.com/hc/en-us/articles/360001185506-How-to-interpret-asset-codes
"""

from collections.abc import Iterable
from typing import Final

# v2 name → the codes that REST has for it
CODES: Final = {
    "BTC": ("XBT", "XXBT"), "DOGE": ("XDG", "XXDG"), "ETH": ("XETH",), "ETC": ("XETC",), "LTC": ("XLTC",),
    "MLN": ("XMLN",), "REP": ("XREP",), "XLM": ("XXLM",), "XMR": ("XXMR",), "XRP": ("XXRP",), "ZEC": ("XZEC",),
    "USD": ("ZUSD",), "EUR": ("ZEUR",), "GBP": ("ZGBP",), "JPY": ("ZJPY",), "CAD": ("ZCAD",), "AUD": ("ZAUD",),
}  # fmt: skip
_NAMES: Final = {code: name for name, codes in CODES.items() for code in codes}


def asset(code: str) -> str:
    """An asset's v2 name; a code that has none is its own (`USD.F` is not USD)."""
    return _NAMES.get(code, code)


class Names:
    """The followed markets by any of their names."""

    def __init__(self, symbols: Iterable[tuple[int, str]]) -> None:
        self._index = {symbol: index for index, symbol in symbols}
        self._pairs: dict[str, str] = {}
        for symbol in self._index:
            base, _, quote = symbol.partition("/")
            for first in (base, *CODES.get(base, ())):
                for second in (quote, *CODES.get(quote, ())):
                    for form in (f"{first}/{second}", f"{first}{second}"):
                        # a name that two markets could have is nobody's
                        self._pairs[form] = symbol if self._pairs.get(form, symbol) == symbol else ""

    def index(self, symbol: str) -> int:
        """The engine's index of a v2 symbol; −1: not followed."""
        return self._index.get(symbol, -1)

    def symbol(self, pair: str) -> str:
        """The v2 symbol of whatever REST calls it; "": not followed."""
        return self._pairs.get(pair, "")
