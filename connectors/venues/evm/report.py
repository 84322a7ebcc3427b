"""What an EVM chain's session says of itself."""

from typing import TYPE_CHECKING, Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.stableswap import FEE_ONE, StableSwap
from connectors.chain import PoolPlan
from connectors.onchain.asker import SECOND
from connectors.onchain.record import amm_of
from connectors.onchain.report import Checked, PoolReport, Report
from connectors.onchain.states import Probed, State

if TYPE_CHECKING:
    from connectors.venues.evm.session import ChainSession

_FEE_A_PPM: Final = FEE_ONE // 10**6


def report(session: "ChainSession") -> Report:
    """Where it stands now."""
    tip, followed = session.shown or session.follower.blocks.tip, session.follower.endpoint
    shelf = session.display.shelf
    pools = {}
    for key, index in session.display.markets.items():
        plan, state = session.plan.pools[key], tip.states[key] if tip is not None else "no block yet"
        reason, gas = shelf.reason(index), session.display.gas.of_pool(plan.gas_units)
        is_shown = not session.lost and not reason
        amm = amm_of(plan, tip.head.number, state, tip.head.time_s * SECOND) if tip is not None and is_shown else None
        curve = None if isinstance(state, str | Probed) or not is_shown else state
        pools[index] = PoolReport(plan, shelf.mid_1e9(key, state), _fee_ppm(plan, state), reason, curve, gas, amm)
    checks = {
        symbol: Checked(check.emissions, check.requotes, check.suppressions, check.worst_ppm)
        for symbol, check in session.display.checks.items()
    }
    return Report(
        number=tip.head.number if tip is not None else 0, block_hash=tip.head.hash if tip is not None else "",
        time_ns=tip.head.time_s * SECOND if tip is not None else None, pools=pools, checks=checks,
        link=followed.link if followed is not None else "", lost=session.lost, reconciled=session.reconciled[0],
        differences=session.reconciled[1], is_priced=session.display.gas.cost_1e9(0) is not None,
    )  # fmt: skip


def _fee_ppm(plan: PoolPlan, state: State) -> int:
    """The contract's own where it is known, rounded up; else what the plan says."""
    if isinstance(state, StableSwap):
        return -(-state.fee // _FEE_A_PPM)
    return state.fee_ppm if isinstance(state, Concentrated | ConstantProduct) else plan.fee_ppm
