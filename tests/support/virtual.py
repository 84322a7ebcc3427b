"""The engine against simulated Krakens in virtual time: no socket, no clock, no waiting.

Plays what `net.py` and `live.py` do: connects, carries frames both ways, rings timers, dials again after a Reconnect.
Fails at once when a book is served that is crossed. More venues than one are Kraken's protocol under another name and
id, each with a market of its own; a chain (tests/support/chain_venue.py) speaks only when a test makes it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from connectors.events import ExecReport, Notice
from connectors.session import Reconnect, Send, Venue, WakeAt
from connectors.venues.kraken import VENUE
from risk.limits import Limits, LimitTree
from runtime.config import paper_limits
from runtime.engine import Engine
from runtime.inputs import ActionRecord, Command, Frame, GuestLine, Input, LinkDown, LinkUp, Output, Timer, VenueOutput
from runtime.port import VenueSpec
from runtime.sim.frames import Close
from runtime.sim.kraken import KrakenConnection, KrakenSim, SimFaults
from runtime.sim.market import Market
from runtime.spec import AlgoSpec, EngineSpec

SECOND = 10**9
STEP_NS = SECOND // 100
START_NS = 1_785_000_000 * SECOND
OTHER = msgspec.structs.replace(VENUE, name="other", venue_id=2)


class Wire:
    """One simulated venue and the connection to it."""

    def __init__(self, name: str, sim: KrakenSim, now_ns: int) -> None:
        self.name = name
        self.sim = sim
        self.connection: KrakenConnection | None = None
        self.dial_ns: int | None = now_ns


class World:
    """`run(seconds)` lets time pass; `notices`, `actions`, `lines`, `reports` collect what came out."""

    def __init__(
        self, *, symbols: Sequence[str] = ("BTC/USD",), faults: SimFaults | None = None, algos: Sequence[AlgoSpec] = (),
        limits: Limits | LimitTree | None = None, depth: int = 10, venues: Sequence[Venue] = (VENUE,),
        chains: Sequence[VenueSpec] = (), **spec: Any,
    ) -> None:  # fmt: skip
        self.now_ns = START_NS
        venues = [msgspec.structs.replace(venue, trading=None) for venue in venues]  # no private side here
        self.engine = Engine(
            EngineSpec(
                venues=(*(VenueSpec(venue=venue, depth=depth) for venue in venues), *chains), symbols=tuple(symbols),
                limits=limits or paper_limits(), algos=tuple(algos), **spec,
            )
        )  # fmt: skip
        self._wires = {
            venue.name: Wire(venue.name, KrakenSim(Market(seed=3 + place), faults), self.now_ns)
            for place, venue in enumerate(venues)
        }
        self.notices: list[tuple[int, Notice]] = []
        self.actions: list[ActionRecord] = []
        self.lines: list[GuestLine] = []
        self.reports: list[ExecReport] = []
        self.reconnects: list[tuple[int, str]] = []
        self.sent: list[tuple[int, bytes]] = []
        self.served = [0] * len(self.engine.books)
        self.watchers: list[Callable[[Input], None]] = []
        self._wake_ns: int | None = None

    # --- time ------------------------------------------------------------------------------------------------------

    def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Lets time pass in steps of 10 ms, for at most `seconds` or until the condition holds."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while self.now_ns < end_ns and not until():
            self.now_ns += STEP_NS
            for wire in self._wires.values():
                if wire.dial_ns is not None and self.now_ns >= wire.dial_ns:
                    self._dial(wire)
                for connection, frames in wire.sim.tick(self.now_ns):
                    if connection is wire.connection:
                        self._hear(wire, frames)
            if self._wake_ns is not None and self.now_ns >= self._wake_ns:
                self._wake_ns = None
                self.feed(Timer())

    def seconds(self) -> float:
        return (self.now_ns - START_NS) / SECOND

    def command(self, name: str, target: str = "") -> None:
        self.feed(Command(name, "test", target))

    # --- the links -------------------------------------------------------------------------------------------------

    def _dial(self, wire: Wire) -> None:
        wire.dial_ns = None
        wire.connection, frames = wire.sim.connect(self.now_ns)
        self.feed(LinkUp(wire.name, "public"))
        self._hear(wire, frames)

    def hang_up(self, name: str, reason: str, seconds: float = 0.5) -> None:
        """The connection is gone; it is dialled again after so many seconds."""
        wire = self._wires[name]
        if wire.connection is not None:
            wire.sim.disconnect(wire.connection)
            wire.connection = None
            wire.dial_ns = self.now_ns + int(seconds * SECOND)
            self.feed(LinkDown(name, "public", reason))

    def _hear(self, wire: Wire, frames: Sequence[str | bytes | Close]) -> None:
        for frame in frames:
            if isinstance(frame, Close):
                self.hang_up(wire.name, frame.reason)
                return
            self.feed(Frame(wire.name, "public", frame.encode() if isinstance(frame, str) else frame))

    # --- the engine ------------------------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        outputs = list(self.engine.step(given, self.now_ns))
        for record in self.engine.trace:
            if isinstance(record, ActionRecord):
                self.actions.append(record)
            elif isinstance(record, GuestLine):
                self.lines.append(record)
            elif isinstance(record, ExecReport):
                self.reports.append(record)
        for index in self.engine.touched:
            self.served[index] += 1
            book = self.engine.books[index]
            assert book.valid
            bid, ask = book.touch()
            assert not bid or not ask or bid < ask, "a crossed book was served"
        for watch in self.watchers:
            watch(given)
        for output in outputs:
            self._carry(output)

    def _carry(self, output: Output) -> None:
        match output:
            case Notice():
                self.notices.append((self.now_ns, output))
            case WakeAt(at_ns):
                self._wake_ns = at_ns if self._wake_ns is None else min(self._wake_ns, at_ns)
            case VenueOutput(name, Send(_, data)):
                self.sent.append((self.now_ns, data))
                wire = self._wires.get(name)
                if wire is not None and wire.connection is not None:
                    self._hear(wire, wire.connection.receive(data, self.now_ns))
            case VenueOutput(name, Reconnect(_, reason)):
                self.reconnects.append((self.now_ns, reason))
                self.hang_up(name, reason)

    def wake_at(self, at_ns: int) -> None:
        """Somebody asked for a timer, and nobody's later ones are kept beside it."""
        self._wake_ns = at_ns

    def said(self, part: str) -> list[str]:
        return [notice.text for _, notice in self.notices if part in notice.text]
