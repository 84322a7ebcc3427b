"""Readers against contracts that answer from a known state: what is read is that state, or the pool is refused."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Beyond
from connectors.amm.stableswap import StableSwap
from connectors.amm.tickmath import sqrt_at
from connectors.chain import SOLANA, PoolKind, PoolPlan, Token
from connectors.errors import PoolRefused
from connectors.venues.evm.reading import differs, drifts, extended, read, scalars
from connectors.venues.evm.v3 import WORDS_BESIDE
from tests.support.evm_contracts import (
    DAI,
    POOL,
    QUOTER,
    USDC,
    USDT,
    WETH,
    Contracts,
    address,
    plan,
    selector,
    v2_views,
)
from tests.support.evm_pools import ABI_SLOT0, V3, Stable, v3_views

V3_PLAN = plan(PoolKind.UNISWAP_V3, (WETH, USDC))
V2_PLAN = plan(PoolKind.UNISWAP_V2, (WETH, USDC), fee_ppm=3000)
STABLE_PLAN = plan(PoolKind.CURVE_STABLE, (DAI, USDC, USDT))
PAIR = dict(v2_views(10**21, 3 * 10**12))


def a_pool(spacing: int = 60, tick: int = 100) -> V3:
    return V3(sqrt_at(tick) + 5, tick, spacing, positions=[(-600, 1200, 10**15), (0, 60 * spacing, 7 * 10**14)])


def threepool(**settings: Any) -> Stable:
    return Stable([27 * 10**24, 27 * 10**12, 108 * 10**12], (DAI, USDC, USDT), **settings)


def on(views: Any, tokens: tuple[Token, ...] = (WETH, USDC)) -> Contracts:
    return Contracts({POOL: views}, tokens)


@st.composite
def pools(draw: st.DrawFn) -> V3:
    spacing = draw(st.sampled_from([10, 60, 200]))
    last = 887272 // spacing
    tick = draw(st.integers(-40 * spacing, 40 * spacing))
    places = st.lists(st.integers(-last, last), min_size=2, max_size=2, unique=True).map(sorted)
    near = st.lists(st.integers(-600, 600), min_size=2, max_size=2, unique=True).map(sorted)
    ranges = draw(st.lists(st.tuples(places | near, st.integers(1, 2**90)), min_size=1, max_size=12))
    positions = [(low * spacing, high * spacing, amount) for (low, high), amount in ranges]
    return V3(sqrt_at(tick) + draw(st.integers(0, 3)), tick, spacing, positions=positions)


@given(pools())
def test_a_v3_pool_is_read_as_its_positions_add_up(pool: V3) -> None:
    place = pool.tick // pool.spacing >> 8
    is_near = any(abs((tick // pool.spacing >> 8) - place) <= WORDS_BESIDE for tick in pool.ticks)
    if not pool.liquidity and not is_near:
        with pytest.raises(PoolRefused, match="no liquidity"):
            on(pool.views()).drive(read(V3_PLAN))
        return
    curve = on(pool.views()).drive(read(V3_PLAN))
    assert isinstance(curve, Concentrated)
    assert (curve.sqrt_price_x96, curve.tick, curve.liquidity, curve.fee_ppm) == (
        pool.sqrt_price_x96, pool.tick, pool.liquidity, 3000,
    )  # fmt: skip
    low, high = curve.ticks.low, curve.ticks.high
    assert curve.ticks.entries() == {tick: held for tick, held in pool.ticks.items() if low <= tick <= high}
    assert curve.ticks.complete == (pool.spacing != 10)


def test_a_fine_pool_is_read_on_until_the_quote_is_known() -> None:
    """Spacing 1: the window ends, and what lies behind it is read at the same block."""
    pool = V3(sqrt_at(5), 5, 1, 100, [(-10, 10, 10**12), (-200_000, 200_000, 10**12)])
    chain = on(pool.views())
    curve = chain.drive(read(V3_PLAN))
    assert isinstance(curve, Concentrated)
    assert not curve.ticks.complete
    assert set(curve.ticks.entries()) == {-10, 10}
    with pytest.raises(Beyond):
        curve.exact_in(0, 1, 10**18)
    for _ in range(4):
        curve = chain.drive(extended(V3_PLAN, curve))
    assert isinstance(curve, Concentrated)
    assert curve.ticks.entries() == pool.ticks
    assert curve.exact_in(0, 1, 10**14).ticks_crossed == 1


def test_the_window_is_two_hundred_words_either_side_whole() -> None:
    """Its outermost ticks are known, the ones next to them are not."""
    pool = V3(sqrt_at(51_000), 51_000, 1, 100, [(-256, 102_399, 10**12), (-257, 102_400, 10**12)])
    curve = on(pool.views()).drive(read(V3_PLAN))
    assert isinstance(curve, Concentrated)
    assert (curve.ticks.low, curve.ticks.high) == (-256, 102_399)
    assert set(curve.ticks.entries()) == {-256, 102_399}


def test_a_slot0_of_six_words_is_read() -> None:
    """Slipstream has no feeProtocol; further words of other forks do not matter either."""
    pool = a_pool()
    views = pool.views()
    views["slot0()"] = ("uint160,int24,uint16,uint16,uint16,bool", (pool.sqrt_price_x96, pool.tick, 1, 1, 1, True))
    curve = on(views).drive(read(V3_PLAN))
    assert isinstance(curve, Concentrated)
    assert curve.tick == pool.tick


SAID = {
    "not initialised": ("slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool", (0, 0, 0, 0, 0, 0, False)),
    "locked": ("slot0()", "uint160,int24,uint16,uint16,uint16,uint8,bool", (2**96, 0, 0, 1, 1, 0, False)),
    "slot0() answers 5 words": ("slot0()", "uint160,int24,uint16,uint16,bool", (2**96, 0, 0, 0, True)),
    "its tick is 887273": ("slot0()", ABI_SLOT0, (2**96, 887273, 0, 1, 1, 0, True)),
    "tick spacing is 0": ("tickSpacing()", "int24", 0),
    "tick spacing is -60": ("tickSpacing()", "int24", -60),
    "its tokens are": ("token0()", "address", USDT.address),
    "which holds nothing": ("ticks(int24)", "uint128,int128", lambda _: (0, 0)),
    "do not add up": ("ticks(int24)", "uint128,int128", lambda _: (5, 5)),
    "no uint24": ("fee()", "uint256", 2**24),
    "no uint128": ("liquidity()", "uint256", 2**128),
    "no uint160": ("slot0()", "uint256,int24,uint16,uint16,uint16,bool", (2**160, 0, 0, 0, 0, True)),
    "no int24": ("slot0()", "uint160,int256,uint16,uint16,uint16,bool", (2**96, -(2**23) - 1, 0, 0, 0, True)),
    "does not answer liquidity()": ("liquidity()", "raw", b""),
}  # fmt: skip


@pytest.mark.parametrize("reason", SAID)
def test_a_v3_pool_that_says_what_cannot_be_is_refused(reason: str) -> None:
    view, types, answer = SAID[reason]
    views = a_pool().views() | {view: (types, answer)}
    with pytest.raises(PoolRefused, match=reason.replace("(", r"\(").replace(")", r"\)")):
        on(views).drive(read(V3_PLAN))


def test_a_pool_without_liquidity_is_refused() -> None:
    with pytest.raises(PoolRefused, match="no liquidity"):
        on(V3(2**96, 0).views()).drive(read(V3_PLAN))
    with pytest.raises(PoolRefused, match="no liquidity"):
        on(v2_views(0, 5)).drive(read(V2_PLAN))
    with pytest.raises(PoolRefused, match="no liquidity"):
        on(Stable([10**20, 0, 10**8], (DAI, USDC, USDT)).views(), (DAI, USDC, USDT)).drive(read(STABLE_PLAN))


@pytest.mark.parametrize("kind", [kind for kind in PoolKind if kind not in SOLANA])
def test_an_address_without_a_contract_is_refused(kind: PoolKind) -> None:
    settings: dict[str, Any] = {"quoter": QUOTER, "pool_id": "0x" + 64 * "1", "fee_ppm": 3000}
    with pytest.raises(PoolRefused, match=r"no contract|no liquidity|its tokens are"):
        Contracts(tokens=(WETH, USDC)).drive(read(plan(kind, (WETH, USDC), **settings)))


@pytest.mark.parametrize("made", [V3_PLAN, V2_PLAN])
def test_a_plan_with_other_tokens_fee_or_decimals_is_refused(made: PoolPlan) -> None:
    views = a_pool().views() if made is V3_PLAN else PAIR
    short = Token(USDC.address, "USDC", 18)
    for tokens, chain_tokens, why in (
        ((USDC, WETH), (WETH, USDC), "its tokens are"),
        ((WETH, short), (WETH, USDC), "has 6 decimals, the plan says 18"),
        ((WETH, USDC), (WETH, short), "has 18 decimals, the plan says 6"),
        ((WETH, USDC), (WETH,), r"does not answer decimals\(\) of USDC"),
    ):
        with pytest.raises(PoolRefused, match=why):
            on(views, chain_tokens).drive(read(plan(made.kind, tokens, fee_ppm=made.fee_ppm)))
    with pytest.raises(PoolRefused, match="its fee is 3000 ppm, the plan says 500"):
        on(a_pool().views()).drive(read(plan(PoolKind.UNISWAP_V3, (WETH, USDC), fee_ppm=500)))


def test_a_v2_pair_is_read_and_its_fee_proved_by_its_router() -> None:
    curve = on(PAIR).drive(read(V2_PLAN))
    assert curve == ConstantProduct((10**21, 3 * 10**12), 3000)

    def amounts(amount: int, path: list[str]) -> list[int]:
        there, here = (3 * 10**12, 10**21) if path[0] == USDC.address.lower() else (10**21, 3 * 10**12)
        return [amount, amount * 997 * here // (there * 1000 + amount * 997)]

    router = {"getAmountsOut(uint256,address[])": ("uint256[]", amounts)}
    chain = Contracts({POOL: PAIR, QUOTER: router}, (WETH, USDC))
    with_router = plan(PoolKind.UNISWAP_V2, (WETH, USDC), fee_ppm=3000, quoter=QUOTER)
    assert chain.drive(read(with_router)) == curve
    with pytest.raises(PoolRefused, match="the fee is another"):
        chain.drive(read(plan(PoolKind.UNISWAP_V2, (WETH, USDC), fee_ppm=2500, quoter=QUOTER)))
    with pytest.raises(PoolRefused, match="set fee_ppm"):
        chain.drive(read(plan(PoolKind.UNISWAP_V2, (WETH, USDC))))


def test_a_pair_with_fees_in_its_reserves_is_another_kind() -> None:
    """Camelot's: (reserve0, reserve1, fee0, fee1)."""
    views = PAIR | {"getReserves()": ("uint112,uint112,uint16,uint16", (1, 1, 300, 300))}
    with pytest.raises(PoolRefused, match="another layout"):
        on(views).drive(read(V2_PLAN))


@pytest.mark.parametrize("index", ["int128", "uint256"])
def test_an_old_stableswap_pool_is_read_in_either_dialect(index: str) -> None:
    pool = threepool()
    curve = on(pool.views(index), pool.tokens).drive(read(STABLE_PLAN))
    assert curve == StableSwap(
        balances=tuple(pool.balances), rates=(10**18, 10**30, 10**30), amp=200_000, fee=4_000_000, admin_fee=5 * 10**9
    )
    precise = pool.views(index) | {"A_precise()": ("uint256", 200_000)}
    assert on(precise, pool.tokens).drive(read(STABLE_PLAN)) == curve


def test_a_stableswap_pool_that_pays_otherwise_is_refused() -> None:
    """One unit is enough: the maths is then not the one we have."""
    pool = threepool(skim=1)
    with pytest.raises(PoolRefused, match="a variant that is not known"):
        on(pool.views(), pool.tokens).drive(read(STABLE_PLAN))


def test_stableswap_pools_of_other_kinds_are_refused_by_name() -> None:
    pool = threepool()
    for view, types, answer, why in (
        ("base_pool()", "address", address(9), "metapool"),
        ("offpeg_fee_multiplier()", "uint256", 2 * 10**10, "its fee is dynamic"),
        ("stored_rates()", "uint256[2]", [10**18, 10**18], r"stored_rates\(\) answers 2 words"),
        ("A()", "uint256", 0, "out of range"),
        ("fee()", "uint256", 10**10, "out of range"),
    ):
        with pytest.raises(PoolRefused, match=why):
            on(pool.views() | {view: (types, answer)}, pool.tokens).drive(read(STABLE_PLAN))
    with pytest.raises(PoolRefused, match="not of kind curve_stable_ng"):
        on(pool.views(), pool.tokens).drive(read(plan(PoolKind.CURVE_STABLE_NG, pool.tokens)))
    with pytest.raises(PoolRefused, match="a variant that is not known"):  # the contract has a third coin
        on(pool.views(), pool.tokens).drive(read(plan(PoolKind.CURVE_STABLE, pool.tokens[:2])))


def test_no_coin_is_asked_for_that_is_not_planned() -> None:
    """Past its last coin the oldest contracts burn all the gas of the Multicall3 call they are in."""
    pool = threepool()
    views = pool.views()

    def coin(place: int) -> str:
        assert place < 3
        return pool.tokens[place].address

    on(views | {"coins(int128)": ("address", coin)}, pool.tokens).drive(read(STABLE_PLAN))


@pytest.mark.parametrize("types", ["uint256[]", "uint256[2]"])
def test_stored_rates_are_read_as_list_and_as_array(types: str) -> None:
    tokens = (DAI, USDC)
    pool = Stable([10**24, 10**12], tokens, fee=0)
    rates = {"stored_rates()": (types, [10**18, 10**30])}
    curve = on(pool.views("uint256") | rates, tokens).drive(read(plan(PoolKind.CURVE_STABLE, tokens)))
    assert isinstance(curve, StableSwap)
    assert curve.rates == (10**18, 10**30)


def test_an_ng_pool_is_read_with_its_rates_and_its_dynamic_fee() -> None:
    """The pool's own get_dy is our maths of its state here: what is shown is that every number comes from its view."""
    held = StableSwap(
        balances=(10**24, 2 * 10**12), rates=(1_034_500_000_000_000_000, 10**30), amp=150_050, fee=1_000_000,
        offpeg_fee_multiplier=5 * 10**10, is_ng=True, admin_fee=5 * 10**9,
    )  # fmt: skip
    views = Stable(held.balances, (DAI, USDC), amp=1500, fee=held.fee).views("uint256") | {
        "A_precise()": ("uint256", held.amp),
        "offpeg_fee_multiplier()": ("uint256", held.offpeg_fee_multiplier),
        "stored_rates()": ("uint256[]", held.rates),
        "get_dy(int128,int128,uint256)": ("uint256", held.view),
    }
    made = plan(PoolKind.CURVE_STABLE_NG, (DAI, USDC))
    chain = on(views, (DAI, USDC))
    assert chain.drive(read(made)) == held
    for view, types, answer in (
        ("A_precise()", "uint256", held.amp + 100),
        ("stored_rates()", "uint256[]", (held.rates[0] + 10**12, held.rates[1])),
        ("offpeg_fee_multiplier()", "uint256", 2 * 10**10),
        ("fee()", "uint256", held.fee + 1000),
    ):
        with pytest.raises(PoolRefused, match="a variant that is not known"):
            on(views | {view: (types, answer)}, (DAI, USDC)).drive(read(made))


def test_what_the_logs_did_not_tell_is_found() -> None:
    """The cheap part of each kind's state, compared."""
    pool = a_pool()
    chain = on(pool.views())
    curve = chain.drive(read(V3_PLAN))
    assert differs(V3_PLAN, curve, chain.answers(scalars(V3_PLAN))) == ""
    chain.add(POOL, {"fee()": ("uint24", 500), "liquidity()": ("uint128", 4)})
    found = differs(V3_PLAN, curve, chain.answers(scalars(V3_PLAN)))
    assert found == f"liquidity is 4, the logs say {pool.liquidity}, fee is 500, the logs say 3000"
    pair = on(PAIR)
    reserves = pair.drive(read(V2_PLAN))
    pair.add(POOL, v2_views(5, 6))
    assert "(5, 6)" in differs(V2_PLAN, reserves, pair.answers(scalars(V2_PLAN)))
    stable = threepool()
    coins = on(stable.views(), stable.tokens)
    held = coins.drive(read(STABLE_PLAN))
    assert differs(STABLE_PLAN, held, coins.answers(scalars(STABLE_PLAN))) == ""
    coins.add(POOL, {"A()": ("uint256", 1999)})
    assert differs(STABLE_PLAN, held, coins.answers(scalars(STABLE_PLAN))) == "amp is 199900, was 200000"
    with pytest.raises(PoolRefused):
        differs(V2_PLAN, reserves, [b"\0" * 95])
    assert [drifts(each) for each in (V3_PLAN, V2_PLAN, STABLE_PLAN)] == [False, False, True]


def damages(answer: bytes | None) -> list[bytes | None]:
    if answer is None:
        return []
    return [None, answer[:-1], answer[:-32], answer + b"\0", b"\xff" * len(answer)]


@pytest.mark.parametrize("kind", ["v2", "v3", "stable"])
def test_a_damaged_answer_never_gives_another_curve(kind: str) -> None:
    """Each answer of each stage cut, lengthened, filled or lost: the pool is refused, or read as it is."""
    pool = threepool()
    made, chain = {
        "v2": (V2_PLAN, on(PAIR)),
        "v3": (V3_PLAN, on(a_pool().views())),
        "stable": (STABLE_PLAN, on(pool.views(), pool.tokens)),
    }[kind]
    answers: dict[tuple[int, int], bytes | None] = {}
    true = chain.drive(read(made), lambda stage, place, answer: answers.setdefault((stage, place), answer))
    refused = 0
    for at, answer in answers.items():
        for damaged in damages(answer):
            try:
                found = chain.drive(read(made), lambda s, p, a, at=at, d=damaged: d if (s, p) == at else a)  # type: ignore[misc]
            except PoolRefused:
                refused += 1
            else:
                # what the admin gets of a fee is the one number that no quote depends on
                if found != true:
                    assert isinstance(true, StableSwap)
                    assert found == msgspec.structs.replace(true, admin_fee=0), (at, damaged)
    assert refused > len(answers)


@pytest.mark.real_data
def test_a_whole_mainnet_pool_is_read_and_quotes_what_the_chain_quoted(real_data: Path) -> None:
    folder = real_data / "dex_evm_degenbot"
    state = json.loads((folder / "uniswap_v3_wbtc_weth_block_24407242.json").read_text())
    said = json.loads((folder / "uniswap_v3_wbtc_weth_quotes_half.json").read_text())["entries"]
    scalars_ = state["scalars"]
    ticks = {int(tick): (entry[0], entry[1]) for tick, entry in state["tick_data"].items()}
    wbtc = Token(address(0xB7C), "WBTC", 8)
    views = v3_views(scalars_["sqrt_price_x96"], scalars_["tick"], scalars_["liquidity"], 3000, 60, ticks, (wbtc, WETH))
    curve = on(views, (wbtc, WETH)).drive(read(plan(PoolKind.UNISWAP_V3, (wbtc, WETH))))
    assert isinstance(curve, Concentrated)
    assert curve.ticks.entries() == dict(sorted(ticks.items()))
    checked = 0
    for question, answer in said.items():
        _, method, way, amount = question.split("|")
        if method == "quoteExactInputSingle" and answer.get("value"):
            i = 0 if way == "WBTC->WETH" else 1
            assert curve.exact_in(i, 1 - i, int(amount)).amount_out == answer["value"]
            checked += 1
    assert checked >= 10


def test_the_fake_speaks_known_selectors() -> None:
    """So that reader and contracts cannot agree on a wrong one."""
    known = {"slot0()": "3850c7bd", "getReserves()": "0902f1ac", "tickBitmap(int16)": "5339c296",
             "ticks(int24)": "f30dba93", "decimals()": "313ce567", "token0()": "0dfe1681"}  # fmt: skip
    assert {signature: selector(signature).hex() for signature in known} == known
