"""`gateway`: what a person types. Heavy imports happen inside the commands, so that `--help` is quick.

Data goes to stdout, messages to stderr; every command takes `--json`. Exit codes: 0 ok · 1 error · 2 wrong usage ·
4 configuration, module or tape · 5 hash differs · 6 halted · 7 venue never reached, or it refused every symbol ·
8 not fit to trade.
"""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from connectors.errors import ConfigError, InputError
from runtime.cli_algo import Predictor, register
from runtime.cli_explain import register as register_explain
from runtime.cli_journal import register as register_journal
from runtime.cli_kill import register as register_kill
from runtime.cli_pools import register as register_pools
from runtime.cli_sim import register as register_sim
from runtime.cli_table import register as register_table
from runtime.cli_venue import register as register_venue
from runtime.texts import plain

EXIT_ERROR = 1
EXIT_INPUT = 4
EXIT_DIFFERS = 5
EXIT_HALTED = 6
EXIT_UNREACHED = 7


class _Group(TyperGroup):
    """A user's mistake ends in one clear message, never in a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            typer.echo(plain(f"error: {error}", keep="\n"), err=True)
            raise typer.Exit(EXIT_INPUT) from None


app = typer.Typer(
    cls=_Group, no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Exchange connectors, a sandboxed algo host and a pre-trade risk gateway, in one deterministic turn.",
)  # fmt: skip
tape_app = typer.Typer(cls=_Group, no_args_is_help=True, help="Look into tapes.")
app.add_typer(tape_app, name="tape")
algo_app = typer.Typer(cls=_Group, no_args_is_help=True, help="Look at and steer the algos of a running gateway.")
app.add_typer(algo_app, name="algo")
pools_app = typer.Typer(cls=_Group)
app.add_typer(pools_app, name="pools")

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Symbols = Annotated[str | None, typer.Option("--symbols", help="Symbols to follow, comma-separated: BTC/USD,ETH/USD.")]
Algo = Annotated[Path | None, typer.Option("--algo", help="A .wasm guest; without it the shipped demo market maker.")]
LimitsFile = Annotated[Path | None, typer.Option("--limits", help="TOML file with a [limits] table.")]
Depth = Annotated[
    int | None,
    typer.Option(
        "--depth", help="Levels a side: 10, or another that the venue has.", show_default="from the config, else 10"
    ),
]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--config", help="A gateway.toml; may be given again, the last wins.")
]
Abi = Annotated[
    str, typer.Option("--abi", help="Generation of --algo where its exports do not tell: 0.3.0.", show_default=False)
]
Control = Annotated[
    Path | None,
    typer.Option("--control", help="Control socket.", show_default="the only gateway of this user, or one per process"),
]
AllowPython = Annotated[
    bool, typer.Option("--allow-python", help="Run the Python algos our tape was recorded with: no sandbox.")
]
Duration = Annotated[float | None, typer.Option("--duration", min=0.1, help="Stop after this many seconds.")]


def main() -> None:
    """Entry point of `gateway` and `venuegate`."""
    app()


def _print_version(value: bool) -> None:
    if value:
        from runtime import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    del version


@app.command()
def serve(
    venues: Annotated[str | None, typer.Option("--venues", help="Venues to connect: kraken,okx,dex_arb.")] = None,
    symbols: Symbols = None,
    algo: Algo = None,
    limits: LimitsFile = None,
    config: ConfigFiles = None,
    record: Annotated[Path | None, typer.Option("--record", help="Write a tape of the session.")] = None,
    duration: Duration = None,
    depth: Depth = None,
    sim: Annotated[bool, typer.Option("--sim", help="Trade against embedded venues: no network, no key.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the embedded venue's market.")] = 1,
    live: Annotated[
        bool, typer.Option("--live", help="Orders go to venues with live = true, for real: docs/live.md.")
    ] = False,
    abi: Abi = "",
    control: Control = None,
    journal: Annotated[
        Path | None, typer.Option("--journal", help="Keep a journal here: what must survive a restart.")
    ] = None,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Limits looser than those the journal remembers are meant.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run algos on live market data with paper orders: without --live no key is needed and no order leaves here."""
    from runtime import commands

    result = commands.serve(
        venues=venues, symbols=symbols, algo=algo, limits=limits, config=config or [], record=record,
        duration=duration, depth=depth, sim_seed=seed if sim else None, trade=True,
        abi=abi, control=control, journal=journal, confirm=confirm, live=live,
    )  # fmt: skip
    _show(result, as_json)
    _exit_of(result)


@app.command()
def record(
    out: Annotated[Path, typer.Argument(help="Path of the tape to write, for instance day.tape.zst.")],
    venues: Annotated[str | None, typer.Option("--venues", help="Venues to record: kraken,dex_arb.")] = None,
    symbols: Symbols = None,
    config: ConfigFiles = None,
    duration: Duration = None,
    depth: Depth = None,
    sim: Annotated[bool, typer.Option("--sim", help="Record the embedded venue.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the embedded venue's market.")] = 1,
    as_json: Json = False,
) -> None:
    """Record a venue's frames without running any algo."""
    from runtime import commands

    result = commands.serve(
        venues=venues, symbols=symbols, algo=None, limits=None, config=config or [], record=out,
        duration=duration, depth=depth, sim_seed=seed if sim else None, trade=False,
    )  # fmt: skip
    _show(result, as_json)
    _exit_of(result)


@app.command()
def replay(
    file: Annotated[Path, typer.Argument(help="A tape, or lines of {recv_ns, raw}: plain, .zst or .gz.")],
    venue: Annotated[
        str | None, typer.Option("--venue", help="Venue a foreign recording is of.", show_default="kraken")
    ] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument", help="SYMBOL:price_decimals:size_decimals[:min_size[:min_notional]]; may be given again."
        ),
    ] = None,
    algo: Algo = None,
    limits: LimitsFile = None,
    depth: Depth = None,
    abi: Abi = "",
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", help="[[algos]], [limits] and [paper] for a foreign recording; may be given again."),
    ] = None,
    guest_log: Annotated[Path | None, typer.Option("--guest-log", help="Write the guests' log lines here.")] = None,
    actions: Annotated[
        Path | None, typer.Option("--actions", help="Write one JSON line per action with its verdict.")
    ] = None,
    fills: Annotated[Path | None, typer.Option("--fills", help="Write one JSON line per execution.")] = None,
    books: Annotated[
        Path | None, typer.Option("--books", help="Write the top 20 after every applied book message.")
    ] = None,
    predictor: Predictor = "",
    allow_python: AllowPython = False,
    as_json: Json = False,
) -> None:
    """Play a recording through the same turn as live trading."""
    from runtime import commands

    result = commands.replay(
        file, venue=venue, instruments=instrument or [], algo=algo, limits=limits, depth=depth,
        guest_log=guest_log, actions=actions, fills=fills, books=books, abi=abi, config=config or [],
        predictor=predictor, allow_python=allow_python,
    )  # fmt: skip
    _show(result, as_json)
    _exit_of(result)


@tape_app.command("show")
def tape_show(
    file: Annotated[Path, typer.Argument(help="A tape or foreign recording.")],
    lines: Annotated[int, typer.Option("--lines", min=0, help="Print this many of its inputs.")] = 0,
    as_json: Json = False,
) -> None:
    """What is on a tape: header, counts, span, how it ends."""
    from runtime import commands

    result = commands.tape_show(file, lines)
    _show(result, as_json)


@tape_app.command("verify")
def tape_verify(
    file: Annotated[Path, typer.Argument(help="A tape written by venuegate.")],
    algo: Algo = None,
    predictor: Predictor = "",
    allow_python: AllowPython = False,
    as_json: Json = False,
) -> None:
    """Check every line, replay the session, and compare with the hash it was recorded with."""
    from runtime import commands

    result = commands.tape_verify(file, algo, predictor, allow_python=allow_python)
    _show(result, as_json)
    if result["verdict"] != "same":
        raise typer.Exit(EXIT_DIFFERS)


@algo_app.command("set")
def algo_set(
    name: Annotated[str, typer.Argument(help="The algo's name.")],
    values: Annotated[list[str], typer.Argument(help="slot=value: 0=50, 1=0.25, 2=true, 3=25bps.")],
    control: Control = None,
    as_json: Json = False,
) -> None:
    """Change an algo's parameters while it runs: seen at its next callback, recorded on the tape."""
    from runtime import commands

    _show(commands.algo_set(name, values, control), as_json)


@algo_app.command("list")
def algo_list(control: Control = None, as_json: Json = False) -> None:
    """The algos of a running gateway, with their parameters."""
    from runtime import commands

    _show(commands.algo_list(control), as_json)


def _exit_of(result: dict[str, Any]) -> None:
    """The gravest thing that can be said of a session, for `serve`, `record` and `replay` alike."""
    if result.get("recorded", result["hash"]) != result["hash"]:
        raise typer.Exit(EXIT_DIFFERS)
    if result["state"] == "HALTED":
        raise typer.Exit(EXIT_HALTED)
    if len(result.get("refused", ())) == len(result["books"]):
        raise typer.Exit(EXIT_UNREACHED)
    if result["outcome"]:
        raise typer.Exit(EXIT_ERROR)
    if result["frames"] == 0:
        raise typer.Exit(EXIT_UNREACHED)


def _show(result: dict[str, Any], as_json: bool) -> None:
    text = json.dumps(result) if as_json else "\n".join(_lines(result, ""))
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # `| head`: click ends quietly
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is buffered is tried again at the exit
        mend = "make room or write elsewhere"
        raise ConfigError(f"cannot be written: {error.strerror}", place="stdout", mend=mend) from None


def _lines(value: dict[str, Any], indent: str) -> list[str]:
    """A dictionary as aligned lines for a person: scaled integers as decimals, empty things left out.

    A module's, a tape's or a venue's own words are among them: no line steers the terminal.
    """
    out = []
    texts: dict[str, str | None] = {}
    for key, item in value.items():
        if isinstance(item, dict) and any(isinstance(inner, dict | list) for inner in item.values()):
            texts[key] = None
        elif item not in ("", [], {}):
            texts[key] = _text(key, item)
    width = max((len(_name(key)) for key in texts), default=0)
    for key, text in texts.items():
        if text is None:
            out += [plain(f"{indent}{key}"), *_lines(value[key], indent + "  ")]
        else:
            out.append(plain(f"{indent}{_name(key):<{width}}  {text}"))
    return out


def _name(key: str) -> str:
    return key.removesuffix("_1e9").removesuffix("_1e8")


def _text(key: str, item: Any) -> str:
    from connectors.units import PRICE_DECIMALS, SIZE_DECIMALS, trimmed_text

    if isinstance(item, dict):
        return ", ".join(f"{_name(inner)} {_text(inner, value)}" for inner, value in item.items())
    if isinstance(item, list) and isinstance(item[0], list):
        px, size = trimmed_text(item[0][0], PRICE_DECIMALS), trimmed_text(item[0][1], SIZE_DECIMALS)
        return f"{len(item)} levels, best {px} × {size}"
    if isinstance(item, list):
        return ", ".join(map(str, item))
    if key.endswith("_1e9"):
        return trimmed_text(item, PRICE_DECIMALS)
    return trimmed_text(item, SIZE_DECIMALS) if key.endswith("_1e8") else str(item)


register(app, show=_show, exit_of=_exit_of)
register_pools(app, pools_app, show=_show)
register_table(pools_app)
register_sim(app)
register_journal(app, show=_show)
register_kill(app, show=_show)
register_explain(app)
register_venue(app, show=_show)
