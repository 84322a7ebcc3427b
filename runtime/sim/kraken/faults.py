"""What can go wrong at the simulated Kraken, as data: a table of names, and which of them are switched on. Pure.

A fault is written `NAME[=VALUE][,KEY=N…][@AFTER_S]`, as `--fault` takes it and `Faults.switch` reads it:

    close@3                         every connection is closed 3 s after it was opened
    ack_lost,on=add_order,nth=2     the answer to the second add_order is never sent
    ack_late=800,times=3            the next three answers come 800 ms late
    delayed_visibility=5@10         from 10 s on REST lags 5 s behind the engine

`on` takes one method's requests alone, `nth` begins with the n-th of them, `times` ends after so many (0: never),
`connections` spares all but the first n connections. AFTER_S counts from the opening of the connection, or from the
venue's start where a fault belongs to no connection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from runtime.sim.market import NS

SYSTEMS: Final = ("online", "maintenance", "cancel_only", "post_only", "limit_only")


class Kind(msgspec.Struct, frozen=True):
    """`default` tells what VALUE is: an int, a text, or None where the fault takes none.

    `times`: how often it strikes unless told otherwise, 0 always; `each`: counted for each connection by itself.
    """

    tells: str
    default: int | str | None = None
    times: int = 0
    each: bool = False


FAULTS: Final[dict[str, Kind]] = {
    # --- books ------------------------------------------------------------------------------------------------------
    "drop_update": Kind("leaves out each VALUE-th book update of a connection", 100),
    "drop_deep_update": Kind("leaves out each VALUE-th book update of what lies below level ten alone", 10),
    "corrupt_checksum": Kind("a wrong checksum in each VALUE-th book update", 10),
    "duplicate_update": Kind("sends each VALUE-th book update twice", 10),
    "scrambled_levels": Kind("levels of a book update in any order, a price twice, the last entry winning"),
    "snapshot_gap": Kind("leaves out the first update after each book snapshot"),
    "crossed_book": Kind("once: a bid at the fifth ask, checksum right; subscribing afresh heals", None, 1, each=True),
    "precision_change": Kind("once, for all: each pair gets a price decimal more, told by instrument", None, 1),
    "book_off": Kind("no book updates any more, everything else goes on"),
    "ack_then_silence": Kind("a book is acknowledged, then neither snapshot nor update"),
    # --- subscriptions and the link ---------------------------------------------------------------------------------
    "refuse_symbols": Kind("subscriptions of these symbols (a/b;c/d) are refused", ""),
    "no_ack": Kind("book, trade and private subscriptions are swallowed: no ack, no data"),
    "heartbeat_off": Kind("no heartbeats"),
    "no_pong": Kind("pings are not answered, everything else goes on"),
    "pong_only": Kind("nothing but pongs: a venue that is mute with pongs"),
    "mute": Kind("nothing at all is sent, the socket stays open and answers the protocol's own pings"),
    "half_open": Kind("nothing is sent, nothing is read, the protocol's own pings neither: the peer is gone"),
    "garbage_frame": Kind("once: a text frame that is not JSON", None, 1, each=True),
    "close": Kind("closes with 1001 and Cloudflare's reason", None, 1, each=True),
    "reset": Kind("once: the socket is gone without a close", None, 1, each=True),
    "half_frame": Kind("once: half a frame is written, then the socket is gone", None, 1, each=True),
    "connect_refused": Kind("new WebSocket connections are refused with HTTP 429", None),
    "status": Kind("the system is online, maintenance, cancel_only, post_only or limit_only", "maintenance"),
    "clock_skew": Kind("the venue's clock is VALUE ms off (may be negative) in all that it prints", 2000),
    # --- private: the answers -----------------------------------------------------------------------------------------
    "ack_lost": Kind("a trading request is carried out, its answer never sent", None, 1),
    "ack_late": Kind("the answer to a trading request comes VALUE ms late, executions in time", 500),
    "response_lost": Kind("a trading request is carried out, then the socket is gone before its answer", None, 1),
    "executions_first": Kind("executions of a request come before its answer"),
    "engine_late": Kind("a trading request reaches the engine VALUE ms late", 1000),
    "rate_limit": Kind("requests that add or change orders are answered EOrder:Rate limit exceeded", None, 1),
    "refuse": Kind("trading requests get the error VALUE and are not carried out", "EGeneral:Internal error", 1),
    "busy_live": Kind("trading requests are carried out, yet answered EService:Busy", None, 1),
    "token_expired": Kind("tokens are answered ESession:Invalid session; with on=subscribe only there", None, 1),
    # --- private: what happens to orders --------------------------------------------------------------------------
    "fill_before_ack": Kind("VALUE % of an order that rests are filled before its answer", 100, 1),
    "fill_after_cancel_ack": Kind("a cancel is answered, then VALUE % are filled before it is canceled", 100, 1),
    "cancel_reject_after_fill": Kind("an order is filled as its cancel arrives, which is refused", None, 1),
    "partial_then_cancel": Kind("VALUE % of an order are filled as its cancel arrives, the rest is canceled", 50, 1),
    # --- private: what the executions channel tells -------------------------------------------------------------------
    "duplicate_fill": Kind("a trade is told twice, with the same exec_id", None, 1),
    "reordered_fill": Kind("a trade is told after the execution that follows it, sequences swapped too", None, 1),
    "dropped_fill": Kind("a trade is not told and the sequence has no hole", None, 1),
    "sequence_gap": Kind("an execution is lost on the way: the sequence has a hole", None, 1),
    "executions_late": Kind("executions and balances come VALUE ms late", 1000),
    "executions_off": Kind("executions are not told any more, the sequence stands still"),
    "exponents": Kind("numbers of executions and balances below 0.0001 are written with exponents"),
    # --- REST ---------------------------------------------------------------------------------------------------------
    "delayed_visibility": Kind("orders and trades are seen over REST VALUE seconds late", 5),
    "gateway_error": Kind("HTTP VALUE with a page of HTML, nothing was done", 502, 1),
    "gateway_error_live": Kind("HTTP VALUE with a page of HTML, though the request was carried out", 520, 1),
    "rest_lost": Kind("a request is carried out, then the connection is cut without an answer", None, 1),
    "rest_late": Kind("answers come VALUE ms late", 1000),
    "http_429": Kind("HTTP 429, nothing was done", None, 1),
    "rest_rate_limit": Kind("EAPI:Rate limit exceeded", None, 1),
    "nonce_error": Kind("EAPI:Invalid nonce", None, 1),
    "throttled": Kind("EService: Throttled until VALUE seconds from now", 5, 1),
    "ban": Kind("EGeneral:Temporary lockout for every private request, new WebSocket connections are refused"),
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


REQUESTS: Final = frozenset(
    {"add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "batch_add", "batch_cancel",
     "cancel_all_orders_after", "subscribe", "unsubscribe", "ping", "OpenOrders", "ClosedOrders", "QueryOrders",
     "TradesHistory", "QueryTrades", "OrderAmends", "Balance", "BalanceEx", "TradeBalance", "GetWebSocketsToken",
     "GetApiKeyInfo", "Time", "SystemStatus", "Assets", "AssetPairs", "Depth", "Ticker", "Trades", "OHLC"}
)  # fmt: skip
"""What a fault may be limited to with `on`: of REST too, orders go by the socket's names."""


class Faults:
    """Those that are switched on; several of one name may be, on different requests."""

    def __init__(self, *texts: str) -> None:
        self._on: list[Fault] = []
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
        _check(text, given, value if equals else None)
        after_ns = _nanoseconds(text, after) if at else 0
        self.set(name, value if equals else None, after_ns=after_ns, **given)  # type: ignore[arg-type]

    def set(
        self, name: str, value: int | str | None = None, *, on: str = "", nth: int = 0, times: int | None = None,
        connections: int = 0, after_ns: int = 0,
    ) -> Fault:  # fmt: skip
        """Switches one on; a text is read as the kind of its VALUE. Raises ValueError."""
        kind = FAULTS.get(name)
        if kind is None:
            raise ValueError(f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
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
        return fault

    def clear(self, name: str = "") -> None:
        """Switches one off, or all."""
        self._on = [fault for fault in self._on if name and fault.name != name]

    def active(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        """The fault if it is on for the `index`-th connection at that age; nothing is counted."""
        return next((fault for fault in self._on if _meant(fault, name, age_ns, index, what)), None)

    def fires(self, name: str, age_ns: int, index: int = 0, what: str = "") -> Fault | None:
        """The fault if it strikes now; each question is one occasion and is counted."""
        for fault in self._on:
            if _meant(fault, name, age_ns, index, what):
                fault.seen += 1
                if fault.seen >= fault.nth:
                    place = index if FAULTS[name].each else 0
                    fault.fired[place] = fault.fired.get(place, 0) + 1
                    return fault
        return None


def _check(text: str, given: Mapping[str, int | str], value: str | None) -> None:
    """What would never strike is a mistake. Raises ValueError."""
    on = str(given.get("on", ""))
    if "on" in given and on not in REQUESTS:
        raise ValueError(f"{text!r}: there is no request {on!r}; there are {', '.join(sorted(REQUESTS))}")
    for key in ("nth", "times", "connections"):
        if int(given.get(key, 1)) < (key != "times"):
            raise ValueError(f"{text!r}: {key} counts from 1")
    kind = FAULTS.get(text.partition("@")[0].partition(",")[0].partition("=")[0])
    if kind is not None and "VALUE-th" in kind.tells and value is not None and _whole(text, value) < 1:
        raise ValueError(f"{text!r}: VALUE is 1 or more")
    if kind is not None and kind.default == "" and not value:
        raise ValueError(f"{text!r}: needs a VALUE: {kind.tells}")


def check_system(word: str) -> None:
    """Raises ValueError for what is no state of the system."""
    if word not in SYSTEMS:
        raise ValueError(f"no state {word!r}; there are {', '.join(SYSTEMS)}")


def _meant(fault: Fault, name: str, age_ns: int, index: int, what: str) -> bool:
    if fault.name != name or age_ns < fault.after_ns:
        return False
    if fault.times and fault.fired.get(index if FAULTS[name].each else 0, 0) >= fault.times:
        return False
    return (not fault.on or fault.on == what) and (not fault.connections or index < fault.connections)


def _whole(text: str, number: str) -> int:
    try:
        return int(number)
    except ValueError:
        raise ValueError(f"{text!r}: {number!r} is not an integer") from None


def _nanoseconds(text: str, seconds: str) -> int:
    whole, _, part = seconds.partition(".")
    return _whole(text, whole or "0") * NS + _whole(text, part.ljust(9, "0")[:9] or "0")
