"""A session's plan of a chain: the pools of the symbols that are followed, and how the chain is followed.

`chains.py` has what is shipped, `chain_catalogue.py` what the user's settings make of it.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from connectors.chain import ChainPlan, GasModel, PoolPlan, calls_of
from connectors.errors import ConfigError, NumberError
from connectors.instrument import Instrument
from connectors.pool import DexVenue, PoolId
from connectors.units import MONEY_DECIMALS, PRICE_DECIMALS, SIZE_DECIMALS, scaled
from runtime.chain_catalogue import Catalogue
from runtime.chain_pools import EvmCatalogue
from runtime.chain_pools_solana import SolanaCatalogue
from runtime.chains import chain_named
from runtime.config import Config
from runtime.config_chain import ChainSection, FollowedSection
from runtime.config_solana import SolanaSection

POOLS_MAX: Final = 32  # of one symbol: the guest's PoolBooks
_SIZES: Final = (10, 20, 50, 100, 200, 500, 1_000, 2_000, 3_000, 5_000, 7_500, 10_000, 15_000, 25_000, 40_000, 60_000,
                 100_000, 150_000, 250_000, 500_000)  # fmt: skip
# the same ladder in a quote that is no money: so much money is taken for one coin, roughly
_PER_COIN: Final = {"ETH": 2_500, "BTC": 100_000, "SOL": 100}


def plan_of(
    venue: str, settings: Config, symbols: Sequence[str]
) -> tuple[ChainPlan, tuple[PoolId, ...], dict[str, Instrument]]:
    """How `venue` (dex_arb …) is followed, its pools in PoolBooks' order, and its symbols' instruments.

    The plan's pools are those of the ids, in the same order, and behind them, if none of them is, the one that prices
    the native coin, without a symbol. Links are `rpc1` …, of as many endpoints as are set, else of as many as `quorum`.
    A symbol without pools has an instrument and nothing else. Raises ConfigError.
    """
    catalogue = catalogue_of(venue, settings)
    chain, section = catalogue.chain, settings.chain(venue)
    pools = catalogue.pools()
    shown = [pool for pool in pools if pool.symbol in symbols]
    _check_symbols(catalogue, pools, shown, symbols)
    ids = tuple(_pool_id(pool, chain.venue_id) for pool in shown)
    native = catalogue.native(pools)
    if native is not None and native not in shown:
        shown.append(msgspec.structs.replace(native, symbol=""))
    stale_after = section.stale_after_s
    plan = ChainPlan(
        chain_id=chain.chain_id,
        links=_links(catalogue, section),
        pools=tuple(shown),
        multicall=chain.multicall,
        block_time_ns=chain.block_time_ns,
        stale_after_ns=chain.stale_after_ns if stale_after is None else _e9(catalogue, "stale_after_s", stale_after),
        native=chain.native,
        par=tuple(
            name for name, counts_as in catalogue.counts_as.items() if counts_as == chain.native.partition("/")[2]
        ),
        gas=chain.gas,
        calls_per_s=section.calls_per_s,
        sizes_1e9=_sizes(catalogue, section, shown),
        is_gross=section.pool_prices == "gross",
        split_above_1e9=_e9(catalogue, "split_above", section.split_above),
        genesis=chain.genesis,
    )
    plan = _of_solana(plan, section) if isinstance(section, SolanaSection) else _of_evm(plan, section)
    return plan, ids, {symbol: _instrument(venue, symbol) for symbol in symbols}


def catalogue_of(venue: str, settings: Config) -> Catalogue:
    """The tokens and pools of `dex_arb` and the like. Raises ConfigError."""
    chain, section = chain_named(venue), settings.chain(venue)
    if isinstance(section, SolanaSection):
        return SolanaCatalogue(chain, section, settings)
    return EvmCatalogue(chain, section, settings)


def endpoints_of(venue: str, settings: Config) -> dict[str, str]:
    """The address of each of the plan's links; on Solana of both links of each endpoint. Raises ConfigError when none
    is set: none is shipped."""
    section = settings.chain(venue)
    is_solana = isinstance(section, SolanaSection)
    if not section.endpoints:
        raise ConfigError(
            f"venues.{venue}.urls: no endpoint is set, and none is shipped: public ones change and are rate-limited",
            place=settings.origin(f"venues.{venue}"),
            mend=f'set urls = ["{"https" if is_solana else "wss"}://…"] under [venues.{venue}] (your provider\'s, or '
            "your own node's), or use --sim",
        )
    sockets = section.sockets if isinstance(section, SolanaSection) else section.endpoints
    made = {f"rpc{number}": url for number, url in enumerate(sockets, 1)}
    if is_solana:
        made |= {calls_of(f"rpc{number}"): url for number, url in enumerate(section.endpoints, 1)}
    return made


def _of_evm(plan: ChainPlan, section: ChainSection) -> ChainPlan:
    return msgspec.structs.replace(
        plan,
        chain_id=section.chain_id or plan.chain_id,
        multicall=plan.multicall if section.multicall is None else section.multicall,
        gas=GasModel(section.gas or plan.gas),
        reconcile_blocks=section.reconcile_blocks,
        quorum=section.quorum,
        check_every=section.check_every,
        check_bps=section.check_bps,
    )


def _of_solana(plan: ChainPlan, section: SolanaSection) -> ChainPlan:
    return msgspec.structs.replace(
        plan, genesis=section.genesis or plan.genesis, commitment=section.commitment, arrays=section.arrays
    )


def _links(catalogue: Catalogue, section: ChainSection | SolanaSection) -> tuple[str, ...]:
    quorum = section.quorum if isinstance(section, ChainSection) else 1
    count = len(section.endpoints) or quorum
    if quorum > count:
        catalogue.refuse("quorum", f"is {quorum} of {count} endpoints", "name more urls, or lower it")
    return tuple(f"rpc{number}" for number in range(1, count + 1))


def _check_symbols(
    catalogue: Catalogue, pools: Sequence[PoolPlan], shown: Sequence[PoolPlan], symbols: Sequence[str]
) -> None:
    if not shown:
        there = ", ".join(sorted({pool.symbol for pool in pools})) or "none"
        problem = f"has no pool of {', '.join(symbols)}; its pools are of: {there}"
        catalogue.refuse("pools", problem, "follow one of those symbols, or add [[pools]] of yours (docs/dex.md)")
    for symbol in symbols:
        count = sum(pool.symbol == symbol for pool in shown)
        if count > POOLS_MAX:
            problem = f"are {count} of {symbol}, but a guest's table holds {POOLS_MAX}"
            catalogue.refuse("pools", problem, "leave some out, or the shipped ones with defaults = false")


def _sizes(catalogue: Catalogue, section: FollowedSection, pools: Iterable[PoolPlan]) -> dict[str, tuple[int, ...]]:
    """The ladder of each quote token that differs from the others'."""
    money = [size * 10**MONEY_DECIMALS for size in _SIZES]
    made = {"": tuple(_e9(catalogue, "sizes", size) for size in section.sizes) if section.sizes else tuple(money)}
    for quote in (pool.tokens[pool.quote].symbol for pool in pools):
        if per_coin := _PER_COIN.get(catalogue.counts_as.get(quote, quote)):
            made[quote] = tuple(size // per_coin for size in money)
    for name, said in section.sizes_of.items():
        if name not in catalogue.tokens:
            catalogue.refuse_token(f"sizes_of.{name}", name)
        made[name] = tuple(_e9(catalogue, f"sizes_of.{name}", size) for size in said)
    return made


def _e9(catalogue: Catalogue, setting: str, amount: Decimal) -> int:
    """Money and seconds alike have nine decimals."""
    try:
        made = scaled(amount, MONEY_DECIMALS)
    except NumberError as error:
        catalogue.refuse(setting, f"= {error}", f"use at most {MONEY_DECIMALS} decimals")
    if made >= 2**63:
        catalogue.refuse(setting, f"= {amount} is too large", "the guest's records hold 63 bits")
    return made


def _pool_id(pool: PoolPlan, venue_id: DexVenue) -> PoolId:
    return PoolId(
        address=pool.address_bytes,
        symbol=pool.symbol,
        pair_index=pool.pair_index,
        venue_id=venue_id,
        protocol_id=pool.protocol,
        fee_bps=-(-pool.fee_ppm // 100),
    )


def _instrument(venue: str, symbol: str) -> Instrument:
    """Ladders are in the guest's own scales."""
    return Instrument(
        venue=venue,
        symbol=symbol,
        price_precision=PRICE_DECIMALS,
        size_precision=SIZE_DECIMALS,
        tick_size_1e9=1,
        lot_size_1e8=1,
    )
