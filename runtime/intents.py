"""Intents: "get me this much at that venue, no worse than this price, within so many milliseconds" (crate: actions.rs).

An intent is carried out as IOC orders at its target, one after another, all under the intent's own id; each passes the
gate like any order. Policy 0, IOC sweep: one order at the limit price. Policy 1, aggressive chase: the first at the
touch; what is left is asked again on the next valid book of that market, an eighth of the way from the first price to
the limit dearer each time (at least one tick, on the tick), until it is filled, the limit price itself has been asked
without filling it, the time is over (TTL 0: none), or the gate refuses, which reaches the guest as a reject. The guest
sees each order in its table, and every fill, under the intent's id.

Time over: what is open is cancelled. A cancel of the intent's id ends it.
"""

from enum import IntEnum
from typing import Final

from connectors.orders import Action, OrderType
from runtime.abi import ActionKind

STEPS: Final = 8
MS_NS: Final = 1_000_000


class Policy(IntEnum):
    """The crate's `IntentPolicy`, in an intent's order_type."""

    IOC_SWEEP = 0
    AGGRESSIVE_CHASE = 1


class Intent:
    """One intent in work. `asked_1e9` is the price of its last order, 0 before the first."""

    __slots__ = ("action", "algo", "asked_1e9", "client_order_id", "deadline_ns", "is_waiting", "left_1e8", "limit_1e9",
                 "market", "order_id", "policy", "side", "step_1e9")  # fmt: skip

    def __init__(self, algo: int, market: int, action: Action, now_ns: int) -> None:
        order_id, px_1e9, qty_1e8, side, _, policy, _, _, _, ttl_ms = action
        self.algo = algo
        self.action = action
        self.order_id = order_id
        self.policy = policy
        self.side = side
        self.limit_1e9 = px_1e9
        self.left_1e8 = qty_1e8
        self.deadline_ns = now_ns + ttl_ms * MS_NS if ttl_ms else 0
        self.market = market
        self.client_order_id = ""  # of its newest order
        self.is_waiting = False  # for the next book: no order of it is open
        self.asked_1e9 = 0
        self.step_1e9 = 0

    def price_1e9(self, touch_1e9: int, tick_1e9: int) -> int:
        """The next order's price: the limit for a sweep; for a chase the touch first, then a step further each time."""
        limit, side = self.limit_1e9, self.side
        if self.policy != Policy.AGGRESSIVE_CHASE or not touch_1e9:
            return limit
        if not self.asked_1e9:
            price = touch_1e9
            reach = max((limit - touch_1e9) * side, 0)
            self.step_1e9 = max(-(-reach // (STEPS * tick_1e9)) * tick_1e9, tick_1e9)
        else:
            price = self.asked_1e9 + side * self.step_1e9
            if (touch_1e9 - price) * side > 0:  # the market ran away: ask where it is
                price = touch_1e9
        return price if (limit - price) * side > 0 else limit

    def order(self, px_1e9: int) -> Action:
        """The IOC order to ask the gate for."""
        self.asked_1e9 = px_1e9
        _, _, _, side, _, _, venue_id, pool_idx, symbol_idx, _ = self.action
        kind, ioc = int(ActionKind.NEW), int(OrderType.IOC)
        return (self.order_id, px_1e9, self.left_1e8, side, kind, ioc, venue_id, pool_idx, symbol_idx, 0)

    @property
    def is_spent(self) -> bool:
        """Nothing more is to be asked: filled, swept, or the limit itself was tried."""
        return self.left_1e8 <= 0 or self.policy != Policy.AGGRESSIVE_CHASE or self.asked_1e9 == self.limit_1e9

    def is_over(self, now_ns: int) -> bool:
        return 0 < self.deadline_ns <= now_ns
