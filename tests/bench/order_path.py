"""One live session, from a guest's action to the link, without a socket: what `orders.py` measures.

Everything is the real thing but both ends: a Python guest that asks for orders when told, and a link that takes bytes.
Engine, gate, OMS, Kraken's private session with its encoder, tap, outbox and the journal with its thread stand between,
on an asyncio loop as in `runtime/live.py`. The venue's side says what the bench tells it, in frames
(`tests/support/exit_parts.Told`).
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.events import ExecReport, ExecType
from connectors.instrument import Instrument
from connectors.orders import Action, Approved
from connectors.session import PUBLIC, Send, TradingPlan
from connectors.venues.kraken.trading import KrakenTrading
from runtime.exit import Exit
from runtime.inputs import Command, Frame, LinkUp, Output, VenueOutput
from runtime.journal.store import Journal
from runtime.journal.watch import Watch
from runtime.port import OURS, VenueSpec
from runtime.session import Session
from runtime.spec import AlgoSpec, EngineSpec
from runtime.wirevenue import SessionVenue
from tests.bench.stopwatch import Stopwatch
from tests.support.exit_parts import FIRST, START_NS, WIDE
from tests.support.puppet import Puppet, order

STEP_NS: Final = 3 * 10**9  # Kraken's rate counter forgets sixteen orders in two of them
# without an account to be compared with Kraken's record, which is no part of an order's way
BARE: Final = msgspec.structs.replace(FIRST, trading=None)
LIMITS: Final = msgspec.structs.replace(WIDE, max_order_rate=100)  # its window is kept in the memory, at most so long
BID_1E9, ASK_1E9 = 62_799_900_000_000, 62_800_100_000_000
QTY_1E8: Final = 1_000_000
INSTRUMENT: Final = Instrument.parse("kraken", "BTC/USD:1:8")
WAIT_S: Final = 30.0
_BOOK: Final = msgspec.json.encode(
    {"book": [0, [[BID_1E9 - n * 10**8, 10**8] for n in range(10)], [[ASK_1E9 + n * 10**8, 10**8] for n in range(10)]]}
)


class WrongPathError(AssertionError):
    """What left is not what was asked for and recorded: nothing measured counts."""


class OpenTrading(KrakenTrading):
    """Kraken's private session as if key, token and subscriptions were there: orders go through the rest of it."""

    def __init__(self, plan: TradingPlan) -> None:
        super().__init__(plan)
        self._told = ""

    def why(self, now_ns: int) -> str:
        del now_ns
        return ""


class OrderPath:
    """`orders(count)` has the guest ask for so many in one callback. Made and used on a running loop.

    `sent`: every message that reached the link. `approved`: the last approval of the gate.
    """

    def __init__(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        self.sent: list[bytes] = []
        self.approved: Approved[Any] | None = None
        self.journal = Journal.open(
            path, "process", tell=lambda *_: None, on_failure=self._wrong, soon=loop.call_soon_threadsafe
        )
        self._guest = Puppet("on_book").on("on_book", self._asks)
        venue = VenueSpec(venue=BARE, depth=10, instruments={INSTRUMENT.symbol: INSTRUMENT})
        self.session = Session(
            EngineSpec(
                venues=(venue,), symbols=(INSTRUMENT.symbol,), limits=LIMITS, is_paper=False,
                algos=(AlgoSpec("bench", self._guest, (INSTRUMENT.symbol,)),),
            )
        )  # fmt: skip
        engine = self.session.engine
        plan = TradingPlan(((0, INSTRUMENT.symbol),), engine.instruments, OURS, {"tier": "pro"})
        self.trading = OpenTrading(plan)
        engine.desk.papers[0] = SessionVenue(self.trading)
        self.exit = Exit(self.session, self._left, self._command, self.journal)
        self.watch = Watch(self.journal, self.session, who="bench", now_ns=START_NS, seal=self.exit.seal)
        self.session.watchers.append(self.watch)
        self._path = path
        self._now_ns = START_NS
        self._asked = self._wanted = 0
        self._begin = self._end = 0.0
        self._all_left = loop.create_future()
        self._reader: sqlite3.Connection | None = None
        self._problem = ""
        self._step(LinkUp("kraken", PUBLIC))

    # --- both ends -------------------------------------------------------------------------------------------------

    def _asks(self, _: Puppet) -> list[Action]:
        """Limit buys a little under the bid, each at a price of its own. The time begins where they are handed over."""
        first, self._asked = self._asked, self._asked + self._wanted
        price = BID_1E9 - 10**9
        actions = [order(first + n + 1, 1, QTY_1E8, price - n * 10**8, order_type=0) for n in range(self._wanted)]
        self._guest.heard.clear()
        self._begin = time.perf_counter()
        return actions

    def _left(self, _venue: str, _link: str, data: bytes) -> None:
        self._end = time.perf_counter()
        self.sent.append(data)
        if self._reader is not None:
            self._is_recorded(data)
        if len(self.sent) == self._asked and not self._all_left.done():
            self._all_left.set_result(None)

    def _command(self, command: Command) -> None:
        self._wrong(f"the exit says {command.name}: {command.target}")

    def _wrong(self, problem: str) -> None:
        """Found in a callback of the loop, from which nothing can be raised: whoever waits for the orders raises it."""
        self._problem = self._problem or problem
        if not self._all_left.done():
            self._all_left.set_exception(WrongPathError(problem))

    # --- turns -----------------------------------------------------------------------------------------------------

    def _step(self, given: Frame | LinkUp) -> None:
        self.session.step(given, self._now_ns, self._carry)

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, VenueOutput) and isinstance(output.output, Send) and output.output.approval:
                self.exit.offer(output)

    async def orders(self, count: int, ended: Callable[[], None] = lambda: None) -> float:
        """Seconds from the guest's answer to the last of its orders at the link; `ended` is called there.

        Then they are ended, untimed.
        """
        self._wanted, self._now_ns = count, self._now_ns + STEP_NS
        self._all_left = asyncio.get_running_loop().create_future()
        denied = self.session.engine.desk.denied
        self._step(Frame("kraken", PUBLIC, _BOOK))
        if denied:
            raise WrongPathError(f"orders were denied: {dict(denied)}")
        await asyncio.wait_for(self._all_left, WAIT_S)
        took = self._end - self._begin
        ended()
        await self._over(count)
        return took

    async def _over(self, count: int) -> None:
        """The venue acknowledges and cancels what it got, and all of that is written."""
        self._wanted = 0
        self._now_ns += STEP_NS
        names = [self._params(data)["cl_ord_id"] for data in self.sent[-count:]]
        reports = [
            ExecReport(client_order_id=name, exec_type=kind, instrument=0)
            for name in names
            for kind in (ExecType.NEW, ExecType.CANCELED)
        ]
        self._step(Frame("kraken", PUBLIC, msgspec.json.encode({"reports": reports})))
        if self.session.engine.oms.orders:
            raise WrongPathError(f"{len(self.session.engine.oms.orders)} orders are open that were cancelled")
        is_written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.journal.append([], None, lambda: is_written.set_result(None))
        await asyncio.wait_for(is_written, WAIT_S)

    # --- proof -----------------------------------------------------------------------------------------------------

    async def proven(self, count: int) -> None:
        """The same, untimed: each order's record is in the file, for another connection, before its bytes leave."""
        gate = self.session.engine.gate
        hook = gate.on_approved

        def minted(approved: Approved[Any]) -> None:
            self.approved = approved
            hook(approved)

        gate.on_approved = minted
        self._reader = sqlite3.connect(f"{self._path.resolve().as_uri()}?mode=ro", uri=True)
        try:
            await self.orders(count)
        finally:
            gate.on_approved = hook
            self._reader.close()
            self._reader = None

    def _is_recorded(self, data: bytes) -> None:
        assert self._reader is not None
        name = self._params(data)["cl_ord_id"]
        query = "SELECT count(*) FROM log WHERE kind = 'action' AND json_extract(body, '$.client_order_id') = ?"
        if self._reader.execute(query, (name,)).fetchone()[0] != 1:
            self._wrong(f"{name} leaves, and its record is not in the journal")

    @staticmethod
    def _params(data: bytes) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(data)["params"]
        return found

    def check(self) -> None:
        """Ends the journal and compares: as many orders left as were asked for, each once, each as it was asked for.

        Raises WrongPathError.
        """
        failed = self.journal.close() or self._problem
        params = [self._params(data) for data in self.sent]
        names = {one["cl_ord_id"] for one in params}
        if failed or len(names) != len(self.sent) or len(names) != self._asked:
            raise WrongPathError(failed or f"{len(self.sent)} messages of {len(names)} orders, {self._asked} asked for")
        for one in params:
            asked = one["symbol"], one["side"], one["order_type"], round(one["order_qty"] * 10**8)
            if asked != (INSTRUMENT.symbol, "buy", "limit", QTY_1E8):
                raise WrongPathError(f"an order left as {one}")
        if self.session.engine.tap.passed != self._asked or self.session.engine.tap.difference:
            raise WrongPathError(f"the tap let {self.session.engine.tap.passed} of {self._asked} pass")
        self._count_rows()

    def _count_rows(self) -> None:
        connection = sqlite3.connect(self._path)
        try:
            query = "SELECT count(*) FROM log WHERE kind = 'action' AND json_extract(body, '$.verdict') = 'approved'"
            found = connection.execute(query).fetchone()[0]
        finally:
            connection.close()
        if found != self._asked:
            raise WrongPathError(f"the journal holds {found} approved orders of {self._asked}")

    # --- stopwatches -----------------------------------------------------------------------------------------------

    def watched(self) -> tuple[Stopwatch, Stopwatch]:
        """Lays stopwatches on it: the loop's and the journal's thread's."""
        loop, writer = Stopwatch(), Stopwatch()
        engine = self.session.engine
        loop.on(engine.gate, "check_new", "gate: all checks, the approval")
        loop.on(engine.gate, "on_approved", "tap: what is to be expected")
        loop.on(engine.oms, "submit", "oms")
        loop.on(engine.desk.papers[0], "submit", "kraken's session: rate counter, in flight")
        loop.on(self.trading.out._encoder, "submit", "encode")
        loop.on(self.exit, "_meant", "exit: whether it must wait for its record")
        loop.on(engine.tap, "leaving", "tap: bytes read again and compared")
        loop.on(self.session.digest, "update", "hash")
        loop.on(engine, "remember", "journal: the memory, made")
        loop.on(self.journal, "append", "journal: hand-over to its thread")
        self.session.watchers[:] = [loop.timed(self.watch, "journal: the rows, made")]
        writer.on(self.journal._writer, "_commit", "commit: rows, chain, memory as JSON, SQLite")
        return loop, writer
