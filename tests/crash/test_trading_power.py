"""Power cuts under a gateway that trades: under `power`, every order whose bytes left has its record on the disk.

The cuts are simulated: the gateway runs under strace against a venue that lives on, and from its system calls follows
what lay on the disk at each moment (tests/support/bad_disk.py). VENUEGATE_CUTS says how many cuts.
"""

import json
import os
import random
from pathlib import Path

import msgspec
import pytest

from runtime.journal import check, schema
from runtime.journal.schema import Durability
from tests.support.bad_disk import Disk, Event, traced
from tests.support.trading_kill import living

CUTS = int(os.environ.get("VENUEGATE_CUTS", "120"))
ORDERS = 40


def intents(folder: Path, disk: Disk, chance: random.Random | None) -> set[int]:
    """The numbers of the orders that the journal holds as approved, as the next start would find it after a cut."""
    folder.mkdir()
    for name, content in disk.after_a_cut(chance).items():
        (folder / name).write_bytes(content)
    path = folder / "journal.db"
    if not path.exists() or not path.stat().st_size:
        return set()
    connection = schema.writable(path, "process")  # as a start does: what a crash left unfinished is taken back
    try:
        rows = [msgspec.json.decode(row.body) for row in check.stored(connection, 1) if row.kind == "action"]
        assert check.whole(connection).first_break is None
    finally:
        connection.close()
    return {row["n"] for row in rows if row["kind"] == "new" and row["verdict"] == "approved"}


def lost(folder: Path, durability: Durability) -> tuple[int, int]:
    """In how many cuts an order had left whose intent the disk does not have; and how many such orders in all."""
    with living(11) as venue:
        (folder / "at").mkdir(parents=True)
        arguments = (str(folder), json.dumps(venue.where), durability, str(ORDERS))
        events, status, said = traced(folder / "at", "tests.support.trading_kill_child", *arguments)
    assert (status, said) == (0, "")
    assert sum(event.what == "told" for event in events) == ORDERS
    return _at_cuts(folder, events, random.Random(f"cuts {durability}"))


def _at_cuts(folder: Path, events: list[Event], chance: random.Random) -> tuple[int, int]:
    told = [n for n, event in enumerate(events) if event.what == "told"]
    wanted = {*chance.choices(told, k=CUTS // 2), *chance.choices(range(told[0], len(events)), k=CUTS // 2)}
    disk, cuts, orders = Disk(), 0, 0
    for n, event in enumerate(events):
        disk.take(event)
        if n in wanted:
            gone = set(disk.told) - intents(folder / str(n), disk, chance if chance.random() < 0.5 else None)
            cuts, orders = cuts + bool(gone), orders + len(gone)
    return cuts, orders


@pytest.mark.slow
def test_a_power_cut_loses_no_order_that_left(tmp_path: Path) -> None:
    assert lost(tmp_path / "power", "power") == (0, 0)


@pytest.mark.slow
def test_without_a_sync_at_each_record_a_power_cut_does_lose_orders(tmp_path: Path) -> None:
    """The negative control: `process` promises kill -9 and no more, and these cuts can tell."""
    cuts, orders = lost(tmp_path / "process", "process")
    print(f"process: {cuts} cuts lost {orders} orders that had left")
    assert cuts > CUTS // 8
    assert orders > cuts
