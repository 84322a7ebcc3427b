"""Legs made up from seeds, walked one after the other: what `Walk` has to answer whatever a protocol's legs are."""

from collections.abc import Iterator, Sequence
from functools import partial
from random import Random
from typing import Any, NamedTuple

from connectors.amm.curve import Beyond, QuoteError
from connectors.amm.walk import Part
from tests.support.clmm_orca import Check, Maths

U64 = 2**64
ANSWERS = (None, QuoteError("the arrays end"), Beyond("not read"))


class Made(NamedTuple):
    """A leg that gives `taken`, `paid` as a whole and a unit for every other unit before."""

    place: int
    taken: int
    paid: int
    needs_in: int
    needs_out: int

    def part(self, rest: int, exact_out: bool) -> Part:
        return Part(rest // 2 if not exact_out else rest * 2, self.place)


class Way(NamedTuple):
    """Legs, and what comes after the last: the end of all prices (None), or an error."""

    legs: tuple[Made, ...]
    end: QuoteError | None

    def iterate(self) -> Iterator[Made]:
        yield from self.legs
        if self.end:
            raise self.end

    def slow(self, amount: int, exact_out: bool) -> tuple[object, ...]:
        """(taken, paid, leg, rest, part) or ("refused", type of error)."""
        if not 0 < amount < U64:
            return "refused", QuoteError
        rest, other, last = amount, 0, -1
        for leg in self.legs:
            if not rest:
                break
            given, got, needs = (
                (leg.paid, leg.taken, leg.needs_out) if exact_out else (leg.taken, leg.paid, leg.needs_in)
            )
            if rest < needs:
                part = leg.part(rest, exact_out)
                return _done(amount, other + part.other, exact_out, leg.place, rest, part)
            rest, other, last = rest - given, other + got, leg.place
        if rest and self.end:
            return "refused", type(self.end)
        if rest and (exact_out or rest == amount):
            return "refused", QuoteError
        return _done(amount - rest, other, exact_out, last, 0, None)

    def slow_ladder(self, amounts: Sequence[int], exact_out: bool) -> list[object]:
        results: list[object] = []
        for amount in amounts:
            answer = self.slow(amount, exact_out)
            if answer[0] == "refused" or answer[1 if exact_out else 0] != amount:
                break
            results.append(answer[0 if exact_out else 1])
        return results


def way(seed: int) -> Way:
    """Legs that pass nothing, take without paying, pay without taking, need more than they take; a few enormous."""
    rng = Random(seed)
    legs = []
    for place in range(rng.randrange(9)):
        size = rng.choice((1, 5, 100, 100, 2**62))
        taken, paid = rng.choice((0, rng.randrange(size))), rng.choice((0, rng.randrange(size)))
        needs = [amount + rng.choice((0, 0, 0, 1, rng.randrange(size))) for amount in (taken, paid)]
        legs.append(Made(place, taken, paid, *needs))
    return Way(tuple(legs), rng.choice(ANSWERS))


def amounts(of: Way, seed: int) -> list[int]:
    rng = Random(seed)
    sums = [0]
    for leg in of.legs:
        sums += [sums[-1] + change for change in (leg.taken, leg.paid, leg.needs_in, leg.needs_out)]
    found = [rng.choice(sums) + rng.choice((-1, 0, 0, 1, 7)) for _ in range(12)]
    return [*found, 0, 1, U64 - 1, U64]


def ask(walk: Any, amount: int) -> tuple[object, ...]:
    try:
        stop = walk.stop(amount)
    except QuoteError as error:
        return "refused", type(error)
    return stop.taken, stop.paid, stop.leg.place, stop.rest, stop.part


def checks(seeds: range) -> Iterator[Check]:
    """One walk, asked again and again in any order, then for a ladder; and a fresh one for the ladder."""
    for seed in seeds:
        of = way(seed)
        for exact_out in (False, True):
            asked = amounts(of, seed)
            rising = sorted(amount for amount in asked if amount > 0)
            ladder = of.slow_ladder(rising, exact_out)
            known = [of.slow(amount, exact_out) for amount in asked], ladder, ladder
            name = f"way {seed}, {'out' if exact_out else 'in'}"
            yield Check(name, partial(_answers, of, exact_out, asked, rising), known)


def _answers(of: Way, exact_out: bool, asked: list[int], rising: list[int], maths: Maths) -> object:
    walk, fresh = (maths.walk(of.iterate(), exact_out=exact_out) for _ in range(2))
    return [ask(walk, amount) for amount in asked], walk.others(rising), fresh.others(rising)


def _done(given: int, other: int, exact_out: bool, place: int, rest: int, part: Part | None) -> tuple[object, ...]:
    if other >= U64:
        return "refused", QuoteError
    taken, paid = (other, given) if exact_out else (given, other)
    return taken, paid, place, rest, part
