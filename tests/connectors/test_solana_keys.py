"""Derived addresses: those that chains have, and every one against a derivation of our own."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base58 import key_bytes
from connectors.errors import WireError
from connectors.venues.solana import keys

FIELD = 2**255 - 19
RAYDIUM_POOL = "3ucNos4NbumPLZNWztqGHNFFgkHeRMBQAVemeeomsUxv"
ORCA_CONFIG = "2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ"
USDC = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
WSOL = "So11111111111111111111111111111111111111112"


def is_point(key: bytes) -> bool:
    """Whether 32 bytes are a point of ed25519 (RFC 8032, §5.1.3): y, and an x with x² = (y² − 1) / (d·y² + 1)."""
    y = int.from_bytes(key, "little") & (1 << 255) - 1
    d = -121665 * pow(121666, -1, FIELD) % FIELD
    square = (y * y - 1) * pow(d * y * y + 1, -1, FIELD) % FIELD
    return square == 0 or pow(square, (FIELD - 1) // 2, FIELD) == 1


def derived(program: str, *seeds: bytes) -> str:
    """The first hash, from bump 255 down, that is no point."""
    for bump in range(255, -1, -1):
        found = hashlib.sha256(b"".join((*seeds, bytes([bump]), key_bytes(program), b"ProgramDerivedAddress"))).digest()
        if not is_point(found):
            return keys.text_of(found)
    raise AssertionError


def test_addresses_that_are_on_chain() -> None:
    """Of the recorded pools: they need no recording to be known."""
    config = keys.raydium_config(8)
    assert config == "3h2e43PunVA5K34vwKCLHWhZF4aZpyaC9RmxvshGAQpL"
    assert keys.raydium_pool(config, WSOL, USDC) == RAYDIUM_POOL
    assert keys.raydium_tick_array(RAYDIUM_POOL, -24480) == "CRH2mjtHSHrGEJGgLsRBqLm6nvhSbVtkG4q62qhm3i6h"
    assert keys.raydium_tick_array(RAYDIUM_POOL, -24420) == "AjFCKC9HXHkLkUgERcxPTUaEdvcYHxyXdmHmfAEpFHnH"
    adaptive = keys.orca_pool(ORCA_CONFIG, WSOL, USDC, 1028)
    assert adaptive == "4HppGTweoGQ8ZZ6UcCgwJKfi5mJD9Dqwy6htCpnbfBLW"
    assert keys.orca_oracle(adaptive) == "31HfnCJfkAmdiAqXTRPVCPo9uDXLRstpK7tU2kk5zYB7"
    j1toso = "J1toso1uCk3RLmjorhTtrVwY9HJ7X8V9yYac6Y7kGCPn"
    static = keys.orca_pool(ORCA_CONFIG, WSOL, j1toso, 1)
    assert static == "Hp53XEtt4S8SvPCXarsLSdGfZBuUr5mMmZmX2DRNXQKp"
    assert keys.orca_tick_array(static, -2112) == "7nZrcnwtxqGeSsYgyaTZrwrwDFEe39CVwxcGgZhBjgLa"


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32), st.integers(-443636, 443636))
def test_every_derivation(first: bytes, second: bytes, start: int) -> None:
    one, two = keys.text_of(first), keys.text_of(second)
    index = start % 65536
    raydium, orca = keys.RAYDIUM, keys.ORCA
    assert keys.raydium_tick_array(one, start) == derived(
        raydium, b"tick_array", first, start.to_bytes(4, "big", signed=True)
    )
    assert keys.raydium_extension(one) == derived(raydium, b"pool_tick_array_bitmap_extension", first)
    assert keys.raydium_config(index) == derived(raydium, b"amm_config", index.to_bytes(2, "big"))
    assert keys.raydium_pool(one, two, one) == derived(raydium, b"pool", first, second, first)
    assert keys.raydium_pool(one, two, one, index) == derived(
        raydium, b"pool", first, second, first, index.to_bytes(2, "little") if index else b""
    )
    assert keys.orca_tick_array(one, start) == derived(orca, b"tick_array", first, str(start).encode())
    assert keys.orca_oracle(one) == derived(orca, b"oracle", first)
    assert keys.orca_pool(one, two, one, index) == derived(
        orca, b"whirlpool", first, second, first, index.to_bytes(2, "little")
    )


@given(st.binary(min_size=32, max_size=32))
def test_base58_there_and_back(key: bytes) -> None:
    assert keys.bytes_of(keys.text_of(key)) == key == key_bytes(keys.text_of(key))


@pytest.mark.parametrize("text", ["", "1" * 31, "0" * 32, USDC[:-3], USDC + "1", "z" * 44, "é" * 32])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(WireError, match="no key of 32 bytes"):
        keys.bytes_of(text)
