"""What a session must not forget: the gate's memory and the OMS's, by names.

The journal keeps it, a tape begins with it.
"""

import msgspec

from oms.drift import DriftMemory
from risk.memory import Memory


class PositionMemory(msgspec.Struct, frozen=True, array_like=True):
    """One algo's position at one market (`oms/position.py`)."""

    qty_1e8: int
    cost_1e17: int
    realized_1e17: int
    fees_1e9: int
    fill_count: int
    session_start_1e17: int


class AccountMemory(msgspec.Struct, frozen=True):
    """One venue's account: when its last picture was asked for, and what should be there (`oms/drift.py`)."""

    looked_ns: int
    drift: DriftMemory


class SessionMemory(msgspec.Struct, frozen=True):
    """`positions`: algo → market → position; `views`: algo → symbol, of symbols traded at several markets. `tag`,
    `actions`: what client order ids were made of. `is_paper`: whether orders and positions are a paper session's or a
    live one's; None: nobody said. `is_sim`: of venues that died with the process. `born_ns`: when open orders were
    approved. `accounts`: of venues with a private side. `cancelling`: orders that the
    gateway itself wants gone.

    Open orders are in the gate's memory alone: the OMS takes them from there.
    """

    gate: Memory
    positions: dict[str, dict[str, PositionMemory]] = {}
    views: dict[str, dict[str, PositionMemory]] = {}
    tag: str = ""
    actions: int = 0
    is_paper: bool | None = None
    is_sim: bool = False
    born_ns: dict[str, int] = {}
    accounts: dict[str, AccountMemory] = {}
    cancelling: tuple[str, ...] = ()
