"""A journal and the loop of a test that it belongs to."""

from collections.abc import Callable
from pathlib import Path

from runtime.journal import check, schema
from runtime.journal.chain import Row
from runtime.journal.schema import Durability
from runtime.journal.store import Journal
from runtime.memory import SessionMemory
from tests.journal.appender import Calls


class Opened:
    """A journal with its loop; `failures` is what on_failure was told, `done` which turns were promised."""

    def __init__(self, path: Path, durability: Durability = "process") -> None:
        self.path = path
        self.calls = Calls()
        self.failures: list[str] = []
        self.told: list[str] = []
        self.done: list[int] = []
        self.journal = Journal.open(
            path, durability, tell=lambda text, _: self.told.append(text), on_failure=self.failures.append,
            soon=self.calls,
        )  # fmt: skip

    def turn(self, n: int, memory: SessionMemory | None = None, *, is_spare: bool = False) -> None:
        row = Row(n, "action", {"n": n}, is_spare)
        self.journal.append([row], memory, lambda: self.done.append(n), now_ns=n)

    def until(self, is_so: Callable[[], object]) -> None:
        while not is_so():
            self.calls.one()

    def stored(self) -> list[tuple[str, bytes]]:
        connection = schema.readable(self.path)
        found = [(row.kind, row.body) for row in check.stored(connection, 1)]
        connection.close()
        return found
