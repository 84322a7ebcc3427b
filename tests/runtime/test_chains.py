"""The shipped chains prove themselves offline: addresses, derivations, tokens, and that reading them is light."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_abi.packed import encode_packed
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from connectors.chain import GasModel, PoolKind
from connectors.errors import ConfigError
from connectors.pool import DexVenue
from runtime.chains import NAMES, Chain, chain_named, chain_of_venue, in_order, shipped
from tests.support.data import ROOT

CHAINS = [name for name in NAMES.values() if name != "solana"]  # which has its own: test_solana_chain.py
# ETH/USDC 0.3 %, the example of https://docs.uniswap.org/contracts/v3/reference/deployments
EXAMPLE = "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"


def raw(name: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / f"runtime/chains/{name}.toml").read_text())


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


@pytest.mark.parametrize("name", CHAINS)
def test_every_address_is_checksummed_and_every_line_with_one_has_a_source_above_or_beside(name: str) -> None:
    found = [text for text in texts(raw(name)) if re.fullmatch("0x[0-9a-fA-F]{40}", text)]
    assert len(found) > 20
    assert [text for text in found if text != to_checksum_address(text.lower())] == []
    text = (ROOT / f"runtime/chains/{name}.toml").read_text()
    for section in re.split(r"\n(?=\[)", text):
        if "address = " in section:
            assert "https://" in section.partition("address = ")[0] or "https://" in section.splitlines()[0], section


def derived(chain: Chain, said: dict[str, Any]) -> str:
    """CREATE2 by another road than ours: the ABI's own encoders."""
    factory = next(factory for factory in chain.factories if factory.name == said["factory"])
    low, high = (t.address for t in in_order(chain.tokens[said["base"]], chain.tokens[said["quote"]]))
    code_hash = bytes.fromhex(factory.init_code_hash[2:])
    match factory.kind:
        case PoolKind.UNISWAP_V3:
            salt = encode(["address", "address", "uint24"], [low, high, said["fee_ppm"]])
        case PoolKind.ALGEBRA:
            salt = encode(["address", "address"], [low, high])
        case PoolKind.SOLIDLY if factory.implementation:
            salt = encode_packed(["address", "address", "bool"], [low, high, said.get("stable", False)])
            proxy = (
                f"3d602d80600a3d3981f3363d3d373d3d3d363d73{factory.implementation[2:]}5af43d82803e903d91602b57fd5bf3"
            )
            code_hash = keccak(hexstr=proxy)
        case _:
            salt = encode_packed(["address", "address"], [low, high])
    maker = factory.deployer or factory.address
    made = keccak(encode_packed(["bytes1", "address", "bytes32", "bytes32"], [b"\xff", maker, keccak(salt), code_hash]))
    return str(to_checksum_address(made[12:]))


@pytest.mark.parametrize("name", CHAINS)
def test_a_shipped_pool_is_where_its_factory_puts_its_tokens_and_fee(name: str) -> None:
    """Only Curve's and Balancer's addresses cannot be derived."""
    chain = shipped(name)
    for said in raw(name)["pools"]:
        factory = next(factory for factory in chain.factories if factory.name == said["factory"])
        base, quote = chain.tokens[said["base"]], chain.tokens[said["quote"]]
        ours = factory.pool_address(base, quote, said.get("fee_ppm", 0), stable=said.get("stable", False))
        if said["factory"] in {"curve", "balancer_v2"}:
            assert ours == ""
        else:
            assert said["address"] == derived(chain, said) == ours, said
            assert ours == factory.pool_address(quote, base, said.get("fee_ppm", 0), stable=said.get("stable", False))


def test_the_derivation_gives_the_pool_that_uniswap_s_documentation_names() -> None:
    chain = shipped("ethereum")
    made = chain.factories[0].pool_address(chain.tokens["USDC"], chain.tokens["WETH"], 3000)
    assert made == EXAMPLE


@pytest.mark.parametrize("name", CHAINS)
def test_tokens_stand_in_the_contract_s_order_with_the_decimals_they_have(name: str) -> None:
    decimals = {"WETH": 18, "WPOL": 18, "DAI": 18, "USDC": 6, "USDC.e": 6, "USDbC": 6, "USDT": 6, "WBTC": 8, "cbBTC": 8}
    chain = shipped(name)
    assert {symbol: token.decimals for symbol, token in chain.tokens.items()}.items() <= decimals.items()
    for pool in chain.pools:
        order = [int(token.address, 16) for token in pool.tokens]
        assert "curve" in pool.kind or order == sorted(order)
        assert pool.base != pool.quote
        assert pool.kind is not PoolKind.BALANCER_V2 or pool.pool_id.startswith(pool.address.lower())
        assert (pool.fee_ppm > 0) == (pool.kind in {PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3})
        assert pool.quoter or "curve" in pool.kind or pool.kind is PoolKind.SOLIDLY
    assert len({(pool.address, pool.pair_index) for pool in chain.pools}) == len(chain.pools)


@pytest.mark.parametrize("venue", [name for name in DexVenue.__members__ if name not in ("DEX", "DEX_SOL")])
def test_each_chain_has_pools_of_the_usual_pairs_and_prices_its_own_coin(venue: str) -> None:
    chain = chain_of_venue(venue.lower())
    assert chain is not None
    assert (chain.venue, chain.venue_id) == (venue.lower(), DexVenue[venue])
    assert chain is chain_named(chain.name) is chain_named(chain.venue)
    symbols = [pool.symbol for pool in chain.pools]
    assert symbols.count("ETH/USD") >= 7
    assert symbols.count("BTC/USD") >= 2
    assert {"ETH/BTC", "USDC/USDT"} <= set(symbols)
    native = next(pool for pool in chain.pools if pool.address == chain.native_pool)
    assert native.symbol == chain.native
    assert chain.tokens[chain.wrapped_native] in native.tokens
    assert chain.stale_after_ns >= 4 * chain.block_time_ns
    assert {factory.kind for factory in chain.factories} >= {PoolKind.UNISWAP_V3, PoolKind.CURVE_STABLE}


def test_chains_are_found_by_name_venue_and_token() -> None:
    arbitrum = chain_named("dex_arb")
    assert (arbitrum.chain_id, arbitrum.gas, arbitrum.native) == (42161, GasModel.ARBITRUM, "ETH/USD")
    weth = arbitrum.token("WETH")
    assert weth is not None
    assert arbitrum.token(weth.address.lower()) == arbitrum.token(weth.address) == weth
    assert arbitrum.token("0x12") is arbitrum.token("weth") is None
    assert arbitrum.quoters["uniswap_v3"] == "0x61fFE014bA17989E743c5F6cB21bF9697530B21e"
    assert chain_of_venue("kraken") is chain_of_venue("arbitrum") is None
    with pytest.raises(ConfigError, match=r"'goerli'\n  mend: choose from: ethereum, dex_eth, arbitrum"):
        chain_named("goerli")


def test_reading_a_chain_and_its_plan_loads_no_ethereum_package() -> None:
    code = """
import sys
from runtime.chain_plan import plan_of
from runtime.cli import app
from runtime.config import load
assert len(plan_of("dex_arb", load([], {}, default=False), ["ETH/USD"])[1]) > 8
assert not [name for name in sys.modules if name.startswith(("eth", "web3", "Crypto"))]
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", CHAINS)
def test_the_documentation_counts_the_shipped_markets(name: str) -> None:
    chain = shipped(name)
    symbols = [pool.symbol for pool in chain.pools]
    rows = [line.split("|")[1:-1] for line in (ROOT / "docs/dex.md").read_text().splitlines() if "| `dex_" in line]
    row = next(cells for cells in rows if f"`{chain.venue}`" in cells[0])
    stable = [symbol for symbol in symbols if not symbol.endswith("/USD") and symbol != "ETH/BTC"]
    counted = [len(symbols), *(symbols.count(symbol) for symbol in ("ETH/USD", "BTC/USD", "ETH/BTC")), len(stable)]
    assert [int(cell) for cell in row[1:6]] == counted
    assert row[6].split()[0] == chain.native
