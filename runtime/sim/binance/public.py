"""Market data that is asked for, over REST and the WebSocket API alike (venues.md 3.1, 3.4). Pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from runtime.sim.binance import forms, names, rows
from runtime.sim.binance.orders import Call
from runtime.sim.binance.words import missing
from runtime.sim.exchange.history import Candle, History
from runtime.sim.exchange.numbers import MS, fixed
from runtime.sim.ladder import Level, SimTrade
from runtime.sim.market import NS, SimPair

if TYPE_CHECKING:
    from runtime.sim.binance.venue import BinanceVenue

MAX_DEPTH: Final = 5000
INTERVALS: Final = {"1m": 1, "5m": 5, "15m": 15, "30m": 30, "1h": 60, "4h": 240, "1d": 1440, "1w": 10080}


def levels(pair: SimPair, side: list[Level]) -> list[list[str]]:
    """Pairs of texts."""
    return [[names.price(pair, price), names.qty(pair, qty)] for price, qty in side]


def day(pair: SimPair, history: History) -> dict[str, Any]:
    """The day's figures by their full names."""
    day = history.day
    change = day.close - day.open
    return {
        "symbol": names.symbol_of(pair), "priceChange": names.price(pair, change),
        "priceChangePercent": fixed(change * 100_000 // day.open, 3), "weightedAvgPrice": names.price(pair, day.vwap),
        "prevClosePrice": names.price(pair, day.open), "lastPrice": names.price(pair, day.close),
        "openPrice": names.price(pair, day.open), "highPrice": names.price(pair, day.high),
        "lowPrice": names.price(pair, day.low), "volume": names.qty(pair, day.volume),
        "quoteVolume": turnover(pair, day), "count": day.count,
    }  # fmt: skip


def turnover(pair: SimPair, candle: Candle) -> str:
    """What was traded, in the quote."""
    return fixed(candle.turnover * 10**8 // 10 ** (pair.price_precision + pair.qty_precision), 8)


def trade_row(pair: SimPair, trade: SimTrade) -> dict[str, Any]:
    """As trades.recent shows it."""
    cost = trade.price * trade.qty * 10**8 // 10 ** (pair.price_precision + pair.qty_precision)
    return {
        "id": trade.trade_id, "price": names.price(pair, trade.price), "qty": names.qty(pair, trade.qty),
        "quoteQty": fixed(cost, 8), "time": trade.ts_ns // MS, "isBuyerMaker": trade.side == "sell",
        "isBestMatch": True,
    }  # fmt: skip


class Public:
    """The methods that need no key."""

    def __init__(self, venue: BinanceVenue) -> None:
        self._venue = venue
        self.methods: dict[str, Callable[[Call], Any]] = {
            "ping": lambda _: {}, "time": self.time, "exchangeInfo": self.exchange_info, "depth": self.depth,
            "trades.recent": self.trades, "ticker.price": self.ticker_price, "ticker.book": self.ticker_book,
            "ticker.24hr": self.ticker_day, "klines": self.klines, "avgPrice": self.average,
        }  # fmt: skip

    def _pair(self, call: Call) -> SimPair:
        return forms.pair_of(self._venue.symbols, call.params)

    def _named(self, call: Call) -> list[SimPair]:
        """One, several or all. Raises Refused for one that is not there."""
        given = call.params.get("symbols")
        if call.params.get("symbol"):
            return [self._pair(call)]
        if given in (None, ""):
            return list(self._venue.symbols.values())
        try:
            wanted = json.loads(given) if isinstance(given, str) else given
        except ValueError:
            raise missing("symbols") from None
        if not isinstance(wanted, list):
            raise missing("symbols")
        return [forms.pair_of(self._venue.symbols, {"symbol": name}) for name in wanted]

    def time(self, call: Call) -> dict[str, Any]:
        """The server's time."""
        return {"serverTime": self._venue.clock(call.now_ns) // MS}

    def exchange_info(self, call: Call) -> dict[str, Any]:
        """exchangeInfo."""
        return rows.exchange_info(self._venue, self._named(call), call.now_ns)

    def depth(self, call: Call) -> dict[str, Any]:
        """The book, to be joined with the stream by lastUpdateId."""
        pair, limit = self._pair(call), forms.whole(call.params, "limit", 100)
        if limit is None or not 1 <= limit <= MAX_DEPTH:
            raise missing("limit")
        last, bids, asks = self._venue.depth_of(pair.symbol, call.now_ns)
        return {"lastUpdateId": last, "bids": levels(pair, bids[:limit]), "asks": levels(pair, asks[:limit])}

    def trades(self, call: Call) -> list[dict[str, Any]]:
        """The latest trades, oldest first."""
        pair, limit = self._pair(call), forms.whole(call.params, "limit", 500) or 500
        return [trade_row(pair, trade) for trade in list(self._venue.history[pair.symbol].trades)[-limit:]]

    def ticker_price(self, call: Call) -> Any:
        """The last price."""
        found = [
            {"symbol": names.symbol_of(pair), "price": names.price(pair, self._venue.history[pair.symbol].day.close)}
            for pair in self._named(call)
        ]
        return found[0] if call.params.get("symbol") else found

    def ticker_book(self, call: Call) -> Any:
        """The touch."""
        found = []
        for pair in self._named(call):
            book = self._venue.market.book(pair.symbol)
            [bid], [ask] = levels(pair, book.bids.top(1)), levels(pair, book.asks.top(1))
            found.append({
                "symbol": names.symbol_of(pair), "bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0],
                "askQty": ask[1],
            })  # fmt: skip
        return found[0] if call.params.get("symbol") else found

    def ticker_day(self, call: Call) -> Any:
        """The day's figures, with the touch."""
        found = []
        for pair in self._named(call):
            book, history = self._venue.market.book(pair.symbol), self._venue.history[pair.symbol]
            [bid], [ask] = levels(pair, book.bids.top(1)), levels(pair, book.asks.top(1))
            row = day(pair, history) | {"bidPrice": bid[0], "bidQty": bid[1], "askPrice": ask[0], "askQty": ask[1]}
            row |= {"openTime": (call.now_ns - 86_400 * NS) // MS, "closeTime": call.now_ns // MS}
            found.append(row)
        return found[0] if call.params.get("symbol") else found

    def klines(self, call: Call) -> list[list[Any]]:
        """Candles, oldest first."""
        pair = self._pair(call)
        minutes = INTERVALS.get(str(call.params.get("interval")))
        if minutes is None:
            raise missing("interval")
        found = []
        for candle in self._venue.history[pair.symbol].candles(minutes):
            prices = [names.price(pair, price) for price in (candle.open, candle.high, candle.low, candle.close)]
            begin, end = candle.begin_ns // MS, (candle.begin_ns + minutes * 60 * NS) // MS - 1
            volume, cost = names.qty(pair, candle.volume), turnover(pair, candle)
            found.append([begin, *prices, volume, end, cost, candle.count, rows.ZERO, rows.ZERO, "0"])
        return found[-(forms.whole(call.params, "limit", 500) or 500) :]

    def average(self, call: Call) -> dict[str, Any]:
        """The mean price of the last minutes."""
        pair = self._pair(call)
        candles = self._venue.history[pair.symbol].candles(5)
        price = candles[-1].vwap if candles else pair.start_price
        return {"mins": 5, "price": names.price(pair, price), "closeTime": call.now_ns // MS}
