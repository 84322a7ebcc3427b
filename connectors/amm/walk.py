"""The way of a swap through a concentrated pool: stretch by stretch, and what has gone in and come out by then.

The stretches that a swap passes whole do not depend on its amount, only on the pool and the direction. So they are
made once, each when first somebody gets that far, and kept with their running sums: a quote looks up how many it
passes and asks the one after them for its part. What a stretch is (liquidity between two prices, orders resting on
one, a fee of its own) only its protocol knows.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from connectors.amm.curve import QuoteError

U64_MAX: Final = (1 << 64) - 1  # every amount of a Solana token


class Part(NamedTuple):
    """What a swap does that ends within a leg.

    `other`: paid for an amount in, taken for one out. `price`: where it ends. `reached`: it ends in the leg's own end
    state (by rounding alone, say), so what happens there, happens.
    """

    other: int
    price: int
    reached: bool = False


class Leg(Protocol):
    """One stretch, in one direction. Amounts are those of the one who swaps: fees within.

    `taken`, `paid`: of the whole stretch. `needs_in`, `needs_out`: the least rest of an amount in, or out, that passes
    it whole; at least `taken`, `paid`.
    """

    @property
    def taken(self) -> int: ...
    @property
    def paid(self) -> int: ...
    @property
    def needs_in(self) -> int: ...
    @property
    def needs_out(self) -> int: ...

    def part(self, rest: int, exact_out: bool) -> Part:
        """For 0 < rest < needs: the swap takes, or pays, exactly `rest` here. Raises QuoteError."""


LegT = TypeVar("LegT", bound=Leg)


class Stop(NamedTuple, Generic[LegT]):
    """Where a swap ends: in the end state of `leg` when `part` is None, else within it, with `rest` left on entering.

    An exact-in swap that found the end of all prices takes less than was offered.
    """

    taken: int
    paid: int
    leg: LegT
    rest: int = 0
    part: Part | None = None


class Walk(Generic[LegT]):
    """The legs of one pool, one direction, for amounts in or (`exact_out`) for amounts out.

    `legs` ends where the prices end. It may raise QuoteError or Beyond: whoever needs a leg from there on gets that.
    """

    __slots__ = ("_ended", "_exact_out", "_fault", "_given", "_legs", "_needs", "_other", "_source")

    def __init__(self, legs: Iterator[LegT], *, exact_out: bool) -> None:
        self._source, self._exact_out = legs, exact_out
        self._legs: list[LegT] = []
        self._given, self._other = [0], [0]  # before leg 0, before leg 1, …
        self._needs: list[int] = []  # the least amount that passes legs 0 … k whole: it rises
        self._ended = False
        self._fault: QuoteError | None = None

    def stop(self, amount: int) -> Stop[LegT]:
        """The whole swap of `amount`. Raises QuoteError: an amount beyond 64 bits in or out, an amount out that cannot
        be paid in full, an amount in of which nothing can be taken; and what the legs raise."""
        passed, rest = self._find(amount)
        given, other = self._given[passed], self._other[passed]
        if rest and passed < len(self._legs):
            leg = self._legs[passed]
            part = leg.part(rest, self._exact_out)
            return self._stop(amount, _held(other + part.other), leg, rest, part)
        if not given:
            raise QuoteError("no liquidity on this side of the price: nothing can be swapped")
        if rest and self._exact_out:
            raise QuoteError(f"the pool pays {given} at most, not {amount}")
        return self._stop(given, _held(other), self._legs[passed - 1])

    def others(self, amounts: Sequence[int]) -> list[int]:
        """What is paid for each rising amount in, or taken for each out; ends before the first that cannot be swapped
        in full."""
        results: list[int] = []
        try:
            for amount in amounts:
                passed, rest = self._find(amount)
                other = self._other[passed]
                if rest:
                    if passed == len(self._legs):
                        break
                    other += self._legs[passed].part(rest, self._exact_out).other
                results.append(_held(other))
        except QuoteError:
            pass
        return results

    def _find(self, amount: int) -> tuple[int, int]:
        """How many legs the amount passes whole, and the rest of it then: 0 stops at once, whatever lies ahead."""
        if not 0 < amount <= U64_MAX:
            raise QuoteError(f"an amount of {amount} cannot be swapped")
        given, needs = self._given, self._needs
        while given[-1] < amount and (not needs or needs[-1] <= amount) and self._grow():
            pass
        passed = bisect_right(needs, amount)
        if given[passed] == amount:
            return bisect_left(given, amount), 0
        return passed, amount - given[passed]

    def _grow(self) -> bool:
        """Takes the next leg from the source; False at the end of all prices. A source that raised, raises again."""
        if self._fault:
            raise self._fault
        if self._ended:
            return False
        try:
            leg = next(self._source, None)
        except QuoteError as error:
            self._fault = error
            raise
        if leg is None:
            self._ended = True
            return False
        self._legs.append(leg)
        given, other, needs = leg.taken, leg.paid, leg.needs_in
        if self._exact_out:
            given, other, needs = other, given, leg.needs_out
        needs += self._given[-1]
        self._needs.append(max(needs, self._needs[-1]) if self._needs else needs)
        self._given.append(self._given[-1] + given)
        self._other.append(self._other[-1] + other)
        return True

    def _stop(self, given: int, other: int, leg: LegT, rest: int = 0, part: Part | None = None) -> Stop[LegT]:
        taken, paid = (other, given) if self._exact_out else (given, other)
        return Stop(taken, paid, leg, rest, part)


def _held(amount: int) -> int:
    if amount > U64_MAX:
        raise QuoteError(f"an amount of {amount} is more than a token account holds")
    return amount
