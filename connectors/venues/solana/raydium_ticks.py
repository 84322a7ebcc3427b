"""Raydium's ticks: arrays of 60, and the bitmaps that say which arrays hold any.

Layouts: carbon-raydium-clmm-decoder 1.0.0 (MIT) and the program's source (raydium-io/raydium-clmm). An array's number
is its start divided by 60 spacings, rounded down. The pool's bitmap has numbers −512 … 511; the extension has 14 rows
of 512 above them and 14 below: row r above starts at 512·(r + 1), row r below at −512·(r + 2), bit 0 first in both.
Since 2026 limit orders rest on ticks: a tick counts as initialised with liquidity or with orders.
"""

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final

import msgspec

from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account, body
from connectors.venues.solana.keys import RAYDIUM, text_of

ARRAY: Final = bytes.fromhex("c09b55cd31f9812a")
EXTENSION: Final = bytes.fromhex("3c9624db61808b99")
ARRAY_LENGTH: Final = 10240
EXTENSION_LENGTH: Final = 1832
ARRAY_TICKS: Final = 60
HALF: Final = 512  # arrays on either side of tick 0 in the pool's own bitmap
TICK_MAX: Final = 443_636
_ROWS: Final = 14
_ROW_BYTES: Final = HALF // 8
_HEAD: Final = Struct("<8x32si")
_TICK: Final = Struct("<iQqQQ80xQQQQQ12s")  # tick, net, gross, …, phase, orders, part filled, unfilled ratio, padding
_COUNT_AT: Final = 10124
_TAIL_AT: Final = 10133
_ARRAYS_KEPT: Final = 1024
_NO_PADDING: Final = bytes(12)


class TickState(msgspec.Struct, frozen=True):
    """One initialised tick. Orders are amounts of the token that is sold there; `unfilled_ratio` is Q64.64."""

    net: int
    gross: int
    order_phase: int
    orders: int
    part_filled: int
    unfilled_ratio: int


class TickArray(msgspec.Struct, frozen=True):
    """The initialised ticks of 60 neighbouring ones, by tick, ascending."""

    pool: str
    start: int
    ticks: dict[int, TickState]


class Extension(msgspec.Struct, frozen=True):
    """`above`: bit 0 is array 512; `below`: bit 0 is array −7680, the last is −513."""

    pool: str
    above: int
    below: int


@lru_cache(maxsize=_ARRAYS_KEPT)
def array_of(account: Account, spacing: int) -> TickArray:
    """Raises PoolRefused for another account, for ticks that are not where they must be, or not as many as it says.

    Remembers: of a pool's arrays hardly any changes from one read to the next.
    """
    data = body(account, RAYDIUM, ARRAY, range(ARRAY_LENGTH, ARRAY_LENGTH + 1), "tick array")
    pool, start = _HEAD.unpack_from(data)
    ticks: dict[int, TickState] = {}
    at = start
    for (
        tick,
        low,
        high,
        gross_low,
        gross_high,
        phase,
        orders,
        part,
        ratio_low,
        ratio_high,
        padding,
    ) in _TICK.iter_unpack(data[_HEAD.size : _COUNT_AT]):
        if gross_low or gross_high or orders or part:
            if tick != at or not -TICK_MAX <= tick <= TICK_MAX:
                raise PoolRefused(f"its tick array from {start} has tick {tick} where {at} belongs")
            net, gross = low | high << 64, gross_low | gross_high << 64
            if abs(net) > gross or padding != _NO_PADDING:
                raise PoolRefused(f"its tick {tick} holds {gross} and adds {net}, or a field not known")
            ticks[tick] = TickState(net, gross, phase, orders, part, ratio_low | ratio_high << 64)
        elif low or high:
            raise PoolRefused(f"its tick {at} adds liquidity and holds none")
        at += spacing
    if data[_COUNT_AT] != len(ticks):
        raise PoolRefused(f"its tick array from {start} says {data[_COUNT_AT]} initialised ticks and has {len(ticks)}")
    if any(data[_TAIL_AT:]):
        raise PoolRefused(f"its tick array from {start} has bytes set where no field is known")
    return TickArray(text_of(pool), start, ticks)


@lru_cache(maxsize=_ARRAYS_KEPT)
def extension_of(account: Account) -> Extension:
    """Raises PoolRefused for another account."""
    lengths = range(EXTENSION_LENGTH, EXTENSION_LENGTH + 1)
    data = body(account, RAYDIUM, EXTENSION, lengths, "bitmap extension")
    end = 40 + _ROWS * _ROW_BYTES
    rows = [data[at : at + _ROW_BYTES] for at in range(end, EXTENSION_LENGTH, _ROW_BYTES)]
    below = int.from_bytes(b"".join(reversed(rows)), "little")
    return Extension(text_of(data[8:40]), int.from_bytes(data[40:end], "little"), below)


def span(spacing: int) -> int:
    """Ticks from one array's start to the next one's."""
    return ARRAY_TICKS * spacing


def needs_extension(spacing: int) -> bool:
    """Whether a pool of that spacing can have an array that its own bitmap has no room for."""
    return HALF * span(spacing) <= TICK_MAX


def initialised(bitmap: int, extension: Extension | None) -> int:
    """All bits in one number: bit `ORIGIN` is the array that starts at tick 0."""
    found = bitmap << _ROWS * HALF
    if extension is not None:
        found |= extension.below | extension.above << (_ROWS + 2) * HALF
    return found


ORIGIN: Final = (_ROWS + 1) * HALF


def below(bits: int, number: int) -> Iterator[int]:
    """The numbers of the arrays that hold ticks, from `number` downwards."""
    left = bits & ((1 << max(number + ORIGIN + 1, 0)) - 1)
    while left:
        top = left.bit_length() - 1
        yield top - ORIGIN
        left ^= 1 << top


def above(bits: int, number: int) -> Iterator[int]:
    """The numbers of the arrays that hold ticks, from `number` upwards."""
    skipped = max(number + ORIGIN, 0)
    left = bits >> skipped
    while left:
        lowest = left & -left
        yield lowest.bit_length() - 1 + skipped - ORIGIN
        left ^= lowest
