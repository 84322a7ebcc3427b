"""The paper venue is never kinder than the market: what fills, at which price, for how much, and what it costs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.book import Level
from connectors.events import ExecReport, ExecType, RejectCode
from connectors.orders import Approved, NewOrder
from tests.support.paper_desk import FOK, IOC, LIMIT, MARKET, POST, Desk, Fill, P, Q, time_text


@pytest.fixture
def desk() -> Desk:
    made = Desk()
    made.show([(99, 5), (98, 10)], [(101, 5), (102, 10)])
    return made


def _fills(reports: list[ExecReport]) -> list[Fill]:
    fills = [report for report in reports if report.exec_type is ExecType.TRADE]
    return [(fill.client_order_id, fill.last_qty_1e8 // Q, fill.last_px_1e9 // P) for fill in fills]


def _kinds(reports: list[ExecReport]) -> list[str]:
    return [str(report.exec_type) for report in reports]


# --- takers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("side", "px", "fills"), [(1, 102, [("a", 5, 101), ("a", 2, 102)]), (-1, 98, [("a", 5, 99), ("a", 2, 98)])]
)
@pytest.mark.parametrize("kind", [LIMIT, MARKET, IOC, FOK])
def test_a_taker_walks_the_levels_best_first(desk: Desk, side: int, px: int, fills: list[Fill], kind: int) -> None:
    reports = desk.new("a", side, 7, px, kind)
    assert _kinds(reports) == ["new", "trade", "trade"]
    assert _fills(reports) == fills
    assert [(r.cum_qty_1e8 // Q, r.leaves_qty_1e8 // Q) for r in reports] == [(0, 7), (5, 2), (7, 0)]


@pytest.mark.parametrize(("second", "fills"), [(9, 0), (10, 0), (11, 1)], ids=["older", "as old", "younger"])
def test_a_trade_fills_only_an_order_that_was_there(second: int, fills: int) -> None:
    """A sweep's trade may arrive after the book that the sweep left behind, and after the order placed on that book."""
    desk = Desk()
    desk.times[0] = time_text(10)
    desk.show([(98, 1)], [(101, 1)])
    desk.new("c1", 1, 1, 99)
    assert len(desk.trade(98, 5, -1, second=second)) == fills


@pytest.mark.parametrize("text", ["", "yesterday"])
def test_a_book_without_a_time_proves_nothing(text: str) -> None:
    desk = Desk()
    desk.times[0] = text
    desk.show([(98, 1)], [(101, 1)])
    desk.new("c1", 1, 1, 99)
    assert desk.trade(98, 5, -1) == []


@pytest.mark.parametrize("side", [1, -1])
def test_what_was_taken_is_gone_until_the_venue_shows_it_smaller_or_gone(desk: Desk, side: int) -> None:
    px, far = (101, 98) if side > 0 else (99, 102)

    def show(size: int) -> None:
        level, other = [(px, size)] if size else [], [(far, 9)]
        desk.show(*((other, level) if side > 0 else (level, other)))

    def left() -> int:
        return sum(size for _, size, _ in _fills(desk.new("t", side, 100, px, IOC)))

    show(5)
    assert (left(), left()) == (5, 0)
    show(5)
    assert left() == 0, "the same size again is the same size we took"
    show(8)
    assert (left(), left()) == (3, 0), "only what was added"
    show(2)
    assert left() == 0, "what is shown now is what we took before"
    show(6)
    assert (left(), left()) == (4, 0)
    show(0)
    show(6)
    assert left() == 6, "the level left and is new"


def test_one_sides_taking_does_not_touch_the_other(desk: Desk) -> None:
    assert _fills(desk.new("a", 1, 5, 101, IOC)) == [("a", 5, 101)]
    assert _fills(desk.new("b", -1, 5, 99, IOC)) == [("b", 5, 99)]


@pytest.mark.parametrize(("kind", "px"), [(IOC, 101), (MARKET, 0)])
def test_what_an_ioc_or_market_order_cannot_fill_is_cancelled(desk: Desk, kind: int, px: int) -> None:
    desk.show([(99, 1)], [(101, 5)])
    reports = desk.new("a", 1, 7, px, kind)
    assert _kinds(reports) == ["new", "trade", "canceled"]
    assert (reports[-1].cum_qty_1e8, reports[-1].leaves_qty_1e8) == (5 * Q, 0)
    assert _kinds(desk.cancel("a")) == ["cancel_rejected"], "nothing rests"
    assert _kinds(desk.new("b", 1, 1, 100, IOC)) == ["new", "canceled"], "away from the market"


def test_fill_or_kill_takes_all_or_nothing(desk: Desk) -> None:
    assert _kinds(desk.new("a", 1, 6, 101, FOK)) == ["new", "canceled"]
    assert _kinds(desk.new("b", 1, 16, 102, FOK)) == ["new", "canceled"]
    assert _fills(desk.new("c", 1, 15, 102, FOK)) == [("c", 5, 101), ("c", 10, 102)], "a killed one took nothing"
    assert _kinds(desk.new("d", 1, 1, 102, FOK)) == ["new", "canceled"], "what was taken does not count again"


def test_the_rest_of_a_limit_order_rests_at_its_price(desk: Desk) -> None:
    assert _fills(desk.new("a", 1, 7, 101)) == [("a", 5, 101)]
    assert _fills(desk.show([(99, 5)], [(100, 1), (102, 1)])) == [("a", 1, 101)]


# --- fees --------------------------------------------------------------------------------------------------------


def test_takers_and_makers_pay_their_fee_rounded_up(desk: Desk) -> None:
    taken = desk.new("a", 1, 1, 101, IOC)[1]
    assert taken.fee_1e9 == 101 * P * 4_000 // 10**6
    desk.new("b", 1, 1, 100)
    (made,) = desk.trade(99, 1, -1)
    assert made.fee_1e9 == 100 * P * 2_500 // 10**6
    tiny = NewOrder("c", 0, 0, 1, 1, 101 * P, 1, IOC)
    (report,) = [r for r in desk.paper.submit(Approved(tiny, 9, 1, 1), 1) if isinstance(r, ExecReport) and r.exec_id]
    assert report.fee_1e9 == -(-101 * P * 4_000 // (Q * 10**6)) == 5


# --- resting orders ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, -1])
def test_a_resting_order_fills_on_a_trade_strictly_through_it_and_only_for_its_size(desk: Desk, side: int) -> None:
    assert _kinds(desk.new("a", side, 5, 100)) == ["new"]
    assert desk.trade(100, 50, -side) == [], "at our price: nobody knows our place in the queue"
    assert desk.trade(100 + side, 50, -side) == [], "on the far side of our price"
    assert desk.trade(100 - side, 50, -side, snapshot=True) == [], "history"
    assert _fills(desk.trade(100 - side, 2, -side)) == [("a", 2, 100)], "at its own price"
    assert _fills(desk.trade(100 - 3 * side, 50, -side)) == [("a", 3, 100)]
    assert desk.trade(100 - 3 * side, 50, -side) == []


@pytest.mark.parametrize("side", [1, -1])
def test_what_a_taker_of_our_own_side_takes_is_not_counted_beside_the_book(desk: Desk, side: int) -> None:
    """The other side showed 5 through our price: they are ours. That somebody else then bought them is the same 5."""
    desk.new("a", side, 10, 100)
    through = [(100 - side, 5)]
    fills = desk.show([(95, 1)], through) if side > 0 else desk.show(through, [(105, 1)])
    assert _fills(fills) == [("a", 5, 100)]
    assert desk.trade(100 - side, 5, side) == []


@pytest.mark.parametrize("side", [1, -1])
def test_a_resting_order_fills_when_the_book_crosses_it_and_only_for_what_is_shown(desk: Desk, side: int) -> None:
    desk.new("a", side, 9, 100)

    def show(*levels: Level) -> list[Fill]:
        return _fills(desk.show([(90, 1)], levels) if side > 0 else desk.show(levels, [(110, 1)]))

    assert show((100 + side, 50)) == []
    assert show((100, 2), (100 + side, 50)) == [("a", 2, 100)]
    assert show((100, 2), (100 + side, 50)) == [], "the same 2"
    assert show((100 - side, 1), (100, 3), (100 + side, 50)) == [("a", 1, 100), ("a", 1, 100)]
    assert show((100 - 2 * side, 50)) == [("a", 5, 100)], "its own price, however far the book went"


def test_own_orders_fill_by_price_then_time(desk: Desk) -> None:
    for name, px in (("late", 99), ("first", 100), ("second", 100), ("last", 98)):
        desk.new(name, 1, 2, px)
    assert _fills(desk.trade(97, 5, -1)) == [("first", 2, 100), ("second", 2, 100), ("late", 1, 99)]
    assert _fills(desk.show([], [(97, 2)])) == [("late", 1, 99), ("last", 1, 98)]


def test_two_own_orders_do_not_both_get_what_is_shown_once(desk: Desk) -> None:
    desk.new("a", 1, 4, 100)
    desk.new("b", 1, 4, 100)
    assert _fills(desk.show([(95, 1)], [(100, 5)])) == [("a", 4, 100), ("b", 1, 100)]
    assert _fills(desk.new("c", 1, 4, 100, IOC)) == []


# --- refusals, cancels, amends -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("side", "px", "crosses"), [(1, 101, True), (1, 100, False), (-1, 99, True), (-1, 100, False)])
def test_post_only_that_would_cross_is_refused_in_the_venues_words(
    desk: Desk, side: int, px: int, *, crosses: bool
) -> None:
    reports = desk.new("a", side, 1, px, POST)
    if not crosses:
        assert _kinds(reports) == ["new"]
        return
    (refusal,) = reports
    assert refusal.exec_type is ExecType.REJECTED
    assert (refusal.reject_code, refusal.text) == (RejectCode.INVALID_PARAMS, "EOrder:Post only order")
    assert _kinds(desk.cancel("a")) == ["cancel_rejected"]


def test_cancel_and_amend_of_the_unknown_are_refused_in_the_venues_words(desk: Desk) -> None:
    desk.new("a", 1, 1, 100)
    assert _kinds(desk.cancel("a")) == ["canceled"]
    for (refusal,), kind in ((desk.cancel("a"), "cancel_rejected"), (desk.amend("a", 1, 2, 100), "replace_rejected")):
        assert refusal.exec_type == kind
        assert (refusal.reject_code, refusal.text) == (RejectCode.INVALID_PARAMS, "EOrder:Unknown order")
    assert desk.trade(90, 50, -1) == [], "cancelled is cancelled"


def test_an_amend_keeps_what_is_filled_and_reports_the_new_total(desk: Desk) -> None:
    desk.new("a", 1, 4, 100)
    desk.trade(99, 3, -1)
    (report,) = desk.amend("a", 1, 6, 99)
    assert report.exec_type is ExecType.REPLACED
    assert (report.px_1e9, report.qty_1e8, report.cum_qty_1e8, report.leaves_qty_1e8) == (99 * P, 6 * Q, 3 * Q, 3 * Q)
    assert _fills(desk.trade(98, 50, -1)) == [("a", 3, 99)]


@pytest.mark.parametrize("total", [3, 2])
def test_an_amend_to_no_more_than_is_filled_ends_the_order(desk: Desk, total: int) -> None:
    desk.new("a", 1, 4, 100)
    desk.trade(99, 3, -1)
    reports = desk.amend("a", 1, total, 100)
    assert _kinds(reports) == ["replaced", "canceled"]
    assert all((report.cum_qty_1e8, report.leaves_qty_1e8) == (3 * Q, 0) for report in reports)
    assert reports[0].qty_1e8 == 3 * Q, "never below what is filled"
    assert desk.trade(90, 50, -1) == []


def test_an_amend_through_the_market_takes_at_the_takers_fee(desk: Desk) -> None:
    desk.new("a", 1, 4, 100)
    reports = desk.amend("a", 1, 7, 101)
    assert _fills(reports) == [("a", 5, 101)]
    assert reports[1].fee_1e9 == 5 * 101 * P * 4_000 // 10**6


@pytest.mark.parametrize(("size", "px", "is_first"), [(2, 100, True), (1, 100, True), (3, 100, False), (2, 99, False)])
def test_an_amend_loses_its_place_unless_it_only_shrinks(desk: Desk, size: int, px: int, *, is_first: bool) -> None:
    desk.new("a", 1, 2, 100)
    desk.new("b", 1, 2, px)
    desk.amend("a", 1, size, px)
    assert _fills(desk.trade(90, 1, -1)) == [("a" if is_first else "b", 1, px)]


# --- any market, any orders --------------------------------------------------------------------------------------
SIZES = st.integers(1, 9)
PRICES = st.integers(95, 105)
BOOKS = st.tuples(st.dictionaries(st.integers(94, 106), SIZES, max_size=6), st.integers(95, 106))  # asks begin there
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), BOOKS),
        st.tuples(st.just("trade"), st.tuples(PRICES, SIZES, st.sampled_from([1, -1]))),
        st.tuples(st.just("new"), st.tuples(st.sampled_from([1, -1]), SIZES, PRICES, st.integers(0, 4))),
        st.tuples(st.just("cancel"), st.integers(0, 10)),
        st.tuples(st.just("amend"), st.tuples(st.integers(0, 10), SIZES, PRICES)),
    ),
    max_size=40,
)


class Audit:
    """What the market ever offered, and what our orders got of it."""

    def __init__(self) -> None:
        self.desk = Desk()
        self.shown: dict[int, dict[int, int]] = {1: {}, -1: {}}  # taker's side → price → size
        self.offered = {1: 0, -1: 0}  # all that was ever shown or grew, by taker's side
        self.took = {1: 0, -1: 0}
        self.orders: dict[str, tuple[int, int, int]] = {}  # side, total, price as they stand
        self.filled: dict[str, int] = {}
        self.ended: set[str] = set()
        self.exec_ids: set[str] = set()

    def book(self, levels: dict[int, int], asks_from: int) -> None:
        now = {1: {}, -1: {}}  # type: dict[int, dict[int, int]]
        for px, size in levels.items():
            now[1 if px >= asks_from else -1][px] = size
        for side, shown in now.items():
            self.offered[side] += sum(max(size - self.shown[side].get(px, 0), 0) for px, size in shown.items())
        self.shown = now
        reports = self.desk.show(list(now[-1].items()), list(now[1].items()))
        for report in self.audit(reports):
            side, _, px = self.orders[report.client_order_id]
            assert report.last_px_1e9 == px * P
            assert any((px - at) * side >= 0 for at in now[side])
            self.took[side] += report.last_qty_1e8 // Q

    def trade(self, px: int, size: int, taker: int) -> None:
        fills = self.audit(self.desk.trade(px, size, taker))
        assert sum(fill.last_qty_1e8 for fill in fills) <= size * Q
        for fill in fills:
            side, _, own = self.orders[fill.client_order_id]
            assert (fill.last_px_1e9, taker) == (own * P, -side)
            assert (own - px) * side > 0

    def new(self, side: int, size: int, px: int, kind: int) -> None:
        name = f"o{len(self.orders)}"
        self.orders[name] = (side, size, px)
        reports = self.desk.new(name, side, size, px, kind)
        self.taker(side, None if kind == MARKET else px, reports)
        assert kind in (LIMIT, POST) or name in self.ended
        if kind == FOK:
            assert self.filled.get(name, 0) in (0, size)
        if kind == POST:
            assert not self.filled.get(name)

    def amend(self, n: int, size: int, px: int) -> None:
        name = f"o{n}"
        if name not in self.orders:
            return
        side = self.orders[name][0]
        ended = name in self.ended
        if not ended:
            self.orders[name] = (side, max(size, self.filled.get(name, 0)), px)
        reports = self.desk.amend(name, side, size, px)
        assert (_kinds(reports) == ["replace_rejected"]) is ended
        self.taker(side, px, reports)

    def cancel(self, n: int) -> None:
        if f"o{n}" in self.orders:
            ended = f"o{n}" in self.ended
            reports = self.desk.cancel(f"o{n}")
            assert _kinds(reports) == ["cancel_rejected" if ended else "canceled"]
            self.audit(reports)

    def taker(self, side: int, limit: int | None, reports: list[ExecReport]) -> None:
        fills = self.audit(reports)
        prices = [fill.last_px_1e9 // P for fill in fills]
        assert all((later - earlier) * side > 0 for earlier, later in pairwise(prices))
        for fill, px in zip(fills, prices, strict=True):
            assert 0 < fill.last_qty_1e8 <= self.shown[side].get(px, 0) * Q
            assert limit is None or (px - limit) * side <= 0
            self.took[side] += fill.last_qty_1e8 // Q

    def audit(self, reports: list[ExecReport]) -> list[ExecReport]:
        """Sums and ends of every order; returns the fills."""
        for report in reports:
            name = report.client_order_id
            if report.exec_type in (ExecType.CANCEL_REJECTED, ExecType.REPLACE_REJECTED):
                continue
            assert name not in self.ended
            total = self.orders[name][1] * Q
            if report.exec_type is ExecType.TRADE:
                assert report.exec_id not in self.exec_ids
                self.exec_ids.add(report.exec_id)
                self.filled[name] = self.filled.get(name, 0) + report.last_qty_1e8 // Q
                assert report.leaves_qty_1e8 == total - report.cum_qty_1e8 >= 0
                assert report.fee_1e9 > 0
            assert report.cum_qty_1e8 == self.filled.get(name, 0) * Q
            is_done = report.exec_type is ExecType.TRADE and report.leaves_qty_1e8 == 0
            if is_done or report.exec_type in (ExecType.CANCELED, ExecType.REJECTED):
                assert report.leaves_qty_1e8 == 0
                self.ended.add(name)
        return [report for report in reports if report.exec_type is ExecType.TRADE]


@given(STEPS)
@settings(max_examples=400, deadline=None)
def test_no_market_ever_gives_more_than_it_offered(steps: list[tuple[str, object]]) -> None:
    audit = Audit()
    for name, args in steps:
        getattr(audit, name)(*(args if isinstance(args, tuple) else (args,)))
        assert all(audit.took[side] <= audit.offered[side] for side in (1, -1))
