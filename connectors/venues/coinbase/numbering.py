"""`sequence_num`: whether a message was lost, came twice or came too late.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-overview#sequence-numbers says that
it rises by one "for each product". Frames that others recorded say otherwise: heartbeats 150, then 158, with messages
of other channels between them (https://github.com/hummingbot/hummingbot/pull/6458), which is one counter per connection
over all channels and products. That is what is checked, unless `PER_PRODUCT` says otherwise.
"""

from typing import Final

PER_PRODUCT: Final = False  # True: a counter of its own for each channel and product
OLD: Final = -1
_COUNTERS_MAX: Final = 10_000  # a venue that names new products for ever fills no memory of ours


class Numbering:
    """The counters of one connection."""

    __slots__ = ("_last", "_lasts", "is_per_product")

    def __init__(self, *, per_product: bool = PER_PRODUCT) -> None:
        self.is_per_product = per_product
        self._last = OLD  # of a connection; no number is below 0
        self._lasts: dict[tuple[str, str], int] = {}

    def restart(self) -> None:
        """A new connection: the first number seen counts as right."""
        self._last = OLD
        self._lasts.clear()

    def missing(self, number: int, channel: str, product: str) -> int:
        """How many messages between the last one and this are missing; OLD: it came before, or too late.

        `product` "": of none, or of several; where products are numbered, nothing can be told by it.
        """
        if self.is_per_product:
            if not product:
                return 0
            key = (channel, product)
            last = self._lasts.get(key, OLD)
            if number > last and (key in self._lasts or len(self._lasts) < _COUNTERS_MAX):
                self._lasts[key] = number
        else:
            last = self._last
            if number > last:
                self._last = number
        if number <= last:
            return OLD
        return number - last - 1 if last != OLD else 0
