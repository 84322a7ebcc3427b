"""`gateway pools` with Solana, as a person types it, against the embedded node; what both sorts of chain report."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors.base58 import key_bytes
from runtime.chains import shipped
from tests.support.data import ROOT

SYMBOLS = "SOL/USD,JitoSOL/SOL,USDC/USDT"
CHAIN = shipped("solana")


def gateway(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.run(
        [sys.executable, "-m", "runtime", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip


@pytest.fixture(scope="module")
def both() -> dict[str, Any]:
    done = gateway(
        "pools", "--sim", "--once", "--json", "--venues", "dex_sol,dex_arb", "--symbols", f"{SYMBOLS},ETH/BTC"
    )
    assert done.returncode == 0, done.stderr
    return {chain["venue"]: chain for chain in json.loads(done.stdout)}


def test_each_shipped_pool_is_shown_with_levels_in_the_guests_units(both: dict[str, Any]) -> None:
    chain = both["dex_sol"]
    assert (chain["lost"], chain["differences"], chain["endpoint"]) == ("", 0, "rpc1")
    wanted = {pool.address for pool in CHAIN.pools if pool.symbol in SYMBOLS.split(",")}
    assert {pool["address"] for pool in chain["pools"]} == wanted
    assert {pool["kind"] for pool in chain["pools"]} == {"raydium_clmm", "orca_whirlpool"}
    for shown in (*chain["pools"], *(book for book in chain["books"] if book["symbol"] != "ETH/BTC")):
        assert shown["valid"] and not shown["reason"], shown
        bids, asks = shown["bids"], shown["asks"]
        assert bids[0][0] < asks[0][0] and max(len(bids), len(asks)) <= 20
        assert bids == sorted(bids, key=lambda level: -level[0]) and asks == sorted(asks)
        assert all(px > 0 and sz > 0 for px, sz in bids + asks)
    for pool in chain["pools"]:
        assert (pool["venue_id"], pool["fee_ppm"] > 0) == (16, True)
        assert pool["fee_bps"] == -(-pool["fee_ppm"] // 100), "as guests read it: what the curve charges, rounded up"
        assert pool["protocol_id"] == {"raydium_clmm": 8, "orca_whirlpool": 9}[pool["kind"]]
        assert len(key_bytes(pool["address"])) == 32
        state = pool["state"]
        assert state["pool_type"] == "v3_clmm" and state["sqrt_price_x64"] > 0 < state["liquidity"]
        assert 0 < state["last_block"] <= chain["slot"]
        assert pool["native_price_deci_usd"] > 0, "the native coin is priced"
    orca = [pool for pool in chain["pools"] if pool["kind"] == "orca_whirlpool"]
    assert all(pool["depth_bid_1e8"] > 0 and pool["depth_ask_1e8"] > 0 for pool in orca)


def test_solana_tells_slots_and_evm_chains_blocks(both: dict[str, Any]) -> None:
    solana, arbitrum = both["dex_sol"], both["dex_arb"]
    assert solana["slot"] > 0 and solana["commitment"] == "confirmed"
    assert not {"block", "block_hash"} & solana.keys()
    assert arbitrum["block"] > 0 and not {"slot", "commitment"} & arbitrum.keys()
    assert solana.keys() - {"slot", "commitment"} == arbitrum.keys() - {"block", "block_hash"}
    assert solana["pools"][0].keys() == arbitrum["pools"][0].keys()


def test_the_table_names_slot_pools_and_settings(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text('[venues.dex_sol]\ncommitment = "processed"\n')
    done = gateway("pools", "--venues", "dex_sol", "--sim", "--once", "--symbols", "JitoSOL/SOL", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    assert lines[0].startswith("dex_sol  slot ") and "(processed)" in lines[0]
    assert sum("raydium_clmm" in line for line in lines) == 1
    assert sum("orca_whirlpool" in line for line in lines) == 1
    assert sum("all pools, gas included" in line for line in lines) == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("pools", "--venues", "dex_sol", "--once"), "no endpoint is set"),
        (("pools", "--venues", "dex_sol", "--symbols", "XYZ/USD", "--sim"), "has no pool of XYZ/USD"),
        (("serve", "--venues", "kraken,dex_sol", "--duration", "1", "--symbols", "SOL/USD"), "no endpoint is set"),
    ],
)
def test_a_mistake_is_one_message(arguments: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    done = gateway(*arguments, cwd=tmp_path)
    assert done.returncode == 4
    assert problem in done.stderr and "mend:" in done.stderr and "Traceback" not in done.stderr
