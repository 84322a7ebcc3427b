"""Raydium's volatility fee (2026): what a swap pays on top of the pool's rate, the more the price has moved of late.

Prices are grouped by the pool's tick spacing: group g is the ticks from g · spacing on. An accumulator counts how many
groups the price has gone from a group of reference, ×10,000, and the fee grows with its square; so a swap stops at
every group's edge and pays more in the next, up to the accumulator's maximum.

Source of the rules: `DynamicFeeInfo` and `SwapState` of Raydium's program (github.com/raydium-io/raydium-clmm,
Apache-2.0, as of autumn 2026); Raydium's own SDK 0.2.73 answers the same (tests/solana).
"""

from typing import Final, Self

import msgspec

from connectors.amm.curve import QuoteError

GROUP: Final = 10_000  # one group, in the accumulator; also what `reduction` is a share of
MAX_FEE_PPM: Final = 100_000  # of the whole fee, with this one in it
_CONTROL: Final = 100_000
_WORD: Final = 1 << 32


class Volatility(msgspec.Struct, frozen=True):
    """The fields of a pool's `dynamic_fee_info`, in its order; a pool where all 80 bytes are 0 has no such fee.

    `filter_s`, `decay_s`: seconds since `updated_s` until which the references stay, and until which the accumulator
    still counts for the next; `reduction` /10,000 of it then. `control` /100,000 scales the fee. `maximum`: of the
    accumulator. `index`: the group of reference. `reference`: where the accumulator starts from there.
    """

    filter_s: int
    decay_s: int
    reduction: int
    control: int
    maximum: int
    index: int = 0
    reference: int = 0
    accumulator: int = 0
    updated_s: int = 0

    def begun(self, group: int, now_s: int) -> Self:
        """As a swap that begins in this group at this time (seconds, the chain's clock) finds it.

        A clock that is behind `updated_s` counts as no time.
        """
        passed = max(now_s - self.updated_s, 0)
        if passed < self.filter_s:
            return self
        kept = self.accumulator * self.reduction // GROUP if passed < self.decay_s else 0
        return msgspec.structs.replace(self, index=group, reference=kept, updated_s=now_s)

    def moved(self, group: int) -> Self:
        """With the price in this group."""
        accumulator = min(self.reference + abs(self.index - group) * GROUP, self.maximum)
        return self if accumulator == self.accumulator else msgspec.structs.replace(self, accumulator=accumulator)

    @property
    def is_at_most(self) -> bool:
        """The accumulator can grow no more, so a swap no longer stops at groups."""
        return self.accumulator == self.maximum

    def fee_ppm(self, base_ppm: int, spacing: int) -> int:
        """The whole fee, rounded up. Raises QuoteError where the program's 64 bits would not hold its square."""
        distance = self.accumulator * spacing
        if distance >= _WORD:
            raise QuoteError(f"a volatility of {self.accumulator} is beyond what the program computes a fee of")
        extra = -(-self.control * distance * distance // (_CONTROL * GROUP * GROUP))
        return min(base_ppm + extra, MAX_FEE_PPM)
