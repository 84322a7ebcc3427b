"""For authors' own tests of a Python algo: the crate's `testing` module (make_book, AlgoHarness), without its clock.

The harness calls the algo through the same guest as the engine does, so a test meets the same checks and limits.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from connectors.errors import InputError
from runtime.abi import Region
from runtime.python.actions import Action
from runtime.python.guest import PythonGuest, load_python
from runtime.python.layout import Record
from runtime.python.market import NbboSnapshot, VenueBooks
from runtime.python.records import AlgoState, Fill, L2Book, Level, OnlineFeatures, OpenOrder, Reject, SymbolMeta

T0_NS: Final = 1_700_000_000_000_000_000
Pairs = Sequence[tuple[int, int]]


def make_depth(bids: Pairs, asks: Pairs, *, recv_ns: int = T0_NS, symbol_id: int = 0) -> L2Book:
    """A book of (price ×1e9, size ×1e8), best first; at most 20 levels of a side are kept."""
    sides = {"bids": bids[:20], "asks": asks[:20]}
    levels = {name: [Level.of(px_1e9=px, sz_1e8=sz) for px, sz in side] for name, side in sides.items()}
    counts = {"bid_ct": len(levels["bids"]), "ask_ct": len(levels["asks"])}
    return L2Book.of(**levels, **counts, recv_ns=recv_ns, symbol_id=symbol_id)


def make_book(bid_px: int, bid_sz: int, ask_px: int, ask_sz: int, *, recv_ns: int = T0_NS) -> L2Book:
    """One level a side; a price of 0 leaves it empty."""
    bids, asks = [(bid_px, bid_sz)] if bid_px else [], [(ask_px, ask_sz)] if ask_px else []
    return make_depth(bids, asks, recv_ns=recv_ns)


def make_order(order_id: int, side: int, qty_1e8: int, px_1e9: int, status: int, *, filled_1e8: int = 0) -> OpenOrder:
    """An entry of the order table; `qty_1e8` > 0, its sign there comes from `side`."""
    return OpenOrder.of(
        order_id=order_id, side=side, qty_1e8=side * qty_1e8, px_1e9=px_1e9, status=status, filled_1e8=filled_1e8
    )


def make_state(orders: Sequence[OpenOrder] = (), *, symbol_name: str = "BTC-USD", **values: Any) -> AlgoState:
    """An AlgoState with these fields, the others zero; `symbol=SymbolMeta.of(…)`, `risk=RiskSnapshot.of(…)`."""
    return AlgoState.of(
        orders=list(orders), order_ct=len(orders), symbol_name_bytes=symbol_name.encode(), **values
    )  # fmt: skip


def make_symbol(tick_size_1e9: int, lot_size_1e8: int, **values: int) -> SymbolMeta:
    """An instrument's grid."""
    return SymbolMeta.of(tick_size_1e9=tick_size_1e9, lot_size_1e8=lot_size_1e8, **values)


def make_fill(order_id: int, px_1e9: int, qty_1e8: int, side: int, *, recv_ns: int = T0_NS) -> Fill:
    return Fill.of(order_id=order_id, px_1e9=px_1e9, qty_1e8=qty_1e8, side=side, recv_ns=recv_ns)


def make_reject(order_id: int, code: int) -> Reject:
    return Reject.of(order_id=order_id, code=code)


class ActionSnapshot(tuple[Action, ...]):
    """The actions of one callback, with the crate's counts."""

    __slots__ = ()

    def buy_count(self) -> int:
        return sum(action.side > 0 and action.is_cancel == 0 for action in self)

    def sell_count(self) -> int:
        return sum(action.side < 0 and action.is_cancel == 0 for action in self)

    def cancel_count(self) -> int:
        return sum(action.is_cancel == 1 for action in self)


class AlgoHarness:
    """One algo file and what it is shown; set `book`, `state`, `features`, then call. Faults come out as GuestFault.

    `guest.logs` and `guest.sent` hold what it logged and sent.
    """

    def __init__(self, path: str | Path) -> None:
        """Raises AssertionError with the message that `gateway` would print."""
        try:
            self.guest: PythonGuest = load_python(Path(path))
        except InputError as error:
            raise AssertionError(str(error)) from None
        self.book = L2Book()
        self.state = make_state()
        self.features = OnlineFeatures.of(version=1)

    def show(self, region: Region, record: Record) -> None:
        """A region, for instance `Region.CONFIG` with `ConfigRegion.of(params=[5])`."""
        self.guest.show(region, record.to_bytes())

    def tick(self) -> ActionSnapshot:
        """`on_book` with the book set."""
        return _named(self.guest.on_book(_raw(self.book), _raw(self.state), _raw(self.features)))

    def nbbo(self, nbbo: NbboSnapshot, books: VenueBooks) -> ActionSnapshot:
        self.show(Region.VENUE_BOOKS, books)
        self.show(Region.FEATURES, self.features)
        return _named(self.guest.on_nbbo(_raw(nbbo), _raw(self.state)))

    def heartbeat(self) -> ActionSnapshot:
        self.show(Region.FEATURES, self.features)
        return _named(self.guest.on_heartbeat(_raw(self.state)))

    def message(self, sender: int, payload: bytes) -> ActionSnapshot:
        """From the peer with this mesh_id; show a MeshTable first, or its label is empty."""
        return _named(self.guest.on_message(sender, payload, _raw(self.state)))

    def fill(self, fill: Fill) -> None:
        self.guest.on_fill(fill.to_bytes(), _raw(self.state))

    def reject(self, reject: Reject) -> None:
        self.guest.on_reject(reject.to_bytes())

    def shutdown(self) -> ActionSnapshot:
        return _named(self.guest.on_shutdown(_raw(self.state)))


def _raw(record: Record) -> bytearray:
    return bytearray(record.to_bytes())


def _named(actions: Sequence[tuple[int, ...]]) -> ActionSnapshot:
    return ActionSnapshot(Action(*action) for action in actions)
