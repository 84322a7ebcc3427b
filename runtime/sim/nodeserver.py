"""Sockets and a clock around a simulated node of a chain: an HTTP port for calls and a WebSocket port, on the loopback.

One task makes blocks or slots; each WebSocket client has a bounded queue and is cut off when it does not read.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Generic, Protocol, Self, TypeVar

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from runtime.sim.client import SimClient
from runtime.sim.frames import Frame
from runtime.sim.http1 import BadRequest, HttpRequest, read_request, write_answer

NAP_S: Final = 0.01
_CLOSE_S: Final = 1.0
_READ: Final = 2**16
_FRAME_MAX: Final = 8 * 2**20
_NOT_POST: Final = b"Used HTTP Method is not allowed. POST or OPTIONS is required\n"

ConnectionT = TypeVar("ConnectionT")
Ready = Sequence[tuple[ConnectionT, Sequence[Frame]]]


class Node(Protocol[ConnectionT]):
    """A node without sockets or a clock; what is ready for whom comes out of `tick` and `drain`."""

    @property
    def faults(self) -> Any:
        """With `mute`, and `delay_ms` of everything sent."""

    def connect(self) -> ConnectionT: ...
    def disconnect(self, connection: ConnectionT, /) -> None: ...
    def receive(self, connection: ConnectionT, text: str | bytes, now_ns: int, /) -> None: ...
    def tick(self, now_ns: int, /) -> Ready[ConnectionT]: ...
    def drain(self) -> Ready[ConnectionT]: ...


class NodeServer(ABC, Generic[ConnectionT]):
    """A node on two loopback ports, as an async context manager.

    Ports of 0 take any; `clock` returns nanoseconds since the epoch and alone decides when a block is due;
    `queue_frames` bounds what waits for one client. Entering raises OSError when a port is taken. Leaving closes every
    connection and raises what went wrong inside, if anything did.
    """

    def __init__(
        self, node: Node[ConnectionT], *, host: str, ws_port: int, http_port: int, clock: Callable[[], int],
        queue_frames: int,
    ) -> None:  # fmt: skip
        self._node = node
        self._host, self._ws_port, self._http_port = host, ws_port, http_port
        self._clock = clock
        self._queue_frames = queue_frames
        self._clients: dict[ConnectionT, SimClient] = {}
        self._server: Server | None = None
        self._http: asyncio.Server | None = None
        self._ticker: asyncio.Task[None] | None = None
        self._posts: set[asyncio.Task[None]] = set()

    @property
    def ws_url(self) -> str:
        """Where WebSocket clients connect. Raises RuntimeError while the server is not running."""
        return f"ws://{_place(self._server.sockets if self._server is not None else ())}"

    @property
    def http_url(self) -> str:
        """Where HTTP clients post. Raises RuntimeError while the server is not running."""
        return f"http://{_place(self._http.sockets if self._http is not None else ())}"

    @abstractmethod
    def reply(self, body: bytes, now_ns: int) -> tuple[int, str, str]:
        """The node's answer to a POST: status, further header lines (each with its end), body."""

    async def __aenter__(self) -> Self:
        self._http = await asyncio.start_server(self._serve_http, self._host, self._http_port, limit=_READ)
        try:
            self._server = await serve(
                self._serve_client,
                self._host,
                self._ws_port,
                ping_interval=None,  # a client that a test wants mute but open would be ended by our pings
                close_timeout=_CLOSE_S,
                compression=None,
                max_size=_FRAME_MAX,
            )
        except OSError:
            self._http.close()
            self._http = None
            raise
        self._deliver(self._node.tick(self._clock()))  # so that the first block is there when the first client is
        self._ticker = asyncio.create_task(self._tick(), name="sim-node-ticker")
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
            self._deliver(self._node.tick(self._clock()))
            await asyncio.sleep(NAP_S)

    def _deliver(self, ready: Ready[ConnectionT]) -> None:
        for connection, frames in ready:
            self._clients[connection].enqueue(frames)

    async def _serve_client(self, socket: ServerConnection) -> None:
        connection = self._node.connect()
        client = self._clients[connection] = SimClient(socket, self._queue_frames)
        writer = asyncio.create_task(client.write(), name="sim-node-writer")
        try:
            async for text in socket:
                self._node.receive(connection, text, self._clock())
                self._deliver(self._node.drain())
        except ConnectionClosed:
            pass  # however it ended, a node only forgets the client
        finally:
            self._node.disconnect(connection)
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
                writer.write(await self._post(request))
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

    async def _post(self, request: HttpRequest) -> bytes:
        """The whole answer to one request, when it is time for it."""
        if request.method != "POST":
            return write_answer(405, "text/plain", _NOT_POST, keeps_alive=request.keeps_alive)
        status, extra, body = self.reply(request.body, self._clock())
        self._deliver(self._node.drain())
        await asyncio.sleep(self._node.faults.delay_ms / 1000)
        while self._node.faults.mute:
            await asyncio.sleep(NAP_S)
        kind = "application/json; charset=utf-8"
        return write_answer(status, kind, body.encode(), keeps_alive=request.keeps_alive, extra=extra)


def _place(sockets: Sequence[Any]) -> str:
    if not sockets:
        raise RuntimeError("the simulated node is not running: use `async with`")
    host, port = sockets[0].getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"
