"""The drill: pulls the switch of a paper session on purpose, measures it, arms again, and leaves a record.

What is measured is the path that a real pull takes: from another thread through the main loop to the cancels and to the
proof. It never takes back what somebody else did: it does not begin unless everything is ACTIVE and unlatched, looks
again when it has waited for an order, and does not arm unless what stops the session is its own pull and nothing else.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from connectors.errors import ConfigError
from risk.states import ALL
from runtime.control_client import Request, ask
from runtime.killswitch import KillSwitch, Pull

if TYPE_CHECKING:
    from runtime.person import Person

ROUNDS_MAX: Final = 1000
OPEN_S: Final = 3.0  # how long a round waits for an order that it can cancel
FLAT_S: Final = 5.0  # how long a round waits for the proof
ROUND_S: Final = OPEN_S + FLAT_S + 2.0
MAIN_S: Final = 2.0
_POLL_S: Final = 0.01
MEASURES: Final = ("latched_ns", "denied_ns", "cancel_ns", "flat_ns")

OnMain = Callable[[Callable[[], dict[str, Any]], float], Awaitable[dict[str, Any]]]


class Drill:
    """One drill of a running session. `on_main` does something on its main loop, within so many seconds."""

    def __init__(self, switch: KillSwitch, person: "Person", who: str, on_main: OnMain) -> None:
        self._switch = switch
        self._person = person
        self._who = who
        self._name = f"drill of {who}"[:64]
        self._on_main = on_main

    async def run(self, rounds: int) -> dict[str, Any]:
        """The record, with each measure's p50, p99 and max. Raises ConfigError; then what was halted stays so."""
        if not 1 <= rounds <= ROUNDS_MAX:
            raise ConfigError(f"{rounds} rounds", place="drill", mend=f"1 … {ROUNDS_MAX}")
        pulls = [await self._round() for _ in range(rounds)]
        return await self._on_main(lambda: self._record(pulls), MAIN_S)

    async def _round(self) -> Pull:
        await self._on_main(self._check, MAIN_S)
        await self._something_open()
        before = (await self._on_main(self._check, MAIN_S))["kills"]
        pull = self._switch.pull(who=self._name)
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(pull.done)), FLAT_S)
        if pull.flat_ns < 0:
            problem = pull.problem or f"{pull.open} orders were still open after {FLAT_S:.0f} s"
            raise ConfigError(f"the drill failed: {problem}", mend="it stays HALTED: find out why, then gateway arm")
        await self._on_main(lambda: self._arm(before + 1), MAIN_S)
        return pull

    def _check(self) -> dict[str, Any]:
        """How often anything was stopped so far: whatever comes after this look shows in it."""
        engine = self._person.session.engine
        if not (engine.spec.is_paper or engine.spec.is_sim):
            raise ConfigError("a drill cancels every order: not in a live session", mend="drill on paper, or --sim")
        if self._switch.waiting or engine.gate.states.causes:
            scopes = ", ".join(engine.gate.states.causes) or ALL
            raise ConfigError(
                f"not everything is ACTIVE ({scopes})", mend="a drill would arm it: do that first, by hand"
            )
        if held := self._switch.held_by:
            raise ConfigError(f"{held}: nothing could be armed afterwards", mend="remove the file first")
        if latched := self._latched():
            raise ConfigError(f"latched: {', '.join(latched)}", mend="a drill would take it off: gateway arm, by hand")
        return {"kills": self._switch.kills}

    def _latched(self) -> list[str]:
        engine = self._person.session.engine
        found = [f"{one.scope} {one.key}" for one in engine.gate.standing() if one.latched]
        found += [f"algo:{engine.algos[algo].name} repeats" for algo in engine.gate.repeat_latched]
        if engine.tap.difference:  # a halt of everything, and no switch shows it where everything was HALTED already
            found.append("point of exit")
        return found

    async def _something_open(self) -> None:
        """An order to be cancelled, if any algo places one in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(OPEN_S):
                while not (await self._on_main(self._count_open, MAIN_S))["open"]:
                    await asyncio.sleep(_POLL_S)

    def _count_open(self) -> dict[str, Any]:
        return {"open": len(self._switch.scopes.open(ALL))}

    def _arm(self, kills: int) -> dict[str, Any]:
        self._switch.take()
        causes = self._person.session.engine.gate.states.causes
        is_own = set(causes) == {ALL} and (causes[ALL].what, causes[ALL].who) == ("kill", self._name)
        if self._switch.kills != kills or not is_own or self._latched() or self._switch.held_by:
            raise ConfigError("something else stopped the session during the drill: not armed", mend="gateway status")
        self._switch.arm(ALL, self._name)
        return {}

    def _record(self, pulls: Sequence[Pull]) -> dict[str, Any]:
        around = self._person.around
        made = {"at_ns": self._person.clock(), "who": self._who, **summary(pulls)}
        around.last_drill = made
        if around.drilled is not None:
            around.drilled(made)
        self._person.look()
        return {**made, "kept": "journal" if around.drilled is not None else "this process only: no journal is kept"}


def summary(pulls: Sequence[Pull]) -> dict[str, Any]:
    """Of several rounds: how many had something to cancel, and each measure's spread."""
    return {
        "rounds": len(pulls), "exercised": sum(pull.cancelled > 0 for pull in pulls),
        "cancelled": sum(pull.cancelled for pull in pulls),
        **{name: spread([getattr(pull, name) for pull in pulls]) for name in MEASURES},
    }  # fmt: skip


def spread(values: Sequence[int]) -> dict[str, int]:
    """p50, p99 (nearest rank) and max."""
    ranked = sorted(values)
    return {
        "p50": ranked[(len(ranked) - 1) // 2], "p99": ranked[-(-99 * len(ranked) // 100) - 1], "max": ranked[-1],
    }  # fmt: skip


def simulated(rounds: int, seed: int, who: str) -> dict[str, Any]:
    """`gateway drill --sim`: an embedded paper session of the demo algo in this process. Raises ConfigError."""
    return asyncio.run(_simulated(rounds, seed, who))


async def _simulated(rounds: int, seed: int, who: str) -> dict[str, Any]:
    import io

    from connectors.registry import load
    from runtime.config import paper_limits
    from runtime.deploy import guests_for, spec_of, venue_spec
    from runtime.live import serve
    from runtime.screen import Screen
    from runtime.sim.paper import Fees

    symbols = ["BTC/USD"]
    venue = venue_spec(load("kraken"), depth=10, depth_from="drill")
    spec = spec_of([venue], symbols, guests_for(symbols, None), paper_limits(), fees=Fees(), tag="drill")
    with tempfile.TemporaryDirectory(prefix="venuegate-drill-") as folder:
        path = Path(folder) / "control.sock"
        running = asyncio.create_task(
            serve(spec, urls={}, sim_seed=seed, screen=Screen(io.StringIO()), record=None, algo_paths={},
                  duration_s=None, control=path)
        )  # fmt: skip
        try:
            while not path.exists() and not running.done():
                await asyncio.sleep(_POLL_S)
            request = Request("drill", who=who, rounds=rounds)
            told = await asyncio.to_thread(ask, path, request, timeout_s=rounds * ROUND_S)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    return {key: value for key, value in told.items() if key not in ("ok", "kept")}
