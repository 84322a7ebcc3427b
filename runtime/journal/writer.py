"""The journal's writer: one thread, one connection. Everything that waits becomes one transaction (group commit)."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Final

import msgspec

from runtime.journal.chain import Row, appended, digest
from runtime.memory import SessionMemory

PAGE: Final = 4096
COPY_AFTER: Final = (
    4 << 20
)  # bytes in the write-ahead log, about; then it is copied into the database, if there is time
COPY_AT_MOST: Final = 64 << 20  # … and after so many, time or not
_INSERT: Final = "INSERT INTO log VALUES (?, ?, ?, CAST(? AS TEXT), ?)"


class Append(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one turn leaves: rows, the memory if it changed, and whom to call once both are durable."""

    ticket: int
    rows: list[Row]
    memory: SessionMemory | None
    now_ns: int


class Writer:
    """Runs until it is given None, or until the first error: after that nothing more is written.

    `acknowledge(ticket, rows)`: everything up to that ticket is durable. `fail(text)`: nothing after the last
    acknowledgement is. Both are called in the writer's thread.
    """

    def __init__(
        self, connection: sqlite3.Connection, seq: int, chain: bytes, *,
        acknowledge: Callable[[int, int], None], fail: Callable[[str], None],
    ) -> None:  # fmt: skip
        self.queue: SimpleQueue[Append | None] = SimpleQueue()
        self._connection = connection
        self._seq = seq
        self._chain = chain
        self._uncopied = 0
        self._acknowledge = acknowledge
        self._fail = fail
        self._encode = msgspec.json.Encoder().encode

    def run(self) -> None:
        """The thread's body."""
        try:
            is_going = True
            while is_going:
                batch, is_going = self._batch()
                if batch:
                    self._commit(batch)
                    self._acknowledge(batch[-1].ticket, sum(len(one.rows) + 1 for one in batch))
                self._copy(is_idle=self.queue.empty())
        except (sqlite3.Error, OSError) as error:
            self._fail(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, no record can be promised any more
            self._fail(f"{type(error).__name__}: {error}")
        finally:
            with suppress(sqlite3.Error):
                self._connection.close()

    def _batch(self) -> tuple[list[Append], bool]:
        """Waits for one; then everything that is there. False: it was the last."""
        batch = []
        one = self.queue.get()
        while one is not None:
            batch.append(one)
            try:
                one = self.queue.get_nowait()
            except Empty:
                return batch, True
        return batch, False

    def _commit(self, batch: list[Append]) -> None:
        """One transaction: all rows, and of several memories the newest, with the row that vouches for it."""
        rows = [row for one in batch for row in one.rows]
        newest = next((one for one in reversed(batch) if one.memory is not None), None)
        memory, sha256 = b"", ""
        if newest is not None:
            memory = self._encode(newest.memory)
            sha256 = digest(memory)
            rows.append(Row(newest.now_ns, "state", {"sha256": sha256}))
        if not rows:
            return  # somebody only asked when everything before is durable
        stored = list(appended(rows, self._seq, self._chain))
        last = stored[-1]
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(_INSERT, [(s.seq, s.now_ns, s.kind, s.body, s.chain) for s in stored])
            if newest is not None:
                execute("INSERT OR REPLACE INTO state VALUES (1, ?, ?, CAST(? AS TEXT))", (last.seq, sha256, memory))
            execute("UPDATE head SET seq = ?, chain = ?", (last.seq, last.chain))
            execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                execute("ROLLBACK")
            raise
        self._seq, self._chain = last.seq, last.chain
        self._uncopied += 2 * PAGE + len(memory) + sum(map(len, (s.body for s in stored))) + 64 * len(stored)

    def _copy(self, *, is_idle: bool) -> None:
        """From the write-ahead log into the database: between commits, never between a commit and its word."""
        if self._uncopied >= COPY_AT_MOST or (is_idle and self._uncopied >= COPY_AFTER):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._uncopied = 0
