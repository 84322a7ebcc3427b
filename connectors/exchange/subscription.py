"""One symbol's book subscription: where it stands, and when to try again.

```
             subscribe            ack                snapshot
  IDLE ───────────────► WAIT_ACK ──────► WAIT_SNAPSHOT ──────► LIVE
   ▲                       │ refused                            │ resync (checksum, crossed, unexplained frame)
   │                       ▼                                    ▼
   │                    REFUSED               BACKOFF ◄─────────┘      (at once the first time, then 1, 2, 4 … 60 s)
   │                                             │ due
   └──────── ack of unsubscribe ◄── WAIT_UNSUBSCRIBED
```
Where a venue works on requests concurrently (Kraken), the new subscribe leaves after the old one's unsubscribe is
acknowledged; where a snapshot is asked for by itself (Binance), BACKOFF goes to WAIT_SNAPSHOT. Any snapshot makes the
book LIVE again, whoever asked for it: a recording's own resubscriptions are followed as they come. Deltas outside LIVE
are dropped: they belong to a book we no longer, or do not yet, have.
"""

from enum import Enum, auto
from typing import Final

import msgspec

from connectors.errors import WireError
from connectors.units import FloatGrid

SECOND: Final = 10**9
TICK_NS: Final = SECOND // 2
ANSWER_TIMEOUT_NS: Final = 5 * SECOND  # an ack or snapshot that has not come by then will not come
BACKOFF_FIRST_NS: Final = SECOND
BACKOFF_MAX_NS: Final = 60 * SECOND
HEALTHY_AFTER_NS: Final = 60 * SECOND  # a book that lived this long starts again with no back-off
# what reading a frame may raise; RecursionError: msgspec's word on brackets nested a thousand deep
UNREADABLE: Final = (msgspec.MsgspecError, WireError, ValueError, RecursionError)


class State(Enum):
    """Where a subscription stands; the drawing above has every move."""

    IDLE = auto()
    WAIT_ACK = auto()
    WAIT_SNAPSHOT = auto()
    LIVE = auto()
    BACKOFF = auto()
    WAIT_UNSUBSCRIBED = auto()
    REFUSED = auto()


class Subscription:
    """State of one symbol. `due_ns`: when `tick` must act on it; None: never."""

    __slots__ = ("acked", "attempts", "depth", "due_ns", "grid", "index", "live_since_ns", "state", "symbol")

    def __init__(self, index: int, symbol: str, depth: int, grid: FloatGrid | None) -> None:
        self.index = index
        self.symbol = symbol
        self.depth = depth
        self.grid = grid
        self.state = State.IDLE
        self.acked = False
        self.attempts = 0
        self.due_ns: int | None = None
        self.live_since_ns = 0

    def move(self, state: State, due_ns: int | None = None) -> None:
        self.state = state
        self.due_ns = due_ns

    def alive(self, now_ns: int) -> None:
        """A snapshot came."""
        if self.state is not State.LIVE:
            self.live_since_ns = now_ns
        self.move(State.LIVE)

    def next_delay_ns(self, now_ns: int) -> int:
        """How long to wait before the next resubscription: 0 the first time, then doubling from 1 s to 60 s."""
        if self.state is State.LIVE and now_ns - self.live_since_ns >= HEALTHY_AFTER_NS:
            self.attempts = 0
        delay = min(BACKOFF_FIRST_NS << (self.attempts - 1), BACKOFF_MAX_NS) if self.attempts else 0
        self.attempts = min(self.attempts + 1, 8)
        return delay
