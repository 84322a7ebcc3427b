"""From a recording to a session and its summary: what `replay`, `run-algo` and `inspect --on` share.

One of our tapes says itself what it is of; a recording made by others says nothing but its frames, so the command line,
and the files named there, must.
"""

import difflib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from connectors import registry
from connectors.errors import ConfigError, TapeError
from connectors.session import Venue
from connectors.units import MONEY_DECIMALS, SIZE_DECIMALS, trimmed_text
from risk.limit_changes import changes
from risk.limit_terms import covers
from risk.limits import ACCOUNT, UNSET, LimitTree, tree_of
from runtime import config as configuration
from runtime import which_venue
from runtime.config import Config
from runtime.config_limits import check_names, limits_of, unset_text
from runtime.deploy import (
    Guests,
    guests_for,
    guests_of_config,
    guests_of_tape,
    instrument_of,
    predictors_of,
    predictors_of_tape,
    spec_of,
    spec_of_tape,
    venue_spec,
)
from runtime.replay import BooksSeen, Notices, Tell, replay
from runtime.session import Session
from runtime.session import limits_from as limits_of_tape
from runtime.spec import EngineSpec
from runtime.tape import TapeReader

DEFAULT_VENUE: Final = "kraken"
TAG: Final = "vg"


class Recording(msgspec.Struct, frozen=True):
    """A recording and what was said of it: `venue` to `config` of those made by others, the rest of ours.

    `predictor` and `allow_python`: which code named by our tape's header may be run. Whoever made the tape wrote that.
    """

    file: Path
    venue: str | None = None
    instruments: tuple[str, ...] = ()
    depth: int | None = None
    config: tuple[Path, ...] = ()
    predictor: str = ""
    allow_python: bool = False

    def reader(self) -> TapeReader:
        """Raises TapeError."""
        return TapeReader(
            self.file, venue=(self.venue or DEFAULT_VENUE).replace(":", "_")
        )  # of a family, by its own name


def load_venue(name: str, place: str) -> Venue:
    """Raises ConfigError; a name that no plugin has is blamed on whoever said it."""
    if not registry.is_offered(name):
        mend = f"choose from: {', '.join(registry.names())}"
        raise ConfigError(f"no venue is called {name!r}", place=place, mend=mend)
    return registry.load(name)


def limits_from(config: Config, tell: Tell | None) -> LimitTree:
    """The config's limits, else the shipped paper limits, which are told where something trades."""
    if config.limits is not None:
        limits = limits_of(config.limits, config.origin)
        if tell is not None and (text := unset_text(limits)):
            tell(text, "warning")
        return limits
    limits = configuration.paper_limits()
    if tell is not None:
        tell(f"no limits given, so the shipped paper limits: {limits_text(limits)}", "info")
    return limits


def limits_text(tree: LimitTree) -> str:
    """One line for a person."""
    limits = tree.account
    parts = [
        f"position {trimmed_text(limits.max_position_1e8, SIZE_DECIMALS)}",
        f"order notional {trimmed_text(limits.max_order_notional_1e9, MONEY_DECIMALS)}",
        f"{limits.max_order_rate} orders/s",
        f"collar {limits.price_collar_bps} bps",
        f"daily loss {trimmed_text(limits.max_daily_loss_1e9, MONEY_DECIMALS)}",
        f"books stale after {trimmed_text(limits.max_book_age_ns, 9)} s",
        f"{limits.max_open_orders} open orders",
    ]
    for text, amount, decimals in (
        ("order quantity", limits.max_order_qty_1e8, SIZE_DECIMALS),
        ("capital", limits.max_capital_1e9, MONEY_DECIMALS),
        ("drawdown", limits.max_drawdown_1e9, MONEY_DECIMALS),
    ):
        if amount != UNSET:
            parts.append(f"{text} {trimmed_text(amount, decimals)}")
    return ", ".join(parts)


def check_limits(spec: EngineSpec, tree: LimitTree) -> None:
    """Raises ConfigError for limits of a venue, market or algo that the session has not: they would hold nobody."""
    markets = [f"{one.venue.name}:{symbol}" for one in spec.venues for symbol in spec.symbols]
    markets += [f"{one.venue.name}:{pool.name}" for one in spec.venues for pool in one.pools]
    check_names(
        tree, [one.venue.name for one in spec.venues], markets, spec.symbols, [algo.name for algo in spec.algos]
    )


def check_balances(config: Config, venues: Sequence[str]) -> None:
    """Raises ConfigError for balances of a venue that is not connected: nobody would be held to them."""
    for name in config.paper.balances:
        if name not in venues:
            close = difflib.get_close_matches(name, venues, 1)
            mend = f"did you mean {close[0]}? " if close else ""
            raise ConfigError(
                f"paper.balances.{name}: no such venue is connected", place=config.origin(f"paper.balances.{name}"),
                mend=f"{mend}connected: {', '.join(venues)}",
            )  # fmt: skip


def idle_permits(spec: EngineSpec, tree: LimitTree) -> list[str]:
    """Where `permitted` names nothing that the session follows: nothing may trade there, and that may be a slip."""
    markets = [f"{one.venue.name}:{symbol}" for one in spec.venues for symbol in spec.symbols]
    markets += [f"{one.venue.name}:{pool.name}" for one in spec.venues for pool in one.pools]
    said = [(ACCOUNT, tree.instruments), *((scope.label, scope.instruments) for scope in tree.scopes)]
    return [
        f"{label}.permitted names nothing that this session follows: every order there is denied"
        f" ({tree.origin(label, 'instruments') or 'limits'})"
        for label, names in said
        if names is not None and not any(covers(names, [market]) for market in markets)
    ]


def guests_from(symbols: Sequence[str], algo: Path | None, abi: str, config: Config, tell: Tell) -> Guests:
    """`--algo`, else the config's `[[algos]]`, else the demo guest."""
    if algo is not None or not config.algos:
        return guests_for(symbols, algo, abi, tell)
    return guests_of_config(config.algos, tell, config.base("algos"))


def spec_of_recording(
    recording: Recording, tape: TapeReader, algo: Path | None, abi: str, limits: LimitTree | None, tell: Tell
) -> EngineSpec:
    """The session to replay it in. Raises ConfigError, ModuleError, TapeError, InstrumentError."""
    header, file = tape.header, recording.file
    if header is None:
        return _foreign(recording, algo, abi, limits, tell)
    for option, value in (("--venue", recording.venue), ("--instrument", recording.instruments or None),
                          ("--depth", recording.depth)):  # fmt: skip
        if value is not None:
            problem = f"{file} is a tape of ours, whose header says that already"
            raise ConfigError(problem, place=option, mend=f"leave {option} out: it is for recordings made by others")
    config = configuration.load(recording.config, {}, default=False) if recording.config else Config()
    if algo is None and config.algos:
        guests = guests_of_config(config.algos, tell, config.base("algos"))
    else:
        guests = guests_of_tape(header, algo, str(file), abi, allow_python=recording.allow_python, tell=tell)
    if limits is None and config.limits is not None:
        limits = limits_of(config.limits, config.origin)
    if config.features.predictor:
        predictors = predictors_of(config.features.predictor, config.origin("features.predictor"))
    else:
        predictors = predictors_of_tape(header, recording.predictor, str(file))
    load = partial(load_venue, place=f"{file}: header")
    spec = spec_of_tape(header, guests, limits, load, predictors, str(file))
    is_other = algo is not None or bool(recording.config) or bool(changes(tree_of(spec.limits), limits_of_tape(header)))
    return spec if header.is_paper or not is_other else _on_paper(spec, tell)


def _on_paper(spec: EngineSpec, tell: Tell) -> EngineSpec:
    """What a venue answered to one session's orders says nothing about those of another."""
    tell("the orders of this tape went to a venue; those of this replay, which differ, are filled on paper", "warning")
    memory = spec.memory
    if memory is not None:
        open_none = msgspec.structs.replace(memory.gate, open_orders=())
        memory = msgspec.structs.replace(memory, gate=open_none, is_paper=None)
    return msgspec.structs.replace(spec, is_paper=True, is_sim=False, memory=memory)


def _foreign(recording: Recording, algo: Path | None, abi: str, limits: LimitTree | None, tell: Tell) -> EngineSpec:
    if recording.predictor:
        problem = f"{recording.file} is a recording made by others, which names none"
        raise ConfigError(problem, place="--predictor", mend="name it in a --config: [features] predictor")
    config = configuration.load(recording.config, {}, default=False) if recording.config else Config()
    venue = load_venue(recording.venue or DEFAULT_VENUE, "--venue")
    known = {one.symbol: one for one in (instrument_of(venue.name, text) for text in recording.instruments)}
    if not known:
        mend = "add --instrument SYMBOL:price_decimals:size_decimals, for instance BTC/USD:1:8"
        raise TapeError("has no metadata of its own", place=str(recording.file), mend=mend)
    fees = config.fees()
    depth = config.venue(venue.name).depth if recording.depth is None else recording.depth
    followed = venue_spec(venue, depth=depth, depth_from="--depth", instruments=known)
    which_venue.check(recording.file, venue, known, depth)
    spec = spec_of(
        [followed], list(known),
        guests_from(list(known), algo, abi, config, tell), limits or limits_from(config, tell), fees=fees, tag=TAG,
        predictors=predictors_of(config.features.predictor, config.origin("features.predictor")),
    )  # fmt: skip
    maker, taker = trimmed_text(fees.maker_ppm, 4), trimmed_text(fees.taker_ppm, 4)
    tell(f"fees: maker {maker} %, taker {taker} %", "info")
    return spec


def play(session: Session, tape: TapeReader, tell: Tell) -> dict[str, Any]:
    """Replays the whole tape and says what a person should know of it; the summary."""
    notices, seen = Notices(tell), BooksSeen()
    session.watchers.append(seen)
    replay(session, tape, notices.carry)
    notices.close()
    if tape.cut_short:
        tell(f"{tape.path} is cut short {tape.cut_short}; what was readable was replayed", "warning")
    for line in seen.missing(session):
        why = "" if tape.header else ": is the symbol in --instrument the recording's, and are its decimals right?"
        tell(line + why, "warning")
    result = session.summary()
    result["outcome"] = faults(result)
    return result


def faults(result: dict[str, Any]) -> str:
    """An outcome for a session in which guests had to be taken out."""
    return f"disabled for a fault: {', '.join(result['disabled'])}" if result["disabled"] else ""
