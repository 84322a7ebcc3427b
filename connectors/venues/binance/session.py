"""Binance's public market data: bytes ↔ events. https://developers.binance.com/docs/binance-spot-api-docs

One combined socket for the diffs and trades of all markets; snapshots and metadata are asked for over HTTP. Binance
sends nothing that proves a quiet link alive but ping frames, which the socket's library answers: after ten seconds
without a frame a list of the subscriptions is asked for, and its answer is the proof, or its absence the end. Five
messages a second may be sent on a socket (web-socket-streams): a quarter of a second lies between two of ours.
"""

from collections import deque
from typing import Final

import msgspec

from connectors.events import BookLost, InstrumentUpdate, Notice
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, UNREADABLE, State
from connectors.instrument import Instrument
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.binance import reading, wire
from connectors.venues.binance.books import FIRST_ASK_NS, Books
from connectors.venues.binance.calls import Calls
from connectors.venues.binance.follow import Follow
from connectors.venues.binance.metadata import Listing, Metadata
from connectors.venues.binance.questions import Questions

TICK_NS: Final = SECOND // 4
APART_NS: Final = SECOND // 4
PING_AFTER_NS: Final = 10 * SECOND
SILENCE_MAX_NS: Final = 20 * SECOND
TOGETHER: Final = 50  # markets in one SUBSCRIBE
STREAMS_MAX: Final = 1024  # of one connection
WARNED_MAX: Final = 1000  # a venue that names new streams for ever fills no memory of ours
_STREAM: Final = b'{"stream":"'
_DIFFS: Final = ("depth", "depth@100ms", "depth@1000ms", "depth@0ms")


class BinanceMarket:
    """`MarketSession` for Binance spot."""

    def __init__(self, plan: SessionPlan) -> None:
        self._follows: dict[str, Follow] = {}
        self._twice: list[Follow] = []
        for index, symbol in plan.symbols:
            follow = Follow(index, symbol, plan.depth, plan.instruments.get(index))
            if follow.name in self._follows or len(self._follows) >= STREAMS_MAX // 2:
                self._twice.append(follow)
            else:
                self._follows[follow.name] = follow
        self._by_index = {follow.index: follow for follow in (*self._follows.values(), *self._twice)}
        self._streams: dict[bytes, tuple[Follow, bool]] = {}  # whose, and whether it is of diffs
        for follow in self._follows.values():
            lower = follow.name.lower()
            self._streams |= {f"{lower}@{kind}".encode(): (follow, True) for kind in _DIFFS}
            self._streams[f"{lower}@trade".encode()] = follow, False
        questions = Questions()
        self._books = Books(self._follows.values(), questions)
        self._metadata = Metadata(tuple(self._follows.values()), questions)
        self._calls = Calls(self._follows, questions, self._books, self._metadata)
        self._next_id = 0
        self._requests: dict[int, tuple[Follow, ...]] = {}
        self._outbox: deque[tuple[str, tuple[Follow, ...]]] = deque()
        self._sent_ns = self._last_frame_ns = self._ping_ns = 0
        self._unread: set[bytes] = set()  # streams of a recording that are not read here
        self._warned: set[str] = set()

    # --- the link ----------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """Binance remembers nothing of an earlier connection. Who has metadata is subscribed, the others ask first."""
        if link != PUBLIC:
            return []
        self._books.is_open = True
        self._requests.clear()
        self._outbox.clear()
        self._last_frame_ns, self._ping_ns, self._sent_ns = now_ns, now_ns, now_ns - APART_NS
        out: list[Output] = []
        for follow in self._twice:
            out += self._refuse(follow, "it is another's name, or one market too many for one connection")
        for follow in self._follows.values():
            follow.idle()
        self._subscribe([one for one in self._follows.values() if one.is_known and one.state is State.IDLE])
        self._metadata.begin(now_ns)
        return [*out, *self._work(now_ns), WakeAt(now_ns + TICK_NS)]

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        del now_ns
        return self._down("link down") if link == PUBLIC else []

    def _down(self, reason: str) -> list[Output]:
        """Whatever still stands on this link does not any more; what fell before keeps its own reason."""
        self._books.is_open = False
        lost: list[Output] = []
        for follow in self._follows.values():
            if follow.state is State.LIVE:
                lost.append(BookLost(follow.index, reason))
            follow.idle()
        return lost

    def tick(self, now_ns: int) -> list[Output]:
        if not self._books.is_open:
            return []
        silent_ns = now_ns - self._last_frame_ns
        if silent_ns > SILENCE_MAX_NS:
            return [*self._down("link silent"), Reconnect(PUBLIC, f"no frame for {silent_ns / SECOND:.1f} s")]
        if now_ns - max(self._last_frame_ns, self._ping_ns) >= PING_AFTER_NS:
            self._ping_ns = now_ns
            self._outbox.append(("LIST_SUBSCRIPTIONS", ()))
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        out += self._calls.overdue(now_ns)
        for follow in self._follows.values():
            if follow.due_ns is not None and now_ns >= follow.due_ns:
                out += self._overdue(follow, now_ns)
        out += self._books.tick(now_ns)
        while self._books.silent:
            self._anew(self._books.silent.pop())
        return out + self._work(now_ns)

    def _overdue(self, follow: Follow, now_ns: int) -> list[Output]:
        if follow.state is State.BACKOFF:
            self._subscribe([follow])
            return []
        delay_ns = follow.next_delay_ns(now_ns)
        follow.move(State.BACKOFF, now_ns + delay_ns)
        text = f"no ack in {ANSWER_TIMEOUT_NS // SECOND} s; subscribing again in {delay_ns / SECOND:g} s"
        return [Notice("warning", f"binance {follow.symbol}: {text}")]

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        return self._books.resync(self._by_index[instrument], reason, now_ns)

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def _subscribe(self, follows: list[Follow]) -> None:
        for at in range(0, len(follows), TOGETHER):
            several = tuple(follows[at : at + TOGETHER])
            for follow in several:
                follow.idle()
                follow.move(State.WAIT_ACK)
            self._outbox.append(("SUBSCRIBE", several))

    def _anew(self, follow: Follow) -> None:
        """An acked stream that says nothing: Binance acks streams that it does not have, and some that it forgets."""
        follow.idle()
        self._outbox.append(("UNSUBSCRIBE", (follow,)))
        self._subscribe([follow])

    def _work(self, now_ns: int) -> list[Output]:
        """One message of the socket, as its limit allows, and whatever metadata are due."""
        out = self._metadata.tick(now_ns)
        if not self._outbox:
            return out
        if now_ns < self._sent_ns + APART_NS:
            return [*out, WakeAt(self._sent_ns + APART_NS)]
        method, follows = self._outbox.popleft()
        self._sent_ns = now_ns
        self._next_id += 1
        message: dict[str, object] = {"method": method, "id": self._next_id}
        if follows:
            message["params"] = [stream for follow in follows for stream in follow.streams]
        if method == "SUBSCRIBE":
            self._requests[self._next_id] = follows
            for follow in follows:
                if follow.state is State.WAIT_ACK:
                    follow.due_ns = now_ns + ANSWER_TIMEOUT_NS
        return [*out, Send(PUBLIC, msgspec.json.encode(message))]

    # --- frames ------------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        if link == CALLS:
            out, listings = self._calls.heard(frame, now_ns)
            return out + self._listed(listings, now_ns) + self._work(now_ns)
        self._last_frame_ns = now_ns
        if frame.startswith(_STREAM):  # nearly all of them
            name = frame[11 : frame.find(b'"', 11)]
            found = self._streams.get(name)
            if name in self._unread:
                return []
            if found is not None:
                follow, is_diff = found
                try:
                    if is_diff:
                        return self._diff(follow, wire.decode_depth_frame(frame).data, now_ns)
                    return self._trade(follow, wire.decode_trade_frame(frame).data)
                except UNREADABLE as error:
                    return self._unexplained(frame, str(error), now_ns, follow, is_diff=is_diff)
        try:
            return self._naked(frame, now_ns)
        except msgspec.ValidationError as error:
            problem = str(error)  # no event that we read: an answer, perhaps
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)
        try:
            return self._answer(wire.decode_answer(frame), now_ns)
        except UNREADABLE:
            return self._stray(frame, problem, now_ns)

    def _diff(self, follow: Follow, data: wire.Depth, now_ns: int) -> list[Output]:
        if data.symbol != follow.name:
            msg = f"it is of {data.symbol}"
            raise ValueError(msg)
        return self._books.diff(follow, data, now_ns)

    @staticmethod
    def _trade(follow: Follow, data: wire.Trade) -> list[Output]:
        if data.symbol != follow.name:
            msg = f"it is of {data.symbol}"
            raise ValueError(msg)
        return [reading.trade(follow.index, data)]

    def _naked(self, frame: bytes, now_ns: int) -> list[Output]:
        """An event that came without its stream's name: of a raw socket, or in a recording."""
        message = wire.decode_naked(frame)
        if isinstance(message, wire.Shutdown):
            return self._shutdown()
        if isinstance(message, wire.NakedTrade):
            trade = wire.decode_trade(frame)
            follow = self._follows.get(trade.symbol)
            return self._trade(follow, trade) if follow else self._unfollowed(trade.symbol)
        data = wire.decode_depth(frame)
        follow = self._follows.get(data.symbol)
        return self._books.diff(follow, data, now_ns) if follow else self._unfollowed(data.symbol)

    def _shutdown(self) -> list[Output]:
        text = "binance shuts this connection down: dialling anew"
        return [*self._down("venue shuts the connection down"), Notice("info", text), Reconnect(PUBLIC, text)]

    def _unfollowed(self, name: str) -> list[Output]:
        return self._once("warning", f"binance: data of {name:.40}, which is not followed")

    # --- answers on the socket ---------------------------------------------------------------------------------------

    def _answer(self, answer: wire.Answer, now_ns: int) -> list[Output]:
        follows = self._requests.pop(answer.number, ()) if answer.number is not None else ()
        if answer.error is not None:
            words = f"{answer.error.code} {answer.error.msg}"
            if len(follows) > 1:  # one of them, but which?
                for follow in follows:
                    self._subscribe([follow])
                return [Notice("warning", f"binance refused a subscription: {words}; trying one market at a time")]
            if not follows:
                return [Notice("error", f"binance refused a request: {words}")]
            return [out for follow in follows for out in self._refuse(follow, words)]
        for follow in follows:
            if follow.state is State.WAIT_ACK:
                follow.acked, follow.last_ns = True, now_ns
                follow.wait(now_ns + FIRST_ASK_NS)
        return self._compare(set(answer.result)) if answer.result is not None else []

    def _compare(self, streams: set[str]) -> list[Output]:
        """The list of subscriptions: one of ours that is not in it is made anew."""
        gone = [one for one in self._follows.values() if one.acked and not streams.issuperset(one.streams)]
        out: list[Output] = []
        for follow in gone:
            if follow.state is State.LIVE:
                out.append(BookLost(follow.index, "unsubscribed"))
            out.append(Notice("warning", f"binance {follow.symbol}: unsubscribed by Binance; subscribing anew"))
            self._anew(follow)
        return out

    def _refuse(self, follow: Follow, why: str) -> list[Output]:
        follow.idle()
        follow.move(State.REFUSED)
        return [
            BookLost(follow.index, f"refused: {why}"),
            Notice("error", f"binance {follow.symbol}: {why}; the other symbols go on"),
        ]

    # --- metadata ----------------------------------------------------------------------------------------------------

    def _listed(self, listings: list[Listing], now_ns: int) -> list[Output]:
        out: list[Output] = []
        fresh: list[Follow] = []
        for listing in listings:
            follow, definition = listing.follow, listing.definition
            if definition is None:
                if follow.state is not State.REFUSED or follow.instrument is not None:
                    follow.instrument = None
                    out += self._refuse(follow, listing.problem)
                continue
            follow.is_listed = True
            if follow.state is State.REFUSED:  # for metadata that now fit
                follow.move(State.IDLE)
            if definition != follow.instrument:
                out += self._define(follow, definition, now_ns)
            if self._books.is_open and follow.state is State.IDLE:
                fresh.append(follow)
        self._subscribe(fresh)
        return out

    def _define(self, follow: Follow, definition: Instrument, now_ns: int) -> list[Output]:
        """Levels that stand keep their numbers; but a book printed with other digits is gone (`L2Book.set_digits`)."""
        before = follow.instrument
        follow.define(definition)
        out: list[Output] = [InstrumentUpdate(follow.index, definition)]
        old = (before.price_precision, before.size_precision) if before else None
        if old is None or old == (definition.price_precision, definition.size_precision):
            return out
        return out + self._books.lose(follow, "precision changed", now_ns)

    # --- the unexplained ---------------------------------------------------------------------------------------------

    def _stray(self, frame: bytes, problem: str, now_ns: int) -> list[Output]:
        """JSON that is no message of ours: other streams, a naked snapshot, or a mystery."""
        try:
            stray = wire.decode_stray(frame)
            inner = wire.decode_stray_data(stray.data)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)
        if "serverShutdown" in (stray.event, inner.event):
            return self._shutdown()
        if stray.stream or stray.event:
            name, _, what = stray.stream.partition("@")
            if what in (*_DIFFS, "trade"):
                return self._unfollowed(name)
            what = what or stray.event
            if len(self._unread) < WARNED_MAX:
                self._unread.add(stray.stream.encode())
            return self._once("warning", f"binance: data of stream {what:.40}, which is not read here")
        if frame.startswith(b'{"lastUpdateId"'):
            return self._naked_snapshot(frame, now_ns)
        if stray.symbol:  # bookTicker has no event's name
            return self._once("warning", "binance: data without an event's name, which are not read here")
        return self._unexplained(frame, problem, now_ns)

    def _naked_snapshot(self, frame: bytes, now_ns: int) -> list[Output]:
        """In a recording: an HTTP answer that does not say of which market it is."""
        if len(self._follows) != 1:
            return self._once("warning", "binance: a snapshot that does not say of which of several markets it is")
        (follow,) = self._follows.values()
        if not follow.chain.is_kept and follow.state is not State.LIVE:  # it may be anybody's
            return self._once("warning", "binance: a snapshot without a market's name before any diff of the market")
        try:
            return self._books.snapshot(follow, wire.decode_snapshot(frame), 0, now_ns)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns, follow)

    def _unexplained(
        self, frame: bytes, why: str, now_ns: int, named: Follow | None = None, *, is_diff: bool = True
    ) -> list[Output]:
        """Whom a frame concerns that we cannot read: the market that it begins with, every one if it names none.

        Was the name itself damaged, then the market that missed this frame sees so by its next diff's numbers.
        """
        out: list[Output] = [Notice("error", f"binance: unexplained frame {frame[:120]!r}: {why}")]
        if not is_diff:
            return out
        for follow in [named] if named else self._follows.values():
            out += self._books.lose(follow, "unexplained frame", now_ns)
        return out

    def _once(self, level: str, text: str) -> list[Output]:
        if text in self._warned or len(self._warned) >= WARNED_MAX:
            return []
        self._warned.add(text)
        return [Notice(level, text)]
