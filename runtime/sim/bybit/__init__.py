"""A simulated Bybit: public, private and trade sockets, REST."""

from runtime.sim.bybit.venue import BybitVenue

__all__ = ["BybitVenue"]
