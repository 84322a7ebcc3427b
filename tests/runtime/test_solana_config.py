"""`[venues.dex_sol]`: what a user's settings make of the shipped chain, and what each mistake is told."""

from pathlib import Path

import pytest

from connectors.chain import GasModel, calls_of
from connectors.errors import ConfigError
from connectors.pool import Protocol
from runtime.chain_plan import endpoints_of, plan_of
from runtime.chains import shipped
from runtime.config import Config, load
from runtime.config_solana import socket_of
from tests.support.data import ROOT

USD = 10**9
BONK = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"
POOL = "3ne4mWqdYuNiYrYZC9TrA3FcfuFdErghH97vNPbjicr1"
SECRET = "0123456789abcdef"  # noqa: S105 - nobody's


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a gateway.toml that happens to lie about."""
    monkeypatch.chdir(tmp_path)


def settings(text: str = "", environment: dict[str, str] | None = None) -> Config:
    Path("my.toml").write_text(text)
    return load([Path("my.toml")], environment or {})


def refused(text: str, symbols: tuple[str, ...] = ("SOL/USD",)) -> str:
    with pytest.raises(ConfigError) as caught:
        plan_of("dex_sol", settings(text), symbols)
    assert caught.value.mend
    return str(caught.value)


def test_without_a_setting_the_shipped_pools_are_followed() -> None:
    chain = shipped("solana")
    plan, ids, instruments = plan_of("dex_sol", settings(), ["SOL/USD"])
    assert [pool.address for pool in plan.pools] == [pool.address for pool in chain.pools if pool.symbol == "SOL/USD"]
    assert (plan.genesis, plan.gas, plan.commitment, plan.arrays) == (chain.genesis, GasModel.SOLANA, "confirmed", 5)
    assert (plan.block_time_ns, plan.stale_after_ns, plan.links) == (400 * 10**6, 5 * 10**9, ("rpc1",))
    assert plan.par == ("USDC", "USDT")
    assert (len(plan.sizes_1e9[""]), plan.sizes_1e9[""][-1]) == (20, 500_000 * USD)
    assert {pool.venue_id for pool in ids} == {16}
    assert {pool.protocol_id for pool in ids} == {Protocol.RAYDIUM_CLMM, Protocol.ORCA_WHIRLPOOL}
    assert all(len(pool.address) == 32 for pool in ids)
    assert instruments["SOL/USD"].tick_size_1e9 == 1
    plan, _, _ = plan_of("dex_sol", settings(), ["JitoSOL/SOL"])
    assert (plan.pools[-1].address, plan.pools[-1].symbol) == (chain.native_pool, ""), "the native coin's price"
    assert plan.sizes_1e9["SOL"][-1] == 5_000 * USD


SETTINGS = """
[venues.dex_sol]
urls = ["https://one.example/?api-key=KEY", "http://127.0.0.1:8899"]
genesis = "4uhcVJyU9pJkvQyS88uRDiswHXSCkY3zQawwpjk2NsNY"
commitment = "finalized"
arrays = 8
calls_per_s = 5
stale_after_s = 1.5
pool_prices = "gross"
sizes = [0.5, 100]
sizes_of = { SOL = [0.1, 0.2] }
split_above = 99.5
"""


def test_settings_win_over_what_is_shipped() -> None:
    config = settings(SETTINGS)
    plan, _, _ = plan_of("dex_sol", config, ["SOL/USD", "JitoSOL/SOL"])
    assert (plan.links, plan.commitment, plan.arrays, plan.calls_per_s) == (("rpc1", "rpc2"), "finalized", 8, 5)
    assert (plan.stale_after_ns, plan.is_gross, plan.genesis[:4]) == (1_500_000_000, True, "4uhc")
    assert plan.sizes_1e9 == {"": (USD // 2, 100 * USD), "SOL": (USD // 10, USD // 5)}
    assert plan.split_above_1e9 == 99_500_000_000
    assert endpoints_of("dex_sol", config) == {
        "rpc1": "wss://one.example/?api-key=KEY", calls_of("rpc1"): "https://one.example/?api-key=KEY",
        "rpc2": "ws://127.0.0.1:8900", calls_of("rpc2"): "http://127.0.0.1:8899",
    }  # fmt: skip


def test_sockets_may_be_set_and_endpoints_come_from_the_environment() -> None:
    own = settings("[venues.dex_sol]\nurl = 'https://a.example'\nws_urls = ['wss://b.example/ws']")
    assert endpoints_of("dex_sol", own) == {"rpc1": "wss://b.example/ws", "rpc1.http": "https://a.example"}
    said = settings("", {"GATEWAY__VENUES__DEX_SOL__URLS": "https://a.example, https://b.example",
                         "GATEWAY__VENUES__DEX_SOL__WS_URLS": "wss://c.example,wss://d.example"})  # fmt: skip
    assert list(endpoints_of("dex_sol", said).values())[:2] == ["wss://c.example", "wss://d.example"]
    with pytest.raises(ConfigError, match=r"venues\.dex_sol\.urls: no endpoint is set, and none is shipped") as caught:
        endpoints_of("dex_sol", settings())
    assert "https://" in caught.value.mend


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("https://api.mainnet-beta.solana.com", "wss://api.mainnet-beta.solana.com"),
        ("http://127.0.0.1:8899", "ws://127.0.0.1:8900"),
        ("http://[::1]:8899/path", "ws://[::1]:8900/path"),
        ("https://user:pass@h.example:9000/v2/KEY?api-key=x", "wss://user:pass@h.example:9001/v2/KEY?api-key=x"),
        ("https://h.example:443/x", "wss://h.example/x"),  # a scheme's own port is as if not named
        ("http://h.example:80", "ws://h.example"),
    ],
)
def test_a_socket_is_where_solana_s_command_line_looks_for_it(url: str, socket: str) -> None:
    assert socket_of(url) == socket


def test_a_pool_of_the_user_s_comes_behind_and_replaces_its_shipped_self() -> None:
    text = f"""
[[venues.dex_sol.pools]]
address = "{POOL}"
kind = "orca_whirlpool"
base = "BONK"
quote = "SOL"
compute_units = 90_000
[[venues.dex_sol.pools]]
address = "{shipped("solana").native_pool}"
kind = "orca_whirlpool"
base = "So11111111111111111111111111111111111111112"
quote = "USDC"
symbol = "SOL/USDC"
[venues.dex_sol.tokens.BONK]
address = "{BONK}"
decimals = 5
"""
    plan, ids, _ = plan_of("dex_sol", settings(text), ["BONK/SOL", "SOL/USDC"])
    bonk = next(pool for pool in plan.pools if pool.symbol == "BONK/SOL")
    assert [token.symbol for token in bonk.tokens] == ["SOL", "BONK"], "in the order of the mints' bytes"
    assert (bonk.base, bonk.quote, bonk.gas_units, bonk.protocol) == (1, 0, 90_000, Protocol.ORCA_WHIRLPOOL)
    assert [pool.symbol for pool in ids] == ["SOL/USDC", "BONK/SOL"]


def test_the_example_in_the_documentation_is_what_it_says() -> None:
    example = (ROOT / "docs/dex.md").read_text().partition("```toml\n[venues.dex_sol]")[2].partition("```")[0]
    config = settings("[venues.dex_sol]" + example)
    plan, ids, _ = plan_of("dex_sol", config, ["BONK/SOL"])
    assert (ids[0].symbol, plan.pools[0].address) == ("BONK/SOL", POOL)
    assert len(plan.links) == 2
    assert len(endpoints_of("dex_sol", config)) == 4


def of(*lines: str) -> str:
    return "[venues.dex_sol]\n" + "\n".join(lines)


def pool(**said: str) -> str:
    values = {"address": POOL, "kind": "orca_whirlpool", "base": "SOL", "quote": "USDC"} | said
    return "[[venues.dex_sol.pools]]\n" + "\n".join(f'{key} = "{value}"' for key, value in values.items())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (of("quorum = 2"), "only EVM chains have quorum"),
        (of("multicall = ''"), "only EVM chains have multicall"),
        (of("chain_id = 101"), "only EVM chains have chain_id"),
        (of("gas = 'eip1559'"), "only EVM chains have gas"),
        (of("check_every = 3"), "only EVM chains have check_every"),
        (of("reconcile_blocks = 3"), "only EVM chains have reconcile_blocks"),
        (of("key = 'env:X'"), "orders on chains are filled on paper"),
        (of("comitment = 'confirmed'"), "did you mean commitment?"),
        (of("commitment = 'recent'"), "venues.dex_sol.commitment"),
        (of("arrays = 0"), "venues.dex_sol.arrays"),
        (of("arrays = 41"), "venues.dex_sol.arrays"),
        (of("genesis = 'nothing'"), "a key is wanted"),
        (of("urls = ['wss://a.example']"), "http://HOST"),
        (of("urls = ['https://a.example', 'https://a.example/']"), "named twice"),
        (of("urls = ['https://a.example']", "url = 'https://b.example'"), "both set"),
        (of("urls = ['https://a.example']", "ws_urls = ['wss://a', 'wss://b']"), "1 urls, but 2 ws_urls"),
        (of("urls = ['http://127.0.0.1:65535']"), "no port follows 65535: set ws_urls"),
        (pool(kind="uniswap_v3"), "Solana's kinds are wanted"),
        (pool(address="0x" + "ab" * 20), "a key is wanted"),
        (pool(address=POOL[:-1] + "0"), "a key is wanted"),
        (pool(quoter=POOL), "only pools on EVM chains have quoter"),
        (pool(fee_ppm="1"), "only pools on EVM chains have fee_ppm"),
        (pool(gas_units="150000"), "only pools on EVM chains have gas_units"),
        (pool(quote="SOL"), "base and quote are both SOL"),
        (pool(quote="So11111111111111111111111111111111111111112"), "the same token as base"),
        (pool(quote="NOPE"), "a token that is not known"),
        (pool(quote=BONK), "a token that is not known"),
        (pool() + "\n" + pool(), "a second time"),
        (pool(address=shipped("solana").native_pool, kind="raydium_clmm") + "\nsymbol='SOL/USD'", ""),
        ('[venues.dex_sol.tokens.USDC]\naddress = "' + BONK + '"\ndecimals = 5', "the shipped USDC is"),
        ("[[venues.dex_arb.pools]]\naddress = '0x" + "ab" * 20 + "'\nkind = 'orca_whirlpool'\nbase = 'WETH'\n"
         "quote = 'USDC'", "a kind of Solana's pools"),
        ("[venues.dex_arb]\ncommitment = 'confirmed'", "only dex_sol has commitment"),
        ("[venues.kraken]\nchain_id = 1", "dex_sol"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_clear_error(text: str, problem: str) -> None:
    if problem:
        assert problem in refused(text)
    else:  # another kind for a shipped address takes its place: the account will tell
        assert plan_of("dex_sol", settings(text), ["SOL/USD"])[0].pools[0].kind == "raydium_clmm"


def test_no_part_of_an_address_with_a_key_is_told() -> None:
    for text in (
        of(f"urls = ['wss://a.example/{SECRET}']"),
        of(f"ws_urls = ['https://a.example/{SECRET}']"),
        of(f"urls = ['https://a.example/{SECRET}', 'https://a.example/{SECRET}/']"),
        of(f"genesis = 'https://a.example/?api-key={SECRET}'"),
    ):
        assert SECRET not in refused(text)
