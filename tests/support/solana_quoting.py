"""Questions to `gateway quote` on Solana, and dumps that something is missing of."""

from pathlib import Path

from connectors.base58 import key_bytes
from connectors.chain import PoolKind, PoolPlan
from runtime.chains import shipped
from runtime.sim.solana.node import SolanaSim
from tests.support.solana_served import dumped, stored

POOLS = {pool.address: pool for pool in shipped("solana").pools if pool.symbol == "SOL/USD"}
ORCA = next(pool for pool in POOLS.values() if pool.kind is PoolKind.ORCA_WHIRLPOOL)
RAYDIUM = next(pool for pool in POOLS.values() if pool.kind is PoolKind.RAYDIUM_CLMM)
VOLATILE = next(pool for pool in POOLS.values() if pool.kind is PoolKind.RAYDIUM_CLMM and pool is not RAYDIUM)
SOL = shipped("solana").tokens["SOL"].address
USDC = shipped("solana").tokens["USDC"].address
ARRAYS = {"c09b55cd31f9812a", "4561bdbe6e0742bb", "11d8f68ee1c7da38"}  # Raydium's; Orca's fixed and dynamic


def asking(pool: PoolPlan, token_in: str = SOL, amount: int = 10**9, **where: object) -> list[object]:
    source = [part for name, value in where.items() for part in (f"--{name}", value)]
    return ["quote", *source, "--pool", pool.address, "--token-in", token_in, "--amount", amount]


def without(sim: SolanaSim, file: Path, *left_out: str) -> Path:
    return dumped(file, {key: account for key, account in stored(sim).items() if key not in left_out})


def arrays_of(sim: SolanaSim, pool: PoolPlan) -> list[str]:
    """The pool's tick arrays: what is of their types and names the pool."""
    name = key_bytes(pool.address)
    return [key for key, one in stored(sim).items() if one.data[:8].hex() in ARRAYS and name in one.data]
