"""Any bytes, in any state: the session answers with outputs of its contract and never raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.book import L2Book
from connectors.errors import BookGap
from connectors.events import BookDelta, BookLost, BookSnapshot, Trade
from connectors.session import Output, Send, WakeAt
from connectors.units import I64_MAX
from tests.support.kraken_frames import (
    HEARTBEAT,
    Line,
    ack,
    instruments,
    no,
    of,
    pair,
    pong,
    sent,
    snapshot,
    status,
    trade,
    trades,
    update,
)
from tests.support.wounds import mutated

KINDS = get_args(Output)
BOOK_REQUEST = {"method": "subscribe", "params": {"channel": "book", "symbol": ["BTC/USD"], "depth": 10}, "req_id": 2}
UNSUBSCRIBE = {**BOOK_REQUEST, "method": "unsubscribe", "req_id": 6}
FRAMES = [
    HEARTBEAT,
    snapshot(),
    snapshot("ETH/USD"),
    update(),
    update("ETH/USD"),
    trades(trade(), trade(side="buy")),
    instruments(pair(), pair("ETH/USD", 2)),
    instruments(pair("BTC/USD", 2), kind="update"),
    status("online"),
    ack(BOOK_REQUEST),
    ack(UNSUBSCRIBE),
    no(BOOK_REQUEST, "Already subscribed"),
    no(BOOK_REQUEST, "Currency pair not supported BTC/USD", echo_symbol=True),
    no(UNSUBSCRIBE, "Subscription Not Found"),
    no(BOOK_REQUEST, "EService:Busy", echo_symbol=True),
    pong({"req_id": 9}),
    b'{"Error":"Exceeded msg rate"}',
    b'{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD"}]}',
]
NUMBERS = [
    b"-1",
    b"0",
    b"1e-400",
    b"1e400",
    b"5e-05",
    b"-45035996.27370498",
    b"9223372036854775808",
    b"9" * 5000,
    b"1e99999999999999999999",
    b"null",
    b'"7"',
    b"true",
    b"[]",
    b"0.000000000000001",
]


def new() -> Line:
    return Line("BTC/USD", "ETH/USD")


def opened() -> Line:
    line = new()
    line.open()
    return line


def subscribing() -> Line:
    line = new()
    line.subscribing()
    return line


def acked() -> Line:
    line = new()
    for request in line.subscribing():
        line.hear(ack(request))
    return line


def live() -> Line:
    return new().live()


def unsubscribing() -> Line:
    line = live()
    line.resync()
    return line


def backing_off() -> Line:
    line = live()
    (unsubscribe,) = sent(line.resync())
    (subscribe,) = sent(line.hear(ack(unsubscribe)))
    line.hear(ack(subscribe), snapshot())
    line.resync()
    return line


def refused() -> Line:
    line = new()
    for request in line.subscribing():
        line.hear(no(request, "Currency pair not supported"))
    return line


def closed() -> Line:
    line = live()
    line.session.close(line.now_ns)
    return line


OPEN: list[Callable[[], Line]] = [opened, subscribing, acked, live, unsubscribing, backing_off, refused]
STATES = [*OPEN, new, closed]


def check(line: Line, outputs: list[Output], books: list[L2Book]) -> None:
    """Only what the contract lists, only what fits the guest, and a book takes it or raises BookGap."""
    for output in outputs:
        assert isinstance(output, KINDS)
        if isinstance(output, Trade):
            assert 0 < output.px_1e9 <= I64_MAX
            assert 0 < output.sz_1e8 <= I64_MAX
            assert output.side in (1, -1)
        elif isinstance(output, BookSnapshot | BookDelta):
            assert all(0 < px <= I64_MAX and 0 <= sz <= I64_MAX for px, sz in output.bids + output.asks)
            target = books[output.instrument]
            try:
                (target.load if isinstance(output, BookSnapshot) else target.apply)(
                    output.bids, output.asks, line.now_ns
                )
            except BookGap:
                check(line, line.resync(output.instrument, "crossed"), books)


@settings(max_examples=600)
@given(st.sampled_from(STATES), st.lists(st.binary(max_size=60) | mutated(FRAMES, NUMBERS), min_size=1, max_size=6))
@example(live, [b'{"x":' + b"[" * 10_000])
@example(live, [b'{"channel":"book","data":' + b"[" * 10_000])
@example(new, [instruments(pair(), pair("ETH/USD"))])
@example(live, [update(bids=[("62806.5", "-45035996.27370498")])])
def test_no_bytes_raise(state: Callable[[], Line], frames: list[bytes]) -> None:
    """Noise and wounded frames, in every state; while the link is open each tick asks for the next one."""
    line = state()
    books = [L2Book(depth=10), L2Book(depth=10)]
    for frame in frames:
        heard = line.hear(frame)
        check(line, heard, books)
        assert state in OPEN or not of(Send, heard), "there is no link to send it on"
        ticked = line.session.tick(line.now_ns)
        check(line, ticked, books)
        assert bool(of(WakeAt, ticked)) is (state in OPEN)


@given(st.sampled_from(OPEN), st.lists(st.integers(0, 3_000_000_000), max_size=8))
def test_every_tick_asks_for_the_next(state: Callable[[], Line], steps: list[int]) -> None:
    """However irregular the timer, a session on an open link is never left without one; at most 0.5 s away."""
    line = state()
    for step in steps:
        line.now_ns += step
        line.hear(HEARTBEAT)
        wakes = of(WakeAt, line.session.tick(line.now_ns))
        assert wakes
        assert line.now_ns < min(wake.at_ns for wake in wakes) <= line.now_ns + 500_000_000


@pytest.mark.parametrize("frame", FRAMES, ids=range(len(FRAMES)))
@pytest.mark.parametrize("state", STATES)
def test_every_prefix_of_every_frame(state: Callable[[], Line], frame: bytes) -> None:
    """A frame cut anywhere is at worst a lost book."""
    line, books = state(), [L2Book(depth=10), L2Book(depth=10)]
    for cut in range(0, len(frame), 7):
        check(line, line.hear(frame[:cut]), books)


moves = st.one_of(
    st.sampled_from(FRAMES).map(lambda frame: ("hear", frame)),
    st.sampled_from([("resync", 0), ("resync", 1), ("answer", None), ("answer", None), ("reopen", None)]),
    st.sampled_from([("wait", 0.5), ("wait", 1), ("wait", 6), ("mute", 1), ("mute", 4)]),
)


@settings(max_examples=400)
@given(st.sampled_from(STATES), st.lists(moves, max_size=40))
def test_a_book_that_was_not_lost_is_never_frozen(
    state: Callable[[], Line], steps: list[tuple[str, bytes | float | int | None]]
) -> None:
    """Whoever was given a snapshot gets every later update, or is told; whoever was told gets none until the next.

    The one thing that must not happen to a book is to stand still in silence and be traded on.
    """
    line, pending = state(), list[dict[str, object]]()
    believed: dict[int, bool | None] = {0: None, 1: None}  # None: not known how the state was reached

    def note(outputs: list[Output]) -> None:
        pending.extend(request for request in sent(outputs) if "params" in request)
        for output in outputs:
            if isinstance(output, BookSnapshot | BookLost):
                believed[output.instrument] = isinstance(output, BookSnapshot)
            elif isinstance(output, BookDelta):
                assert believed[output.instrument] is not False, "an update of a book that was lost"

    for what, value in steps:
        match what, value:
            case "hear", bytes(frame):
                note(line.hear(frame))
            case "resync", int(index):
                believed[index] = False
                note(line.resync(index))
            case "answer", None if pending:
                note(line.hear(ack(pending.pop(0))))
            case "reopen", None:
                note(line.session.close(line.now_ns))
                pending.clear()
                note(line.open())
            case (("wait" | "mute"), (int() | float())):
                note(line.wait(float(value or 0), heartbeats=what == "wait"))
        for index, symbol in enumerate(line.symbols):
            if believed[index]:
                outputs = line.hear(update(symbol, bids=[]))
                assert any(isinstance(output, BookDelta | BookLost) for output in outputs), "a frozen book"
                note(outputs)
