"""Nonces that only rise and ids that are never used twice, whatever clock, crash or second process comes."""

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from runtime.keylock import TAG_EPOCH_S, KeyLock, unique_tag
from runtime.state import StateFile, state_folder
from tests.support.data import ROOT

KEY = "some-key-of-ours"
T0 = 1_790_000_000_000_000_000
HOUR_NS = 3_600 * 10**9
NAME = hashlib.sha256(KEY.encode()).hexdigest()[:32]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


async def test_100_tasks_of_1000_calls_a_clock_stepped_back_and_a_restart(tmp_path: Path) -> None:
    """krakenex#21: one nonce that does not rise is a refusal, and many of them a lock-out."""
    clock = [T0]
    nonces: list[int] = []

    def now() -> int:
        clock[0] += len(nonces) % 2
        return clock[0]

    lock = KeyLock.take(KEY, tmp_path, now)

    async def ask() -> None:
        for call in range(1_000):
            nonces.append(lock.next())
            if call % 100 == 0:
                await asyncio.sleep(0)

    for _ in range(2):
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(ask())
        lock.release()
        clock[0] -= HOUR_NS
        lock = KeyLock.take(KEY, tmp_path, now)
    nonces.append(lock.next())
    lock.release()
    assert len(nonces) == 100_001
    assert all(before < after for before, after in pairwise(nonces))
    assert nonces[0] >= T0 and nonces[-1] < T0 + HOUR_NS  # nanoseconds, all of them


HOLD = "import sys; from runtime.keylock import KeyLock; l = KeyLock.take(sys.argv[1]);"


def child(code: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", HOLD + code, KEY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=environment, cwd=ROOT,
    )  # fmt: skip


def line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_a_second_process_on_the_key_is_refused_and_told_who_has_it(home: Path) -> None:
    with child("print(l.next(), flush=True); sys.stdin.read()") as process:
        first = int(line(process))
        with pytest.raises(ConfigError, match=f"is in use by process {process.pid}") as caught:
            KeyLock.take(KEY)
        assert KEY not in str(caught.value)
        KeyLock.take("another key").release()
        process.communicate("")
    lock = KeyLock.take(KEY)  # it ended, and its nonces stay
    assert lock.next() > first
    with pytest.raises(ConfigError, match=f"is in use by process {os.getpid()}"):
        KeyLock.take(KEY)
    lock.release()
    assert (home / "venuegate/keys" / NAME).stat().st_mode & 0o777 == 0o600
    assert (home / "venuegate/keys").stat().st_mode & 0o777 == 0o700
    assert (home / "venuegate").stat().st_mode & 0o777 == 0o700


def test_a_process_killed_in_the_middle_leaves_its_last_nonce() -> None:
    """Each one was in the file before anybody saw it."""
    for _ in range(5):
        with child("\nwhile True: print(l.next(), flush=True)") as process:
            seen = max(int(line(process)) for _ in range(200))
            process.send_signal(signal.SIGKILL)
            assert process.stdout is not None
            rest = [int(text) for text in process.stdout.read().splitlines()[:-1]]
        lock = KeyLock.take(KEY, clock_ns=lambda: 0)
        assert lock.next() > max([seen, *rest])
        lock.release()


@given(
    st.lists(st.integers(0, 2**62), min_size=1, max_size=20), st.integers(64, 191), st.binary(min_size=1, max_size=9)
)
def test_a_damaged_record_never_lets_a_number_come_twice(
    tmp_path_factory: pytest.TempPathFactory, clocks: list[int], at: int, damage: bytes
) -> None:
    """Damaged is the record that was being written when the machine died: the other one holds, or the file is
    refused."""
    folder = tmp_path_factory.mktemp("keys")
    used = []
    for clock in clocks:
        lock = KeyLock.take(KEY, folder, lambda clock=clock: clock)  # type: ignore[misc]
        used += [lock.next(), lock.next()]
        lock.release()
    data = bytearray((folder / NAME).read_bytes())
    data[at : at + len(damage)] = damage
    (folder / NAME).write_bytes(data[:192])
    try:
        lock = KeyLock.take(KEY, folder, lambda: 0)
    except ConfigError as error:
        assert "damaged" in str(error) or "wanted" in str(error)  # noqa: PT017
        return
    assert lock.next() >= used[-1]  # the last one at worst, which was being written and so was not used
    lock.release()


def test_a_file_of_another_unit_or_deleted_or_not_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    milliseconds = StateFile(path, "ms")
    milliseconds.raise_to(1_790_000_000_000)
    milliseconds.close()
    with pytest.raises(ConfigError, match="holds 1790000000000 ms, and ns are wanted"):
        KeyLock.take(KEY, tmp_path)
    path.write_bytes(b"x" * 200)
    with pytest.raises(ConfigError, match="is damaged"):
        KeyLock.take(KEY, tmp_path)
    path.unlink()
    lock = KeyLock.take(KEY, tmp_path)
    lock.next()
    path.unlink()
    with pytest.raises(OSError, match="was deleted"):
        lock.next()
    lock.release()
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="cannot be opened"):
        KeyLock.take(KEY, tmp_path)


def test_a_state_folder_that_is_no_folder_of_ours(home: Path) -> None:
    (home / "venuegate").write_text("")
    with pytest.raises(ConfigError):
        state_folder("keys")
    (home / "venuegate").unlink()
    (home / "elsewhere").mkdir()
    (home / "venuegate").symlink_to(home / "elsewhere")
    with pytest.raises(ConfigError, match="is not a folder of this user"):
        state_folder("keys")


def test_tags_are_unique_for_ever() -> None:
    """Kraken checks a client order id among open orders only: an id used again would be another order's."""
    now = iter((T0 // 10**9, T0 // 10**9, T0 // 10**9 - 3_600, T0 // 10**9 + 1, 3_700_000_000))
    tags = [unique_tag(lambda: next(now)) for _ in range(5)]
    assert len({*tags}) == 5
    assert tags == sorted(tags)
    for tag in tags:
        assert len(tag) == 8 and tag.startswith("vg")
    assert int(tags[0][2:], 36) == T0 // 10**9 - TAG_EPOCH_S


def test_two_processes_that_start_together_have_two_tags() -> None:
    code = "from runtime.keylock import unique_tag; print(unique_tag())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
        for _ in range(4)
    ]
    tags = {process.communicate()[0] for process in started}
    assert len(tags) == 4
