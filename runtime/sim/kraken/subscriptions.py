"""Subscribe and unsubscribe: one ack a symbol, every ack before any snapshot (venues.md 1.2, 7.3.4). Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from runtime.sim.exchange.history import INTERVALS
from runtime.sim.kraken.books import DEPTHS, BookView, book_checksum, book_frame
from runtime.sim.kraken.private import WARNINGS, Balances, Executions
from runtime.sim.kraken.public import instrument_frame, ohlc_frame, ticker_frame, trade_frame

if TYPE_CHECKING:
    from runtime.sim.kraken.connection import Connection, Request

PUBLIC: Final = frozenset({"book", "trade", "ticker", "ohlc", "instrument"})
PRIVATE: Final = frozenset({"executions", "balances"})
ELSEWHERE: Final = "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com"
MALFORMED: Final = "Malformed request"


def subscribe(connection: Connection, request: Request, now_ns: int) -> None:
    """Answers `subscribe` and `unsubscribe`."""
    params, at_ns = request.params, connection.venue.clock(now_ns)
    error = "" if params is not None else "Channel not supported"
    if params is not None:
        error = _form_error(connection, params)
    if error or params is None:
        connection.send(request.refuse(error, at_ns), now_ns)
        return
    adding, channel = request.method == "subscribe", params["channel"]
    if adding and channel != "instrument" and connection.active("no_ack", now_ns):
        return
    if channel in PRIVATE:
        _private(connection, request, params, now_ns)
        return
    symbols = [""] if channel == "instrument" else params.get("symbol", [])
    if not symbols:
        connection.send(request.refuse(MALFORMED, at_ns), now_ns)
    subscribed = []
    for symbol in symbols:
        error = _refusal(connection, params, symbol, now_ns, adding=adding)
        if error:
            connection.send(request.refuse(error, at_ns, symbol), now_ns)
            continue
        result = _enter(connection, params, symbol) if adding else _leave(connection, params, symbol)
        connection.send(request.reply(at_ns, result=result, success=True), now_ns)
        subscribed += [symbol] if adding else []
    for symbol in subscribed:  # after every answer: a client may throw its book away when it sees the ack
        _snapshot(connection, params, symbol, now_ns)


def _form_error(connection: Connection, params: dict[str, Any]) -> str:
    channel, depth, symbol = params.get("channel"), params.get("depth", 10), params.get("symbol", [])
    if not isinstance(channel, str):
        return "Channel not supported"
    if channel in PRIVATE:
        return "" if connection.is_private else ELSEWHERE
    if channel not in PUBLIC:
        return "Channel not supported"
    if channel == "book" and type(depth) is not int:
        return "Subscription book depth must be an integer"
    if channel == "book" and depth not in DEPTHS:
        return "Subscription depth not supported"
    if channel == "ohlc" and params.get("interval", 1) not in INTERVALS:
        return "Subscription ohlc interval not supported"
    if channel == "ticker" and params.get("event_trigger", "trades") not in ("trades", "bbo"):
        return "Event trigger not supported"
    if not isinstance(symbol, list) or not all(isinstance(name, str) for name in symbol):
        return MALFORMED
    return "" if isinstance(params.get("snapshot"), bool | None) else MALFORMED


def _key(params: dict[str, Any], symbol: str) -> tuple[str, str, int]:
    return (params["channel"], symbol, params.get("interval", 1) if params["channel"] == "ohlc" else 0)


def _refusal(connection: Connection, params: dict[str, Any], symbol: str, now_ns: int, *, adding: bool) -> str:
    refused = connection.active("refuse_symbols", now_ns)
    names = str(refused.value).split(";") if refused is not None else []
    if params["channel"] != "instrument" and (symbol not in connection.venue.pairs or symbol in names):
        return f"Currency pair not supported {symbol}"
    if adding == (_key(params, symbol) in connection.channels):
        return "Already subscribed" if adding else "Subscription not found"
    return ""


def _wants(params: dict[str, Any]) -> bool:
    # Kraken docs, websocket-v2/trade: this channel alone sends no snapshot unless asked
    wanted = params.get("snapshot")
    return params["channel"] != "trade" if wanted is None else bool(wanted)


def _result(params: dict[str, Any], symbol: str) -> dict[str, Any]:
    channel = params["channel"]
    result = {"channel": channel} | ({"symbol": symbol} if symbol else {})
    if channel == "book":
        result["depth"] = params.get("depth", 10)
    if channel == "ohlc":
        result["interval"] = params.get("interval", 1)
    return result


def _enter(connection: Connection, params: dict[str, Any], symbol: str) -> dict[str, Any]:
    channel, venue, result = params["channel"], connection.venue, _result(params, symbol)
    result["snapshot"] = _wants(params)
    connection.channels.add(_key(params, symbol))
    if channel == "book":
        connection.books[symbol] = BookView(venue.market.book(symbol), params.get("depth", 10))
    elif channel == "instrument":
        result["warnings"] = ["tick_size is deprecated, use price_increment"]
    elif channel == "ohlc":
        result["warnings"] = ["timestamp is deprecated, use interval_begin"]
    elif channel == "ticker":
        result["event_trigger"] = params.get("event_trigger", "trades")
        connection.triggers[symbol] = (result["event_trigger"], (0, 0))
    return result


def _leave(connection: Connection, params: dict[str, Any], symbol: str) -> dict[str, Any]:
    connection.channels.remove(_key(params, symbol))
    if params["channel"] == "book":
        connection.books.pop(symbol, None)
    elif params["channel"] == "ticker":
        connection.triggers.pop(symbol, None)
    return _result(params, symbol)


def _snapshot(connection: Connection, params: dict[str, Any], symbol: str, now_ns: int) -> None:
    venue, channel = connection.venue, params["channel"]
    at_ns, scale = venue.clock(now_ns), venue.price_scale
    if channel == "book":
        view = connection.books[symbol]
        bids, asks = view.advance()
        if _wants(params) and not connection.active("ack_then_silence", now_ns):
            crc = book_checksum(asks, bids, scale)
            frame = book_frame(venue.pairs[symbol], scale, "snapshot", (bids, asks), crc, at_ns)
            connection.send(frame, now_ns)
        return
    if not _wants(params):
        return
    if channel == "instrument":
        frame = instrument_frame("snapshot", venue.pairs.values(), venue.engine.pair_status)
    elif channel == "trade":
        frame = trade_frame(venue.pairs[symbol], scale, "snapshot", venue.market.book(symbol).trades)
    elif channel == "ticker":
        book, history = venue.market.book(symbol), venue.history[symbol]
        frame = ticker_frame(venue.pairs[symbol], scale, "snapshot", book, history, at_ns)
    else:
        minutes = params.get("interval", 1)
        candles = venue.history[symbol].candles(minutes)
        frame = ohlc_frame(venue.pairs[symbol], scale, "snapshot", candles, minutes, at_ns)
    connection.send(frame, now_ns)


def _private(connection: Connection, request: Request, params: dict[str, Any], now_ns: int) -> None:
    venue, channel, adding = connection.venue, params["channel"], request.method == "subscribe"
    at_ns = venue.clock(now_ns)
    error = venue.token_error(connection, params.get("token"), "subscribe", now_ns)
    held = connection.executions if channel == "executions" else connection.balances
    if not error and adding == (held is not None):
        error = "Already subscribed" if adding else "Subscription not found"
    if error:
        connection.send(request.refuse(error, at_ns), now_ns)
        return
    result: dict[str, Any] = {"channel": channel}
    if not adding:
        if channel == "executions":
            connection.executions = None
        else:
            connection.balances = None
        connection.send(request.reply(at_ns, result=result, success=True), now_ns)
        return
    connection.tokens.add(params["token"])
    if channel == "balances":
        wanted = params.get("snapshot") is not False
        connection.send(request.reply(at_ns, result=result | {"snapshot": wanted}, success=True), now_ns)
        connection.balances = Balances(connection)
        if wanted:
            connection.balances.snapshot(venue.engine, now_ns)
        return
    orders = params.get("snap_orders", params.get("snapshot")) is not False
    trades = params.get("snap_trades", params.get("snapshot_trades")) is True
    result |= {"maxratecount": venue.engine.tier.threshold, "snap_orders": orders, "snap_trades": trades}
    connection.send(request.reply(at_ns, result=result | {"warnings": WARNINGS}, success=True), now_ns)
    connection.executions = Executions(
        connection, order_status=params.get("order_status") is not False, ratecounter=params.get("ratecounter") is True
    )
    connection.executions.snapshot(venue.engine, orders=orders, trades=trades, now_ns=now_ns)
