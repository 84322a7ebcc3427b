"""What goes wrong at the simulated Coinbase when it is asked to, and that nothing a client says breaks it."""

from __future__ import annotations

import hashlib
import json
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sim.coinbase import CoinbaseVenue
from tests.sim_coinbase.client import BASE, HOST, T0, Trader

WORDS = st.sampled_from([
    "BTC-USD", "BUY", "SELL", "limit_limit_gtc", "market_market_ioc", "base_size", "0.01", "60000", "1e9", "-1", "",
    "9" * 60, "level2", "subscribe", "\0",
])  # fmt: skip
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MESSAGES = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["subscribe", "unsubscribe"]),
        "channel": st.sampled_from(["level2", "ticker", "user", "heartbeats", "candles", "status", "x"]),
        "product_ids": ANY_JSON,
    },
    optional={"jwt": ANY_JSON},
)
FIELDS = (
    "client_order_id", "product_id", "side", "order_configuration", "order_ids", "order_id", "price", "size",
)  # fmt: skip
BODIES = ANY_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, ANY_JSON))
EXAMPLES = int(os.environ.get("VENUEGATE_SIM_EXAMPLES", "60"))
SOCKET, REST = Trader(path="/market", rate_hz=50, limits=False), Trader(limits=False)


def numbers(t: Trader) -> list[int]:
    return [message["sequence_num"] for message in t.heard]


def test_a_dropped_update_leaves_a_hole_in_the_numbers() -> None:
    t = Trader("drop_update=20,connections=1", path="/market", rate_hz=200)
    t.subscribe("level2", "BTC-USD")
    t.wait(2)
    found = numbers(t)
    assert found != list(range(len(found)))
    assert found == sorted(set(found))


def test_a_repeated_update_repeats_its_number_and_a_late_one_comes_after_the_next() -> None:
    t = Trader("duplicate_update=10", path="/market", rate_hz=200)
    t.subscribe("level2", "BTC-USD")
    t.wait(2)
    found = numbers(t)
    assert sorted(set(found)) == list(range(len(set(found)))) != found
    t = Trader("reorder_update=10", path="/market", rate_hz=200)
    t.subscribe("level2", "BTC-USD")
    t.wait(2)
    found = numbers(t)
    assert sorted(found) == list(range(len(found)))
    assert found != sorted(found)


def test_the_answer_is_lost_though_the_order_is_there() -> None:
    t = Trader("ack_lost,on=new")
    t.follow()
    path = f"{BASE}orders"
    headers = {"host": HOST, "authorization": f"Bearer {t.jwt(f'POST {HOST}{path}')}"}
    answer = t.venue.rest("POST", path, headers, json.dumps(t.order()).encode(), t.now_ns)
    assert answer.is_lost
    assert [order.spec.cl_ord_id for order in t.venue.engine.open.values()] == ["vg1a2b3c-1"]
    t.collect()
    [first, *_] = t.updates()
    assert (first["client_order_id"], first["status"]) == ("vg1a2b3c-1", "PENDING")


@pytest.mark.parametrize(
    ("fault", "status"),
    [("busy_live,on=new", 503), ("rate_limit", 429), ("gateway_error=502,on=new", 502), ("http_429", 429),
     ("gateway_error_live=504,on=new", 504), ("rest_rate_limit", 429), ("login_refused", 401)],
)  # fmt: skip
def test_answers_of_http(fault: str, status: int) -> None:
    t = Trader(fault)
    assert t.ask("POST", "orders", t.order())[0] == status
    assert len(t.venue.engine.open) == (
        fault.partition(",")[0].partition("=")[0] in {"busy_live", "gateway_error_live"}
    )
    assert t.post("orders", t.order())["success"] is True, "once"


def test_a_words_of_choice_refuses() -> None:
    t = Trader("refuse=INELIGIBLE_PAIR,on=new")
    assert t.refused() == ("INELIGIBLE_PAIR", "")


def test_fills_of_a_moment_are_told_as_one() -> None:
    t = Trader("merged_fills=250")
    t.follow()
    order_id = t.place()
    for _ in range(3):
        t.fill(order_id, "0.002")
    assert len(t.updates(order_id)) == 2
    t.wait(0.3)
    assert [(row["cumulative_quantity"], row["number_of_fills"]) for row in t.updates(order_id)[2:]] == [("0.006", "3")]


def test_lists_lag_and_the_channel_does_not() -> None:
    t = Trader("delayed_visibility=5")
    t.follow()
    order_id = t.place()
    assert t.states(order_id)
    assert t.get("orders/historical/batch")["orders"] == []
    assert t.ask("GET", f"orders/historical/{order_id}")[0] == 404
    t.wait(5.1)
    assert [row["order_id"] for row in t.get("orders/historical/batch")["orders"]] == [order_id]


def test_the_snapshot_may_come_first_or_end_with_an_empty_one() -> None:
    t = Trader("snapshot_before_ack", path="/market")
    assert [message["channel"] for message in t.subscribe("level2", "BTC-USD")] == ["l2_data", "subscriptions"]
    t = Trader("refuse_whole", path="/market")
    assert [message["type"] for message in t.subscribe("level2", "BTC-USD", "XYZ-USD")] == ["error"]
    t = Trader("snapshot_end", limits=False)
    for number in range(50):
        t.place(limit_price=str(60000 - number))
    assert [len(message["events"][0].get("orders", "")) for message in t.follow()] == [0, 50, 0]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=60) | (ANY_JSON | MESSAGES).map(lambda value: json.dumps(value).encode()))
def test_nothing_said_on_a_socket_breaks_it(data: bytes) -> None:
    SOCKET.socket.receive(data, SOCKET.now_ns)
    SOCKET.wait(0.26)
    assert SOCKET.subscribe("heartbeats")[-1]["channel"] == "subscriptions"


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(["orders", "orders/batch_cancel", "orders/edit", "orders/preview"]), BODIES)
def test_nothing_sent_over_rest_breaks_it(name: str, body: object) -> None:
    status, _ = REST.ask("POST", name, body)
    assert status in {200, 400}


def session(seed: int) -> str:
    t = Trader(path="/market", seed=seed, rate_hz=140)
    for channel in ("level2", "market_trades", "ticker"):
        t.subscribe(channel, "BTC-USD", "ETH-USDT")
    t.wait(1)
    order = t.place("SELL", "market_market_ioc", base_size="0.5")
    t.wait(1)
    t.get(f"orders/historical/{order}")
    return hashlib.sha256(json.dumps([t.heard, t.get("orders/historical/fills")]).encode()).hexdigest()


def test_the_seed_decides_every_byte() -> None:
    assert session(3) == session(3) != session(4)


@pytest.mark.parametrize(
    "options", [{"secret": "no key"}, {"secret": "QUJD"}, {"key_kind": "RSA"}, {"permissions": ("fly",)},
                {"faults": ["no_such"]}, {"rate_hz": -1}],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        CoinbaseVenue(now_ns=T0, **options)  # type: ignore[arg-type]
