"""`gateway init`, `build`, `inspect` and `run-algo`: an author's commands. `cli.py` registers them."""

import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from connectors.errors import InputError
from runtime.texts import plain

EXIT_ERROR = 1
EXIT_INPUT = 4

Show = Callable[[dict[str, Any], bool], None]
ExitOf = Callable[[dict[str, Any]], None]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
AlgoFile = Annotated[Path, typer.Argument(metavar="ALGO", help="A .wasm guest, or a .py algo.")]
Abi = Annotated[str, typer.Option("--abi", help="The module's generation, where its exports do not tell: 0.3.0.")]
VenueName = Annotated[
    str | None, typer.Option("--venue", help="Venue a foreign recording is of.", show_default="kraken")
]
Instruments = Annotated[
    list[str] | None,
    typer.Option(
        "--instrument", help="SYMBOL:price_decimals:size_decimals[:min_size[:min_notional]]; may be given again."
    ),
]
Depth = Annotated[int | None, typer.Option("--depth", help="Levels a side of a foreign recording.")]
Predictor = Annotated[
    str,
    typer.Option(
        "--predictor", help="package.module:function: the one our tape was recorded with, which is then loaded.",
        show_default=False,
    ),
]  # fmt: skip


def register(app: typer.Typer, *, show: Show, exit_of: ExitOf) -> None:
    """Adds the commands. `show(result, as_json)` prints; `exit_of(summary)` raises typer.Exit as `replay` does."""
    _init(app, show)
    _build(app, show)
    _inspect(app, show)
    _run_algo(app, show, exit_of)


def _init(app: typer.Typer, show: Show) -> None:
    @app.command("init")
    def init(
        folder: Annotated[Path, typer.Argument(metavar="NAME", help="A new folder; its name is the algo's: my-algo.")],
        lang: Annotated[str, typer.Option("--lang", help="rust, zig or python.")] = "rust",
        as_json: Json = False,
    ) -> None:
        """Begin an algo: a project that builds, with passing tests and a paper deployment."""
        from runtime import authoring

        show(authoring.init(folder, lang), as_json)


def _build(app: typer.Typer, show: Show) -> None:
    @app.command("build")
    def build(
        folder: Annotated[
            Path,
            typer.Argument(metavar="DIR", help="The folder with Cargo.toml, main.zig or algo.py.", show_default="."),
        ] = Path(),
        out: Annotated[Path | None, typer.Option("--out", help="Write the module here instead of beside it.")] = None,
        as_json: Json = False,
    ) -> None:
        """Build an algo and say what came out; a compiler's errors are its own words, exit code 1."""
        show(_built(folder, out), as_json)


def _built(folder: Path, out: Path | None) -> dict[str, Any]:
    from runtime import building

    try:
        return building.build(folder, out)
    except building.CompileError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(EXIT_ERROR) from None


def _inspect(app: typer.Typer, show: Show) -> None:
    @app.command("inspect")
    def inspect(
        algo: AlgoFile,
        on: Annotated[Path | None, typer.Option("--on", help="Run it on this tape and measure the fuel.")] = None,
        venue: VenueName = None,
        instrument: Instruments = None,
        depth: Depth = None,
        abi: Abi = "",
        predictor: Predictor = "",
        as_json: Json = False,
    ) -> None:
        """What is in a module, whether it can be hosted, and what its callbacks cost. A .py is run, unsandboxed."""
        from runtime import algotools
        from runtime.recordings import Recording

        found = algotools.facts(algo, abi=abi, tell=_tell)
        hosted = found.get("hosted", {"ok": True})
        if on is not None and hosted["ok"]:
            tape = Recording(on, venue, tuple(instrument or ()), depth, predictor=predictor)
            result = algotools.run(algo, tape, abi=abi, tell=_tell)
            found["on"] = {key: result[key] for key in ("callbacks", "fuel", "actions", "disabled", "outcome")}
        show(found if as_json else _for_people(found), as_json)
        if not hosted["ok"]:
            _echo(f"error: {algo}: {hosted['problem']}\n  mend: {hosted['mend']}")
            raise typer.Exit(EXIT_INPUT)
        if on is not None and found["on"]["outcome"]:
            raise typer.Exit(EXIT_ERROR)


def _run_algo(app: typer.Typer, show: Show, exit_of: ExitOf) -> None:
    @app.command("run-algo")
    def run_algo(
        algo: AlgoFile,
        tape: Annotated[Path, typer.Argument(help="A tape, or lines of {recv_ns, raw}: plain, .zst or .gz.")],
        venue: VenueName = None,
        instrument: Instruments = None,
        depth: Depth = None,
        abi: Abi = "",
        predictor: Predictor = "",
        param: Annotated[
            list[str] | None,
            typer.Option("--param", help="A parameter it starts with, SLOT=VALUE; may be given again."),
        ] = None,
        log_lines: Annotated[
            int, typer.Option("--log-lines", min=0, help="Its last log lines to show on stderr.")
        ] = 20,
        watch: Annotated[
            bool, typer.Option("--watch", help="Run again whenever the file changes, until Ctrl-C.")
        ] = False,
        build: Annotated[Path | None, typer.Option("--build", help="Build the algo in this folder first.")] = None,
        as_json: Json = False,
    ) -> None:
        """Try an algo on a tape under the shipped paper limits: callbacks, denials, fills, PnL, fuel, its log."""
        from runtime import algotools
        from runtime.recordings import Recording
        from runtime.regions import parse_params
        from runtime.watching import changes

        if build is not None and algo.suffix == ".py":
            raise typer.BadParameter("a Python algo is not compiled: leave --build out", param_hint="--build")
        on = Recording(tape, venue, tuple(instrument or ()), depth, predictor=predictor)

        params = parse_params(param or [], "--param")

        def once() -> dict[str, Any]:
            if build is not None:
                _built(build, algo)
            result = algotools.run(algo, on, abi=abi, params=params, log_lines=log_lines, tell=_tell)
            for line in result["log"]:
                typer.echo(line, err=True)
            show({key: value for key, value in result.items() if as_json or key not in ("books", "log")}, as_json)
            return result

        if watch:
            files = [tape] if build is not None else [algo, tape]
            _again_and_again(changes(files, build), once)
        else:
            exit_of(once())


def _again_and_again(changed: Iterable[None], once: Callable[[], object]) -> None:
    """A mistake is told, and its mending waited for; Ctrl-C is the ordinary end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job inherits it ignored
    try:
        for _ in changed:
            try:
                once()
            except InputError as error:
                _echo(f"error: {error}")
            except typer.Exit:
                pass  # a compiler said no, and why
            typer.echo("waiting for a change (Ctrl-C ends) …", err=True)
    except KeyboardInterrupt:
        typer.echo("", err=True)


def _tell(text: str, level: str) -> None:
    marks = {"info": " ", "error": "×"}
    _echo(f"{marks.get(level, '!')} {text}")


def _echo(text: str) -> None:
    """To stderr at once; a module's or a tape's own words are in it, so nothing that steers a terminal."""
    print(plain(text, keep="\n"), file=sys.stderr, flush=True)


_TEXTS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    "exports": lambda e: f"{e['name']}{e['signature']}",
    "imports": lambda i: f"{i['module']}.{i['name']}{i['signature']}",
    "regions": lambda r: f"{r['region']} {r['start']:#x} ({r['uses']} uses)",
    "largest": lambda f: f"{f['function']} {f['bytes']}",
}


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    """Lists of records as lists of short texts."""
    shown = {key: [_TEXTS[key](item) for item in value] if key in _TEXTS else value for key, value in found.items()}
    if found.get("hosted", {}).get("ok"):
        shown["hosted"] = "yes"
    return {key: value for key, value in shown.items() if value is not None}
