"""Lives of a trading gateway on one journal, each ended by kill -9 while the venue lives on; what is found."""

import json
import multiprocessing
import os
import random
import select
import subprocess
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from runtime.journal import reader
from runtime.memory import SessionMemory
from tests.support.data import ROOT
from tests.support.trading_kill_child import Plan, live_there
from tests.support.trading_kill_oracle import Account, Findings, judge, memory_of

FOUND_S: Final = 60.0  # for a life that nobody kills to find the account equal
LIFE_S: Final = 8.0  # after which one that is not ready is killed all the same
EARLY_S: Final = 0.9  # a kill anywhere comes within
BUSY_S: Final = 0.05, 0.35  # one of a busy life so long after it was ready
POINT_S: Final = 3.0  # time enough to reach any point
KINDS: Final = ("point", "busy", "point", "busy", "point", "busy", "point", "early")  # one life after the other
LOOKING: Final = ("snapshot", "between", "picture", "compared")  # what comes in each life, and not often
_SPAWN = multiprocessing.get_context("forkserver")
_ALONE = threading.Lock()  # whoever starts a process looks at all that have ended: not while their end is awaited
# with what httpx imports when it is first used: half a second of each life otherwise
_SPAWN.set_forkserver_preload(
    ["pytest", "tests.support.trading_kill_child", "httpcore2", "anyio._backends._asyncio", "websockets.asyncio.client"]
)


class Venue:
    """The simulator's process. `where`: addresses and key, as it printed them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.where: dict[str, str] = json.loads(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the venue has ended"
        return line

    def ask(self, word: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._line())
        return found


@contextmanager
def living(seed: int) -> Iterator[Venue]:
    """A venue for as long as the block lasts."""
    command = [sys.executable, "-m", "tests.support.trading_kill_sim", str(seed)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Venue(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(10)
            finally:
                process.kill()


@dataclass
class Figures:
    """Of all lives. `doubtful`: kills at which there was an order of ours of which nobody knew what became; `fresh`:
    which left a new one; `doubts`: such orders. `ready_ms`: from a start until orders may pass.
    """

    kills: int = 0
    doubtful: int = 0
    fresh: int = 0
    doubts: int = 0
    orders: int = 0
    fills: int = 0
    points: Counter[str] = field(default_factory=Counter)
    ready_ms: list[int] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)

    def add(self, other: "Figures") -> None:
        self.kills += other.kills
        self.doubtful += other.doubtful
        self.fresh += other.fresh
        self.doubts += other.doubts
        self.orders += other.orders
        self.fills += other.fills
        self.points += other.points
        self.ready_ms += other.ready_ms
        self.found.add(other.found)

    def __str__(self) -> str:
        ready, found = sorted(self.ready_ms) or [0], self.found
        return (
            f"{self.kills} kills, {self.doubtful} with orders in doubt, {self.fresh} with new ones ({self.doubts} "
            f"in all); {self.orders} orders at the venue, {self.fills} executions; lost {len(found.lost)}, doubled "
            f"{len(found.doubled)}, falsely over {len(found.false)}, positions wrong {len(found.money)}; "
            f"{len(ready)} recoveries: p50 {ready[len(ready) // 2]} ms, p99 {ready[len(ready) * 99 // 100]} ms; "
            f"points {dict(sorted(self.points.items()))}"
        )


class Lives:
    """On one journal and one venue, one after the other. `due`: points to die at, the next one first; may be shared."""

    def __init__(self, folder: Path, seed: int, venue: Venue, due: deque[str], wrong: str = "") -> None:
        self.folder, self.venue, self._due, self._wrong = folder, venue, due, wrong
        (folder / "at").mkdir(parents=True)
        self._chance = random.Random(f"kills {seed}")
        self._number = 0
        self._missed: set[str] = set()  # points that a life did not come to
        self._silent: set[str] = set()
        self.figures = Figures()
        self.account = Account(folder / "at" / "journal.db")

    def kill(self) -> None:
        """One more life, and its end: at the next point, while it is busy, or anywhere."""
        chance, number, busy_s, until_s, point, nth = self._chance, self._number, POINT_S, LIFE_S, "", 1
        kind = KINDS[number % len(KINDS)]
        if kind == "point":
            point = self._due.popleft()
            nth = 1 if point in self._missed else chance.randint(1, 2 if point in LOOKING else 4)
        elif kind == "busy":
            busy_s = chance.uniform(*BUSY_S)
        else:
            until_s = chance.uniform(0, EARLY_S)
        plan = Plan(self.folder, self.venue.where, number, point=point, nth=nth, wrong=self._wrong)
        is_hit = self._live(plan, until_s, busy_s) == "killed itself"
        if is_hit:
            self._due.append(point)
        elif point:  # its next life comes to it at the first occasion
            self._missed.add(point)
            self._due.appendleft(point)
        self._count(point if is_hit else kind)

    def _count(self, where: str) -> None:
        self.figures.kills += 1
        self.figures.points[where] += 1
        if self.account.path.exists():
            self.account.read()
        silent = self.account.silent()
        self.figures.doubtful += bool(silent)
        self.figures.fresh += bool(silent - self._silent)
        self.figures.doubts += len(silent - self._silent)
        self._silent = silent

    def _live(self, plan: Plan, until_s: float, busy_s: float, wanted: str = "") -> str:
        """Begins a life, and kills it: so long after its start, or after it was ready; or when it says what is wanted.

        What ended it: `killed itself`, at its point, `killed`, or what was wanted.
        """
        self._number += 1
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=live_there, args=(plan, theirs))
        begun = time.monotonic()
        with _ALONE:
            process.start()
        theirs.close()
        told, why, end = b"", "killed", begun + until_s
        while (left := end - time.monotonic()) > 0:
            if not select.select([ours], [], [], left)[0]:
                break
            more = os.read(ours.fileno(), 4096)
            if not more:
                why = "killed itself"
                break
            if b"ready" in more and not wanted:
                end = min(end, time.monotonic() + busy_s)
            told += more
            if wanted and wanted.encode() in told:
                why = wanted
                break
        process.kill()
        while more := os.read(ours.fileno(), 4096):
            told += more
        with _ALONE:
            process.join()
        log = (self.folder / f"{plan.number:05d}.log").read_text() if b"ended" in told else ""
        assert b"ended" not in told, f"life {plan.number} ended by itself: {told!r}\n{log}"
        code = process.exitcode
        process.close()
        ours.close()
        assert code == -9, f"life {plan.number} ended with {code}"
        self.figures.ready_ms += [int(line.split()[1]) // 10**6 for line in told.splitlines() if line[:5] == b"ready"]
        return why

    def settle(self) -> SessionMemory:
        """A life without trading, until it finds the account equal; what it leaves. To never do is a finding."""
        plan = Plan(self.folder, self.venue.where, self._number, wrong=self._wrong, is_quiet=True)
        why = self._live(plan, FOUND_S, FOUND_S, "equal")
        if why != "equal":
            log = (self.folder / f"{plan.number:05d}.log").read_text()
            self.figures.found.lost.append(f"life {plan.number} never found the account equal:\n{log[-3000:]}")
        self.account.read()
        memory = memory_of(self.account.path)
        assert memory is not None
        return memory

    def end(self) -> Figures:
        """The market stands still; the account is found equal twice; everything is judged."""
        self.venue.ask("freeze")
        memory, again = self.settle(), self.settle()
        assert reader.verify(self.account.path)["verdict"] == "same"
        record = self.venue.ask("record")
        self.figures.orders += len(record["orders"])
        self.figures.fills += sum(len(one["fills"]) for one in record["orders"])
        self.figures.found.add(judge(self.account, record, again))
        if alike(memory) != alike(again):
            self.figures.found.money.append(f"recovered once {alike(memory)}, twice {alike(again)}")
        return self.figures


def alike(memory: SessionMemory) -> dict[str, Any]:
    """What must be the same after one recovery more: all but what a start counts anew."""
    gate = memory.gate
    return {
        "positions": memory.positions, "markets": gate.markets, "algos": gate.algos, "drifts": gate.drifts,
        "causes": gate.causes, "approvals": gate.approvals, "latched": gate.repeat_latched,
        "open": {one.new.client_order_id: one for one in gate.open_orders},
    }  # fmt: skip


def kills(folder: Path, seed: int, count: int, due: deque[str], wrong: str = "") -> Figures:
    """So many lives on one journal and one venue, and what was found."""
    with living(seed) as venue:
        lives = Lives(folder, seed, venue, due, wrong)
        for _ in range(count):
            lives.kill()
        return lives.end()
