"""One hosted exchange's account driven by hand: what the feed says, what the calls answer (`runtime/hosted/`)."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from connectors.events import ExecReport, ExecType, Ready
from connectors.instrument import Instrument
from connectors.orders import Approved, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan
from connectors.venues.ccxt.asked import asked
from connectors.venues.ccxt.trading import CcxtTrading

SECOND = 10**9
T0 = 1_785_000_000 * SECOND
BTC, ETH = "BTC/USDT", "ETH/USDT"
NAME = "vg1a2b3c-1"
T = TypeVar("T")


def of(kind: type[T], out: list[Output]) -> list[T]:
    return [one for one in out if isinstance(one, kind)]


class World:
    """One session of two markets; the feed and the calls are said by hand. `asked`: calls nobody has answered yet."""

    def __init__(self, *, ready: bool = True, missing: tuple[str, ...] = ()) -> None:
        plan = TradingPlan(
            ((0, BTC), (1, ETH)),
            [Instrument("ccxt_x", BTC, 2, 6, 10**7, 100), Instrument("ccxt_x", ETH, 2, 4, 10**7, 10**4)], "vg",
        )  # fmt: skip
        self.session = CcxtTrading(plan, "ccxt_x")
        self.now_ns = T0
        self.asked: list[tuple[str, str, dict[str, Any]]] = []  # number, method, arguments
        self.watched: list[str] = []
        self.all: list[Output] = []
        self._note(self.session.start(self.now_ns))
        if ready:
            self.open()
            for channel in missing:
                self.say({"op": "failed", "channel": channel, "error": "NotSupported", "text": "not there"})
            self.wait(SECOND)
            self.answer({"USDT": "1000.5", "BTC": "0.1"}, method="fetch_balance")
            assert self.why == ""

    def _note(self, out: list[Output]) -> list[Output]:
        self.all += out
        for send in of(Send, out):
            if send.link == REST:
                assert all(one.what in ("new", "cancel") for one in asked(send.data))
                head, _, body = send.data.decode().partition("\n")
                number, *_, path = head.split(" ")
                self.asked.append((number, path.strip("/"), msgspec.json.decode(body)))
            else:
                self.watched.append(msgspec.json.decode(send.data)["channel"])
        return out

    @property
    def why(self) -> str:
        return of(Ready, self.all)[-1].why

    def open(self) -> list[Output]:
        return self._note(self.session.open(self.now_ns, PRIVATE))

    def close(self) -> list[Output]:
        return self._note(self.session.close(self.now_ns, PRIVATE))

    def say(self, message: dict[str, Any] | bytes) -> list[Output]:
        raw = message if isinstance(message, bytes) else msgspec.json.encode(message)
        return self._note(self.session.receive(raw, self.now_ns, PRIVATE))

    def answer(self, body: Any, status: int = 200, method: str = "") -> list[Output]:
        """The oldest call, or the oldest of that method, is answered."""
        place = next(n for n, (_, name, _) in enumerate(self.asked) if method in ("", name))
        number, *_ = self.asked.pop(place)
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        frame = f"{number} {status}\n".encode() + raw
        return self._note(self.session.receive(frame, self.now_ns, REST))

    def refuse(self, error: str, text: str = "so it says", method: str = "") -> list[Output]:
        return self.answer({"error": error, "text": text}, 400, method)

    def wait(self, ns: int, *, alive: bool = True) -> list[Output]:
        out: list[Output] = []
        for _ in range(ns // SECOND):
            self.now_ns += SECOND
            out += self.say({"op": "alive"}) if alive else []
            out += self._note(self.session.tick(self.now_ns))
        return out

    def place(self, number: int = 1, kind: OrderType = OrderType.LIMIT, market: int = 0) -> list[Output]:
        order = NewOrder(f"vg1a2b3c-{number}", market, 0, number, 1, 62_000 * 10**9, 10**6, int(kind))
        return self._note(self.session.submit(Approved(order, number, self.now_ns, 40), self.now_ns))

    def cancel(self, number: int = 9, name: str = NAME) -> list[Output]:
        approved = Approved(CancelOrder(name, 0, 0, 1, f"vg1a2b3c-{number}"), number, self.now_ns, 1)
        return self._note(self.session.cancel(approved, self.now_ns))

    def resting(self) -> World:
        self.place()
        assert kinds(self.answer({"id": "8231"}, method="create_order")) == [ExecType.NEW]
        return self

    def look(self) -> None:
        self._note(self.session.look(self.now_ns - 60 * SECOND, self.now_ns))

    def methods(self) -> list[str]:
        return [method for _, method, _ in self.asked]


def kinds(out: list[Output]) -> list[ExecType]:
    return [one.exec_type for one in of(ExecReport, out)]


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "8231", "name": NAME, "symbol": BTC, "side": "buy", "type": "limit", "tif": "GTC", "status": "open",
        "price": "62000", "amount": "0.01", "filled": "0", "ms": T0 // 10**6, **changes,
    }  # fmt: skip


def fill(**changes: Any) -> dict[str, Any]:
    return {
        "id": "77", "order": "8231", "symbol": BTC, "side": "buy", "price": "62000", "amount": "0.004", "cost": "248",
        "fees": [{"currency": "USDT", "cost": "0.248"}], "ms": T0 // 10**6, **changes,
    }  # fmt: skip
