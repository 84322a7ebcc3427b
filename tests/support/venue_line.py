"""One venue's public side in virtual time: the engine, the simulated venue, and between them a line that can do harm.

    line = VenueLine("okx", seed=3)          # connected, both books valid and the venue's own
    line.harm = Harm(…)                      # from now on (tests/support/venue_harm.py)
    line.run(5)

Another pair of eyes (`venue_truth.py`) reads each message before it is harmed. After every frame that comes through, a
book that is valid must be the venue's own (`venue_judge.py`).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Final, NamedTuple, Protocol

from connectors.session import CALLS, PUBLIC, Reconnect, Send, Venue, WakeAt
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.inputs import Frame, Input, LinkDown, LinkUp, Timer, VenueOutput
from runtime.port import VenueSpec
from runtime.sim.frames import Close, Ping
from runtime.sim.market import Market
from runtime.spec import EngineSpec
from tests.support import venue_truth
from tests.support.trading_venues import place
from tests.support.venue_judge import Judge
from tests.support.venue_truth import Message

MS: Final = 10**6
SECOND: Final = 10**9
START_NS: Final = 1_785_000_000 * SECOND
DEPTH: Final = 10
REDIAL_NS: Final = 100 * MS


class Passed(NamedTuple):
    """A frame as it comes out of the line. `key`: of the book message it was; None: none. `message`: as it was sent."""

    data: bytes
    key: int | None
    message: Message | None
    is_intact: bool = True


class Line(Protocol):
    """What may happen to frames on their way; asked for each in turn."""

    def through(self, sent: Passed) -> list[Passed]: ...

    def answer(self, body: bytes) -> bytes | None:
        """The body of an answer over HTTP; None: it is lost."""


class VenueLine:
    """`venue`: another `Venue` in its place (a mutant). `calls_ms`: an answer's way there and back.

    `lost`: what became invalid, in order: (market, reason, frames heard until then). `sent`: what left, by link.
    `frames`: what came, when and by which link.
    """

    def __init__(
        self, name: str, seed: int = 0, *, rate_hz: int = 24, venue: Venue | None = None,
        calls_ms: tuple[int, int] = (20, 20), depth: int = DEPTH, markets: int = 2, starts: bool = True,
    ) -> None:  # fmt: skip
        where = place(name)
        self.name, self.symbols, self.seed = name, where.symbols[:markets], seed
        self.now_ns = START_NS
        market = Market(where.pairs[:markets], seed)
        self.venue: Any = where.sim(seed=seed, now_ns=START_NS, market=market, rate_hz=rate_hz)
        spec = VenueSpec(venue=venue or where.venue, depth=depth)
        self.engine = Engine(EngineSpec(venues=(spec,), symbols=self.symbols, limits=paper_limits(), algos=()))
        top = DEPTH if name == "binance" else 0  # a book there is known as deep as its snapshot was
        self.judges = [Judge(is_summed=name == "kraken", is_chained=name != "coinbase", top=top) for _ in self.symbols]
        self._books = [venue_truth.Book(depth if name == "kraken" else 0) for _ in self.symbols]
        self._index = {symbol.replace("/", ""): index for index, symbol in enumerate(self.symbols)}
        self.harm: Line | None = None
        self.heard = self._key = 0
        self.lost: list[tuple[int, str, int]] = []
        self.sent: list[tuple[str, bytes]] = []
        self.frames: list[tuple[int, str, bytes]] = []
        self._valid = [False] * len(self.symbols)
        self._views: dict[str, Any] = {}
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = 0
        self._wake_ns: int | None = None
        self._calls_ns = tuple(ms * MS for ms in calls_ms)
        self.socket: Any = None
        if starts:
            self.start()

    def start(self) -> None:
        """Until every book is there."""
        self._dial()
        self.until(self.is_well, 20, "no books at the beginning")

    # --- time --------------------------------------------------------------------------------------------------------

    def later(self, delay_ns: int, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (self.now_ns + delay_ns, self._number, what))

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Everything that falls due, until the condition holds or the time is over. Whether it held."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while until is None or not until():
            dues = [self.venue.next_ns, self._wake_ns, self._queue[0][0] if self._queue else None]
            at_ns = min((due for due in dues if due is not None), default=end_ns + 1)
            if at_ns > end_ns:
                self.now_ns = end_ns
                break
            self.now_ns = max(self.now_ns, at_ns)
            self.venue.advance(self.now_ns)
            while self._queue and self._queue[0][0] <= self.now_ns:
                heapq.heappop(self._queue)[2]()
            if self._wake_ns is not None and self._wake_ns <= self.now_ns:
                self._wake_ns = None
                self.feed(Timer())
            self._collect()
        return until is not None and until()

    def until(self, condition: Callable[[], bool], seconds: float, problem: str) -> None:
        """Fails where it does not come to that."""
        if not self.run(seconds, condition):
            said = ", ".join(f"{self.symbols[index]}: {why}" for index, why, _ in self.lost[-4:])
            raise AssertionError(f"{self.name}, seed {self.seed}: {problem} within {seconds} s; lost: {said or 'none'}")

    def is_well(self) -> bool:
        """Every book is valid, and the venue's own as of the last message."""
        return all(
            book.valid and judge.reached >= 0 and judge.held(book) == judge.states[judge.reached]
            for book, judge in zip(self.engine.books, self.judges, strict=True)
        )

    # --- the link ----------------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        self.socket = self.venue.connect(self.now_ns, self.venue.links[PUBLIC])
        self.feed(LinkUp(self.name, PUBLIC))
        self._collect()

    def cut(self) -> None:
        """The socket is gone, and dialled again soon."""
        if self.socket is None:
            return
        self.socket.close(self.now_ns)
        self.socket = None
        self._views.clear()
        self.feed(LinkDown(self.name, PUBLIC, "cut"))
        self.later(REDIAL_NS, self._dial)

    def feed(self, given: Input) -> None:
        """One turn, and what it asks for."""
        outputs = list(self.engine.step(given, self.now_ns))
        for index, book in enumerate(self.engine.books):
            if self._valid[index] and not book.valid:
                self.lost.append((index, book.reason, self.heard))
                self.judges[index].lost()
            self._valid[index] = book.valid
        for output in outputs:
            if isinstance(output, WakeAt):
                self._wake_ns = output.at_ns if self._wake_ns is None else min(self._wake_ns, output.at_ns)
            elif isinstance(output, VenueOutput) and isinstance(output.output, Reconnect):
                self.cut()
            elif isinstance(output, VenueOutput) and isinstance(output.output, Send):
                self._send(output.output)

    def _send(self, send: Send) -> None:
        self.sent.append((send.link, send.data))
        if send.link == CALLS:
            self.later(self._calls_ns[0], lambda: self._ask(send.data))
        elif self.socket is not None:
            self.socket.receive(send.data.decode(), self.now_ns)
            self._look()

    def _ask(self, data: bytes) -> None:
        head, _, query = data.decode().partition("\n")
        number, *_, path = head.split(" ")
        answer = self.venue.rest("GET", f"{path}?{query}" if query else path, {}, b"", self.now_ns)
        body: bytes | None = answer.body
        told: tuple[int, int] | None = None
        if self.name == "binance" and path.endswith("/depth"):
            told = self._note_depth(query, answer.body)
            body = self.harm.answer(answer.body) if self.harm is not None else answer.body
        head = f"{number} {answer.status}" if body is not None else f"{number} 0"
        raw = head.encode() + b"\n" + (b"no answer" if body is None else body)
        asked = f"GET {path}?{query}".encode()  # as a recording has it that does not know our numbers
        self.later(self._calls_ns[1], lambda: self._answered(raw, told, asked))

    def _answered(self, raw: bytes, told: tuple[int, int] | None, asked: bytes) -> None:
        self.frames.append((self.now_ns, CALLS, asked + b" " + raw.partition(b" ")[2]))
        self.feed(Frame(self.name, CALLS, raw))
        if told is not None:
            index, number = told
            self.judges[index].answered(number, self.engine.books[index])

    def _collect(self) -> None:
        while self.socket is not None and (frames := self.socket.take()):
            for frame in frames:
                if self.socket is None:
                    return
                if isinstance(frame, Close):
                    self.cut()
                elif isinstance(frame, Ping):
                    self.socket.pong(frame.payload, self.now_ns)
                else:
                    self._come(frame if isinstance(frame, bytes) else frame.encode())

    # --- frames ------------------------------------------------------------------------------------------------------

    def _come(self, raw: bytes) -> None:
        message = venue_truth.read(self.name, raw)
        key = self._note(message) if message is not None else None
        sent = Passed(raw, key, message)
        for one in [sent] if self.harm is None else self.harm.through(sent):
            if self.socket is None:
                return
            self._hear(one)

    def _hear(self, one: Passed) -> None:
        self.heard += 1
        self.frames.append((self.now_ns, PUBLIC, one.data))
        self.feed(Frame(self.name, PUBLIC, one.data))
        if one.key is None or one.message is None:
            return
        index = self.index(one.message)
        judge, book = self.judges[index], self.engine.books[index]
        if one.is_intact:
            judge.intact(one.key, book, is_whole=one.message.is_whole)
            return
        try:
            came, is_read = venue_truth.read(self.name, one.data), True
        except ValueError:
            came, is_read = None, False
        if is_read and judge.is_beyond(one.message, came):
            judge.unseen(book)
        else:
            judge.damaged(one.key, book)

    def index(self, message: Message) -> int:
        return self._index[message.name.replace("/", "").replace("-", "")]

    # --- what the venue's book is ------------------------------------------------------------------------------------

    def _note(self, message: Message) -> int:
        index = self.index(message)
        self._key += 1
        key = int(message.mark[-1]) if self.name == "binance" else self._key
        self.judges[index].states[key] = self._books[index].take(message)
        if self.name == "binance":
            self.judges[index].states[key] = self._books[index].sides(DEPTH)
        return key

    def _look(self) -> None:
        """Binance's stream begins nowhere: whoever has the whole book of that moment can follow it."""
        if self.name != "binance" or self.socket is None:
            return
        for stream, view in self.socket.views.items():
            if self._views.get(stream) is not view:
                self._views[stream] = view
                index = self._index[stream.partition("@")[0].upper()]
                target = f"/api/v3/depth?symbol={self.symbols[index].replace('/', '')}&limit=5000"
                _, bids, asks = venue_truth.depth_answer(self.venue.rest("GET", target, {}, b"", self.now_ns).body)
                self._books[index].load(bids, asks)

    def _note_depth(self, query: str, body: bytes) -> tuple[int, int]:
        """A snapshot lies between two messages: what the book was just then is a state, too. (market, its number)"""
        number, bids, asks = venue_truth.depth_answer(body)
        name = next(part.removeprefix("symbol=") for part in query.split("&") if part.startswith("symbol="))
        book = venue_truth.Book()
        book.load(bids, asks)
        index = self._index[name]
        self.judges[index].states[number] = book.sides(DEPTH)
        return index, number
