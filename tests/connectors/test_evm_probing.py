"""The depth of a probed pool between its answers: never better than the pool, and where they end it ends."""

from typing import Final

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.amm.constant_product import ConstantProduct
from connectors.amm.curve import QuoteError
from connectors.amm.ladder import Pair
from connectors.onchain.between import depth_of
from connectors.onchain.states import Probed

PAIR: Final = Pair(0, 1, 18, 6)
UNIT: Final = 10**10  # smallest units of 18 decimals in 1e-8


def probed(curve: ConstantProduct, money: list[int]) -> Probed:
    """As the chain answers: money in, then as much of the base as that brought."""
    asks = [(paid, curve.exact_in(1, 0, paid).amount_out) for paid in money]
    bases = sorted({base // UNIT * UNIT for _, base in asks} - {0})
    return Probed(tuple(asks), tuple((base, curve.exact_in(0, 1, base).amount_out) for base in bases))


def answers(curve: ConstantProduct, paid: int) -> bool:
    """Whether so much money brings anything, and its worth something back."""
    try:
        base = curve.exact_in(1, 0, paid).amount_out // UNIT * UNIT
        return base > 0 and curve.exact_in(0, 1, base).amount_out > 0
    except QuoteError:
        return False


def test_at_its_answers_it_is_them_and_between_them_on_the_line() -> None:
    state = Probed(asks=((100, 10 * UNIT), (300, 20 * UNIT)), bids=((10 * UNIT, 90), (20 * UNIT, 170)))
    depth = depth_of(state, PAIR, [5, 10, 15, 20, 21])
    assert depth.sizes == (5, 10, 15, 20, 21)
    assert depth.costs == (50, 100, 200, 300)
    assert depth.proceeds == (45, 90, 130, 170)


@pytest.mark.parametrize(("sizes", "costs", "proceeds"), [([1], (4,), (2,)), ([2], (7,), (5,)), ([4], (), ())])
def test_a_rest_is_rounded_against_the_taker(sizes: list[int], costs: object, proceeds: object) -> None:
    state = Probed(asks=((10, 3 * UNIT),), bids=((3 * UNIT, 8),))
    depth = depth_of(state, PAIR, sizes)
    assert (depth.costs, depth.proceeds) == (costs, proceeds)


def test_tokens_of_fewer_decimals_than_a_size() -> None:
    depth = depth_of(Probed(asks=((7, 3),), bids=((3, 5),)), Pair(0, 1, 6, 6), [100, 300])
    assert depth.costs == (3, 7)
    assert depth.proceeds == (1, 5)


@given(
    st.integers(10**15, 10**24), st.integers(10**6, 10**15), st.sampled_from([0, 100, 3000, 10_000]),
    st.lists(st.integers(1, 10**13), min_size=1, max_size=20, unique=True),
    st.lists(st.integers(1, 10**12), min_size=1, max_size=20, unique=True),
)  # fmt: skip
def test_it_is_never_better_than_the_pool(base: int, quote: int, fee: int, money: list[int], sizes: list[int]) -> None:
    """Of a pool whose price gets worse with size, at every size on the way."""
    curve = ConstantProduct((base, quote), fee)
    money = [paid for paid in sorted(money) if answers(curve, paid)]
    assume(money)
    state = probed(curve, money)
    asked = sorted(sizes)
    depth = depth_of(state, PAIR, asked)
    for size, cost in zip(asked, depth.costs, strict=False):
        assert curve.exact_out(1, 0, size * UNIT).amount_in <= cost
    for size, paid in zip(asked, depth.proceeds, strict=False):
        assert paid <= curve.exact_in(0, 1, size * UNIT).amount_out
