"""Market data over REST (venues.md 5.2, 5.4). Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.bybit import forms, rows
from runtime.sim.bybit.orders import Call, Done
from runtime.sim.bybit.words import bad
from runtime.sim.exchange.numbers import MS, millis, scaled, short
from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, SimPair

if TYPE_CHECKING:
    from runtime.sim.bybit.venue import BybitVenue

DEEPEST: Final = 1000
INTERVALS: Final = {"1": 1, "5": 5, "15": 15, "30": 30, "60": 60, "240": 240, "D": 1440, "W": 10080}


def trade_id(trade: SimTrade) -> str:
    """Long digits, as the venue has them."""
    return f"229{trade.trade_id:016d}"


class Public:
    """The methods that need no key."""

    def __init__(self, venue: BybitVenue) -> None:
        self._venue = venue
        self.methods: dict[str, Callable[[Call], Done]] = {
            "market.time": self.time, "market.instruments-info": self.instruments, "market.orderbook": self.book,
            "market.tickers": self.tickers, "market.recent-trade": self.trades, "market.kline": self.klines,
        }  # fmt: skip

    def _pair(self, call: Call) -> SimPair:
        forms.check_category(call.params)
        return forms.pair_of(self._venue.symbols, call.params)

    def _named(self, call: Call) -> list[SimPair]:
        """One, or all."""
        forms.check_category(call.params)
        return [self._pair(call)] if call.params.get("symbol") else list(self._venue.pairs.values())

    def time(self, call: Call) -> Done:
        """The server's time."""
        at_ns = self._venue.clock(call.now_ns)
        return Done({"timeSecond": str(at_ns // NS), "timeNano": str(at_ns)})

    def instruments(self, call: Call) -> Done:
        """instruments-info; no pages on spot."""
        if call.params.get("category") != "spot":
            return Done({"category": str(call.params.get("category") or ""), "list": [], "nextPageCursor": ""})
        states, system = self._venue.engine.pair_status, self._venue.engine.system
        found = []
        for pair in self._named(call):
            word = states[pair.symbol] if system == "online" else system
            found.append(rows.instrument(pair, "Trading" if word == "online" else "PreLaunch"))
        return Done({"category": "spot", "list": found})

    def book(self, call: Call) -> Done:
        """A snapshot; its `u` is that of the topic of 1000 levels."""
        pair, limit = self._pair(call), scaled(call.params.get("limit") or 1, 0)
        if limit is None or not 1 <= limit <= DEEPEST:
            raise bad("limit")
        book, at = self._venue.market.book(pair.symbol), self._venue.clock(call.now_ns) // MS
        sequence = self._venue.sequences[pair.symbol]
        return Done({
            "s": rows.symbol_of(pair), "b": rows.levels(pair, book.bids.top(limit)),
            "a": rows.levels(pair, book.asks.top(limit)), "ts": at, "u": sequence, "seq": sequence, "cts": at,
        })  # fmt: skip

    def tickers(self, call: Call) -> Done:
        """The day's figures, with the touch."""
        if call.params.get("category") != "spot":
            return Done({"category": str(call.params.get("category") or ""), "list": []})
        found = []
        for pair in self._named(call):
            book = self._venue.market.book(pair.symbol)
            [bid], [ask] = rows.levels(pair, book.bids.top(1)), rows.levels(pair, book.asks.top(1))
            touch = {"bid1Price": bid[0], "bid1Size": bid[1], "ask1Price": ask[0], "ask1Size": ask[1]}
            found.append(rows.day(self._venue, pair) | touch)
        return Done({"category": "spot", "list": found})

    def trades(self, call: Call) -> Done:
        """The latest trades, the youngest first."""
        pair = self._pair(call)
        found: list[dict[str, Any]] = [
            {
                "execId": trade_id(trade), "symbol": rows.symbol_of(pair), "price": rows.price(pair, trade.price),
                "size": rows.qty(pair, trade.qty), "side": trade.side.capitalize(), "time": millis(trade.ts_ns),
                "isBlockTrade": False, "isRPITrade": False, "seq": str(trade.trade_id),
            }
            for trade in list(self._venue.history[pair.symbol].trades)[:-61:-1]
        ]  # fmt: skip
        return Done({"category": "spot", "list": found})

    def klines(self, call: Call) -> Done:
        """Candles, the youngest first."""
        pair, minutes = self._pair(call), INTERVALS.get(str(call.params.get("interval")))
        if minutes is None:
            raise bad("interval")
        found = []
        for candle in reversed(self._venue.history[pair.symbol].candles(minutes)):
            prices = [rows.price(pair, price) for price in (candle.open, candle.high, candle.low, candle.close)]
            cost = short(candle.turnover, pair.price_precision + pair.qty_precision)
            found.append([millis(candle.begin_ns), *prices, rows.qty(pair, candle.volume), cost])
        return Done({"category": "spot", "symbol": rows.symbol_of(pair), "list": found})
