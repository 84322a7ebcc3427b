"""REST: paths, signatures, headers (venues.md 3.3, 3.4). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance.limits import weight_of
from runtime.sim.binance.orders import Call
from runtime.sim.binance.words import Oops, missing, oops
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import parse_form
from runtime.sim.exchange.refusal import Refusal, Refused

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

ROUTES: Final[Mapping[tuple[str, str], str]] = {
    ("GET", "ping"): "ping", ("GET", "time"): "time", ("GET", "exchangeInfo"): "exchangeInfo",
    ("GET", "depth"): "depth", ("GET", "trades"): "trades.recent", ("GET", "klines"): "klines",
    ("GET", "avgPrice"): "avgPrice", ("GET", "ticker/24hr"): "ticker.24hr", ("GET", "ticker/price"): "ticker.price",
    ("GET", "ticker/bookTicker"): "ticker.book", ("POST", "order"): "order.place", ("POST", "order/test"): "order.test",
    ("GET", "order"): "order.status", ("DELETE", "order"): "order.cancel",
    ("POST", "order/cancelReplace"): "order.cancelReplace",
    ("PUT", "order/amend/keepPriority"): "order.amend.keepPriority", ("GET", "openOrders"): "openOrders.status",
    ("DELETE", "openOrders"): "openOrders.cancelAll", ("GET", "allOrders"): "allOrders",
    ("GET", "myTrades"): "myTrades", ("GET", "account"): "account.status",
    ("GET", "account/commission"): "account.commission", ("GET", "rateLimit/order"): "account.rateLimits.orders",
}  # fmt: skip
RESTRICTIONS: Final = "apiRestrictions"
COINS: Final = "capital/config/getall"
MARGIN: Final = "margin/allPairs"
SAPI: Final = {
    "/sapi/v1/account/apiRestrictions": RESTRICTIONS, "/sapi/v1/capital/config/getall": COINS,
    "/sapi/v1/margin/allPairs": MARGIN, "/sapi/v1/margin/isolated/allPairs": MARGIN,
}  # fmt: skip
LISTEN_KEY: Final = "/api/v3/userDataStream"


def method_of(verb: str, path: str) -> str:
    """What a request is called over the WebSocket API; "" for a path that is none."""
    if verb == "GET" and path in SAPI:
        return SAPI[path]
    return ROUTES.get((verb, path.removeprefix("/api/v3/")), "") if path.startswith("/api/v3/") else ""


class Rest:
    """All of /api/v3, and a little of /sapi/v1."""

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue = venue

    def handle(self, verb: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        """One request; `headers` by lower-case name."""
        method, text = method_of(verb, path), body.decode("utf-8", "replace")
        if path.startswith(LISTEN_KEY):
            return Answer(410, "text/plain", b"")
        if not method:
            return Answer(404, "text/html", b"<html><body><h2>404 Not found</h2></body></html>")
        params: dict[str, Any] = parse_form(query) | parse_form(text)
        try:
            self._venue.limits.spend(weight_of(method, params), now_ns)
        except Oops as problem:
            return self._answer(method, problem, now_ns)
        calls = self._venue.calls
        if calls.is_trading(method):
            return self._trade(method, query + text, params, headers, now_ns)
        asked = self._venue.asked(method, now_ns)
        found = calls.tried(method, lambda: self._read(method, query + text, params, headers, asked))
        return self._answer(method, found, now_ns)

    def _read(
        self, method: str, payload: str, params: Mapping[str, Any], headers: Mapping[str, str], asked: Asked
    ) -> Any:
        calls = self._venue.calls
        if calls.is_public(method):
            return calls.run(method, Call(params, asked))
        self._check(payload, params, headers, asked.now_ns)
        if method == RESTRICTIONS:
            return self._venue.access.restrictions(self._venue.started_ns)
        if method in (COINS, MARGIN):
            return self._venue.coins() if method == COINS else []
        calls.permit(method)
        return calls.run(method, Call(params, asked))

    def _trade(
        self, method: str, payload: str, params: Mapping[str, Any], headers: Mapping[str, str], now_ns: int
    ) -> Answer:
        def act(asked: Asked) -> Answer:
            try:
                self._check(payload, params, headers, asked.now_ns)
                self._venue.calls.permit(method)
                return self._answer(method, self._venue.calls.run(method, Call(params, asked)), asked.now_ns)
            except Oops as problem:
                return self._answer(method, problem, asked.now_ns)

        def refuse(refused: Refused) -> Answer:
            return self._answer(method, oops(refused, method), now_ns)

        return self._venue.trade_rest(method, act, refuse, now_ns)

    def _check(self, payload: str, params: Mapping[str, Any], headers: Mapping[str, str], now_ns: int) -> None:
        """Key, signature and time: what is signed is the query and the body as sent. Raises Refused, Oops."""
        access, venue = self._venue.access, self._venue
        key = headers.get("x-mbx-apikey", "")
        if not key:
            raise Oops(401, -2014, "API-key format invalid.")
        if "signature" not in params:
            raise missing("signature")
        if venue.faults.fires("login_refused", now_ns - venue.started_ns, 0, "login") is not None:
            raise Refused(Refusal.SIGN)
        signed, _, rest = payload.rpartition("signature=")
        if "&" in rest:
            raise Refused(Refusal.SIGN)
        access.check_signature(key, signed.removesuffix("&"), str(params["signature"]))
        access.check_time(params, venue.clock(now_ns))

    def _answer(self, method: str, found: Any, now_ns: int) -> Answer:
        is_order = method in {"order.place", "order.cancelReplace"}
        headers = self._venue.limits.headers(now_ns, orders=is_order)
        if not isinstance(found, Oops):
            return json_answer(found, headers=headers)
        if found.status in (429, 418) and found.data is not None:
            wait = max(1, (int(found.data["retryAfter"]) - int(found.data["serverTime"]) + 999) // 1000)
            return json_answer(
                {"code": found.code, "msg": found.message}, found.status, (*headers, ("Retry-After", str(wait)))
            )  # fmt: skip
        return json_answer(found.body, found.status, headers)
