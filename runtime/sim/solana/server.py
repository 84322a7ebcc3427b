"""Sockets and a clock around the simulated Solana: an HTTP port and a WebSocket port, both on the loopback.

    async with SolanaSimServer(sim) as server:
        ...  # connect any client to server.rpc_url and server.ws_url

The only file of it that knows them. A port that is given is the HTTP one's, and the WebSocket's is the next, as a
validator has it. One task makes slots; each WebSocket client has a bounded queue and is cut off when it does not read.
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
from runtime.sim.frames import Frame
from runtime.sim.http1 import BadRequest, HttpRequest, read_request, write_answer
from runtime.sim.solana.node import SolanaSim
from runtime.sim.solana.pubsub import Connection

_NAP_S: Final = 0.01
_CLOSE_S: Final = 1.0
_READ: Final = 2**16


class SolanaSimServer:
    """A simulated Solana on two loopback ports, as an async context manager.

    `port` 0 takes any two; `clock` returns nanoseconds since the epoch and alone decides when a slot is due;
    `queue_frames` bounds what waits for one client. Entering raises OSError when a port is taken. Leaving closes every
    connection and raises what went wrong inside, if anything did.
    """

    def __init__(
        self,
        sim: SolanaSim,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], int] = time.time_ns,
        queue_frames: int = 10_000,
    ) -> None:
        self.sim = sim
        self._host, self._port = host, port
        self._clock = clock
        self._queue_frames = queue_frames
        self._clients: dict[Connection, SimClient] = {}
        self._server: Server | None = None
        self._http: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()

    @property
    def rpc_url(self) -> str:
        """Where HTTP clients post. Raises RuntimeError while the server is not running."""
        if self._http is None:
            raise RuntimeError("the simulated Solana is not running: use `async with SolanaSimServer(...)`")
        return f"http://{_place(self._http.sockets[0].getsockname())}"

    @property
    def ws_url(self) -> str:
        """Where WebSocket clients connect. Raises RuntimeError while the server is not running."""
        if self._server is None:
            raise RuntimeError("the simulated Solana is not running: use `async with SolanaSimServer(...)`")
        return f"ws://{_place(next(iter(self._server.sockets)).getsockname())}"

    async def __aenter__(self) -> Self:
        self._http = await asyncio.start_server(self._serve_http, self._host, self._port, limit=_READ)
        try:
            self._server = await serve(
                self._serve_client,
                self._host,
                self._port + 1 if self._port else 0,
                ping_interval=None,  # a client that a test wants mute but open would be ended by our pings
                close_timeout=_CLOSE_S,
                compression=None,
            )
        except OSError:
            self._http.close()
            self._http = None
            raise
        self._deliver(self.sim.tick(self._clock()))  # so that the first slot is there when the first client is
        self._ticker = asyncio.create_task(self._tick(), name="solana-sim-ticker")
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

    def _deliver(self, ready: Sequence[tuple[Connection, Sequence[Frame]]]) -> None:
        for connection, frames in ready:
            self._clients[connection].enqueue(frames)

    async def _serve_client(self, socket: ServerConnection) -> None:
        connection = self.sim.connect()
        client = self._clients[connection] = SimClient(socket, self._queue_frames)
        writer = asyncio.create_task(client.write(), name="solana-sim-writer")
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
        data = bytearray()
        try:
            while (request := read_request(data)) is not None or (more := await reader.read(_READ)):
                if request is None:
                    data += more
                    continue
                del data[: request.size]
                writer.write(await self._reply(request))
                await writer.drain()
                if not request.keeps_alive:
                    break
        except BadRequest as error:
            writer.write(write_answer(error.status, "text/plain", b"", keeps_alive=False))
        except ConnectionError:
            pass  # a client that breaks off
        except asyncio.CancelledError:
            pass  # the server ends: asyncio would print the end of a connection's task as an error of its own
        finally:
            self._posts.discard(task)
            writer.close()

    async def _reply(self, request: HttpRequest) -> bytes:
        """The whole answer to one request, when it is time for it."""
        if request.method != "POST":
            return write_answer(405, "text/plain", b"Used HTTP Method is not allowed. POST or OPTIONS is required\n",
                                keeps_alive=request.keeps_alive)  # fmt: skip
        reply = self.sim.post(request.body, self._clock())
        self._deliver(self.sim.drain())
        await asyncio.sleep(self.sim.faults.delay_ms / 1000)
        while self.sim.faults.mute:
            await asyncio.sleep(_NAP_S)
        extra = "" if reply.retry_s is None else f"Retry-After: {reply.retry_s}\r\n"
        return write_answer(reply.status, "application/json; charset=utf-8", reply.body.encode(),
                            keeps_alive=request.keeps_alive, extra=extra)  # fmt: skip


def _place(name: tuple[str, int]) -> str:
    host, port = name[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
