"""The kill switch: pulled from anywhere, taken by the main loop before its next input, and proved.

`pull` may be called by any thread and any signal handler: it takes no lock. The loop is woken at once; what it is fed
next is the switch's command (`take`), so at most the turn that is running ends as it would have. A Python algo that
keeps that turn for longer than `OVERDUE_NS` is broken off: the watcher thread signals the main thread, whose handler
raises if, and only if, the frame it interrupted lies within an algo's callback (`python/guest.py: interrupt`).

A halted scope with an order still open is not left alone: its cancels are asked for again, with back-off, until nothing
is open or a person arms it. Repeats are commands, so they stand on the tape.
"""

import asyncio
import os
import queue
import signal
import stat
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Final, Protocol

from connectors.errors import ConfigError
from risk.states import ALL, TradingState
from runtime.inputs import Command, Input
from runtime.python.guest import interrupt
from runtime.scopes import Scopes
from runtime.session import Session

OVERDUE_NS: Final = 50 * 10**6  # how long the main loop may take before a Python callback is broken off
LOOK_S: Final = 0.02  # how often the kill file is looked for
SIGNAL_S: Final = 0.005  # how often a loop that has something to take is looked at, and signalled when it is overdue
REPEAT_FIRST_S: Final = 0.25
REPEAT_MOST_S: Final = 30.0
FILE_BYTES_MAX: Final = 256
FINISH_S: Final = 1.0
_INTERRUPT: Final = signal.SIGURG  # nobody else's, and ignored where no handler is

Feed = Callable[[Input], None]
Tell = Callable[[str, str], None]


class Timer(Protocol):
    """What a loop gives for something it is to do later."""

    def cancel(self) -> None: ...


class Loop(Protocol):
    """What is asked of a loop: asyncio's own, or a test's."""

    def call_soon_threadsafe(self, callback: Callable[[], None], /) -> object: ...

    def call_later(self, delay: float, callback: Callable[[], None], /) -> Timer: ...


class Pull:
    """One pull of the switch and what came of it; times in ns since it was pulled, −1 while it has not happened.

    `latched_ns`: it was noted, `denied_ns`: the loop took it, from which moment no new order leaves, `cancel_ns`: its
    cancels were handed over, `flat_ns`: it was proved that nothing is open. `done` ends with the last, or with
    `problem`. `is_lost`: it stopped nothing, and nothing will come of it.
    """

    __slots__ = (
        "cancel_ns", "cancelled", "denied_ns", "done", "flat_ns", "is_lost", "latched_ns", "open", "problem",
        "pulled_ns", "scope", "state", "who",
    )  # fmt: skip

    def __init__(self, scope: str, state: TradingState, who: str, pulled_ns: int) -> None:
        self.scope = scope
        self.state = state
        self.who = who
        self.pulled_ns = pulled_ns
        self.latched_ns = self.denied_ns = self.cancel_ns = self.flat_ns = -1
        self.cancelled = self.open = 0
        self.problem = ""
        self.is_lost = False
        self.done: Future[None] = Future()

    def end(self, problem: str = "", *, is_lost: bool = False) -> None:
        """Nothing more will come of it."""
        if not self.done.done():
            self.problem, self.is_lost = problem, is_lost
            self.done.set_result(None)

    def told(self) -> dict[str, Any]:
        """For people and doors."""
        return {
            "scope": self.scope, "state": str(self.state), "latched_ns": self.latched_ns, "denied_ns": self.denied_ns,
            "cancelled": self.cancelled, "cancel_ns": self.cancel_ns, "open": self.open, "flat_ns": self.flat_ns,
            "problem": self.problem,
        }  # fmt: skip


class KillSwitch:
    """The switch of one session. `feed` takes inputs as live.py's does, and calls `take` before each.

    `waiting` holds what was pulled and not taken yet: true in a condition while there is something to take. `file`: its
    presence pulls the switch.
    """

    def __init__(
        self, session: Session, feed: Feed, tell: Tell, *, file: Path | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:  # fmt: skip
        self.waiting: deque[Pull] = deque()
        self.scopes = Scopes(session.engine)
        self._session = session
        self._tell = tell
        self._file = file
        self._clock = clock
        self._barred = ""
        self._feed = feed
        self._unproved: list[Pull] = []
        self._has_ended = False
        self.kills = 0  # how often anything was stopped, repeats left out: on the main thread
        self._taking: Pull | None = None
        self._is_repeat = False
        self._loop: Loop | None = None
        self._timer: Timer | None = None
        self._repeat_s = REPEAT_FIRST_S
        self._watcher: _Watcher | None = None
        self._before: Any = None  # the interrupting signal's handler, as it was
        session.watchers.append(self._look)

    # --- any thread, any signal handler ----------------------------------------------------------------------------

    def pull(self, scope: str = ALL, *, who: str, state: TradingState = TradingState.HALTED) -> Pull:
        """Stops a scope. Raises ConfigError for a scope that there is not, or a gateway that has ended."""
        pulled_ns = self._clock()
        pull = Pull(self.scopes.known(scope), state, who, pulled_ns)
        if self._session.is_stopped:
            raise _ended()
        self.waiting.append(pull)
        if self._has_ended:  # asked after it was noted: either this sees the end, or the end sees the pull
            with suppress(ValueError):  # the end saw it
                self.waiting.remove(pull)
                raise _ended()
        pull.latched_ns = self._clock() - pulled_ns
        if self._watcher is not None:
            self._watcher.wake()
        if self._loop is not None:
            with suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self.take)
        return pull

    def on_signal(self, number: int, _frame: FrameType | None) -> None:
        """A handler for `signal.signal`: pulls everything."""
        self.pull(who=signal.Signals(number).name)

    @property
    def overdue_ns(self) -> int:
        """How long the main loop has not carried out what was pulled first."""
        try:
            oldest = self._taking or self.waiting[0]
        except IndexError:
            return 0
        return self._clock() - oldest.pulled_ns

    @property
    def held_by(self) -> str:
        """Why nobody may arm now; or nothing."""
        if self._barred:
            return self._barred
        return f"the kill file {self._file} is there" if self._file is not None and found(self._file) else ""

    def bar(self, why: str) -> None:
        """Nobody arms this session any more: what happens in it could not be recorded."""
        self._barred = why

    # --- the main thread -------------------------------------------------------------------------------------------

    def attach(self, loop: Loop) -> None:
        """This loop is woken when the switch is pulled, and rings for repeats."""
        self._loop = loop

    def start(self) -> None:
        """From now on the loop that runs is woken, the file looked for, and a Python callback broken off."""
        self.attach(asyncio.get_running_loop())
        can_interrupt = threading.current_thread() is threading.main_thread()
        if can_interrupt:
            self._before = signal.signal(_INTERRUPT, self._interrupt)
        self._watcher = _Watcher(self, self._file, can_interrupt=can_interrupt)
        self._watcher.look()  # a file that is there already stops the session before its first input
        self._watcher.start()

    def stop(self, now_ns: int) -> None:
        """The session has ended: nobody takes anything any more. What waited is in the gate's memory from here on."""
        self._has_ended = True
        if self._watcher is not None:
            self._watcher.finish()
            self._watcher = None
        if self._before is not None:
            signal.signal(_INTERRUPT, self._before)
            self._before = None
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        while self.waiting:
            self._too_late(self.waiting.popleft(), now_ns)
        self._prove()
        for pull in self._unproved:
            pull.end("the session has ended")
        self._unproved.clear()

    def _too_late(self, pull: Pull, now_ns: int) -> None:
        """Pulled while the last turn ran, which cancelled everything: what is left: the next start must know of it."""
        if not self._session.is_stopped:
            pull.end("the gateway did not take it: it has broken, nothing more leaves", is_lost=True)
            return
        gate, what = self._session.engine.gate, "kill" if pull.state is TradingState.HALTED else "reduce"
        gate.tighten(pull.scope, pull.state, what, pull.who, now_ns)
        pull.denied_ns = pull.cancel_ns = self._clock() - pull.pulled_ns
        pull.open = len(self.scopes.open(pull.scope))
        if pull.state is TradingState.HALTED:
            self._unproved.append(pull)
        else:
            pull.end()

    def take(self) -> None:
        """Feeds what was pulled. Before every input, and when the loop is woken."""
        if self._taking is not None:
            return  # within the turn that this feeds
        try:
            while self.waiting:
                self._taking = self.waiting.popleft()
                self._take(self._taking)
        finally:
            self._taking = None

    def _take(self, pull: Pull) -> None:
        states = self._session.engine.gate.states
        pull.denied_ns = self._clock() - pull.pulled_ns
        is_halt = pull.state is TradingState.HALTED
        pull.cancelled = len(self.scopes.open(pull.scope)) if is_halt else 0
        self._feed(Command("kill" if is_halt else "reduce", pull.who, pull.scope))
        pull.cancel_ns = self._clock() - pull.pulled_ns
        pull.open = len(self.scopes.open(pull.scope))
        if states.get(pull.scope) not in (pull.state, TradingState.HALTED):
            pull.end("the gateway did not take it: it has broken, nothing more leaves", is_lost=True)
        elif is_halt:
            self._unproved.append(pull)
            self._repeat_s = REPEAT_FIRST_S
            self._prove()
        else:
            pull.state = states.get(pull.scope)  # HALTED stays so
            pull.end()

    def arm(self, scope: str, who: str) -> list[str]:
        """A person makes a scope ACTIVE again; what is still not. Raises ConfigError with why not."""
        scope = self.scopes.known(scope)
        if held := self.held_by:
            raise ConfigError(f"{held}: nothing is armed", place="arm", mend="remove the file first")
        if self._session.is_stopped:
            raise ConfigError("the session has ended", place="arm", mend="start it again")
        self._feed(Command("arm", who, scope))
        states = self._session.engine.gate.states
        if states.get(scope) is not TradingState.ACTIVE:
            raise ConfigError(f"{scope} was not armed", place="arm", mend="look at the gateway's screen")
        self._tell(f"{scope} armed by {who}", "info")
        return [f"{name} {cause.state} ({cause.what})" for name, cause in states.causes.items()]

    # --- proof and repeats -----------------------------------------------------------------------------------------

    def _look(self, session: Session, given: Input, now_ns: int) -> None:
        """After each turn."""
        del now_ns
        if type(given) is Command and given.name in ("kill", "reduce"):
            self.kills += not self._is_repeat
        if self._unproved:
            self._prove()
        if self._timer is None and self._loop is not None and not session.engine.gate.states.is_quiet:
            self._timer = self._loop.call_later(self._repeat_s, self._again)

    def _prove(self) -> None:
        states = self._session.engine.gate.states
        left = []
        for pull in self._unproved:
            pull.open = len(self.scopes.open(pull.scope))
            if not pull.open:
                pull.flat_ns = self._clock() - pull.pulled_ns
                pull.end()
            elif states.get(pull.scope) is not TradingState.HALTED:
                pull.end("armed before nothing was open")
            else:
                left.append(pull)
        self._unproved = left

    def _unfinished(self) -> list[str]:
        """Halted scopes in which an order is still open."""
        causes = self._session.engine.gate.states.causes
        return [scope for scope, cause in causes.items()
                if cause.state is TradingState.HALTED and self.scopes.open(scope)]  # fmt: skip

    def _again(self) -> None:
        self._timer = None
        scopes = self._unfinished()
        if not scopes or self._session.is_stopped:
            self._repeat_s = REPEAT_FIRST_S
            return
        self._repeat_s = min(2 * self._repeat_s, REPEAT_MOST_S)
        for scope in scopes:
            count = len(self.scopes.open(scope))
            self._tell(f"{scope} is HALTED and {count} orders are still open: cancelled again", "error")
            self._is_repeat = True
            self._feed(Command("kill", "gateway", scope))
            self._is_repeat = False

    # --- a callback that does not return ---------------------------------------------------------------------------

    def _interrupt(self, _number: int, frame: FrameType | None) -> None:
        """In the main thread, on top of whatever it was doing."""
        overdue_ns = self.overdue_ns
        if overdue_ns >= OVERDUE_NS:
            interrupt(frame, f"held the gateway for {overdue_ns // 10**6} ms while the kill switch was pulled")


def _ended() -> ConfigError:
    return ConfigError("the session has ended", place="kill switch", mend="nothing trades any more")


def found(file: Path) -> bool:
    """Whether the kill file is there. One that cannot be looked for is taken to be."""
    try:
        os.lstat(file)  # a link that leads nowhere is there, too
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _text(file: Path) -> bytes:
    """What the kill file says: nothing, unless it is a plain file. A pipe without a writer must not hold us up."""
    try:
        number = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(number, FILE_BYTES_MAX) if stat.S_ISREG(os.fstat(number).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(number)


class _Watcher(threading.Thread):
    """Looks for the kill file, and signals a main thread that does not take what was pulled."""

    def __init__(self, switch: KillSwitch, file: Path | None, *, can_interrupt: bool) -> None:
        super().__init__(name="kill switch", daemon=True)
        self._switch = switch
        self._file = file
        self._can_interrupt = can_interrupt
        self._wakes: queue.SimpleQueue[bool] = queue.SimpleQueue()  # reentrant: a signal handler may put
        self._last = b""

    def wake(self) -> None:
        self._wakes.put(True)

    def finish(self) -> None:
        self._wakes.put(False)
        self.join(FINISH_S)  # a file system that hangs does not keep the process

    def run(self) -> None:
        while True:
            idle_s = None if self._file is None else LOOK_S
            try:
                if not self._wakes.get(timeout=SIGNAL_S if self._switch.overdue_ns else idle_s):
                    return
            except queue.Empty:
                pass
            self.look()
            if self._can_interrupt and self._switch.overdue_ns >= OVERDUE_NS:
                signal.pthread_kill(threading.main_thread().ident or 0, _INTERRUPT)

    def look(self) -> None:
        """Pulls once for each text that the kill file has, from its appearance on; an unknown scope's is all."""
        file = self._file
        if file is None or not found(file):
            self._last = b""
            return
        text = _text(file)
        if text + b"." != self._last:
            self._last = text + b"."  # never empty: an empty file was seen, too
            scope = text.decode(errors="replace").strip()
            with suppress(ConfigError):  # the session has ended
                self._switch.pull(scope if scope in self._switch.scopes.names else ALL, who=f"file {file}"[:64])
