"""A client of the simulated Coinbase, written from the published rules alone: text in and out, virtual time."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from runtime.sim.coinbase import CoinbaseConnection, CoinbaseVenue
from runtime.sim.frames import Close

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
SECOND = 10**9
HOST = "127.0.0.1:9000"
BASE = "/api/v3/brokerage/"
Message = dict[str, Any]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def token(key: str, secret: str, now_s: int, asked: str = "", **changes: Any) -> str:
    """A JWT as the documentation wants it; `changes` spoil claims, those of the header with `header_` before them."""
    is_pem = secret.startswith("-----BEGIN")
    header = {"alg": "ES256" if is_pem else "EdDSA", "kid": key, "nonce": "00ff", "typ": "JWT"}
    claims: Message = {"sub": key, "iss": "cdp", "nbf": now_s, "exp": now_s + 120}
    if asked:
        claims |= {"uri": asked} if is_pem else {"uris": [asked], "aud": ["cdp_service"]}
    header |= {name.removeprefix("header_"): value for name, value in changes.items() if name.startswith("header_")}
    claims |= {name: value for name, value in changes.items() if not name.startswith("header_")}
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    if is_pem:
        private = serialization.load_pem_private_key(secret.encode(), None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(private.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"
    edwards = ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret)[:32])
    return f"{signed}.{b64(edwards.sign(signed.encode()))}"


class Trader:
    """One venue and one socket of its user host; `now_ns` moves only by `wait`."""

    def __init__(self, *faults: str, path: str = "/user", **options: Any) -> None:
        self.venue = CoinbaseVenue(now_ns=T0, faults=faults, **{"seed": 5, "rate_hz": 0, "idle_close_s": 0, **options})
        self.faults = self.venue.faults
        self.now_ns = T0
        self.heard: list[Message] = []
        self.closes: list[Close] = []
        self.count = 0
        self.socket = self.dial(path)

    # --- sockets ----------------------------------------------------------------------------------------------------

    def dial(self, path: str = "/market") -> CoinbaseConnection:
        made = self.venue.connect(self.now_ns, path)
        assert isinstance(made, CoinbaseConnection)
        self.socket = made
        return made

    def collect(self) -> list[Message]:
        fresh = []
        for frame in self.socket.take():
            if isinstance(frame, Close):
                self.closes.append(frame)
            elif isinstance(frame, str) and frame.startswith("{"):
                fresh.append(json.loads(frame))
        self.heard += fresh
        return fresh

    def say(self, **message: Any) -> list[Message]:
        self.socket.receive(json.dumps(message), self.now_ns)
        return self.collect()

    def subscribe(self, channel: str, *products: str, **more: Any) -> list[Message]:
        return self.say(type="subscribe", channel=channel, product_ids=list(products), **more)

    def follow(self, *products: str) -> list[Message]:
        """The user channel."""
        return self.subscribe("user", *products, jwt=self.jwt())

    def wait(self, seconds: float) -> list[Message]:
        """Time passes, 10 ms at a time."""
        fresh, end_ns = [], self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 10 * MS)
            self.venue.advance(self.now_ns)
            fresh += self.collect()
        return fresh

    def of(self, channel: str) -> list[Message]:
        return [message for message in self.heard if message.get("channel") == channel]

    def updates(self, order_id: str = "") -> list[Message]:
        """The user channel's news of orders, in order."""
        rows = [row for message in self.of("user") for event in message["events"] if event["type"] == "update"
                for row in event["orders"]]  # fmt: skip
        return [row for row in rows if order_id in {"", row["order_id"]}]

    def states(self, order_id: str) -> list[tuple[str, str]]:
        return [(row["status"], row["cumulative_quantity"]) for row in self.updates(order_id)]

    # --- REST -------------------------------------------------------------------------------------------------------

    def jwt(self, asked: str = "", **changes: Any) -> str:
        access = self.venue.access
        return token(access.key, access.secret, self.now_ns // SECOND, asked, **changes)

    def ask(self, method: str, name: str, body: object = None, query: str = "", **changes: Any) -> tuple[int, Any]:
        """One signed request: status and message."""
        path = f"{BASE}{name}"
        headers = {"host": HOST, "authorization": f"Bearer {self.jwt(f'{method} {HOST}{path}', **changes)}"}
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.venue.rest(method, f"{path}?{query}" if query else path, headers, data, self.now_ns)
        assert not answer.is_lost
        self.collect()
        is_json = answer.content_type.startswith("application/json")
        return answer.status, json.loads(answer.body) if is_json else answer.body.decode()

    def get(self, name: str, **query: Any) -> Any:
        status, told = self.ask("GET", name, query=urlencode(query, doseq=True))
        assert status == 200, told
        return told

    def post(self, name: str, body: object) -> Any:
        status, told = self.ask("POST", name, body)
        assert status == 200, told
        return told

    def public(self, target: str) -> tuple[int, Any]:
        answer = self.venue.rest("GET", target, {"host": HOST}, b"", self.now_ns)
        return answer.status, json.loads(answer.body)

    # --- orders -----------------------------------------------------------------------------------------------------

    def touch(self, symbol: str = "BTC/USD") -> tuple[Decimal, Decimal]:
        book, pair = self.venue.market.book(symbol), self.venue.pairs[symbol]
        unit = Decimal(10) ** -pair.price_precision
        return book.bids.price(0) * unit, book.asks.price(0) * unit

    def order(self, side: str = "BUY", kind: str = "limit_limit_gtc", **terms: Any) -> Message:
        """A body of POST /orders: a bid well below the market, or what `terms` make of it."""
        self.count += 1
        product = terms.pop("product_id", "BTC-USD")
        usual = {} if kind == "market_market_ioc" else {"base_size": "0.01", "limit_price": "60000"}
        client_id = terms.pop("client_order_id", f"vg1a2b3c-{self.count}")
        configuration = {kind: {**usual, **terms}}
        told = {"client_order_id": client_id, "product_id": product, "side": side}
        return told | {"order_configuration": configuration}

    def place(self, side: str = "BUY", kind: str = "limit_limit_gtc", **terms: Any) -> str:
        """An order that is taken; its id."""
        told = self.post("orders", self.order(side, kind, **terms))
        assert told["success"] is True, told
        order_id: str = told["success_response"]["order_id"]
        return order_id

    def refused(self, side: str = "BUY", kind: str = "limit_limit_gtc", **terms: Any) -> tuple[str, str]:
        told = self.post("orders", self.order(side, kind, **terms))
        assert told["success"] is False, told
        error = told["error_response"]
        return error["error"], error["preview_failure_reason"]

    def cancel(self, *ids: str) -> list[Message]:
        rows: list[Message] = self.post("orders/batch_cancel", {"order_ids": list(ids)})["results"]
        return rows

    def fill(self, order_id: str, qty: str) -> None:
        """Somebody trades with this very order."""
        order = self.venue.engine.orders[order_id]
        self.venue.engine.matcher.force(order, int(Decimal(qty) * 10**order.pair.qty_precision), self.now_ns)
        self.venue.flush(self.now_ns)
        self.collect()
