"""A session of several venues for a while, as a process of its own over loopback sockets; and what its tape says.

The tape is replayed with a watcher that sees every book after every turn and makes each NBBO anew from the books.
"""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from struct import Struct
from typing import Any, Final

from connectors.book import L2Book
from connectors.registry import load
from runtime.deploy import guests_of_tape, spec_of_tape
from runtime.engine import Engine
from runtime.inputs import Input
from runtime.replay import replay
from runtime.session import Session
from runtime.tape import TapeReader
from runtime.view import SymbolView
from tests.runtime.world import GATEWAY, ROOT

SERVE_S: Final = int(os.environ.get("VENUEGATE_SERVE_S", "60" if os.environ.get("CI") else "20"))
GROWTH_KB: Final = 48 * 1024  # of resident memory, from a third of the time on
LATE_S: Final = 60
# the crate's NbboSnapshot begins with these: best bid and ask, their sizes, the slots they are from, how many slots
NBBO: Final = Struct("<4Q3B")
LEVEL: Final = Struct("<QQ")
Sides = tuple[list[tuple[int, int]], list[tuple[int, int]]]


class Memory:
    """What a process holds, each time it says how it is."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._status = Path(f"/proc/{process.pid}/status")
        self.kb: list[int] = []

    def look(self) -> None:
        line = next(line for line in self._status.read_text().splitlines() if line.startswith("VmRSS:"))
        self.kb.append(int(line.split()[1]))


def served(folder: Path, *options: str) -> tuple[dict[str, Any], list[str], Memory]:
    """(the summary, what it said while it ran, memory); its tape is `a.tape` there."""
    command = [
        *GATEWAY, "serve", "--sim", "--json", "--duration", str(SERVE_S), "--record", "a.tape", *options,
    ]  # fmt: skip
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    with subprocess.Popen(
        command, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            memory, lines = Memory(process), []
            assert process.stderr is not None
            for line in process.stderr:
                lines.append(line.rstrip("\n"))
                if "books/s" in line:
                    memory.look()
            stdout, _ = process.communicate(timeout=LATE_S)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == 0, lines[-20:]
    summary: dict[str, Any] = json.loads(stdout)
    return summary, lines, memory


class Watch:
    """Sees every turn of a replay: books, pools, the NBBO of every guest against one made anew."""

    def __init__(self) -> None:
        """`done`: books seen, NBBOs compared, and of them those to which every venue gave both sides."""
        self.done: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.why: Counter[str] = Counter()
        self.slots: set[int] = set()  # venues that were best
        self._was_valid: list[bool] = []
        self._told: dict[tuple[int, int], int] = {}

    def __call__(self, session: Session, _given: Input, now_ns: int) -> None:
        engine = session.engine
        self._was_valid = self._was_valid or [False] * len(engine.books)
        for index in engine.touched:
            check_book(engine.books[index])
            self.done["books"] += 1
        for index, book in enumerate(engine.books):
            if self._was_valid[index] and not book.valid:
                assert book.reason
                self.lost[engine.names[index]] += 1
                self.why[book.reason] += 1
            self._was_valid[index] = book.valid
        for algo in engine.algos:
            for view in algo.views:
                if view.nbbo is not None and view.nbbo.sequence != self._told.get((algo.index, view.symbol_id), 0):
                    self._told[algo.index, view.symbol_id] = view.nbbo.sequence
                    self._nbbo(engine, view, now_ns)

    def _nbbo(self, engine: Engine, view: SymbolView, now_ns: int) -> None:
        """Best of those venues whose book is valid and whose link was heard of lately, the first of equals; and the
        sum of their best twenty levels."""
        own = next(port for port in engine.ports.values() if view.own in port.indices)
        symbol = engine.spec.symbols[view.own - own.first]
        ports = sorted(engine.ports.values(), key=lambda port: port.venue_id)
        oldest_ns = now_ns - engine.spec.limits.account.max_book_age_ns  # type: ignore[union-attr]
        books: list[Sides] = []
        for port in ports:
            found = engine.books[engine.names.index(f"{port.name}:{symbol}")]
            is_fresh = found.valid and port.link.last_ns >= max(oldest_ns, 0)
            books.append(([*found.bids[:20]], [*found.asks[:20]]) if is_fresh else ([], []))
        bids = [(bids[0][0], -slot, bids[0][1]) for slot, (bids, _) in enumerate(books) if bids]
        asks = [(asks[0][0], slot, asks[0][1]) for slot, (_, asks) in enumerate(books) if asks]
        bid, ask = max(bids, default=(0, 0, 0)), min(asks, default=(0, 0, 0))
        assert view.nbbo is not None
        said = NBBO.unpack_from(view.nbbo.snapshot)
        assert said == (bid[0], ask[0], bid[2], ask[2], -bid[1], ask[1], len(ports))
        for at, sign, place in ((0, -1, 0), (320, 1, 1)):
            total: Counter[int] = Counter()
            for book in books:
                for px, size in book[place]:
                    total[px] += size
            merged = sorted(total.items(), key=lambda level: sign * level[0])[:20]
            shown = [LEVEL.unpack_from(view.nbbo.books, at + 16 * row) for row in range(20)]
            assert shown == merged + [(0, 0)] * (20 - len(merged))
        self.done["nbbo"] += 1
        self.done["of all"] += len(bids) == len(asks) == len(ports)
        self.slots |= {-bid[1], ask[1]}


def check_book(book: L2Book) -> None:
    """Sorted, sized, not crossed."""
    bids, asks = [px for px, _ in book.bids], [px for px, _ in book.asks]
    assert book.valid
    assert bids == sorted(set(bids), reverse=True)
    assert asks == sorted(set(asks))
    assert all(px > 0 and size > 0 for px, size in (*book.bids, *book.asks))
    assert not (bids and asks) or bids[0] < asks[0]


def watched(path: Path) -> tuple[Session, Watch]:
    """The session as its tape replays it."""
    tape = TapeReader(path)
    assert tape.header is not None
    guests = guests_of_tape(tape.header, None, str(path))
    session, watch = Session(spec_of_tape(tape.header, guests, None, load)), Watch()
    session.watchers.append(watch)
    replay(session, tape)
    return session, watch


def grew_kb(memory: Memory) -> int:
    """From a third of the time on."""
    return max(memory.kb) - memory.kb[len(memory.kb) // 3]


def mids(summary: dict[str, Any], symbol: str) -> dict[str, int]:
    """By market, of every book of a symbol that is shown in the end."""
    return {
        name: (book["bids"][0][0] + book["asks"][0][0]) // 2
        for name, book in summary["books"].items()
        if name.partition(":")[2].partition("@")[0] == symbol and book["valid"] and book["bids"] and book["asks"]
    }
