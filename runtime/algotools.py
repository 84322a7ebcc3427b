"""What an author asks of an algo before deploying it: what is in the module, and what it does on a tape.

`run` is `gateway replay` for authors: the same reader, engine and turn, always under the shipped paper limits and
default fees, with the fuel of every callback measured and the end of the algo's own log kept.
"""

from array import array
from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from connectors import registry
from connectors.errors import ConfigError, TapeError
from connectors.session import Venue
from runtime import config as configuration
from runtime.config import Config
from runtime.deploy import (
    Guests,
    guests_of_tape,
    instrument_of,
    load_guest,
    read_module,
    spec_of,
    spec_of_tape,
    venue_spec,
)
from runtime.guest import Guest
from runtime.inputs import GuestLine, Input
from runtime.inspection import fuel_profile, inspect
from runtime.python.guest import PythonGuest, load_python, start_notice
from runtime.replay import BooksSeen, Notices
from runtime.replay import replay as replay_tape
from runtime.session import Session
from runtime.sinks import LEVELS
from runtime.spec import EngineSpec
from runtime.tape import TapeReader

DEFAULT_VENUE: Final = "kraken"
TAG: Final = "vg"  # as a replay's, so that both give one hash
CALLBACKS: Final = (
    "on_book", "on_nbbo", "on_message", "on_heartbeat", "on_fill", "on_reject", "on_shutdown",
)  # fmt: skip
Tell = Callable[[str, str], None]


class OnTape(msgspec.Struct, frozen=True):
    """A recording and what it does not say of itself; `venue` and `instruments` are for those made by others."""

    file: Path
    venue: str | None = None
    instruments: tuple[str, ...] = ()
    depth: int | None = None


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
                text = record.text.decode(errors="replace").replace("\n", "\\n")
                self.lines.append(f"{now_ns} {session.engine.algos[record.algo].name} {LEVELS[record.level]} {text}")


def run(algo: Path, tape: OnTape, *, abi: str = "", log_lines: int = 20, tell: Tell) -> dict[str, Any]:
    """One replay under the paper limits. Raises ConfigError, ModuleError, TapeError, InstrumentError.

    The replay's summary with `algo`, `fuel` per callback (empty where nothing counts it), `log` and `outcome`.
    """
    samples = {name: array("Q") for name in CALLBACKS}
    with closing(TapeReader(tape.file, venue=tape.venue or DEFAULT_VENUE)) as reader:
        spec = _spec(algo, tape, abi, reader)
        guest = spec.algos[0].guest
        if not guest.is_sandboxed:
            tell(start_notice(algo.name), "warning")
        metered = tuple(
            msgspec.structs.replace(one, guest=cast(Guest, Metered(one.guest, samples))) for one in spec.algos
        )
        session = Session(msgspec.structs.replace(spec, algos=metered))
        notices, seen, last = Notices(tell), BooksSeen(), LastLines(log_lines)
        session.watchers += [seen, last]
        replay_tape(session, reader, notices.carry)
    notices.close()
    if reader.cut_short:
        tell(f"{tape.file} is cut short {reader.cut_short}; what was readable was replayed", "warning")
    for line in seen.missing(session):
        tell(line, "warning")
    result = session.summary()
    faults = f"disabled for a fault: {', '.join(result['disabled'])}" if result["disabled"] else ""
    about = {
        "file": str(algo),
        "sha256": guest.sha256,
        "generation": str(guest.generation),
        "sandboxed": guest.is_sandboxed,
    }
    fuel = {name: fuel_profile(taken) for name, taken in samples.items() if taken} if guest.is_sandboxed else {}
    return {"algo": about, **result, "fuel": fuel, "log": list(last.lines), "outcome": faults}


def _spec(algo: Path, tape: OnTape, abi: str, reader: TapeReader) -> EngineSpec:
    """The session: of a tape of ours as it was recorded but with this algo, else from what was given."""
    limits, header = configuration.paper_limits(), reader.header
    if header is not None:
        for option, value in (
            ("--venue", tape.venue),
            ("--instrument", tape.instruments or None),
            ("--depth", tape.depth),
        ):
            if value is not None:
                problem = f"{tape.file} is a tape of ours, whose header says that already"
                raise ConfigError(
                    problem, place=option, mend=f"leave {option} out: it is for recordings made by others"
                )
        if abi or not header.algos:
            guests = _guests(algo, header.symbols, abi)
        else:
            guests = guests_of_tape(header, algo, str(tape.file))
        return spec_of_tape(header, guests, limits, lambda name: _venue(name, f"{tape.file}: header"))
    venue = _venue(tape.venue or DEFAULT_VENUE, "--venue")
    if not tape.instruments:
        mend = "add --instrument SYMBOL:price_decimals:size_decimals, for instance BTC/USD:1:8"
        raise TapeError("has no metadata of its own", place=str(tape.file), mend=mend)
    known = {one.symbol: one for one in (instrument_of(venue.name, text) for text in tape.instruments)}
    settings = Config()
    depth = settings.venue(venue.name).depth if tape.depth is None else tape.depth
    made = venue_spec(venue, depth=depth, depth_from="--depth", instruments=known)
    return spec_of([made], list(known), _guests(algo, list(known), abi), limits, fees=settings.fees(), tag=TAG)


def _guests(algo: Path, symbols: list[str] | tuple[str, ...], abi: str) -> Guests:
    guests = Guests()
    guests.add_each(load_guest(str(algo), algo.stem, read_module(algo), abi), algo.stem, symbols, str(algo))
    return guests


def _venue(name: str, place: str) -> Venue:
    if name not in registry.names():
        mend = f"choose from: {', '.join(registry.names())}"
        raise ConfigError(f"no venue is called {name!r}", place=place, mend=mend)
    return registry.load(name)


def facts(algo: Path, *, abi: str = "") -> dict[str, Any]:
    """What `gateway inspect` says of a module or a Python file. Raises ModuleError, ConfigError."""
    if algo.suffix == ".py":
        if abi:
            raise ConfigError("a Python algo has no other ABI", place="--abi", mend="leave --abi out: it is for .wasm")
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
