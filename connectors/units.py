"""Text to integers with a scale, and back: the only place where a number is parsed.

Scales are the guest's everywhere: price ×1e9 (u64), size ×1e8 (i64), money ×1e9, time in ns.

Two ways in:

* `scaled` reads a number's own text (or the `Decimal` that msgspec keeps digit for digit), plain or with an
  exponent, of any length, and raises `NumberError` when it does not fall on the scale. Metadata, trades, fills,
  config: everything that is not hot.
* `FloatGrid` reads book levels that msgspec has already turned into doubles, which is five times cheaper, and
  proves for each number that nothing was lost; what it cannot prove, the caller reads again with `scaled`.

The proof. Let p be the instrument's decimals and t = floor(x·10^p + ½) for a double x. When t < 10^14, both t and
10^p are exact doubles, so t / 10^p (one IEEE division, correctly rounded) is the double nearest to the decimal
t·10^-p, which is what a correct parser makes of that decimal's text. Decimals of at most 15 significant digits have
distinct nearest doubles (IEEE 754 binary64, DBL_DIG = 15). Hence t / 10^p == x holds exactly when x is the parse of a
number on the grid, and then t is that number: no bound on the error of the multiplication is needed. A text with one
decimal more than the grid still has at most 15 digits: it is another double, fails the comparison and is never rounded
to its neighbour (with 10^15 as the bound, one such text in fifty was).
"""

import re
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Final, Protocol

from connectors.errors import NumberError

PRICE_DECIMALS: Final = 9
SIZE_DECIMALS: Final = 8
MONEY_DECIMALS: Final = 9
SIZE_ONE: Final = 10**SIZE_DECIMALS
I64_MAX: Final = 2**63 - 1

# A decimal with more digits than this is not a price on any venue; it bounds the work of 10**exponent.
_EXPONENT_MAX: Final = 64
_EXACT_UNITS_MAX: Final = 10**14 - 1
_PRICES_KEPT: Final = 4096
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_RFC3339: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?Z")


def scaled(number: str | Decimal | int, decimals: int) -> int:
    """The integer `number`·10^`decimals`, exactly.

    Accepts `"62807.0"`, `"1e-08"`, integers of up to 64 digits. Raises NumberError for anything that is not a finite
    decimal number in ASCII digits, for more decimals than `decimals` can hold, and for exponents beyond ±64.
    """
    if isinstance(number, str) and _NUMBER.fullmatch(number) is None:  # Decimal also reads `1_0`, ` 1 ` and `١`
        msg = f"not a number: {number!r:.80}"
        raise NumberError(msg)
    try:
        sign, digits, exponent = Decimal(number).as_tuple()
    except (InvalidOperation, ValueError, TypeError):
        msg = f"not a number: {number!r:.80}"
        raise NumberError(msg) from None
    if not isinstance(exponent, int) or abs(exponent) > _EXPONENT_MAX or len(digits) > _EXPONENT_MAX:
        msg = f"not a finite number of reasonable length: {Decimal(number)!s:.80}"
        raise NumberError(msg)
    units: int = int("".join(map(str, digits)))
    shift = int(exponent) + decimals
    if shift >= 0:
        units *= 10**shift
    else:
        units, lost = divmod(units, 10**-shift)
        if lost:
            msg = f"{number} has more than {decimals} decimals"
            raise NumberError(msg)
    return -units if sign else units


def decimal_text(units: int, decimals: int) -> str:
    """`units`·10^-`decimals` as plain digits with exactly `decimals` places: `decimal_text(628070, 1) == "62807.0"`."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**decimals)
    return f"{sign}{whole}.{part:0{decimals}d}" if decimals else f"{sign}{whole}"


def trimmed_text(units: int, decimals: int) -> str:
    """Like `decimal_text`, without trailing zeros: for people."""
    text = decimal_text(units, decimals)
    return text.rstrip("0").rstrip(".") if "." in text else text


def rfc3339_ns(text: str) -> int:
    """`2026-08-01T02:53:53.646219Z` (any number of second decimals up to 9) → ns since the epoch.

    Raises NumberError when the text has another form. No time zone but Z: venues send UTC.
    """
    match = _RFC3339.fullmatch(text)
    if match is not None:
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        if 1 <= month <= 12 and 1 <= day <= _month_days(year, month) and hour < 24 and minute < 60 and second < 60:
            ns = int((match[7] or "").ljust(9, "0"))
            return (_days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 10**9 + ns
    msg = f"not an RFC 3339 UTC time: {text!r:.60}"
    raise NumberError(msg)


def rfc3339_of_ms(ms: int) -> str:
    """A Unix time in ms as RFC 3339 text with three decimals: `rfc3339_ns` of it is the same time.

    Raises NumberError for a time before 1970 or beyond the year 9999.
    """
    days, rest = divmod(ms, 86_400_000)
    if not 0 <= days < 2_932_897:
        msg = f"not a time in ms: {ms}"
        raise NumberError(msg)
    year, month, day = _civil_from_days(days)
    seconds, milli = divmod(rest, 1000)
    hours, seconds = divmod(seconds, 3600)
    return f"{year:04d}-{month:02d}-{day:02d}T{hours:02d}:{seconds // 60:02d}:{seconds % 60:02d}.{milli:03d}Z"


def _civil_from_days(days: int) -> tuple[int, int, int]:
    """The inverse of `_days_from_civil` (H. Hinnant, civil_from_days), from 1970 on."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year_of_era + era * 400 + (month <= 2), month, day


def _month_days(year: int, month: int) -> int:
    if month == 2:
        return 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def _days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", days_from_civil)."""
    year -= month <= 2
    era = year // 400
    year_of_era = year - era * 400
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719_468


class RawLevel(Protocol):
    """A book level as the wire has it, decoded through floats."""

    price: float
    qty: float


class FloatGrid:
    """Exact conversion of doubles on one instrument's grid; see the proof in the module's docstring.

    `price_precision` ≤ 9 and `size_precision` ≤ 8 decimals (`Instrument` refuses others).
    """

    __slots__ = ("_prices", "price_factor", "price_max", "price_power", "size_factor", "size_max", "size_power")

    def __init__(self, price_precision: int, size_precision: int) -> None:
        self._prices: dict[float, int] = {}  # the same few hundred prices come again and again
        self.price_power = float(10**price_precision)
        self.size_power = float(10**size_precision)
        self.price_factor = 10 ** (PRICE_DECIMALS - price_precision)
        self.size_factor = 10 ** (SIZE_DECIMALS - size_precision)
        self.price_max = min(_EXACT_UNITS_MAX, I64_MAX // self.price_factor)
        self.size_max = min(_EXACT_UNITS_MAX, I64_MAX // self.size_factor)

    def levels(self, raw: list[RawLevel]) -> list[tuple[int, int]] | None:
        """`[(px_1e9, sz_1e8), …]`, or None when some number cannot be proved exact: read the text instead."""
        price_power, size_power = self.price_power, self.size_power
        price_max, size_max = self.price_max, self.size_max
        size_factor, prices = self.size_factor, self._prices
        out = []
        try:
            for level in raw:
                x = level.price
                px = prices.get(x)
                if px is None:
                    t = int(x * price_power + 0.5)
                    if t / price_power != x or not 0 < t <= price_max:
                        return None
                    if len(prices) >= _PRICES_KEPT:
                        prices.clear()
                    px = prices[x] = t * self.price_factor
                y = level.qty
                u = int(y * size_power + 0.5)
                if u / size_power != y or not 0 <= u <= size_max:
                    return None
                out.append((px, u * size_factor))
        except (OverflowError, ValueError):  # infinite; not a number
            return None
        return out

    def exact_level(self, price: str | Decimal, qty: str | Decimal) -> tuple[int, int]:
        """The same from the numbers' text. Raises NumberError: off the scale, not positive, beyond 63 bits."""
        px, sz = scaled(price, PRICE_DECIMALS), scaled(qty, SIZE_DECIMALS)
        if not 0 < px <= I64_MAX or not 0 <= sz <= I64_MAX:
            msg = f"level {price} × {qty} is outside the guest's range"
            raise NumberError(msg)
        if px % self.price_factor or sz % self.size_factor:
            msg = f"level {price} × {qty} has more decimals than the instrument's metadata says"
            raise NumberError(msg)
        return px, sz


class TextGrid(FloatGrid):
    """The same for venues whose levels are pairs of texts, `["62806.90", "0.50930"]`; what follows in a level is left.

    A text is parsed to the double nearest to it, which is what the proof asks for; what cannot be proved is read digit
    for digit. The same few thousand prices and sizes come again and again: each text is read once.
    """

    __slots__ = ("_px_of", "_sz_of")

    def __init__(self, price_precision: int, size_precision: int) -> None:
        super().__init__(price_precision, size_precision)
        self._px_of: dict[str, int] = {}
        self._sz_of: dict[str, int] = {}

    def of_texts(self, raw: Sequence[Sequence[str]]) -> list[tuple[int, int]]:
        """`[(px_1e9, sz_1e8), …]`. Raises NumberError: no number, off the scale, not positive, beyond 63 bits."""
        px_of, sz_of = self._px_of, self._sz_of
        out = []
        for level in raw:
            price, qty = level[0], level[1]
            px, sz = px_of.get(price), sz_of.get(qty)
            if px is None:
                px = self._price(price, qty)
            if sz is None:
                sz = self._size(price, qty)
            out.append((px, sz))
        return out

    def _price(self, price: str, qty: str) -> int:
        """A price whose text was not seen lately. Raises NumberError."""
        t = _proved(price, self.price_power, self.price_max)
        px = t * self.price_factor if t > 0 else self.exact_level(price, qty)[0]
        if len(self._px_of) >= _PRICES_KEPT:
            self._px_of.clear()
        self._px_of[price] = px
        return px

    def _size(self, price: str, qty: str) -> int:
        """A size whose text was not seen lately. Raises NumberError."""
        u = _proved(qty, self.size_power, self.size_max)
        sz = u * self.size_factor if u >= 0 else self.exact_level(price, qty)[1]
        if len(self._sz_of) >= _PRICES_KEPT:
            self._sz_of.clear()
        self._sz_of[qty] = sz
        return sz


def _proved(text: str, power: float, most: int) -> int:
    """A text in units of the grid's last decimal; −1 where nothing is proved of it.

    The proof is of at most 15 digits; what float() would read besides them is for `scaled` to judge.
    """
    if len(text) > 16 or not text.isascii() or not text.replace(".", "", 1).isdigit():
        return -1
    x = float(text)
    units = int(x * power + 0.5)
    return units if units <= most and units / power == x else -1
