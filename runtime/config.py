"""The config door: TOML files and the environment become frozen values, or one clear error.

Precedence, highest first: command line, `GATEWAY__SECTION__KEY` in the environment, `--config` files (the last wins),
`gateway.toml` in the working directory, defaults. Numbers are read as decimals, never as floats. An unknown key, a
negative amount or a NaN is refused with the file, the value and the mend.
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

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from connectors.errors import ConfigError, NumberError
from connectors.units import MONEY_DECIMALS, SIZE_DECIMALS, scaled
from risk.limits import Limits
from runtime.config_chain import ChainSection, PoolSection, TokenSection
from runtime.config_types import Amount, Percent, Printable, SocketUrl, Whole
from runtime.config_types import Section as _Section
from runtime.sim.paper import Fees

ENV_PREFIX: Final = "GATEWAY__"
DEFAULT_FILE: Final = Path("gateway.toml")

_LISTS: Final = ((["serve"], "venues"), (["serve"], "symbols"), (["venues"], "urls"), (["venues"], "sizes"))

Origin = Callable[[str], str]  # a setting's dotted name → the file it stands in


class LimitsSection(_Section):
    """`[limits]`: what may be risked. Every key but the last must be set."""

    max_position: Amount = Field(description="per instrument, in the base currency, with every open order filled")
    max_order_notional: Amount = Field(description="one order, in the quote currency")
    max_order_rate: Annotated[Whole, Field(ge=1, le=100_000)] = Field(
        description="new orders and amends in any rolling second; cancels have as many of their own"
    )
    price_collar_bps: Annotated[Whole, Field(ge=1, le=10_000)] = Field(description="distance from the mid, 1/100 %")
    max_daily_loss: Amount = Field(description="realised + unrealised + fees since 00:00 UTC, per quote currency")
    max_book_age_s: Annotated[Decimal, Field(gt=0, le=3600, allow_inf_nan=False)] = Field(
        default=Decimal(5), description="silence of a link after which its books are stale"
    )


class PaperSection(_Section):
    """`[paper]`: the paper venue's fees."""

    maker_fee_pct: Percent = Field(default=Decimal("0.25"), description="fee of a resting fill, % of the notional")
    taker_fee_pct: Percent = Field(default=Decimal("0.40"), description="fee of a taking fill, % of the notional")


class VenueSection(_Section):
    """`[venues.NAME]`: where a venue is and how much of its book is read."""

    url: SocketUrl = Field(default="", description="WebSocket address instead of the venue's own")
    depth: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=10, description="levels a side to subscribe")


class VenuesSection(_Section):
    """`[venues]`: chains are read by one table's rules, every other venue by another's."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, VenueSection] = Field(init=False)

    dex_eth: ChainSection = Field(default=ChainSection(), description="pools on Ethereum")
    dex_arb: ChainSection = Field(default=ChainSection(), description="pools on Arbitrum One")
    dex_base: ChainSection = Field(default=ChainSection(), description="pools on Base")
    dex_op: ChainSection = Field(default=ChainSection(), description="pools on OP Mainnet")
    dex_poly: ChainSection = Field(default=ChainSection(), description="pools on Polygon PoS")


CHAIN_VENUES: Final = tuple(VenuesSection.model_fields)


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
    symbols: list[str] = Field(default=["BTC/USD"], description="symbols to follow, by the venue's own names")
    record: str = Field(default="", description="path of the tape to write")
    control: str = Field(default="", description="path of the control socket; by default one per process")


class Config(_Section):
    """Everything a file may say."""

    limits: LimitsSection | None = None
    paper: PaperSection = PaperSection()
    serve: ServeSection = ServeSection()
    venues: VenuesSection = VenuesSection()
    algos: list[AlgoSection] = Field(default=[], description="the guests to deploy")
    features: FeaturesSection = FeaturesSection()

    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    def origin(self, where: str) -> str:
        """The file that said `where` (a dotted name), or `environment`."""
        return _origin(self._origins, where)

    def base(self, where: str) -> Path:
        """The folder that paths in `where` are relative to: that of its file; here, if the environment said it."""
        file = Path(self.origin(where))
        return file.parent if file.is_file() else Path()

    def venue(self, name: str) -> VenueSection | ChainSection:
        if name in CHAIN_VENUES:
            return self.chain(name)
        return self.venues.__pydantic_extra__.get(name, VenueSection())

    def chain(self, name: str) -> ChainSection:
        """Of a venue on a chain."""
        section: ChainSection = getattr(self.venues, name)
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


def load(files: Sequence[Path], environment: Mapping[str, str] | None = None, *, default: bool = True) -> Config:
    """Reads `gateway.toml` if it is here (`default`), then `files`, then the environment. Raises ConfigError."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    paths = [*([DEFAULT_FILE] if default and DEFAULT_FILE.is_file() else []), *files]
    for path in paths:
        _merge(merged, _read(path), str(path), origins, "")
    _merge(merged, _from_environment(os.environ if environment is None else environment), "environment", origins, "")
    config = _validate(Config, merged, lambda where: _origin(origins, where))
    config._origins.update(origins)  # noqa: SLF001 - the model's own file
    if config.limits is not None:
        limits_of(config.limits, config.origin)
    config.fees(config.origin)
    return config


def load_limits(path: Path) -> Limits:
    """A limits file of its own: one `[limits]` table. Raises ConfigError."""
    data = _read(path)
    if "limits" not in data:
        raise ConfigError("has no [limits] table", place=str(path), mend="put the limits under a line `[limits]`")
    if others := sorted(data.keys() - {"limits"}):
        problem = f"{', '.join(others)}: a limits file holds one [limits] table and nothing else"
        raise ConfigError(problem, place=str(path), mend=f"move {others[0]} to a gateway.toml, or give it as --config")
    config = _validate(Config, data, lambda _: str(path))
    return limits_of(config.limits, lambda _: str(path))


def paper_limits() -> Limits:
    """The shipped paper.toml: for replay and paper trading only."""
    text = resources.files("runtime").joinpath("paper.toml").read_text(encoding="utf-8")
    config = _validate(Config, tomllib.loads(text, parse_float=Decimal), lambda _: "paper.toml")
    return limits_of(config.limits, lambda _: "paper.toml")


def limits_of(section: LimitsSection | None, origin: Origin) -> Limits:
    """The section as integers. Raises ConfigError for an amount beyond the scales."""
    if section is None:
        raise ConfigError(
            "has no [limits]", place=origin("limits"), mend="add a [limits] table; see docs/configuration.md"
        )
    values = {}
    for key, decimals in (("max_position", SIZE_DECIMALS), ("max_order_notional", MONEY_DECIMALS),
                          ("max_daily_loss", MONEY_DECIMALS), ("max_book_age_s", 9)):  # fmt: skip
        amount, where = getattr(section, key), f"limits.{key}"
        try:
            values[key] = scaled(amount, decimals)
        except NumberError as error:
            mend = f"use at most {decimals} decimals"
            raise ConfigError(f"{where}: {error}", place=origin(where), mend=mend) from None
        if values[key] >= 2**63:
            mend = "the guest's records hold 63 bits"
            raise ConfigError(f"{where} = {amount} is too large", place=origin(where), mend=mend)
    return Limits(
        max_position_1e8=values["max_position"],
        max_order_notional_1e9=values["max_order_notional"],
        max_order_rate=section.max_order_rate,
        price_collar_bps=section.price_collar_bps,
        max_daily_loss_1e9=values["max_daily_loss"],
        max_book_age_ns=values["max_book_age_s"],
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise ConfigError(
            f"cannot be read: {error.strerror}", place=str(path), mend="give the path of a TOML file"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"is not TOML: {error}", place=str(path), mend="mend that line") from None


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


def _merge(into: dict[str, Any], new: dict[str, Any], origin: str, origins: dict[str, str], where: str) -> None:
    for key, value in new.items():
        at = f"{where}.{key}" if where else key
        if isinstance(value, dict) and isinstance(into.get(key, {}), dict):
            origins[at] = origin
            _merge(into.setdefault(key, {}), value, origin, origins, at)
        else:
            into[key] = value
            origins[at] = origin


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
    if error["type"] == "extra_forbidden":
        return "is not a setting"
    if error["type"] == "missing":
        return "is missing"
    said, value = error["msg"].removeprefix("Value error, "), error["input"]
    if error["type"] == "model_type":
        said = "a table is wanted"
    is_address = not {"url", "urls"}.isdisjoint(map(str, error["loc"]))  # any part of it may be a provider's key
    if is_address or error["type"] == "model_type" or isinstance(value, (dict, BaseModel)):
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
    if error["type"] == "missing":
        return f"set {key}: {at.model_fields[key].description}" if key in keys else f"set {key}"
    if error["type"] == "extra_forbidden":
        if at is VenueSection and key in ChainSection.model_fields:
            return f"only chains have {key}: write it under [venues.dex_arb] or another of {', '.join(CHAIN_VENUES)}"
        close = difflib.get_close_matches(key, keys, 1)
        return f"did you mean {close[0]}?" if close else f"the settings here are: {', '.join(keys)}"
    named = next((name for name in (key, *reversed(sections)) if name in keys), "")  # of a list's item, the list
    if named and _below(at, named) is at:
        return at.model_fields[named].description or "see docs/configuration.md"
    is_chain = _below(at, key) in {ChainSection, PoolSection, TokenSection}
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
