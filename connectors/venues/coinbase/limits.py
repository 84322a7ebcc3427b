"""How often Coinbase may be asked: budgets of our own, below what is said of the venue's.

Advanced Trade publishes no rates any more. Users count thirty requests of a key in a second
(https://github.com/nautechsystems/nautilus_trader, docs/integrations/coinbase.md); we use twenty, a third of which are
for cancels alone, and ask eight questions in a second. Should it be less, the venue answers with 429, and nothing but
cancels leaves for a while.
"""

from typing import Final

from connectors.exchange.budget import Budget, Rule

SECOND: Final = 10**9
_REQUESTS: Final = (("requests", 1),)
_QUESTIONS: Final = (("requests", 1), ("questions", 1))
_PAID: Final = frozenset({"new", "amend", "cancel"})  # before they leave, by whoever sends them


class Limits:
    """One key's; a `Purse` for questions."""

    def __init__(self, venue: str) -> None:
        self._budget = Budget(venue, {"requests": Rule(20, SECOND), "questions": Rule(8, SECOND, 0)})

    def pay(self, kind: str, now_ns: int) -> str:
        """`Ways.pay`."""
        if kind in ("new", "amend"):
            return self._budget.pay(_REQUESTS, now_ns)
        self._budget.force(_REQUESTS, now_ns)
        return ""

    def wait_ns(self, name: str, now_ns: int) -> int:
        del name
        return self._budget.wait_ns(_QUESTIONS, now_ns)

    def spend(self, name: str, now_ns: int) -> None:
        if name not in _PAID:
            self._budget.force(_QUESTIONS, now_ns)

    def overrun(self, now_ns: int) -> None:
        self._budget.overrun("requests", now_ns, now_ns + 5 * SECOND)
