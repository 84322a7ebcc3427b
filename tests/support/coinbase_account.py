"""One trading session at Coinbase and a venue that says what a test writes: private messages, answers over REST.

Written from Coinbase's documentation (venues.md §2.4); no code of the connector's is used but the session itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import parse_qs

from connectors.events import ExecReport, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan
from connectors.venues.coinbase.trading import CoinbaseTrading
from tests.support.coinbase_frames import SECOND, T0, frame, heartbeat

BASE = "/api/v3/brokerage"
NAME = "vg1a2b3c-1"
THEIRS = "11111111-0000-0000-0000-000000000000"
PX, QTY = 60_000 * 10**9, 100_000  # 0.001 at 60,000
BTC = Instrument("coinbase", "BTC/USD", 2, 8, 10**7, 1, venue_symbol="BTC-USD")
ALLOWED = {"can_view": True, "can_trade": True, "can_transfer": False, "portfolio_uuid": "x"}
T = TypeVar("T")


def order(name: str = NAME, **changes: Any) -> NewOrder:
    fields = {"client_order_id": name, "algo": 0, "instrument": 0, "order_id": 7, "side": 1, "px_1e9": PX,
              "qty_1e8": QTY, "order_type": OrderType.LIMIT, **changes}  # fmt: skip
    return NewOrder(**fields)


def told(status: str = "OPEN", cum: str = "0", left: str = "0.001", **changes: str) -> dict[str, str]:
    """An order as the user channel has it: every value a text."""
    return {
        "order_id": THEIRS, "client_order_id": NAME, "product_id": "BTC-USD", "status": status,
        "cumulative_quantity": cum, "leaves_quantity": left, "avg_price": "0", "total_fees": "0", "filled_value": "0",
        "number_of_fills": "0", "order_side": "BUY", "order_type": "Limit", "limit_price": "60000.00",
        "post_only": "false", "time_in_force": "GOOD_UNTIL_CANCELLED", "cancel_reason": "", "reject_reason": "",
        "creation_time": "2026-04-07T14:29:55.123456Z", **changes,
    }  # fmt: skip


def fill(number: int, size: str, **changes: Any) -> dict[str, Any]:
    return {
        "entry_id": f"entry-{number}", "trade_id": f"trade-{number}", "order_id": THEIRS, "trade_type": "FILL",
        "trade_time": f"2026-04-07T14:30:{number:02d}Z", "price": "60000.00", "size": size, "commission": "0.15",
        "product_id": "BTC-USD", "sequence_timestamp": f"2026-04-07T14:30:{number:02d}.5Z", "side": "BUY",
        "liquidity_indicator": "MAKER", "size_in_quote": False, **changes,
    }  # fmt: skip


def listed(status: str = "OPEN", filled: str = "0", **changes: Any) -> dict[str, Any]:
    """An order as the lists have it."""
    return {
        "order_id": THEIRS, "product_id": "BTC-USD", "side": "BUY", "client_order_id": NAME, "status": status,
        "order_configuration": {
            "limit_limit_gtc": {"base_size": "0.001", "limit_price": "60000.00", "post_only": False}
        },
        "created_time": "2026-04-07T14:29:55.123456Z", "filled_size": filled, "reject_message": "",
        "cancel_message": "", "last_fill_time": None, "edit_history": [], "last_update_time": "", **changes,
    }  # fmt: skip


def wallet(currency: str, free: str, held: str = "0") -> dict[str, Any]:
    return {"uuid": currency, "currency": currency, "available_balance": {"value": free, "currency": currency},
            "hold": {"value": held, "currency": currency}}  # fmt: skip


def of(kind: type[T], outputs: Iterable[Output]) -> list[T]:
    return [one for one in outputs if isinstance(one, kind)]


class Asked:
    """One request over REST."""

    def __init__(self, send: Send) -> None:
        head, _, self.body = send.data.decode().partition("\n")
        self.number, self.method, path, *self.skew = head.split(" ")
        self.name = path.removeprefix(f"{BASE}/")
        self.query = parse_qs(self.body) if self.method == "GET" else {}
        self.approval = send.approval

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Desk:
    """The session, its time, and what it asked that nobody answered yet."""

    def __init__(self, **options: Any) -> None:
        symbols = ((0, "BTC/USD"),)
        self.session = CoinbaseTrading(TradingPlan(symbols, [BTC], "vg", options))
        self.now_ns = T0
        self.number = self.approvals = 0
        self.why: str | None = None
        self.asked: list[Asked] = []
        self.reports: list[ExecReport] = []

    def took(self, outputs: list[Output]) -> list[Output]:
        for one in outputs:
            if isinstance(one, Ready):
                self.why = one.why
            elif isinstance(one, ExecReport):
                self.reports.append(one)
            elif isinstance(one, Send) and one.link == REST:
                self.asked.append(Asked(one))
        return outputs

    # --- REST --------------------------------------------------------------------------------------------------------

    def find(self, name: str) -> Asked:
        """The oldest unanswered request of this path."""
        found = next((one for one in self.asked if one.name == name), None)
        assert found is not None, f"no {name} among {[one.name for one in self.asked]}"
        return found

    def answer(self, name: str, body: Any = None, status: int = 200) -> list[Output]:
        """`body`: made JSON, unless it is bytes."""
        asked = self.find(name)
        self.asked.remove(asked)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.took(self.session.receive(b"%s %d\n%s" % (asked.number.encode(), status, data), self.now_ns, REST))

    def orders(self, *orders: dict[str, Any], **more: Any) -> list[Output]:
        page = {"orders": orders, "has_next": False, "cursor": "", **more}
        return self.answer("orders/historical/batch", page)

    def fills(self, *fills: dict[str, Any], cursor: str = "") -> list[Output]:
        return self.answer("orders/historical/fills", {"fills": fills, "cursor": cursor})

    def accounts(self, *wallets: dict[str, Any], **more: Any) -> list[Output]:
        return self.answer("accounts", {"accounts": wallets, "has_next": False, "cursor": "", **more})

    def created(self, venue_id: str = THEIRS, name: str = NAME) -> list[Output]:
        response = {"order_id": venue_id, "product_id": "BTC-USD", "side": "BUY", "client_order_id": name}
        return self.answer("orders", {"success": True, "success_response": response, "order_configuration": {}})

    # --- the socket --------------------------------------------------------------------------------------------------

    def hear(self, data: bytes) -> list[Output]:
        return self.took(self.session.receive(data, self.now_ns, PRIVATE))

    def next(self) -> int:
        self.number += 1
        return self.number - 1

    def user(self, *orders: dict[str, str], kind: str = "update") -> list[Output]:
        return self.hear(frame("user", self.next(), {"type": kind, "orders": list(orders)}))

    def opened(self) -> list[Output]:
        self.number = 0
        return self.took(self.session.open(self.now_ns, PRIVATE))

    def subscribed(self) -> list[Output]:
        return self.hear(frame("subscriptions", self.next(), {"subscriptions": {"heartbeats": [], "user": []}}))

    def beat(self) -> list[Output]:
        return self.hear(heartbeat(self.next()))

    def wait(self, seconds: float, *, beats: bool = True) -> list[Output]:
        """Ticks every half second, and a heartbeat with each."""
        out: list[Output] = []
        for _ in range(round(2 * seconds)):
            self.now_ns += SECOND // 2
            out += self.beat() if beats else []
            out += self.took(self.session.tick(self.now_ns))
        return out

    # --- a day -------------------------------------------------------------------------------------------------------

    def start(self) -> list[Output]:
        """Started, the time and the key known."""
        self.took(self.session.start(self.now_ns))
        self.answer("time", {"iso": "", "epochSeconds": "", "epochMillis": str(self.now_ns // 10**6)})
        return self.answer("key_permissions", ALLOWED)

    def ready(self) -> Desk:
        """Everything there: orders may leave."""
        self.start()
        self.opened()
        self.subscribed()
        self.user(kind="snapshot")
        assert self.why == "", self.why
        return self

    def approve(self, what: Any) -> Approved[Any]:
        self.approvals += 1
        return Approved(what, self.approvals, self.now_ns, 31)

    def new(self, name: str = NAME, **changes: Any) -> list[Output]:
        return self.took(self.session.submit(self.approve(order(name, **changes)), self.now_ns))

    def amend(self, px: int = PX, qty: int = QTY, name: str = NAME) -> list[Output]:
        return self.took(self.session.amend(self.approve(AmendOrder(name, 0, 0, 7, 1, px, qty, "a")), self.now_ns))

    def cancel(self, name: str = NAME) -> list[Output]:
        return self.took(self.session.cancel(self.approve(CancelOrder(name, 0, 0, 7, "c")), self.now_ns))

    def placed(self) -> Desk:
        """One order lives."""
        self.new()
        self.created()
        self.user(told("PENDING"), told())
        return self

    def look(self, since_ns: int = 0) -> list[Output]:
        return self.took(self.session.look(since_ns, self.now_ns))

    def lists(self, orders: Sequence[dict[str, Any]] = (), recent: Sequence[dict[str, Any]] = ()) -> None:
        """Answers everything that a look asks of orders: `orders` live, `recent` changed of late."""
        while not self.find("orders/historical/batch").query.get("sort_by"):
            state = self.find("orders/historical/batch").query["order_status"]
            self.orders(*(one for one in orders if one["status"] in state))
            self.wait(0.5)
        self.orders(*recent)
        self.wait(0.5)

    def types(self) -> list[str]:
        return [str(one.exec_type) for one in self.reports]
