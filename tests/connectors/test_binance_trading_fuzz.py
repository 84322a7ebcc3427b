"""Any bytes on either link, in any state: the trading session never raises, and never trades twice."""

from __future__ import annotations

import os
from typing import get_args

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.events import ExecReport, ExecType
from connectors.session import PRIVATE, REST, Output
from tests.support.binance_account import ACCOUNT, GOOD_KEY, NAME, Desk, execution, row, trade, trade_row, wrapped
from tests.support.binance_frames import dumps, of

EXAMPLES = int(os.environ.get("VENUEGATE_BINANCE_FUZZ", "120"))
KINDS = get_args(Output)
FRAMES = [
    wrapped(execution("NEW")), wrapped(execution("CANCELED", c="x", C=NAME)), wrapped(execution("REPLACED", C=NAME)),
    wrapped(execution("TRADE_PREVENTION", X="EXPIRED_IN_MATCH")), wrapped(trade()),
    wrapped(trade(78, "0.00600", "0.01000")),
    wrapped({"e": "outboundAccountPosition", "E": 1, "u": 1, "B": [{"a": "BTC", "f": "1", "l": "0"}]}),
    wrapped({"e": "balanceUpdate", "E": 1, "a": "BTC", "d": "1", "T": 1}),
    wrapped({"e": "eventStreamTerminated", "E": 1}), wrapped({"e": "serverShutdown", "E": 1}),
    dumps({"id": 1, "status": 200, "result": {"orderId": 4293153}}),
    dumps({"id": 2, "status": 400, "error": {"code": -2011, "msg": "Unknown order sent."}}),
    dumps({"id": 2_000_000_001, "status": 200, "result": {"subscriptionId": 0}}),
    dumps({"id": 1, "status": 503, "error": {"code": -1007, "msg": "Timeout"}}),
]  # fmt: skip
ANSWERS = [
    (200, dumps([])), (200, dumps([row()])), (200, dumps([trade_row()])), (200, dumps(ACCOUNT)), (200, dumps(GOOD_KEY)),
    (400, dumps({"code": -2013, "msg": "Order does not exist."})), (0, b"no answer"), (502, b"<html>"), (200, b"{"),
    (429, dumps({"code": -1003, "msg": "Too much"})), (400, dumps({"code": -1021, "msg": "Timestamp"})),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    frame = draw(st.sampled_from(FRAMES))
    at = draw(st.integers(0, len(frame) - 1))
    how = draw(st.sampled_from(("whole", "whole", "cut", "byte", "number")))
    if how == "cut":
        return frame[:at]
    if how == "byte":
        return frame[:at] + bytes([draw(st.integers(0, 255))]) + frame[at + 1 :]
    if how == "number":
        number = draw(st.sampled_from((b'"-1"', b'"1e999"', b'"NaN"', b'"0.000000000000000001"', b"null", b'"9e60"')))
        return frame.replace(b'"0.00400"', number).replace(b'"62000.00"', number)
    return frame


STEP = st.one_of(
    damaged(),
    st.binary(max_size=40),
    st.sampled_from(ANSWERS),
    st.sampled_from(("new", "cancel", "amend", "cut", "look")),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(STEP, max_size=14), st.booleans())
def test_nothing_makes_it_raise(steps: list[bytes | tuple[int, bytes] | str], is_ready: bool) -> None:
    desk = Desk()
    if is_ready:
        desk.ready()
    names = 0
    for step in steps:
        if isinstance(step, bytes):
            desk.hear(step)
        elif isinstance(step, tuple):
            if desk.asked:
                desk.answer(step[1], step[0])
            desk.take(desk.session.receive(b"5 200\n" + step[1], desk.now_ns, REST))
        elif step == "new":
            names += 1
            desk.new(f"vg1a2b3c-{names}")
        elif step == "cut":
            desk.take(desk.session.close(desk.now_ns, PRIVATE))
            desk.take(desk.session.open(desk.now_ns, PRIVATE))
        elif step == "look":
            desk.take(desk.session.look(0, desk.now_ns))
        else:
            desk.cancel() if step == "cancel" else desk.amend()
        desk.wait(0.5)
    desk.wait(20)
    assert all(isinstance(one, KINDS) for one in desk.all)
    trades = [one.exec_id for one in of(ExecReport, desk.all) if one.exec_type is ExecType.TRADE]
    assert len(trades) == len(set(trades))
    placed = [one["params"]["newClientOrderId"] for one in desk.sent if one["method"] == "order.place"]
    assert len(placed) == len(set(placed))
