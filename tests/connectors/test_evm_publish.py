"""What is shown of pools: ladders on a common grid, records, reasons said once, and one pool's trouble its own."""

from fractions import Fraction
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.amm.constant_product import ConstantProduct
from connectors.chain import GasModel, PoolPlan
from connectors.errors import Unpublishable
from connectors.events import BookLost, BookSnapshot, Notice
from connectors.onchain.shelf import Shelf
from connectors.onchain.states import Probed, State
from connectors.pool import PoolUpdate
from connectors.venues.evm.blocks import Block
from connectors.venues.evm.gas import Gas
from connectors.venues.evm.rpc import Head
from tests.support.chain_watch import amiss
from tests.support.virtual import SECOND
from tests.support.virtual_chain import SOLIDLY, V2, chain_plan

OTHER: Final = msgspec.structs.replace(V2, address="0x" + "22" * 20)
ETHER, DOLLAR = 10**18, 10**6


def gas() -> Gas:
    made = Gas(GasModel.ARBITRUM)
    made.saw(Head(1, "a", "b", 0, 10**7))
    made.below(10**12)
    made.native_1e9 = 2_000 * SECOND
    return made


def pair(price: int = 2_000, ether: int = 2_000) -> ConstantProduct:
    return ConstantProduct((ether * ETHER, ether * price * DOLLAR), 3000)


def shelf(*pools: PoolPlan, **plan: Any) -> Shelf:
    """Markets 10 … of the pools, 0 the chain's own."""
    plans = chain_plan(pools, **plan)
    return Shelf(plans, {key: 10 + key for key in range(len(pools))}, {"ETH/USD": 0})


def block(*states: State, number: int = 7) -> Block:
    return Block(Head(number, f"h{number}", "", 0), dict(enumerate(states)))


def shown(made: Shelf, at: Block) -> dict[int, BookSnapshot]:
    out, symbols = made.pools(at, at.states, gas(), 5)
    assert symbols == {"ETH/USD"}
    return {output.instrument: output for output in out if isinstance(output, BookSnapshot)}


@given(st.integers(100, 100_000), st.integers(10, 10**6))
def test_a_ladder_is_the_curves(price: int, ether: int) -> None:
    made = shelf(V2)
    curve = pair(price, ether)
    try:
        book = shown(made, block(curve))[10]
    except KeyError:
        pytest.fail("not shown")
    assert amiss(V2, curve, book.bids, book.asks, ()) == ""


def test_a_record_says_the_contracts_own_order_and_block() -> None:
    out, _ = shelf(V2).pools(block(pair(), number=9), [0], gas(), 5)
    (update,) = [output for output in out if isinstance(output, PoolUpdate)]
    assert update.instrument == 10
    assert update.amm is not None
    assert (update.amm.reserve0, update.amm.reserve1) == (2_000 * ETHER, 4_000_000 * DOLLAR)
    assert (update.amm.last_block, update.amm.last_update_ns, update.amm.fee_ppm) == (9, 5, 3000)
    assert update.gas.gas_units_1k == V2.gas_units // 1000


def test_without_the_pools_fee_where_the_plan_says_so() -> None:
    net, gross = (shown(shelf(V2, is_gross=is_gross), block(pair()))[10] for is_gross in (False, True))
    assert net.asks[0][0] > gross.asks[0][0] > 2_000 * SECOND > gross.bids[0][0] > net.bids[0][0]
    assert Fraction(gross.asks[0][0], net.asks[0][0]) < Fraction(9975, 10_000)


def test_sizes_stay_while_the_price_moves_little_and_are_the_same_for_all() -> None:
    made = shelf(V2, OTHER)
    sizes = []
    for dollars in (2_000, 2_010, 1_990, 2_030, 2_035):
        books = shown(made, block(pair(dollars), pair(dollars + 1)))
        sizes.append([size for _, size in books[10].asks])
        assert sizes[-1] == [size for _, size in books[11].asks]
    assert sizes[0] == sizes[1] == sizes[2]
    assert sizes[0] != sizes[3] == sizes[4]


def test_a_pool_that_did_not_change_is_measured_anew_when_the_grid_is() -> None:
    made = shelf(V2, OTHER)
    shown(made, block(pair(2_000), pair(2_000)))
    made.pools(block(pair(2_100), pair(2_000)), [0], gas(), 6)
    assert made.depths[0].sizes == made.depths[1].sizes
    with pytest.raises(Unpublishable, match="crossed"):  # and not: the pools' grids differ
        made.chain("ETH/USD", gas(), SECOND)


@pytest.mark.parametrize(
    "state", ["refused: it is locked", ConstantProduct((0, 0), 3000), ConstantProduct((1, 10**30), 3000)]
)
def test_a_reason_is_said_once_and_the_other_pool_is_shown(state: State) -> None:
    made = shelf(V2, OTHER)
    first, _ = made.pools(block(pair(), state), [0, 1], gas(), 5)
    again, _ = made.pools(block(pair(), state), [0, 1], gas(), 6)
    assert [output.instrument for output in first if isinstance(output, BookSnapshot)] == [10]
    assert [type(output) for output in first[2:]] == [BookLost, Notice]
    assert not [output for output in again if isinstance(output, BookLost | Notice)]
    assert made.reason(11)
    assert not made.reason(10)
    assert set(shown(made, block(pair(), pair()))) == {10, 11}
    assert not made.reason(11)


def test_what_is_lost_is_lost_once() -> None:
    made = shelf(V2, OTHER)
    shown(made, block(pair(), pair()))
    assert made.lose("link down") == [BookLost(index, "link down") for index in (0, 10, 11)]
    assert made.lose("link down") == []
    with pytest.raises(Unpublishable, match="no pool of it can be shown"):
        made.chain("ETH/USD", gas(), SECOND)


def test_a_dropped_book_says_so_again_for_another_reason() -> None:
    made = shelf(V2)
    shown(made, block(pair()))
    assert made.drop(10, "off") == [BookLost(10, "off")]
    assert made.drop(10, "off") == []
    assert made.drop(10, "further off") == [BookLost(10, "further off")]


def test_gas_is_told_where_it_is_not_that_any_more() -> None:
    made, now, at = shelf(V2), gas(), block(pair())
    made.pools(at, [0], now, 5)
    assert made.gas_changed(at, now, 6) == ([], set())
    now.native_1e9 *= 2
    (update,), symbols = made.gas_changed(at, now, 7)
    assert symbols == {"ETH/USD"}
    assert isinstance(update, PoolUpdate)
    assert update.gas == now.of_pool(V2.gas_units)
    assert made.gas_changed(at, now, 8) == ([], set())


def test_the_chains_own_book_has_gas_in_it_and_waits_for_its_price() -> None:
    made = shelf(V2)
    book = shown(made, block(pair()))[10]
    bids, asks = made.chain("ETH/USD", gas(), SECOND)
    assert asks[0][0] > book.asks[0][0]
    assert bids[0][0] < book.bids[0][0]
    with pytest.raises(Unpublishable, match="gas has no price"):
        made.chain("ETH/USD", Gas(GasModel.ARBITRUM), SECOND)


def test_a_probed_pool_is_its_own_answers() -> None:
    state = Probed(asks=((2_010 * DOLLAR, ETHER), (4_030 * DOLLAR, 2 * ETHER)),
                   bids=((ETHER, 1_990 * DOLLAR), (2 * ETHER, 3_960 * DOLLAR)))  # fmt: skip
    made = shelf(SOLIDLY)
    book = shown(made, block(state))[10]
    assert book.asks == [(2_010 * SECOND, 10**8), (2_020 * SECOND, 10**8)]
    assert book.bids == [(1_990 * SECOND, 10**8), (1_970 * SECOND, 10**8)]
    out, _ = made.pools(block(state), [0], gas(), 5)
    assert [output.amm for output in out if isinstance(output, PoolUpdate)] == [None]


@pytest.mark.parametrize("drained", [ConstantProduct((0, 0), 3000), ConstantProduct((10**30, 1), 3000)])
def test_a_first_pool_without_a_price_takes_no_other_down(drained: State) -> None:
    assert set(shown(shelf(V2, OTHER), block(drained, pair()))) == {11}
