"""The streams of a hosted exchange, with the face of a `VenueLink`: what ccxt.pro watches becomes frames.

The session asks (`{"op":"watch",…}`), a task of each stream answers, as long as it lasts. A network error of any stream
is a link that went down: everything is closed and dialled anew, with the back-off that all links have. What ccxt says
of a book is the whole book, so of several changes within `PACE_S` the last alone is told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import msgspec

from runtime.dialling import Dialling
from runtime.hosted.exchange import is_network, make, market_of, text
from runtime.hosted.forms import STREAMS, said, words
from runtime.inputs import Frame, LinkDown, LinkUp
from runtime.net import Feed, Tell
from runtime.vault import Vault

ALIVE_S: Final = 1.0
PACE_S: Final = 0.05
MARKETS_S: Final = 60.0
CLOSE_S: Final = 5.0


class NotSupported(Exception):  # noqa: N818 - by the name that ccxt has for it
    """The exchange has no such stream."""


class HostedFeed:
    """One link of an exchange: its market data, or with `vault` its account. `feed` gets its inputs in order.

    `exchange` is the library's object while the link is up, for `calls.py`.
    """

    def __init__(
        self, venue: str, link: str, url: str, feed: Feed, tell: Tell, *, dials: Dialling | None = None,
        vault: Vault | None = None,
    ) -> None:  # fmt: skip
        self.venue = venue
        self.link = link
        self._url = url
        self._vault = vault
        self._feed = feed
        self._tell = tell
        self._dialling = dials or Dialling()
        self._exchange = self._make()  # a name that ccxt does not know is a mistake, not an outage
        self._streams: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._is_up = False
        self._broken = asyncio.Event()
        self._why = ""

    def _make(self) -> Any:
        return make(self._url, self._vault.signing() if self._vault is not None else None)

    @property
    def exchange(self) -> Any:
        """None while the link is down."""
        return self._exchange if self._is_up else None

    # --- what the session asks for -----------------------------------------------------------------------------------

    def send(self, data: bytes) -> bool:
        """Begins, or begins anew, what is asked for; False while the link is down."""
        if not self._is_up:
            return False
        asked = msgspec.json.decode(data)
        if asked["op"] == "markets":
            markets = [market_of(self._exchange, symbol) for symbol in asked["symbols"]]
            asyncio.get_running_loop().call_soon(self._say, {"op": "markets", "markets": markets})
            return True
        key = asked["channel"], asked["symbol"]
        if key in self._streams:
            self._streams[key].cancel()
        stream = self._book(key[1], asked["depth"]) if key[0] == "book" else self._stream(*key)
        self._streams[key] = asyncio.create_task(self._watched(*key, stream))
        return True

    def reconnect(self, reason: str) -> None:
        self._why = self._why or reason
        self._broken.set()

    async def flush(self, within_s: float) -> bool:
        """Nothing waits here."""
        del within_s
        return self._is_up

    def _say(self, message: dict[str, Any]) -> None:
        if self._is_up:
            raw = msgspec.json.encode(message)
            self._feed(Frame(self.venue, self.link, raw if self._vault is None else self._vault.hide(raw)))

    # --- the link ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until cancelled: the library's markets, then its streams, then everything again."""
        name = self._exchange.id if self._vault is None else f"{self._exchange.id}'s private side"
        self._tell(f"{self.venue}: dialling {name} through ccxt", "info")
        try:
            while True:
                await self._dialling.turn(self.link)
                try:
                    async with asyncio.timeout(MARKETS_S):
                        await self._exchange.load_markets()
                except Exception as error:  # noqa: BLE001 - whatever the library makes of an answer, it is none
                    delay_s = self._dialling.failed(self.link)
                    text = f"cannot reach {name} ({self._words(error)}); trying again in {delay_s:.1f} s"
                    self._tell(text, "warning")
                    await self._renew()
                    continue
                self._dialling.succeeded(self.link)
                self._tell(f"connected to {name}, through ccxt", "info")
                await self._carry()
                delay_s = self._dialling.lost(self.link)
                self._tell(f"lost {name} ({self._why}); dialling again in {delay_s:.1f} s", "warning")
                await self._renew()
        finally:
            await self._close()
            self._dialling.left(self.link)

    async def _carry(self) -> None:
        self._broken.clear()
        self._is_up, self._why = True, ""
        beat = asyncio.create_task(self._beat())
        self._feed(LinkUp(self.venue, self.link))
        try:
            await self._broken.wait()
        finally:
            self._is_up = False
            for task in (beat, *self._streams.values()):
                task.cancel()
            self._streams.clear()
            self._feed(LinkDown(self.venue, self.link, self._why or "stopped"))

    async def _renew(self) -> None:
        await self._close()
        self._exchange = self._make()

    async def _close(self) -> None:
        with suppress(Exception):  # of a library that is closed already, or cannot be any more
            async with asyncio.timeout(CLOSE_S):
                await self._exchange.close()

    async def _beat(self) -> None:
        """Silence is for the session to judge: while every socket is open, somebody is there."""
        while True:
            await asyncio.sleep(ALIVE_S)
            sockets = [client.connection for client in self._exchange.clients.values()]
            if all(socket is not None and not socket.closed for socket in sockets):
                self._say({"op": "alive"})

    # --- streams -----------------------------------------------------------------------------------------------------

    def _words(self, error: BaseException) -> str:
        return self._hidden(words(error))

    def _hidden(self, text: str) -> str:
        """Without what is secret: some errors repeat a whole request."""
        return text if self._vault is None else self._vault.hide(text.encode()).decode()

    async def _watched(self, channel: str, symbol: str, stream: Awaitable[None]) -> None:
        try:
            await stream
        except Exception as error:  # noqa: BLE001 - of a library, about anything: the link broke, or this stream did
            if is_network(error):
                self.reconnect(self._words(error))
            else:
                kind = type(error).__name__
                text = self._hidden(said(error))
                self._say({"op": "failed", "channel": channel, "symbol": symbol, "error": kind, "text": text})

    async def _book(self, symbol: str, depth: int) -> None:
        while True:
            book = await self._exchange.watch_order_book(symbol)
            sides = {side: [[text(row[0]), text(row[1])] for row in book[side][:depth]] for side in ("bids", "asks")}
            self._say({"op": "book", "symbol": symbol, **sides, "ms": int(book.get("timestamp") or 0)})
            await asyncio.sleep(PACE_S)

    async def _stream(self, channel: str, symbol: str) -> None:
        """Whatever is told piece by piece. Raises the library's NotSupported for what an exchange has not."""
        method, has, form = STREAMS[channel]
        if not self._exchange.has.get(has):
            raise NotSupported(f"{self._exchange.id} has no {has} in ccxt")
        watch: Callable[..., Awaitable[Any]] = getattr(self._exchange, method)
        while True:
            found = await (watch(symbol) if symbol else watch())
            self._say({"op": channel, "symbol": symbol, **form(found)})
