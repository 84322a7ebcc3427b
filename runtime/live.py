"""The live hands: links in, Sends out, timers, tape, screen. One asyncio loop; the engine's turn never awaits."""

import asyncio
import gc
import os
import signal
import threading
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

from connectors.errors import ConfigError
from connectors.events import Notice
from connectors.session import Reconnect, Send, WakeAt
from runtime.clock import Clock, SystemClock
from runtime.control import ControlServer
from runtime.inputs import Command, Input, Output, Timer, VenueOutput
from runtime.net import VenueLink
from runtime.screen import Screen
from runtime.session import Session, header_of
from runtime.sim.embedded import embed
from runtime.spec import EngineSpec
from runtime.tape import TapeWriter

Urls = Mapping[str, Mapping[str, str]]  # venue → link → address


class Live:
    """Runs one session until `stop`, a signal, or `duration_s` is over. `outcome` is "" or why it ended badly."""

    def __init__(self, spec: EngineSpec, *, urls: Urls, screen: Screen, clock: Clock | None = None) -> None:
        self.session = Session(spec)
        self.outcome = ""
        self._clock = clock or SystemClock()
        self._screen = screen
        self._tape: TapeWriter | None = None
        self._links = {
            (venue.venue.name, link): VenueLink(venue.venue.name, link, url, self.feed, screen.tell)
            for venue in spec.venues
            for link, url in urls[venue.venue.name].items()
        }
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0
        self._done = asyncio.Event()
        self._broken: Exception | None = None
        self._is_ending = False
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
        """One input at this moment: turn, outputs, hash, tape."""
        if not self.session.is_stopped and self._broken is None:
            self._turn(given)

    def _turn(self, given: Input) -> None:
        now_ns = self._clock.now_ns()
        try:
            self.session.step(given, now_ns, self._carry)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more may leave
            self._break(error)
        self._record(given, now_ns)

    def _break(self, error: Exception) -> None:
        """A fault of ours inside a turn. Half a turn's state decides nothing more: halted, stopped, said, on the tape.

        Timers and signals come from the loop, which would log an exception of theirs and go on without them.
        """
        self.session.engine.gate.halt()
        self._broken = self._broken or error
        self.outcome = f"fault in the engine, halted: {type(error).__name__}: {error}"
        self._screen.tell("".join(traceback.format_exception(error)) + self.outcome, "error")
        self.stop()

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            match output:
                case VenueOutput(venue, Send(link, data)):
                    self._links[venue, link].send(data)
                case VenueOutput(venue, Reconnect(link, reason)):
                    self._links[venue, link].reconnect(reason)
                case WakeAt(at_ns):
                    self._wake(at_ns)
                case Notice(level, text):
                    self._screen.tell(text, level)

    def _wake(self, at_ns: int) -> None:
        if self._timer is not None and self._timer_ns <= at_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_s = max(at_ns - self._clock.now_ns(), 0) / 1e9
        self._timer_ns = at_ns
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._rang)

    def _rang(self) -> None:
        self._timer = None
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
            if self._is_ending:
                os.write(2, b"ended at once, by a second signal: nothing was cancelled, the tape has no end\n")
                os._exit(128 + number)
            self._is_ending = True
            loop.call_soon_threadsafe(self.stop)

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, end)
        loop.add_signal_handler(signal.SIGUSR1, self.feed, Command("kill", "SIGUSR1"))
        loop.add_signal_handler(signal.SIGUSR2, self._arm)

    def _arm(self) -> None:
        self.feed(Command("arm", "SIGUSR2"))
        self._screen.tell(f"armed by SIGUSR2: {self.session.engine.state}")

    async def run(self, duration_s: float | None) -> None:
        """Until the end; then every guest has had its on_shutdown and no order is open."""
        self._signals()
        gc.collect()
        gc.freeze()  # what is here now lives as long as the process: no collection needs to look at it again
        running_tasks = [asyncio.create_task(link.run()) for link in self._links.values()]
        running_tasks.append(asyncio.create_task(self._screen.run(self.session)))
        waiter = asyncio.create_task(self._done.wait())
        try:
            await asyncio.wait({*running_tasks, waiter}, timeout=duration_s, return_when=asyncio.FIRST_COMPLETED)
            for running in running_tasks:
                if running.done():
                    running.result()  # a fault of ours: raised here, not swallowed
        finally:
            if not self.session.is_stopped:
                self._turn(Command("stop", "shutdown"))
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
            for number, before in self._handlers.items():
                signal.signal(number, before)
            gc.unfreeze()


async def serve(
    spec: EngineSpec, *, urls: Urls, sim_seed: int | None, screen: Screen, record: Path | None,
    algo_paths: dict[str, str], duration_s: float | None, control: Path | None = None, predictor: str = "",
) -> Live:  # fmt: skip
    """`gateway serve`: the real venues at `urls`, or with a seed the embedded ones."""
    async with AsyncExitStack() as stack:
        if sim_seed is not None:
            urls = await embed(spec.venues, sim_seed, stack, screen.tell)
        live = Live(spec, urls=urls, screen=screen)
        if record is not None:
            live.record(record, algo_paths, predictor)
        if control is not None:
            await stack.enter_async_context(ControlServer(control, live.session, live.feed, screen.tell))
        await live.run(duration_s)
    return live
