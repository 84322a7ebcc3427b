"""Frames as OKX writes them (every number is the text it was given), and one session driven through a day.

Written from OKX's published messages; nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from connectors.instrument import Instrument
from connectors.session import CALLS, Output, Send, SessionPlan
from connectors.venues.okx import VENUE

SECOND = 10**9
T0 = 1_755_338_645_123_456_789
STAMP = "2025-08-16T10:04:05.223Z"

TextLevel = tuple[str, str]
BIDS: list[TextLevel] = [("62806.9", "0.5"), ("62806.5", "0.00159223")]
ASKS: list[TextLevel] = [("62807", "1.2"), ("62807.1", "0.075")]
T = TypeVar("T")


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def book(
    action: str,
    bids: Iterable[TextLevel] = BIDS,
    asks: Iterable[TextLevel] = ASKS,
    *,
    name: str = "BTC-USDT",
    chain: tuple[int, int] | None = (-1, 10),
    checksum: int | None = 0,
    ts: str = "1755338645223",
) -> bytes:
    """`chain` and `checksum` None: the members are missing, as they were once."""
    data: dict[str, Any] = {
        "asks": [[px, sz, "0", "1"] for px, sz in asks],
        "bids": [[px, sz, "0", "1"] for px, sz in bids],
        "ts": ts,
    }
    if checksum is not None:
        data["checksum"] = checksum
    if chain is not None:
        data["prevSeqId"], data["seqId"] = chain
    return dump({"arg": {"channel": "books", "instId": name}, "action": action, "data": [data]})


def snapshot(name: str = "BTC-USDT", **changes: Any) -> bytes:
    return book("snapshot", name=name, **changes)


def update(name: str = "BTC-USDT", **changes: Any) -> bytes:
    usual: dict[str, Any] = {"bids": [("62806.5", "0")], "asks": [], "chain": (10, 15), "name": name}
    return book("update", **{**usual, **changes})


def pair(name: str = "BTC-USDT", tick: str = "0.1", lot: str = "0.00000001", **changes: Any) -> dict[str, Any]:
    base, _, quote = name.partition("-")
    return {
        "instType": "SPOT",
        "instId": name,
        "instIdCode": 1000 + len(name),
        "baseCcy": base,
        "quoteCcy": quote,
        "tickSz": tick,
        "lotSz": lot,
        "minSz": "0.00001",
        "maxMktSz": "",
        "state": "live",
        "upcChg": [],
        **changes,
    }


def markets(*pairs: dict[str, Any], number: int = 1, status: int = 200, code: str = "0") -> bytes:
    return b"%d %d\n%s" % (number, status, dump({"code": code, "msg": "", "data": list(pairs)}))


def push(channel: str, *data: Mapping[str, Any], **arg: str) -> bytes:
    named: dict[str, str] = {"channel": channel, **arg}
    return dump({"arg": named, "data": list(data)})


def trade(**changes: Any) -> dict[str, Any]:
    return {
        "instId": "BTC-USDT", "tradeId": "130639474", "px": "42219.9", "sz": "0.12060306", "side": "buy",
        "ts": "1630048897897", "count": "3", "source": "0", "seqId": 1234, **changes,
    }  # fmt: skip


def ticker(**changes: Any) -> dict[str, Any]:
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "last": "30236", "lastSz": "0.0002", "askPx": "30228.7",
        "askSz": "1.55896972", "bidPx": "30228.6", "bidSz": "0.23393", "open24h": "29700.4", "high24h": "31073",
        "low24h": "28020.3", "volCcy24h": "525802090.62716611", "vol24h": "17602.130853719", "ts": "1652459224956",
        **changes,
    }  # fmt: skip


def work(state: str, title: str = "Trading system upgrade", **changes: Any) -> dict[str, Any]:
    return {
        "begin": "1755338640000", "end": "1755342240000", "href": "", "preOpenBegin": "", "scheDesc": "",
        "serviceType": "5", "state": state, "system": "unified", "maintType": "1", "env": "1", "title": title,
        "ts": "1755338645000", **changes,
    }  # fmt: skip


def ack(request: Mapping[str, Any], arg: Mapping[str, str] | None = None) -> bytes:
    """Yes to the request, or to one of its args."""
    return dump({"id": request["id"], "event": request["op"], "arg": arg or request["args"][0], "connId": "a4d3ae55"})


def no(request: Mapping[str, Any], code: str, words: str = "") -> bytes:
    return dump({"id": request["id"], "event": "error", "code": code, "msg": words, "connId": "a4d3ae55"})


def notice(code: str = "64008") -> bytes:
    return dump({"event": "notice", "code": code, "msg": "The connection will soon be closed.", "connId": "a4d3ae55"})


def of(kind: type[T], outputs: Iterable[object]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


def sent(outputs: Iterable[Output], channel: str = "") -> list[dict[str, Any]]:
    """Requests of the public link, of this channel where one is named."""
    found = [json.loads(send.data) for send in of(Send, outputs) if send.link != CALLS and send.data != b"ping"]
    return [one for one in found if not channel or any(arg["channel"] == channel for arg in one["args"])]


class Line:
    """A session on a link, and a clock that only this object moves."""

    def __init__(
        self,
        *symbols: str,
        depth: int = 10,
        known: Mapping[int, Instrument] | None = None,
        is_ticking: bool = False,
    ) -> None:
        self.symbols = symbols or ("BTC/USDT",)
        self.names = [symbol.replace("/", "-") for symbol in self.symbols]
        plan = SessionPlan(tuple(enumerate(self.symbols)), depth, known or {}, is_ticking=is_ticking)
        self.session = VENUE.market(plan)
        self.now_ns = T0

    def open(self) -> list[Output]:
        return self.session.open(self.now_ns)

    def hear(self, *frames: bytes) -> list[Output]:
        return [output for frame in frames for output in self.session.receive(frame, self.now_ns)]

    def called(self, frame: bytes) -> list[Output]:
        return self.session.receive(frame, self.now_ns, CALLS)

    def resync(self, instrument: int = 0, reason: str = "crossed") -> list[Output]:
        return self.session.resync(instrument, reason, self.now_ns)

    def wait(self, seconds: float, *, is_alive: bool = True) -> list[Output]:
        """Half-second ticks, as the runtime gives them; a living peer answers each ping."""
        out: list[Output] = []
        for _ in range(round(seconds * 2)):
            self.now_ns += SECOND // 2
            told = self.session.tick(self.now_ns)
            out += told
            if is_alive and any(send.data == b"ping" for send in of(Send, told)):
                out += self.hear(b"pong")
        return out

    def subscribing(self) -> list[dict[str, Any]]:
        """Opened and told the metadata; returns the requests for books that this made."""
        self.open()
        return sent(self.called(markets(*map(pair, self.names))), "books")

    def live(self) -> Line:
        """Every planned book acknowledged and loaded."""
        for request in self.subscribing():
            self.hear(ack(request))
        for name in self.names:
            self.hear(snapshot(name))
        return self
