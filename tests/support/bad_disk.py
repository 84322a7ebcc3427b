"""Disks that fail: connections whose statements do, and a disk that loses what was not synced when the power goes.

The second is honest about the system calls: a process runs under strace, which writes down every write, sync and name
given to a file, and injects errors on demand. From that, `Disk` knows at each moment what a power cut would leave.
"""

import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.support.data import ROOT

SECTOR = 512
CALLS = "openat,pwrite64,write,fsync,fdatasync,ftruncate,unlink,rename"
_CALL = re.compile(r"^(\d+) +(\w+)\((.*)\) += (-?\d+)")
_FD = re.compile(r"^(\d+)<((?:\\x[0-9a-f]{2})*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Event(msgspec.Struct, frozen=True):
    """One system call that succeeded: `what` is make, write, sync, cut, unlink; or told, on standard output."""

    what: str
    name: str
    offset: int = 0
    data: bytes = b""


def need_strace() -> str:
    """Skips where strace is absent or may not trace, fails there in CI."""
    found = shutil.which("strace")
    if found is not None and subprocess.run([found, "-o", os.devnull, "true"], check=False).returncode == 0:
        return found
    if os.environ.get("CI"):
        pytest.fail("no strace")
    pytest.skip("no strace, or it may not trace: power cuts cannot be shown")


def traced(folder: Path, *arguments: str, inject: str = "") -> tuple[list[Event], int, str]:
    """Runs `python -m …` under strace: its events in `folder`, its exit status, its standard error."""
    strace, out = need_strace(), folder.with_name(f"{folder.name}.trace")
    command = [strace, "-f", "-y", "-xx", "-s", "100000000", "-e", f"trace={CALLS}", "-o", str(out)]
    if inject:
        command += ["-e", f"inject={inject}"]
    done = subprocess.run(
        [*command, sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False
    )
    return list(_events(out, f"{folder.resolve()}/")), done.returncode, done.stderr.decode()


def _events(trace: Path, folder: str) -> Iterator[Event]:
    begun: dict[str, str] = {}
    with trace.open() as lines:
        for line in lines:
            pid, _, rest = line.rstrip("\n").partition(" ")
            if rest.endswith("<unfinished ...>"):
                begun[pid] = rest.removesuffix("<unfinished ...>").strip()
                continue
            if (resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", rest.strip())) is not None:
                rest = begun.pop(pid) + resumed[1]
            found = _CALL.match(f"{pid} {rest.strip()}")
            if found is not None and int(found[4]) >= 0 and (event := _event(found[2], found[3], folder)):
                yield event


def _event(call: str, given: str, folder: str) -> Event | None:
    texts = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(given)]
    if call in ("openat", "unlink"):
        name = texts[0].decode()
        if not name.startswith(folder) or (call == "openat" and "O_CREAT" not in given):
            return None
        return Event("make" if call == "openat" else "unlink", name.removeprefix(folder))
    handle = _FD.match(given)
    assert handle is not None, given[:200]
    if handle[1] == "1" and call == "write":
        return Event("told", "", 0, texts[0])
    name = bytes.fromhex(handle[2].replace("\\x", "")).decode()
    if f"{name}/" == folder and call.endswith("sync"):
        return Event("sync", "")
    if not name.startswith(folder):
        return None
    name = name.removeprefix(folder)
    last = given.rpartition(",")[2].strip()
    match call:
        case "pwrite64":
            return Event("write", name, int(last), texts[0])
        case "ftruncate":
            return Event("cut", name, int(last))
        case "fsync" | "fdatasync":
            return Event("sync", name)
    return None  # the lock file's plain write: nothing depends on it


class Disk:
    """What lies where after some events: synced, and not yet."""

    def __init__(self) -> None:
        self._synced: dict[str, bytearray] = {}
        self._waiting: dict[str, list[Event]] = {}
        self._names: set[str] = set()
        self._synced_names: set[str] = set()
        self.told: list[int] = []

    def take(self, event: Event) -> None:
        match event.what:
            case "told":
                self.told += [int(line) for line in event.data.split()]
            case "make":
                if event.name not in self._names:
                    self._names.add(event.name)
                    self._synced[event.name], self._waiting[event.name] = bytearray(), []
            case "unlink":
                self._names.discard(event.name)
            case "sync" if not event.name:
                self._synced_names = set(self._names)
            case "sync":
                for one in self._waiting[event.name]:
                    _apply(self._synced[event.name], one)
                self._waiting[event.name].clear()
            case _:
                self._waiting[event.name].append(event)

    def after_a_cut(self, chance: random.Random | None = None) -> dict[str, bytes]:
        """The files as the power cut leaves them. With `chance`, any sectors that were not synced may be there, too."""
        left = {}
        for name in sorted(self._synced):
            if name not in self._synced_names and not (name in self._names and chance and chance.random() < 0.5):
                continue
            content = bytearray(self._synced[name])
            for event in self._waiting[name] if chance is not None else ():
                for one in _sectors(event):
                    if chance is not None and chance.random() < 0.5:
                        _apply(content, one)
            left[name] = bytes(content)
        return left


def _apply(content: bytearray, event: Event) -> None:
    if event.what == "cut":
        content[event.offset :] = bytes(max(event.offset - len(content), 0))
        return
    if len(content) < event.offset:
        content.extend(bytes(event.offset - len(content)))
    content[event.offset : event.offset + len(event.data)] = event.data


def _sectors(event: Event) -> Iterator[Event]:
    if event.what != "write":
        yield event
        return
    place, end = event.offset, event.offset + len(event.data)
    while place < end:
        until = min((place // SECTOR + 1) * SECTOR, end)
        yield Event("write", event.name, place, event.data[place - event.offset : until - event.offset])
        place = until


def failing(error: Exception, at: int) -> Callable[..., sqlite3.Connection]:
    """A `sqlite3.connect` whose connections raise `error` at their `at`-th writing statement, and at all after it."""
    count = 0

    def look(sql: str) -> None:
        nonlocal count
        if sql.startswith(("BEGIN", "INSERT", "UPDATE", "COMMIT", "PRAGMA wal_checkpoint")):
            count += 1
            if count >= at:
                raise error

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *given: object) -> sqlite3.Cursor:
            look(sql)
            return super().execute(sql, *given)  # type: ignore[arg-type]

        def executemany(self, sql: str, *given: object) -> sqlite3.Cursor:
            look(sql)
            return super().executemany(sql, *given)  # type: ignore[arg-type]

    def connect(where: str, **options: object) -> sqlite3.Connection:
        return sqlite3.connect(where, factory=Failing, **options)  # type: ignore[call-overload, no-any-return]

    return connect
