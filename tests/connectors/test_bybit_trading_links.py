"""The way to Ready: Bybit's time, the key, two sockets logged in and subscribed; and everything that takes it away."""

from __future__ import annotations

import json

import pytest

from connectors.errors import ConfigError
from connectors.events import Balance, Doubt, Notice, Ready
from connectors.session import PRIVATE, REST, TRADE, Reconnect, Send, Stop
from connectors.venues.bybit.asked import asked
from tests.support.bybit_account import KEY, MS, Desk, of, ops, reports


def test_the_order_of_things() -> None:
    """Time before the key, for the key's question is signed with it; then logins, topics, and Ready."""
    desk = Desk()
    desk.keep(desk.session.start(desk.now_ns))
    assert list(desk.rest.values()) == [("GET /v5/market/time", "")]
    nano = str((MS + 250) * 10**6)
    desk.answered("/v5/market/time", {"timeSecond": nano[:10], "timeNano": nano})
    (question,) = [send for send in desk.left if b"query-api" in send.data]
    assert question.data == b"1000000002 GET /v5/user/query-api +250\n"
    desk.answered("/v5/user/query-api", KEY)
    assert desk.ready[-1] == "the private link is down"
    private = desk.open(PRIVATE)
    assert [send.data for send in of(Send, private)] == [
        b'{"req_id":"2000000001","op":"auth","args":["{secret:key}",{expires_ms:+10250},"{sign}"]}'
    ]
    desk.yes(private, PRIVATE)
    subscribed = [json.loads(send.data)["args"][0] for send in desk.left if b'"subscribe"' in send.data]
    assert subscribed == ["order", "execution", "wallet"]
    assert desk.ready[-1] == "the trade link is down"
    trade = desk.open(TRADE)
    assert of(Send, trade)[0].data.startswith(b'{"reqId":"')
    desk.yes(trade, TRADE)
    assert desk.ready[-1] == ""
    assert [asked(send.data) for send in desk.left] == [[]] * len(desk.left)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ({**KEY, "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer", "Withdraw"]}}, "take money away"),
        ({**KEY, "readOnly": 1}, "lacks write access"),
        ({**KEY, "permissions": {"Spot": [], "Wallet": []}}, "lacks SpotTrade"),
    ],
)
def test_a_key_that_may_too_much_or_too_little_ends_the_session(key: object, words: str) -> None:
    desk = Desk()
    (stop,) = of(Stop, desk.start(key))
    assert words in stop.reason
    assert words in desk.ready[-1]
    assert of(Send, desk.open(PRIVATE)) == []
    assert reports(desk.submit()) == [("rejected", "vg1a2b3c-1")]


def test_a_key_that_is_not_accepted_ends_the_session_and_silence_does_not() -> None:
    desk = Desk()
    desk.keep(desk.session.start(desk.now_ns))
    desk.silent("/v5/market/time")  # the key is asked for all the same
    desk.silent("/v5/user/query-api")
    assert of(Notice, desk.wait(1)) == []
    desk.wait(10)
    (stop,) = of(Stop, desk.answered("/v5/user/query-api", {}, 10003, "API key is invalid."))
    assert stop.reason.startswith("the API key is not accepted (10003: API key is invalid.)")


def test_a_clock_that_is_off_is_measured_and_told() -> None:
    """Bybit's time goes into orders, questions and logins; a refusal for it measures anew."""
    desk = Desk()
    out = desk.start(time_ms=MS - 3000)
    assert [notice.level for notice in of(Notice, out)] == ["warning"]
    for link in (PRIVATE, TRADE):
        desk.yes(desk.open(link), link)
    (send,) = of(Send, desk.submit())
    assert json.loads(send.data)["header"]["X-BAPI-TIMESTAMP"] == str(MS - 3000)
    assert reports(desk.taken(1, 10002, "invalid request, please check your server timestamp")) == [
        ("rejected", "vg1a2b3c-1")
    ]
    desk.wait(0.5)
    assert ("GET /v5/market/time", "") in desk.rest.values()


def test_a_question_that_is_refused_for_its_time_measures_anew() -> None:
    desk = Desk().up()
    desk.keep(desk.session.look(0, desk.now_ns))
    desk.answered("/v5/order/realtime", {}, 10002, "invalid request, please check your server timestamp")
    desk.wait(0.5)
    assert ("GET /v5/market/time", "") in desk.rest.values()


@pytest.mark.parametrize("link", [PRIVATE, TRADE])
def test_either_link_lost_is_doubt_and_not_ready(link: str) -> None:
    """What is told on one is answered on the other: whichever goes, what is in flight is UNKNOWN and not sent again."""
    desk = Desk().up()
    desk.submit()
    left = len(desk.left)
    out = desk.close(link)
    assert reports(out) == [("unknown", "vg1a2b3c-1")]
    assert of(Doubt, out)[0].why == f"the {link} link went down"
    assert desk.ready[-1] == f"the {link} link is down"
    assert len(desk.left) == left
    assert reports(desk.submit("vg1a2b3c-2")) == [("rejected", "vg1a2b3c-2")]
    desk.yes(desk.open(link), link)
    assert desk.ready[-1] == ""


@pytest.mark.parametrize("link", [PRIVATE, TRADE])
def test_a_socket_that_does_not_answer_pings_is_dead(link: str) -> None:
    desk = Desk().up()
    desk.submit()
    out = []
    for _ in range(22):
        desk.now_ns += 10**9 // 2
        ticked = desk.keep(desk.session.tick(desk.now_ns))
        out += ticked
        for send in of(Send, ticked):
            if b"ping" in send.data and send.link != link:
                desk.hear({"op": "pong", "retCode": 0} if send.link == TRADE else {"op": "pong"}, send.link)
    assert of(Reconnect, out) == [Reconnect(link, "no answer to a ping in 5 s")]
    assert ("unknown", "vg1a2b3c-1") in reports(out)
    assert desk.ready[-1] == f"the {link} link is down"


def test_pings_as_documented() -> None:
    desk = Desk().up()
    desk.wait(6)
    pings = [send for send in desk.left if b"ping" in send.data]
    assert [(ping.link, "req_id" in json.loads(ping.data)) for ping in pings] == [(PRIVATE, True), (TRADE, False)]
    assert desk.ready[-1] == ""


@pytest.mark.parametrize("link", [PRIVATE, TRADE])
def test_a_login_that_is_refused_is_tried_anew(link: str) -> None:
    """With a key that is good by REST it is the clock, or the number of sessions: after a while, from the beginning."""
    desk = Desk()
    desk.start()
    desk.open(link)
    no = {"retCode": 10003, "retMsg": "Too many sessions", "op": "auth", "connId": "c"}
    if link == PRIVATE:
        no = {"success": False, "ret_msg": "Too many sessions", "op": "auth", "conn_id": "c"}
    (notice,) = of(Notice, desk.hear(no, link))
    assert notice.level == "error"
    assert of(Reconnect, desk.wait(9)) == []
    assert ("GET /v5/market/time", "") in desk.rest.values()
    (again,) = of(Reconnect, desk.wait(1))
    assert again.link == link
    assert "Too many sessions" in again.reason


def test_a_topic_that_is_refused_and_answers_that_do_not_come() -> None:
    desk = Desk()
    desk.start()
    (login,) = of(Send, desk.open(PRIVATE))
    assert of(Reconnect, desk.wait(6)) == [Reconnect(PRIVATE, "no answer to the login in 5 s")]
    desk.open(PRIVATE)
    assert b"auth" in login.data
    topics = of(Send, desk.hear({"success": True, "op": "auth", "ret_msg": ""}))
    number = json.loads(topics[0].data)["req_id"]
    no = {"success": False, "op": "subscribe", "req_id": number, "ret_msg": "denied"}
    (notice,) = of(Notice, desk.hear(no))
    assert notice.text == "bybit: order is refused: denied; trying anew in 10 s"
    desk.wait(11)
    desk.open(PRIVATE)
    desk.hear({"success": True, "op": "auth", "ret_msg": ""})
    (again,) = of(Reconnect, desk.wait(6))
    assert again.reason == "no answer to a subscription (not subscribed: order, execution, wallet) in 5 s"


def test_a_trade_service_that_restarts_wants_another_connection() -> None:
    """10019: what was asked is doubt, the socket is left."""
    desk = Desk().up()
    desk.submit()
    desk.submit("vg1a2b3c-2")
    out = desk.taken(1, 10019, "ws trade service is restarting")
    assert sorted(reports(out)) == [("unknown", "vg1a2b3c-1"), ("unknown", "vg1a2b3c-2")]
    assert of(Reconnect, out)[0].link == TRADE
    assert desk.ready[-1] == "the trade link is down"


def test_while_the_trade_socket_is_down_cancels_go_over_rest() -> None:
    desk = Desk().up().live()
    desk.close(TRADE)
    (send,) = of(Send, desk.cancel())
    assert send.link == REST
    assert asked(send.data)[0].what == "cancel"
    assert of(Send, desk.cancel()) == []  # one until it is answered
    assert reports(desk.answered("/v5/order/cancel", {"orderId": "id-vg1a2b3c-1", "orderLinkId": "vg1a2b3c-1"})) == []
    assert ops(desk.left[-1:]) == []


def test_the_wallet_is_told() -> None:
    desk = Desk().up()
    coins = [{"coin": "BTC", "walletBalance": "0.064883939", "locked": "0.01"}, {"coin": "USDT", "walletBalance": ""}]
    out = desk.topic("wallet", {"accountType": "UNIFIED", "coin": coins}, {"accountType": "CONTRACT", "coin": coins})
    assert out == [Balance("bybit", "BTC", 6_488_393), Balance("bybit", "USDT", 0)]


def test_options_and_the_end() -> None:
    for options in ({"tier": "pro"}, {"smp_type": "all"}, {"batch": "yes"}):
        with pytest.raises(ConfigError):
            Desk(**options)
    desk = Desk(smp_type="CancelTaker").up()
    (send,) = of(Send, desk.submit())
    assert json.loads(send.data)["args"][0]["smpType"] == "CancelTaker"
    out = desk.session.stop(desk.now_ns, is_flat=False)
    assert [notice.level for notice in of(Notice, out)] == ["warning"]
    assert of(Ready, out)[0].why == "the session has ended"
    assert desk.session.stop(desk.now_ns, is_flat=True) == []
    assert desk.session.tick(desk.now_ns + 10**9) == []


def test_maintenance_is_not_ready() -> None:
    desk = Desk().up()
    desk.keep(desk.session.says("maintenance", desk.now_ns))
    assert desk.ready[-1] == "bybit says: maintenance"
    desk.keep(desk.session.says("online", desk.now_ns))
    assert desk.ready[-1] == ""
