"""The simulated Binance on a loopback port."""

from runtime.sim.binance.venue import BinanceVenue
from runtime.sim.server import ExchangeSimServer


class BinanceSimServer(ExchangeSimServer):
    """Streams at /stream and /ws, the WebSocket API at /ws-api/v3, REST at /api/v3 and /sapi/v1."""

    venue_type = BinanceVenue
    venue: BinanceVenue
