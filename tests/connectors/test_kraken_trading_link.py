"""The private link of the trading session: key, token, subscriptions, life, the dead-man's switch, Ready."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from connectors.errors import ConfigError
from connectors.events import Ready
from connectors.session import PRIVATE, Reconnect, Stop
from tests.support.kraken_account import (
    PERMISSIONS,
    Desk,
    answer,
    asked,
    execution,
    kinds,
    n,
    notices,
    pending,
    said,
)
from tests.support.kraken_frames import of

TOKEN = "{secret:ws_token}"  # noqa: S105 - the placeholder that net.py fills


# --- the key ---------------------------------------------------------------------------------------------------------


def test_the_key_is_asked_about_before_anything_else() -> None:
    desk = Desk()
    outputs = desk.start()
    assert asked(outputs) == [("1", "GetApiKeyInfo", "")]
    assert desk.why == "the API key's permissions are not known yet"
    desk.serve(outputs)
    assert desk.why == "the private link is down"


@pytest.mark.parametrize("bad", ["withdraw-funds", "add-withdraw-address", "update-withdraw-address"])
def test_a_key_that_could_take_the_money_away_ends_the_session(bad: str) -> None:
    desk = Desk()
    desk.book["GetApiKeyInfo"] = {"permissions": [*PERMISSIONS, bad]}
    outputs = desk.serve(desk.start())
    (stop,) = of(Stop, outputs)
    assert bad in stop.reason
    assert notices(outputs, "error") == [], "the engine says it, once"
    assert desk.why is not None
    assert bad in desk.why
    assert desk.took(desk.session.open(desk.now_ns, PRIVATE)) == [], "no token is asked for"
    assert kinds(desk.new()) == [("vg-1", "rejected")]


@pytest.mark.parametrize("missing", PERMISSIONS)
def test_a_key_that_lacks_something_is_named_for_it_and_ends_the_session(missing: str) -> None:
    desk = Desk()
    desk.book["GetApiKeyInfo"] = {"permissions": [name for name in PERMISSIONS if name != missing]}
    outputs = desk.serve(desk.start())
    assert desk.why == f"the API key lacks {missing}"
    (stop,) = of(Stop, outputs)
    assert missing in stop.reason
    assert "give it these permissions" in stop.reason
    assert kinds(desk.new()) == [("vg-1", "rejected")]


def test_a_key_that_could_not_be_read_is_asked_about_again() -> None:
    """Silence, an unreadable answer, a busy venue: nothing is known, nothing leaves, and it is asked again."""
    desk = Desk()
    (first,) = asked(desk.start())
    desk.silent(first[0])
    assert desk.why == "the API key's permissions are not known yet"
    (second,) = asked(desk.wait(11, serving=False))
    desk.reply(second[0], {"permissions": "all"})
    (third,) = asked(desk.wait(11, serving=False))
    desk.reply(third[0], error="EAPI:Invalid nonce")
    (fourth,) = asked(desk.wait(11, serving=False))
    desk.reply(fourth[0], desk.book["GetApiKeyInfo"])
    assert desk.why == "the private link is down"


@pytest.mark.parametrize(
    ("error", "words"),
    [("EAPI:Invalid key", "venues.kraken.key and venues.kraken.secret"),
     ("EAPI:Invalid signature", "not the one in the other's place"),
     ("EGeneral:Permission denied", "its permissions"), ("EGeneral:Temporary lockout", "wait")],
)  # fmt: skip
def test_a_key_that_is_not_accepted_ends_the_session(error: str, words: str) -> None:
    desk = Desk()
    ((number, _, _),) = asked(desk.start())
    outputs = desk.reply(number, error=error)
    assert desk.why == error
    (stop,) = of(Stop, outputs)
    assert error in stop.reason and words in stop.reason
    assert asked(desk.wait(60)) == []
    assert len(of(Stop, desk.out)) == 1
    assert notices(desk.out, "error") == []


def test_a_key_that_is_refused_is_told_once_though_the_token_is_asked_for_as_well() -> None:
    """Both were asked before either was answered; and where the key's own answer was lost, the token's ends it."""
    desk = Desk()
    ((key, _, _),) = asked(desk.start())
    ((token, _, _),) = asked(desk.took(desk.session.open(desk.now_ns, PRIVATE)))
    desk.reply(key, error="EAPI:Invalid key")
    desk.reply(token, error="EAPI:Invalid key")
    assert len(of(Stop, desk.out)) == 1
    assert notices(desk.out, "error") == []
    desk = Desk()
    ((key, _, _),) = asked(desk.start())
    ((token, _, _),) = asked(desk.took(desk.session.open(desk.now_ns, PRIVATE)))
    desk.silent(key)
    desk.reply(token, error="EAPI:Invalid signature")
    (stop,) = of(Stop, desk.out)
    assert "EAPI:Invalid signature" in stop.reason


def test_a_key_that_loses_a_permission_stops_orders_loudly_once() -> None:
    """Two orders are in flight and a look is asked for; then Kraken refuses them all."""
    desk = Desk().ready()
    desk.wait(60)
    desk.new("vg-1")
    first = desk.approvals
    desk.new("vg-2")
    looking = asked(desk.look())
    out = [
        *desk.hear(answer("add_order", first, error="EGeneral:Permission denied")),
        *desk.hear(answer("add_order", desk.approvals, error="EGeneral:Permission denied")),
        *desk.reply(looking[0][0], error="EGeneral:Permission denied"),
    ]
    assert kinds(out) == [("vg-1", "rejected"), ("vg-2", "rejected")]
    assert notices(out, "error") == ["kraken: EGeneral:Permission denied: nothing more is sent"]
    assert of(Stop, desk.out) == []
    assert desk.why == "EGeneral:Permission denied"
    assert asked(desk.wait(120)) == []


def test_a_token_question_that_got_no_answer_is_asked_again_at_once() -> None:
    """A cancel goes before every question: the link does not wait ten seconds for that."""
    desk = Desk()
    desk.serve(desk.start())
    ((number, _, _),) = asked(desk.took(desk.session.open(desk.now_ns, PRIVATE)))
    ((again, method, _),) = asked(desk.silent(number, "no answer: given up for a cancel"))
    assert method == "GetWebSocketsToken"
    assert notices(desk.out) == []
    assert asked(desk.silent(again, "no answer: none within 10 s")) == []
    assert notices(desk.out, "error") == ["kraken: no token: no answer: none within 10 s; trying anew in 10 s"]


# --- token and subscriptions -----------------------------------------------------------------------------------------


def test_from_a_link_to_ready() -> None:
    """Token, both subscriptions with every flag said, the switch, and only then Ready."""
    desk = Desk()
    desk.serve(desk.start())
    opening = desk.took(desk.session.open(desk.now_ns, PRIVATE))
    assert [method for _, method, _ in asked(opening)] == ["GetWebSocketsToken"]
    assert said(opening) == []
    requests = said(desk.serve(opening))
    assert [request["params"] for request in requests] == [
        {"channel": "executions", "snap_orders": True, "snap_trades": True, "order_status": True, "ratecounter": True,
         "token": TOKEN},
        {"channel": "balances", "snapshot": True, "token": TOKEN},
    ]  # fmt: skip
    assert desk.why == "not subscribed: executions, balances"
    assert said(desk.hear(desk.yes(requests[0]))) == []
    (arming,) = said(desk.hear(desk.yes(requests[1])))
    assert (arming["method"], arming["params"]) == ("cancel_all_orders_after", {"timeout": 60, "token": TOKEN})
    assert desk.why == "the dead-man's switch is not armed yet"
    desk.hear(desk.yes(arming))
    assert desk.why == ""


def test_our_own_numbers_are_never_an_approvals() -> None:
    desk = Desk().ready()
    assert all(message["req_id"] > 10**9 for message in said(desk.out) + said(desk.wait(60)))


@pytest.mark.parametrize("text", ["ESession:Invalid session", "Token(s) not found"])
def test_a_token_that_is_refused_is_renewed_once(text: str) -> None:
    desk = Desk()
    desk.serve(desk.start())
    requests = said(desk.opened())
    again = desk.hear(answer("subscribe", requests[0]["req_id"], error=text))
    assert [method for _, method, _ in asked(again)] == ["GetWebSocketsToken"]
    (second,) = [one for one in said(desk.serve(again)) if one["params"]["channel"] == "executions"]
    outputs = desk.hear(answer("subscribe", second["req_id"], error=text))
    assert asked(outputs) == [], "no third try"
    assert text in str(desk.why)
    (reconnect,) = of(Reconnect, desk.wait(11))
    assert reconnect.link == PRIVATE


def test_a_subscription_that_nobody_acknowledges_is_a_dead_link() -> None:
    desk = Desk()
    desk.serve(desk.start())
    first, _ = said(desk.opened())
    desk.hear(desk.yes(first))
    (reconnect,) = of(Reconnect, desk.wait(5.5))
    assert "balances" in reconnect.reason


def test_no_token_is_no_subscription() -> None:
    desk = Desk()
    desk.serve(desk.start())
    ((number, _, _),) = asked(desk.took(desk.session.open(desk.now_ns, PRIVATE)))
    ((again, _, _),) = asked(desk.silent(number))
    outputs = desk.silent(again)
    assert said(outputs) == []
    assert notices(outputs, "error")
    assert len(of(Reconnect, desk.wait(11))) == 1


def test_a_wrong_nonce_is_tried_once_more_at_once() -> None:
    desk = Desk()
    desk.serve(desk.start())
    ((number, _, _),) = asked(desk.took(desk.session.open(desk.now_ns, PRIVATE)))
    ((again, method, _),) = asked(desk.reply(number, error="EAPI:Invalid nonce"))
    assert method == "GetWebSocketsToken"
    assert asked(desk.reply(again, error="EAPI:Invalid nonce")) == []


def test_a_permission_that_is_missing_halts() -> None:
    desk = Desk()
    desk.serve(desk.start())
    request = said(desk.opened())[0]
    desk.hear(answer("subscribe", request["req_id"], error="EGeneral:Permission denied"))
    assert desk.why == "EGeneral:Permission denied"
    assert said(desk.wait(30), "cancel_all_orders_after") == []


# --- life ------------------------------------------------------------------------------------------------------------


def test_silence_is_a_dead_link_and_pongs_are_no_life() -> None:
    desk = Desk().ready()
    out = desk.wait(2, heartbeats=False)
    (ping,) = said(out, "ping")
    desk.hear(answer("pong", ping["req_id"]))
    out = desk.wait(2, heartbeats=False)
    assert [one.link for one in of(Reconnect, out)] == [PRIVATE]
    assert desk.why == "the private link is down"


def test_heartbeats_are_life() -> None:
    desk = Desk().ready()
    assert of(Reconnect, desk.wait(120)) == []
    assert desk.why == ""


def test_a_new_link_begins_anew() -> None:
    desk = Desk().ready()
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    assert desk.why == "the private link is down"
    live = desk.subscribe(desk.opened())
    assert desk.why == "the dead-man's switch is not armed yet", "an old arming does not count"
    desk.arm(live)
    assert desk.why == ""


# --- gaps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channel", ["executions", "balances"])
def test_a_lost_message_is_a_new_subscription(channel: str) -> None:
    desk = Desk().ready()
    send = desk.executions if channel == "executions" else desk.balances
    out = send(skip=1)
    assert desk.why == f"not subscribed: {channel}"
    (unsubscribe,) = said(out, "unsubscribe")
    assert unsubscribe["params"] == {"channel": channel, "token": TOKEN}
    out = desk.hear(desk.yes(unsubscribe))
    desk.subscribe(out)
    assert desk.why == ""


def test_sequences_are_of_each_channel() -> None:
    desk = Desk().ready()
    desk.executions()
    desk.executions()
    desk.balances()
    assert desk.why == ""


def test_what_came_with_the_gap_still_counts() -> None:
    desk = Desk().ready()
    desk.new()
    assert kinds(desk.executions(pending("vg-1"), skip=3)) == [("vg-1", "new")]
    assert desk.why == "not subscribed: executions"


def test_gaps_on_and_on_are_no_storm() -> None:
    desk = Desk().ready()
    count = 0
    for _ in range(60):
        out = desk.executions(skip=1)
        for _ in range(4):
            requests = said(out, "unsubscribe") + said(out, "subscribe")
            count += len(requests)
            out = []
            for request in requests:
                out += desk.hear(desk.yes(request))
        out = desk.wait(0.5)
        for request in said(out, "unsubscribe"):
            count += 2
            desk.subscribe(desk.hear(desk.yes(request)))
    assert count <= 2 * (30 // 10 + 2)


@pytest.mark.parametrize(
    "frame",
    [
        b"CloudFlare WebSocket proxy restarting", b"\xff\xfe", b"[]", b"7", b"{", b"",
        b'{"channel":"executions","type":"update","data":[{"order_id":7}],"sequence":2}',
        b'{"channel":"executions","type":"update","sequence":2}',
        b'{"channel":"executions","type":"update","data":[{"order_id":"O1","exec_type":"trade"}],"sequence":3}',
    ],
)  # fmt: skip
def test_a_frame_that_cannot_be_read_is_loud_and_read_again(frame: bytes) -> None:
    desk = Desk().ready()
    desk.new()
    desk.executions(pending("vg-1"))
    out = desk.hear(frame)
    assert notices(out, "error")
    assert said(out, "unsubscribe")
    assert desk.why != ""


def test_one_item_that_cannot_be_read_takes_no_other_along() -> None:
    desk = Desk().ready()
    desk.new()
    out = desk.executions(execution("trade", "O9", symbol="BTC/USD"), pending("vg-1"))
    assert kinds(out) == [("vg-1", "new")]
    assert said(out, "unsubscribe")


def test_market_data_on_this_link_is_not_a_mystery() -> None:
    desk = Desk().ready()
    out = desk.hear(b'{"channel":"ticker","type":"update","data":[]}')
    assert notices(out, "error") == []
    assert desk.why == ""


# --- everything that is said -----------------------------------------------------------------------------------------


def test_no_secret_is_ever_in_bytes_and_nothing_asks_for_what_is_not_approved() -> None:
    """Of a day: every byte without an approval asks for no order."""
    from connectors.session import Send
    from connectors.venues.kraken import VENUE

    desk = Desk().ready()
    desk.live()
    desk.executions(execution("canceled", cum_qty=n("0")))
    desk.look()
    desk.wait(60)
    desk.took(desk.session.says("maintenance", desk.now_ns))
    desk.executions(skip=1)
    desk.wait(20)
    assert VENUE.asked is not None
    for send in of(Send, desk.out):
        if not send.approval:
            assert VENUE.asked(send.data) == [], send
        if send.link == PRIVATE:
            params = json.loads(send.data).get("params", {})
            assert params.get("token", TOKEN) == TOKEN


def test_ready_is_said_only_when_it_changes() -> None:
    desk = Desk().ready()
    desk.wait(60)
    said_whys = [ready.why for ready in of(Ready, desk.out)]
    assert all(earlier != later for earlier, later in pairwise(said_whys))


@pytest.mark.parametrize("options", [{"tier": "vip"}, {"stp_type": "x"}, {"validate": "1"}, {"teir": "pro"}])
def test_an_option_that_is_not_known_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        Desk(**options)
