"""A curve as the guest's record has it, whatever the protocol."""

from typing import Final

from connectors.amm.concentrated import Concentrated
from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import Curve, QuoteError
from connectors.amm.raydium import Raydium
from connectors.amm.stableswap import StableSwap
from connectors.amm.whirlpool import Whirlpool
from connectors.chain import PoolPlan
from connectors.errors import NumberError
from connectors.onchain.states import State
from connectors.pool import PoolAmm, PoolType

X64: Final = 32  # bits between Uniswap's Q64.96 and the guest's Q64.64


def amm_of(pool: PoolPlan, number: int, state: State, now_ns: int) -> PoolAmm | None:
    """The guest's record of a curve at a block or slot, in the contract's own order of tokens; None for what it cannot
    hold."""
    try:
        return _record(pool, max(number, 1), state, now_ns)
    except (NumberError, QuoteError):
        return None


def _record(pool: PoolPlan, number: int, state: State | Curve, now_ns: int) -> PoolAmm | None:
    if isinstance(state, Concentrated):
        return PoolAmm(
            pool_type=PoolType.V3_CLMM, last_block=number, last_update_ns=now_ns, fee_ppm=state.fee_ppm,
            sqrt_price_x64=state.sqrt_price_x96 >> X64, liquidity=state.liquidity, tick=state.tick,
            tick_spacing=state.ticks.spacing,
        )  # fmt: skip
    if isinstance(state, Raydium | Whirlpool):
        return PoolAmm(
            pool_type=PoolType.V3_CLMM, last_block=number, last_update_ns=now_ns, fee_ppm=state.charged_ppm,
            sqrt_price_x64=state.sqrt_price_x64, liquidity=state.liquidity, tick=state.tick,
            tick_spacing=state.ticks.spacing,
        )  # fmt: skip
    if isinstance(state, ConstantProduct):
        reserve0, reserve1 = state.reserves
        return PoolAmm(
            pool_type=PoolType.V2, last_block=number, last_update_ns=now_ns, fee_ppm=state.fee_ppm,
            reserve0=reserve0, reserve1=reserve1,
        )  # fmt: skip
    if isinstance(state, StableSwap):
        low, high = sorted((pool.base, pool.quote))
        return PoolAmm(
            pool_type=PoolType.STABLESWAP, last_block=number, last_update_ns=now_ns, fee_ppm=-(-state.fee // 10**4),
            reserve0=state.balances[low], reserve1=state.balances[high],
        )  # fmt: skip
    return None
