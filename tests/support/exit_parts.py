"""What `exit_world.py` is made of: a session that says what it is told, hostile actions, venues far away, and a reading
of outgoing bytes that shares no code with the tap or the encoder.
"""

import json
from decimal import Decimal
from random import Random
from typing import Any

import msgspec

from connectors.events import BookSnapshot, ExecReport, ExecType
from connectors.orders import Action, AmendOrder, Approved, CancelAll, CancelOrder, NewOrder, OrderType
from connectors.session import PUBLIC, Output, Send, SessionPlan
from connectors.venues.kraken import VENUE
from risk.limits import Limits
from runtime.abi import ActionKind

MS = 10**6
START_NS = 1_785_000_000 * 10**9
I64, U64 = 2**63 - 1, 2**64 - 1
SYMBOLS = ("BTC/USD", "ETH/USD")
MIDS = {"BTC/USD": 62_800 * 10**9, "ETH/USD": 1_797 * 10**9}
TICKS = {"BTC/USD": 10**8, "ETH/USD": 10**7}
WIDE = Limits(
    max_position_1e8=10**15, max_order_notional_1e9=10**17, max_order_rate=10**6, price_collar_bps=3000,
    max_daily_loss_1e9=10**17,
)  # fmt: skip
SUBSCRIBE = b'{"method":"subscribe","params":{"channel":"book","symbol":["BTC/USD"],"depth":10},"req_id":1}'
HARMLESS = {"subscribe", "unsubscribe", "ping"}
WORDS = {
    (0, "limit", "gtc", False), (1, "market", None, False), (2, "limit", "ioc", False), (3, "limit", "fok", False),
    (4, "limit", "gtc", True),
}  # fmt: skip


class Told:
    """`MarketSession`: what a frame tells it, it tells; it subscribes when its link comes up, pings when it ticks."""

    def __init__(self, plan: SessionPlan) -> None:
        del plan

    def open(self, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        return [Send(PUBLIC, SUBSCRIBE)]

    def close(self, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        return []

    def receive(self, frame: bytes, now_ns: int, _link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        said = msgspec.json.decode(frame)
        if "book" in said:
            index, bids, asks = said["book"]
            return [BookSnapshot(index, [(px, sz) for px, sz in bids], [(px, sz) for px, sz in asks], None, 10, "")]
        return [msgspec.convert(report, ExecReport) for report in said["reports"]]

    def tick(self, now_ns: int) -> list[Output]:
        del now_ns
        return [Send(PUBLIC, b'{"method":"ping","req_id":2}')]

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        del instrument, reason, now_ns
        return []


FIRST = msgspec.structs.replace(VENUE, market=Told, checksum=None, trading=None)
SECOND = msgspec.structs.replace(FIRST, name="other", venue_id=2)


def hostile_action(rng: Random, mids: dict[int, int], known: list[tuple[int, int]]) -> Action:
    """Mostly one that may pass; any field may be nonsense, ids come again and again.

    `known`: id and symbol of orders that are open, which most amends and cancels are about.
    """
    if rng.random() < 0.04:
        low, high = rng.choice([(0, U64), (0, 3)])
        order_id, px = rng.randint(low, high), rng.randint(low, high)
        qty, side = rng.randint(-min(high, I64) - 1, min(high, I64)), rng.randint(-128, 127)
        kind, order_type, venue, pool, symbol = (rng.randint(0, 255) for _ in range(5))
        return (order_id, px, qty, side, kind, order_type, venue, pool, symbol, 0)
    kind = rng.choices((0, 1, 2, 3, 9), (50, 30, 12, 6, 2))[0]
    order_id, symbol = rng.randint(1, 60), rng.choice((0, 0, 0, 1))
    if kind in (1, 2) and known and rng.random() < 0.7:
        order_id, symbol = rng.choice(known)
    side = rng.choice((1, -1))
    order_type = rng.choice((0, 0, 0, *OrderType)) if kind != ActionKind.INTENT else rng.choice((0, 1, 9))
    tick = TICKS[SYMBOLS[symbol]]
    away = rng.choice((-40, -5, -1, 1, 2, 30)) if rng.random() < 0.4 else -rng.randint(2, 400)
    price = mids[symbol] // tick * tick + side * away * tick
    if rng.random() < 0.05:
        price = rng.choice((0, 1, U64, price + 1, price * 2))
    qty = rng.choice((10**4, 10**5, 3 * 10**6)) if rng.random() < 0.95 else rng.choice((0, -1, 1, 2**62, I64, -I64 - 1))
    venue, pool = rng.choice((0, 0, 0, 1, 2, 12, 77)), rng.choice((0,) * 9 + (1, 2, 3))
    return (order_id, price, qty, side, kind, int(order_type), venue, pool, symbol, rng.choice((0, 50)))


class FarVenue:
    """A venue at the end of a wire: reads what it gets and answers as it likes, late, in part or not at all."""

    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.leaves: dict[str, int] = {}
        self.answers: list[ExecReport] = []
        self.executions = 0

    def take(self, approved: Approved[Any]) -> None:
        order, rng = approved.order, self.rng
        if isinstance(order, CancelAll):
            for name in list(self.leaves):
                self._end(name)
            return
        name = order.client_order_id
        if isinstance(order, NewOrder):
            kind = ExecType.NEW if rng.random() < 0.9 else ExecType.REJECTED
            self.answers.append(ExecReport(client_order_id=name, exec_type=kind, instrument=order.instrument))
            if kind is ExecType.NEW:
                self.leaves[name] = order.qty_1e8
                if rng.random() < 0.4:
                    self._fill(name, order)
                if rng.random() < 0.5:
                    self._end(name)
        elif isinstance(order, AmendOrder):
            is_open = name in self.leaves
            kind = ExecType.REPLACED if is_open else ExecType.REPLACE_REJECTED
            self.answers.append(
                ExecReport(
                    client_order_id=name, exec_type=kind, instrument=order.instrument, px_1e9=order.px_1e9 * is_open,
                    qty_1e8=order.qty_1e8 * is_open,
                )
            )  # fmt: skip
        elif name in self.leaves:
            self._end(name)
        else:
            report = ExecReport(client_order_id=name, exec_type=ExecType.CANCEL_REJECTED, instrument=order.instrument)
            self.answers.append(report)

    def _fill(self, name: str, order: NewOrder) -> None:
        qty = self.rng.choice((self.leaves[name], self.leaves[name] // 2 + 1))
        self.executions += 1
        self.leaves[name] -= qty
        self.answers.append(
            ExecReport(
                client_order_id=name, exec_type=ExecType.TRADE, instrument=order.instrument, last_qty_1e8=qty,
                exec_id=f"E{self.executions}", last_px_1e9=order.px_1e9 or 10**9,
                cum_qty_1e8=order.qty_1e8 - self.leaves[name], leaves_qty_1e8=self.leaves[name],
            )
        )  # fmt: skip

    def _end(self, name: str) -> None:
        del self.leaves[name]
        self.answers.append(ExecReport(client_order_id=name, exec_type=ExecType.CANCELED, instrument=0))

    def reports(self) -> list[ExecReport]:
        """Some of the answers, the earlier first."""
        count = self.rng.randint(0, len(self.answers))
        out, self.answers = self.answers[:count], self.answers[count:]
        return out


# --- the watcher's own reading ----------------------------------------------------------------------------------------


def says(data: bytes) -> tuple[Any, ...]:
    """What bytes that left ask for; a name twice in an object fails."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs), data
        return dict(pairs)

    message = json.loads(data, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=once)
    method, params = message["method"], dict(message.get("params", {}))
    params.pop("token", None)
    params.pop("deadline", None)
    assert params.pop("stp_type", "cancel_newest") == "cancel_newest", data
    if method == "add_order":
        terms = params.pop("order_type"), params.pop("time_in_force", None), params.pop("post_only", False)
        (word,) = [word for word in WORDS if word[1:] == terms]
        found = [params.pop(name, None) for name in ("cl_ord_id", "symbol", "side", "limit_price", "order_qty")]
        assert not params, data
        return ("new", *found, word[0])
    if method == "amend_order":
        return ("amend", params["cl_ord_id"], params["limit_price"], params["order_qty"])
    if method == "cancel_order":
        return ("cancel", *params["cl_ord_id"])
    return (method,)


def means(approved: Approved[Any], symbol: str) -> tuple[Any, ...]:
    """What an approval says, in the same words."""
    order = approved.order
    if isinstance(order, CancelAll):
        return ("cancel_all",)
    if isinstance(order, CancelOrder):
        return ("cancel", order.client_order_id)
    price, size = Decimal(order.px_1e9).scaleb(-9), Decimal(order.qty_1e8).scaleb(-8)
    if isinstance(order, AmendOrder):
        return ("amend", order.client_order_id, price, size)
    side = "buy" if order.side > 0 else "sell"
    limit = None if order.order_type == OrderType.MARKET else price
    return ("new", order.client_order_id, symbol, side, limit, size, order.order_type)
