"""Numbers and messages as Kraken's wire has them: what all venues have (`exchange/numbers.py`), and Kraken's own."""

from __future__ import annotations

import msgspec

from runtime.sim.exchange.numbers import Num, dump, fixed, load, parse_form, parse_time, plain, raw, scaled
from runtime.sim.market import NS, rfc3339

__all__ = [
    "Num", "Refuse", "dump", "fixed", "load", "number", "parse_form", "parse_time", "plain", "raw", "scaled", "seconds",
    "times",
]  # fmt: skip


class Refuse(Exception):  # noqa: N818 - not an error of ours: what the venue answers
    """The venue's word for a request that it does not take."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def number(value: int, decimals: int) -> msgspec.Raw:
    """`plain`, for a message."""
    return raw(plain(value, decimals))


def times(now_ns: int) -> dict[str, str]:
    """When a request came in and its answer went out."""
    return {"time_in": rfc3339(now_ns), "time_out": rfc3339(now_ns + 33_000)}


def seconds(ts_ns: int) -> msgspec.Raw:
    """Unix seconds with their fraction, as REST prints times; 0 for none."""
    return raw(f"{ts_ns // NS}.{ts_ns % NS // 1000:06d}" if ts_ns else "0")
