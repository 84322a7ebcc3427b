"""Accounts of mainnet: decoded, their addresses derived, their swaps answered to the last unit.

The recordings hold pools, tick arrays and an oracle; mints, AmmConfig and the clock are written here as they were.
"""

import base64
import csv
import json
from pathlib import Path
from typing import Any, Final

import pytest

from connectors.errors import PoolRefused
from connectors.venues.solana import keys, orca, orca_ticks, pools, raydium, raydium_ticks
from connectors.venues.solana.account import Account, account_of
from tests.support.solana_accounts import account, clock, discriminator, mint
from tests.support.solana_accounts_pools import World
from tests.support.solana_accounts_reference import orca_facts, raydium_facts, shown

ORCA_FOLDER: Final = "dex_orca_whirlpool_yugure"


def recorded_swaps(real_data: Path) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in sorted((real_data / "dex_raydium_clmm").glob("swap_*.json"))]
    assert len(found) == 8
    return found


def raydium_world(record: dict[str, Any]) -> World:
    """As a dump of accounts in the RPC's shape would bring it, with what the recording leaves out."""
    dump = {record["pool_address"]: record["pool_b64"]}
    dump |= {each["address"]: each["data_b64"] for each in record["tick_arrays"]}
    world: World = {key: account_of({"owner": keys.RAYDIUM, "data": [text, "base64"]}) for key, text in dump.items()}
    pool = raydium.pool(record["pool_address"], world)
    world[pool.config] = account("AmmConfig", {"index": 8, "trade_fee_rate": 400, "tick_spacing": 1})
    world |= {pool.mints[0]: mint(9), pool.mints[1]: mint(6)}
    return world | {keys.CLOCK: clock(record["swap"]["slot"], record["swap"]["block_time"])}


def orca_world(real_data: Path) -> World:
    with (real_data / ORCA_FOLDER / "eos365795240.dump.csv").open() as file:
        return {key: Account(keys.ORCA, base64.b64decode(text)) for key, text in csv.reader(file)}


@pytest.mark.real_data
def test_raydium_pools_and_their_swaps(real_data: Path) -> None:
    """Eight states of one pool: each state's swap takes and pays what it did on chain."""
    for record in recorded_swaps(real_data):
        world, address, swap = raydium_world(record), record["pool_address"], record["swap"]
        plan = pools.plan_of(address, world)
        curve = pools.state_of(plan, world)
        assert shown(curve) == raydium_facts(address, world)
        i, j = (0, 1) if swap["zero_for_one"] else (1, 0)
        taken, paid = int(swap["observed_amount_in"]), int(swap["observed_amount_out"])
        quote = curve.exact_in(i, j, taken) if swap["is_base_input"] else curve.exact_out(i, j, paid)
        assert (quote.amount_in, quote.amount_out) == (taken, paid)


@pytest.mark.real_data
def test_raydium_arrays_are_where_the_bitmap_says(real_data: Path) -> None:
    """Every array that a swap passed is set in its pool's bitmap, at its address, and is among the wanted."""
    metadata = json.loads((real_data / "dex_raydium_clmm" / "clmm_pool_metadata.json").read_text())
    passed = set()
    for record in recorded_swaps(real_data):
        world, address = raydium_world(record), record["pool_address"]
        state = raydium.pool(address, world)
        assert (state.config, *state.vaults) == (metadata["amm_config"], metadata["vault_a"], metadata["vault_b"])
        assert state.mints == (metadata["mint_a"]["address"], metadata["mint_b"]["address"])
        assert keys.raydium_pool(state.config, *state.mints) == address
        asked = pools.wanted(address, world)
        assert len(asked) == 17
        for each in record["tick_arrays"]:
            found = world[each["address"]]
            assert found is not None
            array = raydium_ticks.array_of(found, state.spacing)
            number = array.start // 60
            passed.add(number)
            assert keys.raydium_tick_array(address, array.start) == each["address"]
            assert next(raydium_ticks.below(raydium_ticks.initialised(state.bitmap, None), number)) == number
            assert each["address"] in asked
            assert 0 < len(array.ticks) < 60
            assert array.pool == address
    assert len(passed) >= 3


@pytest.mark.real_data
def test_every_orca_account_is_decoded(real_data: Path) -> None:
    """4 pools, 9 fixed and 3 dynamic arrays, 1 oracle: each says whose it is, and lies at the address that it must."""
    world = orca_world(real_data)
    kinds: dict[str, int] = {}
    for key, found in world.items():
        assert found is not None
        name = next(each for each in ("Whirlpool", "TickArray", "DynamicTickArray", "Oracle")
                    if discriminator(each) == found.data[:8])  # fmt: skip
        kinds[name] = kinds.get(name, 0) + 1
        if name == "Whirlpool":
            state = orca.pool(key, world)
            assert keys.orca_pool(state.config, *state.mints, state.fee_tier_index) == key
        elif name == "Oracle":
            adaptive = pools.adaptive_fee("4HppGTweoGQ8ZZ6UcCgwJKfi5mJD9Dqwy6htCpnbfBLW", world)
            assert adaptive is not None
            assert keys.orca_oracle(adaptive.pool) == key
            assert (adaptive.filter_period, adaptive.decay_period, adaptive.reduction_factor) == (30, 600, 5000)
        else:
            owners = [(pool, orca.pool(pool, world)) for pool, each in world.items()
                      if each and each.data[:8] == discriminator("Whirlpool")]  # fmt: skip
            array = orca_ticks.array_of(found, 1)
            spacing = next(state.spacing for pool, state in owners if pool == array.pool)
            array = orca_ticks.array_of(found, spacing)
            assert keys.orca_tick_array(array.pool, array.start) == key
            assert not array.start % (88 * spacing)
    assert kinds == {"Whirlpool": 4, "TickArray": 9, "DynamicTickArray": 3, "Oracle": 1}


@pytest.mark.real_data
def test_orca_hops(real_data: Path) -> None:
    """Three hops of static fee to the last unit; the adaptive one is refused, with that reason."""
    world = orca_world(real_data)
    observed = json.loads((real_data / ORCA_FOLDER / "observed_swaps.json").read_text())
    exact = 0
    for hop in observed["swaps"]:
        address = hop["whirlpool"]
        state = orca.pool(address, world)
        here = world | {each: mint(9) for each in state.mints} | {keys.CLOCK: clock(1, observed["block_time"])}
        if hop["oracle"] is None:
            here[keys.orca_oracle(address)] = None
        assert set(hop["tick_arrays"]) <= set(pools.wanted(address, here))
        plan = pools.plan_of(address, here)
        if hop["oracle"]:
            assert keys.orca_oracle(address) == hop["oracle"]
            with pytest.raises(PoolRefused, match=r"^adaptive fee: not computed exactly \(fee tier 1028"):
                pools.state_of(plan, here)
            continue
        curve = pools.state_of(plan, here)
        assert shown(curve) == orca_facts(address, here)
        i, j = (0, 1) if hop["a_to_b"] else (1, 0)
        assert curve.exact_in(i, j, int(hop["amount_in"])).amount_out == int(hop["amount_out"])
        exact += 1
    assert exact == 3
