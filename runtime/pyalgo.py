"""Algos written in Python: all that their author imports.

    from runtime.pyalgo import Algo, Actions, L2Book

    class MyAlgo(Algo):
        def on_book(self, book, state, features, actions): ...

    ALGO = MyAlgo

Names and numbers are those of the crate `sequence-algo-sdk` 0.4.0. `python/guest.py` runs such a file as a guest; it
is **not sandboxed** (docs/python-algos.md).
"""

from connectors.events import RejectCode
from connectors.orders import OrderType
from runtime.python.actions import MAX_ACTIONS, Action, Actions, IntentPolicy, Status
from runtime.python.context import MeshTable, log, send
from runtime.python.market import (
    ChainFee,
    ChainFeeTable,
    ConfigRegion,
    NbboSnapshot,
    ParamType,
    PoolAmm,
    PoolBooks,
    PoolMeta,
    PoolStateTable,
    VenueBooks,
    chain_id,
    is_cex,
    is_dex,
    pool_type,
    venue_chain_id,
    venue_name,
)
from runtime.python.records import (
    AlgoState,
    Fill,
    L2Book,
    Level,
    OnlineFeatures,
    OpenOrder,
    PnlSnapshot,
    Reject,
    RiskSnapshot,
    SymbolMeta,
)

__all__ = [
    "MAX_ACTIONS", "Action", "Actions", "Algo", "AlgoState", "ChainFee", "ChainFeeTable", "ConfigRegion", "Fill",
    "IntentPolicy", "L2Book", "Level", "MeshTable", "NbboSnapshot", "OnlineFeatures", "OpenOrder", "OrderType",
    "ParamType", "PnlSnapshot", "PoolAmm", "PoolBooks", "PoolMeta", "PoolStateTable", "Reject", "RejectCode",
    "RiskSnapshot", "Status", "SymbolMeta", "VenueBooks", "chain_id", "is_cex", "is_dex", "log", "pool_type", "send",
    "venue_chain_id", "venue_name",
]  # fmt: skip


class Algo:
    """Base of every algo (crate: traits.rs). Override what you need; nothing else of it is called."""

    def on_book(self, book: L2Book, state: AlgoState, features: OnlineFeatures, actions: Actions) -> None:
        """A valid book of the algo's own venue changed."""

    def on_nbbo(
        self, nbbo: NbboSnapshot, books: VenueBooks, state: AlgoState, features: OnlineFeatures, actions: Actions
    ) -> None:
        """Some venue's best price or size changed."""

    def on_message(self, from_: str, payload: bytes, state: AlgoState, actions: Actions) -> None:
        """A peer's message; `from_` is its label."""

    def on_heartbeat(self, state: AlgoState, features: OnlineFeatures, actions: Actions) -> None:
        """Once a second of the engine's time."""

    def on_fill(self, fill: Fill, state: AlgoState) -> None:
        """One execution; `state` already shows its effect."""

    def on_reject(self, reject: Reject) -> None:
        """One refusal, the gate's or the venue's."""

    def on_shutdown(self, state: AlgoState, actions: Actions) -> None:
        """The last call: cancel what is open."""
