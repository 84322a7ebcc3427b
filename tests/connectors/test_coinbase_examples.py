"""Every example of Coinbase's documentation that our fact sheet has (venues.md §2), as it stands there, is read."""

from __future__ import annotations

import json

from connectors.events import BookDelta, BookLost, ExecType, Notice, RejectCode, Trade
from connectors.venues.coinbase.asked import asked
from tests.support.coinbase_account import Desk
from tests.support.coinbase_frames import Line, error, of, snapshot

SUBSCRIBE = b'{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channel":"level2","jwt":"eyJ\xe2\x80\xa6"}'
SUBSCRIPTIONS = (
    b'{"channel":"subscriptions","client_id":"","timestamp":"2026-04-07T14:30:00.000000Z","sequence_num":0,"events":'
    b'[{"subscriptions":{"level2":["BTC-USD","ETH-USD"]}}]}'
)
LEVEL2 = (
    b'{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":1,"events":[{"type":'
    b'"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-04-07T14:30:01.456789Z","price_level":'
    b'"68900.00","new_quantity":"2.00000000"},{"side":"offer","event_time":"2026-04-07T14:30:01.456789Z","price_level":'
    b'"68901.00","new_quantity":"0.00000000"}]}]}'
)
TRADES = (
    b'{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02.789012Z","sequence_num":5,"events":'
    b'[{"type":"update","trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":"68900.50","size":"0.00150000",'
    b'"side":"BUY","time":"2026-04-07T14:30:02.789012Z"}]}]}'
)
HEARTBEAT = (
    b'{"channel":"heartbeats","client_id":"","timestamp":"2026-04-07T14:30:10.000000Z","sequence_num":12,"events":'
    b'[{"current_time":"2026-04-07 14:30:10.000000000+00:00","heartbeat_counter":42}]}'
)


def renumbered(data: bytes, number: int) -> bytes:
    return json.dumps({**json.loads(data), "sequence_num": number}, separators=(",", ":")).encode()


def test_the_subscribe_message_is_one_that_asks_for_no_order() -> None:
    assert asked(SUBSCRIBE) == []


def test_public_messages() -> None:
    line = Line("BTC/USD", "ETH/USD")
    line.defined()
    assert not of(Notice, line.hear(SUBSCRIPTIONS))
    line.hear(snapshot(1))
    (delta,) = of(BookDelta, line.hear(renumbered(LEVEL2, 2)))
    assert delta == BookDelta(
        0, [(68_900_000_000_000, 200_000_000)], [(68_901_000_000_000, 0)], None, "2026-04-07T14:30:01.456789Z"
    )
    (trade,) = of(Trade, line.hear(renumbered(TRADES, 3)))
    assert (trade.px_1e9, trade.sz_1e8, trade.side, trade.trade_id) == (68_900_500_000_000, 150_000, -1, 995_098_700)
    assert line.hear(renumbered(HEARTBEAT, 4)) == []


def test_an_error_is_told() -> None:
    line = Line()
    line.live()
    outputs = line.hear(error("authentication failure"))
    assert [one.text for one in of(Notice, outputs)] == ["coinbase says: authentication failure"]
    assert not of(BookLost, outputs)


# --- orders (§2.4), products and the account as they are stored in other projects' examples ---------------------------

CREATED = (
    b'{"success":true,"success_response":{"order_id":"11111111-0000-0000-0000-000000000000","product_id":"BTC-USD","side":'
    b'"BUY","client_order_id":"a-1"},"order_configuration":{"limit_limit_gtc":{"base_size":"0.001","limit_price":"60000",'
    b'"post_only":true}}}'
)
NOT_CREATED = (
    b'{"success":false,"error_response":{"error":"INSUFFICIENT_FUND","message":"Insufficient balance in source '
    b'account","error_details":"","preview_failure_reason":"PREVIEW_INSUFFICIENT_FUND"},"order_configuration":{}}'
)
CANCELS = (
    b'{"results":[{"success":true,"failure_reason":"UNKNOWN_CANCEL_FAILURE_REASON","order_id":"1111\xe2\x80\xa6"},'
    b'{"success":false,"failure_reason":"UNKNOWN_CANCEL_ORDER","order_id":"2222\xe2\x80\xa6"}]}'
)
USER = (
    b'{"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06.000000Z","sequence_num":1,"events":[{"type":'
    b'"update","orders":[{"order_id":"a1b2\xe2\x80\xa6","client_order_id":"a-1","product_id":"BTC-USD","status":"OPEN",'
    b'"cumulative_quantity":"0.0004","leaves_quantity":"0.0006","avg_price":"68900.50","total_fees":"0.16",'
    b'"filled_value":"27.56","number_of_fills":"1","order_side":"BUY","order_type":"Limit","limit_price":"68900.50",'
    b'"post_only":"false","time_in_force":"GOOD_UNTIL_CANCELLED","cancel_reason":"","reject_reason":"",'
    b'"creation_time":"2026-04-07T14:29:55.123456Z"}]}]}'
)


def test_answers_to_a_new_order() -> None:
    desk = Desk().ready()
    for name, body, kind in (("a-1", CREATED, ExecType.NEW), ("a-2", NOT_CREATED, ExecType.REJECTED)):
        desk.new(name)
        desk.answer("orders", body)
        assert (desk.reports[-1].client_order_id, desk.reports[-1].exec_type) == (name, kind)
    assert desk.reports[0].venue_order_id == "11111111-0000-0000-0000-000000000000"
    assert desk.reports[1].reject_code is RejectCode.INSUFFICIENT_BALANCE


def test_answers_to_cancels() -> None:
    desk = Desk().ready()
    for name, venue_id in (("a-1", "1111…"), ("a-2", "2222…")):
        desk.new(name)
        desk.created(venue_id, name)
        desk.cancel(name)
        desk.answer("orders/batch_cancel", CANCELS)
    assert desk.types() == ["new", "new", "cancel_rejected"]
    assert (desk.reports[-1].client_order_id, desk.reports[-1].text) == ("a-2", "UNKNOWN_CANCEL_ORDER")


def test_the_user_channel() -> None:
    desk = Desk().ready()
    desk.new("a-1", px_1e9=68_900_500_000_000)
    desk.hear(renumbered(USER, desk.next()))
    assert desk.types() == ["new"]
    assert desk.find("orders/historical/fills").query["order_ids"] == ["a1b2…"]
