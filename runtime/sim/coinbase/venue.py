"""The simulated Coinbase Advanced Trade: one account, one market, sockets and REST (venues.md 2). Sans I/O.

Pure and deterministic by seed: time comes in with every call. From the sheet alone; shares no code with the connector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from runtime.sim.coinbase.connection import CoinbaseConnection
from runtime.sim.coinbase.jwt import Access
from runtime.sim.coinbase.names import Names
from runtime.sim.coinbase.rest import BASE, Rest, too_many
from runtime.sim.exchange.answer import Answer
from runtime.sim.exchange.faults import Kind
from runtime.sim.exchange.pairs import spot_pairs
from runtime.sim.exchange.rates import Window
from runtime.sim.exchange.rules import Ids, Rules, Uuids
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.market import NS, SimPair

CONNECTS: Final = 8
"""New sockets in a second (venues.md 2.1)."""
STEPS: Final = {"BTC": (2, 8), "ETH": (2, 8)}


class CoinbaseVenue(ExchangeVenue):
    """`key`, `secret`, `key_kind` (ES256 or EdDSA), `permissions` (view, trade, transfer): as `Access` takes them.

    `idle_close_s`: a socket to which nothing was told for so long is gone, 0 never. `limits`: whether rates are held;
    `limits_connects`: whether new sockets are counted, too. Orders on a USDC product are settled in USD. All
    other words are `ExchangeVenue`'s. Raises ValueError for what makes no sense.
    """

    NAME = "coinbase"
    PAIRS: ClassVar[tuple[SimPair, ...]] = (
        *spot_pairs("USD", STEPS, cost_min="1"), *spot_pairs("USDT", STEPS, cost_min="1"),
    )  # fmt: skip
    RULES = Rules(
        maker_ppm=4_000, taker_ppm=6_000, fee_in="quote", fee_decimals=10, post_only="refuse", client_ids="returns"
    )
    BALANCES: ClassVar[Mapping[str, str]] = {"USD": "1000000", "USDT": "1000000", "BTC": "10", "ETH": "200"}
    METHODS: ClassVar[Mapping[str, str]] = {
        "orders": "new", "orders/batch_cancel": "cancel", "orders/edit": "amend", "orders/historical/batch": "query",
        "orders/historical/fills": "query", "orders/historical": "query", "accounts": "balance",
        "products": "market", "product_book": "market",
    }  # fmt: skip
    EXTRA_FAULTS: ClassVar[Mapping[str, Kind]] = {
        "reorder_update": Kind("each VALUE-th message, where it is a book's, comes after the next of those", 10),
        "snapshot_before_ack": Kind("a subscription's first data come before the subscriptions message"),
        "refuse_whole": Kind("one product that is not listed refuses its whole message"),
        "counter_text": Kind("heartbeat counters are texts"),
        "snapshot_end": Kind("a user snapshot of exactly 50 orders a message ends with an empty one"),
        "merged_fills": Kind("fills of an order within VALUE ms are told as one update", 250),
    }
    LINKS: ClassVar[Mapping[str, str]] = {"public": "/market", "private": "/user", "rest": "", "calls": ""}

    def __init__(
        self, *, key: str = "", secret: str = "", key_kind: str = "ES256",
        permissions: tuple[str, ...] = ("view", "trade"), idle_close_s: int = 75, limits: bool = True,
        limits_connects: bool = False, **words: Any,
    ) -> None:  # fmt: skip
        self.idle_close_s, self.limits = idle_close_s, limits
        self._connects = Window(CONNECTS, NS) if limits_connects else None
        super().__init__(**words)
        self.access = Access(key, secret, seed=self.seed, kind=key_kind, permissions=permissions)
        self.names = Names(self.market.pairs)
        self._rest_side = Rest(self)

    @property
    def credentials(self) -> dict[str, str]:
        return {"key": self.access.key, "secret": self.access.secret, "passphrase": ""}

    def ids(self) -> Ids:
        """Orders and trades of the account are UUIDs."""
        return Uuids(self.seed)

    def socket(self, path: str) -> type[CoinbaseConnection] | None:
        """Both hosts."""
        return CoinbaseConnection if path.partition("?")[0].rstrip("/") in {"/market", "/user"} else None

    def rest_method(self, method: str, path: str) -> str:
        """The path below the API's, without an order's id."""
        del method
        name = path.removeprefix(BASE).removeprefix("market/").rstrip("/")
        head, slash, _ = name.rpartition("/")
        return head if slash and name not in self.METHODS and head in self.METHODS else name

    def limited(self, now_ns: int) -> Answer:
        """HTTP 429."""
        del now_ns
        return too_many()

    def refusal(self, now_ns: int, path: str = "") -> Answer | None:
        """What a new socket is answered instead of being accepted."""
        refused = super().refusal(now_ns, path)
        if refused is None and self._connects is not None and not self._connects.take(1, now_ns):
            return self.limited(now_ns)
        return refused

    def answer(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, now_ns: int
    ) -> Answer:
        """REST."""
        return self._rest_side.handle(method, path, query, headers, body, now_ns)

    def status_of(self, symbol: str) -> str:
        """A product's state: the system's where that is not online."""
        return self.engine.system if self.engine.system != "online" else self.engine.pair_status[symbol]
