"""The journal on the loop's side: what is promised when, what is found again, which files are refused."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.errors import ConfigError
from risk.memory import Held, Memory
from runtime.journal import reader
from runtime.journal.schema import Durability
from runtime.memory import SessionMemory
from tests.journal.appender import memory_of
from tests.journal.opened import Opened
from tests.support.data import ROOT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


@pytest.mark.parametrize("durability", ["power", "process"])
def test_what_was_appended_is_there_at_the_next_start(path: Path, durability: Durability) -> None:
    """Rows in order, the last memory, the chain; a journal without a memory has none."""
    first = Opened(path, durability)
    assert first.journal.memory is None
    for n in range(50):
        first.turn(n, memory_of(n) if n % 7 == 0 else None)
    assert first.journal.close() == ""
    assert first.done == list(range(50))
    again = Opened(path, durability)
    assert again.journal.memory == memory_of(49)
    assert again.journal.close() == ""
    assert [body for kind, body in first.stored() if kind == "action"] == [b'{"n":%d}' % n for n in range(50)]
    assert reader.verify(path)["verdict"] == "same"
    assert durability in first.told[0]


def test_what_is_in_a_memory_comes_back_to_the_last_bit(path: Path) -> None:
    """Amounts beyond 64 bits, too."""
    memory = SessionMemory(Memory(day_end_ns=2**63, markets={"a": Held(1, 2**80, -(2**90))}))
    first = Opened(path)
    first.journal.append([], memory, now_ns=1)
    first.journal.close()
    again = Opened(path)
    assert again.journal.memory == memory
    again.journal.close()


def test_an_append_without_rows_is_promised_after_all_before_it(path: Path) -> None:
    opened = Opened(path)
    opened.turn(1)
    opened.journal.append([], None, lambda: opened.done.append(-1))
    opened.until(lambda: -1 in opened.done)
    assert opened.done == [1, -1]
    assert opened.journal.waiting == 0
    opened.journal.close()
    assert len(opened.stored()) == 1


def test_only_its_user_may_read_it(path: Path) -> None:
    opened = Opened(path)
    opened.turn(1)
    opened.until(lambda: opened.done)
    for one in path.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600, one
    opened.journal.close()


def test_a_second_process_is_refused_by_name_of_the_first(path: Path) -> None:
    """And may have it once the first has ended."""
    opened = Opened(path)
    code = (
        "import sys; from pathlib import Path; from runtime.journal.store import Journal\n"
        "from connectors.errors import ConfigError\n"
        "try: Journal.open(Path(sys.argv[1]), 'process', tell=print, on_failure=print, soon=print).close()\n"
        "except ConfigError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert f"is in use by process {os.getpid()}" in said
    assert "mend:" in said
    opened.journal.close()
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "in use" not in said


@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_second_name_of_a_journal_has_the_same_lock(what: str, path: Path) -> None:
    folder = path.parent / "real"
    folder.mkdir()
    path = folder / path.name
    opened = Opened(path)
    other = folder.parent / "other"
    other.symlink_to(path if what == "file" else folder)
    with pytest.raises(ConfigError, match="is in use by process"):
        Opened(other if what == "file" else other / path.name)
    opened.journal.close()


def not_sqlite(path: Path) -> str:
    path.write_bytes(b"limits = 3\n" * 200)
    return "no SQLite database"


def other_database(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE trades (id)")
    connection.close()
    return "no journal of venuegate"


def other_format(path: Path) -> str:
    Opened(path).journal.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 7")
    connection.close()
    return "has format 7, this version reads 1"


def other_memory(path: Path) -> str:
    opened = Opened(path)
    opened.journal.append([], SessionMemory(Memory(version=99)), now_ns=1)
    opened.journal.close()
    return "holds a state of version 99"


def a_folder(path: Path) -> str:
    path.mkdir()
    return "is a folder"


@pytest.mark.parametrize("made", [not_sqlite, other_database, other_format, other_memory, a_folder])
def test_what_is_no_journal_of_ours_is_refused_and_left_alone(path: Path, made: Callable[[Path], str]) -> None:
    problem = made(path)
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(ConfigError, match=problem) as error:
        Opened(path)
    assert error.value.place == str(path)
    assert error.value.mend
    assert (path.read_bytes() if path.is_file() else b"") == before
    if made in (not_sqlite, other_database, a_folder):
        assert [one.name for one in path.parent.iterdir()] == [path.name]  # no lock beside what is another's


def test_an_empty_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    path.touch(0o644)
    Opened(path).journal.close()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_is_not_there_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file or directory"):
        Opened(tmp_path / "none" / "journal.db")
