"""The key, the private link, looks at the account, and the venue's clock."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.events import Doubt, ExecType, Notice, OrderStatus, Picture, Ready
from connectors.orders import OrderType
from connectors.session import PRIVATE, Reconnect, Send, Stop
from connectors.venues.coinbase.asked import asked
from tests.support.coinbase_account import ALLOWED, NAME, PX, QTY, THEIRS, Desk, fill, listed, of, told, wallet
from tests.support.coinbase_frames import SECOND, error, frame, heartbeat

OTHER = "22222222-0000-0000-0000-000000000000"


# --- the key ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"can_transfer": True}, "may take money away"), ({"can_trade": False}, "lacks trade"),
     ({"can_view": False, "can_trade": False}, "lacks view, trade")],
)  # fmt: skip
def test_a_key_that_may_too_much_or_too_little_ends_the_session(changes: Any, words: str) -> None:
    desk = Desk()
    desk.took(desk.session.start(desk.now_ns))
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6)})
    (stop,) = of(Stop, desk.answer("key_permissions", {**ALLOWED, **changes}))
    assert words in stop.reason


@pytest.mark.parametrize(("status", "body"), [(401, b"Unauthorized\n"), (403, b'{"error":"PERMISSION_DENIED"}')])
def test_a_key_that_is_not_accepted_ends_the_session(status: int, body: bytes) -> None:
    desk = Desk()
    desk.took(desk.session.start(desk.now_ns))
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6)})
    (stop,) = of(Stop, desk.answer("key_permissions", body, status))
    assert "is not accepted" in stop.reason


def test_a_key_that_cannot_be_asked_about_is_asked_again() -> None:
    desk = Desk()
    desk.took(desk.session.start(desk.now_ns))
    desk.answer("time", b"no answer: cut", 0)
    desk.answer("key_permissions", b"<html>", 502)
    assert desk.why == "the API key's permissions are not known yet"
    desk.wait(11)
    desk.answer("key_permissions", ALLOWED)
    assert desk.why == "the private link is down"


def test_the_time_is_asked_first_and_requests_carry_the_difference() -> None:
    desk = Desk()
    desk.now_ns -= desk.now_ns % 10**6
    desk.took(desk.session.start(desk.now_ns))
    assert [one.name for one in desk.asked] == ["time"]
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6 + 3500)})
    assert desk.find("key_permissions").skew == ["+3500"]
    assert all(b"{jwt:+3500}" in one.data for one in of(Send, desk.opened()))


def test_a_token_that_is_refused_later_is_no_order_s_fault() -> None:
    """Refused for certain; then the clock and the key are asked about before anything else leaves."""
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", b"Unauthorized\n", 401)
    assert desk.types() == ["rejected"]
    assert desk.why == "a token was refused: Unauthorized"
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6)})
    desk.answer("key_permissions", ALLOWED)
    assert desk.why == ""


def test_a_clock_that_was_set_meanwhile_is_measured_anew() -> None:
    desk = Desk()
    desk.now_ns -= desk.now_ns % 10**6
    desk.took(desk.session.start(desk.now_ns))
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6 + 30_000)})
    desk.answer("key_permissions", ALLOWED)
    desk.opened()
    desk.subscribed()
    desk.user(kind="snapshot")
    desk.new()
    desk.answer("orders", b"Unauthorized\n", 401)
    desk.now_ns += 10**6
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6)})
    assert desk.find("key_permissions").skew == []


def test_a_key_that_is_taken_away_ends_trading() -> None:
    desk = Desk().ready()
    desk.new()
    desk.answer("orders", b"Unauthorized\n", 401)
    desk.answer("time", {"epochMillis": str(desk.now_ns // 10**6)})
    outputs = desk.answer("key_permissions", b"Unauthorized\n", 401)
    assert not of(Stop, outputs), "it was good once: a person decides"
    assert of(Notice, outputs)[0].level == "error"
    assert desk.why == "Unauthorized"


# --- the private link ------------------------------------------------------------------------------------------------


def test_what_is_subscribed() -> None:
    desk = Desk()
    sends = of(Send, desk.opened())
    assert [(one.link, one.data) for one in sends] == [
        (PRIVATE, b'{"type":"subscribe","channel":"heartbeats","jwt":"{jwt}"}'),
        (PRIVATE, b'{"type":"subscribe","channel":"user","jwt":"{jwt}"}'),
    ]
    assert all(asked(one.data) == [] for one in sends)


def test_ready_takes_the_key_the_channel_and_its_open_orders() -> None:
    desk = Desk()
    desk.start()
    assert desk.why == "the private link is down"
    desk.opened()
    assert desk.why == "the user channel is not subscribed yet"
    desk.subscribed()
    assert desk.why == "the open orders were not told yet"
    desk.user(kind="snapshot")
    assert desk.why == ""


def test_open_orders_come_fifty_a_message() -> None:
    desk = Desk()
    desk.start()
    desk.opened()
    desk.subscribed()
    many = [told(order_id=f"id-{k}", client_order_id=f"vg1a2b3c-{k}") for k in range(109)]
    desk.user(*many[:50], kind="snapshot")
    desk.user(*many[50:100], kind="patch")
    assert desk.why == "the open orders were not told yet"
    desk.user(*many[100:], kind="patch")
    assert desk.why == ""
    assert not desk.reports, "a snapshot is no news"


@pytest.mark.parametrize("count", [0, 50, 100])
def test_a_snapshot_without_an_end_is_whole_after_five_seconds(count: int) -> None:
    """Exactly fifty, and nothing at all: the documentation does not say how those end (register of open points, 17)."""
    desk = Desk()
    desk.start()
    desk.opened()
    desk.subscribed()
    for first in range(0, count, 50):
        many = [told(order_id=f"id-{first + k}", client_order_id=f"vg1a2b3c-{first + k}") for k in range(50)]
        desk.user(*many, kind="snapshot")
    desk.wait(4)
    assert desk.why
    desk.wait(1)
    assert desk.why == ""


def test_an_acknowledgement_that_does_not_come() -> None:
    desk = Desk()
    desk.start()
    desk.opened()
    assert [one.link for one in of(Reconnect, desk.wait(5))] == [PRIVATE]


def test_a_refused_subscription_is_dialled_again() -> None:
    desk = Desk()
    desk.start()
    desk.opened()
    outputs = desk.hear(error("authentication failure"))
    assert of(Reconnect, outputs) == [Reconnect(PRIVATE, "coinbase says: authentication failure")]
    assert of(Notice, outputs)[0].level == "error"


def test_silence_is_the_link_s_end() -> None:
    desk = Desk().ready()
    assert not of(Reconnect, desk.wait(20))
    assert of(Reconnect, desk.wait(5, beats=False))
    assert desk.why == "the private link is down"


def test_orders_under_way_are_not_lost_with_the_socket() -> None:
    desk = Desk().ready()
    desk.new()
    desk.took(desk.session.close(desk.now_ns, PRIVATE))
    assert desk.types() == []
    desk.created()
    assert desk.types() == ["new"]
    desk.new("vg1a2b3c-2")
    assert desk.reports[-1].text == "never sent: the private link is down"


def test_a_lost_message_makes_a_look() -> None:
    desk = Desk().ready().placed()
    desk.number += 1
    outputs = desk.beat()
    assert of(Doubt, outputs)
    assert of(Notice, outputs)[0].level == "error"
    assert desk.hear(heartbeat(0)) == [], "an old one says nothing"


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"\xff", b'{"channel":"user","sequence_num":3,"events":7}', b'{"a":1}',
     frame("user", 3, {"type": "update", "orders": [{"order_id": "x"}]}),
     frame("user", 3, {"type": "update", "orders": [told(cum="1e5")]}),
     frame("user", 3, {"type": "update", "orders": [told(status="TOMORROW")]})],
)  # fmt: skip
def test_what_cannot_be_read_makes_a_look(data: bytes) -> None:
    desk = Desk().ready().placed()
    outputs = desk.hear(data)
    assert of(Doubt, outputs)
    assert of(Notice, outputs)


def test_one_order_that_cannot_be_read_does_not_hide_the_others() -> None:
    desk = Desk().ready()
    desk.new()
    desk.user(told(order_id=OTHER, client_order_id="x", cumulative_quantity="?"), told())
    assert desk.types() == ["new"]


# --- looks -----------------------------------------------------------------------------------------------------------


def picture(desk: Desk, orders: Any = (), recent: Any = (), fills: Any = (), wallets: Any = ()) -> Picture:
    desk.look()
    desk.lists(orders, recent)
    desk.fills(*fills)
    desk.wait(0.5)
    (found,) = of(Picture, desk.accounts(*wallets))
    return found


def test_a_look_asks_for_every_state_that_lives() -> None:
    """OPEN does not include the others, and is refused beside them."""
    desk = Desk().ready()
    desk.look()
    seen = []
    while "order_status" in (query := desk.find("orders/historical/batch").query):
        seen.append(query["order_status"])
        desk.orders()
        desk.wait(0.5)
    assert seen == [["OPEN"], ["PENDING"], ["QUEUED"], ["CANCEL_QUEUED"], ["EDIT_QUEUED"]]
    assert query["sort_by"] == ["LAST_UPDATE_TIME"]


def test_a_picture_of_the_account() -> None:
    desk = Desk().ready()
    done = listed(
        "CANCELLED", "0.0004", order_id=OTHER, client_order_id="vg1a2b3c-9", cancel_message="User requested cancel"
    )
    wallets = (wallet("USD", "100.123456789012", "50.5"), wallet("BTC", "1"), wallet("BTC", "0.5", "0.00000001"))
    found = picture(desk, [listed("QUEUED")], [done], [fill(1, "0.0004", order_id=OTHER)], wallets)
    (lives,) = found.open
    assert (lives.client_order_id, lives.venue_order_id, lives.px_1e9, lives.qty_1e8) == (NAME, THEIRS, PX, QTY)
    assert (lives.order_type, lives.status, lives.instrument) == (OrderType.LIMIT, OrderStatus.OPEN, 0)
    (ended,) = found.closed
    assert (ended.status, ended.cum_qty_1e8, ended.reason) == (OrderStatus.CANCELED, 40_000, "User requested cancel")
    (trade,) = found.trades
    assert (trade.exec_id, trade.client_order_id, trade.qty_1e8, trade.fee_1e9) == (
        "entry-1", "vg1a2b3c-9", 40_000, 150_000_000,
    )  # fmt: skip
    assert dict(found.balances) == {"BTC": 150_000_001, "USD": 15_062_345_678}


@pytest.mark.parametrize(
    ("form", "terms", "order_type"),
    [
        ("limit_limit_gtc", {"base_size": "1", "limit_price": "2", "post_only": True}, OrderType.POST_ONLY),
        ("sor_limit_ioc", {"base_size": "1", "limit_price": "2"}, OrderType.IOC),
        ("limit_limit_fok", {"base_size": "1", "limit_price": "2"}, OrderType.FOK),
        ("market_market_ioc", {"base_size": "1"}, OrderType.MARKET),
        ("stop_limit_stop_limit_gtc", {"base_size": 1, "limit_price": "2", "stop_price": "3"}, -1),
    ],
)
def test_types_are_read_from_the_configuration(form: str, terms: Any, order_type: int) -> None:
    found = picture(Desk().ready(), [listed(order_configuration={form: terms})])
    assert [(one.order_type, one.qty_1e8) for one in found.open] == [(order_type, 10**8)]


def test_an_edited_order_is_as_it_was_edited_last() -> None:
    edits = [{"price": "1.00", "size": "2"}, {"price": "60001.00", "size": "0.002", "replace_accept_timestamp": ""}]
    (one,) = picture(Desk().ready(), [listed(edit_history=edits)]).open
    assert (one.px_1e9, one.qty_1e8) == (PX + 10**9, 2 * QTY)


def test_a_state_of_tomorrow_counts_as_living() -> None:
    found = picture(Desk().ready(), [], [listed("HIBERNATING")])
    assert [one.status for one in found.open] == [OrderStatus.OPEN]


def test_an_order_of_ours_in_no_list_is_asked_for_by_its_id() -> None:
    """It ended, and the list of what was updated of late does not have it."""
    desk = Desk().ready().placed()
    desk.look()
    desk.lists()
    assert desk.find("orders/historical/batch").query["order_ids"] == [THEIRS]
    desk.orders(listed("CANCELLED"))
    desk.wait(0.5)
    desk.fills()
    desk.wait(0.5)
    (found,) = of(Picture, desk.accounts())
    assert [(one.client_order_id, one.status) for one in found.closed] == [(NAME, OrderStatus.CANCELED)]


def test_pages_are_turned_until_nothing_younger_can_come() -> None:
    desk = Desk().ready()
    since = desk.now_ns
    desk.look(since)
    while "order_status" in desk.find("orders/historical/batch").query:
        desk.orders()
        desk.wait(0.5)
    young, old = "2027-01-01T00:00:00Z", "2020-01-01T00:00:00Z"
    desk.orders(listed(last_update_time=young, created_time=old), has_next=True, cursor="two")
    desk.wait(0.5)
    assert desk.find("orders/historical/batch").query["cursor"] == ["two"]
    desk.orders(listed(order_id=OTHER, client_order_id="x", created_time=old), has_next=True, cursor="three")
    desk.wait(0.5)
    desk.find("orders/historical/fills")


def test_a_page_that_leads_nowhere_fails_the_look() -> None:
    desk = Desk().ready()
    desk.look()
    outputs = desk.orders(listed(), has_next=True, cursor="")
    assert any("no cursor leads to it" in one.text for one in of(Notice, outputs))
    assert not of(Picture, outputs)


def test_accounts_are_turned_too() -> None:
    desk = Desk().ready()
    desk.look()
    desk.lists()
    desk.fills()
    desk.wait(0.5)
    desk.accounts(wallet("USD", "1"), has_next=True, cursor="next")
    desk.wait(0.5)
    assert desk.find("accounts").query["cursor"] == ["next"]
    (found,) = of(Picture, desk.accounts(wallet("EUR", "2")))
    assert dict(found.balances) == {"USD": 10**8, "EUR": 2 * 10**8}


@pytest.mark.parametrize(("status", "body"), [(500, b""), (200, b"{}"), (200, b"<html>"), (429, b""), (0, b"cut")])
def test_a_look_that_fails_begins_again_by_itself(status: int, body: bytes) -> None:
    desk = Desk().ready()
    desk.look()
    outputs = desk.answer("orders/historical/batch", body, status)
    assert any("a look at the account failed" in one.text for one in of(Notice, outputs))
    desk.wait(7)
    assert desk.find("orders/historical/batch").query["order_status"] == ["OPEN"]


def test_an_order_in_doubt_is_found_by_our_own_id() -> None:
    desk = Desk().ready()
    desk.new()
    desk.wait(8)
    assert desk.types() == ["unknown"]
    found = picture(desk, [], [listed("FILLED", "0.001")], [fill(1, "0.001")])
    assert [one.client_order_id for one in found.closed] == [NAME]
    assert [one.client_order_id for one in found.trades] == [NAME]


# --- the end ---------------------------------------------------------------------------------------------------------


def test_the_end_says_what_stays_open() -> None:
    desk = Desk().ready().placed()
    outputs = desk.took(desk.session.stop(desk.now_ns, is_flat=False))
    assert "nothing here cancels them" in of(Notice, outputs)[0].text
    assert of(Ready, outputs)[0].why == "the session has ended"
    assert desk.wait(1) is not None
    assert desk.session.tick(desk.now_ns + SECOND) == []
    desk.new("vg1a2b3c-8")
    assert desk.reports[-1].exec_type is ExecType.REJECTED
