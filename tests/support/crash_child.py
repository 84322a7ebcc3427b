"""The process that is killed: real Session, Keeper, journal and exit, for ever.

Before each turn its input is appended to a file, so that the turns before the kill can be lived through again. The
number of a turn goes into a pipe once its record is durable: that is what was promised.
"""

import asyncio
import os
import random
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

from connectors.events import Notice
from connectors.session import Reconnect, Send
from risk.limits import SECOND_NS
from runtime.exit import Exit
from runtime.inputs import Input, VenueOutput
from runtime.inputs import Output as EngineOutput
from runtime.journal.chain import Row
from runtime.journal.keeper import JournalPlan, Keeper
from runtime.journal.store import Done, Journal
from runtime.memory import SessionMemory
from runtime.person import Surroundings
from runtime.tape import encode_input
from tests.support.crash_world import DAY_NS, MS, Krakens, Plan, Venues, session_of, spec_of, word

WAITING: Final = 24  # turns whose record may be on its way


class Life:
    """One session from its start to the kill."""

    def __init__(self, plan: Plan, keeper: Keeper, told: int) -> None:
        self._plan = plan
        self._told = told
        self._journal = keeper.journal
        memory = keeper.journal.memory
        self._session = session_of(keeper.continued(spec_of(plan)))
        self._waits: list[Input] = []  # what came up, to be fed next
        self._exit = Exit(self._session, self._send, self._waits.append, keeper.journal)
        keeper.attach(self._session, self._seal, lambda _: os._exit(3))
        left = memory.gate if memory is not None else None
        self._feed: Krakens | Venues = Krakens(plan.seed) if plan.is_paper else Venues(plan, left)
        self._dice = random.Random(f"life {plan.seed}")
        self._now_ns = plan.begin_ns
        self._turns = 0

    async def run(self) -> None:
        """For ever: somebody kills it."""
        inputs = os.open(self._plan.inputs, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._waits.extend(self._feed.begin(self._now_ns))
        while True:
            if not self._waits:
                self._pass_time()
            while self._waits:
                self._now_ns += 1  # no two turns at one moment: a row says which turn it is of
                given = self._waits.pop(0)
                self._turns += 1
                os.write(inputs, encode_input(self._turns, self._now_ns, given))
                self._session.step(given, self._now_ns, self._carry)
            await asyncio.sleep(0)
            while self._journal.waiting > WAITING:
                await asyncio.sleep(0)

    def _pass_time(self) -> None:
        dice = self._dice
        self._now_ns += dice.randint(1, 30) * MS
        if dice.random() < 0.004:
            self._now_ns += dice.choice((2, 30, 400)) * SECOND_NS
        elif dice.random() < 0.004:
            self._now_ns += DAY_NS - self._now_ns % DAY_NS  # midnight
        if dice.random() < (0.2 if self._plan.is_paper else 0.08):
            self._waits.append(word(dice, self._plan.unit_1e8, self._now_ns))
        if isinstance(self._feed, Venues) and dice.random() < 0.02:
            self._waits.extend(self._feed.agreed())
        self._waits.extend(self._feed.step(self._now_ns))

    def _carry(self, outputs: list[EngineOutput]) -> None:
        for output in outputs:
            match output:
                case VenueOutput(_, Send()):
                    self._exit.offer(output)
                case VenueOutput(venue, Reconnect(_, reason)):
                    self._waits.extend(self._feed.hang_up(venue, reason, self._now_ns))
                case Notice(_, text):
                    assert "point of exit" not in text, text

    def _send(self, venue: str, link: str, data: bytes) -> None:
        del link
        self._waits.extend(self._feed.take(venue, data, self._now_ns))

    def _seal(self) -> Done:
        released, turn = self._exit.seal(), self._turns

        def durable() -> None:
            os.write(self._told, b"%d\n" % turn)
            if released is not None:
                released()

        return durable


async def _live(plan: Plan, told: int) -> None:
    with Keeper(JournalPlan(plan.journal, plan.durability, "ana"), lambda *_: None, Surroundings()) as keeper:
        life, checking = Life(plan, keeper, told), asyncio.create_task(keeper.run())
        await life.run()
        await checking


def live_there(plan: Plan, told: Connection) -> None:
    """What a process of its own runs, until it is killed."""
    if plan.spoil:
        _forgetful(plan.spoil)
    asyncio.run(_live(plan, told.fileno()))


def _forgetful(turns: int) -> None:
    """A keeper that is wrong: it writes the memory of every so many-th turn that changed it."""
    append, count = Journal.append, 0

    def less(
        journal: Journal, rows: Sequence[Row], memory: SessionMemory | None = None, on_durable: Done | None = None, *,
        now_ns: int = 0,
    ) -> None:  # fmt: skip
        nonlocal count
        count += memory is not None
        append(journal, rows, memory if count % turns == 1 else None, on_durable, now_ns=now_ns)

    replaced: Any = Journal
    replaced.append = less
