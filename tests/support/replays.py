"""Replays a tape many times with some guests and prints one line a replay: hash of the outputs, digest of the fuel.

    python -m tests.support.replays TAPE TIMES NAME=MODULE[@LABEL] …

For tests/system/test_guest_determinism.py, which runs it in processes of their own.
"""

import hashlib
import sys
from pathlib import Path

from connectors.orders import Action
from connectors.registry import load
from runtime.deploy import Guests, spec_of_tape
from runtime.host import AlgoHost
from runtime.replay import replay
from runtime.session import Session
from runtime.spec import AlgoSpec
from runtime.tape import TapeReader


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


def metered(path: str) -> Metered:
    host = Metered(Path(path).read_bytes(), name=path)
    host.burnt = []
    return host


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
