"""Replays a tape many times with some guests and prints one line a replay: hash of the outputs, digest of the fuel.

    python -m tests.support.replays TAPE TIMES NAME=MODULE[@LABEL] …

For tests/system/test_guest_determinism.py, which runs it in processes of their own. A MODULE that ends in .py is
Python, of which nothing counts the fuel. `taped` writes such tapes.
"""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors.orders import Action
from connectors.registry import load
from runtime.deploy import Guests, spec_of_tape
from runtime.digest import Digest
from runtime.host import AlgoHost
from runtime.inputs import Input
from runtime.python.guest import PythonGuest
from runtime.replay import replay
from runtime.session import Session, header_of
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader, TapeWriter
from tests.support.virtual import World


class Metered(AlgoHost):
    """A host that remembers what each callback burnt."""

    burnt: list[int]

    def on_book(self, book: bytearray, state: bytearray, features: bytearray, symbol_id: int = 0) -> list[Action]:
        actions = super().on_book(book, state, features, symbol_id)
        self.burnt.append(self.fuel_used)
        return actions

    def _call(self, export: str, *args: int) -> int:
        result = super()._call(export, *args)
        if hasattr(self, "burnt"):  # not yet while it is loaded
            self.burnt.append(self.fuel_used)
        return result


class Counted(PythonGuest):
    """A Python algo that remembers how often it was called."""

    burnt: list[int]

    def _run(self, callback: str, *arguments: object) -> None:
        self.burnt.append(self.fuel_used)
        super()._run(callback, *arguments)


def metered(path: str) -> Metered | Counted:
    host = (Counted if path.endswith(".py") else Metered)(Path(path).read_bytes(), name=path)
    host.burnt = []
    return host


@contextmanager
def taped(world: World, path: Path, paths: dict[str, str], predictor: str = "") -> Iterator[Digest]:
    """What the world's engine is fed within the block, and a stop at its end, on a tape with the hash of it all."""
    digest = Digest()
    writer = TapeWriter(path, header_of(world.engine.spec, paths, predictor))

    def keep(given: Input) -> None:
        digest.update(world.engine.trace)
        writer.append(given, world.now_ns)

    world.watchers.append(keep)
    yield digest
    world.command("stop")
    writer.close(digest.hexdigest())


def run(tape: Path, algos: list[str]) -> str:
    """One replay, with guests loaded anew."""
    reader = TapeReader(tape)
    assert reader.header is not None
    guests, hosts = Guests(), []
    for text in algos:
        name, _, module = text.partition("=")
        path, _, label = module.partition("@")
        hosts.append(metered(path))
        guests.add(AlgoSpec(name, hosts[-1], reader.header.symbols, label=label), path)
    session = Session(spec_of_tape(reader.header, guests, None, load))
    replay(session, reader)
    fuel = [host.burnt for host in hosts]
    digest = hashlib.sha256(repr(fuel).encode()).hexdigest()
    faults = [algo.name for algo in session.engine.algos if algo.is_faulty]
    calls, actions = sum(map(len, fuel)), session.engine.desk.actions
    return f"{session.digest.hexdigest()} {digest} {calls} {sum(map(sum, fuel))} {actions} {','.join(faults)}"


def main() -> None:
    tape, times, algos = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    for _ in range(times):
        print(run(tape, algos), flush=True)


if __name__ == "__main__":
    main()
