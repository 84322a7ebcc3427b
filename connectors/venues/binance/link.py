"""The socket of the WebSocket API: the account's events, and the way of orders. One is enough for both.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-api/user-data-stream-requests. Binance remembers
nothing of an earlier connection and tells nothing of what was missed: after each subscription the account is looked at.
A socket lives for a day; `serverShutdown` announces its end: nothing new leaves on it, what is under way has two
seconds to be answered, and then it is dialled anew. Liveness: a `ping` when nothing came for five seconds; no answer in
five more is a dead link.
"""

from typing import Final

from connectors.events import Notice
from connectors.exchange.skew import Skew
from connectors.session import PRIVATE, Output, Reconnect, Send
from connectors.venues.binance import private
from connectors.venues.binance.errors import CLOCK, code_of

SECOND: Final = 10**9
ANSWER_NS: Final = 5 * SECOND
QUIET_NS: Final = 5 * SECOND
PONG_NS: Final = 5 * SECOND
DOUBT_NS: Final = 2 * SECOND  # a ping owed for so long: a cancel rather takes the other way
RETRY_NS: Final = 10 * SECOND
CLOCK_NS: Final = 2 * SECOND  # Binance's time is asked for meanwhile
LEAVE_NS: Final = 2 * SECOND
_SUBSCRIBE: Final = (
    b'{"id":%d,"method":"userDataStream.subscribe.signature","params":{"apiKey":"{secret:key}","recvWindow":5000,'
    b'"timestamp":"{time_ms}","signature":"{sign}"}}'
)


class Link:
    """`why`: what is still missing before orders may leave on it. `first`: the number before its first request's."""

    def __init__(self, venue: str, first: int, skew: Skew) -> None:
        self._venue = venue
        self._number = first
        self._skew = skew
        self.is_open = self.is_in = False
        self._subscribing = 0  # the number of that request; 0: none is under way
        self._due_ns: int | None = None
        self._again_ns: int | None = None  # when to subscribe anew
        self._leave_ns: int | None = None  # when to dial anew
        self._problem = ""
        self._last_ns = 0
        self._owed_ns: int | None = None  # since when an answer to a ping is owed

    # --- up and down -------------------------------------------------------------------------------------------------

    def open(self, now_ns: int) -> list[Output]:
        self.close()
        self.is_open = True
        self._last_ns = now_ns
        return self._subscribe(now_ns)

    def close(self) -> None:
        self.is_open = self.is_in = False
        self._subscribing, self._problem = 0, ""
        self._due_ns = self._again_ns = self._leave_ns = self._owed_ns = None

    def again(self, why: str) -> list[Output]:
        """Close it, dial again."""
        self.close()
        return [Reconnect(PRIVATE, why)]

    def _subscribe(self, now_ns: int) -> list[Output]:
        self._again_ns, self._due_ns = None, now_ns + ANSWER_NS
        self._number += 1
        self._subscribing = self._number
        return [self._skew.into(Send(PRIVATE, _SUBSCRIBE % self._number))]

    def why(self) -> str:
        """Why no order may leave on it; "": it may."""
        if not self.is_open:
            return "the private link is down"
        if self._leave_ns is not None:
            return "binance shuts this connection down"
        if self._problem:
            return self._problem
        return "" if self.is_in else "not subscribed to the account's events yet"

    def is_sound(self, now_ns: int) -> bool:
        """Whether a cancel that leaves on it can be hoped to arrive."""
        is_doubted = self._owed_ns is not None and now_ns - self._owed_ns >= DOUBT_NS
        return self.is_open and self._leave_ns is None and not is_doubted

    def tick(self, now_ns: int) -> list[Output]:
        if not self.is_open:
            return []
        if self._owed_ns is not None and now_ns - self._owed_ns >= PONG_NS:
            return self.again(f"no answer to a ping in {PONG_NS // SECOND} s")
        if self._leave_ns is not None:
            return self.again("binance shuts this connection down") if now_ns >= self._leave_ns else []
        if self._due_ns is not None and now_ns >= self._due_ns:
            return self.again(f"no answer to the subscription in {ANSWER_NS // SECOND} s")
        out: list[Output] = []
        if self._again_ns is not None and now_ns >= self._again_ns:
            out += self._subscribe(now_ns)
        if self._owed_ns is None and now_ns - self._last_ns >= QUIET_NS:
            self._owed_ns = now_ns
            self._number += 1
            out.append(Send(PRIVATE, b'{"id":%d,"method":"ping"}' % self._number))
        return out

    def heard(self, now_ns: int) -> None:
        """Any frame is life."""
        self._last_ns, self._owed_ns = now_ns, None

    # --- what is said of it ------------------------------------------------------------------------------------------

    def owns(self, number: int) -> bool:
        """Whether the answer with this number is to a request of the link's own."""
        return number > 0 and number == self._subscribing

    def answered(self, answer: private.Answer, problem: str, now_ns: int) -> list[Output]:
        """To the subscription; `problem` "": it is good. Raises msgspec's errors."""
        self._subscribing, self._due_ns = 0, None
        if problem:
            wait_ns = CLOCK_NS if code_of(problem) == CLOCK else RETRY_NS
            self._problem, self._again_ns = f"the account's events are refused: {problem}", now_ns + wait_ns
            text = f"{self._venue}: {self._problem}; trying anew in {wait_ns // SECOND} s"
            return [Notice("error", text)]
        private.decode_subscribed(answer.result)
        self.is_in, self._problem = True, ""
        return []

    def terminated(self, now_ns: int) -> list[Output]:
        """`eventStreamTerminated`: the socket stands, and tells nothing any more."""
        self.is_in = False
        text = f"{self._venue}: the stream of the account's events was ended; subscribing anew"
        return [Notice("warning", text), *(self._subscribe(now_ns) if self.is_open else [])]

    def leaving(self, now_ns: int) -> list[Output]:
        """`serverShutdown`."""
        if self._leave_ns is None and self.is_open:
            self._leave_ns = now_ns + LEAVE_NS
        return [Notice("info", f"{self._venue} shuts this connection down: dialling anew")]
