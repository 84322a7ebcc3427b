"""`gateway quote` and `gateway pools discover`: questions to pools on chains. `cli.py` registers them.

A pool named by a key in base58 is one on Solana, one named by 0x… on an EVM chain.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from connectors.errors import ConfigError
from runtime.texts import plain

Show = Callable[[dict[str, Any], bool], None]

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
PoolRpc = Annotated[
    str, typer.Option("--rpc", help="Endpoint of the pool's chain: http(s)://, on EVM chains ws(s):// as well.")
]
Dump = Annotated[Path | None, typer.Option("--accounts", help="A dump of Solana accounts, instead of an endpoint.")]
ExactOut = Annotated[bool, typer.Option("--exact-out", help="The amount is of the token that comes out.")]
TokenOut = Annotated[str, typer.Option("--token-out", help="The token that comes out, of a pool of several.")]
FeePpm = Annotated[
    int | None,
    typer.Option(
        "--fee-ppm",
        min=0,
        max=999_999,
        show_default="its factory's, else 3000",
        help="Fee of a V2 pair in millionths: its contract does not tell.",
    ),
]
Quoter = Annotated[str, typer.Option("--quoter", help="Contract that quotes the pool; Algebra's need one.")]
Commitment = Annotated[
    str, typer.Option("--commitment", help="Of Solana: processed, confirmed, finalized.", show_default="confirmed")
]


def register(app: typer.Typer, pools: typer.Typer, *, show: Show) -> None:
    """Adds `quote` to `app` and `discover` to `pools`. `show(result, as_json)` prints."""
    _quote(app, show)
    _discover(pools, show)


def _quote(app: typer.Typer, show: Show) -> None:
    @app.command("quote")
    def quote(
        pool: Annotated[str, typer.Option("--pool", help="The pool's contract, or its account on Solana.")],
        token_in: Annotated[str, typer.Option("--token-in", help="The token that goes in.")],
        amount: Annotated[str, typer.Option("--amount", help="In the token's smallest units.")],
        rpc: PoolRpc = "",
        accounts: Dump = None,
        exact_out: ExactOut = False,
        token_out: TokenOut = "",
        fee_ppm: FeePpm = None,
        quoter: Quoter = "",
        commitment: Commitment = "",
        as_json: Json = False,
    ) -> None:
        """What one pool pays at its newest block or slot, in raw integers; on Solana from a dump of accounts, too."""
        _check_sources(rpc, accounts)
        if accounts is None and pool.startswith("0x"):
            _refuse("--commitment", commitment, "pools on Solana")
            from runtime import quoting

            want = quoting.asked(
                pool, token_in, amount, exact_out=exact_out, token_out=token_out, quoter=quoter, fee_ppm=fee_ppm
            )
            show(quoting.quote(rpc, want), as_json)
            return
        _refuse("--quoter", quoter, "pools on EVM chains")
        _refuse("--fee-ppm", fee_ppm, "pools on EVM chains")
        with _installed("gateway quote"):
            from runtime import quoting_solana

        asked = quoting_solana.asked(pool, token_in, amount, exact_out=exact_out, token_out=token_out)
        if accounts is None:
            found = quoting_solana.quote_live(rpc, asked, _commitment(commitment), _genesis())
            _tell(found, as_json, show)
        else:
            _refuse("--commitment", commitment, "endpoints: a dump is of the slot it was made at")
            _tell(quoting_solana.quote_dump(accounts, asked), as_json, show)


def _tell(found: dict[str, Any], as_json: bool, show: Show) -> None:
    """A quote on Solana: what is doubtful goes to stderr, too, before it."""
    _warn(found)
    if not as_json:
        slot = "not known" if found["slot"] is None else found["slot"]
        found = {key: value for key, value in found.items() if key != "warnings" and value is not None}
        found |= {"slot": slot, "assumed": "; ".join(found["assumed"])}
    show(found, as_json)


def _warn(found: dict[str, Any]) -> None:
    for warning in found.get("warnings", ()):
        typer.echo(plain(f"warning: {warning}"), err=True)


def _genesis() -> str:
    """The one that the settings name; empty: mainnet-beta's."""
    from runtime.config import load
    from runtime.config_solana import SolanaSection

    section = load([]).chain("dex_sol")
    return section.genesis if isinstance(section, SolanaSection) else ""


@contextmanager
def _installed(place: str) -> Iterator[None]:
    """Solana's keys need a package that not every installation has."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "solders":
            raise
        raise ConfigError("solders is not installed", place=place, mend="pip install 'venuegate[dex]'") from None


def _check_sources(rpc: str, accounts: Path | None) -> None:
    if bool(rpc) == (accounts is not None):
        problem = "are both given" if rpc else "are both missing"
        mend = "name an endpoint, or on Solana a dump of accounts: one of them"
        raise ConfigError(problem, place="--rpc and --accounts", mend=mend)


def _refuse(option: str, said: str | int | None, only: str) -> None:
    if said not in ("", None):
        raise ConfigError(f"is only for {only}", place=option, mend="leave it out")


def _commitment(said: str) -> str:
    from connectors.chain import COMMITMENTS

    if said and said not in COMMITMENTS:
        mend = f"choose from: {', '.join(COMMITMENTS)}"
        raise ConfigError(f"there is no commitment {said[:80]!r}", place="--commitment", mend=mend)
    return said or COMMITMENTS[0]


def _discover(pools: typer.Typer, show: Show) -> None:
    @pools.command("discover")
    def discover(
        chain: Annotated[str, typer.Option("--chain", help="arbitrum, base, ethereum, optimism, polygon, solana.")],
        pair: Annotated[str, typer.Option("--pair", help="Base and quote, by name or address: WETH/USDC, SOL/USDC.")],
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
        """Find a pair's pools, through a chain's factories or on Solana by their addresses; ends with the lines to
        paste into gateway.toml."""
        found = _discovered(chain, pair, rpc, factory or [], config or [])
        _warn(found)
        if as_json:
            show(found, True)
            return
        show(_for_people(found), False)
        if found["toml"]:
            typer.echo("\n" + found["toml"], nl=False)


def _discovered(chain: str, pair: str, rpc: str, factories: list[str], files: list[Path]) -> dict[str, Any]:
    from runtime.chains import chain_named
    from runtime.config import load
    from runtime.config_solana import SolanaSection

    venue = chain_named(chain).venue
    section = load(files).chain(venue) if venue == "dex_sol" or not rpc else None
    if isinstance(section, SolanaSection):
        with _installed("gateway pools discover"):
            from runtime import discovery_solana

        _refuse("--factory", next(iter(factories), ""), "EVM chains: on Solana every tier is looked at")
        return discovery_solana.discover(rpc or _endpoint(venue, files), pair, section)
    from runtime import discovery

    return discovery.discover(rpc or _endpoint(venue, files), chain, pair, factories)


def _endpoint(venue: str, files: list[Path]) -> str:
    """The first endpoint that the config has for this chain; on Solana that of calls."""
    from connectors.chain import calls_of
    from runtime import config
    from runtime.chain_plan import endpoints_of

    try:
        links = endpoints_of(venue, config.load(files))
    except ConfigError as error:
        if files:
            raise
        raise ConfigError(error.problem, place=error.place, mend=f"name one with --rpc, or {error.mend}") from None
    first = next(iter(links))
    return links.get(calls_of(first), links[first])


def _problem(pool: dict[str, Any]) -> str:
    price = pool.get("price")
    return f"{pool['problem']} (at {price})" if pool["problem"] and price is not None else str(pool["problem"])


def _for_people(found: dict[str, Any]) -> dict[str, Any]:
    """One line a pool: what it is and holds, or why it cannot be followed."""
    shown: dict[str, Any] = {key: found[key] for key in ("chain", "block", "slot") if key in found}
    if not found["pools"]:
        shown["pools"] = "none of this pair was found"
    for pool in found["pools"]:
        tier = "tier" if "slot" in found else "of"
        told = {"": pool["protocol"] or "unknown", "fee_ppm": pool["fee_ppm"], tier: pool["factory"], **pool["held"]}
        told |= {"price": pool.get("price"), "liquidity": pool["liquidity"]}
        is_followed = pool.get("is_followed", pool["is_shipped"])
        line = {key: value for key, value in told.items() if value is not None}
        shown[pool["address"]] = _problem(pool) or line | ({"already": "followed"} if is_followed else {})
    if found["not_asked"]:
        why = "this endpoint does not search" if "slot" in found else "no index by pair"
        shown["not asked"] = f"{', '.join(found['not_asked'])}: {why}; name such pools by their address"
    return shown
