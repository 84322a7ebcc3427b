"""REST: paths, signatures, the envelope, headers of limits (venues.md 5.3, 5.4). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.bybit.orders import Call, Done
from runtime.sim.bybit.words import Oops, bad, oops
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.numbers import MS, load, parse_form
from runtime.sim.exchange.rates import Window
from runtime.sim.exchange.refusal import Refusal, Refused
from runtime.sim.market import NS

if TYPE_CHECKING:
    from runtime.sim.bybit.venue import BybitVenue

ROUTES: Final[Mapping[tuple[str, str], str]] = {
    **{("GET", f"/v5/market/{name}"): f"market.{name}" for name in (
        "time", "instruments-info", "orderbook", "tickers", "recent-trade", "kline")},
    **{("POST", f"/v5/order/{name}"): f"order.{name}" for name in (
        "create", "amend", "cancel", "cancel-all", "create-batch", "amend-batch", "cancel-batch")},
    ("GET", "/v5/order/realtime"): "order.realtime", ("GET", "/v5/order/history"): "order.history",
    ("GET", "/v5/execution/list"): "execution.list", ("GET", "/v5/account/info"): "account.info",
    ("GET", "/v5/account/wallet-balance"): "account.wallet-balance",
    ("GET", "/v5/account/fee-rate"): "account.fee-rate", ("GET", "/v5/user/query-api"): "user.query-api",
    ("GET", "/v5/asset/coin/query-info"): "asset.coin-info",
}  # fmt: skip
SECONDS: Final = 5
BAN_NS: Final = 600 * NS


class Rest:
    """All of /v5. `ip_limit`: requests in five seconds, then none for ten minutes."""

    def __init__(self, venue: BybitVenue, ip_limit: int) -> None:
        self._venue = venue
        self._window = Window(ip_limit, SECONDS * NS)
        self._banned_ns = 0

    def handle(self, verb: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        """One request; `headers` by lower-case name."""
        if not self._window.take(1, now_ns):
            self._banned_ns = now_ns + BAN_NS
        if now_ns < self._banned_ns:
            return json_answer({"retCode": 10018, "retMsg": "access too frequent"}, 403)
        method = ROUTES.get((verb, path), "")
        if not method:
            return Answer(404, "text/plain", b"404 page not found")
        if verb == "GET" and body:
            return Answer(403, "text/plain", b"Forbidden")
        text = query if verb == "GET" else body.decode("utf-8", "replace")
        public = self._venue.public.methods.get(method)
        if public is not None:
            asked = self._venue.asked(method, now_ns)
            return self._answer(method, self._tried(lambda: public(Call(parse_form(query), asked)), method), now_ns)
        if method in self._venue.orders.trading:
            return self._trade(method, text, headers, now_ns)
        asked = self._venue.asked(method, now_ns)
        return self._answer(method, self._tried(lambda: self._read(method, text, headers, asked), method), now_ns)

    def _tried(self, act: Callable[[], Done], method: str) -> Done | Oops:
        try:
            return act()
        except Refused as refused:
            return oops(refused, self._venue.METHODS.get(method, "query"))
        except Oops as problem:
            return problem

    def _read(self, method: str, text: str, headers: Mapping[str, str], asked: Asked) -> Done:
        self._check(text, headers, asked.now_ns)
        self._venue.limits.take(method, 1, asked.now_ns)
        if method == "user.query-api":
            return Done(self._venue.access.info(self._venue.started_ns))
        if method == "asset.coin-info":
            return Done({"rows": self._venue.coins()})
        return self._venue.orders.reading[method](Call(parse_form(text), asked))

    def _trade(self, method: str, text: str, headers: Mapping[str, str], now_ns: int) -> Answer:
        def act(asked: Asked) -> Answer:
            try:
                self._check(text, headers, asked.now_ns)
                return self._answer(method, self._venue.orders.run(method, Call(_json(text), asked)), asked.now_ns)
            except Oops as problem:
                return self._answer(method, problem, asked.now_ns)

        def refuse(refused: Refused) -> Answer:
            return self._answer(method, oops(refused, self._venue.METHODS[method]), now_ns)

        return self._venue.trade_rest(method, act, refuse, now_ns)

    def _check(self, text: str, headers: Mapping[str, str], now_ns: int) -> None:
        """Signed: time, key, window and the query or the body as sent. Raises Refused."""
        venue = self._venue
        if venue.faults.fires("login_refused", now_ns - venue.started_ns, 0, "login") is not None:
            raise Refused(Refusal.SIGN)
        key, stamp = headers.get("x-bapi-api-key", ""), headers.get("x-bapi-timestamp", "")
        window = headers.get("x-bapi-recv-window", "")
        venue.access.check_signature(key, f"{stamp}{key}{window}{text}", headers.get("x-bapi-sign", ""))
        venue.access.check_time(stamp, window, venue.clock(now_ns))

    def _answer(self, method: str, found: Done | Oops, now_ns: int) -> Answer:
        at = self._venue.clock(now_ns) // MS
        headers = tuple(self._venue.limits.headers(method, now_ns).items())
        if isinstance(found, Oops):
            told: dict[str, Any] = {"retCode": found.code, "retMsg": found.message, "result": {}, "retExtInfo": {}}
        else:
            told = {"retCode": 0, "retMsg": "OK", "result": found.result, "retExtInfo": found.extra}
        return json_answer(told | {"time": at}, headers=headers)


def _json(text: str) -> dict[str, Any]:
    try:
        found = load(text)
    except ValueError:
        raise bad("body") from None
    if not isinstance(found, dict):
        raise bad("body")
    return found
