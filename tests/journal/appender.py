"""A process that appends to a journal until somebody ends it: what the tests of kills and power cuts end.

    python -m tests.journal.appender PATH DURABILITY COUNT

Each turn has an order that waits in an outbox, a row and a memory, all with the same number. The number is written to
the file descriptor given, at once, when the order leaves: that is what was promised.
"""

import os
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue

from connectors.session import Send
from risk.memory import Memory
from runtime.inputs import VenueOutput
from runtime.journal import writer
from runtime.journal.chain import Row
from runtime.journal.schema import Durability
from runtime.journal.store import Done, Journal
from runtime.memory import SessionMemory
from runtime.outbox import Outbox, Unsent

WAIT_S = 60.0


class Calls:
    """The loop of a test: what `soon` was given, carried out one by one."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Done] = SimpleQueue()

    def __call__(self, call: Done) -> None:
        self._calls.put(call)

    def one(self) -> None:
        """Waits for the next call and does it; a minute without one is a test that failed."""
        self._calls.get(timeout=WAIT_S)()


def memory_of(n: int, weight: int = 20) -> SessionMemory:
    """A memory that says which turn it belongs to, and is not all small."""
    return SessionMemory(Memory(approvals=n, grants=tuple(f"grant {n} {i}" for i in range(weight))))


def append_from(first: int, count: int, path: Path, durability: Durability, told: int) -> None:
    """`count` turns numbered from `first`; 0: for ever. At most eight of them wait at a time."""
    failures: list[str] = []
    calls = Calls()
    journal = Journal.open(path, durability, tell=lambda *_: None, on_failure=failures.append, soon=calls)
    left = 0

    def send(output: VenueOutput) -> None:
        nonlocal left
        left += 1
        assert isinstance(output.output, Send)
        os.write(told, output.output.data)

    def unsent(orders: Sequence[Unsent]) -> None:
        raise AssertionError(orders)

    outbox = Outbox(journal, send, unsent)
    n = first
    while count == 0 or n < first + count:
        outbox.offer(VenueOutput("sim", Send("public", f"{n}\n".encode(), n)), "new", f"o{n}")
        rows = [Row(n, "action", {"n": n, "client_order_id": f"o{n}", "text": "x" * (n % 97)})]
        if n % 5 == 0:
            rows.append(Row(n, "report", {"client_order_id": f"o{n}"}))
        journal.append(rows, memory_of(n), outbox.seal(), now_ns=n)
        n += 1
        while not failures and n - first - left > n % 8:
            calls.one()
        if failures:
            sys.exit(failures[0])
    sys.exit(journal.close() or 0)


def append_there(first: int, path: Path, durability: Durability, told: Connection) -> None:
    """What a forked process runs: promises go into a pipe."""
    append_from(first, 0, path, durability, told.fileno())


def main() -> None:
    path, durability, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    writer.COPY_AFTER = 50_000  # type: ignore[misc] # many checkpoints in a short run
    found: Durability = "power" if durability == "power" else "process"
    append_from(1, count, path, found, 1)


if __name__ == "__main__":
    main()
