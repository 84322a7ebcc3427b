"""`gateway pools`: follows chains without any algo and shows their pools, once or every second."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

from connectors.book import LEVELS
from connectors.errors import ConfigError
from runtime import config as configuration
from runtime.chain_plan import catalogue_of, endpoints_of, plan_of
from runtime.chains import chain_of_venue
from runtime.config import Config
from runtime.deploy import Guests, spec_of, venue_spec
from runtime.inputs import Input
from runtime.live import Live, Urls
from runtime.poolview import is_complete, rows, table
from runtime.recordings import load_venue
from runtime.screen import EVERY_S, Screen
from runtime.session import Session
from runtime.sim.embedded import embed
from runtime.sim.paper import Fees
from runtime.spec import EngineSpec

DEFAULT_VENUE: Final = "dex_arb"
ONCE_S: Final = 30.0  # after which what is there is shown
_CLEAR: Final = "\x1b[2J\x1b[H"


class PoolScreen(Screen):
    """Notices on stderr, the table or a line of JSON on stdout every second."""

    def __init__(self, show: Callable[[list[dict[str, Any]]], None]) -> None:
        super().__init__(sys.stderr)
        self._show = show

    async def run(self, session: Session) -> None:
        while True:
            await asyncio.sleep(EVERY_S)
            self._show(rows(session, time.time_ns()))


def pools(
    *, venues: str | None, symbols: str | None, config: list[Path], sim_seed: int | None, once: bool,
    duration: float | None, as_json: bool,
) -> list[dict[str, Any]]:  # fmt: skip
    """Runs until Ctrl-C, `duration`, or with `once` until each pool is shown or refused. Returns the last rows."""
    settings = configuration.load(config)
    spec = _spec(_names(venues, settings), symbols, settings)

    def show(found: list[dict[str, Any]]) -> None:
        text = json.dumps(found) if as_json else "\n".join(table(found))
        sys.stdout.write(f"{_CLEAR if sys.stdout.isatty() and not as_json else ''}{text}\n")
        sys.stdout.flush()

    screen = PoolScreen((lambda _found: None) if once else show)
    live = asyncio.run(_follow(spec, settings, sim_seed, screen, once=once, duration=duration))
    return rows(live.session, time.time_ns())


async def _follow(
    spec: EngineSpec, settings: Config, sim_seed: int | None, screen: Screen, *, once: bool, duration: float | None
) -> Live:
    urls: Urls
    async with AsyncExitStack() as stack:
        if sim_seed is not None:
            urls = await embed(spec.venues, sim_seed, stack, screen.tell)
        else:
            urls = {venue.venue.name: endpoints_of(venue.venue.name, settings) for venue in spec.venues}
        live = Live(spec, urls=urls, screen=screen)

        def stop_when_complete(session: Session, _given: Input, _now_ns: int) -> None:
            if is_complete(session):
                live.stop()

        if once:
            live.session.watchers.append(stop_when_complete)
        await live.run(duration or (ONCE_S if once else None))
    return live


def _names(venues: str | None, settings: Config) -> list[str]:
    given = settings.serve.venues if venues is None else [name.strip() for name in venues.split(",") if name.strip()]
    names = [name for name in dict.fromkeys(given) if venues is not None or chain_of_venue(name) is not None]
    for name in names:
        if chain_of_venue(name) is None:
            mend = "name one or more of dex_arb, dex_base, dex_eth, dex_op, dex_poly, dex_sol"
            raise ConfigError(f"{name[:80]} is no chain", place="--venues", mend=mend)
    return names or [DEFAULT_VENUE]


def _spec(names: Sequence[str], symbols: str | None, settings: Config) -> EngineSpec:
    """Without `symbols`: all that any of the chains has a pool of."""
    if symbols is not None:
        followed = [symbol.strip() for symbol in symbols.split(",") if symbol.strip()]
    else:
        followed = [pool.symbol for name in names for pool in catalogue_of(name, settings).pools()]
    followed = list(dict.fromkeys(followed))
    made = []
    for name in names:
        plan, ids, instruments = plan_of(name, settings, followed)
        venue = load_venue(name, "--venues")
        made.append(venue_spec(venue, depth=LEVELS, depth_from="", instruments=instruments, pools=ids, chain=plan))
    return spec_of(made, followed, Guests(), configuration.paper_limits(), fees=Fees(), tag="pools")
