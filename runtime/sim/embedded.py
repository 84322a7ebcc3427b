"""The venues of `--sim`: simulated, in this process, reached over loopback as the real ones are over the network.

One market is behind all of them: traders on the simulated chains, and the books of every further exchange, follow the
prices of the first one.
"""

import importlib
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

from connectors.chain import ChainPlan, calls_of
from connectors.errors import ConfigError
from connectors.session import CALLS, PRIVATE, PUBLIC, REST
from runtime.chains import Chain, chain_of_venue
from runtime.hosted.exchange import SCHEME
from runtime.port import VenueSpec
from runtime.sim.exchange.pairs import follow
from runtime.sim.market import Market

Tell = Callable[[str, str], None]

KRAKEN: Final = "kraken"
HOSTED: Final = "ccxt_"  # what the name of an exchange through ccxt begins with
_SERVERS: Final = {
    "binance": "runtime.sim.binance.server:BinanceSimServer",
    "bybit": "runtime.sim.bybit.server:BybitSimServer",
    "coinbase": "runtime.sim.coinbase.server:CoinbaseSimServer",
    KRAKEN: "runtime.sim.server:KrakenSimServer",
    "okx": "runtime.sim.okx.server:OkxSimServer",
}
_PROTOCOLS: Final = {
    "binance": "Binance's", "bybit": "Bybit's v5", "coinbase": "Coinbase's", KRAKEN: "Kraken's v2", "okx": "OKX's v5",
}  # fmt: skip


class Embedded(dict[str, dict[str, str]]):
    """Where each link of each venue connects that a session without keys has.

    For a session that trades there: `trading`, all links of a venue with an account, and `credentials`, the secrets of
    its key by name, both by venue.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trading: dict[str, dict[str, str]] = {}
        self.credentials: dict[str, dict[str, str]] = {}


def check_embedded(venues: Sequence[str]) -> None:
    """Raises ConfigError for a venue that has no simulated side."""
    for name in venues:
        if name.removeprefix(HOSTED) not in _SERVERS and chain_of_venue(name) is None:
            mend = f"use some of {', '.join(_SERVERS)}, dex_arb, dex_sol"
            raise ConfigError(f"there is no embedded {name}", place="--sim", mend=mend)


def server_of(exchange: str) -> Any:
    """The class of a simulated exchange's server."""
    module, _, name = _SERVERS[exchange].partition(":")
    return getattr(importlib.import_module(module), name)


async def embed(venues: Sequence[VenueSpec], seed: int, stack: AsyncExitStack, tell: Tell) -> Embedded:
    """Starts the simulated side of each, to be closed with `stack`; where each link of each venue connects."""
    urls = Embedded()
    named = [venue.venue.name for venue in venues if venue.chain is None]
    market: Market | None = None
    for name in sorted(named, key=lambda one: one != KRAKEN):  # the others follow Kraken's prices, where it is
        market = await _exchange(name, seed, market, len(named) > 1, urls, stack, tell) or market
    for venue in venues:
        if venue.chain is not None:
            where = await _chain(venue, seed, market, stack)
            urls[venue.venue.name] = where
            count, place = len(venue.chain.pools), where[venue.chain.links[0]]
            tell(f"embedded chain {venue.chain.chain_id} with {count} pools at {place}, seed {seed}", "info")
    return urls


async def _exchange(
    name: str, seed: int, leader: Market | None, is_one_of_several: bool, urls: Embedded, stack: AsyncExitStack,
    tell: Tell,
) -> Market | None:  # fmt: skip
    """One exchange, whose market follows `leader`; its market, where none is led yet."""
    exchange = name.removeprefix(HOSTED)
    if exchange == KRAKEN:
        server = server_of(KRAKEN)(seed=seed, usdt=is_one_of_several or name != KRAKEN)
    else:
        server = server_of(exchange)(seed=seed, leader=follow(leader) if leader is not None else None)
    await stack.enter_async_context(server)
    links = server.urls
    if name == exchange:
        urls[name] = {link: url for link, url in links.items() if link in (PUBLIC, CALLS)}
        urls.trading[name] = dict(links)
    else:
        private = f"&ws_private={links[PRIVATE]}" if exchange == KRAKEN else ""
        socket = links[PUBLIC]  # ccxt has its own paths on it, but for Coinbase, where it has none
        if exchange != "coinbase":
            socket = socket.partition("://")[0] + "://" + socket.partition("://")[2].partition("/")[0]
        where = f"{SCHEME}://{exchange}?http={links[REST]}&ws={socket}{private}"
        urls[name] = {PUBLIC: where}
        urls.trading[name] = {PUBLIC: where, PRIVATE: where, REST: where}
    urls.credentials[name] = {secret: value for secret, value in server.credentials.items() if value}
    tell(f"embedded venue speaking {_PROTOCOLS[exchange]} protocol at {links[PUBLIC]}, seed {seed}", "info")
    return server.market if leader is None else None


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
