"""Solana's shipped data proves itself offline: keys, derivations, tokens, and that reading it is light."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from solders.pubkey import Pubkey

from connectors.base58 import key_bytes
from connectors.chain import SOLANA, GasModel, PoolKind
from connectors.pool import DexVenue, Protocol
from runtime.chains import GAS_UNITS, chain_named, chain_of_venue, shipped
from tests.support.data import ROOT

FILE = ROOT / "runtime/chains/solana.toml"
WHIRLPOOLS_CONFIG = Pubkey.from_string("2LecshUwdy9xi7meFgHtFJQNSKk4KdTrcpvaB56dP2NQ")
DECIMALS = {"SOL": 9, "USDC": 6, "USDT": 6, "WETH": 8, "cbBTC": 8, "WBTC": 8, "mSOL": 9, "JitoSOL": 9}


def raw() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


def keys(value: object) -> Iterator[str]:
    if isinstance(value, str) and re.fullmatch("[1-9A-HJ-NP-Za-km-z]{32,44}", value):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from keys(part)


def derived(said: dict[str, Any]) -> str:
    """A pool's key by solders alone: the first that is off the curve."""
    data = raw()
    program = Pubkey.from_string(data["factories"][said["factory"]]["address"])
    mints = sorted(bytes(Pubkey.from_string(data["tokens"][said[side]]["address"])) for side in ("base", "quote"))
    if said["factory"] == "raydium_clmm":
        config, _ = Pubkey.find_program_address([b"amm_config", said["tier"].to_bytes(2, "big")], program)
        seeds = [b"pool", bytes(config), *mints]
    else:
        seeds = [b"whirlpool", bytes(WHIRLPOOLS_CONFIG), *mints, said["tier"].to_bytes(2, "little")]
    return str(Pubkey.find_program_address(seeds, program)[0])


def test_every_key_is_a_key_and_every_section_names_its_sources() -> None:
    found = list(keys(raw()))
    assert len(found) > 30
    assert [key for key in found if str(Pubkey.from_string(key)) != key or len(key_bytes(key)) != 32] == []
    for line in FILE.read_text().splitlines():
        if line.startswith("  { factory"):
            assert re.search(r"# (https://|search)", line), line
        if line.startswith(("[factories", "genesis", "chain_id", "block_time_ms")):
            assert "https://" in line, line


@pytest.mark.parametrize("said", raw()["pools"], ids=lambda said: said["address"][:6])
def test_a_shipped_pool_is_where_its_program_puts_its_tokens_and_tier(said: dict[str, Any]) -> None:
    assert said["address"] == derived(said)


def test_the_pools_stand_as_the_programs_number_their_tokens() -> None:
    chain = shipped("solana")
    assert {symbol: token.decimals for symbol, token in chain.tokens.items()} == DECIMALS
    for pool in chain.pools:
        places = [bytes(Pubkey.from_string(token.address)) for token in pool.tokens]
        assert places == sorted(places)
        assert (pool.kind in SOLANA, pool.quoter, pool.pool_id, pool.fee_ppm) == (True, "", "", 0)
        assert pool.protocol == Protocol[pool.kind.upper()]
        assert pool.gas_units == GAS_UNITS[pool.kind]
        assert pool.address_bytes == bytes(Pubkey.from_string(pool.address))
    assert len({pool.address for pool in chain.pools}) == len(chain.pools)
    symbols = [pool.symbol for pool in chain.pools]
    assert symbols.count("SOL/USD") >= 8
    assert {"BTC/USD", "ETH/USD", "JitoSOL/SOL", "mSOL/SOL", "USDC/USDT"} <= set(symbols)


def test_solana_is_found_by_name_venue_and_token() -> None:
    chain = chain_named("solana")
    assert chain is chain_named("dex_sol") is chain_of_venue("dex_sol")
    assert (chain.venue_id, chain.gas, chain.native) == (DexVenue.DEX_SOL, GasModel.SOLANA, "SOL/USD")
    assert chain.genesis == "5eykt4UsFv8P8NJdTREpY1vzqKqZKvdpKuc147dw2N9d"
    native = next(pool for pool in chain.pools if pool.address == chain.native_pool)
    assert (native.symbol, native.kind) == (chain.native, PoolKind.ORCA_WHIRLPOOL)
    assert chain.tokens[chain.wrapped_native] in native.tokens
    assert chain.stale_after_ns >= 4 * chain.block_time_ns
    usdc = chain.tokens["USDC"]
    assert chain.token("USDC") == chain.token(usdc.address) == usdc
    assert chain.token(usdc.address.lower()) is chain.token("usdc") is None, "in base58 capitals are digits"


def test_reading_the_chain_and_its_plan_loads_no_solana_package() -> None:
    code = """
import sys
from runtime.chain_plan import plan_of
from runtime.cli import app
from runtime.config import load
assert len(plan_of("dex_sol", load([], {}, default=False), ["SOL/USD"])[1]) > 8
assert not [name for name in sys.modules if name.startswith(("solders", "solana", "eth", "web3"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_the_documentation_counts_the_shipped_markets() -> None:
    symbols = [pool.symbol for pool in shipped("solana").pools]
    row = next(
        line for line in (ROOT / "docs/dex.md").read_text().splitlines() if line.startswith("| `dex_sol` Solana")
    )
    cells = row.split("|")[2:-1]
    of_two = [sum(symbol == f"{base}/USD" for symbol in symbols) for base in ("SOL", "BTC", "ETH")]
    in_sol = sum(symbol.endswith("/SOL") for symbol in symbols)
    counted = [len(symbols), *of_two, in_sol, len(symbols) - sum(of_two) - in_sol]
    assert [int(cell) for cell in cells[:6]] == counted
    assert cells[6].split()[0] == "SOL/USD"
