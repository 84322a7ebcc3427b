"""What the simulated Coinbase says has the form of the sheet's examples (venues.md 2.1, 2.2, 2.4), field by field."""

from __future__ import annotations

import json
from typing import Any

from tests.sim_coinbase.client import Trader

EXAMPLES = {
    "subscriptions": '{"channel":"subscriptions","client_id":"","timestamp":"2026-04-07T14:30:00.000000Z",'
    '"sequence_num":0,"events":[{"subscriptions":{"level2":["BTC-USD","ETH-USD"]}}]}',
    "l2_data": '{"channel":"l2_data","client_id":"","timestamp":"2026-04-07T14:30:01.456789Z","sequence_num":1,'
    '"events":[{"type":"update","product_id":"BTC-USD","updates":[{"side":"bid","event_time":'
    '"2026-04-07T14:30:01.456789Z","price_level":"68900.00","new_quantity":"2.00000000"}]}]}',
    "market_trades": '{"channel":"market_trades","client_id":"","timestamp":"2026-04-07T14:30:02.789012Z",'
    '"sequence_num":5,"events":[{"type":"update","trades":[{"trade_id":"995098700","product_id":"BTC-USD","price":'
    '"68900.50","size":"0.00150000","side":"BUY","time":"2026-04-07T14:30:02.789012Z"}]}]}',
    "heartbeats": '{"channel":"heartbeats","client_id":"","timestamp":"2026-04-07T14:30:10.000000Z","sequence_num":12,'
    '"events":[{"current_time":"2026-04-07 14:30:10.000000000+00:00","heartbeat_counter":42}]}',
    "user": '{"channel":"user","client_id":"","timestamp":"2026-04-07T14:30:06.000000Z","sequence_num":1,"events":['
    '{"type":"update","orders":[{"order_id":"a1b2","client_order_id":"a-1","product_id":"BTC-USD","status":"OPEN",'
    '"cumulative_quantity":"0.0004","leaves_quantity":"0.0006","avg_price":"68900.50","total_fees":"0.16",'
    '"filled_value":"27.56","number_of_fills":"1","order_side":"BUY","order_type":"Limit","limit_price":"68900.50",'
    '"post_only":"false","time_in_force":"GOOD_UNTIL_CANCELLED","cancel_reason":"","reject_reason":"",'
    '"creation_time":"2026-04-07T14:29:55.123456Z"}]}]}',
    "new": '{"success":true,"success_response":{"order_id":"11111111-0000-0000-0000-000000000000","product_id":'
    '"BTC-USD","side":"BUY","client_order_id":"a-1"},"order_configuration":{"limit_limit_gtc":{"base_size":"0.001",'
    '"limit_price":"60000","post_only":true}}}',
    "refused": '{"success":false,"error_response":{"error":"INSUFFICIENT_FUND","message":"Insufficient balance in '
    'source account","error_details":"","preview_failure_reason":"PREVIEW_INSUFFICIENT_FUND"},'
    '"order_configuration":{}}',
    "cancelled": '{"results":[{"success":true,"failure_reason":"UNKNOWN_CANCEL_FAILURE_REASON","order_id":"1111"}]}',
}


def has_form(told: Any, example: Any) -> bool:
    """Every field of the example, each of the same kind; of lists the first item is looked at."""
    if isinstance(example, dict):
        return isinstance(told, dict) and all(name in told and has_form(told[name], example[name]) for name in example)
    if isinstance(example, list):
        return isinstance(told, list) and bool(told) and has_form(told[0], example[0])
    if isinstance(example, str) and example[:2] == "20":
        return isinstance(told, str) and len(told) == len(example)  # a time, digit for digit
    return type(told) is type(example)


def test_every_message_has_the_form_of_the_sheets() -> None:
    t = Trader(path="/market", rate_hz=200)
    for channel in ("level2", "market_trades"):
        t.subscribe(channel, "BTC-USD", "ETH-USD")
    t.subscribe("heartbeats")
    t.wait(3)
    t.dial("/user")
    t.follow()
    t.say(type="subscribe", channel="heartbeats", product_ids=["BTC-USD"])
    order = t.order(base_size="0.01", limit_price="60000", post_only=True)
    answers = {"new": t.post("orders", order), "refused": t.post("orders", t.order(base_size="1000"))}
    order_id = answers["new"]["order_id"]
    t.fill(order_id, "0.004")
    answers["cancelled"] = t.post("orders/batch_cancel", {"order_ids": [order_id]})
    for name, text in EXAMPLES.items():
        told = answers[name] if name in answers else t.of(name)[-1]
        if name == "subscriptions":
            told = t.of(name)[0]
        assert has_form(told, json.loads(text)), (name, told)


def test_new_sockets_are_limited_where_that_is_wanted() -> None:
    t = Trader(limits_connects=True)
    t.now_ns += 10**9 - t.now_ns % 10**9
    answers = [t.venue.refusal(t.now_ns, "/market") for _ in range(9)]
    assert [answer.status if answer else 101 for answer in answers] == [101] * 8 + [429]
    assert t.venue.refusal(t.now_ns + 10**9, "/market") is None
    lost = t.venue.refusal(t.now_ns, "/nowhere")
    assert lost is not None
    assert lost.status == 404
