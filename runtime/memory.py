"""What a session must not forget: the gate's memory and the OMS's, by names.

The journal keeps it, a tape begins with it.
"""

import msgspec

from risk.memory import Memory


class PositionMemory(msgspec.Struct, frozen=True, array_like=True):
    """One algo's position at one market (`oms/position.py`)."""

    qty_1e8: int
    cost_1e17: int
    realized_1e17: int
    fees_1e9: int
    fill_count: int
    session_start_1e17: int


class SessionMemory(msgspec.Struct, frozen=True):
    """`positions`: algo → market → position; `views`: algo → symbol, of symbols traded at several markets. `tag`,
    `actions`: what client order ids were made of. `is_paper`: whether orders and positions are a paper session's or a
    live one's; None: nobody said.

    Open orders are in the gate's memory alone: the OMS takes them from there.
    """

    gate: Memory
    positions: dict[str, dict[str, PositionMemory]] = {}
    views: dict[str, dict[str, PositionMemory]] = {}
    tag: str = ""
    actions: int = 0
    is_paper: bool | None = None
