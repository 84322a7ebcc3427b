"""A live session's journal: opened before the session is made, asked every tenth of a second, ended with it."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from connectors.errors import ConfigError
from risk.happenings import LimitChanged
from risk.limit_changes import Change, changes, tightened
from risk.limits import tree_of
from runtime.journal import reader, rows
from runtime.journal.schema import Durability
from runtime.journal.store import Done, Journal
from runtime.journal.watch import Watch
from runtime.person import Surroundings
from runtime.session import Session
from runtime.spec import EngineSpec

CHECK_S: Final = 0.1
Tell = Callable[[str, str], None]


class JournalPlan(msgspec.Struct, frozen=True):
    """Which journal, and what it survives. `is_confirmed`: limits looser than those it remembers are meant."""

    path: Path
    durability: Durability = "process"
    who: str = ""
    is_confirmed: bool = False


class Keeper:
    """Made and entered on the session's loop. `around` is told what the journal knows."""

    def __init__(self, plan: JournalPlan, tell: Tell, around: Surroundings) -> None:
        self._plan = plan
        self._tell = tell
        self._around = around
        self._failed: Callable[[str], None] = lambda _: None
        self._watch: Watch | None = None
        self._changed: list[Change] = []  # limits that differ from those the journal remembers
        loop = asyncio.get_running_loop()
        self.journal = Journal.open(
            plan.path, plan.durability, tell=tell, on_failure=self._fails,
            soon=loop.call_soon_threadsafe,
        )  # fmt: skip

    def __enter__(self) -> Self:
        found = reader.show(self._plan.path, kinds=["drill"], order="", since_ns=0, limit=1)
        if found:
            self._around.last_drill = found[-1]["body"]
        self._around.journal = self._told
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.close()

    def continued(self, spec: EngineSpec) -> EngineSpec:
        """The session that follows the one before: with its memory, and limits no looser unless that was confirmed."""
        memory = self.journal.memory
        if memory is None:
            return spec
        given, before = tree_of(spec.limits), memory.gate.limits
        if before is not None and not self._plan.is_confirmed:
            tree = tightened(before, given)
            for change in changes(tree, given):
                text = f"{change.text}: looser than the journal remembers, needs serve --confirm"
                self._tell(text, "warning")
            given = tree
        if before is not None:  # a person's word outlives the session, whatever the file says
            promoted = tuple(dict.fromkeys((*given.promoted, *before.promoted)))
            given = msgspec.structs.replace(given, promoted=promoted)
        self._changed = changes(before, given) if before is not None else []
        for scope, cause in memory.gate.causes.items():
            self._tell(f"{scope} is {cause.state} since before: {cause.what} by {cause.who}", "warning")
        for scope, days in memory.gate.days.items():
            for quote, day in days.items():
                for reason in day.latches:
                    self._tell(f"{scope} is latched since before: {reason} in {quote}", "warning")
        for name in (*(f"algo:{algo}" for algo in memory.gate.repeat_latched), *memory.gate.drifts):
            self._tell(f"{name} is latched since before", "warning")
        return msgspec.structs.replace(spec, limits=given, memory=memory)

    def attach(self, session: Session, seal: Callable[[], Done | None], failed: Callable[[str], None]) -> None:
        """Every turn of this session is written from now on."""
        self._failed = failed
        self._watch = Watch(self.journal, session, who=self._plan.who, now_ns=time.time_ns(), seal=seal)
        session.watchers.append(self._watch)
        self._around.drilled = self._drilled
        told = [LimitChanged(one.scope, one.key, one.before, one.after, self._plan.who) for one in self._changed]
        if told:
            now_ns = time.time_ns()
            self.journal.append([rows.happening(one, now_ns) for one in told])

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(CHECK_S)
            self.journal.check(time.monotonic())

    def end(self, session: Session, now_ns: int, outcome: str) -> str:
        """The last row; what went wrong with the journal, or nothing."""
        if self._watch is not None:
            self._watch.end(session, now_ns, outcome)
        return self.journal.close()

    def _fails(self, text: str) -> None:
        self._failed(text)

    def _told(self) -> dict[str, Any]:
        return {"path": str(self._plan.path), "durability": self._plan.durability, "failed": self.journal.failed}

    def _drilled(self, made: dict[str, Any]) -> None:
        if self._watch is None:
            raise ConfigError("no session is written yet", place=str(self._plan.path), mend="drill when it runs")
        self._watch.note("drill", made, made["at_ns"])
