"""Position and PnL against a model in fractions, and the OMS's account against the gate's: three ways, one answer."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oms.position import Position
from risk.exposure import Exposure, Mark
from risk.ledger import Ledger

P, Q = 10**9, 10**8
Fill = tuple[int, int, int, int]  # side, qty_1e8, px_1e9, fee_1e9


class Model:
    """Average cost, exact. Quantities ×1e8, prices and money ×1e9, as fractions."""

    def __init__(self) -> None:
        self.qty = Fraction(0)
        self.entry = Fraction(0)
        self.realized = Fraction(0)

    def fill(self, side: int, qty: int, px: int, fee: int) -> None:
        self.realized -= fee
        before, after = self.qty, self.qty + side * qty
        if before * side >= 0:
            self.entry = (abs(before) * self.entry + qty * px) / abs(after)
        else:
            closed = min(abs(before), Fraction(qty))
            self.realized += closed / Q * (px - self.entry) * (1 if before > 0 else -1)
            if after * before < 0:
                self.entry = Fraction(px)
        self.qty = after

    def unrealized(self, mid: Fraction) -> Fraction:
        return self.qty / Q * (mid - self.entry)


def _floor(amount: Fraction) -> int:
    return amount.numerator // amount.denominator


SIDES = st.sampled_from([1, -1])
FILLS = st.lists(
    st.tuples(
        SIDES,
        st.sampled_from([1, 2, 3, 7, Q, 3 * Q]) | st.integers(1, 10**13),
        st.sampled_from([1, P, 100 * P]) | st.integers(1, 10**15),
        st.integers(-(10**9), 10**12),
    ),
    max_size=30,
)


@given(fills=FILLS, mid_sum=st.integers(1, 2 * 10**15))
@settings(max_examples=400, deadline=None)
def test_the_oms_the_gate_and_the_model_agree(fills: list[Fill], mid_sum: int) -> None:
    position, exposure, model = Position(), Exposure(Mark()), Model()
    position.mid_sum_1e9 = exposure.mark.mid_sum_1e9 = mid_sum
    mid = Fraction(mid_sum, 2)
    slack = Fraction(0)  # each partial close rounds the cost taken out by less than 1e-17: 1e-8 of a unit of 1e-9
    for fill in fills:
        position.fill(*fill)
        exposure.trade(*fill)
        model.fill(*fill)
        slack += Fraction(1, Q)
        assert position.qty_1e8 == exposure.position_1e8 == model.qty
        assert position.realized_1e17 == exposure.realized_1e17
        assert position.cost_1e17 == exposure.cost_1e17 >= 0
        assert position.realized_1e17 + position.unrealized_1e17() == exposure.pnl_1e17()
        assert abs(Fraction(position.realized_1e17, Q) - model.realized) <= slack
        total = model.realized + model.unrealized(mid)
        assert abs(Fraction(exposure.pnl_1e17(), Q) - total) <= slack + Fraction(1, Q)
        assert position.realized_1e9 == position.realized_1e17 // Q
        if model.qty:
            assert abs(position.avg_entry_1e9 - model.entry) < 1 + slack * Q / abs(model.qty)
        else:
            assert (position.avg_entry_1e9, position.cost_1e17, position.unrealized_1e9) == (0, 0, 0)
    assert position.fill_count == len(fills)
    assert position.fees_1e9 == sum(fee for *_, fee in fills)


@given(fills=st.lists(st.tuples(st.integers(1, 10**12), st.integers(1, 10**14)), min_size=1, max_size=12), side=SIDES)
def test_the_average_entry_of_what_was_only_added_to_is_exact_and_rounded_down(
    fills: list[tuple[int, int]], side: int
) -> None:
    position = Position()
    for qty, px in fills:
        position.fill(side, qty, px, 0)
    exact = Fraction(sum(qty * px for qty, px in fills), sum(qty for qty, _ in fills))
    assert position.avg_entry_1e9 == _floor(exact)
    assert position.realized_1e9 == 0


@given(fills=FILLS, px=st.integers(1, 10**15))
def test_when_flat_the_money_is_what_came_in_less_what_went_out(fills: list[Fill], px: int) -> None:
    """No rounding survives the end of a position: nothing is lost or made on the way."""
    position = Position()
    fills = list(fills)
    held = sum(side * qty for side, qty, _, _ in fills)
    if held:
        fills.append((-1 if held > 0 else 1, abs(held), px, 0))
    for fill in fills:
        position.fill(*fill)
    assert position.qty_1e8 == 0
    assert position.realized_1e17 == sum(-side * qty * px - fee * Q for side, qty, px, fee in fills)


@pytest.mark.parametrize("side", [1, -1])
def test_a_flip_closes_at_the_old_entry_and_opens_at_the_new_price(side: int) -> None:
    position = Position()
    position.fill(side, 2 * Q, 100 * P, 0)
    position.fill(-side, 5 * Q, 110 * P, 0)
    assert position.realized_1e9 == side * 20 * P
    assert (position.qty_1e8, position.avg_entry_1e9) == (-side * 3 * Q, 110 * P)


@pytest.mark.parametrize("side", [1, -1])
def test_exactly_flat_is_flat(side: int) -> None:
    position = Position()
    position.fill(side, 3, 100 * P + 1, 0)
    position.fill(-side, 1, 99 * P, 0)
    position.fill(-side, 2, 99 * P, 0)
    assert (position.qty_1e8, position.cost_1e17, position.avg_entry_1e9) == (0, 0, 0)
    assert position.realized_1e17 == -side * 3 * (P + 1)


def test_fees_come_off_realised_and_rebates_come_on() -> None:
    position = Position()
    position.fill(1, Q, 100 * P, P // 4)
    assert position.realized_1e9 == -(P // 4)
    position.fill(-1, Q, 100 * P, -P)
    assert (position.realized_1e9, position.fees_1e9) == (P - P // 4, P // 4 - P)


@pytest.mark.parametrize(("mid_sum", "unrealized"), [(2 * 100 * P + 1, 0), (2 * 100 * P - 1, -1), (0, 0)])
def test_unrealised_is_rounded_down_and_unmarked_without_a_mid(mid_sum: int, unrealized: int) -> None:
    position = Position()
    position.fill(1, Q, 100 * P, 0)
    position.mid_sum_1e9 = mid_sum
    assert position.unrealized_1e9 == unrealized


@given(before=FILLS, after=FILLS, mid_sums=st.tuples(*[st.integers(1, 2 * 10**15)] * 2))
def test_a_session_is_what_was_gained_since_its_start(
    before: list[Fill], after: list[Fill], mid_sums: tuple[int, int]
) -> None:
    position, exposure, ledger = Position(), Exposure(Mark()), Ledger("account", "USD")
    exposure.ledgers = (ledger,)
    for fills, mid_sum in ((before, mid_sums[0]), (after, mid_sums[1])):
        start = position.realized_1e17 + position.unrealized_1e17()
        position.new_session()
        ledger.new_day()
        assert position.session_1e9 == ledger.loss_1e9 == 0
        for fill in fills:
            position.fill(*fill)
            exposure.trade(*fill)
            exposure.settle()
        position.mid_sum_1e9 = exposure.mark.mid_sum_1e9 = mid_sum
        exposure.settle()
        gained = position.realized_1e17 + position.unrealized_1e17() - start
        assert ledger.total_1e17 - ledger.start_1e17 == gained
        assert position.session_1e9 == -ledger.loss_1e9 == gained // Q
