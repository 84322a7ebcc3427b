"""Public questions over HTTP: their numbers, their answers, and a budget of weight that no storm may overdraw.

https://developers.binance.com/docs/binance-spot-api-docs/rest-api/limits: an address has so much weight a minute; 429
says that it is used up, 418 that it is shut out for as long as the answer says. Both are told by the whole address, so
half of it is left to whoever else asks from here, our own orders first.
"""

import re
from collections import deque
from typing import Final

import msgspec

from connectors.exchange.subscription import SECOND
from connectors.session import CALLS, Send
from connectors.venues.binance import wire
from connectors.venues.binance.form import query

MINUTE_NS: Final = 60 * SECOND
WEIGHT_A_MINUTE: Final = 6000  # until exchangeInfo says otherwise
INFO_WEIGHT: Final = 20
PROBE_LIMIT: Final = 5
AT_ONCE: Final = 4
APART_NS: Final = SECOND // 10  # two snapshots never leave closer together
LATE_NS: Final = 30 * SECOND  # the door answers each question; one of which nothing came by then is forgotten
_UNTIL: Final = re.compile(r"until ([0-9]{13})\b")
_DEPTH_WEIGHTS: Final = ((100, 5), (500, 25), (1000, 50), (5000, 250))


def depth_weight(limit: int) -> int:
    return next(weight for most, weight in _DEPTH_WEIGHTS if limit <= most)


class Question(msgspec.Struct, frozen=True):
    """`name`: the market's, "" for exchangeInfo, which is about `about`; `limit` 0 there."""

    number: int
    name: str
    limit: int
    sent_ns: int
    about: tuple[str, ...] = ()


class Questions:
    """What is under way, and what may still be asked this minute."""

    def __init__(self) -> None:
        self._open: dict[int, Question] = {}
        self._next = 0
        self._spent: deque[tuple[int, int]] = deque()  # (when, weight) of the last minute
        self._sum = 0
        self._share = WEIGHT_A_MINUTE // 2
        self._last_ns = -APART_NS
        self._shut_until_ns = 0

    def limits(self, told: list[wire.RateLimit]) -> None:
        """Of exchangeInfo: half of the weight a minute is for these questions."""
        for one in told:
            if one.kind == "REQUEST_WEIGHT" and one.interval == "MINUTE" and one.number >= 1 and one.limit > 0:
                self._share = max(one.limit // one.number // 2, 2 * INFO_WEIGHT)

    def wait_ns(self, weight: int, now_ns: int) -> int:
        """How long until a question of this weight may leave; 0: now."""
        while self._spent and self._spent[0][0] <= now_ns - MINUTE_NS:
            self._sum -= self._spent.popleft()[1]
        wait_ns = max(self._shut_until_ns - now_ns, self._last_ns + APART_NS - now_ns, 0)
        if len(self._open) >= AT_ONCE:
            wait_ns = max(wait_ns, APART_NS)
        over = self._sum + min(weight, self._share) - self._share
        for when, spent in self._spent:
            if over <= 0:
                break
            over -= spent
            wait_ns = max(wait_ns, when + MINUTE_NS - now_ns)
        return wait_ns

    def depth(self, name: str, limit: int, now_ns: int) -> tuple[int, Send]:
        """`wait_ns` said 0. The number of the question, and the question."""
        fields = query((("symbol", name), ("limit", limit)))
        return self._ask("/api/v3/depth", fields, Question(0, name, limit, now_ns), depth_weight(limit))

    def info(self, names: tuple[str, ...], now_ns: int) -> Send:
        """Of one market by its name, of several by a list: a list with one wrong name in it is refused as a whole."""
        if len(names) == 1:
            fields = query((("symbol", names[0]),))
        else:
            fields = query((("symbols", msgspec.json.encode(names).decode()),))
        return self._ask("/api/v3/exchangeInfo", fields, Question(0, "", 0, now_ns, names), INFO_WEIGHT)[1]

    def _ask(self, path: str, fields: bytes, question: Question, weight: int) -> tuple[int, Send]:
        self._next += 1
        self._open[self._next] = msgspec.structs.replace(question, number=self._next)
        self._spent.append((question.sent_ns, weight))
        self._sum += weight
        self._last_ns = question.sent_ns
        return self._next, Send(CALLS, b"%d GET %s\n%s" % (self._next, path.encode(), fields))

    def answered(self, number: int) -> Question | None:
        return self._open.pop(number, None)

    def overdue(self, now_ns: int) -> list[Question]:
        """What nobody will answer any more."""
        late = [question for question in self._open.values() if now_ns - question.sent_ns >= LATE_NS]
        for question in late:
            del self._open[question.number]
        return late

    def shut(self, status: int, body: bytes, now_ns: int) -> int:
        """429 or 418: nothing is asked until then. A ban's text says its end in ms; without one, two minutes."""
        until_ns = now_ns + (MINUTE_NS if status == 429 else 2 * MINUTE_NS)
        if found := _UNTIL.search(body[:1000].decode("latin-1")):
            until_ns = max(until_ns, min(int(found[1]) * 10**6, now_ns + 3 * 24 * 60 * MINUTE_NS))
        self._shut_until_ns = max(self._shut_until_ns, until_ns)
        return self._shut_until_ns
