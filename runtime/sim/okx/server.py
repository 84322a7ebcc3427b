"""The simulated OKX on a loopback port, sockets and REST together.

async with OkxSimServer(seed=1) as server:
    ...  # server.urls by link, server.credentials: key, secret, passphrase
"""

from __future__ import annotations

from runtime.sim.okx.venue import OkxVenue
from runtime.sim.server import ExchangeSimServer


class OkxSimServer(ExchangeSimServer):
    """`runtime.sim.server.ExchangeSimServer` with an `OkxVenue` behind it."""

    venue_type = OkxVenue
    venue: OkxVenue
