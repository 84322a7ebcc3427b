"""Asks for an order's fills whenever the user channel shows that more of it is filled than was told.

GET /orders/historical/fills?order_ids=…: all fills of that order, so that each one's place in the order, and with it
what was filled after it, is known however many of them one cumulative state put together. Those that were filled before
this session heard of the order are not told here: a look tells them. The list may lag behind the channel: what is
missing is asked for again after 0.25, 0.5, 1, 2 … s, ten seconds in all, then a look is.
"""

from decimal import Decimal
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.events import Notice, RejectCode
from connectors.exchange.account import Account
from connectors.exchange.amounts import amount_1e8
from connectors.exchange.executions import Executions
from connectors.exchange.known import Known
from connectors.exchange.rest import Question, Reply, Rest
from connectors.exchange.told import Told, said
from connectors.exchange.verdict import Next
from connectors.session import Output, WakeAt
from connectors.units import SIZE_DECIMALS
from connectors.venues.coinbase import private
from connectors.venues.coinbase.errors import classify
from connectors.venues.coinbase.executions import told_of_fill
from connectors.venues.coinbase.limits import Limits
from connectors.venues.coinbase.names import Names

NAME: Final = "fills of an order"
PATH: Final = "/api/v3/brokerage/orders/historical/fills"
PAGE: Final = 100
PAGES_MAX: Final = 200
LAG_NS: Final = 10 * 10**9  # what the list may lag behind the channel
_FIRST_NS: Final = 250_000_000
_ANSWER_NS: Final = 12 * 10**9  # the door answers before that
_KEPT: Final = 8192
_UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class _Order:
    """`told_1e8`: filled as far as the list was told, or a snapshot said. `wanted_1e8`: as the channel has it."""

    __slots__ = (
        "again_ns", "base_1e8", "cursor", "found", "pages", "question", "since_ns", "told_1e8", "tries", "venue_id",
        "wanted_1e8",
    )  # fmt: skip

    def __init__(self, venue_id: str) -> None:
        self.venue_id = venue_id
        self.base_1e8 = self.told_1e8 = self.wanted_1e8 = 0
        self.since_ns = self.again_ns = self.tries = 0
        self.question: Question | None = None
        self.begin()

    def begin(self) -> None:
        self.found: dict[str, Told] = {}
        self.cursor = ""
        self.pages = 0

    @property
    def is_behind(self) -> bool:
        return self.wanted_1e8 > self.told_1e8


class Fills:
    """One session's."""

    def __init__(self, account: Account, rest: Rest, executions: Executions, limits: Limits, names: Names) -> None:
        self._account = account
        self._rest = rest
        self._executions = executions
        self._limits = limits
        self._names = names
        self._orders: dict[str, _Order] = {}
        self._behind: dict[str, _Order] = {}

    def owns(self, question: Question) -> bool:
        return isinstance(question.carry, _Order)

    def _order(self, venue_id: str) -> _Order:
        found = self._orders.get(venue_id)
        if found is None:
            if len(self._orders) >= _KEPT:
                old = next((name for name in self._orders if name not in self._behind), venue_id)
                self._orders.pop(old, None)
            found = self._orders[venue_id] = _Order(venue_id)
        return found

    def stood(self, told: Told) -> None:
        """A snapshot says how far it was filled. Raises WireError."""
        order = self._order(told.venue_id)
        if told.cum is not None and not order.is_behind:
            order.base_1e8 = order.told_1e8 = order.wanted_1e8 = max(order.told_1e8, amount_1e8(told.cum))

    def saw(self, told: Told, now_ns: int) -> None:
        """News of an order. Raises WireError."""
        if not told.cum:
            return
        order = self._order(told.venue_id)
        cum_1e8 = amount_1e8(told.cum)
        if cum_1e8 > order.wanted_1e8:
            if not order.is_behind:
                order.tries = order.again_ns = 0
            order.wanted_1e8, order.since_ns = cum_1e8, now_ns
            self._behind[order.venue_id] = order

    def tick(self, now_ns: int) -> list[Output]:
        """Asks what is due and can be paid; gives up what does not come."""
        out: list[Output] = []
        for order in list(self._behind.values()) if not self._account.halted else ():
            if order.question is not None and now_ns - order.question.sent_ns >= _ANSWER_NS:
                self._rest.forget(order.question)
                out += self._later(order, now_ns, "no answer")
            if order.question is None and order.venue_id in self._behind and now_ns >= order.again_ns:
                out += self._ask(order, now_ns)
        return out

    def _ask(self, order: _Order, now_ns: int) -> list[Output]:
        wait_ns = self._limits.wait_ns(NAME, now_ns)
        if wait_ns:
            return [WakeAt(now_ns + wait_ns)]
        query = f"order_ids={order.venue_id}&limit={PAGE}" + (f"&cursor={order.cursor}" if order.cursor else "")
        order.question, send = self._rest.ask(NAME, f"GET {PATH}", query, now_ns, carry=order)
        return [send]

    def answered(self, question: Question, reply: Reply, now_ns: int) -> list[Output]:
        order = question.carry
        if not isinstance(order, _Order) or order.question is not question:
            return []
        order.question = None
        if reply.error:
            return self._refused(order, reply, now_ns)
        try:
            page = private.decode_fills(reply.result)
            fresh = [told_of_fill(fill, self._names) for fill in page.fills if fill.order_id == order.venue_id]
        except _UNREADABLE as error:
            return self._later(order, now_ns, str(error))
        cursor, order.pages = page.cursor or "", order.pages + 1
        order.found.update((told.exec_id, told) for told in fresh)
        if cursor and page.fills and cursor != order.cursor and order.pages < PAGES_MAX:
            order.cursor = cursor
            return self._ask(order, now_ns)
        try:
            return self._fold(order, now_ns)
        except _UNREADABLE as error:
            return self._later(order, now_ns, str(error))

    def _refused(self, order: _Order, reply: Reply, now_ns: int) -> list[Output]:
        if not reply.is_silent:
            verdict = classify(reply.error)
            if verdict.next is Next.HALT:
                return self._account.halt(reply.error, f"{NAME}: {reply.error}")
            if verdict.next is Next.RENEW:
                self._account.renew_why = reply.error
            if verdict.code is RejectCode.RATE_LIMIT:
                self._limits.overrun(now_ns)
        return self._later(order, now_ns, reply.error)

    def _fold(self, order: _Order, now_ns: int) -> list[Output]:
        """Every fill with what was filled after it; those that were told are nothing new. Raises WireError."""
        out: list[Output] = []
        cum_1e8 = 0
        known = self._account.orders.find(order.venue_id)
        found = list(order.found.values())[::-1]  # the list begins with the newest
        found.sort(key=lambda told: told.ts_ns)
        order.begin()
        for told in found:
            cum_1e8 += amount_1e8(said(told.last_qty))
            if cum_1e8 > order.base_1e8:
                out += self._told(told, cum_1e8, known, now_ns)
        order.told_1e8 = max(order.told_1e8, cum_1e8)
        if order.is_behind:
            return out + self._later(order, now_ns, "not all of them are there yet")
        self._behind.pop(order.venue_id, None)
        return out

    def _told(self, told: Told, cum_1e8: int, known: Known | None, now_ns: int) -> list[Output]:
        is_ours = known is not None and known.is_ours and known.instrument >= 0
        cum = Decimal(cum_1e8).scaleb(-SIZE_DECIMALS) if is_ours else None
        return self._executions.fold(msgspec.structs.replace(told, cum=cum), now_ns)

    def _later(self, order: _Order, now_ns: int, why: str) -> list[Output]:
        order.question = None
        order.begin()
        wait_ns = _FIRST_NS << order.tries
        order.tries = min(order.tries + 1, 4)
        if now_ns + wait_ns - order.since_ns <= LAG_NS:
            order.again_ns = now_ns + wait_ns
            return [WakeAt(order.again_ns)]
        self._behind.pop(order.venue_id, None)
        order.told_1e8 = order.wanted_1e8  # what is more than this is asked for; this, a look has to find
        self._account.look_why = f"fills of order {order.venue_id}: {why}"
        return [Notice("warning", f"{self._account.venue}: {self._account.look_why}")]
