"""kill -9 at random points of a whole session: what was acknowledged is there, and nothing got more permissive.

1,000 kills: with VENUEGATE_CRASHES=1000; CI runs 60. One journal lives through ten of them. What is checked after each
is in tests/support/crash_lives.py; the controls show that it finds what is forgotten. Last, `gateway serve` itself.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from risk import gate as gates
from risk import recall
from risk.memory import Day, Held, Memory
from risk.watch import Watch
from runtime.journal import reader
from runtime.journal.schema import Durability
from runtime.journal.store import Journal
from tests.journal.appender import Calls
from tests.runtime.world import gateway, start, told
from tests.support.crash_lives import Lives

CRASHES = int(os.environ.get("VENUEGATE_CRASHES", "60"))
A_JOURNAL = 10  # kills that one journal lives through
KINDS: list[tuple[bool, Durability]] = [(True, "process"), (False, "process"), (False, "power")]
LIMIT_S = 30.0
replaced = msgspec.structs.replace


@pytest.mark.slow
@pytest.mark.parametrize(("is_paper", "durability"), KINDS)
def test_a_kill_at_any_point_forgets_nothing_and_permits_nothing(
    tmp_path: Path, is_paper: bool, durability: Durability
) -> None:
    """And what could be forgotten was there: latches, halts, full windows, orders in doubt, midnight."""
    met = Counter[str]()
    for kill in range(kills := -(-CRASHES // len(KINDS))):
        if kill % A_JOURNAL == 0:
            seed = 10 * kill + KINDS.index((is_paper, durability))
            lives = Lives(tmp_path / f"{kill}", seed, durability, is_paper=is_paper)
        lives.one(lives.live())
        if kill % A_JOURNAL == A_JOURNAL - 1 or kill == kills - 1:
            met += lives.met + lives.fold.seen
    wanted = {"latch", "switch", "limit", "roll", "free"}
    if kills >= 10 * A_JOURNAL:  # whether they stand at the moment of a kill is chance
        wanted |= {"KILL_SWITCH", "latched", "reducing", "rate", *(() if is_paper else ("in doubt", "alike"))}
    assert kills < A_JOURNAL or not wanted - set(met), wanted - set(met)


def fault(check: Callable[[], None]) -> str:
    """How a check fails; "" if it does not."""
    try:
        check()
    except AssertionError as error:
        return str(error)
    return ""


# --- controls: what is forgotten is found -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("is_paper", [True, False])
def test_a_keeper_that_writes_the_memory_now_and_then_is_found(tmp_path: Path, is_paper: bool) -> None:
    """It writes that of every fourth turn that changed it; the rows of all turns are there, and whole."""
    lives = Lives(tmp_path / "a", 5, "process", is_paper=is_paper, spoil=4)
    found = ""
    while not found and lives.number < A_JOURNAL:
        found = fault(partial(lives.one, lives.live()))
    assert ", by the rows " in found
    assert reader.verify(lives.path)["verdict"] == "same"


def no_latches(memory: Memory) -> Memory:
    days = {s: {q: Day(d.start_1e17, d.peak_1e17, {}, d.is_day_open) for q, d in o.items()} for s, o in
            memory.days.items()}  # fmt: skip
    return replaced(memory, days=days, repeat_latched={})


def no_days(memory: Memory) -> Memory:
    return replaced(memory, days={s: {q: Day(0, 0, d.latches) for q, d in o.items()} for s, o in memory.days.items()})


def no_costs(memory: Memory) -> Memory:
    return replaced(memory, markets={name: Held(one.position_1e8, 0, 0) for name, one in memory.markets.items()})


FORGETS: dict[str, Callable[[Memory], Memory]] = {
    "states": lambda memory: replaced(memory, causes={}),
    "latches": no_latches,
    "windows": lambda memory: replaced(memory, windows={}),
    "equal orders": lambda memory: replaced(memory, equals=()),
    "orders that traded": lambda memory: replaced(memory, repeats=()),
    "refusals": lambda memory: replaced(memory, refusals=()),
    "orders in doubt": lambda memory: replaced(memory, open_orders=()),
    "canaries' orders": lambda memory: replaced(memory, orders_of={}),
    "the day's start": no_days,
    "what positions cost": no_costs,
    "positions of algos": lambda memory: replaced(memory, algos={}),
    "when the day ends": lambda memory: replaced(memory, day_end_ns=0),
}


ACTS = ("states", "latches", "windows")  # whose loss lets an order through there and then


@pytest.mark.slow
def test_a_restore_that_drops_anything_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As soon as there is something to drop; of halts, latches and full windows also by what is then let through."""
    lives, found, let_through = Lives(tmp_path / "a", 8, "process", is_paper=False), Counter[str](), Counter[str]()
    while set(found) != set(FORGETS) or not set(ACTS) <= set(let_through):
        assert lives.number < 5 * A_JOURNAL, (found, let_through)
        memory = lives.check(lives.live(60, 250))
        lives.number += 1
        for what, forget in FORGETS.items():
            if forget(memory.gate) == memory.gate or (what in found and (what not in ACTS or what in let_through)):
                continue

            def dropping(gate: Watch, given: Memory, forget: Callable[[Memory], Memory] = forget) -> None:
                recall.restore(gate, forget(given))

            with monkeypatch.context() as patch:
                patch.setattr(gates, "restore", dropping)
                with pytest.raises(AssertionError, match="after a restart"):
                    lives.restarts(memory)
                found[what] += 1
                let_through[what] += " may trade at " in fault(partial(lives.denied, memory))
        lives.number -= 1
        lives.next(memory)


# --- the gateway itself -----------------------------------------------------------------------------------------------

LIMITS = """\
[limits]
max_position = {position}
max_order_notional = 25000
max_order_rate = {rate}
max_capital = 1000000
price_collar_bps = 300
max_daily_loss = {loss}
"""
TIGHT = {"position": "0.5", "rate": "20", "loss": "500"}
LOOSE = {"position": "0.8", "rate": "20", "loss": "900"}


class Served:
    """A gateway of its own process on one journal; `kill` is kill -9."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]") -> None:
        self.process, self.control, self.journal = process, folder / "c.sock", folder / "j.db"
        self.said = ""

    def status(self) -> dict[str, Any]:
        return told("status", "--control", self.control)

    def until(self, holds: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        """The first status of which it holds."""
        deadline = time.monotonic() + LIMIT_S
        while True:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            result = gateway("status", "--control", self.control, "--json")
            if result.exit_code == 0 and holds(status := msgspec.json.decode(result.stdout)):
                found: dict[str, Any] = status
                return found
            time.sleep(0.02)

    def kill(self) -> Memory:
        """What it left."""
        self.process.kill()
        _, self.said = self.process.communicate(timeout=LIMIT_S)
        journal = Journal.open(self.journal, "process", tell=lambda *_: None, on_failure=pytest.fail, soon=Calls())
        assert journal.close() == ""
        assert journal.memory is not None
        return journal.memory.gate


def limit(status: dict[str, Any], key: str) -> dict[str, Any]:
    (found,) = [one for one in status["limits"] if (one["scope"], one["key"]) == ("account", key)]
    return dict(found)


def said(status: dict[str, Any]) -> tuple[int, int]:
    """The limits in force of position and day's loss."""
    return limit(status, "max_position_1e8")["limit"], limit(status, "max_daily_loss_1e9")["limit"]


def is_traded(status: dict[str, Any]) -> bool:
    return bool(status["counts"]["fills"] >= 3) and limit(status, "max_position_1e8")["observed"] > 0


def is_known(status: dict[str, Any]) -> bool:
    return not status["counts"]["open_orders"] and limit(status, "max_daily_loss_1e9")["is_known"] and all(
        book["valid"] for book in status["books"].values()
    )  # fmt: skip


def loss_by(memory: Memory, status: dict[str, Any]) -> int:
    """The day's loss ×1e9 from what was left and the mid that the status itself shows: capital is position × mid."""
    ((_, held),) = memory.markets.items()
    worth_1e17 = limit(status, "max_capital_1e9")["observed"] * 10**8 * (1 if held.position_1e8 > 0 else -1)
    cost_1e17 = held.cost_1e17 if held.position_1e8 > 0 else -held.cost_1e17
    start_1e17 = memory.days["account"]["USD"].start_1e17 if memory.days else 0
    return int(-(-(start_1e17 - held.realized_1e17 - worth_1e17 + cost_1e17) // 10**8))


@pytest.mark.slow
def test_a_gateway_that_was_killed_is_what_it_was(tmp_path: Path) -> None:
    """Position, day's loss, a halted algo, limits; three lives, and the tape of the last replays."""
    for name, values in (("tight", TIGHT), ("loose", LOOSE)):
        (tmp_path / f"{name}.toml").write_text(LIMITS.format(**values))
    common = "--symbols", "BTC/USD", "--journal", "j.db", "--control", "c.sock", "--limits"
    with start(tmp_path, *common, "tight.toml") as process:
        served = Served(tmp_path, process)
        served.until(is_traded)
        assert told("kill", "--scope", "algo:demo", "--control", served.control)["problem"] == ""
        before = served.until(is_known)
        left = served.kill()
    with start(tmp_path, *common, "loose.toml") as process:
        served = Served(tmp_path, process)
        after = served.until(is_known)
        again = served.kill()
    assert after["scopes"]["algo:demo"] == before["scopes"]["algo:demo"]
    assert after["scopes"]["algo:demo"]["state"] == "HALTED"
    position = limit(before, "max_position_1e8")["observed"]
    ((_, held),) = left.markets.items()
    assert limit(after, "max_position_1e8")["observed"] == position == abs(held.position_1e8)
    assert said(after) == said(before) == (5 * 10**7, 500 * 10**9)
    for key in ("max_position", "max_daily_loss"):
        assert f"account.{key} " in served.said
    assert served.said.count("looser than the journal remembers, needs serve --confirm") == 2
    assert loss_by(left, before) == limit(before, "max_daily_loss_1e9")["observed"]
    if again.day_end_ns == left.day_end_ns:  # it was not midnight between them
        assert loss_by(left, after) == limit(after, "max_daily_loss_1e9")["observed"]
        assert (again.markets, again.days, again.causes) == (left.markets, left.days, left.causes)
    words = "--confirm", "--record", "a.tape"
    with start(tmp_path, *common, "loose.toml", *words) as process:
        served = Served(tmp_path, process)
        last = served.until(is_known)
        process.terminate()
        stdout, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode in (0, 6)
    assert last["scopes"]["algo:demo"] == before["scopes"]["algo:demo"]
    assert said(last) == (8 * 10**7, 900 * 10**9)
    assert reader.verify(served.journal)["verdict"] == "same"
    replay = gateway("replay", tmp_path / "a.tape", "--json")
    assert msgspec.json.decode(replay.stdout)["hash"] == msgspec.json.decode(stdout)["hash"]
