"""Intents: "get me this much at that venue, no worse than this price, within so many milliseconds" (crate: actions.rs).

An intent is carried out as IOC orders at its target, one after another, all under the intent's own id; each passes the
gate like any order. Policy 0, IOC sweep: one order at the limit price. Policy 1, aggressive chase: the first at the
touch; what is left is asked again on the next valid book of that market, an eighth of the way from the first price to
the limit dearer each time (at least one tick, on the tick), until it is filled, the limit price itself has been asked
without filling it, the time is over (TTL 0: none), or the gate refuses, which reaches the guest as a reject. The guest
sees each order in its table, and every fill, under the intent's id; between two orders nothing of it is in any table.

Nothing is asked while the order before is in doubt, and what its venue says was filled counts though no execution told
of it yet: an intent gets less than it wanted rather than more.

Time over: what is open is cancelled. A cancel of the id ends it, at once where nothing is open. The kill switch and a
passed loss limit end it, and say so by a reject.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from connectors.events import ExecReport, RejectCode
from connectors.orders import Action, OrderType
from connectors.session import WakeAt
from oms.manager import Order
from oms.state import OrderState
from risk.denial import Denied
from runtime.abi import ActionKind

if TYPE_CHECKING:
    from runtime.desk import Desk
    from runtime.instance import AlgoInstance

STEPS: Final = 8
NEVER_NS: Final = 2**63 - 1
MS_NS: Final = 1_000_000


class Policy(IntEnum):
    """The crate's `IntentPolicy`, in an intent's order_type."""

    IOC_SWEEP = 0
    AGGRESSIVE_CHASE = 1


class Intent:
    """One intent in work. `asked_1e9` is the price of its last order, 0 before the first.

    `orders`: the client order ids of all its orders, and what each of them filled.
    """

    __slots__ = ("action", "algo", "asked_1e9", "deadline_ns", "is_waiting", "left_1e8", "limit_1e9", "market",
                 "newest", "order_id", "orders", "policy", "side", "step_1e9")  # fmt: skip

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
        self.orders: dict[str, int] = {}
        self.newest = ""  # of them
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

    def count(self, order: Order, report: ExecReport) -> None:
        """A report on one of its orders: what was filled, by our count or by the venue's own, whichever is more."""
        venue_1e8 = report.cum_qty_1e8 if order.is_finished else 0
        self.orders[order.client_order_id] = max(self.orders[order.client_order_id], order.filled_1e8, venue_1e8)
        self.left_1e8 = self.action[2] - sum(self.orders.values())


class Intents:
    """All intents of the account, by (algo, order id). `deadline_ns`: of the one whose time is over first."""

    __slots__ = ("_desk", "deadline_ns", "open")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.open: dict[tuple[int, int], Intent] = {}
        self.deadline_ns = NEVER_NS

    def start(self, algo: AlgoInstance, action: Action, now_ns: int) -> None:
        """A guest's intent: judged, and its first order asked for."""
        desk, key = self._desk, (algo.index, action[0])
        target = desk.gate.check_intent(algo.index, action, now_ns, is_known=action[5] <= Policy.AGGRESSIVE_CHASE)
        if isinstance(target, Denied):
            desk.refuse(algo, action, target, now_ns)
            return
        intent = Intent(algo.index, target, action, now_ns)
        self._ask(algo, intent, "algo", now_ns)
        if intent.deadline_ns and key in self.open:
            self.deadline_ns = min(self.deadline_ns, intent.deadline_ns)
            desk.out.append(WakeAt(intent.deadline_ns))

    def _ask(self, algo: AlgoInstance, intent: Intent, by: str, now_ns: int) -> None:
        """One more order of an intent."""
        desk, key = self._desk, (intent.algo, intent.order_id)
        desk.gate.reserved.discard(key)
        market = desk.gate.markets[intent.market]
        tick_1e9 = market.instrument.tick_size_1e9 if market.instrument is not None else 1
        bid_1e9, ask_1e9 = market.book.touch()
        order = intent.order(intent.price_1e9(ask_1e9 if intent.side > 0 else bid_1e9, tick_1e9))
        intent.is_waiting = False
        intent.newest = desk.next_name()
        intent.orders[intent.newest] = 0
        self.open[key] = intent
        if not desk.new(algo, order, intent.action if by == "algo" else order, by, now_ns):
            self.open.pop(key, None)

    def chase(self, market: int, now_ns: int) -> None:
        """A valid book: intents that wait for one at this market ask again."""
        for key, intent in [item for item in self.open.items() if item[1].is_waiting and item[1].market == market]:
            if self.open.get(key) is not intent or not intent.is_waiting:
                continue  # what became of one before it ended this one, too
            algo = self._desk.algos[intent.algo]
            if not algo.is_alive or intent.left_1e8 <= 0 or intent.is_over(now_ns):
                self.forget(intent.algo, intent.order_id)
            else:
                self._ask(algo, intent, "intent", now_ns)

    def follow(self, order: Order, report: ExecReport) -> None:
        """An order was reported on, maybe an intent's: is there more to ask?"""
        intent = self.open.get((order.algo, order.order_id))
        if intent is None or order.client_order_id not in intent.orders:
            return
        intent.count(order, report)
        if not order.is_finished or intent.is_waiting or order.client_order_id != intent.newest:
            return
        if order.state is OrderState.REJECTED or intent.is_spent:
            self.forget(order.algo, order.order_id)
        else:
            intent.is_waiting = True
            self._desk.gate.reserved.add((order.algo, order.order_id))

    def end_waiting(self, algo: int, order_id: int) -> bool:
        """Ends the intent of this id if nothing of it is open; whether there was one."""
        intent = self.open.get((algo, order_id))
        if intent is None or not intent.is_waiting:
            return False
        self.forget(algo, order_id)
        return True

    def expire(self, now_ns: int) -> None:
        """Intents whose time is over end, and what they have open is cancelled."""
        for key in [key for key, intent in self.open.items() if intent.is_over(now_ns)]:
            self.forget(*key)
            self._desk.sweep.cancel_all(lambda live, key=key: (live.algo, live.order_id) == key, now_ns)  # type: ignore[misc]
        self.deadline_ns = min((one.deadline_ns for one in self.open.values() if one.deadline_ns), default=NEVER_NS)

    def drop(self, wanted: Callable[[Intent], bool], code: RejectCode | None, now_ns: int) -> int:
        """Ends intents, telling their guests this code; what they have open is not cancelled here. Returns how many."""
        found = [intent for intent in self.open.values() if wanted(intent)]
        for intent in found:
            self.forget(intent.algo, intent.order_id)
            if code is not None:
                self._desk.rejected(self._desk.algos[intent.algo], intent.order_id, code, intent.action[8], now_ns)
        return len(found)

    def forget(self, algo: int, order_id: int) -> None:
        self.open.pop((algo, order_id), None)
        self._desk.gate.reserved.discard((algo, order_id))
