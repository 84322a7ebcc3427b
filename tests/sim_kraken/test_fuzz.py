"""Whatever a client sends, the venue answers in its own words, keeps its books and raises nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.sim.kraken.forms import FIELDS, ORDER_FIELDS
from runtime.sim.kraken.restdata import PUBLIC
from runtime.sim.kraken.restprivate import METHODS
from tests.sim_kraken.trader import Trader, dumps

SETTINGS = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NAMES = sorted(ORDER_FIELDS.union(*FIELDS.values(), {"channel", "depth", "interval", "event_trigger", "snapshot"}))
REST_NAMES = sorted({
    "pair", "type", "ordertype", "price", "volume", "txid", "cl_ord_id", "userref", "orders", "cl_ord_ids", "timeout",
    "start", "end", "ofs", "deadline", "expiretm", "starttm", "oflags", "timeinforce", "stptype", "order_qty",
    "limit_price", "trades", "order_id", "asset", "count", "since", "interval", "validate", "nonce",
})  # fmt: skip
words = st.sampled_from([
    "buy", "sell", "limit", "market", "gtc", "gtd", "BTC/USD", "XBTUSD", "book", "executions", "ohlc", "post", "viqc",
    "2026-08-16T10:04:15Z", "9999-99-99T00:00:00Z", "+5", "1e9", "0.01", "60000", "-1", "", "\0", "1e-99", "9" * 60,
])  # fmt: skip
scalars = st.one_of(
    words, st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(), st.text(max_size=20),
    st.decimals(-(10**6), 10**6, places=4, allow_nan=False),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=12,
)


@SETTINGS
@given(
    method=st.sampled_from([*FIELDS, "subscribe", "unsubscribe", "ping"]),
    params=st.dictionaries(st.sampled_from(NAMES), values, max_size=9), good=st.booleans(), is_private=st.booleans(),
)  # fmt: skip
def test_a_socket_bears_any_request(method: str, params: dict[str, Any], good: bool, is_private: bool) -> None:
    t = Trader()
    if not is_private:
        t.dial(is_private=False)
    params = {**(t.order() if good and method == "add_order" else {}), **params, "token": t.token}
    t.socket.receive(dumps({"method": method, "params": params, "req_id": 1}), t.now_ns)
    answers = [message for message in t.collect() if "method" in message or "error" in message]
    for answer in answers:
        assert answer["success"] is True or isinstance(answer["error"], str)
    assert answers or method == "cancel_order"
    account = t.venue.engine.account
    assert all(0 <= account.held.get(asset, 0) <= amount for asset, amount in account.balances.items())
    t.wait(0.02)


@SETTINGS
@given(st.text() | st.binary() | values.map(lambda value: json.dumps(value, default=str)))
def test_a_socket_bears_any_text(text: str | bytes) -> None:
    t = Trader(subscribed=False)
    t.socket.receive(text, t.now_ns)
    assert len(t.collect()) >= 1


@SETTINGS
@given(
    name=st.sampled_from(sorted(METHODS)), as_json=st.booleans(),
    form=st.dictionaries(st.sampled_from(REST_NAMES), values, max_size=8), good=st.booleans(),
)  # fmt: skip
def test_rest_bears_any_form(name: str, as_json: bool, form: dict[str, Any], good: bool) -> None:
    t = Trader()
    t.place(cl_ord_id="there")
    base = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "60000", "volume": "0.01"} if good else {}
    form = {**base, **{key: value for key, value in form.items() if key != "nonce"}}
    answer = t.request(name, as_json=as_json, **form)
    told = json.loads(answer.body)
    assert answer.status == 200 and (told["error"] == []) == ("result" in told)


@SETTINGS
@given(name=st.sampled_from(sorted(PUBLIC)), query=st.text(max_size=30), pair=words)
def test_public_rest_bears_any_query(name: str, query: str, pair: str) -> None:
    t = Trader(subscribed=False)
    for text in (query, f"pair={pair}&count={query}&interval={query}&since={query}&asset={query}"):
        answer = t.venue.rest("GET", f"/0/public/{name}?{text}", {}, b"", t.now_ns)
        assert answer.status == 200 and isinstance(json.loads(answer.body)["error"], list)
