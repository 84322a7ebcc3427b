"""A simulated OKX v5, spot: public and private sockets, REST, one account (venues.md 4)."""

from runtime.sim.okx.access import Access
from runtime.sim.okx.books import legacy_checksum
from runtime.sim.okx.connection import OkxConnection
from runtime.sim.okx.venue import OkxVenue

__all__ = ["Access", "OkxConnection", "OkxVenue", "legacy_checksum"]
