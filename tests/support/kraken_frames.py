"""Frames as Kraken writes them (every number is the text it was given), and one session driven through a day.

Written from Kraken's published messages; nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, TypeVar
from zlib import crc32

from connectors.session import Output, Send, SessionPlan
from connectors.venues.kraken import VENUE

SECOND = 10**9
T0 = 1_786_874_645_123_456_789
STAMP = "2026-08-16T10:04:05.311874Z"
TIMES = '"time_in":"2026-08-16T10:04:05.123456Z","time_out":"2026-08-16T10:04:05.123489Z"'
HEARTBEAT = b'{"channel":"heartbeat"}'

TextLevel = tuple[str, str]
BIDS: list[TextLevel] = [("62806.9", "0.50930100"), ("62806.5", "0.00159223")]
ASKS: list[TextLevel] = [("62807.0", "1.20000000"), ("62807.1", "0.07500000")]

T = TypeVar("T")


def book(
    kind: str,
    bids: Iterable[TextLevel] = BIDS,
    asks: Iterable[TextLevel] = ASKS,
    *,
    symbol: str = "BTC/USD",
    checksum: int = 0,
    stamp: str | None = STAMP,
) -> bytes:
    """`stamp` None: the member is missing, as in snapshots of 2024–25."""

    def side(levels: Iterable[TextLevel]) -> str:
        return "[" + ",".join(f'{{"price":{price},"qty":{qty}}}' for price, qty in levels) + "]"

    tail = f',"timestamp":"{stamp}"' if stamp is not None else ""
    return (
        f'{{"channel":"book","type":"{kind}","data":[{{"symbol":"{symbol}","bids":{side(bids)},"asks":{side(asks)},'
        f'"checksum":{checksum}{tail}}}]}}'
    ).encode()


def snapshot(symbol: str = "BTC/USD", **changes: Any) -> bytes:
    return book("snapshot", symbol=symbol, **changes)


def update(symbol: str = "BTC/USD", **changes: Any) -> bytes:
    return book("update", **{"bids": [("62806.5", "0.00000000")], "asks": [], "symbol": symbol, **changes})


def pair(symbol: str = "BTC/USD", price_precision: int = 1, qty_precision: int = 8, **changes: str) -> str:
    """One element of `instrument.pairs`; `changes` replace the text of a member."""
    members = {
        "symbol": f'"{symbol}"',
        "base": f'"{symbol[:3]}"',
        "status": '"online"',
        "qty_precision": str(qty_precision),
        "qty_increment": str(Decimal(1).scaleb(-qty_precision)).lower(),
        "qty_min": "5e-05",
        "price_precision": str(price_precision),
        "price_increment": str(Decimal(1).scaleb(-price_precision)).lower(),
        "cost_precision": "5",
        "cost_min": "0.5",
        "position_limit_long": "250",
        **changes,
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"


def instruments(*pairs: str, kind: str = "snapshot") -> bytes:
    return (
        f'{{"channel":"instrument","type":"{kind}","data":{{"assets":[{{"id":"BTC","precision":10,'
        f'"margin_rate":0.01}}],"pairs":[{",".join(pairs)}]}}}}'
    ).encode()


def trades(*items: str, kind: str = "update") -> bytes:
    return f'{{"channel":"trade","type":"{kind}","data":[{",".join(items)}]}}'.encode()


def trade(price: str = "62806.9", qty: str = "0.01250000", side: str = "sell", **changes: str) -> str:
    members = {
        "symbol": '"BTC/USD"',
        "side": f'"{side}"',
        "price": price,
        "qty": qty,
        "ord_type": '"market"',
        "trade_id": "77120455",
        "timestamp": f'"{STAMP}"',
        **changes,
    }
    return "{" + ",".join(f'"{name}":{text}' for name, text in members.items()) + "}"


def status(system: str, connection_id: str = "15113583034416118705") -> bytes:
    return (
        f'{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}","api_version":"v2",'
        f'"connection_id":{connection_id}}}]}}'
    ).encode()


def ack(request: dict[str, Any]) -> bytes:
    """Yes to a subscribe or unsubscribe of ours, as Kraken echoes it."""
    params = request["params"]
    symbol = f',"symbol":"{params["symbol"][0]}"' if "symbol" in params else ""
    depth = f',"depth":{params["depth"]}' if "depth" in params else ""
    return (
        f'{{"method":"{request["method"]}","req_id":{request["req_id"]},"result":{{"channel":"{params["channel"]}"'
        f'{depth},"snapshot":true{symbol}}},"success":true,{TIMES}}}'
    ).encode()


def no(request: dict[str, Any], error: str, *, echo_symbol: bool = False) -> bytes:
    """No, with or without the symbol's name: which of the two Kraken does is not certain."""
    symbol = f'"symbol":"{request["params"]["symbol"][0]}",' if echo_symbol else ""
    return (
        f'{{"error":"{error}","method":"{request["method"]}","req_id":{request["req_id"]},"success":false,'
        f"{symbol}{TIMES}}}"
    ).encode()


def pong(request: dict[str, Any]) -> bytes:
    return f'{{"method":"pong","req_id":{request["req_id"]},{TIMES}}}'.encode()


def crc(asks: Iterable[TextLevel], bids: Iterable[TextLevel], price_decimals: int, qty_decimals: int) -> int:
    """Kraken's checksum of sides already in order and cut, from the published rule and the texts alone."""

    def digits(text: str, places: int) -> str:
        return f"{Decimal(text):.{places}f}".replace(".", "").lstrip("0")

    both = [*list(asks)[:10], *list(bids)[:10]]
    return crc32("".join(digits(p, price_decimals) + digits(q, qty_decimals) for p, q in both).encode())


def of(kind: type[T], outputs: Iterable[object]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


def sent(outputs: Iterable[Output]) -> list[dict[str, Any]]:
    return [json.loads(output.data) for output in of(Send, outputs)]


class Line:
    """A session on a link, and a clock that only this object moves."""

    def __init__(self, *symbols: str, depth: int = 10) -> None:
        self.symbols = symbols or ("BTC/USD",)
        self.session = VENUE.market(SessionPlan(tuple(enumerate(self.symbols)), depth))
        self.now_ns = T0

    def open(self) -> list[Output]:
        return self.session.open(self.now_ns)

    def hear(self, *frames: bytes) -> list[Output]:
        return [output for frame in frames for output in self.session.receive(frame, self.now_ns)]

    def resync(self, instrument: int = 0, reason: str = "checksum") -> list[Output]:
        return self.session.resync(instrument, reason, self.now_ns)

    def wait(self, seconds: float, *, heartbeats: bool = True) -> list[Output]:
        """Half-second ticks, as the runtime gives them, with Kraken's heartbeat before every other one."""
        out: list[Output] = []
        for step in range(round(seconds * 2)):
            self.now_ns += SECOND // 2
            if heartbeats and step % 2 == 0:
                out += self.hear(HEARTBEAT)
            out += self.session.tick(self.now_ns)
        return out

    def subscribing(self) -> list[dict[str, Any]]:
        """Opened and told the metadata; returns the requests this made for books and trades."""
        (hello,) = sent(self.open())
        return sent(self.hear(ack(hello), instruments(*map(pair, self.symbols))))

    def live(self) -> Line:
        """Every planned book acknowledged and loaded."""
        for request in self.subscribing():
            self.hear(ack(request))
        for symbol in self.symbols:
            self.hear(snapshot(symbol))
        return self
