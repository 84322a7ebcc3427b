"""REST's public answers: time, status, assets, pairs, books, tickers, trades, candles (venues.md 7.2). Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.exchange.history import INTERVALS
from runtime.sim.kraken.desk import Asked
from runtime.sim.kraken.names import asset_altname, asset_key, find_pair, pair_altname, pair_key, pair_wsname
from runtime.sim.kraken.public import QUOTE_DECIMALS
from runtime.sim.kraken.wire import Refuse, plain, raw, scaled, seconds
from runtime.sim.market import NS, SimPair, rfc3339

if TYPE_CHECKING:
    from runtime.sim.kraken.venue import KrakenVenue

UNKNOWN_PAIR: Final = "EQuery:Unknown asset pair"
DAYS: Final = ("Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed")
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Query(msgspec.Struct, frozen=True):
    """One request and the venue it goes to."""

    venue: KrakenVenue
    form: Mapping[str, Any]
    asked: Asked

    @property
    def now_ns(self) -> int:
        return self.asked.now_ns

    def text(self, name: str) -> str:
        """A field as text, "" where it is missing."""
        value = self.form.get(name)
        return "" if value is None else str(value)

    def pair(self) -> SimPair:
        """The pair of the request. Raises Refuse."""
        found = find_pair(self.venue.pairs.values(), self.text("pair"))
        if found is None:
            raise Refuse(UNKNOWN_PAIR)
        return found


def _time(query: Query) -> Any:
    at_s = query.venue.clock(query.now_ns) // NS
    stamp = rfc3339(at_s * NS)
    day, month = DAYS[at_s // 86_400 % 7], MONTHS[int(stamp[5:7]) - 1]
    return {"unixtime": at_s, "rfc1123": f"{day}, {stamp[8:10]} {month} {stamp[2:4]} {stamp[11:19]} +0000"}


def _status(query: Query) -> Any:
    return {"status": query.venue.engine.system, "timestamp": rfc3339(query.venue.clock(query.now_ns))[:19] + "Z"}


def _assets(query: Query) -> Any:
    decimals = {pair.quote: QUOTE_DECIMALS for pair in query.venue.pairs.values()}
    decimals |= {pair.base: pair.base_precision for pair in query.venue.pairs.values()}
    wanted = {name.upper() for name in query.text("asset").split(",") if name}
    told = {}
    for asset, places in sorted(decimals.items()):
        names = {asset, asset_altname(asset), asset_key(asset)}
        if not wanted or names & wanted:
            told[asset_key(asset)] = {
                "aclass": "currency", "altname": asset_altname(asset), "decimals": places,
                "display_decimals": places // 2, "status": "enabled",
            }  # fmt: skip
        wanted -= names
    if wanted:
        raise Refuse("EQuery:Unknown asset")
    return told


def _pair(query: Query, pair: SimPair) -> dict[str, Any]:
    engine = query.venue.engine
    steps = pair.increments()
    return {
        "altname": pair_altname(pair), "wsname": pair_wsname(pair), "aclass_base": "currency",
        "base": asset_key(pair.base), "aclass_quote": "currency", "quote": asset_key(pair.quote), "lot": "unit",
        "cost_decimals": pair.cost_precision, "pair_decimals": pair.price_precision, "lot_decimals": pair.qty_precision,
        "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [],
        "fees": [[0, raw(plain(engine.taker_ppm, 4))]], "fees_maker": [[0, raw(plain(engine.maker_ppm, 4))]],
        "fee_volume_currency": "ZUSD", "margin_call": 80, "margin_stop": 40,
        "ordermin": plain(*steps["qty_min"]), "costmin": plain(*steps["cost_min"]),
        "tick_size": plain(*steps["price_increment"]), "status": engine.pair_status[pair.symbol],
        "execution_venue": "international",
    }  # fmt: skip


def _pairs(query: Query) -> Any:
    """Without a question keyed XXBTZUSD, with one by the spelling that was asked for."""
    pairs, names = query.venue.pairs.values(), [name for name in query.text("pair").split(",") if name]
    if not names:
        return {pair_key(pair): _pair(query, pair) for pair in pairs}
    told = {}
    for name in names:
        pair = find_pair(pairs, name)
        if pair is None:
            raise Refuse(UNKNOWN_PAIR)
        told[name] = _pair(query, pair)
    return told


def _depth(query: Query) -> Any:
    pair, count = query.pair(), scaled(query.text("count") or "100", 0)
    if count is None or not 1 <= count <= 500:
        raise Refuse("EGeneral:Invalid arguments:count")
    book, scale, at_s = query.venue.market.book(pair.symbol), query.venue.price_scale, query.now_ns // NS
    return {
        pair_key(pair): {
            side: [[pair.price_text(price * scale), pair.qty_text(qty), at_s] for price, qty in ladder.top(count)]
            for side, ladder in (("asks", book.asks), ("bids", book.bids))
        }
    }


def _ticker(query: Query) -> Any:
    names, pairs, told = [name for name in query.text("pair").split(",") if name], query.venue.pairs, {}
    for name in names or [pair.symbol for pair in pairs.values()]:
        pair = find_pair(pairs.values(), name)
        if pair is None:
            raise Refuse(UNKNOWN_PAIR)
        told[pair_key(pair)] = _figures(query.venue, pair)
    return told


def _figures(venue: KrakenVenue, pair: SimPair) -> dict[str, Any]:
    history, book = venue.history[pair.symbol], venue.market.book(pair.symbol)
    now = history.ticker(book.bids, book.asks)
    text = {name: pair.price_text(value * venue.price_scale) for name, value in now.items() if "change" not in name}
    last = history.trades[-1].qty if history.trades else 0
    best = {
        side[0]: [
            text[side],
            str(max(1, now[f"{side}_qty"] // 10**pair.qty_precision)),
            pair.qty_text(now[f"{side}_qty"]),
        ]
        for side in ("ask", "bid")
    }
    return best | {
        "c": [text["last"], pair.qty_text(last)], "v": [pair.qty_text(now["volume"])] * 2, "p": [text["vwap"]] * 2,
        "t": [history.day.count] * 2, "l": [text["low"]] * 2, "h": [text["high"]] * 2,
        "o": pair.price_text(history.day.open * venue.price_scale),
    }  # fmt: skip


def _trades(query: Query) -> Any:
    pair, since = query.pair(), scaled(query.text("since") or "0", 9)
    if since is None:
        raise Refuse("EGeneral:Invalid arguments:since")
    since = since // NS if since >= 10**14 * NS else since  # a trade's own id counts nanoseconds
    scale, rows, last = query.venue.price_scale, [], since
    for trade in query.venue.history[pair.symbol].trades:
        if trade.ts_ns > since:
            last = trade.ts_ns
            rows.append([
                pair.price_text(trade.price * scale), pair.qty_text(trade.qty), seconds(trade.ts_ns), trade.side[0],
                trade.ord_type[0], "", trade.trade_id,
            ])  # fmt: skip
    return {pair_key(pair): rows, "last": str(last)}


def _ohlc(query: Query) -> Any:
    pair, minutes = query.pair(), scaled(query.text("interval") or "1", 0)
    if minutes not in INTERVALS or minutes is None:
        raise Refuse("EGeneral:Invalid arguments:interval")
    candles, scale = query.venue.history[pair.symbol].candles(minutes), query.venue.price_scale
    rows = []
    for candle in candles:
        figures = (candle.open, candle.high, candle.low, candle.close, candle.vwap)
        prices = [pair.price_text(figure * scale) for figure in figures]
        rows.append([candle.begin_ns // NS, *prices, pair.qty_text(candle.volume), candle.count])
    return {pair_key(pair): rows, "last": candles[-2].begin_ns // NS if len(candles) > 1 else 0}


PUBLIC: Final[dict[str, Callable[[Query], Any]]] = {
    "Time": _time, "SystemStatus": _status, "Assets": _assets, "AssetPairs": _pairs, "Depth": _depth,
    "Ticker": _ticker, "Trades": _trades, "OHLC": _ohlc,
}  # fmt: skip
