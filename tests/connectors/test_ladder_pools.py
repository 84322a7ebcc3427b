"""The ladder's promise on our own pool maths, each cumulative size asked anew as one swap."""

from __future__ import annotations

import json
from fractions import Fraction
from itertools import accumulate, pairwise
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connectors.amm import ladder, route
from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.ladder import Pair
from connectors.amm.stableswap import StableSwap
from connectors.amm.tickmath import sqrt_at
from connectors.amm.ticks import TickMap
from connectors.book import Level
from connectors.errors import Unpublishable
from tests.support.ladders import MONEY, check_levels, exact, promise, whole

DECIMALS = st.sampled_from((0, 2, 6, 8, 18, 24))
SPACING = {100: 1, 500: 10, 3_000: 60, 10_000: 200}


def check_curve(curve: Curve, pair: Pair) -> str:
    """Levels of the whole grid; each side's cumulative sizes asked one by one."""
    try:
        sizes = ladder.grid(MONEY, ladder.mid_1e9(curve, pair), pair.base_decimals)
    except Unpublishable as refused:
        return str(refused.reason)
    depth = ladder.measure(curve, pair, sizes)
    said = check_levels(ladder, depth, pair)
    if said == "published":
        bids, asks = ladder.levels(depth, pair)
        check_side(curve, pair, bids, 1)
        check_side(curve, pair, asks, -1)
    return said


def check_side(curve: Curve, pair: Pair, side: list[Level], sign: int) -> None:
    sizes = list(accumulate(size for _, size in side))
    units = [whole(size, pair.base_decimals) for size in sizes]
    if sign > 0:
        quotes = [curve.exact_in(pair.base, pair.quote, one).amount_out for one in units]
    else:
        quotes = [curve.exact_out(pair.quote, pair.base, one).amount_in for one in units]
    promise(side, sizes, [exact(one, pair.quote_decimals) for one in quotes], sign)


@st.composite
def products(draw: st.DrawFn) -> tuple[Curve, Pair]:
    base = draw(st.integers(0, 1))
    pair = Pair(base, 1 - base, draw(DECIMALS), draw(DECIMALS))
    reserves = draw(st.tuples(st.integers(0, 2**112 - 1), st.integers(0, 2**112 - 1)))
    return ConstantProduct(reserves, draw(st.sampled_from((0, 2_500, 3_000, 10_000)))), pair


@st.composite
def concentrated(draw: st.DrawFn) -> tuple[Curve, Pair]:
    """Positions around a price; where it stands and how deep it is, is left to chance."""
    fee = draw(st.sampled_from(sorted(SPACING)))
    spacing = SPACING[fee]
    tick = draw(st.integers(-300_000, 300_000))
    here = tick // spacing
    spans = draw(st.lists(st.tuples(st.integers(-3_000, 3_000), st.integers(1, 3_000)), min_size=1, max_size=12))
    nets: dict[int, int] = {}
    gross: dict[int, int] = {}
    liquidity = 0
    for low, width in spans:
        amount = draw(st.integers(1, 10 ** draw(st.integers(1, 24))))
        lower, upper = (here + low) * spacing, (here + low + width) * spacing
        for at, change in ((lower, amount), (upper, -amount)):
            nets[at] = nets.get(at, 0) + change
            gross[at] = gross.get(at, 0) + amount
        liquidity += amount if lower <= tick < upper else 0
    price = draw(st.integers(sqrt_at(tick), sqrt_at(tick + 1) - 1))
    base = draw(st.integers(0, 1))
    near = draw(st.sampled_from((0, 6, 8, 18)))  # decimals for which the price is not beyond all scales
    pair = Pair(base, 1 - base, near, draw(DECIMALS))
    return Concentrated(price, tick, liquidity, fee, TickMap(spacing, {t: (gross[t], nets[t]) for t in nets})), pair


@st.composite
def stable(draw: st.DrawFn) -> tuple[Curve, Pair]:
    count = draw(st.integers(2, 4))
    decimals = draw(st.lists(st.sampled_from((6, 8, 18)), min_size=count, max_size=count))
    coins = draw(st.lists(st.integers(10_000, 10**9), min_size=count, max_size=count))
    base, quote = draw(st.permutations(range(count)))[:2]
    is_ng = draw(st.booleans())
    curve = StableSwap(
        tuple(coin * 10**places for coin, places in zip(coins, decimals, strict=True)),
        tuple(10 ** (36 - places) for places in decimals),
        draw(st.integers(10, 5_000)) * 100,
        draw(st.integers(0, 4 * 10**7)),
        draw(st.sampled_from((0, 5 * 10**10))) if is_ng else 0,
        is_ng,
    )
    return curve, Pair(base, quote, decimals[base], decimals[quote])


@pytest.mark.parametrize("pools", [products(), concentrated(), stable()], ids=["V2", "V3", "StableSwap"])
def test_a_ladder_of_ours_keeps_its_promise(pools: st.SearchStrategy[tuple[Curve, Pair]]) -> None:
    @settings(max_examples=60)
    @given(pools)
    def run(given_: tuple[Curve, Pair]) -> None:
        event(check_curve(*given_))

    run()


def real(folder: Path) -> Concentrated:
    """WBTC/WETH 0.3 % of Ethereum, block 24407242: 458 ticks."""
    raw = json.loads((folder / "dex_evm_degenbot/uniswap_v3_wbtc_weth_block_24407242.json").read_text())
    at = raw["scalars"]
    ticks = {int(tick): (entry[0], entry[1]) for tick, entry in raw["tick_data"].items()}
    return Concentrated(
        at["sqrt_price_x96"], at["tick"], at["liquidity"], at["fee"], TickMap(at["tick_spacing"], ticks)
    )


@pytest.mark.real_data
def test_the_ladder_of_a_real_pool(real_data: Path) -> None:
    """WBTC (8 decimals) in WETH (18), and the other way round; sizes of 0.005 … 250 ETH."""
    curve = real(real_data)
    for pair, unit in ((Pair(0, 1, 8, 18), 2_000), (Pair(1, 0, 18, 8), 60_000)):
        mid = ladder.mid_1e9(curve, pair)
        sizes = ladder.grid([money // unit for money in MONEY], mid, pair.base_decimals)
        depth = ladder.measure(curve, pair, sizes)
        assert check_levels(ladder, depth, pair) == "published"
        bids, asks = ladder.levels(depth, pair)
        check_side(curve, pair, bids, 1)
        check_side(curve, pair, asks, -1)
        assert bids[0][0] < mid < asks[0][0]
        fee = Fraction(asks[0][0] - bids[0][0], mid)
        assert Fraction(59, 10_000) < fee < Fraction(62, 10_000)  # twice 0.3 %, and the first slice's own way
        gross = ladder.levels(ladder.measure(curve.without_fee(), pair, sizes), pair)
        assert gross[0][0][0] > bids[0][0]
        assert gross[1][0][0] < asks[0][0]


@pytest.mark.real_data
def test_a_part_of_a_slice_is_never_better_than_the_pool(real_data: Path) -> None:
    """What the split of an order rests on: within a slice the pool asks no more than the slice's own price.

    But for the pool's rounding, which is of whole units of both tokens: a fee of 0.3 % on one satoshi is one satoshi.
    """
    curve, pair = real(real_data), Pair(0, 1, 8, 18)
    sizes = ladder.grid([money // 2_000 for money in MONEY], ladder.mid_1e9(curve, pair), 8)
    depth = ladder.measure(curve, pair, sizes)
    satoshi = depth.costs[0] // sizes[0]  # what the smallest unit of the base is worth
    for sign, money in ((1, depth.proceeds), (-1, depth.costs)):
        ends = list(zip((0, *sizes), (0, *money), strict=False))
        for (begin, had), (end, has) in pairwise(ends):
            for part in {1, (end - begin) // 3, (end - begin) // 2, end - begin - 1} - {0}:
                share = Fraction((has - had) * part, end - begin)
                asked = begin + part
                got = (curve.proceeds(0, 1, [asked]) if sign > 0 else curve.costs(1, 0, [asked]))[0] - had
                assert (got - share) * sign > -2 * (1 + satoshi), "worse than the chord by more than the rounding"


def test_pools_of_three_kinds_make_one_book() -> None:
    """V2, V3 and StableSwap of one symbol: the routes are what these pools really ask and pay."""
    pair = Pair(0, 1, 18, 6)
    pools: list[tuple[Curve, int]] = [
        (ConstantProduct((4 * 10**23, 4 * 10**11), 500), 10**8),
        (Concentrated(sqrt_at(-276_324), -276_324, 10**17, 100, TickMap(1, {
            -276_400: (10**17, 10**17), -276_250: (10**17, -(10**17))})), 3 * 10**8),
        (StableSwap((10**24, 10**12), (10**18, 10**30), 20_000, 4_000_000), 5 * 10**8),
    ]  # fmt: skip
    sizes = ladder.grid(MONEY, 10**9, 18)
    sources = [route.Source(ladder.measure(curve, pair, sizes), 6, gas) for curve, gas in pools]
    bids, asks = route.chain_book(sources, sizes, 13)
    assert bids[0][0] < asks[0][0]
    most = 0
    for sign in (1, -1):
        for found in route.routes(sources, sizes, 13, sign):
            most = max(most, len(found.parts))
            ours = Fraction(0)
            for place, size in found.parts:
                curve, gas = pools[place]
                amount = [whole(size, 18)]
                money = curve.proceeds(0, 1, amount) if sign > 0 else curve.costs(1, 0, amount)
                ours += exact(money[0], 6) - sign * exact(gas, 9)
            worse = (ours - exact(found.total, found.decimals)) * sign
            # StableSwap's own rounding wobbles by a unit or two, here and there against the chord
            assert worse >= -exact(2, 6)
    assert most > 1
