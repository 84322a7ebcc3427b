"""A Raydium pool out of its accounts: which ones it is made of, and the curve that they say.

A swap needs the pool, its AmmConfig and the tick arrays on its way, which the bitmaps name; the extension only where
the spacing is below 15. Rules: the program's source (raydium-io/raydium-clmm, Apache-2.0).
"""

from functools import lru_cache
from itertools import islice
from typing import Final

from connectors.amm.raydium import Raydium
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, RAYDIUM
from connectors.amm.ticks64 import Tick, Ticks
from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account, Accounts, existing, read_as, required
from connectors.venues.solana.clock import clock_of
from connectors.venues.solana.keys import bytes_of, raydium_extension, raydium_pool, raydium_tick_array
from connectors.venues.solana.raydium_layout import STATUS_SWAP, AmmConfig, PoolState, config_of, pool_of
from connectors.venues.solana.raydium_ticks import (
    HALF,
    ORIGIN,
    Extension,
    above,
    array_of,
    below,
    extension_of,
    initialised,
    needs_extension,
    span,
)

_POOLS_KEPT: Final = 256  # asked several times of each read
_TICKS_KEPT: Final = 64


def pool(address: str, accounts: Accounts) -> PoolState:
    """The pool's own account: its address follows from it, its price and tick agree. Raises PoolRefused."""
    return _pool(address, required(accounts, address, "pool"))


@lru_cache(maxsize=_POOLS_KEPT)
def _pool(address: str, account: Account) -> PoolState:
    found = pool_of(account)
    if not found.spacing:
        raise PoolRefused("a tick spacing of 0 leaves no ticks")
    if bytes_of(found.mints[0]) >= bytes_of(found.mints[1]):
        raise PoolRefused(f"its mints {' '.join(found.mints)} are not two in the order of their bytes")
    if raydium_pool(found.config, *found.mints, found.seed_index) != address:
        raise PoolRefused("it is the account of another pool: its address does not follow from what it says")
    _check_price(found)
    return found


def wanted(address: str, accounts: Accounts, around: int) -> list[str]:
    """As `pools.wanted`, of a pool whose own account was read: without mints and clock."""
    found = pool(address, accounts)
    keys = [found.config]
    if needs_extension(found.spacing):
        keys.append(raydium_extension(address))
    ways = way(address, accounts, around, down=True), way(address, accounts, around, down=False)
    return [*keys, *reversed(ways[0]), *(key for key in ways[1] if key not in ways[0])]


def way(address: str, accounts: Accounts, around: int, *, down: bool) -> list[str]:
    """As `pools.way`."""
    found = pool(address, accounts)
    bits, size = _bits(address, found, accounts), span(found.spacing)
    here = found.tick // size
    numbers = [here] if bits >> here + ORIGIN & 1 else []
    numbers += islice(below(bits, here - 1) if down else above(bits, here + 1), around)
    return [raydium_tick_array(address, number * size) for number in numbers]


def config(found: PoolState, accounts: Accounts) -> AmmConfig:
    """The pool's fees. Raises PoolRefused."""
    fees = read_as(found.config, required(accounts, found.config, "AmmConfig"), config_of)
    if fees.spacing != found.spacing:
        raise PoolRefused(f"its tick spacing is {found.spacing}, its AmmConfig says {fees.spacing}")
    return fees


def curve(address: str, accounts: Accounts) -> Raydium:
    """The pool's state at one slot. Raises PoolRefused."""
    found = pool(address, accounts)
    fees, clock = config(found, accounts), clock_of(accounts)
    if found.status & STATUS_SWAP:
        raise PoolRefused(f"its swaps are switched off: status {found.status:#x}")
    if clock.unix_timestamp <= found.open_time:
        raise PoolRefused(f"it opens at {found.open_time} s, the chain's clock says {clock.unix_timestamp} s")
    return Raydium(
        found.sqrt_price_x64,
        found.tick,
        found.liquidity,
        fees.trade_fee,
        _known(address, found, accounts),
        found.fee_on,
        found.volatility,
        clock.unix_timestamp,
    )


def _check_price(found: PoolState) -> None:
    """A tick that was crossed downwards leaves the pool one tick lower, with its price still on it."""
    price, tick = found.sqrt_price_x64, found.tick
    is_there = RAYDIUM.min_sqrt <= price <= RAYDIUM.max_sqrt and MIN_TICK - 1 <= tick <= MAX_TICK
    is_above = is_there and (tick < MIN_TICK or RAYDIUM.sqrt_at(tick) <= price)
    if not is_above or (tick < MAX_TICK and price > RAYDIUM.sqrt_at(tick + 1)):
        raise PoolRefused(f"its tick {tick} does not belong to its square root price {price}")


def _extension(address: str, found: PoolState, accounts: Accounts) -> Extension | None:
    key = raydium_extension(address)
    account = existing(accounts, key, "bitmap extension") if key in accounts else None
    if account is None or not needs_extension(found.spacing):
        return None
    extension = read_as(key, account, extension_of)
    if extension.pool != address:
        raise PoolRefused(f"its bitmap extension is of pool {extension.pool}")
    return extension


def _bits(address: str, found: PoolState, accounts: Accounts) -> int:
    bits = initialised(found.bitmap, _extension(address, found, accounts))
    if bits & ~_possible(found.spacing):
        raise PoolRefused("its bitmap has tick arrays beyond the outermost ticks")
    return bits


@lru_cache
def _possible(spacing: int) -> int:
    first, last = MIN_TICK // span(spacing) + ORIGIN, MAX_TICK // span(spacing) + ORIGIN
    return (1 << last + 1) - (1 << first)


def _known(address: str, found: PoolState, accounts: Accounts) -> Ticks:
    """The ticks of the arrays that were read, as far as none is missing between them and the price."""
    bits, size = _bits(address, found, accounts), span(found.spacing)
    here = found.tick // size
    low, high = MIN_TICK, MAX_TICK
    if needs_extension(found.spacing) and _extension(address, found, accounts) is None:
        low, high = -HALF * size, HALF * size - 1  # without the extension the program goes no further either
    numbers: list[int] = []
    for number in below(bits, here):
        if raydium_tick_array(address, number * size) not in accounts:
            low = (number + 1) * size
            break
        numbers.append(number)
    for number in above(bits, here + 1):
        if raydium_tick_array(address, number * size) not in accounts:
            high = number * size - 1
            break
        numbers.append(number)
    if not low <= max(found.tick, MIN_TICK) <= high:
        raise PoolRefused(
            f"the part of its ticks around its price was not read: {raydium_tick_array(address, here * size)}"
        )
    keys = [(number * size, raydium_tick_array(address, number * size)) for number in sorted(numbers)]
    arrays = tuple((start, required(accounts, key, f"tick array from {start}")) for start, key in keys)
    return _ticks(address, found.spacing, low, high, arrays)


@lru_cache(maxsize=_TICKS_KEPT)
def _ticks(address: str, spacing: int, low: int, high: int, arrays: tuple[tuple[int, Account], ...]) -> Ticks:
    ticks: dict[int, Tick] = {}
    for start, account in arrays:
        array = read_as(raydium_tick_array(address, start), account, array_of, spacing)
        if array.pool != address or array.start != start:
            raise PoolRefused(
                f"its tick array from {start} is of pool {array.pool} and starts at {array.start}: "
                f"account {raydium_tick_array(address, start)}"
            )
        if not array.ticks:
            raise PoolRefused(
                f"its bitmap says that the tick array from {start} holds ticks, and it holds none: "
                f"account {raydium_tick_array(address, start)}"
            )
        for at, tick in array.ticks.items():
            ticks[at] = Tick(tick.net, tick.gross, tick.orders, tick.part_filled)
    return Ticks(spacing, ticks, low, high)
