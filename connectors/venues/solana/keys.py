"""Keys of Solana: programs, sysvars, and the addresses that programs derive for their accounts.

A derived address is the first of 256 hashes of the seeds, a bump and the program that is no point of the curve
(https://solana.com/docs/core/pda); solders does that hash, here only. Seeds: Raydium's and Orca's published IDLs and
sources before 2025 (Apache-2.0). Keys are base58 texts; those below are valid by construction, so nothing here raises
but what is said.
"""

from functools import lru_cache
from typing import Final

from solders.pubkey import Pubkey

from connectors.errors import WireError

RAYDIUM: Final = "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"
ORCA: Final = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program's public key
TOKEN_2022: Final = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"  # noqa: S105 - a program's public key
SYSTEM: Final = "11111111111111111111111111111111"
SYSVAR: Final = "Sysvar1111111111111111111111111111111111111"
CLOCK: Final = "SysvarC1ock11111111111111111111111111111111"
_KEPT: Final = 1 << 16  # derived addresses remembered: a derivation takes 10 to 50 µs


@lru_cache(maxsize=_KEPT)
def text_of(key: bytes) -> str:
    """Base58 of 32 bytes."""
    return str(Pubkey.from_bytes(key))


@lru_cache(maxsize=_KEPT)
def bytes_of(key: str) -> bytes:
    """The 32 bytes of a key. Raises WireError."""
    try:
        return bytes(Pubkey.from_string(key))
    except ValueError as error:
        raise WireError(f"{key[:80]!r} is no key of 32 bytes in base58") from error


@lru_cache(maxsize=_KEPT)
def raydium_tick_array(pool: str, start: int) -> str:
    """The account of the 60 ticks from `start` on. Raises WireError for a pool that is no key."""
    return _derived(RAYDIUM, b"tick_array", bytes_of(pool), start.to_bytes(4, "big", signed=True))


@lru_cache(maxsize=_KEPT)
def raydium_extension(pool: str) -> str:
    """The bitmap of the arrays that the pool's own bitmap has no room for. Raises WireError."""
    return _derived(RAYDIUM, b"pool_tick_array_bitmap_extension", bytes_of(pool))


def raydium_config(index: int) -> str:
    """An AmmConfig by its number, 0 … 65535."""
    return _derived(RAYDIUM, b"amm_config", index.to_bytes(2, "big"))


@lru_cache(maxsize=_KEPT)
def raydium_pool(config: str, mint0: str, mint1: str, index: int = 0) -> str:
    """The pool of two mints, in the order of their bytes, under an AmmConfig; `index`: a permissioned pool's (2026), of
    which there may be many. Raises WireError."""
    seeds = b"pool", bytes_of(config), bytes_of(mint0), bytes_of(mint1)
    return _derived(RAYDIUM, *seeds, *([index.to_bytes(2, "little")] if index else []))


@lru_cache(maxsize=_KEPT)
def orca_tick_array(pool: str, start: int) -> str:
    """The account of the 88 ticks from `start` on: the start is written in decimal. Raises WireError."""
    return _derived(ORCA, b"tick_array", bytes_of(pool), str(start).encode())


@lru_cache(maxsize=_KEPT)
def orca_oracle(pool: str) -> str:
    """The adaptive fee's account, which only pools of that kind have. Raises WireError."""
    return _derived(ORCA, b"oracle", bytes_of(pool))


@lru_cache(maxsize=_KEPT)
def orca_pool(config: str, mint_a: str, mint_b: str, index: int) -> str:
    """The pool of two mints, in the order of their bytes, by its fee tier's index: the tick spacing, where the fee is
    static. Raises WireError."""
    seeds = bytes_of(config), bytes_of(mint_a), bytes_of(mint_b), index.to_bytes(2, "little")
    return _derived(ORCA, b"whirlpool", *seeds)


def _derived(program: str, *seeds: bytes) -> str:
    return str(Pubkey.find_program_address(list(seeds), Pubkey.from_string(program))[0])
