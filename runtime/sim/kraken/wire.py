"""Numbers and messages as Kraken's wire has them: exact decimals in, exact decimals out, no float in between.

A JSON number with a point or an exponent is a `Num`, its text; one without is an int; so a number can be told from a
string, as the venue does (venues.md 1.9). Texts that go out are `msgspec.Raw`, printed as they are.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import msgspec

from runtime.sim.market import NS, rfc3339

_NUMBER: Final = re.compile(r"(-?)(\d{1,40})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,2}))?")
_RFC3339: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))")


class Num(str):
    """A JSON number that is written with a point or an exponent."""

    __slots__ = ()


class Refuse(Exception):  # noqa: N818 - not an error of ours: what the venue answers
    """The venue's word for a request that it does not take."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def load(text: str | bytes) -> Any:
    """JSON with numbers kept as written. Raises ValueError for anything that is not JSON."""
    try:
        return json.loads(text, parse_float=Num, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> None:
    raise ValueError(name)


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


def fixed(value: int, decimals: int) -> str:
    """value / 10^decimals with exactly that many decimals, negative ones too."""
    sign, value = ("-", -value) if value < 0 else ("", value)
    if not decimals:
        return f"{sign}{value}"
    return f"{sign}{value // 10**decimals}.{value % 10**decimals:0{decimals}d}"


def raw(text: str) -> msgspec.Raw:
    """A number that is printed as it is."""
    return msgspec.Raw(text.encode())


def number(value: int, decimals: int) -> msgspec.Raw:
    """`plain`, for a message."""
    return raw(plain(value, decimals))


def dump(message: object) -> str:
    """A message as the venue prints it."""
    return msgspec.json.encode(message).decode()


def times(now_ns: int) -> dict[str, str]:
    """When a request came in and its answer went out."""
    return {"time_in": rfc3339(now_ns), "time_out": rfc3339(now_ns + 33_000)}


def seconds(ts_ns: int) -> msgspec.Raw:
    """Unix seconds with their fraction, as REST prints times; 0 for none."""
    return raw(f"{ts_ns // NS}.{ts_ns % NS // 1000:06d}" if ts_ns else "0")


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
