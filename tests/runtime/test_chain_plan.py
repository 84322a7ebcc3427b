"""What a user's settings make of the shipped chains, and what each mistake is told."""

from pathlib import Path

import pytest
from eth_utils.address import to_checksum_address

from connectors.chain import GasModel
from connectors.errors import ConfigError
from connectors.instrument import Instrument
from connectors.pool import Protocol
from runtime.chain_plan import endpoints_of, plan_of
from runtime.chains import shipped
from runtime.config import Config, load
from tests.support.data import ROOT

USD = 10**9
FORK = "0x" + "ab" * 20  # an address that no shipped factory gives


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a gateway.toml that happens to lie about."""
    monkeypatch.chdir(tmp_path)


def settings(text: str = "", environment: dict[str, str] | None = None) -> Config:
    Path("my.toml").write_text(text)
    return load([Path("my.toml")], environment or {})


def test_the_plan_holds_the_symbols_pools_in_shipped_order_and_the_native_coin_s_behind() -> None:
    chain = shipped("arbitrum")
    plan, ids, instruments = plan_of("dex_arb", settings(), ["BTC/USD", "XYZ/USD"])
    expected = [pool for pool in chain.pools if pool.symbol == "BTC/USD"]
    assert list(plan.pools[:-1]) == expected
    assert (plan.pools[-1].address, plan.pools[-1].symbol) == (chain.native_pool, "")
    assert len(ids) == len(expected)
    assert ids[0].address == bytes.fromhex(expected[0].address[2:]) + bytes(12)
    assert (ids[0].symbol, ids[0].venue_id, ids[0].protocol_id, ids[0].fee_bps) == (
        "BTC/USD",
        12,
        Protocol.UNISWAP_V3,
        5,
    )
    tricrypto = next(pool for pool in ids if pool.protocol_id == Protocol.CURVE)
    assert (tricrypto.pair_index, tricrypto.fee_bps) == (0, 0), "WBTC (1) in USDT (0); what the contract charges"
    assert instruments["BTC/USD"] == Instrument(
        venue="dex_arb", symbol="BTC/USD", price_precision=9, size_precision=8, tick_size_1e9=1, lot_size_1e8=1
    )
    assert instruments.keys() == {"BTC/USD", "XYZ/USD"}
    assert (plan.chain_id, plan.links, plan.quorum, plan.multicall) == (42161, ("rpc1",), 1, chain.multicall)
    assert (plan.block_time_ns, plan.stale_after_ns, plan.gas) == (250 * 10**6, 5 * 10**9, GasModel.ARBITRUM)
    followed, ids, _ = plan_of("dex_arb", settings(), ["ETH/USD"])
    assert len(followed.pools) == len(ids), "the native coin's pool is there once"
    assert all(pool.symbol for pool in followed.pools)


def test_the_default_ladders_rise_over_twenty_sizes_and_suit_their_quote() -> None:
    plan, _, _ = plan_of("dex_arb", settings(), ["ETH/USD", "ETH/BTC"])
    money, bitcoin = plan.sizes_1e9[""], plan.sizes_1e9["WBTC"]
    assert (len(money), money[0], money[-1]) == (20, 10 * USD, 500_000 * USD)
    assert (len(bitcoin), bitcoin[0], bitcoin[-1]) == (20, 10**5, 5 * USD)
    assert all(list(sizes) == sorted(set(sizes)) for sizes in plan.sizes_1e9.values())
    assert plan.sizes_1e9.keys() == {"", "WBTC"}


SETTINGS = """
[venues.dex_arb]
urls = ["wss://one.example/v2/key", "ws://127.0.0.1:8546"]
quorum = 2
calls_per_s = 5
stale_after_s = 1.5
reconcile_blocks = 7
multicall = ""
chain_id = 31337
pool_prices = "gross"
sizes = [0.5, 100, 10_000]
sizes_of = { WBTC = [0.1, 0.2] }
split_above = 99.5
check_every = 3
check_bps = 9
"""


def test_settings_win_over_what_is_shipped() -> None:
    config = settings(SETTINGS)
    plan, _, _ = plan_of("dex_arb", config, ["ETH/USD", "ETH/BTC"])
    assert (plan.links, plan.quorum, plan.calls_per_s, plan.reconcile_blocks) == (("rpc1", "rpc2"), 2, 5, 7)
    assert (plan.stale_after_ns, plan.multicall, plan.chain_id, plan.is_gross) == (1_500_000_000, "", 31337, True)
    assert plan.sizes_1e9 == {"": (USD // 2, 100 * USD, 10_000 * USD), "WBTC": (USD // 10, USD // 5)}
    assert (plan.split_above_1e9, plan.check_every, plan.check_bps) == (99_500_000_000, 3, 9)
    assert endpoints_of("dex_arb", config) == {"rpc1": "wss://one.example/v2/key", "rpc2": "ws://127.0.0.1:8546"}
    assert config.venue("dex_arb").depth == 20
    assert plan_of("dex_base", config, ["ETH/USD"])[0].chain_id == 8453


def test_the_example_in_the_documentation_is_what_it_says() -> None:
    example = (ROOT / "docs/dex.md").read_text().partition("```toml\n")[2].partition("```")[0]
    plan, ids, _ = plan_of("dex_arb", settings(example), ["ETH/ARB"])
    assert (ids[0].symbol, ids[0].fee_bps, plan.pools[0].kind) == ("ETH/ARB", 5, "uniswap_v3")
    assert plan.pools[0].quoter == shipped("arbitrum").quoters["uniswap_v3"], "the pool is the factory's"
    assert len(plan.links) == 2


def test_endpoints_from_the_environment_or_one_url_or_none() -> None:
    config = settings("", {"GATEWAY__VENUES__DEX_ARB__URLS": "wss://a.example, wss://b.example",
                           "GATEWAY__VENUES__DEX_ARB__SIZES": "10,20.5"})  # fmt: skip
    assert list(endpoints_of("dex_arb", config).values()) == ["wss://a.example", "wss://b.example"]
    assert plan_of("dex_arb", config, ["ETH/USD"])[0].sizes_1e9[""] == (10 * USD, 20_500_000_000)
    assert endpoints_of("dex_op", settings("[venues.dex_op]\nurl = 'wss://a'")) == {"rpc1": "wss://a"}
    with pytest.raises(ConfigError, match=r"venues\.dex_base\.urls: no endpoint is set, and none is shipped") as caught:
        endpoints_of("dex_base", settings())
    assert "[venues.dex_base]" in caught.value.mend
    assert "--sim" in caught.value.mend
    simulated = settings("[venues.dex_base]\nquorum = 3")
    assert plan_of("dex_base", simulated, ["ETH/USD"])[0].links == ("rpc1", "rpc2", "rpc3")


POOL = """
[[venues.dex_arb.pools]]
address = "{address}"
kind = "{kind}"
base = "{base}"
quote = "{quote}"
"""


def own(
    extra: str = "", *, address: str = FORK, kind: str = "uniswap_v3", base: str = "WETH", quote: str = "USDC"
) -> str:
    return POOL.format(address=address, kind=kind, base=base, quote=quote) + extra + "\n"


def test_a_pool_of_the_user_s_comes_behind_the_shipped_ones() -> None:
    arb = '[venues.dex_arb.tokens.ARB]\naddress = "0x912ce59144191c1204e64559fe8253a0e49e6548"\ndecimals = 18\n'
    plan, ids, _ = plan_of("dex_arb", settings(arb + own("fee_pct = 0.05", base="ARB")), ["ARB/USD", "ETH/USD"])
    pool = plan.pools[-1]
    assert pool.symbol == "ARB/USD" == ids[-1].symbol
    assert pool.address == to_checksum_address(FORK)
    assert [token.symbol for token in pool.tokens] == ["ARB", "USDC"], "the lower address first"
    assert pool.tokens[0].address == "0x912CE59144191C1204E64559FE8253a0e49E6548"
    assert (pool.fee_ppm, pool.protocol, pool.gas_units) == (500, Protocol.UNISWAP_V3, 150_000)
    assert pool.quoter == "", "Uniswap's quoter would answer for another factory's pool"


def test_a_pool_of_a_shipped_factory_gets_its_quoter_and_replaces_its_shipped_self() -> None:
    chain = shipped("arbitrum")
    first = chain.pools[0]
    text = own("gas_units = 99999\nfee_ppm = 500", address=first.address.lower())
    plan, ids, _ = plan_of("dex_arb", settings(text), ["ETH/USD"])
    assert (plan.pools[0].gas_units, plan.pools[0].quoter) == (99_999, first.quoter)
    assert [pool.address for pool in plan.pools] == [pool.address for pool in chain.pools if pool.symbol == "ETH/USD"]
    weth, usdt = chain.tokens["WETH"], chain.tokens["USDT"]
    tenth = chain.factories[0].pool_address(weth, usdt, 100)
    plan, ids, _ = plan_of("dex_arb", settings(own(address=tenth, quote=usdt.address)), ["ETH/USD"])
    assert (plan.pools[-1].fee_ppm, plan.pools[-1].quoter, ids[-1].fee_bps) == (0, first.quoter, 0), "the fee is read"


def test_without_the_shipped_pools_the_user_s_price_the_native_coin() -> None:
    off = "[venues.dex_arb]\ndefaults = false\n"
    btc = own(base="WBTC", address="0x" + "cd" * 20)
    plan, ids, _ = plan_of("dex_arb", settings(off + btc + own()), ["BTC/USD"])
    assert [(pool.symbol, pool.address) for pool in plan.pools] == [
        ("BTC/USD", to_checksum_address("0x" + "cd" * 20)), ("", to_checksum_address(FORK)),
    ]  # fmt: skip
    assert len(ids) == 1
    plan, _, _ = plan_of("dex_arb", settings(off + btc), ["BTC/USD"])
    assert len(plan.pools) == 1, "no price of the native coin: its gas stays unknown"


def test_pools_in_their_own_order_and_those_that_need_a_quoter() -> None:
    three = 'coins = ["USDC", "WBTC", "WETH"]'
    plan, ids, _ = plan_of("dex_arb", settings(own(three, kind="curve_crypto")), ["ETH/USD"])
    assert ([token.symbol for token in plan.pools[-1].tokens], ids[-1].pair_index) == (["USDC", "WBTC", "WETH"], 1)
    balanced = f'coins = ["WETH", "USDC"]\npool_id = "{FORK}{"0" * 24}"'
    plan, _, _ = plan_of("dex_arb", settings(own(balanced, kind="balancer_v2")), ["ETH/USD"])
    assert plan.pools[-1].quoter == "0xBA12222222228d8Ba445958a75a0704d566BF2C8"
    quoted = own(
        f'quoter = "{"0x" + "cd" * 20}"\nprotocol = "camelot"\nsymbol = "ETH/USD"', kind="algebra", quote="DAI"
    )
    plan, ids, _ = plan_of("dex_arb", settings(quoted), ["ETH/USD"])
    assert (ids[-1].protocol_id, ids[-1].symbol) == (Protocol.CAMELOT, "ETH/USD")


def test_stable_pairs_keep_their_own_names() -> None:
    plan, _, _ = plan_of("dex_arb", settings(own(base="DAI")), ["DAI/USDC"])
    assert [pool.symbol for pool in plan.pools] == ["DAI/USDC", ""]


ARB = "[venues.dex_arb]\n"
NEW = '[venues.dex_arb.tokens.{}]\naddress = "{}"\ndecimals = {}\n'
WETH = "0x82aF49447D8a07e3bd95BD0d56f35241523fBab1"
BAD = [
    (ARB + "url = 'https://x.example'", "dex_arb.url: an address ws://", "WebSocket address"),
    (ARB + "urls = 'wss://x.example'", "dex_arb.urls: ", "preferred first"),
    (ARB + "urls = ['x.example']", "dex_arb.urls.0: an address ws://", "preferred first"),
    (ARB + "urls = ['wss://']", "dex_arb.urls.0: an address ws://", "preferred first"),
    (ARB + "urls = ['wss://x.example', 'wss://x.example/']", "dex_arb.urls: an endpoint is named twice", "preferred"),
    (ARB + "urls = ['']", "dex_arb.urls: an endpoint is empty", "preferred"),
    (ARB + "url = 'wss://x'\nurls = ['wss://y']", "dex_arb: url and urls are both set: put all", "docs/dex.md"),
    (ARB + "urls = ['wss://x']\nquorum = 2", "dex_arb.quorum is 2 of 1 endpoints", "name more urls"),
    (ARB + "quorum = 0", "dex_arb.quorum: ", "must be up and agree"),
    (ARB + "quorum = true", "dex_arb.quorum: a number is wanted", "must be up and agree"),
    (ARB + "calls_per_s = 0", "dex_arb.calls_per_s: ", "calls a second"),
    (ARB + "calls_per_s = 1.5", "dex_arb.calls_per_s: ", "calls a second"),
    (ARB + "stale_after_s = nan", "dex_arb.stale_after_s: ", "without a new block"),
    (ARB + "stale_after_s = -1", "dex_arb.stale_after_s: ", "without a new block"),
    (ARB + "stale_after_s = 0.0000000001", "dex_arb.stale_after_s = 1E-10 has", "9 decimals"),
    (ARB + "reconcile_blocks = 0", "dex_arb.reconcile_blocks: ", "read anew"),
    (ARB + "chain_id = 0", "dex_arb.chain_id: ", "eth_chainId"),
    (ARB + "depth = 10", "dex_arb.depth: ", "20, always"),
    (ARB + "multicall = '0x12'", "dex_arb.multicall: an address is wanted", "Multicall3"),
    (ARB + f"multicall = '{'0x' + '0' * 40}'", "dex_arb.multicall: an address is wanted", "Multicall3"),
    (ARB + f"multicall = '{WETH.replace('F', 'f')}'", "dex_arb.multicall: its capitals do not fit", "Multicall3"),
    (ARB + "pool_prices = 'mid'", "dex_arb.pool_prices: ", "gross"),
    (ARB + "sizes = []", "dex_arb.sizes: ", "1 to 20 rising"),
    (ARB + f"sizes = {list(range(1, 22))}", "dex_arb.sizes: ", "1 to 20 rising"),
    (ARB + "sizes = [10, nan]", "dex_arb.sizes.1: ", "1 to 20 rising"),
    (ARB + "sizes = [-10, 20]", "dex_arb.sizes.0: ", "1 to 20 rising"),
    (ARB + "sizes = [10, 10]", "dex_arb.sizes: each size must be larger", "1 to 20 rising"),
    (ARB + "sizes = [true]", "dex_arb.sizes.0: ", "1 to 20 rising"),
    (ARB + "sizes = [0.0000000001]", "dex_arb.sizes = 1E-10 has more than 9 decimals", "9 decimals"),
    (ARB + "sizes = [1e12]", "dex_arb.sizes = 1E+12 is too large", "63 bits"),
    (ARB + "sizes_of = { WBTC = [2, 1] }", "dex_arb.sizes_of.WBTC: each size must be larger", "one quote token"),
    (ARB + "sizes_of = { WBTCC = [1] }", "sizes_of.WBTCC = WBTCC is a token that is not known", "WETH, USDC"),
    (ARB + "split_above = 0", "dex_arb.split_above: ", "splits orders"),
    (ARB + "check_every = 0", "dex_arb.check_every: ", "one in so many"),
    (ARB + "check_bps = 10001", "dex_arb.check_bps: ", "withheld"),
    (ARB + "defaults = 'maybe'", "dex_arb.defaults: ", "leaves the shipped"),
    (ARB + "sices = [1]", "dex_arb.sices: is not a setting", "did you mean sizes?"),
    (ARB + "defaults = false", "dex_arb.pools has no pool of ETH/USD; its pools are of: none", "add [[pools]]"),
    ("[venues.kraken]\nurls = ['wss://x']", "kraken.urls: is not a setting", "only chains have urls"),
    ("[venues.kraken]\nquorum = 1", "kraken.quorum: is not a setting", "under [venues.dex_arb]"),
    ("[venues.kraken]\nurll = ''", "kraken.urll: is not a setting", "did you mean url?"),
    ("[venues]\ndex_arb = 3", "venues.dex_arb: ", "docs/dex.md"),
    (own(kind="uniswap_v4"), "pools.0.kind: ", "uniswap_v2, uniswap_v3"),
    (own(address="0x1234"), "pools.0.address: an address is wanted", "the pool's contract"),
    (own(address=WETH.replace("F", "f")), "pools.0.address: its capitals do not fit", "the pool's contract"),
    (own(quote="WETH"), "pools.0: base and quote are both WETH", "docs/dex.md"),
    (own(quote=WETH), "pools.0.quote = " + WETH + " is the same token", "name two tokens"),
    (own(base="ARB"), "pools.0.base = ARB is a token that is not known", "tokens.NAME] with address and decimals"),
    (own(base=FORK), "pools.0.base = " + FORK + " is a token that is not known", "with address and decimals"),
    (own(base="0xabc"), "pools.0.base = 0xabc: an address is wanted", "use its name"),
    (own() + own(base="USDC", quote="WETH"), "pools.1 is pool 0xABaB", "leave one out"),
    (own("fee_pct = 0.3\nfee_ppm = 3000"), "pools.0: fee_pct and fee_ppm are both set", "docs/dex.md"),
    (own("fee_pct = 0.00001"), "pools.0.fee_pct = 0.00001 has more than 4", "4 decimals"),
    (own("fee_pct = 100"), "pools.0.fee_pct = 100 leaves nothing", "like 0.3"),
    (own("fee_pct = -1"), "pools.0.fee_pct: ", "the swap fee in %"),
    (own("fee_ppm = 1000000"), "pools.0.fee_ppm: ", "in millionths"),
    (own(kind="uniswap_v2"), "pools.0.fee_pct is missing", "like 0.3"),
    (own("fee_ppm = 0", kind="uniswap_v2"), "pools.0.fee_pct is missing", "like 0.3"),
    (own(kind="algebra"), "pools.0.quoter is missing", "set the contract"),
    (own("coins = ['WETH', 'USDC']"), "pools.0.coins are not for uniswap_v3", "leave coins out"),
    (own(kind="curve_stable"), "pools.0.coins must name every token", "coins(0)"),
    (own("coins = ['WETH', 'DAI']", kind="curve_stable"), "pools.0.coins must name every token", "coins(0)"),
    (own("coins = ['WETH', 'USDC', 'WETH']", kind="curve_meta"), "pools.0.coins must name every token", "coins(0)"),
    (own("coins = ['USDC', 'WETH']\npool_id = '" + FORK + "0" * 24 + "'", kind="balancer_v2"),
     "pools.0.coins are not in the order", "Balancer sorts"),
    (own("coins = ['WETH', 'USDC']", kind="balancer_v2"), "pools.0.pool_id must begin with", "getPoolId"),
    (own("pool_id = '0x12'"), "pools.0.pool_id: Balancer's pool id is wanted", "Balancer's pool id"),
    (own("pool_id = '0x" + "1" * 64 + "'"), "pools.0.pool_id is not for uniswap_v3", "leave it out"),
    (own("fee_on_transfer = true"), "pools.0.fee_on_transfer: tokens that take a fee", "such pools are refused"),
    (own("symbol = 'ETHUSD'"), "pools.0.symbol: a symbol like ETH/USD", "session's symbol"),
    (own("symbol = 'WRAPPEDETHER/DOLLAR'"), "pools.0.symbol: a symbol like ETH/USD", "session's symbol"),
    (own("gas_units = 20000"), "pools.0.gas_units: ", "gas of one swap"),
    (own("gass_units = 20000"), "pools.0.gass_units: is not a setting", "did you mean gas_units?"),
    ("[[venues.dex_arb.pools]]\nkind = 'uniswap_v3'", "pools.0.address: is missing", "set address: the pool's"),
    (NEW.format("WETH", FORK, 18), "tokens.WETH = 0xABaB", "use another name"),
    (NEW.format("ETHER", WETH, 18), "tokens.ETHER is shipped as WETH", "use that name"),
    (NEW.format("WETH", WETH, 8), "tokens.WETH has 8 decimals; it has 18", "leave this token out"),
    (NEW.format("XYZ", FORK, 37), "tokens.XYZ.decimals: ", "as its contract tells"),
    (NEW.format("XYZ", "0x", 18), "tokens.XYZ.address: an address is wanted", "its contract"),
    (NEW.format('"0xabc"', FORK, 18), "tokens.0xabc is no name for a token", "without 0x"),
    (NEW.format("LONGSYMBOLNAMED", FORK, 18) + own(base="LONGSYMBOLNAMED"), "would be LONGSYMBOLNAMED/", "shorter"),
    ("".join(own(address=f"0x{number:040x}") for number in range(1, 21)), "pools are 33 of ETH/USD", "defaults"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said", "mend"), BAD)
def test_a_bad_setting_is_one_error_with_file_value_and_mend(text: str, said: str, mend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plan_of("dex_arb", settings(text), ["ETH/USD"])
    assert caught.value.place == ("my.toml" if text else "configuration")
    assert said in caught.value.problem
    assert mend in caught.value.mend
    assert "pydantic" not in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_no_symbol_of_the_chain_s_names_what_there_is() -> None:
    with pytest.raises(ConfigError, match=r"no pool of XYZ/USD, A/B; its pools are of: BTC/USD, DAI/USDC, .*ETH/USD"):
        plan_of("dex_eth", settings(), ["XYZ/USD", "A/B"])


KEYED = [
    "urls = ['https://user:secret@x.example/v2/secret']", "urls = ['http://x.example?key=secret']",
    "url = 'wss://x/secret'\nurls = ['wss://y/secret']", "urls = ['wss://x/secret', 'wss://x/secret']",
    "urls = ['wss://x/secret', '']", f"urls = {[f'wss://x{number}/secret' for number in range(17)]}",
    "url = 'x.example/v2/secret'", "url = 'wss:user:secret@x/y'", "url = 'secret@x.example'", "url = ['wss://x/secret']",
    "urls = { one = 'wss://x/secret' }", "urls = 'x/secret'", "url = 'wss://x:secret/'", "url = 'wss://x/#secret'",
    "url = 'wss://x/v2 secret'", "url = 'wss://[secret'", "stale_after_s = 'wss://x/secret'",
]  # fmt: skip


@pytest.mark.parametrize("text", KEYED)
def test_what_may_be_a_key_in_an_address_is_not_told(text: str) -> None:
    """Providers put the key anywhere behind the host, and people mistype what is before it."""
    with pytest.raises(ConfigError) as caught:
        settings("[venues.dex_arb]\n" + text)
    assert "secret" not in str(caught.value)
    assert "venues.dex_arb" in caught.value.problem


def test_a_chain_that_is_an_address_is_not_told_either() -> None:
    with pytest.raises(ConfigError) as caught:
        settings("", {"GATEWAY__VENUES__DEX_ARB": "x.example/secret"})
    assert "secret" not in str(caught.value)


def test_pairs_of_one_contract_are_of_one_kind() -> None:
    """It is read once for all of them."""
    coins = 'coins = ["USDC", "WBTC", "WETH"]'
    one, other = own(coins, kind="curve_crypto"), own(coins, kind="{}", base="WBTC")
    with pytest.raises(ConfigError, match=r"pools\.0\.kind is of kind curve_crypto, but another pair") as caught:
        plan_of("dex_arb", settings(one + other.format("curve_meta")), ["ETH/USD"])
    assert "is curve_meta" in caught.value.problem and caught.value.place == "my.toml"
    plan, _, _ = plan_of("dex_arb", settings(one + other.format("curve_crypto")), ["ETH/USD", "BTC/USD"])
    assert sum(pool.address == to_checksum_address(FORK) for pool in plan.pools) == 2
    tricrypto = next(pool for pool in shipped("arbitrum").pools if pool.kind == "curve_crypto")
    names = [token.symbol for token in tricrypto.tokens]
    third = own(f"coins = {names}", address=tricrypto.address, kind="curve_meta", base="WETH", quote="WBTC")
    with pytest.raises(
        ConfigError, match=r"pools\.0\.kind is of kind curve_meta, but another pair of .* is curve_crypto"
    ):
        plan_of("dex_arb", settings(third), ["ETH/USD"])
