"""The world of `serve --sim` and `gateway sim solana`: pools at their own addresses, trading along a market."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from connectors.chain import PoolPlan
from runtime.sim.evm.liquidity import Mid, Prices
from runtime.sim.evm.world import market_mid
from runtime.sim.market import Market
from runtime.sim.solana import keys
from runtime.sim.solana.faults import SolanaFaults
from runtime.sim.solana.keys import MAINNET
from runtime.sim.solana.ledger import Ledger
from runtime.sim.solana.node import SLOT_NS, SolanaSim
from runtime.sim.solana.world import World

MEANS: Final = {"WSOL": "SOL", "mSOL": "SOL", "JitoSOL": "SOL"}  # staked SOL is worth no more than SOL here


def default_world(
    seed: int,
    pools: Sequence[PoolPlan],
    *,
    mid: Mid | None = None,
    genesis: str = MAINNET,
    means: Mapping[str, str] | None = None,
    slot_ns: int = SLOT_NS,
    faults: SolanaFaults | None = None,
    is_alive: bool = True,
) -> SolanaSim:
    """A node with these pools, trading along `mid`, or along a market of its own.

    `means`: what a token counts as; `slot_ns` 0: slots come by `sim_slot` alone; not `is_alive`: nobody trades.
    """
    market = Market(seed=seed) if mid is None else None
    prices = Prices(
        market_mid(market) if market is not None else mid or (lambda _symbol: None), {**MEANS, **(means or {})}
    )
    world = World(pools, prices, seed, market, is_alive=is_alive)
    return SolanaSim(Ledger(world, seed=seed, genesis=genesis), faults=faults, interval_ns=slot_ns)


def facts(sim: SolanaSim, pools: Sequence[PoolPlan]) -> dict[str, Any]:
    """What a client needs to begin: the chain, its tokens and pools, by key."""
    return {
        "genesis": sim.ledger.genesis,
        "programs": {"raydium_clmm": keys.RAYDIUM, "orca_whirlpool": keys.ORCA},
        "tokens": {token.symbol: token.address for plan in pools for token in plan.tokens},
        "pools": [
            {"address": plan.address, "kind": str(plan.kind), "symbol": plan.symbol,
             "tokens": [token.symbol for token in plan.tokens], "mints": [token.address for token in plan.tokens]}
            for plan in pools
        ],
    }  # fmt: skip
