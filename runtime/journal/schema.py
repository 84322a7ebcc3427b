"""The journal's file: a SQLite database in WAL mode. What it holds, how it is made and opened, which are refused."""

import os
import sqlite3
import stat
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

from connectors.errors import ConfigError
from runtime import __version__
from runtime.journal.chain import FORMAT, origin

Durability = Literal["power", "process"]

APPLICATION_ID: Final = 0x56474A4C  # "VGJL": tells a journal from any other SQLite file
BUSY_S: Final = 0.4  # how long the writer waits for a lock that somebody else holds
# Both survive a kill -9, for the kernel has what was written. FULL syncs the log at each commit: what was acknowledged
# survives a power cut. NORMAL syncs at checkpoints only: a power cut loses the last moments, but the file stays whole,
# which OFF would not promise.
SYNCHRONOUS: Final[dict[Durability, str]] = {"power": "FULL", "process": "NORMAL"}
TABLES: Final = {
    "meta": "CREATE TABLE meta (id TEXT NOT NULL, package TEXT NOT NULL)",
    "log": (
        "CREATE TABLE log (seq INTEGER PRIMARY KEY, now_ns INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL, "
        "chain BLOB NOT NULL)"
    ),
    "state": (
        "CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, sha256 TEXT NOT NULL, "
        "memory TEXT NOT NULL)"
    ),
    "head": (
        "CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, chain BLOB NOT NULL)"
    ),
}  # fmt: skip
UNREADABLE: Final = (sqlite3.Error, UnicodeDecodeError)  # the second: of an error text with the file's own bytes in it
_ANOTHER: Final = "name another file: a new one is made where there is none"
_ONE_OF_OURS: Final = "give the path of a journal that gateway serve wrote"
_MAGIC: Final = b"SQLite format 3\x00"
DAMAGED: Final = "is damaged: "


def connect(where: str) -> sqlite3.Connection:
    """One connection, without Python's own transactions; the journal's writer thread takes it over."""
    return sqlite3.connect(where, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def create(path: Path) -> None:
    """An empty file that only this user may read, unless there is one. Raises OSError."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        return
    if path.stat().st_size == 0:
        path.chmod(0o600)  # made by somebody else, and about to hold what only this user may read


def check_ours(path: Path) -> None:
    """Raises ConfigError for what is there and is no journal, before anything is made beside it."""
    try:
        found = path.stat()
    except OSError:
        return  # nothing is there, or whoever opens it says why not
    _check_file(path, found.st_mode)
    if found.st_size == 0:
        return
    connection = connect(f"{path.resolve().as_uri()}?mode=ro")
    try:
        with path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ConfigError("is no journal: no SQLite database", place=str(path), mend=_ANOTHER)
        if not is_empty(connection):
            _check_kind(connection, path, _ANOTHER)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", place=str(path), mend=_ANOTHER) from None
    except UNREADABLE as error:
        if not _is_unfinished(error):
            raise unreadable(path, error) from None
    finally:
        connection.close()


def _is_unfinished(error: Exception) -> bool:
    """A crash left a transaction that only a writer may take back: what it is, `writable` finds out."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY


def _check_file(path: Path, mode: int) -> None:
    """A folder above all: an empty name is this one."""
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise ConfigError(f"is {what}", place=str(path), mend="name a file, for instance journal.db")


def writable(path: Path, durability: Durability) -> sqlite3.Connection:
    """Opens a journal for its one writer, and makes it where the file is empty. Raises ConfigError, sqlite3.Error."""
    connection = connect(f"{path.resolve().as_uri()}?mode=rw")
    try:
        is_new = is_empty(connection)
        if not is_new:
            check_format(connection, path)
        connection.execute("PRAGMA trusted_schema = OFF")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise ConfigError(  # noqa: TRY301 - whatever happens, the connection is closed
                f"its file system cannot carry SQLite's WAL (it answered {mode})", place=str(path),
                mend="put the journal on a local disk",
            )  # fmt: skip
        connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS[durability]}")
        if durability == "power":
            connection.execute("PRAGMA fullfsync = ON")  # macOS: a plain fsync stops at the drive's cache
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # the writer does it, after its acknowledgements
        if is_new:
            _make(connection)
            _sync_folder(path.resolve().parent)
    except BaseException:
        connection.close()
        raise
    return connection


def readable(path: Path) -> sqlite3.Connection:
    """Opens a journal to read, in use or not, and changes nothing in it. Raises ConfigError."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a journal"
        ) from None
    _check_file(path, mode)
    connection = connect(f"{path.resolve().as_uri()}?mode=ro")
    try:
        check_format(connection, path, _ONE_OF_OURS)
        connection.execute("PRAGMA trusted_schema = OFF")
    except UNREADABLE as error:
        connection.close()
        raise unreadable(path, error, _ONE_OF_OURS) from None
    except BaseException:
        connection.close()
        raise
    return connection


def is_empty(connection: sqlite3.Connection) -> bool:
    """Whether nothing was made in it yet: also what a kill leaves that came before the tables."""
    return bool(
        connection.execute("SELECT count(*) = 0 FROM sqlite_schema").fetchone()[0]
        and connection.execute("PRAGMA application_id").fetchone()[0] == 0
    )


def check_format(connection: sqlite3.Connection, path: Path, mend: str = _ANOTHER) -> None:
    """Raises ConfigError for what is no journal, for one of another format, and for one that was rebuilt."""
    if is_empty(connection):
        raise ConfigError("is empty", place=str(path), mend="give the path of a journal that was written to")
    _check_kind(connection, path, mend)
    if dict(connection.execute("SELECT name, sql FROM sqlite_schema").fetchall()) != TABLES:
        raise damaged(path, "its tables are not those that were made")


def _check_kind(connection: sqlite3.Connection, path: Path, mend: str) -> None:
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise ConfigError("is a SQLite database, but no journal of venuegate", place=str(path), mend=mend)
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found != FORMAT:
        package = ""
        with suppress(sqlite3.Error, TypeError):
            package = str(connection.execute("SELECT package FROM meta").fetchone()[0])
        writer = f"venuegate {package}" if package not in ("", __version__) else "the venuegate that wrote it"
        raise ConfigError(
            f"has format {found}, this version reads {FORMAT}", place=str(path),
            mend=f"use {writer}, or name another file",
        )  # fmt: skip


def origin_of(connection: sqlite3.Connection) -> bytes:
    """What the first row is chained to. Raises sqlite3.Error where `meta` does not say it once."""
    rows = connection.execute("SELECT id, package FROM meta").fetchall()
    if len(rows) != 1:
        raise sqlite3.DatabaseError(f"meta holds {len(rows)} rows")
    return origin(*rows[0])


def damaged(path: Path, problem: str) -> ConfigError:
    """One error for everything that shows that this file is not as it was written."""
    mend = f"gateway journal verify {path} says where; restore a copy (with its -wal file), or name another file"
    return ConfigError(f"{DAMAGED}{problem}", place=str(path), mend=mend)


def unreadable(path: Path, error: Exception, another: str = _ANOTHER) -> ConfigError:
    """SQLite's own word, told as ours."""
    text = str(error)
    if not isinstance(error, sqlite3.Error):
        return damaged(path, "SQLite's own words about it cannot be read")
    if "not a database" in text:
        return ConfigError("is no journal: no SQLite database", place=str(path), mend=another)
    if "malformed" in text or "decode" in text or "corrupt" in text:
        return damaged(path, text)
    mend = "check the disk and who may write there; a reader needs to write beside it (the -shm file)"
    if "locked" in text:
        mend = "another program holds its lock: end that program"
    return ConfigError(f"cannot be opened: {text}", place=str(path), mend=mend)


def _make(connection: sqlite3.Connection) -> None:
    """All in one transaction: a journal is there, or it is not."""
    journal_id = str(uuid.uuid4())
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    for statement in TABLES.values():
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES (?, ?)", (journal_id, __version__))
    connection.execute("INSERT INTO head VALUES (1, 0, ?)", (origin(journal_id, __version__),))
    connection.execute("COMMIT")


def _sync_folder(folder: Path) -> None:
    """The file's name must survive a power cut, too."""
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
