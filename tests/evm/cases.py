"""What a chain answered: quotes of every scene, recorded once, to be compared with our maths and with broken maths."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Quote, QuoteError
from connectors.amm.tickmath import MAX_SQRT, MIN_SQRT
from tests.evm.abi import Erc20
from tests.evm.driver import Driver, Pool
from tests.evm.scenes import Scene, V3State, read_v2, read_v3
from tests.support.amm_pools import OURS, Maths

V2_FEE_PPM: Final = 3000
SMALL: Final = (1, 2, 3, 7, 1000, 1_000_003)
BEYOND: Final = 10**34  # more than any pool here can take
ENDS: Final = (MIN_SQRT + 1, MAX_SQRT - 1)
State = V3State | tuple[int, int]


@dataclass(frozen=True)
class Case:
    """One quote of a pool in a state that a test has read.

    `said`: amount, √price after and ticks crossed by QuoterV2, or the amount alone by Router02; None: refused, which
    for a pair includes what the router would quote and the pair not hold (`is_overfull`).
    """

    label: str
    pool: Pool
    state: State
    down: bool
    is_out: bool
    amount: int
    said: tuple[int, ...] | None

    def of(self, curve: Any) -> tuple[int, ...] | None:
        """The same from a curve."""
        quote = quote_of(curve, self.amount, down=self.down, is_out=self.is_out)
        if quote is None:
            return None
        amount = quote.amount_in if self.is_out else quote.amount_out
        after: Any = quote.after
        return (amount, after.sqrt_price_x96, quote.ticks_crossed) if self.pool.spacing else (amount,)

    @property
    def is_partial(self) -> bool:
        """Refused, or exact-in beyond what the pool takes."""
        return self.said is None or (len(self.said) > 1 and not self.is_out and self.said[1] in ENDS)

    def __str__(self) -> str:
        return f"{self.label} {'down' if self.down else 'up'} {'out' if self.is_out else 'in'} {self.amount}"


def quote_of(curve: Any, amount: int, *, down: bool, is_out: bool) -> Quote | None:
    """A curve's own quote; None where it refuses."""
    i, j = (0, 1) if down else (1, 0)
    try:
        quote: Quote = curve.exact_out(i, j, amount) if is_out else curve.exact_in(i, j, amount)
    except QuoteError:
        return None
    return quote


def curve_of(pool: Pool, state: State, maths: Maths = OURS) -> Any:
    """A curve of the maths given, on a state that a test has read."""
    if isinstance(state, V3State):
        ticks = maths.tick_map(pool.spacing, state.ticks)
        return maths.concentrated(state.sqrt_price_x96, state.tick, state.liquidity, pool.fee_ppm, ticks)
    return maths.constant_product(state, V2_FEE_PPM)


def curve_v3(pool: Pool, state: V3State) -> Concentrated:
    """Our own of a V3 pool."""
    curve: Concentrated = curve_of(pool, state)
    return curve


def _spread(most: int, count: int, rng: random.Random) -> list[int]:
    """Amounts up to a little beyond `most`, each decade of the lower ones, more of the upper."""
    even = [most * rng.randrange(1, 1100) // 1000 for _ in range(count)]
    steep = [most // 10**power + rng.randrange(9) for power in range(1, 6)]
    return sorted({amount for amount in (*SMALL, *steep, *even) if amount > 0})


def v3_cases(driver: Driver, scene: Scene, rng: random.Random, count: int = 12) -> list[Case]:
    """Quotes both ways, exact in and exact out, from single units to more than the pool holds; amounts rise."""
    pool = scene.pool
    state = read_v3(driver, pool)
    asked: list[tuple[bool, bool, int]] = []
    for down in (True, False):
        out = pool.tokens(zero_for_one=down)[1]
        held = int(driver.call(out.address, Erc20.balance_of, pool.address)[0])
        asked += [(down, True, amount) for amount in _spread(held, count, rng)]
        # what most of it costs, to have amounts in of the same reach
        (cost,) = driver.call_many([driver.quote_v3(pool, max(held * 9 // 10, 1), zero_for_one=down, is_out=True)])
        most = cost[0] if cost else 10 ** rng.randrange(6, 30)
        asked += [(down, False, amount) for amount in (*_spread(most, count, rng), BEYOND)]
    calls = [driver.quote_v3(pool, amount, zero_for_one=down, is_out=is_out) for down, is_out, amount in asked]
    return [
        Case(scene.label, pool, state, *question, None if answer is None else answer[:3])
        for question, answer in zip(asked, driver.call_many(calls), strict=True)
    ]


def is_overfull(reserves: tuple[int, int], amount_in: int, *, down: bool) -> bool:
    """A pair holds 112 bits of each token; Router02's views do not look."""
    return reserves[0 if down else 1] + amount_in >= 2**112


def v2_cases(driver: Driver, scene: Scene, rng: random.Random, count: int = 14) -> list[Case]:
    """The same of a pair."""
    pair = scene.pool
    reserves = read_v2(driver, pair)
    asked: list[tuple[bool, bool, int]] = []
    for down in (True, False):
        there, here = reserves if down else reserves[::-1]
        asked += [(down, True, amount) for amount in _spread(here, count, rng)]
        asked += [(down, False, amount) for amount in _spread(2 * there, count, rng)]
    calls = [driver.quote_v2(pair, amount, zero_for_one=down, is_out=is_out) for down, is_out, amount in asked]
    cases = []
    for (down, is_out, amount), answer in zip(asked, driver.call_many(calls), strict=True):
        said = None
        if answer is not None and not is_overfull(reserves, answer[0][0], down=down):
            said = (answer[0][0 if is_out else 1],)
        cases.append(Case(scene.label, pair, reserves, down, is_out, amount, said))
    return cases


def mismatches(cases: Sequence[Case], maths: Maths = OURS) -> Iterator[str]:
    """Every case where the maths says something else, and every run of amounts where its ladder's fast path does."""
    for _, of_pool in groupby(cases, lambda case: case.pool.address):
        group = list(of_pool)
        curve = curve_of(group[0].pool, group[0].state, maths)
        for case in group:
            if (ours := case.of(curve)) != case.said:
                yield f"{case}: the chain says {case.said}, the maths {ours}"
        for (down, is_out), of_way in groupby(group, lambda case: (case.down, case.is_out)):
            run = list(of_way)
            i, j = (0, 1) if down else (1, 0)
            ask = curve.costs if is_out else curve.proceeds
            full = [case.said[0] for case in run if case.said and not case.is_partial]
            if (all_at_once := ask(i, j, [case.amount for case in run])) != full:
                yield f"{run[0]} … {run[-1].amount}: the chain says {full}, the maths all at once {all_at_once}"
