"""`serve` as its operator meets it: a screen nobody reads, the kill switch, a venue that refuses, a mere recording."""

import fcntl
import io
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from runtime.screen import LINES_QUEUED_MAX, Screen
from tests.runtime.world import gateway, start, told

LIMIT_S = 30.0
LOOPS = """
from runtime.pyalgo import Algo


class Loops(Algo):
    def on_book(self, book, state, features, actions):
        open("looping", "w").close()
        while True:
            pass


ALGO = Loops
"""


def full_pipe() -> tuple[int, int]:
    """A pipe whose next write blocks until somebody reads."""
    read_end, write_end = os.pipe()
    os.write(write_end, b"\n" * fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096))
    return read_end, write_end


def test_a_screen_that_nobody_reads_does_not_hold_up_the_session(tmp_path: Path) -> None:
    """`serve 2>&1 | less`: it used to stand still in a print, deaf to every signal."""
    read_end, write_end = full_pipe()
    tape = tmp_path / "a.tape"
    with start(tmp_path, "--record", "a.tape", stderr=write_end) as process:
        os.close(write_end)
        deadline = time.monotonic() + LIMIT_S
        while not tape.exists() or tape.stat().st_size < 2000:  # more than its head: the loop runs
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        stdout, _ = process.communicate(timeout=LIMIT_S)
    os.close(read_end)
    assert process.returncode == 0
    summary = json.loads(stdout)
    assert (summary["outcome"], summary["open_orders"]) == ("", 0)
    assert told("tape", "verify", tape)["recorded"] == summary["hash"]


def test_lines_beyond_the_queue_are_dropped_and_counted() -> None:
    read_end, write_end = full_pipe()
    with os.fdopen(write_end, "w") as out, os.fdopen(read_end) as reader:
        screen = Screen(out)
        lines: list[str] = []
        reading = threading.Thread(target=lambda: lines.extend(reader))
        with screen.in_background():
            for number in range(3 * LINES_QUEUED_MAX):
                screen.tell(f"line {number}")  # returns, though nobody reads
            reading.start()
        out.close()
        reading.join(LIMIT_S)
    said = [line.strip() for line in lines if line.strip()]
    told_ = [int(line.removeprefix("! line ")) for line in said if line.startswith("! line ")]
    assert told_ == sorted(set(told_)), "in order, each once; what the writer had already taken makes room for more"
    assert told_[: LINES_QUEUED_MAX - 1] == list(range(LINES_QUEUED_MAX - 1))
    assert LINES_QUEUED_MAX <= len(told_) <= 2 * LINES_QUEUED_MAX
    dropped = [int(line.split()[1]) for line in said if line.endswith("lines were dropped: nobody was reading")]
    assert sum(dropped) == 3 * LINES_QUEUED_MAX - len(told_)


def test_a_screen_that_was_read_prints_directly_afterwards() -> None:
    out = io.StringIO()
    screen = Screen(out)
    with screen.in_background():
        screen.tell("one", "info")
    screen.tell("two", "error")
    assert out.getvalue() == "  one\n× two\n"


@pytest.mark.parametrize("is_armed_again", [False, True])
def test_the_kill_switch_of_a_running_session(is_armed_again: bool, tmp_path: Path) -> None:
    """SIGUSR1 halts, SIGUSR2 re-arms; both are inputs like any other, so the tape replays them."""
    with start(tmp_path, "--record", "a.tape") as process:
        assert process.stderr is not None
        assert any("books/s" in line for line in process.stderr)
        process.send_signal(signal.SIGUSR1)
        assert any("HALTED by SIGUSR1" in line for line in process.stderr)
        if is_armed_again:
            process.send_signal(signal.SIGUSR2)
            assert any("armed by SIGUSR2: ACTIVE" in line for line in process.stderr)
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=LIMIT_S)
    summary = json.loads(stdout)
    assert process.returncode == (0 if is_armed_again else 6), stderr
    assert (summary["state"], summary["open_orders"]) == ("ACTIVE" if is_armed_again else "HALTED", 0)
    tape = tmp_path / "a.tape"
    assert told("tape", "verify", tape)["recorded"] == summary["hash"]
    commands = [line for line in told("tape", "show", tape, "--lines", "9999")["lines"] if '"command"' in line]
    given = [(row["name"], row["who"]) for row in map(json.loads, commands)]
    assert given == [
        ("kill", "SIGUSR1"),
        *[("arm", "SIGUSR2")] * is_armed_again,
        ("drain", "shutdown"),
        ("stop", "shutdown"),
    ]
    replayed = gateway("replay", tape, "--json")
    assert replayed.exit_code == process.returncode
    assert "HALTED by SIGUSR1" in replayed.stderr


def test_a_venue_that_refuses_every_symbol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--venues", "kraken", "--sim", "--duration", "1", "--json")
    ended = gateway("serve", *options, "--symbols", "NOPE/USD")
    assert ended.exit_code == 7
    result = json.loads(ended.stdout)
    assert result["outcome"] == "every symbol was refused: Kraken does not list NOPE/USD"
    assert result["refused"] == ["NOPE/USD"]
    one = gateway("serve", *options, "--symbols", "NOPE/USD,BTC/USD")
    assert one.exit_code == 0
    assert (json.loads(one.stdout)["refused"], json.loads(one.stdout)["outcome"]) == (["NOPE/USD"], "")


def test_a_recording_speaks_of_nothing_that_trades(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ended = gateway("record", "a.tape", "--sim", "--duration", "2.5")
    assert ended.exit_code == 0
    assert "books/s" in ended.stderr
    assert not [word for word in ("limits", "position", "PnL", "approved") if word in ended.stderr]
    trading = gateway("serve", "--sim", "--duration", "2.5")
    assert [word for word in ("limits", "position", "PnL", "approved") if word not in trading.stderr] == []


def test_a_second_signal_ends_what_a_python_algo_holds_up(tmp_path: Path) -> None:
    """No fuel stops Python: the first signal asks, the second does not."""
    (tmp_path / "loops.py").write_text(LOOPS)
    with start(tmp_path, "--algo", "loops.py") as process:
        deadline = time.monotonic() + LIMIT_S
        while not (tmp_path / "looping").exists():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.8)  # two within half a second are one
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 128 + signal.SIGTERM
    assert "ended at once, by a second signal" in stderr
