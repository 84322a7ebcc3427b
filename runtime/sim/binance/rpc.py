"""The WebSocket API socket: requests by id, a logon, the account's events (venues.md 3.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance import user
from runtime.sim.binance.access import sorted_text, text_of
from runtime.sim.binance.life import Lived
from runtime.sim.binance.limits import CONNECT, weight_of
from runtime.sim.binance.orders import Call
from runtime.sim.binance.words import Oops, missing, oops
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import MS, dump, load
from runtime.sim.exchange.order import Told
from runtime.sim.exchange.refusal import Refusal, Refused

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

SESSION: Final = frozenset({
    "session.logon", "session.status", "session.logout", "userDataStream.subscribe",
    "userDataStream.subscribe.signature", "userDataStream.unsubscribe", "session.subscriptions",
})  # fmt: skip
GONE: Final = frozenset({"userDataStream.start", "userDataStream.ping", "userDataStream.stop"})
Params = Mapping[str, Any]


class ApiConnection(Lived):
    """One socket of the API. `subscriptions`: ids under which the account's events are told."""

    venue: BinanceVenue

    def opened(self, now_ns: int) -> None:
        """A connection costs, too."""
        super().opened(now_ns)
        self.logged_on = ""  # the key
        self.logged_on_ns = 0
        self.subscriptions: list[int] = []
        self._next_subscription = 0
        self.venue.limits.weight.take(CONNECT, now_ns)

    # --- in ----------------------------------------------------------------------------------------------------------

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """One request; answers may come in any order, each with its request's id."""
        try:
            found = load(text)
        except ValueError:
            self._answer(None, "", Oops(400, -1135, "Invalid JSON Request"), now_ns)
            return
        if not isinstance(found, dict) or not isinstance(found.get("method"), str):
            self._answer(None, "", Oops(400, -1135, "Invalid JSON Request"), now_ns)
            return
        number, method, params = found.get("id"), str(found["method"]), found.get("params", {})
        if not isinstance(params, dict) or not isinstance(number, int | str | None) or isinstance(number, bool):
            self._answer(None, method, Oops(400, -1135, "Invalid JSON Request"), now_ns)
            return
        try:
            self.venue.limits.spend(weight_of(method, params), now_ns)
        except Oops as problem:
            self._answer(number, method, problem, now_ns, params)
            return
        self._ask(number, method, params, now_ns)

    def _ask(self, number: Any, method: str, params: Params, now_ns: int) -> None:
        calls = self.venue.calls
        if method in SESSION:
            if method.startswith("userDataStream") and self.active("no_ack", now_ns):
                return
            found = calls.tried(method, lambda: self._session(method, params, now_ns))
            self._answer(number, method, found, now_ns, params)
        elif method in GONE or not calls.is_known(method):
            self._answer(number, method, Oops(400, -1000, f"Unknown method '{method}'."), now_ns, params)
        elif calls.is_trading(method):
            self._order(number, method, params, now_ns)
        else:
            asked = Asked(method, now_ns, now_ns - self.opened_ns, self.index)
            if method == "ping" and self.active("no_pong", now_ns):
                return
            found = calls.tried(method, lambda: self._read(method, params, asked))
            self._answer(number, method, found, now_ns, params)

    def _read(self, method: str, params: Params, asked: Asked) -> Any:
        if not self.venue.calls.is_public(method):
            self._check(params, asked.now_ns)
            self.venue.calls.permit(method)
        return self.venue.calls.run(method, Call(params, asked))

    def _order(self, number: Any, method: str, params: Params, now_ns: int) -> None:
        def act(asked: Asked) -> list[str]:
            """Signature and time are looked at where the engine takes it: a late one may be too old there."""
            try:
                self._check(params, asked.now_ns)
                self.venue.calls.permit(method)
                result = self.venue.calls.run(method, Call(params, asked))
            except Oops as problem:
                return [self._frame(number, method, problem, asked.now_ns, params)]
            return [self._frame(number, method, result, asked.now_ns, params)]

        def refuse(refused: Refused) -> list[str]:
            return [self._frame(number, method, oops(refused, method), self.venue.now_ns, params)]

        self.trade(method, act, refuse, now_ns)

    def _check(self, params: Params, now_ns: int) -> None:
        """Signature and time of a request; who is logged on needs no signature. Raises Refused, Oops."""
        access, at_ns = self.venue.access, self.venue.clock(now_ns)
        if "signature" in params or not self.logged_on:
            if not params.get("apiKey"):
                raise missing("apiKey")
            if not params.get("signature"):
                raise missing("signature")
            access.check_signature(str(params["apiKey"]), sorted_text(params), text_of(params["signature"]))
        access.check_time(params, at_ns)

    # --- the session -------------------------------------------------------------------------------------------------

    def _session(self, method: str, params: Params, now_ns: int) -> Any:
        match method:
            case "session.logon":
                return self._logon(params, now_ns)
            case "session.logout":
                self.logged_on = ""
                return self._status(now_ns)
            case "session.status":
                return self._status(now_ns)
            case "userDataStream.subscribe":
                if not self.logged_on:
                    raise Refused(Refusal.LOGIN)
                return self._subscribe()
            case "userDataStream.subscribe.signature":
                if self.fires("login_refused", now_ns, method):
                    raise Refused(Refusal.SIGN)
                self._check({**params, "signature": params.get("signature", "")}, now_ns)
                return self._subscribe()
            case "session.subscriptions":
                return [{"subscriptionId": number} for number in self.subscriptions]
        wanted = params.get("subscriptionId")
        self.subscriptions = [] if wanted is None else [one for one in self.subscriptions if one != wanted]
        return {}

    def _logon(self, params: Params, now_ns: int) -> dict[str, Any]:
        """Ed25519 keys alone."""
        key = str(params.get("apiKey") or "")
        if self.fires("login_refused", now_ns, "session.logon"):
            raise Refused(Refusal.SIGN)
        if key == self.venue.access.key:
            raise Oops(400, -4056, "HMAC_SHA256 API key is not supported.")
        self._check({**params, "signature": params.get("signature", "")}, now_ns)
        self.logged_on, self.logged_on_ns = key, now_ns
        return self._status(now_ns)

    def _status(self, now_ns: int) -> dict[str, Any]:
        key = self.logged_on or None
        return {
            "apiKey": key, "authorizedSince": self.logged_on_ns // MS if key else None,
            "connectedSince": self.opened_ns // MS, "returnRateLimits": True,
            "serverTime": self.venue.clock(now_ns) // MS, "userDataStream": bool(self.subscriptions),
        }  # fmt: skip

    def _subscribe(self) -> dict[str, int]:
        self.venue.access.check_permission("reading")
        number = self._next_subscription
        self._next_subscription += 1
        self.subscriptions.append(number)
        return {"subscriptionId": number}

    # --- out ---------------------------------------------------------------------------------------------------------

    def _answer(self, number: Any, method: str, found: Any, now_ns: int, params: Params | None = None) -> None:
        frame = self._frame(number, method, found, now_ns, params or {})
        if method == "ping":
            self.pong_frame(frame, now_ns)
        else:
            self.send(frame, now_ns)

    def _frame(self, number: Any, method: str, found: Any, now_ns: int, params: Params) -> str:
        told: dict[str, Any] = {"id": number}
        told |= {"status": found.status, "error": found.body} if isinstance(found, Oops) else {
            "status": 200, "result": found,
        }  # fmt: skip
        if params.get("returnRateLimits", True) is not False:
            is_order = method in {"order.place", "order.cancelReplace"}
            told["rateLimits"] = self.venue.limits.counts(now_ns, orders=is_order)
        return dump(told)

    def shutdown_frame(self, now_ns: int) -> str:
        """Wrapped as an event of the account."""
        return dump({"event": {"e": "serverShutdown", "E": self.venue.clock(now_ns) // MS}})

    def told_frames(self, told: Told, now_ns: int) -> list[str]:
        """An executionReport for each subscription."""
        if not self.subscriptions:
            return []
        event = user.execution_report(self.venue, told, now_ns)
        return [dump({"subscriptionId": number, "event": event}) for number in self.subscriptions]

    def balance_frames(self, assets: frozenset[str], now_ns: int) -> list[str]:
        """What is free and locked now."""
        if not self.subscriptions:
            return []
        event = user.position(self.venue, assets, now_ns)
        return [dump({"subscriptionId": number, "event": event}) for number in self.subscriptions]
