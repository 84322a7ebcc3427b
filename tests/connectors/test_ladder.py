"""The depth ladder: what a book of a pool promises, on pools of every size, price and decimals."""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from connectors.amm import ladder
from connectors.amm.ladder import Depth, Pair
from connectors.errors import Unpublishable
from tests.support.ladders import HIGHEST, MONEY, Product, check_levels, check_pool, exact, paid, promise, whole

DECIMALS = st.sampled_from((0, 2, 6, 8, 18, 24))
ILLIQUID = Pair(0, 1, 18, 6)


@st.composite
def depths(draw: st.DrawFn) -> tuple[Depth, Pair]:
    """Any rising quotes, whatever curve they may be of: steps of nothing, of a few units, of everything."""
    pair = Pair(0, 1, draw(DECIMALS), draw(DECIMALS))
    size, bid_px, ask_px = draw(st.tuples(*[st.integers(0, 40)] * 3))
    steps = draw(st.lists(st.integers(1, 2**size), min_size=1, max_size=20))

    def money(bits: int) -> tuple[int, ...]:
        noise = draw(st.lists(st.integers(0, 9), max_size=len(steps)))
        unit = 10**pair.quote_decimals
        slices = [step * 2**bits * unit // 10**17 + more for step, more in zip(steps, noise, strict=False)]
        return tuple(accumulate(slices))

    return Depth(tuple(accumulate(steps)), money(bid_px + ask_px), money(bid_px)), pair


@given(depths())
def test_levels_keep_the_promise_whatever_the_quotes(given_: tuple[Depth, Pair]) -> None:
    event(check_levels(ladder, *given_))


@st.composite
def pools(draw: st.DrawFn) -> tuple[Product, Pair]:
    """A pool with 1 … 10^9 of its base at a price of 10^-6 … 10^6, its tokens in either order."""
    base, quote = draw(st.sampled_from(((0, 1), (1, 0))))
    pair = Pair(base, quote, draw(DECIMALS), draw(DECIMALS))
    amount = draw(st.integers(1, 10**9))
    price = Fraction(draw(st.integers(1, 10**6)), draw(st.sampled_from((1, 10**6))))
    reserves = [0, 0]
    reserves[base] = amount * 10**pair.base_decimals
    reserves[quote] = int(amount * price * 10**pair.quote_decimals)
    return Product((reserves[0], reserves[1]), draw(st.integers(0, 10_000))), pair


@given(pools())
def test_a_pool_of_any_decimals_either_way_round(given_: tuple[Product, Pair]) -> None:
    event(check_pool(ladder, *given_))


def test_the_ladder_of_a_known_pool() -> None:
    """1,000 WETH beside 3,000,000 USDC, no fee: numbers made by hand."""
    pair = Pair(0, 1, 18, 6)
    pool = Product((1_000 * 10**18, 3_000_000 * 10**6))
    assert ladder.mid_1e9(pool, pair) == 3_000 * 10**9
    sizes = ladder.grid((3_000 * 10**9, 30_000 * 10**9), 3_000 * 10**9, 18)
    assert sizes == (10**8, 10**9)
    bids, asks = ladder.levels(ladder.measure(pool, pair, sizes), pair)
    # 1 WETH brings 3e6·1/1001 = 2997.002997, 10 bring 3e6·10/1010 = 29702.970297; they cost 3003.003004 and
    # 30303.030304
    assert bids == [(2_997_002_997_000, 10**8), (26_705_967_300 * 10**6 // 9_000, 9 * 10**8)]
    assert asks == [(3_003_003_004_000, 10**8), (-(-27_300_027_300 * 10**6 // 9_000), 9 * 10**8)]
    assert ladder.depth_within(bids, 3_000 * 10**9, 50) == 10**8
    assert ladder.depth_within(asks, 3_000 * 10**9, 112) == 10**9
    assert ladder.depth_within(asks, 3_000 * 10**9, 9) == 0


def test_the_other_way_round_is_the_same_pool() -> None:
    reserves = 7 * 10**20, 5 * 10**14
    forth, back = Pair(0, 1, 18, 6), Pair(1, 0, 18, 6)
    sizes = ladder.grid(MONEY, ladder.mid_1e9(Product(reserves, 3000), forth), 18)
    swapped = Product((reserves[1], reserves[0]), 3000)
    assert ladder.levels(ladder.measure(Product(reserves, 3000), forth, sizes), forth) == ladder.levels(
        ladder.measure(swapped, back, sizes), back
    )


def test_small_slices_of_a_coarse_token_become_one_level() -> None:
    """A token of two decimals knows 3,000.00 and 6,000.01: the second of equal slices would look dearer by chance."""
    pair = Pair(0, 1, 18, 2)
    pool = Product((10**27, 3 * 10**14), 0)
    sizes = tuple(range(10**5, 41 * 10**5, 2 * 10**5))
    depth = ladder.measure(pool, pair, sizes)
    bids, asks = ladder.levels(depth, pair)
    assert 0 < len(bids) < len(sizes) and 0 < len(asks) < len(sizes)
    assert sum(size for _, size in bids) == sum(size for _, size in asks) == sizes[-1]
    check_levels(ladder, depth, pair)


def test_a_shallow_pool_ends_early() -> None:
    pair = Pair(0, 1, 18, 6)
    pool = Product((20 * 10**18, 60_000 * 10**6), 3000)
    sizes = ladder.grid(MONEY, ladder.mid_1e9(pool, pair), 18)
    depth = ladder.measure(pool, pair, sizes)
    assert len(depth.costs) < len(sizes) == len(depth.proceeds)  # nobody can buy more than there is
    bids, asks = ladder.levels(depth, pair)
    assert sum(size for _, size in asks) == sizes[len(depth.costs) - 1]
    assert sum(size for _, size in bids) == sizes[-1]
    check_levels(ladder, depth, pair)


def test_a_grid_of_another_token_is_refused() -> None:
    """Asked for less than the level says, the pool would look better than it is."""
    pair = Pair(0, 1, 2, 6)
    pool = Product((10**6, 10**12))
    assert ladder.measure(pool, pair, (10**6, 3 * 10**6)).sizes == (10**6, 3 * 10**6)
    with pytest.raises(Unpublishable, match="a size is no whole number of the base token's smallest units"):
        ladder.measure(pool, pair, (10**6, 3 * 10**6 + 1))


def test_a_side_that_is_empty_in_the_pool_is_empty_in_the_book() -> None:
    assert ladder.levels(Depth((10**8,), (), (3_000_000_000,)), ILLIQUID) == ([(3_000 * 10**9, 10**8)], [])
    assert ladder.levels(Depth((10**8,), (3_000_000_000,), ()), ILLIQUID) == ([], [(3_000 * 10**9, 10**8)])


@pytest.mark.parametrize(
    ("reserves", "decimals", "reason"),
    [
        ((0, 0), (18, 6), "no price"),
        ((10**18, 0), (18, 6), "no price"),
        ((10**30, 9 * 10**8), (18, 6), "price below 1e-9"),  # 9e-10 of the quote
        ((10**30, 10**9), (18, 6), None),
        ((1, 10**11), (0, 0), "price beyond 63 bits at 1e-9"),
        ((1, 9 * 10**9), (0, 0), None),
        ((10, 10**9), (0, 24), "price below 1e-9"),
        ((10**24, 10**10), (24, 0), "price beyond 63 bits at 1e-9"),
    ],
)
def test_prices_no_guest_can_hold_are_refused(
    reserves: tuple[int, int], decimals: tuple[int, int], reason: str | None
) -> None:
    pair = Pair(0, 1, *decimals)
    if reason is None:
        assert ladder.mid_1e9(Product(reserves), pair) > 0
        return
    with pytest.raises(Unpublishable) as refused:
        ladder.mid_1e9(Product(reserves), pair)
    assert refused.value.reason == reason


def test_sizes_no_guest_can_hold_are_left_out() -> None:
    assert ladder.grid(MONEY, 1, 18) == tuple(money * 10**8 for money in MONEY if money * 10**8 <= HIGHEST)
    assert ladder.grid(MONEY[:6], 3_000 * 10**9, 2) == (10**6, 3 * 10**6, 5 * 10**6)  # 0.00 and a repeated 0.01 gone
    assert ladder.grid((10**12, 10**13), 3_000 * 10**9, 0) == (3 * 10**8,)
    with pytest.raises(Unpublishable, match="no size fits the guest's scale"):
        ladder.grid(MONEY, 10**15, 0)
    with pytest.raises(Unpublishable, match="no size fits the guest's scale"):
        ladder.grid((10**30,), 1, 18)


@pytest.mark.parametrize(
    ("costs", "proceeds", "reason"),
    [
        ((), (), "no liquidity"),
        ((3_000_000_000,), (3_000_000_001,), "crossed"),
        ((3_000_000_000,), (3_000_000_000,), "crossed"),  # a book's touch may not meet either
        ((1,), (0,), "price below 1e-9"),
        ((0,), (), "price below 1e-9"),
        ((10**25,), (5,), "price beyond 63 bits at 1e-9"),
        ((), (10**25,), "price beyond 63 bits at 1e-9"),
    ],
)
def test_a_broken_pool_is_refused(costs: tuple[int, ...], proceeds: tuple[int, ...], reason: str) -> None:
    with pytest.raises(Unpublishable) as refused:
        ladder.levels(Depth((10**8,), costs, proceeds), ILLIQUID)
    assert refused.value.reason == reason


@given(pools())
def test_a_probed_pool_keeps_the_promise(given_: tuple[Product, Pair]) -> None:
    """Asked exact-in both ways, as a view is, against the pool's own exact answers."""
    pool, pair = given_
    try:
        sizes = ladder.grid(MONEY, ladder.mid_1e9(pool, pair), pair.base_decimals)
        spend = [money * 10**pair.quote_decimals // 10**9 for money in MONEY]
        bought = list(zip(spend, pool.proceeds(pair.quote, pair.base, spend), strict=True))
        sold = [whole(size, pair.base_decimals) for size in sizes]
        brought = list(zip(sold, pool.proceeds(pair.base, pair.quote, sold), strict=True))
        bids, asks = ladder.from_quotes(bought, brought, pair)
    except Unpublishable as refused:
        event(refused.reason)
        return
    event("published")
    promise(bids, sizes, [exact(money, pair.quote_decimals) for _, money in brought], 1)
    cheapest = {int(exact(base, pair.base_decimals) * 10**8): exact(quote, pair.quote_decimals)
                for quote, base in reversed(bought)}  # fmt: skip
    promise(asks, list(cheapest), list(cheapest.values()), -1)
    for size, walked, _ in paid(asks):  # and never better than the pool's own exact-out quote of that size
        units = -int(-exact(size, 8) * 10**pair.base_decimals // 1)
        assert walked >= exact(pool.costs(pair.quote, pair.base, [units])[0], pair.quote_decimals)


def test_probes_by_hand() -> None:
    pair = Pair(0, 1, 18, 6)
    asks = [
        (10_000_000, 3_333_333_339_999_999),
        (21_000_000, 6_666_669_999_999_999),
        (21_000_000, 6_666_669_999_999_999),
    ]
    bids = [(10**16, 29_000_000), (10**16, 29_000_000), (3 * 10**16, 86_000_000)]
    got_bids, got_asks = ladder.from_quotes(asks, bids, pair)
    assert got_asks == [(3_000_003_000_004, 333_333), (3_300_003_300_004, 333_333)]
    assert got_bids == [(2_900 * 10**9, 10**6), (2_850 * 10**9, 2 * 10**6)]
    with pytest.raises(Unpublishable, match="a size is no whole number of 1e-8"):
        ladder.from_quotes(asks, [(10**16 + 1, 29_000_000)], pair)
    with pytest.raises(Unpublishable, match="no liquidity"):
        ladder.from_quotes([], [], pair)
    with pytest.raises(Unpublishable, match="no liquidity"):
        ladder.from_quotes([(10_000_000, 9)], [], pair)  # received less than 1e-8
