"""The dead-man's switch: the venue cancels every order of the account unless it hears from us in time.

A timer at the venue (Kraken `cancel_all_orders_after`, OKX `cancel-all-after`): armed, and again long before it runs
out; 0 disarms it, which is due before maintenance and where a session ends with nothing open. No order may leave while
it is not armed. What is armed is counted from when it was sent, so that the venue's own end comes later than ours.
"""

from typing import Final

from connectors.events import Notice
from connectors.session import Output

SECOND: Final = 10**9
ANSWER_NS: Final = 5 * SECOND


class DeadMan:
    """When to arm, and whether it is armed; the link sends what is due and reports the answers."""

    __slots__ = ("_armed_until_ns", "_asked_ns", "_next_ns", "_problem", "_refresh_ns", "_timeout_ns", "_venue",
                 "is_wanted", "was_sent")  # fmt: skip

    def __init__(self, venue: str, timeout_s: int, refresh_s: int) -> None:
        self._venue = venue
        self._timeout_ns = timeout_s * SECOND
        self._refresh_ns = refresh_s * SECOND
        self.is_wanted = True
        self.was_sent = False
        self._armed_until_ns = 0  # as far as the venue said yes
        self._asked_ns: int | None = None
        self._next_ns = 0
        self._problem = ""

    def opened(self) -> None:
        """A new link: what an earlier one armed may run out at any time."""
        self._armed_until_ns, self._asked_ns, self._next_ns, self._problem = 0, None, 0, ""

    @property
    def is_begun(self) -> bool:
        """Whether this link armed it before."""
        return self._armed_until_ns > 0

    def is_due(self, now_ns: int) -> bool:
        return self.is_wanted and self._asked_ns is None and now_ns >= self._next_ns

    def asked(self, now_ns: int) -> None:
        self._asked_ns = now_ns
        self.was_sent = True

    def answered(self, error: str, sent_ns: int, now_ns: int) -> list[Output]:
        """The answer to the arming that was sent then. One that comes after its time still arms."""
        if self._asked_ns == sent_ns:
            self._asked_ns = None
        if error:
            self._next_ns = now_ns + ANSWER_NS
            return self._alarm(error)
        self._armed_until_ns = max(self._armed_until_ns, sent_ns + self._timeout_ns)
        self._next_ns = sent_ns + self._refresh_ns
        self._problem = ""
        return []

    def tick(self, now_ns: int) -> list[Output]:
        if self._asked_ns is None or now_ns - self._asked_ns < ANSWER_NS:
            return []
        self._asked_ns, self._next_ns = None, now_ns
        return self._alarm(f"no answer in {ANSWER_NS // SECOND} s")

    def disarmed(self) -> None:
        self.is_wanted = False
        self._armed_until_ns, self._asked_ns, self._problem = 0, None, ""

    def rearm(self) -> None:
        self.is_wanted, self._next_ns = True, 0

    def why(self, now_ns: int) -> str:
        """Why no order may leave; "": it is armed."""
        if self._problem:
            return f"the dead-man's switch is not armed: {self._problem}"
        return "" if now_ns < self._armed_until_ns else "the dead-man's switch is not armed yet"

    def _alarm(self, problem: str) -> list[Output]:
        self._problem = problem
        return [Notice("error", f"{self._venue}: the dead-man's switch is not armed: {problem}")]
