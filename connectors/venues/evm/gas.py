"""What a swap costs besides the pool's fee: gas of the chain, and of the chain below it where there is one.

| model | price of a unit | beside it | source |
|---|---|---|---|
| eip1559 | base fee of the newest block + the node's suggested tip | | EIP-1559; `eth_maxPriorityFeePerGas` |
| arbitrum | base fee; no tip | calldata on L1: `ArbGasInfo.getPricesInWei` × bytes | docs.arbitrum.io |
| op_stack | the same | `GasPriceOracle.getL1FeeUpperBound(bytes)` | specs.optimism.io, Fjord |

Nothing here is exact as a pool's quote is: it is an estimate, made to be rather too high. Unknown is None, and what
depends on it (the chain's own book) is then not shown. What a node says beyond all sense is as good as unknown.
"""

from typing import Final

from connectors.chain import GasModel
from connectors.errors import NumberError, WireError
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
PRICE_MAX_WEI: Final = 10**6 * GWEI  # of a unit; more, and no swap would be worth it: a node that says so is wrong
BESIDE_MAX_WEI: Final = 10**6 * 10**WEI_DECIMALS
KEPT_S: Final = 60  # of the chain's own time, after which an estimate that was not made anew is none
_U64_MAX: Final = 2**64 - 1
_ARB_PRICES: Final = 6  # words of getPricesInWei: per L2 tx, per L1 calldata byte, per storage, base, congestion, total


class Gas:
    """The newest estimate. Prices in wei a unit, money ×1e9 of the quote currency."""

    def __init__(self, model: GasModel) -> None:
        self._model = model
        self._tip_wei: int | None = 0 if model is GasModel.ARBITRUM else None
        self._beside_wei: int | None = 0 if model is GasModel.EIP1559 else None
        self._base_wei: int | None = 0
        self._time_s = self._tip_s = self._beside_s = 0  # of the newest block, and when each estimate came
        self.native_1e9 = 0

    @property
    def wants_tip(self) -> bool:
        return self._model is not GasModel.ARBITRUM

    def saw(self, head: Head) -> None:
        """A newer block; its time tells which estimates are too old."""
        self._base_wei = _sane(head.base_fee, PRICE_MAX_WEI)
        if not self._time_s:
            self._tip_s = self._beside_s = head.time_s
        self._time_s = head.time_s
        if self.wants_tip and self._time_s - self._tip_s > KEPT_S:
            self._tip_wei = None
        if self._model is not GasModel.EIP1559 and self._time_s - self._beside_s > KEPT_S:
            self._beside_wei = None

    def tipped(self, wei: int) -> None:
        """The node's suggestion for the tip."""
        self._tip_wei, self._tip_s = _sane(wei, PRICE_MAX_WEI), self._time_s

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
        self._beside_wei, self._beside_s = _sane(wei, BESIDE_MAX_WEI), self._time_s

    def cost_1e9(self, units: int, worth_1e9: int = 10**MONEY_DECIMALS) -> int | None:
        """What a swap of so many units costs, rounded up; None: not known.

        In a currency of which one is worth so much of the money that the native coin is priced in.
        """
        price_wei = self._price_wei
        if price_wei is None or self._beside_wei is None or worth_1e9 <= 0:
            return None
        wei = units * price_wei + self._beside_wei
        return _up(wei * self.native_1e9 * 10**MONEY_DECIMALS, worth_1e9 * 10**WEI_DECIMALS)

    def missing(self, native: str) -> str:
        """What is not known of the cost, and what can be done about it; '' for nothing."""
        if self._base_wei is None or self._tip_wei is None:
            return "the node tells no price of gas"
        if self._beside_wei is None:
            return 'the chain\'s own oracle does not tell the L1 part (gas = "eip1559" leaves that out)'
        return "" if self.native_1e9 > 0 else f"{native} has no price: follow it at some venue, or a pool of it"

    def of_pool(self, units: int) -> PoolGas:
        """The guest's fields, rounded up; all 0 while the cost is not known."""
        cost_1e9, price_wei = self.cost_1e9(units), self._price_wei
        if cost_1e9 is None or price_wei is None:
            return PoolGas()
        try:
            return PoolGas(
                _up(cost_1e9, 10 ** (MONEY_DECIMALS - 5)), _up(units, 1000), _up(price_wei, GWEI),
                _up(self.native_1e9, 10 ** (MONEY_DECIMALS - 1)),
            )  # fmt: skip
        except NumberError:
            return PoolGas()

    def of_chain(self, chain_id: int, now_ns: int) -> ChainFee | None:
        """The guest's ChainFee; gwei are rounded up, so that a cheap chain does not look free."""
        base_wei, tip_wei = self._base_wei, self._tip_wei
        if base_wei is None or tip_wei is None or self._price_wei is None:
            return None
        try:
            return ChainFee(chain_id, _up(base_wei, GWEI), _up(tip_wei, GWEI), SWAP_GAS, self.native_1e9, now_ns)
        except NumberError:
            return None

    @property
    def _price_wei(self) -> int | None:
        """Of one unit; None where it, or what the native coin is worth, is not known."""
        if self._base_wei is None or self._tip_wei is None or not 0 < self.native_1e9 <= _U64_MAX:
            return None
        return self._base_wei + self._tip_wei


def _upper_bound() -> Call:
    return call(GAS_PRICE_ORACLE, "getL1FeeUpperBound(uint256)", SWAP_BYTES)


def _given(answer: bytes | None) -> bytes:
    if answer is None:
        raise WireError("the gas oracle did not answer")
    return answer


def _sane(wei: int, most: int) -> int | None:
    return wei if 0 <= wei <= most else None


def _up(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
