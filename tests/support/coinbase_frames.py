"""Frames as Coinbase writes them, and one market session driven through a day.

Written from Coinbase's published messages; nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot
from connectors.session import CALLS, PUBLIC, Output, Send, SessionPlan
from connectors.venues.coinbase.session import CoinbaseMarket

SECOND = 10**9
T0 = 1_791_388_800_123_456_789
STAMP = "2026-04-07T14:30:01.456789Z"
PRODUCTS = "/api/v3/brokerage/market/products"

Levels = Iterable[tuple[str, str]]
BIDS = [("68900.00", "2.00000000"), ("68899.50", "0.5")]
ASKS = [("68901.00", "1.25000000"), ("68902.13", "3")]

T = TypeVar("T")


def frame(channel: str, number: int, *events: dict[str, Any]) -> bytes:
    message = {"channel": channel, "client_id": "", "timestamp": STAMP, "sequence_num": number, "events": events}
    return json.dumps(message, separators=(",", ":")).encode()


def book(kind: str, number: int, bids: Levels = BIDS, asks: Levels = ASKS, name: str = "BTC-USD") -> bytes:
    updates = [
        {"side": side, "event_time": STAMP, "price_level": price, "new_quantity": quantity}
        for side, levels in (("bid", bids), ("offer", asks))
        for price, quantity in levels
    ]
    return frame("l2_data", number, {"type": kind, "product_id": name, "updates": updates})


def snapshot(number: int, bids: Levels = BIDS, asks: Levels = ASKS, name: str = "BTC-USD") -> bytes:
    return book("snapshot", number, bids, asks, name)


def update(number: int, bids: Levels = (("68900.00", "1"),), asks: Levels = (), name: str = "BTC-USD") -> bytes:
    return book("update", number, bids, asks, name)


def heartbeat(number: int, counter: int | str = 42) -> bytes:
    event = {"current_time": "2026-04-07 14:30:10.000000000+00:00", "heartbeat_counter": counter}
    return frame("heartbeats", number, event)


def listed(number: int, *names: str, **channels: list[str]) -> bytes:
    """The state of the connection: level2 of these products, and other channels as given."""
    state = {"heartbeats": ["heartbeats"], **({"level2": list(names)} if names else {}), **channels}
    return frame("subscriptions", number, {"subscriptions": state})


def trade(number: int, side: str = "BUY", name: str = "BTC-USD", kind: str = "update", **changes: str) -> bytes:
    item = {"trade_id": "995098700", "product_id": name, "price": "68900.50", "size": "0.00150000", "side": side,
            "time": "2026-04-07T14:30:02.789012Z", **changes}  # fmt: skip
    return frame("market_trades", number, {"type": kind, "trades": [item]})


def error(words: str) -> bytes:
    return json.dumps({"type": "error", "message": words}).encode()


def product(name: str = "BTC-USD", **changes: Any) -> dict[str, Any]:
    """As the products call answers; `changes` replace members."""
    base, quote = name.split("-")
    return {
        "product_id": name, "price": "68923.67", "base_increment": "0.00000001", "quote_increment": "0.01",
        "quote_min_size": "1", "quote_max_size": "150000000", "base_min_size": "0.00000001", "base_max_size": "3400",
        "base_name": base, "quote_name": quote, "is_disabled": False, "new": False, "status": "online",
        "cancel_only": False, "limit_only": False, "post_only": False, "trading_disabled": False,
        "auction_mode": False, "product_type": "SPOT", "quote_currency_id": quote, "base_currency_id": base,
        "fcm_trading_session_details": None, "mid_market_price": "", "alias": "", "alias_to": [],
        "base_display_symbol": base, "quote_display_symbol": quote, "view_only": False, "price_increment": "0.01",
        **changes,
    }  # fmt: skip


def answer(number: bytes | int, *products: dict[str, Any], status: int = 200) -> bytes:
    body = json.dumps({"products": products, "num_products": len(products), "pagination": None}).encode()
    return b"%s %d\n%s" % (str(number).encode() if isinstance(number, int) else number, status, body)


def of(kind: type[T], outputs: Iterable[Output]) -> list[T]:
    return [one for one in outputs if isinstance(one, kind)]


def sent(outputs: Iterable[Output]) -> list[dict[str, Any]]:
    """What was said on the socket."""
    return [json.loads(one.data) for one in of(Send, outputs) if one.link == PUBLIC]


def called(outputs: Iterable[Output]) -> list[tuple[bytes, str, list[str]]]:
    """What was asked over HTTP: number, path, products."""
    found = []
    for one in of(Send, outputs):
        if one.link == CALLS:
            head, _, query = one.data.partition(b"\n")
            number, method, path = head.split(b" ")
            assert method == b"GET"
            names = [part.removeprefix("product_ids=") for part in query.decode().split("&")]
            found.append((number, path.decode(), names))
    return found


class Line:
    """One session, its time, and its books as an engine keeps them."""

    def __init__(self, *symbols: str, **options: Any) -> None:
        names = symbols or ("BTC/USD",)
        ticking = options.pop("is_ticking", False)
        known = options.pop("instruments", {})
        plan = SessionPlan(tuple(enumerate(names)), 10, instruments=known, is_ticking=ticking)
        self.session = CoinbaseMarket(plan, **options)
        self.symbols = names
        self.now_ns = T0
        self.number = 0
        self.books = [L2Book() for _ in names]

    def open(self) -> list[Output]:
        return self.session.open(self.now_ns)

    def hear(self, data: bytes, link: str = PUBLIC) -> list[Output]:
        return self.keep(self.session.receive(data, self.now_ns, link))

    def keep(self, outputs: list[Output]) -> list[Output]:
        """What an engine does: books follow, and one that crosses is asked for anew."""
        out = list(outputs)
        for one in outputs:
            try:
                if isinstance(one, BookSnapshot):
                    self.books[one.instrument].depth = one.depth
                    self.books[one.instrument].load(one.bids, one.asks, self.now_ns)
                elif isinstance(one, BookDelta) and self.books[one.instrument].valid:
                    self.books[one.instrument].apply(one.bids, one.asks, self.now_ns)
                elif isinstance(one, BookLost):
                    self.books[one.instrument].invalidate(one.reason)
            except BookGap as gap:
                assert isinstance(one, BookSnapshot | BookDelta)
                out += self.session.resync(one.instrument, gap.reason, self.now_ns)
        return out

    def wait(self, seconds: float) -> list[Output]:
        """Ticks every half second, as it asks for."""
        out: list[Output] = []
        for _ in range(round(2 * seconds)):
            self.now_ns += SECOND // 2
            out += self.keep(self.session.tick(self.now_ns))
        return out

    def next(self) -> int:
        self.number += 1
        return self.number - 1

    def defined(self, *products: dict[str, Any]) -> list[Output]:
        """Open, and every product known."""
        ((number, _, names),) = called(self.open())
        return self.hear(answer(number, *(products or tuple(map(product, names)))), CALLS)

    def live(self, *products: dict[str, Any]) -> list[Output]:
        """The same, acknowledged, and a snapshot of each."""
        self.defined(*products)
        names = list(dict.fromkeys(symbol.replace("/", "-") for symbol in self.symbols))
        self.hear(listed(self.next(), *names))
        out: list[Output] = []
        for name in names:
            out += self.hear(snapshot(self.next(), name=name))
        return out
