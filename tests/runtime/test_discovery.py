"""`gateway pools discover`: a chain's factories asked for a pair, and lines that the config takes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connectors.chain import PoolKind, Token
from runtime.chain_plan import plan_of
from runtime.chains import shipped
from runtime.config import load
from tests.runtime.test_quoting import refused, run
from tests.support.evm_contracts import (
    DAI,
    USDC,
    WETH,
    Contracts,
    Endpoint,
    Reverted,
    Views,
    address,
    erc20,
    served,
    v2_views,
)
from tests.support.evm_pools import V3, Stable

V2_MAKER, V3_MAKER, CURVE_MAKER, SOLIDLY_MAKER, ALGEBRA_MAKER = (address(0x3000 + place) for place in range(5))
V2_POOL, V3_POOL, FINE_POOL, CURVE_POOL, SOLIDLY_POOL, ALGEBRA_POOL, DEAD_POOL = (
    address(0x4000 + place) for place in range(7)
)
ZERO = address(0)
V3_VIEWS = V3(2**96, 0, positions=[(-600, 600, 10**12)]).views()
PAIR_VIEWS = dict(v2_views(10**21, 3 * 10**12))


def of(pools: dict[Any, str]) -> Any:
    """A factory's lookup: by what comes after the two tokens."""

    def found(one: str, other: str, *rest: Any) -> str:
        assert {one, other} == {WETH.address.lower(), USDC.address.lower()}
        return pools.get(rest, ZERO)

    return found


def a_chain() -> Contracts:
    """Five factories, six pools of the pair, one of them dead."""
    stable = Stable([10**22, 10**10], (WETH, USDC))
    contracts: dict[str, Views] = {
        V2_MAKER: {"getPair(address,address)": ("address", of({(): V2_POOL}))},
        V3_MAKER: {"getPool(address,address,uint24)": ("address", of({(3000,): V3_POOL, (500,): DEAD_POOL})),
                   "getPool(address,address,int24)": ("address", of({(1,): FINE_POOL}))},
        CURVE_MAKER: {"find_pools_for_coins(address,address)": ("address[]", lambda *_: [CURVE_POOL, ZERO])},
        SOLIDLY_MAKER: {"getPool(address,address,bool)": ("address", of({(False,): SOLIDLY_POOL}))},
        ALGEBRA_MAKER: {"poolByPair(address,address)": ("address", of({(): ALGEBRA_POOL}))},
        V2_POOL: PAIR_VIEWS,
        V3_POOL: V3_VIEWS,
        FINE_POOL: V3(2**96, 0, 1, 100, positions=[(-600, 600, 10**12)]).views(),
        CURVE_POOL: stable.views("uint256"),
        SOLIDLY_POOL: PAIR_VIEWS | {"stable()": ("bool", False)},
        ALGEBRA_POOL: {"token0()": ("address", WETH.address), "token1()": ("address", USDC.address),
                       "globalState()": ("uint160,int24", (2**96, 0))},
        DEAD_POOL: {},
    }  # fmt: skip
    return Contracts(contracts, (WETH, USDC))


OVERRIDES = [
    part
    for kind, maker in (("uniswap_v2", V2_MAKER), ("uniswap_v3", V3_MAKER), ("curve_stable", CURVE_MAKER),
                        ("solidly", SOLIDLY_MAKER), ("algebra", ALGEBRA_MAKER))
    for part in ("--factory", f"{kind}={maker}")
]  # fmt: skip


def asking(endpoint: Endpoint, *more: str, pair: str = f"{WETH.address}/{USDC.address}") -> list[str]:
    return ["pools", "discover", "--chain", "arbitrum", "--pair", pair, "--rpc", endpoint.url, *more]


def found_by(endpoint: Endpoint, *more: str, **options: str) -> dict[str, Any]:
    code, out, err = run(*asking(endpoint, *more, **options), "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def test_every_factory_is_asked_in_its_own_way() -> None:
    with served(a_chain()) as endpoint:
        found = found_by(endpoint, *OVERRIDES)
    pools = {pool["address"]: pool for pool in found["pools"]}
    assert {at: (pool["protocol"], pool["fee_ppm"], pool["factory"]) for at, pool in pools.items()} == {
        V2_POOL: ("uniswap_v2", 3000, "uniswap_v2"),
        V3_POOL: ("uniswap_v3", 3000, "uniswap_v3"),
        FINE_POOL: ("uniswap_v3", 100, "uniswap_v3"),
        CURVE_POOL: ("curve_stable", 400, "curve_stable"),
        SOLIDLY_POOL: ("solidly", None, "solidly"),
        ALGEBRA_POOL: ("algebra", None, "algebra"),
        DEAD_POOL: (None, None, "uniswap_v3"),
    }
    assert found["pools"][-1]["address"] == DEAD_POOL
    assert "no contract" in pools[DEAD_POOL]["problem"]
    assert pools[V3_POOL]["liquidity"] == 10**12
    assert pools[V2_POOL]["held"] == {"WETH": "1000000", "USDC": "1000000000000000000"}
    assert (found["block"], found["chain_id"]) == (16, 31337)


def test_a_curve_factory_is_asked_place_by_place() -> None:
    """find_pool_for_coins(a, b, i), where there is no list."""
    contracts = a_chain()
    contracts.remove(CURVE_MAKER, "find_pools_for_coins(address,address)")
    find = "find_pool_for_coins(address,address,uint256)"
    contracts.add(CURVE_MAKER, {find: ("address", of({(0,): CURVE_POOL}))})
    with served(contracts) as endpoint:
        found = found_by(endpoint, "--factory", f"curve_crypto={CURVE_MAKER}")
    assert [pool["address"] for pool in found["pools"]] == [CURVE_POOL]


def test_the_lines_to_paste_are_a_config_that_plans_these_pools(tmp_path: Path) -> None:
    """What is printed goes through the config's own reader, and comes back as the same pools."""
    with served(a_chain()) as endpoint:
        code, out, _ = run(*asking(endpoint, *OVERRIDES[:6]))  # V2, V3, Curve
    assert code == 0
    lines = out[out.index("[[venues") :]
    assert DEAD_POOL not in lines
    (tmp_path / "gateway.toml").write_text("[venues.dex_arb]\ndefaults = false\n" + lines)
    settings = load([tmp_path / "gateway.toml"])
    symbol = f"{_named(lines, WETH)}/{_named(lines, USDC)}"
    plan, _, _ = plan_of("dex_arb", settings, [symbol])
    assert {(pool.address, pool.kind, pool.fee_ppm) for pool in plan.pools} == {
        (V2_POOL, PoolKind.UNISWAP_V2, 3000),
        (V3_POOL, PoolKind.UNISWAP_V3, 3000),
        (FINE_POOL, PoolKind.UNISWAP_V3, 100),
        (CURVE_POOL, PoolKind.CURVE_STABLE, 400),
    }
    for pool in plan.pools:
        assert [token.address for token in pool.tokens] == [WETH.address, USDC.address]
        assert [token.decimals for token in pool.tokens] == [18, 6]


def _named(lines: str, token: Token) -> str:
    """The name that the lines give to a token: not the shipped token's of the same symbol."""
    table = next(table for table in lines.split("\n\n") if f'"{token.address}"' in table)
    name = table.partition('.tokens."')[2].partition('"')[0]
    assert name not in shipped("arbitrum").tokens
    return name


def arbitrum() -> tuple[Contracts, Token, Token]:
    """The shipped factories and tokens, of which one pool was made."""
    chain = shipped("arbitrum")
    weth, usdc = chain.tokens["WETH"], chain.tokens["USDC"]
    contracts = Contracts(tokens=(weth, usdc))
    pool = next(pool for pool in chain.pools if {token.symbol for token in pool.tokens} == {"WETH", "USDC"})
    views = V3(2**96, 0, 10, 500, [(-600, 600, 10**12)], (weth, usdc)).views()
    maker = next(maker for maker in chain.factories if maker.name == "uniswap_v3")

    def get_pool(_one: str, _other: str, fee: int) -> str:
        return pool.address if fee == 500 else V3_POOL if fee == 3000 else ZERO

    contracts.add(maker.address, {"getPool(address,address,uint24)": ("address", get_pool)})
    contracts.add(pool.address, views | {"factory()": ("address", maker.address)})
    contracts.add(V3_POOL, V3(2**96, 0, 60, 3000, [(-600, 600, 10**12)], (weth, usdc)).views())
    return contracts, weth, usdc


def test_the_shipped_factories_are_asked_for_tokens_by_name() -> None:
    contracts, weth, usdc = arbitrum()
    with served(contracts) as endpoint:
        endpoint.chain_id = 42161
        found = found_by(endpoint, pair="WETH/USDC")
    assert (found["base"], found["quote"]) == (weth.address, usdc.address)
    good = {pool["address"]: pool for pool in found["pools"] if not pool["problem"]}
    assert {at: pool["is_shipped"] for at, pool in good.items()} == {
        "0xC6962004f452bE9203591991D15f6b388e09E8D0": True, V3_POOL: False,
    }  # fmt: skip
    assert V3_POOL in found["toml"]
    assert "0xC6962004" not in found["toml"]
    assert 'base = "WETH"' in found["toml"]
    assert "balancer_v2" in found["not_asked"]


def test_an_endpoint_of_another_chain_is_refused() -> None:
    with served(arbitrum()[0]) as endpoint:
        endpoint.chain_id = 8453
        assert "is of chain 8453" in refused(*asking(endpoint, pair="WETH/USDC"))


@pytest.mark.parametrize(
    ("pair", "more", "why"),
    [
        ("WETH", [], "is no pair"), ("WETH/", [], "is no pair"), ("WETH/USDC/DAI", [], "is no pair"),
        ("WETH/WETH", [], "is no pair"), (f"{WETH.address}/{WETH.address.lower()}", [], "the same token twice"),
        ("NOPE/USDC", [], "called 'NOPE'"), (f"0x12/{USDC.address}", [], "no address"),
        (f"{address(5)}/{USDC.address}", [], "no contract"), (f"{V2_MAKER}/{USDC.address}", [], "is no token"),
        (f"{WETH.address}/{USDC.address}", ["--factory", "nope=0x12"], "no kind of pool"),
        (f"{WETH.address}/{USDC.address}", ["--factory", "uniswap_v2"], "no address"),
        (f"{WETH.address}/{USDC.address}", ["--chain", "nowhere"], "no chain is called"),
        (f"{WETH.address}/{USDC.address}", ["--rpc", "nothing"], "--rpc"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_error(pair: str, more: list[str], why: str) -> None:
    with served(a_chain()) as endpoint:
        endpoint.chain_id = 42161
        assert why in refused(*asking(endpoint, *more, pair=pair))


def test_the_endpoint_comes_from_the_config_where_none_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text('[venues.dex_arb]\nurls = ["ws://127.0.0.1:1"]\n')
    asked = ["pools", "discover", "--chain", "arbitrum", "--pair", "WETH/USDC", "--config", str(file)]
    assert "ws://127.0.0.1:1: cannot be reached" in refused(*asked)
    file.write_text("[venues.dex_arb]\n")
    assert "no endpoint is set" in refused(*asked)


def test_without_a_pool_it_says_so() -> None:
    with served(Contracts(tokens=(WETH, USDC, DAI))) as endpoint:
        code, out, _ = run(*asking(endpoint, "--factory", f"uniswap_v2={address(9)}"))
        assert code == 0
        assert "none of this pair was found" in out
        assert "[[venues" not in out


def test_a_factory_that_answers_nonsense_names_no_pool() -> None:
    def reverts(*_: Any) -> str:
        raise Reverted

    for types, answer in (("raw", bytes(31)), ("uint256", 2**255), ("raw", bytes(96)), ("address", reverts)):
        contracts = a_chain()
        contracts.add(V2_MAKER, {"getPair(address,address)": (types, answer)})
        with served(contracts) as endpoint:
            assert found_by(endpoint, *OVERRIDES[:2])["pools"] == []


def test_a_tokens_own_name_cannot_write_into_the_config() -> None:
    evil = Token(address(0xE0), 'A"]\nurl = "ws://x', 18)
    contracts = Contracts({V2_POOL: v2_views(5, 6, (evil, USDC))}, (USDC,))
    contracts.add(evil.address, erc20(evil))
    contracts.add(V2_MAKER, {"getPair(address,address)": ("address", lambda *_: V2_POOL)})
    with served(contracts) as endpoint:
        found = found_by(endpoint, *OVERRIDES[:2], pair=f"{evil.address}/{USDC.address}")
    assert "url" not in found["toml"]
    assert msgspec.toml.decode(found["toml"])["venues"]["dex_arb"].keys() == {"pools", "tokens"}
