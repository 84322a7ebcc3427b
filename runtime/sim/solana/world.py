"""Who trades on the simulated chain: arbitrage that follows the market, and noise. Pure; equal seeds, equal trades.

In each slot every pool whose price has left the market's by more than its fee is traded back to half of it. Beside that
somebody swaps at random, now and then liquidity comes or goes, and on Raydium's pools orders come to rest on ticks.
A slot's dice are thrown by its number, so that a branch of the chain goes its own way and the chain its old one.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import isqrt
from random import Random
from typing import Final

import msgspec

from connectors.amm.curve import QuoteError
from connectors.amm.raydium import Raydium
from connectors.chain import PoolPlan
from runtime.sim.evm.liquidity import Prices
from runtime.sim.market import Market, seeded
from runtime.sim.solana import liquidity
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.ledger import Changes
from runtime.sim.solana.pools import Held, Site, fixed, pool_account, site_of, written

PPM: Final = 10**6
_LEAST_BAND_PPM: Final = 50
_SEARCH_STEPS: Final = 24
_ARBITRAGE_USD: Final = 20_000_000
_PURSES: Final = 10
_POOL_USD: Final = 8_000_000
_SUPPLY: Final = 10**9
_POSITIONS: Final = (20, 60)  # that a pool has besides its first five: from the start, and at most
_FIRST: Final = 5
_POOLS_A_TRADER: Final = 4
_ORDERS: Final = 6  # that come to rest at the start
_PEG_MAX_PPM: Final = 400
_MARKET_STEPS: Final = 56  # what a default market does in 400 ms
_SWAP_PERCENT, _LIQUIDITY_PERCENT, _ORDER_PERCENT = 40, 20, 10

State = Mapping[str, Held]


class World:
    """Drives a chain's pools: the ledger's `Driver`. `market`: stepped with each slot, for a world with one of its own.

    Not `is_alive`: nobody trades by himself.
    """

    def __init__(
        self, plans: Sequence[PoolPlan], prices: Prices, seed: int, market: Market | None = None, *,
        is_alive: bool = True,
    ) -> None:  # fmt: skip
        by_address = {plan.address: plan for plan in plans}
        self.sites = {key: site_of(plan, place) for place, (key, plan) in enumerate(by_address.items())}
        self._prices, self._seed, self._market, self._is_alive = prices, seed, market, is_alive

    def pass_time(self, slot: int) -> None:
        """The market moves, and what money is worth wanders a little."""
        if self._market is not None:
            for _ in range(_MARKET_STEPS):
                self._market.step(slot)
        rng = seeded(f"world {self._seed} money {slot}")
        for token in sorted({token.symbol for site in self.sites.values() for token in site.plan.tokens}):
            peg = self._prices.pegs.get(token, 0) + rng.randrange(-3, 4)
            self._prices.pegs[token] = min(max(peg, -_PEG_MAX_PPM), _PEG_MAX_PPM)

    def begin(self, unix_s: int) -> tuple[State, Changes]:
        """Every pool at the market's price, with its first positions."""
        state: dict[str, Held] = {}
        changes: Changes = {}
        for key, site in self.sites.items():
            first, second = site.plan.tokens
            ratio = self._prices.ratio(first, second)
            price = isqrt((ratio.numerator << 128) // ratio.denominator)
            rng = seeded(f"world {self._seed} pool {key}")
            held = liquidity.opened(site, price, self._money(site, _POOL_USD), unix_s)
            for _ in range(_POSITIONS[0]):
                held = self._provide(rng, site, held)
            for _ in range(_ORDERS if site.is_raydium else 0):
                held = self._order(rng, site, held)
            state[key] = held
            changes |= fixed(site, _SUPPLY) | written(site, held, None, 0, unix_s)
        return state, changes

    def step(self, state: State, slot: int, unix_s: int) -> tuple[State, Changes]:
        """One slot's trades."""
        if not self._is_alive or not self.sites:
            return state, {}
        rng = seeded(f"world {self._seed} slot {slot}")
        now = {key: self._arbitrage(rng, site, _at(state[key], unix_s)) for key, site in self.sites.items()}
        for _ in range(1 + len(now) // _POOLS_A_TRADER):
            key = rng.choice(list(now))
            now[key] = self._noise(rng, self.sites[key], now[key])
        changes: Changes = {}
        for key, site in self.sites.items():
            changes |= written(site, now[key], state[key], slot, unix_s)
        return now, changes

    def lied(self, state: State, key: str, ppm: int) -> Stored | None:
        """A pool's account with its price so much off, tick and liquidity to match."""
        site = self.sites.get(key)
        if site is None:
            return None
        curve, table = state[key].curve, site.table
        price = isqrt(curve.sqrt_price_x64**2 * max(PPM + ppm, 1) // PPM)
        price = min(max(price, table.min_sqrt + 1), table.max_sqrt - 1)
        tick = table.tick_at(price)
        inside = sum(entry.net for at, entry in curve.ticks.entries().items() if at <= tick)
        moved = msgspec.structs.replace(curve, sqrt_price_x64=price, tick=tick, liquidity=inside)
        return pool_account(site, moved, 0, 0)

    def _money(self, site: Site, usd: int) -> tuple[int, int]:
        first, second = (self._prices.amount(token, usd) for token in site.plan.tokens)
        return first, second

    def _arbitrage(self, rng: Random, site: Site, held: Held) -> Held:
        """Back towards the market, as far as the purse that somebody has in this slot goes."""
        first, second = site.plan.tokens
        target = self._prices.ratio(first, second)
        band = max(site.fee_ppm, _LEAST_BAND_PPM)
        price, i = Fraction(held.curve.sqrt_price_x64**2, 1 << 128), 0
        if price < target * Fraction(PPM - band, PPM):
            target, i = 1 / target, 1
        elif price <= target * Fraction(PPM + band, PPM):
            return held
        goal = target * Fraction(2 * PPM + band, 2 * PPM)
        purse = self._money(site, _ARBITRAGE_USD >> rng.randrange(_PURSES))[i]
        amount = _until(held, i, goal, purse)
        return _traded(held, i, amount)

    def _noise(self, rng: Random, site: Site, held: Held) -> Held:
        dice = rng.randrange(100)
        if dice < _SWAP_PERCENT:
            i = rng.randrange(2)
            usd = rng.randrange(50, 10_000) >> rng.randrange(8)
            return _traded(held, i, self._money(site, usd)[i])
        if dice < _SWAP_PERCENT + _LIQUIDITY_PERCENT:
            count = len(held.positions) - _FIRST
            if count > _POSITIONS[1] or (count > 0 and rng.randrange(2)):
                return liquidity.withdrawn(site, held, _FIRST + rng.randrange(count))
            return self._provide(rng, site, held)
        if site.is_raydium and dice < _SWAP_PERCENT + _LIQUIDITY_PERCENT + _ORDER_PERCENT:
            return self._order(rng, site, held)
        return held

    def _provide(self, rng: Random, site: Site, held: Held) -> Held:
        """A position around or beside the price, narrow or wide."""
        spacing, stretch = site.spacing, rng.choice((1, 1, 4, 16))
        low = (held.curve.tick // spacing - rng.randrange(-2, 40) * stretch) * spacing
        high = low + rng.randrange(1, 60) * stretch * spacing
        low, high = max(low, -site.last_tick), min(high, site.last_tick)
        if low >= high:
            return held
        return liquidity.provided(site, held, low, high, self._money(site, rng.randrange(1_000, 100_000)))

    def _order(self, rng: Random, site: Site, held: Held) -> Held:
        """An order comes to rest on a tick, or the untouched ones of a tick go."""
        resting = [tick for tick, entry in held.curve.ticks.entries().items() if entry.orders]
        if resting and rng.randrange(3) == 0:
            return liquidity.cancelled(site, held, rng.choice(resting))
        is_above = rng.randrange(2)
        away = rng.randrange(2, 30) * (1 if is_above else -1)
        tick = (held.curve.tick // site.spacing + away) * site.spacing
        entry = held.curve.ticks.get(tick)
        if abs(tick) >= site.last_tick or (entry is not None and entry.part_filled):
            return held
        usd = rng.randrange(100, 20_000) << rng.randrange(7)
        amount = self._money(site, usd)[0 if is_above else 1]
        return liquidity.ordered(site, held, tick, max(amount, 1))


def _at(held: Held, unix_s: int) -> Held:
    """With the chain's clock in it, where the fee depends on that."""
    curve = held.curve
    if not isinstance(curve, Raydium) or curve.volatility is None:
        return held
    return msgspec.structs.replace(held, curve=msgspec.structs.replace(curve, now_s=unix_s))


def _traded(held: Held, i: int, amount: int) -> Held:
    """After a swap; as it was where the program refuses it."""
    if amount < 1:
        return held
    try:
        return liquidity.swapped(held, i, amount)
    except QuoteError:
        return held


def _until(held: Held, i: int, goal: Fraction, most: int) -> int:
    """The amount of token i that brings its price down to the goal, to 1 in 2^24 of `most`."""
    amount, step, curve = 0, most, held.curve
    for _ in range(_SEARCH_STEPS):
        step >>= 1
        if not step:
            break
        try:
            quote = curve.exact_in(i, 1 - i, amount + step)
            if quote.amount_in == amount + step and Fraction(*quote.after.price(i, 1 - i)) >= goal:
                amount += step
        except QuoteError:
            continue
    return amount
