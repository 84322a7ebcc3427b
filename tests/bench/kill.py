"""How quickly the kill switch works: `uv run python -m tests.bench.kill`, `--rounds N`. Prints, asserts nothing.

Latch to no new order (the loop took the pull) and latch to the cancels handed over, p50 / p99 / max in ms, while what
the switch might depend on is broken: guests that burn their fuel, a Python algo that never returns, a journal that
somebody locked, a venue that refuses cancels, money that is no number. The goals are p99 10 ms and 100 ms.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from connectors.orders import OrderType
from runtime.control_client import Request, ask
from runtime.drill import spread
from runtime.guest import Guest
from runtime.host import AlgoHost
from runtime.journal.keeper import JournalPlan
from runtime.killswitch import KillSwitch
from runtime.spec import AlgoSpec
from tests.support.guests import every, guest
from tests.support.kill_live import STUCK, python, running
from tests.support.kill_world import P, Q, World
from tests.support.puppet import Puppet, at, order

QUOTES = every(3, below_1e9=500_000_000_000, order_type=OrderType.LIMIT)
# nearly all of a callback's million
COUNTER = "(global $n (mut i32) (i32.const 0))"
BURNS = """
    (i32.store (i32.const 1024) (i32.const 0))
    (global.set $n (i32.const 120000))
    (loop $again
      (global.set $n (i32.sub (global.get $n) (i32.const 1)))
      (br_if $again (global.get $n)))"""
Pulls = list[dict[str, Any]]


def quotes() -> tuple[str, Guest]:
    return "quotes", AlgoHost(QUOTES, name="quotes")


async def live(guests: Sequence[tuple[str, Guest]], rounds: int, journal: Path | None = None) -> Pulls:
    """Pulls from outside, armed again each time; with a journal, while another process's lock is on it."""
    plan = JournalPlan(journal) if journal is not None else None
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), guests, journal=plan) as gateway:
            pulls = []
            for _ in range(rounds):
                await asyncio.sleep(0.15)
                if journal is None:
                    pulls.append(await gateway.ask("kill"))
                    await gateway.ask("arm")
                else:
                    with closing(sqlite3.connect(journal)) as hostile:
                        hostile.execute("BEGIN IMMEDIATE")
                        pulls.append(await gateway.ask("kill"))
            return pulls


async def stuck(how: str) -> Pulls:
    """One pull: the algo is out afterwards."""
    algo = python(STUCK[how])

    def outside(path: Path) -> dict[str, Any]:
        while algo._algo.calls < 6:  # type: ignore[attr-defined]
            time.sleep(0.005)
        return ask(path, Request("kill", who="bench"), timeout_s=20)

    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), [("stuck", algo), quotes()]) as gateway:
            return [await asyncio.to_thread(outside, gateway.path)]


def world(rounds: int, *, refuses: bool = False, garbage: bool = False) -> Pulls:
    """Sixteen orders open at a venue that is no paper; taken by the same thread, so without the loop's own delay."""
    pulls = []
    for _ in range(rounds):
        puppet = Puppet("on_book")
        made = World([AlgoSpec("a", puppet, ("BTC/USD",))])
        made.switch = KillSwitch(made.session, made.feed, lambda *_: None)
        puppet.on("on_book", at(1, *(order(1 + k, 1, Q, 99 * P, order_type=0) for k in range(16))))
        made.book(0)
        made.exchanges["sim"].trades = False
        made.exchanges["sim"].refuses = refuses
        made.run(ms=100)
        if garbage:
            for exposure in made.engine.gate.account.exposures:
                exposure.mark.mid_sum_1e9 = float("nan")  # type: ignore[assignment]
        pull = made.switch.pull(who="bench")
        made.switch.take()
        made.run(pull.done.done, ms=1_000)
        pulls.append(pull.told())
    return pulls


def show(name: str, pulls: Pulls) -> None:
    cells = []
    for key in ("denied_ns", "cancel_ns"):
        found = spread([pull[key] for pull in pulls])
        cells.append(" / ".join(f"{found[rank] / 1e6:8.3f}" for rank in ("p50", "p99", "max")))
    print(f"{name:<34} {len(pulls):>4}  {cells[0]}   {cells[1]}")


def main() -> None:
    """Every broken dependency, one line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    print(f"{'ms, p50 / p99 / max':<34} {'n':>4}  {'latch → no new order':<30}   latch → cancels handed over")
    show("nothing is broken", asyncio.run(live([quotes()], rounds)))
    burning = [(f"burns{n}", AlgoHost(guest(BURNS, globals_=COUNTER), name="burns")) for n in range(4)]
    show("four guests burn their fuel", asyncio.run(live([*burning, quotes()], rounds)))
    for how in STUCK:
        show(f"Python: {how}", [asyncio.run(stuck(how))[0] for _ in range(max(rounds // 8, 1))])
    with tempfile.TemporaryDirectory() as folder:
        locked = [
            asyncio.run(live([quotes()], 1, Path(folder) / f"{n}.db"))[0] for n in range(max(rounds // 8, 1))
        ]  # fmt: skip
    show("journal locked by somebody", locked)
    show("venue, no paper", world(rounds))
    show("venue refuses cancels (429)", world(rounds, refuses=True))
    show("marks are NaN", world(rounds, garbage=True))


if __name__ == "__main__":
    main()
