"""`gateway venue list`, `new` and `certify`: a connector author's commands. `cli.py` registers them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from runtime.texts import plain

EXIT_FAILED = 1

Show = Callable[[dict[str, Any], bool], None]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer, *, show: Show) -> None:
    """Adds the group. `show(result, as_json)` prints."""
    group = typer.Typer(no_args_is_help=True, help="Venues: list them, begin one, certify one.")
    _list(group, show)
    _new(group, show)
    _certify(group)
    app.add_typer(group, name="venue")


def _list(group: typer.Typer, show: Show) -> None:
    @group.command("list")
    def list_venues(
        markdown: Annotated[
            bool, typer.Option("--markdown", help="Print the tables that documentation holds.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Every installed venue and what it can do, ours and plugins' alike."""
        from runtime import certificate

        if markdown:
            typer.echo(plain("\n\n".join(certificate.blocks()), keep="\n"))
            return
        found = certificate.listing()
        if as_json:
            show(found, True)
            return
        typer.echo("\n".join(plain(line) for line in certificate.listed(found)))


def _new(group: typer.Typer, show: Show) -> None:
    @group.command("new")
    def new(
        name: Annotated[str, typer.Argument(help="What the venue is called: lower-case letters and digits.")],
        folder: Annotated[
            Path | None, typer.Argument(help="A new folder for the package.", show_default="NAME-venue, here")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Begin a venue: a package with everything named and nothing of its protocol, and the cards to write it by."""
        from runtime import venue_new

        show(venue_new.new(name, folder or Path(f"{name}-venue")), as_json)


def _certify(group: typer.Typer) -> None:
    @group.command("certify")
    def certify(
        name: Annotated[str, typer.Argument(help="An installed venue, or module[:VENUE].")],
        tapes: Annotated[
            Path | None,
            typer.Option("--tapes", help="Folder of its tapes.", show_default="fixtures/ of its package or project"),
        ] = None,
        page: Annotated[Path | None, typer.Option("--html", help="Write the table as a page, too.")] = None,
        accept: Annotated[
            bool, typer.Option("--accept", help="First write goldens and the table of capabilities as they are now.")
        ] = False,
        as_json: Json = False,
    ) -> None:
        """Run the conformance cards on one venue; exit code 1 where one fails. The venue's code is run."""
        from runtime import certificate
        from runtime import certify as kit

        venue = kit.venue_named(name)
        kit.needs_tools()
        folder = tapes if tapes is not None else kit.folder_of(venue)
        if accept:
            for path in [*kit.accept(venue, folder), *kit.accept_table(venue)]:
                typer.echo(plain(f"written: {path}"), err=True)
        outcomes = kit.certify(venue, folder)
        if page is not None:
            certificate.write_page(page, certificate.page(venue, outcomes))
        if as_json:
            typer.echo(json.dumps(certificate.as_json(venue, outcomes)))
        else:
            typer.echo("\n".join(plain(line) for line in certificate.lines_of(venue, outcomes)))
        if not certificate.is_kept(outcomes):
            raise typer.Exit(EXIT_FAILED)
