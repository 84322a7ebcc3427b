"""A client of the simulated Binance, written from the published rules alone: text in and out, virtual time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from runtime.sim.binance import BinanceVenue
from runtime.sim.exchange.answer import Answer
from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.frames import Close, Ping

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
SECOND = 10**9
Message = dict[str, Any]


def parse(text: str | bytes) -> Any:
    """JSON with decimals kept exact."""
    return json.loads(text, parse_float=Decimal)


def signature(secret: str, payload: str) -> str:
    """HMAC in hex, or Ed25519 in base64 where the secret is a PEM."""
    if secret.startswith("-----BEGIN"):
        key = serialization.load_pem_private_key(secret.encode(), None)
        assert isinstance(key, Ed25519PrivateKey)
        return base64.b64encode(key.sign(payload.encode())).decode()
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


class Socket:
    """One connection and what came on it; pongs are given unless it is told not to."""

    def __init__(self, client: Client, path: str) -> None:
        self.client, self.pongs = client, True
        self.raw: list[str] = []
        self.closes: list[Close] = []
        self.pings: list[bytes] = []
        self.halves: list[bytes] = []
        self.connection: ExchangeConnection = client.venue.connect(client.now_ns, path)
        self.number = 0
        self.collect()

    def collect(self) -> list[Message]:
        """What has come since, parsed."""
        fresh = []
        for frame in self.connection.take():
            if isinstance(frame, Close):
                self.closes.append(frame)
            elif isinstance(frame, bytes):
                self.halves.append(frame)
            elif isinstance(frame, Ping):
                self.pings.append(frame.payload)
                if self.pongs:
                    self.connection.pong(frame.payload, self.client.now_ns)
            else:
                self.raw.append(frame)
                if frame.startswith("{"):
                    fresh.append(parse(frame))
        return fresh

    def text(self, text: str) -> list[Message]:
        self.connection.receive(text, self.client.now_ns)
        return self.client.all_but(self) or self.collect()

    def say(self, method: str, params: Any = None) -> list[Message]:
        """One request; everything that came, in order."""
        self.number += 1
        told: Message = {"method": method, "id": self.number}
        if params is not None:
            told["params"] = params
        return self.text(json.dumps(told))

    def answer(self, method: str, params: Any = None) -> Message:
        """One request and its one answer."""
        found = [message for message in self.say(method, params) if message.get("id") == self.number]
        assert len(found) == 1, found
        return dict(found[0])


class Client:
    """A venue, its keys, sockets; `now_ns` moves only by `wait`."""

    def __init__(self, *faults: str, **options: Any) -> None:
        self.faults = BinanceVenue.faults_of(*faults)
        options = {"seed": 5, "rate_hz": 0, **options}
        self.venue = BinanceVenue(now_ns=T0, faults=self.faults, **options)
        self.now_ns = T0
        self.sockets: list[Socket] = []
        self.heard: dict[int, list[Message]] = {}

    def dial(self, path: str = "/stream") -> Socket:
        socket = Socket(self, path)
        self.sockets.append(socket)
        return socket

    def all_but(self, socket: Socket) -> list[Message]:
        """What other sockets have to say waits for them."""
        for other in self.sockets:
            if other is not socket:
                self.heard.setdefault(id(other), []).extend(other.collect())
        return []

    def news(self, socket: Socket) -> list[Message]:
        """What a socket has heard while others spoke."""
        return self.heard.pop(id(socket), []) + socket.collect()

    def wait(self, seconds: float, socket: Socket | None = None) -> list[Message]:
        """Time passes, 20 ms at a time; what the socket (the last) heard."""
        socket = socket or (self.sockets[-1] if self.sockets else None)
        fresh, end_ns = [], self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 20 * MS)
            self.venue.advance(self.now_ns)
            for one in self.sockets:
                came = one.collect()
                if one is socket:
                    fresh += came
                else:
                    self.heard.setdefault(id(one), []).extend(came)
        return fresh

    # --- keys ----------------------------------------------------------------------------------------------------

    @property
    def key(self) -> str:
        return self.venue.credentials["key"]

    @property
    def secret(self) -> str:
        return self.venue.credentials["secret"]

    def signed(self, **params: Any) -> Message:
        """Parameters of a WebSocket request, signed: sorted by name."""
        told = {"apiKey": self.key, "timestamp": self.now_ns // MS, **params}
        payload = "&".join(f"{name}={told[name]}" for name in sorted(told))
        return told | {"signature": signature(self.secret, payload)}

    def rest(self, verb: str, path: str, *, signs: bool = False, **params: Any) -> Answer:
        query = urlencode(params)
        headers = {}
        if signs:
            query = urlencode({**params, "timestamp": params.get("timestamp", self.now_ns // MS)})
            query += "&" + urlencode({"signature": signature(self.secret, query)})
            headers = {"x-mbx-apikey": self.key}
        return self.venue.rest(verb, f"{path}?{query}" if query else path, headers, b"", self.now_ns)

    def get(self, path: str, *, signs: bool = False, **params: Any) -> Any:
        answer = self.rest("GET", path, signs=signs, **params)
        assert answer.status == 200, answer.body
        return parse(answer.body)

    # --- trading -------------------------------------------------------------------------------------------------

    def api(self, *, follows: bool = True) -> Socket:
        """The API's socket, the account's events subscribed."""
        socket = self.dial("/ws-api/v3")
        if follows:
            answer = socket.answer("userDataStream.subscribe.signature", self.signed())
            assert answer["result"] == {"subscriptionId": 0}, answer
        return socket

    def touch(self, symbol: str = "BTC/USDT") -> tuple[Decimal, Decimal]:
        book = self.venue.market.book(symbol)
        scale = Decimal(10) ** -book.pair.price_precision
        return book.bids.price(0) * scale, book.asks.price(0) * scale

    def order(self, side: str = "BUY", *, away: Any = 50, **terms: Any) -> Message:
        """Parameters of an order, a resting limit one unless `terms` say otherwise."""
        bid, ask = self.touch()
        price = bid - Decimal(away) if side == "BUY" else ask + Decimal(away)
        usual = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01000",
                 "price": str(price)}  # fmt: skip
        if terms.get("type") == "MARKET":
            usual = {"symbol": "BTCUSDT", "side": side}
        if terms.get("type") == "LIMIT_MAKER":
            del usual["timeInForce"]
        return self.signed(**{**usual, **terms})

    def events(self, messages: list[Message], kind: str = "executionReport") -> list[Message]:
        return [message["event"] for message in messages if message.get("event", {}).get("e") == kind]
