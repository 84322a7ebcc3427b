"""Orders and amends in flight: every answer, in either order, late, double, never; and what is refused here."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from connectors.events import ExecType, Notice, RejectCode
from connectors.orders import OrderType
from connectors.session import PRIVATE, Output, Send
from tests.support.kraken_account import (
    PX,
    QTY,
    Desk,
    answer,
    asked,
    execution,
    kinds,
    n,
    notices,
    order,
    pending,
    reports,
    said,
)
from tests.support.kraken_frames import SECOND, of

NEW = [("vg-1", "new")]
REJECTED = [("vg-1", "rejected")]
UNKNOWN = [("vg-1", "unknown")]


def looks(outputs: object) -> bool:
    return any(method == "OpenOrders" for _, method, _ in asked(outputs))  # type: ignore[arg-type]


def ready() -> Desk:
    desk = Desk().ready()
    desk.wait(60)  # the REST counter is empty again: a look begins at once
    return desk


# --- new -------------------------------------------------------------------------------------------------------------


def test_a_response_is_an_acknowledgement_and_the_executions_are_nothing_new() -> None:
    desk = ready()
    desk.new()
    (new,) = reports(desk.hear(answer("add_order", desk.approvals, {"order_id": "O1", "cl_ord_id": "vg-1"})))
    assert (new.exec_type, new.venue_order_id, new.leaves_qty_1e8) == (ExecType.NEW, "O1", QTY)
    assert kinds(desk.executions(pending("vg-1"), execution("new"))) == []
    assert kinds(desk.wait(30)) == []


def test_the_executions_are_an_acknowledgement_and_the_response_is_nothing_new() -> None:
    desk = ready()
    desk.new()
    assert kinds(desk.executions(pending("vg-1"))) == NEW
    assert kinds(desk.executions(execution("new"))) == []
    assert desk.hear(answer("add_order", desk.approvals, {"order_id": "O1", "cl_ord_id": "vg-1"})) == []
    assert kinds(desk.wait(30)) == []


def test_an_execution_before_any_name_waits_for_it() -> None:
    """`new` and a trade by Kraken's id alone, then the response that says whose it is."""
    desk = ready()
    desk.new()
    trade = execution("trade", exec_id="T1", symbol="BTC/USD", side="buy", last_qty=n("0.005"), last_price=n("62800.0"),
                      cum_qty=n("0.005"), cost=n("314"))  # fmt: skip
    assert desk.executions(execution("new"), trade) == []
    out = desk.hear(answer("add_order", desk.approvals, {"order_id": "O1", "cl_ord_id": "vg-1"}))
    assert kinds(out) == [("vg-1", "new"), ("vg-1", "trade")]
    assert not looks(desk.wait(30))


def test_a_cancel_or_an_amend_that_was_too_late_is_no_news() -> None:
    """The executions said how the order ended before the answers came; any other word of an answer is told."""
    desk = ready().live()
    desk.amend()
    amend = desk.approvals
    desk.cancel()
    desk.executions(execution("canceled", cum_qty=n("0")))
    assert desk.hear(answer("amend_order", amend, error="EOrder:Unknown order")) == []
    assert desk.hear(answer("cancel_order", desk.approvals, error="EOrder:Unknown order")) == []
    assert desk.hear(answer("cancel_all", 4711, error="EOrder:Unknown order")) == []
    out = desk.hear(answer("cancel_order", desk.approvals, error="EService:Busy"))
    assert notices(out) == [f"kraken: an answer nobody waits for: cancel_order {desk.approvals}: EService:Busy"]
    assert notices(desk.hear(answer("add_order", 4711, error="EOrder:Unknown order")))


def test_no_answer_by_the_deadline_and_two_seconds_is_unknown() -> None:
    desk = ready()
    desk.new()
    assert kinds(desk.wait(6.5)) == []
    out = desk.wait(1)
    assert kinds(out) == UNKNOWN
    assert looks(out)
    assert kinds(desk.wait(120)) == [], "told once"


@pytest.mark.parametrize(
    ("late", "expected"),
    [
        (lambda number: answer("add_order", number, {"order_id": "O1", "cl_ord_id": "vg-1"}), NEW),
        (lambda number: answer("add_order", number, error="EService:Deadline elapsed"), REJECTED),
    ],
)
def test_an_answer_after_that_still_counts(late: object, expected: object) -> None:
    desk = ready()
    desk.new()
    desk.wait(20)
    assert kinds(desk.hear(late(desk.approvals))) == expected  # type: ignore[operator]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("EOrder:Insufficient funds", RejectCode.INSUFFICIENT_BALANCE),
        ("EOrder:Post only order", RejectCode.INVALID_PARAMS),
        ("EService:Deadline elapsed", RejectCode.EXCHANGE_BUSY),
        ("EGeneral:Invalid arguments:time_in_force", RejectCode.INVALID_PARAMS),
        ("EOrder:Rate limit exceeded", RejectCode.RATE_LIMIT),
    ],
)
def test_a_definite_refusal(text: str, code: RejectCode) -> None:
    desk = ready()
    desk.new(order_type=int(OrderType.FOK))
    (rejected,) = reports(desk.hear(answer("add_order", desk.approvals, error=text)))
    assert (rejected.exec_type, rejected.reject_code, rejected.text) == (ExecType.REJECTED, code, text)
    assert kinds(desk.wait(30)) == []


@pytest.mark.parametrize("text", ["EService:Unavailable", "EService:Busy", "EGeneral:Internal error:7", "New words"])
def test_an_error_that_decides_nothing_is_unknown_and_looked_up(text: str) -> None:
    desk = ready()
    desk.new()
    out = desk.hear(answer("add_order", desk.approvals, error=text))
    assert kinds(out) == UNKNOWN
    assert looks(out)
    assert bool(notices(out, "error")) == (text == "New words")


def test_no_rights_is_the_end() -> None:
    desk = ready()
    desk.new()
    out = desk.hear(answer("add_order", desk.approvals, error="EGeneral:Permission denied"))
    assert kinds(out) == REJECTED
    assert desk.why == "EGeneral:Permission denied"
    (refused,) = reports(desk.new("vg-2"))
    assert refused.reject_code is RejectCode.NETWORK
    out = desk.wait(60)
    assert asked(out) == []
    assert said(out, "cancel_all_orders_after") == []
    assert len(of(Send, desk.cancel())) == 1, "a cancel always leaves"


def test_a_bad_token_is_renewed_and_the_order_refused() -> None:
    desk = ready()
    desk.new()
    out = desk.hear(answer("add_order", desk.approvals, error="ESession:Invalid session"))
    assert kinds(out) == REJECTED
    assert desk.why == "no token for the private link yet"
    desk.serve(out)
    assert desk.why == ""


def test_slower_when_asked_to_be() -> None:
    """Refused for certain, and the next ones for some seconds here; cancels leave."""
    desk = ready()
    desk.new()
    desk.hear(answer("add_order", desk.approvals, error="EOrder:Domain rate limit exceeded"))
    (refused,) = reports(desk.new("vg-2"))
    assert (refused.exec_type, refused.reject_code) == (ExecType.REJECTED, RejectCode.RATE_LIMIT)
    assert refused.text.startswith("never sent: ")
    assert len(of(Send, desk.cancel("vg-2"))) == 1
    desk.wait(6)
    assert said(desk.new("vg-3"), "add_order")


def test_throttled_until_a_time() -> None:
    desk = ready()
    desk.new()
    until = desk.now_ns // SECOND + 30
    desk.hear(answer("add_order", desk.approvals, error=f"EService: Throttled: {until}"))
    desk.wait(29)
    assert kinds(desk.new("vg-2")) == [("vg-2", "rejected")]
    desk.wait(2)
    assert said(desk.new("vg-3"), "add_order")


def test_a_message_rate_that_is_exceeded_names_no_order() -> None:
    desk = ready()
    desk.new()
    out = desk.hear(b'{"Error":"Exceeded msg rate"}')
    assert kinds(out) == []
    assert notices(out, "error")
    assert kinds(desk.new("vg-2")) == [("vg-2", "rejected")]
    assert kinds(desk.wait(8)) == UNKNOWN


def test_what_is_not_ready_sends_nothing() -> None:
    desk = Desk()
    desk.serve(desk.start())
    out = desk.new()
    (refused,) = reports(out)
    assert of(Send, out) == []
    assert (refused.exec_type, refused.reject_code) == (ExecType.REJECTED, RejectCode.NETWORK)
    assert refused.text == "never sent: the private link is down"
    (amend,) = reports(desk.amend())
    assert (amend.exec_type, amend.text[:11]) == (ExecType.REPLACE_REJECTED, "never sent:")


def test_validated_only_is_nothing_placed() -> None:
    desk = Desk(validate="true").ready()
    (request,) = said(desk.new(), "add_order")
    assert request["params"]["validate"] is True
    (over,) = reports(desk.hear(answer("add_order", desk.approvals, {})))
    assert (over.exec_type, over.cum_qty_1e8) == (ExecType.CANCELED, 0)


def test_a_cut_link_makes_everything_unanswered_unknown_once() -> None:
    desk = ready().live("vg-1")
    desk.amend("vg-1", PX, QTY * 2)
    desk.cancel("vg-1")
    desk.new("vg-2")
    desk.live("vg-3", "O3")
    out = desk.took(desk.session.close(desk.now_ns, PRIVATE))
    assert sorted(kinds(out)) == [("vg-1", "unknown"), ("vg-2", "unknown")]
    assert kinds(desk.wait(60)) == []


def test_a_link_that_is_given_up_is_cut() -> None:
    desk = ready()
    desk.new()
    assert kinds(desk.wait(4, heartbeats=False)) == UNKNOWN


# --- batches ---------------------------------------------------------------------------------------------------------

ONE, TWO, THREE = (f"vg-{k}" for k in (1, 2, 3))


def batch(desk: Desk, *names: str) -> int:
    out = desk.took(desk.session.submit_many([desk.approve(order(name)) for name in names], desk.now_ns))
    (send,) = of(Send, out)
    assert send.more == tuple(range(send.approval + 1, send.approval + len(names)))
    return send.approval


@pytest.mark.parametrize("form", [list, lambda legs: {"orders": list(legs)}])
def test_a_batch_is_answered_by_name(form: object) -> None:
    """An array or an object; a name decides, whatever its place."""
    desk = ready()
    number = batch(desk, ONE, TWO, THREE)
    legs = ({"cl_ord_id": TWO, "error": "EOrder:Insufficient funds"}, {"cl_ord_id": THREE, "order_id": "O3"},
            {"cl_ord_id": ONE, "order_id": "O1"})  # fmt: skip
    out = desk.hear(answer("batch_add", number, form(legs)))  # type: ignore[operator]
    assert [(one.client_order_id, str(one.exec_type), one.venue_order_id) for one in reports(out)] == [
        (ONE, "new", "O1"), (TWO, "rejected", ""), (THREE, "new", "O3"),
    ]  # fmt: skip


def test_a_batch_is_answered_by_place() -> None:
    desk = ready()
    number = batch(desk, ONE, TWO)
    out = desk.hear(answer("batch_add", number, [{"order_id": "O1"}, {"error": "EOrder:Invalid price"}]))
    assert kinds(out) == [(ONE, "new"), (TWO, "rejected")]


def test_whom_a_batch_answer_leaves_out_is_unknown_in_time() -> None:
    desk = ready()
    number = batch(desk, ONE, TWO, THREE)
    assert kinds(desk.hear(answer("batch_add", number, [{"order_id": "O1"}]))) == []
    assert kinds(desk.executions(pending(ONE))) == [(ONE, "new")]
    assert kinds(desk.wait(8)) == [(TWO, "unknown"), (THREE, "unknown")]


def test_a_whole_batch_is_refused() -> None:
    desk = ready()
    number = batch(desk, ONE, TWO)
    out = desk.hear(answer("batch_add", number, error="EGeneral:Invalid arguments"))
    assert kinds(out) == [(ONE, "rejected"), (TWO, "rejected")]


def test_many_are_split_by_market_and_fifteen() -> None:
    desk = Desk(tier="pro").ready()
    orders = [order(f"vg-{k}", instrument=int(k >= 20)) for k in range(21)]
    out = desk.took(desk.session.submit_many([desk.approve(one) for one in orders], desk.now_ns))
    assert [1 + len(send.more) for send in of(Send, out)] == [15, 5, 1]


def test_a_batch_that_may_not_leave_is_refused_whole() -> None:
    desk = Desk()
    desk.serve(desk.start())
    out = desk.took(desk.session.submit_many([desk.approve(order(name)) for name in (ONE, TWO)], desk.now_ns))
    assert kinds(out) == [(ONE, "rejected"), (TWO, "rejected")]
    assert of(Send, out) == []


# --- amends ----------------------------------------------------------------------------------------------------------

AMENDED = execution("amended", order_status="new", order_qty=n("0.02500000"), limit_price=n("62900.0"), reason="User")


@pytest.mark.parametrize("first", ["response", "execution"])
def test_an_amend_is_answered_once(first: str) -> None:
    desk = ready().live()
    desk.amend(px=62_900 * 10**9, qty=2 * QTY)

    def response() -> list[Output]:
        return desk.hear(answer("amend_order", desk.approvals, {"amend_id": "A1", "order_id": "O1"}))

    both: list[Callable[[], list[Output]]] = [response, lambda: desk.executions(AMENDED)]
    one, other = both if first == "response" else reversed(both)
    (replaced,) = reports(one())
    assert (replaced.exec_type, replaced.px_1e9, replaced.qty_1e8) == (ExecType.REPLACED, 62_900 * 10**9, 2 * QTY)
    assert reports(other()) == []
    assert kinds(desk.wait(30)) == []


def test_two_amends_are_answered_twice() -> None:
    desk = ready().live()
    desk.amend(px=62_900 * 10**9, qty=2 * QTY)
    desk.amend(px=62_901 * 10**9, qty=2 * QTY)
    assert kinds(desk.executions(AMENDED)) == [("vg-1", "replaced")]
    second = {**AMENDED, "limit_price": n("62901.0")}
    assert kinds(desk.executions(second)) == [("vg-1", "replaced")]
    assert desk.hear(answer("amend_order", desk.approvals - 1, {}), answer("amend_order", desk.approvals, {})) == []


def test_what_the_venue_changes_by_itself_is_told() -> None:
    desk = ready().live()
    out = desk.executions(execution("restated", order_qty=n("0.01"), reason="x"))
    assert [(one.px_1e9, one.qty_1e8) for one in reports(out)] == [(PX, 1_000_000)]


def test_an_amend_refused_and_one_unanswered() -> None:
    desk = ready().live()
    desk.amend()
    (refused,) = reports(desk.hear(answer("amend_order", desk.approvals, error="EOrder:Invalid price")))
    assert (refused.exec_type, refused.reject_code) == (ExecType.REPLACE_REJECTED, RejectCode.INVALID_PARAMS)
    desk.amend()
    out = desk.wait(8)
    assert kinds(out) == UNKNOWN
    assert looks(out)


# --- the rate counter ------------------------------------------------------------------------------------------------


def test_adds_and_amends_stop_before_the_venue_says_so_and_cancels_do_not() -> None:
    """180 by the acknowledgement: a third is for cancels."""
    desk = ready()
    sent = 0
    while said(desk.new(f"vg-{sent}"), "add_order"):
        desk.hear(answer("add_order", desk.approvals, {"order_id": f"O{sent}", "cl_ord_id": f"vg-{sent}"}))
        sent += 1
    assert sent == 120
    refused = reports(desk.out)[-1]
    assert (refused.exec_type, refused.reject_code) == (ExecType.REJECTED, RejectCode.RATE_LIMIT)
    assert "never sent" in refused.text
    assert "180" in refused.text
    (amend,) = reports(desk.amend("vg-0"))
    assert (amend.exec_type, amend.reject_code) == (ExecType.REPLACE_REJECTED, RejectCode.RATE_LIMIT)
    assert all(said(desk.cancel(f"vg-{k}"), "cancel_order") for k in range(sent))
    assert len(of(Notice, desk.out)) == 1, "what the acknowledgement said of the threshold"
