"""Bybit's public market data: bytes ↔ events. https://bybit-exchange.github.io/docs/v5/ws/connect

One request per symbol and topic, so that a refusal takes nobody along and its number says whose it is. A snapshot may
come before the acknowledgement of its subscription, and at any time later: it replaces the book.

Liveness: Bybit sends nothing of its own accord, so a ping leaves every 20 s, and sooner when nothing came for 5 s; if
then nothing comes for 5 s more, the link is dead, though its socket may not know. A quiet book is healthy.
"""

from typing import Final

import msgspec

from connectors.book import Level
from connectors.errors import InstrumentError, NumberError, WireError
from connectors.events import BookDelta, BookLost, BookSnapshot, InstrumentUpdate, Notice
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, TICK_NS, UNREADABLE, State
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.bybit import reading, wire
from connectors.venues.bybit.followed import RESTARTED, Followed, Followeds, Next
from connectors.venues.bybit.metadata import Listing, Metadata
from connectors.venues.bybit.wire import decode_book

PING_NS: Final = 20 * SECOND  # https://bybit-exchange.github.io/docs/v5/ws/connect#how-to-send-the-heartbeat-packet
QUIET_NS: Final = 5 * SECOND
PONG_NS: Final = 5 * SECOND
WARNED_MAX: Final = 1000  # a venue that names new symbols for ever fills no memory of ours
# in the words of a refusal: asking again is no use. The texts are not documented; these were seen
NEVER_RETRIED: Final = ("invalid symbol", "invalid topic", "handler not found", "params error", "topic does not exist")
_ALREADY: Final = "already subscribed"
_LIVE: Final = State.LIVE
_BOOK: Final = b'{"topic":"orderbook.'
_TRADES: Final = b'{"topic":"publicTrade.'
_SUBSCRIBE, _UNSUBSCRIBE = "subscribe", "unsubscribe"


class BybitMarket:
    """`MarketSession` for Bybit spot: order book, trades and, where planned, tickers on one socket."""

    def __init__(self, plan: SessionPlan) -> None:
        self._books = Followeds(
            [Followed(index, symbol, plan.depth, plan.instruments.get(index)) for index, symbol in plan.symbols]
        )
        self._metadata = Metadata()
        self._stamp = reading.Stamp().text
        self._is_ticking = plan.is_ticking
        self._is_open = False
        self._next_id = 0
        self._requests: dict[str, tuple[str, str, Followed]] = {}  # req_id → (op, topic, whose)
        self._last_frame_ns = self._last_ping_ns = 0
        self._owed_ns: int | None = None  # since when an answer to a ping is owed
        self._warned: set[str] = set()

    # --- the link --------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """Bybit remembers nothing of an earlier connection. What is known to be listed is asked for at once."""
        if link != PUBLIC:
            return []
        self._is_open = True
        self._requests.clear()
        self._last_frame_ns = self._last_ping_ns = now_ns
        self._owed_ns = None
        out: list[Output] = [*self._metadata.ask(now_ns), WakeAt(now_ns + TICK_NS)]
        for book in self._books.all:
            book.acked = False
            if book.state is not State.REFUSED:
                book.move(State.IDLE)
            if book.is_listed:
                out += self._follow(book, now_ns)
        return out

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        if link != PUBLIC:
            return []
        self._is_open = False
        self._metadata.close()
        return self._lose_all("link down")

    def _lose_all(self, reason: str) -> list[Output]:
        """Whatever still stands on this link does not any more; what fell before keeps its own reason."""
        lost = [book for book in self._books.all if book.state not in (State.IDLE, State.REFUSED)]
        for book in lost:
            book.move(State.IDLE)  # should the peer wake up before the socket is closed, its updates come too late
        return [BookLost(book.index, reason) for book in lost]

    def tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        if self._owed_ns is not None and now_ns - self._owed_ns >= PONG_NS:
            self._is_open = False
            out += self._lose_all("link silent")
            return [*out, Reconnect(PUBLIC, f"no answer to a ping in {PONG_NS // SECOND} s")]
        if self._owed_ns is None and (
            now_ns - self._last_ping_ns >= PING_NS or now_ns - max(self._last_frame_ns, self._last_ping_ns) >= QUIET_NS
        ):
            self._owed_ns = self._last_ping_ns = now_ns
            self._next_id += 1
            out.append(Send(PUBLIC, b'{"req_id":"%d","op":"ping"}' % self._next_id))
        out += self._metadata.tick(now_ns)
        for book in self._books.all:
            if book.due_ns is not None and now_ns >= book.due_ns:
                out += self._overdue(book, now_ns)
        return out

    def _overdue(self, book: Followed, now_ns: int) -> list[Output]:
        if book.state is State.BACKOFF:
            if not book.acked:
                return self._subscribe(book, now_ns)
            book.move(State.WAIT_UNSUBSCRIBED, now_ns + ANSWER_TIMEOUT_NS)
            return [self._request(_UNSUBSCRIBE, book.topic, book)]
        if book.state is State.WAIT_UNSUBSCRIBED:  # no answer: perhaps it never arrived; a subscribe decides
            book.acked = False
            return self._subscribe(book, now_ns)
        waited_for = "ack" if book.state is State.WAIT_ACK else "snapshot"
        return self.resync(book.index, f"no {waited_for} in {ANSWER_TIMEOUT_NS // SECOND} s", now_ns)

    # --- subscriptions ---------------------------------------------------------------------------------------------

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        book = self._books.by_index[instrument]
        if book.state in (State.IDLE, State.BACKOFF, State.WAIT_UNSUBSCRIBED, State.REFUSED):
            return []
        delay_ns = book.next_delay_ns(now_ns)
        book.move(State.BACKOFF, now_ns + delay_ns)
        text = f"bybit {book.symbol}: {reason}; resubscribing in {delay_ns // SECOND} s"
        out: list[Output] = [Notice("warning", text)]
        if not self._is_open:
            return out
        return out + (self._overdue(book, now_ns) if delay_ns == 0 else [WakeAt(now_ns + delay_ns)])

    def _follow(self, book: Followed, now_ns: int) -> list[Output]:
        out = self._subscribe(book, now_ns)
        out.append(self._request(_SUBSCRIBE, f"publicTrade.{book.name}", book))
        if self._is_ticking:
            out.append(self._request(_SUBSCRIBE, f"tickers.{book.name}", book))
        return out

    def _subscribe(self, book: Followed, now_ns: int) -> list[Output]:
        book.own()
        book.move(State.WAIT_ACK, now_ns + ANSWER_TIMEOUT_NS)
        return [self._request(_SUBSCRIBE, book.topic, book)]

    def _request(self, op: str, topic: str, book: Followed) -> Send:
        self._next_id += 1
        number = str(self._next_id)
        self._requests[number] = (op, topic, book)
        return Send(PUBLIC, msgspec.json.encode({"req_id": number, "op": op, "args": [topic]}))

    # --- frames ----------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        if link == CALLS:
            return self._listing(frame, now_ns)
        if link != PUBLIC:
            return []
        self._last_frame_ns = now_ns
        self._owed_ns = None
        try:
            if frame.startswith(_BOOK):  # nearly all of them
                return self._book(frame, now_ns)
            if frame.startswith(_TRADES):
                return self._trades(frame)
            return self._message(frame, now_ns)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)

    def _book(self, frame: bytes, now_ns: int) -> list[Output]:
        message = decode_book(frame)
        data = message.data
        book = self._books.by_topic.get(message.topic)
        if book is not None and data.u == book.next_u and book.state is _LIVE and message.type == "delta":
            book.next_u += 1  # the one case of many, and the same as `place` would say
            bids, asks = book.levels(data)
            return [BookDelta(book.index, bids, asks, None, self._stamp(message.cts or message.ts))]
        return self._other(message, book or self._books.of_topic(message.topic), now_ns)

    def _other(self, message: wire.Book, book: Followed | None, now_ns: int) -> list[Output]:
        """Whole books, and all that is not in order."""
        if book is None or book.texts is None:
            text = f"bybit: {message.topic}, which is not subscribed or has no metadata yet"
            return self._once("warning", text)
        last = book.next_u - 1
        place = book.place(message)
        if place is Next.FOLLOWS:
            bids, asks = book.levels(message.data)
            return [BookDelta(book.index, bids, asks, None, self._stamp(message.cts or message.ts))]
        if place is Next.WHOLE:
            return self._whole(book, message, now_ns)
        if place is Next.REPEATED:
            return self._once("warning", f"bybit {book.symbol}: Bybit repeats itself; what was applied is dropped")
        if place is Next.STRAY:
            return []
        why = f"message {message.data.u} came after {last}"
        return [BookLost(book.index, f"gap: {why}", is_gap=True), *self.resync(book.index, why, now_ns)]

    def _whole(self, book: Followed, message: wire.Book, now_ns: int) -> list[Output]:
        bids, asks = book.levels(message.data)
        if message.data.u == RESTARTED:  # so Bybit says, among other things, that ticks or lots have changed
            self._metadata.sooner(now_ns)
        if message.topic == book.topic:
            book.own()
        book.alive(now_ns)
        stamp = self._stamp(message.cts or message.ts)
        return [BookSnapshot(book.index, _there(bids), _there(asks), None, book.depth, stamp)]

    def _trades(self, frame: bytes) -> list[Output]:
        message = wire.decode_trades(frame)
        book = self._books.of_item(message.topic)
        return [reading.trade(book.index, item) for item in message.data if item.symbol == book.name] if book else []

    def _message(self, frame: bytes, now_ns: int) -> list[Output]:
        message = wire.decode_message(frame)
        kind = message.topic.partition(".")[0]
        if kind == "orderbook":  # spaces, or another order of members than Bybit's own
            return self._book(frame, now_ns)
        if kind == "publicTrade":
            return self._trades(frame)
        if kind == "tickers" and self._is_ticking:
            return self._ticker(frame)
        if kind:
            return self._once("warning", f"bybit: data of {kind}, which is not read here")
        if message.is_pong:
            return []
        if message.op in (_SUBSCRIBE, _UNSUBSCRIBE):
            return self._answer(message, now_ns)
        if message.success is False:
            return [Notice("error", f"bybit says: {message.ret_msg}")]
        msg = "neither data nor an answer that is known"
        raise WireError(msg)

    def _ticker(self, frame: bytes) -> list[Output]:
        """No book is made of it: one that cannot be read is only said."""
        try:
            message = wire.decode_ticker(frame)
            book = self._books.of_item(message.topic)
            return [reading.ticker(book.index, message, self._stamp(message.ts))] if book else []
        except UNREADABLE as error:
            return self._once("error", f"bybit: ticker that cannot be read: {error}")

    # --- metadata --------------------------------------------------------------------------------------------------

    def _listing(self, frame: bytes, now_ns: int) -> list[Output]:
        found = self._metadata.answered(frame, now_ns)
        if not isinstance(found, Listing):
            return found
        by_coins = {f"{base}/{quote}": (name, raw) for base, quote, name, raw in found.pairs}
        by_name = {name: (name, raw) for _, _, name, raw in found.pairs}
        out: list[Output] = []
        for book in self._books.all:
            entry = by_coins.get(book.symbol) or by_name.get(book.symbol)
            if entry is not None:
                out += self._define(book, entry[0], entry[1], now_ns)
            elif found.is_whole:
                out += self._refuse(book, f"bybit does not list {book.symbol}")
        return out

    def _define(self, book: Followed, name: str, raw: msgspec.Raw, now_ns: int) -> list[Output]:
        try:
            instrument = reading.instrument(book.symbol, wire.decode_pair(raw))
        except (InstrumentError, NumberError, msgspec.ValidationError) as error:
            return self._refuse(book, str(error))
        before = book.instrument
        out: list[Output] = [InstrumentUpdate(book.index, instrument)] if instrument != before else []
        changed = before is not None and (before.price_precision, before.size_precision, book.name) != (
            instrument.price_precision, instrument.size_precision, name,
        )  # fmt: skip
        if changed or book.texts is None:
            book.read_by(instrument)
        book.instrument, book.is_listed = instrument, True
        self._books.renamed(book, name)
        if self._is_open and book.state in (State.IDLE, State.REFUSED):
            out += self._follow(book, now_ns)
        elif changed:
            out.append(BookLost(book.index, "metadata changed"))
            out += self.resync(book.index, "metadata changed", now_ns)
        return out

    def _refuse(self, book: Followed, why: str) -> list[Output]:
        if book.state is State.REFUSED:
            return []
        book.is_listed = False
        book.move(State.REFUSED)
        return [
            BookLost(book.index, f"refused: {why}"),
            Notice("error", f"bybit {book.symbol}: {why}; the other symbols go on"),
        ]

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, answer: wire.Message, now_ns: int) -> list[Output]:
        op, topic, book = self._requests.pop(answer.req_id or "", (answer.op, "", None))
        words = answer.ret_msg or ""
        if book is None and (book := self._books.named_in(words)) is not None:
            topic = book.topic
        if answer.success is False:
            return self._refused(op, topic, words, book, now_ns)
        if book is None or topic != book.topic:
            return []
        if op == _SUBSCRIBE:
            book.acked = True
            if book.state is State.WAIT_ACK:
                book.move(State.WAIT_SNAPSHOT, now_ns + ANSWER_TIMEOUT_NS)
            return []
        return self._unsubscribed(book, now_ns)

    def _unsubscribed(self, book: Followed, now_ns: int) -> list[Output]:
        book.acked = False
        if book.state is State.WAIT_UNSUBSCRIBED:
            return self._subscribe(book, now_ns)
        if book.state is State.LIVE:  # an answer that overtook a snapshot: nobody else will ask for this book again
            return [BookLost(book.index, "unsubscribed"), *self.resync(book.index, "unsubscribed", now_ns)]
        return []

    def _refused(self, op: str, topic: str, words: str, book: Followed | None, now_ns: int) -> list[Output]:
        said = Notice("error", f"bybit refused {op} {topic or 'of something'}: {words}")
        if book is None or topic != book.topic:
            return [said]
        if op == _UNSUBSCRIBE:  # it was not subscribed: what we wanted
            return self._unsubscribed(book, now_ns)
        if any(text in words.lower() for text in NEVER_RETRIED):
            return self._refuse(book, words)
        if _ALREADY in words.lower():
            book.acked = True
            if book.state in (State.LIVE, State.WAIT_SNAPSHOT):  # the second of two requests; the first one works
                return [said]
        lost = [BookLost(book.index, f"refused: {words}")] if book.state is State.LIVE else []
        return [said, *lost, *self.resync(book.index, words, now_ns)]

    # --- the unexplained -------------------------------------------------------------------------------------------

    def _unexplained(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        """Whom a frame concerns that we cannot read: one symbol if it says so, every book on the link if not."""
        try:
            topic = wire.decode_message(frame).topic
        except UNREADABLE:
            topic = ""
        name = topic.rpartition(".")[2]
        book = self._books.by_name.get(name)
        out: list[Output] = [Notice("error", f"bybit: unexplained frame {frame[:120]!r}: {why}")]
        for one in self._books.all if book is None else [book]:
            out.append(BookLost(one.index, "unexplained frame"))
            out += self.resync(one.index, "unexplained frame", now_ns)
        return out

    def _once(self, level: str, text: str) -> list[Output]:
        if text in self._warned or len(self._warned) >= WARNED_MAX:
            return []
        self._warned.add(text)
        return [Notice(level, text)]


def _there(levels: list[Level]) -> list[Level]:
    """Of a whole book that is called a delta: the levels that are there."""
    return [level for level in levels if level[1]]
