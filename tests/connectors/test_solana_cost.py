"""What a swap on Solana costs: lamports, micro-lamports, and what is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.pool import ChainFee, PoolGas
from connectors.venues.solana.cost import KEPT_NS, PRICE_MAX, SIGNATURE_LAMPORTS, Cost
from tests.support.solana_world import Bare, solana_plan

SOL: int = 150 * 10**9  # money ×1e9
SECOND = 10**9


def known(price: int = 20_000, native_1e9: int = SOL) -> Cost:
    cost = Cost(150_000)
    cost.native_1e9 = native_1e9
    cost.told([price], 0)
    return cost


def test_a_swap_costs_its_signature_and_its_units() -> None:
    """100,000 units at 20,000 micro-lamports are 2,000 lamports; with the signature's 5,000 that is 7,000."""
    cost = known()
    assert cost.cost_1e9(100_000) == 7_000 * 150  # 10^-9 SOL at 150
    assert cost.cost_1e9(0) == SIGNATURE_LAMPORTS * 150
    assert cost.cost_1e9(1) == (SIGNATURE_LAMPORTS + 1) * 150, "a part of a lamport is a whole one"
    assert cost.cost_1e9(100_000, 2 * 10**9) == 7_000 * 75, "in a currency worth twice as much"
    assert cost.cost_1e9(100_000, 0) is None
    assert cost.of_pool(100_000) == PoolGas(105, 100, 1, 1500)
    assert cost.of_chain(5, 7) == ChainFee(5, 5_000, 20_000, 150_000, SOL, 7)
    assert cost.missing("SOL/USD") == ""


@pytest.mark.parametrize(
    ("fees", "price"),
    [([0] * 10, 0), ([0] * 9 + [7], 0), ([0] * 8 + [7, 7], 7), ([5], 5), (list(range(150)), 134), ([3, 1, 2], 3),
     (list(range(10, 0, -1)), 9)],
)  # fmt: skip
def test_the_price_would_have_been_enough_in_nine_of_ten_slots(fees: list[int], price: int) -> None:
    cost = known()
    cost.told(fees, 0)
    found = cost.of_chain(5, 0)
    assert found is not None
    assert found.priority_fee_native == price
    assert sum(fee <= price for fee in fees) * 10 >= 9 * len(fees)


@pytest.mark.parametrize("fees", [[], [PRICE_MAX + 1], [2**64], [10**30]])
def test_what_is_beyond_all_sense_is_unknown(fees: list[int]) -> None:
    cost = known()
    cost.told(fees, 0)
    assert cost.cost_1e9(1) is None
    assert cost.of_chain(5, 0) is None
    assert cost.of_pool(1) == PoolGas()
    assert "priority fees" in cost.missing("SOL/USD")


@pytest.mark.parametrize("native_1e9", [0, -1, 2**64])
def test_without_a_price_of_sol_nothing_is_known(native_1e9: int) -> None:
    cost = known(native_1e9=native_1e9)
    assert cost.cost_1e9(1) is None
    assert cost.of_chain(5, 0) is None
    assert native_1e9 > 0 or "SOL/USD has no price" in cost.missing("SOL/USD")


def test_an_estimate_that_is_not_made_anew_is_forgotten() -> None:
    cost = known()
    assert not cost.aged(KEPT_NS)
    assert cost.aged(KEPT_NS + 1)
    assert cost.cost_1e9(1) is None
    assert not cost.aged(KEPT_NS + 2), "it was told once"


@given(st.lists(st.integers(-(2**70), 2**70), max_size=160), st.integers(0, 10**7), st.integers(-(10**20), 10**20))
def test_it_never_raises_and_never_is_below_the_signature(fees: list[int], units: int, native_1e9: int) -> None:
    cost = known(native_1e9=native_1e9)
    cost.told(fees, 0)
    cost.of_pool(units)
    cost.of_chain(5, 0)
    found = cost.cost_1e9(units)
    assert found is None or found * 10**9 >= SIGNATURE_LAMPORTS * native_1e9


# --- as the session asks for it --------------------------------------------------------------------------------------


def asked_for(bare: Bare) -> list[bytes]:
    return [data for data in bare.chain.links["rpc1"].calls.requests if b"getRecentPrioritizationFees" in data]


def test_fees_are_asked_every_ten_seconds_for_the_pools_themselves() -> None:
    bare = Bare().run(35)
    found = asked_for(bare)
    assert len(found) == 4
    assert all(pool.address.encode() in data for pool in bare.session.plan.pools for data in found)
    assert {(fee.chain_id, fee.base_fee_native, fee.native_price_1e9) for fee in bare.fees} == {(5, 5_000, SOL)}
    assert len({fee.priority_fee_native for fee in bare.fees}) > 1


def test_the_native_coin_is_priced_by_a_pool_where_no_other_venue_does() -> None:
    bare = Bare(native_1e9=0).run(5)
    assert bare.fees
    assert abs(bare.fees[-1].native_price_1e9 - SOL) < SOL // 50


def test_without_fees_the_chains_own_book_is_withheld_and_the_pools_stand() -> None:
    bare = Bare(solana_plan())
    bare.chain.links["rpc1"].status = lambda method: 403 if method == "getRecentPrioritizationFees" else 200
    bare.run(5)
    assert len(bare.watch.shown) == 2
    assert not bare.watch.chain_books
    assert bare.said("gas has no price: the node tells no priority fees")
    assert bare.said("priority fees are not known: HTTP status 403")


def test_fees_that_stay_away_are_forgotten_after_a_minute() -> None:
    bare = Bare().run(5)
    assert bare.watch.chain_books
    bare.chain.links["rpc1"].status = lambda method: 403 if method == "getRecentPrioritizationFees" else 200
    bare.run(75)
    assert not bare.watch.chain_books
    assert len(bare.watch.shown) == 2
