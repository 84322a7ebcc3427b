"""Simulated exchanges on a loopback port, WebSocket and REST together: the file that knows a clock.

    async with KrakenSimServer(seed=1) as server:
        ...  # connect any client to server.ws_url, server.ws_auth_url, server.rest_url with server.key, server.secret
    async with BinanceSimServer(seed=1) as server:
        ...  # server.urls by link, server.credentials by name

One task moves the venue; whatever it has for a client goes into that client's socket at once (`edge.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, ClassVar, Final, Protocol, Self

from runtime.sim.edge import Edge, EdgeVenue
from runtime.sim.exchange.pairs import usdt_beside_usd
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.frames import Close
from runtime.sim.kraken import DEFAULT_RATE_HZ, Faults, KrakenVenue, SimFaults
from runtime.sim.kraken.venue import DEFAULT_BALANCES
from runtime.sim.market import DEFAULT_PAIRS, Market, SimPair

_SHORTEST_NAP_S: Final = 0.01
_LONGEST_NAP_S: Final = 0.05
_CLOSE_S: Final = 1.0
_GOING_AWAY: Final = Close(1001, "")


class SimVenue(EdgeVenue, Protocol):
    """A simulated exchange."""

    NAME: ClassVar[str]

    @property
    def links(self) -> Mapping[str, str]: ...
    @property
    def credentials(self) -> dict[str, str]: ...
    def advance(self, now_ns: int) -> None: ...


class SimServer:
    """Any simulated exchange on a loopback port, as an async context manager.

    ``port`` 0 takes any; ``clock`` returns nanoseconds since the epoch and alone decides what is due; ``queue_frames``
    bounds what waits for one client. Entering raises OSError when the port is taken. Leaving closes every connection
    (1001) and raises what went wrong inside, if anything did.

    ``urls``: link of a session → where it connects; ``credentials``: of the one account, by name.
    """

    def __init__(
        self, venue: SimVenue, *, rate_hz: int = DEFAULT_RATE_HZ, host: str = "127.0.0.1", port: int = 0,
        clock: Callable[[], int] = time.time_ns, queue_frames: int = 2_000,
    ) -> None:  # fmt: skip
        self._venue = venue
        self._nap_s = min(max(1 / rate_hz, _SHORTEST_NAP_S), _LONGEST_NAP_S) if rate_hz else _SHORTEST_NAP_S
        self._host, self._port = host, port
        self._clock = clock
        self._queue_frames = queue_frames
        self._clients: list[Edge] = []
        self._server: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def credentials(self) -> dict[str, str]:
        return self._venue.credentials

    @property
    def rest_url(self) -> str:
        """HTTP, without a path: ``http://127.0.0.1:PORT``. Raises RuntimeError while the server is not running."""
        return f"http://{self._address()}"

    @property
    def urls(self) -> dict[str, str]:
        """By link. Raises RuntimeError while the server is not running."""
        place = self._address()
        return {link: f"ws://{place}{path}" if path else f"http://{place}" for link, path in self._venue.links.items()}

    def _address(self) -> str:
        if self._server is None:
            raise RuntimeError("the simulated venue is not running: use `async with SomeSimServer(...)`")
        host, port = next(iter(self._server.sockets)).getsockname()[:2]
        return f"{f'[{host}]' if ':' in host else host}:{port}"

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._edge, self._host, self._port)
        self._ticker = asyncio.create_task(self._tick(), name=f"{self._venue.NAME}-sim-ticker")
        return self

    def _edge(self) -> Edge:
        edge = Edge(self._venue, self._clock, self._pump, self._forget, self._queue_frames)
        self._clients.append(edge)
        return edge

    def _forget(self, edge: Edge) -> None:
        self._clients.remove(edge)

    def _pump(self) -> None:
        for edge in list(self._clients):
            edge.pump()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, ticker = self._server, self._ticker
        self._server = self._ticker = None
        if ticker is not None:
            ticker.cancel()
        if server is not None:
            server.close()
            left = [edge.closed for edge in self._clients]
            for edge in list(self._clients):
                edge.say_goodbye(_GOING_AWAY)
            if left:
                await asyncio.wait(left, timeout=_CLOSE_S)
            for edge in list(self._clients):
                edge.cut()
            await server.wait_closed()
            if left:
                await asyncio.wait(left)
        if ticker is not None:
            with suppress(asyncio.CancelledError):
                await ticker

    async def _tick(self) -> None:
        while True:
            self._venue.advance(self._clock())
            self._pump()
            await asyncio.sleep(self._nap_s)


class ExchangeSimServer(SimServer):
    """A venue of `runtime/sim/exchange` on a loopback port; a subclass says which. Words beside the server's are its.

    ``venue`` is the venue itself, ``market`` its market.
    """

    venue_type: ClassVar[type[ExchangeVenue]]

    def __init__(
        self, *, rate_hz: int = DEFAULT_RATE_HZ, host: str = "127.0.0.1", port: int = 0,
        clock: Callable[[], int] = time.time_ns, queue_frames: int = 2_000, **options: Any,
    ) -> None:  # fmt: skip
        self.venue = self.venue_type(rate_hz=rate_hz, **options)
        super().__init__(
            self.venue, rate_hz=rate_hz, host=host, port=port, clock=clock, queue_frames=queue_frames
        )  # fmt: skip

    @property
    def market(self) -> Market:
        return self.venue.market


class KrakenSimServer(SimServer):
    """A simulated Kraken on a loopback port, as an async context manager.

    ``rate_hz`` is market steps a second over all symbols, ValueError outside 1 … 1,000,000; all other words are the
    server's and ``KrakenVenue``'s. ``usdt``: the same coins against USDT are listed beside, and follow.

    ``venue`` is the venue itself, ``market`` its market, ``key`` and ``secret`` its account's.
    """

    def __init__(
        self, *, seed: int = 0, faults: SimFaults | Faults | None = None, pairs: Sequence[SimPair] = DEFAULT_PAIRS,
        rate_hz: int = DEFAULT_RATE_HZ, host: str = "127.0.0.1", port: int = 0,
        clock: Callable[[], int] = time.time_ns, queue_frames: int = 2_000, idle_close_s: int = 0,
        balances: Mapping[str, str] | None = None, usdt: bool = False, **options: Any,
    ) -> None:  # fmt: skip
        if usdt:
            balances = balances or {**DEFAULT_BALANCES, "USDT": DEFAULT_BALANCES["USD"]}
        self.venue = KrakenVenue(
            market=usdt_beside_usd(pairs, seed) if usdt else Market(pairs, seed),
            faults=faults.switched() if isinstance(faults, SimFaults) else faults,
            rate_hz=rate_hz, idle_close_s=idle_close_s, balances=balances, **options,
        )  # fmt: skip
        self.sim = self.venue
        super().__init__(
            self.venue, rate_hz=rate_hz, host=host, port=port, clock=clock, queue_frames=queue_frames
        )  # fmt: skip

    @property
    def market(self) -> Market:
        return self.venue.market

    @property
    def key(self) -> str:
        return self.venue.access.key

    @property
    def secret(self) -> str:
        return self.venue.access.secret

    @property
    def ws_url(self) -> str:
        """The public socket, ``ws://127.0.0.1:PORT/v2``. Raises RuntimeError while the server is not running."""
        return f"ws://{self._address()}/v2"

    @property
    def ws_auth_url(self) -> str:
        """The private socket, ``ws://127.0.0.1:PORT/auth/v2``. Raises RuntimeError while it is not running."""
        return f"ws://{self._address()}/auth/v2"
