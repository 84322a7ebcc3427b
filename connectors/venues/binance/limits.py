"""What Binance counts, kept as Binance counts it. https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits

Weight of requests a minute, of the whole address: half of it is for the account, the market side has the other half
(questions.py), and of this half a third is for cancels. New orders in ten seconds and in a day, of the account: cancels
do not count there. What fills does not count any more at Binance; here it does until it is that old. Answers on the
socket say the limits and what is used up: that is believed where it is stricter.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from connectors.exchange.budget import Budget, Cost, Rule
from connectors.venues.binance.wire import RateLimit

SECOND: Final = 10**9
WEIGHT: Final = "weight"
SHORT: Final = "orders in 10 s"
DAY: Final = "orders in a day"
SPANS: Final = {"SECOND": SECOND, "MINUTE": 60 * SECOND, "HOUR": 3600 * SECOND, "DAY": 86_400 * SECOND}
_MOST: Final = 10**7  # what an answer says of a limit is believed up to here
# names of questions → weight (rest-api/account-endpoints, trading-endpoints; what is not listed: 20)
WEIGHTS: Final[Mapping[str, int]] = {
    "time": 1, "key": 1, "open orders": 80, "order": 4, "cancel": 1, "new": 0, "amend": 0, "cancel_all": 0
}  # fmt: skip
_USUAL: Final = 20
_ORDERS: Final = {"new": 1, "amend": 4, "cancel": 1}  # weights of the socket's requests


class Limits:
    """One account's. It is the `Purse` of questions, too."""

    def __init__(self, venue: str) -> None:
        self._budget = Budget(
            venue,
            {WEIGHT: Rule(3000, 60 * SECOND), SHORT: Rule(50, 10 * SECOND, 0), DAY: Rule(160_000, 86_400 * SECOND, 0)},
        )
        self._said = {SHORT: (50, 10 * SECOND), DAY: (160_000, 86_400 * SECOND)}
        self._weight = 6000

    def pay(self, kind: str, now_ns: int) -> str:
        """Of a new order or an amend: counted and "", or why not; of a cancel: counted."""
        costs: list[Cost] = [(WEIGHT, _ORDERS.get(kind, 1))]
        if kind == "new":
            return self._budget.pay([*costs, (SHORT, 1), (DAY, 1)], now_ns)
        if kind == "amend":
            return self._budget.pay(costs, now_ns)
        self._budget.force(costs, now_ns)
        return ""

    def told(self, limits: Sequence[RateLimit], now_ns: int) -> None:
        """`rateLimits` of an answer. Of weight the count is of the whole address: ours is our own half's."""
        for one in limits:
            span_ns = SPANS.get(one.interval, 0) * one.number
            if not 0 < one.limit <= _MOST or span_ns <= 0:
                continue
            if one.kind == "REQUEST_WEIGHT" and one.interval == "MINUTE":
                if one.limit != self._weight:
                    self._weight = one.limit
                    self._budget.set(WEIGHT, max(one.limit // 2, 1), span_ns)
                if one.count >= one.limit:
                    self._budget.overrun(WEIGHT, now_ns, now_ns + 10 * SECOND)
            elif one.kind == "ORDERS":
                name = DAY if one.interval == "DAY" else SHORT
                if self._said[name] != (one.limit, span_ns):
                    self._said[name] = one.limit, span_ns
                    self._budget.set(name, one.limit, span_ns)
                self._budget.used(name, one.count, now_ns)

    def too_many_orders(self, now_ns: int) -> None:
        """−1015."""
        self._budget.overrun(SHORT, now_ns)

    def shut_out(self, now_ns: int, until_ns: int) -> None:
        """429, 418, 403: until then nothing but cancels."""
        self._budget.overrun(WEIGHT, now_ns, until_ns)

    # --- questions ---------------------------------------------------------------------------------------------------

    @staticmethod
    def _cost(name: str) -> list[Cost]:
        return [(WEIGHT, WEIGHTS.get(name, _USUAL))]

    def wait_ns(self, name: str, now_ns: int) -> int:
        return self._budget.wait_ns(self._cost(name), now_ns)

    def spend(self, name: str, now_ns: int) -> None:
        self._budget.force(self._cost(name), now_ns)

    def overrun(self, now_ns: int) -> None:
        self._budget.overrun(WEIGHT, now_ns)
