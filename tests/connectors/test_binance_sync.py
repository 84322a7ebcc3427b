"""Diffs and a snapshot become a book by the published steps, and by their numbers stop being one."""

from __future__ import annotations

import pytest

from connectors.book import L2Book
from connectors.events import BookDelta, BookLost, BookSnapshot, Notice
from connectors.session import CALLS, Output, Reconnect
from tests.support.binance_frames import ASKS, BIDS, SECOND, Line, depth, diff, of, trade

NEW = [("62806.80", "1.00000")]


def applied(outputs: list[Output]) -> list[int]:
    """How many diffs, in events."""
    return [output.instrument for output in of(BookDelta, outputs)]


@pytest.mark.parametrize(
    ("events", "deltas", "is_ok"),
    [
        ([(150, 158), (159, 161), (162, 170)], 2, True),
        ([(161, 165)], 1, True),
        ([(162, 165)], 0, False),
        ([(150, 158)], 0, True),
        ([(150, 160)], 0, True),
        ([], 0, True),
        ([(150, 158), (162, 170)], 0, False),
    ],
)
def test_a_snapshot_among_diffs(events: list[tuple[int, int]], deltas: int, is_ok: bool) -> None:
    """Known answers of the sheet (binance_sync), and their neighbours; the snapshot's number is 160."""
    line = Line()
    line.subscribed()
    for first, last in events:
        line.hear(diff(first, last, NEW))
    if not events:
        line.wait(1.1)
    (question,) = line.asked
    assert (question.path, question.fields) == ("/api/v3/depth", {"symbol": "BTCUSDT", "limit": "1000"})
    outputs = line.answer(depth(160))
    assert len(of(BookSnapshot, outputs)) == is_ok
    assert len(applied(outputs)) == deltas
    if not is_ok:
        assert "older than the diffs" in of(Notice, outputs)[0].text
        line.wait(0.1)  # two snapshots never leave closer together
        assert len(line.asked) == 1
        assert of(BookSnapshot, line.answer(depth(170)))


def test_a_first_applied_diff_is_the_one_that_bridges() -> None:
    line = Line()
    line.subscribed()
    for first, last, price in ((150, 158, "62806.10"), (159, 161, "62806.20"), (162, 170, "62806.30")):
        line.hear(diff(first, last, [(price, "1.00000")]))
    outputs = line.answer(depth(160))
    assert [delta.bids[0][0] // 10**7 for delta in of(BookDelta, outputs)] == [6_280_620, 6_280_630]


def test_live_diffs_are_exact() -> None:
    line = Line()
    line.live()
    outputs = line.hear(diff(161, 163, [("62806.90", "0.50930"), ("62806.50", "0.00000")], [("62807.00", "0.00001")]))
    assert outputs == [
        BookDelta(0, [(62_806_900_000_000, 50_930_000), (62_806_500_000_000, 0)], [(62_807_000_000_000, 1_000)], None,
                  "2025-08-16T10:04:05.123Z")
    ]  # fmt: skip


@pytest.mark.parametrize("repeat", [(161, 163), (150, 158), (160, 160)])
def test_what_is_told_twice_changes_nothing(repeat: tuple[int, int]) -> None:
    line = Line()
    line.live()
    line.hear(diff(161, 163, NEW))
    assert line.hear(diff(*repeat, BIDS)) == []
    assert len(line.hear(diff(164, 164, NEW))) == 1


def test_a_lost_diff_is_a_gap() -> None:
    """Noticed by the next one's number, at once; that diff is kept for the snapshot that is asked for."""
    line = Line()
    line.live()
    line.hear(diff(161, 163, NEW))
    outputs = line.hear(diff(165, 166, NEW))
    assert of(BookLost, outputs) == [BookLost(0, "diff 165–166 came after 163", is_gap=True)]
    assert not of(BookDelta, outputs)
    assert len(line.asked) == 1
    outputs = line.answer(depth(165))
    assert [type(output) for output in outputs if not isinstance(output, Notice)][:2] == [BookSnapshot, BookDelta]


def test_two_diffs_that_changed_places_are_a_gap() -> None:
    line = Line()
    line.live()
    assert of(BookLost, line.hear(diff(164, 166, NEW)))[0].is_gap
    assert not of(BookLost, line.hear(diff(161, 163, NEW)))
    assert not line.asked[1:]
    assert of(BookSnapshot, line.answer(depth(166)))
    assert line.hear(diff(167, 167, NEW))[0] == BookDelta(
        0, [(62_806_800_000_000, 100_000_000)], [], None, "2025-08-16T10:04:05.123Z"
    )


def test_numbers_that_contradict_themselves_are_damage() -> None:
    """One digit wrong in `u` would otherwise make all that follows look old, and the book stand still."""
    line = Line()
    line.live()
    line.hear(diff(161, 963, NEW))
    outputs = line.hear(diff(164, 166, NEW))
    assert of(BookLost, outputs)[0].is_gap


def test_a_stream_that_stays_behind_its_snapshot_is_damage() -> None:
    line = Line()
    line.live(last=10_160)
    lost = [of(BookLost, line.hear(diff(9000 + n, 9000 + n))) for n in range(101)]
    assert [bool(one) for one in lost] == [False] * 100 + [True]


def test_a_diff_that_ends_before_it_begins() -> None:
    line = Line("BTC/USDT", "ETH/USDT")
    line.live()
    outputs = line.hear(diff(161, 160))
    assert of(BookLost, outputs) == [BookLost(0, "unexplained frame")]


@pytest.mark.parametrize("price", ["many", "-1", "1e999"])
def test_a_lost_diff_and_then_an_unreadable_one(price: str) -> None:
    """What cannot be read changes nothing before it is known to be so: the book falls all the same."""
    line = Line()
    line.live()
    outputs = line.hear(diff(165, 166, [(price, "1.00000")]))
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    line.wait(0.2)
    assert of(BookSnapshot, line.answer(depth(170)))


def test_only_the_market_concerned_is_lost() -> None:
    line = Line("BTC/USDT", "ETH/USDT")
    line.live()
    assert [lost.instrument for lost in of(BookLost, line.hear(diff(165, 166, name="ETHUSDT")))] == [1]
    assert len(line.hear(diff(161, 162))) == 1


@pytest.mark.parametrize("cut", [1, 40, 110])
def test_half_a_frame_is_its_markets(cut: int) -> None:
    """The name it begins with; without one, every book on the link."""
    line = Line("BTC/USDT", "ETH/USDT")
    line.live()
    frame = diff(161, 163, NEW)
    outputs = line.hear(frame[: len(frame) - cut])
    assert [lost.instrument for lost in of(BookLost, outputs)] == [0]
    lost = line.hear(frame[:15]) + line.hear(b'{"e":"depthUpdate","s":"BTCUSDT"')
    assert {one.instrument for one in of(BookLost, lost)} == {1}


def test_a_market_of_another_name_in_the_frame() -> None:
    line = Line("BTC/USDT", "ETH/USDT")
    line.live()
    outputs = line.hear(diff(161, 163, s="ETHUSDT"))
    assert of(BookLost, outputs) == [BookLost(0, "unexplained frame")]


def test_levels_finer_than_the_lot_are_read() -> None:
    """Orders from before a lot was made coarser are still in the book (seen in 2021 and 2024)."""
    line = Line()
    line.live()
    (delta,) = of(BookDelta, line.hear(diff(161, 161, [("5000.00100000", "2292.22972001")])))
    assert delta.bids == [(5_000_001_000_000, 229_222_972_001)]


def test_back_off() -> None:
    """A book that is lost again and again is asked for ever less often: at once, then 1, 2, 4 … 60 s."""
    line = Line()
    line.live()
    number, waits = 200, []
    for _ in range(9):
        line.hear(diff(number, number))
        lost_ns = line.now_ns
        while not line.asked:
            line.wait(0.05, alive=True)
        waits.append(round((line.now_ns - lost_ns) / SECOND))
        line.answer(depth(number + 1))
        number += 100
    assert waits == [0, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_book_that_lived_a_minute_starts_anew() -> None:
    line = Line()
    line.live()
    for number in (200, 300):
        line.hear(diff(number, number))
        assert len(line.asked) == 1
        line.answer(depth(number))
        for n in range(61):
            line.wait(1)
            line.hear(diff(number + n + 1, number + n + 1))


def test_the_engine_asks_for_a_fresh_book() -> None:
    line = Line()
    line.live()
    line.resync(0, "crossed")
    assert not of(BookDelta, line.hear(diff(161, 163, NEW)))
    line.wait(0.1)
    assert len(line.asked) == 1
    assert len(applied(line.answer(depth(162)))) == 1


def test_a_late_snapshot_of_an_earlier_connection_is_nobodys() -> None:
    line = Line()
    line.subscribed()
    line.hear(diff(150, 158))
    (old,) = line.asked
    line.close()
    line.subscribed()
    line.asked.append(old)
    assert not of(BookSnapshot, line.answer(depth(158), asked=old))


# --- what a snapshot does not know ------------------------------------------------------------------------------------


def ladder(best: int, count: int, step: int) -> list[tuple[str, str]]:
    return [(f"{best + n * step}.00", "1.00000") for n in range(count)]


def wide(last: int, best: int = 5000) -> bytes:
    return depth(last, ladder(best, 1000, -1), ladder(best + 1, 1000, 1))


def test_few_known_levels_are_left() -> None:
    """A fresh snapshot is asked for while the book stands; a larger one, for this one did not last a minute."""
    line = Line(depth=10)
    line.subscribed()
    line.hear(diff(150, 159))
    line.answer(wide(160))
    for n in range(990):  # from the best one down: ten are left
        line.hear(diff(161 + n, 161 + n, [(f"{5000 - n}.00", "0.00000")]))
        assert not line.asked
    line.wait(0.2)
    line.hear(diff(1151, 1151, [("4010.00", "0.00000")]))
    (question,) = line.asked
    assert question.fields["limit"] == "5000"
    assert len(of(BookDelta, line.hear(diff(1152, 1152, [("4009.00", "2.00000")])))) == 1
    outputs = line.answer(depth(1151, ladder(4009, 1000, -1), ladder(5001, 1000, 1)))
    assert [type(one) for one in outputs] == [BookSnapshot, BookDelta]
    assert not of(BookLost, line.all)
    assert len(line.hear(diff(1153, 1153))) == 1


def test_no_known_level_is_left() -> None:
    """The price ran past the snapshot's end before a fresh one came: what is there beyond has holes, so no book."""
    line = Line(depth=10)
    line.subscribed()
    line.hear(diff(150, 159))
    line.answer(wide(160))
    line.wait(0.2)
    gone = [(f"{5000 - n}.00", "0.00000") for n in range(1000)]
    outputs = line.hear(diff(161, 161, [*gone, ("3850.00", "3.00000")]))
    assert of(BookLost, outputs) == [BookLost(0, "the price left what the snapshot held")]
    assert len(line.asked) == 1


def test_a_side_that_is_whole_has_no_end() -> None:
    """Fewer levels than were asked for: that is all there is."""
    line = Line(depth=10)
    line.live()
    outputs = line.hear(diff(161, 161, [("62806.90", "0"), ("62806.50", "0"), ("1.00", "5.00000")]))
    assert len(outputs) == 1
    assert not line.asked


def test_a_book_equals_the_whole_one_within_the_snapshot() -> None:
    """Truncated nowhere: a level that comes back from the far end is there."""
    line = Line(depth=10)
    line.subscribed()
    line.hear(diff(150, 159))
    book = L2Book()
    (snapshot,) = of(BookSnapshot, line.answer(wide(160)))
    book.depth = snapshot.depth
    book.load(snapshot.bids, snapshot.asks, 1)
    for n in range(50):
        for price, qty, number in ((f"5000.{n + 10}", "1.00000", 161 + 2 * n), (f"5000.{n + 10}", "0", 162 + 2 * n)):
            (delta,) = of(BookDelta, line.hear(diff(number, number, [(price, qty)])))
            book.apply(delta.bids, delta.asks, 1)
    assert len(book.bids) == 1000


# --- silent streams ---------------------------------------------------------------------------------------------------


def test_a_quiet_market_is_left_alone() -> None:
    """Ten seconds without a diff: a look at the number, which has not changed; then less and less often."""
    line = Line()
    line.live()
    looks = []
    for _ in range(200):
        line.wait(1, alive=True)
        if line.asked:
            looks.append(line.asked[0].fields["limit"])
            line.answer(depth(160))
    assert 3 <= len(looks) <= 5
    assert set(looks) == {"5"}
    assert not of(BookLost, line.all)


def test_an_acked_stream_that_is_silent_is_found() -> None:
    """Binance acks streams that it does not have. What HTTP says moved on, and the stream said nothing of it: a fresh
    snapshot, for changes may have taken each other back; the second time it is the stream."""
    line = Line("BTC/USDT", "ETH/USDT")
    line.live()
    line.wait(5)
    line.hear(diff(161, 161, name="ETHUSDT"))
    line.wait(5.2, alive=True)
    line.answer(depth(190))
    line.wait(2.2, alive=True)
    assert of(BookSnapshot, line.answer(depth(191)))
    assert not of(BookLost, line.all)
    for n in range(100):
        line.wait(0.1, alive=True)
        line.hear(diff(162 + n, 162 + n, name="ETHUSDT"))
    line.wait(0.1, alive=True)
    line.answer(depth(210))
    line.wait(2.2, alive=True)
    (lost,) = of(BookLost, line.all)
    assert lost == BookLost(0, "silent since 191, while Binance is at 210", is_gap=True)
    line.wait(0.3)
    assert [(one["method"], one["params"][0]) for one in line.sent] == [
        ("UNSUBSCRIBE", "btcusdt@depth@100ms"),
        ("SUBSCRIBE", "btcusdt@depth@100ms"),
    ]
    line.ack()
    line.hear(diff(211, 211))
    line.wait(0.2)
    assert of(BookSnapshot, line.answer(depth(211)))


def test_a_stream_that_wakes_up_in_time_is_right() -> None:
    line = Line()
    line.live()
    line.wait(10.2, alive=True)
    line.answer(depth(161))
    line.hear(diff(161, 161))
    line.wait(3, alive=True)
    assert not of(BookLost, line.all)


# --- recordings made by others ----------------------------------------------------------------------------------------


def test_a_recording_is_followed_as_it_comes() -> None:
    """Neither opened nor asked anything; answers of HTTP say themselves what they are to."""
    line = Line("BTC/USDT", "ETH/USDT", known=True)
    line.hear(diff(150, 158))
    line.hear(diff(159, 161, name="ETHUSDT"))
    head = b"GET /api/v3/depth?symbol=%s&limit=1000 200\n"
    outputs = line.session.receive(head % b"ETHUSDT" + depth(160), line.now_ns, CALLS)
    assert [(type(one), one.instrument) for one in outputs] == [(BookSnapshot, 1), (BookDelta, 1)]  # type: ignore[union-attr]
    assert line.hear(depth(160))[0] == Notice(
        "warning", "binance: a snapshot that does not say of which of several markets it is"
    )
    assert not line.session.receive(head % b"XRPUSDT" + depth(160), line.now_ns, CALLS)
    assert of(BookLost, line.hear(diff(165, 166, name="ETHUSDT")))[0].is_gap
    assert not line.session.tick(line.now_ns)
    assert not line.asked


def test_a_naked_snapshot_is_the_only_markets() -> None:
    line = Line(known=True)
    line.hear(diff(150, 158))
    assert len(of(BookSnapshot, line.hear(depth(160)))) == 1
    assert not of(BookSnapshot, line.hear(depth(155)))
    assert len(line.hear(diff(161, 161))) == 1


def test_futures_chain_by_the_diff_before() -> None:
    """Their numbers have holes; `pu` says which diff came before (bench recordings of hftbacktest)."""
    line = Line(known=True)
    line.hear(diff(150, 158, pu=149))
    line.hear(depth(157))
    assert len(line.hear(diff(170, 175, pu=158))) == 1
    assert of(BookLost, line.hear(diff(190, 195, pu=180)))[0].is_gap


def test_trades_go_on_without_a_book() -> None:
    line = Line(known=True)
    assert len(line.hear(trade())) == 1
    assert not of(Reconnect, line.all)


def test_sides_are_what_they_are_called() -> None:
    line = Line(known=True)
    line.hear(diff(150, 160))
    (snapshot,) = of(BookSnapshot, line.hear(depth(160, BIDS, ASKS)))
    assert (snapshot.bids[0][0], snapshot.asks[0][0]) == (62_806_900_000_000, 62_807_000_000_000)
