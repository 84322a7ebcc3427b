"""The simulated Coinbase's REST: who may ask what, and the answers (venues.md 2.1, 2.3 to 2.5). Pure.

/api/v3/brokerage is Advanced Trade. A little of /v2 is there because clients ask it for the clock and the currencies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.coinbase import lists
from runtime.sim.coinbase.forms import Bad
from runtime.sim.coinbase.jwt import Unauthorized
from runtime.sim.coinbase.lists import Query, many, one
from runtime.sim.coinbase.names import FULL, product_row
from runtime.sim.coinbase.restorders import Orders
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.numbers import fixed, parse_form
from runtime.sim.exchange.rates import Window
from runtime.sim.market import NS, rfc3339

if TYPE_CHECKING:
    from runtime.sim.coinbase.venue import CoinbaseVenue

BASE: Final = "/api/v3/brokerage/"
TEXT: Final = "text/plain; charset=utf-8"
PRIVATE_A_SECOND: Final = 30
PUBLIC_A_SECOND: Final = 10
"""What users say; Coinbase publishes no figures for Advanced Trade any more (venues.md 2.1)."""


def problem(status: int, code: str, text: str) -> Answer:
    """An error of the API itself."""
    return json_answer({"error": code, "error_details": text, "message": text}, status)


def too_many() -> Answer:
    """HTTP 429 in the venue's words (venues.md 2.4)."""
    return json_answer({"errors": [{"id": "rate_limit_exceeded", "message": "Rate limit exceeded"}]}, 429)


def read_query(text: str) -> Query:
    """`a=1&a=2` → every value of a name."""
    found: dict[str, list[str]] = {}
    for part in text.split("&"):
        for name, value in parse_form(part).items():
            found.setdefault(name, []).append(value)
    return found


class Rest:
    """Answers requests; the rates are those of one key and one address."""

    def __init__(self, venue: CoinbaseVenue) -> None:
        self._venue = venue
        self._orders = Orders(venue)
        self._private_rate, self._public_rate = Window(PRIVATE_A_SECOND, NS), Window(PUBLIC_A_SECOND, NS)
        self._public: dict[str, Callable[[Query, int], Any]] = {
            "time": self._time, "market/products": self._products, "market/product_book": self._book,
        }  # fmt: skip
        self._private: dict[str, Callable[[Query, int], Any]] = {
            "products": self._products, "product_book": self._book, "best_bid_ask": self._best,
            "accounts": lambda query, _: lists.accounts(venue, query), "key_permissions": self._permissions,
            "orders/historical/batch": lambda query, now_ns: lists.orders(venue, query, now_ns),
            "orders/historical/fills": lambda query, now_ns: lists.fills(venue, query, now_ns),
            "transaction_summary": self._fees,
        }  # fmt: skip

    def handle(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        """One request. Raises nothing."""
        asked = read_query(query)
        try:
            if path.startswith("/v2/"):
                return self._old(path.removeprefix("/v2/"), now_ns)
            if not path.startswith(BASE):
                return problem(404, "NOT_FOUND", "no such path")
            name = path.removeprefix(BASE).rstrip("/")
            if name == "time" or name.startswith("market/"):
                return self._answer_public(method, name, asked, now_ns)
            refused = self._refusal(method, path, headers, now_ns)
            if refused is not None:
                return refused
            if method == "POST":
                return self._orders.handle(name, body, now_ns)
            return self._look(method, name, asked, now_ns)
        except Bad as bad:
            return problem(400, "INVALID_ARGUMENT", str(bad))

    def _refusal(self, method: str, path: str, headers: Mapping[str, str], now_ns: int) -> Answer | None:
        """Who asks, may he, and not too often."""
        venue = self._venue
        scheme, _, token = headers.get("authorization", "").partition(" ")
        is_refused = scheme != "Bearer" or self._fires("login_refused", venue.rest_method(method, path), now_ns)
        try:
            venue.access.check(
                "" if is_refused else token, venue.clock(now_ns), (method, headers.get("host", ""), path)
            )
        except Unauthorized:
            return Answer(401, TEXT, b"Unauthorized\n")
        need = "trade" if method == "POST" else "view"
        if need not in venue.access.permissions:
            return problem(403, "PERMISSION_DENIED", "Missing required scopes")
        if venue.limits and not self._private_rate.take(1, now_ns):
            return too_many()
        return None

    def _fires(self, fault: str, name: str, now_ns: int) -> bool:
        return self._venue.faults.fires(fault, now_ns - self._venue.started_ns, 0, name) is not None

    def _answer_public(self, method: str, name: str, query: Query, now_ns: int) -> Answer:
        if self._venue.limits and not self._public_rate.take(1, now_ns):
            return too_many()
        if method == "GET" and name in self._public:
            return json_answer(self._public[name](query, now_ns))
        parts = name.split("/")
        if method == "GET" and parts[:2] == ["market", "products"] and len(parts) in {3, 4}:
            return self._one_product(parts[2:], query)
        return problem(404, "NOT_FOUND", "no such path")

    def _look(self, method: str, name: str, query: Query, now_ns: int) -> Answer:
        if method != "GET":
            return problem(405, "UNIMPLEMENTED", "no such method")
        if name in self._private:
            return json_answer(self._private[name](query, now_ns))
        parts = name.split("/")
        if parts[:2] == ["orders", "historical"] and len(parts) == 3:
            return self._orders.one(parts[2], now_ns)
        if parts[0] == "products" and len(parts) in {2, 3}:
            return self._one_product(parts[1:], query)
        if parts[0] == "accounts" and len(parts) == 2:
            found = lists.accounts(self._venue, {"limit": ["250"]})["accounts"]
            mine = [row for row in found if row["uuid"] == parts[1]]
            return json_answer({"account": mine[0]}) if mine else problem(404, "NOT_FOUND", "account not found")
        return problem(404, "NOT_FOUND", "no such path")

    # --- the market ---------------------------------------------------------------------------------------------------

    def _time(self, query: Query, now_ns: int) -> Any:
        del query
        at_ns = self._venue.clock(now_ns)
        seconds, ms = at_ns // NS, at_ns // 1_000_000
        return {"iso": f"{rfc3339(at_ns)[:19]}Z", "epochSeconds": str(seconds), "epochMillis": str(ms)}

    def _row(self, product_id: str) -> dict[str, Any]:
        venue = self._venue
        symbol = venue.names.symbol(product_id)
        day, status = venue.history[symbol].day, venue.status_of(symbol)
        halted = status not in {"online", "limit_only", "post_only", "cancel_only"}
        return product_row(
            venue.names, product_id, venue.pairs[symbol], status, day.close, day.volume, halted=halted
        )  # fmt: skip

    def _products(self, query: Query, now_ns: int) -> Any:
        del now_ns
        wanted = many(query, "product_ids")
        spot = one(query, "product_type") in {"", "SPOT"}
        ids = [name for name in self._venue.names.products() if spot and (not wanted or name in wanted)]
        first = int(one(query, "offset") or "0") if (one(query, "offset") or "0").isdigit() else 0
        ids = ids[first : first + lists.limit_of(query, len(ids) + 1, 10_000)]
        return {"products": [self._row(name) for name in ids], "num_products": len(ids)}

    def _one_product(self, parts: list[str], query: Query) -> Answer:
        """A product, or its last trades under /ticker."""
        product_id = parts[0]
        symbol = self._venue.names.symbol(product_id)
        if not symbol:
            return problem(404, "NOT_FOUND", f"valid product_id is required: {product_id}")
        if parts[1:] == []:
            return json_answer(self._row(product_id))
        if parts[1:] != ["ticker"]:
            return problem(404, "NOT_FOUND", "no such path")
        pair, book = self._venue.pairs[symbol], self._venue.market.book(symbol)
        last = list(book.trades)[::-1][: lists.limit_of(query, 50, 1000)]
        rows = [
            {
                "trade_id": str(trade.trade_id), "product_id": product_id, "price": pair.price_text(trade.price),
                "size": pair.qty_text(trade.qty), "time": rfc3339(trade.ts_ns), "exchange": "CBE",
                "side": "SELL" if trade.side == "buy" else "BUY", "bid": "", "ask": "",
            }
            for trade in last
        ]  # fmt: skip
        best = {"best_bid": pair.price_text(book.bids.price(0)), "best_ask": pair.price_text(book.asks.price(0))}
        return json_answer({"trades": rows} | best)

    def _book(self, query: Query, now_ns: int) -> Any:
        return {"pricebook": self._pricebook(one(query, "product_id"), lists.limit_of(query, 10_000, 10_000), now_ns)}

    def _pricebook(self, product_id: str, depth: int, now_ns: int) -> dict[str, Any]:
        symbol = self._venue.names.symbol(product_id)
        if not symbol:
            raise Bad("valid product_id is required")
        pair, book = self._venue.pairs[symbol], self._venue.market.book(symbol)
        sides = [
            [{"price": pair.price_text(price), "size": pair.qty_text(qty)} for price, qty in ladder.top(depth)]
            for ladder in (book.bids, book.asks)
        ]
        at = rfc3339(self._venue.clock(now_ns))
        return {"product_id": product_id, "bids": sides[0], "asks": sides[1], "time": at}

    def _best(self, query: Query, now_ns: int) -> Any:
        wanted = many(query, "product_ids") or self._venue.names.products()
        return {"pricebooks": [self._pricebook(name, 1, now_ns) for name in sorted(wanted)]}

    # --- the account --------------------------------------------------------------------------------------------------

    def _permissions(self, query: Query, now_ns: int) -> Any:
        del query, now_ns
        held = self._venue.access.permissions
        told: dict[str, Any] = {f"can_{name}": name in held for name in ("view", "trade", "transfer")}
        return told | {"portfolio_uuid": lists.account_id(self._venue, "portfolio"), "portfolio_type": "DEFAULT"}

    def _fees(self, query: Query, now_ns: int) -> Any:
        del query, now_ns
        rules = self._venue.engine.rules
        rates = {"taker_fee_rate": fixed(rules.taker_ppm, 6), "maker_fee_rate": fixed(rules.maker_ppm, 6)}
        tier = {"pricing_tier": "Advanced 1", "usd_from": "0", "usd_to": "10000", "aop_from": "", "aop_to": ""} | rates
        return {"total_volume": "0", "total_fees": "0", "fee_tier": tier, "total_balance": "", "has_promo_fee": False}

    # --- the older API ----------------------------------------------------------------------------------------------

    def _old(self, name: str, now_ns: int) -> Answer:
        assets = sorted({asset for pair in self._venue.pairs.values() for asset in (pair.base, pair.quote)} | {"USDC"})
        if name == "time":
            at_ns = self._venue.clock(now_ns)
            return json_answer({"data": {"iso": f"{rfc3339(at_ns)[:19]}Z", "epoch": at_ns // NS}})
        if name == "currencies":
            fiat = [asset for asset in assets if asset in lists.FIAT]
            return json_answer({"data": [{"id": a, "name": FULL.get(a, a), "min_size": "0.01"} for a in fiat]})
        if name == "currencies/crypto":
            rows = [
                {"asset_id": lists.account_id(self._venue, f"asset {a}"), "code": a, "name": FULL.get(a, a),
                 "exponent": 8, "type": "crypto"}
                for a in assets if a not in lists.FIAT
            ]  # fmt: skip
            return json_answer({"data": rows})
        if name == "exchange-rates":
            return json_answer({"data": {"currency": "USD", "rates": dict.fromkeys(assets, "1")}})
        return json_answer({"errors": [{"id": "not_found", "message": "Not found"}]}, 404)
