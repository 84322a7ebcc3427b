"""A disk that is locked, full, broken or hangs ends all promises, once; and the next session hears of it."""

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import ConfigError
from risk.states import TradingState
from runtime.journal import reader, schema, store
from tests.journal.appender import memory_of
from tests.journal.opened import Opened
from tests.support.bad_disk import failing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize("text", ["database is locked", "database or disk is full", "disk I/O error"])
@pytest.mark.parametrize("at", range(1, 18))
def test_an_error_at_any_statement_ends_the_promises_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, text: str, at: int
) -> None:
    """Locked, full or broken at the n-th statement: told once, in its words; what was promised is there."""
    Opened(path).journal.close()
    connect = failing(sqlite3.OperationalError(text), at)
    monkeypatch.setattr(schema, "connect", lambda where: connect(where, uri=True, isolation_level=None,
                                                                 check_same_thread=False))  # fmt: skip
    opened = Opened(path)
    for n in range(5):
        opened.turn(n, memory_of(n))
        opened.until(lambda wanted=n: wanted in opened.done or opened.failures)  # type: ignore[misc]
    assert len(opened.failures) == 1
    assert text in opened.failures[0]
    assert opened.journal.failed == opened.failures[0] == opened.journal.close()
    monkeypatch.undo()
    again = Opened(path)
    assert again.journal.memory is not None
    assert again.journal.memory.gate.grants == (memory_of(opened.done[-1]).gate.grants if opened.done else ())
    again.journal.close()
    assert [body for kind, body in opened.stored() if kind == "action"] == [b'{"n":%d}' % n for n in opened.done]
    assert reader.verify(path)["verdict"] == "same"


def test_a_hostile_writer_holding_the_lock_is_noticed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another connection holds SQLite's own lock: shorter than the wait is waited for, longer is a failure."""
    monkeypatch.setattr(schema, "BUSY_S", 0.0)
    opened = Opened(path)
    hostile = sqlite3.connect(path, isolation_level=None)
    hostile.execute("BEGIN IMMEDIATE")
    opened.turn(1)
    opened.until(lambda: opened.failures)
    assert "database is locked" in opened.failures[0]
    assert opened.done == []
    hostile.execute("ROLLBACK")
    hostile.close()
    opened.turn(2)  # nothing is taken up again: a person starts anew
    assert opened.journal.close() == opened.failures[0]
    assert opened.stored() == []
    assert len(opened.failures) == 1


def test_a_journal_that_is_locked_at_the_start_is_one_clear_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Opened(path).journal.close()
    monkeypatch.setattr(schema, "BUSY_S", 0.0)
    hostile = sqlite3.connect(path, isolation_level=None)
    hostile.execute("PRAGMA locking_mode = EXCLUSIVE")
    hostile.execute("BEGIN IMMEDIATE")
    with pytest.raises(ConfigError, match="cannot be opened: database is locked") as error:
        Opened(path)
    assert "another program holds its lock" in error.value.mend
    hostile.close()
    Opened(path).journal.close()


def test_a_reader_that_never_ends_is_no_obstacle(path: Path) -> None:
    opened = Opened(path)
    opened.turn(1)
    opened.until(lambda: opened.done)
    hostile = sqlite3.connect(path, isolation_level=None)
    hostile.execute("BEGIN")
    assert hostile.execute("SELECT count(*) FROM log").fetchone() == (1,)
    opened.turn(2)
    opened.until(lambda: len(opened.done) == 2)
    hostile.close()
    assert opened.journal.close() == ""


def test_a_full_disk_ends_the_promises(path: Path) -> None:
    opened = Opened(path)
    opened.journal._writer._connection.execute("PRAGMA max_page_count = 20")
    while not opened.failures:
        opened.turn(len(opened.done), memory_of(1, 500))
        opened.calls.one()
    assert "database or disk is full" in opened.failures[0]
    assert opened.journal.close() == opened.failures[0]
    assert [body for kind, body in opened.stored() if kind == "action"] == [b'{"n":%d}' % n for n in opened.done]


class _Hanging:
    """A connection whose COMMIT returns when the test says so."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.go_on = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *given: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            assert self.go_on.wait(60)
        return self._connection.execute(sql, *given)


def hanging(opened: Opened) -> threading.Event:
    slow = _Hanging(opened.journal._writer._connection)
    opened.journal._writer._connection = slow  # type: ignore[assignment]
    return slow.go_on


def test_a_commit_that_hangs_is_noticed_by_the_loop_itself(path: Path) -> None:
    """By the clock that `check` is given; and what becomes durable afterwards is promised to nobody."""
    opened = Opened(path)
    go_on = hanging(opened)
    opened.turn(1)
    for now_s in (100.0, 100.1, 100.49):
        opened.journal.check(now_s)
        assert opened.failures == []
    opened.journal.check(100.5)
    assert opened.failures == [f"journal {path} cannot be written: a write has not returned for 0.5 s"]
    opened.journal.check(101.0)
    opened.turn(2)
    go_on.set()
    opened.journal.close()
    assert len(opened.failures) == 1
    assert opened.done == []
    assert opened.journal.lost == 2


def test_a_hang_is_counted_from_the_turn_that_waits(path: Path) -> None:
    """Work that goes on is no excuse: the oldest turn counts; one that was written in time is none."""
    opened = Opened(path)
    opened.turn(1)
    opened.until(lambda: opened.done)
    opened.journal.check(7.0)
    go_on = hanging(opened)
    opened.turn(2)
    opened.journal.check(100.0)
    opened.turn(3)
    opened.journal.check(100.3)
    go_on.set()
    opened.until(lambda: len(opened.done) == 3)
    opened.journal.check(200.0)
    assert opened.failures == []
    assert opened.journal.close() == ""


def test_the_oldest_turn_that_waits_decides(path: Path) -> None:
    opened = Opened(path)
    go_on = hanging(opened)
    opened.turn(1)
    opened.journal.check(100.0)
    opened.turn(2)
    opened.journal.check(100.3)
    opened.journal.check(100.5)
    assert len(opened.failures) == 1
    go_on.set()
    opened.journal.close()


def test_who_lost_its_journal_leaves_word_and_the_next_starts_halted(path: Path) -> None:
    """The halt itself could not be written. It stays halted until that is in the journal and a person arms."""
    first = Opened(path)
    first.turn(1, memory_of(1))
    first.until(lambda: first.done)
    first.journal._writer._connection.execute("PRAGMA max_page_count = 1")
    first.turn(2, memory_of(2, 1000))
    first.until(lambda: first.failures)
    first.journal.close()
    for _ in range(2):  # a row alone is not the memory of it
        again = Opened(path)
        memory = again.journal.memory
        assert memory is not None
        assert memory.gate.approvals == 1
        assert memory.gate.causes["all"].state is TradingState.HALTED
        assert memory.gate.causes["all"].what == "journal failure"
        assert "HALTED until a person arms" in again.told[0]
        again.turn(3)
        again.journal.close()
    last = Opened(path)
    assert last.journal.memory == memory
    last.turn(4, memory_of(4))  # armed, say
    last.journal.close()
    calm = Opened(path)
    assert calm.journal.memory == memory_of(4)
    calm.journal.close()


def test_a_failure_in_the_last_write_is_heard_of_too(path: Path) -> None:
    first = Opened(path)
    first.turn(1, memory_of(1))
    first.until(lambda: first.done)
    first.journal._writer._connection.execute("PRAGMA max_page_count = 1")
    first.turn(2, memory_of(2, 1000))
    assert "database or disk is full" in first.journal.close()
    assert first.failures == [first.journal.failed]
    again = Opened(path)
    assert "HALTED until a person arms" in again.told[0]
    again.journal.close()


@pytest.mark.parametrize("said", [b"1\nfailed 77\n", b"1\nfailed x\n", b"1\nfai", b"1\n\xff"])
def test_a_word_that_cannot_be_read_counts(path: Path, said: bytes) -> None:
    path.with_name("journal.db.lock").write_bytes(said)
    opened = Opened(path)
    assert opened.journal.memory is not None
    assert opened.journal.memory.gate.causes["all"].state is TradingState.HALTED
    opened.journal.close()


def test_a_disk_that_hangs_does_not_keep_the_process(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "CLOSE_S", 0.05)
    opened = Opened(path)
    go_on = hanging(opened)
    opened.turn(1)
    assert "did not return" in opened.journal.close()
    with pytest.raises(ConfigError, match="is in use by process"):  # its thread may still write
        Opened(path)
    go_on.set()
    opened.journal._thread.join()
    assert opened.done == []


def test_a_storm_of_denials_is_counted_and_approvals_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound denials are one number; every other row is there."""
    monkeypatch.setattr(store, "SPARE_ROWS", 50)
    opened = Opened(path)
    go_on = hanging(opened)
    for n in range(500):
        opened.turn(n, is_spare=n % 10 != 0)
    dropped = opened.journal.dropped
    assert dropped > 400
    go_on.set()
    opened.until(lambda: len(opened.done) == 500)
    opened.turn(500)
    opened.journal.close()
    bodies = opened.stored()
    assert {b'{"n":%d}' % n for n in range(0, 501, 10)} <= {body for kind, body in bodies if kind == "action"}
    assert ("dropped", b'{"denied":%d}' % dropped) in bodies
    assert len([kind for kind, _ in bodies if kind == "action"]) == 501 - dropped


def test_approvals_that_do_not_fit_are_a_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "ROWS", 50)
    opened = Opened(path)
    go_on = hanging(opened)
    for n in range(100):
        opened.turn(n)
    opened.calls.one()
    assert "rows wait to be written" in opened.failures[0]
    go_on.set()
    opened.journal.close()
    assert len(opened.failures) == 1
    assert opened.done == []
