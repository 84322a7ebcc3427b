"""What Binance counts: weight of requests by address, unfilled orders by account (venues.md 3.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from runtime.sim.binance.words import Oops
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.rates import Window
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import NS

MINUTE_NS: Final = 60 * NS
DAY_NS: Final = 86_400 * NS
BAN_NS: Final = 120 * NS
PATIENCE: Final = 100
"""Requests after the limit, within one window, that make a ban of it (ours: the venue does not tell how many)."""
WEIGHTS: Final[Mapping[str, int]] = {
    "ping": 1, "time": 1, "exchangeInfo": 20, "trades.recent": 25, "order.place": 1, "order.test": 1,
    "order.status": 4, "order.cancel": 1, "order.cancelReplace": 1, "order.amend.keepPriority": 4,
    "openOrders.cancelAll": 1, "account.status": 20, "account.rateLimits.orders": 40, "allOrders": 20, "myTrades": 20,
    "session.logon": 2, "session.status": 2, "session.logout": 2, "userDataStream.subscribe": 2,
    "userDataStream.subscribe.signature": 2, "userDataStream.unsubscribe": 2,
}  # fmt: skip
CONNECT: Final = 2


def weight_of(method: str, params: Mapping[str, Any]) -> int:
    """What a request costs."""
    if method == "depth":
        text = str(params.get("limit", 100))
        limit = int(text) if text.isdigit() else 100
        return 5 if limit <= 100 else 25 if limit <= 500 else 50 if limit <= 1000 else 250
    if method == "openOrders.status":
        return 6 if params.get("symbol") else 80
    return WEIGHTS.get(method, 2)


class Limits:
    """`weight`: in a minute. `orders`: new ones in ten seconds; in a day 160,000."""

    def __init__(self, weight: int, orders: int) -> None:
        self.weight = Window(weight, MINUTE_NS)
        self.orders = Window(orders, 10 * NS)
        self.day = Window(160_000, DAY_NS)
        self._over = 0
        self._banned_ns = 0

    def spend(self, weight: int, now_ns: int) -> None:
        """Raises Oops: 429 when the weight is used up, 418 for who goes on all the same."""
        if now_ns < self._banned_ns:
            raise self._banned(now_ns)
        if self.weight.take(weight, now_ns):
            self._over = 0
            return
        self._over += 1
        if self._over > PATIENCE:
            self._banned_ns = now_ns + BAN_NS
            raise self._banned(now_ns)
        limit = self.weight.limit
        text = f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. Please use "
        raise Oops(
            429, -1003, f"{text}WebSocket Streams for live updates to avoid polling the API.",
            {"serverTime": now_ns // MS, "retryAfter": self.weight.reset_ns(now_ns) // MS},
        )  # fmt: skip

    def _banned(self, now_ns: int) -> Oops:
        until = self._banned_ns // MS
        return Oops(
            418, -1003, f"Way too much request weight used; IP banned until {until}. Please use WebSocket Streams for "
            "live updates to avoid bans.", {"serverTime": now_ns // MS, "retryAfter": until},
        )  # fmt: skip

    def order(self, now_ns: int) -> None:
        """One new order. Raises Refused: RATE."""
        if not self.orders.left(now_ns) or not self.day.left(now_ns):
            raise Refused(Refusal.RATE)
        self.orders.take(1, now_ns)
        self.day.take(1, now_ns)

    def filled(self, now_ns: int) -> None:
        """An order has traded: it does not count as unfilled any more."""
        self.orders.give_back(1, now_ns)
        self.day.give_back(1, now_ns)

    def limits(self) -> list[dict[str, Any]]:
        """rateLimits of exchangeInfo."""
        return [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": self.weight.limit},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": self.orders.limit},
            {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": self.day.limit},
            {"rateLimitType": "CONNECTIONS", "interval": "MINUTE", "intervalNum": 5, "limit": 300},
        ]  # fmt: skip

    def counts(self, now_ns: int, *, orders: bool) -> list[dict[str, Any]]:
        """rateLimits of an answer: of orders only where it is about orders."""
        used = [self.weight.used(now_ns), self.orders.used(now_ns), self.day.used(now_ns)]
        rows = [row | {"count": count} for row, count in zip(self.limits()[:3], used, strict=True)]
        return rows[1:] + rows[:1] if orders else rows[:1]

    def headers(self, now_ns: int, *, orders: bool) -> tuple[tuple[str, str], ...]:
        """Those of REST."""
        found = [("X-MBX-USED-WEIGHT", str(self.weight.used(now_ns)))]
        found += [("X-MBX-USED-WEIGHT-1M", str(self.weight.used(now_ns)))]
        if orders:
            found += [("X-MBX-ORDER-COUNT-10S", str(self.orders.used(now_ns)))]
            found += [("X-MBX-ORDER-COUNT-1D", str(self.day.used(now_ns)))]
        return tuple(found)
