"""The public spot socket: books of four depths, trades, tickers (venues.md 5.1, 5.2). Pure.

A snapshot may come before the answer to its subscription, and again at any time; `u` counts a topic's messages.
"""

from __future__ import annotations

import re
from typing import Any, Final

from runtime.sim.bybit import rows
from runtime.sim.bybit.public import trade_id
from runtime.sim.bybit.sockets import Socket
from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.numbers import MS, dump
from runtime.sim.ladder import Level
from runtime.sim.market import NS, MarketEvent

INTERVALS: Final = {1: 10 * MS, 50: 20 * MS, 200: 100 * MS, 1000: 200 * MS}
AGAIN_NS: Final = 3 * NS
"""A touch that does not change is pushed again."""
TICKER_NS: Final = 50 * MS
MAX_ARGS: Final = 10
MAX_CHARACTERS: Final = 21_000
TOPIC: Final = re.compile(r"(orderbook)\.(1|50|200|1000)\.([A-Z0-9]{1,20})|(publicTrade|tickers)\.([A-Z0-9]{1,20})")


class PublicConnection(Socket):
    """One socket of market data."""

    def opened(self, now_ns: int) -> None:
        """Nothing is followed yet."""
        super().opened(now_ns)
        self._topics: dict[str, tuple[str, str]] = {}  # topic → (what, our symbol)
        self._u: dict[str, int] = {}

    def do(self, op: str, request: dict[str, Any], now_ns: int) -> None:
        """ping, subscribe, unsubscribe."""
        args = request.get("args", [])
        if op == "ping":
            told = {"success": True, "ret_msg": "pong", "conn_id": self.conn_id} | self.echo(request) | {"op": "ping"}
            self.pong_frame(dump(told), now_ns)
        elif op not in {"subscribe", "unsubscribe"}:
            self.refuse(request, f"error:unknown op {op}", op, now_ns)
        elif not isinstance(args, list) or not args or not all(isinstance(arg, str) for arg in args):
            self.refuse(request, "Args should be array of strings", op, now_ns)
        elif op == "unsubscribe":
            for topic in args:
                self._forget(topic)
            self.agree(request, "", op, now_ns)
        else:
            self._subscribe(args, request, now_ns)

    def _subscribe(self, topics: list[str], request: dict[str, Any], now_ns: int) -> None:
        """All or none: one that is wrong fails the request."""
        if self.active("no_ack", now_ns):
            return
        if len(topics) > MAX_ARGS:
            self.refuse(request, "args size >10", "subscribe", now_ns)
            return
        if sum(len(topic) for topic in {*self._topics, *topics}) > MAX_CHARACTERS:
            self.refuse(request, "args too long", "subscribe", now_ns)
            return
        known = []
        for topic in topics:
            found = TOPIC.fullmatch(topic)
            if found is None:
                self.refuse(request, f"error:handler not found,topic:{topic}", "subscribe", now_ns)
                return
            pair = self.venue.symbols.get(found[3] or found[5])
            if pair is None or self.refuses(pair.symbol, now_ns):
                self.refuse(request, f"Invalid symbol :[{topic}]", "subscribe", now_ns)
                return
            if topic in self._topics:
                self.refuse(request, f"error:topic:{topic},already subscribed", "subscribe", now_ns)
                return
            known.append((topic, found[1] or found[4], int(found[2] or 0), pair.symbol))
        is_first = bool(self.rng.randrange(2))
        if not is_first:
            self.agree(request, "subscribe", "subscribe", now_ns)
        for topic, what, depth, symbol in known:
            self._follow(topic, what, depth, symbol, now_ns)
        if is_first:
            self.agree(request, "subscribe", "subscribe", now_ns)

    # --- what is followed --------------------------------------------------------------------------------------------

    def _follow(self, topic: str, what: str, depth: int, symbol: str, now_ns: int) -> None:
        self._topics[topic] = (what, symbol)
        if what == "orderbook":
            view = self.views[topic] = BookView(self.venue.market.book(symbol), depth)
            view.advance()
            self._u[topic] = self.venue.sequences[symbol]
            self._snapshot(topic, now_ns)
        elif what == "tickers":
            self._ticker(topic, now_ns)

    def _forget(self, topic: str) -> None:
        self._topics.pop(topic, None)
        self.views.pop(topic, None)
        self.unset(topic)
        self.unset(("again", topic))

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """Trades at once, all else in its time."""
        for topic, (what, symbol) in list(self._topics.items()):
            if symbol != event.symbol:
                continue
            if what == "publicTrade" and event.trades:
                self._trades(topic, event, now_ns)
            elif what == "tickers" and event.trades and not self.is_set(topic):
                self.at(topic, now_ns + TICKER_NS, lambda at_ns, name=topic: self._ticker(name, at_ns))  # type: ignore[misc]
            elif what == "orderbook" and not self.is_set(topic):
                due_ns = now_ns + INTERVALS[self.views[topic].depth]
                self.at(topic, due_ns, lambda at_ns, name=topic: self._push(name, at_ns))  # type: ignore[misc]

    def _trades(self, topic: str, event: MarketEvent, now_ns: int) -> None:
        pair, at = self.venue.pairs[event.symbol], self.venue.clock(now_ns) // MS
        data = [
            {
                "T": trade.ts_ns // MS, "s": rows.symbol_of(pair), "S": trade.side.capitalize(),
                "v": rows.qty(pair, trade.qty), "p": rows.price(pair, trade.price), "i": trade_id(trade), "BT": False,
                "RPI": False, "seq": self.venue.sequences[event.symbol],
            }
            for trade in event.trades
        ]  # fmt: skip
        self.send(dump({"topic": topic, "type": "snapshot", "ts": at, "data": data}), now_ns)

    def _ticker(self, topic: str, now_ns: int) -> None:
        symbol, at = self._topics[topic][1], self.venue.clock(now_ns) // MS
        told = {"topic": topic, "ts": at, "type": "snapshot", "cs": self.venue.sequences[symbol]}
        self.send(dump(told | {"data": rows.day(self.venue, self.venue.pairs[symbol])}), now_ns)

    # --- books -------------------------------------------------------------------------------------------------------

    def _push(self, topic: str, now_ns: int) -> None:
        """What changed since the last message: a delta; of the touch a snapshot, the same one again after 3 s."""
        view = self.views[topic]
        bids, asks = view.advance()
        restarted, every = self.fires("restart", now_ns), self.active("resnapshot", now_ns)
        if not bids and not asks and not restarted:
            if view.depth == 1:
                self._snapshot(topic, now_ns)
            return
        self._u[topic] = 1 if restarted else self._u[topic] + 1
        if view.depth == 1 or restarted or (every and every.number and self._u[topic] % every.number == 0):
            self._snapshot(topic, now_ns)
            return
        frame = self._frame(topic, "delta", (bids, asks), now_ns)
        is_fresh, view.is_fresh = view.is_fresh, False
        for _ in range(self.copies(now_ns, fresh=is_fresh)):
            self.send(frame, now_ns)

    def _snapshot(self, topic: str, now_ns: int) -> None:
        view = self.views[topic]
        if view.depth == 1:
            self.at(("again", topic), now_ns + AGAIN_NS, lambda at_ns: self._push(topic, at_ns))
        if not self.is_quiet(now_ns) and not (self.active("book_off", now_ns) and not view.is_fresh):
            self.send(
                self._frame(topic, "snapshot", (list(view.bids.items()), list(view.asks.items())), now_ns), now_ns
            )

    def _frame(self, topic: str, kind: str, sides: tuple[list[Level], list[Level]], now_ns: int) -> str:
        symbol, at = self._topics[topic][1], self.venue.clock(now_ns) // MS
        pair = self.venue.pairs[symbol]
        data = {
            "s": rows.symbol_of(pair), "b": rows.levels(pair, sides[0]), "a": rows.levels(pair, sides[1]),
            "u": self._u[topic], "seq": self.venue.sequences[symbol],
        }  # fmt: skip
        return dump({"topic": topic, "ts": at, "type": kind, "data": data, "cts": at})
