"""What every pool's maths offers: quotes in the tokens' own smallest units, integers only.

A curve is one pool's state at one block and never changes: a swap gives a new one. Tokens are numbered as in the pool's
contract; `i` is the token that goes in, `j` the one that comes out. Nothing here knows decimals, symbols or prices in
money: `ladder.py` does.
"""

from collections.abc import Sequence
from typing import Protocol, Self

import msgspec

from connectors.errors import Beyond, QuoteError

__all__ = ["Beyond", "Curve", "Quote", "QuoteError"]


class Quote(msgspec.Struct, frozen=True):
    """One swap. `amount_in` is all that the pool takes, fee included; `amount_out` what it pays; `after` the pool then.

    An exact-in swap that exhausts the pool takes less than was offered: `amount_in` says so, as the contract does.
    """

    amount_in: int
    amount_out: int
    after: "Curve"
    ticks_crossed: int = 0


class Curve(Protocol):
    """One pool at one block."""

    def exact_in(self, i: int, j: int, amount: int) -> Quote:
        """The swap a contract would execute for `amount` > 0 of token i. Raises QuoteError."""

    def exact_out(self, i: int, j: int, amount: int) -> Quote:
        """The least of token i for `amount` > 0 of token j. Raises QuoteError."""

    def proceeds(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """`exact_in(i, j, a).amount_out` of each rising amount, each from this state; ends before the first that the
        pool cannot take in full. Never raises for size."""

    def costs(self, i: int, j: int, amounts: Sequence[int]) -> list[int]:
        """`exact_out(i, j, a).amount_in` of each rising amount, each from this state; ends before the first that the
        pool cannot pay. Never raises for size."""

    def price(self, i: int, j: int) -> tuple[int, int]:
        """The marginal price without fee: token j per token i in smallest units, as (numerator, denominator), both > 0.
        Raises QuoteError for an empty pool."""

    def without_fee(self) -> Self:
        """The same pool if it charged nothing."""
