"""The simulated Binance: streams, WebSocket API and REST over one account and one market. Pure.

From venues.md, section 3, and the official documentation alone (github.com/binance/binance-spot-api-docs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from runtime.sim.binance import names
from runtime.sim.binance.access import Access
from runtime.sim.binance.calls import Calls
from runtime.sim.binance.limits import Limits
from runtime.sim.binance.orders import Orders
from runtime.sim.binance.rest import ROUTES, Rest, method_of
from runtime.sim.binance.rpc import ApiConnection
from runtime.sim.binance.streams import StreamConnection
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.faults import Kind
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.pairs import spot_pairs
from runtime.sim.exchange.rules import Rules
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.ladder import Level
from runtime.sim.market import MarketEvent, SimPair, seeded

KEPT: Final = 1
STEPS: Final = {"BTC": (2, 5), "ETH": (2, 4), "SOL": (2, 3), "DOGE": (5, 0)}
Depth = tuple[int, list[Level], list[Level]]
"""(update id, bids, asks)."""


class BinanceVenue(ExchangeVenue):
    """`weight_limit`: request weight in a minute; `order_limit`: new orders in ten seconds. `permissions` of both keys.

    `key_type` hmac or ed25519: which of them `credentials` are. Raises ValueError for what makes no sense.
    """

    NAME: ClassVar[str] = "binance"
    PAIRS: ClassVar[tuple[SimPair, ...]] = spot_pairs("USDT", STEPS)
    RULES: ClassVar[Rules] = Rules(maker_ppm=1000, taker_ppm=1000, stp="cancel_oldest", max_open=200)
    BALANCES: ClassVar[Mapping[str, str]] = {
        "USDT": "1000000", "BTC": "10", "ETH": "200", "SOL": "5000", "DOGE": "5000000", "BNB": "100",
    }  # fmt: skip
    METHODS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(ROUTES.values(), "query"), "apiRestrictions": "query", "order.place": "new",
        "order.cancel": "cancel", "order.amend.keepPriority": "amend", "order.cancelReplace": "amend",
        "openOrders.cancelAll": "cancel_all", "account.status": "balance", "ping": "ping", "exchangeInfo": "market",
        "depth": "market", "session.logon": "login", "userDataStream.subscribe": "subscribe",
        "userDataStream.subscribe.signature": "subscribe",
    }  # fmt: skip
    LINKS: ClassVar[Mapping[str, str]] = {
        "public": "/stream", "calls": "", "private": "/ws-api/v3", "trade": "/ws-api/v3", "rest": "",
    }  # fmt: skip
    EXTRA_FAULTS: ClassVar[Mapping[str, Kind]] = {
        "shutdown": Kind("serverShutdown is told, VALUE seconds later the socket closes", 10, 1, each=True),
        "stale_depth": Kind("REST's depth is at least VALUE ms old", 500),
    }

    def __init__(
        self, *, permissions: tuple[str, ...] = ("reading", "spot"), key_type: str = "hmac", weight_limit: int = 6000,
        order_limit: int = 50, **options: Any,
    ) -> None:  # fmt: skip
        if key_type not in {"hmac", "ed25519"}:
            raise ValueError(f"no key type {key_type!r}; there are hmac, ed25519")
        self.update_ids: dict[str, int] = {}
        self.cancel_ids: dict[str, str] = {}
        self.limits = Limits(weight_limit, order_limit)
        self._key_type = key_type
        self._executions = 0
        self._fills_seen = 0
        self._old: dict[str, list[tuple[int, Depth]]] = {}
        now_ns = options.pop("now_ns", None)
        super().__init__(**options)
        rng = seeded(f"{self.seed}/binance/updates")
        self.update_ids = {symbol: rng.randrange(10**9, 4 * 10**10) for symbol in self.pairs}
        self.symbols = names.by_symbol(self.pairs)
        self.access = Access(self.seed, permissions)
        self.orders = Orders(self)
        self.calls = Calls(self)
        self._rest = Rest(self)
        if now_ns is not None:
            self._start(now_ns)

    @property
    def credentials(self) -> dict[str, str]:
        access = self.access
        if self._key_type == "hmac":
            return {"key": access.key, "secret": access.secret}
        return {"key": access.ed25519_key, "secret": access.ed25519_secret}

    def execution_id(self) -> int:
        """The next `I` of an executionReport."""
        self._executions += 1
        return 8_641_983 + self._executions

    # --- doors -------------------------------------------------------------------------------------------------------

    def socket(self, path: str) -> type[ExchangeConnection] | None:
        place = path.partition("?")[0].rstrip("/")
        if place == "/ws-api/v3":
            return ApiConnection
        return StreamConnection if place in {"/stream", "/ws"} or place.startswith("/ws/") else None

    def rest_method(self, method: str, path: str) -> str:
        return method_of(method, path) or f"{method} {path}"

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        return self._rest.handle(method, path, query, headers, body, now_ns)

    def limited(self, now_ns: int) -> Answer:
        del now_ns
        text = "Too much request weight used; current limit is 6000 request weight per 1 MINUTE."
        return json_answer({"code": -1003, "msg": text}, 429, (("Retry-After", "1"),))

    # --- books -------------------------------------------------------------------------------------------------------

    def publish(self, event: MarketEvent, now_ns: int) -> None:
        """Every change of a book has a number."""
        if event.symbol in self.update_ids:
            self._remember(event.symbol, now_ns)
            self.update_ids[event.symbol] += max(1, len(event.changes))
        super().publish(event, now_ns)

    def flush(self, now_ns: int) -> None:
        """Orders that have traded do not count as unfilled any more."""
        fills = self.engine.fills
        for fill in list(fills.values())[self._fills_seen :]:
            if self.engine.orders[fill.order_id].fills[0] == fill.exec_id:
                self.limits.filled(now_ns)
        self._fills_seen = len(fills)
        super().flush(now_ns)

    def _now(self, symbol: str) -> Depth:
        book = self.market.book(symbol)
        return self.update_ids[symbol], book.bids.top(len(book.bids)), book.asks.top(len(book.asks))

    def _remember(self, symbol: str, now_ns: int) -> None:
        """While depth is to be stale: a book every so often, the last two of them."""
        stale = self.faults.active("stale_depth", now_ns - self.started_ns)
        if stale is None:
            return
        kept = self._old.setdefault(symbol, [])
        if not kept or now_ns - kept[-1][0] >= stale.number * MS:
            kept.append((now_ns, self._now(symbol)))
            del kept[: -KEPT - 1]

    def depth_of(self, symbol: str, now_ns: int) -> Depth:
        """A book with the number of its last change."""
        if self.faults.active("stale_depth", now_ns - self.started_ns) is not None and self._old.get(symbol):
            return self._old[symbol][0][1]
        return self._now(symbol)

    def coins(self) -> list[dict[str, Any]]:
        """capital/config/getall, as little of it as says what there is."""
        return [
            {
                "coin": asset, "depositAllEnable": True, "free": "0", "freeze": "0", "ipoable": "0", "ipoing": "0",
                "isLegalMoney": False, "locked": "0", "name": asset, "networkList": [], "storage": "0",
                "trading": True, "withdrawAllEnable": True, "withdrawing": "0",
            }
            for asset in self.engine.account.balances
        ]  # fmt: skip
