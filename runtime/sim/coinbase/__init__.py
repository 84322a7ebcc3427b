"""A simulated Coinbase Advanced Trade: market and user sockets, REST, one account (venues.md 2)."""

from runtime.sim.coinbase.connection import CoinbaseConnection
from runtime.sim.coinbase.jwt import Access
from runtime.sim.coinbase.venue import CoinbaseVenue

__all__ = ["Access", "CoinbaseConnection", "CoinbaseVenue"]
