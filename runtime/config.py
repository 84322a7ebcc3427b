"""The config door: TOML files and the environment become frozen values, or one clear error.

Precedence, highest first: command line, `GATEWAY__SECTION__KEY` in the environment, `--config` files (the last wins),
`gateway.toml` in the working directory, defaults. Numbers are read as decimals, never as floats. An unknown key, a
negative amount or a NaN is refused with the file, the value and the mend; in `[limits]` with the line, too.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from connectors.errors import ConfigError, NumberError
from connectors.units import I64_MAX, SIZE_DECIMALS, scaled
from risk.limits import LimitTree
from runtime.config_chain import ChainSection, PoolSection, TokenSection
from runtime.config_limit_sections import LimitsSection, mend_of, wanted_of
from runtime.config_limits import Origin, limits_of
from runtime.config_lines import lines_of
from runtime.config_solana import SolanaPoolSection, SolanaSection, SolanaTokenSection
from runtime.config_types import Balance, Percent, Printable, PublicKey, Whole
from runtime.config_types import Section as _Section
from runtime.config_venue import ADDRESSES, REFERENCES, VenueSection
from runtime.sim.paper import Fees

ENV_PREFIX: Final = "GATEWAY__"
DEFAULT_FILE: Final = Path("gateway.toml")

_LISTS: Final = (
    (["serve"], "venues"), (["serve"], "symbols"), (["venues"], "urls"), (["venues"], "ws_urls"),
    (["venues"], "sizes"),
    (["limits"], "order_types"), (["limits"], "permitted"), (["limits"], "promoted"),
)  # fmt: skip

Place = Callable[[tuple[str, ...]], str]  # a setting's path → where it was said


class PaperSection(_Section):
    """`[paper]`: the paper venue's fees, and what it holds."""

    maker_fee_pct: Percent = Field(default=Decimal("0.25"), description="fee of a resting fill, % of the notional")
    taker_fee_pct: Percent = Field(default=Decimal("0.40"), description="fee of a taking fill, % of the notional")
    balances: dict[str, dict[str, Balance]] = Field(
        default={}, description="what is there at the start: a table per venue, of currency = amount"
    )


class VenuesSection(_Section):
    """`[venues]`: chains are read by one table's rules, every other venue by another's."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, VenueSection] = Field(init=False)

    dex_eth: ChainSection = Field(default=ChainSection(), description="pools on Ethereum")
    dex_arb: ChainSection = Field(default=ChainSection(), description="pools on Arbitrum One")
    dex_base: ChainSection = Field(default=ChainSection(), description="pools on Base")
    dex_op: ChainSection = Field(default=ChainSection(), description="pools on OP Mainnet")
    dex_poly: ChainSection = Field(default=ChainSection(), description="pools on Polygon PoS")
    dex_sol: SolanaSection = Field(default=SolanaSection(), description="pools on Solana")


CHAIN_VENUES: Final = tuple(VenuesSection.model_fields)
_ON_CHAINS: Final = {ChainSection, PoolSection, TokenSection, SolanaSection, SolanaPoolSection, SolanaTokenSection}
_OF_ANOTHER_SORT: Final[dict[type[BaseModel], tuple[type[BaseModel], str]]] = {
    SolanaSection: (ChainSection, "only EVM chains have"),
    SolanaPoolSection: (PoolSection, "only pools on EVM chains have"),
    ChainSection: (SolanaSection, "only dex_sol has"),
    PoolSection: (SolanaPoolSection, "only pools of dex_sol have"),
}


class AlgoSection(_Section):
    """`[[algos]]`: one deployment of a guest."""

    name: Annotated[Printable, Field(min_length=1, max_length=32)] = Field(description="how it is called everywhere")
    wasm: str = Field(
        description="path of the module, relative to this file; a .py is a Python algo, which is not sandboxed"
    )
    symbols: Annotated[list[str], Field(min_length=1)] = Field(description="its symbols; the first is its primary")
    venues: list[str] = Field(
        default=[], description="where it sees and trades them, its own venue first; by default all of serve.venues"
    )
    abi: str = Field(default="", description="its generation, where the exports do not tell: 0.3.0 or 0.3.2")
    params: list[Any] | dict[str, Any] = Field(
        default=[], description="what its ConfigRegion starts with: a list by slot, or a table of slot = value"
    )
    mesh: str = Field(default="", description="its label in the mesh, by which other algos message it")
    restart: Literal["never", "backoff"] = Field(
        default="never", description="after a fault: never, or after 1, 2, 4 … 60 s"
    )
    restarts_max: Annotated[Whole, Field(ge=1, le=100)] = Field(
        default=5, description='restarts a session, with restart = "backoff"'
    )


class FeaturesSection(_Section):
    """`[features]`: what OnlineFeatures holds beside what is computed."""

    predictor: str = Field(
        default="", description="package.module:function that makes the model of a market; empty: no predictions"
    )


class ServeSection(_Section):
    """`[serve]`: what `gateway serve` runs when the command line does not say."""

    venues: list[str] = Field(default=["kraken"], description="venues to connect")
    symbols: list[str] = Field(
        default=[], description="symbols to follow, BASE/QUOTE; none: the first usual one that all venues have"
    )
    record: str = Field(default="", description="path of the tape to write")
    control: str = Field(default="", description="path of the control socket; by default one per process")


class JournalSection(_Section):
    """`[journal]`: what a session must not forget, and how hard it is kept."""

    path: str = Field(default="", description="path of the journal, relative to this file; empty: none is kept")
    durability: Literal["process", "power"] = Field(
        default="process", description="what it survives: the end of this process, or of power too, which costs more"
    )


def _own_key_each(keys: dict[str, str]) -> dict[str, str]:
    if not all(keys) or len(set(keys.values())) < len(keys):
        raise ValueError("a name for each key and a key of their own for each name are wanted")
    return keys


class KillSection(_Section):
    """`[kill]`: stopping everything, and orders above a limit that a person signs."""

    file: str = Field(default="", description="a path; while something lies there, trading is halted")
    drill_max_age_h: Annotated[Decimal, Field(gt=0, le=8784, allow_inf_nan=False)] = Field(
        default=Decimal(168), description="hours after which the last drill is stale"
    )
    override_keys: Annotated[dict[Printable, PublicKey], AfterValidator(_own_key_each)] = Field(
        default={}, description="who may sign overrides: name = public key of Ed25519, in hexadecimal digits"
    )


class Config(_Section):
    """Everything a file may say."""

    limits: LimitsSection | None = None
    paper: PaperSection = PaperSection()
    serve: ServeSection = ServeSection()
    venues: VenuesSection = VenuesSection()
    algos: list[AlgoSection] = Field(default=[], description="the guests to deploy")
    features: FeaturesSection = FeaturesSection()
    journal: JournalSection = JournalSection()
    kill: KillSection = KillSection()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def origin(self, where: str) -> str:
        """The file that said `where` (a dotted name), of limits with its line, or `environment` and its variable."""
        return _origin(self._origins, where)

    def base(self, where: str) -> Path:
        """The folder that paths in `where` are relative to: that of its file; here, if the environment said it."""
        file = Path(self.origin(where))
        return file.parent if file.is_file() else Path()

    def venue(self, name: str) -> VenueSection | ChainSection | SolanaSection:
        if name in CHAIN_VENUES:
            return self.chain(name)
        return self.venues.__pydantic_extra__.get(name, VenueSection())

    def chain(self, name: str) -> ChainSection | SolanaSection:
        """Of a venue on a chain."""
        section: ChainSection | SolanaSection = getattr(self.venues, name)
        return section

    def fees(self, origin: Origin | None = None) -> Fees:
        """Parts per million. Raises ConfigError for more than four decimals of a percent."""
        ppm = {}
        for key in ("maker_fee_pct", "taker_fee_pct"):
            try:
                ppm[key] = scaled(getattr(self.paper, key), 4)
            except NumberError as error:
                where = f"paper.{key}"
                place = origin(where) if origin is not None else "[paper]"
                raise ConfigError(f"{where}: {error}", place=place, mend="use at most 4 decimals") from None
        return Fees(maker_ppm=ppm["maker_fee_pct"], taker_ppm=ppm["taker_fee_pct"])

    def balances(self, origin: Origin | None = None) -> dict[str, dict[str, int]]:
        """What the paper venues hold at the start: venue → currency → ×1e8. Raises ConfigError."""
        made: dict[str, dict[str, int]] = {}
        for venue, currencies in self.paper.balances.items():
            made[venue] = {}
            for currency, amount in currencies.items():
                where = f"paper.balances.{venue}.{currency}"
                place = origin(where) if origin is not None else "[paper]"
                try:
                    units = made[venue][currency] = scaled(amount, SIZE_DECIMALS)
                except NumberError as error:
                    raise ConfigError(f"{where}: {error}", place=place, mend="use at most 8 decimals") from None
                if units > I64_MAX:
                    raise ConfigError(f"{where} = {amount} is too large", place=place, mend="63 bits hold it ×1e8")
        return made


def load(files: Sequence[Path], environment: Mapping[str, str] | None = None, *, default: bool = True) -> Config:
    """Reads `gateway.toml` if it is here (`default`), then `files`, then the environment. Raises ConfigError."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    paths = [*([DEFAULT_FILE] if default and DEFAULT_FILE.is_file() else []), *files]
    for path in paths:
        _merge(merged, *_read(path), origins)
    environment = os.environ if environment is None else environment
    _merge(merged, _from_environment(environment), _variables(environment), origins)
    config = _validate(Config, merged, lambda where: _origin(origins, where))
    config._origins.update(origins)  # noqa: SLF001 - the model's own file
    if config.limits is not None:
        limits_of(config.limits, config.origin)
    config.fees(config.origin)
    config.balances(config.origin)
    return config


def load_limits(path: Path) -> LimitTree:
    """A limits file of its own: one `[limits]` table. Raises ConfigError."""
    data, place = _read(path)
    if "limits" not in data:
        raise ConfigError("has no [limits] table", place=str(path), mend="put the limits under a line `[limits]`")
    if others := sorted(data.keys() - {"limits"}):
        problem = f"{', '.join(others)}: a limits file holds one [limits] table and nothing else"
        raise ConfigError(problem, place=str(path), mend=f"move {others[0]} to a gateway.toml, or give it as --config")
    return _limits_alone(data, place)


def paper_limits() -> LimitTree:
    """The shipped paper.toml: for replay and paper trading only."""
    text = resources.files("runtime").joinpath("paper.toml").read_text(encoding="utf-8")
    return _limits_alone(tomllib.loads(text, parse_float=Decimal), _places("paper.toml", text))


def _limits_alone(data: dict[str, Any], place: Place) -> LimitTree:
    origins: dict[str, str] = {}
    _merge({}, data, place, origins)
    config = _validate(Config, data, lambda where: _origin(origins, where))
    return limits_of(config.limits, lambda where: _origin(origins, where))


def _read(path: Path) -> tuple[dict[str, Any], Place]:
    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text, parse_float=Decimal), _places(str(path), text)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a TOML file"
        ) from None
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"\(at line (\d+)", str(error))
        at = line[1] if line else text.count("\n") + (not text.endswith("\n"))
        raise ConfigError(f"is not TOML: {error}", place=f"{path}:{at}", mend="mend that line") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"is not TOML: {error}", place=str(path), mend="save it as UTF-8") from None
    except RecursionError:
        raise ConfigError("is nested too deeply", place=str(path), mend="see docs/configuration.md") from None


def _places(file: str, text: str) -> Place:
    """Of limits file and line; of everything else, whose paths are relative to it, the file."""
    lines = lines_of(text)

    def place(path: tuple[str, ...]) -> str:
        return f"{file}:{lines[path]}" if path[0] == "limits" and path in lines else file

    return place


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """`GATEWAY__LIMITS__MAX_POSITION=2` → `{"limits": {"max_position": "2"}}`; lists are comma-separated."""
    found: dict[str, Any] = {}
    for name, value in sorted(environment.items()):
        if not name.startswith(ENV_PREFIX):
            continue
        *sections, key = parts = [part.lower() for part in name.removeprefix(ENV_PREFIX).split("__")]
        if not all(parts):
            mend = "write GATEWAY__SECTION__KEY, for instance GATEWAY__LIMITS__MAX_POSITION=2"
            raise ConfigError(f"{name} names no setting", place="environment", mend=mend)
        at = found
        for section in sections:
            at = at.setdefault(section, {})
            if not isinstance(at, dict):
                problem = f"{name} and a variable for all of {section!r} are both set"
                raise ConfigError(problem, place="environment", mend="unset the shorter one")
        is_list = (sections[:1], key) in _LISTS
        at[key] = [item.strip() for item in value.split(",") if item.strip()] if is_list else value
    return found


def _variables(environment: Mapping[str, str]) -> Place:
    """A setting's variable by its own name; of a section the first below it."""
    names = {
        tuple(name.removeprefix(ENV_PREFIX).lower().split("__")): name
        for name in sorted(environment)
        if name.startswith(ENV_PREFIX)
    }
    return lambda path: f"environment {next(name for said, name in names.items() if said[: len(path)] == path)}"


def _merge(
    into: dict[str, Any], new: dict[str, Any], place: Place, origins: dict[str, str], path: tuple[str, ...] = ()
) -> None:
    for key, value in new.items():
        below = (*path, key)
        origins[".".join(below)] = place(below)
        if isinstance(value, dict) and isinstance(into.get(key, {}), dict):
            _merge(into.setdefault(key, {}), value, place, origins, below)
        else:
            into[key] = value


def _origin(origins: Mapping[str, str], where: str) -> str:
    """The source of a setting, of anything below it, or of its section."""
    while where:
        below = (origin for at, origin in origins.items() if at == where or at.startswith(f"{where}."))
        if origin := next(below, ""):
            return origin
        where = where.rpartition(".")[0]  # a missing key was missed where its neighbours stand
    return "configuration"


def _validate(model: type[Config], data: dict[str, Any], origin: Any) -> Config:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors()  # a misspelt key first: it is why another is missing
        first = next((one for one in errors if one["type"] == "extra_forbidden"), errors[0])
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{where}: {_problem(first)}", place=origin(where), mend=_mend(model, first)) from None


def _problem(error: Any) -> str:
    said, value = error["msg"].removeprefix("Value error, "), error["input"]
    if error["type"] == "extra_forbidden":
        is_shown = error["loc"][0] == "limits" and not isinstance(value, (dict, list))
        return f"is not a setting, but it is {value!s:.60}" if is_shown else "is not a setting"
    if error["type"] == "missing":
        return "is missing"
    if error["type"] == "model_type":
        said = "a table is wanted"
    names = set(map(str, error["loc"]))
    is_secret = not names.isdisjoint(ADDRESSES | REFERENCES)  # any part of an address may be a provider's key
    if is_secret or error["type"] == "model_type" or isinstance(value, (dict, BaseModel)):
        return str(said)
    if isinstance(value, str) and "://" in value:  # an address in the wrong place
        scheme, _, rest = value.partition("://")
        value = f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}/…"
    return f"{said}, but it is {value!s:.60}"


def _mend(model: type[BaseModel], error: Any) -> str:
    *sections, key = [str(part) for part in error["loc"]]
    at = model
    for section in sections:
        at = _below(at, section)
    keys = list(at.model_fields)
    is_unknown = error["type"] == "extra_forbidden"
    if mend := mend_of([*sections, key], is_unknown=is_unknown):
        return mend
    if error["type"] == "missing":
        return f"set {key}: {at.model_fields[key].description}" if key in keys else f"set {key}"
    if is_unknown:
        if at is VenueSection and key in ChainSection.model_fields:
            return f"only chains have {key}: write it under [venues.dex_arb] or another of {', '.join(CHAIN_VENUES)}"
        if at in {ChainSection, SolanaSection} and key in VenueSection.model_fields:
            return "leave it out: orders on chains are filled on paper"
        if (other := _OF_ANOTHER_SORT.get(at)) and key in other[0].model_fields:
            return f"leave it out: {other[1]} {key}"
        close = difflib.get_close_matches(key, keys, 1)
        return f"did you mean {close[0]}?" if close else f"the settings here are: {', '.join(keys)}"
    named = next((name for name in (key, *reversed(sections)) if name in keys), "")  # of a list's item, the list
    if named and _below(at, named) is at:
        about = at.model_fields[named].description or "see docs/configuration.md"
        return f"{wanted_of(named)}: {about}" if sections[:1] == ["limits"] else about
    is_chain = _below(at, key) in _ON_CHAINS
    return "see docs/dex.md" if is_chain else "see docs/configuration.md"


def _below(model: type[BaseModel], name: str) -> type[BaseModel]:
    """The section that a setting of this section holds, alone, in a list or in a table; without one, this section."""
    if name not in model.model_fields:
        return VenueSection if model is VenuesSection else model
    annotation = model.model_fields[name].annotation
    for part in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return model
