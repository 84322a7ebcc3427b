"""What a swap costs besides the fee: known answers for every model, always rounded up, None while unknown."""

from fractions import Fraction
from typing import Any

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st

from connectors.chain import GasModel
from connectors.errors import WireError
from connectors.pool import ChainFee, PoolGas
from connectors.venues.evm.gas import ARB_GAS_INFO, GAS_PRICE_ORACLE, SWAP_BYTES, Gas
from connectors.venues.evm.rpc import Head

GWEI, USD = 10**9, 10**9


def known(model: GasModel, *, base: int, tip: int = 0, beside: int = 0, native: int = 3_000 * USD) -> Gas:
    gas = Gas(model)
    gas.saw(Head(1, "a", "b", 0, base))
    if gas.wants_tip:
        gas.tipped(tip)
    gas.below(beside)
    gas.native_1e9 = native
    return gas


@pytest.mark.parametrize(
    ("gas", "units", "cost_1e9", "fields"),
    [
        # 150,000 × 20 gwei = 0.003 ETH = $9
        (known(GasModel.EIP1559, base=19 * GWEI, tip=GWEI), 150_000, 9 * USD, (900_000, 150, 20, 30_000)),
        # 200,000 × 0.01 gwei = 2e-6 ETH, beside it 1e-6: $0.009
        (known(GasModel.ARBITRUM, base=GWEI // 100, beside=10**12), 200_000, 9_000_000, (900, 200, 1, 30_000)),
        (known(GasModel.OP_STACK, base=GWEI // 200, tip=GWEI // 1000, beside=5 * 10**10), 150_000, 2_850_000,
         (285, 150, 1, 30_000)),
        # one wei of gas is not nothing
        (known(GasModel.EIP1559, base=1, native=1), 1, 1, (1, 1, 1, 1)),
        (known(GasModel.EIP1559, base=0), 150_000, 0, (0, 150, 0, 30_000)),
        (known(GasModel.EIP1559, base=GWEI + 1, native=1_234_567_890), 100_001, 123_459,
         (13, 101, 2, 13)),
    ],
)  # fmt: skip
def test_known_answers(gas: Gas, units: int, cost_1e9: int, fields: tuple[int, ...]) -> None:
    assert gas.cost_1e9(units) == cost_1e9
    assert gas.of_pool(units) == PoolGas(*fields)


@pytest.mark.parametrize("model", list(GasModel))
def test_what_is_not_known_costs_nothing_that_could_be_told(model: GasModel) -> None:
    gas = Gas(model)
    gas.saw(Head(1, "a", "b", 0, GWEI))
    assert gas.cost_1e9(1) is None
    gas.native_1e9 = USD
    assert (gas.cost_1e9(1) is None) == (gas.wants_tip or model is not GasModel.EIP1559)
    if gas.wants_tip:
        assert gas.of_chain(1, 5) is None
        gas.tipped(0)
    assert (gas.cost_1e9(1) is None) == (model is not GasModel.EIP1559)
    assert gas.of_pool(1) == (PoolGas() if model is not GasModel.EIP1559 else PoolGas(10**0, 1, 1, 10))
    gas.below(0)
    assert gas.cost_1e9(1) == 1
    gas.native_1e9 = 0
    assert gas.cost_1e9(1) is None
    assert gas.of_chain(1, 5) is None


def test_a_chains_fee_is_in_whole_gwei_never_less() -> None:
    assert known(GasModel.ARBITRUM, base=GWEI // 100).of_chain(1, 7) == ChainFee(1, 1, 0, 150_000, 3_000 * USD, 7)
    made = known(GasModel.EIP1559, base=8 * GWEI + 1, tip=GWEI // 10).of_chain(0, 7)
    assert made == ChainFee(0, 9, 1, 150_000, 3_000 * USD, 7)


def answered(gas: Gas, answer: bytes | None) -> tuple[Any, int]:
    """The call of its reading, and what came of this answer."""
    reading = gas.reading()
    (asked,) = next(reading)
    with pytest.raises(StopIteration) as stop:
        reading.send([answer])
    return asked, stop.value.value


def test_the_chain_below_arbitrum_is_paid_by_the_byte() -> None:
    prices = encode(["uint256"] * 6, [7, 11, 13, 17, 19, 23])
    asked, wei = answered(Gas(GasModel.ARBITRUM), prices)
    assert (asked.to, asked.data.hex()) == (ARB_GAS_INFO, "41b247a8")  # getPricesInWei()
    assert wei == 11 * SWAP_BYTES


def test_the_chain_below_an_op_stack_is_asked_for_its_bound() -> None:
    asked, wei = answered(Gas(GasModel.OP_STACK), encode(["uint256"], [12_345]))
    assert asked.to == GAS_PRICE_ORACLE
    assert asked.data[4:] == SWAP_BYTES.to_bytes(32)
    assert wei == 12_345


def test_ethereum_has_none_below() -> None:
    with pytest.raises(StopIteration) as stop:
        next(Gas(GasModel.EIP1559).reading())
    assert stop.value.value == 0


@pytest.mark.parametrize("answer", [None, b"", bytes(31), bytes(32 * 5), bytes(32 * 7)])
@pytest.mark.parametrize("model", [GasModel.ARBITRUM, GasModel.OP_STACK])
def test_an_answer_of_another_form_is_none(model: GasModel, answer: bytes | None) -> None:
    reading = Gas(model).reading()
    next(reading)
    with pytest.raises(WireError):
        reading.send([answer])


amounts = st.integers(0, 10**13)


@given(amounts, amounts, st.integers(0, 10**18), st.integers(1, 10**14), st.integers(1, 10**7))
def test_nothing_is_rounded_down(base: int, tip: int, beside: int, native: int, units: int) -> None:
    gas = known(GasModel.EIP1559, base=base, tip=tip, beside=beside, native=native)
    exact = Fraction((units * (base + tip) + beside) * native, 10**18)
    cost = gas.cost_1e9(units)
    assert cost is not None
    assert 0 <= cost - exact < 1
    told = gas.of_pool(units)
    assert 0 <= told.gas_cost_1e5 - exact / 10**4 < 2
    assert 0 <= told.gas_price_gwei - Fraction(base + tip, GWEI) < 1
    assert 0 <= told.gas_units_1k - Fraction(units, 1000) < 1
    assert 0 <= told.native_price_deci_usd - Fraction(native, 10**8) < 1


WORDS = st.integers(0, 2**256 - 1) | st.sampled_from([0, 1, 10**15, 10**15 + 1, 10**24, 10**24 + 1, 2**64, 2**255])


@given(
    st.sampled_from(list(GasModel)), WORDS, WORDS, WORDS, WORDS, st.integers(0, 10**7), st.integers(-5, 300),
    st.integers(0, 2**64),
)  # fmt: skip
def test_whatever_a_node_says_fits_or_is_unknown(
    model: GasModel, base: int, tip: int, beside: int, native: int, units: int, chain_id: int, now_ns: int
) -> None:
    gas = known(model, base=base, tip=tip, beside=beside, native=native)
    cost = gas.cost_1e9(units)
    assert cost is None or cost >= 0
    assert gas.cost_1e9(units, native) is None or native
    told = gas.of_pool(units)
    assert told == PoolGas() or cost is not None
    fee = gas.of_chain(chain_id, now_ns)
    assert fee is None or fee.native_price_1e9 == native
    if base > 10**15 or (gas.wants_tip and tip > 10**15) or beside > 10**24:
        assert (cost, told) == (None, PoolGas())


def test_a_sane_word_after_a_mad_one_is_believed() -> None:
    gas = known(GasModel.EIP1559, base=GWEI, tip=2**256 - 1)
    assert gas.of_chain(0, 7) is None
    gas.tipped(GWEI)
    assert gas.of_pool(150_000).gas_price_gwei == 2


@pytest.mark.parametrize("model", list(GasModel))
def test_an_estimate_that_is_not_made_anew_for_a_minute_is_none(model: GasModel) -> None:
    """By the blocks' own time. What a chain has not cannot grow old."""
    gas = Gas(model)
    gas.native_1e9 = USD

    def at(time_s: int) -> bool:
        gas.saw(Head(1, "a", "b", time_s, GWEI))
        return gas.cost_1e9(150_000) is not None

    at(1_000)
    gas.tipped(0)
    gas.below(0)
    assert at(1_060)
    assert not at(1_061)
    assert not at(1_000), "it is forgotten, not hidden"
    gas.tipped(0)
    gas.below(0)
    assert at(1_060)
    gas.tipped(0)
    assert at(1_061) == (model is GasModel.EIP1559), "the chain below has its own age"
