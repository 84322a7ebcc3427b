"""Market data of a hosted exchange: bytes ↔ events. https://docs.ccxt.com/#/ccxt.pro.manual

A link that opens is asked for metadata, then for books and trades. Each book message is a whole book: there is nothing
to fit together, and nothing that shows a lost one. Once a second the feed says that its sockets are open; 5 s without a
word is a dead link. What ccxt gave up (`failed`) is asked for again with back-off, what it cannot have is refused.
"""

from typing import Final

import msgspec

from connectors.errors import InstrumentError, NumberError, WireError
from connectors.events import BookLost, BookSnapshot, InstrumentUpdate, Notice, Trade
from connectors.exchange.subscription import TICK_NS, UNREADABLE, State, Subscription
from connectors.instrument import Instrument
from connectors.session import PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.units import I64_MAX, PRICE_DECIMALS, SIZE_DECIMALS, TextGrid, rfc3339_of_ms, scaled
from connectors.venues.ccxt import wire

DEPTHS: Final = (5, 10, 20, 25, 50, 100)
SECOND: Final = 10**9
SILENCE_NS: Final = 5 * SECOND
METADATA_NS: Final = 60 * SECOND  # some exchanges' lists are long, and ccxt paces its questions
FIRST_NS: Final = 30 * SECOND  # until the first book comes
_NEVER: Final = frozenset({"BadSymbol", "NotSupported"})


class CcxtMarket:
    """`MarketSession` of one exchange; `name` is the venue's."""

    def __init__(self, plan: SessionPlan, name: str) -> None:
        self._name = name
        self._depth = plan.depth
        self._subs: dict[str, Subscription] = {}
        self._grids: dict[str, TextGrid] = {}
        for index, symbol in plan.symbols:
            self._subs[symbol] = Subscription(index, symbol, plan.depth, None)
            if known := plan.instruments.get(index):
                self._grids[symbol] = TextGrid(known.price_precision, known.size_precision)
        self._by_index = {sub.index: sub for sub in self._subs.values()}
        self._is_open = False
        self._last_ns = 0
        self._metadata_due_ns: int | None = None

    # --- the link ----------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        if link != PUBLIC:
            return []
        self._is_open, self._last_ns = True, now_ns
        self._metadata_due_ns = now_ns + METADATA_NS
        for sub in self._subs.values():
            sub.move(State.IDLE)
        return [_send({"op": "markets", "symbols": list(self._subs)}), WakeAt(now_ns + TICK_NS)]

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        if link != PUBLIC:
            return []
        self._is_open = False
        return self._lose_all("link down")

    def _lose_all(self, reason: str) -> list[Output]:
        lost = [sub for sub in self._subs.values() if sub.state not in (State.IDLE, State.REFUSED)]
        for sub in lost:
            sub.move(State.IDLE)
        return [BookLost(sub.index, reason) for sub in lost]

    def tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        silent_ns = now_ns - self._last_ns
        late = self._metadata_due_ns is not None and now_ns >= self._metadata_due_ns
        if late or (silent_ns > SILENCE_NS and self._metadata_due_ns is None):
            self._is_open, self._metadata_due_ns = False, None
            why = "no metadata" if late else f"no word from the feed for {silent_ns / SECOND:.1f} s"
            return [*self._lose_all("link silent"), Reconnect(PUBLIC, why)]
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        for sub in self._subs.values():
            if sub.due_ns is not None and now_ns >= sub.due_ns:
                if sub.state is State.BACKOFF:
                    out += self._watch(sub, now_ns)
                else:
                    out += self.resync(sub.index, f"no book in {FIRST_NS // SECOND} s", now_ns)
        return out

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        sub = self._by_index[instrument]
        if sub.state not in (State.LIVE, State.WAIT_SNAPSHOT):
            return []
        delay_ns = sub.next_delay_ns(now_ns)
        sub.move(State.BACKOFF, now_ns + delay_ns)
        text = f"{self._name} {sub.symbol}: {reason}; asked for again in {delay_ns / SECOND:g} s"
        out: list[Output] = [Notice("warning", text)]
        if not self._is_open:
            return out
        return out + (self._watch(sub, now_ns) if delay_ns == 0 else [WakeAt(now_ns + delay_ns)])

    def _watch(self, sub: Subscription, now_ns: int) -> list[Output]:
        sub.move(State.WAIT_SNAPSHOT, now_ns + FIRST_NS)
        return [_send({"op": "watch", "channel": "book", "symbol": sub.symbol, "depth": self._depth})]

    # --- frames ------------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        if link != PUBLIC:
            return []
        self._last_ns = now_ns
        try:
            message = wire.decode(frame)
            if isinstance(message, wire.Book):
                return self._book(message, now_ns)
            if isinstance(message, wire.Trades):
                return self._trades(message)
            if isinstance(message, wire.Failed):
                return self._failed(message, now_ns)
            return self._markets(message, now_ns) if isinstance(message, wire.Markets) else []
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)

    def _book(self, message: wire.Book, now_ns: int) -> list[Output]:
        sub, grid = self._subs.get(message.symbol), self._grids.get(message.symbol)
        if sub is None or grid is None or sub.state in (State.REFUSED, State.BACKOFF):
            return []
        try:
            bids, asks = grid.of_texts(message.bids), grid.of_texts(message.asks)
        except NumberError as error:
            return [BookLost(sub.index, "a number off the grid"), *self.resync(sub.index, str(error), now_ns)]
        sub.alive(now_ns)
        when = rfc3339_of_ms(message.ms) if message.ms else ""
        return [BookSnapshot(sub.index, bids, asks, None, self._depth, when)]

    def _trades(self, message: wire.Trades) -> list[Output]:
        sub = self._subs.get(message.symbol)
        return [_trade(sub.index, item) for item in message.trades] if sub is not None else []

    def _markets(self, message: wire.Markets, now_ns: int) -> list[Output]:
        self._metadata_due_ns = None
        out: list[Output] = []
        told = {market.symbol: market for market in message.markets}
        for symbol, sub in self._subs.items():
            market = told.get(symbol)
            if market is None or market.why:
                out += self._refuse(sub, market.why if market else f"{self._name} does not list {symbol}")
                continue
            try:
                instrument = _instrument(self._name, market)
            except (InstrumentError, WireError) as error:
                out += self._refuse(sub, str(error))
                continue
            out.append(InstrumentUpdate(sub.index, instrument))
            self._grids[symbol] = TextGrid(instrument.price_precision, instrument.size_precision)
            out += self._watch(sub, now_ns)
            out.append(_send({"op": "watch", "channel": "trades", "symbol": symbol}))
        return out

    def _failed(self, message: wire.Failed, now_ns: int) -> list[Output]:
        said = f"{message.error}: {message.text}"
        sub = self._subs.get(message.symbol)
        if sub is None or message.channel != "book":
            return [Notice("warning", f"{self._name} {message.channel} {message.symbol}: {said}")]
        if message.error in _NEVER:
            return self._refuse(sub, said)
        return [BookLost(sub.index, message.error), *self.resync(sub.index, said, now_ns)]

    def _refuse(self, sub: Subscription, why: str) -> list[Output]:
        sub.move(State.REFUSED)
        text = f"{self._name} {sub.symbol}: {why}; the other symbols go on"
        return [BookLost(sub.index, f"refused: {why}"), Notice("error", text)]

    def _unexplained(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        out: list[Output] = [Notice("error", f"{self._name}: unexplained frame {frame[:120]!r}: {why}")]
        for sub in self._subs.values():
            if sub.state in (State.LIVE, State.WAIT_SNAPSHOT):
                out += [BookLost(sub.index, "unexplained frame"), *self.resync(sub.index, "unexplained frame", now_ns)]
        return out


def _send(message: dict[str, object]) -> Send:
    return Send(PUBLIC, msgspec.json.encode(message))


def _trade(index: int, item: wire.TradeItem) -> Trade:
    """Raises NumberError."""
    px, sz = scaled(item.price, PRICE_DECIMALS), scaled(item.qty, SIZE_DECIMALS)
    if not 0 < px <= I64_MAX or not 0 < sz <= I64_MAX:
        raise NumberError(f"trade {item.price} × {item.qty} is outside the guest's range")
    number = int(item.id) if item.id.isascii() and item.id.isdigit() and len(item.id) < 19 else 0
    return Trade(index, px, sz, -1 if item.side == "sell" else 1, number, item.ms * 10**6)


def _instrument(venue: str, market: wire.Market) -> Instrument:
    """Raises NumberError or InstrumentError: it does not fit the guest's scales."""
    if not market.tick or not market.lot:
        raise NumberError("ccxt does not know its tick or its lot")
    tick, lot = scaled(market.tick, PRICE_DECIMALS), scaled(market.lot, SIZE_DECIMALS)
    return Instrument(
        venue=venue, symbol=market.symbol,
        price_precision=_decimals(tick, PRICE_DECIMALS), size_precision=_decimals(lot, SIZE_DECIMALS),
        tick_size_1e9=tick, lot_size_1e8=lot,
        min_qty_1e8=scaled(market.min_qty or "0", SIZE_DECIMALS),
        min_notional_1e9=scaled(market.min_cost or "0", PRICE_DECIMALS),
        status="online" if market.is_active else "inactive", venue_symbol=market.id,
    )  # fmt: skip


def _decimals(unit: int, most: int) -> int:
    """How many decimals a number on this grid can have."""
    places = most
    while places and unit % 10 == 0:
        unit, places = unit // 10, places - 1
    return places
