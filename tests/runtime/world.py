"""A small recording made by others, and `gateway` as a person calls it, for the tests of this folder."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from runtime.cli import app
from runtime.sim.kraken import KrakenSim
from runtime.sim.market import Market

ROOT = Path(__file__).resolve().parents[2]
GATEWAY = [sys.executable, "-m", "runtime"]
INSTRUMENT = "BTC/USD:1:8"
T0 = 1_786_874_645_000_000_000


def recording(path: Path, *, seconds: float = 8, seed: int = 3) -> Path:
    """What somebody's recorder would have kept of the embedded venue, in virtual time, from the acks on."""
    sim = KrakenSim(Market(seed=seed))
    now_ns = T0
    connection, frames = sim.connect(now_ns)
    for number, channel in enumerate(("book", "trade"), 1):
        params = {"channel": channel, "symbol": ["BTC/USD"], **({"depth": 10} if channel == "book" else {})}
        frames += connection.receive(json.dumps({"method": "subscribe", "params": params, "req_id": number}), now_ns)
    with path.open("w") as out:
        while True:
            for frame in frames:
                out.write(json.dumps({"recv_ns": now_ns, "raw": frame}) + "\n")
            now_ns += 7_000_000
            if now_ns > T0 + seconds * 1e9:
                return path
            frames = [frame for _, sent in sim.tick(now_ns) for frame in sent]


def gateway(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def told(*words: object) -> dict[str, Any]:
    """The one JSON object that a command prints, which must end well."""
    result = gateway(*words, "--json")
    assert result.exit_code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    value: dict[str, Any] = json.loads(line)
    return value


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def start(folder: Path, *words: str, stderr: int = subprocess.PIPE) -> Iterator["subprocess.Popen[str]"]:
    """`serve --sim` as a process of its own, which a failed test does not leave behind."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*GATEWAY, "serve", "--venues", "kraken", "--sim", "--json", *words],
        stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=folder, env=env,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
