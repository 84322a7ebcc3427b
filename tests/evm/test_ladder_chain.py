"""Every level that we publish of a pool, against the pool's own answer at that cumulative size.

Walking the book may never be better than the pool, and worse by no more than one unit of the price scale (1e-9) a
level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import pytest

from connectors.amm import ladder
from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.book import Level
from connectors.errors import Unpublishable
from tests.evm.abi import Method
from tests.evm.cases import curve_of
from tests.evm.chains import Chain
from tests.evm.driver import Pool
from tests.evm.scenes import Scene, read_v2, read_v3

pytestmark = pytest.mark.slow

# $10 … $500,000 in twenty steps; the same list in ether for quotes in it
DOLLARS = tuple(int(10**9 * 10 * 50_000 ** (step / 19)) for step in range(20))
ETHER = tuple(money // 2500 for money in DOLLARS)
SLICE = 10**17  # price × size, over the token's own units


@dataclass(frozen=True)
class Published:
    """One pool's book, one way round."""

    scene: Scene
    pair: ladder.Pair
    bids: list[Level]
    asks: list[Level]

    def amount(self, size_1e8: int) -> int:
        """A cumulative size in the base token's smallest units."""
        amount: int
        amount, rest = divmod(size_1e8 * 10**self.pair.base_decimals, 10**8)
        assert rest == 0, "no token holds such a size"
        return amount


def publish(scene: Scene, curve: Concentrated | ConstantProduct, base: int) -> Published:
    """As the venue makes a book. Raises Unpublishable."""
    tokens = (scene.pool.token0, scene.pool.token1)
    pair = ladder.Pair(base, 1 - base, tokens[base].decimals, tokens[1 - base].decimals)
    money = ETHER if tokens[1 - base].symbol == "WETH" else DOLLARS
    sizes = ladder.grid(money, ladder.mid_1e9(curve, pair), pair.base_decimals)
    bids, asks = ladder.levels(ladder.measure(curve, pair, sizes), pair)
    return Published(scene, pair, bids, asks)


def books(scenes: Sequence[tuple[Scene, Concentrated | ConstantProduct]]) -> tuple[list[Published], dict[str, str]]:
    """Every pool both ways round, and those that cannot be shown with the reason."""
    shown, refused = [], {}
    for scene, curve in scenes:
        for base in (0, 1):
            try:
                shown.append(publish(scene, curve, base))
            except Unpublishable as error:
                refused[f"{scene.label} base {base}"] = error.reason
    return shown, refused


def question(chain: Chain, book: Published, amount: int, *, is_ask: bool) -> tuple[str, Method, tuple[object, ...]]:
    """What the pool itself asks for the base, or pays for it."""
    pool: Pool = book.scene.pool
    down = (book.pair.base == 0) != is_ask
    ask = chain.driver.quote_v3 if pool.spacing else chain.driver.quote_v2
    return ask(pool, amount, zero_for_one=down, is_out=is_ask)


def check(chain: Chain, shown: Sequence[Published]) -> tuple[int, int]:
    """(levels compared, the largest loss in units of the scale at one level)."""
    rows = [
        (book, is_ask, levels[: end + 1], total)
        for book in shown
        for is_ask, levels in ((True, book.asks), (False, book.bids))
        for end, total in enumerate(accumulate(size for _, size in levels))
    ]
    calls = [question(chain, book, book.amount(total), is_ask=is_ask) for book, is_ask, _, total in rows]
    worst = 0
    for (book, is_ask, levels, total), answer in zip(rows, chain.driver.call_many(calls), strict=True):
        assert answer is not None, f"{book.scene.label}: the pool refuses {total}"
        said = answer[0] if book.scene.pool.spacing else answer[0][0 if is_ask else 1]
        walked = sum(price * size for price, size in levels)
        loss = walked - said * SLICE // 10**book.pair.quote_decimals
        loss = loss if is_ask else -loss
        assert 0 <= loss <= total, f"{book.scene.label} base {book.pair.base}: {loss} at {total}"
        worst = max(worst, -(-loss // total))
    return len(rows), worst


def sound(book: Published) -> bool:
    """Strictly worse from level to level, and not crossed."""
    bids, asks = [price for price, _ in book.bids], [price for price, _ in book.asks]
    return bids == sorted(set(bids), reverse=True) and asks == sorted(set(asks)) and not (
        bids and asks and bids[0] >= asks[0]
    )  # fmt: skip


def test_no_level_of_a_v3_pool_is_better_than_the_pool(
    chain: Chain, v3_pools: list[Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    driver = chain.driver
    shown, refused = books([(scene, curve_of(scene.pool, read_v3(driver, scene.pool))) for scene in v3_pools])
    assert all(sound(book) for book in shown)
    assert {book.scene.pool.fee_ppm for book in shown} == {100, 500, 3000, 10000}
    assert {book.pair.base for book in shown} == {0, 1}
    # one raw unit for another is 1e-10 of these; one unit of liquidity gives whole prices nobody can show
    assert {name.partition(" base")[0] for name in refused} <= {"on a tick", "at the floor", "at the ceiling", "poor"}
    compared, worst = check(chain, shown)
    assert compared >= 800
    with capsys.disabled():
        print(f"\n    {chain.name}: {compared} V3 levels of {len(shown)} books, worst {worst} unit of 1e-9, "
              f"{len(refused)} refused", end="")  # fmt: skip


def test_no_level_of_a_v2_pair_is_better_than_the_pair(
    chain: Chain, v2_pools: list[Scene], capsys: pytest.CaptureFixture[str]
) -> None:
    shown, refused = books([(scene, curve_of(scene.pool, read_v2(chain.driver, scene.pool))) for scene in v2_pools])
    assert all(sound(book) for book in shown)
    compared, worst = check(chain, shown)
    assert compared >= 120
    with capsys.disabled():
        print(f"\n    {chain.name}: {compared} V2 levels of {len(shown)} books, worst {worst} unit of 1e-9, "
              f"{len(refused)} refused: {', '.join(sorted(set(refused.values())))}", end="")  # fmt: skip
