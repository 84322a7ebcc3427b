"""The trading session's key and socket, on Binance's own messages."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import (
    Doubt,
    ExecType,
    Notice,
    Ready,
)
from connectors.session import PRIVATE, Reconnect, Send, Stop
from tests.support.binance_account import (
    ACCOUNT,
    GOOD_KEY,
    MS,
    Desk,
    wrapped,
)
from tests.support.binance_frames import of

NEW, TRADE, CANCELED, UNKNOWN = ExecType.NEW, ExecType.TRADE, ExecType.CANCELED, ExecType.UNKNOWN


# --- the key ----------------------------------------------------------------------------------------------------------


def test_time_then_key_then_account() -> None:
    """With Binance's own time known, everything after it is asked with the difference."""
    desk = Desk()
    desk.take(desk.session.start(desk.now_ns))
    assert [one[2] for one in desk.asked] == ["/api/v3/time"]
    desk.answer({"serverTime": MS + 250})
    (send,) = [one for one in of(Send, desk.all) if b"apiRestrictions" in one.data]
    assert send.data == b"1000000002 GET /sapi/v1/account/apiRestrictions +250\n"
    desk.answer(GOOD_KEY)
    desk.answer(ACCOUNT)
    assert desk.why == "the private link is down"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"enableWithdrawals": True}, "may take money away"),
        ({"enableWithdrawals": None}, "does not say whether the API key may withdraw"),
        ({"enableReading": False}, "lacks enableReading"),
        ({"enableSpotAndMarginTrading": False}, "lacks enableSpotAndMarginTrading"),
    ],
)
def test_a_key_that_is_not_used(found: dict[str, Any], said: str) -> None:
    desk = Desk()
    desk.take(desk.session.start(desk.now_ns))
    desk.answer({"serverTime": MS})
    (stop,) = of(Stop, desk.answer({**GOOD_KEY, **found}))
    assert said in stop.reason
    assert not [one for one in desk.asked if one[2] == "/api/v3/order"]


def test_an_account_that_may_not_trade() -> None:
    desk = Desk()
    desk.take(desk.session.start(desk.now_ns))
    desk.answer({"serverTime": MS})
    desk.answer(GOOD_KEY)
    assert "canTrade" in of(Stop, desk.answer({**ACCOUNT, "canTrade": False}))[0].reason


@pytest.mark.parametrize(("status", "code"), [(400, -2014), (401, -2015), (400, -1022)])
def test_a_key_that_is_refused_ends_the_session(status: int, code: int) -> None:
    desk = Desk()
    desk.take(desk.session.start(desk.now_ns))
    desk.answer({"serverTime": MS})
    assert of(Stop, desk.answer({"code": code, "msg": "no"}, status))


@pytest.mark.parametrize("status", [0, 404, 502])
def test_a_key_that_cannot_be_asked_about_is_asked_again(status: int) -> None:
    """And nothing is sent meanwhile: silence is not permission."""
    desk = Desk()
    desk.take(desk.session.start(desk.now_ns))
    desk.answer({"serverTime": MS})
    assert not of(Stop, desk.answer(b"<html>", status))
    assert desk.why == "the API key's permissions are not known yet"
    desk.new()
    assert not desk.sent
    desk.wait(11)
    assert desk.asked[-1][2].endswith("apiRestrictions")


# --- the socket -------------------------------------------------------------------------------------------------------


def test_the_subscription_is_signed_as_it_leaves() -> None:
    desk = Desk()
    desk.take(desk.session.open(desk.now_ns, PRIVATE))
    assert desk.sent == [
        {"id": 2_000_000_001, "method": "userDataStream.subscribe.signature",
         "params": {"apiKey": "{secret:key}", "recvWindow": 5000, "timestamp": "{time_ms}", "signature": "{sign}"}}
    ]  # fmt: skip


def test_no_answer_and_a_refusal() -> None:
    desk = Desk()
    desk.take(desk.session.open(desk.now_ns, PRIVATE))
    assert of(Reconnect, desk.wait(5))
    desk.take(desk.session.close(desk.now_ns, PRIVATE))
    desk.take(desk.session.open(desk.now_ns, PRIVATE))
    desk.refuse(-1021, "Timestamp for this request is outside of the recvWindow.")
    assert of(Notice, desk.all)[-1].level == "error"
    desk.wait(1)
    assert desk.asked[-1][2] == "/api/v3/time", "the clock is measured anew"
    desk.wait(1)
    desk.refuse(-2015, "Invalid API-key, IP, or permissions for action.")
    desk.wait(5)
    desk.reply({})
    desk.wait(5)
    assert [one["method"] for one in desk.sent].count("userDataStream.subscribe.signature") == 4


def test_a_quiet_socket_is_asked_and_given_up() -> None:
    desk = Desk()
    desk.ready()
    desk.live()
    desk.wait(5)
    assert desk.sent[-1]["method"] == "ping"
    desk.reply({})
    desk.wait(5)
    assert not of(Reconnect, desk.all)
    outputs = desk.wait(5)
    assert of(Reconnect, outputs)[0].link == PRIVATE
    assert "given up" in of(Ready, outputs)[-1].why or "down" in of(Ready, outputs)[-1].why


def test_a_stream_that_is_ended_is_subscribed_anew() -> None:
    desk = Desk()
    desk.ready()
    outputs = desk.hear(wrapped({"e": "eventStreamTerminated", "E": MS}))
    assert of(Doubt, outputs)
    assert desk.why == "not subscribed to the account's events yet"
    desk.reply({"subscriptionId": 1})
    assert desk.why == ""


def test_a_shutdown_that_is_announced() -> None:
    """Nothing new leaves; what is under way has two seconds; then the socket is dialled anew."""
    desk = Desk()
    desk.ready()
    desk.new()
    desk.hear(wrapped({"e": "serverShutdown", "E": MS}))
    assert desk.why == "binance shuts this connection down"
    before = len(desk.sent)
    desk.new("vg1a2b3c-2")
    assert len(desk.sent) == before
    desk.reply({"orderId": 5}, number=1)
    assert desk.told() == [NEW]
    assert of(Reconnect, desk.wait(2.5))


def test_a_cut_socket_leaves_doubt() -> None:
    desk = Desk()
    desk.ready()
    desk.new()
    desk.take(desk.session.close(desk.now_ns, PRIVATE))
    assert desk.told() == [UNKNOWN]
    assert of(Doubt, desk.all)
