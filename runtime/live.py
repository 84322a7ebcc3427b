"""The live hands: links in, Sends out, timers, tape, screen. One asyncio loop; the engine's turn never awaits."""

import asyncio
import gc
import os
import signal
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from connectors.errors import ConfigError, InputError
from connectors.events import Notice
from connectors.session import Reconnect, Send, WakeAt
from risk.states import ALL, TradingState
from risk.switchboard import GATEWAY
from runtime import traps
from runtime.clock import Clock, SystemClock
from runtime.control import ControlServer, Request
from runtime.decisions import Explainer
from runtime.doors import Door, doors_of
from runtime.exit import Exit
from runtime.inputs import Command, Input, Output, Timer, VenueOutput
from runtime.journal.keeper import JournalPlan, Keeper
from runtime.keylock import Counted
from runtime.killswitch import KillSwitch
from runtime.person import Person, Surroundings
from runtime.screen import Screen
from runtime.session import Session, header_of
from runtime.sim.embedded import embed
from runtime.spec import EngineSpec
from runtime.tape import TapeWriter
from runtime.vault import Vault

DRAIN_S = 5.0  # for a venue to answer the cancels of the end
FLUSH_S = 1.0
ONCE_S = 0.5  # signals within that are one
_AT_ONCE = (
    b"ended at once, by a second signal: nothing was cancelled, the tape has no end; at a real venue its dead-man's "
    b"switch cancels within a minute\n"
)
Urls = Mapping[str, Mapping[str, str]]  # venue → link → address


class Live:
    """Runs one session until `stop`, a signal, or `duration_s` is over. `outcome` is "" or why it ended badly.

    `kill_file`: a path whose presence pulls the switch. `keeper`: the journal, where one is kept.
    """

    def __init__(
        self, spec: EngineSpec, *, urls: Urls, screen: Screen, clock: Clock | None = None,
        kill_file: Path | None = None, keeper: Keeper | None = None, vaults: Mapping[str, Vault] | None = None,
    ) -> None:  # fmt: skip
        self.session = Session(spec)
        self.outcome = ""
        self._screen = screen
        self.switch = KillSwitch(self.session, self._give, screen.tell, file=kill_file)
        self._keeper = keeper
        journal = keeper.journal if keeper is not None else None
        self._exit = Exit(self.session, self._send, self._soon, journal, self.switch.take)
        if keeper is not None:
            keeper.attach(self.session, self._exit.seal, self._journal_failed)
        self.clock = clock or SystemClock()
        self._tape: TapeWriter | None = None
        self._links: dict[tuple[str, str], Door] = {}
        for venue in spec.venues:
            name = venue.venue.name
            doors = doors_of(
                venue, urls[name], (vaults or {}).get(name), self.feed, screen.tell,
                is_wired=name in self.session.engine.accounts,
            )  # fmt: skip
            self._links |= {(name, link): door for link, door in doors.items()}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._done = asyncio.Event()
        self._broken: Exception | None = None
        self._is_ending = False
        self._ending_s = 0.0
        self._handlers: dict[int, Any] = {}  # of signals, as they were before

    def record(self, path: Path, algo_paths: dict[str, str], predictor: str = "") -> None:
        """Writes a tape from now on. Raises ConfigError when the file exists or cannot be made."""
        try:
            self._tape = TapeWriter(path, header_of(self.session.engine.spec, algo_paths, predictor))
        except FileExistsError:
            raise ConfigError(
                "exists already", place=str(path), mend="tapes are never overwritten: name another"
            ) from None
        except OSError as error:
            raise ConfigError(
                f"cannot be written: {error.strerror}", place=str(path), mend="name a writable path"
            ) from None

    # --- the turn's surroundings -----------------------------------------------------------------------------------

    def feed(self, given: Input) -> None:
        """One input at this moment: turn, outputs, hash, tape. Whoever pulled the switch goes first."""
        if self.switch.waiting:
            self.switch.take()
        self._give(given)

    def _give(self, given: Input) -> None:
        if not self.session.is_stopped and self._broken is None:
            self._turn(given)

    def _soon(self, command: Command) -> None:
        """A command that came up within a turn, or in the middle of what follows one."""
        asyncio.get_running_loop().call_soon(self.feed, command)

    def _turn(self, given: Input) -> None:
        now_ns = self.clock.now_ns()
        if type(given) is Command and given.name == "kill":
            self._overtake(given.target)
        try:
            self.session.step(given, now_ns, self._carry)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more may leave
            self._break(error)
        self._record(given, now_ns)
        if self.session.engine.stopped and not self._done.is_set():
            self.outcome = self.outcome or self.session.engine.stopped
            self.stop()

    def _break(self, error: Exception) -> None:
        """A fault of ours inside a turn. Half a turn's state decides nothing more: halted, stopped, said, on the tape.

        Timers and signals come from the loop, which would log an exception of theirs and go on without them.
        """
        self._broken = self._broken or error
        self._exit.withdraw()
        with suppress(Exception):  # the gate itself may be what broke; no turn follows either way
            now_ns = self.clock.now_ns()
            self.session.engine.gate.tighten(ALL, TradingState.HALTED, "fault in the engine", GATEWAY, now_ns)
        self.outcome = f"fault in the engine, halted: {type(error).__name__}: {error}"
        self._screen.tell("".join(traceback.format_exception(error)) + self.outcome, "error")
        self.stop()

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case VenueOutput(_, Send()):
                    self._exit.offer(output)
                case VenueOutput(venue, Reconnect(link, reason)):
                    self._links[venue, link].reconnect(reason)
                case WakeAt(at_ns):
                    self._wake(at_ns)
                case Notice(level, text):
                    self._screen.tell(text, level)

    def _send(self, venue: str, link: str, data: bytes) -> None:
        self._links[venue, link].send(data)

    def _overtake(self, scope: str) -> None:
        """What a kill finds waiting for its record is not sent any more."""
        orders = None if scope in ("", ALL) else frozenset(o.client_order_id for o in self.switch.scopes.open(scope))
        self._exit.withdraw(orders)

    def _journal_failed(self, text: str) -> None:
        """Nothing is promised durable any more: nothing new leaves. Cancels do."""
        self.outcome = f"{text}: halted"
        self._screen.tell(self.outcome, "error")
        self._exit.fail()
        self.switch.bar(text)
        self.feed(Command("kill", "journal failure"))

    def _wake(self, at_ns: int) -> None:
        if self._timer is not None and self._timer_ns <= at_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(at_ns - self.clock.now_ns(), 0) / 1e9
        self._timer_ns = at_ns
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._rang)

    def _rang(self) -> None:
        self._timer = None
        if traps.keep():  # a library of an algo or a model took them: the next trap would end this process
            self._screen.tell(
                "a library took over signals that guests' traps are made of; they were taken back", "warning"
            )
        self.feed(Timer())

    def _record(self, given: Input, now_ns: int) -> None:
        if self._tape is None:
            return
        try:
            self._tape.append(given, now_ns)
        except OSError as error:
            # a session that cannot be replayed does not go on trading
            self._tape.abandon()
            self._tape = None
            self.outcome = f"tape cannot be written ({error.strerror}): halted"
            self._screen.tell(self.outcome, "error")
            self.feed(Command("kill", "tape failure"))
            self.stop()

    def _finish(self, tape: TapeWriter) -> None:
        try:
            tape.close(self.session.digest.hexdigest())
        except OSError as error:
            tape.abandon()
            self.outcome = f"tape has no end, it cannot be written ({error.strerror})"
            self._screen.tell(self.outcome, "error")

    # --- running ---------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        self._done.set()

    def _signals(self) -> None:
        """Ctrl-C and SIGTERM end it, SIGUSR1 is the kill switch, SIGUSR2 re-arms: as commands they are on the tape.

        The first two are no callbacks of the loop, which a Python algo that never returns holds up: a second one of
        them ends the process there and then.
        """
        loop = asyncio.get_running_loop()

        def end(number: int, _frame: object) -> None:
            if self._is_ending and time.monotonic() < self._ending_s + ONCE_S:
                return  # sent to the process and to its group, or forwarded by a parent: it was meant once
            if self._is_ending:
                os.write(2, _AT_ONCE)
                os._exit(128 + number)
            self._is_ending, self._ending_s = True, time.monotonic()
            loop.call_soon_threadsafe(self.stop)

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, end)
            self._handlers[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, self._kill)
        loop.add_signal_handler(signal.SIGUSR2, self._arm)

    def _kill(self, number: int, frame: FrameType | None) -> None:
        with suppress(ConfigError):  # the session has ended
            self.switch.on_signal(number, frame)

    def _arm(self) -> None:
        try:
            self.switch.arm(ALL, "SIGUSR2")
        except ConfigError as error:
            self._screen.tell(str(error), "error")
            return
        self._screen.tell(f"armed by SIGUSR2: {self.session.engine.state}")

    def reload_on_hangup(self, person: Person) -> None:
        """SIGHUP reads the limits again; what is looser waits for `gateway limits reload --confirm`."""

        def reload() -> None:
            try:
                told = person.limits(Request(command="limits", who="SIGHUP"))
            except InputError as error:
                self._screen.tell(f"limits are unchanged: {error}", "error")
                return
            for line in (*told["changed"], *(f"{text}: looser, needs --confirm" for text in told["waiting"])):
                self._screen.tell(line, "warning")

        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)

    async def run(self, duration_s: float | None) -> None:
        """Until the end; then every guest has had its on_shutdown and no order is open."""
        self._signals()
        self.switch.start()
        gc.collect()
        gc.freeze()  # what is here now lives as long as the process: no collection needs to look at it again
        running_tasks = [asyncio.create_task(link.run()) for link in self._links.values()]
        running_tasks.append(asyncio.create_task(self._screen.run(self.session)))
        if self._keeper is not None:
            running_tasks.append(asyncio.create_task(self._keeper.run()))
        waiter = asyncio.create_task(self._done.wait())
        try:
            await asyncio.wait({*running_tasks, waiter}, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
            for running in running_tasks:
                if running.done():
                    running.result()  # a fault of ours: raised here, not swallowed
        finally:
            self._exit.withdraw()
            if not self.session.is_stopped:
                await self._drain()
                self._turn(Command("stop", "shutdown"))
                await self._flush()
            self.switch.stop(self.clock.now_ns())
            for task in (*running_tasks, waiter):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if self._timer is not None:
                self._timer.cancel()
            if self._tape is not None and self._broken is None:
                self._finish(self._tape)
            elif self._tape is not None:
                self._tape.cut()
            if self._keeper is not None:
                self.outcome = self._keeper.end(self.session, self.clock.now_ns(), self.outcome) or self.outcome
            for number, before in self._handlers.items():
                signal.signal(number, before)
            gc.unfreeze()

    async def _drain(self) -> None:
        """Orders at a real venue are cancelled while it can still answer; what it did not answer stays in doubt."""
        engine = self.session.engine
        if not engine.accounts or self._broken is not None:
            return
        self.feed(Command("drain", "shutdown"))
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while engine.oms.orders and self._broken is None:
                    await asyncio.sleep(DRAIN_S / 100)
        for order in engine.oms.orders.values():
            text = f"order {order.client_order_id} is {order.state} at the end: it may be open, look at the venue"
            self._screen.tell(text, "error")

    async def _flush(self) -> None:
        """The last words are written before the links close."""
        wired = [door for (venue, _), door in self._links.items() if venue in self.session.engine.accounts]
        await asyncio.gather(*(door.flush(FLUSH_S) for door in wired))


async def serve(
    spec: EngineSpec, *, urls: Urls, sim_seed: int | None, screen: Screen, record: Path | None,
    algo_paths: dict[str, str], duration_s: float | None, control: Path | None = None, predictor: str = "",
    around: Surroundings | None = None, journal: JournalPlan | None = None, kill_file: Path | None = None,
    vaults: Mapping[str, Vault] | None = None,
) -> Live:  # fmt: skip
    """`gateway serve`: the real venues at `urls` with the keys in `vaults`, or with a seed the embedded ones.

    Raises ConfigError.
    """
    async with AsyncExitStack() as stack:
        if sim_seed is not None:
            embedded = await embed(spec.venues, sim_seed, stack, screen.tell)
            urls = {**embedded, **embedded.trading}
            vaults = {venue: Vault(secrets, Counted()) for venue, secrets in embedded.credentials.items()}
        around = around or Surroundings()
        keeper = None
        if journal is not None:
            keeper = stack.enter_context(Keeper(journal, screen.tell, around))
            spec = keeper.continued(spec)
        live = Live(spec, urls=urls, screen=screen, kill_file=kill_file, keeper=keeper, vaults=vaults)
        if record is not None:
            live.record(record, algo_paths, predictor)
        person = Person(live.session, live.switch, live.feed, screen.tell, around, live.clock.now_ns)
        live.reload_on_hangup(person)
        if control is not None:
            server = ControlServer(control, live.switch, person, screen.tell, Explainer(live.session))
            await stack.enter_async_context(server)
        await live.run(duration_s)
    return live
