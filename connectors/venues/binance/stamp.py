"""Binance's times, ms since the epoch, as the RFC 3339 text that books carry. The text of the last second is kept."""

from connectors.units import rfc3339_of_ms


class Stamp:
    """`text(1755338645123)` is `2025-08-16T10:04:05.123Z`: of nearly all messages two divisions and no date."""

    __slots__ = ("_head", "_second")

    def __init__(self) -> None:
        self._second = -1
        self._head = ""

    def text(self, ms: int) -> str:
        """Raises NumberError for a time that no such text can say."""
        second, rest = divmod(ms, 1000)
        if second != self._second:
            self._head = rfc3339_of_ms(second * 1000).removesuffix("000Z")
            self._second = second
        return f"{self._head}{rest:03d}Z"
