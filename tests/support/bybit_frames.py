"""Frames as Bybit writes them, a small order book that writes its own stream, and one session driven through a day.

Written from Bybit's published messages (facts/venues.md §5); nothing here comes from the connector's own wire
definitions.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from typing import Any, TypeVar

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.instrument import Instrument
from connectors.session import CALLS, PUBLIC, Output, Send, SessionPlan
from connectors.venues.bybit import VENUE

SECOND = 10**9
T0 = 1_755_338_645_000_000_000
MS = T0 // 10**6
CTS = "2025-08-16T10:04:05.120Z"  # of `cts` below
PONG = b'{"success":true,"ret_msg":"pong","conn_id":"0970e817-426e-429a-a679-ff7f55e0b16a","op":"ping"}'

TextLevel = tuple[str, str]
BIDS: list[TextLevel] = [("62806.90", "0.509301"), ("62806.50", "0.001592")]
ASKS: list[TextLevel] = [("62807.00", "1.2"), ("62807.10", "0.075")]

T = TypeVar("T")


def book(
    kind: str,
    u: int,
    bids: Iterable[TextLevel] = BIDS,
    asks: Iterable[TextLevel] = ASKS,
    *,
    name: str = "BTCUSDT",
    depth: int = 50,
    **changes: Any,
) -> bytes:
    """As spot writes it: `ts` before `type`."""
    data = {"s": name, "b": [list(level) for level in bids], "a": [list(level) for level in asks], "u": u, "seq": u + 7}
    frame = {"topic": f"orderbook.{depth}.{name}", "ts": MS + 123, "type": kind, "data": data, "cts": MS + 120}
    return json.dumps(frame | changes, separators=(",", ":")).encode()


def snapshot(u: int = 100, **changes: Any) -> bytes:
    return book("snapshot", u, **changes)


def delta(u: int = 101, **changes: Any) -> bytes:
    return book("delta", u, **{"bids": [("62806.90", "0")], "asks": [], **changes})


def trades(*items: dict[str, Any], name: str = "BTCUSDT") -> bytes:
    frame = {"topic": f"publicTrade.{name}", "type": "snapshot", "ts": MS + 124, "data": list(items)}
    return json.dumps(frame, separators=(",", ":")).encode()


def trade(price: str = "62807.00", size: str = "0.001", side: str = "Buy", **changes: Any) -> dict[str, Any]:
    return {
        "T": MS + 120, "s": "BTCUSDT", "S": side, "v": size, "p": price, "i": "2290000000061666327", "BT": False,
        "RPI": False, "seq": 7961638724, **changes,
    }  # fmt: skip


def pair(
    base: str = "BTC", quote: str = "USDT", tick: str = "0.1", lot: str = "0.000001", **changes: Any
) -> dict[str, Any]:
    return {
        "symbolId": 9, "symbol": base + quote, "baseCoin": base, "quoteCoin": quote, "innovation": "0",
        "status": "Trading", "marginTrading": "utaOnly", "stTag": "0",
        "lotSizeFilter": {"basePrecision": lot, "quotePrecision": "0.0000001", "minOrderQty": "0.000011",
                          "maxOrderQty": "83", "minOrderAmt": "5", "maxOrderAmt": "8000000", "maxLimitOrderQty": "83",
                          "maxMarketOrderQty": "41.5", "postOnlyMaxLimitOrderSize": "60000"},
        "priceFilter": {"tickSize": tick}, "riskParameters": {"priceLimitRatioX": "0.005", "priceLimitRatioY": "0.01"},
        "symbolType": "", **changes,
    }  # fmt: skip


PAIRS = (pair(), pair("ETH", tick="0.01", lot="0.00001"), pair("XRP", tick="0.0001", lot="0.01"))


def listing(number: int, *pairs: dict[str, Any], status: int = 200, code: int = 0) -> bytes:
    result = {"category": "spot", "list": list(pairs or PAIRS)}
    body = {"retCode": code, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": MS}
    return f"{number} {status}\n{json.dumps(body, separators=(',', ':'))}".encode()


def yes(request: dict[str, Any]) -> bytes:
    words = "subscribe" if request["op"] == "subscribe" else ""
    answer = {"success": True, "ret_msg": words, "conn_id": "2324d924-aa4d-45b0-a858-7b8be29ab52b"}
    return json.dumps(answer | {"req_id": request["req_id"], "op": request["op"]}).encode()


def no(request: dict[str, Any], words: str) -> bytes:
    answer = {"success": False, "ret_msg": words, "conn_id": "2324d924-aa4d-45b0-a858-7b8be29ab52b"}
    return json.dumps(answer | {"req_id": request["req_id"], "op": request["op"]}).encode()


def of(kind: type[T], outputs: Iterable[object]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


def sent(outputs: Iterable[Output]) -> list[dict[str, Any]]:
    """What went to the public link."""
    return [json.loads(output.data) for output in of(Send, outputs) if output.link == PUBLIC]


def asked(outputs: Iterable[Output]) -> list[bytes]:
    """What went to the CALLS link."""
    return [output.data for output in of(Send, outputs) if output.link == CALLS]


def topics(outputs: Iterable[Output]) -> list[tuple[str, str]]:
    return [(request["op"], request["args"][0]) for request in sent(outputs) if "args" in request]


class Line:
    """One session, the time that passes for it, and the books as the engine would keep them."""

    def __init__(
        self, *symbols: str, depth: int = 10, known: dict[int, Instrument] | None = None, ticks: bool = False
    ) -> None:
        self.symbols = symbols or ("BTC/USDT",)
        plan = SessionPlan(tuple(enumerate(self.symbols)), depth, instruments=known or {}, is_ticking=ticks)
        self.session = VENUE.market(plan)
        self.now_ns = T0
        self.books = [L2Book() for _ in self.symbols]
        self.lost: list[BookLost] = []

    def keep(self, outputs: list[Output]) -> list[Output]:
        """What the engine does with it; a book that cannot be is asked for anew."""
        out = list(outputs)
        for output in outputs:
            if isinstance(output, BookLost):
                self.lost.append(output)
                self.books[output.instrument].invalidate(output.reason)
            elif isinstance(output, BookSnapshot | BookDelta):
                kept = self.books[output.instrument]
                try:
                    if isinstance(output, BookSnapshot):
                        kept.depth = output.depth
                        kept.load(output.bids, output.asks, self.now_ns)
                    elif kept.valid:
                        kept.apply(output.bids, output.asks, self.now_ns)
                except BookGap as gap:
                    out += self.session.resync(output.instrument, gap.reason, self.now_ns)
        return out

    def open(self) -> list[Output]:
        return self.keep(self.session.open(self.now_ns, PUBLIC))

    def close(self) -> list[Output]:
        return self.keep(self.session.close(self.now_ns, PUBLIC))

    def hear(self, *frames: bytes, link: str = PUBLIC) -> list[Output]:
        return [out for frame in frames for out in self.keep(self.session.receive(frame, self.now_ns, link))]

    def listed(self, *pairs: dict[str, Any], number: int = 1) -> list[Output]:
        return self.hear(listing(number, *pairs), link=CALLS)

    def wait(self, seconds: float) -> list[Output]:
        """Time passes in the steps a runtime makes."""
        out: list[Output] = []
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + SECOND // 2, end_ns)
            out += self.keep(self.session.tick(self.now_ns))
        return out

    def wait_heard(self, seconds: int) -> list[Output]:
        """The same on a link that answers pings."""
        out: list[Output] = []
        for _ in range(seconds):
            out += self.wait(1) + self.hear(PONG)
        return out

    def subscribing(self, *pairs: dict[str, Any]) -> list[dict[str, Any]]:
        """Opened and listed: the subscriptions that left."""
        self.open()
        return sent(self.listed(*pairs))

    def live(self, u: int = 100) -> Line:
        """Everything acknowledged, every book there."""
        for request in self.subscribing():
            self.hear(yes(request))
        for symbol in self.symbols:
            self.hear(snapshot(u, name=symbol.replace("/", "")))
        return self

    def resync(self, instrument: int = 0, reason: str = "crossed") -> list[Output]:
        return self.keep(self.session.resync(instrument, reason, self.now_ns))

    def valid(self) -> list[bool]:
        return [kept.valid for kept in self.books]


class Stream:
    """A market whose book changes at random, and what Bybit would push of it: `levels` a side, `u` rising by one."""

    def __init__(self, seed: int, name: str = "BTCUSDT", levels: int = 50, u: int = 1000) -> None:
        self.random = random.Random(f"{seed} {name}")
        self.name, self.levels, self.u = name, levels, u
        self.mid = 628_070
        self.sides: list[dict[int, int]] = [{}, {}]  # price in ticks → size in lots, all there is
        for place in range(levels + 20):
            self.sides[0][self.mid - place] = self.random.randint(1, 10**6)
            self.sides[1][self.mid + 1 + place] = self.random.randint(1, 10**6)

    def window(self) -> list[dict[int, int]]:
        bids = sorted(self.sides[0], reverse=True)[: self.levels]
        asks = sorted(self.sides[1])[: self.levels]
        return [{px: self.sides[0][px] for px in bids}, {px: self.sides[1][px] for px in asks}]

    def truth(self) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The window at our scales, best first."""
        bids, asks = self.window()
        return (
            [(px * 10**8, size * 100) for px, size in sorted(bids.items(), reverse=True)],
            [(px * 10**8, size * 100) for px, size in sorted(asks.items())],
        )

    def _text(self, side: dict[int, int]) -> list[TextLevel]:
        return [(f"{px // 10}.{px % 10}0", f"{size // 10**6}.{size % 10**6:06d}") for px, size in side.items()]

    def snapshot(self) -> bytes:
        bids, asks = self.window()
        return book("snapshot", self.u, self._text(bids), self._text(asks), name=self.name, depth=self.levels)

    def step(self) -> bytes:
        """Something happens; the delta of the window, levels that leave it included or not as chance has it."""
        before = self.window()
        for _ in range(self.random.randint(1, 4)):
            side = self.random.randint(0, 1)
            best = max(self.sides[0]) if side == 0 else min(self.sides[1])
            px = best + (1 - 2 * side) * self.random.choice((0, 0, 1, -1, -2, -7, -30, -60))
            other = min(self.sides[1]) if side == 0 else max(self.sides[0])
            if (px >= other) if side == 0 else (px <= other):
                continue
            if self.random.random() < 0.4 and len(self.sides[side]) > self.levels + 5:
                self.sides[side].pop(px, None)
            else:
                self.sides[side][px] = self.random.randint(1, 10**6)
        after = self.window()
        changed: list[list[TextLevel]] = []
        for old, new in zip(before, after, strict=True):
            gone = dict.fromkeys(px for px in old if px not in new)
            levels = {px: size for px, size in new.items() if old.get(px) != size} | dict.fromkeys(gone, 0)
            changed.append(self._text(levels))
        self.u += 1
        return book("delta", self.u, *changed, name=self.name, depth=self.levels)
