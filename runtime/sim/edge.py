"""One TCP connection to the simulated venue: HTTP until it asks for a WebSocket, then frames. Knows sockets, no clock.

Everything happens in the event loop's callbacks, so that a frame can be cut in half and a socket dropped at will; a
client that does not read is cut off when too much waits for it.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from runtime.sim.exchange.answer import Answer
from runtime.sim.frames import Close, Ping
from runtime.sim.http1 import BadRequest, HttpRequest, read_request, write_answer

CUT: Final = 1006
FRAME_BYTES: Final = 512
"""What a frame is taken to weigh where a bound is given in frames."""


class EdgeConnection(Protocol):
    """One client as the venue has it."""

    def take(self) -> Sequence[str | bytes | Close | Ping]: ...
    def receive(self, text: str | bytes, now_ns: int) -> None: ...
    def close(self, now_ns: int) -> None: ...
    def is_deaf(self, now_ns: int) -> bool: ...


class EdgeVenue(Protocol):
    """What an edge asks of a venue: any simulated exchange."""

    now_ns: int

    def rest(self, method: str, target: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer: ...
    def refusal(self, now_ns: int, path: str = "") -> Answer | None: ...
    def connect(self, now_ns: int, path: str = "") -> EdgeConnection: ...


class Edge(asyncio.Protocol):
    """One client. `changed` is called whenever the venue may have something for anybody."""

    def __init__(
        self, venue: EdgeVenue, clock: Callable[[], int], changed: Callable[[], None],
        gone: Callable[[Edge], None], queue_frames: int,
    ) -> None:  # fmt: skip
        self._venue, self._clock, self._changed, self._gone = venue, clock, changed, gone
        self._limit = queue_frames * FRAME_BYTES
        self._data = bytearray()
        self._waits = False
        self._socket: ServerProtocol | None = None
        self._transport: asyncio.Transport | None = None
        self.connection: EdgeConnection | None = None
        self.closed = asyncio.get_running_loop().create_future()

    # --- the transport's calls -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):  # it always is: the type of the callback is the wider one
            self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.connection is not None:
            self.connection.close(self._venue.now_ns)
        if not self.closed.done():
            self.closed.set_result(None)
        self._gone(self)

    def data_received(self, data: bytes) -> None:
        if self._socket is not None:
            self._receive(data)
            return
        self._data += data
        self._requests()

    # --- HTTP ------------------------------------------------------------------------------------------------------

    def _requests(self) -> None:
        while not self._waits and self._socket is None and self._data:
            try:
                request = read_request(self._data)
            except BadRequest as bad:
                self._write(write_answer(bad.status, "text/plain", str(bad).encode(), keeps_alive=False))
                self._close()
                return
            if request is None:
                return
            if request.is_upgrade:
                self._upgrade(request)
                return
            del self._data[: request.size]
            self._ask(request)

    def _ask(self, request: HttpRequest) -> None:
        answer = self._venue.rest(request.method, request.target, request.headers, request.body, self._clock())
        self._changed()
        if answer.delay_ns:
            self._waits = True
            asyncio.get_running_loop().call_later(answer.delay_ns / 10**9, self._answer_late, request, answer)
        else:
            self._answer(request, answer)

    def _answer_late(self, request: HttpRequest, answer: Answer) -> None:
        self._waits = False
        self._answer(request, answer)
        self._requests()

    def _answer(self, request: HttpRequest, answer: Answer) -> None:
        if answer.is_lost:
            self.cut()
            return
        keeps = request.keeps_alive
        extra = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        self._write(write_answer(answer.status, answer.content_type, answer.body, keeps_alive=keeps, extra=extra))
        if not keeps:
            self._close()

    # --- WebSocket -------------------------------------------------------------------------------------------------

    def _upgrade(self, request: HttpRequest) -> None:
        refusal = self._venue.refusal(self._clock(), request.target)
        if refusal is not None:
            text = refusal.body or b"too many connections\n"
            self._write(write_answer(refusal.status, "text/plain", text, keeps_alive=False))
            self._close()
            return
        self._socket = ServerProtocol(max_size=2**20)
        data, self._data = bytes(self._data), bytearray()
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        socket, connection = self._socket, self.connection
        if socket is None or (connection is not None and connection.is_deaf(self._clock())):
            return
        socket.receive_data(data)
        for event in socket.events_received():
            if isinstance(event, Request):
                self._accept(socket, event)
            elif isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self._pong(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode in {Opcode.TEXT, Opcode.BINARY}:
                self._hear(bytes(event.data))
        self._flush()
        self._changed()

    def _hear(self, text: bytes) -> None:
        if self.connection is not None:
            self.connection.receive(text, self._clock())

    def _pong(self, payload: bytes) -> None:
        pong = getattr(self.connection, "pong", None)
        if pong is not None:
            pong(payload, self._clock())

    def _accept(self, socket: ServerProtocol, request: Request) -> None:
        response = socket.accept(request)
        socket.send_response(response)
        if socket.state is State.OPEN:
            self.connection = self._venue.connect(self._clock(), request.path)

    def pump(self) -> None:
        """Sends what the venue has for this client."""
        connection, socket = self.connection, self._socket
        if connection is None or socket is None:
            return
        half = False
        for frame in connection.take():
            if isinstance(frame, str):
                if socket.state is State.OPEN:
                    socket.send_text(frame.encode())
            elif isinstance(frame, Ping):
                if socket.state is State.OPEN:
                    socket.send_ping(frame.payload)
            elif isinstance(frame, bytes):
                self._flush()
                self._write(struct.pack("!BBH", 0x81, 126, 4 * len(frame)) + frame)
                half = True
            elif frame.code == CUT:
                self._flush()
                self._close() if half else self.cut()
                return
            else:
                self.say_goodbye(frame)
        self._flush()

    def say_goodbye(self, close: Close) -> None:
        """Begins the closing handshake."""
        if self._socket is None or self.connection is None:
            self._close()
            return
        try:
            self._socket.send_close(CloseCode(close.code), close.reason)
        except InvalidState:
            return
        self._flush()

    def cut(self) -> None:
        """The socket is gone without a word."""
        if self._transport is not None:
            self._transport.abort()

    # --- out -------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._socket is None:
            return
        for data in self._socket.data_to_send():
            if data:
                self._write(data)
            else:
                self._close()

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        if transport.get_write_buffer_size() > self._limit:
            transport.abort()  # it does not read; a frame left out would be a silent gap

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
