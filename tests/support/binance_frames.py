"""Frames as Binance writes them, and one session driven through a day, HTTP questions included.

Written from Binance's published messages; nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

from connectors.instrument import Instrument
from connectors.session import CALLS, PUBLIC, Output, Send, SessionPlan
from connectors.venues.binance import VENUE

SECOND = 10**9
T0 = 1_786_874_645_000_000_000
MS = 1_755_338_645_123

TextLevel = tuple[str, str]
BIDS: list[TextLevel] = [("62806.90", "0.50930"), ("62806.50", "0.00159")]
ASKS: list[TextLevel] = [("62807.00", "1.20000"), ("62807.10", "0.07500")]
BTC = Instrument.parse("binance", "BTC/USDT:2:5")

T = TypeVar("T")


def dumps(message: object) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode()


def diff(
    first: int, last: int, bids: Iterable[TextLevel] = (), asks: Iterable[TextLevel] = (), *, name: str = "BTCUSDT",
    **changes: Any,
) -> bytes:  # fmt: skip
    data = {"e": "depthUpdate", "E": MS, "s": name, "U": first, "u": last, "b": list(bids), "a": list(asks)}
    return dumps({"stream": f"{name.lower()}@depth@100ms", "data": {**data, **changes}})


def trade(name: str = "BTCUSDT", **changes: Any) -> bytes:
    data = {"e": "trade", "E": MS, "s": name, "t": 12345, "p": "62806.90", "q": "0.01250", "T": MS - 1, "m": True,
            "M": True}  # fmt: skip
    return dumps({"stream": f"{name.lower()}@trade", "data": {**data, **changes}})


def depth(last: int, bids: Sequence[TextLevel] = BIDS, asks: Sequence[TextLevel] = ASKS) -> bytes:
    return dumps({"lastUpdateId": last, "bids": list(bids), "asks": list(asks)})


def market(symbol: str = "BTC/USDT", *, tick: str = "0.01000000", step: str = "0.00001000", **changes: Any) -> Any:
    base, quote = symbol.split("/")
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000", "tickSize": tick},
        {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": step},
        {"filterType": "MARKET_LOT_SIZE", "minQty": "0.00000000", "maxQty": "120.00000000", "stepSize": "0.00000000"},
        {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
    ]
    return {
        "symbol": base + quote, "status": "TRADING", "baseAsset": base, "baseAssetPrecision": 8, "quoteAsset": quote,
        "quotePrecision": 8, "filters": filters, **changes,
    }  # fmt: skip


def info(*markets: Any, weight: int = 6000) -> bytes:
    limits = [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": weight},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50},
    ]
    return dumps({"timezone": "UTC", "serverTime": MS, "rateLimits": limits, "symbols": list(markets)})


def of(kind: type[T], outputs: Iterable[Output]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


class Asked:
    """A question over HTTP."""

    def __init__(self, send: Send) -> None:
        head, _, body = send.data.decode().partition("\n")
        self.number, method, self.path = head.split()
        assert method == "GET"
        self.fields = {name: values[0] for name, values in parse_qs(body).items()}

    def __repr__(self) -> str:
        return f"{self.path}?{self.fields}"


class Line:
    """One session, at a time that moves as it is told to. `sent`, `sent_ns`: messages; `asked`: questions that nobody
    answered yet."""

    def __init__(self, *symbols: str, depth: int = 10, known: bool = False) -> None:
        self.symbols = symbols or ("BTC/USDT",)
        told = {n: Instrument.parse("binance", f"{one}:2:5") for n, one in enumerate(self.symbols)} if known else {}
        self.session = VENUE.market(SessionPlan(tuple(enumerate(self.symbols)), depth, told))
        self.now_ns = T0
        self.sent: list[dict[str, Any]] = []
        self.sent_ns: list[int] = []
        self.asked: list[Asked] = []
        self.all: list[Output] = []

    def _take(self, outputs: list[Output]) -> list[Output]:
        for send in of(Send, outputs):
            if send.link == CALLS:
                self.asked.append(Asked(send))
            else:
                assert send.link == PUBLIC
                self.sent.append(json.loads(send.data))
                self.sent_ns.append(self.now_ns)
        self.all += outputs
        return outputs

    def open(self) -> list[Output]:
        self.asked.clear()
        self.sent.clear()
        return self._take(self.session.open(self.now_ns))

    def close(self) -> list[Output]:
        return self._take(self.session.close(self.now_ns))

    def hear(self, frame: bytes) -> list[Output]:
        return self._take(self.session.receive(frame, self.now_ns))

    def resync(self, instrument: int, reason: str) -> list[Output]:
        return self._take(self.session.resync(instrument, reason, self.now_ns))

    def wait(self, seconds: float, *, alive: bool = False) -> list[Output]:
        """In steps of 50 ms. `alive`: Binance answers its pings meanwhile."""
        out: list[Output] = []
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + SECOND // 20, end_ns)
            out += self._take(self.session.tick(self.now_ns))
            if alive:
                self.now_ns += 1
                for message in [one for one in self.sent if one["method"] == "LIST_SUBSCRIPTIONS"]:
                    self.sent.remove(message)
                    out += self.hear(dumps({"result": self.streams(), "id": message["id"]}))
        return out

    def streams(self) -> list[str]:
        names = [symbol.replace("/", "").lower() for symbol in self.symbols]
        return [f"{name}@{kind}" for name in names for kind in ("depth@100ms", "trade")]

    def answer(self, body: bytes, status: int = 200, asked: Asked | None = None) -> list[Output]:
        """The oldest question, or this one."""
        question = asked or self.asked[0]
        self.asked.remove(question)
        frame = b"%s %d\n%s" % (question.number.encode(), status, body)
        return self._take(self.session.receive(frame, self.now_ns, CALLS))

    def ack(self) -> list[Output]:
        """Of every message."""
        out: list[Output] = []
        for message in list(self.sent):
            self.sent.remove(message)
            out += self.hear(dumps({"result": None, "id": message["id"]}))
        return out

    def subscribed(self) -> None:
        """Up, with metadata, and every subscription acked."""
        self.open()
        self.wait(0.2)
        self.answer(info(*(market(symbol) for symbol in self.symbols)))
        self.wait(0.3)
        self.ack()

    def live(self, last: int = 160) -> None:
        """Every book stands, with this number."""
        self.subscribed()
        for symbol in self.symbols:
            self.hear(diff(last - 5, last - 1, name=symbol.replace("/", "")))
        while self.asked or len([one for one in self.all if type(one).__name__ == "BookSnapshot"]) < len(self.symbols):
            while self.asked:
                self.answer(depth(last))
            self.wait(0.2)
        self.all.clear()
