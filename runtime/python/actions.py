"""What a Python algo asks for: the crate's `Actions`, each field checked to be an integer that its record can hold.

In Rust the compiler sees to that; here a float, a bool or a number out of range breaks the contract at once, with the
field and the value named. Nothing is rounded, cut or wrapped: no float decides money.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from connectors.orders import Action as Raw
from connectors.orders import OrderType
from runtime.abi import ACTIONS_MAX, ActionKind, GuestStatus
from runtime.python.context import refuse
from runtime.python.records import AlgoState

MAX_ACTIONS: Final = ACTIONS_MAX
ACTION_NEW, ACTION_CANCEL, ACTION_AMEND, ACTION_INTENT = ActionKind
Status = GuestStatus


class IntentPolicy:
    """How an intent is executed."""

    IOC_SWEEP, AGGRESSIVE_CHASE = range(2)


_U64: Final = (0, 2**64 - 1)
_I64: Final = (-(2**63), 2**63 - 1)
_U8: Final = (0, 255)
# as in `Raw`; the crate calls the kind `is_cancel`
_FIELDS: Final = (
    ("order_id", *_U64), ("px_1e9", *_U64), ("qty_1e8", *_I64), ("side", -128, 127), ("is_cancel", *_U8),
    ("order_type", *_U8), ("venue_id", *_U8), ("pool_idx", *_U8), ("symbol_idx", *_U8), ("ttl_ms", 0, 65_535),
)  # fmt: skip


class Action(NamedTuple):
    """One action under the crate's names; `ttl_ms` is an intent's, in the struct's last two bytes.

    By default a new limit order at the instance's own venue: `Action(7, px, qty, side=1, venue_id=2)`.
    """

    order_id: int
    px_1e9: int
    qty_1e8: int
    side: int
    is_cancel: int = 0
    order_type: int = 0
    venue_id: int = 0
    pool_idx: int = 0
    symbol_idx: int = 0
    ttl_ms: int = 0


_NOTHING: Final = (0,) * 10


def checked(raw: tuple[object, ...]) -> Raw:
    """The ten fields as plain integers. Raises GuestFault for the first that is none or does not fit."""
    for (name, low, high), value in zip(_FIELDS, raw, strict=True):
        if type(value) is int and low <= value <= high:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            refuse("action", f"{name} is {value!r}, a {type(value).__name__}: give an int")
        elif not low <= value <= high:
            refuse("action", f"{name} is {value:d}: it must be from {low} to {high}")
    return tuple(map(_plain, raw))  # type: ignore[return-value,arg-type]


def _plain(value: int) -> int:
    return value if type(value) is int else int.__index__(value)


class Actions:
    """At most 16 a callback: a method that adds one returns False when it is full, and nothing was added."""

    __slots__ = ("_list",)

    def __init__(self) -> None:
        self._list: list[Raw] = []

    def _add(
        self, order_id: int, px_1e9: int, qty_1e8: int, side: int, kind: int, order_type: int, venue_id: int = 0,
        pool_idx: int = 0, symbol_idx: int = 0, ttl_ms: int = 0,
    ) -> bool:  # fmt: skip
        action = checked((order_id, px_1e9, qty_1e8, side, kind, order_type, venue_id, pool_idx, symbol_idx, ttl_ms))
        if len(self._list) >= MAX_ACTIONS:
            return False
        self._list.append(action)
        return True

    # --- orders ----------------------------------------------------------------------------------------------------

    def order_typed(self, order_id: int, side: int, qty_1e8: int, px_1e9: int, order_type: int) -> bool:
        """A new order; `side` 1 buys, −1 sells."""
        return self._add(order_id, px_1e9, qty_1e8, side, ACTION_NEW, order_type)

    def order(self, order_id: int, side: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, side, qty_1e8, px_1e9, OrderType.LIMIT)

    def buy(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, 1, qty_1e8, px_1e9, OrderType.LIMIT)

    def sell(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, -1, qty_1e8, px_1e9, OrderType.LIMIT)

    def market_buy(self, order_id: int, qty_1e8: int) -> bool:
        return self.order_typed(order_id, 1, qty_1e8, 0, OrderType.MARKET)

    def market_sell(self, order_id: int, qty_1e8: int) -> bool:
        return self.order_typed(order_id, -1, qty_1e8, 0, OrderType.MARKET)

    def ioc_buy(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, 1, qty_1e8, px_1e9, OrderType.IOC)

    def ioc_sell(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, -1, qty_1e8, px_1e9, OrderType.IOC)

    def fok_buy(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, 1, qty_1e8, px_1e9, OrderType.FOK)

    def fok_sell(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, -1, qty_1e8, px_1e9, OrderType.FOK)

    def post_only_buy(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, 1, qty_1e8, px_1e9, OrderType.POST_ONLY)

    def post_only_sell(self, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self.order_typed(order_id, -1, qty_1e8, px_1e9, OrderType.POST_ONLY)

    def buy_symbol(self, symbol_idx: int, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        """A limit order on another symbol of the deployment."""
        return self._add(order_id, px_1e9, qty_1e8, 1, ACTION_NEW, OrderType.LIMIT, symbol_idx=symbol_idx)

    def sell_symbol(self, symbol_idx: int, order_id: int, qty_1e8: int, px_1e9: int) -> bool:
        return self._add(order_id, px_1e9, qty_1e8, -1, ACTION_NEW, OrderType.LIMIT, symbol_idx=symbol_idx)

    def push(self, action: Action) -> bool:
        """Any action field by field, which the crate does not offer: the only way to aim at a venue or pool."""
        return self._add(*action)

    def cancel(self, order_id: int) -> bool:
        return self._add(order_id, 0, 0, 0, ACTION_CANCEL, 0)

    def cancel_all(self, state: AlgoState) -> None:
        """Cancels live orders (not PENDING ones), as many as still fit."""
        for order in state.orders[: state.order_ct]:
            if order.is_live() and not self.is_full():
                self.cancel(order.order_id)

    def amend(self, order_id: int, new_qty_1e8: int, new_px_1e9: int) -> bool:
        """New price and total quantity in place; the order keeps its id."""
        return self._add(order_id, new_px_1e9, new_qty_1e8, 0, ACTION_AMEND, 0)

    def intent(
        self, intent_id: int, venue_id: int, side: int, qty_1e8: int, limit_px_1e9: int, policy: int, ttl_ms: int
    ) -> bool:
        """Asks for execution at another venue within `ttl_ms`; 0 has no end."""
        return self._add(intent_id, limit_px_1e9, qty_1e8, side, ACTION_INTENT, policy, venue_id, ttl_ms=ttl_ms)

    # --- the buffer ------------------------------------------------------------------------------------------------

    def clear(self) -> None:
        self._list.clear()

    def clear_at(self, idx: int) -> None:
        """Makes one a no-op; its place stays taken."""
        if 0 <= idx < len(self._list):
            self._list[idx] = _NOTHING

    def get(self, idx: int) -> Action | None:
        return Action(*self._list[idx]) if 0 <= idx < len(self._list) else None

    def __iter__(self) -> Iterator[Action]:
        return (Action(*raw) for raw in self._list)

    def __len__(self) -> int:
        return len(self._list)

    def iter(self) -> Iterator[Action]:
        return self.__iter__()

    def len(self) -> int:
        return self.__len__()

    def is_empty(self) -> bool:
        return not self._list

    def is_full(self) -> bool:
        return len(self._list) >= MAX_ACTIONS

    def taken(self) -> list[Raw]:
        """For the engine: an algo that keeps its `actions` cannot change these afterwards."""
        return self._list.copy()
