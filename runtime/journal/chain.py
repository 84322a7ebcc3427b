"""Rows of the journal, and the chain that ties each one to all before it. No file is touched here.

`chain` of a row = SHA-256(chain of the row before ‖ seq LF now_ns LF kind LF body), numbers in decimal; of the first
row, the journal's origin stands for the row before. Nothing in it is secret: whoever has the file can check it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

FORMAT: Final = 1
LENGTH: Final = 32  # bytes of a chain value
_encode = msgspec.json.Encoder().encode


class Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One happening for the journal. `body` becomes JSON and is nobody else's afterwards.

    `is_spare`: counted instead of kept where there are too many of them (denials; never approvals or reports).
    """

    now_ns: int
    kind: str
    body: dict[str, Any]
    is_spare: bool = False


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One row as it lies in the file; `body` is the JSON, byte for byte."""

    seq: int
    now_ns: int
    kind: str
    body: bytes
    chain: bytes


class Break(msgspec.Struct, frozen=True):
    """Where a journal is not what was written: the first row that shows it (0: none of them), and what was seen."""

    seq: int
    problem: str


def origin(journal_id: str, package: str) -> bytes:
    """What the first row is chained to."""
    return hashlib.sha256(f"venuegate journal {FORMAT}\n{journal_id}\n{package}\n".encode()).digest()


def linked(before: bytes, seq: int, now_ns: int, kind: str, body: bytes) -> bytes:
    """The chain value of a row. No kind holds a line feed, so that no two rows read alike."""
    return hashlib.sha256(before + f"{seq}\n{now_ns}\n{kind}\n".encode() + body).digest()


def encoded(body: dict[str, Any]) -> bytes:
    return _encode(body)


def appended(rows: Iterable[Row], seq: int, before: bytes) -> Iterator[Stored]:
    """`rows` as they are stored after row `seq`, whose chain value is `before`."""
    for row in rows:
        seq += 1
        body = encoded(row.body)
        before = linked(before, seq, row.now_ns, row.kind, body)
        yield Stored(seq, row.now_ns, row.kind, body, before)


def broken(row: Stored, seq: int, before: bytes) -> str:
    """What is wrong with a row that should be number `seq` and follow `before`, or an empty string."""
    if row.seq != seq:
        return f"row {row.seq} stands where {seq} should"
    if linked(before, row.seq, row.now_ns, row.kind, row.body) != row.chain:
        return "is not what was written: its chain value differs"
    return ""


def digest(data: bytes) -> str:
    """SHA-256 as people compare it."""
    return hashlib.sha256(data).hexdigest()
