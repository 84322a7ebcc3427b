"""`gateway pools` itself, the table; `cli.py` registers it on the group whose other commands `cli_pools.py` holds."""

import json
from pathlib import Path
from typing import Annotated

import typer


def register(pools: typer.Typer) -> None:
    """Makes the group a command of its own where no subcommand is named."""

    @pools.callback(invoke_without_command=True)
    def table(
        context: typer.Context,
        venues: Annotated[
            str | None,
            typer.Option("--venues", help="Chains: dex_arb,dex_eth.", show_default="the config's, else dex_arb"),
        ] = None,
        symbols: Annotated[
            str | None, typer.Option("--symbols", help="Symbols, comma-separated.", show_default="all with a pool")
        ] = None,
        config: Annotated[
            list[Path] | None, typer.Option("--config", help="A gateway.toml; may be given again, the last wins.")
        ] = None,
        sim: Annotated[bool, typer.Option("--sim", help="Look at embedded chains.")] = False,
        seed: Annotated[int, typer.Option("--seed", help="Seed of the embedded chains.")] = 1,
        once: Annotated[bool, typer.Option("--once", help="End when every pool is shown or refused.")] = False,
        duration: Annotated[
            float | None, typer.Option("--duration", min=0.1, help="Stop after so many seconds.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
    ) -> None:
        """Pools on chains as they are now: price, depth within half a percent, block, checks; every second."""
        if context.invoked_subcommand is not None:
            return
        from runtime import pooltool
        from runtime.poolview import table

        found = pooltool.pools(
            venues=venues, symbols=symbols, config=config or [], sim_seed=seed if sim else None, once=once,
            duration=duration, as_json=as_json,
        )  # fmt: skip
        if once:
            typer.echo(json.dumps(found) if as_json else "\n".join(table(found)))
        if not any(pool["valid"] for venue in found for pool in venue["pools"]):
            raise typer.Exit(7)
