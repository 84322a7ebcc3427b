"""The simulated OKX's REST, /api/v5: every answer is code, msg, data (venues.md 4.3). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.numbers import fixed, load, millis, parse_form
from runtime.sim.okx import lists, private, public
from runtime.sim.okx.access import Denied
from runtime.sim.okx.lists import Query, bad, symbol_of
from runtime.sim.okx.trading import Request
from runtime.sim.okx.words import NOT_ALLOWED, TOO_OFTEN, UNKNOWN_OUTCOME

if TYPE_CHECKING:
    from runtime.sim.okx.venue import OkxVenue

BASE: Final = "/api/v5/"
OPS: Final = {
    "trade/order": "order", "trade/batch-orders": "batch-orders", "trade/cancel-order": "cancel-order",
    "trade/cancel-batch-orders": "batch-cancel-orders", "trade/amend-order": "amend-order",
    "trade/amend-batch-orders": "batch-amend-orders",
}  # fmt: skip
TAGS: Final = 20
STATUSES: Final = {TOO_OFTEN[0]: 429, "50001": 503, UNKNOWN_OUTCOME[0]: 400}
"""What is no HTTP 200."""


def error(code: str, text: str, status: int = 200) -> Answer:
    """A refusal of the whole request."""
    return json_answer({"code": code, "msg": text, "data": []}, status)


def too_often() -> Answer:
    """HTTP 429."""
    return error(*TOO_OFTEN, 429)


class Rest:
    """Answers requests."""

    def __init__(self, venue: OkxVenue) -> None:
        self._venue = venue
        self._public: dict[str, Callable[[Query, int], Any]] = {
            "public/time": lambda _, now_ns: [{"ts": millis(venue.clock(now_ns))}],
            "public/instruments": self._instruments, "market/books": self._books, "market/ticker": self._ticker,
            "market/tickers": self._tickers, "market/trades": self._trades, "system/status": self._status,
        }  # fmt: skip
        self._private: dict[str, Callable[[Query, int], Any]] = {
            "account/balance": self._balance, "account/config": self._config, "account/trade-fee": self._fees,
            "account/instruments": self._instruments, "asset/currencies": self._currencies,
            "trade/order": lambda query, now_ns: lists.order(venue, query, now_ns),
            "trade/orders-pending": lambda query, now_ns: lists.pending(venue, query, now_ns),
            "trade/orders-history": lambda query, now_ns: lists.history(venue, query, now_ns),
            "trade/orders-history-archive": lambda query, now_ns: lists.history(venue, query, now_ns),
            "trade/fills": lambda query, now_ns: lists.fills(venue, query, now_ns),
            "trade/fills-history": lambda query, now_ns: lists.fills(venue, query, now_ns),
        }  # fmt: skip

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        """One request. Raises nothing."""
        name, venue = path.removeprefix(BASE), self._venue
        known = name in self._public or name in self._private or name in OPS or name == "trade/cancel-all-after"
        if not path.startswith(BASE) or not known:
            return error("404", "Not Found", 404)
        try:
            if name not in self._public:
                self._admit(headers, method, f"{path}?{query}" if query else path, body, name, now_ns)
            if method == "POST":
                return self._post(name, headers, body, now_ns)
            table = self._public if name in self._public else self._private
            if method != "GET" or name not in table:
                return error("405", "Method Not Allowed", 405)
            if not venue.rates.asks(name, now_ns):
                return too_often()
            return json_answer({"code": "0", "msg": "", "data": table[name](parse_form(query), now_ns)})
        except Denied as denied:
            return error(denied.code, denied.text, 401 if denied.code.startswith("501") else 200)

    def _admit(self, headers: Mapping[str, str], method: str, target: str, body: bytes, name: str, now_ns: int) -> None:
        """Raises Denied."""
        venue = self._venue
        if venue.faults.fires(
            "login_refused", now_ns - venue.started_ns, 0, venue.rest_method(method, f"{BASE}{name}")
        ):
            raise Denied("50113", "Invalid Sign")
        venue.access.check(headers, method, target, body, venue.clock(now_ns))
        if ("trade" if method == "POST" else "read_only") not in venue.access.permissions:
            raise Denied(*NOT_ALLOWED)

    # --- orders -------------------------------------------------------------------------------------------------------

    def _post(self, name: str, headers: Mapping[str, str], body: bytes, now_ns: int) -> Answer:
        try:
            asked = load(body)
        except ValueError:
            raise Denied("50002", "JSON syntax error") from None
        if name == "trade/cancel-all-after":
            return self._cancel_all_after(asked, now_ns)
        if name not in OPS:
            return error("405", "Method Not Allowed", 405)
        op = OPS[name]
        is_batch = op.startswith("batch")
        args = asked if isinstance(asked, list) else [asked]
        if isinstance(asked, list) != is_batch or not isinstance(asked, list | dict):
            raise Denied("50002", "JSON syntax error")
        venue, request = self._venue, Request(self._venue, op, args, headers.get("exptime"), is_rest=True)

        def answer(told: dict[str, Any]) -> Answer:
            at_us = venue.clock(venue.now_ns) // 1000
            times = {"inTime": str(at_us), "outTime": str(at_us + 900)}
            return json_answer(told | times, STATUSES.get(told["code"], 200))

        return venue.trade_rest(
            op, lambda at: answer(request.act(at)), lambda refused: answer(request.refuse(refused)), now_ns
        )  # fmt: skip

    def _cancel_all_after(self, asked: Any, now_ns: int) -> Answer:
        """A timer of the whole account, or of the orders of a tag: 0 disarms it, else it is 10 … 120 s."""
        text, tag = (asked.get("timeOut"), asked.get("tag", "")) if isinstance(asked, dict) else (None, "")
        text = str(text) if type(text) is int else text  # some clients send a number
        seconds = int(text) if isinstance(text, str) and text.isdigit() and len(text) < 6 else -1
        if seconds and not 10 <= seconds <= 120:
            raise bad("timeOut")
        if not isinstance(tag, str) or len(tag) > 16:
            raise bad("tag")
        venue = self._venue
        if not venue.rates.arms(tag, now_ns):
            return too_often()
        if tag and seconds and tag not in venue.tag_timers and len(venue.tag_timers) >= TAGS:
            raise bad("tag")
        trigger_ns = venue.arm(tag, seconds, now_ns)
        at_ms = millis(venue.clock(trigger_ns)) if trigger_ns else "0"
        row = {"triggerTime": at_ms, "tag": tag, "ts": millis(venue.clock(now_ns))}
        return json_answer({"code": "0", "msg": "", "data": [row]})

    # --- the market ---------------------------------------------------------------------------------------------------

    def _instruments(self, query: Query, now_ns: int) -> Any:
        del now_ns
        if query.get("instType") not in {"SPOT", "MARGIN", "SWAP", "FUTURES", "OPTION"}:
            raise bad("instType")
        wanted = symbol_of(self._venue, query)
        symbols = [name for name in self._venue.pairs if wanted in {"", name}] if query["instType"] == "SPOT" else []
        return [self._venue.instrument(symbol) for symbol in symbols]

    def _books(self, query: Query, now_ns: int) -> Any:
        venue, symbol = self._venue, symbol_of(self._venue, query, is_needed=True)
        text = query.get("sz") or "1"
        if not text.isdigit() or not 1 <= int(text) <= 400:
            raise bad("sz")
        book, feed = venue.market.book(symbol), venue.feed(symbol, now_ns)
        sides = (book.bids.top(int(text)), book.asks.top(int(text)))
        return [public.depth_row(venue.pairs[symbol], sides, feed.seq, venue.clock(now_ns))]

    def _ticker_row(self, symbol: str, now_ns: int) -> dict[str, str]:
        venue = self._venue
        book, at_ns = venue.market.book(symbol), venue.clock(now_ns)
        return public.ticker_row(venue.names.ids[symbol], venue.pairs[symbol], book, venue.history[symbol], at_ns)

    def _ticker(self, query: Query, now_ns: int) -> Any:
        return [self._ticker_row(symbol_of(self._venue, query, is_needed=True), now_ns)]

    def _tickers(self, query: Query, now_ns: int) -> Any:
        return [self._ticker_row(name, now_ns) for name in self._venue.pairs] if query.get("instType") == "SPOT" else []

    def _trades(self, query: Query, now_ns: int) -> Any:
        venue, symbol = self._venue, symbol_of(self._venue, query, is_needed=True)
        seq = venue.feed(symbol, now_ns).seq
        return public.trade_rows(venue.names.ids[symbol], venue.pairs[symbol], venue.market.book(symbol).trades, seq)[
            ::-1
        ]

    def _status(self, query: Query, now_ns: int) -> Any:
        del query
        if self._venue.engine.system == "online":
            return []
        return [public.status_row(self._venue.clock(now_ns), 0, "ongoing")]

    # --- the account --------------------------------------------------------------------------------------------------

    def _balance(self, query: Query, now_ns: int) -> Any:
        wanted = [asset for asset in query.get("ccy", "").split(",") if asset]
        held = self._venue.engine.account.balances
        return [private.account_row(self._venue, [a for a in held if not wanted or a in wanted], now_ns)]

    def _config(self, query: Query, now_ns: int) -> Any:
        del query, now_ns
        access = self._venue.access
        return [{
            "uid": access.uid, "mainUid": access.uid, "acctLv": "1", "posMode": "net_mode", "autoLoan": False,
            "level": "Lv1", "levelTmp": "", "label": "simulated", "ip": "", "perm": ",".join(access.permissions),
            "kycLv": "3", "roleType": "0", "acctStpMode": "cancel_maker", "enableSpotBorrow": False, "type": "0",
        }]  # fmt: skip

    def _fees(self, query: Query, now_ns: int) -> Any:
        rules = self._venue.engine.rules
        rates = {"maker": fixed(-rules.maker_ppm, 6), "taker": fixed(-rules.taker_ppm, 6)}
        return [{"instType": query.get("instType", "SPOT"), "level": "Lv1", "ts": millis(now_ns)} | rates]

    def _currencies(self, query: Query, now_ns: int) -> Any:
        del query, now_ns
        return [
            {"ccy": asset, "name": asset, "chain": f"{asset}-{asset}", "canDep": False, "canWd": False,
             "canInternal": False, "mainNet": True, "minWd": "0", "maxWd": "0", "minFee": "0", "maxFee": "0",
             "wdTickSz": "8", "logoLink": "", "usedWdQuota": "0", "wdQuota": "0"}
            for asset in sorted(self._venue.engine.account.balances)
        ]  # fmt: skip
