"""Orders, cancels and amends at OKX: acceptance is not execution, and silence is no answer."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import ExecType, RejectCode
from connectors.orders import OrderType
from connectors.session import PRIVATE, Reconnect, Send
from tests.support.okx_account import (
    PX,
    QTY,
    TAG,
    Desk,
    answer,
    asked,
    filled,
    kinds,
    orders,
    reports,
    said,
    state,
)
from tests.support.okx_frames import dump, of

ONE = f"{TAG}-1"
TWO = f"{TAG}-2"


# --- new orders ------------------------------------------------------------------------------------------------------


def test_acceptance_is_not_execution() -> None:
    """The answer says that OKX took it; that it is there, the orders channel says."""
    desk = Desk().ready()
    (request,) = said(desk.submit())
    assert request["op"] == "order"
    assert request["args"][0]["clOrdId"] == "vg1a2b3c1"
    assert not reports(desk.hear(answer(request, (ONE, "O1", "0"))))
    (report,) = reports(desk.hear(orders(state(ONE))))
    assert (report.client_order_id, report.exec_type, report.venue_order_id) == (ONE, ExecType.NEW, "O1")


def test_the_stream_may_be_first() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    assert kinds(desk.hear(orders(state(ONE)))) == [(ONE, "new")]
    assert not reports(desk.hear(answer(request, (ONE, "O1", "0"))))
    assert not reports(desk.wait(10))


def test_taken_and_nothing_came_of_it_is_doubt() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    desk.hear(answer(request, (ONE, "O1", "0")))
    assert kinds(desk.wait(2.5)) == [(ONE, "unknown")]
    assert desk.doubts


def test_silence_is_doubt_and_a_late_word_still_counts() -> None:
    desk = Desk().ready()
    desk.submit()
    assert kinds(desk.wait(7.5)) == [(ONE, "unknown")]
    assert kinds(desk.hear(orders(state(ONE)))) == [(ONE, "new")]


@pytest.mark.parametrize(
    ("code", "reject"),
    [
        ("51008", RejectCode.INSUFFICIENT_BALANCE),
        ("51131", RejectCode.INSUFFICIENT_BALANCE),
        ("51020", RejectCode.INVALID_PARAMS),
        ("51121", RejectCode.INVALID_PARAMS),
        ("51137", RejectCode.INVALID_PARAMS),
        ("51022", RejectCode.EXCHANGE_BUSY),
        ("50011", RejectCode.RATE_LIMIT),
        ("50061", RejectCode.RATE_LIMIT),
        ("50036", RejectCode.EXCHANGE_BUSY),
    ],
)
def test_a_refusal_is_certain(code: str, reject: RejectCode) -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    (report,) = reports(desk.hear(answer(request, (ONE, "", code))))
    assert (report.exec_type, report.reject_code) == (ExecType.REJECTED, reject)
    assert report.text.startswith(code)


@pytest.mark.parametrize("code", ["50004", "51149", "50001", "50013", "50026", "51054", "64007", "51016", "59999", ""])
def test_what_may_have_happened_is_unknown(code: str) -> None:
    """A timeout, a busy system, an id that is taken, a code that nobody knows: never a refusal, never sent again."""
    desk = Desk().ready()
    (request,) = said(desk.submit())
    out = desk.hear(answer(request, (ONE, "", code), code="1"))
    assert kinds(out) == [(ONE, "unknown")]
    assert desk.doubts
    assert not said(desk.wait(20), "order")


@pytest.mark.parametrize(("code", "kind"), [("60013", "rejected"), ("60012", "rejected"), ("64007", "unknown")])
def test_an_answer_to_the_whole_message(code: str, kind: str) -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    assert kinds(desk.hear(answer(request, code=code, words="Invalid args"))) == [(ONE, kind)]


@pytest.mark.parametrize(("code", "kind"), [("60012", "rejected"), ("60014", "rejected"), ("63999", "unknown")])
def test_a_request_that_okx_could_not_read_is_refused_by_an_event(code: str, kind: str) -> None:
    """It has no `op`, and the number of the order."""
    desk = Desk().ready()
    (request,) = said(desk.submit())
    frame = {"id": request["id"], "event": "error", "code": code, "msg": "Invalid request", "connId": "a4d3ae55"}
    assert kinds(desk.hear(dump(frame))) == [(ONE, kind)]


def test_an_answer_that_nobody_is_logged_in_renews_the_login() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    out = desk.hear(answer(request, code="60011", words="Please log in"))
    assert kinds(out) == [(ONE, "rejected")]
    assert "login" in (desk.why or "")
    assert of(Reconnect, desk.wait(10))


def test_several_orders_in_one_message_are_answered_each() -> None:
    """Code 2: some were taken. One that the answer does not mention is doubt in time."""
    desk = Desk().ready()
    out = desk.submit_many(desk.order(1), desk.order(2), desk.order(3))
    (request,) = said(out, "batch-orders")
    assert [one["clOrdId"] for one in request["args"]] == ["vg1a2b3c1", "vg1a2b3c2", "vg1a2b3c3"]
    (send,) = [one for one in of(Send, out) if one.link == PRIVATE]
    assert (send.approval, send.more) == (1, (2, 3))
    out = desk.hear(answer(request, (TWO, "", "51008"), (ONE, "O1", "0")))
    assert kinds(out) == [(TWO, "rejected")]
    assert kinds(desk.hear(orders(state(ONE)))) == [(ONE, "new")]
    assert kinds(desk.wait(8)) == [(f"{TAG}-3", "unknown")]


def test_batches_are_of_twenty_at_one_market() -> None:
    desk = Desk().ready()
    out = desk.submit_many(*(desk.order(number) for number in range(1, 24)), desk.order(24, 1, px_1e9=10**12))
    assert [len(one["args"]) for one in said(out)] == [20, 3, 1]


def test_post_only_that_would_take_is_canceled_with_its_reason() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit(order_type=OrderType.POST_ONLY))
    assert request["args"][0]["ordType"] == "post_only"
    desk.hear(answer(request, (ONE, "O1", "0")))
    (_, report) = reports(desk.hear(orders(state(ONE)), orders(state(ONE, "canceled", cancelSource="31"))))
    assert (report.exec_type, report.reject_code) == (ExecType.CANCELED, RejectCode.INVALID_PARAMS)
    assert "post only" in report.text


# --- cancels ---------------------------------------------------------------------------------------------------------


def test_a_cancel_is_done_when_the_stream_says_so() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.cancel())
    assert (request["op"], request["args"]) == ("cancel-order", [{"instIdCode": 1008, "clOrdId": "vg1a2b3c1"}])
    assert not reports(desk.hear(answer(request, (ONE, "O1", "0"))))
    assert kinds(desk.hear(orders(state(ONE, "canceled", cancelSource="1")))) == [(ONE, "canceled")]


def test_a_cancel_that_was_taken_and_nothing_came_of_it_is_doubt() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.cancel())
    desk.hear(answer(request, (ONE, "O1", "0")))
    assert kinds(desk.wait(2.5)) == [(ONE, "unknown")]


@pytest.mark.parametrize("code", ["51400", "51503", "51603"])
def test_three_cases_in_one_code_are_looked_at(code: str) -> None:
    """Filled, canceled or never there: the order itself is not concluded from it."""
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.cancel())
    assert kinds(desk.hear(answer(request, (ONE, "O1", code)))) == [(ONE, "cancel_rejected")]
    assert desk.doubts


def test_a_cancel_too_late_is_no_news() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.cancel())
    desk.hear(orders(filled(ONE, "0.0125", "0.0125")))
    assert not desk.hear(answer(request, (ONE, "O1", "51400")))
    assert not desk.doubts


def test_a_cancel_that_timed_out_is_unknown() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.cancel())
    assert kinds(desk.hear(answer(request, (ONE, "O1", "51412")))) == [(ONE, "unknown")]


def test_while_the_link_is_down_cancels_go_over_http() -> None:
    desk = Desk().ready()
    desk.resting()
    desk.close()
    out = desk.cancel()
    ((number, path, body),) = asked(out)
    assert (path, body) == ("/api/v5/trade/cancel-order", '{"instId":"BTC-USDT","clOrdId":"vg1a2b3c1"}')
    assert not asked(desk.cancel(), "cancel-order"), "it is under way"
    item = {"clOrdId": "vg1a2b3c1", "ordId": "O1", "sCode": "0", "sMsg": "", "ts": "1"}
    desk.doubts.clear()
    assert not reports(desk.reply((number, path, body), item))
    assert desk.doubts, "nothing else will say what it did"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (b"200", {"code": "1", "msg": "All failed", "data": [{"sCode": "51400", "sMsg": "gone"}]}, "cancel_rejected"),
        (b"200", {"code": "50011", "msg": "Too many", "data": []}, "cancel_rejected"),
        (b"503", {"code": "50001", "msg": "unavailable", "data": []}, "unknown"),
        (b"400", {"code": "50004", "msg": "timeout", "data": []}, "unknown"),
        (b"0", "no answer: cut", "unknown"),
        (b"502", "<html>", "unknown"),
    ],
)  # fmt: skip
def test_answers_to_a_cancel_over_http(status: bytes, body: Any, kind: str) -> None:
    desk = Desk().ready()
    desk.resting()
    desk.close()
    (request,) = asked(desk.cancel(), "cancel-order")
    out = desk.rest(request, status, dump(body) if isinstance(body, dict) else body.encode())
    assert kinds(out) == [(ONE, kind)]


# --- amends ----------------------------------------------------------------------------------------------------------


def test_an_amend_is_done_when_the_stream_says_so() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.amend(px_1e9=PX + 10**9, qty_1e8=2 * QTY))
    (arg,) = request["args"]
    assert (arg["newPx"], arg["newSz"], arg["reqId"]) == ("62808.0", "0.02500000", request["id"])
    assert not reports(desk.hear(answer(request, (ONE, "O1", "0"))))
    changed = state(ONE, px="62808", sz="0.025", amendResult="0", reqId=request["id"], uTime="1755338650000")
    (report,) = reports(desk.hear(orders(changed), orders(changed)))
    assert (report.exec_type, report.px_1e9, report.qty_1e8) == (ExecType.REPLACED, PX + 10**9, 2 * QTY)
    assert not reports(desk.hear(orders(state(ONE)))), "a state from before it says nothing"


def test_an_amend_that_failed_after_it_was_accepted() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.amend(px_1e9=PX + 10**9))
    desk.hear(answer(request, (ONE, "O1", "0")))
    no = state(ONE, amendResult="-1", reqId=request["id"], code="51511", msg="not post only", uTime="1755338650000")
    (report,) = reports(desk.hear(orders(no)))
    assert (report.exec_type, report.text) == (ExecType.REPLACE_REJECTED, "51511 not post only")
    (second,) = said(desk.amend(px_1e9=PX + 2 * 10**9))
    assert not reports(desk.hear(orders(no))), "told again, it is not the second one's"
    desk.hear(answer(second, (ONE, "O1", "0")))
    yes = state(ONE, px="62809", amendResult="0", reqId=second["id"], uTime="1755338651000")
    assert kinds(desk.hear(orders(yes))) == [(ONE, "replaced")]


@pytest.mark.parametrize("code", ["51503", "51502", "51511"])
def test_an_amend_that_is_refused(code: str) -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.amend(px_1e9=PX + 10**9))
    assert kinds(desk.hear(answer(request, (ONE, "O1", code)))) == [(ONE, "replace_rejected")]


def test_an_amend_below_what_is_filled_ends_the_order() -> None:
    desk = Desk().ready()
    desk.resting()
    desk.hear(orders(filled(ONE, "0.004", "0.004")))
    (request,) = said(desk.amend(qty_1e8=400_000))
    desk.hear(answer(request, (ONE, "O1", "0")))
    over = state(ONE, "filled", sz="0.004", accFillSz="0.004", amendResult="0", uTime="1755338650000")
    desk.hear(orders(over))
    assert desk.doubts or not reports(desk.wait(10))


# --- rates -----------------------------------------------------------------------------------------------------------


def test_a_market_takes_sixty_in_two_seconds_a_third_of_them_for_cancels() -> None:
    desk = Desk().ready()
    sent = [said(desk.submit(number)) for number in range(1, 46)]
    assert len([one for one in sent if one]) == 40
    assert said(desk.submit(50, market=1, px_1e9=10**12)), "the other market has its own"
    assert all(said(desk.cancel(number)) for number in range(1, 41)), "cancels always leave"
    desk.wait(3)
    assert said(desk.submit(51))


def test_a_rate_error_is_of_that_market_alone() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    desk.hear(answer(request, (ONE, "", "50011")))
    assert "wait" in reports(desk.submit(2))[0].text
    assert said(desk.submit(3, market=1, px_1e9=10**12))
    desk.wait(2.5)
    assert said(desk.submit(4))


def test_a_rate_error_of_the_account_stops_new_orders_for_a_while() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    desk.hear(answer(request, (ONE, "", "50061")))
    assert reports(desk.submit(2, market=1, px_1e9=10**12))[0].reject_code is RejectCode.RATE_LIMIT
    desk.wait(5.5)
    assert said(desk.submit(3))


def test_a_deadline_that_was_over_at_once_asks_for_the_time_again() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit())
    desk.hear(answer(request, (ONE, "", "50036")))
    assert asked(desk.wait(1), "time")
