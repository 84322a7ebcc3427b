"""The chain's own book against a slow one in fractions, and against the pools it is made of."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from connectors.amm import ladder, route
from connectors.amm.ladder import Depth, Pair
from connectors.amm.route import Route, Source
from connectors.book import L2Book
from connectors.errors import Unpublishable, VenuegateError
from tests.support.ladders import MONEY, Product, exact, planted, promise, whole

PRICE = 3_000
SIZES = ladder.grid(MONEY, PRICE * 10**9, 18)
SPLIT = 13  # from $15,000


class Venue(NamedTuple):
    """One pool of the test: its curve, its tokens' decimals, what a swap's gas costs (×1e9)."""

    pool: Product
    pair: Pair
    gas: int

    def source(self, of: Any = ladder) -> Source:
        depth: Depth = of.measure(self.pool, self.pair, SIZES)
        return Source(depth, self.pair.quote_decimals, self.gas)

    def asks(self, size: int) -> Fraction | None:
        """What a whole order costs here, gas included; None when there is not so much."""
        got = self.pool.costs(self.pair.quote, self.pair.base, [whole(size, self.pair.base_decimals)])
        return exact(got[0], self.pair.quote_decimals) + exact(self.gas, 9) if got else None

    def pays(self, size: int) -> Fraction:
        got = self.pool.proceeds(self.pair.base, self.pair.quote, [whole(size, self.pair.base_decimals)])
        return exact(got[0], self.pair.quote_decimals) - exact(self.gas, 9)


def venue(base: int, gas: int, *, apart_bps: int = 0, fee_ppm: int = 3000, decimals: int = 6) -> Venue:
    """A pool with so many whole base tokens, its price so far from 3,000."""
    quote = base * PRICE * (10_000 + apart_bps) * 10**decimals // 10_000
    return Venue(Product((base * 10**18, quote), fee_ppm), Pair(0, 1, 18, decimals), gas)


@st.composite
def markets(draw: st.DrawFn) -> list[Venue]:
    count = draw(st.integers(1, 5))
    return [
        venue(
            draw(st.sampled_from((3, 20, 100, 1_000, 10_000, 500_000))),
            draw(st.integers(0, 20 * 10**9)),
            apart_bps=draw(st.integers(-30, 30)),
            fee_ppm=draw(st.sampled_from((100, 500, 3_000, 10_000))),
            decimals=draw(st.sampled_from((6, 18, 24))),
        )
        for _ in range(count)
    ]


# --- the slow one: smallest cost is best; a seller's cost is what he gets, negative --------------------------------


@cache
def quoted(one: Venue, sign: int) -> list[int]:
    """Costs of the grid's sizes in smallest units, of those that the pool can do."""
    pool, pair, _ = one
    units = [whole(size, pair.base_decimals) for size in SIZES]
    got = pool.proceeds(pair.base, pair.quote, units) if sign > 0 else pool.costs(pair.quote, pair.base, units)
    return [-sign * money for money in got]


def cost_of(
    venues: Sequence[Venue], chosen: Sequence[int], k: int, sign: int
) -> tuple[Fraction, dict[int, int]] | None:
    """Fills size k slice by slice from the chosen pools, always the cheapest next slice."""
    left, total, filled = SIZES[k], Fraction(0), dict.fromkeys(chosen, 0)
    ladders = {}
    for one in chosen:
        costs = quoted(venues[one], sign)
        ladders[one] = [(m - b, s - t) for m, b, s, t in zip(costs, [0, *costs], SIZES, (0, *SIZES), strict=False)]
    while left:
        offers = {one: slices[0] for one, slices in ladders.items() if slices}
        if not offers:
            return None
        best = min(
            offers, key=lambda one: (exact(offers[one][0], venues[one].pair.quote_decimals) / offers[one][1], one)
        )
        money, size = ladders[best].pop(0)
        part = min(size, left)
        units = -int(-Fraction(money * part, size) // 1)
        total += exact(units, venues[best].pair.quote_decimals)
        filled[best] += part
        left -= part
    used = {one: size for one, size in filled.items() if size}
    return total + sum(exact(venues[one].gas, 9) for one in used), used


def slow(venues: Sequence[Venue], k: int, sign: int, *, may_split: bool) -> tuple[Fraction, dict[int, int]] | None:
    """The best single pool; where an order may be split, one pool more as long as that pays."""
    best: tuple[Fraction, dict[int, int]] | None = None
    chosen: list[int] = []
    capacity = [(0, *SIZES)[len(quoted(one, sign))] for one in venues]
    while True:
        tries = []
        for one in range(len(venues)):
            if one in chosen or not capacity[one]:
                continue
            got = cost_of(venues, sorted([*chosen, one]), k, sign)
            lacking = max(SIZES[k] - sum(capacity[c] for c in [*chosen, one]), 0)
            assert (got is None) == bool(lacking)
            if got is not None or may_split:
                tries.append((lacking, got[0] if got else Fraction(0), one, got))
        if not tries:
            return best
        _, cost, joins, got = min(tries, key=lambda t: t[:3])
        if best is not None and cost >= best[0]:
            return best
        best = got
        chosen.append(joins)
        if not may_split:
            return best


def check(of: Any, venues: Sequence[Venue], split_from: int = SPLIT) -> str:
    """Every route is the slow one's; the book keeps its promise on them; no pool is beaten."""
    sources = [one.source() for one in venues]
    totals: dict[int, tuple[list[int], list[Fraction]]] = {}
    for sign in (1, -1):
        expected = [slow(venues, k, sign, may_split=k >= split_from) for k in range(len(SIZES))]
        found: list[Route] = of.routes(sources, SIZES, split_from, sign)
        assert [one.size for one in found] == [s for s, want in zip(SIZES, expected, strict=True) if want is not None]
        for one, want in zip(found, (want for want in expected if want is not None), strict=True):
            total = exact(one.total, one.decimals)
            assert (total, dict(one.parts)) == (-sign * want[0], want[1])
            assert sum(size for _, size in one.parts) == one.size
            real = Fraction(0)
            for place, size in one.parts:
                answer = venues[place].pays(size) if sign > 0 else venues[place].asks(size)
                assert answer is not None
                real += answer
            assert (real - total) * sign >= 0, "better than the pools"
        totals[sign] = [one.size for one in found], [exact(one.total, one.decimals) for one in found]
    try:
        bids, asks = of.chain_book(sources, SIZES, split_from)
    except of.Unpublishable as refused:
        reason = str(refused.reason)
    else:
        for side, sign in ((bids, 1), (asks, -1)):
            promise(side, *totals[sign], sign)
        assert bool(asks) == bool(totals[-1][0])
        assert bool(bids) == any(total * 10**17 >= size for size, total in zip(*totals[1], strict=True))
        L2Book().load(bids, asks, 1)
        return "published"
    per_base = {
        sign: [money / Fraction(size, 10**8) for size, money in zip(*totals[sign], strict=True)] for sign in (1, -1)
    }
    assert {"crossed": per_base[1] and per_base[-1] and max(per_base[1]) >= min(per_base[-1]) - Fraction(2, 10**9),
            "no liquidity": not totals[-1][0]}[reason]  # fmt: skip
    return reason


@settings(max_examples=50)
@given(markets(), st.sampled_from((0, SPLIT, len(SIZES))))
def test_every_route_is_the_slow_one(venues: list[Venue], split_from: int) -> None:
    event(check(route, venues, split_from))


@given(markets())
def test_the_split_is_between_one_pool_and_all_combinations(venues: list[Venue]) -> None:
    """Greedy is not perfect, but never worse than the best single pool, and never better than what is possible."""
    sources = [one.source() for one in venues]
    for found in route.routes(sources, SIZES, 0, -1)[::5]:
        k = SIZES.index(found.size)
        every = [cost_of(venues, chosen, k, -1)
                 for n in range(1, len(venues) + 1) for chosen in combinations(range(len(venues)), n)]  # fmt: skip
        single = [cost for one in venues if (cost := one.asks(found.size)) is not None]
        total = exact(found.total, found.decimals)
        assert min(got[0] for got in every if got is not None) <= total <= min(single, default=total)


def test_small_orders_take_the_one_pool_that_is_cheapest_with_its_gas() -> None:
    dear_gas, dear_fee = venue(10_000, 5 * 10**9, fee_ppm=500), venue(10_000, 10**9, fee_ppm=3000)
    found = route.routes([dear_gas.source(), dear_fee.source()], SIZES, SPLIT, -1)
    assert [one.parts[0][0] for one in found[:SPLIT]] == [1] * 10 + [0] * 3  # 4 of gas are 25 bps of 1,600
    assert all(len(one.parts) == 1 for one in found[:SPLIT])


def test_another_pool_joins_only_when_it_saves_more_than_its_gas() -> None:
    at = len(SIZES) - 1
    for gas, pools in ((10 * 10**9, 2), (10**15, 1)):
        twin = [venue(10_000, 10**9).source(), venue(10_000, gas).source()]
        assert len(route.routes(twin, SIZES, SPLIT, -1)[at].parts) == pools
        assert len(route.routes(twin, SIZES, SPLIT, 1)[at].parts) == pools
        assert len(route.routes(twin, SIZES, len(SIZES), 1)[at].parts) == 1


def test_gas_makes_the_first_level_an_average() -> None:
    """Of a pool nobody can move, gas is all: one level, as dear as the largest order is."""
    deep = venue(10**9, 3 * 10**9, fee_ppm=0)
    bids, asks = route.chain_book([deep.source()], SIZES, SPLIT)
    assert [size for _, size in asks] == [size for _, size in bids] == [SIZES[-1]]
    cost = deep.asks(SIZES[-1])
    assert cost is not None
    assert asks[0][0] == -int(-cost * 10**17 // SIZES[-1])


def test_pools_that_disagree_publish_nothing() -> None:
    cheap, dear = venue(10_000, 0, fee_ppm=500), venue(10_000, 0, fee_ppm=500, apart_bps=100)
    with pytest.raises(Unpublishable, match=r"crossed: pools disagree by (89|90) bps") as refused:
        route.chain_book([cheap.source(), dear.source()], SIZES, SPLIT)
    assert refused.value.reason == "crossed"


def test_gas_and_fees_keep_a_small_disagreement_apart() -> None:
    cheap, dear = venue(10_000, 10**9), venue(10_000, 10**9, apart_bps=50)
    bids, asks = route.chain_book([cheap.source(), dear.source()], SIZES, SPLIT)
    assert bids[0][0] < asks[0][0]


def test_a_sale_that_does_not_pay_its_gas_is_no_bid() -> None:
    tiny = venue(3, 10**15)
    bids, asks = route.chain_book([tiny.source()], SIZES, SPLIT)
    assert bids == []
    assert asks != []


def test_without_liquidity_there_is_no_book() -> None:
    nothing = Source(Depth(SIZES, (), ()), 6, 10**9)
    for sources in ([], [nothing], [nothing, nothing]):
        with pytest.raises(Unpublishable, match="no liquidity"):
            route.chain_book(sources, SIZES, SPLIT)
    with_one = [nothing, venue(1_000, 10**9).source(), nothing]
    alone = [venue(1_000, 10**9).source()]
    assert route.chain_book(with_one, SIZES, SPLIT) == route.chain_book(alone, SIZES, SPLIT)


def test_grids_that_differ_are_refused() -> None:
    with pytest.raises(Unpublishable, match="the pools' grids differ"):
        route.chain_book([venue(1_000, 10**9).source()], SIZES[:-1], SPLIT)


# --- bugs planted on purpose ---------------------------------------------------------------------------------------

PLANTED = {
    "gas forgotten for one pool": ("quotes[k] * self.factors[pool] + self.gas[pool]", "quotes[k] * self.factors[pool]"),
    "gas forgotten in the split": ("total += self.gas[pool]", "pass"),
    "gas paid with every slice": ("unused.remove(pool)", "pass"),
    "gas at the wrong scale": ("(self.decimals - MONEY_DECIMALS)", "self.decimals"),
    "quotes of other decimals compared": ("[10 ** (self.decimals - source.quote_decimals) for", "[1 for"),
    "costs for proceeds": ("source.depth.proceeds if sign > 0", "source.depth.proceeds if sign < 0"),
    "parts rounded for the taker": ("total - (-money * part // size)", "total + (money * part // size)"),
    "the whole slice for a part": ("-money * part // size", "-money"),
    "slices' money of the whole": ("money_at - money_before", "money_at"),
    "dearest slices first": ("key=lambda one: one[:2])", "key=lambda one: one[:2], reverse=True)"),
    "later slices before earlier ones": ("price if worst is None else max(worst, price)", "price"),
    "the dearest pool": ("cost < best[0]:", "cost > best[0]:"),
    "every pool joins": ("best[:2] >= (short, least)", "False"),
    "none joins": ("best[:2] >= (short, least)", "used"),
    "split from the first size on": ("if k >= split_from", "if True"),
    "never split": ("if k >= split_from", "if k > len(sizes)"),
    "a shallow pool fills everything": ("if k < len(quotes):", "if k := min(k, len(quotes) - 1):"),
    "crossed and published": ("bids[0][0] >= asks[0][0]:", "False:"),
}  # fmt: skip
MARKETS = [
    [venue(1_000, 10**9)],
    [venue(10_000, 5 * 10**9, fee_ppm=500), venue(10_000, 10**9, apart_bps=3), venue(20, 10**8, fee_ppm=100)],
    [venue(300, 2 * 10**9, decimals=18), venue(500, 10**9, decimals=6), venue(20, 10**9, decimals=24)],
    [venue(20, 10**9), venue(30, 10**9), venue(10, 10**9)],
    [venue(10_000, 10**7, fee_ppm=100), venue(10_000, 10**7, fee_ppm=100, apart_bps=100)],
]
# the first pool's second slice is its cheaper one (400 against 500), and still comes after its first
STEPPED = [Source(Depth((10, 20, 30), (500, 900, 1500), ()), 2, 0),
           Source(Depth((10, 20, 30), (450, 920, 1400), ()), 2, 0)]  # fmt: skip
STEPPED_ROUTES = [({1: 10}, 450), ({0: 20}, 900), ({1: 30}, 1400)]


def everything(of: Any) -> None:
    for venues in MARKETS:
        check(of, venues)
    found = of.routes(STEPPED, (10, 20, 30), 0, -1)
    assert [(dict(one.parts), one.total) for one in found] == [(parts, cost * 10**7) for parts, cost in STEPPED_ROUTES]


def test_without_a_bug_they_agree() -> None:
    everything(route)


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_seen(name: str) -> None:
    wrong = planted(route, *PLANTED[name])
    with pytest.raises((AssertionError, VenuegateError)):
        everything(wrong)
