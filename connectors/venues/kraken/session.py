"""Kraken's public market data: bytes ↔ events. https://docs.kraken.com/api/docs/guides/spot-ws-intro

Liveness (guides/spot-ws-intro; captures of 2026): once anything is subscribed, a heartbeat comes every second whatever
else happens, so 3.5 s without a frame other than our own pongs is a dead link, though its socket may not know. A quiet
book is healthy. Before the first subscription a pong within the same time proves life.
"""

from collections.abc import Callable

import msgspec

from connectors.errors import InstrumentError, WireError
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice, VenueStatus
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, TICK_NS, UNREADABLE, State, Subscription
from connectors.session import AUDIT, PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.units import FloatGrid
from connectors.venues.kraken import reading, wire
from connectors.venues.kraken.audit import BookAudits
from connectors.venues.kraken.liveness import NEVER_RETRIED, PING_AFTER_NS, SILENCE_MAX_NS
from connectors.venues.kraken.reading import DEPTHS, levels
from connectors.venues.kraken.wire import decode_book

LINK = PUBLIC
WARNED_MAX = 1000  # a venue that names new symbols for ever fills no memory of ours
_LIVE = State.LIVE
_BOOK = b'{"channel":"book"'
_HEARTBEAT = b'{"channel":"heartbeat"}'
# channels Kraken has and we do not read here: data on them is not a mystery
_OTHER_CHANNELS = frozenset({"ticker", "ohlc", "level3", "executions", "balances"})
_UNREAD = "kraken: data of channel {}, which is not read here"


class KrakenMarket:
    """`MarketSession` for Kraken: instrument, book, trade and, where planned, ticker channels on one socket.

    The AUDIT link is another socket to the same address, and another class's (`audit.py`): nothing that happens there
    changes anything here.
    """

    def __init__(self, plan: SessionPlan) -> None:
        self._subs: dict[str, Subscription] = {}
        for index, symbol in plan.symbols:
            known = plan.instruments.get(index)
            grid = FloatGrid(known.price_precision, known.size_precision) if known else None
            self._subs[symbol] = Subscription(index, symbol, plan.depth, grid)
        self._by_index = {sub.index: sub for sub in self._subs.values()}
        self._audits = BookAudits(self._subs, plan.audit_ns) if plan.audit_ns > 0 else None
        self._is_ticking = plan.is_ticking
        self._depth = plan.depth
        self._next_id = 0
        self._requests: dict[int, tuple[str, str]] = {}  # req_id → (channel, symbol)
        self._is_open = False
        self._last_frame_ns = 0
        self._last_proof_ns = 0  # of a frame that is not merely our own ping coming back
        self._last_ping_ns = 0
        self._metadata_due_ns: int | None = None
        self._warned: set[str] = set()

    # --- the link --------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        """Kraken remembers nothing of an earlier connection: metadata first, then what it allows to read."""
        if link == AUDIT:
            return self._audits.open(now_ns) if self._audits is not None else []
        self._is_open = True
        self._requests.clear()
        self._last_frame_ns = self._last_proof_ns = self._last_ping_ns = now_ns
        self._metadata_due_ns = now_ns + ANSWER_TIMEOUT_NS
        for sub in self._subs.values():
            sub.acked = False
            sub.move(State.IDLE)
        return [
            self._request("subscribe", "instrument", "", b'{"channel":"instrument","snapshot":true}'),
            WakeAt(now_ns + TICK_NS),
        ]

    def close(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        if link == AUDIT:
            return self._audits.close(now_ns) if self._audits is not None else []
        self._is_open = False
        return self._lose_all("link down")

    def _lose_all(self, reason: str) -> list[Output]:
        """Whatever still stands on this link does not any more; what fell before keeps its own reason."""
        lost = [sub for sub in self._subs.values() if sub.state is not State.IDLE]
        for sub in lost:
            sub.move(State.IDLE)  # should the peer wake up before the socket is closed, its updates come too late
        return [BookLost(sub.index, reason) for sub in lost]

    def tick(self, now_ns: int) -> list[Output]:
        out = self._tick(now_ns)
        return out if self._audits is None else out + self._audits.tick(now_ns)

    def audit_again(self, instrument: int, now_ns: int) -> list[Output]:
        """The last look at this book said nothing: take another before its turn."""
        if self._audits is not None:
            self._audits.again(self._by_index[instrument].symbol, now_ns)
        return []

    def _tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        subscribed = any(sub.acked for sub in self._subs.values())
        silent_ns = now_ns - (self._last_proof_ns if subscribed else self._last_frame_ns)
        if silent_ns > SILENCE_MAX_NS:
            self._is_open = False
            out += self._lose_all("link silent")
            out.append(Reconnect(LINK, f"no frame for {silent_ns / SECOND:.1f} s"))
            return out
        if now_ns - max(self._last_frame_ns, self._last_ping_ns) >= PING_AFTER_NS:
            self._last_ping_ns = now_ns
            self._next_id += 1
            out.append(Send(LINK, b'{"method":"ping","req_id":%d}' % self._next_id))
        if self._metadata_due_ns is not None and now_ns >= self._metadata_due_ns:
            # asking again on this connection would only be told "Already subscribed"
            self._metadata_due_ns = None
            out.append(Reconnect(LINK, "no instrument snapshot"))
        for sub in self._subs.values():
            if sub.due_ns is not None and now_ns >= sub.due_ns:
                out += self._overdue(sub, now_ns)
        return out

    def _overdue(self, sub: Subscription, now_ns: int) -> list[Output]:
        if sub.state is State.BACKOFF:
            if not sub.acked:
                return self._subscribe(sub, now_ns)
            sub.move(State.WAIT_UNSUBSCRIBED, now_ns + ANSWER_TIMEOUT_NS)
            return [self._request("unsubscribe", "book", sub.symbol, self._book_params(sub))]
        if sub.state is State.WAIT_UNSUBSCRIBED:  # no answer: perhaps it never arrived; a subscribe decides
            sub.acked = False
            return self._subscribe(sub, now_ns)
        waited_for = "ack" if sub.state is State.WAIT_ACK else "snapshot"
        return self.resync(sub.index, f"no {waited_for} in {ANSWER_TIMEOUT_NS // SECOND} s", now_ns)

    # --- subscriptions ---------------------------------------------------------------------------------------------

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        sub = self._by_index[instrument]
        if sub.state in (State.IDLE, State.BACKOFF, State.WAIT_UNSUBSCRIBED, State.REFUSED):
            return []
        delay_ns = sub.next_delay_ns(now_ns)
        sub.move(State.BACKOFF, now_ns + delay_ns)
        out: list[Output] = [
            Notice("warning", f"kraken {sub.symbol}: {reason}; resubscribing in {delay_ns / SECOND:g} s")
        ]
        if not self._is_open:
            return out
        return out + (self._overdue(sub, now_ns) if delay_ns == 0 else [WakeAt(now_ns + delay_ns)])

    def _subscribe(self, sub: Subscription, now_ns: int) -> list[Output]:
        sub.move(State.WAIT_ACK, now_ns + ANSWER_TIMEOUT_NS)
        return [self._request("subscribe", "book", sub.symbol, self._book_params(sub, snapshot=True))]

    def _book_params(self, sub: Subscription, *, snapshot: bool = False) -> bytes:
        tail = b',"snapshot":true}' if snapshot else b"}"
        return b'{"channel":"book","symbol":[%s],"depth":%d%s' % (
            msgspec.json.encode(sub.symbol),
            self._depth,
            tail,
        )

    def _request(self, method: str, channel: str, symbol: str, params: bytes) -> Send:
        """One request per symbol, so that its answer's req_id says which symbol was meant even when it does not."""
        self._next_id += 1
        self._requests[self._next_id] = (channel, symbol)
        return Send(LINK, b'{"method":"%s","params":%s,"req_id":%d}' % (method.encode(), params, self._next_id))

    # --- frames ----------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = LINK, /) -> list[Output]:
        if link == AUDIT:
            return self._audits.receive(frame, now_ns) if self._audits is not None else []
        before_ns = self._last_proof_ns
        self._last_frame_ns = self._last_proof_ns = now_ns
        if frame.startswith(_BOOK):  # nearly all of them
            try:
                return self._book(frame, now_ns)
            except UNREADABLE as error:
                return self._unexplained(frame, str(error), now_ns)
        if frame == _HEARTBEAT:
            return []
        try:
            return self._channel(frame, now_ns)
        except msgspec.ValidationError as error:
            problem = str(error)  # not one of the channels we read: an answer, perhaps
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)
        try:
            answer = wire.decode_answer(frame)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns, problem)
        if answer.method == "pong":
            self._last_proof_ns = before_ns
            return []
        return self._answer(answer, now_ns)

    def _book(self, frame: bytes, now_ns: int) -> list[Output]:
        message = decode_book(frame)
        data = message.data[0]
        sub = self._subs.get(data.symbol)
        if sub is None or sub.grid is None:
            text = f"kraken: book of {data.symbol}, which is not subscribed or has no metadata yet"
            return self._once("warning", text)
        is_update = message.type == "update"
        if is_update and sub.state is not _LIVE:
            return []
        bids, asks = levels(frame, data, sub.grid)
        if is_update:
            return [BookDelta(sub.index, bids, asks, data.checksum, data.timestamp)]
        if not sub.acked:  # a recording without its ack: a snapshot never holds more levels than were asked for
            held = max(len(bids), len(asks))
            sub.depth = max(self._depth, next((depth for depth in DEPTHS if depth >= held), held))
        sub.alive(now_ns)
        return [BookSnapshot(sub.index, bids, asks, data.checksum, sub.depth, data.timestamp)]

    def _channel(self, frame: bytes, now_ns: int) -> list[Output]:
        message = wire.decode_channel(frame)
        if isinstance(message, wire.Heartbeat):
            return []
        if isinstance(message, wire.AnyBook):  # spaces or another order of keys than Kraken's own
            return self._book(frame, now_ns)
        if isinstance(message, wire.StatusMessage):
            return [VenueStatus("kraken", message.data[0].system)]
        if isinstance(message, wire.TradeMessage):
            is_snapshot = message.type == "snapshot"
            return [
                reading.trade(sub.index, item, is_snapshot)
                for item in message.data
                if (sub := self._subs.get(item.symbol))
            ]
        if isinstance(message, wire.TickerMessage):
            return self._tickers(message)
        return self._instruments(message, now_ns)

    def _tickers(self, message: wire.TickerMessage) -> list[Output]:
        if not self._is_ticking:
            return self._once("warning", _UNREAD.format("ticker"))
        return [reading.ticker(sub.index, item) for item in message.data if (sub := self._subs.get(item.symbol))]

    def _instruments(self, message: wire.InstrumentMessage, now_ns: int) -> list[Output]:
        out: list[Output] = []
        listed = set()
        for raw in message.data.pairs:
            symbol = wire.decode_pair_name(raw).symbol
            sub = self._subs.get(symbol)
            if sub is not None:
                listed.add(symbol)
                out += self._define(sub, raw, now_ns)
        if message.type == "snapshot":
            self._metadata_due_ns = None
            for symbol, sub in self._subs.items():
                if symbol not in listed:
                    out += self._refuse(sub, f"Kraken does not list {symbol}")
        return out

    def _define(self, sub: Subscription, raw: msgspec.Raw, now_ns: int) -> list[Output]:
        try:
            instrument = reading.instrument(wire.decode_pair(raw))
        except (InstrumentError, WireError, msgspec.ValidationError) as error:
            return self._refuse(sub, str(error))
        out: list[Output] = [InstrumentUpdate(sub.index, instrument)]
        grid = FloatGrid(instrument.price_precision, instrument.size_precision)
        changed = sub.grid is not None and (sub.grid.price_power, sub.grid.size_power) != (
            grid.price_power,
            grid.size_power,
        )
        sub.grid = grid
        if self._is_open and sub.state in (State.IDLE, State.REFUSED):  # refused for metadata that now fits
            out += self._subscribe(sub, now_ns)
            trade = b'{"channel":"trade","symbol":[%s],"snapshot":false}' % msgspec.json.encode(sub.symbol)
            out.append(self._request("subscribe", "trade", sub.symbol, trade))
            if self._is_ticking:
                ticker = b'{"channel":"ticker","symbol":[%s],"event_trigger":"trades","snapshot":true}'
                out.append(self._request("subscribe", "ticker", sub.symbol, ticker % msgspec.json.encode(sub.symbol)))
        elif changed:
            out.append(BookLost(sub.index, "precision changed"))
            out += self.resync(sub.index, "precision changed", now_ns)
        return out

    def _refuse(self, sub: Subscription, why: str) -> list[Output]:
        sub.move(State.REFUSED)
        return [
            BookLost(sub.index, f"refused: {why}"),
            Notice("error", f"kraken {sub.symbol}: {why}; the other symbols go on"),
        ]

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, answer: wire.Answer, now_ns: int) -> list[Output]:
        result = answer.result if answer.result is not msgspec.UNSET else wire.AckResult()
        channel, symbol = self._requests.pop(answer.req_id, ("", "")) if answer.req_id is not None else ("", "")
        channel, symbol = result.channel or channel, result.symbol or answer.symbol or symbol
        sub = self._subs.get(symbol)
        if answer.error or answer.success is False:
            return self._refused(answer, channel, sub, now_ns)
        if channel != "book" or sub is None:
            return []
        handler: Callable[[Subscription, wire.AckResult, int], list[Output]] | None = {
            "subscribe": self._acked,
            "unsubscribe": self._unsubscribed,
        }.get(answer.method)
        return handler(sub, result, now_ns) if handler else []

    def _acked(self, sub: Subscription, result: wire.AckResult, now_ns: int) -> list[Output]:
        sub.acked = True
        sub.depth = result.depth if result.depth > 0 else self._depth
        if sub.state is not State.LIVE:
            sub.move(State.WAIT_SNAPSHOT, now_ns + ANSWER_TIMEOUT_NS)
        return []

    def _unsubscribed(self, sub: Subscription, result: wire.AckResult, now_ns: int) -> list[Output]:
        del result
        sub.acked = False
        if sub.state is State.WAIT_UNSUBSCRIBED:
            return self._subscribe(sub, now_ns)
        out: list[Output] = [BookLost(sub.index, "unsubscribed")]
        if sub.state is State.LIVE:  # an answer that overtook a snapshot: nobody else will ask for this book again
            out += self.resync(sub.index, "unsubscribed", now_ns)
        return out

    def _refused(self, answer: wire.Answer, channel: str, sub: Subscription | None, now_ns: int) -> list[Output]:
        what = f"kraken refused {answer.method} {channel} {sub.symbol if sub else ''}".rstrip()
        if channel != "book" or sub is None:
            return [Notice("error", f"{what}: {answer.error}")]
        if answer.method == "unsubscribe":  # it was not subscribed: what we wanted
            return self._unsubscribed(sub, wire.AckResult(), now_ns)
        if answer.error.startswith(NEVER_RETRIED):
            return self._refuse(sub, answer.error)
        out: list[Output] = [Notice("error", f"{what}: {answer.error}")]
        if answer.error == "Already subscribed":
            sub.acked = True
            if sub.state in (State.LIVE, State.WAIT_SNAPSHOT):  # the second of two requests; the first one works
                return out
        if sub.state is State.LIVE:
            out.append(BookLost(sub.index, f"refused: {answer.error}"))
        return out + self.resync(sub.index, answer.error, now_ns)

    # --- the unexplained -------------------------------------------------------------------------------------------

    def _unexplained(self, frame: bytes, why: str, now_ns: int, problem: str = "") -> list[Output]:
        """Whom a frame concerns that we cannot read: one symbol if it says so, every book on the link if not."""
        try:
            stray = wire.decode_stray(frame)
        except UNREADABLE:
            concerned = list(self._subs.values())
        else:
            if stray.error_capital or stray.error:
                return [Notice("error", f"kraken says: {stray.error_capital or stray.error}")]
            if stray.channel == "ticker" and self._is_ticking:  # no book is made of it
                return self._once("error", f"kraken: ticker that cannot be read: {problem or why}")
            if stray.channel in _OTHER_CHANNELS:
                return self._once("warning", _UNREAD.format(stray.channel))
            try:
                symbols = {item.symbol for item in wire.decode_stray_items(stray.data)}
            except UNREADABLE:
                symbols = set()
            named = [sub for symbol, sub in self._subs.items() if symbol in symbols]
            concerned = named or list(self._subs.values())
        out: list[Output] = [Notice("error", f"kraken: unexplained frame {frame[:120]!r}: {why}")]
        for sub in concerned:
            out.append(BookLost(sub.index, "unexplained frame"))
            out += self.resync(sub.index, "unexplained frame", now_ns)
        return out

    def _once(self, level: str, text: str) -> list[Output]:
        if text in self._warned or len(self._warned) >= WARNED_MAX:
            return []
        self._warned.add(text)
        return [Notice(level, text)]
