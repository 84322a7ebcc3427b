"""What an author asks of an algo before deploying it: what is in the module, and what it does on a tape.

`run` is `gateway replay` for authors: the same reader, engine and turn, always under the shipped paper limits and
default fees, with the fuel of every callback measured and the end of the algo's own log kept.
"""

from array import array
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import msgspec

from connectors.errors import ConfigError
from runtime.config import paper_limits
from runtime.deploy import read_module
from runtime.guest import Guest
from runtime.inputs import GuestLine, Input
from runtime.inspection import fuel_profile, inspect
from runtime.instance import CALLBACKS
from runtime.python.guest import PythonGuest, load_python, start_notice
from runtime.recordings import Recording, play, spec_of_recording
from runtime.regions import Param
from runtime.replay import Tell
from runtime.session import Session
from runtime.sinks import guest_line


class Metered:
    """A guest whose every call is measured; all else is the guest's own."""

    def __init__(self, guest: Guest, samples: dict[str, "array[int]"]) -> None:
        own = self.__dict__
        own["_guest"], own["_samples"] = guest, samples
        for name in CALLBACKS:
            own[name] = _metered(guest, getattr(guest, name), samples[name])

    def fresh(self) -> "Metered":
        return Metered(self._guest.fresh(), self._samples)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_guest"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_guest"], name, value)


def _metered(guest: Guest, call: Callable[..., Any], samples: "array[int]") -> Callable[..., Any]:
    def measured(*arguments: Any, **named: Any) -> Any:
        try:
            return call(*arguments, **named)
        finally:
            samples.append(guest.fuel_used)

    return measured


class LastLines:
    """A watcher: the last lines that guests logged, as `--guest-log` writes them."""

    def __init__(self, count: int) -> None:
        self.lines: deque[str] = deque(maxlen=count)

    def __call__(self, session: Session, given: Input, now_ns: int) -> None:
        del given
        for record in session.engine.trace:
            if isinstance(record, GuestLine):
                self.lines.append(guest_line(session, record, now_ns))


def run(
    algo: Path, tape: Recording, *, abi: str = "", params: tuple[Param, ...] = (), log_lines: int = 20, tell: Tell
) -> dict[str, Any]:
    """One replay under the paper limits. Raises ConfigError, ModuleError, TapeError, InstrumentError.

    The replay's summary with `algo`, `fuel` per callback (empty where nothing counts it), `log` and `outcome`.
    """
    samples = {name: array("Q") for name in CALLBACKS}
    with closing(tape.reader()) as reader:
        spec = spec_of_recording(tape, reader, algo, abi, paper_limits(), tell)
        guest = spec.algos[0].guest
        metered = tuple(
            msgspec.structs.replace(one, guest=cast(Guest, Metered(one.guest, samples)), params=params or one.params)
            for one in spec.algos
        )
        session = Session(msgspec.structs.replace(spec, algos=metered))
        last = LastLines(log_lines)
        session.watchers.append(last)
        result = play(session, reader, tell)
    about = {
        "file": str(algo),
        "sha256": guest.sha256,
        "generation": str(guest.generation),
        "sandboxed": guest.is_sandboxed,
    }
    fuel = {name: fuel_profile(taken) for name, taken in samples.items() if taken} if guest.is_sandboxed else {}
    return {"algo": about, **result, "fuel": fuel, "log": list(last.lines)}


def facts(algo: Path, *, abi: str = "", tell: Tell) -> dict[str, Any]:
    """What `gateway inspect` says of a module or a Python file, which it runs. Raises ModuleError, ConfigError."""
    if algo.suffix == ".py":
        if abi:
            raise ConfigError("a Python algo has no other ABI", place="--abi", mend="leave --abi out: it is for .wasm")
        tell(start_notice(algo.stem), "warning")
        return {"name": str(algo), **python_facts(load_python(algo))}
    return inspect(read_module(algo), name=str(algo), abi=abi)


def python_facts(guest: PythonGuest) -> dict[str, Any]:
    """Of a loaded Python algo: the hash is of its one file, and of nothing that it imports."""
    return {
        "class": guest.class_name,
        "bytes": len(guest.source),
        "sha256": guest.sha256,
        "generation": str(guest.generation),
        "callbacks": sorted(guest.overridden),
        "sandbox": "unsandboxed: Python runs in the gateway's own process, without fuel or memory limit",
    }
