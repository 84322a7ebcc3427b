"""The smallest trading session that an exchange can have, for tests of what all of them share."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from connectors.events import OrderStatus, RejectCode
from connectors.exchange.known import Known
from connectors.exchange.look import Part
from connectors.exchange.outbound import UnsendableError
from connectors.exchange.record import Pages, RecordOrder
from connectors.exchange.requests import Request
from connectors.exchange.rest import Reply, unreadable
from connectors.exchange.session import ExchangeTrading
from connectors.exchange.told import Kind, Told
from connectors.exchange.verdict import UNLISTED, Next, Verdict
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan

SECOND: Final = 10**9
NAME: Final = "vgabcdef-1"
DEADLINE_NS: Final = 5 * SECOND
WORDS: Final = {
    "1": Verdict(Next.DEFINITE, RejectCode.INSUFFICIENT_BALANCE),
    "2": Verdict(Next.UNKNOWN, RejectCode.EXCHANGE_BUSY),
    "3": Verdict(Next.BACK_OFF, RejectCode.RATE_LIMIT, until_ns=30 * SECOND),
    "4": Verdict(Next.RENEW, RejectCode.AUTH),
    "5": Verdict(Next.HALT, RejectCode.AUTH),
}


class Encoder:
    """One word and the approval's number."""

    def __init__(self, link: str) -> None:
        self.link = link
        self.why = ""

    def _send(self, what: str, approval: int) -> Send:
        if self.why:
            raise UnsendableError(self.why)
        head = f"{approval} POST /{what}\n{{}}" if self.link == REST else f"{what} {approval}"
        return Send(self.link, head.encode(), approval)

    def submit(self, approved: Approved[NewOrder], now_ns: int) -> Send:
        del now_ns
        return self._send("new", approved.approval)

    def amend(self, approved: Approved[AmendOrder], now_ns: int) -> Send:
        del now_ns
        return self._send("amend", approved.approval)

    def cancel(self, approved: Approved[CancelOrder], now_ns: int) -> Send:
        del now_ns
        return self._send("cancel", approved.approval)

    def cancel_all(self, approved: Approved[CancelAll], now_ns: int) -> Send:
        del approved, now_ns
        raise ValueError("there is no such message")


class Purse:
    """Everything is free."""

    def wait_ns(self, name: str, now_ns: int) -> int:
        del name, now_ns
        return 0

    def spend(self, name: str, now_ns: int) -> None:
        del name, now_ns

    def overrun(self, now_ns: int) -> None:
        del now_ns


def read(status: int, body: bytes) -> Reply:
    return Reply("", msgspec.Raw(body)) if status == 200 else unreadable(status, body)


class Tiny(ExchangeTrading):
    """`sound`: the way of orders is open. `record`: what its list of everything says."""

    def __init__(self, link: str = PRIVATE, lag_ns: int = 0) -> None:
        self.encoder = Encoder(link)
        self.sound, self.not_ready, self.renewed, self.no_rest = True, "", "", ""
        self.record: list[RecordOrder] = []
        self.trades: list[Told] = []
        super().__init__(
            TradingPlan(((0, "BTC/USDT"),), [None], "vg"), "tiny", encoder=self.encoder, read=read,
            classify=lambda text: WORDS.get(text[:1], UNLISTED), purse=Purse(),
            parts=lambda: [Part("All", lambda _: ("GET /all", ""), self._all)], deadline_ns=DEADLINE_NS,
            trades_lag_ns=lag_ns,
        )  # fmt: skip

    def _all(self, pages: Pages, result: msgspec.Raw) -> bool:
        assert bytes(result) == b"{}"
        pages.open = {one.venue_id: one for one in self.record if one.status is OrderStatus.OPEN}
        pages.closed = {one.venue_id: one for one in self.record if one.status is not OrderStatus.OPEN}
        pages.trades = {one.exec_id: one for one in self.trades}
        return True

    def why_not(self, now_ns: int) -> str:
        del now_ns
        return self.not_ready

    def renew(self, why: str, now_ns: int) -> list[Output]:
        del now_ns
        self.renewed = why
        return []

    def pay(self, kind: str, orders: Sequence[Known], now_ns: int) -> str:
        del kind, orders, now_ns
        return ""

    def is_sound(self, now_ns: int) -> bool:
        del now_ns
        return self.sound

    def cancel_by_rest(self, approved: Approved[CancelOrder], known: Known, request: Request, now_ns: int) -> Send:
        if self.no_rest:
            raise UnsendableError(self.no_rest)
        return self.rest.ask("cancel", "DELETE /order", f"id={known.name}", now_ns, approved.approval, request)[1]

    # --- what a test says -------------------------------------------------------------------------------------------

    def fold(self, now_ns: int, **said: Any) -> list[Output]:
        told = Told(**{"name": NAME, "venue_id": "77", "symbol": "BTC/USDT", "side": 1, "ts_ns": now_ns, **said})
        out, problem = self.executions.read([told], lambda one: one, now_ns)
        assert not problem, problem
        return self.finish(out, now_ns)

    def traded(self, now_ns: int, exec_id: str, qty: str, cum: str | None = None) -> list[Output]:
        total = Decimal(cum) if cum is not None else None
        last, px = Decimal(qty), Decimal(60_000)
        return self.fold(now_ns, kind=Kind.TRADE, exec_id=exec_id, last_qty=last, last_px=px, cum=total)

    def sends(self, now_ns: int = 0, number: int = 1) -> list[Output]:
        order = NewOrder(NAME, 0, 0, number, 1, 60_000 * 10**9, 10**8, 0)
        return self.submit(Approved(order, number, now_ns, 31), now_ns)

    def request(self, number: int = 1) -> Request:
        (request,) = self.requests.of(number)
        return request

    def beat(self, now_ns: int) -> list[Output]:
        return self.finish(self.requests.overdue(now_ns) + self.executions.tick(now_ns), now_ns)
