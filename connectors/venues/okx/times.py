"""OKX's times are whole milliseconds since the epoch, as texts; a book's is wanted as RFC 3339."""

from connectors.exchange.amounts import ms_ns
from connectors.units import rfc3339_of_ms


class Rfc3339:
    """Book times as texts; that of the last second is kept, so that most cost a slice and no date."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = "none"
        self._text = ""

    def __call__(self, ms: str) -> str:
        """`1755338645123` → `2025-08-16T10:04:05.123Z`. Raises NumberError."""
        second = ms[:-3]
        if second != self._second or not ms.isascii() or not ms.isdigit():
            self._text = rfc3339_of_ms(ms_ns(ms) // 1_000_000)[:-4]
            self._second = second
        return f"{self._text}{ms[-3:]:0>3}Z"
