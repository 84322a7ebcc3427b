"""What we tell venues. Only an `Approved` order can be encoded, and only `risk/gate.py` makes one."""

from enum import IntEnum
from typing import Generic, TypeVar

import msgspec


class OrderType(IntEnum):
    """The guest's order types (crate: actions.rs, `OrderType`)."""

    LIMIT = 0
    MARKET = 1
    IOC = 2
    FOK = 3
    POST_ONLY = 4


# What a guest asks for, as it wrote it: order_id, px_1e9, qty_1e8, side, kind (0 new, 1 cancel, 2 amend, 3 intent),
# order_type, venue_id, pool_idx, symbol_idx, and two bytes that only an intent uses (crate: actions.rs, `Action`).
Action = tuple[int, int, int, int, int, int, int, int, int, int]


class NewOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A new order. `side` +1 buy, −1 sell; `qty_1e8` > 0; `px_1e9` is 0 for MARKET.

    `order_id` is the algo's own, `client_order_id` ours: unique, deterministic, and what the venue echoes.
    """

    client_order_id: str
    algo: int
    instrument: int
    order_id: int
    side: int
    px_1e9: int
    qty_1e8: int
    order_type: int


class OfOrder(msgspec.Struct, gc=False, eq=False):
    """Whose order a record is about: the base of what the gate, and for itself the OMS, keep of an approved order."""

    new: NewOrder

    @property
    def client_order_id(self) -> str:
        return self.new.client_order_id

    @property
    def algo(self) -> int:
        return self.new.algo

    @property
    def instrument(self) -> int:
        return self.new.instrument

    @property
    def order_id(self) -> int:
        return self.new.order_id

    @property
    def order_type(self) -> int:
        return self.new.order_type

    @property
    def side(self) -> int:
        return self.new.side


class CancelOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Cancels the order known to the venue as `client_order_id`; `action_id` names this request."""

    client_order_id: str
    algo: int
    instrument: int
    order_id: int
    action_id: str


class AmendOrder(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Changes price and total quantity (incl. what is filled) in place; the order keeps its ids and fills."""

    client_order_id: str
    algo: int
    instrument: int
    order_id: int
    side: int
    px_1e9: int
    qty_1e8: int
    action_id: str


class CancelAll(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Cancels every open order of the account at this venue, ours or not, by one message; `action_id` names it."""

    venue: str
    action_id: str


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What bytes on their way to a venue ask it for, read from the bytes alone. Fields that they do not say are "" or
    0.

    `what`: new, amend, cancel, cancel_all; or the venue's own word for anything else that could move money or orders.
    `symbol` as the bytes have it. `venue_order_id`: where they name an order by the venue's id and not by ours.
    """

    what: str
    client_order_id: str = ""
    symbol: str = ""
    side: int = 0
    px_1e9: int = 0
    qty_1e8: int = 0
    order_type: int = 0
    venue_order_id: str = ""


T_co = TypeVar("T_co", NewOrder, CancelOrder, AmendOrder, CancelAll, covariant=True)


class Approved(msgspec.Struct, Generic[T_co], frozen=True, array_like=True, gc=False):
    """Proof, in the type, that the gate let this pass. Built in `risk/gate.py` only (tests/test_house.py).

    `approval` rises by one with each approval of a session; `checks` is how many checks ran.
    """

    order: T_co
    approval: int
    now_ns: int
    checks: int
