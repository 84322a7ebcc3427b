"""Keys of the simulated chain: programs, and where programs keep their accounts.

Written from the programs' published seeds, not from the venue's `keys.py`: two readings of one rule. Numbers are little
endian but for Raydium's, which are big endian; Orca writes a tick array's start in decimal.
"""

from functools import cache
from hashlib import sha256
from typing import Final

from solders.pubkey import Pubkey

from connectors.base58 import key_bytes, key_text

SYSTEM: Final = "11111111111111111111111111111111"
SYSVAR: Final = "Sysvar1111111111111111111111111111111111111"
CLOCK: Final = "SysvarC1ock11111111111111111111111111111111"
TOKEN: Final = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"  # noqa: S105 - a program
RAYDIUM: Final = "CAMMCzo5YL8w4VFF8KVHrK22GGUsp5VTaW7grrKgrWqK"
ORCA: Final = "whirLbMiicVdio4qvUfM5KAg6Ct8VwpYzGff3uctyCc"
ORCA_CONFIG: Final = "2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ"
MAINNET: Final = "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"


@cache
def raw(key: str) -> bytes:
    """The 32 bytes of a key. Raises ValueError."""
    return key_bytes(key)


def named(text: str) -> str:
    """A key of nobody, the same for each text."""
    return key_text(sha256(text.encode()).digest())


@cache
def derived(program: str, *seeds: bytes) -> tuple[str, int]:
    """The address that a program derives from seeds, and its bump."""
    key, bump = Pubkey.find_program_address(list(seeds), Pubkey.from_string(program))
    return str(key), bump


def raydium_config(index: int) -> str:
    """Where Raydium's AmmConfig number `index` is."""
    return derived(RAYDIUM, b"amm_config", index.to_bytes(2, "big"))[0]


def raydium_pool(config: str, mints: tuple[str, str]) -> tuple[str, int]:
    """Raydium's pool of two mints in order under a config, and its bump."""
    return derived(RAYDIUM, b"pool", raw(config), *(raw(mint) for mint in mints))


def raydium_vault(pool: str, mint: str) -> str:
    """Where a Raydium pool keeps a token."""
    return derived(RAYDIUM, b"pool_vault", raw(pool), raw(mint))[0]


def raydium_observation(pool: str) -> str:
    """Where a Raydium pool keeps its price observations."""
    return derived(RAYDIUM, b"observation", raw(pool))[0]


def raydium_extension(pool: str) -> str:
    """Where the outer part of a Raydium pool's bitmap is."""
    return derived(RAYDIUM, b"pool_tick_array_bitmap_extension", raw(pool))[0]


def raydium_array(pool: str, start: int) -> str:
    """Where a Raydium pool keeps the 60 ticks from `start` on."""
    return derived(RAYDIUM, b"tick_array", raw(pool), start.to_bytes(4, "big", signed=True))[0]


def orca_pool(mints: tuple[str, str], tier: int) -> tuple[str, int]:
    """Orca's whirlpool of two mints in order and a fee tier, and its bump."""
    seeds = (raw(ORCA_CONFIG), *(raw(mint) for mint in mints), tier.to_bytes(2, "little"))
    return derived(ORCA, b"whirlpool", *seeds)


def orca_array(pool: str, start: int) -> str:
    """Where a whirlpool keeps the 88 ticks from `start` on."""
    return derived(ORCA, b"tick_array", raw(pool), str(start).encode())[0]
