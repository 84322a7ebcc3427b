"""A client of the simulated Kraken, written from the published rules alone: text in and out, virtual time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from runtime.sim.frames import Close
from runtime.sim.kraken import Answer, Connection, Faults, KrakenVenue
from runtime.sim.ladder import SimTrade

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
SECOND = 10**9
Message = dict[str, Any]


def parse(text: str | bytes) -> Any:
    """JSON with decimals kept exact."""
    return json.loads(text, parse_float=Decimal)


def api_sign(secret: str, path: str, nonce: str, body: str) -> str:
    digest = hashlib.sha256((nonce + body).encode()).digest()
    return base64.b64encode(
        hmac.new(base64.b64decode(secret), path.encode() + digest, hashlib.sha512).digest()
    ).decode()


class Trader:
    """One venue and one private socket; `now_ns` moves only by `wait`."""

    def __init__(self, *faults: str, subscribed: bool = True, **options: Any) -> None:
        self.faults = Faults(*faults)
        options = {"seed": 5, "rate_hz": 0, "idle_close_s": 0, **options}
        self.venue = KrakenVenue(now_ns=T0, faults=self.faults, **options)
        self.now_ns = T0
        self.nonce = T0
        self.req_id = 0
        self.token = ""
        self.raw: list[str] = []
        self.closes: list[Close] = []
        self.halves: list[bytes] = []
        self.heard: list[Message] = []
        self.socket = self.dial()
        if subscribed:
            self.subscribe("executions", snap_orders=True, snap_trades=True)
            self.heard.clear()

    # --- sockets ----------------------------------------------------------------------------------------------------

    def dial(self, *, is_private: bool = True) -> Connection:
        self.socket = self.venue.connect(self.now_ns, is_private=is_private)
        self.collect()
        return self.socket

    def collect(self) -> list[Message]:
        """What has come since, parsed; closes, halves and what is not JSON apart."""
        fresh = []
        for frame in self.socket.take():
            if isinstance(frame, Close):
                self.closes.append(frame)
            elif isinstance(frame, bytes):
                self.halves.append(frame)
            else:
                self.raw.append(frame)
                if frame.startswith("{"):
                    fresh.append(parse(frame))
        self.heard += fresh
        return fresh

    def say(self, method: str, *, with_token: bool = True, **params: Any) -> list[Message]:
        """One request; everything that came, in order."""
        self.req_id += 1
        if with_token:
            self.token = self.token or self.rest("GetWebSocketsToken")["token"]
            params["token"] = self.token
        text = dumps({"method": method, "params": params, "req_id": self.req_id})
        self.socket.receive(text, self.now_ns)
        return self.collect()

    def ask(self, method: str, **params: Any) -> Message:
        """One request and its one answer."""
        answers = [message for message in self.say(method, **params) if "method" in message]
        assert len(answers) == 1, answers
        assert answers[0]["req_id"] == self.req_id and answers[0]["method"] == method
        return answers[0]

    def ok(self, method: str, **params: Any) -> Any:
        answer = self.ask(method, **params)
        assert answer.get("success") is True, answer
        return answer["result"]

    def refused(self, method: str, **params: Any) -> str:
        answer = self.ask(method, **params)
        assert answer["success"] is False and "result" not in answer, answer
        error: str = answer["error"]
        return error

    def subscribe(self, channel: str, **params: Any) -> list[Message]:
        return self.say("subscribe", channel=channel, **params)

    def wait(self, seconds: float) -> list[Message]:
        """Time passes, 10 ms at a time."""
        fresh, end_ns = [], self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 10 * MS)
            self.venue.advance(self.now_ns)
            fresh += self.collect()
        return fresh

    # --- orders -----------------------------------------------------------------------------------------------------

    def touch(self, symbol: str = "BTC/USD") -> tuple[Decimal, Decimal]:
        """Best bid and ask."""
        book, pair = self.venue.market.book(symbol), self.venue.pairs[symbol]
        unit = Decimal(10) ** -pair.price_precision
        return book.bids.price(0) * unit, book.asks.price(0) * unit

    def order(self, **terms: Any) -> dict[str, Any]:
        """Parameters of a bid well below the market, or what `terms` make of it."""
        base = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": Decimal("0.01")}
        return {**base, "limit_price": Decimal(60000), **terms}

    def place(self, **terms: Any) -> str:
        """An order that is accepted; its id."""
        order_id: str = self.ok("add_order", **self.order(**terms))["order_id"]
        return order_id

    def executions(self) -> list[Message]:
        """Every execution heard, with its sequence."""
        return [
            {**item, "sequence": message["sequence"], "kind": message["type"]}
            for message in self.heard if message.get("channel") == "executions" for item in message["data"]
        ]  # fmt: skip

    def kinds(self, order_id: str = "") -> list[str]:
        return [item["exec_type"] for item in self.executions() if not order_id or item["order_id"] == order_id]

    # --- REST -------------------------------------------------------------------------------------------------------

    def request(self, name: str, *, as_json: bool = False, key: str = "", secret: str = "", **form: Any) -> Answer:
        self.nonce += 1
        path = f"/0/private/{name}"
        form = {"nonce": str(self.nonce), **form}
        body = dumps(form) if as_json else urlencode(form)
        access = self.venue.access
        headers = {
            "api-key": key or access.key,
            "api-sign": api_sign(secret or access.secret, path, form["nonce"], body),
            "content-type": "application/json" if as_json else "application/x-www-form-urlencoded",
        }
        return self.venue.rest("POST", path, headers, body.encode(), self.now_ns)

    def rest(self, name: str, **form: Any) -> Any:
        answer = self.request(name, **form)
        told = parse(answer.body)
        assert answer.status == 200 and told["error"] == [], told
        return told["result"]

    def rest_error(self, name: str, **form: Any) -> str:
        told = parse(self.request(name, **form).body)
        assert "result" not in told and len(told["error"]) == 1, told
        error: str = told["error"][0]
        return error

    def public(self, name: str, **query: Any) -> Any:
        answer = self.venue.rest("GET", f"/0/public/{name}?{urlencode(query)}", {}, b"", self.now_ns)
        told = parse(answer.body)
        assert told["error"] == [], told
        return told["result"]

    def sell(self, qty: str, symbol: str = "BTC/USD") -> None:
        """Somebody outside sells so much into the book: the market's own taker, made by hand."""
        take(self.venue, symbol, "bid", qty, self.now_ns)
        self.collect()

    def buy(self, qty: str, symbol: str = "BTC/USD") -> None:
        take(self.venue, symbol, "ask", qty, self.now_ns)
        self.collect()


def take(venue: KrakenVenue, symbol: str, side: str, qty: str, now_ns: int) -> None:
    """A taker of the market's own against one side, best price first."""
    book = venue.market.book(symbol)
    ladder = book.bids if side == "bid" else book.asks
    left = int(Decimal(qty) * 10**book.pair.qty_precision)
    while left:
        price = ladder.price(0)
        part = min(left, ladder.qty(price))

        def trade(lots: int, price: int = price) -> SimTrade:
            return book.trade("sell" if side == "bid" else "buy", price, lots, "market", now_ns)

        assert book.guests is not None
        book.guests.take("bid" if side == "bid" else "ask", price, part, trade)
        ladder.set(price, ladder.qty(price) - part)
        left -= part
    book.refill()
    venue.flush(now_ns)


def dumps(value: Any) -> str:
    """JSON with decimals as numbers, digit by digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{dumps(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    return json.dumps(value)
