"""Raydium's concentrated pools (CLMM), exact to the last unit: the classic rules and those of 2026.

Source of the classic rules: crate solana-clmm-raydium 0.2.0 (MIT or Apache-2.0). Of those of 2026 (`raydium_fee.py`,
`raydium_orders.py`, `raydium_legs.py`): Raydium's program (github.com/raydium-io/raydium-clmm, Apache-2.0). Amounts are
what the pool's vaults take and pay; a mint's own transfer fee would come on top. How many tick arrays one transaction
can name is the sender's matter: here a swap goes as far as the ticks that are known.

What the program refuses without a price limit is refused: an amount that cannot be swapped in full, a swap that takes
or pays nothing, an amount beyond 64 bits.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.raydium_fee import MAX_FEE_PPM, Volatility
from connectors.amm.raydium_legs import HIGHEST, LOWEST, Course, Match, State, Stretch
from connectors.amm.swapstep import MILLION
from connectors.amm.tickmath64 import MAX_TICK, MIN_TICK, RAYDIUM
from connectors.amm.ticks64 import LIQUIDITY_END, Ticks
from connectors.amm.walk import U64_MAX, Walk

FEE_ON_INPUT: Final = 0
FEE_ON_TOKEN0: Final = 1
FEE_ON_TOKEN1: Final = 2
_Q128: Final = 1 << 128
_WALKS_KEPT: Final = 64


class Raydium(msgspec.Struct, frozen=True):
    """One pool's price, its liquidity in range and its ticks, with the orders that rest on them.

    `fee_ppm`: the trade fee of its AmmConfig. `fee_on`: which token pays it (FEE_ON_…). `volatility`: None where the
    pool charges no fee for it. `now_s`: the clock (unix_timestamp) of the slot that the state is of; a volatile fee is
    what a swap at that second would pay. A later second's is another: less once the volatility decays, but more where
    the filter ends while the price is on its way back to the group of reference, which is then the present one.
    """

    sqrt_price_x64: int
    tick: int
    liquidity: int
    fee_ppm: int
    ticks: Ticks
    fee_on: int = FEE_ON_INPUT
    volatility: Volatility | None = None
    now_s: int = 0

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_in`, all of `amount`. Raises QuoteError; Beyond."""
        quote = self._swap(i, j, amount, exact_out=False)
        if quote.amount_in != amount:
            raise QuoteError(f"the pool takes {quote.amount_in} at most, not {amount}")
        return quote

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """As `Curve.exact_out`. Raises QuoteError; Beyond."""
        if amount > self._payable(_downwards(i, j)):
            raise QuoteError(f"an amount of {amount}, and its fee, is more than a token account holds")
        return self._swap(i, j, amount, exact_out=True)

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.proceeds`; 0 where an amount is too small for the pool to pay anything, which it then refuses."""
        return self._others(i, j, amounts, exact_out=False)

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.costs`."""
        most = self._payable(_downwards(i, j))
        return self._others(i, j, amounts[: bisect_right(amounts, most)], exact_out=True)

    def price(self, i: int, j: int) -> tuple[int, int]:
        """The square root price, squared."""
        down = _downwards(i, j)
        if not self.sqrt_price_x64 or not (self.liquidity or len(self.ticks)):
            raise QuoteError("the pool is empty")
        square = self.sqrt_price_x64**2
        return (square, _Q128) if down else (_Q128, square)

    @property
    def charged_ppm(self) -> int:
        """The fee of a swap that begins now, volatility in it. Raises QuoteError, as a swap would."""
        if self.volatility is None:
            return self.fee_ppm
        group = self.tick // self.ticks.spacing
        return self.volatility.begun(group, self.now_s).moved(group).fee_ppm(self.fee_ppm, self.ticks.spacing)

    def without_fee(self) -> Self:
        """The same ticks and orders with a fee of 0."""
        return msgspec.structs.replace(self, fee_ppm=0, volatility=None)

    def _payable(self, down: bool) -> int:
        """The most that can come out, whatever is there: a fee that comes off it must fit into 64 bits, too."""
        fee_ppm = 0 if _is_on_input(self.fee_on, down) else MAX_FEE_PPM if self.volatility else self.fee_ppm
        return U64_MAX * (MILLION - fee_ppm) // MILLION

    def _others(self, i: int, j: int, amounts: Sequence[int], *, exact_out: bool) -> list[int]:
        try:
            return self._walk(i, j, exact_out=exact_out).others(amounts)
        except QuoteError:
            return []

    def _swap(self, i: int, j: int, amount: int, *, exact_out: bool) -> Quote:
        taken, paid, leg, rest, part = self._walk(i, j, exact_out=exact_out).stop(amount)
        if not taken or not paid:
            raise QuoteError(f"{amount} is too small a swap: the pool would take {taken} and pay {paid}")
        state = leg.end if part is None or part.reached else leg.stopped(part, rest, exact_out)
        ticks = self.ticks.replaced(dict(state.changed)) if state.changed else self.ticks
        after = msgspec.structs.replace(
            self,
            sqrt_price_x64=state.price,
            tick=state.tick,
            liquidity=state.liquidity,
            ticks=ticks,
            volatility=state.volatility,
        )
        return Quote(taken, paid, after, self.ticks.crossed(self.tick, state.tick))

    def _walk(self, i: int, j: int, *, exact_out: bool) -> Walk[Stretch | Match]:
        return _walk_of(self, _downwards(i, j), exact_out)


@lru_cache(maxsize=_WALKS_KEPT)
def _walk_of(pool: Raydium, down: bool, exact_out: bool) -> Walk[Stretch | Match]:
    """Kept, with the legs that were needed so far: a pool is asked often before it changes. Raises QuoteError."""
    price, tick, spacing = pool.sqrt_price_x64, pool.tick, pool.ticks.spacing
    if not 0 <= pool.fee_ppm < MILLION:
        raise QuoteError(f"a fee of {pool.fee_ppm} ppm cannot be charged")
    if pool.fee_on not in (FEE_ON_INPUT, FEE_ON_TOKEN0, FEE_ON_TOKEN1):
        raise QuoteError(f"nothing is known of a fee on {pool.fee_on}")
    if not 0 <= pool.liquidity < LIQUIDITY_END:
        raise QuoteError(f"a liquidity of {pool.liquidity} is not a 128-bit number")
    if not _belongs(price, tick):
        raise QuoteError(f"tick {tick} does not belong to the square root price {price}")
    if price <= LOWEST if down else price >= HIGHEST:
        raise QuoteError("the price is at its end")
    volatility = pool.volatility.begun(tick // spacing, pool.now_s) if pool.volatility else None
    state = State(price, tick, pool.liquidity, volatility, ())
    course = Course(pool.ticks, state, pool.fee_ppm, down, _is_on_input(pool.fee_on, down))
    return Walk(course.legs(), exact_out=exact_out)


def _is_on_input(fee_on: int, down: bool) -> bool:
    return fee_on == FEE_ON_INPUT or (fee_on == FEE_ON_TOKEN0) == down


def _belongs(price: int, tick: int) -> bool:
    """A tick that was crossed downwards leaves the pool one tick lower, with its price still on it; so does one with
    orders left that the price came up to."""
    if not RAYDIUM.min_sqrt <= price < RAYDIUM.max_sqrt or not MIN_TICK <= tick < MAX_TICK:
        return False
    return RAYDIUM.sqrt_at(tick) <= price <= RAYDIUM.sqrt_at(tick + 1)


def _downwards(i: int, j: int) -> bool:
    if (i, j) not in ((0, 1), (1, 0)):
        raise QuoteError(f"a pool of tokens 0 and 1 has no {i} for {j}")
    return i == 0
