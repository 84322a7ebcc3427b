"""What Bybit's sockets share: requests by op, answers, an end after long silence (venues.md 5.1). Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.numbers import dump, load
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.exchange.rules import uuid
from runtime.sim.frames import Close
from runtime.sim.market import NS

if TYPE_CHECKING:
    from runtime.sim.bybit.venue import BybitVenue

IDLE_NS: Final = 600 * NS
_ACTIVE: Final = re.compile(r"max_active_time=(\d{1,3})(s|m)")
QUIET: Final = Close(1006, "no traffic")


class Socket(ExchangeConnection):
    """One socket; `idle_ns`: how long it may be silent, 0 for ever."""

    venue: BybitVenue
    idle_ns = 0

    def opened(self, now_ns: int) -> None:
        """Private and trade sockets are cut when nobody says anything."""
        self.conn_id = uuid(f"{self.venue.seed}/bybit/{self.index}")
        asked = _ACTIVE.search(self.path)
        if asked is not None and self.idle_ns:
            self.idle_ns = int(asked[1]) * (60 if asked[2] == "m" else 1) * NS
        if self.idle_ns:
            self.at("idle", now_ns + self.idle_ns, self._idle)

    def _idle(self, now_ns: int) -> None:
        if now_ns - self.heard_ns >= self.idle_ns:
            self.end(QUIET)
        else:
            self.at("idle", self.heard_ns + self.idle_ns, self._idle)

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """One request of the client's."""
        try:
            found = load(text)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("op"), str):
            self.refuse(None, "Invalid request", "", now_ns)
            return
        self.do(str(found["op"]), found, now_ns)

    def do(self, op: str, request: dict[str, Any], now_ns: int) -> None:
        """A request that is one."""
        raise NotImplementedError

    def check_login(self, request: dict[str, Any], now_ns: int) -> None:
        """Raises Refused."""
        if self.fires("login_refused", now_ns, "auth") is not None:
            raise Refused(Refusal.SIGN)
        self.venue.access.check_login(request.get("args"), self.venue.clock(now_ns))

    def echo(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request's id, where it had one."""
        return {"req_id": request["req_id"]} if "req_id" in request else {}

    def agree(self, request: dict[str, Any], word: str, op: str, now_ns: int) -> None:
        """Success."""
        told = {"success": True, "ret_msg": word, "conn_id": self.conn_id} | self.echo(request) | {"op": op}
        self.send(dump(told), now_ns)

    def refuse(self, request: dict[str, Any] | None, word: str, op: str, now_ns: int) -> None:
        """Failure."""
        told = {"success": False, "ret_msg": word, "conn_id": self.conn_id} | self.echo(request or {}) | {"op": op}
        self.send(dump(told), now_ns)
