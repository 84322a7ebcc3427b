"""Sockets and a clock around the simulated chain: a WebSocket port and an HTTP port, both on the loopback.

    async with EvmSimServer(sim) as server:
        ...  # connect any client to server.ws_url or server.http_url

The only file of the simulated chain that knows them. One task makes blocks; each WebSocket client has a bounded queue
and is cut off when it does not read; HTTP is a small server for POST alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from runtime.sim.client import SimClient
from runtime.sim.evm.node import EvmConnection, EvmSim
from runtime.sim.frames import Frame

_NAP_S: Final = 0.01
_CLOSE_S: Final = 1.0
_BODY_MAX: Final = 8 * 2**20
_HEADERS_MAX: Final = 64


class EvmSimServer:
    """A simulated chain on two loopback ports, as an async context manager.

    `port` and `http_port` 0 take any; `clock` returns nanoseconds since the epoch and alone decides when a block is
    due; `queue_frames` bounds what waits for one client. Entering raises OSError when a port is taken. Leaving
    closes every connection and raises what went wrong inside, if anything did.
    """

    def __init__(
        self,
        sim: EvmSim,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        http_port: int = 0,
        clock: Callable[[], int] = time.time_ns,
        queue_frames: int = 10_000,
    ) -> None:
        self.sim = sim
        self._host, self._port, self._http_port = host, port, http_port
        self._clock = clock
        self._queue_frames = queue_frames
        self._clients: dict[EvmConnection, SimClient] = {}
        self._server: Server | None = None
        self._http: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()

    @property
    def ws_url(self) -> str:
        """Where WebSocket clients connect. Raises RuntimeError while the server is not running."""
        if self._server is None:
            raise RuntimeError("the simulated chain is not running: use `async with EvmSimServer(...)`")
        return f"ws://{_place(next(iter(self._server.sockets)).getsockname())}"

    @property
    def http_url(self) -> str:
        """Where HTTP clients post. Raises RuntimeError while the server is not running."""
        if self._http is None:
            raise RuntimeError("the simulated chain is not running: use `async with EvmSimServer(...)`")
        return f"http://{_place(self._http.sockets[0].getsockname())}"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve_client,
            self._host,
            self._port,
            ping_interval=None,  # a client that a test wants mute but open would be ended by our pings
            close_timeout=_CLOSE_S,
            compression=None,
            max_size=_BODY_MAX,
        )
        try:
            self._http = await asyncio.start_server(self._serve_http, self._host, self._http_port, limit=2**16)
        except OSError:
            self._server.close()
            await self._server.wait_closed()
            self._server = None
            raise
        self._deliver(self.sim.tick(self._clock()))  # so that the first block is there when the first client is
        self._ticker = asyncio.create_task(self._tick(), name="evm-sim-ticker")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        server, http, ticker = self._server, self._http, self._ticker
        self._server = self._http = self._ticker = None
        if ticker is not None:
            ticker.cancel()
        if http is not None:
            http.close()
        for post in self._posts:
            post.cancel()
        await asyncio.gather(*self._posts, return_exceptions=True)
        if server is not None:
            server.close()
            await server.wait_closed()
        if ticker is not None:
            with suppress(asyncio.CancelledError):
                await ticker

    async def _tick(self) -> None:
        while True:
            self._deliver(self.sim.tick(self._clock()))
            await asyncio.sleep(_NAP_S)

    def _deliver(self, ready: Sequence[tuple[EvmConnection, Sequence[Frame]]]) -> None:
        for connection, frames in ready:
            self._clients[connection].enqueue(frames)

    async def _serve_client(self, socket: ServerConnection) -> None:
        connection = self.sim.connect()
        client = self._clients[connection] = SimClient(socket, self._queue_frames)
        writer = asyncio.create_task(client.write(), name="evm-sim-writer")
        try:
            async for text in socket:
                self.sim.receive(connection, text, self._clock())
                self._deliver(self.sim.drain())
        except ConnectionClosed:
            pass  # however it ended, a node only forgets the client
        finally:
            self.sim.disconnect(connection)
            del self._clients[connection]
            writer.cancel()
            with suppress(asyncio.CancelledError):
                await writer

    async def _serve_http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio runs this as a task
        self._posts.add(task)
        try:
            while await self._post(reader, writer):
                pass
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
            pass  # a client that breaks off, or does not speak HTTP
        except asyncio.CancelledError:
            pass  # the server ends: asyncio would print the end of a connection's task as an error of its own
        finally:
            self._posts.discard(task)
            writer.close()

    async def _post(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; False when the connection ends. Raises ValueError for what is no HTTP."""
        first = await reader.readline()
        if not first:
            return False
        method, _, _ = first.decode("ascii").split()
        headers: dict[str, str] = {}
        while (line := (await reader.readline()).decode("latin-1").strip()) and len(headers) < _HEADERS_MAX:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        size = int(headers.get("content-length", "-1"))
        if method != "POST" or not 0 <= size <= _BODY_MAX:
            status = "405 Method Not Allowed" if method != "POST" else "413 Content Too Large"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
            await writer.drain()
            return False
        answer = self.sim.answer(await reader.readexactly(size), self._clock())
        self._deliver(self.sim.drain())
        await asyncio.sleep(self.sim.faults.delay_ms / 1000)
        while self.sim.faults.mute:
            await asyncio.sleep(_NAP_S)
        body = (answer or "").encode()
        is_last = headers.get("connection", "").lower() == "close"
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            + f"Content-Length: {len(body)}\r\nConnection: {'close' if is_last else 'keep-alive'}\r\n\r\n".encode()
            + body
        )
        await writer.drain()
        return not is_last


def _place(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
