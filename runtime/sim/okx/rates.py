"""How often OKX lets a client do something: per instrument, per account, per question (venues.md 4.3). Pure."""

from __future__ import annotations

from typing import Final

from runtime.sim.exchange.rates import Window
from runtime.sim.market import NS
from runtime.sim.okx.words import ACCOUNT_RATE, NEUTRAL, TOO_OFTEN

TWO_S: Final = 2 * NS
ONE_BY_ONE: Final = 60
IN_BATCHES: Final = 300
ACCOUNT: Final = 1000
PATHS: Final = {
    "public/time": 10, "public/instruments": 20, "market/books": 40, "market/ticker": 20, "market/tickers": 20,
    "market/trades": 100, "account/balance": 10, "account/config": 5, "account/trade-fee": 5, "asset/currencies": 12,
    "trade/orders-pending": 60, "trade/orders-history": 40, "trade/order": 60, "trade/fills": 60,
    "trade/fills-history": 10, "system/status": 1,
}  # fmt: skip
"""Questions in two seconds (OKX docs, each endpoint's own rate limit)."""


class Rates:
    """The windows of one account; sockets and REST share those of orders."""

    def __init__(self, *, is_held: bool) -> None:
        self._is_held = is_held
        self._orders: dict[tuple[str, bool, str], Window] = {}
        self._account = Window(ACCOUNT, TWO_S)
        self._paths: dict[str, Window] = {}
        self._tags: dict[str, Window] = {}

    def check(self, op: str, symbols: list[str], now_ns: int) -> tuple[str, str] | None:
        """Counts the orders of a request: 60 in 2 s of a kind and instrument, 300 in batches; 1000 for the account."""
        if not self._is_held:
            return None
        kind, is_batch = NEUTRAL[op], op.startswith("batch")
        for symbol in symbols:
            key = (kind, is_batch, symbol)
            window = self._orders.setdefault(key, Window(IN_BATCHES if is_batch else ONE_BY_ONE, TWO_S))
            if not window.take(1, now_ns):
                return TOO_OFTEN
            if kind != "cancel" and not self._account.take(1, now_ns):
                return ACCOUNT_RATE
        return None

    def asks(self, path: str, now_ns: int) -> bool:
        """Whether one more question fits."""
        limit = PATHS.get(path)
        if not self._is_held or limit is None:
            return True
        return self._paths.setdefault(path, Window(limit, TWO_S)).take(1, now_ns)

    def arms(self, tag: str, now_ns: int) -> bool:
        """One cancel-all-after a second for each tag."""
        return not self._is_held or self._tags.setdefault(tag, Window(1, NS)).take(1, now_ns)
