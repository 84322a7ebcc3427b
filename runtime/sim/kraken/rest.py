"""The REST side: who may ask, what it costs, and what goes wrong on the way (venues.md 1.8, 1.12, 7.2). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.exchange.answer import HTML, JSON, REASONS, Answer
from runtime.sim.kraken.desk import Asked
from runtime.sim.kraken.rates import ONE, Counter
from runtime.sim.kraken.restdata import PUBLIC, Query
from runtime.sim.kraken.restprivate import METHODS, TRADING
from runtime.sim.kraken.wire import Refuse, dump, load, parse_form
from runtime.sim.market import NS

if TYPE_CHECKING:
    from runtime.sim.kraken.venue import KrakenVenue

UNKNOWN_METHOD: Final = "EGeneral:Unknown method"
COSTS: Final = {"TradesHistory": 4, "Ledgers": 4, "QueryTrades": 4}
DEADLINE_NS: Final = 2 * NS


class Rest:
    """All of `/0/public/…` and `/0/private/…`."""

    def __init__(self, venue: KrakenVenue) -> None:
        self._venue = venue
        tier = venue.engine.tier
        self.counter = Counter(tier.rest_decay)
        self._limit = tier.rest_max

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        """Answers one request; `headers` by lower-case name. Raises for nothing a client may send."""
        path, _, query = target.partition("?")
        parts = path.strip("/").split("/")
        name = parts[2] if len(parts) == 3 and parts[0] == "0" and parts[1] in {"public", "private"} else ""
        age_ns = now_ns - self._venue.started_ns
        asked = Asked(TRADING.get(name, name), now_ns, age_ns, 0, DEADLINE_NS)
        answer = self._gateway(asked, done=False)
        if answer is None:
            answer = self._carry_out(parts[1:2] == ["private"], method, name, path, query, headers, body, asked)
            answer = self._gateway(asked, done=True) or answer
        late = self._venue.faults.fires("rest_late", age_ns, 0, asked.method)
        lost = self._venue.faults.fires("rest_lost", age_ns, 0, asked.method) is not None
        delay_ns = late.number * 1_000_000 if late is not None else 0
        return msgspec.structs.replace(answer, is_lost=lost, delay_ns=delay_ns)

    def _gateway(self, asked: Asked, *, done: bool) -> Answer | None:
        """What a proxy in between says, before or after the request was carried out."""
        fires = self._venue.faults.fires
        fault = fires("gateway_error_live" if done else "gateway_error", asked.age_ns, 0, asked.method)
        if fault is not None:
            title = REASONS.get(fault.number, f"{fault.number} Web server is returning an unknown error")
            return Answer(fault.number, "text/html", HTML.format(title).encode())
        if not done and fires("http_429", asked.age_ns, 0, asked.method) is not None:
            return Answer(429, "text/html", HTML.format("429 Too Many Requests").encode())
        return None

    def _carry_out(
        self, is_private: bool, method: str, name: str, path: str, query: str, headers: Mapping[str, str], body: bytes,
        asked: Asked,
    ) -> Answer:  # fmt: skip
        try:
            form = _form(headers, body) if is_private else parse_form(query)
            if not is_private:
                result = self._public(method, name, form, asked)
            else:
                result = self._private(method, name, path, headers, body, form, asked)
            self._venue.desk.finish(asked.now_ns)
            told = {"error": [], "result": result}
        except Refuse as refused:
            told = {"error": [refused.text]}
        self._venue.flush(asked.now_ns)
        return Answer(200, JSON, dump(told).encode())

    def _public(self, method: str, name: str, form: Mapping[str, Any], asked: Asked) -> Any:
        if name not in PUBLIC or method not in {"GET", "POST"}:
            raise Refuse(UNKNOWN_METHOD)
        return PUBLIC[name](Query(self._venue, form, asked))

    def _private(
        self, method: str, name: str, path: str, headers: Mapping[str, str], body: bytes, form: Mapping[str, Any],
        asked: Asked,
    ) -> Any:  # fmt: skip
        if name not in METHODS or method != "POST":
            raise Refuse(UNKNOWN_METHOD)
        venue, active = self._venue, self._venue.faults.active
        if active("ban", asked.age_ns) is not None:
            raise Refuse("EGeneral:Temporary lockout")
        venue.access.check(headers, path, form.get("nonce"), body, asked.now_ns)
        self._strike(asked)
        error = venue.permission_error(asked.method)
        if error:
            raise Refuse(error)
        if name not in TRADING:
            cost = COSTS.get(name, 1) * ONE
            if not self.counter.fits(cost, self._limit, asked.now_ns):
                raise Refuse("EAPI:Rate limit exceeded")
            self.counter.add(cost, asked.now_ns)
        return self._method(METHODS[name], name, form, asked)

    def _method(self, act: Callable[[Query], Any], name: str, form: Mapping[str, Any], asked: Asked) -> Any:
        self._venue.desk.begin()
        if name in TRADING:
            self._venue.desk.check(asked)
        result = act(Query(self._venue, form, asked))
        if name in TRADING and self._venue.faults.fires("busy_live", asked.age_ns, 0, asked.method) is not None:
            raise Refuse("EService:Busy")
        return result

    def _strike(self, asked: Asked) -> None:
        """Refusals that have no reason. Raises Refuse."""
        for name, text in (("nonce_error", "EAPI:Invalid nonce"), ("rest_rate_limit", "EAPI:Rate limit exceeded")):
            if self._venue.faults.fires(name, asked.age_ns, 0, asked.method) is not None:
                raise Refuse(text)
        throttled = self._venue.faults.fires("throttled", asked.age_ns, 0, asked.method)
        if throttled is not None:
            raise Refuse(f"EService: Throttled: {asked.now_ns // NS + throttled.number}")


def _form(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    """A form or a JSON body; what cannot be read has no fields."""
    text = body.decode("utf-8", "replace")
    if "json" not in headers.get("content-type", "") and not text.lstrip().startswith("{"):
        return parse_form(text)
    try:
        found = load(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
