"""What survives what: kill -9 at random points, a power cut at any moment, errors at any write."""

import multiprocessing
import os
import random
from pathlib import Path

import msgspec
import pytest

from runtime.journal import check, reader, schema
from runtime.journal.schema import Durability
from runtime.journal.store import Journal
from tests.journal.appender import Calls, append_there
from tests.support.bad_disk import Disk, Event, need_strace, traced

KILLS = int(os.environ.get("VENUEGATE_KILLS", "60"))
CUTS = int(os.environ.get("VENUEGATE_CUTS", "120"))
INJECTED = int(os.environ.get("VENUEGATE_INJECTED", "8"))
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["pytest", "tests.journal.appender"])


def turns(path: Path) -> list[int]:
    """The numbers of the turns that a journal holds, after it was opened as the next session would open it.

    Also: they are 1, 2, 3 … without a gap, the memory is that of the last one, and the whole chain is intact.
    """
    journal = Journal.open(path, "process", tell=lambda *_: None, on_failure=pytest.fail, soon=Calls())
    memory = journal.memory
    assert journal.close() == ""
    connection = schema.readable(path)
    found = [msgspec.json.decode(row.body)["n"] for row in check.stored(connection, 1) if row.kind == "action"]
    connection.close()
    assert found == list(range(1, len(found) + 1))
    assert (memory.gate.approvals if memory is not None else 0) == len(found)
    assert reader.verify(path)["verdict"] == "same"
    return found


@pytest.mark.slow
@pytest.mark.parametrize("durability", ["power", "process"])
def test_a_kill_at_any_point_loses_nothing_that_was_promised(tmp_path: Path, durability: Durability) -> None:
    """One journal through fifty kills: each next process finds it whole and goes on."""
    chance = random.Random(f"kill {durability}")
    for kill in range((KILLS + 1) // 2):
        if kill % 50 == 0:
            path, first = tmp_path / f"{kill}.db", 1
        ours, theirs = _SPAWN.Pipe(duplex=False)
        process = _SPAWN.Process(target=append_there, args=(first, path, durability, theirs))
        process.start()
        theirs.close()
        wanted, told = first + chance.randrange(150), b""
        while wanted > _last(told, first - 1):
            more = os.read(ours.fileno(), chance.choice((1, 7, 64, 4096)))
            assert more, "it ended by itself"
            told += more
        process.kill()
        while more := os.read(ours.fileno(), 4096):
            told += more
        process.join()
        ours.close()
        found = turns(path)
        assert len(found) >= _last(told, first - 1) >= wanted
        first = len(found) + 1


def _last(told: bytes, before: int) -> int:
    whole = told[: told.rfind(b"\n") + 1].split()
    return int(whole[-1]) if whole else before


def restored(disk: Disk, folder: Path, chance: random.Random | None) -> Path | None:
    """The files after a power cut, in a folder of their own; None where there is no journal among them."""
    folder.mkdir()
    files = disk.after_a_cut(chance)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / "journal.db" if "journal.db" in files else None


def lost_at_cuts(events: list[Event], folder: Path, cuts: list[int], chance: random.Random) -> tuple[int, int]:
    """At how many of these cuts a promise was broken, and how many promises; every other cut: torn sectors, too."""
    disk, broken, promises = Disk(), 0, 0
    wanted = set(cuts)
    for n, event in enumerate(events):
        disk.take(event)
        if n in wanted:
            torn = chance if chance.random() < 0.5 else None
            path = restored(disk, folder / str(n), torn)
            found = turns(path) if path is not None else []
            lost = [told for told in disk.told if told > len(found)]
            broken += bool(lost)
            promises += len(lost)
    return broken, promises


def run(folder: Path, durability: str, count: int, inject: str = "") -> tuple[list[Event], int, str]:
    folder.mkdir()
    return traced(folder, "tests.journal.appender", str(folder / "journal.db"), durability, str(count), inject=inject)


def told_cuts(events: list[Event], chance: random.Random, count: int) -> list[int]:
    """Half of them right after something was promised, the others anywhere."""
    told = [n for n, event in enumerate(events) if event.what == "told"]
    return chance.sample(told, min(count // 2, len(told))) + chance.choices(range(len(events)), k=count - count // 2)


@pytest.mark.slow
def test_a_power_cut_at_any_moment_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    """Under `power`: what left had its record on the disk, also where half of the unsynced sectors made it."""
    events, status, said = run(tmp_path / "at", "power", 200)
    assert (status, said) == (0, "")
    chance = random.Random("power cuts")
    assert lost_at_cuts(events, tmp_path, told_cuts(events, chance, CUTS), chance) == (0, 0)
    assert sum(event.what == "told" for event in events) == 200


@pytest.mark.slow
def test_without_syncs_a_power_cut_does_lose_promises(tmp_path: Path) -> None:
    """The negative control: `process` promises no more than kill -9, and the simulated cut can tell the two apart.

    What is left is a whole journal all the same (`turns` asserts it): NORMAL, not OFF.
    """
    events, status, said = run(tmp_path / "at", "process", 200)
    assert (status, said) == (0, "")
    chance = random.Random("power cuts")
    cuts = told_cuts(events, chance, CUTS)
    broken, promises = lost_at_cuts(events, tmp_path, cuts, chance)
    assert broken > len(cuts) // 4
    assert promises > broken


@pytest.mark.slow
def test_the_sync_of_the_record_returns_before_the_first_byte_of_the_order(tmp_path: Path) -> None:
    """The order of system calls, over 1,000 orders: nothing leaves while its write is not synced."""
    events, status, said = run(tmp_path / "at", "power", 1000)
    assert (status, said) == (0, "")
    waiting: set[int] = set()
    synced: set[int] = set()
    for event in events:
        if event.what == "write":
            waiting |= {int(n) for n in _numbers(event.data)}
        elif event.what == "sync" and event.name.endswith("-wal"):
            synced |= waiting
        elif event.what == "told":
            assert {int(n) for n in event.data.split()} <= synced
    assert len(synced) >= 1000


def _numbers(data: bytes) -> list[bytes]:
    """The order ids that stand in a page of the log."""
    return [part.split(b'"', 1)[0] for part in data.split(b'"client_order_id":"o')[1:] if b'"' in part]


@pytest.mark.slow
@pytest.mark.parametrize("inject", ["fdatasync:error=EIO", "pwrite64:error=ENOSPC", "pwrite64:error=EIO"])
def test_an_error_of_the_disk_at_any_call_ends_the_promises(tmp_path: Path, inject: str) -> None:
    """From the n-th call on the disk fails: the process says so and ends, and what left is on the disk."""
    need_strace()
    chance = random.Random(inject)
    for n in chance.sample(range(4, 40), INJECTED):
        events, status, said = run(tmp_path / str(n), "power", 200, f"{inject}:when={n}+")
        assert status == 1
        assert "cannot be written" in said or "cannot be opened" in said, said
        disk = Disk()
        for event in events:
            disk.take(event)
        path = restored(disk, tmp_path / f"{n} after", None)
        assert (len(turns(path)) if path is not None else 0) >= max(disk.told, default=0)
