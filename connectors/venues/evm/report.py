"""What a chain's session says of itself, for people and tests."""

import msgspec

from connectors.chain import PoolPlan
from connectors.venues.evm.audit import Check
from connectors.venues.evm.rpc import Head
from connectors.venues.evm.session import ChainSession


class PoolReport(msgspec.Struct, frozen=True):
    """One pool: its marginal price (0: none), its fee, and why it is not shown."""

    plan: PoolPlan
    mid_1e9: int
    fee_ppm: int
    reason: str


class Report(msgspec.Struct, frozen=True):
    """One chain. `head`: of what is shown. `link`: the endpoint that is followed. `lost`: why nothing is shown.

    `pools`: by the engine's index. `reconciled`, `differences`: comparisons with the chain, and how many of them did
    not agree. `checks`: requotes of the chain's own books, by symbol.
    """

    head: Head | None
    link: str
    lost: str
    pools: dict[int, PoolReport]
    reconciled: int
    differences: int
    checks: dict[str, Check]


def report(session: ChainSession) -> Report:
    """Where it stands now."""
    tip, followed, shelf = session.follower.blocks.tip, session.follower.endpoint, session.display.shelf
    pools = {}
    for key, index in session.display.markets.items():
        plan, state = session.plan.pools[key], tip.states[key] if tip is not None else "no block yet"
        fee_ppm = getattr(state, "fee_ppm", plan.fee_ppm)
        pools[index] = PoolReport(plan, shelf.mid_1e9(key, state), fee_ppm, shelf.reason(index))
    return Report(
        tip.head if tip is not None else None, followed.link if followed is not None else "", session.lost, pools,
        session.reconciled[0], session.reconciled[1], dict(session.display.checks),
    )  # fmt: skip
