"""The simulated Bybit on a loopback port."""

from runtime.sim.bybit.venue import BybitVenue
from runtime.sim.server import ExchangeSimServer


class BybitSimServer(ExchangeSimServer):
    """Sockets at /v5/public/spot, /v5/private and /v5/trade, REST at /v5."""

    venue_type = BybitVenue
    venue: BybitVenue
