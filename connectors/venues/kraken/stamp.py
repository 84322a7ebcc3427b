"""A time as Kraken reads it in requests: RFC 3339 in UTC with milliseconds. The text of the last second is kept."""

from typing import Final

from connectors.units import rfc3339_of_ms

_SECOND: Final = 10**9


class Stamp:
    """`parts` gives what the format `%s.%03dZ` takes: an order's deadline costs two divisions and no date."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = b""

    def parts(self, ns: int) -> tuple[bytes, int]:
        """(`2026-08-16T10:04:15`, 123); finer than a millisecond is cut: a deadline never gets later."""
        second, rest = divmod(ns, _SECOND)
        if second != self._second:
            self._text = rfc3339_of_ms(second * 1000)[:19].encode()
            self._second = second
        return self._text, rest // 1_000_000
