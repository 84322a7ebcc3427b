"""`gateway kill`, `arm`, `status`, `drill`, `limits`, `override`, `promote`: a person's hand on a running gateway."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Show = Callable[[dict[str, Any], bool], None]

EXIT_ERROR = 1
EXIT_NOT_READY = 8

Json = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
Control = Annotated[
    Path | None, typer.Option("--control", help="Control socket.", show_default="the only gateway of this user")
]
Scope = Annotated[
    str, typer.Option("--scope", help="all, venue:NAME, instrument:NAME or algo:NAME.", show_default="all")
]


def register(app: typer.Typer, *, show: Show) -> None:
    """Adds the commands to `app`. `show(result, as_json)` prints."""
    _kill(app, show)
    _arm(app, show)
    _status(app, show)
    _drill(app, show)
    _promote(app, show)
    limits = typer.Typer(no_args_is_help=True, help="The limits of a running gateway.")
    app.add_typer(limits, name="limits")
    _limits(limits, show)
    override = typer.Typer(no_args_is_help=True, help="Signed one-shot overrides of limits.")
    app.add_typer(override, name="override")
    _sign(override, show)
    _submit(override, show)


def _ask(control: Path | None, command: str, timeout_s: float = 10.0, **fields: Any) -> dict[str, Any]:
    """The answer, without what says that it is one."""
    import getpass

    from runtime.control_client import Request, ask

    answer = ask(control, Request(command=command, who=getpass.getuser(), **fields), timeout_s=timeout_s)
    del answer["ok"]
    return answer


def _kill(app: typer.Typer, show: Show) -> None:
    @app.command("kill")
    def kill(
        scope: Scope = "",
        reduce: Annotated[bool, typer.Option("--reduce", help="REDUCING: only what reduces passes.")] = False,
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """Stop trading and cancel what is open, now. Ends when it is proved that nothing is, or says what still is."""
        told = _ask(control, "reduce" if reduce else "kill", target=scope)
        show(told, as_json)
        if told["problem"]:
            raise typer.Exit(EXIT_ERROR)


def _arm(app: typer.Typer, show: Show) -> None:
    @app.command("arm")
    def arm(scope: Scope = "", control: Control = None, as_json: Json = False) -> None:
        """Let a scope trade again, and take its latches off."""
        show(_ask(control, "arm", target=scope), as_json)


def _status(app: typer.Typer, show: Show) -> None:
    @app.command("status")
    def status(
        ready: Annotated[
            bool, typer.Option("--ready", help="Exit code 8 with the reasons unless it is fit to trade.")
        ] = False,
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """What a running gateway may do, what is left of its limits, and whether it is ready."""
        from runtime.standing_text import for_people, judged, limits_for_people

        told = judged(_ask(control, "status"))
        if as_json:
            show(told, True)
        else:
            show(for_people(told), False)
            show(limits_for_people(told), False)
        if ready and not told["is_ready"]:
            for reason in told["not_ready"]:
                typer.echo(f"not ready: {reason}", err=True)
            raise typer.Exit(EXIT_NOT_READY)


def _drill(app: typer.Typer, show: Show) -> None:
    @app.command("drill")
    def drill(
        sim: Annotated[bool, typer.Option("--sim", help="On an embedded session of its own.")] = False,
        rounds: Annotated[
            int | None, typer.Option("--rounds", min=1, max=1000, show_default="1, with --sim 20")
        ] = None,
        seed: Annotated[int, typer.Option("--seed", help="Seed of the embedded venue's market.")] = 1,
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """Pull the kill switch of a paper session, measure it, and arm again."""
        import getpass

        from runtime import drill as drills

        if sim:
            told = drills.simulated(rounds or 20, seed, getpass.getuser())
        else:
            told = _ask(control, "drill", (rounds or 1) * drills.ROUND_S, rounds=rounds or 1)
        show(told, as_json)


def _promote(app: typer.Typer, show: Show) -> None:
    @app.command("promote")
    def promote(
        algo: Annotated[str, typer.Argument(help="The algo's name.")],
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """Take the canary's limits off an algo's module, for good."""
        show(_ask(control, "promote", target=algo), as_json)


def _limits(limits: typer.Typer, show: Show) -> None:
    @limits.command("show")
    def show_limits(control: Control = None, as_json: Json = False) -> None:
        """The limits in force, what was observed, what is left."""
        told = _ask(control, "status")
        if as_json:
            show({"limits": told["limits"], "in_force": told["in_force"]}, True)
        else:
            from runtime.standing_text import limits_for_people

            show(limits_for_people(told), False)

    @limits.command("reload")
    def reload(
        confirm: Annotated[bool, typer.Option("--confirm", help="Loosen, too.")] = False,
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """Read the limits' files again: what is tighter holds at once."""
        show(_ask(control, "limits", confirm=confirm), as_json)


def _sign(override: typer.Typer, show: Show) -> None:
    @override.command("keygen")
    def keygen(
        key: Annotated[Path, typer.Argument(help="Where the private key goes; mode 0600.")], as_json: Json = False
    ) -> None:
        """Make a key; its public half goes into [kill.override_keys]."""
        from runtime import overrides

        show({"key": str(key), "public": overrides.keygen(key)}, as_json)

    @override.command("sign")
    def sign(
        key: Annotated[Path, typer.Option("--key", help="The private key, readable by you alone.")],
        algo: Annotated[str, typer.Option("--algo", help="Whose order.")],
        market: Annotated[str, typer.Option("--market", help="Its market: kraken:BTC/USD.")],
        side: Annotated[str, typer.Option("--side", help="buy or sell.")],
        qty: Annotated[str, typer.Option("--qty", help="Its exact quantity, in the base currency.")],
        price: Annotated[str, typer.Option("--price", help="Its exact price; `market` for a market order.")],
        expires_s: Annotated[int, typer.Option("--expires-s", help="Seconds from now; at most a day.")] = 60,
        as_json: Json = False,
    ) -> None:
        """Sign an override for one order; prints the token to submit."""
        import time

        from runtime import overrides

        made = overrides.granted(
            algo=algo, market=market, side=side, qty=qty, price=price, expires_s=expires_s, now_ns=time.time_ns()
        )
        token = overrides.sign(overrides.read_key(key), made)
        if as_json:
            show({**overrides.shown(made), "token": token}, True)
        else:
            typer.echo(token)


def _submit(override: typer.Typer, show: Show) -> None:
    @override.command("submit")
    def submit(
        token: Annotated[str, typer.Argument(help="What `override sign` printed.")],
        control: Control = None,
        as_json: Json = False,
    ) -> None:
        """Hand a signed override to the running gateway."""
        show(_ask(control, "override", token=token), as_json)
