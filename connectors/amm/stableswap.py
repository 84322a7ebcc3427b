"""Curve's StableSwap, old pools and NG: what `exchange` pays, and what the contract's own view answers.

Formulas: "StableSwap – efficient mechanism for Stablecoin liquidity" (M. Egorov, 2019): with S = Σx, P = Πx, n coins
and Ann = A·n (the contracts' A is the paper's times n^(n−1)), the invariant is Ann·S + D = Ann·D + D^(n+1) / (n^n·P).
D, or one x, is found by Newton's method in integers, always from the same start, so that it ends where theirs does.
Where the contracts round: their documentation (docs.curve.finance) and curvesim (MIT), which the tests compare with.

Three things differ by kind. D_P = D^(n+1) / (n^n·P) is divided by x·n coin after coin in old pools, and by n^n at the
end in NG. The old view turns the amount into the coin's own unit before it takes the fee, `exchange` after; NG's view
does as `exchange` does, but with A cut to a whole number. NG's fee grows as the pool leaves its peg.
"""

from collections.abc import Sequence
from typing import Final, Self

import msgspec

from connectors.amm.curve import Quote, QuoteError

ONE: Final = 10**18
FEE_ONE: Final = 10**10
A_PRECISION: Final = 100
_ROUNDS: Final = 255
_UINT_END: Final = 1 << 256
_GUESSES: Final = 4


class StableSwap(msgspec.Struct, frozen=True, dict=True):
    """A pool's balances (without what is set aside for the admin), its coins' rates and its parameters.

    `rates`: 1e18-scaled, 10^(36 − decimals) for a plain coin. `amp`: A_precise, A·100. `fee`, `offpeg_fee_multiplier`
    and `admin_fee` (the admin's part of the fee) are of 1e10. After a swap the balances are what `balances(i)` says:
    the admin's part is gone from them, all other fees stay.
    """

    balances: tuple[int, ...]
    rates: tuple[int, ...]
    amp: int
    fee: int
    offpeg_fee_multiplier: int = 0
    is_ng: bool = False
    admin_fee: int = 0

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """What `exchange` pays. Raises QuoteError where it would revert."""
        scaled = self._scaled(i, j)
        paid, fee = self._exchange(scaled, i, j, amount)
        return self._quote(i, j, amount, paid, fee)

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """The least of coin i for which `exchange` pays `amount` or more; `amount_out` is what it really pays.

        NG's fee is a whole number of 1e-10 of the amount: where it rises by one, the payout falls by as much before it
        goes on rising. Close above such a place there may be a lesser amount in, below it, by 1e-10.
        """
        scaled = self._scaled(i, j)
        taken = self._least(scaled, i, j, amount)
        paid, fee = self._exchange(scaled, i, j, taken)
        return self._quote(i, j, taken, paid, fee)

    def view(self, i: int, j: int, amount: int) -> int:
        """What the contract's `get_dy` answers. Raises QuoteError where it would revert."""
        if self.is_ng:
            whole = msgspec.structs.replace(self, amp=self.amp // A_PRECISION * A_PRECISION)
            return whole.exact_in(i, j, amount).amount_out
        scaled = self._scaled(i, j)
        gross = self._gross(scaled, i, j, self._added(scaled, i, amount))[0] * ONE // self.rates[j]
        return gross - self.fee * gross // FEE_ONE

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.proceeds`."""
        results: list[int] = []
        try:
            scaled = self._scaled(i, j)
            for amount in amounts:
                results.append(self._exchange(scaled, i, j, amount)[0])  # noqa: PERF401 - what came before an error counts
        except QuoteError:
            pass
        return results

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """As `Curve.costs`."""
        results: list[int] = []
        try:
            scaled = self._scaled(i, j)
            for amount in amounts:
                results.append(self._least(scaled, i, j, amount))  # noqa: PERF401 - what came before an error counts
        except QuoteError:
            pass
        return results

    def price(self, i: int, j: int) -> tuple[int, int]:
        """−dx_j / dx_i along the invariant: (Ann + K / x_i) / (Ann + K / x_j) with K = D^(n+1) / (n^n·P)."""
        scaled = self._scaled(i, j)
        n, x, y = len(scaled), scaled[i], scaled[j]
        weight = self.amp * n ** (n + 1)
        for balance in scaled:
            weight *= balance
        curved = A_PRECISION * self._invariant(scaled) ** (n + 1)
        return y * (weight * x + curved) * self.rates[i], x * (weight * y + curved) * self.rates[j]

    def without_fee(self) -> Self:
        """The same balances with a fee of 0."""
        return msgspec.structs.replace(self, fee=0, offpeg_fee_multiplier=0)

    def invariant(self) -> int:
        """D, the contract's `get_D` of these balances. Raises QuoteError."""
        return self._invariant(self._scaled(0, 1))

    def _scaled(self, i: int, j: int) -> list[int]:
        """The balances in units of 1e18, which the invariant is about."""
        n = len(self.balances)
        if i == j or not (0 <= i < n and 0 <= j < n):
            raise QuoteError(f"a pool of {n} coins has no {i} for {j}")
        scaled = [balance * rate // ONE for balance, rate in zip(self.balances, self.rates, strict=True)]
        if min(scaled) <= 0:
            raise QuoteError("the pool is empty")
        if self.amp * n <= A_PRECISION or not 0 <= self.fee < FEE_ONE:
            raise QuoteError(f"an A of {self.amp} or a fee of {self.fee} cannot be")
        return scaled

    def _invariant(self, scaled: Sequence[int]) -> int:
        """Newton's D, once for each state: it is kept."""
        known: int | None = self.__dict__.get("_d")
        if known is not None:
            return known
        n, total, ann = len(scaled), sum(scaled), self.amp * len(scaled)
        linear, over = ann * total // A_PRECISION, ann - A_PRECISION
        d = total
        for _ in range(_ROUNDS):
            d_p, before = d, d
            for balance in scaled:
                d_p = d_p * d // (balance if self.is_ng else balance * n)
            if self.is_ng:
                d_p //= n**n
            d = (linear + d_p * n) * d // (over * d // A_PRECISION + (n + 1) * d_p)
            if abs(d - before) <= 1:
                self.__dict__["_d"] = d
                return d
        raise QuoteError("the invariant does not converge")

    def _solve(self, scaled: Sequence[int], i: int, j: int, x: int) -> int:
        """The balance of coin j once coin i's is x."""
        n, ann, d = len(scaled), self.amp * len(scaled), self._invariant(scaled)
        c, total = d, 0
        for k, balance in enumerate(scaled):
            if k != j:
                held = x if k == i else balance
                total += held
                c = c * d // (held * n)
        c = c * d * A_PRECISION // (ann * n)
        b = total + d * A_PRECISION // ann
        y = d
        for _ in range(_ROUNDS):
            before = y
            y = (y * y + c) // (2 * y + b - d)
            if abs(y - before) <= 1:
                return y
        raise QuoteError("the balance does not converge")

    def _added(self, scaled: Sequence[int], i: int, amount: int) -> int:
        if amount <= 0 or amount * self.rates[i] >= _UINT_END:
            raise QuoteError(f"an amount of {amount} cannot be exchanged")
        return scaled[i] + amount * self.rates[i] // ONE

    def _gross(self, scaled: Sequence[int], i: int, j: int, x: int) -> tuple[int, int]:
        """What comes out before the fee, one unit kept back against rounding, and coin j's new balance."""
        y = self._solve(scaled, i, j, x)
        gross = scaled[j] - y - 1
        if gross < 0:
            raise QuoteError("the amount is too small to be exchanged")
        return gross, y

    def _exchange(self, scaled: Sequence[int], i: int, j: int, amount: int) -> tuple[int, int]:
        """(paid in coin j's own unit, fee in units of 1e18)."""
        x = self._added(scaled, i, amount)
        gross, y = self._gross(scaled, i, j, x)
        fee = gross * self._rate((scaled[i] + x) // 2, (scaled[j] + y) // 2) // FEE_ONE
        return (gross - fee) * ONE // self.rates[j], fee

    def _rate(self, x: int, y: int) -> int:
        """NG's fee at two balances, each the average of before and after: `fee` at the peg, a multiple far from it.

        A multiplier that the contract would not accept may make it all that there is: `exchange` would revert.
        """
        factor = self.offpeg_fee_multiplier
        if factor <= FEE_ONE:
            return self.fee
        rate = factor * self.fee // ((factor - FEE_ONE) * 4 * x * y // (x + y) ** 2 + FEE_ONE)
        if rate >= FEE_ONE:
            raise QuoteError(f"a fee of {rate} leaves nothing")
        return rate

    def _least(self, scaled: Sequence[int], i: int, j: int, amount: int) -> int:
        """An amount in that pays `amount`, while one unit less does not: a guess from the invariant, then a search."""
        guess = self._guess(scaled, i, j, amount)

        def enough(taken: int) -> bool:
            try:
                return self._exchange(scaled, i, j, taken)[0] >= amount
            except QuoteError:
                return False

        low, high, step = 0, guess, 1
        while not enough(high):
            low, high, step = high, high + step, step * 2
            if high * self.rates[i] >= _UINT_END:
                raise QuoteError(f"the pool cannot pay {amount}")
        step = 1
        while high - low > 1:
            probe = max(low + 1, high - step) if not low else (low + high) // 2
            if enough(probe):
                high, step = probe, step * 2
            else:
                low = probe
        return high

    def _guess(self, scaled: Sequence[int], i: int, j: int, amount: int) -> int:
        """About what `amount` out takes; the fee depends on the balances after, so it is guessed again."""
        net = -(-amount * self.rates[j] // ONE)
        if amount <= 0 or net >= scaled[j]:
            raise QuoteError(f"a pool that holds {self.balances[j]} cannot pay {amount}")
        rate, x = self._rate(scaled[i], scaled[j]), scaled[i]
        for _ in range(_GUESSES if self.offpeg_fee_multiplier > FEE_ONE else 1):
            gross = (net - 1) * FEE_ONE // (FEE_ONE - rate) + 1  # the least that leaves `net`
            y = max(1, scaled[j] - 1 - gross)
            x = self._solve(scaled, j, i, y)
            rate = self._rate((scaled[i] + x) // 2, (scaled[j] + y) // 2)
        return max(1, -((scaled[i] - x) * ONE // self.rates[i]))

    def _quote(self, i: int, j: int, taken: int, paid: int, fee: int) -> Quote:
        admin = (fee * self.admin_fee // FEE_ONE) * ONE // self.rates[j]
        balances = list(self.balances)
        balances[i] += taken
        balances[j] -= paid + admin
        return Quote(taken, paid, msgspec.structs.replace(self, balances=tuple(balances)))
