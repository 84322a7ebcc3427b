"""Whatever a client sends, at any path, over any road: an answer or none, never an exception; one seed, one course."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sim.binance import BinanceVenue
from runtime.sim.bybit import BybitVenue
from runtime.sim.exchange.venue import ExchangeVenue
from runtime.sim.frames import Close, Ping
from runtime.sim.market import NS
from tests.sim_binance.client import Client as BinanceClient
from tests.sim_bybit.client import Client as BybitClient

T0 = 1_786_000_000 * NS
EXAMPLES = int(os.environ.get("VENUEGATE_HOSTILE_EXAMPLES", "30"))
VENUES: tuple[type[ExchangeVenue], ...] = (BinanceVenue, BybitVenue)
WORDS = st.sampled_from([
    "op", "method", "params", "args", "id", "req_id", "reqId", "header", "subscribe", "SUBSCRIBE", "auth", "ping",
    "order.place", "order.create", "order.cancel", "session.logon", "userDataStream.subscribe", "btcusdt@depth@100ms",
    "orderbook.50.BTCUSDT", "symbol", "BTCUSDT", "category", "spot", "signature", "timestamp", "apiKey", "quantity", "",
])  # fmt: skip
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**30) | st.floats(allow_nan=False) | st.text(max_size=8)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=8,
)  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {}, optional={"op": WORDS, "method": WORDS, "params": VALUES, "args": VALUES, "id": VALUES, "reqId": VALUES,
                  "header": VALUES, "req_id": VALUES},
)  # fmt: skip
TEXTS = st.text(max_size=40) | REQUESTS.map(json.dumps) | VALUES.map(json.dumps)


@pytest.mark.parametrize("kind", VENUES, ids=lambda kind: kind.NAME)
@settings(max_examples=EXAMPLES)
@given(texts=st.lists(TEXTS, max_size=6), which=st.integers(0, 3))
def test_no_frame_is_too_strange(kind: type[ExchangeVenue], texts: list[str], which: int) -> None:
    paths = [path for path in kind.LINKS.values() if path]
    venue = kind(now_ns=T0, seed=1, rate_hz=0)
    connection = venue.connect(T0, paths[which % len(paths)])
    for number, text in enumerate(texts):
        connection.receive(text if number % 2 else text.encode("utf-8", "surrogatepass"), T0 + number * NS)
        venue.advance(T0 + number * NS + NS // 2)
    for frame in connection.take():
        assert isinstance(frame, Close | Ping | bytes) or json.loads(frame) is not None


@pytest.mark.parametrize("kind", VENUES, ids=lambda kind: kind.NAME)
@settings(max_examples=EXAMPLES)
@given(
    verb=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]), query=st.text(max_size=40),
    path=st.sampled_from(["/", "/api/v3/order", "/api/v3/depth", "/api/v3/", "/v5/order/create", "/v5/market/orderbook",
                          "/v5/order/realtime", "/sapi/v1/account/apiRestrictions"]),
    body=st.binary(max_size=40),
)  # fmt: skip
def test_no_request_is_too_strange(kind: type[ExchangeVenue], verb: str, query: str, path: str, body: bytes) -> None:
    venue = kind(now_ns=T0, seed=1, rate_hz=0)
    headers = {"x-mbx-apikey": venue.credentials["key"], "x-bapi-api-key": venue.credentials["key"]}
    assert venue.rest(verb, f"{path}?{query}", headers, body, T0).status >= 200
    assert not venue.engine.orders


def course(kind: type[ExchangeVenue]) -> list[str]:
    """Everything that is heard in three seconds with an order in them."""
    if kind is BinanceVenue:
        client = BinanceClient(rate_hz=140)
        market, account = client.dial(), client.api()
        market.say("SUBSCRIBE", ["btcusdt@depth@100ms", "btcusdt@trade"])
        account.say("order.place", client.order(type="MARKET", quantity="0.1"))
        client.wait(3)
        return market.raw + account.raw
    bybit = BybitClient(rate_hz=140)
    topics, private, trade = bybit.dial(), bybit.private(), bybit.trader()
    topics.say("subscribe", "orderbook.50.BTCUSDT", "publicTrade.BTCUSDT")
    trade.order("order.create", bybit.terms(orderType="Market", qty="5000"))
    bybit.wait(3)
    return topics.raw + private.raw + trade.raw


@pytest.mark.parametrize("kind", VENUES, ids=lambda kind: kind.NAME)
def test_one_seed_is_one_course_of_events(kind: type[ExchangeVenue]) -> None:
    first = course(kind)
    assert len(first) > 40 and first == course(kind)


@pytest.mark.parametrize("kind", VENUES, ids=lambda kind: kind.NAME)
def test_what_makes_no_sense_is_said_at_once(kind: type[ExchangeVenue]) -> None:
    with pytest.raises(ValueError, match="no fault"):
        kind(faults=["nonsense"])
    with pytest.raises(ValueError, match="no request"):
        kind(faults=["ack_lost,on=everything"])
    with pytest.raises(ValueError, match="balance USDT"):
        kind(balances={"USDT": "a lot"})
    with pytest.raises(ValueError, match="rate_hz"):
        kind(rate_hz=-1)
    with pytest.raises(ValueError, match="does not speak"):
        kind(now_ns=T0).connect(T0, "/nowhere")
    assert kind.faults_of("ack_lost,on=new").active("ack_lost", 0, 0, next(
        word for word, what in kind.METHODS.items() if what == "new")) is not None  # fmt: skip
