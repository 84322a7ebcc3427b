"""From what a person asked for to an `EngineSpec`: venue, symbols, limits, guests."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from connectors.errors import ConfigError, InstrumentError, ModuleError, TapeError
from connectors.instrument import SYMBOL_NAME_MAX, Instrument
from connectors.session import Venue
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from risk.limits import Limits
from runtime.engine import AlgoSpec, EngineSpec
from runtime.guests import demo_wasm
from runtime.host import AlgoHost
from runtime.session import fees_from, instruments_from, limits_from
from runtime.sim.paper import Fees
from runtime.tape import Header

DEMO = "demo"


def read_module(path: Path) -> bytes:
    """The module's bytes. Raises ModuleError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModuleError(
            f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a .wasm"
        ) from None


class Guests:
    """Modules that a session is to run, with where they lay."""

    def __init__(self) -> None:
        self.specs: list[AlgoSpec] = []
        self.paths: dict[str, str] = {}

    def add(self, name: str, wasm: bytes, symbols: Sequence[str], path: str = "") -> None:
        """One deployment. Raises ModuleError, ConfigError."""
        for symbol in symbols:
            if len(symbol.replace("/", "-").encode()) > SYMBOL_NAME_MAX:
                problem = f"{symbol} is longer than the {SYMBOL_NAME_MAX} bytes a guest is given"
                raise ConfigError(problem, place=f"algo {name}", mend="leave this symbol out")
        if name in self.paths:
            raise ConfigError(f"two algos are called {name!r}", place="[[algos]]", mend="give each its own name")
        self.specs.append(AlgoSpec(name, AlgoHost(wasm, name=path or name), tuple(symbols)))
        self.paths[name] = path

    def add_each(self, wasm: bytes, name: str, symbols: Sequence[str], path: str = "") -> None:
        """The same module once per symbol: each instance trades one, and knows of no other."""
        for symbol in symbols:
            self.add(name if len(symbols) == 1 else f"{name}@{symbol}", wasm, [symbol], path)


def guests_for(symbols: Sequence[str], algo: Path | None) -> Guests:
    """`--algo X.wasm`, or the demo guest that ships with venuegate."""
    guests = Guests()
    if algo is None:
        guests.add_each(demo_wasm(), DEMO, symbols)
    else:
        guests.add_each(read_module(algo), algo.stem, symbols, str(algo))
    return guests


def guests_of_tape(header: Header, algo: Path | None, place: str) -> Guests:
    """The guests a tape was made with, found again by digest; `algo` stands in for all of them.

    Raises TapeError when a module is not where it was or is not the same.
    """
    guests = Guests()
    given = read_module(algo) if algo is not None else None
    if algo is not None and given is not None and not header.algos:  # recorded without any: now there is one
        guests.add_each(given, algo.stem, header.symbols, str(algo))
    for entry in header.algos:
        wasm = given if given is not None else _find(entry.path, entry.sha256)
        if wasm is None:
            was = f"{entry.name} (sha256 {entry.sha256[:12]}…)"
            problem = f"was made with {was}, which is not at {entry.path or '?'} any more"
            raise TapeError(problem, place=place, mend="name a module to replay with: --algo X.wasm")
        guests.add(entry.name, wasm, entry.symbols, str(algo) if algo is not None else entry.path)
    return guests


def _find(path: str, sha256: str) -> bytes | None:
    candidates = [demo_wasm()]
    if path and Path(path).is_file():
        candidates.append(read_module(Path(path)))
    return next((wasm for wasm in candidates if hashlib.sha256(wasm).hexdigest() == sha256), None)


def instrument_of(venue: str, text: str) -> Instrument:
    """One `--instrument`. Raises InstrumentError."""
    try:
        return Instrument.parse(venue, text)
    except InstrumentError as error:
        if error.place == "--instrument":
            raise
        mend = f"a price has 0 to {PRICE_DECIMALS} decimals, a size 0 to {SIZE_DECIMALS}; minimums are not negative"
        raise InstrumentError(f"{text!r}: {error.problem}", place="--instrument", mend=mend) from None


def spec_of(
    venue: Venue, symbols: Sequence[str], guests: Guests, limits: Limits, *,
    depth: int, fees: Fees, tag: str, instruments: Mapping[str, Instrument], depth_from: str = "--depth",
) -> EngineSpec:  # fmt: skip
    """Raises ConfigError for a depth, an order side or an algo's symbol that the venue or the session does not have."""
    if venue.orders is None:
        mend = "its plugin must offer an order encoder, with which paper orders are written"
        raise ConfigError(f"{venue.name} takes no orders", place="--venues", mend=mend)
    if depth not in venue.capabilities.depths:
        offered = ", ".join(map(str, venue.capabilities.depths))
        raise ConfigError(f"{venue.name} has no book of depth {depth}", place=depth_from, mend=f"choose from {offered}")
    for algo in guests.specs:
        for symbol in algo.symbols:
            if symbol not in symbols:
                problem = f"algo {algo.name} wants {symbol}, which is not followed"
                raise ConfigError(problem, place="[[algos]]", mend=f"add {symbol} to the symbols")
    return EngineSpec(
        venue=venue, symbols=tuple(dict.fromkeys(symbols)), depth=depth, limits=limits, algos=tuple(guests.specs),
        instruments=dict(instruments), fees=fees, tag=tag,
    )  # fmt: skip


def spec_of_tape(venue: Venue, header: Header, guests: Guests, limits: Limits | None) -> EngineSpec:
    """The session a tape records, with other limits if some are given. Raises TapeError for a damaged header."""
    try:
        recorded, fees, instruments = limits_from(header), fees_from(header), instruments_from(header)
    except (TypeError, msgspec.ValidationError) as error:
        raise TapeError(f"header: {error}", place="tape", mend="this tape's head is damaged") from None
    return spec_of(
        venue, header.symbols, guests, limits or recorded, depth=header.depth, fees=fees, tag=header.tag,
        instruments=instruments, depth_from="the tape's header",
    )  # fmt: skip
