"""Binance's account side as it writes it, and one trading session driven by hand. From the published messages alone."""

from __future__ import annotations

import json
from typing import Any, Final

from connectors.events import ExecReport, ExecType, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan
from connectors.venues.binance import VENUE
from tests.support.binance_frames import SECOND, T0, dumps, of

NAME: Final = "vg1a2b3c-1"
PX, QTY = 62_000 * 10**9, 1_000_000
MS = T0 // 10**6
INSTRUMENTS = [Instrument.parse("binance", "BTC/USDT:2:5"), Instrument.parse("binance", "ETH/USDT:2:4")]
GOOD_KEY = {"ipRestrict": True, "enableReading": True, "enableWithdrawals": False, "enableSpotAndMarginTrading": True}
ACCOUNT = {"canTrade": True, "balances": [{"asset": "USDT", "free": "900.00", "locked": "100.00"},
                                          {"asset": "BTC", "free": "1.5", "locked": "0"}]}  # fmt: skip


def execution(kind: str, **changes: Any) -> dict[str, Any]:
    """One executionReport of the order that `Desk.new` places."""
    return {
        "e": "executionReport", "E": MS, "s": "BTCUSDT", "c": NAME, "S": "BUY", "o": "LIMIT", "f": "GTC",
        "q": "0.01000", "p": "62000.00", "P": "0.00", "F": "0.00", "g": -1, "C": "", "x": kind, "X": kind, "r": "NONE",
        "i": 4293153, "l": "0.00000", "z": "0.00000", "L": "0.00", "n": "0", "N": None, "T": MS, "t": -1,
        "I": 8641984, "w": True, "m": False, "M": False, "O": MS, "Z": "0.00", "Y": "0.00", "Q": "0.00",
        "V": "EXPIRE_TAKER", **changes,
    }  # fmt: skip


def trade(number: int = 77, qty: str = "0.00400", cum: str = "0.00400", **changes: Any) -> dict[str, Any]:
    status = "FILLED" if cum == "0.01000" else "PARTIALLY_FILLED"
    cost = {"0.00400": "248.00", "0.00600": "372.00", "0.01000": "620.00"}[qty]
    return execution("TRADE", **{"X": status, "t": number, "l": qty, "z": cum, "L": "62000.00", "Y": cost,
                                 "n": "0.00000400", "N": "BTC", **changes})  # fmt: skip


def wrapped(event: dict[str, Any]) -> bytes:
    return dumps({"subscriptionId": 0, "event": event})


def row(name: str = NAME, number: int = 4293153, status: str = "NEW", **changes: Any) -> dict[str, Any]:
    """An order as lists show it."""
    return {
        "symbol": "BTCUSDT", "orderId": number, "orderListId": -1, "clientOrderId": name, "price": "62000.00",
        "origQty": "0.01000", "executedQty": "0.00000", "cummulativeQuoteQty": "0.00", "status": status,
        "timeInForce": "GTC", "type": "LIMIT", "side": "BUY", "time": MS, "updateTime": MS, "isWorking": True,
        **changes,
    }  # fmt: skip


def trade_row(number: int = 77, order: int = 4293153, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "BTCUSDT", "id": number, "orderId": order, "orderListId": -1, "price": "62000.00", "qty": "0.00400",
        "quoteQty": "248.00", "commission": "0.00000400", "commissionAsset": "BTC", "time": MS, "isBuyer": True,
        "isMaker": True, "isBestMatch": True, **changes,
    }  # fmt: skip


class Desk:
    """A session at a time that moves as it is told. `asked`: questions over HTTP, (number, method, path, query)."""

    def __init__(self, **options: str) -> None:
        assert VENUE.trading is not None
        plan = TradingPlan(((0, "BTC/USDT"), (1, "ETH/USDT")), INSTRUMENTS, "vg", options)
        self.session = VENUE.trading.session(plan)
        self.now_ns, self.approvals = T0, 0
        self.asked: list[tuple[str, str, str, str]] = []
        self.sent: list[dict[str, Any]] = []
        self.all: list[Output] = []
        self.why: str | None = None

    def take(self, outputs: list[Output]) -> list[Output]:
        self.all += outputs
        for output in outputs:
            if isinstance(output, Ready):
                self.why = output.why
            elif isinstance(output, Send) and output.link == REST:
                head, _, body = output.data.decode().partition("\n")
                number, method, path = head.split()[:3]
                self.asked.append((number, method, path, body))
            elif isinstance(output, Send):
                self.sent.append(json.loads(output.data))
        return outputs

    def answer(self, body: object, status: int = 200, *, path: str = "") -> list[Output]:
        """The oldest question, or that to a path."""
        question = next(one for one in self.asked if one[2].endswith(path))
        self.asked.remove(question)
        data = body if isinstance(body, bytes) else dumps(body)
        return self.take(self.session.receive(f"{question[0]} {status}\n".encode() + data, self.now_ns, REST))

    def hear(self, frame: bytes) -> list[Output]:
        return self.take(self.session.receive(frame, self.now_ns, PRIVATE))

    def reply(self, result: object = None, *, number: int = 0, status: int = 200, **more: Any) -> list[Output]:
        """To a request on the socket; without a number to the last one."""
        found: dict[str, Any] = {"id": number or self.sent[-1]["id"], "status": status}
        return self.hear(dumps({**found, **({"result": result} if status == 200 else {}), **more}))

    def refuse(self, code: int, words: str, *, number: int = 0, status: int = 400) -> list[Output]:
        return self.reply(number=number, status=status, error={"code": code, "msg": words})

    def wait(self, seconds: float) -> list[Output]:
        out: list[Output] = []
        for _ in range(int(seconds * 2)):
            self.now_ns += SECOND // 2
            out += self.take(self.session.tick(self.now_ns))
        return out

    def ready(self) -> None:
        """Started, the key good, subscribed."""
        self.take(self.session.start(self.now_ns))
        self.answer({"serverTime": MS})
        self.answer(GOOD_KEY)
        self.answer(ACCOUNT)
        self.take(self.session.open(self.now_ns, PRIVATE))
        self.reply({"subscriptionId": 0})
        assert self.why == ""
        self.all.clear()

    def approve(self, order: Any) -> Approved[Any]:
        self.approvals += 1
        return Approved(order, self.approvals, self.now_ns, 12)

    def new(self, name: str = NAME, order_type: OrderType = OrderType.LIMIT, **changes: int) -> list[Output]:
        terms = {"side": 1, "px_1e9": PX, "qty_1e8": QTY, "instrument": 0, **changes}
        order = NewOrder(
            name, 0, terms["instrument"], 1, terms["side"], terms["px_1e9"], terms["qty_1e8"], int(order_type)
        )
        return self.take(self.session.submit(self.approve(order), self.now_ns))

    def live(self, name: str = NAME, number: int = 4293153) -> None:
        """An order that the venue has."""
        self.new(name)
        self.reply({"symbol": "BTCUSDT", "orderId": number, "orderListId": -1, "clientOrderId": name})

    def cancel(self, name: str = NAME) -> list[Output]:
        return self.take(self.session.cancel(self.approve(CancelOrder(name, 0, 0, 1, "c")), self.now_ns))

    def amend(self, qty_1e8: int = QTY // 2, px_1e9: int = PX, name: str = NAME) -> list[Output]:
        order = AmendOrder(name, 0, 0, 1, 1, px_1e9, qty_1e8, "a")
        return self.take(self.session.amend(self.approve(order), self.now_ns))

    def told(self, name: str = NAME) -> list[ExecType]:
        return [one.exec_type for one in of(ExecReport, self.all) if one.client_order_id == name]
