"""What the journal costs: on the loop's side, and until a record is durable.

    uv run python -m tests.bench.journal [--turns N] [--folder DIR]

A turn is one action's row of a usual size and a memory of about 8 KB. `append` is the loop's own cost of it, with the
thread that writes running. `durable` is the time from there to the call that lets the order leave: one turn at a time,
and sixteen at once, which share a commit. `watch` makes the rows and the memory of a whole turn of the engine.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import cast

from connectors.orders import Action
from risk.memory import Held, Memory
from runtime.digest import Digest
from runtime.inputs import Command, Input
from runtime.journal.chain import Row
from runtime.journal.schema import Durability
from runtime.journal.store import Done, Journal
from runtime.journal.watch import Watch
from runtime.memory import SessionMemory
from runtime.session import Session
from runtime.spec import AlgoSpec
from tests.support.puppet import Puppet
from tests.support.virtual import World

BODY = {
    "n": 12345, "algo": "market-maker", "by": "algo", "kind": "new", "order_id": 77, "side": 1,
    "px_1e9": 62_807_100_000_000, "qty_1e8": 1_000_000, "order_type": "post_only", "venue_id": 0, "pool_idx": 0,
    "symbol_idx": 0, "verdict": "approved", "approval": 4321, "client_order_id": "vg0123456-000004321",
}  # fmt: skip
MEMORY = SessionMemory(Memory(
    markets={f"kraken:COIN{n}/USD": Held(n * 10**8, n * 10**22, n * 10**20) for n in range(10)},
    algos={f"algo{a}": {f"kraken:COIN{n}/USD": Held(n * 10**8, n * 10**22, n * 10**20) for n in range(10)}
           for a in range(4)},
    windows={"orders": {"account": tuple(range(10**18, 10**18 + 100))}},
))  # fmt: skip


class Measured:
    """One journal; `durable` waits for what was appended, as the loop would be woken."""

    def __init__(self, path: Path, durability: Durability) -> None:
        self._calls: SimpleQueue[Done] = SimpleQueue()
        self.journal = Journal.open(path, durability, tell=lambda *_: None, on_failure=_fail, soon=self._calls.put)

    def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._calls.get(timeout=60)()


def _fail(text: str) -> None:
    raise SystemExit(text)


def latencies(measured: Measured, turns: int, at_once: int) -> tuple[list[float], list[float]]:
    """Seconds of each append on the loop, and from each to its word."""
    clock, appends, durable = time.perf_counter, [], []

    def done(begin: float) -> Done:
        return lambda: durable.append(clock() - begin)

    for n in range(0, turns, at_once):
        for _ in range(at_once):
            begin = clock()
            measured.journal.append([Row(n, "action", BODY)], MEMORY, done(begin), now_ns=n)
            appends.append(clock() - begin)
        measured.until(lambda wanted=n + at_once: len(durable) >= wanted)  # type: ignore[misc]
    return appends, durable


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def watching(path: Path) -> list[float]:
    """Seconds that the watcher takes for each turn in which an order was approved."""

    def quote(puppet: Puppet) -> list[Action]:
        n = puppet.count("on_book")
        bid = int.from_bytes(puppet.heard[-1][1][0][16:24], "little")
        return [(n, bid, 10**6, 1, 0, 0, 0, 0, 0, 0), (n - 3, 0, 0, 0, 1, 0, 0, 0, 0, 0)] if n % 5 == 0 else []

    world = World(algos=[AlgoSpec("algo", Puppet("on_book").on("on_book", quote), ("BTC/USD",))])
    measured = Measured(path, "process")
    session = cast(Session, SimpleNamespace(engine=world.engine, digest=Digest()))
    watch = Watch(measured.journal, session, who="bench", now_ns=world.now_ns)
    found: list[float] = []

    def turn(given: Input) -> None:
        before = len(world.engine.trace)
        begin = time.perf_counter()
        watch(session, given, world.now_ns)
        if before:
            found.append(time.perf_counter() - begin)

    world.watchers.append(turn)
    world.run(30)
    world.feed(Command("stop", "bench"))
    measured.journal.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--turns", type=int, default=3200)
    parser.add_argument("--folder", type=Path, help="on the disk to be measured; by default the temporary folder")
    given = parser.parse_args()
    print(f"{'':28}{'append p50':>12}{'p99':>10}{'durable p50':>14}{'p99':>12}{'a turn':>12}")
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for durability in ("power", "process"):
            for at_once in (1, 16):
                measured = Measured(Path(folder) / f"{durability}{at_once}.db", durability)
                begin = time.perf_counter()
                appends, durable = latencies(measured, given.turns, at_once)
                each = (time.perf_counter() - begin) / given.turns
                measured.journal.close()
                print(
                    f"{durability:>10}, {at_once:>2} at a time   "
                    f"{quantile(appends, 0.5) * 1e6:>9.1f} µs{quantile(appends, 0.99) * 1e6:>7.1f} µs"
                    f"{quantile(durable, 0.5) * 1e3:>11.2f} ms{quantile(durable, 0.99) * 1e3:>9.2f} ms"
                    f"{each * 1e3:>9.2f} ms"
                )
        found = watching(Path(folder) / "watch.db")
    print(
        f"watch, a turn that counts: p50 {quantile(found, 0.5) * 1e6:.0f} µs, p99 {quantile(found, 0.99) * 1e6:.0f} µs"
    )


if __name__ == "__main__":
    main()
