"""Any bytes, any frames in any order, at any time: the session never raises, and silence never ends an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.events import ExecType, Ready
from connectors.session import PRIVATE, REST, Output, Send
from connectors.venues.kraken import VENUE
from tests.support.kraken_account import (
    PERMISSIONS,
    Desk,
    answer,
    asked,
    encode,
    execution,
    n,
    pending,
    reports,
    said,
    traded,
)
from tests.support.kraken_frames import HEARTBEAT, SECOND, of, status

KINDS = get_args(Output)
OVER = {ExecType.REJECTED, ExecType.CANCELED, ExecType.EXPIRED}
NAMES = ("vg-1", "vg-2", "vg-3")
ITEMS: list[dict[str, Any]] = [
    pending("vg-1"), pending("vg-2", "O2"), pending("x", "X1"), execution("new"), execution("new", "O2"),
    traded("0.005", "0.005"), traded("0.0075", "0.0125", exec_id="T2"), traded("0.001", "0.001", "O2", "T3"),
    execution("filled", cum_qty=n("0.0125")), execution("amended", order_qty=n("0.02"), limit_price=n("62000.0")),
    execution("status"), execution("restated", "O2", order_qty=n("0.01")), execution("new", "O9"),
]  # fmt: skip
ENDS = [execution("canceled", cum_qty=n("0")), execution("expired", "O2", cum_qty=n("0"))]
YES: list[tuple[str, Any]] = [
    ("add_order", {"order_id": "O1", "cl_ord_id": "vg-1"}), ("amend_order", {"amend_id": "A", "order_id": "O1"}),
    ("cancel_order", {"order_id": "O1"}), ("cancel_all", {"count": 1}), ("batch_add", [{"order_id": "O2"}]),
    ("batch_add", {"orders": [{"cl_ord_id": "vg-2", "order_id": "O2"}]}), ("cancel_all_orders_after", {}),
]  # fmt: skip
DOUBTS = ["EService:Busy", "EService:Unavailable", "EGeneral:Internal error", "who knows"]
NUMBERS = [b"-1", b"0", b"1e-400", b"1e400", b"5e-05", b"9" * 5000, b"1e99999999999999999999", b"null", b'"7"',
           b"true", b"[]", b"0.0000000000000000000000001", b'"NaN"', b'"Infinity"', b"NaN"]  # fmt: skip
FRAMES = [
    HEARTBEAT, status("online"), status("maintenance"), b'{"Error":"Exceeded msg rate"}',
    encode({"channel": "executions", "type": "update", "data": ITEMS, "sequence": 2}),
    encode({"channel": "executions", "type": "snapshot", "data": ITEMS, "sequence": 1}),
    encode({"channel": "balances", "type": "update", "sequence": 2, "data": [
        {"ledger_id": "L1", "type": "deposit", "asset": "USD", "category": "deposit", "wallet_type": "spot",
         "wallet_id": "main", "amount": n("1.5"), "fee": n("0.1"), "balance": n("2.5")}]}),
    *(answer(method, 41, result) for method, result in YES),
    answer("add_order", 41, error="EOrder:Insufficient funds"),
]  # fmt: skip
BODIES = [
    {"permissions": list(PERMISSIONS)}, {"token": "{secret:ws_token}"}, {"count": 1}, {"open": {}}, {"open": {"O1": {
        "cl_ord_id": "vg-1", "status": "open", "opentm": n("1786874645.1"), "vol": "0.0125", "vol_exec": "0.0",
        "descr": {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "62807.0"}}}},
    {"closed": {}, "count": 0}, {"trades": {"T1": {
        "ordertxid": "O1", "pair": "XXBTZUSD", "time": n("1786874645.5"), "type": "buy", "price": "62800.5",
        "cost": "314.0025", "fee": "0.78501", "vol": "0.005"}}, "count": 1}, {"ZUSD": {"balance": "1"}}, 7, None,
]  # fmt: skip


def check(outputs: list[Output]) -> list[Output]:
    """Of the contract, one record each, and nothing that nobody approved."""
    assert all(isinstance(output, KINDS) for output in outputs)
    msgspec.json.encode(outputs)
    assert VENUE.asked is not None
    for send in of(Send, outputs):
        assert bool(VENUE.asked(send.data)) == bool(send.approval), send
    return outputs


def act(desk: Desk, what: str, value: Any) -> list[Output]:
    """One thing that a venue, a runtime or a gate may do."""
    name = NAMES[value % 3] if isinstance(value, int) else "vg-1"
    if what == "tick":
        desk.now_ns += value * SECOND // 4
        return desk.took(desk.session.tick(desk.now_ns))
    if what == "frame":
        return desk.hear(value)
    if what == "rest":
        open_ids = [number for number, _, _ in asked(desk.out)][-4:]
        number = open_ids[value % len(open_ids)] if open_ids else "1"
        if value % 11 == 0:
            return desk.silent(number)
        error = DOUBTS[value % 4] if value % 7 == 0 else ""
        return desk.reply(number, BODIES[value % len(BODIES)], error)
    if what == "yes":
        requests = said(desk.out)[-6:]
        return desk.hear(desk.yes(requests[value % len(requests)])) if requests else []
    hands: dict[str, Callable[[], list[Output]]] = {
        "new": lambda: desk.new(name), "amend": lambda: desk.amend(name), "cancel": lambda: desk.cancel(name),
        "cancel_all": desk.cancel_all, "look": lambda: desk.look(0),
        "open": lambda: desk.took(desk.session.open(desk.now_ns, PRIVATE)),
        "close": lambda: desk.took(desk.session.close(desk.now_ns, PRIVATE)),
        "serve": lambda: desk.serve(desk.out[-3:]),
    }  # fmt: skip
    return hands[what]()


def channel(items: list[dict[str, Any]]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda kind, data, sequence: encode(
            {"channel": "executions", "type": kind, "data": data, "sequence": sequence}
        ),
        st.sampled_from(("update", "update", "update", "snapshot")),
        st.lists(st.sampled_from(items), max_size=3),
        st.integers(0, 9),
    )


numbered = st.integers(41, 48)
doubtful = st.one_of(
    channel(ITEMS),
    st.builds(lambda yes, number: answer(yes[0], number, yes[1]), st.sampled_from(YES), numbered),
    st.builds(
        lambda method, number, text: answer(method, number, error=text),
        st.sampled_from([method for method, _ in YES]), numbered, st.sampled_from(DOUBTS),
    ),
    st.sampled_from([HEARTBEAT, status("online"), status("maintenance"), b'{"Error":"Exceeded msg rate"}', b"<html>"]),
)  # fmt: skip
hands = st.tuples(
    st.sampled_from(["tick", "tick", "rest", "yes", "new", "amend", "cancel", "cancel_all", "look", "open", "close",
                     "serve"]), st.integers(0, 60),
)  # fmt: skip
steps = st.lists(st.one_of(st.tuples(st.just("frame"), doubtful), hands), max_size=40)


@settings(max_examples=300)
@given(steps, st.booleans())
def test_without_a_definite_word_no_order_that_left_ever_ends(script: list[tuple[str, Any]], is_ready: bool) -> None:
    """Acks, trades, doubts, silence, cuts, in any order: NEW, TRADE, REPLACED and UNKNOWN, and no end.

    What was refused here never left, and says so; a look's answer of nothing proves nothing.
    """
    desk = Desk()
    if is_ready:
        desk.ready()
    for what, value in script:
        for one in reports(check(act(desk, what, value))):
            if one.exec_type in OVER:
                assert one.text.startswith("never sent: ")


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(st.tuples(st.just("frame"), st.one_of(doubtful, channel(ENDS), st.sampled_from(FRAMES))), hands),
        max_size=40,
    )
)
def test_every_report_is_of_an_order_that_was_sent(script: list[tuple[str, Any]]) -> None:
    desk = Desk().ready()
    seen: dict[str, int] = {}
    for what, value in script:
        for one in reports(check(act(desk, what, value))):
            assert one.client_order_id.startswith("vg-")
            assert one.leaves_qty_1e8 >= 0
            if one.exec_type is ExecType.TRADE:
                assert one.exec_id not in seen
                seen[one.exec_id] = one.last_qty_1e8


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from((PRIVATE, REST)), st.binary(max_size=200)), max_size=20))
@example([(PRIVATE, b"[" * 100_000), (REST, b"1 200\n" + b"[" * 100_000), (REST, b"1 0\n\xff")])
def test_any_bytes(frames: list[tuple[str, bytes]]) -> None:
    for desk in (Desk(), Desk().ready()):
        desk.new()
        for link, frame in frames:
            check(desk.took(desk.session.receive(frame, desk.now_ns, link)))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A frame of Kraken's with a piece cut out, put in twice, or a number replaced."""
    frame = draw(st.sampled_from(FRAMES))
    start = draw(st.integers(0, len(frame)))
    end = draw(st.integers(start, min(len(frame), start + 12)))
    return frame[:start] + draw(st.sampled_from([b"", *NUMBERS, frame[start:end] * 2])) + frame[end:]


@settings(max_examples=600)
@given(st.lists(damaged(), min_size=1, max_size=4))
def test_frames_with_damage(frames: list[bytes]) -> None:
    desk = Desk().ready()
    desk.new()
    desk.executions(pending("vg-1"))
    for frame in frames:
        check(desk.hear(frame))
    check(desk.wait(12))


@settings(max_examples=300)
@given(st.sampled_from(range(len(BODIES))), st.integers(0, 3), st.sampled_from(NUMBERS), st.integers(0, 400))
def test_answers_with_damage(body: int, stage: int, number: bytes, place: int) -> None:
    """Every answer to every question of a look, with a number that is none."""
    desk = Desk().ready()
    desk.wait(60)
    out = desk.look(0)
    for _ in range(stage):
        ((number_asked, method, _),) = asked(out)
        out = desk.reply(number_asked, desk.book[method])
    ((number_asked, _, _),) = asked(out)
    text = encode({"error": [], "result": BODIES[body]})
    place %= len(text) + 1
    frame = number_asked.encode() + b" 200\n" + text[:place] + number + text[place + 1 :]
    check(desk.took(desk.session.receive(frame, desk.now_ns, REST)))
    check(desk.wait(70))


@pytest.mark.parametrize("stage", ["start", "open", "ready"])
def test_hours_of_nothing(stage: str) -> None:
    """A venue that never says anything gets questions at a pace, and is never ready."""
    desk = Desk()
    desk.is_arming = False
    desk.start()
    if stage != "start":
        desk.opened()
    sends = 0
    for _ in range(7200):
        desk.now_ns += SECOND // 2
        sends += len(of(Send, desk.took(desk.session.tick(desk.now_ns))))
    assert sends < 1000
    assert desk.why != ""
    assert of(Ready, desk.out)[-1].why == desk.why
