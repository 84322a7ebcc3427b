"""What a swap costs besides the pool's fee: gas of the chain, and of the chain below it where there is one.

| model | price of a unit | beside it | source |
|---|---|---|---|
| eip1559 | base fee of the newest block + the node's suggested tip | | EIP-1559; `eth_maxPriorityFeePerGas` |
| arbitrum | base fee; no tip | calldata on L1: `ArbGasInfo.getPricesInWei` × bytes | docs.arbitrum.io |
| op_stack | the same | `GasPriceOracle.getL1FeeUpperBound(bytes)` | specs.optimism.io, Fjord |

Nothing here is exact as a pool's quote is: it is an estimate, made to be rather too high. Unknown is None, and what
depends on it (the chain's own book) is then not shown.
"""

from typing import Final

from connectors.chain import GasModel
from connectors.errors import WireError
from connectors.pool import ChainFee, PoolGas
from connectors.units import MONEY_DECIMALS
from connectors.venues.evm.abi import Call, Reading, call, words
from connectors.venues.evm.rpc import Head

GWEI: Final = 10**9
WEI_DECIMALS: Final = 18
SWAP_GAS: Final = 150_000  # a swap in one pool through a router, roughly
SWAP_BYTES: Final = 300  # of a router's calldata, with signature, before compression
ARB_GAS_INFO: Final = "0x000000000000000000000000000000000000006C"
GAS_PRICE_ORACLE: Final = "0x420000000000000000000000000000000000000F"
_ARB_PRICES: Final = 6  # words of getPricesInWei: per L2 tx, per L1 calldata byte, per storage, base, congestion, total


class Gas:
    """The newest estimate. Prices in wei a unit, money ×1e9 of the quote currency."""

    def __init__(self, model: GasModel) -> None:
        self._model = model
        self._tip_wei: int | None = 0 if model is GasModel.ARBITRUM else None
        self._beside_wei: int | None = 0 if model is GasModel.EIP1559 else None
        self._base_wei = 0
        self.native_1e9 = 0

    @property
    def wants_tip(self) -> bool:
        return self._model is not GasModel.ARBITRUM

    def saw(self, head: Head) -> None:
        self._base_wei = head.base_fee

    def tipped(self, wei: int) -> None:
        """The node's suggestion for the tip."""
        self._tip_wei = wei

    def reading(self) -> Reading[int]:
        """What one swap costs on the chain below, in wei."""
        if self._model is GasModel.ARBITRUM:
            (answer,) = yield [call(ARB_GAS_INFO, "getPricesInWei()")]
            return words(_given(answer), _ARB_PRICES)[1] * SWAP_BYTES
        if self._model is GasModel.OP_STACK:
            (answer,) = yield [_upper_bound()]
            return words(_given(answer), 1)[0]
        return 0

    def below(self, wei: int) -> None:
        """The answer of `reading`."""
        self._beside_wei = wei

    def cost_1e9(self, units: int, worth_1e9: int = 10**MONEY_DECIMALS) -> int | None:
        """What a swap of so many units costs, rounded up; None: not known.

        In a currency of which one is worth so much of the money that the native coin is priced in.
        """
        if self._tip_wei is None or self._beside_wei is None or not self.native_1e9 or not worth_1e9:
            return None
        wei = units * (self._base_wei + self._tip_wei) + self._beside_wei
        return _up(wei * self.native_1e9 * 10**MONEY_DECIMALS, worth_1e9 * 10**WEI_DECIMALS)

    def of_pool(self, units: int) -> PoolGas:
        """The guest's fields, rounded up; all 0 while the cost is not known."""
        cost_1e9 = self.cost_1e9(units)
        if cost_1e9 is None:
            return PoolGas()
        price_wei = self._base_wei + (self._tip_wei or 0)
        return PoolGas(
            _up(cost_1e9, 10 ** (MONEY_DECIMALS - 5)), _up(units, 1000), _up(price_wei, GWEI),
            _up(self.native_1e9, 10 ** (MONEY_DECIMALS - 1)),
        )  # fmt: skip

    def of_chain(self, chain_id: int, now_ns: int) -> ChainFee | None:
        """The guest's ChainFee; gwei are rounded up, so that a cheap chain does not look free."""
        if self._tip_wei is None or not self.native_1e9:
            return None
        return ChainFee(
            chain_id, _up(self._base_wei, GWEI), _up(self._tip_wei, GWEI), SWAP_GAS, self.native_1e9, now_ns
        )


def _upper_bound() -> Call:
    return call(GAS_PRICE_ORACLE, "getL1FeeUpperBound(uint256)", SWAP_BYTES)


def _given(answer: bytes | None) -> bytes:
    if answer is None:
        raise WireError("the gas oracle did not answer")
    return answer


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
