"""Is anybody there? Silence, pongs and heartbeats on Kraken's public socket, and what a new link starts with."""

from __future__ import annotations

import pytest

from connectors.events import BookDelta, BookLost
from connectors.session import Output, Reconnect, Send, WakeAt
from tests.support.kraken_frames import T0, Line, ack, instruments, of, pair, pong, sent, snapshot, update

TWO = ("BTC/USD", "ETH/USD")


def lost(outputs: list[Output]) -> list[int]:
    return [output.instrument for output in of(BookLost, outputs)]


def test_a_quiet_book_with_heartbeats_is_healthy() -> None:
    """Five minutes without an update: nothing is lost and nothing is sent."""
    line = Line().live()
    assert {type(output) for output in line.wait(300)} == {WakeAt}
    assert of(BookDelta, line.hear(update()))


@pytest.mark.parametrize("state", ["opened", "subscribing", "live"])
def test_silence_is_noticed_within_five_seconds(state: str) -> None:
    """Heartbeats stop, the socket stays: every book that was asked for is lost and the link is dialled again, once."""
    line = Line(*TWO)
    {"opened": line.open, "subscribing": line.subscribing, "live": line.live}[state]()
    outputs = line.wait(5, heartbeats=False)
    assert lost(outputs) == ([] if state == "opened" else [0, 1])
    assert [output.link for output in of(Reconnect, outputs)] == ["public"]
    assert line.wait(60, heartbeats=False) == []
    late = line.hear(update())
    assert not of(BookDelta, late), "too late: a link given up serves nothing"


def test_a_second_of_silence_is_not_the_end() -> None:
    """Gaps of heartbeats up to 3 s happen."""
    line = Line().live()
    for _ in range(20):
        assert not of(Reconnect, line.wait(3, heartbeats=False))
        line.wait(0.5)


def test_a_peer_that_only_answers_pings_is_dead() -> None:
    """Pongs prove the socket, not the feed: once subscribed, heartbeats are owed."""
    line = Line().live()
    outputs: list[Output] = []
    for _ in range(10):
        now = line.wait(0.5, heartbeats=False)
        outputs += now
        for ping in sent(now):
            assert ping["method"] == "ping"
            assert line.hear(pong(ping)) == []
    assert len(of(Reconnect, outputs)) == 1
    assert lost(outputs) == [0]


def test_before_the_first_subscription_pings_prove_life() -> None:
    """No heartbeat is owed yet: a ping after 2 s, and its pong keeps the link."""
    line = Line()
    line.open()
    line.hear(instruments())  # the pair is not listed: nothing is subscribed, ever
    pings = 0
    for _ in range(120):
        outputs = line.wait(0.5, heartbeats=False)
        assert not of(Reconnect, outputs)
        for request in sent(outputs):
            if request["method"] == "ping":
                assert set(request) == {"method", "req_id"}, "Kraken refuses params on a ping"
                pings += 1
                line.hear(pong(request))
    assert pings == 30


def test_a_new_link_starts_from_nothing() -> None:
    """Everything lost on the way down, everything asked for anew with ids never used before."""
    line = Line(*TWO)
    old = line.subscribing()
    for request in old:
        line.hear(ack(request))
    line.hear(snapshot())
    assert lost(line.session.close(line.now_ns)) == [0, 1]
    assert line.session.tick(line.now_ns) == []
    assert line.hear(update()) == []
    new = line.subscribing()
    assert [request["params"] for request in new] == [request["params"] for request in old]
    assert not {request["req_id"] for request in new} & {request["req_id"] for request in old}
    assert line.hear(update()) == []
    assert {request["method"] for request in sent(line.wait(5))} == {"subscribe"}, (
        "this link has nothing to unsubscribe"
    )
    line.hear(ack(new[0]), snapshot())
    assert of(BookDelta, line.hear(update()))


def test_a_recording_without_a_link_is_read_and_sends_nothing() -> None:
    """Frames alone, never opened: books come alive by their snapshots, and a lost one is not asked for."""
    line = Line()
    assert not of(Send, line.hear(instruments(pair()), snapshot()))
    assert of(BookDelta, line.hear(update()))
    assert not of(Send, [*line.resync(), *line.wait(10)])
    line.hear(snapshot())
    assert of(BookDelta, line.hear(update()))


def test_a_resync_while_the_link_is_down_waits_for_the_link() -> None:
    """Nothing can be sent; opening subscribes anyway."""
    line = Line().live()
    line.session.close(line.now_ns)
    assert not sent(line.resync())
    assert [request["method"] for request in line.subscribing()] == ["subscribe", "subscribe"]
    assert line.now_ns == T0
