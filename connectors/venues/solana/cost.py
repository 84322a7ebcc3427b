"""What a swap on Solana costs besides the pool's fee: lamports a signature, and a price a compute unit.

A transaction pays 5,000 lamports for each signature (https://solana.com/docs/core/fees, "Base Fee") and, to be taken
first, as many micro-lamports a compute unit as it offers. getRecentPrioritizationFees tells for each of the last 150
slots the LEAST that a transaction paid which locked the accounts asked for (agave's prioritization_fee.rs keeps the
minimum of a block and of each writable account): what was just enough, once. So the 90th percentile of them is taken,
zeros counted: an offer that would have been enough in nine of ten recent slots, rather too high than too low. With the
median every second slot would have been missed; the maximum is one slot's mood.

Nothing here is exact as a pool's quote is. Unknown is None, and what depends on it (the chain's own book) is then not
shown. What a node says beyond all sense is as good as unknown.
"""

from collections.abc import Sequence
from typing import Final

from connectors.errors import NumberError
from connectors.pool import ChainFee, PoolGas
from connectors.units import MONEY_DECIMALS

SIGNATURE_LAMPORTS: Final = 5_000
LAMPORTS: Final = 10**9  # of one SOL
MICRO: Final = 10**6
PERCENT: Final = 90
PRICE_MAX: Final = 10**10  # micro-lamports a unit: 2 SOL for a swap; a node that says more is wrong
KEPT_NS: Final = 60 * 10**9  # after which an estimate that was not made anew is none
_U64_MAX: Final = 2**64 - 1


class Cost:
    """The newest estimate. `units`: compute units of a usual swap. Prices in micro-lamports a unit."""

    def __init__(self, units: int) -> None:
        self._units = units
        self._price: int | None = None
        self._told_ns = 0
        self.native_1e9 = 0

    def told(self, fees: Sequence[int], now_ns: int) -> None:
        """What the slots' fees were; none of any slot says nothing."""
        rank = -(-len(fees) * PERCENT // 100)
        price = sorted(fees)[rank - 1] if fees else None
        self._price = price if price is not None and 0 <= price <= PRICE_MAX else None
        self._told_ns = now_ns

    def aged(self, now_ns: int) -> bool:
        """Forgets what is too old; True if that was just now."""
        is_old = self._price is not None and now_ns - self._told_ns > KEPT_NS
        if is_old:
            self._price = None
        return is_old

    def forget(self) -> None:
        """Another node is asked from now on."""
        self._price = None

    def cost_1e9(self, units: int, worth_1e9: int = 10**MONEY_DECIMALS) -> int | None:
        """What a swap of so many units costs, rounded up; None: not known.

        In a currency of which one is worth so much of the money that SOL is priced in.
        """
        lamports = self._lamports(units)
        if lamports is None or worth_1e9 <= 0:
            return None
        return _up(lamports * self.native_1e9 * 10**MONEY_DECIMALS, worth_1e9 * LAMPORTS)

    def missing(self, native: str) -> str:
        """What is not known of the cost, and what can be done about it; '' for nothing."""
        if self._price is None:
            return "the node tells no priority fees"
        return "" if self.native_1e9 > 0 else f"{native} has no price: follow it at some venue, or a pool of it"

    def of_pool(self, units: int) -> PoolGas:
        """The guest's fields, rounded up; all 0 while the cost is not known. A gwei is 10^-9 of the coin: a lamport."""
        cost_1e9, lamports = self.cost_1e9(units), self._lamports(units)
        if cost_1e9 is None or lamports is None:
            return PoolGas()
        try:
            return PoolGas(
                _up(cost_1e9, 10 ** (MONEY_DECIMALS - 5)), _up(units, 1000), _up(lamports, max(units, 1)),
                _up(self.native_1e9, 10 ** (MONEY_DECIMALS - 1)),
            )  # fmt: skip
        except NumberError:
            return PoolGas()

    def of_chain(self, chain_id: int, now_ns: int) -> ChainFee | None:
        """The guest's ChainFee: lamports, micro-lamports a unit, units."""
        if self._price is None or not self._is_priced:
            return None
        try:
            return ChainFee(chain_id, SIGNATURE_LAMPORTS, self._price, self._units, self.native_1e9, now_ns)
        except NumberError:
            return None

    @property
    def _is_priced(self) -> bool:
        return 0 < self.native_1e9 <= _U64_MAX

    def _lamports(self, units: int) -> int | None:
        """Of one swap; None where it, or what SOL is worth, is not known."""
        if self._price is None or not self._is_priced:
            return None
        return SIGNATURE_LAMPORTS + _up(units * self._price, MICRO)


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
