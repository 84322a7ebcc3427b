"""`gateway sim binance`, `bybit`, `coinbase`, `okx`: simulated exchanges to connect any client to, all alike."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from connectors.errors import ConfigError

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Duration = Annotated[float | None, typer.Option("--duration", min=0.1, help="Stop after this many seconds.")]
Serve = Callable[[Any, int, Callable[[], str], float | None], None]
_TELLS: Final = {
    "binance": "spot: streams, ws-api and REST", "bybit": "v5 spot: public, private and trade sockets, and REST",
    "coinbase": "Advanced Trade: market and user sockets, and REST", "okx": "v5: public and private sockets, and REST",
}  # fmt: skip


def register(sim: typer.Typer, *, serve: Serve, clock: Callable[[int], Callable[[], int]]) -> None:
    """Adds the four. `serve(server, port, say, duration)` runs one until it is ended; `clock(speed)` is its time."""
    for name in _TELLS:
        _exchange(sim, name, serve, clock)


def _exchange(sim: typer.Typer, name: str, serve: Serve, clock: Callable[[int], Callable[[], int]]) -> None:
    @sim.command(name, help=f"Serve a simulated {name} on the loopback: {_TELLS[name]}, on one port.")
    def exchange(
        seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal venues.")] = 1,
        port: Annotated[int, typer.Option("--port", min=0, max=65535, help="REST and WebSocket; 0: any.")] = 0,
        fault: Annotated[
            list[str] | None,
            typer.Option("--fault", help="NAME[=VALUE][,on=METHOD][,nth=N][,times=N][@AFTER_S]; may be given again."),
        ] = None,
        list_faults: Annotated[bool, typer.Option("--list-faults", help="Print every fault and stop.")] = False,
        balance: Annotated[
            list[str] | None, typer.Option("--balance", help="ASSET=AMOUNT; may be given again: then only these.")
        ] = None,
        speed: Annotated[int, typer.Option("--speed", min=1, max=100, help="How fast its clock runs.")] = 1,
        duration: Duration = None,
        as_json: AsJson = False,
    ) -> None:
        from runtime.sim.embedded import server_of

        made = server_of(name)
        if list_faults:
            told = {fault: kind.tells for fault, kind in made.venue_type.faults_of().table.items()}
            typer.echo(json.dumps(told) if as_json else "\n".join(f"{fault:24} {told[fault]}" for fault in told))
            return
        try:
            server = made(
                seed=seed, port=port, faults=fault or [], balances=_balances(balance or []), clock=clock(speed)
            )
        except ValueError as error:
            mend = f"see gateway sim {name} --help and --list-faults"
            raise ConfigError(str(error), place=f"gateway sim {name}", mend=mend) from None
        with suppress(KeyboardInterrupt):
            serve(server, port, lambda: _text({**server.urls, **_secrets(server)}, as_json), duration)


def _secrets(server: Any) -> dict[str, str]:
    """By name, without what this exchange's keys do not have."""
    return {name: value for name, value in server.credentials.items() if value}


def _text(where: Mapping[str, str], as_json: bool) -> str:
    if as_json:
        return json.dumps(where)
    return "\n".join([*(f"{name:11} {value}" for name, value in where.items()), "Ctrl-C ends."])


def _balances(given: list[str]) -> dict[str, str] | None:
    """Raises ValueError; whether an asset is known, and its amount one, the venue says."""
    pairs = [text.partition("=") for text in given]
    if any(not equals or not name for name, equals, _ in pairs):
        raise ValueError("--balance is written ASSET=AMOUNT, like USDT=1000")
    return {name: amount for name, _, amount in pairs} or None
