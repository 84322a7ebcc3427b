"""Damage of OKX's public frames: noticed by their numbers, the symbol asked for anew, the others untouched."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import BookDelta, BookLost, BookSnapshot, Notice
from connectors.session import Output
from connectors.venues.okx import VENUE
from tests.support.okx_frames import SECOND, Line, TextLevel, ack, book, of, sent, snapshot, update

TWO = ("BTC/USDT", "ETH/USDT")


def numbered(count: int) -> list[bytes]:
    """A snapshot and updates each of which sets a size that no other sets, numbered as OKX numbers them."""
    frames = [snapshot(chain=(-1, 10))]
    for at in range(count):
        level = (f"6280{at % 5}", f"{at + 1}")
        frames.append(update(bids=[level], chain=(10 + at, 11 + at)))
    return frames


@given(
    damage=st.sampled_from(["drop", "duplicate", "reorder", "cut", "corrupt", "rename"]),
    at=st.integers(1, 8),
    data=st.data(),
)
def test_damage_is_noticed_where_it_happens_and_the_others_live(damage: str, at: int, data: st.DataObject) -> None:
    """By the number of the next frame at the latest; the book of the other symbol is untouched."""
    clean = numbered(10)
    broken = list(clean)
    if damage == "drop":
        del broken[at]
    elif damage == "duplicate":
        broken.insert(at, broken[at])
    elif damage == "reorder":
        broken[at], broken[at + 1] = broken[at + 1], broken[at]
    elif damage == "cut":
        # what still names its symbol costs that one, and what does not costs every book of the link
        broken[at] = broken[at][: data.draw(st.integers(1, len(broken[at]) - 1))]
    elif damage == "rename":
        broken[at] = broken[at].replace(b"BTC-USDT", b"XYZ-USDT")
    else:
        broken[at] = broken[at].replace(b'"seqId":', data.draw(st.sampled_from([b'"seqld":', b'"seqId":7', b'"x":'])))
    line = Line(*TWO).live()
    outputs: list[Output] = []
    for number, frame in enumerate(broken):
        outputs += line.hear(frame)
        if of(BookLost, outputs):
            assert at <= number <= at + 1
            break
    lost = {one.instrument for one in of(BookLost, outputs)}
    assert lost == ({0, 1} if damage == "cut" else {0})
    if damage != "cut":
        assert of(BookDelta, line.hear(update("ETH-USDT")))
    (first, *_) = sent(outputs)
    for _ in range(3):  # however it came to be lost, it comes back
        answers = line.hear(ack(first))
        if of(BookSnapshot, answers) or not sent(answers, "books"):
            break
        (first, *_) = sent(answers, "books")
    assert of(BookSnapshot, line.hear(snapshot(chain=(-1, 50))))
    assert of(BookDelta, line.hear(update(chain=(50, 51))))


@given(st.binary(max_size=120) | st.text(max_size=60).map(str.encode))
def test_no_bytes_raise(raw: bytes) -> None:
    line = Line(is_ticking=True).live()
    line.hear(raw, b'{"arg":{"channel":"books",' + raw, b'{"event":' + raw, b"[" * 5000)
    line.called(raw)
    line.called(b"1 200\n" + raw)
    line.wait(1)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
            st.sampled_from(["arg", "channel", "instId", "action", "data", "asks", "bids", "ts", "event", "id"]),
            inner, max_size=4,
        ),
        max_leaves=12,
    ),
    st.sampled_from(["books", "trades", "tickers", "instruments", "status"]),
)  # fmt: skip
def test_no_shape_raises(value: object, channel: str) -> None:
    line = Line(is_ticking=True).live()
    arg = {"channel": channel, "instId": "BTC-USDT"}
    line.hear(
        json.dumps(value).encode(),
        json.dumps({"arg": arg, "data": value}).encode(),
        json.dumps({"arg": arg, "action": "update", "data": [value]}).encode(),
    )


@pytest.mark.parametrize(
    ("bids", "asks"),
    [
        ([("62806.95", "1")], []),  # more decimals than the tick has
        ([("62806.9", "1e-9")], []),
        ([("-1", "1")], []),
        ([("0", "1")], []),
        ([], [("62807", "")]),
        ([], [("62807", "١")]),
        ([("9" * 30, "1")], []),
    ],
)
def test_a_number_that_cannot_be_held_costs_the_book(bids: list[TextLevel], asks: list[TextLevel]) -> None:
    line = Line(*TWO).live()
    outputs = line.hear(update(bids=bids, asks=asks))
    assert of(BookLost, outputs) == [BookLost(0, "unexplained frame")]
    assert next(one.level for one in of(Notice, outputs)) == "error"
    assert of(BookDelta, line.hear(update("ETH-USDT")))


def test_bytes_that_name_nobody_cost_every_book() -> None:
    line = Line(*TWO).live()
    outputs = line.hear(b"\x00\x01garbage")
    assert [one.instrument for one in of(BookLost, outputs)] == [0, 1]


def test_depth_is_the_channels_whatever_was_asked_for() -> None:
    """Fewer levels kept would leave holes: what OKX sent once and nobody removed is not sent again."""
    for depth in VENUE.capabilities.depths:
        line = Line(depth=depth)
        line.subscribing()
        (loaded,) = of(BookSnapshot, line.hear(book("snapshot")))
        assert loaded.depth == 400


def test_time_alone_changes_no_healthy_book() -> None:
    line = Line().live()
    number = 10
    for _ in range(5):
        line.now_ns += 55 * SECOND
        assert of(BookDelta, line.hear(update(chain=(number, number + 1))))
        assert not of(BookLost, line.wait(1))
        number += 1
