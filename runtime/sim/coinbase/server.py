"""The simulated Coinbase on a loopback port, sockets and REST together.

async with CoinbaseSimServer(seed=1) as server:
    ...  # server.urls by link, server.credentials: key (its name), secret (PEM)
"""

from __future__ import annotations

from runtime.sim.coinbase.venue import CoinbaseVenue
from runtime.sim.server import ExchangeSimServer


class CoinbaseSimServer(ExchangeSimServer):
    """`runtime.sim.server.ExchangeSimServer` with a `CoinbaseVenue` behind it."""

    venue_type = CoinbaseVenue
    venue: CoinbaseVenue
