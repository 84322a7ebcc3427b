"""Accounts as the simulated chain stores them, and those that are no pool's: mints, vaults, the clock.

Layouts: spl-token's `state.rs` (Mint 82 bytes, Account 165), Solana's Clock sysvar (40 bytes). An option takes its
place whether it is there or not.
"""

import struct
from typing import Final

import msgspec

from runtime.sim.solana.keys import SYSVAR, TOKEN, raw

EPOCH_SLOTS: Final = 432_000
_LAMPORTS_A_BYTE: Final = 6_960  # rent for two years: what keeps an account alive
_NO_KEY: Final = bytes(4 + 32)


class Stored(msgspec.Struct, frozen=True):
    """One account. `owner`: its program, base58; `lamports`: what it holds of the native coin."""

    owner: str
    data: bytes
    lamports: int


def kept(owner: str, data: bytes) -> Stored:
    """An account that holds what its size costs."""
    return Stored(owner, data, (128 + len(data)) * _LAMPORTS_A_BYTE)


def mint(decimals: int, supply: int, authority: str) -> Stored:
    """An SPL token's mint; nobody can freeze it."""
    data = struct.pack("<I32sQBB36s", 1, raw(authority), supply, decimals, 1, _NO_KEY)
    return kept(TOKEN, data)


def vault(token: str, holder: str, amount: int) -> Stored:
    """A token account with a balance."""
    head = struct.pack("<32s32sQ", raw(token), raw(holder), amount)
    return kept(TOKEN, head + struct.pack("<36sB12sQ36s", _NO_KEY, 1, bytes(12), 0, _NO_KEY))


def clock(slot: int, unix_s: int) -> Stored:
    """The Clock sysvar: slot, when the epoch began, epoch, the epoch whose leaders are known, seconds since 1970."""
    epoch, place = divmod(slot, EPOCH_SLOTS)
    began = unix_s - place * 2 // 5  # slots of 0.4 s
    return Stored(SYSVAR, struct.pack("<QqQQq", slot, began, epoch, epoch + 1, unix_s), 1_169_280)
