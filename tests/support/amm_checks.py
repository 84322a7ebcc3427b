"""Questions with known answers for the pool maths: recorded from the chain, from the slow reference, from curvesim.

Each suite runs against the project's classes, and against every mutant of them.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from connectors.amm.curve import QuoteError
from tests.support.amm_pools import Case, Maths, Position, amounts, case
from tests.support.amm_reference import LIMITS, Swapped, sqrt_at, tick_at


class Check(NamedTuple):
    """One question to some maths, and the answer."""

    name: str
    ask: Callable[[Maths], object]
    answer: object


def wrong(checks: Iterable[Check], maths: Maths) -> Iterator[str]:
    """What `maths` answers otherwise. An exception is an answer too."""
    for check in checks:
        try:
            got = check.ask(maths)
        except Exception as error:  # noqa: BLE001 - a mutant may break in any way
            got = error
        if got != check.answer:
            yield f"{check.name}: {got!r} instead of {check.answer!r}"


def recorded(folder: Path) -> list[Check]:
    """On-chain answers, collected by degenbot."""
    folder = folder / "dex_evm_degenbot"

    def read(name: str) -> Any:
        return json.loads((folder / f"{name}.json").read_text())

    return [*_quoter(read), *_pancake(read), *_tripool(read), *_expected(read)]


def _swap(make: Callable[[Maths], Any], down: bool, amount: int, exact_out: bool, maths: Maths) -> int:
    """One quote; where the pool takes or pays all of it, also as a ladder of one."""
    pool = make(maths)
    quote = pool.swap(down, amount, exact_out=exact_out)
    given, got = (quote.amount_out, quote.amount_in) if exact_out else (quote.amount_in, quote.amount_out)
    assert _ladder(pool, down, [amount], exact_out) == ([got] if given == amount else [])
    return int(got)


def _exact(make: Callable[[Maths], Any], method: str, i: int, j: int, amount: int, maths: Maths) -> Any:
    """`exact_in`'s amount out, `exact_out`'s amount in, or the view's answer."""
    answer = getattr(make(maths), method)(i, j, amount)
    return {"exact_in": lambda: answer.amount_out, "exact_out": lambda: answer.amount_in}.get(method, lambda: answer)()


def _v3(state: Any, ticks: dict[int, tuple[int, int]], low: int, high: int, maths: Maths) -> Any:
    ticked = maths.tick_map(state["tick_spacing"], ticks, low, high)
    return maths.concentrated(state["sqrt_price_x96"], state["tick"], state["liquidity"], state["fee"], ticked)


def _v2(state: Any, fee_ppm: int, maths: Maths) -> Any:
    return maths.constant_product((state["reserves_token0"], state["reserves_token1"]), fee_ppm)


def _quoter(read: Callable[[str], Any]) -> Iterator[Check]:
    state = read("uniswap_v3_wbtc_weth_block_24407242")
    ticks = {int(tick): (gross, net) for tick, (gross, net, _) in state["tick_data"].items()}
    make = partial(_v3, state["scalars"], ticks, -887272, 887272)
    for name, entry in read("uniswap_v3_wbtc_weth_quotes_half")["entries"].items():
        _, method, way, amount = name.split("|")
        ask = partial(_swap, make, way == "WBTC->WETH", int(amount), method == "quoteExactOutputSingle")
        yield Check(name, ask, entry["value"])


def _pancake(read: Callable[[str], Any]) -> Iterator[Check]:
    state = read("pancakeswap_v2_weth_usdbc_block_46875151")
    make = partial(_v2, state, state["fee_numer"] * 10**6 // state["fee_denom"])
    for name, entry in read("pancakeswap_v2_get_amounts_out_half")["entries"].items():
        _, _, way, amount = name.split("|")
        i = ("WETH->USDbC", "USDbC->WETH").index(way)
        yield Check(name, partial(_exact, make, "exact_in", i, 1 - i, int(amount)), entry["value"])


def _tripool(read: Callable[[str], Any]) -> Iterator[Check]:
    state = read("curve_tripool_block_24407242")
    rates = tuple(10 ** (36 - token["decimals"]) for token in state["tokens"])
    place = {token["symbol"]: index for index, token in enumerate(state["tokens"])}

    def make(maths: Maths) -> Any:
        return maths.stable_swap(tuple(state["balances"]), rates, state["a_coefficient"] * 100, state["fee"])

    for name, entry in read("curve_tripool_get_dy_half")["entries"].items():
        _, _, way, amount = name.split("|")
        i, j = (place[symbol] for symbol in way.split("->"))
        yield Check(name, partial(_exact, make, "view", i, j, int(amount)), entry["value"])


def _expected(read: Callable[[str], Any]) -> Iterator[Check]:
    """Two pools at block 17,600,000; of the concentrated one only some words of the bitmap are recorded."""
    three = read("uniswap_v3_wbtc_weth_17600000")
    words = [int(word) for word in three["tick_bitmap"]]
    low, high = min(words) * 256 * three["tick_spacing"], (max(words) * 256 + 255) * three["tick_spacing"]
    ticks = {int(tick): (row["liquidity_gross"], row["liquidity_net"]) for tick, row in three["tick_data"].items()}
    makes: dict[str, Callable[[Maths], Any]] = {
        "uniswap_v2_wbtc_weth_17600000": partial(_v2, read("uniswap_v2_wbtc_weth_17600000"), 3000),
        "uniswap_v3_wbtc_weth_17600000": partial(_v3, three, ticks, low, high),
    }
    for pool, rows in read("expected_17600000").items():
        for row in rows:
            i = ("WBTC", "WETH").index(row["token_in"])
            taken, paid = int(row["amount_in"]), int(row["amount_out"])
            asked_out = paid == 10**8  # the one that was asked for one whole WBTC
            ask = ("exact_out", i, 1 - i, paid) if asked_out else ("exact_in", i, 1 - i, taken)
            yield Check(f"{pool} {row}", partial(_exact, makes[pool], *ask), taken if asked_out else paid)


def concentrated_checks(seeds: Iterable[int]) -> list[Check]:
    """Random concentrated pools against the slow reference: amounts, the state after, QuoterV2's count, the ladders."""
    return [check for seed in seeds for check in _of_case(case(seed), Random(seed))]


def _of_case(pool: Case, rng: Random) -> Iterator[Check]:
    slow = pool.slow()
    for down in (True, False):
        for exact_out in (False, True):
            sizes = amounts(pool.fast(), down, exact_out, rng)
            ladder = []
            for amount in sizes:
                answer = slow.swap(down, amount, exact_out)
                given, got = (answer.paid, answer.taken) if exact_out else (answer.taken, answer.paid)
                if given == amount:
                    ladder.append(got)
                quoted = given == amount if exact_out else answer.taken > 0
                yield Check(
                    f"{pool} {down=} {exact_out=} {amount}",
                    partial(_swapped, pool, down, amount, exact_out),
                    (answer, slow.quoter_count(answer.tick), quoted),
                )
            ask = partial(_ladder_of, pool, down, sizes, exact_out)
            yield Check(f"{pool} {down=} {exact_out=} ladder", ask, ladder)
    gone = rng.choice(pool.positions)
    rest = list(pool.positions)
    rest.remove(gone)
    for edge in (gone[0], gone[1], gone[0] - 1, gone[1] - 1):  # in range from the lower tick to before the upper
        moved, left = pool._replace(tick=edge), pool._replace(tick=edge, positions=rest)
        yield Check(f"{moved} burn {gone}", partial(_burned, moved, gone), (left.liquidity, left.entries()))


def _burned(pool: Case, position: Position, maths: Maths) -> tuple[int, dict[int, tuple[int, int]]]:
    after = pool.fast(maths).burned(*position)
    return after.liquidity, after.ticks.entries()


def _swapped(pool: Case, down: bool, amount: int, exact_out: bool, maths: Maths) -> tuple[Swapped, int, bool]:
    """A swap, its count of ticks, and whether the quoter would answer at all."""
    fast = pool.fast(maths)
    quote = fast.swap(down, amount, exact_out=exact_out)
    try:
        answers = (fast.exact_out if exact_out else fast.exact_in)(*((0, 1) if down else (1, 0)), amount) == quote
    except QuoteError:
        answers = False
    after: Any = quote.after
    state = Swapped(quote.amount_in, quote.amount_out, after.sqrt_price_x96, after.liquidity, after.tick)
    return state, quote.ticks_crossed, answers


def _ladder_of(pool: Case, down: bool, sizes: list[int], exact_out: bool, maths: Maths) -> list[int]:
    return _ladder(pool.fast(maths), down, sizes, exact_out)


def _ladder(pool: Any, down: bool, sizes: list[int], exact_out: bool) -> list[int]:
    i, j = (0, 1) if down else (1, 0)
    found: list[int] = (pool.costs if exact_out else pool.proceeds)(i, j, sizes)
    return found


def table_checks(ticks: Iterable[int]) -> list[Check]:
    """The table of ticks, and back from a price on a tick, just below it and just above it."""
    checks = []
    for tick in ticks:
        price = sqrt_at(tick)
        checks.append(Check(f"sqrt_at({tick})", partial(_table, "sqrt_at", tick), price))
        near = [price + change for change in (-1, 0, 1) if LIMITS[True] <= price + change <= LIMITS[False]]
        checks += [Check(f"tick_at({other})", partial(_table, "tick_at", other), tick_at(other)) for other in near]
    return checks


def _table(function: str, argument: int, maths: Maths) -> Any:
    return getattr(maths, function)(argument)


def constant_product_checks(seeds: Iterable[int]) -> list[Check]:
    """Random pairs: the formula in fractions, cut as the router cuts it."""
    checks = []
    for rng in map(Random, seeds):
        reserves = int(10 ** rng.uniform(0.5, 32)), int(10 ** rng.uniform(0.5, 32))
        fee_ppm, i = rng.choice((0, 500, 2500, 3000, 10000)), rng.randrange(2)
        make = partial(_pair, reserves, fee_ppm)
        there, here, kept = reserves[i], reserves[1 - i], 1 - Fraction(fee_ppm, 10**6)
        amount = int(there * 10 ** rng.uniform(-4, 0.5)) + 1
        paid = math.floor(here * (1 - there / (there + amount * kept)))
        checks.append(
            Check(f"{reserves} {fee_ppm} {i} {amount}", partial(_exact, make, "exact_in", i, 1 - i, amount), paid)
        )
        amount = rng.randrange(1, here)
        taken = math.floor(there * Fraction(amount, here - amount) / kept) + 1
        checks.append(
            Check(f"{reserves} {fee_ppm} {i} out {amount}", partial(_exact, make, "exact_out", i, 1 - i, amount), taken)
        )
    return checks


def _pair(reserves: tuple[int, int], fee_ppm: int, maths: Maths) -> Any:
    return maths.constant_product(reserves, fee_ppm)


def ng_order(curve_pool: Any) -> Any:
    """curvesim's pool with D_P divided by n^n at the end, as NG pools do it; curvesim divides by n each time."""

    class Ordered(curve_pool):  # type: ignore[misc]
        """The rest is curvesim's."""

        def get_D(self, xp: list[int], A: int) -> int:  # noqa: N802, N803 - curvesim's names
            n, ann, total = len(xp), A * len(xp), sum(xp)
            d, before = total, 0
            while abs(d - before) > 1:
                power = d
                for x in xp:
                    power = power * d // x
                power //= n**n
                before, d = d, (ann * total + power * n) * d // ((ann - 1) * d + (n + 1) * power)
            return d

    return Ordered


def curvesim_checks(curve_pool: Any, seeds: Iterable[int], *, is_ng: bool) -> list[Check]:
    """Pools of 2–4 coins, mixed decimals, the odd ones with a dynamic fee: what `exchange` pays and leaves."""
    return [_curvesim(curve_pool, Random(seed), dynamic=seed % 2 == 1, is_ng=is_ng) for seed in seeds]


def _curvesim(curve_pool: Any, rng: Random, *, dynamic: bool, is_ng: bool) -> Check:
    n = rng.choice((2, 3, 4))
    decimals = [rng.choice((6, 8, 18, 18)) for _ in range(n)]
    rates = [10 ** (36 - places) for places in decimals]
    if dynamic and rng.random() < 0.5:  # stored_rates() of a coin that earns interest
        rates[rng.randrange(n)] += rng.randrange(10**17)
    worth = 10 ** rng.uniform(3, 9)
    balances = [int(worth * rng.uniform(0.2, 3) * 10**places) + 1 for places in decimals]
    a, fee = rng.choice((2, 10, 85, 100, 200, 1500, 4000)), rng.choice((0, 100_000, 1_000_000, 4_000_000, 30_000_000))
    factor = rng.choice((10**10, 2 * 10**10, 5 * 10**10, 20 * 10**10)) if dynamic else 0
    i, j = rng.sample(range(n), 2)
    amount = max(1, int(balances[i] * 10 ** rng.uniform(-5, 0.3)))
    admin = rng.choice((0, 5 * 10**9, 10**10))
    other = curve_pool(
        A=a, D=list(balances), n=n, rates=list(rates), fee=fee, fee_mul=factor or None, admin_fee=admin, tokens=1
    )  # fmt: skip
    paid, _ = other.exchange(i, j, amount)

    def ask(maths: Maths) -> object:
        pool = maths.stable_swap(tuple(balances), tuple(rates), a * 100, fee, factor, is_ng, admin)
        quote = pool.exact_in(i, j, amount)
        return pool.proceeds(i, j, [amount]), list(quote.after.balances)

    return Check(f"{balances} {rates} {a=} {fee=} {factor=} {i}->{j} {amount}", ask, ([paid], list(other.balances)))
