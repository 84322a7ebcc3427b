"""The simulated Solana on two loopback ports.

async with SolanaSimServer(sim) as server:
    ...  # connect any client to server.http_url and server.ws_url
"""

from __future__ import annotations

import time
from collections.abc import Callable

from runtime.sim.nodeserver import NodeServer
from runtime.sim.solana.node import SolanaSim
from runtime.sim.solana.pubsub import Connection


class SolanaSimServer(NodeServer[Connection]):
    """As `NodeServer`; a `port` that is given is HTTP's, and the WebSocket's is the next, as a validator has it."""

    def __init__(
        self, sim: SolanaSim, *, host: str = "127.0.0.1", port: int = 0, clock: Callable[[], int] = time.time_ns,
        queue_frames: int = 10_000,
    ) -> None:  # fmt: skip
        ws_port = port + 1 if port else 0
        super().__init__(sim, host=host, ws_port=ws_port, http_port=port, clock=clock, queue_frames=queue_frames)
        self.sim = sim

    def reply(self, body: bytes, now_ns: int) -> tuple[int, str, str]:
        """As `NodeServer.reply`."""
        answer = self.sim.post(body, now_ns)
        extra = "" if answer.retry_s is None else f"Retry-After: {answer.retry_s}\r\n"
        return answer.status, extra, answer.body
