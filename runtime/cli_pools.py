"""`gateway quote` and `gateway pools discover`: questions to pools on chains. `cli.py` registers them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.errors import ConfigError

Show = Callable[[dict[str, Any], bool], None]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer, pools: typer.Typer, *, show: Show) -> None:
    """Adds `quote` to `app` and `discover` to `pools`. `show(result, as_json)` prints."""
    _quote(app, show)
    _discover(pools, show)


def _quote(app: typer.Typer, show: Show) -> None:
    @app.command("quote")
    def quote(
        rpc: Annotated[str, typer.Option("--rpc", help="Endpoint of the pool's chain: http(s):// or ws(s)://.")],
        pool: Annotated[str, typer.Option("--pool", help="The pool's contract.")],
        token_in: Annotated[str, typer.Option("--token-in", help="The token that goes in.")],
        amount: Annotated[str, typer.Option("--amount", help="In the token's smallest units.")],
        exact_out: Annotated[
            bool, typer.Option("--exact-out", help="The amount is of the token that comes out.")
        ] = False,
        token_out: Annotated[
            str, typer.Option("--token-out", help="The token that comes out, of a pool of several.")
        ] = "",
        fee_ppm: Annotated[
            int | None,
            typer.Option(
                "--fee-ppm",
                min=0,
                max=999_999,
                show_default="its factory's, else 3000",
                help="Fee of a V2 pair in millionths: its contract does not tell.",
            ),
        ] = None,
        quoter: Annotated[
            str, typer.Option("--quoter", help="Contract that quotes the pool; Algebra's need one.")
        ] = "",
        as_json: Json = False,
    ) -> None:
        """What one pool pays at its newest block, in raw integers. Its protocol is found out from its contract."""
        from runtime import quoting

        want = quoting.asked(
            pool, token_in, amount, exact_out=exact_out, token_out=token_out, quoter=quoter, fee_ppm=fee_ppm
        )
        show(quoting.quote(rpc, want), as_json)


def _discover(pools: typer.Typer, show: Show) -> None:
    @pools.command("discover")
    def discover(
        chain: Annotated[str, typer.Option("--chain", help="arbitrum, base, ethereum, optimism, polygon.")],
        pair: Annotated[str, typer.Option("--pair", help="Base and quote, by name or address: WETH/USDC.")],
        rpc: Annotated[
            str, typer.Option("--rpc", help="Endpoint of the chain.", show_default="the config's first")
        ] = "",
        factory: Annotated[
            list[str] | None,
            typer.Option("--factory", help="KIND=ADDRESS: ask this one instead of the shipped; may be given again."),
        ] = None,
        config: Annotated[
            list[Path] | None, typer.Option("--config", help="A gateway.toml; may be given again, the last wins.")
        ] = None,
        as_json: Json = False,
    ) -> None:
        """Find a pair's pools through the chain's factories; ends with the lines to paste into gateway.toml."""
        from runtime import discovery

        found = discovery.discover(rpc or _endpoint(chain, config or []), chain, pair, factory or [])
        if as_json:
            show(found, True)
            return
        show(_for_people(found), False)
        if found["toml"]:
            typer.echo("\n" + found["toml"], nl=False)


def _endpoint(chain: str, files: list[Path]) -> str:
    """The first endpoint that the config has for this chain."""
    from runtime import config
    from runtime.chain_plan import endpoints_of
    from runtime.chains import chain_named

    venue = chain_named(chain).venue
    try:
        return next(iter(endpoints_of(venue, config.load(files)).values()))
    except ConfigError as error:
        if files:
            raise
        raise ConfigError(error.problem, place=error.place, mend=f"name one with --rpc, or {error.mend}") from None


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    """One line a pool: what it is and holds, or why it cannot be followed."""
    shown: dict[str, Any] = {key: found[key] for key in ("chain", "block")}
    if not found["pools"]:
        shown["pools"] = "none of this pair was found"
    for pool in found["pools"]:
        told = {"": pool["protocol"] or "unknown", "fee_ppm": pool["fee_ppm"], "of": pool["factory"], **pool["held"]}
        told |= {"liquidity": pool["liquidity"]}
        line = {key: value for key, value in told.items() if value is not None}
        shown[pool["address"]] = pool["problem"] or line | ({"already": "followed"} if pool["is_shipped"] else {})
    if found["not_asked"]:
        shown["not asked"] = f"{', '.join(found['not_asked'])}: no index by pair; name such pools by their address"
    return shown
