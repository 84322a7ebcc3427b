"""Cancels, which always leave: by the private link, or over REST; what each answer to them is worth."""

from __future__ import annotations

import pytest

from connectors.events import ExecType
from connectors.session import PRIVATE, REST, Send
from tests.support.kraken_account import (
    Desk,
    answer,
    asked,
    execution,
    kinds,
    n,
    reports,
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


# --- cancels ---------------------------------------------------------------------------------------------------------

CANCELED = execution("canceled", cum_qty=n("0.00000000"), reason="User requested")


@pytest.mark.parametrize("name", [{"order_id": "O1"}, {"cl_ord_id": "vg-1"}])
def test_a_cancel_that_was_taken_is_no_cancelled_order_yet(name: dict[str, str]) -> None:
    desk = ready().live()
    desk.cancel()
    assert kinds(desk.hear(answer("cancel_order", desk.approvals, name))) == []
    (gone,) = reports(desk.executions(CANCELED))
    assert (gone.exec_type, gone.text, gone.leaves_qty_1e8) == (ExecType.CANCELED, "User requested", 0)
    assert kinds(desk.wait(30)) == []


def test_an_execution_before_the_response_is_enough() -> None:
    desk = ready().live()
    desk.cancel()
    assert kinds(desk.executions(CANCELED)) == [("vg-1", "canceled")]
    assert desk.hear(answer("cancel_order", desk.approvals, {"order_id": "O1"})) == []


def test_a_cancel_that_was_taken_and_shows_nowhere_is_doubt() -> None:
    desk = ready().live()
    desk.cancel()
    desk.hear(answer("cancel_order", desk.approvals, {"order_id": "O1"}))
    out = desk.wait(3)
    assert kinds(out) == UNKNOWN
    assert looks(out)


def test_more_answers_than_one_are_one() -> None:
    desk = ready().live()
    desk.cancel()
    frame = answer("cancel_order", desk.approvals, {"order_id": "O1"})
    assert desk.hear(frame, frame) == []
    no = answer("cancel_order", desk.approvals, error="EOrder:Unknown order")
    assert kinds(desk.executions(CANCELED)) == [("vg-1", "canceled")]
    assert kinds(desk.hear(no)) == []


def test_a_cancel_of_nothing_is_refused_and_looked_up() -> None:
    desk = ready().live()
    desk.cancel()
    out = desk.hear(answer("cancel_order", desk.approvals, error="EOrder:Unknown order"))
    assert kinds(out) == [("vg-1", "cancel_rejected")]
    assert looks(out)


def test_cancel_all_counts_and_the_executions_say_whom() -> None:
    desk = ready().live("vg-1", "O1").live("vg-2", "O2")
    desk.cancel_all()
    assert kinds(desk.hear(answer("cancel_all", desk.approvals, {"count": 2}))) == []
    assert kinds(desk.executions(CANCELED)) == [("vg-1", "canceled")]
    out = desk.wait(3)
    assert kinds(out) == [("vg-2", "unknown")]
    assert looks(out)


def test_cancel_all_without_an_answer_is_doubt_about_everything_alive() -> None:
    desk = ready().live("vg-1", "O1").live("vg-2", "O2")
    desk.cancel_all()
    assert kinds(desk.wait(8)) == [("vg-1", "unknown"), ("vg-2", "unknown")]


def test_cancel_all_refused() -> None:
    desk = ready().live("vg-1", "O1")
    desk.cancel_all()
    out = desk.hear(answer("cancel_all", desk.approvals, error="EAPI:Rate limit exceeded"))
    assert kinds(out) == [("vg-1", "cancel_rejected")]


# --- cancels over REST -----------------------------------------------------------------------------------------------


def down() -> Desk:
    desk = ready().live()
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    return desk


@pytest.mark.parametrize("state", ["down", "silent", "no token"])
def test_without_a_link_a_cancel_goes_over_rest(state: str) -> None:
    desk = ready().live() if state == "silent" else down()
    if state == "silent":
        desk.now_ns += 4 * SECOND
    if state == "no token":
        desk.took(desk.session.open(desk.now_ns, PRIVATE))
    out = desk.cancel()
    (send,) = [one for one in of(Send, out) if one.approval]
    assert (send.link, send.approval) == (REST, desk.approvals)
    assert send.data.partition(b" ")[2] == b"/0/private/CancelOrder\ncl_ord_id=vg-1"


def test_over_rest_an_order_is_not_cancelled_twice_at_a_time() -> None:
    """A guest that asks again and again would fill the one way that is left. Answered or overdue, it is repeated."""
    desk = down()
    first = the_cancel(desk.cancel())
    assert asked(desk.cancel()) == []
    desk.silent(first)
    second = the_cancel(desk.cancel())
    assert second != first
    assert asked(desk.cancel()) == []
    desk.wait(8, serving=False)
    assert the_cancel(desk.cancel())
    assert [one[1] for one in asked(desk.cancel_all())] == ["CancelAll"]


def the_cancel(outputs: object, method: str = "CancelOrder") -> str:
    ((number, _, _),) = [one for one in asked(outputs) if one[1] == method]  # type: ignore[arg-type]
    return number


def test_a_cancel_over_rest_that_was_taken_is_looked_up() -> None:
    desk = down()
    out = desk.reply(the_cancel(desk.cancel()), {"count": 1, "pending": False})
    assert kinds(out) == []
    assert looks(desk.out[-20:])
    assert kinds(desk.wait(3, serving=False)) == UNKNOWN, "nobody says what became of it"


def test_a_cancel_over_rest_of_nothing_is_refused() -> None:
    desk = down()
    assert kinds(desk.reply(the_cancel(desk.cancel()), {"count": 0})) == [("vg-1", "cancel_rejected")]


@pytest.mark.parametrize(
    ("error", "kind"),
    [("EOrder:Unknown order", "cancel_rejected"), ("EAPI:Invalid nonce", "cancel_rejected"),
     ("EService:Busy", "unknown"), ("Whatever", "unknown")],
)  # fmt: skip
def test_errors_of_a_cancel_over_rest(error: str, kind: str) -> None:
    desk = down()
    assert kinds(desk.reply(the_cancel(desk.cancel()), error=error)) == [("vg-1", kind)]


def test_silence_of_a_cancel_over_rest_is_unknown() -> None:
    desk = down()
    out = desk.silent(the_cancel(desk.cancel()))
    assert kinds(out) == UNKNOWN


@pytest.mark.parametrize("body", [b"<html>502</html>", b'{"error":[],"result":{"count":"one"}}', b"", b"[]"])
def test_an_answer_that_cannot_be_read_is_unknown(body: bytes) -> None:
    desk = down()
    frame = the_cancel(desk.cancel()).encode() + b" 502\n" + body
    assert kinds(desk.took(desk.session.receive(frame, desk.now_ns, REST))) == UNKNOWN


def test_cancel_all_over_rest() -> None:
    desk = down()
    out = desk.reply(the_cancel(desk.cancel_all(), "CancelAll"), {"count": 1})
    assert kinds(out) == []
    assert kinds(desk.wait(3, serving=False)) == UNKNOWN
