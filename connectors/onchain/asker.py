"""One link to a node: what was asked over it and not yet answered, and how often it may be asked.

Each request has a deadline and a continuation, `then(result, why_not, now_ns)`: exactly one of the two is given, and it
is called once: with the answer, with the node's refusal, with "no answer", or with "link down". A budget of so many
requests a second, of which a second's worth may be saved up and spent at once, delays the rest in order; a node that
says it is asked too often is left alone for a while.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from connectors.onchain.jsonrpc import Message, request, why
from connectors.session import Output, Send

SECOND: Final = 10**9
ANSWER_NS: Final = 10 * SECOND
QUEUED_MAX: Final = 10_000
RATE_LIMITED: Final = frozenset({-32005, -32097, 429})
PAUSE_NS: Final = 2 * SECOND
UNANSWERED: Final = "no answer"

Then = Callable[[msgspec.Raw | None, str, int], None]


def over_socket(_number: int, data: bytes) -> bytes:
    """A request as it goes over a WebSocket."""
    return data


def over_http(number: int, data: bytes) -> bytes:
    """A request as it goes over a link of HTTP calls; see `connectors.session.Send`."""
    return b"%d /\n%s" % (number, data)


class _Asked(msgspec.Struct, eq=False):
    method: str
    params: Sequence[Any]
    then: Then
    is_wanted: Callable[[], bool]
    due_ns: int = 0


class Asker:
    """`out` is the session's list of outputs; `numbers` its counter of request ids; `limited`: codes of a rate limit.

    `is_up`: without it nothing is sent, and `then` is called at once.
    """

    def __init__(
        self, link: str, calls_per_s: int, out: list[Output], numbers: Iterator[int], *,
        form: Callable[[int, bytes], bytes] = over_socket, limited: frozenset[int] = RATE_LIMITED,
    ) -> None:  # fmt: skip
        self.link = link
        self.is_up = False
        self._out = out
        self._numbers = numbers
        self._form = form
        self._limited = limited
        self._gap_ns = SECOND // calls_per_s
        self._free_ns = 0  # when the budget is whole again
        self._pause_ns = 0
        self._asked: dict[int, _Asked] = {}
        self._waiting: deque[_Asked] = deque()

    @property
    def busy_with(self) -> int:
        """Requests without an answer yet."""
        return len(self._asked) + len(self._waiting)

    def forget(self) -> list[Then]:
        """Nothing asked before counts any more: whose continuations are to be told so, by whoever calls this."""
        dropped = [*self._asked.values(), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        self._pause_ns = 0
        return [asked.then for asked in dropped]

    def ask(
        self, method: str, params: Sequence[Any], then: Then, now_ns: int, is_wanted: Callable[[], bool] = lambda: True
    ) -> None:
        """Asks when the budget allows, in order, what is still wanted then; else `then` is not called."""
        asked = _Asked(method, params, then, is_wanted)
        if not self.is_up or len(self._waiting) >= QUEUED_MAX:
            then(None, "too much is asked of it" if self.is_up else "link down", now_ns)
        elif self._waiting or not self._may_ask(now_ns):
            self._waiting.append(asked)
        else:
            self._send(asked, now_ns)

    def answered(self, message: Message, now_ns: int) -> bool:
        """Takes an answer; False if nothing of that id was asked."""
        if not isinstance(message.id, int):
            return False
        if message.error is not None:
            text, is_limit = why(message.error), message.error.code in self._limited
            return self.refused(message.id, text, now_ns, is_limit=is_limit)
        asked = self._asked.pop(message.id, None)
        if asked is not None:
            asked.then(message.result, "", now_ns)
        return asked is not None

    def refused(self, number: int, why_not: str, now_ns: int, *, is_limit: bool) -> bool:
        """A request ended without a result; `is_limit`: because it was asked too often, so it is asked again later."""
        asked = self._asked.pop(number, None)
        if asked is None:
            return False
        if is_limit:
            self._pause_ns = now_ns + PAUSE_NS
            self._waiting.appendleft(asked)  # until its deadline
        else:
            asked.then(None, why_not, now_ns)
        return True

    def tick(self, now_ns: int) -> None:
        """Deadlines that passed, and what the budget allows by now."""
        late = [number for number, asked in self._asked.items() if now_ns >= asked.due_ns]
        for number in late:
            asked = self._asked.pop(number, None)
            if asked is not None:  # an earlier one's continuation may have ended everything
                asked.then(None, f"{UNANSWERED} to {asked.method} within {ANSWER_NS // SECOND} s", now_ns)
        refused = [asked for asked in self._waiting if asked.due_ns and now_ns >= asked.due_ns]
        for asked in refused:
            if asked in self._waiting:
                self._waiting.remove(asked)
                asked.then(None, f"{asked.method} is refused as too much for {ANSWER_NS // SECOND} s", now_ns)
        while self._waiting and self.is_up and self._may_ask(now_ns):
            asked = self._waiting.popleft()
            if asked.is_wanted():
                self._send(asked, now_ns)

    def _may_ask(self, now_ns: int) -> bool:
        return now_ns >= self._pause_ns and self._free_ns - now_ns < SECOND

    def _send(self, asked: _Asked, now_ns: int) -> None:
        number = next(self._numbers)
        asked.due_ns = asked.due_ns or now_ns + ANSWER_NS
        self._asked[number] = asked
        self._free_ns = max(self._free_ns, now_ns) + self._gap_ns
        self._out.append(Send(self.link, self._form(number, request(number, asked.method, asked.params))))
