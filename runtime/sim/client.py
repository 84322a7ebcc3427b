"""One WebSocket client of a simulated venue, behind a bounded queue: nobody waits for it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from runtime.sim.frames import Close, Frame


class SimClient:
    """A socket and what still has to be sent to it; `write` is a task of its own."""

    def __init__(self, socket: ServerConnection, queue_frames: int) -> None:
        self.socket = socket
        self._queue: asyncio.Queue[Frame] = asyncio.Queue(queue_frames)

    def enqueue(self, frames: Sequence[Frame]) -> None:
        """Queue frames without waiting; a full queue cuts the client off, as a frame left out would be a silent gap."""
        try:
            for frame in frames:
                self._queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.socket.transport.abort()

    async def write(self) -> None:
        """Send queued frames until the socket closes or the venue closes it."""
        with suppress(ConnectionClosed):
            while True:
                frame = await self._queue.get()
                if isinstance(frame, Close):
                    await self.socket.close(frame.code, frame.reason)
                    return
                await self.socket.send(frame)
