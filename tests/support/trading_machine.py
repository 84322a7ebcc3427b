"""What turns under a `TradingWorld`: time, the lives of the gateway, turns, links and disk.

One real `Session` with the real point of exit, kill switch, vault and signing; links, time, journal and clock are
played (`trading_links.py`). The oracle (`trading_oracle.py`) looks on after every turn. One seed, one course of events:
`digest` is the same for the same seed.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from random import Random
from typing import Any, Final

import msgspec

from connectors.events import ExecReport, Notice
from connectors.orders import Action
from connectors.session import CALLS, PRIVATE, PUBLIC, REST, Reconnect, Send, WakeAt
from risk.limits import Limits
from runtime.engine import Engine
from runtime.exit import Exit
from runtime.inputs import ActionRecord, Command, Input, Output, Timer, VenueOutput
from runtime.keylock import Counted, tag_of
from runtime.killswitch import KillSwitch
from runtime.memory import SessionMemory
from runtime.port import VenueSpec
from runtime.session import Session
from runtime.sim.market import Market
from runtime.spec import AlgoSpec, EngineSpec
from runtime.vault import Vault
from tests.support.puppet import Puppet
from tests.support.trading_links import MS, SECOND, VirtualCalls, VirtualRest, Wire
from tests.support.trading_oracle import Oracle
from tests.support.trading_venues import place

START_NS: Final = 1_785_000_000 * SECOND
USD: Final = 10**9
LIMITS: Final = Limits(
    max_position_1e8=10**14, max_order_notional_1e9=10**16, max_order_rate=10_000, price_collar_bps=5_000,
    max_daily_loss_1e9=10**17, max_open_orders=200,
)  # fmt: skip
QTY: Final = 10**6  # 0.01 of a coin


class Bell:
    """A timer of the switch's that can be taken back."""

    def __init__(self, world: Machine, callback: Callable[[], None]) -> None:
        self._world = world
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def ring(self) -> None:
        if self.callback is not None:
            self._world.at_loop(self.callback)


class SlowDisk:
    """The journal as the exit needs it: what is given is durable a while later, in order."""

    failed = ""

    def __init__(self, world: Machine) -> None:
        self.soon: Callable[[Callable[[], None]], object] = lambda call: world.later(0, call)


class Machine:
    """`name`: the venue. `faults`: its own. `rate_hz`: market steps a second; 0: it moves only as tests say. `latency`:
    of every message, least and most ms. `disk`: the same of the journal. `venue`: further arguments of the simulated
    one.

    `session` is the one that runs now, None while the gateway is dead. `notices`, `actions`: everything told and asked.
    """

    def __init__(
        self, *faults: str, name: str = "kraken", seed: int = 0, rate_hz: int = 0, latency: tuple[int, int] = (1, 30),
        disk: tuple[int, int] = (0, 3), limits: Limits = LIMITS, options: dict[str, str] | None = None,
        starts: bool = True, **venue: Any,
    ) -> None:  # fmt: skip
        self.seed, self.now_ns = seed, START_NS
        self.dice = Random(f"{seed}/world")
        self.name, self.where = name, place(name)
        self.faults = self.where.faults(*faults)
        market = Market(self.where.pairs, seed)
        self.options = dict(options or {})
        if name == "kraken":
            self.options = {"tier": str(venue.setdefault("tier", "pro")), **self.options}
        self.venue: Any = self.where.sim(
            seed=seed, now_ns=START_NS, market=market, faults=self.faults, rate_hz=rate_hz, **venue
        )
        self.oracle = Oracle(self.venue, self.where)
        self.limits, self.latency, self._disk = limits, latency, disk
        self.is_down = False  # the venue is not there at all
        self.is_frozen = False  # the gateway takes no turns
        self.notices: list[tuple[int, str, str]] = []
        self.actions: list[ActionRecord] = []
        self.reports: list[ExecReport] = []
        self.wire: list[tuple[int, str, bytes]] = []  # what left: when, by which link
        self.session: Session | None = None
        self.lives = self.turns = 0
        self.stopped = ""
        self._memory: bytes | None = None  # as of the last turn that had to be durable
        self._digest = hashlib.sha256()
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._number = self._order_id = 0
        self._timer_ns: int | None = None
        self._durable_ns = 0
        self._wanted: list[Action] = []
        self._backlog: list[Callable[[], None]] = []
        self._nudged = False
        self._nonces = Counted(lambda: self.now_ns)
        if starts:
            self.start()
            self.until(lambda: self.is_ready, 30, "the gateway is not ready")

    # --- one life of the gateway ------------------------------------------------------------------------------------

    def start(self, memory: bytes | None = None) -> None:
        """A session: the first, or the next one with what the one before left."""
        assert self.session is None, "one gateway at a time"
        self.lives += 1
        known = msgspec.json.decode(memory, type=SessionMemory) if memory is not None else None
        self.guest = Puppet("on_book", "on_fill", "on_reject", name="trader").on("on_book", self._answer)
        spec = EngineSpec(
            venues=(VenueSpec(venue=self.where.venue, depth=10, options=self.options),), symbols=self.where.symbols,
            algos=(AlgoSpec("trader", self.guest, self.where.symbols),), tag=tag_of(self.lives), is_paper=False,
            memory=known, limits=self.limits,
        )  # fmt: skip
        self.session = session = Session(spec)
        self.switch = KillSwitch(session, self._turn, self.tell, clock=lambda: self.now_ns)
        self.switch.attach(self)
        self._timer_ns = None
        disk: Any = SlowDisk(self)
        self.exit = Exit(session, self._send, self._soon, disk, self.switch.take)
        trading = self.where.trading
        vault = Vault({name: text for name, text in self.venue.credentials.items() if text}, self._nonces)
        self.wires = {
            link: Wire(self, link, *((None, None) if link == PUBLIC else (vault, trading.seal)))
            for link in self.where.sockets
        }
        self.public, self.private = self.wires[PUBLIC], self.wires[PRIVATE]
        self.rest, self.calls = VirtualRest(self, trading, vault), VirtualCalls(self)
        self.oracle.born()
        for wire in self.wires.values():
            wire.dial()

    def crash(self) -> None:
        """kill -9: nothing more is sent or read; what was sent is on its way all the same."""
        assert self.session is not None
        self.session = None
        for wire in self.wires.values():
            wire.end()
        self.rest.end()
        self.calls.end()
        self._wanted.clear()
        self._backlog.clear()
        self.is_frozen = False

    def restart(self, down_s: float = 1.0, *, forgets: bool = False) -> None:
        """A crash, and the next session after so long. `forgets`: with an empty journal."""
        if self.session is not None:
            self.crash()
        self.run(down_s)
        self.start(None if forgets else self._memory)

    def stop(self) -> None:
        """As `Live.run` ends: drain for five seconds at most, the last command, the links."""
        assert self.session is not None
        self.exit.withdraw()
        self.feed(Command("drain", "shutdown"))
        session = self.session
        self.run(5, lambda: not session.engine.oms.orders)
        self.feed(Command("stop", "shutdown"))
        self._memory = msgspec.json.encode(session.engine.remember())
        self.run(0.2)
        self.crash()

    def freeze(self) -> None:
        """The process takes no turns, as one that is stopped by a signal; its sockets stay."""
        self.is_frozen = True

    def thaw(self) -> None:
        """It goes on where it was, with all that came meanwhile."""
        self.is_frozen = False
        backlog, self._backlog = self._backlog, []
        for what in backlog:
            what()

    @property
    def engine(self) -> Engine:
        assert self.session is not None, "the gateway is dead"
        return self.session.engine

    @property
    def is_ready(self) -> bool:
        """Books are valid, and the gate may let orders pass to the venue."""
        engine = self.engine
        return engine.ports[self.name].link.is_reconciled and all(book.valid for book in engine.books)

    # --- time -------------------------------------------------------------------------------------------------------

    def later(self, delay_ns: int, what: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._queue, (self.now_ns + delay_ns, self._number, what))

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> object:
        self.later(0, lambda: self.at_loop(callback))
        return None

    def at_loop(self, what: Callable[[], None]) -> None:
        """Now, or when the gateway's loop turns again."""
        if self.is_frozen:
            self._backlog.append(what)
        else:
            what()

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Bell:
        bell = Bell(self, callback)
        self.later(int(delay * SECOND), bell.ring)
        return bell

    def latency_ns(self) -> int:
        return self.dice.randint(self.latency[0] * MS, self.latency[1] * MS)

    def run(self, seconds: float, until: Callable[[], bool] | None = None) -> bool:
        """Everything that falls due, in its order, until the condition holds or the time is over. Whether it held."""
        end_ns = self.now_ns + int(seconds * SECOND)
        while until is None or not until():
            venue_ns = self.venue.next_ns
            at_ns = self._queue[0][0] if self._queue else end_ns + 1
            if venue_ns is not None and max(venue_ns, self.now_ns) <= min(at_ns, end_ns):
                self.now_ns = max(self.now_ns, venue_ns)
                self.venue.advance(self.now_ns)
            elif at_ns <= end_ns:
                self.now_ns, _, what = heapq.heappop(self._queue)
                self.venue.advance(self.now_ns)
                what()
            else:
                self.now_ns = end_ns
                break
            self._collect()
        return until is not None and until()

    def until(self, condition: Callable[[], bool], seconds: float, problem: str = "it did not happen") -> None:
        """Fails when the condition does not hold within so many seconds."""
        assert self.run(seconds, condition), f"seed {self.seed}: {problem} within {seconds} s\n{self.story()}"

    def _collect(self) -> None:
        if self.session is not None:
            for wire in self.wires.values():
                wire.collect()
        self.oracle.look(self.session.engine if self.session is not None and not self.is_frozen else None)

    # --- turns ------------------------------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        """As `Live.feed`: whoever pulled the switch goes first."""
        if self.session is None:
            return
        if self.is_frozen:
            self._backlog.append(lambda: self.feed(given))
            return
        if self.switch.waiting:
            self.switch.take()
        self._turn(given)

    def _turn(self, given: Input) -> None:
        session = self.session
        if session is None or session.is_stopped:
            return
        if isinstance(given, Command) and given.name == "kill":
            self._overtake(given.target)
            self.oracle.halted.add(
                "" if given.target in ("", "all", f"venue:{self.name}") else given.target.split(":")[-1]
            )
        self.turns += 1
        heard = self.oracle.heard
        session.step(given, self.now_ns, self._carry)
        if self.oracle.heard == heard:  # a turn without outputs may approve, too: a cancel that a session keeps back
            self.oracle.asked(session.engine)
        done = self.exit.seal()
        if done is not None or isinstance(given, Command):  # else the turn's record may be lost with the process
            self._memory = msgspec.json.encode(session.engine.remember())
        if done is not None:
            self._durable_ns = max(self._durable_ns, self.now_ns + self.dice.randint(*self._disk) * MS)
            self.later(self._durable_ns - self.now_ns, lambda: done() if session is self.session else None)
        self.actions += [one for one in session.engine.trace if isinstance(one, ActionRecord)]
        self.reports += [one for one in session.engine.trace if isinstance(one, ExecReport)]
        self.stopped = session.engine.stopped
        self.oracle.turn(session.engine)

    def _overtake(self, scope: str) -> None:
        orders = None if scope in ("", "all") else frozenset(o.client_order_id for o in self.switch.scopes.open(scope))
        self.exit.withdraw(orders)

    def _soon(self, command: Command) -> None:
        self.later(0, lambda: self.feed(command))

    def _carry(self, outputs: list[Output]) -> None:
        self.oracle.asked(self.engine)
        for output in outputs:
            match output:
                case VenueOutput(_, Send()):
                    self.exit.offer(output)
                case VenueOutput(_, Reconnect(link, reason)):
                    wire, why = self.wires[link], reason
                    self.later(0, lambda wire=wire, why=why: wire.cut(why))  # type: ignore[misc]
                case WakeAt(at_ns):
                    self._wake(at_ns)
                case Notice(level, text):
                    self.tell(text, level)

    def _wake(self, at_ns: int) -> None:
        """One timer, the earliest, as `Live._wake` has it."""
        if self._timer_ns is not None and self._timer_ns <= at_ns:
            return
        self._timer_ns, life = at_ns, self.lives
        self.later(max(at_ns - self.now_ns, 0), lambda: self._rang(at_ns, life))

    def _rang(self, at_ns: int, life: int) -> None:
        if at_ns == self._timer_ns and life == self.lives:
            self._timer_ns = None
            self.feed(Timer())

    def _send(self, venue: str, link: str, data: bytes) -> None:
        assert venue == self.name
        self.note("out", link, data)
        self.wire.append((self.now_ns, link, data))
        if link not in (PUBLIC, CALLS):
            self.oracle.wire(link, data)
        door: Any = {REST: self.rest, CALLS: self.calls}.get(link) or self.wires[link]
        door.send(data)

    # --- the guest --------------------------------------------------------------------------------------------------

    def _answer(self, _guest: Puppet) -> list[Action]:
        wanted, self._wanted = self._wanted, []
        return wanted

    # --- what is seen by everybody ----------------------------------------------------------------------------------

    def tell(self, text: str, level: str = "info") -> None:
        self.notices.append((self.now_ns, level, text))

    def note(self, *what: Any) -> None:
        self._digest.update(repr((self.now_ns, *what)).encode())

    @property
    def digest(self) -> str:
        """Of all bytes in and out with their times, and of the last session's outputs."""
        tail = self.session.digest.hexdigest() if self.session is not None else ""
        return self._digest.hexdigest() + tail

    def story(self, last: int = 40) -> str:
        """The end of what was said, for a test that fails."""
        lines = [f"{(at_ns - START_NS) / SECOND:9.3f} {level:7} {text}" for at_ns, level, text in self.notices[-last:]]
        return "\n".join(lines)
