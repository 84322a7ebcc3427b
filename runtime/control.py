"""The control door: a Unix socket by which a person speaks to a running gateway. One JSON line in, one out.

    {"command":"kill","who":"ana","target":"algo:mm"}                 →   {"ok":true,"scope":"algo:mm","flat_ns":…}
    {"command":"set","who":"ana","target":"mm","params":[[3,3,25]]}   →   {"ok":true,"text":"…"}
    {"command":"status"}                                              →   {"ok":true,"state":"ACTIVE","scopes":{…},…}

It is served by a thread of its own, so it answers while the main loop is busy: the kill switch is pulled from here,
a status is the last one that the main loop left, and everything else waits for the loop, for a while. What changes
anything becomes a `Command`, so it is an input of the turn and stands on the tape. The socket lies in a folder that
only its owner may enter; who may connect may command. The whole API: docs/kill.md.
"""

import asyncio
import json
import os
import socket
import stat
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

import msgspec

from connectors.errors import ConfigError, InputError
from risk.states import TradingState
from runtime.control_client import Request, ask, connect, own_socket
from runtime.drill import Drill
from runtime.killswitch import KillSwitch, Pull
from runtime.person import Person
from runtime.texts import plain

__all__ = ["ControlServer", "Request", "ask", "own_socket"]

LINE_BYTES_MAX: Final = 64 * 1024
NAME_MAX: Final = 64
MAIN_S: Final = 3.0  # how long the main loop may take for what only it can answer
PROOF_S: Final = 3.0  # how long a kill waits for its proof before it says what is still open
LOOK_S: Final = 1.0
SNAPSHOT_S: Final = 0.25  # how long a status waits for a new one before it shows the last

Tell = Callable[[str, str], None]


class Explains(Protocol):
    """What is asked for an order's explanation (`decisions.Explainer`)."""

    def answer(self, order: str) -> dict[str, Any]: ...


class ControlServer:
    """Serves one session while it runs. Made, entered and left on the main loop."""

    def __init__(
        self, path: Path, switch: KillSwitch, person: Person, tell: Tell, explainer: Explains | None = None
    ) -> None:  # fmt: skip
        self._path = path
        self._switch = switch
        self._person = person
        self._tell = tell
        self._explainer = explainer
        self._main = asyncio.get_running_loop()
        self._looks: asyncio.TimerHandle | None = None
        self._own: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self._drilling = threading.Lock()

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the path cannot be had, or another gateway listens there."""
        _clear(self._path)
        try:
            link = _listening(self._path)
        except OSError as error:
            problem = f"cannot be listened on: {error.strerror or error}"
            raise ConfigError(problem, place=str(self._path), mend="name another: --control PATH") from None
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(link, ready)), name="control", daemon=True
        )
        self._thread.start()
        ready.wait()
        self._look()
        self._tell(f"control socket {self._path}", "info")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._looks is not None:
            self._looks.cancel()
        if self._own is not None and self._stop is not None:
            self._own.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)  # it may be waiting for this very loop
        with suppress(OSError):
            self._path.unlink()

    def _look(self) -> None:
        """So that there is a recent status for whoever asks while the loop is busy."""
        self._looks = self._main.call_later(LOOK_S, self._look)
        self._person.look()

    # --- the thread ------------------------------------------------------------------------------------------------

    async def _serve(self, link: socket.socket, ready: threading.Event) -> None:
        self._own, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            server = await asyncio.start_unix_server(self._talk, sock=link, limit=LINE_BYTES_MAX)
        finally:
            ready.set()
        await self._stop.wait()
        server.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):  # gone before it was answered, or a line without end
            while line := await reader.readline():
                writer.write(json.dumps(await self.answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    async def answer(self, line: bytes) -> dict[str, Any]:
        """What to say to one line; never raises."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except Exception as error:  # noqa: BLE001 - anybody's bytes: nested too deep, for instance, is a RecursionError
            return _refused(f"cannot be read: {error}")
        for what, name in (("who", request.who), ("target", request.target)):
            if len(name) > NAME_MAX or plain(name) != name:
                return _refused(f"{what} is {name!r:.80}: at most {NAME_MAX} characters, all of them printable")
        try:
            return await self._answer(request)
        except InputError as error:
            return _refused(error.problem, error.mend, error.place)
        except Exception as error:  # noqa: BLE001 - whatever is broken in the session, its door stays open
            return _refused(
                f"a fault of the gateway's: {type(error).__name__}: {error}", "gateway kill works all the same"
            )

    async def _answer(self, request: Request) -> dict[str, Any]:
        if request.command == "status":
            return await self._status()
        if request.command == "kill":
            return await self._kill(request, TradingState.HALTED)
        if request.command == "reduce":
            return await self._kill(request, TradingState.REDUCING)
        if request.command == "drill":
            return await self._drill(request)
        if request.command == "explain" and self._explainer is not None:
            explainer = self._explainer
            return await self._on_main(lambda: explainer.answer(request.target), MAIN_S)
        answers = {
            "arm": self._person.arm, "set": self._person.set, "limits": self._person.limits,
            "override": self._person.override, "promote": self._person.promote,
        }  # fmt: skip
        if request.command not in answers:
            return _refused(f"unknown command {request.command!r:.80}")
        return await self._on_main(lambda: answers[request.command](request), MAIN_S)

    async def _kill(self, request: Request, state: TradingState) -> dict[str, Any]:
        pull = self._switch.pull(request.target, who=request.who or "somebody", state=state)
        return await self._proved(pull)

    async def _proved(self, pull: Pull) -> dict[str, Any]:
        """What came of a pull, once it is proved or it took too long."""
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(pull.done)), PROOF_S)
        told = pull.told()
        if pull.is_lost:
            mend = "gateway status; the venue's own cancel-all stops what it has open"
            return {**told, **_refused(pull.problem, mend)}
        if pull.denied_ns < 0:
            told["problem"] = told["problem"] or "the main loop has not taken it yet: it will before its next input"
        elif pull.flat_ns < 0 and pull.state is TradingState.HALTED:
            told["problem"] = told["problem"] or f"{pull.open} orders are still open: their cancels are repeated"
        return {"ok": True, **told}

    async def _status(self) -> dict[str, Any]:
        try:
            return {"ok": True, **await self._on_main(self._person.look, SNAPSHOT_S), "busy_ms": 0}
        except ConfigError:  # busy, and perhaps for ever
            return {"ok": True, **self._person.seen(), "busy_ms": self._person.silent_ms()}

    async def _drill(self, request: Request) -> dict[str, Any]:
        if not self._drilling.acquire(blocking=False):
            return _refused("a drill is running")
        try:
            drill = Drill(self._switch, self._person, request.who or "somebody", self._on_main)
            return {"ok": True, **await drill.run(request.rounds)}
        finally:
            self._drilling.release()

    async def _on_main(self, work: Callable[[], dict[str, Any]], wait_s: float) -> dict[str, Any]:
        """Does this on the main loop. What it did not get to in time is not done later. Raises InputError."""
        done: Future[dict[str, Any]] = Future()

        def do() -> None:
            if not done.set_running_or_notify_cancel():
                return
            try:
                done.set_result(work())
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                done.set_exception(error)

        if self._main.is_closed():
            raise ConfigError("the session has ended", mend="start it again")
        self._main.call_soon_threadsafe(do)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(done), wait_s)
        except TimeoutError:
            problem = "nothing was done" if done.cancelled() else "it is being done"
            mend = "a kill is taken all the same; see what it is doing: gateway status"
            raise ConfigError(f"the gateway is busy, {problem}", mend=mend) from None


def _refused(text: str, mend: str = "", place: str = "") -> dict[str, Any]:
    said = {"mend": mend, "place": place}
    return {"ok": False, "text": text, **{key: value for key, value in said.items() if value}}


def _listening(path: Path) -> socket.socket:
    """A socket that only its owner may open, from its first moment on. Raises OSError."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # of the whole process: nothing may be awaited until it is as it was
    try:
        link.bind(str(path))
        link.listen()
    except OSError:
        link.close()
        raise
    finally:
        os.umask(before)
    link.setblocking(False)
    return link


def _clear(path: Path) -> None:
    """Removes a dead gateway's socket; raises ConfigError for a living one's, or what is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise ConfigError("is there and is no socket", place=str(path), mend="name another: --control PATH")
    except OSError:
        return
    try:
        connect(path).close()
    except OSError:
        with suppress(OSError):
            path.unlink()
        return
    raise ConfigError("another gateway listens there", place=str(path), mend="name another: --control PATH")
