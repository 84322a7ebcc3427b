"""Orders that nobody here knows, and pictures that contradict themselves or us (docs/orders.md)."""

from __future__ import annotations

import msgspec
import pytest

from connectors.events import ExecReport, ExecType, OrderStatus, Picture, VenueTrade
from oms.reconcile import Comparison
from oms.state import OrderState
from tests.oms.bench import BUY, VISIBLE, Bench
from tests.oms.model import OURS, VENUE, Fact, S
from tests.oms.pictures import LATE, one_order, picture_of, record_of

# --- adoption --------------------------------------------------------------------------------------------------------


def _stranger(bench: Bench, name: str, filled: int = 0) -> None:
    bench.truth.asked[name] = (BUY, 0, "Ox")
    bench.truth.happen(Fact(bench.now, name, "landed", 5, 10))
    if filled:
        bench.truth.happen(Fact(bench.now, name, "fill", 5, filled, "x1"))


def _compare(bench: Bench, picture: Picture) -> Comparison:
    return bench.reconciler.compare(picture, bench.oms, bench.now)


def test_an_order_of_a_lost_life_is_adopted_once_it_lasts_and_its_fills_are_booked_nowhere() -> None:
    bench = Bench()
    _stranger(bench, f"{OURS}old-1", filled=3)
    now = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    first = _compare(bench, now)
    assert (first.adopt, list(first.in_doubt)) == ([], [f"{OURS}old-1"])
    bench.now += VISIBLE + S
    without = msgspec.structs.replace(now, asked_ns=bench.now, trades=())
    assert _compare(bench, without).adopt == []  # not before its executions are known by id
    assert bench.reconciler.reach_ns(bench.oms, bench.now) == now.open[0].opened_ns
    said = _compare(bench, msgspec.structs.replace(now, asked_ns=bench.now))
    (record,) = said.adopt
    order = bench.oms.adopt(record, 0, 7, bench.now, said.executed[record.client_order_id])
    assert (order.state, order.filled_1e8, order.leaves_1e8) == (OrderState.PARTIALLY_FILLED, 3, 7)
    assert bench.oms.position(0, 0).qty_1e8 == 0
    bench.truth.happen(Fact(bench.now, order.client_order_id, "fill", 5, 2, "x2"))
    bench.account.live.clear()
    told = _compare(bench, bench.truth.picture(0, bench.now, lambda _l, _n: bench.now))
    assert [report.exec_id for report in told.reports] == ["x2"]
    for report in told.reports:
        bench.oms.apply(report)
    assert (order.filled_1e8, bench.oms.position(0, 0).qty_1e8) == (5, 2)
    old = ExecReport(client_order_id=order.client_order_id, exec_type=ExecType.TRADE, instrument=0, exec_id="x0",
                     last_qty_1e8=1, last_px_1e9=5, cum_qty_1e8=1, leaves_qty_1e8=9)  # fmt: skip
    bench.oms.apply(old)  # of before, and not in the list
    assert (order.filled_1e8, bench.oms.position(0, 0).qty_1e8) == (5, 2)


def test_an_end_that_was_none_is_found_and_loud() -> None:
    bench, name = one_order(filled=2)
    bench.hear(ExecReport(client_order_id=name, exec_type=ExecType.CANCELED, instrument=0))  # phantom
    assert bench.look().adopt == []
    bench.now += VISIBLE + S
    said = _compare(bench, bench.truth.picture(0, bench.now, lambda _l, _n: bench.now))
    assert [one.client_order_id for one in said.adopt] == [name]
    assert [notice.level for notice in said.notices] == ["error"]
    order = bench.oms.adopt(said.adopt[0], 0, 1, bench.now, said.executed[name])
    assert (order.filled_1e8, bench.oms.position(0, 0).qty_1e8, name in bench.oms.finished) == (2, 2, False)


def test_what_is_not_ours_is_counted_and_what_is_closed_and_unknown_is_of_before() -> None:
    bench = Bench()
    for name in ("human", f"{OURS}old-2"):
        _stranger(bench, name)
    bench.truth.happen(Fact(bench.now, f"{OURS}old-2", "expired"))
    said = bench.look()
    assert (said.foreign, said.is_equal) == (1, True)
    unnamed = msgspec.structs.replace(record_of(bench, "human"), client_order_id="")
    assert _compare(bench, picture_of(bench, open=(unnamed,))).foreign == 1


def test_ours_at_a_market_that_is_not_followed_is_doubt_not_adoption() -> None:
    bench = Bench()
    _stranger(bench, f"{OURS}old-3")
    record = record_of(bench, f"{OURS}old-3", instrument=-1)
    for _ in range(3):
        bench.now += LATE
        said = _compare(bench, picture_of(bench, open=(record,)))
        assert (said.adopt, list(said.in_doubt)) == ([], [record.client_order_id])


# --- contradictions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["cum", "side", "market", "venue id", "twice", "exec", "filled nothing", "negative"])
def test_a_picture_that_contradicts_itself_or_us_concludes_nothing(what: str) -> None:
    bench, name = one_order(filled=2)
    bench.doubt(name)
    bench.now += LATE
    now = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    (record,), (trade,) = now.open, now.trades
    change = msgspec.structs.replace
    closed = change(record, status=OrderStatus.CANCELED)
    picture = {
        "cum": change(now, open=(change(record, cum_qty_1e8=11),)),
        "side": change(now, open=(change(record, side=-1),)),
        "market": change(now, open=(), closed=(change(closed, instrument=3),)),
        "venue id": change(now, open=(), closed=(change(closed, venue_order_id="O9"),)),
        "twice": change(now, open=(record, change(record, px_1e9=9))),
        "exec": change(now, trades=(trade, change(trade, qty_1e8=3))),
        "filled nothing": change(now, open=(), closed=(change(closed, status=OrderStatus.FILLED, cum_qty_1e8=0),)),
        "negative": change(now, trades=(change(trade, exec_id="e9", qty_1e8=-1),)),
    }[what]
    said = bench.read(picture)
    assert (said.reports, list(said.in_doubt), len(said.notices)) == ([], [name], 1)
    assert bench.read(picture).notices == []  # a person was told
    assert (bench.order(name).state, bench.order(name).filled_1e8) == (OrderState.UNKNOWN, 2)


def test_open_and_closed_at_once_is_a_race_and_no_alarm() -> None:
    bench, name = one_order()
    bench.now += LATE
    record = record_of(bench, name)
    both = picture_of(bench, open=(record,), closed=(msgspec.structs.replace(record, status=OrderStatus.EXPIRED),))
    said = bench.read(both)
    assert (said.reports, said.in_doubt, said.notices, said.lagging) == ([], {}, [], 1)


def test_what_the_venue_lists_without_our_id_is_known_by_its_own() -> None:
    bench, name = one_order(filled=2)
    bench.fill(name, 3)
    bench.expire(name)
    now = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    bare = msgspec.structs.replace
    bench.read(bare(now, closed=tuple(bare(one, client_order_id="") for one in now.closed),
                    trades=tuple(bare(one, client_order_id="") for one in now.trades)))  # fmt: skip
    bench.is_as_it_is(name)


def test_orders_of_other_venues_are_not_looked_for() -> None:
    bench, name = one_order(landed=False, told=False)
    bench.reconciler.markets = frozenset({1})
    for _ in range(3):
        bench.now += LATE
        assert bench.look().is_equal
    assert bench.order(name).state is OrderState.PENDING_NEW


def test_the_same_execution_under_two_orders_is_believed_of_neither() -> None:
    bench, name = one_order(filled=2, told=False)
    other = bench.submit(BUY, 5, 10)
    bench.land(0)
    now = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    (trade,) = now.trades
    stolen = VenueTrade(exec_id=trade.exec_id, venue_order_id="O2", client_order_id=other, instrument=0, side=BUY,
                        qty_1e8=2, px_1e9=5)  # fmt: skip
    said = bench.read(msgspec.structs.replace(now, trades=(trade, stolen)))
    assert (said.reports, set(said.in_doubt), now.venue) == ([], {name, other}, VENUE)
