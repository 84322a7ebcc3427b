"""One product's book: where its subscription stands, whose markets it is, and how fast we may speak.

```
            subscribe            listed             snapshot
  IDLE ──────────────► WAIT_ACK ───────► WAIT_SNAPSHOT ───────► LIVE
   ▲                      │ error naming it                      │ gap, crossed, unexplained frame, no longer listed
   │                      ▼                                      ▼
   │                   REFUSED                BACKOFF ◄──────────┘    (at once the first time, then 1, 2, 4 … 60 s)
   │                                             │ due
   └───── not listed any more ◄──── WAIT_UNSUBSCRIBED
```
`listed`: a `subscriptions` message names it; that is the only acknowledgement there is, and it tells the state of the
whole connection. Any snapshot makes the book LIVE, whoever asked for it. Deltas outside LIVE are dropped.

A market in USDC has the book of the one in USD: its public channels are answered in that one's name. The product's
`alias` says so; both markets are then followers of one product.
https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels
"""

from collections import deque
from typing import Final

from connectors.exchange.subscription import SECOND, State, Subscription
from connectors.units import TextGrid

ASKED_MAX: Final = 50  # products in one message; how many may stand there is not documented


class Follower:
    """One market that we follow. `name`: the venue's own for it."""

    __slots__ = ("index", "name", "symbol")

    def __init__(self, index: int, symbol: str) -> None:
        self.index = index
        self.symbol = symbol
        self.name = symbol.replace("/", "-")


class Product(Subscription):
    """`symbol` is the name that the wire has for it. `acked`: a subscribe went out on this connection.

    `alone`: it was in a request that the venue answered with an error; from then on it asks by itself.
    """

    __slots__ = ("alone", "followers", "is_heard", "listed", "texts")

    def __init__(self, name: str) -> None:
        super().__init__(-1, name, 0, None)
        self.followers: list[Follower] = []
        self.texts: TextGrid | None = None
        self.listed = False
        self.alone = False
        self.is_heard = False  # trades and tickers were asked for on this connection

    def restart(self) -> None:
        """A new connection remembers nothing."""
        self.listed = self.acked = self.is_heard = False
        if self.state is not State.REFUSED:
            self.move(State.IDLE)

    def is_named(self, names: frozenset[str]) -> bool:
        return self.symbol in names or any(one.name in names for one in self.followers)


class Pace:
    """At most so many messages in any second: Coinbase takes eight a second from one address without a key.

    https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-rate-limits
    """

    MOST: Final = 6
    SPAN_NS: Final = SECOND

    def __init__(self) -> None:
        self._sent: deque[int] = deque()
        self._waiting: deque[bytes] = deque()

    def restart(self) -> None:
        self._waiting.clear()

    @property
    def behind_ns(self) -> int:
        """How long until what was said last leaves."""
        return -(-len(self._waiting) // self.MOST) * self.SPAN_NS

    def say(self, data: bytes, now_ns: int) -> list[bytes]:
        self._waiting.append(data)
        return self.due(now_ns)

    def due(self, now_ns: int) -> list[bytes]:
        """What may leave now, in the order it was said."""
        while self._sent and now_ns - self._sent[0] >= self.SPAN_NS:
            self._sent.popleft()
        out: list[bytes] = []
        while self._waiting and len(self._sent) < self.MOST:
            self._sent.append(now_ns)
            out.append(self._waiting.popleft())
        return out
