"""`gateway pools` and `serve` with chains, as a person types them, against embedded chains."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data import ROOT


def gateway(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "runtime", *map(str, words)],
        capture_output=True, text=True, check=False, cwd=cwd, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip


def test_pools_once_shows_every_shipped_pool_with_levels_in_the_guests_units() -> None:
    done = gateway("pools", "--sim", "--once", "--json", "--symbols", "ETH/USD,BTC/USD")
    assert done.returncode == 0, done.stderr
    (chain,) = json.loads(done.stdout)
    assert (chain["venue"], chain["chain_id"], chain["lost"], chain["differences"]) == ("dex_arb", 42161, "", 0)
    assert chain["block"] >= 1 and len(chain["block_hash"]) == 66
    kinds = {pool["kind"] for pool in chain["pools"]}
    assert kinds >= {"uniswap_v3", "uniswap_v2", "solidly", "algebra", "curve_crypto", "balancer_v2"}
    for shown in (*chain["pools"], *chain["books"]):
        assert shown["valid"] and not shown["reason"], shown
        bids, asks = shown["bids"], shown["asks"]
        assert bids[0][0] < asks[0][0] and max(len(bids), len(asks)) <= 20
        assert bids == sorted(bids, key=lambda level: -level[0]) and asks == sorted(asks)
        assert all(px > 0 and sz > 0 for px, sz in bids + asks)
    for pool in chain["pools"]:
        assert (pool["venue_id"], pool["fee_bps"] >= 0) == (12, True)
        assert pool["gas_cost_1e5"] > 0 and pool["gas_units_1k"] >= 100 and pool["gas_price_gwei"] > 0
        assert pool["native_price_deci_usd"] > 1000, "the native coin is priced"
        state = pool["state"]
        assert (state is not None) == pool["kind"].startswith("uniswap")
        if pool["kind"] == "uniswap_v2":
            assert state["pool_type"] == "v2" and state["reserve0"] > 0 < state["reserve1"] and state["last_block"] > 0
        elif state is not None:
            assert state["pool_type"] == "v3_clmm" and state["sqrt_price_x64"] > 0 < state["liquidity"]
            assert state["tick_spacing"] in (1, 10, 50, 60, 100, 200) and state["last_block"] <= chain["block"]
    exact = [pool for pool in chain["pools"] if pool["kind"].startswith("uniswap")]
    assert all(pool["depth_bid_1e8"] > 0 and pool["depth_ask_1e8"] > 0 and pool["fee_ppm"] > 0 for pool in exact)


def test_a_stable_pools_fee_is_in_millionths_like_every_other() -> None:
    done = gateway("pools", "--sim", "--once", "--json", "--venues", "dex_eth", "--symbols", "DAI/USDC")
    assert done.returncode == 0, done.stderr
    (chain,) = json.loads(done.stdout)
    stable = next(pool for pool in chain["pools"] if pool["kind"] == "curve_stable")
    assert 0 < stable["fee_ppm"] <= 1000
    assert stable["state"]["pool_type"] == "stableswap" and stable["state"]["reserve0"] > 0


def test_pools_as_a_table_names_each_pool_and_what_was_checked() -> None:
    done = gateway("pools", "--sim", "--once", "--venues", "dex_eth,dex_op", "--symbols", "ETH/USD")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.startswith("dex_")] == ["dex_eth", "dex_op"]
    assert sum("uniswap_v3" in line for line in lines) >= 8
    assert sum("all pools, gas included" in line for line in lines) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("pools", "--venues", "kraken"), "kraken is no chain"),
        (("pools", "--once"), "no endpoint is set"),
        (("pools", "--symbols", "XYZ/USD", "--sim"), "has no pool of XYZ/USD"),
        (("serve", "--venues", "kraken,dex_arb", "--duration", "1"), "no endpoint is set"),
        (("serve", "--venues", "dex_arb,dex_op", "--sim", "--symbols", "XYZ/USD"), "has no pool of XYZ/USD"),
    ],
)
def test_a_mistake_is_one_message(arguments: tuple[str, ...], problem: str, tmp_path: Path) -> None:
    done = gateway(*arguments, cwd=tmp_path)
    assert done.returncode == 4
    assert problem in done.stderr and "mend:" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_session_on_kraken_and_a_chain_replays_to_the_same_hash(tmp_path: Path) -> None:
    """Books of both, pools beside them, on_nbbo over all: and the tape gives every output again."""
    tape = tmp_path / "both.tape.zst"
    done = gateway(
        "serve", "--venues", "kraken,dex_arb", "--sim", "--duration", "8", "--record", tape, "--json",
        "--symbols", "BTC/USD,ETH/USD",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    books = summary["books"]
    assert {"kraken:BTC/USD", "kraken:ETH/USD", "dex_arb:BTC/USD", "dex_arb:ETH/USD"} <= set(books)
    pools = [name for name in books if "@0x" in name]
    assert len(pools) >= 15 and all(books[name]["valid"] for name in pools)
    assert summary["callbacks"]["on_nbbo"] > 50
    assert summary["resyncs"] == 0 and summary["state"] == "ACTIVE"
    verified = gateway("tape", "verify", tape, "--json")
    assert json.loads(verified.stdout)["verdict"] == "same"
