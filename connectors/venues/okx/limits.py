"""OKX's rate limits, met before it has to say so. https://www.okx.com/docs-v5/en/#overview-rate-limits

Orders, amends and cancels: 60 in 2 s of each at one market, over HTTP and socket together; whether the three share one
count is told differently in different places, so one count is kept for all, a third of it for cancels alone. Batches
have a count of their own, by orders. New orders and amends of the whole account: 1000 in 2 s (cancels are not counted).
Questions: each its own count, as its page says.
"""

from collections.abc import Sequence
from typing import Final

from connectors.exchange.budget import Budget, Rule
from connectors.exchange.known import Known

_SPAN_NS: Final = 2 * 10**9
ORDERS: Final = "orders"
BATCHES: Final = "orders in batches"
ACCOUNT: Final = "orders of the account"
_ORDER_RULES: Final = {
    ORDERS: Rule(60, _SPAN_NS),
    BATCHES: Rule(300, _SPAN_NS, 0),
    ACCOUNT: Rule(1000, _SPAN_NS, 0),
}
_QUESTIONS: Final = {
    "config": Rule(5, _SPAN_NS, 0),
    "time": Rule(10, _SPAN_NS, 0),
    "instruments": Rule(20, _SPAN_NS, 0),
    "orders-pending": Rule(60, _SPAN_NS, 0),
    "orders-history": Rule(40, _SPAN_NS, 0),
    "order": Rule(60, _SPAN_NS, 0),
    "fills": Rule(10, _SPAN_NS, 0),  # of the list of three months; that of three days allows more
    "balance": Rule(10, _SPAN_NS, 0),
    "cancel-order": Rule(60, _SPAN_NS, 0),
    "cancel-all-after": Rule(1, 10**9, 0),
}


class OrderLimits:
    """The counts of orders."""

    def __init__(self) -> None:
        self._budget = Budget("okx", _ORDER_RULES)

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        """Of new and amend: counted and "", or why not; a cancel is counted and never refused."""
        if kind in ("cancel", "cancel_all"):
            for known in orders:
                self._budget.force([(ORDERS, 1, known.symbol)], now_ns)
            return ""
        count = len(orders) if kind == "new" else 1
        of = BATCHES if count > 1 else ORDERS
        return self._budget.pay([(of, count, orders[0].symbol), (ACCOUNT, count)], now_ns)

    def overrun(self, known: Known, now_ns: int) -> None:
        """OKX says that this market's count is full."""
        self._budget.overrun(ORDERS, now_ns, of=known.symbol)
        self._budget.overrun(BATCHES, now_ns, of=known.symbol)

    def account_overrun(self, now_ns: int) -> None:
        self._budget.overrun(ACCOUNT, now_ns)


class Questions:
    """`Purse` of questions by their names."""

    def __init__(self) -> None:
        self._budget = Budget("okx", _QUESTIONS)

    def wait_ns(self, name: str, now_ns: int) -> int:
        return self._budget.wait_ns([(name, 1)], now_ns)

    def spend(self, name: str, now_ns: int) -> None:
        self._budget.force([(name, 1)], now_ns)

    def overrun(self, now_ns: int) -> None:
        """Which one, the answer does not say."""
        for name in _QUESTIONS:
            self._budget.overrun(name, now_ns)
