"""Whether a journal is what was written: chain, sequence, head, the state and the row that vouches for it."""

import sqlite3
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from runtime.journal.chain import LENGTH, Break, Stored, broken, digest
from runtime.journal.schema import UNREADABLE, origin_of

TAIL: Final = 1_000  # rows that are looked at when a journal is opened; `verify` looks at all
_SELECT: Final = (
    "SELECT seq, now_ns, CAST(kind AS BLOB), CAST(body AS BLOB), chain FROM log WHERE seq >= ? ORDER BY seq"
)


class State(msgspec.Struct, frozen=True):
    """The one row of `state`: SessionMemory as JSON, its digest, and the log row that was written with it."""

    seq: int
    sha256: str
    memory: bytes


class Checked(msgspec.Struct, frozen=True):
    """What a check found: how many rows it looked at, the last one, the state, and the first difference if any."""

    rows: int
    seq: int
    chain: bytes
    state: State | None
    first_break: Break | None


def tail(connection: sqlite3.Connection) -> Checked:
    """Head, state, and the chain of the last rows. Raises sqlite3.Error where the file itself is broken."""
    head = _head(connection)
    return _checked(connection, max(head[0] - TAIL, 0) + 1, head)


def whole(connection: sqlite3.Connection) -> Checked:
    """Everything, from the first row on. A file that SQLite cannot read is a difference, too."""
    try:
        connection.execute("BEGIN")  # one moment of a journal that goes on being written
        try:
            words = [row[0] for row in connection.execute("PRAGMA integrity_check(1)")]
            if words != ["ok"]:
                return Checked(0, 0, b"", None, Break(0, f"SQLite's integrity check: {words[0]}"))
            return _checked(connection, 1, _head(connection))
        finally:
            connection.execute("ROLLBACK")
    except UNREADABLE as error:
        return Checked(0, 0, b"", None, Break(0, f"the file is damaged: {error}"))


def stored(connection: sqlite3.Connection, first: int) -> Iterator[Stored]:
    """Rows from `first` on as they lie there. Raises sqlite3.Error, ValueError for one that cannot be read as a row."""
    for seq, now_ns, kind, body, chain in connection.execute(_SELECT, (first,)):
        if type(now_ns) is not int or {type(kind), type(body), type(chain)} != {bytes} or len(chain) != LENGTH:
            raise ValueError(f"row {seq} holds values of the wrong kind")
        yield Stored(seq, now_ns, kind.decode(), body, chain)


def _head(connection: sqlite3.Connection) -> tuple[int, bytes]:
    rows = connection.execute("SELECT one, seq, chain FROM head").fetchall()
    if len(rows) != 1 or rows[0][0] != 1 or type(rows[0][1]) is not int or type(rows[0][2]) is not bytes:
        raise sqlite3.DatabaseError("head is not one row of a number and a chain value")
    return rows[0][1], rows[0][2]


def _checked(connection: sqlite3.Connection, first: int, head: tuple[int, bytes]) -> Checked:
    seq, chain, rows = first - 1, b"", 0
    if seq == 0:
        chain = origin_of(connection)
    else:
        found = connection.execute("SELECT chain FROM log WHERE seq = ?", (seq,)).fetchone()
        chain = found[0] if found is not None and type(found[0]) is bytes else b""
    state: State | None = None
    problem: Break | None = None
    try:
        for row in stored(connection, first):
            if said := broken(row, seq + 1, chain):
                problem = Break(seq + 1, said)
                break
            seq, chain, rows = row.seq, row.chain, rows + 1
    except (ValueError, UnicodeDecodeError) as error:
        problem = Break(seq + 1, str(error))
    if problem is None and (seq, chain) != head:
        problem = Break(min(seq, head[0]) + 1, f"the log ends with row {seq}, its head says {head[0]}")
    if problem is None:
        state, problem = _state(connection, seq)
    return Checked(rows, seq, chain, state, problem)


def _state(connection: sqlite3.Connection, last: int) -> tuple[State | None, Break | None]:
    """The state, if it is the one that the last `state` row of the log vouches for."""
    rows = connection.execute("SELECT one, seq, sha256, CAST(memory AS BLOB) FROM state").fetchall()
    vouched = connection.execute(
        "SELECT seq, CAST(body AS BLOB) FROM log WHERE kind = 'state' ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    if vouched is None:
        return None, Break(last, "there is a state, and no row that vouches for it") if rows else None
    if len(rows) != 1:
        return None, Break(vouched[0], "the state that this row vouches for is not there")
    one, *values = rows[0]
    if one != 1 or [type(value) for value in values] != [int, str, bytes]:
        return None, Break(vouched[0], "the state holds values of the wrong kind")
    state = State(*values)
    said = _sha256(vouched[1])
    if state.seq != vouched[0]:
        return None, Break(vouched[0], f"this row vouches for the state, which belongs to row {state.seq}")
    if not state.sha256 == said == digest(state.memory):
        return None, Break(vouched[0], "the state is not the one that this row vouches for: its digest differs")
    return state, None


def _sha256(body: bytes) -> str:
    try:
        found: Any = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    return str(found.get("sha256", "")) if isinstance(found, dict) else ""
