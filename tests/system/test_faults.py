"""What the wire can do to us, in virtual time: each fault of the simulated Kraken against the whole engine."""

import json
from collections import Counter

import pytest

from connectors.orders import OrderType
from risk.denial import DenyReason
from runtime.host import AlgoHost
from runtime.sim.kraken import SimFaults
from runtime.spec import AlgoSpec
from tests.support.guests import every
from tests.support.virtual import SECOND, START_NS, World

TWO = ("BTC/USD", "ETH/USD")


def trading(symbol: str = "BTC/USD", *, nth: int = 1) -> AlgoSpec:
    """An algo that asks for a small order at every n-th book: what is refused, and when, is what is looked at."""
    return AlgoSpec(f"asks@{symbol}", AlgoHost(every(nth, order_type=OrderType.IOC), name="asks"), (symbol,))


def test_without_faults_everything_lives() -> None:
    world = World(symbols=TWO)
    world.run(60)
    assert min(world.served) > 1000
    assert world.engine.stats.checksums_failed == 0
    assert world.reconnects == []
    assert [notice.text for _, notice in world.notices if notice.level != "info"] == []


def test_a_lost_update_is_noticed_by_the_next_checksum_and_healed() -> None:
    world = World(symbols=TWO, faults=SimFaults(drop_update_every=200, connections=1))
    world.run(60)
    assert world.engine.stats.checksums_failed > 3
    assert world.reconnects == [], "a reconnect is not needed"
    bitcoin, ether = world.engine.books  # each heals on its own, whatever the other one goes through
    world.run(70, until=lambda: bitcoin.valid)
    assert bitcoin.valid
    world.run(70, until=lambda: ether.valid)
    assert ether.valid
    assert min(world.served) > 500


def test_corrupt_checksums_make_no_storm() -> None:
    """One in ten is wrong: resubscriptions back off to one a minute instead of following each."""
    world = World(faults=SimFaults(corrupt_checksum_every=10))
    world.run(600)
    per_minute = Counter(
        (at_ns - START_NS) // (60 * SECOND) for at_ns, data in world.sent if json.loads(data)["method"] == "subscribe"
    )
    assert per_minute[0] <= 10
    assert max(per_minute[minute] for minute in range(2, 10)) <= 2


def test_duplicates_change_nothing() -> None:
    world = World(faults=SimFaults(duplicate_update_every=5))
    world.run(30)
    assert world.engine.stats.checksums_failed == 0
    assert world.served[0] > 500


def test_a_refused_symbol_is_reported_and_the_others_live() -> None:
    world = World(symbols=(*TWO, "NOPE/USD"), faults=SimFaults(refuse_symbols=("ETH/USD",)))
    world.run(30)
    assert world.said("ETH/USD: Currency pair not supported")
    assert world.said("NOPE/USD: Kraken does not list NOPE/USD")
    assert world.served[0] > 500
    assert world.served[1:] == [0, 0]
    assert "Currency pair not supported" in world.engine.books[1].reason
    asked = [data for at_ns, data in world.sent if b"ETH/USD" in data and b'"book"' in data]
    assert len(asked) == 1, "a pair that does not exist is not asked for again"


@pytest.mark.parametrize(
    "faults",
    [SimFaults(no_ack=True, connections=1), SimFaults(ack_then_silence=True, connections=1)],
    ids=["ack", "snapshot"],
)
def test_a_subscription_that_stays_silent_is_asked_for_again(faults: SimFaults) -> None:
    """Heartbeats go on: only the missing ack, or the missing snapshot, tells."""
    world = World(faults=faults)
    world.run(60)
    asked = [at_ns for at_ns, data in world.sent if json.loads(data)["method"] == "subscribe" and b'"book"' in data]
    assert 3 <= len(asked) <= 8
    assert not world.engine.books[0].valid
    assert world.served[0] == 0


@pytest.mark.parametrize(
    "faults",
    [SimFaults(mute_after_s=10, connections=1), SimFaults(pong_only_after_s=10, connections=1)],
    ids=["mute", "pong only"],
)
def test_a_silent_link_is_noticed_within_five_seconds_and_replaced(faults: SimFaults) -> None:
    """Orders are refused from that moment on; after the new connection everything is as before."""
    world = World(faults=faults, algos=[trading(nth=10)])
    world.run(10)
    assert world.engine.books[0].valid
    world.run(20, until=lambda: not world.engine.books[0].valid)
    ((at_ns, reason),) = world.reconnects
    assert at_ns - START_NS <= 15 * SECOND
    assert reason.startswith("no frame for")
    assert world.engine.books[0].reason == "link silent", "and not merely that the link is down, which follows from it"
    assert world.engine.lost == {"link silent": 1}
    assert world.engine.ports["kraken"].link.last_ns == -1, "the gate refuses whatever is asked now"
    served = world.served[0]
    world.run(10)
    assert len(world.reconnects) == 1
    assert world.served[0] > served + 100
    assert world.engine.books[0].valid


def test_a_quiet_book_is_healthy() -> None:
    """Heartbeats without a single book message for a minute: nothing is wrong, and the book can be traded on."""
    world = World(faults=SimFaults(book_off_after_s=5))
    world.run(65)
    assert world.reconnects == []
    assert world.engine.stats.resyncs == 0
    assert world.engine.books[0].valid


def test_bytes_that_are_not_json_cost_every_book_on_the_link_but_not_the_link() -> None:
    world = World(symbols=TWO, faults=SimFaults(garbage_frame_after_s=5, connections=1))
    world.run(20)
    assert world.engine.lost["unexplained frame"] == 2
    assert world.said("CloudFlare")
    assert world.reconnects == []
    assert all(book.valid for book in world.engine.books)


def test_a_close_by_the_venue_is_answered_with_a_new_connection() -> None:
    world = World(symbols=TWO, faults=SimFaults(close_after_s=5, connections=1))
    world.run(20)
    assert world.engine.lost["link down"] == 2
    assert all(book.valid for book in world.engine.books)
    assert min(world.served) > 300


def test_a_crossed_book_with_a_right_checksum_is_not_served() -> None:
    """`World.feed` fails on a crossed book that is served; here it must have been seen, dropped and replaced."""
    world = World(symbols=TWO, faults=SimFaults(crossed_book_after_s=5, connections=1))
    world.run(30)
    assert world.engine.lost["crossed"] >= 1
    assert all(book.valid for book in world.engine.books)


def test_a_change_of_precision_starts_the_book_anew() -> None:
    world = World(faults=SimFaults(precision_change_after_s=5))
    world.run(30)
    assert world.engine.lost["precision changed"] == 1
    assert world.engine.instruments[0] is not None
    assert world.engine.instruments[0].price_precision == 2
    assert world.engine.books[0].valid
    assert world.engine.stats.checksums_failed == 0


@pytest.mark.parametrize("faults", [SimFaults(drop_update_every=300), SimFaults(corrupt_checksum_every=300)])
def test_no_order_is_approved_on_a_book_that_is_gone(faults: SimFaults) -> None:
    """Every book message that is served is asked on; an invalid book serves none, so nothing is even asked."""
    world = World(symbols=TWO, faults=faults, algos=[trading("BTC/USD", nth=10)])
    world.run(60)
    assert world.engine.stats.checksums_failed > 0
    denied = {record.denied.reason for record in world.actions if record.denied is not None}
    assert denied <= {DenyReason.RATE_LIMIT}
    assert world.served[0] == world.engine.algos[0].callbacks["on_book"]
