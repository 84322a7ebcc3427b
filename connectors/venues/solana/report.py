"""What Solana's session says of itself."""

from typing import TYPE_CHECKING

from connectors.amm.raydium import Raydium
from connectors.amm.whirlpool import Whirlpool
from connectors.onchain.asker import SECOND
from connectors.onchain.record import amm_of
from connectors.onchain.report import PoolReport, Report
from connectors.onchain.states import Probed
from connectors.venues.solana.display import UNREAD

if TYPE_CHECKING:
    from connectors.venues.solana.session import SolanaSession


def report(session: "SolanaSession") -> Report:
    """Where it stands now. `reconciled` counts reads, `differences` what they found and nothing had told of, and what
    contradicted them."""
    display, followed, at = session.display, session.follower.endpoint, session.display.at
    pools = {}
    for place, index in display.markets.items():
        plan, state = session.plan.pools[place], at.states[place]
        reason, gas = display.shelf.reason(index), display.cost.of_pool(plan.gas_units)
        is_shown = not session.lost and not reason and not isinstance(state, str)
        curve = None if isinstance(state, str | Probed) or not is_shown else state
        amm = amm_of(plan, at.number_of(place), state, at.read_ns[place]) if is_shown and place in at.read_ns else None
        fee_ppm = state.fee_ppm if isinstance(state, Raydium | Whirlpool) else plan.fee_ppm
        fee_ppm = amm.fee_ppm if amm is not None else fee_ppm  # with the part that volatility makes
        if state == UNREAD and not session.lost:
            reason = ""  # nobody has said anything of it yet
        pools[index] = PoolReport(plan, display.shelf.mid_1e9(place, state), fee_ppm, reason, curve, gas, amm)
    time_s = session.follower.time_s
    return Report(
        number=at.number, time_ns=time_s * SECOND if time_s else None, pools=pools,
        link=followed.link if followed is not None else "", lost=session.lost, reconciled=session.follower.reads,
        differences=session.follower.differences, is_priced=display.cost.cost_1e9(0) is not None,
    )  # fmt: skip
