"""Numbers, times and forms as wires have them: exact decimals in, exact decimals out, no float in between. Pure.

A JSON number with a point or an exponent is a `Num`, its text, as is one beyond 64 bits; all others are ints; so a
number can be told from a string, as venues do. Texts that go out as numbers are `msgspec.Raw`, printed as they are.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from runtime.sim.market import NS, SimPair, fixed_text, rfc3339

UNIT: Final = 10
"""Decimals of every amount of money in a simulated account."""
ONE: Final = 10**UNIT
MS: Final = 1_000_000

_NUMBER: Final = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?")
_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))")
_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")


class Num(str):
    """A JSON number that is written with a point or an exponent, or is longer than any id."""

    __slots__ = ()


def load(text: str | bytes) -> Any:
    """JSON with numbers kept as written. Raises ValueError for anything that is not JSON."""
    try:
        return json.loads(text, parse_float=Num, parse_int=_whole, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _whole(text: str) -> int | Num:
    return int(text) if len(text) < 19 else Num(text)


def scaled(value: object, decimals: int) -> int | None:
    """A number (JSON's or a text) in units of 10^-decimals; None where it is no number or needs more decimals."""
    found = _NUMBER.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
    if found is None:
        return None
    sign, whole, fraction, exponent = found.groups()
    fraction = fraction or ""
    places: int = decimals - len(fraction) + int(exponent or 0)
    amount: int = int(whole + fraction)
    if places < 0:
        amount, rest = divmod(amount, int(10**-places))
        if rest:
            return None
    else:
        amount *= int(10**places)
    return -amount if sign else amount


def plain(value: int, decimals: int) -> str:
    """value / 10^decimals in plain digits, at least one decimal, no trailing zeros: (50930100, 8) → "0.509301"."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    whole, part = divmod(value, 10**decimals)
    return f"{sign}{whole}.{str(part).rjust(decimals, '0').rstrip('0') if decimals else ''}".removesuffix(".") + (
        "" if part else ".0"
    )


def short(value: int, decimals: int) -> str:
    """The same without a decimal where none is needed: (200, 2) → "2"."""
    return plain(value, decimals).removesuffix(".0")


def fixed(value: int, decimals: int) -> str:
    """value / 10^decimals with exactly that many decimals, negative ones too."""
    return f"-{fixed_text(-value, decimals)}" if value < 0 else fixed_text(value, decimals)


def raw(text: str) -> msgspec.Raw:
    """A number that is printed as it is."""
    return msgspec.Raw(text.encode())


def dump(message: object) -> str:
    """A message as JSON without blanks; a `Num` as it was written."""
    return msgspec.json.encode(message, enc_hook=_as_written).decode()


def _as_written(value: object) -> msgspec.Raw:
    if isinstance(value, Num):
        return raw(value)
    raise NotImplementedError(type(value).__name__)


def cost_of(pair: SimPair, price: int, qty: int) -> int:
    """price × qty in 10^-10 of the quote, at the pair's cost decimals, rounded down."""
    step = int(10 ** (pair.price_precision + pair.qty_precision))
    return price * qty * int(10**pair.cost_precision) // step * int(10 ** (UNIT - pair.cost_precision))


def cost_up(pair: SimPair, price: int, qty: int) -> int:
    """The same rounded up: what has to be held."""
    return -cost_of(pair, -price, qty)


# --- times ------------------------------------------------------------------------------------------------------------


def millis(ts_ns: int) -> str:
    """Unix milliseconds as a text."""
    return str(ts_ns // MS)


def iso_ms(ts_ns: int) -> str:
    """RFC 3339 with milliseconds: `2026-08-16T10:04:05.123Z`."""
    return f"{rfc3339(ts_ns)[:23]}Z"


def parse_time(value: object) -> int | None:
    """RFC3339 → ns since the epoch; None where it is none. By the calendar's arithmetic, so that no clock is asked."""
    found = _RFC3339.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24 and minute < 60 and second < 61):
        return None
    fraction, sign, off_hours, off_minutes = found.groups()[6:]
    shifted = year - (month <= 2)  # years from March on: the leap day is the last
    era_day = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + era_day - 719_468
    offset = (int(off_hours) * 60 + int(off_minutes)) * (-1 if sign == "-" else 1) if sign else 0
    total = ((days * 24 + hour) * 60 + minute - offset) * 60 + second
    return total * NS + int((fraction or "").ljust(9, "0"))


# --- forms ------------------------------------------------------------------------------------------------------------


def parse_form(body: str) -> dict[str, str]:
    """`a=1&b=x%20y` → its fields; the last of a name counts."""
    pairs = (part.partition("=") for part in body.split("&") if part)
    return {_unquote(name): _unquote(value) for name, _, value in pairs}


def _unquote(text: str) -> str:
    head, *parts = text.replace("+", " ").encode().split(b"%")
    out = bytearray(head)
    for part in parts:
        try:
            out += bytes([int(part[:2], 16)]) + part[2:]
        except ValueError:
            out += b"%" + part
    return out.decode("utf-8", "replace")


def percent(text: str) -> str:
    """Percent-encoded, all but letters, digits and `-_.~` (RFC 3986)."""
    return "".join(char if char in _PLAIN else "".join(f"%{byte:02X}" for byte in char.encode()) for char in text)
