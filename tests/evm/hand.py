"""A chain session's hands for tests: sockets of its own, no event loop. What `net.py` and `live.py` do, as a loop that
a test turns until something holds; what is shown is checked against the chain the moment it is shown.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Final

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from connectors.book import Level
from connectors.chain import ChainPlan
from connectors.events import BookLost, BookSnapshot, Notice
from connectors.pool import ChainFee, DexVenue, PoolId, PoolUpdate
from connectors.session import Output, Reconnect, Send, SessionPlan
from connectors.venues.evm.session import ChainSession

LIMIT_S: Final = 60
FIRST_POOL: Final = 10  # engine's index of the plan's first pool; the chain's own books are below


def session_plan(plan: ChainPlan, venue_id: DexVenue = DexVenue.DEX_ARB, native_1e9: int = 0) -> SessionPlan:
    """As the engine would make it: one market for each symbol, then one for each pool."""
    symbols = dict.fromkeys(pool.symbol for pool in plan.pools if pool.symbol)
    pools = tuple(
        (FIRST_POOL + key, PoolId(bytes.fromhex(pool.address[2:]).ljust(32, b"\0"), pool.symbol, pool.pair_index,
                                  int(venue_id), int(pool.protocol), 30))
        for key, pool in enumerate(plan.pools) if pool.symbol
    )  # fmt: skip
    return SessionPlan(
        symbols=tuple(enumerate(symbols)),
        depth=20,
        pools=pools,
        chain=plan,
        price_1e9=lambda symbol: native_1e9 if symbol == plan.native else 0,
    )


class Hand:
    """`books` are those shown now, by market. `turn` takes one frame, `until` turns. Not for two threads."""

    def __init__(self, plan: SessionPlan, urls: Mapping[str, str]) -> None:
        self.session = ChainSession(plan)
        self.urls = dict(urls)
        self.books: dict[int, tuple[list[Level], list[Level]]] = {}
        self.lost: list[tuple[int, str]] = []
        self.notices: list[str] = []
        self.fees: list[ChainFee] = []
        self.updates: dict[int, PoolUpdate] = {}
        self.shown = 0
        self.watchers: list[Callable[[Output], None]] = []
        self.filters: dict[str, Callable[[bytes], bytes | None]] = {}  # what a link does to frames: a faulty network
        self._sockets: dict[str, ClientConnection] = {}
        self._stacks: dict[str, ExitStack] = {}
        self._tick_s = 0.0
        for link in self.urls:
            self.dial(link)

    def dial(self, link: str) -> None:
        stack = self._stacks[link] = ExitStack()
        self._sockets[link] = stack.enter_context(
            connect(self.urls[link], max_size=2**26, compression=None, proxy=None)
        )
        self._carry(self.session.open(time.time_ns(), link))

    def cut(self, link: str) -> None:
        """The socket is gone."""
        if self._sockets.pop(link, None) is not None:
            self._stacks.pop(link).close()
            self._carry(self.session.close(time.time_ns(), link))

    def close(self) -> None:
        self._sockets.clear()
        for stack in self._stacks.values():
            stack.close()

    def turn(self) -> None:
        """Takes what is there on every link, and lets time pass."""
        heard = False
        for link, socket in list(self._sockets.items()):
            try:
                frame = socket.recv(timeout=0.002, decode=False)
            except TimeoutError:
                continue
            except ConnectionClosed:
                self.cut(link)
                continue
            heard = True
            change = self.filters.get(link)
            kept = frame if change is None else change(bytes(frame))
            if kept is not None and link in self._sockets:
                self._carry(self.session.receive(kept, time.time_ns(), link))
        if not heard or time.monotonic() - self._tick_s > 0.25:
            self._tick_s = time.monotonic()
            self._carry(self.session.tick(time.time_ns()))

    def until(self, holds: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
        end = time.monotonic() + limit_s
        while not holds():
            assert time.monotonic() < end, f"never came true; lost: {self.session.lost!r}, notices: {self.notices[-5:]}"
            self.turn()

    def at_block(self, number: int, block_hash: str = "") -> bool:
        """Whether everything shown is of this block."""
        tip = self.session.follower.blocks.tip
        if tip is None or self.session.lost or tip.head.number != number:
            return False
        return not block_hash or tip.head.hash == block_hash

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case Send(link, data):
                    if link in self._sockets:
                        self._sockets[link].send(data.decode())
                case Reconnect(link, _):
                    self.cut(link)
                    self.dial(link)
                case BookSnapshot(index, bids, asks):
                    self.books[index] = bids, asks
                    self.shown += 1
                case BookLost(index, reason):
                    self.books.pop(index, None)
                    self.lost.append((index, reason))
                case Notice(_, text):
                    self.notices.append(text)
                case ChainFee():
                    self.fees.append(output)
                case PoolUpdate(index):
                    self.updates[index] = output
            for watch in self.watchers:
                watch(output)
