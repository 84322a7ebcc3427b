"""OKX's private side by hand: frames and answers as its documentation writes them, and one session on a desk.

Nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.events import Doubt, ExecReport, Movement, Notice, Picture, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, OrderSession, Output, Send, TradingPlan
from connectors.venues.okx import VENUE
from tests.support.okx_frames import SECOND, T0, dump, of

BTC = Instrument("okx", "BTC/USDT", 1, 8, 10**8, 1, 1_000, venue_symbol="BTC-USDT", venue_code="1008")
ETH = Instrument("okx", "ETH/USDT", 2, 6, 10**7, 100, venue_symbol="ETH-USDT", venue_code="1009")
TAG = "vg1a2b3c"
PX = 62_807 * 10**9
QTY = 1_250_000


def state(name: str, what: str = "live", **fields: str) -> dict[str, str]:
    """One element of the orders channel and of the lists of orders."""
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "ordId": "O1", "clOrdId": name.replace("-", ""), "state": what,
        "side": "buy", "ordType": "limit", "px": "62807", "sz": "0.0125", "tgtCcy": "", "accFillSz": "0", "avgPx": "",
        "fillPx": "", "fillSz": "0", "tradeId": "", "fillFee": "0", "fillFeeCcy": "", "fillTime": "", "fee": "0",
        "feeCcy": "BTC", "cTime": "1755338645000", "uTime": "1755338645000", "reqId": "", "amendResult": "",
        "code": "0", "msg": "", "cancelSource": "", **fields,
    }  # fmt: skip


def filled(name: str, qty: str, cum: str, trade: str = "T1", **fields: str) -> dict[str, str]:
    """A fill, whose order is filled by it or not."""
    what = "filled" if cum == "0.0125" else "partially_filled"
    return state(
        name, what,
        **{"fillSz": qty, "accFillSz": cum, "fillPx": "62800.5", "tradeId": trade, "fillFee": "-0.000001",
           "fillFeeCcy": "BTC", "fillTime": "1755338646000", "uTime": "1755338646001", **fields},
    )  # fmt: skip


def fill(name: str, qty: str, trade: str = "T1", **fields: str) -> dict[str, str]:
    """One element of the list of trades."""
    return {
        "instType": "SPOT", "instId": "BTC-USDT", "tradeId": trade, "ordId": "O1", "clOrdId": name.replace("-", ""),
        "billId": f"B{trade}", "side": "buy", "fillSz": qty, "fillPx": "62800.5", "fee": "-0.000001", "feeCcy": "BTC",
        "fillTime": "1755338646000", "ts": "1755338646001", **fields,
    }  # fmt: skip


def orders(*items: dict[str, str]) -> bytes:
    return dump({"arg": {"channel": "orders", "instType": "SPOT", "uid": "614488474791936"}, "data": list(items)})


def answer(request: dict[str, Any], *items: tuple[str, str, str], code: str = "", words: str = "") -> bytes:
    """`items`: (name, venue's id, sCode)."""
    data = [
        {"clOrdId": name.replace("-", ""), "ordId": venue_id, "tag": "", "ts": "1755338645421", "sCode": s_code,
         "sMsg": "" if s_code == "0" else "some words"}
        for name, venue_id, s_code in items
    ]  # fmt: skip
    good = sum(s_code == "0" for _, _, s_code in items)
    code = code or ("0" if good == len(items) else "2" if good else "1")
    return dump({"id": request["id"], "op": request["op"], "code": code, "msg": words, "data": data})


def asked(outputs: Iterable[Output], path: str = "") -> list[tuple[str, str, str]]:
    """(id, path, body or query) of every HTTP request, or of those to this path."""
    found = []
    for send in of(Send, outputs):
        if send.link == REST:
            head, _, body = send.data.decode().partition("\n")
            number, method, where, *_ = head.split(" ")
            assert method in ("GET", "POST")
            if not path or where.endswith(path):
                found.append((number, where, body))
    return found


def said(outputs: Iterable[Output], op: str = "") -> list[dict[str, Any]]:
    """Every JSON message on the private link, or those of one op."""
    sends = [send.data for send in of(Send, outputs) if send.link == PRIVATE and send.data != b"ping"]
    return [one for one in map(json.loads, sends) if not op or one["op"] == op]


def reports(outputs: Iterable[Output]) -> list[ExecReport]:
    return of(ExecReport, outputs)


def kinds(outputs: Iterable[Output]) -> list[tuple[str, str]]:
    """(client order id, what happened)."""
    return [(one.client_order_id, str(one.exec_type)) for one in reports(outputs)]


def movements(outputs: Iterable[Output]) -> list[tuple[str, str, str, int]]:
    return [(one.ref, one.currency, one.kind, one.amount_1e8) for one in of(Movement, outputs)]


def notices(outputs: Iterable[Output], level: str = "") -> list[str]:
    return [one.text for one in of(Notice, outputs) if one.level == (level or one.level)]


class Desk:
    """A session, a clock that only this object moves, and approvals that only it numbers."""

    def __init__(self, *markets: Instrument, **options: str) -> None:
        self.markets = list(markets) or [BTC, ETH]
        symbols = tuple((index, market.symbol) for index, market in enumerate(self.markets))
        assert VENUE.trading is not None
        self.session: OrderSession = VENUE.trading.session(TradingPlan(symbols, self.markets, "vg", options))
        self.now_ns = T0
        self.approvals = 0
        self.why: str | None = None
        self.doubts: list[str] = []

    def seen(self, outputs: list[Output]) -> list[Output]:
        for output in outputs:
            if isinstance(output, Ready):
                self.why = output.why
            if isinstance(output, Doubt):
                self.doubts.append(output.why)
        return outputs

    # --- what the venue does ---------------------------------------------------------------------------------------

    def hear(self, *frames: bytes) -> list[Output]:
        return self.seen([out for frame in frames for out in self.session.receive(frame, self.now_ns, PRIVATE)])

    def reply(
        self, request: tuple[str, str, str], *data: Any, code: str = "0", words: str = "", status: int = 200
    ) -> list[Output]:
        body = dump({"code": code, "msg": words, "data": list(data)})
        return self.rest(request, b"%d" % status, body)

    def rest(self, request: tuple[str, str, str], status: bytes, body: bytes) -> list[Output]:
        frame = request[0].encode() + b" " + status + b"\n" + body
        return self.seen(self.session.receive(frame, self.now_ns, REST))

    def wait(self, seconds: float, *, is_alive: bool = True) -> list[Output]:
        """Half-second ticks; a living peer answers pings, and the timer's questions with yes."""
        out: list[Output] = []
        for _ in range(round(seconds * 2)):
            self.now_ns += SECOND // 2
            told = self.seen(self.session.tick(self.now_ns))
            out += told
            if is_alive and any(send.data == b"ping" for send in of(Send, told)):
                out += self.hear(b"pong")
            if is_alive:
                for request in asked(told, "cancel-all-after"):
                    out += self.reply(request, {"triggerTime": "1", "ts": "1"})
        return out

    # --- what the engine does --------------------------------------------------------------------------------------

    def begin(self, perm: str = "read_only,trade", mode: str = "1", skew_ms: int = 0, **config: Any) -> list[Output]:
        """Started, and its questions about key, time and markets answered."""
        out = self.seen(self.session.start(self.now_ns))
        told = list(out)
        for request in asked(out):
            if request[1].endswith("/config"):
                told += self.reply(request, {"perm": perm, "acctLv": mode, "uid": "1", **config})
            elif request[1].endswith("/time"):
                told += self.reply(request, {"ts": str(self.now_ns // 10**6 + skew_ms)})
            else:
                pairs = [("BTC", "USDT"), ("ETH", "USDT"), ("ETH", "BTC")]
                listed = [{"instId": f"{base}-{quote}", "baseCcy": base, "quoteCcy": quote} for base, quote in pairs]
                told += self.reply(request, *listed)
        return told

    def open(self) -> list[Output]:
        return self.seen(self.session.open(self.now_ns, PRIVATE))

    def close(self) -> list[Output]:
        return self.seen(self.session.close(self.now_ns, PRIVATE))

    def log_in(self) -> list[Output]:
        """The link is up, logged in and subscribed, the switch armed: what the session said on the way."""
        out = self.open()
        out += self.hear(dump({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"}))
        for request in said(out, "subscribe"):
            out += self.hear(dump({"id": request["id"], "event": "subscribe", "arg": request["args"][0]}))
        for timer in asked(out, "cancel-all-after"):
            out += self.reply(timer, {"triggerTime": "1", "ts": "1"})
        return out

    def ready(self) -> Desk:
        self.begin()
        self.log_in()
        assert self.why == "", self.why
        return self

    def approve(self, order: Any) -> Approved[Any]:
        self.approvals += 1
        return Approved(order, self.approvals, self.now_ns, 31)

    def order(self, number: int = 1, market: int = 0, **changes: Any) -> NewOrder:
        fields = {"side": 1, "px_1e9": PX, "qty_1e8": QTY, "order_type": OrderType.LIMIT, **changes}
        return NewOrder(f"{TAG}-{number}", 0, market, number, **fields)

    def submit(self, number: int = 1, **changes: Any) -> list[Output]:
        return self.seen(self.session.submit(self.approve(self.order(number, **changes)), self.now_ns))

    def submit_many(self, *new: NewOrder) -> list[Output]:
        return self.seen(self.session.submit_many([self.approve(one) for one in new], self.now_ns))

    def amend(self, number: int = 1, px_1e9: int = PX, qty_1e8: int = QTY) -> list[Output]:
        order = AmendOrder(f"{TAG}-{number}", 0, 0, number, 1, px_1e9, qty_1e8, f"{TAG}-a{number}")
        return self.seen(self.session.amend(self.approve(order), self.now_ns))

    def cancel(self, number: int = 1) -> list[Output]:
        order = CancelOrder(f"{TAG}-{number}", 0, 0, number, f"{TAG}-c{number}")
        return self.seen(self.session.cancel(self.approve(order), self.now_ns))

    def resting(self, number: int = 1) -> dict[str, Any]:
        """An order that OKX has; the request it went with."""
        (request,) = said(self.submit(number), "order")
        name = f"{TAG}-{number}"
        self.hear(answer(request, (name, f"O{number}", "0")), orders(state(name, ordId=f"O{number}")))
        return request

    def look(
        self, *, live: Iterable[dict[str, str]] = (), over: Iterable[dict[str, str]] = (),
        fills: Iterable[dict[str, str]] = (), held: dict[str, str] | None = None,
        singles: dict[str, dict[str, str]] | None = None, since_ns: int = T0 - SECOND,
    ) -> list[Output]:  # fmt: skip
        """A whole look, answered with these lists."""
        out = self.seen(self.session.look(since_ns, self.now_ns))
        told = list(out)
        pages = {"orders-pending": list(live), "orders-history": list(over), "fills": list(fills)}
        while not of(Picture, out):
            (request,) = asked(out)
            name = request[1].rpartition("/")[2]
            if name == "order":
                found = (singles or {}).get(request[2].partition("clOrdId=")[2])
                if found is not None:
                    out = self.reply(request, found)
                else:
                    out = self.reply(request, code="51603", words="Order does not exist")
            elif name == "balance":
                details = [{"ccy": ccy, "cashBal": amount} for ccy, amount in (held or {}).items()]
                out = self.reply(request, {"details": details})
            else:
                out = self.reply(request, *pages[name])
            told += out
        return told
