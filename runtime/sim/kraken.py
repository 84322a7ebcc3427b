"""Kraken's side of the public WebSocket v2 protocol over a simulated market.

Pure: frames in, frames out, time handed in as ``now_ns``; randomness only from the market's seed. Written from Kraken's
documentation and recorded frames alone (Kraken docs: guides/spot-ws-intro, guides/spot-ws-book-v2, websocket-v2/book,
/trade, /instrument, /status, /ping). It shares no code with the connector, so one misreading cannot sit on both sides.

``sim.connect(now_ns)`` gives a connection and the status frame, ``connection.receive(text, now_ns)`` the answers to a
client's frame, ``sim.tick(now_ns)`` the market data and heartbeats that have become due, for each connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, islice
from random import Random
from typing import Any, Final
from zlib import crc32

import msgspec

from runtime.sim.frames import Close, Frame
from runtime.sim.market import NS, Level, Market, MarketEvent, SimBook, SimPair, SimTrade, exponent_text, rfc3339

DEPTHS: Final = (10, 25, 100, 500, 1000)
CHECKSUM_LEVELS: Final = 10
RESTART_TEXT: Final = "CloudFlare WebSocket proxy restarting"
WARM_UP_STEPS: Final = 200
MAX_CATCH_UP_S: Final = 2
STATUS: Final = {"version": "2.0.10", "system": "online", "api_version": "v2"}
MALFORMED: Final = "Malformed request"  # a guess of ours, as are the texts for an unknown channel or subscription


class SimFaults(msgspec.Struct, frozen=True, kw_only=True):
    """What goes wrong; all off by default. ``*_every`` = n spoils each nth book update of a connection. ``*_after_s``
    counts seconds from the connection's opening, 0 means at once; precision counts from the first connection of all.
    """

    drop_update_every: int = 0  # left out: the next checksum over the top ten is wrong for whoever missed it
    corrupt_checksum_every: int = 0
    duplicate_update_every: int = 0
    refuse_symbols: tuple[str, ...] = ()  # "Currency pair not supported", though the market has them
    no_ack: bool = False  # book and trade subscriptions are swallowed whole: no ack, no data
    ack_then_silence: bool = False  # a book is acknowledged, then neither snapshot nor update; heartbeats go on
    heartbeat_off_after_s: int | None = None
    mute_after_s: int | None = None  # nothing at all any more, pongs included; the socket stays open
    pong_only_after_s: int | None = None
    book_off_after_s: int | None = None  # no more book updates; all else goes on, snapshots included: a quiet market
    garbage_frame_after_s: int | None = None  # once: a text frame that is not JSON
    close_after_s: int | None = None  # code 1001 with Cloudflare's reason
    crossed_book_after_s: int | None = None  # once: a bid at the fifth ask, checksum right; subscribing afresh heals
    precision_change_after_s: int | None = None  # once, for all: a price decimal more, told by an instrument update
    connections: int = 0  # only the first n connections suffer (0: all), so that a test can watch a client recover


def book_checksum(asks: Iterable[Level], bids: Iterable[Level], price_scale: int = 1) -> int:
    """Unsigned CRC-32 of a book: (price, quantity) integers, best first, of which ten a side count; 0 when empty.

    The rule (Kraken docs, guides/spot-ws-book-v2) prints each number with its pair's decimals, removes the dot and
    strips leading zeros. That text is the integer itself, so no decimal is printed here.
    """
    best = chain(islice(asks, CHECKSUM_LEVELS), islice(bids, CHECKSUM_LEVELS))
    return crc32("".join(f"{price * price_scale}{qty}" for price, qty in best).encode())


class _Params(msgspec.Struct):
    channel: str = ""
    symbol: list[str] = []
    depth: Any = 10
    snapshot: bool | None = None


class _Request(msgspec.Struct):
    method: str
    params: _Params | msgspec.UnsetType | None = msgspec.UNSET
    req_id: int | None = None

    def reply(self, now_ns: int, **fields: Any) -> str:
        echo = {} if self.req_id is None else {"req_id": self.req_id}
        return _dump({"method": self.method, **echo, **fields, **_times(now_ns)})

    def refuse(self, error: str, now_ns: int, symbol: str = "") -> str:
        return self.reply(now_ns, success=False, error=error, **({"symbol": symbol} if symbol else {}))


_decode = msgspec.json.Decoder(_Request).decode


class _BookView:
    """What one subscriber holds: the best ``depth`` levels a side as of the last message."""

    def __init__(self, book: SimBook, depth: int) -> None:
        self.book, self.depth = book, depth
        self.phantom: Level | None = None
        self.bids: dict[int, int] = {}
        self.asks: dict[int, int] = {}

    def advance(self) -> tuple[list[Level], list[Level]]:
        """Move to the market's present and return the changed (bids, asks); quantity 0 removes.

        Only the window counts: a level that moves in is sent whole, one pushed out by a better one is not mentioned,
        because the client truncates (Kraken docs, guides/spot-ws-book-v2).
        """
        bids, asks = dict(self.book.bids.top(self.depth)), dict(self.book.asks.top(self.depth))
        if self.phantom is not None and self.phantom[0] not in self.book.bids:
            bids = dict(sorted([*bids.items(), self.phantom], reverse=True)[: self.depth])
        changed = []
        for held, now, ladder in ((self.bids, bids, self.book.bids), (self.asks, asks, self.book.asks)):
            gone = [(price, 0) for price in held if price not in now and price not in ladder]
            changed.append(gone + [(price, qty) for price, qty in now.items() if held.get(price) != qty])
        self.bids, self.asks = bids, asks
        return changed[0], changed[1]


class KrakenConnection:
    """One client's socket as the venue sees it. Made by ``KrakenSim.connect``; the caller carries the frames."""

    def __init__(self, sim: KrakenSim, index: int, now_ns: int) -> None:
        self._sim = sim
        self._opened_ns = now_ns
        self._faults = sim.faults if not sim.faults.connections or index < sim.faults.connections else SimFaults()
        self._rng = Random(f"{sim.market.seed}/{index}")  # noqa: S311 - shuffles simulated messages; it has to repeat
        self.connection_id = self._rng.randrange(2**53 + 1, 2**64)
        self._subscriptions: dict[tuple[str, str], _BookView | None] = {}
        self._heartbeat_ns: int | None = None
        self._updates = 0
        self._done: set[str] = set()

    def receive(self, text: str | bytes, now_ns: int) -> list[Frame]:
        """Answer one client frame. Raises for nothing a client may send: bad requests get the venue's error frames."""
        try:
            request = _decode(text)
        except (msgspec.MsgspecError, UnicodeError):
            return [] if self._silent(now_ns) else [_dump({"error": MALFORMED, "success": False, **_times(now_ns)})]
        if request.method != "ping":
            return [] if self._silent(now_ns) else self._request(request, now_ns)
        if self._due("mute", now_ns):
            return []
        if request.params is not msgspec.UNSET:
            return [request.refuse("Unsupported field: 'params' for the given msg type: ping", now_ns)]
        request.method = "pong"
        return [request.reply(now_ns)]

    def _request(self, request: _Request, now_ns: int) -> list[Frame]:
        params, adding = request.params, request.method == "subscribe"
        if not adding and request.method != "unsubscribe":
            return [request.refuse("Unsupported event", now_ns)]
        if not isinstance(params, _Params) or params.channel not in {"book", "trade", "instrument"}:
            return [request.refuse("Channel not supported", now_ns)]
        if params.channel == "book" and type(params.depth) is not int:
            return [request.refuse("Subscription book depth must be an integer", now_ns)]
        if params.channel == "book" and params.depth not in DEPTHS:
            return [request.refuse("Subscription depth not supported", now_ns)]
        if self._faults.no_ack and adding and params.channel != "instrument":
            return []
        # every answer before any snapshot: a client may throw its book away when it sees the ack
        answers: list[Frame] = []
        snapshots: list[Frame] = []
        for symbol in [""] if params.channel == "instrument" else params.symbol:
            error = self._refusal(params.channel, symbol, adding=adding)
            if error:
                answers.append(request.refuse(error, now_ns, symbol))
                continue
            result = {"channel": params.channel} | ({"symbol": symbol} if symbol else {})
            result |= {"depth": params.depth} if params.channel == "book" else {}
            if adding:
                snapshots += self._subscribe(params, symbol, result, now_ns)
            else:
                del self._subscriptions[params.channel, symbol]
            answers.append(request.reply(now_ns, result=result, success=True))
        return answers + snapshots or [request.refuse(MALFORMED, now_ns)]

    def _refusal(self, channel: str, symbol: str, *, adding: bool) -> str:
        if channel != "instrument" and (symbol not in self._sim.pairs or symbol in self._faults.refuse_symbols):
            return f"Currency pair not supported {symbol}"
        if adding == ((channel, symbol) in self._subscriptions):
            return "Already subscribed" if adding else "Subscription not found"
        return ""

    def _subscribe(self, params: _Params, symbol: str, result: dict[str, Any], now_ns: int) -> list[Frame]:
        sim, key = self._sim, (params.channel, symbol)
        # Kraken docs, websocket-v2/trade: this channel alone sends no snapshot unless asked
        result["snapshot"] = wanted = params.channel != "trade" if params.snapshot is None else params.snapshot
        self._subscriptions[key] = None
        if params.channel == "instrument":
            result["warnings"] = ["tick_size is deprecated, use price_increment"]
            return [sim.instrument_frame("snapshot")] if wanted else []
        if params.channel == "trade":
            return [sim.trade_frame(symbol, "snapshot", sim.market.book(symbol).trades)] if wanted else []
        self._subscriptions[key] = view = _BookView(sim.market.book(symbol), params.depth)
        bids, asks = view.advance()
        if not wanted or self._faults.ack_then_silence:
            return []
        return [sim.book_frame(symbol, "snapshot", (bids, asks), book_checksum(asks, bids, sim.price_scale), now_ns)]

    def _due(self, fault: str, now_ns: int) -> bool:
        after_s: int | None = getattr(self._faults, f"{fault}_after_s")
        return after_s is not None and now_ns - self._opened_ns >= after_s * NS

    def _once(self, fault: str, now_ns: int) -> bool:
        if fault in self._done or not self._due(fault, now_ns):
            return False
        self._done.add(fault)
        return True

    def _silent(self, now_ns: int) -> bool:
        return self._due("mute", now_ns) or self._due("pong_only", now_ns)

    def on_event(self, event: MarketEvent, now_ns: int) -> list[Frame]:
        """The frames one market event means for this client: its trades, then what became of the book."""
        if self._silent(now_ns):
            return []
        frames: list[Frame] = []
        if event.trades and ("trade", event.symbol) in self._subscriptions:
            frames.append(self._sim.trade_frame(event.symbol, "update", event.trades))
        return frames + self._book_update(event.symbol, event.ts_ns, now_ns)

    def _book_update(self, symbol: str, ts_ns: int, now_ns: int) -> list[Frame]:
        view, faults = self._subscriptions.get(("book", symbol)), self._faults
        if view is None or faults.ack_then_silence or self._due("book_off", now_ns):
            return []
        bids, asks = view.advance()
        if not bids and not asks:
            return []
        self._updates += 1
        if _nth(self._updates, faults.drop_update_every):
            return []
        checksum = book_checksum(view.asks.items(), view.bids.items(), self._sim.price_scale)
        if _nth(self._updates, faults.corrupt_checksum_every):
            checksum ^= 0x5A5A5A5A
        frame = self._sim.book_frame(symbol, "update", (self._scramble(bids), self._scramble(asks)), checksum, ts_ns)
        return [frame, frame] if _nth(self._updates, faults.duplicate_update_every) else [frame]

    def _scramble(self, levels: list[Level]) -> list[Level]:
        """Real updates are unsorted and may name a price twice, the last entry winning."""
        self._rng.shuffle(levels)
        if levels and self._rng.randrange(20) == 0:
            index = self._rng.randrange(len(levels))
            price, qty = levels[index]
            levels.insert(self._rng.randrange(index + 1), (price, qty + 1_000 if self._rng.randrange(2) else 0))
        return levels

    def on_time(self, now_ns: int, *, repriced: bool) -> list[Frame]:
        """Heartbeats and timed faults that are due; ``repriced`` says that the pairs' precisions have just changed."""
        if self._silent(now_ns):
            return []
        frames: list[Frame] = []
        if repriced and ("instrument", "") in self._subscriptions:
            frames.append(self._sim.instrument_frame("update"))
        views = {symbol: view for (_, symbol), view in self._subscriptions.items() if view is not None}
        if views and self._once("crossed_book", now_ns):
            for symbol, view in views.items():
                view.phantom = view.book.asks.top(5)[-1]
                frames += self._book_update(symbol, now_ns, now_ns)
        if not self._subscriptions:
            self._heartbeat_ns = None
        elif self._heartbeat_ns is None:
            self._heartbeat_ns = now_ns + NS
        elif now_ns >= self._heartbeat_ns:
            # one, however long the caller slept: a venue does not make up for lost beats
            self._heartbeat_ns += NS * ((now_ns - self._heartbeat_ns) // NS + 1)
            if not self._due("heartbeat_off", now_ns):
                frames.append('{"channel":"heartbeat"}')
        if self._once("garbage_frame", now_ns):
            frames.append(RESTART_TEXT)
        if self._once("close", now_ns):
            frames.append(Close(1001, RESTART_TEXT))
            self._sim.disconnect(self)
        return frames


class KrakenSim:
    """The venue: one market, any number of connections, ``rate_hz`` market steps a second over all symbols.

    ``tick`` makes the steps that have become due, so time may run as fast as the caller likes. ``price_scale`` is the
    factor of wire prices after a precision change. Raises ValueError for a rate outside 1 … 1,000,000.
    """

    def __init__(self, market: Market, faults: SimFaults | None = None, *, rate_hz: int = 140) -> None:
        if not 1 <= rate_hz <= 1_000_000:
            raise ValueError("rate_hz must lie in 1 … 1,000,000 steps a second")
        self.market = market
        self.faults = faults if faults is not None else SimFaults()
        self.pairs: dict[str, SimPair] = {pair.symbol: pair for pair in market.pairs}
        self.price_scale = 1
        self._interval_ns = NS // rate_hz
        self._opened = 0
        self._started_ns = self._next_ns = 0
        self._connections: list[KrakenConnection] = []

    def connect(self, now_ns: int) -> tuple[KrakenConnection, list[Frame]]:
        """Accept a client: its connection, and the status frame that goes out before anything else."""
        if not self._opened:
            self._started_ns, self._next_ns = now_ns, now_ns + self._interval_ns
            for left in range(WARM_UP_STEPS, 0, -1):  # some trades to put into the first snapshots
                self.market.step(now_ns - left * self._interval_ns)
        connection = KrakenConnection(self, self._opened, now_ns)
        self._opened += 1
        self._connections.append(connection)
        status = {**STATUS, "connection_id": connection.connection_id}
        return connection, [_dump({"channel": "status", "type": "update", "data": [status]})]

    def disconnect(self, connection: KrakenConnection) -> None:
        """Forget a client with all its subscriptions; twice is once."""
        if connection in self._connections:
            self._connections.remove(connection)

    def tick(self, now_ns: int) -> list[tuple[KrakenConnection, list[Frame]]]:
        """Bring the world to ``now_ns``; returns each connection that has something to send, its frames in order.

        After a gap of more than two seconds the rest of the gap is skipped rather than replayed in one burst.
        """
        out: dict[KrakenConnection, list[Frame]] = {connection: [] for connection in self._connections}
        if self._opened:
            self._next_ns = max(self._next_ns, now_ns - MAX_CATCH_UP_S * NS)
            while self._next_ns <= now_ns:
                event = self.market.step(self._next_ns)
                for connection in out:
                    out[connection] += connection.on_event(event, now_ns)
                self._next_ns += self._interval_ns
        repriced = self._reprice(now_ns)
        for connection in out:
            out[connection] += connection.on_time(now_ns, repriced=repriced)
        return [(connection, frames) for connection, frames in out.items() if frames]

    def _reprice(self, now_ns: int) -> bool:
        after_s = self.faults.precision_change_after_s
        if self.price_scale > 1 or after_s is None or not self._opened or now_ns - self._started_ns < after_s * NS:
            return False
        self.price_scale = 10
        for symbol, pair in self.pairs.items():
            finer = {"price_precision": pair.price_precision + 1, "start_price": pair.start_price * 10}
            self.pairs[symbol] = msgspec.structs.replace(pair, **finer)
        return True

    def book_frame(self, symbol: str, kind: str, sides: tuple[list[Level], list[Level]], crc: int, ts_ns: int) -> str:
        """A book message of (bids, asks), numbers with the pair's decimals (Kraken docs, websocket-v2/book)."""
        pair, scale = self.pairs[symbol], self.price_scale
        bids, asks = (
            ",".join(f'{{"price":{pair.price_text(p * scale)},"qty":{pair.qty_text(q)}}}' for p, q in side)
            for side in sides
        )
        data = f'"symbol":"{symbol}","bids":[{bids}],"asks":[{asks}],"checksum":{crc},"timestamp":"{rfc3339(ts_ns)}"'
        return f'{{"channel":"book","type":"{kind}","data":[{{{data}}}]}}'

    def trade_frame(self, symbol: str, kind: str, trades: Iterable[SimTrade]) -> str:
        """A trade message, oldest first; a snapshot may be empty (Kraken docs, websocket-v2/trade)."""
        pair, scale, data = self.pairs[symbol], self.price_scale, []
        for trade in trades:
            price, qty = _raw(pair.price_text(trade.price * scale)), _raw(pair.qty_text(trade.qty))
            what = {"symbol": symbol, "side": trade.side, "price": price, "qty": qty, "ord_type": trade.ord_type}
            data.append({**what, "trade_id": trade.trade_id, "timestamp": rfc3339(trade.ts_ns)})
        return _dump({"channel": "trade", "type": kind, "data": data})

    def instrument_frame(self, kind: str) -> str:
        """Reference data (Kraken docs, websocket-v2/instrument), ``data`` an object; an update names no assets."""
        decimals = {p.base: p.base_precision for p in self.market.pairs} | {p.quote: 4 for p in self.market.pairs}
        assets = [] if kind == "update" else [_asset(name, decimals[name]) for name in sorted(decimals)]
        data = {"assets": assets, "pairs": [_pair(pair) for pair in self.pairs.values()]}
        return _dump({"channel": "instrument", "type": kind, "data": data})


def _asset(name: str, decimals: int) -> dict[str, Any]:
    facts = {"id": name, "status": "enabled", "precision": decimals, "precision_display": decimals // 2}
    return {**facts, "borrowable": True, "collateral_value": _raw("1.0"), "margin_rate": _raw("0.01")}


def _pair(pair: SimPair) -> dict[str, Any]:
    small = {name: _raw(exponent_text(*number)) for name, number in pair.increments().items()}
    who = {"symbol": pair.symbol, "base": pair.base, "quote": pair.quote, "status": "online"}
    decimals = {name: getattr(pair, name) for name in ("price_precision", "qty_precision", "cost_precision")}
    margin = {"marginable": True, "margin_initial": _raw("0.2"), "has_index": True}
    limits = {"position_limit_long": 250, "position_limit_short": 200}
    extra = {"ws_display_price_precision": pair.price_precision, "execution_venue": "international"}
    return {**who, **decimals, **small, "tick_size": small["price_increment"], **margin, **limits, **extra}


def _nth(count: int, every: int) -> bool:
    return every > 0 and count % every == 0


def _times(now_ns: int) -> dict[str, str]:
    return {"time_in": rfc3339(now_ns), "time_out": rfc3339(now_ns + 33_000)}


def _raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def _dump(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message).decode()
