"""The public channels' messages besides the book: trade, ticker, ohlc, instrument, status (venues.md 1.6). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from runtime.sim.exchange.history import Candle, History
from runtime.sim.kraken.wire import dump, number, raw
from runtime.sim.ladder import SimTrade
from runtime.sim.market import NS, SimBook, SimPair, exponent_text, rfc3339

QUOTE_DECIMALS: Final = 4
STATUS: Final = {"version": "2.0.10", "system": "online", "api_version": "v2"}


def status_frame(system: str, connection_id: int) -> str:
    """The first frame of a connection, and one at every change."""
    data = {**STATUS, "system": system, "connection_id": connection_id}
    return dump({"channel": "status", "type": "update", "data": [data]})


def trade_frame(pair: SimPair, scale: int, kind: str, trades: Iterable[SimTrade]) -> str:
    """A trade message, oldest first; a snapshot may be empty (Kraken docs, websocket-v2/trade)."""
    data = []
    for trade in trades:
        price, qty = raw(pair.price_text(trade.price * scale)), raw(pair.qty_text(trade.qty))
        what = {"symbol": pair.symbol, "side": trade.side, "price": price, "qty": qty, "ord_type": trade.ord_type}
        data.append({**what, "trade_id": trade.trade_id, "timestamp": rfc3339(trade.ts_ns)})
    return dump({"channel": "trade", "type": kind, "data": data})


def ticker_frame(pair: SimPair, scale: int, kind: str, book: SimBook, history: History, ts_ns: int) -> str:
    """One pair's figures (Kraken docs, websocket-v2/ticker)."""
    told: dict[str, Any] = {"symbol": pair.symbol}
    for name, value in history.ticker(book.bids, book.asks).items():
        if name in {"volume", "bid_qty", "ask_qty"}:
            told[name] = raw(pair.qty_text(value))
        elif name == "change_bp":
            told["change_pct"] = number(value, 2)
        else:
            told[name] = number(value * scale, pair.price_precision)
    return dump({"channel": "ticker", "type": kind, "data": [{**told, "timestamp": rfc3339(ts_ns)}]})


def ohlc_frame(pair: SimPair, scale: int, kind: str, candles: Iterable[Candle], minutes: int, ts_ns: int) -> str:
    """Candles of one interval; the running one comes again with each trade (Kraken docs, websocket-v2/ohlc)."""
    data = []
    for candle in candles:
        told: dict[str, Any] = {"symbol": pair.symbol}
        for name in ("open", "high", "low", "close"):
            told[name] = number(getattr(candle, name) * scale, pair.price_precision)
        told |= {"trades": candle.count, "volume": number(candle.volume, pair.qty_precision)}
        told |= {"vwap": number(candle.vwap * scale, pair.price_precision), "interval": minutes}
        begin = rfc3339(candle.begin_ns).removesuffix("Z") + "000Z"
        end = rfc3339(candle.begin_ns + minutes * 60 * NS)
        data.append({**told, "interval_begin": begin, "timestamp": end})
    return dump({"channel": "ohlc", "type": kind, "timestamp": rfc3339(ts_ns), "data": data})


def instrument_frame(kind: str, pairs: Iterable[SimPair], statuses: Mapping[str, str]) -> str:
    """Reference data (Kraken docs, websocket-v2/instrument), ``data`` an object; an update names no assets."""
    pairs = list(pairs)
    decimals = {p.base: p.base_precision for p in pairs} | {p.quote: QUOTE_DECIMALS for p in pairs}
    assets = [] if kind == "update" else [_asset(name, decimals[name]) for name in sorted(decimals)]
    data = {"assets": assets, "pairs": [_pair(pair, statuses[pair.symbol]) for pair in pairs]}
    return dump({"channel": "instrument", "type": kind, "data": data})


def _asset(name: str, decimals: int) -> dict[str, Any]:
    facts = {"id": name, "status": "enabled", "precision": decimals, "precision_display": decimals // 2}
    return {**facts, "borrowable": True, "collateral_value": raw("1.0"), "margin_rate": raw("0.01")}


def _pair(pair: SimPair, status: str) -> dict[str, Any]:
    small = {name: raw(exponent_text(*value)) for name, value in pair.increments().items()}
    who = {"symbol": pair.symbol, "base": pair.base, "quote": pair.quote, "status": status}
    decimals = {name: getattr(pair, name) for name in ("price_precision", "qty_precision", "cost_precision")}
    margin = {"marginable": True, "margin_initial": raw("0.2"), "has_index": True}
    limits = {"position_limit_long": 250, "position_limit_short": 200}
    extra = {"ws_display_price_precision": pair.price_precision, "execution_venue": "international"}
    return {**who, **decimals, **small, "tick_size": small["price_increment"], **margin, **limits, **extra}
