"""From turns to rows: a watcher of the session (`runtime/session.py`), run after each turn."""

import platform
from collections.abc import Callable
from typing import Any, Final

from connectors.events import ExecReport
from runtime.inputs import ActionRecord, BookSeen, Command, Input
from runtime.journal import rows
from runtime.journal.chain import Row
from runtime.journal.store import Done, Journal
from runtime.session import Session

SECOND_NS: Final = 10**9
DENIALS: Final = 1_000  # a second, in full; those beyond are counted: an algo that loops must not fill the disk


class Watch:
    """Call it after each turn. `seal()` is asked once a turn for whom to call when that turn's rows are durable.

    `who` started the session. The rows of denials beyond DENIALS in one second become one that counts them.
    """

    def __init__(self, journal: Journal, session: Session, *, who: str, now_ns: int,
                 seal: Callable[[], Done | None] = lambda: None) -> None:  # fmt: skip
        self._journal = journal
        self._seal = seal
        self._version = -1  # of the memory: the first turn writes it
        self._second = 0
        self._denials = self._unkept = 0
        journal.append([rows.session_row(session, now_ns, who=who, python=platform.python_version())])

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        engine = session.engine
        found: list[Row] = []
        second = now_ns // SECOND_NS
        if second != self._second:
            self._begin(second, now_ns, found)
        if type(given) is Command:
            found.append(rows.command(given, now_ns))
        if engine.trace or engine.asides:
            self._turn(session, now_ns, found)
        memory = None
        if engine.gate.version != self._version:
            self._version = engine.gate.version
            memory = engine.remember()
        on_durable = self._seal()
        if found or memory is not None or on_durable is not None:
            self._journal.append(found, memory, on_durable, now_ns=now_ns)

    def note(self, kind: str, body: dict[str, Any], now_ns: int) -> None:
        """A row of something that is no turn: a drill and what it measured."""
        self._journal.append([Row(now_ns, kind, body)])

    def end(self, session: Session, now_ns: int, outcome: str = "") -> None:
        """The session's last row: its hash, and why it ended if it ended badly."""
        found: list[Row] = []
        self._begin(self._second, now_ns, found)
        found += [rows.happening(one, now_ns) for one in session.engine.gate.take()]  # pulled while its last turn ran
        found.append(Row(now_ns, "end", {"hash": session.digest.hexdigest(), "outcome": outcome}))
        self._journal.append(found, session.engine.remember(), now_ns=now_ns)

    def _turn(self, session: Session, now_ns: int, found: list[Row]) -> None:
        """Happenings first: a switch explains the denials that follow it in the same turn."""
        books: dict[int, BookSeen] = {}
        for aside in session.engine.asides:
            if type(aside) is BookSeen:
                books[aside.n] = aside
            else:
                found.append(rows.happening(aside, now_ns))  # type: ignore[arg-type]
        for record in session.engine.trace:
            if type(record) is ActionRecord:
                if record.denied is not None:
                    self._denials += 1
                    if self._denials > DENIALS:
                        self._unkept += 1
                        continue
                found.append(rows.action(session, record, books.get(record.n), now_ns))
            elif type(record) is ExecReport:
                found.append(rows.report(session, record, now_ns))

    def _begin(self, second: int, now_ns: int, found: list[Row]) -> None:
        if self._unkept:
            found.append(Row(now_ns, "dropped", {"denied": self._unkept}))
        self._second, self._denials, self._unkept = second, 0, 0
