"""A gateway as it runs: its own loop, its control socket, the embedded venue; for tests of what stops it."""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from connectors.registry import load
from runtime.config import paper_limits
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.guest import Guest
from runtime.journal.keeper import JournalPlan
from runtime.live import Live, serve
from runtime.person import Surroundings
from runtime.python.guest import PythonGuest
from runtime.screen import Screen
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec

SECONDS = 30.0
# rests one order far below, then does what the test says
PYTHON = """
import time
from runtime.pyalgo import Algo, log

class Mine(Algo):
    def __init__(self):
        self.calls = 0

    def on_book(self, book, state, features, actions):
        self.calls += 1
        if self.calls == 3:
            actions.post_only_buy(1, 1_000_000, (book.bids[0].px_1e9 // 10**9 - 500) * 10**9)
        if self.calls >= 6:
            {then}

ALGO = Mine
"""
STUCK = {
    "loops": "while True: pass",
    "catches exceptions": "\n".join(
        ["while True:", "                try:", "                    while True: time.sleep(0)",
         "                except Exception: pass"]),
    "sleeps": "time.sleep(1000)",
}  # fmt: skip


def python(then: str) -> PythonGuest:
    return PythonGuest(PYTHON.format(then=then).encode(), name="mine.py")


class Running:
    """A gateway that runs; `ask` speaks to its socket, `live` is the session's."""

    def __init__(self, path: Path, task: "asyncio.Task[Live]", screen: io.StringIO) -> None:
        self.path = path
        self.task = task
        self.screen = screen

    async def ask(self, command: str, **fields: Any) -> dict[str, Any]:
        return await said(self.path, command=command, who="ana", **fields)


async def said(path: Path, **request: Any) -> dict[str, Any]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(json.dumps(request).encode() + b"\n")
    answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), SECONDS))
    writer.close()
    return answer


@asynccontextmanager
async def running(
    folder: Path, guests: Sequence[tuple[str, Guest]], *, around: Surroundings | None = None,
    kill_file: Path | None = None, journal: JournalPlan | None = None,
) -> AsyncIterator[Running]:  # fmt: skip
    """On the loop that runs, for as long as the block lasts."""
    made, path, screen = Guests(), folder / "control.sock", io.StringIO()
    for name, guest in guests:
        made.add(AlgoSpec(name, guest, ("BTC/USD",)))
    venue = venue_spec(load("kraken"), depth=10, depth_from="test")
    spec = spec_of([venue], ["BTC/USD"], made, paper_limits(), fees=Fees(), tag="t")
    task = asyncio.create_task(
        serve(spec, urls={}, sim_seed=1, screen=Screen(screen), record=None, algo_paths={}, duration_s=SECONDS,
              control=path, around=around, kill_file=kill_file, journal=journal)
    )  # fmt: skip
    await until(lambda: path.exists() or task.done())
    try:
        yield Running(path, task, screen)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def live_of(gateway: Running) -> Live:
    """The session's, found among what its task runs."""
    frame = gateway.task.get_stack()[0]
    found: Live = frame.f_locals["live"]
    return found


async def until(condition: Callable[[], bool]) -> None:
    """Fails when it has not come true after half a minute."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.005)
