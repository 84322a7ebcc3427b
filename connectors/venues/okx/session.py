"""OKX's public market data: bytes ↔ events. https://www.okx.com/docs-v5/en/#overview-websocket

The list of markets comes over HTTP (CALLS), its changes on the `instruments` channel; a symbol is subscribed when its
metadata are known. Liveness: nothing need come from a quiet market for a minute, so the text `ping` is sent after five
seconds without a frame, and ten without one, `pong` included, are a dead link. A book that says nothing for 90 s on a
link that lives is asked for anew: OKX owes an empty update after about 60 s.
"""

import msgspec

from connectors.errors import InstrumentError, WireError
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, TICK_NS, UNREADABLE, State
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.units import TextGrid
from connectors.venues.okx import reading, wire
from connectors.venues.okx.maintenance import Maintenance
from connectors.venues.okx.metadata import Metadata
from connectors.venues.okx.names import Names
from connectors.venues.okx.subscription import (
    DEPTH,
    NOTICE_AGAIN_NS,
    PING_AFTER_NS,
    QUIET_MAX_NS,
    SILENCE_MAX_NS,
    BookSubscription,
)
from connectors.venues.okx.times import Rfc3339
from connectors.venues.okx.wire import decode_book

LINK = PUBLIC
WARNED_MAX = 1000  # a venue that names new symbols for ever fills no memory of ours
_LIVE = State.LIVE
_BOOK = b'{"arg":{"channel":"books",'
_CLOSING = "64008"
_NO_SUCH = frozenset({"60018", "64000", "64001", "64002", "64003"})  # asking again would be told the same


class OkxMarket:
    """`MarketSession` for OKX: `books`, `trades` and, where planned, `tickers` of each symbol on one socket."""

    def __init__(self, plan: SessionPlan) -> None:
        self._subs = [BookSubscription(index, symbol, plan.instruments.get(index)) for index, symbol in plan.symbols]
        self._by_index = {sub.index: sub for sub in self._subs}
        self._by_name = {sub.name: sub for sub in self._subs}
        self._names = Names(plan.symbols)
        self._metadata = Metadata()
        self._maintenance = Maintenance()
        self._is_ticking = plan.is_ticking
        self._time = Rfc3339()
        self._next_id = 0
        self._requests: dict[str, str] = {}  # id of a request for a book → OKX's name of it
        self._is_open = False
        self._last_frame_ns = 0
        self._last_ping_ns = 0
        self._noticed_ns = -NOTICE_AGAIN_NS
        self._leave_ns: int | None = None  # when to leave a connection that OKX is about to close
        self._warned: set[str] = set()

    # --- the link --------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        """OKX remembers nothing of an earlier connection; what was learnt of a market serves until it is told anew."""
        if link != LINK:
            return []
        self._is_open = True
        self._requests.clear()
        self._last_frame_ns = self._last_ping_ns = now_ns
        self._leave_ns = None
        args = b'{"channel":"instruments","instType":"SPOT"},{"channel":"status"}'
        out: list[Output] = [self._metadata.ask(now_ns), self._request("subscribe", args)]
        for sub in self._subs:
            sub.acked = False
            sub.move(State.IDLE)
            if sub.texts is not None:
                out += self._start(sub, now_ns)
        return [*out, *self._maintenance.opened(now_ns), WakeAt(now_ns + TICK_NS)]

    def close(self, now_ns: int, link: str = LINK, /) -> list[Output]:
        del now_ns
        if link != LINK:
            return []
        self._is_open = False
        return self._lose_all("link down")

    def _lose_all(self, reason: str) -> list[Output]:
        """Whatever still stands on this link does not any more; what fell before keeps its own reason."""
        lost = [sub for sub in self._subs if sub.state is not State.IDLE]
        for sub in lost:
            sub.move(State.IDLE)  # should the peer wake up before the socket is closed, its updates come too late
        return [BookLost(sub.index, reason) for sub in lost]

    def tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        silent_ns = now_ns - self._last_frame_ns
        if silent_ns > SILENCE_MAX_NS:
            self._is_open = False
            why = f"no frame for {silent_ns / SECOND:.1f} s"
            return [*self._lose_all("link silent"), Reconnect(LINK, why)]
        if self._leave_ns is not None and now_ns >= self._leave_ns:
            return self._leave()
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        if now_ns - max(self._last_frame_ns, self._last_ping_ns) >= PING_AFTER_NS:
            self._last_ping_ns = now_ns
            out.append(Send(LINK, b"ping"))
        out += self._metadata.tick(now_ns)
        for sub in self._subs:
            if sub.due_ns is not None and now_ns >= sub.due_ns:
                out += self._overdue(sub, now_ns)
            elif sub.state is _LIVE and now_ns - sub.last_ns > QUIET_MAX_NS:
                out += self._lost(sub, f"no book message in {QUIET_MAX_NS // SECOND} s", now_ns)
        return out

    def _leave(self) -> list[Output]:
        self._is_open = False
        self._leave_ns = None
        return [*self._lose_all("the venue closes the link"), Reconnect(LINK, "OKX is about to close this connection")]

    def _overdue(self, sub: BookSubscription, now_ns: int) -> list[Output]:
        if sub.state is State.BACKOFF:
            if not sub.acked:
                return self._subscribe(sub, now_ns)
            sub.move(State.WAIT_UNSUBSCRIBED, now_ns + ANSWER_TIMEOUT_NS)
            return [self._request("unsubscribe", _arg("books", sub.name), sub.name)]
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
        text = f"okx {sub.symbol}: {reason}; resubscribing in {delay_ns / SECOND:g} s"
        out: list[Output] = [Notice("warning", text)]
        if not self._is_open:
            return out
        return out + (self._overdue(sub, now_ns) if delay_ns == 0 else [WakeAt(now_ns + delay_ns)])

    def _lost(self, sub: BookSubscription, reason: str, now_ns: int, *, is_gap: bool = False) -> list[Output]:
        return [BookLost(sub.index, reason, is_gap), *self.resync(sub.index, reason, now_ns)]

    def _start(self, sub: BookSubscription, now_ns: int) -> list[Output]:
        """Everything of one symbol; the book in a request of its own, so that a refusal is nobody else's."""
        beside = _arg("trades", sub.name)
        if self._is_ticking:
            beside += b"," + _arg("tickers", sub.name)
        return [*self._subscribe(sub, now_ns), self._request("subscribe", beside)]

    def _subscribe(self, sub: BookSubscription, now_ns: int) -> list[Output]:
        sub.move(State.WAIT_ACK, now_ns + ANSWER_TIMEOUT_NS)
        return [self._request("subscribe", _arg("books", sub.name), sub.name)]

    def _request(self, op: str, args: bytes, name: str = "") -> Send:
        self._next_id += 1
        if name:
            self._requests[str(self._next_id)] = name
        return Send(LINK, b'{"id":"%d","op":"%s","args":[%s]}' % (self._next_id, op.encode(), args))

    # --- frames ----------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = LINK, /) -> list[Output]:
        if link != LINK:
            return self._called(frame, now_ns) if link == CALLS else []
        self._last_frame_ns = now_ns
        try:
            if frame.startswith(_BOOK):  # nearly all of them
                return self._book(frame, now_ns)
            if frame == b"pong":
                return []
            return self._message(frame, now_ns)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)

    def _book(self, frame: bytes, now_ns: int) -> list[Output]:
        message = decode_book(frame)
        data, name = message.data[0], message.arg.inst_id
        sub = self._by_name.get(name)
        if sub is None or sub.texts is None or sub.state is State.REFUSED:
            return self._once("warning", f"okx: book of {name:.40}, which is not followed here or has no metadata")
        of_texts, chain = sub.texts.of_texts, sub.chain
        is_update = message.action == "update"
        if is_update:
            if sub.state is not _LIVE:
                return []
            last = chain.last
            if data.prev_seq_id == last and data.seq_id > last >= 0:  # what nearly all are
                chain.last = data.seq_id
            else:
                is_empty = not data.bids and not data.asks
                problem, is_gap = chain.follow(
                    data.prev_seq_id, data.seq_id, is_empty=is_empty, is_summed=data.checksum != 0
                )
                if problem:
                    return self._lost(sub, problem, now_ns, is_gap=is_gap)
        bids, asks, ts_venue = of_texts(data.bids), of_texts(data.asks), self._time(data.ts)
        sub.last_ns = now_ns
        if is_update:
            return [BookDelta(sub.index, bids, asks, data.checksum or None, ts_venue)]
        problem = chain.begin(data.prev_seq_id, data.seq_id)
        if problem:
            return self._lost(sub, problem, now_ns)
        sub.alive(now_ns)
        return [BookSnapshot(sub.index, bids, asks, data.checksum or None, DEPTH, ts_venue)]

    def _message(self, frame: bytes, now_ns: int) -> list[Output]:
        message = wire.decode_message(frame)
        if message.event:
            return self._event(message, now_ns)
        if message.arg is None:
            raise WireError("neither a push nor an answer")
        channel, name = message.arg.channel, message.arg.inst_id
        if channel == "books":  # spaces, or another order of keys than OKX's own
            return self._book(frame, now_ns)
        sub = self._by_name.get(name)
        if channel == "trades":
            trades = wire.decode_trades(message.data)
            return [reading.trade(sub.index, item) for item in trades] if sub else []
        try:  # no book is made of what follows
            return self._beside(channel, sub, message.data, now_ns)
        except UNREADABLE as error:
            return self._once("error", f"okx: data of channel {channel:.40} that cannot be read: {error}")

    def _beside(self, channel: str, sub: BookSubscription | None, data: msgspec.Raw, now_ns: int) -> list[Output]:
        if channel == "tickers" and self._is_ticking:
            tickers = wire.decode_tickers(data)
            return [reading.ticker(sub.index, item, self._time(item.ts)) for item in tickers] if sub else []
        if channel == "instruments":
            return [output for raw in wire.decode_raws(data) for output in self._pair(raw, now_ns)]
        if channel == "status":
            return [output for item in wire.decode_statuses(data) for output in self._maintenance.take(item)]
        return self._once("warning", f"okx: data of channel {channel:.40}, which is not read here")

    # --- metadata --------------------------------------------------------------------------------------------------

    def _called(self, frame: bytes, now_ns: int) -> list[Output]:
        """The list of all spot markets, or what came of asking for it."""
        try:
            pairs = self._metadata.answer(frame, now_ns)
        except UNREADABLE as error:
            return [Notice("warning", f"okx: the list of markets was not got: {error}"), WakeAt(now_ns + SECOND)]
        if pairs is None:
            return []
        out: list[Output] = []
        listed: set[int] = set()
        for raw in pairs:
            out += self._pair(raw, now_ns, listed)
        for sub in self._subs:
            if sub.index not in listed:
                out += self._refuse(sub, f"okx does not list {sub.symbol}")
        return out

    def _pair(self, raw: msgspec.Raw, now_ns: int, listed: set[int] | None = None) -> list[Output]:
        found = wire.decode_pair_name(raw)
        sub = self._by_index.get(self._names.wanted(found.inst_id, found.base_ccy, found.quote_ccy))
        if sub is None:
            return []
        if listed is not None:
            listed.add(sub.index)
        try:
            definition = reading.instrument(wire.decode_pair(raw), sub.symbol)
        except (InstrumentError, *UNREADABLE) as error:
            return self._refuse(sub, str(error))
        out: list[Output] = [InstrumentUpdate(sub.index, definition)]
        before = sub.texts
        sub.texts = TextGrid(definition.price_precision, definition.size_precision)
        if sub.name != definition.venue_symbol:
            self._by_name.pop(sub.name, None)
            sub.name = definition.venue_symbol
            self._by_name[sub.name] = sub
        if not self._is_open:
            return out
        if sub.state in (State.IDLE, State.REFUSED):  # refused for metadata that now fit
            out += self._start(sub, now_ns)
        elif before is not None and (before.price_power, before.size_power) != (
            sub.texts.price_power,
            sub.texts.size_power,
        ):
            out += self._lost(sub, "precision changed", now_ns)
        return out

    def _refuse(self, sub: BookSubscription, why: str) -> list[Output]:
        if sub.state is State.REFUSED:
            return []
        out: list[Output] = []
        if sub.acked and self._is_open:  # nobody will look at it any more
            out.append(self._request("unsubscribe", _arg("books", sub.name), sub.name))
        sub.move(State.REFUSED)
        return [
            *out,
            BookLost(sub.index, f"refused: {why}"),
            Notice("error", f"okx {sub.symbol}: {why}; the other symbols go on"),
        ]

    # --- answers ---------------------------------------------------------------------------------------------------

    def _event(self, message: wire.Message, now_ns: int) -> list[Output]:
        if message.event == "notice":
            return self._notice(message, now_ns)
        named = self._requests.pop(message.id, "")
        if message.event == "error":
            return self._refused(message, self._by_name.get(named), now_ns)
        if message.event not in ("subscribe", "unsubscribe"):
            return self._once("warning", f"okx says {message.event:.40}: {message.msg:.80}")
        sub = self._by_name.get(message.arg.inst_id) if message.arg and message.arg.channel == "books" else None
        if sub is None:
            return []
        if message.event == "subscribe":
            sub.acked = True
            if sub.state not in (_LIVE, State.REFUSED):
                sub.move(State.WAIT_SNAPSHOT, now_ns + ANSWER_TIMEOUT_NS)
            return []
        return self._unsubscribed(sub, now_ns)

    def _unsubscribed(self, sub: BookSubscription, now_ns: int) -> list[Output]:
        sub.acked = False
        if sub.state is State.WAIT_UNSUBSCRIBED:
            return self._subscribe(sub, now_ns)
        if sub.state is State.REFUSED:
            return []
        out: list[Output] = [BookLost(sub.index, "unsubscribed")]
        if sub.state is _LIVE:  # an answer that overtook a snapshot: nobody else will ask for this book again
            out += self.resync(sub.index, "unsubscribed", now_ns)
        return out

    def _refused(self, message: wire.Message, sub: BookSubscription | None, now_ns: int) -> list[Output]:
        why = f"{message.code} {message.msg:.200}".strip()
        if sub is None:
            return [Notice("error", f"okx refused a request: {why}")]
        if sub.state is State.WAIT_UNSUBSCRIBED:  # it was not subscribed: what we wanted
            sub.acked = False
            told = Notice("warning", f"okx refused to unsubscribe {sub.symbol}: {why}")
            return [told, *self._subscribe(sub, now_ns)]
        if sub.state is not State.WAIT_ACK:
            return [Notice("error", f"okx refused a request for {sub.symbol}: {why}")]
        if message.code in _NO_SUCH:
            return self._refuse(sub, why)
        return self._lost(sub, f"refused: {why}", now_ns)

    def _notice(self, message: wire.Message, now_ns: int) -> list[Output]:
        out: list[Output] = [Notice("warning", f"okx says: {message.code} {message.msg:.200}")]
        if message.code != _CLOSING or not self._is_open or self._leave_ns is not None:
            return out
        self._leave_ns = max(now_ns, self._noticed_ns + NOTICE_AGAIN_NS)
        self._noticed_ns = self._leave_ns
        return out + (self._leave() if self._leave_ns <= now_ns else [WakeAt(self._leave_ns)])

    # --- the unexplained -------------------------------------------------------------------------------------------

    def _unexplained(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        """Whom a frame concerns that we cannot read: one symbol if it says so, every book on the link if not."""
        concerned = self._subs
        try:
            arg = wire.decode_message(frame).arg
        except UNREADABLE:
            arg = None
        if arg is not None and arg.channel == "trades":  # no book is made of it
            return self._once("error", f"okx: trades of {arg.inst_id:.40} that cannot be read: {why}")
        if arg is not None and arg.inst_id:
            if arg.inst_id not in self._by_name:
                return self._once("warning", f"okx: a frame of {arg.inst_id:.40}, not followed, cannot be read: {why}")
            concerned = [self._by_name[arg.inst_id]]
        out: list[Output] = [Notice("error", f"okx: unexplained frame {frame[:120]!r}: {why}")]
        for sub in concerned:
            if sub.state is not State.REFUSED:
                out += self._lost(sub, "unexplained frame", now_ns)
        return out

    def _once(self, level: str, text: str) -> list[Output]:
        if text in self._warned or len(self._warned) >= WARNED_MAX:
            return []
        self._warned.add(text)
        return [Notice(level, text)]


def _arg(channel: str, name: str) -> bytes:
    return b'{"channel":"%s","instId":%s}' % (channel.encode(), msgspec.json.encode(name))
