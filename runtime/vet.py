"""`vet`: a module is loaded in a throwaway child process first, and here only when that went well.

A module is somebody else's input to a compiler. What can go wrong there (an abort inside wasmtime, a compile that does
not end, memory eaten) ends the child, not the gateway. Each way to end is typed: the child's refusal comes back as the
same ModuleError; death by a signal, silence and nonsense become one.
"""

import contextlib
import hashlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from connectors.errors import ModuleError
from runtime.abi import Generation
from runtime.module.reader import parse
from runtime.vet_child import CPU_SECONDS, DATA_BYTES

VET_SECONDS: Final = 10
ANSWER_BYTES_MAX: Final = 64 * 1024

# `-I`: no PYTHONPATH, no user site, no current folder; the folders come as arguments instead
_BOOT: Final = "import sys; sys.path[:0] = sys.argv[2:]; from runtime.vet_child import main; main(sys.argv[1])"
# all of the environment that the child gets: no keys, no tokens
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PATH", "TMPDIR")
_MEND: Final = "do not run it; rebuild it with the crate unchanged, and report it if that does not help"

_SMALLER: Final = "make it smaller: split large functions, build with opt-level z"


class Vetted(NamedTuple):
    """A module that loads. `callbacks`: which of on_book, on_nbbo, on_message, on_heartbeat it has."""

    name: str
    sha256: str
    generation: Generation
    callbacks: frozenset[str]


_vetted: dict[tuple[str, str], Vetted] = {}


def vet(wasm: bytes, *, name: str, abi: str = "", seconds: int = VET_SECONDS) -> Vetted:
    """Loads the module in a child of its own, for at most `seconds`. Raises ModuleError with `name` as its place.

    A module that passed once is not looked at again in this process. Blocks: a program with an event loop calls it
    before the loop runs, or from a thread.
    """
    key = hashlib.sha256(wasm).hexdigest(), abi
    if key not in _vetted:
        parse(wasm, name=name)  # most mistakes are found here, in a millisecond
        _vetted[key] = _vet(wasm, name, abi, seconds)
    return _vetted[key]._replace(name=name)


def _vet(wasm: bytes, name: str, abi: str, seconds: int) -> Vetted:
    try:
        child = _start(wasm, abi)
    except OSError as error:
        mend = f"make sure that {sys.executable!r} starts and that the folder for temporary files can be written"
        raise ModuleError(f"cannot be vetted: {error.strerror}", place=name, mend=mend) from None
    with child:
        try:
            said, is_late = _listen(child, time.monotonic() + seconds)
        finally:
            _kill(child)
    if is_late:
        raise ModuleError(f"was not loaded within {seconds} s", place=name, mend=_SMALLER)
    return _judge(said, child.returncode, name)


def _start(wasm: bytes, abi: str) -> subprocess.Popen[bytes]:
    """The child, leader of a session of its own, with the module as its stdin. Raises OSError."""
    with tempfile.TemporaryFile() as module:
        module.write(wasm)
        module.seek(0)
        return subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable or "", "-I", "-c", _BOOT, json.dumps(abi), *_folders()],
            stdin=module, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            cwd="/", env={key: os.environ[key] for key in _ENVIRONMENT if key in os.environ},
        )  # fmt: skip


def _folders() -> list[str]:
    """Where this process finds its packages, in its own order, without its current folder."""
    folders = [path for path in sys.path if os.path.isabs(path)]
    ours = str(Path(__file__).resolve().parents[1])
    return folders if ours in folders else [ours, *folders]


def _listen(child: subprocess.Popen[bytes], until_s: float) -> tuple[bytes, bool]:
    """What the child says until it is dead, says too much or is late; and whether it was late."""
    said = b""
    out = child.stdout
    with selectors.DefaultSelector() as selector:
        if out is not None:
            selector.register(out, selectors.EVENT_READ)
        while out is not None and len(said) <= ANSWER_BYTES_MAX:
            if not selector.select(max(until_s - time.monotonic(), 0)):
                return said, True
            part = os.read(out.fileno(), ANSWER_BYTES_MAX)
            if not part:
                break
            said += part
    with contextlib.suppress(ChildProcessError):  # a program that ignores SIGCHLD: it is dead and reaped
        while os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() > until_s or len(said) > ANSWER_BYTES_MAX:
                return said, len(said) <= ANSWER_BYTES_MAX
            time.sleep(0.001)
    return said, False


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Ends whatever is left of the child's session, then reaps the child: until then its number is nobody else's."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _judge(said: bytes, status: int, name: str) -> Vetted:
    """The child's last line as an outcome. Raises ModuleError for all but one."""
    text = said.decode(errors="replace").strip()
    last = text.rsplit("\n", 1)[-1]
    if status < 0:
        title = signal.Signals(-status).name
        if -status == signal.SIGXCPU:
            raise ModuleError(f"takes more than {CPU_SECONDS} s of CPU to load", place=name, mend=_SMALLER)
        if "memory allocation of" in text:  # what Rust's allocator says before it aborts
            raise ModuleError(f"takes more than {DATA_BYTES // 2**20} MiB to compile", place=name, mend=_SMALLER)
        said_first = _quoted(text.partition("\n")[0])
        raise ModuleError(f"killed the process it was vetted in ({title}){said_first}", place=name, mend=_MEND)
    try:
        answer = json.loads(last)
        match answer:
            case {"hosted": {"sha256": str(), "generation": str(), "callbacks": list()}} if status == 0:
                hosted = answer["hosted"]
                return Vetted(name, hosted["sha256"], Generation(hosted["generation"]), frozenset(hosted["callbacks"]))
            case {"refused": {"problem": str(), "mend": str()}}:
                refused = answer["refused"]
                raise ModuleError(refused["problem"], place=name, mend=refused["mend"])
            case {"failed": str(failed)}:
                raise ModuleError(f"broke the process it was vetted in: {failed}", place=name, mend=_MEND)
    except ValueError:
        pass
    raise ModuleError(f"left its vetting process with status {status}{_quoted(last)}", place=name, mend=_MEND)


def _quoted(text: str) -> str:
    return f": {text[:200]!r}" if text else ""
