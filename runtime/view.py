"""What one algo is shown of one symbol: its state, the features, the books of its venues and pools.

A symbol may be traded at several markets: at the algo's own venue, at others, at pools. The algo is shown one position
in it, the sum of all, marked at its own venue's mid.
"""

from typing import Final

from oms.position import Position
from risk.limits import Limits
from runtime.algostate import AlgoState
from runtime.nbbo import Nbbo
from runtime.pooltables import PoolTables

_NO_FEATURES: Final = bytearray(256)


class SymbolView:
    """The k-th symbol of a deployment.

    `own`: its market at the algo's own venue. `slots`: market of a pool → its slot. `features` is zeros where the guest
    has no such region, `nbbo` None where it has no on_nbbo or the symbol one source only. `position` is kept here only
    where there are several markets: with one, the OMS has the same.
    """

    __slots__ = ("features", "has_news", "is_due", "nbbo", "own", "pools", "position", "slots", "state", "symbol_id")

    def __init__(self, symbol_id: int, own: int, limits: Limits) -> None:
        self.symbol_id = symbol_id
        self.own = own
        self.state = AlgoState(symbol_id, limits)
        self.features = _NO_FEATURES
        self.nbbo: Nbbo | None = None
        self.pools: PoolTables | None = None
        self.slots: dict[int, int] = {}
        self.position: Position | None = None
        self.has_news = False  # a pool's ladder changed since then
        self.is_due = False  # a source's book may have changed since on_nbbo last ran
