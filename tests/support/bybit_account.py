"""Bybit's private side, scripted: one trading session, the answers that Bybit would give, and what the session says.

Written from Bybit's published messages (facts/venues.md §5.3, §5.4); nothing here comes from the connector's own wire
definitions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, TypeVar

from connectors.events import ExecReport, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, TRADE, Output, Send, TradingPlan
from connectors.venues.bybit import VENUE

SECOND = 10**9
T0 = 1_755_338_645_000_000_000
MS = T0 // 10**6
BTC = Instrument("bybit", "BTC/USDT", 1, 6, 10**8, 100, venue_symbol="BTCUSDT")
ETH = Instrument("bybit", "ETH/USDT", 2, 5, 10**7, 1000, venue_symbol="ETHUSDT")
KEY = {"id": "1", "readOnly": 0, "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer"]}, "uta": 1}
T = TypeVar("T")


def of(kind: type[T], outputs: Iterable[object]) -> list[T]:
    return [output for output in outputs if isinstance(output, kind)]


def reply(result: Any, code: int = 0, words: str = "OK") -> bytes:
    return json.dumps({"retCode": code, "retMsg": words, "result": result, "retExtInfo": {}, "time": MS}).encode()


def page(*items: dict[str, Any], cursor: str = "") -> dict[str, Any]:
    return {"list": list(items), "nextPageCursor": cursor, "category": "spot"}


def order(status: str = "New", name: str = "vg1a2b3c-1", **changes: Any) -> dict[str, Any]:
    """One item of the order topic, or of a list of orders."""
    return {
        "category": "spot", "symbol": "BTCUSDT", "orderId": f"id-{name}", "orderLinkId": name, "side": "Buy",
        "orderType": "Limit", "price": "62000.0", "qty": "0.010000", "orderStatus": status, "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError", "timeInForce": "GTC", "leavesQty": "0.010000", "cumExecQty": "0.000000",
        "cumExecValue": "0.0", "avgPrice": "", "cumFeeDetail": {}, "createdTime": str(MS), "updatedTime": str(MS + 1),
        **changes,
    }  # fmt: skip


def execution(exec_id: str = "e-1", qty: str = "0.010000", name: str = "vg1a2b3c-1", **changes: Any) -> dict[str, Any]:
    return {
        "category": "spot", "symbol": "BTCUSDT", "execFee": "0.00001", "feeCurrency": "BTC", "execId": exec_id,
        "execPrice": "62000.0", "execQty": qty, "execType": "Trade", "execValue": "620", "isMaker": False,
        "feeRate": "0.001", "leavesQty": "0", "orderId": f"id-{name}", "orderLinkId": name, "orderPrice": "62000",
        "orderQty": "0.01", "orderType": "Limit", "side": "Buy", "execTime": str(MS + 2), "isLeverage": "0", "seq": 7,
        **changes,
    }  # fmt: skip


class Desk:
    """One session, its time, and what left of it. `rest`: questions and cancels not yet answered, by number."""

    def __init__(self, **options: str) -> None:
        instruments = [BTC, ETH]
        assert VENUE.trading is not None
        plan = TradingPlan(((0, "BTC/USDT"), (1, "ETH/USDT")), instruments, "vg", options)
        self.session = VENUE.trading.session(plan)
        self.now_ns = T0
        self.approvals = 0
        self.rest: dict[int, tuple[str, str]] = {}
        self.left: list[Send] = []
        self.ready: list[str] = []
        self.numbers: dict[str, int] = {}  # our own requests on sockets, by what they ask

    def keep(self, outputs: list[Output]) -> list[Output]:
        for send in of(Send, outputs):
            self.left.append(send)
            if send.link == REST:
                head, _, body = send.data.decode().partition("\n")
                number, method, path = head.split(" ")[:3]
                self.rest[int(number)] = (f"{method} {path}", body)
        self.ready += [one.why for one in of(Ready, outputs)]
        return outputs

    # --- what Bybit says ---------------------------------------------------------------------------------------------

    def hear(self, message: dict[str, Any] | bytes, link: str = PRIVATE) -> list[Output]:
        frame = message if isinstance(message, bytes) else json.dumps(message, separators=(",", ":")).encode()
        return self.keep(self.session.receive(frame, self.now_ns, link))

    def topic(self, name: str, *items: dict[str, Any]) -> list[Output]:
        return self.hear({"id": "5923240c", "topic": name, "creationTime": MS, "data": list(items)})

    def answered(self, path: str, result: Any, code: int = 0, words: str = "OK", status: int = 200) -> list[Output]:
        """The answer to the oldest question of this path."""
        number = next(number for number, (asked, _) in self.rest.items() if asked.endswith(path))
        del self.rest[number]
        return self.hear(b"%d %d\n" % (number, status) + reply(result, code, words), REST)

    def silent(self, path: str) -> list[Output]:
        number = next(number for number, (asked, _) in self.rest.items() if asked.endswith(path))
        del self.rest[number]
        return self.hear(b"%d 0\nno answer: timed out" % number, REST)

    def yes(self, outputs: list[Output], link: str) -> list[Output]:
        """To logins and subscriptions among `outputs`, and to those that follow."""
        more: list[Output] = []
        for send in of(Send, outputs):
            if send.link != link:
                continue
            number, op = re.findall(rb'"(?:req_id|reqId)":"(\d+)","op":"([a-z]+)"', send.data)[0]
            if link == TRADE:
                answer = {"reqId": number.decode(), "retCode": 0, "retMsg": "OK", "op": op.decode(), "connId": "c"}
            else:
                answer = {"success": True, "ret_msg": "", "op": op.decode(), "conn_id": "c", "req_id": number.decode()}
            heard = self.hear(answer, link)
            more += heard + self.yes(heard, link)
        return more

    def taken(self, number: int, code: int = 0, words: str = "OK", **data: Any) -> list[Output]:
        """The answer of the trade socket to this approval."""
        header = {"X-Bapi-Limit": "20", "X-Bapi-Limit-Status": "19", "X-Bapi-Limit-Reset-Timestamp": str(MS)}
        answer = {"reqId": str(number), "retCode": code, "retMsg": words, "op": "order.create", "data": data}
        return self.hear({**answer, "retExtInfo": {}, "header": header, "connId": "c"}, TRADE)

    # --- what the engine does ----------------------------------------------------------------------------------------

    def start(self, key: Any = KEY, time_ms: int | None = None) -> list[Output]:
        out = self.keep(self.session.start(self.now_ns))
        nano = str((time_ms if time_ms is not None else self.now_ns // 10**6) * 10**6)
        out += self.answered("/v5/market/time", {"timeSecond": nano[:10], "timeNano": nano})
        return out + self.answered("/v5/user/query-api", key)

    def open(self, link: str) -> list[Output]:
        return self.keep(self.session.open(self.now_ns, link))

    def close(self, link: str) -> list[Output]:
        return self.keep(self.session.close(self.now_ns, link))

    def up(self) -> Desk:
        """Everything there: orders may leave."""
        self.start()
        for link in (PRIVATE, TRADE):
            self.yes(self.open(link), link)
        assert self.ready[-1] == ""
        return self

    def wait(self, seconds: float) -> list[Output]:
        """Time passes; pings are answered."""
        out: list[Output] = []
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns:
            self.now_ns = min(self.now_ns + SECOND // 2, end_ns)
            ticked = self.keep(self.session.tick(self.now_ns))
            for send in of(Send, ticked):
                if b'"op":"ping"' in send.data:
                    pong = {"op": "pong", "args": [str(MS)], "conn_id": "c"} if send.link == PRIVATE else {
                        "retCode": 0, "retMsg": "OK", "op": "pong", "data": [str(MS)], "connId": "c"}  # fmt: skip
                    ticked = ticked + self.hear(pong, send.link)
            out += ticked
        return out

    def number(self) -> int:
        """Of the next approval."""
        self.approvals += 1
        return self.approvals

    def approved(self, name: str = "vg1a2b3c-1", **changes: Any) -> Approved[NewOrder]:
        fields = {"client_order_id": name, "algo": 0, "instrument": 0, "order_id": 7, "side": 1,
                  "px_1e9": 62_000 * 10**9, "qty_1e8": 1_000_000, "order_type": OrderType.LIMIT, **changes}  # fmt: skip
        return Approved(NewOrder(**fields), self.number(), self.now_ns, 31)

    def submit(self, name: str = "vg1a2b3c-1", **changes: Any) -> list[Output]:
        return self.keep(self.session.submit(self.approved(name, **changes), self.now_ns))

    def submit_many(self, *names: str, **changes: Any) -> list[Output]:
        approved = [self.approved(name, **changes) for name in names]
        return self.keep(self.session.submit_many(approved, self.now_ns))

    def amend(self, name: str = "vg1a2b3c-1", px: int = 61_999 * 10**9, qty: int = 2_000_000) -> list[Output]:
        asked = AmendOrder(name, 0, 0, 7, 1, px, qty, "a-1")
        return self.keep(self.session.amend(Approved(asked, self.number(), self.now_ns, 31), self.now_ns))

    def cancel(self, name: str = "vg1a2b3c-1") -> list[Output]:
        asked = CancelOrder(name, 0, 0, 7, "c-1")
        return self.keep(self.session.cancel(Approved(asked, self.number(), self.now_ns, 1), self.now_ns))

    def cancel_all(self) -> list[Output]:
        asked = CancelAll("bybit", "k-1")
        return self.keep(self.session.cancel_all(Approved(asked, self.number(), self.now_ns, 1), self.now_ns))

    def live(self, name: str = "vg1a2b3c-1", **changes: Any) -> Desk:
        """An order of ours, acknowledged."""
        self.submit(name, **changes)
        self.taken(self.approvals, orderId=f"id-{name}", orderLinkId=name)
        self.topic("order", order(name=name))
        return self


def reports(outputs: Iterable[Output]) -> list[tuple[str, str]]:
    """(kind, name) of every report."""
    return [(str(one.exec_type), one.client_order_id) for one in of(ExecReport, outputs)]


def ops(outputs: Iterable[Output]) -> list[str]:
    """What left on the trade socket."""
    return [json.loads(send.data)["op"] for send in of(Send, outputs) if send.link == TRADE]
