"""One client's socket as a simulated exchange sees it: frames in, frames out, timers, faults. Pure; a venue subclasses.

`receive` takes a client's frame, `take` hands out what is to be sent, in order: a text frame, bytes (the beginning of a
frame that is never finished), `Ping` or `Close` (code 1006: the socket is cut without a word).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from runtime.sim.exchange.books import BookView
from runtime.sim.exchange.desk import Asked
from runtime.sim.exchange.faults import Fault
from runtime.sim.exchange.numbers import MS
from runtime.sim.exchange.order import Told
from runtime.sim.exchange.refusal import Refused
from runtime.sim.frames import Close, Ping
from runtime.sim.market import NS, MarketEvent, seeded

if TYPE_CHECKING:
    from runtime.sim.exchange.venue import ExchangeVenue

Out = str | bytes | Close | Ping
CUT: Final = Close(1006, "cut")
GOING: Final = Close(1001, "going away")
GARBAGE: Final = "upstream connect error or disconnect/reset before headers"
Act = Callable[[int], None]
HOLD_NS: Final = NS
"""How long a fill that is to come late waits for what it is to follow."""


class ExchangeConnection:
    """Made by `ExchangeVenue.connect`. `path` is what the client asked for, with its query."""

    def __init__(self, venue: ExchangeVenue, index: int, now_ns: int, path: str) -> None:
        self.venue, self.index, self.path = venue, index, path
        self.opened_ns = self.heard_ns = now_ns
        self.rng = seeded(f"{venue.seed}/{venue.NAME}/{index}")
        self.is_open = True
        self._out: list[Out] = []
        self._timers: dict[object, tuple[int, Act]] = {}
        self._timer_number = 0
        self._held: list[str] = []
        self._news_ns = now_ns
        self._updates = 0
        self.views: dict[object, BookView] = {}
        self.opened(now_ns)

    # --- what a venue says -------------------------------------------------------------------------------------------

    def opened(self, now_ns: int) -> None:
        """The socket is open."""

    def heard(self, text: str | bytes, now_ns: int) -> None:
        """A frame of the client's. Raises for nothing a client may send."""
        raise NotImplementedError

    def pong(self, payload: bytes, now_ns: int) -> None:
        """The protocol's pong came."""

    def on_market(self, event: MarketEvent, now_ns: int) -> None:
        """A book moved, with these trades."""

    def told_frames(self, told: Told, now_ns: int) -> list[str]:
        """What this socket says of an order's news; nothing where it follows none."""
        del told, now_ns
        return []

    def balance_frames(self, assets: frozenset[str], now_ns: int) -> list[str]:
        """What it says of balances that changed."""
        del assets, now_ns
        return []

    def status_frames(self, word: str, now_ns: int) -> list[str]:
        """What it says of the system's state."""
        del word, now_ns
        return []

    def stamp(self, frame: str) -> str:
        """The frame as it is sent now: for numbers that count what is sent."""
        return frame

    def skipped(self) -> None:
        """A fault has left a frame out, which the venue counts as sent."""

    # --- out ---------------------------------------------------------------------------------------------------------

    def take(self) -> list[Out]:
        """What is to be sent now, in order."""
        frames, self._out = self._out, []
        return frames

    def send(self, frame: str, now_ns: int, delay_ns: int = 0) -> None:
        """Queues a frame, unless the connection is mute; a late one waits for its time."""
        if delay_ns > 0:
            self._timer_number += 1
            self.at(("late", self._timer_number), now_ns + delay_ns, lambda at_ns: self.send(frame, at_ns))
        elif self.is_open and not self.is_silent(now_ns):
            self._out.append(self.stamp(frame))

    def pong_frame(self, frame: str, now_ns: int) -> None:
        """The answer to a ping that is a text: it comes even from a venue that is mute with pongs."""
        if self.is_open and not any(self.active(name, now_ns) for name in ("mute", "half_open", "no_pong")):
            self._out.append(self.stamp(frame))

    def ping(self, payload: bytes, now_ns: int) -> None:
        """The protocol's ping."""
        if self.is_open and not self.is_silent(now_ns) and not self.active("heartbeat_off", now_ns):
            self._out.append(Ping(payload))

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

    # --- time --------------------------------------------------------------------------------------------------------

    def at(self, key: object, due_ns: int, act: Act) -> None:
        """Does something at a time; a key has one timer, the latest that was set."""
        self._timers[key] = (due_ns, act)

    def unset(self, key: object) -> None:
        """Not any more."""
        self._timers.pop(key, None)

    def is_set(self, key: object) -> bool:
        """Whether a timer of that key waits."""
        return key in self._timers

    @property
    def next_ns(self) -> int | None:
        """When it has something to do by time alone."""
        return min((due_ns for due_ns, _ in self._timers.values()), default=None)

    def on_time(self, now_ns: int) -> None:
        """Timers and timed faults that are due."""
        while self._timers and self.is_open:
            key, (due_ns, act) = min(self._timers.items(), key=lambda timer: timer[1][0])
            if due_ns > now_ns:
                break
            del self._timers[key]
            act(now_ns)
        self._break(now_ns)

    def _break(self, now_ns: int) -> None:
        """The ways in which a connection breaks."""
        if self.views and self.fires("crossed_book", now_ns):
            for view in self.views.values():
                view.phantom = view.book.asks.top(5)[-1]
            for symbol in dict.fromkeys(view.book.pair.symbol for view in self.views.values()):
                self.on_market(MarketEvent(symbol, now_ns, (), ()), now_ns)
        if not self.is_silent(now_ns) and self.fires("garbage_frame", now_ns):
            self._out.append(GARBAGE)
        if not self.is_silent(now_ns) and self.fires("close", now_ns):
            self.end(GOING)
        if self.fires("half_frame", now_ns):
            self._out.append(b'{"topic":"book","data":[{"s":"BTC')
            self.end(CUT)
        if self.fires("reset", now_ns):
            self.end(CUT)

    # --- faults ------------------------------------------------------------------------------------------------------

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

    def is_quiet(self, now_ns: int) -> bool:
        """Whether books are acknowledged and then silent: no snapshot either."""
        return self.active("ack_then_silence", now_ns) is not None

    def refuses(self, symbol: str, now_ns: int) -> bool:
        """Whether a subscription of this symbol, ours or the venue's name of it, is refused."""
        fault = self.active("refuse_symbols", now_ns)
        names = str(fault.value).split(";") if fault is not None else []
        return any(name.replace("/", "").replace("-", "") == symbol.replace("/", "").replace("-", "") for name in names)

    def copies(self, now_ns: int, *, fresh: bool = False) -> int:
        """How often this update of a book is sent: once, but for faults. `fresh`: it is the first after a snapshot."""
        if self.active("book_off", now_ns) or self.is_quiet(now_ns):
            return 0
        self._updates += 1
        if self._nth("drop_update", now_ns) or (fresh and self.fires("snapshot_gap", now_ns)):
            self.skipped()
            return 0
        return 2 if self._nth("duplicate_update", now_ns) else 1

    def _nth(self, name: str, now_ns: int) -> bool:
        fault = self.active(name, now_ns)
        return fault is not None and fault.number > 0 and self._updates % fault.number == 0

    # --- in ----------------------------------------------------------------------------------------------------------

    def receive(self, text: str | bytes, now_ns: int) -> None:
        """One client frame."""
        self.venue.advance(now_ns)
        if self.is_open and not self.is_deaf(now_ns):
            self.heard_ns = now_ns
            self.heard(text, now_ns)

    # --- orders ------------------------------------------------------------------------------------------------------

    def trade(
        self, method: str, act: Callable[[Asked], list[str]], refuse: Callable[[Refused], list[str]], now_ns: int
    ) -> None:
        """A request that touches orders: done now or when it reaches the engine, and answered, faults aside."""
        late = self.fires("engine_late", now_ns, method)
        if late is None:
            self._trade(method, act, refuse, now_ns)
        else:  # it is on its way inside the venue: that the socket goes stops it no more
            self.venue.later(now_ns + late.number * MS, lambda at_ns: self._trade(method, act, refuse, at_ns))

    def _trade(
        self, method: str, act: Callable[[Asked], list[str]], refuse: Callable[[Refused], list[str]], now_ns: int
    ) -> None:
        desk, venue = self.venue.desk, self.venue
        answers = desk.run(act, refuse, Asked(method, now_ns, now_ns - self.opened_ns, self.index))
        if self.fires("response_lost", now_ns, method):
            self.end(CUT)
        if self.fires("ack_lost", now_ns, method):
            answers = []
        late = self.fires("ack_late", now_ns, method)
        if desk.executions_first or self.active("executions_first", now_ns, method):
            venue.flush(now_ns)
        for frame in answers:
            self.send(frame, now_ns, late.number * MS if late else 0)
        desk.finish(now_ns)
        venue.flush(now_ns)

    def on_told(self, told: Told, now_ns: int) -> None:
        """News of an order, for whoever follows orders here."""
        frames = self.told_frames(told, now_ns)
        if not frames or self.active("executions_off", now_ns):
            return
        if told.fill is not None and self.fires("dropped_fill", now_ns):
            for _ in frames:
                self.skipped()
            return
        if told.fill is not None and self.fires("duplicate_fill", now_ns):
            frames = frames * 2
        if told.fill is not None and not self._held and self.fires("reordered_fill", now_ns):
            self._held = frames
            self.at("held", now_ns + HOLD_NS, self._release)
            return
        self.news([*frames, *self._held], now_ns)
        self._held = []

    def on_balances(self, assets: frozenset[str], now_ns: int) -> None:
        """Balances that changed, for whoever follows them here."""
        frames = self.balance_frames(assets, now_ns)
        if frames and not self.active("executions_off", now_ns):
            self.news(frames, now_ns)

    def _release(self, now_ns: int) -> None:
        """Nothing followed: what was kept for later goes out now."""
        frames, self._held = self._held, []
        self.news(frames, now_ns)

    def news(self, frames: Sequence[str], now_ns: int) -> None:
        """News of the account: late where that fault is on; what is told later overtakes nothing."""
        late = self.active("executions_late", now_ns)
        self._news_ns = max(self._news_ns, now_ns + (late.number * MS if late else 0))
        for frame in frames:
            self.send(frame, now_ns, self._news_ns - now_ns)
