"""The journal as the loop sees it: `append` costs a microsecond and never blocks; a thread writes (`writer.py`).

The loop's side decides what was promised. After the first error, or when an append has waited for HANG_S, nothing is:
acknowledgements that come later are thrown away, and `on_failure` has been called.
"""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from connectors.errors import ConfigError
from risk.memory import MEMORY_VERSION, Memory
from risk.states import ALL, Cause, TradingState
from risk.switchboard import GATEWAY
from runtime.journal import check, schema
from runtime.journal.chain import Row
from runtime.journal.lock import Lock
from runtime.journal.schema import Durability
from runtime.journal.writer import Append, Writer
from runtime.memory import SessionMemory

HANG_S: Final = 0.5
SPARE_ROWS: Final = 4_000  # rows that may wait before denials are counted instead
ROWS: Final = 50_000  # rows that may wait at all
CLOSE_S: Final = 2.0
Done = Callable[[], None]


class Journal:
    """One open journal. Made by `open`; everything but the writer's thread belongs to the loop.

    `memory`: what the session before left; halted, where it lost its journal. `seq`, `chain`: the head as found at
    open. `failed`: why nothing is promised any more, or "". `lost`: turns whose record is not known to be durable,
    `dropped`: denials counted instead of kept.
    """

    def __init__(
        self, path: Path, lock: Lock, connection: sqlite3.Connection, found: check.Checked,
        memory: SessionMemory | None, *, soon: Callable[[Done], object], on_failure: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.path = path
        self.memory = memory
        self.seq, self.chain = found.seq, found.chain
        self.failed = ""
        self.dropped = self.lost = 0
        self.soon = soon
        self._on_failure = on_failure
        self._lock = lock
        self._writer = Writer(connection, found.seq, found.chain, acknowledge=self._acknowledge, fail=self._fail)
        self._thread = threading.Thread(target=self._writer.run, name="journal", daemon=True)
        self._asked = self._rows_asked = 0
        self._done = self._rows_done = 0  # written by the writer's thread alone
        self._error = ""  # the same
        self._waiting: deque[tuple[int, Done]] = deque()
        self._marks: deque[tuple[int, float]] = deque()  # ticket, and when `check` first saw it wait
        self._dropped_told = 0
        self._remembered = 0  # the first turn of this session that has a memory
        self._is_closed = self._is_told = False
        self._thread.start()

    @classmethod
    def open(
        cls, path: Path, durability: Durability, *, tell: Callable[[str, str], None],
        on_failure: Callable[[str], None], soon: Callable[[Done], object],
    ) -> "Journal":  # fmt: skip
        """Opens or makes it, checks its tail and state, takes its lock. Raises ConfigError.

        `soon(call)`: has the loop call it soon, and may be used from any thread (`loop.call_soon_threadsafe`).
        `on_failure(text)`: called by the loop, once, outside of a turn. `tell(text, level)`: for people.
        """
        lock = Lock.take(path)
        try:
            connection = _opened(path, durability)
            try:
                found, memory = _sound(path, connection)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            lock.release()
            raise
        if lock.failed_ns:
            tell(
                f"journal {path}: the session before could not write it any more: HALTED until a person arms", "warning"
            )
            memory = _halted(memory, lock.failed_ns)
        said = "survives a power cut" if durability == "power" else "survives kill -9, not a power cut"
        tell(f"journal {path}: {found.seq} rows, durability {durability} ({said})", "info")
        return cls(path, lock, connection, found, memory, soon=soon, on_failure=on_failure)

    # --- the loop's side -------------------------------------------------------------------------------------------

    def append(
        self, rows: Sequence[Row], memory: SessionMemory | None = None, on_durable: Done | None = None, *,
        now_ns: int = 0,
    ) -> None:  # fmt: skip
        """Has these rows, and the memory of the turn at `now_ns`, written. Never blocks, never raises.

        `on_durable` is called by the loop when they and all before are durable; never, if they do not become so.
        Without rows it is called when all before are.
        """
        if self.failed or self._error or self._is_closed:
            self.lost += 1
            return
        waiting = self._rows_asked - self._rows_done
        kept = list(rows)
        if waiting + len(kept) > SPARE_ROWS:
            kept = [row for row in rows if not row.is_spare]
            self.dropped += len(rows) - len(kept)
        elif self._dropped_told != self.dropped and kept:
            kept.insert(0, Row(kept[0].now_ns, "dropped", {"denied": self.dropped - self._dropped_told}))
            self._dropped_told = self.dropped
        if waiting + len(kept) > ROWS:
            self.lost += 1
            self._fail(f"{waiting} rows wait to be written")
            return
        self._asked += 1
        self._rows_asked += len(kept) + 1  # one for the turn: of memories, too, not many may wait
        if memory is not None and not self._remembered:
            self._remembered = self._asked
        if on_durable is not None:
            self._waiting.append((self._asked, on_durable))
        self._writer.queue.put(Append(self._asked, kept, memory, now_ns))

    def check(self, now_s: float) -> None:
        """To be called every 0.1 s or so with a monotonic time: notices a writer that hangs, and tells what it told."""
        if self._done < self._asked and not (self._marks and self._marks[-1][0] == self._asked):
            self._marks.append((self._asked, now_s))
        while self._marks and self._marks[0][0] <= self._done:
            self._marks.popleft()
        if self._marks and now_s - self._marks[0][1] >= HANG_S and not self._error:
            self._error = f"a write has not returned for {HANG_S:g} s"
        self._deliver()

    @property
    def waiting(self) -> int:
        """Appends that are not known to be durable."""
        return self._asked - self._done

    def close(self) -> str:
        """Writes what waits, ends the thread, frees the lock. The text of what went wrong, or an empty string.

        Waits for CLOSE_S at most: a disk that hangs does not keep the process.
        """
        if not self._is_closed:
            self._is_closed = True
            self._writer.queue.put(None)
            self._thread.join(CLOSE_S)
            is_hanging = self._thread.is_alive()
            if is_hanging:
                self._error = self._error or f"a write did not return within {CLOSE_S:g} s"
            self._deliver()
            if not is_hanging:
                self._lock.release()  # a thread that still writes keeps it, so that nobody writes beside it
        return self.failed

    def _deliver(self) -> None:
        """What the writer's thread said, carried out by the loop: in order, and nothing after a failure."""
        error, done = self._error, self._done  # in this order: what was done before the error still counts
        while self._waiting and self._waiting[0][0] <= done:
            self._waiting.popleft()[1]()
        if error and not self._is_told:
            self._is_told = True
            self.failed = f"journal {self.path} cannot be written: {error}"
            self.lost += self._asked - self._done
            self._waiting.clear()
            self._marks.clear()
            self._lock.say_failed()
            self._on_failure(self.failed)

    # --- the writer's thread ---------------------------------------------------------------------------------------

    def _acknowledge(self, ticket: int, rows: int) -> None:
        self._rows_done += rows
        self._done = ticket
        if 0 < self._remembered <= ticket:
            self._lock.heard()
        self._wake()

    def _fail(self, text: str) -> None:
        self._error = self._error or text
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the loop has ended: `close` delivers what is left
            self.soon(self._deliver)


def _opened(path: Path, durability: Durability) -> sqlite3.Connection:
    try:
        schema.create(path)
        return schema.writable(path, durability)
    except OSError as error:
        raise ConfigError(
            f"cannot be made: {error.strerror}", place=str(path), mend="name a file in a folder that may be written"
        ) from None
    except schema.UNREADABLE as error:
        raise schema.unreadable(path, error) from None


def _sound(path: Path, connection: sqlite3.Connection) -> tuple[check.Checked, SessionMemory | None]:
    """What its tail holds. Raises ConfigError for a journal that is not what was written."""
    try:
        found = check.tail(connection)
    except schema.UNREADABLE as error:
        raise schema.damaged(path, str(error)) from None
    if found.first_break is not None:
        raise schema.damaged(path, f"row {found.first_break.seq}: {found.first_break.problem}")
    return found, _memory(path, found.state)


def _memory(path: Path, state: check.State | None) -> SessionMemory | None:
    """Raises ConfigError for one that another version of the program wrote: guessing at limits is no start."""
    if state is None:
        return None
    mend = "start it with the version that wrote it (its last session row says which)"
    try:
        memory = msgspec.json.decode(state.memory, type=SessionMemory)
    except (msgspec.MsgspecError, ConfigError) as error:
        raise ConfigError(f"holds a state that cannot be read: {error}", place=str(path), mend=mend) from None
    if memory.gate.version != MEMORY_VERSION:
        problem = f"holds a state of version {memory.gate.version}, this version reads {MEMORY_VERSION}"
        raise ConfigError(problem, place=str(path), mend=mend)
    return memory


def _halted(memory: SessionMemory | None, since_ns: int) -> SessionMemory:
    """What the session before could not write: that it was halted, at the least."""
    memory = memory or SessionMemory(Memory())
    causes = dict(memory.gate.causes)
    if ALL not in causes or causes[ALL].state is not TradingState.HALTED:
        causes[ALL] = Cause(TradingState.HALTED, "journal failure", GATEWAY, since_ns)
    return msgspec.structs.replace(memory, gate=msgspec.structs.replace(memory.gate, causes=causes))
