"""What the session asks of pools besides what `reading.py` reads: ladders of probed pools, and comparisons."""

from collections.abc import Iterable, Mapping

from connectors.amm.concentrated import Concentrated
from connectors.amm.curve import Curve
from connectors.chain import ChainPlan, PoolPlan
from connectors.errors import PoolRefused
from connectors.onchain.shelf import sizes_of
from connectors.onchain.states import Probed, State
from connectors.units import MONEY_DECIMALS, SIZE_DECIMALS
from connectors.venues.evm.abi import Reading
from connectors.venues.evm.probe import probe_calls, probe_results
from connectors.venues.evm.reading import differs, read, scalars


def reading(plan: ChainPlan, pool: PoolPlan, before: State = "") -> Reading[State]:
    """The pool's state at one block: its curve, or what it answers itself.

    `before`: its state at an earlier block, if any: a pool that was probed then is what the plan says already.
    """
    curve = None if isinstance(before, Probed) else (yield from read(pool))
    return curve if curve is not None else (yield from _probing(plan, pool))


def alone(plan: ChainPlan) -> frozenset[int]:
    """Pools whose old contracts may burn the gas of calls behind theirs: Curve's."""
    return frozenset(key for key, pool in enumerate(plan.pools) if pool.kind.startswith("curve"))


def comparing(plan: ChainPlan, states: Mapping[int, State], keys: Iterable[int]) -> dict[int, Reading[str]]:
    """One comparison for each pool whose state is computed: empty texts where the chain agrees."""
    found: dict[int, Reading[str]] = {}
    seen = set()
    for key in keys:
        pool, state = plan.pools[key], states[key]
        if not isinstance(state, str | Probed) and scalars(pool) and pool.address not in seen:
            seen.add(pool.address)
            found[key] = _comparing(pool, state)
    return found


def _comparing(pool: PoolPlan, curve: Curve) -> Reading[str]:
    """The cheap part first; of a pool with ticks then all of it, for liquidity beside the price shows nowhere else."""
    answers = yield scalars(pool)
    difference = differs(pool, curve, answers)
    if not difference and isinstance(curve, Concentrated):
        difference = _ticks_differ(curve, (yield from read(pool)))
    return f"{pool.address}: {difference}" if difference else ""


def _ticks_differ(ours: Concentrated, theirs: Curve | None) -> str:
    """'' or the first tick that is not the same, where both were read."""
    if not isinstance(theirs, Concentrated):
        return "it is of another kind"
    low, high = max(ours.ticks.low, theirs.ticks.low), min(ours.ticks.high, theirs.ticks.high)
    mine, its = ours.ticks.entries(), theirs.ticks.entries()
    for tick in sorted(mine.keys() | its.keys()):
        if low <= tick <= high and mine.get(tick) != its.get(tick):
            return f"tick {tick} is {its.get(tick)}, was {mine.get(tick)}"
    return ""


def _probing(plan: ChainPlan, pool: PoolPlan) -> Reading[State]:
    """Sells each size of money for the base token, then as much of the base token as that brought, for money."""
    quote, base = pool.tokens[pool.quote], pool.tokens[pool.base]
    money = [size * 10**quote.decimals // 10**MONEY_DECIMALS for size in sizes_of(plan, quote.symbol)]
    amounts = [amount for amount in dict.fromkeys(money) if amount]
    asks, _ = probe_results(pool, amounts, (), (yield probe_calls(pool, amounts, ())))
    step = 10 ** max(base.decimals - SIZE_DECIMALS, 0)
    bases = [received // step * step for _, received in asks]
    amounts = [amount for amount in dict.fromkeys(bases) if amount]
    if not amounts:
        raise PoolRefused("it answers no size of the ladder")
    _, bids = probe_results(pool, (), amounts, (yield probe_calls(pool, (), amounts)))
    return Probed(tuple(asks), tuple(bids))
