"""ccxt.pro's own handlers of the five venues, fed with book messages instead of a socket.

Each begins with the text of a frame: `Client.handle_message` parses it (orjson, where it is there), the exchange's own
`handle_message` dispatches it and `handle_order_book` keeps the book, of doubles. Left out are the socket, the loop's
turns and whoever waits for the book; and Binance's snapshot, which both sides take between the timed parts.
"""

import asyncio
import importlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from connectors.session import PUBLIC
from tests.bench.peer_clients import Sides, level
from tests.bench.venue_frames import Feed

_URLS: Final = {
    "kraken": "wss://ws.kraken.com/v2", "coinbase": "wss://advanced-trade-ws.coinbase.com",
    "binance": "wss://stream.binance.com:9443/stream", "okx": "wss://ws.okx.com:8443/ws/v5/public",
    "bybit": "wss://stream.bybit.com/v5/public/spot",
}  # fmt: skip
_KEPT: Final = 1000  # levels of Binance's book there
_ALIKE: Final = {"binance": "", "bybit": "", "coinbase": "-", "okx": "-"}  # between the currencies of a market's name


class CcxtVenue:
    """One exchange of ccxt.pro, and one market of it. `depth`: levels that are asked for; `top`: that `book` shows."""

    name = "ccxt.pro"

    def __init__(self, feed: Feed, depth: int, top: int) -> None:
        self._feed, self._depth, self._top, self._symbol = feed, depth, top, feed.symbol
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._open())
        self._messages = [self._message(link, raw) for _, link, raw in feed.frames]

    async def _open(self) -> None:
        name, symbol = self._feed.name, self._symbol
        self._exchange = exchange = getattr(importlib.import_module("ccxt.pro"), name)()
        base, _, quote = symbol.partition("/")
        market = {
            "id": _ALIKE.get(name, "/").join((base, quote)), "symbol": symbol, "base": base, "quote": quote,
            "baseId": base, "quoteId": quote, "type": "spot", "spot": True, "active": True,
        }  # fmt: skip
        exchange.set_markets([exchange.safe_market_structure(market)])
        self._client = exchange.client(_URLS[name])
        if name == "kraken":  # as `watch_order_book(symbol, depth)` leaves it
            about = exchange.get_message_hash("orderbook", None, symbol)
            self._client.subscriptions[about] = {"limit": self._depth}
        elif name == "okx":
            self._client.subscriptions[f"books:{symbol}"] = True

    def _message(self, link: str, raw: bytes) -> Any:
        """A message of the book; Binance's snapshot, read; None for everything else."""
        import aiohttp

        if self._feed.is_book(link, raw):
            return aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, raw.decode(), None)
        body = raw if link == PUBLIC else raw.partition(b"\n")[2]
        if not body.startswith(b'{"lastUpdateId"'):
            return None
        told = msgspec.json.decode(body)
        snapshot = self._exchange.parse_order_book(told, self._symbol)
        snapshot["nonce"] = told["lastUpdateId"]
        return snapshot

    def restart(self) -> None:
        """Nothing is known."""
        exchange = self._exchange
        exchange.orderbooks.clear()
        if self._feed.name == "binance":
            book = exchange.orderbooks[self._symbol] = exchange.order_book({}, _KEPT)
            book["nonce"], book.cache = None, []

    def span(self, first: int, last: int) -> None:
        """These frames."""
        handle = self._client.handle_message
        for message in self._messages[first:last]:
            if message is None:
                continue
            if isinstance(message, dict):
                self._loop.run_until_complete(self._snapshot(message))
            else:
                handle(message)

    async def _snapshot(self, snapshot: dict[str, Any]) -> None:
        async def fetched(*_: Any) -> dict[str, Any]:
            return snapshot

        self._exchange.fetch_rest_order_book_safe = fetched
        await self._exchange.fetch_order_book_snapshot(self._client, {}, {"symbol": self._symbol, "type": "spot"})

    def book(self) -> Sides:
        held = self._exchange.orderbooks.get(self._symbol)
        if held is None or (self._feed.name == "binance" and held["nonce"] is None):
            return [], []
        return self._side(held["bids"]), self._side(held["asks"])

    def _side(self, levels: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
        return [level(*one[:2]) for one in levels[: self._top]]

    def close(self) -> None:
        self._loop.run_until_complete(self._exchange.close())
        self._loop.close()
