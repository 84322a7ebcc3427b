"""Whatever bytes OKX's private side sends, the trading session never raises, and never invents an end."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType
from connectors.session import PRIVATE, REST, Output
from tests.support.okx_account import TAG, Desk, answer, filled, orders, said, state
from tests.support.okx_frames import dump, of

ONE = f"{TAG}-1"
WORDS = st.sampled_from(
    ["", "0", "1", "live", "filled", "canceled", "partially_filled", "0.004", "-1", "NaN", "x", "31"]
)
FIELDS = st.sampled_from(
    [
        "state",
        "side",
        "sz",
        "accFillSz",
        "fillSz",
        "fillPx",
        "tradeId",
        "px",
        "uTime",
        "amendResult",
        "cancelSource",
        "ordId",
    ]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["arg", "channel", "data", "event", "id", "op", "code", "msg", "details", "sCode", "clOrdId"]),
        inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@given(st.binary(max_size=80) | st.text(max_size=60).map(str.encode))
def test_no_bytes_raise(raw: bytes) -> None:
    desk = Desk().ready()
    desk.resting()
    for frame in (raw, b'{"event":' + raw, b'{"op":"order","id":"1","data":[' + raw, b"[" * 5000):
        desk.hear(frame)
    for frame in (raw, b"1000000001 200\n" + raw, b"1000000005 0\n" + raw):
        desk.session.receive(frame, desk.now_ns, REST)
    desk.session.receive(raw, desk.now_ns, "calls")
    desk.wait(1)


@given(VALUES, st.sampled_from(["orders", "account", "other"]))
def test_no_shape_raises(value: Any, channel: str) -> None:
    desk = Desk().ready()
    desk.resting()
    (request,) = said(desk.submit(2), "order")
    (question, *_) = desk.session.look(0, desk.now_ns)
    number = getattr(question, "data", b"0 ").split(b" ")[0]
    for frame in (
        dump(value),
        dump({"arg": {"channel": channel}, "data": value}),
        dump({"arg": {"channel": channel}, "data": [value]}),
        dump({"id": request["id"], "op": "order", "code": "0", "data": value}),
        dump({"id": request["id"], "op": "order", "code": "1", "data": [value]}),
    ):
        desk.hear(frame)
    desk.session.receive(number + b" 200\n" + dump({"code": "0", "data": value}), desk.now_ns, REST)
    desk.wait(1)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=8), st.dictionaries(FIELDS, WORDS, max_size=2))
def test_an_order_ends_by_proof_alone(script: list[tuple[int, bool]], damage: dict[str, str]) -> None:
    """In any order, repeated or damaged: an order that is told as over was said to be over by some message."""
    desk = Desk().ready()
    (request,) = said(desk.submit())
    frames = [
        answer(request, (ONE, "O1", "0")),
        orders(state(ONE)),
        orders(filled(ONE, "0.004", "0.004", "T1")),
        orders(filled(ONE, "0.0085", "0.0125", "T2")),
        orders(state(ONE, "canceled", accFillSz="0.004", uTime="1755338649000")),
        orders(state(ONE) | damage),
    ]
    out: list[Output] = []
    heard = set()
    for which, is_twice in script:
        heard.add(which)
        out += desk.hear(*[frames[which]] * (2 if is_twice else 1))
    told = of(ExecReport, out)
    ids = [one.exec_id for one in told if one.exec_id]
    assert len(ids) == len(set(ids))
    assert sum(one.last_qty_1e8 for one in told) <= 1_250_000 or damage
    ends = [one for one in told if one.exec_type is ExecType.CANCELED or (one.exec_id and not one.leaves_qty_1e8)]
    if ends and not damage:
        assert heard & {3, 4}
    assert not [one for one in told if one.exec_type is ExecType.REJECTED]
    assert json.loads(frames[1])  # the frames are what OKX writes
    desk.session.close(desk.now_ns, PRIVATE)
