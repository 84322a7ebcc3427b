"""A simulated Kraken: its WebSocket v2 and REST, one account, a matching engine joined with a simulated market."""

from runtime.sim.exchange.answer import Answer
from runtime.sim.kraken.books import book_checksum
from runtime.sim.kraken.connection import Connection, Frame
from runtime.sim.kraken.faults import FAULTS, Faults
from runtime.sim.kraken.sim import KrakenConnection, KrakenSim, SimFaults
from runtime.sim.kraken.venue import DEFAULT_RATE_HZ, KrakenVenue

__all__ = [
    "DEFAULT_RATE_HZ", "FAULTS", "Answer", "Connection", "Faults", "Frame", "KrakenConnection", "KrakenSim",
    "KrakenVenue", "SimFaults", "book_checksum",
]  # fmt: skip
