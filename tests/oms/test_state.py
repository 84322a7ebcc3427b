"""The life of an order: every pair of state and report, from outside; executions are facts whatever the state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType
from connectors.orders import AmendOrder, Approved, CancelOrder, NewOrder
from oms.manager import FINISHED_KEPT, Oms, Order
from oms.state import TERMINAL, TRANSITIONS, Anomaly, Ignored, OrderState, table
from tests.support.data import ROOT

S, E = OrderState, ExecType
QTY = 10 * 10**8
PX = 100 * 10**9

# where each report leads from each state while something is left of the order; "" leaves it and is well, "!" leaves it
# and is an anomaly. Columns: COLUMNS
COLUMNS = [E.NEW, E.TRADE, E.CANCELED, E.REJECTED, E.EXPIRED, E.REPLACED, E.REPLACE_REJECTED, E.CANCEL_REJECTED,
           E.UNKNOWN]  # fmt: skip
EXPECTED: dict[OrderState, list[str]] = {
    S.PENDING_NEW: ["NEW", "PARTIALLY_FILLED", "CANCELED", "REJECTED", "EXPIRED", "NEW", "PENDING_NEW", "PENDING_NEW",
                    "UNKNOWN"],
    S.NEW: ["NEW", "PARTIALLY_FILLED", "CANCELED", "REJECTED", "EXPIRED", "NEW", "NEW", "NEW", "UNKNOWN"],
    S.PARTIALLY_FILLED: ["PARTIALLY_FILLED", "PARTIALLY_FILLED", "CANCELED", "REJECTED", "EXPIRED", "PARTIALLY_FILLED",
                         "PARTIALLY_FILLED", "PARTIALLY_FILLED", "UNKNOWN"],
    S.PENDING_CANCEL: ["PENDING_CANCEL", "PENDING_CANCEL", "CANCELED", "REJECTED", "EXPIRED", "PENDING_CANCEL",
                       "PENDING_CANCEL", "NEW", "UNKNOWN"],
    S.UNKNOWN: ["NEW", "PARTIALLY_FILLED", "CANCELED", "REJECTED", "EXPIRED", "NEW", "UNKNOWN", "UNKNOWN", "UNKNOWN"],
    S.FILLED: ["", "!", "!", "!", "!", "!", "", "", ""],  # replaced by a larger total: it was not filled
    S.CANCELED: ["", "", "", "!", "!", "", "", "", ""],
    S.REJECTED: ["!", "!", "!", "", "!", "!", "", "", ""],
    S.EXPIRED: ["", "", "!", "!", "", "", "", "", ""],
}  # fmt: skip
PAIRS = [(state, kind) for state in OrderState for kind in ExecType]


class Book:
    """One order in an OMS and the reports about it."""

    def __init__(self) -> None:
        self.oms = Oms()
        self.new = NewOrder("c1", 0, 0, 7, 1, PX, QTY, 0)
        self.order: Order = self.oms.submit(Approved(self.new, 1, 0, 1))
        self.executions = 0

    def report(self, kind: ExecType, **fields: int | str) -> str:
        applied = self.oms.apply(ExecReport(client_order_id="c1", exec_type=kind, instrument=0, **fields))  # type: ignore[arg-type]
        assert applied is not None
        assert applied.order is self.order
        return applied.anomaly

    def trade(self, qty_1e8: int, *, leaves: int | None = None, exec_id: str = "") -> str:
        self.executions += 1
        cum = self.order.filled_1e8 + qty_1e8
        return self.report(
            E.TRADE, exec_id=exec_id or f"e{self.executions}", last_qty_1e8=qty_1e8, last_px_1e9=PX, cum_qty_1e8=cum,
            leaves_qty_1e8=max(self.order.qty_1e8 - cum, 0) if leaves is None else leaves,
        )  # fmt: skip

    def ask_cancel(self) -> None:
        self.oms.cancel(Approved(CancelOrder("c1", 0, 0, 7, "a"), 2, 0, 1))

    def state(self) -> OrderState:
        return self.order.state

    def position(self) -> int:
        return self.oms.position(0, 0).qty_1e8


def _in(state: OrderState, *, filled: int = 0) -> Book:
    """An order brought to a state by what a venue would say."""
    book = Book()
    if state is not S.PENDING_NEW:
        book.report(E.NEW)
    if filled and state is not S.PENDING_NEW:
        book.trade(filled)
    if state is S.PARTIALLY_FILLED and not filled:
        book.trade(10**8)
    elif state is S.PENDING_CANCEL:
        book.ask_cancel()
    elif state is S.REJECTED:
        book = Book()
        book.report(E.REJECTED)
    elif state is S.FILLED:
        book.trade(QTY - filled)
    elif state in (S.CANCELED, S.EXPIRED, S.UNKNOWN):
        book.report(E[state.name])
    assert book.state() is state
    return book


@pytest.mark.parametrize(("state", "kind"), PAIRS)
def test_every_pair_leads_where_the_table_says_or_is_an_anomaly_that_moves_nothing(
    state: OrderState, kind: ExecType
) -> None:
    book = _in(state)
    anomalies, finished = book.oms.anomalies, book.order.is_finished
    if kind is E.TRADE:
        anomaly = book.trade(10**8)
    elif kind is E.REPLACED:
        anomaly = book.report(kind, px_1e9=PX + 1, qty_1e8=QTY + 1)
    else:
        anomaly = book.report(kind)
    want = EXPECTED[state][COLUMNS.index(kind)]
    is_moved = want not in ("", "!")
    assert book.state() == (want if is_moved else state)
    assert bool(anomaly) is (want == "!")
    assert book.oms.anomalies == anomalies + (want == "!")
    assert book.order.is_finished is (book.state() in TERMINAL)
    assert ("c1" in book.oms.finished) is book.order.is_finished is ("c1" not in book.oms.orders)
    replaced = kind is E.REPLACED and is_moved
    assert (book.order.px_1e9, book.order.qty_1e8) == (PX + replaced, QTY + replaced)
    if finished:
        assert not is_moved


def test_every_pair_is_decided_and_the_page_shows_it() -> None:
    """docs/orders.md holds the table as the code makes it; and this page decides the same pairs by itself."""
    assert set(TRANSITIONS) == set(PAIRS) == {(state, kind) for state in EXPECTED for kind in COLUMNS}
    assert len(TRANSITIONS) == 81
    assert table() in (ROOT / "docs/orders.md").read_text()
    for (state, kind), target in TRANSITIONS.items():
        want = EXPECTED[state][COLUMNS.index(kind)]
        assert (state in TERMINAL) is isinstance(target, Ignored | Anomaly)
        assert isinstance(target, Anomaly) is (want == "!") or (state, kind) == (S.FILLED, E.REPLACED)


@pytest.mark.parametrize("state", OrderState)
def test_a_trade_moves_the_position_in_every_state_and_a_repeat_does_not(state: OrderState) -> None:
    book = _in(state)
    before, filled = book.position(), book.order.filled_1e8
    book.trade(10**8, exec_id="late")
    assert (book.position(), book.order.filled_1e8) == (before + 10**8, filled + 10**8)
    fills, anomalies, now = book.oms.fills, book.oms.anomalies, book.state()
    book.trade(10**8, exec_id="late")
    assert (book.position(), book.order.filled_1e8) == (before + 10**8, filled + 10**8)
    assert (book.oms.fills, book.oms.anomalies, book.state()) == (fills, anomalies, now)


@pytest.mark.parametrize("state", [state for state in OrderState if state not in TERMINAL])
def test_the_fill_that_leaves_nothing_ends_an_order_from_every_live_state(state: OrderState) -> None:
    book = _in(state)
    assert book.trade(QTY - book.order.filled_1e8) == ""
    assert book.state() is S.FILLED
    assert book.order.leaves_1e8 == 0


@pytest.mark.parametrize("state", [S.PENDING_CANCEL, S.UNKNOWN])
def test_what_was_partly_filled_is_so_again(state: OrderState) -> None:
    book = _in(state, filled=10**8)
    book.report(E.CANCEL_REJECTED if state is S.PENDING_CANCEL else E.NEW)
    assert book.state() is S.PARTIALLY_FILLED


@pytest.mark.parametrize("excess", [1, QTY])
def test_more_than_was_ordered_is_an_anomaly_and_a_fact(excess: int) -> None:
    book = _in(S.NEW)
    assert book.trade(QTY + excess)
    assert (book.state(), book.position(), book.oms.anomalies) == (S.FILLED, QTY + excess, 1)


def test_a_fill_of_the_old_total_does_not_end_an_order_that_grew() -> None:
    """The venue took the amend before the fill; its answer comes after."""
    book = _in(S.NEW)
    book.oms.amend(Approved(AmendOrder("c1", 0, 0, 7, 1, PX, 2 * QTY, "a"), 2, 0, 1))
    assert book.trade(QTY, leaves=QTY) == ""
    assert book.state() is S.PARTIALLY_FILLED
    assert book.report(E.REPLACED, px_1e9=PX, qty_1e8=2 * QTY) == ""
    assert book.trade(QTY) == ""
    assert book.state() is S.FILLED


def test_fills_out_of_order_end_an_order_when_the_last_is_seen() -> None:
    book = _in(S.NEW)
    report = {"last_px_1e9": PX, "last_qty_1e8": QTY // 2}
    book.report(E.TRADE, exec_id="second", cum_qty_1e8=QTY, leaves_qty_1e8=0, **report)
    assert book.state() is S.PARTIALLY_FILLED
    book.report(E.TRADE, exec_id="first", cum_qty_1e8=QTY // 2, leaves_qty_1e8=QTY // 2, **report)
    assert book.state() is S.FILLED


def test_the_answer_to_an_amend_without_a_total_keeps_the_order_as_it_was() -> None:
    book = _in(S.NEW)
    book.report(E.REPLACED)
    assert (book.order.px_1e9, book.order.qty_1e8, book.state()) == (PX, QTY, S.NEW)


@pytest.mark.parametrize("state", OrderState)
def test_asking_for_a_cancel_is_no_end(state: OrderState) -> None:
    book = _in(state)
    book.ask_cancel()
    live = state in (S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL)
    assert book.state() is (S.PENDING_CANCEL if live else state)


def test_a_report_about_nobodys_order_moves_nothing() -> None:
    book = Book()
    nobody = ExecReport(
        client_order_id="x", exec_type=E.TRADE, instrument=0, exec_id="1", last_qty_1e8=5, last_px_1e9=5
    )
    assert book.oms.apply(nobody) is None
    assert (book.oms.anomalies, book.oms.positions, book.state()) == (1, {}, S.PENDING_NEW)


def test_finished_orders_are_kept_for_late_fills_but_not_for_ever() -> None:
    oms = Oms()
    for n in range(FINISHED_KEPT + 3):
        oms.submit(Approved(NewOrder(f"c{n}", 0, 0, n, 1, PX, QTY, 0), 1, 0, 1))
        oms.apply(ExecReport(client_order_id=f"c{n}", exec_type=E.CANCELED, instrument=0))
    assert (len(oms.orders), len(oms.finished)) == (0, FINISHED_KEPT)
    late = {"exec_type": E.TRADE, "instrument": 0, "exec_id": "1", "last_qty_1e8": 5, "last_px_1e9": 5}
    assert oms.apply(ExecReport(client_order_id="c2", **late)) is None  # type: ignore[arg-type]
    assert oms.apply(ExecReport(client_order_id="c3", **late)) is not None  # type: ignore[arg-type]
    assert oms.position(0, 0).qty_1e8 == 5


@given(st.lists(st.tuples(st.sampled_from(list(ExecType)), st.integers(1, 4), st.integers(0, 5)), max_size=25))
def test_filled_only_grows_and_an_end_is_an_end(told: list[tuple[ExecType, int, int]]) -> None:
    book = Book()
    seen: dict[str, int] = {}
    ended: OrderState | None = None
    for kind, size, exec_id in told:
        before = book.order.filled_1e8
        if kind is E.TRADE:
            seen.setdefault(str(exec_id), size * 10**8)
            book.trade(size * 10**8, exec_id=str(exec_id))
        else:
            book.report(kind, px_1e9=PX, qty_1e8=QTY)
        assert book.order.filled_1e8 >= before
        assert book.order.filled_1e8 == book.position() == sum(seen.values())
        if ended is not None:
            assert book.state() is ended
        elif book.state() in TERMINAL:
            ended = book.state()


@pytest.mark.parametrize(("first", "second"), [(E.NEW, E.TRADE), (E.TRADE, E.NEW)])
def test_the_ack_and_a_fill_may_come_in_either_order(first: ExecType, second: ExecType) -> None:
    book = Book()
    for kind in (first, second):
        assert (book.trade(10**8) if kind is E.TRADE else book.report(kind)) == ""
    assert book.state() is S.PARTIALLY_FILLED


def _amend(book: Book, qty_1e8: int) -> None:
    book.oms.amend(Approved(AmendOrder("c1", 0, 0, 7, 1, PX, qty_1e8, "a"), 2, 9, 1))


def _trade(book: Book, exec_id: str, qty_1e8: int, cum_1e8: int, leaves_1e8: int) -> str:
    return book.report(E.TRADE, exec_id=exec_id, last_qty_1e8=qty_1e8, last_px_1e9=PX, cum_qty_1e8=cum_1e8,
                       leaves_qty_1e8=leaves_1e8)  # fmt: skip


def test_the_furthest_execution_says_the_total_whichever_came_last() -> None:
    """Amended to 15 after the first fill; the later fill and the earlier one are told in turn, the answer never."""
    book = _in(S.NEW)
    _amend(book, 15 * 10**8)
    assert _trade(book, "b", 7 * 10**8, 10 * 10**8, 5 * 10**8) == ""
    assert _trade(book, "a", 3 * 10**8, 3 * 10**8, 7 * 10**8) == ""
    assert book.state() is S.PARTIALLY_FILLED
    assert _trade(book, "c", 5 * 10**8, 15 * 10**8, 0) == ""
    assert book.state() is S.FILLED


def test_an_answer_told_twice_answers_one_amend() -> None:
    """To 12 and to 15: the first is answered twice, the second not yet; 12 filled is no end."""
    book = _in(S.NEW)
    _amend(book, 12 * 10**8)
    _amend(book, 15 * 10**8)
    book.report(E.REPLACED, px_1e9=PX, qty_1e8=12 * 10**8)
    assert _trade(book, "a", 12 * 10**8, 12 * 10**8, 3 * 10**8) == ""
    book.report(E.REPLACED, px_1e9=PX, qty_1e8=12 * 10**8)
    assert (book.state(), book.order.asked) == (S.PARTIALLY_FILLED, ((PX, 15 * 10**8),))
    book.report(E.REPLACE_REJECTED)
    assert book.order.asked == ()
    assert book.state() is S.FILLED  # its total is what the answers say; were 3 left, a picture would show it


@pytest.mark.parametrize("end", [E.CANCELED, E.EXPIRED, E.REJECTED])
def test_an_end_that_counts_more_than_was_told_keeps_its_rest(end: ExecType) -> None:
    book = _in(S.NEW)
    book.trade(2 * 10**8)
    assert book.report(end, cum_qty_1e8=7 * 10**8) == ""
    assert (book.state(), book.order.owed_1e8, list(book.oms.owed)) == (S[end.name], 5 * 10**8, ["c1"])
    for n in range(FINISHED_KEPT + 9):
        book.oms.submit(Approved(NewOrder(f"x{n}", 0, 0, n, 1, PX, QTY, 0), 1, 0, 1))
        book.oms.apply(ExecReport(client_order_id=f"x{n}", exec_type=E.CANCELED, instrument=0))
    assert len(book.oms.finished) == FINISHED_KEPT + 1
    late = _trade(book, "late", 5 * 10**8, 7 * 10**8, 0)
    assert bool(late) is (end is E.REJECTED)
    assert (book.order.owed_1e8, book.oms.owed, book.position()) == (0, {}, 7 * 10**8)
    assert _trade(book, "beyond", 10**8, 8 * 10**8, 0)


def test_an_end_told_again_with_more_owes_the_difference() -> None:
    book = _in(S.CANCELED)
    assert book.report(E.CANCELED, cum_qty_1e8=7 * 10**8) == ""
    assert (book.state(), book.order.owed_1e8, list(book.oms.owed)) == (S.CANCELED, 7 * 10**8, ["c1"])
    assert _trade(book, "late", 7 * 10**8, 7 * 10**8, 0) == ""
    assert (book.oms.owed, book.position()) == ({}, 7 * 10**8)


def test_an_end_that_counts_less_than_was_told_is_an_end_and_an_anomaly() -> None:
    book = _in(S.NEW)
    book.trade(7 * 10**8)
    assert "7" in book.report(E.CANCELED, cum_qty_1e8=2 * 10**8)
    assert (book.state(), book.order.filled_1e8, book.oms.anomalies) == (S.CANCELED, 7 * 10**8, 1)


def test_an_execution_of_nothing_is_no_fill_and_says_when_nothing_is_left() -> None:
    book = _in(S.NEW)
    for _ in range(2):
        book.report(E.TRADE, cum_qty_1e8=2 * 10**8)
    assert (book.oms.fills, book.order.exec_ids, book.state()) == (0, None, S.PARTIALLY_FILLED)
    book.trade(2 * 10**8, leaves=8 * 10**8)
    assert (book.oms.fills, book.state()) == (1, S.FILLED)
    assert book.report(E.TRADE, cum_qty_1e8=2 * 10**8) == ""


def test_when_it_was_sent_asked_and_doubted_is_kept() -> None:
    oms = Oms()
    order = oms.submit(Approved(NewOrder("c1", 0, 0, 7, 1, PX, QTY, 0), 1, 5, 1))
    assert (order.sent_ns, order.born_ns, order.asked_ns) == (5, 5, 0)
    oms.cancel(Approved(CancelOrder("c1", 0, 0, 7, "a"), 2, 6, 1))
    assert (order.state, order.asked_ns) == (S.PENDING_NEW, 6)
    oms.cancelling("c1", 7)
    assert order.asked_ns == 7
    oms.amend(Approved(AmendOrder("c1", 0, 0, 7, 1, PX, QTY, "a"), 2, 8, 1))
    assert (order.asked_ns, order.asked) == (8, ((PX, QTY),))
    oms.apply(ExecReport(client_order_id="c1", exec_type=E.UNKNOWN, instrument=0), 9)
    assert (order.doubt_ns, order.is_heard) == (9, False)
    assert oms.cancelling("nobody", 9) is None
