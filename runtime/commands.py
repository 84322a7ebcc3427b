"""What the commands do; `cli.py` holds their options. Each returns a dictionary to print."""

import asyncio
import getpass
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from connectors.book import LEVELS
from connectors.errors import ConfigError, TapeError
from connectors.session import Venue
from risk.limit_changes import changes
from risk.limits import LimitTree
from runtime import config as configuration
from runtime import golive
from runtime.chain_plan import plan_of
from runtime.config import Config
from runtime.control import Request, ask, own_socket
from runtime.deploy import Guests, is_python, predictors_of, spec_of, venue_spec
from runtime.journal.keeper import JournalPlan
from runtime.live import Live
from runtime.live import serve as serve_live
from runtime.owners import check_owners
from runtime.person import Surroundings
from runtime.port import VenueSpec
from runtime.recordings import (
    Recording,
    check_balances,
    check_limits,
    faults,
    guests_from,
    idle_permits,
    limits_from,
    load_venue,
    play,
    spec_of_recording,
)
from runtime.regions import parse_params
from runtime.reloading import LimitFiles, check_variables
from runtime.replay import check_footer
from runtime.replay import replay as replay_tape
from runtime.screen import Screen
from runtime.session import Session
from runtime.session import limits_from as recorded_limits
from runtime.sim.embedded import check_embedded
from runtime.sinks import sinks
from runtime.spec import AlgoSpec, EngineSpec
from runtime.tape import TapeReader, encode_input
from runtime.vault import Vault

_SYMBOL: Final = re.compile(r"[^\s/]{1,40}/[^\s/]{1,40}")


def _venues(text: str | None, config: Config) -> list[Venue]:
    names = config.serve.venues if text is None else [name.strip() for name in text.split(",") if name.strip()]
    place = "--venues" if text is not None else config.origin("serve.venues")
    if not names:
        raise ConfigError("names no venue", place=place, mend="name at least one, for instance kraken")
    golive.check_sections(config)
    found = [load_venue(name, place) for name in dict.fromkeys(names)]
    for venue in found:
        golive.check_options(config, venue)
    return found


def _symbols(text: str | None, config: Config, venues: Sequence[Venue]) -> list[str]:
    """Those that were named; else the first usual one of all venues, or of each where they have none in common."""
    place = "--symbols" if text is not None else config.origin("serve.symbols")
    if text is None and not config.serve.symbols:
        common = [symbol for symbol in venues[0].usual if all(symbol in venue.usual for venue in venues)]
        return common[:1] or list(dict.fromkeys(venue.usual[0] for venue in venues))
    given = config.serve.symbols if text is None else text.split(",")
    symbols = list(dict.fromkeys(symbol.strip() for symbol in given if symbol.strip()))
    if not symbols:
        raise ConfigError("names no symbol", place=place, mend="name at least one, for instance BTC/USD")
    for symbol in symbols:
        if _SYMBOL.fullmatch(symbol) is None:
            mend = "write it as BTC/USD, whatever the venue itself calls it"
            raise ConfigError(f"{symbol!r} is not BASE/QUOTE", place=place, mend=mend)
    return symbols


def _tell_about(algos: Sequence[AlgoSpec], venues: int, screen: Screen) -> None:
    """What a person should know of the algos before they run."""
    for spec in algos:
        has_nbbo_only = spec.guest.callbacks == {"on_nbbo"}
        if has_nbbo_only and venues < 2:
            text = f"algo {spec.name} is a multi-venue guest, and one venue is connected: its on_nbbo never runs"
            screen.tell(text, "warning")


def serve(
    *, venues: str | None, symbols: str | None, algo: Path | None, limits: Path | None, config: list[Path],
    record: Path | None, duration: float | None, depth: int | None, sim_seed: int | None, trade: bool,
    abi: str = "", control: Path | None = None, journal: Path | None = None, confirm: bool = False, live: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """`gateway serve` and `gateway record`."""
    check_owners()
    check_variables(limits)
    screen = Screen(sys.stderr)
    with screen.in_background(), ExitStack() as stack:
        settings = configuration.load(config)
        connected = _venues(venues, settings)
        is_sim = sim_seed is not None
        if is_sim:
            golive.check_sim(is_live=live)
            check_embedded([venue.name for venue in connected])
        followed = _symbols(symbols, settings, connected)
        chosen = configuration.load_limits(limits) if limits is not None else None
        kept = _journal(settings, journal, confirm=confirm) if trade else None
        over_the_wire = golive.wired(connected, is_on=trade and (live or is_sim))
        if live:
            _check_live(settings, connected, chosen, kept, algo)
        guests = guests_from(followed, algo, abi, settings, screen.tell_first) if trade else Guests()
        _tell_about(guests.specs, len(connected), screen)
        predictor = settings.features.predictor if trade else ""
        tree = chosen or limits_from(settings, screen.tell if trade else None)
        spec = spec_of(
            [_venue_spec(venue, settings, followed, depth, over_the_wire) for venue in connected], followed, guests,
            tree, fees=settings.fees(), tag=golive.tag_for(is_live=live, tell=screen.tell),
            balances=settings.balances(settings.origin), is_paper=not over_the_wire, is_sim=is_sim,
            predictors=predictors_of(predictor, settings.origin("features.predictor")),
        )  # fmt: skip
        _check(spec, tree, settings, screen if trade else None)
        record = record or (Path(settings.serve.record) if settings.serve.record else None)
        control = control or (Path(settings.serve.control) if settings.serve.control else _own_socket(screen))
        urls = {} if is_sim else golive.urls_of(settings, connected, over_the_wire)
        vaults = _vaults(settings, connected, stack) if live else {}
        golive.warn(settings, connected, urls, limits, screen.tell, is_live=live, is_sim=is_sim)
        if live:
            golive.name_algos(guests, tree, screen.tell)
        done = asyncio.run(
            serve_live(
                spec, urls=urls, vaults=vaults, sim_seed=sim_seed, screen=screen,
                record=record, algo_paths=guests.paths, duration_s=duration, control=control, predictor=predictor,
                around=_around(settings, config, limits, spec), journal=kept,
                kill_file=Path(settings.kill.file) if settings.kill.file else None,
            )
        )  # fmt: skip
    return _live_result(done, record)


def _check_live(
    settings: Config, venues: Sequence[Venue], chosen: LimitTree | None, kept: JournalPlan | None, algo: Path | None
) -> None:
    said = chosen or (limits_from(settings, None) if settings.limits is not None else None)
    has_algo = algo is not None or bool(settings.algos)
    golive.check_live(settings, venues, said, has_journal=kept is not None, has_algo=has_algo)


def _vaults(settings: Config, venues: Sequence[Venue], stack: ExitStack) -> dict[str, Vault]:
    vaults = golive.vaults_of(settings, venues)
    for vault in vaults.values():
        stack.callback(vault.close)
    return vaults


def _check(spec: EngineSpec, tree: LimitTree, settings: Config, screen: Screen | None) -> None:
    """What fits no venue of the session is a mistake. `screen`: of a session that trades."""
    check_limits(spec, tree)
    if screen is not None:
        check_balances(settings, [venue.venue.name for venue in spec.venues])
        for text in idle_permits(spec, tree):
            screen.tell(text, "warning")


def _around(settings: Config, config: list[Path], limits: Path | None, spec: EngineSpec) -> Surroundings:
    """What the control door needs besides the session: where limits are read again, who may sign overrides."""
    files = LimitFiles(tuple(config), limits)

    def read() -> LimitTree:
        tree = files.read()
        check_limits(spec, tree)
        return tree

    return Surroundings(
        limits=read if limits is not None or settings.limits is not None else None,
        override_keys=settings.kill.override_keys, drill_max_age_h=int(settings.kill.drill_max_age_h),
    )  # fmt: skip


def _journal(settings: Config, path: Path | None, *, confirm: bool) -> JournalPlan | None:
    """The journal that was named. Raises ConfigError for `--confirm` without one: there is nothing to confirm."""
    if path is None and settings.journal.path:
        path = settings.base("journal.path") / settings.journal.path
    if path is None:
        if confirm:
            raise ConfigError("no journal is kept", place="--confirm", mend="add --journal PATH, or leave it out")
        return None
    return JournalPlan(path, settings.journal.durability, getpass.getuser(), is_confirmed=confirm)


def _own_socket(screen: Screen) -> Path | None:
    """Where nobody named one, its lack is no reason not to run."""
    try:
        return own_socket()
    except ConfigError as error:
        screen.tell(f"no control socket: {error}", "warning")
        return None


def _venue_spec(
    venue: Venue, settings: Config, symbols: Sequence[str], depth: int | None, over_the_wire: Sequence[str]
) -> VenueSpec:
    on_paper = bool(over_the_wire) and venue.name not in over_the_wire
    section = golive.section_of(settings, venue)
    if section is None or venue.capabilities.onchain:
        plan, pools, instruments = plan_of(venue.name, settings, symbols)
        return venue_spec(
            venue, depth=LEVELS, depth_from="", instruments=instruments, pools=pools, chain=plan, on_paper=on_paper,
        )  # fmt: skip
    where = f"venues.{venue.name}.depth"
    return venue_spec(
        venue, depth=section.depth if depth is None else depth,
        depth_from="--depth" if depth is not None else f"{settings.origin(where)}: {where}",
        on_paper=on_paper, audit_ns=golive.audit_ns(settings, venue), is_ticking=section.ticker,
        options=section.options,
    )  # fmt: skip


def _live_result(live: Live, record: Path | None) -> dict[str, Any]:
    result = live.session.summary()
    engine = live.session.engine
    refused = {
        name.partition(":")[2] if len(engine.ports) == 1 else name: book.reason
        for name, book in zip(engine.names, engine.books, strict=True)
        if book.reason.startswith("refused: ")
    }
    result["refused"] = list(refused)
    if len(refused) == len(engine.books):
        live.outcome = live.outcome or f"every symbol was {'; '.join(refused.values())}"
    result["outcome"] = live.outcome or faults(result)
    if record is not None:
        result["tape"] = str(record)
    return result


def replay(
    file: Path, *, venue: str | None, instruments: list[str], algo: Path | None, limits: Path | None,
    depth: int | None, guest_log: Path | None, actions: Path | None, fills: Path | None, books: Path | None,
    abi: str = "", config: list[Path] | None = None, predictor: str = "", allow_python: bool = False,
) -> dict[str, Any]:  # fmt: skip
    """`gateway replay`."""
    screen = Screen(sys.stderr)
    for out in (actions, fills, books, guest_log):
        if out is not None and out.exists() and file.exists() and out.samefile(file):
            raise ConfigError(
                "is the recording itself", place=str(out), mend="tapes are never overwritten: name another"
            )
    chosen = configuration.load_limits(limits) if limits is not None else None
    recording = Recording(file, venue, tuple(instruments), depth, tuple(config or ()), predictor, allow_python)
    with closing(recording.reader()) as tape:
        session = Session(spec_of_recording(recording, tape, algo, abi, chosen, screen.tell))
        _tell_about(session.engine.spec.algos, len(session.engine.spec.venues), screen)
        with sinks(session, actions=actions, fills=fills, books=books, guest_log=guest_log):
            result = play(session, tape, screen.tell)
    is_limited = chosen is not None and (tape.header is None or changes(chosen, recorded_limits(tape.header)))
    is_same_session = algo is None and not config and not is_limited
    if is_same_session and tape.footer is not None:
        result["recorded"] = tape.footer.hash
        if difference := check_footer(session, tape):
            result["outcome"] = difference
            screen.tell(difference, "error")
    return result


def tape_show(file: Path, lines: int) -> dict[str, Any]:
    """`gateway tape show`."""
    tape = TapeReader(file, venue="?")
    kinds: Counter[str] = Counter()
    first_ns = last_ns = 0
    shown: list[str] = []
    for number, recv_ns, given in tape:
        kinds[type(given).__name__] += 1
        first_ns = first_ns or recv_ns
        last_ns = recv_ns
        if len(shown) < lines:
            shown.append(encode_input(number, recv_ns, given).decode().rstrip())
    header = tape.header
    return {
        "file": str(file),
        "kind": "foreign recording" if header is None else f"venuegate tape, package {header.package}",
        "venues": [venue.name for venue in header.venues] if header else [],
        "symbols": list(header.symbols) if header else [],
        "algos": [f"{algo.name} {algo.sha256[:12]}" for algo in header.algos] if header else [],
        "python": [algo.name for algo in header.algos if is_python(algo.path)] if header else [],
        "predictor": header.predictor if header else "",
        "inputs": dict(sorted(kinds.items())),
        "first_ns": first_ns,
        "last_ns": last_ns,
        "seconds": round((last_ns - first_ns) / 1e9, 3),
        "end": tape.cut_short or ("footer" if tape.footer else "no footer"),
        "hash": tape.footer.hash if tape.footer else "",
        "lines": shown,
    }


def tape_verify(file: Path, algo: Path | None, predictor: str = "", *, allow_python: bool = False) -> dict[str, Any]:
    """`gateway tape verify`: lines, order, count, and the hash by replay."""
    with closing(TapeReader(file)) as tape:
        if tape.header is None:
            mend = "only tapes written by venuegate carry a hash"
            raise TapeError("is a foreign recording", place=str(file), mend=mend)
        recording = Recording(file, predictor=predictor, allow_python=allow_python)
        session = Session(spec_of_recording(recording, tape, algo, "", None, Screen(sys.stderr).tell))
        count = replay_tape(session, tape)
    recorded = tape.footer.hash if tape.footer is not None else ""
    replayed = session.digest.hexdigest()
    if tape.footer is None:
        verdict = "no footer: the session did not end, or the file is cut short"
    elif tape.footer.n != count:
        verdict = f"footer says {tape.footer.n} inputs, the tape holds {count}"
    elif tape.out_of_order:
        verdict = f"inputs are missing or not in their order: {tape.out_of_order}"
    elif recorded != replayed:
        verdict = "hash differs"
    else:
        verdict = "lines were changed, though the hash is the same" if tape.is_altered else "same"
    return {"file": str(file), "inputs": count, "recorded": recorded, "replayed": replayed, "verdict": verdict}


def algo_set(name: str, values: list[str], control: Path | None) -> dict[str, Any]:
    """`gateway algo set`."""
    params = parse_params(values, "gateway algo set")
    request = Request(command="set", who=getpass.getuser(), target=name, params=params)
    return {"outcome": ask(control, request)["text"]}


def algo_list(control: Path | None) -> dict[str, Any]:
    """`gateway algo list`."""
    algos = ask(control, Request(command="status"))["algos"]
    return {algo.pop("name"): algo for algo in algos}
