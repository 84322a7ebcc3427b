"""The venues of `--sim`: simulated, in this process, reached over loopback as the real ones are over the network.

One market is behind all of them: traders on the simulated chains follow the simulated Kraken's prices, where it runs.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from connectors.chain import ChainPlan, calls_of
from connectors.errors import ConfigError
from connectors.session import AUDIT, PRIVATE, PUBLIC, REST
from runtime.chains import Chain, chain_of_venue
from runtime.port import VenueSpec
from runtime.sim.market import Market
from runtime.sim.server import KrakenSimServer

Tell = Callable[[str, str], None]

KRAKEN: Final = "kraken"


class Embedded(dict[str, dict[str, str]]):
    """Where each link of each venue connects that a session without keys has.

    For a session that trades there: `trading`, all links of a venue with an account, and `credentials`, its API key and
    secret, both by venue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trading: dict[str, dict[str, str]] = {}
        self.credentials: dict[str, tuple[str, str]] = {}


def check_embedded(venues: Sequence[str]) -> None:
    """Raises ConfigError for a venue that has no simulated side."""
    for name in venues:
        if name != KRAKEN and chain_of_venue(name) is None:
            raise ConfigError(f"there is no embedded {name}", place="--sim", mend="use --venues kraken,dex_arb")


async def embed(venues: Sequence[VenueSpec], seed: int, stack: AsyncExitStack, tell: Tell) -> Embedded:
    """Starts the simulated side of each, to be closed with `stack`; where each link of each venue connects."""
    urls = Embedded()
    market: Market | None = None
    if any(venue.venue.name == KRAKEN for venue in venues):
        server = await stack.enter_async_context(KrakenSimServer(seed=seed))
        urls[KRAKEN] = {PUBLIC: server.ws_url}
        urls.trading[KRAKEN] = {
            PUBLIC: server.ws_url, AUDIT: server.ws_url, PRIVATE: server.ws_auth_url, REST: server.rest_url,
        }  # fmt: skip
        urls.credentials[KRAKEN] = (server.key, server.secret)
        market = server.market
        tell(f"embedded venue speaking Kraken's v2 protocol at {server.ws_url}, seed {seed}", "info")
    for venue in venues:
        if venue.chain is not None:
            where = await _chain(venue, seed, market, stack)
            urls[venue.venue.name] = where
            count, place = len(venue.chain.pools), where[venue.chain.links[0]]
            tell(f"embedded chain {venue.chain.chain_id} with {count} pools at {place}, seed {seed}", "info")
    return urls


async def _chain(venue: VenueSpec, seed: int, market: Market | None, stack: AsyncExitStack) -> dict[str, str]:
    """A node with the planned pools, whose traders follow `market`, or one of its own; where each link connects."""
    chain, plan = chain_of_venue(venue.venue.name), venue.chain
    if chain is None or plan is None:
        raise ConfigError(f"there is no embedded {venue.venue.name}", place="--sim", mend="use --venues kraken,dex_arb")
    return await (_solana if plan.genesis else _evm)(chain, plan, seed, market, stack)


async def _evm(
    chain: Chain, plan: ChainPlan, seed: int, market: Market | None, stack: AsyncExitStack
) -> dict[str, str]:
    from runtime.sim.evm.server import EvmSimServer
    from runtime.sim.evm.shipped import default_world
    from runtime.sim.evm.world import market_mid

    world = default_world(
        seed, chain, pools=plan.pools, mid=market_mid(market) if market is not None else None,
    )  # fmt: skip
    server = await stack.enter_async_context(EvmSimServer(world))
    return dict.fromkeys(plan.links, server.ws_url)


async def _solana(
    chain: Chain, plan: ChainPlan, seed: int, market: Market | None, stack: AsyncExitStack
) -> dict[str, str]:
    """Each endpoint has two links: one for subscriptions, one for calls."""
    from runtime.sim.evm.world import market_mid
    from runtime.sim.solana.server import SolanaSimServer
    from runtime.sim.solana.shipped import default_world

    world = default_world(
        seed, plan.pools, mid=market_mid(market) if market is not None else None, genesis=plan.genesis,
        means=chain.counts_as, slot_ns=plan.block_time_ns,
    )  # fmt: skip
    server = await stack.enter_async_context(SolanaSimServer(world))
    return dict.fromkeys(plan.links, server.ws_url) | {calls_of(link): server.http_url for link in plan.links}
