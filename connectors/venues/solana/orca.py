"""An Orca Whirlpool out of its accounts: which ones it is made of, and the curve that they say.

A swap touches three tick arrays at most (`connectors/amm/whirlpool.py`). One that does not exist holds no ticks: the
program takes it so, too. A pool with an adaptive fee is decoded, and refused as a book: what is computed of such a fee
after February 2025 is not under a licence that may be read here.
"""

from functools import lru_cache
from typing import Final

from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, ORCA
from connectors.amm.ticks64 import Tick, Ticks
from connectors.amm.whirlpool import Whirlpool, edge
from connectors.errors import PoolRefused
from connectors.venues.solana.account import Account, Accounts, existing, read_as, required
from connectors.venues.solana.keys import bytes_of, orca_oracle, orca_pool, orca_tick_array
from connectors.venues.solana.orca_layout import Oracle, WhirlpoolState, oracle_of, pool_of
from connectors.venues.solana.orca_ticks import array_of, span

_POOLS_KEPT: Final = 256  # asked several times of each read
_TICKS_KEPT: Final = 64


def pool(address: str, accounts: Accounts) -> WhirlpoolState:
    """The pool's own account: its address follows from it, its price and tick agree. Raises PoolRefused."""
    return _pool(address, required(accounts, address, "pool"))


@lru_cache(maxsize=_POOLS_KEPT)
def _pool(address: str, account: Account) -> WhirlpoolState:
    found = pool_of(account)
    if not found.spacing:
        raise PoolRefused("a tick spacing of 0 leaves no ticks")
    if bytes_of(found.mints[0]) >= bytes_of(found.mints[1]):
        raise PoolRefused(f"its mints {' '.join(found.mints)} are not two in the order of their bytes")
    if orca_pool(found.config, *found.mints, found.fee_tier_index) != address:
        raise PoolRefused("it is the account of another pool: its address does not follow from what it says")
    _check_price(found)
    return found


def wanted(address: str, accounts: Accounts) -> list[str]:
    """As `pools.wanted`, of a pool whose own account was read: without mints and clock."""
    found = pool(address, accounts)
    return [orca_oracle(address), *(key for _, key in _places(address, found))]


def way(address: str, accounts: Accounts, *, down: bool) -> list[str]:
    """As `pools.way`: nothing is beyond what one swap can touch."""
    found = pool(address, accounts)
    size = span(found.spacing)
    here, places = found.tick // size * size, _places(address, found)
    if down:
        return [key for start, key in reversed(places) if start <= here]
    return [key for start, key in places if start >= here]


def oracle(address: str, accounts: Accounts) -> Oracle | None:
    """The adaptive fee's account; None where there is none, or where it was not read. Raises PoolRefused."""
    key = orca_oracle(address)
    account = existing(accounts, key, "Oracle") if key in accounts else None
    if account is None:
        return None
    found = read_as(key, account, oracle_of)
    if found.pool != address:
        raise PoolRefused(f"its Oracle is of pool {found.pool}")
    return found


def curve(address: str, accounts: Accounts) -> Whirlpool:
    """The pool's state at one slot. Raises PoolRefused."""
    found = pool(address, accounts)
    adaptive = oracle(address, accounts)
    if adaptive is not None or found.fee_tier_index != found.spacing:
        shown = f" and a volatility of {adaptive.accumulator}" if adaptive else ""
        raise PoolRefused(f"adaptive fee: not computed exactly (fee tier {found.fee_tier_index}{shown})")
    ticks = _known(address, found, accounts)
    return Whirlpool(found.sqrt_price_x64, found.tick, found.liquidity, found.fee_ppm, ticks)


def _check_price(found: WhirlpoolState) -> None:
    """A tick that was crossed downwards leaves the pool one tick lower, with its price still on it."""
    price, tick = found.sqrt_price_x64, found.tick
    is_there = ORCA.min_sqrt <= price <= ORCA.max_sqrt and MIN_TICK - 1 <= tick <= MAX_TICK
    is_above = is_there and (tick < MIN_TICK or ORCA.sqrt_at(tick) <= price)
    if not is_above or (tick < MAX_TICK and price > ORCA.sqrt_at(tick + 1)):
        raise PoolRefused(f"its tick {tick} does not belong to its square root price {price}")


def _places(address: str, found: WhirlpoolState) -> list[tuple[int, str]]:
    """(start, key) of every array that one swap can touch, either way, ascending."""
    size = span(found.spacing)
    first, last = (edge(found.tick, found.spacing, down) // size for down in (True, False))
    first, last = max(first, MIN_TICK // size), min(last, MAX_TICK // size)
    return [(number * size, orca_tick_array(address, number * size)) for number in range(first, last + 1)]


def _known(address: str, found: WhirlpoolState, accounts: Accounts) -> Ticks:
    """The ticks of the arrays that were read, as far as none is missing between them and the price."""
    size = span(found.spacing)
    places = _places(address, found)
    below = [place for place in places if place[0] <= found.tick]
    above = places[len(below) :]
    read: list[tuple[int, Account | None]] = []
    low = found.tick + 1
    for start, key in reversed(below):
        if key not in accounts:
            break
        read.append((start, existing(accounts, key, f"tick array from {start}")))
        low = start
    high = found.tick
    if read or found.tick + found.spacing >= found.tick // size * size + size:
        high = found.tick // size * size + size - 1  # no tick of the pool is left in the price's own array
        for start, key in above:
            if key not in accounts:
                break
            read.append((start, existing(accounts, key, f"tick array from {start}")))
            high = start + size - 1
    if not read:
        raise PoolRefused(f"the tick array of its price was not read: account {below[-1][1]}")
    return _ticks(address, found.spacing, max(low, MIN_TICK), min(high, MAX_TICK), tuple(read))


@lru_cache(maxsize=_TICKS_KEPT)
def _ticks(address: str, spacing: int, low: int, high: int, arrays: tuple[tuple[int, Account | None], ...]) -> Ticks:
    ticks: dict[int, Tick] = {}
    for start, account in arrays:
        if account is None:
            continue
        array = read_as(orca_tick_array(address, start), account, array_of, spacing)
        if array.pool != address or array.start != start:
            raise PoolRefused(
                f"its tick array from {start} is of pool {array.pool} and starts at {array.start}: "
                f"account {orca_tick_array(address, start)}"
            )
        for at, (net, gross) in array.ticks.items():
            ticks[at] = Tick(net, gross)
    return Ticks(spacing, ticks, low, high)
