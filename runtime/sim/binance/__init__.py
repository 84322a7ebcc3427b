"""A simulated Binance: market streams, WebSocket API, REST."""

from runtime.sim.binance.venue import BinanceVenue

__all__ = ["BinanceVenue"]
