"""One RPC endpoint: what was asked of it and not yet answered, what it may be asked, what it says of the chain.

Each request has a deadline and a continuation, `then(result, why_not, now_ns)`: exactly one of the two is given, and it
is called once: with the answer, with the node's refusal, with "no answer", or with "link down". A budget of so many
requests a second, of which a second's worth may be saved up and spent at once, delays the rest in order; a node that
says it is asked too often is left alone for a while.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec

from connectors.session import Output, Send
from connectors.venues.evm.rpc import NULL, Head, Message, request, why

SECOND: Final = 10**9
ANSWER_NS: Final = 10 * SECOND
QUEUED_MAX: Final = 10_000
HEIGHTS_KEPT: Final = 256
RATE_LIMITED: Final = frozenset({-32005, -32097, 429})
PAUSE_NS: Final = 2 * SECOND
UNANSWERED: Final = "no answer"

Then = Callable[[msgspec.Raw | None, str, int], None]


class _Asked(msgspec.Struct, eq=False):
    method: str
    params: Sequence[Any]
    then: Then
    is_wanted: Callable[[], bool]
    due_ns: int = 0


class Endpoint:
    """One link. `out` is the session's list of outputs; `numbers` its counter of request ids.

    `heads` is this endpoint's word on the chain: number → hash, of the last 256. `is_ready`: it answered the right
    chain id. `is_trusted`: no other endpoint has proved it wrong since it connected.
    """

    def __init__(self, link: str, calls_per_s: int, out: list[Output], numbers: Iterator[int]) -> None:
        self.link = link
        self.is_up = self.is_ready = False
        self.is_trusted = True
        self.subscription = ""  # of new heads
        self.logs_subscription = ""
        self.head: Head | None = None
        self.heads: dict[int, str] = {}
        self.head_ns = 0  # when the last new head came
        self.frame_ns = 0
        self.polled_ns = 0
        self.is_polling = False
        self.older = ""  # the hash of an older block that was told as the newest, last time
        self.failures = 0  # answers that were wrong or missing, in a row
        self._out = out
        self._numbers = numbers
        self._gap_ns = SECOND // calls_per_s
        self._free_ns = 0  # when the budget is whole again
        self._pause_ns = 0
        self._asked: dict[int, _Asked] = {}
        self._waiting: deque[_Asked] = deque()

    @property
    def is_usable(self) -> bool:
        return self.is_up and self.is_ready and self.is_trusted

    def turned(self, now_ns: int, *, is_up: bool) -> None:
        """The link is up or down: nothing said before counts any more."""
        dropped = [*self._asked.values(), *self._waiting]
        self._asked.clear()
        self._waiting.clear()
        self.is_up, self.is_ready, self.is_trusted = is_up, False, True
        self.subscription = self.logs_subscription = ""
        self.head = None
        self.heads.clear()
        self.failures = self._pause_ns = 0
        self.older, self.is_polling = "", False
        self.frame_ns = self.head_ns = now_ns
        for asked in dropped:
            asked.then(None, "link down", now_ns)

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
        asked = self._asked.pop(message.id, None) if isinstance(message.id, int) else None
        if asked is None:
            return False
        if message.error is None:
            asked.then(message.result, "", now_ns)
            return True
        if message.error.code in RATE_LIMITED:
            self._pause_ns = now_ns + PAUSE_NS
            self._waiting.appendleft(asked)  # until its deadline
            return True
        asked.then(None, why(message.error), now_ns)
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

    @property
    def busy_with(self) -> int:
        """Requests without an answer yet."""
        return len(self._asked) + len(self._waiting)

    def saw(self, head: Head, now_ns: int) -> None:
        """A new head, by notification or by asking."""
        if self.head is None or head.hash != self.head.hash:
            self.head_ns = now_ns
        self.head = head
        if self.heads.get(head.number) != head.hash:
            for number in [number for number in self.heads if number >= head.number]:
                del self.heads[number]  # what stood above a replaced block is gone with it
        self.heads[head.number] = head.hash
        while len(self.heads) > HEIGHTS_KEPT:
            del self.heads[next(iter(self.heads))]

    def _may_ask(self, now_ns: int) -> bool:
        return now_ns >= self._pause_ns and self._free_ns - now_ns < SECOND

    def _send(self, asked: _Asked, now_ns: int) -> None:
        number = next(self._numbers)
        asked.due_ns = asked.due_ns or now_ns + ANSWER_NS
        self._asked[number] = asked
        self._free_ns = max(self._free_ns, now_ns) + self._gap_ns
        self._out.append(Send(self.link, request(number, asked.method, asked.params)))


def is_null(raw: msgspec.Raw) -> bool:
    """A node's word for: I have no such thing."""
    return bytes(raw) == NULL
