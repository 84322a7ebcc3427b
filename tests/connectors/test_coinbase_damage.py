"""Bytes that nobody can read on Coinbase's public socket; frames lost, repeated, swapped, cut, changed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.events import BookDelta, BookLost, Notice
from connectors.session import CALLS
from tests.support.coinbase_frames import (
    ASKS,
    BIDS,
    Line,
    frame,
    heartbeat,
    listed,
    of,
    snapshot,
    update,
)

TWO = ("BTC/USD", "ETH/USD")


def lost(outputs: Any) -> list[tuple[int, bool]]:
    return [(one.instrument, one.is_gap) for one in of(BookLost, outputs)]


# --- bytes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"a":1}', b'{"channel":"l2_data"}', b"[" * 5000, b'{"channel":7}',
     b'{"channel":"l2_data","sequence_num":"x","events":[]}', b'{"channel":"subscriptions","events":7}'],
)  # fmt: skip
def test_bytes_that_explain_nothing_cost_every_book(data: bytes) -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(data)
    assert [one.reason for one in of(BookLost, outputs)] == ["unexplained frame"] * 2
    assert of(Notice, outputs)[0].level == "error"


def test_an_unreadable_book_that_says_whose_it_is_costs_that_one() -> None:
    line = Line(*TWO)
    line.live()
    bad = {"type": "update", "product_id": "ETH-USD", "updates": [{"side": "middle"}]}
    outputs = line.hear(frame("l2_data", line.next(), bad))
    assert lost(outputs) == [(1, False)]
    assert lost(line.hear(update(line.next()))) == []
    assert line.books[0].valid


def test_a_level_off_the_grid_costs_that_book_and_the_gap_before_it_all_the_others() -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(update(line.next() + 1, bids=[("68900.001", "1")]))
    assert {one.instrument for one in of(BookLost, outputs) if one.is_gap} == {0, 1}


def test_other_channels_are_no_mystery() -> None:
    line = Line()
    line.live()
    for _ in range(3):
        outputs = line.hear(frame("candles", line.next(), {"type": "snapshot", "candles": []}))
        assert lost(outputs) == []
    assert len(of(Notice, outputs)) == 0, "said once"


def test_heartbeat_counters_may_be_texts() -> None:
    line = Line()
    line.live()
    assert line.hear(heartbeat(line.next(), "3049")) == []


@given(data=st.binary(max_size=80), link=st.sampled_from(["public", CALLS, "private"]))
def test_no_bytes_raise(data: bytes, link: str) -> None:
    line = Line()
    line.live()
    line.hear(data, link)


# --- damage ----------------------------------------------------------------------------------------------------------

REAL_BIDS = dict(BIDS)


def stream(count: int) -> tuple[list[bytes], list[dict[str, str]]]:
    """A snapshot, then updates that each change one bid of BTC-USD; and the true bids after each frame."""
    line = Line()
    truth = dict(REAL_BIDS)
    frames, truths = [snapshot(1)], [dict(truth)]
    for index in range(count):
        price, quantity = f"{68800 + index % 7}.{index % 3}0", str(index % 4)
        if quantity == "0":
            truth.pop(price, None)
        else:
            truth[price] = quantity
        frames.append(update(2 + index, bids=[(price, quantity)]))
        truths.append(dict(truth))
    assert line.symbols
    return frames, truths


def scaled(truth: dict[str, str]) -> list[tuple[int, int]]:
    cents = {round(float(px) * 100) * 10**7: round(float(qty) * 10**8) for px, qty in truth.items()}
    return sorted(cents.items(), reverse=True)


DAMAGE = st.lists(
    st.tuples(st.sampled_from(["drop", "twice", "swap", "cut", "corrupt"]), st.integers(1, 29), st.integers(0, 200)),
    min_size=1, max_size=4,
)  # fmt: skip


@given(damage=DAMAGE)
def test_a_book_that_is_served_is_the_venue_s_whatever_happens_to_frames(damage: list[tuple[str, int, int]]) -> None:
    """Drop, repeat, swap, cut, corrupt: noticed by the numbers, and a resync heals it. Only bytes changed into other
    valid bytes could pass, so what is corrupted here is changed into what no JSON has.
    """
    frames, truths = stream(30)
    good = list(range(len(frames)))
    order: list[tuple[bytes, int]] = [(frames[k], k) for k in good]
    for kind, place_wanted, byte in damage:
        at = min(place_wanted, len(order) - 2)
        data, k = order[at]
        if kind == "drop":
            del order[at]
        elif kind == "twice":
            order.insert(at, order[at])
        elif kind == "swap":
            order[at], order[at + 1] = order[at + 1], order[at]
        elif kind == "cut":
            order[at] = (data[: byte % (len(data) + 1)], -1) if byte % (len(data) + 1) < len(data) else (data, k)
        else:
            place = byte % (len(data) + 1)
            order[at] = (data[:place] + b"\x01" + data[place + 1 :], -1)
    line = Line()
    line.defined()
    line.hear(listed(0, "BTC-USD"))
    reached = -1
    for data, k in order:
        line.hear(data)
        reached = max(reached, k)
        if line.books[0].valid:
            assert line.books[0].bids == scaled(truths[reached])
    number = len(frames) + 1
    line.hear(snapshot(number, truths[-1].items(), ASKS))
    assert line.books[0].valid
    assert line.books[0].bids == scaled(truths[-1])


def test_every_frame_that_is_lost_is_noticed_by_the_next_one() -> None:
    frames, _ = stream(12)
    for missing in range(1, len(frames) - 1):
        line = Line()
        line.defined()
        line.hear(listed(0, "BTC-USD"))
        out = [one for k, data in enumerate(frames) if k != missing for one in line.hear(data)]
        assert lost(out) == [(0, True)], missing


def test_json_of_any_form_is_read() -> None:
    """Another order of keys, and spaces."""
    line = Line()
    line.live()
    message = json.loads(update(line.next()))
    data = json.dumps(dict(reversed(message.items())), indent=1).encode()
    assert of(BookDelta, line.hear(data))
