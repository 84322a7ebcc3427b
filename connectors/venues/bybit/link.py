"""One socket that a key opens: login, topics, life. https://bybit-exchange.github.io/docs/v5/ws/connect#authentication

The private socket and the trade socket are two of these; orders leave while both are up. Bybit remembers nothing of an
earlier connection, and tells nothing of what was missed: after each login the account is looked at.

Liveness as on the public socket: a ping every 20 s, and sooner when nothing came for 5 s; nothing for 5 s more is a
dead link. What is refused here, with a key that REST has called good, is tried anew, from the beginning, after a while.
"""

from collections.abc import Callable
from typing import Final

from connectors.events import Notice
from connectors.exchange.skew import Skew
from connectors.session import PRIVATE, TRADE, Output, Reconnect, Send

SECOND: Final = 10**9
ANSWER_NS: Final = 5 * SECOND
PING_NS: Final = 20 * SECOND
QUIET_NS: Final = 5 * SECOND
PONG_NS: Final = 5 * SECOND
RETRY_NS: Final = 10 * SECOND
LOGIN_GOOD_MS: Final = 10_000  # after it leaves: what a slow way may take, and a clock may be off
TOPICS: Final = {PRIVATE: ("order", "execution", "wallet"), TRADE: ()}
_ID: Final = {PRIVATE: b"req_id", TRADE: b"reqId"}


class Link:
    """`why` says what is still missing before it may be used. `number()`: of our own requests."""

    def __init__(self, venue: str, name: str, number: Callable[[], int], skew: Skew) -> None:
        self.name = name
        self.is_open = self.is_in = False
        self._venue = venue
        self._number = number
        self._skew = skew
        self._topics: set[str] = set()  # acknowledged
        self._asked: dict[str, str] = {}  # our request's number → its topic
        self._due_ns: int | None = None  # of the answer to login or subscriptions
        self._again_ns: int | None = None  # when to try anew, from the very beginning
        self._problem = ""
        self._last_frame_ns = self._last_ping_ns = 0
        self._owed_ns: int | None = None  # since when an answer to a ping is owed

    # --- up and down -------------------------------------------------------------------------------------------------

    def open(self, now_ns: int) -> list[Output]:
        self.close()
        self.is_open = True
        self._last_frame_ns = self._last_ping_ns = now_ns
        self._due_ns = now_ns + ANSWER_NS
        login = b'{"%s":"%d","op":"auth","args":["{secret:key}",{expires_ms:%d},"{sign}"]}'
        return [self._skew.into(Send(self.name, login % (_ID[self.name], self._number(), LOGIN_GOOD_MS)))]

    def close(self) -> None:
        self.is_open = self.is_in = False
        self._topics.clear()
        self._asked.clear()
        self._due_ns = self._again_ns = self._owed_ns = None
        self._problem = ""

    def why(self) -> str:
        """Why it cannot be used; "": it can."""
        if not self.is_open:
            return f"the {self.name} link is down"
        if self._problem:
            return self._problem
        if not self.is_in:
            return f"not logged in on the {self.name} link yet"
        missing = [topic for topic in TOPICS[self.name] if topic not in self._topics]
        return f"not subscribed: {', '.join(missing)}" if missing else ""

    def tick(self, now_ns: int) -> list[Output]:
        if not self.is_open:
            return []
        if self._owed_ns is not None and now_ns - self._owed_ns >= PONG_NS:
            return self.again(f"no answer to a ping in {PONG_NS // SECOND} s")
        if self._again_ns is not None:
            return self.again(self._problem) if now_ns >= self._again_ns else []
        if self._due_ns is not None and now_ns >= self._due_ns:
            waited_for = f"a subscription ({self.why()})" if self.is_in else "the login"
            return self.again(f"no answer to {waited_for} in {ANSWER_NS // SECOND} s")
        quiet_ns = now_ns - max(self._last_frame_ns, self._last_ping_ns)
        if self._owed_ns is None and (now_ns - self._last_ping_ns >= PING_NS or quiet_ns >= QUIET_NS):
            self._owed_ns = self._last_ping_ns = now_ns
            # the trade socket documents no number for it
            ping = b'{"op":"ping"}' if self.name == TRADE else b'{"req_id":"%d","op":"ping"}' % self._number()
            return [Send(self.name, ping)]
        return []

    def again(self, why: str) -> list[Output]:
        """Close it, dial again."""
        self.close()
        return [Reconnect(self.name, why)]

    def heard(self, now_ns: int) -> None:
        self._last_frame_ns = now_ns
        self._owed_ns = None

    # --- answers -----------------------------------------------------------------------------------------------------

    def logged_in(self, problem: str, now_ns: int) -> list[Output]:
        """The answer to the login: "" where it is good."""
        if not self.is_open or self.is_in:
            return []
        if problem:
            self._skew.again()  # of the private socket's refusals there is no code to tell the time's by
            return self._give_up(f"the login on the {self.name} link is refused: {problem}", now_ns)
        self.is_in = True
        self._due_ns = now_ns + ANSWER_NS if TOPICS[self.name] else None
        return [self._subscribe(topic) for topic in TOPICS[self.name]]

    def _subscribe(self, topic: str) -> Send:
        """One topic a request, so that a refusal takes no other along."""
        number = str(self._number())
        self._asked[number] = topic
        return Send(self.name, b'{"req_id":"%s","op":"subscribe","args":["%s"]}' % (number.encode(), topic.encode()))

    def subscribed(self, number: str, problem: str, now_ns: int) -> list[Output]:
        """The answer to a subscription."""
        topic = self._asked.pop(number, "")
        if not topic:
            return []
        if problem:
            return self._give_up(f"{topic} is refused: {problem}", now_ns)
        self._topics.add(topic)
        if len(self._topics) == len(TOPICS[self.name]):
            self._due_ns = None
        return []

    def _give_up(self, why: str, now_ns: int) -> list[Output]:
        self._problem = why
        self._due_ns, self._again_ns = None, now_ns + RETRY_NS
        return [Notice("error", f"{self._venue}: {why}; trying anew in {RETRY_NS // SECOND} s")]
