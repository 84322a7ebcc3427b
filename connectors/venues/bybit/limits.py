"""Bybit's rate limits, kept as Bybit keeps them. https://bybit-exchange.github.io/docs/v5/rate-limit

Per account and kind of request, in a rolling second; a batch counts as many as it carries, apart from single orders.
Answers of the trade socket say how much is left and what the account's own limit is, which counts. Cancels have a count
of their own and are never refused. Over HTTP every address has 600 requests in five seconds, then is shut out for ten
minutes: a third of them is for cancels.
"""

from collections.abc import Sequence
from typing import Final

from connectors.exchange.budget import Budget, Cost, Rule

SECOND: Final = 10**9
CREATE: Final = "order.create"
BATCH: Final = "order.create-batch"
AMEND: Final = "order.amend"
CANCEL: Final = "order.cancel"
CANCEL_ALL: Final = "cancel-all"
HTTP: Final = "http"
QUESTIONS: Final = "questions"
SHUT_OUT_NS: Final = 600 * SECOND
_LIMIT_MAX: Final = 10_000  # what an answer says of a limit is believed up to here
_RULES: Final = {
    # a part stays unused: what left within a second may come within less
    CREATE: Rule(20, SECOND, 2),
    BATCH: Rule(20, SECOND, 2),
    AMEND: Rule(10, SECOND, 1),
    CANCEL: Rule(20, SECOND, 0),
    CANCEL_ALL: Rule(20, SECOND, 0),
    HTTP: Rule(600, 5 * SECOND),
    QUESTIONS: Rule(20, SECOND, 0),  # 50 of most; ours are few
}


class Limits:
    """One account's. It is the `Purse` of questions, too."""

    def __init__(self, venue: str) -> None:
        self._budget = Budget(venue, _RULES)
        self._said: dict[str, int] = {}

    def pay(self, kind: str, count: int, now_ns: int) -> str:
        """Of new orders and amends: counted and "", or why not; of cancels: counted."""
        if kind == "new":
            costs: Sequence[Cost] = [(CREATE, 1)] if count == 1 else [(BATCH, count)]
            return self._budget.pay(costs, now_ns)
        if kind == "amend":
            return self._budget.pay([(AMEND, 1)], now_ns)
        self._budget.force([(CANCEL, 1) if kind == "cancel" else (CANCEL_ALL, 1)], now_ns)
        return ""

    def told(self, kind: str, limit: str, left: str, now_ns: int) -> None:
        """X-Bapi-Limit and X-Bapi-Limit-Status of an answer."""
        if kind not in _RULES or not (limit.isdigit() and left.isdigit() and len(limit) <= 6 and len(left) <= 6):
            return
        most = int(limit)
        if 0 < most <= _LIMIT_MAX:
            if self._said.get(kind, _RULES[kind].most) != most:
                self._said[kind] = most
                self._budget.set(kind, most, SECOND)
            self._budget.used(kind, most - int(left), now_ns)

    def overrun_of(self, kind: str, now_ns: int, until_ns: int = 0) -> None:
        """Bybit says that too much of this kind came."""
        if kind in _RULES:
            self._budget.overrun(kind, now_ns, min(until_ns, now_ns + 5 * SECOND) if until_ns > now_ns else 0)

    # --- questions ---------------------------------------------------------------------------------------------------

    def wait_ns(self, name: str, now_ns: int) -> int:
        del name
        return self._budget.wait_ns([(HTTP, 1), (QUESTIONS, 1)], now_ns)

    def spend(self, name: str, now_ns: int) -> None:
        costs: list[Cost] = [(HTTP, 1)] if name in (CANCEL, CANCEL_ALL) else [(HTTP, 1), (QUESTIONS, 1)]
        self._budget.force(costs, now_ns)

    def overrun(self, now_ns: int) -> None:
        self._budget.overrun(QUESTIONS, now_ns, now_ns + 5 * SECOND)

    def shut_out(self, now_ns: int) -> None:
        """The address is shut out."""
        self._budget.overrun(HTTP, now_ns, now_ns + SHUT_OUT_NS)
