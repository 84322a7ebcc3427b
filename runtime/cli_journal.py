"""`gateway journal show | verify | export`: what happened, and whether that is what was written."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from runtime.texts import plain

EXIT_DIFFERS: Final = 5
File = Annotated[Path, typer.Argument(help="A journal, in use or not.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer, *, show: Callable[[dict[str, Any], bool], None]) -> None:
    """Adds `journal` and its commands; `show` prints a result."""
    journal = typer.Typer(
        no_args_is_help=True, help="Look into journals: what was decided, by whom, under which limit."
    )
    app.add_typer(journal, name="journal")
    _show(journal)
    _verify(journal, show)
    _export(journal, show)


def _show(journal: typer.Typer) -> None:
    @journal.command("show")
    def journal_show(
        file: File,
        kind: Annotated[
            list[str] | None,
            typer.Option("--kind", help="Only this kind: action, report, switch, limit …; may be given again."),
        ] = None,
        order: Annotated[
            str, typer.Option("--order", help="Only what is about this client order id.", show_default=False)
        ] = "",
        since: Annotated[
            str, typer.Option("--since", help="Not older than 10m, 2h, 1d or 2026-01-31T08:00:00.", show_default=False)
        ] = "",
        limit: Annotated[int, typer.Option("--limit", min=0, help="The last so many rows; 0: all.")] = 100,
        as_json: Json = False,
    ) -> None:
        """Print rows, oldest first. Amounts are integers with their scale in the name."""
        from connectors.errors import ConfigError
        from runtime.journal import reader, rows

        for one in kind or []:
            if one not in rows.KINDS:
                raise ConfigError(f"{one!r} is no kind of row", place="--kind", mend=", ".join(rows.KINDS))
        since_ns = reader.since(since, time.time_ns()) if since else 0
        found = reader.show(file, kinds=kind or [], order=order, since_ns=since_ns, limit=limit)
        if as_json:
            typer.echo(json.dumps({"rows": found}))
        else:
            for line in reader.lines(found):
                typer.echo(plain(line))


def _verify(journal: typer.Typer, show: Callable[[dict[str, Any], bool], None]) -> None:
    @journal.command("verify")
    def journal_verify(
        file: File,
        head: Annotated[
            str, typer.Option("--head", help="SEQ:CHAIN noted earlier, elsewhere: must still be in it.",
                              show_default=False)
        ] = "",
        as_json: Json = False,
    ) -> None:  # fmt: skip
        """Check every row against the chain, the sequence, the head and the state. Exit 5 where one differs."""
        from runtime.journal import reader

        result = reader.verify(file, head)
        show(result, as_json)
        if result["verdict"] != "same":
            raise typer.Exit(EXIT_DIFFERS)


def _export(journal: typer.Typer, show: Callable[[dict[str, Any], bool], None]) -> None:
    @journal.command("export")
    def journal_export(
        file: File,
        out: Annotated[Path, typer.Option("--out", help="JSON lines, one a row; compressed where it ends in .zst.")],
        as_json: Json = False,
    ) -> None:
        """Write all rows to a file, with their chain. Exit 5 where the chain differs."""
        from runtime.journal import reader

        result = reader.export(file, out)
        show(result, as_json)
        if result["verdict"] != "same":
            raise typer.Exit(EXIT_DIFFERS)
