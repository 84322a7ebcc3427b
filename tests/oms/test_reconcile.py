"""What a picture proves and what it does not, rule by rule (docs/orders.md, "How doubt ends")."""

from __future__ import annotations

import msgspec
import pytest

from connectors.events import ExecReport, ExecType, OrderStatus
from oms.pacer import Pacer
from oms.reconcile import Comparison, Reconciler
from oms.state import OrderState
from tests.oms.bench import DEADLINE, VISIBLE, Bench
from tests.oms.model import OURS, Fact, S
from tests.oms.pictures import LATE, kinds, one_order, picture_of, record_of

# --- executions and ends ---------------------------------------------------------------------------------------------


def test_lost_executions_are_told_oldest_first_before_the_end_and_once() -> None:
    bench, name = one_order(told=False)
    for qty in (2, 3):
        bench.now += S
        bench.fill(name, qty)
    bench.now += S
    bench.expire(name)
    told = bench.look()
    assert [(r.exec_type, r.last_qty_1e8, r.cum_qty_1e8, r.leaves_qty_1e8) for r in told.reports] == [
        (ExecType.TRADE, 2, 2, 8), (ExecType.TRADE, 3, 5, 5), (ExecType.EXPIRED, 0, 5, 0)]  # fmt: skip
    bench.is_as_it_is(name)
    assert bench.look().is_equal


@pytest.mark.parametrize("told", [True, False])
def test_a_fill_that_nobody_told_ends_it_as_filled(told: bool) -> None:
    bench, name = one_order(filled=10, told=False)
    if told:  # the execution was told, but not that it left nothing
        bench.amend(name, 5, 12)
        bench.hear(ExecReport(client_order_id=name, exec_type=ExecType.TRADE, instrument=0, exec_id="e1",
                              last_qty_1e8=10, last_px_1e9=5))  # fmt: skip
        assert bench.order(name).state is OrderState.PARTIALLY_FILLED
        bench.account.fold(ExecReport(client_order_id=name, exec_type=ExecType.REPLACE_REJECTED, instrument=0))
    bench.look()
    bench.is_as_it_is(name)
    assert bench.oms.fills == 1


def test_an_end_waits_for_the_executions_that_it_counts() -> None:
    bench, name = one_order(told=False)
    bench.doubt(name)
    bench.fill(name, 2)
    bench.fill(name, 5)
    bench.expire(name)
    whole = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    first = bench.read(msgspec.structs.replace(whole, trades=whole.trades[:1]))
    assert (kinds(first), list(first.in_doubt)) == ([ExecType.TRADE], [name])
    assert bench.order(name).filled_1e8 == 2 and not bench.order(name).is_finished
    bench.read(whole)
    bench.is_as_it_is(name)


def test_executions_alone_prove_that_it_was_there_not_that_it_ended() -> None:
    bench, name = one_order(filled=4, told=False)
    bench.doubt(name)
    whole = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    for _ in range(3):
        bench.now += LATE
        said = bench.read(msgspec.structs.replace(whole, asked_ns=bench.now, open=()))
        assert not bench.order(name).is_finished
    assert name in said.in_doubt
    assert bench.order(name).filled_1e8 == 4


def test_executions_of_the_old_total_are_no_end_while_an_amend_may_have_landed() -> None:
    bench, name = one_order(filled=10, told=False)
    bench.amend(name, 5, 15)
    now = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    said = bench.read(msgspec.structs.replace(now, open=(), closed=()))
    assert [(one.cum_qty_1e8, one.leaves_qty_1e8) for one in said.reports] == [(10, 5)]
    assert bench.order(name).state is OrderState.PARTIALLY_FILLED
    assert bench.account.live[name].leaves_1e8 == 5


def test_more_executed_than_its_record_ended_with_concludes_nothing() -> None:
    bench, name = one_order(filled=4)
    closed = record_of(bench, name, status=OrderStatus.CANCELED, cum_qty_1e8=3)
    said = bench.read(picture_of(bench, closed=(closed,)))
    assert (said.reports, list(said.in_doubt)) == ([], [name])


def test_the_rest_of_an_end_is_owed_until_its_executions_came() -> None:
    """CANCELED with 7 filled while 2 was told, then 5."""
    bench, name = one_order(filled=2)
    bench.fill(name, 5)
    bench.expire(name)
    last, end = bench.wire
    bench.hear(end)
    order = bench.order(name)
    assert (order.state, order.owed_1e8, list(bench.oms.owed)) == (OrderState.EXPIRED, 5, [name])
    said = bench.reconciler.compare(picture_of(bench), bench.oms, bench.now)
    assert list(said.in_doubt) == [name]
    bench.hear(last)
    bench.hear(last)
    assert (order.filled_1e8, order.owed_1e8, bench.oms.owed, bench.oms.anomalies) == (7, 0, {}, 0)
    bench.is_as_it_is(name)


def test_what_is_owed_is_found_in_a_picture() -> None:
    bench, name = one_order(filled=2)
    bench.fill(name, 5)
    bench.expire(name)
    bench.hear(bench.wire[1])
    bench.look()
    assert not bench.oms.owed
    bench.is_as_it_is(name)


# --- never reached ---------------------------------------------------------------------------------------------------


def _doubted(*, landed: bool = False) -> tuple[Bench, str]:
    bench, name = one_order(landed=landed, told=False)
    bench.flying.clear()
    bench.doubt(name)
    return bench, name


def test_what_never_got_there_is_over_after_two_looks_far_enough_apart() -> None:
    bench, name = _doubted()
    bench.now += DEADLINE + VISIBLE - 1
    assert list(bench.look().in_doubt) == [name]  # it may still show
    bench.now += 1
    assert list(bench.look().in_doubt) == [name]
    bench.now += VISIBLE  # the first was read at that moment: not later than lag reaches
    assert list(bench.look().in_doubt) == [name]
    bench.now += 1
    said = bench.look()
    assert kinds(said) == [ExecType.REJECTED] and "never reached" in said.reports[0].text
    assert (bench.order(name).state, list(bench.account.live)) == (OrderState.REJECTED, [])


def test_a_picture_that_does_not_reach_back_proves_no_absence() -> None:
    bench, name = _doubted()
    since = bench.now + 1
    for _ in range(3):
        bench.now += LATE
        assert list(bench.look(since=since).in_doubt) == [name]
    assert bench.reconciler.reach_ns(bench.oms, bench.now) == since - 1


@pytest.mark.parametrize("word", ["venue id", "ack"])
def test_what_the_venue_once_had_is_never_taken_for_lost(word: str) -> None:
    bench, name = _doubted()
    bench.hear(ExecReport(client_order_id=name, exec_type=ExecType.NEW, instrument=0,
                          venue_order_id="O1" if word == "venue id" else ""))  # fmt: skip
    bench.doubt(name)
    for _ in range(4):
        bench.now += LATE
        said = bench.look()
        assert list(said.in_doubt) == [name]
    assert bench.order(name).state is OrderState.UNKNOWN


def test_a_look_in_between_that_finds_it_begins_anew() -> None:
    bench, name = _doubted(landed=True)
    nothing = [picture_of(bench), picture_of(bench)]
    bench.now += LATE
    bench.read(msgspec.structs.replace(nothing[0], asked_ns=bench.now))
    bench.now += VISIBLE + S
    bench.look()
    assert bench.order(name).state is OrderState.NEW


# --- open ------------------------------------------------------------------------------------------------------------


def test_doubt_ends_where_the_venue_shows_it_open_after_the_doubt() -> None:
    bench, name = one_order()
    bench.now += LATE
    asked = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    bench.now += S
    bench.doubt(name)  # the link was lost while the answers came
    assert list(bench.read(asked).in_doubt) == [name]
    assert bench.order(name).state is OrderState.UNKNOWN
    bench.now += VISIBLE
    assert kinds(bench.look()) == [ExecType.NEW]
    assert bench.order(name).state is OrderState.NEW


@pytest.mark.parametrize("state", [OrderState.PENDING_CANCEL, OrderState.UNKNOWN])
def test_a_cancel_that_had_no_effect_is_known_when_it_can_have_none_any_more(state: OrderState) -> None:
    bench, name = one_order(filled=1)
    bench.cancel(name)
    bench.flying.clear()
    if state is OrderState.UNKNOWN:
        bench.doubt(name)
    bench.now += DEADLINE + VISIBLE - 1
    bench.look()
    assert bench.order(name).state is state
    bench.now += 1
    told = bench.look()
    want = ExecType.CANCEL_REJECTED if state is OrderState.PENDING_CANCEL else ExecType.NEW
    assert kinds(told) == [want]
    bench.is_as_it_is(name)


@pytest.mark.parametrize("took_effect", [True, False])
def test_an_amend_whose_answer_was_lost_is_what_the_record_shows(took_effect: bool) -> None:
    bench, name = one_order()
    bench.amend(name, 6, 12)
    if took_effect:
        bench.land(0)
    bench.flying.clear()
    bench.wire.clear()
    for _ in range(2):
        bench.now += VISIBLE - DEADLINE
        bench.look()
    assert (bench.order(name).asked, bench.account.live[name].leaves_1e8) in ((((6, 12),), 12), ((), 10))
    for _ in range(2):
        bench.now += LATE
        bench.look()
    bench.is_as_it_is(name)
    assert bench.order(name).qty_1e8 == (12 if took_effect else 10)


def test_an_amend_that_may_still_land_is_not_judged_and_a_fill_of_the_old_total_no_end() -> None:
    bench, name = one_order()
    bench.amend(name, 5, 15)
    bench.land(0)
    bench.fill(name, 10)
    old = record_of(bench, name, qty_1e8=10, cum_qty_1e8=0)
    trades = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now).trades
    said = bench.read(picture_of(bench, open=(old,), trades=trades))
    assert kinds(said) == [ExecType.TRADE] and said.reports[0].leaves_qty_1e8 == 5
    assert bench.order(name).state is OrderState.PARTIALLY_FILLED
    assert bench.order(name).asked and bench.account.live[name].leaves_1e8 == 5


def test_what_the_stream_told_since_is_not_undone() -> None:
    bench, name = one_order()
    bench.now += LATE
    old = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    bench.fill(name, 4)
    bench.expire(name)
    for report in bench.wire:
        bench.hear(report)
    said = bench.read(old)
    assert (said.reports, said.in_doubt, said.lagging) == ([], {}, 1)
    assert (bench.order(name).state, bench.order(name).filled_1e8) == (OrderState.EXPIRED, 4)


def test_the_venues_own_change_must_last() -> None:
    """The stream told of it; the lists show the old terms for as long as they lag, and no longer."""
    bench, name = one_order()
    old = bench.truth.picture(0, bench.now, lambda _l, _n: bench.now)
    for report in bench.truth.happen(Fact(bench.now, name, "amended", 5, 8)):
        bench.hear(report)
    assert bench.read(msgspec.structs.replace(old, asked_ns=bench.now + S)).lagging == 1
    assert bench.order(name).qty_1e8 == 8
    bench.now += VISIBLE + 2 * S
    assert bench.look().is_equal


# --- when ------------------------------------------------------------------------------------------------------------


def test_doubt_is_looked_at_again_with_back_off_and_calm_each_minute() -> None:
    doubt, calm = Comparison([], [], {"vg-1": "why"}, []), Comparison([], [], {}, [])
    pacer, now, waits = Pacer(0), 0, []
    for said in (doubt,) * 7 + (calm, calm, doubt):
        pacer.looked(said, now)
        waits.append((pacer.next_ns - now) // S)
        now = pacer.next_ns
    assert waits == [2, 5, 10, 20, 30, 30, 30, 60, 60, 2]
    pacer.looked(calm, now)
    pacer.hurry(now + S)
    assert pacer.next_ns == now + 3 * S


# --- a venue that forgets --------------------------------------------------------------------------------------------

KEEPS = 7_200 * S


def forgetful(*, filled: int = 0) -> tuple[Bench, str]:
    """An order that the venue had, and that was cancelled while nobody listened."""
    bench, name = one_order(filled=filled)
    bench.reconciler = Reconciler(DEADLINE, VISIBLE, OURS, {0}, keeps_ns=KEEPS)
    bench.doubt(name)
    return bench, name


def nothing(bench: Bench, since_ns: int = 0) -> Comparison:
    """A picture in which it is in no list; asked and read at once."""
    picture = picture_of(bench, open=(), closed=(), trades=())
    return bench.read(msgspec.structs.replace(picture, since_ns=since_ns))


def test_what_a_venue_has_forgotten_was_cancelled() -> None:
    bench, name = forgetful()
    bench.now += KEEPS
    assert list(nothing(bench).in_doubt) == [name], "it may not be so old yet, or have ended between the lists"
    bench.now += LATE
    assert list(nothing(bench).in_doubt) == [name], "once is no proof"
    bench.now += LATE
    told = nothing(bench)
    assert kinds(told) == [ExecType.CANCELED]
    assert bench.order(name).state is OrderState.CANCELED


@pytest.mark.parametrize("why", ["younger", "seen lately", "trades missing", "never forgets"])
def test_what_it_cannot_have_forgotten_is_no_end(why: str) -> None:
    bench, name = forgetful()
    since_ns = 0
    if why == "never forgets":
        bench.reconciler = Reconciler(DEADLINE, VISIBLE, OURS, {0})
    if why != "younger":
        bench.now += KEEPS + LATE
    if why == "seen lately":
        bench.read(picture_of(bench, open=(record_of(bench, name),)))
        bench.doubt(name)
    if why == "trades missing":
        since_ns = bench.now
    for _ in range(4):
        bench.now += LATE
        told = nothing(bench, since_ns)
        assert kinds(told) == [] and name in told.in_doubt
    assert not bench.order(name).is_finished
