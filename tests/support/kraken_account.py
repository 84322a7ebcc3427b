"""Kraken's private side by hand: frames and answers as its documentation writes them, and one session on a desk.

Nothing here comes from the connector's own wire definitions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from connectors.events import Doubt, ExecReport, Movement, Notice, Picture, Ready
from connectors.instrument import Instrument
from connectors.orders import AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import PRIVATE, REST, Output, Send, TradingPlan
from connectors.venues.kraken import VENUE
from tests.support.kraken_frames import HEARTBEAT, SECOND, STAMP, T0, of, sent, status

BTC = Instrument.parse("kraken", "BTC/USD:1:8")
ETH = Instrument.parse("kraken", "ETH/USD:2:8")
PERMISSIONS = ("query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "create-ws-token")
PX = 62_807 * 10**9
QTY = 1_250_000


class Number(float):
    """A JSON number with its own text, for json.dumps."""

    def __new__(cls, text: str) -> Number:
        made = super().__new__(cls, text)
        made.text = text
        return made

    text: str

    def __repr__(self) -> str:
        return self.text


def n(text: str) -> Number:
    return Number(text)


def execution(exec_type: str, order_id: str = "O1", **fields: Any) -> dict[str, Any]:
    return {"timestamp": STAMP, "order_id": order_id, "exec_type": exec_type, "order_userref": 0, **fields}


def pending(name: str, order_id: str = "O1", **fields: Any) -> dict[str, Any]:
    """The one message that names an order by both of its names."""
    return execution(
        "pending_new", order_id, cl_ord_id=name, symbol="BTC/USD", side="buy", order_type="limit",
        order_qty=n("0.01250000"), limit_price=n("62807.0"), order_status="pending_new", cum_cost=0, **fields,
    )  # fmt: skip


def traded(qty: str, cum: str, order_id: str = "O1", exec_id: str = "T1", **fields: Any) -> dict[str, Any]:
    return execution(
        "trade", order_id,
        **{"exec_id": exec_id, "trade_id": 7, "symbol": "BTC/USD", "side": "buy", "last_qty": n(qty),
           "last_price": n("62800.5"), "liquidity_ind": "m", "cost": n("314.0025"), "order_status": "partially_filled",
           "cum_qty": n(cum), "fees": [{"asset": "USD", "qty": n("0.78501")}], **fields},
    )  # fmt: skip


def encode(message: Any) -> bytes:
    """As Kraken writes it: numbers keep their text (json.dumps prints a float by its repr)."""
    return _dumps(message).encode()


def _dumps(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(key)}:{_dumps(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_dumps, value)) + "]"
    return json.dumps(value)


def answer(method: str, req_id: int, result: Any = None, error: str = "") -> bytes:
    said = {"error": error, "success": False} if error else {"result": result or {}, "success": True}
    return encode({"method": method, "req_id": req_id, **said, "time_in": STAMP, "time_out": STAMP})


def asked(outputs: Iterable[Output]) -> list[tuple[str, str, str]]:
    """(id, method, form) of every REST request."""
    found = []
    for send in of(Send, outputs):
        if send.link == REST:
            head, _, form = send.data.decode().partition("\n")
            number, _, path = head.partition(" ")
            assert path.startswith("/0/private/")
            found.append((number, path.removeprefix("/0/private/"), form))
    return found


def said(outputs: Iterable[Output], method: str = "") -> list[dict[str, Any]]:
    """Every message on the private link, or those of one method."""
    sends = [send for send in of(Send, outputs) if send.link == PRIVATE]
    return [message for message in sent(sends) if message["method"] == (method or message["method"])]


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
    """A trading session, a clock that only this object moves, and a Kraken that answers what it is told to.

    `book`: what each REST question is answered with; a method that is not in it gets no answer.
    """

    def __init__(self, **options: str) -> None:
        trading = VENUE.trading
        assert trading is not None
        plan = TradingPlan(((0, "BTC/USD"), (1, "ETH/USD")), [BTC, ETH], "vg-", options)
        self.session = trading.session(plan)
        self.now_ns = T0
        self.why: str | None = None
        self.approvals = 40
        self.sequence = {"executions": 0, "balances": 0}
        self.out: list[Output] = []
        self.book: dict[str, Any] = {
            "GetApiKeyInfo": {"permissions": list(PERMISSIONS)},
            "GetWebSocketsToken": {"token": "{secret:ws_token}", "expires": 900},
            "OpenOrders": {"open": {}},
            "ClosedOrders": {"closed": {}, "count": 0},
            "TradesHistory": {"trades": {}, "count": 0},
            "BalanceEx": {},
        }
        self.is_arming = True

    # --- hands -------------------------------------------------------------------------------------------------------

    def took(self, outputs: list[Output]) -> list[Output]:
        """What the engine does about some of them: where there is doubt, it looks."""
        if of(Doubt, outputs):
            outputs = [*outputs, *self.session.look(T0, self.now_ns)]
        for ready in of(Ready, outputs):
            self.why = ready.why
        self.out += outputs
        return outputs

    def hear(self, *frames: bytes) -> list[Output]:
        return [out for frame in frames for out in self.took(self.session.receive(frame, self.now_ns, PRIVATE))]

    def reply(self, number: str, result: Any = None, error: str = "", status_code: int = 200) -> list[Output]:
        body = encode({"error": [error]} if error else {"error": [], "result": {} if result is None else result})
        return self.took(self.session.receive(b"%s %d\n%s" % (number.encode(), status_code, body), self.now_ns, REST))

    def silent(self, number: str, words: str = "connection reset") -> list[Output]:
        return self.took(self.session.receive(f"{number} 0\n{words}".encode(), self.now_ns, REST))

    def serve(self, outputs: list[Output]) -> list[Output]:
        """Answers every REST question from the book, and those that this leads to; what it led to."""
        out: list[Output] = []
        todo = asked(outputs)
        while todo:
            number, method, _ = todo.pop(0)
            if method in self.book:
                more = self.reply(number, self.book[method])
                out += more
                todo += asked(more)
        return out

    def wait(self, seconds: float, *, heartbeats: bool = True, serving: bool = True) -> list[Output]:
        """Half-second ticks, as the runtime gives them; the switch is acknowledged, REST answers from the book."""
        out: list[Output] = []
        for _ in range(round(seconds * 2)):
            self.now_ns += SECOND // 2
            new = self.hear(HEARTBEAT) if heartbeats else []
            new += self.took(self.session.tick(self.now_ns))
            out += new + self.arm(new)
            if serving:
                out += self.serve(new)
        return out

    def arm(self, outputs: list[Output]) -> list[Output]:
        """Yes to every arming of the switch."""
        if not self.is_arming:
            return []
        requests = said(outputs, "cancel_all_orders_after")
        return [out for request in requests for out in self.hear(self.yes(request))]

    @staticmethod
    def yes(request: dict[str, Any], **result: Any) -> bytes:
        params = request.get("params", {})
        known = {"channel": params["channel"]} if "channel" in params else {}
        return answer(request["method"], request["req_id"], {**known, **result})

    def executions(self, *items: dict[str, Any], kind: str = "update", skip: int = 0) -> list[Output]:
        return self.channel("executions", items, kind, skip)

    def balances(self, *items: dict[str, Any], kind: str = "update", skip: int = 0) -> list[Output]:
        return self.channel("balances", items, kind, skip)

    def channel(self, name: str, items: Iterable[dict[str, Any]], kind: str, skip: int) -> list[Output]:
        self.sequence[name] += 1 + skip
        message = {"channel": name, "type": kind, "data": list(items), "sequence": self.sequence[name]}
        return self.hear(encode(message))

    # --- stages ------------------------------------------------------------------------------------------------------

    def start(self) -> list[Output]:
        return self.took(self.session.start(self.now_ns))

    def opened(self) -> list[Output]:
        """The link is up, the token is there; returns the two subscribes."""
        opening = self.took(self.session.open(self.now_ns, PRIVATE))
        self.hear(status("online"))
        return self.serve(opening)

    def subscribe(self, outputs: list[Output], **result: Any) -> list[Output]:
        out: list[Output] = []
        for request in said(outputs, "subscribe"):
            channel = request["params"]["channel"]
            self.sequence[channel] = 0
            out += self.hear(self.yes(request, **(result if channel == "executions" else {})))
            out += self.channel(channel, [], "snapshot", 0)
        return out

    def ready(self) -> Desk:
        """Everything said yes to, the first look done: orders may leave."""
        self.serve(self.start())
        live = self.subscribe(self.opened(), maxratecount=180)
        self.arm(live)
        self.serve(live)
        assert self.why == "", self.why
        return self

    # --- orders ------------------------------------------------------------------------------------------------------

    def approve(self, order: Any) -> Approved[Any]:
        """As the gate would; tests of a session need no gate."""
        self.approvals += 1
        return Approved(order, approval=self.approvals, now_ns=self.now_ns, checks=31)

    def new(self, name: str = "vg-1", **changes: Any) -> list[Output]:
        return self.took(self.session.submit(self.approve(order(name, **changes)), self.now_ns))

    def amend(self, name: str = "vg-1", px: int = PX, qty: int = QTY) -> list[Output]:
        approved = self.approve(AmendOrder(name, 0, 0, 7, 1, px, qty, "a"))
        return self.took(self.session.amend(approved, self.now_ns))

    def cancel(self, name: str = "vg-1") -> list[Output]:
        return self.took(self.session.cancel(self.approve(CancelOrder(name, 0, 0, 7, "c")), self.now_ns))

    def cancel_all(self) -> list[Output]:
        return self.took(self.session.cancel_all(self.approve(CancelAll("kraken", "k")), self.now_ns))

    def live(self, name: str = "vg-1", order_id: str = "O1") -> Desk:
        """An order that Kraken has taken."""
        self.new(name)
        self.hear(answer("add_order", self.approvals, {"order_id": order_id, "cl_ord_id": name}))
        return self

    def look(self, since_ns: int | None = None) -> list[Output]:
        return self.took(self.session.look(self.now_ns if since_ns is None else since_ns, self.now_ns))


def order(name: str = "vg-1", **changes: Any) -> NewOrder:
    fields = {"client_order_id": name, "algo": 0, "instrument": 0, "order_id": 7, "side": 1, "px_1e9": PX,
              "qty_1e8": QTY, "order_type": int(OrderType.LIMIT), **changes}  # fmt: skip
    return NewOrder(**fields)


def picture(outputs: Iterable[Output]) -> Picture:
    (found,) = of(Picture, outputs)
    return found
