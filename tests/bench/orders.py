"""The path of an order: action → approved → journalled → its bytes at the link. What it costs, and where.

    uv run python -m tests.bench.orders [--rounds N] [--folder DIR] [--gap-ms N]

A live session (`order_path.py`), journal with durability `process`. The time begins when the guest has handed its
actions over and ends when the last of their bytes are given to the link: the rest of the turn, its hash, its rows and
memory, the thread that writes, its commit, the way back and the second reading of the bytes lie between. One order in a
turn, and sixteen that share a turn and a commit. Turns follow one another at once, or with `--gap-ms` after a pause, as
orders do: then caches are cold and the processor slow, of the floor, too.

Floor, before each turn and in the same folder: one SQLite commit (WAL, synchronous = NORMAL) of one row as long as an
order's, and the encoding of that order. "µs-equivalent" is the house's: measured × 489 ns ÷ msgspec's decode of one
Kraken book message in the same run, so that a slow machine does not count. The goal is said in it; what the floor alone
takes of it stands beside.

The split comes from sessions of their own, with stopwatches laid on (0.2 µs a call): figures of one order, each without
what another line has. "the rest" is what no line has: desk and engine after the callback, the two threads waking each
other. A round is eight turns of each kind, and counts by its quickest: on a busy machine a thread that wakes waits for
others. Figures are medians over rounds; of a ratio, the median of the rounds' own. Before all that it is proven that no
bytes leave before their record can be read by another connection, and at the end all that left is compared with what
was asked and recorded: what differs ends the run with exit code 1, slowness does not.
"""

import argparse
import asyncio
import gc
import json
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from connectors.orders import Approved
from connectors.venues.kraken import wire
from connectors.venues.kraken.orders import KrakenOrders
from tests.bench.chain import sim_frames
from tests.bench.order_path import INSTRUMENT, OrderPath, WrongPathError
from tests.bench.stopwatch import Stopwatch
from tests.support.data import data_folder

AT_ONCE: Final = (1, 16)
TURNS: Final = 8  # of each kind in a round
WARM: Final = 20  # turns; then the windows of time hold what they hold from then on
REFERENCE_NS: Final = 489
GOAL: Final = 40.0
FLOOR: Final = "floor: one row committed, one order encoded"
ROW: Final = {
    "n": 12345, "algo": "bench", "by": "algo", "kind": "new", "order_id": 77, "side": 1, "px_1e9": 62_798_900_000_000,
    "qty_1e8": 1_000_000, "order_type": "limit", "venue_id": 0, "pool_idx": 0, "symbol_idx": 0, "verdict": "approved",
    "approval": 4321, "client_order_id": "vg-12345",
}  # fmt: skip
Samples = dict[str, list[float]]


class Floors:
    """One commit of one row; one order encoded; one book message decoded. Seconds each."""

    def __init__(self, path: Path, approved: Approved[Any]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        execute = self._connection.execute
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA wal_autocheckpoint = 0")
        execute("CREATE TABLE log (seq INTEGER PRIMARY KEY, now_ns INTEGER NOT NULL, body TEXT NOT NULL)")
        self._body = json.dumps(ROW)
        self._encode = KrakenOrders([INSTRUMENT]).submit
        self._approved = approved
        self._books = books()

    def order(self) -> float:
        """The two. The write-ahead log is never copied back: the journal does that after 4 MB, and not in an order's
        way.
        """
        execute, body = self._connection.execute, self._body
        begin = time.perf_counter()
        self._encode(self._approved, 0)
        execute("BEGIN IMMEDIATE")
        execute("INSERT INTO log (now_ns, body) VALUES (?, ?)", (0, body))
        execute("COMMIT")
        return time.perf_counter() - begin

    def decode(self) -> float:
        decode = wire.decode_book
        begin = time.perf_counter()
        for raw in self._books:
            decode(raw)
        return (time.perf_counter() - begin) / len(self._books)

    def close(self) -> None:
        self._connection.close()


def books() -> list[bytes]:
    """Kraken's book messages, BTC/USD at depth 10 where the recording is there, else the embedded venue's."""
    folder = data_folder()
    if folder is None:
        raws = [raw for _, raw in sim_frames(400)[0]]
    else:
        text = (folder / "kraken_v2_crossbook/kraken_btcusd_l2.jsonl").read_text()
        raws = [json.loads(line)["raw"].encode() for line in text.splitlines()]
    return [raw for raw in raws if raw.startswith(b'{"channel":"book"')]


async def rounds_of(folder: Path, rounds: int, gap_s: float) -> tuple[Samples, dict[int, Samples]]:
    """Seconds an order of each whole, and of each part of it by how many were in the turn. Raises WrongPathError."""
    whole = {count: OrderPath(folder / f"whole{count}.db") for count in AT_ONCE}
    watched = {count: OrderPath(folder / f"watched{count}.db") for count in AT_ONCE}
    paths = (*whole.values(), *watched.values())
    is_on = gc.isenabled()
    try:
        for path in paths:
            await path.proven(AT_ONCE[-1])
        for count in AT_ONCE:
            for _ in range(WARM):
                await whole[count].orders(count)
                await watched[count].orders(count)
        approved = whole[AT_ONCE[0]].approved
        assert approved is not None
        floors = Floors(folder / "floor.db", approved)
        watches = {count: path.watched() for count, path in watched.items()}
        samples: Samples = {name: [] for name in (FLOOR, "decode", *map(str, AT_ONCE))}
        parts: dict[int, Samples] = {count: {} for count in AT_ONCE}
        gc.disable()
        for _ in range(rounds):
            gc.collect()
            samples["decode"].append(floors.decode())
            floor: list[float] = []
            for count in AT_ONCE:
                samples[str(count)].append(await _whole(whole[count], count, floors, floor, gap_s))
                await _parts(watched[count], count, watches[count], parts[count], gap_s)
            samples[FLOOR].append(min(floor))
        floors.close()
        for path in paths:
            path.check()
    finally:
        if is_on:
            gc.enable()
        for path in paths:
            path.journal.close()
    return samples, parts


async def _whole(path: OrderPath, count: int, floors: Floors, floor: list[float], gap_s: float) -> float:
    """One round: seconds an order. The floor's go to `floor`."""
    found = []
    for _ in range(TURNS):
        await asyncio.sleep(gap_s)
        floor.append(floors.order())
        await asyncio.sleep(gap_s)
        found.append(await path.orders(count) / count)
    return min(found)


async def _parts(
    path: OrderPath, count: int, watches: tuple[Stopwatch, Stopwatch], found: Samples, gap_s: float
) -> None:
    """One round of a session with stopwatches. What its reports cost is taken before each turn and thrown away."""
    turns: list[tuple[float, dict[str, float]]] = []
    one: dict[str, float] = {}

    def ended() -> None:
        one.clear()
        for watch in watches:
            one.update(watch.take())

    for _ in range(TURNS):
        await asyncio.sleep(gap_s)
        for watch in watches:
            watch.take()
        took = await path.orders(count, ended)
        turns.append((took, one | {"the rest": took - sum(one.values())}))
    for name, seconds in min(turns, key=lambda turn: turn[0])[1].items():
        found.setdefault(name, []).append(seconds / count)


def ratio(samples: Samples, name: str, of: Callable[[int], float]) -> float:
    """Median over the rounds."""
    return median(value / of(n) for n, value in enumerate(samples[name]))


def shown(samples: Samples, parts: dict[int, Samples]) -> list[str]:
    """The table."""

    def floor(n: int) -> float:
        return samples[FLOOR][n]

    def decoded(n: int) -> float:
        return samples["decode"][n] * 1e9 / REFERENCE_NS / 1e6

    lines = [f"  {'an order':<46}{'µs':>9}{'µs-equiv.':>11}{'× floor':>9}"]
    rows = [(FLOOR, samples[FLOOR])]
    rows += [(f"whole path, {count} in a turn", samples[str(count)]) for count in AT_ONCE]
    for name, values in rows:
        equivalent, times = ratio({name: values}, name, decoded), ratio({name: values}, name, floor)
        goal = ""
        if name.startswith("whole"):
            goal = f"   goal ≤ {GOAL:g} µs-equivalent: {'reached' if equivalent <= GOAL else 'missed'}"
        lines.append(f"  {name:<46}{median(values) * 1e6:>9.2f}{equivalent:>11.1f}{times:>9.2f}{goal}")
    lines.append(f"  {'of it, µs an order':<46}" + "".join(f"{f'{count} in a turn':>16}" for count in AT_ONCE))
    lines += [
        f"    {name:<44}" + "".join(f"{median(parts[count][name]) * 1e6:>16.2f}" for count in AT_ONCE)
        for name in parts[AT_ONCE[0]]
    ]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; by default the temporary folder")
    parser.add_argument("--gap-ms", type=float, default=0.0, help="a pause before each turn and each floor")
    given = parser.parse_args()
    rounds = max(given.rounds, 1)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        try:
            samples, parts = asyncio.run(rounds_of(Path(folder), rounds, given.gap_ms / 1e3))
        except WrongPathError as error:
            print(f"wrong: {error}", file=sys.stderr)
            return 1
    print(f"from a guest's action to its bytes at the link, live, journal `process`; median of {rounds} rounds")
    print("\n".join(shown(samples, parts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
