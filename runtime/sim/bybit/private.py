"""The private socket: orders, executions, wallet (venues.md 5.3, 5.4). Pure. No snapshot of anything."""

from __future__ import annotations

from typing import Any, Final

from runtime.sim.bybit import rows
from runtime.sim.bybit.sockets import IDLE_NS, Socket
from runtime.sim.bybit.words import oops
from runtime.sim.exchange.numbers import MS, dump, millis
from runtime.sim.exchange.order import Told
from runtime.sim.exchange.refusal import Refused
from runtime.sim.exchange.rules import uuid

ORDERS: Final = frozenset({"order", "order.spot"})
EXECUTIONS: Final = frozenset({"execution", "execution.spot"})
FAST: Final = frozenset({"execution.fast", "execution.fast.spot"})
TOPICS: Final = ORDERS | EXECUTIONS | FAST | {"wallet", "dcp.spot"}
CATEGORIZED: Final = frozenset({"order.spot", "execution.spot", "execution.fast.spot"})
ALL_IN_ONE: Final = frozenset({"order", "execution", "execution.fast"})


class PrivateConnection(Socket):
    """One socket of the account."""

    idle_ns = IDLE_NS

    def opened(self, now_ns: int) -> None:
        """Nobody is logged in yet."""
        super().opened(now_ns)
        self.is_in = False
        self.topics: dict[str, None] = {}
        self._messages = 0

    def do(self, op: str, request: dict[str, Any], now_ns: int) -> None:
        """auth, subscribe, unsubscribe, ping."""
        args = request.get("args", [])
        if op == "ping":
            at = millis(self.venue.clock(now_ns))
            self.pong_frame(dump(self.echo(request) | {"op": "pong", "args": [at], "conn_id": self.conn_id}), now_ns)
        elif op == "auth":
            self._log_in(request, now_ns)
        elif op not in {"subscribe", "unsubscribe"}:
            self.refuse(request, f"error:unknown op {op}", op, now_ns)
        elif not self.is_in:
            self.refuse(request, "Request not authorized", op, now_ns)
        elif not isinstance(args, list) or not args or not set(map(str, args)) <= TOPICS:
            self.refuse(request, f"error:handler not found,topic:{args}", op, now_ns)
        elif op == "unsubscribe":
            for topic in args:
                self.topics.pop(topic, None)
            self.agree(request, "", op, now_ns)
        elif set(args) & CATEGORIZED and set(args) & ALL_IN_ONE:
            self.refuse(request, "All-in-one and categorised topics cannot be subscribed together", op, now_ns)
        elif not self.active("no_ack", now_ns):
            self.topics |= dict.fromkeys(args)
            self.agree(request, "", op, now_ns)

    def _log_in(self, request: dict[str, Any], now_ns: int) -> None:
        try:
            self.check_login(request, now_ns)
        except Refused as refused:
            self.refuse(request, oops(refused).message, "auth", now_ns)
            return
        self.is_in = True
        self.agree(request, "", "auth", now_ns)

    # --- news --------------------------------------------------------------------------------------------------------

    def _message(self, topic: str, data: list[dict[str, Any]], now_ns: int) -> str:
        self._messages += 1
        message_id = uuid(f"{self.conn_id}/{self._messages}")
        at = self.venue.clock(now_ns) // MS
        return dump({"id": message_id, "topic": topic, "creationTime": at, "data": data})

    def told_frames(self, told: Told, now_ns: int) -> list[str]:
        """A fill as an execution, then the order as it stands."""
        frames, rules = [], self.venue.engine.rules
        if told.fill is not None:
            row = rows.execution_row(told.fill, told.order, rules.maker_ppm if told.fill.maker else rules.taker_ppm)
            frames += [self._message(topic, [row], now_ns) for topic in self.topics if topic in EXECUTIONS]
            fast = {name: row[name] for name in ("category", "symbol", "execId", "execPrice", "execQty", "orderId",
                                                 "isMaker", "orderLinkId", "side", "execTime", "seq")}  # fmt: skip
            frames += [self._message(topic, [fast], now_ns) for topic in self.topics if topic in FAST]
        orders = [topic for topic in self.topics if topic in ORDERS]
        row = rows.order_row(told.order)
        frames += [self._message(topic, [row], now_ns) for topic in orders]
        if orders and told.order.status == "filled" and self.fires("double_filled", now_ns):
            again = row | {"cancelType": "CancelByUser", "rejectReason": "EC_OrigClOrdIDDoesNotExist"}
            frames += [self._message(topic, [again], now_ns) for topic in orders]
        return frames

    def balance_frames(self, assets: frozenset[str], now_ns: int) -> list[str]:
        """The coins that changed."""
        if "wallet" not in self.topics:
            return []
        return [self._message("wallet", [rows.wallet(self.venue, assets)], now_ns)]
