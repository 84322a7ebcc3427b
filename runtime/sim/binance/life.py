"""How every socket of Binance lives: the server pings and is owed pongs, and a day is the end (venues.md 3.1)."""

from __future__ import annotations

from typing import Final

from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.numbers import MS, dump
from runtime.sim.frames import Close
from runtime.sim.market import NS

PING_NS: Final = 20 * NS
PONG_NS: Final = 60 * NS
LIFE_NS: Final = 86_400 * NS
NOTICE_NS: Final = 10 * NS
"""How long before a planned end it is told (ours: the venue says shortly)."""
NO_PONG: Final = Close(1008, "Pong timeout")
OVER: Final = Close(1001, "")


class Lived(ExchangeConnection):
    """A ping every 20 s; a pong with the same payload within 60 s; 24 h."""

    def opened(self, now_ns: int) -> None:
        """Sets its times."""
        self._pings: dict[bytes, int] = {}
        self.at("ping", now_ns + PING_NS, self._ping)
        self.at("life", now_ns + LIFE_NS - NOTICE_NS, self._notice)

    def _ping(self, now_ns: int) -> None:
        if any(now_ns - sent_ns >= PONG_NS for sent_ns in self._pings.values()):
            self.end(NO_PONG)
            return
        payload = str(self.venue.clock(now_ns) // MS).encode()
        if not self.is_silent(now_ns) and not self.active("heartbeat_off", now_ns):
            self._pings[payload] = now_ns
        self.ping(payload, now_ns)
        self.at("ping", now_ns + PING_NS, self._ping)

    def pong(self, payload: bytes, now_ns: int) -> None:
        """Answers that ping and those before it; one that nobody asked for does nothing."""
        del now_ns
        sent_ns = self._pings.get(payload)
        if sent_ns is not None:
            self._pings = {one: at_ns for one, at_ns in self._pings.items() if at_ns > sent_ns}

    def _notice(self, now_ns: int) -> None:
        self.send(self.shutdown_frame(now_ns), now_ns)
        self.at("life", now_ns + NOTICE_NS, lambda _: self.end(OVER))

    def shutdown_frame(self, now_ns: int) -> str:
        """Word of the end that comes."""
        return dump({"e": "serverShutdown", "E": self.venue.clock(now_ns) // MS})

    def on_time(self, now_ns: int) -> None:
        """A planned end may come early: that is a fault's doing."""
        super().on_time(now_ns)
        soon = self.fires("shutdown", now_ns)
        if soon is not None and self.is_open:
            self.send(self.shutdown_frame(now_ns), now_ns)
            self.at("life", now_ns + soon.number * NS, lambda _: self.end(OVER))
