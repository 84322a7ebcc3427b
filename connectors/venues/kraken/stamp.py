"""A time as Kraken reads it in requests: RFC 3339 in UTC with milliseconds. The text of the last second is kept."""

from typing import Final

_SECOND: Final = 10**9
_DAY: Final = 86_400


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
            self._text = _text(second)
            self._second = second
        return self._text, rest // 1_000_000


def _text(second: int) -> bytes:
    days, rest = divmod(second, _DAY)
    year, month, day = _civil(days)
    return b"%04d-%02d-%02dT%02d:%02d:%02d" % (year, month, day, rest // 3600, rest // 60 % 60, rest % 60)


def _civil(days: int) -> tuple[int, int, int]:
    """The date so many days after 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms")."""
    days += 719_468
    era, day_of_era = divmod(days, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year_of_era + era * 400 + (month <= 2), month, day
