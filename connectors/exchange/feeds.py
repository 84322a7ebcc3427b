"""One private subscription: where it stands, and whether a message of it was lost.

```
            subscribe            ack
  IDLE ───────────────► WAIT_ACK ────► LIVE ◄─────────────── ack of the new subscribe
   ▲                       │ no          │ gap in `sequence`, unreadable frame
   │                       ▼             ▼
   └── link closed      REFUSED       AGAIN ──► WAIT_UNSUBSCRIBED ──► WAIT_ACK     (not twice within ten seconds)
```
Where a venue counts a subscription's messages (Kraken; that the count starts at 1 is not documented in full), the first
one seen is right, and every other must be one more than the last.
"""

from enum import Enum, auto
from typing import Final

SECOND: Final = 10**9
ANSWER_NS: Final = 5 * SECOND
AGAIN_NS: Final = 10 * SECOND


class Stand(Enum):
    """Where a subscription stands; the drawing above has every move."""

    IDLE = auto()
    WAIT_ACK = auto()
    LIVE = auto()
    REFUSED = auto()
    AGAIN = auto()
    WAIT_UNSUBSCRIBED = auto()


class Feed:
    """`params`: what a subscribe says besides the channel. `due_ns`: when `tick` must act on it; None: never."""

    __slots__ = ("_last_again_ns", "due_ns", "name", "params", "sequence", "stand")

    def __init__(self, name: str, params: bytes) -> None:
        self.name = name
        self.params = params
        self.stand = Stand.IDLE
        self.due_ns: int | None = None
        self.sequence: int | None = None
        self._last_again_ns = -AGAIN_NS

    def move(self, stand: Stand, due_ns: int | None = None) -> None:
        self.stand, self.due_ns = stand, due_ns
        if stand is Stand.WAIT_ACK:
            self.sequence = None

    def again(self, now_ns: int) -> None:
        """It must be subscribed anew: at once, but not more often than every ten seconds."""
        due_ns = max(now_ns, self._last_again_ns + AGAIN_NS)
        self._last_again_ns = due_ns
        self.move(Stand.AGAIN, due_ns)

    def gap(self, sequence: int) -> str:
        """What this message's number says was lost; "": nothing."""
        last, self.sequence = self.sequence, sequence
        if last is None or sequence == last + 1:
            return ""
        return f"{self.name} message {sequence} came after {last}"
