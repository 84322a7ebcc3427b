"""What a chain's session says of itself, for people and tests."""

from typing import Final

import msgspec

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve
from connectors.amm.stableswap import FEE_ONE, StableSwap
from connectors.chain import PoolPlan
from connectors.onchain.asker import SECOND
from connectors.onchain.record import amm_of
from connectors.onchain.states import Probed, State
from connectors.pool import PoolAmm, PoolGas
from connectors.venues.evm.audit import Check
from connectors.venues.evm.rpc import Head
from connectors.venues.evm.session import ChainSession

_FEE_A_PPM: Final = FEE_ONE // 10**6


class PoolReport(msgspec.Struct, frozen=True):
    """One pool: its marginal price (0: none), its fee, and why it is not shown; what guests are told beside its ladder:
    gas, and its curve where that is computed and shown, as they have it and as we do."""

    plan: PoolPlan
    mid_1e9: int
    fee_ppm: int
    reason: str
    curve: Curve | None
    gas: PoolGas
    amm: PoolAmm | None


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
    tip, followed = session.shown or session.follower.blocks.tip, session.follower.endpoint
    shelf = session.display.shelf
    pools = {}
    for key, index in session.display.markets.items():
        plan, state = session.plan.pools[key], tip.states[key] if tip is not None else "no block yet"
        reason, gas = shelf.reason(index), session.display.gas.of_pool(plan.gas_units)
        is_shown = not session.lost and not reason
        amm = amm_of(plan, tip, state, tip.head.time_s * SECOND) if tip is not None and is_shown else None
        curve = None if isinstance(state, str | Probed) or not is_shown else state
        pools[index] = PoolReport(plan, shelf.mid_1e9(key, state), _fee_ppm(plan, state), reason, curve, gas, amm)
    return Report(
        tip.head if tip is not None else None, followed.link if followed is not None else "", session.lost, pools,
        session.reconciled[0], session.reconciled[1], dict(session.display.checks),
    )  # fmt: skip


def _fee_ppm(plan: PoolPlan, state: State) -> int:
    """The contract's own where it is known, rounded up; else what the plan says."""
    if isinstance(state, StableSwap):
        return -(-state.fee // _FEE_A_PPM)
    return state.fee_ppm if isinstance(state, Concentrated | ConstantProduct) else plan.fee_ppm
