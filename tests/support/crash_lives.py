"""Lives of a session on one journal, each ended by kill -9, and what is checked between them.

What the next start is given is held against the log's rows (`crash_check.py`), against the same turns lived through
without a kill, and against what a gate that starts with it says to orders.
"""

import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from connectors.orders import Action
from connectors.session import Send
from oms.state import OrderState
from risk.limit_changes import tightened
from risk.limits import tree_of
from risk.memory import Day
from risk.states import ALL
from runtime.inputs import Command, Frame, Input, LinkUp, VenueOutput
from runtime.journal import check, reader, schema
from runtime.journal.schema import Durability
from runtime.journal.store import Journal
from runtime.memory import SessionMemory
from runtime.session import Session, header_of, limits_from
from runtime.spec import EngineSpec
from runtime.tape import TapeReader, TapeWriter
from tests.journal.appender import Calls
from tests.support import kill_world
from tests.support.crash_check import body_of, compare, must_deny
from tests.support.crash_child import live_there
from tests.support.crash_fold import Fold, Order
from tests.support.crash_world import (
    ALGOS,
    BALANCES,
    BEGIN_NS,
    MS,
    SYMBOLS,
    Krakens,
    Plan,
    Trader,
    session_of,
    spec_of,
)
from tests.support.kill_world import P
from tests.support.puppet import market

LIFTED = frozenset({"KILL_SWITCH", "REDUCE_ONLY", "DAILY_LOSS", "DRAWDOWN", "REPEAT_EXECUTION"})
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["pytest", "tests.support.crash_child"])

Days = dict[str, dict[str, Day]]


def nowhere(outputs: object) -> None:
    """Where the outputs of a session go that nobody is connected to."""


class Lives:
    """`met` counts what the checks came across. `spoil`: as in `Plan`."""

    def __init__(self, folder: Path, seed: int, durability: Durability, *, is_paper: bool, spoil: int = 0) -> None:
        self.folder, self.seed, self.durability, self.is_paper, self.spoil = folder, seed, durability, is_paper, spoil
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "journal.db"
        self.chance = random.Random(f"kill {seed}")
        self.fold = Fold(("kraken" if is_paper else "sim", "other"), is_paper=is_paper)
        self.met: Counter[str] = Counter()
        self.seq = self.number = 0
        self.now_ns = BEGIN_NS
        self.memory: SessionMemory | None = None  # that the current life began with

    @property
    def plan(self) -> Plan:
        """Of the current life."""
        name = f"{self.number:03d}"
        return Plan(
            self.path, self.folder / f"{name}.inputs", self.seed * 1000 + self.number, f"s{name}", self.begin_ns,
            self.is_paper, self.durability, self.spoil,
        )  # fmt: skip

    def spec(self, memory: SessionMemory | None) -> EngineSpec:
        """What the keeper makes of a person's settings after such a memory."""
        spec = spec_of(self.plan, memory)
        if memory is None or memory.gate.limits is None:
            return spec
        return msgspec.structs.replace(spec, limits=tightened(memory.gate.limits, tree_of(spec.limits)))

    def same(self, memory: SessionMemory) -> EngineSpec:
        """A next start with the limits that were in force, so that it says what a session without a kill says."""
        assert memory.gate.limits is not None
        return msgspec.structs.replace(spec_of(self.plan, memory), limits=memory.gate.limits)

    # --- the kill --------------------------------------------------------------------------------------------------

    def live(self, least: int = 40, most: int = 400) -> int:
        """A life from its start to its kill; the number of the last turn that was acknowledged."""
        self.begin_ns = self.now_ns
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=live_there, args=(self.plan, theirs))
        process.start()
        theirs.close()
        wanted, told = self.chance.randint(least, most), b""
        while wanted > _last(told):
            more = os.read(ours.fileno(), 4096)
            assert more, "it ended by itself"
            told += more
        until = time.monotonic() + self.chance.randint(0, 3_000) / 1e6
        while time.monotonic() < until:
            pass
        process.kill()
        while more := os.read(ours.fileno(), 4096):
            told += more
        process.join()
        process.close()
        ours.close()
        return _last(told)

    def one(self, acknowledged: int) -> None:
        """What follows a kill: everything is checked, and the next life may begin."""
        self.next(self.check(acknowledged))

    def next(self, memory: SessionMemory) -> None:
        """The next life begins a moment later: often within a second, now and then after midnight."""
        self.memory = memory
        self.number += 1
        self.now_ns += self.chance.choice((1, 1, 50, 400, 900, 3_000, 90_000, 86_400_000)) * MS

    # --- what is found afterwards ----------------------------------------------------------------------------------

    def opened(self) -> SessionMemory:
        """What the next start is given."""
        failures: list[str] = []
        journal = Journal.open(
            self.path, self.durability, tell=lambda *_: None, on_failure=failures.append, soon=Calls()
        )
        assert journal.close() == ""
        assert failures == []
        assert journal.memory is not None
        return journal.memory

    def read(self) -> None:
        """Folds the rows of this life."""
        before = self.fold.state_ns
        connection = schema.readable(self.path)
        for row in check.stored(connection, self.seq + 1):
            self.fold.take(row.kind, row.now_ns, body_of(row.body))
            self.seq = row.seq
        connection.close()
        assert self.fold.state_ns > before, "no turn of this life is durable"
        assert reader.verify(self.path)["verdict"] == "same"

    def uncrashed(self, acknowledged: int) -> tuple[Session, int]:
        """The same turns in a session that nobody killed, up to the last that is promised or there; their number."""
        turns = inputs(self.plan.inputs)
        durable = next(n for n, (_, now_ns) in enumerate(turns, 1) if now_ns == self.fold.state_ns)
        count = max(durable, acknowledged)
        session = session_of(self.spec(self.memory))
        for given, now_ns in turns[:count]:
            session.step(given, now_ns, nowhere)
        self.fold.now = self.now_ns = max(self.fold.now, now_ns)
        return session, count

    def check(self, acknowledged: int) -> SessionMemory:
        """Everything that must be so after a kill; what the next life begins with."""
        memory = self.opened()
        self.read()
        (alive, count), (again, _) = self.uncrashed(acknowledged), self.uncrashed(acknowledged)
        compare(self.fold, memory.gate, BALANCES if self.is_paper else {})
        self.fold.dies()
        differs(lasting(memory, self.now_ns), lasting(alive.engine.remember(), self.now_ns), "after a kill")
        if self.number % 4 == 0:
            self._replays(alive, count)
        self.number += 1  # what is started from here on is the next life
        self.restarts(memory)
        if not self.is_paper:
            self.judges_alike(alive, self.woken(memory), memory)
        marked_alike(alive, session_of(self.same(memory)), memory.gate.days, self.now_ns)
        again.engine.gate.apply(tree_of(self.spec(memory).limits), "ana")
        marked_alike(again, session_of(self.spec(memory)), memory.gate.days, self.now_ns)
        self.number -= 1
        return memory

    def restarts(self, memory: SessionMemory) -> None:
        """A session that starts with this has all of it, and still has it when it is started once more."""
        given = memory
        if self.is_paper:  # what was open there died with the process
            given = msgspec.structs.replace(memory, gate=msgspec.structs.replace(memory.gate, open_orders=()))
        found = session_of(self.same(memory)).engine.remember()
        differs(found, given, "after a restart")
        once = session_of(self.spec(memory)).engine.remember()
        twice = session_of(self.spec(once)).engine.remember()
        differs(twice, once, "after two restarts")
        self.denied(memory)

    def denied(self, memory: SessionMemory) -> None:
        """The next session lets nothing through that it must not."""
        woken = self.woken(memory)
        if not self.is_paper:
            self.quote(woken, [201 * P] * len(woken.engine.books))
            self.agree(woken)
        self.denies(woken)

    def _replays(self, alive: Session, count: int) -> None:
        """A tape of this life, whose header holds the memory that it began with, gives the same hash."""
        path = self.folder / f"{self.number}.tape"
        writer = TapeWriter(path, header_of(self.spec(self.memory), {}))
        for given, now_ns in inputs(self.plan.inputs)[:count]:
            writer.append(given, now_ns)
        writer.close(alive.digest.hexdigest())
        tape = TapeReader(path)
        assert tape.header is not None
        spec = spec_of(self.plan, tape.header.memory)
        again = session_of(msgspec.structs.replace(spec, limits=limits_from(tape.header)))
        for _, now_ns, given in tape:
            again.step(given, now_ns, nowhere)
        assert tape.footer is not None
        assert again.digest.hexdigest() == tape.footer.hash

    # --- the session after the kill --------------------------------------------------------------------------------

    def woken(self, memory: SessionMemory) -> Session:
        """The next session, its guests silent, its links up: a moment after the kill. On paper its books are there."""
        session = silent(session_of(self.same(memory)))
        now_ns, waiting = self.now_ns + MS, list[Input]()
        feed = Krakens(self.plan.seed)

        def carry(outputs: list[Any]) -> None:
            for output in outputs:
                if isinstance(output, VenueOutput) and isinstance(output.output, Send) and self.is_paper:
                    waiting.extend(feed.take(output.venue, output.output.data, now_ns))

        waiting += feed.begin(now_ns) if self.is_paper else [LinkUp(name, kill_world.LINK) for name in self.fold.names]
        while waiting:
            session.step(waiting.pop(0), now_ns, carry)
        return session

    def quote(self, session: Session, marks: Sequence[int]) -> None:
        """Live: a book at every market, with this bid + ask."""
        for index, mid_sum in enumerate(marks):
            bid = mid_sum // 2 - P // 100
            frame = msgspec.json.encode(["book", index, bid, mid_sum - bid])
            session.step(Frame(self.fold.names[index // 2], kill_world.LINK, frame), self.now_ns + MS, nowhere)

    def agree(self, session: Session) -> None:
        """Live: both venues' records are ours."""
        for venue in self.fold.names:
            frame = msgspec.json.encode(["reconciled", venue])
            session.step(Frame(venue, kill_world.LINK, frame), self.now_ns + MS, nowhere)

    def asks(self) -> Iterator[tuple[int, Order, Action]]:
        """What each algo might ask for at each market and side."""
        unit = self.plan.unit_1e8
        for number, algo in enumerate(ALGOS):
            for venue_id, venue in enumerate(self.fold.names, 1):
                for index, symbol in enumerate(SYMBOLS):
                    for side in (1, -1):
                        row = {"order_id": 10**9, "side": side, "qty_1e8": unit, "order_type": "market"}
                        action = market(10**9, side, unit, venue_id=venue_id, symbol_idx=index)
                        yield number, Order(algo, f"{venue}:{symbol}", row), action

    def denies(self, session: Session) -> None:
        """What was halted, latched or too fast before the kill still is, until a person arms it."""
        gate, now_ns = session.engine.gate, self.now_ns + MS
        for number, one, action in self.asks():
            why, denied = must_deny(self.fold, one, now_ns), gate.judge(number, action, now_ns)
            self.met[why or "free"] += 1
            assert not why or denied is not None, f"{why}: {one.algo} may trade at {one.market}"
            is_said = denied is None or why != "KILL_SWITCH" or denied.reason == why
            assert is_said, f"{denied}, where everything is halted"
        session.step(Command("arm", "ana", ALL), now_ns, nowhere)
        for number, _, action in self.asks():
            denied = gate.judge(number, action, now_ns)
            assert denied is None or denied.reason not in LIFTED, f"{denied} after everything was armed"

    def judges_alike(self, alive: Session, woken: Session, memory: SessionMemory) -> None:
        """Live: nothing passes at a venue in doubt; once it agrees, both sessions say the same to everything."""
        now_ns = self.now_ns + MS
        marks = [mark.mid_sum_1e9 or 201 * P for mark in alive.engine.gate.account.marks]
        for session in (silent(alive), woken):
            self.quote(session, marks)
        for name, order in woken.engine.oms.orders.items():
            assert order.state is OrderState.UNKNOWN, name
        in_doubt = {one.market.partition(":")[0] for one in memory.gate.open_orders}
        for number, one, action in self.asks():
            denied = woken.engine.gate.judge(number, action, now_ns)
            if one.market.partition(":")[0] in in_doubt:
                assert denied is not None
                assert denied.reason in ("KILL_SWITCH", "NOT_RECONCILED")
                self.met["in doubt"] += 1
        for session in (alive, woken):
            self.agree(session)
        for number, one, action in self.asks():
            there, here = (session.engine.gate.judge(number, action, now_ns) for session in (alive, woken))
            assert here == there, f"{one.algo} at {one.market}: {here}, without a kill {there}"
            self.met["alike"] += 1


def _last(told: bytes) -> int:
    whole = told[: told.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else 0


def silent(session: Session) -> Session:
    """Its guests ask for nothing any more."""
    for algo in session.engine.spec.algos:
        assert isinstance(algo.guest, Trader)
        algo.guest.answers.clear()
    return session


def inputs(path: Path) -> list[tuple[Input, int]]:
    """Every turn's input; what the kill cut off is none."""
    text = path.read_bytes()
    path.write_bytes(text[: text.rfind(b"\n") + 1])
    return [(given, now_ns) for _, now_ns, given in TapeReader(path)]


def differs(found: SessionMemory, given: SessionMemory, when: str) -> None:
    """Fails with the parts that are not the same."""
    parts = [(name, getattr(found, name), getattr(given, name)) for name in ("positions", "views")]
    parts += [(name, getattr(found.gate, name), getattr(given.gate, name)) for name in found.gate.__struct_fields__]
    other = [f"{name} is {one}, was {before}" for name, one, before in parts if one != before]
    assert not other, f"{when}: {other}"


def lasting(memory: SessionMemory, now_ns: int) -> SessionMemory:
    """Without what is too old to count, which is let go of whenever somebody looks."""
    gate = memory.gate
    assert gate.limits is not None
    account = gate.limits.account
    lately: dict[str, Any] = {
        "equals": tuple(one for one in gate.equals if now_ns - one[0] < account.duplicate_window_ns),
        "repeats": tuple(one for one in gate.repeats if now_ns - one[0] < account.repeat_window_ns),
        "refusals": tuple(one for one in gate.refusals if now_ns - one[0] < account.refusal_window_ns),
    }
    return msgspec.structs.replace(memory, gate=msgspec.structs.replace(gate, **lately))


def _of(days: Days, known: Days) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Scopes' days; of those whose limit the restart added without the highest, which nobody kept."""
    return {
        scope: {
            quote: (day.start_1e17, day.is_day_open, *((day.peak_1e17, day.latches) if scope in known else ()))
            for quote, day in of_scope.items()
        }
        for scope, of_scope in days.items()
    }


def marked_alike(alive: Session, restored: Session, known: Days, now_ns: int) -> None:
    """At the same marks every scope's money is what it is in a session that nobody killed; and at the next ones."""
    gates = alive.engine.gate, restored.engine.gate
    marks = [mark.mid_sum_1e9 for mark in gates[0].account.marks]
    for per_mille in (1000, 1030, 950):
        for index, mid_sum in enumerate(marks):
            for gate in gates:
                gate.mark(index, mid_sum * per_mille // 1000, now_ns)
        there, here = (gate.memory() for gate in gates)
        for name in ("days", "markets", "algos"):
            found, wanted = getattr(here, name), getattr(there, name)
            if name == "days":
                found, wanted = (_of(days, known) for days in (found, wanted))
            assert found == wanted, f"{name} at {per_mille} ‰ of the marks: {found}, without a kill {wanted}"
        there_sums, here_sums = (
            {key: (one.total_1e17, one.unmarked, one.is_day_open) for key, one in gate.book.ledgers.items()}
            for gate in gates
        )
        assert here_sums == there_sums
