"""Executes swaps and writes fixtures/dex_arb/conformance/swaps.jsonl: `python -m tests.conformance.record_swaps`.

Uniswap's pools are the published bytecode on a real node (anvil), swapped through its public routers, their state read
by plain calls and the amounts by their logs. Curve publishes no bytecode that could be deployed so: its swaps are
executed by curvesim, which shares no line with our maths.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from runtime.conformance.swaps import FILE, Line, Pair, Stable, Ticked, text_of
from tests.conformance.record import origins
from tests.evm.abi import Erc20, V2Pair, V3Pool
from tests.evm.chains import Chain, anvil_chain
from tests.evm.driver import Pool
from tests.evm.scenes import crowd, read_v2, read_v3
from tests.support.amm_oracles import curvesim_pool
from tests.support.data import ROOT

FOLDER: Final = ROOT / "fixtures/dex_arb/conformance"
PARTS: Final = (10**6, 3_000, 90, 7)  # a swap sells that part of what the pool holds
# coins' decimals, what the pool holds of each in whole coins, A, fee of 1e10, factor of a dynamic fee
MADE: Final = "record_swaps, and record_chain"
STABLES: Final = (
    ("Curve of three", (18, 6, 6), (27_000_000, 31_000_000, 104_000_000), 2_000, 1_000_000, 0),
    ("Curve of two, dynamic fee", (6, 18), (9_100_000, 6_400_000), 200, 4_000_000, 2 * 10**10),
)


@contextmanager
def node() -> Iterator[Chain]:
    yield from anvil_chain()


def pairs(chain: Chain) -> Iterator[Line]:
    """Uniswap V2, both ways."""
    driver = chain.driver
    for first, second, amounts in (
        (("USDC", 6), ("WETH", 18), (2_500_000 * 10**6, 1000 * 10**18)),
        (("WBTC", 8), ("WETH", 18), (31 * 10**8 + 3, 800 * 10**18 + 11)),
    ):
        pair = driver.create_v2_pair(*chain.pair(first, second))
        driver.add_liquidity(pair, *amounts)
        for turn, part in enumerate(PARTS):
            down = turn % 2 == 0
            before = read_v2(driver, pair)
            i, j = (0, 1) if down else (1, 0)
            receipt = driver.swap(pair, before[i] // part, zero_for_one=down, is_out=False)
            assert receipt is not None
            ((_, *moved, _),) = V2Pair.swapped.of(receipt["logs"], pair.address)
            yield Line(
                name=f"Uniswap V2 {first[0]}/{second[0]} {turn}", i=i, j=j, amount_in=moved[i], amount_out=moved[2 + j],
                reserve=before[j], pair=Pair(before, 3000),
            )  # fmt: skip


def ticked(chain: Chain) -> Iterator[Line]:
    """Uniswap V3, three tiers, a dozen ticks each, both ways."""
    driver, rng = chain.driver, random.Random(9)
    first, second = ("USDC", 6), ("WETH", 18)
    tokens = chain.pair(first, second)
    for fee in (500, 3000, 10_000):
        pool = driver.create_v3_pool(*tokens, fee, 1_822_000_000_000_000_000_000_000_000_000_000 + fee)
        crowd(driver, pool, rng, 8, 10**16)
        for turn, part in enumerate(PARTS):
            yield _swapped(chain, pool, f"Uniswap V3 USDC/WETH {fee} {turn}", part, down=turn % 2 == 0)


def _swapped(chain: Chain, pool: Pool, name: str, part: int, *, down: bool) -> Line:
    driver = chain.driver
    before, (sold, bought) = read_v3(driver, pool), pool.tokens(zero_for_one=down)
    held = [driver.call(token.address, Erc20.balance_of, pool.address)[0] for token in (sold, bought)]
    receipt = driver.swap_exact_in(pool, held[0] // part, zero_for_one=down)
    assert receipt is not None
    ((_, _, amount0, amount1, *_),) = V3Pool.swapped.of(receipt["logs"], pool.address)
    taken, paid = (amount0, -amount1) if down else (amount1, -amount0)
    ticks = tuple((tick, gross, net) for tick, (gross, net) in before.ticks.items())
    return Line(
        name=name, i=0 if down else 1, j=1 if down else 0, amount_in=taken, amount_out=paid, reserve=held[1],
        ticked=Ticked(before.sqrt_price_x96, before.tick, before.liquidity, pool.fee_ppm, pool.spacing, ticks),
    )  # fmt: skip


def stables() -> Iterator[Line]:
    """StableSwap: what curvesim's `exchange` pays, one after the other in one pool."""
    for name, decimals, held, a, fee, factor in STABLES:
        rates = tuple(10 ** (36 - places) for places in decimals)
        balances = [whole * 10**places for whole, places in zip(held, decimals, strict=True)]
        other: Any = curvesim_pool()(
            A=a, D=list(balances), n=len(decimals), rates=list(rates), fee=fee, fee_mul=factor or None,
            admin_fee=5 * 10**9, tokens=1,
        )  # fmt: skip
        for turn, part in enumerate(PARTS):
            i, j = turn % len(decimals), (turn + 1) % len(decimals)
            before = tuple(other.balances)
            amount = before[i] // part
            paid, _ = other.exchange(i, j, amount)
            yield Line(
                name=f"{name} {turn}", i=i, j=j, amount_in=amount, amount_out=paid, reserve=before[j],
                stable=Stable(before, rates, a * 100, fee, factor, admin_fee=5 * 10**9),
            )  # fmt: skip


def main(folder: Path = FOLDER) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with node() as chain:
        lines = [*pairs(chain), *ticked(chain), *stables()]
    (folder / FILE).write_bytes(b"".join(text_of(line) + b"\n" for line in lines))
    what = "swaps executed by Uniswap's published bytecode (npm @uniswap/v2-core, v3-core and peripheries) on anvil; "
    origins(folder, {folder / FILE: what + "those of Curve by curvesim"}, MADE)
    print(f"{len(lines)} swaps")


if __name__ == "__main__":
    main()
