"""A client of the simulated Bybit, written from the published rules alone: text in and out, virtual time."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from runtime.sim.bybit import BybitVenue
from runtime.sim.exchange.answer import Answer
from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.frames import Close, Ping

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
SECOND = 10**9
PUBLIC, PRIVATE, TRADE = "/v5/public/spot", "/v5/private", "/v5/trade"
Message = dict[str, Any]


def parse(text: str | bytes) -> Any:
    """JSON with decimals kept exact."""
    return json.loads(text, parse_float=Decimal)


def sign(secret: str, payload: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Socket:
    """One connection and what came on it, all of it in `heard`."""

    def __init__(self, client: Client, path: str) -> None:
        self.client = client
        self.raw: list[str] = []
        self.closes: list[Close] = []
        self._fresh: list[Message] = []
        self.connection: ExchangeConnection = client.venue.connect(client.now_ns, path)
        self._number = 0

    def collect(self) -> None:
        for frame in self.connection.take():
            assert not isinstance(frame, Ping)
            if isinstance(frame, Close):
                self.closes.append(frame)
            elif isinstance(frame, str):
                self.raw.append(frame)
                if frame.startswith("{"):
                    self._fresh.append(parse(frame))

    def news(self) -> list[Message]:
        """What has come since it was last asked."""
        self.collect()
        fresh, self._fresh = self._fresh, []
        return fresh

    def say(self, op: str, *args: Any, **more: Any) -> list[Message]:
        """One request; everything that came, in order."""
        told: Message = {"op": op, **more}
        if args:
            told["args"] = list(args)
        self.connection.receive(json.dumps(told), self.client.now_ns)
        self.client.collect()
        return self.news()

    def auth(self, key: str = "", expires: int = 0, signature: str = "") -> list[Message]:
        client = self.client
        expires = expires or client.now_ns // MS + 5000
        return self.say("auth", key or client.key, expires, signature or sign(client.secret, f"GET/realtime{expires}"))

    def order(self, op: str, item: Message, *, number: str = "", stamp: int | None = None) -> list[Message]:
        """A request of the trade socket."""
        self._number += 1
        header = {"X-BAPI-TIMESTAMP": str(self.client.now_ns // MS if stamp is None else stamp)}
        return self.say(op, {"category": "spot", **item}, reqId=number or f"t-{self._number}", header=header)


class Client:
    """A venue, its keys, sockets; `now_ns` moves only by `wait`."""

    def __init__(self, *faults: str, **options: Any) -> None:
        self.faults = BybitVenue.faults_of(*faults)
        options = {"seed": 5, "rate_hz": 0, **options}
        self.venue = BybitVenue(now_ns=T0, faults=self.faults, **options)
        self.now_ns = T0
        self.sockets: list[Socket] = []

    def dial(self, path: str = PUBLIC) -> Socket:
        socket = Socket(self, path)
        self.sockets.append(socket)
        return socket

    def collect(self) -> None:
        for socket in self.sockets:
            socket.collect()

    def wait(self, seconds: float) -> None:
        """Time passes, 20 ms at a time."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 20 * MS)
            self.venue.advance(self.now_ns)
            self.collect()

    @property
    def key(self) -> str:
        return self.venue.credentials["key"]

    @property
    def secret(self) -> str:
        return self.venue.credentials["secret"]

    def private(self, *topics: str) -> Socket:
        """Logged in, these topics subscribed: all, where none are named."""
        socket = self.dial(PRIVATE)
        assert socket.auth()[0]["success"] is True
        assert socket.say("subscribe", *(topics or ("order", "execution", "wallet")))[0]["success"] is True
        return socket

    def trader(self) -> Socket:
        """A trade socket, logged in."""
        socket = self.dial(TRADE)
        [answer] = socket.auth()
        assert (answer["retCode"], answer["op"]) == (0, "auth")
        return socket

    def rest(self, verb: str, path: str, *, signs: bool = True, stamp: int | None = None, **params: Any) -> Answer:
        query = urlencode(params) if verb == "GET" else ""
        body = b"" if verb == "GET" else json.dumps(params).encode()
        headers = {}
        if signs:
            at = str(self.now_ns // MS if stamp is None else stamp)
            payload = f"{at}{self.key}5000{query}{body.decode()}"
            headers = {"x-bapi-api-key": self.key, "x-bapi-timestamp": at, "x-bapi-recv-window": "5000",
                       "x-bapi-sign": sign(self.secret, payload)}  # fmt: skip
        return self.venue.rest(verb, f"{path}?{query}" if query else path, headers, body, self.now_ns)

    def ask(self, verb: str, path: str, **params: Any) -> Message:
        """The whole envelope."""
        answer = self.rest(verb, path, **params)
        assert answer.status == 200, answer
        found: Message = parse(answer.body)
        return found

    def get(self, path: str, **params: Any) -> Any:
        found = self.ask("GET", path, **params)
        assert found["retCode"] == 0, found
        return found["result"]

    def touch(self, symbol: str = "BTC/USDT") -> tuple[Decimal, Decimal]:
        book = self.venue.market.book(symbol)
        scale = Decimal(10) ** -book.pair.price_precision
        return book.bids.price(0) * scale, book.asks.price(0) * scale

    def terms(self, side: str = "Buy", *, away: Any = 50, **more: Any) -> Message:
        """An order, a resting limit one unless told otherwise."""
        bid, ask = self.touch()
        price = bid - Decimal(away) if side == "Buy" else ask + Decimal(away)
        usual = {"symbol": "BTCUSDT", "side": side, "orderType": "Limit", "qty": "0.01", "price": str(price)}
        if more.get("orderType") == "Market":
            del usual["price"]
        return {**usual, **more}


def of(messages: list[Message], topic: str) -> list[Message]:
    """The rows of a topic."""
    return [row for message in messages if message.get("topic") == topic for row in message["data"]]
