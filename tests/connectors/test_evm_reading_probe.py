"""Quotes asked of the chain, and what a contract is found to be."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_abi.abi import encode

from connectors.chain import PoolKind, PoolPlan, Token
from connectors.errors import PoolRefused, WireError
from connectors.venues.evm.detect import detect
from connectors.venues.evm.probe import (
    exact_out_calls,
    exact_out_quoted,
    probe_calls,
    probe_results,
    requote_calls,
    requoted,
)
from connectors.venues.evm.reading import read
from connectors.venues.evm.tokens import NATIVE
from tests.support.evm_contracts import (
    DAI,
    POOL,
    QUOTER,
    USDC,
    USDT,
    WETH,
    Contracts,
    Reverted,
    Views,
    address,
    plan,
    v2_views,
)
from tests.support.evm_pools import V3, Stable

POOL_ID = "0x" + POOL[2:].lower() + "00" * 11 + "07"
BATCH_SWAP = "queryBatchSwap(uint8,(bytes32,uint256,uint256,uint256,bytes)[],address[],(address,bool,address,bool))"
ZERO = address(0)


def pays(amount: int) -> int:
    """Less and less; nothing beyond 10,000."""
    if amount > 10_000:
        raise Reverted
    return amount * 2 - amount * amount // 20_000


def batch_swap(kind: int, steps: Any, assets: Any, funds: Any) -> list[int]:
    assert funds == (ZERO, False, ZERO, False)
    ((pool_id, i, j, amount, user_data),) = steps
    assert (pool_id.hex(), user_data) == (POOL_ID[2:], b"")
    assert {assets[i], assets[j]} == {WETH.address.lower(), USDC.address.lower()}
    deltas = [0, 0]
    deltas[i], deltas[j] = (amount, -pays(amount)) if kind == 0 else (amount * 3, -amount)
    return deltas


def by_struct(params: Any) -> tuple[int, ...]:
    *_, amount, limit = params
    assert limit == 0
    return pays(amount), amount, 2**96, 1, 90_000, 100


def out_by_struct(params: Any) -> tuple[int, ...]:
    return params[3], params[3] * 3, 2**96, 1, 90_000, 100


ANSWERS = "uint256,uint256,uint160,uint32,uint256,uint16"
VIEWS: dict[str, tuple[PoolKind, str, Views]] = {
    "crypto": (PoolKind.CURVE_CRYPTO, POOL,
               {"get_dy(uint256,uint256,uint256)": ("uint256", lambda _i, _j, amount: pays(amount))}),
    "meta": (PoolKind.CURVE_META, POOL,
             {"get_dy(int128,int128,uint256)": ("uint256", lambda _i, _j, amount: pays(amount))}),
    "solidly": (PoolKind.SOLIDLY, POOL,
                {"getAmountOut(uint256,address)": ("uint256", lambda amount, _: pays(amount))}),
    "balancer": (PoolKind.BALANCER_V2, QUOTER, {BATCH_SWAP: ("int256[]", batch_swap)}),
    "algebra": (PoolKind.ALGEBRA, QUOTER, {
        "quoteExactInputSingle(address,address,uint256,uint160)":
            ("uint256,uint16", lambda _i, _o, amount, _: (pays(amount), 100)),
        "quoteExactOutputSingle(address,address,uint256,uint160)":
            ("uint256,uint16", lambda _i, _o, amount, _: (amount * 3, 100)),
    }),
    "integral": (PoolKind.ALGEBRA, QUOTER, {
        "quoteExactInputSingle((address,address,address,uint256,uint160))": (ANSWERS, by_struct),
        "quoteExactOutputSingle((address,address,address,uint256,uint160))": (ANSWERS, out_by_struct),
    }),
    "v2": (PoolKind.UNISWAP_V2, QUOTER, {
        "getAmountsOut(uint256,address[])": ("uint256[]", lambda amount, _: [amount, pays(amount)])}),
    "v3": (PoolKind.UNISWAP_V3, QUOTER, {
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))":
            ("uint256,uint160,uint32,uint256", lambda p: (pays(p[2]), 2**96, 1, 90_000))}),
    "slipstream": (PoolKind.UNISWAP_V3, QUOTER, {
        "quoteExactInputSingle((address,address,uint256,int24,uint160))":
            ("uint256,uint160,uint32,uint256", lambda p: (pays(p[2]), 2**96, 1, 90_000))}),
}  # fmt: skip


def made(name: str) -> tuple[PoolPlan, Contracts]:
    kind, where, views = VIEWS[name]
    settings: dict[str, Any] = {"quoter": QUOTER, "pool_id": POOL_ID, "fee_ppm": 3000}
    return plan(kind, (WETH, USDC), **settings), Contracts({where: views})


@pytest.mark.parametrize("name", VIEWS)
def test_a_ladder_is_what_the_view_answers_until_it_stops(name: str) -> None:
    """Both sides in one list of calls; amounts that the pool refuses end the side, not the other."""
    pool, chain = made(name)
    asks, bids = [10, 100, 5_000, 20_000, 30_000], [7, 9_000]
    calls = probe_calls(pool, asks, bids)
    found = probe_results(pool, asks, bids, chain.answers(calls))
    assert found == ([(size, pays(size)) for size in asks[:3]], [(size, pays(size)) for size in bids])


@pytest.mark.parametrize("name", VIEWS)
def test_a_requote_is_the_views_answer(name: str) -> None:
    pool, chain = made(name)
    for is_ask in (True, False):
        assert requoted(pool, chain.answers(requote_calls(pool, is_ask, 500))) == pays(500)
    with pytest.raises(WireError):
        requoted(pool, chain.answers(requote_calls(pool, True, 10_001)))


def test_the_token_that_goes_in_is_the_sides() -> None:
    """An ask takes the quote token, a bid the base."""
    pool, _ = made("solidly")
    seen: list[tuple[int, str]] = []

    def note(amount: int, token: str) -> int:
        seen.append((amount, token))
        return amount

    chain = Contracts({POOL: {"getAmountOut(uint256,address)": ("uint256", note)}})
    chain.answers(probe_calls(pool, [1], [2]))
    assert seen == [(1, USDC.address.lower()), (2, WETH.address.lower())]


@pytest.mark.parametrize("kind", [PoolKind.UNISWAP_V2, PoolKind.UNISWAP_V3, PoolKind.ALGEBRA])
def test_without_a_quoter_nobody_is_asked(kind: PoolKind) -> None:
    assert requote_calls(plan(kind, (WETH, USDC)), True, 5) == []


@pytest.mark.parametrize("name", ["algebra", "integral", "balancer"])
def test_an_exact_amount_out_is_asked_where_there_is_a_view(name: str) -> None:
    pool, chain = made(name)
    assert exact_out_quoted(pool, chain.answers(exact_out_calls(pool, 0, 1, 50))) == 150
    with pytest.raises(WireError):
        exact_out_quoted(pool, [None] * len(exact_out_calls(pool, 0, 1, 50)))


def test_a_side_ends_where_more_does_not_buy_more() -> None:
    pool, _ = made("meta")
    answers: list[bytes | None] = [encode(["uint256"], [paid]) for paid in (5, 9, 9, 20)]
    assert probe_results(pool, [1, 2, 3, 4], [], answers) == ([(1, 5), (2, 9)], [])
    with pytest.raises(WireError):
        probe_results(pool, [1, 2], [3], answers)


@pytest.mark.parametrize(
    ("name", "answer"),
    [("meta", b"\1"), ("meta", bytes(64)), ("v3", bytes(31)), ("v2", bytes(32)), ("balancer", bytes(64)),
     ("v2", encode(["uint256[]"], [[1, 2, 3]])), ("balancer", encode(["int256[]"], [[1]])), ("algebra", b"")],
)  # fmt: skip
def test_a_damaged_answer_is_no_quote(name: str, answer: bytes) -> None:
    with pytest.raises(WireError):
        requoted(made(name)[0], [answer])


# --- who a probed pool is, and what a contract is --------------------------------------------------------------------

COINS = {"coins(uint256)": ("address", lambda place: [WETH, USDC][place].address if place < 2 else _none())}


def _none() -> str:
    raise Reverted


def pair_views(first: Token = WETH, second: Token = USDC) -> dict[str, tuple[str, Any]]:
    return {"token0()": ("address", first.address), "token1()": ("address", second.address)}


def balancer() -> dict[str, Views]:
    tokens = [WETH.address, USDC.address]
    vault = {"getPoolTokens(bytes32)": ("address[],uint256[],uint256", lambda _: (tokens, [5, 6], 7))}
    own = {"getPoolId()": ("bytes32", bytes.fromhex(POOL_ID[2:])), "getVault()": ("address", QUOTER)}
    return {POOL: own, QUOTER: vault}


CRYPTO = COINS | {"A()": ("uint256", 400_000), "gamma()": ("uint256", 10**14), "fee()": ("uint256", 10**7)}
FOUND: dict[str, tuple[PoolKind, dict[str, Views]]] = {
    "v3": (PoolKind.UNISWAP_V3, {POOL: V3(2**96, 0, positions=[(-60, 60, 5)]).views()}),
    "v2": (PoolKind.UNISWAP_V2, {POOL: v2_views(5, 6)}),
    "solidly": (PoolKind.SOLIDLY, {POOL: dict(v2_views(5, 6)) | {"stable()": ("bool", False)}}),
    "camelot": (PoolKind.SOLIDLY, {POOL: dict(v2_views(5, 6)) | {"stableSwap()": ("bool", False)}}),
    "algebra": (PoolKind.ALGEBRA, {POOL: pair_views() | {"globalState()": ("uint160,int24", (2**96, 0))}}),
    "balancer": (PoolKind.BALANCER_V2, balancer()),
    "crypto": (PoolKind.CURVE_CRYPTO, {POOL: CRYPTO}),
    "meta": (PoolKind.CURVE_META, {POOL: COINS | {"A()": ("uint256", 4), "base_pool()": ("address", QUOTER)}}),
    "meta ng": (PoolKind.CURVE_META, {POOL: COINS | {"A()": ("uint256", 4), "BASE_POOL()": ("address", QUOTER)}}),
    "stable": (PoolKind.CURVE_STABLE, {POOL: Stable([10**22, 10**10], (WETH, USDC)).views()}),
    "variant": (PoolKind.CURVE_META, {POOL: Stable([10**22, 10**10], (WETH, USDC), skim=1).views()}),
}  # fmt: skip


@pytest.mark.parametrize("name", FOUND)
def test_a_contract_is_known_by_its_views(name: str) -> None:
    kind, contracts = FOUND[name]
    found = Contracts(contracts, (WETH, USDC)).drive(detect(POOL))
    assert (found.pool.kind, found.pool.tokens, found.factory) == (kind, (WETH, USDC), "")
    assert found.pool.symbol == "WETH/USDC"
    assert found.pool.pool_id == (POOL_ID if kind is PoolKind.BALANCER_V2 else "")
    assert found.pool.quoter == (QUOTER if kind is PoolKind.BALANCER_V2 else "")


@pytest.mark.parametrize("name", [name for name in FOUND if FOUND[name][0] is not PoolKind.UNISWAP_V2])
def test_what_was_found_can_be_read(name: str) -> None:
    """A probed kind has no state; its tokens are checked all the same."""
    kind, contracts = FOUND[name]
    quoter = {"quoter": QUOTER, "pool_id": POOL_ID}
    chain = Contracts(contracts, (WETH, USDC))
    curve = chain.drive(read(plan(kind, (WETH, USDC), **quoter)))
    assert (curve is not None) == (name in ("v3", "stable"))
    with pytest.raises(PoolRefused, match="its tokens are"):
        chain.drive(read(plan(kind, (USDC, WETH), **quoter)))


def test_a_balancer_pool_is_its_vaults_under_its_id() -> None:
    chain = Contracts(balancer(), (WETH, USDC))
    for settings, why in (
        ({"quoter": QUOTER, "pool_id": "0x" + 64 * "1"}, "its pool id is"),
        ({"quoter": address(77), "pool_id": POOL_ID}, "its Vault is|does not answer"),
        ({"quoter": QUOTER}, "needs pool_id"),
    ):
        with pytest.raises(PoolRefused, match=why):
            chain.drive(read(plan(PoolKind.BALANCER_V2, (WETH, USDC), **settings)))


def test_the_factory_is_told_where_the_pool_tells_it() -> None:
    views = dict(v2_views(5, 6)) | {"factory()": ("address", QUOTER)}
    assert Contracts({POOL: views}, (WETH, USDC)).drive(detect(POOL)).factory == QUOTER


SYMBOLS: dict[str, tuple[str, Any, Callable[[str], bool]]] = {
    "a string": ("string", "wstETH", lambda symbol: symbol == "wstETH"),
    "bytes32, as MKR's": ("bytes32", b"MKR".ljust(32, b"\0"), lambda symbol: symbol == "MKR"),
    "an escape sequence": ("string", "\x1b[2J", lambda symbol: symbol == WETH.address[:10]),
    "a line": ("string", "A\nB", lambda symbol: symbol == WETH.address[:10]),
    "a quotation mark": ("string", 'A"', lambda symbol: symbol == WETH.address[:10]),
    "a pair": ("string", "A/B", lambda symbol: symbol == WETH.address[:10]),
    "a novel": ("string", "A" * 33, lambda symbol: symbol == WETH.address[:10]),
    "nothing": ("raw", b"", lambda symbol: symbol == WETH.address[:10]),
    "bytes that are no text": ("bytes32", b"\xff" * 32, lambda symbol: symbol == WETH.address[:10]),
    "a length beyond the answer": ("uint256,uint256", (32, 2**200), lambda symbol: symbol == WETH.address[:10]),
}


@pytest.mark.parametrize("name", SYMBOLS)
def test_a_symbol_is_a_name_or_the_address(name: str) -> None:
    """What a token calls itself is for people only, and reaches their terminals and files."""
    types, answer, is_right = SYMBOLS[name]
    chain = Contracts({POOL: v2_views(5, 6)}, (WETH, USDC))
    chain.add(WETH.address, {"symbol()": (types, answer)})
    assert is_right(chain.drive(detect(POOL)).pool.tokens[0].symbol)


def test_the_chains_own_coin_has_no_contract() -> None:
    coin = Token(NATIVE, "ETH", 18)
    views = Stable([10**22, 10**10], (coin, USDC)).views()
    found = Contracts({POOL: views}, (USDC,)).drive(detect(POOL))
    assert (found.pool.kind, found.pool.tokens) == (PoolKind.CURVE_STABLE, (coin, USDC))


REFUSED: dict[str, tuple[Views, str]] = {
    "nothing": ({}, "no contract is there"),
    "a token": ({"fee()": ("uint256", 1)}, "of no kind that is known"),
    "no tokens": (pair_views(Token(ZERO, "", 0)) | {"globalState()": ("uint160", 0)}, "not initialised"),
    "one token": (pair_views(WETH, WETH) | {"globalState()": ("uint160", 1)}, "no pool"),
    "no decimals": (pair_views(WETH, USDT) | {"globalState()": ("uint160", 1)}, "does not answer decimals"),
    "33 bytes": (pair_views() | {"token0()": ("raw", bytes(33)), "globalState()": ("uint160", 1)}, "33 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_pool_is_refused_with_the_reason(name: str) -> None:
    views, why = REFUSED[name]
    with pytest.raises(PoolRefused, match=why):
        Contracts({POOL: views} if views else {}, (WETH, USDC)).drive(detect(POOL))


def test_three_coins_are_read_in_the_contracts_order() -> None:
    views = Stable([10**24, 10**12, 10**12], (DAI, USDC, USDT)).views()
    found = Contracts({POOL: views}, (DAI, USDC, USDT)).drive(detect(POOL))
    assert found.pool.tokens == (DAI, USDC, USDT)
    assert found.pool.fee_ppm == 400
