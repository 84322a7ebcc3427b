"""The simulated Bybit: public, private and trade sockets and REST over one account and one market. Pure.

From venues.md, section 5, and the official documentation alone (bybit-exchange.github.io/docs/v5).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from runtime.sim.bybit import rows
from runtime.sim.bybit.access import Access
from runtime.sim.bybit.limits import Limits
from runtime.sim.bybit.orders import Orders
from runtime.sim.bybit.private import PrivateConnection
from runtime.sim.bybit.public import Public
from runtime.sim.bybit.rest import ROUTES, Rest
from runtime.sim.bybit.topics import PublicConnection
from runtime.sim.bybit.trade import TradeConnection
from runtime.sim.exchange.answer import Answer, json_answer
from runtime.sim.exchange.connection import ExchangeConnection
from runtime.sim.exchange.faults import Kind
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.pairs import spot_pairs
from runtime.sim.exchange.rules import Ids, Rules, Uuids
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.market import MarketEvent, SimPair, seeded

STEPS: Final = {"BTC": (2, 6), "ETH": (2, 5), "SOL": (2, 4), "DOGE": (5, 1)}
SOCKETS: Final[Mapping[str, type[ExchangeConnection]]] = {
    "/v5/public/spot": PublicConnection, "/v5/private": PrivateConnection, "/v5/trade": TradeConnection,
}  # fmt: skip


class BybitVenue(ExchangeVenue):
    """`limits`: calls in a second by method, where they are not the usual ones. `ip_limit`: HTTP in five seconds.

    `permissions`, `read_only`: what the key may. Raises ValueError for what makes no sense.
    """

    NAME: ClassVar[str] = "bybit"
    PAIRS: ClassVar[tuple[SimPair, ...]] = spot_pairs("USDT", STEPS)
    RULES: ClassVar[Rules] = Rules(
        maker_ppm=1000, taker_ppm=1000, fee_decimals=10, post_only="cancel", stp="none", client_ids="ever",
    )  # fmt: skip
    BALANCES: ClassVar[Mapping[str, str]] = {
        "USDT": "1000000", "BTC": "10", "ETH": "200", "SOL": "5000", "DOGE": "5000000",
    }  # fmt: skip
    METHODS: ClassVar[Mapping[str, str]] = {
        **{name: "market" if name.startswith("market") else "query" for name in ROUTES.values()},
        "order.create": "new", "order.create-batch": "new", "order.amend": "amend", "order.amend-batch": "amend",
        "order.cancel": "cancel", "order.cancel-batch": "cancel", "order.cancel-all": "cancel_all",
        "account.wallet-balance": "balance", "auth": "login",
    }  # fmt: skip
    LINKS: ClassVar[Mapping[str, str]] = {
        "public": "/v5/public/spot", "private": "/v5/private", "trade": "/v5/trade", "rest": "", "calls": "",
    }  # fmt: skip
    EXTRA_FAULTS: ClassVar[Mapping[str, Kind]] = {
        "restart": Kind("once: a book's next message is a snapshot whose u is 1", None, 1, each=True),
        "resnapshot": Kind("each VALUE-th book update is a snapshot", 10),
        "double_filled": Kind("an order that is filled is told twice, as if a cancel had raced the fill", None, 1),
    }

    def __init__(
        self, *, permissions: tuple[str, ...] = ("SpotTrade",), read_only: bool = False,
        limits: Mapping[str, int] | None = None, ip_limit: int = 600, **options: Any,
    ) -> None:  # fmt: skip
        self.sequences: dict[str, int] = {}
        self.limits = Limits(limits or {})
        now_ns = options.pop("now_ns", None)
        super().__init__(**options)
        rng = seeded(f"{self.seed}/bybit/sequences")
        self.sequences = {symbol: rng.randrange(10**9, 10**10) for symbol in self.pairs}
        self.symbols = {rows.symbol_of(pair): pair for pair in self.pairs.values()}
        self.access = Access(self.seed, permissions, read_only=read_only)
        self.orders = Orders(self)
        self.public = Public(self)
        self._rest = Rest(self, ip_limit)
        if now_ns is not None:
            self._start(now_ns)

    def ids(self) -> Ids:
        return Uuids(self.market.seed)

    @property
    def credentials(self) -> dict[str, str]:
        return {"key": self.access.key, "secret": self.access.secret}

    def socket(self, path: str) -> type[ExchangeConnection] | None:
        return SOCKETS.get(path.partition("?")[0].rstrip("/"))

    def rest_method(self, method: str, path: str) -> str:
        return ROUTES.get((method, path), f"{method} {path}")

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        return self._rest.handle(method, path, query, headers, body, now_ns)

    def limited(self, now_ns: int) -> Answer:
        told = {"retCode": 10006, "retMsg": "Too many visits. Exceeded the API Rate Limit.", "result": {}}
        return json_answer(told | {"retExtInfo": {}, "time": self.clock(now_ns) // MS})

    def publish(self, event: MarketEvent, now_ns: int) -> None:
        """Every change of a book has a number."""
        if event.symbol in self.sequences:
            self.sequences[event.symbol] += max(1, len(event.changes))
        super().publish(event, now_ns)

    def coins(self) -> list[dict[str, Any]]:
        """asset/coin/query-info, as little of it as says what there is."""
        chain = {
            "chainType": "simulated", "confirmation": "1", "withdrawFee": "0", "depositMin": "0", "withdrawMin": "0",
            "chain": "SIM", "chainDeposit": "0", "chainWithdraw": "0", "minAccuracy": "8",
            "withdrawPercentageFee": "0", "contractAddress": "",
        }  # fmt: skip
        return [
            {"name": asset, "coin": asset, "remainAmount": "0", "chains": [chain]}
            for asset in self.engine.account.balances
        ]
