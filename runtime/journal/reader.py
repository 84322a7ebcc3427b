"""What people ask of a journal: show some rows, check all of them, write them out. Changes nothing in it."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import zstandard

from connectors.errors import ConfigError
from runtime.journal import check, schema
from runtime.journal.chain import FORMAT, Stored, broken

_AGO: Final = re.compile(r"(\d{1,9})([smhd])")
_HEAD: Final = re.compile(r"([1-9]\d{0,18}):([0-9a-fA-F]{64})")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_ORDER_KEYS: Final = ("client_order_id", "target")
_encode = msgspec.json.Encoder().encode


def show(path: Path, *, kinds: Sequence[str], order: str, since_ns: int, limit: int) -> list[dict[str, Any]]:
    """The last `limit` rows (0: all) of these kinds, about this order, not older than that. Raises ConfigError."""
    where = ["now_ns >= ?"]
    if kinds:
        where.append(f"kind IN ({', '.join('?' * len(kinds))})")
    if order:
        where.append("instr(body, ?) > 0")  # a first sieve: what it lets through is read
    values: list[Any] = [since_ns, *kinds, *([_encode(order).decode().strip('"')] if order else [])]
    sql = (
        "SELECT seq, now_ns, CAST(kind AS BLOB), CAST(body AS BLOB), chain FROM log "  # noqa: S608 - only marks in it
        f"WHERE {' AND '.join(where)} ORDER BY seq DESC"
    )
    found: list[dict[str, Any]] = []
    with closing(schema.readable(path)) as connection:
        try:
            for seq, now_ns, kind, body, _ in connection.execute(sql, values):
                row = {"seq": seq, "now_ns": now_ns, "kind": kind.decode(), "body": msgspec.json.decode(body)}
                if not order or any(row["body"].get(key) == order for key in _ORDER_KEYS):
                    found.append(row)
                    if len(found) == limit:
                        break
        except (sqlite3.Error, ValueError, AttributeError) as error:
            raise schema.damaged(path, str(error)) from None
    return found[::-1]


def verify(path: Path, head: str = "") -> dict[str, Any]:
    """The whole chain, the sequence, the head and the state. `head`: `seq:chain` noted earlier, to be found again."""
    at, chain = _head(head)
    try:
        opened = schema.readable(path)
    except ConfigError as error:
        if not error.problem.startswith(schema.DAMAGED):
            raise
        # an added table, say: a difference like any other
        return {
            "verdict": "differs", "first_bad_seq": 0, "problem": error.problem, "rows": 0, "head": "", "state_seq": 0,
        }  # fmt: skip
    with closing(opened) as connection:
        found = check.whole(connection)
        problem, seq = "", 0
        if found.first_break is not None:
            problem, seq = found.first_break.problem, found.first_break.seq
        elif at and not _holds(connection, at, chain):
            problem, seq = f"row {at} is not the one that was noted as the head: rolled back or rewritten", at
    return {
        "verdict": "differs" if problem else "same",
        "first_bad_seq": seq,
        "problem": problem,
        "rows": found.rows,
        "head": f"{found.seq}:{found.chain.hex()}",
        "state_seq": found.state.seq if found.state is not None else 0,
    }


def export(path: Path, out: Path) -> dict[str, Any]:
    """All rows as JSON lines, compressed where the name ends in .zst; the chain is checked on the way."""
    with closing(schema.readable(path)) as connection:
        try:
            with ExitStack() as stack:
                file: Any = stack.enter_context(out.open("xb"))
                if out.suffix == ".zst":
                    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
                    file = stack.enter_context(compressor.stream_writer(file))
                return _written(connection, file)
        except FileExistsError:
            raise ConfigError("exists already", place=str(out), mend="name another file") from None
        except OSError as error:
            raise ConfigError(
                f"cannot be written: {error.strerror}", place=str(out), mend="make room or name another file"
            ) from None
        except (sqlite3.Error, ValueError) as error:
            raise schema.damaged(path, str(error)) from None


def _written(connection: sqlite3.Connection, file: Any) -> dict[str, Any]:
    journal_id, package = connection.execute("SELECT id, package FROM meta").fetchone()
    file.write(_encode({"venuegate_journal": FORMAT, "id": journal_id, "package": package}) + b"\n")
    chain, seq, first_bad, problem = schema.origin_of(connection), 0, 0, ""
    for row in check.stored(connection, 1):
        seq += 1
        if not problem and (problem := broken(row, seq, chain)):
            first_bad = seq
        file.write(_line(row))
        chain = row.chain
    return {"verdict": "differs" if problem else "same", "first_bad_seq": first_bad, "problem": problem, "rows": seq}


def since(text: str, now_ns: int) -> int:
    """`10m`, `2h`, `1d`, `30s` before now, or an ISO 8601 time (UTC where it names no zone). Raises ConfigError."""
    if (ago := _AGO.fullmatch(text)) is not None:
        return max(now_ns - int(ago[1]) * _SECONDS[ago[2]] * 10**9, 0)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{text!r} is no time", place="--since", mend="write 10m, 2h, 1d, or 2026-01-31T08:00:00"
        ) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    whole = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return max(((whole.days * 86400 + whole.seconds) * 10**6 + whole.microseconds) * 1000, 0)


def moment(now_ns: int) -> str:
    """UTC, to the millisecond, for people."""
    try:
        at = datetime.fromtimestamp(now_ns // 10**9, UTC)
    except (OverflowError, ValueError, OSError):
        return str(now_ns)  # a simulated clock, or a damaged row
    return f"{at:%Y-%m-%dT%H:%M:%S}.{now_ns // 10**6 % 1000:03d}Z"


def _line(row: Stored) -> bytes:
    """The body goes in byte for byte: the chain is over it."""
    try:
        msgspec.json.decode(row.body)
        body: Any = msgspec.Raw(row.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        body = row.body.decode(errors="replace")
    line = {"seq": row.seq, "now_ns": row.now_ns, "kind": row.kind, "body": body, "chain": row.chain.hex()}
    return _encode(line) + b"\n"


def _head(text: str) -> tuple[int, bytes]:
    if not text:
        return 0, b""
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ConfigError(f"{text!r} is no head", place="--head", mend="give what verify printed earlier: SEQ:CHAIN")
    return int(found[1]), bytes.fromhex(found[2])


def _holds(connection: sqlite3.Connection, seq: int, chain: bytes) -> bool:
    found = connection.execute("SELECT chain FROM log WHERE seq = ?", (seq,)).fetchone()
    return found is not None and found[0] == chain


def lines(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One line a row: number, time, kind, and what its body says."""
    for row in rows:
        said = " ".join(f"{key}={_short(value)}" for key, value in row["body"].items() if value not in ("", [], {}))
        yield f"{row['seq']:>8} {moment(row['now_ns'])} {row['kind']:<8} {said}"


def _short(value: Any) -> str:
    return value if isinstance(value, str) and " " not in value else _encode(value).decode()
