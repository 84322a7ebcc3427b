"""`gateway journal show`, `verify`, `export`: on a journal in use, and on one that a kill left."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import zstandard
from typer.testing import CliRunner

from connectors.errors import ConfigError
from runtime.cli_journal import register
from runtime.journal import chain, reader
from runtime.journal.chain import Row
from tests.journal.appender import memory_of
from tests.journal.opened import Opened
from tests.support.data import ROOT

MINUTE_NS = 60 * 10**9


def printed(result: dict[str, Any], as_json: bool) -> None:
    typer.echo(json.dumps(result) if as_json else "\n".join(f"{key} {value}" for key, value in result.items()))


app = typer.Typer()
register(app, show=printed)


@app.callback()
def _root() -> None:
    """So that `journal` has a name."""


def gateway(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["journal", *map(str, arguments)], catch_exceptions=True)
    if isinstance(result.exception, ConfigError):
        raise result.exception
    return result.exit_code, result.stdout


def shown(*arguments: object) -> list[dict[str, Any]]:
    status, text = gateway("show", *arguments, "--json")
    assert status == 0
    rows: list[dict[str, Any]] = json.loads(text)["rows"]
    return rows


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """A journal in use, with a few rows a minute apart."""
    made = Opened(tmp_path / "journal.db")
    rows = [
        Row(1 * MINUTE_NS, "session", {"package": "0", "symbols": ["BTC/USD"]}),
        Row(2 * MINUTE_NS, "action", {"n": 1, "verdict": "approved", "client_order_id": "vg-1", "approval": 1}),
        Row(3 * MINUTE_NS, "report", {"client_order_id": "vg-1", "exec_type": "trade", "text": "\x1b[2J vg-11"}),
        Row(4 * MINUTE_NS, "action", {"n": 2, "verdict": "approved", "client_order_id": "vg-11"}),
        Row(5 * MINUTE_NS, "command", {"name": "unsent", "target": "vg-1"}),
    ]
    made.journal.append(rows, memory_of(1), lambda: made.done.append(1), now_ns=6 * MINUTE_NS)
    made.until(lambda: made.done)
    yield made
    made.journal.close()


def test_show_prints_rows_of_a_journal_in_use(opened: Opened) -> None:
    assert [row["seq"] for row in shown(opened.path)] == [1, 2, 3, 4, 5, 6]
    assert [row["kind"] for row in shown(opened.path, "--limit", 2)] == ["command", "state"]
    assert [row["seq"] for row in shown(opened.path, "--kind", "action", "--kind", "report")] == [2, 3, 4]
    assert [row["seq"] for row in shown(opened.path, "--order", "vg-1")] == [2, 3, 5]
    assert [row["seq"] for row in shown(opened.path, "--order", "vg-1", "--limit", 1)] == [5]
    assert [row["seq"] for row in shown(opened.path, "--since", "1970-01-01T00:04")] == [4, 5, 6]
    assert shown(opened.path, "--since", "10m") == []


def test_show_prints_lines_that_steer_no_terminal(opened: Opened) -> None:
    status, text = gateway("show", opened.path)
    assert status == 0
    assert len(text.splitlines()) == 6
    assert "2 1970-01-01T00:02:00.000Z action   n=1 verdict=approved client_order_id=vg-1" in text
    assert "\x1b" not in text


def test_verify_says_the_head_and_finds_it_again(opened: Opened) -> None:
    status, text = gateway("verify", opened.path, "--json")
    result = json.loads(text)
    assert (status, result["verdict"], result["rows"], result["state_seq"]) == (0, "same", 6, 6)
    assert gateway("verify", opened.path, "--head", result["head"])[0] == 0
    assert gateway("verify", opened.path, "--head", "7:" + "00" * 32)[0] == 5


def test_a_difference_ends_with_5_and_names_the_row(opened: Opened) -> None:
    opened.journal.close()
    connection = sqlite3.connect(opened.path, isolation_level=None)
    connection.execute("UPDATE log SET body = '{}' WHERE seq = 3")
    connection.close()
    status, text = gateway("verify", opened.path)
    assert status == 5
    assert "first_bad_seq 3" in text
    assert gateway("export", opened.path, "--out", opened.path.with_name("out.jsonl"))[0] == 5
    assert [row["body"] for row in shown(opened.path)][2] == {}  # shown as it lies there


@pytest.mark.parametrize("name", ["out.jsonl", "out.jsonl.zst"])
def test_an_export_can_be_checked_by_anybody(opened: Opened, name: str) -> None:
    """Header, then every row; the chain follows from the lines alone."""
    out = opened.path.with_name(name)
    assert gateway("export", opened.path, "--out", out)[0] == 0
    content = out.read_bytes()
    if name.endswith("zst"):
        content = zstandard.ZstdDecompressor().stream_reader(content).read()
    header, *lines = content.splitlines()
    named = json.loads(header)
    before = chain.origin(named["id"], named["package"])
    for line in lines:
        row = json.loads(line)
        body = line.partition(b'"body":')[2].rpartition(b',"chain":')[0]
        before = chain.linked(before, row["seq"], row["now_ns"], row["kind"], body)
        assert before.hex() == row["chain"]
    assert len(lines) == 6
    with pytest.raises(ConfigError, match="exists already"):
        gateway("export", opened.path, "--out", out)


def test_a_journal_that_a_kill_left_is_read_and_not_changed(tmp_path: Path) -> None:
    """Its rows lie in the write-ahead log alone: readers find them, and leave every byte as it is."""
    path = tmp_path / "journal.db"
    command = [sys.executable, "-m", "tests.journal.appender", str(path), "process", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(30):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        told = 30 + process.stdout.read().count(b"\n")
    files = {one: one.read_bytes() for one in (path, tmp_path / "journal.db-wal")}
    actions = shown(path, "--kind", "action", "--limit", 0)
    assert len(actions) >= told
    assert json.loads(gateway("verify", path, "--json")[1])["verdict"] == "same"
    assert gateway("export", path, "--out", tmp_path / "out.jsonl")[0] == 0
    assert {one: one.read_bytes() for one in files} == files


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("show", "none.db"), "cannot be read: No such file"),
        (("verify", "none.db"), "cannot be read: No such file"),
        (("export", "none.db", "--out", "x.jsonl"), "cannot be read: No such file"),
        (("show", "JOURNAL", "--kind", "trade"), "'trade' is no kind of row"),
        (("show", "JOURNAL", "--since", "yesterday"), "'yesterday' is no time"),
        (("verify", "JOURNAL", "--head", "3"), "'3' is no head"),
        (("export", "JOURNAL", "--out", "/none/x.jsonl"), "cannot be written: No such file"),
        (("export", "JOURNAL", "--out", "/dev/full"), "exists already"),
        (("show", "README.md"), "no SQLite database"),
    ],
)
def test_a_mistake_is_one_clear_error(opened: Opened, arguments: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        gateway(*(opened.path if one == "JOURNAL" else one for one in arguments))
    assert error.value.mend


def test_times_before_now_and_at() -> None:
    now_ns = 10**18
    assert reader.since("90s", now_ns) == now_ns - 90 * 10**9
    assert reader.since("2d", now_ns) == now_ns - 2 * 86400 * 10**9
    assert reader.since("2001-09-09T01:46:40.000001", 0) == 10**18 + 1000
    assert reader.since("2001-09-09T03:46:40+02:00", 0) == 10**18
    assert reader.moment(10**18 + 7 * 10**6) == "2001-09-09T01:46:40.007Z"
