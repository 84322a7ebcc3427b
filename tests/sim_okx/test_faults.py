"""What goes wrong at the simulated OKX when it is asked to, and that nothing a client says breaks it."""

from __future__ import annotations

import hashlib
import json
import os
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime.sim.okx import OkxVenue
from tests.sim_okx.client import T0, Trader

EXAMPLES = int(os.environ.get("VENUEGATE_SIM_EXAMPLES", "60"))
SOCKET = Trader(rate_hz=50, limits=False)
WORDS = st.sampled_from([
    "BTC-USDT", "buy", "sell", "limit", "market", "cash", "0.01", "60000", "1e9", "-1", "", "9" * 60, "books", "orders",
    "SPOT", "\0", "vg1",
])  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    "channel", "instId", "instType", "instIdCode", "tdMode", "side", "ordType", "px", "sz", "clOrdId", "ordId", "newSz",
    "newPx", "reqId", "tag", "tgtCcy",
)  # fmt: skip
ARGS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)) | VALUES, max_size=3)
OPS = [
    "subscribe",
    "unsubscribe",
    "login",
    "order",
    "batch-orders",
    "amend-order",
    "cancel-order",
    "batch-cancel-orders",
]
MESSAGES = st.fixed_dictionaries(
    {"op": st.sampled_from(OPS), "args": ARGS | VALUES}, optional={"id": VALUES, "expTime": VALUES}
)
PATHS = [
    "trade/order", "trade/batch-orders", "trade/amend-order", "trade/cancel-order", "trade/cancel-batch-orders",
    "trade/cancel-all-after",
]  # fmt: skip


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.binary(max_size=60) | (VALUES | MESSAGES).map(lambda value: json.dumps(value).encode()))
def test_nothing_said_on_a_socket_breaks_it(data: bytes) -> None:
    SOCKET.socket.receive(data, SOCKET.now_ns)
    SOCKET.wait(0.11)
    if SOCKET.closes:  # a login that failed
        SOCKET.closes.clear()
        SOCKET.dial("/ws/v5/private")
        assert SOCKET.login()[-1]["code"] == "0"
    SOCKET.raw.clear()
    SOCKET.send("ping")
    assert SOCKET.raw == ["pong"]


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.sampled_from(PATHS), ARGS | VALUES | st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)))
def test_nothing_sent_over_rest_breaks_it(name: str, body: object) -> None:
    status, told = SOCKET.ask("POST", name, body)
    assert status in {200, 405}
    assert set(told) >= {"code", "msg", "data"}


@pytest.mark.parametrize(
    ("fault", "code", "lives"),
    [("busy_live", ("1", "51149"), True), ("rate_limit", ("50011", ""), False), ("refuse=51137", ("1", "51137"), False),
     ("refuse=50061", ("50061", ""), False)],
)  # fmt: skip
def test_answers_to_orders(fault: str, code: tuple[str, str], lives: bool) -> None:
    t = Trader(f"{fault},on=new")
    told = t.op("order", t.item())
    assert (told["code"], told["data"][0]["sCode"] if told["data"] else "") == code
    assert bool(t.venue.engine.open) == lives
    assert t.op("order", t.item())["code"] == "0", "once"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("busy_live,on=new", 400, "50004"), ("rest_rate_limit", 429, "50011"), ("login_refused,on=new", 401, "50113")],
)
def test_answers_over_rest(fault: str, status: int, code: str) -> None:
    t = Trader(fault)
    found, told = t.ask("POST", "trade/order", t.item())
    assert (found, told["code"]) == (status, code)


def test_an_answer_may_be_lost_late_or_second() -> None:
    t = Trader("ack_lost,on=new")
    t.follow()
    item = t.item()
    assert not [m for m in t.say("order", item, id="1") if "op" in m]
    assert t.states(item["clOrdId"]) == [("live", "0")]
    t = Trader("executions_first")
    t.follow()
    kinds = ["op" if "op" in message else "news" for message in t.say("order", t.item(), id="1")]
    assert kinds == ["news", "op"]
    t = Trader("ack_late=300")
    assert not [m for m in t.say("order", t.item(), id="1") if "op" in m]
    assert [m["op"] for m in t.wait(0.4) if "op" in m] == ["order"]
    t = Trader("response_lost,on=new")
    t.say("order", t.item(), id="1")
    assert (len(t.closes), len(t.venue.engine.open)) == (1, 1)


def test_a_cancel_that_meets_a_fill() -> None:
    t = Trader("cancel_reject_after_fill")
    t.follow()
    name = t.place()
    assert t.refused("cancel-order", instIdCode=t.code(), clOrdId=name) == "51400"
    assert t.states(name)[-1] == ("filled", "0.01")
    t = Trader("fill_after_cancel_ack=50")
    t.follow()
    name = t.place()
    assert t.op("cancel-order", {"instIdCode": t.code(), "clOrdId": name})["code"] == "0"
    assert [state for state, _ in t.states(name)] == ["live", "partially_filled", "canceled"]


def test_lists_lag_and_the_channel_does_not() -> None:
    t = Trader("delayed_visibility=5")
    t.follow()
    name = t.place()
    assert t.states(name) == [("live", "0")]
    assert t.get("trade/orders-pending") == []
    assert t.ask("GET", "trade/order", query=f"instId=BTC-USDT&clOrdId={name}")[1]["code"] == "51603"
    t.wait(5.1)
    assert [row["clOrdId"] for row in t.get("trade/orders-pending")] == [name]


def test_books_that_fall_silent_or_are_refused() -> None:
    t = Trader("ack_then_silence", public=True, rate_hz=100)
    t.subscribe("books", "BTC-USDT")
    t.wait(1)
    assert t.of("books") == []
    t = Trader("refuse_symbols=BTC/USDT", public=True)
    assert t.subscribe("books", "BTC-USDT")[0]["code"] == "60018"
    assert t.subscribe("books", "ETH-USDT")[0]["event"] == "subscribe"
    t = Trader("no_ack", public=True)
    assert t.subscribe("books", "BTC-USDT") == []


def crossed(t: Trader) -> bool:
    """Whether the book that was told since its last snapshot is crossed."""
    best: dict[str, set[Decimal]] = {"bids": set(), "asks": set()}
    for message in t.of("books"):
        [data] = message["data"]
        for name, side in best.items():
            side.difference_update(list(side) if message["action"] == "snapshot" else [])
            for price, size, *_ in data[name]:
                side.discard(Decimal(price))
                side.update([Decimal(price)] if size != "0" else [])
    return max(best["bids"]) >= min(best["asks"])


def test_a_crossed_book_heals_when_it_is_subscribed_afresh() -> None:
    t = Trader("crossed_book@1", public=True, rate_hz=20)
    t.subscribe("books", "BTC-USDT")
    t.wait(0.9)
    assert not crossed(t)
    t.wait(0.6)
    assert crossed(t)
    t.say("unsubscribe", {"channel": "books", "instId": "BTC-USDT"})
    t.subscribe("books", "BTC-USDT")
    t.wait(1)
    assert not crossed(t)


def test_a_wrong_checksum() -> None:
    told = [Trader(*faults, public=True, rate_hz=100, checksum="legacy") for faults in ((), ("corrupt_checksum=2",))]
    for t in told:
        t.subscribe("books", "BTC-USDT")
        t.wait(1)
    right, wrong = ([message["data"][0]["checksum"] for message in t.of("books")] for t in told)
    assert [a == b for a, b in zip(right, wrong, strict=True)] == [True] + [True, False] * (len(right) // 2)


def session(seed: int) -> str:
    t = Trader(seed=seed, rate_hz=140)
    t.follow()
    t.place(ordType="market", px=None, sz="0.5", tgtCcy="base_ccy")
    t.wait(1)
    t.dial()
    for channel in ("books", "trades", "tickers", "bbo-tbt"):
        t.subscribe(channel, "BTC-USDT")
    t.wait(1)
    return hashlib.sha256(json.dumps([t.heard, t.get("trade/fills")]).encode()).hexdigest()


def test_the_seed_decides_every_byte() -> None:
    assert session(3) == session(3) != session(4)


@pytest.mark.parametrize("options", [{"checksum": "crc"}, {"permissions": ("fly",)}, {"faults": ["no_such"]}])
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        OkxVenue(now_ns=T0, **options)  # type: ignore[arg-type]
