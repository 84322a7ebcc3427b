"""Whirlpools from seeds, and questions about them with known answers; as amm_pools.py and amm_checks.py for the EVM."""

import hashlib
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from random import Random
from typing import Any, Final, NamedTuple

from connectors.amm import tickmath64, ticks64, whirlpool
from connectors.amm.curve import Quote, QuoteError
from connectors.amm.tickmath64 import MAX_TICK, ORCA
from connectors.amm.walk import Walk
from tests.support.clmm_orca_reference import U64, Refused, SlowWhirlpool, Swapped

REFUSED: Final = "refused"
SPACINGS: Final = (1, 4, 8, 64, 128, 32896)
FEES: Final = (0, 1, 100, 400, 3000, 10_000, 16_000, 65_535)
# sha256 over the prices of every 31st tick from -443636 on, each a line: of npm @orca-so/whirlpools-core 1.0.2
# (`tickIndexToSqrtPrice`) and of crate solana-clmm-raydium 0.2.0 (`get_sqrt_price_at_tick`)
ORCA_DIGEST: Final = "130d8d5b164e7bda0453368bd319fd9cfacc100d56aed9579242473d1381646a"
RAYDIUM_DIGEST: Final = "19d2fdaff99c95700431754e4089935b71bbebdff25ebd24a1d44cc3b49de009"


class Maths(NamedTuple):
    """What is asked: the project's, or a copy's."""

    whirlpool: Any
    ticks: Any
    tick: Any
    orca: Any
    raydium: Any
    walk: Any


OURS: Final = Maths(whirlpool.Whirlpool, ticks64.Ticks, ticks64.Tick, ORCA, tickmath64.RAYDIUM, Walk)


class Check(NamedTuple):
    """One question to some maths, and the answer."""

    name: str
    ask: Callable[[Maths], object]
    answer: object


class Swap(NamedTuple):
    down: bool
    amount: int
    exact_out: bool


class Case(NamedTuple):
    """One pool: positions are (lower, upper, liquidity)."""

    price: int
    tick: int
    fee_ppm: int
    spacing: int
    positions: tuple[tuple[int, int, int], ...]

    @property
    def liquidity(self) -> int:
        return sum(amount for lower, upper, amount in self.positions if lower <= self.tick < upper)

    def entries(self) -> dict[int, tuple[int, int]]:
        """tick → (net, gross); a tick whose positions cancel out stays initialised."""
        entries: dict[int, tuple[int, int]] = {}
        for lower, upper, amount in self.positions:
            for tick, change in ((lower, amount), (upper, -amount)):
                net, gross = entries.get(tick, (0, 0))
                entries[tick] = net + change, gross + amount
        return entries

    def slow(self) -> SlowWhirlpool:
        nets = {tick: net for tick, (net, _) in self.entries().items()}
        return SlowWhirlpool(self.price, self.tick, self.liquidity, self.fee_ppm, self.spacing, nets)

    def fast(self, maths: Maths = OURS) -> whirlpool.Whirlpool:
        entries = {tick: maths.tick(net, gross) for tick, (net, gross) in self.entries().items()}
        ticks = maths.ticks(self.spacing, entries)
        pool: whirlpool.Whirlpool = maths.whirlpool(self.price, self.tick, self.liquidity, self.fee_ppm, ticks)
        return pool


def case(seed: int) -> Case:
    """Dense, sparse or empty around the price, at the middle or near an end, small or above 2^64."""
    rng = Random(seed)
    spacing = SPACINGS[seed % len(SPACINGS)]
    end = MAX_TICK // spacing * spacing
    reach = rng.choice((6, 60, 200, 400)) * spacing
    far = rng.choice(
        (rng.randrange(-300_000, 300_000), rng.randrange(-440_000, 440_000), rng.choice((-443_000, 443_000)))
    )
    centre = rng.choice((0, rng.randrange(-3000, 3000), far))
    size = rng.choice((10**3, 10**9, 10**12, 10**15, 10**15, 2**70))
    positions = [(-end, end, rng.randrange(1, size))] if rng.random() < 0.7 or spacing == 32896 else []
    for _ in range(0 if spacing == 32896 else rng.randrange(1, 30)):
        lower = max(-end, min(end - spacing, (centre + rng.randrange(-reach, reach)) // spacing * spacing))
        upper = min(end, lower + rng.randrange(1, 2 + reach // spacing) * spacing)
        positions.append((lower, upper, rng.randrange(1, size)))
    ticks = [tick for lower, upper, _ in positions for tick in (lower, upper)]
    tick = rng.choice(ticks) if rng.random() < 0.2 else centre + rng.randrange(-spacing, spacing + 1)
    tick = max(-443_635, min(443_634, tick))
    low, high = ORCA.sqrt_at(tick), ORCA.sqrt_at(tick + 1)
    price = rng.choice((low, high, rng.randrange(low, high), rng.randrange(low, high)))  # high: come from above
    fee = rng.choice((*FEES, rng.randrange(65_536)))
    return Case(price, tick, fee, spacing, tuple(positions))


NO_SWAPS: Final = (Swap(True, U64, False), Swap(False, U64, True), Swap(True, 0, True))
# an initialised tick right before the edge of the third array, and right on it, both ways, from the middle of the first
EDGES: Final = tuple(
    Case(ORCA.sqrt_at(44) + 5, 44, 3000, 1, ((-MAX_TICK, MAX_TICK, 10**12), (-176 + change, 263 - change, 10**12)))
    for change in (0, 1, 2)
)


def questions(of: Case, seed: int, count: int) -> list[Swap]:
    """Both ways, both kinds: amounts of every size, the exact ends of steps, all that the arrays hold and one more."""
    rng, pool, swaps = Random(seed), of.slow(), []
    for down, exact_out in itertools.product((True, False), repeat=2):
        try:
            ends = pool.swap(down, U64 - 1, exact_out).reached
        except Refused as refused:
            ends = (refused.moved,)
        most = max(1, ends[-1])
        amounts = {1, most, max(1, most - 1), min(most + 1, U64 - 1), U64 - 1}
        amounts |= {rng.randrange(1, most + 1) for _ in range(count // 8)}
        amounts |= {max(1, int(most * 10 ** -rng.uniform(0, 12))) for _ in range(count // 8)}
        for amount in sorted(amounts)[-3:]:
            try:
                ends += pool.swap(down, amount, exact_out).reached
            except Refused:
                continue
        exact = [end + change for end in ends for change in (-1, 0, 1) if 0 < end + change < U64]
        amounts |= set(rng.sample(exact, min(len(exact), count // 8)))
        swaps += [Swap(down, amount, exact_out) for amount in sorted(amounts)]
    return swaps


def expected(pool: SlowWhirlpool, swap: Swap) -> Swapped | None:
    """None: refused, or not done in full where a quote refuses that (nothing taken; less paid than asked)."""
    try:
        answer = pool.swap(*swap)
    except Refused:
        return None
    if not answer.amount_in or (swap.exact_out and answer.amount_out != swap.amount):
        return None
    return answer


def answer_of(pool: Any, swap: Swap) -> object:
    """What a pool answers; also its ladder of one has to say so."""
    i, j = (0, 1) if swap.down else (1, 0)
    ladder = (pool.costs if swap.exact_out else pool.proceeds)(i, j, [swap.amount])
    try:
        quote: Quote = (pool.exact_out if swap.exact_out else pool.exact_in)(i, j, swap.amount)
    except QuoteError:
        assert ladder == []
        return REFUSED
    given, other = quote.amount_in, quote.amount_out
    if swap.exact_out:
        given, other = other, given
    assert ladder == ([other] if given == swap.amount else [])
    after: Any = quote.after
    return quote.amount_in, quote.amount_out, after.sqrt_price_x64, after.tick, after.liquidity, quote.ticks_crossed


def checks(cases: Iterable[Case], count: int) -> Iterator[Check]:
    """Whirlpools against the slow reference: each swap alone, then all of a kind as one ladder."""
    for number, of in enumerate(cases):
        pool, ladders = of.slow(), defaultdict[tuple[bool, bool], list[int]](list)
        for swap in [
            *questions(of, number, count),
            Swap(True, U64, False),
            Swap(False, U64, True),
            Swap(True, 0, True),
        ]:
            known = expected(pool, swap)
            answer = REFUSED if known is None else tuple(known)[:6]
            yield Check(f"{of} {swap}", partial(_one, of, swap), answer)
            if swap.amount:
                ladders[swap.down, swap.exact_out].append(swap.amount)
        for (down, exact_out), amounts in ladders.items():
            rising = sorted(amounts)
            yield Check(
                f"{of} ladder", partial(_ladder, of, down, exact_out, rising), ladder(pool, down, exact_out, rising)
            )


def ladder(pool: SlowWhirlpool, down: bool, exact_out: bool, amounts: Iterable[int]) -> list[int]:
    """What a ladder has to say: up to the first amount that cannot be swapped in full."""
    results = []
    for amount in amounts:
        known = expected(pool, Swap(down, amount, exact_out))
        if known is None or (known.amount_out if exact_out else known.amount_in) != amount:
            break
        results.append(known.amount_in if exact_out else known.amount_out)
    return results


def _one(of: Case, swap: Swap, maths: Maths) -> object:
    return answer_of(of.fast(maths), swap)


def _ladder(of: Case, down: bool, exact_out: bool, amounts: list[int], maths: Maths) -> object:
    pool, (i, j) = of.fast(maths), (0, 1) if down else (1, 0)
    return (pool.costs if exact_out else pool.proceeds)(i, j, amounts)


def digest(table: Any, step: int = 31) -> str:
    ticks = range(-MAX_TICK, MAX_TICK + 1, step)
    return hashlib.sha256("".join(f"{table.sqrt_at(tick)}\n" for tick in ticks).encode()).hexdigest()


def table_checks(tables: Callable[[Maths], Any], known: str, name: str) -> Iterator[Check]:
    yield Check(f"{name}: digest", lambda maths: digest(tables(maths)), known)
    table = tables(OURS)
    for tick in (*range(-MAX_TICK, MAX_TICK, 9973), MAX_TICK - 1):
        low, high = table.sqrt_at(tick), table.sqrt_at(tick + 1)
        for price, answer in ((low, tick), (high - 1, tick), ((low + high) // 2, tick), (high, tick + 1)):
            yield Check(f"{name}: tick at {price}", partial(_tick_at, tables, price), answer)


def _tick_at(tables: Callable[[Maths], Any], price: int, maths: Maths) -> object:
    return tables(maths).tick_at(price)


def wrong(checks: Iterable[Check], maths: Maths) -> Iterator[str]:
    """What `maths` answers otherwise. An exception is an answer too."""
    for check in checks:
        try:
            got = check.ask(maths)
        except Exception as error:  # noqa: BLE001 - a mutant may break in any way
            got = error
        if got != check.answer:
            yield f"{check.name}: {got!r} instead of {check.answer!r}"
