"""What pool maths costs: quotes, ladders, one log with its ladder, as ratios to a floor measured in the same run.

    uv run python -m tests.bench.amm [--rounds N] [--no-anvil]

Floor: `TURNS` turns of one line of integers, x·k mod p of 160 bits, in plain Python: 1.0 ms on the machine that the
goals were set on (one core of a Xeon at work), so that a ratio of 1.00 is "1 ms-equivalent" anywhere. Each figure is
the best of several rounds, taken in turns with the floor, so that a busy machine slows both.

Two V3 pools: WBTC/WETH 0.3 % of Ethereum with its 458 ticks (../shared/data), where that folder is present, and a made
one of 262 which is so thin that the ladder crosses thirty of them a side. A ladder is `measure` and `levels`, 20 sizes
a side from $10 to $500,000. *Cold*: nothing is known of the way along the ticks, nor of any tick's price, as after a
snapshot. *One Swap log*: `swapped`, mid, grid, ladder and `L2Book.load`, over the states that a hundred swaps forth and
back leave behind; decoding the log's bytes is not in it.

Beside them: curvesim's `exchange` (`.ci/oracles.txt`) on the same StableSwap pool, and one QuoterV2 call of anvil by
a plain web3 client (`.ci/install`). Either is left out, with a word, where it is not installed. Solana's pools:
`tests/bench/amm_solana.py`.
"""

import argparse
import gc
import json
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, contextmanager
from typing import cast

import msgspec
import pytest

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.ladder import Pair, grid, levels, measure, mid_1e9
from connectors.amm.route import Source, chain_book
from connectors.amm.stableswap import StableSwap
from connectors.amm.tickmath import sqrt_at
from connectors.amm.ticks import TickMap
from connectors.book import L2Book
from tests.bench import amm_solana
from tests.support.amm_oracles import curvesim_pool
from tests.support.data import data_folder
from tests.support.ladders import MONEY

TURNS = 3_500
CALLS = 50
LADDER_GOAL, LOG_GOAL = 1.0, 0.3  # floors
ETH_USD = 2_000
V3_PAIR = Pair(0, 1, 8, 18)
USD_PAIR = Pair(0, 1, 18, 6)
ETH_MONEY = tuple(money // ETH_USD for money in MONEY)
Run = Callable[[], float]


def floor() -> float:
    begin = time.perf_counter()
    x, factor, modulus = 1 << 159, 0x9E3779B97F4A7C15F39CC0605CEDC8341082276B, (1 << 160) - 47
    for _ in range(TURNS):
        x = x * factor % modulus
    return time.perf_counter() - begin


# --- pools ---------------------------------------------------------------------------------------------------------

Ticks = dict[int, tuple[int, int]]


def real_pool() -> Concentrated | None:
    folder = data_folder()
    if folder is None:
        return None
    raw = json.loads((folder / "dex_evm_degenbot" / "uniswap_v3_wbtc_weth_block_24407242.json").read_text())
    at, ticks = raw["scalars"], {int(tick): (entry[0], entry[1]) for tick, entry in raw["tick_data"].items()}
    return Concentrated(
        at["sqrt_price_x96"], at["tick"], at["liquidity"], at["fee"], TickMap(at["tick_spacing"], ticks)
    )


def made_pool() -> Concentrated:
    """At nearly the same price, with many small positions around it."""
    rng, here, liquidity = random.Random(5), 265_269, 0
    ticks: Ticks = {}
    for _ in range(240):
        lower = (here // 60 - rng.randrange(-120, 170)) * 60
        upper = lower + rng.randrange(1, 100) * 60
        amount = rng.randrange(10**13, 2 * 10**14)
        for tick, change in ((lower, amount), (upper, -amount)):
            gross, net = ticks.get(tick, (0, 0))
            ticks[tick] = gross + amount, net + change
        liquidity += amount if lower <= here < upper else 0
    return Concentrated(sqrt_at(here), here, liquidity, 3_000, TickMap(60, ticks))


def stable_pool() -> StableSwap:
    return StableSwap((180 * 10**24, 170 * 10**12), (10**18, 10**30), 200_000, 1_000_000)


def moves(pool: Concentrated) -> list[tuple[int, int, int]]:
    """What a hundred Swap logs carry: swaps of 0.1 … 100 ETH, each forth or back from where the last one left."""
    rng, states = random.Random(7), []
    for _ in range(100):
        eth = rng.randrange(10**17, 10**20)
        quote = pool.exact_in(1, 0, eth) if rng.random() < 0.5 else pool.exact_out(0, 1, eth)
        pool = cast(Concentrated, quote.after)
        states.append((pool.sqrt_price_x96, pool.liquidity, pool.tick))
    return states


# --- what is timed -------------------------------------------------------------------------------------------------


def each(call: Callable[[], object], count: int = CALLS) -> Run:
    def run() -> float:
        clock = time.perf_counter
        begin = clock()
        for _ in range(count):
            call()
        return (clock() - begin) / count

    return run


def ladder(curve: Curve, pair: Pair, sizes: Sequence[int]) -> Callable[[], object]:
    return lambda: levels(measure(curve, pair, sizes), pair)


def cold(pool: Concentrated, sizes: Sequence[int]) -> Run:
    entries = pool.ticks.entries()

    def run() -> float:
        fresh = msgspec.structs.replace(pool, ticks=TickMap(pool.ticks.spacing, entries))
        sqrt_at.cache_clear()
        begin = time.perf_counter()
        levels(measure(fresh, V3_PAIR, sizes), V3_PAIR)
        return time.perf_counter() - begin

    return run


def following(pool: Concentrated, states: Sequence[tuple[int, int, int]]) -> Run:
    book = L2Book()

    def run() -> float:
        curve, clock = pool, time.perf_counter
        begin = clock()
        for state in states:
            curve = curve.swapped(*state)
            sizes = grid(ETH_MONEY, mid_1e9(curve, V3_PAIR), 8)
            book.load(*levels(measure(curve, V3_PAIR, sizes), V3_PAIR), 1)
        return (clock() - begin) / len(states)

    return run


def chain_of_five() -> Callable[[], object]:
    """Five V2 pools of one symbol, their depths known: routes and levels alone."""
    sizes = grid(MONEY, ETH_USD * 10**9, 18)
    pools = [
        ConstantProduct((n * 10**21, n * ETH_USD * 10**9), fee) for n, fee in enumerate((500, 3000) * 2 + (100,), 1)
    ]
    sources = [Source(measure(pool, USD_PAIR, sizes), 6, 10**8) for pool in pools]
    return lambda: chain_book(sources, sizes, 13)


Lines = dict[str, tuple[Run, float | None]]  # what is printed → how it is timed, its goal in floors


def v3_lines(name: str, pool: Concentrated) -> Lines:
    sizes = grid(ETH_MONEY, mid_1e9(pool, V3_PAIR), 8)
    depth, eth = measure(pool, V3_PAIR, sizes), 10 * 10**18
    crossed = [pool.exact_in(0, 1, sizes[-1]).ticks_crossed, pool.exact_out(1, 0, sizes[-1]).ticks_crossed]
    return {
        f"{name}, {len(pool.ticks)} ticks: exact-in quote of 10 ETH": (each(lambda: pool.exact_in(1, 0, eth)), None),
        f"{name}: exact-out quote for 10 ETH": (each(lambda: pool.exact_out(0, 1, eth)), None),
        f"{name}: ladder, {crossed[0]} + {crossed[1]} ticks, cold": (cold(pool, sizes), LADDER_GOAL),
        f"{name}: ladder, {crossed[0]} + {crossed[1]} ticks": (each(ladder(pool, V3_PAIR, sizes)), LADDER_GOAL),
        f"{name}: of which levels": (each(lambda: levels(depth, V3_PAIR)), None),
        f"{name}: one Swap log, ladder, book": (following(pool, moves(pool)), LOG_GOAL),
    }


def lines() -> Lines:
    real = real_pool()
    timed = ({} if real is None else v3_lines("V3 WBTC/WETH", real)) | v3_lines("V3 made", made_pool())
    product, stable = ConstantProduct((10**22, 2 * 10**13), 3000), stable_pool()
    product_sizes = grid(MONEY, mid_1e9(product, USD_PAIR), 18)
    stable_sizes = grid(MONEY, mid_1e9(stable, USD_PAIR), 18)
    return timed | {
        "V2: ladder": (each(ladder(product, USD_PAIR, product_sizes)), LADDER_GOAL),
        "StableSwap: ladder": (each(ladder(stable, USD_PAIR, stable_sizes), 5), LADDER_GOAL),
        "StableSwap: exact-in quote": (each(lambda: stable.exact_in(0, 1, 10**22)), None),
        "chain's book of five pools": (each(chain_of_five(), 5), None),
    }


def beside_curvesim() -> Run:
    """curvesim's pool swaps for good, so it is given its balances back each time."""
    pool_class = curvesim_pool()
    ours = stable_pool()
    theirs = pool_class(
        A=ours.amp // 100, D=list(ours.balances), n=2, rates=list(ours.rates), fee=ours.fee, admin_fee=0
    )

    def call() -> None:
        theirs.balances = list(ours.balances)
        theirs.exchange(0, 1, 10**22)

    theirs.balances = list(ours.balances)
    if theirs.exchange(0, 1, 10**22)[0] != ours.exact_in(0, 1, 10**22).amount_out:
        raise SystemExit("curvesim pays another amount: the two lines would not be the same work")
    return each(call)


def beside_anvil(stack: ExitStack) -> Lines:
    """One QuoterV2 call of a node, and our answer to the same question. The node lives as long as `stack`."""
    from tests.evm.cases import curve_v3
    from tests.evm.chains import anvil_chain
    from tests.evm.scenes import deep_scenes, read_v3

    chain = stack.enter_context(contextmanager(anvil_chain)())
    driver, pool = chain.driver, deep_scenes(chain)[1].pool
    curve = curve_v3(pool, read_v3(driver, pool))
    amount = curve.exact_out(0, 1, 10**18).amount_in
    to, method, arguments = driver.quote_v3(pool, amount, zero_for_one=True)
    if driver.call(to, method, *arguments)[0] != curve.exact_in(0, 1, amount).amount_out:
        raise SystemExit("QuoterV2 answers another amount: the two lines would not be the same work")
    return {
        "anvil: one QuoterV2 call": (each(lambda: driver.call(to, method, *arguments), 3), None),
        "anvil: the same quote by us": (each(lambda: curve.exact_in(0, 1, amount)), None),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--no-anvil", action="store_true")
    given = parser.parse_args()
    on_solana = amm_solana.pools()
    timed = lines() | amm_solana.lines(on_solana, (LADDER_GOAL, LOG_GOAL))
    left_out = ["anvil: --no-anvil"] if given.no_anvil else []
    with ExitStack() as stack:
        try:
            timed["curvesim: exchange of the same"] = beside_curvesim(), None
        except pytest.skip.Exception as reason:
            left_out.append(str(reason))
        try:
            timed |= {} if given.no_anvil else beside_anvil(stack)
        except pytest.skip.Exception as reason:
            left_out.append(str(reason))
        oracles, absent = amm_solana.beside(on_solana)
        timed, left_out = timed | oracles, left_out + absent
        show(timed, given.rounds)
    for word in left_out:
        print("  left out:", word)


def show(timed: Lines, rounds: int) -> None:
    best = dict.fromkeys(timed, float("inf"))
    ground = float("inf")
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            ground = min(ground, floor())
            for name, (run, _) in timed.items():
                best[name] = min(best[name], run())
    finally:
        gc.enable()
    print(f"pool maths; best of {rounds}; floor ({TURNS:,} turns of x·k mod p): {ground * 1e6:.0f} µs")
    for name, (_, goal) in timed.items():
        ratio = best[name] / ground
        note = "" if goal is None else f"; goal ≤ {goal:.2f}: {'reached' if ratio <= goal else 'missed'}"
        print(f"  {name:<62} {best[name] * 1e6:9.1f} µs  {ratio:7.3f} × floor{note}")


if __name__ == "__main__":
    main()
