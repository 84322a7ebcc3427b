"""Whoever changes a journal is found out; and what a chain without a secret cannot find, said as a test, too."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from runtime.journal import chain, check, reader, schema
from runtime.journal.chain import Row
from tests.journal.appender import memory_of
from tests.journal.opened import Opened

TURNS = 40


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A journal of some turns, closed: one file."""
    path = tmp_path_factory.mktemp("journal") / "journal.db"
    opened = Opened(path)
    for n in range(1, TURNS + 1):
        opened.turn(n, memory_of(n) if n % 6 == 0 else None)
        opened.until(lambda wanted=n: wanted in opened.done)  # type: ignore[misc] # one transaction each
    assert opened.journal.close() == ""
    assert not path.with_name("journal.db-wal").exists()
    return path


@pytest.fixture
def copy(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path / "copy.db"))


def change(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path, isolation_level=None)
    for one in statements:
        assert connection.execute(one).rowcount != 0, one
    connection.close()


def refusal(path: Path) -> str:
    """What the next session is told, or an empty string: it may start."""
    try:
        Opened(path).journal.close()
    except ConfigError as error:
        return str(error)
    return ""


def found(path: Path) -> tuple[str, int]:
    """What `verify` says; a file that is no journal any more differs as a whole."""
    try:
        result = reader.verify(path)
    except ConfigError as error:
        return ("differs", 0) if "is damaged" in str(error) else (str(error), 0)
    return result["verdict"], result["first_bad_seq"]


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("UPDATE log SET body = '{\"n\":77}' WHERE seq = 9", 9),
        ("UPDATE log SET now_ns = now_ns + 1 WHERE seq = 9", 9),
        ("UPDATE log SET now_ns = 'x' WHERE seq = 9", 9),
        ("UPDATE log SET kind = 'report' WHERE seq = 9", 9),
        ("UPDATE log SET chain = zeroblob(32) WHERE seq = 9", 9),
        ("UPDATE log SET chain = 'x' WHERE seq = 9", 9),
        ("UPDATE log SET body = CAST(X'ff' AS TEXT) WHERE seq = 9", 9),
        ("DELETE FROM log WHERE seq = 9", 9),
        ("DELETE FROM log WHERE seq = 1", 1),
        ("UPDATE log SET seq = 1000 WHERE seq = 9", 9),
        ("UPDATE log SET seq = -1 WHERE seq = 1", 1),
        ("DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)", 46),
        ("DELETE FROM log WHERE seq > 20", 21),
        ("DELETE FROM log", 1),
        ("INSERT INTO log VALUES (47, 50, 'action', '{}', zeroblob(32))", 47),
        ("UPDATE head SET seq = seq - 1", 46),
        ("DELETE FROM head", 0),
        ("UPDATE head SET chain = zeroblob(32)", 47),
        ("UPDATE meta SET id = 'another'", 1),
        ("UPDATE meta SET package = '9'", 1),
        ("UPDATE state SET memory = replace(memory, 'grant 36', 'grant 35')", 42),
        ("UPDATE state SET seq = seq - 1", 42),
        ("UPDATE state SET sha256 = 'x'", 42),
        ("DELETE FROM state", 42),
        ("CREATE TRIGGER t AFTER INSERT ON log BEGIN DELETE FROM state; END", 0),
        ("CREATE TABLE more (id)", 0),
    ],
)
def test_a_changed_row_is_found_and_named(copy: Path, statement: str, seq: int) -> None:
    """Edited, deleted, moved or added, anywhere: `verify` names the first bad row, and no session starts on it."""
    assert reader.verify(copy)["verdict"] == "same"
    change(copy, statement)
    assert found(copy) == ("differs", seq)
    said = refusal(copy)
    assert "is damaged" in said
    assert "gateway journal verify" in said


@pytest.mark.parametrize("table", ["head", "state"])
def test_a_row_under_another_key_is_found(copy: Path, table: str) -> None:
    """The next write would add a second one beside it."""
    change(copy, "PRAGMA ignore_check_constraints = ON", f"UPDATE {table} SET one = 0")  # noqa: S608
    assert found(copy)[0] == "differs"
    assert "is damaged" in refusal(copy)


def test_rows_that_change_places_are_found(copy: Path) -> None:
    change(
        copy, "UPDATE log SET seq = -5 WHERE seq = 5", "UPDATE log SET seq = 5 WHERE seq = 6",
        "UPDATE log SET seq = 6 WHERE seq = -5",
    )  # fmt: skip
    assert reader.verify(copy)["first_bad_seq"] == 5
    assert "is damaged" in refusal(copy)


def test_an_older_state_put_back_is_found(copy: Path) -> None:
    """A loss forgotten, a latch lifted: the row that vouches for the newer state is still there."""
    older = chain.encoded({})
    change(copy, f"UPDATE state SET memory = '{{}}', sha256 = '{chain.digest(older)}', seq = 7")  # noqa: S608
    assert reader.verify(copy)["first_bad_seq"] == 42
    assert "is damaged" in refusal(copy)


def test_opening_looks_at_the_tail_and_verify_at_all(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start does not read years of rows: what lies further back is found by `verify` alone."""
    monkeypatch.setattr(check, "TAIL", 20)
    change(copy, "UPDATE log SET body = '{}' WHERE seq = 9")
    assert refusal(copy) == ""
    assert reader.verify(copy)["first_bad_seq"] == 9


def logical(path: Path) -> object:
    """Everything that a journal says."""
    connection = schema.readable(path)
    try:
        connection.text_factory = bytes
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in schema.TABLES]  # noqa: S608
    finally:
        connection.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte_of_the_file_that_says_something_is_found(
    written: Path, tmp_path: Path, place: float, flip: int
) -> None:
    """A flipped byte is found, or changed nothing that the journal says (free space, SQLite's own counters)."""
    content = bytearray(written.read_bytes())
    at = int(place * len(content))
    content[at] ^= flip
    path = tmp_path / "flipped.db"
    path.write_bytes(content)
    try:
        verdict = reader.verify(path)["verdict"]
    except ConfigError:
        return
    if verdict == "same":
        assert logical(path) == logical(written)


def test_any_byte_of_a_row_is_found(copy: Path) -> None:
    """Every byte of one row's body, kind and chain value, one after the other."""
    content = copy.read_bytes()
    connection = schema.readable(copy)
    row = next(row for row in check.stored(connection, 20))
    connection.close()
    for part in (row.kind.encode() + row.body, row.chain):
        at = content.find(part)
        assert at > 0
        for place in range(at, at + len(part)):
            copy.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            assert reader.verify(copy)["first_bad_seq"] in (20, 0)


# --- what a chain cannot tell ----------------------------------------------------------------------------------------


def forged(path: Path, edit: Callable[[list[Row]], None]) -> None:
    """Everything written anew, by somebody who knows the format: nothing in it is secret."""
    connection = sqlite3.connect(path, isolation_level=None)
    rows = [Row(s.now_ns, s.kind, {"raw": s.body.decode()}) for s in check.stored(connection, 1)]
    edit(rows)
    connection.execute("DELETE FROM log")
    connection.execute("DELETE FROM state")
    last = None
    for last in chain.appended(rows, 0, schema.origin_of(connection)):
        connection.execute("INSERT INTO log VALUES (?, ?, ?, CAST(? AS TEXT), ?)",
                           (last.seq, last.now_ns, last.kind, last.body, last.chain))  # fmt: skip
    assert last is not None
    connection.execute("UPDATE head SET seq = ?, chain = ?", (last.seq, last.chain))
    connection.close()


def test_a_whole_rewrite_is_found_by_a_head_that_was_kept_elsewhere_alone(copy: Path) -> None:
    """The chain holds no secret: against its forger only a head noted elsewhere helps."""
    head = reader.verify(copy)["head"]

    def edit(rows: list[Row]) -> None:
        rows[:] = [row for row in rows if row.kind != "state"][:-1]

    forged(copy, edit)
    assert reader.verify(copy)["verdict"] == "same"
    result = reader.verify(copy, head)
    assert result["verdict"] == "differs"
    assert "rolled back or rewritten" in result["problem"]


def test_an_earlier_copy_put_back_is_found_by_a_head_that_was_kept_elsewhere_alone(
    written: Path, tmp_path: Path
) -> None:
    old = Path(shutil.copy(written, tmp_path / "old.db"))
    now = Path(shutil.copy(written, tmp_path / "now.db"))
    noted = reader.verify(old)["head"]
    opened = Opened(now)
    opened.turn(100, memory_of(100))
    opened.journal.close()
    later = reader.verify(now)["head"]
    assert reader.verify(now, noted)["verdict"] == "same"  # it went on from there
    assert reader.verify(old)["verdict"] == "same"
    assert reader.verify(old, later)["verdict"] == "differs"


@pytest.mark.parametrize("twelfths", range(1, 12))
def test_a_file_cut_short_is_refused(copy: Path, twelfths: int) -> None:
    content = copy.read_bytes()
    copy.write_bytes(content[: len(content) * twelfths // 12])
    assert found(copy)[0] == "differs"
    assert "is damaged" in refusal(copy)
