"""Messages of the market streams (venues.md 3.1). Pure."""

from __future__ import annotations

from typing import Any

from runtime.sim.binance import names
from runtime.sim.binance.public import day, levels
from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.history import History
from runtime.sim.exchange.numbers import MS
from runtime.sim.ladder import Level, SimTrade
from runtime.sim.market import SimPair

Event = dict[str, Any]


def depth_update(pair: SimPair, first: int, last: int, sides: tuple[list[Level], list[Level]], ts_ns: int) -> Event:
    """What changed between two update ids, both included."""
    return {
        "e": "depthUpdate", "E": ts_ns // MS, "s": names.symbol_of(pair), "U": first, "u": last,
        "b": levels(pair, sides[0]), "a": levels(pair, sides[1]),
    }  # fmt: skip


def partial(pair: SimPair, view: BookView, last: int) -> Event:
    """The top levels alone; neither symbol nor time."""
    bids, asks = (list(side.items()) for side in (view.bids, view.asks))
    return {"lastUpdateId": last, "bids": levels(pair, bids), "asks": levels(pair, asks)}


def trade(pair: SimPair, made: SimTrade, ts_ns: int) -> Event:
    """One trade; `m`: the buyer was the maker."""
    return {
        "e": "trade", "E": ts_ns // MS, "s": names.symbol_of(pair), "t": made.trade_id,
        "p": names.price(pair, made.price), "q": names.qty(pair, made.qty), "T": made.ts_ns // MS,
        "m": made.side == "sell", "M": True,
    }  # fmt: skip


def agg_trade(pair: SimPair, made: list[SimTrade], number: int, ts_ns: int) -> Event:
    """Trades of one taker at one price."""
    first, last = made[0], made[-1]
    return {
        "e": "aggTrade", "E": ts_ns // MS, "s": names.symbol_of(pair), "a": number, "p": names.price(pair, first.price),
        "q": names.qty(pair, sum(one.qty for one in made)), "f": first.trade_id, "l": last.trade_id,
        "T": first.ts_ns // MS, "m": first.side == "sell", "M": True,
    }  # fmt: skip


def book_ticker(pair: SimPair, bid: Level, ask: Level, last: int) -> Event:
    """The touch: no event name, no time."""
    [bids], [asks] = levels(pair, [bid]), levels(pair, [ask])
    return {"u": last, "s": names.symbol_of(pair), "b": bids[0], "B": bids[1], "a": asks[0], "A": asks[1]}


def ticker(pair: SimPair, history: History, bid: Level, ask: Level, ts_ns: int) -> Event:
    """The day's figures, once a second."""
    row = day(pair, history)
    [bids], [asks] = levels(pair, [bid]), levels(pair, [ask])
    return {
        "e": "24hrTicker", "E": ts_ns // MS, "s": row["symbol"], "p": row["priceChange"],
        "P": row["priceChangePercent"], "w": row["weightedAvgPrice"], "x": row["prevClosePrice"], "c": row["lastPrice"],
        "b": bids[0], "B": bids[1], "a": asks[0], "A": asks[1], "o": row["openPrice"], "h": row["highPrice"],
        "l": row["lowPrice"], "v": row["volume"], "q": row["quoteVolume"], "n": row["count"],
    }  # fmt: skip


def mini_ticker(pair: SimPair, history: History, ts_ns: int) -> Event:
    """Fewer of them."""
    row = day(pair, history)
    return {
        "e": "24hrMiniTicker", "E": ts_ns // MS, "s": row["symbol"], "c": row["lastPrice"], "o": row["openPrice"],
        "h": row["highPrice"], "l": row["lowPrice"], "v": row["volume"], "q": row["quoteVolume"],
    }  # fmt: skip
