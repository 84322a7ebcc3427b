"""What a session on a chain says of itself, for people and tests; the same from every venue on a chain.

A session that has one offers it as `report()` (`Reporting`): whoever shows pools asks that, and knows no venue.
"""

from typing import Protocol, runtime_checkable

import msgspec

from connectors.amm.curve import Curve
from connectors.chain import ChainPlan, PoolPlan
from connectors.pool import PoolAmm, PoolGas


class PoolReport(msgspec.Struct, frozen=True):
    """One pool: its marginal price (0: none), its fee, and why it is not shown; what guests are told beside its ladder:
    what a swap costs, and its curve where that is computed and shown, as they have it and as we do."""

    plan: PoolPlan
    mid_1e9: int
    fee_ppm: int
    reason: str
    curve: Curve | None
    gas: PoolGas
    amm: PoolAmm | None


class Checked(msgspec.Struct, frozen=True):
    """How often a symbol's own book was emitted, quoted again, withheld then; `worst_ppm`: of the newest requote."""

    emissions: int = 0
    requotes: int = 0
    suppressions: int = 0
    worst_ppm: int = 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """One chain. `number`: the block, or the slot, of what is shown, 0: of nothing; `block_hash` and `time_ns`: of that
    block, where its chain has them and they are known.

    `link`: the endpoint that is followed. `lost`: why nothing is shown. `pools`: by the engine's index. `reconciled`,
    `differences`: comparisons with the chain, and how many of them did not agree. `checks`: of the chain's own books,
    by symbol. `is_priced`: whether it is known what a swap costs.
    """

    number: int
    block_hash: str = ""
    time_ns: int | None = None
    link: str
    lost: str
    pools: dict[int, PoolReport]
    reconciled: int
    differences: int
    checks: dict[str, Checked] = {}
    is_priced: bool


@runtime_checkable
class Reporting(Protocol):
    """A session that can be asked where it stands."""

    @property
    def plan(self) -> ChainPlan:
        """How it follows the chain."""

    def report(self) -> Report:
        """Where it stands now."""
