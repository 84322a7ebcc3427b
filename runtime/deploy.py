"""From what a person asked for to an `EngineSpec`: venues, symbols, limits, guests."""

import hashlib
import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from connectors.chain import ChainPlan
from connectors.errors import ConfigError, InstrumentError, ModuleError, TapeError
from connectors.instrument import SYMBOL_NAME_MAX, Instrument
from connectors.pool import PoolId
from connectors.session import Venue
from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS
from risk.limits import LimitTree
from runtime.abi import Generation, Region
from runtime.config import AlgoSection
from runtime.features import Predictor
from runtime.guest import Guest
from runtime.guests import demo_wasm
from runtime.host import AlgoHost
from runtime.memory import SessionMemory
from runtime.module.reader import MODULE_BYTES_MAX
from runtime.port import VenueSpec
from runtime.python.guest import PythonGuest, start_notice
from runtime.regions import ConfigRegion, mesh_id, parse_param
from runtime.session import fees_from, instruments_from, limits_from
from runtime.sim.paper import Fees
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import Header
from runtime.texts import plain
from runtime.vet import vet

DEMO = "demo"

Tell = Callable[[str, str], None]


def read_module(path: Path) -> bytes:
    """The module's bytes. Raises ModuleError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModuleError(
            f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a .wasm"
        ) from None


def is_python(path: str) -> bool:
    """Whether what lies there would be run in this process, without a sandbox."""
    return path.endswith(".py")


def load_guest(path: str, name: str, source: bytes, generation: str = "", tell: Tell | None = None) -> Guest:
    """A module, vetted in a child process first, or a Python algo, of which `tell` hears first. Raises ModuleError."""
    if is_python(path):
        if tell is not None:
            tell(start_notice(name), "warning")  # before, not after: loading it runs it
        if generation not in ("", Generation.V0_4):
            raise ModuleError(f"is Python: it has no abi {generation!r}", place=path, mend="leave abi out")
        return PythonGuest(source, name=path)
    vet(source, name=path or name, abi=generation)
    return AlgoHost(source, name=path or name, abi=generation)


class Guests:
    """Modules that a session is to run, with where they lay."""

    def __init__(self) -> None:
        self.specs: list[AlgoSpec] = []
        self.paths: dict[str, str] = {}

    def add(self, spec: AlgoSpec, path: str = "") -> None:
        """One deployment. Raises ConfigError."""
        for what, given in (("symbols", spec.symbols), ("venues", spec.venues)):
            twice = [one for one in dict.fromkeys(given) if given.count(one) > 1]
            if twice:
                problem = f"{what} names {twice[0]} {given.count(twice[0])} times"
                raise ConfigError(problem, place=f"algo {spec.name}", mend="name each once")
        for symbol in spec.symbols:
            if len(symbol.replace("/", "-").encode()) > SYMBOL_NAME_MAX:
                problem = f"{symbol} is longer than the {SYMBOL_NAME_MAX} bytes a guest is given"
                raise ConfigError(problem, place=f"algo {spec.name}", mend="leave this symbol out")
        if spec.name in self.paths:
            raise ConfigError(f"two algos are called {spec.name!r}", place="[[algos]]", mend="give each its own name")
        if spec.label and spec.label in {other.label for other in self.specs}:
            problem = f"two algos have the mesh label {spec.label!r}"
            raise ConfigError(problem, place="[[algos]]", mend="give each its own")
        self.specs.append(spec)
        self.paths[spec.name] = path

    def add_each(self, guest: Guest, name: str, symbols: Sequence[str], path: str = "") -> None:
        """The same module once per symbol: each instance trades one, and knows of no other."""
        for place, symbol in enumerate(symbols):
            own = guest if place == 0 else guest.fresh()
            self.add(AlgoSpec(name if len(symbols) == 1 else f"{name}@{symbol}", own, (symbol,)), path)


def guests_for(symbols: Sequence[str], algo: Path | None, generation: str = "", tell: Tell | None = None) -> Guests:
    """`--algo X.wasm`, or the demo guest that ships with venuegate."""
    guests = Guests()
    if algo is None:
        guests.add_each(load_guest("", DEMO, demo_wasm()), DEMO, symbols)
    else:
        given = load_guest(str(algo), algo.stem, read_module(algo), generation, tell)
        guests.add_each(given, algo.stem, symbols, str(algo))
    return guests


def guests_of_config(sections: Sequence[AlgoSection], tell: Tell | None = None, base: Path = Path()) -> Guests:
    """The `[[algos]]` of a configuration, whose paths are relative to `base`. Raises ConfigError, ModuleError."""
    guests = Guests()
    for section in sections:
        place = f"algo {section.name}"
        given = dict(enumerate(section.params)) if isinstance(section.params, list) else section.params
        params = tuple(parse_param(str(slot), value, place=f"{place}: params") for slot, value in given.items())
        try:
            ConfigRegion().check(params)
            mesh_id(section.mesh or "none")
        except ConfigError as error:
            raise ConfigError(error.problem, place=f"{place}: {error.place}", mend=error.mend) from None
        path = str(base / section.wasm)
        guest = load_guest(path, section.name, read_module(Path(path)), section.abi, tell)
        if params and Region.CONFIG not in guest.regions:
            problem = f"params are given, but a guest of generation {guest.generation} cannot read any"
            raise ConfigError(problem, place=place, mend="leave params out, or build it with the crate 0.4")
        restarts = section.restarts_max if section.restart == "backoff" else 0
        spec = AlgoSpec(
            section.name, guest, tuple(section.symbols), tuple(section.venues), params, section.mesh, restarts
        )
        guests.add(spec, path)
    return guests


def guests_of_tape(
    header: Header, algo: Path | None, place: str, generation: str = "", *, allow_python: bool = False,
    tell: Tell | None = None,
) -> Guests:  # fmt: skip
    """The guests a tape was made with, found again by digest; `algo`, of `generation`, stands in for all of them.

    Raises TapeError when a module is not where it was or is not the same, and for Python algos without `allow_python`:
    path and digest are the tape's own words, so whoever made the tape would choose what runs here.
    """
    guests = Guests()
    python = [entry for entry in header.algos if is_python(entry.path)]
    if python and algo is None and not allow_python:
        named = plain(", ".join(f"{entry.name} ({entry.path})" for entry in python))
        problem = f"was made with Python: {named}; replaying it runs that code with your rights, without a sandbox"
        raise TapeError(problem, place=place, mend="if you trust it: --allow-python; or replace it: --algo X.wasm")
    if algo is not None and not header.algos:  # recorded without any: now there is one
        given = load_guest(str(algo), algo.stem, read_module(algo), generation, tell)
        guests.add_each(given, algo.stem, header.symbols, str(algo))
    for entry in header.algos:
        path, built = (str(algo), generation) if algo is not None else (entry.path, entry.abi)
        source = read_module(algo) if algo is not None else _find(entry.path, entry.sha256)
        if source is None:
            was = f"{entry.name} (sha256 {entry.sha256[:12]}…)"
            problem = plain(f"was made with {was}, which is not at {entry.path or '?'} any more")
            raise TapeError(problem, place=place, mend="name a module to replay with: --algo X.wasm")
        guest = load_guest(path, entry.name, source, built, tell)
        spec = AlgoSpec(entry.name, guest, entry.symbols, entry.venues, entry.params, entry.label, entry.restarts)
        guests.add(spec, path)
    return guests


def _find(path: str, sha256: str) -> bytes | None:
    candidates = [demo_wasm()]
    file = Path(path)
    if path and file.is_file() and file.stat().st_size <= MODULE_BYTES_MAX:  # a tape may name anything
        candidates.append(read_module(file))
    return next((wasm for wasm in candidates if hashlib.sha256(wasm).hexdigest() == sha256), None)


def predictors_of(text: str, place: str) -> Callable[[str], Predictor] | None:
    """`package.module:function` → that function. Raises ConfigError."""
    if not text:
        return None
    module, _, name = text.partition(":")
    try:
        made = getattr(importlib.import_module(module), name)
    except Exception as error:  # noqa: BLE001 - it is the user's module: whatever it raises is told
        problem = f"features.predictor = {text!r} cannot be loaded: {type(error).__name__}: {error}"
        raise ConfigError(problem, place=place, mend="write package.module:function, of an installed package") from None
    if not callable(made):
        raise ConfigError(f"features.predictor = {text!r} is not a function", place=place, mend="name a function")
    return made  # type: ignore[no-any-return]


def predictors_of_tape(header: Header, named: str, place: str) -> Callable[[str], Predictor] | None:
    """The operator's own `--predictor`, once it is the header's, too: what a tape says is compared, never imported.

    Raises TapeError when it is missing or another; ConfigError when the tape has none, or it cannot be loaded.
    """
    if named == header.predictor:
        return predictors_of(named, "--predictor")
    if not header.predictor:
        mend = "leave --predictor out"
        raise ConfigError(f"{place} was recorded without a predictor", place="--predictor", mend=mend)
    said = f"--predictor names {named!r}" if named else "it is not loaded because a tape says so"
    problem = f"was recorded with the predictor {header.predictor!r}; {said}"
    raise TapeError(problem, place=place, mend="if you trust it, name it yourself: --predictor package.module:function")


def instrument_of(venue: str, text: str) -> Instrument:
    """One `--instrument`. Raises InstrumentError."""
    try:
        return Instrument.parse(venue, text)
    except InstrumentError as error:
        if error.place == "--instrument":
            raise
        mend = f"a price has 0 to {PRICE_DECIMALS} decimals, a size 0 to {SIZE_DECIMALS}; minimums are not negative"
        raise InstrumentError(f"{text!r}: {error.problem}", place="--instrument", mend=mend) from None


def venue_spec(
    venue: Venue, *, depth: int, depth_from: str, instruments: Mapping[str, Instrument] | None = None,
    pools: tuple[PoolId, ...] = (), chain: ChainPlan | None = None, on_paper: bool = False, audit_ns: int = 0,
    is_ticking: bool = False, options: Mapping[str, str] | None = None,
) -> VenueSpec:  # fmt: skip
    """Raises ConfigError for a depth or an order side that the venue does not have."""
    if venue.orders is None and not venue.capabilities.onchain:
        mend = "its plugin must offer an order encoder, with which paper orders are written"
        raise ConfigError(f"{venue.name} takes no orders", place="--venues", mend=mend)
    if depth not in venue.capabilities.depths:
        offered = ", ".join(map(str, venue.capabilities.depths))
        raise ConfigError(f"{venue.name} has no book of depth {depth}", place=depth_from, mend=f"choose from {offered}")
    return VenueSpec(
        venue=venue, depth=depth, instruments=dict(instruments or {}), pools=pools, chain=chain, on_paper=on_paper,
        audit_ns=audit_ns, is_ticking=is_ticking, options=dict(options or {}),
    )  # fmt: skip


def spec_of(
    venues: Sequence[VenueSpec], symbols: Sequence[str], guests: Guests, limits: LimitTree, *, fees: Fees, tag: str,
    predictors: Callable[[str], Predictor] | None = None, balances: Mapping[str, Mapping[str, int]] | None = None,
    memory: SessionMemory | None = None, is_paper: bool = True, is_sim: bool = False,
) -> EngineSpec:  # fmt: skip
    """Raises ConfigError for an algo's symbol or venue that the session does not have, or two venues of one id."""
    names = [venue.venue.name for venue in venues]
    ids = {venue.venue.venue_id for venue in venues}
    if len(ids) < len(venues):
        raise ConfigError(f"two of {', '.join(names)} have one venue id", place="--venues", mend="leave one out")
    for algo in guests.specs:
        for given, known, what in ((algo.symbols, symbols, "symbols"), (algo.venues, names, "venues")):
            for one in given:
                if one not in known:
                    problem = f"algo {algo.name} wants {one}, which is not followed"
                    raise ConfigError(problem, place="[[algos]]", mend=f"add {one} to the {what}")
    return EngineSpec(
        venues=tuple(venues), symbols=tuple(dict.fromkeys(symbols)), limits=limits, algos=tuple(guests.specs),
        fees=fees, tag=tag, predictors=predictors, balances=balances or {}, memory=memory,
        is_paper=is_paper, is_sim=is_sim,
    )  # fmt: skip


def spec_of_tape(
    header: Header, guests: Guests, limits: LimitTree | None, load: Callable[[str], Venue],
    predictors: Callable[[str], Predictor] | None = None, place: str = "tape",
) -> EngineSpec:  # fmt: skip
    """The session a tape records, with other limits if some are given; `predictors` are the operator's.

    Raises TapeError for a damaged header, and for one that names a predictor though the operator gave none.
    """
    if predictors is None:
        predictors = predictors_of_tape(header, "", place)
    try:
        recorded, fees = limits_from(header), fees_from(header)
        venues = [(entry, instruments_from(entry)) for entry in header.venues]
    except (TypeError, msgspec.ValidationError) as error:
        raise TapeError(f"header: {error}", place=place, mend="this tape's head is damaged") from None
    made = [
        venue_spec(
            load(entry.name),
            depth=entry.depth,
            depth_from="the tape's header",
            instruments=known,
            pools=entry.pools,
            chain=entry.chain,
            on_paper=entry.on_paper,
            audit_ns=entry.audit_ns,
            is_ticking=entry.is_ticking,
            options=entry.options,
        )
        for entry, known in venues
    ]
    return spec_of(
        made, header.symbols, guests, limits or recorded, fees=fees, tag=header.tag, predictors=predictors,
        balances=header.balances, memory=header.memory, is_paper=header.is_paper, is_sim=header.is_sim,
    )  # fmt: skip
