"""Pools worth quoting: four fee tiers, decimals 6/18 both ways round and 8/18, crowded ticks, gaps, borders, ends.

And a reader of their state that knows nothing of ours: plain calls of the contract's own views.
"""

import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from tests.evm.abi import V2Pair, V3Pool
from tests.evm.chains import Chain
from tests.evm.driver import Driver, Pool, sqrt_x96

SPACINGS: Final = {100: 1, 500: 10, 3000: 60, 10000: 200}
MAX_TICK: Final = 887272
_USDC, _WETH, _WBTC = ("USDC", 6), ("WETH", 18), ("WBTC", 8)
WORD: Final = 256


@dataclass(frozen=True)
class V3State:
    """What a V3 pool's views say. `ticks`: tick → (gross, net)."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    ticks: dict[int, tuple[int, int]]


@dataclass(frozen=True)
class Scene:
    """A pool and what it is there for."""

    label: str
    pool: Pool


def read_v3(driver: Driver, pool: Pool, *, around: int | None = None, reach: int = 90) -> V3State:
    """The whole pool. Of a fine spacing: `reach` words of the bitmap each way of the price or of another tick, and the
    outermost; sums show that nothing is missing."""
    slot0 = driver.call(pool.address, V3Pool.slot0)
    (liquidity,) = driver.call(pool.address, V3Pool.liquidity)
    here, last = (slot0[1] if around is None else around) // pool.spacing // WORD, MAX_TICK // pool.spacing // WORD
    near = range(max(here - reach, -last - 1), min(here + reach, last) + 1)
    words = sorted({-last - 1, *near, last})
    maps = driver.call_many([(pool.address, V3Pool.bitmap, (word,)) for word in words])
    marked = [
        (word * WORD + bit) * pool.spacing
        for word, found in zip(words, maps, strict=True)
        for bit in range(WORD)
        if found is not None and found[0] >> bit & 1
    ]
    answers = driver.call_many([(pool.address, V3Pool.ticks, (tick,)) for tick in marked])
    ticks = {tick: (answer[0], answer[1]) for tick, answer in zip(marked, answers, strict=True) if answer is not None}
    assert len(ticks) == len(marked)
    assert sum(net for _, net in ticks.values()) == 0, "a tick lies beyond the words that were read"
    assert sum(net for tick, (_, net) in ticks.items() if tick <= slot0[1]) == liquidity
    return V3State(slot0[0], slot0[1], liquidity, ticks)


def read_v2(driver: Driver, pair: Pool) -> tuple[int, int]:
    """A pair's reserves."""
    first, second, _ = driver.call(pair.address, V2Pair.reserves)
    return first, second


def _price(lower: tuple[str, int], higher: tuple[str, int], rng: random.Random) -> int:
    """√price of token0 in token1 for these, at a few thousand dollars, never on a tick."""
    dollars = {"USDC": Decimal(1), "WETH": Decimal(rng.randrange(180_000, 420_000)) / 100, "WBTC": Decimal(61_803)}
    ratio = dollars[lower[0]] / dollars[higher[0]] * Decimal(10) ** (higher[1] - lower[1])
    return sqrt_x96(ratio) + rng.randrange(10**6)


def crowd(driver: Driver, pool: Pool, rng: random.Random, positions: int, liquidity: int) -> None:
    """One wide position and many narrow ones around the price, over more than one word of the bitmap."""
    (_, tick, *_) = driver.call(pool.address, V3Pool.slot0)
    middle = tick // pool.spacing
    wide = min(3 * WORD, MAX_TICK // pool.spacing - abs(middle) - 1)
    with driver.one_block():
        driver.mint(pool, (middle - wide) * pool.spacing, (middle + wide) * pool.spacing, liquidity)
        for _ in range(positions):
            lower = middle + rng.randrange(-60, 50)
            upper = lower + rng.randrange(1, 40)
            driver.mint(pool, lower * pool.spacing, upper * pool.spacing, liquidity * rng.randrange(1, 900) // 100)


def tier_scenes(chain: Chain, positions: int = 26) -> list[Scene]:
    """Every tier with every pair of decimals and both ways round."""
    rng = random.Random(5)
    scenes = []
    for lower, higher in ((_USDC, _WETH), (_WETH, _USDC), (_WBTC, _WETH)):
        tokens = chain.pair(lower, higher)
        for fee in SPACINGS:
            pool = chain.driver.create_v3_pool(*tokens, fee, _price(lower, higher, rng))
            crowd(chain.driver, pool, rng, positions, 10 ** rng.randrange(14, 19))
            scenes.append(Scene(f"{lower[0]}/{higher[0]} {fee}", pool))
    return scenes


def deep_scenes(chain: Chain, positions: int = 60) -> list[Scene]:
    """Two with so many ticks that a swap crosses thirty and more either way."""
    rng = random.Random(8)
    tokens = chain.pair(_USDC, _WETH)
    scenes = []
    for fee in (100, 3000):
        pool = chain.driver.create_v3_pool(*tokens, fee, _price(_USDC, _WETH, rng))
        crowd(chain.driver, pool, rng, positions, 10**16)
        scenes.append(Scene(f"deep {fee}", pool))
    return scenes


def brimful_scene(chain: Chain) -> Scene:
    """Liquidity beyond 2^96, where one unit of a token moves the price by less than its own unit."""
    pool = chain.driver.create_v3_pool(*chain.pair(_WBTC, _WETH), 500, 2**96 + 12_345)
    chain.driver.mint(pool, -6000, 6000, 2**100)
    chain.driver.mint(pool, -100, 200, 2**90)
    return Scene("brimful", pool)


def edge_scenes(chain: Chain) -> list[Scene]:
    """Gaps without liquidity, a price on a tick, both ends of all prices, liquidity of a unit."""
    driver, rng = chain.driver, random.Random(6)
    wbtc, weth = chain.pair(_WBTC, _WETH)
    at_one = driver.create_v3_pool(wbtc, weth, 3000, 2**96)  # tick 0, exactly
    for lower, upper in ((-600, 0), (0, 600), (-60, 60), (60, 6000), (-18000, -600)):
        driver.mint(at_one, lower, upper, 10**15 + rng.randrange(10**9))
    gap = driver.create_v3_pool(wbtc, weth, 500, _price(_WBTC, _WETH, rng))
    (_, tick, *_) = driver.call(gap.address, V3Pool.slot0)
    here = tick // 10 * 10
    for away, width in ((-30, 60), (-9000, 500), (5000, 20), (12000, 2560)):
        driver.mint(gap, here + away, here + away + width, 10**16)
    inside = driver.create_v3_pool(wbtc, weth, 10000, _price(_WBTC, _WETH, rng))
    (_, tick, *_) = driver.call(inside.address, V3Pool.slot0)
    here = tick // 200 * 200
    driver.mint(inside, here + 1000, here + 3000, 10**16)  # nothing where the price is
    driver.mint(inside, here - 60000, here - 800, 10**15)
    usdc, weth = chain.pair(_USDC, _WETH)
    floor = driver.create_v3_pool(usdc, weth, 10000, 4295128739 * 7)
    driver.mint(floor, -887200, -880000, 10**9)
    ceiling = driver.create_v3_pool(usdc, weth, 3000, 1461446703485210103287273052203988822378723970342 // 9)
    driver.mint(ceiling, 859980, 887220, 10**9)
    whole = driver.create_v3_pool(usdc, weth, 500, _price(_USDC, _WETH, rng))
    driver.mint(whole, -887270, 887270, 10**13)
    poor = driver.create_v3_pool(usdc, weth, 100, _price(_USDC, _WETH, rng))
    (_, tick, *_) = driver.call(poor.address, V3Pool.slot0)
    driver.mint(poor, tick - 300, tick + 280, 10**6)
    labels = ("on a tick", "gaps", "inside a gap", "at the floor", "at the ceiling", "whole range", "poor")
    return [Scene(*pair) for pair in zip(labels, (at_one, gap, inside, floor, ceiling, whole, poor), strict=True)]


def v2_scenes(chain: Chain) -> list[Scene]:
    """Pairs by decimals, one lopsided, one tiny, one near the end of uint112."""
    scenes = []
    for label, lower, higher, amounts in (
        ("V2 USDC/WETH", _USDC, _WETH, (2_500_000 * 10**6, 1000 * 10**18)),
        ("V2 WETH/USDC", _WETH, _USDC, (777 * 10**18 + 1, 1_942_500 * 10**6 + 7)),
        ("V2 WBTC/WETH", _WBTC, _WETH, (31 * 10**8 + 3, 800 * 10**18 + 11)),
        ("V2 tiny", _USDC, _WETH, (1009, 2003)),
        ("V2 lopsided", _WBTC, _USDC, (3, 10**30)),
        ("V2 full", _WETH, _WBTC, (2**111, 2**112 - 10**20)),
    ):
        pair = chain.driver.create_v2_pair(*chain.pair(lower, higher))
        chain.driver.add_liquidity(pair, *amounts)
        scenes.append(Scene(label, pair))
    return scenes
