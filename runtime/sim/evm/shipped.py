"""The world of `serve --sim` and `gateway sim evm`: shipped pools at their real addresses."""

from collections.abc import Sequence
from typing import Any, Final

from connectors.chain import GasModel, PoolPlan
from runtime.chains import Chain
from runtime.sim.evm.abi import checksum
from runtime.sim.evm.faults import EvmFaults
from runtime.sim.evm.liquidity import Mid
from runtime.sim.evm.node import EvmSim
from runtime.sim.evm.world import make_world, market_mid
from runtime.sim.market import Market

GWEI: Final = 10**9
_FEES: Final = {  # (base fee, suggested tip) in wei, of a calm day
    GasModel.EIP1559: (8 * GWEI, GWEI // 10),
    GasModel.ARBITRUM: (GWEI // 100, 0),
    GasModel.OP_STACK: (GWEI // 200, GWEI // 1000),
}


def default_world(
    seed: int,
    chain: Chain,
    *,
    mid: Mid | None = None,
    pools: Sequence[PoolPlan] | None = None,
    block_time_ns: int | None = None,
    faults: EvmFaults | None = None,
) -> EvmSim:
    """A node with the chain's shipped pools, or with `pools`, trading along `mid`, or along a market of its own."""
    market = Market(seed=seed) if mid is None else None
    base_fee, tip = _FEES[chain.gas]
    return make_world(
        chain.pools if pools is None else pools,
        market_mid(market) if market is not None else mid or (lambda _symbol: None),
        chain_id=chain.chain_id,
        seed=seed,
        gas=chain.gas,
        base_fee=base_fee,
        tip=tip,
        multicall=chain.multicall,
        sites=[(f.kind, f.address, f.quoter) for f in chain.factories],
        block_time_ns=chain.block_time_ns if block_time_ns is None else block_time_ns,
        means=chain.counts_as,
        market=market,
        faults=faults,
    )


def facts(sim: EvmSim, chain: Chain, pools: Sequence[PoolPlan] | None = None) -> dict[str, Any]:
    """What a client needs to begin: the contracts, tokens and pools, by checksummed address."""
    named = {name: checksum(address) for name, address in sim.contracts.items()}
    plans = chain.pools if pools is None else pools
    return {
        "chain_id": sim.chain.chain_id,
        "multicall": named["multicall"],
        "factories": {factory.name: factory.address for factory in chain.factories},
        "quoter": named["v3_quoter"],
        "contracts": named,
        "tokens": {token.symbol: token.address for plan in plans for token in plan.tokens},
        "pools": [
            {"address": plan.address, "kind": str(plan.kind), "symbol": plan.symbol,
             "tokens": [token.symbol for token in plan.tokens], "quoter": plan.quoter}
            for plan in plans
        ],
    }  # fmt: skip
