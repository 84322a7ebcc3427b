"""The simulated EVM chain on two loopback ports.

async with EvmSimServer(sim) as server:
    ...  # connect any client to server.ws_url or server.http_url
"""

from __future__ import annotations

import time
from collections.abc import Callable

from runtime.sim.evm.node import EvmConnection, EvmSim
from runtime.sim.nodeserver import NodeServer


class EvmSimServer(NodeServer[EvmConnection]):
    """As `NodeServer`; `port` is the WebSocket's."""

    def __init__(
        self, sim: EvmSim, *, host: str = "127.0.0.1", port: int = 0, http_port: int = 0,
        clock: Callable[[], int] = time.time_ns, queue_frames: int = 10_000,
    ) -> None:  # fmt: skip
        super().__init__(sim, host=host, ws_port=port, http_port=http_port, clock=clock, queue_frames=queue_frames)
        self.sim = sim

    def reply(self, body: bytes, now_ns: int) -> tuple[int, str, str]:
        """As `NodeServer.reply`."""
        return 200, "", self.sim.answer(body, now_ns) or ""
