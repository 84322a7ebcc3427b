"""Fresh snapshots of living books, one symbol at a time, on a connection of their own; the public one never notices.

Kraken keeps no sequence and its checksum covers ten levels; only a new snapshot shows what a lost update left below
(https://docs.kraken.com/api/docs/guides/spot-ws-book-v2). On the public connection that would cost the book; so a
second one to the same address asks for it:

```
        due          LEAD_NS later, and nobody else asks         snapshot              ack
  IDLE ─────► LEAD ───────────────────────────────► ASK ───────────────────► LEAVE ─────────► IDLE
       AuditDue         subscribe, snapshot              BookAudit, unsubscribe
```
The lead: this connection may show an older state than the public one, so whoever compares must have kept what was.
Each `AuditDue` is followed by one `BookAudit`, without a snapshot where none came or where it disagrees with its own
checksum. Liveness as on the public link before its first subscription: nothing but pings is owed between two snapshots,
so pongs count; that snapshots do not come in spite of them is noticed too.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

import msgspec

from connectors.book import L2Book
from connectors.errors import BookGap, WireError
from connectors.events import AuditDue, BookAudit, BookSnapshot, Notice
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, TICK_NS, UNREADABLE, State, Subscription
from connectors.session import AUDIT, Output, Reconnect, Send, WakeAt
from connectors.venues.kraken import wire
from connectors.venues.kraken.checksum import checksum
from connectors.venues.kraken.liveness import NEVER_RETRIED, PING_AFTER_NS, SILENCE_MAX_NS
from connectors.venues.kraken.reading import levels

LEAD_NS: Final = 3 * SECOND
LEADS_MAX: Final = 8  # books of which states are kept at the same time
SOONER: Final = 4  # a look that said nothing is taken again after this part of the time between two
MISSES_MAX: Final = 3  # questions in a row without an answer: the link is dead, whatever its pongs say


class Step(Enum):
    """Where the look at one symbol stands; the drawing above has every move."""

    IDLE = auto()
    LEAD = auto()
    ASK = auto()
    LEAVE = auto()


class _Look:
    """`due_ns`: of the next look; `until_ns`: when the lead is over, or an answer too late."""

    __slots__ = ("due_ns", "req_id", "step", "sub", "until_ns")

    def __init__(self, sub: Subscription) -> None:
        self.sub = sub
        self.step = Step.IDLE
        self.due_ns = self.until_ns = self.req_id = 0


class BookAudits:
    """The AUDIT link. `subs`: the public side's subscriptions, only read; `period_ns` > 0: between two looks at one."""

    def __init__(self, subs: Mapping[str, Subscription], period_ns: int) -> None:
        self._looks = {symbol: _Look(sub) for symbol, sub in subs.items()}
        self._period_ns = period_ns
        self._is_open = False
        self._asking: _Look | None = None
        self._refused: set[str] = set()
        self._misses = 0
        self._next_id = 0
        self._last_frame_ns = self._last_ping_ns = 0
        self._notices_left = 0

    # --- the link --------------------------------------------------------------------------------------------------

    def open(self, now_ns: int) -> list[Output]:
        """Looks are spread evenly over the period, the first a part of it from now."""
        self._is_open = True
        self._asking = None
        self._misses, self._notices_left = 0, 100
        self._refused.clear()
        self._last_frame_ns = self._last_ping_ns = now_ns
        for place, look in enumerate(self._looks.values(), 1):
            look.step = Step.IDLE
            look.due_ns = now_ns + self._period_ns * place // len(self._looks)
        return [WakeAt(now_ns + TICK_NS)]

    def close(self, now_ns: int) -> list[Output]:
        del now_ns
        self._is_open = False
        return self._drop_all()

    def _drop_all(self) -> list[Output]:
        """Nothing that was announced will come."""
        announced = [look for look in self._looks.values() if look.step in (Step.LEAD, Step.ASK)]
        for look in self._looks.values():
            look.step = Step.IDLE
        self._asking = None
        return [BookAudit(look.sub.index, None) for look in announced]

    def again(self, symbol: str, now_ns: int) -> None:
        """Look at this one sooner than its turn."""
        look = self._looks[symbol]
        look.due_ns = min(look.due_ns, now_ns + self._period_ns // SOONER)

    def tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        silent_ns = now_ns - self._last_frame_ns
        if silent_ns > SILENCE_MAX_NS:
            return out + self._give_up(f"no frame for {silent_ns / SECOND:.1f} s")
        if now_ns - max(self._last_frame_ns, self._last_ping_ns) >= PING_AFTER_NS:
            self._last_ping_ns = now_ns
            self._next_id += 1
            out.append(Send(AUDIT, b'{"method":"ping","req_id":%d}' % self._next_id))
        asking = self._asking
        if asking is not None and now_ns >= asking.until_ns:
            out += self._overdue(asking, now_ns)
            if self._misses >= MISSES_MAX:
                return out + self._give_up(f"{self._misses} questions without an answer")
        for symbol, look in self._looks.items():
            if now_ns >= look.due_ns and look.step is Step.IDLE:
                out += self._begin(symbol, look, now_ns)
        return out + self._ask_next(now_ns)

    def _give_up(self, why: str) -> list[Output]:
        self._is_open = False
        return [*self._drop_all(), Reconnect(AUDIT, why)]

    # --- one look --------------------------------------------------------------------------------------------------

    def _begin(self, symbol: str, look: _Look, now_ns: int) -> list[Output]:
        if symbol in self._refused:
            return []
        leads = sum(other.step is Step.LEAD for other in self._looks.values())
        if look.sub.state is not State.LIVE or leads >= LEADS_MAX:
            look.due_ns = now_ns + self._period_ns // SOONER
            return []
        look.due_ns = max(look.due_ns + self._period_ns, now_ns + self._period_ns // SOONER)
        look.step, look.until_ns = Step.LEAD, now_ns + LEAD_NS
        return [AuditDue(look.sub.index)]

    def _ask_next(self, now_ns: int) -> list[Output]:
        """The look whose lead has been over for longest; those at books that were lost meanwhile end here."""
        out: list[Output] = []
        while self._asking is None:
            ready = [look for look in self._looks.values() if look.step is Step.LEAD and now_ns >= look.until_ns]
            if not ready:
                break
            look = min(ready, key=lambda one: one.until_ns)
            if look.sub.state is not State.LIVE:
                look.step = Step.IDLE
                out.append(BookAudit(look.sub.index, None))
                continue
            self._asking = look
            look.step = Step.ASK
            out.append(self._request("subscribe", look, now_ns, b',"snapshot":true}'))
        return out

    def _request(self, method: str, look: _Look, now_ns: int, tail: bytes = b"}") -> Send:
        self._next_id += 1
        look.req_id, look.until_ns = self._next_id, now_ns + ANSWER_TIMEOUT_NS
        return Send(
            AUDIT,
            b'{"method":"%s","params":{"channel":"book","symbol":[%s],"depth":%d%s,"req_id":%d}'
            % (method.encode(), msgspec.json.encode(look.sub.symbol), look.sub.depth, tail, look.req_id),
        )

    def _overdue(self, look: _Look, now_ns: int) -> list[Output]:
        self._misses += 1
        if look.step is Step.LEAVE:  # perhaps it never arrived; "Already subscribed" will tell
            return self._free(look, now_ns)
        return self._failed(look, f"no snapshot in {ANSWER_TIMEOUT_NS // SECOND} s", now_ns, is_subscribed=True)

    def _failed(self, look: _Look, why: str, now_ns: int, *, is_subscribed: bool) -> list[Output]:
        out: list[Output] = [BookAudit(look.sub.index, None)]
        out += self._notice(f"kraken audit of {look.sub.symbol}: {why}")
        return out + (self._leave(look, now_ns) if is_subscribed else self._free(look, now_ns))

    def _leave(self, look: _Look, now_ns: int) -> list[Output]:
        look.step = Step.LEAVE
        return [self._request("unsubscribe", look, now_ns)]

    def _free(self, look: _Look, now_ns: int) -> list[Output]:
        look.step = Step.IDLE
        self._asking = None
        return self._ask_next(now_ns)

    def _notice(self, text: str) -> list[Output]:
        """A link that only makes trouble does not fill the log."""
        self._notices_left -= 1
        return [Notice("warning", text)] if self._notices_left >= 0 else []

    # --- frames ----------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int) -> list[Output]:
        """Only the snapshot that was asked for, and answers, mean anything here. Never raises."""
        self._last_frame_ns = now_ns
        try:
            try:
                message = wire.decode_channel(frame)
            except msgspec.ValidationError:  # not one of the channels we read: an answer, perhaps
                return self._answer(wire.decode_answer(frame), now_ns)
            return self._book(frame, now_ns) if isinstance(message, wire.AnyBook) else []
        except UNREADABLE as error:
            return self._unread(frame, str(error), now_ns)

    def _book(self, frame: bytes, now_ns: int) -> list[Output]:
        message = wire.decode_book(frame)
        data, look = message.data[0], self._asking
        if message.type == "update" or look is None or look.step is not Step.ASK or data.symbol != look.sub.symbol:
            return []
        self._misses = 0
        if look.sub.state is not State.LIVE or look.sub.grid is None:  # nothing to compare it with
            return [BookAudit(look.sub.index, None), *self._leave(look, now_ns)]
        try:
            snapshot = self._proved(look.sub, frame, data, now_ns)
        except (WireError, BookGap) as error:
            return self._failed(look, str(error), now_ns, is_subscribed=True)
        return [BookAudit(look.sub.index, snapshot), *self._leave(look, now_ns)]

    @staticmethod
    def _proved(sub: Subscription, frame: bytes, data: wire.BookData, now_ns: int) -> BookSnapshot:
        """Read as the public book is, and in agreement with its own checksum. Raises WireError, BookGap."""
        if sub.grid is None:
            msg = f"{sub.symbol} has no metadata yet"
            raise WireError(msg)
        bids, asks = levels(frame, data, sub.grid)
        if max(len(bids), len(asks)) > sub.depth:
            msg = f"a snapshot of more than {sub.depth} levels"
            raise WireError(msg)
        book = L2Book(depth=sub.depth, price_digit_1e9=sub.grid.price_factor, size_digit_1e8=sub.grid.size_factor)
        book.load(bids, asks, now_ns)
        if checksum(book) != data.checksum:
            msg = f"the snapshot's levels have checksum {checksum(book)}, it says {data.checksum}"
            raise WireError(msg)
        return BookSnapshot(sub.index, bids, asks, data.checksum, sub.depth, data.timestamp)

    def _answer(self, answer: wire.Answer, now_ns: int) -> list[Output]:
        look = self._asking
        if look is None or answer.req_id != look.req_id or answer.method == "pong":
            return []  # a pong, or the answer to what was given up
        is_refused = bool(answer.error) or answer.success is False
        if look.step is Step.LEAVE:  # refused: it was not subscribed, which is what we wanted
            if answer.method == "unsubscribe":
                self._misses = 0
                return self._free(look, now_ns)
        elif is_refused:
            self._misses = 0
            if answer.error.startswith(NEVER_RETRIED):
                self._refused.add(look.sub.symbol)
            is_subscribed = answer.error == "Already subscribed"  # an unsubscribe of ours never arrived
            return self._failed(look, f"refused: {answer.error}", now_ns, is_subscribed=is_subscribed)
        return []

    def _unread(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        """It may have been the snapshot: the look fails, and nothing else does."""
        look = self._asking
        if look is not None and look.step is Step.ASK:
            return self._failed(look, f"unexplained frame {frame[:120]!r}: {why}", now_ns, is_subscribed=True)
        return self._notice(f"kraken audit: unexplained frame {frame[:120]!r}: {why}")
