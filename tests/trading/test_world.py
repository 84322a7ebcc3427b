"""The world itself: it repeats, and its oracle sees what it is there to see."""

import json

import pytest

from connectors.session import PRIVATE
from tests.support.trading_oracle import OracleError
from tests.support.trading_world import TradingWorld


def course(seed: int) -> str:
    world = TradingWorld("duplicate_fill", "ack_late", seed=seed, rate_hz=5)
    name = world.bid()
    world.run(2)
    world.restart()
    world.run(5)
    assert world.is_there(name)
    return world.digest


def test_one_seed_one_course() -> None:
    assert course(1) == course(1)
    assert course(1) != course(2)


def test_an_order_that_nobody_approved_is_seen() -> None:
    world = TradingWorld()
    forged = {"method": "add_order", "params": {"cl_ord_id": "vg9-1", "symbol": "BTC/USD", "side": "buy"}}
    with pytest.raises(OracleError, match="never approved"):
        world.oracle.wire(PRIVATE, json.dumps(forged).encode())


def test_an_order_that_leaves_twice_is_seen() -> None:
    world = TradingWorld()
    world.bid()
    world.run(0.5)
    sent = next(data for _, link, data in world.wire if link == PRIVATE and b"add_order" in data)
    with pytest.raises(OracleError, match="left twice"):
        world.oracle.wire(PRIVATE, sent)


def test_an_order_after_a_halt_is_seen() -> None:
    world = TradingWorld()
    world.oracle.halted.add("BTC/USD")
    world.want(world.order(1, far=50))
    with pytest.raises(OracleError, match="after the halt"):
        world.run(1)


def test_a_gate_that_counts_too_little_is_seen() -> None:
    world = TradingWorld()
    world.bid()
    world.run(1)
    world.engine.gate.account.exposures[0].open_buy_1e8 = 0
    with pytest.raises(OracleError, match="the gate counts"):
        world.run(5)


def test_an_end_without_truth_is_seen() -> None:
    world = TradingWorld()
    name = world.bid()
    world.run(1)
    order = world.ours(name)
    order.state = type(order.state).CANCELED
    with pytest.raises(OracleError, match="open there"):
        world.oracle._order(order)


def test_a_venue_that_has_other_money_is_seen() -> None:
    world = TradingWorld()
    world.venue.engine.account.change("ETH", 10**9)
    assert [text for text in world.unsettled() if "balance of ETH" in text]


def test_what_is_in_the_pipe_at_a_cut_lands_or_does_not() -> None:
    for lands in (True, False):
        world = TradingWorld(latency=(20, 20))
        name = world.bid()
        world.run(0.005)
        world.cut(lands=lands)
        world.run(1)
        assert world.is_there(name) is lands
