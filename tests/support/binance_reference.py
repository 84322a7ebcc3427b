"""Binance's order book by its published seven steps, in plain dicts and Decimals: what the connector is compared with.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly.
Nothing here comes from the connector.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

Side = dict[int, int]  # price ×1e9 → size ×1e8, each from its Decimal


def level(price: str, qty: str) -> tuple[int, int]:
    px, sz = Decimal(price).scaleb(9), Decimal(qty).scaleb(8)
    units = int(px), int(sz)
    assert units[0] == px
    assert units[1] == sz
    return units


class Reference:
    """One market. `bids` and `asks` are whole books, as far as the snapshot and the events tell; None: no book yet."""

    def __init__(self) -> None:
        self.bids: Side | None = None
        self.asks: Side | None = None
        self.last = 0
        self.buffer: list[dict[str, Any]] = []
        self.gaps = 0

    def event(self, event: dict[str, Any]) -> None:
        if self.bids is None or self.asks is None:
            self.buffer.append(event)  # step 1
            return
        if event["u"] <= self.last:  # step 6: nothing new
            return
        if event["U"] > self.last + 1:  # step 6: start over
            self.gaps += 1
            self.bids = self.asks = None
            self.buffer = [event]
            return
        self._apply(event)

    def snapshot(self, snapshot: dict[str, Any]) -> None:
        last = snapshot["lastUpdateId"]
        if self.buffer and last + 1 < self.buffer[0]["U"]:  # step 3
            return
        self.bids = dict(level(*pair) for pair in snapshot["bids"])  # step 5
        self.asks = dict(level(*pair) for pair in snapshot["asks"])
        self.last = last
        for event in self.buffer:
            if event["u"] > last:  # step 4
                assert event["U"] <= self.last + 1
                self._apply(event)
        self.buffer = []

    def _apply(self, event: dict[str, Any]) -> None:
        assert self.bids is not None
        assert self.asks is not None
        for side, changes in ((self.bids, event["b"]), (self.asks, event["a"])):
            for change in changes:
                px, sz = level(*change)
                if sz:
                    side[px] = sz
                else:
                    side.pop(px, None)
        self.last = event["u"]


class References:
    """Several markets, by Binance's names, fed with a recording's frames."""

    def __init__(self, *names: str) -> None:
        self.of = {name: Reference() for name in names}

    def hear(self, raw: bytes) -> str:
        """The market that this frame changed; "": none."""
        if raw.startswith(b"GET "):
            head, _, body = raw.partition(b"\n")
            name = head.decode().partition("symbol=")[2].partition("&")[0]
            self.of[name].snapshot(json.loads(body))
            return name
        message = json.loads(raw)
        if "lastUpdateId" in message:
            (name,) = self.of
            self.of[name].snapshot(message)
            return name
        data = message.get("data", message)
        if data.get("e") != "depthUpdate":
            return ""
        self.of[data["s"]].event(data)
        return str(data["s"])
