"""A WebSocket server around the simulated venue: the only file of the public simulator that knows sockets and a clock.

    async with KrakenSimServer(seed=1) as server:
        ...  # connect any client to server.ws_url

One task moves the market and hands each client's frames to that client's bounded queue; one task a client empties the
queue into the socket. A client that does not read fills its own queue and is cut off: nobody waits for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from runtime.sim.client import SimClient
from runtime.sim.kraken import KrakenConnection, KrakenSim, SimFaults
from runtime.sim.market import DEFAULT_PAIRS, Market, SimPair

DEFAULT_RATE_HZ: Final = 140
"""Market steps a second over all symbols: with the four shipped pairs about 30 book messages a second for each."""

_SHORTEST_NAP_S: Final = 0.01
_CLOSE_S: Final = 1.0


class KrakenSimServer:
    """A simulated Kraken on a loopback port, as an async context manager.

    ``rate_hz`` is market steps a second over all symbols, ValueError outside 1 … 1,000,000; ``port`` 0 takes any;
    ``clock`` returns nanoseconds since the epoch and alone decides what is due; ``queue_frames`` bounds what waits for
    one client. Entering raises OSError when the port is taken. Leaving closes every connection (1001) and raises what
    went wrong inside, if anything did.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        faults: SimFaults | None = None,
        pairs: Sequence[SimPair] = DEFAULT_PAIRS,
        rate_hz: int = DEFAULT_RATE_HZ,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], int] = time.time_ns,
        queue_frames: int = 2_000,
    ) -> None:
        self.sim = KrakenSim(Market(pairs, seed), faults, rate_hz=rate_hz)
        self._nap_s = max(1 / rate_hz, _SHORTEST_NAP_S)
        self._host, self._port = host, port
        self._clock = clock
        self._queue_frames = queue_frames
        self._clients: dict[KrakenConnection, SimClient] = {}
        self._server: Server | None = None
        self._ticker: asyncio.Task[None] | None = None

    @property
    def ws_url(self) -> str:
        """Where clients connect, ``ws://127.0.0.1:PORT/v2``. Raises RuntimeError while the server is not running."""
        if self._server is None:
            raise RuntimeError("the simulated venue is not running: use `async with KrakenSimServer(...)`")
        host, port = next(iter(self._server.sockets)).getsockname()[:2]
        return f"ws://{f'[{host}]' if ':' in host else host}:{port}/v2"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve_client,
            self._host,
            self._port,
            process_request=_only_v2,
            # the protocol has its own pings; ours would end connections that a test wants mute but open
            ping_interval=None,
            close_timeout=_CLOSE_S,
            compression=None,
        )
        self._ticker = asyncio.create_task(self._tick(), name="kraken-sim-ticker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, ticker = self._server, self._ticker
        self._server = self._ticker = None
        if ticker is not None:
            ticker.cancel()
        if server is not None:
            server.close()
            await server.wait_closed()
        if ticker is not None:
            with suppress(asyncio.CancelledError):
                await ticker

    async def _tick(self) -> None:
        while True:
            for connection, frames in self.sim.tick(self._clock()):
                self._clients[connection].enqueue(frames)
            await asyncio.sleep(self._nap_s)

    async def _serve_client(self, socket: ServerConnection) -> None:
        connection, frames = self.sim.connect(self._clock())
        client = self._clients[connection] = SimClient(socket, self._queue_frames)
        client.enqueue(frames)
        writer = asyncio.create_task(client.write(), name="kraken-sim-writer")
        try:
            async for text in socket:
                client.enqueue(connection.receive(text, self._clock()))
        except ConnectionClosed:
            pass  # however it ended, a venue only forgets the client
        finally:
            self.sim.disconnect(connection)
            del self._clients[connection]
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer


def _only_v2(socket: ServerConnection, request: Request) -> Response | None:
    path = request.path.partition("?")[0].rstrip("/")
    return None if path.endswith("/v2") else socket.respond(HTTPStatus.NOT_FOUND, "this venue speaks at /v2\n")
