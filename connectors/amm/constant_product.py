"""Constant product: Uniswap V2 and its forks, rounded as their routers and pairs do.

Formula: "Uniswap v2 Core" (Adams, Zinsmeister, Robinson, 2020), §3.2.1: (x + Δx·(1 − fee))·(y − Δy) ≥ x·y. A fork's
fee may be any; in millionths, 997 / 1000 and 9975 / 10000 give the same quotients as in the contracts.
"""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError

MILLION: Final = 1_000_000
RESERVE_MAX: Final = (1 << 112) - 1  # a pair refuses a balance beyond it


class ConstantProduct(msgspec.Struct, frozen=True):
    """A pair's reserves and its fee, which stays in the pool."""

    reserves: tuple[int, int]
    fee_ppm: int

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """Router02's getAmountsOut, refused where the pair would. An amount too small to buy one unit buys 0."""
        paid = self._paid(*self._sides(i, j), amount)
        return self._quote(i, amount, paid)

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """Router02's getAmountsIn: the quotient plus 1, also when it leaves no remainder."""
        taken = self._taken(*self._sides(i, j), amount)
        return self._quote(i, taken, amount)

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.proceeds`."""
        results: list[int] = []
        try:
            there, here = self._sides(i, j)
            for amount in amounts:
                results.append(self._paid(there, here, amount))  # noqa: PERF401 - what came before an error counts
        except QuoteError:
            pass
        return results

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.costs`."""
        results: list[int] = []
        try:
            there, here = self._sides(i, j)
            for amount in amounts:
                results.append(self._taken(there, here, amount))  # noqa: PERF401 - what came before an error counts
        except QuoteError:
            pass
        return results

    def price(self, i: int, j: int) -> tuple[int, int]:
        """The reserves' ratio."""
        there, here = self._sides(i, j)
        return here, there

    def without_fee(self) -> Self:
        """The same reserves with a fee of 0."""
        return type(self)(self.reserves, 0)

    def _sides(self, i: int, j: int) -> tuple[int, int]:
        """The reserves of the token that goes in and of the one that comes out."""
        if (i, j) not in ((0, 1), (1, 0)):
            raise QuoteError(f"a pool of tokens 0 and 1 has no {i} for {j}")
        if min(self.reserves) <= 0:
            raise QuoteError("the pool is empty")
        if not 0 <= self.fee_ppm < MILLION:
            raise QuoteError(f"a fee of {self.fee_ppm} ppm cannot be charged")
        return self.reserves[i], self.reserves[j]

    def _paid(self, there: int, here: int, amount: int) -> int:
        if not 0 < amount <= RESERVE_MAX - there:
            raise QuoteError(f"a pair that holds {there} cannot take {amount}")
        net = amount * (MILLION - self.fee_ppm)
        return net * here // (there * MILLION + net)

    def _taken(self, there: int, here: int, amount: int) -> int:
        if not 0 < amount < here:
            raise QuoteError(f"a pair that holds {here} cannot pay {amount}")
        taken = there * amount * MILLION // ((here - amount) * (MILLION - self.fee_ppm)) + 1
        if taken > RESERVE_MAX - there:
            raise QuoteError(f"a pair that holds {there} cannot take {taken}")
        return taken

    def _quote(self, i: int, taken: int, paid: int) -> Quote:
        first, second = self.reserves
        reserves = (first + taken, second - paid) if i == 0 else (first - paid, second + taken)
        return Quote(taken, paid, type(self)(reserves, self.fee_ppm))
