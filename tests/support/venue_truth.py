"""What each venue's book messages say, by somebody who sees every one of them undamaged: `json`, dictionaries.

Written from the venues' own pages and from nothing of the connectors. A message that lacks what the venue always writes
is none: `read` raises `ValueError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

Levels = list[tuple[int, int]]  # price ×1e9, size ×1e8; 0 removes
Sides = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]  # best first
_PX, _SZ = Decimal(10**9), Decimal(10**8)


class Message(NamedTuple):
    """One book message. `name`: the market as the venue has it, without strokes. `mark`: its kind and its numbers."""

    name: str
    is_whole: bool
    bids: Levels
    asks: Levels
    mark: tuple[Any, ...]


def _levels(raw: Iterable[Any]) -> Levels:
    found = []
    for price, size, *_ in raw:
        if not isinstance(price, str) or not isinstance(size, str):
            raise TypeError("a level's numbers are texts")
        px, sz = Decimal(price) * _PX, Decimal(size) * _SZ
        found.append((int(px), int(sz)))
    return found


def _kind(word: str, whole: str, change: str) -> bool:
    if word not in (whole, change):
        raise ValueError(f"neither {whole} nor {change}")
    return word == whole


def kraken(said: Any) -> Message | None:
    """https://docs.kraken.com/api/docs/websocket-v2/book"""
    if said.get("channel") != "book":
        return None
    [data] = said["data"]
    bids, asks = ([(level["price"], level["qty"]) for level in data[side]] for side in ("bids", "asks"))
    is_whole = _kind(said["type"], "snapshot", "update")
    mark = (said["type"], int(data["checksum"]))
    return Message(data["symbol"], is_whole, _levels(bids), _levels(asks), mark)


def coinbase(said: Any) -> Message | None:
    """https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels#level2-channel"""
    if said.get("channel") != "l2_data":
        return None
    [event] = said["events"]
    sides: dict[str, list[tuple[str, str]]] = {"bid": [], "offer": []}
    for level in event["updates"]:
        sides[level["side"]].append((level["price_level"], level["new_quantity"]))
    is_whole = _kind(event["type"], "snapshot", "update")
    mark = (event["type"], int(said["sequence_num"]))
    return Message(event["product_id"], is_whole, _levels(sides["bid"]), _levels(sides["offer"]), mark)


def binance(said: Any) -> Message | None:
    """https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#diff-depth-stream"""
    if not said.get("stream", "").endswith("@depth@100ms"):
        return None
    data = said["data"]
    if data["e"] != "depthUpdate" or data["s"].lower() != said["stream"].partition("@")[0]:
        raise ValueError("another event than the stream has")
    return Message(data["s"], False, _levels(data["b"]), _levels(data["a"]), (int(data["U"]), int(data["u"])))


def okx(said: Any) -> Message | None:
    """https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel"""
    if said.get("arg", {}).get("channel") != "books" or "data" not in said:
        return None
    [data] = said["data"]
    is_whole = _kind(said["action"], "snapshot", "update")
    mark = (said["action"], int(data["prevSeqId"]), int(data["seqId"]))
    return Message(said["arg"]["instId"], is_whole, _levels(data["bids"]), _levels(data["asks"]), mark)


def bybit(said: Any) -> Message | None:
    """https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook"""
    if not said.get("topic", "").startswith("orderbook."):
        return None
    data = said["data"]
    _, depth, name = said["topic"].split(".")
    if data["s"] != name:
        raise ValueError("another market than the topic's")
    is_whole = _kind(said["type"], "snapshot", "delta")
    return Message(name, is_whole, _levels(data["b"]), _levels(data["a"]), (said["type"], int(data["u"]), depth))


_READERS: Final[Mapping[str, Callable[[Any], Message | None]]] = {
    "kraken": kraken, "coinbase": coinbase, "binance": binance, "okx": okx, "bybit": bybit,
}  # fmt: skip


def read(venue: str, frame: bytes | str) -> Message | None:
    """None: a frame of something else. Raises ValueError."""
    try:
        said = json.loads(frame, parse_float=str, parse_int=str)
        return _READERS[venue](said) if isinstance(said, dict) else None
    except ValueError:
        raise
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{type(error).__name__}: {error}") from error


def depth_answer(body: bytes) -> tuple[int, Levels, Levels]:
    """Binance's answer to GET /api/v3/depth: its number, bids, asks."""
    said = json.loads(body)
    return said["lastUpdateId"], _levels(said["bids"]), _levels(said["asks"])


class Book:
    """One market's levels as the venue tells them; `depth`: where the venue leaves cutting to its clients, else 0."""

    def __init__(self, depth: int = 0) -> None:
        self._depth = depth
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def take(self, message: Message) -> Sides:
        """The book after it."""
        if message.is_whole:
            self.load(message.bids, message.asks)
        else:
            for held, changes, sign in ((self.bids, message.bids, -1), (self.asks, message.asks, 1)):
                held.update(changes)
                self._cut(held, sign)
        return self.sides()

    def load(self, bids: Levels, asks: Levels) -> None:
        self.bids, self.asks = dict(bids), dict(asks)

    def _cut(self, held: dict[int, int], sign: int) -> None:
        for price in [price for price, size in held.items() if not size]:
            del held[price]
        if self._depth and len(held) > self._depth:
            for price in sorted(held, key=lambda one: one * sign)[self._depth :]:
                del held[price]

    def sides(self, top: int = 0) -> Sides:
        """Best first; the best `top` where that is not 0."""
        bids, asks = sorted(self.bids.items(), reverse=True), sorted(self.asks.items())
        return (tuple(bids[:top]), tuple(asks[:top])) if top else (tuple(bids), tuple(asks))
