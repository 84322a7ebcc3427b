"""Other people's Kraken clients, fed with frames instead of a socket: what `peers.py` measures beside our own turn.

Each peer runs its own code from the text of a frame on: its own JSON parser, its own dispatch, its own book. Left out
are its socket, its event loop's turns and whoever would wait for the book; all of them would only add to its time.
"""

import asyncio
import importlib
import importlib.metadata
import json
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from connectors.instrument import Instrument
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS

Level = tuple[int, int]  # price ×1e9, size ×1e8
Sides = tuple[list[Level], list[Level]]  # bids, asks, the best first
CCXT: Final = "4.5.90"
SDK: Final = "3.5.1"
_URL: Final = "wss://ws.kraken.com/v2"


class Handler(Protocol):
    """What can be fed."""

    @property
    def name(self) -> str: ...

    def feed(self, start: int, stop: int) -> float:
        """These frames of the recording, in order; the seconds that took."""

    def book(self) -> Sides:
        """Every level it holds now, in our integers."""

    def close(self) -> None: ...


class Peer(Handler, Protocol):
    """`note`: what it does with a frame and what it does not."""

    @property
    def note(self) -> str: ...


class WrongBookError(AssertionError):
    """A book that is measured is not the one that it should be: nothing measured counts."""


def level(price: float | str, size: float | str) -> Level:
    """A peer's numbers in ours, exactly: a double by its shortest text, which is what was on the wire."""
    whole = Decimal(str(price)).scaleb(PRICE_DECIMALS), Decimal(str(size)).scaleb(SIZE_DECIMALS)
    if any(number != number.to_integral_value() for number in whole):
        raise WrongBookError(f"level {price} {size} has more digits than the venue prints")
    return int(whole[0]), int(whole[1])


class CcxtPro:
    """ccxt.pro's `kraken`: `Client.handle_message` of one text message, which parses (orjson, where it is there),
    dispatches (`handle_message`) and keeps the book (`handle_order_book`).
    """

    name = "ccxt.pro"

    def __init__(self, texts: Sequence[str], symbol: str, depth: int) -> None:
        import aiohttp

        self._loop = asyncio.new_event_loop()
        self._messages = [aiohttp.WSMessage(aiohttp.WSMsgType.TEXT, text, None) for text in texts]
        self._symbol = symbol
        self._loop.run_until_complete(self._open(depth))
        parser = importlib.import_module("ccxt.async_support.base.ws.client").json_parser.__name__
        self.note = f"parse ({parser}), book of doubles; its checksum is off by default; nobody waits for the book"

    async def _open(self, depth: int) -> None:
        self._exchange = importlib.import_module("ccxt.pro").kraken()
        self._client = self._exchange.client(_URL)
        about = self._exchange.get_message_hash("orderbook", None, self._symbol)
        self._client.subscriptions[about] = {"limit": depth}  # as `watch_order_book(symbol, depth)` leaves it

    def feed(self, start: int, stop: int) -> float:
        messages, handle = self._messages[start:stop], self._client.handle_message
        begin = time.perf_counter()
        for message in messages:
            handle(message)
        return time.perf_counter() - begin

    def book(self) -> Sides:
        held = self._exchange.orderbooks.get(self._symbol)
        if held is None:
            return [], []
        return [level(*one[:2]) for one in held["bids"]], [level(*one[:2]) for one in held["asks"]]

    def close(self) -> None:
        self._loop.run_until_complete(self._exchange.close())
        self._loop.close()


class _Metadata:
    """The one answer that the SDK's order-book client asks its REST client for: how many decimals a pair has."""

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument

    def get_asset_pairs(self, pair: str) -> dict[str, Any]:
        known = self._instrument
        return {pair: {"pair_decimals": known.price_precision, "lot_decimals": known.size_precision}}


class KrakenSdk:
    """python-kraken-sdk's `SpotOrderBookClient`: what its connector does with one received text (json.loads, a debug
    line that nobody reads, `_manage_subscriptions`), then `on_message`, which validates the checksum of every update.
    """

    name = "python-kraken-sdk"
    note = "parse (json), book of texts, sorted at each level; checksum of every update; its callback does nothing"

    def __init__(self, texts: Sequence[str], instrument: Instrument, depth: int) -> None:
        self._texts = texts
        self._symbol = instrument.symbol
        self._depth = depth
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._open(instrument))

    async def _open(self, instrument: Instrument) -> None:
        spot = importlib.import_module("kraken.spot")
        self._connectors = importlib.import_module("kraken.spot.websocket.connectors")
        self.heard = 0
        self._client = spot.SpotOrderBookClient(depth=self._depth, callback=self._updated)
        self._connector = self._connectors.ConnectSpotWebsocket(self._client, _URL, self._client.on_message)
        self._client._SpotOrderBookClient__market = _Metadata(instrument)  # else it asks Kraken

    def _updated(self, *, pair: str, message: dict[str, Any]) -> None:
        del pair
        self.heard += 1
        if "error" in message:
            raise WrongBookError(f"{self.name}: {message['error']}")

    def feed(self, start: int, stop: int) -> float:
        return self._loop.run_until_complete(self._feed(self._texts[start:stop]))

    async def _feed(self, texts: Sequence[str]) -> float:
        """The lines of its `ConnectSpotWebsocketBase.__run` after `recv`."""
        manage, on_message, log = self._connector._manage_subscriptions, self._client.on_message, self._connectors.LOG
        begin = time.perf_counter()
        for text in texts:
            message = json.loads(text)
            log.debug(message)
            manage(message=message)
            await on_message(message)
        return time.perf_counter() - begin

    def book(self) -> Sides:
        held = self._client.get(self._symbol)
        if held is None:
            return [], []
        bids, asks = ([level(price, size) for price, (size, _) in held[side].items()] for side in ("bid", "ask"))
        return bids, asks

    def close(self) -> None:
        self._loop.run_until_complete(self._client.close())
        self._loop.close()


def installed(package: str) -> str:
    """Its version; "" where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""
