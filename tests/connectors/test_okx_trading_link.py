"""OKX's private link: the key, login, subscriptions, the dead-man's switch, options, ends."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import ConfigError
from connectors.events import ExecType, Ready, RejectCode
from connectors.session import PRIVATE, REST, Reconnect, Send, Stop
from tests.support.okx_account import (
    ETH,
    TAG,
    Desk,
    answer,
    asked,
    kinds,
    notices,
    orders,
    reports,
    said,
    state,
)
from tests.support.okx_frames import SECOND, T0, dump, notice, of

ONE = f"{TAG}-1"
TWO = f"{TAG}-2"


# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_is_asked_about_first_and_nothing_is_sent_before() -> None:
    desk = Desk()
    out = desk.seen(desk.session.start(T0))
    assert {path for _, path, _ in asked(out)} == {
        "/api/v5/account/config", "/api/v5/public/time", "/api/v5/public/instruments",
    }  # fmt: skip
    assert desk.why == "the API key's permissions are not known yet"
    (report,) = reports(desk.submit())
    assert (report.exec_type, report.reject_code) == (ExecType.REJECTED, RejectCode.NETWORK)
    assert report.text.startswith("never sent: ")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"perm": "read_only,withdraw,trade"}, "may take money away"),
        ({"perm": "read_only"}, "lacks trade"),
        ({"perm": "trade"}, "lacks read_only"),
        ({"perm": ""}, "lacks read_only, trade"),
        ({"mode": "3"}, "borrowed money"),
        ({"mode": "4"}, "borrowed money"),
    ],
)
def test_a_key_or_an_account_that_is_not_fit_ends_the_session(config: dict[str, Any], words: str) -> None:
    desk = Desk()
    (stop,) = of(Stop, desk.begin(**config))
    assert words in stop.reason
    assert not said(desk.open()), "nobody logs in with it"


@pytest.mark.parametrize("code", ["50105", "50111", "50113", "50110", "50119", "50101"])
def test_a_key_that_okx_does_not_accept_ends_the_session(code: str) -> None:
    desk = Desk()
    (request,) = asked(desk.session.start(T0), "config")
    assert of(Stop, desk.reply(request, code=code, words="no", status=401))


@pytest.mark.parametrize("frame", [b"0\nno answer: cut", b"503\n<html>", b"200\n{", b'200\n{"code":"0","data":[]}'])
def test_an_answer_that_says_nothing_of_the_key_is_asked_for_again(frame: bytes) -> None:
    desk = Desk()
    (request,) = asked(desk.session.start(T0), "config")
    status, _, body = frame.partition(b"\n")
    out = desk.rest(request, status, body)
    assert notices(out, "warning")
    assert not of(Stop, out)
    assert len(asked(desk.wait(10.5), "config")) == 1


# --- login -----------------------------------------------------------------------------------------------------------


def test_login_subscriptions_switch_ready() -> None:
    desk = Desk()
    desk.begin()
    (login,) = said(desk.open())
    assert login["op"] == "login"
    assert login["args"][0] == {
        "apiKey": "{secret:key}", "passphrase": "{secret:passphrase}", "timestamp": "{time_s}", "sign": "{sign}",
    }  # fmt: skip
    out = desk.hear(dump({"event": "login", "code": "0", "msg": "", "connId": "a4d3ae55"}))
    requests = said(out, "subscribe")
    assert [one["args"] for one in requests] == [
        [{"channel": "orders", "instType": "SPOT"}], [{"channel": "account"}],
    ]  # fmt: skip
    for request in requests:
        assert (desk.why or "").startswith("not subscribed: ")
        out = desk.hear(dump({"id": request["id"], "event": "subscribe", "arg": request["args"][0]}))
    ((number, path, body),) = asked(out, "cancel-all-after")
    assert (path, body) == ("/api/v5/trade/cancel-all-after", '{"timeOut":"60"}')
    assert desk.why == "the dead-man's switch is not armed yet"
    out = desk.reply((number, path, body), {"triggerTime": "1587971460", "ts": "1587971400"})
    assert of(Ready, out) == [Ready("okx", "")]


def test_the_venues_time_goes_into_what_is_signed_and_into_deadlines() -> None:
    desk = Desk()
    desk.begin(skew_ms=12_500)
    (login,) = said(desk.open())
    assert login["args"][0]["timestamp"] == "{time_s:+12}"
    desk.log_in()
    (request,) = said(desk.submit())
    assert int(request["expTime"]) == (T0 + 5 * SECOND) // 10**6 + 12_500
    (question,) = [send for send in of(Send, desk.session.look(T0, desk.now_ns)) if send.link == REST]
    assert b"/api/v5/trade/orders-pending +12499\n" in question.data  # cut, of a clock read in whole milliseconds


def test_a_login_waits_for_the_time_and_not_for_long() -> None:
    desk = Desk()
    out = desk.session.start(T0)
    assert not said(desk.open())
    (time,) = asked(out, "time")
    assert said(desk.reply(time, {"ts": str(T0 // 10**6)}), "login")
    late = Desk()
    late.session.start(T0)
    late.open()
    assert said(late.wait(2), "login")


@pytest.mark.parametrize(("code", "ends"), [("60009", False), ("60006", False), ("60005", True), ("60024", True)])
def test_a_login_that_is_refused(code: str, ends: bool) -> None:
    """A key that is wrong stays wrong; anything else is tried anew after ten seconds."""
    desk = Desk()
    desk.begin()
    desk.open()
    out = desk.hear(dump({"event": "error", "code": code, "msg": "Login failed.", "connId": "a4d3ae55"}))
    assert notices(out, "error")
    assert bool(desk.why)
    later = desk.wait(10.5)
    assert bool(of(Reconnect, later)) is not ends
    if code == "60006":
        assert asked(later, "time"), "our clock is not what it was taken for"


def test_a_login_without_an_answer_is_tried_anew() -> None:
    desk = Desk()
    desk.begin()
    desk.open()
    assert [one.link for one in of(Reconnect, desk.wait(5))] == [PRIVATE]


def test_a_subscription_that_is_refused_is_tried_anew() -> None:
    desk = Desk()
    desk.begin()
    desk.open()
    (first, _) = said(desk.hear(dump({"event": "login", "code": "0"})), "subscribe")
    out = desk.hear(dump({"id": first["id"], "event": "error", "code": "60018", "msg": "Wrong channel"}))
    assert notices(out, "error")
    assert "orders refused" in (desk.why or "")
    assert of(Reconnect, desk.wait(10))


def test_a_dead_link_is_dialled_again_and_what_was_under_way_is_doubt() -> None:
    desk = Desk().ready()
    desk.submit()
    out = desk.wait(10.5, is_alive=False)
    assert of(Reconnect, out)
    assert (ONE, "unknown") in kinds(out)
    assert desk.why == "the private link is down"


def test_a_notice_of_closing_stops_orders_and_leaves_when_all_is_answered() -> None:
    desk = Desk().ready()
    (request,) = said(desk.submit(), "order")
    out = desk.hear(notice())
    assert desk.why == "OKX is about to close the private link"
    assert not of(Reconnect, out)
    assert kinds(desk.hear(answer(request, (ONE, "O1", "0")), orders(state(ONE)))) == [(ONE, "new")]
    assert said(desk.cancel(), "cancel-order"), "cancels go on"
    assert of(Reconnect, desk.wait(5))


def test_too_many_connections_end_this_one() -> None:
    desk = Desk().ready()
    frame = {"event": "channel-conn-count-error", "channel": "orders", "connCount": "30", "connId": "a4d3ae55"}
    assert notices(desk.hear(dump(frame)), "error")
    assert "too many connections" in (desk.why or "")


# --- the dead-man's switch -------------------------------------------------------------------------------------------


def test_the_switch_is_armed_every_fifteen_seconds() -> None:
    desk = Desk().ready()
    assert len(asked(desk.wait(61), "cancel-all-after")) == 4
    assert desk.why == ""


def test_a_switch_without_an_answer_stops_orders() -> None:
    desk = Desk().ready()
    for _ in range(42):
        desk.now_ns += SECOND // 2
        out = desk.seen(desk.session.tick(desk.now_ns))
        desk.hear(b"pong")
    assert "dead-man" in (desk.why or "")
    assert "never sent" in reports(desk.submit())[0].text
    (timer,) = asked(out, "cancel-all-after") or asked(desk.wait(5, is_alive=False), "cancel-all-after")[:1]
    desk.reply(timer, {"triggerTime": "1"})
    assert desk.why == ""


def test_the_switch_is_not_refreshed_while_the_link_is_down() -> None:
    desk = Desk().ready()
    desk.close()
    assert not asked(desk.wait(40), "cancel-all-after")


def test_the_switch_is_disarmed_before_maintenance_and_armed_after_it() -> None:
    desk = Desk().ready()
    out = desk.seen(desk.session.says("maintenance", desk.now_ns))
    assert [body for _, _, body in asked(out, "cancel-all-after")] == ['{"timeOut":"0"}']
    assert desk.why == "okx says: maintenance"
    assert not asked(desk.wait(20), "cancel-all-after")
    desk.seen(desk.session.says("online", desk.now_ns))
    assert [body for _, _, body in asked(desk.wait(1), "cancel-all-after")] == ['{"timeOut":"60"}']
    assert desk.why == ""


@pytest.mark.parametrize("is_flat", [True, False])
def test_at_the_end_it_is_disarmed_only_if_nothing_is_open(is_flat: bool) -> None:
    desk = Desk().ready()
    out = desk.session.stop(desk.now_ns, is_flat=is_flat)
    assert [body for _, _, body in asked(out)] == (['{"timeOut":"0"}'] if is_flat else [])
    assert desk.session.tick(desk.now_ns) == []


# --- options, ends ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"stp_mode": "none"}, {"what": "x"}, {"batch": "perhaps"}])
def test_an_option_that_okx_does_not_have(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        Desk(**options)
    assert raised.value.mend


def test_a_key_that_loses_its_permission_halts_and_cancels_go_on() -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.submit(2))
    out = desk.hear(answer(request, (TWO, "", "50120")))
    assert kinds(out) == [(TWO, "rejected")]
    assert notices(out, "error")
    assert desk.why
    assert said(desk.cancel())
    assert not asked(desk.wait(40), "cancel-all-after"), "the switch runs out, and cancels what is open"


def test_an_order_at_a_market_without_a_code_names_it() -> None:
    desk = Desk(ETH.__class__("okx", "ETH/USDT", 2, 6, 10**7, 100, venue_symbol="ETH-USDT")).ready()
    (request,) = said(desk.submit(px_1e9=10**12))
    assert request["args"][0]["instId"] == "ETH-USDT"
