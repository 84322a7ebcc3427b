"""The control door: a Unix socket by which a person speaks to a running gateway. One JSON line in, one out.

    {"command":"set","who":"ana","target":"mm","params":[[3,3,25]]}   →   {"ok":true,"text":"…"}
    {"command":"status"}                                              →   {"ok":true,"algos":[…]}

What changes anything becomes a `Command`, so it is an input of the turn and stands on the tape. The socket lies in a
folder that only its owner may enter; who may connect may command.
"""

import asyncio
import json
import os
import socket
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from connectors.errors import ConfigError
from runtime.abi import Region
from runtime.inputs import Command, Input
from runtime.instance import AlgoInstance
from runtime.regions import Param
from runtime.session import Session
from runtime.texts import plain

LINE_BYTES_MAX: Final = 64 * 1024
ANSWER_BYTES_MAX: Final = 8 * 2**20  # the status of 64 algos with 32 parameters each is some 100 KiB
NAME_MAX: Final = 64
ANSWER_SECONDS: Final = 5
_SUFFIX: Final = ".sock"

Feed = Callable[[Input], None]
Tell = Callable[[str, str], None]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line from a person. `who` and `target`: at most 64 printable characters."""

    command: str
    who: str = ""
    target: str = ""
    params: tuple[Param, ...] = ()


def folder() -> Path:
    """Where this user's gateways have their sockets; made if need be. Raises ConfigError when it is somebody else's."""
    base = os.environ.get("XDG_RUNTIME_DIR")
    path = Path(base) / "venuegate" if base else Path(tempfile.gettempdir()) / f"venuegate-{os.getuid()}"
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
    except OSError as error:
        raise ConfigError(
            f"cannot be made: {error.strerror}", place=str(path), mend="name one: --control PATH"
        ) from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise ConfigError("is open to others", place=str(path), mend="chmod 700 it, or name a socket: --control PATH")
    return path


def own_socket() -> Path:
    """This process's socket, where none was named."""
    return folder() / f"{os.getpid()}{_SUFFIX}"


class ControlServer:
    """Serves one session while it runs. `feed` takes inputs as live.py's does."""

    def __init__(self, path: Path, session: Session, feed: Feed, tell: Tell) -> None:
        self._path = path
        self._session = session
        self._feed = feed
        self._tell = tell
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        """Raises ConfigError when the path cannot be had, or another gateway listens there."""
        _clear(self._path)
        try:
            link = _listening(self._path)
        except OSError as error:
            problem = f"cannot be listened on: {error.strerror or error}"
            raise ConfigError(problem, place=str(self._path), mend="name another: --control PATH") from None
        self._server = await asyncio.start_unix_server(self._talk, sock=link, limit=LINE_BYTES_MAX)
        self._tell(f"control socket {self._path}", "info")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        with suppress(OSError):
            self._path.unlink()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError):  # gone before it was answered, or a line without end
            while line := await reader.readline():
                writer.write(json.dumps(self.answer(line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """What to say to one line; never raises."""
        try:
            request = msgspec.json.decode(line, type=Request)
        except Exception as error:  # noqa: BLE001 - anybody's bytes: nested too deep, for instance, is a RecursionError
            return _refused(f"cannot be read: {error}")
        if request.command == "status":
            return {"ok": True, "algos": [self._algo(index) for index in range(len(self._session.engine.algos))]}
        if request.command == "set":
            return self._set(request)
        return _refused(f"unknown command {request.command!r:.80}")

    def _set(self, request: Request) -> dict[str, Any]:
        engine = self._session.engine
        for what, name in (("who", request.who), ("target", request.target)):
            if len(name) > NAME_MAX or plain(name) != name:
                return _refused(f"{what} is {name!r:.80}: at most {NAME_MAX} characters, all of them printable")
        found = next((algo for algo in engine.algos if algo.name == request.target), None)
        if found is None:
            names = ", ".join(algo.name for algo in engine.algos) or "none runs"
            return _refused(f"no algo is called {request.target!r}: {names}")
        if problem := self._unseen(found) or _unfit(found, request.params):
            return _refused(f"{request.target}: {problem}")
        before = found.config.version
        self._feed(Command("set", request.who, request.target, request.params))
        if found.config.version == before:
            return _refused(f"{request.target}: nothing was set: the session is ending")
        self._tell(f"{request.who or 'somebody'} set parameters of {request.target}", "info")
        return {"ok": True, "text": f"{request.target}: {len(request.params)} set, seen at its next callback"}

    def _unseen(self, algo: AlgoInstance) -> str:
        """Why this algo would never see what is set; or nothing."""
        if self._session.is_stopped:
            return "the session has ended"
        if Region.CONFIG not in algo.guest.regions:
            return f"a guest of generation {algo.guest.generation} cannot read parameters: that takes the crate 0.4"
        return "" if algo.is_alive else "it is disabled: no callback of it runs"

    def _algo(self, index: int) -> dict[str, Any]:
        algo = self._session.engine.algos[index]
        return {
            "name": algo.name, "generation": str(algo.guest.generation), "alive": algo.is_alive,
            "sandboxed": algo.guest.is_sandboxed, "restarts": algo.restarts, "callbacks": algo.callbacks,
            "params": {str(param.slot): param.text for param in algo.config.params}, "fault": algo.fault,
        }  # fmt: skip


def _refused(text: str) -> dict[str, Any]:
    return {"ok": False, "text": text}


def _unfit(algo: AlgoInstance, params: Sequence[Param]) -> str:
    """What is wrong with these parameters; or nothing."""
    if not params:
        return "no parameter is given"
    try:
        algo.config.check(params)
    except ConfigError as error:
        return f"{error.problem} ({error.mend})"
    return ""


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
        _connect(path).close()
    except OSError:
        with suppress(OSError):
            path.unlink()
        return
    raise ConfigError("another gateway listens there", place=str(path), mend="name another: --control PATH")


def _connect(path: Path) -> socket.socket:
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(ANSWER_SECONDS)
    try:
        link.connect(str(path))
    except OSError:
        link.close()
        raise
    return link


def find(control: Path | None) -> Path:
    """The socket to speak to: the one named, else the only gateway of this user. Raises ConfigError."""
    if control is not None:
        return control
    alive = []
    for path in sorted(folder().glob(f"*{_SUFFIX}")):
        try:
            _connect(path).close()
            alive.append(path)
        except ConnectionRefusedError:  # left by a gateway that was killed
            with suppress(OSError):
                path.unlink()
        except OSError:
            continue
    if len(alive) != 1:
        found = ", ".join(map(str, alive)) or "none"
        mend = "name one: --control PATH" if alive else "start one: gateway serve"
        raise ConfigError(f"{len(alive)} gateways run here ({found})", place="--control", mend=mend)
    return alive[0]


def ask(control: Path | None, request: Request) -> dict[str, Any]:
    """Sends one request and waits for the answer. Raises ConfigError when nobody answers, or with what was refused."""
    path = find(control)
    try:
        with _connect(path) as link, link.makefile("rb") as file:
            link.sendall(msgspec.json.encode(request) + b"\n")
            line = file.readline(ANSWER_BYTES_MAX)
    except OSError as error:
        problem = f"no gateway answers: {error.strerror or error}"
        raise ConfigError(problem, place=str(path), mend="is it running?") from None
    try:
        answer = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, ValueError):
        raise ConfigError("the gateway hung up", place=str(path), mend="look at its screen") from None
    if not answer.get("ok"):
        raise ConfigError(str(answer.get("text")), place=str(path), mend="see docs/parameters.md")
    return answer
