"""`gateway sim evm`, `… solana`, `… kraken` and the other exchanges: simulated venues to connect any client to.

`cli.py` registers them.
"""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any, Final

import typer

from connectors.errors import ConfigError
from runtime.cli_sim_exchange import register as register_exchanges

NS: Final = 10**9

NodeFaults = Annotated[
    list[str] | None, typer.Option("--fault", help="NAME=VALUE, as sim_fault takes; may be given again.")
]
Duration = Annotated[float | None, typer.Option("--duration", min=0.1, help="Stop after this many seconds.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


def register(app: typer.Typer) -> None:
    """Adds `sim` and its commands."""
    sim = typer.Typer(no_args_is_help=True, help="Simulated venues as servers of their own.")
    app.add_typer(sim, name="sim")
    _evm(sim)
    _solana(sim)
    _kraken(sim)
    register_exchanges(sim, serve=_run, clock=_clock)


def _evm(sim: typer.Typer) -> None:
    @sim.command("evm")
    def evm(
        chain: Annotated[
            str, typer.Option("--chain", help="Whose pools and addresses: ethereum, arbitrum, base, optimism, polygon.")
        ] = "arbitrum",
        seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal chains.")] = 1,
        port: Annotated[int, typer.Option("--port", min=0, max=65535, help="WebSocket port; 0: any.")] = 0,
        http_port: Annotated[int, typer.Option("--http-port", min=0, max=65535, help="HTTP port; 0: any.")] = 0,
        block_time: Annotated[
            float | None,
            typer.Option("--block-time", min=0, help="Seconds between blocks; 0: one per transaction, nobody trades.",
                         show_default="the chain's own"),
        ] = None,
        fault: NodeFaults = None,
        duration: Duration = None,
        as_json: AsJson = False,
    ) -> None:  # fmt: skip
        """Serve a simulated chain on the loopback: JSON-RPC over WebSocket and HTTP, pools that trade along a market.

        Runs until Ctrl-C. The first line of stdout, printed when it is ready, says where everything is.
        """
        from runtime.chains import chain_named

        try:
            from runtime.sim.evm.faults import EvmFaults
            from runtime.sim.evm.server import EvmSimServer
            from runtime.sim.evm.shipped import default_world, facts
        except ImportError as error:
            mend = "pip install 'venuegate[dex]'"
            raise ConfigError(f"{error.name} is not installed", place="gateway sim evm", mend=mend) from None

        found = chain_named(chain)
        if found.genesis:
            raise ConfigError(f"{found.name} is no EVM chain", place="--chain", mend=f"gateway sim {found.name}")
        block_time_ns = None if block_time is None else round(block_time * NS)
        faults = _switched(EvmFaults(), fault or [], "lie_call=1")
        world = default_world(seed, found, block_time_ns=block_time_ns, faults=faults)
        server, said = EvmSimServer(world, port=port, http_port=http_port), facts(world, found)
        with suppress(KeyboardInterrupt):
            _run(server, port or http_port, lambda: _evm_text(server, said, as_json), duration)


def _evm_text(server: Any, said: dict[str, Any], as_json: bool) -> str:
    where = {"ws": server.ws_url, "http": server.http_url, **said}
    return json.dumps(where) if as_json else _text(where, ("ws", "http", "chain_id", "multicall", "quoter"))


def _solana(sim: typer.Typer) -> None:
    @sim.command("solana")
    def solana(
        seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal chains.")] = 1,
        port: Annotated[
            int, typer.Option("--port", min=0, max=65534, help="HTTP port, WebSocket on the next; 0: any two.")
        ] = 0,
        slot_time: Annotated[
            float | None,
            typer.Option("--slot-time", min=0, help="Seconds between slots; 0: only sim_slot makes them.",
                         show_default="0.4"),
        ] = None,
        fault: NodeFaults = None,
        duration: Duration = None,
        as_json: AsJson = False,
    ) -> None:  # fmt: skip
        """Serve a simulated Solana on the loopback: JSON-RPC and subscriptions, pools that trade along a market.

        Runs until Ctrl-C. The first line of stdout, printed when it is ready, says where everything is.
        """
        from runtime.chains import chain_named

        try:
            from runtime.sim.solana.faults import SolanaFaults
            from runtime.sim.solana.server import SolanaSimServer
            from runtime.sim.solana.shipped import default_world, facts
        except ImportError as error:
            mend = "pip install 'venuegate[dex]'"
            raise ConfigError(f"{error.name} is not installed", place="gateway sim solana", mend=mend) from None

        found = chain_named("solana")
        world = default_world(
            seed, found.pools, genesis=found.genesis, means=found.counts_as,
            slot_ns=found.block_time_ns if slot_time is None else round(slot_time * NS),
            faults=_switched(SolanaFaults(), fault or [], "behind=10"),
        )  # fmt: skip
        server = SolanaSimServer(world, port=port)
        said = facts(world, found.pools)
        with suppress(KeyboardInterrupt):
            _run(server, port, lambda: _solana_text(server, said, as_json), duration)


def _solana_text(server: Any, said: dict[str, Any], as_json: bool) -> str:
    where = {"rpc": server.http_url, "ws": server.ws_url, **said}
    return json.dumps(where) if as_json else _text(where, ("rpc", "ws", "genesis"))


def _kraken(sim: typer.Typer) -> None:
    @sim.command("kraken")
    def kraken(
        seed: Annotated[int, typer.Option("--seed", help="Equal seeds give equal venues.")] = 1,
        port: Annotated[int, typer.Option("--port", min=0, max=65535, help="REST and WebSocket; 0: any.")] = 0,
        fault: Annotated[
            list[str] | None,
            typer.Option("--fault", help="NAME[=VALUE][,on=METHOD][,nth=N][,times=N][@AFTER_S]; may be given again."),
        ] = None,
        list_faults: Annotated[bool, typer.Option("--list-faults", help="Print every fault and stop.")] = False,
        tier: Annotated[str, typer.Option("--tier", help="Limits of the account: starter, intermediate, pro.")] = "pro",
        balance: Annotated[
            list[str] | None, typer.Option("--balance", help="ASSET=AMOUNT; may be given again: then only these.")
        ] = None,
        permissions: Annotated[
            str | None, typer.Option("--permissions", help="What the key may do, by commas.",
                                     show_default="trade and query, no funding")
        ] = None,
        speed: Annotated[int, typer.Option("--speed", min=1, max=100, help="How fast its clock runs.")] = 1,
        duration: Duration = None,
        as_json: AsJson = False,
    ) -> None:  # fmt: skip
        """Serve a simulated Kraken on the loopback: WebSocket v2, public and private, and REST, on one port.

        Runs until Ctrl-C. The first line of stdout, printed when it is ready, says where it is and with which key.
        """
        from runtime.sim.kraken import FAULTS, Faults
        from runtime.sim.server import KrakenSimServer

        if list_faults:
            told = {name: kind.tells for name, kind in FAULTS.items()}
            typer.echo(json.dumps(told) if as_json else "\n".join(f"{name:24} {told[name]}" for name in told))
            return
        options: dict[str, Any] = {}
        if permissions is not None:
            options["permissions"] = tuple(name for name in permissions.split(",") if name)
        try:
            server = KrakenSimServer(
                seed=seed, port=port, faults=Faults(*(fault or [])), balances=_balances(balance or []), tier=tier,
                clock=_clock(speed), idle_close_s=60, **options,
            )  # fmt: skip
        except ValueError as error:
            raise ConfigError(str(error), place="gateway sim kraken", mend="see gateway sim kraken --help") from None
        with suppress(KeyboardInterrupt):
            _run(server, port, lambda: _kraken_text(server, as_json), duration)


def _kraken_text(server: Any, as_json: bool) -> str:
    where = {
        "rest": server.rest_url, "ws": server.ws_url, "ws_auth": server.ws_auth_url, "key": server.key,
        "secret": server.secret,
    }  # fmt: skip
    lines = [f"{name:8} {value}" for name, value in where.items()]
    return json.dumps(where) if as_json else "\n".join([*lines, "Ctrl-C ends."])


def _clock(speed: int) -> Callable[[], int]:
    started_ns = time.time_ns()
    return lambda: started_ns + (time.time_ns() - started_ns) * speed


def _balances(given: Sequence[str]) -> dict[str, str] | None:
    pairs = [text.partition("=") for text in given]
    if any(not equals or not name for name, equals, _ in pairs):
        raise ValueError("--balance is written ASSET=AMOUNT, like USD=1000")
    if pairs:
        from runtime.sim.market import Market

        known = {asset for pair in Market(seed=1).pairs for asset in pair.symbol.split("/")}
        strange = [name for name, _, _ in pairs if name not in known]
        if strange:
            raise ValueError(f"--balance: no asset {strange[0]!r}; there are {', '.join(sorted(known))}")
    return {name: amount for name, _, amount in pairs} or None


def _switched(faults: Any, given: Sequence[str], example: str) -> Any:
    """The faults with those of the command line switched on. Raises ConfigError."""
    for text in given:
        name, equals, value = text.partition("=")
        try:
            if not equals:
                raise ValueError(f"{text!r} has no value")  # noqa: TRY301 - told like every other mistake in it
            faults.switch(name, value)
        except ValueError as error:
            raise ConfigError(str(error), place="--fault", mend=f"write NAME=VALUE, like {example}") from None
    return faults


def _run(server: Any, port: int, say: Callable[[], str], duration: float | None) -> None:
    """The same until Ctrl-C, which is KeyboardInterrupt even in a shell's background job: such inherit it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(_serve(server, port, say, duration))


async def _serve(server: Any, port: int, say: Callable[[], str], duration: float | None) -> None:
    """Runs a server until a signal, or so many seconds; `say` tells, once it is there, where everything is."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    try:
        await server.__aenter__()
    except OSError as error:
        raise ConfigError(
            f"cannot listen on {port}: {error.strerror}", place="--port", mend="take another, or 0 for any"
        ) from None
    try:
        typer.echo(say())
        with suppress(TimeoutError):
            async with asyncio.timeout(duration):
                await ended.wait()
    finally:
        await server.__aexit__(None, None, None)


def _text(where: dict[str, Any], names: Sequence[str]) -> str:
    lines = [f"{name:10} {where[name]}" for name in names]
    lines += [
        f"{pool['address']} {pool['kind']:16} {pool['symbol']:10} {'/'.join(pool['tokens'])}" for pool in where["pools"]
    ]
    return "\n".join([*lines, "Ctrl-C ends."])
