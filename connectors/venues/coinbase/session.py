"""Coinbase's public market data: bytes ↔ events.

https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels

Liveness: the heartbeats channel says something every second, whatever the markets do; other channels are closed by the
venue after 60 to 90 quiet seconds unless it is subscribed. So it is the first thing subscribed (within the five seconds
in which a connection must ask for something), and four seconds without a frame that moves the numbering on is a dead
link; ten while a snapshot is on its way, for one of several MB is a single frame. A frame with an old number proves
nothing: should a wrong number ever have been believed, silence follows, and a new connection.

Books are whole: the venue offers no depth, and never tells again what it told once, so that a book cut short would
lose for ever what moves up into it later. `plan.depth` is not used.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from connectors.events import BookDelta, BookSnapshot, Notice
from connectors.exchange.subscription import ANSWER_TIMEOUT_NS, SECOND, TICK_NS, UNREADABLE, State
from connectors.session import CALLS, PUBLIC, Output, Reconnect, Send, SessionPlan, WakeAt
from connectors.venues.coinbase import reading, wire
from connectors.venues.coinbase.listing import Listing, lost
from connectors.venues.coinbase.metadata import Found, Metadata
from connectors.venues.coinbase.numbering import OLD, PER_PRODUCT, Numbering
from connectors.venues.coinbase.product import ASKED_MAX, Pace, Product
from connectors.venues.coinbase.wire import decode_book

WHOLE: Final = 10**9  # levels a side: a book is never cut
SILENCE_MAX_NS: Final = 4 * SECOND
SILENCE_LOADING_NS: Final = 10 * SECOND
SNAPSHOT_NS: Final = 15 * SECOND
HOPELESS: Final = 2  # times a book was asked for anew in vain, while no book lives
WARNED_MAX: Final = 1000  # a venue that names new products for ever fills no memory of ours
_LIVE: Final = State.LIVE
_WAITING: Final = (State.WAIT_ACK, State.WAIT_SNAPSHOT)
_BOOK: Final = b'{"channel":"l2_data"'
_LEVEL2: Final = ("level2", "l2_data")


class CoinbaseMarket:
    """`MarketSession` for Coinbase: heartbeats, level2, market_trades and, where planned, ticker on one socket.

    Metadata comes over the CALLS link. `per_product`: how the venue numbers its messages (numbering.py).
    """

    def __init__(self, plan: SessionPlan, *, per_product: bool = PER_PRODUCT) -> None:
        self._listing = Listing(plan)
        self._products = self._listing.products
        self._is_ticking = plan.is_ticking
        self._numbering = Numbering(per_product=per_product)
        self._metadata = Metadata(self._listing.names)
        self._pace = Pace()
        self._is_open = False
        self._last_proof_ns = 0  # of a frame that moved the numbering on
        self._warned: set[str] = set()

    # --- the link ----------------------------------------------------------------------------------------------------

    def open(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        """Coinbase remembers nothing of an earlier connection. What is known of a product is used at once."""
        del link
        self._is_open = True
        self._last_proof_ns = now_ns
        self._numbering.restart()
        self._pace.restart()
        products = self._listing.each()
        for product in products:
            product.restart()
        out: list[Output] = self._say(b'{"type":"subscribe","channel":"heartbeats"}', now_ns)
        out += self._metadata.ask(now_ns)
        known = [one for one in products if one.texts is not None and one.state is State.IDLE]
        out += self._subscribe(known, now_ns)
        out.append(WakeAt(now_ns + TICK_NS))
        return out

    def close(self, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        del now_ns, link
        self._is_open = False
        return self._lose_all("link down")

    def _lose_all(self, reason: str) -> list[Output]:
        """Whatever still stands on this link does not any more; what fell before keeps its own reason."""
        out: list[Output] = []
        for product in self._listing.each():
            if product.state not in (State.IDLE, State.REFUSED):
                product.move(State.IDLE)
                out += lost(product, reason)
        return out

    def tick(self, now_ns: int) -> list[Output]:
        if not self._is_open:
            return []
        out: list[Output] = [WakeAt(now_ns + TICK_NS)]
        is_loading = any(one.state is State.WAIT_SNAPSHOT for one in self._listing.each())
        silent_ns = now_ns - self._last_proof_ns
        if silent_ns > (SILENCE_LOADING_NS if is_loading else SILENCE_MAX_NS):
            self._is_open = False
            out += self._lose_all("link silent")
            out.append(Reconnect(PUBLIC, f"no heartbeat for {silent_ns / SECOND:.1f} s"))
            return out
        out += self._metadata.tick(now_ns)
        out += [Send(PUBLIC, data) for data in self._pace.due(now_ns)]
        due = [one for one in self._listing.each() if one.due_ns is not None and now_ns >= one.due_ns]
        if self._is_hopeless(due):
            self._is_open = False
            out += self._lose_all("link gives no books")
            out.append(Reconnect(PUBLIC, f"no book in {HOPELESS + 1} attempts"))
            return out
        return out + self._overdue(due, now_ns)

    def _is_hopeless(self, due: Sequence[Product]) -> bool:
        """It beats, and answers nothing that was asked of it, again and again: another connection may."""
        waited = any(one.attempts >= HOPELESS and one.state in _WAITING for one in due)
        return waited and not any(one.state is _LIVE for one in self._listing.each())

    def _overdue(self, due: Sequence[Product], now_ns: int) -> list[Output]:
        """What has waited long enough goes on: together, for one message may name many products."""
        out: list[Output] = []
        leave: list[Product] = []
        ask: list[Product] = []
        for product in due:
            if product.state is State.BACKOFF:
                (leave if product.acked else ask).append(product)
            elif product.state is State.WAIT_UNSUBSCRIBED:  # no answer: perhaps it never arrived; a subscribe decides
                ask.append(product)
            else:
                waited_for = "ack" if product.state is State.WAIT_ACK else "snapshot"
                out += self._again([product], f"no {waited_for} in time", now_ns)
        out += self._request("unsubscribe", "level2", leave, now_ns)
        for product in leave:
            product.move(State.WAIT_UNSUBSCRIBED, now_ns + self._pace.behind_ns + ANSWER_TIMEOUT_NS)
        return out + self._subscribe(ask, now_ns)

    # --- subscriptions -----------------------------------------------------------------------------------------------

    def resync(self, instrument: int, reason: str, now_ns: int) -> list[Output]:
        return self._again([self._listing.of[instrument]], reason, now_ns)

    def _again(self, products: Iterable[Product], reason: str, now_ns: int) -> list[Output]:
        """These books are asked for anew; whoever waits for that already goes on waiting."""
        out: list[Output] = []
        now: list[Product] = []
        for product in products:
            if product.state in (State.IDLE, State.BACKOFF, State.WAIT_UNSUBSCRIBED, State.REFUSED):
                continue
            delay_ns = product.next_delay_ns(now_ns)
            product.move(State.BACKOFF, now_ns + delay_ns)
            text = f"coinbase {product.symbol}: {reason}; resubscribing in {delay_ns / SECOND:g} s"
            out.append(Notice("warning", text))
            if delay_ns:
                out.append(WakeAt(now_ns + delay_ns))
            else:
                now.append(product)
        return out + self._overdue(now, now_ns) if self._is_open else out

    def _subscribe(self, products: Sequence[Product], now_ns: int) -> list[Output]:
        out = self._request("subscribe", "level2", products, now_ns)
        for product in products:
            product.acked = True
            product.move(State.WAIT_ACK, now_ns + self._pace.behind_ns + ANSWER_TIMEOUT_NS)
        fresh = [one for one in products if not one.is_heard]
        for product in fresh:
            product.is_heard = True
        out += self._request("subscribe", "market_trades", fresh, now_ns)
        return out + (self._request("subscribe", "ticker", fresh, now_ns) if self._is_ticking else [])

    def _request(self, kind: str, channel: str, products: Sequence[Product], now_ns: int) -> list[Output]:
        """One channel a message, as the venue wants it; a product that got an error asks by itself."""
        together = [one.symbol for one in products if not one.alone]
        groups = [together[at : at + ASKED_MAX] for at in range(0, len(together), ASKED_MAX)]
        groups += [[one.symbol] for one in products if one.alone]
        out: list[Output] = []
        for names in groups:
            ids = msgspec.json.encode(names)
            data = b'{"type":"%s","product_ids":%s,"channel":"%s"}' % (kind.encode(), ids, channel.encode())
            out += self._say(data, now_ns)
        return out

    def _say(self, data: bytes, now_ns: int) -> list[Output]:
        return [Send(PUBLIC, data) for data in self._pace.say(data, now_ns)]

    # --- frames ------------------------------------------------------------------------------------------------------

    def receive(self, frame: bytes, now_ns: int, link: str = PUBLIC, /) -> list[Output]:
        if link == CALLS:
            return self._found(self._metadata.answered(frame, now_ns), now_ns)
        if link != PUBLIC:
            return []
        try:
            if frame.startswith(_BOOK):  # nearly all of them
                return self._book(frame, decode_book(frame), now_ns)
            envelope = wire.decode_envelope(frame)
            if envelope.channel == "l2_data":  # spaces or another order of keys than Coinbase's own
                return self._book(frame, decode_book(frame), now_ns)
        except UNREADABLE as error:
            return self._unexplained(frame, str(error), now_ns)
        return self._other(frame, envelope, now_ns)

    def _book(self, frame: bytes, message: wire.BookMessage, now_ns: int) -> list[Output]:
        events = message.events
        name = events[0].product_id if events else ""
        missing = self._numbering.missing(message.sequence_num, "l2_data", name)
        if missing < 0:
            return []
        self._last_proof_ns = now_ns
        out = self._gap(message.sequence_num, missing, now_ns, name) if missing else []
        for event in events:
            product = self._products.get(event.product_id)
            if product is None or product.texts is None:
                text = f"coinbase: book of {event.product_id}, which is not followed or has no metadata yet"
                out += self._once("warning", text)
            elif product.state is _LIVE or (event.type == "snapshot" and product.state is not State.REFUSED):
                try:
                    bids, asks = reading.levels(event, product.texts)
                except UNREADABLE as error:
                    out += self._lose([product], frame, str(error), now_ns)
                    continue
                if event.type == "update":
                    for one in product.followers:
                        out.append(BookDelta(one.index, bids, asks, None, message.timestamp))
                    continue
                product.alive(now_ns)
                for one in product.followers:
                    out.append(BookSnapshot(one.index, bids, asks, None, WHOLE, message.timestamp))
        return out

    def _gap(self, number: int, missing: int, now_ns: int, name: str = "") -> list[Output]:
        """Where the number is the connection's nobody can say whose book the lost message was about."""
        reason = f"message {number} came, {missing} before it did not"
        live = [one for one in self._listing.each() if one.state is _LIVE]
        if self._numbering.is_per_product:
            live = [one for one in live if one.is_named(frozenset({name}))]
        out: list[Output] = []
        for product in live:
            out += lost(product, "gap", is_gap=True)
        return out + self._again(live, reason, now_ns)

    def _other(self, frame: bytes, envelope: wire.Envelope, now_ns: int) -> list[Output]:
        channel = envelope.channel
        if not channel:
            if envelope.type == "error":
                return self._error(envelope.message)
            return self._unexplained(frame, "neither a channel nor an error", now_ns)
        out: list[Output] = []
        if envelope.sequence_num >= 0:
            missing = self._numbering.missing(envelope.sequence_num, channel, "")
            if missing == OLD:
                return []
            out = self._gap(envelope.sequence_num, missing, now_ns) if missing else []
        self._last_proof_ns = now_ns
        try:
            return out + self._said(envelope, now_ns)
        except UNREADABLE as error:
            if channel in ("market_trades", "ticker"):  # no book is made of it
                return out + self._once("error", f"coinbase: {channel} that cannot be read: {error}")
            return out + self._lose(self._listing.each(), frame, str(error), now_ns)

    def _said(self, envelope: wire.Envelope, now_ns: int) -> list[Output]:
        """Raises UNREADABLE."""
        channel = envelope.channel
        if channel == "heartbeats":
            return []
        if channel == "subscriptions":
            return self._listed(wire.decode_subscriptions(envelope.events), now_ns)
        if channel == "market_trades":
            return self._trades(envelope)
        if channel == "ticker" and self._is_ticking:
            return self._tickers(envelope)
        return self._once("warning", f"coinbase: data of channel {channel:.40}, which is not read here")

    def _trades(self, envelope: wire.Envelope) -> list[Output]:
        out: list[Output] = []
        for event in wire.decode_trades(envelope.events):
            for item in event.trades:
                product = self._products.get(item.product_id)
                if product is not None:
                    out += [reading.trade(one.index, item, event.type == "snapshot") for one in product.followers]
        return out

    def _tickers(self, envelope: wire.Envelope) -> list[Output]:
        out: list[Output] = []
        for event in wire.decode_tickers(envelope.events):
            for item in event.tickers:
                product = self._products.get(item.product_id)
                if product is not None:
                    out += [reading.ticker(one.index, item, envelope.timestamp) for one in product.followers]
        return out

    # --- what is subscribed ------------------------------------------------------------------------------------------

    def _listed(self, events: list[wire.Subscriptions], now_ns: int) -> list[Output]:
        """The state of the whole connection. Who was listed and is not any more has no book here."""
        names = frozenset(
            name for event in events for channel in _LEVEL2 for name in event.subscriptions.get(channel) or ()
        )
        out: list[Output] = []
        left: list[Product] = []
        dropped: list[Product] = []
        for product in self._listing.each():
            was_listed, product.listed = product.listed, product.is_named(names)
            if product.listed:
                if product.state is State.WAIT_ACK:
                    product.move(State.WAIT_SNAPSHOT, now_ns + SNAPSHOT_NS)
            elif product.state is State.WAIT_UNSUBSCRIBED:
                left.append(product)
            elif was_listed and product.state in (_LIVE, State.WAIT_SNAPSHOT):
                product.acked = False
                dropped.append(product)
                out += lost(product, "unsubscribed")
        return out + self._again(dropped, "unsubscribed", now_ns) + self._subscribe(left, now_ns)

    def _error(self, message: str) -> list[Output]:
        """It names no request. A product that it names is refused; whoever else waits in vain then asks by itself."""
        out: list[Output] = [Notice("error", f"coinbase says: {message:.200}")]
        waiting = [one for one in self._listing.each() if one.state is State.WAIT_ACK]
        named = self._listing.named_in(message, waiting)
        for follower in [one for product in named for one in product.followers]:
            out += self._listing.refuse(follower, f"coinbase says: {message:.200}")
        for product in waiting:
            product.alone, product.is_heard = True, False
        return out

    def _found(self, found: Found, now_ns: int) -> list[Output]:
        learnt = self._listing.learn(found)
        out = learnt.out
        for product, reason in learnt.again:
            out += self._again([product], reason, now_ns)
        return out + (self._subscribe(learnt.ready, now_ns) if self._is_open else [])

    # --- the unexplained ---------------------------------------------------------------------------------------------

    def _unexplained(self, frame: bytes, why: str, now_ns: int) -> list[Output]:
        """Whom a frame concerns that we cannot read: the products it names, every book on the link if none."""
        out: list[Output] = []
        names: set[str] = set()
        try:
            envelope = wire.decode_envelope(frame)
            if envelope.sequence_num >= 0:
                missing = self._numbering.missing(envelope.sequence_num, envelope.channel, "")
                out += self._gap(envelope.sequence_num, missing, now_ns) if missing > 0 else []
            names = {event.product_id for event in wire.decode_stray_events(envelope.events)}
        except UNREADABLE:
            names = set()
        each = self._listing.each()
        return out + self._lose([one for one in each if one.is_named(frozenset(names))] or each, frame, why, now_ns)

    def _lose(self, concerned: Sequence[Product], frame: bytes, why: str, now_ns: int) -> list[Output]:
        out: list[Output] = [Notice("error", f"coinbase: unexplained frame {frame[:120]!r}: {why}")]
        for product in concerned:
            if product.state is not State.REFUSED:
                out += lost(product, "unexplained frame")
        return out + self._again(concerned, "unexplained frame", now_ns)

    def _once(self, level: str, text: str) -> list[Output]:
        if text in self._warned or len(self._warned) >= WARNED_MAX:
            return []
        self._warned.add(text)
        return [Notice(level, text)]
