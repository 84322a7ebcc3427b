"""What Bybit counts in a second, by account: each call by itself, a batch by its orders (venues.md 5.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.sim.exchange.numbers import millis
from runtime.sim.exchange.rates import Window
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import NS

LIMITS: Final[Mapping[str, int]] = {
    "order.create": 20, "order.amend": 10, "order.cancel": 20, "order.cancel-all": 20, "order.create-batch": 20,
    "order.amend-batch": 20, "order.cancel-batch": 20, "order.realtime": 50, "order.history": 50, "execution.list": 50,
    "account.wallet-balance": 50, "user.query-api": 10,
}  # fmt: skip


class Limits:
    """`changed`: other numbers than the usual ones, by method. Raises ValueError for a method that is not counted."""

    def __init__(self, changed: Mapping[str, int]) -> None:
        if unknown := changed.keys() - LIMITS.keys():
            raise ValueError(f"no limit of {min(unknown)!r}; there are {', '.join(LIMITS)}")
        self._windows = {name: Window(limit, NS) for name, limit in {**LIMITS, **changed}.items()}

    def take(self, method: str, count: int, now_ns: int) -> None:
        """Raises Refused: RATE."""
        window = self._windows.get(method)
        if window is not None and not window.take(count, now_ns):
            raise Refused(Refusal.RATE)

    def headers(self, method: str, now_ns: int) -> dict[str, str]:
        """X-Bapi-Limit…, where the method is counted."""
        window = self._windows.get(method)
        if window is None:
            return {}
        return {
            "X-Bapi-Limit": str(window.limit), "X-Bapi-Limit-Status": str(window.left(now_ns)),
            "X-Bapi-Limit-Reset-Timestamp": millis(window.reset_ns(now_ns)),
        }  # fmt: skip
