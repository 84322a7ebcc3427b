"""Raydium's accounts, written field after field in the order its program declares them (borsh, little endian).

Source of the order: the crate carbon-raydium-clmm-decoder 1.0.0 (MIT), `accounts/` and `types/`. Fields that no reader
of prices needs are zero.
"""

import struct
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

import msgspec

from connectors.amm.raydium_fee import Volatility
from connectors.amm.ticks64 import Tick
from runtime.sim.solana.accounts import Stored, kept
from runtime.sim.solana.keys import RAYDIUM, raw

ARRAY_TICKS: Final = 60
_WORDS: Final = 8  # of 64 bits: 512 arrays, half of what a pool's own bitmap tells
_HALF: Final = 64 * _WORDS
_OUTER: Final = 14  # further bitmaps to each side
_Q64: Final = 1 << 64


def _named(account: str) -> bytes:
    """The first 8 bytes: Anchor's mark of an account's type."""
    return sha256(f"account:{account}".encode()).digest()[:8]


class PoolFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool's account says, by the program's names; keys are base58."""

    bump: int
    amm_config: str
    mints: tuple[str, str]
    vaults: tuple[str, str]
    observation: str
    decimals: tuple[int, int]
    tick_spacing: int
    liquidity: int
    sqrt_price_x64: int
    tick: int
    status: int = 0
    fee_on: int = 0
    open_time: int = 0
    epoch: int = 0
    volatility: Volatility | None = None


def pool(said: PoolFields, starts: Iterable[int]) -> Stored:
    """PoolState, 1544 bytes. `starts`: the tick arrays in which a tick is initialised."""
    keys = (said.amm_config, said.amm_config, *said.mints, *said.vaults, said.observation)
    parts = [
        _named("PoolState"),
        bytes([said.bump]),
        *(raw(key) for key in keys),
        struct.pack("<BBH", *said.decimals, said.tick_spacing),
        _u128(said.liquidity) + _u128(said.sqrt_price_x64),
        struct.pack("<iHH", said.tick, 0, 0),
        bytes(2 * 16 + 2 * 8 + 4 * 16),  # fee growths, protocol fees, sums once kept of what was swapped
        struct.pack("<BB6x", said.status, said.fee_on),
        bytes(3 * 169),  # rewards
        _inner_bitmap(starts, said.tick_spacing),
        bytes(4 * 8 + 2 * 8),
        struct.pack("<QQ", said.open_time, said.epoch),
        _dynamic_fee(said.volatility),
        bytes(14 * 8 + 32 * 8),
    ]
    return kept(RAYDIUM, b"".join(parts))


def extension(address: str, starts: Iterable[int], spacing: int) -> Stored:
    """TickArrayBitmapExtension, 1832 bytes: the arrays that are too far out for the pool's own bitmap."""
    outer = {False: [0] * _OUTER, True: [0] * _OUTER}
    for place in _places(starts, spacing):
        if not -_HALF <= place < _HALF:
            further = (place if place >= 0 else -1 - place) // _HALF - 1
            outer[place < 0][further] |= 1 << place % _HALF
    words = (bits.to_bytes(_HALF >> 3, "little") for is_below in (False, True) for bits in outer[is_below])
    return kept(RAYDIUM, _named("TickArrayBitmapExtension") + raw(address) + b"".join(words))


def array(address: str, start: int, spacing: int, ticks: Mapping[int, Tick], epoch: int = 0) -> Stored:
    """TickArrayState, 10240 bytes: 60 ticks from `start` on, of those that the pool has."""
    places = [start + spacing * each for each in range(ARRAY_TICKS)]
    count = sum(place in ticks for place in places)
    parts = [_named("TickArrayState"), raw(address), struct.pack("<i", start)]
    parts += [_tick(place, ticks[place]) if place in ticks else bytes(168) for place in places]
    parts.append(struct.pack("<BQ107x", count, epoch))
    return kept(RAYDIUM, b"".join(parts))


def config(index: int, fee_ppm: int, spacing: int, owner: str) -> Stored:
    """AmmConfig, 117 bytes: a twelfth of the fee goes to the protocol, a twenty-fifth to the fund."""
    head = struct.pack("<BH32s", 255, index, raw(owner))
    rates = struct.pack("<IIHII", 120_000, fee_ppm, spacing, 40_000, 0)
    return kept(RAYDIUM, _named("AmmConfig") + head + rates + raw(owner) + bytes(3 * 8))


def _dynamic_fee(fee: Volatility | None) -> bytes:
    """80 bytes, all zero where the pool has none."""
    if fee is None:
        return bytes(80)
    return struct.pack("<HHHIIiIIQ46x", fee.filter_s, fee.decay_s, fee.reduction, fee.control, fee.maximum,
                       fee.index, fee.reference, fee.accumulator, fee.updated_s)  # fmt: skip


def _tick(place: int, tick: Tick) -> bytes:
    # FIFO cohorts of orders: which one a reader of prices does not care for
    unfilled = _Q64 >> 1 if tick.part_filled else 0
    orders = struct.pack("<QQQ", 1 if tick.orders or tick.part_filled else 0, tick.orders, tick.part_filled)
    return (
        struct.pack("<i", place)
        + tick.net.to_bytes(16, "little", signed=True)
        + _u128(tick.gross)
        + bytes(2 * 16 + 3 * 16)
        + orders
        + _u128(unfilled)
        + bytes(12)
    )


def _places(starts: Iterable[int], spacing: int) -> Iterable[int]:
    return (start // (spacing * ARRAY_TICKS) for start in starts)


def _inner_bitmap(starts: Iterable[int], spacing: int) -> bytes:
    bits = 0
    for place in _places(starts, spacing):
        if -_HALF <= place < _HALF:
            bits |= 1 << place + _HALF
    return bits.to_bytes(2 * _HALF >> 3, "little")


def _u128(value: int) -> bytes:
    return value.to_bytes(16, "little")
