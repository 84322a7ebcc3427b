"""The market stream socket: /ws and /stream, raw and wrapped, followed by path or by messages (venues.md 3.1). Pure.

A stream that does not exist is acknowledged and stays silent.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance import frames
from runtime.sim.binance.life import Lived
from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.numbers import MS, dump, load
from runtime.sim.exchange.rates import Window
from runtime.sim.frames import Close
from runtime.sim.ladder import BookSide, Level
from runtime.sim.market import NS, MarketEvent, SimPair

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

MAX_STREAMS: Final = 1024
IN_A_SECOND: Final = 5
METHODS: Final = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")
DEPTH: Final = re.compile(r"depth(5|10|20)?(?:@(100|1000)ms)?")
TOO_MANY: Final = Close(1008, "Too many requests")
Touch = tuple[Level, Level]


class StreamConnection(Lived):
    """One socket of market data."""

    venue: BinanceVenue

    def opened(self, now_ns: int) -> None:
        """What the path names is followed at once."""
        super().opened(now_ns)
        path, _, query = self.path.partition("?")
        names = path.strip("/").split("/")
        given = next((part.removeprefix("streams=") for part in query.split("&") if part.startswith("streams=")), "")
        self.is_combined = names[0] == "stream"
        self._names: dict[str, tuple[str, str]] = {}  # stream → (our symbol, what)
        self._last: dict[str, int] = {}  # depth stream → the update id that was told last
        self._touch: dict[str, Touch] = {}
        self._moved: dict[str, set[tuple[BookSide, int]]] = {}  # depth stream → levels that were touched since
        self._said = Window(IN_A_SECOND, NS)
        self._aggregates = 0
        for stream in (given.split("/") if self.is_combined else names[1:]) if given or names[1:] else ():
            self._follow(stream, now_ns)

    # --- in ----------------------------------------------------------------------------------------------------------

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """A request of the client's: more than five a second, and the socket goes."""
        if not self._said.take(1, now_ns):
            self.end(TOO_MANY)
            return
        try:
            found = load(text)
        except ValueError as error:
            self._error(None, 3, f"Invalid JSON: {error}", now_ns)
            return
        number = found.get("id") if isinstance(found, dict) else None
        if not isinstance(found, dict) or found.get("method") not in METHODS:
            word = found.get("method") if isinstance(found, dict) else None
            known = ", ".join(f"`{name}`" for name in METHODS)
            self._error(number, 2, f"Invalid request: unknown variant `{word}`, expected one of {known}", now_ns)
            return
        self._do(str(found["method"]), found.get("params"), number, now_ns)

    def pong(self, payload: bytes, now_ns: int) -> None:
        """It counts as a message, too."""
        super().pong(payload, now_ns)
        if not self._said.take(1, now_ns):
            self.end(TOO_MANY)

    def _do(self, method: str, params: Any, number: Any, now_ns: int) -> None:
        if method == "LIST_SUBSCRIPTIONS":
            self._result(sorted(self._names), number, now_ns)
        elif method == "GET_PROPERTY":
            self._result(self.is_combined, number, now_ns)
        elif method == "SET_PROPERTY":
            self.is_combined = params == ["combined", True]
            self._result(None, number, now_ns)
        elif not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            self._error(number, 2, "Invalid request: params must be an array of strings", now_ns)
        elif method == "SUBSCRIBE":
            self._subscribe(params, number, now_ns)
        else:
            for stream in params:
                self._forget(stream)
            self._result(None, number, now_ns)

    def _subscribe(self, streams: list[str], number: Any, now_ns: int) -> None:
        if self.active("no_ack", now_ns):
            return
        if len({*self._names, *streams}) > MAX_STREAMS:
            self._error(number, 3, "Too many subscriptions", now_ns)
            return
        self._result(None, number, now_ns)
        for stream in streams:
            self._follow(stream, now_ns)

    def _result(self, result: Any, number: Any, now_ns: int) -> None:
        self.send(dump({"result": result, "id": number}), now_ns)

    def _error(self, number: Any, code: int, message: str, now_ns: int) -> None:
        self.send(dump({"error": {"code": code, "msg": message}, "id": number}), now_ns)

    # --- what is followed --------------------------------------------------------------------------------------------

    def _follow(self, stream: str, now_ns: int) -> None:
        name, _, what = stream.partition("@")
        pair = self.venue.symbols.get(name.upper()) if name == name.lower() else None
        if pair is None or self.refuses(pair.symbol, now_ns) or stream in self._names:
            return  # acknowledged, and silent for ever
        self._names[stream] = (pair.symbol, what)
        depth = DEPTH.fullmatch(what)
        if depth is not None:
            view = self.views[stream] = BookView(self.venue.market.book(pair.symbol), int(depth[1] or 0))
            view.advance()
            self._last[stream] = self.venue.update_ids[pair.symbol]
            if depth[1]:  # a window is told as it stands, changed or not
                self.at(stream, now_ns, lambda at_ns: self._push(stream, at_ns))
        elif what in {"ticker", "miniTicker"}:
            self.at(stream, now_ns + NS, lambda at_ns: self._tick(stream, at_ns))
        elif what == "bookTicker":
            book = self.venue.market.book(pair.symbol)
            self._touch[stream] = (book.bids.top(1)[0], book.asks.top(1)[0])

    def _forget(self, stream: str) -> None:
        self._names.pop(stream, None)
        self.views.pop(stream, None)
        self._last.pop(stream, None)
        self._moved.pop(stream, None)
        self.unset(stream)

    def _interval(self, stream: str) -> int:
        return (100 if stream.endswith("@100ms") else 1000) * MS

    def _tell(self, stream: str, event: dict[str, Any], now_ns: int) -> None:
        self.send(dump({"stream": stream, "data": event} if self.is_combined else event), now_ns)

    # --- what the market does ----------------------------------------------------------------------------------------

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """Trades and the touch at once, books in their time."""
        for stream, (symbol, what) in list(self._names.items()):
            if symbol != event.symbol:
                continue
            if stream in self.views:
                self._moved.setdefault(stream, set()).update((change.side, change.price) for change in event.changes)
                if not self.is_set(stream):
                    self.at(stream, now_ns + self._interval(stream), lambda at_ns, name=stream: self._push(name, at_ns))  # type: ignore[misc]
            elif what == "trade":
                for made in event.trades:
                    self._tell(stream, frames.trade(self.venue.pairs[symbol], made, self.venue.clock(now_ns)), now_ns)
            elif what == "aggTrade":
                self._aggregate(stream, event, now_ns)
            elif what == "bookTicker":
                self._best(stream, self.venue.pairs[symbol], now_ns)

    def _aggregate(self, stream: str, event: MarketEvent, now_ns: int) -> None:
        by_price: dict[int, list[Any]] = {}
        for made in event.trades:
            by_price.setdefault(made.price, []).append(made)
        for trades in by_price.values():
            self._aggregates += 1
            pair, at_ns = self.venue.pairs[event.symbol], self.venue.clock(now_ns)
            self._tell(stream, frames.agg_trade(pair, trades, self._aggregates, at_ns), now_ns)

    def _best(self, stream: str, pair: SimPair, now_ns: int) -> None:
        book = self.venue.market.book(pair.symbol)
        touch = (book.bids.top(1)[0], book.asks.top(1)[0])
        if touch != self._touch.get(stream):
            self._touch[stream] = touch
            self._tell(stream, frames.book_ticker(pair, *touch, self.venue.update_ids[pair.symbol]), now_ns)

    def _push(self, stream: str, now_ns: int) -> None:
        """A book's changes since the last message, or its window."""
        view, symbol = self.views[stream], self._names[stream][0]
        pair, last = self.venue.pairs[symbol], self.venue.update_ids[symbol]
        sides, is_fresh = view.advance(), view.is_fresh
        if view.depth:
            if not self.active("book_off", now_ns) and not self.is_quiet(now_ns):
                self._tell(stream, frames.partial(pair, view, last), now_ns)
            return
        if last == self._last[stream]:
            return
        self._add_touched(stream, view, sides)
        view.is_fresh = False
        first, self._last[stream] = self._last[stream] + 1, last
        event = frames.depth_update(pair, first, max(first, last), sides, self.venue.clock(now_ns))
        for _ in range(self.copies(now_ns, fresh=is_fresh)):
            self._tell(stream, event, now_ns)

    def _add_touched(self, stream: str, view: BookView, sides: tuple[list[Level], list[Level]]) -> None:
        """A level that was touched is told, though it is what it was, or was never there for who follows."""
        for name, side, ladder in (("bid", sides[0], view.book.bids), ("ask", sides[1], view.book.asks)):
            told = {price for price, _ in side}
            more = sorted(price for at, price in self._moved.get(stream, ()) if at == name and price not in told)
            side += [(price, ladder.qty(price)) for price in more]
        self._moved.pop(stream, None)

    def _tick(self, stream: str, now_ns: int) -> None:
        symbol, what = self._names[stream]
        pair, book, history = self.venue.pairs[symbol], self.venue.market.book(symbol), self.venue.history[symbol]
        at_ns = self.venue.clock(now_ns)
        if what == "ticker":
            touch = (book.bids.top(1)[0], book.asks.top(1)[0])
            self._tell(stream, frames.ticker(pair, history, *touch, at_ns), now_ns)
        else:
            self._tell(stream, frames.mini_ticker(pair, history, at_ns), now_ns)
        self.at(stream, now_ns + NS, lambda due_ns: self._tick(stream, due_ns))
