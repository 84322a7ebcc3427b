"""What the market did: day statistics and candles, from the trades as they happen. Pure; units of the pair."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import msgspec

from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, SimPair

INTERVALS: Final = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
"""Minutes (Kraken docs, websocket-v2/ohlc)."""
TRADES_KEPT: Final = 1000
CANDLES_KEPT: Final = 720


class Candle(msgspec.Struct):
    """One interval; `turnover` is Σ price × quantity."""

    begin_ns: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    turnover: int = 0
    count: int = 0

    def add(self, trade: SimTrade) -> None:
        self.high, self.low, self.close = max(self.high, trade.price), min(self.low, trade.price), trade.price
        self.volume += trade.qty
        self.turnover += trade.price * trade.qty
        self.count += 1

    @property
    def vwap(self) -> int:
        return self.turnover // self.volume if self.volume else self.close


class History:
    """The trades of one pair; the day's figures are those since the venue started."""

    def __init__(self, pair: SimPair) -> None:
        self.pair = pair
        self.trades: deque[SimTrade] = deque(maxlen=TRADES_KEPT)
        self.day = Candle(0, *(pair.start_price,) * 4)
        self._candles: dict[int, deque[Candle]] = {minutes: deque(maxlen=CANDLES_KEPT) for minutes in INTERVALS}

    def add(self, trade: SimTrade) -> None:
        """The next trade."""
        self.trades.append(trade)
        self.day.add(trade)
        for minutes, candles in self._candles.items():
            begin_ns = trade.ts_ns // (minutes * 60 * NS) * (minutes * 60 * NS)
            if not candles or candles[-1].begin_ns != begin_ns:
                candles.append(Candle(begin_ns, *(trade.price,) * 4))
            candles[-1].add(trade)

    def candles(self, minutes: int) -> list[Candle]:
        """Oldest first, the running one last."""
        return list(self._candles[minutes])

    def ticker(self, bids: Any, asks: Any) -> dict[str, int]:
        """The figures of the ticker, as integers."""
        day, (bid, ask) = self.day, (bids.price(0), asks.price(0))
        return {
            "bid": bid, "bid_qty": bids.qty(bid), "ask": ask, "ask_qty": asks.qty(ask), "last": day.close,
            "volume": day.volume, "vwap": day.vwap, "low": day.low, "high": day.high, "change": day.close - day.open,
            "change_bp": (day.close - day.open) * 10_000 // day.open,
        }  # fmt: skip
