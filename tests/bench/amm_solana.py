"""Solana's lines of `tests.bench.amm`: from accounts to a book, and what the oracles take for one quote.

An *update* is what a session does with one answer of getMultipleAccounts, from the accounts' bytes on: state, mid,
grid, ladder, `L2Book.load`; JSON, base64 and zstd are a line of their own. Pools are made: five wide positions and two
hundred small ones around the price, so that the arrays read hold as many ticks as the line says. Each update's accounts
are new bytes; *pool alone*: the arrays' are equal to those before, as after a swap; *cold*: nothing is remembered.

Beside them: npm @orca-so/whirlpools-core, timed inside node, and crate solana-clmm-raydium with its line of text, one
process for a thousand questions. Each answer must be ours. Left out, with a word, where it is not installed.
"""

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

import msgspec
import pytest
import zstandard

from connectors.amm import raydium as raydium_maths
from connectors.amm import tickmath64
from connectors.amm.curve import Curve
from connectors.amm.ladder import grid, levels, measure, mid_1e9
from connectors.amm.raydium_fee import Volatility
from connectors.book import L2Book
from connectors.chain import PoolKind, PoolPlan
from connectors.venues.solana import orca, orca_ticks, raydium, raydium_ticks
from connectors.venues.solana.account import account_of
from connectors.venues.solana.pools import state_of
from connectors.venues.solana.rpc import ENCODING, accounts_told, value_of
from runtime.sim.solana.pools import site_of
from tests.support import clmm_raydium
from tests.support.clmm_raydium_oracles import crate_folder
from tests.support.ladders import MONEY
from tests.support.npm import modules
from tests.support.solana_made import MadePool, Read, read, shipped

Run = Callable[[], float]
Lines = dict[str, tuple[Run, float | None]]
UPDATES: Final = 5
ASKED: Final = 1_000
SOL: Final = 10**9
_ORCA_TOOLS: Final = Path(__file__).parents[1] / "solana" / "tools" / "orca"
# one swap over and over inside node: seconds each, and what it says
_TIMED: Final = """
const orca = require(require.resolve('@orca-so/whirlpools-core', { paths: [process.cwd()] }))
const { pool, arrays, amount, count } = JSON.parse(require('fs').readFileSync(0), (key, value) =>
  typeof value === 'string' && /^-?[0-9]+n$/.test(value) ? BigInt(value.slice(0, -1)) : value)
const ask = () => orca.swapQuoteByInputToken(amount, true, 0, pool, arrays)
for (let i = 0; i < count; i++) ask()
const begin = process.hrtime.bigint()
for (let i = 0; i < count; i++) ask()
const seconds = Number(process.hrtime.bigint() - begin) / 1e9 / count
process.stdout.write(JSON.stringify([seconds, String(ask().tokenEstOut)]))
"""


def crowded(plan: PoolPlan, **rules: Any) -> MadePool:
    """Two hundred positions, most of them near the price, all so small that a ladder crosses many of their ticks."""
    made = MadePool(plan, 11, 0, 600_000, **rules)
    for place in range(200):
        made.settle(lambda: made.provide(usd=2_000 + 40 * place))  # noqa: B023 - called at once
    return made


def with_orders(made: MadePool) -> MadePool:
    """Orders on both sides, as since 2026."""
    for away in (-60, -25, -9, -2, 3, 11, 30, 70):
        made.settle(lambda: made.order(away, 3_000))  # noqa: B023 - called at once
    return made


def forget(*found: ModuleType) -> None:
    """Empties what these modules remember."""
    for module in found:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def book_of(made: MadePool, accounts: Read, book: L2Book) -> Curve:
    """What is timed."""
    curve = state_of(made.plan, accounts)
    pair = made.pair(made.plan.base)
    book.load(*levels(measure(curve, pair, grid(MONEY, mid_1e9(curve, pair), pair.base_decimals)), pair), 1)
    return curve


def cold(made: MadePool) -> Run:
    accounts, book = read(made.plan, made.stored), L2Book()

    def run() -> float:
        forget(raydium, raydium_ticks, orca, orca_ticks, tickmath64, raydium_maths)
        begin = time.perf_counter()
        book_of(made, accounts, book)
        return time.perf_counter() - begin

    return run


def following(made: MadePool, acts: Iterator[Callable[[], object]]) -> Run:
    """Update after update, each of a state that was never seen before; what is remembered is the last one's."""
    book = L2Book()

    def run() -> float:
        spent = 0.0
        for act in islice(acts, UPDATES):
            made.settle(act)
            accounts = read(made.plan, made.stored)
            begin = time.perf_counter()
            book_of(made, accounts, book)
            spent += time.perf_counter() - begin
        return spent / UPDATES

    return run


def swaps(made: MadePool, usd: int) -> Iterator[Callable[[], object]]:
    """Forth and back, no two of one size: no tick's liquidity changes."""
    for turn, side in enumerate(cycle((0, 1, 1, 0))):
        yield partial(made.trade, usd + 7 * turn, side)


def moves(made: MadePool) -> Iterator[Callable[[], object]]:
    """Liquidity that comes or goes: one or two arrays are other than before."""
    return cycle((made.provide, made.withdraw))


def answered(made: MadePool) -> Run:
    """The JSON of one answer to accounts, all of them."""
    value: list[Any] = []
    for account in read(made.plan, made.stored).values():
        data = account and [base64.b64encode(zstandard.compress(account.data)).decode(), ENCODING]
        value.append(account and {"owner": account.owner, "data": data, "lamports": 1, "executable": False})
    raw = msgspec.Raw(msgspec.json.encode({"context": {"slot": 1}, "value": value}))

    def run() -> float:
        begin = time.perf_counter()
        _, values = accounts_told(raw, len(value))
        for each in values:
            account_of(value_of(each))
        return time.perf_counter() - begin

    return run


def pool_lines(name: str, made: MadePool, goals: tuple[float, float]) -> Lines:
    """`goals`: of one ladder from nothing remembered, of an update with the arrays remembered."""
    accounts = read(made.plan, made.stored)
    curve = state_of(made.plan, accounts)
    pair = made.pair(made.plan.base)
    sizes = grid(MONEY, mid_1e9(curve, pair), pair.base_decimals)
    most = sizes[-1] * 10 ** (pair.base_decimals - 8)
    crossed = [curve.exact_in(0, 1, most).ticks_crossed, curve.exact_out(1, 0, most).ticks_crossed]
    said = f"{len(accounts)} accounts, {len(curve.ticks)} ticks"  # type: ignore[attr-defined]
    return {
        f"{name}, {said}: answer to accounts": (answered(made), None),
        f"{name}: decode, ladder of {crossed[0]} + {crossed[1]} ticks, book, cold": (cold(made), goals[0]),
        f"{name}: one swap's update, pool alone": (following(made, swaps(made, 2_000)), goals[1]),
        f"{name}: one update with arrays changed": (following(made, moves(made)), goals[0]),
    }


class Pools(NamedTuple):
    """Made once, for all lines."""

    raydium: MadePool
    modern: MadePool
    orca: MadePool


def pools() -> Pools:
    """SOL/USDC with ticks one apart on Raydium, four on Orca."""
    plan = _pool_of(PoolKind.RAYDIUM_CLMM, 1)
    volatility = Volatility(30, 600, 5_000, 2_000, 350_000)
    modern = with_orders(crowded(plan, volatility=volatility, fee_on=1))
    return Pools(crowded(plan, volatility=None, fee_on=0), modern, crowded(_pool_of(PoolKind.ORCA_WHIRLPOOL, 4)))


def _pool_of(kind: PoolKind, spacing: int) -> PoolPlan:
    """The first shipped pool of a kind whose ticks lie so far apart."""
    return next(plan for place, plan in enumerate(shipped(kind)) if site_of(plan, place).spacing == spacing)


def lines(made: Pools, goals: tuple[float, float]) -> Lines:
    """Both protocols, and Raydium by the rules of 2026."""
    return (
        pool_lines("Raydium", made.raydium, goals)
        | pool_lines("Raydium, rules of 2026", made.modern, goals)
        | pool_lines("Orca", made.orca, goals)
    )


def each(call: Callable[[], object], count: int = 50) -> Run:
    def run() -> float:
        begin = time.perf_counter()
        for _ in range(count):
            call()
        return (time.perf_counter() - begin) / count

    return run


def beside_orca(pools: Pools) -> Lines:
    """One exact-in quote of $15,000 by the npm package, timed once inside node, and ours. Skips without it."""
    home = modules(_ORCA_TOOLS, "orca").parent
    made = pools.orca
    accounts = read(made.plan, made.stored)
    curve = state_of(made.plan, accounts)
    amount = made.money(15_000)[0]
    question = json.dumps({**orca_state(made, curve), "amount": f"{amount}n", "count": 300})

    command = ["node", "-e", _TIMED]
    done = subprocess.run(command, cwd=home, input=question, capture_output=True, text=True, check=True)
    seconds, paid = json.loads(done.stdout)
    if int(paid) != curve.exact_in(0, 1, amount).amount_out:
        raise SystemExit("whirlpools-core pays another amount: the two lines would not be the same work")
    return {
        "whirlpools-core, inside node: one exact-in quote": (lambda: float(seconds), None),
        "Orca: the same quote by us": (each(lambda: curve.exact_in(0, 1, amount)), None),
    }


def orca_state(made: MadePool, curve: Any) -> dict[str, Any]:
    """The pool and the arrays of a swap downwards, in the package's own words; `…n` is a BigInt."""
    spacing, ticks = made.site.spacing, curve.ticks.entries()
    none = {"feeGrowthOutsideA": "0n", "feeGrowthOutsideB": "0n", "rewardGrowthsOutside": ["0n"] * 3}
    empty = {"initialized": False, "liquidityNet": "0n", "liquidityGross": "0n", **none}

    def tick(at: int) -> dict[str, Any]:
        if at not in ticks:
            return empty
        entry = ticks[at]
        return {"initialized": True, "liquidityNet": f"{entry.net}n", "liquidityGross": f"{entry.gross}n", **none}

    first = made.site.start(curve.tick)
    starts = [first - spacing * 88 * place for place in range(3)]
    reward = {"emissionsPerSecondX64": "0n", "growthGlobalX64": "0n"}
    pool = {
        "tickSpacing": spacing, "feeRate": curve.fee_ppm, "protocolFeeRate": 0, "liquidity": f"{curve.liquidity}n",
        "sqrtPrice": f"{curve.sqrt_price_x64}n", "tickCurrentIndex": curve.tick, "feeGrowthGlobalA": "0n",
        "feeGrowthGlobalB": "0n", "rewardLastUpdatedTimestamp": "0n", "rewardInfos": [reward] * 3,
    }  # fmt: skip
    arrays = [{"startTickIndex": start, "ticks": [tick(start + spacing * place) for place in range(88)]}
              for start in starts]  # fmt: skip
    return {"pool": pool, "arrays": arrays}


def beside_raydium(pools: Pools) -> Lines:
    """One exact-in quote of the crate's, out of a thousand asked at once, and ours. Skips without it."""
    oracle = crate_folder() / "oracle"
    made = pools.raydium
    curve: Any = state_of(made.plan, read(made.plan, made.stored))
    amount = made.money(15_000)[0]
    entries = tuple(clmm_raydium.Entry(at, tick.net, tick.gross) for at, tick in curve.ticks.entries().items())
    pool = clmm_raydium.Pool(
        curve.sqrt_price_x64, curve.tick, curve.liquidity, made.site.spacing, curve.fee_ppm, entries
    )
    line = pool.line(clmm_raydium.Swap(amount, exact_out=False, down=True)) + "\n"

    def seconds(count: int) -> float:
        begin = time.perf_counter()
        done = subprocess.run([oracle], input=line * count, capture_output=True, text=True, check=True)
        spent = time.perf_counter() - begin
        if int(done.stdout.split()[2]) != curve.exact_in(0, 1, amount).amount_out:
            raise SystemExit("solana-clmm-raydium pays another amount: the two lines would not be the same work")
        return spent

    return {
        "solana-clmm-raydium: one exact-in quote, with its text": (
            lambda: max(seconds(ASKED) - seconds(1), 0.0) / (ASKED - 1), None
        ),
        "Raydium: the same quote by us": (each(lambda: curve.exact_in(0, 1, amount)), None),
    }  # fmt: skip


def beside(pools: Pools) -> tuple[Lines, list[str]]:
    """The oracles that are installed, and why another is left out."""
    found: Lines = {}
    left_out: list[str] = []
    for make in (beside_orca, beside_raydium):
        try:
            found |= make(pools)
        except pytest.skip.Exception as reason:
            left_out.append(str(reason))
    return found, left_out
