"""The trade socket: orders by request, each accepted or refused (venues.md 5.4). Pure."""

from __future__ import annotations

from typing import Any, Final

from runtime.sim.bybit.orders import Call, Done
from runtime.sim.bybit.sockets import IDLE_NS, Socket
from runtime.sim.bybit.words import Oops, oops
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import dump, millis
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.exchange.rules import uuid

OPS: Final = frozenset({
    "order.create", "order.amend", "order.cancel", "order.create-batch", "order.amend-batch", "order.cancel-batch",
})  # fmt: skip


class TradeConnection(Socket):
    """One socket of orders."""

    idle_ns = IDLE_NS

    def opened(self, now_ns: int) -> None:
        """Nobody is logged in yet."""
        super().opened(now_ns)
        self.is_in = False
        self._used: set[str] = set()

    def refuse(self, request: dict[str, Any] | None, word: str, op: str, now_ns: int) -> None:
        """Failure in this socket's own shape."""
        self.send(self._frame(request or {}, op, Oops(10001, word), now_ns), now_ns)

    def do(self, op: str, request: dict[str, Any], now_ns: int) -> None:
        """auth, ping, and the six."""
        number = request.get("reqId", "")
        if op == "ping":
            at = millis(self.venue.clock(now_ns))
            told = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [at], "connId": self.conn_id}
            self.pong_frame(dump(({"reqId": number} if number else {}) | told), now_ns)
        elif op == "auth":
            self._log_in(request, now_ns)
        elif op not in OPS:
            self.send(self._frame(request, op, Oops(10404, "op type is not found"), now_ns), now_ns)
        elif not isinstance(number, str) or len(number) > 36:
            self.send(self._frame(request, op, Oops(10001, "reqId is longer than 36 characters"), now_ns), now_ns)
        elif number and number in self._used:
            self.send(self._frame(request, op, Oops(20006, "reqId is duplicated"), now_ns), now_ns)
        else:
            self._used.add(number)
            self._order(op, request, now_ns)

    def _log_in(self, request: dict[str, Any], now_ns: int) -> None:
        found: Oops | None = None
        try:
            self.check_login(request, now_ns)
            self.is_in = True
        except Refused as refused:
            found = oops(refused)
        code, word = (0, "OK") if found is None else (found.code, found.message)
        told = {"retCode": code, "retMsg": word, "op": "auth", "connId": self.conn_id}
        self.send(dump(({"reqId": request["reqId"]} if "reqId" in request else {}) | told), now_ns)

    def _order(self, op: str, request: dict[str, Any], now_ns: int) -> None:
        def act(asked: Asked) -> list[str]:
            """The time is looked at where the engine takes it: a late request may be too old there."""
            try:
                done = self._run(op, request, asked)
            except Oops as problem:
                return [self._frame(request, op, problem, asked.now_ns)]
            return [self._frame(request, op, done, asked.now_ns)]

        def refuse(refused: Refused) -> list[str]:
            return [self._frame(request, op, oops(refused, self.venue.METHODS[op]), self.venue.now_ns)]

        self.trade(op, act, refuse, now_ns)

    def _run(self, op: str, request: dict[str, Any], asked: Asked) -> Done:
        header, args = request.get("header"), request.get("args")
        if not self.is_in:
            raise Refused(Refusal.LOGIN)
        if (
            not isinstance(header, dict)
            or not isinstance(args, list)
            or len(args) != 1
            or not isinstance(args[0], dict)
        ):
            raise Oops(10001, "Request parameter error: header or args")
        window = header.get("X-BAPI-RECV-WINDOW")
        self.venue.access.check_time(header.get("X-BAPI-TIMESTAMP"), window, self.venue.clock(asked.now_ns))
        if args[0].get("category") != "spot":
            raise Oops(10404, "category is not correct/supported")
        return self.venue.orders.run(op, Call(args[0], asked))

    def _frame(self, request: dict[str, Any], op: str, found: Done | Oops, now_ns: int) -> str:
        at_ns = self.venue.clock(now_ns)
        header = self.venue.limits.headers(op, now_ns)
        header |= {"Traceid": uuid(f"{self.conn_id}/{now_ns}").replace("-", ""), "Timenow": millis(at_ns)}
        told: dict[str, Any] = {"reqId": request["reqId"]} if "reqId" in request else {}
        if isinstance(found, Oops):
            told |= {"retCode": found.code, "retMsg": found.message, "op": op, "data": {}, "retExtInfo": {}}
        else:
            data = found.result
            if op in {"order.create", "order.amend", "order.cancel"}:
                data = {name: data[name] for name in ("orderId", "orderLinkId")}
            told |= {"retCode": 0, "retMsg": "OK", "op": op, "data": data, "retExtInfo": found.extra}
        return dump(told | {"header": header, "connId": self.conn_id})
