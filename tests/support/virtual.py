"""The engine against the simulated Kraken in virtual time: no socket, no clock, no waiting.

Plays what `net.py` and `live.py` do: connects, carries frames both ways, rings timers, dials again after a Reconnect.
Fails at once when a book is served that differs from the simulated market's own.
"""

from collections.abc import Callable, Sequence

from connectors.events import Notice
from connectors.session import Reconnect, Send, WakeAt
from connectors.venues.kraken import VENUE
from risk.limits import Limits
from runtime.config import paper_limits
from runtime.engine import AlgoSpec, Engine, EngineSpec
from runtime.inputs import ActionRecord, Command, Frame, Input, LinkDown, LinkUp, Output, Timer, VenueOutput
from runtime.sim.kraken import Close, KrakenConnection, KrakenSim, SimFaults
from runtime.sim.market import Market

SECOND = 10**9
STEP_NS = SECOND // 100
START_NS = 1_785_000_000 * SECOND


class World:
    """`run(seconds)` lets time pass; `notices` and `actions` collect what came out."""

    def __init__(
        self, *, symbols: Sequence[str] = ("BTC/USD",), faults: SimFaults | None = None, algos: Sequence[AlgoSpec] = (),
        limits: Limits | None = None, depth: int = 10,
    ) -> None:  # fmt: skip
        self.now_ns = START_NS
        self.sim = KrakenSim(Market(seed=3), faults)
        self.engine = Engine(
            EngineSpec(
                venue=VENUE, symbols=tuple(symbols), depth=depth, limits=limits or paper_limits(), algos=tuple(algos)
            )
        )  # fmt: skip
        self.notices: list[tuple[int, Notice]] = []
        self.actions: list[ActionRecord] = []
        self.reconnects: list[tuple[int, str]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.served = [0] * len(symbols)
        self._wake_ns: int | None = None
        self._connection: KrakenConnection | None = None
        self._dial_ns: int | None = self.now_ns

    # --- time ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass in steps of 10 ms, for at most `seconds` or until the condition holds."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns and not until():
            self.now_ns += STEP_NS
            if self._dial_ns is not None and self.now_ns >= self._dial_ns:
                self._dial()
            for connection, frames in self.sim.tick(self.now_ns):
                if connection is self._connection:
                    self._hear(frames)
            if self._wake_ns is not None and self.now_ns >= self._wake_ns:
                self._wake_ns = None
                self.feed(Timer())

    def seconds(self) -> float:
        return (self.now_ns - START_NS) / SECOND

    def command(self, name: str) -> None:
        self.feed(Command(name, "test"))

    # --- the link --------------------------------------------------------------------------------------------------

    def _dial(self) -> None:
        self._dial_ns = None
        self._connection, frames = self.sim.connect(self.now_ns)
        self.feed(LinkUp("kraken", "public"))
        self._hear(frames)

    def _hang_up(self, reason: str) -> None:
        if self._connection is not None:
            self.sim.disconnect(self._connection)
            self._connection = None
            self._dial_ns = self.now_ns + SECOND // 2
            self.feed(LinkDown("kraken", "public", reason))

    def _hear(self, frames: Sequence[str | bytes | Close]) -> None:
        for frame in frames:
            if isinstance(frame, Close):
                self._hang_up(frame.reason)
                return
            self.feed(Frame("kraken", "public", frame.encode() if isinstance(frame, str) else frame))

    # --- the engine ------------------------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        outputs = list(self.engine.step(given, self.now_ns))
        self.actions += [record for record in self.engine.trace if isinstance(record, ActionRecord)]
        for index in self.engine.touched:
            self.served[index] += 1
            book = self.engine.books[index]
            assert book.valid
            bid, ask = book.touch()
            assert not bid or not ask or bid < ask, "a crossed book was served"
        for output in outputs:
            self._carry(output)

    def _carry(self, output: Output) -> None:
        match output:
            case Notice():
                self.notices.append((self.now_ns, output))
            case WakeAt(at_ns):
                self._wake_ns = at_ns if self._wake_ns is None else min(self._wake_ns, at_ns)
            case VenueOutput(_, Send(_, data)):
                self.sent.append((self.now_ns, data))
                if self._connection is not None:
                    self._hear(self._connection.receive(data, self.now_ns))
            case VenueOutput(_, Reconnect(_, reason)):
                self.reconnects.append((self.now_ns, reason))
                self._hang_up(reason)

    def said(self, part: str) -> list[str]:
        return [notice.text for _, notice in self.notices if part in notice.text]
