"""What a swap costs besides the pool's fee, as those who show pools need it; each chain estimates it in its own way."""

from typing import Protocol

from connectors.pool import ChainFee, PoolGas
from connectors.units import MONEY_DECIMALS


class SwapCost(Protocol):
    """The newest estimate, rather too high than too low; None: not known. `native_1e9`: the native coin in money."""

    native_1e9: int

    def cost_1e9(self, units: int, worth_1e9: int = 10**MONEY_DECIMALS) -> int | None:
        """What a swap of so many units costs, rounded up, in a currency of which one is worth so much money."""

    def missing(self, native: str) -> str:
        """What is not known of the cost, and what can be done about it; '' for nothing."""

    def of_pool(self, units: int) -> PoolGas:
        """The guest's fields, rounded up; all 0 while the cost is not known."""

    def of_chain(self, chain_id: int, now_ns: int) -> ChainFee | None:
        """The guest's ChainFee."""
