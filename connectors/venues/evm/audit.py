"""Our states and books against the chain's own word, now and then: reconciliation, and requotes of the chain's book.

**Reconciliation**: at one block in so many, every usable endpoint is asked for every state, ticks and all. Where the
followed one differs, our state is wrong; where another differs, one of the two lies.

**Requote**: one in so many emissions of the chain's book is asked of the pools' own quoters at the same block, at about
$100 and $10,000 on either side, in the pool the book would use. A book further off than `check_bps` (three times
that at the larger size) is suppressed, and from then on every emission is asked; what comes after a requote that is
right is shown.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from connectors.amm.curve import Curve
from connectors.chain import ChainPlan
from connectors.onchain.shelf import Shelf
from connectors.onchain.states import Probed, State
from connectors.units import MONEY_DECIMALS, SIZE_ONE
from connectors.venues.evm.abi import Reading
from connectors.venues.evm.batch import Batch
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.endpoint import Endpoint
from connectors.venues.evm.gas import Gas
from connectors.venues.evm.probe import requote_calls, requoted
from connectors.venues.evm.reading import read
from connectors.venues.evm.readings import alone, comparing

CHECKED_MONEY: Final = ((100 * 10**MONEY_DECIMALS, 1), (10_000 * 10**MONEY_DECIMALS, 3))  # size, times check_bps
_PPM: Final = 10**6
PPM_A_BP: Final = 100


class Differences(msgspec.Struct):
    """One reconciliation: endpoint → what differs, "" for nothing. An endpoint that could not answer is missing."""

    asked: int
    found: dict[str, str] = {}


class Check(msgspec.Struct):
    """Requotes of one symbol's book. `suppressed`: why it is not shown now. `worst_ppm`: of the newest requote."""

    emissions: int = 0
    requotes: int = 0
    suppressions: int = 0
    worst_ppm: int = 0
    suppressed: str = ""


def reconcile(
    plan: ChainPlan, block: Block, endpoints: Sequence[Endpoint], done: Callable[[Differences, int], None], now_ns: int
) -> None:
    """Asks each endpoint; `done` is called once, when the last has answered or failed."""
    differences = Differences(len(endpoints))

    def answered(endpoint: Endpoint, results: dict[int, str], why_not: str, now_ns: int) -> None:
        if not why_not:
            differences.found[endpoint.link] = next((text for text in results.values() if text), "")
        differences.asked -= 1
        if not differences.asked:
            done(differences, now_ns)

    for endpoint in endpoints:
        readings = comparing(plan, block.states, range(len(plan.pools)))
        ended = _for(endpoint, answered)
        Batch(endpoint, plan.multicall, block.head.hash, readings, ended, alone=alone(plan)).start(now_ns)


class _Quote(msgspec.Struct, frozen=True):
    """One swap that our book promises: `given` in, `ours` out; off by more than `allowed` millionths it is wrong."""

    key: int
    is_ask: bool
    given: int
    ours: int
    allowed: int


def requoting(
    plan: ChainPlan, shelf: Shelf, block: Block, symbol: str, gas: Gas, worth_1e9: int
) -> Reading[tuple[int, int]]:
    """How far the book of this symbol is off at worst, in millionths, and how much is allowed there.

    `worth_1e9`: what one of its quote is worth in money.

    Where nobody quotes for a pool, its state is read anew and quoted. Raises WireError where a quoter is silent.
    """
    quotes = _quotes(
        plan, shelf, symbol, gas, worth_1e9
    )  # all of them now: by the next answer, other blocks may be shown
    states = block.states
    asked = [
        requote_calls(plan.pools[quote.key], quote.is_ask, quote.given, _curve(states[quote.key])) for quote in quotes
    ]
    answers = yield [call for calls in asked for call in calls]
    worst = (0, plan.check_bps * PPM_A_BP)
    for quote, calls in zip(quotes, asked, strict=True):
        pool = plan.pools[quote.key]
        if calls:
            paid, answers = requoted(pool, answers[: len(calls)]), answers[len(calls) :]
        else:
            fresh = yield from read(pool)
            i, j = (pool.quote, pool.base) if quote.is_ask else (pool.base, pool.quote)
            paid = fresh.exact_in(i, j, quote.given).amount_out if fresh is not None else quote.ours
        off = max((quote.ours - paid) * _PPM // max(quote.ours, 1), 0)
        if off * worst[1] >= worst[0] * quote.allowed:
            worst = off, quote.allowed
    return worst


def _quotes(plan: ChainPlan, shelf: Shelf, symbol: str, gas: Gas, worth_1e9: int) -> list[_Quote]:
    """At each checked size the pool that the book uses there: the cheapest, gas included."""
    made, found = shelf.grids[symbol], []
    for money_1e9, times in CHECKED_MONEY:
        k = made.first_above(money_1e9, worth_1e9)
        if k is None:
            continue
        for is_ask in (True, False):
            costs = {
                key: _cost(plan, key, quotes[k], gas.cost_1e9(plan.pools[key].gas_units, worth_1e9), is_ask=is_ask)
                for key, depth in shelf.depths.items()
                if plan.pools[key].symbol == symbol and k < len(quotes := depth.costs if is_ask else depth.proceeds)
            }
            if costs:
                key = min(costs, key=lambda one: costs[one])
                depth, token = shelf.depths[key], plan.pools[key].tokens[plan.pools[key].base]
                base: int = depth.sizes[k] * 10**token.decimals // SIZE_ONE
                given, ours = (depth.costs[k], base) if is_ask else (base, depth.proceeds[k])
                found.append(_Quote(key, is_ask, given, ours, plan.check_bps * PPM_A_BP * times))
    return found


def _cost(plan: ChainPlan, key: int, money: int, gas_1e9: int | None, *, is_ask: bool) -> int:
    pool = plan.pools[key]
    money_1e9: int = money * 10**MONEY_DECIMALS // 10 ** pool.tokens[pool.quote].decimals
    return (money_1e9 if is_ask else -money_1e9) + (gas_1e9 or 0)


def _curve(state: State) -> Curve | None:
    return None if isinstance(state, str | Probed) else state


def _for(
    endpoint: Endpoint, answered: Callable[[Endpoint, dict[int, str], str, int], None]
) -> Callable[[dict[int, str], str, int], None]:
    return lambda results, why_not, now_ns: answered(endpoint, results, why_not, now_ns)
