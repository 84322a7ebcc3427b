"""`gateway reasons`, `explain` and `plan`. `cli.py` registers them."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.errors import ConfigError
from runtime.cli_algo import Predictor
from runtime.texts import plain

Show = Callable[[dict[str, Any], bool], None]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
AllowPython = Annotated[
    bool, typer.Option("--allow-python", help="Run the Python algos our tape was recorded with: no sandbox.")
]


def register(app: typer.Typer) -> None:
    """Adds the commands."""
    _reasons(app)
    _explain(app)
    _plan(app)


def _reasons(app: typer.Typer) -> None:
    @app.command("reasons")
    def reasons(
        as_json: Json = False,
        markdown: Annotated[bool, typer.Option("--markdown", help="Print docs/reasons.md.")] = False,
    ) -> None:
        """Every reason why the gate says no: its code, what it means, what decides it."""
        from runtime import reasons as found

        if as_json:
            _print(json.dumps(found.rows()))
        else:
            _print(found.markdown().removesuffix("\n") if markdown else "\n".join(found.table()))


def _explain(app: typer.Typer) -> None:
    @app.command("explain")
    def explain(
        order: Annotated[
            str, typer.Argument(metavar="ORDER", help="A client order id, ALGO:ORDER_ID, or an action's number: '#17'.")
        ],
        tape: Annotated[Path | None, typer.Option("--tape", help="A tape of ours: it is replayed.")] = None,
        journal: Annotated[Path | None, typer.Option("--journal", help="A session's journal.")] = None,
        control: Annotated[
            Path | None,
            typer.Option("--control", help="Control socket of a running gateway.", show_default="the only one"),
        ] = None,
        every: Annotated[bool, typer.Option("--all", help="Every action of ALGO:ORDER_ID, or on an order.")] = False,
        predictor: Predictor = "",
        allow_python: AllowPython = False,
        as_json: Json = False,
    ) -> None:
        """Why an order was refused, and what would have passed; or what became of it."""
        if not order.strip():
            raise ConfigError("no order is named", place="ORDER", mend="give a client order id, ALGO:ORDER_ID or '#17'")
        given = [name for name, value in (("--tape", tape), ("--journal", journal), ("--control", control)) if value]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} are given", place=given[1], mend="name one place to look in")
        if tape is not None:
            found = _from_tape(order, tape, predictor, allow_python=allow_python, every=every)
        elif journal is not None:
            from runtime.decisions import chosen, of_journal

            found = chosen(order, partial(of_journal, journal), str(journal), every=every)
        else:
            from runtime.control import Request, ask
            from runtime.decisions import picked

            orders = ask(control, Request(command="explain", target=order))["orders"]
            found = orders if every else picked(order, orders)
        _print_each(found, as_json)


def _from_tape(order: str, tape: Path, predictor: str, *, allow_python: bool, every: bool) -> list[dict[str, Any]]:
    from runtime.decisions import Wanted, chosen, of_tape
    from runtime.recordings import Recording

    recording = Recording(tape, predictor=predictor, allow_python=allow_python)

    def look(wanted: Wanted) -> list[dict[str, Any]]:
        return of_tape(recording, wanted, _tell)

    return chosen(order, look, str(tape), every=every)


def _plan(app: typer.Typer) -> None:
    @app.command("plan")
    def plan(
        limits: Annotated[Path, typer.Argument(metavar="NEW.toml", help="A file with the limits to try.")],
        tape: Annotated[Path, typer.Option("--tape", help="A tape of ours, replayed under its own limits.")],
        config: Annotated[
            list[Path] | None, typer.Option("--config", help="[[algos]] in place of the tape's; may be given again.")
        ] = None,
        predictor: Predictor = "",
        allow_python: AllowPython = False,
        as_json: Json = False,
    ) -> None:
        """What other limits would have decided otherwise, given what really happened."""
        from runtime import planning
        from runtime.recordings import Recording

        recording = Recording(tape, config=tuple(config or ()), predictor=predictor, allow_python=allow_python)
        result = planning.plan(limits, recording, _tell)
        _print(json.dumps(result) if as_json else "\n".join(plain(line) for line in planning.text(result)))


def _print_each(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        _print(json.dumps(found))
    else:
        _print("\n\n".join("\n".join(plain(line) for line in one["text"]) for one in found))


def _print(text: str) -> None:
    typer.echo(text)


def _tell(text: str, level: str = "warning") -> None:
    if level != "info":
        typer.echo(plain(text), err=True)
