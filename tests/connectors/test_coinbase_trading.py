"""Orders at Coinbase: answers, the user channel's cumulative states, fills from the list, cancels, edits."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import ConfigError
from connectors.events import Doubt, ExecReport, ExecType, Notice, RejectCode
from connectors.session import PRIVATE, REST, Send, TradingPlan
from connectors.venues.coinbase import VENUE
from connectors.venues.coinbase.trading import CoinbaseTrading
from tests.support.coinbase_account import BTC, NAME, PX, QTY, THEIRS, Desk, fill, listed, of, told

OTHER = "22222222-0000-0000-0000-000000000000"


def reports(outputs: Any, kind: ExecType | None = None) -> list[ExecReport]:
    return [one for one in of(ExecReport, outputs) if kind is None or one.exec_type is kind]


def refused(error: str, preview: str = "", message: str = "", **more: str) -> dict[str, Any]:
    response = {"error": error, "message": message, "error_details": "", "preview_failure_reason": preview, **more}
    return {"success": False, "error_response": response, "order_configuration": {}}


# --- new orders ------------------------------------------------------------------------------------------------------


def test_an_order_is_known_by_its_answer_or_by_the_channel_whichever_is_first() -> None:
    for is_answer_first in (True, False):
        desk = Desk().ready()
        desk.new()
        steps: list[Callable[[], Any]] = [desk.created, partial(desk.user, told("PENDING"), told())]
        for step in steps if is_answer_first else steps[::-1]:
            step()
        assert desk.types() == ["new"]
        assert desk.reports[0].venue_order_id == THEIRS


def test_pending_is_not_yet_there() -> None:
    desk = Desk().ready()
    desk.new()
    desk.user(told("PENDING"))
    assert desk.types() == []
    desk.user(told("FAILED", reject_reason="INSUFFICIENT_FUND"))
    assert [(one.exec_type, one.reject_code) for one in desk.reports] == [
        (ExecType.REJECTED, RejectCode.INSUFFICIENT_BALANCE)
    ]
    assert desk.created() == [], "the answer is nothing new"


@pytest.mark.parametrize("reason", ["UNKNOWN_FAILURE_REASON", ""])
def test_success_with_a_reason_that_says_nothing_is_success(reason: str) -> None:
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", {"success": True, "failure_reason": reason, "order_id": THEIRS, "success_response": {
        "order_id": THEIRS, "product_id": "BTC-USD", "side": "BUY", "client_order_id": NAME}})  # fmt: skip
    assert desk.types() == ["new"]


def test_the_id_is_found_at_either_level() -> None:
    """hummingbot #7211: orders lived on the venue and had "failed" here."""
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", {"success": True, "order_id": THEIRS})
    assert (desk.types(), desk.reports[0].venue_order_id) == (["new"], THEIRS)


@pytest.mark.parametrize(
    ("body", "code", "text"),
    [
        (refused("INSUFFICIENT_FUND", "PREVIEW_INSUFFICIENT_FUND", "Insufficient balance in source account"),
         RejectCode.INSUFFICIENT_BALANCE,
         "INSUFFICIENT_FUND: Insufficient balance in source account: PREVIEW_INSUFFICIENT_FUND"),
        (refused("INVALID_LIMIT_PRICE_POST_ONLY"), RejectCode.INVALID_PARAMS, "INVALID_LIMIT_PRICE_POST_ONLY"),
        (refused("UNKNOWN_FAILURE_REASON", "PREVIEW_INVALID_LIMIT_PRICE_POSTONLY"), RejectCode.INVALID_PARAMS,
         "PREVIEW_INVALID_LIMIT_PRICE_POSTONLY"),
        (refused("UNKNOWN_FAILURE_REASON", new_order_failure_reason="ORDER_ENTRY_DISABLED"), RejectCode.EXCHANGE_BUSY,
         "ORDER_ENTRY_DISABLED"),
    ],
)  # fmt: skip
def test_status_200_with_success_false_is_a_refusal(body: Any, code: RejectCode, text: str) -> None:
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", body)
    assert [(one.exec_type, one.reject_code, one.text) for one in desk.reports] == [(ExecType.REJECTED, code, text)]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b"no answer: none within 10 s"), (502, b"<html>bad gateway</html>"), (503, b'{"error":"UNAVAILABLE"}'),
        (500, b""), (200, b"<html>"), (200, b'{"success":tr'), (200, b"{}"), (404, b"<html>"), (302, b""),
        (200, b'{"success":true}'),
        (200, b'{"success":true,"success_response":{"order_id":"x","client_order_id":"somebody-else"}}'),
        (200, json.dumps(refused("UNKNOWN_FAILURE_REASON")).encode()), (200, b'{"success":false}'),
        (200, json.dumps(refused("A_WORD_OF_TOMORROW")).encode()),
    ],
)  # fmt: skip
def test_what_is_no_clear_answer_is_doubt_and_never_sent_again(status: int, body: bytes) -> None:
    desk = Desk().ready()
    desk.new()
    outputs = desk.answer("orders", body, status)
    assert desk.types() == ["unknown"]
    assert of(Doubt, outputs)
    desk.wait(30)
    assert not [one for one in desk.asked if one.name == "orders"]


def test_a_word_that_nobody_knows_is_loud() -> None:
    desk = Desk().ready()
    desk.new()
    assert [one.level for one in of(Notice, desk.answer("orders", refused("A_WORD_OF_TOMORROW")))] == ["error"]


def test_no_answer_in_time_is_doubt_and_a_late_one_counts() -> None:
    desk = Desk().ready()
    desk.new()
    desk.wait(8)
    assert desk.types() == ["unknown"]
    desk.created()
    assert desk.types() == ["unknown", "new"]


def test_silence_after_the_doubt_or_after_its_answer_is_nothing_new() -> None:
    """The door gives up after ten seconds; the doubt was told before, or a look has found the order."""
    for is_found in (False, True):
        desk = Desk().ready()
        desk.new()
        desk.wait(8)
        if is_found:
            desk.user(told())
        before = desk.types()
        desk.answer("orders", b"no answer: none within 10 s", 0)
        assert desk.types() == before == ["unknown", "new"][: 1 + is_found]


def test_a_refusal_of_an_order_that_lives_ends_nothing() -> None:
    desk = Desk().ready()
    desk.new()
    desk.user(told())
    outputs = desk.answer("orders", refused("INVALID_SIDE"))
    assert desk.types() == ["new"]
    assert of(Doubt, outputs)
    assert of(Notice, outputs)[0].level == "error"


def test_too_many_requests_is_a_refusal_and_a_pause() -> None:
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", {"errors": [{"id": "rate_limit_exceeded", "message": "Rate limit exceeded"}]}, 429)
    assert [(one.exec_type, one.reject_code) for one in desk.reports] == [(ExecType.REJECTED, RejectCode.RATE_LIMIT)]
    desk.new("vg1a2b3c-2")
    assert desk.reports[-1].text.startswith("never sent: coinbase asked for less")
    desk.wait(6)
    desk.new("vg1a2b3c-3")
    assert desk.find("orders").json["client_order_id"] == "vg1a2b3c-3"


def test_the_budget_keeps_a_part_for_cancels() -> None:
    desk = Desk().ready().placed()
    for number in range(30):
        desk.new(f"vg1a2b3c-{number + 10}")
    left = [one for one in desk.asked if one.name == "orders"]
    refusals = [one for one in desk.reports if one.exec_type is ExecType.REJECTED]
    assert 8 <= len(left) <= 14
    assert len(left) + len(refusals) == 30
    assert {one.reject_code for one in refusals} == {RejectCode.RATE_LIMIT}
    desk.cancel()
    assert desk.find("orders/batch_cancel").json == {"order_ids": [THEIRS]}


# --- cancels ---------------------------------------------------------------------------------------------------------


def cancelled(success: bool = True, reason: str = "UNKNOWN_CANCEL_FAILURE_REASON", venue_id: str = THEIRS) -> Any:
    return {"results": [{"success": success, "failure_reason": reason, "order_id": venue_id}]}


def test_a_cancel_that_was_taken_is_no_cancelled_order() -> None:
    desk = Desk().ready().placed()
    desk.cancel()
    assert desk.find("orders/batch_cancel").json == {"order_ids": [THEIRS]}
    desk.answer("orders/batch_cancel", cancelled())
    assert desk.types() == ["new"]
    desk.user(told("CANCEL_QUEUED"), told("CANCELLED", left="0", cancel_reason="User requested cancel"))
    assert desk.types() == ["new", "canceled"]
    assert desk.reports[-1].text == "User requested cancel"


def test_a_cancel_of_which_nothing_comes_is_doubt() -> None:
    desk = Desk().ready().placed()
    desk.cancel()
    desk.answer("orders/batch_cancel", cancelled())
    desk.wait(3)
    assert desk.types() == ["new", "unknown"]


@pytest.mark.parametrize("reason", ["UNKNOWN_CANCEL_ORDER", "ORDER_IS_FULLY_FILLED", "COMMANDER_REJECTED_CANCEL_ORDER"])
def test_a_refused_cancel_leaves_the_order_alive_and_is_looked_after(reason: str) -> None:
    desk = Desk().ready().placed()
    desk.cancel()
    assert of(Doubt, desk.answer("orders/batch_cancel", cancelled(success=False, reason=reason)))
    assert [(one.exec_type, one.text) for one in desk.reports[1:]] == [(ExecType.CANCEL_REJECTED, reason)]


@pytest.mark.parametrize(
    ("status", "body"),
    [(502, b"<html>"), (0, b"no answer: cut"), (200, b'{"results":[]}'),
     (200, json.dumps(cancelled(venue_id=OTHER)).encode()), (200, json.dumps(cancelled(success=False)).encode())],
)  # fmt: skip
def test_silence_about_a_cancel_is_doubt(status: int, body: bytes) -> None:
    desk = Desk().ready().placed()
    desk.cancel()
    desk.answer("orders/batch_cancel", body, status)
    assert desk.types() == ["new", "unknown"]


@pytest.mark.parametrize("how", ["answer", "channel", "look"])
def test_a_cancel_waits_for_the_venue_s_id(how: str) -> None:
    desk = Desk().ready()
    desk.new()
    desk.cancel()
    assert not [one for one in desk.asked if one.name == "orders/batch_cancel"]
    if how == "answer":
        desk.created()
    elif how == "channel":
        desk.user(told("PENDING"))
    else:
        desk.answer("orders", b"", 502)
        desk.look()
        desk.lists([listed()], [])
        desk.fills()
        desk.wait(0.5)
        desk.accounts()
    assert desk.find("orders/batch_cancel").json == {"order_ids": [THEIRS]}


def test_a_cancel_whose_order_was_refused_has_nothing_to_do() -> None:
    desk = Desk().ready()
    desk.new()
    desk.cancel()
    desk.answer("orders", refused("INSUFFICIENT_FUND"))
    desk.wait(10)
    assert not [one for one in desk.asked if one.name == "orders/batch_cancel"]
    assert desk.types() == ["rejected"]


def test_a_cancel_that_waited_in_vain_was_never_sent() -> None:
    desk = Desk().ready()
    assert of(Doubt, desk.cancel("vg9z9z9z-1")), "of an earlier session, and no look was yet"
    desk.wait(8)
    (report,) = desk.reports
    assert report.exec_type is ExecType.CANCEL_REJECTED
    assert report.text.startswith("never sent: ")


# --- edits -----------------------------------------------------------------------------------------------------------


def test_an_edit_is_made_when_the_channel_says_so() -> None:
    desk = Desk().ready().placed()
    desk.user(told(cum="0.0004", left="0.0006"))
    desk.fills(fill(1, "0.0004"))
    desk.amend(PX + 10**9, QTY * 2)
    assert desk.find("orders/edit").json == {"order_id": THEIRS, "price": "60001.00", "size": "0.00200000"}
    desk.answer("orders/edit", {"success": True, "errors": []})
    desk.user(told("EDIT_QUEUED", cum="0.0004", left="0.0016", limit_price="60001.00"))
    desk.user(told(cum="0.0004", left="0.0006"))
    assert "replaced" not in desk.types(), "that is the order as it was"
    desk.user(told(cum="0.0004", left="0.0016", limit_price="60001.00"))
    assert [(one.px_1e9, one.qty_1e8) for one in desk.reports if one.exec_type is ExecType.REPLACED] == [
        (PX + 10**9, 2 * QTY)
    ]


def test_an_edit_of_which_nothing_comes_is_doubt() -> None:
    desk = Desk().ready().placed()
    desk.amend(PX, QTY * 2)
    desk.answer("orders/edit", {"success": True, "errors": []})
    desk.wait(3)
    assert desk.types() == ["new", "unknown"]


@pytest.mark.parametrize("reason", ["CANNOT_EDIT_TO_BELOW_FILLED_SIZE", "ORDER_NOT_FOUND"])
def test_a_refused_edit(reason: str) -> None:
    desk = Desk().ready().placed()
    desk.amend(PX, QTY * 2)
    errors = [{"edit_failure_reason": reason, "preview_failure_reason": ""}]
    desk.answer("orders/edit", {"success": False, "errors": errors})
    assert [(one.exec_type, one.text) for one in desk.reports[1:]] == [(ExecType.REPLACE_REJECTED, reason)]


def test_an_edit_needs_the_venue_s_id() -> None:
    desk = Desk().ready()
    desk.new()
    desk.amend(PX, QTY * 2)
    assert desk.reports[-1].exec_type is ExecType.REPLACE_REJECTED
    assert desk.reports[-1].text == "never sent: Coinbase's id of the order is not known"


# --- what may not be -------------------------------------------------------------------------------------------------


def test_there_are_no_options() -> None:
    with pytest.raises(ConfigError, match="no option 'validate'"):
        CoinbaseTrading(TradingPlan(((0, "BTC/USD"),), [BTC], "vg", {"validate": "true"}))
    assert VENUE.trading is not None
    assert dict(VENUE.trading.options) == {}


@given(
    data=st.binary(max_size=60), link=st.sampled_from([PRIVATE, REST]), begin=st.sampled_from([b"", b"1 200\n", b"{"])
)
def test_no_bytes_raise(data: bytes, link: str, begin: bytes) -> None:
    desk = Desk().ready()
    desk.new()
    desk.session.receive(begin + data, desk.now_ns, link)
    desk.wait(1)


@given(st.permutations(range(5)))
def test_messages_in_any_order_end_alike(order: list[int]) -> None:
    """Two fills and the end, the answer somewhere between: told once each, and the sum is right."""
    desk = Desk().ready()
    desk.new()
    steps: list[Callable[[], Any]] = [
        desk.created,
        partial(desk.user, told(cum="0.0004", left="0.0006")),
        partial(desk.user, told(cum="0.0007", left="0.0003")),
        partial(desk.user, told("CANCELLED", cum="0.0007", left="0", cancel_reason="x")),
        partial(desk.wait, 0.5),
    ]
    for place in order:
        steps[place]()
    for _ in range(6):
        if any(one.name == "orders/historical/fills" for one in desk.asked):
            desk.fills(fill(2, "0.0003"), fill(1, "0.0004"))
        desk.wait(0.5)
    kinds = [one.exec_type for one in desk.reports]
    assert kinds.count(ExecType.NEW) == 1
    assert sorted(one.exec_id for one in desk.reports if one.exec_id) == ["entry-1", "entry-2"]
    assert kinds[-1] is ExecType.CANCELED
    assert desk.reports[-1].cum_qty_1e8 == 70_000
    assert list(itertools.accumulate(one.last_qty_1e8 for one in desk.reports if one.exec_id)) == [40_000, 70_000]


def test_an_order_leaves_over_rest_with_its_approval() -> None:
    desk = Desk().ready()
    sends = of(Send, desk.new())
    assert [(one.link, one.approval) for one in sends] == [(REST, 1)]
    assert VENUE.asked is not None
    assert [one.client_order_id for one in VENUE.asked(sends[0].data)] == [NAME]
