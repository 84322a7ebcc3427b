"""One client's socket at the simulated Coinbase: subscriptions, books, batches, beats (venues.md 2.1, 2.2). Pure.

A first subscription has to come within 5 s. Each message names one channel; with a wrong token it is refused, without
one all but `user` are open to anybody. All messages share one counter, whatever is left out by a fault counts too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from runtime.sim.coinbase import frames
from runtime.sim.coinbase.jwt import Unauthorized
from runtime.sim.coinbase.names import product_id
from runtime.sim.coinbase.user import order_row, updates_of
from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.connection import CUT, ExchangeConnection
from runtime.sim.exchange.numbers import load
from runtime.sim.frames import Close
from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, MarketEvent

if TYPE_CHECKING:
    from runtime.sim.coinbase.venue import CoinbaseVenue
    from runtime.sim.exchange.order import Told

MS: Final = 1_000_000
FIRST_NS: Final = 5 * NS
BATCH_NS: Final = 250 * MS
TICKER_BATCH_NS: Final = 5 * NS
PAGE: Final = 50
"""Orders of one message of the user channel's snapshot."""
PER_PRODUCT: Final = frozenset({"level2", "market_trades", "ticker", "ticker_batch", "candles", "status"})
USER_HOST: Final = frozenset({"user", "heartbeats", "futures_balance_summary"})
CHANNELS: Final = PER_PRODUCT | {"user", "heartbeats"}
DENIED: Final = "authentication failure"


class CoinbaseConnection(ExchangeConnection):
    """Made by the venue; the user host's paths begin with /user, every other is the market host's."""

    venue: CoinbaseVenue

    def opened(self, now_ns: int) -> None:
        self.is_user_host = self.path.startswith("/user")
        self.subscribed: dict[str, list[str]] = {}
        self.books: dict[str, BookView] = {}
        self.sequence = self._beats = 0
        self._fed_ns = now_ns
        self._trades: dict[str, list[SimTrade]] = {}
        self._moved: set[str] = set()
        self._merged: dict[str, list[str]] = {}
        self._kept: list[str] = []
        self._unsigned: list[int] = []
        self.at("first", now_ns + FIRST_NS, self._too_late)
        if self.venue.idle_close_s:
            self.at("idle", now_ns + self.venue.idle_close_s * NS, self._idle)

    # --- numbers ----------------------------------------------------------------------------------------------------

    def stamp(self, frame: str) -> str:
        """The number of a message as it leaves."""
        if not frames.is_unnumbered(frame):
            return frame
        self._fed_ns = self.venue.now_ns
        self.sequence += 1
        return frames.numbered(frame, self.sequence - 1)

    def skipped(self) -> None:
        """A message was lost on the way: its number is missing."""
        self.sequence += 1

    # --- requests ---------------------------------------------------------------------------------------------------

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """Answers one message of the client."""
        try:
            asked = load(text)
        except ValueError:
            asked = None
        if not isinstance(asked, dict) or asked.get("type") not in {"subscribe", "unsubscribe"}:
            self._refuse("invalid message: type is subscribe or unsubscribe", now_ns)
            return
        if "jwt" not in asked and not self._may_ask(now_ns):
            self._refuse("rate limit exceeded", now_ns)
            return
        adding, channel = asked["type"] == "subscribe", asked.get("channel")
        served = USER_HOST if self.is_user_host else CHANNELS
        if not isinstance(channel, str) or channel not in served:
            self._refuse(f"channel {channel!r} is not supported here", now_ns)
            return
        if self._is_denied(channel, asked.get("jwt"), now_ns):
            self._refuse(DENIED, now_ns)
            return
        ids = asked.get("product_ids", [])
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            self._refuse("product_ids is a list of product ids", now_ns)
            return
        if adding:
            self._subscribe(channel, ids, now_ns)
        else:
            self._unsubscribe(channel, ids, now_ns)

    def _may_ask(self, now_ns: int) -> bool:
        """Eight messages without a token in a second."""
        self._unsigned = [at_ns for at_ns in self._unsigned if at_ns > now_ns - NS] + [now_ns]
        return not self.venue.limits or len(self._unsigned) <= 8

    def _is_denied(self, channel: str, token: object, now_ns: int) -> bool:
        if token is not None and self.fires("login_refused", now_ns, "subscribe"):
            return True
        if token is None:
            return channel in {"user", "futures_balance_summary"}
        try:
            self.venue.access.check(token, self.venue.clock(now_ns))
        except Unauthorized:
            return True
        return channel == "user" and "view" not in self.venue.access.permissions

    def _refuse(self, text: str, now_ns: int) -> None:
        self.send(frames.error(text), now_ns)

    def _subscribe(self, channel: str, ids: list[str], now_ns: int) -> None:
        if channel != "heartbeats" and self.active("no_ack", now_ns):
            self.unset("first")
            return
        names, bad = self.venue.names, []
        if channel in PER_PRODUCT or channel == "user":
            bad = [name for name in ids if not names.symbol(name) or self.refuses(names.symbol(name), now_ns)]
        if channel in PER_PRODUCT - {"status"} and not ids:
            self._refuse("product_ids are required", now_ns)
            return
        for name in bad:
            self._refuse(f"{name} is not a valid product", now_ns)
        good = [name for name in ids if name not in bad]
        if bad and (not good or self.active("refuse_whole", now_ns)):
            return
        self.unset("first")
        held = self.subscribed.setdefault(channel, [])
        fresh = [name for name in good if name not in held]
        held += fresh
        before = self.active("snapshot_before_ack", now_ns) is not None
        if not before:
            self._tell_subscriptions(now_ns)
        self._begin(channel, fresh, now_ns)
        if before:
            self._tell_subscriptions(now_ns)

    def _unsubscribe(self, channel: str, ids: list[str], now_ns: int) -> None:
        held = self.subscribed.get(channel, [])
        left = [name for name in held if ids and name not in ids]
        if left:
            self.subscribed[channel] = left
        else:
            self.subscribed.pop(channel, None)
        if channel == "level2":
            for symbol in [name for name in self.books if not self._product("level2", name)]:
                del self.books[symbol], self.views[symbol]
        if channel == "heartbeats":
            self.unset("beat")
        self._tell_subscriptions(now_ns)

    def _tell_subscriptions(self, now_ns: int) -> None:
        told = {channel: list(ids) for channel, ids in self.subscribed.items()}
        self.send(frames.message("subscriptions", [{"subscriptions": told}], self.venue.clock(now_ns)), now_ns)

    # --- what a channel begins with -----------------------------------------------------------------------------------

    def _begin(self, channel: str, ids: list[str], now_ns: int) -> None:
        at_ns = self.venue.clock(now_ns)
        if channel == "heartbeats":
            self.at("beat", now_ns + NS, self._beat)
        elif channel == "user":
            self._user_snapshot(now_ns)
        elif channel == "status":
            self.send(frames.message("status", [{"type": "snapshot", "products": self._status_rows()}], at_ns), now_ns)
        elif channel == "ticker_batch":
            self.at("ticker_batch", now_ns + TICKER_BATCH_NS, self._ticker_batch)
        elif channel == "candles":
            self.at("candles", now_ns + NS, self._candles)
        for symbol in dict.fromkeys(self.venue.names.symbol(name) for name in ids):
            self._begin_product(channel, symbol, now_ns)

    def _begin_product(self, channel: str, symbol: str, now_ns: int) -> None:
        venue, at_ns = self.venue, self.venue.clock(now_ns)
        pair, product = venue.pairs[symbol], venue.names.product(symbol)
        if channel == "level2":
            view = self.books[symbol] = self.views[symbol] = BookView(venue.market.book(symbol), 0)
            sides = view.advance()
            if not self.is_quiet(now_ns):
                self.send(frames.book_message(product, pair, "snapshot", sides, at_ns), now_ns)
        elif channel == "market_trades":
            last = list(venue.market.book(symbol).trades)
            self.send(frames.trades_message(product, pair, "snapshot", last, at_ns), now_ns)
        elif channel in {"ticker", "ticker_batch"}:
            self._tell_tickers(channel, "snapshot", [symbol], now_ns)
        elif channel == "candles":
            rows = frames.candle_rows(product, pair, venue.history[symbol].candles(5))
            self.send(frames.message("candles", [{"type": "snapshot", "candles": rows}], at_ns), now_ns)

    def _product(self, channel: str, symbol: str) -> str:
        """The product of a symbol as this channel calls it, "" where it is not subscribed."""
        names = self.venue.names
        held = self.subscribed.get(channel, ())
        return names.product(symbol) if any(names.symbol(name) == symbol for name in held) else ""

    # --- what the market does -----------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """Trades wait for their batch; the book and the ticker follow at once."""
        symbol = event.symbol
        if event.trades:
            self._moved.add(symbol)
            if self._product("market_trades", symbol):
                if not self._trades:
                    self.at("trades", (now_ns // BATCH_NS + 1) * BATCH_NS, self._trade_batch)
                self._trades.setdefault(symbol, []).extend(event.trades)
            if self._product("ticker", symbol):
                self._tell_tickers("ticker", "update", [symbol], now_ns)
        if symbol in self.books:
            self._book(symbol, now_ns)

    def _book(self, symbol: str, now_ns: int) -> None:
        venue, view = self.venue, self.books[symbol]
        sides = view.advance()
        if not sides[0] and not sides[1]:
            return
        fresh, view.is_fresh = view.is_fresh, False
        times = self.copies(now_ns, fresh=fresh)
        if not times:
            return
        product, at_ns = venue.names.product(symbol), venue.clock(now_ns)
        frame = frames.book_message(product, venue.pairs[symbol], "update", sides, at_ns)
        late = self.active("reorder_update", now_ns)
        if times == 1 and late is not None and late.number > 0 and self.sequence % late.number == 0:
            self._kept.append(self.stamp(frame))
            return
        if times > 1:
            frame = self.stamp(frame)
        for _ in range(times):
            self.send(frame, now_ns)
        while self._kept:
            self.send(self._kept.pop(), now_ns)

    def _trade_batch(self, now_ns: int) -> None:
        waiting, self._trades = self._trades, {}
        for symbol, trades in waiting.items():
            product = self._product("market_trades", symbol)
            if product:
                at_ns = self.venue.clock(now_ns)
                self.send(frames.trades_message(product, self.venue.pairs[symbol], "update", trades, at_ns), now_ns)

    def _tell_tickers(self, channel: str, kind: str, symbols: list[str], now_ns: int) -> None:
        venue, rows = self.venue, []
        for symbol in symbols:
            book, history = venue.market.book(symbol), venue.history[symbol]
            product = venue.names.product(symbol)
            rows.append(frames.ticker_row(product, venue.pairs[symbol], book, history, with_best=channel == "ticker"))
        self.send(frames.message(channel, [{"type": kind, "tickers": rows}], venue.clock(now_ns)), now_ns)

    def _ticker_batch(self, now_ns: int) -> None:
        moved, self._moved = self._moved, set()
        symbols = sorted(symbol for symbol in moved if self._product("ticker_batch", symbol))
        if symbols:
            self._tell_tickers("ticker_batch", "update", symbols, now_ns)
        if "ticker_batch" in self.subscribed:
            self.at("ticker_batch", now_ns + TICKER_BATCH_NS, self._ticker_batch)

    def _candles(self, now_ns: int) -> None:
        names, venue = self.venue.names, self.venue
        for symbol in dict.fromkeys(names.symbol(name) for name in self.subscribed.get("candles", ())):
            rows = frames.candle_rows(names.product(symbol), venue.pairs[symbol], venue.history[symbol].candles(5)[-1:])
            event = {"type": "update", "candles": rows}
            self.send(frames.message("candles", [event], venue.clock(now_ns)), now_ns)
        if "candles" in self.subscribed:
            self.at("candles", now_ns + NS, self._candles)

    # --- the account --------------------------------------------------------------------------------------------------

    def _follows(self, product: str) -> bool:
        held = self.subscribed.get("user")
        return held is not None and (not held or product in held)

    def _user_snapshot(self, now_ns: int) -> None:
        """Open orders, fifty a message; the last has fewer, or is the fiftieth itself (fault `snapshot_end`)."""
        venue = self.venue
        open_ = [order for order in venue.engine.open.values() if self._follows(product_id(order))]
        rows = [order_row(order, "OPEN") for order in open_]
        pages = [rows[at : at + PAGE] for at in range(0, len(rows), PAGE)] or [[]]
        if len(pages[-1]) == PAGE and self.active("snapshot_end", now_ns):
            pages.append([])
        for page in pages:
            event = {"type": "snapshot", "orders": page}
            self.send(frames.message("user", [event], venue.clock(now_ns)), now_ns)

    def told_frames(self, told: Told, now_ns: int) -> list[str]:
        """The order's cumulative state after it; with the fault `merged_fills` fills wait for each other."""
        if not self._follows(product_id(told.order)):
            return []
        made = [
            frames.message("user", [{"type": "update", "orders": [row]}], self.venue.clock(now_ns))
            for row in updates_of(told)
        ]
        order_id = told.order.order_id
        merged = self.active("merged_fills", now_ns)
        if told.kind == "trade" and merged is not None:
            if order_id not in self._merged:
                self.at(
                    f"fills {order_id}", now_ns + merged.number * MS, lambda at_ns: self._tell_merged(order_id, at_ns)
                )
            self._merged[order_id] = made
            return []
        if self._merged.pop(order_id, None) is not None:
            self.unset(f"fills {order_id}")
        return made

    def _tell_merged(self, order_id: str, now_ns: int) -> None:
        for frame in self._merged.pop(order_id, ()):
            self.send(frame, now_ns)

    # --- time -------------------------------------------------------------------------------------------------------

    def _beat(self, now_ns: int) -> None:
        self._beats += 1
        if not self.active("heartbeat_off", now_ns):
            as_text = self.active("counter_text", now_ns) is not None
            self.send(frames.heartbeat(self._beats, self.venue.clock(now_ns), as_text=as_text), now_ns)
        self.at("beat", now_ns + NS, self._beat)

    def _too_late(self, now_ns: int) -> None:
        del now_ns
        self.end(Close(1008, "no subscribe message within 5 s"))

    def _idle(self, now_ns: int) -> None:
        """Nothing was told for a long time: the socket is gone, as quiet books lose it (ccxt PR #22892)."""
        idle_ns = self.venue.idle_close_s * NS
        if now_ns - self._fed_ns >= idle_ns:
            self.end(CUT)
        else:
            self.at("idle", self._fed_ns + idle_ns, self._idle)

    def _status_rows(self) -> list[dict[str, str]]:
        venue = self.venue
        return [
            frames.status_row(venue.names.product(symbol), pair, venue.status_of(symbol))
            for symbol, pair in venue.pairs.items()
        ]

    def status_frames(self, word: str, now_ns: int) -> list[str]:
        """What the status channel tells when the system changes; the word stands in each row."""
        del word
        if "status" not in self.subscribed:
            return []
        event = {"type": "update", "products": self._status_rows()}
        return [frames.message("status", [event], self.venue.clock(now_ns))]
