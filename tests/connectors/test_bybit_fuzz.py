"""Any bytes, in any state: the session answers with outputs of its contract and never raises."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.events import BookDelta, BookLost, BookSnapshot, Trade
from connectors.session import CALLS, PUBLIC, Output, Send
from connectors.units import I64_MAX, rfc3339_ns
from tests.support.bybit_frames import (
    PONG,
    Line,
    delta,
    listing,
    no,
    of,
    pair,
    sent,
    snapshot,
    trade,
    trades,
    yes,
)
from tests.support.wounds import mutated

KINDS = get_args(Output)
SUBSCRIBE = {"req_id": "1", "op": "subscribe", "args": ["orderbook.50.BTCUSDT"]}
UNSUBSCRIBE = {"req_id": "5", "op": "unsubscribe", "args": ["orderbook.50.BTCUSDT"]}
FRAMES = [
    PONG,
    snapshot(),
    snapshot(name="ETHUSDT", bids=[("2000.00", "1")], asks=[("2001.00", "1")]),
    snapshot(1),
    delta(),
    delta(102),
    delta(1),
    trades(trade(), trade(side="Sell")),
    yes(SUBSCRIBE),
    yes(UNSUBSCRIBE),
    no(SUBSCRIBE, "error:already subscribed,topic:orderbook.50.BTCUSDT"),
    no(SUBSCRIBE, "Invalid symbol :[orderbook.50.BTCUSDT]"),
    no(UNSUBSCRIBE, "not subscribed"),
    no(SUBSCRIBE, "busy"),
    listing(1),
    listing(1, pair(tick="0.01")),
    b"GET /v5/market/instruments-info?category=spot 200\n{}",
    b'{"topic":"tickers.BTCUSDT","data":{"symbol":"BTCUSDT"}}',
    b'{"topic":"kline.1.BTCUSDT"}',
]
NUMBERS = [b"-1", b"0", b"1e400", b"9223372036854775808", b"9" * 5000, b"null", b'"7"', b"true", b"[]", b"0.5"]


def new() -> Line:
    return Line("BTC/USDT", "ETH/USDT", ticks=True)


def opened() -> Line:
    line = new()
    line.open()
    return line


def subscribing() -> Line:
    line = new()
    line.subscribing(pair(), pair("ETH"))
    return line


def live() -> Line:
    line = new()
    for request in line.subscribing(pair(), pair("ETH")):
        line.hear(yes(request))
    line.hear(snapshot(), snapshot(name="ETHUSDT"))
    return line


def unsubscribing() -> Line:
    line = live()
    line.resync()
    return line


def backing_off() -> Line:
    line = live()
    for request in sent(line.resync()):
        line.hear(yes(request))
    line.hear(snapshot())
    line.resync()
    return line


def refused() -> Line:
    line = new()
    for request in line.subscribing(pair(), pair("ETH")):
        line.hear(no(request, "Invalid symbol"))
    return line


def closed() -> Line:
    line = live()
    line.close()
    return line


WOUNDED = mutated(FRAMES, NUMBERS, spots=rb'-?[0-9][0-9.]*|"[0-9.]+"')
OPEN: list[Callable[[], Line]] = [opened, subscribing, live, unsubscribing, backing_off, refused]
STATES = [*OPEN, new, closed]


def check(outputs: list[Output]) -> None:
    """Only what the contract lists, and only what fits the guest."""
    for output in outputs:
        assert isinstance(output, KINDS)
        if isinstance(output, Trade):
            assert 0 < output.px_1e9 <= I64_MAX
            assert 0 < output.sz_1e8 <= I64_MAX
            assert 0 <= output.trade_id <= I64_MAX
        elif isinstance(output, BookSnapshot | BookDelta):
            assert all(0 < px <= I64_MAX and 0 <= sz <= I64_MAX for px, sz in output.bids + output.asks)
            assert rfc3339_ns(output.ts_venue) >= 0


@settings(max_examples=500)
@given(
    st.sampled_from(STATES),
    st.lists(
        st.tuples(
            st.sampled_from([PUBLIC, PUBLIC, CALLS]),
            st.binary(max_size=60) | WOUNDED,
        ),
        max_size=8,
    ),
)
@example(live, [(PUBLIC, b'{"topic":"orderbook.50.BTCUSDT","data":' + b"[" * 10_000)])
@example(live, [(PUBLIC, b'{"topic":' + b"[" * 10_000)])
@example(live, [(PUBLIC, delta().replace(b'"cts":1755338645120', b'"cts":999999999999999999'))])
@example(opened, [(CALLS, b"1 200\n" + b"[" * 10_000)])
def test_no_bytes_raise_and_no_book_stands_still_in_silence(
    state: Callable[[], Line], frames: list[tuple[str, bytes]]
) -> None:
    """Whoever was given a snapshot gets what follows, or is told that it is lost; whoever was told gets nothing until
    the next one."""
    line = state()
    is_told = [kept.valid for kept in line.books]
    for link, frame in frames:
        heard = line.hear(frame, link=link)
        ticked = line.wait(0.5)
        check(heard + ticked)
        assert state in OPEN or not of(Send, heard + ticked), "there is no link to send it on"
        for output in heard + ticked:
            if isinstance(output, BookLost):
                is_told[output.instrument] = False
            elif isinstance(output, BookSnapshot):
                is_told[output.instrument] = True
            elif isinstance(output, BookDelta):
                assert is_told[output.instrument]


def test_the_same_bytes_give_the_same_outputs() -> None:
    def told() -> list[object]:
        line = live()
        out: list[object] = []
        for frame in FRAMES * 2:
            out += line.hear(frame) + line.hear(frame, link=CALLS) + line.wait(1)
        return out

    assert told() == told()
