"""Orca's tick arrays of 88: the fixed ones, and the dynamic ones of 2025, which hold only what is initialised.

Layouts: carbon-orca-whirlpool-decoder 1.0.0 (MIT). A dynamic array is a tag a tick, 0 or 1, and 112 bytes behind each
1; its bitmap says the same once more, bit i for tick i. An array that does not exist is one without ticks.
"""

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account, body
from connectors.venues.solana.keys import ORCA, text_of

FIXED: Final = bytes.fromhex("4561bdbe6e0742bb")
DYNAMIC: Final = bytes.fromhex("11d8f68ee1c7da38")
ARRAY_TICKS: Final = 88
FIXED_LENGTH: Final = 9988
DYNAMIC_LENGTHS: Final = range(148, 10_005)
TICK_MAX: Final = 443_636
_FIXED_HEAD: Final = Struct("<8xi")
_FIXED_TICK: Final = Struct("<BQqQQ80x")
_FIXED_POOL_AT: Final = 9956
_DYNAMIC_HEAD: Final = Struct("<8xi32sQQ")
_DYNAMIC_TICK: Final = Struct("<QqQQ80x")
_ARRAYS_KEPT: Final = 1024

Entry = tuple[int, int, int]  # place, net, gross


class TickArray(msgspec.Struct, frozen=True):
    """The initialised ticks of 88 neighbouring ones: tick → (net, gross), ascending."""

    pool: str
    start: int
    ticks: dict[int, tuple[int, int]]


@lru_cache(maxsize=_ARRAYS_KEPT)
def array_of(account: Account, spacing: int) -> TickArray:
    """Raises PoolRefused for another account, an unknown layout, or ticks that hold nothing or are none."""
    if account.data[:8] == DYNAMIC:
        pool, start, entries = _dynamic(account)
    else:
        data = body(account, ORCA, FIXED, range(FIXED_LENGTH, FIXED_LENGTH + 1), "tick array")
        (start,) = _FIXED_HEAD.unpack_from(data)
        pool, entries = text_of(data[_FIXED_POOL_AT:]), list(_fixed(data, start))
    ticks: dict[int, tuple[int, int]] = {}
    for place, net, gross in entries:
        tick = start + place * spacing
        if not gross or abs(net) > gross or not -TICK_MAX <= tick <= TICK_MAX:
            raise PoolRefused(f"its tick {tick} holds {gross} and adds {net}")
        ticks[tick] = net, gross
    return TickArray(pool, start, ticks)


def span(spacing: int) -> int:
    """Ticks from one array's start to the next one's."""
    return ARRAY_TICKS * spacing


def _fixed(data: bytes, start: int) -> Iterator[Entry]:
    for place, (flag, low, high, gross_low, gross_high) in enumerate(
        _FIXED_TICK.iter_unpack(data[_FIXED_HEAD.size : _FIXED_POOL_AT])
    ):
        if flag == 1:
            yield place, low | high << 64, gross_low | gross_high << 64
        elif flag or low or high or gross_low or gross_high:
            raise PoolRefused(f"its tick array from {start} has a tick that is neither initialised nor empty")


def _dynamic(account: Account) -> tuple[str, int, list[Entry]]:
    data = body(account, ORCA, DYNAMIC, DYNAMIC_LENGTHS, "dynamic tick array")
    start, pool, bits_low, bits_high = _DYNAMIC_HEAD.unpack_from(data)
    entries: list[Entry] = []
    at, bitmap = _DYNAMIC_HEAD.size, 0
    for place in range(ARRAY_TICKS):
        tag = data[at] if at < len(data) else -1
        at += 1
        if tag == 1 and at + _DYNAMIC_TICK.size <= len(data):
            low, high, gross_low, gross_high = _DYNAMIC_TICK.unpack_from(data, at)
            entries.append((place, low | high << 64, gross_low | gross_high << 64))
            at += _DYNAMIC_TICK.size
            bitmap |= 1 << place
        elif tag:
            raise PoolRefused(f"its dynamic tick array from {start} breaks off, or has a tick of kind {tag}")
    if bitmap != bits_low | bits_high << 64 or any(data[at:]):
        raise PoolRefused(f"its dynamic tick array from {start} says other ticks than it has")
    return text_of(pool), start, entries
