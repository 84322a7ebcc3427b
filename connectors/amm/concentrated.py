"""Concentrated liquidity: Uniswap V3 and its faithful forks, exact to the last unit.

Formulas: "Uniswap v3 Core" (Adams, Zinsmeister, Salem, Keefer, Robinson, 2021), §6; the order of a swap's steps follows
`Pool.swap` of @uniswap/v3-sdk (MIT). A quote is what QuoterV2 answers without a price limit: an exact-in swap that
exhausts the pool takes only part, an exact-out swap that cannot be paid in full is refused.
"""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError
from connectors.amm.swapstep import MILLION, X96
from connectors.amm.tickmath import MAX_SQRT, MIN_SQRT, tick_at
from connectors.amm.ticks import LIQUIDITY_END, Path, TickMap

AMOUNT_END: Final = 1 << 255  # a swap's amount is an int256
_Q192: Final = 1 << 192


class Concentrated(msgspec.Struct, frozen=True):
    """One pool's price, its liquidity in range and its ticks. Tokens are 0 and 1, in the contract's order."""

    sqrt_price_x96: int
    tick: int
    liquidity: int
    fee_ppm: int
    ticks: TickMap

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """What QuoterV2's quoteExactInputSingle answers. `ticks_crossed` is its initializedTicksCrossed.

        Raises QuoteError, as it reverts, when nothing at all can be taken.
        """
        quote = self.swap(_downwards(i, j), amount, exact_out=False)
        if not quote.amount_in:
            raise QuoteError("no liquidity on this side of the price: nothing can be swapped")
        return quote

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """What QuoterV2's quoteExactOutputSingle answers. Raises QuoteError, as it reverts, for more than is there."""
        quote = self.swap(_downwards(i, j), amount, exact_out=True)
        if quote.amount_out != amount:
            raise QuoteError(f"the pool pays {quote.amount_out} at most, not {amount}")
        return quote

    def swap(self, down: bool, amount: int, *, exact_out: bool) -> Quote:
        """The pool's own swap with the outermost price limit: it may take and pay only part of what was asked."""
        if not 0 < amount < AMOUNT_END:
            raise QuoteError(f"an amount of {amount} cannot be swapped")
        path = self._path(down)
        fee, start = self.fee_ppm, self.sqrt_price_x96
        taken, paid = X96.whole(start, path.prices[0], self.liquidity, fee, down)
        rest = amount - (paid if exact_out else taken)
        if rest >= 0:
            sums = path.paid if exact_out else path.taken
            at = path.reach(sums, rest)
            if at == len(sums) or sums[at] == rest:  # the end of all prices, or nothing left at a stop
                return self._stopped(path, min(at, len(sums) - 1), taken, paid)
            at -= 1
            rest -= sums[at]
            price, liquidity, tick = path.prices[at], path.liquidity[at], path.ticks[at]
            taken, paid = taken + path.taken[at], paid + path.paid[at]
        else:
            at, rest, taken, paid = -1, amount, 0, 0
            price, liquidity, tick = start, self.liquidity, self.tick
        if exact_out:
            after, cost = X96.taken_for(price, liquidity, rest, fee, down)
            taken, paid = taken + cost, amount
        else:
            after, proceeds = X96.paid_for(price, liquidity, rest, fee, down)
            taken, paid = amount, paid + proceeds
        if after == path.prices[at + 1]:  # by rounding alone, with liquidity above 2^96: the pool crosses all the same
            return self._quote(taken, paid, after, path.liquidity[at + 1], path.ticks[at + 1])
        return self._quote(taken, paid, after, liquidity, tick if after == price else tick_at(after))

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.proceeds`."""
        return self._each(i, j, amounts, is_out=False)

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.costs`."""
        return self._each(i, j, amounts, is_out=True)

    def _each(self, i: int, j: int, amounts: Sequence[int], *, is_out: bool) -> list[int]:
        """The other side of each amount, going in or coming out: whole steps are summed once, each amount pays for its
        last step only."""
        down, results = _downwards(i, j), []
        part = X96.taken_for if is_out else X96.paid_for
        try:
            path = self._path(down)
            fee, start, liquidity = self.fee_ppm, self.sqrt_price_x96, self.liquidity
            first, other = X96.whole(start, path.prices[0], liquidity, fee, down)
            sums, others = path.taken, path.paid
            if is_out:
                first, other, sums, others = other, first, others, sums
            for amount in amounts:
                rest = amount - first
                if rest < 0:
                    results.append(part(start, liquidity, amount, fee, down)[1])
                    continue
                at = path.reach(sums, rest)
                if at == len(sums) or amount >= AMOUNT_END:
                    break
                total = other + others[at]
                if sums[at] != rest:
                    at -= 1
                    step = part(path.prices[at], path.liquidity[at], rest - sums[at], fee, down)
                    total = other + others[at] + step[1]
                results.append(total)
        except QuoteError:
            pass
        return results

    def price(self, i: int, j: int) -> tuple[int, int]:
        """The square root price, squared."""
        down = _downwards(i, j)
        if not self.sqrt_price_x96 or not (self.liquidity or len(self.ticks)):
            raise QuoteError("the pool is empty")
        square = self.sqrt_price_x96**2
        return (square, _Q192) if down else (_Q192, square)

    def without_fee(self) -> Self:
        """The same ticks with a fee of 0."""
        return msgspec.structs.replace(self, fee_ppm=0)

    def swapped(self, sqrt_price_x96: int, liquidity: int, tick: int) -> Self:
        """The state after a Swap log, which carries all that a swap changes here."""
        return type(self)(sqrt_price_x96, tick, liquidity, self.fee_ppm, self.ticks)

    def minted(self, lower: int, upper: int, amount: int) -> Self:
        """The state after a Mint log of `amount` liquidity."""
        return self._positioned(lower, upper, amount)

    def burned(self, lower: int, upper: int, amount: int) -> Self:
        """The state after a Burn log; one of 0 changes nothing. Raises QuoteError for more than is there."""
        return self._positioned(lower, upper, -amount)

    def _positioned(self, lower: int, upper: int, delta: int) -> Self:
        liquidity = self.liquidity + (delta if lower <= self.tick < upper else 0)
        if not 0 <= liquidity < LIQUIDITY_END:
            raise QuoteError(f"liquidity {self.liquidity} cannot change by {delta}")
        ticks = self.ticks.with_position(lower, upper, delta)
        return type(self)(self.sqrt_price_x96, self.tick, liquidity, self.fee_ppm, ticks)

    def _path(self, down: bool) -> Path:
        price = self.sqrt_price_x96
        if not MIN_SQRT < price < MAX_SQRT or price == (MIN_SQRT + 1 if down else MAX_SQRT - 1):
            raise QuoteError("the price is at its end" if price else "the pool has no price yet")
        if not 0 <= self.fee_ppm < MILLION:
            raise QuoteError(f"a fee of {self.fee_ppm} ppm cannot be charged")
        return self.ticks.path(self.tick, self.liquidity, self.fee_ppm, down)

    def _stopped(self, path: Path, at: int, taken: int, paid: int) -> Quote:
        return self._quote(
            taken + path.taken[at], paid + path.paid[at], path.prices[at], path.liquidity[at], path.ticks[at]
        )

    def _quote(self, taken: int, paid: int, price: int, liquidity: int, tick: int) -> Quote:
        return Quote(taken, paid, self.swapped(price, liquidity, tick), self.ticks.between(self.tick, tick))


def _downwards(i: int, j: int) -> bool:
    if (i, j) not in ((0, 1), (1, 0)):
        raise QuoteError(f"a pool of tokens 0 and 1 has no {i} for {j}")
    return i == 0
