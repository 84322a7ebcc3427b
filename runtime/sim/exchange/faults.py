"""What can go wrong at a simulated exchange, as data: a table of names, and which of them are switched on. Pure.

A fault is written `NAME[=VALUE][,KEY=N…][@AFTER_S]`, as `--fault` takes it and `Faults.switch` reads it:

    close@3                         every connection is closed 3 s after it was opened
    ack_lost,on=new,nth=2           the answer to the second new order is never sent
    ack_late=800,times=3            the next three answers come 800 ms late
    delayed_visibility=5@10         from 10 s on lists lag 5 s behind the engine

`on` takes one method's requests alone, by the venue's word or by what it is everywhere: new, amend, cancel, cancel_all,
query, balance, subscribe, login, ping, market. `nth` begins with the n-th of them, `times` ends after so many (0:
never), `connections` spares all but the first n connections. AFTER_S counts from the opening of the connection, or from
the venue's start where a fault belongs to no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from runtime.sim.market import NS

SYSTEMS: Final = ("online", "maintenance", "cancel_only", "post_only", "limit_only")
NEUTRAL: Final = frozenset({
    "new", "amend", "cancel", "cancel_all", "query", "balance", "subscribe", "login", "ping", "market",
})  # fmt: skip
"""What requests are at every venue."""


class Kind(msgspec.Struct, frozen=True):
    """`default` tells what VALUE is: an int, a text, or None where the fault takes none.

    `times`: how often it strikes unless told otherwise, 0 always; `each`: counted for each connection by itself.
    """

    tells: str
    default: int | str | None = None
    times: int = 0
    each: bool = False


COMMON: Final[dict[str, Kind]] = {
    # --- books ------------------------------------------------------------------------------------------------------
    "drop_update": Kind("leaves out each VALUE-th book update of a connection", 100),
    "duplicate_update": Kind("sends each VALUE-th book update twice", 10),
    "snapshot_gap": Kind("leaves out the first update after each book snapshot"),
    "crossed_book": Kind("once: a bid at the fifth ask; subscribing afresh heals", None, 1, each=True),
    "book_off": Kind("no book updates any more, everything else goes on"),
    "ack_then_silence": Kind("a book is acknowledged, then neither snapshot nor update"),
    # --- subscriptions and the link ---------------------------------------------------------------------------------
    "refuse_symbols": Kind("subscriptions of these symbols (a/b;c/d) are refused", ""),
    "no_ack": Kind("subscriptions are swallowed: no ack, no data"),
    "heartbeat_off": Kind("no heartbeats, no pings of the server's"),
    "no_pong": Kind("pings are not answered, everything else goes on"),
    "pong_only": Kind("nothing but pongs: a venue that is mute with pongs"),
    "mute": Kind("nothing at all is sent, the socket stays open and answers the protocol's own pings"),
    "half_open": Kind("nothing is sent, nothing is read, the protocol's own pings neither: the peer is gone"),
    "garbage_frame": Kind("once: a text frame that is not JSON", None, 1, each=True),
    "close": Kind("closes with 1001", None, 1, each=True),
    "reset": Kind("once: the socket is gone without a close", None, 1, each=True),
    "half_frame": Kind("once: half a frame is written, then the socket is gone", None, 1, each=True),
    "connect_refused": Kind("new WebSocket connections are refused with HTTP 429"),
    "status": Kind("the system is online, maintenance, cancel_only, post_only or limit_only", "maintenance"),
    "clock_skew": Kind("the venue's clock is VALUE ms off (may be negative) in all that it prints and checks", 2000),
    # --- orders: the answers ------------------------------------------------------------------------------------------
    "ack_lost": Kind("a request is carried out, its answer never sent", None, 1),
    "ack_late": Kind("the answer to a request comes VALUE ms late, executions in time", 500),
    "response_lost": Kind("a request is carried out, then the connection is gone before its answer", None, 1),
    "executions_first": Kind("executions of a request come before its answer"),
    "engine_late": Kind("a request reaches the engine VALUE ms late", 1000),
    "rate_limit": Kind("requests that add or change orders are refused for their rate", None, 1),
    "refuse": Kind("requests get the error VALUE and are not carried out", "internal error", 1),
    "busy_live": Kind("requests are carried out, yet answered that nobody knows (a timeout inside the venue)", None, 1),
    "login_refused": Kind("a login, or a signed request, is refused", None, 1),
    # --- what happens to orders -------------------------------------------------------------------------------------
    "fill_before_ack": Kind("VALUE % of an order that rests are filled before its answer", 100, 1),
    "fill_after_cancel_ack": Kind("a cancel is answered, then VALUE % are filled before it is canceled", 100, 1),
    "cancel_reject_after_fill": Kind("an order is filled as its cancel arrives, which is refused", None, 1),
    "partial_then_cancel": Kind("VALUE % of an order are filled as its cancel arrives, the rest is canceled", 50, 1),
    # --- what the stream of orders tells ----------------------------------------------------------------------------
    "duplicate_fill": Kind("a trade is told twice, with the same id", None, 1),
    "reordered_fill": Kind("a trade is told after what follows it", None, 1),
    "dropped_fill": Kind("a trade is not told", None, 1),
    "executions_late": Kind("news of orders and balances come VALUE ms late", 1000),
    "executions_off": Kind("news of orders and balances are not told any more"),
    # --- REST ---------------------------------------------------------------------------------------------------------
    "delayed_visibility": Kind("orders and trades are seen in lists VALUE seconds late", 5),
    "gateway_error": Kind("HTTP VALUE with a page of HTML, nothing was done", 502, 1),
    "gateway_error_live": Kind("HTTP VALUE with a page of HTML, though the request was carried out", 504, 1),
    "rest_lost": Kind("a request is carried out, then the connection is cut without an answer", None, 1),
    "rest_late": Kind("answers come VALUE ms late", 1000),
    "http_429": Kind("HTTP 429, nothing was done", None, 1),
    "rest_rate_limit": Kind("the venue's own word for too many requests", None, 1),
    "ban": Kind("this address is banned: every request and new connection is refused"),
}  # fmt: skip


class Fault(msgspec.Struct, kw_only=True):
    """One fault that is switched on."""

    name: str
    value: int | str | None = None
    on: str = ""
    nth: int = 0
    times: int = 0
    connections: int = 0
    after_ns: int = 0
    seen: int = 0
    fired: dict[int, int] = {}

    @property
    def number(self) -> int:
        """VALUE as an integer, 0 where it is none."""
        return self.value if isinstance(self.value, int) else 0


class Faults:
    """Those that are switched on; several of one name may be, on different requests.

    `table`: the faults there are. `words`: a venue's own methods and what each is at every venue. `requests`: what else
    `on` may name.
    """

    def __init__(
        self, *texts: str, table: Mapping[str, Kind] | None = None, words: Mapping[str, str] | None = None,
        requests: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.table = COMMON if table is None else table
        self._words = words or {}
        self._requests = requests | NEUTRAL | self._words.keys()
        self._on: list[Fault] = []
        self._names: frozenset[str] = frozenset()  # of those that are on: most questions are about others
        for text in texts:
            self.switch(text)

    def switch(self, text: str) -> None:
        """Switches a fault on, written as the module says. Raises ValueError."""
        head, at, after = text.partition("@")
        first, *options = head.split(",")
        name, equals, value = first.partition("=")
        given: dict[str, int | str] = {}
        for option in options:
            key, _, told = option.partition("=")
            if key not in {"on", "nth", "times", "connections"}:
                raise ValueError(f"{text!r}: an option is one of on, nth, times, connections, not {key!r}")
            given[key] = told if key == "on" else _whole(text, told)
        self._check(text, given, value if equals else None)
        after_ns = _nanoseconds(text, after) if at else 0
        self.set(name, value if equals else None, after_ns=after_ns, **given)  # type: ignore[arg-type]

    def set(
        self, name: str, value: int | str | None = None, *, on: str = "", nth: int = 0, times: int | None = None,
        connections: int = 0, after_ns: int = 0,
    ) -> Fault:  # fmt: skip
        """Switches one on; a text is read as the kind of its VALUE. Raises ValueError."""
        kind = self.table.get(name)
        if kind is None:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(self.table)}")
        if kind.default is None and value is not None:
            raise ValueError(f"fault {name} takes no value, not {value!r}")
        if value is None:
            value = kind.default
        elif isinstance(kind.default, int):
            value = _whole(f"{name}={value}", str(value))
        if name == "status":
            check_system(str(value))
        fault = Fault(
            name=name, value=value, on=on, nth=nth, times=kind.times if times is None else times,
            connections=connections, after_ns=after_ns,
        )  # fmt: skip
        self._on.append(fault)
        self._names |= {name}
        return fault

    def clear(self, name: str = "") -> None:
        """Switches one off, or all."""
        self._on = [fault for fault in self._on if name and fault.name != name]
        self._names = frozenset(fault.name for fault in self._on)

    def active(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        """The fault if it is on for the `index`-th connection at that age; nothing is counted."""
        if name not in self._names:
            return None
        return next((fault for fault in self._on if self._meant(fault, name, age_ns, index, what)), None)

    def fires(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        """The fault if it strikes now; each question is one occasion and is counted."""
        if name not in self._names:
            return None
        for fault in self._on:
            if self._meant(fault, name, age_ns, index, what):
                fault.seen += 1
                if fault.seen >= fault.nth:
                    place = index if self.table[name].each else 0
                    fault.fired[place] = fault.fired.get(place, 0) + 1
                    return fault
        return None

    def _check(self, text: str, given: Mapping[str, int | str], value: str | None) -> None:
        """What would never strike is a mistake. Raises ValueError."""
        on = str(given.get("on", ""))
        if "on" in given and on not in self._requests:
            raise ValueError(f"{text!r}: there is no request {on!r}; there are {', '.join(sorted(self._requests))}")
        for key in ("nth", "times", "connections"):
            if int(given.get(key, 1)) < (key != "times"):
                raise ValueError(f"{text!r}: {key} counts from 1")
        kind = self.table.get(text.partition("@")[0].partition(",")[0].partition("=")[0])
        if kind is not None and "VALUE-th" in kind.tells and value is not None and _whole(text, value) < 1:
            raise ValueError(f"{text!r}: VALUE is 1 or more")
        if kind is not None and kind.default == "" and not value:
            raise ValueError(f"{text!r}: needs a VALUE: {kind.tells}")

    def _meant(self, fault: Fault, name: str, age_ns: int, index: int, what: str) -> bool:
        if fault.name != name or age_ns < fault.after_ns:
            return False
        if fault.times and fault.fired.get(index if self.table[name].each else 0, 0) >= fault.times:
            return False
        if fault.on and fault.on not in (what, self._words.get(what)):
            return False
        return not fault.connections or index < fault.connections


def check_system(word: str) -> None:
    """Raises ValueError for what is no state of the system."""
    if word not in SYSTEMS:
        raise ValueError(f"no state {word!r}; there are {', '.join(SYSTEMS)}")


def _whole(text: str, number: str) -> int:
    try:
        return int(number)
    except ValueError:
        raise ValueError(f"{text!r}: {number!r} is not an integer") from None


def _nanoseconds(text: str, seconds: str) -> int:
    whole, _, part = seconds.partition(".")
    return _whole(text, whole or "0") * NS + _whole(text, part.ljust(9, "0")[:9] or "0")
