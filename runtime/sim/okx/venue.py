"""The simulated OKX: one account, one spot market, public and private sockets, REST (venues.md 4). Sans I/O.

Pure and deterministic by seed: time comes in with every call. From the sheet alone; shares no code with the connector.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import msgspec

from runtime.sim.exchange.answer import Answer
from runtime.sim.exchange.faults import Kind
from runtime.sim.exchange.order import Order
from runtime.sim.exchange.pairs import spot_pairs
from runtime.sim.exchange.rates import Window
from runtime.sim.exchange.rules import Ids, Numbers, Rules
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.market import NS, MarketEvent, SimPair
from runtime.sim.okx import private
from runtime.sim.okx.access import Access
from runtime.sim.okx.books import EVERY_NS, Feed
from runtime.sim.okx.connection import OkxConnection
from runtime.sim.okx.names import Names, instrument_row
from runtime.sim.okx.rates import Rates
from runtime.sim.okx.rest import BASE, OPS, Rest, too_often
from runtime.sim.okx.words import NEUTRAL

CONNECTS: Final = 3
"""New sockets in a second (venues.md 4.1)."""
PATHS: Final = ("/ws/v5/public", "/ws/v5/private")


class OkxVenue(ExchangeVenue):
    """`key`, `secret`, `passphrase`, `permissions` (read_only, trade, withdraw): as `Access` takes them.

    `checksum`: `dead`, 0 in every book, or `legacy`, by the rule of older days. `idle_close_s`: silence after which a
    socket is closed with 4004, 0 never. `limits`: whether rates are held; `limits_connects`: whether new
    sockets are counted, too. All other words are `ExchangeVenue`'s. Raises ValueError for what makes no sense.
    """

    NAME = "okx"
    PAIRS: ClassVar[tuple[SimPair, ...]] = tuple(
        msgspec.structs.replace(pair, cost_min=0)  # OKX has no minimum notional (venues.md 4.3)
        for pair in spot_pairs("USDT", {"BTC": (1, 8), "ETH": (2, 6)}, qty_min={"BTC": 1_000, "ETH": 100})
    )
    RULES = Rules(
        maker_ppm=800, taker_ppm=1_000, fee_in="received", fee_decimals=10, post_only="cancel", client_ids="open",
        stp="cancel_oldest", amend_below="refuse",
    )  # fmt: skip
    BALANCES: ClassVar[Mapping[str, str]] = {"USDT": "1000000", "BTC": "10", "ETH": "200"}
    METHODS: ClassVar[Mapping[str, str]] = {
        **NEUTRAL, "subscribe": "subscribe", "login": "login", "ping": "ping", "trade/orders-pending": "query",
        "trade/orders-history": "query", "trade/fills": "query", "trade/fills-history": "query",
        "trade/order": "query", "account/balance": "balance", "account/config": "login",
        "public/instruments": "market", "market/books": "market", "public/time": "market",
    }  # fmt: skip
    EXTRA_FAULTS: ClassVar[Mapping[str, Kind]] = {
        "sequence_reset": Kind("once: maintenance renumbers the books, a seqId is smaller than its prevSeqId", None, 1),
        "corrupt_checksum": Kind("a wrong checksum in each VALUE-th book update", 10),
        "reorder_update": Kind("each VALUE-th book update comes after the one that follows it", 10),
        "notice": Kind("once: an upgrade is announced, the socket is closed VALUE s later", 60, 1, each=True),
        "amend_fails": Kind("an amendment is acknowledged, then fails on the orders channel", None, 1),
    }
    LINKS: ClassVar[Mapping[str, str]] = {
        "public": "/ws/v5/public", "private": "/ws/v5/private", "rest": "", "calls": "",
    }  # fmt: skip

    def __init__(
        self, *, key: str = "", secret: str = "", passphrase: str = "",
        permissions: tuple[str, ...] = ("read_only", "trade"), checksum: str = "dead", idle_close_s: int = 30,
        limits: bool = True, limits_connects: bool = False, **words: Any,
    ) -> None:  # fmt: skip
        if checksum not in {"dead", "legacy"}:
            raise ValueError(f"no checksum {checksum!r}; there are dead, legacy")
        self.idle_close_s, self.limits = idle_close_s, limits
        self._connects = Window(CONNECTS, NS) if limits_connects else None
        self._is_legacy = checksum == "legacy"
        self._feeds: dict[str, Feed] = {}
        self._publishes = False
        self.tag_timers: dict[str, int] = {}
        super().__init__(**words)
        self.access = Access(key, secret, passphrase, seed=self.seed, permissions=permissions)
        self.names = Names(self.market.pairs)
        self.rates = Rates(is_held=limits)
        self._rest_side = Rest(self)

    @property
    def credentials(self) -> dict[str, str]:
        return {"key": self.access.key, "secret": self.access.secret, "passphrase": self.access.passphrase}

    def ids(self) -> Ids:
        """Whole numbers that rise."""
        return Numbers(self.seed, 18)

    def socket(self, path: str) -> type[OkxConnection] | None:
        """The public and the private one."""
        return OkxConnection if path.partition("?")[0].rstrip("/") in PATHS else None

    def rest_method(self, method: str, path: str) -> str:
        """The path below /api/v5; orders by the socket's words."""
        name = path.removeprefix(BASE)
        return OPS[name] if method == "POST" and name in OPS else name

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

    def limited(self, now_ns: int) -> Answer:
        """HTTP 429."""
        del now_ns
        return too_often()

    def instrument(self, symbol: str) -> dict[str, Any]:
        """An instrument in its present state: the system's where that is not online."""
        status = self.engine.system if self.engine.system != "online" else self.engine.pair_status[symbol]
        return instrument_row(self.names, self.pairs[symbol], status)

    # --- books --------------------------------------------------------------------------------------------------------

    def feed(self, symbol: str, now_ns: int) -> Feed:
        """What is published of a symbol's book."""
        if symbol not in self._feeds:
            self._feeds[symbol] = Feed(self.market.book(symbol), self.seed, now_ns)
        return self._feeds[symbol]

    def checksum(self, feed: Feed) -> int:
        """What books carry: 0, as the venue has it fixed, or the older rule's."""
        return feed.checksum() if self._is_legacy else 0

    def follow(self, symbol: str, now_ns: int, newcomer: OkxConnection) -> Feed:
        """Somebody subscribes a book: those who have it are told the latest, so that all stand at one seqId."""
        feed = self.feed(symbol, now_ns)
        self._tell_books([symbol], now_ns, newcomer)
        if not self._publishes:
            self._publishes = True
            self.later((now_ns // EVERY_NS + 1) * EVERY_NS, self._publish_books)
        return feed

    def publish(self, event: MarketEvent, now_ns: int) -> None:
        """A book moved: the next publication has to look at it."""
        if event.symbol in self._feeds:
            self._feeds[event.symbol].has_moved = True
        super().publish(event, now_ns)

    def _followers(self) -> list[OkxConnection]:
        return [one for one in self.connections if isinstance(one, OkxConnection)]

    def _publish_books(self, now_ns: int) -> None:
        """Every 100 ms while anybody listens."""
        wanted = [name for name in self._feeds if any(f"books {name}" in one.channels for one in self._followers())]
        self._tell_books(wanted, now_ns, None)
        self._publishes = bool(wanted)
        if wanted:
            self.later((now_ns // EVERY_NS + 1) * EVERY_NS, self._publish_books)

    def _tell_books(self, symbols: list[str], now_ns: int, newcomer: OkxConnection | None) -> None:
        reset = self.faults.fires("sequence_reset", now_ns - self.started_ns) if newcomer is None and symbols else None
        for symbol in symbols:
            feed = self._feeds[symbol]
            update = feed.publish(now_ns, reset)
            for follower in self._followers() if update is not None else ():
                if update is not None and follower is not newcomer:
                    follower.on_book(symbol, update, self.checksum(feed), now_ns)

    # --- orders -------------------------------------------------------------------------------------------------------

    def amend_failed(self, order: Order, req_id: str, *, ends: bool) -> None:
        """An amendment that was acknowledged does not come about; `ends`: the order goes with it (cxlOnFail)."""
        standing = order.copy()

        def tell(now_ns: int) -> None:
            for one in self._followers():
                for key in ("orders", f"orders {self.names.ids[order.spec.symbol]}"):
                    if key in one.channels:
                        one.news([private.failed_amend_frame(one, one.channels[key], standing, req_id)], now_ns)
            if ends and order.is_open:
                self.engine.cancel(order, now_ns, "amend")

        self.desk.later.append(tell)

    def arm(self, tag: str, seconds: int, now_ns: int) -> int:
        """The dead man's switch of the account, or of a tag's orders; when it would fire, 0 for never."""
        if not tag:
            return self.engine.arm(seconds, now_ns)
        self.tag_timers.pop(tag, None)
        if seconds:
            self.tag_timers[tag] = due_ns = now_ns + seconds * NS
            self.later(due_ns, self._fire(tag, due_ns))
        return self.tag_timers.get(tag, 0)

    def _fire(self, tag: str, due_ns: int) -> Callable[[int], None]:
        def fire(now_ns: int) -> None:
            if self.tag_timers.get(tag) == due_ns:
                del self.tag_timers[tag]
                for order in [one for one in self.engine.open.values() if one.spec.extra.get("tag") == tag]:
                    self.engine.cancel(order, now_ns, "timer")

        return fire
