"""Raydium's and Orca's pools as values, changed by hand, with the accounts that a chain would hold of them.

State and encoding are the simulated chain's (`runtime/sim/solana`), which a reader of accounts has no part in.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import isqrt
from random import Random
from typing import Any, Final

import msgspec

from connectors.amm.curve import Curve as Reader
from connectors.amm.curve import QuoteError
from connectors.amm.ladder import Pair
from connectors.chain import PoolKind, PoolPlan
from connectors.venues.solana.account import Account
from connectors.venues.solana.pools import state_of, wanted
from runtime.chains import chain_named
from runtime.sim.evm.liquidity import Prices
from runtime.sim.solana import accounts, liquidity
from runtime.sim.solana.accounts import Stored
from runtime.sim.solana.keys import CLOCK
from runtime.sim.solana.ledger import FIRST_SLOT
from runtime.sim.solana.pools import Curve, Held, Site, fixed, site_of, written

NOW_S: Final = 1_795_000_000
PRICES: Final = Prices(lambda _symbol: None)
POOL_USD: Final = 8_000_000
SHIPPED: Final = chain_named("dex_sol").pools
Read = dict[str, Account | None]


class MadePool:
    """One pool. `held` is what it holds; `stored` every account of it as it is now.

    `pool_usd`: what its first positions are worth, on either side. `rules`: of the Site, instead of those that the
    simulated chain would choose.
    """

    def __init__(
        self, plan: PoolPlan, seed: int = 1, positions: int = 20, pool_usd: int = POOL_USD, **rules: Any
    ) -> None:
        self.plan, self.slot, self.now_s = plan, FIRST_SLOT, NOW_S
        self.site: Site = msgspec.structs.replace(site_of(plan, 0), **rules)
        self._rng = Random(f"{seed} {plan.address}")
        first, second = plan.tokens
        ratio = PRICES.ratio(first, second)
        price = isqrt((ratio.numerator << 128) // ratio.denominator)
        self.held: Held = liquidity.opened(self.site, price, self.money(pool_usd), self.now_s)
        for _ in range(positions):
            self.provide()
        self.stored: dict[str, Stored | None] = dict(fixed(self.site, 10**9))
        self.stored |= written(self.site, self.held, None, self.slot, self.now_s)
        self._tell_time()

    @property
    def curve(self) -> Curve:
        """What was encoded."""
        return self.held.curve

    def money(self, usd: int) -> tuple[int, int]:
        """So many dollars in either token."""
        first, second = (PRICES.amount(token, usd) for token in self.plan.tokens)
        return first, second

    def pair(self, base: int) -> Pair:
        """Its tokens one way round."""
        decimals = [token.decimals for token in self.plan.tokens]
        return Pair(base, 1 - base, decimals[base], decimals[1 - base])

    def worth(self, place: int) -> Fraction:
        """Dollars for one whole token."""
        return PRICES.usd(self.plan.tokens[place])

    # --- what people do to a pool; each returns the accounts that are other than before -------------------------------

    def provide(self, width: int | None = None, usd: int | None = None) -> None:
        """A position around or beside the price."""
        rng, spacing = self._rng, self.site.spacing
        stretch = rng.choice((1, 1, 4, 16))
        low = (self.curve.tick // spacing - rng.randrange(-2, 40) * stretch) * spacing
        high = low + (width or rng.randrange(1, 60) * stretch) * spacing
        low, high = max(low, -self.site.last_tick), min(high, self.site.last_tick)
        if low < high:
            money = self.money(usd or rng.randrange(1_000, 100_000))
            self.held = liquidity.provided(self.site, self.held, low, high, money)

    def withdraw(self) -> None:
        """One position beside the first five goes."""
        count = len(self.held.positions) - 5
        if count > 0:
            self.held = liquidity.withdrawn(self.site, self.held, 5 + self._rng.randrange(count))

    def trade(self, usd: int, i: int) -> bool:
        """Somebody sells token i; False where the program refuses it."""
        try:
            self.held = liquidity.swapped(self.held, i, max(self.money(usd)[i], 1))
        except QuoteError:
            return False
        return True

    def order(self, away: int, usd: int) -> None:
        """A limit order comes to rest so many spacings above, or below, the price. Raydium's alone."""
        tick = (self.curve.tick // self.site.spacing + away) * self.site.spacing
        self.held = liquidity.ordered(self.site, self.held, tick, max(self.money(usd)[0 if away > 0 else 1], 1))

    def stir(self) -> str:
        """One deed, of the dice; says which."""
        dice = self._rng.randrange(10)
        if dice < 6:
            self.trade(self._rng.choice((50, 900, 8_000, 60_000, 400_000)), self._rng.randrange(2))
            return "swap"
        (self.provide if dice < 8 else self.withdraw)()
        return "provide" if dice < 8 else "withdraw"

    def settle(self, act: Callable[[], object] = lambda: None, slots: int = 1) -> dict[str, Stored | None]:
        """The next slot, with what `act` did in it: the accounts that changed, the clock last."""
        before = self.held
        act()
        self.slot += slots
        self.now_s += slots * 2 // 5 or self.slot % 2
        changes: dict[str, Stored | None] = dict(written(self.site, self.held, before, self.slot, self.now_s))
        self.stored |= changes
        self._tell_time()
        return changes | {CLOCK: self.stored[CLOCK]}

    def _tell_time(self) -> None:
        self.stored[CLOCK] = accounts.clock(self.slot, self.now_s)


def taken(stored: Mapping[str, Stored | None], key: str) -> Account | None:
    """An account as it is read, in bytes of its own."""
    found = stored.get(key)
    return None if found is None else Account(found.owner, bytes(bytearray(found.data)))


def read(plan: PoolPlan, stored: Mapping[str, Stored | None], around: int = 5) -> Read:
    """What the venue asks for of a pool, all of one slot."""
    found: Read = {}
    while missing := [key for key in wanted(plan.address, found, around) if key not in found]:
        found |= {key: taken(stored, key) for key in missing}
    return found


def decoded(made: MadePool, around: int = 5) -> Reader:
    """The curve that the venue makes of a pool's accounts."""
    return state_of(made.plan, read(made.plan, made.stored, around))


def shipped(kind: PoolKind) -> list[PoolPlan]:
    """Of the pools that are followed by default."""
    return [plan for plan in SHIPPED if plan.kind is kind]
