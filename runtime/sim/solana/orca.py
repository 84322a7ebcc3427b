"""Orca's accounts, written field after field in the order its program declares them (borsh, little endian).

Source of the order: the crate carbon-orca-whirlpool-decoder 1.0.0 (MIT), `accounts/` and `types/`. Fields that no
reader of prices needs are zero.
"""

import struct
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

import msgspec

from connectors.amm.ticks64 import Tick
from runtime.sim.solana.accounts import Stored, kept
from runtime.sim.solana.keys import ORCA, ORCA_CONFIG, raw

ARRAY_TICKS: Final = 88


def _named(account: str) -> bytes:
    """The first 8 bytes: Anchor's mark of an account's type."""
    return sha256(f"account:{account}".encode()).digest()[:8]


class PoolFields(msgspec.Struct, frozen=True, kw_only=True):
    """What a whirlpool's account says, by the program's names; keys are base58."""

    bump: int
    tick_spacing: int
    fee_rate: int
    liquidity: int
    sqrt_price: int
    tick: int
    mints: tuple[str, str]
    vaults: tuple[str, str]
    updated_s: int = 0


def pool(said: PoolFields) -> Stored:
    """Whirlpool, 653 bytes. Its fee tier is its spacing: a fee that does not adapt."""
    head = struct.pack("<32sBHHHH", raw(ORCA_CONFIG), said.bump, said.tick_spacing, said.tick_spacing,
                       said.fee_rate, 1_300)  # fmt: skip
    parts = [_named("Whirlpool"), head, _u128(said.liquidity) + _u128(said.sqrt_price)]
    parts.append(struct.pack("<iQQ", said.tick, 0, 0))
    for mint, vault in zip(said.mints, said.vaults, strict=True):
        parts += [raw(mint), raw(vault), bytes(16)]
    parts += [struct.pack("<Q", said.updated_s), bytes(3 * 128)]
    return kept(ORCA, b"".join(parts))


def fixed_array(address: str, start: int, spacing: int, ticks: Mapping[int, Tick]) -> Stored:
    """TickArray, 9988 bytes: 88 ticks from `start` on, of those that the pool has."""
    each = (ticks.get(start + spacing * place) for place in range(ARRAY_TICKS))
    entries = [b"\1" + _tick(tick) if tick is not None else bytes(113) for tick in each]
    head = _named("TickArray") + struct.pack("<i", start)
    return kept(ORCA, head + b"".join(entries) + raw(address))


def dynamic_array(address: str, start: int, spacing: int, ticks: Mapping[int, Tick]) -> Stored:
    """DynamicTickArray, 148 bytes and 112 more for each tick of those that the pool has."""
    bitmap, entries = 0, []
    for place in range(ARRAY_TICKS):
        tick = ticks.get(start + spacing * place)
        bitmap |= (tick is not None) << place
        entries.append(b"\0" if tick is None else b"\1" + _tick(tick))
    head = _named("DynamicTickArray") + struct.pack("<i32s", start, raw(address)) + _u128(bitmap)
    return kept(ORCA, head + b"".join(entries))


def _tick(tick: Tick) -> bytes:
    return tick.net.to_bytes(16, "little", signed=True) + _u128(tick.gross) + bytes(2 * 16 + 3 * 16)


def _u128(value: int) -> bytes:
    return value.to_bytes(16, "little")
