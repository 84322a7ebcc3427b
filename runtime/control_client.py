"""The other side of the control socket: finds a running gateway of this user and asks it."""

import os
import socket
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors.errors import ConfigError
from runtime.regions import Param

ANSWER_BYTES_MAX: Final = 8 * 2**20  # the status of 64 algos with 32 parameters each is some 100 KiB
ANSWER_SECONDS: Final = 5.0
SUFFIX: Final = ".sock"


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line from a person. `who` and `target`: at most 64 printable characters.

    `target`: the algo of `set` and `promote`, the scope of `kill`, `reduce` and `arm`. `confirm`: of `limits`, that
    loosening is meant. `token`: of `override`. `rounds`: of `drill`.
    """

    command: str
    who: str = ""
    target: str = ""
    params: tuple[Param, ...] = ()
    confirm: bool = False
    token: str = ""
    rounds: int = 1


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
    return folder() / f"{os.getpid()}{SUFFIX}"


def connect(path: Path, timeout_s: float = ANSWER_SECONDS) -> socket.socket:
    """A connection to a gateway's socket. Raises OSError."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    link.settimeout(timeout_s)
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
    for path in sorted(folder().glob(f"*{SUFFIX}")):
        try:
            connect(path).close()
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


def ask(control: Path | None, request: Request, *, timeout_s: float = ANSWER_SECONDS) -> dict[str, Any]:
    """Sends one request and waits for the answer. Raises ConfigError when nobody answers, or with what was refused."""
    path = find(control)
    try:
        with connect(path, timeout_s) as link, link.makefile("rb") as file:
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
        place = str(answer.get("place") or path)  # a limits file and its line, say
        raise ConfigError(str(answer.get("text")), place=place, mend=str(answer.get("mend") or "see docs/kill.md"))
    return answer
