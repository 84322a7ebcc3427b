"""Records the tapes that native venues are certified with: `python -m tests.conformance.record [VENUE…]`.

A session of ours with no algo, and the simulated venue, in one process and in virtual time: bytes are carried by hand,
so that the same commit writes the same tape. The simulators are written from the venues' documentation and share no
code with our connectors. Beside each tape go its golden and `origin.toml` with the hashes of both.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

from connectors import registry
from connectors.session import CALLS, PUBLIC, Reconnect, Send, WakeAt
from runtime.certify import accept
from runtime.config import paper_limits
from runtime.conformance.tapes import ENDING, Tape
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Frame, Input, LinkDown, LinkUp, Output, Timer, VenueOutput
from runtime.session import Session, header_of
from runtime.sim.frames import Close
from runtime.sim.paper import Fees
from runtime.tape import TapeWriter
from tests.support.data import ROOT

T0 = 1_786_874_645_000_000_000
MS = 10**6
STEP_NS = 2 * MS
SYMBOLS = {"kraken": ("BTC/USD", "ETH/USD"), "coinbase": ("BTC/USD", "ETH/USD")}
USDT = ("BTC/USDT", "ETH/USDT")
NATIVE = ("kraken", "coinbase", "binance", "okx", "bybit")


def simulated(name: str) -> Any:
    """The venue's other side: one market, one seed."""
    import importlib

    module = importlib.import_module(f"runtime.sim.{name}")
    return getattr(module, f"{name.capitalize() if name != 'okx' else 'Okx'}Venue")(seed=9, now_ns=T0, rate_hz=140)


class Recorder:
    """One session, its tape, and the venue it talks to."""

    def __init__(self, name: str, path: Path, symbols: tuple[str, ...], depth: int) -> None:
        self.name, self.venue = name, simulated(name)
        spec = spec_of(
            [venue_spec(registry.load(name), depth=depth, depth_from="record")], list(symbols), Guests(),
            paper_limits(), fees=Fees(), tag="vgtape",
        )  # fmt: skip
        self.session = Session(spec)
        self.tape = TapeWriter(path, header_of(spec, {}))
        self.now_ns = T0
        self.wake_ns = T0
        self.socket: Any = None
        self.answers: list[bytes] = []

    def give(self, given: Input) -> None:
        outputs: list[Output] = []
        self.session.step(given, self.now_ns, outputs.extend)
        self.tape.append(given, self.now_ns)
        for output in outputs:
            match output:
                case WakeAt(at_ns):
                    self.wake_ns = min(self.wake_ns, at_ns)
                case VenueOutput(_, Send(link, data)) if link == PUBLIC:
                    self.socket.receive(data.decode(), self.now_ns)
                case VenueOutput(_, Send(link, data)) if link == CALLS:
                    self.ask(data)
                case VenueOutput(_, Reconnect(_, reason)):
                    raise AssertionError(f"{self.name} wants to dial again: {reason}")

    def ask(self, data: bytes) -> None:
        """A public question over HTTP: `<id> [GET] <path>`, newline, query."""
        head, _, query = data.decode().partition("\n")
        number, *_, path = head.split(" ")
        answer = self.venue.rest("GET", f"{path}?{query}" if query else path, {}, b"", self.now_ns)
        frame = f"{number} {answer.status}\n".encode() + answer.body
        self.venue.later(self.now_ns + 20 * MS, lambda _: self.answers.append(frame))

    def dial(self) -> Any:
        links = getattr(self.venue, "links", None)
        return self.venue.connect(self.now_ns, links[PUBLIC]) if links else self.venue.connect(self.now_ns)

    def run(self, seconds: float) -> None:
        self.socket = self.dial()
        self.give(LinkUp(self.name, PUBLIC))
        end_ns = T0 + int(seconds * 10**9)
        while self.now_ns < end_ns:
            self.now_ns += STEP_NS
            self.venue.advance(self.now_ns)
            while self.answers:
                self.give(Frame(self.name, CALLS, self.answers.pop(0)))
            for frame in self.socket.take():
                if isinstance(frame, Close):
                    raise AssertionError(f"{self.name} closed the connection: {frame}")  # noqa: TRY004
                if isinstance(frame, str | bytes):  # pings of the socket itself are no frames of ours
                    self.give(Frame(self.name, PUBLIC, frame.encode() if isinstance(frame, str) else frame))
            if self.now_ns >= self.wake_ns:
                self.wake_ns = self.now_ns + 10**12
                self.give(Timer())
        self.give(LinkDown(self.name, PUBLIC, "the recording ends"))
        self.tape.close(self.session.digest.hexdigest())


def record(name: str, folder: Path, *, seconds: float, depth: int) -> Path:
    """Writes `books.tape.zst` into `folder`; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"books{ENDING}"
    path.unlink(missing_ok=True)
    Recorder(name, path, SYMBOLS.get(name, USDT), depth).run(seconds)
    return path


def origins(folder: Path, what: dict[Path, str], made: str = "record") -> None:
    """Writes `origin.toml`; entries of other files that are there stay."""
    path = folder / "origin.toml"
    told = tomllib.loads(path.read_text()) if path.is_file() else {}
    for file, text in what.items():
        held = file.read_bytes()
        told[file.name] = {"what": text, "sha256": hashlib.sha256(held).hexdigest(), "size": len(held)}
    lines = [f"# Made here: uv run python -m tests.conformance.{made}", ""]
    for name, entry in told.items():
        lines += [f'["{name}"]', *(f"{key} = {json.dumps(value)}" for key, value in entry.items()), ""]
    path.write_text("\n".join(lines[:-1]) + "\n")


def main(names: list[str]) -> None:
    for name in names or NATIVE:
        venue = registry.load(name)
        folder = ROOT / "fixtures" / name / "conformance"
        path = record(name, folder, seconds=SECONDS, depth=DEPTHS.get(name, 10))
        accept(venue, folder)
        golden = Tape(path, venue).golden
        what = {
            path: f"{SECONDS:g} s of runtime/sim/{name}, seed 9, followed by our session in virtual time",
            golden: "what our session answered, input by input: reviewed, and accepted by `record.py`",
        }
        origins(folder, what)
        print(f"{name}: {path.stat().st_size} bytes")


SECONDS = 4.0
DEPTHS: dict[str, int] = {}

if __name__ == "__main__":
    main(sys.argv[1:])
