"""A client of the simulated OKX, written from the published rules alone: text in and out, virtual time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from runtime.sim.frames import Close
from runtime.sim.okx import OkxConnection, OkxVenue

T0 = 1_786_874_645_123_456_789
MS = 1_000_000
SECOND = 10**9
Message = dict[str, Any]


def sign(secret: str, text: str) -> str:
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()).decode()


def iso(now_ns: int) -> str:
    at = datetime.fromtimestamp(now_ns // SECOND, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{now_ns % SECOND // MS:03d}Z"


class Trader:
    """One venue and one socket, the private one and logged in unless told; `now_ns` moves only by `wait`."""

    def __init__(self, *faults: str, public: bool = False, login: bool = True, **options: Any) -> None:
        self.venue = OkxVenue(now_ns=T0, faults=faults, **{"seed": 5, "rate_hz": 0, "idle_close_s": 0, **options})
        self.faults = self.venue.faults
        self.now_ns = T0
        self.heard: list[Message] = []
        self.raw: list[str] = []
        self.closes: list[Close] = []
        self.count = 0
        self.socket = self.dial("/ws/v5/public" if public else "/ws/v5/private")
        if login and not public:
            assert self.login()[-1]["code"] == "0"

    # --- sockets ----------------------------------------------------------------------------------------------------

    def dial(self, path: str = "/ws/v5/public") -> OkxConnection:
        made = self.venue.connect(self.now_ns, path)
        assert isinstance(made, OkxConnection)
        self.socket = made
        return made

    def collect(self) -> list[Message]:
        fresh = []
        for frame in self.socket.take():
            if isinstance(frame, Close):
                self.closes.append(frame)
            elif isinstance(frame, str):
                self.raw.append(frame)
                if frame.startswith("{"):
                    fresh.append(json.loads(frame))
        self.heard += fresh
        return fresh

    def send(self, text: str) -> list[Message]:
        self.socket.receive(text, self.now_ns)
        return self.collect()

    def say(self, op: str, *args: Any, **more: Any) -> list[Message]:
        return self.send(json.dumps({"op": op, "args": list(args), **more}))

    def login(self, **changes: str) -> list[Message]:
        access, stamp = self.venue.access, str(self.now_ns // SECOND)
        stamp = changes.get("timestamp", stamp)
        given = {"apiKey": access.key, "passphrase": access.passphrase, "timestamp": stamp}
        given["sign"] = sign(access.secret, f"{stamp}GET/users/self/verify")
        return self.say("login", given | changes)

    def subscribe(self, channel: str, inst_id: str = "", **more: str) -> list[Message]:
        return self.say("subscribe", {"channel": channel} | ({"instId": inst_id} if inst_id else {}) | more)

    def follow(self) -> None:
        """The orders channel."""
        assert self.subscribe("orders", instType="SPOT")[0]["event"] == "subscribe"

    def wait(self, seconds: float) -> list[Message]:
        """Time passes, 10 ms at a time."""
        fresh, end_ns = [], self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + 10 * MS)
            self.venue.advance(self.now_ns)
            fresh += self.collect()
        return fresh

    def of(self, channel: str) -> list[Message]:
        return [m for m in self.heard if "data" in m and m.get("arg", {}).get("channel") == channel]

    def orders(self, client_id: str = "") -> list[Message]:
        """The orders channel's rows, in order."""
        rows = [row for message in self.of("orders") for row in message["data"]]
        return [row for row in rows if client_id in {"", row["clOrdId"]}]

    def states(self, client_id: str) -> list[tuple[str, str]]:
        return [(row["state"], row["accFillSz"]) for row in self.orders(client_id)]

    # --- REST -------------------------------------------------------------------------------------------------------

    def ask(self, method: str, name: str, body: object = None, query: str = "", **changes: str) -> tuple[int, Message]:
        """One signed request; `changes` spoil headers, by their names without OK-ACCESS-."""
        access, stamp = self.venue.access, changes.get("timestamp", iso(self.now_ns))
        target = f"/api/v5/{name}" + (f"?{query}" if query else "")
        data = "" if body is None else json.dumps(body)
        given = {"key": access.key, "passphrase": access.passphrase, "timestamp": stamp}
        given["sign"] = sign(access.secret, f"{stamp}{method}{target}{data}")
        given |= changes
        headers = {f"ok-access-{key}": value for key, value in given.items() if value and key != "exptime"}
        if "exptime" in changes:
            headers["exptime"] = changes["exptime"]
        answer = self.venue.rest(method, target, headers, data.encode(), self.now_ns)
        self.collect()
        assert not answer.is_lost
        return answer.status, json.loads(answer.body)

    def get(self, name: str, **query: str) -> list[Message]:
        status, told = self.ask("GET", name, query=urlencode(query))
        assert (status, told["code"], told["msg"]) == (200, "0", ""), told
        rows: list[Message] = told["data"]
        return rows

    def public(self, name: str, **query: str) -> Message:
        target = f"/api/v5/{name}?{urlencode(query)}"
        told: Message = json.loads(self.venue.rest("GET", target, {}, b"", self.now_ns).body)
        return told

    # --- orders -----------------------------------------------------------------------------------------------------

    def touch(self, symbol: str = "BTC/USDT") -> tuple[Decimal, Decimal]:
        book, pair = self.venue.market.book(symbol), self.venue.pairs[symbol]
        unit = Decimal(10) ** -pair.price_precision
        return book.bids.price(0) * unit, book.asks.price(0) * unit

    def code(self, symbol: str = "BTC/USDT") -> int:
        """The instIdCode; that metadata tell the same is a test of its own."""
        return self.venue.names.codes[symbol]

    def item(self, **terms: Any) -> Message:
        """An order's argument: a bid well below the market, or what `terms` make of it."""
        self.count += 1
        base = {"tdMode": "cash", "side": "buy", "ordType": "limit", "px": "60000", "sz": "0.01"}
        named = {} if "instId" in terms or "instIdCode" in terms else {"instIdCode": self.code()}
        made = {**named, **base, "clOrdId": f"vg1a2b3c{self.count}", **terms}
        return {name: value for name, value in made.items() if value is not None}

    def op(self, op: str, *items: Message, **more: Any) -> Message:
        """One request with orders and its answer."""
        told = [m for m in self.say(op, *items, id=f"r{self.count}", **more) if m.get("op") == op]
        assert len(told) == 1, told
        assert told[0]["id"] == f"r{self.count}"
        assert len(told[0]["inTime"]) == 16
        return told[0]

    def place(self, **terms: Any) -> str:
        """An order that is taken; its client id."""
        item = self.item(**terms)
        told = self.op("order", item)
        assert (told["code"], told["data"][0]["sCode"]) == ("0", "0"), told
        return str(item["clOrdId"])

    def refused(self, op: str, **terms: Any) -> str:
        """The sCode of what is not taken."""
        told = self.op(op, terms if op != "order" else self.item(**terms))
        assert told["code"] == "1", told
        code: str = told["data"][0]["sCode"]
        return code

    def fill(self, client_id: str, qty: str) -> None:
        """Somebody trades with this very order."""
        order = self.venue.engine.lookup(cl_ord_id=client_id)
        assert order is not None
        self.venue.engine.matcher.force(order, int(Decimal(qty) * 10**order.pair.qty_precision), self.now_ns)
        self.venue.flush(self.now_ns)
        self.collect()
