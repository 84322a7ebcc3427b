"""P cards: pools on chains. They run on swaps that the chain executed, which the author gives, and a tape of a fork."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.curve import Curve, QuoteError
from connectors.session import Venue
from runtime.conformance.base import Kit
from runtime.conformance.cards import card, hold, skip, steady
from runtime.conformance.feed import state_of
from runtime.conformance.swaps import FILE, lines_in
from runtime.conformance.tapes import ENDING

FORKED: Final = f"reorg{ENDING}"
STRAIGHT: Final = f"straight{ENDING}"


class Swap(msgspec.Struct, frozen=True):
    """One swap that a chain executed, in the tokens' smallest units. `curve`: the pool before it, made by the venue's
    own code from the recorded state; `reserve`: what it held of the token that came out."""

    name: str
    curve: Curve
    i: int
    j: int
    amount_in: int
    amount_out: int
    reserve: int


class PoolCards(Kit):
    """Quotes against what chains did. An author of a chain writes swaps.jsonl, or overrides `swaps`."""

    def swaps(self) -> Sequence[Swap]:
        """Recorded swaps, several of each kind of pool: those of swaps.jsonl beside the tapes."""
        return [
            Swap(line.name, curve, line.i, line.j, line.amount_in, line.amount_out, line.reserve)
            for line in lines_in(self.folder())
            if (curve := line.curve()) is not None
        ]

    def _swaps(self, venue: Venue) -> Sequence[Swap]:
        if not venue.capabilities.onchain:
            skip("capability onchain: its markets are no pools")
        found = self.swaps()
        hold(found, f"no recorded swaps: write {FILE} into {self.folder()}, or override `swaps` in the test's class")
        return found

    @card("P10", "session.py", 3)
    def test_p10_quotes_are_exact(self, venue: Venue) -> None:
        """A quote is the amount that the chain paid, to the last unit."""
        for swap in self._swaps(venue):
            found = swap.curve.exact_in(swap.i, swap.j, swap.amount_in).amount_out
            hold(found == swap.amount_out, f"{swap.name}: the chain paid {swap.amount_out}, quoted is {found}")

    @card("P20", "session.py", 3)
    def test_p20_more_in_gives_no_less(self, venue: Venue) -> None:
        """More in never gives less out, and a ladder of amounts says the same as each amount alone."""
        for swap in self._swaps(venue):

            @steady
            @given(st.lists(st.integers(1, 4 * swap.amount_in + 1), min_size=2, max_size=8, unique=True).map(sorted))
            def rise(amounts: list[int]) -> None:
                paid = swap.curve.proceeds(swap.i, swap.j, amounts)  # noqa: B023 - called within its turn of the loop
                hold(paid == sorted(paid), f"{swap.name}: {amounts} in gives {paid} out")  # noqa: B023
                for amount, out in zip(amounts, paid, strict=False):
                    one = swap.curve.exact_in(swap.i, swap.j, amount).amount_out  # noqa: B023
                    hold(one == out, f"{swap.name}: {amount} alone gives {one}, in a ladder {out}")  # noqa: B023

            rise()

    @card("P30", "session.py", 3)
    def test_p30_never_more_than_there_is(self, venue: Venue) -> None:
        """However much goes in, never does more come out than the pool holds; more than it can pay is refused."""
        for swap in self._swaps(venue):
            for exponent in range(40):
                amount = swap.amount_in * 2**exponent
                try:
                    paid = swap.curve.exact_in(swap.i, swap.j, amount).amount_out
                except QuoteError:
                    break
                hold(paid <= swap.reserve, f"{swap.name}: {amount} in gives {paid} of {swap.reserve}")
            try:
                swap.curve.exact_out(swap.i, swap.j, swap.reserve + 1)
            except QuoteError:
                continue
            raise AssertionError(f"{swap.name}: it is ready to pay {swap.reserve + 1} of {swap.reserve}")

    @card("P40", "session.py", 3)
    def test_p40_a_removed_block_is_undone(self, venue: Venue) -> None:
        """Blocks that a reorganisation removed leave nothing behind: a tape with a fork (reorg) ends on the books of
        one without (straight)."""
        if not venue.capabilities.onchain:
            skip("capability onchain: it has no blocks")
        tapes = {tape.path.name: tape for tape in self.tapes_of(venue)}
        hold(
            {FORKED, STRAIGHT} <= tapes.keys(), f"record {FORKED} and {STRAIGHT} of the same chain into {self.folder()}"
        )
        forked, straight = self.truth(venue, tapes[FORKED]), self.truth(venue, tapes[STRAIGHT])
        hold(
            len(forked.feed.losses) > len(straight.feed.losses),
            f"{FORKED}: no book was ever given up: it holds no fork",
        )
        for index, book in straight.feed.books.items():
            ended = forked.feed.books[index]
            told = f"{forked.tape.names[index]}: after the fork another book than without it"
            hold(ended.valid and state_of(ended) == state_of(book), told)
