"""One client's socket as the venue sees it: requests in, frames out, subscriptions, heartbeats, faults. Pure.

`receive` takes a client's frame, `take` hands out what is to be sent, in order: a text frame, bytes (the beginning of a
frame that is never finished) or `Close` (code 1006: the socket is cut without a word).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from runtime.sim.frames import Close
from runtime.sim.kraken.books import BookView, book_checksum, book_frame
from runtime.sim.kraken.faults import Fault
from runtime.sim.kraken.private import Balances, Executions, exponents
from runtime.sim.kraken.public import ohlc_frame, status_frame, ticker_frame, trade_frame
from runtime.sim.kraken.subscriptions import subscribe
from runtime.sim.kraken.wire import dump, load, times
from runtime.sim.ladder import Level
from runtime.sim.market import NS, MarketEvent, seeded

if TYPE_CHECKING:
    from runtime.sim.kraken.venue import KrakenVenue

Frame = str | bytes | Close
RESTART_TEXT: Final = "CloudFlare WebSocket proxy restarting"
MALFORMED: Final = "Malformed request"  # a guess of ours, as are the texts for an unknown channel or subscription
TRADING: Final = frozenset({
    "add_order", "amend_order", "edit_order", "cancel_order", "cancel_all", "cancel_all_orders_after", "batch_add",
    "batch_cancel",
})  # fmt: skip
CUT: Final = Close(1006, "cut")


class Request(msgspec.Struct, frozen=True):
    """A client's request; `params` is None where there were none."""

    method: str
    params: dict[str, Any] | None
    req_id: int | None
    has_params: bool

    def reply(self, now_ns: int, **fields: Any) -> str:
        """An answer with the request's id, where it had one."""
        echo = {} if self.req_id is None else {"req_id": self.req_id}
        return dump({"method": self.method, **echo, **fields, **times(now_ns)})

    def refuse(self, error: str, now_ns: int, symbol: str = "") -> str:
        """A refusal; the socket stays open."""
        return self.reply(now_ns, success=False, error=error, **({"symbol": symbol} if symbol else {}))


def read(text: str | bytes) -> Request | None:
    """A request, None where it is none."""
    try:
        found = load(text)
    except ValueError:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("method"), str):
        return None
    params, req_id = found.get("params"), found.get("req_id")
    if not isinstance(params, dict | None) or not isinstance(req_id, int | None) or isinstance(req_id, bool):
        return None
    return Request(found["method"], params, req_id, "params" in found)


class Connection:
    """Made by `KrakenVenue.connect`; the caller carries the frames."""

    def __init__(self, venue: KrakenVenue, index: int, now_ns: int, *, is_private: bool) -> None:
        self.venue, self.index, self.is_private = venue, index, is_private
        self.opened_ns = self.heard_ns = now_ns
        self.rng = seeded(f"{venue.market.seed}/{index}")
        self.connection_id = self.rng.randrange(2**53 + 1, 2**64)
        self.books: dict[str, BookView] = {}
        self.channels: set[tuple[str, str, int]] = set()
        self.triggers: dict[str, tuple[str, tuple[int, int]]] = {}
        self.executions: Executions | None = None
        self.balances: Balances | None = None
        self.tokens: set[str] = set()
        self.is_open = True
        self._heartbeat_ns: int | None = None
        self._updates = self._deep = 0
        self._news_ns = now_ns
        self._out: list[Frame] = []
        self._later: list[tuple[int, str]] = []
        # before anything else, whatever goes wrong later
        self._out.append(status_frame(venue.engine.system, self.connection_id))

    # --- out --------------------------------------------------------------------------------------------------------

    def take(self) -> list[Frame]:
        """What is to be sent now, in order."""
        frames, self._out = self._out, []
        return frames

    def send(self, frame: str, now_ns: int, delay_ns: int = 0) -> None:
        """Queues a frame, unless the connection is mute; a late one waits for `on_time`."""
        if not self.is_open or self.is_silent(now_ns):
            return
        if delay_ns:
            self._later.append((now_ns + delay_ns, frame))
        else:
            self._out.append(frame)

    def send_late(self, frames: list[str], now_ns: int) -> None:
        """News of the account: late where that fault is on."""
        late = self.active("executions_late", now_ns)
        due_ns = now_ns + (late.number * 1_000_000 if late else 0)
        self._news_ns = max(self._news_ns, due_ns)  # the fault may be over: what is told now overtakes nothing
        for frame in frames:
            self.send(frame, now_ns, self._news_ns - now_ns)

    def numbers(self, frame: str) -> str:
        """The frame with its small numbers as the faults want them."""
        return exponents(frame) if self.active("exponents", self.venue.now_ns) else frame

    def end(self, close: Close) -> None:
        """The venue ends it: nothing more is read or told."""
        if self.is_open:
            self._out.append(close)
            self.is_open = False
            self.venue.disconnect(self)

    def close(self, now_ns: int) -> None:
        """The client is gone."""
        del now_ns
        self.is_open = False
        self.venue.disconnect(self)

    @property
    def next_ns(self) -> int | None:
        """When it has something to say by time alone."""
        dues = [at_ns for at_ns, _ in self._later]
        return min(dues + ([self._heartbeat_ns] if self._heartbeat_ns is not None else []), default=None)

    # --- faults -----------------------------------------------------------------------------------------------------

    def active(self, name: str, now_ns: int, what: str = "") -> Fault | None:
        """Whether a fault is on for this connection."""
        return self.venue.faults.active(name, now_ns - self.opened_ns, self.index, what)

    def fires(self, name: str, now_ns: int, what: str = "") -> Fault | None:
        """Whether it strikes now."""
        return self.venue.faults.fires(name, now_ns - self.opened_ns, self.index, what)

    def is_silent(self, now_ns: int) -> bool:
        """Whether it sends nothing but, perhaps, pongs."""
        return any(self.active(name, now_ns) for name in ("mute", "pong_only", "half_open"))

    def is_deaf(self, now_ns: int) -> bool:
        """Whether nobody is there: the edge answers not even the protocol's pings."""
        return self.active("half_open", now_ns) is not None

    # --- in ---------------------------------------------------------------------------------------------------------

    def receive(self, text: str | bytes, now_ns: int) -> None:
        """Answers one client frame. Raises for nothing a client may send: bad requests get the venue's error frames."""
        self.venue.advance(now_ns)
        if not self.is_open or self.is_deaf(now_ns):
            return
        self.heard_ns = now_ns
        request = read(text)
        if request is None:
            self.send(dump({"error": MALFORMED, "success": False, **times(self.venue.clock(now_ns))}), now_ns)
        elif request.method == "ping":
            self._ping(request, now_ns)
        elif request.method in {"subscribe", "unsubscribe"}:
            subscribe(self, request, now_ns)
        elif request.method in TRADING:
            self.venue.trading.handle(self, request, now_ns)
        else:
            self.send(request.refuse("Unsupported event", self.venue.clock(now_ns)), now_ns)

    def _ping(self, request: Request, now_ns: int) -> None:
        at_ns = self.venue.clock(now_ns)
        if request.has_params:
            self.send(request.refuse("Unsupported field: 'params' for the given msg type: ping", at_ns), now_ns)
        elif not any(self.active(name, now_ns) for name in ("mute", "no_pong")):
            self._out.append(msgspec.structs.replace(request, method="pong").reply(at_ns))

    # --- what the market does -----------------------------------------------------------------------------------------

    def on_event(self, event: MarketEvent, now_ns: int) -> None:
        """What one market event means for this client: its trades, then what became of the book."""
        symbol, venue = event.symbol, self.venue
        pair, at_ns = venue.pairs[symbol], venue.clock(now_ns)
        history, book = venue.history[symbol], venue.market.book(symbol)
        if event.trades and ("trade", symbol, 0) in self.channels:
            self.send(trade_frame(pair, venue.price_scale, "update", event.trades), now_ns)
        if symbol in self.triggers:
            trigger, before = self.triggers[symbol]
            touch = (book.bids.price(0), book.asks.price(0))
            if event.trades if trigger == "trades" else touch != before:
                self.triggers[symbol] = (trigger, touch)
                self.send(ticker_frame(pair, venue.price_scale, "update", book, history, at_ns), now_ns)
        for channel, name, minutes in sorted(self.channels) if event.trades else ():
            if channel == "ohlc" and name == symbol:
                candles = history.candles(minutes)[-1:]
                self.send(ohlc_frame(pair, venue.price_scale, "update", candles, minutes, at_ns), now_ns)
        self.book_update(symbol, event.ts_ns, now_ns)

    def book_update(self, symbol: str, ts_ns: int, now_ns: int) -> None:
        """What changed in the window of a book, if anything did."""
        view = self.books.get(symbol)
        if view is None or self.is_silent(now_ns) or any(
            self.active(name, now_ns) for name in ("ack_then_silence", "book_off")
        ):  # fmt: skip
            return
        bids, asks = view.advance()
        if not bids and not asks:
            return
        self._updates += 1
        was_fresh, view.is_fresh = view.is_fresh, False
        if self._nth("drop_update", now_ns) or (was_fresh and self.fires("snapshot_gap", now_ns)):
            return
        if view.is_deep(bids, asks):
            self._deep += 1
            if self._nth("drop_deep_update", now_ns, self._deep):
                return
        scale = self.venue.price_scale
        checksum = book_checksum(view.asks.items(), view.bids.items(), scale)
        if self._nth("corrupt_checksum", now_ns):
            checksum ^= 0x5A5A5A5A
        sides = (self._listed(bids, now_ns), self._listed(asks, now_ns))
        frame = book_frame(self.venue.pairs[symbol], scale, "update", sides, checksum, self.venue.clock(ts_ns))
        for _ in range(2 if self._nth("duplicate_update", now_ns) else 1):
            self.send(frame, now_ns)

    def _nth(self, name: str, now_ns: int, count: int = 0) -> bool:
        fault = self.active(name, now_ns)
        return fault is not None and fault.number > 0 and (count or self._updates) % fault.number == 0

    def _listed(self, levels: list[Level], now_ns: int) -> list[Level]:
        """As recorded: removals first, then mostly the worst first; now and then a price twice, the last wins."""
        if self.active("scrambled_levels", now_ns):
            return self._scramble(levels)
        gone, kept = [level for level in levels if not level[1]], [level for level in levels if level[1]]
        if self.rng.randrange(13):
            kept.reverse()
        if kept and self.rng.randrange(100) == 0:
            index = self.rng.randrange(len(kept))
            kept.insert(index, (kept[index][0], kept[index][1] + 1_000))
        return gone + kept

    def _scramble(self, levels: list[Level]) -> list[Level]:
        """Real updates are unsorted and may name a price twice, the last entry winning."""
        self.rng.shuffle(levels)
        if levels and self.rng.randrange(20) == 0:
            index = self.rng.randrange(len(levels))
            price, qty = levels[index]
            levels.insert(self.rng.randrange(index + 1), (price, qty + 1_000 if self.rng.randrange(2) else 0))
        return levels

    # --- time -------------------------------------------------------------------------------------------------------

    def on_time(self, now_ns: int) -> None:
        """Late frames, heartbeats and timed faults that are due."""
        due = [frame for at_ns, frame in sorted(self._later, key=lambda late: late[0]) if at_ns <= now_ns]
        self._later = [late for late in self._later if late[0] > now_ns]
        for frame in due:
            self.send(frame, now_ns)
        if self.books and self.fires("crossed_book", now_ns):
            for symbol, view in self.books.items():
                view.phantom = view.book.asks.top(5)[-1]
                self.book_update(symbol, now_ns, now_ns)
        self._heartbeat(now_ns)
        self._break(now_ns)

    def _heartbeat(self, now_ns: int) -> None:
        if not (self.channels or self.books or self.triggers or self.executions or self.balances):
            self._heartbeat_ns = None
        elif self._heartbeat_ns is None:
            self._heartbeat_ns = now_ns + NS
        elif now_ns >= self._heartbeat_ns:
            # one, however long the caller slept: a venue does not make up for lost beats
            self._heartbeat_ns += NS * ((now_ns - self._heartbeat_ns) // NS + 1)
            if self.executions is not None:
                self.executions.release(now_ns)
            if not self.active("heartbeat_off", now_ns):
                self.send('{"channel":"heartbeat"}', now_ns)

    def _break(self, now_ns: int) -> None:
        """The ways in which a connection breaks."""
        if not self.is_silent(now_ns) and self.fires("garbage_frame", now_ns):
            self.send(RESTART_TEXT, now_ns)
        if not self.is_silent(now_ns) and self.fires("close", now_ns):
            self.end(Close(1001, RESTART_TEXT))
        if self.fires("half_frame", now_ns):
            self._out.append(b'{"channel":"book","type":"update","data":[{"symbol":"BTC')
            self.end(CUT)
        if self.fires("reset", now_ns):
            self.end(CUT)
        idle_ns = self.venue.idle_close_s * NS
        if idle_ns and now_ns - self.heard_ns >= idle_ns and self.is_open:
            self.end(Close(1000, "idle"))
