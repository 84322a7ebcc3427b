"""What goes wrong on Coinbase's public socket: gaps, repeats, refusals, silence, bytes that nobody can read."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from connectors.events import BookDelta, BookLost, BookSnapshot, Notice
from connectors.session import CALLS, Reconnect, Send
from tests.support.coinbase_frames import (
    SECOND,
    Line,
    answer,
    called,
    error,
    heartbeat,
    listed,
    of,
    product,
    sent,
    snapshot,
    trade,
    update,
)

TWO = ("BTC/USD", "ETH/USD")


def lost(outputs: Any) -> list[tuple[int, bool]]:
    return [(one.instrument, one.is_gap) for one in of(BookLost, outputs)]


def kinds(outputs: Any) -> list[tuple[str, str, list[str]]]:
    return [(one["type"], one["channel"], one.get("product_ids", [])) for one in sent(outputs)]


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_gap_costs_every_book_of_the_link_at_once() -> None:
    """One counter over all channels and products: the lost message may have been anybody's."""
    line = Line(*TWO)
    line.live()
    outputs = line.hear(update(line.next() + 1))
    assert lost(outputs) == [(0, True), (1, True)]
    assert kinds(outputs) == [("unsubscribe", "level2", ["BTC-USD", "ETH-USD"])]
    assert not of(BookDelta, outputs)
    line.number += 1
    outputs = line.hear(listed(line.next()))
    assert kinds(outputs) == [("subscribe", "level2", ["BTC-USD", "ETH-USD"])]
    assert not of(BookDelta, line.hear(update(line.next()))), "of a book we do not have yet"
    line.hear(listed(line.next(), "BTC-USD", "ETH-USD"))
    assert of(BookSnapshot, line.hear(snapshot(line.next())))
    assert of(BookDelta, line.hear(update(line.next())))


@pytest.mark.parametrize("late", [heartbeat, trade, listed])
def test_any_channel_s_message_shows_a_gap(late: Any) -> None:
    line = Line(*TWO)
    line.live()
    assert lost(line.hear(late(line.next() + 1))) == [(0, True), (1, True)]


def test_a_snapshot_after_the_gap_is_good_in_itself() -> None:
    line = Line()
    line.live()
    line.hear(snapshot(line.next() + 1))
    assert line.books[0].valid


def test_a_message_that_comes_again_or_too_late_is_ignored() -> None:
    line = Line()
    line.live()
    line.hear(update(line.next(), bids=[("68900.00", "1")]))
    for number in (0, 1, line.number - 1):
        assert line.hear(update(number, bids=[("68900.00", "7")])) == []
        assert line.hear(listed(number)) == []
    assert line.books[0].bids[0] == (68_900_000_000_000, 10**8)


def test_counters_of_products_where_that_is_how_they_are() -> None:
    """The documentation's reading: a gap is then one book's."""
    line = Line(*TWO, per_product=True)
    line.defined()
    line.hear(listed(0, *("BTC-USD", "ETH-USD")))
    for name in ("BTC-USD", "ETH-USD"):
        line.hear(snapshot(5, name=name))
    assert lost(line.hear(update(6, name="BTC-USD"))) == []
    assert lost(line.hear(trade(99))) == []
    assert line.hear(update(6, name="BTC-USD")) == []
    assert lost(line.hear(update(8, name="BTC-USD"))) == [(0, True)]
    assert line.books[1].valid


def test_a_number_that_was_never_true_is_found_out_by_silence() -> None:
    """Everything that follows looks old. It proves nothing, so the link is dead."""
    line = Line()
    line.live()
    line.hear(heartbeat(10**9))
    out = []
    for _ in range(6):
        out += line.wait(1)
        line.hear(heartbeat(line.next()))
    assert of(Reconnect, out)
    assert not line.books[0].valid


# --- one book --------------------------------------------------------------------------------------------------------


def test_a_crossed_book_is_asked_for_alone_and_with_back_off() -> None:
    line = Line(*TWO)
    line.live()
    delays = []
    for _ in range(4):
        outputs = line.hear(update(line.next(), bids=[("68905.00", "1")]))
        notices = [one.text for one in of(Notice, outputs)]
        delays.append(notices[-1].rpartition(" in ")[2])
        begun_ns = line.now_ns
        while not (asked := kinds(outputs)):
            outputs = line.wait(0.5)
            line.hear(heartbeat(line.next()))
        assert asked == [("unsubscribe", "level2", ["BTC-USD"])]
        assert f"{(line.now_ns - begun_ns) // SECOND} s" == delays[-1]
        assert kinds(line.hear(listed(line.next(), "ETH-USD"))) == [("subscribe", "level2", ["BTC-USD"])]
        line.hear(listed(line.next(), "ETH-USD", "BTC-USD"))
        line.hear(snapshot(line.next()))
        assert line.books[0].valid
    assert delays == ["0 s", "1 s", "2 s", "4 s"]
    assert line.books[1].valid


def test_an_acknowledgement_or_snapshot_that_does_not_come_is_waited_for_no_longer_than_that() -> None:
    line = Line()
    line.defined()
    assert kinds(beating(line, 5)) == [("unsubscribe", "level2", ["BTC-USD"])]
    assert kinds(beating(line, 5)) == [("subscribe", "level2", ["BTC-USD"])], "no answer to that either"
    line.hear(listed(line.next(), "BTC-USD"))
    assert not kinds(beating(line, 14))
    assert kinds(beating(line, 3)) == [("unsubscribe", "level2", ["BTC-USD"])]


def test_a_link_that_beats_and_gives_no_book_is_dialled_again() -> None:
    line = Line()
    line.defined()
    out = beating(line, 60)
    assert [one.reason for one in of(Reconnect, out)] == ["no book in 3 attempts"]
    line = Line(*TWO)
    line.defined()
    line.hear(listed(line.next(), "ETH-USD"))
    line.hear(snapshot(line.next(), name="ETH-USD"))
    assert not of(Reconnect, beating(line, 120)), "one book lives: it is not the link"


def beating(line: Line, seconds: int) -> list[Any]:
    out: list[Any] = []
    for _ in range(seconds):
        out += line.wait(1)
        line.hear(heartbeat(line.next()))
    return out


def test_a_product_that_is_no_longer_listed_has_no_book() -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(listed(line.next(), "ETH-USD"))
    assert [(one.instrument, one.reason) for one in of(BookLost, outputs)] == [(0, "unsubscribed")]
    assert kinds(outputs) == [("subscribe", "level2", ["BTC-USD"])]
    assert line.books[1].valid


def test_an_acknowledgement_of_another_channel_that_overtakes_ours_costs_nothing() -> None:
    line = Line()
    line.defined()
    line.hear(snapshot(line.next()))
    assert not of(BookLost, line.hear(listed(line.next())))
    assert line.books[0].valid


# --- errors ----------------------------------------------------------------------------------------------------------


def test_an_error_that_names_a_product_is_that_one_s() -> None:
    line = Line("BTC/USD", "BTC/USDC", "ETH/USD")
    line.defined(product(), product("BTC-USDC"), product("ETH-USD"))
    outputs = line.hear(error("BTC-USDC is not a valid product"))
    assert [(one.instrument, one.reason) for one in of(BookLost, outputs)] == [
        (1, "refused: coinbase says: BTC-USDC is not a valid product")
    ]
    line.hear(listed(line.next(), "BTC-USD"))
    assert of(BookSnapshot, line.hear(snapshot(line.next())))
    assert kinds(beating(line, 5)) == [("unsubscribe", "level2", ["ETH-USD"])], "refused along: asked for again"
    outputs = line.hear(listed(line.next(), "BTC-USD"))
    assert kinds(outputs) == [("subscribe", "level2", ["ETH-USD"]), ("subscribe", "market_trades", ["ETH-USD"])]


def test_an_error_that_names_nobody_is_read_and_tried_again() -> None:
    line = Line(*TWO)
    line.live()
    outputs = line.hear(error("authentication failure"))
    assert [one.text for one in of(Notice, outputs)] == ["coinbase says: authentication failure"]
    assert not of(BookLost, outputs)


def test_products_that_cannot_be_had_are_asked_for_again() -> None:
    line = Line()
    ((number, _, _),) = called(line.open())
    gaps = []
    for status in (0, 429, 502, 200):
        body = b'{"products":[{}]}' if status == 200 else b"no answer: nothing came"
        outputs = line.hear(b"%s %d\n%s" % (number, status, body), CALLS)
        assert len(of(Notice, outputs)) == (status == 0), "said once"
        begun_ns, found = line.now_ns, called(outputs)
        while not found:
            line.hear(heartbeat(line.next()))
            found = called(line.wait(0.5))
        gaps.append((line.now_ns - begun_ns) // SECOND)
        ((number, _, _),) = found
    assert gaps == [1, 2, 4, 8]
    assert kinds(line.hear(answer(number, product()), CALLS))


def test_one_bad_name_costs_no_other() -> None:
    """Should a question of several be refused as a whole, each is asked by itself."""
    line = Line("BTC/USD", "NO/SUCH")
    ((number, _, _),) = called(line.open())
    alone = called(line.hear(number + b" 400\n{}", CALLS))
    assert [names for _, _, names in alone] == [["BTC-USD"], ["NO-SUCH"]]
    assert kinds(line.hear(answer(alone[0][0], product()), CALLS))
    outputs = line.hear(alone[1][0] + b' 404\n{"error":"NOT_FOUND"}', CALLS)
    assert [one.instrument for one in of(BookLost, outputs)] == [1]


# --- the link --------------------------------------------------------------------------------------------------------


def test_silence_is_a_dead_link() -> None:
    line = Line()
    line.live()
    assert not of(Reconnect, beating(line, 20))
    out = line.wait(5)
    assert [one.reason for one in of(BookLost, out)] == ["link silent"]
    assert len(of(Reconnect, out)) == 1


def test_books_prove_life_as_heartbeats_do() -> None:
    line = Line()
    line.live()
    for _ in range(10):
        assert not of(Reconnect, line.wait(1))
        line.hear(update(line.next()))


def test_a_snapshot_of_several_megabytes_may_take_a_while() -> None:
    line = Line()
    line.defined()
    line.hear(listed(line.next(), "BTC-USD"))
    assert not of(Reconnect, line.wait(9))
    assert of(Reconnect, line.wait(2))


def test_no_more_than_eight_messages_a_second() -> None:
    line = Line(*(f"A{index}/USD" for index in range(10)))
    line.live()
    times = [line.now_ns] * len(
        sent(itertools.chain.from_iterable(line.session.resync(k, "audit", line.now_ns) for k in range(10)))
    )
    for _ in range(6):
        said = sent(line.wait(0.5))
        times += [line.now_ns] * len(said)
        line.hear(heartbeat(line.next()))
    assert len(times) == 10
    assert all(sum(at <= other < at + SECOND for other in times) <= 8 for at in times)


def test_what_waits_for_its_turn_is_not_late() -> None:
    """Each product by itself: the last request leaves after eight seconds, and nothing is asked twice meanwhile."""
    line = Line(*(f"A{index}/USD" for index in range(48)))
    line.defined()
    line.hear(error("no more than ten products"))
    asked = [one for one in kinds(beating(line, 15)) if one[1] == "level2"]
    left = [names[0] for kind, _, names in asked if kind == "unsubscribe"]
    assert len(left) == len(set(left)) == 48
    assert len(asked) == len({(kind, names[0]) for kind, _, names in asked})


def test_nothing_is_said_while_the_link_is_down() -> None:
    line = Line()
    line.live()
    line.session.close(line.now_ns)
    assert line.wait(100) == []
    assert not of(Send, line.session.resync(0, "crossed", line.now_ns))
