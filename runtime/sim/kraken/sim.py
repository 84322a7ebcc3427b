"""The public side alone, as a pull of frames: `connect` and `receive` return what is to be sent, `tick` what is due.

A thin layer over `KrakenVenue` for those who need no account; `SimFaults` names the faults of market data as fields.
"""

from __future__ import annotations

import msgspec

from runtime.sim.kraken.connection import Connection, Frame
from runtime.sim.kraken.faults import Faults
from runtime.sim.kraken.venue import DEFAULT_RATE_HZ, KrakenVenue
from runtime.sim.market import NS, Market, SimPair


class SimFaults(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong; all off by default. ``*_every`` = n spoils each nth book update of a connection. ``*_after_s``
    counts seconds from the connection's opening, 0 means at once; precision counts from the first connection of all.
    """

    drop_update_every: int = 0  # left out: the next checksum over the top ten is wrong for whoever missed it
    corrupt_checksum_every: int = 0
    duplicate_update_every: int = 0
    refuse_symbols: tuple[str, ...] = ()  # "Currency pair not supported", though the market has them
    no_ack: bool = False  # book and trade subscriptions are swallowed whole: no ack, no data
    ack_then_silence: bool = False  # a book is acknowledged, then neither snapshot nor update; heartbeats go on
    heartbeat_off_after_s: int | None = None
    mute_after_s: int | None = None  # nothing at all any more, pongs included; the socket stays open
    pong_only_after_s: int | None = None
    book_off_after_s: int | None = None  # no more book updates; all else goes on, snapshots included: a quiet market
    garbage_frame_after_s: int | None = None  # once: a text frame that is not JSON
    close_after_s: int | None = None  # code 1001 with Cloudflare's reason
    crossed_book_after_s: int | None = None  # once: a bid at the fifth ask, checksum right; subscribing afresh heals
    precision_change_after_s: int | None = None  # once, for all: a price decimal more, told by an instrument update
    connections: int = 0  # only the first n connections suffer (0: all), so that a test can watch a client recover

    def switched(self) -> Faults:
        """The same, as the venue's table has them."""
        faults = Faults()
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if field == "connections" or value is None or value is False or (value == 0 and field.endswith("_every")):
                continue
            if field == "refuse_symbols":
                if value:
                    faults.set("refuse_symbols", ";".join(value), connections=self.connections)
            elif field.endswith("_every"):
                faults.set(field.removesuffix("_every"), value, connections=self.connections)
            else:
                after_s = value if field.endswith("_after_s") else 0
                faults.set(field.removesuffix("_after_s"), connections=self.connections, after_ns=after_s * NS)
        return faults


class KrakenConnection:
    """One client's socket. Made by ``KrakenSim.connect``; the caller carries the frames."""

    def __init__(self, inner: Connection) -> None:
        self.inner = inner
        self.connection_id = inner.connection_id

    def receive(self, text: str | bytes, now_ns: int) -> list[Frame]:
        """Answer one client frame. Raises for nothing a client may send: bad requests get the venue's error frames."""
        self.inner.receive(text, now_ns)
        return self.inner.take()


class KrakenSim:
    """A venue over one market, ``rate_hz`` market steps a second over all symbols.

    ``tick`` makes the steps that have become due, so time may run as fast as the caller likes. ``price_scale`` is the
    factor of wire prices after a precision change. Raises ValueError for a rate outside 1 … 1,000,000.
    """

    def __init__(self, market: Market, faults: SimFaults | None = None, *, rate_hz: int = DEFAULT_RATE_HZ) -> None:
        if rate_hz < 1:
            raise ValueError("rate_hz must lie in 1 … 1,000,000 steps a second")
        self.market = market
        self.faults = faults if faults is not None else SimFaults()
        self.venue = KrakenVenue(market=market, faults=self.faults.switched(), rate_hz=rate_hz, idle_close_s=0)
        self._connections: dict[Connection, KrakenConnection] = {}

    @property
    def pairs(self) -> dict[str, SimPair]:
        return self.venue.pairs

    @property
    def price_scale(self) -> int:
        return self.venue.price_scale

    def connect(self, now_ns: int) -> tuple[KrakenConnection, list[Frame]]:
        """Accept a client: its connection, and the status frame that goes out before anything else."""
        connection = KrakenConnection(self.venue.connect(now_ns))
        self._connections[connection.inner] = connection
        return connection, connection.inner.take()

    def disconnect(self, connection: KrakenConnection) -> None:
        """Forget a client with all its subscriptions; twice is once."""
        self.venue.disconnect(connection.inner)
        self._connections.pop(connection.inner, None)

    def tick(self, now_ns: int) -> list[tuple[KrakenConnection, list[Frame]]]:
        """Bring the world to ``now_ns``; returns each connection that has something to send, its frames in order."""
        self.venue.advance(now_ns)
        told = [(connection, inner.take()) for inner, connection in self._connections.items()]
        for inner in [inner for inner in self._connections if not inner.is_open]:
            del self._connections[inner]
        return [(connection, frames) for connection, frames in told if frames]
